# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The emulator as a server: paging, tags, the other services, accounts and regions, admin API."""

from __future__ import annotations

import functools
import http.client
import json
import subprocess
import sys
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from unit.emulator.control_support import (
    GROUP,
    TOKEN_A,
    TOKEN_B,
    create,
    create_user,
    create_user_group,
    make_state,
    modify,
    refusal,
)
from waiting import wait_until

pytestmark = pytest.mark.emulator(data_plane="none", modify_seconds=0.05)

TESTS = Path(__file__).parents[2]
ROTATE = {"AuthToken": TOKEN_B, "AuthTokenUpdateStrategy": "ROTATE"}


def many(emulator: Any, count: int, **members: Any) -> None:
    """Create ``count`` groups of two nodes and wait for all."""
    client = emulator.client("elasticache")

    def one(number: int) -> None:
        client.create_replication_group(
            ReplicationGroupId=f"g-{number:04}",
            ReplicationGroupDescription="one of many",
            Engine="valkey",
            NumCacheClusters=2,
            TransitEncryptionEnabled=True,
            AuthToken=TOKEN_A,
            **members,
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(count)))
    wait_until(lambda: all(group["status"] == "available" for group in emulator.groups()), "all groups are available")


def test_facts_5_pages_of_groups(emulator: Any) -> None:
    many(emulator, 101)
    client = emulator.client("elasticache")
    pages = list(client.get_paginator("describe_replication_groups").paginate())
    assert [len(page["ReplicationGroups"]) for page in pages] == [100, 1]
    pages = list(client.get_paginator("describe_replication_groups").paginate(PaginationConfig={"PageSize": 20}))
    ids = [group["ReplicationGroupId"] for page in pages for group in page["ReplicationGroups"]]
    assert ids == [f"g-{number:04}" for number in range(101)]
    assert [len(page["ReplicationGroups"]) for page in pages] == [20] * 5 + [1]
    clusters = list(client.get_paginator("describe_cache_clusters").paginate())
    assert [len(page["CacheClusters"]) for page in clusters] == [100, 100, 2]
    for call in ({"MaxRecords": 19}, {"MaxRecords": 101}, {"Marker": "!"}):
        assert refusal(functools.partial(client.describe_replication_groups, **call))[0] == "InvalidParameterValue"


