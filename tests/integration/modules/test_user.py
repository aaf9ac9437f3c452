# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The module ``user`` against the emulator."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import TYPE_CHECKING, Any

import pytest
from integration import direct
from integration.meanwhile import Once, called, meanwhile
from integration.run import run_module, run_playbook
from integration.scenes import put_secret
from waiting import PATIENCE, wait_until

from ansible_collections.elasticache.auth.plugins.module_utils._core import access_strings
from ansible_collections.elasticache.auth.plugins.module_utils._resource import reconcile

if TYPE_CHECKING:
    from conftest import Emulator

TAG = "elasticache.auth/passwords"
#: Passwords without a character that JSON or a URL would write otherwise, so that a leak can't hide behind one.
A = "Ohpeipah9aiTh0phaek7-old"
B = "Eik5ohd8Ahngoh0ahXu4-new"
C = "Iey3Wee0uchei6Ahd2oh-3rd"
SECRETS = [A, B, C]
NEW: dict[str, Any] = {
    "user_name": "reader",
    "engine": "valkey",
    "access_string": "on ~shop:* -@all +@read",
    "passwords": [A],
}


def run(emulator: Emulator, *, check: bool = False, user_id: str = "reader-1", **args: Any) -> dict[str, Any]:
    """Run the module in this process; no password may show, in its result or in a tag."""
    given = {"user_id": user_id, "wait_delay": 0.05, "wait_timeout": 120, **args}
    given = {name: value for name, value in given.items() if value is not None}
    ended = direct.run(emulator, "user", given, check=check, hidden=SECRETS)
    direct.assert_no_token(str(tags(emulator, user_id)), SECRETS)
    return {**ended.result, "failed": ended.failed, "changed": ended.changed, "warnings": told(ended)}


def told(ended: direct.ModuleRun) -> list[str]:
    """The warnings' words."""
    return [str(one["event"]["msg"]) if isinstance(one, dict) else str(one) for one in ended.result.get("warnings", [])]


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


def refused(emulator: Emulator, *words: str, **args: Any) -> dict[str, Any]:
    """Run the module and check that it fails with these words, without a call that could change anything."""
    before = direct.mutating(emulator)
    result = run(emulator, **args)
    assert result["failed"], result["msg"]
    for word in words:
        assert word in result["msg"]
    assert direct.mutating(emulator) == before
    assert not result["changed"]
    assert "exception" not in result
    return result


def truth(emulator: Emulator, user_id: str = "reader-1") -> dict[str, Any] | None:
    """What AWS shows of a user."""
    found = emulator.client("elasticache").describe_users(MaxRecords=100)["Users"]
    return next((user for user in found if user["UserId"] == user_id), None)


def tags(emulator: Emulator, user_id: str = "reader-1") -> dict[str, str]:
    """The tags of a user, none where there is no such user."""
    user = truth(emulator, user_id)
    if user is None:
        return {}
    found = emulator.client("elasticache").list_tags_for_resource(ResourceName=user["ARN"])["TagList"]
    return {tag["Key"]: tag["Value"] for tag in found}


def make(emulator: Emulator, user_id: str = "reader-1", **members: Any) -> str:
    """Make a user behind the module's back, with the password A unless ``members`` say otherwise."""
    given = {"UserName": "reader", "Engine": "valkey", "AccessString": "on ~shop:* -@all +@read", **members}
    if "NoPasswordRequired" not in given and "AuthenticationMode" not in given:
        given.setdefault("Passwords", [A])
    emulator.client("elasticache").create_user(UserId=user_id, **given)
    return user_id


def active(emulator: Emulator) -> None:
    """Wait until nothing is under way at any user or user group."""
    client = emulator.client("elasticache")

    def settled() -> bool:
        found = (
            client.describe_users(MaxRecords=100)["Users"] + client.describe_user_groups(MaxRecords=100)["UserGroups"]
        )
        return all(one["Status"] == "active" for one in found)

    wait_until(settled, "users and user groups are active")


