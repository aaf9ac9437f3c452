# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What the module writes down as it goes is what the user is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._operation.progress import Account, ProgressFile

Event = dict[str, Any]


def account_of(*events: Event) -> Account:
    account = Account()
    account.read(f"{json.dumps(event)}\n" for event in events)
    return account


def targets(*groups: int) -> Event:
    return {"at": 100.0, "targets": list(groups)}


def step(at: float, key: str, name: str, left: int, region: int = 0) -> Event:
    return {"at": at, "region": region, "id": key, "step": name, "remaining_steps": left}


def end(at: float, key: str, *, failed: bool = False, region: int = 0) -> Event:
    return {"at": at, "region": region, "id": key, "ended": True, "failed": failed}


def waiting(at: float, region: int = 0, **lacks: str) -> Event:
    return {"at": at, "region": region, "waiting": lacks}


def cutover(at: float, key: str, seconds: float) -> Event:
    return {"at": at, "region": 0, "id": key, "cutover": seconds}


def look(at: float, key: str, predating: int) -> Event:
    return {"at": at, "region": 0, "id": key, "when": "client_cutover", "connections": 20, "predating": predating}


def test_nothing_is_said_of_nothing() -> None:
    assert Account().line(100.0) == ""


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ([targets(10)], "0 of 10 groups done; 10 not started (30 s elapsed)"),
        ([targets(1)], "0 of 1 group done; 1 not started (30 s elapsed)"),
        (
            [targets(3), step(110, "a", "rotate", 4), step(110, "b", "rotate", 4)],
            "0 of 3 groups done; 2 at rotate, 1 not started (30 s elapsed)",
        ),
        # What has fewest steps left comes first, and one step of four of a third of the groups took ten seconds.
        (
            [targets(3), step(110, "a", "rotate", 4), step(112, "b", "rotate", 4), step(120, "a", "set", 3)],
            "0 of 3 groups done; 1 at set, 1 at rotate, 1 not started; about 4 min left (30 s elapsed)",
        ),
        (
            [
                targets(2),
                step(110, "a", "rotate", 1),
                step(110, "b", "rotate", 1),
                waiting(112, a="its token is ROTATING", b="its token is ROTATING"),
                waiting(120, a="its status is modifying", b="its token is ROTATING"),
            ],
            (
                "0 of 2 groups done; 2 at rotate; 1: its status is modifying; 1: its token is ROTATING; "
                "the slowest is a, 18 s (30 s elapsed)"
            ),
        ),
        (
            [targets(2), step(110, "a", "rotate", 1), waiting(112, a="x"), step(114, "a", "set", 1), end(120, "b")],
            "1 of 2 groups done; 1 at set; about 7 s left (30 s elapsed)",
        ),
        (
            [targets(2, 2), step(110, "a", "set", 1), end(120, "a", failed=True), end(120, "a", region=1)],
            "2 of 4 groups done; 2 not started; about 20 s left; 1 failed so far (30 s elapsed)",
        ),
        ([targets(1), step(110, "a", "set", 1), end(120, "a")], "1 of 1 group done (30 s elapsed)"),
    ],
)
def test_line(events: list[Event], line: str) -> None:
    assert account_of(*events).line(130.0) == line


