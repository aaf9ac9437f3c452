# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Run modules and playbooks of the collection by FQCN, with ansible-playbook, against the fixture ``emulator``.

One module, one dict back; a failure is in the dict and not an exception::

    from integration.run import run_module

    def test_something(emulator):
        result = run_module(emulator, "replication_group_auth", {"replication_group_id": "sessions", ...})
        assert result["changed"] and not result["failed"]

Plays, as data or as YAML text or as a file of the repository, with what came of every task::

    run = run_playbook(emulator, [{"hosts": "localhost", "gather_facts": False, "tasks": [...]}])
    assert run.succeeded and run.recap["localhost"]["changed"] == 0
    assert "the token" not in run.output

A module's short name stands for ``elasticache.auth.<name>``. A call takes some two seconds: put what one playbook can
show into one playbook.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from integration import cores
from integration.meanwhile import Once
from integration.terminal import run_to_the_end
from integration.warm import Warm, server
from waiting import PATIENCE

from chaos.command import ansible_environment

if TYPE_CHECKING:
    from conftest import Emulator

HERE = Path(__file__).resolve().parent
#: What counts when Python begins: a fork would ignore it.
_READ_ONCE = {"PYTHONPATH"}


@dataclass(frozen=True)
class TaskResult:
    """What came of one task on one host; ``status`` is ok, failed, skipped or unreachable."""

    task: str
    action: str
    host: str
    status: str
    ignored: bool
    result: dict[str, Any]


#: What the roles call the task in which a host is told of its groups, after their own name.
REPORT = " : Report | Result of each host's replication groups"


@dataclass(frozen=True)
class PlaybookRun:
    """What came of a playbook: ``output`` is all that ansible-playbook printed, ``recap`` its numbers by host."""

    returncode: int
    output: str
    results: list[TaskResult]
    recap: dict[str, dict[str, int]]

    @property
    def succeeded(self) -> bool:
        """Whether ansible-playbook ended well."""
        return self.returncode == 0

    @property
    def reported(self) -> list[TaskResult]:
        """What a role said to each host at its end."""
        return [one for one in self.results if one.task.endswith(REPORT)]

    def told(self, host: str = "localhost") -> str:
        """What a role said of the host's groups at its end, a line each."""
        lines = [one.result["msg"] for one in self.reported if one.host == host][-1]
        return "\n".join(lines) if isinstance(lines, list) else str(lines)

    def of(self, task: str, host: str | None = None) -> dict[str, Any]:
        """The result of the last task of this name (on ``host``); fails the test where it did not run."""
        found = [one for one in self.results if one.task == task and host in (None, one.host)]
        assert found, f"no task {task!r} was run:\n{self.output}"
        return found[-1].result


def run_module(
    emulator: Emulator,
    module: str,
    args: Mapping[str, Any],
    *,
    check: bool = False,
    diff: bool = False,
    verbosity: int = 0,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run one module on localhost and return its result, with ``failed`` and ``output`` (all that was printed)."""
    name = module if "." in module else f"elasticache.auth.{module}"
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [{"name": "It", name: dict(args)}]}
    run = run_playbook(emulator, [play], check=check, diff=diff, verbosity=verbosity, environment=environment)
    assert run.results, run.output
    last = run.results[-1]
    return {**last.result, "failed": last.status != "ok", "output": run.output}


def run_inventory(
    emulator: Emulator,
    folder: Path,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    core: str = cores.OWN,
    cold: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run ansible-inventory in ``folder``, with its settings and what it leaves in there; as :func:`run_playbook`."""
    command = [str(cores.programs(core) / "ansible-inventory"), *arguments]
    settings = {**ansible_environment(emulator, folder), **cores.environment(core), **(environment or {})}
    started: Warm | subprocess.Popen[bytes]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        if cold or core != cores.OWN or cores.combination() or _READ_ONCE & set(environment or {}):
            started = subprocess.Popen(
                command, cwd=folder, env=settings, stdin=subprocess.DEVNULL, stdout=output, stderr=errors
            )
        else:
            started = Warm(server(), command, str(folder), settings, output.fileno(), errors.fileno())
        with started as process:
            try:
                returncode = process.wait(PATIENCE)
            except BaseException:
                process.kill()
                raise
        for file in (output, errors):
            file.seek(0)
        said, complaints = output.read().decode(), errors.read().decode()
    return subprocess.CompletedProcess(command, returncode, said, complaints)


def run_playbook(
    emulator: Emulator,
    plays: Sequence[Mapping[str, Any]] | str | Path,
    *,
    check: bool = False,
    diff: bool = False,
    verbosity: int = 0,
    inventory: str = "localhost,",
    extra_vars: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    timeout: float = 600,
    columns: int | None = None,
    core: str = cores.OWN,
    working: Path | None = None,
    steps: Sequence[Once] = (),
    cold: bool = False,
) -> PlaybookRun:
    """Run plays (data, YAML text, or a file's path) with ansible-playbook and return what came of them.

    ``core``: the ansible-core, out of :mod:`integration.cores`. ``environment`` is added to the emulator's;
    ``arguments`` are further ones of ansible-playbook's, such as ``["--limit", "a"]``. ``working``: the folder to run
    it in, in the place of an empty one. With ``columns`` it prints to a terminal of that width, and ``output`` is what
    that got. ``steps``: what to do while it runs, once something is seen in the output or elsewhere.
    ``cold``: it is started, and not forked off (:mod:`integration.warm`), as it always is with a variable that is
    read once, when Python begins.
    Raises :class:`subprocess.TimeoutExpired` after ``timeout`` seconds.
    """
    with tempfile.TemporaryDirectory(prefix="elasticache-auth_") as folder:
        results, playbook = Path(folder, "results"), Path(folder, "playbook.yml")
        if isinstance(plays, Path):
            playbook = plays
        else:
            playbook.write_text(plays if isinstance(plays, str) else yaml.safe_dump(list(plays)), encoding="utf-8")
        command = [str(cores.programs(core) / "ansible-playbook"), "-i", inventory, str(playbook)]
        command += ["--check"] * check + ["--diff"] * diff + ["-v"] * verbosity + list(arguments)
        if inventory == "localhost,":
            command += ["--connection", "local"]
        if inventory == "localhost," or cores.combination():
            command += ["-e", f"ansible_python_interpreter={cores.modules_python()}"]
        if extra_vars:
            command += ["-e", json.dumps(extra_vars)]
        own = {"ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"), "ANSIBLE_CALLBACKS_ENABLED": "results_file"}
        settings = ansible_environment(emulator, Path(folder), TASK_RESULTS_FILE=str(results), **own)
        if steps:
            settings["PYTHONUNBUFFERED"] = "1"  # Ansible does not flush what it writes
        settings |= {**cores.environment(core), **(environment or {})}
        done = run_to_the_end(
            command,
            cwd=str(working or folder),
            env=settings,
            timeout=timeout,
            columns=columns,
            steps=steps,
            warm=not cold and core == cores.OWN and not cores.combination() and not _READ_ONCE & set(environment or {}),
        )
        lines = [json.loads(line) for line in results.read_text("utf-8").splitlines()] if results.exists() else []
    return PlaybookRun(
        returncode=done.returncode,
        output=done.stdout,
        results=[
            TaskResult(line["task"], line["action"], line["host"], line["status"], line["ignored"], line["result"])
            for line in lines
            if line["kind"] == "task"
        ],
        recap={line["host"]: line["recap"] for line in lines if line["kind"] == "recap"},
    )
