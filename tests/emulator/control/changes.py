# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The changes in flight: what was begun and has not ended yet. A test can hold one, so that it waits for no moment.

A change is a creation, a modification or a deletion of whatever has a status: it ends when its time is up and nothing
holds it.
"""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from .scheduler import Schedule


class BadHoldError(ValueError):
    """A hold that was described wrongly. The message says what is wrong."""


@dataclass(frozen=True)
class Selector:
    """Which changes are meant: shell patterns, all of which must match."""

    id: str = "*"
    action: str = "*"
    region: str = "*"
    account: str = "*"

    @staticmethod
    def parse(described: object) -> Selector:
        """Build one from the admin API's JSON; raises ``BadHoldError``."""
        names = [item.name for item in fields(Selector)]
        if not isinstance(described, dict) or not set(described) <= set(names):
            raise BadHoldError(f"changes are selected by a JSON object of: {', '.join(names)}")
        if not all(isinstance(value, str) and value for value in described.values()):
            raise BadHoldError(f"{', '.join(names)} are strings that are not empty")
        return Selector(**{**described, "id": described.get("id", "*").lower()})


@dataclass(eq=False)
class Change:
    """One change in flight. ``action`` is the call that began it; ``id`` is the resource's, in lower case."""

    action: str
    id: str
    region: str
    account: str
    finish: Callable[[], None] = field(repr=False)
    held: bool = False
    due: bool = False  #: its time is up
    endless: bool = False  #: it never ends, released or not

    def matches(self, selector: Selector) -> bool:
        """Whether the selector means this one."""
        names = [item.name for item in fields(Selector)]
        return all(fnmatch.fnmatchcase(getattr(self, name), getattr(selector, name)) for name in names)

    def shown(self) -> dict[str, str]:
        """What the admin API shows of it."""
        return {item.name: getattr(self, item.name) for item in fields(Selector)}


class Changes:
    """All changes in flight, and which ones are held. Safe to use from any thread."""

    def __init__(self, scheduler: Schedule) -> None:
        self._scheduler = scheduler
        self._lock = threading.Lock()
        self._in_flight: dict[Change, None] = {}
        self._rules: list[tuple[Selector, bool]] = []  #: whether it holds; the last one that matches counts

    def begin(self, change: Change, seconds: float) -> None:
        """Have ``change`` end in ``seconds``, or when it is released, whichever is later."""
        with self._lock:
            change.held = next((holds for rule, holds in reversed(self._rules) if change.matches(rule)), False)
            self._in_flight[change] = None
        if not change.endless:
            self._scheduler.after(seconds, lambda: self._time_is_up(change))

    def hold(self, described: object) -> None:
        """Hold the changes that match: those in flight, and those that begin from now on."""
        selector = Selector.parse(described)
        with self._lock:
            self._rules.append((selector, True))
            for change in self._in_flight:
                change.held = change.held or change.matches(selector)

    def release(self, described: object) -> None:
        """Hold the changes that match no longer. With ``keep`` only those in flight are released; later ones are held.

        A change whose time is up ends at once; with ``early`` all that match do, those that were not held included.
        """
        members = dict(described) if isinstance(described, Mapping) else {"": described}
        keep, early = members.pop("keep", False), members.pop("early", False)
        if not (isinstance(keep, bool) and isinstance(early, bool)):
            raise BadHoldError("keep and early must be true or false")
        selector = Selector.parse(members)
        with self._lock:
            if not keep:
                self._rules = [] if selector == Selector() else [*self._rules, (selector, False)]
            released = [change for change in self._in_flight if change.matches(selector)]
            ending = [change for change in released if not change.endless and (early or (change.held and change.due))]
            for change in released:
                change.held = False
            for change in ending:
                del self._in_flight[change]
        for change in ending:
            self._scheduler.after(0, change.finish)

    def forget(self) -> None:
        """Forget all changes and all holds; the scheduler has to forget the changes' ends, too."""
        with self._lock:
            self._in_flight.clear()
            self._rules.clear()

    def shown(self) -> dict[str, Any]:
        """What is in force (``holds``, the last one that matches counts), and which changes are held now (``held``)."""
        names = [item.name for item in fields(Selector)]
        with self._lock:
            return {
                "holds": [{**{name: getattr(rule, name) for name in names}, "hold": on} for rule, on in self._rules],
                "held": [change.shown() for change in self._in_flight if change.held],
            }

    def _time_is_up(self, change: Change) -> None:
        with self._lock:
            change.due = True
            if change.held or change not in self._in_flight:  # the latter: forgotten meanwhile
                return
            del self._in_flight[change]
        change.finish()
