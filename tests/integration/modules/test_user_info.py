# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The modules ``user_info`` and ``user_group_info`` against the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from integration import direct
from integration.run import run_playbook
from integration.user_scenes import active, attach, make, make_group

if TYPE_CHECKING:
    from conftest import Emulator

A = "Ohpeipah9aiTh0phaek7-old"


def ask(emulator: Emulator, module: str, **args: Any) -> dict[str, Any]:
    """Run an info module, which may call nothing that changes anything, and return its result."""
    before = direct.mutating(emulator)
    ended = direct.run(emulator, module, args, hidden=[A])
    assert not ended.failed, ended.msg
    assert not ended.changed
    assert direct.mutating(emulator) == before
    return ended.result


def test_one_of_each_by_ansible(emulator: Emulator) -> None:
    make(emulator, "reader-1", Tags=[{"Key": "Team", "Value": "Shop"}])
    make_group(emulator, "ug", "reader-1")
    attach(emulator)
    tasks = [
        {"name": "user", "elasticache.auth.user_info": {"user_id": "Reader-1"}},
        {"name": "group", "elasticache.auth.user_group_info": {"user_group_id": "ug"}},
        {"name": "all", "elasticache.auth.user_info": {}},
    ]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    done = run_playbook(emulator, [play], check=True, diff=True, verbosity=4)
    assert done.succeeded, done.output
    direct.assert_no_token(done.output, [A])
    arn = "arn:aws:elasticache:us-east-1:123456789012"
    assert done.of("user")["users"] == [
        {
            "user_id": "reader-1",
            "user_name": "reader",
            "status": "active",
            "engine": "valkey",
            "minimum_engine_version": "7.2",
            "access_string": "on ~shop:* -@all +@read",
            "user_group_ids": ["ug"],
            "authentication": {"type": "password", "password_count": 1},
            "arn": f"{arn}:user:reader-1",
            "tags": {"Team": "Shop"},
        }
    ]
    assert done.of("group")["user_groups"] == [
        {
            "user_group_id": "ug",
            "status": "active",
            "engine": "valkey",
            "minimum_engine_version": "7.2",
            "user_ids": ["reader-1"],
            "pending_changes": {},
            "replication_groups": ["shop"],
            "serverless_caches": [],
            "arn": f"{arn}:usergroup:ug",
            "tags": {},
        }
    ]
    assert [user["user_id"] for user in done.of("all")["users"]] == ["default", "reader-1"]


def test_users_by_name(emulator: Emulator) -> None:
    make(emulator, "one")
    make(emulator, "two")
    make(emulator, "three", UserName="writer")
    result = ask(emulator, "user_info", user_names=["reader", "nobody"])
    assert [user["user_id"] for user in result["users"]] == ["one", "two"]
    assert result["missing"] == ["nobody"]
    assert [user["user_id"] for user in ask(emulator, "user_info", user_name="default")["users"]] == ["default"]


def test_what_is_not_there(emulator: Emulator) -> None:
    make(emulator, "one")
    result = ask(emulator, "user_info", user_ids=["nobody", "ONE", "one"])
    assert [user["user_id"] for user in result["users"]] == ["one"]
    assert result["missing"] == ["nobody"]
    result = ask(emulator, "user_group_info", user_group_ids=["nothing"])
    assert (result["user_groups"], result["missing"]) == ([], ["nothing"])
    result = ask(emulator, "user_group_info")
    assert (result["user_groups"], result["missing"]) == ([], [])


def test_many(emulator: Emulator) -> None:
    """More than a page, with the tags of all: a call a page, and a call a hundred tags."""
    client = emulator.client("elasticache")
    ids = [f"u{number:03}" for number in range(120)]
    for key in ids:
        make(emulator, key, Tags=[{"Key": "id", "Value": key}] if key != "u007" else [])
        client.create_user_group(UserGroupId=key, Engine="valkey", UserIds=[key], Tags=[{"Key": "id", "Value": key}])
    active(emulator)
    seen = len(emulator.calls())
    users = ask(emulator, "user_info")["users"]
    groups = ask(emulator, "user_group_info")["user_groups"]
    assert len(emulator.calls()) - seen == 8
    assert [user["user_id"] for user in users] == ["default", *ids]
    assert [group["user_group_id"] for group in groups] == ids
    assert all(one["tags"] == ({"id": one["user_id"]} if one["user_id"][1:].isdigit() else {}) for one in users if
               one["user_id"] != "u007")  # fmt: skip
    assert next(one for one in users if one["user_id"] == "u007")["tags"] == {}
    assert all(group["tags"] == {"id": group["user_group_id"]} for group in groups)
    some = ask(emulator, "user_info", user_ids=ids[::-1][:10], include_tags=False)["users"]
    assert [user["user_id"] for user in some] == ids[-10:]
    assert all("tags" not in user for user in some)
    assert len(ask(emulator, "user_group_info", user_group_ids=ids[:10])["user_groups"]) == 10


def test_throttling(emulator: Emulator) -> None:
    for number in range(30):
        make(emulator, f"u{number}")
    emulator.faults({"kind": "throttle", "times": 6})
    assert len(ask(emulator, "user_info")["users"]) == 31
    assert any(call["code"] == "Throttling" for call in emulator.calls())


@pytest.mark.parametrize(
    ("module", "args", "action", "message"),
    [
        ("user_info", {}, "DescribeUsers", "elasticache:DescribeUsers was refused in us-east-1"),
        ("user_group_info", {}, "DescribeUserGroups", "elasticache:DescribeUserGroups was refused in us-east-1"),
        ("user_info", {"user_id": "one"}, "ListTagsForResource", "elasticache:ListTagsForResource was refused"),
        ("user_info", {"user_id": "one"}, "ListTagsForResource", "with include_tags: false."),
        ("user_info", {"user_id": "a b"}, "", "user_ids: 'a b' can't be the id of a user"),
        ("user_group_info", {"user_group_id": "1"}, "", "user_group_ids: '1' can't be the id of a user group"),
        ("user_info", {"user_id": "a", "user_name": "b"}, "", "mutually exclusive: user_ids|user_names"),
    ],
)
def test_bad_input(emulator: Emulator, module: str, args: dict[str, Any], action: str, message: str) -> None:
    make(emulator, "one")
    if action:
        emulator.faults({"kind": "error", "action": action, "code": "AccessDenied", "status": 403})
    ended = direct.run(emulator, module, args)
    assert ended.failed
    assert message in ended.msg
    assert "exception" not in ended.result
