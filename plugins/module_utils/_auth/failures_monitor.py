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
from .._aws.groups import Group, require_all
from .._aws.metrics import authentication_failures
from .._core.client_connections import Refused, refused_in_words
from .._core.errors import AuthError
from .._core.monitor_times import OPTIONS, check_monitor_times
from .._data_plane.connections import Told, Wanted
from .._data_plane.probe import Credential
from .client_connections import ask_groups
from .observe import Probing
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


@dataclass(frozen=True)
class Naming:
    """How nodes are asked for the names of the clients that they refuse: by which credentials of each group.

    ``since``: what was refused before that does not count, of ``time.monotonic()``; ``None``: since monitoring begins.
    """

    credentials: Mapping[str, Sequence[Credential]]
    probing: Probing
    since: float | None = None


@dataclass
class Monitored(Progress):
    """What was counted of one group.

    ``refused``: the clients, where nodes are asked; ``unheard``: which nodes told nothing, and why. ``asked``: nodes
    are asked again: what they refuse of ours would count as a failure each time.
    """

    members: tuple[str, ...] = field(default=())
    failures: int | None = None  #: None where it was never looked at
    found: Group | None = None
    refused: Refused | None = None
    unheard: str = ""
    asked: bool = True

    @property
    def names(self) -> str:
        """Sentences about who is refused, and about nodes that did not say; empty where there is nothing to say."""
        said = [refused_in_words(self.refused) if self.refused else "", f"{self.unheard}." if self.unheard else ""]
        return "".join(f" {sentence}" for sentence in said if sentence)

    def outcome(self) -> Outcome:
        """Return the entry of RV(outcomes) for this group."""
        return {
            **super().outcome(),
            "authentication_failures": self.failures,
            "refused_clients": None if self.refused is None else self.refused.told(),
            "nodes_unheard": self.unheard or None,
        }


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
    clients: Clients,
    ids: Sequence[str],
    how: Monitoring,
    *,
    check_mode: bool = False,
    count: Count | None = None,
    naming: Naming | None = None,
) -> list[Monitored]:
    """Return what was counted of each group. ``count``: what counts, where that serves others too. ``naming``: how
    nodes are asked for names; ``None``: they are not.

    Raises :class:`AuthError` for what concerns no single group.
    """
    counted_of = {key: Monitored(key) for key in ids}
    for key, found in require_all(clients, ids).items():
        if isinstance(found, AuthError):
            counted_of[key].error = str(found)
        else:
            counted_of[key].members = tuple(node.cache_cluster_id for node in found.nodes)
            counted_of[key].found = found
            if not counted_of[key].members:
                counted_of[key].error = f"{key}: it has no node to monitor; its status is {found.status}."
    monitored = [group for group in counted_of.values() if not group.error]
    if check_mode:
        for group in monitored:
            group.msg = f"{group.id}: would be monitored for {how.duration:g} s."
        return list(counted_of.values())
    _monitor(clients, monitored, how, count or counting(clients), naming)
    return list(counted_of.values())


def _monitor(
    clients: Clients, monitored: Sequence[Monitored], how: Monitoring, count: Count, naming: Naming | None
) -> None:
    """Look again and again, the last time when the time is over; a group that has failed is looked at no more."""
    begun = time.monotonic()
    since = begun if naming is None or naming.since is None else naming.since
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
        if naming is not None:
            _name(clients, left, naming, since)
        elapsed = time.monotonic() - begun
        for group in left:
            group.duration = elapsed
            # Trouble that may pass is told only at the end: until then there is another look.
            if trouble and (not passing or remaining <= 0):
                group.error = f"{group.id}: it can't be told whether clients are refused: {trouble}"
            elif group.failures is not None and group.failures > how.max_failures:
                group.error = _exceeded(group, group.failures, how.max_failures)
            elif remaining <= 0:
                group.msg = f"{group.id}: {_counted(group.failures)} in {elapsed:.0f} s, limit {how.max_failures}."
                group.msg += group.names
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


def _name(clients: Clients, monitored: Sequence[Monitored], naming: Naming, since: float) -> None:
    """Ask the nodes of these groups whom they have refused. What goes wrong is told, and fails nothing."""
    monitored = [group for group in monitored if group.asked and naming.credentials.get(group.id)]
    groups = [group.found for group in monitored if group.found is not None]
    # Before they are asked: what the answers take makes nothing that was refused younger than it is.
    within = time.monotonic() - since
    try:
        wanted = {group.id: Wanted(refused=True) for group in groups}
        told = ask_groups(clients, groups, naming.credentials, wanted, naming.probing)
    except AuthError as error:
        for group in monitored:
            group.unheard = str(error).rstrip(".")
        return
    for group in monitored:
        seen = told.get(group.id)
        if seen is not None:
            group.refused = group.refused or Refused()
            seen.refused(group.refused, within)
            group.unheard = seen.unheard
            group.asked = not any(node.told is Told.REFUSED for node in seen.nodes)


def _counted(failures: int | None) -> str:
    return "1 authentication failure" if failures == 1 else f"{failures} authentication failures"


def _exceeded(group: Monitored, failures: int, limit: int) -> str:
    return (
        f"{group.id}: {_counted(failures)} since monitoring began, more than the limit of {limit}.{group.names} "
        "Clients present a credential that is not accepted, after a rotation most likely the previous token. Have that "
        "accepted again: replication_group_auth with auth_token_update_strategy: rotate and the previous token as "
        "auth_token. Then bring the clients up to date before it is dropped."
    )
