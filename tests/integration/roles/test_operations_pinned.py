# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What each operation does, seen from outside, in literals: the changing calls of a group in their order, the recap,
and the run file's JSON; and a second run that changes nothing.

These are pins. A change of what an operation does is a change of this table, and its commit says why; a change of a
name in the run file is one of ``FIELDS`` or ``STEPS``. The order of calls among groups is not pinned.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.plans import sent, written
from integration.role_scenes import RoleRun, promote, put_token, run_role, version_ids
from integration.role_states import half_rotated, open_group, plain_group, rbac_group, required, rotated
from integration.scenes import GROUP, A, B, create, scene

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.05)

GROUPS = (GROUP, "carts")

# --- The names of today: a rename is an edit here ---------------------------------------------------------------------

#: What the run file's path is called in a role's variables.
PATH_VARIABLE = "report_path"
#: The keys of the run file, of a group's entry and of a step in it.
FIELDS = {
    # the file
    "version": "schema",
    "operation": "operation",
    "began": "began_at",
    "written": "written_at",
    "groups": "groups",
    "waiting": "waiting",
    "run": "run",
    "hosts": "hosts",
    # an entry
    "id": "replication_group_id",
    "region": "region",
    "role": "assume_role_arn",
    "wave": "wave",
    "outcome": "outcome",
    "changed": "changed",
    "failed": "failed",
    "before": "initial_state",
    "after": "current_state",
    "evidence": "evidence_summary",
    "message": "msg",
    "calls": "api_calls",
    "steps": "step_results",
    "exposure": "exposure_seconds",
    "open since": "open_since",
    "secret": "secret_name",
    "losing": "users",
    "planned": "planned_steps",
    "planned calls": "planned_calls",
    "completed": "completed_steps",
    "cutover": "cutover_stage",
    "line": "line",
    "verified": "verified_nodes",
    # a step
    "name": "step",
    "duration": "duration",
    "called": "called_at",
    "done": "done_at",
}
#: The steps, by the names that the table has for them.
STEPS = {
    "stage": "stage",
    "rotate": "rotate",
    "rotate_current": "rotate_current",
    "promote": "promote",
    "promote_pending": "promote_pending",
    "set": "set",
    "retire_version": "retire_version",
    "clear": "clear",
    "prefer_tls": "prefer_tls",
    "require_tls": "require_tls",
    "users": "users",
    "attach": "attach",
    "promote_older": "promote_older",
    "clean_up": "clean_up",
    "attach_open": "attach_open",
    "detach": "remove_user_groups",
    "bridge_user": "bridge_user",
    "restore": "restore_user_group",
}


def shape(**types: str) -> dict[str, str]:
    """The types of fields, by the names that these have."""
    return {FIELDS[name]: kind for name, kind in types.items()}


FILE = shape(
    version="int",
    operation="str",
    run="str",
    began="str",
    written="str",
    wave="int",
    hosts="list",
    waiting="list",
    groups="list",
)
ENTRY = shape(
    id="str",
    region="NoneType",
    role="NoneType",
    wave="int",
    outcome="str",
    changed="bool",
    failed="bool",
    before="str",
    evidence="str",
    message="str",
    calls="list",
    steps="list",
    after="str",
    secret="str",
    losing="list",
    planned="list",
    completed="list",
    cutover="NoneType",
    line="str",
    duration="float",
    verified="int",
    **{"planned calls": "list"},
)
STEP = shape(name="str", changed="bool", failed="bool", duration="float")
#: What only a step has that changes the access of a group, and their names.
STEP_ON_GROUP = shape(called="float", done="float")
ON_GROUP = {"rotate", "rotate_current", "set", "attach", "attach_open"}
#: What is called, but not told of.
UNTOLD = "elasticache:AddTagsToResource"

# --- The calls; {group} is the group's id -----------------------------------------------------------------------------


def _call(action: str, **members: str | list[str]) -> str:
    return written(action, {name: [value] if isinstance(value, str) else value for name, value in members.items()})


def _modify(**members: str) -> str:
    return _call("elasticache:ModifyReplicationGroup", ReplicationGroupId="{group}", ApplyImmediately="true", **members)


def _token(strategy: str, **members: str) -> str:
    return _modify(AuthToken="********", AuthTokenUpdateStrategy=strategy, **members)


def _attach(user_group: str) -> str:
    return _modify(AuthTokenUpdateStrategy="DELETE", UserGroupIdsToAdd=user_group)


