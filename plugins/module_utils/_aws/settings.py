# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The settings of a replication group as a table: option, members of the calls, where AWS shows it, what differs.

Members: botocore's service model ``elasticache/2015-02-02``. Not in the table is what needs more than a comparison:
encryption in transit, the token, user groups and tags. Pure: no call, no clock.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .._core.errors import AuthError
from . import readings
from .readings import Shown


def _none(*dummy: Any) -> str:
    return ""


def _itself(value: Any) -> Any:
    return value


def _never(*dummy: Any) -> bool:
    return False


def _whole(wanted: Any, _current: Any) -> Any:
    return wanted


@dataclass(frozen=True)
class Setting:
    """One option of a replication group.

    ``create``, ``modify``: the members that carry it; without ``modify`` it can't be changed in place.
    ``read``: what it is now, in the option's own form; without it AWS doesn't show it, and it counts at creation only.
    ``same(wanted, current)``: whether nothing is to be done. ``refuse(wanted, current)``: why AWS has no way from
    one to the other. ``lessen(wanted, current)``: the part of the wish to send. ``encode``: option to member.
    ``awaited(shown, wanted)``: whether just that waits for the maintenance window. ``way_out``: what to do instead of
    a change in place. ``key``: the member of DescribeReplicationGroups that shows it, in the form that ``show`` gives.
    ``alone``: in a call of its own.
    """

    option: str
    spec: Mapping[str, Any]
    create: str = ""
    modify: str = ""
    read: Callable[[Shown], Any] | None = None
    same: Callable[[Any, Any], bool] = operator.eq
    refuse: Callable[[Any, Any], str] = _none
    lessen: Callable[[Any, Any], Any] = _whole
    encode: Callable[[Any], Any] = _itself
    awaited: Callable[[Shown, Any], bool] = _never
    way_out: str = ""
    key: str = ""
    show: Callable[[Any], Any] = _itself
    alone: bool = False


@dataclass(frozen=True)
class Difference:
    """A setting that is not as wanted."""

    setting: Setting
    wanted: Any
    current: Any


