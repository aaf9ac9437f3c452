# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The plan is what runs: each call that changes something, of each service, with its members and in its order; and what
the plan refuses the run refuses, with the same words and before any call.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import ModuleRun, run
from integration.plans import made, planned
from integration.role_scenes import KEY, labelled, promote, put_token, run_role, secret_name, secret_text
from integration.role_scenes import version_ids as labels
from integration.role_states import half_rotated, rotated
from integration.roles.test_roles_bad_input import TEMPLATE, WITH_USERS
from integration.scenes import GROUP, A, B, C, create, modify, scene, set_token
from integration.user_scenes import active, make, make_group

if TYPE_CHECKING:
    from conftest import Emulator

Prepare = Callable[["Emulator"], object]
SECRET = secret_name()


@dataclass(frozen=True)
class Variant:
    """An operation's way from where ``prepare`` has left GROUP. ``options`` are the module's; ``says``: the refusal."""

    operation: str
    prepare: Prepare
    options: Mapping[str, Any] = field(default_factory=dict)
    says: tuple[str, ...] = ()


def operate(emulator: Emulator, operation: str, *, check: bool, **options: Any) -> ModuleRun:
    """Run ``auth_operation`` as the role does. An option that is None is left out."""
    args: dict[str, Any] = {
        "operation": operation,
        "replication_group_ids": [GROUP],
        "auth_token_secret": {"name": TEMPLATE, "key": KEY},
        "data_plane_ca_path": emulator.ca_bundle,
        "wait_delay": 0.1,
        "soak": 0,
        **WITH_USERS.get(operation, {}),
        **options,
    }
    given = {name: value for name, value in args.items() if value is not None}
    return run(emulator, "auth_operation", given, check=check)


def stored(prepare: Prepare, current: str, pending: str | None = None) -> Prepare:
    """Prepare a group, and store its tokens."""

    def both(emulator: Emulator) -> None:
        put_token(emulator, current, pending)
        prepare(emulator)

    return both


def in_state(state: str) -> Prepare:
    return lambda emulator: scene(emulator, state)


def half_way(emulator: Emulator) -> None:
    half_rotated(emulator)


def rbac_with_token(emulator: Emulator) -> None:
    """The user named default has the token in AWSCURRENT already."""
    put_token(emulator, A)
    scene(emulator, "rbac")


def no_secret(state: str, **members: Any) -> Prepare:
    return lambda emulator: create(emulator, **members) if members else scene(emulator, state)


def bare(emulator: Emulator) -> None:
    """A bare secret, which can't say that there is no token yet."""
    emulator.client("secretsmanager").create_secret(Name=SECRET)
    scene(emulator, "open")


def staged_first(emulator: Emulator) -> None:
    """The first version of a bare secret has both labels."""
    client = emulator.client("secretsmanager")
    client.create_secret(Name=SECRET)
    client.put_secret_value(SecretId=SECRET, SecretString=A, VersionStages=["AWSPENDING"])
    scene(emulator, "open")


def leftover(emulator: Emulator) -> None:
    """A promotion was cut off: AWSPENDING is on the token in AWSCURRENT, too."""
    scene(emulator, "required")
    put_token(emulator, C, A)
    client = emulator.client("secretsmanager")
    found = labels(emulator)
    client.update_secret_version_stage(
        SecretId=SECRET,
        VersionStage="AWSCURRENT",
        MoveToVersionId=found["AWSPENDING"],
        RemoveFromVersionId=found["AWSCURRENT"],
    )


def back(emulator: Emulator) -> None:
    rotated(emulator, True)


def shared_user_group(emulator: Emulator) -> None:
    """Its user group also serves another group, so that there can be no bridge user."""
    scene(emulator, "rbac")
    create(emulator, "carts", UserGroupIds=["ug-1"])


def bridged(emulator: Emulator) -> None:
    """Up to the client cutover, while user groups decide."""
    scene(emulator, "rbac")
    begun = operate(
        emulator, "migrate_rbac_to_auth", check=False, accept_open_window=True, create_secret=True, phase="begin"
    )
    assert not begun.failed, begun.msg


def bridged_and_required(emulator: Emulator) -> None:
    """The token decides, and the bridge user is in the user group still."""
    bridged(emulator)
    token = labelled(emulator)["AWSCURRENT"]
    modify(emulator, RemoveUserGroups=True, AuthToken=token, AuthTokenUpdateStrategy="ROTATE")
    set_token(emulator, token)


