# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The module user where AWS is busy, connections break, calls are refused, and runs are killed."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import TYPE_CHECKING

import pytest
from integration import direct
from integration.meanwhile import Once, called, meanwhile
from integration.user_scenes import (
    NEW,
    SECRETS,
    TAG,
    A,
    B,
    C,
    accepted,
    attach,
    changed,
    make,
    make_group,
    refused,
    run,
    scene,
    tags,
    truth,
    unchanged,
)
from waiting import PATIENCE

from ansible_collections.elasticache.auth.plugins.module_utils._core import access_strings
from ansible_collections.elasticache.auth.plugins.module_utils._resource import reconcile

if TYPE_CHECKING:
    from conftest import Emulator


class TestFaults:
    """What AWS does between and within calls."""

    def test_a_busy_user_is_waited_for(self, emulator: Emulator) -> None:
        make(emulator)
        emulator.hold()
        emulator.client("elasticache").modify_user(UserId="reader-1", AccessString="off -@all")
        refused(emulator, "reader-1: a change is under way", "wait: true", access_string="on ~* +@all", wait=False)
        with meanwhile(Once(called(emulator, "DescribeUsers"), emulator.release)):
            changed(emulator, access_string="on ~* +@all")
        user = truth(emulator)
        assert user is not None
        assert (user["Status"], user["AccessString"]) == ("active", "on ~* +@all")

    def test_a_busy_user_with_nothing_to_do(self, emulator: Emulator) -> None:
        make(emulator)
        emulator.hold()
        emulator.client("elasticache").modify_user(UserId="reader-1", AccessString="off -@all")
        result = unchanged(emulator, user_name="reader", wait=False)
        assert "a change is under way" in result["msg"]
        result = unchanged(emulator, state="absent", check=True, user_id="nobody")
        assert result["msg"] == "nobody: there is no such user."

    def test_a_busy_user_group_is_waited_for(self, emulator: Emulator) -> None:
        make(emulator)
        make(emulator, "other", UserName="other")
        make_group(emulator, "ug", "reader-1", "other")
        emulator.hold()
        emulator.client("elasticache").modify_user(UserId="other", AccessString="off -@all")
        refused(emulator, "a change of its user group is under way (ug is modifying)", engine="redis", wait=False)
        with meanwhile(Once(called(emulator, "DescribeUsers"), emulator.release)):
            changed(emulator, engine="redis")
        found = emulator.client("elasticache").describe_user_groups(UserGroupId="ug")["UserGroups"][0]
        assert found["Status"] == "active", "what is done is done for the user groups, too"

    def test_without_waiting(self, emulator: Emulator) -> None:
        make(emulator)
        emulator.hold()
        result = changed(emulator, passwords=[B], update_password="always", wait=False)
        assert result["msg"] == "reader-1: is being changed."
        assert result["after"]["passwords"] == "in_force"
        refused(emulator, "a change is under way", passwords=[B], wait=False)
        with meanwhile(Once(called(emulator, "DescribeUsers"), lambda: emulator.release(keep=True))):
            unchanged(emulator, passwords=[B])
        result = changed(emulator, state="absent", wait=False)
        assert result["msg"] == "reader-1: is being deleted."
        assert unchanged(emulator, state="absent", wait=False)["msg"] == "reader-1: is being deleted."
        with meanwhile(Once(called(emulator, "DescribeUsers"), emulator.release)):
            assert "its deletion was already under way" in unchanged(emulator, state="absent")["msg"]

    def test_one_that_is_being_deleted_is_made_anew(self, emulator: Emulator) -> None:
        make(emulator)
        emulator.hold()
        emulator.client("elasticache").delete_user(UserId="reader-1")
        refused(emulator, "it is being deleted", "wait: true", **NEW, wait=False)
        with meanwhile(Once(called(emulator, "DescribeUsers"), emulator.release)):
            changed(emulator, **NEW)
        unchanged(emulator, **NEW)

    @pytest.mark.parametrize("record", [True, False])
    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.parametrize("action", ["CreateUser", "ModifyUser", "DeleteUser"])
    def test_a_connection_that_breaks(self, emulator: Emulator, action: str, when: str, record: bool) -> None:
        wanted = {**NEW, "record": record}
        if action != "CreateUser":
            make(emulator, Passwords=[C])
        emulator.faults({"kind": "drop", "action": action, "when": when})
        args = {"state": "absent"} if action == "DeleteUser" else {**wanted, "update_password": "always"}
        result = changed(emulator, **args)
        assert result["api_calls"][0]["action"] == action
        if action == "DeleteUser":
            assert truth(emulator) is None
            return
        if record:
            unchanged(emulator, **wanted)
        make_group(emulator, "ug", "reader-1")
        attach(emulator)
        assert accepted(emulator, A)
        assert not accepted(emulator, C)

    def test_throttling(self, emulator: Emulator) -> None:
        emulator.faults({"kind": "throttle", "rate": 0.3, "seed": 7})
        for args in (NEW, {"passwords": [B]}):
            ended = direct.run(emulator, "user", {"user_id": "reader-1", "wait_delay": 0.05, **args}, hidden=SECRETS)
            assert not ended.failed, ended.msg
            assert ended.changed
        emulator.clear_faults()
        assert any(call["code"] == "Throttling" for call in emulator.calls())
        unchanged(emulator, passwords=[B])

    def test_a_call_that_is_refused_and_one_that_was_cut_off(self, emulator: Emulator) -> None:
        """The record is put back; one that was left behind has the next run set the passwords again."""
        changed(emulator, **NEW)
        emulator.faults({"kind": "error", "action": "ModifyUser", "code": "AccessDenied", "status": 403})
        result = run(emulator, passwords=[B])
        assert result["failed"]
        assert "Allow it in the policy of the credentials." in result["msg"]
        unchanged(emulator, passwords=[A])  # the record was put back
        user = truth(emulator)
        assert user is not None
        emulator.client("elasticache").add_tags_to_resource(
            ResourceName=user["ARN"], Tags=[{"Key": TAG, "Value": "v1 changing"}]
        )
        result = changed(emulator, passwords=[B])
        assert result["evidence"]["explanation"] == "a change of them was cut off"
        unchanged(emulator, passwords=[B])

    def test_a_call_whose_answer_was_lost_and_one_that_was_refused(self, emulator: Emulator) -> None:
        """The first one may have been carried out: the record does not go back to the passwords before it."""
        changed(emulator, **NEW)
        emulator.faults({"kind": "drop", "action": "ModifyUser", "when": "after", "times": 1})
        emulator.faults({"kind": "error", "action": "ModifyUser", "code": "AccessDenied", "status": 403, "nth": 2})
        result = run(emulator, passwords=[B])
        assert result["failed"]
        assert tags(emulator)[TAG] == "v1 changing"
        emulator.clear_faults()
        assert changed(emulator, passwords=[A])["evidence"]["explanation"] == "a change of them was cut off"

    def test_a_record_that_cannot_be_written(self, emulator: Emulator) -> None:
        changed(emulator, **NEW)
        denied = {"kind": "error", "action": "AddTagsToResource", "code": "AccessDenied", "status": 403}
        emulator.faults(denied)
        result = run(emulator, passwords=[B])
        assert result["failed"]
        assert "record: false" in result["msg"]
        assert "ModifyUser" not in direct.mutating(emulator), "nothing was changed without a record"
        emulator.clear_faults()
        emulator.faults({**denied, "nth": 2})
        result = changed(emulator, passwords=[B])
        assert "the record was not brought up to date" in result["warnings"][0]
        changed(emulator, passwords=[B])  # the record says that a change was cut off
        unchanged(emulator, passwords=[B])

    def test_the_time_limit(self, emulator: Emulator) -> None:
        emulator.faults({"kind": "never-ends", "action": "ModifyUser"})
        make(emulator)
        result = run(emulator, access_string="off -@all", wait_timeout=0.3)
        assert result["failed"]
        assert result["changed"]
        assert re.match(r"reader-1: not done after \d+ s: its status is modifying\.", result["msg"])

    def test_two_at_once(self, emulator: Emulator) -> None:
        """Someone else changes the user between the look and the call."""
        make(emulator)
        emulator.faults(
            {
                "kind": "error",
                "action": "ModifyUser",
                "code": "InvalidUserState",
                "message": "User reader-1 has status modifying. Only active users can be modified.",
            }
        )
        changed(emulator, access_string="off -@all")
        emulator.faults({"kind": "error", "action": "ModifyUser", "code": "InvalidUserState", "message": "busy"})
        result = run(emulator, access_string="on -@all", wait=False)
        assert result["failed"]
        assert "AWS did not take the call" in result["msg"]

    def test_made_by_someone_else_meanwhile(self, emulator: Emulator) -> None:
        make(emulator, Passwords=[B, C])
        emulator.faults({"kind": "error", "action": "DescribeUsers", "code": "UserNotFound", "message": "not found"})
        result = changed(emulator, **NEW)
        assert [call["action"] for call in result["api_calls"]] == ["ModifyUser"]

    def test_a_refusal_of_awss_own(self, emulator: Emulator) -> None:
        result = run(emulator, **{**NEW, "access_string": "on ~* +get a=rule-to-come"})
        assert result["failed"]
        assert result["msg"] == (
            "reader-1: elasticache:CreateUser failed in us-east-1: InvalidParameterValue: "
            "Invalid value for parameter AccessString."
        )
        assert truth(emulator) is None

    def test_clients_with_either_password(self, emulator: Emulator) -> None:
        """While a second password comes, clients with the first are served throughout."""
        probe = scene(emulator)
        emulator.hold()
        args = {"user_id": "reader-1", "passwords": [A, B], "wait_delay": 0.05, **probe}
        process = direct.fork(emulator, "user", args)
        emulator.wait_held("reader-1", "ModifyUser")
        assert accepted(emulator, A)
        emulator.release()
        while process.poll() is None:
            assert accepted(emulator, A)
        assert json.loads(process.communicate(timeout=PATIENCE)[0])["changed"]
        assert accepted(emulator, A)
        assert accepted(emulator, B)

    def test_killed_between_the_call_and_the_record(self, emulator: Emulator) -> None:
        """SIGKILL while the user is modifying; the same run again arrives, and says that it changed something."""
        changed(emulator, **NEW)
        emulator.hold()
        process = direct.fork(emulator, "user", {"user_id": "reader-1", "passwords": [B], "wait_delay": 0.05})
        try:
            emulator.wait_held("reader-1", "ModifyUser")
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        assert tags(emulator)[TAG] == "v1 changing"
        emulator.release()
        changed(emulator, passwords=[B])
        unchanged(emulator, passwords=[B])
        make_group(emulator, "ug", "reader-1")
        attach(emulator)
        assert accepted(emulator, B)
        assert not accepted(emulator, A)

    def test_a_lost_answer_without_waiting(self, emulator: Emulator) -> None:
        make(emulator)
        emulator.hold()
        emulator.faults({"kind": "drop", "action": "ModifyUser", "when": "after"})
        result = changed(emulator, access_string="off -@all", wait=False)
        assert result["msg"] == "reader-1: is being changed."
        with meanwhile(Once(called(emulator, "DescribeUsers"), emulator.release)):
            unchanged(emulator, access_string="off -@all")

    def test_a_new_user_that_aws_does_not_show_at_once(self, emulator: Emulator) -> None:
        emulator.faults(
            {"kind": "error", "action": "DescribeUsers", "code": "UserNotFound", "message": "not found", "nth": 2}
        )
        result = changed(emulator, **NEW)
        assert result["msg"] == "reader-1: created."
        assert direct.mutating(emulator) == ["CreateUser"]

    def test_an_access_string_that_aws_rewrites_in_an_unknown_way(
        self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is not sent again and again, and not waited for until the time limit."""
        make(emulator)
        monkeypatch.setattr(reconcile, "GRACE", 0.3)
        monkeypatch.setattr(access_strings, "same_access", lambda wanted, current: False)
        result = changed(emulator, access_string="on ~* +@all")
        assert direct.mutating(emulator) == ["CreateUser", "ModifyUser"]
        assert "AWS took the call, but shows access_string other than wanted" in result["warnings"][0]