def creation_members(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of CreateReplicationGroup for these options, empty lists left out."""
    members = {s.create: s.encode(wanted[s.option]) for s in SETTINGS if s.create and s.option in wanted}
    return {name: value for name, value in members.items() if value != []}


def modification_members(differences: Iterable[Difference]) -> dict[str, Any]:
    """Return the members of ModifyReplicationGroup that end these differences."""
    return {d.setting.modify: d.setting.encode(d.setting.lessen(d.wanted, d.current)) for d in differences}


def current_settings(shown: Shown) -> dict[str, Any]:
    """Return what AWS shows of every setting, by option."""
    return {setting.option: setting.read(shown) for setting in SETTINGS if setting.read}


def differences(shown: Shown, wanted: Mapping[str, Any], *, immediately: bool) -> tuple[Difference, ...]:
    """Return what is not as wanted; what waits for the maintenance window is, unless it shall be ``immediately``.

    An engine that changes takes its version and parameter group with it into the same call.
    """
    found = []
    for setting in SETTINGS:
        if setting.read is None or setting.option not in wanted:
            continue
        goal, current = wanted[setting.option], setting.read(shown)
        if setting.same(goal, current) or (not immediately and setting.awaited(shown, goal)):
            continue
        found.append(Difference(setting, goal, current))
    if any(difference.setting.option == "engine" for difference in found):
        have = {difference.setting.option for difference in found}
        for option in {"engine_version", "cache_parameter_group_name"} & set(wanted) - have:
            setting = BY_OPTION[option]
            found.append(Difference(setting, wanted[option], setting.read(shown) if setting.read else None))
    return tuple(found)


def check(group_id: str, found: Iterable[Difference]) -> None:
    """Raise :class:`AuthError` for differences that AWS can't end in place: they are never passed over."""
    problems = []
    for difference in found:
        setting = difference.setting
        is_now = "not set" if difference.current in (None, "", []) else f"{difference.current}"
        if not setting.modify:
            why = f"it is {is_now}, and AWS can't change it in place. {setting.way_out}"
        elif problem := setting.refuse(difference.wanted, difference.current):
            why = f"it is {is_now}. {problem}"
        else:
            continue
        problems.append(f"{group_id}: {setting.option}: {difference.wanted} is wanted, but {why}")
    if problems:
        raise AuthError(" ".join(problems))


def contrary(shown: Shown, wanted: Mapping[str, Any]) -> list[str]:
    """Return warnings about what waits for the maintenance window and leads away from what is wanted."""
    told = []
    for option, member in (("cache_node_type", "CacheNodeType"), ("engine_version", "EngineVersion")):
        setting, waits = BY_OPTION[option], shown.waiting.get(member)
        if option in wanted and waits and setting.read and not setting.same(wanted[option], waits):
            told.append(
                f"{shown.group.id}: a change of {option} to {waits} waits for the maintenance window, "
                f"though {wanted[option]} is wanted. AWS has no call that takes it back."
            )
    return told


# --- The table ------------------------------------------------------------------------------------------------------

_STR: dict[str, Any] = {"type": "str"}
_INT: dict[str, Any] = {"type": "int"}
_BOOL: dict[str, Any] = {"type": "bool"}
_LIST: dict[str, Any] = {"type": "list", "elements": "str"}

_NODE_GROUP_SPEC: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "node_group_id": _STR,
        "slots": _STR,
        "replica_count": _INT,
        "primary_availability_zone": _STR,
        "replica_availability_zones": _LIST,
        "primary_outpost_arn": _STR,
        "replica_outpost_arns": _LIST,
    },
}
_LOG_SPEC: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "log_type": {"type": "str", "required": True, "choices": ["slow-log", "engine-log"]},
        "destination_type": {"type": "str", "choices": ["cloudwatch-logs", "kinesis-firehose"]},
        "log_group": _STR,
        "delivery_stream": _STR,
        "log_format": {"type": "str", "choices": ["text", "json"]},
        "enabled": {"type": "bool", "default": True},
    },
    "required_if": [
        ("enabled", True, ("destination_type", "log_format")),
        ("destination_type", "cloudwatch-logs", ("log_group",)),
        ("destination_type", "kinesis-firehose", ("delivery_stream",)),
    ],
    "mutually_exclusive": [("log_group", "delivery_stream")],
}

