# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The operations, as data: what each finds, how its role is called, and where it must arrive.

All that the benchmark knows of the roles is here: their variables are those of ``Operation.options`` and of
``role_variables``, and the playbook of an operation has its name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from waiting import wait_until

if TYPE_CHECKING:
    from conftest import Emulator

KEY = "auth_token"
#: How long ago the token was last changed, in days: more than the role's default of 90, so that it is due.
TOKEN_AGE = 100
#: What is not there: no secret, no token in it.
Token = str | None


class Group(NamedTuple):
    """Where a group is, and its id."""

    region: str
    id: str


def secret_name(group: str) -> str:
    """The name of a group's secret, as the roles have it by default."""
    return f"elasticache/{group}/auth-token"


def old_token(group: str) -> str:
    """The token that a group demands at first."""
    return f"Old-token-of-{group}-Aequ4ahx"


def newer_token(group: str) -> str:
    """The token that has replaced it, where it is to be rolled back."""
    return f"Newer-token-of-{group}-ohV3eiQu"


def users_password(group: str) -> str:
    """The password of a group's users."""
    return f"Password-of-{group}-Eing9aeM"


# --- What it finds ----------------------------------------------------------------------------------------------------


def create_group(emulator: Emulator, group: Group, **members: Any) -> None:
    """Begin the creation of a group of two nodes."""
    emulator.client("elasticache", region=group.region).create_replication_group(
        **{
            "ReplicationGroupId": group.id,
            "ReplicationGroupDescription": "one of a fleet",
            "Engine": "valkey",
            "NumCacheClusters": 2,
            "TransitEncryptionEnabled": True,
            **members,
        }
    )


def put_token(emulator: Emulator, group: Group, token: str) -> None:
    """Store a token as the roles do; an empty text is none yet."""
    emulator.client("secretsmanager", region=group.region).create_secret(
        Name=secret_name(group.id), SecretString=json.dumps({KEY: token})
    )


def with_token(emulator: Emulator, group: Group) -> None:
    """It demands the old token, which is in AWSCURRENT."""
    create_group(emulator, group, AuthToken=old_token(group.id))
    put_token(emulator, group, old_token(group.id))


def without_token(emulator: Emulator, group: Group) -> None:
    """It serves everyone over TLS, and there is no secret."""
    create_group(emulator, group)


def without_tls(emulator: Emulator, group: Group) -> None:
    """It serves everyone, without encryption in transit."""
    create_group(emulator, group, TransitEncryptionEnabled=False)


def with_users(emulator: Emulator, group: Group) -> None:
    """A user group of its own decides; its secret says that there is no token."""
    client = emulator.client("elasticache", region=group.region)
    users = f"{group.id}-known"
    client.create_user(
        UserId=f"{users}-user",
        UserName="default",
        Engine="valkey",
        AccessString="on ~* &* +@all",
        Passwords=[users_password(group.id)],
    )
    client.create_user_group(UserGroupId=users, Engine="valkey", UserIds=[f"{users}-user"])
    wait_until(
        lambda: client.describe_user_groups(UserGroupId=users)["UserGroups"][0]["Status"] == "active",
        f"user group {users} is active",
    )
    create_group(emulator, group, UserGroupIds=[users])
    put_token(emulator, group, "")


def _nothing(_emulator: Emulator, _group: Group) -> None:
    pass


def aged(emulator: Emulator, group: Group) -> None:
    """Its token is due for rotation."""
    emulator.admin("POST", f"groups/{group.id}?region={group.region}", {"token_age_days": TOKEN_AGE})


def rotated(emulator: Emulator, group: Group) -> None:
    """A newer token has replaced the old one, which is in AWSPREVIOUS."""
    client = emulator.client("elasticache", region=group.region)
    for strategy in ("ROTATE", "SET"):
        client.modify_replication_group(
            ReplicationGroupId=group.id,
            AuthToken=newer_token(group.id),
            AuthTokenUpdateStrategy=strategy,
            ApplyImmediately=True,
        )
        emulator.wait_available(group.id, region=group.region)
    emulator.client("secretsmanager", region=group.region).put_secret_value(
        SecretId=secret_name(group.id), SecretString=json.dumps({KEY: newer_token(group.id)})
    )


# --- Where it must arrive ---------------------------------------------------------------------------------------------

Truth = Mapping[str, Any]