@pytest.mark.parametrize(
    ("events", "now", "line"),
    [
        # Since when the first of them is in it, and who has not moved by the last look at each.
        (
            [
                targets(5),
                *(step(110, key, "client_cutover", 3) for key in "abc"),
                cutover(120, "a", 3600),
                cutover(180, "b", 3600),
                look(130, "a", 8),
                look(400, "a", 6),
                look(400, "b", 0),
                step(500, "d", "rotate", 4),
            ],
            780.0,
            (
                "0 of 5 groups done; cutover 2/5, 11 min of 60 min; 1 group with 6 connections that predate the token; "
                "1 at client_cutover, 1 at rotate, 1 not started; about 50 min left (11 min elapsed)"
            ),
        ),
        # One whose cutover is over is in none; what is left there is told until it has ended.
        (
            [
                targets(2),
                step(110, "a", "client_cutover", 2),
                cutover(111, "a", 9),
                look(112, "a", 1),
                step(120, "a", "set", 1),
            ],
            130.0,
            (
                "0 of 2 groups done; 1 group with 1 connection that predates the token; 1 at set, 1 not started; "
                "about 60 s left (30 s elapsed)"
            ),
        ),
        (
            [targets(1), step(110, "a", "client_cutover", 2), cutover(111, "a", 9), look(112, "a", 1), end(120, "a")],
            130.0,
            "1 of 1 group done (30 s elapsed)",
        ),
        # That of another run may last longer than it says.
        (
            [targets(1), step(110, "a", "client_cutover", 2), cutover(110, "a", 60)],
            300.0,
            "0 of 1 group done; cutover 1/1, 3 min (3 min elapsed)",
        ),
    ],
)
def test_a_client_cutover_in_the_line(events: list[Event], now: float, line: str) -> None:
    assert account_of(*events).line(now) == line


def test_a_client_cutover_stands_first_in_the_live_line() -> None:
    account = account_of(
        targets(2), step(110, "a", "client_cutover", 2), cutover(110, "a", 600), step(111, "b", "set", 1)
    )
    assert account.words(230.0) == ("2 min, about 8 min left", "cutover 1/2, 2 min of 10 min", "1 at set")


def test_the_counts_over_time_are_kept_for_the_run_file() -> None:
    account = account_of(
        targets(1), step(110, "a", "client_cutover", 2), *(look(at, "a", at) for at in range(111, 300))
    )
    ((*dummy, told),) = account.under_way()
    looks = told["client_connections"]["looks"]
    assert [found["at"] for found in looks] == [*range(111, 131), *range(280, 300)]
    assert looks[-1] == {"at": 299, "when": "client_cutover", "connections": 20, "predating": 299}


def test_what_a_live_line_is_made_of() -> None:
    account = account_of(
        targets(4),
        step(110, "a", "set", 2),
        step(111, "b", "rotate", 4),
        end(112, "c", failed=True),
        waiting(120, b="its token is ROTATING"),
    )
    assert (account.through, account.groups) == (1, 4)
    assert account.words(130.0) == (
        "30 s, about 60 s left",
        "1 at set, 1 at rotate, 1 not started",
        "1 failed so far",
        "1: its token is ROTATING",
        "slowest b, 10 s",
    )


def test_lines_that_make_no_sense_are_passed_over() -> None:
    account = account_of(targets(2))
    account.read(['{"at": 1, "st', "[]", "null", '{"at": "x", "step": "set"}', '{"at": 5, "region": 0, "step": "set"}'])
    assert account.line(130.0) == "0 of 2 groups done; 2 not started (30 s elapsed)"


def test_it_is_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    path.touch()
    written, account = ProgressFile(str(path)), Account()
    with path.open(encoding="utf-8") as reading:
        written.targets([2, 1])
        account.read(reading)
        assert (account.through, account.groups) == (0, 3)
        written.begins(0, "a", "rotate", 2)
        written.begins(1, "a", "set", 1)
        written.waiting(0, {"a": "its token is ROTATING"})
        written.ends(1, "a", failed=True)
        account.read(reading)
    words = account.words(account.told_at)
    assert words[1:4] == ("1 at rotate, 1 not started", "1 failed so far", "1: its token is ROTATING")


def test_waiting_is_written_now_and_then_only(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    path.touch()
    written = ProgressFile(str(path))
    for dummy in range(50):
        written.waiting(0, {"a": "x"})
        written.waiting(1, {"a": "x"})
    regions = [json.loads(line)["region"] for line in path.read_text("utf-8").splitlines()]
    assert {0, 1} == set(regions)
    assert len(regions) < 20


def test_a_file_that_is_not_there_to_write_to(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        ProgressFile(str(tmp_path / "none" / "progress"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_no_failure() -> None:
    ProgressFile("/dev/full").targets([1])
