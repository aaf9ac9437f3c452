# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A world for the operations: one group, its secret, its user groups and its clients, and what each step does to them.

Written from what the roles do and from elasticache-facts; AWS itself is ``aws_model.py`` beside this, with everything
refused that nobody has shown. A token's name serves as its value here; the planner knows it by its staging label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from unit.plugins.module_utils._core import aws_model

from ansible_collections.elasticache.auth.plugins.module_utils._core import operations, states
from ansible_collections.elasticache.auth.plugins.module_utils._core.operations import (
    Operation,
    Phase,
    Step,
    Store,
    Terms,
)

CURRENT, PENDING, PREVIOUS, MARK = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS", "elasticache.auth/abandoned"
#: The user group that an operation makes, the one that accepts everyone, and one of the user's.
OWN, ANYONE, THEIRS = "own", "anyone", "theirs"
GIVEN, GIVEN_BEFORE = "given", "previous token"
NONE: str | None = None


class StepFailedError(Exception):
    """A module or AWS refuses what a step does."""


@dataclass(frozen=True)
class Secret:
    """Versions by number, ``""``: one that says that there is no token; ``labels`` puts a staging label on a number."""

    versions: tuple[str, ...] = ()
    labels: tuple[tuple[str, int], ...] = ()
    keyed: bool = True

    @property
    def at(self) -> dict[str, int]:
        return dict(self.labels)

    def value(self, label: str) -> str | None:
        number = self.at.get(label)
        return None if number is None else self.versions[number]

    def put(self, value: str, *stages: str) -> Secret:
        secret = replace(self, versions=(*self.versions, value))
        for stage in stages:
            secret = secret.move(stage, len(self.versions))
        return secret

    def move(self, label: str, number: int) -> Secret:
        """Secrets Manager puts AWSPREVIOUS on the version that AWSCURRENT leaves."""
        labels = self.at
        if label == CURRENT and CURRENT in labels and labels[CURRENT] != number:
            labels[PREVIOUS] = labels[CURRENT]
        labels[label] = number
        return replace(self, labels=tuple(sorted(labels.items())))

    def off(self, label: str) -> Secret:
        return replace(self, labels=tuple(one for one in self.labels if one[0] != label))


def secret(*, keyed: bool = True, **at: str) -> Secret:
    """Return a secret with a version for each value; the labels by the names of those above, in lower case."""
    made = Secret(keyed=keyed)
    numbers: dict[str, int] = {}
    names = {"current": CURRENT, "pending": PENDING, "previous": PREVIOUS, "mark": MARK}
    for name, value in at.items():
        if value not in numbers:
            numbers[value] = len(made.versions)
            made = made.put(value)
        made = replace(made, labels=tuple(sorted((*made.labels, (names[name], numbers[value])))))
    return made


@dataclass(frozen=True)
class World:
    """``own``, ``theirs``: the tokens that are accepted as those of the user named default of that user group.

    ``bridge``: the passwords of the bridge user, ``None`` where there is none; ``bridged``: the user group in which it
    has the place of the user named default; ``no_bridge``: it can have none. ``moved``: by the record, clients had
    moved before ROTATE.
    ``own``, ``user``: ``None`` where there is none (yet). ``supplied``: the tokens supplied, the previous one first, in
    the place of a secret. ``clients``: what the clients present: those before their cutover, and those that
    came since and read AWSCURRENT. ``plain``: some connect without TLS.
    """

    group: aws_model.Group
    secret: Secret = field(default_factory=Secret)
    clients: frozenset[str | None] = frozenset()
    tls: str = "required"
    plain: bool = False
    age: float = 100.0
    own: bool = False
    user: frozenset[str] | None = None
    anyone: bool = False
    theirs: frozenset[str] = frozenset()
    bridge: frozenset[str] | None = None
    bridged: str = ""
    no_bridge: bool = False
    moved: bool = False
    supplied: tuple[str, str] | None = None

    def serves(self, credential: str | None) -> bool:
        """Whether a client that presents ``credential`` (``None``: nothing) is served."""
        if not self.group.user_groups:
            return self.group.anyone if credential is None else credential in self.group.tokens
        if self.group.user_groups == {self.bridged}:
            return credential in (self.bridge or frozenset())
        if self.group.user_groups == {ANYONE}:
            return credential is None
        inside = (self.user or frozenset()) if self.group.user_groups == {OWN} else self.theirs
        return credential in inside

    @property
    def in_force(self) -> frozenset[str]:
        """The tokens of ours that are accepted."""
        if self.group.user_groups == {OWN}:
            return self.user or frozenset()
        return (self.bridge or frozenset()) if self.group.user_groups == {self.bridged} else self.group.tokens

    @property
    def truth(self) -> str | None:
        """The credential that clients are told to use; ``""`` is none."""
        return self.supplied[1] if self.supplied else self.secret.value(CURRENT)


