# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How far many groups are in an operation: written by the module as it goes, and put into words by who reads it."""

from __future__ import annotations

import collections
import contextlib
import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .connection_looks import Look

#: What is waited for is written down at most so often, seconds.
_EVERY = 1.0
#: Of very many looks at a group's connections, the first ones and the last ones are kept.
_FIRST_LOOKS = _LAST_LOOKS = 20


class ProgressSink:
    """Is told how far groups are, and tells nobody. ``region``: the number of one of the targets."""

    def targets(self, groups: Sequence[int]) -> None:
        """Hear how many groups each target has."""

    def begins(self, region: int, key: str, step: str, left: int) -> None:
        """Hear that a group begins a step, and how many ``left`` to do with that one."""

    def ends(self, region: int, key: str, *, failed: bool) -> None:
        """Hear that a group's script has come to its end."""

    def cutover(self, region: int, key: str, seconds: float) -> None:
        """Hear that a group's client cutover begins, and for how long it lasts."""

    def connections(self, region: int, key: str, look: Look) -> None:
        """Hear what was seen of a group's client connections."""

    def waiting(self, region: int, lacks: Mapping[str, str]) -> None:
        """Hear what groups that are waited for lack, by id."""


class ProgressFile(ProgressSink):
    """Appends one line of JSON for each bit of progress to a file; it knows ids, steps and times, and no token."""

    def __init__(self, path: str) -> None:
        """Write to ``path``, which exists. Raises OSError where it can't be written to."""
        # Line by line, for as long as the module runs: whoever reads along sees each at once.
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115  # pylint: disable=consider-using-with
        self._lock = threading.Lock()
        self._waits_written: dict[int, float] = {}

    def targets(self, groups: Sequence[int]) -> None:
        """Write down how many groups each target has."""
        self._write({"targets": list(groups)})

    def begins(self, region: int, key: str, step: str, left: int) -> None:
        """Write down that a group begins a step."""
        self._write({"region": region, "id": key, "step": step, "remaining_steps": left})

    def ends(self, region: int, key: str, *, failed: bool) -> None:
        """Write down that a group's script has come to its end."""
        self._write({"region": region, "id": key, "ended": True, "failed": failed})

    def cutover(self, region: int, key: str, seconds: float) -> None:
        """Write down that a group's client cutover begins, and for how long it lasts."""
        self._write({"region": region, "id": key, "cutover": seconds})

    def connections(self, region: int, key: str, look: Look) -> None:
        """Write down how many connections a group has, and how many of them predate its new token."""
        self._write({"region": region, "id": key, **look.outcome()})

    def waiting(self, region: int, lacks: Mapping[str, str]) -> None:
        """Write down what groups lack, now and then."""
        now = time.monotonic()
        if not lacks or now - self._waits_written.get(region, float("-inf")) >= _EVERY:
            self._waits_written[region] = now
            self._write({"region": region, "waiting": dict(lacks)})

    def _write(self, event: Mapping[str, Any]) -> None:
        # A full disk must not cost a group its change.
        with self._lock, contextlib.suppress(OSError):
            self._file.write(f"{json.dumps({'at': time.time(), **event})}\n")
            self._file.flush()


@dataclass
class _Group:
    """What is known of one group. ``steps``: that it has to make, with those that it has made.

    ``cutover_at``: when its client cutover began, 0: it is in none; ``cutover``: how long that lasts, seconds.
    ``looks``: what was seen of its client connections, over time.
    """

    step: str = ""
    made: int = -1
    steps: int = 0
    ended: bool = False
    failed: bool = False
    lack: str = ""
    since: float = 0.0  #: when it was first waited for in this step
    cutover_at: float = 0.0
    cutover: float = 0.0
    looks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def predating(self) -> int:
        """How many of its connections predate the new token, by the last look."""
        return int(self.looks[-1]["predating"]) if self.looks else 0

    @property
    def share(self) -> float:
        """How much of its way is behind it, from 0 to 1: each step counts the same."""
        return 1.0 if self.ended else max(self.made, 0) / max(self.steps, 1)


