# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The files of examples/, run as its README says, in their order."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from integration.documents import REPOSITORY, Command, Reader, read
from integration.scenes import GROUP, slots

from chaos.command import ansible_environment

if TYPE_CHECKING:
    from conftest import Emulator

EXAMPLES = REPOSITORY / "examples"

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.05)


def test_examples(emulator: Emulator, tmp_path: Path) -> None:
    """Create, rotate, set, verify; a rotation with client tasks; the inventory, in which nothing is due."""
    subnets = emulator.client("ec2").describe_subnets()["Subnets"]
    emulator.client("elasticache").create_cache_subnet_group(
        CacheSubnetGroupName="private", CacheSubnetGroupDescription="d", SubnetIds=[subnets[0]["SubnetId"]]
    )
    folder, elsewhere = tmp_path / "examples", tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copytree(EXAMPLES, folder)
    settings = ansible_environment(emulator, elsewhere, SSL_CERT_FILE=emulator.ca_bundle or "")
    settings["ANSIBLE_CONFIG"] = str(folder / "ansible.cfg")
    somebody = Reader(folder, settings, {"3600": "1"})
    told = list(read(EXAMPLES / "README.md"))
    printed = [re.sub(r"\s+", " ", somebody.type(command)) for command in told if isinstance(command, Command)]
    created, rotating, required, role, listed, fleet = printed
    assert "sessions: required" in created
    assert "sessions: rotating" in rotating
    assert "sessions: required" in required
    assert "sessions: token rotated; 2 of 2 nodes accept only the new token" in role
    assert "Wait until no connection predates the token" in role
    assert "@elasticache_mode_required:" in listed
    assert "no hosts matched" in fleet
    assert len(slots(emulator, GROUP)) == 1


def test_requirements() -> None:
    """What ansible-galaxy installs is what galaxy.yml depends on."""
    wanted = yaml.safe_load((EXAMPLES / "requirements.yml").read_text("utf-8"))["collections"]
    galaxy = yaml.safe_load((REPOSITORY / "galaxy.yml").read_text("utf-8"))
    assert wanted[0]["name"] == f"{galaxy['repository']}.git"
    assert wanted[1:] == [{"name": name, "version": version} for name, version in galaxy["dependencies"].items()]


def test_every_file_is_in_its_readme() -> None:
    text = (EXAMPLES / "README.md").read_text("utf-8")
    assert [path.name for path in EXAMPLES.iterdir() if f"`{path.name}`" not in text and path.name != "README.md"] == []
