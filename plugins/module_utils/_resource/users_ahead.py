# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an operation's steps will call for users and user groups. It reads, and changes nothing.

What makes them is asked in check mode, so that the plan has the calls and the refusals that the steps will have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .._aws import user_groups, users
from .._aws.clients import Clients
from .._aws.lifecycle import ResourceCall as Call
from .._aws.users import ACTIVE, AWS_USER, DEFAULT_NAME, User
from .._core.errors import AuthError
from .reconcile import Manner, Reconciled, Spec, reconcile
from .user_groups import REDIS, UserGroupSpec, wanted_user_group
from .user_wanted import ALWAYS, WantedUser, wanted_user
from .users import UserSpec


@dataclass(frozen=True)
class UsersOrder:
    """The user named default of one replication group, and the user group with it and ``members``.

    ``passwords``: the tokens that the group accepts.
    """

    group_id: str
    engine: str
    user_id: str
    user_group_id: str
    access_string: str
    members: tuple[str, ...] = ()
    passwords: tuple[str, ...] = field(default=(), repr=False)


def wanted_default_user(
    user_id: str, engine: str, access_string: str, passwords: Sequence[str], *, purge_tags: bool
) -> WantedUser:
    """Return a user named default that has these passwords, and no others. Raises :class:`AuthError` for none."""
    given: dict[str, Any] = {
        "user_id": user_id,
        "user_name": DEFAULT_NAME,
        "engine": engine,
        "access_string": access_string,
        "authentication": None,
        "no_password_required": False,
        "passwords": list(passwords),
        "password_secrets": None,
        "update_password": ALWAYS,
        "probe_replication_group_id": None,
        "tags": None,
        "purge_tags": purge_tags,
    }
    return wanted_user(given, passwords)


def user_of(clients: Clients, manner: Manner, order: UsersOrder) -> UserSpec:
    """Return the user as it is to be made. Raises :class:`AuthError` for one that can't be."""
    wanted = wanted_default_user(order.user_id, order.engine, order.access_string, order.passwords, purge_tags=True)
    return UserSpec(clients, wanted, manner, exclusive_to=[order.user_group_id])


def user_group_of(
    clients: Clients, manner: Manner, order: UsersOrder, coming: Mapping[str, User] | None = None
) -> UserGroupSpec:
    """Return the user group as it is to be made. Raises :class:`AuthError` for one that can't be.

    ``coming``: users as they will be by then, in check mode.
    """
    wanted = wanted_user_group(
        {
            "user_group_id": order.user_group_id,
            "engine": order.engine,
            "user_ids": [order.user_id, *order.members],
            "purge_user_ids": False,
            "tags": None,
            "purge_tags": True,
        }
    )
    return UserGroupSpec(clients, wanted, manner, exclusive_to=[order.group_id], coming=coming or {})


def users_calls(clients: Clients, manner: Manner, order: UsersOrder) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the calls that make the user and the user group, as they are shown, and what is to be said of them.

    Raises :class:`AuthError` where a step would be refused.
    """
    manner = replace(manner, check_mode=True)
    user = planned(user_of(clients, manner, order))
    coming = users.parse({"Status": ACTIVE, **user.raw})
    user_group = planned(user_group_of(clients, manner, order, {order.user_id: coming}))
    calls = [*user.planned_calls, *user_group.planned_calls]
    return [shown_in_plan(call) for call in calls], [*user.progress.warnings, *user_group.progress.warnings]


def open_group_of(clients: Clients, manner: Manner, group_id: str, user_group_id: str) -> UserGroupSpec:
    """Return the user group by which everyone is served, as it is to be made. Raises :class:`AuthError`."""
    wanted = wanted_user_group(
        {
            "user_group_id": user_group_id,
            "engine": REDIS,
            "user_ids": [AWS_USER],
            "purge_user_ids": True,
            "tags": None,
            "purge_tags": True,
        }
    )
    return UserGroupSpec(clients, wanted, manner, exclusive_to=[group_id])


def open_calls(clients: Clients, manner: Manner, group_id: str, user_group_id: str) -> list[dict[str, Any]]:
    """Return the calls that make the user group by which everyone is served. Raises as :func:`users_calls` does."""
    spec = open_group_of(clients, replace(manner, check_mode=True), group_id, user_group_id)
    return [shown_in_plan(call) for call in planned(spec).planned_calls]


def planned(spec: Spec[Any, Any]) -> Reconciled:
    """Return what making it would come to, in check mode. Raises :class:`AuthError` where it would be refused."""
    outcome = reconcile(spec)
    if outcome.progress.error:
        raise AuthError(outcome.progress.error)
    return outcome


def shown_in_plan(call: Call) -> dict[str, Any]:
    """Return a call for a plan: resources by the end of their ARN, tags by their keys."""
    shown = call.shown()
    parameters = dict(shown["parameters"])
    if "ResourceName" in parameters:
        parameters["ResourceName"] = resource(parameters["ResourceName"])
    if "Tags" in parameters:
        parameters["Tags"] = [tag["Key"] for tag in parameters["Tags"]]
    return {"action": shown["action"], "parameters": parameters}


def resource(arn: str) -> str:
    """Return the kind and the id of what has the ARN."""
    return ":".join(arn.split(":")[5:])


def deletions(user_group_ids: Iterable[str], user_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the calls that delete user groups and, after them, users."""
    calls = [*map(user_groups.deletion, user_group_ids), *map(users.deletion, user_ids)]
    return [call.shown() for call in calls]
