# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Install what a combination consists of below ``.cache/matrix``, once; what two of them share is there once.

The programs that test (pytest, the emulator) are those of ``.venv``; of a combination are ansible-playbook with what it
imports, and the Python that the modules run with.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matrix import pythons
from matrix.versions import REPOSITORY, Combination

CACHE = REPOSITORY / ".cache/matrix"
_PIP = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
_REQUIREMENTS = REPOSITORY / "requirements.txt"
_VERSIONS = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"


class Missing(Exception):
    """This machine lacks what a combination needs."""


@dataclass(frozen=True)
class Environment:
    """An installed combination. ``core``, ``boto3``: their versions."""

    programs: Path
    modules: Path
    collections: Path
    core: str
    boto3: str


def install(one: Combination, *, renew: bool = False) -> Environment:
    """Install what is not there; with ``renew`` all of it anew, at the newest versions that it may have.

    Raises :class:`Missing` where there is no Python of a version.
    """
    controller, modules = (_python(version) for version in (one.python, one.module_python))
    programs = _venv(f"{one.name}-controller", controller, [one.core_requirement, *one.boto3_requirements()], renew)
    module_python = _venv(f"{one.name}-modules", modules, one.boto3_requirements(), renew)
    collections = _collections(one)
    installed = json.loads(_output([str(programs / "python"), "-c", _VERSIONS, "ansible-core", "boto3"]))
    return Environment(
        programs, module_python / "python", collections, core=installed["ansible-core"], boto3=installed["boto3"]
    )


def _python(version: str) -> str:
    found = pythons.find(version)
    if not found:
        raise Missing(f"no Python {version}")
    return found


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout


def _venv(name: str, python: str, requirements: Sequence[str], renew: bool) -> Path:
    """A virtual environment with the collection's requirements and further ones; returns its folder of programs."""
    folder = CACHE / name
    # Written last, so that an interrupted installation is taken up again.
    stamp, wanted = folder / ".installed", json.dumps([python, *requirements, _REQUIREMENTS.read_text("utf-8")])
    if renew or not stamp.exists() or stamp.read_text("utf-8") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", str(folder)], check=True, stdin=subprocess.DEVNULL)
        command = [str(folder / "bin/python"), *_PIP, "-r", str(_REQUIREMENTS), *requirements]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        stamp.write_text(wanted, encoding="utf-8")
    return folder / "bin"


def _collections(one: Combination) -> Path:
    """amazon.aws of that version, and a link to this collection."""
    folder = CACHE / f"amazon.aws-{one.amazon_aws}"
    collections = folder / "ansible_collections"
    if not (collections / "amazon/aws/MANIFEST.json").exists():
        command = [sys.executable, str(REPOSITORY / "tools/unpack_wheel.py"), one.wheel]
        what = ["ansible_collections/amazon/aws", str(collections / "amazon/aws"), one.python]
        subprocess.run([*command, *what], check=True, stdin=subprocess.DEVNULL)
    manifest = json.loads((collections / "amazon/aws/MANIFEST.json").read_text("utf-8"))
    found = manifest["collection_info"]["version"]
    if found != one.amazon_aws:
        raise ValueError(f"versions.toml: {one.wheel} holds amazon.aws {found}, not {one.amazon_aws}")
    link = collections / "elasticache/auth"
    link.parent.mkdir(exist_ok=True)
    if not link.exists():
        link.unlink(missing_ok=True)
        link.symlink_to(REPOSITORY)
    return folder


def tree(environment: Environment, folder: Path) -> Path:
    """A copy of this collection for ansible-test, which wants one below its real name; returns its path."""
    collections = folder / "ansible_collections"
    copy = collections / "elasticache/auth"
    subprocess.run([sys.executable, str(REPOSITORY / "tools/copy_tree.py"), str(copy)], check=True)
    link = collections / "amazon/aws"
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(environment.collections / "ansible_collections/amazon/aws")
    return copy
