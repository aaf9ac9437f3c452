# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""From user groups to a token, bridge first: clients move while user groups decide, and the user group is as it was
in the end, wherever a run was killed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest
import valkey
from integration.cut_off import kill_at, rotation
from integration.direct import run
from integration.role_scenes import labelled, run_role
from integration.roles.test_roles_batch import is_open, reported, seconds_of_unauthenticated_access
from integration.scenes import GROUP, USERS, A, B, C, create, modify, set_token, slots, wait_for_users
from waiting import wait_until

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.05)

BRIDGE = f"{GROUP}-bridge"
TO_AUTH: Mapping[str, Any] = {
    "operation": "migrate_rbac_to_auth",
    "accept_open_window": True,
    "create_secret": True,
    "replication_group_id": GROUP,
}
#: The users of the group, by name: what they may do, and their passwords.
ACCOUNTS = {"app": ("on ~* +@all", B), "reports": ("on ~* +@all", C), "default": ("on ~* +@all", A)}


def with_accounts(emulator: Emulator, *names: str, engine: str = "valkey", **members: Any) -> list[str]:
    """The group with these users; returns the ids of its user group's members."""
    client = emulator.client("elasticache")
    for name in names:
        access, password = ACCOUNTS[name]
        client.create_user(UserId=f"u-{name}", UserName=name, Engine=engine, AccessString=access, Passwords=[password])
    ids = [f"u-{name}" for name in names]
    client.create_user_group(UserGroupId=USERS, Engine=engine, UserIds=ids)
    wait_for_users(emulator, USERS)
    create(emulator, GROUP, Engine=engine, UserGroupIds=[USERS], **members)
    return sorted(ids)


def members(emulator: Emulator) -> list[str]:
    found = emulator.client("elasticache").describe_user_groups(UserGroupId=USERS)
    return sorted(found["UserGroups"][0]["UserIds"])


def users(emulator: Emulator) -> set[str]:
    return {user["UserId"] for user in emulator.client("elasticache").describe_users()["Users"]}


def operate(emulator: Emulator, **more: Any) -> dict[str, Any]:
    """Run the module on the group, and return its outcome."""
    ran = run(emulator, "auth_operation", rotation(emulator, **{**TO_AUTH, "continue_on_error": True, **more}))
    return ran.of(GROUP)


def called(emulator: Emulator, action: str) -> float:
    """When a call was made for the first time."""
    return next(float(call["time"]) for call in emulator.calls(mutating="true") if call["action"] == action)


class Account(threading.Thread):
    """Logs in anew all the time, with what ``login`` says, and takes note of when it was refused."""

    def __init__(self, emulator: Emulator, login: Callable[[], tuple[str | None, str]]) -> None:
        super().__init__(daemon=True)
        self.served, self.refused, self.ended = 0, list[float](), threading.Event()
        node = emulator.group(GROUP)["node_groups"][0]["nodes"][0]
        self._address = {"host": node["host"], "port": node["port"], "ssl_ca_certs": emulator.ca_bundle}
        self._login = login

    def run(self) -> None:
        """Log in until told to end."""
        while not self.ended.wait(0.05):
            user, password = self._login()
            client = valkey.Valkey(
                **self._address, ssl=True, username=user, password=password, retry=None, socket_timeout=30
            )
            try:
                self.served += client.ping() is True
            except valkey.ValkeyError:
                self.refused.append(time.time())
            finally:
                client.close()


