# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The belief holds the truth whatever was seen of it, and no more than what was seen allows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.plugins.module_utils._core import worlds
from unit.plugins.module_utils._core.worlds import World

from ansible_collections.elasticache.auth.plugins.module_utils._core.evidence import (
    UNKNOWN_TOKENS,
    Answer,
    Api,
    Belief,
    Evidence,
    Probe,
    Record,
    Word,
    assume,
    believe,
    recorded_states,
    take_word,
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
ON = Api(True, token_date="monday")
YES, NO, UNTOLD = Answer.ACCEPTED, Answer.REFUSED, Answer.UNTOLD


def _find(belief: Belief, world: World) -> set[State]:
    return {state for state in belief.states if worlds.represents(state, world)}


@settings(max_examples=settings().max_examples * 3)
@given(worlds.worlds())
def test_the_hidden_state_is_always_believed_possible(world: World) -> None:
    belief = believe(world.evidence)
    assert _find(belief, world), f"{world.hidden} is not in {sorted(map(str, belief.states))}"


@given(worlds.worlds())
def test_flags_tell_the_truth(world: World) -> None:
    belief, record = believe(world.evidence), world.evidence.record
    assert not belief.foreign, "the caller spoke the truth about knowing all tokens"
    assert not (belief.recorded and record is None)
    if record is None or not world.stale:
        assert not belief.drift, "nobody else changed anything"
    elif world.hidden.tokens or record.state.tokens:
        assert belief.drift, "someone else changed the token"
        assert not belief.recorded


@given(worlds.worlds())
def test_more_evidence_never_allows_more(world: World) -> None:
    """Where it is consistent: what is believed with less was believed possible, only less was ruled out."""
    if world.stale:
        return
    full = world.evidence
    now = _canonical(believe(full), full.known)
    less = [replace(full, probe=None), replace(full, record=None), replace(full, complete=False)]
    if full.probe is not None:
        less.append(replace(full, probe=replace(full.probe, served_unauthenticated=None)))
        answers = dict(full.probe.tokens)
        less += [
            replace(full, probe=replace(full.probe, tokens={n: a for n, a in answers.items() if n != unheard}))
            for unheard in answers
        ]
    for evidence in less:
        assert now <= _canonical(believe(evidence), full.known), evidence


def _canonical(belief: Belief, known: tuple[str, ...]) -> set[State]:
    """Tokens that are not at hand have many names: here they are numbered."""
    states = set()
    for state in belief.states:
        unknown = iter(UNKNOWN_TOKENS)
        states.add(replace(state, tokens=tuple(name if name in known else next(unknown) for name in state.tokens)))
    return states


@given(worlds.worlds())
def test_nothing_is_believed_that_was_seen_to_be_otherwise(world: World) -> None:
    evidence = world.evidence
    for state in believe(evidence).states:
        assert bool(state.tokens) == evidence.api.auth_token_enabled
        assert state.user_groups == evidence.api.user_group_ids
        if evidence.complete and not world.stale:
            assert set(state.tokens) <= set(evidence.known)
        if evidence.probe is None:
            continue
        assert evidence.probe.served_unauthenticated in (None, state.allows_unauthenticated)
        for name, answer in evidence.probe.tokens.items():
            assert answer is UNTOLD or (answer is YES) == (name in state.tokens)


@given(worlds.worlds(), st.sampled_from(tuple(Mode)), st.none() | st.sampled_from(worlds.AT_HAND), st.booleans())
def test_a_true_assumption_keeps_the_truth_and_a_false_one_never_beats_the_evidence(
    world: World, mode: Mode, token: str | None, live: bool
) -> None:
    belief = believe(world.evidence)
    narrowed = assume(belief, mode, token=token, live=live)
    assert narrowed is None or narrowed.states <= belief.states
    assert narrowed is None or narrowed.mode is mode
    hidden = world.hidden
    # About a group without tokens there is nothing to be said of one.
    about_token = (
        token is None or not hidden.tokens or (hidden.tokens[-1] == token if live else token not in hidden.tokens)
    )
    if hidden.mode is mode and about_token and (token is None or token in world.evidence.known):
        assert narrowed is not None
        assert _find(narrowed, world)


@given(worlds.worlds())
def test_a_false_assumption_about_all_tokens_is_found_out_or_shown_by_nothing(world: World) -> None:
    belief = believe(replace(world.evidence, complete=True))
    if belief.foreign:
        assert _find(belief, world), "once it is found out, it no longer counts"
        assert not set(world.hidden.tokens) <= set(world.evidence.known)


# --- table: what a few pieces of evidence leave over

_PAIRS = {rotating("a", X), rotating(X, "a"), rotating(X, Y)}


@pytest.mark.parametrize(
    ("evidence", "states"),
    [
        pytest.param(Evidence(Api(False)), {OPEN}, id="no token, no user group"),
        pytest.param(Evidence(Api(False, ("h", "g"))), {rbac("g", "h")}, id="user groups"),
        pytest.param(Evidence(ON), {optional(X), required(X), rotating(X, Y)}, id="a token, and nothing else is known"),
        pytest.param(
            Evidence(ON, ("a",)),
            {optional("a"), optional(X), required("a"), required(X), *_PAIRS},
            id="one token is at hand",
        ),
        pytest.param(
            Evidence(ON, ("a", "b"), complete=True),
            {
                *(optional(token) for token in "ab"),
                *(required(token) for token in "ab"),
                rotating("a", "b"),
                rotating("b", "a"),
            },
            id="all tokens are at hand",
        ),
        pytest.param(
            Evidence(ON, ("a",), Probe(True, {"a": YES})),
            {optional("a")},
            id="unauthenticated access and the token accepted",
        ),
        pytest.param(
            Evidence(ON, ("a",), Probe(True, {"a": NO})), {optional(X)}, id="unauthenticated access, the token refused"
        ),
        pytest.param(
            Evidence(ON, ("a",), Probe(False, {"a": YES})),
            {required("a"), rotating("a", X), rotating(X, "a")},
            id="alone, or with one that nobody told us about",
        ),
        pytest.param(
            Evidence(ON, ("a",), Probe(False, {"a": YES}), complete=True), {required("a")}, id="alone, on his word"
        ),
        pytest.param(
            Evidence(ON, ("a", "b"), Probe(False, {"a": YES, "b": YES})),
            {rotating("a", "b"), rotating("b", "a")},
            id="both accepted: the order is not seen",
        ),
        pytest.param(
            Evidence(ON, ("a", "b"), Probe(False, {"a": NO, "b": NO})),
            {required(X), rotating(X, Y)},
            id="both refused",
        ),
        pytest.param(
            Evidence(ON, ("a", "b"), Probe(None, {"a": YES, "b": UNTOLD})),
            {optional("a"), required("a"), *(_PAIRS - {rotating(X, Y)}), rotating("a", "b"), rotating("b", "a")},
            id="nodes differ about unauthenticated access and b",
        ),
        pytest.param(
            Evidence(ON, ("a", "b"), record=Record(rotating("a", "b"), None, "monday")),
            {rotating("a", "b")},
            id="a record in force tells the order",
        ),
        pytest.param(
            Evidence(ON, ("a", "b"), record=Record(required("a"), Call(CallKind.ROTATE, "b"), "monday")),
            {required("a")},
            id="written ahead, the date has not moved: not made",
        ),
        pytest.param(
            Evidence(ON, ("a", "b"), record=Record(required("a"), Call(CallKind.ROTATE, "b"), "sunday")),
            {rotating("a", "b")},
            id="written ahead, the date has moved: made",
        ),
        pytest.param(
            Evidence(ON, ("b",), record=Record(OPEN, Call(CallKind.ROTATE, "b"), None)),
            {optional("b")},
            id="the first token: there was no date before",
        ),
        pytest.param(
            Evidence(ON, ("b",), record=Record(rbac("g"), Call(CallKind.REMOVE_AND_ROTATE, "b"), None)),
            {optional("b")},
            id="out of RBAC",
        ),
        pytest.param(
            Evidence(ON, ("a",), record=Record(required("r"), None, "monday", {"r": frozenset({"a"})})),
            {required("r"), required("a")},
            id="a name from the record that may be the token at hand",
        ),
        pytest.param(
            Evidence(
                ON, ("a",), record=Record(rotating("r", "s"), None, "monday", dict.fromkeys("rs", frozenset("a")))
            ),
            {rotating("r", "s"), rotating("a", "s"), rotating("r", "a")},
            id="two such names are not the same token",
        ),
        pytest.param(
            Evidence(
                ON,
                ("a",),
                Probe(False, {"a": NO}),
                Record(required("r"), None, "monday", {"r": frozenset({"a"})}),
            ),
            {required("r")},
            id="the nodes tell which it is",
        ),
        pytest.param(
            Evidence(ON, ("a",), record=Record(required("r"), None, "monday", {"r": frozenset({"a"})}), complete=True),
            {required("a")},
            id="and so does the word that there is no token beyond those at hand",
        ),
        pytest.param(
            Evidence(ON, ("a", "b", "c"), Probe(False, dict.fromkeys("abc", YES)), complete=True),
            {state for state in worlds.all_states(("a", "b", "c", X)) if state.tokens} | {rotating(X, Y)},
            id="more tokens answer than there are slots: the nodes prove nothing",
        ),
    ],
)
def test_belief(evidence: Evidence, states: set[State]) -> None:
    assert believe(evidence).states == states


WIDE = {optional("a"), optional(X), required("a"), required(X), *_PAIRS}


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        pytest.param(
            Evidence(ON, ("a",), record=Record(required("a"), None, "sunday")),
            Belief(frozenset(WIDE), drift=True),
            id="the date moved and we made no call",
        ),
        pytest.param(
            Evidence(ON, ("a",), record=Record(required("a"), None, "sunday"), complete=True),
            Belief(frozenset(WIDE), drift=True),
            id="then nobody can vouch for all tokens",
        ),
        pytest.param(
            Evidence(ON, ("a", "b"), Probe(False, {"a": NO, "b": YES}), Record(required("a"), None, "monday")),
            Belief(frozenset({required("b"), rotating("b", X), rotating(X, "b")}), drift=True),
            id="the nodes contradict the record",
        ),
        pytest.param(
            Evidence(ON, ("a",), record=Record(OPEN, None, None)),
            Belief(frozenset(WIDE), drift=True),
            id="the record knows of no token",
        ),
        pytest.param(
            Evidence(ON, ("a",), record=Record(rbac("g"), Call(CallKind.REMOVE_AND_ROTATE, "a"), "monday")),
            Belief(frozenset(WIDE), drift=True),
            id="our call was not made, and yet there is a token",
        ),
        pytest.param(
            Evidence(Api(False), ("a",), record=Record(required("a"), None, "monday")),
            Belief(frozenset({OPEN}), drift=True),
            id="the recorded token is gone",
        ),
        pytest.param(
            Evidence(Api(False, ("g",)), ("a",), record=Record(required("a"), None, "monday")),
            Belief(frozenset({rbac("g")}), drift=True),
            id="the recorded token gave way to user groups",
        ),
        pytest.param(
            Evidence(
                Api(False, ("g",)),
                ("a",),
                record=Record(required("a"), Call(CallKind.DELETE, user_groups=("g",)), "monday"),
            ),
            Belief(frozenset({rbac("g")})),
            id="the recorded token gave way to user groups, by our own call",
        ),
        pytest.param(
            Evidence(Api(False), ("a",), record=Record(required("a"), Call(CallKind.SET, "a"), "monday")),
            Belief(frozenset({OPEN})),
            id="our call was one whose effect nobody knows: the record says nothing",
        ),
        pytest.param(
            Evidence(ON, ("a",), record=Record(required("a"), Call(CallKind.SET, "a"), "sunday")),
            Belief(frozenset(WIDE)),
            id="our call was one whose effect nobody knows, and a token is on",
        ),
        pytest.param(
            Evidence(ON, ("a",), Probe(False, {"a": NO}), complete=True),
            Belief(frozenset({required(X), rotating(X, Y)}), foreign=True),
            id="a token that nobody vouched for",
        ),
        pytest.param(
            Evidence(ON, ("a",), record=Record(required("a"), None, "monday")),
            Belief(frozenset({required("a")}), recorded=True),
            id="the record holds",
        ),
    ],
)
def test_what_contradicts_each_other_is_reported(evidence: Evidence, expected: Belief) -> None:
    assert believe(evidence) == expected


