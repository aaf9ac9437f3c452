# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a module of a client cutover tells of each group, and what these modules share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._auth import options
from .._auth.outcome import Outcome, Progress
from .._core.errors import AuthError

#: Options of all modules of a cutover. ``variables_of``: the role whose variables messages name.
SPEC: dict[str, dict[str, Any]] = {
    **options.ROLE_SPEC,
    **options.GROUPS_SPEC,
    "variables_of": {"type": "str", "required": True},
    **options.WAIT_SPEC,
}


@dataclass
class GroupCutover(Progress):
    """The clients of one group on their way. ``clients``: their names, as the result has them."""

    clients: list[str] = field(default_factory=list)

    def outcome(self) -> Outcome:
        """Return the entry of RV(outcomes) for this group."""
        return {
            "changed": self.changed,
            "failed": bool(self.error),
            "msg": self.error or self.msg,
            "clients": self.clients,
            "duration": round(self.duration, 3),
        }


def failures(groups: Iterable[GroupCutover]) -> dict[str, str]:
    """Return why clients were not moved, by the id of the group; a role passes it on to its operation."""
    return {group.id: group.error for group in groups if group.error}


def check_waiting(params: Mapping[str, Any]) -> None:
    """Raise :class:`AuthError` for waiting times that make no sense, by the role's variables."""
    prefix = params["variables_of"]
    if not params["wait_delay"] > 0:
        raise AuthError(f"{prefix}_wait_delay: {params['wait_delay']} is not possible. Give seconds above 0.")
    if not params["wait_timeout"] >= 0:
        raise AuthError(f"{prefix}_wait_timeout: {params['wait_timeout']} is not possible. Give seconds from 0 on.")
