# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Replication groups: create, describe, delete. (``modify.py`` has their modification.)

Functions here are called with the world's lock held; those named ``_finish…`` run later, on a worker, without it.
``parameters`` are a request's, by botocore's member names.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from emulator.access import TlsMode
from emulator.faults import FaultKind

from . import paging, rules
from .model import (
    ACTIVE,
    AVAILABLE,
    CREATE_FAILED,
    DELETING,
    SNAPSHOTTING,
    GlobalGroup,
    Group,
    GroupOptions,
    Node,
    NodeGroup,
    now,
)
from .refusals import Refusal
from .tags import parse_tags
from .transitions import AccessState, Engine, check_groups_attachable
from .world import Store, World

Parameters = Mapping[str, Any]
HASH_SLOTS = 16384


def set_status(group: Group, status: str) -> None:
    """The group's status, and its node groups'."""
    group.status = status
    for node_group in group.node_groups:
        node_group.status = status


def parse_tls(parameters: Parameters) -> TlsMode:
    """The mode that a creation asks for; ``required`` unless it says ``preferred``."""
    enabled = parameters.get("TransitEncryptionEnabled") or False
    mode = parameters.get("TransitEncryptionMode")
    if mode is not None:
        if not enabled:
            raise Refusal.TLS_MODE_WITHOUT_TLS.error()
        return parse_tls_mode(mode)
    return TlsMode.REQUIRED if enabled else TlsMode.OFF


def parse_tls_mode(mode: str) -> TlsMode:
    """``preferred`` or ``required``."""
    if mode not in ("preferred", "required"):
        raise Refusal.INVALID_VALUE.error(name="TransitEncryptionMode")
    return TlsMode(mode)


def parse_log_delivery(
    requests: Sequence[Parameters], current: Sequence[Mapping[str, Any]] = ()
) -> tuple[dict[str, Any], ...]:
    """The log deliveries after a request: by log type, ``Enabled: false`` removes one."""
    by_type = {item["LogType"]: dict(item) for item in current}
    for request in requests:
        log_type = request.get("LogType")
        if log_type not in ("slow-log", "engine-log"):
            raise Refusal.INVALID_VALUE.error(name="LogType")
        if request.get("Enabled") is False:
            by_type.pop(log_type, None)
            continue
        if not (request.get("DestinationType") and request.get("DestinationDetails") and request.get("LogFormat")):
            raise Refusal.MISSING.error(name="LogDeliveryConfigurations")
        names = ("LogType", "DestinationType", "DestinationDetails", "LogFormat")
        by_type[log_type] = {name: request[name] for name in names}
    return tuple(by_type[log_type] for log_type in sorted(by_type))


def check_user_groups(store: Store, identifiers: Sequence[str], engine: str) -> None:
    """Refuse user groups that aren't there, are busy, or are of the wrong engine (elasticache-facts §5)."""
    for identifier in identifiers:
        user_group = store.user_group(identifier)
        if user_group.status != ACTIVE:
            raise Refusal.USER_GROUP_BUSY.error(id=user_group.id, status=user_group.status)
        if engine == "redis" and user_group.engine != "redis":
            raise Refusal.GROUP_ENGINE.error(id=user_group.id, group_engine=user_group.engine, engine=engine)


def even_slots(node_groups: int) -> list[str]:
    """The hash slots of each node group, spread evenly."""
    share = HASH_SLOTS / node_groups
    bounds = [round(number * share) for number in range(node_groups + 1)]
    return [f"{low}-{high - 1}" for low, high in itertools.pairwise(bounds)]


def _layout(parameters: Parameters, *, cluster_enabled: bool) -> list[tuple[int, list[str]]]:
    """The number of nodes of every node group, and the zones asked for them."""
    configured = parameters.get("NodeGroupConfiguration") or []
    node_groups = rules.check_range("NumNodeGroups", parameters.get("NumNodeGroups"), 1, 500)
    replicas = rules.check_range("ReplicasPerNodeGroup", parameters.get("ReplicasPerNodeGroup"), 0, 5)
    clusters = rules.check_range("NumCacheClusters", parameters.get("NumCacheClusters"), 1, 6)
    if clusters is not None and (node_groups is not None or replicas is not None or configured):
        raise Refusal.COMBINATION.error(
            why="NumCacheClusters can't be combined with NumNodeGroups, ReplicasPerNodeGroup or NodeGroupConfiguration."
        )
    if clusters is not None:
        return [(clusters, list(parameters.get("PreferredCacheClusterAZs") or []))]
    count = node_groups or len(configured) or 1
    if configured and len(configured) != count:
        raise Refusal.COMBINATION.error(why="NodeGroupConfiguration must have NumNodeGroups members.")
    if count > 1 and not cluster_enabled:
        raise Refusal.COMBINATION.error(why="Several node groups require cluster mode to be enabled.")
    layout = []
    for number in range(count):
        item = configured[number] if configured else {}
        if item.get("Slots") not in (None, even_slots(count)[number]):
            raise Refusal.COMBINATION.error(why="The emulator spreads slots evenly over the node groups.")
        asked = rules.check_range("ReplicaCount", item.get("ReplicaCount"), 0, 5)
        zones = [item.get("PrimaryAvailabilityZone"), *(item.get("ReplicaAvailabilityZones") or [])]
        layout.append((1 + (asked if asked is not None else replicas or 0), [zone for zone in zones if zone]))
    return layout


