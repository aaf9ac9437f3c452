# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather all that can be known of groups, without changing anything."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .._auth.observe import Observation, Probing, conclude, probe_groups
from .._auth.outcome import Progress, shown_evidence, shown_states
from .._auth.tokens import TokenSet
from .._aws import records
from .._aws.clients import Clients
from .._aws.errors import explain
from .._aws.groups import Group, describe_members, require_all, sweep_groups, with_endpoints
from .._core.errors import AuthError

Facts = dict[str, Any]


def gather(
    clients: Clients,
    ids: Sequence[str] | None,
    tokens: Mapping[str, TokenSet | AuthError],
    probing: Probing,
    *,
    record: bool,
) -> tuple[list[Progress], list[Facts]]:
    """Return the outcome of each group, and the facts of those that exist; without ``ids``, of the whole region.

    Raises :class:`AuthError` for what concerns no single group.
    """
    begun = time.monotonic()
    found: dict[str, Group | AuthError] = dict(_all_groups(clients)) if ids is None else require_all(clients, ids)
    problems = {key: group for key, group in found.items() if isinstance(group, AuthError)}
    problems |= {key: given for key, given in tokens.items() if isinstance(given, AuthError) and key in found}
    groups = {key: group for key, group in found.items() if isinstance(group, Group) and key not in problems}
    members = describe_members(clients, groups.values(), all_nodes=True)
    sets = {key: given if isinstance(given := tokens.get(key), TokenSet) else TokenSet() for key in groups}
    available = [group for group in groups.values() if group.status == "available"]
    tags = records.read_tags(clients, available, thorough=ids is not None) if record else {}
    settled = [group for group in available if group.settled]
    answers = probe_groups(clients, settled, sets, probing)

    progress, facts = [], []
    for key in found:
        seen_group = Progress(key, duration=time.monotonic() - begun)
        progress.append(seen_group)
        if key in problems:
            seen_group.error = str(problems[key])
            continue
        group = groups[key]
        seen: Observation | None = None
        if group.settled:
            try:
                entry = records.entry_in(tags.get(key, {}))
                seen = conclude(group, sets[key], entry, answers.get(key, ()), probing)
            except AuthError as error:
                seen_group.error = str(error)
                continue
            seen_group.drift = seen.belief.drift
            seen_group.before = seen_group.after = shown_states(seen.belief.states, group)
        seen_group.evidence = shown_evidence(group, seen.belief if seen else None, seen.answers if seen else ())
        seen_group.msg = (
            f"{key}: {', '.join(seen_group.before['possible_states']) if seen_group.before else group.pending}."
        )
        facts.append(_facts(group, members, tags.get(key), seen_group))
    return progress, facts


def _all_groups(clients: Clients) -> Mapping[str, Group]:
    try:
        return {group.id: group for group in sweep_groups(clients)}
    except Exception as error:
        raise AuthError(explain(error, "elasticache:DescribeReplicationGroups", clients.region)) from error


def _facts(
    group: Group, members: Mapping[str, Mapping[str, Any]], tags: Mapping[str, str] | None, progress: Progress
) -> Facts:
    age = None
    if group.token_date:
        moved = datetime.datetime.fromisoformat(group.token_date)
        age = round((datetime.datetime.now(datetime.timezone.utc) - moved).total_seconds() / 86400, 4)
    first = members.get(group.nodes[0].cache_cluster_id, {}) if group.nodes else {}
    raw = group.raw
    return {
        "replication_group_id": group.id,
        "arn": group.arn,
        "description": raw.get("Description"),
        "status": group.status,
        "pending": group.pending or None,
        "mode": (progress.before or {}).get("mode"),
        "access": progress.before,
        "evidence": progress.evidence,
        "drift": progress.drift,
        "auth_token_enabled": group.auth_token_enabled,
        "auth_token_last_modified_date": group.token_date,
        "auth_token_age_days": age,
        "user_group_ids": list(group.user_group_ids),
        "transit_encryption_mode": group.tls,
        "engine": group.engine,
        "engine_version": first.get("EngineVersion"),
        "cache_node_type": raw.get("CacheNodeType"),
        "cluster_enabled": group.cluster_enabled,
        "global_datastore_role": group.global_role.lower() or None,
        "created": group.created.isoformat() if group.created else None,
        "configuration_endpoint": _endpoint(raw.get("ConfigurationEndpoint")),
        "primary_endpoint": _endpoint(_first_node_group(raw).get("PrimaryEndpoint")),
        "reader_endpoint": _endpoint(_first_node_group(raw).get("ReaderEndpoint")),
        "nodes": [
            {
                "cache_cluster_id": node.cache_cluster_id,
                "node_group_id": node.node_group_id,
                "role": node.role or None,
                "endpoint": {"address": node.host, "port": node.port} if node.host else None,
            }
            for node in with_endpoints(group, members)
        ],
        "tags": dict(tags) if tags is not None else None,
    }


def _first_node_group(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    node_groups = raw.get("NodeGroups") or [{}]
    return {} if raw.get("ClusterEnabled") else dict(node_groups[0])


def _endpoint(raw: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {"address": raw.get("Address"), "port": raw.get("Port")} if raw else None
