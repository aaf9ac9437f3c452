# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the evidence leaves open: what the user assumes, what would settle it, and what goes on record."""

from __future__ import annotations

import itertools
from dataclasses import replace

from .._auth.observe import Observation
from .._auth.tokens import label
from .._core.errors import AuthError
from .._core.evidence import Word, take_word
from .._core.explain import describe
from .._core.operations import (
    Operation,
    Step,
    StepPlan,
    Store,
)
from .._core.states import Mode
from .request import NEWEST, OperationRequest
from .token_store import Kept

#: The steps that change what a group accepts. Each is announced in its record.
_CHANGING = (Step.ROTATE, Step.ROTATE_CURRENT, Step.SET, Step.ATTACH, Step.ATTACH_OPEN, Step.REMOVE_USER_GROUPS)


def by_assumption(request: OperationRequest, seen: Observation, kept: Kept) -> tuple[Observation, bool]:
    """Return what was seen, narrowed by the user's word where it leaves anything open, and whether it contradicts that.

    Raises :class:`AuthError` for a word about a token that there is none of.
    """
    given = request.assume_state is not None or request.assume_newest
    if not given or seen.belief.certain is not None or request.operation is Operation.ENABLE_TLS:
        return seen, False
    newest = ""
    if request.assume_newest:
        newest = _nameable(kept.store).get(request.assume_newest, "")
        if not newest:
            where = f" in {NEWEST[request.assume_newest]} of the secret {kept.store.name}" if kept.store.kept else ""
            raise AuthError(
                f"{seen.group.id}: assume_newest: {request.assume_newest} names no token "
                f"of its own: there is none{where}, or the same one as in AWSCURRENT."
            )
    taken = take_word(seen.belief, Word(request.assume_state, newest, kept.store.current))
    if taken is None:
        return seen, True
    # Who knows the state from elsewhere speaks of tokens that are at hand.
    at_hand = frozenset(state for state in taken.states if set(state.tokens) <= set(seen.tokens.names))
    if at_hand:
        taken = replace(taken, states=at_hand)
    return replace(seen, belief=taken, unassumed=seen.belief), False


def _nameable(store: Store) -> dict[str, str]:
    """Return the tokens that O(assume_newest) can name, by what it names them."""
    named = {"current": store.current, "pending": store.pending, "previous": store.previous}
    return {word: name for word, name in named.items() if name}


def with_record(operation: Operation, step_plan: StepPlan, seen: Observation) -> StepPlan:
    """Put a step first that brings the record up to date, where nothing else would before labels move.

    What the user said, or a change by someone else that was found out, is asked for once: the next run has the record.
    """
    belief, state = seen.belief, seen.belief.certain
    known_already = belief.recorded and seen.unassumed is None
    if state is None or not state.tokens or known_already or not (belief.assumed or belief.drift):
        return step_plan
    before = tuple(itertools.takewhile(lambda step: step not in _CHANGING, step_plan.steps))
    quick = {Step.USERS} if operation is Operation.ROLLBACK_TOKEN else {Step.USERS, Step.STAGE}
    if len(before) < len(step_plan.steps) and set(before) <= quick:
        return step_plan  # the call is announced in the record
    return replace(step_plan, steps=(Step.UPDATE_RECORD, *step_plan.steps))


def check_explained(request: OperationRequest, seen: Observation, step_plan: StepPlan) -> None:
    """Raise :class:`AuthError` where a change by somebody else is explained by a SET, and ``step_plan`` would refuse a
    token if it was a ROTATE of one that is not at hand: the nodes answer alike.

    An earlier run may have put that explanation on record, as an assumption: that makes it no better.
    """
    group, belief, state, entry = seen.group, seen.belief, seen.belief.certain, seen.entry
    on_record = belief.recorded and entry is not None and entry.assumed and entry.call is None
    if not (on_record or (belief.drift and belief.assumed)) or state is None or state.mode is not Mode.REQUIRED:
        return
    step = next((step for step in step_plan.steps if step in (Step.ROTATE, Step.ROTATE_CURRENT, Step.ATTACH)), None)
    if step is None or request.assume_state is Mode.REQUIRED:
        return
    what = f"somebody else has changed its AUTH token, at {group.token_date}, since this collection last did (drift)"
    if on_record:
        what = f"what it accepts since its AUTH token was changed, at {group.token_date}, is on record as an assumption"
    raise AuthError(
        f"{group.id}: {request.operation.value} is refused: {what}. If that change was SET, it is "
        f"{describe(state, label)}; if it was ROTATE of a token that is not at hand, clients would be refused after "
        f"the step {step.value}: the nodes answer alike. {seen.told_by_nodes()} Way out: find out what was called. "
        "After SET, say assume_state: required; after ROTATE, put the token that was rotated in into AWSPENDING (or "
        "pass it)."
    )


def what_would_settle(request: OperationRequest, seen: Observation, store: Store, contradicted: bool) -> str:
    belief = seen.unassumed or seen.belief
    step_plans = []
    if request.inquiry.probing.mode == "never":
        step_plans.append("use probe: auto, so that the nodes are asked")
    elif not seen.heard:
        step_plans.append("run where the nodes can be reached, so that they are asked")
    if not seen.tokens.complete:
        step_plans.append("supply the token that was in force before, too")
    if contradicted:
        step_plans.append("correct assume_state and assume_newest, which the evidence contradicts")
    elif request.assume_state is None and len({state.mode for state in belief.states}) > 1:
        step_plans.append("name the state in assume_state, if you know it")
    # The state alone does not say which of two tokens is the newer one.
    newest = {state.tokens[-1] for state in belief.states if state.mode is Mode.ROTATING}
    words = [word for word, name in _nameable(store).items() if name in newest]
    if len(newest) > 1 and words and not request.assume_newest and request.assume_state in (None, Mode.ROTATING):
        step_plans.append(
            "in a rotation, name the token that was rotated in last, if you know it, in assume_newest "
            f"({' or '.join(words)})"
        )
    return "; or ".join(step_plans) or "make the change step by step, with elasticache.auth.replication_group_auth"
