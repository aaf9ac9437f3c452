# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bridge first: whether a group's clients can move to the token while user groups decide, and by which user.

A user or a user group that serves anything else is never changed (elasticache-facts §5, §6 for what AWS takes).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .._aws.clients import Clients
from .._aws.groups import Group
from .._aws.user_groups import MOST_USERS, UserGroup
from .._aws.users import DEFAULT_NAME, IAM, NO_PASSWORD, User
from .._core.errors import AuthError
from .._core.operations import Operation, Step, StepPlan
from .._resource.bridge_user import Bridge, BridgeOrder, accepted_by, bridge_calls, restore_calls
from .._resource.exclusive import shared_user, shared_user_group
from .._resource.reconcile import Manner
from .rbac_resources import Ids, Others
from .request import OperationRequest
from .token_store import Kept

_OPTION = f"{Operation.MIGRATE_RBAC_TO_AUTH.value}_user_id"
#: The steps on the bridge user.
_BRIDGE_STEPS = (Step.BRIDGE_USER, Step.RESTORE_USER_GROUP)


@dataclass(frozen=True)
class Bridging:
    """The bridge user of one group's operation. ``order``: how it is made and taken back; ``None`` where it is neither.

    ``obstacle``: why none can be put into the group's user group. ``taken``: why the user with its id is not one of
    this group. ``exists``: it is there. ``is_member``: it is in a user group. ``spared``: why it and that user group
    stay as they are: whom else they serve. ``ends_unauthenticated``: whom it refuses at once. ``replaces``: the user
    whose place it takes. ``references``: of its passwords on record.
    """

    order: BridgeOrder | None = None
    obstacle: str = ""
    taken: str = ""
    exists: bool = False
    is_member: bool = False
    spared: str = ""
    ends_unauthenticated: str = ""
    replaces: User | None = None
    references: tuple[str, ...] = ()

    @property
    def bridged(self) -> bool:
        """Whether it is in the user group that it was made for."""
        return self.is_member and self.order is not None and self.order.is_member

    def accepts(self, kept: Kept) -> frozenset[str]:
        """Return the names of the tokens that it accepts, by the record of its passwords."""
        return accepted_by(self.references, kept.tokens.values) if self.bridged else frozenset()

    def refuses(self, kept: Kept) -> frozenset[str]:
        """Return those that it refuses, by that record; none where it has none."""
        told = self.bridged and bool(self.references)
        return frozenset(kept.tokens.values) - self.accepts(kept) if told else frozenset()


def bridging_of(request: OperationRequest, group: Group, ids: Ids, others: Others) -> Bridging:
    """Return what can be done with a bridge user on a group, and what there is of one.

    Raises :class:`AuthError` where it is in a user group that the group has no more.
    """
    if request.operation is not Operation.MIGRATE_RBAC_TO_AUTH:
        return Bridging()
    user = others.users.get(ids.user)
    found, references = others.bridges.get(ids.user, (None, ()))
    if user is None or (found and found.replication_group == group.id):
        left = _left(user, found, request.access_string, others)
        left = replace(left, references=references)
    else:
        left = Bridging(taken=f"there is a user {ids.user} already, which was not made for {group.id}")
    if not group.user_group_ids:
        return left
    attached = group.user_group_ids
    if left.is_member and found and attached != (found.user_group,):
        raise AuthError(
            f"{group.id}: {request.operation.value} is refused: its bridge user {ids.user} is in the user group "
            f"{found.user_group}, and the group has {', '.join(attached)} by now. Find out who changed that. Then put "
            f"{found.replaced or 'nobody'} back into {found.user_group} in the place of {ids.user} "
            "(elasticache.auth.user_group), delete that user (elasticache.auth.user), and repeat this."
        )
    return left if left.is_member else _new(left, request, group, ids, others)


def _left(user: User | None, found: Bridge | None, access_string: str, others: Others) -> Bridging:
    """What a run that was cut off has left."""
    if user is None or found is None:
        return Bridging()
    user_group = others.user_groups.get(found.user_group)
    engine = user_group.engine if user_group else user.engine
    # Both are asked, as AWS may tell of the one before the other; taken for new it would take its own place.
    is_member = found.user_group in user.user_group_ids or bool(user_group and user.id in user_group.user_ids)
    order = BridgeOrder(user.id, found, engine, access_string, is_member=is_member)
    words = shared_user(user, [found.user_group], others.user_groups)
    spared = f"the bridge user {user.id} is also in {words}" if words else ""
    if is_member and user_group and (words := shared_user_group(user_group, [found.replication_group])):
        spared = f"the user group {user_group.id}, with the bridge user {user.id} in it, also serves {words}"
    return Bridging(order, exists=True, is_member=is_member, spared=spared)


