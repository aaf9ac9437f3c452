# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A second, independent account of ElastiCache's access control, for the core to be tested against.

Written from elasticache-facts §1 in terms of slots and of request members, not from ``_core.states``, of which it uses
the names only to translate. What the facts mark with **?** is a member of :class:`Variant`, with every way it may
turn out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.elasticache.auth.plugins.module_utils._core import states
from ansible_collections.elasticache.auth.plugins.module_utils._core.plan import Wish, WishKind

OperationRequest = dict[str, Any]


class Refused(Exception):
    """AWS refuses the call; nothing has changed."""


@dataclass(frozen=True)
class Variant:
    """One way in which everything that nobody has shown may turn out."""

    set_other_value: str = "refused"  #: SET of a value that is in no slot (its refusal is known, its text is not)
    set_on_required: str = "refused"  #: SET(t) on [t]: refused, no-op, slot-lost
    rotate_live_token: str = "refused"  #: ROTATE of a token in the older slot: refused, no-op, slot-lost
    rotate_same_twice: str = "refused"  #: ROTATE of the newest token: refused, no-op, slot-lost
    set_older_token: str = "refused"  #: SET of the older of two tokens: refused, no-op, slot-lost
    optional_wrong_token: str = "refused"  #: AUTH with a wrong token on [none, t]: refused, accepted
    date_moves: str = "on change"  #: does the date move with a call that changes nothing: on change, on call


_ENDS = ("refused", "no-op", "slot-lost")

#: Every combination of what a modify may do; the two that only show elsewhere are added where they show.
VARIANTS: tuple[Variant, ...] = tuple(
    Variant(set_on_required=one, rotate_live_token=two, rotate_same_twice=three, set_older_token=four)
    for one, two, three, four in itertools.product(_ENDS, repeat=4)
)


@dataclass(frozen=True)
class Group:
    """The hidden truth. ``slots``: at most two credentials, oldest first, ``None`` is "no authentication".

    ``date`` stands for AuthTokenLastModifiedDate: it differs whenever the real one does.
    """

    slots: tuple[str | None, ...] = (None,)
    user_groups: frozenset[str] = frozenset()
    date: int = 0

    @property
    def tokens(self) -> frozenset[str]:
        """The tokens that are accepted."""
        return frozenset(slot for slot in self.slots if slot is not None)

    @property
    def anyone(self) -> bool:
        """Whether a client without credentials is served."""
        return not self.user_groups and None in self.slots


def modify(group: Group, request: OperationRequest, variant: Variant) -> Group:
    """Return the group after a ModifyReplicationGroup with the auth members of ``request``.

    Raises :class:`Refused`.
    """
    token = request.get("AuthToken")
    strategy = request.get("AuthTokenUpdateStrategy", "ROTATE" if token else None)
    added = frozenset(request.get("UserGroupIdsToAdd", ()))
    removed = frozenset(request.get("UserGroupIdsToRemove", ()))

    if request.get("RemoveUserGroups"):
        if not group.user_groups or strategy != "ROTATE" or added or removed:
            raise Refused("RemoveUserGroups goes with ROTATE, on a group with user groups")
        return Group((None, token), frozenset(), group.date + 1)
    if strategy == "DELETE":
        if token or not added or not group.tokens:
            raise Refused("Auth token update strategy delete is not supported currently")
        return Group((), added, group.date + 1)
    if strategy is not None:
        if group.user_groups:
            raise Refused("Auth tokens can't be enabled with a user group already associated.")
        return _change_token(group, str(token), strategy, variant)
    if added:
        if group.tokens:
            raise Refused("User group can't be associated with auth token enabled.")
        if group.user_groups:
            raise Refused("in practice a replication group has one user group (elasticache-facts §5)")
        return replace(group, slots=(), user_groups=added)
    if removed and removed == group.user_groups:
        return replace(group, slots=(None,), user_groups=frozenset())
    raise Refused("No modifications were requested, not a member, or not all of them")


