# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A time limit that ends when a test says so: once something was seen, and not by the clock.

A group whose change never ends, beside others that have to arrive, however slow the machine is::

    emulator.faults({"kind": "never-ends", "id": "slow"})
    time_is_up(monkeypatch, lambda: seen_to_arrive(emulator, others, have_arrived))
    ended = run(emulator, "auth_operation", {"wait_timeout": PATIENCE, ...})
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ansible_collections.elasticache.auth.plugins.module_utils._aws import sweep, waiting

if TYPE_CHECKING:
    import pytest
    from conftest import Emulator

#: More than any wait_timeout, seconds.
_LATER = 7 * 86400.0


class _Clock:
    """The module ``time``, that much later once it ``is_up``."""

    def __init__(self, is_up: Callable[[], object]) -> None:
        self._is_up = is_up
        self._later = 0.0

    def monotonic(self) -> float:
        """Seconds, as those of the module ``time``."""
        now = time.monotonic()  # before the question: what is asked about has been seen by then
        if not self._later and self._is_up():
            self._later = _LATER
        return now + self._later

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


def time_is_up(monkeypatch: pytest.MonkeyPatch, when: Callable[[], object]) -> None:
    """Let the ``wait_timeout`` of all that is waited for in this process be over once ``when`` is true.

    ``when`` must not be true before the wait that is to end has begun, which then would last as long as it may.
    """
    clock = _Clock(when)
    for module in (sweep, waiting):
        monkeypatch.setattr(module, "time", clock)


def seen_since(emulator: Emulator, group: str, moment: float) -> bool:
    """Whether a look at the group, or at all groups, was begun after that time (Unix seconds) and has been answered."""
    looks = emulator.calls(action="DescribeReplicationGroups", since=moment)
    return any(look["id"] in (None, group) for look in looks)


def seen_to_arrive(emulator: Emulator, groups: Iterable[str], arrived: Callable[[str], bool]) -> bool:
    """Whether each of the groups has ``arrived``, and was looked at after that."""
    return all(
        arrived(group) and seen_since(emulator, group, emulator.group(group)["history"][-1]["time"]) for group in groups
    )
