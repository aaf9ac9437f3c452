# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What the tests' programs do about signals that ask for their end: they end in order, however many come."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from unit.bursts import burst

TESTS = Path(__file__).resolve().parents[1]
PATIENCE = 120  # seconds

WAITS = """
import interrupts
ending = interrupts.Ending()
print("ready", flush=True)
ending.wait()
for dummy in range(200_000):  # cleaning up
    pass
print("clean", flush=True)
interrupts.ignore()
"""

ASKED_BY_A_THREAD = """
import interrupts, threading
ending = interrupts.Ending()
for dummy in range(5):
    threading.Thread(target=lambda: [ending.ask() for dummy in range(100_000)], daemon=True).start()
print("ready", flush=True)
ending.wait()
print("clean", flush=True)
interrupts.ignore()
"""

WORKS = """
import interrupts, sys
interrupts.raise_once()
try:
    try:
        print("ready", flush=True)
        while True:
            pass
    finally:
        for dummy in range(200_000):  # cleaning up
            pass
        print("clean", flush=True)
except KeyboardInterrupt:
    interrupts.ignore()
    sys.exit(0 if interrupts.seen() else 3)
"""

DEFERS = """
import interrupts, sys
interrupts.raise_once()
try:
    with interrupts.deferred():
        print("ready", flush=True)
        while not interrupts.seen():
            pass
        print("clean", flush=True)  # what was begun was done, and then it ends
    print("not interrupted", flush=True)
except KeyboardInterrupt:
    interrupts.ignore()
    sys.exit(0)
"""

INTERRUPTED_WITHIN = """
import interrupts, sys
interrupts.raise_once()
with interrupts.deferred():
    try:
        with interrupts.deferred(on=False):
            print("ready", flush=True)
            while True:
                pass
    except KeyboardInterrupt:
        print("clean", flush=True)
        interrupts.ignore()
"""

PROGRAMS = {
    "waits": WAITS,
    "asked by threads": ASKED_BY_A_THREAD,
    "works": WORKS,
    "defers": DEFERS,
    "interrupted within": INTERRUPTED_WITHIN,
}


@pytest.mark.parametrize("repeat", range(3))
@pytest.mark.parametrize("program", [name for name in PROGRAMS if name != "asked by threads"])
def test_a_burst_ends_it_in_order(program: str, repeat: int) -> None:
    with _started(program) as process:
        burst(process)
        assert _ended(process) == (0, "clean\n", "")


@pytest.mark.parametrize("program", [name for name in PROGRAMS if name != "asked by threads"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_one_signal_ends_it(program: str, number: int) -> None:
    with _started(program) as process:
        process.send_signal(number)
        assert _ended(process) == (0, "clean\n", "")


def test_threads_may_ask_as_often_as_they_like() -> None:
    with _started("asked by threads") as process:
        burst(process)
        assert _ended(process) == (0, "clean\n", "")


def _ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Return the exit status and what was printed after the first line.

    Not by ``communicate``, which passes over what has been read together with that line.
    """
    assert process.stdout is not None
    assert process.stderr is not None
    return process.wait(PATIENCE), process.stdout.read(), process.stderr.read()


def _started(program: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAMS[program]],
        cwd=TESTS,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process
