# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A user or user group that serves others too is never changed or deleted for one replication group: not by a plan that
was made when it did, and not where it came to meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from integration import direct
from integration.role_scenes import put_token, run_role
from integration.roles.test_roles_bad_input import OPEN, refused
from integration.scenes import A, B, create, create_user_group, modify, slots
from integration.user_scenes import active, make, make_group, truth

if TYPE_CHECKING:
    from conftest import Emulator

REPOSITORY = Path(__file__).resolve().parents[3]
CARTS = "carts"
MIGRATE: dict[str, Any] = {"user_group_id": "carts-users", "user_id": "shared"}
CONSENT: dict[str, Any] = {"accept_open_window": True, "accept_open_access": True}


def off(emulator: Emulator, user_id: str = "shared") -> str:
    """Make a user named default that nobody is accepted as: what AWS's guide has for user groups for redis."""
    return make(emulator, user_id, UserName="default", AccessString="off -@all", Passwords=[B])


def carts(emulator: Emulator) -> str:
    """Create the replication group that is to be taken to user groups."""
    put_token(emulator, A, group=CARTS)
    return create(emulator, CARTS, AuthToken=A)


def user_groups(emulator: Emulator) -> dict[str, list[str]]:
    """The truth: the users of each user group."""
    found = emulator.client("elasticache").describe_user_groups(MaxRecords=100)["UserGroups"]
    return {one["UserGroupId"]: sorted(one["UserIds"]) for one in found}


