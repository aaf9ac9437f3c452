# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run the module of the same name, and tell meanwhile how far its groups are; for a role, of all hosts of the batch."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.operations import Operation
from ansible_collections.elasticache.auth.plugins.module_utils._operation.progress import Account
from ansible_collections.elasticache.auth.plugins.plugin_utils._controller import TiedToController
from ansible_collections.elasticache.auth.plugins.plugin_utils._progress import Glance, Progress
from ansible_collections.elasticache.auth.plugins.plugin_utils._role_operation import Keeping, RoleOperation
from ansible_collections.elasticache.auth.plugins.plugin_utils._strategy import keeps_in_step, refusal, strategy_of

MODULE = "elasticache.auth.auth_operation"
#: The roles whose tasks this module is: with and without the collection's name.
_ROLES = {f"{prefix}{operation.value}" for operation in Operation for prefix in ("", "elasticache.auth.")}


def pauses() -> Iterator[float]:
    """Seconds from one line to the next: short at first, then longer."""
    yield from (5.0, 10.0, 15.0)
    while True:
        yield 30.0


class ActionModule(ActionBase):
    """See the documentation of M(elasticache.auth.auth_operation)."""

    TRANSFERS_FILES = False
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result; for a role, where the results are, and what is to come."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        known, arguments = task_vars or {}, dict(self._task.args)
        strategy, batch = strategy_of(self._task), known.get("ansible_play_batch") or ()
        role = self._task._role.get_name() if self._task._role is not None else ""
        if role not in _ROLES:
            if self._task.run_once and len(batch) > 1 and not keeps_in_step(strategy):
                raise AnsibleActionFail(refusal(strategy, "auth_operation with run_once"))
            return result | self._module(arguments, known, None)
        operation = RoleOperation(self, role.rpartition(".")[2], arguments, known)
        try:
            why = operation.prepare()
        except AuthError as error:
            raise AnsibleActionFail(str(error)) from None
        if why:
            return result | operation.stopped(why)
        arguments = operation.arguments
        if arguments and operation.has_losers and not self._task.check_mode:
            # Who stops working is told before anything is done.
            operation.tell_losers(self._module({**arguments, "plan_only": True}, known, None))
        return result | operation.ended(self._module(arguments, known, operation) if arguments else {})

    def _module(
        self, arguments: dict[str, Any], task_vars: dict[str, Any], operation: RoleOperation | None
    ) -> dict[str, Any]:
        """Return the module's result; where the module runs on this machine, tell of its progress meanwhile."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(TiedToController(self))
            # Only here can the file be read that the module writes, and only by the same user.
            here = self._connection.transport == "local" and not self._play_context.become
            if here and not self._task.check_mode and not arguments.get("progress_path"):
                journal, arguments["progress_path"] = stack.enter_context(shared_file())
                told = _Told(journal)
                if operation:
                    stack.enter_context(Keeping(lambda: told.keep(operation)))
                told_of = Progress(self._task, task_vars, glance=told.glance, line=told.line, pauses=pauses())
                stack.enter_context(told_of)
            result: dict[str, Any] = self._execute_module(
                module_name=MODULE, module_args=arguments, task_vars=task_vars
            )
            return result


@contextlib.contextmanager
def shared_file() -> Iterator[tuple[Iterable[str], str]]:
    """Yield an empty file and a path by which the module can open it too.

    On Linux the file has no name: the path leads through this process, so that nothing is left whatever ends it.
    """
    if os.path.isdir("/proc/self/fd"):
        with tempfile.TemporaryFile("r+", encoding="utf-8") as unnamed:
            yield unnamed, f"/proc/{os.getpid()}/fd/{unnamed.fileno()}"
    else:
        with tempfile.NamedTemporaryFile("r+", prefix="elasticache-auth-progress-", encoding="utf-8") as named:
            yield named, named.name


class _Told:
    """What the module has told so far, in words for the user, and for the run file; asked from several threads."""

    def __init__(self, journal: Iterable[str]) -> None:
        self._journal, self._account, self._lock = journal, Account(), threading.Lock()

    def line(self) -> str:
        with self._lock:
            self._account.read(self._journal)
            return self._account.line(time.time())

    def glance(self) -> Glance | None:
        with self._lock:
            self._account.read(self._journal)
            account = self._account
            if not account.groups:
                return None
            return Glance("done", account.groups, account.through, account.words(time.time()))

    def keep(self, operation: RoleOperation) -> float:
        """Have it written down; returns the seconds that took."""
        begun = time.monotonic()
        with self._lock:
            self._account.read(self._journal)
            under_way = list(self._account.under_way())
        operation.keep(under_way)
        return time.monotonic() - begun
