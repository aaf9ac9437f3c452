# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""How long questions may be asked, and that somebody wants the end."""

from __future__ import annotations

import threading
import time


class HaltError(Exception):
    """No further question is asked. The message says why."""


class Clock:
    """When the last question may be asked. Threads look at it before each call and in each pause."""

    def __init__(self, seconds: float, poll_seconds: float) -> None:
        self.began = time.monotonic()
        self.seconds = seconds
        self.poll_seconds = poll_seconds
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Have all threads end at their next look; from any thread, not from a signal's handler."""
        self._stopped.set()

    def check(self) -> None:
        """Raise ``HaltError`` where no further question may be asked."""
        if self._stopped.is_set():
            raise HaltError("the run was interrupted before")
        if time.monotonic() - self.began > self.seconds:
            raise HaltError(f"the {self.seconds / 60:.0f} minutes for questions were over")

    def pause(self) -> None:
        """Wait until it is time to look again; raises ``HaltError``."""
        self._stopped.wait(self.poll_seconds)
        self.check()
