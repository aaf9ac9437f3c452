# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Users and user groups: what is refused of them, and what their changes do to clients of a group that has them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from .answers import Duration
from .endpoint import Answer, NoAnswerError
from .groups import GRACE, Group, Scene
from .made import Kind
from .nodes import SERVED

USER_GROUP, BRIDGE, APP = "user-group", "bridge", "app"
NO_PASSWORD, LOOSE_GROUP = "no-password", "no"
_ALL = "on ~* +@all"
_NOTHING = "off ~* -@all"
_BUSY = ("creating", "modifying", "deleting")


def create_user(
    scene: Scene, name: str, user_name: str, *passwords: str, engine: str = "valkey", **more: Any
) -> Answer:
    """Make a user of the run's."""
    members = {"UserName": user_name, "Engine": engine, "AccessString": _ALL, **more}
    if passwords:
        members["Passwords"] = list(passwords)
    return scene.made.make(Kind.USER, name, "create_user", **members)


def create_user_group(scene: Scene, token: str) -> None:
    """A VALKEY user group of two: a user named ``default`` whose password is the token, and another one."""
    for name, user_name, password in ((BRIDGE, "default", token), (APP, "app", scene.endpoint.hidden.make())):
        answer = create_user(scene, name, user_name, password)
        if answer.refused:
            raise NoAnswerError(f"the user {name} was not made: {answer}")
        settle(scene, Kind.USER, name)
    users = [scene.made.identifier(name) for name in (BRIDGE, APP)]
    answer = scene.made.make(Kind.USER_GROUP, USER_GROUP, "create_user_group", Engine="valkey", UserIds=users)
    if answer.refused:
        raise NoAnswerError(f"the user group was not made: {answer}")
    settle(scene, Kind.USER_GROUP, USER_GROUP)


def settle(scene: Scene, kind: Kind, name: str) -> dict[str, Any]:
    """Wait until it is not busy any more."""
    while True:
        scene.endpoint.clock.check()
        shown = scene.made.shown(kind, name)
        if shown is None:
            raise NoAnswerError(f"the {kind.value} {name} is not there")
        if shown["Status"].lower() not in _BUSY:
            return shown
        scene.endpoint.clock.pause()


def ask_user_groups(scene: Scene, group: Group, token: str) -> None:
    """What the changes of users do while the replication group has their user group."""
    answers, password = scene.answers, scene.endpoint.hidden.make()
    names = ("user-busy", "user-group-busy", "rbac-user", "rbac-password-connections", "rbac-removed-connections")
    with answers.asking(*names, "rbac-without-default", "third-password", "not-a-member"):
        _change(scene, Kind.USER, APP, "modify_user", Passwords=[password])
        line = None
        with answers.asking("rbac-user", "rbac-password-connections", "rbac-removed-connections"):
            line = scene.nodes.open(group.address())
            answers.value("rbac-user", line.authenticate(password, "app"))
        another = scene.endpoint.hidden.make()

        def look() -> None:
            busy = scene.made.change(Kind.USER, APP, "modify_user", AccessString=_ALL)
            if _busy(scene, Kind.USER, APP):
                answers.refusal("user-busy", busy)

        _change(scene, Kind.USER, APP, "modify_user", look, Passwords=[password, another])
        answers.not_asked("user-busy", "the change of the user was over before it could be asked")
        if line:
            answers.value("rbac-password-connections", "kept" if (told := line.ping()) == SERVED else told)
        three = [scene.endpoint.hidden.make() for dummy in range(3)]
        answers.refusal("third-password", scene.made.change(Kind.USER, APP, "modify_user", Passwords=three))
        settle(scene, Kind.USER, APP)
        settle(scene, Kind.USER_GROUP, USER_GROUP)
        app, bridge = scene.made.identifier(APP), scene.made.identifier(BRIDGE)

        def look_at_group() -> None:
            members = [scene.made.identifier("nobody")]
            busy = scene.made.change(Kind.USER_GROUP, USER_GROUP, "modify_user_group", UserIdsToRemove=members)
            if _busy(scene, Kind.USER_GROUP, USER_GROUP):
                answers.refusal("user-group-busy", busy)

        _change(scene, Kind.USER_GROUP, USER_GROUP, "modify_user_group", look_at_group, UserIdsToRemove=[app])
        answers.not_asked("user-group-busy", "the change of the user group was over before it could be asked")
        if line:
            answers.value("rbac-removed-connections", "kept" if (told := line.ping()) == SERVED else told)
            line.close()
        stranger = scene.made.change(Kind.USER_GROUP, USER_GROUP, "modify_user_group", UserIdsToRemove=[app])
        answers.refusal("not-a-member", stranger)
        settle(scene, Kind.USER_GROUP, USER_GROUP)
        members: dict[str, Any] = {"UserIdsToAdd": [app], "UserIdsToRemove": [bridge]}
        _change(scene, Kind.USER_GROUP, USER_GROUP, "modify_user_group", **members)
        answers.value("rbac-without-default", scene.nodes.once(group.address(), "AUTH", token))


