# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The state of a Run Command, from what ListCommands says. Pure.

Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html (status and details).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Any

from .one_line import one_line

_UNDER_WAY = ("Pending", "InProgress", "Delayed", "Cancelling")
#: Instances that a message names.
_NAMED = 5


class CommandState(enum.Enum):
    """How far a command is."""

    IN_PROGRESS = "in progress"
    SUCCESS = "success"
    FAILED = "failed"


def state_of(command: Mapping[str, Any]) -> CommandState:
    """Return how far the command is. One that had no instance to run on has moved no client: it failed."""
    status = command.get("Status")
    if status in _UNDER_WAY:
        return CommandState.IN_PROGRESS
    return CommandState.SUCCESS if status == "Success" and command.get("TargetCount") else CommandState.FAILED


def words_of_command(command: Mapping[str, Any], invocations: Iterable[Mapping[str, Any]] = ()) -> str:
    """Return what Systems Manager says of a command: its state, and the instances that did not succeed.

    What a command printed is no part of it: there may be a token in that.
    """
    state = one_line(str(command.get("StatusDetails") or command.get("Status")), 60)
    wrong = [
        f"{one_line(str(entry.get('InstanceId')), 40)}: {one_line(str(entry.get('StatusDetails')), 40)}"
        for entry in invocations
        if entry.get("Status") != "Success"
    ]
    more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
    instances = f"; {', '.join(wrong[:_NAMED])}{more}" if wrong else ""
    return f"{state} ({command.get('CompletedCount', 0)} of {command.get('TargetCount', 0)} instances{instances})"
