# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Check that this folder is what a version's tag may release; prints what is wrong, a line each, and exits with 1.

Usage: check_release.py VERSION

The version is galaxy.yml's, the change log has it, CHANGELOG.rst shows it, and no fragment waits for a release.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?")


def wrong(version: str, root: Path = ROOT) -> list[str]:
    """Return a line for each reason not to release ``root`` as ``version``; none where it may be released."""
    if not _VERSION.fullmatch(version):
        return [f"{version!r} is no version such as 1.2.3 or 1.2.3-rc.1 (semantic versioning, which Galaxy wants)"]
    found = []
    named = str(yaml.safe_load((root / "galaxy.yml").read_text("utf-8"))["version"])
    if named != version:
        found.append(f"galaxy.yml has version {named}, not {version}")
    log = yaml.safe_load((root / "changelogs/changelog.yaml").read_text("utf-8")) or {}
    if version not in (log.get("releases") or {}):
        found.append(f"changelogs/changelog.yaml has no release {version}: make changelog")
    shown = root / "CHANGELOG.rst"
    if not shown.exists() or f"v{version}\n" not in shown.read_text("utf-8"):
        found.append(f"CHANGELOG.rst does not show v{version}: make changelog")
    waiting = sorted(path.name for path in (root / "changelogs/fragments").glob("*.y*ml"))
    if waiting:
        found.append(f"{len(waiting)} fragments are in no release yet ({', '.join(waiting[:3])}…): make changelog")
    return found


def main() -> None:
    """Check the version of the command line."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    if found := wrong(sys.argv[1]):
        raise SystemExit("\n".join(found))


if __name__ == "__main__":
    main()
