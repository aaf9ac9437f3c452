# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Every refusal of elasticache-facts §3, with its code, its message and its HTTP status: a test a row."""

from __future__ import annotations

import functools
from collections.abc import Callable
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

pytestmark = pytest.mark.emulator(data_plane="none", modify_seconds=0.05)

Setup = Callable[[Any], None]

VALUE = "InvalidParameterValue"
COMBINATION = "InvalidParameterCombination"
STATE = "InvalidReplicationGroupState"
TOKEN_NEEDS_TLS = "The AUTH token modification is only supported when encryption-in-transit is enabled."
TLS_LOCKED = "Modification of transit encryption is not supported for access control enabled clusters."
RBAC_NEEDS_TLS = (
    "User group based access control requires encryption-in-transit to be enabled on the replication group."
)
TOKEN_WHILE_GROUP = (
    "Auth tokens can't be enabled with a user group already associated. Pass RemoveUserGroups to proceed."
)


def in_state(state: str) -> Setup:
    """A group in a state of elasticache-facts §1."""
    return lambda emulator: make_state(emulator, state)


def without_tls(emulator: Any) -> None:
    """A group without encryption in transit."""
    create(emulator, TransitEncryptionEnabled=False)


def preferred(emulator: Any) -> None:
    """A group that takes both plaintext and TLS."""
    create(emulator, TransitEncryptionMode="preferred")


def with_user_group(setup: Setup) -> Setup:
    """``setup``, and a user group beside it."""

    def both(emulator: Any) -> None:
        create_user_group(emulator)
        setup(emulator)

    return both


ROTATE: dict[str, Any] = {"AuthToken": TOKEN_C, "AuthTokenUpdateStrategy": "ROTATE"}
MODIFY_ROWS = [
    ("token-modify-tls-off", without_tls, ROTATE, VALUE, TOKEN_NEEDS_TLS),
    ("token-modify-preferred", preferred, ROTATE, VALUE, TOKEN_NEEDS_TLS),
    (
        "token-modify-moving-to-required",
        preferred,
        {**ROTATE, "TransitEncryptionEnabled": True, "TransitEncryptionMode": "required"},
        VALUE,
        TOKEN_NEEDS_TLS,
    ),
    (
        "token-modify-empty",
        in_state("required"),
        {"AuthToken": "", "AuthTokenUpdateStrategy": "ROTATE"},
        VALUE,
        TOKEN_NEEDS_TLS,
    ),
    ("token-modify-missing", in_state("required"), {"AuthTokenUpdateStrategy": "SET"}, VALUE, TOKEN_NEEDS_TLS),
    (
        "delete-without-group",
        in_state("required"),
        {"AuthTokenUpdateStrategy": "DELETE"},
        VALUE,
        "Auth token update strategy delete is not supported currently",
    ),
    (
        "group-added-without-delete",
        with_user_group(in_state("required")),
        {"UserGroupIdsToAdd": ["ug-1"]},
        COMBINATION,
        "User group can't be associated with auth token enabled. Pass AuthStrategy delete to proceed.",
    ),
    ("token-while-group", in_state("rbac"), ROTATE, COMBINATION, TOKEN_WHILE_GROUP),
    (
        "group-without-tls",
        with_user_group(without_tls),
        {"UserGroupIdsToAdd": ["ug-1"]},
        COMBINATION,
        RBAC_NEEDS_TLS,
    ),
    ("tls-unchanged-token", in_state("required"), {"TransitEncryptionEnabled": True}, COMBINATION, TLS_LOCKED),
    ("tls-unchanged-mode", in_state("optional"), {"TransitEncryptionMode": "required"}, COMBINATION, TLS_LOCKED),
    ("tls-unchanged-group", in_state("rbac"), {"TransitEncryptionEnabled": True}, COMBINATION, TLS_LOCKED),
    (
        "tls-not-immediately",
        without_tls,
        {"TransitEncryptionEnabled": True, "TransitEncryptionMode": "preferred", "ApplyImmediately": False},
        VALUE,
        "Transit encryption modification should be called with applied immediately option.",
    ),
    (
        "tls-off-to-required",
        without_tls,
        {"TransitEncryptionEnabled": True, "TransitEncryptionMode": "required"},
        COMBINATION,
        (
            "Direct transition from transit-encryption-disabled to transit-encryption-enabled is not allowed. "
            "Update the cluster to transit-encryption-mode preferred prior to enabling transit encryption."
        ),
    ),
    ("nothing-to-change", in_state("required"), {}, COMBINATION, "No modifications were requested."),
    (
        "nothing-to-change-same-values",
        in_state("required"),
        {"ReplicationGroupDescription": "d", "SnapshotRetentionLimit": 0},
        COMBINATION,
        "No modifications were requested.",
    ),
]


