# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The API calls that a step of a journey makes, as a plan shows them: in order, and without a token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .._aws import modify, secrets, user_groups, users
from .._aws.secrets import ABANDONED, CURRENT, PENDING, PREVIOUS
from .._core.journeys import TURNS, Journey, Step, Way, sets_at_once
from .._core.record import TAG_KEY
from .._core.states import Call, CallKind

ELASTICACHE, SECRETS_MANAGER = "elasticache", "secretsmanager"
_TAG = "AddTagsToResource"
_WORDS = {
    Step.CLIENTS_TLS: "to connect with TLS",
    Step.CLIENTS_USERS: "before user groups decide",
    Step.CLIENTS_BEFORE: "before user groups stop to decide",
    Step.CLIENTS: "to take what is current",
}


@dataclass(frozen=True)
class Setting:
    """What the calls are about. ``exists``: the secret does. ``in_rbac``: user groups decide when the journey goes on.

    ``user_ids``: the users that are made for it. ``foretold``: the first change can be written ahead.
    ``at_once``: the clients' turn is a time that is waited for in the same run; ``cutover``: one above 0, which is put
    on record when it begins.
    """

    journey: Journey
    group_id: str
    secret: str = ""
    exists: bool = True
    leftover: bool = False
    in_rbac: bool = False
    attached: tuple[str, ...] = ()
    user_group_id: str = ""
    open_user_group_id: str = ""
    user_ids: tuple[str, ...] = ()
    existing_user_groups: frozenset[str] = frozenset()
    existing_users: frozenset[str] = frozenset()
    foretold: bool = True
    at_once: bool = False
    cutover: bool = False

    def after(self, step: Step) -> Setting:
        """Return it with the users and user groups that ``step`` makes."""
        if step is Step.USERS:
            made = self.existing_user_groups | {self.user_group_id}
            return replace(self, existing_user_groups=made, existing_users=self.existing_users | {*self.user_ids})
        if step is Step.ATTACH_OPEN:
            return replace(self, existing_user_groups=self.existing_user_groups | {self.open_user_group_id})
        return self


def calls_of(way: Way, setting: Setting) -> list[dict[str, Any]]:
    """Return the calls of every step, in order: step, service, action and parameters, tokens masked."""
    shown: list[dict[str, Any]] = []
    in_rbac, attached = setting.in_rbac, setting.attached
    cutover = setting.cutover and Step.SET in way.steps
    setting = replace(setting, at_once=sets_at_once(way.steps, soaking=setting.at_once), cutover=cutover)
    # The first of these steps finds AWSPENDING on what AWSCURRENT holds, and only takes it off.
    promotions = [step for step in way.steps if step in (Step.ADOPT, Step.STAGE, Step.RECALL, Step.PROMOTE)]
    leftover = promotions[0] if setting.leftover and promotions else None
    for step in way.steps:
        shown += [
            {"step": step.value, "service": service, "action": action, "parameters": parameters}
            for service, action, parameters in _calls(step, setting, in_rbac, attached, tidying=step is leftover)
        ]
        if step in (Step.ATTACH, Step.ATTACH_OPEN):
            attached = (setting.user_group_id if step is Step.ATTACH else setting.open_user_group_id,)
        leaving = step in (Step.ROTATE, Step.ROTATE_CURRENT, Step.DETACH)
        in_rbac = step in (Step.ATTACH, Step.ATTACH_OPEN) or (in_rbac and not leaving)
        setting = setting.after(step)
    tagged = [number for number, call in enumerate(shown) if call["action"] == _TAG]
    if tagged and not setting.foretold:
        del shown[tagged[0]]
    return shown


