# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Refuse what a role can't be run with, before anything is looked at."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.plugin_utils._role_check import RoleCheck


class ActionModule(ActionBase):
    """See the documentation of M(elasticache.auth.operation_check)."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _VALID_ARGS = frozenset({"role"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return where the files are; fails for a play, a variable or a file that can't be meant so."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        role = str(self._task.args.get("role") or "")
        if not role:
            raise AnsibleActionFail("role is required: the name of the role whose variables are to be checked.")
        try:
            checked = RoleCheck(self, role, task_vars or {}).check()
        except AuthError as error:
            raise AnsibleActionFail(str(error)) from None
        return result | {"changed": False, **asdict(checked)}
