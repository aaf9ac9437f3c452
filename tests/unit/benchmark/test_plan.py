# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Which numbers of groups are measured, and what the command line refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import benchmark.__main__ as program
from benchmark.figures import Failure, Figures, Outcome, Scenario
from benchmark.timeline import Timeline
from benchmark.variants import VARIANTS

SETTINGS = program.Settings(5.0, 0.02, 2.0, 600.0)


def planned(
    monkeypatch: pytest.MonkeyPatch,
    variant: str,
    sizes: list[int],
    seconds: float,
    fails_at: int = 10**6,
    operation: str = "rotate_token",
) -> tuple[list[int], list[Outcome]]:
    """The numbers that are run where a group takes that many seconds, and all outcomes."""
    run: list[int] = []

    def run_once(variant: Any, number: int, settings: Any, scenario: Any) -> Outcome:
        run.append(number)
        if number >= fails_at:
            return Failure(variant.name, number, "it broke")
        return Figures(variant.name, number, number * seconds, number * 1.0, 1.0, {}, {}, 0.0, measured=(number,))

    monkeypatch.setattr(program, "run_once", run_once)
    return run, list(program.measure(VARIANTS[variant], sizes, SETTINGS, Scenario(operation)))


@pytest.mark.parametrize(
    ("variant", "sizes", "seconds", "expected"),
    [
        ("d", [10, 100, 1000], 0.1, [10, 100, 1000]),
        ("d", [1000], 0.1, [1000]),
        ("b", [10, 100, 1000], 4.0, [10, 100]),  # 150 would fit: not worth it
        ("c16", [10, 100, 1000], 2.0, [10, 100, 300]),
        ("c", [10, 100, 1000], 36.0, [10]),
        ("c", [10, 100, 1000], 10.0, [10, 60]),
        ("c", [1000], 36.0, [10]),
        ("c", [10, 100], 90.0, [10]),
    ],
)
def test_what_is_measured(
    monkeypatch: pytest.MonkeyPatch, variant: str, sizes: list[int], seconds: float, expected: list[int]
) -> None:
    run, outcomes = planned(monkeypatch, variant, sizes, seconds)
    assert run == expected
    found = {one.groups: one for one in outcomes}
    assert set(found) == {*sizes, *expected}
    for groups, one in found.items():
        assert isinstance(one, Figures)
        assert one.extrapolated == (groups not in expected)
        assert one.wall == pytest.approx(groups * seconds)


def test_other_operations_begin_with_few_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    run, outcomes = planned(monkeypatch, "a", [100, 1000], 5.0, operation="enable_tls")
    assert run == [10, 100]
    assert [one.groups for one in outcomes] == [10, 100, 1000]
    assert isinstance(outcomes[2], Figures)
    assert outcomes[2].extrapolated


def test_nothing_is_tried_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    run, outcomes = planned(monkeypatch, "a", [10, 100, 1000], 0.1, fails_at=100)
    assert run == [10, 100]
    assert [type(one) for one in outcomes] == [Figures, Failure, Failure]
    assert outcomes[2] == Failure("a", 1000, "not tried: it failed with 100 groups")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sizes", "ten"], "--sizes are numbers"),
        (["--sizes", "0"], "--sizes are from 1 to 9999"),
        (["--regions", "7"], "--regions is from 1 to 6"),
        (["--regions", "0"], "--regions is from 1 to 6"),
        (["--regions", "1,7"], "--regions is from 1 to 6"),
        (["--regions", "x"], "--regions are numbers"),
        (["--durations", "long"], "no durations long; there are: fixed, heavy-tailed"),
        (["--operations", "rotate"], "no operation rotate; there are: rotate_token, enable_auth, enable_tls,"),
        (["--operations", "enable_tls", "--variants", "b,d"], "the variants b, d can do nothing but rotate_token"),
        (["--soak", "-1"], "times are above zero"),
        (["--neighbour-timeout", "0"], "times are above zero"),
        (["--cases", "storm"], "no case storm; there are: fleet, neighbour, faults"),
        (["--fault-groups", "0"], "--fault-groups is from 1 to 9999"),
        (["--before", "/nowhere/before.json"], "--before /nowhere/before.json can't be read: FileNotFoundError"),
        (["--modify-sigma", "9"], "modify_sigma must be between 0 and 5"),
        (["--variants", "e"], "no variant e; there are: a, a2, b, c, c16, d"),
        (["--poll-seconds", "0"], "times are above zero"),
        (["--latency", "-1"], "times are above zero"),
    ],
)
def test_wrong_arguments(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_the_scenarios() -> None:
    asked = program.parse(["--regions", "1,3", "--durations", "fixed,heavy-tailed", "--modify-sigma", "0.5"])
    assert list(map(str, asked.scenarios)) == [
        "rotate_token, fixed, 1 region",
        "rotate_token, fixed, 3 regions",
        "rotate_token, heavy-tailed, 1 region",
        "rotate_token, heavy-tailed, 3 regions",
    ]
    assert asked.settings.timing("fixed") == {"modify_seconds": 5.0, "latency": 0.02}
    assert asked.settings.timing("heavy-tailed") == {
        "modify_seconds": 5.0,
        "latency": 0.02,
        "modify_sigma": 0.5,
        "modify_max_seconds": 120.0,
        "modify_seed": 0,
    }


def test_every_operation_is_a_scenario_of_its_own() -> None:
    asked = program.parse(["--operations", "enable_tls,rotate_token", "--regions", "1"])
    assert [(one.operation, one.regions) for one in asked.scenarios] == [("enable_tls", 1), ("rotate_token", 1)]


def test_the_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    run: list[tuple[str, int, str]] = []

    def run_once(variant: Any, number: int, settings: Any, scenario: Any) -> Outcome:
        run.append((variant.name, number, scenario.case))
        return Failure(variant.name, number, "not really", scenario)

    monkeypatch.setattr(program, "run_once", run_once)
    asked = program.parse(["--cases", "faults,neighbour", "--fault-groups", "7", "--variants", "d"])
    for scenario in asked.scenarios:
        list(program.measure_scenario(scenario, asked))
    assert run == [("a", 7, "faults"), ("a", 3, "neighbour")]
    assert [one.case for one in program.parse(["--cases", "neighbour,fleet"]).scenarios] == ["fleet", "neighbour"]


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    scenario = Scenario("enable_tls", regions=1, case="faults")
    written = Figures(
        *("a", 40, 30.5, 4.0, 1e8, {"x:Y": 80.0}, {}, 1.0),
        measured=(40,),
        scenario=scenario,
        timeline=Timeline(1.0, 2.0, 10.0, None, 2),
    )
    outcomes: list[Outcome] = [written, Failure("d", 40, "no"), Figures("a", 1, 1.0, 1.0, 1.0, {}, {}, 1.0)]
    file = tmp_path / "before.json"
    file.write_text(json.dumps(program.report(outcomes, [], SETTINGS, {})), "utf-8")
    assert program.parse(["--before", str(file)]).before == [outcomes[0], outcomes[2]]


@pytest.mark.parametrize("text", ["", "[]", '{"outcomes": [{"failed": false}]}', '{"outcomes": 1}'])
def test_what_is_no_report_is_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    file = tmp_path / "before.json"
    file.write_text(text, "utf-8")
    with pytest.raises(SystemExit) as ended:
        program.main(["--before", str(file)])
    assert ended.value.code == 2
    assert "can't be read" in capsys.readouterr().err
