# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look at all that an audit has to ask AWS and the nodes for, in several regions and accounts at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict

from .._auth import options
from .._auth.client_connections import GroupConnections, connections_all
from .._auth.common_errors import with_role
from .._auth.observe import Probing
from .._aws.accounts import assume_role
from .._aws.clients import Clients
from .._aws.errors import explain
from .._aws.users import sweep_users
from .._core.client_connections import predating_in_words
from .._core.errors import AuthError
from .._core.half_way import HalfWay
from .._core.posture import PREFIX
from .._core.states import Mode
from .._data_plane.connections import Told
from .._fan_out import fan_out
from .facts import gather
from .survey import Scope, survey


@dataclass(frozen=True)
class AuditTarget:
    """What to look at in one region of one account.

    ``region`` and ``role`` are empty for those of the caller. ``known``: ids of groups whose facts are at hand, and
    whose nodes are to be asked. ``ids``: those to find, all where it is empty, if ``find`` is set. ``users``: whether
    to look at the users; ``None``: where the groups that are found have user groups.
    """

    region: str = ""
    role: str = ""
    known: tuple[str, ...] = ()
    find: bool = False
    ids: tuple[str, ...] = ()
    users: bool | None = None


@dataclass(frozen=True)
class Secrets:
    """Where the tokens of groups are: ``source`` is the option ``auth_token_secret``.

    ``hide`` is called with each token that is read, so that no result can show it.
    """

    source: Mapping[str, Any]
    hide: Callable[[str], None]


@dataclass
class Seen:
    """What was seen. ``groups`` are facts of either form that the audit reads, later ones of the same group on top."""

    groups: list[dict[str, Any]] = field(default_factory=list)
    users: list[dict[str, Any]] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)


def look_at_targets(
    home: Clients, targets: Sequence[AuditTarget], probing: Probing, secrets: Secrets | None = None
) -> Seen:
    """Look at every target. What can't be looked at is in ``incomplete``, and stops nothing else.

    With ``secrets``, the nodes of groups whose rotation is half-way are asked who is connected.
    """
    roles = list(dict.fromkeys(target.role for target in targets if target.role))
    assumed = fan_out(roles, lambda role: assume_role(home, role))

    def look_at(target: AuditTarget) -> Seen:
        credentials = assumed.get(target.role)
        if isinstance(credentials, Exception):
            raise credentials
        return _look_at(home.elsewhere(region=target.region or None, credentials=credentials), target, probing, secrets)

    seen = Seen()
    for target, found in fan_out(targets, look_at).items():
        if isinstance(found, Exception):
            seen.incomplete.append(with_role(_why(found), target.role))
            continue
        seen.groups += found.groups
        seen.users += found.users
        seen.incomplete += [with_role(text, target.role) for text in found.incomplete]
    seen.incomplete = list(dict.fromkeys(seen.incomplete))
    return seen


def _look_at(clients: Clients, target: AuditTarget, probing: Probing, secrets: Secrets | None) -> Seen:
    seen = Seen()
    known = list(target.known)
    if target.find:
        ids = options.group_ids(target.ids) if target.ids else []
        found = survey(clients, Scope(ids=tuple(ids)))
        there = {str(look_at["replication_group_id"]).lower() for look_at in found}
        seen.incomplete += [f"{key}: there is no such group in {clients.region}." for key in ids if key not in there]
        seen.groups += [_as_host(look_at) for look_at in found]
        known += [str(look_at["replication_group_id"]) for look_at in found if not look_at["serverless"]]
    if known and probing.mode != "never":
        try:
            progress, facts = gather(clients, known, {}, probing, record=True)
        except AuthError as error:
            seen.incomplete.append(str(error))  # what was found so far is told all the same
        else:
            if secrets:
                seen.incomplete += _ask_half_way(clients, facts, probing, secrets)
            seen.groups += facts
            seen.incomplete += [f"{clients.region}: {look_at.error}" for look_at in progress if look_at.error]
    has_rbac = any(look_at.get(f"{PREFIX}user_group_ids") for look_at in seen.groups)
    if target.users or (target.users is None and has_rbac):
        try:
            seen.users += [camel_dict_to_snake_dict(user.raw) for user in sweep_users(clients)]
        except Exception as error:
            seen.incomplete.append(explain(error, "elasticache:DescribeUsers", clients.region))
    return seen


def _ask_half_way(clients: Clients, facts: Sequence[dict[str, Any]], probing: Probing, secrets: Secrets) -> list[str]:
    """Put into the facts of groups whose rotation is half-way who is connected to them; return what went wrong."""
    half_way = {look_at["replication_group_id"]: look_at for look_at in facts if look_at["mode"] == Mode.ROTATING.value}
    if not half_way:
        return []
    params = {"auth_token_secret": secrets.source}
    try:
        told = connections_all(clients, list(half_way), params, probing, before=None, hide=secrets.hide)
    except Exception as error:  # of all groups of the target at once
        for look_at in half_way.values():
            look_at["client_connections"] = HalfWay(error=_why(error)).told()
        return [f"{clients.region}: who is connected to groups whose rotation is half-way: {_why(error)}"]
    wrong = []
    for group in told:
        half_way[group.id]["client_connections"] = _half_way(group).told()
        # As for the question of access: with auto, nodes that the network does not lead to are no fault of the audit.
        silent = {node.told for node in group.seen.nodes} - {Told.ANSWERED}
        if group.error and not (silent == {Told.UNREACHABLE} and probing.mode == "auto"):
            wrong.append(f"{clients.region}: who is connected: {group.error}")
    return wrong


def _half_way(group: GroupConnections) -> HalfWay:
    seen, tally = group.seen, group.seen.tally
    answered = sum(node.told is Told.ANSWERED for node in seen.nodes)
    error = (seen.unheard if seen.nodes else group.error or "it has no node").removeprefix(f"{group.id}: ")
    if not answered:
        return HalfWay(error=error, nodes=len(seen.nodes))
    if group.established_before is None:
        summary = f"{tally.total.connections} connections; when the new token could be read is not known"
        return HalfWay(summary, error, tally.total.connections, nodes=len(seen.nodes), nodes_answered=answered)
    # Without ages: a report says something new when the facts do.
    clients = tuple(
        {name: row[name] for name in ("address", "user", "library", "library_version", "predating")}
        for row in tally.told()
        if row["predating"]
    )
    return HalfWay(
        predating_in_words(tally),
        error,
        tally.total.connections,
        tally.total.predating,
        clients,
        tally.total.predating - sum(int(str(client["predating"])) for client in clients),
        len(seen.nodes),
        answered,
    )


def _as_host(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as the inventory plugin makes them a host's variables."""
    told = {f"{PREFIX}{name}": value for name, value in facts.items() if name != "replication_group_id"}
    return {"replication_group_id": facts["replication_group_id"], **told}


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, AuthError) else f"{type(error).__name__}: {error}"
