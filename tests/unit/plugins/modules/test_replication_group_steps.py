# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The calls that follow from a wish and a group: which, in which order, and what is refused instead."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._auth.tokens import Token
from ansible_collections.elasticache.auth.plugins.module_utils._aws.groups import parse
from ansible_collections.elasticache.auth.plugins.module_utils._aws.readings import Shown
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.record import TAG_KEY
from ansible_collections.elasticache.auth.plugins.module_utils._resource.steps import (
    creation_step,
    description_after,
    state_after,
    state_of,
    steps,
)
from ansible_collections.elasticache.auth.plugins.module_utils._resource.wanted import Wanted

TOKEN = "correct-horse-battery"
ARN = "arn:aws:elasticache:us-east-1:123456789012:replicationgroup:sessions"
TLS: dict[str, dict[str, Any]] = {
    "off": {"TransitEncryptionEnabled": False},
    "preferred": {"TransitEncryptionEnabled": True, "TransitEncryptionMode": "preferred"},
    "required": {"TransitEncryptionEnabled": True, "TransitEncryptionMode": "required"},
}
ACCESS: dict[str, dict[str, Any]] = {
    "open": {},
    "token": {"AuthTokenEnabled": True},
    "rbac": {"UserGroupIds": ["old"]},
}


def shown(
    tls: str = "required", access: str = "open", tags: dict[str, str] | None = None, version: str = "7.2.6"
) -> Shown:
    """A group with this encryption in transit and access control."""
    raw = {
        "ReplicationGroupId": "sessions",
        "ARN": ARN,
        "Status": "available",
        "Engine": "valkey",
        "Description": "d",
        "ClusterMode": "disabled",
        "SnapshotRetentionLimit": 0,
        **TLS[tls],
        **ACCESS[access],
    }
    return Shown(parse(raw), {"EngineVersion": version}, tags)


def calls(wanted: Wanted, seen: Shown) -> list[dict[str, Any]]:
    """The members of the calls, without the group's id."""
    planned = steps(wanted, seen)
    return [
        {k: v for k, v in one.parameters.items() if k not in ("ReplicationGroupId", "ResourceName")} for one in planned
    ]


TO_PREFERRED = {"ApplyImmediately": True, "TransitEncryptionEnabled": True, "TransitEncryptionMode": "preferred"}
TO_REQUIRED = {"ApplyImmediately": True, "TransitEncryptionMode": "required"}


@pytest.mark.parametrize(
    ("now", "goal", "expected"),
    [
        ("off", None, []),
        ("off", "off", []),
        ("off", "preferred", [TO_PREFERRED]),
        ("preferred", "preferred", []),
        ("preferred", "on", []),
        ("preferred", "required", [TO_REQUIRED]),
        ("preferred", "off", [{"ApplyImmediately": True, "TransitEncryptionEnabled": False}]),
        ("required", "required", []),
        ("required", "on", []),
        ("required", "preferred", [{"ApplyImmediately": True, "TransitEncryptionMode": "preferred"}]),
    ],
)
def test_encryption_in_transit_moves_a_step_at_a_time(now: str, goal: str | None, expected: list[Any]) -> None:
    assert calls(Wanted("sessions", tls=goal), shown(now)) == expected


@pytest.mark.parametrize(("now", "goal"), [("off", "required"), ("off", "on"), ("required", "off")])
def test_encryption_in_transit_has_no_direct_way(now: str, goal: str) -> None:
    with pytest.raises(AuthError, match="transit_encryption_mode: preferred first"):
        steps(Wanted("sessions", tls=goal), shown(now))


@pytest.mark.parametrize("access", ["token", "rbac"])
def test_encryption_in_transit_stays_while_access_is_controlled(access: str) -> None:
    with pytest.raises(AuthError, match="AWS does not change it on a group with"):
        steps(Wanted("sessions", tls="preferred"), shown("required", access))
    assert calls(Wanted("sessions", tls="required"), shown("required", access)) == []


