# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The module ``user_group`` against the emulator."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from integration import direct
from integration.meanwhile import Once, called, meanwhile
from integration.run import run_playbook
from integration.user_scenes import accepted, active, attach, make, told

if TYPE_CHECKING:
    from conftest import Emulator

A = "Ohpeipah9aiTh0phaek7-old"


def run(emulator: Emulator, *, check: bool = False, user_group_id: str = "ug", **args: Any) -> dict[str, Any]:
    """Run the module in this process."""
    given = {"user_group_id": user_group_id, "wait_delay": 0.05, "wait_timeout": 120, **args}
    given = {name: value for name, value in given.items() if value is not None}
    ended = direct.run(emulator, "user_group", given, check=check, hidden=[A])
    return {**ended.result, "failed": ended.failed, "changed": ended.changed, "warnings": told(ended)}


def changed(emulator: Emulator, **args: Any) -> dict[str, Any]:
    """Run the module and check that it changes something."""
    result = run(emulator, **args)
    assert not result["failed"], result["msg"]
    assert result["changed"], result["msg"]
    return result


def unchanged(emulator: Emulator, **args: Any) -> dict[str, Any]:
    """Run the module and check that it changes nothing, and makes no call that could."""
    before = direct.mutating(emulator)
    result = run(emulator, **args)
    assert not result["failed"], result["msg"]
    assert not result["changed"], result["msg"]
    assert result["api_calls"] == []
    assert direct.mutating(emulator) == before
    return result


def refused(emulator: Emulator, message: str, **args: Any) -> dict[str, Any]:
    """Run the module and check that it fails with just this message, without a call that could change anything."""
    before = direct.mutating(emulator)
    for check in (True, False):
        result = run(emulator, check=check, **args)
        assert result["failed"], result["msg"]
        assert result["msg"] == message
        assert not result["changed"]
        assert "exception" not in result
    assert direct.mutating(emulator) == before
    return result


def truth(emulator: Emulator, group_id: str = "ug") -> dict[str, Any] | None:
    """What AWS shows of a user group."""
    found = emulator.client("elasticache").describe_user_groups(MaxRecords=100)["UserGroups"]
    return next((group for group in found if group["UserGroupId"] == group_id), None)


def members(emulator: Emulator) -> list[str]:
    """The users of the user group, which has to be active."""
    group = truth(emulator)
    assert group is not None
    assert group["Status"] == "active"
    return sorted(group["UserIds"])


def users(emulator: Emulator, *ids: str, **given: Any) -> None:
    """Make users, each with its id for a name unless ``given`` says otherwise."""
    for key in ids:
        make(emulator, key, **{"UserName": key, **given})


