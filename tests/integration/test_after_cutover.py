# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What auth_operation returns at a client cutover by tasks, and a role that goes on from there."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.cut_off import rotation
from integration.direct import run
from integration.role_scenes import due_fleet, run_role
from integration.scenes import A, slots

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
    begun = run(emulator, "auth_operation", rotation(emulator, places=[place], soak=None))
    (cutover,) = begun.result["cutovers"]
    assert (cutover["region"], cutover["assume_role_arn"]) == (given, None)
    more = rotation(emulator, places=[place], soak=None, after_cutover=[cutover])
    assert run(emulator, "auth_operation", more).result["cutovers"] == []
    assert len(slots(emulator, "sessions")) == 1


def test_hosts_whose_tasks_fail_get_no_set(emulator: Emulator, tmp_path: Path) -> None:
    """The region is that of the environment: hosts don't name any. Each group has one report."""
    hosts = ["carts", "sessions"]
    due_fleet(emulator, hosts, A)
    tasks, result = tmp_path / "clients.yml", tmp_path / "result.json"
    tasks.write_text(TASKS)
    ran = run_role(
        emulator,
        "rotate_token",
        groups=None,
        inventory=",".join(hosts),
        arguments=("--connection", "local"),
        extra_vars={
            "ansible_python_interpreter": sys.executable,
            "rotate_token_hosts": "all",
            "rotate_token_result_path": str(result),
        },
        clients_tasks=str(tasks),
    )
    assert {host: numbers["failures"] for host, numbers in ran.recap.items()} == {"carts": 1, "sessions": 0}
    assert len(slots(emulator, "carts")) == 2
    assert len(slots(emulator, "sessions")) == 1
    groups = json.loads(result.read_text())["groups"]
    assert {(group["replication_group_id"], group["cutover_stage"]) for group in groups} == {
        ("carts", "clients"),
        ("sessions", None),
    }
    assert len(groups) == len(hosts)
