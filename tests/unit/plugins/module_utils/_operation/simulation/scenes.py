# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What a run finds: the operation, the group's hidden state, its secret, its record, and what is around. From a seed.

Tokens have names here (``a``, ``b``, …), and values in the model; ``x`` is one that no secret holds.
"""

from __future__ import annotations

import datetime
import enum
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.elasticache.auth.plugins.module_utils._auth.change_run import Inquiry
from ansible_collections.elasticache.auth.plugins.module_utils._core import record, states
from ansible_collections.elasticache.auth.plugins.module_utils._core.evidence import UNKNOWN_TOKENS
from ansible_collections.elasticache.auth.plugins.module_utils._core.operations import Operation, Phase
from ansible_collections.elasticache.auth.plugins.module_utils._core.states import Call, CallKind, State
from ansible_collections.elasticache.auth.plugins.module_utils._operation.request import OperationRequest
from emulator.access import TlsMode
from emulator.control.transitions import AccessState
from emulator.settings import VARIANTS, Timing

from .model_aws import Aws

GROUP, SECRET, KEY = "sessions", "elasticache/sessions/auth-token", "auth_token"
CURRENT, PENDING, PREVIOUS, MARK = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS", "elasticache.auth/abandoned"
#: User groups: that of an operation, the one that accepts everyone, one of the user's, and one of somebody else's.
OWN, ANYONE, THEIRS, FOREIGN = f"{GROUP}-own", f"{GROUP}-open", "their-users", "foreign-users"
#: The bridge user, the users whose place it may take, and another group that has the user group where none can be made.
BRIDGE, THEIR_DEFAULT, FOREIGN_DEFAULT, NEIGHBOUR = f"{GROUP}-bridge", "their-default", "foreign-default", "carts"
_LABELS = {"current": CURRENT, "pending": PENDING, "previous": PREVIOUS, "mark": MARK}
_DAY = 86400.0

#: Where each operation begins or goes on: the state with its tokens, oldest first, and the secret's labels, ``-`` for
#: no secret. An empty token says that there is none yet; it takes a JSON object to say so.
STARTS: Mapping[Operation, tuple[tuple[str, str], ...]] = {
    Operation.ROTATE_TOKEN: (
        ("required a", "current=a"),
        ("required a", "previous=z current=a"),
        ("required a", "current=a pending=b"),
        ("required a", "previous=z current=a pending=a"),
        ("required a", "current=a pending=a"),
        ("rotating a b", "current=a pending=b previous=z"),
        ("rotating a b", "current=a pending=b"),
        ("rotating a b", "previous=a current=b"),
        ("rotating a b", "previous=a current=b pending=b"),
        ("required b", "current=a pending=b"),
    ),
    Operation.ENABLE_AUTH: (
        ("open", "-"),
        ("open", "current="),
        ("open", "current= pending=a"),
        ("open", "current=a"),
        ("open", "current=a pending=a"),
        ("open", "previous=z current="),
        ("optional a", "current=a"),
        ("optional a", "current= pending=a"),
        ("optional a", "previous=z current=a"),
        ("optional a", "current=a pending=a"),
    ),
    Operation.ENABLE_TLS: (("open", "-"),),
    Operation.MIGRATE_RBAC_TO_AUTH: (
        ("theirs a", "current=a"),
        ("theirs a", "previous=z current=a pending=a"),
        ("theirs a z", "previous=z current=a"),
        ("theirs a", "current=a pending=b"),
        ("theirs", "current=a"),
        ("theirs", "-"),
        ("theirs", "current= pending=a"),
        ("optional a", "current=a"),
        ("optional a", "current= pending=a"),
    ),
    Operation.MIGRATE_AUTH_TO_RBAC: (
        ("required a", "current=a previous=z"),
        ("required a", "current=a"),
        ("rotating a b", "current=a pending=b"),
        ("rotating a b", "previous=a current=b"),
        ("own a", "current=a"),
    ),
    Operation.DISABLE_ACCESS_CONTROL: (
        ("required a", "current=a"),
        ("required a", "previous=z current=a"),
        ("required a", "previous=z current=a pending=a"),
        ("optional a", "current=a"),
        ("own a", "current=a"),
        ("theirs a", "current=a"),
        ("anyone", "current="),
        ("open", "current="),
    ),
    Operation.ROLLBACK_TOKEN: (
        ("required b", "previous=a current=b"),
        ("required b", "previous=a current=b pending=b"),
        ("rotating a b", "current=a pending=b previous=z"),
        ("rotating a b", "current=a pending=b"),
        ("rotating a b", "previous=a current=b"),
        ("rotating b a", "previous=a current=b"),
        ("rotating b a", "current=b pending=a previous=a mark=b"),
        ("rotating b a", "previous=b current=a mark=b"),
        ("rotating a b", "previous=b current=a mark=b"),
        ("own a b", "current=b pending=a previous=a mark=b"),
        ("own a b", "previous=b current=a mark=b"),
        ("required a", "previous=b current=a mark=b"),
    ),
}
_ANY_STATES = ("open", "optional a", "optional x", "required a", "required x", "rotating a b", "rotating x a", "theirs")
_ANY_LABELS = ("-", "current=a", "current=b", "previous=a current=b", "current=a pending=b", "current= pending=a")
#: The records that tell what the group accepts, and all that a run may find; ``announced``: of a call never made,
#: ``carried out``: of one that led to the state, ``older``: of a state before somebody else's change.
TRUE_RECORDS = ("right", "announced", "carried out")
_RECORDS = ("right", "right", "missing", "older", "announced", "carried out", "nothing", "garbage")


class By(enum.Enum):
    """How clients are given their cutover: by a time, by tasks, or between the phases begin and finish."""

    TIME = "a time"
    TASKS = "tasks"
    PHASES = "phases"


@dataclass(frozen=True)
class Scene:
    """What a run finds. ``usual``: it is one of :data:`STARTS`. ``heard``: the network leads to the nodes. ``direct``:
    the user group also serves another group, so that there can be no bridge user.

    ``soak``: the time that clients are given, in seconds, where it is one.
    """

    seed: int
    operation: Operation
    state: str
    labels: str
    usual: bool
    keyed: bool
    record: str
    tls: str
    age_days: float
    heard: bool
    cutover: By
    soak: float
    engine: str
    clustered: bool
    timing: Timing
    variants: Mapping[str, str] = field(default_factory=dict)
    direct: bool = False

    @property
    def mode(self) -> str:
        """The kind of the state."""
        return self.state.split()[0]

    @property
    def names(self) -> tuple[str, ...]:
        """The tokens that are accepted, oldest first."""
        return tuple(self.state.split()[1:])

    @property
    def opens(self) -> bool:
        """Whether the operation may allow unauthenticated access on its way, with the consent that it is given."""
        return self.operation in (
            Operation.MIGRATE_RBAC_TO_AUTH,
            Operation.DISABLE_ACCESS_CONTROL,
            Operation.ROLLBACK_TOKEN,
        )

    def token(self, name: str) -> str:
        """Return the value of a token."""
        return f"Token-{name}-{random.Random(f'{self.seed}/{name}').getrandbits(128):032x}" if name else ""

    def label(self, stage: str) -> str | None:
        """Return the token at a staging label, by name; ``None`` where there is none."""
        return self.stored.get(stage)

    @property
    def stored(self) -> dict[str, str]:
        """The tokens by staging label, by name."""
        pairs = (part.split("=") for part in self.labels.split() if part != "-")
        return {_LABELS[stage]: name for stage, name in pairs}

    def request(self, phase: Phase = Phase.ALL) -> OperationRequest:
        """Return what is wanted of the group."""
        with_users = self.operation in (
            Operation.MIGRATE_AUTH_TO_RBAC,
            Operation.DISABLE_ACCESS_CONTROL,
            Operation.ROLLBACK_TOKEN,
        )
        user_id = BRIDGE if self.operation is Operation.MIGRATE_RBAC_TO_AUTH else ""
        return OperationRequest(
            operation=self.operation,
            phase=phase,
            enable_tls=True,
            create_secret=True,
            accept_open_window=True,
            accept_open_access=True,
            user_group_id=OWN if with_users else "",
            user_id=OWN if with_users else user_id,
            allow_direct=self.direct,
            open_user_group_id=ANYONE if self.operation is Operation.DISABLE_ACCESS_CONTROL else "",
            access_string="on ~* &* +@all",
            soak=self.soak if self.cutover is By.TIME else None,
            inquiry=Inquiry(timeout=3600.0, delay=10.0),
        )

    @property
    def params(self) -> dict[str, Any]:
        """The module's options that say where the tokens are kept."""
        return {
            "auth_token_secret": {"name": SECRET.replace(GROUP, "{replication_group_id}"), "key": self.key},
            "assume_role_arn": None,
            "continue_on_error": True,
        }

    @property
    def key(self) -> str | None:
        """The key of the token in the secret's text; ``None``: the text is the token."""
        return KEY if self.keyed else None

    def text(self, token: str) -> str:
        """Return the text that holds a token, by value."""
        return json.dumps({KEY: token, "port": 6379}) if self.keyed else token

    def __str__(self) -> str:
        cutover = f"{self.soak:g} s" if self.cutover is By.TIME else self.cutover.value
        parts = [
            f"{self.operation.value} from {self.state}, TLS {self.tls}, secret: {self.labels}",
            "JSON" if self.keyed else "bare",
            f"record {self.record}",
            f"token {self.age_days:g} days old",
            "nodes answer" if self.heard else "no node answers",
            f"cutover by {cutover}",
            f"{self.engine}{', cluster mode' if self.clustered else ''}",
            f"changes of {self.timing.modify_seconds:g} s",
            ", ".join(f"{name}={value}" for name, value in self.variants.items()) or "usual answers",
            *(("the user group serves another group, too",) if self.direct else ()),
        ]
        return "; ".join(parts)


