# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""``replication_group_wait``, the module and its action plugin."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import ModuleRun, auth, calls_by_action, run
from integration.meanwhile import Once, called, meanwhile
from integration.run import run_module, run_playbook
from integration.scenes import GROUP, A, B, create, create_user_group, modify, rotate, scene, slots
from waiting import PATIENCE

from ansible_collections.elasticache.auth.plugins.module_utils._auth import staleness

if TYPE_CHECKING:
    from conftest import Emulator


def wait(emulator: Emulator, *groups: str, check: bool = False, **options: Any) -> ModuleRun:
    """Run the module alone; it never changes anything."""
    args = {"replication_group_ids": list(groups or [GROUP]), "wait_delay": 0.1, **options}
    begun = time.time()
    ended = run(emulator, "replication_group_wait", args, check=check)
    assert emulator.calls(mutating="true", since=begun) == []
    assert not ended.changed
    return ended


class TestTheModule:
    """One wait, without lines of progress."""

    def test_for_a_change(self, emulator: Emulator) -> None:
        """It is done when the change has been carried out, and not before."""
        scene(emulator, "required")
        emulator.hold()
        rotate(emulator, B, wait=False)
        with meanwhile(Once(called(emulator, "DescribeReplicationGroups"), emulator.release)):
            ended = wait(emulator)
        assert not ended.failed, ended.msg
        assert re.fullmatch(rf"{GROUP}: available after [0-9]+ s\.", ended.msg)
        assert slots(emulator) == [A, B]
        assert ended.of(GROUP)["before"]["pending"] == "its status is modifying, its token is ROTATING"
        assert ended.of(GROUP)["after"]["pending"] is None
        assert ended.of(GROUP)["after"]["status"] == "available"

    def test_for_a_creation(self, emulator: Emulator) -> None:
        create(emulator, wait=False)
        assert not wait(emulator).failed
        assert emulator.group(GROUP)["status"] == "available"

    def test_for_user_groups(self, emulator: Emulator) -> None:
        create_user_group(emulator)
        scene(emulator, "required")
        emulator.hold()
        modify(emulator, wait=False, AuthTokenUpdateStrategy="DELETE", UserGroupIdsToAdd=["ug-1"])
        with meanwhile(Once(called(emulator, "DescribeReplicationGroups"), emulator.release)):
            ended = wait(emulator)
        assert "its user groups are changing" in ended.of(GROUP)["before"]["pending"]
        assert ended.of(GROUP)["after"]["user_group_ids"] == ["ug-1"]

    def test_for_nothing(self, emulator: Emulator) -> None:
        """Available already: one look."""
        scene(emulator, "required")
        known = len(emulator.calls())
        ended = wait(emulator, wait_delay=30)
        assert ended.msg == f"{GROUP}: available after 0 s."
        assert calls_by_action(emulator.calls()[known:]) == {"DescribeReplicationGroups": 1, "ListTagsForResource": 1}

    def test_time_runs_out(self, emulator: Emulator) -> None:
        """What is pending is told, for each group."""
        scene(emulator, "required")
        create(emulator, "fine")
        emulator.faults({"kind": "never-ends"})
        rotate(emulator, B, wait=False)
        ended = wait(emulator, GROUP, "fine", wait_timeout=0.5)
        assert ended.failed
        assert re.search(
            rf"{GROUP}: not done after \d+ s: its status is modifying, its token is ROTATING\. "
            r"What is under way goes on at AWS: run this again, or raise wait_timeout\.",
            ended.msg,
        )
        assert ended.of(GROUP)["pending"] == "its status is modifying, its token is ROTATING"
        assert not ended.of("fine")["failed"]
        assert ended.of("fine")["pending"] is None
        assert not wait(emulator, GROUP, "fine", wait_timeout=0.2, continue_on_error=True).failed

    def test_check_mode(self, emulator: Emulator) -> None:
        """It does not wait."""
        scene(emulator, "required")
        create(emulator, "fine")
        emulator.faults({"kind": "never-ends"})
        rotate(emulator, B, wait=False)
        ended = wait(emulator, GROUP, "fine", check=True)
        assert not ended.failed
        assert ended.of(GROUP)["msg"] == (
            f"{GROUP}: would be waited for: its status is modifying, its token is ROTATING."
        )
        assert ended.of("fine")["msg"] == "fine: available."

    def test_what_never_arrives(self, emulator: Emulator) -> None:
        """create-failed and missing groups end the wait at once, each by itself."""
        emulator.faults({"kind": "create-failed", "id": "broken"})
        create(emulator, "broken", wait=False)
        create(emulator)
        emulator.wait_until("broken", lambda group: group["status"] == "create-failed")
        ended = wait(emulator, "broken", "missing", GROUP, wait_timeout=PATIENCE)
        assert ended.failed
        assert ended.of("broken")["msg"] == (
            "broken: its status is create-failed, from which it does not become available."
        )
        assert ended.of("missing")["msg"].startswith("missing: there is no replication group of this id in us-east-1.")
        assert not ended.of(GROUP)["failed"]

    def test_creation_fails_meanwhile(self, emulator: Emulator) -> None:
        emulator.hold()
        emulator.faults({"kind": "create-failed", "id": GROUP})
        create(emulator, wait=False)
        with meanwhile(Once(called(emulator, "DescribeReplicationGroups"), emulator.release)):
            ended = wait(emulator, wait_timeout=PATIENCE)
        assert ended.msg == f"{GROUP}: its status is create-failed, from which it does not become available."
        assert ended.of(GROUP)["before"]["status"] == "creating"

    def test_deleted_meanwhile(self, emulator: Emulator) -> None:
        scene(emulator, "required")
        emulator.faults({"kind": "never-ends"})
        rotate(emulator, B, wait=False)
        with meanwhile(Once(called(emulator, "DescribeReplicationGroups"), emulator.reset)):
            ended = wait(emulator, wait_timeout=PATIENCE)
        assert ended.failed
        assert ended.msg == f"{GROUP}: it was deleted while it was waited for."

    def test_through_throttling_and_broken_connections(self, emulator: Emulator) -> None:
        scene(emulator, "required")
        emulator.hold()
        rotate(emulator, B, wait=False)
        emulator.faults(
            {"kind": "throttle", "rate": 0.3},
            {"kind": "drop", "action": "DescribeReplicationGroups", "times": 3},
        )
        with meanwhile(Once(called(emulator, "DescribeReplicationGroups", 6), emulator.release)):
            ended = wait(emulator, wait_timeout=PATIENCE)
        assert not ended.failed, ended.msg
        assert slots(emulator) == [A, B]

    @pytest.mark.parametrize("record", [True, False])
    def test_for_a_change_that_does_not_show_yet(
        self, emulator: Emulator, record: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Right after the call AWS may show the group as it was; the record knows better."""
        monkeypatch.setattr(staleness, "GRACE", 4.0)
        emulator.settings(modify_seconds=1.0)
        scene(emulator, "required")
        time.sleep(0.7)
        assert auth(emulator, "rotate", B, known_auth_tokens=[A]).changed
        assert auth(emulator, "set", B, known_auth_tokens=[A], wait=False).changed
        emulator.faults({"kind": "stale-describe", "seconds": 0.7})
        ended = wait(emulator, record=record)
        assert not ended.failed, ended.msg
        if record:
            assert slots(emulator) == [B]

    def test_not_allowed_to_look(self, emulator: Emulator) -> None:
        scene(emulator, "required")
        emulator.faults(
            {
                "kind": "error",
                "action": "DescribeReplicationGroups",
                "code": "AccessDenied",
                "message": "no",
                "times": 9,
            }
        )
        ended = wait(emulator)
        assert ended.failed
        assert ended.msg == (
            "elasticache:DescribeReplicationGroups was refused in us-east-1: AccessDenied: no. Allow it in the policy "
            "of the credentials."
        )


class TestTheActionPlugin:
    """Through ansible-playbook, with progress on its standard output."""

    def test_progress(self, emulator: Emulator) -> None:
        """Lines while it waits, for many groups together, then one result."""
        for name in ("one", "two", "three"):
            create(emulator, name, AuthToken=A)
        emulator.hold()
        for name in ("one", "two"):
            rotate(emulator, B, name, wait=False)
        task = {"replication_group_ids": ["one", "two", "three"], "wait_delay": 0.3, "wait_timeout": 240}
        line = r"^Wait for all: 1 of 3 available; 2 groups: its status is modifying, its token is ROTATING \(\d+ s\)$"
        ended = run_playbook(
            emulator,
            [
                {
                    "hosts": "localhost",
                    "gather_facts": False,
                    "tasks": [{"name": "Wait for all", "elasticache.auth.replication_group_wait": task}],
                }
            ],
            steps=[Once(line, emulator.release)],
        )
        assert ended.succeeded, ended.output
        result = ended.of("Wait for all")
        assert re.fullmatch(r"3 of 3 groups available after \d+ s\.", result["msg"])
        assert ended.recap["localhost"]["changed"] == 0
        assert set(result["outcomes"]) == {"one", "two", "three"}
        assert result["outcomes"]["one"]["before"]["pending"] == "its status is modifying, its token is ROTATING"
        assert result["outcomes"]["one"]["after"]["pending"] is None
        assert result["outcomes"]["three"]["duration"] < result["outcomes"]["one"]["duration"]
        assert all(slots(emulator, name) == [A, B] for name in ("one", "two"))

    def test_many_ends_in_one_playbook(self, emulator: Emulator) -> None:
        """Time that runs out, continue_on_error, check mode, defaults, bad options: each as the module alone ends."""
        emulator.faults(
            {"kind": "never-ends", "id": "stuck", "action": "ModifyReplicationGroup"},
            {"kind": "create-failed", "id": "broken"},
        )
        for name in ("stuck", "fine"):
            create(emulator, name, AuthToken=A)
        create(emulator, "broken", wait=False)
        rotate(emulator, B, "stuck", wait=False)
        name = "elasticache.auth.replication_group_wait"
        groups = {"replication_group_ids": ["stuck", "fine", "broken"], "wait_delay": 0.2}
        tasks: list[dict[str, Any]] = [
            {"name": "time", name: {**groups, "wait_timeout": 1}, "ignore_errors": True},
            {"name": "go on", name: {**groups, "wait_timeout": 0.5, "continue_on_error": True}},
            {
                "name": "go on no",
                name: {**groups, "wait_timeout": 0.5, "continue_on_error": "no"},
                "ignore_errors": True,
            },
            {"name": "check", name: groups, "check_mode": True, "ignore_errors": True},
            {"name": "alias", name: {"replication_group_id": "fine"}},
            {"name": "bad id", name: {"replication_group_id": "a--b"}, "ignore_errors": True},
            {"name": "bad time", name: {"replication_group_id": "fine", "wait_timeout": -1}, "ignore_errors": True},
            {"name": "no time", name: {"replication_group_id": "fine", "wait_timeout": "soon"}, "ignore_errors": True},
            {"name": "bad option", name: {"replication_group_id": "fine", "hurry": True}, "ignore_errors": True},
            {"name": "nothing", name: {}, "ignore_errors": True},
        ]
        ended = run_playbook(emulator, [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
        assert ended.succeeded, ended.output
        statuses = {one.task: one.status for one in ended.results}
        assert [title for title, status in statuses.items() if status == "ok"] == ["go on", "alias"]
        late = ended.of("time")
        assert re.search(
            r"stuck: not done after \d+ s: its status is modifying, its token is ROTATING\. "
            r"What is under way goes on at AWS: run this again, or raise wait_timeout\.",
            late["msg"],
        )
        assert "broken: its status is create-failed" in late["msg"]
        assert late["outcomes"]["fine"]["failed"] is False
        assert ended.of("go on")["outcomes"]["stuck"]["failed"] is True
        assert "would be waited for" in ended.of("check")["outcomes"]["stuck"]["msg"]
        assert ended.of("check")["msg"].endswith("from which it does not become available.")
        words = {
            "bad id": "can't be the id of a replication group",
            "bad time": "wait_timeout: -1.0 lies in the past; give seconds from 0 on.",
            "no time": "argument 'wait_timeout' is of type",
            "bad option": "Unsupported parameters",
            "nothing": "missing required arguments: replication_group_ids",
        }
        for title, word in words.items():
            assert word in ended.of(title)["msg"], title
        assert "Traceback" not in ended.output

    def test_as_a_result(self, emulator: Emulator) -> None:
        """What run_module sees: changed is false, and the group's last state is there."""
        scene(emulator, "required")
        result = run_module(emulator, "replication_group_wait", {"replication_group_id": GROUP}, verbosity=3)
        assert result["changed"] is False
        assert result["failed"] is False
        assert result["outcomes"][GROUP]["after"]["status"] == "available"