def test_someone_elses_change_in_place_of_the_recorded_call_is_found_by_the_nodes() -> None:
    """Its limit: the date moved, and it can't tell whose call moved it. Only the nodes can."""
    record = Record(required("a"), Call(CallKind.ROTATE, "b"), "sunday")
    blind = believe(Evidence(ON, ("a", "b"), record=record))
    seeing = believe(Evidence(ON, ("a", "b"), Probe(False, {"a": YES, "b": NO}), record))
    assert blind == Belief(frozenset({rotating("a", "b")}), recorded=True)
    assert seeing.drift
    assert rotating("a", X) in seeing.states


@pytest.mark.parametrize(
    ("record", "date", "states"),
    [
        (Record(required("a"), None, "monday"), "monday", {required("a")}),
        (Record(required("a"), None, "monday"), "tuesday", set()),
        (Record(required("a"), None, "monday"), None, set()),
        (Record(rotating("a", "b"), Call(CallKind.SET, "b"), "monday"), "tuesday", {required("b")}),
        (Record(rotating("a", "b"), Call(CallKind.SET, "a"), "monday"), "tuesday", None),
        (Record(rotating("a", "b"), Call(CallKind.SET, "a"), "monday"), "monday", {rotating("a", "b")}),
        (Record(required("a"), Call(CallKind.DELETE, user_groups=("g",)), "monday"), "tuesday", set()),
        # What was not at hand then is not the token that was about to be rotated in.
        (
            Record(required("u.1"), Call(CallKind.ROTATE, "b"), "monday", {"u.1": frozenset({"a", "b"})}),
            "monday",
            {required("u.1"), required("a")},
        ),
    ],
)
def test_what_a_record_says(record: Record, date: str | None, states: set[State] | None) -> None:
    assert recorded_states(record, date) == states