def _secret(action: str, **members: str) -> str:
    return _call(f"secretsmanager:{action}", SecretId=SECRET, **members)


def _label(stage: str, **members: str) -> str:
    versions = {f"{name}VersionId": f"that of {label}" for name, label in members.items()}
    return _secret("UpdateSecretVersionStage", VersionStage=stage, **versions)


def _user(key: str, passwords: int, tags: str | list[str] = "elasticache.auth/passwords") -> str:
    mode: dict[str, str | list[str]] = {
        "AuthenticationMode.Type": "password",
        "AuthenticationMode.Passwords": ["********"] * passwords,
    }
    return _call(
        "elasticache:CreateUser",
        UserId=key,
        UserName="default",
        Engine="valkey",
        AccessString="on ~* &* +@all",
        Tags=tags,
        **mode,
    )


def _user_group(key: str, user: str, engine: str = "valkey") -> str:
    return _call("elasticache:CreateUserGroup", UserGroupId=key, Engine=engine, UserIds=user)


SECRET = "elasticache/{group}/auth-token"
GIVEN_UP = "elasticache.auth/abandoned"
RECORD = _call("elasticache:AddTagsToResource", ResourceName="replicationgroup:{group}", Tags="elasticache.auth/record")

CREATE_SECRET = _call("secretsmanager:CreateSecret", Name=SECRET, SecretString="********")
STAGE = _secret("PutSecretValue", SecretString="********", VersionStages="AWSPENDING")
PROMOTE = (
    _label("AWSCURRENT", MoveTo="AWSPENDING", RemoveFrom="AWSCURRENT"),
    _label("AWSPENDING", RemoveFrom="AWSCURRENT and AWSPENDING"),
)
STAGE_PREVIOUS = (
    _label(GIVEN_UP, MoveTo="AWSCURRENT"),
    _label("AWSPENDING", MoveTo="AWSPREVIOUS"),
)
PROMOTE_PREVIOUS = (
    _label("AWSCURRENT", MoveTo="AWSPENDING and AWSPREVIOUS", RemoveFrom=f"AWSCURRENT and {GIVEN_UP}"),
    _label("AWSPENDING", RemoveFrom="AWSCURRENT and AWSPENDING"),
)
RETIRE = (
    _label("AWSPREVIOUS", RemoveFrom=f"AWSPREVIOUS and {GIVEN_UP}"),
    _label(GIVEN_UP, RemoveFrom=GIVEN_UP),
)
CLEAR = _secret("PutSecretValue", SecretString="********", VersionStages="AWSCURRENT")

BRIDGE = (
    _user("{group}-bridge", passwords=1, tags=["elasticache.auth/bridge", "elasticache.auth/passwords"]),
    _call(
        "elasticache:ModifyUserGroup",
        UserGroupId="ug-{group}",
        UserIdsToAdd="{group}-bridge",
        UserIdsToRemove="ug-{group}-user",
    ),
)
RESTORE = (
    _call(
        "elasticache:ModifyUserGroup",
        UserGroupId="ug-{group}",
        UserIdsToAdd="ug-{group}-user",
        UserIdsToRemove="{group}-bridge",
    ),
    _call("elasticache:DeleteUser", UserId="{group}-bridge"),
)

ROTATE, SET = _token("ROTATE"), _token("SET")
LEAVE_RBAC = _token("ROTATE", RemoveUserGroups="true")
ENABLE_TLS = (
    _modify(TransitEncryptionEnabled="true", TransitEncryptionMode="preferred"),
    _modify(TransitEncryptionMode="required"),
)
#: Nothing decides who is accepted any more, by a user group that accepts everyone.
OPEN = (
    _user_group("{group}-open", "default", "redis"),
    RECORD,
    _attach("{group}-open"),
    RECORD,
    _modify(UserGroupIdsToRemove="{group}-open"),
    _call("elasticache:DeleteUserGroup", UserGroupId="{group}-open"),
)


def _tidy(key: str) -> tuple[str, str]:
    return _call("elasticache:DeleteUserGroup", UserGroupId=key), _call("elasticache:DeleteUser", UserId=key)