def _node_groups(
    store: Store, group_id: str, layout: Sequence[tuple[int, list[str]]], *, cluster_enabled: bool
) -> list[NodeGroup]:
    slots = even_slots(len(layout))
    node_groups = []
    for number, (count, zones) in enumerate(layout, 1):
        prefix = f"{group_id}-{number:04}" if cluster_enabled else group_id
        nodes = [
            Node(f"{prefix}-{item + 1:03}", zones[item] if item < len(zones) else f"{store.region}{'abc'[item % 3]}")
            for item in range(count)
        ]
        node_groups.append(NodeGroup(f"{number:04}", slots[number - 1] if cluster_enabled else None, nodes))
    return node_groups


def _cluster_enabled(parameters: Parameters) -> bool:
    mode = parameters.get("ClusterMode")
    if mode not in (None, "enabled", "disabled", "compatible"):
        raise Refusal.INVALID_VALUE.error(name="ClusterMode")
    named = (parameters.get("CacheParameterGroupName") or "").endswith(".cluster.on")
    several = (parameters.get("NumNodeGroups") or len(parameters.get("NodeGroupConfiguration") or [])) > 1
    return mode == "enabled" or (mode is None and (named or several))


def _refuse_what_has_no_counterpart(parameters: Parameters) -> None:
    """Refuse members that would be lies here, as AWS does where the thing they name doesn't exist."""
    for name in ("SnapshotName", "ServerlessCacheSnapshotName", "SnapshotArns", "PrimaryClusterId"):
        if parameters.get(name):
            raise Refusal.INVALID_VALUE.error(name=name)


def _options(
    parameters: Parameters, engine: Engine, layout: Sequence[tuple[int, list[str]]], *, cluster_enabled: bool
) -> GroupOptions:
    description = parameters.get("ReplicationGroupDescription")
    if not description:
        raise Refusal.MISSING.error(name="ReplicationGroupDescription")
    failover = parameters.get("AutomaticFailoverEnabled")
    if cluster_enabled and failover is False:
        raise Refusal.COMBINATION.error(why="Automatic failover can't be disabled with cluster mode enabled.")
    options = GroupOptions(
        description=description,
        node_type=parameters.get("CacheNodeType") or "cache.t4g.micro",
        engine=engine,
        parameter_group=rules.check_parameter_group(
            parameters.get("CacheParameterGroupName"), engine.name, engine.version, cluster_enabled=cluster_enabled
        ),
        subnet_group=(parameters.get("CacheSubnetGroupName") or "default").lower(),
        security_group_ids=tuple(parameters.get("SecurityGroupIds") or ()),
        cache_security_groups=tuple(parameters.get("CacheSecurityGroupNames") or ()),
        port=rules.check_range("Port", parameters.get("Port"), 1, 65535) or 6379,
        automatic_failover=bool(failover) or cluster_enabled,
        multi_az=bool(parameters.get("MultiAZEnabled")),
        snapshot_retention_limit=rules.check_range(
            "SnapshotRetentionLimit", parameters.get("SnapshotRetentionLimit"), 0, 35
        )
        or 0,
        topic_arn=parameters.get("NotificationTopicArn"),
        auto_minor_version_upgrade=parameters.get("AutoMinorVersionUpgrade") is not False,
        at_rest_encryption=_at_rest_encryption(parameters, engine),
        kms_key_id=parameters.get("KmsKeyId"),
        log_delivery=parse_log_delivery(parameters.get("LogDeliveryConfigurations") or []),
        data_tiering=bool(parameters.get("DataTieringEnabled")),
        network_type=parameters.get("NetworkType") or "ipv4",
        ip_discovery=parameters.get("IpDiscovery") or "ipv4",
        cluster_mode=parameters.get("ClusterMode") or ("enabled" if cluster_enabled else "disabled"),
        durability=parameters.get("Durability"),
    )
    if parameters.get("SnapshotWindow"):
        options.snapshot_window = parameters["SnapshotWindow"]
    if parameters.get("PreferredMaintenanceWindow"):
        options.maintenance_window = parameters["PreferredMaintenanceWindow"]
    check_failover(options, sum(count for count, dummy in layout), cluster_enabled=cluster_enabled)
    if options.kms_key_id and not options.at_rest_encryption:
        raise Refusal.COMBINATION.error(why="KmsKeyId can only be provided with AtRestEncryptionEnabled.")
    return options


