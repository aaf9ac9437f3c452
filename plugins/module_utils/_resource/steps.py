# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what is wanted of a replication group and what AWS shows of it to the calls that make it so. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .._auth.observe import check_preconditions
from .._aws import settings
from .._aws.groups import OFF, PREFERRED, REQUIRED, Group
from .._aws.lifecycle import ResourceCall, as_tags, creation, modification, tagging
from .._aws.readings import Shown, version_of
from .._core.errors import AuthError
from .._core.record import TAG_KEY
from .._core.states import CallKind
from .wanted import ON, TLS_AT_CREATION, Wanted

#: The members of ModifyReplicationGroup from one mode of encryption in transit to the next (elasticache-facts §3).
TLS_MOVES: Mapping[tuple[str, str], Mapping[str, Any]] = {
    (OFF, PREFERRED): {"TransitEncryptionEnabled": True, "TransitEncryptionMode": PREFERRED},
    (PREFERRED, REQUIRED): {"TransitEncryptionMode": REQUIRED},
    (REQUIRED, PREFERRED): {"TransitEncryptionMode": PREFERRED},
    (PREFERRED, OFF): {"TransitEncryptionEnabled": False},
}


def creation_step(wanted: Wanted, record: str | None) -> ResourceCall:
    """Return the call that makes the group, with its token in it; ``record`` is the value of the record's tag."""
    members = settings.creation_members(wanted.settings) | dict(TLS_AT_CREATION[wanted.tls])
    given = [*wanted.settings]
    if wanted.token:
        members["AuthToken"] = wanted.token.value
    if wanted.user_groups:
        members["UserGroupIds"] = list(wanted.user_groups)
        given.append("user_group_ids")
    tags = {**(wanted.tags or {}), **({TAG_KEY: record} if record else {})}
    if tags:
        members["Tags"] = as_tags(tags)
    return creation(wanted.id, members, given)


def steps(wanted: Wanted, shown: Shown) -> list[ResourceCall]:
    """Return the calls, in order, that make the group as wanted; none where it is.

    Each leaves the group in a state from which the next is taken. What AWS would refuse together goes alone:
    encryption in transit, user groups, cluster mode. Raises :class:`AuthError` for what it can't change in place.
    """
    found = settings.differences(shown, wanted.settings, immediately=wanted.apply_immediately)
    settings.check(wanted.id, found)
    add, remove = user_group_changes(wanted, shown.group)
    leaves_rbac = bool(remove) and not add and set(remove) == set(shown.group.user_group_ids)
    tls = _tls_members(wanted, shown.group, leaves_rbac=leaves_rbac)

    planned = tagging(shown.group.arn, **_tag_changes(wanted, shown.tags))
    access = []
    if add or remove:
        members = {"UserGroupIdsToAdd": list(add), "UserGroupIdsToRemove": list(remove)}
        members = {name: ids for name, ids in members.items() if ids}
        access.append(modification(wanted.id, members, ["user_group_ids"], immediately=True))
    if leaves_rbac:
        planned += access
    if tls:
        options = ["transit_encryption_enabled", "transit_encryption_mode"]
        planned.append(modification(wanted.id, tls, options, immediately=True))
    together = [difference for difference in found if not difference.setting.alone]
    for some in ([together] if together else []) + [[difference] for difference in found if difference.setting.alone]:
        members = settings.modification_members(some)
        options = [difference.setting.option for difference in some]
        planned.append(modification(wanted.id, members, options, immediately=wanted.apply_immediately))
    if access and not leaves_rbac:
        if add:
            _check_attachable(wanted, shown)
        planned += access
    return planned