class TestPlans:
    """While planning."""

    def test_a_user_of_another_groups_user_group(self, emulator: Emulator) -> None:
        """The issue's: the way that the refusal had advised led into the other group."""
        off(emulator)
        for key in ("carts-users", "orders-users"):
            make_group(emulator, key, "shared")
        create(emulator, "orders", UserGroupIds=["orders-users"])
        carts(emulator)
        says = [
            "carts: user_id: the user shared is also in the user group orders-users (the replication group orders)",
            "what serves others is never changed or deleted",
            "Name another one in migrate_auth_to_rbac_user_id",
        ]
        before = truth(emulator, "shared")
        refused(emulator, "migrate_auth_to_rbac", says, CARTS, hides=[A, B], **MIGRATE)
        assert truth(emulator, "shared") == before
        assert slots(emulator, CARTS) == [A]

    def test_an_access_string_that_can_be_none(self, emulator: Emulator) -> None:
        """In check mode, too: nothing was asked of AWS before the run, which failed at CreateUser."""
        carts(emulator)
        says = "carts: migrate_auth_to_rbac is refused: carts-default: access_string: of its rules"
        names = {"user_group_id": "carts-users", "user_id": "carts-default", "access_string": "on nonsense"}
        refused(emulator, "migrate_auth_to_rbac", says, CARTS, hides=[A], **names)
        assert slots(emulator, CARTS) == [A]

    def test_a_user_of_a_user_group_that_serves_nobody_yet(self, emulator: Emulator) -> None:
        off(emulator)
        make_group(emulator, "spare", "shared")
        carts(emulator)
        says = "carts: user_id: the user shared is also in the user group spare (attached to no cache)"
        refused(emulator, "migrate_auth_to_rbac", says, CARTS, **MIGRATE)

    def test_no_refusal_advises_to_take_it_over(self, emulator: Emulator) -> None:
        """Only a user named default that no other user group has may be named."""
        for key in ("shared", "alone"):
            off(emulator, key)
        make_group(emulator, "both-users", "shared")
        make_group(emulator, "spare", "shared")
        make_group(emulator, "alone-users", "alone")
        make_group(emulator, "aws-users", "default", engine="redis")
        carts(emulator)
        for key, says, never in (
            ("both-users", "Name another user group in migrate_auth_to_rbac_user_group_id", "_user_id if"),
            ("aws-users", "Name another user group in migrate_auth_to_rbac_user_group_id", "_user_id if"),
            ("alone-users", "Name that in migrate_auth_to_rbac_user_id if its password may become the token", "only"),
        ):
            ended = refused(
                emulator, "migrate_auth_to_rbac", ["has a user named default already", says], CARTS, user_group_id=key
            )
            assert never not in ended.msg

    def test_a_user_that_serves_nobody_else_is_taken(self, emulator: Emulator) -> None:
        off(emulator)
        make_group(emulator, "carts-users", "shared")
        carts(emulator)
        ended = direct.run(
            emulator,
            "auth_operation",
            {
                "operation": "migrate_auth_to_rbac",
                "replication_group_ids": [CARTS],
                "auth_token_secret": {"name": "elasticache/{replication_group_id}/auth-token", "key": "auth_token"},
                "data_plane_ca_path": emulator.ca_bundle,
                **MIGRATE,
            },
            check=True,
        )
        assert not ended.failed, ended.msg
        assert ended.of(CARTS)["planned_steps"] == ["users", "client_cutover_users", "attach"]

    @pytest.mark.parametrize("serves", ["replication-group", "serverless-cache"])
    def test_a_user_group_that_another_cache_has(self, emulator: Emulator, serves: str) -> None:
        create_user_group(emulator, "carts-users")
        if serves == "replication-group":
            create(emulator, "orders", UserGroupIds=["carts-users"])
        else:
            emulator.client("elasticache").create_serverless_cache(
                ServerlessCacheName="orders", Engine="valkey", UserGroupId="carts-users"
            )
        carts(emulator)
        says = [
            f"carts: user_group_id: the user group carts-users also serves the {serves.replace('-', ' ')} orders",
            "Name another one in migrate_auth_to_rbac_user_group_id",
        ]
        refused(emulator, "migrate_auth_to_rbac", says, CARTS, user_group_id="carts-users", user_id="carts-users-user")

    @pytest.mark.parametrize(
        ("key", "option"), [("carts-open", "open_user_group_id"), ("carts-users", "user_group_id")]
    )
    def test_what_would_be_deleted_in_the_end(self, emulator: Emulator, key: str, option: str) -> None:
        """The open user group would lose its users, and at the end all that was made for the way would be deleted."""
        create_user_group(emulator, key)
        create(emulator, "orders", UserGroupIds=[key])
        carts(emulator)
        says = [
            f"carts: {option}: the user group {key} also serves the replication group orders",
            f"Name another one in disable_access_control_{option}",
        ]
        refused(emulator, "disable_access_control", says, CARTS, **OPEN, **CONSENT)

    def test_a_user_that_would_be_deleted_in_the_end(self, emulator: Emulator) -> None:
        off(emulator, "carts-default")
        make_group(emulator, "spare", "carts-default")
        carts(emulator)
        says = "carts: user_id: the user carts-default is also in the user group spare"
        refused(emulator, "disable_access_control", says, CARTS, **OPEN, **CONSENT)
        modify(emulator, CARTS, AuthToken=B, AuthTokenUpdateStrategy="ROTATE")
        put_token_back(emulator)
        refused(emulator, "rollback_token", says, CARTS, assume_newest="current", **CONSENT)

    def test_what_is_left_of_another_run_stays(self, emulator: Emulator) -> None:
        """The group is open already: there is nothing to be done, and what serves others by now is not deleted."""
        create_user_group(emulator, "carts-users")
        create(emulator, "orders", UserGroupIds=["carts-users"])
        put_token(emulator, A, group=CARTS)
        create(emulator, CARTS)
        ended = direct.run(
            emulator,
            "auth_operation",
            {
                "operation": "disable_access_control",
                "replication_group_ids": [CARTS],
                "auth_token_secret": {"name": "elasticache/{replication_group_id}/auth-token", "key": "auth_token"},
                "data_plane_ca_path": emulator.ca_bundle,
                **OPEN,
                **CONSENT,
            },
            check=True,
        )
        assert ended.of(CARTS)["planned_calls"] == []
        assert "Not deleted: the user group carts-users also serves the replication group orders." in ended.msg

    def test_one_groups_user_group_is_anothers_open_one(self, emulator: Emulator) -> None:
        """Ids may meet across the options, too."""
        for key in (CARTS, "carts-open"):
            put_token(emulator, A, group=key)
            create(emulator, key, AuthToken=A)
        ids = {**OPEN, "user_group_id": "{replication_group_id}", "open_user_group_id": "{replication_group_id}-open"}
        says = "carts, carts-open: they would share user_group_id: carts-open"
        refused(emulator, "disable_access_control", says, CARTS, "carts-open", **ids, **CONSENT)


def put_token_back(emulator: Emulator) -> None:
    """Store the token that was rotated in."""
    client = emulator.client("secretsmanager")
    client.put_secret_value(SecretId="elasticache/carts/auth-token", SecretString=f'{{"auth_token": "{B}"}}')


# --- At the time of the call ------------------------------------------------------------------------------------------


@contextmanager
def while_throttled(emulator: Emulator, action: str, meanwhile: Callable[[], None]) -> Iterator[None]:
    """Throttle an action until it has been tried once and, after that, ``meanwhile`` has been done."""
    emulator.faults({"kind": "throttle", "action": action, "rate": 1.0})
    problems: list[BaseException] = []

    def work() -> None:
        try:
            deadline = time.monotonic() + 30
            while not emulator.calls(action=action):
                assert time.monotonic() < deadline, f"no {action}"
                time.sleep(0.02)
            meanwhile()
        except BaseException as error:  # told below, in the test's own thread
            problems.append(error)
        finally:
            emulator.clear_faults()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    assert not problems, problems


def user_module(emulator: Emulator, *exclusive_to: str, **options: Any) -> direct.ModuleRun:
    args = {"user_id": "shared", "exclusive_to_user_groups": list(exclusive_to), "wait_delay": 0.05, **options}
    return direct.run(emulator, "user", args, hidden=[A, B])