BARE = {"auth_token_secret": {"name": TEMPLATE}}
MAKING = {"create_secret": True}
CONSENT = {"accept_open_window": True, "accept_open_access": True}
SUPPLIED = {"auth_token_secret": None, "auth_tokens": {GROUP: B}, "previous_auth_tokens": {GROUP: A}}
UNCERTAIN = {"probe": "never", "assume_state": "rotating", "assume_newest": "pending"}
IN_ONE_CALL: Mapping[str, Variant] = {
    "rotate": Variant("rotate_token", stored(in_state("required"), A), {"force": True}),
    "rotate-soak": Variant("rotate_token", stored(in_state("required"), A), {"force": True, "soak": 0.5}),
    "finish-soak": Variant("rotate_token", half_way, {"soak": 0.5}),
    "rotate-staged": Variant("rotate_token", stored(in_state("required"), A, B), {"force": True}),
    "rotate-begin": Variant("rotate_token", stored(in_state("required"), A), {"force": True, "phase": "begin"}),
    "rotate-half-way": Variant("rotate_token", half_way),
    "rotate-leftover": Variant("rotate_token", leftover, {"force": True}),
    "rotate-promoted": Variant("rotate_token", stored(lambda e: create(e, AuthToken=B), A, B)),
    "rotate-uncertain": Variant("rotate_token", stored(in_state("rotating"), A, B), UNCERTAIN),
    "rotate-supplied": Variant("rotate_token", in_state("required"), SUPPLIED),
    "enable-first-secret": Variant("enable_auth", in_state("open"), MAKING),
    "enable-bare": Variant("enable_auth", bare, {**MAKING, **BARE}),
    "enable-bare-staged": Variant("enable_auth", staged_first, BARE),
    "enable-stored": Variant("enable_auth", stored(in_state("open"), A)),
    "enable-half-way": Variant("enable_auth", stored(in_state("optional"), A)),
    "leave-rbac": Variant("migrate_rbac_to_auth", in_state("rbac"), {**MAKING, **CONSENT}),
    "leave-rbac-with-the-token": Variant("migrate_rbac_to_auth", rbac_with_token, CONSENT),
    "leave-rbac-directly": Variant(
        "migrate_rbac_to_auth", shared_user_group, {**MAKING, **CONSENT, "allow_direct": True}
    ),
    "leave-rbac-supplied": Variant("migrate_rbac_to_auth", in_state("rbac"), {**SUPPLIED, **CONSENT}),
    "leave-rbac-bridged": Variant("migrate_rbac_to_auth", bridged, {**MAKING, **CONSENT}),
    "leave-rbac-restore": Variant("migrate_rbac_to_auth", bridged_and_required, CONSENT),
    "leave-rbac-begin": Variant("migrate_rbac_to_auth", in_state("rbac"), {**MAKING, **CONSENT, "phase": "begin"}),
    "back": Variant("rollback_token", back),
    "back-supplied": Variant("rollback_token", lambda e: create(e, AuthToken=A), SUPPLIED),
}


@pytest.mark.parametrize("name", IN_ONE_CALL)
def test_the_calls(emulator: Emulator, name: str) -> None:
    it = IN_ONE_CALL[name]
    it.prepare(emulator)
    begun = time.time()
    plan = operate(emulator, it.operation, check=True, **it.options)
    assert not plan.failed, plan.msg
    assert emulator.calls(mutating="true", since=begun) == []
    before, begun = labels(emulator), time.time()
    ran = operate(emulator, it.operation, check=False, **it.options)
    assert not ran.failed, ran.msg
    assert ran.of(GROUP)["remaining_steps"] == [], "the module makes all steps"
    calls = plan.of(GROUP)["planned_calls"]
    assert calls == ran.of(GROUP)["planned_calls"]
    assert made(emulator.calls(since=begun), calls, before) == planned(calls)
    assert calls


# --- With users and encryption in transit, which are steps of the role ------------------------------------------------


def app(emulator: Emulator, *ids: str) -> None:
    """Users of the user's own, for the user group."""
    for key in ids:
        make(emulator, key, UserName=key)


def required(emulator: Emulator) -> None:
    put_token(emulator, A)
    scene(emulator, "required")


def user_that_is_off(emulator: Emulator) -> None:
    """The issue's: a user of that id is there, and off; and there are users to add."""
    required(emulator)
    make(emulator, f"{GROUP}-default", UserName="default", AccessString="off -@all", NoPasswordRequired=True)
    app(emulator, "app")


def user_group_with_users(emulator: Emulator) -> None:
    """A user group of that id is there, with the user and another one; one more is to be added."""
    required(emulator)
    make(emulator, f"{GROUP}-default", UserName="default", Passwords=[C])
    app(emulator, "app", "job")
    make_group(emulator, f"{GROUP}-users", f"{GROUP}-default", "app")


