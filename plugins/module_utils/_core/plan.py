# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a belief and a wish to the calls that fulfil it in *every* state the group may be in, or to the reason why not.

A plan is a list of calls such that from each state in the belief
- each call's effect is documented (:func:`.states.apply`);
- it ends where the wish is fulfilled;
- nobody who is served before is refused before the end, and at the end only those whom the wish itself refuses;
- unauthenticated access that was refused is not allowed meanwhile, unless the wish asks for it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from .evidence import Belief
from .states import OPEN, Call, CallKind, Mode, State, apply, rbac, required

#: No way between two states of elasticache-facts §1 that keeps these promises takes more calls.
MAX_CALLS = 4


class WishKind(str, enum.Enum):
    """What is wanted of a group."""

    ACCEPT = "accept"  #: the token is accepted, and so is whoever was served before (ROTATE)
    ONLY = "only"  #: the token alone is accepted (SET)
    USER_GROUPS = "user groups"  #: these user groups decide (DELETE)
    OPEN = "open"  #: everyone is served
    EXACT = "exact"  #: one state, by name


@dataclass(frozen=True)
class Consent:
    """What the caller allows to happen meanwhile. Each is an explicit request, never a default."""

    push_out_token: bool = False  #: a token in force is refused before the wish asks for it
    end_unauthenticated: bool = False  #: clients without credentials are refused, unasked
    allow_unauthenticated: bool = False  #: clients without credentials are accepted, for a while
    leave_rbac: bool = False  #: the users of the user groups are refused

    @classmethod
    def all(cls) -> Consent:
        """Consent to everything that has a documented effect."""
        return cls(True, True, True, True)


@dataclass(frozen=True)
class Wish:
    """The wanted end, and what the caller consents to."""

    kind: WishKind
    token: str = ""
    user_groups: tuple[str, ...] = ()
    state: State | None = None
    consent: Consent = Consent()

    def fulfilled(self, state: State) -> bool:
        """Whether ``state`` is what is wanted."""
        match self.kind:
            case WishKind.ACCEPT:
                return self.token in state.tokens
            case WishKind.ONLY:
                return state == required(self.token)
            case WishKind.USER_GROUPS:
                return state == rbac(*self.user_groups)
            case WishKind.OPEN:
                return state == OPEN
            case WishKind.EXACT:
                return state == self.state


class Hazard(str, enum.Enum):
    """Why the call that a wish suggests is not made."""

    PUSHES_OUT = "pushes out a token"
    ENDS_UNAUTHENTICATED = "ends unauthenticated access"
    NOT_ROTATED_IN = "sets a token that was never rotated in"
    NOT_NEWEST = "sets a token that is not the newest"
    NOTHING_TO_SET = "sets a token on an open group"
    USER_GROUPS_ATTACHED = "needs the user groups removed"
    OTHER_USER_GROUPS = "meets other user groups"
    UNREACHABLE = "is reached by no documented calls"


@dataclass(frozen=True)
class Verdict:
    """What a wish means in one state of the belief: the calls that fulfil it, or the hazard that prevents it."""

    state: State
    calls: tuple[Call, ...] | None
    hazard: Hazard | None = None
    token: str = ""


@dataclass(frozen=True)
class Plan:
    """The calls to make, in order; none where the wish is fulfilled. ``after`` is the belief once they are done."""

    calls: tuple[Call, ...]
    after: frozenset[State]


@dataclass(frozen=True)
class NoPlan:
    """There is no way that is safe in every state of the belief; the verdict on each."""

    verdicts: tuple[Verdict, ...]

    @property
    def uncertain(self) -> bool:
        """Whether knowing more would help: some state of the belief has a way of its own."""
        return any(verdict.calls is not None for verdict in self.verdicts)


def make_plan(
    belief: Belief | Iterable[State],
    wish: Wish,
    *,
    kinds: Iterable[CallKind] = tuple(CallKind),
    max_calls: int = MAX_CALLS,
) -> Plan | NoPlan:
    """Return the shortest plan that fulfils ``wish`` from every state in ``belief``, of ``kinds`` of calls only."""
    states = frozenset(belief.states if isinstance(belief, Belief) else belief)
    calls = _search(states, wish, tuple(kinds), max_calls)
    if calls is not None:
        return Plan(calls, frozenset(_follow(state, calls) for state in states))
    verdicts = []
    for state in sorted(states):
        alone = _search(frozenset({state}), wish, tuple(kinds), max_calls)
        hazard, token = (None, "") if alone is not None else _hazard(state, wish)
        verdicts.append(Verdict(state, alone, hazard, token))
    return NoPlan(tuple(verdicts))


def force_plan(
    belief: Belief, wish: Wish, *, kinds: Iterable[CallKind] = tuple(CallKind), max_calls: int = 1
) -> Plan | NoPlan:
    """Return what to do when the caller insists: every consent is given, and what is unknown is taken for harmless.

    Still no call is made whose refusal is certain in all states, and none where the wish is fulfilled in all of them.
    """
    insistent = replace(wish, consent=Consent.all())
    safe = make_plan(belief, insistent, kinds=kinds, max_calls=max_calls)
    if isinstance(safe, Plan):
        return safe
    ways = {_search(frozenset({state}), insistent, tuple(kinds), max_calls) for state in belief.states}
    ways -= {None, ()}
    if len(ways) != 1:
        return safe
    calls = ways.pop() or ()
    return Plan(calls, frozenset(_follow_until_refused(state, calls) for state in belief.states))


