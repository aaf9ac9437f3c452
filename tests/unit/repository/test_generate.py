# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What is written from tools/role_variables.yml is what it says now, and a file that is not is named."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import generate

SOURCE: dict[str, Any] = yaml.safe_load((generate.ROOT / generate.SOURCE).read_text("utf-8"))
POLICIES: dict[str, Any] = yaml.safe_load((generate.ROOT / generate.POLICIES).read_text("utf-8"))
FILES = generate.rendered(generate.ROOT, SOURCE, POLICIES)
#: Variables of operations that are for the role itself or its action plugin, and no option of auth_operation.
OF_THE_ROLE = {"replication_groups", "client_tasks", "client_role", "soak", "max_fail_percentage", "report_path"}


def copied(folder: Path) -> Path:
    """A folder with the files that are written, and with their source."""
    for path in (*FILES, generate.SOURCE, generate.POLICIES):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(generate.ROOT / path, folder / path)
    return folder


def test_nothing_is_stale() -> None:
    assert generate.stale(generate.ROOT, FILES) == [], "run `make generate`"


def test_what_is_stale_is_named_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = copied(tmp_path)
    text = (root / generate.SOURCE).read_text("utf-8")
    (root / generate.SOURCE).write_text(text.replace("default: 3600", "default: 1800"), "utf-8")
    assert generate.main(["--check"], root) == 1
    said = capsys.readouterr().out
    for name in ("defaults/main.yml", "meta/argument_specs.yml", "README.md"):
        assert f"roles/enable_tls/{name}: stale." in said
    assert "roles/audit/" not in said
    assert generate.main([], root) == 0
    assert generate.main(["--check"], root) == 0
    defaults = yaml.safe_load((root / "roles/enable_tls/defaults/main.yml").read_text("utf-8"))
    assert defaults["enable_tls_wait_timeout"] == 1800


@pytest.mark.parametrize("role", [role.name for role in generate.roles_of(SOURCE)])
def test_defaults_are_those_of_the_specification(role: str) -> None:
    specs = yaml.safe_load(FILES[Path(f"roles/{role}/meta/argument_specs.yml")])["argument_specs"]["main"]
    defaults = yaml.safe_load(FILES[Path(f"roles/{role}/defaults/main.yml")])
    assert defaults == {name: option["default"] for name, option in specs["options"].items() if "default" in option}


@pytest.mark.parametrize("role", [role for role in generate.roles_of(SOURCE) if role.name != "audit"])
def test_every_variable_sets_an_option(role: generate.Role) -> None:
    """Or is one that the role itself takes."""
    options = yaml.safe_load(generate.options(role, SOURCE["options"]))
    unset = {short for short in role.variables if f"{role.name}_{short}" not in str(options)}
    assert unset == OF_THE_ROLE & set(role.variables)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", '""'),
        ("auto", "auto"),
        ("no", '"no"'),
        ("90", '"90"'),
        ("a: b", '"a: b"'),
        ("{id}-x", '"{id}-x"'),
        ("on ~* &* +@all", "on ~* &* +@all"),
        (False, "false"),
        (90, "90"),
        ({}, "{}"),
        (["", "all"], '["", all]'),
    ],
)
def test_values(value: object, text: str) -> None:
    assert generate.scalar(value) == text
    assert yaml.safe_load(text) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("# begin generated: a\n", "no single pair of lines `begin generated: a` and `end generated: a`"),
        ("# end generated: a\n# begin generated: a\n", "no single pair"),
        ("# begin generated: a\n# begin generated: a\n# end generated: a\n", "no single pair"),
        ("", "no single pair"),
    ],
)
def test_a_file_without_a_place_for_its_part(text: str, why: str) -> None:
    with pytest.raises(generate.SourceError, match=why):
        generate.with_part(text, "b", "a", Path("README.md"))


def test_a_variable_that_is_not_described() -> None:
    roles = {"r": {"short_description": "R", "description": "R.", "variables": {"a": None, "b": None}}}
    with pytest.raises(generate.SourceError, match="r has b, which `variables` does not have"):
        generate.roles_of({"variables": {"a": {}}, "roles": roles})
    with pytest.raises(generate.SourceError, match="a of r has no description and no type"):
        generate.roles_of({"variables": {"a": {}, "b": {}}, "roles": roles})
    described = {"description": "D.", "type": "str"}
    with pytest.raises(generate.SourceError, match="no role has c"):
        generate.roles_of({"variables": {"a": described, "b": described, "c": described}, "roles": roles})


@pytest.mark.parametrize("role", [role.name for role in generate.roles_of(SOURCE)])
def test_a_readme_points_to_what_all_roles_share(role: str) -> None:
    """And every variable is in it, or in the guide."""
    readme, guide = FILES[Path(f"roles/{role}/README.md")], FILES[generate.GUIDE]
    of_role = next(role_ for role_ in generate.roles_of(SOURCE) if role_.name == role)
    for short, variable in of_role.variables.items():
        if f"| `{role}_{short}` |" not in readme:
            assert variable["shared"], short
            assert f"`…_{short}`" in readme
            assert f"\n``…_{short}``\n" in guide
    assert generate.GUIDE.name in readme


@pytest.mark.parametrize(
    "path", sorted((generate.ROOT / "roles").glob("*/README.md")), ids=lambda path: path.parent.name
)
def test_a_readme_is_first_run_steps_and_runbook(path: Path) -> None:
    """What all roles share is in the guide, so that each stays short; and its links lead somewhere."""
    text = path.read_text("utf-8")
    assert 60 <= len(text.splitlines()) <= 120
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [link for link in links if not (path.parent / link).exists()] == []