@pytest.mark.parametrize(
    ("setup", "members", "code", "message"),
    [pytest.param(*row[1:], id=f"facts-3-{row[0]}") for row in MODIFY_ROWS],
)
def test_modify_is_refused(emulator: Any, setup: Setup, members: dict[str, Any], code: str, message: str) -> None:
    setup(emulator)
    before = emulator.group(GROUP)
    assert refusal(lambda: modify(emulator, **members)) == (code, message, 400)
    assert emulator.group(GROUP) == before


CREATE_ROWS = [
    ("bad-token-short", {"AuthToken": "short"}, VALUE, "Invalid AuthToken provided."),
    ("bad-token-15", {"AuthToken": "a" * 15}, VALUE, "Invalid AuthToken provided."),
    ("bad-token-129", {"AuthToken": "a" * 129}, VALUE, "Invalid AuthToken provided."),
    ("bad-token-empty", {"AuthToken": ""}, VALUE, "Invalid AuthToken provided."),
    *(
        (f"bad-token-{name}", {"AuthToken": "a" * 16 + character}, VALUE, "Invalid AuthToken provided.")
        for name, character in (
            *(("slash", "/"), ("quote", '"'), ("at", "@"), ("percent", "%"), ("space", " "), ("star", "*")),
            *(("umlaut", "ä"), ("newline", "\n")),
        )
    ),
    (
        "create-token-tls-off",
        {"AuthToken": TOKEN_A, "TransitEncryptionEnabled": False},
        VALUE,
        "The AUTH token is only supported when encryption-in-transit is enabled",
    ),
]


@pytest.mark.parametrize(
    ("members", "code", "message"),
    [pytest.param(*row[1:], id=f"facts-3-{row[0]}") for row in CREATE_ROWS],
)
def test_create_is_refused(emulator: Any, members: dict[str, Any], code: str, message: str) -> None:
    assert refusal(lambda: create(emulator, **members)) == (code, message, 400)
    assert emulator.groups() == []


@pytest.mark.parametrize("length", [16, 128], ids=["facts-5-token-16", "facts-5-token-128"])
def test_a_token_of_allowed_length_and_characters_is_taken(emulator: Any, length: int) -> None:
    token = ("aZ9!&#$^<>-" * 12)[:length]
    create(emulator, AuthToken=token)
    assert emulator.group(GROUP)["slots"] == [token]


def test_facts_3_bad_token_on_modify(emulator: Any) -> None:
    make_state(emulator, "required")
    call: dict[str, Any] = {"AuthToken": "a" * 16 + "%", "AuthTokenUpdateStrategy": "ROTATE"}
    assert refusal(lambda: modify(emulator, **call)) == (VALUE, "Invalid AuthToken provided.", 400)


