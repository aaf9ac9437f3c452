# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Tell the demo when each task began and what came of the play, as JSON lines in the file DEMO_EVENTS_FILE.

No result is written, so nothing that a task returned can get into it.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from ansible.executor.stats import AggregateStats
from ansible.executor.task_result import CallbackTaskResult
from ansible.playbook.task import Task
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: demo_events
type: notification
short_description: Tell the demo what happens
description: Writes one JSON object a line to the file named in the environment variable DEMO_EVENTS_FILE.
"""


class CallbackModule(CallbackBase):
    """See DOCUMENTATION."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "demo_events"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:
        """A task begins."""
        _write(kind="task", name=task.name)

    def v2_runner_on_skipped(self, result: CallbackTaskResult) -> None:
        """The task that began last was not to be run."""
        _write(kind="skipped")

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        """The end."""
        _write(kind="recap", hosts={host: stats.summarize(host) for host in stats.processed})


def _write(**event: Any) -> None:
    with open(os.environ["DEMO_EVENTS_FILE"], "a", encoding="utf-8") as file:
        file.write(json.dumps({"time": time.time(), **event}) + "\n")
