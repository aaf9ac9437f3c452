# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""One operation in two regions side by side, with a group of the same id in each: each is changed where it is."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.cut_off import ends_soon, kill_at, points, rotation
from integration.direct import ModuleRun, run
from integration.meanwhile import Once, meanwhile
from integration.role_scenes import KEY, RoleRun, run_role, secret_name, secret_text
from integration.scenes import A, create

from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import Clients
from ansible_collections.elasticache.auth.plugins.module_utils._operation import engine, progress
from ansible_collections.elasticache.auth.plugins.module_utils._operation.group_plan import Planned
from ansible_collections.elasticache.auth.plugins.module_utils._operation.planning import plan_groups
from ansible_collections.elasticache.auth.plugins.module_utils._operation.progress import Account

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.2)

HERE, THERE = "us-east-1", "eu-west-1"
FLEET: Mapping[str, tuple[str, ...]] = {HERE: ("alpha", "bravo"), THERE: ("alpha", "mike")}
GROUPS = [(region, group) for region, groups in FLEET.items() for group in groups]
DENIED = {"kind": "error", "code": "AccessDenied", "message": "No.", "status": 403, "times": 100000}


@pytest.fixture
def fleet(emulator: Emulator) -> Emulator:
    for region, group in GROUPS:
        create(emulator, group, wait=False, AuthToken=A, region=region)
        emulator.client("secretsmanager", region=region).create_secret(
            Name=secret_name(group), SecretString=secret_text(A)
        )
    for region, group in GROUPS:
        emulator.wait_available(group, region=region)
        emulator.admin("POST", f"groups/{group}?region={region}", {"token_age_days": 100})
    return emulator


def targets() -> list[dict[str, Any]]:
    return [{"region": region, "replication_group_ids": list(groups)} for region, groups in FLEET.items()]


def options(emulator: Emulator, **more: Any) -> dict[str, Any]:
    return rotation(emulator, **{"targets": targets(), **more})


def rotate(emulator: Emulator, *, check: bool = False, **more: Any) -> ModuleRun:
    return run(emulator, "auth_operation", options(emulator, **more), check=check)


def token(emulator: Emulator, region: str, group: str, stage: str = "AWSCURRENT") -> str:
    client = emulator.client("secretsmanager", region=region)
    found = client.get_secret_value(SecretId=secret_name(group), VersionStage=stage)
    return str(json.loads(found["SecretString"])[KEY])


def slots(emulator: Emulator, region: str, group: str) -> list[str]:
    return [str(slot) for slot in emulator.group(group, region=region)["slots"]]


def arrived(emulator: Emulator, *regions: str) -> None:
    """Each group there takes the token in AWSCURRENT alone, which is a new one and its own."""
    found = [(token(emulator, *one), slots(emulator, *one)) for one in GROUPS if one[0] in regions]
    assert all(accepted == [current] for current, accepted in found)
    assert len({A, *(current for current, dummy in found)}) == 1 + len(found)


def told(ended: ModuleRun, name: str) -> list[dict[str, Any]]:
    """What is said of each group, by target."""
    return [{key: one[name] for key, one in place["outcomes"].items()} for place in ended.result["targets"]]


def test_each_is_changed_where_it_is(fleet: Emulator) -> None:
    ended = rotate(fleet)
    assert (ended.failed, ended.changed, ended.msg) == (False, True, "4 of 4 groups changed.")
    assert told(ended, "changed") == [dict.fromkeys(groups, True) for groups in FLEET.values()]
    assert "outcomes" not in ended.result
    arrived(fleet, HERE, THERE)
    calls = len(fleet.calls(mutating="true"))
    again = rotate(fleet)
    assert (again.failed, again.changed) == (False, False)
    assert len(fleet.calls(mutating="true")) == calls


def test_what_would_be_done_is_shown_with_the_region(fleet: Emulator) -> None:
    ended = rotate(fleet, check=True)
    assert ended.msg == "4 of 4 groups have something to do."
    headers = [one["prepared"].splitlines()[0] for one in ended.result["diff"]]
    assert headers == [f"{group} ({region})" for region, group in GROUPS]
    assert not [call for call in fleet.calls(mutating="true") if call["action"] == "ModifyReplicationGroup"]


