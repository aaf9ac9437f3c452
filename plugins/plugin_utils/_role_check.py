# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Refuse what a role can't be run with, before anything is looked at."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.plugin_utils import _role_files as files
from ansible_collections.elasticache.auth.plugins.plugin_utils import _sources as inventory
from ansible_collections.elasticache.auth.plugins.plugin_utils._role_variables import CHECKED, check_variables
from ansible_collections.elasticache.auth.plugins.plugin_utils._strategy import keeps_in_step, refusal, strategy_of

#: The role that takes the whole inventory also where its play is on localhost.
_TAKES_ALL = "audit"


@dataclass(frozen=True)
class Checked:
    """What relative paths are relative to, the absolute paths by what follows the role's name in the variable, and
    whether a host has tasks for its clients."""

    folder: str
    files: Mapping[str, str]
    client_tasks: bool


class RoleCheck:
    """The check of one role, by an action of it."""

    def __init__(self, action: ActionBase, role: str, task_vars: Mapping[str, Any]) -> None:
        """``task_vars``: the variables that the action has."""
        self._action, self._role, self._known = action, role, task_vars

    def value(self, short: str) -> Any:
        """Return the value of the role's variable whose name ends so; ``None`` where it is not defined."""
        return self._action._templar.template(self._known.get(f"{self._role}_{short}"))

    def check(self) -> Checked:
        """Return where the files are. Raises :class:`AuthError` for a play, a variable or a file that can't be used."""
        role, known = self._role, self._known
        strategy = strategy_of(self._action._task)
        if not keeps_in_step(strategy):
            raise AuthError(refusal(strategy, role))
        self._check_inventory()
        check_variables(role, {short: self.value(short) for short in CHECKED if f"{role}_{short}" in known})
        folder = files.folder_of(known["playbook_dir"], os.getcwd())
        return Checked(folder, self._files(folder), self._has_tasks(folder))

    def _check_inventory(self) -> None:
        """Raise where a source of the inventory could not be read, if the role takes anything from there."""
        known = self._known
        if self._role != _TAKES_ALL and list(known.get("ansible_play_hosts_all") or ()) == ["localhost"]:
            return
        why = inventory.trouble(inventory.sources_in(known), inventory.processed_by(known.get("hostvars")))
        if why:
            raise AuthError(inventory.refusal(why))

    def _files(self, folder: str) -> dict[str, str]:
        becomes = bool(self._action._play_context.become)  # then it is another user who has to be able to use them
        paths = {}
        for short in files.WRITTEN:
            paths[short] = path = files.located(folder, str(self.value(short) or ""))
            if path and not becomes:
                files.check_written(f"{self._role}_{short}", path)
        paths[files.AUTHORITIES] = path = self.authorities(folder)
        if path and self._is_here and not becomes and self.value("probe") != "never":
            files.check_authorities(f"{self._role}_{files.AUTHORITIES}", path)
        return paths

    def authorities(self, folder: str) -> str:
        """Return the file with certificates, where the modules run; empty where there is none."""
        given = str(self.value(files.AUTHORITIES) or "")
        return files.located(folder, given) if self._is_here else given

    @property
    def _is_here(self) -> bool:
        return bool(self._action._connection.transport == "local")

    def _has_tasks(self, folder: str) -> bool:
        role = self._role
        of = {host: files.located(folder, path) for host, path in self._tasks_of_hosts().items()}
        for path in dict.fromkeys(filter(None, of.values())):
            host = next(host for host in of if of[host] == path)
            name = f"{role}_{files.TASKS}"
            files.check_tasks(name if len(set(of.values())) == 1 else f"{host}: {name}", path, self._load, self._parse)
        without = [host for host, path in of.items() if not path]
        is_needed = self.value("soak") in (None, "") and self.value("phase") == "all"
        if is_needed and 0 < len(without) < len(of):
            raise AuthError(
                f"{role}_{files.TASKS}: {without[0]} has none, and other hosts do. Without it clients of its "
                f"replication groups may be refused. Nothing was looked at. Set it for every host, or {role}_soak to a "
                "time that all clients are given (seconds; 0 if there is nothing to wait for)."
            )
        return len(without) < len(of)

    def _tasks_of_hosts(self) -> dict[str, str]:
        """Return the file with tasks that each host of the batch names; an empty text where it names none.

        A value that is no template is the same for all hosts but those whose inventory variables have one. To ask for
        all variables of each of a thousand hosts would take more than a second.
        """
        known, task = self._known, self._action._task
        name = f"{self._role}_{files.TASKS}"
        batch = list(known.get("ansible_play_batch") or [known["inventory_hostname"]])
        if name not in known:
            return dict.fromkeys(batch, "")
        found = dict.fromkeys(batch, str(self.value(files.TASKS) or ""))
        is_template = "{" in str(known[name])
        manager, play = task.get_variable_manager(), task.get_play()
        for host in batch if is_template else [one for one in batch if name in known["hostvars"].raw_get(one)]:
            variables = manager.get_vars(
                play=play, host=manager._inventory.get_host(host), task=task, include_hostvars=False
            )
            templar = self._action._templar.copy_with_new_env(
                available_variables={**variables, "hostvars": known["hostvars"]}
            )
            found[host] = str(templar.template(variables.get(name)) or "")
        return found

    def _load(self, path: str) -> Any:
        return self._action._loader.load_from_file(path)

    def _parse(self, entry: Mapping[str, Any]) -> Any:
        task, loader = self._action._task, self._action._loader
        return Task.load(dict(entry), role=task._role, variable_manager=task.get_variable_manager(), loader=loader)
