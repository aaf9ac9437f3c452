# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Progress of real plays: a live line in a terminal, lines anywhere else, and intact output around it in both."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.meanwhile import Once
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
OPERATION: dict[str, Any] = {
    "operation": "rotate_token",
    "replication_group_ids": list(FLEET),
    "force": True,
    "auth_token_secret": {"name": "elasticache/{replication_group_id}/auth-token", "key": KEY},
    "probe": "never",
    "assume_state": "required",
    "max_changes_per_second": 1000,
    "wait_delay": 0.2,
    "wait_timeout": 240,
}
GO: dict[str, Any] = {"name": "Go", "elasticache.auth.auth_operation": OPERATION}
THEN: dict[str, Any] = {"name": "Then", "ansible.builtin.debug": {"msg": "after it"}}


@pytest.fixture
def fleet(emulator: Emulator) -> Emulator:
    """Groups with a token, whose changes are held."""
    for group in FLEET:
        create(emulator, group, AuthToken=A)
        put_token(emulator, A, group=group)
    emulator.hold()
    return emulator


def logged(log: Path) -> Once:
    """Once a line of progress is in Ansible's log, which gets it whether or not it is printed."""

    def seen() -> bool:
        text = log.read_text("utf-8") if log.exists() else ""
        return bool(re.search(r"\| Go: \d of \d groups? done; .* \(\d+ s elapsed\)$", text, re.MULTILINE))

    return Once(seen)


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
    alpha, bravo = FLEET[:2]
    fleet.faults(*({"kind": "pause", "action": "ModifyReplicationGroup", "id": group} for group in FLEET))
    start, box, changing = r"\r\x1b\[\?7ldone", r"\[#+\.+\]", "its"
    run = run_playbook(
        fleet,
        [play(GO)],
        columns=COLUMNS,
        environment={**SEAT, "ANSIBLE_LOG_PATH": str(log)},
        steps=[
            Once(rf"{start} 0/3 \[\.+\] \d+ s[^\r]*; 3 at rotate\x1b", lambda: fleet.clear_faults(id=alpha)),
            Once(rf"{start} 0/3 [^\r]*; 1: {changing}", lambda: fleet.clear_faults(id=bravo)),
            Once(rf"{start} 0/3 [^\r]*; 2: {changing}", fleet.clear_faults),
            Once(rf"{start} 0/3 [^\r]*; 3: {changing}", lambda: fleet.release(alpha, keep=True)),
            Once(rf"{start} 1/3 {box} \d+ s, about .* left; 2 at ", lambda: fleet.release(bravo, keep=True)),
            Once(rf"{start} 2/3 {box} \d+ s, about .* left; 1 at "),
            logged(log),
            Once(lambda: True, fleet.release),
        ],
    )
    assert run.succeeded, run.output
    assert run.of("Go")["changed"]
    lines = live_lines(run.output)
    assert 80 < max(map(len, lines)) < COLUMNS
    assert rewrites(run.output) > 5
    assert is_intact(run), screens(run.output)[-1]
    written = log.read_text("utf-8")
    assert "\r" not in written
    assert "\x1b" not in written


def test_lines_where_there_is_no_terminal(fleet: Emulator) -> None:
    told = Once(r"^Go: 0 of 3 groups done; .* \(\d+ s elapsed\)$", fleet.release)
    run = run_playbook(fleet, [play(GO)], environment=SEAT, steps=[told])
    assert run.succeeded, run.output
    assert "\r" not in run.output
    assert "\x1b" not in run.output


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
    fleet: Emulator, tmp_path: Path, hosts: tuple[str, ...], keywords: dict[str, Any], live: bool
) -> None:
    """The changes last until there was progress to be told, whether it was printed or went to the log alone."""
    task = {
        **GO,
        "elasticache.auth.auth_operation": {**OPERATION, "replication_group_ids": ["{{ inventory_hostname }}"]},
    }
    run = run_playbook(
        fleet,
        [play(task, hosts="all", **keywords)],
        inventory=f"{','.join(hosts)},",
        extra_vars={"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
        environment={**SEAT, "ANSIBLE_LOG_PATH": str(tmp_path / "log")},
        columns=COLUMNS,
        steps=[*[Once(r"\r\x1b\[\?7ldone")] * live, logged(tmp_path / "log"), Once(lambda: True, fleet.release)],
    )
    assert run.succeeded, run.output
    assert bool(rewrites(run.output)) is live, run.output
    assert bool(re.search(r"^Go: \d of ", run.output, re.MULTILINE)) is not live, run.output
    assert not live or len(hosts) > 1 or is_intact(run), screens(run.output)[-1]


def test_one_host_for_all(fleet: Emulator, tmp_path: Path) -> None:
    """As the roles do it, with a host a group."""
    run = run_playbook(
        fleet,
        [play({**GO, "run_once": True}, hosts="all")],
        inventory="alpha,bravo,charlie,",
        extra_vars={"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
        environment={**SEAT, "ANSIBLE_LOG_PATH": str(tmp_path / "log")},
        columns=COLUMNS,
        steps=[Once(r"\r\x1b\[\?7ldone"), logged(tmp_path / "log"), Once(lambda: True, fleet.release)],
    )
    assert run.succeeded, run.output
    assert is_intact(run), screens(run.output)[-1]


@pytest.mark.parametrize(("environment", "verbosity"), [({"TERM": "dumb"}, 0), ({"CI": "true"}, 0), ({}, 3)])
def test_a_terminal_that_can_not_show_it(fleet: Emulator, environment: dict[str, str], verbosity: int) -> None:
    run = run_playbook(
        fleet,
        [play(GO)],
        columns=COLUMNS,
        environment={**SEAT, **environment},
        verbosity=verbosity,
        steps=[Once(r"^Go: 0 of 3 groups done; .* \(\d+ s elapsed\)\r$", fleet.release)],
    )
    assert run.succeeded, run.output
    assert rewrites(run.output) == 0


def test_a_task_that_fails(fleet: Emulator) -> None:
    """The live line is gone before the error, too."""
    fault = {
        "kind": "error",
        "action": "DescribeReplicationGroups",
        "code": "AccessDenied",
        "status": 403,
        "times": 999,
    }
    seen = Once(r"\r\x1b\[\?7ldone 0/3 [^\r]*; 3: its ", lambda: fleet.faults(fault))
    run = run_playbook(fleet, [play(GO)], columns=COLUMNS, environment=SEAT, steps=[seen])
    assert not run.succeeded
    last = screens(run.output)[-1]
    assert re.search(r"\nTASK \[Go\] \*+\n(?:\[ERROR\]|fatal): .*AccessDenied", last), last


def test_waiting(fleet: Emulator) -> None:
    """replication_group_wait does the like, from its first look on."""
    for group in FLEET[:2]:
        rotate(fleet, B, group, wait=False)
    wait = {"replication_group_ids": list(FLEET), "wait_delay": 0.2, "wait_timeout": 240}
    task = {"name": "Go", "elasticache.auth.replication_group_wait": wait}
    line = r"available 1/3 \[#{6}\.{14}\] \d+ s; 2 groups: its status is modifying, its token is ROTATING"
    seen = Once(rf"\r\x1b\[\?7l{line}\x1b", fleet.release)
    run = run_playbook(fleet, [play(task)], columns=COLUMNS, environment=SEAT, steps=[seen])
    assert run.succeeded, run.output
    assert is_intact(run), screens(run.output)[-1]
