# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Playbooks that a server runs by forks (:mod:`integration.warm`) come to what those come to that are started."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from integration.role_scenes import put_token
from integration.run import PlaybookRun, run_playbook
from integration.scenes import GROUP, create

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
    return re.sub(r"[0-9.]+ (min|s|days)\b|/\S*/|\d{4}-\d\d-\d\dT[\d:.+]+|\d+\.\d+", "...", text)


def said(ran: PlaybookRun) -> tuple[int, str, dict[str, dict[str, int]], list[tuple[str, str, list[str], str]]]:
    """What came of a run, without what differs from run to run."""
    output = re.sub(r".* groups? (?:done|through); .*\n", "", ran.output)  # of what is under way, every second
    results = [(one.task, one.status, sorted(one.result), _plain(str(one.result.get("msg")))) for one in ran.results]
    return ran.returncode, _plain(output), ran.recap, results


@pytest.mark.parametrize("tasks", PLAYS.values(), ids=PLAYS)
@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_a_fork_is_as_good_as_a_start(emulator: Emulator, tasks: list[dict[str, Any]], check: bool) -> None:
    play: dict[str, Any] = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    if "elasticache.auth.rotate_token" in tasks[0]:
        variables = {"replication_groups": [GROUP], "force": True, "soak": 0, "wait_delay": 0.1}
        variables["data_plane_ca_path"] = emulator.ca_bundle
        play = {**play, "tasks": [], "roles": ["elasticache.auth.rotate_token"]}
        play["vars"] = {f"rotate_token_{name}": value for name, value in variables.items()}
    ran = []
    for cold in (False, True):
        emulator.reset()
        create(emulator, GROUP, AuthToken=A)
        put_token(emulator, A)
        ran.append(said(run_playbook(emulator, [play], check=check, diff=True, cold=cold)))
    assert ran[0] == ran[1]
    assert ran[0][3]
