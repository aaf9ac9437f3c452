# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Refuse what a role can't be run with, before anything is looked at."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.plugin_utils import _role_files as files
from ansible_collections.elasticache.auth.plugins.plugin_utils import _sources as inventory
from ansible_collections.elasticache.auth.plugins.plugin_utils._role_variables import CHECKED, check_variables
from ansible_collections.elasticache.auth.plugins.plugin_utils._strategy import keeps_in_step, refusal, strategy_of

#: The role that takes the whole inventory also where its play is on localhost.
_TAKES_ALL = "audit"


class ActionModule(ActionBase):
    """See the documentation of M(elasticache.auth.operation_check)."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _VALID_ARGS = frozenset({"role"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return where the files are; fails for a play, a variable or a file that can't be meant so."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        known = task_vars or {}
        role = str(self._task.args.get("role") or "")
        if not role:
            raise AnsibleActionFail("role is required: the name of the role whose variables are to be checked.")
        strategy = strategy_of(self._task)
        if not keeps_in_step(strategy):
            raise AnsibleActionFail(refusal(strategy, role))
        self._check_inventory(role, known)
        try:
            check_variables(
                role, {short: self._value(role, short, known) for short in CHECKED if f"{role}_{short}" in known}
            )
            folder = files.folder_of(known["playbook_dir"], os.getcwd())
            paths = self._checked_files(role, folder, known)
            tasks = self._checked_tasks(role, folder, known)
        except AuthError as error:
            raise AnsibleActionFail(str(error)) from error
        return result | {"changed": False, "folder": folder, "files": paths, "client_tasks": tasks}

    def _check_inventory(self, role: str, known: Mapping[str, Any]) -> None:
        """Fail where a source of the inventory could not be read, if the role takes anything from there."""
        if role != _TAKES_ALL and list(known.get("ansible_play_hosts_all") or ()) == ["localhost"]:
            return
        why = inventory.trouble(inventory.sources_in(known), inventory.processed_by(known.get("hostvars")))
        if why:
            raise AnsibleActionFail(inventory.refusal(why))

    def _value(self, role: str, short: str, variables: Mapping[str, Any]) -> Any:
        return self._templar.template(variables.get(f"{role}_{short}"))

    def _checked_files(self, role: str, folder: str, known: Mapping[str, Any]) -> dict[str, str]:
        """Return the absolute paths by what follows the role's name."""
        becomes = bool(self._play_context.become)  # then it is another user who has to be able to use them
        paths = {}
        for short in files.WRITTEN:
            paths[short] = path = files.located(folder, str(self._value(role, short, known) or ""))
            if path and not becomes:
                files.check_written(f"{role}_{short}", path)
        given = str(self._value(role, files.AUTHORITIES, known) or "")
        here = self._connection.transport == "local"
        paths[files.AUTHORITIES] = files.located(folder, given) if here else given
        if given and here and not becomes and self._value(role, "probe", known) != "never":
            files.check_authorities(f"{role}_{files.AUTHORITIES}", paths[files.AUTHORITIES])
        return paths

    def _checked_tasks(self, role: str, folder: str, known: Mapping[str, Any]) -> bool:
        """Return whether a host of the batch has tasks for its clients."""
        of = {host: files.located(folder, path) for host, path in self._tasks_of_hosts(role, known).items()}
        for path in dict.fromkeys(filter(None, of.values())):
            host = next(host for host in of if of[host] == path)
            name = f"{role}_{files.TASKS}"
            files.check_tasks(name if len(set(of.values())) == 1 else f"{host}: {name}", path, self._load, self._parse)
        without = [host for host, path in of.items() if not path]
        is_needed = self._value(role, "soak", known) in (None, "") and self._value(role, "phase", known) == "all"
        if is_needed and 0 < len(without) < len(of):
            raise AuthError(
                f"{role}_{files.TASKS}: {without[0]} has none, and other hosts do. Without it clients of its "
                f"replication groups may be refused. Nothing was looked at. Set it for every host, or {role}_soak to a "
                "time that all clients are given (seconds; 0 if there is nothing to wait for)."
            )
        return len(without) < len(of)

    def _tasks_of_hosts(self, role: str, known: Mapping[str, Any]) -> dict[str, str]:
        """Return the file with tasks that each host of the batch names; an empty text where it names none.

        A value that is no template is the same for all hosts but those whose inventory variables have one. To ask for
        all variables of each of a thousand hosts would take more than a second.
        """
        name = f"{role}_{files.TASKS}"
        batch = list(known.get("ansible_play_batch") or [known["inventory_hostname"]])
        if name not in known:
            return dict.fromkeys(batch, "")
        found = dict.fromkeys(batch, str(self._value(role, files.TASKS, known) or ""))
        is_template = "{" in str(known[name])
        manager, play = self._task.get_variable_manager(), self._task.get_play()
        for host in batch if is_template else [one for one in batch if name in known["hostvars"].raw_get(one)]:
            variables = manager.get_vars(
                play=play, host=manager._inventory.get_host(host), task=self._task, include_hostvars=False
            )
            templar = self._templar.copy_with_new_env(available_variables={**variables, "hostvars": known["hostvars"]})
            found[host] = str(templar.template(variables.get(name)) or "")
        return found

    def _load(self, path: str) -> Any:
        return self._loader.load_from_file(path)

    def _parse(self, task: Mapping[str, Any]) -> Any:
        role = self._task._role
        return Task.load(dict(task), role=role, variable_manager=self._task.get_variable_manager(), loader=self._loader)
