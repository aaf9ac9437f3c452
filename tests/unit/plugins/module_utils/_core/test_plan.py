# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The plan against an independent model of AWS: it keeps its promises, and it is found where there is one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.plugins.module_utils._core import aws_model, worlds
from unit.plugins.module_utils._core.worlds import World

from ansible_collections.elasticache.auth.plugins.module_utils._core import explain
from ansible_collections.elasticache.auth.plugins.module_utils._core.evidence import UNKNOWN_TOKENS, Belief, believe
from ansible_collections.elasticache.auth.plugins.module_utils._core.plan import (
    MAX_CALLS,
    Consent,
    Hazard,
    NoPlan,
    Plan,
    Wish,
    WishKind,
    force_plan,
    make_plan,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.states import (
    OPEN,
    Call,
    CallKind,
    Mode,
    State,
    optional,
    rbac,
    required,
    rotating,
)

X, Y = UNKNOWN_TOKENS
GROUP_ID = "orders-eu"
SETTLE = ("let the module reach the nodes",)

#: The token that is wished for is among the first; the others are in force with nobody having given them.
_NAMES = ("a", "b", X, Y, "record r")
_EVERY_STATE = worlds.all_states(_NAMES)
_MANY = settings(max_examples=settings().max_examples * 3)

beliefs = st.frozensets(st.sampled_from(_EVERY_STATE), min_size=1, max_size=4) | st.sampled_from(_EVERY_STATE).map(
    lambda state: frozenset({state})
)
max_calls = st.integers(1, MAX_CALLS)


def _groups(states: Iterable[State]) -> list[aws_model.Group]:
    return [aws_model.group_of(state) for state in states]


def _run(states: Iterable[State], calls: Iterable[Call], wish: Wish) -> frozenset[State]:
    """Make the calls from each state in every variant, promises checked, and return the states after them."""
    requests = [aws_model.request_of(call) for call in calls]
    return frozenset(
        aws_model.state_of(aws_model.run(group, requests, wish, variant))
        for group in _groups(states)
        for variant in aws_model.VARIANTS
    )


def _check_message(no_plan: NoPlan, wish: Wish) -> None:
    text = explain.refusal(GROUP_ID, no_plan, wish, str, SETTLE)
    assert text.startswith(f"{GROUP_ID}: ")
    assert "{" not in text, "a placeholder was left"
    for verdict in no_plan.verdicts:
        assert explain.describe(verdict.state) in text, "each state that is possible is named"
    if no_plan.uncertain:
        assert "not known" in text
        assert SETTLE[0] in text
    else:
        assert "Way out: " in text
        assert len(text.split("Way out: ")[1]) > 20


@_MANY
@given(worlds.worlds_with_wishes, worlds.kinds_of_calls, max_calls)
def test_from_what_was_seen_to_what_is_wished(
    world_and_wish: tuple[World, Wish], kinds: tuple[CallKind, ...], most: int
) -> None:
    """Issue 2, section 3: for all hidden states, all evidence consistent with them and all wishes."""
    world, wish = world_and_wish
    answer = make_plan(believe(world.evidence), wish, kinds=kinds, max_calls=most)
    if isinstance(answer, NoPlan):
        _check_message(answer, wish)
    else:
        _run([world.hidden], answer.calls, wish)


@_MANY
@given(beliefs, worlds.wishes(("a", "b")), worlds.kinds_of_calls, max_calls)
def test_a_plan_keeps_its_promises_and_the_shortest_is_found(
    states: frozenset[State], wish: Wish, kinds: tuple[CallKind, ...], most: int
) -> None:
    answer = make_plan(states, wish, kinds=kinds, max_calls=most)
    shortest = aws_model.shortest_length(_groups(states), wish, kinds, most)
    if isinstance(answer, Plan):
        assert len(answer.calls) == shortest
        assert {call.kind for call in answer.calls} <= set(kinds)
        assert answer.after == _run(states, answer.calls, wish)
        assert make_plan(answer.after, wish, kinds=kinds, max_calls=most) == Plan((), answer.after)
        return
    assert shortest is None
    assert {verdict.state for verdict in answer.verdicts} == states
    for verdict in answer.verdicts:
        alone = aws_model.shortest_length(_groups([verdict.state]), wish, kinds, most)
        assert alone == (None if verdict.calls is None else len(verdict.calls))
        assert (verdict.calls is None) == (verdict.hazard is not None)
        if verdict.calls is not None:
            _run([verdict.state], verdict.calls, wish)
    assert answer.uncertain == any(verdict.calls is not None for verdict in answer.verdicts)
    _check_message(answer, wish)


def test_with_one_state_and_one_wish_all_there_are() -> None:
    """No sample: each state, each wish about two tokens, without any consent and with all of it, one call and four."""
    wishes = [
        *(Wish(kind, token) for kind in (WishKind.ACCEPT, WishKind.ONLY) for token in ("a", "b")),
        *(Wish(WishKind.USER_GROUPS, user_groups=ids) for ids in (("g",), ("h",), ("g", "h"))),
        *(Wish(WishKind.OPEN, user_groups=ids) for ids in ((), ("g",))),
        *(Wish(WishKind.EXACT, state=state) for state in worlds.all_states(("a", "b"))),
    ]
    plans = 0
    for state, wish, consent, most in itertools.product(
        worlds.all_states(("a", "b", X)), wishes, (Consent(), Consent.all()), (1, MAX_CALLS)
    ):
        wish = replace(wish, consent=consent)
        answer = make_plan({state}, wish, max_calls=most)
        shortest = aws_model.shortest_length(_groups([state]), wish, tuple(CallKind), most)
        assert shortest == (len(answer.calls) if isinstance(answer, Plan) else None), f"{wish} from {state}"
        if isinstance(answer, Plan):
            plans += 1
            requests = [aws_model.request_of(call) for call in answer.calls]
            aws_model.run(aws_model.group_of(state), requests, wish, aws_model.VARIANTS[0])
        else:
            assert not answer.uncertain
            _check_message(answer, wish)
    assert plans > 400


def test_no_way_takes_more_calls_than_are_looked_for() -> None:
    for state, goal in itertools.product(worlds.all_states(("a", "b", "c", X, Y)), repeat=2):
        wish = Wish(WishKind.EXACT, state=goal, consent=Consent.all())
        assert aws_model.shortest_length(_groups([state]), wish, tuple(CallKind), MAX_CALLS + 3) in (
            None,
            *range(MAX_CALLS + 1),
        )


@_MANY
@given(beliefs, worlds.wishes(("a", "b")), worlds.kinds_of_calls, max_calls)
def test_forcing_makes_no_call_in_vain(
    states: frozenset[State], wish: Wish, kinds: tuple[CallKind, ...], most: int
) -> None:
    answer = force_plan(Belief(states), wish, kinds=kinds, max_calls=most)
    insistent = replace(wish, consent=Consent.all())
    ways = [aws_model.shortest_length(_groups([state]), insistent, kinds, most) for state in states]
    if isinstance(answer, NoPlan):
        assert any(length is None for length in ways) or len(states) > 1
        _check_message(answer, insistent)
        return
    assert {call.kind for call in answer.calls} <= set(kinds)
    if all(length == 0 for length in ways):
        assert answer.calls == ()
    if not answer.calls:
        assert set(ways) == {0}, "it is not taken for fulfilled where it may not be"
        return
    assert len(answer.calls) <= most
    fulfilled = 0
    for state in states:
        now, made = aws_model.group_of(state), 0
        try:
            for call in answer.calls:
                now = aws_model.modify(now, aws_model.request_of(call), aws_model.VARIANTS[0])
                made += 1
        except aws_model.Refused:
            pass
        # What AWS refuses changes nothing, and what follows is not called any more.
        assert aws_model.state_of(now) in answer.after
        fulfilled += made == len(answer.calls) and aws_model.fulfilled(now, wish)
    assert fulfilled, "it is right in one state at least"


@given(beliefs, worlds.wishes(("a", "b")), worlds.kinds_of_calls, max_calls)
def test_forcing_never_refuses_what_needs_no_force(
    states: frozenset[State], wish: Wish, kinds: tuple[CallKind, ...], most: int
) -> None:
    plain = make_plan(states, wish, kinds=kinds, max_calls=most)
    forced = force_plan(Belief(states), wish, kinds=kinds, max_calls=most)
    if isinstance(plain, Plan):
        assert isinstance(forced, Plan)
        assert len(forced.calls) <= len(plain.calls)
    every = replace(wish, consent=Consent.all())
    if isinstance(planned := make_plan(states, every, kinds=kinds, max_calls=most), Plan):
        assert forced == planned


# --- the operations, by name

T = "new"


def _one(state: State, wish: Wish, **options: int) -> tuple[Call, ...] | tuple[Hazard | None, str]:
    answer = make_plan({state}, wish, **options)  # type: ignore[arg-type]
    if isinstance(answer, Plan):
        return answer.calls
    (verdict,) = answer.verdicts
    return verdict.hazard, verdict.token


ROTATE, SET = Call(CallKind.ROTATE, T), Call(CallKind.SET, T)
DELETE = Call(CallKind.DELETE, user_groups=("g",))


@pytest.mark.parametrize(
    ("state", "wish", "expected"),
    [
        # ROTATE
        (required("old"), Wish(WishKind.ACCEPT, T), (ROTATE,)),
        (OPEN, Wish(WishKind.ACCEPT, T), (ROTATE,)),
        (required(T), Wish(WishKind.ACCEPT, T), ()),
        (optional(T), Wish(WishKind.ACCEPT, T), ()),
        (rotating(T, "old"), Wish(WishKind.ACCEPT, T), ()),
        (rotating("older", "old"), Wish(WishKind.ACCEPT, T), (Hazard.PUSHES_OUT, "older")),
        (rotating("older", "old"), Wish(WishKind.ACCEPT, T, consent=Consent(push_out_token=True)), (ROTATE,)),
        (
            rotating("older", "old"),
            Wish(WishKind.ACCEPT, T, consent=Consent(end_unauthenticated=True)),
            (Hazard.PUSHES_OUT, "older"),
        ),
        (optional("old"), Wish(WishKind.ACCEPT, T), (Hazard.ENDS_UNAUTHENTICATED, "old")),
        (optional("old"), Wish(WishKind.ACCEPT, T, consent=Consent(end_unauthenticated=True)), (ROTATE,)),
        (
            optional("old"),
            Wish(WishKind.ACCEPT, T, consent=Consent(push_out_token=True)),
            (Hazard.ENDS_UNAUTHENTICATED, "old"),
        ),
        # out of RBAC
        (rbac("g"), Wish(WishKind.ACCEPT, T), (Hazard.USER_GROUPS_ATTACHED, "")),
        (rbac("g"), Wish(WishKind.ACCEPT, T, consent=Consent(leave_rbac=True)), (Hazard.USER_GROUPS_ATTACHED, "")),
        (
            rbac("g"),
            Wish(WishKind.ACCEPT, T, consent=Consent(leave_rbac=True, allow_unauthenticated=True)),
            (Call(CallKind.REMOVE_AND_ROTATE, T),),
        ),
        # SET
        (rotating("old", T), Wish(WishKind.ONLY, T), (SET,)),
        (optional(T), Wish(WishKind.ONLY, T), (SET,)),
        (required(T), Wish(WishKind.ONLY, T), ()),
        (rotating(T, "newest"), Wish(WishKind.ONLY, T), (Hazard.NOT_NEWEST, "newest")),
        (required("old"), Wish(WishKind.ONLY, T), (Hazard.NOT_ROTATED_IN, T)),
        (rotating("older", "old"), Wish(WishKind.ONLY, T), (Hazard.NOT_ROTATED_IN, T)),
        (OPEN, Wish(WishKind.ONLY, T), (Hazard.NOTHING_TO_SET, T)),
        (rbac("g"), Wish(WishKind.ONLY, T), (Hazard.USER_GROUPS_ATTACHED, "")),
        # DELETE
        (required("old"), Wish(WishKind.USER_GROUPS, user_groups=("g",)), (DELETE,)),
        (rotating("older", "old"), Wish(WishKind.USER_GROUPS, user_groups=("g",)), (DELETE,)),
        (OPEN, Wish(WishKind.USER_GROUPS, user_groups=("g",)), (Call(CallKind.ADD_USER_GROUPS, user_groups=("g",)),)),
        (rbac("g"), Wish(WishKind.USER_GROUPS, user_groups=("g",)), ()),
        (rbac("h"), Wish(WishKind.USER_GROUPS, user_groups=("g",)), (Hazard.OTHER_USER_GROUPS, "")),
        # open
        (rbac("g"), Wish(WishKind.OPEN), (Call(CallKind.REMOVE_USER_GROUPS, user_groups=("g",)),)),
        (required("old"), Wish(WishKind.OPEN), (Hazard.UNREACHABLE, "")),
    ],
)
def test_one_call(state: State, wish: Wish, expected: object) -> None:
    assert _one(state, wish, max_calls=1) == expected


@pytest.mark.parametrize(
    ("state", "wish", "calls"),
    [
        (required("old"), Wish(WishKind.ONLY, T), (ROTATE, SET)),
        (OPEN, Wish(WishKind.ONLY, T), (ROTATE, SET)),
        (optional("old"), Wish(WishKind.ONLY, T), None),
        (optional("old"), Wish(WishKind.ONLY, T, consent=Consent(end_unauthenticated=True)), (ROTATE, SET)),
        (rotating("older", "old"), Wish(WishKind.ONLY, T), None),
        (
            required("old"),
            Wish(WishKind.OPEN, user_groups=("g",), consent=Consent(push_out_token=True)),
            (DELETE, Call(CallKind.REMOVE_USER_GROUPS, user_groups=("g",))),
        ),
        (
            rbac("g"),
            Wish(WishKind.ONLY, T, consent=Consent(leave_rbac=True, allow_unauthenticated=True)),
            (Call(CallKind.REMOVE_AND_ROTATE, T), SET),
        ),
        (
            required("a"),
            Wish(WishKind.EXACT, state=rotating("b", "c")),
            (Call(CallKind.ROTATE, "b"), Call(CallKind.ROTATE, "c")),
        ),
        (
            rotating("x", "a"),
            Wish(WishKind.EXACT, state=rotating("b", "c")),
            None,
        ),
        (
            rotating("a", "b"),
            Wish(WishKind.EXACT, state=rotating("b", "a"), consent=Consent(push_out_token=True)),
            (Call(CallKind.SET, "b"), Call(CallKind.ROTATE, "a")),
        ),
    ],
)
def test_several_calls(state: State, wish: Wish, calls: tuple[Call, ...] | None) -> None:
    answer = make_plan({state}, wish)
    assert (answer.calls if isinstance(answer, Plan) else None) == calls


def test_one_plan_serves_all_states_or_there_is_none() -> None:
    unsure = frozenset({required("old"), required(X)})
    assert make_plan(unsure, Wish(WishKind.ACCEPT, T)) == Plan(
        (ROTATE,), frozenset({rotating("old", T), rotating(X, T)})
    )
    # One call too many where the token is in force already: what a repeated ROTATE does is shown nowhere.
    repeated = make_plan({required("old"), required(T)}, Wish(WishKind.ACCEPT, T))
    assert isinstance(repeated, NoPlan)
    assert [verdict.calls for verdict in repeated.verdicts] == [(), (ROTATE,)]
    assert repeated.uncertain
    hopeless = make_plan({rotating(X, "old"), optional("old")}, Wish(WishKind.ACCEPT, T))
    assert isinstance(hopeless, NoPlan)
    assert not hopeless.uncertain, "neither has a way: knowing more would not help"


def test_forcing_takes_what_is_unknown_for_harmless() -> None:
    set_ = Wish(WishKind.ONLY, T)
    belief = Belief(frozenset({required(T), rotating("old", T), rotating(T, "old"), required(X)}))
    assert force_plan(belief, set_) == Plan((SET,), frozenset({required(T), rotating(T, "old"), required(X)}))
    assert force_plan(Belief(frozenset({required(T)})), set_) == Plan((), frozenset({required(T)}))
    assert isinstance(force_plan(Belief(frozenset({required(X), OPEN})), set_), NoPlan), "surely refused"


def test_forcing_does_not_choose_between_two_ways() -> None:
    belief = Belief(frozenset({rbac("g"), required("old")}))
    kinds = (CallKind.ROTATE, CallKind.REMOVE_AND_ROTATE)
    assert isinstance(force_plan(belief, Wish(WishKind.ACCEPT, T), kinds=kinds), NoPlan)


def test_forcing_ends_at_the_call_that_is_refused() -> None:
    wish = Wish(WishKind.EXACT, state=rotating("a", "b"))
    belief = Belief(frozenset({required(X), optional("b")}))
    assert force_plan(belief, wish, kinds=(CallKind.ROTATE,), max_calls=2) == Plan(
        (Call(CallKind.ROTATE, "a"), Call(CallKind.ROTATE, "b")),
        # The second ROTATE is one of a token that is live, where it was optional: nobody has shown what it does.
        frozenset({rotating("a", "b"), rotating("b", "a")}),
    )


@pytest.mark.parametrize("kind", list(CallKind))
def test_kinds_left_out_are_not_used(kind: CallKind) -> None:
    others = tuple(other for other in CallKind if other is not kind)
    for state in worlds.all_states(("a", "b")):
        answer = make_plan({state}, Wish(WishKind.EXACT, state=required("b"), consent=Consent.all()), kinds=others)
        assert isinstance(answer, NoPlan) or kind not in {call.kind for call in answer.calls}


def test_modes_of_the_worlds_are_all_met() -> None:
    """The generators above would prove little if they never drew some mode."""
    assert {state.mode for state in _EVERY_STATE} == set(Mode)
