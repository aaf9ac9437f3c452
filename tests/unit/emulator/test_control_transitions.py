# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Every transition of elasticache-facts §1, in every variant, and what §2 and §4 say the API shows meanwhile."""

from __future__ import annotations

import time
from typing import Any

import pytest
from unit.emulator.control_support import (
    GROUP,
    TOKEN_A,
    TOKEN_B,
    TOKEN_C,
    create,
    create_user,
    create_user_group,
    make_state,
    modify,
    refusal,
    wait_active,
)
from waiting import wait_until

pytestmark = pytest.mark.emulator(data_plane="none", modify_seconds=0.05)

A, B, C = TOKEN_A, TOKEN_B, TOKEN_C


def rotate(token: str) -> dict[str, Any]:
    """The members of a ROTATE."""
    return {"AuthToken": token, "AuthTokenUpdateStrategy": "ROTATE"}


def set_token(token: str) -> dict[str, Any]:
    """The members of a SET."""
    return {"AuthToken": token, "AuthTokenUpdateStrategy": "SET"}


TRANSITIONS = [
    ("rotate-open", "open", rotate(C), "optional", [None, C]),
    ("rotate-required", "required", rotate(C), "rotating", [A, C]),
    ("rotate-rotating-locks-out-the-older", "rotating", rotate(C), "rotating", [B, C]),
    ("rotate-optional-ends-unauthenticated-access", "optional", rotate(C), "rotating", [A, C]),
    ("set-optional", "optional", set_token(A), "required", [A]),
    ("set-rotating", "rotating", set_token(B), "required", [B]),
    ("rbac-to-token", "rbac", {"RemoveUserGroups": True, **rotate(C)}, "optional", [None, C]),
    ("rbac-to-open", "rbac", {"UserGroupIdsToRemove": ["ug-1"]}, "open", [None]),
    ("rbac-to-open-remove-all", "rbac", {"RemoveUserGroups": True}, "open", [None]),
    ("no-strategy-is-rotate", "required", {"AuthToken": C}, "rotating", [A, C]),
]


@pytest.mark.parametrize(
    ("state", "members", "mode", "slots"), [pytest.param(*row[1:], id=f"facts-1-{row[0]}") for row in TRANSITIONS]
)
def test_transition(emulator: Any, state: str, members: dict[str, Any], mode: str, slots: list[str | None]) -> None:
    make_state(emulator, state)
    after = modify(emulator, **members)
    assert (after["mode"], after["slots"], after["user_group_ids"]) == (mode, slots, [])
    shown = emulator.client("elasticache").describe_replication_groups(ReplicationGroupId=GROUP)
    assert shown["ReplicationGroups"][0]["AuthTokenEnabled"] is (mode != "open")


@pytest.mark.parametrize("state", ["required", "rotating", "optional"], ids=lambda state: f"facts-1-delete-{state}")
def test_delete_puts_user_groups_in_force(emulator: Any, state: str) -> None:
    create_user_group(emulator)
    make_state(emulator, state)
    after = modify(emulator, AuthTokenUpdateStrategy="DELETE", UserGroupIdsToAdd=["ug-1"])
    assert (after["mode"], after["slots"], after["user_group_ids"]) == ("rbac", [], ["ug-1"])
    client = emulator.client("elasticache")
    shown = client.describe_replication_groups(ReplicationGroupId=GROUP)["ReplicationGroups"][0]
    assert (shown["AuthTokenEnabled"], shown["UserGroupIds"]) == (False, ["ug-1"])
    assert client.describe_user_groups(UserGroupId="ug-1")["UserGroups"][0]["ReplicationGroups"] == [GROUP]


def test_facts_1_create_with_a_token_is_required_at_once(emulator: Any) -> None:
    create(emulator, AuthToken=A)
    truth = emulator.group(GROUP)
    assert (truth["mode"], truth["slots"]) == ("required", [A])
    assert {moment["mode"] for moment in truth["history"]} == {"required"}


@pytest.mark.parametrize("state", ["open", "rbac"], ids=lambda state: f"facts-1-set-{state}")
def test_set_on_open_is_refused(emulator: Any, state: str) -> None:
    make_state(emulator, state)
    members: dict[str, Any] = {"RemoveUserGroups": True} if state == "rbac" else {}
    assert refusal(lambda: modify(emulator, **members, **set_token(C)))[1] == "There is no AUTH token to SET"


