# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the hosts of a play, or a list in a role's variable, to targets: groups by region and account; and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.lists import (
    GROUPS,
    is_id,
    kind_of,
    one_or_more,
    shown,
)
from ansible_collections.elasticache.auth.plugins.module_utils._operation.run_file import (
    Key,
    group_key,
    group_key_in,
    reports_of_wave,
)

HostVars = Mapping[str, Mapping[str, Any]]
Target = dict[str, Any]

#: What tells where a group is; of hosts with C(elasticache_) before it.
_PLACE = ("region", "assume_role_arn")


def groups_of_hosts(hosts: Iterable[str], hostvars: HostVars) -> list[str]:
    """Return the ids of the groups that ``hosts`` stand for: C(replication_group_id), or else the host's name.

    Raises :class:`AuthError` for what is no id.
    """
    given = {host: hostvars[host].get("replication_group_id", host) for host in hosts}
    if list(given.values()) == ["localhost"]:
        raise AuthError(
            "localhost is no replication group. Name groups in the role's variable that ends in _replication_groups, "
            "or run the play on hosts that stand for groups."
        )
    for host, key in given.items():
        if not isinstance(key, str) or not is_id(key):
            what = "replication_group_id" if "replication_group_id" in hostvars[host] else "the name of the host"
            raise AuthError(
                f"{host}: {what}, {shown(key) if isinstance(key, str) else kind_of(key)}, is not {GROUPS.name}. "
                f"{GROUPS.rule} Set the variable replication_group_id of the host to one id."
            )
    return [group_of(host, hostvars[host]) for host in given]


def group_of(host: str, variables: Mapping[str, Any]) -> str:
    """Return the id of the group that a host would stand for."""
    return str(variables.get("replication_group_id", host)).strip().lower()


def place_of(variables: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the region and the role that a host names; an empty text for what it does not."""
    return tuple(str(variables.get(f"elasticache_{part}") or "") for part in _PLACE)


def key_of_host(host: str, variables: Mapping[str, Any]) -> Key:
    """Return what the group is known by that a host would stand for, as :func:`group_key` has it."""
    return group_key(group_of(host, variables), *place_of(variables))


def targets_of(name: str, groups: object, hosts: Sequence[str], hostvars: HostVars) -> list[Target]:
    """Return the targets of ``groups``, as auth_operation takes them.

    A host says where its group is in C(elasticache_region) and C(elasticache_assume_role_arn). All groups are in one
    place where all hosts name the same one, but for those that say themselves where they are. ``name``: the variable
    that lists the groups. Raises :class:`AuthError`.
    """
    listed = [_entry(name, entry) for entry in one_or_more(name, groups, GROUPS, dicts=True)]
    at = {host: place_of(hostvars[host]) for host in hosts}
    elsewhere = next((entry for entry in listed if any(entry[part] for part in _PLACE)), None)
    if elsewhere and len(at) > 1:
        raise AuthError(
            f"{name}: {_where(elsewhere)} is named there, but {len(at)} hosts are in the play, and a host says "
            "itself where its group is. Give ids only, or run the play on localhost."
        )
    if len(set(at.values())) == 1:
        own = next(iter(at.values()))
        return targets_at(
            (key, *(entry[part] or here for part, here in zip(_PLACE, own, strict=True)))
            for entry in listed
            for key in entry["replication_group_ids"]
        )
    wanted = {key for entry in listed for key in entry["replication_group_ids"]}
    # Several hosts may stand for one group.
    standing_for = dict.fromkeys((group_of(host, hostvars[host]), *place) for host, place in at.items())
    return targets_at(found for found in standing_for if found[0] in wanted)


def targets_at(groups: Iterable[tuple[str, ...]]) -> list[Target]:
    """Return the targets of groups of which each has its id, its region and its role; these are empty if not named."""
    targets: dict[tuple[str, ...], Target] = {}
    for key, *place in groups:
        at = tuple(part or "" for part in place)
        new = {**dict(zip(_PLACE, at, strict=True)), "replication_group_ids": []}
        targets.setdefault(at, new)["replication_group_ids"].append(key)
    return list(targets.values())


def keys_in(target: Target) -> list[Key]:
    """Return what the groups of a target are known by, as :func:`group_key` has it."""
    return [group_key(key, *(target[part] for part in _PLACE)) for key in target["replication_group_ids"]]


def _entry(name: str, given: str | Mapping[str, Any]) -> Target:
    """Return an entry of the list ``name``, an id or a mapping, as a target. Raises :class:`AuthError`."""
    if not isinstance(given, Mapping):
        given = {"replication_group_ids": [given]}
    unknown = sorted(set(map(str, given)) - {"replication_group_ids", *_PLACE})
    ids = given.get("replication_group_ids")
    if unknown or not ids:
        what = f"it has {', '.join(unknown)}" if unknown else "replication_group_ids is missing or empty"
        raise AuthError(
            f"{name}: {_where(given)}: {what}. An entry is an id, or the groups of another region or account: "
            "replication_group_ids, with region or assume_role_arn or both."
        )
    try:
        ids = one_or_more("replication_group_ids", ids, GROUPS, variable=False)
    except AuthError as error:
        raise AuthError(f"{name}: {_where(given)}: {error}") from None
    return {
        **{part: str(given.get(part) or "") for part in _PLACE},
        "replication_group_ids": [key.lower() for key in ids],
    }


def _where(given: Mapping[str, Any]) -> str:
    place = [str(given[part]) for part in _PLACE if given.get(part)]
    return ", ".join(place) or "an entry without a region"


def without_host(targets: Iterable[Target], hosts: Iterable[str], hostvars: HostVars) -> list[str]:
    """Return the ids of those groups that no host speaks for, as :func:`reports_of_host` has it."""
    keys = [key for target in targets for key in keys_in(target)]
    return sorted({key[0] for key in set(keys) - keys_of_hosts(keys, hosts, hostvars)})


def keys_of_hosts(keys: Iterable[Key], hosts: Iterable[str], hostvars: HostVars) -> set[Key]:
    """Return those ``keys`` of groups that one of ``hosts`` speaks for, as :func:`reports_of_host` has it."""
    by_id: dict[str, set[Key]] = {}
    for key in keys:
        by_id.setdefault(key[0], set()).add(key)
    found: set[Key] = set()
    for host in hosts:
        own = key_of_host(host, hostvars[host])
        if own[0] not in by_id:
            return set().union(*by_id.values())  # it speaks for all
        found |= {own} & by_id[own[0]] or by_id[own[0]]
    return found


def reports_of_host(
    reports: Sequence[Mapping[str, Any]], host: str, variables: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    """Return the reports of those groups that ``host`` speaks for: its own, or all where it stands for none of them."""
    own = key_of_host(host, variables)
    named = [report for report in reports if report["replication_group_id"] == own[0]]
    there = [report for report in named if group_key_in(report) == own]
    return there or named or list(reports)


def reports_in_file(path: str, host: str, variables: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return, of the last wave in a run file, the reports of those groups that ``host`` speaks for.

    Raises OSError, and ValueError for what is no run file.
    """
    return reports_of_host(reports_of_wave(path, group_of(host, variables)), host, variables)
