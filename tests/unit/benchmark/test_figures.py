# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Extrapolation, counting and targets, without a measurement."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from benchmark.figures import (
    Failure,
    Figures,
    Outcome,
    Target,
    count_calls,
    extrapolate,
    largest_that_fits,
    targets,
)

MODIFY, DESCRIBE = "elasticache:ModifyReplicationGroup", "elasticache:DescribeReplicationGroups"


def figures(variant: str = "a", groups: int = 1000, **members: Any) -> Figures:
    """Figures that meet every target, unless ``members`` say otherwise."""
    given: dict[str, Any] = {
        "wall": 100.0,
        "cpu": 10.0,
        "memory": 200e6,
        "calls": {MODIFY: 2.0 * groups},
        "refused": {},
        "emulator_cpu": 5.0,
        "measured": (groups,),
    }
    return Figures(variant, groups, **{**given, **members})


def met(outcomes: list[Outcome]) -> dict[tuple[str, str], bool | None]:
    """Whether each target is met, by variant and what it is about."""
    return {(target.variant, target.what): target.met for target in targets(outcomes)}


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


GOOD: list[Outcome] = [
    figures("a", 100, wall=11.0, calls={MODIFY: 250.0}),
    figures("a", 1000, wall=100.0, cpu=10.0),
    figures("a2", 1000, wall=200.0, cpu=20.0),
    figures("b", 1000, wall=4000.0, cpu=3000.0, measured=(10,)),
    figures("d", 1000, wall=60.0, cpu=4.0),
]


class TestTargets:
    def test_all_met(self) -> None:
        found = met(GOOD)
        assert len(found) == 13
        assert set(found.values()) == {True}

    @pytest.mark.parametrize(
        ("variant", "member", "value", "missed"),
        [
            ("a", "wall", 121.0, {"wall time, times d's", "wall time grown since 100 groups, times"}),
            ("a", "cpu", 19.1, {"ms of CPU a group beyond d's"}),
            ("a", "calls", {MODIFY: 9001.0}, {"calls a group that AWS took", "calls grown since 100 groups, times"}),
            ("a", "refused", {MODIFY: 2001.0}, {"refusals a call, most throttled action"}),
            ("a", "memory", 401e6, {"peak memory, MB"}),
            ("a2", "wall", 361.0, {"wall time, times d's"}),
            ("a2", "memory", 401e6, {"peak memory, MB"}),
            ("b", "wall", 1999.0, {"wall time, times less than b's"}),
            ("b", "cpu", 299.0, {"CPU a group, times less than b's"}),
        ],
    )
    def test_each_can_be_missed(self, variant: str, member: str, value: Any, missed: set[str]) -> None:
        changed = [
            dataclasses.replace(one, **{member: value})
            if isinstance(one, Figures) and (one.variant, one.groups) == (variant, 1000)
            else one
            for one in GOOD
        ]
        about = "a2" if variant == "a2" else "a"
        assert {name for name, reached in met(changed).items() if reached is False} == {
            (about, what) for what in missed
        }

    def test_what_failed_is_not_measured(self) -> None:
        outcomes = [Failure("d", 1000, "no") if one.variant == "d" else one for one in GOOD]
        unknown = {name for name, reached in met(outcomes).items() if reached is None}
        assert unknown == {
            ("a", "wall time, times d's"),
            ("a2", "wall time, times d's"),
            ("a", "ms of CPU a group beyond d's"),
        }

    def test_the_variant_itself_failed(self) -> None:
        found = met([Failure("a", 1000, "no"), figures("d", 1000), figures("a", 100)])
        assert found
        assert set(found.values()) == {None}

    def test_an_extrapolation_is_marked(self) -> None:
        marked = {target.what for target in targets(GOOD) if target.extrapolated}
        assert marked == {"wall time, times less than b's", "CPU a group, times less than b's"}

    def test_at_the_largest_number_of_groups(self) -> None:
        assert {target.groups for target in targets([figures("a", 10), figures("a", 100), figures("d", 10)])} == {100}

    @pytest.mark.parametrize("outcomes", [[], [figures("c")], [figures("d"), figures("b")]])
    def test_none_without_the_collections_variants(self, outcomes: list[Outcome]) -> None:
        assert targets(outcomes) == []

    def test_at_the_limit_it_is_met(self) -> None:
        assert Target("a", 1, "x", 2.0, found=2.0).met
        assert Target("a", 1, "x", 2.0, at_least=True, found=2.0).met
        assert not Target("a", 1, "x", 2.0, at_least=True, found=1.9).met
