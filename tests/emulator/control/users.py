# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Users and user groups (RBAC): create, modify, describe, delete, with their busy states.

Functions here are called with the world's lock held; those named ``_finish…`` run later, on a worker, without it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import paging, rules, views
from .model import ACTIVE, DELETING, MODIFYING, User, UserGroup
from .refusals import Refusal
from .tags import parse_tags
from .world import Store, World

Parameters = Mapping[str, Any]
DEFAULT = "default"
USERS_A_GROUP = 100
_AUTHENTICATION = {"password": "password", "no-password-required": "no-password", "iam": "iam"}


def _later(world: World, store: Store, action: str, identifier: str, finish: Callable[[], None]) -> None:
    world.later(store, action, identifier, world.timing.modify_seconds, finish)


def _show_user(store: Store, user: User) -> dict[str, Any]:
    return views.user(user, sorted(group.id for group in store.user_groups.values() if user.id in group.user_ids))


def _show_group(store: Store, group: UserGroup) -> dict[str, Any]:
    serverless = [cache.id for cache in store.serverless.values() if cache.user_group_id == group.id]
    return views.user_group(group, sorted(item.id for item in store.groups_with(group.id)), sorted(serverless))


def _check_active(user: User) -> None:
    if user.status != ACTIVE:
        raise Refusal.USER_BUSY.error(id=user.id, status=user.status)


def _authentication(parameters: Parameters) -> tuple[str, tuple[str, ...]] | None:
    """The authentication asked for, as ``(type, passwords)``; ``None`` where the request says nothing of it."""
    mode = parameters.get("AuthenticationMode") or {}
    passwords = parameters.get("Passwords")
    kind = mode.get("Type")
    if passwords is not None and mode.get("Passwords") is not None:
        raise Refusal.COMBINATION.error(why="Passwords provided via multiple arguments. Use only one argument")
    passwords = tuple(passwords if passwords is not None else mode.get("Passwords") or ())
    if kind is not None and kind not in _AUTHENTICATION:
        raise Refusal.INVALID_VALUE.error(name="AuthenticationMode")
    if kind is None and parameters.get("NoPasswordRequired"):
        kind = "no-password-required"
    if kind is None and passwords:
        kind = "password"
    if kind is None:
        return None
    if passwords and kind != "password":
        raise Refusal.COMBINATION.error(why=f"Password field is not allowed with authentication type: {kind}")
    if kind == "password" and not passwords:
        raise Refusal.COMBINATION.error(
            why="A user with Authentication Mode: password, must have at least one password"
        )
    if passwords and parameters.get("NoPasswordRequired"):
        raise Refusal.COMBINATION.error(why="Passwords can't be provided with NoPasswordRequired.")
    rules.check_passwords(passwords)
    return _AUTHENTICATION[kind], passwords


def _check_iam(authentication: str, user_id: str, name: str) -> None:
    if authentication == "iam" and user_id != name:
        raise Refusal.COMBINATION.error(why="The user id and the user name of an IAM user must be the same.")


def create_user(world: World, store: Store, parameters: Parameters) -> dict[str, Any]:
    """CreateUser. The user is active at once."""
    user_id = rules.check_user_id("UserId", parameters.get("UserId"))
    if user_id in store.users:
        raise Refusal.USER_EXISTS.error(id=user_id)
    name = parameters.get("UserName")
    if not name or any(character.isspace() for character in name):
        raise Refusal.INVALID_VALUE.error(name="UserName")
    engine = rules.check_engine(parameters.get("Engine"))
    access_string = rules.check_access_string(parameters.get("AccessString"))
    authentication = _authentication(parameters)
    if authentication is None:
        raise Refusal.COMBINATION.error(
            why="No password was provided. If you want to create/update the user without password, "
            "please use the NoPasswordRequired flag."
        )
    _check_iam(authentication[0], user_id, name)
    tags = parse_tags(parameters.get("Tags") or [])
    user = User(user_id, name, engine, store.arn("user", user_id), access_string, *authentication)
    user.tags, user.ever_tagged = tags, bool(tags)
    store.users[user_id] = user
    return _show_user(store, user)


