# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What the demo shows at its end: phase by phase how long it took and how the clients fared, and what was promised."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from demo.clients import Report, Sample
from demo.processes import Play

AGAIN = "Run it again"
TOTAL = "Total"
#: The phase of the playbook in which clients begin.
START = "Start"
_NOTHING = Sample(0.0, 0, 0, 0)


@dataclass(frozen=True)
class Phase:
    """A stretch of the demo: how long it took, in seconds, and how the clients fared meanwhile."""

    name: str
    seconds: float
    served: int
    failed: int
    logins: int


def phases(plays: Sequence[Play], report: Report) -> list[Phase]:
    """Return the phases of the first run, which its tasks' names begin with (``Rotate | …``); the second run is one.

    Commands between two samples (0.1 s) may count for the phase next to theirs; none is lost, and none counts twice.
    """
    begins: list[tuple[float, str]] = []
    for time, name in plays[0].tasks:
        phase = name.partition(" | ")[0] if " | " in name else ""
        if phase and (not begins or begins[-1][1] != phase):
            begins.append((time, phase))
    if len(plays) > 1 and plays[1].tasks:
        begins.append((plays[1].begun, AGAIN))
    if not begins:
        return []
    ends = [*(time for time, _name in begins[1:]), plays[-1].ended]
    found = []
    before = _NOTHING
    for (begin, name), end in zip(begins, ends, strict=True):
        # What was served while the processes ended belongs to the last phase.
        after = _at(report, end) if end != ends[-1] else report.samples[-1]
        found.append(
            Phase(
                name,
                end - begin,
                after.served - before.served,
                after.failed - before.failed,
                after.logins - before.logins,
            )
        )
        before = after
    return found


def _at(report: Report, time: float) -> Sample:
    """Return the last sample that is not later than ``time``."""
    index = bisect_right(report.samples, time, key=lambda sample: sample.time)
    return report.samples[index - 1] if index else _NOTHING


def table(found: Sequence[Phase]) -> Table:
    """Return the phases for a terminal."""
    shown = Table(title="A token rotated under live clients", show_footer=True)
    seconds = sum(phase.seconds for phase in found)
    served, failed, logins = (sum(getattr(phase, name) for phase in found) for name in ("served", "failed", "logins"))
    shown.add_column("Phase", TOTAL)
    shown.add_column("Time", f"{seconds:.1f} s", justify="right")
    shown.add_column("Commands served", f"{served:,}", justify="right")
    shown.add_column("Logins", f"{logins:,}", justify="right")
    shown.add_column("Failed", _failures(failed), justify="right")
    for phase in found:
        shown.add_row(
            phase.name, f"{phase.seconds:.1f} s", f"{phase.served:,}", f"{phase.logins:,}", _failures(phase.failed)
        )
    return shown


def _failures(number: int) -> str:
    return f"[bold red]{number:,}[/]" if number else "0"


def broken_promises(
    plays: Sequence[Play],
    found: Sequence[Phase],
    report: Report,
    truth: Mapping[str, Any],
    calls: Sequence[Mapping[str, Any]],
    new_token: str,
) -> list[str]:
    """Say what did not go as promised; nothing where all did.

    ``truth`` is the group's in the emulator, ``calls`` are the changing API calls since the second run began.
    """
    broken = []
    failed = sum(phase.failed for phase in found)
    if failed:
        errors = "; ".join(f"{text} ({number} times)" for text, number in list(report.errors.items())[:3])
        broken.append(f"{failed} client commands failed: {errors}")
    names = [phase.name for phase in found]
    live = found[names.index(START) + 1 :] if START in names else []
    if not live:
        broken.append("the clients were never started")
    broken += [f"no client was served during {phase.name!r}" for phase in live if not phase.served]
    for number, play in enumerate(plays, 1):
        if play.status or play.recap.get("failures") or play.recap.get("unreachable"):
            broken.append(f"run {number} of the playbook failed (exit status {play.status})")
    if len(plays) < 2:
        broken.append("so it was not run again")
    elif plays[1].recap.get("changed") != 0 or calls:
        actions = ", ".join(sorted({str(call["action"]) for call in calls})) or "none"
        broken.append(f"the second run changed={plays[1].recap.get('changed')}, changing API calls: {actions}")
    if truth.get("mode") != "required" or truth.get("slots") != [new_token]:
        broken.append(f"the group is {truth.get('mode')} and does not accept the new token alone")
    return broken
