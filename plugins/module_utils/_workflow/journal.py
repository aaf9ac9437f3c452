# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How far many groups are on their journey: written by the module as it goes, and put into words by who reads it."""

from __future__ import annotations

import collections
import contextlib
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

    def counted(self, done: int, what: str) -> None:
        """Write down for how many groups of the step something has been done, and ``what``."""
        if time.monotonic() - self._written >= _EVERY:
            self._write({"done": done, "what": what})

    def _write(self, event: Mapping[str, Any]) -> None:
        self._written = time.monotonic()
        # A full disk must not cost a group its change.
        with contextlib.suppress(OSError):
            self._file.write(f"{json.dumps({'at': time.time(), **event})}\n")
            self._file.flush()


@dataclass
class Account:
    """What a journal says so far."""

    began_at: float = 0.0
    told_at: float = 0.0  #: when something was last told
    step: str = ""
    step_at: float = 0.0
    groups: int = 0
    failed: int = 0
    waiting: dict[str, str] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)  #: when each group was first waited for in this step
    done: int = 0  #: for how many groups it has been done
    what: str = ""  #: what is being done for all groups of the step; empty while nothing is counted
    what_at: float = 0.0  #: since when

    def read(self, lines: Iterable[str]) -> None:
        """Take in more lines of the journal; one that is cut off, or none of it, is passed over."""
        for line in lines:
            try:
                event = json.loads(line)
                at = float(event["at"])
                self._take(event, at)
                self.told_at = at
            except (ValueError, KeyError, TypeError):
                continue

    def _take(self, event: Mapping[str, Any], at: float) -> None:
        self.began_at = self.began_at or at
        if "waiting" in event:
            self.waiting = {str(key): str(lack) for key, lack in event["waiting"].items()}
            self.since = {key: self.since.get(key, at) for key in self.waiting}
            self.done, self.what = 0, ""
            return
        self.waiting, self.since = {}, {}
        if "done" in event:
            if event["what"] != self.what:
                # It was not told when this began; what was told last is the best guess.
                self.what, self.what_at = str(event["what"]), self.told_at
            self.done = int(event["done"])
            return
        self.done, self.what = 0, ""
        if "made" in event:
            self.failed += int(event["failed"])
        else:
            self.step, self.step_at, self.groups = str(event["step"]), at, int(event["groups"])

    @property
    def through(self) -> int | None:
        """How many groups are through with what is being done, or lack nothing any more; ``None``: not counted."""
        if self.waiting:
            return max(self.groups - len(self.waiting), 0)
        return min(self.done, self.groups) if self.what else None

    def words(self, now: float) -> tuple[str, ...]:
        """Return what there is to say of the step besides its groups, the more important first, for a line that is cut.

        ``now``: seconds since 1970.
        """
        gone = _words(now - self.step_at)
        left = self._left(now)
        words = [gone if left is None else f"{gone}, about {_words(left)} to go"]
        if self.what:
            words.append(f"{self.done} {self.what}")
        if self.failed:
            words.append(f"{self.failed} failed so far")
        if self.waiting:
            words += [*self._lacks(), "slowest {}, {:.0f} s".format(*self._slowest(now))]
        return tuple(words)

    def line(self, now: float) -> str:
        """Return one line: the step, how many are through with it and what the rest lack, the slowest, the time left.

        ``now``: seconds since 1970.
        """
        if not self.step:
            return ""
        parts = [f"{self.step}, {self.groups} groups"]
        if self.waiting:
            parts = [f"{self.step}, {self.groups - len(self.waiting)} of {self.groups} groups there"]
            parts += [*self._lacks(), "the slowest is {}, {:.0f} s".format(*self._slowest(now))]
        elif self.what:
            parts.append(f"{self.done} {self.what}")
        left = self._left(now)
        if left is not None:
            parts.append(f"about {_words(left)} to go in this step")
        if self.failed:
            parts.append(f"{self.failed} failed so far")
        return f"{'; '.join(parts)} ({_words(now - self.began_at)} gone)"

    def _lacks(self) -> list[str]:
        lacks = collections.Counter(self.waiting.values())
        return [f"{number}: {lack}" for lack, number in lacks.most_common(2)]

    def _slowest(self, now: float) -> tuple[str, float]:
        """Return the group that is waited for longest, and for how many seconds."""
        slowest = min(self.since, key=lambda key: (self.since[key], key))
        return slowest, now - self.since[slowest]

    def _left(self, now: float) -> float | None:
        """Return the seconds left of what is under way, by what the others took; ``None``: nobody knows."""
        through = self.through
        if not through:
            return None
        began = self.step_at if self.waiting else self.what_at
        return max(now - began, 0.0) / through * (self.groups - through)


def _words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
