# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""``hold`` and ``release``: a change stays in flight for as long as a test says, whatever begins it, wherever it is."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from unit.emulator.control_support import (
    GROUP,
    TOKEN_A,
    TOKEN_B,
    create,
    create_user,
    create_user_group,
    make_state,
    modify,
    refusal,
    wait_active,
)
from unit.emulator.test_control_places import theirs

pytestmark = pytest.mark.emulator(data_plane="none", modify_seconds=0, create_seconds=0)

ROTATE: dict[str, Any] = {"AuthToken": TOKEN_B, "AuthTokenUpdateStrategy": "ROTATE"}
_numbers = itertools.count()
HERE = {"region": "us-east-1", "account": "123456789012"}


def shown(emulator: Any, group: str = GROUP) -> dict[str, Any]:
    """A group as the API shows it."""
    found = emulator.client("elasticache").describe_replication_groups(ReplicationGroupId=group)
    return dict(found["ReplicationGroups"][0])


def round_trip(emulator: Any) -> None:
    """Let a whole change of another resource begin and end: what is not held and begun earlier has ended by then."""
    another = f"another-{next(_numbers)}"
    create(emulator, another)
    modify(emulator, another, **ROTATE)
    modify(emulator, another, AuthToken=TOKEN_B, AuthTokenUpdateStrategy="SET")


def user_status(emulator: Any, user: str) -> str:
    return str(emulator.client("elasticache").describe_users(UserId=user)["Users"][0]["Status"])


def user_group_status(emulator: Any, group: str = "ug-1") -> str:
    return str(emulator.client("elasticache").describe_user_groups(UserGroupId=group)["UserGroups"][0]["Status"])


