# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Which targets there are, and when they are met, missed and not measured."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from unit.benchmark import made_up
from unit.benchmark.made_up import MODIFY

from benchmark.cases import CASES
from benchmark.figures import FAULTS, FLEET, NEIGHBOUR, Failure, Figures, Outcome, Scenario
from benchmark.targets import CPU_FURTHER, ONE_REGION, ONE_REGION_HEAVY_TAILED, THREE_REGIONS, targets
from benchmark.timeline import Timeline

Name = tuple[str, str, str]
FIXED_1, HEAVY_1, FIXED_3 = map(str, (ONE_REGION, ONE_REGION_HEAVY_TAILED, THREE_REGIONS))


def figures(variant: str, groups: int = 1000, scenario: Scenario = THREE_REGIONS, **members: Any) -> Figures:
    """Figures that meet every target, unless ``members`` say otherwise."""
    return made_up.figures(
        variant, groups, **{"scenario": scenario, "timeline": Timeline(4.0, 9.0, 95.0, 0.0, 2), **members}
    )


NEVER_ENDS, DROPPED = CASES[NEIGHBOUR].scenario, CASES[FAULTS].scenario
BEFORE = [figures("a", 40, DROPPED, wall=50.0), figures("a", 10, DROPPED, wall=1.0), figures("a", 40, wall=2.0)]
OPERATIONS = [Scenario(name) for name in CPU_FURTHER]
GOOD: list[Outcome] = [
    *(figures("a", 10, one, cpu=6.0) for one in OPERATIONS),
    *(figures("a", 100, one, cpu=11.0) for one in OPERATIONS),
    figures("a", 3, NEVER_ENDS, timeline=Timeline(1.0, 1.0, 2.0, 3.9, 2)),
    figures("a", 40, DROPPED, wall=30.0),
    figures("a", 100, wall=11.0, calls={MODIFY: 250.0}),
    figures("a"),
    figures("a2", wall=130.0, cpu=20.0),
    figures("b", wall=4000.0, cpu=3000.0, measured=(10,)),
    figures("d", wall=95.0, cpu=4.0),
    figures("a", scenario=ONE_REGION),
    figures("d", scenario=ONE_REGION, wall=95.0),
    figures("a", 100, scenario=ONE_REGION_HEAVY_TAILED),
    figures("a", scenario=ONE_REGION_HEAVY_TAILED),
    figures("d", scenario=ONE_REGION_HEAVY_TAILED, wall=96.0),
]


def met(outcomes: list[Outcome]) -> dict[Name, bool | None]:
    """Whether each target is met, by scenario, variant and what it is about."""
    return {(str(target.scenario), target.variant, target.what): target.met for target in targets(outcomes, BEFORE)}


def changed(variant: str, groups: int, scenario: Scenario, **members: Any) -> list[Outcome]:
    """The good outcomes with other members of one of them."""
    name = (variant, groups, scenario)
    assert name in [(one.variant, one.groups, one.scenario) for one in GOOD]
    return [
        dataclasses.replace(one, **members) if (one.variant, one.groups, one.scenario) == name else one for one in GOOD
    ]


def missed(outcomes: list[Outcome]) -> set[Name]:
    """The targets that are missed."""
    return {name for name, reached in met(outcomes).items() if reached is False}


def unknown(outcomes: list[Outcome]) -> set[Name]:
    """The targets that nothing was measured for."""
    return {name for name, reached in met(outcomes).items() if reached is None}


TIMES_B = {
    (scenario, "a", what)
    for scenario in (FIXED_1, HEAVY_1)
    for what in ("wall time, times less than b's", "CPU a group, times less than b's")
}


def test_all_met_but_for_the_variant_that_was_not_run() -> None:
    assert missed(GOOD) == set()
    assert unknown(GOOD) == TIMES_B


@pytest.mark.parametrize(
    ("variant", "groups", "scenario", "members", "expected"),
    [
        (
            *("a", 1000, THREE_REGIONS, {"wall": 110.5}),
            {"wall time, times d's", "wall time grown since 100 groups, times"},
        ),
        ("a", 1000, THREE_REGIONS, {"cpu": 19.1}, {"ms of CPU a group beyond d's"}),
        (
            *("a", 1000, THREE_REGIONS, {"calls": {MODIFY: 9001.0}}),
            {"calls a group that AWS took", "calls grown since 100 groups, times"},
        ),
        ("a", 1000, THREE_REGIONS, {"refused": {MODIFY: 2001.0}}, {"refusals a call, most throttled action"}),
        ("a", 1000, THREE_REGIONS, {"memory": 251e6}, {"peak memory, MB"}),
        ("a2", 1000, THREE_REGIONS, {"wall": 143.0}, {"wall time, times d's"}),
        ("a2", 1000, THREE_REGIONS, {"cpu": 71.0}, {"ms of CPU a host beyond a's"}),
        ("a2", 1000, THREE_REGIONS, {"memory": 401e6}, {"peak memory, MB"}),
        ("a", 1000, ONE_REGION, {"wall": 105.0}, {"wall time, times d's"}),
        (
            *("a", 1000, ONE_REGION, {"timeline": Timeline(5.1, 10.1, 95.0, 0.0, 2)}),
            {"s from ROTATE done to SET, mean", "s from ROTATE done to SET, most"},
        ),
        ("a", 1000, ONE_REGION_HEAVY_TAILED, {"timeline": Timeline(5.4, 9.0, 95.0, 0.0, 2)}, set()),
        (
            *("a", 1000, ONE_REGION_HEAVY_TAILED, {"timeline": Timeline(5.6, 9.0, 95.0, 0.0, 2)}),
            {"s from ROTATE done to SET, mean"},
        ),
        (
            *("a", 100, ONE_REGION_HEAVY_TAILED, {"wall": 105.0}),
            {"wall time, times the slowest group's own changes"},
        ),
        ("a", 1000, ONE_REGION_HEAVY_TAILED, {"wall": 101.0}, {"wall time, times d's"}),
        (
            *("a", 3, NEVER_ENDS, {"timeline": Timeline(1.0, 1.0, 2.0, 4.1, 2)}),
            {"s of unauthenticated access beyond the group's own changes"},
        ),
        ("a", 40, DROPPED, {"wall": 36.0}, {"wall time, times that of --before"}),
        ("a", 40, DROPPED, {"timeline": Timeline(1.0, 1.0, 2.0, 0.0, 3)}, {"modifies a group, most"}),
        *(("a", 100, one, {"cpu": 11.5}, {"ms of CPU for each further group"}) for one in OPERATIONS),
    ],
)
def test_each_can_be_missed(
    variant: str, groups: int, scenario: Scenario, members: dict[str, Any], expected: set[str]
) -> None:
    assert missed(changed(variant, groups, scenario, **members)) == {
        (str(scenario), variant, what) for what in expected
    }


