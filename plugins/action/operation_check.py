# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Refuse what a role can't be run with, before anything is looked at."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.plugin_utils._role_variables import CHECKED, check_variables
from ansible_collections.elasticache.auth.plugins.plugin_utils._strategy import keeps_in_step, refusal, strategy_of


class ActionModule(ActionBase):
    """See the documentation of M(elasticache.auth.operation_check)."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _VALID_ARGS = frozenset({"role"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return that nothing was changed; fails for a play or a variable that can't be meant so."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        role = str(self._task.args.get("role") or "")
        if not role:
            raise AnsibleActionFail("role is required: the name of the role whose variables are to be checked.")
        strategy = strategy_of(self._task)
        if not keeps_in_step(strategy):
            raise AnsibleActionFail(refusal(strategy, role))
        try:
            check_variables(role, self._values(role, task_vars or {}))
        except AuthError as error:
            raise AnsibleActionFail(str(error)) from error
        return result | {"changed": False}

    def _values(self, role: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the role's variables by what follows its name, templated."""
        given = {short: f"{role}_{short}" for short in CHECKED if f"{role}_{short}" in task_vars}
        return {short: self._templar.template(task_vars[name]) for short, name in given.items()}
