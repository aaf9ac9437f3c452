# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What the collection needs is named the same wherever it is named, and so is where it comes from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.elasticache.auth.plugins.doc_fragments.requirements import ModuleDocFragment
from matrix.versions import oldest_core

REPOSITORY = Path(__file__).resolve().parents[3]
FRAGMENT = "elasticache.auth.requirements"


def read(path: str) -> str:
    return (REPOSITORY / path).read_text("utf-8")


def required(lines: list[str]) -> dict[str, str]:
    """The oldest versions by name, from lines as ``boto3>=1.35.36``."""
    found = (re.fullmatch(r"([\w.-]+) *>= *([\d.]+).*", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


GALAXY: dict[str, Any] = yaml.safe_load(read("galaxy.yml"))
LIBRARIES = required(read("requirements.txt").splitlines())
OF_MODULES = required(yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["requirements"])
DEPENDENCIES = required([f"{name}{version}" for name, version in GALAXY["dependencies"].items()])
#: The plugins that call AWS: what they import says so.
CALLING = sorted(
    path
    for folder in ("modules", "inventory")
    for path in (REPOSITORY / "plugins" / folder).glob("*.py")
    if "amazon.aws.region" in path.read_text("utf-8") or "amazon.aws.common" in path.read_text("utf-8")
)


def test_libraries_of_modules_are_those_of_requirements() -> None:
    assert {name: OF_MODULES[name] for name in ("boto3", "botocore")} == {
        name: LIBRARIES[name] for name in ("boto3", "botocore")
    }


@pytest.mark.parametrize("path", CALLING, ids=lambda path: path.stem)
def test_what_calls_aws_names_them(path: Path) -> None:
    fragments = re.search(r"^extends_documentation_fragment:\n((?: +- .*\n)+)", path.read_text("utf-8"), re.MULTILINE)
    assert fragments
    assert f"- {FRAGMENT}" in fragments[1].replace("    ", "  ").replace("  - ", "- ").splitlines()


def test_the_readme_names_them() -> None:
    """In words or in a table: the oldest of each."""
    readme = read("README.md")
    for name, version in (
        ("ansible-core", oldest_core()),
        (r"`?amazon\.aws`?", DEPENDENCIES["amazon.aws"]),
        ("boto3", LIBRARIES["boto3"]),
        ("Python", OF_MODULES["python"]),
    ):
        assert re.search(rf"{name}[^\n]*(?:\n[^\n]+){{0,6}}?\b{re.escape(version)}\b", readme), name


def test_the_execution_environment_takes_what_is_needed() -> None:
    environment = yaml.safe_load(
        read("extensions/patterns/rotate_fleet/execution_environment/execution-environment.yml")
    )["dependencies"]
    collections = {entry["name"]: entry["version"] for entry in environment["galaxy"]["collections"]}
    assert collections == {**GALAXY["dependencies"], "elasticache.auth": f">={GALAXY['version']}"}
    assert environment["ansible_core"]["package_pip"].startswith(f"ansible-core>={oldest_core()},")
    assert yaml.safe_load(read("meta/execution-environment.yml"))["dependencies"] == {"python": "requirements.txt"}


def test_links_lead_into_the_repository() -> None:
    repository = GALAXY["repository"]
    assert GALAXY["homepage"] == repository
    assert GALAXY["issues"] == f"{repository}/issues"
    folder = GALAXY["documentation"].removeprefix(f"{repository}/tree/main/")
    assert (REPOSITORY / folder).is_dir()
    links = yaml.safe_load(read("docs/docsite/links.yml"))
    assert repository == f"https://github.com/{links['edit_on_github']['repository']}"
    assert [link["url"] for link in links["extra_links"]] == [f"{repository}/issues/new"]
