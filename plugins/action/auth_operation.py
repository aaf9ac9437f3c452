# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run the module of the same name, and tell meanwhile how far its groups are."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.elasticache.auth.plugins.module_utils._core.role_words import for_role
from ansible_collections.elasticache.auth.plugins.module_utils._operation.progress import Account
from ansible_collections.elasticache.auth.plugins.plugin_utils._controller import TiedToController
from ansible_collections.elasticache.auth.plugins.plugin_utils._progress import Glance, Progress
from ansible_collections.elasticache.auth.plugins.plugin_utils._strategy import keeps_in_step, refusal, strategy_of

MODULE = "elasticache.auth.auth_operation"
#: Where this module is called with options that are the variables of another role.
_ROLES = ("journey", "elasticache.auth.journey")


def pauses() -> Iterator[float]:
    """Seconds from one line to the next: short at first, then longer."""
    yield from (5.0, 10.0, 15.0)
    while True:
        yield 30.0


def reword(result: dict[str, Any], role: str) -> None:
    """Put the variables of ``role`` in the place of the module's options in all messages of a result."""
    for part in (result, *(result.get("places") or ())):
        for told in (part, *(part.get("outcomes") or {}).values()):
            if told.get("msg") is not None:
                told["msg"] = for_role(str(told["msg"]), role)


class ActionModule(ActionBase):
    """See the documentation of M(elasticache.auth.auth_operation)."""

    TRANSFERS_FILES = False
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result; where the module runs on this machine, tell of its progress meanwhile."""
        with TiedToController(self):
            result = self._run(tmp, task_vars)
        role = self._task._role
        if role is not None and role.get_name() in _ROLES:
            reword(result, str(self._task.args.get("journey")))
        return result

    def _run(self, tmp: str | None, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        strategy, batch = strategy_of(self._task), (task_vars or {}).get("ansible_play_batch") or ()
        if self._task.run_once and len(batch) > 1 and not keeps_in_step(strategy):
            raise AnsibleActionFail(refusal(strategy, "auth_operation with run_once"))
        # Only here can the file be read that the module writes, and only by the same user.
        here = self._connection.transport == "local" and not self._play_context.become
        if not here or self._task.check_mode or arguments.get("progress_path"):
            return result | self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        with shared_file() as (journal, path):
            arguments["progress_path"] = path
            told = _Told(journal)
            with Progress(self._task, task_vars, glance=told.glance, line=told.line, pauses=pauses()):
                return result | self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)


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
    """What the module has told so far, in words for the user."""

    def __init__(self, journal: Iterable[str]) -> None:
        self._journal, self._account = journal, Account()

    def line(self) -> str:
        self._account.read(self._journal)
        return self._account.line(time.time())

    def glance(self) -> Glance | None:
        self._account.read(self._journal)
        account = self._account
        if not account.groups:
            return None
        return Glance("through", account.groups, account.through, account.words(time.time()))
