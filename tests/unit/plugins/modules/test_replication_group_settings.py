# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The table of settings: it covers the service model, and knows what differs and what can't be changed."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._aws import settings
from ansible_collections.elasticache.auth.plugins.module_utils._aws.groups import parse
from ansible_collections.elasticache.auth.plugins.module_utils._aws.readings import (
    Shown,
    log_delivery_troubles,
    same_version,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError

#: Members that are no row of the table, because they need more than a comparison.
SPECIAL_AT_CREATION = {
    "ReplicationGroupId",
    "Tags",
    "AuthToken",
    "UserGroupIds",
    "TransitEncryptionEnabled",
    "TransitEncryptionMode",
}
SPECIAL_AT_MODIFICATION = {
    "ReplicationGroupId",
    "ApplyImmediately",
    "AuthToken",
    "AuthTokenUpdateStrategy",
    "UserGroupIdsToAdd",
    "UserGroupIdsToRemove",
    "RemoveUserGroups",
    "TransitEncryptionEnabled",
    "TransitEncryptionMode",
    "NodeGroupId",  # "Deprecated. This parameter is not used."
}

GROUP: dict[str, Any] = {
    "ReplicationGroupId": "sessions",
    "Description": "Sessions",
    "Status": "available",
    "Engine": "redis",
    "CacheNodeType": "cache.t4g.small",
    "AutomaticFailover": "enabled",
    "MultiAZ": "disabled",
    "SnapshotRetentionLimit": 1,
    "SnapshotWindow": "05:00-06:00",
    "ClusterEnabled": False,
    "ClusterMode": "disabled",
    "AtRestEncryptionEnabled": True,
    "KmsKeyId": "arn:aws:kms:us-east-1:123456789012:key/11-22",
    "DataTiering": "disabled",
    "AutoMinorVersionUpgrade": True,
    "NetworkType": "ipv4",
    "IpDiscovery": "ipv4",
    "LogDeliveryConfigurations": [
        {
            "LogType": "slow-log",
            "DestinationType": "cloudwatch-logs",
            "DestinationDetails": {"CloudWatchLogsDetails": {"LogGroup": "/slow"}},
            "LogFormat": "json",
            "Status": "active",
        }
    ],
    "NodeGroups": [
        {
            "NodeGroupId": "0001",
            "Status": "available",
            "PrimaryEndpoint": {"Address": "here", "Port": 6379},
            "NodeGroupMembers": [
                {"CacheClusterId": "sessions-001", "CurrentRole": "primary"},
                {"CacheClusterId": "sessions-002", "CurrentRole": "replica"},
            ],
        }
    ],
}
MEMBER: dict[str, Any] = {
    "CacheClusterId": "sessions-001",
    "EngineVersion": "7.0.7",
    "CacheParameterGroup": {"CacheParameterGroupName": "default.redis7"},
    "CacheSubnetGroupName": "private",
    "SecurityGroups": [
        {"SecurityGroupId": "sg-1", "Status": "active"},
        {"SecurityGroupId": "sg-2", "Status": "active"},
        {"SecurityGroupId": "sg-3", "Status": "removing"},
    ],
    "PreferredMaintenanceWindow": "sun:07:00-sun:08:00",
    "NotificationConfiguration": {"TopicArn": "arn:topic", "TopicStatus": "active"},
    "PendingModifiedValues": {},
}
SLOW_LOG = {
    "log_type": "slow-log",
    "destination_type": "cloudwatch-logs",
    "log_group": "/slow",
    "delivery_stream": None,
    "log_format": "json",
    "enabled": True,
}


def shown(group: dict[str, Any] | None = None, **member: Any) -> Shown:
    """What AWS shows: the group and the member above, with these members instead."""
    return Shown(parse({**GROUP, **(group or {})}), {**MEMBER, **member})


def differing(wanted: dict[str, Any], seen: Shown | None = None, *, immediately: bool = True) -> list[str]:
    """The options that differ."""
    found = settings.differences(seen or shown(), wanted, immediately=immediately)
    return [one.setting.option for one in found]


def model_members(action: str) -> set[str]:
    """The members of a call in the service model."""
    service = botocore.session.get_session().get_service_model("elasticache")
    shape = service.operation_model(action).input_shape
    assert shape is not None
    return set(shape.members)


def test_every_member_of_the_creation_has_an_option() -> None:
    covered = {setting.create for setting in settings.SETTINGS if setting.create}
    assert covered | SPECIAL_AT_CREATION == model_members("CreateReplicationGroup")
    assert not covered & SPECIAL_AT_CREATION


def test_every_member_of_the_modification_has_an_option() -> None:
    covered = {setting.modify for setting in settings.SETTINGS if setting.modify}
    assert covered | SPECIAL_AT_MODIFICATION == model_members("ModifyReplicationGroup")
    assert not covered & SPECIAL_AT_MODIFICATION


def test_what_can_be_changed_can_be_read() -> None:
    assert [one.option for one in settings.SETTINGS if one.modify and one.read is None] == []


SAME = {
    "description": "Sessions",
    "engine": "redis",
    "engine_version": "7.0",
    "cache_node_type": "cache.t4g.small",
    "cache_parameter_group_name": "Default.Redis7",
    "cache_subnet_group_name": "Private",
    "security_group_ids": ["sg-2", "sg-1"],
    "cache_security_group_names": [],
    "port": 6379,
    "cluster_mode": "disabled",
    "num_cache_clusters": 2,
    "num_node_groups": 1,
    "replicas_per_node_group": 1,
    "node_group_configuration": [{"replica_count": 1, "primary_availability_zone": "us-east-1f", "slots": None}],
    "preferred_cache_cluster_azs": ["us-east-1f"],
    "primary_cluster_id": "Sessions-001",
    "automatic_failover_enabled": True,
    "multi_az_enabled": False,
    "at_rest_encryption_enabled": True,
    "kms_key_id": "11-22",
    "data_tiering_enabled": False,
    "network_type": "ipv4",
    "ip_discovery": "ipv4",
    "durability": "default",
    "preferred_maintenance_window": "Sun:07:00-Sun:08:00",
    "auto_minor_version_upgrade": True,
    "notification_topic_arn": "arn:topic",
    "notification_topic_status": "active",
    "snapshot_retention_limit": 1,
    "snapshot_window": "05:00-06:00",
    "snapshot_arns": ["arn:aws:s3:::bucket/file"],
    "snapshot_name": "old",
    "serverless_cache_snapshot_name": "old",
    "log_delivery_configurations": [SLOW_LOG, {"log_type": "engine-log", "enabled": False}],
}
OTHER = {
    "description": "Other",
    "engine": "valkey",
    "engine_version": "7.1",
    "cache_node_type": "cache.t4g.medium",
    "cache_parameter_group_name": "mine",
    "cache_subnet_group_name": "public",
    "security_group_ids": ["sg-1", "sg-3"],
    "cache_security_group_names": ["classic"],
    "port": 7000,
    "cluster_mode": "compatible",
    "num_cache_clusters": 3,
    "num_node_groups": 2,
    "replicas_per_node_group": 2,
    "node_group_configuration": [{"replica_count": 2}],
    "primary_cluster_id": "sessions-002",
    "automatic_failover_enabled": False,
    "multi_az_enabled": True,
    "at_rest_encryption_enabled": False,
    "kms_key_id": "33-44",
    "data_tiering_enabled": True,
    "network_type": "dual_stack",
    "ip_discovery": "ipv6",
    "durability": "async",
    "preferred_maintenance_window": "mon:07:00-mon:08:00",
    "auto_minor_version_upgrade": False,
    "notification_topic_arn": "arn:other",
    "notification_topic_status": "inactive",
    "snapshot_retention_limit": 0,
    "snapshot_window": "06:00-07:00",
    "snapshotting_cluster_id": "sessions-002",
    "log_delivery_configurations": [{**SLOW_LOG, "log_group": "/other"}],
    "global_replication_group_id": "ldgnf-world",
}


def test_the_tables_above_leave_no_setting_out() -> None:
    readable = {setting.option for setting in settings.SETTINGS if setting.read}
    assert set(OTHER) == readable
    assert set(settings.BY_OPTION) - set(SAME) == {"snapshotting_cluster_id", "global_replication_group_id"}


def test_the_same_makes_no_difference() -> None:
    assert differing(SAME) == []


@pytest.mark.parametrize("option", sorted(OTHER))
def test_another_value_is_a_difference(option: str) -> None:
    assert differing({option: OTHER[option]}) == [option]


@pytest.mark.parametrize(
    ("option", "wanted", "words"),
    [
        ("engine", "redis", "no way from valkey to redis"),
        ("engine_version", "6.2", "no way back to an older version"),
        ("cluster_mode", "enabled", "by way of compatible"),
        ("description", "", "no empty description"),
        ("security_group_ids", [], "can't take the last one away"),
        ("notification_topic_arn", "", "notification_topic_status: inactive"),
        ("num_node_groups", 2, "modify-replication-group-shard-configuration"),
        ("num_cache_clusters", 3, "increase-replica-count"),
        ("replicas_per_node_group", 2, "decrease-replica-count"),
        ("node_group_configuration", [{"replica_count": 2}], "modify-replication-group-shard-configuration"),
        ("cache_subnet_group_name", "public", "make a new group"),
        ("at_rest_encryption_enabled", False, "make a new group"),
        ("kms_key_id", "33-44", "make a new group"),
        ("data_tiering_enabled", True, "make a new group"),
        ("network_type", "ipv6", "make a new group"),
        ("port", 7000, "make a new group"),
        ("global_replication_group_id", "ldgnf-world", "make a new group"),
    ],
)
def test_what_has_no_way_is_refused(option: str, wanted: Any, words: str) -> None:
    seen = shown({"Engine": "valkey"}) if option == "engine" else shown()
    found = settings.differences(seen, {option: wanted}, immediately=True)
    with pytest.raises(AuthError, match=words) as caught:
        settings.check("sessions", found)
    assert str(caught.value).startswith(f"sessions: {option}: ")


def test_all_that_is_refused_is_reported_at_once() -> None:
    found = settings.differences(shown(), {"port": 1, "network_type": "ipv6", "description": "x"}, immediately=True)
    with pytest.raises(AuthError) as caught:
        settings.check("sessions", found)
    assert "port" in str(caught.value)
    assert "network_type" in str(caught.value)
    assert "description" not in str(caught.value)


def test_a_group_in_cluster_mode_has_no_single_primary() -> None:
    nodes = [{"NodeGroupId": "0001", "Status": "available", "NodeGroupMembers": [{"CacheClusterId": "s-0001-001"}]}]
    found = settings.differences(shown({"NodeGroups": nodes}), {"primary_cluster_id": "s"}, immediately=True)
    with pytest.raises(AuthError, match="leave the option out"):
        settings.check("sessions", found)


@pytest.mark.parametrize(
    ("wanted", "current", "same"),
    [
        ("7.0", "7.0.7", True),
        ("7.0.7", "7.0.7", True),
        ("7.0.5", "7.0.7", False),
        ("7", "7.1.0", True),
        ("6.x", "6.2.6", True),
        ("7.1", "7.0.7", False),
        ("7.0.10", "7.0.1", False),
        ("8.0", None, False),
        ("latest", "7.0.7", False),
    ],
)
def test_versions(wanted: str, current: str | None, same: bool) -> None:
    assert same_version(wanted, current) is same


def test_a_new_engine_takes_version_and_parameter_group_along() -> None:
    wanted = {"engine": "valkey", "engine_version": "7", "cache_parameter_group_name": "default.redis7"}
    found = settings.differences(shown(), wanted, immediately=True)
    assert settings.modification_members(found) == {
        "Engine": "valkey",
        "EngineVersion": "7",
        "CacheParameterGroupName": "default.redis7",
    }


WAITING = {"PendingModifiedValues": {"EngineVersion": "8.0.1", "CacheNodeType": "cache.t4g.medium"}}


@pytest.mark.parametrize(
    ("wanted", "immediately", "expected"),
    [
        ({"engine_version": "8.0"}, False, []),
        ({"engine_version": "8.0"}, True, ["engine_version"]),
        ({"engine_version": "7.2"}, False, ["engine_version"]),
        ({"engine": "valkey"}, False, []),
        ({"engine": "valkey"}, True, ["engine"]),
        ({"cache_node_type": "cache.t4g.medium"}, False, []),
        ({"cache_node_type": "cache.t4g.medium"}, True, ["cache_node_type"]),
        ({"cache_node_type": "cache.t4g.large"}, False, ["cache_node_type"]),
        ({"cache_parameter_group_name": "default.valkey8"}, False, []),
        ({"snapshot_window": "06:00-07:00"}, False, ["snapshot_window"]),
    ],
)
def test_what_waits_for_the_maintenance_window_is_not_sent_again(
    wanted: dict[str, Any], immediately: bool, expected: list[str]
) -> None:
    assert differing(wanted, shown(**WAITING), immediately=immediately) == expected


def test_what_waits_against_the_wish_is_reported() -> None:
    wanted = {"cache_node_type": "cache.t4g.small", "engine_version": "8.0"}
    (told,) = settings.contrary(shown(**WAITING), wanted)
    assert "cache_node_type to cache.t4g.medium" in told


def test_only_log_deliveries_that_differ_are_sent() -> None:
    wanted = [
        {**SLOW_LOG, "enabled": False},
        {
            "log_type": "engine-log",
            "destination_type": "kinesis-firehose",
            "log_group": None,
            "delivery_stream": "stream",
            "log_format": "text",
            "enabled": True,
        },
    ]
    found = settings.differences(shown(), {"log_delivery_configurations": wanted}, immediately=True)
    assert settings.modification_members(found) == {
        "LogDeliveryConfigurations": [
            {"LogType": "slow-log", "Enabled": False},
            {
                "LogType": "engine-log",
                "DestinationType": "kinesis-firehose",
                "DestinationDetails": {"KinesisFirehoseDetails": {"DeliveryStream": "stream"}},
                "LogFormat": "text",
                "Enabled": True,
            },
        ]
    }
    found = settings.differences(shown(), {"log_delivery_configurations": [SLOW_LOG, wanted[1]]}, immediately=True)
    (sent,) = settings.modification_members(found)["LogDeliveryConfigurations"]
    assert sent["LogType"] == "engine-log"


def test_log_deliveries_that_are_being_set_up_count() -> None:
    pending = {"LogDeliveryConfigurations": [{**GROUP["LogDeliveryConfigurations"][0], "LogFormat": "text"}]}
    wanted = {"log_delivery_configurations": [{**SLOW_LOG, "log_format": "text"}]}
    assert differing(wanted) == ["log_delivery_configurations"]
    assert differing(wanted, shown({"PendingModifiedValues": pending})) == []


def test_log_deliveries_that_fail_are_reported() -> None:
    broken = {**GROUP["LogDeliveryConfigurations"][0], "Status": "error", "Message": "no such log group"}
    assert log_delivery_troubles(shown({"LogDeliveryConfigurations": [broken]}).group) == [
        "sessions: the delivery of the slow-log fails: no such log group"
    ]
    assert log_delivery_troubles(shown().group) == []


@pytest.mark.parametrize(
    ("wanted", "current", "same"),
    [
        ("alias/mine", "arn:aws:kms:us-east-1:123456789012:key/11-22", True),
        ("arn:aws:kms:us-east-1:123456789012:alias/mine", "arn:aws:kms:us-east-1:123456789012:key/11-22", True),
        ("alias/mine", None, False),
        ("arn:aws:kms:us-east-1:123456789012:key/11-22", "11-22", True),
        ("11-23", "arn:aws:kms:us-east-1:123456789012:key/11-22", False),
    ],
)
def test_keys(wanted: str, current: str | None, same: bool) -> None:
    assert (differing({"kms_key_id": wanted}, shown({"KmsKeyId": current})) == []) is same


TWO_NODE_GROUPS = [
    {"NodeGroupId": "0001", "Slots": "0-8191", "NodeGroupMembers": [{"CacheClusterId": "a"}, {"CacheClusterId": "b"}]},
    {"NodeGroupId": "0002", "Slots": "8192-16383", "NodeGroupMembers": [{"CacheClusterId": "c"}]},
]


@pytest.mark.parametrize(
    ("wanted", "same"),
    [
        ([{"replica_count": 1}, {"replica_count": 0}], True),
        ([{"replica_count": 0}, {"replica_count": 1}], False),
        ([{"node_group_id": "0002", "replica_count": 0}, {"node_group_id": "0001", "slots": "0-8191"}], True),
        ([{"node_group_id": "0002", "slots": "0-8191"}, {}], False),
        ([{"replica_count": 1}], False),
    ],
)
def test_node_groups(wanted: list[dict[str, Any]], same: bool) -> None:
    seen = shown({"NodeGroups": TWO_NODE_GROUPS})
    assert (differing({"node_group_configuration": wanted}, seen) == []) is same
    assert seen.group.cluster_enabled is False
    assert settings.current_settings(seen)["replicas_per_node_group"] is None


def test_a_failover_setting_under_way_counts_as_it_will_be() -> None:
    seen = shown({"PendingModifiedValues": {"AutomaticFailoverStatus": "disabled"}})
    assert differing({"automatic_failover_enabled": False}, seen) == []
    assert differing({"automatic_failover_enabled": True}, seen) == ["automatic_failover_enabled"]


def test_members_of_the_creation() -> None:
    wanted = {
        "description": "d",
        "num_node_groups": 2,
        "snapshot_retention_limit": 0,
        "multi_az_enabled": False,
        "security_group_ids": [],
        "node_group_configuration": [{"node_group_id": "0001", "replica_count": 0, "slots": None}],
        "log_delivery_configurations": [SLOW_LOG],
        "snapshotting_cluster_id": "later",
    }
    assert settings.creation_members(wanted) == {
        "ReplicationGroupDescription": "d",
        "NumNodeGroups": 2,
        "SnapshotRetentionLimit": 0,
        "MultiAZEnabled": False,
        "NodeGroupConfiguration": [{"NodeGroupId": "0001", "ReplicaCount": 0}],
        "LogDeliveryConfigurations": [
            {
                "LogType": "slow-log",
                "DestinationType": "cloudwatch-logs",
                "DestinationDetails": {"CloudWatchLogsDetails": {"LogGroup": "/slow"}},
                "LogFormat": "json",
                "Enabled": True,
            }
        ],
    }


def test_the_predicted_description() -> None:
    wanted = {"multi_az_enabled": True, "description": "x", "snapshot_arns": ["a"], "snapshot_retention_limit": 0}
    after = settings.predicted(GROUP, wanted)
    assert {key: value for key, value in after.items() if GROUP.get(key) != value} == {
        "MultiAZ": "enabled",
        "Description": "x",
        "SnapshotRetentionLimit": 0,
    }