@pytest.mark.parametrize("value", ["accepted", "refused"])
def test_variant_modify_with_a_wider_token(emulator: Any, value: str) -> None:
    emulator.variants({"modify-wider-token": value})
    make_state(emulator, "required")
    before = emulator.group(GROUP)["slots"]
    for character in "_~.,;:'()[]{}|*+=?`\\":
        token = f"{character}{TOKEN_A}"
        if value == "accepted":
            modify(emulator, AuthToken=token, AuthTokenUpdateStrategy="ROTATE")
            assert emulator.group(GROUP)["slots"][-1] == token
            continue
        call: dict[str, Any] = {"AuthToken": token, "AuthTokenUpdateStrategy": "ROTATE"}
        assert refusal(functools.partial(modify, emulator, **call)) == (VALUE, "Invalid AuthToken provided.", 400)
        assert emulator.group(GROUP)["slots"] == before
    for character in '/"@%\u00e9':
        call = {"AuthToken": f"{character}{TOKEN_A}", "AuthTokenUpdateStrategy": "ROTATE"}
        assert refusal(functools.partial(modify, emulator, **call)) == (VALUE, "Invalid AuthToken provided.", 400)
    call = {"AuthToken": f"{TOKEN_A}_"}
    assert refusal(lambda: create(emulator, "other", **call)) == (VALUE, "Invalid AuthToken provided.", 400)


@pytest.mark.emulator(modify_seconds=3600)
@pytest.mark.parametrize("kind", ["same-call", "other-member"], ids=lambda kind: f"facts-3-modify-not-available-{kind}")
def test_modify_while_not_available_is_refused(emulator: Any, kind: str) -> None:
    make_state(emulator, "required")
    modify(emulator, wait=False, **ROTATE)
    members: dict[str, Any] = ROTATE if kind == "same-call" else {"ReplicationGroupDescription": "other"}
    expected = (STATE, "Replication group must be in available state to modify.", 400)
    assert refusal(lambda: modify(emulator, **members)) == expected


@pytest.mark.emulator(modify_seconds=3600)
@pytest.mark.parametrize(
    "action",
    ["list_tags_for_resource", "add_tags_to_resource", "remove_tags_from_resource"],
    ids=lambda action: f"facts-3-tags-not-available-{action}",
)
def test_tags_while_not_available_are_refused(emulator: Any, action: str) -> None:
    create(emulator, AuthToken=TOKEN_A, Tags=[{"Key": "team", "Value": "blue"}])
    arn = modify(emulator, wait=False, **ROTATE)["ARN"]
    members_by_action: dict[str, dict[str, Any]] = {
        "list_tags_for_resource": {},
        "add_tags_to_resource": {"Tags": [{"Key": "a", "Value": "b"}]},
        "remove_tags_from_resource": {"TagKeys": ["team"]},
    }
    expected = (STATE, "Cluster not in available state to perform tagging operations.", 400)
    client = emulator.client("elasticache")
    assert refusal(lambda: getattr(client, action)(ResourceName=arn, **members_by_action[action])) == expected


@pytest.mark.emulator(modify_seconds=3600)
def test_facts_3_user_busy(emulator: Any) -> None:
    create_user(emulator, "u-1")
    client = emulator.client("elasticache")
    client.modify_user(UserId="u-1", Passwords=[TOKEN_B])
    expected = ("InvalidUserState", "User u-1 has status modifying. Only active users can be modified.", 400)
    assert refusal(lambda: client.modify_user(UserId="u-1", Passwords=[TOKEN_C])) == expected


@pytest.mark.emulator(modify_seconds=3600)
def test_facts_3_user_group_busy(emulator: Any) -> None:
    create_user_group(emulator)
    create_user(emulator, "u-2", "other")
    client = emulator.client("elasticache")
    client.modify_user_group(UserGroupId="ug-1", UserIdsToAdd=["u-2"])
    text = "User group ug-1 has status modifying. Only active user groups can be modified."
    expected = ("InvalidUserGroupState", text, 400)
    assert refusal(lambda: client.modify_user_group(UserGroupId="ug-1", UserIdsToRemove=["ug-1-user"])) == expected
    create(emulator)
    assert refusal(lambda: modify(emulator, UserGroupIdsToAdd=["ug-1"])) == expected


