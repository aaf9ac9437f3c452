# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Somebody else changes the group or its secret while clients have time to move: what was planned may be wrong then."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from integration.cut_off import rotation
from integration.direct import ModuleRun, run
from integration.role_scenes import due_fleet, promote, put_token, secret_name, secret_text
from integration.scenes import GROUP, USERS, A, B, C, create_user_group, modify, rotate, scene, set_token, slots

from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import Clients
from ansible_collections.elasticache.auth.plugins.module_utils._operation import planning, resource_steps

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.1)

SOAK = 0.123  # seconds: no other wait is as long


@contextlib.contextmanager
def meanwhile(monkeypatch: pytest.MonkeyPatch, work: Callable[[], None], *, times: int = 1) -> Iterator[None]:
    """In the first client cutovers something is done."""
    pause, done = Clients.pause, list[float]()

    def late(clients: Clients, seconds: float) -> None:
        if seconds == SOAK and len(done) < times:
            done.append(seconds)
            work()
        pause(clients, seconds)

    monkeypatch.setattr(Clients, "pause", late)
    yield
    assert len(done) == times


def operate(emulator: Emulator, **more: Any) -> ModuleRun:
    options = {"replication_group_id": GROUP, "soak": SOAK, "continue_on_error": True, **more}
    return run(emulator, "auth_operation", rotation(emulator, **options), hidden=[A, B, C])


def stage(emulator: Emulator, token: str, label: str = "AWSPENDING") -> None:
    emulator.client("secretsmanager").put_secret_value(
        SecretId=secret_name(), SecretString=secret_text(token), VersionStages=[label]
    )


TO_RBAC = {"operation": "migrate_auth_to_rbac", "user_group_id": "sessions-users", "user_id": "sessions-default"}


def passwords(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the user of the user group is given as passwords, each time that it is made or changed."""
    seen, order = list[list[str]](), planning.users_order

    def watched(*arguments: Any) -> Any:
        found = order(*arguments)
        seen.append(list(found.passwords))
        return found

    monkeypatch.setattr(resource_steps, "users_order", watched)
    return seen


@pytest.mark.parametrize(("is_set", "accepted"), [(False, {A, B}), (True, {B})], ids=["rotated", "set"])
def test_a_user_group_accepts_what_is_in_force_by_then(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, is_set: bool, accepted: set[str]
) -> None:
    """The user was made for A. Another run rotates meanwhile: clients of B would be refused."""

    def rotation_of_another() -> None:
        stage(emulator, B)
        rotate(emulator, B)
        if is_set:
            set_token(emulator, B)
            promote(emulator)

    due_fleet(emulator, [GROUP], A)
    given = passwords(monkeypatch)
    with meanwhile(monkeypatch, rotation_of_another):
        ended = operate(emulator, **TO_RBAC)
        if is_set:  # clients were told of another token by the secret
            assert "somebody else moved AWSCURRENT" in ended.of(GROUP)["msg"]
            assert slots(emulator) == [B]
            ended = operate(emulator, **TO_RBAC)
    assert not ended.of(GROUP)["failed"], ended.msg
    assert emulator.group(GROUP)["mode"] == "rbac"
    assert set(given[-1]) == accepted
    assert ended.of(GROUP)["completed_steps"][-3:] == ["users", "client_cutover_users", "attach"]


def test_a_user_group_is_not_attached_for_a_token_that_nobody_has(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replaced() -> None:
        rotate(emulator, C)
        set_token(emulator, C)

    due_fleet(emulator, [GROUP], A)
    with meanwhile(monkeypatch, replaced):
        ended = operate(emulator, **TO_RBAC)
    assert ended.of(GROUP)["failed"]
    assert "drift" in ended.of(GROUP)["msg"]
    assert any("its AUTH token was changed at" in words for words in ended.warnings)
    assert slots(emulator) == [C]


def test_set_is_not_made_where_another_token_is_current_by_then(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients that ask the secret meanwhile have that one."""
    due_fleet(emulator, [GROUP], A)
    with meanwhile(monkeypatch, lambda: stage(emulator, A, "AWSCURRENT")):
        ended = operate(emulator)
    assert "during the client cutover somebody else moved AWSCURRENT of the secret" in ended.of(GROUP)["msg"]
    assert ended.of(GROUP)["remaining_steps"] == ["client_cutover", "set", "verify_new_only"]
    assert slots(emulator)[0] == A
    assert len(slots(emulator)) == len([A, "the new one"])


def test_another_operation_ends_meanwhile(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """What leads on from there is told, and no option of the module for a single call."""

    def attached() -> None:
        create_user_group(emulator)
        modify(emulator, AuthTokenUpdateStrategy="DELETE", UserGroupIdsToAdd=[USERS])

    due_fleet(emulator, [GROUP], A)
    with meanwhile(monkeypatch, attached):
        ended = operate(emulator)
    assert ended.of(GROUP)["failed"]
    assert ended.of(GROUP)["msg"].startswith(
        f"{GROUP}: somebody else has changed the group while this ran. rotate_token is refused: the group is rbac "
        f"({USERS}). Way out: the role migrate_rbac_to_auth leads on from there."
    )
    assert emulator.group(GROUP)["mode"] == "rbac"


def test_user_groups_are_not_left_for_a_token_that_has_been_replaced(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While clients move to A, somebody takes the user groups away and sets C."""

    def left() -> None:
        modify(emulator, RemoveUserGroups=True, AuthToken=C, AuthTokenUpdateStrategy="ROTATE")
        set_token(emulator, C)

    put_token(emulator, A)
    scene(emulator, "rbac")
    with meanwhile(monkeypatch, left):
        ended = operate(emulator, operation="migrate_rbac_to_auth", accept_open_window=True)
    assert ended.of(GROUP)["failed"]
    assert slots(emulator) == [C]


def test_what_somebody_else_has_closed_is_not_reported_as_open(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While clients move, somebody takes the user groups away and sets C: there is none left to be removed."""

    def closed() -> None:
        modify(emulator, RemoveUserGroups=True, AuthToken=C, AuthTokenUpdateStrategy="ROTATE")
        set_token(emulator, C)

    put_token(emulator, B)
    scene(emulator, "rbac")
    options = {**TO_RBAC, "open_user_group_id": "sessions-open", "accept_open_access": True}
    with meanwhile(monkeypatch, closed):
        ended = operate(emulator, **{**options, "operation": "disable_access_control"})
    assert ended.of(GROUP)["failed"]
    assert not ended.of(GROUP)["current_state"].startswith("open")
    assert slots(emulator) == [C]


def test_what_was_done_is_reported_where_it_can_not_be_planned_anew(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed() -> None:
        rotate(emulator, C)
        fault = {"kind": "error", "action": "DescribeReplicationGroups", "code": "AccessDenied", "status": 403}
        emulator.faults({**fault, "nth": 2, "times": 1000})

    due_fleet(emulator, [GROUP], A)
    with meanwhile(monkeypatch, changed):
        ended = operate(emulator, **TO_RBAC, continue_on_error=False)
    assert ended.failed
    assert "elasticache:DescribeReplicationGroups" in ended.msg
    assert ended.changed
    assert [action["action"] for action in ended.of(GROUP)["api_calls"]] == ["CreateUser", "CreateUserGroup"]