def make_group(emulator: Emulator, group_id: str, *user_ids: str, engine: str = "valkey") -> str:
    """Make a user group behind the module's back."""
    emulator.client("elasticache").create_user_group(UserGroupId=group_id, Engine=engine, UserIds=list(user_ids))
    active(emulator)
    return group_id


def attach(emulator: Emulator, group_id: str = "ug", replication_group_id: str = "shop") -> str:
    """Make a replication group that has the user group."""
    emulator.client("elasticache").create_replication_group(
        ReplicationGroupId=replication_group_id,
        ReplicationGroupDescription="d",
        Engine="valkey",
        TransitEncryptionEnabled=True,
        NumCacheClusters=2,
        UserGroupIds=[group_id],
    )
    emulator.wait_available(replication_group_id)
    return replication_group_id


def accepted(emulator: Emulator, password: str, user_name: str = "reader", group: str = "shop") -> bool:
    """Whether the nodes accept the user with this password."""
    args = {
        "replication_group_id": group,
        "credentials": [{"name": "it", "username": user_name, "auth_token": password}],
        "data_plane_ca_path": emulator.ca_bundle,
    }
    ended = direct.run(emulator, "auth_probe", args, hidden=SECRETS)
    assert not ended.failed, ended.msg
    return bool(ended.of(group)["answers"]["it"] == "accepted")


def scene(emulator: Emulator, **members: Any) -> dict[str, Any]:
    """Make a user with the password A whose nodes can be asked; returns the options that ask them."""
    make(emulator, **members)
    make_group(emulator, "ug", "reader-1")
    attach(emulator)
    return {"probe_replication_group_id": "shop", "data_plane_ca_path": emulator.ca_bundle}