ALL = believe(Evidence(ON, ("a", "b")))


@pytest.mark.parametrize(
    ("mode", "token", "live", "states"),
    [
        (Mode.OPTIONAL, None, False, {optional("a"), optional("b"), optional(X)}),
        (Mode.OPTIONAL, "a", True, {optional("a")}),
        (Mode.OPTIONAL, "a", False, {optional("b"), optional(X)}),
        (Mode.REQUIRED, "a", True, {required("a")}),
        (Mode.ROTATING, "a", True, {rotating("b", "a"), rotating(X, "a")}),
        (Mode.ROTATING, "a", False, {rotating("b", X), rotating(X, "b"), rotating(X, Y)}),
    ],
)
def test_the_callers_assumption(mode: Mode, token: str | None, live: bool, states: set[State]) -> None:
    assert assume(ALL, mode, token=token, live=live) == Belief(frozenset(states), assumed=True)


def test_the_callers_assumption_against_the_evidence() -> None:
    assert assume(ALL, Mode.OPEN, token=None, live=False) is None
    assert assume(ALL, Mode.RBAC, token="a", live=True) is None
    assert assume(Belief(frozenset({rotating("a", "b")})), Mode.ROTATING, token="a", live=True) is None
    open_ = Belief(frozenset({OPEN}), drift=True)
    assert assume(open_, Mode.OPEN, token="a", live=True) == open_, "the rest of the belief stays"


