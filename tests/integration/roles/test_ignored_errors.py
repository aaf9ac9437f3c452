# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A play that ignores errors: tasks for clients that fail have not moved them, so that there is no SET."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.cores import OLDEST, OWN
from integration.role_scenes import due_fleet, role_variables
from integration.run import run_playbook
from integration.scenes import A, slots

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.1)

#: Each is right on one host, and on ``carts`` something goes wrong.
TASKS = """
- name: Move the clients, or fail on one host
  ansible.builtin.assert:
    that: inventory_hostname != 'carts'

- name: Try something that the tasks themselves say may fail
  ansible.builtin.command: "false"
  ignore_errors: true
"""
UNREACHABLE = """
- name: Move the clients where they are
  ansible.builtin.ping:
  delegate_to: "{{ 'nowhere.invalid' if inventory_hostname == 'carts' else inventory_hostname }}"
  vars:
    ansible_connection: "{{ 'ssh' if inventory_hostname == 'carts' else 'local' }}"
"""
WRONG = """
- name: Move the clients with other tasks
  ansible.builtin.include_tasks:
    file: "{{ 'nowhere.yml' if inventory_hostname == 'carts' else 'more.yml' }}"
"""
ROLE = {"name": "elasticache.auth.rotate_token"}
IGNORE = {"ignore_errors": True, "ignore_unreachable": True}
INCLUDE: Mapping[str, Any] = {"name": "Rotate", "ansible.builtin.include_role": ROLE}
PLAYS: Mapping[str, Mapping[str, Any]] = {
    "apply": {"tasks": [{**INCLUDE, "ansible.builtin.include_role": {**ROLE, "apply": IGNORE}}]},
    "roles": {"roles": [{"role": ROLE["name"], **IGNORE}]},
    "block": {"tasks": [{"name": "Go on", "block": [INCLUDE], **IGNORE}]},
    "play": {"tasks": [INCLUDE], **IGNORE},
}


@pytest.mark.parametrize(
    ("at", "tasks", "core"),
    [
        ("apply", TASKS, OLDEST),
        ("roles", TASKS, OWN),
        ("block", TASKS, OWN),
        ("play", TASKS, OLDEST),
        ("play", UNREACHABLE, OWN),
        ("play", WRONG, OWN),
    ],
    ids=["apply", "roles", "block", "play", "unreachable", "no-file"],
)
def test_tasks_that_fail_have_not_moved_the_clients(
    emulator: Emulator, tmp_path: Path, at: str, tasks: str, core: str
) -> None:
    hosts = ["carts", "sessions"]
    due_fleet(emulator, hosts, A)
    file = tmp_path / "clients.yml"
    file.write_text(tasks)
    (tmp_path / "more.yml").write_text("- name: Move them\n  ansible.builtin.debug:\n")
    play = {
        "hosts": "all",
        "gather_facts": False,
        "vars": {"ansible_connection": "local", **role_variables(emulator, "rotate_token", client_tasks=str(file))},
        **PLAYS[at],
    }
    variables = {"ansible_python_interpreter": sys.executable}
    ran = run_playbook(emulator, [play], inventory=",".join(hosts), extra_vars=variables, core=core)
    assert {key: len(slots(emulator, key)) for key in hosts} == {"carts": 2, "sessions": 1}, ran.output
    assert {one.host for one in ran.reported} == {"sessions"}
