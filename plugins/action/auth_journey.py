# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run the module of the same name, and say now and then how far its groups are."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.elasticache.auth.plugins.module_utils._workflow.journal import Account

display = Display()

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
        # Only here can the file be read that the module writes, and only by the same user.
        here = self._connection.transport == "local" and not self._play_context.become
        if not here or self._task.check_mode or arguments.get("progress_path"):
            return result | self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        handle, path = tempfile.mkstemp(prefix="elasticache-auth-progress-")
        os.close(handle)
        ended = threading.Event()
        teller = threading.Thread(target=self._tell, args=(path, ended), daemon=True)
        teller.start()
        try:
            arguments["progress_path"] = path
            return result | self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        finally:
            ended.set()
            teller.join()
            os.unlink(path)

    def _tell(self, path: str, ended: threading.Event) -> None:
        account, said = Account(), ""
        with open(path, encoding="utf-8") as journal:
            for pause in pauses():
                if ended.wait(pause):
                    return
                account.read(journal)
                line = account.line(time.time())
                if line and line.partition(" (")[0] != said:
                    said = line.partition(" (")[0]
                    display.display(f"{self._task.get_name()}: {line}")