AB, BA = rotating("a", "b"), rotating("b", "a")


@pytest.mark.parametrize(
    ("word", "states"),
    [
        pytest.param(Word(Mode.REQUIRED, in_force="a"), {required("a")}, id="required"),
        pytest.param(Word(Mode.ROTATING, in_force="a"), {AB, BA}, id="rotating does not say which token is the newest"),
        pytest.param(Word(Mode.ROTATING, newest="b", in_force="a"), {AB}, id="rotating, and the newest"),
        pytest.param(Word(newest="b", in_force="a"), {required("b"), AB, optional("b")}, id="the newest alone"),
        pytest.param(Word(Mode.REQUIRED, newest="b", in_force="a"), {required("b")}, id="not the one in AWSCURRENT"),
        pytest.param(Word(Mode.OPTIONAL), {optional("a"), optional("b")}, id="no token is named"),
        pytest.param(Word(Mode.OPEN, in_force="a"), set(), id="never against the evidence"),
        pytest.param(Word(newest="c"), set(), id="a token that is not at hand"),
    ],
)
def test_the_assumed_newest_token(word: Word, states: set[State]) -> None:
    belief = believe(Evidence(ON, ("a", "b"), complete=True))
    assert take_word(belief, word) == (Belief(frozenset(states), assumed=True) if states else None)


@given(worlds.worlds(), st.sampled_from([None, *Mode]), st.sampled_from(["", *worlds.AT_HAND]))
def test_a_true_assumption_of_the_newest_token_keeps_the_truth(world: World, mode: Mode | None, newest: str) -> None:
    belief = believe(world.evidence)
    taken = take_word(belief, Word(mode, newest))
    assert taken is None or taken.states <= belief.states
    assert taken is None or taken.assumed or taken == belief
    known = world.evidence.known
    if mode in (None, world.hidden.mode) and (
        not newest or (world.hidden.tokens[-1:] == (newest,) and newest in known)
    ):
        assert taken is not None
        assert _find(taken, world)


def test_what_says_nothing_new_is_no_assumption() -> None:
    belief = Belief(frozenset({required("a")}), recorded=True)
    assert take_word(belief, Word(Mode.REQUIRED, in_force="a")) == belief


ROTATE_B, SET_B = Call(CallKind.ROTATE, "b"), Call(CallKind.SET, "b")