def user_for_redis(emulator: Emulator) -> None:
    """It comes to be for the engine of the group."""
    required(emulator)
    make(emulator, f"{GROUP}-default", UserName="default", Engine="redis", Passwords=[A])


def rotating(emulator: Emulator) -> None:
    put_token(emulator, A, B)
    promote(emulator)
    scene(emulator, "rotating")


def open_user_group(emulator: Emulator) -> None:
    """What an earlier run has left, and a user group of that id with other users."""
    required(emulator)
    make(emulator, f"{GROUP}-leaving", UserName="default", Passwords=[A])
    make(emulator, "other", UserName="default", Engine="redis", Passwords=[C])
    make_group(emulator, f"{GROUP}-open", "other", engine="redis")


def back_through_users(emulator: Emulator) -> None:
    half_way(emulator)


BY_THE_ROLE: Mapping[str, Variant] = {
    "users-off": Variant("migrate_auth_to_rbac", user_that_is_off, {"user_ids": ["app"]}),
    "users-there": Variant("migrate_auth_to_rbac", user_group_with_users, {"user_ids": ["app", "job"]}),
    "users-of-redis": Variant("migrate_auth_to_rbac", user_for_redis),
    "users-two-tokens": Variant("migrate_auth_to_rbac", rotating),
    "open": Variant("disable_access_control", open_user_group, {"accept_open_access": True}),
    "back-through-users": Variant("rollback_token", back_through_users, {"accept_open_window": True}),
    "tls": Variant("enable_tls", lambda e: create(e, TransitEncryptionEnabled=False)),
    "tls-and-token": Variant(
        "enable_auth", lambda e: create(e, TransitEncryptionEnabled=False), {"enable_tls": True, "create_secret": True}
    ),
}
#: The ids that the roles have by default.
IDS_OF = {
    "migrate_auth_to_rbac": {
        "user_group_id": "{replication_group_id}-users",
        "user_id": "{replication_group_id}-default",
    },
    "disable_access_control": {
        "user_group_id": "{replication_group_id}-leaving",
        "user_id": "{replication_group_id}-leaving",
        "open_user_group_id": "{replication_group_id}-open",
    },
    "rollback_token": {
        "user_group_id": "{replication_group_id}-keeping",
        "user_id": "{replication_group_id}-keeping",
    },
}


@pytest.mark.parametrize("name", BY_THE_ROLE)
def test_the_calls_of_the_role(emulator: Emulator, name: str) -> None:
    it = BY_THE_ROLE[name]
    it.prepare(emulator)
    begun = time.time()
    source = None if it.operation == "enable_tls" else {"name": TEMPLATE, "key": KEY}
    options = {**it.options, **IDS_OF.get(it.operation, {}), "auth_token_secret": source}
    plan = operate(emulator, it.operation, check=True, **options)
    assert not plan.failed, plan.msg
    assert emulator.calls(mutating="true", since=begun) == []
    before = labels(emulator)
    ran = run_role(emulator, it.operation, soak=0, **it.options)
    assert ran.succeeded, ran.output
    calls = plan.of(GROUP)["planned_calls"]
    assert made(ran.calls, calls, before) == planned(calls)
    again = operate(emulator, it.operation, check=True, **options)
    assert again.of(GROUP)["planned_calls"] == [], again.msg


def test_the_time_that_a_plan_expects_is_that_of_the_last_change(emulator: Emulator) -> None:
    """Without a record, or with one that does not tell, it is what others have measured."""
    scene(emulator, "required")
    put_token(emulator, A)
    first = operate(emulator, "rotate_token", check=True, force=True)
    assert (
        "  expected time: 10 s to 16 min (2 token changes each of 5 s to 8 min). "
        in (first.result["diff"][0]["prepared"])
    )
    done = operate(emulator, "rotate_token", check=False, force=True)
    assert not done.failed, done.msg
    then = operate(emulator, "rotate_token", check=True, force=True).result["diff"][0]["prepared"]
    assert re.search(
        r"expected time: .* \(2 token changes each of about \d+ s, as this group's last change took", then
    ), then


def test_what_check_mode_shows_of_users(emulator: Emulator) -> None:
    """The issue's input: each call with its members, and no password."""
    user_that_is_off(emulator)
    plan = operate(emulator, "migrate_auth_to_rbac", check=True, user_ids=["app"])
    shown = plan.result["diff"][0]["prepared"]
    for line in (
        " 1. elasticache:AddTagsToResource(ResourceName=user:sessions-default, Tags=[elasticache.auth/passwords])\n",
        " 2. elasticache:ModifyUser(UserId=sessions-default, AccessString=on ~* &* +@all, AuthenticationMode={Type=",
        " 3. elasticache:AddTagsToResource(ResourceName=user:sessions-default, Tags=[elasticache.auth/passwords])\n",
        " 4. elasticache:CreateUserGroup(UserGroupId=sessions-users, Engine=valkey, UserIds=[sessions-default, app])\n",
    ):
        assert f"  {line}" in shown, shown
    assert "AuthenticationMode={Type=password, Passwords=[********]})\n" in shown
    assert "  expected time: " in shown
    assert "client cutover: before the user groups are attached (0 s)\n" in shown, shown


