# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring many groups' access control to what a strategy wants: look, decide, write down, call, wait, prove.

All groups go through each step together, so that a thousand cost one paged Describe a sweep and one process; what
befalls one is its own. Nothing is called that the core did not plan.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext

from .._aws.clients import Clients
from .._core.errors import AuthError
from .._core.explain import clock
from .._core.states import CallKind
from .carry_out import act, arrive, note_sent
from .case import Case, Order
from .decide import decide, predict
from .look import look
from .observe import Observation
from .outcome import Change
from .tokens import TokenSet

#: How often a group is looked at anew after a call that may or may not have been carried out.
_MAX_ROUNDS = 6


def bring_about(
    clients: Clients,
    order: Order,
    tokens: Mapping[str, TokenSet | AuthError],
    known: Mapping[str, Observation] | None = None,
) -> list[Change]:
    """Fulfil ``order`` for each group in ``tokens`` and return what happened to each, in order.

    ``known``: what was seen of groups a moment ago, with these tokens; it counts where AWS shows the group unchanged.
    Raises :class:`AuthError` for what concerns no single group (no credentials, no route to AWS).
    """
    begun = time.monotonic()
    deadline = begun + order.timeout
    clients.groups_at_once = max(clients.groups_at_once, len(tokens))
    cases = {}
    for key, given in tokens.items():
        case = Case(Change(key), given if isinstance(given, TokenSet) else TokenSet(), begun)
        case.known = known.get(key) if known else None
        if isinstance(given, AuthError):
            case.fail(str(given))
        cases[key] = case

    under_way = {key: case for key, case in cases.items() if not case.progress.error}
    for dummy in range(_MAX_ROUNDS):
        if not under_way:
            break
        try:
            under_way, delayed = _round(clients, order, under_way, deadline)
            deadline += delayed
        except AuthError as error:
            if not any(case.sent for case in cases.values()):
                raise
            # Groups have been changed: whatever stops us now, the caller must hear of that.
            for key, case in under_way.items():
                if not case.progress.error and (case.sent or not case.plan or case.plan.calls):
                    if not case.progress.api_calls:
                        note_sent(key, case)
                    case.fail(f"{key}: {error}")
            return _progress(cases, begun)
    for key, case in under_way.items():
        note_sent(key, case)
        case.fail(
            f"{key}: AWS was busy with it, or the connection broke, at each of {_MAX_ROUNDS} tries. Run this again."
        )
    return _progress(cases, begun)


def _round(clients: Clients, order: Order, cases: Mapping[str, Case], deadline: float) -> tuple[dict[str, Case], float]:
    """Look, decide, act and wait; return the groups to look at again, and for how many seconds they queued and rested.

    Raises :class:`AuthError`.
    """
    look(clients, order, cases, deadline)
    decide(order, cases)
    acting = {key: case for key, case in cases.items() if case.plan and case.plan.calls}
    if order.check_mode:
        predict(acting)
        return {}, 0.0
    resting = _resting(order, acting)
    begun = time.monotonic()
    again = act(clients, order, {key: case for key, case in acting.items() if key not in resting})
    queued = time.monotonic() - begun
    again += resting
    arrive(clients, order, {key: case for key, case in cases.items() if key not in again}, deadline + queued)
    rested = _rest(clients, order, {key: acting[key] for key in resting}, resting)
    return {key: acting[key] for key in again if not acting[key].progress.error}, queued + rested


def _resting(order: Order, cases: Mapping[str, Case]) -> dict[str, int]:
    """Return the groups whose SET has to wait, as it would end the client cutover of another run early, and until when.

    With ``take_over`` it has not, and that is told.
    """
    now = time.time()
    ends = {
        key: case.seen.cutover_until
        for key, case in cases.items()
        if case.seen and case.seen.cutover_until > now and case.plan and case.plan.calls[0].kind is CallKind.SET
    }
    if not order.take_over:
        return ends
    for key, until in ends.items():
        cases[key].progress.warnings.append(f"{key}: {_cutover(until)} is ended early, by SET.")
    return {}


def _rest(clients: Clients, order: Order, cases: Mapping[str, Case], ends: Mapping[str, int]) -> float:
    """Wait until all client cutovers are over, say so, and return for how many seconds."""
    if not ends:
        return 0.0
    begun = time.monotonic()
    with clients.sweep.noted({key: _cutover(until) for key, until in ends.items()}) if clients.sweep else nullcontext():
        while (left := max(ends.values()) - time.time()) > 0:
            clients.pause(left)
    rested = time.monotonic() - begun
    for key, case in cases.items():
        try:
            if order.rested:
                order.rested()
        except AuthError as error:
            case.fail(str(error))
            continue
        case.progress.warnings.append(
            f"{key}: SET was made {rested:.0f} s later, after {_cutover(ends[key])}. take_over: true ends it early."
        )
    return rested


def _cutover(until: int) -> str:
    return f"the client cutover of another run, which lasts until {clock(until)}"


def _progress(cases: Mapping[str, Case], begun: float) -> list[Change]:
    changes = []
    for case in cases.values():
        case.progress.duration = case.progress.duration or time.monotonic() - begun
        if isinstance(case.progress, Change):
            case.progress.called_at, case.progress.done_at = case.called_at, case.done_at
            case.progress.seen, case.progress.overtaken = case.seen, case.overtaken is not None
            changes.append(case.progress)
    return changes
