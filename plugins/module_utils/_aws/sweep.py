# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One look at a region, again and again, for all threads of a run that wait for a group there."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from .clients import Clients
from .groups import Group, describe_groups
from .waiting import Lack, Trouble, Waited, between_looks, given_up, judge, trouble_of

#: For so long a look rides out throttling at least, seconds; the next one does, too.
_WITHIN = 5.0


@dataclass(eq=False)
class _Waiter:
    """A thread that waits for one group. Times are of ``time.monotonic()``; ``look_at``: when a look can first tell."""

    id: str
    lack: Lack
    begun: float
    look_at: float
    deadline: float
    delay: float
    words: str = "it has not been looked at yet"
    lacking: float | None = None
    waited: Waited | None = None
    ended: threading.Event = field(default_factory=threading.Event)


class Sweep:
    """Looks at the groups that are waited for, every ``delay`` seconds, less often where a look takes many calls.

    Throttling and broken connections are ridden out for as long as each wait may last. ``watch`` is told after each
    look what the groups lack, by id, in words.
    """

    def __init__(
        self, clients: Clients, delay: float, watch: Callable[[Mapping[str, str]], None] | None = None
    ) -> None:
        """Look for nobody yet."""
        self._clients, self._delay, self._watch = clients, delay, watch
        self._lock = threading.Lock()
        self._waiters: list[_Waiter] = []
        self._notes: dict[str, str] = {}
        self._came = threading.Event()
        self._thread: threading.Thread | None = None
        self._last = float("-inf")

    def until(self, key: str, lack: Lack, *, timeout: float, delay: float, after: float = 0.0) -> Waited:
        """Wait until the group lacks nothing, for ``timeout`` seconds at most, and return how that ended.

        ``delay``: seconds between two looks, where that is less than usual. ``after``: it can't be there yet for so
        many seconds. Raises :class:`Stopped` once the run must end.
        """
        now = time.monotonic()
        waiter = _Waiter(key, lack, now, now + min(after, timeout), now + timeout, min(delay, self._delay))
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="sweep", daemon=True)
                thread.start()  # it waits for the lock
                self._thread = thread
            self._waiters.append(waiter)
        self._came.set()
        try:
            self._clients.wait_for(waiter.ended)
        finally:
            with self._lock:
                self._waiters.remove(waiter)
            self._came.set()
        if waiter.waited is None:
            raise RuntimeError(f"{key}: the wait for it ended without a result")
        return waiter.waited

    @contextlib.contextmanager
    def noted(self, words: Mapping[str, str]) -> Iterator[None]:
        """Have ``words`` told of groups that wait for something else, by id, as long as the context lasts."""
        with self._lock:
            self._notes |= words
        self._tell()
        try:
            yield
        finally:
            with self._lock:
                self._notes = {key: note for key, note in self._notes.items() if key not in words}
            self._tell()

    def _tell(self) -> None:
        if self._watch:
            with self._lock:
                lacks = {waiter.id: waiter.words for waiter in self._waiters if waiter.waited is None} | self._notes
            self._watch(lacks)

    def _run(self) -> None:
        """Look for as long as anybody waits."""
        while True:
            self._came.clear()
            with self._lock:
                if not self._waiters:
                    self._thread = None
                    return
                waiters = [waiter for waiter in self._waiters if waiter.waited is None]
            now = time.monotonic()
            if not waiters:
                self._came.wait(1.0)  # until those that have ended are gone
                continue
            pause = between_looks(self._clients, len(waiters), min(waiter.delay for waiter in waiters))
            regular = max(self._last + pause, min(waiter.look_at for waiter in waiters))
            last_chance = min(waiter.deadline for waiter in waiters)
            if now < min(regular, last_chance):
                self._came.wait(min(regular, last_chance) - now)
                continue
            if now >= regular:
                self._last, due = now, [waiter for waiter in waiters if min(waiter.look_at, waiter.deadline) <= now]
            else:
                # What arrives just before a wait ends counts.
                due = [waiter for waiter in waiters if waiter.deadline <= now]
            try:
                self._look(due, now)
            except BaseException as error:  # pylint: disable=broad-exception-caught
                for waiter in waiters:
                    end(
                        waiter,
                        Waited(None, "", f"{waiter.id}: it could not be looked at ({type(error).__name__}).", 0.0),
                    )

    def _look(self, due: list[_Waiter], now: float) -> None:
        found: Mapping[str, Group] = {}
        trouble: Trouble | None = None
        try:
            within = max(min(waiter.deadline for waiter in due) - now, _WITHIN)
            found = describe_groups(self._clients, [waiter.id for waiter in due], within=within)
        except Exception as error:  # pylint: disable=broad-exception-caught
            trouble = trouble_of(error, self._clients.region, is_first=False)
        seen_at = time.monotonic()
        for waiter in due:
            elapsed = seen_at - waiter.begun
            waited = judge(waiter.id, waiter.lack, found.get(waiter.id), trouble, elapsed, waiter.lacking)
            if isinstance(waited, Waited):
                end(waiter, waited)
                continue
            waiter.words, waiter.lacking = waited or waiter.words, waiter.lacking if trouble else elapsed
            if seen_at >= waiter.deadline:
                end(
                    waiter,
                    given_up(waiter.id, found.get(waiter.id), trouble.words if trouble else waiter.words, elapsed),
                )
        self._tell()


def end(waiter: _Waiter, waited: Waited) -> None:
    """Let the waiting thread go on."""
    if waiter.waited is None:
        waiter.waited = waited
        waiter.ended.set()