def assumed(state: State, call: Call | None = None, seen: str = "monday") -> Record:
    """A record that rests on an assumption."""
    return Record(state, call, seen, assumed=True)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        pytest.param(
            Evidence(ON, ("a", "b"), record=assumed(AB), complete=True),
            Belief(frozenset({AB}), recorded=True, assumed=True),
            id="it stays an assumption",
        ),
        pytest.param(
            Evidence(ON, ("a", "b"), record=assumed(required("a"), ROTATE_B, "sunday"), complete=True),
            Belief(frozenset({AB}), recorded=True, assumed=True),
            id="ROTATE confirms nothing",
        ),
        pytest.param(
            Evidence(ON, ("a", "b"), record=assumed(AB, SET_B, "sunday"), complete=True),
            Belief(frozenset({required("b")}), recorded=True),
            id="SET that was taken leads to one state",
        ),
        pytest.param(
            Evidence(ON, ("a", "b"), record=assumed(AB, SET_B), complete=True),
            Belief(frozenset({AB}), recorded=True, assumed=True),
            id="SET that was not made confirms nothing",
        ),
        pytest.param(
            Evidence(ON, ("a", "b"), Probe(False, {"a": YES, "b": NO}), assumed(required("a")), complete=True),
            Belief(frozenset({required("a")}), recorded=True),
            id="the nodes confirm it",
        ),
        pytest.param(
            Evidence(ON, ("a", "b"), Probe(False, {"a": YES, "b": YES}), assumed(AB), complete=True),
            Belief(frozenset({AB}), recorded=True, assumed=True),
            id="the nodes don't tell the order",
        ),
        pytest.param(
            Evidence(ON, ("a", "b"), Probe(False, {"a": NO, "b": YES}), assumed(AB), complete=True),
            Belief(frozenset({required("b")})),
            id="the nodes contradict it, which is no drift",
        ),
        pytest.param(
            Evidence(ON, ("a",), record=assumed(required("a"), seen="sunday")),
            Belief(frozenset(WIDE), drift=True),
            id="the token was changed since",
        ),
    ],
)
def test_a_record_that_rests_on_an_assumption(evidence: Evidence, expected: Belief) -> None:
    assert believe(evidence) == expected


OLD = Record(AB, None, "sunday")
ONLY_B = Probe(False, {"a": NO, "b": YES})


@pytest.mark.parametrize(
    ("evidence", "states"),
    [
        pytest.param(Evidence(ON, ("a", "b"), ONLY_B, OLD, True), {required("b")}, id="SET by hand, half-way"),
        pytest.param(
            Evidence(ON, ("a", "b"), ONLY_B, Record(required("a"), ROTATE_B, "sunday"), True),
            {required("b")},
            id="SET by hand, of a rotation that was cut off",
        ),
        pytest.param(
            Evidence(ON, ("a", "b"), Probe(False, {"a": YES, "b": YES}), Record(required("a"), None, "sunday"), True),
            {AB, BA},
            id="ROTATE by hand, which does not tell the order",
        ),
        pytest.param(
            Evidence(ON, ("b",), Probe(False, {"b": YES}), Record(optional("b"), None, "sunday"), True),
            {required("b")},
            id="SET by hand of an optional token",
        ),
        pytest.param(
            Evidence(ON, ("a", "b"), Probe(False, {"a": YES, "b": NO}), Record(required("a"), None, "sunday"), True),
            {required("a"), rotating("a", X), rotating(X, "a")},
            id="a change that no token at hand explains",
        ),
        pytest.param(
            Evidence(ON, ("a", "b"), ONLY_B, OLD),
            {required("b"), rotating("b", X), rotating(X, "b")},
            id="not all tokens are at hand",
        ),
        pytest.param(
            Evidence(ON, ("a", "b"), Probe(None, {"a": NO, "b": YES}), OLD, True),
            {required("b"), optional("b"), rotating("b", X), rotating(X, "b")},
            id="nodes differ about clients without a token",
        ),
        pytest.param(
            Evidence(ON, ("a", "b", "c"), Probe(False, {"a": NO, "b": YES}), OLD, True),
            {required("b"), *(s for c in ("c", X) for s in (rotating("b", c), rotating(c, "b")))},
            id="a token was not asked about",
        ),
    ],
)
def test_a_change_by_hand_that_the_nodes_explain(evidence: Evidence, states: set[State]) -> None:
    """After it, too, the nodes settle what is in force: the drift is told, and what rests on it is an assumption."""
    belief = believe(evidence)
    assert belief.states == states
    assert belief.drift
    assert belief.assumed == (X not in {token for state in states for token in state.tokens})


def test_what_all_states_agree_on() -> None:
    assert Belief(frozenset({required("a")})).certain == required("a")
    both = Belief(frozenset({required("a"), required(X)}))
    assert (both.certain, both.mode) == (None, Mode.REQUIRED)
    assert Belief(frozenset({required("a"), optional("a")})).mode is None