class TestCalls:
    """When the call is about to be made."""

    @pytest.mark.parametrize("options", [{"access_string": "on ~* +@all"}, {"state": "absent"}])
    @pytest.mark.parametrize("check", [True, False])
    def test_a_user(self, emulator: Emulator, options: dict[str, Any], check: bool) -> None:
        off(emulator)
        make_group(emulator, "carts-users", "shared")
        make_group(emulator, "spare", "shared")
        before, called = truth(emulator, "shared"), direct.mutating(emulator)
        args = {"user_id": "shared", "exclusive_to_user_groups": ["Carts-Users"], **options}
        ended = direct.run(emulator, "user", args, check=check)
        assert ended.msg.startswith("shared: the user is also in the user group spare (attached to no cache), and a")
        assert ended.failed
        assert direct.mutating(emulator) == called
        assert truth(emulator, "shared") == before
        ended = direct.run(emulator, "user", {**args, "exclusive_to_user_groups": ["carts-users", "spare"]})
        assert ended.changed, ended.msg

    @pytest.mark.parametrize(
        "options", [{"user_ids": ["default"]}, {"user_ids": ["other"], "purge_user_ids": False}, {"state": "absent"}]
    )
    def test_a_user_group(self, emulator: Emulator, options: dict[str, Any]) -> None:
        create_user_group(emulator, "carts-users")
        make(emulator, "other")
        create(emulator, "orders", UserGroupIds=["carts-users"])
        called = direct.mutating(emulator)
        args = {"user_group_id": "carts-users", "exclusive_to_replication_groups": [CARTS], **options}
        ended = direct.run(emulator, "user_group", args)
        assert ended.failed
        assert (
            "carts-users: the user group also serves the replication group orders, and a user group that" in ended.msg
        )
        assert direct.mutating(emulator) == called

    def test_an_id_that_is_none(self, emulator: Emulator) -> None:
        ended = user_module(emulator, "carts_users", state="absent")
        assert "exclusive_to_user_groups: 'carts_users' can't be the id of a user group" in ended.msg

    @pytest.mark.parametrize(
        ("action", "options"), [("ModifyUser", {"access_string": "on ~* +@all"}), ("DeleteUser", {"state": "absent"})]
    )
    def test_it_is_shared_while_the_call_is_throttled(
        self, emulator: Emulator, action: str, options: dict[str, Any]
    ) -> None:
        """Before it is tried again, AWS is asked anew."""
        off(emulator)
        make_group(emulator, "carts-users", "shared")
        with while_throttled(emulator, action, lambda: void(make_group(emulator, "spare", "shared"))):
            ended = user_module(emulator, "carts-users", **options)
        assert ended.failed
        assert "shared: the user is also in the user group spare" in ended.msg
        user = truth(emulator, "shared")
        assert user is not None
        assert user["AccessString"] == "off -@all"

    def test_throttling_alone_is_ridden_out(self, emulator: Emulator) -> None:
        off(emulator)
        make_group(emulator, "carts-users", "shared")
        with while_throttled(emulator, "ModifyUser", lambda: None):
            ended = user_module(emulator, "carts-users", access_string="on ~* +@all")
        assert ended.changed, ended.msg
        assert [one["action"] for one in ended.result["api_calls"]] == ["ModifyUser"]


def void(_value: object) -> None:
    """Do without a value."""


# --- The roles --------------------------------------------------------------------------------------------------------


class TestRoles:
    """As users meet it."""

    def test_the_refusal_is_the_plays(self, emulator: Emulator) -> None:
        off(emulator)
        for key in ("carts-users", "orders-users"):
            make_group(emulator, key, "shared")
        create(emulator, "orders", UserGroupIds=["orders-users"])
        carts(emulator)
        ran = run_role(emulator, "migrate_auth_to_rbac", groups=[CARTS], soak=0, user_id="shared")
        assert not ran.succeeded
        assert "is also in the user group orders-users (the replication group orders)" in ran.text
        assert ran.mutating == []

    def test_it_came_to_serve_others_during_the_run(self, emulator: Emulator, tmp_path: Path) -> None:
        """A user that was made for the way is given to another user group in the client cutover: it is not deleted."""
        carts(emulator)
        tasks = tmp_path / "clients.yml"
        given = {"user_group_id": "orders-users", "engine": "valkey", "user_ids": ["carts-leaving"], "wait_delay": 0.1}
        tasks.write_text(yaml.safe_dump([{"name": "Give it away", "elasticache.auth.user_group": given}]))
        ran = run_role(
            emulator,
            "disable_access_control",
            groups=[CARTS],
            client_tasks=str(tasks),
            accept_open_access=True,
        )
        assert ran.succeeded, ran.output
        assert "carts: access control disabled; current state: open" in ran.told()
        assert "carts: not deleted: the user carts-leaving is also in the user group orders-users" in ran.text
        active(emulator)
        assert user_groups(emulator) == {"orders-users": ["carts-leaving"]}
        assert slots(emulator, CARTS) == [None]
