# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The weather that the operations go through."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator.settings import VARIANTS

_DROPPED = range(3, 61, 3)
#: Those under trial besides the one that always is, where there are many.
MORE_GROUPS = ("carts", "orders")


@dataclass(frozen=True)
class Condition:
    """What is different from a calm day: the emulator's faults and variants, and how long a change takes (seconds).

    With a ``modify_sigma`` above 0 each change of a group has a duration of its own, with the median ``modify_seconds``
    and of ``modify_max_seconds`` at most; each kill point has other ones.
    """

    name: str
    faults: tuple[Mapping[str, Any], ...] = ()
    variants: Mapping[str, str] = field(default_factory=dict)
    modify_seconds: float = 0.05
    modify_sigma: float = 0.0
    modify_max_seconds: float = 86400.0
    more_groups: tuple[str, ...] = ()  #: further groups of the same batch that must arrive
    neighbour: bool = False  #: the change of another group of the same batch is held until the others were judged
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
        "heavy-tails": (
            Condition(
                "heavy-tails", modify_seconds=0.5, modify_sigma=1.0, modify_max_seconds=6.0, more_groups=MORE_GROUPS
            ),
        ),
        "create-failed": (Condition("create-failed", failed_group=True),),
        "neighbour": (Condition("neighbour", neighbour=True),),
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
    """The conditions of these names, in the order of ``CONDITIONS``. Raises ValueError for one that there is not.

    A name is one of ``CONDITIONS``, or of a single condition in it: ``controller-SIGHUP``, ``date-moves=start``.
    """
    wanted = set(names)
    found = [one for name in CONDITIONS for one in CONDITIONS[name] if wanted & {name, one.name}]
    unknown = sorted(wanted - set(CONDITIONS) - {one.name for one in found})
    if unknown:
        raise ValueError(f"no condition {', '.join(unknown)}; there are: {', '.join(CONDITIONS)}")
    return found