def _search(
    states: frozenset[State], wish: Wish, kinds: tuple[CallKind, ...], max_calls: int
) -> tuple[Call, ...] | None:
    """Breadth first over the calls; each path is a set of (where it began, where it is now)."""
    if all(map(wish.fulfilled, states)):
        return ()
    frontier: list[tuple[tuple[Call, ...], frozenset[tuple[State, State]]]] = [
        ((), frozenset((state, state) for state in states))
    ]
    met = {frontier[0][1]}
    for dummy in range(max_calls):
        following = []
        for calls, pairs in frontier:
            for call in _candidates(pairs, wish, kinds):
                moved = [(origin, apply(state, call)) for origin, state in pairs]
                if any(state is None for dummy, state in moved):
                    continue
                reached = frozenset((origin, state) for origin, state in moved if state is not None)
                if all(wish.fulfilled(state) for dummy, state in reached):
                    if all(_end_allowed(origin, state, wish) for origin, state in reached):
                        return (*calls, call)
                elif reached not in met and all(
                    _step_allowed(origin, state, wish.consent) for origin, state in reached
                ):
                    met.add(reached)
                    following.append(((*calls, call), reached))
        frontier = following
    return None


def _candidates(pairs: frozenset[tuple[State, State]], wish: Wish, kinds: tuple[CallKind, ...]) -> Iterator[Call]:
    tokens = dict.fromkeys((wish.token,) if wish.token else ())
    if wish.state is not None:
        tokens |= dict.fromkeys(wish.state.tokens)
    attached = {state.user_groups for dummy, state in pairs}
    wanted_groups = wish.state.user_groups if wish.state is not None else tuple(sorted(wish.user_groups))
    for kind in kinds:
        match kind:
            case CallKind.ROTATE | CallKind.SET | CallKind.REMOVE_AND_ROTATE:
                yield from (Call(kind, token) for token in tokens)
            case CallKind.DELETE | CallKind.ADD_USER_GROUPS:
                if wanted_groups:
                    yield Call(kind, user_groups=wanted_groups)
            case CallKind.REMOVE_USER_GROUPS:
                yield from (Call(kind, user_groups=groups) for groups in sorted(attached) if groups)


def _step_allowed(origin: State, state: State, consent: Consent) -> bool:
    """Whether a group that was in ``origin`` may pass through ``state``: who was served still is, and no one else."""
    if origin.mode is Mode.RBAC and state != origin and not consent.leave_rbac:
        return False
    if state.allows_unauthenticated and not origin.allows_unauthenticated and not consent.allow_unauthenticated:
        return False
    if origin.allows_unauthenticated and not state.allows_unauthenticated and not consent.end_unauthenticated:
        return False
    return consent.push_out_token or set(origin.tokens) <= set(state.tokens)


def _end_allowed(origin: State, state: State, wish: Wish) -> bool:
    """Whether a group that was in ``origin`` may end in ``state``, which fulfils the wish.

    With a wish for ACCEPT nobody is refused; any other names its end exactly, so whoever that refuses is so by request.
    """
    return wish.kind is not WishKind.ACCEPT or _step_allowed(origin, state, wish.consent)


def _follow(state: State, calls: Iterable[Call]) -> State:
    for call in calls:
        after = apply(state, call)
        if after is None:
            raise ValueError(f"{call} has no documented effect on {state}")
        state = after
    return state


def _follow_until_refused(state: State, calls: Iterable[Call]) -> State:
    """Return the state after as many of ``calls`` as have a documented effect: nothing is called after a refusal."""
    for call in calls:
        after = apply(state, call)
        if after is None:
            break
        state = after
    return state


def _hazard(state: State, wish: Wish) -> tuple[Hazard, str]:
    """Say why the call that ``wish`` suggests is not made in ``state``, and which token that is about."""
    token = wish.token
    match wish.kind:
        case WishKind.ACCEPT | WishKind.ONLY if state.mode is Mode.RBAC:
            return Hazard.USER_GROUPS_ATTACHED, ""
        case WishKind.ACCEPT if state.mode is Mode.ROTATING:
            return Hazard.PUSHES_OUT, state.tokens[0]
        case WishKind.ACCEPT if state.mode is Mode.OPTIONAL:
            return Hazard.ENDS_UNAUTHENTICATED, state.tokens[0]
        case WishKind.ONLY if state == OPEN:
            return Hazard.NOTHING_TO_SET, token
        case WishKind.ONLY if token in state.tokens:
            return Hazard.NOT_NEWEST, state.tokens[-1]
        case WishKind.ONLY:
            return Hazard.NOT_ROTATED_IN, token
        case WishKind.USER_GROUPS if state.mode is Mode.RBAC:
            return Hazard.OTHER_USER_GROUPS, ""
    return Hazard.UNREACHABLE, token
