# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""One look serves all who wait; each wait ends by itself, whatever becomes of the others."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from waiting import PATIENCE, wait_until

from ansible_collections.elasticache.auth.plugins.module_utils._aws import sweep as sweeping
from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import Clients
from ansible_collections.elasticache.auth.plugins.module_utils._aws.groups import Group
from ansible_collections.elasticache.auth.plugins.module_utils._aws.sweep import Sweep
from ansible_collections.elasticache.auth.plugins.module_utils._aws.waiting import settled
from ansible_collections.elasticache.auth.plugins.module_utils._stop import Stop, Stopped

IDS = ("a", "b", "c")
GROUP = Group("", "", "modifying", True, None, (), "required", "valkey", False, (), ())


class Region:
    """Groups that are modified until they are released; it counts how often it is looked at, and at which of them."""

    region = "us-east-1"

    def __init__(self) -> None:
        self.groups = {key: replace(GROUP, id=key) for key in IDS}
        self.looks: list[tuple[str, ...]] = []
        self.troubles: list[Exception] = []

    def release(self, *ids: str) -> None:
        self.groups |= {key: replace(self.groups[key], status="available") for key in ids}

    def describe(self, _clients: Clients, ids: Iterable[str], **_more: Any) -> Mapping[str, Group]:
        self.looks.append(tuple(ids))
        for trouble in self.troubles:
            raise trouble
        return {key: self.groups[key] for key in self.looks[-1] if key in self.groups}


@pytest.fixture
def region(monkeypatch: pytest.MonkeyPatch) -> Region:
    made = Region()
    monkeypatch.setattr(sweeping, "describe_groups", made.describe)
    return made


@pytest.fixture
def stop() -> Stop:
    return Stop()


@pytest.fixture
def sweep(region: Region, stop: Stop) -> Sweep:
    return Sweep(Clients(region, stop=stop), 0.05)


def until(sweep: Sweep, key: str, *, timeout: float = PATIENCE, after: float = 0.0) -> Any:
    return sweep.until(key, settled, timeout=timeout, delay=0.05, after=after)


def test_each_goes_on_as_soon_as_it_is_there(region: Region, sweep: Sweep) -> None:
    with ThreadPoolExecutor(len(IDS)) as pool:
        waits = {key: pool.submit(until, sweep, key) for key in IDS}
        wait_until(lambda: ("a", "b", "c") in map(tuple, map(sorted, region.looks)), "one look is at all of them")
        region.release("b")
        assert waits["b"].result(PATIENCE).error == ""
        assert not waits["a"].done()
        region.release("a", "c")
        assert {waits[key].result(PATIENCE).group.status for key in IDS} == {"available"}
    wait_until(lambda: sweep._thread is None, "nobody looks where nobody waits")
    looks = len(region.looks)
    assert until(sweep, "a").lack == ""  # and it begins anew
    assert len(region.looks) == looks + 1


def test_one_that_is_late_ends_no_other(region: Region, sweep: Sweep) -> None:
    with ThreadPoolExecutor(2) as pool:
        patient = pool.submit(until, sweep, "b")
        late = until(sweep, "a", timeout=0.2)
        assert re.match(r"a: not done after \d+ s: its status is modifying", late.error)
        assert not patient.done()
        region.release("b")
        assert patient.result(PATIENCE).error == ""


def test_one_that_is_deleted(region: Region, sweep: Sweep) -> None:
    del region.groups["a"]
    assert until(sweep, "a").error == "a: it was deleted while it was waited for."


def test_one_that_never_gets_there(region: Region, sweep: Sweep) -> None:
    region.groups["a"] = replace(GROUP, id="a", status="create-failed")
    assert "from which it does not become available" in until(sweep, "a").error


def test_throttling_is_ridden_out_and_a_refusal_is_reported(region: Region, sweep: Sweep) -> None:
    region.troubles = [ClientError({"Error": {"Code": "Throttling", "Message": "Slow down"}}, "Describe")]
    with ThreadPoolExecutor(1) as pool:
        wait = pool.submit(until, sweep, "a")
        wait_until(lambda: len(region.looks) >= 3, "it looks again and again")
        assert not wait.done()
        region.troubles = [ClientError({"Error": {"Code": "AccessDenied", "Message": "No"}}, "Describe")]
        assert "a: elasticache:DescribeReplicationGroups was refused" in wait.result(PATIENCE).error


def test_an_error_that_nobody_expects_ends_all_waits(region: Region, sweep: Sweep) -> None:
    def lack(_group: Group) -> str:
        raise RuntimeError("its words may hold anything")

    waited = sweep.until("a", lack, timeout=PATIENCE, delay=0.05)
    assert waited.error == "a: it could not be looked at (RuntimeError)."


def test_waits_end_at_once_where_the_run_must(region: Region, sweep: Sweep, stop: Stop) -> None:
    with ThreadPoolExecutor(len(IDS)) as pool:
        waits = [pool.submit(until, sweep, key) for key in IDS]
        wait_until(lambda: len(sweep._waiters) == len(IDS), "all wait")
        stop.set()
        assert {type(one.exception(PATIENCE)) for one in waits} == {Stopped}
    wait_until(lambda: sweep._thread is None, "nobody looks any more")


def test_nobody_looks_before_it_can_tell(region: Region, sweep: Sweep) -> None:
    with ThreadPoolExecutor(2) as pool:
        late = pool.submit(until, sweep, "a", after=86400.0)
        region.release("b")
        assert until(sweep, "b").error == ""
        assert all("a" not in look for look in region.looks)
        sweep._waiters[0].look_at = 0.0
        region.release("a")
        sweep._came.set()
        assert late.result(PATIENCE).error == ""


def test_what_groups_lack_is_reported(region: Region, stop: Stop) -> None:
    told: list[Mapping[str, str]] = []
    sweep = Sweep(Clients(region, stop=stop), 0.05, told.append)
    with ThreadPoolExecutor(1) as pool, sweep.noted({"c": "the client cutover of another run"}):
        assert told == [{"c": "the client cutover of another run"}]
        wait = pool.submit(until, sweep, "a")
        both = {"a": "its status is modifying", "c": "the client cutover of another run"}
        wait_until(lambda: both in told, "both are told of")
        region.release("a")
        wait.result(PATIENCE)
    assert told[-1] == {}


def test_many_that_end_one_after_the_other_are_not_all_looked_at_each_time(region: Region, stop: Stop) -> None:
    sweep = Sweep(Clients(region, stop=stop), 86400.0)
    with ThreadPoolExecutor(len(IDS)) as pool:
        waits = {key: pool.submit(until, sweep, key, after=86400.0) for key in IDS}
        wait_until(lambda: len(sweep._waiters) == len(IDS), "all wait")
        for waiter in list(sweep._waiters):
            waiter.deadline = time.monotonic()
            sweep._came.set()
            assert "not done after" in waits[waiter.id].result(PATIENCE).error
    assert sorted(region.looks) == [("a",), ("b",), ("c",)]
