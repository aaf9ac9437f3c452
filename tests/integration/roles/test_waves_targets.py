# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A wave over regions and accounts, one of which can't be reached or used: its groups fail, the others go on."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.role_scenes import RoleRun, put_token, run_role, secret_name, secret_text
from integration.roles.test_waves import account, hosts_file
from integration.run import run_playbook
from integration.scenes import A, B, create, create_user_group

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.05)

HERE, THERE = "us-east-1", "eu-west-1"
ROLE = "arn:aws:iam::123456789012:role/fleet"
ALWAYS = {"kind": "error", "code": "AccessDenied", "message": "No.", "status": 403, "times": 100000}


@dataclass(frozen=True)
class Trouble:
    """A target that can't be used: what its hosts say of it, why, and what each of its groups has to tell."""

    target: Mapping[str, str]
    fault: Mapping[str, Any]
    told: tuple[str, ...]
    mended: Mapping[str, str] = field(default_factory=dict)

    @property
    def region(self) -> str:
        """Where the groups are."""
        return (self.mended or self.target).get("elasticache_region", HERE)


TROUBLES = {
    "denied": Trouble(
        {"elasticache_region": THERE},
        {**ALWAYS, "service": "elasticache", "region": THERE},
        (f"elasticache:DescribeReplicationGroups was refused in {THERE}", "Allow it in the policy of the credentials."),
    ),
    "silent": Trouble(
        {"elasticache_region": THERE},
        {"kind": "drop", "region": THERE, "times": 100000},
        (f" in {THERE}: ConnectionClosedError",),
    ),
    "no-such-region": Trouble(
        {"elasticache_region": "eu_west_1"},
        {},
        ("there is no region 'eu_west_1'", "elasticache_region"),
        {"elasticache_region": THERE},
    ),
    "role": Trouble(
        {"elasticache_region": HERE, "elasticache_assume_role_arn": ROLE},
        {**ALWAYS, "action": "AssumeRole"},
        (f"The role {ROLE} can't be assumed: sts:AssumeRole was refused in {HERE}", "trust policy"),
    ),
    "denied-to-the-role": Trouble(
        {"elasticache_region": THERE, "elasticache_assume_role_arn": ROLE},
        {**ALWAYS, "service": "secretsmanager", "region": THERE},
        (
            f"was refused in {THERE}",
            "Allow it in the policy of the credentials.",
            f"The credentials are those of {ROLE}.",
        ),
    ),
}
BAD, GOOD = ("mike", "november"), ("alpha", "bravo")


def groups_with_tokens(emulator: Emulator, region: str, *groups: str) -> None:
    for group in groups:
        create(emulator, group, AuthToken=A, region=region)
        emulator.client("secretsmanager", region=region).create_secret(
            Name=secret_name(group), SecretString=secret_text(A)
        )


def groups_without_tls(emulator: Emulator, region: str, *groups: str) -> None:
    for group in groups:
        create(emulator, group, TransitEncryptionEnabled=False, region=region)


def run_wave(
    emulator: Emulator,
    folder: Path,
    role: str,
    hosts: Mapping[str, Mapping[str, Any]],
    *arguments: str,
    serial: Any = "100%",
    **variables: Any,
) -> RoleRun:
    """One wave, unless ``serial`` says otherwise, with a retry file and an account in the folder."""
    return run_role(
        emulator,
        role,
        groups=None,
        inventory=hosts_file(folder, hosts),
        extra_vars={f"{role}_hosts": "all", f"{role}_serial": serial},
        environment={"ANSIBLE_RETRY_FILES_ENABLED": "true", "ANSIBLE_RETRY_FILES_SAVE_PATH": str(folder)},
        arguments=arguments,
        soak=0,
        report_path=str(folder / "result.json"),
        **variables,
    )


def in_order(first: str, trouble: Trouble, *, mended: bool = False) -> dict[str, Mapping[str, Any]]:
    """The hosts of both targets, those of the one in trouble first or last."""
    bad = dict.fromkeys(BAD, (trouble.mended if mended else {}) or trouble.target)
    good: dict[str, Mapping[str, Any]] = {group: {"elasticache_region": HERE} for group in GOOD}
    return {**bad, **good} if first == "bad" else {**good, **bad}


def outcomes(folder: Path) -> dict[str, str]:
    return {one["replication_group_id"]: one["outcome"] for one in account(folder)["groups"]}


