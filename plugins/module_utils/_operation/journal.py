# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How far many groups are on their journey: written by the module as it goes, and put into words by who reads it."""

from __future__ import annotations

import collections
import contextlib
import copy
import json
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: What is waited for is written down at most so often, seconds.
_EVERY = 1.0


class Teller:
    """Is told how far groups are, and tells nobody."""

    #: Whether others tell of other places meanwhile.
    beside_others = False

    def begins(self, step: str, groups: int) -> None:
        """Hear that a step begins for so many groups."""

    def made(self, step: str, groups: int, *, failed: int) -> None:
        """Hear that so many groups are through with a step, and how many of them ``failed``."""

    def waiting(self, lacks: Mapping[str, str]) -> None:
        """Hear what groups that are waited for lack, by id."""

    def counted(self, done: int, what: str) -> None:
        """Hear for how many groups of the step something has been done, and ``what``."""

    def batches(self, ahead: Sequence[tuple[int, int]]) -> None:
        """Hear of the batches to come: how many groups each has, and how many steps at most are before them."""

    def ends(self) -> None:
        """Hear that a batch, or a place, has come to its end."""

    def places(self, groups: Sequence[int]) -> None:
        """Hear how many groups there are in each of several places."""

    def at(self, place: int) -> Teller:
        """Return who is to be told of that one of several places."""
        del place
        return self

    def of(self, batch: int) -> Teller:
        """Return who is to be told of that one of several batches."""
        del batch
        return self


class Journal(Teller):
    """Appends one line of JSON for each bit of progress to a file; it knows ids, steps and times, and no token."""

    def __init__(self, path: str) -> None:
        """Write to ``path``, which exists. Raises OSError where it can't be written to."""
        # Line by line, for as long as the module runs: whoever reads along sees each at once.
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115  # pylint: disable=consider-using-with
        self._lock = threading.Lock()
        self._written = 0.0
        self._about: dict[str, int] = {}

    def begins(self, step: str, groups: int) -> None:
        """Write down that a step begins."""
        self._write({"step": step, "groups": groups})

    def made(self, step: str, groups: int, *, failed: int) -> None:
        """Write down that a step has been made."""
        self._write({"step": step, "made": groups, "failed": failed})

    def waiting(self, lacks: Mapping[str, str]) -> None:
        """Write down what groups lack, now and then."""
        if not lacks or time.monotonic() - self._written >= _EVERY:
            self._write({"waiting": dict(lacks)})

    def counted(self, done: int, what: str) -> None:
        """Write down for how many groups it has been done, now and then."""
        if time.monotonic() - self._written >= _EVERY:
            self._write({"done": done, "what": what})

    def batches(self, ahead: Sequence[tuple[int, int]]) -> None:
        """Write down which batches are to come."""
        self._write({"batches": ahead})

    def ends(self) -> None:
        """Write down that a batch, or a place, has come to its end, where there are several."""
        if self._about:
            self._write({"ended": True})

    def places(self, groups: Sequence[int]) -> None:
        """Write down how many groups there are in each place."""
        self._write({"places": groups})

    def at(self, place: int) -> Journal:
        """Return the journal in which each line says which place it is about."""
        journal = self._telling_of(place=place)
        journal.beside_others = True
        return journal

    def of(self, batch: int) -> Journal:
        """Return the journal in which each line says which batch it is about."""
        return self._telling_of(batch=batch)

    def _telling_of(self, **what: int) -> Journal:
        journal = copy.copy(self)
        journal._about, journal._written = {**self._about, **what}, 0.0
        return journal

    def _write(self, event: Mapping[str, Any]) -> None:
        self._written = time.monotonic()
        # A full disk must not cost a group its change.
        with self._lock, contextlib.suppress(OSError):
            self._file.write(f"{json.dumps({'at': time.time(), **self._about, **event})}\n")
            self._file.flush()


