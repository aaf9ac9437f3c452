# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A run whose ansible-playbook has gone changes nothing any more, and the next run finishes what it began."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ansible_runner  # type: ignore[import-untyped]
import pytest
import yaml
from integration import cores
from integration.cut_off import rotation
from integration.direct import run, start
from integration.forked import forked
from integration.role_scenes import KEY, due_fleet, labelled, role_variables, secret_name
from integration.scenes import A, B, create, slots
from integration.ssh_server import ssh_machine

from chaos.command import MARK, Command, ansible_environment, none_is_left, started

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.1)

GROUP = "sessions"
#: No changing call may be made later than so many seconds after the controller has gone.
LIMIT = 5.0
#: Longer than any test waits for what is left of a run: whatever waits for that would be found running.
LONG = 600.0
PATIENCE = 60.0
SIGNALS = [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / uuid.uuid4().hex
    path.mkdir()
    return path


def until(emulator: Emulator, number: int, **query: Any) -> None:
    """Wait until so many calls were made."""
    deadline = time.monotonic() + PATIENCE
    while len(emulator.calls(**query)) < number:
        assert time.monotonic() < deadline, emulator.calls(mutating="true")
        time.sleep(0.05)


def late_calls(emulator: Emulator, gone_at: float) -> list[str]:
    """The changing calls that were made too late."""
    return [call["action"] for call in emulator.calls(mutating="true") if call["time"] > gone_at + LIMIT]


def nothing_follows(emulator: Emulator, command: Command, gone_at: float, *marks: str) -> None:
    """See that all that the command has started ends, and that none of it has made a changing call too late.

    ``marks``: those of what it has started elsewhere.
    """
    for mark in (command.mark, *marks):
        assert none_is_left(mark, PATIENCE), "something still runs"
    assert late_calls(emulator, gone_at) == []


def playbook(folder: Path, tasks: Sequence[Mapping[str, Any]], **play: Any) -> list[str]:
    """The command for a play of these tasks on this machine."""
    path = folder / "playbook.yml"
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": list(tasks), **play}
    path.write_text(yaml.safe_dump([play]), encoding="utf-8")
    return ["ansible-playbook", "-e", f"ansible_python_interpreter={sys.executable}", str(path)]


def role_play(emulator: Emulator, folder: Path, **variables: Any) -> list[str]:
    given = role_variables(
        emulator,
        "rotate_token",
        [GROUP],
        secret_name=secret_name("{replication_group_id}"),
        secret_key=KEY,
        **variables,
    )
    role = {"ansible.builtin.import_role": {"name": "elasticache.auth.rotate_token"}}
    return playbook(folder, [role], vars=given)


def finishes(emulator: Emulator, folder: Path) -> None:
    """See that the next run finishes; it is told not to wait for the rest of the soak, which is on record."""
    assert slots(emulator)[0] == A  # it has not been taken away
    with forked(
        role_play(emulator, folder, soak=0, take_over=True), folder, ansible_environment(emulator, folder)
    ) as command:
        assert command.wait(PATIENCE) == 0, command.output
    assert slots(emulator) == [labelled(emulator, GROUP)["AWSCURRENT"]] != [A]


# --- ansible-playbook -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("core", cores.CORES)
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_nothing_is_changed_after_its_end(emulator: Emulator, folder: Path, number: signal.Signals, core: str) -> None:
    due_fleet(emulator, [GROUP], A)
    environment = ansible_environment(emulator, folder, **cores.environment(core))
    with started(role_play(emulator, folder, soak=LONG), folder, environment) as command:
        until(emulator, 2, action="UpdateSecretVersionStage")
        nothing_follows(emulator, command, command.end_controller(number))
    assert list((folder / "tmp").iterdir()) == []
    finishes(emulator, folder)


def test_nothing_is_changed_after_a_cancelled_job(emulator: Emulator, folder: Path) -> None:
    due_fleet(emulator, [GROUP], A)
    cancelled = False

    def cancel() -> bool:
        return cancelled

    command = role_play(emulator, folder, soak=LONG)
    thread, runner = ansible_runner.run_command_async(
        executable_cmd=command[0],
        cmdline_args=command[1:],
        envvars={**ansible_environment(emulator, folder), MARK: folder.name},
        private_data_dir=str(folder),
        cancel_callback=cancel,
        quiet=True,
    )
    until(emulator, 2, action="UpdateSecretVersionStage")
    gone_at, cancelled = time.time(), True
    thread.join(PATIENCE)
    assert runner.status == "canceled"
    assert none_is_left(folder.name, PATIENCE), "something still runs"
    assert late_calls(emulator, gone_at) == []
    finishes(emulator, folder)


@pytest.mark.parametrize("again", ["loop", "retries"])
def test_neither_the_rest_of_a_loop_nor_a_retry_follows(emulator: Emulator, folder: Path, again: str) -> None:
    """They are made by the same worker, which outlives the main process."""
    groups = [create(emulator, group, AuthToken=A) for group in ("first", "second")]
    emulator.settings(modify_seconds=LONG)
    task: dict[str, Any] = {
        "elasticache.auth.replication_group_auth": {
            "replication_group_id": "{{ item }}" if again == "loop" else groups[0],
            "auth_token": B,
            "auth_token_update_strategy": "rotate",
            "known_auth_tokens": [A],
            "data_plane_ca_path": emulator.ca_bundle,
        },
        **({"loop": groups} if again == "loop" else {"register": "it", "until": "it is success", "retries": 9}),
    }
    with started(playbook(folder, [task]), folder, ansible_environment(emulator, folder)) as command:
        until(emulator, 1, action="ModifyReplicationGroup")
        nothing_follows(emulator, command, command.end_controller(signal.SIGKILL))
    assert len(emulator.calls(action="ModifyReplicationGroup")) == 1


def test_nothing_is_changed_on_another_machine(emulator: Emulator, folder: Path) -> None:
    """There nothing shows of the controller: its connection has to end, and the module has to notice."""
    due_fleet(emulator, [GROUP], A)
    environment = ansible_environment(emulator, folder)
    with ssh_machine(folder, emulator.environment) as machine:
        command = [*role_play(emulator, folder, soak=LONG), "-e", json.dumps(machine.variables)]
        with started(command, folder, environment) as play:
            until(emulator, 2, action="UpdateSecretVersionStage")
            nothing_follows(emulator, play, play.end_controller(signal.SIGKILL), machine.mark)
    finishes(emulator, folder)


# --- The module -----------------------------------------------------------------------------------------------------


@pytest.fixture
def soaking(emulator: Emulator) -> Iterator[subprocess.Popen[str]]:
    """A rotation under way in a process of its own, which gives clients their time."""
    due_fleet(emulator, [GROUP], A)
    process = start(emulator, "auth_operation", rotation(emulator, replication_group_id=GROUP, soak=LONG))
    try:
        until(emulator, 2, action="UpdateSecretVersionStage")
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_it_says_what_remains(
    emulator: Emulator, soaking: subprocess.Popen[str], number: signal.Signals
) -> None:
    gone_at = time.time()
    soaking.send_signal(number)
    printed, dummy = soaking.communicate(timeout=PATIENCE)
    told = json.loads(printed)["outcomes"][GROUP]
    assert soaking.returncode == 1
    assert "the run was interrupted. Run this again" in told["msg"]
    assert told["remaining_steps"] == ["client_cutover", "set", "verify_new_only"]
    assert late_calls(emulator, gone_at) == []
    run(emulator, "auth_operation", rotation(emulator, replication_group_id=GROUP, take_over=True))
    assert slots(emulator) == [labelled(emulator, GROUP)["AWSCURRENT"]] != [A]


def test_it_ends_where_nobody_reads_its_output(emulator: Emulator, soaking: subprocess.Popen[str]) -> None:
    """As where the connection to its machine has ended."""
    assert soaking.stdout is not None
    gone_at = time.time()
    soaking.stdout.close()
    assert soaking.wait(PATIENCE) != 0
    assert late_calls(emulator, gone_at) == []
