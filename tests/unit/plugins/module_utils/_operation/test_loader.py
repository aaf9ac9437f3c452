# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What many threads ask for at the same time is fetched together, and nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from waiting import PATIENCE, wait_until

from ansible_collections.elasticache.auth.plugins.module_utils._operation import loader as loader_module
from ansible_collections.elasticache.auth.plugins.module_utils._operation.loader import Loader
from ansible_collections.elasticache.auth.plugins.module_utils._stop import Stop, Stopped


def test_a_thousand_requests_are_a_few_batches() -> None:
    batches: list[list[int]] = []

    def fetch(keys: list[int]) -> Mapping[int, int]:
        batches.append(keys)
        return {key: key * key for key in keys}

    loader = Loader(fetch)
    with ThreadPoolExecutor(1000) as pool:
        assert list(pool.map(loader.load, range(1000))) == [key * key for key in range(1000)]
    assert sorted(key for batch in batches for key in batch) == list(range(1000))
    assert max(map(len, batches)) <= 320
    assert loader.load(3) == 9  # and one that comes alone


def test_requests_that_are_known_to_come_are_one_batch() -> None:
    """However long it takes until the threads run that make them."""
    batches: list[list[str]] = []

    def fetch(keys: list[str]) -> Mapping[str, str]:
        batches.append(keys)
        return dict.fromkeys(keys, "fine")

    loader = Loader(fetch, expected=3)
    with ThreadPoolExecutor(3) as pool:
        asked = []
        for count, key in enumerate("abc", 1):
            asked.append(pool.submit(loader.load, key))
            wait_until(lambda count=count: batches or len(loader._queue) == count, f"{count} requests")  # type: ignore[misc]
        assert [one.result(PATIENCE) for one in asked] == ["fine"] * 3
    assert batches == [["a", "b", "c"]]
    assert loader.load("d") == "fine"  # nobody waits for others any more


def test_those_that_never_come_hold_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader_module, "_GATHERING", 0.05)
    loader: Loader[str, str] = Loader(lambda keys: dict.fromkeys(keys, "fine"), expected=7)
    assert loader.load("a") == "fine"


def test_what_goes_wrong_reaches_each_that_asked_and_no_other() -> None:
    def fetch(keys: list[str]) -> Mapping[str, str]:
        if "bad" in keys:
            raise ValueError("no answer")
        return dict.fromkeys(keys, "fine")

    loader = Loader(fetch)
    together = threading.Barrier(2)

    def load(key: str) -> str:
        together.wait(PATIENCE)
        return loader.load(key)

    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(load, key) for key in ("bad", "bad too")]
        errors = [one.exception(PATIENCE) for one in asked]
    assert isinstance(errors[0], ValueError)
    assert errors[0] is not errors[1]
    assert loader.load("good") == "fine"


class Refused(Exception):
    """Made from something else than its text, so that Python can't copy it."""

    def __init__(self, group: Mapping[str, str]) -> None:
        super().__init__(f"{group['id']} is refused")


class Odd(Exception):
    """Its copy is no error."""

    def __copy__(self) -> str:
        return "a text"


@pytest.mark.parametrize("error", [Refused({"id": "one"}), Odd("one is refused"), KeyboardInterrupt("one is refused")])
def test_an_error_that_can_not_be_copied_reaches_each_that_asked(error: BaseException) -> None:
    def fetch(keys: list[str]) -> Mapping[str, str]:
        if "one" in keys:
            raise error
        return dict.fromkeys(keys, "fine")

    loader = Loader(fetch, lambda event: event.wait(PATIENCE))
    with pytest.raises(type(error), match="one is refused"):
        loader.load("one")
    assert loader.load("two") == "fine"  # and the next ones are fetched


def test_a_key_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        Loader[str, str](lambda _keys: {}).load("a")


def test_who_comes_again_goes_first() -> None:
    fetching, go_on = threading.Event(), threading.Event()
    batches: list[list[str]] = []

    def fetch(keys: list[str]) -> Mapping[str, str]:
        batches.append(keys)
        fetching.set()
        go_on.wait(PATIENCE)
        return dict.fromkeys(keys, "")

    loader = Loader(fetch)
    with ThreadPoolExecutor(3) as pool:
        pool.submit(loader.load, "a")
        fetching.wait(PATIENCE)
        pool.submit(loader.load, "b")
        wait_until(lambda: len(loader._queue) == 1, "it is in the queue")
        pool.submit(loader.load, "c", first=True)
        wait_until(lambda: len(loader._queue) == 2, "they are in the queue")
        go_on.set()
    assert batches == [["a"], ["c", "b"]]


def test_nobody_waits_once_the_run_must_end() -> None:
    stop, fetching, go_on = Stop(), threading.Event(), threading.Event()

    def fetch(keys: list[str]) -> Mapping[str, str]:
        fetching.set()
        go_on.wait(PATIENCE)
        return dict.fromkeys(keys, "")

    loader = Loader(fetch, stop.wait_for)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(loader.load, "a")]
        fetching.wait(PATIENCE)
        asked.append(pool.submit(loader.load, "b"))
        wait_until(lambda: len(loader._queue) == 1, "it is in the queue")
        stop.set()
        assert [type(one.exception(PATIENCE)) for one in asked] == [Stopped, Stopped]
        assert loader._queue == []  # and it is not fetched for nobody
        go_on.set()
