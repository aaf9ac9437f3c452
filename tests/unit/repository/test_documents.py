# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""README and the guides: their length, where their links lead, and that they agree with the collection."""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path

import pytest
import yaml
from build_site import own_warnings

from chaos.command import REPOSITORY

README = REPOSITORY / "README.md"
GUIDES = REPOSITORY / "docs" / "docsite" / "rst"
NAMES = sorted(path.stem for path in GUIDES.glob("*.rst"))
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
FOLDERS = ("docs", "playbooks", "plugins", "roles", "tests", "tools")
LABEL = "ansible_collections.elasticache.auth.docsite."


def test_length_of_readme() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 140


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md"])
def test_links(document: str) -> None:
    """To files of the repository."""
    path = REPOSITORY / document
    missing = [link for link in LINK.findall(path.read_text("utf-8")) if not (path.parent / link).exists()]
    assert missing == []


def test_what_is_needed() -> None:
    """README's table is what galaxy.yml, meta/runtime.yml, requirements.txt and the execution environment say."""
    text = README.read_text("utf-8")
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]+ \|$", text, re.MULTILINE))
    runtime = yaml.safe_load((REPOSITORY / "meta/runtime.yml").read_text("utf-8"))
    galaxy = yaml.safe_load((REPOSITORY / "galaxy.yml").read_text("utf-8"))
    libraries = re.findall(r"^(\w+)(>=\S+)$", (REPOSITORY / "requirements.txt").read_text("utf-8"), re.MULTILINE)
    environment = REPOSITORY / "extensions/patterns/rotate_fleet/execution_environment/execution-environment.yml"
    collections = yaml.safe_load(environment.read_text("utf-8"))["dependencies"]["galaxy"]["collections"]
    assert rows["ansible-core"] == f"`{runtime['requires_ansible']}`"
    assert rows["`amazon.aws`"] == f"`{galaxy['dependencies']['amazon.aws']}`"
    assert {"name": "amazon.aws", "version": galaxy["dependencies"]["amazon.aws"]} in collections
    assert {name for name, dummy in libraries} == {"boto3", "botocore", "zxcvbn"}
    for name, version in libraries:
        assert next(rows[row] for row in rows if name in row.split(", ")) == f"`{version}`"
        assert f"'{name}{version}'" in text


def test_guides_are_listed() -> None:
    """Each guide is in the site's table of contents, has its label, and refers to labels that there are."""
    sections = yaml.safe_load((REPOSITORY / "docs/docsite/extra-docs.yml").read_text("utf-8"))["sections"]
    assert sorted(name for section in sections for name in section["toctree"]) == NAMES
    for name in NAMES:
        text = (GUIDES / f"{name}.rst").read_text("utf-8")
        assert text.startswith(f".. _{LABEL}{name}:\n"), name
        referred = re.findall(rf":ref:`(?:[^`<]*<)?{re.escape(LABEL)}(\w+)>?`", text)
        assert set(referred) <= set(NAMES), name


def test_images() -> None:
    """The diagram is drawn for light and dark, and has a description for who can't see it."""
    drawn = (GUIDES / "images" / "access_control.svg").read_text("utf-8")
    assert "prefers-color-scheme: dark" in drawn
    assert "<desc" in drawn
    for path in Path(GUIDES / "images").iterdir():
        assert path.stat().st_size < 200_000, path.name


def _said_in_code() -> list[str]:
    """Every text of the plugins, with ``…`` for what is put in."""
    texts = []
    for path in (REPOSITORY / "plugins").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
                texts.append("".join(str(part) for part in parts))
    return texts


def test_each_refusal_is_in_the_code() -> None:
    """What Troubleshooting quotes: its entries are texts of the plugins."""
    lines = (GUIDES / "guide_troubleshooting.rst").read_text("utf-8").splitlines()
    entries = [line for line, below in itertools.pairwise(lines) if line.startswith("``") and below.startswith("   ")]
    quoted = [quote for entry in entries for quote in re.findall(r"``(.+?)``", entry)]
    said = _said_in_code()
    assert len(quoted) >= 24
    patterns = {quote: ".*".join(re.escape(part) for part in quote.split("…")) for quote in quoted}
    assert [quote for quote, pattern in patterns.items() if not any(re.search(pattern, text) for text in said)] == []


def test_warnings_of_the_site() -> None:
    """A link into Ansible's own documentation can't be resolved here; one into the collection's has to be."""
    text = """/x/a.rst:3: WARNING: undefined label: 'common_return_values' [ref.ref]
/x/a.rst:4: WARNING: undefined label: 'ansible_collections.elasticache.auth.nosuch_module' [ref.ref]
/x/b.rst:9: ERROR: Malformed table.
the rest of that message"""
    assert own_warnings(text) == text.splitlines()[1:3]


def test_files_that_architecture_names() -> None:
    """Each is a file or a folder of the repository, as it is called or from a folder of it on."""
    text = (GUIDES / "guide_architecture.rst").read_text("utf-8")
    named = set(re.findall(r"``((?:[\w.]+/)*[\w.]+\.(?:py|yml|md)|(?:plugins|tests|tools|docs)/[\w/]+)``", text))
    files = [path.relative_to(REPOSITORY).as_posix() for top in FOLDERS for path in (REPOSITORY / top).rglob("*")]
    named -= {"playbooks/NAME.yml"}
    files += [path.name for path in REPOSITORY.iterdir()]
    assert len(named) > 20
    assert sorted(name for name in named if not any(f"/{file}".endswith(f"/{name}") for file in files)) == []
