# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How fast calls that change something are made: no faster than a limit, and slower for a while where AWS throttles.

AWS limits each action of an account and region, together with whoever else calls it there. Botocore's own adaptive mode
does the like for a whole client, so that reading would be slowed down with writing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

#: Where AWS throttles, the rate is cut to this part of it, at most once a second,
_CUT = 0.7
#: but never to fewer calls a second than this; and each call that passes brings back this part of the limit.
_SLOWEST, _REGAINED = 0.5, 0.02


class Pace:
    """Spaces out the calls of one action, whichever thread makes them."""

    def __init__(
        self,
        limit: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Allow at most ``limit`` calls a second."""
        self.limit = self.rate = limit
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._next = self._cut_at = float("-inf")

    def wait(self) -> None:
        """Return when it is this call's turn."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            self._next = turn + 1.0 / self.rate
        if turn > now:
            self._sleep(turn - now)

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
