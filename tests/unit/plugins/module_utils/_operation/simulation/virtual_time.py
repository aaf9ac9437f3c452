# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Time that passes only where somebody waits for it, for the product and for the emulator's control plane alike."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import sys
import time
from collections.abc import Callable, Iterator

from ansible_collections.elasticache.auth.plugins.module_utils._stop import Stop, Stopped

#: Whose modules have the virtual time, by the beginning of their names.
_WHOSE = ("ansible_collections.elasticache.auth.plugins.", "emulator.")


class Clock:
    """Seconds since 1970, and what is to happen when. In place of the module ``time`` and of a ``Scheduler``."""

    def __init__(self, start: float = 1_780_000_000.0) -> None:
        """Begin at ``start``."""
        self.now = start
        self._tasks: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def time(self) -> float:
        """Return the time."""
        return self.now

    def monotonic(self) -> float:
        """Return the time, which never goes back."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass, and whatever is to happen in them."""
        until = self.now + max(seconds, 0.0)
        while self._tasks and self._tasks[0][0] <= until:
            moment, _number, task = heapq.heappop(self._tasks)
            self.now = max(self.now, moment)
            task()
        self.now = until

    def after(self, seconds: float, task: Callable[[], None]) -> None:
        """Have ``task`` happen in so many seconds."""
        heapq.heappush(self._tasks, (self.now + seconds, next(self._numbers), task))

    def forget(self, timeout: float = 60.0) -> None:
        """Drop what has not happened."""
        self._tasks.clear()

    def close(self) -> None:
        """Drop what has not happened."""
        self._tasks.clear()


class VirtualStop(Stop):
    """Says when a run must end; its waits let the clock go on."""

    def __init__(self, clock: Clock) -> None:
        """Nothing speaks against going on."""
        super().__init__()
        self._clock = clock

    def wait(self, seconds: float) -> None:
        """Let so many seconds pass, none where the run must end: then it raises Stopped."""
        if not self.reason:
            self._clock.sleep(seconds)
        if self.reason:
            raise Stopped(self.reason)


class _Relay:
    """Stands in for the module ``time`` in all modules; it asks the clock that is in force."""

    def __init__(self) -> None:
        self.clock = Clock()

    def time(self) -> float:
        return self.clock.now

    def monotonic(self) -> float:
        return self.clock.now

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)


_relay = _Relay()


def start(clock: Clock) -> None:
    """Have ``clock`` be the one that modules are told the time by, as long as :func:`virtual_time` lasts."""
    _relay.clock = clock


@contextlib.contextmanager
def virtual_time() -> Iterator[None]:
    """Have all modules of the product and of the emulator that were imported told the time by :func:`start`'s clock."""
    changed = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith(_WHOSE) and getattr(module, "time", None) is time
    ]
    for module in changed:
        module.__dict__["time"] = _relay
    try:
        yield
    finally:
        for module in changed:
            module.__dict__["time"] = time