def test_facts_3_default_user_required(emulator: Any) -> None:
    create_user(emulator, "u-1", "app")
    create_user_group(emulator, "ug-2", "redis")
    client = emulator.client("elasticache")
    text = "Redis user group needs to contain a user with the user name default."
    expected = ("DefaultUserRequired", text, 400)
    assert refusal(lambda: client.create_user_group(UserGroupId="ug-1", Engine="redis", UserIds=["u-1"])) == expected
    removal = {"UserGroupId": "ug-2", "UserIdsToRemove": ["ug-2-user"]}
    assert refusal(lambda: client.modify_user_group(**removal)) == expected
    client.create_user_group(UserGroupId="ug-3", Engine="valkey", UserIds=["u-1"])  # a VALKEY group needs none


def test_facts_3_no_password_user_in_a_valkey_group(emulator: Any) -> None:
    create_user(emulator, "u-1", "app", Passwords=None, NoPasswordRequired=True)
    client = emulator.client("elasticache")
    text = "No password user u-1 cannot be added to user group with engine Valkey"
    create = {"UserGroupId": "ug-1", "Engine": "valkey", "UserIds": ["u-1"]}
    assert refusal(lambda: client.create_user_group(**create)) == (COMBINATION, text, 400)


def test_facts_3_not_a_member_refuses_the_whole_request(emulator: Any) -> None:
    create_user_group(emulator)
    create_user(emulator, "u-2", "app")
    client = emulator.client("elasticache")
    code, message, status = refusal(
        lambda: client.modify_user_group(UserGroupId="ug-1", UserIdsToAdd=["u-2"], UserIdsToRemove=["u-3"])
    )
    assert (code, status) == (VALUE, 400)
    assert "is not a member of user group" in message
    shown = client.describe_user_groups(UserGroupId="ug-1")["UserGroups"][0]
    assert (shown["Status"], shown["UserIds"]) == ("active", ["ug-1-user"])


@pytest.mark.parametrize(
    ("passwords", "message"),
    [
        pytest.param(
            [TOKEN_A, TOKEN_B, TOKEN_C],
            "Maximum number of passwords allowed in this service is 2.",
            id="facts-3-third-password",
        ),
        pytest.param(["a" * 15], "Passwords length must be between 16-128 characters.", id="facts-3-password-15"),
        pytest.param(["a" * 129], "Passwords length must be between 16-128 characters.", id="facts-3-password-129"),
    ],
)
def test_passwords_are_refused(emulator: Any, passwords: list[str], message: str) -> None:
    assert refusal(lambda: create_user(emulator, "u-1", Passwords=passwords)) == (VALUE, message, 400)
    create_user(emulator, "u-1")
    client = emulator.client("elasticache")
    assert refusal(lambda: client.modify_user(UserId="u-1", Passwords=passwords)) == (VALUE, message, 400)


@pytest.mark.parametrize(
    ("members", "code", "message"),
    [
        pytest.param(
            {"Engine": "valkey"},
            VALUE,
            "This API doesn't support Valkey engine. "
            "Please use CreateReplicationGroup API for Valkey cluster creation.",
            id="facts-3-cache-cluster-valkey",
        ),
        pytest.param(
            {"Engine": "redis", "TransitEncryptionEnabled": True, "AuthToken": TOKEN_A},
            COMBINATION,
            "Encryption feature is not supported for engine REDIS.",
            id="facts-3-cache-cluster-redis-tls",
        ),
    ],
)
def test_create_cache_cluster_is_refused(emulator: Any, members: dict[str, Any], code: str, message: str) -> None:
    client = emulator.client("elasticache")
    call = {"CacheClusterId": "c-1", "CacheNodeType": "cache.t4g.micro", "NumCacheNodes": 1, **members}
    assert refusal(lambda: client.create_cache_cluster(**call)) == (code, message, 400)


