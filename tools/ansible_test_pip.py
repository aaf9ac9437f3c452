# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Give ansible-test the pip that came with Python, instead of one that it downloads from a site of its own.

ansible-test makes a virtual environment for each sanity test and puts pip into it by running a script that it fetches
from ci-files.testing.ansible.com, unless the script is in its cache already. That site is not a Python registry, and
is often out of reach where registries are not (a mirror, a proxy). ensurepip does the same without any network. A
script that is already there, downloaded or ours, is left as it is.

Usage: ansible_test_pip.py    with a Python that has ansible-core
"""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path

SCRIPT = "import ensurepip; ensurepip.bootstrap(default_pip=True)\n"


def wanted_version(source: str) -> str:
    """Return the version of pip that ansible-test asks for, from the source of its python_requirements.py.

    Raises ValueError where it isn't found.
    """
    match = re.search(r"""^\s+pip=["']([0-9.]+)["'],$""", source, re.MULTILINE)
    if not match:
        raise ValueError("ansible-test does not say any more which pip it wants: look at its python_requirements.py")
    return match[1]


def main() -> int:
    """Write the script into ansible-test's cache if there is none."""
    package = find_spec("ansible_test")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("ansible_test_pip.py: this Python has no ansible-core")
    source = Path(package.submodule_search_locations[0], "_internal", "python_requirements.py").read_text("utf-8")
    version = wanted_version(source).replace(".", "_")
    script = Path.home() / ".ansible" / "test" / "cache" / f"get_pip_{version}.py"
    if not script.exists():
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(SCRIPT, "utf-8")
        print(f"wrote {script}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
