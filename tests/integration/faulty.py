# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What is seen of changes where something goes wrong: how often they were carried out, and what is on record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from integration.scenes import GROUP

from ansible_collections.elasticache.auth.plugins.module_utils._auth import staleness

if TYPE_CHECKING:
    from conftest import Emulator

TAG = "elasticache.auth/record"
#: In place of the module's 20 seconds; what is stale here is so for less.
GRACE = 2.0


def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is stale be so for no longer than ``GRACE``."""
    monkeypatch.setattr(staleness, "GRACE", GRACE)


def carried_out(emulator: Emulator, group: str = GROUP) -> int:
    """How many changes the server itself has carried out on the group."""
    return sum(moment["cause"] == "ModifyReplicationGroup" for moment in emulator.group(group)["history"])


def record(emulator: Emulator, group: str = GROUP) -> str:
    """The record in the group's tags."""
    return str(emulator.group(group)["tags"].get(TAG, ""))
