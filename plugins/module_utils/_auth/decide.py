# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decide for every group of a change what to call, by the core's plan, or say why nothing is called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from .._aws import modify
from .._core.evidence import Belief, assume
from .._core.explain import describe_all, refusal
from .._core.plan import NoPlan, Plan, Wish, force_plan, make_plan
from .._core.states import Call, CallKind, Mode, State
from .._core.tokens import in_force_violations, rule_violations
from .change_run import ChangeRun, Order
from .outcome import shown_states
from .tokens import TokenSet, invalid, label


def decide(order: Order, runs: Mapping[str, ChangeRun]) -> None:
    """Plan for every group; where there is no plan, say why."""
    for key, run in runs.items():
        if run.progress.error or run.seen is None:
            continue
        wish = order.wish(key, run.tokens)
        group = run.seen.group
        if run.overtaken not in (None, group.token_date or ""):
            # What the caller said of the state, and insisted on, was about the one before someone else changed it.
            order_now = replace(order, assume_state=None, force=False)
        else:
            order_now = order
        run.belief, plan = _plan(order_now, run.seen.belief, wish, run.expected if _shows(run) else None)
        changed = group.changed_since(order.seen_as) if order.seen_as and run.sent is None else ""
        if isinstance(plan, NoPlan) and changed:
            _plan_anew(run, changed)
            continue
        if isinstance(plan, NoPlan):
            message = refusal(key, plan, wish, label, _settling(order_now, run, wish), order.operation)
            if plan.uncertain or run.progress.drift:
                message = " ".join(filter(None, (message, run.seen.told_by_nodes())))
            if run.progress.drift:
                message += (
                    " The token was changed by someone else since this collection last did (drift):"
                    f" AuthTokenLastModifiedDate is {group.token_date}."
                )
            run.fail(message + (_never_in_force(run.tokens) if group.auth_token_enabled else ""))
            continue
        if problem := _not_taken(key, plan.calls, run.tokens):
            run.fail(problem)
            continue
        if plan.calls and order.planned_for and (words := group.changed_since(order.planned_for)):
            _plan_anew(run, words)
            continue
        run.plan = plan
        if not plan.calls:
            run.progress.after = shown_states(plan.after, group)
            run.progress.msg = f"{key}: already {describe_all(plan.after, label)}."
        if run.progress.drift and not run.progress.changed:
            run.progress.warnings.append(
                f"{key}: its token was changed by someone else, at {group.token_date}, since this collection last did."
            )


def _plan_anew(run: ChangeRun, words: str) -> None:
    """Take note that somebody else has changed the group since the caller planned; ``words``: what differs."""
    run.overtaken = (run.seen.group.token_date if run.seen else None) or ""
    run.progress.warnings.append(f"{run.progress.id}: {words}, other than when it was planned for. It is planned anew.")


def _not_taken(group_id: str, calls: Iterable[Call], tokens: TokenSet) -> str:
    """Say why AWS would not take a token that is new to the group; empty where it does, or none is sent."""
    for call in calls:
        token = tokens.wanted
        learns = call.kind in (CallKind.ROTATE, CallKind.REMOVE_AND_ROTATE)
        if learns and token and token.name == call.token and rule_violations(token.value):
            return str(invalid(group_id, token))
    return ""


def _never_in_force(tokens: TokenSet) -> str:
    """Say which of the tokens at hand no group can have, in a sentence; empty where there is none."""
    wrong = {token.name: violations for token in tokens.all if (violations := in_force_violations(token.value))}
    return "".join(f" Note that {label(name)} can't be in force: {'; '.join(why)}." for name, why in wrong.items())


def predict(runs: Mapping[str, ChangeRun]) -> None:
    """Fill in what would be done, and to what end: in check mode alone is that told."""
    for key, run in runs.items():
        if run.plan is None or run.seen is None:
            continue
        run.progress.after = shown_states(run.plan.after, run.seen.group)
        run.progress.changed = True
        run.progress.api_calls = [modify.shown(key, call) for call in run.plan.calls]
        run.progress.msg = f"{key}: would become {describe_all(run.plan.after, label)}."


def _shows(run: ChangeRun) -> bool:
    """Whether a call that may have been made shows: then it is not made again, however little else is known."""
    return run.sent is not None and run.seen is not None and not run.sent.lack(run.seen.group)


def _plan(order: Order, belief: Belief, wish: Wish, arrived: frozenset[State] | None) -> tuple[Belief, Plan | NoPlan]:
    """Return the plan and the belief it is made from; assumptions narrow that only where evidence leaves it open.

    ``arrived``: the states that our own call has led to, where that shows.
    """
    plan = make_plan(belief, wish, kinds=order.kinds, max_calls=1)
    if isinstance(plan, NoPlan) and arrived:
        return belief, Plan((), arrived)
    if isinstance(plan, NoPlan) and order.assume_state is not None:
        assumed = _assuming(order, belief, wish, order.assume_state)
        if assumed is not None:
            belief = assumed
            plan = make_plan(belief, wish, kinds=order.kinds, max_calls=1)
    if isinstance(plan, NoPlan) and order.force:
        plan = force_plan(belief, wish, kinds=order.kinds)
    return belief, plan


def _assuming(order: Order, belief: Belief, wish: Wish, mode: Mode) -> Belief | None:
    """Return the belief narrowed by the user's word: with SET the token given is the newest, else not in force yet."""
    return assume(belief, mode, token=wish.token or None, live=set(order.kinds) == {CallKind.SET})


def _word_helps(order: Order, belief: Belief, wish: Wish) -> bool:
    """Whether there is a state that, named in O(assume_state), would settle what is to be called."""
    beliefs = (_assuming(order, belief, wish, mode) for mode in {state.mode for state in belief.states})
    plans = (make_plan(belief, wish, kinds=order.kinds, max_calls=1) for belief in beliefs if belief is not None)
    return any(isinstance(plan, Plan) and plan.calls for plan in plans)


def _settling(order: Order, run: ChangeRun, wish: Wish) -> list[str]:
    """What would settle an uncertainty here, as phrases."""
    seen = run.seen
    ways = []
    if order.probing.mode == "never":
        ways.append("use probe: auto, so that the nodes are asked")
    elif seen is not None and not seen.heard:
        ways.append("run where the nodes can be reached, so that they are asked")
    if not run.tokens.complete:
        ways.append(
            "name every other token that may be in force in known_auth_tokens ([] where there is none) or "
            "previous_auth_tokens"
        )
    if order.assume_state is None:
        if seen is not None and _word_helps(order, seen.belief, wish):
            newest = " (rotating says that the token given is the newer one)" if CallKind.SET in order.kinds else ""
            ways.append(f"name the state in assume_state, if you know it{newest}")
    else:
        ways.append(f"correct assume_state: {order.assume_state.value}, which the evidence contradicts or leaves open")
    if not order.force:
        ways.append("or insist with force: true")
    return ways
