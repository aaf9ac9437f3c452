# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make one user group (RBAC) what is wanted, or end it. The loop is that of :mod:`.reconcile`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._aws import user_groups, users
from .._aws.errors import code_of
from .._aws.groups import describe_groups
from .._aws.lifecycle import ResourceCall
from .._aws.user_groups import UserGroup
from .._aws.users import DEFAULT_NAME, DELETING, NO_PASSWORD, User, describe_users
from .._core.errors import AuthError
from .exclusive import shared_user_group
from .rbac import RbacSpec, checked_id, checked_tags, without_version
from .reconcile import WantedResource, asked, wait_until

REDIS, VALKEY = "redis", "valkey"


@dataclass(frozen=True)
class WantedUserGroup(WantedResource):
    """The user group as it shall be. ``without``: members that are taken out where others are not."""

    engine: str | None = None
    user_ids: tuple[str, ...] | None = None
    purge_user_ids: bool = True
    without: tuple[str, ...] = ()


def wanted_user_group(params: Mapping[str, Any]) -> WantedUserGroup:
    """Turn a module's options into what is wanted. Raises :class:`AuthError` for what makes no sense."""
    key = checked_id(params["user_group_id"], "user_group_id", "user group")
    given = params["user_ids"]
    user_ids = None if given is None else [_user_id(key, user_id) for user_id in given]
    twice = sorted({user_id for user_id in user_ids or () if (user_ids or []).count(user_id) > 1})
    if twice:
        raise AuthError(
            f"{key}: user_ids: {', '.join(twice)} is listed twice. AWS does not tell upper from lower case in ids."
        )
    if user_ids is not None and len(user_ids) > user_groups.MOST_USERS:
        raise AuthError(f"{key}: user_ids: {_too_many(len(user_ids))}")
    return WantedUserGroup(
        id=key,
        engine=params["engine"],
        user_ids=None if user_ids is None else tuple(user_ids),
        purge_user_ids=params["purge_user_ids"],
        tags=checked_tags(key, params["tags"]),
        purge_tags=params["purge_tags"],
    )


def _user_id(key: str, given: str) -> str:
    try:
        return checked_id(given, "user_ids", "user")
    except AuthError as error:
        raise AuthError(f"{key}: {error}") from error


def _too_many(count: int) -> str:
    return (
        f"{count} users are too many, a user group takes {user_groups.MOST_USERS}. Leave some out: several clients can "
        "share a user."
    )


# --- What AWS would refuse ------------------------------------------------------------------------------------------


def membership_problems(engine: str, user_ids: Sequence[str], found: Mapping[str, User]) -> list[str]:
    """Return why a user group of this engine can't have these users; nothing where it can.

    Rules: elasticache-facts §3, §5.
    """
    missing = [key for key in user_ids if key not in found]
    if missing:
        names_them = ", ".join(missing)
        return [f"there is no user {names_them} in its region. Create it with elasticache.auth.user, or leave it out."]
    problems = []
    members = [found[key] for key in user_ids]
    ending = [user.id for user in members if user.status == DELETING]
    if ending:
        problems.append(f"{', '.join(ending)} is being deleted. Leave it out, or run this again and make it anew.")
    names: dict[str, list[str]] = {}
    for user in members:
        names.setdefault(user.name, []).append(user.id)
    problems += [
        f"{' and '.join(ids)} have the same user name, {name}, and a user group takes each name once. Keep one of them."
        for name, ids in names.items()
        if len(ids) > 1
    ]
    if engine == REDIS and DEFAULT_NAME not in names:
        problems.append(
            f"none of the users is named {DEFAULT_NAME}, and a user group for redis needs one. Add a user with "
            f"user_name: {DEFAULT_NAME}; one with access_string: off -@all accepts nobody."
        )
    open_users = [user.id for user in members if user.authentication == NO_PASSWORD]
    if engine == VALKEY and open_users:
        problems.append(
            f"{', '.join(open_users)} needs no password, and a user group for valkey takes no such user. Give it "
            "passwords with elasticache.auth.user, or leave it out."
        )
    if len(members) > user_groups.MOST_USERS:
        problems.append(_too_many(len(members)))
    return problems


