# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role audit needs: the facts that hosts have, and where AWS is to be asked for more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.elasticache.auth.plugins.module_utils._core.posture import PREFIX, TELLING
from ansible_collections.elasticache.auth.plugins.plugin_utils._untrusted import returning_untrusted, untrusted

#: The inventory plugin makes this group, even where it finds nothing, and this variable.
_GROUP = "elasticache_replication_groups"
_FAILURES = "elasticache_inventory_failures"


def audit_facts(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the facts of the groups that ``hosts`` stand for, leaving out the hosts without any."""
    return [facts for host in hosts if (facts := _facts(host, hostvars[host]))]


def audit_sources(
    hosts: Sequence[str],
    hostvars: Mapping[str, Mapping[str, Any]],
    groups: Mapping[str, Sequence[str]],
    ids: Sequence[str] = (),
    regions: Sequence[str] = (),
    probe: bool = False,
    users: bool = True,
) -> dict[str, Any]:
    """Return the facts that hosts have, and where AWS is to be asked for more, a target an account and region.

    ``hosts``: those of the play. ``ids``, ``regions``: what to ask for where that is not to be taken from hosts.
    """
    if ids and len(regions) > 1:
        raise AnsibleFilterError(
            "audit_replication_groups: ids are looked for in one region, and audit_regions has several. Name one."
        )
    if ids or regions:
        return _sources([], _finding(ids, regions, users))
    if list(hosts) == ["localhost"] and not _telling(hostvars["localhost"]):
        # A play on localhost takes the whole inventory. Only where that has no group at all, AWS is asked for all.
        facts = audit_facts(groups.get("all", ()), hostvars)
        if not facts and _GROUP not in groups:
            return _sources([], _finding((), (), users))
        return _sources(facts, _targets(facts, probe, users), _missing(hostvars["localhost"]))
    facts = audit_facts(hosts, hostvars)
    bare = [str(hostvars[host].get("replication_group_id", host)) for host in hosts if not _telling(hostvars[host])]
    missing = _missing(hostvars[hosts[0]]) if hosts else []
    return _sources(facts, [*_targets(facts, probe, users), *(_finding(bare, (), users) if bare else [])], missing)


def audit_groups(sources: Mapping[str, Any], looked: Mapping[str, Any]) -> str:
    """Return the facts of hosts, and on top of them those that were looked up, as text."""
    return _text(json.loads(sources["facts"]) + list(looked.get("replication_groups") or ()))


def _sources(facts: list[dict[str, Any]], targets: list[dict[str, Any]], missing: Iterable[str] = ()) -> dict[str, Any]:
    return {"facts": _text(facts), "targets": targets, "incomplete": list(missing)}


def _text(facts: Sequence[Mapping[str, Any]]) -> str:
    """Return facts as JSON: Ansible passes one text in no time, but looks for templates in every one of a thousand.

    It begins with a space: before ansible-core 2.19 a text that begins like a list becomes one, by Python's rules,
    where JSON's escapes are other characters.
    """
    text: str = untrusted(f" {json.dumps(facts, default=str)}")
    return text


def _telling(variables: Mapping[str, Any]) -> bool:
    return any(name in variables for name in TELLING)


def _facts(host: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    if not _telling(variables):
        return {}
    facts = {name: variables[name] for name in variables if name.startswith(PREFIX) and name != _FAILURES}
    return {"replication_group_id": variables.get("replication_group_id", host), **facts}


def _missing(variables: Mapping[str, Any]) -> list[str]:
    """Return what the inventory plugin could not look at, in words."""
    found = []
    for failure in variables.get(_FAILURES) or ():
        source = (failure.get("region") or "every region", failure.get("account_id") or failure.get("assume_role_arn"))
        found.append(f"{', '.join(map(str, filter(None, source)))}: {failure.get('error')}")
    return found


def _targets(facts: Iterable[Mapping[str, Any]], probe: bool, users: bool) -> list[dict[str, Any]]:
    """Return where AWS is to be asked about groups that are known already: for their nodes' answers, and for users."""
    targets: dict[tuple[str, str], dict[str, Any]] = {}
    for group in facts:
        region, role = (str(group.get(f"{PREFIX}{name}") or "") for name in ("region", "assume_role_arn"))
        target = targets.setdefault(
            (region, role), {"region": region, "assume_role_arn": role, "known": [], "users": False}
        )
        target["users"] = target["users"] or (users and bool(group.get(f"{PREFIX}user_group_ids")))
        if probe and not group.get(f"{PREFIX}serverless"):
            target["known"].append(str(group["replication_group_id"]))
    return [target for target in targets.values() if target["known"] or target["users"]]


def _finding(ids: Sequence[str], regions: Sequence[str], users: bool) -> list[dict[str, Any]]:
    """Return where to find groups that nothing is known of; without ``ids`` all. Users as their user groups tell."""
    target = {"find": True, "replication_group_ids": list(ids), **({} if users else {"users": False})}
    return [{**target, "region": region} for region in regions or ("",)]


class FilterModule:
    """The filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        filters: dict[str, Callable[..., Any]] = {
            "audit_facts": audit_facts,
            "audit_groups": audit_groups,
            "audit_sources": audit_sources,
        }
        return {name: returning_untrusted(function) for name, function in filters.items()}