def draw(seed: int) -> Scene:
    """Return the scene of a seed."""
    rng = random.Random(f"scene {seed}")
    operation = rng.choice(list(Operation))
    usual = rng.random() < 0.88
    keyed = rng.random() < 0.7
    state, labels = rng.choice(STARTS[operation]) if usual else (rng.choice(_ANY_STATES), rng.choice(_ANY_LABELS))
    keyed = keyed or "= " in f"{labels} " or state == "anyone"
    mode = state.split()[0]
    tls = rng.choice(("off", "preferred", "required")) if mode == "open" else "required"
    variants = {
        name: rng.choice(variant.values)
        for name, variant in VARIANTS.items()
        if name not in ("existing-connections", "engine-too-old") and rng.random() < 0.25
    }
    # With two client cutovers a phase can't tell which of them they have had: that is refused.
    two = operation is Operation.ENABLE_AUTH and tls != "required"
    return Scene(
        seed=seed,
        operation=operation,
        state=state,
        labels=labels,
        usual=usual,
        keyed=keyed,
        record=rng.choice(_RECORDS),
        tls=tls,
        # Without its promotion a rotation is found soon after it, and not when the next one is due.
        age_days=1.0 if rng.random() < 0.1 or (state == "required b" and "pending=b" in labels) else 100.0,
        heard=rng.random() < 0.75,
        cutover=rng.choice((By.TIME, By.TIME, By.TASKS, By.TASKS if two else By.PHASES)),
        soak=rng.choice((0.0, 30.0, 600.0)),
        engine=rng.choice(("valkey", "valkey", "redis")),
        clustered=rng.random() < 0.15,
        timing=Timing(
            modify_seconds=rng.choice((0.3, 5.0, 40.0, 400.0)),
            create_seconds=rng.choice((0.1, 5.0)),
            modify_sigma=rng.choice((0.0, 1.0)),
            modify_max_seconds=1500.0,
            modify_seed=seed,
        ),
        variants=variants,
        direct=operation is Operation.MIGRATE_RBAC_TO_AUTH
        and mode == "theirs"
        and random.Random(f"direct {seed}").random() < 0.2,
    )