def modify_user(world: World, store: Store, parameters: Parameters) -> dict[str, Any]:
    """ModifyUser. The user and the user groups it is in are busy until it has taken effect."""
    user = store.user(parameters.get("UserId"))
    if user.id == DEFAULT:
        raise Refusal.USER_FIXED.error()
    _check_active(user)
    changes: dict[str, Any] = {}
    if parameters.get("AccessString") is not None:
        changes["access_string"] = rules.check_access_string(parameters["AccessString"])
    if parameters.get("AppendAccessString") is not None:
        base = changes.get("access_string", user.access_string)
        changes["access_string"] = f"{base} {rules.check_access_string(parameters['AppendAccessString'])}"
    authentication = _authentication(parameters)
    if authentication is not None:
        changes["authentication"], changes["passwords"] = authentication
        _check_iam(authentication[0], user.id, user.name)
    if parameters.get("Engine") is not None:
        changes["engine"] = rules.check_engine(parameters["Engine"])
    if not changes:
        raise Refusal.NOTHING_TO_CHANGE.error()
    groups = [group for group in store.user_groups.values() if user.id in group.user_ids]
    after = dataclasses.replace(user, **changes)
    for group in groups:
        _check_fits(after, group.engine)
        if group.status != ACTIVE:
            raise Refusal.USER_GROUP_BUSY.error(id=group.id, status=group.status)
    user.status = MODIFYING
    for group in groups:
        group.status = MODIFYING
    _later(world, store, "ModifyUser", user.id, lambda: _finish_modify_user(world, store, user, changes, groups))
    return _show_user(store, user)


def _finish_modify_user(
    world: World, store: Store, user: User, changes: Mapping[str, Any], groups: Sequence[UserGroup]
) -> None:
    with world.lock:
        for name, value in changes.items():
            setattr(user, name, value)
    _enforce(world, store, groups)
    with world.lock:
        user.status = ACTIVE
        for group in groups:
            group.status = ACTIVE


def _enforce(world: World, store: Store, groups: Sequence[UserGroup]) -> None:
    """Make every replication group that has one of these user groups let in who they say now."""
    with world.lock:
        affected = {item.id: item for group in groups for item in store.groups_with(group.id)}
    for item in affected.values():
        world.enforce(store, item)


def delete_user(world: World, store: Store, parameters: Parameters) -> dict[str, Any]:
    """DeleteUser. It leaves its user groups; the default user of a REDIS group can't be deleted."""
    user = store.user(parameters.get("UserId"))
    if user.id == DEFAULT:
        raise Refusal.USER_FIXED.error()
    _check_active(user)
    groups = [group for group in store.user_groups.values() if user.id in group.user_ids]
    for group in groups:
        if group.engine == "redis" and user.name == DEFAULT:
            raise Refusal.USER_IS_DEFAULT.error(id=user.id)
        if group.status != ACTIVE:
            raise Refusal.USER_GROUP_BUSY.error(id=group.id, status=group.status)
    user.status = DELETING
    for group in groups:
        group.status, group.removing = MODIFYING, (user.id,)
    _later(world, store, "DeleteUser", user.id, lambda: _finish_delete_user(world, store, user, groups))
    return _show_user(store, user)


def _finish_delete_user(world: World, store: Store, user: User, groups: Sequence[UserGroup]) -> None:
    with world.lock:
        for group in groups:
            group.user_ids = tuple(item for item in group.user_ids if item != user.id)
    _enforce(world, store, groups)
    with world.lock:
        store.users.pop(user.id, None)
        for group in groups:
            group.status, group.removing = ACTIVE, ()


def describe_users(world: World, store: Store, parameters: Parameters) -> tuple[list[dict[str, Any]], str | None]:
    """DescribeUsers: by id, by engine, or by the filters ``user-id``, ``user-name``, ``engine``, ``status``."""
    chosen = list(store.users.values())
    if parameters.get("UserId"):
        chosen = [store.user(parameters["UserId"])]
    if parameters.get("Engine"):
        engine = rules.check_engine(parameters["Engine"])
        chosen = [user for user in chosen if user.engine == engine]
    attributes = {"user-id": "id", "user-name": "name", "engine": "engine", "status": "status"}
    for item in parameters.get("Filters") or []:
        attribute = attributes.get(item.get("Name"))
        if attribute is None:
            raise Refusal.INVALID_VALUE.error(name="Filters")
        chosen = [user for user in chosen if getattr(user, attribute) in (item.get("Values") or [])]
    users, marker = paging.page(
        chosen, lambda user: user.id, marker=parameters.get("Marker"), max_records=parameters.get("MaxRecords")
    )
    return [_show_user(store, user) for user in users], marker


def _check_fits(user: User, engine: str) -> None:
    """Refuse a user that a user group of this engine doesn't take."""
    if engine == "valkey" and user.authentication == "no-password":
        raise Refusal.NO_PASSWORD_USER_IN_VALKEY_GROUP.error(id=user.id)
    if engine == "redis" and user.engine == "valkey":
        raise Refusal.USER_ENGINE.error(id=user.id)


