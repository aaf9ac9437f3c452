# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long the steps of a plan take, as far as that is known: what the group's last change took by its record, or else
what others have measured; and the times that are set.

AWS publishes no durations. Source of the figures: elasticache-facts §4; they are heavy-tailed, one group in a fleet is
always slow. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .._core.operations import CUTOVERS, Step
from .report import time_in_words


@dataclass(frozen=True)
class _Measured:
    """What a kind of change has taken, in seconds: the shortest and the longest that is usual."""

    one: str
    many: str
    shortest: float
    longest: float

    @property
    def span(self) -> str:
        """How long one of them takes, in words; the two are the same where the group's last change tells it."""
        if self.shortest == self.longest:
            return f"of about {time_in_words(self.longest)}, as this group's last change took"
        return f"of {time_in_words(self.shortest)} to {time_in_words(self.longest)}"


_TOKEN = _Measured("token change", "token changes", 5, 8 * 60)
_PREFER = _Measured("change to TLS preferred", "changes to TLS preferred", 60, 18 * 60)
_REQUIRE = _Measured("change to TLS required", "changes to TLS required", 60, 9 * 60)
_USER_GROUPS = _Measured("change of user groups", "changes of user groups", 60, 23 * 60)
_MEASURED = {
    Step.ROTATE: _TOKEN,
    Step.ROTATE_CURRENT: _TOKEN,
    Step.SET: _TOKEN,
    Step.PREFER_TLS: _PREFER,
    Step.REQUIRE_TLS: _REQUIRE,
    Step.ATTACH: _USER_GROUPS,
    Step.ATTACH_OPEN: _USER_GROUPS,
    Step.REMOVE_USER_GROUPS: _USER_GROUPS,
}


def expected_time(
    steps: Sequence[Step], *, soak: float | None, tasks: bool, monitor: float, last: float | None = None
) -> str:
    """Return how long the steps take, in words; empty where none of them takes long.

    ``soak``: how long each client cutover lasts, seconds, after the tasks where there are ``tasks``; ``None``: it is no
    time. ``monitor``: for how long refused clients are looked for, seconds. ``last``: what the last change of the
    group's access control took, seconds; ``None``: that is not known.
    """
    token = _TOKEN if last is None else replace(_TOKEN, shortest=last, longest=last)
    measured = {**_MEASURED, Step.ROTATE: token, Step.ROTATE_CURRENT: token, Step.SET: token}
    kinds = Counter(measured[step] for step in steps if step in measured)
    cutovers = sum(step in CUTOVERS for step in steps)
    waits = cutovers * (soak or 0.0) + (monitor if Step.MONITOR in steps else 0.0)
    parts = [
        f"{number} {kind.many if number > 1 else kind.one}{' each' if number > 1 else ''} {kind.span}"
        for kind, number in kinds.items()
    ]
    if cutovers and (tasks or soak != 0):
        parts.append(f"client cutover {cutover_time(soak, tasks=tasks)}")
    if monitor and Step.MONITOR in steps:
        parts.append(f"monitor {time_in_words(monitor)}")
    if not parts:
        return ""
    shortest = waits + sum(kind.shortest * number for kind, number in kinds.items())
    longest = waits + sum(kind.longest * number for kind, number in kinds.items())
    span = time_in_words(longest) if shortest == longest else f"{time_in_words(shortest)} to {time_in_words(longest)}"
    if not longest:
        span = "the time of the client cutover"
    elif cutovers and (tasks or soak is None):
        span += " and the client cutover"
    rare = " A token change takes 20 min at times." if token in kinds else ""
    return f"{span} ({', '.join(parts)}).{rare}"


def cutover_time(soak: float | None, *, tasks: bool) -> str:
    """Return how long a client cutover lasts, in words."""
    if tasks:
        return f"your tasks, then {time_in_words(soak)}" if soak else "your tasks"
    return "until your clients are moved" if soak is None else time_in_words(soak)