class TestFromBeginningToEnd:
    def test_by_ansible(self, emulator: Emulator) -> None:
        """Users and their group, each step twice, in one play; then once more in check mode."""
        user = {"engine": "redis", "access_string": "on ~* +@all", "passwords": [A], "wait_delay": 0.1}
        group = {"user_group_id": "UG", "wait_delay": 0.1}
        steps = {
            "default": ("user", {**user, "user_id": "d", "user_name": "default"}),
            "reader": ("user", {**user, "user_id": "r", "user_name": "r"}),
            "create": ("user_group", {**group, "engine": "redis", "user_ids": ["D"], "tags": {"team": "shop"}}),
            "add": ("user_group", {**group, "user_ids": ["d", "r"]}),
            "remove": ("user_group", {**group, "user_ids": ["d"], "engine": "valkey"}),
            "delete": ("user_group", {**group, "state": "absent"}),
        }

        def play(*numbers: int) -> dict[str, Any]:
            tasks = [
                {"name": f"{name} {number}", f"elasticache.auth.{module}": args}
                for name, (module, args) in steps.items()
                for number in numbers
            ]
            return {"hosts": "localhost", "gather_facts": False, "tasks": tasks}

        done = run_playbook(emulator, [play(1, 2)], diff=True, verbosity=4)
        assert done.succeeded, done.output
        direct.assert_no_token(done.output, [A])
        for name in steps:
            assert done.of(f"{name} 1")["changed"], name
            assert not done.of(f"{name} 2")["changed"], name
            assert done.of(f"{name} 2")["api_calls"] == []
        assert done.of("create 1")["user_group"]["status"] == "active"
        assert done.of("add 1")["diff"]["after"] == {"user_ids": ["d", "r"]}
        assert done.of("remove 1")["api_calls"] == [
            {
                "action": "ModifyUserGroup",
                "parameters": {"UserGroupId": "ug", "Engine": "valkey", "UserIdsToRemove": ["r"]},
            }
        ]
        assert truth(emulator) is None

    @pytest.mark.parametrize(
        "change",
        [
            {"user_ids": ["b", "c"]},
            {"user_ids": ["c"], "purge_user_ids": False},
            {"user_ids": ["a"], "engine": "valkey"},
            {"user_ids": []},
            {"tags": {"x": "y"}, "user_ids": ["a"]},
            {"state": "absent"},
        ],
    )
    def test_what_check_mode_predicts(self, emulator: Emulator, change: dict[str, Any]) -> None:
        users(emulator, "a", "b", "c")
        predicted = run(emulator, check=True, engine="valkey", user_ids=["a", "b"], tags={"t": "u"})
        assert truth(emulator) is None
        done = changed(emulator, engine="valkey", user_ids=["a", "b"], tags={"t": "u"})
        for name in ("api_calls", "after", "diff"):
            assert predicted[name] == done[name], name
        before = direct.mutating(emulator)
        predicted = run(emulator, check=True, **change)
        assert direct.mutating(emulator) == before
        done = changed(emulator, **change)
        for name in ("changed", "api_calls", "before", "after", "diff"):
            assert predicted[name] == done[name], name
        assert predicted.get("user_group") == done.get("user_group")

    def test_exactly_or_at_least(self, emulator: Emulator) -> None:
        users(emulator, "a", "b", "c")
        changed(emulator, engine="valkey", user_ids=["a", "b"])
        unchanged(emulator, user_ids=["b", "A"])
        unchanged(emulator)
        unchanged(emulator, user_ids=["a"], purge_user_ids=False)
        changed(emulator, user_ids=["c"], purge_user_ids=False)
        assert members(emulator) == ["a", "b", "c"]
        changed(emulator, user_ids=["c"])
        assert members(emulator) == ["c"]
        changed(emulator, user_ids=[])
        assert members(emulator) == []

    def test_without_users(self, emulator: Emulator) -> None:
        changed(emulator, engine="valkey")
        assert members(emulator) == []

    def test_many_users(self, emulator: Emulator) -> None:
        """As many as it takes, described in pages and not one by one."""
        ids = [f"u{number}" for number in range(100)]
        users(emulator, *ids)
        changed(emulator, engine="valkey", user_ids=ids)
        assert members(emulator) == sorted(ids)
        assert len(emulator.calls(action="DescribeUsers")) <= 6
        unchanged(emulator, user_ids=ids)

    def test_one_default_takes_anothers_place(self, emulator: Emulator) -> None:
        """In one call: a user group for redis is never without."""
        users(emulator, "d1", "d2", UserName="default", Engine="redis")
        changed(emulator, engine="redis", user_ids=["d1"])
        result = changed(emulator, user_ids=["d2"])
        assert [one["parameters"] for one in result["api_calls"]] == [
            {"UserGroupId": "ug", "UserIdsToAdd": ["d2"], "UserIdsToRemove": ["d1"]}
        ]

    def test_who_is_refused_is_reported(self, emulator: Emulator) -> None:
        users(emulator, "a", "b")
        changed(emulator, engine="valkey", user_ids=["a", "b"])
        attach(emulator)
        assert accepted(emulator, A, "b")
        result = changed(emulator, user_ids=["a"])
        assert result["warnings"] == ["ug: taking out b disconnects their clients of shop and refuses them."]
        assert not accepted(emulator, A, "b")
        assert accepted(emulator, A, "a")
        assert result["after"]["replication_group_ids"] == ["shop"]
        assert "nobody is accepted any more" in run(emulator, check=True, user_ids=[])["warnings"][0]


