# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Ansible's default output, but a line a task, and one for the module's message; as usual with -v and on failure."""

from __future__ import annotations

from typing import Any

from ansible.executor.task_result import CallbackTaskResult
from ansible.playbook.included_file import IncludedFile
from ansible.playbook.task import Task
from ansible.plugins.callback.default import CallbackModule as Default

DOCUMENTATION = """
name: demo_lines
type: stdout
short_description: A line a task
description: Ansible's default output, but a line a task, and one for the module's message.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""

#: Their messages are left out: the task's name says as much, or it is for the tasks that follow.
_SILENT = ("ansible.builtin.assert", "ansible.builtin.uri", "elasticache.auth.replication_group_info")
_INDENT = 8


class CallbackModule(Default):
    """See DOCUMENTATION."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "demo_lines"

    _failing = False

    def _print_task_banner(self, task: Task) -> None:
        if self._display.verbosity or self._failing:
            super()._print_task_banner(task)

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        """A task failed: all that there is to say."""
        self._failing = True
        super().v2_runner_on_failed(result, ignore_errors)
        self._failing = False

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        """A task is done."""
        if self._display.verbosity:
            super().v2_runner_on_ok(result)
            return
        told: dict[str, Any] = dict(result.result)
        changed = bool(told.get("changed"))
        message = told.get("msg")
        line = f"{'changed' if changed else 'ok':{_INDENT}}{result.task.name}"
        if isinstance(message, str) and message and result.task.resolved_action not in _SILENT:
            line += f"\n{'':{_INDENT}}{message}"
        self._handle_warnings_and_exception(result)
        self._display.display(line, color="bright yellow" if changed else "green")

    def v2_runner_on_skipped(self, result: CallbackTaskResult) -> None:
        """Nothing was to do."""
        if self._display.verbosity:
            super().v2_runner_on_skipped(result)

    def v2_playbook_on_include(self, included_file: IncludedFile) -> None:
        """The tasks will tell."""
        if self._display.verbosity:
            super().v2_playbook_on_include(included_file)
