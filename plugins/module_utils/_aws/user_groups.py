# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""User groups as the API shows them, the calls on them, and whether a replication group may take them.

Refusals: elasticache-facts §3, §5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._core.errors import AuthError
from .._fan_out import fan_out
from .clients import Clients
from .errors import Kind, classify, explain
from .groups import Group
from .lifecycle import ResourceCall, as_tags
from .users import ACTIVE, SINGLY, pages

CREATE, MODIFY, DELETE = "CreateUserGroup", "ModifyUserGroup", "DeleteUserGroup"
#: The most users that a user group takes (elasticache-facts §5).
MOST_USERS = 100


@dataclass(frozen=True)
class UserGroup:
    """What DescribeUserGroups shows of one user group."""

    id: str
    arn: str
    status: str
    engine: str
    user_ids: tuple[str, ...]
    replication_groups: tuple[str, ...]
    serverless_caches: tuple[str, ...]
    pending: bool
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def busy(self) -> bool:
        """Whether a change is under way; AWS takes no other one meanwhile, nor one of its users."""
        return self.status != ACTIVE or self.pending


def parse(raw: Mapping[str, Any]) -> UserGroup:
    """Return the user group that a member of DescribeUserGroups' answer describes."""
    pending = raw.get("PendingChanges") or {}
    return UserGroup(
        id=raw["UserGroupId"],
        arn=raw.get("ARN", ""),
        status=raw.get("Status", ""),
        engine=str(raw.get("Engine") or "").lower(),
        user_ids=tuple(raw.get("UserIds") or ()),
        replication_groups=tuple(raw.get("ReplicationGroups") or ()),
        serverless_caches=tuple(raw.get("ServerlessCaches") or ()),
        pending=bool(pending.get("UserIdsToAdd") or pending.get("UserIdsToRemove")),
        raw=raw,
    )


# --- Reading --------------------------------------------------------------------------------------------------------


def describe_user_groups(clients: Clients, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return those of the user groups that exist, by id. Raises :class:`AuthError`."""
    try:
        return {key: dict(group.raw) for key, group in find_user_groups(clients, ids).items()}
    except Exception as error:
        raise AuthError(explain(error, "elasticache:DescribeUserGroups", clients.region)) from error


def find_user_groups(clients: Clients, ids: Iterable[str]) -> dict[str, UserGroup]:
    """Return those of the user groups that exist, by id. Raises botocore's exceptions."""
    wanted = list(dict.fromkeys(ids))
    if len(wanted) > SINGLY:
        found = {group.id: group for group in sweep_user_groups(clients)}
        return {key: found[key] for key in wanted if key in found}
    results = fan_out(wanted, lambda key: find_user_group(clients, key))
    for result in results.values():
        if isinstance(result, Exception):
            raise result
    return {key: group for key, group in results.items() if isinstance(group, UserGroup)}


def find_user_group(clients: Clients, group_id: str) -> UserGroup | None:
    """Return the user group, ``None`` where there is none. Raises botocore's exceptions."""
    try:
        answer = clients.patiently(lambda: clients.repeatable.describe_user_groups(UserGroupId=group_id))
    except Exception as error:
        if classify(error) is Kind.NOT_FOUND:
            return None
        raise
    return parse(answer["UserGroups"][0])


def sweep_user_groups(clients: Clients) -> Iterator[UserGroup]:
    """Yield every user group of the region, a page of 100 a call. Raises botocore's exceptions."""
    for page in pages(clients, clients.repeatable.describe_user_groups):
        yield from map(parse, page["UserGroups"])


# --- Calls ----------------------------------------------------------------------------------------------------------


def creation(group_id: str, engine: str, user_ids: Iterable[str], tags: Mapping[str, str]) -> ResourceCall:
    """Return the call that makes the user group."""
    parameters: dict[str, Any] = {"UserGroupId": group_id, "Engine": engine}
    if users := list(user_ids):
        parameters["UserIds"] = users
    if tags:
        parameters["Tags"] = as_tags(tags)
    return ResourceCall(CREATE, parameters, ("engine", "user_ids"))


def modification(group_id: str, *, engine: str | None, add: Iterable[str], remove: Iterable[str]) -> ResourceCall:
    """Return the call that changes the user group. All of it is one call: a ``default`` takes another one's place."""
    given = {"Engine": engine, "UserIdsToAdd": list(add), "UserIdsToRemove": list(remove)}
    members = {name: value for name, value in given.items() if value}
    options = ["engine"] if engine else []
    if len(members) > len(options):
        options.append("user_ids")
    return ResourceCall(MODIFY, {"UserGroupId": group_id, **members}, tuple(options))


def deletion(group_id: str) -> ResourceCall:
    """Return the call that ends the user group."""
    return ResourceCall(DELETE, {"UserGroupId": group_id})


# --- Attaching ------------------------------------------------------------------------------------------------------


def check_attachable(group: Group, ids: Iterable[str], found: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise :class:`AuthError` where AWS would not attach one of the user groups ``ids`` to ``group``."""
    for key in ids:
        user_group = found.get(key)
        if user_group is None:
            raise AuthError(
                f"{group.id}: user_group_ids: there is no user group {key} in its region. Create it, or name another."
            )
        if user_group.get("Status") != "active":
            raise AuthError(
                f"{group.id}: user_group_ids: the user group {key} is {user_group.get('Status')}, and only an active "
                "one can be attached. Run this again when it is active."
            )
        if group.engine == "redis" and str(user_group.get("Engine", "")).lower() != "redis":
            raise AuthError(
                f"{group.id}: user_group_ids: the user group {key} is for {user_group.get('Engine')}, and a Redis OSS "
                "group takes only those for redis. Name one of these."
            )