# --- What the planner sees


def seen(world: World, operation: Operation, phase: Phase, *, heard: bool) -> tuple[states.State, Store, Terms]:
    """Return what the planner is told of ``world``; ``heard``: the nodes answer where user groups decide."""
    names, store = _store(world)
    group = replace(world.group, slots=tuple(names.get(slot, slot) if slot else slot for slot in world.group.slots))
    # What the bridge user accepts is on record.
    bridged = bool(world.bridged) and world.group.user_groups == {world.bridged}
    told = bool(world.group.user_groups) and (heard or bridged)
    rbac_tokens = {name for value, name in names.items() if told and world.serves(value)}
    refused = {name for value, name in names.items() if told and not world.serves(value)}
    terms = Terms(
        phase=phase,
        tls=world.tls,
        age=world.age,
        enable_tls=True,
        accept_open_window=True,
        accept_open_access=True,
        user_group_id=OWN,
        open_user_group_id=ANYONE,
        rbac_tokens=frozenset(rbac_tokens),
        refused=frozenset(refused),
        leftovers=world.bridge is not None
        if operation is Operation.MIGRATE_RBAC_TO_AUTH
        else operation is not Operation.MIGRATE_AUTH_TO_RBAC and (world.own or world.anyone or world.user is not None),
        moved=world.moved,
        bridged=bridged,
        no_bridge="the user group also serves others" if world.no_bridge else "",
        # Clients without a password are served by that user, so that the caller has them move as they are.
        ends_unauthenticated="clients are refused" if world.group.user_groups == {ANYONE} and not bridged else "",
        allow_direct=world.no_bridge or world.group.user_groups == {ANYONE},
    )
    return aws_model.state_of(group), store, terms


def _store(world: World) -> tuple[dict[str, str], Store]:
    """Return the planner's names by value, the first label of a value being its name, and the store by those names."""
    if world.supplied:
        previous, given = world.supplied
        names = {given: GIVEN, **({previous: GIVEN_BEFORE} if previous else {})}
        return names, Store(names[previous] if previous else "", GIVEN, kept=False, can_be_empty=False)
    names = {}
    for label in (CURRENT, PENDING, PREVIOUS):
        value = world.secret.value(label)
        if value:
            names.setdefault(value, label)
    at = {label: names.get(world.secret.value(label) or "", "") for label in (CURRENT, PENDING, PREVIOUS)}
    numbers = world.secret.at
    marked = numbers.get(MARK)
    abandoned = ""
    if marked is not None:
        abandoned = operations.GIVEN_UP_DONE
        if marked == numbers.get(CURRENT):
            abandoned = operations.GIVEN_UP_BEFORE
        elif marked == numbers.get(PREVIOUS):
            abandoned = operations.GIVEN_UP_AFTER
    return names, Store(
        current=at[CURRENT],
        pending="" if at[PENDING] == at[CURRENT] else at[PENDING],
        previous="" if at[PREVIOUS] == at[CURRENT] else at[PREVIOUS],
        leftover=bool(at[PENDING]) and at[PENDING] == at[CURRENT],
        abandoned=abandoned,
        can_be_empty=world.secret.keyed,
        name="the/secret",
    )


def plan(world: World, operation: Operation, phase: Phase, *, heard: bool, **terms: object) -> operations.StepPlan:
    """Return what the planner says in ``world``. ``terms``: others than :func:`seen` has."""
    state, store, found = seen(world, operation, phase, heard=heard)
    if operation is Operation.MIGRATE_RBAC_TO_AUTH and world.bridged and not found.bridged and world.group.user_groups:
        raise operations.CannotProceed(f"the bridge user is in {world.bridged}, which the group no longer has")
    return operations.plan_steps(operation, "rg", [state], store, replace(found, **terms), str)  # type: ignore[arg-type]


