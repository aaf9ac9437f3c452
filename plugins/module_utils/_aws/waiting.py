# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Wait for many groups at once: one paged Describe a sweep, and done only when it is (elasticache-facts §4)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from .._core.errors import AuthError
from .._core.states import Call, CallKind
from .clients import Clients
from .errors import Kind, classify, explain, is_connection_error
from .groups import Group, are_swept, describe_groups

#: Says what a group still lacks, in words; empty when it has arrived. Raises :class:`AuthError` where it never will.
Lack = Callable[[Group], str]

#: Looks at all groups of a region come to this many calls a second at most: those of a thousand are ten calls each.
_CALLS_A_SECOND = 2.0

_HOPELESS = ("create-failed", "deleting", "deleted")


@dataclass(frozen=True)
class Waited:
    """How the wait for one group ended: ``lack`` is empty where it arrived, ``error`` where nothing went wrong.

    ``seconds``: from the beginning of the wait to its end; ``lacking``: to the last look before that, if there was one.
    ``gone``: the error is that it was deleted.
    """

    group: Group | None
    lack: str
    error: str
    seconds: float
    lacking: float | None = None
    gone: bool = False


def settled(group: Group) -> str:
    """Lack nothing when nothing is under way. Raises :class:`AuthError` for a group that never gets there."""
    if group.status in _HOPELESS:
        raise AuthError(f"{group.id}: its status is {group.status}, from which it does not become available.")
    return group.pending


def carried_out(call: Call, seen: str | None) -> Lack:
    """Return the lack of a group on which ``call`` was made when its token's date was ``seen``.

    Status alone is not enough: right after the call a describe may still show the group as it was before, available
    and with nothing pending. The token's date moves with every change of it, the rest can be seen.
    """

    def lack(group: Group) -> str:
        pending = settled(group)
        if pending:
            return pending
        match call.kind:
            case CallKind.ROTATE | CallKind.SET | CallKind.REMOVE_AND_ROTATE:
                if group.user_group_ids:
                    return "its user groups are still attached"
                if not group.auth_token_enabled:
                    return "its AUTH token is not enabled yet"
                return "" if group.token_date != seen else "AuthTokenLastModifiedDate has not moved yet"
            case CallKind.DELETE | CallKind.ADD_USER_GROUPS:
                if set(group.user_group_ids) != set(call.user_groups):
                    return "its user groups are not attached yet"
                return "its AUTH token is still enabled" if group.auth_token_enabled else ""
        return "its user groups are still attached" if group.user_group_ids else ""

    return lack


@dataclass(frozen=True)
class Trouble:
    """Why a look told nothing, in words, and whether that may pass by itself."""

    words: str
    passing: bool


def trouble_of(error: Exception, region: str, *, is_first: bool) -> Trouble:
    """Return what a look failed with. A connection that could not be made passes, but not at the first look."""
    passing = classify(error) in (Kind.THROTTLED, Kind.AMBIGUOUS) or (not is_first and is_connection_error(error))
    return Trouble(explain(error, "elasticache:DescribeReplicationGroups", region), passing)


def judge(
    key: str, lack: Lack, group: Group | None, trouble: Trouble | None, elapsed: float, lacking: float | None
) -> Waited | str:
    """Return how the wait for a group ended, by a look at it, or what it still lacks, in words.

    ``group``: ``None`` where it was not seen, because of ``trouble`` or as it is gone. Times in seconds since the wait
    began; ``lacking``: when it was last seen not to be there.
    """
    if trouble is not None:
        return trouble.words if trouble.passing else Waited(group, "", f"{key}: {trouble.words}", elapsed)
    if group is None:
        return Waited(None, "", f"{key}: it was deleted while it was waited for.", elapsed, gone=True)
    try:
        words = lack(group)
    except AuthError as error:
        return Waited(group, "", str(error), elapsed)
    return words or Waited(group, "", "", elapsed, lacking)


def given_up(key: str, group: Group | None, why: str, elapsed: float) -> Waited:
    """Return the end of a wait whose time is over."""
    told = (
        f"{key}: not done after {elapsed:.0f} s: {why}. "
        "What is under way goes on at AWS: run this again, or raise wait_timeout."
    )
    return Waited(group, why, told, elapsed)


def between_looks(clients: Clients, groups: int, delay: float) -> float:
    """Return the seconds from one look at so many groups to the next."""
    return max(delay, clients.known.pages / _CALLS_A_SECOND) if are_swept(clients, groups) else delay


def wait_for(
    clients: Clients,
    lacks: Mapping[str, Lack],
    *,
    timeout: float,
    delay: float,
    known: Iterable[Group] = (),
    after: float = 0.0,
) -> dict[str, Waited]:
    """Wait until each group lacks nothing, for at most ``timeout`` seconds, looking every ``delay`` seconds,
    less often where each look at all groups of the region takes many calls.

    ``after``: none can be there yet for so many seconds, in which they are not looked at.
    ``known`` are groups just described: their first look is saved. Throttling and dropped connections are ridden out;
    what still fails at the end is told, and so is what never passes: it ends the wait, but not what the caller knows.
    """
    if clients.sweep is not None and len(lacks) == 1:
        ((key, lack),) = lacks.items()
        return {key: clients.sweep.until(key, lack, timeout=timeout, delay=delay, after=after)}
    begin = time.monotonic()
    clients.pause(min(after, timeout))
    done: dict[str, Waited] = {}
    pending = dict(lacks)
    words: dict[str, str] = dict.fromkeys(pending, "it has not been looked at yet")
    latest: dict[str, Group] = {group.id: group for group in known if group.id in pending}
    lacking: dict[str, float] = {}
    first = True
    while pending:
        trouble = None
        if not first or len(latest) < len(pending):
            left = max(timeout - (time.monotonic() - begin), 0.0)
            try:
                latest = describe_groups(clients, pending, within=left)
            except Exception as error:  # pylint: disable=broad-exception-caught
                latest, trouble = {}, trouble_of(error, clients.region, is_first=first)
        first = False
        elapsed = time.monotonic() - begin
        for key, lack in list(pending.items()):
            waited = judge(key, lack, latest.get(key), trouble, elapsed, lacking.get(key))
            if isinstance(waited, Waited):
                done[key] = waited
                del pending[key]
            elif trouble is None:
                words[key], lacking[key] = waited, elapsed
        if not pending:
            break
        if elapsed >= timeout:
            why = trouble.words if trouble else ""
            done |= {key: given_up(key, latest.get(key), why or words[key], elapsed) for key in pending}
            break
        # The last pause is cut short: what arrives in it counts.
        clients.pause(min(between_looks(clients, len(pending), delay), timeout - elapsed))
    return {key: done[key] for key in lacks}
