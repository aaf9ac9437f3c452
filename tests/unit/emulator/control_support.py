# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What the control plane's tests share: tokens, and ways to bring a group into each state of elasticache-facts §1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import pytest
from botocore.exceptions import ClientError
from waiting import wait_until

TOKEN_A = "Old-token-000000001"
TOKEN_B = "New-token-000000002"
TOKEN_C = "Third-token-0000003"
GROUP = "cache-1"


class RunningEmulator(Protocol):
    """The part of the fixture ``emulator`` that is used here."""

    client: Callable[..., Any]
    wait_available: Callable[..., dict[str, Any]]
    wait_until: Callable[..., dict[str, Any]]


def create(emulator: RunningEmulator, group: str = GROUP, *, wait: bool = True, **members: Any) -> dict[str, Any]:
    """Create a Valkey group with encryption in transit, unless ``members`` say otherwise; returns the answer."""
    request = {"Engine": "valkey", "TransitEncryptionEnabled": True, "ReplicationGroupDescription": "d", **members}
    region = request.pop("region", None)
    client = emulator.client("elasticache", region=region)
    shown = client.create_replication_group(
        ReplicationGroupId=group, **{name: value for name, value in request.items() if value is not None}
    )["ReplicationGroup"]
    if wait:
        emulator.wait_available(group, **({"region": region} if region else {}))
    return shown


def modify(emulator: RunningEmulator, group: str = GROUP, *, wait: bool = True, **members: Any) -> dict[str, Any]:
    """Modify a group at once, and wait for the end; returns the answer, or the truth at the end."""
    shown = emulator.client("elasticache").modify_replication_group(
        **{"ReplicationGroupId": group, "ApplyImmediately": True, **members}
    )["ReplicationGroup"]
    return emulator.wait_available(group) if wait else shown


def wait_active(emulator: RunningEmulator, user_group: str) -> None:
    """Wait until a user group is active."""
    client = emulator.client("elasticache")
    wait_until(
        lambda: client.describe_user_groups(UserGroupId=user_group)["UserGroups"][0]["Status"] == "active",
        f"user group {user_group} is active",
    )


def create_user(emulator: RunningEmulator, user: str, name: str = "default", **members: Any) -> None:
    """Create a user with a password, on an engine that every user group takes."""
    request = {"Engine": "redis", "AccessString": "on ~* +@all", "Passwords": [TOKEN_A], **members}
    given = {member: value for member, value in request.items() if value is not None}
    emulator.client("elasticache").create_user(UserId=user, UserName=name, **given)


def create_user_group(emulator: RunningEmulator, group: str = "ug-1", engine: str = "valkey") -> None:
    """Create a user group with one user, named default, and wait until it is active."""
    create_user(emulator, f"{group}-user")
    emulator.client("elasticache").create_user_group(UserGroupId=group, Engine=engine, UserIds=[f"{group}-user"])
    wait_active(emulator, group)


def make_state(emulator: RunningEmulator, state: str) -> None:
    """Create the group in a state: open, optional, required, rotating, rbac (tokens a, or a then b)."""
    if state == "rbac":
        create_user_group(emulator)
        create(emulator, UserGroupIds=["ug-1"])
        return
    create(emulator, AuthToken=TOKEN_A if state in ("required", "rotating") else None)
    if state == "optional":
        modify(emulator, AuthToken=TOKEN_A, AuthTokenUpdateStrategy="ROTATE")
    if state == "rotating":
        modify(emulator, AuthToken=TOKEN_B, AuthTokenUpdateStrategy="ROTATE")


def refusal(call: Callable[[], Any]) -> tuple[str, str, int]:
    """The code, message and HTTP status that a call is refused with."""
    with pytest.raises(ClientError) as refused:
        call()
    response = refused.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]
