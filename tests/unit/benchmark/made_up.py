# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Figures that nobody measured."""

from __future__ import annotations

from typing import Any

from benchmark.figures import Figures

MODIFY = "elasticache:ModifyReplicationGroup"


def figures(variant: str = "a", groups: int = 1000, **members: Any) -> Figures:
    """Some figures, with ``members`` as they say."""
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
