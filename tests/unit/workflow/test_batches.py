# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Batches follow one another: they come in and begin to call in their order, and none holds up the rest for long."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import Clients
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._operation.batches import (
    LEAST,
    SHARES,
    Turn,
    batches_of,
    in_line,
    side_by_side,
)


@given(st.integers(0, 5000), st.integers(1, 300))
def test_batches_hold_each_thing_once(number: int, least: int) -> None:
    batches = batches_of(list(range(number)), least)
    assert [one for batch in batches for one in batch] == list(range(number))
    assert 1 <= len(batches) <= len(SHARES)
    assert len(batches) == 1 or number >= least * len(batches)
    assert len(batches) == 1 or all(batches)


def test_few_groups_are_one_batch_and_many_have_no_more_than_some() -> None:
    lengths = {number: [len(batch) for batch in batches_of(range(number), LEAST)] for number in (1, 39, 40, 100, 1000)}
    assert lengths == {
        1: [1],
        39: [39],
        40: [30, 10],
        100: [14, 28, 29, 21, 8],
        1000: [142, 286, 286, 214, 72],
    }


def ways(events: list[str]) -> Callable[[int, Sequence[str], Turn], None]:
    """The way of a batch: come in, call, and wait until the last batch has called, too."""
    all_called = threading.Barrier(3, timeout=30)

    def work(number: int, some: Sequence[str], turn: Turn) -> None:
        del some
        with turn.taken():
            events.append(f"in {number}")
            turn.wait_to_call()
            events.append(f"call {number}")
            turn.has_called()
            all_called.wait()
        events.append("end")

    return work


def test_they_come_in_and_call_in_order_and_wait_together() -> None:
    events: list[str] = []
    in_line([["a"], ["b"], ["c"]], ways(events), lambda: None)
    assert [event for event in events if event.startswith("in")] == ["in 0", "in 1", "in 2"]
    assert [event for event in events if event.startswith("call")] == ["call 0", "call 1", "call 2"]
    assert events[-3:] == ["end"] * 3  # nobody ends before all have called: had one waited for another, none would


def test_one_that_ends_early_holds_up_nobody() -> None:
    done: list[int] = []

    def work(number: int, some: Sequence[str], turn: Turn) -> None:
        del some
        with turn.taken():
            if number == 1:
                return  # neither lets the next in nor calls
            turn.wait_to_call()
            done.append(number)

    in_line([["a"], ["b"], ["c"]], work, lambda: None)
    assert done == [0, 2]


def test_a_single_one_needs_no_thread() -> None:
    threads: list[threading.Thread] = []
    in_line([["a"]], lambda *dummy: threads.append(threading.current_thread()), lambda: None)
    assert threads == [threading.current_thread()]


class BrokenError(Exception):
    """What no code expects."""


def test_what_one_raises_stops_the_others_and_is_raised() -> None:
    clients = Clients(None)
    others: list[str] = []
    all_in = threading.Barrier(3, timeout=30)

    def work(number: int, some: Sequence[str], turn: Turn) -> None:
        del some
        with turn.taken():
            turn.let_in()
            all_in.wait()
            if number == 0:
                raise BrokenError
            try:
                clients.part().pause(600)
            except AuthError as error:
                others.append(str(error))

    with pytest.raises(BrokenError):
        in_line([["a"], ["b"], ["c"]], work, clients.stop)
    assert len(others) == 2
    assert all("Run this again" in told for told in others)


def test_after_a_stop_no_paced_call_is_made() -> None:
    clients = Clients(None)
    clients.pace("ModifyReplicationGroup", limit=1000.0)
    calls: list[int] = []
    clients.part().paced("ModifyReplicationGroup", lambda: calls.append(1))
    clients.part().stop()
    with pytest.raises(AuthError, match="interrupted"):
        clients.part().paced("ModifyReplicationGroup", lambda: calls.append(2))
    assert calls == [1]


def test_it_is_checked_before_each_attempt_when_its_turn_has_come() -> None:
    clients = Clients(None)
    clients.pace("ModifyReplicationGroup", limit=1000.0)
    done: list[str] = []

    def call() -> str:
        done.append("call")
        if done.count("call") < 3:
            raise ClientError({"Error": {"Code": "Throttling"}}, "ModifyReplicationGroup")
        return "done"

    assert clients.paced("ModifyReplicationGroup", call, check=lambda: done.append("check")) == "done"
    assert done == ["check", "call"] * 3


@pytest.mark.parametrize("action", ["ModifyReplicationGroup", "unpaced"])
def test_what_the_check_raises_ends_the_attempts(action: str) -> None:
    clients = Clients(None)
    clients.pace("ModifyReplicationGroup", limit=1000.0)
    calls: list[int] = []

    def check() -> None:
        if calls:
            raise AuthError("it has changed")

    def call() -> None:
        calls.append(1)
        raise ClientError({"Error": {"Code": "Throttling"}}, action)

    with pytest.raises(AuthError, match="it has changed"):
        clients.paced(action, call, check=check)
    assert calls == [1]


class TestSideBySide:
    """What is done at once, and where one of it goes wrong."""

    def test_results_come_in_order_and_so_many_are_at_work_at_once(self) -> None:
        both = threading.Barrier(2, timeout=30)

        def work(number: int) -> int:
            both.wait()
            return number

        found = side_by_side([functools.partial(work, number) for number in range(6)], pytest.fail, at_once=2)
        assert found == list(range(6))

    def test_a_single_one_is_done_in_this_thread(self) -> None:
        assert side_by_side([threading.get_ident], pytest.fail, at_once=8) == [threading.get_ident()]

    def test_one_that_raises_stops_the_others(self) -> None:
        stopped, ended = threading.Event(), threading.Event()

        def waits() -> None:
            assert stopped.wait(30)
            ended.set()

        def raises() -> None:
            raise AuthError("no.")

        with pytest.raises(AuthError, match="no"):
            side_by_side([waits, raises], stopped.set, at_once=2)
        assert ended.is_set()
