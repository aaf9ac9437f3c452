# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Tokens in results: whatever Ansible would mask is masked, wherever it stands and however many there are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.common.parameters import remove_values
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject as Drawing

from ansible_collections.elasticache.auth.plugins.module_utils._core.redaction import PART, SHORTEST, WHOLE, Redactor

A, B = "alpha-token-0123456789", "bravo-token-0123456789"
#: Few characters, so that values share beginnings, contain each other and overlap.
LETTERS = "ab"
values = st.sets(st.text(LETTERS, min_size=SHORTEST, max_size=SHORTEST + 6), max_size=6)
filler = st.text(LETTERS + "-", max_size=20)


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        pytest.param(A, WHOLE, id="nothing-else"),
        pytest.param(f"it is {A}.", f"it is {PART}.", id="in-a-text"),
        pytest.param(f"{A}{B}", PART * 2, id="side-by-side"),
        pytest.param(f"{A}, {B}", f"{PART}, {PART}", id="two"),
        pytest.param(A[:-1], A[:-1], id="not-all-of-it"),
        pytest.param("", "", id="empty"),
        pytest.param({"a": [{"b": A}], "c": (B,)}, {"a": [{"b": WHOLE}], "c": [WHOLE]}, id="nested"),
        pytest.param({A: 1}, {A: 1}, id="keys-stay"),
        pytest.param([None, True, 1, 0.5], [None, True, 1, 0.5], id="no-texts"),
    ],
)
def test_masks(value: Any, masked: Any) -> None:
    assert Redactor([A, B])(value) == masked


def test_a_number() -> None:
    assert Redactor(["1234567890123456"])({"a": 1234567890123456, "b": 91234567890123456, "c": 12}) == {
        "a": WHOLE,
        "b": WHOLE,
        "c": 12,
    }


def test_one_within_another_and_overlapping_ones() -> None:
    long = f"x{A}y"
    assert Redactor([A, long])(f"<{long}> <{A}>") == f"<{PART}> <{PART}>"
    first, second = "a" * 10 + "b" * 10, "b" * 10 + "c" * 10
    assert Redactor([first, second])(f"<{'a' * 10}{'b' * 10}{'c' * 10}>") == f"<{PART}>"


def test_short_values_are_left_to_ansible() -> None:
    mask = Redactor([A, "short"])
    assert mask.values == {A}
    assert mask("short") == "short"


@given(values, st.lists(filler), st.data())
def test_nothing_that_is_masked_is_left(found: set[str], between: list[str], data: Drawing) -> None:
    """Whatever the texts, no value is left in them, and what has none stays as it is."""
    drawn = data.draw(st.lists(st.sampled_from(sorted(found)))) if found else []
    parts = [*between, *drawn]
    text = "".join(data.draw(st.permutations(parts)))
    masked = Redactor(found)({"text": text})["text"]
    assert not [value for value in found if value in masked]
    if not [value for value in found if value in text]:
        assert masked == text


@given(st.sets(st.text("abcdef0123456789", min_size=SHORTEST, max_size=SHORTEST), max_size=4), st.data())
def test_it_masks_what_ansible_masks(found: set[str], data: Drawing) -> None:
    """As long as values don't overlap; where they do, more than Ansible would."""
    words = st.sampled_from([*sorted(found), "x", "-", "group"])
    texts = data.draw(st.lists(st.lists(words, max_size=6).map(" ".join)))
    result = {"texts": texts, "number": 7, "none": None}
    assert Redactor(found)(result) == json.loads(json.dumps(remove_values(result, found)))