def test_1000_groups_of_two_nodes(emulator: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Time is printed, not asserted."""
    began = time.monotonic()
    many(emulator, 1000)
    created = time.monotonic() - began
    client = emulator.client("elasticache")
    began = time.monotonic()
    pages = list(client.get_paginator("describe_replication_groups").paginate())
    described = time.monotonic() - began
    with capsys.disabled():
        print(f"\n1000 groups of two nodes: created in {created:.2f} s, described in {described:.2f} s")  # noqa: T201
    assert [len(page["ReplicationGroups"]) for page in pages] == [100] * 10


def test_members_of_a_creation_are_described_back(emulator: Any) -> None:
    emulator.client("elasticache").create_cache_subnet_group(
        CacheSubnetGroupName="Private", CacheSubnetGroupDescription="d", SubnetIds=["subnet-1"]
    )
    log = {
        "LogType": "slow-log",
        "DestinationType": "cloudwatch-logs",
        "DestinationDetails": {"CloudWatchLogsDetails": {"LogGroup": "slow"}},
        "LogFormat": "json",
    }
    create(
        emulator,
        AutomaticFailoverEnabled=True,
        MultiAZEnabled=True,
        NumCacheClusters=2,
        PreferredCacheClusterAZs=["us-east-1c", "us-east-1d"],
        CacheNodeType="cache.r7g.large",
        Engine="valkey",
        EngineVersion="8.0",
        CacheParameterGroupName="default.valkey8",
        CacheSubnetGroupName="private",
        SecurityGroupIds=["sg-1"],
        PreferredMaintenanceWindow="mon:01:00-mon:02:00",
        NotificationTopicArn="arn:aws:sns:us-east-1:123456789012:topic",
        AutoMinorVersionUpgrade=False,
        SnapshotRetentionLimit=3,
        SnapshotWindow="02:00-03:00",
        AtRestEncryptionEnabled=True,
        KmsKeyId="key-1",
        LogDeliveryConfigurations=[log],
        DataTieringEnabled=True,
        NetworkType="dual_stack",
        IpDiscovery="ipv6",
        TransitEncryptionMode="required",
        ClusterMode="disabled",
    )
    client = emulator.client("elasticache")
    group = client.describe_replication_groups()["ReplicationGroups"][0]
    expected = {
        "AutomaticFailover": "enabled",
        "MultiAZ": "enabled",
        "CacheNodeType": "cache.r7g.large",
        "AutoMinorVersionUpgrade": False,
        "SnapshotRetentionLimit": 3,
        "SnapshotWindow": "02:00-03:00",
        "AtRestEncryptionEnabled": True,
        "KmsKeyId": "key-1",
        "LogDeliveryConfigurations": [{**log, "Status": "active"}],
        "DataTiering": "enabled",
        "NetworkType": "dual_stack",
        "IpDiscovery": "ipv6",
        "TransitEncryptionMode": "required",
        "ClusterMode": "disabled",
    }
    assert {name: group.get(name) for name in expected} == expected
    cluster = client.describe_cache_clusters()["CacheClusters"][1]
    assert cluster["PreferredAvailabilityZone"] == "us-east-1d"
    assert cluster["CacheSubnetGroupName"] == "private"
    assert cluster["CacheParameterGroup"]["CacheParameterGroupName"] == "default.valkey8"
    assert cluster["SecurityGroups"] == [{"SecurityGroupId": "sg-1", "Status": "active"}]
    assert cluster["PreferredMaintenanceWindow"] == "mon:01:00-mon:02:00"
    assert cluster["NotificationConfiguration"]["TopicArn"] == "arn:aws:sns:us-east-1:123456789012:topic"
    assert refusal(lambda: create(emulator, "other", CacheSubnetGroupName="nope"))[0] == "CacheSubnetGroupNotFoundFault"


@pytest.mark.parametrize(
    ("members", "where", "expected"),
    [
        ({"ReplicationGroupDescription": "new"}, "Description", "new"),
        ({"SnapshotRetentionLimit": 5}, "SnapshotRetentionLimit", 5),
        ({"SnapshotWindow": "08:00-09:00"}, "SnapshotWindow", "08:00-09:00"),
        ({"AutomaticFailoverEnabled": True}, "AutomaticFailover", "enabled"),
        ({"AutomaticFailoverEnabled": True, "MultiAZEnabled": True}, "MultiAZ", "enabled"),
        ({"CacheNodeType": "cache.r7g.large"}, "CacheNodeType", "cache.r7g.large"),
        ({"IpDiscovery": "ipv6"}, "IpDiscovery", "ipv6"),
        ({"ClusterMode": "compatible"}, "ClusterMode", "compatible"),
        ({"AutoMinorVersionUpgrade": False}, "AutoMinorVersionUpgrade", False),
        ({"Engine": "valkey", "EngineVersion": "8.1"}, "Engine", "valkey"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_other_members_are_modified(emulator: Any, members: dict[str, Any], where: str, expected: object) -> None:
    create(emulator, Engine="redis", EngineVersion="7.1", NumCacheClusters=2)
    modify(emulator, **members)
    client = emulator.client("elasticache")
    assert client.describe_replication_groups()["ReplicationGroups"][0][where] == expected
    assert refusal(lambda: modify(emulator, **members))[1] == "No modifications were requested."


def test_tags_of_an_available_group(emulator: Any) -> None:
    arn = create(emulator, Tags=[{"Key": "team", "Value": "blue"}])["ARN"]
    client = emulator.client("elasticache")
    client.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "team", "Value": "red"}, {"Key": "a", "Value": ""}])
    expected = [{"Key": "a", "Value": ""}, {"Key": "team", "Value": "red"}]
    assert client.list_tags_for_resource(ResourceName=arn)["TagList"] == expected
    client.remove_tags_from_resource(ResourceName=arn, TagKeys=["a"])
    assert emulator.group(GROUP)["tags"] == {"team": "red"}
    removal = {"ResourceName": arn, "TagKeys": ["a"]}
    assert refusal(lambda: client.remove_tags_from_resource(**removal))[0] == "TagNotFound"
    assert refusal(lambda: client.list_tags_for_resource(ResourceName=arn + "x"))[0] == "ReplicationGroupNotFoundFault"
    assert refusal(lambda: client.list_tags_for_resource(ResourceName="arn:aws:s3:::b"))[0] == "InvalidARN"


def test_get_resources_lists_replication_groups_by_type_filter_and_arn(emulator: Any) -> None:
    many(emulator, 130, Tags=[{"Key": "team", "Value": "blue"}, {"Key": "x", "Value": "y"}])
    create(emulator, "untagged")
    create(emulator, "red", Tags=[{"Key": "team", "Value": "red"}])
    emulator.client("secretsmanager").create_secret(Name="s", SecretString="x", Tags=[{"Key": "team", "Value": "blue"}])
    client = emulator.client("resourcegroupstaggingapi")
    pages = list(client.get_paginator("get_resources").paginate(ResourceTypeFilters=["elasticache:replicationgroup"]))
    assert [len(page["ResourceTagMappingList"]) for page in pages] == [100, 31]
    found = client.get_resources(ResourceTypeFilters=["elasticache"], TagFilters=[{"Key": "team", "Values": ["red"]}])[
        "ResourceTagMappingList"
    ]
    red = "arn:aws:elasticache:us-east-1:123456789012:replicationgroup:red"
    assert found == [{"ResourceARN": red, "Tags": [{"Key": "team", "Value": "red"}]}]
    arns = [red.replace("red", f"g-{number:04}") for number in range(100)]
    assert len(client.get_resources(ResourceARNList=arns)["ResourceTagMappingList"]) == 100
    assert refusal(lambda: client.get_resources(ResourceARNList=[*arns, red]))[0] == "InvalidParameterException"


def test_tags_can_be_read_in_bulk_while_a_group_is_modified(emulator: Any) -> None:
    create(emulator, AuthToken=TOKEN_A, Tags=[{"Key": "team", "Value": "blue"}])
    emulator.faults({"kind": "never-ends"})
    arn = modify(emulator, wait=False, **ROTATE)["ARN"]
    client = emulator.client("resourcegroupstaggingapi")
    assert client.get_resources(ResourceARNList=[arn])["ResourceTagMappingList"][0]["Tags"]
    failed = client.tag_resources(ResourceARNList=[arn], Tags={"a": "b"})["FailedResourcesMap"]
    assert list(failed) == [arn]


def test_the_other_services_are_there(emulator: Any) -> None:
    assert emulator.client("sts").get_caller_identity()["Account"] == "123456789012"
    secrets = emulator.client("secretsmanager")
    secrets.create_secret(Name="elasticache/c/auth-token", SecretString=TOKEN_A)
    assert secrets.get_secret_value(SecretId="elasticache/c/auth-token")["SecretString"] == TOKEN_A
    emulator.client("ssm").put_parameter(Name="/a", Value="b", Type="String")
    assert emulator.client("ssm").get_parameter(Name="/a")["Parameter"]["Value"] == "b"
    emulator.client("cloudwatch").put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1}])
    assert emulator.client("cloudwatch").list_metrics(Namespace="n")["Metrics"]
    logged = [(call["service"], call["action"], call["mutating"]) for call in emulator.calls(mutating="true")]
    assert ("secretsmanager", "CreateSecret", True) in logged
    assert ("secretsmanager", "GetSecretValue", True) not in logged
    assert TOKEN_A not in repr(emulator.calls())


def test_state_is_by_region_and_account(emulator: Any) -> None:
    create(emulator, AuthToken=TOKEN_A)
    create(emulator, region="eu-west-1")
    credentials = emulator.client("sts").assume_role(
        RoleArn="arn:aws:iam::222222222222:role/r", RoleSessionName="session"
    )["Credentials"]
    other = boto3.client(
        "elasticache",
        region_name="us-east-1",
        endpoint_url=emulator.endpoint_url,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    assert other.describe_replication_groups()["ReplicationGroups"] == []
    other.create_replication_group(ReplicationGroupId=GROUP, ReplicationGroupDescription="d")
    places = {(group["account"], group["region"]) for group in emulator.groups()}
    assert places == {("123456789012", "us-east-1"), ("123456789012", "eu-west-1"), ("222222222222", "us-east-1")}
    with pytest.raises(ValueError, match="is in"):
        emulator.group(GROUP)
    assert emulator.group(GROUP, region="us-east-1", account="123456789012")["slots"] == [TOKEN_A]


@pytest.mark.parametrize(
    ("service", "action", "code"),
    [
        ("elasticache", "describe_users", "SignatureDoesNotMatch"),
        ("ec2", "describe_regions", "SignatureDoesNotMatch"),
        ("secretsmanager", "list_secrets", "InvalidSignatureException"),
        ("resourcegroupstaggingapi", "get_resources", "InvalidSignatureException"),
        ("ssm", "describe_parameters", "InvalidSignatureException"),
    ],
)
def test_a_region_that_does_not_exist_is_refused_by_the_service(
    emulator: Any, service: str, action: str, code: str
) -> None:
    found = refusal(getattr(emulator.client(service, region="xx-nowhere-1"), action))
    assert found == (code, "Credential should be scoped to a valid region.", 403)
    assert [(call["code"], call["status"]) for call in emulator.calls(region="xx-nowhere-1")] == [(code, 403)]


def test_calls_are_logged_with_what_came_of_them(emulator: Any) -> None:
    make_state(emulator, "required")
    since = time.time()
    refusal(lambda: modify(emulator, AuthToken="short", AuthTokenUpdateStrategy="SET"))
    emulator.client("elasticache").describe_replication_groups()
    failed, listed = emulator.calls(since=since)
    expected = {
        "service": "elasticache",
        "action": "ModifyReplicationGroup",
        "region": "us-east-1",
        "account": "123456789012",
        "id": GROUP,
        "code": "InvalidParameterValue",
        "status": 400,
        "mutating": True,
        "fault": None,
    }
    assert {name: failed[name] for name in expected} == expected
    assert (listed["action"], listed["code"], listed["mutating"], listed["id"]) == (
        "DescribeReplicationGroups",
        None,
        False,
        None,
    )
    assert [call["action"] for call in emulator.calls(mutating="true")] == [
        "CreateReplicationGroup",
        "ModifyReplicationGroup",
    ]


def test_variants_are_shown_and_checked(emulator: Any) -> None:
    shown = emulator.variants()
    assert {name: item["default"] for name, item in shown.items()} == {
        "optional-wrong-token": "wrongpass",
        "open-auth-default": "ok",
        "set-other-value": "not-rotated",
        "set-on-required": "no-op",
        "rotate-live-token": "refused",
        "rotate-same-twice": "refused",
        "existing-connections": "keep",
        "modify-wider-token": "accepted",
        "date-moves": "end",
        "engine-too-old": "unsupported-version",
    }
    assert emulator.variants({"date-moves": "start"})["date-moves"]["value"] == "start"
    with pytest.raises(ValueError, match="no variant"):
        emulator.variants({"nope": "x"})
    with pytest.raises(ValueError, match="can't be"):
        emulator.variants({"date-moves": "x"})


def test_reset_forgets_everything(emulator: Any) -> None:
    make_state(emulator, "rbac")
    emulator.client("secretsmanager").create_secret(Name="s", SecretString="x")
    emulator.faults({"kind": "throttle"})
    emulator.variants({"date-moves": "start"})
    emulator.reset()
    client = emulator.client("elasticache")
    assert (emulator.groups(), emulator.calls(), emulator.faults()) == ([], [], [])
    assert [user["UserId"] for user in client.describe_users()["Users"]] == ["default"]
    assert client.describe_user_groups()["UserGroups"] == []
    assert emulator.client("secretsmanager").list_secrets()["SecretList"] == []
    assert emulator.variants()["date-moves"]["value"] == "end"


def test_connections_stay_open(emulator: Any) -> None:
    address = urllib.parse.urlsplit(emulator.admin_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=120)
    for dummy in range(3):
        connection.request("GET", f"{address.path}/groups")
        response = connection.getresponse()
        assert (response.version, response.read()) == (11, b"[]\n")
        assert not response.will_close
    connection.close()


def test_an_action_that_is_not_emulated_says_so(emulator: Any) -> None:
    code, message, status = refusal(lambda: emulator.client("elasticache").describe_reserved_cache_nodes())
    assert (code, message, status) == ("InvalidAction", "DescribeReservedCacheNodes is not emulated.", 400)


def aws(emulator: Any, *arguments: str) -> dict[str, Any]:
    """Run the AWS CLI as a user would, and parse what it prints."""
    done = subprocess.run(
        [Path(sys.executable).parent / "aws", *arguments, "--output", "json"],
        env=emulator.environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_aws_cli_works_unchanged(emulator: Any) -> None:
    group = ("--replication-group-id", GROUP)
    aws(
        emulator,
        *("elasticache", "create-replication-group", *group, "--replication-group-description", "by the CLI"),
        *("--engine", "valkey", "--auth-token", TOKEN_A, "--transit-encryption-enabled"),
        *("--cache-node-type", "cache.t4g.micro", "--tags", "Key=team,Value=blue"),
    )
    assert emulator.wait_available(GROUP)["slots"] == [TOKEN_A]
    modify_group = ("elasticache", "modify-replication-group", *group, "--apply-immediately")
    aws(emulator, *modify_group, "--auth-token", TOKEN_B, "--auth-token-update-strategy", "ROTATE")
    assert emulator.wait_available(GROUP)["slots"] == [TOKEN_A, TOKEN_B]
    aws(emulator, *modify_group, "--auth-token", TOKEN_B, "--auth-token-update-strategy", "SET")
    assert emulator.wait_available(GROUP)["slots"] == [TOKEN_B]
    create_user_group(emulator)
    aws(emulator, *modify_group, "--auth-token-update-strategy", "DELETE", "--user-group-ids-to-add", "ug-1")
    assert emulator.wait_available(GROUP)["mode"] == "rbac"
    aws(
        emulator,
        *modify_group,
        "--remove-user-groups",
        "--auth-token",
        TOKEN_A,
        "--auth-token-update-strategy",
        "ROTATE",
    )
    assert emulator.wait_available(GROUP)["slots"] == [None, TOKEN_A]
    shown = aws(emulator, "elasticache", "describe-replication-groups", *group)["ReplicationGroups"][0]
    assert shown["AuthTokenEnabled"] is True


def test_users_are_paged_and_filtered(emulator: Any) -> None:
    for number in range(25):
        create_user(emulator, f"u-{number:02}", f"name-{number:02}")
    client = emulator.client("elasticache")
    pages = list(client.get_paginator("describe_users").paginate(PaginationConfig={"PageSize": 20}))
    assert [len(page["Users"]) for page in pages] == [20, 6]
    found = client.describe_users(Filters=[{"Name": "user-name", "Values": ["name-07"]}])["Users"]
    assert [user["UserId"] for user in found] == ["u-07"]


def test_latency_is_added_to_every_call(emulator: Any) -> None:
    emulator.settings(latency=0.3)
    began = time.monotonic()
    emulator.client("elasticache").describe_users()
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("repeat", range(2))
def test_parallel_changes_end_as_they_should(emulator: Any, repeat: int) -> None:
    many(emulator, 60)
    client = emulator.client("elasticache")

    def rotate(number: int) -> None:
        client.modify_replication_group(ReplicationGroupId=f"g-{number:04}", ApplyImmediately=True, **ROTATE)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(rotate, range(60)))
    wait_until(lambda: all(group["status"] == "available" for group in emulator.groups()), "all groups are available")
    assert {tuple(group["slots"]) for group in emulator.groups()} == {(TOKEN_A, TOKEN_B)}


def test_standalone_clusters_are_listed_apart(emulator: Any) -> None:
    create(emulator)
    client = emulator.client("elasticache")
    client.create_cache_cluster(
        CacheClusterId="alone", Engine="redis", CacheNodeType="cache.t4g.micro", NumCacheNodes=1
    )

    def listed(**members: Any) -> list[str]:
        return [item["CacheClusterId"] for item in client.describe_cache_clusters(**members)["CacheClusters"]]

    assert listed() == ["alone", f"{GROUP}-001"]
    assert listed(ShowCacheClustersNotInReplicationGroups=True) == ["alone"]
