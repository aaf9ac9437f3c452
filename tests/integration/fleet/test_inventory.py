# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The inventory plugin, by the real ``ansible-inventory``: hosts of several regions and accounts, their variables, and
how few calls it takes."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import auth
from integration.inventory_runs import (
    OTHER,
    OWN,
    REGIONS,
    ROLE,
    VARIABLES,
    create_elsewhere,
    settle_serverless,
    tagged,
    take,
)
from integration.run import run_playbook
from integration.scenes import A, B, C, create, create_user_group, rotate
from waiting import wait_until

if TYPE_CHECKING:
    from conftest import Emulator


def test_regions_and_accounts(emulator: Emulator, tmp_path: Path) -> None:
    """The same id twice in one account and once in another, and a serverless cache: four hosts, each its own."""
    create(emulator, "sessions", AuthToken=A, Tags=tagged(env="prod"))
    create(emulator, "sessions", region="eu-west-1", NumCacheClusters=3)
    create_elsewhere(emulator, OTHER, "us-west-2", "sessions")
    emulator.client("elasticache").create_serverless_cache(
        ServerlessCacheName="sessions", Engine="valkey", Tags=tagged(env="dev")
    )
    settle_serverless(emulator, "sessions")
    listed = take(emulator, tmp_path, regions=REGIONS, assume_role_arns=[ROLE], include_own_account=True)
    assert listed.returncode == 0, listed.output
    assert listed.output == ""
    mine, west = f"sessions.us-east-1.{OWN}", f"sessions.eu-west-1.{OWN}"
    theirs, serverless = f"sessions.us-west-2.{OTHER}", f"sessions.serverless.us-east-1.{OWN}"
    assert listed.groups["elasticache_replication_groups"] == sorted([mine, west, theirs])
    assert listed.groups["elasticache_serverless"] == [serverless]
    assert set(listed.hosts) == {mine, west, theirs, serverless}
    for name, host in listed.hosts.items():
        assert set(host) == VARIABLES | ({"elasticache_assume_role_arn"} if name == theirs else set())
    truth = emulator.group("sessions", region="us-east-1", account=OWN)
    assert (truth["slots"], truth["mode"]) == ([A], "required")
    host = dict(listed.hosts[mine])
    assert 0 <= host.pop("elasticache_auth_token_age_days") < 0.01
    assert host.pop("elasticache_auth_token_last_modified_date").startswith("20")
    ends = host.pop("elasticache_endpoints")
    nodes = [node for group in truth["node_groups"] for node in group["nodes"]]
    assert ends == {
        "primary": f"{nodes[0]['host']}:{nodes[0]['port']}",
        "reader": f"{nodes[1]['host']}:{nodes[1]['port']}",
        "configuration": None,
    }
    assert host == {
        "replication_group_id": "sessions",
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "elasticache_account_id": OWN,
        "elasticache_arn": f"arn:aws:elasticache:us-east-1:{OWN}:replicationgroup:sessions",
        "elasticache_auth_token_enabled": True,
        "elasticache_cluster_enabled": False,
        "elasticache_description": "d",
        "elasticache_drift": False,
        "elasticache_engine": "valkey",
        "elasticache_engine_version": host["elasticache_engine_version"],
        "elasticache_evidence": ["api"],
        "elasticache_global_role": None,
        "elasticache_inventory_failures": [],
        "elasticache_mode": None,
        "elasticache_node_count": 2,
        "elasticache_pending": "",
        "elasticache_possible_states": [
            "optional (an unknown token)",
            "required (an unknown token)",
            "rotating (an unknown token, then another unknown token)",
        ],
        "elasticache_recorded_at": None,
        "elasticache_region": "us-east-1",
        "elasticache_serverless": False,
        "elasticache_status": "available",
        "elasticache_tags": {"env": "prod"},
        "elasticache_transit_encryption_mode": "required",
        "elasticache_unauthenticated_access": None,
        "elasticache_user_group_ids": [],
    }
    members = emulator.client("elasticache").describe_cache_clusters()["CacheClusters"]
    assert host["elasticache_engine_version"] == members[0]["EngineVersion"]
    host = dict(listed.hosts[serverless])
    assert host["elasticache_serverless"] is True
    assert host["elasticache_mode"] == "open"
    assert host["elasticache_tags"] == {"env": "dev"}
    assert host["elasticache_engine_version"]
    assert listed.hosts[west]["elasticache_node_count"] == 3
    assert listed.hosts[west]["elasticache_mode"] == "open"
    assert listed.hosts[theirs]["elasticache_account_id"] == OTHER
    assert listed.hosts[theirs]["elasticache_assume_role_arn"] == ROLE
    # The account's own: six regions' groups, caches; tags and versions just where something is.
    assert listed.by_action == {
        "AssumeRole": 1,
        "DescribeReplicationGroups": 6,
        "DescribeServerlessCaches": 6,
        "GetResources": 3,
        "DescribeCacheClusters": 3,
    }

    alone = take(emulator, tmp_path, regions=REGIONS, assume_role_arns=ROLE, serverless=False, engine_versions=False)
    assert set(alone.hosts) == {theirs}
    assert alone.hosts[theirs]["elasticache_engine_version"] is None
    assert alone.by_action == {"AssumeRole": 1, "DescribeReplicationGroups": 3, "GetResources": 1}


