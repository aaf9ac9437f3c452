# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The process that starts a data plane's servers, and ends them when the data plane is gone, however it went.

Run as a script with the standard library alone: ``reaper.py FOLDER…``. It takes one JSON object a line on standard
input and answers each with one on standard output:

- ``{"start": [argument…], "folder": "…", "log": "…"}`` → ``{"pid": N}``
- ``{"stop": [pid…]}`` → ``{}``, once they are gone
- ``{"poll": pid}`` → ``{"status": N or null}``
- ``{"finish": true}`` → ``{}``, once all are gone; then it exits

At the end of its input (its parent was killed) it kills all servers and removes the folders. As their parent it can't
mistake another process for a server: a process id is not given out again before its parent has collected the old one.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

_PR_SET_PDEATHSIG = 1


def follow_parent_to_death() -> Callable[[], None] | None:
    """What a child runs before its program so that it dies with this process; None where the system can't do that."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes  # absent from minimal builds of Python, and needed on Linux alone

    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Kill and collect. Nothing is to be saved, and a polite end waits for replicas (``shutdown-timeout``)."""
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()


def serve(folders: Sequence[str]) -> None:
    """Obey standard input until it ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    before_program = follow_parent_to_death()
    processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(request: dict[str, Any]) -> dict[str, Any]:
        try:
            with open(request["log"], "wb") as log:
                process = subprocess.Popen(
                    request["start"],
                    cwd=request["folder"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    preexec_fn=before_program,
                )
        except (OSError, subprocess.SubprocessError) as error:
            return {"error": str(error)}
        processes[process.pid] = process
        return {"pid": process.pid}

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        if "start" in request:
            return start(request)
        if "poll" in request:
            process = processes.get(request["poll"])
            return {"status": process.poll() if process is not None else -1}
        pids = list(processes) if "finish" in request else request["stop"]
        end([processes.pop(pid) for pid in pids if pid in processes])
        return {}

    try:
        for line in sys.stdin:
            request = json.loads(line)
            sys.stdout.write(json.dumps(answer(request)) + "\n")
            sys.stdout.flush()
            if "finish" in request:
                return
    except (BrokenPipeError, ValueError):
        pass  # the parent died in the middle of a line: as the end of the input
    end(list(processes.values()))
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    serve(sys.argv[1:])
