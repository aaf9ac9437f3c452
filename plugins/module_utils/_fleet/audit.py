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
class Place:
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


def look(home: Clients, targets: Sequence[Place], probing: Probing) -> Seen:
    """Look at every place. What can't be looked at is told in ``incomplete``, and stops nothing else."""
    roles = list(dict.fromkeys(place.role for place in targets if place.role))
    assumed = fan_out(roles, lambda role: assume_role(home, role))

    def one(place: Place) -> Seen:
        credentials = assumed.get(place.role)
        if isinstance(credentials, Exception):
            raise credentials
        return _look(home.elsewhere(region=place.region or None, credentials=credentials), place, probing)

    seen = Seen()
    for place, found in fan_out(targets, one).items():
        if isinstance(found, Exception):
            seen.incomplete.append(with_role(_why(found), place.role))
            continue
        seen.groups += found.groups
        seen.users += found.users
        seen.incomplete += [with_role(text, place.role) for text in found.incomplete]
    seen.incomplete = list(dict.fromkeys(seen.incomplete))
    return seen


def _look(clients: Clients, place: Place, probing: Probing) -> Seen:
    seen = Seen()
    known = list(place.known)
    if place.find:
        ids = options.group_ids(place.ids) if place.ids else []
        found = survey(clients, Scope(ids=tuple(ids)))
        there = {str(one["replication_group_id"]).lower() for one in found}
        seen.incomplete += [f"{key}: there is no such group in {clients.region}." for key in ids if key not in there]
        seen.groups += [_as_host(one) for one in found]
        known += [str(one["replication_group_id"]) for one in found if not one["serverless"]]
    if known and probing.mode != "never":
        try:
            progress, facts = gather(clients, known, {}, probing, record=True)
        except AuthError as error:
            seen.incomplete.append(str(error))  # what was found so far is told all the same
        else:
            seen.groups += facts
            seen.incomplete += [f"{clients.region}: {one.error}" for one in progress if one.error]
    has_rbac = any(one.get(f"{PREFIX}user_group_ids") for one in seen.groups)
    if place.users or (place.users is None and has_rbac):
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