def check_told(ran: RoleRun, folder: Path, trouble: Trouble) -> None:
    """The groups of the target in trouble failed, each in words of its own, and the others did not."""
    assert not ran.succeeded
    assert {host: numbers["failures"] for host, numbers in ran.recap.items()} == {
        **dict.fromkeys(BAD, 1),
        "alpha": 0,
        "bravo": 0,
    }
    assert all(ran.changed[host] for host in GOOD)
    assert not any(ran.changed[host] for host in BAD)
    assert outcomes(folder) == {**dict.fromkeys(GOOD, "changed"), **dict.fromkeys(BAD, "failed")}
    counts = ("2 changed, 2 failed", "2 failed, 2 changed")
    assert any(f"wave 1: {told}. In all: {told}. Current states: " in ran.text for told in counts)
    for told in account(folder)["groups"]:
        if told["replication_group_id"] in BAD:
            assert told["msg"].startswith(f"{told['replication_group_id']}: ")
            assert all(words in told["msg"] for words in trouble.told), told["msg"]
            assert told["msg"] in ran.text


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("denied", "bad"),
        ("denied", "good"),
        ("silent", "good"),
        ("no-such-region", "bad"),
        ("role", "bad"),
        ("denied-to-the-role", "good"),
    ],
)
def test_the_other_target_is_done(emulator: Emulator, tmp_path: Path, name: str, first: str) -> None:
    """Its groups fail one by one, and a run with the retry file finishes them."""
    trouble = TROUBLES[name]
    groups_with_tokens(emulator, trouble.region, *BAD)
    groups_with_tokens(emulator, HERE, *GOOD)
    if trouble.fault:
        emulator.faults(trouble.fault)
    ran = run_wave(emulator, tmp_path, "rotate_token", in_order(first, trouble), force=True)
    check_told(ran, tmp_path, trouble)
    changes = {call["id"] for call in ran.calls if call["action"] == "ModifyReplicationGroup"}
    assert changes == set(GOOD)

    emulator.clear_faults()
    retry = f"@{tmp_path / 'rotate_token.retry'}"
    hosts = in_order(first, trouble, mended=True)
    rest = run_wave(emulator, tmp_path, "rotate_token", hosts, "--limit", retry, force=True)
    assert rest.succeeded, rest.output
    assert set(rest.recap) == set(BAD)
    assert all(rest.changed.values())
    changes = {call["id"] for call in rest.calls if call["action"] == "ModifyReplicationGroup"}
    assert changes == set(BAD)


@pytest.mark.parametrize(("name", "first"), [("denied", "bad"), ("role", "good")])
def test_steps_of_other_modules(emulator: Emulator, tmp_path: Path, name: str, first: str) -> None:
    """An operation that other modules make, one call a group."""
    trouble = TROUBLES[name]
    groups_without_tls(emulator, trouble.region, *BAD)
    groups_without_tls(emulator, HERE, *GOOD)
    emulator.faults(trouble.fault)
    ran = run_wave(emulator, tmp_path, "enable_tls", in_order(first, trouble))
    check_told(ran, tmp_path, trouble)
    assert all(emulator.group(group, region=HERE)["tls"] == "required" for group in GOOD)


@pytest.mark.parametrize("role", ["migrate_rbac_to_auth", "disable_access_control"])
def test_what_is_reported_before_anything_is_done(emulator: Emulator, tmp_path: Path, role: str) -> None:
    """Who stops working is told of the groups that could be looked at."""
    trouble = TROUBLES["denied"]
    for group in GOOD:
        create_user_group(emulator, f"users-{group}", password=B)
        create(emulator, group, UserGroupIds=[f"users-{group}"])
        put_token(emulator, A, group=group)
    groups_with_tokens(emulator, THERE, *BAD)
    emulator.faults(trouble.fault)
    accepted = {
        "migrate_rbac_to_auth": {"accept_open_window": True},
        "disable_access_control": {"accept_open_access": True},
    }
    ran = run_wave(emulator, tmp_path, role, in_order("bad", trouble), **accepted[role])
    check_told(ran, tmp_path, trouble)
    when = {
        "migrate_rbac_to_auth": "as soon as the bridge user takes the place",
        "disable_access_control": "when its user groups",
    }
    assert f"these users stop working {when[role]}" in ran.text


