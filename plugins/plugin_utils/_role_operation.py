# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A call of auth_operation by a role: for all hosts of the batch, and with its results in the run file.

Which groups, in which wave, and which of them go on after a client cutover, is decided here; all else in the module.
"""

from __future__ import annotations

import contextlib
import os
import threading
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.one_line import one_line
from ansible_collections.elasticache.auth.plugins.module_utils._core.operations import (
    LEAVING_RBAC,
    REMOVING_USER_GROUPS,
    Step,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.role_words import for_role
from ansible_collections.elasticache.auth.plugins.module_utils._operation.report import (
    Report,
    diff_for_role,
    planned_cutover,
    report_of,
    unended,
)
from ansible_collections.elasticache.auth.plugins.module_utils._operation.run_file import (
    PLACE,
    Key,
    RunFile,
    group_key_in,
    write_whole,
)
from ansible_collections.elasticache.auth.plugins.plugin_utils import _role_files as files
from ansible_collections.elasticache.auth.plugins.plugin_utils._role_check import RoleCheck
from ansible_collections.elasticache.auth.plugins.plugin_utils._targets import (
    Target,
    group_of,
    groups_of_hosts,
    key_of_host,
    keys_in,
    keys_of_hosts,
    reports_of_host,
    targets_at,
    targets_of,
    without_host,
)

Result = dict[str, Any]

#: The run file is written at most so often while the module runs: seconds, and times what the last writing took.
_EVERY, _TIMES = 2.0, 20.0
#: The first hosts that failed are named.
_NAMED = 5
#: What the failures of a role for the clients are noted by, after the operation: playbooks/tasks/client_role.yml.
_NOTED = ("stage", "region", "assume_role_arn")
#: Characters of a line that is printed.
_MAX_LINE = 2000


class RoleOperation:
    """One call of the module for the role ``role``. ``arguments``: those of the task."""

    def __init__(
        self, action: ActionBase, role: str, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]
    ) -> None:
        self._action, self._role, self._known = action, role, task_vars
        self._check = RoleCheck(action, role, task_vars)
        self._arguments = dict(arguments)
        self._after: Sequence[Mapping[str, Any]] | None = self._arguments.pop("after_cutover", None)
        self._lock = threading.Lock()
        self._targets: list[Target] = []
        self._file, self._path, self._is_warned = RunFile("", role, ""), "", False
        self._earlier: dict[Key, Report] = {}
        self.folder, self._has_client_role = "", False

    def prepare(self) -> str:
        """Find out what is to be done for which groups. Returns why no further wave begins; empty: it does.

        Raises :class:`AuthError` for what can't be meant so, before anything is looked at.
        """
        if self._after is not None:
            self._go_on(self._after)
            return ""
        checked = self._check.check()
        self.folder, self._has_client_role = checked.folder, checked.client_role
        phase, soak = self._check.value("phase"), self._check.value("soak")
        if phase == "all" and not checked.client_tasks and soak in (None, ""):
            raise AuthError(
                "The clients have to be moved before the operation can finish, or they are refused. Name a file with "
                f"tasks in {self._role}_client_tasks, a role in {self._role}_client_role, or a time in "
                f"{self._role}_soak (seconds; 0 if there is nothing to wait for), or stop there with "
                f"{self._role}_phase: begin, and later finish."
            )
        name = f"{self._role}_replication_groups"
        named, hosts = name in self._known, self._batch
        groups = self._check.value("replication_groups") if named else groups_of_hosts(hosts, self._known["hostvars"])
        self._targets = targets_of(name, groups, hosts, self._known["hostvars"])
        if phase == "all" and soak in (None, ""):
            self._check_spoken_for(name)
            self._check_no_later_wave(named)
        self._arguments["skip_secondaries"] = not named
        if phase == "all" and soak not in (None, ""):
            # With tasks, it is waited for by the call after them: the plan is that of both.
            self._arguments |= {"soak": soak, "client_tasks": checked.client_tasks}
        self._locate_authorities(checked.files[files.AUTHORITIES])
        return self._begin_wave(checked.files["report_path"])

    @property
    def _batch(self) -> list[str]:
        return list(self._known["ansible_play_batch"])

    def _check_spoken_for(self, name: str) -> None:
        """Raise where tasks move the clients, and there are groups for which no host would run them."""
        silent = without_host(self._targets, self._batch, self._known["hostvars"])
        if silent:
            raise AuthError(
                f"{name}: {', '.join(silent[:_NAMED])}: no host of the play stands for it, so that "
                f"{self._role}_client_tasks would not be run for it, and its clients would be refused after SET. "
                "Nothing was looked at. Add a host for it, leave it out, or run the play on localhost or on hosts that "
                "stand for none of the groups."
            )

    def _check_no_later_wave(self, named: bool) -> None:
        """Raise where tasks move the clients, and a host of a later wave has some for a group of this one.

        ``named``: groups are listed, so that a host that stands for none of them speaks for all.
        """
        batch, hostvars = set(self._batch), self._known["hostvars"]
        groups = {key for target in self._targets for key in keys_in(target)}
        ids = {key for key, *_place in groups}
        for host in self._known["ansible_play_hosts"] if groups else ():
            if host in batch:
                continue
            own = group_of(host, hostvars[host])
            if named or key_of_host(host, hostvars[host]) in groups:
                raise AuthError(
                    f"{host} is in another wave (serial) than the hosts of this one, and speaks for "
                    f"{own if own in ids else 'all replication groups'}, too, so that {self._role}_client_tasks would "
                    "be run there only after SET, and its clients would be refused. Nothing was looked at. Run the "
                    "play without serial, or such hosts in one wave."
                )

    def _locate_authorities(self, path: str) -> None:
        if self._arguments.get(files.AUTHORITIES):
            self._arguments[files.AUTHORITIES] = path

    def _begin_wave(self, path: str) -> str:
        """Begin the run file, or take up that of the waves before; return why no further wave begins."""
        known, hosts = self._known, self._batch
        self._path = "" if self._is_check else path
        others = [host for host in known["ansible_play_hosts"] if host not in hosts]
        before = self._found()
        if before is None:
            self._file = RunFile.begun(self._temporary, self._role, self._run, hosts, others)
            return ""
        waiting = [host for host in before.waiting if host in others]
        if set(before.hosts) & set(hosts):  # the play has the role once more
            self._file = before.same_wave(hosts, waiting)
            return ""
        failed = [host for host in before.hosts if host not in known["ansible_play_hosts"]]
        allowed = self._check.value("max_fail_percentage")
        if len(failed) * 100 > float(allowed) * len(before.hosts):
            self._file = before
            return (
                f"not begun. Of the {len(before.hosts)} hosts of the wave before {len(failed)} failed "
                f"({', '.join(failed[:_NAMED])}), more than {self._role}_max_fail_percentage: {allowed} allows, so "
                "that no further wave begins. Mend what they say, and take up the rest with --limit @ and the retry "
                "file, or --limit and the hosts."
            )
        self._file = before.next_wave(hosts, waiting)
        return ""

    @property
    def _run(self) -> str:
        # Below ansible-runner (AWX) the play's id gets the number of the wave, after an underscore, from the second on.
        return str(self._action._task.get_play()._uuid).partition("_")[0]

    @property
    def _temporary(self) -> str:
        """Where the run file is in any case, for later tasks: Ansible removes its own temporary files in the end."""
        folder = constants.DEFAULT_LOCAL_TMP  # type: ignore[attr-defined]  # made when that module is loaded
        # Two uses of a role in a play that name different files have different ones here, too.
        return os.path.join(folder, f"elasticache-auth-{self._role}-{self._run}-{zlib.crc32(self._path.encode())}.json")

    def _found(self) -> RunFile | None:
        """Return the run file that this run has begun, if any."""
        for path in filter(os.path.isfile, (self._temporary, self._path)):
            with contextlib.suppress(OSError, ValueError):
                if ((found := RunFile.read(path)).run, found.operation) == (self._run, self._role):
                    return found
        return None

    def _go_on(self, after: Sequence[Mapping[str, Any]]) -> None:
        """Go on with the groups whose clients have been moved: those of the hosts whose tasks came to their end."""
        folder = files.folder_of(self._known["playbook_dir"], os.getcwd())
        self._locate_authorities(self._check.authorities(folder))
        self._path = "" if self._is_check else files.located(folder, str(self._check.value("report_path") or ""))
        found = self._found()
        if found is None:
            raise AuthError(f"{self._role}: the run file is gone: {self._path or self._temporary}. Run this again.")
        self._file, self._earlier = found, found.of_wave()
        stopped = keys_of_hosts(map(group_key_in, self._file.groups), self._unmoved(), self._known["hostvars"])
        stopped = {*stopped, *self._report_failures(after)}
        going = [] if self._is_check else [cutover for cutover in after if group_key_in(cutover) not in stopped]
        self._targets = targets_at(tuple(cutover[name] for name in PLACE) for cutover in going)
        self._arguments |= {"after_cutover": going}
        soak = self._check.value("soak")
        if soak not in (None, "") and float(soak) > 0:
            self._arguments["soak"] = soak

    @property
    def _is_check(self) -> bool:
        return bool(self._action._task.check_mode)

    def _report_failures(self, after: Sequence[Mapping[str, Any]]) -> set[Key]:
        """Report the groups of which a role for the clients says that these were not moved; return them.

        A host speaks for them, and there may be several: one that failed is enough.
        """
        hostvars, failed = self._known["hostvars"], set()
        noted = [hostvars.raw_get(host).get("_client_failures") or {} for host in self._file.hosts]
        for cutover in after:
            at = " ".join(str(part or "") for part in (self._role, *(cutover[name] for name in _NOTED)))
            found = [of[at][cutover[PLACE[0]]] for of in noted if cutover[PLACE[0]] in of.get(at, {})]
            key = group_key_in(cutover)
            if found and key in self._earlier:
                # A role that gives no reason has named the group all the same.
                why = next(filter(None, found), f"{key[0]}: its clients were not moved, as the role for them says.")
                line = one_line(str(why), _MAX_LINE)
                self._earlier[key] = {**self._earlier[key], "failed": True, "msg": line, "line": line}
                self._file.put(*key, self._earlier[key])
                failed.add(key)
        return failed

    def _unmoved(self) -> list[str]:
        """Return the hosts of the wave whose tasks for their clients have not come to their end since the earlier call.

        Only some of these have failed by Ansible's account: one that a C(rescue) of the play took up has not, nor has
        one that the role was never run on (C(when)), nor one whose tasks ended the role. The host that makes this call
        has just taken note of its own, so that the others' notes are of the same cutover where they are equal.
        """
        note, hostvars, batch = f"{self._role}_moved", self._known["hostvars"], set(self._batch)
        of_this = self._known.get(f"_{note}")
        moved = {host for host in batch if of_this and hostvars.raw_get(host).get(f"_{note}") == of_this}
        silent = [host for host in self._file.hosts if host in batch and host not in moved]
        if silent:
            more = f" and {len(silent) - _NAMED} more" if len(silent) > _NAMED else ""
            Display().warning(
                f"{self._role}: {', '.join(silent[:_NAMED])}{more}: the tasks of {self._role}_client_tasks have not "
                "come to their end there, so that the clients may not have been moved. Their replication groups do not "
                "go on: run the role again for them."
            )
        return [host for host in self._file.hosts if host not in moved]

    @property
    def arguments(self) -> dict[str, Any]:
        """What the module is to be called with; nothing where there is no group."""
        return {**self._arguments, "targets": self._targets} if self._targets else {}

    @property
    def has_losers(self) -> bool:
        """Whether users may stop working when it begins."""
        return self._role in LEAVING_RBAC and self._after is None

    def tell_losers(self, plan: Result) -> None:
        """Tell which users stop working, from the module's plan."""
        for place in plan.get("targets") or ():
            for key, outcome in place["outcomes"].items():
                if not {*REMOVING_USER_GROUPS, Step.BRIDGE_USER} & set(outcome["planned_steps"]):
                    continue
                losing = [user for user in outcome["users"] if not user["retains_access"]]
                at_once = [user for user in losing if user.get("loses_access_at") == Step.BRIDGE_USER]
                for users, when in (
                    (at_once, "as soon as the bridge user takes the place of the user named default"),
                    ([user for user in losing if user not in at_once], "when its user groups are taken away"),
                ):
                    if users:
                        names = ", ".join(f"{user['user_name']} ({user['access_string']})" for user in users)
                        Display().display(one_line(f"{key}: these users stop working {when}: {names}", _MAX_LINE))

    # --- The run file ---------------------------------------------------------------------------------------------

    def keep(self, under_way: Iterable[tuple[int, str, Mapping[str, Any]]]) -> None:
        """Take in how far the groups are while the module runs, as :meth:`Account.under_way` has it; write it down."""
        with self._lock:
            begun = list(under_way)
            for number, replication_group_id, group in begun:
                key = group_key_in({**self._targets[number], "replication_group_id": replication_group_id})
                self._file.put(*key, unended(replication_group_id, group, self._earlier.get(key)))
            if begun:
                self._write()

    def ended(self, module_result: Result) -> Result:
        """Take in the module's result; return that of the task, which is small, as Ansible keeps it for each host."""
        operation = self._role
        with self._lock:
            for key, outcome in self._outcomes(module_result):
                self._file.put(*key, report_of(key[0], outcome, operation, self._earlier.get(key)))
            # One that was ended before anything was looked at leaves the file of the run before.
            is_ended_early = bool(module_result.get("failed")) and "targets" not in module_result
            trouble = "" if is_ended_early and not self._file.groups else self._write()
        kept = ("failed", "diff", "warnings", "deprecations", "exception")
        result: Result = {name: module_result[name] for name in kept if name in module_result}
        if "diff" in result:
            result["diff"] = [diff_for_role(entry, operation) for entry in result["diff"]]
        changed = bool(module_result.get("changed"))
        if "targets" in module_result:
            msg = self._file.summary()
            # Of the groups of a single host, the report tells all.
            is_of_many = len(self._batch) > 1 or self._file.wave > 1 or len(self._file.waiting) > 0
            if len(self._file.groups) > 1 and is_of_many and not self._action._task.check_mode:
                Display().display(one_line(msg, _MAX_LINE))
        elif not module_result and self._after:
            msg = "No replication group goes on: on none of their hosts the client cutover came to its end."
            if self._is_check:
                msg = "In check mode no client was moved, and no replication group goes on."
        else:
            msg = for_role(str(module_result.get("msg") or "There is no replication group."), operation)
        if trouble:
            # What was done must not be lost with the file.
            result["failed"] = True
            msg = " ".join((trouble, msg, *(report["line"] for report in self._file.of_wave().values())))
        return result | {
            "changed": changed and self._is_ours(module_result),
            "msg": msg,
            "run_file": self._file.path,
            "wave": self._file.wave,
            "cutovers": module_result.get("cutovers") or self._planned_cutovers(),
            "call_id": uuid.uuid4().hex,
            "folder": self.folder,
            "tasks_of_role": files.TASKS_OF_ROLE,
            "stopped": "",
        }

    def _planned_cutovers(self) -> list[Result]:
        """Return, in check mode, the cutovers to come, where a role for the clients tells what it would restart."""
        if not (self._is_check and self._has_client_role):
            return []
        return [
            {**dict(zip(PLACE, key, strict=True)), "stage": stage, "secret_version_id": None}
            for key, report in self._file.of_wave().items()
            if not report["failed"] and (stage := planned_cutover(report))
        ]

    def stopped(self, why: str) -> Result:
        """Return the result where no further wave begins."""
        told = {"run_file": self._file.path, "wave": self._file.wave, "cutovers": [], "folder": self.folder}
        return {"changed": False, "msg": why, "stopped": why, **told}

    def _is_ours(self, module_result: Result) -> bool:
        """Whether a change counts as one of the host that makes the call for all: where its own groups were changed.

        Ansible shows what is different only of what has changed.
        """
        if self._action._task.diff or len(self._batch) == 1:
            return True
        known = self._known
        changed = {key for key, outcome in self._outcomes(module_result) if outcome["changed"]}
        own = reports_of_host(self._file.groups, known["inventory_hostname"], known)
        return any(group_key_in(report) in changed for report in own)

    def _outcomes(self, module_result: Result) -> Iterator[tuple[Key, Mapping[str, Any]]]:
        """Yield the module's outcomes, each with what its group is known by."""
        for target, place in zip(self._targets, module_result.get("targets") or (), strict=False):
            for key, outcome in place["outcomes"].items():
                yield group_key_in({**target, "replication_group_id": key}), outcome

    def _write(self) -> str:
        """Write the run file, also where the user wants it; return why it could not be written at all."""
        text, written, wrong = self._file.text(), [], {}
        for path in filter(None, (self._temporary, self._path)):
            try:
                write_whole(path, text)
                written.append(path)
            except OSError as error:
                wrong[path] = f"{path} can't be written: {error.strerror}."
        if self._temporary in wrong:
            with contextlib.suppress(OSError):
                os.unlink(self._temporary)  # what it says is older than what the other one says
        if not written:
            return f"{self._role}: no run file: {' '.join(wrong.values())}"
        self._file.path = written[-1]
        if self._path in wrong and not self._is_warned:
            self._is_warned = True
            Display().warning(f"{self._role}_report_path: {wrong[self._path]}")
        return ""


class Keeping:
    """Calls ``keep`` now and then, as long as the context lasts, in a thread."""

    def __init__(self, keep: Callable[[], float]) -> None:
        """``keep`` returns how many seconds it took."""
        self._keep, self._ended = keep, threading.Event()
        self._thread = threading.Thread(target=self._run, name="run file", daemon=True)

    def __enter__(self) -> Keeping:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End, once what was begun is written."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        pauses = self._pauses()
        while not self._ended.wait(next(pauses)):
            pass

    def _pauses(self) -> Iterator[float]:
        yield _EVERY
        while True:
            yield max(_EVERY, _TIMES * self._keep())
