# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What auth_operation returns at a client cutover by tasks, what goes on from there, and cutovers that are a time."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.cut_off import rotation
from integration.direct import run
from integration.role_scenes import RoleRun, due_fleet, put_token, role_variables, run_role
from integration.run import run_playbook
from integration.scenes import A, create, scene, slots

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.1)

TASKS = """
- name: Move the clients, or fail on one host
  ansible.builtin.assert:
    that: inventory_hostname != 'carts'
"""


@pytest.mark.parametrize("given", [None, "us-east-1"])
def test_a_cutover_says_where_it_is_as_it_was_given(emulator: Emulator, given: str | None) -> None:
    """The caller knows a group again by the region that it named, or did not name."""
    due_fleet(emulator, ["sessions"], A)
    place: dict[str, Any] = {"replication_group_ids": ["sessions"], "region": given}
    begun = run(emulator, "auth_operation", rotation(emulator, targets=[place], soak=None))
    (cutover,) = begun.result["cutovers"]
    assert (cutover["region"], cutover["assume_role_arn"]) == (given, None)
    more = rotation(emulator, targets=[place], soak=None, after_cutover=[cutover])
    assert run(emulator, "auth_operation", more).result["cutovers"] == []
    assert len(slots(emulator, "sessions")) == 1


def rotate_hosts(emulator: Emulator, hosts: Sequence[str], tasks: Path, report_path: str) -> RoleRun:
    """Run the role on hosts that stand for groups, with tasks for their clients."""
    return run_role(
        emulator,
        "rotate_token",
        groups=None,
        inventory=",".join(hosts),
        arguments=("--connection", "local"),
        extra_vars={
            "ansible_python_interpreter": sys.executable,
            "rotate_token_hosts": "all",
            "rotate_token_report_path": report_path,
        },
        client_tasks=str(tasks),
    )


def test_hosts_whose_tasks_fail_get_no_set(emulator: Emulator, tmp_path: Path) -> None:
    """The region is that of the environment: hosts don't name any. Each group has one report."""
    hosts = ["carts", "sessions"]
    due_fleet(emulator, hosts, A)
    tasks, result = tmp_path / "clients.yml", tmp_path / "result.json"
    tasks.write_text(TASKS)
    ran = rotate_hosts(emulator, hosts, tasks, str(result))
    assert {host: numbers["failures"] for host, numbers in ran.recap.items()} == {"carts": 1, "sessions": 0}
    assert len(slots(emulator, "carts")) == 2
    assert len(slots(emulator, "sessions")) == 1
    groups = json.loads(result.read_text())["groups"]
    assert {(group["replication_group_id"], group["cutover_stage"]) for group in groups} == {
        ("carts", "client_cutover"),
        ("sessions", None),
    }
    assert len(groups) == len(hosts)


def test_hosts_that_differ_in_the_run_file(emulator: Emulator, tmp_path: Path) -> None:
    """The host that makes the call after the tasks is another one than before: the first one's tasks fail."""
    hosts = ["carts", "sessions"]
    due_fleet(emulator, hosts, A)
    tasks = tmp_path / "clients.yml"
    tasks.write_text(TASKS)
    ran = rotate_hosts(emulator, hosts, tasks, f"{tmp_path}/{{{{ inventory_hostname }}}}.json")
    assert ran.calls == (), ran.output
    assert "rotate_token_report_path: it is " in ran.text
    assert "carts.json' for carts, and " in ran.text  # a long path may be broken at a hyphen


def test_a_time_after_one_cutover_is_none_for_the_next(emulator: Emulator) -> None:
    """With a time besides, tasks of the second cutover are not passed over: the group stops there, too."""
    create(emulator, "sessions", TransitEncryptionEnabled=False)
    options: dict[str, Any] = {"operation": "enable_auth", "enable_tls": True, "create_secret": True}
    targets = [{"replication_group_ids": ["sessions"]}]
    given = rotation(emulator, **options, targets=targets, soak=None)
    (first,) = run(emulator, "auth_operation", given).result["cutovers"]
    (second,) = run(emulator, "auth_operation", {**given, "after_cutover": [first], "soak": 0.1}).result["cutovers"]
    assert (first["stage"], second["stage"]) == ("client_cutover_tls", "client_cutover")
    assert None in slots(emulator, "sessions")
    ended = run(emulator, "auth_operation", {**given, "after_cutover": [second], "soak": 0.1})
    assert ended.result["cutovers"] == []
    assert len(slots(emulator, "sessions")) == 1


