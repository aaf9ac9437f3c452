# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What the module writes down as it goes is what the user is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._operation.journal import Account, Journal


def account_of(*events: dict[str, Any]) -> Account:
    account = Account()
    account.read(f"{json.dumps(event)}\n" for event in events)
    return account


BEGIN = {"at": 100.0, "step": "rotate", "groups": 10}


def test_nothing_is_said_of_nothing() -> None:
    assert Account().line(100.0) == ""


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ([BEGIN], "rotate, 10 groups (30 s gone)"),
        (
            [BEGIN, {"at": 120.0, "waiting": {"a": "its token is ROTATING", "b": "its token is ROTATING"}}],
            (
                "rotate, 8 of 10 groups there; 2: its token is ROTATING; the slowest is a, 10 s; "
                "about 8 s to go in this step (30 s gone)"
            ),
        ),
        (
            [BEGIN, {"at": 110.0, "waiting": {"a": "x", "b": "y", "c": "y"}}, {"at": 120.0, "waiting": {"c": "y"}}],
            "rotate, 9 of 10 groups there; 1: y; the slowest is c, 20 s; about 3 s to go in this step (30 s gone)",
        ),
        ([BEGIN, {"at": 120.0, "waiting": {}}], "rotate, 10 groups (30 s gone)"),
        (
            [BEGIN, {"at": 110.0, "done": 2, "what": "called"}, {"at": 120.0, "done": 6, "what": "called"}],
            "rotate, 10 groups; 6 called; about 20 s to go in this step (30 s gone)",
        ),
        (
            [
                BEGIN,
                {"at": 120.0, "step": "rotate", "made": 10, "failed": 3},
                {"at": 121.0, "step": "set", "groups": 7},
            ],
            "set, 7 groups; 3 failed so far (30 s gone)",
        ),
    ],
)
def test_line(events: list[dict[str, Any]], line: str) -> None:
    assert account_of(*events).line(130.0) == line


@pytest.mark.parametrize(
    ("events", "through", "words"),
    [
        ([BEGIN], None, ("30 s",)),
        (
            [BEGIN, {"at": 120.0, "waiting": {"a": "x", "b": "x"}}],
            8,
            ("30 s, about 8 s to go", "2: x", "slowest a, 10 s"),
        ),
        ([{**BEGIN, "groups": 1}, {"at": 120.0, "waiting": {"a": "x"}}], 0, ("30 s", "1: x", "slowest a, 10 s")),
        ([BEGIN, {"at": 110.0, "waiting": {"a": "x"}}, {"at": 120.0, "waiting": {}}], None, ("30 s",)),
        ([BEGIN, {"at": 110.0, "done": 4, "what": "called"}], 4, ("30 s, about 45 s to go", "4 called")),
        (
            [BEGIN, {"at": 110.0, "done": 4, "what": "called"}, {"at": 120.0, "waiting": {"a": "x"}}],
            9,
            ("30 s, about 3 s to go", "1: x", "slowest a, 10 s"),
        ),
        (
            [BEGIN, {"at": 120.0, "waiting": {"a": "x"}}, {"at": 125.0, "done": 5, "what": "written down"}],
            5,
            ("30 s, about 10 s to go", "5 written down"),
        ),
        ([BEGIN, {"at": 120.0, "done": 5, "what": "x"}, {"at": 125.0, "step": "set", "groups": 2}], None, ("5 s",)),
        (
            [
                BEGIN,
                {"at": 120.0, "step": "rotate", "made": 10, "failed": 3},
                {"at": 121.0, "step": "set", "groups": 7},
                {"at": 122.0, "waiting": {"a": "y", "b": "y", "c": "x", "d": "z"}},
            ],
            3,
            ("9 s, about 12 s to go", "3 failed so far", "2: y", "1: x", "slowest a, 8 s"),
        ),
        (
            [{**BEGIN, "groups": 1}, {"at": 120.0, "waiting": {"a": "x", "b": "x"}}],
            0,
            ("30 s", "2: x", "slowest a, 10 s"),
        ),
    ],
)
def test_what_a_live_line_is_made_of(events: list[dict[str, Any]], through: int | None, words: tuple[str, ...]) -> None:
    account = account_of(*events)
    assert (account.through, account.words(130.0)) == (through, words)


