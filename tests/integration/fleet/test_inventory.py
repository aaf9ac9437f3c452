# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The inventory plugin, by the real ``ansible-inventory``: hosts of several regions and accounts, filters, cache,
what happens where a part can't be looked at, and how few calls it takes."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml
from conftest import ACCESS_KEY, SECRET_KEY
from integration.direct import auth
from integration.run import run_inventory, run_playbook
from integration.scenes import A, B, C, create, create_user_group, rotate
from waiting import wait_until

if TYPE_CHECKING:
    from conftest import Emulator

PLUGIN = "elasticache.auth.replication_groups"
OWN, OTHER = "123456789012", "210987654321"
ROLE = f"arn:aws:iam::{OTHER}:role/fleet"
REGIONS = ["eu-west-1", "us-east-1", "us-west-2"]

#: What every host has; a role's host has its ARN besides.
VARIABLES = {
    "replication_group_id",
    "ansible_connection",
    "ansible_python_interpreter",
    "elasticache_account_id",
    "elasticache_arn",
    "elasticache_auth_token_age_days",
    "elasticache_auth_token_enabled",
    "elasticache_auth_token_last_modified_date",
    "elasticache_cluster_enabled",
    "elasticache_description",
    "elasticache_drift",
    "elasticache_endpoints",
    "elasticache_engine",
    "elasticache_engine_version",
    "elasticache_evidence",
    "elasticache_global_role",
    "elasticache_inventory_failures",
    "elasticache_mode",
    "elasticache_node_count",
    "elasticache_pending",
    "elasticache_possible_states",
    "elasticache_recorded_at",
    "elasticache_region",
    "elasticache_serverless",
    "elasticache_status",
    "elasticache_tags",
    "elasticache_transit_encryption_mode",
    "elasticache_unauthenticated_access",
    "elasticache_user_group_ids",
}


@dataclass(frozen=True)
class Inventory:
    """What ``ansible-inventory --list`` said, and what the emulator was asked meanwhile."""

    returncode: int
    output: str
    hosts: Mapping[str, Mapping[str, Any]]
    groups: Mapping[str, list[str]]
    calls: tuple[Mapping[str, Any], ...]
    seconds: float

    @property
    def ids(self) -> list[str]:
        """The ids of all hosts, in order."""
        return sorted(host["replication_group_id"] for host in self.hosts.values())

    @property
    def text(self) -> str:
        """What was written to standard error, on one line."""
        return re.sub(r"\s+", " ", self.output)

    @property
    def by_action(self) -> Counter[str]:
        """The number of calls by action."""
        return Counter(call["action"] for call in self.calls)


def unmarked(value: dict[str, Any]) -> Any:
    """Return a text that Ansible has marked as untrusted, and everything else as it is."""
    return value["__ansible_unsafe"] if set(value) == {"__ansible_unsafe"} else value


def take(
    emulator: Emulator,
    folder: Path,
    arguments: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
    **options: Any,
) -> Inventory:
    """Write the options into a file, and list the inventory that it stands for."""
    file = folder / "fleet.elasticache.yml"
    file.write_text(yaml.safe_dump({"plugin": PLUGIN, **options}), encoding="utf-8")
    before, begun = len(emulator.calls()), time.monotonic()
    done = run_inventory(
        emulator,
        folder,
        ["-i", str(file), "--list", *arguments],
        environment={"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true", **(environment or {})},
    )
    seconds = time.monotonic() - begun
    listed = json.loads(done.stdout, object_hook=unmarked) if done.returncode == 0 else {}
    hosts = listed.pop("_meta", {}).get("hostvars", {})
    groups = {name: sorted(group.get("hosts", [])) for name, group in listed.items()}
    calls = tuple(emulator.calls()[before:])
    for secret in (SECRET_KEY, A, B, C):
        assert secret not in done.stdout + done.stderr
    return Inventory(done.returncode, done.stderr, hosts, groups, calls, seconds)


def client_of(emulator: Emulator, account: str, region: str) -> Any:
    """A client of ElastiCache in another account."""
    role = emulator.client("sts").assume_role(RoleArn=f"arn:aws:iam::{account}:role/x", RoleSessionName="test")
    theirs = role["Credentials"]
    return boto3.client(
        "elasticache",
        region_name=region,
        endpoint_url=emulator.endpoint_url,
        aws_access_key_id=theirs["AccessKeyId"],
        aws_secret_access_key=theirs["SecretAccessKey"],
        aws_session_token=theirs["SessionToken"],
    )


def create_elsewhere(emulator: Emulator, account: str, region: str, group: str) -> None:
    """Create a group in another account."""
    client_of(emulator, account, region).create_replication_group(
        ReplicationGroupId=group,
        ReplicationGroupDescription="d",
        Engine="valkey",
        TransitEncryptionEnabled=True,
        NumCacheClusters=2,
        AuthToken=A,
    )
    emulator.wait_available(group, account=account, region=region)


