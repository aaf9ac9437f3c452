# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Check the built artifact: what is in it, what galaxy-importer says about it, and that it installs.

Usage: check_artifact.py ARTIFACT DEPENDENCIES

DEPENDENCIES is a folder with ansible_collections/amazon/aws. It must not hold this collection: what is checked is the
artifact's copy. ansible-lint and the other programs of this Python's virtual environment must be on PATH.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from copy_tree import tracked_files

ROOT = Path(__file__).resolve().parent.parent
MADE_BY_BUILD = {"MANIFEST.json", "FILES.json"}
# What galaxy.yml's build_ignore lets through on purpose: another entry at the top is to be decided on.
WANTED_AT_TOP = {
    "CHANGELOG.rst",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "changelogs",
    "docs",
    "examples",
    "extensions",
    "meta",
    "playbooks",
    "plugins",
    "requirements.txt",
    "roles",
    "tests",
}
# galaxy-importer's settings, as environment variables so that no settings file on the machine changes the verdict.
# All that it can check is on, but ansible-test, which would take a container and is a linter of its own here
# (lint-sanity), and flake8, whose place ruff has.
IMPORTER_SETTINGS = {
    "GALAXY_IMPORTER_CHECK_CHANGELOG": "true",
    "GALAXY_IMPORTER_OFFLINE_ANSIBLE_LINT": "true",
    "GALAXY_IMPORTER_RUN_ANSIBLE_DOC": "true",
    "GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "true",
    "GALAXY_IMPORTER_RUN_ANSIBLE_TEST": "false",
    "GALAXY_IMPORTER_RUN_FLAKE8": "false",
}


def wrong_contents(artifact: Path) -> list[str]:
    """Return a line for each file in the artifact that git does not know, or that is not meant to be there."""
    known = {path.as_posix() for path in tracked_files(ROOT)}
    with tarfile.open(artifact) as archive:
        names = {member.name for member in archive.getmembers() if member.isfile()} - MADE_BY_BUILD
    unknown = [f"not known to git: {name}" for name in sorted(names - known)]
    surplus = [
        f"not ignored by galaxy.yml: {name}" for name in sorted({Path(n).parts[0] for n in names} - WANTED_AT_TOP)
    ]
    tests = [f"a test: {name}" for name in sorted(names) if name.startswith("tests/") and name != "tests/config.yml"]
    return unknown + surplus + tests


def importer_complaints(artifact: Path, folder: Path, dependencies: Path) -> list[str]:
    """Run galaxy-importer in `folder` and return its warnings and errors, of which it ends well with most."""
    # It sets ANSIBLE_COLLECTIONS_PATH itself, to its copy of the artifact. Ansible looks on Python's path after that.
    extra = {"PYTHONPATH": str(dependencies), "GALAXY_IMPORTER_ANSIBLE_LOCAL_TMP": str(folder / "ansible")}
    code, output = _run(
        [sys.executable, "-m", "galaxy_importer.main", str(artifact)], folder, IMPORTER_SETTINGS | extra
    )
    lines = output.splitlines()
    complaints = [line for line in lines if line.startswith(("WARNING", "ERROR", "CRITICAL"))]
    if not complaints and (code or "Importer processing completed successfully" not in lines):
        return [f"galaxy-importer ended with {code}", *lines]
    return complaints


def installation_errors(artifact: Path, folder: Path, dependencies: Path) -> list[str]:
    """Install the artifact into `folder` without asking Galaxy for anything, and return what went wrong."""
    command = ["ansible-galaxy", "collection", "install", str(artifact), "--offline", "-p", str(folder)]
    code, output = _run(command, folder, {"ANSIBLE_COLLECTIONS_PATH": str(dependencies)})
    installed = folder / "ansible_collections" / "elasticache" / "auth" / "MANIFEST.json"
    return [] if code == 0 and installed.is_file() else [f"ansible-galaxy ended with {code}", *output.splitlines()]


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run a command in `folder` and return its code and what it printed on both streams."""
    process = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return process.returncode, process.stdout


def main() -> int:
    """Print every finding, and fail where there is one."""
    artifact, dependencies = (Path(argument).resolve() for argument in sys.argv[1:])
    findings = [f"contents: {line}" for line in wrong_contents(artifact)]
    # Not below this repository: ansible-lint would ask its git which of the artifact's files it should look at.
    with tempfile.TemporaryDirectory() as temporary:
        for name, check in (("galaxy-importer", importer_complaints), ("install", installation_errors)):
            folder = Path(temporary) / name
            folder.mkdir()
            findings += [f"{name}: {line}" for line in check(artifact, folder, dependencies)]
    print(*findings or [f"{artifact.name}: contents, galaxy-importer and installation are clean"], sep="\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
