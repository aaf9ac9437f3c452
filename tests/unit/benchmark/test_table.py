# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What the tables say, as text."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table

from benchmark.figures import Failure, Figures, Outcome, Scenario, Target, extrapolate
from benchmark.table import calls_table, duration, figures_table, number, targets_table
from benchmark.timeline import Timeline

MODIFY = "elasticache:ModifyReplicationGroup"
MEASURED = Figures(
    *("b", 10, 40.0, 35.0, 123e6, {MODIFY: 20.0}, {MODIFY: 5.0}, 1.0),
    measured=(10,),
    timeline=Timeline(1.5, 12.3, 32.0, 0.0, 2),
)


def lines(table: Table) -> list[list[str]]:
    """The cells of each row, as a terminal without colours shows them."""
    console = Console(file=io.StringIO(), width=250)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    rows = [line for line in console.file.getvalue().splitlines() if "│" in line]
    return [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (99.94, "99.9 s"), (599, "599 s"), (601, "10 min"), (3600, "1 h 00 min"), (36610, "10 h 10 min")],
)
def test_duration(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(("value", "said"), [(0.123, "0.12"), (12.34, "12.3"), (1234.5, "1,234")])
def test_number(value: float, said: str) -> None:
    assert number(value) == said


def test_figures() -> None:
    outcomes: list[Outcome] = [MEASURED, extrapolate([MEASURED], 1000), Failure("c", 10, "why")]
    found = lines(figures_table(Scenario(), outcomes, {"b": "usual", "c": "shell"}, "PSS"))
    assert found == [
        [
            *("b) usual", "10", "40.0 s", "35.0", "3,500", "123", "2.00"),
            *("0.25 ModifyReplicationGroup", "1.50 / 12.3", "1.25", "0", "1.00", "arrived"),
        ],
        [
            *("", "1,000", "≈ 1 h 07 min", "≈ 3,500", "≈ 3,500", "≥ 123", "≈ 2.00"),
            *("≈ 0.25 ModifyReplicationGroup", "-", "-", "-", "≈ 100", "extrapolated from 10"),
        ],
        ["c) shell", "10", *["-"] * 10, "failed"],
    ]


def test_calls_are_those_that_were_measured() -> None:
    other = Figures("d", 10, 1, 1, 1, {"tagging:GetResources": 5.0}, {}, 1, measured=(10,))
    found = lines(calls_table([MEASURED, extrapolate([MEASURED], 1000), other, Failure("c", 10, "why")]))
    assert found == [
        [MODIFY, "2.00 (+0.50)", "-"],
        ["tagging:GetResources", "-", "0.50"],
        ["All", "2.00 (+0.50)", "0.50"],
    ]


def test_targets() -> None:
    found = lines(
        targets_table(
            [
                Target("a", 1000, "wall", 2.0, found=1.5),
                Target("a", 1000, "cpu", 30.0, at_least=True, found=12.0, extrapolated=True),
                Target("a", 1000, "calls", 9.0, scenario=Scenario(regions=1)),
            ]
        )
    )
    assert found == [
        ["rotate_token, fixed, 3 regions", "a", "1,000", "wall", "≤ 2", "1.50", "met"],
        ["", "a", "1,000", "cpu", "≥ 30", "≈ 12.0", "missed"],
        ["rotate_token, fixed, 1 region", "a", "1,000", "calls", "≤ 9", "-", "not measured"],
    ]
