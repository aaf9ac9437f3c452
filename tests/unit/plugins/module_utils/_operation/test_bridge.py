# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Whether there can be a bridge user, what there is of one, and what its tag says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._aws.groups import Group
from ansible_collections.elasticache.auth.plugins.module_utils._aws.user_groups import UserGroup
from ansible_collections.elasticache.auth.plugins.module_utils._aws.users import IAM, NO_PASSWORD, PASSWORD, User
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.operations import Operation
from ansible_collections.elasticache.auth.plugins.module_utils._operation.bridge import Bridging, bridging_of
from ansible_collections.elasticache.auth.plugins.module_utils._operation.rbac_resources import Ids, Others
from ansible_collections.elasticache.auth.plugins.module_utils._operation.request import OperationRequest
from ansible_collections.elasticache.auth.plugins.module_utils._resource.bridge_user import TAG_KEY, Bridge, bridge_in

BRIDGE, USERS = "sessions-bridge", "session-users"


def user(key: str, name: str, *user_groups: str, authentication: str = PASSWORD, access: str = "on ~* +@all") -> User:
    return User(key, "arn", name, "active", "redis", access, authentication, 1, user_groups)


def user_group(*user_ids: str, serves: tuple[str, ...] = ("sessions",), engine: str = "redis") -> UserGroup:
    return UserGroup(USERS, "arn", "active", engine, user_ids, serves, (), pending=False)


def group(*user_groups: str) -> Group:
    return Group("sessions", "arn", "available", False, None, user_groups, "required", "valkey", False, (), ())


def seen(
    found: UserGroup | None, *users: User, attached: tuple[str, ...] = (USERS,), bridge: Bridge | None = None
) -> Bridging:
    request = OperationRequest(Operation.MIGRATE_RBAC_TO_AUTH, access_string="on ~* &* +@all")
    bridges: Mapping[str, tuple[Bridge | None, tuple[str, ...]]] = {BRIDGE: (bridge, ())} if bridge else {}
    others = Others({USERS: found} if found else {}, {user.id: user for user in users}, bridges)
    return bridging_of(request, group(*attached), Ids(user=BRIDGE), others)


APP, THEIRS = user("u-app", "app", USERS), user("u-default", "default", USERS)
MANY = tuple(user(f"u-{number}", f"name-{number}", USERS) for number in range(100))


@pytest.mark.parametrize(
    ("found", "users", "attached", "obstacle"),
    [
        pytest.param(user_group("u-app", "u-default"), (APP, THEIRS), (USERS,), "", id="redis"),
        pytest.param(user_group("u-app", engine="valkey"), (APP,), (USERS,), "", id="valkey-without-a-default"),
        pytest.param(
            user_group("u-app", "u-default", serves=("carts", "sessions")),
            (APP, THEIRS),
            (USERS,),
            "the user group session-users also serves the replication group carts",
            id="shared",
        ),
        pytest.param(
            user_group(*(user.id for user in MANY), engine="valkey"),
            MANY,
            (USERS,),
            "the user group session-users has 100 users, and takes no further one",
            id="full",
        ),
        pytest.param(
            user_group(*(user.id for user in MANY[1:]), "u-default"), (*MANY[1:], THEIRS), (USERS,), "", id="one-leaves"
        ),
        pytest.param(
            user_group("u-default", engine="valkey"),
            (replace(THEIRS, authentication=IAM),),
            (USERS,),
            "the user named default of the user group session-users, u-default, authenticates with IAM",
            id="iam",
        ),
        pytest.param(
            user_group("u-default"),
            (THEIRS,),
            ("more", USERS),
            "the group has several user groups, more, session-users",
            id="several",
        ),
        pytest.param(None, (), (USERS,), "its user group session-users is not in its region", id="gone"),
    ],
)
def test_why_there_is_no_bridge(
    found: UserGroup | None, users: tuple[User, ...], attached: tuple[str, ...], obstacle: str
) -> None:
    bridging = seen(found, *users, attached=attached)
    assert bridging.obstacle == obstacle
    assert (bridging.order is None) == bool(obstacle)