class TestFromBeginningToEnd:
    def test_by_ansible(self, emulator: Emulator) -> None:
        """At the highest verbosity, with diff, in check mode first, each step twice."""
        first = {"user_id": "Reader-1", **NEW, "tags": {"team": "shop"}}
        second = {"user_id": "reader-1", "passwords": [B, A], "access_string": "on ~* +@all"}
        gone = {"user_id": "reader-1", "state": "absent"}

        def tasks(check: bool) -> list[dict[str, Any]]:
            return [
                {"name": f"{name} {number}", "elasticache.auth.user": {**args, "wait_delay": 0.1}}
                for name, args in (("create", first), ("change", second), ("delete", gone))
                for number in ((1,) if check else (1, 2))
            ]

        play = {"hosts": "localhost", "gather_facts": False}
        predicted = run_playbook(emulator, [{**play, "tasks": tasks(True)[:1]}], check=True, diff=True, verbosity=4)
        assert direct.mutating(emulator) == []
        done = run_playbook(emulator, [{**play, "tasks": tasks(False)}], diff=True, verbosity=4)
        assert done.succeeded, done.output
        for output in (predicted.output, done.output):
            direct.assert_no_token(output, SECRETS)
        for name in ("create", "change", "delete"):
            assert done.of(f"{name} 1")["changed"], name
            assert not done.of(f"{name} 2")["changed"], name
            assert done.of(f"{name} 2")["api_calls"] == []
        assert predicted.of("create 1")["changed"]
        assert predicted.of("create 1")["after"] == done.of("create 1")["after"]
        assert done.of("create 1")["api_calls"][0]["parameters"]["AuthenticationMode"] == {
            "Type": "password",
            "Passwords": ["********"],
        }
        assert done.of("change 1")["user"]["authentication"] == {"type": "password", "password_count": 2}
        assert done.of("change 1")["before"]["passwords"] == "not_in_force"
        assert done.of("change 2")["evidence"]["passwords"] == "in_force"
        assert "user" not in done.of("delete 1")
        assert truth(emulator) is None

    def test_what_is_made_is_as_wanted(self, emulator: Emulator) -> None:
        made = changed(emulator, **NEW, tags={"team": "shop", "empty": None})
        assert made["msg"] == "reader-1: created."
        shown = truth(emulator)
        assert shown is not None
        assert (shown["UserName"], shown["Engine"], shown["AccessString"]) == (
            "reader",
            "valkey",
            "on ~shop:* -@all +@read",
        )
        assert shown["Authentication"] == {"Type": "password", "PasswordCount": 1}
        found = tags(emulator)
        assert {**found, TAG: "r"} == {"team": "shop", "empty": "", TAG: "r"}
        assert found[TAG].startswith("v1 f.")
        assert direct.mutating(emulator) == ["CreateUser"]

    def test_without_a_record_there_is_no_tag(self, emulator: Emulator) -> None:
        changed(emulator, **NEW, record=False)
        assert tags(emulator) == {}

    def test_an_option_left_out_stays(self, emulator: Emulator) -> None:
        changed(emulator, **NEW)
        unchanged(emulator)
        result = changed(emulator, access_string="off -@all")
        assert [one["parameters"] for one in result["api_calls"]] == [
            {"UserId": "reader-1", "AccessString": "off -@all"}
        ]
        assert result["diff"]["before"] == {"access_string": "on ~shop:* -@all +@read"}
        assert result["diff"]["after"] == {"access_string": "off -@all"}
        unchanged(emulator, **{**NEW, "access_string": "off -@all"})

    @pytest.mark.parametrize(
        ("given", "shown"),
        [
            ({"authentication": "iam", "user_name": None}, {"Type": "iam"}),
            ({"no_password_required": True, "user_name": "reader"}, {"Type": "no-password"}),
            ({"authentication": "no-password-required", "user_name": "reader"}, {"Type": "no-password"}),
        ],
    )
    def test_without_passwords(self, emulator: Emulator, given: dict[str, Any], shown: dict[str, Any]) -> None:
        wanted = {**NEW, "passwords": None, **given}
        changed(emulator, **wanted)
        unchanged(emulator, **wanted)
        user = truth(emulator)
        assert user is not None
        assert user["Authentication"] == shown
        assert tags(emulator) == {}

    def test_from_one_authentication_to_another(self, emulator: Emulator) -> None:
        changed(emulator, **{**NEW, "user_name": "reader-1"})
        changed(emulator, authentication="iam")
        assert TAG not in tags(emulator), "the record of passwords that are gone"
        unchanged(emulator, authentication="iam")
        result = changed(emulator, passwords=[A], update_password="on_create")
        assert result["before"]["authentication"] == "iam"
        assert result["after"]["authentication"] == "password"
        unchanged(emulator, passwords=[A])
        changed(emulator, no_password_required=True)
        unchanged(emulator, no_password_required=True)

    def test_tags(self, emulator: Emulator) -> None:
        changed(emulator, **NEW, tags={"a": "1", "b": "2"})
        record = tags(emulator)[TAG]
        result = changed(emulator, tags={"a": "3"})
        assert tags(emulator) == {"a": "3", TAG: record}
        assert result["diff"]["before"] == {"tags": {"a": "1", "b": "2"}}
        assert result["diff"]["after"] == {"tags": {"a": "3"}}
        changed(emulator, tags={"c": "4"}, purge_tags=False)
        assert tags(emulator) == {"a": "3", "c": "4", TAG: record}
        unchanged(emulator, tags={"a": "3"}, purge_tags=False)
        changed(emulator, tags={})
        assert tags(emulator) == {TAG: record}

    @pytest.mark.parametrize(
        "change",
        [
            {"passwords": [B]},
            {"passwords": [A, B]},
            {"access_string": "on ~* +@all", "engine": "redis"},
            {"authentication": "no-password-required"},
            {"tags": {"a": "b"}},
            {"tags": {"a": "b"}, "passwords": [C], "access_string": "off -@all"},
        ],
    )
    def test_what_check_mode_predicts(self, emulator: Emulator, change: dict[str, Any]) -> None:
        changed(emulator, **NEW)
        before = direct.mutating(emulator)
        predicted = run(emulator, check=True, **change)
        assert direct.mutating(emulator) == before
        done = changed(emulator, **change)
        for name in ("changed", "api_calls", "before", "after", "diff"):
            assert predicted[name] == done[name], name
        if "engine" in change:
            assert "minimum_engine_version" not in predicted["user"]
            done["user"].pop("minimum_engine_version")
        assert predicted["user"] == done["user"]

    def test_what_check_mode_predicts_of_a_deletion(self, emulator: Emulator) -> None:
        make(emulator)
        predicted = run(emulator, check=True, state="absent")
        assert predicted["changed"]
        assert truth(emulator) is not None
        done = changed(emulator, state="absent")
        for name in ("api_calls", "before", "after", "diff"):
            assert predicted[name] == done[name], name