def _check_members(store: Store, user_ids: Sequence[str], engine: str) -> None:
    """Refuse a set of members that a user group of this engine can't have (elasticache-facts §3, §5)."""
    users = [store.user(user_id) for user_id in user_ids]
    for user in users:
        _check_fits(user, engine)
    names = [user.name for user in users]
    for name in names:
        if names.count(name) > 1:
            raise Refusal.DUPLICATE_USER_NAME.error(name=name)
    if engine == "redis" and DEFAULT not in names:
        raise Refusal.DEFAULT_USER_REQUIRED.error()
    if len(users) > USERS_A_GROUP:
        raise Refusal.USER_QUOTA.error()


def create_user_group(world: World, store: Store, parameters: Parameters) -> dict[str, Any]:
    """CreateUserGroup. It is ``creating``, then ``active``."""
    group_id = rules.check_user_id("UserGroupId", parameters.get("UserGroupId"))
    if group_id in store.user_groups:
        raise Refusal.USER_GROUP_EXISTS.error(id=group_id)
    engine = rules.check_engine(parameters.get("Engine"))
    user_ids = tuple(dict.fromkeys(item.lower() for item in parameters.get("UserIds") or ()))
    for user_id in user_ids:
        _check_active(store.user(user_id))
    _check_members(store, user_ids, engine)
    tags = parse_tags(parameters.get("Tags") or [])
    group = UserGroup(group_id, engine, store.arn("usergroup", group_id), user_ids, tags=tags, ever_tagged=bool(tags))
    store.user_groups[group_id] = group

    def finish() -> None:
        with world.lock:
            group.status = ACTIVE

    world.later(store, "CreateUserGroup", group_id, world.timing.create_seconds, finish)
    return _show_group(store, group)


def modify_user_group(world: World, store: Store, parameters: Parameters) -> dict[str, Any]:
    """ModifyUserGroup. A wrong member refuses the whole request (elasticache-facts §3)."""
    group = store.user_group(parameters.get("UserGroupId"))
    if group.status != ACTIVE:
        raise Refusal.USER_GROUP_BUSY.error(id=group.id, status=group.status)
    adding = tuple(dict.fromkeys(item.lower() for item in parameters.get("UserIdsToAdd") or ()))
    removing = tuple(dict.fromkeys(item.lower() for item in parameters.get("UserIdsToRemove") or ()))
    engine = rules.check_engine(parameters.get("Engine"), group.engine)
    if not adding and not removing and engine == group.engine:
        raise Refusal.NOTHING_TO_CHANGE.error()
    for user_id in removing:
        if user_id not in group.user_ids:
            raise Refusal.NOT_A_MEMBER.error(id=user_id, group=group.id)
    for user_id in adding:
        _check_active(store.user(user_id))
        if user_id in group.user_ids:
            raise Refusal.ALREADY_A_MEMBER.error(id=user_id, group=group.id)
    after = (*(item for item in group.user_ids if item not in removing), *adding)
    _check_members(store, after, engine)
    group.status, group.adding, group.removing = MODIFYING, adding, removing
    _later(world, store, "ModifyUserGroup", group.id, lambda: _finish_modify_group(world, store, group, after, engine))
    return _show_group(store, group)


def _finish_modify_group(world: World, store: Store, group: UserGroup, user_ids: tuple[str, ...], engine: str) -> None:
    with world.lock:
        group.user_ids, group.engine = user_ids, engine
    _enforce(world, store, [group])
    with world.lock:
        group.status, group.adding, group.removing = ACTIVE, (), ()


def delete_user_group(world: World, store: Store, parameters: Parameters) -> dict[str, Any]:
    """DeleteUserGroup, refused while a cache has it."""
    group = store.user_group(parameters.get("UserGroupId"))
    if group.status != ACTIVE:
        raise Refusal.USER_GROUP_BUSY.error(id=group.id, status=group.status)
    pending = [item for item in store.groups.values() if item.pending and item.pending.access]
    arriving = any(
        group.id in item.pending.access.groups_added for item in pending if item.pending and item.pending.access
    )
    shown = _show_group(store, group)
    if shown["ReplicationGroups"] or shown["ServerlessCaches"] or arriving:
        raise Refusal.USER_GROUP_IN_USE.error(id=group.id)
    group.status = DELETING

    def finish() -> None:
        with world.lock:
            store.user_groups.pop(group.id, None)

    _later(world, store, "DeleteUserGroup", group.id, finish)
    return _show_group(store, group)


def describe_user_groups(world: World, store: Store, parameters: Parameters) -> tuple[list[dict[str, Any]], str | None]:
    """DescribeUserGroups: a page, and the next one's marker."""
    identifier = parameters.get("UserGroupId")
    chosen, marker = paging.page(
        [store.user_group(identifier)] if identifier else store.user_groups.values(),
        lambda group: group.id,
        marker=parameters.get("Marker"),
        max_records=parameters.get("MaxRecords"),
    )
    return [_show_group(store, group) for group in chosen], marker
