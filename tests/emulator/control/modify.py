# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""ModifyReplicationGroup: what it changes at once, what takes its time, and what waits for the maintenance window.

``modify`` is called with the world's lock held; ``_finish`` runs later, on a worker, without it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from emulator.access import TlsMode
from emulator.faults import FaultKind
from emulator.settings import change_seconds

from . import rules
from .groups import check_failover, check_user_groups, parse_log_delivery, parse_tls_mode, set_status
from .model import AVAILABLE, MODIFYING, Change, Group, now
from .refusals import Refusal
from .transitions import AccessChange, AccessRequest, Engine, Strategy, TlsRequest, plan_access, plan_tls
from .world import Store, World

Parameters = Mapping[str, Any]

#: Members that take effect at once, and the option each one sets.
_AT_ONCE = {
    "ReplicationGroupDescription": "description",
    "SnapshottingClusterId": "snapshotting_cluster_id",
    "PreferredMaintenanceWindow": "maintenance_window",
    "NotificationTopicArn": "topic_arn",
    "NotificationTopicStatus": "topic_status",
    "AutoMinorVersionUpgrade": "auto_minor_version_upgrade",
    "SnapshotRetentionLimit": "snapshot_retention_limit",
    "SnapshotWindow": "snapshot_window",
    "IpDiscovery": "ip_discovery",
    "Durability": "durability",
}
#: Members that take their time, and the option each one sets.
_IN_TIME = {
    "AutomaticFailoverEnabled": "automatic_failover",
    "MultiAZEnabled": "multi_az",
    "CacheParameterGroupName": "parameter_group",
    "CacheNodeType": "node_type",
    "SecurityGroupIds": "security_group_ids",
    "CacheSecurityGroupNames": "cache_security_groups",
}
#: Options that wait for the maintenance window without ApplyImmediately, as the service model says.
_DEFERRABLE = ("engine", "node_type")


