# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What is compared, each as a command on a fleet. Add one to ``VARIANTS``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.figures import ROTATE_TOKEN
from benchmark.operations import (
    OPERATIONS,
    Group,
    Operation,
    hosts_of_groups,
    listed_groups,
    role_variables,
)
from benchmark.operations import playbook as playbook_of
from chaos.command import playbook_arguments

HERE = Path(__file__).resolve().parent
#: What the variants that are Ansible have in ansible.cfg, as the guide advises for large fleets: otherwise its main
#: process looks every millisecond whether a task has ended, for as long as the task takes.
ANSIBLE_CFG = "[defaults]\ninternal_poll_interval = 0.05\n"


@dataclass(frozen=True)
class Job:
    """What a variant is to do, and where it may write. ``poll_seconds``: how often to look, where one can say.

    ``soak`` and ``wait_timeout``, in seconds, are what the roles are told.
    """

    groups: Sequence[Group]
    ca_bundle: str
    folder: Path
    poll_seconds: float
    operation: Operation = OPERATIONS[ROTATE_TOKEN]
    soak: float = 0
    wait_timeout: float = 3600


@dataclass(frozen=True)
class Variant:
    """One way to rotate. ``slow``: what it takes for many groups is hours, so it begins with few.

    ``any_operation``: it does the other operations, too.
    """

    name: str
    title: str
    command: Callable[[Job], list[str]]
    slow: bool = False
    any_operation: bool = False


def _role_variables(job: Job) -> dict[str, Any]:
    return role_variables(
        job.operation,
        ca_bundle=job.ca_bundle,
        poll_seconds=job.poll_seconds,
        soak=job.soak,
        wait_timeout=job.wait_timeout,
    )


def _inventory(job: Job) -> str:
    """A static inventory file: one host a group, on this machine."""
    shared = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    hosts = {group.id: {"replication_group_id": group.id, "elasticache_region": group.region} for group in job.groups}
    file = job.folder / "hosts.json"
    file.write_text(json.dumps({"caches": {"hosts": hosts, "vars": shared}}), encoding="utf-8")
    return str(file)


def _ansible(job: Job, playbook: str | Path, variables: Mapping[str, Any]) -> list[str]:
    (job.folder / "ansible.cfg").write_text(ANSIBLE_CFG, encoding="utf-8")
    return playbook_arguments(playbook, variables, job.folder)


def _localhost(job: Job) -> list[str]:
    variables = {**_role_variables(job), **listed_groups(job.operation, job.groups)}
    variables["ansible_python_interpreter"] = sys.executable
    return [*_ansible(job, playbook_of(job.operation), variables), "-i", "localhost,", "--connection", "local"]


def _one_host_a_group(job: Job) -> list[str]:
    variables = {**_role_variables(job), **hosts_of_groups(job.operation, "caches")}
    return [*_ansible(job, playbook_of(job.operation), variables), "-i", _inventory(job)]


def _one_call_a_group(job: Job) -> list[str]:
    variables = {"ca_path": job.ca_bundle, "poll_seconds": job.poll_seconds}
    return [*_ansible(job, HERE / "one_group_a_host.yml", variables), "-i", _inventory(job)]


def _listed(job: Job) -> str:
    file = job.folder / "groups.txt"
    file.write_text("".join(f"{group.region} {group.id}\n" for group in job.groups), encoding="utf-8")
    return str(file)


def _cli(parallel: int) -> Callable[[Job], list[str]]:
    return lambda job: ["bash", str(HERE / "rotate_with_cli.sh"), str(parallel), _listed(job)]


def _boto3(job: Job) -> list[str]:
    return [sys.executable, str(HERE / "plain_boto3.py"), str(job.poll_seconds), _listed(job)]


VARIANTS: Mapping[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant("a", "the role, localhost with a list", _localhost, any_operation=True),
        Variant("a2", "the role, one host a group", _one_host_a_group, any_operation=True),
        Variant("b", "one module call a group and step, 5 forks", _one_call_a_group, slow=True),
        Variant("c", "AWS CLI, one group after the other", _cli(1), slow=True),
        Variant("c16", "AWS CLI, 16 groups at a time", _cli(16), slow=True),
        Variant("d", "boto3 and 32 threads a region, no probe, no record", _boto3),
    )
}
