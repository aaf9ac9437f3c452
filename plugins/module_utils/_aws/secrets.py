# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tokens in Secrets Manager: read, and stored, by the module itself, so that they never pass through Ansible."""

from __future__ import annotations

import contextlib
import datetime
import functools
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

with contextlib.suppress(ImportError):  # AnsibleAWSModule tells the user.
    from botocore import xform_name

from .._core.errors import AuthError
from .._core.secret_text import OPTION_PREFIX, token_in
from .._fan_out import fan_out
from .clients import Clients
from .errors import Kind, classify, code_of, explain, is_unreached
from .modify import MASK

STAGES = CURRENT, PENDING, PREVIOUS = ("AWSCURRENT", "AWSPENDING", "AWSPREVIOUS")
#: Our own label, on the version that is given up for the one in AWSPREVIOUS: it tells which that was once it has left
#: AWSCURRENT, and keeps Secrets Manager from deleting it until it is taken off.
ABANDONED = "elasticache.auth/abandoned"
CREATE, PUT, LABEL = "CreateSecret", "PutSecretValue", "UpdateSecretVersionStage"

#: BatchGetSecretValue takes this many names a call; ListSecrets shows this many secrets a call.
_NAMES_A_CALL, _SECRETS_A_PAGE = 20, 100
#: A page of ListSecrets is worth it where it saves this many calls or more.
_WORTH_A_PAGE = 20
#: What is said where an answer lacks a member that each of Secrets Manager's has.
_NOT_AWS = (
    "Secrets Manager always gives one: look at what answers in its place (endpoint_url, AWS_ENDPOINT_URL, a proxy)."
)
_VERSION_IDS = uuid.UUID("6d1f0b52-8e0e-4f0c-9a43-3b6f0c6a7f5d")


@dataclass(frozen=True)
class StoredToken:
    """A token and the version of the secret that holds it. Its ``repr`` shows no token."""

    value: str
    version_id: str

    def __repr__(self) -> str:
        return f"StoredToken(version_id={self.version_id!r})"


class NoSecret(AuthError):
    """There is no secret of this name."""


def secret_name(template: str, group_id: str, option: str = OPTION_PREFIX) -> str:
    """Return the secret's name for a group. Raises :class:`AuthError` where the template names anything else.

    ``option``: what comes before ``name`` and ``key`` where a message names these options.
    """
    # Not str.format: it would follow attributes too. No secret's name has a brace of its own.
    name = template.replace("{replication_group_id}", group_id)
    if "{" in name or "}" in name:
        raise AuthError(f"{group_id}: {option}name may hold {{replication_group_id}} and no other braces.")
    return name


def read_stages(
    clients: Clients, name: str, key: str | None, group_id: str, option: str = OPTION_PREFIX
) -> dict[str, StoredToken]:
    """Return the token in each staging label that the secret has; ``option`` as in :func:`secret_name`.

    Raises :class:`AuthError`.
    """
    tokens: dict[str, StoredToken | None] = {}
    missing: NoSecret | None = None
    for stage in STAGES:
        try:
            tokens[stage] = read_token(clients, name, stage, key, group_id, option)
        except NoSecret as error:
            missing = error
    # Some stores give one error for a missing label and for a missing secret: any label proves the secret.
    if missing is not None and not tokens:
        raise missing
    return {stage: token for stage, token in tokens.items() if token is not None}


def read_token(
    clients: Clients, name: str, stage: str, key: str | None, group_id: str, option: str = OPTION_PREFIX
) -> StoredToken | None:
    """Return the token at a staging label, ``None`` where the secret has no such label, or says there that there is no
    token (yet).

    ``option`` as in :func:`secret_name`. Raises :class:`AuthError`.
    """
    version_id, text = _read(clients, name, stage, group_id, option)
    if not version_id:
        return None
    token = token_in(text, key, f"{group_id}: the secret {name}", option)
    return StoredToken(token, version_id) if token else None


def _read(clients: Clients, name: str, stage: str, group_id: str, option: str) -> tuple[str, str | None]:
    """Return the id of the version at a staging label and its text; no id where the secret has no such label.

    Raises :class:`NoSecret` where there is no secret, or a store does not tell which of the two is missing, and
    :class:`AuthError`.
    """
    try:
        answer = clients.patiently(lambda: clients.secrets.get_secret_value(SecretId=name, VersionStage=stage))
    except Exception as error:
        if classify(error) is Kind.NOT_FOUND and "staging label" in str(error):
            return "", None
        if classify(error) is Kind.NOT_FOUND:
            raise NoSecret(
                f"{group_id}: there is no secret {name} in {clients.region}. "
                f"Create it, or check {option}name and region."
            ) from error
        if code_of(error) == "InvalidRequestException" and "delet" in str(error):
            raise _scheduled_for_deletion(group_id, name, option) from error
        raise told(error, "GetSecretValue", name, group_id, clients.region) from error
    if not answer.get("VersionId"):
        raise AuthError(
            f"{group_id}: the secret {name}: GetSecretValue was answered without a VersionId, so that it is not known "
            f"which version is in {stage}. {_NOT_AWS}"
        )
    return answer["VersionId"], answer.get("SecretString")


