# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Secrets Manager as AWS has it, where moto's is another.

A staging label is on one version at a time, and moving it is a compare-and-swap: it takes the right
``RemoveFromVersionId`` (UpdateSecretVersionStage in AWS's API reference; elasticache-facts §5). AWSPREVIOUS goes where
AWSCURRENT was, no other label moves by itself, and AWSCURRENT is what GetSecretValue is about unless told otherwise.
A version without a label is deprecated: DescribeSecret, ListSecrets and ListSecretVersionIds don't show it, and the
last one does where it is asked for. What a version holds never changes (PutSecretValue, ClientRequestToken). A secret
that is scheduled for deletion is neither read nor changed. RotateSecret needs a Lambda function that exists; it gets
an empty version in AWSPENDING to fill. The function is not run: the emulator has no place to run one in.

And moto looks at every secret to find one, which fails where another one is just being created, and takes its time
where there are a thousand.

The messages are AWS's, as seen in others' reports, but for those with "(ours)" beside them.
"""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from moto.awslambda.utils import get_backend
from moto.secretsmanager.exceptions import (
    InvalidParameterException,
    InvalidRequestException,
    OperationNotPermittedOnReplica,
    ResourceExistsException,
    ResourceNotFoundException,
    SecretNotFoundException,
)
from moto.secretsmanager.models import FakeSecret, ReplicaSecret, SecretsManagerBackend, SecretsStore
from moto.secretsmanager.responses import SecretsManagerResponse
from moto.secretsmanager.utils import get_secret_name_from_partial_arn

_CURRENT, _PENDING, _PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
_check = SecretsManagerBackend._check_with_existing_secrets_and_versions
_get = SecretsManagerBackend.get_secret_value
_put = SecretsManagerBackend.put_secret_value
_update = SecretsManagerBackend.update_secret
_create = SecretsManagerBackend.create_secret

_MARKED = "You can't perform this operation on the secret because it was marked for deletion."
_NAME_MARKED = "You can't create this secret because a secret with this name is already scheduled for deletion."
_NO_LAMBDA = "No Lambda rotation function ARN is associated with this secret."
_UNKNOWN_LAMBDA = "Lambda does not exist or could not be accessed"
_ROTATING = "A previous rotation isn't complete. That rotation will be reattempted."
_ONLY_MOVED = (
    "You can only move staging label AWSCURRENT to a different secret version. It can\u2019t be completely removed."
)
_HELD = (
    "The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to version "
    "{version}, so you must explicitly reference that version in RemoveFromVersionId."
)
_PAGE = 100
#: Held while labels are compared and moved, so that the two are one step.
_lock = threading.RLock()


def _in_one_step(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def locked(*args: Any, **members: Any) -> Any:
        with _lock:
            return function(*args, **members)

    return locked


class _NoValueError(SecretNotFoundException):
    """There is a secret, and no version at the label; BatchGetSecretValue lists it as it lists a missing secret."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self.message = f"Secrets Manager can't find the specified secret value for staging label: {label}"
        self.description = json.dumps({"__type": self.error_type, "message": self.message})


# --- Labels ---------------------------------------------------------------------------------------------------------


def _holder(secret: FakeSecret | ReplicaSecret, label: str) -> str | None:
    """The id of the version that has the label."""
    return next((key for key, version in list(secret.versions.items()) if label in version["version_stages"]), None)


def _attach(secret: FakeSecret, label: str, version_id: str | None) -> None:
    """Put the label on that version, and on no other; ``None``: on none."""
    for key, version in list(secret.versions.items()):
        others = [stage for stage in version["version_stages"] if stage != label]
        version["version_stages"] = [*others, label] if key == version_id else others


def _labelled(self: FakeSecret) -> dict[str, list[str]]:
    """In the place of moto's: the versions that have a label, and their labels."""
    return {key: version["version_stages"] for key, version in list(self.versions.items()) if version["version_stages"]}


def reset_default_version(self: FakeSecret, secret_version: dict[str, Any], version_id: str) -> None:
    """In the place of moto's: the labels of the new version leave the others, AWSPREVIOUS goes where AWSCURRENT was."""
    was_current = _holder(self, _CURRENT)
    labels = secret_version["version_stages"]
    self.versions[version_id] = secret_version
    for label in labels:
        _attach(self, label, version_id)
    if was_current and was_current != version_id:
        _attach(self, _PREVIOUS, was_current)
    self.default_version_id = version_id


@_in_one_step
def update_secret_version_stage(
    self: SecretsManagerBackend,
    secret_id: str,
    version_stage: str,
    remove_from_version_id: str | None,
    move_to_version_id: str | None,
) -> tuple[str, str]:
    """In the place of moto's: nothing is moved unless ``remove_from_version_id`` is the version that has the label."""
    secret = _changeable(self, secret_id)
    holder = _holder(secret, version_stage)
    for version_id in (remove_from_version_id, move_to_version_id):
        if version_id and version_id not in secret.versions:
            raise InvalidParameterException(f"Not a valid version: {version_id}")  # (ours: moto's)
    if remove_from_version_id and remove_from_version_id != holder:
        raise InvalidParameterException(  # (ours: moto's)
            f"Version stage {version_stage} not found in version {remove_from_version_id}"
        )
    if not move_to_version_id and version_stage == _CURRENT:
        raise InvalidParameterException(_ONLY_MOVED)
    if move_to_version_id and holder not in (None, move_to_version_id) and not remove_from_version_id:
        raise InvalidParameterException(_HELD.format(label=version_stage, version=holder))
    if move_to_version_id or remove_from_version_id:
        _attach(secret, version_stage, move_to_version_id)
        secret.last_changed_date = time.time()  # type: ignore[assignment]  # moto has whole seconds, AWS milliseconds
    if version_stage == _CURRENT and holder not in (None, move_to_version_id):
        _attach(secret, _PREVIOUS, holder)
        secret.set_default_version_id(move_to_version_id)
    return secret.arn, secret.name


# --- Reading --------------------------------------------------------------------------------------------------------


def _seen(self: SecretsManagerBackend, secret_id: str) -> FakeSecret | ReplicaSecret:
    secret = self.secrets.get(secret_id)
    if secret is None:
        raise SecretNotFoundException
    return secret


def _changeable(self: SecretsManagerBackend, secret_id: str) -> FakeSecret:
    secret = _seen(self, secret_id)
    if isinstance(secret, ReplicaSecret):
        raise OperationNotPermittedOnReplica
    if secret.is_deleted():
        raise InvalidRequestException(_MARKED)
    return secret


def get_secret_value(
    self: SecretsManagerBackend, secret_id: str, version_id: str | None, version_stage: str | None
) -> dict[str, Any]:
    """moto's, about AWSCURRENT unless told otherwise, and it tells a missing label from a missing secret."""
    secret = _seen(self, secret_id)
    if secret.is_deleted():
        raise InvalidRequestException(_MARKED)
    if not version_id:
        label = version_stage or _CURRENT
        version_id = _holder(secret, label)
        if version_id is None:
            raise _NoValueError(label)
    return _get(self, secret_id, version_id, version_stage or "")


def list_secret_version_ids(self: SecretsManagerResponse) -> str:
    """In the place of moto's: the versions with a label, all with ``IncludeDeprecated``, in pages."""
    secret = _seen(self.backend, self._get_param("SecretId", if_none=""))
    every = bool(self._get_param("IncludeDeprecated"))
    shown = [(key, version) for key, version in list(secret.versions.items()) if every or version["version_stages"]]
    begin = int(self._get_param("NextToken") or 0)
    end = begin + int(self._get_param("MaxResults") or _PAGE)
    versions = []
    for key, version in shown[begin:end]:
        labels = {"VersionStages": version["version_stages"]} if version["version_stages"] else {}
        versions.append({"VersionId": key, "CreatedDate": version["createdate"], **labels})
    more = {"NextToken": str(end)} if end < len(shown) else {}
    return json.dumps({"ARN": secret.arn, "Name": secret.name, "Versions": versions, **more})


# --- Writing --------------------------------------------------------------------------------------------------------


@_in_one_step
def create_secret(self: SecretsManagerBackend, name: str, *args: Any, **members: Any) -> str:
    """moto's; the name of a secret that is scheduled for deletion is taken until then."""
    existing = self.secrets.get(name)
    if existing is not None and existing.is_deleted():
        raise InvalidRequestException(_NAME_MARKED)
    return _create(self, name, *args, **members)


@_in_one_step
def put_secret_value(self: SecretsManagerBackend, secret_id: str, *args: Any, **members: Any) -> str:
    """moto's, refused where the secret is scheduled for deletion."""
    _changeable(self, secret_id)
    return _put(self, secret_id, *args, **members)


@_in_one_step
def update_secret(self: SecretsManagerBackend, secret_id: str, *args: Any, **members: Any) -> str:
    """moto's, refused where the secret is scheduled for deletion."""
    _changeable(self, secret_id)
    return _update(self, secret_id, *args, **members)


def check_existing(
    self: SecretsManagerBackend,
    secret_name: str,
    client_request_token: str | None,
    secret_string: str | None,
    secret_binary: str | None,
    on_create: bool = False,
) -> FakeSecret | None:
    """moto's, and a version in AWSPENDING that holds something already is not written over, either."""
    secret = self.secrets.get(secret_name)
    if isinstance(secret, FakeSecret) and client_request_token:
        version = secret.versions.get(client_request_token) or {}
        content = version.get("secret_string"), version.get("secret_binary")
        if any(content) and content != (secret_string, secret_binary):
            raise ResourceExistsException(f"The version {client_request_token} of {secret_name} holds something else.")
        if any(content):
            return secret
    return _check(self, secret_name, client_request_token, secret_string, secret_binary, on_create)


@_in_one_step
def rotate_secret(
    self: SecretsManagerBackend,
    secret_id: str,
    client_request_token: str | None = None,
    rotation_lambda_arn: str | None = None,
    rotation_rules: dict[str, Any] | None = None,
    rotate_immediately: bool = True,
) -> str:
    """In the place of moto's: the rotation is configured and, if at once, begun; its function is not run."""
    secret = _changeable(self, secret_id)
    function = rotation_lambda_arn or secret.rotation_lambda_arn
    days = (rotation_rules or {}).get("AutomaticallyAfterDays", 0)
    if not function:
        raise InvalidRequestException(_NO_LAMBDA)
    if days and not 1 <= days <= 1000:
        raise InvalidParameterException("RotationRules.AutomaticallyAfterDays must be within 1-1000.")  # (ours: moto's)
    try:
        get_backend(self.account_id, self.region_name).get_function(function)
    except Exception:  # moto has a class of errors for each way in which an ARN can be wrong
        raise ResourceNotFoundException(_UNKNOWN_LAMBDA) from None
    pending = _holder(secret, _PENDING)
    if pending is not None and pending != _holder(secret, _CURRENT):
        raise InvalidRequestException(_ROTATING)
    if client_request_token:
        self._client_request_token_validator(client_request_token)
    now = int(time.time())
    secret.rotation_requested = secret.rotation_enabled = True
    secret.rotation_lambda_arn = function
    if days:
        secret.auto_rotate_after_days = days
        secret.next_rotation_date = now + days * 86400
    version_id = None
    if rotate_immediately and secret.versions:
        version_id = client_request_token or str(uuid4())
        secret.versions[version_id] = {"createdate": now, "version_id": version_id, "version_stages": []}
        _attach(secret, _PENDING, version_id)
        secret.last_rotation_date = now
    return secret.to_short_dict(version_id=version_id)


# --- Finding --------------------------------------------------------------------------------------------------------


def _find(self: SecretsStore, key: str) -> FakeSecret | ReplicaSecret | None:
    """The secret of that name, ARN, or ARN without its last seven characters. Others may come and go meanwhile."""
    found = dict.get(self, key)
    if found is None and key.startswith("arn:"):
        found = next((secret for secret in list(dict.values(self)) if secret.arn == key), None)
        found = found or dict.get(self, get_secret_name_from_partial_arn(key))
    return found


def _item(self: SecretsStore, key: str) -> FakeSecret | ReplicaSecret:
    found = _find(self, key)
    if found is None:
        raise KeyError(key)
    return found


def _contains(self: SecretsStore, key: str) -> bool:
    return _find(self, key) is not None


def _pop(self: SecretsStore, key: str) -> FakeSecret | ReplicaSecret | None:
    found = _find(self, key)
    return None if found is None else dict.pop(self, found.name, None)


def install() -> None:
    """Patch moto, once for the process."""
    SecretsStore.__getitem__ = _item  # type: ignore[method-assign]
    SecretsStore.__contains__ = _contains  # type: ignore[method-assign]
    SecretsStore.get = _find  # type: ignore[method-assign]
    SecretsStore.pop = _pop  # type: ignore[method-assign]
    for owner, functions in (
        (FakeSecret, (reset_default_version,)),
        (SecretsManagerBackend, (create_secret, get_secret_value, put_secret_value, rotate_secret, update_secret)),
        (SecretsManagerBackend, (update_secret_version_stage,)),
        (SecretsManagerResponse, (list_secret_version_ids,)),
    ):
        for function in functions:
            setattr(owner, function.__name__, function)
    FakeSecret._form_version_ids_to_stages = _labelled  # type: ignore[method-assign, assignment]
    SecretsManagerBackend._check_with_existing_secrets_and_versions = check_existing  # type: ignore[method-assign]