def user_group_changes(wanted: Wanted, group: Group) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the user groups to add and to remove. Raises :class:`AuthError` where that is not for this module."""
    if wanted.user_groups is None:
        return (), ()
    if group.auth_token_enabled and wanted.user_groups:
        raise AuthError(
            f"{group.id}: user_group_ids: an AUTH token is in force, and user groups take its place in one call only, "
            "which has every client refused that has no user. With elasticache.auth.replication_group_auth use "
            f"auth_token_update_strategy: delete and user_group_ids: [{', '.join(wanted.user_groups)}]."
        )
    add = tuple(user_group for user_group in wanted.user_groups if user_group not in group.user_group_ids)
    remove = tuple(user_group for user_group in group.user_group_ids if user_group not in wanted.user_groups)
    if remove and not wanted.user_groups and not wanted.accept_open_access:
        raise AuthError(
            f"{group.id}: user_group_ids: without its user groups ({', '.join(remove)}) the group would serve anyone, "
            "without credentials. Name the user groups that shall decide; to go over to a token use "
            "elasticache.auth.replication_group_auth with remove_user_groups: true; if open access is what you want, "
            "set accept_open_access: true."
        )
    return add, remove


def _check_attachable(wanted: Wanted, shown: Shown) -> None:
    """Raise where AWS takes no user groups, after the steps that come before."""
    tls = wanted.tls if wanted.tls not in (None, ON) else shown.group.tls
    version = version_of(shown.member.get("EngineVersion") or "")
    engine = shown.group.engine
    if wanted.apply_immediately:
        version = max(version, version_of(wanted.settings.get("engine_version") or ""))
        engine = wanted.settings.get("engine", engine)
    group = replace(shown.group, tls=str(tls), engine=engine)
    check_preconditions(group, (CallKind.ADD_USER_GROUPS,), {group.id: version})


def _tls_members(wanted: Wanted, group: Group, *, leaves_rbac: bool) -> Mapping[str, Any]:
    """Return the members that lead to the wanted encryption in transit, none where it is so: AWS refuses an echo."""
    goal = wanted.tls
    if goal is None or goal == group.tls or (goal == ON and group.tls != OFF):
        return {}
    goal = REQUIRED if goal == ON else goal
    if group.auth_token_enabled or (group.user_group_ids and not leaves_rbac):
        what = "an AUTH token" if group.auth_token_enabled else "user groups"
        raise AuthError(
            f"{group.id}: encryption in transit is {group.tls}, {goal} is wanted, and AWS does not change it on a "
            f"group with {what}: access control would have to be given up first, which allows unauthenticated "
            "access. Leave transit_encryption_enabled and transit_encryption_mode out, or make a new group."
        )
    if (group.tls, goal) == (OFF, REQUIRED):
        raise AuthError(
            f"{group.id}: encryption in transit is off, and AWS has no direct way to required: clients without "
            "TLS would be cut off. Set transit_encryption_mode: preferred first, move the clients to TLS, then set "
            "required."
        )
    if (group.tls, goal) == (REQUIRED, OFF):
        raise AuthError(
            f"{group.id}: encryption in transit is required, and AWS has no direct way to off. Set "
            "transit_encryption_mode: preferred first, move the clients, then set transit_encryption_enabled: false."
        )
    return TLS_MOVES[(group.tls, goal)]


def _tag_changes(wanted: Wanted, tags: Mapping[str, str] | None) -> dict[str, Any]:
    """Return the tags to add and the keys to remove; the record's and AWS's own stay."""
    if wanted.tags is None or tags is None:
        return {"add": {}, "remove": []}
    add = {key: value for key, value in wanted.tags.items() if tags.get(key) != value}
    kept = {*wanted.tags, TAG_KEY}
    gone = [key for key in tags if key not in kept and not key.startswith("aws:")] if wanted.purge_tags else []
    return {"add": add, "remove": gone}


# --- States, for results and differences ----------------------------------------------------------------------------


def state_of(shown: Shown) -> dict[str, Any]:
    """Return the group as it is, by option; of the token only whether there is one."""
    group = shown.group
    state = {
        **settings.current_settings(shown),
        "transit_encryption_enabled": group.tls != OFF,
        "transit_encryption_mode": None if group.tls == OFF else group.tls,
        "user_group_ids": sorted(group.user_group_ids),
        "auth_token_enabled": group.auth_token_enabled,
    }
    if shown.tags is not None:
        state["tags"] = {key: value for key, value in shown.tags.items() if key != TAG_KEY}
    return state


def state_after(wanted: Wanted, before: Mapping[str, Any] | None, options: set[str]) -> dict[str, Any]:
    """Predict the group once the differences in ``options`` are ended; ``before``: ``None`` where it is to be made."""
    making = before is None
    after = dict(before or {})
    if making:
        after |= {
            name: value for name, value in wanted.settings.items() if settings.BY_OPTION[name].read is not None
        } | {"auth_token_enabled": wanted.token is not None, "user_group_ids": sorted(wanted.user_groups or ())}
    after |= {name: value for name, value in wanted.settings.items() if name in options and not making}
    if making or "transit_encryption_mode" in options:
        tls = {None: OFF, ON: REQUIRED}.get(wanted.tls, wanted.tls)
        after |= {"transit_encryption_enabled": tls != OFF, "transit_encryption_mode": None if tls == OFF else tls}
    if "user_group_ids" in options:
        after["user_group_ids"] = sorted(wanted.user_groups or ())
    if wanted.tags is not None and (making or "tags" in options):
        kept = {} if wanted.purge_tags else after.get("tags", {})
        kept |= {key: value for key, value in after.get("tags", {}).items() if key.startswith("aws:")}
        after["tags"] = {**kept, **wanted.tags}
    return after


def description_after(wanted: Wanted, raw: Mapping[str, Any], options: set[str]) -> dict[str, Any]:
    """Predict DescribeReplicationGroups' member, as far as it shows what changes."""
    making = not raw
    changed = {name: value for name, value in wanted.settings.items() if making or name in options}
    after = settings.predicted(raw or {"ReplicationGroupId": wanted.id}, changed)
    if making:
        after["AuthTokenEnabled"] = wanted.token is not None
    if making or "transit_encryption_mode" in options:
        tls = {None: OFF, ON: REQUIRED}.get(wanted.tls, wanted.tls)
        after["TransitEncryptionEnabled"] = tls != OFF
        after.pop("TransitEncryptionMode", None)
        if tls != OFF:
            after["TransitEncryptionMode"] = tls
    if making or "user_group_ids" in options:
        after["UserGroupIds"] = sorted(wanted.user_groups or ())
    return after
