# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What is wanted of the variants that are this collection's, and whether it was found. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import NamedTuple

from benchmark.cases import CASES
from benchmark.figures import (
    FAULTS,
    FIXED,
    FLEET,
    HEAVY_TAILED,
    NEIGHBOUR,
    ROTATE_TOKEN,
    Figures,
    Outcome,
    Scenario,
    Target,
)

#: Rotation, in the three scenarios that are always among the targets, measured or not.
ONE_REGION = Scenario(ROTATE_TOKEN, FIXED, 1)
ONE_REGION_HEAVY_TAILED = Scenario(ROTATE_TOKEN, HEAVY_TAILED, 1)
THREE_REGIONS = Scenario(ROTATE_TOKEN, FIXED, 3)
WALL_TIMES_FLOOR = {ONE_REGION: 1.10, ONE_REGION_HEAVY_TAILED: 1.05, THREE_REGIONS: 1.15}
#: Mean and most, in seconds.
GAPS = {ONE_REGION: (5.0, 10.0), ONE_REGION_HEAVY_TAILED: (5.5, 10.0)}
OWN_GROUPS, WALL_TIMES_OWN = 100, 1.10
WALL_TIMES_LESS = 20.0
CPU_BEYOND_FLOOR = 0.015
CPU_TIMES_LESS = 30.0
CALLS = 9.0
REFUSALS = 1.0
MEMORY = {"a": 250e6, "a2": 400e6}
#: Of the variant with one inventory host a group: times the floor's wall time, and seconds of CPU a host beyond a's.
HOSTS_WALL_TIMES_FLOOR, HOSTS_CPU_BEYOND = 1.5, 0.060
#: Seconds of CPU for each further group, by operation.
CPU_FURTHER = {"enable_tls": 0.060, "migrate_auth_to_rbac": 0.060, "migrate_rbac_to_auth": 0.060}
#: Beyond the group's own two changes, in seconds.
UNAUTHENTICATED_BEYOND = 2.0
FAULTS_TIMES_BEFORE, FAULTS_CHANGES = 0.7, 2
OURS = ("a", "a2")

#: What a target needs: figures by variant and number of groups, of its own scenario.
Get = Callable[[str, int], Figures]


class NotMeasured(Exception):
    """A figure that a target needs is not there."""


class Wanted(NamedTuple):
    """A target; ``found`` raises ``NotMeasured``, or returns None, where what it takes was not measured."""

    variant: str
    groups: int
    what: str
    limit: float
    found: Callable[[Get], float | None]
    at_least: bool = False


class _Measured:
    """The figures of one scenario, and whether one that was asked for is an extrapolation."""

    def __init__(self, outcomes: Iterable[Outcome]) -> None:
        self._figures = {(one.variant, one.groups): one for one in outcomes if isinstance(one, Figures)}
        self.extrapolated = False

    def get(self, variant: str, groups: int) -> Figures:
        """Raises ``NotMeasured``."""
        found = self._figures.get((variant, groups))
        if found is None:
            raise NotMeasured
        self.extrapolated = self.extrapolated or found.extrapolated
        return found


def targets(outcomes: Iterable[Outcome], before: Iterable[Figures] = ()) -> list[Target]:
    """What is wanted of the collection's variants, at the largest number of groups that there is an outcome for.

    ``before`` are the figures of an earlier program on the same machine. Empty where no such variant was tried.
    """
    outcomes = list(outcomes)
    if not any(one.variant in OURS for one in outcomes):
        return []
    most = max((one.groups for one in outcomes if one.scenario.case == FLEET), default=0)
    found: list[Target] = []
    tried = list(dict.fromkeys(one.scenario for one in outcomes))
    others = [
        next(
            (one for one in tried if (one.operation, one.durations, one.case) == (name, FIXED, FLEET)),
            Scenario(name, FIXED, 1),
        )
        for name in CPU_FURTHER
    ]
    for scenario in dict.fromkeys([*WALL_TIMES_FLOOR, *tried, *others]):
        inside = [one for one in outcomes if one.scenario == scenario]
        sizes = sorted({one.groups for one in inside})
        wanted = rotation(scenario, sizes, most, {one.variant for one in inside})
        if scenario.case != FLEET:
            continue
        if scenario.operation != ROTATE_TOKEN:
            wanted = [further(CPU_FURTHER[scenario.operation], sizes, most)] if scenario in others else []
        found += [_target(one, scenario, inside) for one in wanted]
    for case, of_case in ((NEIGHBOUR, beside_a_neighbour), (FAULTS, with_faults)):
        scenario = CASES[case].scenario
        inside = [one for one in outcomes if one.scenario == scenario]
        groups = inside[0].groups if inside else 0
        earlier = next((one for one in before if (one.scenario, one.groups) == (scenario, groups)), None)
        found += [_target(one, scenario, inside) for one in of_case(groups, earlier)]
    return found


def beside_a_neighbour(groups: int, _before: Figures | None) -> list[Wanted]:
    """What is wanted where the change of another group never ends."""

    def beyond(get: Get) -> float | None:
        found = get("a", groups).timeline
        if found is None or found.unauthenticated is None:
            return None
        return found.unauthenticated - found.slowest_own

    what = "s of unauthenticated access beyond the group's own changes"
    return [Wanted("a", groups, what, UNAUTHENTICATED_BEYOND, beyond)]


