# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What IAM policies allow, and which resources a call needs."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.control.permissions import BadPolicyError, Policies, resources_of

PLACE = "aws:eu-central-1:123456789012"
ARN = "arn:aws:elasticache:eu-central-1:123456789012"
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret"


@pytest.mark.parametrize(
    ("service", "action", "members", "resources"),
    [
        ("elasticache", "DescribeReplicationGroups", {"ReplicationGroupId": "a"}, ["*"]),
        ("elasticache", "ListTagsForResource", {"ResourceName": f"{ARN}:user:a"}, [f"{ARN}:user:a"]),
        ("elasticache", "ModifyReplicationGroup", {"ReplicationGroupId": "A"}, [f"{ARN}:replicationgroup:a"]),
        (
            "elasticache",
            "ModifyReplicationGroup",
            {"ReplicationGroupId": "a", "UserGroupIdsToAdd.member.1": "b"},
            [f"{ARN}:replicationgroup:a", f"{ARN}:usergroup:b"],
        ),
        (
            "elasticache",
            "ModifyReplicationGroup",
            {"ReplicationGroupId": "a", "RemoveUserGroups": "true"},
            [f"{ARN}:replicationgroup:a", f"{ARN}:usergroup:attached"],
        ),
        (
            "elasticache",
            "CreateUserGroup",
            {"UserGroupId": "a", "UserIds.member.1": "b"},
            [f"{ARN}:usergroup:a", f"{ARN}:user:b"],
        ),
        ("secretsmanager", "BatchGetSecretValue", {}, ["*"]),
        ("secretsmanager", "DescribeSecret", {"SecretId": "a/b"}, [f"{SECRET}:a/b-a1B2c3"]),
        ("secretsmanager", "GetSecretValue", {"SecretId": f"{SECRET}:a-xxxxxx"}, [f"{SECRET}:a-xxxxxx"]),
        ("secretsmanager", "CreateSecret", {"Name": "a"}, [f"{SECRET}:a-a1B2c3"]),
        ("sts", "AssumeRole", {"RoleArn": "arn:aws:iam::1:role/r"}, ["arn:aws:iam::1:role/r"]),
        ("tagging", "GetResources", {}, ["*"]),
        (
            "ssm",
            "SendCommand",
            {"DocumentName": "D", "InstanceIds.member.1": "i-1"},
            ["arn:aws:ssm:eu-central-1::document/D", "arn:aws:ec2:eu-central-1:123456789012:instance/i-1"],
        ),
        (
            "ecs",
            "DescribeServices",
            {"cluster": "shop", "services.member.1": "web"},
            ["arn:aws:ecs:eu-central-1:123456789012:service/shop/web"],
        ),
        (
            "ecs",
            "UpdateService",
            {"cluster": "arn:aws:ecs:eu-central-1:123456789012:cluster/shop", "service": "web"},
            ["arn:aws:ecs:eu-central-1:123456789012:service/shop/web"],
        ),
    ],
)
def test_resources(service: str, action: str, members: dict[str, str], resources: list[str]) -> None:
    assert resources_of(service, action, members, PLACE, ["attached"]) == resources


def policy(*statements: tuple[Any, Any], effect: str = "Allow") -> dict[str, Any]:
    listed = [{"Effect": effect, "Action": actions, "Resource": on} for actions, on in statements]
    return {"access_key": "key", "policy": {"Statement": listed}}


def test_what_is_allowed() -> None:
    policies = Policies()
    assert not policies.limit("key")
    assert policies.refused("key", "x:Any", ["*"]) == ""
    policies.put(policy((["x:Read", "x:Change"], "arn:a:*"), ("x:Change", ["arn:b"]), ("x:List", "*")))
    assert policies.limit("key")
    assert policies.refused("key", "x:Change", ["arn:a:1", "arn:b"]) == ""
    assert policies.refused("key", "x:Read", ["arn:a:1", "arn:b"]) == "arn:b"
    assert policies.refused("key", "x:Read", ["*"]) == "*"
    assert policies.refused("key", "x:List", ["*"]) == ""
    assert policies.refused("key", "x:Other", ["arn:a:1"]) == "arn:a:1"
    assert policies.refused("another", "x:Other", ["arn:a:1"]) == ""
    policies.clear()
    assert not policies.limit("key")


@pytest.mark.parametrize(
    "described", [{}, [], "text", {"access_key": "key"}, policy(("x:A", 5)), policy(("x:A", "*"), effect="Deny")]
)
def test_what_is_no_policy(described: Any) -> None:
    with pytest.raises(BadPolicyError):
        Policies().put(described)
