# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the modules of the cutover roles share on the controller."""

from __future__ import annotations

from typing import Any

from ansible.utils.display import Display

from ansible_collections.elasticache.auth.plugins.module_utils._core.one_line import one_line
from ansible_collections.elasticache.auth.plugins.plugin_utils._controller import TiedAction

#: Characters of a line that is printed.
_MAX_LINE = 2000


class CutoverAction(TiedAction):
    """Runs the module as long as ansible-playbook is there; in check mode prints what it would restart."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result."""
        result = super().run(tmp, task_vars)
        if self._task.check_mode:
            for outcome in (result.get("outcomes") or {}).values():
                Display().display(one_line(str(outcome["msg"]), _MAX_LINE))
        return result
