# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The emulator's README names tests, variants and faults that there are, and all of the variants and faults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from emulator.faults import FaultKind
from emulator.settings import VARIANTS

HERE = Path(__file__).parent
README = (HERE.parents[1] / "emulator" / "README.md").read_text()
FILES = [*HERE.glob("test_control_*.py"), HERE / "test_secrets.py"]
TESTS = "".join(path.read_text() for path in FILES if path.name != Path(__file__).name)


def _table(heading: str) -> list[list[str]]:
    section = README.split(f"{heading}\n", 1)[1].split("\n#", 1)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


@pytest.mark.parametrize("row", _table("## Which test shows which fact"), ids=lambda row: row[0].strip())
def test_every_fact_names_tests_and_variants_that_exist(row: list[str]) -> None:
    names = re.findall(r"`([^`]+)`", row[1])
    assert names
    for name in names:
        assert f"def {name}(" in TESTS or f'"{name}"' in TESTS
    for name in re.findall(r"`([^`]+)`", row[2]):
        assert name in VARIANTS


def test_every_variant_is_in_the_tables_with_its_values() -> None:
    shown = {
        row[0].strip(" `"): tuple(re.findall(r"`([^`]+)`", row[1]))
        for row in _table("## Variants: the facts that nobody has shown")
    }
    assert shown == {variant.name: variant.values for variant in VARIANTS.values()}
    tested = "".join(row[2] for row in _table("## Which test shows which fact"))
    assert {name for name in VARIANTS if f"`{name}`" in tested} == set(VARIANTS)


def test_every_fault_is_in_its_table() -> None:
    assert {row[0].strip(" `") for row in _table("### Faults")} == {kind.value for kind in FaultKind}