# --- The operations ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pinned:
    """An operation from where ``prepare`` leaves each group.

    ``calls``: of each group, in order. ``changed``: the recap's number of changed tasks. ``steps``: those that the run
    file tells of, all of which changed something. ``before``, ``after`` and ``settled``: the state, as the run file has
    it at the begin, at the end, and at the begin of a second run. ``exposure``: the type of the time for which
    unauthenticated access was allowed, in the first run and in the second, where that is told at all.
    """

    operation: str
    prepare: Callable[[Emulator, str], object]
    calls: tuple[str, ...]
    changed: int
    steps: tuple[str, ...]
    before: str
    after: str
    settled: str
    evidence: str = "the API, the answers of 2 of 2 nodes"
    exposure: tuple[str, str] | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)


def with_token(emulator: Emulator, group: str) -> None:
    required(emulator, True, group)


def with_user_group_and_secret(emulator: Emulator, group: str) -> None:
    put_token(emulator, A, group=group)
    rbac_group(emulator, group)


def shared_user_group(emulator: Emulator, group: str) -> None:
    """Its user group serves another group besides, so that there can be no bridge user."""
    rbac_group(emulator, group)
    create(emulator, f"{group}-beside", UserGroupIds=[f"ug-{group}"])


def with_two_tokens(emulator: Emulator, group: str) -> None:
    """Promoted, but not SET; there is no record."""
    put_token(emulator, A, B, group)
    promote(emulator, group)
    scene(emulator, "rotating", group)


def after_rotation(emulator: Emulator, group: str) -> None:
    rotated(emulator, True, group)


CURRENT = "the token in AWSCURRENT"
REQUIRED = f"required ({CURRENT})"
OLDER, NEWER = "the token in AWSPREVIOUS", CURRENT
ROTATION = ("stage", "rotate", "promote", "set")
CREATING: Mapping[str, Any] = {"create_secret": True}