# --- Making it in the model -----------------------------------------------------------------------------------------


def make(aws: Aws, scene: Scene) -> None:
    """Make what the scene tells of."""
    _make_group(aws, scene)
    _make_secret(aws, scene)
    _make_users(aws, scene)
    group = aws.group(GROUP)
    slots: tuple[str | None, ...] = tuple(map(scene.token, scene.names))
    match scene.mode:
        case "open" | "optional":
            group.access = AccessState((None, *slots))
        case "required" | "rotating":
            group.access = AccessState(slots)
        case kind:
            group.access = AccessState((), ({"theirs": THEIRS, "own": OWN, "anyone": ANYONE}[kind],))
    group.tls = TlsMode(scene.tls)
    if group.access.token_on:
        moment = aws.clock.now - scene.age_days * _DAY
        group.token_date = datetime.datetime.fromtimestamp(round(moment, 3), datetime.UTC)
    aws.nodes.set_tls(group.key, group.tls)
    aws.world.enforce(aws.store, group)
    _make_record(aws, scene)
    aws.world.record(group, "scene")
    aws.nodes.reachable = scene.heard


def _make_group(aws: Aws, scene: Scene) -> None:
    layout = {"NumNodeGroups": 2, "ReplicasPerNodeGroup": 1} if scene.clustered else {"NumCacheClusters": 2}
    aws.carry_out(
        "elasticache",
        "CreateReplicationGroup",
        {
            "ReplicationGroupId": GROUP,
            "ReplicationGroupDescription": "simulated",
            "Engine": scene.engine,
            "TransitEncryptionEnabled": True,
            **layout,
        },
    )
    aws.clock.sleep(scene.timing.create_seconds + 1)


