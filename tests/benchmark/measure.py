# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Run a command and say what it took: it and all that it started, and nothing else.

CPU is the user's and the system's of every process that was waited for, as the kernel adds it up. Memory is the largest
sum over all processes at one time, looked at some four times a second: of PSS, which counts a page that is shared by
forks once, where there is one (Linux), otherwise of RSS.
"""

from __future__ import annotations

import contextlib
import resource
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.command import Command, marked, started

_PAUSE = 0.25
MEMORY_IS = "PSS" if Path("/proc/self/smaps_rollup").exists() else "RSS"


@dataclass(frozen=True)
class Run:
    """What came of a command, in seconds and bytes; ``returncode`` is None where it did not end in time."""

    returncode: int | None
    wall: float
    cpu: float
    memory: int
    output: str


def run(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float) -> Run:
    """Run it in ``folder``; after ``timeout`` seconds it is ended, with all that it has started."""
    cpu, begun = _cpu(), time.monotonic()
    with started(arguments, folder, environment) as command:
        ended = threading.Event()
        sampler = _Sampler(command, ended)
        sampler.start()
        try:
            returncode = command.wait(timeout)
        finally:
            ended.set()
        wall, used = time.monotonic() - begun, _cpu() - cpu
        sampler.join()
        return Run(returncode, wall, used, sampler.most, command.output)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class _Sampler(threading.Thread):
    """Looks at the memory of all of a command's processes until it has ``ended``."""

    def __init__(self, command: Command, ended: threading.Event) -> None:
        super().__init__(name="memory", daemon=True)
        self._command = command
        self._ended = ended
        self.most = 0

    def run(self) -> None:
        """Until the command ends."""
        while not self._ended.wait(_PAUSE):
            self.most = max(self.most, memory(self._command))


def memory(command: Command) -> int:
    """What all of a command's processes have now, in bytes."""
    total = 0
    for process in marked(command.mark):
        with contextlib.suppress(Exception):  # it has just ended, in one of many ways
            total += _pss(process.pid) if MEMORY_IS == "PSS" else process.memory_info().rss
    return total


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