PINNED: Mapping[str, Pinned] = {
    "rotate": Pinned(
        "rotate_token",
        with_token,
        (STAGE, RECORD, ROTATE, *PROMOTE, RECORD, SET, RECORD),
        changed=2,
        steps=ROTATION,
        before=REQUIRED,
        after=REQUIRED,
        settled=REQUIRED,
    ),
    "back-half-way": Pinned(
        "rollback_token",
        half_rotated,
        (
            *PROMOTE,
            *STAGE_PREVIOUS,
            _user("{group}-keeping", passwords=2),
            _user_group("{group}-keeping", "{group}-keeping"),
            RECORD,
            _attach("{group}-keeping"),
            RECORD,
            *PROMOTE_PREVIOUS,
            RECORD,
            LEAVE_RBAC,
            RECORD,
            SET,
            RECORD,
            *RETIRE,
            *_tidy("{group}-keeping"),
        ),
        changed=2,
        steps=(
            "promote_pending",
            "stage",
            "users",
            "attach",
            "promote_older",
            "rotate_current",
            "set",
            "retire_version",
            "clean_up",
        ),
        before=f"rotating ({CURRENT}, then the token in AWSPENDING)",
        after=REQUIRED,
        settled=REQUIRED,
        evidence="the API, the answers of 2 of 2 nodes, the record in its tags",
        exposure=("float", "NoneType"),
        variables={"accept_open_window": True},
    ),
    "back-from-the-end": Pinned(
        "rollback_token",
        after_rotation,
        (*STAGE_PREVIOUS, RECORD, ROTATE, *PROMOTE_PREVIOUS, RECORD, SET, RECORD, *RETIRE),
        changed=2,
        steps=(*ROTATION, "retire_version"),
        before=REQUIRED,
        after=REQUIRED,
        settled=REQUIRED,
        exposure=("NoneType", "NoneType"),
    ),
    "enable-auth": Pinned(
        "enable_auth",
        open_group,
        (CREATE_SECRET, STAGE, RECORD, ROTATE, *PROMOTE, RECORD, SET, RECORD),
        changed=2,
        steps=ROTATION,
        before="open",
        after=REQUIRED,
        settled=REQUIRED,
        variables=CREATING,
    ),
    "enable-auth-and-tls": Pinned(
        "enable_auth",
        plain_group,
        (*ENABLE_TLS, CREATE_SECRET, STAGE, RECORD, ROTATE, *PROMOTE, RECORD, SET, RECORD),
        changed=2,
        steps=("prefer_tls", "require_tls", *ROTATION),
        before="open, encryption in transit off",
        after=REQUIRED,
        settled=REQUIRED,
        evidence="the API",
        variables={**CREATING, "enable_tls": True},
    ),
    "enable-tls": Pinned(
        "enable_tls",
        plain_group,
        ENABLE_TLS,
        changed=2,
        steps=("prefer_tls", "require_tls"),
        before="encryption in transit off",
        after="encryption in transit required",
        settled="encryption in transit required",
        evidence="the API",
    ),
    "auth-to-rbac": Pinned(
        "migrate_auth_to_rbac",
        with_two_tokens,
        (
            _user("{group}-default", passwords=2),
            _user_group("{group}-users", "{group}-default"),
            _attach("{group}-users"),  # without a record ahead: which token is the newer one is not known
            RECORD,
        ),
        changed=2,
        steps=("users", "attach"),
        before=f"rotating ({NEWER}, then {OLDER}) or rotating ({OLDER}, then {NEWER})",
        after="rbac ({group}-users)",
        settled="rbac ({group}-users)",
    ),
    "rbac-to-auth": Pinned(
        "migrate_rbac_to_auth",
        rbac_group,
        (CREATE_SECRET, STAGE, *BRIDGE, *PROMOTE, RECORD, LEAVE_RBAC, RECORD, SET, RECORD, *RESTORE),
        changed=2,
        steps=("stage", "bridge_user", "promote", "rotate_current", "set", "restore"),
        before="rbac (ug-{group})",
        after=REQUIRED,
        settled=REQUIRED,
        exposure=("float", "NoneType"),
        variables={**CREATING, "accept_open_window": True},
    ),
    "rbac-to-auth-directly": Pinned(
        "migrate_rbac_to_auth",
        shared_user_group,
        (CREATE_SECRET, STAGE, RECORD, LEAVE_RBAC, *PROMOTE, RECORD, SET, RECORD),
        changed=2,
        steps=ROTATION,
        before="rbac (ug-{group})",
        after=REQUIRED,
        settled=REQUIRED,
        exposure=("float", "NoneType"),
        variables={**CREATING, "accept_open_window": True, "allow_direct": True},
    ),
    "disable-auth": Pinned(
        "disable_access_control",
        with_token,
        (
            _user("{group}-leaving", passwords=1),
            _user_group("{group}-leaving", "{group}-leaving"),
            RECORD,
            _attach("{group}-leaving"),
            RECORD,
            RECORD,
            LEAVE_RBAC,
            RECORD,
            CLEAR,
            *OPEN,
            *_tidy("{group}-leaving"),
        ),
        changed=2,
        steps=("users", "attach", "rotate_current", "clear", "attach_open", "detach", "clean_up"),
        before=REQUIRED,
        after="open, encryption in transit required",
        settled="open",
        variables={"accept_open_access": True},
    ),
    "disable-rbac": Pinned(
        "disable_access_control",
        with_user_group_and_secret,
        (RECORD, LEAVE_RBAC, RECORD, CLEAR, *OPEN),
        changed=2,
        steps=("rotate_current", "clear", "attach_open", "detach", "clean_up"),
        before="rbac (ug-{group})",
        after="open, encryption in transit required",
        settled="open",
        variables={"accept_open_access": True},
    ),
}


@pytest.mark.parametrize("name", PINNED)
def test_an_operation_and_a_second_run(emulator: Emulator, name: str, tmp_path: Path) -> None:
    it = PINNED[name]
    for group in GROUPS:
        it.prepare(emulator, group)
    labels = {group: version_ids(emulator, group) for group in GROUPS}

    ran, entries = _run(emulator, it, tmp_path / "first.json")
    for group in GROUPS:
        assert _calls_of(ran, group, labels[group]) == list(it.calls), group
    assert len(ran.mutating) == len(GROUPS) * len(it.calls), "calls about none of the groups"
    assert _recap(ran) == {"localhost": (it.changed, 0)}
    told = [call.split("(")[0] for call in it.calls]
    for entry in entries:
        assert _shape(entry) == {**ENTRY, **_secret_type(it), **_exposure(it, 0), **_connections(it)}
        assert _values(entry) == {
            **_told(changed=True),
            "before": it.before,
            "after": it.after,
            "evidence": it.evidence,
            "calls": [action.split(":")[1] for action in told if action != UNTOLD],
            "steps": [STEPS[step] for step in it.steps],
            "planned": entry[FIELDS["planned"]],
            "completed": [step for step in entry[FIELDS["planned"]] if step in entry[FIELDS["completed"]]],
        }
        assert entry[FIELDS["completed"]] == entry[FIELDS["planned"]]
        assert bool(entry[FIELDS["verified"]]) == ("verify_new_only" in entry[FIELDS["completed"]])
        assert entry[FIELDS["planned calls"]] == told
        assert entry[FIELDS["cutover"]] is None
        for step, pinned in zip(entry[FIELDS["steps"]], it.steps, strict=True):
            assert _shape(step) == {**STEP, **(STEP_ON_GROUP if pinned in ON_GROUP else {})}
            assert (step[FIELDS["changed"]], step[FIELDS["failed"]]) == (True, False)

    again, entries = _run(emulator, it, tmp_path / "second.json")
    assert again.mutating == []
    assert _recap(again) == {"localhost": (0, 0)}
    for entry in entries:
        assert _shape(entry) == {**ENTRY, **_secret_type(it), **_exposure(it, 1)}
        values = _values(entry)
        assert values.pop("evidence").startswith("the API")
        assert values == {
            **_told(changed=False),
            **dict.fromkeys(("before", "after"), it.settled),
            **{name: [] for name in ("calls", "steps", "planned", "completed")},
        }


