# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What happened to the groups and when, by the emulator's history and by nothing that a variant reports. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chaos.judge import Moment, exposure_seconds

BEGUN, ENDED = "ModifyReplicationGroup", "change ended"


@dataclass(frozen=True)
class Timeline:
    """Figures of all groups of a run; seconds. None where there is nothing that it could be the figure of.

    ``gap_mean``, ``gap_max``: from the end of a group's ROTATE to its SET, as AWS took it: a call that is throttled is
    not the end of it. ``slowest_own``: the durations of all changes of one group together, of that which has most: no
    program can be done earlier. ``unauthenticated``: for how long a group served clients without credentials, of that
    which did longest; None where one began or ended so. ``changes``: the most that one group had.
    """

    gap_mean: float | None
    gap_max: float | None
    slowest_own: float
    unauthenticated: float | None
    changes: int


def gaps(history: Sequence[Moment]) -> list[float]:
    """From the end of each ROTATE to the SET after it; a ROTATE without one counts only where another follows."""
    found, ended, rotating = [], None, False
    for moment in history:
        if moment["cause"] == BEGUN and moment["auth_token_status"] == "SETTING" and ended is not None:
            found.append(moment["time"] - ended)
        if moment["cause"] == BEGUN:
            rotating, ended = moment["auth_token_status"] == "ROTATING", None
        elif moment["cause"] == ENDED and rotating:
            ended = moment["time"]
    return found


def timeline(truths: Iterable[Mapping[str, Any]], since: float, until: float) -> Timeline:
    """The figures of groups, as the admin API shows them, from ``since`` to ``until`` (Unix seconds)."""
    all_gaps: list[float] = []
    own: list[list[float]] = []
    unauthenticated: list[float | None] = []
    for truth in truths:
        history = truth["history"]
        later = [moment for moment in history if moment["time"] >= since]
        all_gaps += gaps(later)
        own.append([moment["change_seconds"] for moment in later if moment["cause"] == BEGUN])
        unauthenticated.append(exposure_seconds(history, since, until))
    known = [seconds for seconds in unauthenticated if seconds is not None]
    return Timeline(
        gap_mean=statistics.fmean(all_gaps) if all_gaps else None,
        gap_max=max(all_gaps, default=None),
        slowest_own=max(map(sum, own), default=0.0),
        unauthenticated=max(known) if known and len(known) == len(unauthenticated) else None,
        changes=max(map(len, own), default=0),
    )
