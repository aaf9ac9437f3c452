# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Whom else a user or a user group serves, in words."""

from __future__ import annotations

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._aws.user_groups import UserGroup
from ansible_collections.elasticache.auth.plugins.module_utils._aws.users import User
from ansible_collections.elasticache.auth.plugins.module_utils._resource.exclusive import shared_user, shared_user_group


def user(*user_groups: str) -> User:
    return User("shared", "arn", "default", "active", "valkey", "off -@all", "password", 1, user_groups)


def user_group(key: str, replication_groups: tuple[str, ...] = (), serverless: tuple[str, ...] = ()) -> UserGroup:
    return UserGroup(key, "arn", "active", "valkey", ("shared",), replication_groups, serverless, pending=False)


GROUPS = {
    "carts-users": user_group("carts-users", ("carts",)),
    "sessions-users": user_group("sessions-users", ("sessions", "orders"), ("events",)),
    "spare": user_group("spare"),
}
SESSIONS = "(the replication group orders, the replication group sessions and the serverless cache events)"


@pytest.mark.parametrize(
    ("user_groups", "says"),
    [
        pytest.param((), "", id="in-none"),
        pytest.param(("carts-users",), "", id="in-its-own"),
        pytest.param(("carts-users", "spare"), "the user group spare (attached to no cache)", id="spare"),
        pytest.param(("sessions-users",), f"the user group sessions-users {SESSIONS}", id="attached"),
        pytest.param(
            ("spare", "sessions-users", "carts-users"),
            f"the user group sessions-users {SESSIONS} and the user group spare (attached to no cache)",
            id="both",
        ),
        pytest.param(("gone",), "the user group gone (attached to no cache)", id="not-looked-up"),
    ],
)
def test_user(user_groups: tuple[str, ...], says: str) -> None:
    assert shared_user(user(*user_groups), ["carts-users"], GROUPS) == says


@pytest.mark.parametrize(
    ("group", "own", "says"),
    [
        pytest.param("spare", ["carts"], "", id="nobody"),
        pytest.param("carts-users", ["carts"], "", id="its-own"),
        pytest.param("carts-users", [], "the replication group carts", id="no-owner"),
        pytest.param("sessions-users", ["orders"], "the replication group sessions and the serverless cache events"),
    ],
)
def test_user_group(group: str, own: list[str], says: str) -> None:
    assert shared_user_group(GROUPS[group], own) == says
