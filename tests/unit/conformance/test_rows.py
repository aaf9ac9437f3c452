# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The rows are the facts: what they expect is in docs/elasticache-facts.md, and what is in there is asked."""

from __future__ import annotations

import re

import pytest

from chaos.command import REPOSITORY
from conformance.emulated import variant_sets
from conformance.rows import ROWS, Refused, Row, Source
from emulator.settings import VARIANTS

FACTS = (REPOSITORY / "docs" / "elasticache-facts.md").read_text("utf-8")
SECTIONS = {f"§{part[0]}": part for part in re.split(r"^## ", FACTS, flags=re.MULTILINE)[1:]}
REFUSALS = re.findall(r"^\|.*\|\s*([A-Za-z]+)(?: \(code I\))? \| (?:contains )?`?([^|]*?)`?(?:; [^|]*)? \|$",
                      SECTIONS["§3"], flags=re.MULTILINE)  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_a_row_names_its_section_and_has_an_answer(row: Row) -> None:
    """Or says why it is never asked."""
    assert row.section in SECTIONS
    assert bool(row.never) != bool(row.variant or row.expected)


@pytest.mark.parametrize("row", [row for row in ROWS.values() if isinstance(row.expected, Refused)], ids=str)
def test_the_words_of_a_refusal_are_in_its_section(row: Row) -> None:
    """Word for word; codes of §3, too."""
    assert isinstance(row.expected, Refused)
    assert row.expected.words in SECTIONS[row.section] or row.expected.words in SECTIONS["§3"]
    if row.section == "§3":
        assert row.expected.code in SECTIONS["§3"]


def test_each_refusal_of_the_table_is_asked() -> None:
    """Every line of §3."""
    asked = {(row.expected.code, row.expected.words) for row in ROWS.values() if isinstance(row.expected, Refused)}
    lines = [line for line in REFUSALS if line != ("code", "message")]
    assert len(lines) > 20
    assert [line for line in lines if line not in asked] == []


def test_each_open_question_of_the_emulator_has_its_row() -> None:
    """And the row has the variant's name and its section."""
    open_rows = {row.variant: row for row in ROWS.values() if row.variant}
    assert open_rows.keys() == VARIANTS.keys()
    for name, row in open_rows.items():
        assert row.name == name
        assert row.source is Source.OPEN
        assert row.section in VARIANTS[name].fact


def test_the_sets_of_variants_have_each_value() -> None:
    """In as few sets as the longest variant has values."""
    sets = list(variant_sets())
    assert len(sets) == max(len(variant.values) for variant in VARIANTS.values())
    for name, variant in VARIANTS.items():
        assert {chosen[name] for chosen in sets} == set(variant.values)