def _make_secret(aws: Aws, scene: Scene) -> None:
    stored = scene.stored
    if not stored:
        return
    aws.carry_out("secretsmanager", "CreateSecret", {"Name": SECRET})
    versions: dict[str, list[str]] = {}
    for stage, name in stored.items():
        versions.setdefault(name, []).append(stage)
    for name, stages in versions.items():
        add_version(aws, scene, scene.token(name), stages, version_of(name))


def version_of(name: str) -> str:
    """Return the id of the version that holds a token, by name, in a scene."""
    return f"00000000-0000-4000-8000-{sum(ord(letter) << 8 * at for at, letter in enumerate(name or '_')):012x}"


def add_version(aws: Aws, scene: Scene, token: str, stages: list[str], version: str) -> None:
    """Put a version into the secret as it is told; no label moves but these."""
    secret: Any = aws.secrets.secrets[SECRET]
    for one in secret.versions.values():
        one["version_stages"] = [stage for stage in one["version_stages"] if stage not in stages]
    secret.versions[version] = {
        "createdate": int(aws.clock.now),
        "version_id": version,
        "version_stages": list(stages),
        "secret_string": scene.text(token),
    }
    if CURRENT in stages:
        secret.default_version_id = version


def _make_users(aws: Aws, scene: Scene) -> None:
    """Make the user group that decides, and somebody else's that may come to."""

    def user(key: str, name: str, passwords: tuple[str, ...]) -> None:
        given = {"UserId": key, "UserName": name, "Engine": "redis", "AccessString": "on ~* &* +@all"}
        aws.carry_out("elasticache", "CreateUser", {**given, "Passwords": list(passwords)})

    def user_group(key: str, *users: str) -> None:
        aws.carry_out("elasticache", "CreateUserGroup", {"UserGroupId": key, "Engine": "redis", "UserIds": list(users)})

    user(FOREIGN_DEFAULT, "default", (scene.token("foreign"),))
    user_group(FOREIGN, FOREIGN_DEFAULT)
    if scene.mode == "theirs":
        user(THEIR_DEFAULT, "default", tuple(map(scene.token, scene.names or ("theirs",))))
        user("their-app", "app", (scene.token("app"),))
        user_group(THEIRS, THEIR_DEFAULT, "their-app")
    elif scene.mode == "own":
        user(OWN, "default", tuple(map(scene.token, scene.names)))
        user_group(OWN, OWN)
    elif scene.mode == "anyone":
        user_group(ANYONE, "default")
    aws.clock.sleep(scene.timing.create_seconds + 1)
    if scene.direct:
        given: dict[str, Any] = {"ReplicationGroupId": NEIGHBOUR, "ReplicationGroupDescription": "neighbour"}
        given |= {
            "Engine": scene.engine,
            "NumCacheClusters": 1,
            "TransitEncryptionEnabled": True,
            "UserGroupIds": [THEIRS],
        }
        aws.carry_out("elasticache", "CreateReplicationGroup", given)
        aws.clock.sleep(scene.timing.create_seconds + 1)