# --- Refusals ---------------------------------------------------------------------------------------------------------


def not_open_to_users(**members: Any) -> Prepare:
    """A user of the user's own that a user group does not take."""

    def prepare(emulator: Emulator) -> None:
        required(emulator)
        make(emulator, "app", UserName="app", **members)

    return prepare


def namesakes(emulator: Emulator) -> None:
    required(emulator)
    make(emulator, "app", UserName="default")


def a_hundred(emulator: Emulator) -> None:
    required(emulator)
    app(emulator, *(f"app-{number}" for number in range(100)))


def a_full_user_group(emulator: Emulator) -> None:
    """With the token's user it is one too many."""
    required(emulator)
    ids = [f"app-{number}" for number in range(100)]
    app(emulator, *ids)
    make_group(emulator, f"{GROUP}-users", *ids)


def previous(text: str) -> Prepare:
    """A secret that holds ``text`` in AWSPREVIOUS."""

    def prepare(emulator: Emulator) -> None:
        client = emulator.client("secretsmanager")
        client.create_secret(Name=SECRET, SecretString=text)
        client.put_secret_value(SecretId=SECRET, SecretString=secret_text(A))
        scene(emulator, "required")

    return prepare


AT = "Aaquae7Zooph3yah@TheiV1ee"
REFUSALS: Mapping[str, Variant] = {
    "user-ids-nowhere": Variant(
        "migrate_auth_to_rbac",
        user_that_is_off,
        {"user_ids": ["app", "nosuch"]},
        (f"{GROUP}: migrate_auth_to_rbac is refused", "migrate_auth_to_rbac_user_ids: there is no user nosuch"),
    ),
    "user-ids-no-id": Variant(
        "migrate_auth_to_rbac", required, {"user_ids": ["a_b"]}, ("user_ids: 'a_b' can't be the id of a user",)
    ),
    "user-ids-twice": Variant(
        "migrate_auth_to_rbac", required, {"user_ids": [f"{GROUP}-default"]}, ("sessions-default is listed twice",)
    ),
    "user-ids-without-password": Variant(
        "migrate_auth_to_rbac",
        not_open_to_users(NoPasswordRequired=True),
        {"user_ids": ["app"]},
        ("app needs no password, and a user group for valkey takes no such user",),
    ),
    "user-ids-namesakes": Variant(
        "migrate_auth_to_rbac", namesakes, {"user_ids": ["app"]}, ("have the same user name, default",)
    ),
    "user-ids-a-hundred": Variant(
        "migrate_auth_to_rbac",
        a_hundred,
        {"user_ids": [f"app-{number}" for number in range(100)]},
        ("101 users are too many, a user group takes 100",),
    ),
    "user-group-full": Variant("migrate_auth_to_rbac", a_full_user_group, {}, ("101 users are too many",)),
    "access-string": Variant(
        "migrate_auth_to_rbac", required, {"access_string": "on nopass"}, ("it holds a rule about passwords",)
    ),
    "back-to-what-is-no-token": Variant(
        "rollback_token", previous(secret_text(AT)), {}, ("AWSPREVIOUS", "is not a valid AUTH token", "17 is '@'")
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_refused(emulator: Emulator, name: str) -> None:
    """By the plan, and by the run before its first call, with the same words."""
    it = REFUSALS[name]
    it.prepare(emulator)
    begun = time.time()
    plan = operate(emulator, it.operation, check=True, **it.options)
    assert plan.failed, plan.msg
    for part in it.says:
        assert part in plan.msg
    assert plan.of(GROUP)["planned_calls"] == []
    ran = operate(emulator, it.operation, check=False, **it.options)
    assert ran.failed
    assert ran.msg == plan.msg
    assert emulator.calls(mutating="true", since=begun) == []


def test_a_user_that_is_busy_is_waited_for(emulator: Emulator) -> None:
    """As the run does: nothing else can be said of it."""
    user_that_is_off(emulator)
    emulator.client("elasticache").modify_user(UserId=f"{GROUP}-default", AccessString="off +@read")
    plan = operate(emulator, "migrate_auth_to_rbac", check=True)
    assert not plan.failed, plan.msg
    active(emulator)
    assert [call["action"] for call in plan.of(GROUP)["planned_calls"]][1] == "ModifyUser"
