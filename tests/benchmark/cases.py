# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What goes wrong on purpose: a neighbour whose change never ends, and answers that are dropped. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmark.figures import FAULTS, NEIGHBOUR, ROTATE_TOKEN, Scenario
from benchmark.operations import Group

NEIGHBOUR_GROUPS = 3
#: The share of calls that is throttled besides those that come too often.
THROTTLED = 0.2
#: Of the first calls that change something every tenth is dropped before it is carried out, and every tenth after it.
_DROPPED_BEFORE, _DROPPED_AFTER = range(10, 601, 10), range(5, 601, 10)

Faults = list[dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """What is different from a fleet to which nothing happens.

    ``faults``: those of the emulator, given the groups. ``stuck``: the last group can't arrive, and the command fails.
    ``timing``: settings of the emulator that are not the benchmark's own. ``soak`` in seconds, where it is not either.
    """

    scenario: Scenario
    faults: Callable[[Sequence[Group]], Faults]
    stuck: bool = False
    timing: Mapping[str, float] = field(default_factory=dict)
    soak: float | None = None


def _never_ends(groups: Sequence[Group]) -> Faults:
    return [{"kind": "never-ends", "action": "ModifyReplicationGroup", "id": groups[-1].id}]


def _dropped_and_throttled(_groups: Sequence[Group]) -> Faults:
    return [
        *({"kind": "drop", "mutating": True, "when": "before", "nth": number} for number in _DROPPED_BEFORE),
        *({"kind": "drop", "mutating": True, "when": "after", "nth": number} for number in _DROPPED_AFTER),
        {"kind": "throttle", "rate": THROTTLED},
    ]


CASES: Mapping[str, Case] = {
    case.scenario.case: case
    for case in (
        Case(
            Scenario("migrate_rbac_to_auth", regions=1, case=NEIGHBOUR),
            _never_ends,
            stuck=True,
            timing={"modify_seconds": 1.0},
            soak=5.0,
        ),
        Case(Scenario(ROTATE_TOKEN, regions=1, case=FAULTS), _dropped_and_throttled),
    )
}
