# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is connected to groups, and whom their nodes refuse: every node of many groups at once."""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._aws.clients import Clients
from .._aws.groups import OFF, Group, require_all, with_endpoints
from .._aws.secrets import describe_secret, secret_name
from .._core.client_connections import Refused, Tally, predating_in_words, unheard_in_words
from .._core.errors import AuthError
from .._data_plane.connections import NodeConnections, Told, Wanted, ask_all
from .._data_plane.probe import THREADS, Credential, Transport
from .._fan_out import fan_out
from .observe import Probing, members_of, read_records
from .options import SECRET_SPEC
from .outcome import Outcome, Progress
from .probing import read_credentials
from .tokens import by_group

#: What the options hold a credential under, as those of ``auth_probe`` do under a name.
_CREDENTIAL = ("auth_token", "auth_tokens", "auth_token_secret", "username")
_NAME = "own"
#: The options of modules that ask nodes by the credential at hand.
CREDENTIAL_SPEC: dict[str, dict[str, Any]] = {
    "auth_token": {"type": "str", "no_log": True, "aliases": ["password"]},
    "auth_tokens": {"type": "dict", "no_log": True},
    "auth_token_secret": SECRET_SPEC,
    "username": {"type": "str"},
}


@dataclass(frozen=True)
class Seen:
    """What the nodes of a group told."""

    nodes: tuple[NodeConnections, ...] = ()

    @property
    def tally(self) -> Tally:
        """The connections to all nodes that told."""
        tally = Tally()
        for node in self.nodes:
            tally.merge(node.tally)
        return tally

    @property
    def errors(self) -> list[tuple[str, str]]:
        """The nodes that did not tell all that was asked for, and why."""
        return [(str(node.node), node.error) for node in self.nodes if node.told is not Told.ANSWERED]

    @property
    def unheard(self) -> str:
        """The words for those nodes; empty where all told."""
        return unheard_in_words(self.errors, len(self.nodes))

    @property
    def ended(self) -> int:
        """How many connections were ended."""
        return sum(node.ended for node in self.nodes)

    def refused(self, into: Refused, within: float) -> None:
        """Add to ``into`` whom the nodes refuse; ``within`` as for :meth:`Refused.take`."""
        into.learn(self.tally)
        for node in self.nodes:
            if node.told is Told.ANSWERED:
                into.take(str(node.node), node.refused, within=within, own=node.own)

    def outcome(self, before: float | None) -> Outcome:
        """Return what is told of the connections in a result."""
        tally = self.tally
        total, told = tally.total, tally.told()
        return {
            "established_before": before,
            "connections": total.connections,
            "predating": None if before is None else total.predating,
            "oldest_age": total.oldest_age if total.connections else None,
            "clients": [row if before is not None else {**row, "predating": None} for row in told],
            "clients_omitted": total.connections - sum(int(str(row["connections"])) for row in told),
            "nodes": [_shown(node, before) for node in self.nodes],
        }


def _shown(node: NodeConnections, before: float | None) -> dict[str, Any]:
    total, answered = node.tally.total, node.told is Told.ANSWERED
    return {
        "cache_cluster_id": node.node.cache_cluster_id,
        "told": node.told.value,
        "error": node.error or None,
        "connections": total.connections if answered else None,
        "predating": total.predating if answered and before is not None else None,
    }


def ask_groups(
    clients: Clients,
    groups: Sequence[Group],
    credentials: Mapping[str, Sequence[Credential]],
    wanted: Mapping[str, Wanted],
    probing: Probing,
    *,
    one_by_one: bool = False,
) -> dict[str, Seen]:
    """Ask every node of each group, by the credentials of the group: many at once, or one after the other.

    Raises :class:`AuthError` if none can be asked.
    """
    members = members_of(clients, groups)
    seen: dict[str, Seen] = {group.id: Seen() for group in groups}
    for tls in (True, False):
        asked = [(g, node) for g in groups if (g.tls != OFF) == tls for node in with_endpoints(g, members)]
        answers = ask_all(
            [node for dummy, node in asked],
            [credentials[group.id] for group, dummy in asked],
            [wanted[group.id] for group, dummy in asked],
            Transport(tls, probing.ca_path, probing.timeout),
            threads=1 if one_by_one else THREADS,
        )
        nodes: dict[str, list[NodeConnections]] = {}
        for (group, dummy), answer in zip(asked, answers, strict=True):
            nodes.setdefault(group.id, []).append(answer)
        seen |= {key: Seen(tuple(told)) for key, told in nodes.items()}
    return seen


# --- The module client_connections_info -------------------------------------------------------------------------------


