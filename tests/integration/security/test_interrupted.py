# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The benchmark and the chaos harness end in order, however many signals come: nothing that they started is left."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from unit.bursts import burst
from waiting import PATIENCE, wait_until

TESTS = Path(__file__).resolve().parents[2]
MARK = "ELASTICACHE_AUTH_INTERRUPTED_TEST"
PROGRAMS = {
    "benchmark": ["--sizes", "3", "--variants", "a", "--modify-seconds", "3600"],
    "chaos": ["--operations", "rotate_token", "--conditions", "slow", "--workers", "2"],
}


def running(mark: str) -> list[psutil.Process]:
    """What runs that a program has started, and the program itself."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@contextlib.contextmanager
def started(program: str) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    """The program, what its processes are known by, and its folder for temporary files."""
    mark = uuid.uuid4().hex
    with tempfile.TemporaryDirectory(prefix="i") as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", program, *PROGRAMS[program]],
            cwd=TESTS,
            env={**os.environ, "TMPDIR": folder, "COLUMNS": "200", MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield process, mark, Path(folder)
        finally:
            for one in running(mark):
                with contextlib.suppress(psutil.Error):
                    one.kill()
            process.communicate()


def playbooks(mark: str) -> int:
    """How many processes of ansible-playbook run."""
    count = 0
    for process in running(mark):
        with contextlib.suppress(psutil.Error):
            count += any(word.endswith("ansible-playbook") for word in process.cmdline())
    return count


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("end", [burst, subprocess.Popen.terminate], ids=["a burst of signals", "one signal"])
def test_nothing_is_left(program: str, end: Callable[[subprocess.Popen[str]], None]) -> None:
    with started(program) as (process, mark, folder):
        wait_until(lambda: playbooks(mark) or process.poll() is not None, "a playbook runs")
        end(process)
        output = process.communicate(timeout=PATIENCE)[0]
        assert process.returncode == 130, output
        assert "Traceback" not in output
        assert running(mark) == []
        assert list(folder.iterdir()) == []
