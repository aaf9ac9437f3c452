# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The bridge user: a user named default with a token as its password, in the place of the one that a user group has.

Clients move to the token with it while user groups still decide (elasticache-facts §6, "bridge first"). Whose place it
took is in a tag of the bridge user, written before it takes that place: what puts the user group back needs nothing
but AWS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .._aws import user_groups, users
from .._aws.clients import Clients
from .._aws.tags import RESERVED, tags_of
from .._aws.users import ACTIVE, User
from .._core import record
from .._fan_out import fan_out
from .reconcile import Manner
from .user_groups import UserGroupSpec, WantedUserGroup
from .user_passwords import TAG_KEY as PASSWORDS_KEY
from .user_passwords import references
from .users import UserSpec
from .users_ahead import planned, shown_in_plan, wanted_default_user

#: The tag of a bridge user: the replication group and the user group that it is for, and the user whose place it takes.
TAG_KEY = f"{RESERVED}bridge"
_NONE = "-"
#: Whoever may tag the user may write anything.
_VALUE = re.compile(r"v1 ([a-z][a-z0-9-]{0,39}) ([a-z][a-z0-9-]{0,39}) ([a-z][a-z0-9-]{0,39}|-)")
#: In check mode in the place of a token that is yet to be made.
_TO_BE_MADE = "a-token-that-is-yet-to-be-made"


@dataclass(frozen=True)
class Bridge:
    """What a bridge user is for. ``replaced``: the user whose place it takes; empty: the user group has none named
    default.
    """

    replication_group: str
    user_group: str
    replaced: str = ""

    @property
    def text(self) -> str:
        """The tag's value."""
        return f"v1 {self.replication_group} {self.user_group} {self.replaced or _NONE}"


def bridge_in(tags: Mapping[str, str]) -> Bridge | None:
    """Return what a user's tags tell of what it is a bridge for; ``None``: it is no bridge user."""
    found = _VALUE.fullmatch(tags.get(TAG_KEY, ""))
    if not found:
        return None
    replication_group, user_group, replaced = found.groups()
    return Bridge(replication_group, user_group, "" if replaced == _NONE else replaced)


def read_bridges(clients: Clients, found: Iterable[User]) -> dict[str, tuple[Bridge | None, tuple[str, ...]]]:
    """Return by user what it is a bridge for, and the references of its passwords in its record, if that can be read.

    The tags are read singly: those read in bulk may be behind. Raises botocore's exceptions.
    """
    arns = {user.id: user.arn for user in found}
    read = fan_out(list(arns), lambda key: tags_of(clients, arns[key]))
    bridges = {}
    for key, tags in read.items():
        if isinstance(tags, Exception):
            raise tags
        bridges[key] = bridge_in(tags), references(tags.get(PASSWORDS_KEY, ""))
    return bridges


def accepted_by(references_: Iterable[str], tokens: Mapping[str, str]) -> frozenset[str]:
    """Return the names of the ``tokens`` (name to value) that a user with these passwords on record accepts."""
    kept = tuple(references_)
    return frozenset(
        name for name, value in tokens.items() if any(record.same_token(reference, value) for reference in kept)
    )


@dataclass(frozen=True)
class BridgeOrder:
    """The bridge user that is wanted. ``engine``: the user group's. ``passwords``: none yet where they are to be made.

    ``is_member``: it is in the user group already, and what it is for is as it says.
    """

    user_id: str
    bridge: Bridge
    engine: str
    access_string: str
    is_member: bool = False
    passwords: tuple[str, ...] = field(default=(), repr=False)


def bridge_user_of(clients: Clients, manner: Manner, order: BridgeOrder) -> UserSpec:
    """Return the bridge user as it is to be made. Raises :class:`AuthError` for one that can't be."""
    wanted = wanted_default_user(order.user_id, order.engine, order.access_string, order.passwords, purge_tags=False)
    wanted = replace(wanted, tags={TAG_KEY: order.bridge.text})
    return UserSpec(clients, wanted, manner, exclusive_to=[order.bridge.user_group])


def bridged_group_of(
    clients: Clients, manner: Manner, order: BridgeOrder, coming: Mapping[str, User] | None = None
) -> UserGroupSpec:
    """Return the user group with the bridge user in it; ``coming``: users as they will be by then, in check mode."""
    bridge = order.bridge
    return _user_group_of(clients, manner, bridge, add=order.user_id, remove=bridge.replaced, coming=coming)


def restored_group_of(clients: Clients, manner: Manner, user_id: str, bridge: Bridge) -> UserGroupSpec:
    """Return the user group without the bridge user, and with the one back whose place it took."""
    return _user_group_of(clients, manner, bridge, add=bridge.replaced, remove=user_id)


def _user_group_of(
    clients: Clients, manner: Manner, bridge: Bridge, *, add: str, remove: str, coming: Mapping[str, User] | None = None
) -> UserGroupSpec:
    wanted = WantedUserGroup(
        bridge.user_group,
        user_ids=(add,) if add else (),
        purge_user_ids=False,
        without=(remove,) if remove else (),
        purge_tags=False,
    )
    return UserGroupSpec(clients, wanted, manner, exclusive_to=[bridge.replication_group], coming=coming or {})


def bridge_calls(clients: Clients, manner: Manner, order: BridgeOrder) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the calls that make the bridge user and put it into the user group, and what is to be said of them.

    Raises :class:`AuthError` where a step would be refused.
    """
    manner = replace(manner, check_mode=True)
    order = order if order.passwords else replace(order, passwords=(_TO_BE_MADE,))
    user = planned(bridge_user_of(clients, manner, order))
    coming = users.parse({"Status": ACTIVE, **user.raw})
    user_group = planned(bridged_group_of(clients, manner, order, {order.user_id: coming}))
    calls = [*user.planned_calls, *user_group.planned_calls]
    return [shown_in_plan(call) for call in calls], [*user.progress.warnings, *user_group.progress.warnings]


def restore_calls(order: BridgeOrder, *, is_member: bool) -> list[dict[str, Any]]:
    """Return the calls that put the user group back, where the bridge user is in it by then, and delete that."""
    bridge = order.bridge
    back = [bridge.replaced] if bridge.replaced else []
    change = user_groups.modification(bridge.user_group, engine=None, add=back, remove=[order.user_id])
    return [call.shown() for call in (*((change,) if is_member else ()), users.deletion(order.user_id))]
