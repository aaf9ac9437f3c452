# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The users and user groups of an operation: their ids, what there is of them, and whom else they serve."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._auth.observe import Observation
from .._aws.clients import Clients
from .._aws.errors import explain
from .._aws.groups import Group
from .._aws.user_groups import UserGroup, find_user_groups
from .._aws.users import AWS_USER, DEFAULT_NAME, User, describe_users
from .._core.errors import AuthError
from .._core.operations import (
    LEAVING_RBAC,
    Operation,
    Step,
    StepPlan,
)
from .._resource.bridge_user import Bridge, read_bridges
from .._resource.exclusive import other_user_groups, shared_user, shared_user_group
from .._resource.rbac import checked_id
from .request import OperationRequest

#: The operations that pass through user groups of their own, or end in one.
WITH_USERS = (Operation.MIGRATE_AUTH_TO_RBAC, Operation.DISABLE_ACCESS_CONTROL, Operation.ROLLBACK_TOKEN)


_ID_LENGTH = 40


@dataclass(frozen=True)
class Ids:
    """The users and user groups of one group's operation."""

    user_group: str = ""
    user: str = ""
    open_user_group: str = ""

    def without(self, options: Container[str]) -> Ids:
        """Return those that are deleted where what these options name is not: a member of a user group stays in it."""
        stays = "user_group_id" in options
        return Ids(
            "" if stays else self.user_group,
            "" if stays or "user_id" in options else self.user,
            "" if "open_user_group_id" in options else self.open_user_group,
        )


@dataclass(frozen=True)
class Others:
    """The user groups and users that were looked up. ``bridges``: by bridge user, what it is for, and the references of
    its passwords.
    """

    user_groups: Mapping[str, UserGroup] = field(default_factory=dict)
    users: Mapping[str, User] = field(default_factory=dict)
    bridges: Mapping[str, tuple[Bridge | None, tuple[str, ...]]] = field(default_factory=dict)


def resolve_ids(request: OperationRequest, ids: Iterable[str]) -> dict[str, Ids | AuthError]:
    """Return the users and user groups for each group; each error is the group's own.

    Raises :class:`AuthError` where two groups would share one.
    """
    resolved: dict[str, Ids | AuthError] = {}
    owners: dict[str, str] = {}
    for key in ids:
        try:
            resolved[key] = found = ids_of(request, key)
        except AuthError as error:
            resolved[key] = error
            continue
        for option, what, name in (
            ("user_group_id", "user group", found.user_group),
            ("user_id", "user", found.user),
            ("open_user_group_id", "user group", found.open_user_group),
        ):
            owner = owners.setdefault(f"{what} {name}", key)
            if name and owner != key and request.operation in (*WITH_USERS, Operation.MIGRATE_RBAC_TO_AUTH):
                raise AuthError(
                    f"{owner}, {key}: they would share {option}: {name}, and with it clients of the one would be "
                    "accepted by the other. Put {replication_group_id} into it, so that each has its own."
                )
    return resolved


def ids_of(request: OperationRequest, key: str) -> Ids:
    """Return the users and user groups for one group. Raises :class:`AuthError` for those that can't be."""
    found = []
    for option in ("user_group_id", "user_id", "open_user_group_id"):
        name = str(getattr(request, option)).replace("{replication_group_id}", key).lower()
        if len(name) > _ID_LENGTH:
            raise AuthError(f"{key}: {option}: {name} has {len(name)} characters, AWS takes {_ID_LENGTH}. Shorten it.")
        if name:
            name = checked_id(name, f"{key}: {option}", "user" if option == "user_id" else "user group")
        if option == "user_id" and name == AWS_USER:
            raise AuthError(
                f"{key}: user_id: the user with the id {AWS_USER} is AWS's own, and its password can't be set. "
                f"Name another id; a user of another id can have the name {DEFAULT_NAME}."
            )
        found.append(name)
    ids = Ids(*found)
    if ids.user_group and ids.user_group == ids.open_user_group:
        raise AuthError(
            f"{key}: user_group_id and open_user_group_id are both {ids.user_group}, but the one accepts the token and "
            "the other everyone. Give them different ids."
        )
    return ids


