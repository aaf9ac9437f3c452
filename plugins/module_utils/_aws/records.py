# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The record in the groups' tags: read in bulk, written ahead of every change.

Tags can't be read or written at the group itself while it is being modified (elasticache-facts §3).
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterable, Mapping

from .._core import record
from .._core.errors import AuthError
from .._core.evidence import Record
from .._fan_out import fan_out
from .clients import Clients
from .errors import Kind, classify, explain
from .groups import Group
from .tags import tags_in_bulk, tags_of

#: The action that writes a record.
WRITE = "AddTagsToResource"
#: Up to this many groups their tags are asked of ElastiCache, which is never behind; beyond, in bulk.
READ_SINGLY = 5

#: For so many seconds tags that were read in bulk count for all whose records are about to be written, from when they
#: were asked for; and for so many for each 100 groups: each 100 are a call.
_READ_COUNTS_FOR, _READ_PER_CALL = 5.0, 1.0

#: How often a record is written where the answer gets lost, and how long after that, seconds.
_ATTEMPTS, _PAUSE = 4, 0.5

#: A change ends within this time of its call; a date that moved later was moved by someone else, seconds.
_LONGEST_CHANGE = 2 * 3600
#: Clocks differ by at most this, seconds.
_CLOCK_SKEW = 300
#: Marks a record that CreateReplicationGroup carried in its tags: no date could be seen before.
CREATION = "creation"

_WAY_OUT = "Allow it in the policy of the credentials, or do without the record with record: false."


def read_tags(
    clients: Clients, groups: Iterable[Group], *, thorough: bool = True, busy: set[str] | None = None
) -> dict[str, dict[str, str]]:
    """Return all tags of each group, none for one that is busy, whose id is added to ``busy``.

    Raises :class:`AuthError`.

    Many are read in bulk, which may be behind; then a record may be missing, or be an old one. An old one is found out
    by its date and read again; with ``thorough``, so is a missing one.
    """
    groups = list(groups)
    clients.known.arns |= {group.id: group.arn for group in groups}
    if len(groups) <= READ_SINGLY:
        return read_singly(clients, groups, busy)
    tags = _read_in_bulk(clients, {group.id: group.arn for group in groups})
    doubtful = [
        group
        for group in groups
        if group.auth_token_enabled and not _fits(group, tags.get(group.id, {}), missing=not thorough)
    ]
    return {group.id: {} for group in groups} | tags | read_singly(clients, doubtful, busy)


def _fits(group: Group, tags: Mapping[str, str], *, missing: bool) -> bool:
    """Whether the record in ``tags`` is the group's latest for sure; ``missing`` is the answer where there is none."""
    if record.TAG_KEY not in tags:
        return missing
    entry = entry_in(tags)
    return entry is not None and entry.call is None and entry.seen == group.token_date


def read_singly(clients: Clients, groups: Iterable[Group], busy: set[str] | None = None) -> dict[str, dict[str, str]]:
    """Return all tags of each group, as ElastiCache has them; the rest as in :func:`read_tags`."""
    by_id = {group.id: group for group in groups}

    tags: dict[str, dict[str, str]] = {}
    for key, result in fan_out(by_id, lambda key: tags_of(clients, by_id[key].arn)).items():
        if isinstance(result, Exception):
            kind = classify(result)
            if kind in (Kind.BUSY, Kind.NOT_FOUND):
                # It has become busy or is gone since it was described; whoever needs it will see that.
                tags[key] = {}
                if kind is Kind.BUSY and busy is not None:
                    busy.add(key)
                continue
            raise AuthError(
                f"{key}: {explain(result, 'elasticache:ListTagsForResource', clients.region)} {_WAY_OUT}"
            ) from result
        tags[key] = result
    return tags


def read_lately(clients: Clients, group: Group) -> dict[str, str]:
    """Return all tags of a group as they were read in bulk, with those of all others, in the last few seconds.

    Those are not the latest ones for sure. Raises :class:`AuthError`.
    """
    known = clients.known
    known.arns[group.id] = group.arn

    def ask() -> dict[str, dict[str, str]]:
        arns = dict(known.arns)  # other threads add to them
        found = _read_in_bulk(clients, arns)
        return {key: found.get(key, {}) for key in arns}

    limit = max(_READ_COUNTS_FOR, len(known.arns) / 100 * _READ_PER_CALL)
    found = known.tags.lately(limit, ask)
    if group.id not in found:  # it has come since
        found = known.tags.get(time.monotonic(), ask)
    return found[group.id]


def _read_in_bulk(clients: Clients, arns: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the tags of those groups that the API knows, by id; ``arns``: theirs by id."""
    ids = {arn: key for key, arn in arns.items()}
    try:
        return {ids[arn]: tags for arn, tags in tags_in_bulk(clients, list(ids)).items()}
    except Exception as error:
        raise AuthError(f"{explain(error, 'tag:GetResources', clients.region)} {_WAY_OUT}") from error


def write(
    clients: Clients, group: Group, entry: record.Entry | None, *, check: Callable[[], object] | None = None
) -> None:
    """Write ``entry`` into the group's tags, or that nothing is known (``None``).

    Raises botocore's exceptions, and what ``check`` raises before an attempt. It is repeated where the answer got lost:
    writing the same again is harmless, as long as ``check`` finds nobody else at work.
    """
    tags = [{"Key": record.TAG_KEY, "Value": record.encode(entry) if entry else record.NOTHING}]
    for left in reversed(range(_ATTEMPTS)):
        try:
            clients.paced(
                WRITE, lambda: clients.once.add_tags_to_resource(ResourceName=group.arn, Tags=tags), check=check
            )
            return
        except Exception as error:
            if isinstance(error, AuthError) or classify(error) is not Kind.AMBIGUOUS or not left:
                raise
        clients.pause(_PAUSE)


def entry_in(tags: Mapping[str, str]) -> record.Entry | None:
    """Return the record in a group's tags; ``None`` where there is none, or one that isn't ours."""
    try:
        return record.decode(tags[record.TAG_KEY])
    except (KeyError, record.RecordSyntaxError):
        return None


def as_evidence(entry: record.Entry, group: Group, aliases: Mapping[str, frozenset[str]]) -> Record:
    """Return ``entry``, its references already turned into token names, as evidence about ``group`` as it is now.

    A date that moved long after (or before) a call was written ahead was not moved by that call: it counts as drift.
    """
    call, seen = entry.call, entry.seen
    moved_at = _seconds(group.token_date)
    if seen == CREATION:
        created = group.created.timestamp() if group.created else None
        ours = moved_at is None or (created is not None and moved_at - created <= _LONGEST_CHANGE)
        seen = group.token_date if ours else CREATION
    elif call is not None and seen != group.token_date and not _in_time(moved_at, entry.written_at):
        call = None
    return Record(entry.state, call, seen, aliases, entry.assumed)


def _in_time(moved_at: float | None, written_at: int) -> bool:
    return moved_at is None or -_CLOCK_SKEW <= moved_at - written_at <= _LONGEST_CHANGE


def _seconds(date: str | None) -> float | None:
    return datetime.datetime.fromisoformat(date).timestamp() if date else None