@dataclass
class GroupConnections(Progress):
    """Who is connected to one group; ``established_before``: the moment, seconds since 1970."""

    seen: Seen = field(default_factory=Seen)
    established_before: float | None = None

    def outcome(self) -> Outcome:
        """Return the entry of RV(outcomes) for this group."""
        common = super().outcome()
        kept = {name: common[name] for name in ("changed", "failed", "msg", "duration")}
        return {**kept, **self.seen.outcome(self.established_before)}


def moment(given: str | None) -> float | None:
    """Return the option ``established_before`` in seconds since 1970. Raises :class:`AuthError`."""
    if given is None:
        return None
    try:
        seconds = float(given)
    except ValueError:
        try:
            parsed = datetime.datetime.fromisoformat(given.strip().replace("Z", "+00:00"))
        except ValueError:
            seconds = math.nan
        else:
            seconds = parsed.timestamp() if parsed.tzinfo else math.nan
    if not math.isfinite(seconds):
        raise AuthError(
            "established_before: give a date with time and zone, such as 2026-11-27T14:00:00Z, or seconds since 1970."
        )
    return seconds


def has_credential(params: Mapping[str, Any]) -> bool:
    """Whether the options have a credential."""
    return any(params.get(name) for name in _CREDENTIAL[:3])


def credentials_of(
    clients: Clients, ids: Iterable[str], params: Mapping[str, Any], *, hide: Callable[[str], None]
) -> tuple[dict[str, Sequence[Credential]], dict[str, str]]:
    """Return the credentials of each group, none where the options have none, and the errors of groups without one."""
    credential: dict[str, Any] = {name: params.get(name) for name in _CREDENTIAL}
    if credential["auth_tokens"] is not None:
        credential["auth_tokens"] = by_group(credential["auth_tokens"])
    named = [{"name": _NAME, **credential}] if has_credential(params) else []
    read = fan_out(ids, lambda key: tuple(read_credentials(clients, named, key, hide).values()))
    errors = {key: str(found) for key, found in read.items() if isinstance(found, Exception)}
    return {key: found for key, found in read.items() if not isinstance(found, Exception)}, errors


def connections_all(
    clients: Clients,
    ids: Sequence[str],
    params: Mapping[str, Any],
    probing: Probing,
    *,
    before: float | None,
    hide: Callable[[str], None],
) -> list[GroupConnections]:
    """Return who is connected to each group. Raises :class:`AuthError` for what concerns no single group.

    ``before``: the moment that connections may predate; ``None``: each group's own, by its secret or its record.
    """
    begun = time.monotonic()
    told = {key: GroupConnections(key) for key in ids}
    groups: dict[str, Group] = {}
    for key, found in require_all(clients, ids).items():
        if isinstance(found, AuthError):
            told[key].error = str(found)
        elif not found.nodes:
            told[key].error = f"{key}: it has no node; its status is {found.status}."
        else:
            groups[key] = found
    credentials, errors = credentials_of(clients, groups, params, hide=hide)
    for key, moment_of in _moments(clients, [groups[key] for key in credentials], params, before).items():
        if isinstance(moment_of, Exception):
            errors[key] = str(moment_of)
            del credentials[key]
        else:
            told[key].established_before = moment_of
    for key, error in errors.items():
        told[key].error = error
    wanted = {key: Wanted(told[key].established_before) for key in credentials}
    for key, seen in ask_groups(clients, [groups[key] for key in credentials], credentials, wanted, probing).items():
        _conclude(told[key], seen)
    for group in told.values():
        group.duration = time.monotonic() - begun
    return list(told.values())


def _moments(
    clients: Clients, groups: Sequence[Group], params: Mapping[str, Any], before: float | None
) -> Mapping[str, float | Exception | None]:
    """Return the moment of each group: the one given, its secret's last change, or when its record was written."""
    source = params.get("auth_token_secret")
    if before is not None:
        return {group.id: before for group in groups}
    if not source:
        entries = read_records(clients, groups)
        return {key: entry.written_at if entry else None for key, entry in entries.items()}

    def changed_at(key: str) -> float | None:
        secret = describe_secret(clients, secret_name(source["name"], key), key)
        return secret.changed_at if secret else None

    return fan_out([group.id for group in groups], changed_at)


def _conclude(group: GroupConnections, seen: Seen) -> None:
    group.seen = seen
    total = seen.tally.total
    words = f"{total.connections} connection{'' if total.connections == 1 else 's'}"
    if group.established_before is not None:
        words += f"; {predating_in_words(seen.tally, 'the moment')}"
    if len(seen.errors) == len(seen.nodes):
        group.error = f"{group.id}: {seen.unheard}."
    elif seen.unheard:
        group.error = f"{group.id}: {seen.unheard}. The others have {words}."
    else:
        group.msg = f"{group.id}: {words}."