PENDING: list[tuple[str, str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("rotate", "required", ROTATE, {"AuthTokenStatus": "ROTATING"}, {"slots": [TOKEN_A, TOKEN_B]}),
    (
        "set",
        "rotating",
        {"AuthToken": TOKEN_B, "AuthTokenUpdateStrategy": "SET"},
        {"AuthTokenStatus": "SETTING"},
        {"slots": [TOKEN_B]},
    ),
    (
        "attach",
        "required",
        {"AuthTokenUpdateStrategy": "DELETE", "UserGroupIdsToAdd": ["ug-1"]},
        {"UserGroups": {"UserGroupIdsToAdd": ["ug-1"], "UserGroupIdsToRemove": []}},
        {"user_group_ids": ["ug-1"]},
    ),
    (
        "detach",
        "rbac",
        {"RemoveUserGroups": True},
        {"UserGroups": {"UserGroupIdsToAdd": [], "UserGroupIdsToRemove": ["ug-1"]}},
        {"user_group_ids": []},
    ),
    (
        "tls",
        "open",
        {"TransitEncryptionMode": "preferred"},
        {"TransitEncryptionEnabled": True, "TransitEncryptionMode": "preferred"},
        {"tls": "preferred"},
    ),
]


@pytest.mark.parametrize(
    ("state", "members", "pending", "after"), [pytest.param(*row[1:], id=row[0]) for row in PENDING]
)
def test_a_change_of_a_group_stays_in_flight_until_it_is_released(
    emulator: Any, state: str, members: dict[str, Any], pending: dict[str, Any], after: dict[str, Any]
) -> None:
    if state != "rbac" and "UserGroupIdsToAdd" in members:
        create_user_group(emulator)
    make_state(emulator, state)
    before = emulator.group(GROUP)
    emulator.hold(GROUP)
    modify(emulator, wait=False, **members)
    round_trip(emulator)
    assert emulator.held() == [{"id": GROUP, "action": "ModifyReplicationGroup", **HERE}]
    assert (shown(emulator)["Status"], shown(emulator)["PendingModifiedValues"]) == ("modifying", pending)
    truth = emulator.group(GROUP)
    assert {name: truth[name] for name in after} == {name: before[name] for name in after}
    assert refusal(lambda: modify(emulator, **ROTATE))[0] == "InvalidReplicationGroupState"
    emulator.release(GROUP)
    truth = emulator.wait_available(GROUP)
    assert {name: truth[name] for name in after} == after
    assert emulator.held() == []
    assert shown(emulator)["PendingModifiedValues"] == {}


@pytest.mark.parametrize("final_snapshot", [False, True])
def test_creations_and_deletions_are_held(emulator: Any, final_snapshot: bool) -> None:
    emulator.hold(GROUP)
    create(emulator, wait=False, AuthToken=TOKEN_A)
    round_trip(emulator)
    assert shown(emulator)["Status"] == "creating"
    emulator.release(GROUP, keep=True)
    emulator.wait_available(GROUP)
    names = {"FinalSnapshotIdentifier": "last"} if final_snapshot else {}
    emulator.client("elasticache").delete_replication_group(ReplicationGroupId=GROUP, **names)
    if final_snapshot:
        assert shown(emulator)["Status"] == "snapshotting"
        emulator.release(GROUP, keep=True)
        emulator.wait_until(GROUP, lambda group: group["status"] == "deleting")
    round_trip(emulator)
    assert shown(emulator)["Status"] == "deleting"
    emulator.release(GROUP)
    emulator.client("elasticache").get_waiter("replication_group_deleted").wait(
        ReplicationGroupId=GROUP, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


def _modify_user(client: Any) -> None:
    client.modify_user(UserId="ug-1-user", AccessString="on ~a* +@all")


def _modify_user_group(client: Any) -> None:
    client.modify_user_group(UserGroupId="ug-1", UserIdsToAdd=["second"])


@pytest.mark.parametrize(
    ("held", "change", "action"),
    [("ug-1-user", _modify_user, "ModifyUser"), ("ug-1", _modify_user_group, "ModifyUserGroup")],
    ids=["user", "user-group"],
)
def test_users_and_user_groups_are_held(emulator: Any, held: str, change: Callable[[Any], None], action: str) -> None:
    create_user_group(emulator)
    create_user(emulator, "second", "second")
    emulator.hold(held)
    change(emulator.client("elasticache"))
    round_trip(emulator)
    assert emulator.wait_held(held) == [{"id": held, "action": action, **HERE}]
    assert user_group_status(emulator) == "modifying"
    assert user_status(emulator, "ug-1-user") == ("modifying" if action == "ModifyUser" else "active")
    emulator.release(held)
    wait_active(emulator, "ug-1")
    assert user_status(emulator, "ug-1-user") == "active"


def test_creation_of_a_user_group_is_held(emulator: Any) -> None:
    create_user(emulator, "first")
    emulator.hold("ug-1", "CreateUserGroup")
    emulator.client("elasticache").create_user_group(UserGroupId="ug-1", Engine="valkey", UserIds=["first"])
    round_trip(emulator)
    assert user_group_status(emulator) == "creating"
    emulator.release()
    wait_active(emulator, "ug-1")


def test_a_change_in_flight_is_held(emulator: Any) -> None:
    """Also one that began earlier; released before its time is up, it ends when it is."""
    make_state(emulator, "required")
    emulator.settings(modify_seconds=3600)
    modify(emulator, wait=False, **ROTATE)
    assert emulator.held() == []
    emulator.hold(GROUP)
    assert [change["id"] for change in emulator.wait_held(GROUP)] == [GROUP]
    emulator.release(GROUP)
    emulator.settings(modify_seconds=0)
    round_trip(emulator)
    assert shown(emulator)["PendingModifiedValues"] == {"AuthTokenStatus": "ROTATING"}


def test_step_by_step(emulator: Any) -> None:
    """With ``keep`` what is in flight ends, and the next change is held."""
    make_state(emulator, "required")
    emulator.hold(GROUP, "Modify*")
    modify(emulator, wait=False, **ROTATE)
    emulator.release(GROUP, keep=True)
    assert emulator.wait_available(GROUP)["mode"] == "rotating"
    modify(emulator, wait=False, AuthToken=TOKEN_B, AuthTokenUpdateStrategy="SET")
    round_trip(emulator)
    assert emulator.group(GROUP)["mode"] == "rotating"
    emulator.release(GROUP)
    assert emulator.wait_available(GROUP)["mode"] == "required"


def test_all_are_held_and_one_is_released(emulator: Any) -> None:
    for group in ("a-1", "a-2", "b-1"):
        create(emulator, group)
    emulator.hold(action="Modify*")
    for group in ("a-1", "a-2", "b-1"):
        modify(emulator, group, wait=False, **ROTATE)
    emulator.wait_held(count=3)
    create(emulator, "not-held")
    emulator.release("A-*")  # ids are in lower case
    for group in ("a-1", "a-2"):
        emulator.wait_available(group)
    modify(emulator, "a-1", AuthToken=TOKEN_B, AuthTokenUpdateStrategy="SET")
    assert [change["id"] for change in emulator.held()] == ["b-1"]
    modify(emulator, "not-held", wait=False, **ROTATE)
    assert {change["id"] for change in emulator.held()} == {"b-1", "not-held"}
    emulator.release()
    assert emulator.admin("GET", "holds") == {"holds": [], "held": []}
    emulator.wait_available("b-1")
    emulator.wait_available("not-held")


def test_a_hold_is_of_one_region_and_account(emulator: Any) -> None:
    client, far = emulator.client("elasticache"), emulator.client("elasticache", region="eu-west-1")
    strangers = theirs(emulator, "elasticache")
    places = [{**HERE}, {**HERE, "region": "eu-west-1"}, {**HERE, "account": "210987654321"}]
    for one in (client, far, strangers):
        one.create_replication_group(
            ReplicationGroupId=GROUP, ReplicationGroupDescription="d", Engine="valkey", TransitEncryptionEnabled=True
        )
    for place in places:
        emulator.wait_available(GROUP, **place)
    emulator.hold(GROUP, region="eu-*")
    emulator.hold(GROUP, account="210987654321")
    for one in (client, far, strangers):
        one.modify_replication_group(ReplicationGroupId=GROUP, ApplyImmediately=True, **ROTATE)
    emulator.wait_available(GROUP, **places[0])
    held = [{"id": GROUP, "action": "ModifyReplicationGroup", **place} for place in places[1:]]
    assert emulator.held() == held
    emulator.release(GROUP, region="eu-west-1")
    emulator.wait_available(GROUP, **places[1])
    assert emulator.held() == held[1:]
    assert emulator.held(account=HERE["account"]) == []


def test_a_reset_forgets_what_is_held(emulator: Any) -> None:
    make_state(emulator, "required")
    emulator.hold()
    modify(emulator, wait=False, **ROTATE)
    assert len(emulator.held()) == 1
    emulator.reset()
    assert emulator.admin("GET", "holds") == {"holds": [], "held": []}
    make_state(emulator, "rotating")
    emulator.release()
    assert [moment["cause"] for moment in emulator.group(GROUP)["history"]].count("took effect") == 1


def test_what_never_ends_is_not_ended_by_a_release(emulator: Any) -> None:
    make_state(emulator, "required")
    emulator.faults({"kind": "never-ends", "id": GROUP})
    emulator.hold(GROUP)
    modify(emulator, wait=False, **ROTATE)
    emulator.wait_held(GROUP)
    emulator.release(GROUP)
    emulator.release(GROUP, early=True)
    round_trip(emulator)
    assert emulator.group(GROUP)["status"] == "modifying"


def test_a_change_ends_early(emulator: Any) -> None:
    """Held or not; what begins later takes its time."""
    make_state(emulator, "required")
    emulator.settings(modify_seconds=3600)
    modify(emulator, wait=False, **ROTATE)
    emulator.release("another")
    assert emulator.group(GROUP)["status"] == "modifying"
    emulator.release(GROUP, early=True)
    assert emulator.wait_available(GROUP)["mode"] == "rotating"
    emulator.hold(GROUP)
    modify(emulator, wait=False, AuthToken=TOKEN_B, AuthTokenUpdateStrategy="SET")
    emulator.release(GROUP, keep=True)
    assert emulator.group(GROUP)["status"] == "modifying"
    emulator.release(GROUP, early=True)
    assert emulator.wait_available(GROUP)["mode"] == "required"
    assert emulator.admin("GET", "holds")["held"] == []


@pytest.mark.parametrize("path", ["hold", "release"])
@pytest.mark.parametrize(
    ("body", "why"),
    [
        ([], "selected by a JSON object of: id, action, region, account"),
        ({"group": "a"}, "selected by a JSON object of: id, action, region, account"),
        ({"id": ""}, "strings that are not empty"),
        ({"id": 1}, "strings that are not empty"),
        ({"keep": "yes"}, "keep and early must be true or false|selected by"),
        ({"early": 1}, "keep and early must be true or false|selected by"),
    ],
)
def test_a_wrong_hold_is_refused(emulator: Any, path: str, body: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        emulator.admin("POST", path, body)
    assert emulator.admin("GET", "holds") == {"holds": [], "held": []}