def new_token_alone(truth: Truth, current: Token) -> str:
    """It takes the token in AWSCURRENT alone, and that is a new one."""
    if not current:
        return "AWSCURRENT has no token"
    if current == old_token(truth["id"]):
        return "AWSCURRENT still is the old token"
    if truth["mode"] != "required" or truth["slots"] != [current]:
        return f"it is {truth['mode']}, and not required with the token in AWSCURRENT"
    return ""


def old_token_alone(truth: Truth, current: Token) -> str:
    """It takes the old token alone, which is in AWSCURRENT."""
    if current != old_token(truth["id"]):
        return "AWSCURRENT is not the old token"
    if truth["mode"] != "required" or truth["slots"] != [current]:
        return f"it is {truth['mode']}, and not required with the old token"
    return ""


def tls_required(truth: Truth, _current: Token) -> str:
    """Encryption in transit is required, and access control has not changed."""
    return "" if (truth["tls"], truth["mode"]) == ("required", "open") else f"it is {truth['mode']}, TLS {truth['tls']}"


def users_decide(truth: Truth, _current: Token) -> str:
    """The user group that was made for it decides."""
    wanted = [f"{truth['id']}-users"]
    return "" if truth["user_group_ids"] == wanted else f"it is {truth['mode']} with {truth['user_group_ids']}"


def everyone_is_served(truth: Truth, current: Token) -> str:
    """There is no access control, and AWSCURRENT says that there is no token."""
    return "" if (truth["mode"], current) == ("open", "") else f"it is {truth['mode']}"


# --- The operations ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operation:
    """One operation, whose role and playbook have its name.

    ``create`` begins to make a group; ``prepare`` does what can be done only once it is available. ``options``: the
    role's variables besides those of ``role_variables``, without the role's name. ``probes``: whether it asks nodes.
    ``arrived``: what is wrong with an available group, given its truth and the token in AWSCURRENT; empty if nothing.
    """

    name: str
    create: Callable[[Emulator, Group], None]
    arrived: Callable[[Truth, Token], str]
    prepare: Callable[[Emulator, Group], None] = _nothing
    options: Mapping[str, Any] = field(default_factory=dict)
    probes: bool = True

    def problem(self, truth: Truth, current: Token) -> str:
        """What is wrong with one group at the end; empty where nothing is."""
        why = self.arrived(truth, current) if truth["status"] == "available" else f"it is {truth['status']}"
        return f"{truth['id']}: {why}" if why else ""


OPERATIONS: Mapping[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation("rotate_token", with_token, new_token_alone, prepare=aged),
        Operation("enable_auth", without_token, new_token_alone, options={"create_secret": True}),
        Operation("enable_tls", without_tls, tls_required, probes=False),
        Operation("migrate_auth_to_rbac", with_token, users_decide),
        Operation("migrate_rbac_to_auth", with_users, new_token_alone, options={"accept_open_window": True}),
        Operation("rollback_token", with_token, old_token_alone, prepare=rotated),
        Operation("disable_access_control", with_token, everyone_is_served, options={"accept_open_access": True}),
    )
}


def role_variables(
    operation: Operation, *, ca_bundle: str, poll_seconds: float, soak: float, wait_timeout: float
) -> dict[str, Any]:
    """The variables that each role is called with, but for which groups."""
    common = {"soak": soak, "wait_delay": poll_seconds, "wait_timeout": wait_timeout, **operation.options}
    if operation.probes:
        common["data_plane_ca_path"] = ca_bundle
    return {f"{operation.name}_{name}": value for name, value in common.items()}


def listed_groups(operation: Operation, groups: Sequence[Group]) -> dict[str, Any]:
    """The variable that names the groups, where the playbook runs on localhost: one entry a region."""
    regions: dict[str, list[str]] = {}
    for group in groups:
        regions.setdefault(group.region, []).append(group.id)
    listed = [{"region": region, "replication_group_ids": ids} for region, ids in regions.items()]
    return {f"{operation.name}_replication_groups": listed}


def hosts_of_groups(operation: Operation, hosts: str) -> dict[str, Any]:
    """The variable that names the hosts, where each stands for its group."""
    return {f"{operation.name}_hosts": hosts}


def playbook(operation: Operation) -> str:
    """The operation's playbook."""
    return f"elasticache.auth.{operation.name}"
