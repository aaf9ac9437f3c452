# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Extrapolation and counting, without a measurement."""

from __future__ import annotations

import pytest
from unit.benchmark.made_up import MODIFY, figures

from benchmark.figures import (
    Scenario,
    Target,
    count_calls,
    extrapolate,
    largest_that_fits,
)
from benchmark.timeline import Timeline

DESCRIBE = "elasticache:DescribeReplicationGroups"


class TestExtrapolation:
    def test_one_point_is_taken_in_proportion(self) -> None:
        found = extrapolate(
            [figures(groups=10, wall=30.0, cpu=5.0, calls={MODIFY: 20.0}, refused={MODIFY: 4.0}, memory=7.0)], 1000
        )
        assert (found.groups, found.wall, found.cpu, found.emulator_cpu) == (1000, 3000.0, 500.0, 500.0)
        assert (found.calls, found.refused) == ({MODIFY: 2000.0}, {MODIFY: 400.0})
        assert found.memory == 7.0
        assert found.extrapolated
        assert found.measured == (10,)

    def test_two_points_make_a_line(self) -> None:
        small = figures(groups=10, wall=20.0, cpu=5.0, calls={DESCRIBE: 10.0})
        large = figures(groups=110, wall=120.0, cpu=15.0, calls={DESCRIBE: 110.0, MODIFY: 100.0})
        found = extrapolate([small, large], 1110)
        assert (found.wall, found.cpu) == (1120.0, 115.0)
        assert found.calls == {DESCRIBE: 1110.0, MODIFY: 1100.0}
        assert found.measured == (10, 110)

    def test_only_the_last_two_count(self) -> None:
        points = [figures(groups=1, wall=1000.0), figures(groups=10, wall=20.0), figures(groups=20, wall=30.0)]
        assert extrapolate(points, 30).wall == 40.0

    def test_more_groups_never_take_less(self) -> None:
        assert extrapolate([figures(groups=10, wall=50.0), figures(groups=20, wall=40.0)], 1000).wall == 40.0

    def test_what_was_measured_is_no_extrapolation(self) -> None:
        assert not figures().extrapolated

    @pytest.mark.parametrize(
        ("walls", "limit", "expected"),
        [
            ({10: 30.0}, 600, 200),
            ({10: 20.0, 110: 120.0}, 600, 590),
            ({10: 20.0, 110: 20.0}, 600, 10**9),
            ({10: 900.0}, 600, 6),
            ({10: 20.0, 110: 5000.0}, 100, 11),
        ],
    )
    def test_the_largest_that_fits(self, walls: dict[int, float], limit: float, expected: int) -> None:
        points = [figures(groups=groups, wall=wall) for groups, wall in walls.items()]
        assert largest_that_fits(points, limit) == expected


def test_calls_are_counted_and_throttled_ones_apart() -> None:
    calls: list[dict[str, object]] = [
        {"service": "elasticache", "action": "ModifyReplicationGroup", "fault": None, "code": None},
        {"service": "elasticache", "action": "ModifyReplicationGroup", "fault": "throttle", "code": "Throttling"},
        {"service": "elasticache", "action": "ModifyReplicationGroup", "fault": None, "code": "InvalidParameterValue"},
        {"service": "tagging", "action": "GetResources", "fault": "throttle", "code": "ThrottledException"},
    ]
    assert count_calls(calls) == ({MODIFY: 2}, {MODIFY: 1, "tagging:GetResources": 1})


def test_by_group() -> None:
    one = figures(groups=100, cpu=2.0, calls={MODIFY: 200.0, DESCRIBE: 50.0}, refused={MODIFY: 100.0, DESCRIBE: 40.0})
    assert one.cpu_a_group == 0.02
    assert one.calls_a_group == 2.5
    assert one.worst_refused == (DESCRIBE, 0.8)
    assert figures().worst_refused == ("", 0.0)
    assert figures(calls={}, refused={MODIFY: 3.0}).worst_refused == (MODIFY, 3.0)  # never taken at all


def test_the_wall_time_is_compared_with_the_slowest_groups_own_changes() -> None:
    assert figures(wall=110.0, timeline=Timeline(1.0, 2.0, 100.0, 0.0, 2)).wall_times_own == 1.1
    assert figures(wall=110.0, timeline=Timeline(None, None, 0.0, None, 0)).wall_times_own is None
    assert figures().wall_times_own is None


def test_an_extrapolation_has_no_timeline() -> None:
    assert extrapolate([figures(groups=10, timeline=Timeline(1.0, 2.0, 100.0, 0.0, 2))], 100).timeline is None


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        (Scenario(), "rotate_token, fixed, 3 regions"),
        (Scenario("enable_tls", "heavy-tailed", 1), "enable_tls, heavy-tailed, 1 region"),
    ],
)
def test_a_scenarios_name(scenario: Scenario, said: str) -> None:
    assert str(scenario) == said


def test_at_the_limit_a_target_is_met() -> None:
    assert Target("a", 1, "x", 2.0, found=2.0).met
    assert Target("a", 1, "x", 2.0, at_least=True, found=2.0).met
    assert not Target("a", 1, "x", 2.0, at_least=True, found=1.9).met
    assert Target("a", 1, "x", 2.0).met is None
