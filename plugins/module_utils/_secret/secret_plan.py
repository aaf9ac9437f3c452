# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wanted of a secret, and the calls that are left to make for it. Nothing in here talks to anyone."""

from __future__ import annotations

import enum
import json
import shlex
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._aws.lifecycle import as_tags
from .._aws.secrets import (
    ABANDONED,
    CREATE,
    CURRENT,
    LABEL,
    PENDING,
    PREVIOUS,
    PUT,
    Secret,
    SecretCall,
    next_version_id,
    secret_name,
)
from .._core.errors import AuthError
from .._core.one_line import one_line
from .._core.secret_text import differing_keys, token_in, with_token
from .._core.tokens import DEFAULT_LENGTH, in_force_violations, rule_violations

#: How many ids are tried that may be taken by discarded tokens; then any id will do.
MAX_TAKEN = 16


class Goal(enum.Enum):
    """What is wanted of the staging labels; ``BACK``: the token in AWSPREVIOUS in AWSPENDING, to go back to it."""

    STAGED = "staged"
    BACK = "staged from_previous"
    PROMOTED = "promoted"
    DISCARDED = "discarded"
    ABANDONED = "abandoned"
    CLEARED = "cleared"


@dataclass(frozen=True)
class Creation:
    """What a secret gets that has to be created."""

    description: str | None = None
    kms_key_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def members(self) -> dict[str, Any]:
        """Return the members of CreateSecret."""
        given = {"Description": self.description, "KmsKeyId": self.kms_key_id, "Tags": as_tags(self.tags)}
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True)
class SecretOrder:
    """What is wanted of every secret.

    ``names``: of the secrets, by group. ``token``: the one to stage, or ``tokens``, those by group; without either,
    random ones of ``length``. ``versions``: the id of the version to promote, by group; of a group without one it is
    the version that is staged. ``currents``: the id of the version in AWSCURRENT that this was planned from, by group;
    where it is another by now, no label is moved. ``creation``: ``None`` where no secret is to be created.
    """

    goal: Goal
    names: Mapping[str, str]
    key: str | None = None
    token: str | None = field(default=None, repr=False)
    tokens: Mapping[str, Any] | None = field(default=None, repr=False)
    length: int = DEFAULT_LENGTH
    creation: Creation | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    currents: Mapping[str, str] = field(default_factory=dict)
    check_mode: bool = False


@dataclass(frozen=True)
class SecretRequest:
    """What is wanted of one secret. ``token``: the one to stage; ``given``: it is the caller's and not a random one.

    ``version``: the id of the version to promote, the only one that may be; empty: the one that is staged.
    ``attempt``: how many ids of new versions turned out to be taken.
    """

    group_id: str
    name: str
    goal: Goal
    key: str | None = None
    token: str = field(default="", repr=False)
    given: bool = False
    creation: Creation | None = None
    version: str = ""
    attempt: int = 0

    def what(self, stage: str = "") -> str:
        """Return the words for the secret, or for what it has at a staging label."""
        return f"{self.group_id}: {f'{stage} of ' if stage else ''}the secret {self.name}"


@dataclass(frozen=True)
class SecretPlan:
    """The calls to make. ``deed``: what they do, with ``{was}`` for the tense; ``note``: what else is to be said."""

    calls: tuple[SecretCall, ...] = ()
    deed: str = ""
    note: str = ""
    warning: str = ""

    def message(self, group_id: str, was: str) -> str:
        """Return the outcome's message; ``was``: "was" or "would be"."""
        deed = f"{self.deed.replace('{was}', was)}." if self.deed else ""
        return f"{group_id}: {' '.join(filter(None, (deed, self.note)))}"


# --- Deciding -------------------------------------------------------------------------------------------------------


def names_of(template: str, ids: list[str], option: str = "") -> dict[str, str]:
    """Return the secret's name for each group; ``option``: what comes before ``name`` where messages name that option.

    Raises :class:`AuthError` where two groups would share one.
    """
    if not template.strip():
        raise AuthError(
            f"{option}name is empty. Give the secret's name, with {{replication_group_id}} for the group's id."
        )
    names = {key: secret_name(template, key, option) for key in ids}
    by_name: dict[str, list[str]] = {}
    for key, name in names.items():
        by_name.setdefault(name, []).append(key)
    for name, keys in by_name.items():
        if len(keys) > 1:
            raise AuthError(
                f"{', '.join(keys)}: they would share the secret {name}, and a change of one group's token would take "
                f"the other's away. Give each a secret of its own, with {{replication_group_id}} in {option}name."
            )
    return names


