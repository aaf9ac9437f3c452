# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps of one group's script on encryption in transit, users and user groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from .._auth.outcome import Outcome, Progress
from .._aws.clients import Clients
from .._core.operations import Step
from .._resource.bridge_user import bridge_user_of, bridged_group_of, restored_group_of
from .._resource.reconcile import Manner, reconcile, remove
from .._resource.replication_groups import GroupSpec
from .._resource.user_groups import UserGroupSpec, WantedUserGroup
from .._resource.user_wanted import WantedUser
from .._resource.users import UserSpec
from .._resource.users_ahead import open_group_of, user_group_of, user_of
from .._resource.wanted import Wanted
from .bridge import passwords_of
from .group_run import GroupRun
from .planning import users_order
from .rbac_resources import Ids
from .request import OperationRequest

#: The mode of encryption in transit that a step leads to.
TLS_STEPS = {Step.PREFER_TLS: "preferred", Step.REQUIRE_TLS: "required"}


def set_tls(clients: Clients, request: OperationRequest, group_id: str, mode: str) -> Progress:
    """Bring a group to a mode of encryption in transit, wait until it is there, and return what came of it."""
    return reconcile(GroupSpec(clients, Wanted(group_id, tls=mode), _manner(request))).progress


def make_users(clients: Clients, request: OperationRequest, group: GroupRun, ids: Ids) -> list[Progress]:
    """Make the user with the tokens in force and the user group with it; return what came of each, up to a failure.

    Raises :class:`AuthError` for a user or a user group that can't be.
    """
    order, manner = users_order(request, group, ids), _manner(request)
    return _up_to_a_failure(reconcile(make(clients, manner, order)).progress for make in (user_of, user_group_of))


def make_open_group(clients: Clients, request: OperationRequest, group: GroupRun, ids: Ids) -> Progress:
    """Make the user group by which everyone is served, and return what came of it. Raises :class:`AuthError`."""
    return reconcile(open_group_of(clients, _manner(request), group.id, ids.open_user_group)).progress


def take_user_groups_away(clients: Clients, request: OperationRequest, group_id: str) -> Progress:
    """Take a group's user groups away, so that it serves everyone, and return what came of it."""
    wanted = Wanted(group_id, user_groups=(), accept_open_access=True)
    return reconcile(GroupSpec(clients, wanted, _manner(request))).progress


def clean_up(clients: Clients, request: OperationRequest, group_id: str, ids: Ids) -> list[Progress]:
    """Delete user groups and the user that were made for the operation; return what came of each, up to a failure."""
    manner = _manner(request)

    def ended() -> Iterator[Progress]:
        for key in filter(None, (ids.open_user_group, ids.user_group)):
            user_group = UserGroupSpec(clients, WantedUserGroup(key), manner, exclusive_to=[group_id])
            yield remove(user_group).progress
        if ids.user:
            user = UserSpec(clients, WantedUser(ids.user), manner, exclusive_to=[ids.user_group])
            yield remove(user).progress

    return _up_to_a_failure(ended())


def put_bridge_user(clients: Clients, request: OperationRequest, group: GroupRun) -> list[Progress]:
    """Make the bridge user, and put it into the user group; return what came of each, up to a failure.

    Raises :class:`AuthError` for a user that can't be.
    """
    if group.bridging.order is None:
        raise RuntimeError("a plan without a bridge user has no such step")
    order, manner = replace(group.bridging.order, passwords=passwords_of(group.kept, group.refused)), _manner(request)
    return _up_to_a_failure(
        reconcile(make(clients, manner, order)).progress for make in (bridge_user_of, bridged_group_of)
    )


def restore_user_group(clients: Clients, request: OperationRequest, group: GroupRun) -> list[Progress]:
    """Put the user back whose place the bridge user took, and delete that; return what came of each."""
    bridging, manner = group.bridging, _manner(request)
    if bridging.order is None:
        raise RuntimeError("a plan without a bridge user has no such step")
    user_id, bridge = bridging.order.user_id, bridging.order.bridge

    def ended() -> Iterator[Progress]:
        if bridging.is_member or Step.BRIDGE_USER in group.completed_steps:
            yield reconcile(restored_group_of(clients, manner, user_id, bridge)).progress
        user = UserSpec(clients, WantedUser(user_id), manner, exclusive_to=[bridge.user_group])
        yield remove(user).progress

    return _up_to_a_failure(ended())


def told(progress: list[Progress]) -> Outcome:
    """Return the entry of a step that has several parts: what was called for all of them, and the last one's words."""
    actions: list[dict[str, Any]] = [action for part in progress for action in part.api_calls]
    return {
        "changed": any(part.changed for part in progress),
        "failed": bool(progress[-1].error),
        "msg": progress[-1].error or progress[-1].msg,
        "api_calls": actions,
        "duration": round(sum(part.duration for part in progress), 3),
    }


def _up_to_a_failure(parts: Iterable[Progress]) -> list[Progress]:
    done: list[Progress] = []
    for part in parts:
        done.append(part)
        if part.error:
            break
    return done


def _manner(request: OperationRequest) -> Manner:
    inquiry = request.inquiry
    return Manner(probing=inquiry.probing, timeout=inquiry.timeout, delay=inquiry.delay)
