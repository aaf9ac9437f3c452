# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Monitor for clients that still present a token that is no longer accepted."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._aws.clients import Clients
from .._aws.errors import Kind, classify, explain, is_connection_error
from .._aws.groups import require_all
from .._aws.metrics import authentication_failures
from .._core.errors import AuthError
from .._core.monitor_times import OPTIONS, check_monitor_times
from .outcome import Outcome, Progress

MONITOR_SPEC: dict[str, dict[str, Any]] = {
    "duration": {"type": "float", "required": True},
    "max_failures": {"type": "int", "default": 20},
    "poll_interval": {"type": "float", "default": 15.0},
    "period": {"type": "int", "default": 60},
}

_ACTION = "cloudwatch:GetMetricData"


@dataclass(frozen=True)
class Monitoring:
    """How to monitor: all in seconds but ``max_failures``."""

    duration: float
    max_failures: int
    poll_interval: float
    period: int


@dataclass
class Monitored(Progress):
    """What was counted of one group."""

    members: tuple[str, ...] = field(default=())
    failures: int | None = None  #: None where it was never looked at

    def outcome(self) -> Outcome:
        """Return the entry of RV(outcomes) for this group."""
        return {**super().outcome(), "authentication_failures": self.failures}


def monitoring(params: Mapping[str, Any], prefix: str = "") -> Monitoring:
    """Return how to monitor. ``prefix``: what the options' names begin with. Raises :class:`AuthError` for what makes
    no sense.
    """
    duration, poll_interval, max_failures, period = (
        params[name] for name in ("duration", "poll_interval", "max_failures", "period")
    )
    check_monitor_times(duration, poll_interval, max_failures, period, {name: f"{prefix}{name}" for name in OPTIONS})
    return Monitoring(duration, max_failures, poll_interval, period)


#: Counts the failures of cache clusters: their ids, the first period (seconds since 1970), its length (seconds), and
#: for how many seconds throttling is ridden out.
Count = Callable[[Sequence[str], int, int, float], Mapping[str, int]]


def counting(clients: Clients) -> Count:
    """Return what counts them by CloudWatch's metric, up to now."""

    def count(members: Sequence[str], first: int, period: int, within: float) -> Mapping[str, int]:
        end = math.floor(time.time() / period + 1) * period  # the period under way counts as far as it is told
        return authentication_failures(clients, members, begin=first, end=end, period=period, within=within)

    return count


def monitor_all(
    clients: Clients, ids: Sequence[str], how: Monitoring, *, check_mode: bool = False, count: Count | None = None
) -> list[Monitored]:
    """Return what was counted of each group. ``count``: what counts, where that serves others too.

    Raises :class:`AuthError` for what concerns no single group.
    """
    counted_of = {key: Monitored(key) for key in ids}
    for key, found in require_all(clients, ids).items():
        if isinstance(found, AuthError):
            counted_of[key].error = str(found)
        else:
            counted_of[key].members = tuple(node.cache_cluster_id for node in found.nodes)
            if not counted_of[key].members:
                counted_of[key].error = f"{key}: it has no node to monitor; its status is {found.status}."
    monitored = [group for group in counted_of.values() if not group.error]
    if check_mode:
        for group in monitored:
            group.msg = f"{group.id}: would be monitored for {how.duration:g} s."
        return list(counted_of.values())
    _monitor(clients, monitored, how, count or counting(clients))
    return list(counted_of.values())


def _monitor(clients: Clients, monitored: Sequence[Monitored], how: Monitoring, count: Count) -> None:
    """Look again and again, the last time when the time is over; a group that has failed is looked at no more."""
    begun = time.monotonic()
    first = math.ceil(time.time() / how.period) * how.period
    is_first = True

    def counted(within: float, members: Sequence[str]) -> Mapping[str, int]:
        return count(members, first, how.period, within)

    while True:
        left = [group for group in monitored if not group.error]
        if not left:
            return
        remaining = how.duration - (time.monotonic() - begun)
        within = max(remaining, how.poll_interval)
        trouble, passing = _look(clients, left, functools.partial(counted, within), is_first=is_first)
        elapsed = time.monotonic() - begun
        for group in left:
            group.duration = elapsed
            # Trouble that may pass is told only at the end: until then there is another look.
            if trouble and (not passing or remaining <= 0):
                group.error = f"{group.id}: it can't be told whether clients are refused: {trouble}"
            elif group.failures is not None and group.failures > how.max_failures:
                group.error = _exceeded(group.id, group.failures, how.max_failures)
            elif remaining <= 0:
                group.msg = f"{group.id}: {_counted(group.failures)} in {elapsed:.0f} s, limit {how.max_failures}."
        if remaining <= 0:
            return
        is_first = False
        # The last pause is cut short, and the last look comes after it.
        clients.pause(min(how.poll_interval, how.duration - elapsed))


def _look(
    clients: Clients,
    monitored: Sequence[Monitored],
    count: Callable[[Sequence[str]], Mapping[str, int]],
    *,
    is_first: bool,
) -> tuple[str, bool]:
    """Count anew for these groups; returns what went wrong, and whether it may pass by itself."""
    members = [member for group in monitored for member in group.members]
    try:
        counts = count(members)
    except Exception as error:  # pylint: disable=broad-exception-caught
        passing = classify(error) in (Kind.THROTTLED, Kind.AMBIGUOUS) or (not is_first and is_connection_error(error))
        return explain(error, _ACTION, clients.region), passing
    for group in monitored:
        group.failures = sum(counts[member] for member in group.members)
    return "", True


def _counted(failures: int | None) -> str:
    return "1 authentication failure" if failures == 1 else f"{failures} authentication failures"


def _exceeded(group_id: str, failures: int, limit: int) -> str:
    return (
        f"{group_id}: {_counted(failures)} since monitoring began, more than the limit of {limit}. Clients present a "
        "credential that is not accepted, after a rotation most likely the previous token. Have that accepted again: "
        "replication_group_auth with auth_token_update_strategy: rotate and the previous token as auth_token. "
        "Then bring the clients up to date before it is dropped."
    )