def find_others(
    clients: Clients, request: OperationRequest, seen: Mapping[str, Observation], ids: Mapping[str, Ids]
) -> Others:
    wanted_groups: list[str] = []
    wanted_users: list[str] = []
    for key, observation in seen.items():
        if request.operation in LEAVING_RBAC:
            wanted_groups += observation.group.user_group_ids
        if request.operation in WITH_USERS:
            wanted_groups += filter(None, (ids[key].user_group, ids[key].open_user_group))
            wanted_users += filter(None, (ids[key].user,))
        if request.operation is Operation.MIGRATE_RBAC_TO_AUTH:
            wanted_users.append(ids[key].user)
    if not wanted_groups and not wanted_users:
        return Others()
    try:
        user_groups = find_user_groups(clients, wanted_groups)
        for user_group in user_groups.values():
            wanted_users += user_group.user_ids
        users = describe_users(clients, wanted_users)
        known = (*WITH_USERS, Operation.MIGRATE_RBAC_TO_AUTH)
        own = {own_ids.user for own_ids in ids.values()} if request.operation in known else set()
        beside = {key for user in users.values() if user.id in own for key in user.user_group_ids} - set(user_groups)
        user_groups = {**user_groups, **find_user_groups(clients, beside)}
        if request.operation is not Operation.MIGRATE_RBAC_TO_AUTH:
            return Others(user_groups, users)
        bridges = read_bridges(clients, [user for user in users.values() if user.id in own])
        return Others(user_groups, users, bridges)
    except Exception as error:
        actions = "elasticache:DescribeUserGroups, elasticache:DescribeUsers and elasticache:ListTagsForResource"
        if request.operation is not Operation.MIGRATE_RBAC_TO_AUTH:
            actions = "elasticache:DescribeUserGroups and elasticache:DescribeUsers"
        raise AuthError(explain(error, actions, clients.region)) from error


def users_of(group: Group, others: Others, rbac_tokens: Iterable[str], current: str) -> list[dict[str, Any]]:
    """Return the users of the group's user groups; ``retains_access``: clients that authenticate so are accepted
    afterwards too.
    """
    found = []
    for user_group_id in group.user_group_ids:
        user_group = others.user_groups.get(user_group_id)
        for user_id in user_group.user_ids if user_group else ():
            user = others.users.get(user_id)
            if user and others.bridges.get(user_id, (None,))[0] is None:
                found.append(
                    {
                        "user_id": user.id,
                        "user_name": user.name,
                        "access_string": user.access_string,
                        "user_group_id": user_group_id,
                        "retains_access": user.name == DEFAULT_NAME and bool(current) and current in set(rbac_tokens),
                    }
                )
    return found


def check_users(operation: Operation, group: Group, ids: Ids, others: Others) -> None:
    """Raise :class:`AuthError` where the users or the user group can't be made."""
    user_group = others.user_groups.get(ids.user_group)
    user = others.users.get(ids.user)
    if user and user.name != DEFAULT_NAME:
        raise AuthError(
            f"{group.id}: user_id: there is a user {user.id} already, with the name {user.name}, and clients that send "
            f"only a token are the user named {DEFAULT_NAME}. Name another id."
        )
    for user_id in user_group.user_ids if user_group else ():
        member = others.users.get(user_id)
        if user_group and member and member.name == DEFAULT_NAME and member.id != ids.user:
            alone = member.id != AWS_USER and not other_user_groups(member, [user_group.id])
            way_out = (
                f"Name that in {operation.value}_user_id if its password may become the token: it serves no other user "
                "group. Or name another user group."
                if alone
                else f"Name another user group in {operation.value}_user_group_id."
            )
            raise AuthError(
                f"{group.id}: user_group_id: the user group {user_group.id} has a user named {DEFAULT_NAME} already, "
                f"{member.id}, and takes no second one. {way_out}"
            )


def shared_with_others(group_id: str, ids: Ids, others: Others) -> dict[str, str]:
    """Return, by option, why a user or user group of the operation is not its own to change: whom else it serves."""
    shared = {}
    user = others.users.get(ids.user)
    words = shared_user(user, [ids.user_group], others.user_groups) if user else ""
    if user and words:
        shared["user_id"] = f"the user {user.id} is also in {words}"
    for option, key in (("user_group_id", ids.user_group), ("open_user_group_id", ids.open_user_group)):
        user_group = others.user_groups.get(key)
        words = shared_user_group(user_group, [group_id]) if user_group else ""
        if words:
            shared[option] = f"the user group {key} also serves {words}"
    return shared


def check_shared(operation: Operation, step_plan: StepPlan, group_id: str, shared: Mapping[str, str]) -> None:
    """Raise :class:`AuthError` where a step makes or changes what serves others too."""
    touched = {"user_id": Step.USERS, "user_group_id": Step.USERS, "open_user_group_id": Step.ATTACH_OPEN}
    for option, why in shared.items():
        if touched[option] in step_plan.steps:
            raise AuthError(
                f"{group_id}: {option}: {why}, and what serves others is never changed or deleted: with it, clients "
                f"of {group_id} would be accepted there, or clients there lose access. Name another one in "
                f"{operation.value}_{option}, best one that does not exist yet."
            )