def with_faults(groups: int, before: Figures | None) -> list[Wanted]:
    """What is wanted where answers are dropped and calls are throttled."""

    def times(get: Get) -> float | None:
        return get("a", groups).wall / before.wall if before else None

    def changes(get: Get) -> float | None:
        found = get("a", groups).timeline
        return found.changes if found else None

    return [
        Wanted("a", groups, "wall time, times that of --before", FAULTS_TIMES_BEFORE, times),
        Wanted("a", groups, "modifies a group, most", FAULTS_CHANGES, changes),
    ]


def further(limit: float, sizes: list[int], most: int) -> Wanted:
    """What each group more may take, from the two largest numbers of groups."""

    def found(get: Get) -> float:
        if len(sizes) < 2:
            raise NotMeasured
        less, more = get("a", sizes[-2]), get("a", sizes[-1])
        return 1000 * (more.cpu - less.cpu) / (more.groups - less.groups)

    return Wanted("a", sizes[-1] if sizes else most, "ms of CPU for each further group", limit * 1000, found)


def _target(wanted: Wanted, scenario: Scenario, outcomes: Iterable[Outcome]) -> Target:
    target = Target(
        wanted.variant, wanted.groups, wanted.what, wanted.limit, at_least=wanted.at_least, scenario=scenario
    )
    measured = _Measured(outcomes)
    try:
        return dataclasses.replace(target, found=wanted.found(measured.get), extrapolated=measured.extrapolated)
    except NotMeasured:
        return target


def rotation(scenario: Scenario, sizes: list[int], most: int, tried: set[str]) -> list[Wanted]:
    """What is wanted of rotations; of a scenario that was not tried, what it is there for."""
    groups = sizes[-1] if sizes else most
    wanted: list[Wanted] = []

    def want(variant: str, what: str, limit: float, value: Callable[..., float | None], *others: str) -> None:
        """``value`` is of the variant's figures and those of the ``others``."""
        wanted.append(
            Wanted(
                variant,
                groups,
                what,
                limit,
                lambda get: value(get(variant, groups), *(get(one, groups) for one in others)),
                at_least="less than" in what,
            )
        )

    if scenario in GAPS:
        mean, longest = GAPS[scenario]
        want("a", "s from ROTATE done to SET, mean", mean, lambda mine: mine.timeline and mine.timeline.gap_mean)
        want("a", "s from ROTATE done to SET, most", longest, lambda mine: mine.timeline and mine.timeline.gap_max)
    if scenario in WALL_TIMES_FLOOR:
        times = WALL_TIMES_FLOOR[scenario]
        want("a", "wall time, times d's", times, lambda mine, other: mine.wall / other.wall, "d")
    if scenario == ONE_REGION_HEAVY_TAILED:
        wanted.append(
            Wanted(
                "a",
                OWN_GROUPS,
                "wall time, times the slowest group's own changes",
                WALL_TIMES_OWN,
                lambda get: get("a", OWN_GROUPS).wall_times_own,
            )
        )
    if scenario == THREE_REGIONS:
        want(
            "a2",
            "wall time, times d's",
            HOSTS_WALL_TIMES_FLOOR,
            lambda mine, other: mine.wall / other.wall,
            "d",
        )
        want(
            "a2",
            "ms of CPU a host beyond a's",
            HOSTS_CPU_BEYOND * 1000,
            lambda mine, other: (mine.cpu_a_group - other.cpu_a_group) * 1000,
            "a",
        )
    for variant in OURS:
        if variant in tried or (variant == "a" and scenario == THREE_REGIONS):
            want(variant, "calls a group that AWS took", CALLS, lambda mine: mine.calls_a_group)
            want(variant, "peak memory, MB", MEMORY[variant] / 1e6, lambda mine: mine.memory / 1e6)
        if variant in tried:
            want(variant, "refusals a call, most throttled action", REFUSALS, lambda mine: mine.worst_refused[1])
    if "a" in tried or scenario == THREE_REGIONS:
        want(
            "a",
            "ms of CPU a group beyond d's",
            CPU_BEYOND_FLOOR * 1000,
            lambda mine, other: (mine.cpu_a_group - other.cpu_a_group) * 1000,
            "d",
        )
    if "a" in tried:
        want("a", "wall time, times less than b's", WALL_TIMES_LESS, lambda mine, other: other.wall / mine.wall, "b")
        want(
            "a",
            "CPU a group, times less than b's",
            CPU_TIMES_LESS,
            lambda mine, other: other.cpu_a_group / mine.cpu_a_group,
            "b",
        )
        for smaller in sizes[-2:-1]:
            grown = groups / smaller
            since = f"grown since {smaller} groups, times"
            wanted += [
                Wanted(
                    *("a", groups, f"wall time {since}", grown),
                    lambda get, smaller=smaller: get("a", groups).wall / get("a", smaller).wall,  # type: ignore[misc]
                ),
                Wanted(
                    *("a", groups, f"calls {since}", grown),
                    lambda get, smaller=smaller: _total(get("a", groups)) / _total(get("a", smaller)),  # type: ignore[misc]
                ),
            ]
    return wanted


def _total(figures: Figures) -> float:
    return sum(figures.calls.values())