class TestFaults:
    def test_a_busy_user_group_is_waited_for(self, emulator: Emulator) -> None:
        users(emulator, "a", "b")
        changed(emulator, engine="valkey", user_ids=["a"])
        emulator.hold()
        emulator.client("elasticache").modify_user(UserId="a", AccessString="off -@all")
        refused(
            emulator,
            "ug: a change is under way (its status is modifying), and no other is begun. With wait: true it is waited "
            "for, and what is then left to do is done.",
            user_ids=["a", "b"],
            wait=False,
        )
        assert "a change is under way" in unchanged(emulator, user_ids=["a"], wait=False)["msg"]
        with meanwhile(Once(called(emulator, "DescribeUserGroups"), emulator.release)):
            changed(emulator, user_ids=["a", "b"])
        assert members(emulator) == ["a", "b"]

    def test_a_busy_user_is_waited_for(self, emulator: Emulator) -> None:
        users(emulator, "a")
        emulator.hold()
        emulator.client("elasticache").modify_user(UserId="a", AccessString="off -@all")
        refused(
            emulator,
            "ug: user_ids: a change of a user is under way (a is modifying), and no other is begun. "
            "With wait: true it is waited for.",
            engine="valkey",
            user_ids=["a"],
            wait=False,
        )
        with meanwhile(Once(called(emulator, "DescribeUsers"), emulator.release)):
            changed(emulator, engine="valkey", user_ids=["a"])

    def test_a_user_that_is_being_deleted(self, emulator: Emulator) -> None:
        users(emulator, "a", "b")
        changed(emulator, engine="valkey", user_ids=["a"])
        emulator.hold()
        emulator.client("elasticache").delete_user(UserId="b")
        refused(
            emulator,
            "ug: user_ids: b is being deleted. Leave it out, or run this again and make it anew.",
            user_ids=["a", "b"],
        )

    def test_without_waiting(self, emulator: Emulator) -> None:
        users(emulator, "a", "b")
        emulator.hold()
        result = changed(emulator, engine="valkey", user_ids=["a"], wait=False)
        assert result["msg"] == "ug: is being created."
        assert result["user_group"]["status"] == "creating"
        emulator.release(keep=True)
        active(emulator)
        result = changed(emulator, user_ids=["b"], wait=False)
        assert result["msg"] == "ug: is being changed."
        assert result["after"]["user_ids"] == ["b"]
        emulator.release(keep=True)
        active(emulator)
        assert changed(emulator, state="absent", wait=False)["msg"] == "ug: is being deleted."
        assert unchanged(emulator, state="absent", wait=False)["msg"] == "ug: is being deleted."
        with meanwhile(Once(called(emulator, "DescribeUserGroups"), emulator.release)):
            assert unchanged(emulator, state="absent")["msg"] == "ug: gone, its deletion was already under way."
        assert unchanged(emulator, state="absent")["msg"] == "ug: there is no such user group."

    def test_members_change_between_the_look_and_the_call(self, emulator: Emulator) -> None:
        """AWS refuses all for one user that is not, or already, a member: what is left is worked out again."""
        users(emulator, "a", "b", "c")
        changed(emulator, engine="valkey", user_ids=["a", "b"])
        for message in ("User b is not a member of user group ug.", "User c is already a member of user group ug."):
            emulator.faults(
                {"kind": "error", "action": "ModifyUserGroup", "code": "InvalidParameterValue", "message": message}
            )
        changed(emulator, user_ids=["a", "c"])
        assert members(emulator) == ["a", "c"]

    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.parametrize("action", ["CreateUserGroup", "ModifyUserGroup", "DeleteUserGroup"])
    def test_a_connection_that_breaks(self, emulator: Emulator, action: str, when: str) -> None:
        users(emulator, "a", "b")
        if action != "CreateUserGroup":
            changed(emulator, engine="valkey", user_ids=["a"])
        emulator.faults({"kind": "drop", "action": action, "when": when})
        if action == "DeleteUserGroup":
            changed(emulator, state="absent")
            assert truth(emulator) is None
            return
        result = changed(emulator, engine="valkey", user_ids=["b"])
        assert [one["action"] for one in result["api_calls"]] == [action]
        assert members(emulator) == ["b"]
        assert len(emulator.calls(action=action)) == (2 if when == "before" else 1), "never repeated unasked"
        unchanged(emulator, user_ids=["b"])

    def test_throttling(self, emulator: Emulator) -> None:
        users(emulator, "a", "b")
        emulator.faults({"kind": "throttle", "rate": 0.3, "seed": 3})
        changed(emulator, engine="valkey", user_ids=["a"])
        changed(emulator, user_ids=["b"])
        emulator.clear_faults()
        assert any(call["code"] == "Throttling" for call in emulator.calls())
        assert members(emulator) == ["b"]

    def test_the_time_limit(self, emulator: Emulator) -> None:
        users(emulator, "a", "b")
        changed(emulator, engine="valkey", user_ids=["a"])
        emulator.faults({"kind": "never-ends", "action": "ModifyUserGroup"})
        result = run(emulator, user_ids=["b"], wait_timeout=0.3)
        assert result["failed"]
        assert re.match(r"ug: not done after \d+ s: its status is modifying\.", result["msg"])
        assert "raise wait_timeout" in result["msg"]

    def test_made_by_someone_else_meanwhile(self, emulator: Emulator) -> None:
        users(emulator, "a", "b")
        changed(emulator, engine="valkey", user_ids=["a"])
        emulator.faults(
            {"kind": "error", "action": "DescribeUserGroups", "code": "UserGroupNotFound", "message": "not found"}
        )
        result = changed(emulator, engine="valkey", user_ids=["b"])
        assert [one["action"] for one in result["api_calls"]] == ["ModifyUserGroup"]

    def test_attached_between_the_look_and_the_call(self, emulator: Emulator) -> None:
        """AWS's refusal has the same code as that of a busy one: the next look tells who has it."""
        users(emulator, "a")
        changed(emulator, engine="valkey", user_ids=["a"])
        emulator.faults(
            {
                "kind": "error",
                "action": "DeleteUserGroup",
                "code": "InvalidUserGroupState",
                "message": "User group ug is associated with a cache and can't be deleted.",
                "times": 100,
            }
        )
        result = run(emulator, state="absent")
        assert result["failed"]
        assert "User group ug is associated with a cache" in result["msg"]

    def test_no_permission(self, emulator: Emulator) -> None:
        users(emulator, "a")
        emulator.faults({"kind": "error", "action": "DescribeUsers", "code": "AccessDenied", "message": "no"})
        result = run(emulator, engine="valkey", user_ids=["a"])
        assert result["failed"]
        assert result["msg"] == (
            "ug: elasticache:DescribeUsers was refused in us-east-1: AccessDenied: no. Allow it in the policy of the "
            "credentials."
        )


