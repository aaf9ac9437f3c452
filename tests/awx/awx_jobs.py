# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Run a job as AWX does: ansible-runner with a folder that has the project, the inventory as a script, the variables in
a file, and the credentials in the environment.

What AWX puts there is in ``awx/main/tasks/jobs.py`` (BaseTask, RunJob) and ``awx/main/models/inventory.py``
(get_script_data, get_sliced_hosts): hosts by name, and for a slice every n-th of them from the slice's number on.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaos.command import REPOSITORY, Command, ansible_environment

if TYPE_CHECKING:
    from conftest import Emulator

PATTERNS = "extensions/patterns"
ROTATE = f"{PATTERNS}/rotate_fleet/playbooks/rotate_fleet.yml"
AUDIT = f"{PATTERNS}/audit_fleet/playbooks/audit_fleet.yml"
#: What the emulator's environment has that AWX's credentials bring into a job, and nothing else of it.
_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION")
_SCRIPT = "#! /usr/bin/env python3\n# -*- coding: utf-8 -*-\nprint({!r})\n"


@dataclass(frozen=True)
class Event:
    """One event of a job: its name (``runner_on_ok``…), the task's name, and the host that it is about."""

    number: int
    name: str
    task: str
    host: str
    result: Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """A job: its folder, and the process that runs it."""

    number: int
    folder: Path
    command: Command

    def wait(self, timeout: float = 300) -> int | None:
        """Wait for its end; returns ansible-runner's exit status, None where there is none in time."""
        return self.command.wait(timeout)

    @property
    def artifacts(self) -> Path:
        """What ansible-runner keeps of it."""
        return self.folder / "artifacts" / str(self.number)

    @property
    def status(self) -> str:
        """``successful`` or ``failed``, as AWX shows it."""
        return (self.artifacts / "status").read_text("utf-8")

    @property
    def output(self) -> str:
        """What the playbook has printed."""
        kept = self.artifacts / "stdout"
        return kept.read_text("utf-8") if kept.exists() else self.command.output

    def events(self) -> Iterator[Event]:
        """All events, in order, as AWX stores them."""
        files = (self.artifacts / "job_events").glob("[0-9]*-*.json")
        for file in sorted(files, key=lambda path: int(path.name.split("-")[0])):
            event = json.loads(file.read_text("utf-8"))
            data = event.get("event_data", {})
            yield Event(
                event["counter"], event["event"], data.get("task", ""), data.get("host", ""), data.get("res") or {}
            )

    def stats(self, kind: str) -> dict[str, int]:
        """The numbers of the recap, by host: ``ok``, ``changed``, ``failures``, ``dark``…"""
        numbers: dict[str, int] = self._recap()[kind]
        return numbers

    def told(self) -> dict[str, Any]:
        """What set_stats has set, which AWX shows as the job's artifacts and passes to the workflow's next jobs."""
        told: dict[str, Any] = self._recap().get("artifact_data", {})
        return told

    def _recap(self) -> dict[str, Any]:
        files = (self.artifacts / "job_events").glob("*.json")
        (last,) = [json.loads(text) for path in files if "playbook_on_stats" in (text := path.read_text("utf-8"))]
        recap: dict[str, Any] = last["event_data"]
        return recap


def sliced(hosts: Sequence[str], number: int, count: int) -> list[str]:
    """The hosts that AWX gives to one of the slices, which it counts from 1."""
    return sorted(hosts)[number - 1 :: count]


def host_variables(group: str, region: str, **more: Any) -> dict[str, Any]:
    """What a host of the inventory plugin has, as far as an operation reads it."""
    return {
        "replication_group_id": group,
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "elasticache_region": region,
        "elasticache_account_id": "123456789012",
        **more,
    }


def script_data(hosts: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """An inventory as AWX writes it for a job."""
    shown = {name: {"hosts": [host for host in sorted(members) if host in hosts]} for name, members in groups.items()}
    every = {"all": {"hosts": sorted(hosts), "children": sorted(groups)}, **shown}
    return {**every, "_meta": {"hostvars": {name: dict(variables) for name, variables in hosts.items()}}}


def write_inventory(folder: Path, data: Mapping[str, Any]) -> None:
    """Write it as AWX does: a program that prints it."""
    file = folder / "inventory" / "hosts"
    file.parent.mkdir(parents=True)
    file.write_text(_SCRIPT.format(json.dumps(data)), encoding="utf-8")
    file.chmod(0o700)


def launch(
    emulator: Emulator,
    folder: Path,
    number: int,
    playbook: str,
    inventory: Mapping[str, Any],
    variables: Mapping[str, Any],
    *,
    check: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Job:
    """Start a job in a new folder. ``variables``: those of the job template and the survey."""
    folder.mkdir(parents=True)
    shutil.copytree(REPOSITORY / PATTERNS, folder / "project" / PATTERNS)
    write_inventory(folder, inventory)
    every = emulator.environment
    credentials = {name: every[name] for name in _CREDENTIALS}
    awx = {
        "JOB_ID": str(number),
        "INVENTORY_ID": "1",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "MAX_EVENT_RES": "700000",
    }
    known = {
        "awx_job_id": number,
        "tower_job_id": number,
        "awx_job_launch_type": "workflow",
        "awx_inventory_id": 1,
        "awx_user_name": "admin",
    }
    (folder / "env").mkdir()
    (folder / "env" / "extravars").write_text(json.dumps({**known, **variables}), encoding="utf-8")
    (folder / "env" / "envvars").write_text(json.dumps({**credentials, **awx, **(environment or {})}), encoding="utf-8")
    (folder / "env" / "settings").write_text(json.dumps({"suppress_env_files": True}), encoding="utf-8")
    (folder / "env" / "cmdline").write_text("-u root --diff" + " --check" * check, encoding="utf-8")
    # The container's own: where the collections are, and how to reach AWS, which is the emulator here.
    container = {
        name: value for name, value in ansible_environment(emulator, folder).items() if name not in _CREDENTIALS
    }
    container = {**container, "ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True"}
    if environment and "AWS_ENDPOINT_URL" in environment:
        container.pop("AWS_ENDPOINT_URL")
    arguments = [sys.executable, "-m", "ansible_runner", "run", str(folder), "-p", playbook, "--ident", str(number)]
    return Job(number, folder, Command(arguments, folder, container))
