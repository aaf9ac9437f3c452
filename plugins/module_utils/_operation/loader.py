# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What many threads ask for at the same time is fetched together (the DataLoader pattern)."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from .._stop import Stopped

K = TypeVar("K")
V = TypeVar("V")

#: Requests within this time after the first one are fetched with it, seconds.
_WINDOW = 0.02
#: So long the first batch waits for requests that are known to come, seconds.
_GATHERING = 1.0
#: The first batch is small, so that its groups go on soon; each one after it is twice as large, up to a limit.
_FIRST, _LARGEST = 40, 320


@dataclass(eq=False)
class _Asked(Generic[K, V]):
    """A thread's request: when ``answered``, there is a value, or an error."""

    key: K
    value: list[V] = field(default_factory=list)
    error: BaseException | None = None
    answered: threading.Event = field(default_factory=threading.Event)


class Loader(Generic[K, V]):
    """Fetches values by key: one batch at a time, in a thread of its own."""

    def __init__(
        self,
        fetch: Callable[[list[K]], Mapping[K, V]],
        wait: Callable[[threading.Event], object] = threading.Event.wait,
        expected: int = 0,
    ) -> None:
        """``fetch`` returns a value for each key; what it raises reaches each thread that asked for one of them.

        ``wait``: waits for an event, and raises :class:`Stopped` once the run must end. ``expected``: how many requests
        come at the beginning, side by side; the first batch waits for them, as far as they fit into it.
        """
        self._fetch, self._wait = fetch, wait
        self._lock = threading.Condition()
        self._queue: list[_Asked[K, V]] = []
        self._thread: threading.Thread | None = None
        self._size = _FIRST
        self._expected = min(expected, _FIRST)

    def load(self, key: K, *, first: bool = False) -> V:
        """Return the value of ``key``, in the order in which it was asked for, or ``first``.

        Raises what the fetch raised, and :class:`Stopped` once the run must end.
        """
        asked: _Asked[K, V] = _Asked(key)
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="loader", daemon=True)
                thread.start()
                self._thread = thread
            self._queue.insert(0 if first else len(self._queue), asked)
            self._lock.notify()
        try:
            self._wait(asked.answered)
        except Stopped:
            with self._lock:
                self._queue = [request for request in self._queue if request is not asked]
            raise
        if asked.error is not None:
            raise asked.error
        return asked.value[0]

    def _run(self) -> None:
        expected, self._expected = self._expected, 0
        if expected:
            with self._lock:
                self._lock.wait_for(lambda: len(self._queue) >= expected, _GATHERING)
        else:
            time.sleep(_WINDOW)
        while True:
            with self._lock:
                batch, self._queue = self._queue[: self._size], self._queue[self._size :]
                if not batch:
                    self._thread = None
                    return
                self._size = min(2 * self._size, _LARGEST)
            try:
                found = self._fetch([request.key for request in batch])
                for request in batch:
                    request.value.append(found[request.key])
            except BaseException as error:  # pylint: disable=broad-exception-caught
                for request in batch:
                    request.error = _copied(error)
            finally:
                for request in batch:
                    request.answered.set()


def _copied(error: BaseException) -> BaseException:
    """Return a copy, as an error that is raised in many threads comes to hold all that these do.

    One that can't be copied is returned itself: that is no reason to let those who asked wait.
    """
    try:
        copied = copy.copy(error)
    except Exception:  # pylint: disable=broad-exception-caught  # it is the error's own code that runs
        copied = error
    return copied.with_traceback(None) if isinstance(copied, BaseException) else error
