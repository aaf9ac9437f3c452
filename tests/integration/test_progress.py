# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Progress of real plays: a live line in a terminal, lines anywhere else, and intact output around it in both."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.role_scenes import KEY, put_token
from integration.run import PlaybookRun, run_playbook
from integration.scenes import A, B, create, rotate
from integration.terminal import rewrites, screens

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.1)

#: A terminal that somebody sits at, wherever the tests themselves run. Newer cores warn of what amazon.aws imports.
SEAT = {
    "TERM": "xterm-256color",
    "CI": "",
    "AWX_ISOLATED_DATA_DIR": "",
    "ANSIBLE_DEPRECATION_WARNINGS": "false",
}
COLUMNS = 100
FLEET = ("alpha", "bravo", "charlie")
#: One group a while after the other, so that they arrive one after the other.
JOURNEY: dict[str, Any] = {
    "journey": "rotate_token",
    "replication_group_ids": list(FLEET),
    "force": True,
    "auth_token_secret": {"name": "elasticache/{replication_group_id}/auth-token", "key": KEY},
    "probe": "never",
    "assume_state": "required",
    "max_rate": 0.5,
    "wait_delay": 0.2,
}
GO: dict[str, Any] = {"name": "Go", "elasticache.auth.auth_journey": JOURNEY}
THEN: dict[str, Any] = {"name": "Then", "ansible.builtin.debug": {"msg": "after it"}}


@pytest.fixture
def fleet(emulator: Emulator) -> Emulator:
    """Groups with a token, whose changes take some seconds."""
    for group in FLEET:
        create(emulator, group, AuthToken=A)
        put_token(emulator, A, group=group)
    emulator.settings(modify_seconds=6.0)
    return emulator


def play(*tasks: dict[str, Any], hosts: str = "localhost", **keywords: Any) -> dict[str, Any]:
    return {"hosts": hosts, "gather_facts": False, "tasks": [*tasks, THEN], **keywords}


def live_lines(output: str) -> list[str]:
    """The states of the live line, in order."""
    last = [screen.rpartition("\n")[2] for screen in screens(output)[:-1]]
    return [line for line in last if line]


def is_intact(run: PlaybookRun) -> bool:
    """Whether what is to be seen in the end is Ansible's output and nothing else."""
    told = r"(?:(?:ok|changed): \[\w+\]\n)+"
    then = r"(?:ok: \[\w+\] => \{\n    \"msg\": \"after it\"\n\}\n)+"
    whole = rf"\nPLAY \[.*\n\nTASK \[Go\] \*+\n{told}\nTASK \[Then\] \*+\n{then}\nPLAY RECAP \*+\n(?:\w+ +: ok=.*\n)+\n"
    return re.fullmatch(whole, screens(run.output)[-1]) is not None


def test_a_live_line_in_a_terminal(fleet: Emulator, tmp_path: Path) -> None:
    """It is rewritten as groups arrive, and gone before the result; the log gets the lines that it would get."""
    log = tmp_path / "log"
    run = run_playbook(fleet, [play(GO)], columns=COLUMNS, environment={**SEAT, "ANSIBLE_LOG_PATH": str(log)})
    assert run.succeeded, run.output
    assert run.of("Go")["changed"]
    lines = live_lines(run.output)
    assert 80 < max(map(len, lines)) < COLUMNS
    assert rewrites(run.output) > 5
    assert [line for line in lines if re.match(r"rotate, 3 groups; \d+ s$", line)], lines
    assert [line for line in lines if re.match(r"rotate [12]/3 \[#+\.+\] \d+ s, about .*; [12] called$", line)], lines
    arriving = [line for line in lines if re.match(r"rotate [12]/3 \[#+\.+\] \d+ s, about \d+ s to go; [12]: ", line)]
    assert arriving, lines
    assert "its token is ROTATING" in "".join(lines)
    assert is_intact(run), screens(run.output)[-1]
    logged = log.read_text("utf-8")
    assert "\r" not in logged
    assert "\x1b" not in logged
    assert re.search(r"\| Go: [a-z]+, (\d of )?3 groups.* \(\d+ s gone\)$", logged, re.MULTILINE), logged


