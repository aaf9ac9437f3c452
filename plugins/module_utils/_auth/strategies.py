# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each AUTH token update strategy asks for, as an order to be brought about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.plan import Consent, Wish, WishKind
from .._core.states import CallKind
from .change_run import Order
from .tokens import TokenSet

ROTATE, SET, DELETE = "rotate", "set", "delete"

_KINDS: Mapping[str, tuple[CallKind, ...]] = {
    ROTATE: (CallKind.ROTATE,),
    SET: (CallKind.SET,),
    DELETE: (CallKind.DELETE, CallKind.ADD_USER_GROUPS),
}


def order_for(
    strategy: str, *, remove_user_groups: bool = False, user_groups: tuple[str, ...] = (), **more: Any
) -> Order:
    """Return the order for ``rotate``, ``set`` or ``delete``; the token wanted is each group's own.

    ``remove_user_groups``: with ``rotate``, remove them in the same call; unauthenticated access is allowed until SET.
    ``more``: the other fields of :class:`Order`.
    """
    kinds = _KINDS[strategy]
    if remove_user_groups:
        kinds = (*kinds, CallKind.REMOVE_AND_ROTATE)

    def wish(group_id: str, tokens: TokenSet) -> Wish:
        token = tokens.wanted.name if tokens.wanted else ""
        if strategy == DELETE:
            return Wish(WishKind.USER_GROUPS, user_groups=order.user_groups_of(group_id))
        if strategy == SET:
            return Wish(WishKind.ONLY, token)
        consent = Consent(allow_unauthenticated=remove_user_groups, leave_rbac=remove_user_groups)
        return Wish(WishKind.ACCEPT, token, consent=consent)

    order = Order(wish=wish, kinds=kinds, user_groups=user_groups, **more)
    return order