def test_no_group_there_yet_means_no_guess() -> None:
    account = account_of({**BEGIN, "groups": 1}, {"at": 120.0, "waiting": {"a": "x"}})
    assert "to go" not in account.line(130.0)


def test_lines_that_make_no_sense_are_passed_over() -> None:
    account = Account()
    account.read(['{"at": 1, "st', "[]", "null", '{"at": "x", "step": "set"}', '{"at": 5, "step": "set", "groups": 2}'])
    assert account.line(6.0) == "set, 2 groups (1 s gone)"


def test_a_journal_is_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.touch()
    journal = Journal(str(path))
    account = Account()
    with path.open(encoding="utf-8") as reading:
        journal.begins("rotate", 3)
        account.read(reading)
        assert (account.what, account.groups) == ("rotate", 3)
        journal.waiting({})
        journal.made("rotate", 3, failed=1)
        account.read(reading)
        assert "1 failed so far" in account.words(0.0)


def test_waiting_is_written_now_and_then_only(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.touch()
    journal = Journal(str(path))
    journal.begins("rotate", 3)
    for dummy in range(50):
        journal.waiting({"a": "x"})
    assert len(path.read_text("utf-8").splitlines()) < 10


def test_a_file_that_is_not_there_to_write_to(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Journal(str(tmp_path / "none" / "journal"))


def test_a_count_is_written_down_now_and_then(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.touch()
    journal = Journal(str(path))
    for number in range(1, 100):
        journal.counted(number, "called")
    written = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [(one["done"], one["what"]) for one in written] == [(1, "called")]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_no_failure() -> None:
    Journal("/dev/full").begins("rotate", 1)


AHEAD: dict[str, Any] = {"at": 110.0, "batches": [[100, 4], [100, 4], [100, 4]]}


class TestBatches:
    """Where there are several, each is told of apart, and the user reads where all of them are."""

    def account(self, *events: dict[str, Any]) -> Account:
        return account_of({"at": 100.0, "step": "plan", "groups": 300}, AHEAD, *events)

    def test_none_has_begun(self) -> None:
        account = self.account()
        assert (account.what, account.groups, account.through) == ("through", 300, 0)
        assert account.line(112.0) == "0 of 300 groups through; 300 to begin (12 s gone)"

    def test_each_is_somewhere_else(self) -> None:
        account = self.account(
            {"at": 110.0, "batch": 0, "step": "stage", "groups": 100},
            {"at": 111.0, "batch": 0, "step": "stage", "made": 100, "failed": 2},
            {"at": 111.0, "batch": 0, "step": "rotate", "groups": 98},
            {"at": 111.0, "batch": 1, "step": "stage", "groups": 100},
            {"at": 118.0, "batch": 0, "waiting": {"a": "its token is ROTATING", "b": "its token is ROTATING"}},
        )
        assert account.through == 0
        # 1 step and 98 of 100 of the next are behind the first, of 12 in all.
        assert account.line(120.0) == (
            "0 of 300 groups through; 100 at rotate, 100 at stage, 100 to begin; 2: its token is ROTATING; "
            "the slowest is a, 2 s; about 51 s to go; 2 failed so far (20 s gone)"
        )
        assert account.words(120.0) == (
            "20 s, about 51 s to go",
            "100 at rotate, 100 at stage, 100 to begin",
            "2 failed so far",
            "2: its token is ROTATING",
            "slowest a, 2 s",
        )

    def test_the_first_is_through(self) -> None:
        account = self.account(
            {"at": 120.0, "batch": 0, "step": "set", "made": 97, "failed": 1},
            {"at": 120.0, "batch": 0, "ended": True},
            {"at": 120.0, "batch": 2, "done": 50, "what": "called"},
            {"at": 120.0, "batch": 1, "step": "set", "groups": 100},
        )
        assert account.through == 100
        assert account.line(120.0).startswith("100 of 300 groups through; 100 at set, 100 to begin; about ")

    def test_a_batch_that_was_not_announced_is_passed_over(self) -> None:
        assert self.account({"at": 111.0, "batch": 7, "ended": True}).through == 0

    def test_what_follows_them_is_about_all_again(self) -> None:
        account = self.account(
            {"at": 120.0, "batch": 0, "step": "set", "made": 97, "failed": 3},
            {"at": 130.0, "step": "plan", "groups": 5},
        )
        assert account.line(131.0) == "plan, 5 groups; 3 failed so far (31 s gone)"

    def test_as_it_is_written(self, tmp_path: Path) -> None:
        path = tmp_path / "journal"
        path.touch()
        journal, account = Journal(str(path)), Account()
        journal.batches([(2, 1), (2, 1)])
        journal.of(0).begins("rotate", 2)
        journal.of(1).waiting({"c": "x"})
        journal.of(0).made("rotate", 2, failed=0)
        journal.of(0).ends()
        with path.open(encoding="utf-8") as reading:
            account.read(reading)
        assert (account.through, account.groups) == (2, 4)
        assert "1: x" in account.words(0.0)

    def test_a_single_one_is_not_spoken_of(self, tmp_path: Path) -> None:
        path = tmp_path / "journal"
        path.touch()
        journal = Journal(str(path))
        journal.ends()
        assert not path.read_text("utf-8")


class TestPlaces:
    """Regions and accounts side by side: the user reads how far all of them are together."""

    def account(self, *events: dict[str, Any]) -> Account:
        return account_of({"at": 100.0, "places": [60, 2, 8]}, *events)

    def test_each_plans(self) -> None:
        account = self.account(
            {"at": 101.0, "place": 0, "step": "plan", "groups": 60},
            {"at": 101.0, "place": 2, "step": "plan", "groups": 8},
        )
        assert (account.what, account.groups, account.through) == ("through", 70, 0)
        assert account.line(103.0) == "0 of 70 groups through; 68 at plan, 2 to begin (3 s gone)"

    def test_each_is_somewhere_else(self) -> None:
        account = self.account(
            {"at": 101.0, "place": 0, "step": "plan", "groups": 60},
            {"at": 102.0, "place": 0, "batches": [[40, 4], [20, 4]]},
            {"at": 102.0, "place": 0, "batch": 0, "step": "rotate", "groups": 40},
            {"at": 103.0, "place": 0, "batch": 0, "waiting": {"a": "its token is ROTATING"}},
            {"at": 103.0, "place": 1, "ended": True},
            {"at": 104.0, "place": 2, "batches": [[8, 2]]},
            {"at": 104.0, "place": 2, "batch": 0, "step": "set", "groups": 8},
            {"at": 105.0, "place": 2, "batch": 0, "step": "set", "made": 8, "failed": 1},
        )
        assert (account.groups, account.through) == (70, 2)
        assert account.line(112.0) == (
            "2 of 70 groups through; 40 at rotate, 20 to begin, 8 at set; 1: its token is ROTATING; "
            "the slowest is a, 9 s; about 34 s to go; 1 failed so far (12 s gone)"
        )

    def test_one_that_has_ended_is_not_waited_for(self) -> None:
        account = self.account(
            {"at": 102.0, "place": 1, "batches": [[2, 4]]},
            {"at": 103.0, "place": 1, "batch": 0, "waiting": {"a": "its token is ROTATING"}},
            {"at": 104.0, "place": 1, "ended": True},
        )
        assert account.line(105.0) == "2 of 70 groups through; 68 to begin; about 102 s to go (5 s gone)"

    def test_as_it_is_written(self, tmp_path: Path) -> None:
        path = tmp_path / "journal"
        path.touch()
        journal, account = Journal(str(path)), Account()
        assert not journal.beside_others
        journal.places([3, 2])
        here = journal.at(1)
        assert here.beside_others
        here.begins("plan", 2)
        here.batches([(2, 1)])
        here.of(0).waiting({"c": "x"})
        journal.at(0).ends()
        with path.open(encoding="utf-8") as reading:
            account.read(reading)
        assert (account.through, account.groups) == (3, 5)
        assert "1: x" in account.words(0.0)
