# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The module ``user`` against the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from integration import direct
from integration.run import run_playbook
from integration.user_scenes import (
    NEW,
    SECRETS,
    TAG,
    A,
    B,
    C,
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

if TYPE_CHECKING:
    from conftest import Emulator


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
