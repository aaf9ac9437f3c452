# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Tags on ElastiCache's resources. Refused while a replication group is not available (elasticache-facts §3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .model import AVAILABLE, CacheCluster, Group, ParameterGroup, ServerlessCache, SubnetGroup, User, UserGroup
from .refusals import Refusal
from .world import Store

Tagged = Group | User | UserGroup | CacheCluster | ServerlessCache | SubnetGroup | ParameterGroup


def parse_tags(tags: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """A request's tags by key."""
    parsed = {str(tag.get("Key", "")): str(tag.get("Value") or "") for tag in tags}
    for key, value in parsed.items():
        if not 1 <= len(key) <= 128 or len(value) > 256 or key.lower().startswith("aws:"):
            raise Refusal.BAD_TAG.error()
    if len(parsed) > 50:
        raise Refusal.TAG_QUOTA.error()
    return parsed


def shown_tags(tags: Mapping[str, str]) -> dict[str, Any]:
    """The answer of all three actions."""
    return {"TagList": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}


def find(store: Store, arn: str | None) -> Tagged:
    """The resource of that ARN. A group's member has the group's tags; both are refused while it is not available."""
    parts = (arn or "").split(":")
    if len(parts) != 7 or parts[:5] != store.arn("", "").split(":")[:5]:
        raise Refusal.BAD_ARN.error(arn=arn)
    kind, identifier = parts[5], parts[6].lower()
    if kind == "cluster" and identifier not in store.clusters:
        owner = next((g for g in store.groups.values() if identifier in [node.cluster_id for node in g.nodes]), None)
        if owner is None:
            raise Refusal.NO_CLUSTER.error(id=parts[6])
        return _available(owner)
    if kind == "replicationgroup":
        return _available(store.group(parts[6]))
    if kind == "user":
        return store.user(parts[6])
    if kind == "usergroup":
        return store.user_group(parts[6])
    if kind == "cluster":
        return store.clusters[identifier]
    if kind == "serverlesscache":
        if identifier not in store.serverless:
            raise Refusal.NO_SERVERLESS.error(id=parts[6])
        return store.serverless[identifier]
    if kind == "subnetgroup":
        return store.subnet_group(parts[6])
    if kind == "parametergroup":
        return store.parameter_group(parts[6])
    raise Refusal.BAD_ARN.error(arn=arn)


def _available(group: Group) -> Group:
    if group.status != AVAILABLE:
        raise Refusal.TAGS_NOT_AVAILABLE.error()
    return group


def add(resource: Tagged, tags: Mapping[str, str]) -> None:
    """Add or overwrite tags; at most 50 stay."""
    if len({**resource.tags, **tags}) > 50:
        raise Refusal.TAG_QUOTA.error()
    resource.tags.update(tags)
    resource.ever_tagged = resource.ever_tagged or bool(tags)


def remove(resource: Tagged, keys: Sequence[str]) -> None:
    """Remove tags, all or none: ``TagNotFound`` where one isn't there."""
    for key in keys:
        if key not in resource.tags:
            raise Refusal.NO_TAG.error(key=key, arn=resource.arn)
    for key in keys:
        resource.tags.pop(key, None)