@pytest.mark.parametrize(
    ("action", "members", "code", "status"),
    [
        pytest.param(
            "describe_replication_groups",
            {"ReplicationGroupId": "nope"},
            "ReplicationGroupNotFoundFault",
            404,
            id="facts-3-code-group-not-found",
        ),
        pytest.param(
            "modify_replication_group",
            {"ReplicationGroupId": "nope"},
            "ReplicationGroupNotFoundFault",
            404,
            id="facts-3-code-group-not-found-modify",
        ),
        pytest.param(
            "describe_user_groups",
            {"UserGroupId": "nope"},
            "UserGroupNotFound",
            404,
            id="facts-3-code-user-group-not-found",
        ),
        pytest.param("describe_users", {"UserId": "nope"}, "UserNotFound", 404, id="facts-3-code-user-not-found"),
        pytest.param(
            "modify_user", {"UserId": "nope", "AccessString": "on"}, "UserNotFound", 404, id="facts-3-code-modify-user"
        ),
    ],
)
def test_wire_codes(emulator: Any, action: str, members: dict[str, Any], code: str, status: int) -> None:
    client = emulator.client("elasticache")
    found = refusal(lambda: getattr(client, action)(**members))
    assert (found[0], found[2]) == (code, status)


@pytest.mark.parametrize(
    ("engine", "version", "variant", "code", "text"),
    [
        pytest.param("redis", "5.0.5", "unsupported-version", COMBINATION, "redis version 5.0.5", id="unsupported"),
        pytest.param("redis", "5.0.5", "minimum-version", VALUE, "5.0.6 or later", id="minimum"),
    ],
)
def test_facts_3_engine_too_old_for_a_token_modify(
    emulator: Any, engine: str, version: str, variant: str, code: str, text: str
) -> None:
    emulator.variants({"engine-too-old": variant})
    create(emulator, Engine=engine, EngineVersion=version, AuthToken=TOKEN_A)
    found_code, message, status = refusal(lambda: modify(emulator, **ROTATE))
    assert (found_code, status) == (code, 400)
    assert text in message


@pytest.mark.parametrize(
    ("version", "allowed"),
    [("3.2.4", False), ("3.2.6", True), ("3.2.10", False), ("4.0.10", True), ("5.0.5", True), ("7.1", True)],
    ids=lambda value: f"facts-3-create-token-engine-{value}" if isinstance(value, str) else "",
)
def test_a_token_at_creation_needs_its_engine(emulator: Any, version: str, allowed: bool) -> None:
    if allowed:
        create(emulator, Engine="redis", EngineVersion=version, AuthToken=TOKEN_A)
        assert emulator.group(GROUP)["slots"] == [TOKEN_A]
    else:
        call: dict[str, Any] = {"Engine": "redis", "EngineVersion": version, "AuthToken": TOKEN_A}
        assert refusal(lambda: create(emulator, **call))[0] == COMBINATION


def test_facts_5_user_groups_need_their_engine(emulator: Any) -> None:
    create_user_group(emulator, "ug-r", "redis")
    create_user_group(emulator, "ug-v", "valkey")
    create(emulator, "old", Engine="redis", EngineVersion="5.0.6")
    assert refusal(lambda: modify(emulator, "old", UserGroupIdsToAdd=["ug-r"]))[0] == COMBINATION
    create(emulator, "redis", Engine="redis", EngineVersion="7.1")
    assert refusal(lambda: modify(emulator, "redis", UserGroupIdsToAdd=["ug-v"]))[0] == COMBINATION
    assert modify(emulator, "redis", UserGroupIdsToAdd=["ug-r"])["user_group_ids"] == ["ug-r"]
    create(emulator, "valkey")
    assert modify(emulator, "valkey", UserGroupIdsToAdd=["ug-r"])["user_group_ids"] == ["ug-r"]


@pytest.mark.parametrize(
    "identifier",
    ["1cache", "cache--1", "cache-", "-cache", "ca_che", "a" * 41, "cäche"],
    ids=lambda identifier: f"facts-5-id-{identifier[:8].encode('ascii', 'replace').decode()}",
)
def test_identifiers_are_refused(emulator: Any, identifier: str) -> None:
    assert refusal(lambda: create(emulator, identifier, wait=False))[0] == VALUE