@pytest.mark.parametrize(
    ("variant", "text"),
    [("not-rotated", "must be the one provided with the last ROTATE"), ("invalid-token", "Invalid AuthToken provided")],
    ids=["facts-1-set-other-value-not-rotated", "facts-1-set-other-value-invalid-token"],
)
@pytest.mark.parametrize(
    ("state", "token"), [("required", C), ("rotating", C), ("rotating", A), ("optional", C)], ids=str
)
def test_set_of_another_value_is_refused(emulator: Any, variant: str, text: str, state: str, token: str) -> None:
    emulator.variants({"set-other-value": variant})
    make_state(emulator, state)
    before = emulator.group(GROUP)["slots"]
    assert text in refusal(lambda: modify(emulator, **set_token(token)))[1]
    assert emulator.group(GROUP)["slots"] == before


VARIANT_ROWS = [
    ("set-on-required", "refused", "required", set_token(A), None),
    ("set-on-required", "no-op", "required", set_token(A), [A]),
    ("set-on-required", "slot-lost", "required", set_token(A), []),
    ("rotate-live-token", "refused", "required", rotate(A), None),
    ("rotate-live-token", "no-op", "required", rotate(A), [A]),
    ("rotate-live-token", "slot-lost", "required", rotate(A), [A, A]),
    ("rotate-live-token", "refused", "rotating", rotate(A), None),
    ("rotate-live-token", "no-op", "rotating", rotate(A), [A, B]),
    ("rotate-live-token", "slot-lost", "rotating", rotate(A), [B, A]),
    ("rotate-same-twice", "refused", "rotating", rotate(B), None),
    ("rotate-same-twice", "no-op", "rotating", rotate(B), [A, B]),
    ("rotate-same-twice", "slot-lost", "rotating", rotate(B), [B, B]),
    ("rotate-same-twice", "slot-lost", "optional", rotate(A), [A, A]),
    ("rotate-same-twice", "refused", "optional", rotate(A), None),
]


@pytest.mark.parametrize(
    ("name", "value", "state", "members", "slots"),
    [pytest.param(*row, id=f"facts-1-{row[0]}-{row[1]}-{row[2]}-{number}") for number, row in enumerate(VARIANT_ROWS)],
)
def test_variant(
    emulator: Any, name: str, value: str, state: str, members: dict[str, Any], slots: list[str | None] | None
) -> None:
    make_state(emulator, state)
    emulator.variants({name: value})
    if slots is None:
        before = emulator.group(GROUP)
        assert refusal(lambda: modify(emulator, **members))[0] == "InvalidParameterValue"
        assert emulator.group(GROUP) == before
    else:
        assert modify(emulator, **members)["slots"] == slots


@pytest.mark.parametrize(
    ("state", "members", "status"),
    [
        pytest.param("required", rotate(C), "ROTATING", id="facts-2-rotating"),
        pytest.param("rotating", set_token(B), "SETTING", id="facts-2-setting"),
    ],
)
def test_a_change_in_flight_shows_and_takes_effect_at_its_end(
    emulator: Any, state: str, members: dict[str, Any], status: str
) -> None:
    make_state(emulator, state)
    emulator.settings(modify_seconds=0.5)
    emulator.hold()
    before = emulator.group(GROUP)
    answer = modify(emulator, wait=False, **members)
    client = emulator.client("elasticache")
    shown = client.describe_replication_groups(ReplicationGroupId=GROUP)["ReplicationGroups"][0]
    for view in (answer, shown):
        assert view["Status"] == "modifying"
        assert view["PendingModifiedValues"] == {"AuthTokenStatus": status}
        assert [item["Status"] for item in view["NodeGroups"]] == ["modifying"]
    assert emulator.group(GROUP)["slots"] == before["slots"]
    emulator.release()
    emulator.wait_available(GROUP)
    shown = client.describe_replication_groups(ReplicationGroupId=GROUP)["ReplicationGroups"][0]
    assert (shown["Status"], shown["PendingModifiedValues"]) == ("available", {})
    assert [item["Status"] for item in shown["NodeGroups"]] == ["available"]
    history = emulator.group(GROUP)["history"]
    began, took_effect = (
        next(moment["time"] for moment in reversed(history) if moment["cause"] == cause)
        for cause in ("ModifyReplicationGroup", "took effect")
    )
    assert took_effect - began >= 0.5


