# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What was measured, what follows from it for more groups, and whether that is good enough. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmark.timeline import Timeline

#: How the durations of the groups' changes are: all the same, or drawn for each (the emulator's README says how).
FIXED, HEAVY_TAILED = "fixed", "heavy-tailed"
ROTATE_TOKEN = "rotate_token"
#: What happens to the groups meanwhile: nothing, or what ``cases.py`` says.
FLEET, NEIGHBOUR, FAULTS = "fleet", "neighbour", "faults"
_CASE_WORDS = {FLEET: "", NEIGHBOUR: ", a neighbour never ends", FAULTS: ", dropped answers and throttling"}


@dataclass(frozen=True, order=True)
class Scenario:
    """What variants are compared in: what is done to groups in how many regions, and how long changes last there."""

    operation: str = ROTATE_TOKEN
    durations: str = FIXED
    regions: int = 3
    case: str = FLEET

    def __str__(self) -> str:
        regions = f"{self.regions} region{'s' * (self.regions != 1)}"
        return f"{self.operation}, {self.durations}, {regions}{_CASE_WORDS[self.case]}"


@dataclass(frozen=True)
class Figures:
    """One variant with one number of groups, all arrived; seconds, bytes, numbers of calls in all.

    ``calls`` by ``service:action`` are those that AWS took, ``refused`` those that it throttled. ``measured`` is the
    number of groups that the figures were measured with: not ``groups`` where they are an extrapolation. ``timeline``
    is not extrapolated.
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
    scenario: Scenario = Scenario()
    timeline: Timeline | None = None

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
    def wall_times_own(self) -> float | None:
        """The wall time as a multiple of the slowest group's own changes."""
        return self.wall / self.timeline.slowest_own if self.timeline and self.timeline.slowest_own else None

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
    scenario: Scenario = Scenario()


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
    extrapolated: it is that of the largest, which is what it takes at least. There is no timeline.
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
        timeline=None,
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

    ``extrapolated``: a figure that went into it is. ``groups`` is 0 where nothing was measured that would say how many.
    """

    variant: str
    groups: int
    what: str
    limit: float
    at_least: bool = False  #: ``limit`` is the least that is good, otherwise the most
    found: float | None = None
    extrapolated: bool = False
    scenario: Scenario = Scenario()

    @property
    def met(self) -> bool | None:
        """Whether it is reached."""
        if self.found is None:
            return None
        return self.found >= self.limit if self.at_least else self.found <= self.limit
