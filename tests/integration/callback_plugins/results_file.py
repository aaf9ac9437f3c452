# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes the result of every task as a line of JSON into a file, for :mod:`integration.run`."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: results_file
type: aggregate
short_description: Writes the result of every task as a line of JSON into a file
description:
  - The file is the one that the environment variable TASK_RESULTS_FILE names.
  - What is written is what any other callback gets to see, so no_log is in force here too.
requirements:
  - To be listed in callbacks_enabled.
"""


class CallbackModule(CallbackBase):
    """One line a task and host, one more for the recap of each host."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "results_file"
    CALLBACK_NEEDS_ENABLED = True

    def _task(self, status: str, result: Any, ignored: bool = False) -> None:
        new = hasattr(result, "task")  # since ansible-core 2.19
        task, host = (result.task, result.host) if new else (result._task, result._host)
        self._write(
            {
                "kind": "task",
                "status": status,
                "ignored": ignored,
                "task": task.get_name(),
                "action": task.action,
                "host": host.get_name(),
                "result": result.result if new else result._result,
            }
        )

    def _write(self, line: dict[str, Any]) -> None:
        with open(os.environ["TASK_RESULTS_FILE"], "a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        self._task("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._task("failed", result, bool(ignore_errors))

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._task("skipped", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._task("unreachable", result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        for host in sorted(stats.processed):
            self._write({"kind": "recap", "host": host, "recap": stats.summarize(host)})