class TestWhichPasswordsAreInForce:
    def test_by_the_record(self, emulator: Emulator) -> None:
        changed(emulator, **NEW)
        assert unchanged(emulator, passwords=[A])["evidence"] == {
            "passwords": "in_force",
            "source": "record",
            "explanation": "they are on record",
            "nodes": [],
        }
        result = changed(emulator, passwords=[B])
        assert result["evidence"]["explanation"] == "others are on record"
        assert result["diff"]["before"] == {"passwords": "not_in_force"}
        assert result["diff"]["after"] == {"passwords": "in_force"}
        unchanged(emulator, passwords=[B])
        changed(emulator, passwords=[C, B])
        unchanged(emulator, passwords=[B, C])

    def test_by_their_number(self, emulator: Emulator) -> None:
        make(emulator)
        result = changed(emulator, passwords=[A, B], record=False)
        assert result["evidence"]["source"] == "api"

    def test_by_the_nodes(self, emulator: Emulator) -> None:
        probe = scene(emulator)
        result = unchanged(emulator, passwords=[A], record=False, **probe)
        assert result["evidence"]["source"] == "probe"
        assert [node["accepted"] for node in result["evidence"]["nodes"]] == [{"password 1": True}] * 2
        changed(emulator, passwords=[B], record=False, **probe)
        assert accepted(emulator, B)
        assert not accepted(emulator, A)
        unchanged(emulator, passwords=[B], record=False, **probe)
        changed(emulator, passwords=[B, A], record=False, **probe)
        assert accepted(emulator, B)
        assert accepted(emulator, A)

    @pytest.mark.emulator(data_plane="valkey")
    def test_the_nodes_overrule_the_record(self, emulator: Emulator) -> None:
        probe = scene(emulator)
        changed(emulator, passwords=[B], **probe)
        emulator.client("elasticache").modify_user(UserId="reader-1", Passwords=[C])
        active(emulator)
        unchanged(emulator, passwords=[B])  # nothing shows it
        result = changed(emulator, passwords=[B], **probe)
        assert "changed elsewhere" in result["warnings"][0]
        assert accepted(emulator, B)
        unchanged(emulator, passwords=[B], **probe)

    def test_not_known(self, emulator: Emulator) -> None:
        make(emulator)
        result = refused(
            emulator,
            "reader-1: whether the passwords given are in force is not known",
            "there is no record of them in its tags",
            "probe_replication_group_id",
            "update_password: always",
            "update_password: on_create",
            passwords=[A],
        )
        assert result["evidence"]["passwords"] == "unknown"
        refused(emulator, "not known", check=True, passwords=[A])
        refused(emulator, "record is false", passwords=[A], record=False)
        unchanged(emulator, passwords=[B], update_password="on_create")
        changed(emulator, passwords=[B], update_password="always")
        unchanged(emulator, passwords=[B], update_password="always")
        unchanged(emulator, passwords=[B])

    def test_always_without_a_record_sets_them_each_time(self, emulator: Emulator) -> None:
        make(emulator)
        for dummy in range(2):
            changed(emulator, passwords=[B], update_password="always", record=False)
        assert TAG not in tags(emulator)

    @pytest.mark.parametrize(
        ("case", "words"),
        [
            ("not in its groups", "the user is in none of the user groups of shop"),
            ("off", "the user is off"),
            pytest.param("out of reach", "can't be reached", marks=pytest.mark.emulator(data_plane="none")),
        ],
    )
    def test_where_the_nodes_cannot_tell(self, emulator: Emulator, case: str, words: str) -> None:
        """Then the record has to do, and without one nothing is guessed."""
        if case == "not in its groups":
            make(emulator)
            make(emulator, "other", UserName="other")
            make_group(emulator, "ug", "other")
            attach(emulator)
            probe: dict[str, Any] = {"probe_replication_group_id": "shop", "data_plane_ca_path": emulator.ca_bundle}
        else:
            probe = scene(emulator, AccessString="off -@all" if case == "off" else "on ~* +@all")
        refused(emulator, words, "no record of them", passwords=[A], **probe)
        changed(emulator, passwords=[B], update_password="always", **probe)
        unchanged(emulator, passwords=[B], **probe)

    def test_a_node_that_is_not_trusted(self, emulator: Emulator) -> None:
        scene(emulator)
        refused(
            emulator, "reader-1: probe_replication_group_id: shop: the certificate of", "is not trusted",
            passwords=[A], probe_replication_group_id="shop",
        )  # fmt: skip

    def test_a_replication_group_that_is_busy_is_waited_for(self, emulator: Emulator) -> None:
        probe = scene(emulator)
        emulator.hold()
        emulator.client("elasticache").modify_replication_group(
            ReplicationGroupId="shop", CacheNodeType="cache.r7g.large", ApplyImmediately=True
        )
        emulator.wait_held("shop")
        with meanwhile(Once(called(emulator, "DescribeReplicationGroups"), emulator.release)):
            unchanged(emulator, passwords=[A], record=False, **probe)

    @pytest.mark.parametrize("tag", ["", "v1", "v2 x", "v1 f.x.y", "v1 f.!.!", "v1 u.1", "v1 v.abc", "v9 changing"])
    def test_a_tag_that_is_no_record(self, emulator: Emulator, tag: str) -> None:
        make(emulator, Tags=[{"Key": TAG, "Value": tag}])
        result = refused(emulator, "is not known", passwords=[A])
        assert result["evidence"]["source"] == "none"

    def test_secrets(self, emulator: Emulator) -> None:
        """The passwords never pass through Ansible, and a new staging label is a new password."""
        put_secret(emulator, "app", A)
        put_secret(emulator, "json", f'{{"password": "{B}"}}')
        wanted = {**NEW, "passwords": None, "password_secrets": [{"name": "app"}, {"name": "json", "key": "password"}]}
        changed(emulator, **wanted)
        unchanged(emulator, **wanted)
        unchanged(emulator, passwords=[A, B])
        make_group(emulator, "ug", "reader-1")
        attach(emulator)
        assert accepted(emulator, A)
        assert accepted(emulator, B)


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
        assert [one["action"] for one in result["api_calls"]] == ["ModifyUser"]

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


