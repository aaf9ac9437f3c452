# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The lines at the end of a run: one below the other, with a sum, and nothing of others that moves the cursor."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._core.one_line import shown_line
from ansible_collections.elasticache.auth.plugins.module_utils._operation.report import (
    diff_for_role,
    failure_of,
    lines_of,
    sum_of,
)


def report(key: str, outcome: str = "changed", duration: float = 5.0, line: str = "") -> dict[str, Any]:
    line = line or f"{key}: token rotated ({duration:g} s)."
    return {"replication_group_id": key, "outcome": outcome, "duration": duration, "line": line}


@pytest.mark.parametrize(
    ("reports", "lines"),
    [
        ([], []),
        ([report("sessions")], ["sessions: token rotated (5 s)."]),
        (
            [report("sessions"), report("g2"), report("a-long-name")],
            [
                "sessions:    token rotated (5 s).",
                "g2:          token rotated (5 s).",
                "a-long-name: token rotated (5 s).",
            ],
        ),
        ([report("g2", line="eu-west-1: refused."), report("sessions")][:1], ["eu-west-1: refused."]),
    ],
)
def test_lines_are_aligned(reports: list[dict[str, Any]], lines: list[str]) -> None:
    assert lines_of(reports) == lines


@pytest.mark.parametrize(
    ("reports", "told"),
    [
        ([], ""),
        ([report("a")], ""),
        ([report("a"), report("b", duration=252.0)], "2 groups: 2 changed. Slowest: b, 4 min 12 s."),
        (
            [report("a"), report("b", "failed", 0.0), report("c"), report("d", "unchanged", 0.0)],
            "4 groups: 2 changed, 1 failed, 1 unchanged. Slowest: a, 5 s.",
        ),
        ([report("a", "unchanged", 0.1), report("b", "unchanged", 0.0)], "2 groups: 2 unchanged."),
        ([{**report("a"), "duration": None}, report("b", "under way", 0.0)], "2 groups: 1 changed, 1 under way."),
    ],
)
def test_the_sum(reports: list[dict[str, Any]], told: str) -> None:
    assert sum_of(reports) == told


def test_the_sum_of_plans() -> None:
    """Nothing has been changed, and how long it was planned for says nothing."""
    reports = [report("a"), report("b", "failed"), report("c"), report("d", "unchanged")]
    assert sum_of(reports, planned=True) == "4 groups: 2 to change, 1 failed, 1 unchanged."


def failed(key: str) -> dict[str, Any]:
    return {**report(key, "failed", line=f"{key}: no secret."), "failed": True}


@pytest.mark.parametrize(
    ("reports", "told"),
    [
        ([], ""),
        ([{**report("a"), "failed": False}], ""),
        ([failed("a")], "a: no secret."),
        ([{**report("a"), "failed": False}, failed("b")], "1 of 2 groups failed. b: no secret."),
        ([failed("b"), failed("a")], "2 of 2 groups failed: b, a. The lines above say why."),
        (
            [failed(key) for key in "abcdefg"],
            "7 of 7 groups failed: a, b, c, d, e and 2 more. The lines above say why.",
        ),
    ],
)
def test_why_a_host_fails(reports: list[dict[str, Any]], told: str) -> None:
    assert failure_of(reports) == told


def test_the_diff_of_a_role_names_its_variables_in_refusals_only() -> None:
    shown = "sessions\n  refused:       check auth_token_secret.name.\n   1. secretsmanager:Get(auth_token_secret.name)"
    assert diff_for_role({"prepared": shown}, "rotate_token") == {
        "prepared": shown.replace("check auth_token_secret.name", "check rotate_token_secret_name")
    }


def test_the_diff_of_calls_that_were_made_stays_as_it_is() -> None:
    made = {"before_header": "sessions", "before": "token: [********]\n", "after": "token: [********, ********]\n"}
    assert diff_for_role(made, "rotate_token") == made


def test_a_printed_line_keeps_its_columns_and_moves_no_cursor() -> None:
    assert shown_line("a:   b\x1b[2J\r\nc\u202e", 80) == "a:   b [2J  c "
    assert shown_line("x" * 100, 10) == "xxxxxxxxx…"