def test_facts_5_identifiers_are_stored_in_lower_case(emulator: Any) -> None:
    assert create(emulator, "My-Cache", wait=False)["ReplicationGroupId"] == "my-cache"
    client = emulator.client("elasticache")
    assert client.describe_replication_groups(ReplicationGroupId="MY-CACHE")["ReplicationGroups"]
    assert refusal(lambda: create(emulator, "mY-cache", wait=False))[0] == "ReplicationGroupAlreadyExists"


def test_facts_5_a_secondary_refuses_a_token_and_inherits_the_primarys(emulator: Any) -> None:
    create(emulator, "primary", AuthToken=TOKEN_A)
    client = emulator.client("elasticache")
    global_id = client.create_global_replication_group(
        GlobalReplicationGroupIdSuffix="g", PrimaryReplicationGroupId="primary"
    )["GlobalReplicationGroup"]["GlobalReplicationGroupId"]
    elsewhere = emulator.client("elasticache", region="eu-west-1")
    elsewhere.create_replication_group(
        ReplicationGroupId="secondary", ReplicationGroupDescription="d", GlobalReplicationGroupId=global_id
    )
    assert emulator.wait_available("secondary")["slots"] == [TOKEN_A]
    shown = elsewhere.describe_replication_groups(ReplicationGroupId="secondary")["ReplicationGroups"][0]
    assert shown["GlobalReplicationGroupInfo"] == {
        "GlobalReplicationGroupId": global_id,
        "GlobalReplicationGroupMemberRole": "SECONDARY",
    }
    call = {"ReplicationGroupId": "secondary", "ApplyImmediately": True, **ROTATE}
    assert refusal(lambda: elsewhere.modify_replication_group(**call))[0] == COMBINATION
    modify(emulator, "primary", **ROTATE)
    assert emulator.group("secondary")["slots"] == [TOKEN_A, TOKEN_C]
    members = client.describe_global_replication_groups(GlobalReplicationGroupId=global_id, ShowMemberInfo=True)
    assert [item["Role"] for item in members["GlobalReplicationGroups"][0]["Members"]] == ["PRIMARY", "SECONDARY"]


def test_facts_5_a_serverless_cache_is_recognised_and_is_no_replication_group(emulator: Any) -> None:
    client = emulator.client("elasticache")
    client.create_serverless_cache(ServerlessCacheName="sls", Engine="valkey")
    shown = client.describe_serverless_caches(ServerlessCacheName="sls")["ServerlessCaches"][0]
    assert (shown["ServerlessCacheName"], shown["Engine"]) == ("sls", "valkey")
    assert refusal(lambda: modify(emulator, "sls", **ROTATE))[0] == "ReplicationGroupNotFoundFault"


def test_facts_5_user_group_limits(emulator: Any) -> None:
    create_user_group(emulator, "ug-1")
    create_user_group(emulator, "ug-2")
    create(emulator)
    assert refusal(lambda: modify(emulator, UserGroupIdsToAdd=["ug-1", "ug-2"]))[0] == VALUE
    modify(emulator, UserGroupIdsToAdd=["ug-1"])
    assert refusal(lambda: modify(emulator, UserGroupIdsToAdd=["ug-2"]))[0] == VALUE
    swapped = modify(emulator, UserGroupIdsToAdd=["ug-2"], UserGroupIdsToRemove=["ug-1"])
    assert swapped["user_group_ids"] == ["ug-2"]


def test_facts_5_an_iam_users_id_is_its_name(emulator: Any) -> None:
    client = emulator.client("elasticache")
    user = {"Engine": "valkey", "AccessString": "on ~* +@all", "AuthenticationMode": {"Type": "iam"}}
    assert refusal(lambda: client.create_user(UserId="u-1", UserName="other", **user))[0] == COMBINATION
    assert client.create_user(UserId="u-1", UserName="u-1", **user)["Authentication"] == {"Type": "iam"}


def test_a_user_group_in_use_cannot_be_deleted(emulator: Any) -> None:
    make_state(emulator, "rbac")
    client = emulator.client("elasticache")
    assert refusal(lambda: client.delete_user_group(UserGroupId="ug-1"))[0] == "InvalidUserGroupState"
    wait_active(emulator, "ug-1")