def _change(
    scene: Scene, kind: Kind, name: str, operation: str, look: Callable[[], None] = lambda: None, **members: Any
) -> None:
    """Make a change, ``look`` while it is in flight, and wait until it is over, with the user group and all."""
    began = time.monotonic()
    with scene.endpoint.held(scene.made.identifier(name)):
        answer = scene.made.change(kind, name, operation, **members)
        if answer.refused:
            raise NoAnswerError(f"{operation} was refused: {answer}")
        for dummy in range(GRACE):
            if _busy(scene, kind, name):
                look()
                break
            scene.endpoint.clock.pause()
    settle(scene, kind, name)
    settle(scene, Kind.USER_GROUP, USER_GROUP)
    scene.answers.durations.append(Duration(f"{operation} {' '.join(members)}", time.monotonic() - began))


def _busy(scene: Scene, kind: Kind, name: str) -> bool:
    """Whether a change of it is under way still."""
    shown = scene.made.shown(kind, name)
    return shown is not None and shown["Status"].lower() in _BUSY


def ask_refused_users(scene: Scene) -> None:
    """What is refused of users and user groups by themselves."""
    answers, made, hidden = scene.answers, scene.made, scene.endpoint.hidden
    with answers.asking("user-not-found", "user-group-not-found", "default-user"):
        answers.refusal("user-not-found", scene.endpoint.ask("describe_users", UserId=made.identifier("nobody")))
        missing = scene.endpoint.ask("describe_user_groups", UserGroupId=made.identifier("no-group"))
        answers.refusal("user-group-not-found", missing)
        found = scene.endpoint.ask("describe_users", UserId="default")
        answers.value("default-user", "there" if found.result.get("Users") else str(found))
    refused: Mapping[str, Mapping[str, Any]] = {
        "password-length": {"user_name": "short", "Passwords": [hidden.make(length=15)]},
        "iam-user-name": {"user_name": "another", "AuthenticationMode": {"Type": "iam"}},
    }
    for name, members in refused.items():
        with answers.asking(name):
            answers.refusal(name, create_user(scene, f"no-{name}", **members))
    with answers.asking("default-user-required", "no-password-valkey", "lower-case"):
        capital = f"{NO_PASSWORD}-R"
        answer = create_user(scene, capital, "nopass", engine="redis", NoPasswordRequired=True, AccessString=_NOTHING)
        if answer.refused:
            raise NoAnswerError(f"the user without a password was not made: {answer}")
        settle(scene, Kind.USER, capital)
        asked, stored = made.identifier(capital), answer.result["UserId"]
        answers.value("lower-case", "in lower case" if stored == asked.lower() else "as it was given")
        for name, engine in (("default-user-required", "redis"), ("no-password-valkey", "valkey")):
            group = made.make(
                Kind.USER_GROUP, f"{LOOSE_GROUP}-{engine}", "create_user_group", Engine=engine, UserIds=[stored]
            )
            answers.refusal(name, group)
