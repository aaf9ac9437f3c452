# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a module of a client cutover tells of each group, and what these modules share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .._auth import options
from .._auth.common_errors import for_each
from .._auth.outcome import Outcome, Progress, exit_with_outcomes
from .._core.errors import AuthError

R = TypeVar("R")

#: Options of all modules of a cutover. ``variables_of``: the role whose variables messages name.
SPEC: dict[str, dict[str, Any]] = {
    **options.ROLE_SPEC,
    **options.GROUPS_SPEC,
    "variables_of": {"type": "str", "required": True},
    **options.WAIT_SPEC,
}


@dataclass
class GroupCutover(Progress):
    """What becomes of the clients of one group. ``clients``: their names, as the result has them."""

    clients: list[str] = field(default_factory=list)

    def fail(self, error: AuthError) -> None:
        """Take note of why its clients may not have been moved, by its id."""
        text = str(error)
        self.error = text if text.startswith(f"{self.id}: ") else f"{self.id}: {text}"

    def outcome(self) -> Outcome:
        """Return the entry of RV(outcomes) for this group."""
        return {
            "changed": self.changed,
            "failed": bool(self.error),
            "msg": self.error or self.msg,
            "clients": self.clients,
            "duration": round(self.duration, 3),
        }


def move_clients(
    module: Any, request_of: Callable[[Any], R], work: Callable[[Sequence[str], R], list[GroupCutover]]
) -> None:
    """End the module with what ``work`` did for its groups, as the request says, and with C(failures) for a role.

    Raises :class:`AuthError` for what concerns no single group.
    """
    params, prefix = module.params, f"{module.params['variables_of']}_"
    options.check_lists(module, prefix)
    options.check_waiting(params, prefix)
    ids = options.group_ids(params["replication_group_ids"])
    request = request_of(module)
    groups = for_each(params, ids, lambda key, error: GroupCutover(key, error=error), lambda: work(ids, request))
    failures = {group.id: group.error for group in groups if group.error}
    verb = "would have their clients restarted" if module.check_mode else "had their clients restarted"
    exit_with_outcomes(module, groups, verb=verb, diff=[], failures=failures)