def test_the_next_wave(emulator: Emulator, tmp_path: Path) -> None:
    """Groups of a target that can't be used count as any that failed."""
    trouble = TROUBLES["role"]
    hosts = {"mike": trouble.target, "alpha": {"elasticache_region": HERE}, "bravo": {"elasticache_region": HERE}}
    groups_with_tokens(emulator, HERE, *hosts)
    emulator.faults(trouble.fault)
    ran = run_wave(emulator, tmp_path, "rotate_token", hosts, serial=2, force=True)
    assert not ran.succeeded
    assert "bravo: not begun. Of the 2 hosts of the wave before 1 failed (mike)" in ran.text
    assert outcomes(tmp_path) == {"mike": "failed", "alpha": "changed"}
    assert account(tmp_path)["waiting"] == ["bravo"]

    ran = run_wave(emulator, tmp_path, "rotate_token", hosts, serial=2, max_fail_percentage=50, max_token_age_days=0)
    assert outcomes(tmp_path) == {"mike": "failed", "alpha": "changed", "bravo": "changed"}
    assert "wave 2: 1 changed. In all: 2 changed, 1 failed." in ran.text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_token_age_days": -1}, "max_token_age_days: the number -1 is not possible. Give days, 0 or more."),
        ({"secret_name": "one"}, "they would share the secret one"),
        ({"data_plane_ca_path": "/nowhere.pem"}, "data_plane_ca_path: /nowhere.pem holds no certificates to trust"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_a_mistake_in_the_options_is_everyones(
    emulator: Emulator, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    """It is found before any call, and no target is begun."""
    ran = run_wave(emulator, tmp_path, "rotate_token", in_order("bad", TROUBLES["role"]), **options)
    assert not ran.succeeded
    assert words in ran.text
    assert ran.calls == ()
    assert not (tmp_path / "result.json").exists()


def test_each_module_reports_it_for_each_group(emulator: Emulator) -> None:
    """With continue_on_error; without, it is told once. A target may get lost between two steps, too."""
    emulator.faults({**ALWAYS, "action": "AssumeRole"})
    common = {"replication_group_ids": list(BAD), "region": HERE, "assume_role_arn": ROLE}
    secret = {"name": "elasticache/{replication_group_id}/auth-token", "key": "auth_token"}
    modules: dict[str, dict[str, Any]] = {
        "auth_operation": {"operation": "rotate_token", "auth_token_secret": secret},
        "replication_group_auth": {"auth_token_update_strategy": "rotate", "auth_token": A},
        "auth_secret": {"state": "promoted", **secret},
        "auth_failures_monitor": {"duration": 60},
        "replication_group_wait": {},
        "auth_probe": {},
    }
    tasks = [
        {
            "name": f"{module} {going_on}",
            f"elasticache.auth.{module}": {**common, **own, "continue_on_error": going_on},
            "ignore_errors": not going_on,
        }
        for module, own in modules.items()
        for going_on in (True, False)
    ]
    ran = run_playbook(emulator, [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
    assert ran.succeeded, ran.output
    assert ran.recap["localhost"]["ignored"] == len(modules)
    why = f"The role {ROLE} can't be assumed: sts:AssumeRole was refused in {HERE}"
    for module in modules:
        told = ran.of(f"{module} True")
        assert {key: one["failed"] for key, one in told["outcomes"].items()} == dict.fromkeys(BAD, True), module
        assert all(one["msg"].startswith(f"{key}: {why}") for key, one in told["outcomes"].items()), module
        once = ran.of(f"{module} False")
        assert (why in once["msg"], "outcomes" in once) == (True, False), module


def test_secrets_that_nobody_answers_about(emulator: Emulator) -> None:
    """Many groups learn it from one call: singly each would wait for an answer as long."""
    many = [f"group-{number}" for number in range(7)]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        secret = {"name": "elasticache/{replication_group_id}/auth-token", "key": "auth_token"}
        options = {"operation": "rotate_token", "region": HERE, "auth_token_secret": secret, "continue_on_error": True}
        task = {"name": "ask", "elasticache.auth.auth_operation": {**options, "replication_group_ids": many}}
        ran = run_playbook(
            emulator,
            [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}],
            environment={"AWS_ENDPOINT_URL_SECRETS_MANAGER": url},
        )
    assert ran.succeeded, ran.output
    why = f"secretsmanager:BatchGetSecretValue did not reach AWS in {HERE}: "
    assert {key: one["msg"].partition("Could")[0] for key, one in ran.of("ask")["outcomes"].items()} == {
        key: f"{key}: {why}" for key in many
    }