def _different(group: Group, parameters: Parameters, names: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for member, option in names.items():
        value = parameters.get(member)
        if isinstance(value, list):
            value = tuple(value)
        if value is not None and value != getattr(group.options, option):
            found[option] = value
    return found


def _engine_change(group: Group, parameters: Parameters) -> dict[str, Any]:
    asked, version = parameters.get("Engine"), parameters.get("EngineVersion")
    if asked is None and version is None:
        return {}
    old = group.options.engine
    name = rules.check_engine(asked, old.name)
    new = Engine(name, rules.full_version(name, version) if version or name != old.name else old.version)
    if new == old:
        return {}
    later = rules.parse_version(new.version) > rules.parse_version(old.version)
    if (old.name, name) == ("valkey", "redis") or (old.name == name and not later):
        raise Refusal.NO_DOWNGRADE.error(old=f"{old.name} {old.version}", new=f"{name} {new.version}")
    given = parameters.get("CacheParameterGroupName")
    if given is None and not group.options.parameter_group.startswith("default."):
        given = group.options.parameter_group
    parameter_group = rules.check_parameter_group(given, name, new.version, cluster_enabled=group.cluster_enabled)
    return {"engine": new, "parameter_group": parameter_group}


def _options_changes(group: Group, parameters: Parameters) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options that change at once, and those that take their time."""
    rules.check_range("SnapshotRetentionLimit", parameters.get("SnapshotRetentionLimit"), 0, 35)
    if parameters.get("PrimaryClusterId"):
        raise Refusal.COMBINATION.error(why="PrimaryClusterId is not available: the emulator promotes no replica.")
    if parameters.get("NotificationTopicStatus") not in (None, "active", "inactive"):
        raise Refusal.INVALID_VALUE.error(name="NotificationTopicStatus")
    cluster = parameters.get("SnapshottingClusterId")
    if cluster is not None and cluster not in [node.cluster_id for node in group.nodes]:
        raise Refusal.NO_CLUSTER.error(id=cluster)
    at_once = _different(group, parameters, _AT_ONCE)
    in_time = {**_different(group, parameters, _IN_TIME), **_engine_change(group, parameters)}
    if "parameter_group" in in_time and "engine" not in in_time:
        engine = group.options.engine
        rules.check_parameter_group(
            in_time["parameter_group"], engine.name, engine.version, cluster_enabled=group.cluster_enabled
        )
    requested_logs = parameters.get("LogDeliveryConfigurations")
    if requested_logs:
        logs = parse_log_delivery(requested_logs, group.options.log_delivery)
        if logs != group.options.log_delivery:
            in_time["log_delivery"] = logs
    mode = parameters.get("ClusterMode")
    if mode is not None and mode != group.options.cluster_mode:
        if {mode, group.options.cluster_mode} != {"disabled", "compatible"}:
            raise Refusal.COMBINATION.error(
                why="ClusterMode can change between disabled and compatible; the emulator's nodes go no further."
            )
        in_time["cluster_mode"] = mode
    after = dataclasses.replace(group.options, **in_time)
    check_failover(after, len(group.nodes), cluster_enabled=group.cluster_enabled)
    return at_once, in_time


def _access_request(parameters: Parameters) -> AccessRequest:
    strategy = parameters.get("AuthTokenUpdateStrategy")
    if strategy is not None and strategy not in Strategy.__members__:
        raise Refusal.INVALID_VALUE.error(name="AuthTokenUpdateStrategy")
    return AccessRequest(
        token=parameters.get("AuthToken"),
        strategy=Strategy[strategy] if strategy else None,
        groups_to_add=tuple(dict.fromkeys(item.lower() for item in parameters.get("UserGroupIdsToAdd") or ())),
        groups_to_remove=tuple(dict.fromkeys(item.lower() for item in parameters.get("UserGroupIdsToRemove") or ())),
        remove_groups=bool(parameters.get("RemoveUserGroups")),
    )


def _plan_access(world: World, store: Store, group: Group, parameters: Parameters) -> AccessChange | None:
    request = _access_request(parameters)
    if request.about_token and group.global_role == "SECONDARY":
        raise Refusal.SECONDARY_TOKEN.error()
    waiting = group.deferred.access if group.deferred else None
    change = plan_access(
        group.id,
        waiting.after if waiting else group.access,
        request,
        engine=group.options.engine,
        tls=group.tls,
        variants=world.variants,
    )
    if change is not None:
        check_user_groups(store, change.groups_added, group.options.engine.name)
    return change


def _plan_tls(group: Group, parameters: Parameters, *, immediately: bool) -> TlsMode | None:
    mode = parameters.get("TransitEncryptionMode")
    request = TlsRequest(parameters.get("TransitEncryptionEnabled"), parse_tls_mode(mode) if mode else None)
    return plan_tls(group.access, group.tls, request, engine=group.options.engine, immediately=immediately)


def _with_deferred(group: Group, change: Change) -> Change:
    """The change, on top of what has waited for it."""
    waiting = group.deferred
    if waiting is None:
        return change
    return Change(change.access or waiting.access, change.tls, {**waiting.options, **change.options})


def modify(world: World, store: Store, parameters: Parameters) -> dict[str, Any]:
    """ModifyReplicationGroup: every refusal of elasticache-facts §3, then the change. Returns the group's view."""
    group = store.group(parameters.get("ReplicationGroupId"))
    if group.status != AVAILABLE:
        raise Refusal.MODIFY_NOT_AVAILABLE.error()
    immediately = bool(parameters.get("ApplyImmediately"))
    access = _plan_access(world, store, group, parameters)
    tls = _plan_tls(group, parameters, immediately=immediately)
    at_once, in_time = _options_changes(group, parameters)
    resumed = immediately and group.deferred is not None
    if not (access or tls or at_once or in_time or resumed):
        raise Refusal.NOTHING_TO_CHANGE.error()

    before = group.views[-1][1]
    for option, value in at_once.items():
        setattr(group.options, option, value)
    if not immediately:
        waiting = {option: in_time.pop(option) for option in _DEFERRABLE if option in in_time}
        if "engine" in waiting and "parameter_group" in in_time:
            waiting["parameter_group"] = in_time.pop("parameter_group")
        if access or waiting:
            group.deferred = _with_deferred(group, Change(access, None, waiting))
        change = Change(None, tls, in_time)
    else:
        change = _with_deferred(group, Change(access, tls, in_time))
        group.deferred = None
    if change != Change():
        _start(world, store, group, change)
    else:
        world.record(group, "ModifyReplicationGroup")
    stale = world.faults.strike(FaultKind.STALE_MODIFY, "ModifyReplicationGroup", group.id)
    return before if stale else group.views[-1][1]


def _start(world: World, store: Store, group: Group, change: Change) -> None:
    group.changes += 1
    seconds = change_seconds(world.timing, group.id, group.changes)
    group.change = dataclasses.replace(change, seconds=seconds)
    set_status(group, MODIFYING)
    if change.access and change.access.moves_date and world.variants["date-moves"] == "start":
        group.token_date = now()
    world.record(group, "ModifyReplicationGroup")
    date_at_end = world.variants["date-moves"] == "end"
    world.later(
        store,
        "ModifyReplicationGroup",
        group.id,
        seconds,
        lambda: _finish(world, store, group, change, date_at_end=date_at_end),
    )


def _finish(world: World, store: Store, group: Group, change: Change, *, date_at_end: bool) -> None:
    secondaries: list[tuple[Store, Group]] = []
    with world.lock:
        if not store.has(group):
            return
        group.options = dataclasses.replace(group.options, **change.options)
        group.tls = change.tls or group.tls
        if change.access is not None:
            group.access = change.access.after
            secondaries = _secondaries(world, group)
        world.record(group, "took effect")
    try:
        if change.access is not None:
            world.enforce(store, group)
            for other_store, other in secondaries:
                world.enforce(other_store, other)
        if change.tls is not None and group.on_plane:
            with group.plane_lock:
                world.plane.set_tls(group.key, change.tls)
    finally:
        with world.lock:
            if change.access and change.access.moves_date and date_at_end:
                group.token_date = now()
            for dummy, other in secondaries:
                other.token_date = group.token_date
                world.record(other, "inherited from the primary")
            group.change = None
            set_status(group, AVAILABLE)
            world.record(group, "change ended")


def _secondaries(world: World, group: Group) -> list[tuple[Store, Group]]:
    """The groups that inherit this one's token, given its new state (elasticache-facts §5)."""
    if group.global_role != "PRIMARY" or group.global_id is None:
        return []
    found = []
    for member in world.global_groups[(group.account, group.global_id)].members[1:]:
        member.access = group.access
        found.append((world.stores[(member.account, member.region)], member))
    return found
