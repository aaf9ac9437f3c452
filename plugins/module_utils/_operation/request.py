# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wanted of every group of an operation."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from .._auth.change_run import Inquiry
from .._auth.failures_monitor import Monitoring
from .._aws.secrets import CURRENT, PENDING, PREVIOUS
from .._core.operations import (
    Operation,
    Phase,
    Step,
)
from .._core.states import Mode

#: What O(assume_newest) takes, and the staging labels that it means.
NEWEST = {"current": CURRENT, "pending": PENDING, "previous": PREVIOUS}


class Reconnect(str, enum.Enum):
    """What is done where connections from before the new token are left at the end of a client cutover."""

    REPORT = "report"  #: it is said
    WAIT = "wait"  #: SET waits for them, up to a time
    FAIL = "fail"  #: the group fails


@dataclass(frozen=True)
class Cutover:
    """A client cutover: the step, and the id of the secret's version in AWSCURRENT, to which clients moved; or none.

    ``offered_at``: from when on they could, seconds since 1970, and ``marks``: by node, the id of a connection that was
    made right after that.
    """

    stage: Step
    version: str = ""
    offered_at: float | None = None
    marks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class OperationRequest:
    """What is wanted of every group. The ids of users and user groups may hold ``{replication_group_id}``.

    ``soak``: the client cutover is a time, in seconds, and what follows it is made in the same run; ``None``: it isn't.
    ``client_tasks``: it is one by tasks, at which a group stops, and ``soak`` is waited for after these. ``cutovers``:
    by group, the client cutover that tasks have made since an earlier run stopped there. ``monitor``: how clients that
    are refused after SET are looked for; ``None``: they are not. ``busy_last``: groups on which something is under way
    go after the others. ``skip_secondaries``: those of global datastores are left alone; otherwise they fail.
    ``allow_direct``: where no bridge user can be put in place, clients move while unauthenticated access is allowed.
    ``take_over``: a client cutover that another run has put on record is ended early. ``max_changes_per_second``: calls
    a second, by action, that change groups or their tags. ``require_reconnected``: what is done where connections are
    older than the new token at the end of a client cutover, ``cutover_timeout``: for how many seconds SET waits for
    them; ``disconnect_stale``: they are ended.
    """

    operation: Operation
    phase: Phase = Phase.ALL
    max_token_age_days: float = 90.0
    force: bool = False
    enable_tls: bool = False
    create_secret: bool = False
    accept_open_window: bool = False
    allow_direct: bool = False
    accept_open_access: bool = False
    assume_state: Mode | None = None
    assume_newest: str = ""
    user_group_id: str = ""
    user_id: str = ""
    open_user_group_id: str = ""
    user_ids: tuple[str, ...] = ()
    access_string: str = ""
    soak: float | None = None
    client_tasks: bool = False
    cutovers: Mapping[str, Cutover] = field(default_factory=dict)
    monitor: Monitoring | None = None
    plan_only: bool = False
    busy_last: bool = False
    skip_secondaries: bool = False
    max_changes_per_second: float = 10.0
    take_over: bool = False
    require_reconnected: Reconnect = Reconnect.REPORT
    cutover_timeout: float = 3600.0
    disconnect_stale: bool = False
    inquiry: Inquiry = field(default_factory=Inquiry)
    check_mode: bool = False

    @property
    def plans_only(self) -> bool:
        """Whether nothing is changed."""
        return self.check_mode or self.plan_only

    def soaks(self, key: str) -> bool:
        """Whether the next client cutover of a group is a time."""
        return self.soak is not None and (not self.client_tasks or key in self.cutovers)

    def made_cutover(self, key: str) -> Step | None:
        """Return the client cutover of a group that tasks have made, if any."""
        return self.cutovers[key].stage if key in self.cutovers else None
