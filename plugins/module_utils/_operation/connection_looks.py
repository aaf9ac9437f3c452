# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was seen of one group's client connections during an operation. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class When(str, enum.Enum):
    """When a look was taken."""

    CUTOVER = "client_cutover"  #: during the client cutover
    BEFORE = "before"  #: at its end, before the change after which the token before is refused
    AFTER = "after"  #: after SET


@dataclass(frozen=True)
class Look:
    """One look at all nodes.

    ``at``: seconds since 1970. ``connections``, ``predating``: of the nodes that answered, in all and from before the
    new token. ``ended``: how many of these were ended. ``unheard``: which nodes told nothing, and why. ``line``: all of
    that in a sentence. ``clients``: the first of them, as in client_connections_info.
    """

    at: float
    when: When
    connections: int
    predating: int
    line: str
    unheard: str = ""
    ended: int = 0
    clients: list[dict[str, Any]] = field(default_factory=list)

    def outcome(self) -> dict[str, Any]:
        """Return it for a result."""
        return {
            "at": round(self.at, 3),
            "when": self.when.value,
            "connections": self.connections,
            "predating": self.predating,
            "ended": self.ended,
            "unheard": self.unheard or None,
            "line": self.line,
        }


#: So many looks are kept, the first ones and the last ones of them.
_MAX_LOOKS = 40


@dataclass
class ConnectionLooks:
    """The looks at one group. ``since``: from when on clients could have the new token, seconds since 1970; ``None``:
    no step of this run says so. ``marks``: by node, the id of a connection that was made right after that. ``set_at``:
    when SET was about to be called, of ``time.monotonic()``.
    """

    since: float | None = None
    marks: Mapping[str, int] = field(default_factory=dict)
    set_at: float | None = None
    looks: list[Look] = field(default_factory=list)

    def add(self, look: Look) -> None:
        """Take a look in; of very many those in the middle are dropped."""
        self.looks.append(look)
        if len(self.looks) > _MAX_LOOKS:
            del self.looks[_MAX_LOOKS // 2]

    @property
    def last(self) -> Look | None:
        """The last one."""
        return self.looks[-1] if self.looks else None

    def outcome(self) -> dict[str, Any] | None:
        """Return what a result has of them; ``None``: there was none."""
        if self.last is None:
            return None
        return {"looks": [look.outcome() for look in self.looks], "clients": self.last.clients}
