# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A rotation by auth_operation, also in a process of its own, where it is killed at a call or interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import fork, start
from integration.role_scenes import KEY, secret_name
from waiting import PATIENCE

if TYPE_CHECKING:
    from conftest import Emulator

#: The calls of a rotation that change something: three records, two changes, one token stored, its labels moved twice.
CALLS = 8
_POINTS = 8


def rotation(emulator: Emulator, **more: Any) -> dict[str, Any]:
    """The module's options for a rotation that wastes no time; which groups is said in ``more``."""
    return {
        "operation": "rotate_token",
        "auth_token_secret": {"name": secret_name("{replication_group_id}"), "key": KEY},
        "data_plane_ca_path": emulator.ca_bundle,
        "wait_delay": 0.1,
        "wait_timeout": 240,
        "soak": 0,
        "max_changes_per_second": 1000,
        **more,
    }


def points(groups: int) -> list[Any]:
    """Cases for :func:`kill_at`: before and after calls in turn, over all of a rotation of so many groups."""
    numbers = range(2, groups * CALLS, groups * CALLS // _POINTS)
    turns = [(number, ("before", "after")[turn % 2]) for turn, number in enumerate(numbers)]
    return [pytest.param(number, when, id=f"{when}-{number}") for number, when in turns]


def kill_at(emulator: Emulator, args: Mapping[str, Any], number: int, when: str) -> None:
    """Run it, and kill it where that call that changes something stands still; its other threads go on meanwhile."""
    emulator.faults({"kind": "halt", "mutating": True, "nth": number, "when": when})
    process = fork(emulator, "auth_operation", args)
    deadline = time.monotonic() + PATIENCE
    while not any(one["struck"] for one in emulator.faults()):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    emulator.clear_faults()


def ends_soon(
    emulator: Emulator,
    args: Mapping[str, Any],
    groups: int,
    interrupt: Callable[[subprocess.Popen[str]], None],
) -> None:
    """Run it, ``interrupt`` it while it waits for the changes of all groups, and see that it ends and calls no more."""
    emulator.hold()
    process = start(emulator, "auth_operation", {**args, "wait_timeout": 86400})
    try:
        emulator.wait_held(action="ModifyReplicationGroup", count=groups, timeout=PATIENCE)
        interrupt(process)
        assert process.wait(PATIENCE) != 0
    finally:
        process.kill()
    calls = len(emulator.calls(mutating="true"))
    emulator.release()
    time.sleep(1)
    assert len(emulator.calls(mutating="true")) == calls
