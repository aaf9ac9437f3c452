# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What was measured, what follows from it for more groups, and whether that is good enough. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

#: The targets of the variants that are this collection's.
WALL_TIMES_FLOOR = {"a": 2.0, "a2": 6.0}
WALL_TIMES_LESS = 20.0
CPU_BEYOND_FLOOR = 0.015
CPU_TIMES_LESS = 30.0
CALLS = 9.0
REFUSALS = 1.0
MEMORY = 400e6


@dataclass(frozen=True)
class Figures:
    """One variant with one number of groups, all arrived; seconds, bytes, numbers of calls in all.

    ``calls`` by ``service:action`` are those that AWS took, ``refused`` those that it throttled. ``measured`` is the
    number of groups that the figures were measured with: not ``groups`` where they are an extrapolation.
    """

    variant: str
    groups: int
    wall: float
    cpu: float
    memory: float
    calls: Mapping[str, float]
    refused: Mapping[str, float]
    emulator_cpu: float
    measured: tuple[int, ...] = ()

    @property
    def extrapolated(self) -> bool:
        """Whether nobody has measured it."""
        return self.groups not in self.measured

    @property
    def cpu_a_group(self) -> float:
        """Seconds of CPU a group."""
        return self.cpu / self.groups

    @property
    def calls_a_group(self) -> float:
        """Calls a group that AWS took."""
        return sum(self.calls.values()) / self.groups

    @property
    def worst_refused(self) -> tuple[str, float]:
        """The action that was throttled most, and how often on average before it was taken once."""
        shares = {action: number / max(self.calls.get(action, 0), 1) for action, number in self.refused.items()}
        return max(shares.items(), key=lambda item: item[1], default=("", 0.0))


@dataclass(frozen=True)
class Failure:
    """A variant that did not arrive: there are no figures of it, whatever it took."""

    variant: str
    groups: int
    why: str


Outcome = Figures | Failure


def _line(points: Sequence[tuple[int, float]], groups: int) -> float:
    """A straight line through the last two points, or through the last one and nothing at no groups."""
    (count, value) = points[-1]
    slope = value / count
    if len(points) > 1:
        earlier, before = points[-2]
        slope = (value - before) / (count - earlier)
    return value + max(slope, 0.0) * (groups - count)


def extrapolate(measured: Sequence[Figures], groups: int) -> Figures:
    """The figures for ``groups``, by a straight line in the number of groups.

    It goes through the two largest that were measured, in ascending order, or through one and the origin. Memory is not
    extrapolated: it is that of the largest, which is what it takes at least.
    """
    last = measured[-1]
    known = measured[-2:]

    def line(value: Callable[[Figures], float]) -> float:
        return _line([(one.groups, value(one)) for one in known], groups)

    def lines(value: Callable[[Figures], Mapping[str, float]]) -> dict[str, float]:
        return {key: line(lambda one, key=key: value(one).get(key, 0.0)) for key in value(last)}  # type: ignore[misc]

    return dataclasses.replace(
        last,
        groups=groups,
        wall=line(lambda one: one.wall),
        cpu=line(lambda one: one.cpu),
        calls=lines(lambda one: one.calls),
        refused=lines(lambda one: one.refused),
        emulator_cpu=line(lambda one: one.emulator_cpu),
        measured=tuple(one.groups for one in known),
    )


def largest_that_fits(measured: Sequence[Figures], limit: float) -> int:
    """The number of groups that takes ``limit`` seconds, as far as ``measured`` (ascending) can say."""
    last = measured[-1]
    grown = extrapolate(measured, last.groups * 2)
    slope = (grown.wall - last.wall) / last.groups
    if slope <= 0:
        return 10**9
    return max(int(last.groups + (limit - last.wall) / slope), 0)


def count_calls(calls: Iterable[Mapping[str, object]]) -> tuple[dict[str, float], dict[str, float]]:
    """Those of the emulator's calls that AWS took, and those that it throttled, by ``service:action``."""
    taken: dict[str, float] = {}
    refused: dict[str, float] = {}
    for call in calls:
        counted = refused if call["fault"] == "throttle" else taken
        name = f"{call['service']}:{call['action']}"
        counted[name] = counted.get(name, 0) + 1
    return taken, refused


@dataclass(frozen=True)
class Target:
    """Something to reach; ``found`` and ``met`` are None where what it takes to say so was not measured, or failed.

    ``extrapolated``: a figure that went into it is.
    """

    variant: str
    groups: int
    what: str
    limit: float
    at_least: bool = False  #: ``limit`` is the least that is good, otherwise the most
    found: float | None = None
    extrapolated: bool = False

    @property
    def met(self) -> bool | None:
        """Whether it is reached."""
        if self.found is None:
            return None
        return self.found >= self.limit if self.at_least else self.found <= self.limit


def targets(outcomes: Iterable[Outcome]) -> list[Target]:
    """What is wanted of the collection's variants, at the largest number of groups that there is an outcome for."""
    outcomes = list(outcomes)
    figures = {(one.variant, one.groups): one for one in outcomes if isinstance(one, Figures)}
    sizes = sorted({one.groups for one in outcomes})
    tried = {one.variant for one in outcomes}
    most = sizes[-1] if sizes else 0
    wanted: list[Target] = []

    def want(variant: str, what: str, limit: float, value: Callable[..., float], *others: Figures | None) -> None:
        """``value`` is of the variant's figures and those of ``others``, if there are all of them."""
        target = Target(variant, most, what, limit, at_least="less than" in what)
        known = [one for one in (figures.get((variant, most)), *others) if one is not None]
        if len(known) == len(others) + 1:
            extrapolated = any(one.extrapolated for one in known)
            target = dataclasses.replace(target, found=value(*known), extrapolated=extrapolated)
        wanted.append(target)

    floor, usual = figures.get(("d", most)), figures.get(("b", most))
    for variant, times in WALL_TIMES_FLOOR.items():
        if variant not in tried:
            continue
        want(variant, "wall time, times d's", times, lambda mine, other: mine.wall / other.wall, floor)
        want(variant, "calls a group that AWS took", CALLS, lambda mine: mine.calls_a_group)
        want(variant, "refusals a call, most throttled action", REFUSALS, lambda mine: mine.worst_refused[1])
        want(variant, "peak memory, MB", MEMORY / 1e6, lambda mine: mine.memory / 1e6)
    if "a" in tried:
        want("a", "wall time, times less than b's", WALL_TIMES_LESS, lambda mine, other: other.wall / mine.wall, usual)
        want(
            "a",
            "ms of CPU a group beyond d's",
            CPU_BEYOND_FLOOR * 1000,
            lambda mine, other: (mine.cpu_a_group - other.cpu_a_group) * 1000,
            floor,
        )
        want(
            "a",
            "CPU a group, times less than b's",
            CPU_TIMES_LESS,
            lambda mine, other: other.cpu_a_group / mine.cpu_a_group,
            usual,
        )
        for smaller in sizes[-2:-1]:
            before = figures.get(("a", smaller))
            times = most / smaller
            since = f"grown since {smaller} groups, times"
            want("a", f"wall time {since}", times, lambda mine, other: mine.wall / other.wall, before)
            want("a", f"calls {since}", times, lambda mine, other: _total(mine) / _total(other), before)
    return wanted


def _total(figures: Figures) -> float:
    return sum(figures.calls.values())
