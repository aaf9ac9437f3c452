# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Secondaries of global datastores: recognised first, skipped in a fleet, refused where they are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import ModuleRun, auth, run
from integration.inventory_runs import take
from integration.role_scenes import age, run_role, secret_name, secret_text
from integration.roles.test_waves import account, arrived, due, hosts_file
from integration.scenes import A, B, create_secondary

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.05)

HERE, THERE = "us-east-1", "eu-west-1"
SECONDARY, PRIMARY = "sessions", "primary"
WHY = (
    "it is a secondary of the global datastore ldgnf-world, and has the access control of its primary. Change that of "
    "the primary: the secondaries follow. Which group it is, and in which region: aws elasticache "
    "describe-global-replication-groups --global-replication-group-id ldgnf-world --show-member-info"
)


def operate(emulator: Emulator, operation: str = "rotate_token", **options: Any) -> ModuleRun:
    """Run the module for the secondary, as the role does."""
    more = {"user_group_id": "ug", "user_id": "u", "open_user_group_id": "oug"}
    given = {
        "operation": operation,
        "data_plane_ca_path": emulator.ca_bundle,
        "wait_delay": 0.1,
        "accept_open_window": True,
        "accept_open_access": True,
        "create_secret": True,
        "force": True,
        "soak": 0,
        **(more if operation in ("migrate_auth_to_rbac", "disable_access_control", "rollback_token") else {}),
        "auth_token_secret": {"name": "elasticache/{replication_group_id}/auth-token", "key": "auth_token"},
        **options,
    }
    groups = {} if "targets" in options else {"replication_group_ids": [SECONDARY]}
    return run(emulator, "auth_operation", {**groups, **given})


def its_own_record(emulator: Emulator) -> None:
    """Leave a record on the secondary from when it was the primary: of a token that is no longer in force."""
    ended = auth(emulator, "rotate", group=PRIMARY, region=THERE, auth_token=B, known_auth_tokens=[A])
    assert ended.changed, ended.msg
    client = emulator.client("elasticache", region=THERE)
    arn = client.describe_replication_groups(ReplicationGroupId=PRIMARY)["ReplicationGroups"][0]["ARN"]
    tags = client.list_tags_for_resource(ResourceName=arn)["TagList"]
    here = emulator.client("elasticache")
    arn = here.describe_replication_groups(ReplicationGroupId=SECONDARY)["ReplicationGroups"][0]["ARN"]
    here.add_tags_to_resource(ResourceName=arn, Tags=tags)
    client.modify_replication_group(
        ReplicationGroupId=PRIMARY, AuthToken=B, AuthTokenUpdateStrategy="SET", ApplyImmediately=True
    )
    emulator.wait_available(PRIMARY, region=THERE)


@pytest.mark.parametrize(
    "operation",
    [
        "rotate_token",
        "enable_auth",
        "migrate_auth_to_rbac",
        "migrate_rbac_to_auth",
        "disable_access_control",
        "rollback_token",
    ],
)
@pytest.mark.parametrize("secret", ["no-secret", "a-secret", "a-secret-that-can't-be-read"])
def test_a_secondary_that_is_named_is_refused_as_such(emulator: Emulator, operation: str, secret: str) -> None:
    """Whatever else is wrong there: no secret is missed, no state is guessed, nothing is waited for."""
    create_secondary(emulator)
    if secret != "no-secret":
        text = secret_text(A) if secret == "a-secret" else "{"
        emulator.client("secretsmanager").create_secret(Name=secret_name(SECONDARY), SecretString=text)
    before = len(emulator.calls(mutating="true"))
    ended = operate(emulator, operation)
    assert ended.failed
    assert ended.msg == f"{SECONDARY}: {WHY}"
    assert len(emulator.calls(mutating="true")) == before


def test_one_that_is_being_changed_is_refused_without_waiting(emulator: Emulator) -> None:
    create_secondary(emulator)
    emulator.faults({"kind": "never-ends", "action": "ModifyReplicationGroup", "id": SECONDARY})
    client = emulator.client("elasticache")
    client.modify_replication_group(
        ReplicationGroupId=SECONDARY, CacheNodeType="cache.r7g.large", ApplyImmediately=True
    )
    assert operate(emulator, wait_timeout=600).msg == f"{SECONDARY}: {WHY}"
    assert auth(emulator, "rotate", group=SECONDARY, auth_token=B, known_auth_tokens=[A]).msg == f"{SECONDARY}: {WHY}"


