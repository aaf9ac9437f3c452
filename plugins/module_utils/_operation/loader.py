# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What many threads ask for at the same time is fetched together (the DataLoader pattern)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

#: Requests within this time after the first one are fetched with it, seconds.
_WINDOW = 0.02
#: The first batch is small, so that its groups go on soon; each one after it is twice as large, up to a limit.
_FIRST, _LARGEST = 40, 320


class Loader(Generic[K, V]):
    """Fetches values by key: one batch at a time, in a thread of its own, in the order in which they were asked for."""

    def __init__(self, fetch: Callable[[list[K]], Mapping[K, V]]) -> None:
        """``fetch`` returns a value for each key; what it raises reaches each thread that asked for one of them."""
        self._fetch = fetch
        self._lock = threading.Lock()
        self._asked: list[tuple[K, Future[V]]] = []
        self._busy = False
        self._size = _FIRST

    def load(self, key: K) -> V:
        """Return the value of ``key``. Raises what the fetch raised."""
        future: Future[V] = Future()
        with self._lock:
            self._asked.append((key, future))
            start, self._busy = not self._busy, True
        if start:
            threading.Thread(target=self._run, name="loader", daemon=True).start()
        return future.result()

    def _run(self) -> None:
        time.sleep(_WINDOW)
        while True:
            with self._lock:
                batch, self._asked = self._asked[: self._size], self._asked[self._size :]
                self._busy = bool(batch)
                if not batch:
                    return
                self._size = min(2 * self._size, _LARGEST)
            try:
                found = self._fetch([key for key, _future in batch])
                values = [found[key] for key, _future in batch]
            except BaseException as error:  # pylint: disable=broad-exception-caught
                for _key, future in batch:
                    future.set_exception(error)
            else:
                for (_key, future), value in zip(batch, values, strict=True):
                    future.set_result(value)
