# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What a group's history says of a run: which tokens were lost, and for how long anyone was accepted. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chaos.store import Store

#: One state of a group from its ``time`` on, as the emulator's admin API tells it.
Moment = Mapping[str, Any]

_OPEN = ("open", "optional")
#: A client is told of a change a little after the history is; seconds.
GRACE = 0.25


@dataclass(frozen=True)
class Failure:
    """A command that was refused twice: when (Unix seconds), the server's words, and the group's mode at that time."""

    client: str
    time: float
    error: str
    mode: str

    def __str__(self) -> str:
        return f"{self.client} while {self.mode}: {self.error}"


@dataclass(frozen=True)
class Kill:
    """A process that was killed: when (Unix seconds), what the store had then, and until when it stayed so."""

    time: float
    store: Store
    until: float


def moment_at(history: Sequence[Moment], time: float) -> Moment:
    """The state in force at ``time``."""
    return next((moment for moment in reversed(history) if moment["time"] <= time), history[0])


def tokens_of(moments: Iterable[Moment]) -> set[str]:
    """Every token in a slot."""
    return {token for moment in moments for token in moment["slots"] if token}


def tokens_in_force(history: Sequence[Moment], begin: float, end: float) -> set[str]:
    """Every token that was in force at some time from ``begin`` to ``end``."""
    return tokens_of([moment_at(history, begin), *(one for one in history if begin < one["time"] < end)])


def lost_tokens(
    history: Sequence[Moment], store: Store, kills: Sequence[Kill], given: Iterable[str] = ()
) -> dict[str, str]:
    """Each token that was in force and that the store did not know, and how that came out. Never print the tokens.

    Versions don't vanish in the emulator within a run, so a token that no version holds at the end never was stored.
    A version without a label is as good as gone, so from each kill on, until somebody changes the store, and at the
    end, every token in force is in a version with a label. ``given`` are tokens that somebody else keeps.
    """
    elsewhere = set(given)
    lost = dict.fromkeys(tokens_of(history[-1:]) - store.kept - elsewhere, "no label keeps it at the end")
    for kill in kills:
        missing = tokens_in_force(history, kill.time, kill.until) - kill.store.kept - elsewhere
        lost |= dict.fromkeys(missing, "no label kept it when the process was killed")
    return lost | dict.fromkeys(tokens_of(history) - store.known - elsewhere, "it never was stored")


def exposure_seconds(history: Sequence[Moment], begin: float, end: float) -> float | None:
    """For how long clients without a token were served; None where the operation begins or ends open."""
    if moment_at(history, begin)["mode"] in _OPEN or moment_at(history, end)["mode"] in _OPEN:
        return None
    total = 0.0
    ends = [*(moment["time"] for moment in history[1:]), end]
    for moment, until in zip(history, ends, strict=True):
        if moment["mode"] in _OPEN:
            total += max(0.0, min(until, end) - max(moment["time"], begin))
    return total


def failures_that_count(
    failures: Iterable[Failure], history: Sequence[Moment], over: Callable[[Moment], bool] | None = None
) -> list[Failure]:
    """The failures of a client before its way in was ``over`` for the first time (never, by default)."""
    ended = next((moment["time"] for moment in history if over is not None and over(moment)), None)
    return [failure for failure in failures if ended is None or failure.time < ended - GRACE]
