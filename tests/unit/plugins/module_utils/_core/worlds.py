# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Hypothesis strategies for what may be hidden behind the API, and for what may have been seen of it.

The tokens ``a``, ``b`` and ``c`` are at the caller's hand, ``x``, ``y`` and ``z`` are not; each name is also the value.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st
from unit.plugins.module_utils._core import aws_model

from ansible_collections.elasticache.auth.plugins.module_utils._core.evidence import (
    UNKNOWN_TOKENS,
    Answer,
    Api,
    Evidence,
    Probe,
    Record,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.plan import Consent, Wish, WishKind
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

AT_HAND = ("a", "b", "c")
NOT_AT_HAND = ("x", "y", "z")
TOKENS = (*AT_HAND, *NOT_AT_HAND)


def all_states(
    tokens: tuple[str, ...], groups: tuple[tuple[str, ...], ...] = (("g",), ("h",), ("g", "h"))
) -> list[State]:
    """Return every state there is for these tokens and sets of user groups."""
    return [
        OPEN,
        *(optional(token) for token in tokens),
        *(required(token) for token in tokens),
        *(rotating(*pair) for pair in itertools.permutations(tokens, 2)),
        *(rbac(*ids) for ids in groups),
    ]


@dataclass(frozen=True)
class World:
    """A hidden state, and evidence that is consistent with it.

    ``meaning``: the token that each name in the evidence stands for, if it is not its own value.
    ``stale``: someone else changed the group since the record was written.
    """

    hidden: State
    evidence: Evidence
    meaning: Mapping[str, str] = field(default_factory=dict)
    stale: bool = False


def represents(believed: State, world: World) -> bool:
    """Whether ``believed`` is what a caller who knows only the evidence can call the hidden state."""
    hidden, known = world.hidden, world.evidence.known
    if (believed.mode, believed.user_groups, len(believed.tokens)) != (
        hidden.mode,
        hidden.user_groups,
        len(hidden.tokens),
    ):
        return False
    for name, token in zip(believed.tokens, hidden.tokens, strict=True):
        if name in known:
            agrees = name == token
        elif name in UNKNOWN_TOKENS:
            agrees = token not in known
        else:
            agrees = world.meaning[name] == token
        if not agrees:
            return False
    return True


_STATES = st.sampled_from(all_states(TOKENS))
_WITH_TOKEN = st.sampled_from([state for state in all_states(TOKENS) if state.tokens])
_KNOWN = st.sampled_from([known for n in range(4) for known in itertools.permutations(AT_HAND, n)])


def _api(state: State, date: str | None) -> Api:
    return Api(auth_token_enabled=bool(state.tokens), user_group_ids=state.user_groups, token_date=date)


@st.composite
def probes(draw: st.DrawFn, hidden: State, known: tuple[str, ...]) -> Probe:
    """What the nodes answer in ``hidden``: all, some or none of it may have been heard."""
    variant = aws_model.Variant(optional_wrong_token=draw(st.sampled_from(["refused", "accepted"])))
    group = aws_model.group_of(hidden)
    # The data plane is asked a token that nobody has, too: a node that takes it proves nothing by taking others.
    takes_anything = aws_model.auth_answer(group, "a token that nobody has", variant) == "accepted"
    answers = {}
    for token in known:
        if draw(st.booleans(), label=f"AUTH {token} is heard"):
            heard = Answer(aws_model.auth_answer(group, token, variant))
            answers[token] = Answer.UNTOLD if takes_anything else heard
        elif draw(st.booleans()):
            answers[token] = Answer.UNTOLD
    return Probe(group.anyone if draw(st.booleans(), label="PING is heard") else None, answers)


@st.composite
def records(
    draw: st.DrawFn,
    known: tuple[str, ...],
    kinds: tuple[str, ...] = ("in force", "not made", "made", "stale", "unshown"),
) -> tuple[State, str | None, Record, dict[str, str], bool]:
    """Tell a story of a record: the hidden state and date at its end, the record, its names' meaning, is it stale."""
    written = draw(_STATES, label="state when the record was written")
    before: str | None = draw(st.sampled_from(["monday", None]), label="date when it was written")
    kind = draw(st.sampled_from(kinds), label="story")
    call = None
    hidden, after = written, before
    if kind in ("not made", "made", "unshown"):
        variant = draw(st.sampled_from(aws_model.VARIANTS)) if kind == "unshown" else aws_model.VARIANTS[0]
        if kind == "unshown":
            variant = replace(variant, date_moves=draw(st.sampled_from(["on change", "on call"])))
        call = draw(st.sampled_from(_all_calls(written)))
        group = aws_model.group_of(written)
        with contextlib.suppress(aws_model.Refused):
            group = aws_model.modify(group, aws_model.request_of(call), variant)
        if kind != "not made":
            hidden = aws_model.state_of(group)
            after = "tuesday" if group.date else before
    elif kind == "stale":
        hidden, after = draw(_STATES), "wednesday"
    meaning: dict[str, str] = {}
    aliases: dict[str, frozenset[str]] = {}

    def name(token: str) -> str:
        """A known token goes by its name where that was checked, else by a name from the record."""
        if token in known and draw(st.booleans(), label=f"{token} is recognised"):
            return token
        named = f"record {token}"
        meaning[named] = token
        certainly = {token} if token in known else set()
        aliases[named] = frozenset(draw(st.sets(st.sampled_from(known))) if known else set()) | certainly
        return named

    names = {
        token: name(token)
        for token in dict.fromkeys((*written.tokens, *((call.token,) if call and call.token else ())))
    }
    recorded = Record(
        aws_model.values(written, names),
        call and replace(call, token=names.get(call.token, call.token)),
        before,
        aliases,
    )
    return hidden, after, recorded, meaning, kind == "stale"


def _all_calls(state: State) -> list[Call]:
    wishes = [Wish(WishKind.ONLY, token, ("g",)) for token in TOKENS]
    attached = [frozenset(state.user_groups)] if state.user_groups else []
    return [call for wish in wishes for call in aws_model.calls_for(wish, attached, tuple(CallKind))]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A hidden state with all kinds of evidence that is consistent with it."""
    known = draw(_KNOWN, label="known")
    hidden, date = draw(_STATES, label="hidden"), "monday"
    record, stale = None, False
    meaning: dict[str, str] = {}
    after: str | None = date
    if draw(st.booleans(), label="there is a record"):
        hidden, after, record, meaning, stale = draw(records(known))
    api = _api(hidden, after if hidden.tokens else draw(st.sampled_from([None, after])))
    probe = draw(st.none() | probes(hidden, known)) if hidden.mode is not Mode.RBAC else None
    complete = set(hidden.tokens) <= set(known) and draw(st.booleans(), label="complete")
    return World(hidden, Evidence(api, known, probe, record, complete), meaning, stale)


_CONSENTS = tuple(Consent(*given) for given in itertools.product((False, True), repeat=4))


@st.composite
def wishes(draw: st.DrawFn, tokens: tuple[str, ...] = AT_HAND) -> Wish:
    """Every kind of wish about the tokens at hand, with every combination of consents."""
    about_tokens = (WishKind.ACCEPT, WishKind.ONLY)
    kind = draw(st.sampled_from([kind for kind in WishKind if tokens or kind not in about_tokens]))
    consent = draw(st.sampled_from(_CONSENTS))
    match kind:
        case WishKind.ACCEPT | WishKind.ONLY:
            return Wish(kind, draw(st.sampled_from(tokens)), consent=consent)
        case WishKind.USER_GROUPS:
            return Wish(kind, user_groups=draw(st.sampled_from([("g",), ("h",), ("h", "g")])), consent=consent)
        case WishKind.OPEN:
            return Wish(kind, user_groups=draw(st.sampled_from([(), ("g",)])), consent=consent)
        case WishKind.EXACT:
            return Wish(kind, state=draw(st.sampled_from(all_states(tokens))), consent=consent)


kinds_of_calls = st.just(tuple(CallKind)) | st.sets(st.sampled_from(tuple(CallKind)), min_size=1).map(
    lambda kinds: tuple(sorted(kinds))
)

#: A world, and a wish about the tokens that are at hand in it.
worlds_with_wishes = worlds().flatmap(lambda world: st.tuples(st.just(world), wishes(world.evidence.known)))
