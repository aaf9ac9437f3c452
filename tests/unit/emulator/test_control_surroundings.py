# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Subnet groups, parameter groups, engine versions, events, and what a Valkey group has by default."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from unit.emulator.control_support import GROUP, TOKEN_A, TOKEN_B, create, modify, refusal

pytestmark = pytest.mark.emulator(data_plane="none", modify_seconds=0.05)


@pytest.mark.parametrize(
    ("engine", "asked", "found"),
    [("valkey", None, True), ("redis", None, False), ("valkey", False, False), ("redis", True, True)],
)
def test_encryption_at_rest_is_on_for_valkey_by_default(
    emulator: Any, engine: str, asked: bool | None, found: bool
) -> None:
    create(emulator, Engine=engine, AtRestEncryptionEnabled=asked)
    client = emulator.client("elasticache")
    shown = client.describe_replication_groups(ReplicationGroupId=GROUP)["ReplicationGroups"][0]
    assert shown["AtRestEncryptionEnabled"] is found
    cluster = client.describe_cache_clusters(CacheClusterId=shown["MemberClusters"][0])["CacheClusters"][0]
    assert cluster["AtRestEncryptionEnabled"] is found


def test_a_group_of_the_newest_valkey(emulator: Any) -> None:
    create(emulator, EngineVersion="9.1")
    cluster = emulator.client("elasticache").describe_cache_clusters()["CacheClusters"][0]
    assert cluster["EngineVersion"].startswith("9.1.")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"Engine": "valkey"}, ["7.2", "8.0", "8.1", "8.2", "9.0", "9.1"]),
        ({"Engine": "valkey", "DefaultOnly": True}, ["8.1"]),
        ({"Engine": "valkey", "CacheParameterGroupFamily": "valkey9", "DefaultOnly": True}, ["9.1"]),
        ({"CacheParameterGroupFamily": "valkey9"}, ["9.0", "9.1"]),
        ({"CacheParameterGroupFamily": "redis7"}, ["7.0", "7.1"]),
        ({"Engine": "redis", "EngineVersion": "7.1"}, ["7.1"]),
        ({"Engine": "redis", "EngineVersion": "9.9"}, []),
    ],
)
def test_engine_versions(emulator: Any, asked: dict[str, Any], found: list[str]) -> None:
    shown = emulator.client("elasticache").describe_cache_engine_versions(**asked)["CacheEngineVersions"]
    assert [one["EngineVersion"] for one in shown] == found
    for one in shown:
        assert one["CacheParameterGroupFamily"].startswith(one["Engine"])


def test_a_subnet_group_is_modified(emulator: Any) -> None:
    client = emulator.client("elasticache")
    client.create_cache_subnet_group(
        CacheSubnetGroupName="Private", CacheSubnetGroupDescription="d", SubnetIds=["subnet-1"]
    )
    changed = client.modify_cache_subnet_group(CacheSubnetGroupName="private", SubnetIds=["subnet-1", "subnet-2"])
    assert changed["CacheSubnetGroup"]["CacheSubnetGroupDescription"] == "d"
    client.modify_cache_subnet_group(CacheSubnetGroupName="PRIVATE", CacheSubnetGroupDescription="other")
    shown = client.describe_cache_subnet_groups(CacheSubnetGroupName="private")["CacheSubnetGroups"][0]
    assert shown["CacheSubnetGroupDescription"] == "other"
    assert [subnet["SubnetIdentifier"] for subnet in shown["Subnets"]] == ["subnet-1", "subnet-2"]
    create(emulator, CacheSubnetGroupName="private")
    found = refusal(functools.partial(client.delete_cache_subnet_group, CacheSubnetGroupName="private"))
    assert found[0] == "CacheSubnetGroupInUse"
    for action in ("modify_cache_subnet_group", "delete_cache_subnet_group", "describe_cache_subnet_groups"):
        found = refusal(functools.partial(getattr(client, action), CacheSubnetGroupName="nowhere"))
        assert found[0] == "CacheSubnetGroupNotFoundFault"


def test_a_subnet_group_in_a_vpc(emulator: Any) -> None:
    ec2 = emulator.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone="us-east-1b")["Subnet"]["SubnetId"]
    made = emulator.client("elasticache").create_cache_subnet_group(
        CacheSubnetGroupName="s", CacheSubnetGroupDescription="d", SubnetIds=[subnet]
    )["CacheSubnetGroup"]
    assert (made["VpcId"], made["Subnets"][0]["SubnetAvailabilityZone"]["Name"]) == (vpc, "us-east-1b")


