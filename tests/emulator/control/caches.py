# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The other kinds of cache: cache clusters, serverless caches and global datastores, as far as AUTH has to know them.

Functions here are called with the world's lock held.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import paging, rules, views
from .model import AVAILABLE, DELETING, CacheCluster, GlobalGroup, Group, ServerlessCache, now
from .refusals import Refusal
from .tags import parse_tags
from .world import Store, World

Parameters = Mapping[str, Any]
#: AWS puts a prefix of five letters, one per region, before the suffix that the user chooses.
GLOBAL_PREFIX = "ldgnf-"
_MEMCACHED_VERSION = "1.6.22"


def create_cluster(world: World, store: Store, parameters: Parameters) -> dict[str, Any]:
    """CreateCacheCluster: the refusals of elasticache-facts §3; what remains is a cluster without AUTH."""
    cluster_id = rules.check_identifier("CacheClusterId", parameters.get("CacheClusterId"))
    engine = (parameters.get("Engine") or "memcached").lower()
    if engine == "valkey":
        raise Refusal.CACHE_CLUSTER_VALKEY.error()
    if engine not in ("redis", "memcached"):
        raise Refusal.INVALID_VALUE.error(name="Engine")
    if parameters.get("ReplicationGroupId"):
        raise Refusal.COMBINATION.error(why="The emulator adds no replica to an existing replication group.")
    tls = bool(parameters.get("TransitEncryptionEnabled"))
    if engine == "redis" and tls:
        raise Refusal.CACHE_CLUSTER_TLS.error()
    if parameters.get("AuthToken") is not None:
        raise Refusal.CREATE_TOKEN_WITHOUT_TLS.error()
    taken = {node.cluster_id for group in store.groups.values() for node in group.nodes}
    if cluster_id in store.clusters or cluster_id in taken:
        raise Refusal.CLUSTER_EXISTS.error(id=cluster_id)
    if not parameters.get("CacheNodeType"):
        raise Refusal.MISSING.error(name="CacheNodeType")
    most = 1 if engine == "redis" else 40
    nodes = rules.check_range("NumCacheNodes", parameters.get("NumCacheNodes"), 1, most) or 1
    if engine == "redis":
        version = rules.full_version(engine, parameters.get("EngineVersion"))
        family = rules.parameter_family(engine, version)
    else:
        version, family = parameters.get("EngineVersion") or _MEMCACHED_VERSION, "memcached1.6"
    tags = parse_tags(parameters.get("Tags") or [])
    cluster = CacheCluster(
        id=cluster_id,
        arn=store.arn("cluster", cluster_id),
        created=now(),
        engine=engine,
        version=version,
        node_type=parameters["CacheNodeType"],
        nodes=nodes,
        port=rules.check_range("Port", parameters.get("Port"), 1, 65535) or (6379 if engine == "redis" else 11211),
        tls=tls,
        parameter_group=parameters.get("CacheParameterGroupName") or f"default.{family}",
        tags=tags,
        ever_tagged=bool(tags),
    )
    store.clusters[cluster_id] = cluster

    def finish() -> None:
        with world.lock:
            cluster.status = AVAILABLE

    world.later(store, "CreateCacheCluster", cluster_id, world.timing.create_seconds, finish)
    return views.standalone_cluster(cluster)


def delete_cluster(world: World, store: Store, parameters: Parameters) -> dict[str, Any]:
    """DeleteCacheCluster: of a cluster that is in no replication group."""
    identifier = (parameters.get("CacheClusterId") or "").lower()
    cluster = store.clusters.get(identifier)
    if cluster is None:
        member = any(node.cluster_id == identifier for group in store.groups.values() for node in group.nodes)
        raise (Refusal.CLUSTER_STATE if member else Refusal.NO_CLUSTER).error(id=identifier)
    if cluster.status != AVAILABLE:
        raise Refusal.CLUSTER_STATE.error(id=identifier)
    cluster.status = DELETING

    def finish() -> None:
        with world.lock:
            store.clusters.pop(identifier, None)

    world.later(store, "DeleteCacheCluster", identifier, world.timing.create_seconds, finish)
    return views.standalone_cluster(cluster)


def _member_clusters(group: Group) -> list[dict[str, Any]]:
    if group.cluster_views is None:
        group.cluster_views = views.member_clusters(group)
    return group.cluster_views


def describe_clusters(world: World, store: Store, parameters: Parameters) -> tuple[list[dict[str, Any]], str | None]:
    """DescribeCacheClusters: the nodes of all groups, and the clusters that are in none."""
    identifier = (parameters.get("CacheClusterId") or "").lower()
    found = [views.standalone_cluster(cluster) for cluster in store.clusters.values()]
    if not parameters.get("ShowCacheClustersNotInReplicationGroups"):
        for group in store.groups.values():
            found.extend(_member_clusters(group))
    if identifier:
        found = [cluster for cluster in found if cluster["CacheClusterId"] == identifier]
        if not found:
            raise Refusal.NO_CLUSTER.error(id=identifier)
    chosen, marker = paging.page(
        found,
        lambda cluster: cluster["CacheClusterId"],
        marker=parameters.get("Marker"),
        max_records=parameters.get("MaxRecords"),
    )
    if not parameters.get("ShowCacheNodeInfo"):
        chosen = [{name: value for name, value in item.items() if name != "CacheNodes"} for item in chosen]
    return chosen, marker


