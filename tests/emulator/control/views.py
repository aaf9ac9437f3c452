# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What the API shows: members by botocore's names. Never a token, a hash or a count of them (elasticache-facts §2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from emulator.access import Endpoint, TlsMode

from .model import (
    CREATING,
    CacheCluster,
    Change,
    GlobalGroup,
    Group,
    NodeGroup,
    ServerlessCache,
    User,
    UserGroup,
)


def without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members that are there."""
    return {name: value for name, value in members.items() if value is not None}


def _endpoint(endpoint: Endpoint | None) -> dict[str, Any] | None:
    return None if endpoint is None else {"Address": endpoint.host, "Port": endpoint.port}


def _tls(mode: TlsMode) -> dict[str, Any]:
    members: dict[str, Any] = {"TransitEncryptionEnabled": mode is not TlsMode.OFF}
    if mode is not TlsMode.OFF:
        members["TransitEncryptionMode"] = mode.value
    return members


def _pending_group(change: Change | None) -> dict[str, Any]:
    if change is None:
        return {}
    members: dict[str, Any] = {}
    if change.access is not None:
        if change.access.token_status:
            members["AuthTokenStatus"] = change.access.token_status
        if change.access.groups_added or change.access.groups_removed:
            members["UserGroups"] = {
                "UserGroupIdsToAdd": list(change.access.groups_added),
                "UserGroupIdsToRemove": list(change.access.groups_removed),
            }
    if change.tls is not None:
        members.update(_tls(change.tls))
    if "automatic_failover" in change.options:
        members["AutomaticFailoverStatus"] = "enabled" if change.options["automatic_failover"] else "disabled"
    if "cluster_mode" in change.options:
        members["ClusterMode"] = change.options["cluster_mode"]
    if "log_delivery" in change.options:
        members["LogDeliveryConfigurations"] = list(change.options["log_delivery"])
    return members


def _node_group(group: Group, node_group: NodeGroup) -> dict[str, Any]:
    serving = node_group.nodes[0].endpoint is not None
    members = []
    for node in node_group.nodes:
        member = {
            "CacheClusterId": node.cluster_id,
            "CacheNodeId": "0001",
            "PreferredAvailabilityZone": node.zone,
        }
        if not group.cluster_enabled:
            member["CurrentRole"] = "primary" if node is node_group.nodes[0] else "replica"
            if node.endpoint is not None:
                member["ReadEndpoint"] = _endpoint(node.endpoint)  # type: ignore[assignment]
        members.append(member)
    shown: dict[str, Any] = {
        "NodeGroupId": node_group.id,
        "Status": node_group.status,
        "Slots": node_group.slots,
        "NodeGroupMembers": members,
    }
    if serving and not group.cluster_enabled:
        shown["PrimaryEndpoint"] = _endpoint(node_group.nodes[0].endpoint)
        shown["ReaderEndpoint"] = _endpoint(node_group.nodes[-1].endpoint)
    return without_none(shown)


def _log_delivery(group: Group) -> list[dict[str, Any]]:
    return [{**item, "Status": "active"} for item in group.options.log_delivery]


def replication_group(group: Group) -> dict[str, Any]:
    """A member of DescribeReplicationGroups."""
    options = group.options
    shown: dict[str, Any] = {
        "ReplicationGroupId": group.id,
        "Description": options.description,
        "GlobalReplicationGroupInfo": {
            "GlobalReplicationGroupId": group.global_id,
            "GlobalReplicationGroupMemberRole": group.global_role,
        }
        if group.global_id
        else {},
        "Status": group.status,
        "PendingModifiedValues": _pending_group(group.pending),
        "MemberClusters": [node.cluster_id for node in group.nodes],
        "NodeGroups": [_node_group(group, node_group) for node_group in group.node_groups],
        "SnapshottingClusterId": options.snapshotting_cluster_id,
        "AutomaticFailover": "enabled" if options.automatic_failover else "disabled",
        "MultiAZ": "enabled" if options.multi_az else "disabled",
        "SnapshotRetentionLimit": options.snapshot_retention_limit,
        "SnapshotWindow": options.snapshot_window,
        "ClusterEnabled": group.cluster_enabled,
        "CacheNodeType": options.node_type,
        "AuthTokenEnabled": group.access.token_on,
        "AuthTokenLastModifiedDate": group.token_date,
        **_tls(group.tls),
        "AtRestEncryptionEnabled": options.at_rest_encryption,
        "KmsKeyId": options.kms_key_id,
        "ARN": group.arn,
        "UserGroupIds": list(group.access.user_group_ids) or None,
        "LogDeliveryConfigurations": _log_delivery(group),
        "ReplicationGroupCreateTime": group.created,
        "DataTiering": "enabled" if options.data_tiering else "disabled",
        "AutoMinorVersionUpgrade": options.auto_minor_version_upgrade,
        "NetworkType": options.network_type,
        "IpDiscovery": options.ip_discovery,
        "ClusterMode": options.cluster_mode,
        "Engine": options.engine.name,
        "Durability": options.durability,
    }
    if group.cluster_enabled and group.nodes[0].endpoint is not None:
        shown["ConfigurationEndpoint"] = _endpoint(group.nodes[0].endpoint)
    return without_none(shown)


def _pending_cluster(change: Change | None) -> dict[str, Any]:
    members = _pending_group(change)
    for name in ("UserGroups", "AutomaticFailoverStatus", "ClusterMode"):
        members.pop(name, None)
    if change is not None and "engine" in change.options:
        members["EngineVersion"] = change.options["engine"].version
    if change is not None and "node_type" in change.options:
        members["CacheNodeType"] = change.options["node_type"]
    return members


def member_clusters(group: Group) -> list[dict[str, Any]]:
    """A group's nodes as members of DescribeCacheClusters, with their nodes' information."""
    options = group.options
    common: dict[str, Any] = {
        "CacheNodeType": options.node_type,
        "Engine": options.engine.name,
        "EngineVersion": options.engine.version,
        "CacheClusterStatus": group.status,
        "NumCacheNodes": 1,
        "CacheClusterCreateTime": group.created,
        "PreferredMaintenanceWindow": options.maintenance_window,
        "PendingModifiedValues": _pending_cluster(group.pending),
        "NotificationConfiguration": {"TopicArn": options.topic_arn, "TopicStatus": options.topic_status}
        if options.topic_arn
        else None,
        "CacheSecurityGroups": [
            {"CacheSecurityGroupName": item, "Status": "active"} for item in options.cache_security_groups
        ],
        "CacheParameterGroup": {
            "CacheParameterGroupName": options.parameter_group,
            "ParameterApplyStatus": options.parameter_status,
        },
        "CacheSubnetGroupName": options.subnet_group,
        "AutoMinorVersionUpgrade": options.auto_minor_version_upgrade,
        "SecurityGroups": [{"SecurityGroupId": item, "Status": "active"} for item in options.security_group_ids],
        "ReplicationGroupId": group.id,
        "SnapshotRetentionLimit": options.snapshot_retention_limit,
        "SnapshotWindow": options.snapshot_window,
        "AuthTokenEnabled": group.access.token_on,
        "AuthTokenLastModifiedDate": group.token_date,
        **_tls(group.tls),
        "AtRestEncryptionEnabled": options.at_rest_encryption,
        "ReplicationGroupLogDeliveryEnabled": bool(options.log_delivery),
        "LogDeliveryConfigurations": _log_delivery(group),
        "NetworkType": options.network_type,
        "IpDiscovery": options.ip_discovery,
    }
    prefix = group.arn.rsplit(":", 2)[0]
    shown = []
    for node in group.nodes:
        cache_node = {
            "CacheNodeId": "0001",
            "CacheNodeStatus": group.status,
            "CacheNodeCreateTime": group.created,
            "Endpoint": _endpoint(node.endpoint),
            "ParameterGroupStatus": options.parameter_status,
            "CustomerAvailabilityZone": node.zone,
        }
        shown.append(
            without_none(
                {
                    **common,
                    "CacheClusterId": node.cluster_id,
                    "PreferredAvailabilityZone": node.zone,
                    "CacheNodes": [without_none(cache_node)],
                    "ARN": f"{prefix}:cluster:{node.cluster_id}",
                }
            )
        )
    return shown


def standalone_cluster(cluster: CacheCluster) -> dict[str, Any]:
    """A cache cluster that is in no replication group."""
    return {
        "CacheClusterId": cluster.id,
        "CacheNodeType": cluster.node_type,
        "Engine": cluster.engine,
        "EngineVersion": cluster.version,
        "CacheClusterStatus": cluster.status,
        "NumCacheNodes": cluster.nodes,
        "CacheClusterCreateTime": cluster.created,
        "PendingModifiedValues": {},
        "CacheParameterGroup": {
            "CacheParameterGroupName": cluster.parameter_group,
            "ParameterApplyStatus": "in-sync",
        },
        "CacheSubnetGroupName": "default",
        "CacheNodes": [
            {"CacheNodeId": f"{number:04}", "CacheNodeStatus": cluster.status, "CacheNodeCreateTime": cluster.created}
            for number in range(1, cluster.nodes + 1)
        ],
        "AuthTokenEnabled": False,
        "TransitEncryptionEnabled": cluster.tls,
        "AtRestEncryptionEnabled": False,
        "ARN": cluster.arn,
    }


def user(shown: User, group_ids: list[str]) -> dict[str, Any]:
    """A member of DescribeUsers."""
    authentication: dict[str, Any] = {"Type": shown.authentication}
    if shown.authentication == "password":
        authentication["PasswordCount"] = len(shown.passwords)
    return {
        "UserId": shown.id,
        "UserName": shown.name,
        "Status": shown.status,
        "Engine": shown.engine,
        "MinimumEngineVersion": "7.2" if shown.engine == "valkey" else "6.0",
        "AccessString": shown.access_string,
        "UserGroupIds": group_ids,
        "Authentication": authentication,
        "ARN": shown.arn,
    }


def user_group(group: UserGroup, replication_groups: list[str], serverless: list[str]) -> dict[str, Any]:
    """A member of DescribeUserGroups."""
    pending = {}
    if group.adding or group.removing:
        pending = {"UserIdsToAdd": list(group.adding), "UserIdsToRemove": list(group.removing)}
    return {
        "UserGroupId": group.id,
        "Status": group.status,
        "Engine": group.engine,
        "UserIds": list(group.user_ids),
        "MinimumEngineVersion": "7.2" if group.engine == "valkey" else "6.0",
        "PendingChanges": pending,
        "ReplicationGroups": replication_groups,
        "ServerlessCaches": serverless,
        "ARN": group.arn,
    }


def serverless_cache(cache: ServerlessCache) -> dict[str, Any]:
    """A member of DescribeServerlessCaches. It has no endpoint: the emulator serves no serverless cache."""
    return without_none(
        {
            "ServerlessCacheName": cache.id,
            "Description": cache.description,
            "CreateTime": cache.created,
            "Status": cache.status,
            "Engine": cache.engine,
            "MajorEngineVersion": cache.major_version,
            "UserGroupId": cache.user_group_id,
            "ARN": cache.arn,
        }
    )


def global_group(group: GlobalGroup, *, with_members: bool) -> dict[str, Any]:
    """A member of DescribeGlobalReplicationGroups."""
    primary = group.members[0]
    shown: dict[str, Any] = {
        "GlobalReplicationGroupId": group.id,
        "GlobalReplicationGroupDescription": group.description,
        "Status": group.status,
        "CacheNodeType": primary.options.node_type,
        "Engine": primary.options.engine.name,
        "EngineVersion": primary.options.engine.version,
        "ClusterEnabled": primary.cluster_enabled,
        "AuthTokenEnabled": primary.access.token_on,
        "TransitEncryptionEnabled": primary.tls is not TlsMode.OFF,
        "AtRestEncryptionEnabled": primary.options.at_rest_encryption,
        "ARN": group.arn,
    }
    if with_members:
        shown["Members"] = [
            {
                "ReplicationGroupId": member.id,
                "ReplicationGroupRegion": member.region,
                "Role": member.global_role,
                "AutomaticFailover": "enabled" if member.options.automatic_failover else "disabled",
                "Status": "associating" if member.status == CREATING else "associated",
            }
            for member in group.members
        ]
    return shown


def truth(group: Group) -> dict[str, Any]:
    """The hidden truth for the admin API, **tokens included**: it is a test's window on the server's state."""
    return {
        "id": group.id,
        "arn": group.arn,
        "account": group.account,
        "region": group.region,
        "status": group.status,
        "mode": group.access.mode,
        "slots": list(group.access.slots),
        "user_group_ids": list(group.access.user_group_ids),
        "tls": group.tls.value,
        "engine": group.options.engine.name,
        "engine_version": group.options.engine.version,
        "auth_token_last_modified_date": _seconds(group.token_date),
        "pending": _pending_group(group.pending),
        "cluster_enabled": group.cluster_enabled,
        "node_groups": [
            {
                "id": node_group.id,
                "status": node_group.status,
                "nodes": [
                    {
                        "cluster_id": node.cluster_id,
                        "role": "primary" if node is node_group.nodes[0] else "replica",
                        "host": node.endpoint.host if node.endpoint else None,
                        "port": node.endpoint.port if node.endpoint else None,
                    }
                    for node in node_group.nodes
                ],
            }
            for node_group in group.node_groups
        ],
        "tags": dict(group.tags),
        "plane_error": group.plane_error,
        "history": [
            {
                "time": moment.time,
                "cause": moment.cause,
                "status": moment.status,
                "mode": moment.access.mode,
                "slots": list(moment.access.slots),
                "user_group_ids": list(moment.access.user_group_ids),
                "tls": moment.tls.value,
                "auth_token_status": moment.auth_token_status,
                "change_seconds": moment.change_seconds,
            }
            for moment in group.history
        ],
    }


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