def _at_rest_encryption(parameters: Parameters, engine: Engine) -> bool:
    """Whether it is on: for Valkey by default, for Redis OSS only where it is asked for (elasticache-facts §5)."""
    asked = parameters.get("AtRestEncryptionEnabled")
    return engine.name == "valkey" if asked is None else bool(asked)


def check_failover(options: GroupOptions, nodes: int, *, cluster_enabled: bool) -> None:
    """Refuse automatic failover without a replica, and Multi-AZ without automatic failover."""
    if options.automatic_failover and nodes < 2 and not cluster_enabled:
        raise Refusal.COMBINATION.error(
            why="When using automatic failover, there must be at least 2 cache clusters in the replication group."
        )
    if options.multi_az and not options.automatic_failover:
        raise Refusal.COMBINATION.error(why="Multi-AZ requires automatic failover to be enabled.")


def _initial_access(store: Store, parameters: Parameters, engine: Engine, tls: TlsMode) -> AccessState:
    token = parameters.get("AuthToken")
    user_groups = tuple(item.lower() for item in parameters.get("UserGroupIds") or ())
    if token is not None and user_groups:
        raise Refusal.GROUP_WHILE_TOKEN.error()
    if token is not None:
        if tls is not TlsMode.REQUIRED:
            raise Refusal.CREATE_TOKEN_WITHOUT_TLS.error()
        if not rules.create_token_allowed(engine.name, engine.version):
            raise Refusal.CREATE_TOKEN_ENGINE.error(engine=engine.name, version=engine.version)
        rules.check_token(token)
        return AccessState((token,))
    if user_groups:
        check_groups_attachable(engine, tls)
        if len(user_groups) > 1:
            raise Refusal.SECOND_GROUP.error()
        check_user_groups(store, user_groups, engine.name)
        return AccessState((), user_groups)
    return AccessState()


def _secondary_of(world: World, store: Store, parameters: Parameters) -> GlobalGroup | None:
    identifier = parameters.get("GlobalReplicationGroupId")
    if identifier is None:
        return None
    global_group = world.global_groups.get((store.account, identifier))
    if global_group is None:
        raise Refusal.NO_GLOBAL.error(id=identifier)
    if any(member.region == store.region for member in global_group.members):
        raise Refusal.COMBINATION.error(why="A global replication group can have only one member in a region.")
    inherited = ("Engine", "EngineVersion", "CacheNodeType", "AuthToken", "UserGroupIds", "TransitEncryptionEnabled")
    for name in inherited:
        if parameters.get(name) is not None:
            raise Refusal.COMBINATION.error(why=f"{name} is inherited from the global replication group.")
    return global_group


def create(world: World, store: Store, parameters: Parameters) -> dict[str, Any]:
    """CreateReplicationGroup."""
    group_id = rules.check_identifier("ReplicationGroupId", parameters.get("ReplicationGroupId"))
    if group_id in store.groups:
        raise Refusal.GROUP_EXISTS.error(id=group_id)
    subnet_group = (parameters.get("CacheSubnetGroupName") or "default").lower()
    if subnet_group not in ("default", *store.subnet_groups):
        raise Refusal.NO_SUBNET_GROUP.error(id=subnet_group)
    _refuse_what_has_no_counterpart(parameters)
    global_group = _secondary_of(world, store, parameters)
    tags = parse_tags(parameters.get("Tags") or [])
    if global_group is None:
        name = rules.check_engine(parameters.get("Engine"))
        engine = Engine(name, rules.full_version(name, parameters.get("EngineVersion")))
        tls = parse_tls(parameters)
        access = _initial_access(store, parameters, engine, tls)
        cluster_enabled = _cluster_enabled(parameters)
    else:
        primary = global_group.members[0]
        engine, tls, access = primary.options.engine, primary.tls, primary.access
        cluster_enabled = primary.cluster_enabled
        parameters = {**parameters, "CacheNodeType": primary.options.node_type}
    layout = _layout(parameters, cluster_enabled=cluster_enabled)
    created = now()
    group = Group(
        id=group_id,
        arn=store.arn("replicationgroup", group_id),
        account=store.account,
        region=store.region,
        key=world.next_key(store, group_id),
        created=created,
        options=_options(parameters, engine, layout, cluster_enabled=cluster_enabled),
        cluster_enabled=cluster_enabled,
        node_groups=_node_groups(store, group_id, layout, cluster_enabled=cluster_enabled),
        tls=tls,
        access=access,
        token_date=created if access.token_on else None,
        tags=tags,
        ever_tagged=bool(tags),
    )
    if global_group is not None:
        group.global_id, group.global_role = global_group.id, "SECONDARY"
        global_group.members.append(group)
        global_group.status = "available"
    store.groups[group_id] = group
    world.record(group, "CreateReplicationGroup")
    failed = world.faults.strike(FaultKind.CREATE_FAILED, "CreateReplicationGroup", group_id) is not None
    _later(world, store, "CreateReplicationGroup", group_id, lambda: _finish_create(world, store, group, failed=failed))
    return group.views[-1][1]


