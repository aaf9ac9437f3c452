# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What a tag may release, and what the files for contributors name: targets of make that there are."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

import check_release

REPOSITORY = Path(__file__).resolve().parents[3]
VERSION = yaml.safe_load((REPOSITORY / "galaxy.yml").read_text("utf-8"))["version"]


def released(folder: Path, *, galaxy: str = "1.2.3", log: str = "1.2.3", shown: str = "1.2.3") -> Path:
    """A collection whose version, change log and page name these versions."""
    (folder / "changelogs/fragments").mkdir(parents=True)
    (folder / "galaxy.yml").write_text(f"version: {galaxy}\n", "utf-8")
    (folder / "changelogs/changelog.yaml").write_text(f"releases:\n  {log}:\n    changes: {{}}\n", "utf-8")
    (folder / "CHANGELOG.rst").write_text(f"v{shown}\n{'=' * 6}\n", "utf-8")
    return folder


def test_a_release_that_is_ready(tmp_path: Path) -> None:
    assert check_release.wrong("1.2.3", released(tmp_path)) == []


@pytest.mark.parametrize(
    ("differs", "why"),
    [
        ({"galaxy": "1.2.2"}, "galaxy.yml has version 1.2.2, not 1.2.3"),
        ({"log": "1.2.2"}, "changelogs/changelog.yaml has no release 1.2.3"),
        ({"shown": "1.2.2"}, "CHANGELOG.rst does not show v1.2.3"),
    ],
)
def test_a_version_that_differs(tmp_path: Path, differs: dict[str, str], why: str) -> None:
    assert [line for line in check_release.wrong("1.2.3", released(tmp_path, **differs)) if why in line]


def test_a_fragment_that_waits(tmp_path: Path) -> None:
    folder = released(tmp_path)
    (folder / "changelogs/fragments/new.yml").write_text("---\n", "utf-8")
    assert check_release.wrong("1.2.3", folder) == ["1 fragments are in no release yet (new.yml…): make changelog"]


@pytest.mark.parametrize("version", ["", "v1.2.3", "1.2", "1.2.3; rm -rf /", "latest"])
def test_what_is_no_version(version: str) -> None:
    assert "no version" in check_release.wrong(version)[0]


def test_make_release_check_refuses_another_version() -> None:
    """The workflow's own command: nothing is built for a tag that galaxy.yml does not name."""
    ran = subprocess.run(
        ["make", "--no-print-directory", "release-check", "VERSION=99.0.0"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode != 0
    assert f"galaxy.yml has version {VERSION}, not 99.0.0" in ran.stderr
    assert not (REPOSITORY / "dist/elasticache-auth-99.0.0.tar.gz").exists()


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE))


def named() -> dict[str, list[str]]:
    """The targets that each of the files for contributors has make run."""
    texts = {path.name: path.read_text("utf-8") for path in (REPOSITORY / ".github/workflows").glob("*.yml")}
    for name in (".pre-commit-config.yaml", ".ci/run", ".devcontainer/devcontainer.json"):
        texts[name] = (REPOSITORY / name).read_text("utf-8")
    found = re.compile(r"(?:run: |entry: |^|\")make ([a-z -]+?)(?= [A-Z]+=|[\"\n])", re.MULTILINE)
    return {name: [one for names in found.findall(text) for one in names.split()] for name, text in texts.items()}


def test_targets_that_are_named_exist() -> None:
    assert {name: set(made) - targets() for name, made in named().items() if set(made) - targets()} == {}
    assert all(named().values())


def test_help_tells_of_every_target_for_people() -> None:
    shown = subprocess.run(["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    inner = {"help", "setup", "tree", "lint-ruff", "test"}  # lint-…: one line names them all
    missing = {name for name in targets() - inner if name not in shown}
    assert missing == set()


def test_the_devcontainer_is_data() -> None:
    settings = json.loads((REPOSITORY / ".devcontainer/devcontainer.json").read_text("utf-8"))
    assert re.search(r"python:3\.1[1-9]-", settings["image"])
    assert settings["postCreateCommand"] == "make setup"


@pytest.mark.parametrize("workflow", sorted((REPOSITORY / ".github/workflows").iterdir()), ids=lambda path: path.name)
def test_actions_are_named_by_commit(workflow: Path) -> None:
    """A tag can be moved by whoever owns the action, or its account; the comment is what Dependabot renews."""
    used = re.findall(r"uses:\s*(.+)", workflow.read_text("utf-8"))
    assert used
    assert [action for action in used if not re.fullmatch(r"\S+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", action)] == []
