# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The weather that the journeys go through."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator.settings import VARIANTS

_DROPPED = range(3, 61, 3)


@dataclass(frozen=True)
class Condition:
    """What is different from a calm day: the emulator's faults and variants, and how long a change takes (seconds)."""

    name: str
    faults: tuple[Mapping[str, Any], ...] = ()
    variants: Mapping[str, str] = field(default_factory=dict)
    modify_seconds: float = 0.05
    failed_group: bool = False  #: another group of the same batch is ``create-failed``
    #: Sent to ansible-playbook's main process alone, in the place of a SIGKILL to it and all that it has started.
    controller: signal.Signals | None = None


def _conditions() -> dict[str, tuple[Condition, ...]]:
    drops = tuple({"kind": "drop", "mutating": True, "when": "after", "nth": number} for number in _DROPPED)
    stale = ({"kind": "stale-describe", "seconds": 0.5}, {"kind": "stale-modify-response"})
    return {
        "default": (Condition("default"),),
        "throttling": (Condition("throttling", ({"kind": "throttle", "rate": 0.5},)),),
        "drops": (Condition("drops", drops),),
        "stale": (Condition("stale", stale),),
        "slow": (Condition("slow", modify_seconds=5.0),),
        "create-failed": (Condition("create-failed", failed_group=True),),
        "controller": tuple(
            Condition(f"controller-{number.name}", controller=number)
            for number in (signal.SIGKILL, signal.SIGHUP, signal.SIGTERM)
        ),
        # The first value of each is the default, which all the others run with.
        "variants": tuple(
            Condition(f"{variant.name}={value}", variants={variant.name: value})
            for variant in VARIANTS.values()
            for value in variant.values[1:]
        ),
    }


CONDITIONS: Mapping[str, tuple[Condition, ...]] = _conditions()


def named(names: Iterable[str]) -> list[Condition]:
    """The conditions of these names, in the order of ``CONDITIONS``. Raises ValueError for one that there is not."""
    wanted = list(names)
    unknown = [name for name in wanted if name not in CONDITIONS]
    if unknown:
        raise ValueError(f"no condition {', '.join(unknown)}; there are: {', '.join(CONDITIONS)}")
    return [condition for name in CONDITIONS if name in wanted for condition in CONDITIONS[name]]
