# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""User groups as the API shows them, and whether a replication group may take them (elasticache-facts §3, §5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._core.errors import AuthError
from .._fan_out import fan_out
from .clients import Clients
from .errors import Kind, classify, explain, riding_out_throttling
from .groups import Group


def describe_user_groups(clients: Clients, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return those of the user groups that exist, by id. Raises :class:`AuthError`."""

    def describe(key: str) -> list[dict[str, Any]]:
        answer = riding_out_throttling(lambda: clients.repeatable.describe_user_groups(UserGroupId=key))
        return list(answer["UserGroups"])

    found: dict[str, dict[str, Any]] = {}
    for result in fan_out(ids, describe).values():
        if isinstance(result, Exception):
            if classify(result) is Kind.NOT_FOUND:
                continue
            raise AuthError(explain(result, "elasticache:DescribeUserGroups", clients.region)) from result
        found |= {group["UserGroupId"]: group for group in result}
    return found


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
