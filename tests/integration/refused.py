# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What is the same of each refusal of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from integration.direct import ModuleRun, mutating

if TYPE_CHECKING:
    from conftest import Emulator


def assert_refused(emulator: Emulator, ended: ModuleRun, message: str, before: list[str]) -> None:
    """It failed with just this message, changed nothing, and made no call that could."""
    assert ended.failed
    assert ended.returncode == 1
    assert not ended.changed
    assert "exception" not in ended.result, ended.output
    assert ended.msg == message
    assert mutating(emulator) == before
