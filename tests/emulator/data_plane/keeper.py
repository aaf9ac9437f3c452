# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""This side of the reaper: ask it to start and stop servers."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_REAPER = Path(__file__).with_name("reaper.py")
_GOODBYE_SECONDS = 20.0


class KeeperGoneError(RuntimeError):
    """The reaper does not answer any more."""


class Keeper:
    """A running reaper. Safe to use from several threads."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """``folders`` are removed by the reaper if this process dies without calling ``close``."""
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_REAPER), *map(str, folders)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # out of reach of a terminal's Ctrl-C, and of a kill of this process's group
        )

    def start(self, arguments: Sequence[str], *, folder: Path, log: Path) -> int:
        """Start a program in ``folder``, its output in ``log``; returns its process id. Raises OSError if it can't."""
        answer = self._ask({"start": list(arguments), "folder": str(folder), "log": str(log)})
        if "error" in answer:
            raise OSError(answer["error"])
        return int(answer["pid"])

    def stop(self, pids: Sequence[int]) -> None:
        """Kill servers; returns when they are gone."""
        self._ask({"stop": list(pids)})

    def exit_status(self, pid: int) -> int | None:
        """The exit status of a server; None while it runs."""
        status: int | None = self._ask({"poll": pid})["status"]
        return status

    def close(self) -> None:
        """Kill every server and end the reaper, without removing anything."""
        with contextlib.suppress(KeeperGoneError):  # its servers died with it
            self._ask({"finish": True})
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait(_GOODBYE_SECONDS)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            try:
                self._process.stdin.write(json.dumps(request) + "\n")
                self._process.stdin.flush()
                line = self._process.stdout.readline()
            except (OSError, ValueError) as error:
                raise KeeperGoneError("the data plane's reaper process is gone") from error
        if not line:
            raise KeeperGoneError("the data plane's reaper process is gone")
        answer: dict[str, Any] = json.loads(line)
        return answer
