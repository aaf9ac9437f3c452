# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Each operation is made with exactly its role's iam-policy.json: everything else is denied, nothing that it calls is.

Nothing is in the policy that no run needs, but for what is said to be needed in other cases.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from integration.cutover.test_ecs import create_services, tag
from integration.cutover.test_ssm import create_instances
from integration.direct import REPOSITORY, ModuleRun, run
from integration.inventory_runs import take
from integration.role_scenes import KEY, due_fleet, promote, put_token, secret_name, version_ids
from integration.role_states import half_rotated
from integration.scenes import GROUP, A, B, C, create, scene
from integration.user_scenes import make, make_group

import iam_policies
from ansible_collections.elasticache.auth.plugins.module_utils._resource.bridge_user import TAG_KEY, Bridge

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.05)

SOURCE: dict[str, Any] = yaml.safe_load((REPOSITORY / "tools/iam_policies.yml").read_text("utf-8"))
#: The access key of whoever has only the policy.
LIMITED = "AKIALIMITEDLIMITED00"
MANY = [f"group-{number}" for number in range(6)]


def policy_of(role: str, region: str) -> dict[str, Any]:
    """The role's policy, for the emulator's region."""
    text = Path(REPOSITORY, "roles", role, "iam-policy.json").read_text("utf-8")
    policy: dict[str, Any] = json.loads(text.replace(SOURCE["region"], region))
    return policy


def defaults_of(role: str) -> dict[str, Any]:
    """The defaults of the role's variables, without its name."""
    defaults = yaml.safe_load(Path(REPOSITORY, "roles", role, "defaults/main.yml").read_text("utf-8"))
    return {name.removeprefix(f"{role}_"): value for name, value in defaults.items()}


@dataclass(frozen=True)
class Way:
    """One way of an operation, from where ``prepare`` leaves the groups."""

    prepare: Any
    options: Mapping[str, Any] = field(default_factory=dict)
    groups: Sequence[str] = (GROUP,)


def required(emulator: Emulator) -> None:
    put_token(emulator, A)
    scene(emulator, "required")


def promotion_cut_off(emulator: Emulator) -> None:
    """The label AWSPENDING is still on the version in AWSCURRENT."""
    required(emulator)
    current = version_ids(emulator)["AWSCURRENT"]
    emulator.client("secretsmanager").update_secret_version_stage(
        SecretId=secret_name(), VersionStage="AWSPENDING", MoveToVersionId=current
    )


def rbac_with_token(emulator: Emulator) -> None:
    put_token(emulator, A)
    scene(emulator, "rbac")


def bridge_user_of_another_password(emulator: Emulator) -> None:
    """What a run has left that was cut off before it put the bridge user into the user group."""
    scene(emulator, "rbac")
    tag = {"Key": TAG_KEY, "Value": Bridge(GROUP, "ug-1").text}
    make(emulator, f"{GROUP}-bridge", UserName="default", Passwords=[C], Tags=[tag])


def rotating(emulator: Emulator) -> None:
    put_token(emulator, A, B)
    promote(emulator)
    scene(emulator, "rotating")


def user_of_another_password(emulator: Emulator) -> None:
    """What migrate_auth_to_rbac finds of the user and the user group that it would make."""
    required(emulator)
    make(emulator, f"{GROUP}-default", UserName="default", Passwords=[C])
    make(emulator, "app-default", UserName="app", Passwords=[C])
    make_group(emulator, f"{GROUP}-users", "app-default")


def half_rotated_with_leftovers(emulator: Emulator) -> None:
    half_rotated(emulator)
    make(emulator, f"{GROUP}-keeping", UserName="default", Passwords=[C])
    make(emulator, "app-keeping", UserName="app", Passwords=[C])
    make_group(emulator, f"{GROUP}-keeping", "app-keeping")


def required_with_leftovers(emulator: Emulator) -> None:
    required(emulator)
    make(emulator, f"{GROUP}-leaving", UserName="default", Passwords=[C])
    make(emulator, "other-leaving", UserName="default", Engine="redis", Passwords=[C])
    make_group(emulator, f"{GROUP}-open", "other-leaving", engine="redis")