def unread(goal: Goal, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the staging labels whose versions have to be read to decide.

    None to discard: that is the remedy where AWSPENDING holds what can't be understood.
    """
    if goal is Goal.STAGED:
        return tuple(stage for stage in (CURRENT, PENDING) if stage in labels)
    if goal is Goal.PROMOTED and PENDING in labels and labels[PENDING] != labels.get(CURRENT):
        return tuple(stage for stage in (CURRENT, PENDING) if stage in labels)
    if goal is Goal.BACK and not _gone_back(labels):
        return tuple(stage for stage in (CURRENT, PREVIOUS) if stage in labels)
    return (CURRENT,) if goal is Goal.CLEARED and CURRENT in labels else ()


def decide(request: SecretRequest, secret: Secret | None, region: str) -> SecretPlan:
    """Return what is left to do. Raises :class:`AuthError` for a secret with which it can't be done."""
    if secret is None:
        if request.goal is not Goal.STAGED or request.creation is None:
            how = " with create: true" if request.goal is Goal.STAGED else ""
            raise AuthError(
                f"{request.group_id}: there is no secret {request.name} in {region}. "
                f"Create it{how}, or check name and region."
            )
        plan = _stage_first(request, Secret("", {}), _creation_call(request, request.creation))
    else:
        plan = _PLANNERS[request.goal](request, secret)
    if plan.calls and secret and secret.primary_region not in ("", region):
        raise AuthError(
            f"{request.what()} is a replica in {region}, and only its primary, in {secret.primary_region}, can be "
            f"changed. Set region: {secret.primary_region}; Secrets Manager replicates the change."
        )
    return plan


def _creation_call(request: SecretRequest, creation: Creation) -> SecretCall:
    if request.name.startswith("arn:"):
        raise AuthError(
            f"{request.what()} does not exist, and none can be created by its ARN. Give its name, or create it first."
        )
    # A JSON object can say that there is no token yet, so that AWSCURRENT is true until the token is in force. A bare
    # secret can't, and begins without a version.
    text = {"SecretString": _no_token(request.key)} if request.key else {}
    return SecretCall(CREATE, {"Name": request.name, **creation.members(), **text})


def _no_token(key: str) -> str:
    return json.dumps({key: ""})


def _stage_first(request: SecretRequest, secret: Secret, *before: SecretCall) -> SecretPlan:
    """The first token of a secret that has no version."""
    calls = list(before)
    if request.key and not before:
        calls.append(_put(request, (CURRENT,), _no_token(request.key), next_version_id(secret.arn, {}, -1)))
    text = json.dumps({request.key: request.token}) if request.key else request.token
    calls.append(_put(request, (PENDING,) if request.key else (CURRENT, PENDING), text, _version_id(request, secret)))
    deed = f"the secret {request.name} {{was}} {'created' if before else 'given its first version'}"
    if request.key:
        note = f"{CURRENT} says that there is no token yet."
    else:
        note = f"{CURRENT} is on the same version, as on every secret's first one."
    return SecretPlan(tuple(calls), f"{deed}, with {_which(request)} in {PENDING}", note)


def _stage(request: SecretRequest, secret: Secret) -> SecretPlan:
    if CURRENT not in secret.labels:
        if PENDING in secret.labels:
            raise AuthError(
                f"{request.what()} is empty but for {PENDING}. A rotation by Secrets Manager may be under way: wait "
                "for its end, or take the label off with state: discarded."
            )
        if request.creation is None:
            raise AuthError(
                f"{request.what()} is empty. Let this module store its first token with create: true, "
                "or store one in its SecretString."
            )
        return _stage_first(request, secret)
    text = secret.texts.get(CURRENT)
    current = token_in(text, request.key, request.what(CURRENT), "")
    leftover = False
    if PENDING in secret.labels:
        pending = _pending_token(request, secret)
        # A first version has both labels from the start; on a later one AWSPENDING is what a promotion left.
        first = secret.labels[PENDING] == secret.labels[CURRENT] and PREVIOUS not in secret.labels
        leftover = pending == current and not first
        if not leftover:
            _check_pending(request, rule_violations(pending))
            if request.given and request.token != pending:
                raise AuthError(
                    f"{request.what(PENDING)} holds another token than the one given, and a group may accept that "
                    "already. Promote it, or discard it where no group does (state: promoted, state: discarded)."
                )
            same = "the token given" if request.given else "a token"
            return SecretPlan(note=f"{same} is in {PENDING} of the secret {request.name} already.")
    if request.given and request.token == current:
        return SecretPlan(note=f"the token given is in {CURRENT} of the secret {request.name} already.")
    if secret.labels.get(ABANDONED) == secret.labels[CURRENT]:
        # Promoting another one now would let the version that is marked pass for one that was gone back from.
        raise _half_way_back(request)
    text = with_token(text or "", request.key, request.token)
    put = _put(request, (PENDING,), text, _version_id(request, secret))
    note = f"{PENDING} had been left on the token that {CURRENT} holds." if leftover else ""
    return SecretPlan((put,), f"{_which(request)} {{was}} staged in {PENDING} of the secret {request.name}", note)


def _promote(request: SecretRequest, secret: Secret) -> SecretPlan:
    if not secret.labels:
        raise AuthError(f"{request.what()} is empty, so there is nothing to promote. Stage a token first.")
    if request.version and secret.labels.get(PENDING) != request.version:
        return _promoted_already(request, secret.labels)
    if PENDING not in secret.labels:
        return SecretPlan(note=f"nothing is staged in the secret {request.name}.")
    version = secret.labels[PENDING]
    if version == secret.labels.get(CURRENT):
        return SecretPlan(
            (_unlabel(request, version),),
            f"{PENDING} {{was}} taken off the version of the secret {request.name} that is in {CURRENT} already",
        )
    _check_way_back(request, secret.labels)
    pending = _pending_token(request, secret)
    # A group accepts it already, whatever else AWS may say of such tokens.
    _check_pending(request, in_force_violations(pending))
    text = secret.texts.get(CURRENT)
    if pending == token_if_any(request, text):
        # Moving AWSCURRENT would take AWSPREVIOUS, and the token there may be in force, away for nothing.
        return SecretPlan(
            (_unlabel(request, version),),
            f"{PENDING} {{was}} taken off a version of the secret {request.name} that holds the token of {CURRENT}",
        )
    move: dict[str, Any] = {"SecretId": request.name, "VersionStage": CURRENT, "MoveToVersionId": version}
    if CURRENT in secret.labels:
        move["RemoveFromVersionId"] = secret.labels[CURRENT]
    unlike = differing_keys(secret.texts.get(PENDING), text, request.key) if request.key else []
    names = ", ".join(one_line(name, 100) for name in unlike)
    warning = (
        f"{request.what()}: besides the token, {names} in {PENDING} is not as in {CURRENT}, and becomes "
        f"current with the promotion. What was in {CURRENT} is in {PREVIOUS} then."
    )
    return SecretPlan(
        (SecretCall(LABEL, move), _unlabel(request, version)),
        f"the token in {PENDING} of the secret {request.name} {{was}} promoted to {CURRENT}",
        warning=warning if unlike else "",
    )


def _promoted_already(request: SecretRequest, labels: Mapping[str, str]) -> SecretPlan:
    """The version to promote is not, or no longer, the one that is staged. Raises where it is not in AWSCURRENT."""
    pending = labels.get(PENDING)
    if labels.get(CURRENT) == request.version:
        note = f"the version {request.version} of the secret {request.name} is in {CURRENT} already."
        warning = (
            f"{request.what(PENDING)} is on the version {pending}, which somebody else has staged meanwhile. It was "
            "left as it is, and no group accepts its token because of this run."
        )
        return SecretPlan(note=note, warning=warning if pending else "")
    where = f"is on the version {pending}, not on {request.version}" if pending else f"is not on {request.version}"
    again = ["--secret-id", request.name, "--version-stage", PENDING, "--move-to-version-id", request.version]
    again += ["--remove-from-version-id", pending] if pending else []
    raise AuthError(
        f"{request.what(PENDING)} {where}, the version to be promoted: somebody else has moved the label. No label "
        f"is moved: clients go on with {CURRENT}, and what is in {PENDING} now may be a token that no group accepts. "
        "Find out who moved it. To finish with the version to be promoted, put the label back within a day (Secrets "
        "Manager deletes versions without a label) and repeat this: "
        f"{shlex.join(['aws', 'secretsmanager', 'update-secret-version-stage', *again])}"
    )


def check_current(request: SecretRequest, plan: SecretPlan, before: str, labels: Mapping[str, str]) -> None:
    """Raise :class:`AuthError` where ``plan`` rests on AWSCURRENT being on the version ``before``, and it is not.

    Promoting another version would take both labels, AWSCURRENT and AWSPREVIOUS, from the token that the group accepts.
    """
    now = labels.get(CURRENT)
    if request.goal is Goal.PROMOTED:
        resting = any(call.parameters.get("VersionStage") == CURRENT for call in plan.calls)
    else:
        resting = bool(plan.calls) and request.goal in (Goal.STAGED, Goal.BACK, Goal.CLEARED)
    if not before or now == before or not resting:
        return
    again = ["--secret-id", request.name, "--version-stage", CURRENT, "--move-to-version-id", before]
    again += ["--remove-from-version-id", now] if now else []
    raise AuthError(
        f"{request.what(CURRENT)} is on the version {one_line(now or 'none', 64)}, not on {one_line(before, 64)}, as "
        "it was when this was planned: somebody else has moved the label meanwhile. No label is moved. Clients that "
        f"read {CURRENT} now may get a token that the group refuses. Find out who moved it. To go on with the version "
        "that was planned with, put the label back within a day (Secrets Manager deletes versions without a label) and "
        f"repeat this: {shlex.join(['aws', 'secretsmanager', 'update-secret-version-stage', *again])}"
    )


def _check_way_back(request: SecretRequest, labels: Mapping[str, str]) -> None:
    """Raise where a way back to the previous token is under way, and another version than that is staged by now."""
    if ABANDONED in labels and labels[ABANDONED] == labels.get(CURRENT) and labels[PENDING] != labels.get(PREVIOUS):
        raise AuthError(
            f"{request.what(PENDING)} is on the version {labels[PENDING]}, but {CURRENT} is marked as given up for the "
            f"token in {PREVIOUS} ({ABANDONED}), version {labels.get(PREVIOUS, 'none')}: somebody else has moved the "
            f"label. No label is moved. Find out who staged it; put {PENDING} back on the version in {PREVIOUS}, or "
            "give the way back up (state: discarded), then repeat this."
        )


def _discard(request: SecretRequest, secret: Secret) -> SecretPlan:
    labels = secret.labels
    # A way back that was begun is given up with it: AWSCURRENT's version is no longer the one to be abandoned.
    marked = ABANDONED in labels and labels[ABANDONED] == labels.get(CURRENT)
    unmark = (_unlabel(request, labels[ABANDONED], ABANDONED),) if marked else ()
    if PENDING not in labels:
        if not unmark:
            return SecretPlan(note=f"nothing is staged in the secret {request.name}.")
        return SecretPlan(unmark, f"the label {ABANDONED} {{was}} taken off {CURRENT} of the secret {request.name}")
    version = labels[PENDING]
    kept = [stage for stage in (CURRENT, PREVIOUS) if labels.get(stage) == version]
    note = f"The version stays, as {kept[0]}." if kept else "Secrets Manager deletes the version in a day or more."
    if marked:
        note += f" {CURRENT} is no longer marked as given up ({ABANDONED})."
    deed = f"{PENDING} {{was}} taken off version {version} of the secret {request.name}"
    return SecretPlan((_unlabel(request, version), *unmark), deed, note)


# --- Back to the previous token -------------------------------------------------------------------------------------


def _gone_back(labels: Mapping[str, str]) -> bool:
    """Whether AWSCURRENT has left a version that is marked as given up; its own labels may yet have to be taken off."""
    return ABANDONED in labels and labels[ABANDONED] != labels.get(CURRENT)


def _half_way_back(request: SecretRequest) -> AuthError:
    return AuthError(
        f"{request.what(CURRENT)} is marked as given up for the token in {PREVIOUS} ({ABANDONED}). Go on with that "
        "(state: staged with from_previous: true, then promoted), or give it up (state: discarded)."
    )


def _staged_again(request: SecretRequest) -> AuthError:
    return AuthError(
        f"{request.what(PENDING)} is the version that is marked as given up ({ABANDONED}), so a group may be about to "
        "accept it again. Promote it, or discard it where no group does (state: promoted, state: discarded)."
    )


def _back(request: SecretRequest, secret: Secret) -> SecretPlan:
    """Mark what is given up first: from then on it is known which version that is, wherever a run is cut off."""
    labels = secret.labels
    if CURRENT not in labels:
        raise AuthError(f"{request.what()} is empty, so there is nothing to go back to. Stage a token first.")
    current, previous, pending = labels[CURRENT], labels.get(PREVIOUS), labels.get(PENDING)
    if _gone_back(labels) and previous in (None, labels[ABANDONED]) and pending in (None, current):
        return SecretPlan(
            note=f"the secret {request.name} has gone back to its previous token already; "
            "state: abandoned takes the labels off the one that was given up."
        )
    if pending not in (None, previous):
        raise AuthError(
            f"{request.what(PENDING)} holds another token than {PREVIOUS}, and a group may accept that already. "
            "Promote it, or discard it where no group does (state: promoted, state: discarded)."
        )
    if _gone_back(labels) and pending == labels[ABANDONED]:
        raise _staged_again(request)
    if _gone_back(labels):
        raise AuthError(
            f"{request.what()} has gone back before, and another token has been promoted since. Take the label "
            f"{ABANDONED} off the one that was given up then, with state: abandoned, and repeat this."
        )
    if previous is None:
        raise AuthError(
            f"{request.what()} has no version in {PREVIOUS}, so there is nothing to go back to. Stage another token "
            "instead (state: staged without from_previous)."
        )
    token = token_in(secret.texts.get(PREVIOUS), request.key, request.what(PREVIOUS), "")
    violations = in_force_violations(token)
    if violations:
        what = f"is not a valid AUTH token: {'; '.join(violations)}" if token else "says that there was no token"
        raise AuthError(
            f"{request.what(PREVIOUS)} {what}, so there is nothing to go back to. Stage another token instead "
            "(state: staged without from_previous)."
        )
    if token == token_if_any(request, secret.texts.get(CURRENT)):
        raise AuthError(
            f"{request.what(PREVIOUS)} holds the token that {CURRENT} holds too, so there is nothing to go back to. "
            "Stage another token instead (state: staged without from_previous)."
        )
    calls = []
    if ABANDONED not in labels:
        calls.append(_label(request, ABANDONED, current))
    if pending is None:
        calls.append(_label(request, PENDING, previous))
    if not calls:
        return SecretPlan(note=f"the token in {PREVIOUS} of the secret {request.name} is staged in {PENDING} already.")
    if pending is not None:
        deed = f"{CURRENT} of the secret {request.name} {{was}} marked as given up ({ABANDONED})"
        return SecretPlan(tuple(calls), deed, f"The token in {PREVIOUS} is staged in {PENDING} already.")
    deed = f"the token in {PREVIOUS} of the secret {request.name} {{was}} staged in {PENDING}"
    return SecretPlan(tuple(calls), deed, f"The one in {CURRENT} is marked as given up ({ABANDONED}).")


def _abandon(request: SecretRequest, secret: Secret) -> SecretPlan:
    """The mark goes last: a run that is cut off before that is completed by the next."""
    labels = secret.labels
    if ABANDONED not in labels:
        return SecretPlan(note=f"no version of the secret {request.name} is marked as given up ({ABANDONED}).")
    version = labels[ABANDONED]
    if labels.get(CURRENT) == version:
        raise AuthError(
            f"{request.what(CURRENT)} is the version that is marked as given up ({ABANDONED}), so the secret has not "
            "gone back yet. Promote the token in its place first (state: promoted), or give that up (state: discarded)."
        )
    if labels.get(PENDING) == version:
        raise _staged_again(request)
    stages = [stage for stage in (PREVIOUS, ABANDONED) if labels.get(stage) == version]
    deed = f"version {version} of the secret {request.name}, which had been given up, {{was}} stripped of its labels"
    note = "Secrets Manager deletes the version in a day or more."
    return SecretPlan(tuple(_unlabel(request, version, stage) for stage in stages), deed, note)


# --- No token -------------------------------------------------------------------------------------------------------


def _clear(request: SecretRequest, secret: Secret) -> SecretPlan:
    labels = secret.labels
    pending, current = labels.get(PENDING), labels.get(CURRENT)
    if pending is not None and pending != current:
        raise AuthError(
            f"{request.what(PENDING)} holds another version than {CURRENT}: a change is under way, and a group may "
            "accept the token already. Promote it, or discard it where no group does (state: promoted, state: "
            "discarded), then repeat this."
        )
    if current is None:
        return SecretPlan(note=f"the secret {request.name} is empty, so {CURRENT} holds no token.")
    text = secret.texts.get(CURRENT)
    if text and not text.lstrip().startswith(("{", "\ufeff")):
        raise AuthError(
            f"{request.what(CURRENT)} holds no JSON object, and a bare secret can't say that there is no token. Store "
            f"a JSON object with the token under {request.key}, or delete the secret once no client reads it."
        )
    if not token_in(text, request.key, request.what(CURRENT), ""):
        return SecretPlan(note=f"{CURRENT} of the secret {request.name} says already that there is no token.")
    if labels.get(ABANDONED) == current:
        raise _half_way_back(request)
    # What a promotion left on AWSCURRENT would be on AWSPREVIOUS afterwards, and look like a token that is staged.
    calls = [_unlabel(request, current)] if pending else []
    calls.append(_put(request, (CURRENT,), with_token(text or "", request.key, ""), _version_id(request, secret)))
    deed = f"{CURRENT} of the secret {request.name} {{was}} made to say that there is no token"
    return SecretPlan(tuple(calls), deed, f"The one that it held is in {PREVIOUS}.")


_PLANNERS: Mapping[Goal, Callable[[SecretRequest, Secret], SecretPlan]] = {
    Goal.STAGED: _stage,
    Goal.BACK: _back,
    Goal.PROMOTED: _promote,
    Goal.DISCARDED: _discard,
    Goal.ABANDONED: _abandon,
    Goal.CLEARED: _clear,
}


def given_token(order: SecretOrder, group_id: str) -> str | None:
    """Return the caller's token for a group, ``None`` where it is to be a random one. Raises :class:`AuthError`."""
    if order.token is None and order.tokens is None:
        return None
    token = order.token if order.tokens is None else order.tokens.get(group_id)
    if token is None:
        raise AuthError(
            f"{group_id}: there is no token for it in auth_tokens. Give it there, under the group's id, or leave "
            "auth_tokens out to have a random one staged."
        )
    violations = rule_violations(str(token))
    if violations:
        raise AuthError(
            f"{group_id}: the token given is not a valid AUTH token: {'; '.join(violations)}. "
            "The lookup elasticache.auth.random_auth_token makes valid ones; without a token, so does this module."
        )
    return str(token)


def _which(request: SecretRequest) -> str:
    return "the token given" if request.given else "a new token"


def _pending_token(request: SecretRequest, secret: Secret) -> str:
    text = secret.texts.get(PENDING)
    if not text:
        raise AuthError(
            f"{request.what(PENDING)} holds no text. A rotation by Secrets Manager may be under way: wait for its end, "
            "or take the label off with state: discarded."
        )
    try:
        return token_in(text, request.key, request.what(PENDING), "")
    except AuthError as error:
        raise AuthError(
            f"{error} If no group accepts what is staged there, state: discarded takes the label off."
        ) from None


def _check_pending(request: SecretRequest, violations: Sequence[str]) -> None:
    if violations:
        raise AuthError(
            f"{request.what(PENDING)} is not a valid AUTH token: {'; '.join(violations)}. "
            "Take the label off with state: discarded, then stage another."
        )


def token_if_any(request: SecretRequest, text: str | None) -> str | None:
    """Return the token in a text, ``None`` where there is none to be understood."""
    try:
        return token_in(text, request.key, "", "")
    except AuthError:
        return None


def _version_id(request: SecretRequest, secret: Secret) -> str:
    if request.attempt >= MAX_TAKEN:
        return str(uuid.uuid4())
    return next_version_id(secret.arn, secret.labels, request.attempt)


def _put(request: SecretRequest, stages: tuple[str, ...], text: str, version_id: str) -> SecretCall:
    members = {"SecretId": request.name, "SecretString": text, "VersionStages": list(stages)}
    return SecretCall(PUT, {**members, "ClientRequestToken": version_id})


def _label(request: SecretRequest, stage: str, version: str) -> SecretCall:
    """Put a staging label that no version has onto one."""
    return SecretCall(LABEL, {"SecretId": request.name, "VersionStage": stage, "MoveToVersionId": version})


def _unlabel(request: SecretRequest, version: str, stage: str = PENDING) -> SecretCall:
    return SecretCall(LABEL, {"SecretId": request.name, "VersionStage": stage, "RemoveFromVersionId": version})
