# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Counts the AUTHs that nodes refused, until somebody takes the counts."""

from __future__ import annotations

import threading
from collections import Counter

from emulator.access import FailedAuth


class AuthFailures:
    """Counts by node and second. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[FailedAuth] = Counter()

    def add(self, failed: FailedAuth, count: int = 1) -> None:
        """Count so many."""
        with self._lock:
            self._counts[failed] += count

    def take(self) -> dict[FailedAuth, int]:
        """What was counted since the last take."""
        with self._lock:
            taken, self._counts = self._counts, Counter()
        return dict(taken)