def settle_serverless(emulator: Emulator, name: str) -> None:
    """Wait until a serverless cache is available."""
    client = emulator.client("elasticache")
    wait_until(
        lambda: (
            client.describe_serverless_caches(ServerlessCacheName=name)["ServerlessCaches"][0]["Status"] == "available"
        ),
        f"{name} is available",
    )


def tagged(**tags: str) -> list[dict[str, str]]:
    """Tags as AWS takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


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


@pytest.mark.emulator(data_plane="none")
def test_filters(emulator: Emulator, tmp_path: Path) -> None:
    """A table; all of it of one fleet. The rest of what filters do: test_inventory_selection.py."""
    create(emulator, "a-old", AuthToken=A, Tags=tagged(env="prod"))
    create(emulator, "a-new", AuthToken=A, Tags=tagged(env="prod"), Engine="redis")
    create(emulator, "b-open", TransitEncryptionEnabled=False, Tags=tagged(env="dev"))
    emulator.admin("POST", "groups/a-old", {"token_age_days": 100})
    table: list[tuple[dict[str, Any], list[str]]] = [
        ({"filters": {"ids": ["a-*"]}}, ["a-new", "a-old"]),
        ({"filters": {"tags": {"env": "prod"}, "engine": "valkey"}}, ["a-old"]),
        ({"filters": [{"mode": "open"}, {"max_token_age_days": 90}]}, ["a-new", "b-open"]),
        ({"exclude_filters": {"transit_encryption_mode": "off"}}, ["a-new", "a-old"]),
        ({"filters": {"min_token_age_days": 90, "status": "avail*"}}, ["a-old"]),
        ({"filters": {"ids": "{{ ['b'] | first }}-*"}}, ["b-open"]),
        ({"filters": {"mode": "rbac"}}, []),
    ]
    with ThreadPoolExecutor(2) as pool:
        folders = [tmp_path / str(number) for number in range(len(table))]
        for folder in folders:
            folder.mkdir()
        taken = list(pool.map(lambda pair: take(emulator, pair[1], **pair[0][0]), zip(table, folders, strict=True)))
    assert [listed.ids for listed in taken] == [ids for dummy, ids in table]
    assert all(listed.output == "" for listed in taken)
    nothing = take(emulator, tmp_path, filters={"ids": "missing"})
    assert nothing.by_action == {"DescribeReplicationGroups": 1, "DescribeServerlessCaches": 1}


@pytest.mark.emulator(data_plane="none")
def test_cache(emulator: Emulator, tmp_path: Path) -> None:
    """The second time no call is made, not even to assume a role; ages grow, filters apply, other options ask anew."""
    create_elsewhere(emulator, OTHER, "us-east-1", "theirs")
    create(emulator, "mine", AuthToken=A)
    cache = tmp_path / "cache"
    options: dict[str, Any] = {
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(cache),
        "assume_role_arns": [ROLE],
        "include_own_account": True,
    }
    first = take(emulator, tmp_path, **options)
    assert first.ids == ["mine", "theirs"]
    assert len(first.calls) == 9
    second = take(emulator, tmp_path, **options)
    assert second.calls == ()
    ages = [
        [host.pop("elasticache_auth_token_age_days") for host in map(dict, listed.hosts.values())]
        for listed in (first, second)
    ]
    assert all(younger <= older for younger, older in zip(*ages, strict=True))
    assert {key: {**host, "elasticache_auth_token_age_days": 0} for key, host in first.hosts.items()} == {
        key: {**host, "elasticache_auth_token_age_days": 0} for key, host in second.hosts.items()
    }
    filtered = take(emulator, tmp_path, **options, filters={"engine": "redis"})
    assert (filtered.ids, filtered.calls) == ([], ())

    files = [file.read_text() for file in cache.rglob("*") if file.is_file()]
    assert len(files) == 1
    assert "theirs" in files[0]
    for secret in (A, SECRET_KEY, ACCESS_KEY):
        assert secret not in files[0]
    (name,) = (file.name for file in cache.rglob("*") if file.is_file())
    assert ACCESS_KEY not in name

    assert take(emulator, tmp_path, **{**options, "include_own_account": False}).ids == ["theirs"]
    assert take(emulator, tmp_path, **options, regions=["eu-west-1"]).ids == []
    other_key = take(emulator, tmp_path, **options, environment={"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7OTHERKEY"})
    assert other_key.calls
    assert take(emulator, tmp_path, ["--flush-cache"], **options).calls
    emulator.faults({"kind": "error", "account": OTHER, "code": "AccessDenied", "times": 99})
    incomplete = take(emulator, tmp_path, **options, regions=["us-west-2", "us-east-1"], on_failure="report")
    assert incomplete.ids == ["mine"]
    emulator.clear_faults()
    complete = take(emulator, tmp_path, **options, regions=["us-west-2", "us-east-1"], on_failure="report")
    assert complete.ids == ["mine", "theirs"]


class TestPartialFailure:
    """A region or an account can't be looked at."""

    pytestmark = pytest.mark.emulator(data_plane="none")

    def test_a_region_is_denied(self, emulator: Emulator, tmp_path: Path) -> None:
        create(emulator, "here")
        create(emulator, "there", region="eu-west-1")
        emulator.faults({"kind": "error", "region": "eu-west-1", "code": "AccessDenied", "message": "no", "times": 99})
        strict = take(emulator, tmp_path, regions=REGIONS)
        assert strict.returncode != 0
        assert (
            "The inventory would be incomplete. elasticache:DescribeReplicationGroups was refused in eu-west-1: "
            "AccessDenied: no. Allow it in the policy of the credentials. Repair it, or go on with the rest by "
            "on_failure: report."
        ) in strict.text
        reported = take(emulator, tmp_path, regions=REGIONS, on_failure="report")
        assert reported.returncode == 0
        assert reported.ids == ["here"]
        assert "The inventory is incomplete. elasticache:DescribeReplicationGroups was refused" in reported.text
        (host,) = reported.hosts.values()
        (failure,) = host["elasticache_inventory_failures"]
        assert failure["region"] == "eu-west-1"
        assert failure["account_id"] is None
        assert failure["assume_role_arn"] is None
        assert "was refused in eu-west-1" in failure["error"]
        nothing = take(emulator, tmp_path, regions=["eu-west-1"], on_failure="report")
        assert nothing.returncode != 0
        assert "Nothing could be looked at. elasticache:DescribeReplicationGroups was refused" in nothing.text

    @pytest.mark.parametrize(
        ("action", "way_out", "option"),
        [
            ("DescribeServerlessCaches", "Or leave them out with serverless: false.", {"serverless": False}),
            ("GetResources", "Or do without tags and the record with record: false.", {"record": False}),
            ("DescribeCacheClusters", "Or do without with engine_versions: false.", {"engine_versions": False}),
        ],
    )
    def test_one_call_is_denied(
        self, emulator: Emulator, tmp_path: Path, action: str, way_out: str, option: dict[str, Any]
    ) -> None:
        """The way out that is named is one."""
        create(emulator, "here")
        emulator.faults({"kind": "error", "action": action, "code": "AccessDenied", "times": 99})
        denied = take(emulator, tmp_path)
        assert denied.returncode != 0
        assert f":{action} was refused in us-east-1" in denied.text
        assert way_out in denied.text
        assert take(emulator, tmp_path, **option).ids == ["here"]

    def test_a_role_can_not_be_assumed(self, emulator: Emulator, tmp_path: Path) -> None:
        create(emulator, "here")
        create_elsewhere(emulator, OTHER, "us-east-1", "theirs")
        refused = "arn:aws:iam::321098765432:role/fleet"
        denied = {"code": "AccessDenied", "message": "no", "times": 99}
        emulator.faults({"kind": "error", "action": "AssumeRole", "id": refused, **denied})
        roles: dict[str, Any] = {"assume_role_arns": [ROLE, refused], "include_own_account": True}
        strict = take(emulator, tmp_path, **roles)
        assert strict.returncode != 0
        assert (
            f"The role {refused} can't be assumed: sts:AssumeRole was refused in us-east-1: AccessDenied: no. The "
            "role's trust policy must name these credentials, and their own policy must allow sts:AssumeRole on it."
        ) in strict.text
        reported = take(emulator, tmp_path, **roles, on_failure="report")
        assert reported.ids == ["here", "theirs"]
        failures = reported.hosts[f"here.us-east-1.{OWN}"]["elasticache_inventory_failures"]
        assert [(one["region"], one["account_id"], one["assume_role_arn"]) for one in failures] == [
            (None, "321098765432", refused)
        ]

    def test_regions_can_not_be_listed(self, emulator: Emulator, tmp_path: Path) -> None:
        emulator.faults({"kind": "error", "action": "DescribeRegions", "code": "UnauthorizedOperation", "times": 99})
        denied = take(emulator, tmp_path, regions="all")
        assert denied.returncode != 0
        assert "ec2:DescribeRegions was refused in us-east-1" in denied.text
        assert "Or name the regions." in denied.text

    def test_throttling_is_ridden_out(self, emulator: Emulator, tmp_path: Path) -> None:
        create(emulator, "here", Tags=tagged(env="prod"))
        emulator.faults({"kind": "throttle", "rate": 0.6, "seed": 3})
        listed = take(emulator, tmp_path, regions=REGIONS)
        assert listed.returncode == 0, listed.output
        assert listed.ids == ["here"]
        assert any(call["code"] for call in listed.calls)