def test_lines_where_there_is_no_terminal(fleet: Emulator) -> None:
    run = run_playbook(fleet, [play(GO)], environment=SEAT)
    assert run.succeeded, run.output
    assert "\r" not in run.output
    assert "\x1b" not in run.output
    assert re.search(r"^Go: [a-z]+, (\d of )?3 groups.* \(\d+ s gone\)$", run.output, re.MULTILINE), run.output


@pytest.mark.parametrize(
    ("hosts", "keywords", "live"),
    [
        (("alpha",), {"strategy": "ansible.builtin.free"}, True),
        (("alpha",), {"strategy": "host_pinned"}, True),
        (("alpha", "bravo"), {}, False),
        (("alpha", "bravo"), {"strategy": "free"}, False),
        (("alpha", "bravo"), {"serial": 1}, True),
    ],
)
def test_a_live_line_only_where_nothing_else_is_printed(
    fleet: Emulator, hosts: tuple[str, ...], keywords: dict[str, Any], live: bool
) -> None:
    fleet.settings(modify_seconds=6.0 if live else 12.0)
    task = {**GO, "elasticache.auth.auth_journey": {**JOURNEY, "replication_group_ids": ["{{ inventory_hostname }}"]}}
    run = run_playbook(
        fleet,
        [play(task, hosts="all", **keywords)],
        inventory=f"{','.join(hosts)},",
        extra_vars={"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
        environment=SEAT,
        columns=COLUMNS,
    )
    assert run.succeeded, run.output
    assert bool(rewrites(run.output)) is live, run.output
    assert bool(re.search(r"^Go: [a-z]+, ", run.output, re.MULTILINE)) is not live, run.output
    assert not live or len(hosts) > 1 or is_intact(run), screens(run.output)[-1]


@pytest.mark.parametrize(("strategy", "live"), [("linear", True), ("free", False)])
def test_one_host_for_all(fleet: Emulator, strategy: str, live: bool) -> None:
    """As the roles do it, with a host a group. With the strategy free, run_once is not: both run it."""
    run = run_playbook(
        fleet,
        [play({**GO, "run_once": True}, hosts="all", strategy=strategy)],
        inventory="alpha,bravo,charlie,",
        extra_vars={"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
        environment=SEAT,
        columns=COLUMNS,
    )
    assert bool(rewrites(run.output)) is live, run.output
    assert not live or (run.succeeded and is_intact(run)), screens(run.output)[-1]


@pytest.mark.parametrize(("environment", "verbosity"), [({"TERM": "dumb"}, 0), ({"CI": "true"}, 0), ({}, 3)])
def test_a_terminal_in_which_it_has_no_place(fleet: Emulator, environment: dict[str, str], verbosity: int) -> None:
    run = run_playbook(fleet, [play(GO)], columns=COLUMNS, environment={**SEAT, **environment}, verbosity=verbosity)
    assert run.succeeded, run.output
    assert rewrites(run.output) == 0
    assert re.search(r"^Go: [a-z]+, (\d of )?3 groups.* \(\d+ s gone\)\r$", run.output, re.MULTILINE), run.output


def test_a_task_that_fails(fleet: Emulator) -> None:
    """The live line is gone before the error, too."""
    fleet.faults({"kind": "never-ends", "id": "alpha"})
    task = {**GO, "elasticache.auth.auth_journey": {**JOURNEY, "wait_timeout": 3}}
    run = run_playbook(fleet, [play(task)], columns=COLUMNS, environment=SEAT)
    assert not run.succeeded
    assert live_lines(run.output)
    seen = screens(run.output)[-1]
    assert re.search(r"\nTASK \[Go\] \*+\n(?:\[ERROR\]|fatal): .*not done after", seen), seen


def test_waiting(fleet: Emulator) -> None:
    """replication_group_wait does the like, from its first look on."""
    fleet.settings(modify_seconds=20.0)
    for group in FLEET[:2]:
        rotate(fleet, B, group, wait=False)
    wait = {"replication_group_ids": list(FLEET), "wait_delay": 0.2}
    task = {"name": "Go", "elasticache.auth.replication_group_wait": wait}
    run = run_playbook(fleet, [play(task)], columns=COLUMNS, environment=SEAT)
    assert run.succeeded, run.output
    lines = live_lines(run.output)
    expected = r"available 1/3 \[#{6}\.{14}\] \d+ s; 2 groups: its status is modifying, its token is ROTATING"
    assert [line for line in lines if re.fullmatch(expected, line)], lines
    assert is_intact(run), screens(run.output)[-1]
