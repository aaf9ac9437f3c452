# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Find a Python of a version: one that is named, one on PATH, or one of pyenv's."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

#: Programs or folders that are looked at first, separated as on PATH.
VARIABLE = "PYTHONS"
#: A program of this name may be a stand-in that only tells where it would look, or lack what makes an environment.
_LOOK = "import ensurepip, ssl, venv, sys; print('%d.%d' % sys.version_info[:2])"


def find(version: str) -> str | None:
    """Return a Python of that version (``3.12``) which can make an environment; None where there is none."""
    return next((program for program in _candidates(version) if _version(program) == version), None)


def _candidates(version: str) -> Iterator[str]:
    for named in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        path = Path(named)
        yield from (str(path / f"python{version}"), str(path / "bin" / "python")) if path.is_dir() else (named,)
    for folder in os.get_exec_path():
        if found := shutil.which(f"python{version}", path=folder):
            yield found
    root = _pyenv_root()
    if root:
        yield from sorted((str(path) for path in root.glob(f"versions/{version}.*/bin/python")), reverse=True)


def _pyenv_root() -> Path | None:
    if not shutil.which("pyenv"):
        return None
    done = subprocess.run(["pyenv", "root"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    return Path(done.stdout.strip()) if done.returncode == 0 else None


def _version(program: str) -> str:
    """What the program says that it is; nothing where it does not start or could not make an environment."""
    try:
        done = subprocess.run(
            [program, "-I", "-c", _LOOK],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