class TestDeletion:
    def test_out_of_its_user_groups(self, emulator: Emulator) -> None:
        scene(emulator)
        predicted = run(emulator, check=True, state="absent")
        result = changed(emulator, state="absent")
        assert result["warnings"] == predicted["warnings"]
        assert result["warnings"] == [
            (
                "reader-1: AWS takes the deleted user out of its user groups ug. Its clients of shop are disconnected "
                "and refused."
            )
        ]
        found = emulator.client("elasticache").describe_user_groups(UserGroupId="ug")["UserGroups"][0]
        assert (found["Status"], found["UserIds"]) == ("active", [])

    def test_the_default_of_a_redis_group(self, emulator: Emulator) -> None:
        make(emulator, "d", UserName="default", Engine="redis")
        make_group(emulator, "ug", "d", engine="redis")
        refused(
            emulator, "d: it is the user named default of ug", "elasticache.auth.user_group",
            user_id="d", state="absent",
        )  # fmt: skip

    def test_awss_own(self, emulator: Emulator) -> None:
        refused(emulator, "default: the user with the id default is AWS's own", user_id="default", state="absent")


BAD: list[tuple[dict[str, Any], str]] = [
    ({"passwords": ["short"]}, "passwords: number 1 has 5 characters, AWS takes 16 to 128."),
    ({"passwords": [A, "x" * 129]}, "passwords: number 2 has 129 characters, AWS takes 16 to 128."),
    ({"passwords": [A, B, C]}, "passwords: 3 are given, AWS takes 2. Leave the oldest out."),
    ({"passwords": [A, A]}, "passwords: the same one is given twice. Leave one out."),
    (
        {"passwords": [A + "\n"]},
        (
            "passwords: number 1: it ends in a line break (character 25): store it without, with printf in the place "
            "of echo."
        ),
    ),
    ({"passwords": [A[:4] + "\0" + A[4:]]}, "passwords: number 1: character 5 is U+0000, which can't be printed."),
    (
        {"passwords": []},
        "passwords: the list is empty. Give one or two passwords, or set authentication: no-password-required or iam.",
    ),
    (
        {"user_name": None, "passwords": [A], "authentication": "iam"},
        "passwords contradict authentication: iam, as such a user has none. Leave one of the two out.",
    ),
    (
        {"passwords": [A], "no_password_required": True},
        "passwords contradict no_password_required: true, as such a user has none. Leave one of the two out.",
    ),
    (
        {"user_name": None, "passwords": None, "no_password_required": True, "authentication": "iam"},
        "no_password_required: true contradicts authentication: iam. Leave one of the two out.",
    ),
    (
        {"passwords": None, "authentication": "iam", "user_name": "someone"},
        (
            "user_name: someone is not the id. Of a user with authentication: iam both have to be the same, in lower "
            "case. Set user_name: reader-1, or leave it out."
        ),
    ),
    ({"user_name": "a b"}, "user_name: 'a b' can't be a user's name: that is not empty and has no spaces."),
    ({"user_name": ""}, "user_name: '' can't be a user's name: that is not empty and has no spaces."),
    (
        {"access_string": " "},
        "access_string: it is empty, and AWS takes none such. A user without any right is: off -@all.",
    ),
    (
        {"access_string": "on >Quai4aew4oes-in-the-clear ~* +@all"},
        (
            "access_string: it holds a rule about passwords, which AWS refuses there. Take it out, and use passwords "
            "or no_password_required."
        ),
    ),
    (
        {"access_string": "on nopass ~* +@all"},
        (
            "access_string: it holds a rule about passwords, which AWS refuses there. Take it out, and use passwords "
            "or no_password_required."
        ),
    ),
    (
        {"access_string": "reset on ~*"},
        "access_string: AWS refuses reset there, as it would take the passwords away. Leave it out.",
    ),
    (
        {"access_string": "on (~a +get"},
        "access_string: its parentheses are not balanced. A selector is written as (~key* +@read).",
    ),
    (
        {"access_string": "on nonsense"},
        (
            "access_string: of its rules, separated by spaces, these can be none, counted from 1: 2. There are on, "
            "off, ~key*, &channel*, +command, -command, +@category and -@category, as in: on ~app:* -@all +@read."
        ),
    ),
    ({"tags": {TAG: "x"}}, f"tags: {TAG} is not yours to set: leave it out. It is never removed either."),
    (
        {"passwords": None, "authentication": "iam", "user_name": None, "probe_replication_group_id": "shop"},
        (
            "probe_replication_group_id: its nodes are asked for passwords, and none is given. Leave the option out, "
            "or give passwords."
        ),
    ),
    ({"user_name": None}, "there is no such user yet, and to make it AWS needs user_name."),
    (
        {"user_name": None, "engine": None, "access_string": None, "passwords": None},
        (
            "there is no such user yet, and to make it AWS needs user_name, engine, access_string, one of passwords, "
            "password_secrets, no_password_required and authentication."
        ),
    ),
    (
        {"passwords": None, "authentication": "password"},
        "there is no such user yet, and to make it AWS needs passwords or password_secrets.",
    ),
    (
        {"passwords": None, "password_secrets": [{"name": "missing"}]},
        "there is no secret missing in us-east-1. Create it, or check password_secrets.name and region.",
    ),
    (
        {"passwords": None, "password_secrets": [{"name": "app", "stage": "AWSPENDING"}]},
        (
            "the secret app holds no token in AWSPENDING (yet). Stage one, or name another label in "
            "password_secrets.stage."
        ),
    ),
]


