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

from benchmark.fleet import Group
from chaos.command import playbook_arguments

HERE = Path(__file__).resolve().parent
#: What the variants that are Ansible have in ansible.cfg, as the guide advises for large fleets: otherwise its main
#: process looks every millisecond whether a task has ended, for as long as the task takes.
ANSIBLE_CFG = "[defaults]\ninternal_poll_interval = 0.05\n"
ROTATE_TOKEN = "elasticache.auth.rotate_token"


@dataclass(frozen=True)
class Job:
    """What a variant is to rotate, and where it may write. ``poll_seconds``: how often to look, where one can say."""

    groups: Sequence[Group]
    ca_bundle: str
    folder: Path
    poll_seconds: float


@dataclass(frozen=True)
class Variant:
    """One way to rotate. ``slow``: what it takes for many groups is hours, so it begins with few."""

    name: str
    title: str
    command: Callable[[Job], list[str]]
    slow: bool = False


def _role_variables(job: Job) -> dict[str, Any]:
    return {
        "rotate_token_soak": 0,
        "rotate_token_data_plane_ca_path": job.ca_bundle,
        "rotate_token_wait_delay": job.poll_seconds,
    }


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
    regions: dict[str, list[str]] = {}
    for group in job.groups:
        regions.setdefault(group.region, []).append(group.id)
    listed = [{"region": region, "replication_group_ids": ids} for region, ids in regions.items()]
    variables = {**_role_variables(job), "rotate_token_replication_groups": listed}
    variables["ansible_python_interpreter"] = sys.executable
    return [*_ansible(job, ROTATE_TOKEN, variables), "-i", "localhost,", "--connection", "local"]


def _one_host_a_group(job: Job) -> list[str]:
    variables = {**_role_variables(job), "rotate_token_hosts": "caches"}
    return [*_ansible(job, ROTATE_TOKEN, variables), "-i", _inventory(job)]


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
        Variant("a", "role rotate_token, localhost with a list", _localhost),
        Variant("a2", "role rotate_token, one host a group", _one_host_a_group),
        Variant("b", "one module call a group and step, 5 forks", _one_call_a_group, slow=True),
        Variant("c", "AWS CLI, one group after the other", _cli(1), slow=True),
        Variant("c16", "AWS CLI, 16 groups at a time", _cli(16), slow=True),
        Variant("d", "boto3 and 32 threads a region, no probe, no record", _boto3),
    )
}
