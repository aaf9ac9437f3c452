# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""How far a Run Command is."""

from __future__ import annotations

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._core.run_command import (
    CommandState,
    state_of,
    words_of_command,
)

UNDER_WAY, SUCCESS, FAILED = CommandState.IN_PROGRESS, CommandState.SUCCESS, CommandState.FAILED


@pytest.mark.parametrize(
    ("status", "targets", "state"),
    [
        ("Pending", 0, UNDER_WAY),
        ("InProgress", 2, UNDER_WAY),
        ("Delayed", 2, UNDER_WAY),
        ("Cancelling", 2, UNDER_WAY),
        ("Success", 2, SUCCESS),
        ("Success", 0, FAILED),  # there was no instance
        ("Failed", 2, FAILED),
        ("TimedOut", 2, FAILED),
        ("Cancelled", 2, FAILED),
        ("a status to come", 2, FAILED),
    ],
)
def test_state(status: str, targets: int, state: CommandState) -> None:
    assert state_of({"Status": status, "TargetCount": targets}) is state


def test_words() -> None:
    command = {"Status": "Failed", "StatusDetails": "Failed", "CompletedCount": 8, "TargetCount": 8}
    failed = [{"InstanceId": f"i-{n}", "Status": "Failed", "StatusDetails": "Execution\nTimedOut"} for n in range(7)]
    fine = {"InstanceId": "i-9", "Status": "Success", "StatusDetails": "Success", "Output": "a token"}
    assert words_of_command(command, [fine, *failed]) == (
        "Failed (8 of 8 instances; i-0: Execution TimedOut, i-1: Execution TimedOut, i-2: Execution TimedOut, "
        "i-3: Execution TimedOut, i-4: Execution TimedOut and 2 more)"
    )
    assert words_of_command({"Status": "Success", "StatusDetails": "NoInstancesInTag"}) == (
        "NoInstancesInTag (0 of 0 instances)"
    )