def test_facts_2_pending_user_groups(emulator: Any) -> None:
    create_user_group(emulator)
    create(emulator, AuthToken=A)
    answer = modify(emulator, wait=False, AuthTokenUpdateStrategy="DELETE", UserGroupIdsToAdd=["ug-1"])
    assert answer["PendingModifiedValues"] == {
        "UserGroups": {"UserGroupIdsToAdd": ["ug-1"], "UserGroupIdsToRemove": []}
    }
    emulator.wait_available(GROUP)
    answer = modify(emulator, wait=False, RemoveUserGroups=True, **rotate(C))
    assert answer["PendingModifiedValues"] == {
        "AuthTokenStatus": "ROTATING",
        "UserGroups": {"UserGroupIdsToAdd": [], "UserGroupIdsToRemove": ["ug-1"]},
    }


@pytest.mark.parametrize("variant", ["start", "end"], ids=lambda value: f"facts-2-date-moves-{value}")
def test_the_date_moves_with_a_token_change(emulator: Any, variant: str) -> None:
    emulator.variants({"date-moves": variant})
    create(emulator, AuthToken=A)
    client = emulator.client("elasticache")

    def date() -> Any:
        shown = client.describe_replication_groups(ReplicationGroupId=GROUP)["ReplicationGroups"][0]
        return shown["AuthTokenLastModifiedDate"]

    before = date()
    emulator.hold()
    modify(emulator, wait=False, **rotate(B))
    assert (date() > before) is (variant == "start")
    during = date()
    emulator.release()
    emulator.wait_available(GROUP)
    assert (date() > during) is (variant == "end")
    settled = date()
    modify(emulator, ReplicationGroupDescription="other")
    assert date() == settled


def test_facts_2_optional_required_and_rotating_look_identical(emulator: Any) -> None:
    looks = []
    for state in ("optional", "required", "rotating"):
        make_state(emulator, state)
        shown = emulator.client("elasticache").describe_replication_groups()["ReplicationGroups"][0]
        for name in ("AuthTokenLastModifiedDate", "ReplicationGroupCreateTime", "NodeGroups"):
            shown.pop(name)
        looks.append(shown)
        emulator.reset()
        emulator.settings(modify_seconds=0.05)
    assert looks[0] == looks[1] == looks[2]


def test_facts_2_no_token_is_shown_or_logged(emulator: Any) -> None:
    make_state(emulator, "rotating")
    create_user(emulator, "u-1")
    client = emulator.client("elasticache")
    refusal(lambda: modify(emulator, **set_token(C)))
    seen = [
        client.describe_replication_groups(),
        client.describe_cache_clusters(ShowCacheNodeInfo=True),
        client.describe_users(),
        emulator.calls(),
        emulator.faults(),
        emulator.variants(),
        emulator.standard_error(),
    ]
    for token in (A, B, C):
        assert token not in repr(seen)


def test_facts_2_the_engine_version_is_on_the_cache_cluster(emulator: Any) -> None:
    create(emulator, EngineVersion="8.0", NumCacheClusters=2)
    client = emulator.client("elasticache")
    group = client.describe_replication_groups(ReplicationGroupId=GROUP)["ReplicationGroups"][0]
    assert "EngineVersion" not in group
    assert group["Engine"] == "valkey"
    cluster = client.describe_cache_clusters(CacheClusterId=group["MemberClusters"][0])["CacheClusters"][0]
    assert cluster["EngineVersion"] == "8.0.1"
    assert "CacheNodes" not in cluster


def test_facts_2_cluster_mode_endpoints_come_from_the_cache_clusters(emulator: Any) -> None:
    create(emulator, NumNodeGroups=2, ReplicasPerNodeGroup=1)
    client = emulator.client("elasticache")
    group = client.describe_replication_groups(ReplicationGroupId=GROUP)["ReplicationGroups"][0]
    assert group["ClusterEnabled"]
    assert group["ConfigurationEndpoint"]["Port"]
    assert [item["Slots"] for item in group["NodeGroups"]] == ["0-8191", "8192-16383"]
    assert not any("ReadEndpoint" in member for item in group["NodeGroups"] for member in item["NodeGroupMembers"])
    clusters = client.describe_cache_clusters(ShowCacheNodeInfo=True)["CacheClusters"]
    assert [item["CacheClusterId"] for item in clusters] == group["MemberClusters"]
    shown = {(node["Endpoint"]["Address"], node["Endpoint"]["Port"]) for c in clusters for node in c["CacheNodes"]}
    nodes = [node for item in emulator.group(GROUP)["node_groups"] for node in item["nodes"]]
    assert shown == {(node["host"], node["port"]) for node in nodes}
    assert len(shown) == 4


