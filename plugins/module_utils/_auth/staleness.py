# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Give a call that was made a moment ago the time to show.

Right after a call a group may still be described as it was before, available and with nothing pending
(elasticache-facts §4: a response can be stale). That must not be taken for a call that was never made.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from .._aws.clients import Clients
from .._aws.groups import Group
from .._aws.waiting import Lack, carried_out, wait_for
from .._core.record import Entry
from .._core.states import Call

#: For so long after a call a description that shows nothing of it proves nothing, seconds.
GRACE = 20.0


@dataclass(frozen=True)
class Sent:
    """A call that was made, or may have been: the token's date before it, and when, in seconds since 1970."""

    call: Call
    seen: str | None
    at: float

    @property
    def lack(self) -> Lack:
        """What a group lacks until the call has been carried out."""
        return carried_out(self.call, self.seen)

    def may_not_show_yet(self, group: Group) -> bool:
        """Whether ``group`` looks as before, which proves nothing yet."""
        return self.seen == group.token_date and time.time() - self.at < GRACE


def written(entry: Entry | None) -> Sent | None:
    """Return the call that a record announces, if any."""
    return Sent(entry.call, entry.seen, entry.written_at) if entry and entry.call else None


def outlast(
    clients: Clients, groups: Mapping[str, Group], calls: Mapping[str, Sent | None], *, limit: float = GRACE
) -> list[str]:
    """Wait, for ``limit`` seconds at most, until calls of a moment ago show; return the groups to look at again.

    Raises :class:`AuthError` where AWS can't be asked.
    """
    fresh = {key: sent for key in groups if (sent := calls.get(key)) and sent.may_not_show_yet(groups[key])}
    if fresh:
        left = max(sent.at for sent in fresh.values()) + GRACE - time.time()
        wait_for(clients, {key: sent.lack for key, sent in fresh.items()}, timeout=min(left, limit), delay=1.0)
    return list(fresh)
