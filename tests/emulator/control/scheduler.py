# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Things that happen later, each on a worker's thread."""

from __future__ import annotations

import heapq
import itertools
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol


class Schedule(Protocol):
    """What runs tasks after a delay."""

    def after(self, seconds: float, task: Callable[[], None]) -> None:
        """Run ``task`` in ``seconds``."""

    def forget(self, timeout: float = 60.0) -> None:
        """Drop what has not begun, and wait for what has, at most ``timeout`` seconds."""

    def close(self) -> None:
        """Drop what has not begun, and end what this takes."""


class Scheduler:
    """Runs tasks after a delay, on a bounded number of threads."""

    def __init__(self, workers: int = 16) -> None:
        self._condition = threading.Condition()
        self._tasks: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._running = 0
        self._closed = False
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="change")
        self._thread = threading.Thread(target=self._dispatch, name="scheduler", daemon=True)
        self._thread.start()

    def after(self, seconds: float, task: Callable[[], None]) -> None:
        """Run ``task`` in ``seconds``. What it raises is written to standard error."""
        with self._condition:
            heapq.heappush(self._tasks, (time.monotonic() + seconds, next(self._numbers), task))
            self._condition.notify()

    def forget(self, timeout: float = 60.0) -> None:
        """Drop what has not begun, and wait for what has, at most ``timeout`` seconds."""
        with self._condition:
            self._tasks.clear()
            self._condition.wait_for(lambda: self._running == 0, timeout)

    def close(self) -> None:
        """Drop what has not begun, wait for what has, and end the threads."""
        with self._condition:
            self._closed = True
            self._tasks.clear()
            self._condition.notify_all()
        self._thread.join()
        self._pool.shutdown(wait=True)

    def _dispatch(self) -> None:
        with self._condition:
            while not self._closed:
                wait = self._tasks[0][0] - time.monotonic() if self._tasks else None
                if wait is None or wait > 0:
                    self._condition.wait(wait)
                    continue
                task = heapq.heappop(self._tasks)[2]
                self._running += 1
                self._pool.submit(self._run, task)

    def _run(self, task: Callable[[], None]) -> None:
        try:
            task()
        except Exception:
            traceback.print_exc(file=sys.stderr)
        finally:
            with self._condition:
                self._running -= 1
                self._condition.notify_all()
