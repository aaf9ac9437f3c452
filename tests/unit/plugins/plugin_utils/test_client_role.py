# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Which variables a role for the clients takes, and what is said where they are wrong or missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.elasticache.auth.plugins.plugin_utils._client_role import arguments_of, wrong_variables


def load(path: str) -> Any:
    return yaml.safe_load(Path(path).read_text("utf-8"))


def role(folder: Path, **files: object) -> str:
    options = {"move_to": {"type": "str", "required": True}, "client_region": {"type": "str", "required": True}}
    given = {"meta/argument_specs": {"argument_specs": {"main": {"options": options}}}, **files}
    for name, content in given.items():
        path = folder / f"{name}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content), "utf-8")
    return str(folder)


def test_what_an_operation_passes_is_left_out(tmp_path: Path) -> None:
    assert list(arguments_of(role(tmp_path), load)) == ["move_to"]


@pytest.mark.parametrize(
    "files",
    [{"defaults/main": {"move_to": "x"}}, {"vars/main": {"move_to": "x"}}, {"meta/main": {"dependencies": ["other"]}}],
)
def test_what_the_role_may_define_is_not_required(tmp_path: Path, files: dict[str, Any]) -> None:
    spec = arguments_of(role(tmp_path, **files), load)
    assert wrong_variables("move", spec, {}, set()) == ""


def test_a_missing_one_is_named_and_one_that_comes_later_is_not(tmp_path: Path) -> None:
    spec = arguments_of(role(tmp_path), load)
    assert wrong_variables("move", spec, {}, set()) == "missing required arguments: move_to."
    assert wrong_variables("move", spec, {"move_to": object()}, {"move_to"}) == ""


def test_a_role_without_a_specification_takes_anything(tmp_path: Path) -> None:
    assert arguments_of(str(tmp_path), load) == {}


def test_a_secret_is_not_repeated() -> None:
    spec = {"pin": {"type": "int", "no_log": True}}
    said = wrong_variables("move", spec, {"pin": "hunter-22"}, set())
    assert "pin" in said
    assert "hunter" not in said


def test_only_roles_of_this_collection_refuse_a_text_with_commas() -> None:
    spec = {"names": {"type": "list", "elements": "str"}}
    assert wrong_variables("other.move", spec, {"names": "a,b"}, set()) == ""
    assert wrong_variables("elasticache.auth.cutover_ecs", spec, {"names": "a,b"}, set()).startswith("names: 'a,b'")
