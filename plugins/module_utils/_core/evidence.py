# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was seen of a replication group, and the set of states that it still allows (the belief).

Pure: what the API, the data plane and the record said comes in as data; no call, no clock.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from .states import OPEN, Call, CallKind, Mode, State, apply, optional, rbac, required, rotating

#: Tokens that are in force but that nobody told us about: different from each other and from every known one.
UNKNOWN_TOKENS = ("unknown token", "another unknown token")


class Answer(str, enum.Enum):
    """What the data plane said to AUTH with one token, on every node alike."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNTOLD = "untold"  #: not asked, nodes differ, or a node that also accepts a token nobody has


@dataclass(frozen=True)
class Probe:
    """The data plane's answers: is a client without credentials served (``None``: nodes differ), and the tokens."""

    served_unauthenticated: bool | None
    tokens: Mapping[str, Answer] = field(default_factory=dict)


@dataclass(frozen=True)
class Api:
    """What the API says of a group with no change under way (elasticache-facts §2).

    ``token_date`` is AuthTokenLastModifiedDate, as text that is compared and never interpreted.
    """

    auth_token_enabled: bool
    user_group_ids: tuple[str, ...] = ()
    token_date: str | None = None


@dataclass(frozen=True)
class Record:
    """What this collection wrote down: the state, and the call it was about to make (``None``: none).

    ``seen`` is the ``token_date`` read before it was written. Token names that are not among the known ones are
    names from the record. ``aliases`` tells which known tokens such a name may stand for, where that can't be checked.
    ``assumed``: the state was not known when it was written, but assumed (see :attr:`Belief.assumed`).
    """

    state: State
    call: Call | None
    seen: str | None
    aliases: Mapping[str, frozenset[str]] = field(default_factory=dict)
    assumed: bool = False


@dataclass(frozen=True)
class Evidence:
    """All that was seen. ``known`` are the names of the tokens whose values are at hand.

    ``complete``: the caller vouches that no token beyond the known ones is in force (he named them all, or they come
    from a store that keeps all).
    """

    api: Api
    known: tuple[str, ...] = ()
    probe: Probe | None = None
    record: Record | None = None
    complete: bool = False


@dataclass(frozen=True)
class Belief:
    """The states that the evidence allows, never empty.

    ``drift``: the token was changed by someone else since the record was written, or the nodes contradict the record.
    ``recorded``: the record narrowed the belief. ``foreign``: the caller vouched for knowing all tokens in force, and
    the nodes show that he does not. ``assumed``: something was ruled out that nobody has seen to be otherwise: by the
    caller's word, by a record that rests on one, or because a change by someone else is explained without a token that
    is not at hand. AWS's refusal of a call that is right by it speaks against it.
    """

    states: frozenset[State]
    drift: bool = False
    recorded: bool = False
    foreign: bool = False
    assumed: bool = False

    @property
    def certain(self) -> State | None:
        """The state, where just one is left."""
        return next(iter(self.states)) if len(self.states) == 1 else None

    @property
    def mode(self) -> Mode | None:
        """The mode, where all states agree on it."""
        modes = {state.mode for state in self.states}
        return modes.pop() if len(modes) == 1 else None


def believe(evidence: Evidence) -> Belief:
    """Return every state that ``evidence`` still allows.

    The data plane is believed over the record, and both over the caller's assumption that all tokens are known: where
    they contradict each other the weaker one is left out, and ``drift`` or ``foreign`` says so. After a change by
    someone else that assumption counts again where every token at hand was asked, and one documented call with these
    tokens explains the answers: SET by hand in an incomplete rotation, for example.
    """
    api = evidence.api
    if api.user_group_ids or not api.auth_token_enabled:
        state = rbac(*api.user_group_ids) if api.user_group_ids else OPEN
        return Belief(frozenset({state}), drift=_lost_token(evidence.record))

    recorded = recorded_states(evidence.record, api.token_date) if evidence.record else None
    if recorded:
        states = _seen_by(evidence.probe, recorded)
        if evidence.complete:
            # A name from the record then stands for one of the known tokens, wherever it may stand for one.
            states = frozenset(s for s in states if set(s.tokens) <= set(evidence.known)) or states
        if states:
            return Belief(states, recorded=True, assumed=_rests_on_assumption(evidence, states))
    # Where the nodes contradict what was no more than assumed, nobody need have changed anything.
    drift = recorded is not None and not (recorded and evidence.record and evidence.record.assumed)

    if evidence.complete:
        states = _seen_by(evidence.probe, _token_states(evidence.known))
        if states and not drift:
            return Belief(states)
        if states & _one_call_later(evidence):
            return Belief(states, drift=True, assumed=True)
    states = _seen_by(evidence.probe, _token_states((*evidence.known, *UNKNOWN_TOKENS)))
    # Only a probe in which more tokens answer than a group has slots leaves nothing: then it proves nothing.
    states = states or _token_states((*evidence.known, *UNKNOWN_TOKENS))
    return Belief(states, drift=drift, foreign=evidence.complete and not drift)