def test_in_a_fleet_it_is_skipped_and_its_primary_is_rotated(emulator: Emulator) -> None:
    create_secondary(emulator)
    client = emulator.client("secretsmanager", region=THERE)
    client.create_secret(Name=secret_name(PRIMARY), SecretString=secret_text(A))
    targets = [
        {"region": HERE, "replication_group_ids": [SECONDARY]},
        {"region": THERE, "replication_group_ids": [PRIMARY]},
    ]
    ended = operate(emulator, targets=targets, skip_secondaries=True)
    assert not ended.failed, ended.msg
    here, there = (place["outcomes"] for place in ended.result["targets"])
    skipped = here[SECONDARY]
    assert (skipped["failed"], skipped["changed"], skipped["planned_steps"]) == (False, False, [])
    assert skipped["msg"] == f"{SECONDARY}: skipped: {WHY}"
    assert there[PRIMARY]["changed"]
    text = client.get_secret_value(SecretId=secret_name(PRIMARY))["SecretString"]
    token = json.loads(text)["auth_token"]
    assert emulator.group(SECONDARY, region=HERE)["slots"] == emulator.group(PRIMARY, region=THERE)["slots"] == [token]


def test_what_it_has_of_a_time_as_primary_is_no_drift(emulator: Emulator, tmp_path: Path) -> None:
    """And it is due nowhere: the recipe of the README, and a filter by the token's age, go by the primary's."""
    create_secondary(emulator)
    its_own_record(emulator)
    for group, region in ((SECONDARY, HERE), (PRIMARY, THERE)):
        emulator.admin("POST", f"groups/{group}?region={region}", {"token_age_days": 100})
    asked = {"replication_group_ids": [SECONDARY], "probe": "never"}
    info = run(emulator, "replication_group_info", asked).result
    assert not info["replication_groups"][0]["drift"]
    recipe = {"due": "(elasticache_auth_token_age_days or 0) > 90"}
    listed = take(emulator, tmp_path, regions=[HERE, THERE], groups=recipe)
    secondary, primary = (listed.hosts[f"{one}.123456789012"] for one in (f"{SECONDARY}.{HERE}", f"{PRIMARY}.{THERE}"))
    assert (secondary["elasticache_global_role"], primary["elasticache_global_role"]) == ("secondary", "primary")
    assert secondary["elasticache_auth_token_age_days"] is None
    assert secondary["elasticache_auth_token_last_modified_date"].startswith("20")
    assert not secondary["elasticache_drift"]
    assert listed.groups["due"] == [f"{PRIMARY}.{THERE}.123456789012"]
    filtered = take(emulator, tmp_path, regions=[HERE, THERE], filters={"min_token_age_days": 90})
    assert filtered.ids == [PRIMARY]


def test_as_canary_it_does_not_end_the_play(emulator: Emulator, tmp_path: Path) -> None:
    create_secondary(emulator)
    age(emulator, 100, f"{SECONDARY}?region={HERE}")
    due(emulator, "bravo")
    inventory = hosts_file(tmp_path, {SECONDARY: {}, "bravo": {}})
    common: dict[str, Any] = {"soak": 0, "inventory": inventory, "report_path": str(tmp_path / "result.json")}
    waves = {"rotate_token_hosts": "all", "rotate_token_serial": [1, "100%"]}
    ran = run_role(emulator, "rotate_token", groups=None, extra_vars=waves, **common)
    assert ran.succeeded, ran.output
    assert arrived(emulator, "bravo")
    assert f"{SECONDARY}: skipped: it is a secondary of the global datastore ldgnf-world" in ran.text
    told = {one["replication_group_id"]: one["outcome"] for one in account(tmp_path)["groups"]}
    assert told == {SECONDARY: "unchanged", "bravo": "changed"}

    named = run_role(emulator, "rotate_token", groups=[SECONDARY], soak=0)
    assert not named.succeeded
    assert f"{SECONDARY}: it is a secondary of the global datastore ldgnf-world" in named.text
