# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How far many groups are on their journey: written by the module as it goes, and put into words by who reads it."""

from __future__ import annotations

import collections
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: What is waited for is written down at most so often, seconds.
_EVERY = 1.0


class Journal:
    """Appends one line of JSON for each bit of progress to a file; it knows ids, steps and times, and no token."""

    def __init__(self, path: str) -> None:
        """Write to ``path``, which exists. Raises OSError where it can't be written to."""
        # Line by line, for as long as the module runs: whoever reads along sees each at once.
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115  # pylint: disable=consider-using-with
        self._written = 0.0

    def step(self, event: Mapping[str, Any]) -> None:
        """Write down that a step begins (``groups``: how many), or ended (``made``, ``failed``)."""
        self._write(event)

    def waiting(self, lacks: Mapping[str, str]) -> None:
        """Write down what groups that are waited for lack, by id."""
        if not lacks or time.monotonic() - self._written >= _EVERY:
            self._write({"waiting": dict(lacks)})

    def _write(self, event: Mapping[str, Any]) -> None:
        self._written = time.monotonic()
        self._file.write(f"{json.dumps({'at': time.time(), **event})}\n")
        self._file.flush()


@dataclass
class Account:
    """What a journal says so far."""

    began_at: float = 0.0
    step: str = ""
    step_at: float = 0.0
    groups: int = 0
    failed: int = 0
    waiting: dict[str, str] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)  #: when each group was first waited for in this step

    def read(self, lines: Iterable[str]) -> None:
        """Take in more lines of the journal; one that is cut off, or none of it, is passed over."""
        for line in lines:
            try:
                event = json.loads(line)
                self._take(event, float(event["at"]))
            except (ValueError, KeyError, TypeError):
                continue

    def _take(self, event: Mapping[str, Any], at: float) -> None:
        self.began_at = self.began_at or at
        if "waiting" in event:
            self.waiting = {str(key): str(lack) for key, lack in event["waiting"].items()}
            self.since = {key: self.since.get(key, at) for key in self.waiting}
        elif "made" in event:
            self.failed += int(event["failed"])
            self.waiting, self.since = {}, {}
        else:
            self.step, self.step_at, self.groups = str(event["step"]), at, int(event["groups"])
            self.waiting, self.since = {}, {}

    def line(self, now: float) -> str:
        """Return one line: the step, how many are through with it and what the rest lack, the slowest, the time left.

        ``now``: seconds since 1970.
        """
        if not self.step:
            return ""
        parts = [f"{self.step}, {self.groups} groups"]
        if self.waiting:
            parts = [f"{self.step}, {self.groups - len(self.waiting)} of {self.groups} groups there"]
            lacks = collections.Counter(self.waiting.values())
            parts += [f"{number}: {lack}" for lack, number in lacks.most_common(2)]
            slowest = min(self.since, key=lambda key: (self.since[key], key))
            parts.append(f"the slowest is {slowest}, {now - self.since[slowest]:.0f} s")
            left = self._left(now)
            if left is not None:
                parts.append(f"about {_words(left)} to go in this step")
        if self.failed:
            parts.append(f"{self.failed} failed so far")
        return f"{'; '.join(parts)} ({_words(now - self.began_at)} gone)"

    def _left(self, now: float) -> float | None:
        """Return the seconds left of the wait, by what the groups that have arrived took; ``None``: nobody knows."""
        arrived = self.groups - len(self.waiting)
        return (now - self.step_at) / arrived * len(self.waiting) if arrived > 0 else None


def _words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