def _run(emulator: Emulator, it: Pinned, path: Path) -> tuple[RoleRun, list[dict[str, Any]]]:
    """Run the operation on all groups; returns what came of it, and the groups' entries of the run file.

    Fails the test where the run fails, or where the file is not as it has to be around the entries.
    """
    variables: dict[str, Any] = {**it.variables, PATH_VARIABLE: str(path)}
    ran = run_role(emulator, it.operation, groups=GROUPS, soak=0, **variables)
    assert ran.succeeded, ran.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = json.loads(path.read_text("utf-8"))
    assert _shape(content) == FILE
    assert {FIELDS[name]: content[FIELDS[name]] for name in ("version", "operation", "waiting")} == {
        FIELDS["version"]: 1,
        FIELDS["operation"]: it.operation,
        FIELDS["waiting"]: [],
    }
    entries = content[FIELDS["groups"]]
    assert sorted(entry[FIELDS["id"]] for entry in entries) == sorted(GROUPS)
    return ran, entries


def _about(text: str, group: str) -> bool:
    return re.search(rf"\b{group}\b", text) is not None


def _calls_of(ran: RoleRun, group: str, labels: Mapping[str, str]) -> list[str]:
    """The changing calls about a group, its secret, its user group or its user, with {group} in the place of its id."""
    calls = [call for call in ran.calls if call["mutating"] and _about(str(call["id"]), group)]
    return [re.sub(rf"\b{group}\b", "{group}", call) for call in sent(calls, labels)]


def _recap(ran: RoleRun) -> dict[str, tuple[int, int]]:
    """The numbers of changed and failed tasks by host."""
    return {host: (numbers["changed"], numbers["failures"]) for host, numbers in ran.recap.items()}


def _shape(content: Mapping[str, Any]) -> dict[str, str]:
    return {name: type(value).__name__ for name, value in content.items()}


def _secret_type(it: Pinned) -> dict[str, str]:
    return {FIELDS["secret"]: "NoneType"} if it.operation == "enable_tls" else {}


def _connections(it: Pinned) -> dict[str, str]:
    """Before SET, nodes are asked for connections that are older than the new token."""
    return {"client_connections": "dict"} if "set" in it.steps else {}


def _exposure(it: Pinned, run: int) -> dict[str, str]:
    return {} if it.exposure is None else dict.fromkeys((FIELDS["exposure"], FIELDS["open since"]), it.exposure[run])


def _told(*, changed: bool) -> dict[str, Any]:
    return {
        "region": None,
        "role": None,
        "wave": 1,
        "outcome": "changed" if changed else "unchanged",
        "changed": changed,
        "failed": False,
    }


#: What is looked at by itself, or is another one each time.
_VARYING = (
    *("id", "message", "line", "exposure", "open since", "secret", "losing", "steps", "planned calls", "cutover"),
    *("duration", "verified"),
)


def _values(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an entry that are the same in each run, by the names that the table has, {group} for the group."""
    group = entry[FIELDS["id"]]
    found = {name: entry[key] for name, key in FIELDS.items() if key in entry and name not in _VARYING}
    for name in {"before", "after"} & set(found):
        found[name] = re.sub(rf"\b{group}\b", "{group}", found[name])
    return {**found, "steps": [step[FIELDS["name"]] for step in entry[FIELDS["steps"]]]}