def test_a_time_before_rotate_does_not_delay_set(emulator: Emulator) -> None:
    """Where clients move before the user groups are removed, anyone is served until SET: it follows at once."""
    put_token(emulator, A)
    scene(emulator, "rbac")
    options: dict[str, Any] = {"operation": "migrate_rbac_to_auth", "accept_open_window": True}
    ran = run(emulator, "auth_operation", rotation(emulator, **options, replication_group_id="sessions", soak=3))
    outcome = ran.result["outcomes"]["sessions"]
    assert outcome["completed_steps"] == ["client_cutover_before", "rotate_current", "set", "verify_new_only"]
    assert slots(emulator) == [A]
    assert [warning for warning in ran.warnings if "SET was made" in warning] == []


def test_its_own_record_is_not_another_runs(emulator: Emulator) -> None:
    """Between ROTATE and the next change of the same run, without a SET in between, its record is written once more."""
    due_fleet(emulator, ["sessions"], A)
    options = {
        "operation": "disable_access_control",
        "accept_open_access": True,
        "user_group_id": "sessions-leaving",
        "user_id": "sessions-leaving",
        "open_user_group_id": "sessions-open",
    }
    ran = run(emulator, "auth_operation", rotation(emulator, **options, replication_group_id="sessions"))
    assert slots(emulator) == [None]
    assert ran.warnings == []


def test_only_hosts_that_moved_their_clients_get_set(emulator: Emulator, tmp_path: Path) -> None:
    """One host's tasks fail, and the play rescues it; another one does not have the role. Neither counts as failed."""
    hosts = ["carts", "orders", "sessions"]
    due_fleet(emulator, hosts, A)
    tasks = tmp_path / "clients.yml"
    tasks.write_text(TASKS)
    rotate = {
        "name": "Rotate",
        "ansible.builtin.include_role": {"name": "elasticache.auth.rotate_token"},
        "when": "inventory_hostname != 'orders'",
    }
    play = {
        "hosts": "all",
        "gather_facts": False,
        "vars": role_variables(emulator, "rotate_token", client_tasks=str(tasks)),
        "tasks": [
            {
                "name": "Rotate, or say that it failed",
                "block": [rotate],
                "rescue": [{"name": "Say so", "ansible.builtin.debug": {"msg": "It failed."}}],
            }
        ],
    }
    variables = {"ansible_python_interpreter": sys.executable, "ansible_connection": "local"}
    ran = run_playbook(emulator, [play], inventory=",".join(hosts), extra_vars=variables)
    assert ran.succeeded, ran.output
    assert ran.recap["carts"]["rescued"] == 1
    assert {key: len(slots(emulator, key)) for key in hosts} == {"carts": 2, "orders": 2, "sessions": 1}


def test_user_groups_stay_where_nodes_can_not_be_asked_any_more(emulator: Emulator) -> None:
    """Clients moved before the user groups were to be removed; now nobody can tell that they are accepted."""
    put_token(emulator, A)
    scene(emulator, "rbac")
    options: dict[str, Any] = {"operation": "migrate_rbac_to_auth", "accept_open_window": True, "soak": None}
    given = rotation(emulator, **options, replication_group_id="sessions", continue_on_error=True)
    (cutover,) = run(emulator, "auth_operation", given).result["cutovers"]
    assert cutover["stage"] == "client_cutover_before"
    ended = run(emulator, "auth_operation", {**given, "after_cutover": [cutover], "probe": "never"})
    assert (
        "its nodes can't be asked any more, and these steps remain again: bridge_user, verify_bridge_user" in ended.msg
    )
    assert emulator.group("sessions")["mode"] == "rbac"
