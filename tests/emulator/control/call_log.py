# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Every API call that came in; of those that change something what they ask for, without tokens and passwords."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

#: What an action that changes nothing begins with (STS's AssumeRole hands out credentials, but changes no resource).
_READING = ("Describe", "List", "Get", "BatchGet", "Assume", "Decode", "Validate", "Lookup", "Filter", "Query", "Scan")


def is_mutating(action: str) -> bool:
    """Whether the action changes anything."""
    return not action.startswith(_READING)


@dataclass(frozen=True)
class Call:
    """One call: when it came (seconds since the epoch), what it asked of which resource, and how it was answered."""

    number: int
    time: float
    seconds: float
    service: str
    action: str
    region: str
    account: str
    id: str | None
    code: str | None  #: the error's code; None where it succeeded
    status: int  #: the HTTP status; 0 where the connection was dropped
    fault: str | None  #: the kind of the fault that struck it
    members: Mapping[str, str] = field(default_factory=dict)  #: by their names in the query protocol

    @property
    def mutating(self) -> bool:
        """Whether the action changes anything."""
        return is_mutating(self.action)


class CallLog:
    """The calls since the start or the last reset."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._number = 0
        self._forgotten = 0  #: calls up to this number came in before the last reset

    def next_number(self) -> int:
        """The number of a call that comes in now."""
        with self._lock:
            self._number += 1
            return self._number

    def add(self, call: Call) -> None:
        """Write a call down once it is answered, or stands still; not one from before the last ``clear``."""
        with self._lock:
            if call.number > self._forgotten:
                self._calls.append(call)

    def calls(self) -> list[Call]:
        """All, in the order in which they came in."""
        with self._lock:
            return sorted(self._calls, key=lambda call: call.number)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._calls.clear()
            self._forgotten = self._number
