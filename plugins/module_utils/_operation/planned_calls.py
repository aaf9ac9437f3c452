# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The API calls that a step of an operation makes, as a plan shows them: in order, and without a token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .._aws import modify
from .._aws.groups import OFF, PREFERRED, REQUIRED
from .._aws.lifecycle import ADD_TAGS, modification
from .._core.operations import CUTOVERS, REMOVING_USER_GROUPS, Operation, Step, StepPlan, sets_at_once
from .._core.record import TAG_KEY
from .._core.states import Call, CallKind
from .._resource.steps import TLS_MOVES
from .._secret.secret_ahead import GOALS

ELASTICACHE, SECRETS_MANAGER = "elasticache", "secretsmanager"
_WORDS = {
    Step.CLIENT_CUTOVER_TLS: "to connect with TLS",
    Step.CLIENT_CUTOVER_USERS: "before the user groups are attached",
    Step.CLIENT_CUTOVER_BEFORE: "before the user groups are removed",
    Step.CLIENT_CUTOVER: "to what is in AWSCURRENT",
}


@dataclass(frozen=True)
class Setting:
    """What the calls are about. ``in_rbac``: user groups decide when the operation goes on.

    ``of_steps``: the calls on secrets, users and user groups, by step. ``foretold``: the first change can be written
    ahead. ``at_once``: a client cutover is a time that is waited for in the same run; ``made``: that is so only of the
    one that tasks have made; ``cutover``: one above 0, which is put on record when it begins.
    """

    operation: Operation
    group_id: str
    in_rbac: bool = False
    attached: tuple[str, ...] = ()
    user_group_id: str = ""
    open_user_group_id: str = ""
    of_steps: Mapping[Step, list[dict[str, Any]]] = field(default_factory=dict)
    foretold: bool = True
    at_once: bool = False
    made: Step | None = None
    cutover: bool = False


def calls_of(step_plan: StepPlan, setting: Setting) -> list[dict[str, Any]]:
    """Return the calls of every step, in order: step, service, action and parameters, tokens masked."""
    shown: list[dict[str, Any]] = []
    in_rbac, attached = setting.in_rbac, setting.attached
    cutover = setting.cutover and Step.SET in step_plan.steps
    at_once = sets_at_once(step_plan.steps, soaking=setting.at_once, made=setting.made)
    setting = replace(setting, at_once=at_once, cutover=cutover)
    for step in step_plan.steps:
        service = SECRETS_MANAGER if step in GOALS else ELASTICACHE
        calls = [*setting.of_steps.get(step, ()), *_calls(step, setting, in_rbac, attached)]
        shown += [{"step": step.value, "service": service, **call} for call in calls]
        if step in (Step.ATTACH, Step.ATTACH_OPEN):
            attached = (setting.user_group_id if step is Step.ATTACH else setting.open_user_group_id,)
        in_rbac = step in (Step.ATTACH, Step.ATTACH_OPEN) or (in_rbac and step not in REMOVING_USER_GROUPS)
    records = [number for number, call in enumerate(shown) if call["parameters"].get("Tags") == [TAG_KEY]]
    if records and not setting.foretold:
        del shown[records[0]]
    return shown


def _calls(step: Step, setting: Setting, in_rbac: bool, attached: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield the calls on the replication group."""
    group = setting.group_id
    match step:
        case Step.UPDATE_RECORD:
            yield _record(group)
        case Step.PREFER_TLS:
            yield _tls(group, OFF, PREFERRED)
        case Step.REQUIRE_TLS:
            yield _tls(group, PREFERRED, REQUIRED)
        case Step.ROTATE | Step.ROTATE_CURRENT:
            rotation = Call(CallKind.REMOVE_AND_ROTATE if in_rbac else CallKind.ROTATE, "token")
            yield from _change(group, rotation, written_down=not setting.at_once)
        case Step.CLIENT_CUTOVER if setting.cutover:
            yield _record(group)
        case Step.SET:
            yield from _change(group, Call(CallKind.SET, "token"))
        case Step.ATTACH | Step.ATTACH_OPEN:
            ids = (setting.user_group_id if step is Step.ATTACH else setting.open_user_group_id,)
            yield from _change(group, Call(CallKind.DELETE, user_groups=ids))
        case Step.REMOVE_USER_GROUPS:
            yield modify.shown(group, Call(CallKind.REMOVE_USER_GROUPS, user_groups=attached))


def _tls(group: str, before: str, after: str) -> dict[str, Any]:
    return modification(group, TLS_MOVES[before, after], (), immediately=True).shown()


def _change(group: str, call: Call, *, written_down: bool = True) -> Iterator[dict[str, Any]]:
    """A change of access control, with the record ahead of it and, if ``written_down``, after it."""
    yield _record(group)
    yield modify.shown(group, call)
    if written_down:
        yield _record(group)


def _record(group: str) -> dict[str, Any]:
    return {"action": ADD_TAGS, "parameters": {"ResourceName": f"replicationgroup:{group}", "Tags": [TAG_KEY]}}


def told(step_plan: StepPlan, calls: Iterable[Mapping[str, Any]], cutover: str = "") -> list[str]:
    """Return the plan in lines: each call in order, and each client cutover. ``cutover``: how long that lasts."""
    calls = list(calls)
    lines = []
    for step in step_plan.steps:
        if step in CUTOVERS:
            lines.append(f"client cutover: {_WORDS[step]}" + (f" ({cutover})" if cutover else ""))
        own = [call for call in calls if call["step"] == step.value]
        lines += [f"{call['service']}:{call['action']}({_members(call['parameters'])})" for call in own]
    return [f"{number:2}. {line}" for number, line in enumerate(lines, 1)]


def _members(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_text(value)}" for name, value in parameters.items())


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{_members(value)}}}"
    return f"[{', '.join(map(_text, value))}]" if isinstance(value, list | tuple) else str(value)
