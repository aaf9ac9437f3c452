# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A terminal or a pipe for a program to print to, and what somebody in front of it sees."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence

from integration.meanwhile import Once
from integration.warm import Warm, server

_SEQUENCE = re.compile(r"\x1b\[(?P<parameters>[0-9;?]*)(?P<end>[A-Za-z])|(?P<plain>[^\x1b])", re.DOTALL)
_LOOK_SECONDS = 0.1


def _read(handle: int) -> bytes:
    """Read what is there; nothing once nobody has the other end any more, which on Linux is an error of a terminal."""
    with contextlib.suppress(OSError):
        return os.read(handle, 65536)
    return b""


def run_to_the_end(
    command: Sequence[str],
    *,
    cwd: str,
    env: Mapping[str, str],
    timeout: float,
    columns: int | None = None,
    steps: Sequence[Once] = (),
    warm: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a command and return all that it printed (``stdout``): to a pipe, or to a terminal of so many columns.

    ``warm``: it is ansible-playbook, and :mod:`integration.warm` runs it.

    ``steps`` are taken meanwhile; fails where it ends before all of them were. Raises
    :class:`subprocess.TimeoutExpired` after ``timeout`` seconds.
    """
    ours, theirs = os.pipe() if columns is None else pty.openpty()
    if columns is not None:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    got, at, left, give_up = b"", 0, list(steps), time.monotonic() + timeout
    started: Warm | subprocess.Popen[bytes]
    if warm:
        started = Warm(server(), command, cwd, env, theirs)
    else:
        started = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    with started as process:
        os.close(theirs)
        try:
            while True:
                wait = give_up - time.monotonic()
                if wait <= 0:
                    raise subprocess.TimeoutExpired(command, timeout, got)
                if select.select([ours], [], [], min(wait, _LOOK_SECONDS) if left else wait)[0]:
                    if not (more := _read(ours)):
                        break
                    got += more
                text = got.decode("utf-8", "replace") if left else ""
                while left and (end := left[0].end_in(text[at:])) is not None:
                    at += end
                    left.pop(0).do()
            returncode = process.wait(max(give_up - time.monotonic(), 0))
        except BaseException:
            process.kill()
            raise
        finally:
            os.close(ours)
    output = got.decode("utf-8", "replace")
    assert not left, f"it ended, and this was not seen: {left[0].seen} (after character {at})\n{output}"
    return subprocess.CompletedProcess(list(command), returncode, output)


def screens(output: str) -> list[str]:
    """Return what is to be seen, each time that a line is about to be rewritten and in the end.

    Modes and colours are passed over; any other sequence fails the test.
    """
    lines, column = [""], 0
    seen = []
    for found in _SEQUENCE.finditer(re.sub(r"\r+\n", "\n", output)):
        plain = found["plain"]
        if plain == "\n":
            lines.append("")
            column = 0
        elif plain == "\r":
            seen.append("\n".join(lines))
            column = 0
        elif plain:
            lines[-1] = f"{lines[-1][:column]:{column}}{plain}{lines[-1][column + 1 :]}"
            column += 1
        elif found["end"] == "K" and found["parameters"] in ("", "0"):
            lines[-1] = lines[-1][:column]
        else:
            assert found["end"] in "hlm", f"a sequence that this screen does not know: {found[0]!r}"
    return [*seen, "\n".join(lines)]


def rewrites(output: str) -> int:
    """How often a line was begun anew: carriage returns that are not a part of a line's end."""
    return len(re.findall(r"\r(?!\r*\n)", output))