def _make_record(aws: Aws, scene: Scene) -> None:
    group = aws.group(GROUP)
    if scene.record == "missing":
        return
    if scene.record in ("nothing", "garbage"):
        group.tags[record.TAG_KEY] = record.NOTHING if scene.record == "nothing" else "v1 required"
        return
    entry = _entry(scene, group.token_date, aws.clock.now)
    if entry is not None:
        group.tags[record.TAG_KEY] = record.encode(entry)


def _entry(scene: Scene, date: datetime.datetime | None, now: float) -> record.Entry | None:
    """Return the record that a run has left; ``None`` where none leaves one there."""
    refs = [_reference(scene, name, number) for number, name in enumerate(scene.names)]
    state = {
        "open": lambda: states.OPEN,
        "optional": lambda: states.optional(refs[0]),
        "required": lambda: states.required(refs[0]),
        "rotating": lambda: states.rotating(*refs),
        "theirs": lambda: states.rbac(THEIRS),
        "own": lambda: states.rbac(OWN),
        "anyone": lambda: states.rbac(ANYONE),
    }[scene.mode]()
    seen = date.isoformat() if date else None
    earlier = "2026-01-01T12:00:00.123000+00:00"
    written = int(date.timestamp() if date else now - _DAY)
    match scene.record:
        case "right":
            return record.Entry(state, None, seen, written)
        case "older":
            return record.Entry(states.required(f"v.{version_of('z')}"), None, earlier, written - 3600)
        case "announced":
            kind = CallKind.REMOVE_AND_ROTATE if state.mode is states.Mode.RBAC else CallKind.ROTATE
            token = next((name for name in ("b", "a") if name in scene.stored.values()), "")
            if not token or f"v.{version_of(token)}" in refs:
                return record.Entry(state, None, seen, written)
            return record.Entry(state, Call(kind, f"v.{version_of(token)}"), seen, written)
    before = _before(state)
    return record.Entry(before[0], before[1], earlier if before[0].tokens else None, written - 5) if before else None


def _reference(scene: Scene, name: str, number: int) -> str:
    """Return a token's name in the record: one that no secret holds was given by value, or was not at hand at all."""
    if name in scene.stored.values():
        return f"v.{version_of(name)}"
    return UNKNOWN_TOKENS[number] if scene.record == "announced" else record.reference(scene.token(name))


def _before(state: State) -> tuple[State, Call] | None:
    """Return a state and a call that leads from there to ``state``."""
    other = f"v.{version_of('z')}"
    match state.mode:
        case states.Mode.OPTIONAL:
            return states.OPEN, Call(CallKind.ROTATE, state.tokens[0])
        case states.Mode.REQUIRED if state.tokens[0] != other:
            return states.rotating(other, state.tokens[0]), Call(CallKind.SET, state.tokens[0])
        case states.Mode.ROTATING:
            return states.required(state.tokens[0]), Call(CallKind.ROTATE, state.tokens[1])
        case states.Mode.RBAC:
            return states.required(other), Call(CallKind.DELETE, user_groups=state.user_groups)
    return None
