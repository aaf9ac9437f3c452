# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""No operation leaks a token: not at -vvvv, not in a log, a cache, a kept file, an artifact, a tag or a process
list.

Every token that ever was is looked for, in whatever way it may be written (``chaos/leaks.py``; that it finds what is
planted is shown in tests/unit/chaos/test_leaks.py and, through Ansible, below).
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from integration.scenes import A, B, C, D

from chaos import samples
from chaos.command import REPOSITORY, ansible_environment, playbook_arguments, started
from chaos.judge import tokens_of
from chaos.leaks import ProcessList, Search, tags_of
from chaos.operations import GROUP, OPERATIONS, Operation, World
from chaos.store import read_store, secret_name

if TYPE_CHECKING:
    from conftest import Emulator

WAYS = ("default", "json", "runner")
_COMMAND_SECONDS = 300.0

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.05)


@dataclass(frozen=True)
class Left:
    """What a run has left behind, to be searched."""

    status: int | None
    output: str
    folder: Path
    process_lines: frozenset[bytes]
    processes: int
    tags: str

    def search(self, tokens: set[str]) -> tuple[Search, int]:
        """Look through all of it; returns the search, and how many files there were."""
        search = Search(tokens)
        for line in self.process_lines:
            search.text("the list of processes", line)
        search.text("the tags", self.tags)
        return search, search.folder(self.folder)  # the output is in there too


def settings(emulator: Emulator, folder: Path, **more: str) -> dict[str, str]:
    """All of Ansible's settings that leave something behind, with it in ``folder``."""
    for name in ("local", "remote", "cache"):
        (folder / name).mkdir(exist_ok=True)
    kept = {
        "ANSIBLE_LOG_PATH": str(folder / "ansible.log"),
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(folder / "cache"),
        "ANSIBLE_KEEP_REMOTE_FILES": "true",
        "ANSIBLE_LOCAL_TEMP": str(folder / "local"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "remote"),
        "ANSIBLE_PIPELINING": "false",  # with it nothing would be kept
        "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "true",
    }
    return ansible_environment(emulator, folder, **{**kept, **more})


