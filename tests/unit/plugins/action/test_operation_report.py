# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What a host is told at the end of a role."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.template import Templar

from ansible_collections.elasticache.auth.plugins.action.operation_report import ActionModule
from ansible_collections.elasticache.auth.plugins.module_utils._operation.run_file import RunFile, write_whole

UNTRUSTED = "{{ 6 * 7 }}"


def report(host: str, variables: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
    """Run the action for a host."""
    loader, task, shell = DataLoader(), Task(), SimpleNamespace(tmpdir=None)
    task.args, task.check_mode, task.async_val = arguments, False, 0
    connection: Any = SimpleNamespace(_shell=shell, has_pipelining=False)
    action = ActionModule(task, connection, PlayContext(), loader, Templar(loader=loader), None)
    result: dict[str, Any] = action.run(None, {"inventory_hostname": host, **(variables or {})})
    return result


def _told(key: str, changed: bool, failed: bool) -> dict[str, Any]:
    return {"changed": changed, "failed": failed, "msg": "said.", "line": f"{key}: {UNTRUSTED}"}


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> str:
    """A run file in its second wave, of which ``one`` was changed, ``two`` failed, and ``three`` was left as it was."""
    first = RunFile.begun("", "rotate_token", "run", ["zero"], ["one"])
    first.put("zero", None, None, _told("zero", True, True))
    wave = first.next_wave(["one"], [])
    for key, changed, failed in (("one", True, False), ("two", False, True), ("three", False, False)):
        wave.put(key, None, None, _told(key, changed, failed))
    path = str(tmp_path / "run.json")
    write_whole(path, wave.text())
    return path


@pytest.mark.parametrize(
    ("host", "variables", "changed", "failed", "msg"),
    [
        ("one", {}, True, False, [f"one: {UNTRUSTED}"]),
        ("h", {"replication_group_id": "TWO"}, False, True, f"two: {UNTRUSTED}"),
        ("three", {}, False, False, [f"three: {UNTRUSTED}"]),
        # One that stands for none of this wave tells of all of them, and of no other wave.
        ("bastion", {}, True, True, f"1 of 3 groups failed. two: {UNTRUSTED}"),
    ],
)
def test_what_a_host_reports(
    path: str, host: str, variables: dict[str, Any], changed: bool, failed: bool, msg: list[str] | str
) -> None:
    told = report(host, variables, run_file=path)
    assert (told["changed"], told["failed"]) == (changed, failed)
    assert told["msg"] == msg


def test_a_run_without_groups(tmp_path: Path) -> None:
    path = str(tmp_path / "run.json")
    write_whole(path, RunFile.begun("", "rotate_token", "run", [], []).text())
    told = report("one", run_file=path)
    assert (told["skipped"], told["changed"], told["msg"]) == (True, False, "There is no replication group.")


def test_a_wave_that_has_not_begun(path: str) -> None:
    with pytest.raises(AnsibleActionFail, match=r"^one: not begun\. Of the 2 hosts"):
        report("one", run_file=path, stopped="not begun. Of the 2 hosts")


@pytest.mark.parametrize("content", [None, "", "{}", '{"groups": [], "run": 1}'])
def test_no_run_file(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "run.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(
        AnsibleActionFail, match=rf"^run_file: {path} can't be read: .* It is what auth_operation returned"
    ):
        report("one", run_file=str(path))
