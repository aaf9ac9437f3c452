# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Refuse what a role can't be run with, before anything is looked at."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible.errors import AnsibleError
from ansible.playbook.role.include import RoleInclude
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.lists import shown
from ansible_collections.elasticache.auth.plugins.plugin_utils import _role_files as files
from ansible_collections.elasticache.auth.plugins.plugin_utils import _sources as inventory
from ansible_collections.elasticache.auth.plugins.plugin_utils._client_role import arguments_of, wrong_variables
from ansible_collections.elasticache.auth.plugins.plugin_utils._role_variables import CHECKED, check_variables
from ansible_collections.elasticache.auth.plugins.plugin_utils._strategy import keeps_in_step, refusal, strategy_of

#: What one host's call takes for all hosts of a wave. Where hosts differ, it would be that of whichever host makes the
#: call, which may be another one after the tasks for clients.
_ONE_FOR_ALL = (*files.WRITTEN, "phase", "soak", "max_fail_percentage")
#: So much is shown of two values, whose difference may be at their end, as with paths.
_MAX_PATH = 500
#: What stands for a variable that is not defined, and for one that can't be evaluated yet.
_NONE, _LATER = object(), object()
#: The role that takes the whole inventory also where its play is on localhost.
_TAKES_ALL = "audit"


@dataclass(frozen=True)
class Checked:
    """What relative paths are relative to, the absolute paths by what follows the role's name in the variable, and
    whether a host has tasks for its clients, of a file or of a role, and whether one has a role."""

    folder: str
    files: Mapping[str, str]
    client_tasks: bool
    client_role: bool


