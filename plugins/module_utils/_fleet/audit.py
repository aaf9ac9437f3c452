# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look at all that an audit has to ask AWS and the nodes for, in several regions and accounts at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict

from .._auth import options
from .._auth.common_errors import with_role
from .._auth.observe import Probing
from .._aws.accounts import assume_role
from .._aws.clients import Clients
from .._aws.errors import explain
from .._aws.users import sweep_users
from .._core.errors import AuthError
from .._core.posture import PREFIX
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


@dataclass
class Seen:
    """What was seen. ``groups`` are facts of either form that the audit reads, later ones of the same group on top."""

    groups: list[dict[str, Any]] = field(default_factory=list)
    users: list[dict[str, Any]] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)


def look_at_targets(home: Clients, targets: Sequence[AuditTarget], probing: Probing) -> Seen:
    """Look at every target. What can't be looked at is in ``incomplete``, and stops nothing else."""
    roles = list(dict.fromkeys(target.role for target in targets if target.role))
    assumed = fan_out(roles, lambda role: assume_role(home, role))

    def look_at(target: AuditTarget) -> Seen:
        credentials = assumed.get(target.role)
        if isinstance(credentials, Exception):
            raise credentials
        return _look_at(home.elsewhere(region=target.region or None, credentials=credentials), target, probing)

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


def _look_at(clients: Clients, target: AuditTarget, probing: Probing) -> Seen:
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
            seen.groups += facts
            seen.incomplete += [f"{clients.region}: {look_at.error}" for look_at in progress if look_at.error]
    has_rbac = any(look_at.get(f"{PREFIX}user_group_ids") for look_at in seen.groups)
    if target.users or (target.users is None and has_rbac):
        try:
            seen.users += [camel_dict_to_snake_dict(user.raw) for user in sweep_users(clients)]
        except Exception as error:
            seen.incomplete.append(explain(error, "elasticache:DescribeUsers", clients.region))
    return seen


def _as_host(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as the inventory plugin makes them a host's variables."""
    told = {f"{PREFIX}{name}": value for name, value in facts.items() if name != "replication_group_id"}
    return {"replication_group_id": facts["replication_group_id"], **told}


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, AuthError) else f"{type(error).__name__}: {error}"
