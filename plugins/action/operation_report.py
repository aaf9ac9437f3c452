# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tell each host how its replication groups fared; it fails where one of them did."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.elasticache.auth.plugins.module_utils._core.one_line import shown_line
from ansible_collections.elasticache.auth.plugins.module_utils._operation.report import failure_of, lines_of, sum_of
from ansible_collections.elasticache.auth.plugins.plugin_utils._targets import reports_in_file
from ansible_collections.elasticache.auth.plugins.plugin_utils._untrusted import untrusted

#: Characters of a line that is printed; the run file has all of it.
_MAX_LINE = 4000


class ActionModule(ActionBase):
    """See the documentation of M(elasticache.auth.operation_report)."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _VALID_ARGS = frozenset({"run_file", "stopped"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the reports of the host's groups in lines."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        known = task_vars or {}
        host = str(known.get("inventory_hostname"))
        stopped = str(self._task.args.get("stopped") or "")
        if stopped:
            raise AnsibleActionFail(f"{host}: {stopped}")
        try:
            reports = reports_in_file(str(self._task.args.get("run_file") or ""), host, known)
        except (OSError, ValueError) as error:
            raise AnsibleActionFail(
                f"run_file: {self._task.args.get('run_file')} can't be read: {error}. It is what auth_operation "
                "returned."
            ) from None
        if not reports:
            return result | {"changed": False, "skipped": True, "msg": "There is no replication group."}
        lines = lines_of(reports)
        if len(known.get("ansible_play_batch") or ()) < 2:  # of many hosts the sum is told once, and not by each
            lines += filter(None, [sum_of(reports, planned=bool(self._task.check_mode))])
        for line in lines:
            Display().display(shown_line(line, _MAX_LINE))
        return result | {
            "changed": any(report["changed"] for report in reports),
            "failed": any(report["failed"] for report in reports),
            "msg": untrusted(failure_of(reports) or [report["line"] for report in reports]),
        }
