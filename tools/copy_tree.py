# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Copy the files of this repository that git knows, or would take in, to a folder of their own.

The linters of Ansible want a collection at ansible_collections/NAMESPACE/NAME, ansible-test follows no link to it,
and none of them should look into virtual environments and caches. The copy is a git repository of its own, without a
commit: the linters ask git which files there are, and inside a folder that this repository ignores the answer is none.

Usage: copy_tree.py FOLDER    FOLDER is removed first
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path


def tracked_files(root: Path) -> list[Path]:
    """Return the paths, relative to `root`, of files that git tracks or does not ignore and that are still there."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # A file deleted but not yet committed is still listed.
    return sorted({Path(name) for name in output.split("\0") if name and (root / name).is_file()})


def main() -> int:
    """Copy the tree, modes and times included, and make it a repository."""
    root = Path(__file__).resolve().parent.parent
    target = Path(sys.argv[1])
    if target.exists():
        shutil.rmtree(target)
    names = tracked_files(root)
    for name in names:
        file = target / name
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, file, follow_symlinks=False)
    subprocess.run(["git", "init", "--quiet", "--template=", str(target)], check=True)
    if tracked_files(target) != names:
        raise SystemExit(f"copy_tree.py: git sees other files in {target} than here: the linters would pass some over")
    return 0


if __name__ == "__main__":
    sys.exit(main())
