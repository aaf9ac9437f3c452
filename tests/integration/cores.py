# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The ansible-cores that tests run on: the environment's own, and the oldest that the collection supports.

They differ in what they take for a template: before 2.19 every text that isn't marked as unsafe, since then none that
isn't marked as trusted. So what holds on one may not hold on the other.

In the place of the environment's own, ``make matrix`` has a test run on one combination of supported versions: it names
a file that tells where that is (:class:`Combination`).
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from chaos.command import REPOSITORY
from matrix.versions import oldest_core

#: Its packages are beside, and not in, the environment of the others, which are the same for both.
OWN, OLDEST = "own", oldest_core()
_OLDEST = REPOSITORY / f".cache/core-{OLDEST}"
CORES = (OWN, OLDEST)
#: The environment variable that names the file.
COMBINATION = "MATRIX_COMBINATION"


@dataclass(frozen=True)
class Combination:
    """The folder of ansible-playbook, the modules' Python, and what the environment of programs has besides."""

    programs: str
    modules: str
    environment: Mapping[str, str]


@functools.cache
def combination() -> Combination | None:
    """What the environment's own is replaced by; None where it is not."""
    file = os.environ.get(COMBINATION)
    return Combination(**json.loads(Path(file).read_text("utf-8"))) if file else None


def programs(core: str) -> Path:
    """The folder of ansible-playbook and the like."""
    if core == OWN:
        chosen = combination()
        return Path(chosen.programs) if chosen else Path(sys.executable).parent
    if not (_OLDEST / "bin/ansible-playbook").exists():
        pytest.fail(f"ansible-core {OLDEST} is not there: make {_OLDEST.relative_to(REPOSITORY)}/.installed")
    return _OLDEST / "bin"


def modules_python() -> str:
    """The Python that the modules run with."""
    chosen = combination()
    return chosen.modules if chosen else sys.executable


def environment(core: str) -> dict[str, str]:
    """What the environment of its programs has besides."""
    if core == OWN:
        chosen = combination()
        return dict(chosen.environment) if chosen else {}
    path = os.pathsep.join((str(programs(core)), str(programs(OWN)), os.environ.get("PATH", os.defpath)))
    return {"PYTHONPATH": str(_OLDEST), "PATH": path}
