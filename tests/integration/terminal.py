# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A terminal for a program to print to, and what somebody in front of it sees."""

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

_SEQUENCE = re.compile(r"\x1b\[(?P<parameters>[0-9;?]*)(?P<end>[A-Za-z])|(?P<plain>[^\x1b])", re.DOTALL)


def run_in_terminal(
    command: Sequence[str], *, cwd: str, env: Mapping[str, str], columns: int, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run a command whose output and errors go to a terminal of that width; ``stdout`` is all that the terminal got.

    Raises :class:`subprocess.TimeoutExpired` after ``timeout`` seconds.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    got, give_up = b"", time.monotonic() + timeout
    with subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        try:
            # Linux: an error, once nobody has the other end any more.
            with contextlib.suppress(OSError):
                while select.select([ours], [], [], max(give_up - time.monotonic(), 0))[0] and (
                    more := os.read(ours, 65536)
                ):
                    got += more
            process.wait(max(give_up - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            os.close(ours)
    return subprocess.CompletedProcess(list(command), process.returncode, got.decode("utf-8", "replace"))


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
