# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Build the documentation as a site: the guides, and the pages of all plugins and roles.

Usage: build_site.py FOLDER    FOLDER is removed first; the site is FOLDER/build/html

antsibull-docs and sphinx-build are to be on PATH, the collection in ANSIBLE_COLLECTIONS_PATH. A warning is an error,
but for links into the documentation of ansible-core and of other collections, which is not built here.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = "elasticache.auth"
_WARNING = re.compile(r"\b(?:WARNING|ERROR|CRITICAL|SEVERE): ")
_ELSEWHERE = re.compile(
    rf"undefined label: '(?!ansible_collections\.{re.escape(NAME)}\.)[\w.-]+'"
    r"|'envvar' reference target not found: ANSIBLE_"
)


def own_warnings(text: str) -> list[str]:
    """Return the warnings of sphinx-build that are about this collection."""
    return [line for line in text.splitlines() if _WARNING.search(line) and not _ELSEWHERE.search(line)]


def main() -> int:
    """Build it and say what is wrong; returns the exit status."""
    site = Path(sys.argv[1]).resolve()
    if site.exists():
        shutil.rmtree(site)
    (site / "rst").mkdir(parents=True, mode=0o755)
    made = ["--use-current", "--fail-on-error"]
    title = ["--project", NAME, "--title", NAME, "--html-short-title", NAME]
    subprocess.run(["antsibull-docs", "sphinx-init", *made, *title, "--dest-dir", str(site), NAME], check=True)
    settings = ["--config-file", "antsibull-docs.cfg"]
    subprocess.run(["antsibull-docs", *settings, "collection", *made, "--dest-dir", "rst", NAME], cwd=site, check=True)
    # antsibull-docs takes the guides' texts alone.
    guides = site / "rst" / "collections" / Path(*NAME.split(".")) / "docsite"
    shutil.copytree(ROOT / "docs" / "docsite" / "rst" / "images", guides / "images")
    # Without intersphinx, which asks other sites for their labels.
    sphinx = ["sphinx-build", "--quiet", "-w", "warnings", "-D", "extensions=sphinx_antsibull_ext", "-c", "."]
    built = subprocess.run(
        [*sphinx, "-b", "html", "rst", "build/html"], cwd=site, check=False, stderr=subprocess.DEVNULL
    )
    wrong = own_warnings((site / "warnings").read_text("utf-8"))
    sys.stderr.writelines(f"{line}\n" for line in wrong)
    return built.returncode or bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