def _calls(
    step: Step, setting: Setting, in_rbac: bool, attached: tuple[str, ...], *, tidying: bool
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    group = setting.group_id
    match step:
        case Step.UPDATE_RECORD:
            yield _record(group)
        case Step.PREFER_TLS | Step.REQUIRE_TLS:
            mode = "preferred" if step is Step.PREFER_TLS else "required"
            members = {"TransitEncryptionEnabled": True, "TransitEncryptionMode": mode}
            yield ELASTICACHE, modify.ACTION, {"ReplicationGroupId": group, "ApplyImmediately": True, **members}
        case Step.STAGE if setting.journey is Journey.ROLLBACK_TOKEN:
            yield _label(setting, ABANDONED, "MoveToVersionId", CURRENT)
            yield _label(setting, PENDING, "MoveToVersionId", PREVIOUS)
        case Step.STAGE:
            if not setting.exists:
                yield SECRETS_MANAGER, secrets.CREATE, {"Name": setting.secret}
            yield _put(setting, PENDING)
        case Step.PROMOTE | Step.ADOPT | Step.RECALL:
            if not tidying:
                yield _label(setting, CURRENT, "MoveToVersionId", PENDING)
            yield _label(setting, PENDING, "RemoveFromVersionId", CURRENT)
        case Step.CLEAR:
            yield _put(setting, CURRENT)
        case Step.ABANDON:
            yield _label(setting, PREVIOUS, "RemoveFromVersionId", PREVIOUS)
            yield _label(setting, ABANDONED, "RemoveFromVersionId", PREVIOUS)
        case Step.ROTATE | Step.ROTATE_CURRENT:
            rotation = Call(CallKind.REMOVE_AND_ROTATE if in_rbac else CallKind.ROTATE, "token")
            yield from _change(group, rotation, written_down=not setting.at_once)
        case Step.CLIENTS if setting.cutover:
            yield _record(group)
        case Step.SET:
            yield from _change(group, Call(CallKind.SET, "token"))
        case Step.ATTACH | Step.ATTACH_OPEN:
            ids = (setting.user_group_id if step is Step.ATTACH else setting.open_user_group_id,)
            if step is Step.ATTACH_OPEN and ids[0] not in setting.existing_user_groups:
                yield ELASTICACHE, user_groups.CREATE, {"UserGroupId": ids[0], "UserIds": [users.AWS_USER]}
            yield from _change(group, Call(CallKind.DELETE, user_groups=ids))
        case Step.DETACH:
            call = modify.shown(group, Call(CallKind.REMOVE_USER_GROUPS, user_groups=attached))
            yield ELASTICACHE, call["action"], call["parameters"]
        case Step.USERS:
            for user_id in setting.user_ids:
                if user_id not in setting.existing_users:
                    yield ELASTICACHE, users.CREATE, {"UserId": user_id, "Passwords": [modify.MASK]}
            if setting.user_group_id not in setting.existing_user_groups:
                members = {"UserGroupId": setting.user_group_id, "UserIds": list(setting.user_ids)}
                yield ELASTICACHE, user_groups.CREATE, members
        case Step.CLEAN_UP:
            for user_group_id in (setting.open_user_group_id, setting.user_group_id):
                if user_group_id in setting.existing_user_groups:
                    yield ELASTICACHE, user_groups.DELETE, {"UserGroupId": user_group_id}
            for user_id in setting.user_ids:
                if user_id in setting.existing_users:
                    yield ELASTICACHE, users.DELETE, {"UserId": user_id}


def _put(setting: Setting, stage: str) -> tuple[str, str, dict[str, Any]]:
    members = {"SecretId": setting.secret, "SecretString": modify.MASK, "VersionStages": [stage]}
    return SECRETS_MANAGER, secrets.PUT, members


def _label(setting: Setting, stage: str, member: str, of: str) -> tuple[str, str, dict[str, Any]]:
    members = {"SecretId": setting.secret, "VersionStage": stage, member: f"(that of {of})"}
    return SECRETS_MANAGER, secrets.LABEL, members


def _change(group: str, call: Call, *, written_down: bool = True) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """A change of access control, with the record ahead of it and, if ``written_down``, after it."""
    shown = modify.shown(group, call)
    yield _record(group)
    yield ELASTICACHE, shown["action"], shown["parameters"]
    if written_down:
        yield _record(group)


def _record(group: str) -> tuple[str, str, dict[str, Any]]:
    return ELASTICACHE, _TAG, {"ResourceName": f"replicationgroup:{group}", "Tags": [TAG_KEY]}


def told(way: Way, calls: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the plan in lines: each call in order, and where it is the clients' turn."""
    calls = list(calls)
    lines = []
    for step in way.steps:
        if step in TURNS:
            lines.append(f"the clients' turn: {_WORDS[step]}")
        for call in calls:
            if call["step"] == step.value:
                members = ", ".join(f"{name}={_text(value)}" for name, value in call["parameters"].items())
                lines.append(f"{call['service']}:{call['action']}({members})")
    return [f"{number:2}. {line}" for number, line in enumerate(lines, 1)]


def _text(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)
