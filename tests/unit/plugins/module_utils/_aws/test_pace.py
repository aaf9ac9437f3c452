# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Calls are spaced out, more widely while AWS throttles them."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import wait_until

from ansible_collections.elasticache.auth.plugins.module_utils._aws.pace import Pace


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, _event: threading.Event, seconds: float | None) -> None:
        assert seconds is not None, "nobody else is there to wake it"
        self.sleep(seconds)


def pace_of(limit: float) -> tuple[Pace, Clock]:
    clock = Clock()
    return Pace(limit, clock, clock.wait), clock


@pytest.mark.parametrize(("limit", "calls", "seconds"), [(10.0, 1, 0.0), (10.0, 11, 1.0), (0.5, 3, 4.0)])
def test_calls_come_at_the_limit(limit: float, calls: int, seconds: float) -> None:
    pace, clock = pace_of(limit)
    for dummy in range(calls):
        pace.wait()
    assert clock.now - 1000.0 == pytest.approx(seconds)


def test_a_pause_is_not_made_up_for() -> None:
    """Calls that were not made in time don't come in a burst later."""
    pace, clock = pace_of(10.0)
    pace.wait()
    clock.sleep(60)
    before = clock.now
    for dummy in range(5):
        pace.wait()
    assert clock.now - before == pytest.approx(0.4)


def test_throttling_slows_down_and_success_speeds_up_again() -> None:
    pace, clock = pace_of(10.0)
    pace.throttled()
    assert pace.rate == pytest.approx(7.0)
    pace.throttled()  # the same news
    assert pace.rate == pytest.approx(7.0)
    clock.sleep(1.0)
    pace.throttled()
    assert pace.rate == pytest.approx(4.9)
    for dummy in range(100):
        pace.passed()
    assert pace.rate == 10.0


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 5.0)), max_size=60), st.floats(0.1, 100.0))
def test_the_rate_stays_within_bounds(news: list[tuple[bool, float]], limit: float) -> None:
    """Whatever AWS says, calls go on, and never faster than allowed."""
    pace, clock = pace_of(limit)
    for throttled, seconds in news:
        clock.sleep(seconds)
        if throttled:
            pace.throttled()
        else:
            pace.passed()
        assert min(0.5, limit) <= pace.rate <= limit
    before = clock.now
    pace.wait()
    assert clock.now - before <= 1.0 / min(0.5, limit) * (len(news) + 1)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_what_finishes_a_group_goes_first(ranks: list[int]) -> None:
    """Of those that wait at the same time; of one rank who came first."""
    pace = Pace(1000.0, wait=lambda event, _seconds: event.wait(0.01))
    pace._next = time.monotonic() + 3600.0  # nobody may call yet
    went: list[tuple[int, int]] = []

    def call(number: int) -> None:
        pace.wait(ranks[number])
        went.append((ranks[number], number))

    with ThreadPoolExecutor(len(ranks)) as pool:
        for number in range(len(ranks)):
            pool.submit(call, number)
            wait_until(lambda: len(pace._queue) > number, "it is in the queue")  # noqa: B023 - called at once
        pace._next = 0.0
    assert went == sorted(went)


def test_who_stops_waiting_holds_up_nobody() -> None:
    class StoppedError(Exception):
        pass

    waits: list[threading.Event] = []

    def wait(event: threading.Event, _seconds: float | None) -> None:
        waits.append(event)
        raise StoppedError

    pace = Pace(1.0, wait=wait)
    pace.wait()
    for rank in (0, 1, 0):
        with pytest.raises(StoppedError):
            pace.wait(rank)
    assert pace._queue == []