_NEW_GROUP = "Leave the option out, or make a new group and move to it."
_COUNT = "Change it with 'aws elasticache {}', then run this again, or leave the option out."

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "description",
        _STR,
        create="ReplicationGroupDescription",
        modify="ReplicationGroupDescription",
        read=readings.of_group("Description"),
        refuse=lambda wanted, _current: "" if wanted else "AWS takes no empty description.",
        key="Description",
    ),
    Setting(
        "engine",
        {"type": "str", "choices": ["valkey", "redis"]},
        create="Engine",
        modify="Engine",
        read=lambda shown: shown.group.engine,
        refuse=lambda wanted, current: readings.no_way_back(wanted, current) if wanted == "redis" else "",
        awaited=readings.engine_awaited,
        key="Engine",
    ),
    Setting(
        "engine_version",
        _STR,
        create="EngineVersion",
        modify="EngineVersion",
        read=readings.of_member("EngineVersion"),
        same=readings.same_version,
        refuse=readings.older,
        awaited=readings.version_awaited,
    ),
    Setting(
        "cache_node_type",
        _STR,
        create="CacheNodeType",
        modify="CacheNodeType",
        read=lambda shown: shown.raw.get("CacheNodeType") or shown.member.get("CacheNodeType"),
        awaited=lambda shown, wanted: shown.waiting.get("CacheNodeType") == wanted,
        key="CacheNodeType",
    ),
    Setting(
        "cache_parameter_group_name",
        _STR,
        create="CacheParameterGroupName",
        modify="CacheParameterGroupName",
        read=lambda shown: (shown.member.get("CacheParameterGroup") or {}).get("CacheParameterGroupName"),
        same=readings.text_same,
        # It goes with the engine's version, and AWS shows of the two the version only.
        awaited=lambda shown, _wanted: bool(shown.waiting.get("EngineVersion")),
    ),
    Setting(
        "cache_subnet_group_name",
        _STR,
        create="CacheSubnetGroupName",
        read=readings.of_member("CacheSubnetGroupName"),
        same=readings.text_same,
        way_out=_NEW_GROUP,
    ),
    Setting(
        "security_group_ids",
        _LIST,
        create="SecurityGroupIds",
        modify="SecurityGroupIds",
        read=lambda shown: [
            security_group["SecurityGroupId"]
            for security_group in shown.member.get("SecurityGroups") or ()
            if security_group.get("Status") != "removing"
        ],
        same=readings.set_same,
        refuse=readings.not_none_left,
    ),
    Setting(
        "cache_security_group_names",
        _LIST,
        create="CacheSecurityGroupNames",
        modify="CacheSecurityGroupNames",
        read=lambda shown: [
            security_group["CacheSecurityGroupName"] for security_group in shown.member.get("CacheSecurityGroups") or ()
        ],
        same=readings.set_same,
        refuse=readings.not_none_left,
    ),
    Setting("port", _INT, create="Port", read=readings.port, way_out=_NEW_GROUP),
    Setting(
        "cluster_mode",
        {"type": "str", "choices": ["enabled", "disabled", "compatible"]},
        create="ClusterMode",
        modify="ClusterMode",
        read=readings.cluster_mode,
        refuse=readings.cluster_mode_way,
        key="ClusterMode",
        alone=True,
    ),
    Setting(
        "num_cache_clusters",
        _INT,
        create="NumCacheClusters",
        read=lambda shown: len(shown.group.nodes),
        way_out=_COUNT.format("increase-replica-count' or 'decrease-replica-count"),
    ),
    Setting(
        "num_node_groups",
        _INT,
        create="NumNodeGroups",
        read=lambda shown: len(shown.group.node_group_statuses),
        way_out=_COUNT.format("modify-replication-group-shard-configuration"),
    ),
    Setting(
        "replicas_per_node_group",
        _INT,
        create="ReplicasPerNodeGroup",
        read=readings.replicas,
        way_out=_COUNT.format("increase-replica-count' or 'decrease-replica-count"),
    ),
    Setting(
        "node_group_configuration",
        _NODE_GROUP_SPEC,
        create="NodeGroupConfiguration",
        read=readings.node_groups,
        same=readings.node_groups_same,
        encode=readings.node_group_members,
        way_out=_COUNT.format("modify-replication-group-shard-configuration"),
    ),
    Setting("preferred_cache_cluster_azs", _LIST, create="PreferredCacheClusterAZs"),
    Setting(
        "primary_cluster_id",
        _STR,
        create="PrimaryClusterId",
        modify="PrimaryClusterId",
        read=readings.primary,
        same=readings.text_same,
        refuse=readings.no_single_primary,
        alone=True,
    ),
    Setting(
        "automatic_failover_enabled",
        _BOOL,
        create="AutomaticFailoverEnabled",
        modify="AutomaticFailoverEnabled",
        read=readings.failover,
        key="AutomaticFailover",
        show=readings.word,
    ),
    Setting(
        "multi_az_enabled",
        _BOOL,
        create="MultiAZEnabled",
        modify="MultiAZEnabled",
        read=readings.on("MultiAZ"),
        key="MultiAZ",
        show=readings.word,
    ),
    Setting(
        "at_rest_encryption_enabled",
        _BOOL,
        create="AtRestEncryptionEnabled",
        read=lambda shown: bool(shown.raw.get("AtRestEncryptionEnabled")),
        way_out=_NEW_GROUP,
        key="AtRestEncryptionEnabled",
    ),
    Setting(
        "kms_key_id",
        {"type": "str", "no_log": False},
        create="KmsKeyId",
        read=readings.of_group("KmsKeyId"),
        same=readings.key_same,
        way_out=_NEW_GROUP,
        key="KmsKeyId",
    ),
    Setting(
        "data_tiering_enabled",
        _BOOL,
        create="DataTieringEnabled",
        read=readings.on("DataTiering"),
        way_out=_NEW_GROUP,
        key="DataTiering",
        show=readings.word,
    ),
    Setting(
        "network_type",
        {"type": "str", "choices": ["ipv4", "ipv6", "dual_stack"]},
        create="NetworkType",
        read=readings.of_group("NetworkType", "ipv4"),
        way_out=_NEW_GROUP,
        key="NetworkType",
    ),
    Setting(
        "ip_discovery",
        {"type": "str", "choices": ["ipv4", "ipv6"]},
        create="IpDiscovery",
        modify="IpDiscovery",
        read=readings.of_group("IpDiscovery", "ipv4"),
        key="IpDiscovery",
    ),
    Setting(
        "durability",
        {"type": "str", "choices": ["default", "async", "sync", "disabled"]},
        create="Durability",
        modify="Durability",
        read=readings.of_group("Durability", "default"),
        key="Durability",
    ),
    Setting(
        "preferred_maintenance_window",
        _STR,
        create="PreferredMaintenanceWindow",
        modify="PreferredMaintenanceWindow",
        read=readings.of_member("PreferredMaintenanceWindow"),
        same=readings.text_same,
    ),
    Setting(
        "auto_minor_version_upgrade",
        _BOOL,
        create="AutoMinorVersionUpgrade",
        modify="AutoMinorVersionUpgrade",
        read=lambda shown: shown.raw.get("AutoMinorVersionUpgrade", shown.member.get("AutoMinorVersionUpgrade")),
        key="AutoMinorVersionUpgrade",
    ),
    Setting(
        "notification_topic_arn",
        _STR,
        create="NotificationTopicArn",
        modify="NotificationTopicArn",
        read=readings.topic("TopicArn"),
        refuse=readings.topic_gone,
    ),
    Setting(
        "notification_topic_status",
        {"type": "str", "choices": ["active", "inactive"]},
        modify="NotificationTopicStatus",
        read=readings.topic("TopicStatus"),
        same=lambda wanted, current: wanted == (current or "inactive"),
    ),
    Setting(
        "snapshot_retention_limit",
        _INT,
        create="SnapshotRetentionLimit",
        modify="SnapshotRetentionLimit",
        read=readings.of_group("SnapshotRetentionLimit", 0),
        key="SnapshotRetentionLimit",
    ),
    Setting(
        "snapshot_window",
        _STR,
        create="SnapshotWindow",
        modify="SnapshotWindow",
        read=readings.of_group("SnapshotWindow"),
        same=readings.text_same,
        key="SnapshotWindow",
    ),
    Setting(
        "snapshotting_cluster_id",
        _STR,
        modify="SnapshottingClusterId",
        read=readings.of_group("SnapshottingClusterId"),
        same=readings.text_same,
        key="SnapshottingClusterId",
    ),
    Setting("snapshot_arns", _LIST, create="SnapshotArns"),
    Setting("snapshot_name", _STR, create="SnapshotName"),
    Setting("serverless_cache_snapshot_name", _STR, create="ServerlessCacheSnapshotName"),
    Setting(
        "log_delivery_configurations",
        _LOG_SPEC,
        create="LogDeliveryConfigurations",
        modify="LogDeliveryConfigurations",
        read=readings.log_deliveries,
        same=readings.log_deliveries_same,
        lessen=readings.log_deliveries_to_change,
        encode=readings.log_delivery_members,
    ),
    Setting(
        "global_replication_group_id",
        _STR,
        create="GlobalReplicationGroupId",
        read=lambda shown: (shown.raw.get("GlobalReplicationGroupInfo") or {}).get("GlobalReplicationGroupId"),
        same=readings.text_same,
        way_out=_NEW_GROUP,
    ),
)

BY_OPTION: dict[str, Setting] = {setting.option: setting for setting in SETTINGS}


def predicted(raw: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return a description of the group in which these options are as wanted, as far as it shows them."""
    return {**raw, **dict(_predicted(wanted))}


def _predicted(wanted: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for option, value in wanted.items():
        setting = BY_OPTION[option]
        if setting.key:
            yield setting.key, setting.show(value)
