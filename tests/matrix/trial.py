# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Try one combination: the smoke tests, or ansible-test sanity, as processes with their output in files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from integration.cores import COMBINATION

from matrix import deprecations
from matrix.environments import CACHE, Environment, tree
from matrix.versions import REPOSITORY, Combination

HERE = Path(__file__).parent
#: How a failed task's output ends in what is printed of it.
_LINES = 60
#: Seconds. Only what never ends takes so long.
_PATIENCE = 3600


@dataclass(frozen=True)
class Tried:
    """What came of one part of a combination: ``passed`` and ``failed`` are the names of tests.

    ``lacking``: those that could not be tried, as what they need could not be installed.
    """

    seconds: float
    output: Path
    passed: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    deprecations: tuple[deprecations.Deprecation, ...] = field(default=(), repr=False)

    @property
    def end(self) -> str:
        """The last lines of what was printed."""
        return "\n".join(self.output.read_text("utf-8", "replace").splitlines()[-_LINES:])


def smoke(one: Combination, environment: Environment) -> Tried:
    """Run the smoke tests with the programs of ``environment``."""
    folder = _folder(one, "smoke")
    log, recorded = folder / "ansible.log", folder / "warnings.jsonl"
    for file in (log, recorded):
        file.unlink(missing_ok=True)
    combination = folder / "combination.json"
    found = {"MATRIX_LOG": str(log), "MATRIX_WARNINGS": str(recorded)}
    path = os.pathsep.join((str(environment.programs), os.environ.get("PATH", os.defpath)))
    told = {
        "programs": str(environment.programs),
        "modules": str(environment.modules),
        "environment": {
            **found,
            "PATH": path,
            "PYTHONPATH": str(HERE / "recorder"),
            "ANSIBLE_COLLECTIONS_PATH": str(environment.collections),
            "ANSIBLE_LOG_PATH": str(log),
            # Since ansible-core 2.19 a deprecation tells which calls led to it.
            "ANSIBLE_DISPLAY_TRACEBACK": "deprecated",
        },
    }
    combination.write_text(json.dumps(told), encoding="utf-8")
    results = folder / "results.xml"
    results.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "0", f"--junitxml={results}"]
    seconds, _code, output = _run(
        [*command, str(HERE / "test_smoke.py")],
        REPOSITORY,
        {**os.environ, **found, COMBINATION: str(combination)},
        folder,
    )
    outcomes: dict[str, list[str]] = {"passed": [], "failed": [], "skipped": []}
    if results.exists():
        for case in ET.parse(results).iter("testcase"):  # noqa: S314 - pytest has written it
            kinds = {child.tag for child in case}
            outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
            outcomes[outcome].append(str(case.get("name")))
    warned = []
    for file, read in ((log, deprecations.of_ansible), (recorded, deprecations.of_python)):
        if file.exists():
            warned += list(dict.fromkeys(read(file.read_text("utf-8", "replace"))))
    return Tried(
        seconds, output, **{kind: tuple(names) for kind, names in outcomes.items()}, deprecations=tuple(warned)
    )


def sanity(one: Combination, environment: Environment) -> Tried:
    """Run ``ansible-test sanity`` of this ansible-core, with its controller's Python."""
    folder = _folder(one, "sanity")
    copy = tree(environment, folder)
    python = str(environment.programs / "python")
    subprocess.run([python, str(REPOSITORY / "tools/ansible_test_pip.py")], check=True, capture_output=True)
    settings = {
        **os.environ,
        "PATH": os.pathsep.join((str(environment.programs), os.environ.get("PATH", os.defpath))),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_COLLECTIONS_PATH": str(folder),
        # git stops here when asked for the repository that amazon.aws is in: ours, which ignores it.
        "GIT_CEILING_DIRECTORIES": str(REPOSITORY),
    }
    command = [str(environment.programs / "ansible-test"), "sanity", "--local", "--color", "no", "--python", one.python]
    began, code, lacking, text = time.monotonic(), 0, [], ""
    while True:
        # It ends at the first test whose requirements it can't install; the others come next.
        skip = [argument for name in sanity_tests(text) for argument in ("--skip-test", name)]
        dummy, last, output = _run([*command, *skip], copy, settings, folder, more=bool(text))
        code, text = code or last, output.read_text("utf-8", "replace")
        name = not_installed(text)
        if name is None or name in lacking:
            break
        lacking.append(name)
        code = 0
    failed = tuple(dict.fromkeys(re.findall(r"^ERROR: Found \d+ ([\w-]+) issue", text, re.MULTILINE)))
    skipped = tuple(dict.fromkeys(re.findall(r"^WARNING: (Skipping .*)$", text, re.MULTILINE)))
    if code and not failed:
        failed = (f"ansible-test ended with {code}",)
    passed = tuple(name for name in sanity_tests(text) if name not in (*failed, *lacking))
    return Tried(time.monotonic() - began, output, passed, failed, skipped, tuple(lacking))


def sanity_tests(text: str) -> tuple[str, ...]:
    """The tests that ansible-test began, by what it printed."""
    return tuple(dict.fromkeys(re.findall(r'^Running sanity test "([\w-]+)"', text, re.MULTILINE)))


def not_installed(text: str) -> str | None:
    """The test at which ansible-test ended because its requirements could not be installed, by what it printed."""
    begun = list(re.finditer(r'^Running sanity test "([\w-]+)"', text, re.MULTILINE))
    if begun and re.search(r"^ERROR: (Could not install packages|No matching)", text[begun[-1].end() :], re.MULTILINE):
        return begun[-1][1]
    return None


def _folder(one: Combination, part: str) -> Path:
    folder = CACHE / "trials" / f"{one.name}-{part}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _run(
    command: list[str], cwd: Path, environment: Mapping[str, str], folder: Path, *, more: bool = False
) -> tuple[float, int, Path]:
    """Run a command and return its seconds, its code and the file of its output; ``more`` is added to it."""
    output, began = folder / "output.txt", time.monotonic()
    with output.open("ab" if more else "wb") as file:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE,
            check=False,
        )
    return time.monotonic() - began, done.returncode, output
