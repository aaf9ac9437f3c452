# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What is read from the emulator's histories."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.timeline import Timeline, gaps, timeline

BEGUN, EFFECT, ENDED = "ModifyReplicationGroup", "took effect", "change ended"
MODES = {"ROTATING": "rotating", "SETTING": "required"}


def changes(*given: tuple[float, str | None, float], mode: str = "required") -> list[dict[str, Any]]:
    """A history of changes: when each began, its AuthTokenStatus, and how long it took."""
    history = [{"time": 0.0, "cause": "CreateReplicationGroup", "mode": mode, "auth_token_status": None}]
    for begun, status, seconds in given:
        history.append({"time": begun, "cause": BEGUN, "mode": mode, "auth_token_status": status})
        history[-1]["change_seconds"] = seconds
        mode = MODES.get(status or "", mode)
        if history[0]["mode"] == "rbac" and status == "ROTATING":
            mode = "optional"
        history.append({"time": begun + seconds, "cause": EFFECT, "mode": mode, "auth_token_status": status})
        history.append({"time": begun + seconds, "cause": ENDED, "mode": mode, "auth_token_status": None})
    return history


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], []),
        ([(1.0, "ROTATING", 5.0)], []),
        ([(1.0, "ROTATING", 5.0), (8.0, "SETTING", 5.0)], [2.0]),
        ([(1.0, "SETTING", 5.0)], []),
        ([(1.0, None, 5.0), (8.0, "SETTING", 5.0)], []),
        # A ROTATE that had to be made again: what counts is the one before SET.
        ([(1.0, "ROTATING", 5.0), (20.0, "ROTATING", 5.0), (28.0, "SETTING", 5.0)], [3.0]),
        (
            [
                (1.0, "ROTATING", 5.0),
                (8.0, "SETTING", 5.0),
                (50.0, "ROTATING", 5.0),
                (56.0, "SETTING", 5.0),
            ],
            [2.0, 1.0],
        ),
    ],
)
def test_gaps(given: list[tuple[float, str | None, float]], expected: list[float]) -> None:
    assert gaps(changes(*given)) == expected


def test_a_timeline() -> None:
    slow = changes((11.0, "ROTATING", 40.0), (53.0, "SETTING", 10.0))
    quick = changes((1.0, "ROTATING", 2.0), (4.0, "SETTING", 2.0), (11.0, "ROTATING", 5.0), (20.0, "SETTING", 5.0))
    found = timeline([{"history": slow}, {"history": quick}], 10.0, 100.0)
    assert found == Timeline(gap_mean=3.0, gap_max=4.0, slowest_own=50.0, unauthenticated=0.0, changes=2)


def test_unauthenticated_access() -> None:
    first = changes((11.0, "ROTATING", 1.0), (15.0, "SETTING", 2.0), mode="rbac")
    second = changes((11.0, "ROTATING", 1.0), (13.0, "SETTING", 1.0), mode="rbac")
    assert timeline([{"history": first}, {"history": second}], 10.0, 100.0).unauthenticated == 5.0


def test_nothing_is_said_of_groups_that_begin_without_credentials() -> None:
    open_at_first = changes((11.0, None, 1.0), mode="open")
    assert timeline([{"history": open_at_first}], 10.0, 100.0).unauthenticated is None


def test_no_groups() -> None:
    assert timeline([], 0.0, 1.0) == Timeline(None, None, 0.0, None, 0)