class TestBadInput:
    """One clear message that names the user group and the option, before any call that changes something."""

    @pytest.fixture(autouse=True)
    def _users(self, emulator: Emulator) -> None:
        users(emulator, "a", "b")
        users(emulator, "a2", UserName="a")
        users(emulator, "free", NoPasswordRequired=True)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"user_ids": ["a"]}, "engine: there is no such user group yet, and to make it AWS needs one."),
            (
                {"engine": "valkey", "user_ids": ["a", "x", "y"]},
                "user_ids: there is no user x, y in its region. Create it with elasticache.auth.user, or leave it out.",
            ),
            (
                {"engine": "valkey", "user_ids": ["a", "A"]},
                "user_ids: a is listed twice. AWS does not tell upper from lower case in ids.",
            ),
            (
                {"engine": "valkey", "user_ids": ["a", "a2"]},
                (
                    "user_ids: a and a2 have the same user name, a, and a user group takes each name once. "
                    "Keep one of them."
                ),
            ),
            (
                {"engine": "redis", "user_ids": ["a"]},
                (
                    "user_ids: none of the users is named default, and a user group for redis needs one. Add a user "
                    "with user_name: default; one with access_string: off -@all accepts nobody."
                ),
            ),
            (
                {"engine": "redis"},
                (
                    "user_ids: none of the users is named default, and a user group for redis needs one. Add a user "
                    "with user_name: default; one with access_string: off -@all accepts nobody."
                ),
            ),
            (
                {"engine": "valkey", "user_ids": ["free"]},
                (
                    "user_ids: free needs no password, and a user group for valkey takes no such user. Give it "
                    "passwords with elasticache.auth.user, or leave it out."
                ),
            ),
            (
                {"engine": "valkey", "user_ids": [f"u{number}" for number in range(101)]},
                (
                    "user_ids: 101 users are too many, a user group takes 100. Leave some out: several clients can "
                    "share a user."
                ),
            ),
            (
                {"engine": "valkey", "user_ids": ["a--b"]},
                (
                    "user_ids: 'a--b' can't be the id of a user: that has 1 to 40 letters, digits and hyphens, begins "
                    "with a letter, has no two hyphens in a row and none at its end."
                ),
            ),
            (
                {"engine": "valkey", "tags": {"aws:x": "y"}},
                "tags: aws:x is not yours to set: leave it out. It is never removed either.",
            ),
        ],
    )
    def test_before_any_call(self, emulator: Emulator, given: dict[str, Any], message: str) -> None:
        refused(emulator, f"ug: {message}", **given)

    @pytest.mark.parametrize("group_id", ["", "1a", "a--b", "a-", "a_b", "a" * 41])
    def test_ids(self, emulator: Emulator, group_id: str) -> None:
        for state in ("present", "absent"):
            args = {"user_group_id": group_id, "engine": "valkey", "state": state}
            ended = direct.run(emulator, "user_group", args)
            assert ended.failed
            assert ended.msg.startswith(
                f"user_group_id: '{group_id}' can't be the id of a user group: that has 1 to 40"
            )
        assert emulator.calls(action="DescribeUserGroups") == []

    def test_the_default_taken_out(self, emulator: Emulator) -> None:
        users(emulator, "d", UserName="default", Engine="redis")
        users(emulator, "r", Engine="redis")
        changed(emulator, engine="redis", user_ids=["d", "r"])
        refused(
            emulator,
            "ug: user_ids: none of the users is named default, and a user group for redis needs one. Add a user with "
            "user_name: default; one with access_string: off -@all accepts nobody.",
            user_ids=["r"],
        )

    def test_too_many_with_those_that_are_there(self, emulator: Emulator) -> None:
        ids = [f"u{number}" for number in range(100)]
        users(emulator, *ids)
        changed(emulator, engine="valkey", user_ids=ids)
        refused(
            emulator,
            "ug: user_ids: 101 users are too many, a user group takes 100. Leave some out: several clients can share a "
            "user.",
            user_ids=["a"],
            purge_user_ids=False,
        )

    def test_in_use(self, emulator: Emulator) -> None:
        changed(emulator, engine="valkey", user_ids=["a"])
        attach(emulator)
        refused(
            emulator,
            "ug: the replication group shop has it, and AWS deletes no user group that is in use. Give a replication "
            "group other user groups with user_group_ids of elasticache.auth.replication_group, or take it back to a "
            "token with elasticache.auth.replication_group_auth, first.",
            state="absent",
        )

    def test_valkey_where_a_redis_group_has_it(self, emulator: Emulator) -> None:
        users(emulator, "d", UserName="default", Engine="redis")
        changed(emulator, engine="redis", user_ids=["d"])
        emulator.client("elasticache").create_replication_group(
            ReplicationGroupId="old",
            ReplicationGroupDescription="d",
            Engine="redis",
            TransitEncryptionEnabled=True,
            UserGroupIds=["ug"],
        )
        emulator.wait_available("old")
        refused(
            emulator,
            "ug: engine: valkey is wanted, but old has it, and a Redis OSS group takes only user groups for redis. "
            "Move it to valkey first, or leave the option out.",
            engine="valkey",
        )

    def test_a_refusal_of_awss_own(self, emulator: Emulator) -> None:
        """A user for valkey in a group for redis: no fact says so, so it is AWS that does."""
        users(emulator, "d", UserName="default", Engine="redis")
        result = run(emulator, engine="redis", user_ids=["d", "a"])
        assert result["failed"]
        assert result["msg"].startswith(
            "ug: elasticache:CreateUserGroup failed in us-east-1: InvalidParameterCombination"
        )
        assert truth(emulator) is None
