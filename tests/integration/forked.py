# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""ansible-playbook forked off (:mod:`integration.warm`), and its end by SIGKILL with all that it has started.

It is what ``chaos.command.started`` starts, without the start. A fork can't be known by its environment, so what it has
started are its descendants; these are all there are for as long as none of them has lost its parent.
"""

from __future__ import annotations

import contextlib
import signal
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil
from integration.warm import Warm, server

from chaos.command import Command


class Forked(Command):
    """A playbook that runs, with its output in a file."""

    def __init__(self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        """Start it in ``folder``. The first of the ``arguments`` is ansible-playbook."""
        self.mark = uuid.uuid4().hex
        self.log = folder / f"{self.mark}.out"
        with self.log.open("wb") as output:
            self._process = Warm(server(), arguments, str(folder), environment, output.fileno())

    def kill(self) -> None:
        """End it and all that it has started, at once and without a chance to tidy up; first all of it is stopped."""
        touched: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            if self.returncode is None:
                root = psutil.Process(self._process.pid)
                while more := [process for process in (root, *root.children(True)) if process not in touched]:
                    for process in more:
                        touched.append(process)
                        with contextlib.suppress(psutil.Error):
                            process.send_signal(signal.SIGSTOP)
        for process in touched:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._process.wait(30)
        psutil.wait_procs(touched, 30)


@contextlib.contextmanager
def forked(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[Command]:
    """A playbook, of which nothing runs any more at the end."""
    command = Forked(arguments, folder, environment)
    try:
        yield command
    finally:
        command.kill()
