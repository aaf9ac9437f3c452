# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Programs that a server runs by forks (:mod:`integration.warm`) come to what those come to that are started."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import fork, start
from integration.role_scenes import put_token
from integration.run import PlaybookRun, run_inventory, run_playbook
from integration.scenes import GROUP, create
from waiting import PATIENCE

if TYPE_CHECKING:
    from conftest import Emulator

A = "a-token-of-16-characters-or-more"
_ENDS = {"wait_delay": 0.1}
PLAYS: dict[str, list[dict[str, Any]]] = {
    "a role": [{"elasticache.auth.rotate_token": {}}],
    "a module that fails": [{"elasticache.auth.replication_group_wait": {"replication_group_id": "nosuch", **_ENDS}}],
    "a module that warns": [
        {"elasticache.auth.auth_probe": {"replication_group_id": GROUP, "data_plane_ca_path": "/nosuch"}},
    ],
    "an environment": [
        {
            "elasticache.auth.replication_group_info": {"replication_group_ids": [GROUP]},
            "environment": {"AWS_REGION": "no-such-region-1"},
        },
    ],
    "a module of others": [{"ansible.builtin.stat": {"path": "/"}}],
}


def _plain(text: str) -> str:
    return re.sub(r"[0-9.]+ (?:min|s|days)\b(?: [0-9.]+ s\b)?|/\S*/|\d{4}-\d\d-\d\dT[\d:.+]+|\d+\.\d+", "...", text)


def said(ran: PlaybookRun) -> tuple[int, str, dict[str, dict[str, int]], list[tuple[str, str, list[str], str]]]:
    """What came of a run, without what differs from run to run."""
    output = re.sub(r".* groups? (?:done|through)(?:;| \().*\n", "", ran.output)  # of what is under way, every second
    results = [(one.task, one.status, sorted(one.result), _plain(str(one.result.get("msg")))) for one in ran.results]
    return ran.returncode, _plain(output), ran.recap, results


@pytest.mark.parametrize("tasks", PLAYS.values(), ids=PLAYS)
@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_a_fork_is_as_good_as_a_start(
    emulator: Emulator, tmp_path: Path, tasks: list[dict[str, Any]], check: bool
) -> None:
    play: dict[str, Any] = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    if "elasticache.auth.rotate_token" in tasks[0]:
        variables = {"replication_groups": [GROUP], "force": True, "soak": 0, "wait_delay": 0.1}
        variables["data_plane_ca_path"] = emulator.ca_bundle
        play = {**play, "tasks": [], "roles": ["elasticache.auth.rotate_token"]}
        play["vars"] = {f"rotate_token_{name}": value for name, value in variables.items()}
    ran, logs = [], []
    for cold in (False, True):
        emulator.reset()
        create(emulator, GROUP, AuthToken=A)
        put_token(emulator, A)
        log = tmp_path / f"{cold}.log"
        environment = {"ANSIBLE_LOG_PATH": str(log), "ANSIBLE_LOG_FILTER": "elasticache_filtered"}
        ran.append(said(run_playbook(emulator, [play], check=check, diff=True, cold=cold, environment=environment)))
        logs.append(logged(log))
    assert ran[0] == ran[1]
    assert ran[0][3]
    assert logs[0] == logs[1]
    assert any("TASK [" in line for line in logs[0])


@pytest.mark.parametrize("group", [GROUP, "nosuch"])
def test_a_module_that_is_a_fork_is_as_good_as_one_that_is_started(emulator: Emulator, group: str) -> None:
    create(emulator, GROUP, AuthToken=A)
    args = {"replication_group_id": group, **_ENDS}
    warm, cold = (begin(emulator, "replication_group_wait", args) for begin in (fork, start))
    printed = [json.loads(process.communicate(timeout=PATIENCE)[0]) for process in (warm, cold)]
    assert _plain(str(printed[0])) == _plain(str(printed[1]))
    assert bool(printed[0].get("failed")) is (group != GROUP)
    assert warm.returncode == cold.returncode


def logged(log: Path) -> list[str]:
    """What is in Ansible's log, without what differs from run to run."""
    text = re.sub(r"^\S+ \S+ p=\d+ ", "", log.read_text("utf-8"), flags=re.MULTILINE)
    return [_plain(line) for line in text.splitlines() if not re.search(r" groups? (?:done|through)(?:;| \()", line)]


@pytest.mark.parametrize("options", ["", "filters: {ids: nosuch}", "regins: []"], ids=["hosts", "none", "a mistake"])
def test_an_inventory_by_a_fork_is_as_good_as_one_by_a_start(emulator: Emulator, tmp_path: Path, options: str) -> None:
    create(emulator, GROUP, AuthToken=A)
    file = tmp_path / "fleet.elasticache.yml"
    file.write_text(f"plugin: elasticache.auth.replication_groups\n{options}\n", encoding="utf-8")
    listed = [run_inventory(emulator, tmp_path, ["-i", str(file), "--list"], cold=cold) for cold in (False, True)]
    warm, cold = ((ran.returncode, _plain(ran.stdout), _plain(ran.stderr)) for ran in listed)
    assert warm == cold
    assert (GROUP in listed[0].stdout) is (options == "")
    assert ("regins" in listed[0].stderr) is (options == "regins: []")