def _evaluated(templar: Any, value: Any) -> Any:
    """Return a variable's value, or that it has none yet."""
    if value is _NONE:
        return _NONE
    try:
        return templar.template(value)
    except AnsibleError:
        return _LATER


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
        of_hosts = self._of_hosts((files.TASKS, files.ROLE, *_ONE_FOR_ALL))
        self._check_same(of_hosts)
        folder = files.folder_of(known["playbook_dir"], os.getcwd())
        tasks, roles = (
            {host: str(value or "") for host, value in of_hosts[of].items()} for of in (files.TASKS, files.ROLE)
        )
        return Checked(folder, self._files(folder), self._has_tasks(folder, tasks, roles), any(roles.values()))

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

    def _check_same(self, of_hosts: Mapping[str, Mapping[str, Any]]) -> None:
        """Raise where hosts have different values of what is one for all of them. ``of_hosts``: the values by host."""
        role, own = self._role, self._known["inventory_hostname"]
        for short in _ONE_FOR_ALL:
            values = {host: "" if value is None else str(value) for host, value in of_hosts[short].items()}
            other = next((host for host in values if values[host] != values[own]), "")
            if other:
                written = short in files.WRITTEN
                own_value, other_value = (shown(values[host], _MAX_PATH) for host in (own, other))
                raise AuthError(
                    f"{role}_{short}: it is {own_value} for {own}, and {other_value} for {other}, but "
                    f"{'one file is written' if written else 'one call is made'} for all hosts of a "
                    f"{'play' if written else 'wave'}. Nothing was looked at. Give all of them one value, or run the "
                    "role in a play of its own for each value."
                )

    def _has_tasks(self, folder: str, tasks: Mapping[str, str], roles: Mapping[str, str]) -> bool:
        """Return whether a host has tasks for its clients. ``tasks``, ``roles``: the file, and the role, by host."""
        role = self._role
        of = {host: files.located(folder, path) for host, path in tasks.items()}
        both = next((host for host in of if of[host] and roles[host]), "")
        if both:
            raise AuthError(
                f"{role}_{files.TASKS} and {role}_{files.ROLE} are both set for {both}. Nothing was looked at. Leave "
                "one of them out: tasks may include a role."
            )
        self._check_each(files.TASKS, of, lambda name, path: files.check_tasks(name, path, self._load, self._parse))
        self._check_each(files.ROLE, roles, lambda name, wanted: files.check_role(name, wanted, self._load_role))
        for client_role in dict.fromkeys(filter(None, roles.values())):
            self._check_variables_of(client_role, [host for host in roles if roles[host] == client_role])
        without = [host for host, path in of.items() if not (path or roles[host])]
        is_needed = self.value("soak") in (None, "") and self.value("phase") == "all"
        if is_needed and 0 < len(without) < len(of):
            raise AuthError(
                f"{role}_{files.TASKS}: {without[0]} has none, and other hosts do. Without it clients of its "
                f"replication groups may be refused. Nothing was looked at. Set it for every host, or {role}_soak to a "
                "time that all clients are given (seconds; 0 if there is nothing to wait for)."
            )
        return len(without) < len(of)

    def _check_each(self, short: str, of_hosts: Mapping[str, str], check: Callable[[str, str], None]) -> None:
        """Call ``check`` with each value there is and the name of its variable, with the host's where hosts differ."""
        for value in dict.fromkeys(filter(None, of_hosts.values())):
            host = next(host for host in of_hosts if of_hosts[host] == value)
            name = f"{self._role}_{short}"
            check(name if len(set(of_hosts.values())) == 1 else f"{host}: {name}", value)

    def _check_variables_of(self, client_role: str, hosts: Sequence[str]) -> None:
        """Raise where a host has not the variables that the role for its clients takes, by its argument_specs.

        A variable that can't be evaluated yet is left to the client cutover.
        """
        spec = arguments_of(self._load_role(client_role).get_role_path(), self._load)
        of_hosts = self._of_hosts(list(spec), prefix="", evaluated=_evaluated)
        for host in hosts:
            given = {option: of_hosts[option][host] for option in spec if of_hosts[option][host] is not _NONE}
            later = {option for option, value in given.items() if value is _LATER}
            why = wrong_variables(client_role, spec, given, later)
            if why:
                raise AuthError(
                    f"{self._role}_{files.ROLE}: the role {client_role} can't be run for {host}: {why} Nothing was "
                    "looked at. Mend these variables, and run this again."
                )

    def _of_hosts(
        self, shorts: Sequence[str], prefix: str | None = None, evaluated: Callable[[Any, Any], Any] | None = None
    ) -> dict[str, dict[str, Any]]:
        """Return for each of these variables its value for each host of the batch; ``None`` where it is not defined.

        A value that is no template is the same for all hosts but those whose inventory has another one. To ask for all
        variables of each of a thousand hosts takes more than a second. The files that are written are those of all
        waves: the first host of the play stands for the waves before.
        """
        known, task, hostvars = self._known, self._action._task, self._known["hostvars"]
        own = known["inventory_hostname"]
        batch = list(known.get("ansible_play_batch") or [own])
        first = [host for host in list(known.get("ansible_play_hosts_all") or ())[:1] if host not in batch]
        names = {short: f"{self._role}_{short}" if prefix is None else f"{prefix}{short}" for short in shorts}
        evaluated = evaluated or (lambda templar, value: templar.template(None if value is _NONE else value))
        of_this = {short: evaluated(self._action._templar, known.get(name, _NONE)) for short, name in names.items()}
        found = {
            short: dict.fromkeys([*batch, *(first if short in files.WRITTEN else ())], of_this[short])
            for short in shorts
        }
        templates = {short for short, name in names.items() if "{" in str(known.get(name))}
        manager, play, of_own = task.get_variable_manager(), task.get_play(), hostvars.raw_get(own)
        for host in (host for host in (*batch, *first) if host != own):
            raw = hostvars.raw_get(host)
            asked = [
                short
                for short, name in names.items()
                if host in found[short] and (short in templates or raw.get(name, _NONE) != of_own.get(name, _NONE))
            ]
            if asked:
                variables = manager.get_vars(
                    play=play, host=manager._inventory.get_host(host), task=task, include_hostvars=False
                )
                templar = self._action._templar.copy_with_new_env(
                    available_variables={**variables, "hostvars": hostvars}
                )
                for short in asked:
                    found[short][host] = evaluated(templar, variables.get(names[short], _NONE))
        return found

    def _load_role(self, name: str) -> Any:
        task = self._action._task
        return RoleInclude.load(
            name,
            play=task.get_play(),
            variable_manager=task.get_variable_manager(),
            loader=self._action._loader,
            collection_list=task.collections,
        )

    def _load(self, path: str) -> Any:
        return self._action._loader.load_from_file(path)

    def _parse(self, entry: Mapping[str, Any]) -> Any:
        task, loader = self._action._task, self._action._loader
        return Task.load(dict(entry), role=task._role, variable_manager=task.get_variable_manager(), loader=loader)
