# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run the module of the same name, and tell meanwhile how far its groups are."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from typing import Any, TextIO

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.elasticache.auth.plugins.module_utils._workflow.journal import Account
from ansible_collections.elasticache.auth.plugins.plugin_utils._progress import Glance, Progress
from ansible_collections.elasticache.auth.plugins.plugin_utils._strategy import keeps_in_step, refusal, strategy_of

MODULE = "elasticache.auth.auth_journey"


def pauses() -> Iterator[float]:
    """Seconds from one line to the next: short at first, then longer."""
    yield from (5.0, 10.0, 15.0)
    while True:
        yield 30.0


class ActionModule(ActionBase):
    """See the documentation of M(elasticache.auth.auth_journey)."""

    TRANSFERS_FILES = False
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result; where the module runs on this machine, tell of its progress meanwhile."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        arguments = dict(self._task.args)
        strategy, batch = strategy_of(self._task), (task_vars or {}).get("ansible_play_batch") or ()
        if self._task.run_once and len(batch) > 1 and not keeps_in_step(strategy):
            raise AnsibleActionFail(refusal(strategy, "auth_journey with run_once"))
        # Only here can the file be read that the module writes, and only by the same user.
        here = self._connection.transport == "local" and not self._play_context.become
        if not here or self._task.check_mode or arguments.get("progress_path"):
            return result | self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        handle, path = tempfile.mkstemp(prefix="elasticache-auth-progress-")
        os.close(handle)
        try:
            arguments["progress_path"] = path
            with open(path, encoding="utf-8") as journal:
                told = _Told(journal, path)
                with Progress(self._task, task_vars, glance=told.glance, line=told.line, pauses=pauses()):
                    return result | self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


class _Told:
    """What the module has told so far, in words for the user."""

    def __init__(self, journal: TextIO, path: str) -> None:
        self._journal, self._path, self._account = journal, path, Account()

    def line(self) -> str:
        self._read()
        return self._account.line(time.time())

    def _read(self) -> None:
        self._account.read(self._journal)
        if self._account.what and self._path:
            # Both sides have it open now: whatever ends them, no file is left behind.
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            self._path = ""

    def glance(self) -> Glance | None:
        self._read()
        account = self._account
        if not account.what:
            return None
        return Glance(account.what, account.groups, account.through, account.words(time.time()))
