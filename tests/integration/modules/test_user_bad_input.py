# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What the module user refuses, and in which words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from integration import direct
from integration.run import run_module
from integration.scenes import put_secret
from integration.user_scenes import (
    NEW,
    SECRETS,
    TAG,
    A,
    B,
    C,
    make,
    make_group,
    refused,
    unchanged,
)

if TYPE_CHECKING:
    from conftest import Emulator

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