@pytest.mark.emulator(data_plane="valkey", modify_seconds=0.3)
def test_clients_of_three_users_under_load(emulator: Emulator) -> None:
    """Who moves is never refused; who does not, from the moment on that was told before; the time open is the truth."""
    before = with_accounts(emulator, "app", "reports", "default")

    def moves() -> tuple[str | None, str]:
        token = labelled(emulator).get("AWSCURRENT") if called_any("UpdateSecretVersionStage") else None
        return (None, token) if token else ("app", B)

    def called_any(action: str) -> bool:
        return any(call["action"] == action for call in emulator.calls(mutating="true"))

    accounts = {
        "app": Account(emulator, moves),
        "reports": Account(emulator, lambda: ("reports", C)),
        "default": Account(emulator, lambda: ("default", A)),
    }
    for account in accounts.values():
        account.start()
    try:
        wait_until(lambda: all(account.served > 2 for account in accounts.values()), "all are served")
        ran = run_role(emulator, "migrate_rbac_to_auth", soak=3, accept_open_window=True, create_secret=True)
        assert ran.succeeded, ran.output
        wait_until(lambda: accounts["reports"].refused and accounts["default"].refused, "the others are refused")
        done = accounts["app"].served
        wait_until(lambda: accounts["app"].served > done + 2, "app is served still")
    finally:
        for account in accounts.values():
            account.ended.set()
            account.join()
    assert accounts["app"].refused == []
    assert min(accounts["default"].refused) >= called(emulator, "ModifyUserGroup")
    assert min(accounts["reports"].refused) >= called(emulator, "ModifyReplicationGroup")
    assert slots(emulator) == [labelled(emulator)["AWSCURRENT"]]
    assert (members(emulator), BRIDGE in users(emulator)) == (before, False)
    assert "as soon as the bridge user takes the place of the user named default: default (on ~* +@all)" in ran.text
    assert "when its user groups are taken away: app (on ~* +@all), reports (on ~* +@all)" in ran.text
    truth = seconds_of_unauthenticated_access(emulator)
    print(f"exposure: reported {reported(ran)}, true {truth:.2f}")  # noqa: T201
    assert truth - 0.05 <= reported(ran) < 3 + truth


@pytest.mark.parametrize(
    ("engine", "names"),
    [("valkey", ("app", "default")), ("valkey", ("app",)), ("redis", ("app", "default"))],
)
def test_engines_and_user_groups_without_a_default(emulator: Emulator, engine: str, names: tuple[str, ...]) -> None:
    before = with_accounts(emulator, *names, engine=engine)
    (cutover,) = run(emulator, "auth_operation", rotation(emulator, **{**TO_AUTH, "soak": None})).result["cutovers"]
    assert cutover["stage"] == "client_cutover_before"
    bridged = sorted({*(key for key in before if key != "u-default"), BRIDGE})
    assert (members(emulator), emulator.group(GROUP)["mode"]) == (bridged, "rbac")
    outcome = operate(emulator, soak=None, after_cutover=[cutover])
    assert outcome["completed_steps"] == [
        "verify_bridge_user",
        "rotate_current",
        "set",
        "verify_new_only",
        "restore_user_group",
    ]
    assert slots(emulator) == [labelled(emulator)["AWSCURRENT"]]
    assert (members(emulator), BRIDGE in users(emulator)) == (before, False)


#: The calls that change something: two on the secret, two on users, two labels, three records, two changes, two back.
CALLS = 13


#: After the secret, the bridge user, its place in the user group, the promotion, ROTATE, SET and its way back. The
#: simulation kills before and after each call.
@pytest.mark.parametrize("number", [1, 3, 4, 6, 8, 10, 12])
def test_killed_after_a_call(emulator: Emulator, number: int) -> None:
    """The next run arrives, waits for nothing while everyone is served, and the user group is as it was."""
    before = with_accounts(emulator, "app", "default")
    kill_at(emulator, rotation(emulator, **TO_AUTH), number, "after")
    was_open = is_open(emulator.group(GROUP))
    outcome = operate(emulator, soak=0.5)
    assert not outcome["failed"], outcome["msg"]
    assert len(emulator.calls(mutating="true")) >= CALLS
    assert slots(emulator) == [labelled(emulator)["AWSCURRENT"]]
    assert (members(emulator), BRIDGE in users(emulator)) == (before, False)
    assert "client_cutover" not in outcome["completed_steps"]
    assert not was_open or "client_cutover_before" not in outcome["completed_steps"]


def test_undisturbed_it_makes_as_many_calls(emulator: Emulator) -> None:
    with_accounts(emulator, "app", "default")
    assert not operate(emulator)["failed"]
    assert len([call for call in emulator.calls(mutating="true") if call["action"] not in SCENE]) - 2 == CALLS


#: What makes a scene, besides two users.
SCENE = ("CreateReplicationGroup", "CreateUserGroup")


