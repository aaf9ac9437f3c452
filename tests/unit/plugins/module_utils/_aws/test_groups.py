# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What a description of a group says, and what it lacks until a call has been carried out."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._aws.groups import Group, parse
from ansible_collections.elasticache.auth.plugins.module_utils._aws.modify import parameters, shown
from ansible_collections.elasticache.auth.plugins.module_utils._aws.waiting import carried_out, settled
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.states import Call, CallKind

WHEN = datetime.datetime(2026, 11, 22, 15, 4, 5, 678000, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({}, ""),
        ({"Description": "another"}, ""),
        ({"Status": "modifying"}, "its status is modifying"),
        ({"PendingModifiedValues": {"AuthTokenStatus": "ROTATING"}}, "its token is ROTATING"),
        (
            {"AuthTokenLastModifiedDate": WHEN + datetime.timedelta(seconds=1)},
            "its AUTH token was changed at 2026-11-22T15:04:06.678000+00:00",
        ),
        ({"AuthTokenEnabled": False}, "its AUTH token is not enabled"),
        ({"UserGroupIds": ["u"]}, "its user groups are u"),
        ({"TransitEncryptionMode": "preferred"}, "its encryption in transit is preferred"),
        ({"ReplicationGroupCreateTime": WHEN}, "it is another group of the same id"),
    ],
)
def test_what_has_changed_since_it_was_looked_at(members: dict[str, Any], words: str) -> None:
    assert described(**members).changed_since(described()) == words
    assert described(**members).changed_since(described(**members)) == ""


def described(**members: Any) -> Group:
    """A group as DescribeReplicationGroups shows it: available, with a token and two nodes."""
    return parse(
        {
            "ReplicationGroupId": "g",
            "Status": "available",
            "TransitEncryptionEnabled": True,
            "TransitEncryptionMode": "required",
            "AuthTokenEnabled": True,
            "AuthTokenLastModifiedDate": WHEN,
            "NodeGroups": [
                {
                    "NodeGroupId": "0001",
                    "Status": "available",
                    "NodeGroupMembers": [
                        {
                            "CacheClusterId": "g-001",
                            "CurrentRole": "primary",
                            "ReadEndpoint": {"Address": "h", "Port": 1},
                        },
                        {
                            "CacheClusterId": "g-002",
                            "CurrentRole": "replica",
                            "ReadEndpoint": {"Address": "i", "Port": 2},
                        },
                    ],
                }
            ],
            **members,
        }
    )


@pytest.mark.parametrize(
    ("members", "pending"),
    [
        ({}, ""),
        ({"Status": "modifying"}, "its status is modifying"),
        ({"Status": "snapshotting"}, "its status is snapshotting"),
        ({"PendingModifiedValues": {"AuthTokenStatus": "SETTING"}}, "its token is SETTING"),
        (
            {"PendingModifiedValues": {"UserGroups": {"UserGroupIdsToAdd": ["u"], "UserGroupIdsToRemove": []}}},
            "its user groups are changing",
        ),
        ({"PendingModifiedValues": {"UserGroups": {"UserGroupIdsToRemove": ["u"]}}}, "its user groups are changing"),
        ({"PendingModifiedValues": {"UserGroups": {"UserGroupIdsToAdd": []}}}, ""),
        ({"NodeGroups": [{"Status": "available"}, {"Status": "modifying"}]}, "a node group is modifying"),
        (
            {"Status": "modifying", "PendingModifiedValues": {"AuthTokenStatus": "ROTATING"}},
            "its status is modifying, its token is ROTATING",
        ),
    ],
)
def test_what_is_under_way(members: dict[str, Any], pending: str) -> None:
    """Status, token, user groups and node groups all count (elasticache-facts §4)."""
    group = described(**members)
    assert group.pending == pending
    assert group.settled is (not pending)
    assert settled(group) == pending


@pytest.mark.parametrize("status", ["create-failed", "deleting"])
def test_what_never_settles(status: str) -> None:
    """An error and no wait."""
    with pytest.raises(AuthError, match=f"^g: its status is {status}, from which it does not become available\\.$"):
        settled(described(Status=status))


@pytest.mark.parametrize(
    ("members", "tls"),
    [
        ({}, "required"),
        ({"TransitEncryptionMode": "preferred"}, "preferred"),
        ({"TransitEncryptionMode": None}, "required"),
        ({"TransitEncryptionEnabled": False, "TransitEncryptionMode": None}, "off"),
        ({"TransitEncryptionEnabled": None}, "off"),
    ],
)
def test_encryption(members: dict[str, Any], tls: str) -> None:
    """Old groups show no mode: then encryption, where it is on, is required."""
    assert described(**members).tls == tls