def _scheduled_for_deletion(group_id: str, name: str, option: str) -> AuthError:
    return AuthError(
        f"{group_id}: the secret {name} is scheduled for deletion. "
        f"Restore it (secretsmanager:RestoreSecret), or name another in {option}name."
    )


# --- Versions and labels --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Secret:
    """A secret as DescribeSecret shows it: ``labels`` are the version ids by staging label, ABANDONED among them.

    ``texts``: what the versions at staging labels hold, where that was read; ``None``: no text. ``changed_at``: when it
    was last changed in any way, seconds since 1970.
    """

    arn: str
    labels: Mapping[str, str]
    texts: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    primary_region: str = ""
    changed_at: float | None = field(default=None, compare=False)

    def after(self, call: SecretCall, version_id: str) -> Secret:
        """Return the secret as it is after ``call``, which made the version ``version_id`` if it makes one."""
        by_version = {self.labels[stage]: text for stage, text in self.texts.items() if stage in self.labels}
        if "SecretString" in call.parameters:
            by_version[version_id] = call.parameters["SecretString"]
        labels = call.applied(self.labels, version_id)
        texts = {stage: by_version[labels[stage]] for stage in STAGES if labels.get(stage) in by_version}
        return replace(self, labels=labels, texts=texts)


@dataclass(frozen=True)
class SecretCall:
    """One call that changes a secret. ``parameters`` may hold a token: no ``repr``."""

    action: str
    parameters: Mapping[str, Any] = field(repr=False)

    @property
    def version_id(self) -> str:
        """The id of the version that it makes; empty for a call that makes none, or whose id botocore chooses."""
        return str(self.parameters.get("ClientRequestToken", ""))

    def shown(self) -> dict[str, Any]:
        """Return the call for a result, its text masked; the id of the version is told among the labels."""
        parameters = {k: MASK if k == "SecretString" else v for k, v in self.parameters.items()}
        parameters.pop("ClientRequestToken", None)
        return {"action": self.action, "parameters": parameters}

    def shows_in(self, labels: Mapping[str, str] | None) -> bool:
        """Whether it was carried out, going by the labels; ``None``: there is no secret."""
        if labels is None or self.action == CREATE:
            return labels is not None
        if self.action == PUT:
            return any(labels.get(stage) == self.version_id for stage in self.parameters["VersionStages"])
        stage, target = self.parameters["VersionStage"], self.parameters.get("MoveToVersionId")
        if target:
            return labels.get(stage) == target
        return labels.get(stage) != self.parameters["RemoveFromVersionId"]

    def applied(self, labels: Mapping[str, str], version_id: str) -> dict[str, str]:
        """Return the labels after it, ``version_id`` being the version that it makes.

        Secrets Manager puts AWSCURRENT on a secret's first version whatever is asked for, and AWSPREVIOUS where
        AWSCURRENT was (PutSecretValue and UpdateSecretVersionStage in its API reference).
        """
        after = dict(labels)
        if self.action == LABEL:
            stages = [self.parameters["VersionStage"]]
            target = self.parameters.get("MoveToVersionId")
        else:
            stages = list(self.parameters.get("VersionStages", [CURRENT] if "SecretString" in self.parameters else []))
            target = version_id
            if stages and CURRENT not in after:
                stages = [CURRENT, *stages]
        for stage in stages:
            if target is None:
                after.pop(stage, None)
                continue
            if stage == CURRENT and CURRENT in after and after[CURRENT] != target:
                after[PREVIOUS] = after[CURRENT]
            after[stage] = target
        return after


def next_version_id(arn: str, labels: Mapping[str, str], attempt: int = 0) -> str:
    """Return the id for the version that comes after the one in AWSCURRENT, the same one in every run.

    Secrets Manager refuses to make another version of an id that exists, so two runs at once can't stage two tokens,
    the one under the label and the other, perhaps rotated in, nowhere. Where the id is taken by a token that was
    discarded, the next ``attempt`` gives another.
    """
    return str(uuid.uuid5(_VERSION_IDS, f"{arn}/{labels.get(CURRENT, '')}/{attempt}"))


def describe_secret(clients: Clients, name: str, group_id: str, option: str = "") -> Secret | None:
    """Return the secret without what it holds, ``None`` where there is none; ``option`` as in :func:`secret_name`.

    Raises :class:`AuthError`.
    """
    try:
        answer = clients.patiently(lambda: clients.secrets.describe_secret(SecretId=name))
    except Exception as error:
        if classify(error) is Kind.NOT_FOUND:
            return None
        raise told(error, "DescribeSecret", name, group_id, clients.region) from error
    if answer.get("DeletedDate"):
        raise _scheduled_for_deletion(group_id, name, option)
    if not answer.get("ARN"):
        raise AuthError(f"{group_id}: the secret {name}: DescribeSecret was answered without an ARN. {_NOT_AWS}")
    return _shown(answer, answer.get("VersionIdsToStages"))