@dataclass
class Account:
    """What a progress file says so far."""

    began_at: float = 0.0
    told_at: float = 0.0  #: when something was last told
    groups: int = 0
    _stepping_at: float = 0.0  #: when the first step began
    _groups: dict[tuple[int, str], _Group] = field(default_factory=dict)

    def read(self, lines: Iterable[str]) -> None:
        """Take in more lines of the file; one that is cut off, or none of it, is passed over."""
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
        if "targets" in event:
            self.groups = sum(map(int, event["targets"]))
            return
        region = int(event["region"])
        if "waiting" in event:
            self._wait(region, event["waiting"], at)
            return
        group = self._groups.setdefault((region, str(event["id"])), _Group())
        if "predating" in event:
            group.looks.append({name: value for name, value in event.items() if name not in ("region", "id")})
            del group.looks[_FIRST_LOOKS:-_LAST_LOOKS]
            return
        if "cutover" in event:
            group.cutover_at, group.cutover = at, float(event["cutover"])
            return
        group.cutover_at = 0.0
        group.lack, group.since = "", 0.0
        if "ended" in event:
            group.ended, group.failed = True, bool(event["failed"])
            return
        self._stepping_at = self._stepping_at or at
        group.step, group.made = str(event["step"]), group.made + 1
        group.steps = group.made + int(event["remaining_steps"])

    def _wait(self, region: int, lacks: Mapping[str, Any], at: float) -> None:
        for (there, key), group in self._groups.items():
            if there == region:
                group.lack = str(lacks.get(key, ""))
                group.since = (group.since or at) if group.lack else 0.0

    def under_way(self) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """Yield the groups that have begun: the number of the target, the id, and how far it is."""
        for (region, key), group in self._groups.items():
            told: dict[str, Any] = {"step": group.step, "ended": group.ended, "failed": group.failed}
            if group.looks:
                told["client_connections"] = {"looks": list(group.looks)}
            yield region, key, told

    @property
    def through(self) -> int:
        """How many groups have come to the end of their script."""
        return sum(group.ended for group in self._groups.values())

    def words(self, now: float) -> tuple[str, ...]:
        """Return what there is to say besides the numbers, the more important first, for a line that is cut.

        ``now``: seconds since 1970.
        """
        left, elapsed = self._left(now), _words(now - self.began_at)
        words = [elapsed if left is None else f"{elapsed}, about {_words(left)} left"]
        words += (*self._cutover(now), *self._where())
        if self._failed:
            words.append(f"{self._failed} failed so far")
        return (*words, *self._lacks(now, "slowest {}, {:.0f} s"))

    def line(self, now: float) -> str:
        """Return one line: how many are done, where the rest is and what it waits for, the slowest, the time left.

        ``now``: seconds since 1970.
        """
        if not self.groups:
            return ""
        parts = [f"{self.through} of {self.groups} group{'s' * (self.groups != 1)} done"]
        parts += (*self._cutover(now), *self._where())
        parts += self._lacks(now, "the slowest is {}, {:.0f} s")
        left = self._left(now)
        if left is not None:
            parts.append(f"about {_words(left)} left")
        if self._failed:
            parts.append(f"{self._failed} failed so far")
        return f"{'; '.join(parts)} ({_words(now - self.began_at)} elapsed)"

    @property
    def _failed(self) -> int:
        return sum(group.failed for group in self._groups.values())

    def _cutover(self, now: float) -> list[str]:
        """Return how many groups are in their client cutover, for how long the first of them is, and who has not moved.

        ``now``: seconds since 1970.
        """
        told = []
        under_way = [group for group in self._groups.values() if not group.ended]
        moving = [group for group in under_way if group.cutover_at]
        if moving:
            first = min(moving, key=lambda group: group.cutover_at)
            been = now - first.cutover_at
            lasts = f" of {_words(first.cutover)}" if been <= first.cutover else ""
            told.append(f"cutover {len(moving)}/{self.groups}, {_words(been)}{lasts}")
        left = [group.predating for group in under_way if group.predating]
        if left:
            groups = f"{len(left)} group{'s' * (len(left) != 1)}"
            connections = "connection that predates" if sum(left) == 1 else "connections that predate"
            told.append(f"{groups} with {sum(left)} {connections} the token")
        return told

    def _where(self) -> list[str]:
        """Return how many groups are at which step, those first that have fewest steps left."""
        under_way = [group for group in self._groups.values() if not group.ended and not group.cutover_at]
        under_way.sort(key=lambda group: group.steps - group.made)
        at = collections.Counter(f"at {group.step}" for group in under_way)
        if not_started := self.groups - len(self._groups):
            at["not started"] = not_started
        return [", ".join(f"{groups} {name}" for name, groups in at.items())] if at else []

    def _lacks(self, now: float, slowest: str) -> list[str]:
        waiting = {key: group for (_region, key), group in self._groups.items() if group.lack and not group.ended}
        if not waiting:
            return []
        lacks = collections.Counter(group.lack for group in waiting.values())
        longest = min(waiting, key=lambda key: (waiting[key].since, key))
        told = [f"{number}: {lack}" for lack, number in lacks.most_common(2)]
        return [*told, slowest.format(longest, now - waiting[longest].since)]

    def _left(self, now: float) -> float | None:
        """Return the seconds left, by what was made so far, and no less than a cutover; ``None``: nobody knows."""
        share = sum(group.share for group in self._groups.values()) / max(self.groups, 1)
        by_share = (now - self._stepping_at) / share * (1 - share) if 0 < share < 1 else None
        ends = [group.cutover_at + group.cutover for group in self._groups.values() if group.cutover_at]
        cutover = max(ends, default=0.0) - now
        return cutover if cutover > (by_share or 0.0) else by_share


def _words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