def _later(world: World, store: Store, action: str, identifier: str, finish: Callable[[], None]) -> None:
    world.later(store, action, identifier, world.timing.create_seconds, finish)


def _finish_create(world: World, store: Store, group: Group, *, failed: bool) -> None:
    if failed:
        with world.lock:
            set_status(group, CREATE_FAILED)
            world.record(group, "creation failed")
        return
    with world.lock:
        access = store.access(group)
    layout = [len(node_group.nodes) for node_group in group.node_groups]
    try:
        endpoints = world.plane.create_group(
            group.key, layout, cluster_enabled=group.cluster_enabled, access=access, tls=group.tls
        )
    except Exception as error:
        with world.lock:
            group.plane_error = type(error).__name__
            set_status(group, CREATE_FAILED)
            world.record(group, "the data plane could not start the nodes")
        raise
    with world.lock:
        known = store.has(group) and world.stores.get((store.account, store.region)) is store
        if known:
            for node_group, addresses in zip(group.node_groups, endpoints, strict=True):
                for node, address in zip(node_group.nodes, addresses, strict=True):
                    node.endpoint = address
            group.on_plane = True
            set_status(group, AVAILABLE)
            world.record(group, "created")
    if not known:
        world.plane.delete_group(group.key)
    elif access.users is not None:
        world.enforce(store, group)  # the users may have changed while the nodes started


def _visible(world: World, group: Group) -> dict[str, Any]:
    fault = world.faults.strike(FaultKind.STALE_DESCRIBE, "DescribeReplicationGroups", group.id)
    if fault is not None:
        then = time.time() - fault.seconds
        return next((view for moment, view in reversed(group.views) if moment <= then), group.views[0][1])
    return group.views[-1][1]


def describe(world: World, store: Store, parameters: Parameters) -> tuple[list[dict[str, Any]], str | None]:
    """DescribeReplicationGroups: a page, and the next one's marker."""
    identifier = parameters.get("ReplicationGroupId")
    chosen, marker = paging.page(
        [store.group(identifier)] if identifier else store.groups.values(),
        lambda group: group.id,
        marker=parameters.get("Marker"),
        max_records=parameters.get("MaxRecords"),
    )
    return [_visible(world, group) for group in chosen], marker


def delete(world: World, store: Store, parameters: Parameters) -> dict[str, Any]:
    """DeleteReplicationGroup. With a final snapshot the group is ``snapshotting`` before it is ``deleting``."""
    group = store.group(parameters.get("ReplicationGroupId"))
    if group.status not in (AVAILABLE, CREATE_FAILED):
        raise Refusal.DELETE_NOT_AVAILABLE.error(id=group.id, status=group.status)
    if group.global_id is not None:
        raise Refusal.IN_GLOBAL_GROUP.error(id=group.id)
    if parameters.get("RetainPrimaryCluster"):
        raise Refusal.COMBINATION.error(
            why="RetainPrimaryCluster is not available: nodes can't leave their group in the emulator."
        )
    snapshot = parameters.get("FinalSnapshotIdentifier") is not None
    group.deferred = None
    set_status(group, SNAPSHOTTING if snapshot else DELETING)
    world.record(group, "DeleteReplicationGroup")
    task = _finish_snapshot if snapshot else _finish_delete
    _later(world, store, "DeleteReplicationGroup", group.id, lambda: task(world, store, group))
    return {**group.views[-1][1], "NodeGroups": [], "MemberClusters": []}


def _finish_snapshot(world: World, store: Store, group: Group) -> None:
    with world.lock:
        set_status(group, DELETING)
        world.record(group, "snapshot taken")
    _later(world, store, "DeleteReplicationGroup", group.id, lambda: _finish_delete(world, store, group))


def _finish_delete(world: World, store: Store, group: Group) -> None:
    if group.on_plane:
        with group.plane_lock:
            world.plane.delete_group(group.key)
            group.on_plane = False
    with world.lock:
        if store.has(group):
            del store.groups[group.id]
