# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""How a test waits: for a condition. The time limit only ends what would never end; it is no measure of anything."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

#: Seconds. Much longer than anything takes on a busy machine.
PATIENCE = 240.0


def wait_until(condition: Callable[[], object], what: str, *, seconds: float = PATIENCE) -> None:
    """Wait until ``condition`` is true; fails the test with ``what`` was waited for after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not so after {seconds:.0f} seconds: {what}")
        time.sleep(0.02)