def test_by_the_environment_alone(emulator: Emulator, tmp_path: Path) -> None:
    """As AWX runs it: no option but the plugin's name; region and credentials come from the environment."""
    create(emulator, "here")
    create(emulator, "there", region="eu-west-1")
    assert take(emulator, tmp_path).ids == ["here"]
    there = take(emulator, tmp_path, environment={"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"})
    assert there.ids == ["there"]
    every = take(emulator, tmp_path, regions="all")
    assert every.ids == ["here", "there"]
    assert every.by_action["DescribeRegions"] == 1
    assert every.by_action["DescribeReplicationGroups"] > 20


def test_mode_and_evidence(emulator: Emulator, tmp_path: Path) -> None:
    """The record tells the mode; a change behind its back is drift; what is under way is told, its tags with it."""
    for name in ("recorded", "drifted", "bare", "busy"):
        create(emulator, name, AuthToken=A, wait=False, Tags=tagged(env="prod"))
    create_user_group(emulator)
    create(emulator, "people", UserGroupIds=["ug-1"])
    create(
        emulator,
        "sharded",
        NumCacheClusters=None,
        NumNodeGroups=2,
        ReplicasPerNodeGroup=1,
        ClusterMode="enabled",
        AutomaticFailoverEnabled=True,
    )
    create(emulator, "plain", TransitEncryptionEnabled=False, Engine="redis")
    for name in ("recorded", "drifted", "bare", "busy"):
        emulator.wait_available(name)
    both = ["recorded", "drifted"]
    changed = auth(
        emulator,
        "rotate",
        replication_group_id=both,
        auth_token=B,
        known_auth_tokens=[A],
        data_plane_ca_path=emulator.ca_bundle,
    )
    assert not changed.failed, changed.msg
    rotate(emulator, C, "drifted")
    emulator.faults({"kind": "never-ends", "id": "busy"})
    rotate(emulator, B, "busy", wait=False)
    listed = take(emulator, tmp_path, hostname="replication_group_id")
    assert listed.returncode == 0, listed.output
    hosts = listed.hosts

    shown = {
        name: (
            host["elasticache_mode"],
            host["elasticache_evidence"],
            host["elasticache_drift"],
            host["elasticache_unauthenticated_access"],
        )
        for name, host in hosts.items()
    }
    assert shown == {
        "recorded": ("rotating", ["api", "record"], False, False),
        "drifted": (None, ["api"], True, None),
        "bare": (None, ["api"], False, None),
        "busy": (None, ["api"], False, None),
        "people": ("rbac", ["api"], False, False),
        "sharded": ("open", ["api"], False, True),
        "plain": ("open", ["api"], False, True),
    }
    (state,) = hosts["recorded"]["elasticache_possible_states"]
    assert re.fullmatch(r"rotating \(the token on record as f\.\S+, then the token on record as f\.\S+\)", state)
    assert hosts["recorded"]["elasticache_recorded_at"].startswith("20")
    assert hosts["recorded"]["elasticache_tags"] == {"env": "prod"}
    assert hosts["bare"]["elasticache_recorded_at"] is None
    assert hosts["busy"]["elasticache_pending"] == "its status is modifying, its token is ROTATING"
    assert hosts["busy"]["elasticache_tags"] == {"env": "prod"}
    assert hosts["busy"]["elasticache_possible_states"] == []
    assert hosts["people"]["elasticache_user_group_ids"] == ["ug-1"]
    assert hosts["people"]["elasticache_possible_states"] == ["rbac (ug-1)"]
    assert hosts["sharded"]["elasticache_cluster_enabled"] is True
    assert hosts["sharded"]["elasticache_node_count"] == 4
    assert hosts["sharded"]["elasticache_endpoints"]["primary"] is None
    assert hosts["sharded"]["elasticache_endpoints"]["configuration"]
    assert hosts["plain"]["elasticache_transit_encryption_mode"] == "off"
    assert hosts["plain"]["elasticache_engine"] == "redis"
    # The record that doesn't fit was read again from the group itself, and no other.
    assert listed.by_action["ListTagsForResource"] == 1
    again = take(emulator, tmp_path, hostname="replication_group_id", filters={"mode": "rotating"}, record=False)
    assert again.hosts == {}
    assert "GetResources" not in again.by_action