def test_what_was_done_is_shown(fleet: Emulator) -> None:
    assert [one["before_header"] for one in rotate(fleet).result["diff"]] == [group for dummy, group in GROUPS]


@pytest.mark.parametrize("going_on", [True, False])
def test_a_target_that_cant_be_used_stops_no_other(fleet: Emulator, going_on: bool) -> None:
    fleet.faults({**DENIED, "service": "elasticache", "region": THERE})
    ended = rotate(fleet, continue_on_error=going_on)
    assert ended.failed is not going_on
    assert told(ended, "failed") == [dict.fromkeys(FLEET[HERE], False), dict.fromkeys(FLEET[THERE], True)]
    for group, why in told(ended, "msg")[1].items():
        assert why.startswith(f"{group}: elasticache:DescribeReplicationGroups was refused in {THERE}")
    arrived(fleet, HERE)
    assert all(token(fleet, THERE, group) == A for group in FLEET[THERE])
    fleet.clear_faults()
    again = rotate(fleet)
    assert told(again, "changed") == [dict.fromkeys(FLEET[HERE], False), dict.fromkeys(FLEET[THERE], True)]
    arrived(fleet, HERE, THERE)


def test_an_error_that_nobody_expects_is_its_targets_own(fleet: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its words may hold anything, and are not told."""
    own = plan_groups

    def breaks(clients: Clients, *arguments: Any, **more: Any) -> list[Planned]:
        if clients.region == THERE:
            raise KeyError(A)
        return own(clients, *arguments, **more)

    monkeypatch.setattr(engine, "plan_groups", breaks)
    ended = rotate(fleet, continue_on_error=True)
    for group, why in told(ended, "msg")[1].items():
        assert why == f"{group}: the module met an error that it does not know, KeyError."
    arrived(fleet, HERE)


def test_no_target_waits_for_another(fleet: Emulator) -> None:
    """A change in one region does not end before the other region has arrived."""
    fleet.hold(FLEET[HERE][1], region=HERE)
    there = [group for region, group in GROUPS if region == THERE]

    def have_arrived() -> bool:
        found = [slots(fleet, THERE, group) for group in there]
        return all(len(accepted) == 1 and accepted != [A] for accepted in found)

    with meanwhile(Once(have_arrived, fleet.release)):
        ended = rotate(fleet)
    assert not ended.failed, ended.msg
    arrived(fleet, HERE, THERE)


def test_a_single_target(fleet: Emulator) -> None:
    ended = rotate(fleet, targets=targets()[1:])
    assert not ended.failed, ended.msg
    arrived(fleet, THERE)
    assert all(token(fleet, HERE, group) == A for group in FLEET[HERE])


def test_a_region_that_is_named_twice(fleet: Emulator) -> None:
    """Once by the environment: each of its groups is changed once, and at one pace."""
    one, other = FLEET[HERE]
    given = [{"replication_group_ids": [one]}, {"region": HERE, "replication_group_ids": [other]}]
    ended = rotate(fleet, targets=given)
    assert not ended.failed, ended.msg
    assert told(ended, "changed") == [{one: True}, {other: True}]
    arrived(fleet, HERE)


def test_a_role_of_a_target(fleet: Emulator) -> None:
    """It is assumed for that target alone, and where it can't be, its groups say so."""
    role = "arn:aws:iam::123456789012:role/fleet"
    fleet.faults({**DENIED, "action": "AssumeRole"})
    given = [targets()[0], {**targets()[1], "assume_role_arn": role}]
    ended = rotate(fleet, targets=given, continue_on_error=True)
    for group, why in told(ended, "msg")[1].items():
        assert why.startswith(f"{group}: The role {role} can't be assumed: sts:AssumeRole was refused in {THERE}")
    assert len(fleet.calls(action="AssumeRole")) == 1
    arrived(fleet, HERE)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"targets": [{"region": HERE}]}, "replication_group_ids"),
        ({"targets": [{"region": HERE, "replication_group_ids": ["a"], "zone": "a"}]}, "zone"),
        (
            {"targets": [{"replication_group_ids": ["a", "b"]}, {"region": HERE, "replication_group_ids": ["c", "B"]}]},
            "targets[1].replication_group_ids: b is listed twice, with the same region and role.",
        ),
        (
            {"targets": [*targets(), {"region": "us-west-2", "replication_group_ids": ["-c"]}]},
            "targets[2].replication_group_ids: '-c' can't be the id of a replication group",
        ),
        ({"targets": targets(), "replication_group_ids": ["a"]}, "mutually exclusive"),
        (
            {"targets": targets(), "after_cutover": [{"replication_group_id": "alpha", "stage": "set"}]},
            "after_cutover[0].stage: set is no client cutover. There are: client_cutover_tls, ",
        ),
        ({"targets": None}, "replication_group_ids and targets are both empty."),
        ({"targets": targets(), "max_token_age_days": -1}, "max_token_age_days: -1 is not possible"),
    ],
)
def test_mistakes_are_found_before_any_call(emulator: Emulator, given: dict[str, Any], words: str) -> None:
    ended = rotate(emulator, **given)
    assert ended.failed
    assert words in ended.msg
    assert not emulator.calls()