def _new(left: Bridging, request: OperationRequest, group: Group, ids: Ids, others: Others) -> Bridging:
    """A bridge user that is yet to be put into the group's user group, or why none can be."""
    if len(group.user_group_ids) > 1:
        several = ", ".join(group.user_group_ids)
        return replace(left, obstacle=f"the group has several user groups, {several}")
    user_group = others.user_groups.get(group.user_group_ids[0])
    if user_group is None:
        return replace(left, obstacle=f"its user group {group.user_group_ids[0]} is not in its region")
    members = [others.users[key] for key in user_group.user_ids if key in others.users]
    replaces = next((user for user in members if user.name == DEFAULT_NAME), None)
    if obstacle := _obstacle(group, user_group, replaces):
        return replace(left, obstacle=obstacle)
    ends = ""
    if replaces and replaces.enabled and replaces.authentication == NO_PASSWORD:
        ends = (
            f"clients without credentials are refused: the bridge user takes the place of the user {replaces.id}, "
            "which needs no password"
        )
    bridge = Bridge(group.id, user_group.id, replaces.id if replaces else "")
    order = BridgeOrder(ids.user, bridge, user_group.engine, request.access_string)
    return replace(left, order=order, replaces=replaces, ends_unauthenticated=ends)


def _obstacle(group: Group, user_group: UserGroup, replaces: User | None) -> str:
    if words := shared_user_group(user_group, [group.id]):
        return f"the user group {user_group.id} also serves {words}"
    if replaces is None and len(user_group.user_ids) >= MOST_USERS:
        return f"the user group {user_group.id} has {len(user_group.user_ids)} users, and takes no further one"
    if replaces and replaces.authentication == IAM:
        return f"the user named {DEFAULT_NAME} of the user group {user_group.id}, {replaces.id}, authenticates with IAM"
    return ""


def check_bridge(group_id: str, step_plan: StepPlan, bridging: Bridging) -> None:
    """Raise :class:`AuthError` where the bridge user can't be made: its id is another user's, or it serves others."""
    why = bridging.taken or bridging.spared
    if Step.BRIDGE_USER in step_plan.steps and why:
        raise AuthError(
            f"{group_id}: {_OPTION}: {why}, and what serves others is never changed or deleted. Name another one in "
            f"{_OPTION}, best one that does not exist yet."
        )


def is_left(bridging: Bridging) -> bool:
    """Whether there is a bridge user to be taken back."""
    return bridging.exists and not bridging.spared


def losing_words(user: Mapping[str, Any]) -> str:
    """Return a user who stops working, in words: its name, what it may do, and when, where that is before ROTATE."""
    at_once = user["loses_access_at"] == Step.BRIDGE_USER.value
    when = ", as soon as the bridge user takes its place" if at_once else ""
    return f"{user['user_name']} ({user['access_string']}{when})"


def with_loss(
    users: list[dict[str, Any]], request: OperationRequest, bridging: Bridging, kept: Kept, rbac_tokens: Iterable[str]
) -> list[dict[str, Any]]:
    """Return the ``users`` with the step at which each stops working, if that is not the one that removes user groups.

    So does the user whose place a bridge user is about to take, unless it accepts nobody as it is.
    """
    replaces = bridging.replaces
    directly = bridging.obstacle or (request.allow_direct and bridging.ends_unauthenticated)
    if directly or {kept.store.current, kept.store.pending} & set(rbac_tokens) or not (replaces and replaces.enabled):
        replaces = None
    at_once = replaces.id if replaces else ""
    step = Step.BRIDGE_USER.value
    return [{**user, "loses_access_at": step if user["user_id"] == at_once else None} for user in users]


def passwords_of(kept: Kept, refused: Iterable[str]) -> tuple[str, ...]:
    """Return the tokens that the bridge user is made with, as far as there are any yet.

    That of AWSCURRENT is among them unless the nodes refuse it: where they can't be asked, clients may have it.
    """
    store = kept.store
    current = store.current if store.pending == "" or store.current not in set(refused) else ""
    return tuple(kept.tokens.values[name] for name in dict.fromkeys((current, store.pending)) if name)


def calls_of_bridge(
    clients: Clients, manner: Manner, step_plan: StepPlan, bridging: Bridging, passwords: tuple[str, ...]
) -> tuple[dict[Step, list[dict[str, Any]]], list[str]]:
    """Return the calls of the steps on the bridge user, and what is to be said of them. Raises :class:`AuthError`."""
    calls: dict[Step, list[dict[str, Any]]] = {}
    warnings: list[str] = []
    if bridging.order is None or not set(_BRIDGE_STEPS) & set(step_plan.steps):
        return calls, warnings
    bridges = Step.BRIDGE_USER in step_plan.steps
    if bridges:
        order = replace(bridging.order, passwords=passwords)
        calls[Step.BRIDGE_USER], warnings = bridge_calls(clients, manner, order)
    if Step.RESTORE_USER_GROUP in step_plan.steps:
        is_member = bridges or bridging.is_member
        calls[Step.RESTORE_USER_GROUP] = restore_calls(bridging.order, is_member=is_member)
    return calls, warnings


def with_spared(step_plan: StepPlan, bridging: Bridging) -> StepPlan:
    """Return ``step_plan`` with a note on what stays as it is, as it serves others too."""
    if not bridging.spared or not bridging.exists:
        return step_plan
    note = f"Not restored: {bridging.spared}."
    return replace(step_plan, note=" ".join(filter(None, (step_plan.note, note))))
