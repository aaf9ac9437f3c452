# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The ansible-cores that tests run on: the environment's own, and the oldest that the collection supports.

They differ in what they take for a template: before 2.19 every text that isn't marked as unsafe, since then none that
isn't marked as trusted. So what holds on one may not hold on the other.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from chaos.command import REPOSITORY

#: Its packages are beside, and not in, the environment of the others, which are the same for both.
_OLDEST = REPOSITORY / ".cache/core-2.18"
OWN, OLDEST = "own", "2.18"
CORES = (OWN, OLDEST)


def programs(core: str) -> Path:
    """The folder of ansible-playbook and the like."""
    if core == OWN:
        return Path(sys.executable).parent
    if not (_OLDEST / "bin/ansible-playbook").exists():
        pytest.fail("ansible-core 2.18 is not there: make .cache/core-2.18/.installed")
    return _OLDEST / "bin"


def environment(core: str) -> dict[str, str]:
    """What the environment of its programs has besides."""
    if core == OWN:
        return {}
    path = os.pathsep.join((str(programs(core)), str(programs(OWN)), os.environ.get("PATH", os.defpath)))
    return {"PYTHONPATH": str(_OLDEST), "PATH": path}