def test_a_bare_description() -> None:
    """While a group is created, most is missing."""
    group = parse({"ReplicationGroupId": "g", "Status": "creating"})
    assert (group.engine, group.tls, group.nodes, group.user_group_ids, group.token_date) == (
        "redis",
        "off",
        (),
        (),
        None,
    )
    assert group.settled is False


def test_dates_are_reported_in_one_way() -> None:
    """Whatever zone botocore gives them in."""
    zone = datetime.timezone(datetime.timedelta(hours=5))
    moved = described(AuthTokenLastModifiedDate=WHEN.astimezone(zone))
    assert moved.token_date == described().token_date == "2026-11-22T15:04:05.678000+00:00"


OPEN = {"AuthTokenEnabled": False, "AuthTokenLastModifiedDate": None}
RBAC = {**OPEN, "UserGroupIds": ["u"]}
BEFORE = "2026-11-22T14:00:00+00:00"
NOW = "2026-11-22T15:04:05.678000+00:00"


@pytest.mark.parametrize(
    ("call", "seen", "members", "lack"),
    [
        (Call(CallKind.ROTATE, "t"), BEFORE, {}, ""),
        (Call(CallKind.ROTATE, "t"), NOW, {}, "AuthTokenLastModifiedDate has not moved yet"),
        (Call(CallKind.ROTATE, "t"), BEFORE, {"Status": "modifying"}, "its status is modifying"),
        (Call(CallKind.ROTATE, "t"), None, OPEN, "its AUTH token is not enabled yet"),
        (Call(CallKind.ROTATE, "t"), None, {}, ""),
        (Call(CallKind.SET, "t"), NOW, {}, "AuthTokenLastModifiedDate has not moved yet"),
        (Call(CallKind.SET, "t"), BEFORE, {}, ""),
        (Call(CallKind.REMOVE_AND_ROTATE, "t"), None, RBAC, "its user groups are still attached"),
        (Call(CallKind.REMOVE_AND_ROTATE, "t"), None, {}, ""),
        (Call(CallKind.DELETE, user_groups=("u",)), NOW, {}, "its user groups are not attached yet"),
        (Call(CallKind.DELETE, user_groups=("u",)), NOW, {"UserGroupIds": ["u"]}, "its AUTH token is still enabled"),
        (Call(CallKind.DELETE, user_groups=("u",)), NOW, RBAC, ""),
        (Call(CallKind.ADD_USER_GROUPS, user_groups=("u",)), None, OPEN, "its user groups are not attached yet"),
        (Call(CallKind.ADD_USER_GROUPS, user_groups=("u",)), None, RBAC, ""),
        (Call(CallKind.REMOVE_USER_GROUPS, user_groups=("u",)), None, RBAC, "its user groups are still attached"),
        (Call(CallKind.REMOVE_USER_GROUPS, user_groups=("u",)), None, OPEN, ""),
    ],
    ids=str,
)
def test_what_is_lacking_until_a_call_is_carried_out(
    call: Call, seen: str | None, members: dict[str, Any], lack: str
) -> None:
    """Available alone proves nothing: a description may be from before the call."""
    assert carried_out(call, seen)(described(**members)) == lack


@pytest.mark.parametrize(
    ("call", "members"),
    [
        (Call(CallKind.ROTATE, "t"), {"AuthToken": "********", "AuthTokenUpdateStrategy": "ROTATE"}),
        (Call(CallKind.SET, "t"), {"AuthToken": "********", "AuthTokenUpdateStrategy": "SET"}),
        (
            Call(CallKind.REMOVE_AND_ROTATE, "t"),
            {"RemoveUserGroups": True, "AuthToken": "********", "AuthTokenUpdateStrategy": "ROTATE"},
        ),
        (
            Call(CallKind.DELETE, user_groups=("u",)),
            {"AuthTokenUpdateStrategy": "DELETE", "UserGroupIdsToAdd": ["u"]},
        ),
        (Call(CallKind.ADD_USER_GROUPS, user_groups=("u",)), {"UserGroupIdsToAdd": ["u"]}),
        (Call(CallKind.REMOVE_USER_GROUPS, user_groups=("u",)), {"UserGroupIdsToRemove": ["u"]}),
    ],
    ids=str,
)
def test_the_members_of_a_call(call: Call, members: dict[str, Any]) -> None:
    """As elasticache-facts §1 has them, always at once; shown, the token is masked."""
    common = {"ReplicationGroupId": "g", "ApplyImmediately": True}
    assert shown("g", call) == {"action": "ModifyReplicationGroup", "parameters": {**common, **members}}
    real = parameters("g", call, "the-token")
    assert real.get("AuthToken") == ("the-token" if call.token else None)
