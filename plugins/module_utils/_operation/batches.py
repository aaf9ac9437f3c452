# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Many groups in batches, each on the heels of the one before.

Were all of a thousand groups to make each step together, AWS would be idle while tokens are stored and records are
written, and the one group that takes longest would hold up all others half-way. So while one batch waits for its
changes, the next makes its calls. The calls of all of them keep one pace.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

R = TypeVar("R")
T = TypeVar("T")

#: How large the batches are, compared with each other. So many there are at most, however many groups: a look at all
#: groups costs a call a hundred of them, and each batch is looked at some times, so that with batches of one size the
#: calls would grow with the square of the groups. The first is small, so that AWS has something to do soon, and so is
#: the last, whose changes nobody follows on the heels.
SHARES = (2, 4, 4, 3, 1)
#: Groups that a batch has on average at least: fewer are through before the next ones could gain by it.
LEAST = 20
#: How soon an interrupt is heeded, seconds.
_SIGNALS = 0.5


class Turn:
    """The place of a batch in the line: it comes in, and begins to change groups, after the one before it has."""

    def __init__(self, before: Turn | None = None) -> None:
        """Stand behind ``before``; ``None``: at the head of the line."""
        self._before = before
        self._in, self._called = threading.Event(), threading.Event()

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Come in when it is one's turn, and hold nobody up in the end, however that comes."""
        if self._before:
            self._before._in.wait()
        try:
            yield
        finally:
            self._in.set()
            self._called.set()

    def let_in(self) -> None:
        """Let the next batch come in."""
        self._in.set()

    def wait_to_call(self) -> None:
        """Return when the batch before waits for its first changes, and makes no more calls for them."""
        self._in.set()
        if self._before:
            self._before._called.wait()

    def has_called(self) -> None:
        """Let the next batch make its calls."""
        self._called.set()


def batches_of(things: Sequence[T], least: int) -> list[Sequence[T]]:
    """Return ``things`` in batches by :data:`SHARES`; in fewer where these held less than ``least`` on average."""
    number = max(min(len(things) // least, len(SHARES)), 1)
    sums = [0, *itertools.accumulate(SHARES[-number:])]
    ends = [len(things) * one // sums[-1] for one in sums]
    return [things[begin:end] for begin, end in itertools.pairwise(ends) if begin < end or number == 1]


def in_line(
    batches: Sequence[Sequence[T]], work: Callable[[int, Sequence[T], Turn], None], stop: Callable[[], None]
) -> None:
    """Do the ``work`` for each batch, by its number, in a thread of its own; a single one needs none.

    Raises what the work for a batch raised, as :func:`side_by_side` does.
    """
    turns = [Turn()]
    while len(turns) < len(batches):
        turns.append(Turn(turns[-1]))
    all_of_it = zip(range(len(batches)), batches, turns, strict=True)
    side_by_side([functools.partial(work, *one) for one in all_of_it], stop, at_once=len(batches))


def side_by_side(works: Sequence[Callable[[], R]], stop: Callable[[], None], *, at_once: int) -> list[R]:
    """Return what each of the ``works`` returns, done in threads, so many ``at_once``; a single one needs none.

    Raises what one of them raised. Then, and where this thread is interrupted, ``stop`` is called and those that were
    begun are waited for: it has to end them soon.
    """
    if len(works) == 1:
        return [works[0]()]
    with ThreadPoolExecutor(at_once, thread_name_prefix="side") as pool:
        try:
            futures = [pool.submit(work) for work in works]
            running = set(futures)
            while running:
                # The system may give a signal to any thread, but it is this one that acts on it, once it runs.
                done, running = wait(running, timeout=_SIGNALS, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop()
            raise