class TestWhatServesOthers:
    def test_a_shared_user_group_has_no_bridge(self, emulator: Emulator) -> None:
        before = with_accounts(emulator, "app", "default")
        create(emulator, "carts", UserGroupIds=[USERS])
        begun = time.time()
        refused = operate(emulator)
        assert (
            f"no bridge user can be put in place: the user group {USERS} also serves the replication group carts. "
            "Clients could move to the token only after the ROTATE that takes the user groups away, and "
            "unauthenticated access would be allowed for the whole client cutover."
        ) in refused["msg"]
        assert "migrate_rbac_to_auth_allow_direct: true" in refused["msg"]
        assert emulator.calls(mutating="true", since=begun) == []
        outcome = operate(emulator, allow_direct=True)
        assert "bridge_user" not in outcome["completed_steps"]
        assert slots(emulator) == [labelled(emulator)["AWSCURRENT"]]
        assert members(emulator) == before

    def test_one_that_came_to_serve_another_group_is_left_as_it_is(self, emulator: Emulator) -> None:
        """With the bridge user in it; the message names both."""
        with_accounts(emulator, "app", "default")
        assert not operate(emulator, phase="begin")["failed"]
        create(emulator, "carts", UserGroupIds=[USERS])
        ran = run(emulator, "auth_operation", rotation(emulator, **TO_AUTH))
        assert not ran.failed, ran.msg
        assert slots(emulator) == [labelled(emulator)["AWSCURRENT"]]
        assert members(emulator) == [BRIDGE, "u-app"]
        assert f"{GROUP}: not restored: the user group {USERS}, with the bridge user {BRIDGE}" in str(ran.warnings)
        again = operate(emulator)
        assert (
            f"Not restored: the user group {USERS}, with the bridge user {BRIDGE} in it, also serves the replication "
            "group carts."
        ) in again["msg"]

    def test_another_user_with_the_id_is_left_as_it_is(self, emulator: Emulator) -> None:
        before = with_accounts(emulator, "app", "default")
        emulator.client("elasticache").create_user(
            UserId=BRIDGE, UserName="default", Engine="valkey", AccessString="on ~* +@all", Passwords=[C]
        )
        begun = time.time()
        refused = operate(emulator)
        assert (
            f"migrate_rbac_to_auth_user_id: there is a user {BRIDGE} already, which was not made for {GROUP}"
            in refused["msg"]
        )
        assert emulator.calls(mutating="true", since=begun) == []
        assert not operate(emulator, user_id="another")["failed"]
        assert (members(emulator), BRIDGE in users(emulator)) == (before, True)


def half_restored(emulator: Emulator) -> None:
    """The token decides alone, and the bridge user is in the user group still."""
    assert not operate(emulator, phase="begin")["failed"]
    token = labelled(emulator)["AWSCURRENT"]
    modify(emulator, RemoveUserGroups=True, AuthToken=token, AuthTokenUpdateStrategy="ROTATE")
    set_token(emulator, token)


def test_a_user_that_is_gone_can_not_come_back(emulator: Emulator) -> None:
    """A user group for redis needs a user named default: once there is another one, the bridge user is deleted."""
    with_accounts(emulator, "app", "default", engine="redis")
    half_restored(emulator)
    client = emulator.client("elasticache")
    client.delete_user(UserId="u-default")
    wait_until(lambda: "u-default" not in users(emulator), "the user is gone")
    failed = operate(emulator)
    assert failed["failed"]
    assert "there is no user u-default" in failed["msg"]
    assert members(emulator) == [BRIDGE, "u-app"]
    client.modify_user_group(UserGroupId=USERS, UserIdsToAdd=["default"], UserIdsToRemove=[BRIDGE])
    wait_for_users(emulator, USERS)
    assert not operate(emulator)["failed"]
    assert (members(emulator), BRIDGE in users(emulator)) == (["default", "u-app"], False)


@pytest.mark.parametrize("allow_direct", [False, True])
def test_a_default_that_needs_no_password(emulator: Emulator, allow_direct: bool) -> None:
    """Its clients are refused at bridge_user, which is told; with the consent they stay until SET."""
    client = emulator.client("elasticache")
    client.create_user_group(UserGroupId=USERS, Engine="redis", UserIds=["default"])
    wait_for_users(emulator, USERS)
    create(emulator, GROUP, Engine="redis", UserGroupIds=[USERS])
    planned = run(emulator, "auth_operation", rotation(emulator, **TO_AUTH, allow_direct=allow_direct), check=True).of(
        GROUP
    )
    words = "clients without credentials are refused: the bridge user takes the place of the user default"
    assert words in planned["msg"]
    assert ("bridge_user" in planned["planned_steps"]) is not allow_direct
    assert planned["users"][0]["loses_access_at"] == (None if allow_direct else "bridge_user")
    assert not operate(emulator, allow_direct=allow_direct)["failed"]
    assert slots(emulator) == [labelled(emulator)["AWSCURRENT"]]
    assert members(emulator) == ["default"]
