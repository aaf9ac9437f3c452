# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What has to go on every supported version: each operation, the inventory, the audit, and text that others wrote.

``make matrix`` runs it on each combination (:mod:`integration.cores`); by itself it runs on the environment's own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration import cores
from integration.fleet import test_audit, test_inventory
from integration.role_scenes import ROLES, run_role
from integration.role_states import ACHIEVED, SCENES
from integration.scenes import GROUP
from integration.security import test_untrusted_text

from matrix import deprecations

if TYPE_CHECKING:
    from conftest import Emulator

ON_NODES = pytest.mark.emulator(data_plane="light", modify_seconds=0.05)
WITHOUT_NODES = pytest.mark.emulator(data_plane="none", create_seconds=0.0, modify_seconds=0.05)


@pytest.fixture(autouse=True)
def told() -> Iterator[None]:
    """Fail on a deprecation of ours that the test has brought about."""
    files = {name: Path(os.environ[name]) for name in ("MATRIX_LOG", "MATRIX_WARNINGS") if name in os.environ}
    before = {name: file.stat().st_size if file.exists() else 0 for name, file in files.items()}
    yield
    found = []
    for name, file in files.items():
        text = file.read_bytes()[before[name] :].decode("utf-8", "replace") if file.exists() else ""
        read = deprecations.of_ansible if name == "MATRIX_LOG" else deprecations.of_python
        found += [deprecation.text for deprecation in read(text) if deprecation.ours]
    assert found == []


@ON_NODES
@pytest.mark.parametrize("role", ROLES)
def test_operation(emulator: Emulator, role: str) -> None:
    """Check mode plans what the run does, and the next run has nothing to do."""
    scene = SCENES[role]
    scene.prepare(emulator, True)
    given: dict[str, Any] = {"soak": 0, **scene.variables, **scene.stored}
    planned = run_role(emulator, role, check=True, diff=True, **given)
    assert planned.succeeded, planned.output
    assert planned.mutating == []
    assert f"\n{GROUP}\n  current state: {scene.says}" in planned.output

    ran = run_role(emulator, role, **given)
    assert ran.succeeded, ran.output
    assert ran.mutating == planned.planned
    assert ran.mutating
    assert f"{GROUP}: {ACHIEVED[role]}; " in ran.text
    scene.arrived(emulator)

    again = run_role(emulator, role, **given)
    assert again.succeeded, again.output
    assert again.mutating == []
    assert again.changed == {"localhost": 0}
    assert f"{GROUP}: nothing to do." in again.text


@ON_NODES
def test_inventory_lists_regions_and_accounts(emulator: Emulator, tmp_path: Path) -> None:
    test_inventory.test_regions_and_accounts(emulator, tmp_path)


@ON_NODES
def test_audit_of_a_region(emulator: Emulator, tmp_path: Path) -> None:
    test_audit.test_all_groups_of_a_region(emulator, tmp_path)


@WITHOUT_NODES
def test_untrusted_text_in_the_inventory(emulator: Emulator, tmp_path: Path) -> None:
    test_untrusted_text.test_inventory(emulator, tmp_path, cores.OWN)


@WITHOUT_NODES
def test_untrusted_text_in_playbooks(emulator: Emulator, tmp_path: Path) -> None:
    test_untrusted_text.test_playbooks(emulator, tmp_path, cores.OWN)
