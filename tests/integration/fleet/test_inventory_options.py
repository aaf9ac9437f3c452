# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The options of the inventory plugin: filters, the cache, parts that cannot be looked at, and mistakes."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from conftest import ACCESS_KEY, SECRET_KEY
from integration.inventory_runs import (
    OTHER,
    OWN,
    PLUGIN,
    REGIONS,
    ROLE,
    create_elsewhere,
    tagged,
    take,
)
from integration.run import run_playbook
from integration.scenes import A, create

if TYPE_CHECKING:
    from conftest import Emulator


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
        assert [(failure["region"], failure["account_id"], failure["assume_role_arn"]) for failure in failures] == [
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