WAYS: Mapping[str, tuple[Way, ...]] = {
    "rotate_token": (
        Way(lambda emulator: due_fleet(emulator, MANY, A), groups=MANY),
        Way(half_rotated),
    ),
    "rollback_token": (
        Way(half_rotated, {"accept_open_window": True}),
        Way(half_rotated_with_leftovers, {"accept_open_window": True}),
    ),
    "enable_auth": (
        Way(lambda emulator: scene(emulator, "open"), {"create_secret": True}),
        Way(
            lambda emulator: create(emulator, TransitEncryptionEnabled=False),
            {"enable_tls": True, "create_secret": True},
        ),
    ),
    "enable_tls": (Way(lambda emulator: create(emulator, TransitEncryptionEnabled=False)),),
    "migrate_rbac_to_auth": (
        Way(lambda emulator: scene(emulator, "rbac"), {"create_secret": True, "accept_open_window": True}),
        Way(rbac_with_token, {"accept_open_window": True}),
        Way(bridge_user_of_another_password, {"create_secret": True, "accept_open_window": True}),
    ),
    "migrate_auth_to_rbac": (Way(rotating), Way(user_of_another_password)),
    "disable_access_control": (
        Way(promotion_cut_off, {"accept_open_access": True}),
        Way(required_with_leftovers, {"accept_open_access": True}),
        Way(rbac_with_token, {"accept_open_access": True}),
    ),
}


def operate(emulator: Emulator, operation: str, way: Way, *, check: bool) -> ModuleRun:
    """Run ``auth_operation`` with the access key that has the policy, and with the ids that the role has by default."""
    ids = ("user_group_id", "user_id", "open_user_group_id")
    args: dict[str, Any] = {
        "operation": operation,
        "replication_group_ids": list(way.groups),
        "data_plane_ca_path": emulator.ca_bundle,
        "wait_delay": 0.05,
        "soak": 0,
        **{name: value for name, value in defaults_of(operation).items() if name in ids},
        **way.options,
    }
    if operation != "enable_tls":
        args["auth_token_secret"] = {"name": secret_name("{replication_group_id}"), "key": KEY}
    return run(emulator, "auth_operation", args, check=check, environment={"AWS_ACCESS_KEY_ID": LIMITED})


def actions(calls: Sequence[Mapping[str, Any]]) -> set[str]:
    prefixes = {"tagging": "tag", "monitoring": "cloudwatch"}
    return {f"{prefixes.get(call['service'], call['service'])}:{call['action']}" for call in calls}


def refused(calls: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"{call['action']} {call['id']}" for call in calls if str(call["code"]).startswith("AccessDenied")]


@pytest.mark.parametrize("operation", WAYS)
def test_the_policy_is_enough_and_not_more(emulator: Emulator, operation: str) -> None:
    policy = policy_of(operation, emulator.region)
    reading = {
        **policy,
        "Statement": [statement for statement in policy["Statement"] if statement["Sid"].startswith("Read")],
    }
    used: set[str] = set()
    for way in WAYS[operation]:
        emulator.reset()
        way.prepare(emulator)
        begun = time.time()
        for allowed, check in ((reading, True), (policy, False)):
            emulator.allow(LIMITED, allowed)
            ended = operate(emulator, operation, way, check=check)
            assert not ended.failed, ended.msg
            assert refused(emulator.calls(since=begun)) == []
        assert {ended.of(group)["changed"] for group in way.groups} == {True}
        used |= actions(emulator.calls(since=begun))
    granted = {action for statement in policy["Statement"] for action in statement["Action"]}
    cases = {action for named in iam_policies.needed(operation, SOURCE).values() for action in named}
    surplus = {action for action in granted - used if action.split(":")[1] not in cases}
    assert surplus == set()


