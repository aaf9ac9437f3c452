# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Which passwords are in force: what each source tells, and that none of them tells a password."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._aws.users import MODIFY, User, members, modification
from ansible_collections.elasticache.auth.plugins.module_utils._core.nodes import Node
from ansible_collections.elasticache.auth.plugins.module_utils._core.record import MAX_VALUE_LENGTH, reference
from ansible_collections.elasticache.auth.plugins.module_utils._data_plane.probe import NodeAnswer, Reach
from ansible_collections.elasticache.auth.plugins.module_utils._resource.user_passwords import (
    TAG_KEY,
    Verdict,
    on_record,
    shown_by_api,
    told_by_nodes,
)
from ansible_collections.elasticache.auth.plugins.module_utils._resource.user_wanted import WantedUser

A, B = "Ohpeipah9aiTh0phaek7-old", "Eik5ohd8Ahngoh0ahXu4-new"
IN, NOT, UNKNOWN = Verdict.IN_FORCE, Verdict.NOT_IN_FORCE, Verdict.UNKNOWN


def user(**given: Any) -> User:
    """A user with one password."""
    values: dict[str, Any] = {
        "id": "u",
        "arn": "arn",
        "name": "u",
        "status": "active",
        "engine": "valkey",
        "access_string": "on ~* +@all",
        "authentication": "password",
        "password_count": 1,
        "user_group_ids": (),
    }
    return User(**{**values, **given})


@pytest.mark.parametrize(
    ("given", "passwords", "verdict"),
    [
        ({}, [A], None),
        ({}, [A, B], NOT),
        ({"password_count": 2}, [A], NOT),
        ({"password_count": None}, [A], None),
        ({"authentication": "iam", "password_count": None}, [A], NOT),
        ({"authentication": "no-password-required"}, [A], NOT),
    ],
)
def test_the_api(given: dict[str, Any], passwords: list[str], verdict: Verdict | None) -> None:
    told = shown_by_api(user(**given), passwords)
    assert (told and told.verdict) == verdict


def test_the_record() -> None:
    one, two = WantedUser("u", passwords=(A,)).record, WantedUser("u", passwords=(A, B)).record
    assert on_record({TAG_KEY: one}, [A]).verdict is IN
    assert on_record({TAG_KEY: one}, [B]).verdict is NOT
    assert on_record({TAG_KEY: one}, [A, B]).verdict is NOT
    assert on_record({TAG_KEY: two}, [B, A]).verdict is IN
    assert on_record({TAG_KEY: two}, [A]).verdict is NOT
    assert on_record({TAG_KEY: "v1 changing"}, [A]).verdict is NOT
    assert on_record({}, [A]).verdict is UNKNOWN


@pytest.mark.parametrize(
    "value",
    ["", "v1", "v1 ", "v2 changing", "changing", f"v1 {A}", f"v1 {reference(A, 'abc')}", f"v1 {reference(A)} x"],
    ids=range(8),  # a reference is salted, and every worker of pytest-xdist has to find the same names
)
def test_a_tag_that_is_no_record(value: str) -> None:
    assert on_record({TAG_KEY: value}, [A]).verdict is UNKNOWN


def test_what_is_written_fits_into_a_tag_and_shows_nothing() -> None:
    wanted = WantedUser("u", passwords=("p" * 128, "q" * 128))
    assert len(wanted.record) <= MAX_VALUE_LENGTH
    assert set(wanted.record) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-=._:/@ ")
    assert wanted.record == wanted.record
    assert wanted.record != WantedUser("u", passwords=wanted.passwords).record, "salted"
    assert "ppp" not in repr(wanted) + wanted.record


def node(reach: Reach = Reach.ANSWERED, **accepted: bool) -> NodeAnswer:
    """What one node answered."""
    where = Node("c-001", "0001", "host", 6379, "primary")
    return NodeAnswer(where, reach, accepted=accepted, error="" if reach is Reach.ANSWERED else "no route")


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ([node(a=True)], IN),
        ([node(a=True), node(a=True)], IN),
        ([node(a=True, b=True)] * 2, IN),
        ([node(a=False)], NOT),
        ([node(a=True, b=False)] * 2, NOT),
        ([node(a=True), node(a=False)], UNKNOWN),
        ([node(a=True), node(Reach.UNREACHABLE)], UNKNOWN),
        ([node(Reach.UNREACHABLE)], UNKNOWN),
        ([], UNKNOWN),
    ],
)
def test_the_nodes(answers: list[NodeAnswer], verdict: Verdict) -> None:
    told = told_by_nodes("shop", answers)
    assert told.verdict is verdict
    assert len(told.nodes) == len(answers)
    assert told.why


def test_a_call_is_shown_without_its_passwords() -> None:
    given = members(engine=None, access_string="off -@all", authentication="password", passwords=[A, B])
    step = modification("u", given, ["passwords"])
    assert step.parameters["AuthenticationMode"]["Passwords"] == [A, B]
    assert step.shown() == {
        "action": MODIFY,
        "parameters": {
            "UserId": "u",
            "AccessString": "off -@all",
            "AuthenticationMode": {"Type": "password", "Passwords": ["********"] * 2},
        },
    }
    assert A not in repr(step)
    assert A not in str(step)