@dataclass
class _Part:
    """What a journal says of one batch, or of all groups of a place where they go together."""

    groups: int = 0
    steps: int = 0  #: that are before the groups, where they were announced
    step: str = ""
    step_at: float = 0.0
    made: int = 0  #: steps
    ended: bool = False
    failed: int = 0
    waiting: dict[str, str] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)  #: when each group was first waited for in this step
    done: int = 0  #: for how many groups it has been done
    what: str = ""  #: what is being done for all groups of the step; empty while nothing is counted
    what_at: float = 0.0  #: since when

    def take(self, event: Mapping[str, Any], at: float, told_at: float) -> None:
        """Take in an event of ``at``, when the one before it was ``told_at``."""
        if "waiting" in event:
            self.waiting = {str(key): str(lack) for key, lack in event["waiting"].items()}
            self.since = {key: self.since.get(key, at) for key in self.waiting}
            self.done, self.what = 0, ""
            return
        self.waiting, self.since = {}, {}
        if "done" in event:
            if event["what"] != self.what:
                # It was not told when this began; what was told last is the best guess.
                self.what, self.what_at = str(event["what"]), told_at
            self.done = int(event["done"])
            return
        self.done, self.what = 0, ""
        if "made" in event:
            self.failed += int(event["failed"])
            self.made += 1
        elif "ended" in event:
            self.ended = True
        else:
            self.step, self.step_at = str(event["step"]), at
            # Of a batch it is known how many there are, also when some of them have failed on the way.
            self.groups = self.groups if self.steps else int(event["groups"])

    @property
    def through(self) -> int | None:
        """How many groups are through with what is being done, or lack nothing any more; ``None``: not counted."""
        if self.waiting:
            return max(self.groups - len(self.waiting), 0)
        return min(self.done, self.groups) if self.what else None

    @property
    def share(self) -> float:
        """How much of its way is behind it, from 0 to 1: each step counts the same. To plan is none of it."""
        if self.ended:
            return 1.0
        if not self.steps:
            return 0.0
        return min((self.made + (self.through or 0) / max(self.groups, 1)) / self.steps, 1.0)

    def left(self, now: float) -> float | None:
        """Return the seconds left of what is under way, by what the others took; ``None``: nobody knows."""
        if not self.through:
            return None
        began = self.step_at if self.waiting else self.what_at
        return max(now - began, 0.0) / self.through * (self.groups - self.through)


@dataclass
class _Place:
    """What a journal says of the groups of one region and account."""

    whole: _Part = field(default_factory=_Part)
    batches: list[_Part] = field(default_factory=list)  #: where there are several
    batches_at: float = 0.0

    def take(self, event: Mapping[str, Any], at: float, told_at: float) -> None:
        """Take in an event of ``at``, when the one before it was ``told_at``."""
        if "batches" in event:
            self.whole.failed += sum(part.failed for part in self.batches)
            self.batches = [_Part(groups=int(groups), steps=int(steps)) for groups, steps in event["batches"]]
            self.batches_at = at
        elif "batch" in event:
            self.batches[int(event["batch"])].take(event, at, told_at)
        elif "ended" in event:
            for part in self.parts:
                part.ended = True
        else:
            # All together again.
            self.whole.failed += sum(part.failed for part in self.batches)
            self.batches = []
            self.whole.take(event, at, told_at)

    @property
    def parts(self) -> list[_Part]:
        """Its batches, or all of it."""
        return self.batches or [self.whole]

    @property
    def failed(self) -> int:
        """How many groups failed so far."""
        return self.whole.failed + sum(part.failed for part in self.batches)


