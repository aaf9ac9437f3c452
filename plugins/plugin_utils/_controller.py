# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Have a task end when the ansible-playbook that it belongs to is gone, so that nothing is changed with nobody to tell.

A task runs in a worker, forked by the main process of ansible-playbook, and outlives that one where it was killed
(SIGKILL), hung up (SIGHUP), or cancelled by ansible-runner: the worker goes on with the module, the rest of a loop, and
retries. So a thread of the worker looks for the main process. Without it the worker ends what it has started, that is
the module, or the connection to the machine where that runs; there it notices that its output is closed
(:mod:`module_utils._stop`). Then the worker ends itself.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.plugins.action.normal import ActionModule as NormalAction

#: Seconds between two looks, and those in which Ansible may remove its temporary files after the module's end.
_EVERY, _GRACE = 0.25, 3.0
_STATUS = 1


class TiedToController:
    """As long as the context lasts, this worker and what it starts end soon after ansible-playbook's main process."""

    def __init__(self, action: ActionBase) -> None:
        """Tie what ``action`` runs."""
        self._action = action
        parent = multiprocessing.parent_process()
        self._main = parent.pid if parent else None  # None: no worker, and so the main process itself
        self._here = action._connection.transport == "local"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="controller", daemon=True)

    def __enter__(self) -> TiedToController:
        """Begin to look, and end the worker where the main process has gone already."""
        if self._is_gone:
            os._exit(_STATUS)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Look no more. A worker without its main process ends here: no retry follows, and no other item of a loop."""
        if self._is_gone:
            with contextlib.suppress(Exception):
                self._action.cleanup()  # Ansible's temporary files: a module's arguments are among them
            os._exit(_STATUS)
        self._ended.set()
        self._thread.join()

    @property
    def _is_gone(self) -> bool:
        # The parent of a process whose own has ended is another one at once, even while that is a zombie.
        return self._main is not None and os.getppid() != self._main

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY):
            if self._is_gone:
                # A client of another machine is not asked: one that ends by itself may be started again by Ansible.
                if end_descendants(os.getpid(), signal.SIGTERM if self._here else signal.SIGKILL):
                    self._ended.wait(_GRACE)
                os._exit(_STATUS)


class TiedAction(NormalAction):
    """Ansible's own action for a module, tied to its ansible-playbook."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result."""
        with TiedToController(self):
            result: dict[str, Any] = super().run(tmp, task_vars)
            return result


def end_descendants(process: int, number: signal.Signals) -> bool:
    """Send a signal to every process that ``process`` has started, and to those that these have.

    Returns whether there were any and all could be sent it: those of another user (``become``) can't.
    """
    sent = []
    for descendant in descendants(process, parents()):
        try:
            os.kill(descendant, number)
            sent.append(True)
        except ProcessLookupError:
            continue
        except OSError:
            sent.append(False)
    return bool(sent) and all(sent)


def descendants(process: int, parent_of: Mapping[int, int]) -> Iterator[int]:
    """Yield the processes below ``process``, the lowest first."""
    for child in [child for child, parent in parent_of.items() if parent == process]:
        yield from descendants(child, parent_of)
        yield child


def parents() -> dict[int, int]:
    """Return the parent of each process that can be seen."""
    if not os.path.isdir("/proc/self"):
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
        return {int(pid): int(parent) for pid, parent in map(str.split, listed.splitlines())}
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
            # The name, in brackets, may hold anything; the parent is the second field after it.
            found[int(name)] = int(file.read().rpartition(")")[2].split()[1])
    return found
