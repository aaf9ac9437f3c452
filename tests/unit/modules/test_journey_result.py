# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The account of a journey, wave by wave."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.elasticache.auth.plugins.modules.journey_result import (
    counts,
    merged,
    outcome_of,
    standing,
    words,
    write,
)

PARAMS = {"journey": "rotate_token", "waiting": ["three"]}


def account(group: str, wave: int = 1, **members: Any) -> dict[str, Any]:
    return {"replication_group_id": group, "region": None, "assume_role_arn": None, "wave": wave, **members}


@pytest.mark.parametrize(
    ("group", "outcome"),
    [
        ({"failed": True, "changed": True}, "failed"),
        ({"failed": False, "changed": True}, "changed"),
        ({"failed": False, "changed": False}, "unchanged"),
    ],
)
def test_outcome(group: dict[str, Any], outcome: str) -> None:
    assert outcome_of(group) == outcome


@pytest.mark.parametrize(
    ("group", "words"),
    [
        ({"stands": "open", "stood": "required (a)"}, "open"),
        ({"stood": "required (a)"}, "required (a)"),
        ({"stands": None, "stood": ""}, "unknown (not looked at)"),
    ],
)
def test_standing(group: dict[str, Any], words: str) -> None:
    assert standing(group) == words


def test_waves_add_up() -> None:
    first = merged(None, PARAMS, "t1", [account("one")])
    second = merged(first, {**PARAMS, "waiting": []}, "t2", [account("two", 2)])
    assert [one["replication_group_id"] for one in second["groups"]] == ["one", "two"]
    assert (second["began_at"], second["told_at"], second["waiting"]) == ("t1", "t2", [])


def test_a_wave_told_again_takes_its_own_place_only() -> None:
    first = merged(None, PARAMS, "t1", [account("one"), account("two")])
    again = merged(first, PARAMS, "t2", [account("two", changed=True)])
    assert again["groups"] == [account("one"), account("two", changed=True)]


def test_the_same_id_in_two_regions_is_two_groups() -> None:
    first = merged(None, PARAMS, "t1", [account("one") | {"region": "eu-west-1"}])
    second = merged(first, PARAMS, "t2", [account("one") | {"region": "us-east-1"}])
    assert len(second["groups"]) == 2


def test_counts_in_words() -> None:
    found = counts([{"outcome": "failed"}, {"outcome": "changed"}, {"outcome": "changed"}])
    assert words(found) == "2 changed, 1 failed"
    assert words({}) == "no groups"


def test_the_file_is_its_owners_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("before")
    with pytest.raises(TypeError):
        write(str(path), {"groups": object()})
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["result.json"]
    write(str(path), {"groups": []})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
