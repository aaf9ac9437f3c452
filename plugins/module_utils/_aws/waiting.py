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
    """

    group: Group | None
    lack: str
    error: str
    seconds: float
    lacking: float | None = None


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
    ``known`` are groups just described: their first look is saved. From the second one on, a look of another part of
    the clients serves too, if it is not much older. Throttling and dropped connections are ridden out;
    what still fails at the end is told, and so is what never passes: it ends the wait, but not what the caller knows.
    """
    begin = time.monotonic()
    if clients.waits:
        clients.waits()
    if after > 0 and clients.watch:
        clients.watch(dict.fromkeys(lacks, "it has not been looked at yet"))
    clients.pause(min(after, timeout))
    done: dict[str, Waited] = {}
    pending = dict(lacks)
    words: dict[str, str] = dict.fromkeys(pending, "it has not been looked at yet")
    latest: dict[str, Group] = {group.id: group for group in known if group.id in pending}
    lacking: dict[str, float] = {}
    trouble = ""
    first, looked, pause = True, begin, delay
    while pending:
        try:
            if not first or len(latest) < len(pending):
                now = time.monotonic()
                left = max(timeout - (now - begin), 0.0)
                oldest = now if first else max(now - pause / 2, looked)
                latest = describe_groups(clients, pending, within=left, oldest=oldest)
            trouble = ""
        except Exception as error:  # pylint: disable=broad-exception-caught
            passing = classify(error) in (Kind.THROTTLED, Kind.AMBIGUOUS) or (not first and is_connection_error(error))
            trouble = explain(error, "elasticache:DescribeReplicationGroups", clients.region)
            if not passing:
                elapsed = time.monotonic() - begin
                done |= {key: Waited(latest.get(key), "", f"{key}: {trouble}", elapsed) for key in pending}
                break
            latest = {}
        first, looked = False, time.monotonic()
        elapsed = time.monotonic() - begin
        for key in list(pending):
            group = latest.get(key)
            if group is None:
                if not trouble:
                    done[key] = Waited(None, "", f"{key}: it was deleted while it was waited for.", elapsed)
                    del pending[key]
                continue
            try:
                words[key] = pending[key](group)
            except AuthError as error:
                done[key] = Waited(group, "", str(error), elapsed)
                del pending[key]
                continue
            if not words[key]:
                done[key] = Waited(group, "", "", elapsed, lacking.get(key))
                del pending[key]
        lacking |= dict.fromkeys(pending, elapsed)
        if clients.watch:
            clients.watch({key: words[key] for key in pending})
        if not pending:
            break
        if elapsed >= timeout:
            for key in pending:
                why = trouble or words[key]
                told = (
                    f"{key}: not done after {elapsed:.0f} s: {why}. "
                    "What is under way goes on at AWS: run this again, or raise wait_timeout."
                )
                done[key] = Waited(latest.get(key), why, told, elapsed)
            break
        swept = are_swept(clients, len(pending))
        pause = max(delay, clients.known.pages / _CALLS_A_SECOND) if swept else delay
        # The last pause is cut short: what arrives in it counts.
        clients.pause(min(pause, timeout - elapsed))
    return {key: done[key] for key in lacks}
