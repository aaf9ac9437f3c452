# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Groups in each state of elasticache-facts §1, made with boto3 alone: what the modules meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waiting import wait_until

if TYPE_CHECKING:
    from conftest import Emulator

#: Tokens without a character that JSON or a URL would write otherwise, so that a leak can't hide behind one.
A = "Aaquae7Zooph3yahTheiV1ee-old"
B = "Beengo9ooRaeShahfah2Ieyi-new"
C = "Ceihoo4EiquaivohSh8eTheo-3rd"
D = "Dohreixe6thaYeeP0iechahk-4th"
GROUP = "sessions"
USERS = "ug-1"


def create(emulator: Emulator, group: str = GROUP, *, wait: bool = True, **members: Any) -> str:
    """Create a Valkey group of two nodes with encryption in transit, unless ``members`` say otherwise."""
    request = {
        "Engine": "valkey",
        "TransitEncryptionEnabled": True,
        "ReplicationGroupDescription": "d",
        "NumCacheClusters": 2,
        **members,
    }
    region = request.pop("region", None)
    given = {name: value for name, value in request.items() if value is not None}
    emulator.client("elasticache", region=region).create_replication_group(ReplicationGroupId=group, **given)
    if wait:
        emulator.wait_available(group, **({"region": region} if region else {}))
    return group


def modify(emulator: Emulator, group: str = GROUP, *, wait: bool = True, **members: Any) -> None:
    """Change a group behind the modules' back."""
    emulator.client("elasticache").modify_replication_group(
        **{"ReplicationGroupId": group, "ApplyImmediately": True, **members}
    )
    if wait:
        emulator.wait_available(group)


def rotate(emulator: Emulator, token: str, group: str = GROUP, *, wait: bool = True) -> None:
    """ROTATE behind the modules' back."""
    modify(emulator, group, wait=wait, AuthToken=token, AuthTokenUpdateStrategy="ROTATE")


def set_token(emulator: Emulator, token: str, group: str = GROUP, *, wait: bool = True) -> None:
    """SET behind the modules' back."""
    modify(emulator, group, wait=wait, AuthToken=token, AuthTokenUpdateStrategy="SET")


def create_user_group(emulator: Emulator, group: str = USERS, password: str = A) -> str:
    """Create a user group with one user, named default."""
    client = emulator.client("elasticache")
    client.create_user(
        UserId=f"{group}-user", UserName="default", Engine="redis", AccessString="on ~* +@all", Passwords=[password]
    )
    client.create_user_group(UserGroupId=group, Engine="valkey", UserIds=[f"{group}-user"])
    wait_for_users(emulator, group)
    return group


def wait_for_users(emulator: Emulator, group: str) -> None:
    """Wait until a user group is active."""
    client = emulator.client("elasticache")
    wait_until(
        lambda: client.describe_user_groups(UserGroupId=group)["UserGroups"][0]["Status"] == "active",
        f"user group {group} is active",
    )


def scene(emulator: Emulator, state: str, group: str = GROUP) -> str:
    """Create a group that is open, optional(A), required(A), rotating(A, B) or rbac(ug-1)."""
    if state == "rbac":
        create_user_group(emulator)
        return create(emulator, group, UserGroupIds=[USERS])
    create(emulator, group, AuthToken=A if state in ("required", "rotating") else None)
    if state == "optional":
        rotate(emulator, A, group)
    if state == "rotating":
        rotate(emulator, B, group)
    return group


def create_secondary(
    emulator: Emulator, group: str = GROUP, primary: str = "primary", region: str = "eu-west-1"
) -> str:
    """Create a global datastore with the token A: its primary in another region, and a secondary."""
    create(emulator, primary, AuthToken=A, region=region)
    made = emulator.client("elasticache", region=region).create_global_replication_group(
        GlobalReplicationGroupIdSuffix="world", PrimaryReplicationGroupId=primary
    )
    inherited: dict[str, Any] = {"Engine": None, "TransitEncryptionEnabled": None, "NumCacheClusters": None}
    identifier = made["GlobalReplicationGroup"]["GlobalReplicationGroupId"]
    return create(emulator, group, GlobalReplicationGroupId=identifier, region=emulator.region, **inherited)


def slots(emulator: Emulator, group: str = GROUP) -> list[str | None]:
    """The truth: the credentials in force, oldest first."""
    found: list[str | None] = emulator.group(group)["slots"]
    return found


def put_secret(emulator: Emulator, name: str, current: str, pending: str | None = None) -> str:
    """Store a secret with a version in AWSCURRENT, and one in AWSPENDING; returns its name."""
    client = emulator.client("secretsmanager")
    client.create_secret(Name=name, SecretString=current)
    if pending is not None:
        client.put_secret_value(SecretId=name, SecretString=pending, VersionStages=["AWSPENDING"])
    return name