def test_parameter_groups(emulator: Any) -> None:
    client = emulator.client("elasticache")
    names = [one["CacheParameterGroupName"] for one in client.describe_cache_parameter_groups()["CacheParameterGroups"]]
    assert {"default.valkey8", "default.valkey8.cluster.on", "default.valkey9", "default.redis7"} <= set(names)
    made = client.create_cache_parameter_group(
        CacheParameterGroupName="Mine", CacheParameterGroupFamily="valkey8", Description="d"
    )["CacheParameterGroup"]
    shown = client.describe_cache_parameter_groups(CacheParameterGroupName="mine")["CacheParameterGroups"]
    assert shown == [made]
    create(emulator, CacheParameterGroupName="mine")
    found = refusal(functools.partial(client.delete_cache_parameter_group, CacheParameterGroupName="mine"))
    assert found[0] == "InvalidCacheParameterGroupState"
    found = refusal(functools.partial(client.describe_cache_parameter_groups, CacheParameterGroupName="nowhere"))
    assert found[0] == "CacheParameterGroupNotFound"
    found = refusal(functools.partial(client.delete_cache_parameter_group, CacheParameterGroupName="default.valkey8"))
    assert found[0] == "InvalidParameterValue"


def test_tags_of_subnet_and_parameter_groups(emulator: Any) -> None:
    client = emulator.client("elasticache")
    first = [{"Key": "team", "Value": "blue"}]
    subnet = client.create_cache_subnet_group(
        CacheSubnetGroupName="s", CacheSubnetGroupDescription="d", SubnetIds=["subnet-1"], Tags=first
    )["CacheSubnetGroup"]["ARN"]
    parameters = client.create_cache_parameter_group(
        CacheParameterGroupName="p", CacheParameterGroupFamily="valkey8", Description="d", Tags=first
    )["CacheParameterGroup"]["ARN"]
    for arn, kind in ((subnet, "subnetgroup"), (parameters, "parametergroup")):
        assert f":{kind}:" in arn
        assert client.list_tags_for_resource(ResourceName=arn)["TagList"] == first
        client.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "env", "Value": "prod"}])
        client.remove_tags_from_resource(ResourceName=arn, TagKeys=["team"])
        assert client.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "env", "Value": "prod"}]
        tagging = emulator.client("resourcegroupstaggingapi")
        found = tagging.get_resources(ResourceTypeFilters=[f"elasticache:{kind}"])["ResourceTagMappingList"]
        assert [one["ResourceARN"] for one in found] == [arn]
        assert refusal(functools.partial(client.list_tags_for_resource, ResourceName=f"{arn}x"))[0].endswith(
            ("NotFoundFault", "NotFound")
        )


def test_events_of_a_group(emulator: Any) -> None:
    client = emulator.client("elasticache")
    create(emulator, AuthToken=TOKEN_A)
    create(emulator, "other")
    modify(emulator, AuthToken=TOKEN_B, AuthTokenUpdateStrategy="ROTATE")
    asked = {"SourceType": "replication-group", "SourceIdentifier": GROUP}
    events = client.describe_events(**asked)["Events"]
    assert {one["SourceIdentifier"] for one in events} == {GROUP}
    assert [one["Date"] for one in events] == sorted(one["Date"] for one in events)
    assert "CreateReplicationGroup" in events[0]["Message"]
    assert TOKEN_A not in str(events)
    assert TOKEN_B not in str(events)
    assert {one["SourceIdentifier"] for one in client.describe_events()["Events"]} == {GROUP, "other"}
    assert client.describe_events(SourceType="user")["Events"] == []
    before = datetime.now(UTC) - timedelta(hours=2)
    assert client.describe_events(StartTime=before, EndTime=before + timedelta(hours=1))["Events"] == []
    assert len(client.describe_events(**asked, StartTime=before, Duration=180)["Events"]) == len(events)
    assert refusal(functools.partial(client.describe_events, SourceIdentifier=GROUP))[0] == "InvalidParameterValue"
    assert refusal(functools.partial(client.describe_events, SourceType="planet"))[0] == "InvalidParameterValue"
