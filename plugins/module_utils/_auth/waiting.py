# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Wait until groups have settled, as a module of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._aws import records
from .._aws.clients import Clients
from .._aws.groups import Group, require_all
from .._aws.waiting import Lack, Waited, settled, wait_for
from .._core.errors import AuthError
from .outcome import Outcome, Progress
from .staleness import GRACE, outlast, written


@dataclass
class Wait(Progress):
    """The wait for one group; ``pending`` is what it still lacked when the time ran out."""

    pending: str = ""

    def outcome(self) -> Outcome:
        """Return the entry of RV(outcomes) for this group."""
        return {**super().outcome(), "pending": self.pending or None}


def wait_until_settled(
    clients: Clients, ids: Sequence[str], *, timeout: float, delay: float, record: bool, check_mode: bool
) -> list[Wait]:
    """Return how the wait for each group ended. Raises :class:`AuthError` for what concerns no single group."""
    waits = {key: Wait(key) for key in ids}
    groups: dict[str, Group] = {}
    for key, found in require_all(clients, ids).items():
        if isinstance(found, AuthError):
            waits[key].error = str(found)
        else:
            groups[key] = found
            waits[key].before = _shown(found)
    if check_mode:
        for key, group in groups.items():
            waits[key].after = waits[key].before
            try:
                pending = settled(group)
            except AuthError as error:
                waits[key].error = str(error)
                continue
            waits[key].msg = f"{key}: {'would be waited for: ' + pending if pending else 'available'}."
        return list(waits.values())
    lacks: dict[str, Lack] = dict.fromkeys(groups, settled)
    ended = wait_for(clients, lacks, timeout=timeout, delay=delay, known=groups.values())
    if record:
        ended |= _outlast_staleness(clients, ended, timeout=timeout, delay=delay)
    for key, end in ended.items():
        _note(waits[key], end)
    return list(waits.values())


def _outlast_staleness(
    clients: Clients, ended: Mapping[str, Waited], *, timeout: float, delay: float
) -> dict[str, Waited]:
    """Give those groups more time that are described as settled and are not.

    That is so where the record says that a call was made of which nothing can be seen yet, and where AWS refuses to
    tell the tags, which it does only while a group is being changed.
    """
    arrived = {key: end.group for key, end in ended.items() if end.group is not None and not end.error}
    give_up = time.monotonic() + min(timeout, GRACE)
    busy: set[str] = set()
    tags = records.read_tags(clients, arrived.values(), thorough=False, busy=busy)
    had_been_busy = set(busy)
    while busy and time.monotonic() < give_up:
        clients.pause(min(delay, 1.0))
        again = [arrived[key] for key in busy]
        busy = set()
        tags |= records.read_tags(clients, again, thorough=False, busy=busy)
    calls = {key: written(records.entry_in(tags[key])) for key in arrived}
    late = {*outlast(clients, arrived, calls, limit=timeout), *had_been_busy}
    # Once the grace is over, a call of which nothing shows was never made: what counts is whether it has settled.
    return wait_for(clients, dict.fromkeys(late, settled), timeout=timeout, delay=delay)


def _note(wait: Wait, end: Waited) -> None:
    wait.error, wait.pending, wait.duration = end.error, end.lack, end.seconds
    if end.group is not None:
        wait.after = _shown(end.group)
    if not end.error:
        wait.msg = f"{wait.id}: available after {end.seconds:.0f} s."


def _shown(group: Group) -> dict[str, Any]:
    return {
        "status": group.status,
        "pending": group.pending or None,
        "auth_token_enabled": group.auth_token_enabled,
        "auth_token_last_modified_date": group.token_date,
        "user_group_ids": list(group.user_group_ids),
    }
