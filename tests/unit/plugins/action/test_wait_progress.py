# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The line that ``replication_group_wait`` prints while it waits, and when."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ansible_collections.elasticache.auth.plugins.action.replication_group_wait import (
    _combined,
    _is_true,
    glance_at,
    is_pending,
    progress_line,
    slices,
)
from ansible_collections.elasticache.auth.plugins.plugin_utils._progress import Glance

ARRIVED = {"failed": False, "pending": None, "msg": "x", "duration": 1.0}
ROTATING = {"failed": True, "pending": "its token is ROTATING", "msg": "x", "duration": 5.0}
CREATING = {"failed": True, "pending": "its status is creating", "msg": "x", "duration": 5.0}
BROKEN = {"failed": True, "pending": None, "msg": "d: its status is create-failed.", "duration": 2.0}


@pytest.mark.parametrize(
    ("outcomes", "line"),
    [
        ({"a": ROTATING}, "0 of 1 available; a: its token is ROTATING (61 s)"),
        ({"a": ARRIVED, "b": ROTATING}, "1 of 2 available; b: its token is ROTATING (61 s)"),
        ({"a": ROTATING, "b": ROTATING}, "0 of 2 available; 2 groups: its token is ROTATING (61 s)"),
        (
            {"a": CREATING, "b": ROTATING, "c": ROTATING, "d": ARRIVED},
            "1 of 4 available; 2 groups: its token is ROTATING; a: its status is creating (61 s)",
        ),
        (
            {"b": ROTATING, "a": CREATING},
            "0 of 2 available; a: its status is creating; b: its token is ROTATING (61 s)",
        ),
        ({"a": ARRIVED, "d": BROKEN}, "1 of 2 available; 1 failed (61 s)"),
        (
            {"a": ARRIVED, "b": ROTATING, "d": BROKEN},
            "1 of 3 available; b: its token is ROTATING; 1 failed (61 s)",
        ),
    ],
)
def test_the_line(outcomes: dict[str, dict[str, Any]], line: str) -> None:
    """How many have arrived, what the rest lack with the most frequent first, how many failed, the time gone."""
    assert progress_line(outcomes, 60.6) == line


def test_what_a_live_line_is_made_of() -> None:
    """The same, but nothing before the first look."""
    outcomes: dict[str, dict[str, Any]] = {"a": ARRIVED, "b": ROTATING, "d": BROKEN}
    assert glance_at(outcomes, 60.6) == Glance("available", 3, 1, ("61 s", "b: its token is ROTATING", "1 failed"))
    assert glance_at({}, 60.6) is None


def test_a_line_for_a_thousand_groups_stays_a_line() -> None:
    """It grows with the kinds of what is lacking, not with the number of groups."""
    outcomes = {f"g{number}": ROTATING if number % 2 else ARRIVED for number in range(1000)}
    assert progress_line(outcomes, 5) == "500 of 1000 available; 500 groups: its token is ROTATING (5 s)"


@pytest.mark.parametrize(
    ("outcome", "pending"),
    [(ARRIVED, False), (ROTATING, True), (BROKEN, False), ({}, False), ({"pending": "x"}, False)],
)
def test_what_is_pending(outcome: dict[str, Any], pending: bool) -> None:
    """One whose time ran out, in contrast to one that arrived or never will."""
    assert is_pending(outcome) is pending


def test_the_pauses_grow_to_a_minute() -> None:
    """Soon a first sign of life, then fewer."""
    first = list(itertools.islice(slices(), 8))
    assert first == sorted(first)
    assert first[0] <= 5
    assert first[-1] == 60


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, False), (True, True), (False, False), ("no", False), ("false", False), ("yes", True), ("True", True)],
)
def test_texts_that_stand_for_a_bool(value: Any, expected: bool) -> None:
    """An action plugin sees options as the template left them."""
    assert _is_true(value) is expected


@pytest.mark.parametrize("go_on", [True, False])
def test_the_results_of_several_waits_put_together(go_on: bool) -> None:
    """Messages name the whole time; the task fails for one group unless it is told to go on."""
    outcomes: dict[str, dict[str, Any]] = {"a": dict(ARRIVED, duration=12.3), "b": dict(ROTATING), "d": dict(BROKEN)}
    result = _combined({"changed": False, "outcomes": {}, "msg": "of the last run"}, outcomes, 75.2, go_on)
    assert result["failed"] is not go_on
    assert result["outcomes"]["a"]["msg"] == "a: available after 12 s."
    late = (
        "b: not done after 75 s: its token is ROTATING. "
        "What is under way goes on at AWS: run this again, or raise wait_timeout."
    )
    assert result["outcomes"]["b"]["msg"] == late
    assert result["msg"] == f"{late} d: its status is create-failed."


def test_all_have_arrived() -> None:
    """The message counts them."""
    outcomes: dict[str, dict[str, Any]] = {"a": dict(ARRIVED), "b": dict(ARRIVED)}
    result = _combined({"changed": False}, outcomes, 8.0, False)
    assert result["msg"] == "2 of 2 groups available after 8 s."
    assert result["failed"] is False
