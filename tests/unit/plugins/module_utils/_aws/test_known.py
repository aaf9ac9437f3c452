# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""An answer serves all who would take one so old, and never brings back what has been seen to be past."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._aws.known import Known, Shared


class Clock:
    """A clock that is set by hand, in seconds."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def answers() -> Iterator[Mapping[str, str]]:
    number = 0
    while True:
        number += 1
        yield {"a": f"a{number}", "b": f"b{number}"}


def test_who_would_take_it_gets_the_latest_answer() -> None:
    clock, asked = Clock(), answers()
    shared: Shared[str] = Shared(clock)
    assert shared.have(0.0) is None
    assert shared.get(100.0, lambda: next(asked)) == {"a": "a1", "b": "b1"}
    clock.now = 103.0
    assert shared.have(100.0) == {"a": "a1", "b": "b1"}
    assert shared.have(100.1) is None
    assert shared.get(99.0, lambda: next(asked)) == {"a": "a1", "b": "b1"}
    assert shared.get(101.0, lambda: next(asked)) == {"a": "a2", "b": "b2"}


def test_an_answer_is_as_old_as_its_question() -> None:
    clock = Clock()
    shared: Shared[str] = Shared(clock)

    def slow() -> Mapping[str, str]:
        clock.now += 10.0
        return {"a": "as it was at 100 or later"}

    shared.get(100.0, slow)
    assert shared.have(100.5) is None


def test_what_was_seen_singly_since_is_not_undone() -> None:
    clock, asked = Clock(), answers()
    shared: Shared[str] = Shared(clock)
    shared.get(100.0, lambda: next(asked))
    shared.amend(101.0, {"a": "changed"})
    assert shared.have(100.0) == {"a": "changed", "b": "b1"}
    clock.now = 105.0
    shared.get(105.0, lambda: next(asked))
    shared.amend(104.0, {"a": "changed"})  # older than the sweep
    assert shared.have(105.0) == {"a": "a2", "b": "b2"}


def test_one_failure_is_that_of_who_asked() -> None:
    shared: Shared[str] = Shared()

    def fails() -> Mapping[str, str]:
        raise ValueError("no answer")

    with pytest.raises(ValueError, match="no answer"):
        shared.get(0.0, fails)
    assert shared.get(0.0, lambda: {"a": "1"}) == {"a": "1"}


def test_a_late_answer_is_asked_for_anew_by_one_while_the_others_go_on() -> None:
    clock, asked = Clock(), answers()
    shared: Shared[str] = Shared(clock)

    def ask() -> Mapping[str, str]:
        # Whoever comes while it is asked for anew gets the one before, and need not wait.
        with ThreadPoolExecutor(1) as pool:
            others.append(pool.submit(shared.lately, 2.0, lambda: next(asked)).result(30))
        return next(asked)

    others: list[Mapping[str, str]] = []
    assert shared.lately(2.0, lambda: next(asked)) == {"a": "a1", "b": "b1"}
    clock.now += 1.4
    assert shared.lately(2.0, lambda: next(asked)) == {"a": "a1", "b": "b1"}
    clock.now += 0.2
    assert shared.lately(2.0, ask) == {"a": "a2", "b": "b2"}
    assert others == [{"a": "a1", "b": "b1"}]
    clock.now += 2.1
    assert shared.lately(2.0, lambda: next(asked)) == {"a": "a3", "b": "b3"}
    # One from before something happened does not count, however late.
    clock.now += 0.2
    assert shared.lately(2.0, lambda: next(asked), since=clock.now - 0.1) == {"a": "a4", "b": "b4"}
    assert shared.lately(2.0, lambda: next(asked), since=clock.now - 0.1) == {"a": "a4", "b": "b4"}


def test_those_who_come_meanwhile_share_the_next_answer() -> None:
    shared: Shared[str] = Shared()
    asked, first_asks, go_on = answers(), threading.Event(), threading.Event()
    questions: list[int] = []

    def ask() -> Mapping[str, str]:
        questions.append(1)
        first_asks.set()
        go_on.wait(30)
        return next(asked)

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(shared.get, 0.0, ask)
        first_asks.wait(30)
        # What they want is newer than what is being asked; all of them are served by one more question.
        oldest = time.monotonic()
        others = [pool.submit(shared.get, oldest, ask) for dummy in range(7)]
        go_on.set()
        assert first.result(30) == {"a": "a1", "b": "b1"}
        assert [other.result(30) for other in others] == [{"a": "a2", "b": "b2"}] * 7
    assert len(questions) == 2


def test_the_least_time_of_a_change_follows_the_latest_ones() -> None:
    known = Known()
    assert known.least("set") == 0.0
    for seconds in (4.0, 2.0, 9.0):  # nobody was done before two seconds had gone
        known.learn("set", seconds)
    assert (known.least("set"), known.least("rotate")) == (2.0, 0.0)
    known.learn("set", None)  # it was done at the first look, which may have been too late
    assert known.least("set") == pytest.approx(1.6)
    for dummy in range(16):  # changes take longer by now
        known.learn("set", 30.0)
    assert known.least("set") == 30.0
    known.learn("set", -0.1)  # clocks may be set back
    assert known.least("set") == 0.0
