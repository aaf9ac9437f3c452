# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Regions and accounts: each has a fleet of its own, tags are listed by the page, faults strike in one place alone."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.emulator(data_plane="none")

ROLE = "arn:aws:iam::210987654321:role/fleet"


def theirs(emulator: Any, service: str, region: str = "us-east-1") -> Any:
    """A client with the credentials of a role in another account."""
    role = emulator.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="test")["Credentials"]
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=emulator.endpoint_url,
        aws_access_key_id=role["AccessKeyId"],
        aws_secret_access_key=role["SecretAccessKey"],
        aws_session_token=role["SessionToken"],
    )


def groups_seen(client: Any) -> list[str]:
    """The ARNs of the groups that a client sees, or the code of its refusal."""
    try:
        return [group["ARN"] for group in client.describe_replication_groups()["ReplicationGroups"]]
    except ClientError as error:
        return [error.response["Error"]["Code"]]


def create(client: Any, group: str, **members: Any) -> None:
    client.create_replication_group(
        ReplicationGroupId=group, ReplicationGroupDescription="d", Engine="valkey", NumCacheClusters=1, **members
    )


def test_a_role_has_a_fleet_of_its_own(emulator: Any) -> None:
    create(emulator.client("elasticache"), "mine")
    create(theirs(emulator, "elasticache"), "mine")
    create(theirs(emulator, "elasticache", "eu-west-1"), "mine")
    arn = "arn:aws:elasticache:{}:{}:replicationgroup:mine"
    assert groups_seen(emulator.client("elasticache")) == [arn.format("us-east-1", "123456789012")]
    assert groups_seen(theirs(emulator, "elasticache")) == [arn.format("us-east-1", "210987654321")]
    assert groups_seen(theirs(emulator, "elasticache", "eu-west-1")) == [arn.format("eu-west-1", "210987654321")]
    assert {call["account"] for call in emulator.calls(action="DescribeReplicationGroups")} == {
        "123456789012",
        "210987654321",
    }


def test_an_account_has_regions(emulator: Any) -> None:
    regions = [region["RegionName"] for region in theirs(emulator, "ec2").describe_regions()["Regions"]]
    assert {"us-east-1", "eu-west-1"} <= set(regions)


def test_tags_are_listed_by_kind_and_page(emulator: Any) -> None:
    """A hundred resources a page; those of another kind, account or region are not there, and none twice."""
    client = emulator.client("elasticache")
    for number in range(105):
        create(client, f"g{number:03}", Tags=[{"Key": "n", "Value": str(number)}])
    client.create_serverless_cache(ServerlessCacheName="s", Engine="valkey", Tags=[{"Key": "n", "Value": "s"}])
    create(theirs(emulator, "elasticache"), "theirs", Tags=[{"Key": "n", "Value": "theirs"}])
    tagging = emulator.client("resourcegroupstaggingapi")

    def pages(*kinds: str) -> list[list[str]]:
        found = tagging.get_paginator("get_resources").paginate(ResourceTypeFilters=list(kinds), ResourcesPerPage=100)
        return [[item["Tags"][0]["Value"] for item in page["ResourceTagMappingList"]] for page in found]

    listed = pages("elasticache:replicationgroup")
    assert [len(page) for page in listed] == [100, 5]
    assert {value for page in listed for value in page} == {str(number) for number in range(105)}
    assert pages("elasticache:serverlesscache") == [["s"]]
    assert [len(page) for page in pages("elasticache:replicationgroup", "elasticache:serverlesscache")] == [100, 6]


@pytest.mark.parametrize(
    ("narrowed", "mine", "far", "others"),
    [
        ({"region": "eu-*"}, [], ["AccessDenied"], []),
        ({"account": "210987654321"}, [], [], ["AccessDenied"]),
        ({"account": "210987654321", "region": "eu-west-1"}, [], [], []),
        ({}, ["AccessDenied"], ["AccessDenied"], ["AccessDenied"]),
    ],
)
def test_a_fault_strikes_in_its_region_and_account(
    emulator: Any, narrowed: dict[str, str], mine: list[str], far: list[str], others: list[str]
) -> None:
    stranger = theirs(emulator, "elasticache")
    emulator.faults({"kind": "error", "code": "AccessDenied", "times": 9, **narrowed})
    assert groups_seen(emulator.client("elasticache")) == mine
    assert groups_seen(emulator.client("elasticache", region="eu-west-1")) == far
    assert groups_seen(stranger) == others


def test_a_fault_without_a_region_is_refused(emulator: Any) -> None:
    with pytest.raises(ValueError, match="never-ends can't be narrowed by region"):
        emulator.faults({"kind": "never-ends", "region": "eu-west-1"})
    with pytest.raises(ValueError, match="account must be a string that is not empty"):
        emulator.faults({"kind": "error", "account": ""})