def test_facts_4_statuses_of_creation_and_deletion(emulator: Any) -> None:
    emulator.hold()
    assert create(emulator, wait=False)["Status"] == "creating"
    client = emulator.client("elasticache")
    assert refusal(lambda: client.delete_replication_group(ReplicationGroupId=GROUP))[0].endswith("GroupState")
    emulator.release(keep=True)
    emulator.wait_available(GROUP)
    shown = client.delete_replication_group(ReplicationGroupId=GROUP, FinalSnapshotIdentifier="last")
    assert shown["ReplicationGroup"]["Status"] == "snapshotting"
    emulator.release(keep=True)
    emulator.wait_until(GROUP, lambda group: group["status"] == "deleting")
    emulator.release()
    wait_until(lambda: emulator.groups() == [], "the group is gone")
    assert refusal(lambda: client.describe_replication_groups(ReplicationGroupId=GROUP))[2] == 404


def test_facts_4_botocores_waiter_works_against_it(emulator: Any) -> None:
    create(emulator, wait=False)
    client = emulator.client("elasticache")
    client.get_waiter("replication_group_available").wait(
        ReplicationGroupId=GROUP, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )
    assert emulator.group(GROUP)["status"] == "available"


def test_a_token_change_that_is_not_immediate_waits_for_the_maintenance_window(emulator: Any) -> None:
    make_state(emulator, "required")
    answer = modify(emulator, wait=False, ApplyImmediately=False, **rotate(C))
    assert (answer["Status"], answer["PendingModifiedValues"]) == ("available", {"AuthTokenStatus": "ROTATING"})
    time.sleep(0.2)
    assert emulator.group(GROUP)["slots"] == [A]
    after = modify(emulator, **set_token(C))
    assert (after["slots"], after["pending"]) == ([C], {})


@pytest.mark.parametrize(
    ("start", "members", "end"),
    [
        pytest.param(
            {"TransitEncryptionEnabled": False},
            {"TransitEncryptionEnabled": True, "TransitEncryptionMode": "preferred"},
            "preferred",
            id="facts-3-tls-off-to-preferred",
        ),
        pytest.param(
            {"TransitEncryptionMode": "preferred"},
            {"TransitEncryptionMode": "required"},
            "required",
            id="facts-3-tls-preferred-to-required",
        ),
        pytest.param(
            {"TransitEncryptionMode": "preferred"},
            {"TransitEncryptionEnabled": False},
            "off",
            id="facts-3-tls-preferred-to-off",
        ),
    ],
)
def test_tls_changes_in_steps(emulator: Any, start: dict[str, Any], members: dict[str, Any], end: str) -> None:
    create(emulator, **start)
    pending = modify(emulator, wait=False, **members)["PendingModifiedValues"]
    assert pending.get("TransitEncryptionMode", "off") == end
    assert emulator.wait_available(GROUP)["tls"] == end
    shown = emulator.client("elasticache").describe_replication_groups()["ReplicationGroups"][0]
    assert (shown["TransitEncryptionEnabled"], shown.get("TransitEncryptionMode", "off")) == (end != "off", end)


def test_rbac_users_change_in_time(emulator: Any) -> None:
    create_user_group(emulator)
    create_user(emulator, "u-2", "app")
    client = emulator.client("elasticache")
    answer = client.modify_user_group(UserGroupId="ug-1", UserIdsToAdd=["u-2"], UserIdsToRemove=["ug-1-user"])
    assert (answer["Status"], answer["PendingChanges"], answer["UserIds"]) == (
        "modifying",
        {"UserIdsToAdd": ["u-2"], "UserIdsToRemove": ["ug-1-user"]},
        ["ug-1-user"],
    )
    wait_active(emulator, "ug-1")
    shown = client.describe_user_groups(UserGroupId="ug-1")["UserGroups"][0]
    assert (shown["UserIds"], shown["PendingChanges"]) == (["u-2"], {})
    assert client.describe_users(UserId="u-2")["Users"][0]["UserGroupIds"] == ["ug-1"]
    answer = client.modify_user(UserId="u-2", Passwords=[A, B], AppendAccessString="-flushall")
    assert answer["Status"] == "modifying"
    wait_active(emulator, "ug-1")
    shown = client.describe_users(UserId="u-2")["Users"][0]
    assert shown["Authentication"] == {"Type": "password", "PasswordCount": 2}
    assert shown["AccessString"] == "on ~* +@all -flushall"
    client.delete_user(UserId="u-2")
    wait_active(emulator, "ug-1")
    assert refusal(lambda: client.describe_users(UserId="u-2"))[0] == "UserNotFound"
    assert client.describe_user_groups(UserGroupId="ug-1")["UserGroups"][0]["UserIds"] == []
    client.delete_user_group(UserGroupId="ug-1")