BAD_INPUT: dict[str, tuple[dict[str, Any], str]] = {
    "unknown-option": (
        {"regins": ["us-east-1"]},
        "There is no option 'regins'. Did you mean regions? See ansible-doc -t inventory " + PLUGIN,
    ),
    "unknown-region": (
        {"regions": ["us-east-1", "eu-centrl-1"]},
        "regions: there is no region 'eu-centrl-1'. Did you mean eu-central-1?",
    ),
    "unknown-filter": ({"filters": {"id": "a"}}, "filters: there is no 'id' to filter by. Did you mean ids?"),
    "tags-unread": (
        {"filters": {"tags": {"a": "b"}}, "record": False},
        "filters: tags can't be filtered by with record: false, which leaves them unread.",
    ),
    "no-role": (
        {"assume_role_arns": ["fleet"]},
        "assume_role_arns: 'fleet' is not the ARN of a role, which looks like",
    ),
    "no-account": (
        {"include_own_account": False},
        "include_own_account: false leaves no account to look at. Name roles in assume_role_arns.",
    ),
    "no-choice": ({"on_failure": "ignore"}, "on_failure"),
    "text-for-a-list": (
        {"regions": "us-east-1, eu-west-1"},
        "regions: 'us-east-1, eu-west-1' is not a list. Pass a list: [us-east-1, eu-west-1].",
    ),
    "no-boolean": ({"serverless": "perhaps"}, "serverless: 'perhaps' is neither true nor false."),
    "same-name": (
        {"hostname": "'same'"},
        "would both be the host same. Leave hostname out, or put elasticache_region and elasticache_account_id into",
    ),
    "name-undefined": (
        {"hostname": "elasticache_missing"},
        f"hostname: elasticache_missing can't name arn:aws:elasticache:us-east-1:{OWN}:replicationgroup:a",
    ),
    "name-null": (
        {"hostname": "elasticache_mode"},
        f"hostname: elasticache_mode gives no name for arn:aws:elasticache:us-east-1:{OWN}:replicationgroup:a",
    ),
}