# --- What the steps do: each yields the world after every single call


def carry_out(world: World, operation: Operation, step_plan: operations.StepPlan) -> Iterator[World]:
    """Make the steps of ``step_plan``; yields the world after each call and after each client cutover."""
    for _step, after in made(world, operation, step_plan):
        yield after


def made(world: World, operation: Operation, step_plan: operations.StepPlan) -> Iterator[tuple[Step, World]]:
    """Make the same, and yield each step besides."""
    steps = step_plan.steps
    for step in steps:
        if step in (Step.ROTATE, Step.ROTATE_CURRENT):
            moved = step is Step.ROTATE_CURRENT and Step.SET in steps and Step.CLIENT_CUTOVER not in steps
            world = replace(world, moved=moved)
        for after in _STEPS[step](world, operation, step_plan.keep):
            world = _restarted(world, after)
            yield step, world


def _restarted(before: World, after: World) -> World:
    """Some clients start anew whenever AWSCURRENT says something else, and take it at once."""
    if after.truth == before.truth or before.truth is None:
        return after  # a secret that has just been made has no readers yet
    return replace(after, clients=after.clients | {after.truth or NONE})


def take_turn(world: World, operation: Operation, step: Step) -> World:
    """The clients do what the client cutover asks of them."""
    if step is Step.CLIENT_CUTOVER_TLS:
        return replace(world, plain=False)
    if step is Step.CLIENT_CUTOVER_USERS:
        return world
    if operation is Operation.DISABLE_ACCESS_CONTROL and step is Step.CLIENT_CUTOVER:
        return replace(world, clients=frozenset({NONE}))
    return replace(world, clients=frozenset({world.truth or NONE}))


def _modify(world: World, request: Mapping[str, object]) -> World:
    """One ModifyReplicationGroup; whatever nobody has shown fails here, and the core's own account has to agree."""
    try:
        group = aws_model.modify(world.group, dict(request), aws_model.VARIANTS[0])
    except aws_model.Refused as error:
        raise StepFailedError(f"{request} in {world.group}: {error}") from error
    if world.tls != "required":
        raise StepFailedError("the AUTH token modification needs encryption in transit")
    return replace(world, group=group, age=0.0 if group.date != world.group.date else world.age)


def _token_call(world: World, token: str | None, strategy: str) -> Iterator[World]:
    if not token:
        raise StepFailedError(f"there is no token to {strategy}")
    request: dict[str, object] = {"AuthToken": token, "AuthTokenUpdateStrategy": strategy}
    if world.group.user_groups and strategy == "ROTATE":
        request["RemoveUserGroups"] = True
    yield _modify(world, request)


def _with_secret(world: World, changed: Secret) -> World:
    return replace(world, secret=changed)


def _turn(step: Step) -> Callable[[World, Operation, tuple[str, ...]], Iterator[World]]:
    def take(world: World, operation: Operation, keep: tuple[str, ...]) -> Iterator[World]:
        yield take_turn(world, operation, step)

    return take


def _tls(mode: str) -> Callable[[World, Operation, tuple[str, ...]], Iterator[World]]:
    def change(world: World, operation: Operation, keep: tuple[str, ...]) -> Iterator[World]:
        if world.group != aws_model.Group():
            raise StepFailedError("no TLS member is taken with access control on")
        if (world.tls, mode) not in (("off", "preferred"), ("preferred", "required")):
            raise StepFailedError(f"TLS {world.tls} to {mode}")
        yield replace(world, tls=mode)

    return change


def _stage(world: World, operation: Operation, keep: tuple[str, ...]) -> Iterator[World]:
    now = world.secret
    if operation is Operation.ROLLBACK_TOKEN:
        yield from _stage_previous(world)
        return
    if CURRENT not in now.at:
        if now.keyed:
            now = now.put("", CURRENT)
            yield _with_secret(world, now)
            yield _with_secret(world, now.put(_new_token(now), PENDING))
        else:
            yield _with_secret(world, now.put(_new_token(now), CURRENT, PENDING))
        return
    if PENDING in now.at:
        first = now.at[PENDING] == now.at[CURRENT] and PREVIOUS not in now.at
        if first or now.value(PENDING) != now.value(CURRENT):
            return  # a token is staged already
    if now.at.get(MARK) == now.at[CURRENT]:
        raise StepFailedError("half way back")
    yield _with_secret(world, now.put(_new_token(now), PENDING))


