# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""An inventory that could not be read is no fleet: Ansible goes on without it, and the playbooks don't."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from integration import cores
from integration.scenes import A, create

from chaos.command import ansible_environment

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="none")

FLEET = (
    "plugin: elasticache.auth.replication_groups\ngroups: {due: elasticache_auth_token_age_days | default(0) > 90}\n"
)
#: As a user may have it who has always had one.
STATIC = "all: {children: {caches: {hosts: {sessions: {ansible_connection: local}}}}}\n"
NO_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
REFUSED = "The inventory is incomplete, and Ansible would go on with what is left of it: "
NOT_A_NAME = "its name is not one that the plugin takes"
NAMES = "ends in elasticache.yml or elasticache.yaml, as in fleet.elasticache.yml."
ROTATE = ("elasticache.auth.rotate_token", "-e", "rotate_token_soak=0", "-e", "rotate_token_max_token_age_days=99999")


def run(
    emulator: Emulator, folder: Path, *arguments: str, core: str = cores.OWN, environment: dict[str, str] | None = None
) -> tuple[int, str]:
    """Run ansible-playbook in ``folder``; returns its status, and what it printed, on one line."""
    done = subprocess.run(
        [str(cores.programs(core) / "ansible-playbook"), *arguments],
        cwd=folder,
        env={**ansible_environment(emulator, folder), **cores.environment(core), **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, re.sub(r"\s+", " ", done.stdout)


@pytest.fixture
def folder(emulator: Emulator, tmp_path: Path) -> Path:
    """A fleet of one group, and a file for it with a good and with a bad name."""
    create(emulator, "sessions", NumCacheClusters=1, AuthToken=A)
    for name, text in {"fleet.elasticache.yml": FLEET, "fleet.yml": FLEET, "hosts.yml": STATIC}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("core", cores.CORES)
def test_without_credentials(emulator: Emulator, folder: Path, core: str) -> None:
    """A play on a group of hosts of an inventory that could not be read: none is there, and none matches."""
    arguments = (*ROTATE, "-i", "fleet.elasticache.yml", "-e", "rotate_token_hosts=due")
    before = len(emulator.calls())
    returncode, output = run(emulator, folder, *arguments, core=core, environment=NO_CREDENTIALS)
    assert returncode not in (0, None), output
    assert f"{REFUSED}{folder}/fleet.elasticache.yml could not be read: " in output
    assert "no AWS credentials were found" in output.partition(REFUSED)[2]
    assert emulator.calls()[before:] == []


@pytest.mark.parametrize("core", cores.CORES)
def test_a_wrong_name(emulator: Emulator, folder: Path, core: str) -> None:
    """The audit would be one of all that is in the environment's region."""
    returncode, output = run(emulator, folder, "elasticache.auth.audit", "-i", "fleet.yml", core=core)
    assert returncode not in (0, None), output
    told = output.partition(f"{REFUSED}{folder}/fleet.yml could not be read: {NOT_A_NAME}")[2]
    assert NAMES in told
    assert not (folder / "elasticache-audit.html").exists()


def test_other_troubles(emulator: Emulator, folder: Path) -> None:
    """A file that is not there or not readable, one of two, one in a folder, and a limit that leaves localhost out."""
    (folder / "broken.yml").write_text("all: {children: [\n", encoding="utf-8")
    (folder / "both").mkdir()
    for name in ("fleet.yml", "hosts.yml"):
        (folder / "both" / name).write_text((folder / name).read_text("utf-8"), encoding="utf-8")
    table = (
        (["-i", "missing.yml"], f"There is no {folder}/missing.yml."),
        (["-i", "broken.yml"], f"{folder}/broken.yml could not be read: the warnings before this say why."),
        (["-i", "broken.yml", "-i", "hosts.yml"], f"{folder}/broken.yml could not be read"),
        (["-i", "both"], f"{folder}/both/fleet.yml could not be read: {NOT_A_NAME}"),
        (["-i", "fleet.yml", "-i", "hosts.yml", "--limit", "sessions"], f"{folder}/fleet.yml could not be read"),
    )
    for arguments, told in table:
        returncode, output = run(emulator, folder, *ROTATE, *arguments, "-e", "rotate_token_hosts=caches")
        assert returncode not in (0, None), output
        assert f"{REFUSED}{told}" in output, output


def test_what_can_be_read_is_taken(emulator: Emulator, folder: Path) -> None:
    """A fleet in which nothing is due; others' inventories; localhost with and without one."""
    returncode, output = run(emulator, folder, *ROTATE, "-i", "fleet.elasticache.yml", "-e", "rotate_token_hosts=due")
    assert returncode == 0, output
    assert "no hosts matched" in output
    assert REFUSED not in output

    (folder / "empty.yml").write_text("all: {}\n", encoding="utf-8")
    for inventory in ("hosts.yml", "empty.yml"):
        arguments = ("-i", inventory, "-e", "rotate_token_hosts=caches", "--list-hosts")
        returncode, output = run(emulator, folder, *ROTATE, *arguments)
        assert returncode == 0, output
        assert ("sessions" in output) == (inventory == "hosts.yml")

    returncode, output = run(emulator, folder, "elasticache.auth.audit")
    assert returncode == 0, output
    assert "1 group: 1 unknown" in output

    # A list of groups on localhost takes nothing from an inventory.
    groups = '{"rotate_token_replication_groups": ["nosuch"]}'
    returncode, output = run(emulator, folder, *ROTATE, "-i", "missing.yml", "-e", groups)
    assert REFUSED not in output
    assert "nosuch: there is no replication group" in output