@pytest.mark.emulator(data_plane="none")
def test_a_record_that_is_behind_is_not_believed(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tagging API may be behind. Where it seems to be, and the group's own tags can't be read, nothing is known."""
    create(emulator, "recorded", AuthToken=A)
    changed = auth(
        emulator, "rotate", replication_group_id="recorded", auth_token=B, known_auth_tokens=[A], probe="never"
    )
    assert changed.failed  # required or optional: not known without a node; the record is written by hand below
    client = emulator.client("elasticache")
    arn = client.describe_replication_groups()["ReplicationGroups"][0]["ARN"]
    old = {"Key": "elasticache.auth/record", "Value": "v1 required:u.1 seen=2020-01-01T00:00:00+00:00 at=1577836800"}
    client.add_tags_to_resource(ResourceName=arn, Tags=[old])
    emulator.faults({"kind": "error", "action": "ListTagsForResource", "code": "AccessDenied", "times": 9})
    listed = take(emulator, tmp_path, hostname="replication_group_id")
    assert listed.hosts["recorded"]["elasticache_mode"] is None
    assert listed.hosts["recorded"]["elasticache_drift"] is False
    emulator.clear_faults()
    emulator.admin("POST", "groups/recorded", {"token_age_days": 1})
    listed = take(emulator, tmp_path, hostname="replication_group_id")
    assert listed.hosts["recorded"]["elasticache_drift"] is True
    assert "ListTagsForResource" not in listed.by_action


def test_groups_variables_and_a_play(emulator: Emulator, tmp_path: Path) -> None:
    """keyed_groups, groups and compose; texts of AWS are not run as templates; a play runs on the hosts."""
    evil = "{{ lookup('ansible.builtin.pipe', 'touch owned') }}"
    create(emulator, "a", ReplicationGroupDescription=evil, Tags=tagged(env="prod", evil="{% set x = 1 %}"))
    create(emulator, "b", AuthToken=A)
    options: dict[str, Any] = {
        "hostname": "replication_group_id ~ '.' ~ elasticache_region",
        "keyed_groups": [
            {"key": "elasticache_mode | default('unknown', true)", "prefix": "elasticache_mode"},
            {"key": "elasticache_tags.env | default('none')", "prefix": "env"},
        ],
        "groups": {"token": "elasticache_auth_token_enabled"},
        "compose": {"said": "elasticache_description", "short": "elasticache_region | split('-') | first"},
        "strict": True,
    }
    listed = take(emulator, tmp_path, **options)
    assert listed.returncode == 0, listed.output
    assert listed.groups["elasticache_mode_open"] == ["a.us-east-1"]
    assert listed.groups["elasticache_mode_unknown"] == ["b.us-east-1"]
    assert listed.groups["env_prod"] == ["a.us-east-1"]
    assert listed.groups["env_none"] == ["b.us-east-1"]
    assert listed.groups["token"] == ["b.us-east-1"]
    task = {
        "name": "Say",
        "ansible.builtin.debug": {"msg": "{{ [elasticache_description, said, elasticache_tags, short, interpreter] }}"},
        "vars": {"interpreter": "{{ ansible_python_interpreter }}"},
    }
    run = run_playbook(
        emulator,
        [
            {
                "hosts": "elasticache_replication_groups",
                "gather_facts": False,
                "tasks": [{"name": "Ping", "ansible.builtin.ping": None}, task],
            }
        ],
        inventory=str(tmp_path / "fleet.elasticache.yml"),
        arguments=["--limit", "a.*"],
    )
    assert run.succeeded, run.output
    assert set(run.recap) == {"a.us-east-1"}
    assert run.of("Ping")["ping"] == "pong"
    said = run.of("Say")["msg"]
    assert said[:2] == [evil, evil]
    assert said[2]["evil"] == "{% set x = 1 %}"
    assert said[3] == "us"
    assert Path(said[4]).name.startswith("python")
    assert not list(tmp_path.rglob("owned"))


@pytest.mark.emulator(data_plane="none", create_seconds=0.0)
def test_a_thousand_groups(emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """1,000 groups of two nodes in three regions, with tags: at most 50 calls. Time is printed, not asserted."""
    number = 1000
    places = [(f"fleet-{index:04}", REGIONS[index % 3]) for index in range(number)]
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda place: create(
                    emulator, place[0], wait=False, region=place[1], AuthToken=A, Tags=tagged(env="prod", n=place[0])
                ),
                places,
            )
        )
    wait_until(lambda: all(group["status"] == "available" for group in emulator.groups()), "all groups are available")
    listed = take(emulator, tmp_path, regions=REGIONS)
    assert listed.returncode == 0, listed.output
    assert len(listed.hosts) == number
    assert all(host["elasticache_tags"]["n"] == host["replication_group_id"] for host in listed.hosts.values())
    assert all(host["elasticache_engine_version"] for host in listed.hosts.values())
    with capsys.disabled():
        print(f"\ninventory of {number} groups in 3 regions: {listed.seconds:.1f} s, calls: {dict(listed.by_action)}")  # noqa: T201
    assert len(listed.calls) <= 50
    one = take(emulator, tmp_path, regions=REGIONS, filters={"ids": "fleet-0500"})
    assert one.ids == ["fleet-0500"]
    assert one.by_action["DescribeCacheClusters"] == 1