@pytest.mark.parametrize(
    ("member", "value", "what"),
    [
        ("wall", 1999.0, "wall time, times less than b's"),
        ("cpu", 299.0, "CPU a group, times less than b's"),
    ],
)
def test_what_is_wanted_beside_b_can_be_missed(member: str, value: float, what: str) -> None:
    assert missed(changed("b", 1000, THREE_REGIONS, **{member: value})) == {(FIXED_3, "a", what)}


def test_what_failed_is_not_measured() -> None:
    outcomes = [
        Failure("d", 1000, "no") if (one.variant, one.scenario) == ("d", THREE_REGIONS) else one for one in GOOD
    ]
    assert unknown(outcomes) - TIMES_B == {
        (FIXED_3, "a", "wall time, times d's"),
        (FIXED_3, "a2", "wall time, times d's"),
        (FIXED_3, "a", "ms of CPU a group beyond d's"),
    }


def test_the_variant_itself_failed() -> None:
    found = met([Failure("a", 1000, "no"), figures("d"), figures("a", 100)])
    assert (FIXED_3, "a", "wall time, times d's") in found
    assert set(found.values()) == {None}


def test_the_scenarios_that_matter_are_named_although_not_measured() -> None:
    found = met([figures("a", scenario=Scenario(regions=2)), figures("d", scenario=Scenario(regions=2))])
    for scenario in (FIXED_1, HEAVY_1, FIXED_3):
        assert found[(scenario, "a", "wall time, times d's")] is None
    assert found[(FIXED_1, "a", "s from ROTATE done to SET, mean")] is None
    assert found[(FIXED_3, "a2", "ms of CPU a host beyond a's")] is None
    assert found[("enable_tls, fixed, 1 region", "a", "ms of CPU for each further group")] is None
    assert found[("rotate_token, fixed, 2 regions", "a", "calls a group that AWS took")] is True


def test_further_groups_need_two_sizes() -> None:
    found = met([figures("a", 100, Scenario("enable_tls", regions=2))])
    assert found[("enable_tls, fixed, 2 regions", "a", "ms of CPU for each further group")] is None


def test_without_an_earlier_run_nothing_is_said_of_its_wall_time() -> None:
    found = {target.what: target.met for target in targets(GOOD) if target.scenario == DROPPED}
    assert found == {"wall time, times that of --before": None, "modifies a group, most": True}


def test_a_case_alone() -> None:
    found = targets([figures("a", 3, NEVER_ENDS, timeline=Timeline(1.0, 1.0, 2.0, 3.0, 2))])
    assert {(target.what, target.groups) for target in found if target.met is not None} == {
        ("s of unauthenticated access beyond the group's own changes", 3)
    }
    assert {target.groups for target in found if target.met is None} == {0, 100}


def test_nothing_is_wanted_of_the_other_operations() -> None:
    other = Scenario("disable_access_control")
    assert str(other) not in {str(target.scenario) for target in targets([figures("a", scenario=other)])}


def test_an_extrapolation_is_marked() -> None:
    marked = {(str(target.scenario), target.what) for target in targets(GOOD) if target.extrapolated}
    assert marked == {
        (FIXED_3, "wall time, times less than b's"),
        (FIXED_3, "CPU a group, times less than b's"),
    }


def test_an_extrapolated_run_has_no_gap() -> None:
    outcomes = changed("a", 1000, ONE_REGION, timeline=None, measured=(10, 100))
    assert (FIXED_1, "a", "s from ROTATE done to SET, mean") in unknown(outcomes)


def test_at_the_largest_number_of_groups() -> None:
    found = targets([figures("a", 10), figures("a", 100), figures("d", 10)])
    assert {target.groups for target in found if target.scenario.case == FLEET} == {100}


@pytest.mark.parametrize("outcomes", [[], [figures("c")], [figures("d"), figures("b")]])
def test_none_without_the_collections_variants(outcomes: list[Outcome]) -> None:
    assert targets(outcomes) == []