@pytest.mark.emulator(data_plane="none")
def test_bad_input(emulator: Emulator, tmp_path: Path) -> None:
    """One clear message for each file, and no host from any. All in one run, whose warnings they are."""
    create(emulator, "a", AuthToken=A)
    create(emulator, "b", AuthToken=A)
    (tmp_path / "more").mkdir()
    arguments = []
    for name, (options, dummy) in BAD_INPUT.items():
        file = tmp_path / "more" / f"{name}.elasticache.yml"
        file.write_text(yaml.safe_dump({"plugin": PLUGIN, **options}), encoding="utf-8")
        arguments += ["-i", str(file)]
    listed = take(
        emulator,
        tmp_path,
        arguments,
        {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "false"},
        filters={"ids": "none-of-them"},
    )
    assert listed.returncode == 0
    assert listed.hosts == {}
    told = {
        re.findall(r"with source '[^']*?([\w-]+)\.elasticache\.yml'", warning)[0]: warning
        for warning in listed.text.split("[WARNING]: ")
        if warning.startswith("Failed to parse inventory with 'auto' plugin")
    }
    assert set(told) == set(BAD_INPUT)
    for name, case in BAD_INPUT.items():
        assert case[1] in told[name]
    # What is wrong with an option is said before anything is asked; only a host's name takes the hosts.
    assert listed.by_action["DescribeReplicationGroups"] == 4


@pytest.mark.emulator(data_plane="none")
def test_no_region(emulator: Emulator, tmp_path: Path) -> None:
    refused = take(emulator, tmp_path, environment={"AWS_REGION": "", "AWS_DEFAULT_REGION": ""})
    assert refused.returncode != 0
    assert "There is no region. Set regions, AWS_REGION, or a profile that has one." in refused.text


@pytest.mark.emulator(data_plane="none")
def test_a_fleet_of_none(emulator: Emulator, tmp_path: Path) -> None:
    """No host, no error; the groups that a play may name are there."""
    listed = take(emulator, tmp_path, regions=REGIONS)
    assert listed.returncode == 0
    assert listed.output == ""
    assert listed.hosts == {}
    run = run_playbook(
        emulator,
        [{"hosts": "elasticache_replication_groups:elasticache_serverless", "gather_facts": False, "tasks": []}],
        inventory=str(tmp_path / "fleet.elasticache.yml"),
    )
    assert run.succeeded
    assert "no hosts matched" in run.output
    assert "Could not match supplied host pattern" not in run.output


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