# --- A user group under way -----------------------------------------------------------------------------------------


@dataclass
class UserGroupSpec(RbacSpec[WantedUserGroup, UserGroup]):
    """A user group under way. ``exclusive_to``: the only replication groups that may have it; ``None``: any.

    ``coming``: in check mode, users as they will be when the user group is made or changed.
    """

    coming: Mapping[str, User] = field(default_factory=dict)

    what = "user group"
    describing = "DescribeUserGroups"
    create = user_groups.CREATE
    delete = user_groups.DELETE

    def describe(self) -> UserGroup | None:
        """Ask AWS for the user group."""
        return user_groups.find_user_group(self.clients, self.id)

    def passes(self, error: BaseException, step: ResourceCall) -> bool:
        """Take the refusals that come of what someone else did to the members meanwhile, too."""
        raced = code_of(error) == "InvalidParameterValue" and "member of user group" in str(error)
        gone = step.action == user_groups.MODIFY and code_of(error) in ("UserNotFound", "UserGroupNotFound")
        return super().passes(error, step) or raced or gone

    def _changes(self, current: UserGroup | None) -> tuple[list[str], list[str]]:
        """Return the users to add and to remove, from those that are there: AWS refuses all for one that is not."""
        wanted, there = self.wanted, current.user_ids if current else ()
        if wanted.user_ids is None:
            return [], []
        add = [key for key in wanted.user_ids if key not in there]
        gone = [key for key in there if key not in wanted.user_ids]
        return add, gone if wanted.purge_user_ids else [key for key in gone if key in wanted.without]

    def differing(self, current: UserGroup) -> list[str]:
        """Return what differs from what DescribeUserGroups shows."""
        differing = {
            "engine": self.wanted.engine not in (None, current.engine),
            "user_ids": self._changes(current) != ([], []),
        }
        return [name for name, differs in differing.items() if differs and name not in self.put_off]

    def plan(self, current: UserGroup | None) -> list[ResourceCall]:
        """Return the calls that are left."""
        wanted = self.wanted
        if current is None:
            if wanted.engine is None:
                raise AuthError(f"{self.id}: engine: there is no such user group yet, and to make it AWS needs one.")
            self._check_members(wanted.engine, wanted.user_ids or (), adding=wanted.user_ids or ())
            return [user_groups.creation(self.id, wanted.engine, wanted.user_ids or (), wanted.tags or {})]
        self._check_exclusive(current)
        planned = list(self.tagging(current))
        differing = self.differing(current)
        if differing:
            add, remove = self._changes(current) if "user_ids" in differing else ([], [])
            engine = wanted.engine if "engine" in differing else None
            after = [*(key for key in current.user_ids if key not in remove), *add]
            if engine == VALKEY:
                self._check_attached(current)
            self._check_members(engine or current.engine, after, adding=add)
            self._warn(current, after, remove)
            planned.append(user_groups.modification(self.id, engine=engine, add=add, remove=remove))
        return planned

    def _check_exclusive(self, current: UserGroup) -> None:
        """Raise where a cache has the user group that may not have it, as its clients would feel what is done to it."""
        if self.exclusive_to is not None and (others := shared_user_group(current, self.exclusive_to)):
            raise AuthError(
                f"{self.id}: the user group also serves {others}, and a user group that serves others is not changed "
                "or deleted here. Name another user group."
            )

    def _check_members(self, engine: str, after: Sequence[str], *, adding: Sequence[str]) -> None:
        """Raise where AWS would refuse these members; a busy one that is to be added is waited for."""
        found = self._users(after)
        if self.manner.wait and any(_changing(found.get(key)) for key in adding):
            wait_until(self, lambda: self._busy(adding))
            found = self._users(after)
        busy = [f"{key} is {found[key].status}" for key in adding if _changing(found.get(key))]
        problems = membership_problems(engine, after, found)
        if problems:
            raise AuthError(" ".join(f"{self.id}: user_ids: {problem}" for problem in problems))
        if busy:
            raise AuthError(
                f"{self.id}: user_ids: a change of a user is under way ({', '.join(busy)}), and no other is begun. "
                "With wait: true it is waited for."
            )

    def _users(self, ids: Sequence[str]) -> dict[str, User]:
        unknown = [key for key in ids if key not in self.coming]
        found: dict[str, User] = asked(self, lambda: describe_users(self.clients, unknown), "DescribeUsers")
        return found | {key: user for key, user in self.coming.items() if key in ids}

    def _busy(self, ids: Sequence[str]) -> str:
        found = self._users(ids)
        return ", ".join(f"the user {key} is {found[key].status}" for key in ids if _changing(found.get(key)))

    def _check_attached(self, current: UserGroup) -> None:
        """Raise where a replication group has it that takes no user group for valkey (elasticache-facts §5)."""
        ids = current.replication_groups
        found = asked(self, lambda: describe_groups(self.clients, ids), "DescribeReplicationGroups") if ids else {}
        refusing = sorted(group.id for group in found.values() if group.engine == REDIS)
        if refusing:
            raise AuthError(
                f"{self.id}: engine: {VALKEY} is wanted, but {', '.join(refusing)} has it, and a Redis OSS group takes "
                "only user groups for redis. Move it to valkey first, or leave the option out."
            )

    def _warn(self, current: UserGroup, after: Sequence[str], remove: Sequence[str]) -> None:
        """Return who is refused after a removal (elasticache-facts §1: it ends the connections of the user)."""
        caches = ", ".join((*current.replication_groups, *current.serverless_caches))
        if not caches or not remove:
            return
        nobody = "" if after else " No user is left, so nobody is accepted any more."
        self.warn(
            f"taking out {', '.join(remove)} disconnects their clients of {caches} and refuses them.{nobody}",
        )

    # --- Results

    def state(self, current: UserGroup) -> dict[str, Any]:
        """Return the user group as it is, by option."""
        state: dict[str, Any] = {
            "engine": current.engine,
            "user_ids": sorted(current.user_ids),
            "replication_group_ids": sorted(current.replication_groups),
        }
        return state | self.own_tags()

    def state_after(self, current: UserGroup | None, options: set[str]) -> dict[str, Any]:
        """Predict the user group once these differences are ended."""
        after = {"user_ids": [], "replication_group_ids": []} if current is None else self.state(current)
        if current is None or "engine" in options:
            after["engine"] = self.wanted.engine or after.get("engine")
        if current is None or "user_ids" in options:
            add, remove = self._changes(current)
            after["user_ids"] = sorted({*after["user_ids"], *add} - set(remove))
        return after | self.own_tags_after()

    def raw_after(self, current: UserGroup | None, options: set[str]) -> dict[str, Any]:
        """Predict DescribeUserGroups' member."""
        after = self.state_after(current, options)
        raw = without_version(current.raw, options) if current else {"UserGroupId": self.id}
        return {
            **raw,
            "Engine": after["engine"],
            "UserIds": after["user_ids"],
            "ReplicationGroups": after["replication_group_ids"],
        }

    # --- Its deletion

    def check_deletion(self, current: UserGroup) -> None:
        """Raise where a cache has it: AWS deletes only what is attached nowhere."""
        self._check_exclusive(current)
        attached = [
            *(f"the replication group {key}" for key in sorted(current.replication_groups)),
            *(f"the serverless cache {key}" for key in sorted(current.serverless_caches)),
        ]
        if attached:
            raise AuthError(
                f"{self.id}: {' and '.join(attached)} has it, and AWS deletes no user group that is in use. Give a "
                "replication group other user groups with user_group_ids of elasticache.auth.replication_group, or "
                "take it back to a token with elasticache.auth.replication_group_auth, first."
            )

    def deletion(self) -> ResourceCall:
        """Return DeleteUserGroup."""
        return user_groups.deletion(self.id)


def _changing(user: User | None) -> bool:
    return user is not None and user.busy and user.status != users.DELETING