@dataclass
class Account:
    """What a journal says so far."""

    began_at: float = 0.0
    told_at: float = 0.0  #: when something was last told
    _places: list[_Place] = field(default_factory=lambda: [_Place()])

    def read(self, lines: Iterable[str]) -> None:
        """Take in more lines of the journal; one that is cut off, or none of it, is passed over."""
        for line in lines:
            try:
                event = json.loads(line)
                at = float(event["at"])
                self._take(event, at)
                self.told_at = at
            except (ValueError, KeyError, TypeError, IndexError):
                continue

    def _take(self, event: Mapping[str, Any], at: float) -> None:
        self.began_at = self.began_at or at
        if "places" in event:
            self._places = [_Place(_Part(groups=int(groups))) for groups in event["places"]]
        else:
            self._places[int(event.get("place", 0))].take(event, at, self.told_at)

    @property
    def what(self) -> str:
        """What the groups are counted for: the step, or the end of their way; empty while nothing has begun."""
        return "through" if self._apart else self._places[0].whole.step

    @property
    def groups(self) -> int:
        """How many there are."""
        return sum(part.groups for part in self._parts)

    @property
    def through(self) -> int | None:
        """How many groups are through with that, or lack nothing any more; ``None``: not counted."""
        if self._apart:
            return sum(part.groups for part in self._parts if part.ended)
        return self._places[0].whole.through

    def words(self, now: float) -> tuple[str, ...]:
        """Return what there is to say besides the groups, the more important first, for a line that is cut.

        ``now``: seconds since 1970.
        """
        whole = self._places[0].whole
        gone, left = _words(now - (self.began_at if self._apart else whole.step_at)), self._left(now)
        words = [gone if left is None else f"{gone}, about {_words(left)} to go", *self._where()]
        if whole.what and not self._apart:
            words.append(f"{whole.done} {whole.what}")
        if self._failed:
            words.append(f"{self._failed} failed so far")
        if self._waiting:
            words += [*self._lacks(), "slowest {}, {:.0f} s".format(*self._slowest(now))]
        return tuple(words)

    def line(self, now: float) -> str:
        """Return one line: the step, how many are through with it and what the rest lack, the slowest, the time left.

        ``now``: seconds since 1970.
        """
        whole = self._places[0].whole
        if not self.what:
            return ""
        parts = [f"{whole.step}, {whole.groups} groups"]
        if self._apart:
            parts = [f"{self.through} of {self.groups} groups through", *self._where()]
        elif whole.waiting:
            parts = [f"{whole.step}, {whole.through} of {whole.groups} groups there"]
        elif whole.what:
            parts.append(f"{whole.done} {whole.what}")
        if self._waiting:
            parts += [*self._lacks(), "the slowest is {}, {:.0f} s".format(*self._slowest(now))]
        left = self._left(now)
        if left is not None:
            parts.append(f"about {_words(left)} to go{'' if self._apart else ' in this step'}")
        if self._failed:
            parts.append(f"{self._failed} failed so far")
        return f"{'; '.join(parts)} ({_words(now - self.began_at)} gone)"

    @property
    def _failed(self) -> int:
        return sum(place.failed for place in self._places)

    @property
    def _waiting(self) -> dict[str, str]:
        return {key: lack for part in self._parts for key, lack in part.waiting.items() if not part.ended}

    @property
    def _parts(self) -> list[_Part]:
        return [part for place in self._places for part in place.parts]

    @property
    def _apart(self) -> bool:
        """Whether there are several batches or places, each of which is somewhere else."""
        return len(self._places) > 1 or bool(self._places[0].batches)

    def _where(self) -> list[str]:
        """Return how many groups are at which step, those that are furthest first: the batches go in a line."""
        at: dict[str, int] = {}
        for part in self._parts if self._apart else ():
            if not part.ended:
                name = f"at {part.step}" if part.step else "to begin"
                at[name] = at.get(name, 0) + part.groups
        return [", ".join(f"{groups} {name}" for name, groups in at.items())] if at else []

    def _lacks(self) -> list[str]:
        lacks = collections.Counter(self._waiting.values())
        return [f"{number}: {lack}" for lack, number in lacks.most_common(2)]

    def _slowest(self, now: float) -> tuple[str, float]:
        """Return the group that is waited for longest, and for how many seconds."""
        since = {key: at for part in self._parts for key, at in part.since.items() if not part.ended}
        slowest = min(since, key=lambda key: (since[key], key))
        return slowest, now - since[slowest]

    def _left(self, now: float) -> float | None:
        """Return the seconds left, of the step or of all batches, by what was made so far; ``None``: nobody knows."""
        if not self._apart:
            return self._places[0].whole.left(now)
        share = sum(part.groups * part.share for part in self._parts) / max(self.groups, 1)
        began_at = min((place.batches_at for place in self._places if place.batches), default=now)
        return (now - began_at) / share * (1 - share) if 0 < share < 1 else None


def _words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