@pytest.mark.parametrize(
    ("access", "wanted", "expected"),
    [
        ("open", None, []),
        ("open", (), []),
        ("open", ("new",), [{"ApplyImmediately": True, "UserGroupIdsToAdd": ["new"]}]),
        ("rbac", ("old",), []),
        ("rbac", None, []),
        (
            "rbac",
            ("new",),
            [{"ApplyImmediately": True, "UserGroupIdsToAdd": ["new"], "UserGroupIdsToRemove": ["old"]}],
        ),
        ("rbac", ("old", "new"), [{"ApplyImmediately": True, "UserGroupIdsToAdd": ["new"]}]),
        ("token", (), []),
        ("token", None, []),
    ],
)
def test_user_groups(access: str, wanted: tuple[str, ...] | None, expected: list[Any]) -> None:
    assert calls(Wanted("sessions", user_groups=wanted), shown(access=access)) == expected


def test_taking_all_user_groups_away_needs_consent() -> None:
    with pytest.raises(AuthError, match="accept_open_access: true"):
        steps(Wanted("sessions", user_groups=()), shown(access="rbac"))
    wanted = Wanted("sessions", user_groups=(), accept_open_access=True)
    assert calls(wanted, shown(access="rbac")) == [{"ApplyImmediately": True, "UserGroupIdsToRemove": ["old"]}]


def test_user_groups_do_not_take_a_tokens_place_here() -> None:
    with pytest.raises(AuthError, match="auth_token_update_strategy: delete"):
        steps(Wanted("sessions", user_groups=("new",)), shown(access="token"))


@pytest.mark.parametrize(
    ("tls", "version", "words"), [("off", "7.2.6", "encryption in transit is off"), ("required", "6.2.6", "Upgrade it")]
)
def test_groups_that_take_no_user_groups(tls: str, version: str, words: str) -> None:
    with pytest.raises(AuthError, match=words):
        steps(Wanted("sessions", user_groups=("new",)), shown(tls, version=version))


def test_an_upgrade_at_once_comes_before_the_user_groups_that_need_it() -> None:
    wanted = Wanted("sessions", settings={"engine_version": "8.0"}, user_groups=("new",), apply_immediately=True)
    assert calls(wanted, shown(version="6.2.6")) == [
        {"ApplyImmediately": True, "EngineVersion": "8.0"},
        {"ApplyImmediately": True, "UserGroupIdsToAdd": ["new"]},
    ]


def test_leaving_rbac_comes_before_encryption_and_the_rest_after() -> None:
    wanted = Wanted(
        "sessions",
        settings={"description": "new", "cluster_mode": "compatible", "snapshot_retention_limit": 2},
        tls="preferred",
        user_groups=(),
        accept_open_access=True,
        tags={"a": "1"},
    )
    assert calls(wanted, shown(access="rbac", tags={"b": "2"})) == [
        {"Tags": [{"Key": "a", "Value": "1"}]},
        {"TagKeys": ["b"]},
        {"ApplyImmediately": True, "UserGroupIdsToRemove": ["old"]},
        {"ApplyImmediately": True, "TransitEncryptionMode": "preferred"},
        {"ApplyImmediately": False, "ReplicationGroupDescription": "new", "SnapshotRetentionLimit": 2},
        {"ApplyImmediately": False, "ClusterMode": "compatible"},
    ]


def test_what_is_refused_is_refused_before_anything_is_called() -> None:
    wanted = Wanted("sessions", settings={"description": "new", "port": 1}, tags={"a": "1"})
    with pytest.raises(AuthError, match="port"):
        steps(wanted, shown(tags={}))