def create_serverless(world: World, store: Store, parameters: Parameters) -> dict[str, Any]:
    """CreateServerlessCache: it takes a user group, never a token (elasticache-facts §5)."""
    name = rules.check_identifier("ServerlessCacheName", parameters.get("ServerlessCacheName"))
    if name in store.serverless:
        raise Refusal.SERVERLESS_EXISTS.error(id=name)
    engine = (parameters.get("Engine") or "").lower()
    if engine not in ("redis", "valkey", "memcached"):
        raise Refusal.INVALID_VALUE.error(name="Engine")
    user_group_id = (parameters.get("UserGroupId") or "").lower() or None
    if user_group_id is not None:
        store.user_group(user_group_id)
    tags = parse_tags(parameters.get("Tags") or [])
    cache = ServerlessCache(
        id=name,
        arn=store.arn("serverlesscache", name),
        created=now(),
        engine=engine,
        major_version=parameters.get("MajorEngineVersion") or {"valkey": "8", "redis": "7"}.get(engine, "1.6"),
        description=parameters.get("Description"),
        user_group_id=user_group_id,
        tags=tags,
        ever_tagged=bool(tags),
    )
    store.serverless[name] = cache

    def finish() -> None:
        with world.lock:
            cache.status = AVAILABLE

    world.later(store, "CreateServerlessCache", name, world.timing.create_seconds, finish)
    return views.serverless_cache(cache)


def _serverless(store: Store, parameters: Parameters) -> ServerlessCache:
    name = parameters.get("ServerlessCacheName") or ""
    if name.lower() not in store.serverless:
        raise Refusal.NO_SERVERLESS.error(id=name)
    return store.serverless[name.lower()]


def describe_serverless(world: World, store: Store, parameters: Parameters) -> tuple[list[dict[str, Any]], str | None]:
    """DescribeServerlessCaches: a page of 50–100, and the next one's token."""
    size = rules.check_range("MaxResults", parameters.get("MaxResults"), 50, 100) or 50
    named = parameters.get("ServerlessCacheName")
    chosen, token = paging.page(
        [_serverless(store, parameters)] if named else store.serverless.values(),
        lambda cache: cache.id,
        marker=parameters.get("NextToken"),
        max_records=size,
    )
    return [views.serverless_cache(cache) for cache in chosen], token


def delete_serverless(world: World, store: Store, parameters: Parameters) -> dict[str, Any]:
    """DeleteServerlessCache."""
    cache = _serverless(store, parameters)
    if cache.status != AVAILABLE:
        raise Refusal.SERVERLESS_STATE.error(id=cache.id)
    cache.status = DELETING

    def finish() -> None:
        with world.lock:
            store.serverless.pop(cache.id, None)

    world.later(store, "DeleteServerlessCache", cache.id, world.timing.create_seconds, finish)
    return views.serverless_cache(cache)


def create_global(world: World, store: Store, parameters: Parameters) -> dict[str, Any]:
    """CreateGlobalReplicationGroup: makes an existing group the primary of a global datastore."""
    suffix = rules.check_identifier("GlobalReplicationGroupIdSuffix", parameters.get("GlobalReplicationGroupIdSuffix"))
    identifier = GLOBAL_PREFIX + suffix
    key = (store.account, identifier)
    if key in world.global_groups:
        raise Refusal.GLOBAL_EXISTS.error(id=identifier)
    primary = store.group(parameters.get("PrimaryReplicationGroupId"))
    if primary.status != AVAILABLE:
        raise Refusal.MODIFY_NOT_AVAILABLE.error()
    if primary.global_id is not None:
        raise Refusal.IN_GLOBAL_GROUP.error(id=primary.id)
    if primary.access.user_group_ids:
        raise Refusal.COMBINATION.error(why="A global replication group can't have user groups in the emulator.")
    primary.global_id, primary.global_role = identifier, "PRIMARY"
    world.record(primary, "CreateGlobalReplicationGroup")
    group = GlobalGroup(
        id=identifier,
        arn=f"arn:{store.partition}:elasticache::{store.account}:globalreplicationgroup:{identifier}",
        description=parameters.get("GlobalReplicationGroupDescription") or "",
        account=store.account,
        members=[primary],
    )
    world.global_groups[key] = group
    return views.global_group(group, with_members=True)


def describe_global(world: World, store: Store, parameters: Parameters) -> tuple[list[dict[str, Any]], str | None]:
    """DescribeGlobalReplicationGroups: of the account, whatever the region."""
    found = [group for (account, dummy), group in world.global_groups.items() if account == store.account]
    identifier = parameters.get("GlobalReplicationGroupId")
    if identifier:
        found = [group for group in found if group.id == identifier]
        if not found:
            raise Refusal.NO_GLOBAL.error(id=identifier)
    chosen, marker = paging.page(
        found, lambda group: group.id, marker=parameters.get("Marker"), max_records=parameters.get("MaxRecords")
    )
    with_members = bool(parameters.get("ShowMemberInfo"))
    return [views.global_group(group, with_members=with_members) for group in chosen], marker