def command_of(emulator: Emulator, operation: Operation, way: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """The command that runs an operation in one of the WAYS, and its environment."""
    assert emulator.ca_bundle is not None
    variables = operation.variables(World((GROUP,), emulator.ca_bundle))
    playbook = operation.playbook
    if not isinstance(playbook, str):
        file = folder / "playbook.yml"
        file.write_text(yaml.safe_dump(list(playbook)), encoding="utf-8")
        playbook = str(file)
    if way == "runner":
        for part in ("env", "project", "inventory"):
            (folder / part).mkdir()
        (folder / "env" / "extravars").write_text(json.dumps(variables), encoding="utf-8")
        (folder / "inventory" / "hosts").write_text(
            f"localhost ansible_connection=local ansible_python_interpreter={sys.executable}\n", encoding="utf-8"
        )
        arguments = [sys.executable, "-m", "ansible_runner", "run", str(folder), "-p", playbook, "-vvvv"]
        return [*arguments, "--ident", "leaks", "--cmdline=--diff"], settings(emulator, folder)
    more = {}
    if way == "json":
        # All that any callback is given, as JSON, besides a file a host, and one for a CI server.
        more = {
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
            "ANSIBLE_CALLBACK_PLUGINS": str(REPOSITORY / "tests" / "integration" / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "results_file,ansible.builtin.tree,ansible.builtin.junit",
            "ANSIBLE_CALLBACK_TREE_DIR": str(folder / "tree"),
            "JUNIT_OUTPUT_DIR": str(folder / "junit"),
            "TASK_RESULTS_FILE": str(folder / "results.json"),
        }
    return [*playbook_arguments(playbook, variables, folder), "-vvvv", "--diff"], settings(emulator, folder, **more)


def run(emulator: Emulator, operation: Operation, way: str, folder: Path) -> Left:
    """Run an operation to its end, and take what it has left behind."""
    operation.prepare(emulator, GROUP)
    arguments, environment = command_of(emulator, operation, way, folder)
    with started(arguments, folder, environment) as command, ProcessList(command.mark) as seen:
        status = command.wait(_COMMAND_SECONDS)
        output = command.output
    tags = tags_of(emulator.groups())
    return Left(status, output, folder, frozenset(seen.lines), len(seen.processes), tags)


def all_tokens(emulator: Emulator) -> set[str]:
    """Every token that ever was in force or in the store, and those that scenes use."""
    in_force = {token for truth in emulator.groups() for token in tokens_of(truth["history"])}
    return {A, B, C, D, *in_force, *read_store(emulator, secret_name(GROUP)).known}


def files_below(folder: Path) -> Iterator[Path]:
    """Every file."""
    return (path for path in folder.rglob("*") if path.is_file())


#: Each operation in one of the ways, the ways in turn; rotate_token in all.
RUNS = [
    *((OPERATIONS["rotate_token"], way) for way in WAYS),
    *zip((operation for name, operation in OPERATIONS.items() if name != "rotate_token"), itertools.cycle(WAYS)),
]


@pytest.mark.parametrize(("operation", "way"), RUNS, ids=lambda one: getattr(one, "name", one))
def test_no_token_gets_out(emulator: Emulator, operation: Operation, way: str, tmp_path: Path, capsys: Any) -> None:
    left = run(emulator, operation, way, tmp_path)
    tokens = all_tokens(emulator)
    search, files = left.search(tokens)
    assert [str(leak) for leak in search.leaks] == []
    assert left.status == 0, left.output[-3000:]
    assert operation.arrived(emulator.group(GROUP), read_store(emulator, secret_name(GROUP))) == []
    # That there was something to be searched: every kind of file that the settings ask for, and module processes.
    assert (tmp_path / "ansible.log").stat().st_size
    assert [path for path in files_below(tmp_path / "remote") if path.name.startswith("AnsiballZ_")]
    assert left.processes > 3
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{operation.name}, {way}: {files} files, {search.size:,} bytes, {len(tokens)} tokens,"
            f" {len(left.process_lines)} lines of {left.processes} processes: no token",
            end="",
        )


def leaking(tasks: list[dict[str, Any]]) -> Operation:
    """An operation that lets A out."""
    plays: list[Mapping[str, Any]] = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    good = samples.rotation()
    return Operation("leaking", plays, good.prepare, good.variables, good.arrived)


@pytest.mark.parametrize("way", WAYS)
def test_what_gets_out_is_found(emulator: Emulator, way: str, tmp_path: Path) -> None:
    """A token that a task shows is wherever Ansible leaves something; it is long enough there to be seen."""
    told = {
        "name": "Told",
        "ansible.builtin.shell": f"echo '{A}' && sleep 1.5",
        "register": "told",
    }
    cached = {"name": "Cached", "ansible.builtin.set_fact": {"token": "{{ told.stdout }}", "cacheable": True}}
    left = run(emulator, leaking([told, cached]), way, tmp_path)
    assert left.status == 0, left.output
    found = {leak.where for leak in left.search({A})[0].leaks}
    wanted = ["the list of processes", "ansible.log", "remote/"]
    wanted += {
        "default": ["cache/"],
        "json": ["cache/", "results.json", "tree/"],
        "runner": ["artifacts/leaks/job_events/", "artifacts/leaks/fact_cache/", "artifacts/leaks/stdout"],
    }[way]
    assert [one for one in wanted if not any(where.startswith(one) for where in found)] == []


def test_what_no_log_hides_is_found_where_it_is_not_hidden(emulator: Emulator, tmp_path: Path) -> None:
    task = {"name": "Hidden", "ansible.builtin.shell": "sleep 1.5", "environment": {"TOKEN": A}, "no_log": True}
    left = run(emulator, leaking([task]), "default", tmp_path)
    assert left.status == 0, left.output
    assert "the list of processes" in {leak.where for leak in left.search({A})[0].leaks}
