# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Signals that come close together, as from a terminal, from make, and from somebody who can't wait."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import time
from collections.abc import Sequence


def burst(process: subprocess.Popen[str], numbers: Sequence[int] = (signal.SIGINT, signal.SIGTERM)) -> None:
    """Send some hundred signals to a process that leads its group, in turns to it and to the group.

    Some have no time between them, some have a little, so that they come in all that it does about the first ones.
    """
    senders = itertools.cycle((os.kill, os.killpg))
    for turn, number in zip(range(400), itertools.cycle(numbers), strict=False):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            next(senders)(process.pid, number)
        if turn % 8 == 7:
            time.sleep(0.0005 * (turn % 5))
