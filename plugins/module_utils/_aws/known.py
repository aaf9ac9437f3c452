# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What has been learnt of a region, for all threads that look at it: they need not each ask AWS for the same."""

from __future__ import annotations

import collections
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from .repeated import Repeated

T = TypeVar("T")

#: After this part of the time for which an answer counts one thread asks anew.
_MOST = 0.75
#: The shortest of so many latest changes of a kind tells how long one takes at least.
_LATEST = 16
#: A change that had ended at its first look took this part of the time until then at least, as far as one knows.
_EARLIER = 0.8


class Shared(Generic[T]):
    """Things by their ids, of which the latest answer serves whoever would take one so old.

    One thread asks at a time. Those that come meanwhile wait for it, as its answer may do for them too.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Know nothing yet. ``clock``: seconds, that never go back."""
        self._clock = clock
        self._asking = threading.Lock()
        self._changing = threading.Lock()
        self._begun = float("-inf")
        self._found: Mapping[str, T] = {}
        self._amended: dict[str, tuple[float, T]] = {}

    def have(self, oldest: float) -> Mapping[str, T] | None:
        """Return the latest answer if AWS was asked for it at ``oldest`` or later, otherwise ``None``."""
        with self._changing:
            return self._found if self._begun >= oldest else None

    def get(self, oldest: float, ask: Callable[[], Mapping[str, T]]) -> Mapping[str, T]:
        """Return the latest answer, of ``ask`` where there is none so new. Raises what ``ask`` raises."""
        with self._asking:
            return self._get(oldest, ask)

    def lately(
        self, limit: float, ask: Callable[[], Mapping[str, T]], *, since: float = float("-inf")
    ) -> Mapping[str, T]:
        """Return an answer that AWS was asked for in the last ``limit`` seconds, and after ``since``, or since this was
        called.

        When most of that time has passed, one thread asks anew, so that the others need not wait for it: their calls
        would come in a burst afterwards. Raises what ``ask`` raises.
        """
        now = self._clock()
        oldest = max(now - limit, since)
        found = self.have(oldest)
        if found is None:
            return self.get(oldest, ask)
        soon = now - limit * _MOST
        if self.have(soon) is None and self._asking.acquire(blocking=False):
            try:
                return self._get(soon, ask)
            finally:
                self._asking.release()
        return found

    def _get(self, oldest: float, ask: Callable[[], Mapping[str, T]]) -> Mapping[str, T]:
        found = self.have(oldest)
        if found is None:
            begun = self._clock()
            found = ask()
            with self._changing:
                # What was seen singly since this was asked for is newer.
                self._amended = {key: amended for key, amended in self._amended.items() if amended[0] > begun}
                found = {**found, **{key: thing for key, (_at, thing) in self._amended.items()}}
                self._begun, self._found = begun, found
        return found

    def amend(self, begun: float, found: Mapping[str, T]) -> None:
        """Take in what was found of some things when AWS was asked about each at ``begun`` or later.

        So nobody who has seen a thing as it is now sees it afterwards as it was.
        """
        with self._changing:
            self._amended |= {key: (begun, thing) for key, thing in found.items()}
            if self._begun < begun:
                self._found = {**self._found, **found}


@dataclass
class Known:
    """What has been learnt. ``pages``: how many all groups fill, as far as has been seen; ``groups``: the latest sweep
    over all of them; ``repeated``: what was read in it, for the next one; ``tags``: those of the groups in ``arns``
    (ARNs by id), as they were last read in bulk; ``versions``: engine versions by the id of a cache cluster, which
    never go down. ``detailed``: whether groups of a sweep keep what they were parsed from, which takes most of their
    memory. ``under_way``: how many groups are being changed side by side.
    """

    pages: int = 0
    groups: Shared[Any] = field(default_factory=Shared)
    repeated: Repeated[Any] = field(default_factory=lambda: Repeated("ReplicationGroup"))
    tags: Shared[dict[str, str]] = field(default_factory=Shared)
    arns: dict[str, str] = field(default_factory=dict)
    versions: dict[str, tuple[int, ...]] = field(default_factory=dict)
    detailed: bool = True
    #: Whether the network leads to nodes; ``None`` where too few were asked to tell.
    nodes_reachable: bool | None = None
    under_way: int = 0
    _changes: dict[str, collections.deque[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _late_at: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def acting(self) -> Iterator[None]:
        """Count a group as one that is being changed, as long as the context lasts."""
        with self._lock:
            self.under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self.under_way -= 1

    def least(self, kind: str) -> float:
        """Return how long a change of that kind takes at least, going by the latest ones, in seconds."""
        return min(self._changes.get(kind, ()), default=0.0)

    def learn(self, kind: str, under_way: float | None) -> None:
        """Take note for how many seconds from its call a change was seen to be still under way.

        ``None``: it had ended at its first look, so that the next ones are looked at somewhat earlier.
        """
        with self._lock:
            if under_way is None:
                # All that had ended at one look are one and the same news.
                late, self._late_at[kind] = self._late_at.get(kind, float("-inf")), time.monotonic()
                if self._late_at[kind] - late < 1.0:
                    return
            self._learn(kind, under_way)

    def _learn(self, kind: str, under_way: float | None) -> None:
        seconds = self.least(kind) * _EARLIER if under_way is None else max(under_way, 0.0)
        self._changes.setdefault(kind, collections.deque(maxlen=_LATEST)).append(seconds)
