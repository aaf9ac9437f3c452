# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Users and their user groups as the tests of the modules for them find them, and what is seen of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integration import direct
from waiting import wait_until

if TYPE_CHECKING:
    from conftest import Emulator

TAG = "elasticache.auth/passwords"
#: Passwords without a character that JSON or a URL would write otherwise, so that a leak can't hide behind one.
A = "Ohpeipah9aiTh0phaek7-old"
B = "Eik5ohd8Ahngoh0ahXu4-new"
C = "Iey3Wee0uchei6Ahd2oh-3rd"
SECRETS = [A, B, C]
NEW: dict[str, Any] = {
    "user_name": "reader",
    "engine": "valkey",
    "access_string": "on ~shop:* -@all +@read",
    "passwords": [A],
}


def run(emulator: Emulator, *, check: bool = False, user_id: str = "reader-1", **args: Any) -> dict[str, Any]:
    """Run the module in this process; no password may show, in its result or in a tag."""
    given = {"user_id": user_id, "wait_delay": 0.05, "wait_timeout": 120, **args}
    given = {name: value for name, value in given.items() if value is not None}
    ended = direct.run(emulator, "user", given, check=check, hidden=SECRETS)
    direct.assert_no_token(str(tags(emulator, user_id)), SECRETS)
    return {**ended.result, "failed": ended.failed, "changed": ended.changed, "warnings": told(ended)}


def told(ended: direct.ModuleRun) -> list[str]:
    """The warnings' words."""
    return [
        str(warning["event"]["msg"]) if isinstance(warning, dict) else str(warning)
        for warning in ended.result.get("warnings", [])
    ]


def changed(emulator: Emulator, **args: Any) -> dict[str, Any]:
    """Run the module and check that it changes something."""
    result = run(emulator, **args)
    assert not result["failed"], result["msg"]
    assert result["changed"], result["msg"]
    return result


def unchanged(emulator: Emulator, **args: Any) -> dict[str, Any]:
    """Run the module and check that it changes nothing, and makes no call that could."""
    before = direct.mutating(emulator)
    result = run(emulator, **args)
    assert not result["failed"], result["msg"]
    assert not result["changed"], result["msg"]
    assert result["api_calls"] == []
    assert direct.mutating(emulator) == before
    return result


def refused(emulator: Emulator, *words: str, **args: Any) -> dict[str, Any]:
    """Run the module and check that it fails with these words, without a call that could change anything."""
    before = direct.mutating(emulator)
    result = run(emulator, **args)
    assert result["failed"], result["msg"]
    for word in words:
        assert word in result["msg"]
    assert direct.mutating(emulator) == before
    assert not result["changed"]
    assert "exception" not in result
    return result


def truth(emulator: Emulator, user_id: str = "reader-1") -> dict[str, Any] | None:
    """What AWS shows of a user."""
    found = emulator.client("elasticache").describe_users(MaxRecords=100)["Users"]
    return next((user for user in found if user["UserId"] == user_id), None)


def tags(emulator: Emulator, user_id: str = "reader-1") -> dict[str, str]:
    """The tags of a user, none where there is no such user."""
    user = truth(emulator, user_id)
    if user is None:
        return {}
    found = emulator.client("elasticache").list_tags_for_resource(ResourceName=user["ARN"])["TagList"]
    return {tag["Key"]: tag["Value"] for tag in found}


def make(emulator: Emulator, user_id: str = "reader-1", **members: Any) -> str:
    """Make a user behind the module's back, with the password A unless ``members`` say otherwise."""
    given = {"UserName": "reader", "Engine": "valkey", "AccessString": "on ~shop:* -@all +@read", **members}
    if "NoPasswordRequired" not in given and "AuthenticationMode" not in given:
        given.setdefault("Passwords", [A])
    emulator.client("elasticache").create_user(UserId=user_id, **given)
    return user_id


def active(emulator: Emulator) -> None:
    """Wait until nothing is under way at any user or user group."""
    client = emulator.client("elasticache")

    def settled() -> bool:
        found = (
            client.describe_users(MaxRecords=100)["Users"] + client.describe_user_groups(MaxRecords=100)["UserGroups"]
        )
        return all(resource["Status"] == "active" for resource in found)

    wait_until(settled, "users and user groups are active")


def make_group(emulator: Emulator, group_id: str, *user_ids: str, engine: str = "valkey") -> str:
    """Make a user group behind the module's back."""
    emulator.client("elasticache").create_user_group(UserGroupId=group_id, Engine=engine, UserIds=list(user_ids))
    active(emulator)
    return group_id


def attach(emulator: Emulator, group_id: str = "ug", replication_group_id: str = "shop") -> str:
    """Make a replication group that has the user group."""
    emulator.client("elasticache").create_replication_group(
        ReplicationGroupId=replication_group_id,
        ReplicationGroupDescription="d",
        Engine="valkey",
        TransitEncryptionEnabled=True,
        NumCacheClusters=2,
        UserGroupIds=[group_id],
    )
    emulator.wait_available(replication_group_id)
    return replication_group_id


def accepted(emulator: Emulator, password: str, user_name: str = "reader", group: str = "shop") -> bool:
    """Whether the nodes accept the user with this password."""
    args = {
        "replication_group_id": group,
        "credentials": [{"name": "it", "username": user_name, "auth_token": password}],
        "data_plane_ca_path": emulator.ca_bundle,
    }
    ended = direct.run(emulator, "auth_probe", args, hidden=SECRETS)
    assert not ended.failed, ended.msg
    return bool(ended.of(group)["answers"]["it"] == "accepted")


def scene(emulator: Emulator, **members: Any) -> dict[str, Any]:
    """Make a user with the password A whose nodes can be asked; returns the options that ask them."""
    make(emulator, **members)
    make_group(emulator, "ug", "reader-1")
    attach(emulator)
    return {"probe_replication_group_id": "shop", "data_plane_ca_path": emulator.ca_bundle}