def test_it_takes_the_place_of_the_user_named_default() -> None:
    order = seen(user_group("u-app", "u-default"), APP, THEIRS).order
    assert order is not None
    assert (order.user_id, order.engine) == (BRIDGE, "redis")
    assert order.bridge == Bridge("sessions", USERS, "u-default")
    order = seen(user_group("u-app", engine="valkey"), APP).order
    assert order is not None
    assert order.bridge == Bridge("sessions", USERS, "")


@pytest.mark.parametrize(
    ("authentication", "access", "ends"),
    [(NO_PASSWORD, "on ~* +@all", True), (NO_PASSWORD, "off -@all", False), (PASSWORD, "on ~* +@all", False)],
)
def test_whom_it_ends_at_once(authentication: str, access: str, ends: bool) -> None:
    theirs = replace(THEIRS, authentication=authentication, access_string=access)
    words = seen(user_group("u-default"), theirs).ends_unauthenticated
    assert ("clients without credentials are refused" in words) is ends


class TestWhatThereIs:
    MADE = user(BRIDGE, "default")
    FOR = Bridge("sessions", USERS, "u-default")

    def test_made_and_not_put_into_the_user_group(self) -> None:
        bridging = seen(user_group("u-app", "u-default"), APP, THEIRS, self.MADE, bridge=self.FOR)
        assert (bridging.exists, bridging.is_member, bridging.bridged) == (True, False, False)
        assert bridging.order is not None

    def test_in_the_user_group(self) -> None:
        """Whose place it took is what its tag says: the user group has no other one of that name any more."""
        made = replace(self.MADE, user_group_ids=(USERS,))
        bridging = seen(user_group("u-app", BRIDGE), APP, made, bridge=self.FOR)
        assert bridging.bridged
        assert bridging.order is not None
        assert bridging.order.bridge == self.FOR

    def test_after_user_groups_were_taken_away(self) -> None:
        made = replace(self.MADE, user_group_ids=(USERS,))
        bridging = seen(user_group("u-app", BRIDGE, serves=()), made, attached=(), bridge=self.FOR)
        assert (bridging.is_member, bridging.spared) == (True, "")
        bridging = seen(user_group("u-app", BRIDGE, serves=("carts",)), made, attached=(), bridge=self.FOR)
        assert bridging.spared == (
            f"the user group {USERS}, with the bridge user {BRIDGE} in it, also serves the replication group carts"
        )

    def test_in_a_user_group_that_the_group_has_no_more(self) -> None:
        made = replace(self.MADE, user_group_ids=(USERS,))
        with pytest.raises(AuthError, match=f"put u-default back into {USERS} in the place of {BRIDGE}"):
            seen(user_group("u-app", BRIDGE, serves=()), made, attached=("others",), bridge=self.FOR)

    @pytest.mark.parametrize("of", [None, Bridge("carts", USERS, "u-default")])
    def test_another_user_with_its_id(self, of: Bridge | None) -> None:
        bridging = seen(user_group("u-app", "u-default"), APP, THEIRS, self.MADE, bridge=of)
        assert (bridging.exists, bridging.taken) == (
            False,
            f"there is a user {BRIDGE} already, which was not made for sessions",
        )


@pytest.mark.parametrize(
    ("value", "bridge"),
    [
        ("v1 sessions session-users u-default", Bridge("sessions", "session-users", "u-default")),
        ("v1 sessions session-users -", Bridge("sessions", "session-users")),
        ("", None),
        ("v1 sessions session-users", None),
        ("v1 sessions session-users u-default more", None),
        ("v1 sessions session-users {{lookup('env','HOME')}}", None),
        ("v2 sessions session-users -", None),
    ],
)
def test_the_tag(value: str, bridge: Bridge | None) -> None:
    assert bridge_in({TAG_KEY: value}) == bridge
    assert bridge is None or bridge.text == value


def test_whose_place_it_took_is_kept_where_the_user_does_not_say_yet_that_it_is_a_member() -> None:
    """Taken for the user group's own default it would have its own place to give back."""
    bridge = Bridge("sessions", USERS, "u-default")
    bridging = seen(user_group("u-app", BRIDGE), APP, user(BRIDGE, "default"), bridge=bridge)
    assert bridging.bridged
    assert bridging.order is not None
    assert bridging.order.bridge == bridge
