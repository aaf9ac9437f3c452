# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How fast calls that change something are made: no faster than a limit, and slower for a while where AWS throttles.

AWS limits each action of an account and region, together with whoever else calls it there. Botocore's own adaptive mode
does the like for a whole client, so that reading would be slowed down with writing.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

#: Where AWS throttles, the rate is cut to this part of it, at most once a second,
_CUT = 0.7
#: but never to fewer calls a second than this; and each call that passes brings back this part of the limit.
_SLOWEST, _REGAINED = 0.5, 0.02


@dataclass(order=True)
class _Ticket:
    """A call in the queue; ``is_first`` is set when it has come to its head."""

    rank: int
    number: int
    is_first: threading.Event = field(default_factory=threading.Event, compare=False)


def _wait(event: threading.Event, seconds: float | None) -> object:
    return event.wait(seconds)


class Pace:
    """Spaces out the calls of one action, whichever thread makes them; the lowest rank goes first."""

    def __init__(
        self,
        limit: float,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float | None], object] = _wait,
    ) -> None:
        """Allow at most ``limit`` calls a second. ``wait``: waits for an event, so many seconds at most; may raise."""
        self.limit = self.rate = limit
        self._clock, self._wait_for = clock, wait
        self._lock = threading.Lock()
        self._next = self._cut_at = float("-inf")
        self._queue: list[_Ticket] = []
        self._numbers = itertools.count()

    def wait(self, rank: int = 0, number: int | None = None) -> int:
        """Return when a call of this rank may be made, its number in the queue. Raises what the wait for that raises.

        ``number``: that of an earlier attempt, whose place it takes.
        """
        with self._lock:
            ticket = _Ticket(rank, next(self._numbers) if number is None else number)
            heapq.heappush(self._queue, ticket)
        try:
            while True:
                ticket.is_first.clear()
                seconds = self._admit(ticket)
                if seconds == 0.0:
                    return ticket.number
                self._wait_for(ticket.is_first, seconds)
        except BaseException:
            with self._lock:
                self._leave(ticket)
            raise

    def _admit(self, ticket: _Ticket) -> float | None:
        """Let the call go if it is its time; otherwise return for how many seconds to wait, ``None``: to be woken."""
        with self._lock:
            if self._queue[0] is not ticket:
                return None
            now = self._clock()
            if self._next > now:
                return self._next - now
            # A wait that ended late is made up for, a pause between calls is not.
            self._next = (self._next if now - self._next < 1.0 / self.rate else now) + 1.0 / self.rate
            self._leave(ticket)
            return 0.0

    def _leave(self, ticket: _Ticket) -> None:
        if self._queue[0] is ticket:
            heapq.heappop(self._queue)
        else:
            self._queue.remove(ticket)
            heapq.heapify(self._queue)
        if self._queue:
            self._queue[0].is_first.set()

    def passed(self) -> None:
        """Take note that AWS took a call."""
        with self._lock:
            self.rate = min(self.limit, self.rate + self.limit * _REGAINED)

    def throttled(self) -> None:
        """Take note that AWS throttled a call. Those that were under way with it are one and the same news."""
        with self._lock:
            now = self._clock()
            if now - self._cut_at >= 1.0:
                self._cut_at = now
                self.rate = max(min(_SLOWEST, self.limit), self.rate * _CUT)
                self._next = max(self._next, now) + 1.0 / self.rate