def test_of_the_audit(emulator: Emulator) -> None:
    """Of one region; the roles of other accounts are assumed by the module's own option."""
    scene(emulator, "rbac")
    due_fleet(emulator, MANY, A)
    begun = time.time()
    emulator.allow(LIMITED, policy_of("audit", emulator.region))
    targets = [{"region": emulator.region, "find": True, "users": True}]
    args = {"targets": targets, "data_plane_ca_path": emulator.ca_bundle}
    ended = run(emulator, "audit_look", args, environment={"AWS_ACCESS_KEY_ID": LIMITED})
    assert not ended.failed, ended.msg
    assert ended.result["incomplete"] == []
    calls = emulator.calls(since=begun)
    assert refused(calls) == []
    assert {"elasticache:DescribeReplicationGroups", "elasticache:DescribeUsers"} <= actions(calls)


def test_of_the_inventory(emulator: Emulator, tmp_path: Path) -> None:
    """The policy of the guide: of all regions, groups and serverless caches, with their tags."""
    due_fleet(emulator, MANY, A)
    emulator.client("elasticache").create_serverless_cache(ServerlessCacheName="carts", Engine="valkey")
    guide = Path(REPOSITORY, "docs/docsite/rst/guide_inventory.rst").read_text("utf-8")
    text = guide.split("begin generated: policy")[1].split("end generated: policy")[0]
    begun = time.time()
    emulator.allow(LIMITED, json.loads(text[text.index("{") : text.rindex("}") + 1]))
    listed = take(emulator, tmp_path, environment={"AWS_ACCESS_KEY_ID": LIMITED}, regions="all")
    assert listed.returncode == 0, listed.output
    assert len(listed.hosts) == len(MANY) + 1
    calls = emulator.calls(since=begun)
    assert refused(calls) == []
    assert "ec2:DescribeRegions" in actions(calls)


def test_of_the_cutover_of_ecs(emulator: Emulator) -> None:
    create_services(emulator, "sessions-web", "other")
    tag(emulator, "other", cache=GROUP)
    begun = time.time()
    emulator.allow(LIMITED, policy_of("cutover_ecs", emulator.region))
    args = {
        "replication_group_ids": [GROUP],
        "cluster": "shop",
        "services": ["{replication_group_id}-web"],
        "service_tags": {"cache": "{replication_group_id}"},
        "variables_of": "cutover_ecs",
        "wait_delay": 0.05,
    }
    ended = run(emulator, "ecs_service_redeploy", args, environment={"AWS_ACCESS_KEY_ID": LIMITED})
    assert not ended.failed, ended.msg
    calls = emulator.calls(since=begun)
    assert refused(calls) == []
    assert actions(calls) == {"tag:GetResources", "ecs:DescribeServices", "ecs:UpdateService"}


def test_of_the_cutover_of_ssm(emulator: Emulator) -> None:
    create_instances(emulator, cache=GROUP)
    begun = time.time()
    emulator.allow(LIMITED, policy_of("cutover_ssm", emulator.region))
    args = {
        "replication_group_ids": [GROUP],
        "instance_tags": {"cache": "{replication_group_id}"},
        "parameters": {"commands": ["systemctl restart web"]},
        "variables_of": "cutover_ssm",
        "wait_delay": 0.05,
    }
    ended = run(emulator, "ssm_command", args, environment={"AWS_ACCESS_KEY_ID": LIMITED})
    assert not ended.failed, ended.msg
    calls = emulator.calls(since=begun)
    assert refused(calls) == []
    assert actions(calls) == {"ssm:DescribeInstanceInformation", "ssm:ListCommands", "ssm:SendCommand"}


def test_without_a_statement_it_is_denied(emulator: Emulator) -> None:
    """The emulator does deny, and it is told which permission is missing."""
    required(emulator)
    policy = policy_of("rotate_token", emulator.region)
    emulator.allow(
        LIMITED, {"Statement": [statement for statement in policy["Statement"] if statement["Sid"] != "ChangeGroups"]}
    )
    ended = operate(emulator, "rotate_token", Way(required, {"force": True}), check=False)
    assert ended.failed
    assert "elasticache:AddTagsToResource" in ended.msg or "elasticache:ModifyReplicationGroup" in ended.msg
