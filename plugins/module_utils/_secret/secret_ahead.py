# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an operation's steps will call of Secrets Manager. Nothing in here talks to anyone.

It is decided as the steps themselves decide it, each from the secret as the one before leaves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._aws.secrets import ABANDONED, CURRENT, LABEL, PENDING, PREVIOUS, Secret, SecretCall
from .._core.errors import AuthError
from .._core.operations import Operation, Step
from .secret_plan import Creation, Goal, SecretRequest, decide

#: What each step that keeps tokens in their secret wants of it.
GOALS: Mapping[Step, Goal] = {
    Step.PROMOTE_PENDING: Goal.PROMOTED,
    Step.STAGE: Goal.STAGED,
    Step.PROMOTE_OLDER: Goal.PROMOTED,
    Step.PROMOTE: Goal.PROMOTED,
    Step.CLEAR: Goal.CLEARED,
    Step.RETIRE_VERSION: Goal.ABANDONED,
}
#: In the place of a random token that is yet to be made: it keeps the rules, and no secret holds it.
_NEW_TOKEN = "a-random-token-that-is-yet-to-be-made"  # noqa: S105 - none
#: By which of its labels a version is called.
_LABELS = (CURRENT, PENDING, PREVIOUS, ABANDONED)


def goal_of(operation: Operation, step: Step) -> Goal:
    """Return what ``step`` wants of the secret: a rollback stages the token in AWSPREVIOUS, and not a new one."""
    return Goal.BACK if step is Step.STAGE and operation is Operation.ROLLBACK_TOKEN else GOALS[step]


def secret_calls(
    operation: Operation,
    steps: Iterable[Step],
    group_id: str,
    name: str,
    key: str | None,
    secret: Secret | None,
    creation: Creation | None,
    region: str,
) -> dict[Step, list[dict[str, Any]]]:
    """Return the calls of each of the ``steps`` that makes any, as they are shown, in order.

    ``secret``: as it was read, ``None`` where it is to be made; ``creation`` says how. Raises :class:`AuthError` where
    a step would be refused.
    """
    shown: dict[Step, list[dict[str, Any]]] = {}
    for step in (step for step in steps if step in GOALS):
        token = _NEW_TOKEN if goal_of(operation, step) is Goal.STAGED else ""
        request = SecretRequest(group_id, name, goal_of(operation, step), key, token, creation=creation)
        try:
            made = _calls_of(request, secret, region)
        except AuthError as error:
            text = str(error).removeprefix(f"{group_id}: ")
            raise AuthError(f"{group_id}: {operation.value} is refused, at the step {step.value}: {text}") from error
        for before, call, after in made:
            shown.setdefault(step, []).append(_shown(call, before))
            secret = after
    return shown


def _calls_of(
    request: SecretRequest, secret: Secret | None, region: str
) -> list[tuple[Secret | None, SecretCall, Secret]]:
    """Return the calls that fulfil ``request``, each with the secret before and after it."""
    made: list[tuple[Secret | None, SecretCall, Secret]] = []
    while True:
        calls = decide(request, secret, region).calls
        for call in calls:
            after = (secret or Secret("", {})).after(call, call.version_id or f"version {len(made)}")
            made.append((secret, call, after))
            secret = after
            if call is not calls[-1] and call.action != LABEL:
                break  # as the step does, which knows the id of the next version only then
        else:
            return made


def _shown(call: SecretCall, before: Secret | None) -> dict[str, Any]:
    """Return the call for a plan; versions are called by a label of theirs, as those to come have no id yet."""
    shown: dict[str, Any] = call.shown()
    labels = before.labels if before else {}
    stage = shown["parameters"].get("VersionStage")
    for member in ("MoveToVersionId", "RemoveFromVersionId"):
        version = shown["parameters"].get(member)
        if version:
            names = [label for label in _LABELS if labels.get(label) == version]
            others = [label for label in names if label != stage]
            shown["parameters"][member] = f"(that of {(others or names or [stage])[0]})"
    return shown