def _change_token(group: Group, token: str, strategy: str, variant: Variant) -> Group:
    slots = group.slots
    if strategy == "ROTATE":
        if token not in slots:
            return Group((*slots, token)[-2:], frozenset(), group.date + 1)
        newest = slots[-1] == token
        # Where it costs a slot, the token pushes the oldest credential out and takes both places.
        return _unshown(group, variant.rotate_same_twice if newest else variant.rotate_live_token, (token,), variant)
    if token not in slots:
        if slots == (None,):
            raise Refused("There is no AUTH token to SET")
        assert variant.set_other_value == "refused"
        raise Refused("SET of another value")
    if slots == (token,):
        return _unshown(group, variant.set_on_required, (None,), variant)
    if slots[-1] == token:
        return Group((token,), frozenset(), group.date + 1)
    return _unshown(group, variant.set_older_token, (token,), variant)


def _unshown(group: Group, end: str, slot_lost: tuple[str | None, ...], variant: Variant) -> Group:
    if end == "refused":
        raise Refused("nobody has shown this")
    if end == "no-op":
        return replace(group, date=group.date + 1) if variant.date_moves == "on call" else group
    return Group(slot_lost, frozenset(), group.date + 1)


def auth_answer(group: Group, token: str, variant: Variant) -> str:
    """Return what a node says to AUTH with ``token``: accepted or refused (elasticache-facts §1, the table)."""
    if token in group.tokens:
        return "accepted"
    if group.anyone and group.tokens and variant.optional_wrong_token == "accepted":
        return "accepted"
    return "refused"


# --- translation to and from the names of the core


def request_of(call: states.Call) -> OperationRequest:
    """Return the members of the request that ``call`` stands for."""
    groups = list(call.user_groups)
    requests: dict[states.CallKind, OperationRequest] = {
        states.CallKind.ROTATE: {"AuthToken": call.token, "AuthTokenUpdateStrategy": "ROTATE"},
        states.CallKind.SET: {"AuthToken": call.token, "AuthTokenUpdateStrategy": "SET"},
        states.CallKind.DELETE: {"AuthTokenUpdateStrategy": "DELETE", "UserGroupIdsToAdd": groups},
        states.CallKind.REMOVE_AND_ROTATE: {
            "RemoveUserGroups": True,
            "AuthToken": call.token,
            "AuthTokenUpdateStrategy": "ROTATE",
        },
        states.CallKind.ADD_USER_GROUPS: {"UserGroupIdsToAdd": groups},
        states.CallKind.REMOVE_USER_GROUPS: {"UserGroupIdsToRemove": groups},
    }
    return requests[call.kind]


def group_of(state: states.State, date: int = 0) -> Group:
    """Return the group that is in ``state``; a token's name serves as its value."""
    match state.mode:
        case states.Mode.OPEN:
            return Group((None,), frozenset(), date)
        case states.Mode.OPTIONAL:
            return Group((None, state.tokens[0]), frozenset(), date)
        case states.Mode.RBAC:
            return Group((), frozenset(state.user_groups), date)
    return Group(state.tokens, frozenset(), date)


def state_of(group: Group) -> states.State:
    """Return the core's name for what ``group`` is in."""
    match group.slots:
        case ():
            return states.rbac(*group.user_groups)
        case (None,):
            return states.OPEN
        case (None, str(token)):
            return states.optional(token)
        case (str(token),):
            return states.required(token)
        case (str(older), str(newer)):
            return states.rotating(older, newer)
    raise AssertionError(f"ElastiCache has no such slots: {group.slots}")


# --- what a plan promises, and what could have been planned


def fulfilled(group: Group, wish: Wish) -> bool:
    """Whether the group is as wished."""
    match wish.kind:
        case WishKind.ACCEPT:
            return wish.token in group.slots
        case WishKind.ONLY:
            return group.slots == (wish.token,)
        case WishKind.USER_GROUPS:
            return bool(group.user_groups) and group.user_groups == set(wish.user_groups)
        case WishKind.OPEN:
            return group.slots == (None,)
        case WishKind.EXACT:
            assert wish.state is not None
            goal = group_of(wish.state)
            return (group.slots, group.user_groups) == (goal.slots, goal.user_groups)