def _shown(secret: Mapping[str, Any], versions: Mapping[str, Sequence[str]] | None) -> Secret:
    labels = {stage: version for version, stages in (versions or {}).items() for stage in stages or ()}
    changed = secret.get("LastChangedDate")
    return Secret(
        secret["ARN"],
        labels,
        primary_region=secret.get("PrimaryRegion") or "",
        changed_at=changed.timestamp() if isinstance(changed, datetime.datetime) else None,
    )


def list_secrets(clients: Clients, names: Sequence[str]) -> dict[str, Secret]:
    """Return those of the secrets that a few pages of ListSecrets show, by name, without what they hold.

    They are shown as they were up to five minutes ago (ListSecrets in Secrets Manager's API reference). It saves calls
    and no more: what is missing here (not allowed, not found, among many others) is to be described singly.
    """
    wanted, found = set(names), dict[str, Secret]()
    prefix = os.path.commonprefix(sorted(wanted))  # noqa: RUF071 - these are names, and no paths
    if not prefix or prefix.startswith("arn:"):
        return {}
    request: dict[str, Any] = {"MaxResults": _SECRETS_A_PAGE, "Filters": [{"Key": "name", "Values": [prefix]}]}
    for dummy in range(-(-len(wanted) // _SECRETS_A_PAGE) + len(wanted) // _WORTH_A_PAGE):
        try:
            answer = clients.patiently(functools.partial(clients.secrets.list_secrets, **request))
        except Exception:  # pylint: disable=broad-exception-caught
            break
        for secret in answer.get("SecretList") or ():
            if secret.get("Name") in wanted and secret.get("ARN") and not secret.get("DeletedDate"):
                found[secret["Name"]] = _shown(secret, secret.get("SecretVersionsToStages"))
        if not answer.get("NextToken") or len(found) == len(wanted):
            break
        request["NextToken"] = answer["NextToken"]
    return found


def current_texts(clients: Clients, names: Sequence[str]) -> dict[str, tuple[str, str | None]]:
    """Return the version id and the text in AWSCURRENT of those secrets that can be read in bulk, by name.

    It saves calls and no more: what is missing here (not allowed, not found, no such call) is to be read singly, which
    says why. Raises :class:`AuthError` where Secrets Manager can't be reached: singly that would take each as long.
    """
    chunks = [tuple(names[begin : begin + _NAMES_A_CALL]) for begin in range(0, len(names), _NAMES_A_CALL)]
    if not chunks or not hasattr(clients.secrets, "batch_get_secret_value"):
        return {}
    first = _current_texts(clients, chunks[0])
    if first is None:
        return {}
    answers = fan_out(chunks[1:], lambda chunk: _current_texts(clients, chunk))
    found = dict(first)
    for answer in answers.values():
        found |= answer if isinstance(answer, dict) else {}
    return found


def _current_texts(clients: Clients, names: tuple[str, ...]) -> dict[str, tuple[str, str | None]] | None:
    try:
        answer = clients.patiently(lambda: clients.secrets.batch_get_secret_value(SecretIdList=list(names)))
    except Exception as error:  # pylint: disable=broad-exception-caught
        if is_unreached(error):
            raise AuthError(explain(error, "secretsmanager:BatchGetSecretValue", clients.region)) from error
        return None
    found: dict[str, tuple[str, str | None]] = {}
    for value in answer.get("SecretValues") or ():
        if CURRENT in (value.get("VersionStages") or ()) and value.get("VersionId"):
            for name in {value.get("Name"), value.get("ARN")} & set(names):
                found[name] = (value["VersionId"], value.get("SecretString"))
    return found


def read_text(clients: Clients, name: str, stage: str, group_id: str, option: str = "") -> tuple[str, str | None]:
    """Return the id of the version at a staging label, of a secret that was seen, and its text.

    No id: the label is gone, or on a version that holds nothing. No text: it holds none. ``option`` as in
    :func:`secret_name`. Raises :class:`AuthError`.
    """
    try:
        return _read(clients, name, stage, group_id, option)
    except NoSecret:
        return "", None


def perform_call(clients: Clients, call: SecretCall, *, check: Callable[[], object] | None = None) -> Mapping[str, Any]:
    """Make the call and return the answer. Raises botocore's exceptions, and what ``check`` raises before an attempt.

    botocore does not repeat it where the answer got lost: somebody else may have moved a label since.
    """
    method = getattr(clients.secrets_once, xform_name(call.action))
    answer: Mapping[str, Any] = clients.paced(call.action, lambda: method(**call.parameters), check=check)
    return answer


def told(error: Exception, action: str, name: str, group_id: str, region: str) -> AuthError:
    """Return a failed call as an error of the group's."""
    return AuthError(f"{group_id}: the secret {name}: {explain(error, f'secretsmanager:{action}', region)}")