def _new_token(now: Secret) -> str:
    return f"new{len(now.versions)}"


def _stage_previous(world: World) -> Iterator[World]:
    now, at = world.secret, world.secret.at
    back = MARK in at and at[MARK] != at[CURRENT]
    if back and at.get(PREVIOUS) in (None, at[MARK]) and at.get(PENDING) in (None, at[CURRENT]):
        return  # it has gone back already
    if at.get(PENDING) not in (None, at.get(PREVIOUS)):
        raise StepFailedError("AWSPENDING holds another token than AWSPREVIOUS")
    if back or PREVIOUS not in at or now.value(PREVIOUS) in ("", now.value(CURRENT)):
        raise StepFailedError("nothing to go back to")
    if MARK not in at:
        now = now.move(MARK, at[CURRENT])
        yield _with_secret(world, now)
    if PENDING not in at:
        yield _with_secret(world, now.move(PENDING, at[PREVIOUS]))


def _promote(world: World, operation: Operation, keep: tuple[str, ...]) -> Iterator[World]:
    now, at = world.secret, world.secret.at
    if PENDING not in at:
        return
    if now.value(PENDING) != now.value(CURRENT):
        now = now.move(CURRENT, at[PENDING])
        yield _with_secret(world, now)
    yield _with_secret(world, now.off(PENDING))


def _clear(world: World, operation: Operation, keep: tuple[str, ...]) -> Iterator[World]:
    now, at = world.secret, world.secret.at
    if not now.keyed:
        raise StepFailedError("a bare secret can't say that there is no token")
    if at.get(PENDING) not in (None, at[CURRENT]):
        raise StepFailedError("AWSPENDING holds another version than AWSCURRENT")
    if now.value(CURRENT) == "":
        return
    if at.get(MARK) == at[CURRENT]:
        raise StepFailedError("half way back")
    if PENDING in at:
        now = now.off(PENDING)
        yield _with_secret(world, now)
    yield _with_secret(world, now.put("", CURRENT))


def _abandon(world: World, operation: Operation, keep: tuple[str, ...]) -> Iterator[World]:
    now, at = world.secret, world.secret.at
    if MARK not in at:
        return
    if at[MARK] in (at[CURRENT], at.get(PENDING)):
        raise StepFailedError("the version is in use")
    for label in (PREVIOUS, MARK):
        if at.get(label) == at[MARK]:
            now = now.off(label)
            yield _with_secret(world, now)


def _users(world: World, operation: Operation, keep: tuple[str, ...]) -> Iterator[World]:
    # The role reads them by their labels now, which may have moved since the plan was made.
    by_name = {name: value for value, name in _store(world)[0].items()} if world.supplied else {}
    tokens = {by_name.get(name) or world.secret.value(name) or "" for name in keep}
    if not 1 <= len(tokens) <= 2 or "" in tokens:
        raise StepFailedError(f"a user has one or two passwords, not {len(tokens)}")
    world = replace(world, user=frozenset(tokens))
    yield world
    yield replace(world, own=True)


def _bridge_user(world: World, operation: Operation, keep: tuple[str, ...]) -> Iterator[World]:
    if not world.group.user_groups or world.no_bridge:
        raise StepFailedError("there is no user group of the group's own")
    tokens = {world.supplied[1]} if world.supplied else {world.secret.value(PENDING) or world.secret.value(CURRENT)}
    if tokens & {None, ""}:
        raise StepFailedError("there is no token for the bridge user")
    world = replace(world, bridge=frozenset(filter(None, tokens)))
    yield world
    yield replace(world, bridged=min(world.group.user_groups))


def _verify_bridge_user(world: World, operation: Operation, keep: tuple[str, ...]) -> Iterator[World]:
    token = world.supplied[1] if world.supplied else world.secret.value(PENDING) or world.secret.value(CURRENT)
    if not world.group.user_groups or not (world.serves(token) or world.serves(world.truth)):
        raise StepFailedError("the token is not accepted while user groups decide")
    yield world


