# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""ansible-playbook as a user runs it, and its end by SIGKILL with all that it has started."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import interrupts
import psutil

if TYPE_CHECKING:
    from conftest import Emulator

REPOSITORY = Path(__file__).resolve().parents[2]
#: In the environment of a command and so of every process that it starts: Ansible's workers have sessions of their own,
#: and those whose parent was killed have another parent.
MARK = "CHAOS_COMMAND"


def marked(mark: str) -> Iterator[psutil.Process]:
    """Every process of the command with that mark."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def none_is_left(mark: str, timeout: float) -> bool:
    """Wait until nothing of the command with that mark runs; return whether that came within ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while any(marked(mark)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class Process(Protocol):
    """What of :class:`subprocess.Popen` a command needs."""

    @property
    def pid(self) -> int:
        """Its id."""

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, once it has ended. Raises :class:`subprocess.TimeoutExpired`."""

    def send_signal(self, sig: int) -> None:
        """Send it a signal."""


class Command:
    """A command that runs, with its output in a file."""

    _process: Process

    def __init__(self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        """Start it in ``folder``."""
        self.mark = uuid.uuid4().hex
        self.log = folder / f"{self.mark}.out"
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                arguments,
                cwd=folder,
                env={**environment, MARK: self.mark},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def returncode(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll()

    @property
    def output(self) -> str:
        """What it has printed."""
        return self.log.read_text("utf-8", "replace")

    def wait(self, timeout: float) -> int | None:
        """Wait for its end; None where that does not come within ``timeout`` seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout)
        return None

    def end_controller(self, number: signal.Signals) -> float:
        """Send a signal to the command's own process alone, wait for its end, and return when it was sent."""
        sent_at = time.time()
        self._process.send_signal(number)
        self._process.wait(30)
        return sent_at

    def kill(self) -> None:
        """End it and all that it has started, at once and without a chance to tidy up.

        First every process is stopped, so that none sees another one die and acts on it.
        """
        for number in (signal.SIGSTOP, signal.SIGKILL):
            touched: set[int] = set()
            while more := [process for process in marked(self.mark) if process.pid not in touched]:
                for process in more:
                    touched.add(process.pid)
                    with contextlib.suppress(psutil.Error):
                        process.send_signal(number)
        self._process.wait(30)
        while any(marked(self.mark)):
            time.sleep(0.01)


@contextlib.contextmanager
def started(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[Command]:
    """A command, of which nothing runs any more at the end."""
    with contextlib.ExitStack() as stack:
        with interrupts.deferred():
            command = Command(arguments, folder, environment)
            stack.callback(command.kill)
        yield command


def ansible_environment(emulator: Emulator, folder: Path, **more: str) -> dict[str, str]:
    """The emulator's environment with everything of Ansible's in ``folder``, and none of the user's settings.

    The random part of ``folder``'s name follows a ``_``: Ansible evaluates its own paths as Python literals, and one
    with ``-9is`` in it prints a ``SyntaxWarning: invalid decimal literal`` for each setting (seen once in 40 runs).
    """
    kept = {name: value for name, value in emulator.environment.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    # Ansible looks a thousand times a second whether a task has ended, which costs a fifth of the run's processor time.
    (folder / "ansible.cfg").write_text("[defaults]\ninternal_poll_interval = 0.01\n", encoding="utf-8")
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}",
        "TMPDIR": str(temporary),
        "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".collections"),
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_RETRY_FILES_ENABLED": "false",
        "LC_ALL": "C.UTF-8",
        **more,
    }


def playbook_arguments(playbook: str | Path, variables: Mapping[str, Any], folder: Path) -> list[str]:
    """``ansible-playbook PLAYBOOK -e @vars.yml``, with the variables in that file."""
    file = folder / "vars.yml"
    file.write_text(json.dumps(variables), encoding="utf-8")
    return ["ansible-playbook", str(playbook), "-e", f"@{file}"]