def broken_promise(before: Group, now: Group, wish: Wish) -> str | None:
    """Say who is refused or accepted at ``now`` against the caller's will, before the wished-for end."""
    consent = wish.consent
    if before.tokens - now.tokens and not consent.push_out_token:
        return f"tokens refused: {sorted(before.tokens - now.tokens)}"
    if before.anyone and not now.anyone and not consent.end_unauthenticated:
        return "clients without credentials refused"
    if now.anyone and not before.anyone and not consent.allow_unauthenticated:
        return "clients without credentials accepted"
    if before.user_groups and now.user_groups != before.user_groups and not consent.leave_rbac:
        return "users refused"
    return None


def run(group: Group, requests: Iterable[OperationRequest], wish: Wish, variant: Variant) -> Group:
    """Make the calls and return the group after them. Fails where one is refused or a promise is broken."""
    trail = [group]
    for request in requests:
        trail.append(modify(trail[-1], request, variant))
    assert fulfilled(trail[-1], wish), f"ends in {trail[-1]}"
    # The wish for ACCEPT refuses nobody at its end; every other names its end, and with it who is refused there.
    for now in trail if wish.kind is WishKind.ACCEPT else trail[:-1]:
        broken = broken_promise(group, now, wish)
        assert broken is None, f"{group} by {trail[1:]}: {broken}"
    return trail[-1]


def calls_for(wish: Wish, attached: Iterable[frozenset[str]], kinds: Sequence[states.CallKind]) -> list[states.Call]:
    """Return every call of ``kinds`` about the tokens and user groups that the wish names, or that are attached."""
    goal = wish.state or states.OPEN
    tokens = sorted({wish.token, *goal.tokens} - {""})
    groups = tuple(sorted({*wish.user_groups, *goal.user_groups}))
    calls = []
    for kind in kinds:
        if kind in (states.CallKind.ROTATE, states.CallKind.SET, states.CallKind.REMOVE_AND_ROTATE):
            calls += [states.Call(kind, token) for token in tokens]
        elif kind is states.CallKind.REMOVE_USER_GROUPS:
            calls += [states.Call(kind, user_groups=tuple(sorted(ids))) for ids in set(attached) | {frozenset(groups)}]
        else:
            calls.append(states.Call(kind, user_groups=groups))
    return calls


def shortest_length(
    groups: Iterable[Group], wish: Wish, kinds: Sequence[states.CallKind], max_calls: int
) -> int | None:
    """Return how few calls fulfil ``wish`` from all ``groups`` with no promise broken, by trying all there are.

    It looks at the one variant that refuses whatever nobody has shown: calls that all the others take as well are
    those that this one takes, and their effect is the same everywhere. ``None``: no ``max_calls`` calls do it.
    """
    start = frozenset((group, group) for group in groups)
    attached = [group.user_groups for group in groups if group.user_groups]
    requests = [request_of(call) for call in calls_for(wish, attached, kinds)]
    level = {start}
    seen = {start}
    for length in range(max_calls + 1):
        for world in level:
            # The wish for ACCEPT refuses nobody at its end; every other names its end, and so who is refused there.
            if all(fulfilled(now, wish) for dummy, now in world) and (
                length == 0 or wish.kind is not WishKind.ACCEPT or _kept(world, wish)
            ):
                return length
        level = {after for world in level if _kept(world, wish) for after in _successors(world, requests)} - seen
        seen |= level
    return None


_World = frozenset[tuple[Group, Group]]


def _kept(world: _World, wish: Wish) -> bool:
    return all(broken_promise(before, now, wish) is None for before, now in world)


def _successors(world: _World, requests: Sequence[OperationRequest]) -> Iterator[_World]:
    for request in requests:
        try:
            # Dates are of no concern here, and without them more worlds are the same.
            yield frozenset((start, replace(modify(now, request, VARIANTS[0]), date=0)) for start, now in world)
        except Refused:
            continue


def values(state: states.State, meaning: Mapping[str, str]) -> states.State:
    """Return ``state`` with its tokens' names replaced by what they stand for."""
    return replace(state, tokens=tuple(meaning.get(token, token) for token in state.tokens))