class TestBadInput:
    """One clear message that names the user and the option, before any call that changes something."""

    @pytest.mark.parametrize(("given", "message"), BAD)
    def test_before_any_call(self, emulator: Emulator, given: dict[str, Any], message: str) -> None:
        put_secret(emulator, "app", A)
        result = refused(emulator, **{**NEW, **given})
        assert result["msg"] == f"reader-1: {message}"
        assert "in-the-clear" not in str(result), "a password written into an access string"

    @pytest.mark.parametrize("user_id", ["", "1a", "a--b", "a-", "a_b", "ä", "a" * 41, "a b"])
    def test_ids(self, emulator: Emulator, user_id: str) -> None:
        for state in ("present", "absent"):
            ended = direct.run(emulator, "user", {"user_id": user_id, **NEW, "state": state})
            assert ended.failed
            assert ended.msg.startswith(f"user_id: '{user_id}' can't be the id of a user: that has 1 to 40 letters")
        assert emulator.calls(service="elasticache") == []

    def test_a_name_that_differs(self, emulator: Emulator) -> None:
        make(emulator)
        refused(emulator, "reader-1: user_name: other is wanted, but it is reader, and AWS can't change it",
                user_name="other")  # fmt: skip

    def test_iam_for_a_name_that_is_not_the_id(self, emulator: Emulator) -> None:
        make(emulator)
        refused(emulator, "its name is reader, which AWS can't change", authentication="iam")

    def test_a_password_is_wanted_and_none_given(self, emulator: Emulator) -> None:
        make(emulator, NoPasswordRequired=True)
        refused(emulator, "it is no-password-required, and no password is given", authentication="password")

    def test_awss_own_user(self, emulator: Emulator) -> None:
        unchanged(emulator, user_id="default", engine="redis")
        refused(emulator, "default: the user with the id default is AWS's own", "user_name: default",
                user_id="default", access_string="off -@all")  # fmt: skip

    def test_no_password_in_a_valkey_group(self, emulator: Emulator) -> None:
        make(emulator)
        make_group(emulator, "ug", "reader-1")
        refused(emulator, "it is in ug, and a user group for valkey takes no user without a password",
                no_password_required=True)  # fmt: skip

    def test_a_replication_group_that_is_not_there(self, emulator: Emulator) -> None:
        make(emulator)
        refused(emulator, "reader-1: probe_replication_group_id: there is no replication group nowhere in us-east-1",
                passwords=[A], probe_replication_group_id="nowhere")  # fmt: skip

    def test_times(self, emulator: Emulator) -> None:
        for given in ({"wait_delay": 0}, {"wait_timeout": -1}, {"data_plane_timeout": 0}):
            assert next(iter(given)) in refused(emulator, **NEW, **given)["msg"]

    def test_by_ansible_itself(self, emulator: Emulator) -> None:
        result = run_module(emulator, "user", {"user_id": "u", "passwords": [A], "password_secrets": [{"name": "s"}]},
                            verbosity=4)  # fmt: skip
        assert result["failed"]
        assert "mutually exclusive" in result["msg"]
        direct.assert_no_token(result["output"], SECRETS)