def _restore_user_group(world: World, operation: Operation, keep: tuple[str, ...]) -> Iterator[World]:
    if world.group.user_groups == {world.bridged}:
        raise StepFailedError("the user group decides still")
    if world.bridged:
        world = replace(world, bridged="")
        yield world
    yield replace(world, bridge=None)


def _attach(world: World, operation: Operation, keep: tuple[str, ...]) -> Iterator[World]:
    if not world.own:
        raise StepFailedError("there is no user group to attach")
    yield _modify(world, {"AuthTokenUpdateStrategy": "DELETE", "UserGroupIdsToAdd": [OWN]})


def _attach_open(world: World, operation: Operation, keep: tuple[str, ...]) -> Iterator[World]:
    world = replace(world, anyone=True)
    yield world
    yield _modify(world, {"AuthTokenUpdateStrategy": "DELETE", "UserGroupIdsToAdd": [ANYONE]})


def _detach(world: World, operation: Operation, keep: tuple[str, ...]) -> Iterator[World]:
    yield _modify(world, {"UserGroupIdsToRemove": sorted(world.group.user_groups)})


def _clean_up(world: World, operation: Operation, keep: tuple[str, ...]) -> Iterator[World]:
    if world.group.user_groups & {OWN, ANYONE}:
        raise StepFailedError("the user group decides still")
    for without in ({"anyone": False}, {"own": False}, {"user": None}):
        changed = replace(world, **without)
        if changed != world:
            world = changed
            yield world


def _rotate(world: World, operation: Operation, keep: tuple[str, ...]) -> Iterator[World]:
    yield from _token_call(world, world.supplied[1] if world.supplied else world.secret.value(PENDING), "ROTATE")


def _rotate_current(world: World, operation: Operation, keep: tuple[str, ...]) -> Iterator[World]:
    yield from _token_call(world, world.truth, "ROTATE")


def _set(world: World, operation: Operation, keep: tuple[str, ...]) -> Iterator[World]:
    yield from _token_call(world, world.truth, "SET")


def _prove(world: World, operation: Operation, keep: tuple[str, ...]) -> Iterator[World]:
    pending = world.supplied[1] if world.supplied else world.secret.value(PENDING)
    if not pending or not world.serves(pending):
        raise StepFailedError("the token in AWSPENDING is not accepted")
    yield world


def _prove_alone(world: World, operation: Operation, keep: tuple[str, ...]) -> Iterator[World]:
    if world.group.slots != (world.truth,):
        raise StepFailedError(f"{world.group} accepts more, or other, than {world.truth}")
    yield world


def _monitor(world: World, operation: Operation, keep: tuple[str, ...]) -> Iterator[World]:
    if world.group.slots != (world.truth,):
        raise StepFailedError(f"{world.group} still accepts others, whom nobody would miss")
    yield world


_STEPS: Mapping[Step, Callable[[World, Operation, tuple[str, ...]], Iterator[World]]] = {
    **{step: _turn(step) for step in operations.CUTOVERS},
    Step.PREFER_TLS: _tls("preferred"),
    Step.REQUIRE_TLS: _tls("required"),
    Step.PROMOTE_PENDING: _promote,
    Step.STAGE: _stage,
    Step.USERS: _users,
    Step.ATTACH: _attach,
    Step.PROMOTE_OLDER: _promote,
    Step.ROTATE: _rotate,
    Step.ROTATE_CURRENT: _rotate_current,
    Step.VERIFY_BOTH: _prove,
    Step.PROMOTE: _promote,
    Step.CLEAR: _clear,
    Step.SET: _set,
    Step.VERIFY_NEW_ONLY: _prove_alone,
    Step.ATTACH_OPEN: _attach_open,
    Step.REMOVE_USER_GROUPS: _detach,
    Step.MONITOR: _monitor,
    Step.RETIRE_VERSION: _abandon,
    Step.CLEAN_UP: _clean_up,
    Step.BRIDGE_USER: _bridge_user,
    Step.VERIFY_BRIDGE_USER: _verify_bridge_user,
    Step.RESTORE_USER_GROUP: _restore_user_group,
}