def recorded_states(record: Record, token_date: str | None) -> frozenset[State] | None:
    """Return the states that ``record`` allows for a group with a token and its present ``token_date``.

    Empty: the token was changed without us. ``None``: the record says nothing (its call was one whose effect nobody
    knows). A call written ahead has been carried out just when the date has moved since (elasticache-facts §2).
    """
    moved = record.seen != token_date
    if record.call is None:
        state = None if moved else record.state
    elif moved:
        state = apply(record.state, record.call)
        if state is None:
            return None
    else:
        state = record.state
    if state is None or not state.tokens:
        return frozenset()
    # What was not at hand then is not the token that was about to be accepted.
    coming = (
        {record.call.token} if record.call is not None and record.call.kind is CallKind.ROTATE and not moved else set()
    )
    named = [({name} | (set(record.aliases.get(name, ())) - coming)) for name in state.tokens]
    return frozenset(
        replace(state, tokens=tokens) for tokens in itertools.product(*named) if len(set(tokens)) == len(tokens)
    )


def _rests_on_assumption(evidence: Evidence, states: frozenset[State]) -> bool:
    """Whether ``states``, which the record allows, are an assumption still: not what AWS or the nodes have confirmed.

    A SET that AWS has taken leads to the same state whatever was assumed before; a ROTATE does not.
    """
    record = evidence.record
    if record is None or not record.assumed:
        return False
    if record.call is not None and record.call.kind is not CallKind.ROTATE and record.seen != evidence.api.token_date:
        return False
    tokens = evidence.known if evidence.complete else (*evidence.known, *UNKNOWN_TOKENS)
    return _seen_by(evidence.probe, _token_states(tokens)) != states


def _one_call_later(evidence: Evidence) -> frozenset[State]:
    """Return the states that one documented call with a token at hand leads to from those on record.

    None, where a node has not told of each token at hand, or of clients without one.
    """
    probe, record = evidence.probe, evidence.record
    if record is None or probe is None or probe.served_unauthenticated is None:
        return frozenset()
    if any(probe.tokens.get(name, Answer.UNTOLD) is Answer.UNTOLD for name in evidence.known):
        return frozenset()
    states = {record.state, apply(record.state, record.call) if record.call else None}
    calls = [Call(kind, name) for kind in (CallKind.ROTATE, CallKind.SET) for name in evidence.known]
    return frozenset(after for state in states if state for call in calls if (after := apply(state, call)) is not None)


def _lost_token(record: Record | None) -> bool:
    """Whether the token in ``record`` is gone from a group that has none now, and not by the recorded call."""
    if record is None or not record.state.tokens:
        return False
    if record.call is None:
        return True
    after = apply(record.state, record.call)
    return after is not None and bool(after.tokens)


def assume(belief: Belief, mode: Mode, *, token: str | None, live: bool) -> Belief | None:
    """Narrow ``belief`` by the caller's word that the group is in ``mode``, and ``token`` in force (newest) or not.

    Returns ``None`` where the evidence says otherwise: it is stronger than a word.
    """
    states = {state for state in belief.states if state.mode is mode}
    if token is not None and mode is not Mode.OPEN and mode is not Mode.RBAC:
        states = {s for s in states if (s.tokens[-1] == token if live else token not in s.tokens)}
    return _narrowed(belief, states)


@dataclass(frozen=True)
class Word:
    """What the caller says of a group: the mode, and the token that was rotated in last.

    ``in_force``: the token that is accepted, in the newest place but in a rotation, unless ``newest`` is named.
    """

    mode: Mode | None = None
    newest: str = ""
    in_force: str = ""

    def allows(self, state: State) -> bool:
        """Whether ``state`` is as the caller says."""
        if self.mode not in (None, state.mode) or (self.newest and state.tokens[-1:] != (self.newest,)):
            return False
        if self.newest or not self.in_force or not state.tokens:
            return True
        return self.in_force in (state.tokens if state.mode is Mode.ROTATING else state.tokens[-1:])


def take_word(belief: Belief, word: Word) -> Belief | None:
    """Narrow ``belief`` by the caller's word. Returns ``None`` where the evidence says otherwise: that is stronger."""
    return _narrowed(belief, {state for state in belief.states if word.allows(state)})


def _narrowed(belief: Belief, states: Iterable[State]) -> Belief | None:
    left = frozenset(states)
    return replace(belief, states=left, assumed=belief.assumed or left != belief.states) if left else None


def _token_states(tokens: Iterable[str]) -> frozenset[State]:
    """Every state with a token, for these token names; the unknown ones are told apart from each other by order."""
    names = tuple(dict.fromkeys(tokens))
    first, second = UNKNOWN_TOKENS
    states = {optional(name) for name in names} | {required(name) for name in names}
    states |= {rotating(older, newer) for older, newer in itertools.permutations(names, 2)}
    # Which of two unknown tokens is called which means nothing: one naming stands for both.
    return frozenset(state for state in states if second not in state.tokens or state.tokens == (first, second))


def _seen_by(probe: Probe | None, states: Iterable[State]) -> frozenset[State]:
    if probe is None:
        return frozenset(states)

    def agrees(state: State) -> bool:
        if probe.served_unauthenticated is not None and probe.served_unauthenticated != state.allows_unauthenticated:
            return False
        return all(
            answer is Answer.UNTOLD or (answer is Answer.ACCEPTED) == (name in state.tokens)
            for name, answer in probe.tokens.items()
        )

    return frozenset(filter(agrees, states))