@pytest.mark.parametrize(
    ("tags", "purge", "wanted", "expected"),
    [
        ({"a": "1"}, True, {"a": "1"}, []),
        ({"a": "1"}, True, None, []),
        ({"a": "1"}, True, {}, [{"TagKeys": ["a"]}]),
        ({"a": "1"}, False, {}, []),
        ({"a": "1"}, False, {"a": "2"}, [{"Tags": [{"Key": "a", "Value": "2"}]}]),
        ({TAG_KEY: "r", "aws:cloudformation:stack": "s"}, True, {}, []),
        (None, True, {"a": "1"}, []),
    ],
)
def test_tags(
    tags: dict[str, str] | None, purge: bool, wanted: dict[str, str] | None, expected: list[dict[str, Any]]
) -> None:
    assert calls(Wanted("sessions", tags=wanted, purge_tags=purge), shown(tags=tags)) == expected


def test_the_creation() -> None:
    wanted = Wanted("sessions", settings={"description": "d"}, tls="on", token=Token("given", TOKEN), tags={"a": "1"})
    step = creation_step(wanted, "v1 record")
    assert step.parameters == {
        "ReplicationGroupId": "sessions",
        "ReplicationGroupDescription": "d",
        "TransitEncryptionEnabled": True,
        "AuthToken": TOKEN,
        "Tags": [{"Key": "a", "Value": "1"}, {"Key": TAG_KEY, "Value": "v1 record"}],
    }
    assert TOKEN not in repr(step)
    assert TOKEN not in str(step.shown())
    assert step.shown()["parameters"]["AuthToken"] == "********"


def test_the_creation_with_user_groups() -> None:
    wanted = Wanted("sessions", settings={"description": "d"}, tls="required", user_groups=("ug",))
    assert creation_step(wanted, None).parameters == {
        "ReplicationGroupId": "sessions",
        "ReplicationGroupDescription": "d",
        "TransitEncryptionEnabled": True,
        "TransitEncryptionMode": "required",
        "UserGroupIds": ["ug"],
    }


def test_the_state_shows_neither_token_nor_record() -> None:
    state = state_of(shown(access="token", tags={"a": "1", TAG_KEY: "r"}))
    assert state["auth_token_enabled"] is True
    assert state["tags"] == {"a": "1"}
    assert state["transit_encryption_mode"] == "required"
    assert "tags" not in state_of(shown())


def test_the_predicted_state_differs_in_what_is_changed() -> None:
    before = state_of(shown("preferred", tags={"a": "1", "aws:x": "y"}))
    wanted = Wanted(
        "sessions", settings={"description": "new", "engine_version": "7.2"}, tls="required", tags={"b": "2"}
    )
    after = state_after(wanted, before, {"description", "transit_encryption_mode", "tags"})
    assert {name: after[name] for name in after if after[name] != before.get(name)} == {
        "description": "new",
        "transit_encryption_mode": "required",
        "tags": {"b": "2", "aws:x": "y"},
    }


def test_the_predicted_state_of_a_group_to_be_made() -> None:
    wanted = Wanted(
        "sessions", settings={"description": "d", "snapshot_name": "old"}, tls="on", token=Token("given", TOKEN)
    )
    assert state_after(wanted, None, set()) == {
        "description": "d",
        "auth_token_enabled": True,
        "user_group_ids": [],
        "transit_encryption_enabled": True,
        "transit_encryption_mode": "required",
    }
    assert description_after(wanted, {}, set()) == {
        "ReplicationGroupId": "sessions",
        "Description": "d",
        "AuthTokenEnabled": True,
        "TransitEncryptionEnabled": True,
        "TransitEncryptionMode": "required",
        "UserGroupIds": [],
    }


def test_the_predicted_description_of_a_group_to_be_changed() -> None:
    seen = shown("preferred", "rbac")
    wanted = Wanted("sessions", settings={"description": "new"}, tls="off", user_groups=("new",))
    after = description_after(wanted, seen.raw, {"description", "transit_encryption_mode", "user_group_ids"})
    assert after["Description"] == "new"
    assert after["UserGroupIds"] == ["new"]
    assert after["TransitEncryptionEnabled"] is False
    assert "TransitEncryptionMode" not in after
