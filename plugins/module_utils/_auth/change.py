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
from .change_run import ChangeRun, Order
from .decide import decide, predict
from .observe import Observation
from .observe_groups import observe_groups
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
    runs = {}
    for key, given in tokens.items():
        run = ChangeRun(Change(key), given if isinstance(given, TokenSet) else TokenSet(), begun)
        run.known = known.get(key) if known else None
        if isinstance(given, AuthError):
            run.fail(str(given))
        runs[key] = run

    under_way = {key: run for key, run in runs.items() if not run.progress.error}
    for dummy in range(_MAX_ROUNDS):
        if not under_way:
            break
        try:
            under_way, delayed = _round(clients, order, under_way, deadline)
            deadline += delayed
        except AuthError as error:
            if not any(run.sent for run in runs.values()):
                raise
            # Groups have been changed: whatever stops us now, the caller must hear of that.
            for key, run in under_way.items():
                if not run.progress.error and (run.sent or not run.plan or run.plan.calls):
                    if not run.progress.api_calls:
                        note_sent(key, run)
                    run.fail(f"{key}: {error}")
            return _progress(runs, begun)
    for key, run in under_way.items():
        note_sent(key, run)
        run.fail(
            f"{key}: AWS was busy with it, or the connection broke, at each of {_MAX_ROUNDS} tries. Run this again."
        )
    return _progress(runs, begun)


def _round(
    clients: Clients, order: Order, runs: Mapping[str, ChangeRun], deadline: float
) -> tuple[dict[str, ChangeRun], float]:
    """Look, decide, act and wait; return the groups to look at again, and for how many seconds they queued and rested.

    Raises :class:`AuthError`.
    """
    observe_groups(clients, order, runs, deadline)
    decide(order, runs)
    acting = {key: run for key, run in runs.items() if run.plan and run.plan.calls}
    if order.check_mode:
        predict(acting)
        return {}, 0.0
    resting = _resting(order, acting)
    begun = time.monotonic()
    again = act(clients, order, {key: run for key, run in acting.items() if key not in resting})
    queued = time.monotonic() - begun
    again += resting
    arrive(clients, order, {key: run for key, run in runs.items() if key not in again}, deadline + queued)
    rested = _rest(clients, order, {key: acting[key] for key in resting}, resting)
    return {key: acting[key] for key in again if not acting[key].progress.error}, queued + rested


def _resting(order: Order, runs: Mapping[str, ChangeRun]) -> dict[str, int]:
    """Return the groups whose SET has to wait, as it would end the client cutover of another run early, and until when.

    With ``take_over`` it has not, and that is told.
    """
    now = time.time()
    ends = {
        key: run.seen.cutover_until
        for key, run in runs.items()
        if run.seen and run.seen.cutover_until > now and run.plan and run.plan.calls[0].kind is CallKind.SET
    }
    if not order.take_over:
        return ends
    for key, until in ends.items():
        runs[key].progress.warnings.append(f"{key}: {_cutover(until)} is ended early, by SET.")
    return {}


def _rest(clients: Clients, order: Order, runs: Mapping[str, ChangeRun], ends: Mapping[str, int]) -> float:
    """Wait until all client cutovers are over, say so, and return for how many seconds."""
    if not ends:
        return 0.0
    begun = time.monotonic()
    with clients.sweep.noted({key: _cutover(until) for key, until in ends.items()}) if clients.sweep else nullcontext():
        while (left := max(ends.values()) - time.time()) > 0:
            clients.pause(left)
    rested = time.monotonic() - begun
    for key, run in runs.items():
        try:
            if order.rested:
                order.rested()
        except AuthError as error:
            run.fail(str(error))
            continue
        run.progress.warnings.append(
            f"{key}: SET was made {rested:.0f} s later, after {_cutover(ends[key])}. take_over: true ends it early."
        )
    return rested


def _cutover(until: int) -> str:
    return f"the client cutover of another run, which lasts until {clock(until)}"


def _progress(runs: Mapping[str, ChangeRun], begun: float) -> list[Change]:
    changes = []
    for run in runs.values():
        run.progress.duration = run.progress.duration or time.monotonic() - begun
        if isinstance(run.progress, Change):
            run.progress.called_at, run.progress.done_at = run.called_at, run.done_at
            run.progress.seen, run.progress.overtaken = run.seen, run.overtaken is not None
            changes.append(run.progress)
    return changes