def test_no_targets_at_all(emulator: Emulator) -> None:
    ended = rotate(emulator, targets=[])
    assert (ended.failed, ended.changed, ended.result["targets"]) == (False, False, [])


def test_progress_shows_all(fleet: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    path = tmp_path / "progress"
    path.touch()
    rotate(fleet, progress_path=str(path), soak=1)
    account, said = Account(), []
    for line in path.read_text("utf-8").splitlines():
        account.read([line])
        said.append(account.line(json.loads(line)["at"]))
    assert said[0].startswith("0 of 4 groups done; 4 not started")
    assert any(" at rotate" in line for line in said)
    assert any(re.search(r"; cutover [1-4]/4, \d s of 1 s; ", line) for line in said), said
    assert said[-1].startswith("4 of 4 groups done (")


# --- A list on localhost --------------------------------------------------------------------------------------------

LISTED = [*FLEET[HERE], {"region": THERE, "replication_group_ids": list(FLEET[THERE])}]
CLIENTS = """\
- name: Write down who has a client cutover
  ansible.builtin.lineinfile:
    path: "{{ told }}"
    line: "{{ client_region }}/{{ client_assume_role_arn }}/{{ client_replication_groups | join(' ') }}"
    create: true
    mode: "0600"
"""


def run_list(emulator: Emulator, role: str, *, check: bool = False, **variables: Any) -> RoleRun:
    extra = {f"{role}_replication_groups": LISTED}
    return run_role(emulator, role, groups=None, check=check, diff=check, extra_vars=extra, **variables)


def said(ran: RoleRun) -> str:
    """What the host told at the end."""
    return ran.told()


def test_a_list_over_two_regions(fleet: Emulator) -> None:
    plan = run_list(fleet, "rotate_token", check=True, soak=0)
    assert plan.succeeded, plan.output
    assert all(f"{group} ({region})" in plan.output for region, group in GROUPS)
    assert not [call for call in fleet.calls(mutating="true") if call["action"] == "ModifyReplicationGroup"]
    ran = run_list(fleet, "rotate_token", soak=0)
    assert ran.succeeded, ran.output
    assert all(said(ran).count(f"{group}: token rotated; ") for dummy, group in GROUPS)
    arrived(fleet, HERE, THERE)
    calls = len(fleet.calls(mutating="true"))
    again = rotate(fleet)
    assert (again.failed, again.changed) == (False, False)
    assert len(fleet.calls(mutating="true")) == calls


def test_the_clients_of_each_region_have_a_cutover(fleet: Emulator, tmp_path: Path) -> None:
    tasks = tmp_path / "clients.yml"
    tasks.write_text(CLIENTS, encoding="utf-8")
    told_in = tmp_path / "told"
    ran = run_role(
        fleet,
        "rotate_token",
        groups=None,
        extra_vars={"rotate_token_replication_groups": LISTED, "told": str(told_in)},
        client_tasks=str(tasks),
    )
    assert ran.succeeded, ran.output
    assert told_in.read_text("utf-8").splitlines() == ["//alpha bravo", f"{THERE}//alpha mike"]
    arrived(fleet, HERE, THERE)


def test_a_region_that_fails_is_reported_beside_the_others(fleet: Emulator, tmp_path: Path) -> None:
    fleet.faults({**DENIED, "service": "elasticache", "region": HERE})
    account = tmp_path / "result.json"
    ran = run_list(fleet, "rotate_token", soak=0, report_path=str(account))
    assert not ran.succeeded
    assert said(ran) == f"2 of 4 groups failed: {', '.join(FLEET[HERE])}. The lines above say why."
    for group in FLEET[HERE]:
        assert re.search(
            f"^{group}: +elasticache:DescribeReplicationGroups was refused in {HERE}", ran.output, re.MULTILINE
        )
    assert re.search("^mike: +token rotated; ", ran.output, re.MULTILINE)
    arrived(fleet, THERE)
    kept = {
        (one["region"], one["replication_group_id"]): one["outcome"]
        for one in json.loads(account.read_text())["groups"]
    }
    assert {key: kept[key] for key in kept if key[0] == THERE} == {
        (THERE, "alpha"): "changed",
        (THERE, "mike"): "changed",
    }
    assert sorted(kept.values()) == ["changed", "changed", "failed", "failed"]


def test_steps_of_other_modules_are_made_in_each_region(emulator: Emulator) -> None:
    for region, group in GROUPS:
        create(emulator, group, wait=False, TransitEncryptionEnabled=False, region=region)
    for region, group in GROUPS:
        emulator.wait_available(group, region=region)
    ran = run_list(emulator, "enable_tls", soak=0)
    assert ran.succeeded, ran.output
    assert all(emulator.group(group, region=region)["tls"] == "required" for region, group in GROUPS)
    calls = len(emulator.calls(mutating="true"))
    again = run(emulator, "auth_operation", {"operation": "enable_tls", "targets": targets(), "soak": 0})
    assert (again.failed, again.changed) == (False, False)
    assert len(emulator.calls(mutating="true")) == calls


def test_a_list_with_a_mistake(emulator: Emulator) -> None:
    listed = ["alpha", {"region": THERE, "ids": ["mike"]}]
    ran = run_role(
        emulator, "rotate_token", groups=None, extra_vars={"rotate_token_replication_groups": listed}, soak=0
    )
    assert not ran.succeeded
    assert f"{THERE}: it has ids. An entry is an id, or the groups of another region or account" in ran.text
    assert ran.calls == ()


# --- Cut off --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "when"), points(len(GROUPS)))
def test_a_kill_anywhere_is_finished_by_the_next_run(fleet: Emulator, number: int, when: str) -> None:
    kill_at(fleet, options(fleet), number, when)
    # Nobody is locked out meanwhile: each group takes what its secret hands out.
    for region, group in GROUPS:
        fleet.wait_available(group, region=region)
        assert token(fleet, region, group) in slots(fleet, region, group), (region, group)
    ended = rotate(fleet)
    assert not ended.failed, ended.msg
    arrived(fleet, HERE, THERE)
    for region, group in GROUPS:
        assert token(fleet, region, group, "AWSPREVIOUS") == A, (region, group)
        calls = fleet.calls(action="PutSecretValue", id=secret_name(group), region=region)
        assert len(calls) <= 2, (region, group)


def test_an_interrupt_ends_all_of_it_soon(fleet: Emulator) -> None:
    ends_soon(fleet, options(fleet), len(GROUPS), lambda process: process.send_signal(signal.SIGINT))
