# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What moto's Secrets Manager does to staging labels otherwise than AWS.

moto takes the version that was AWSCURRENT at first for the current one for ever, so that a new AWSCURRENT after a
promotion leaves two, and GetSecretValue without a label or version gets the old one; and it takes every other label off
the version that was current. AWS moves AWSCURRENT and AWSPREVIOUS, and no other label (PutSecretValue,
UpdateSecretVersionStage in its API reference), and GetSecretValue is about AWSCURRENT unless told.

It writes another text over a version in AWSPENDING. AWS never changes what a version holds (PutSecretValue,
ClientRequestToken).

And it looks at every secret to find one, which fails where another one is just being created, and takes its time where
there are a thousand.
"""

from __future__ import annotations

from typing import Any

from moto.secretsmanager.exceptions import ResourceExistsException
from moto.secretsmanager.models import FakeSecret, ReplicaSecret, SecretsManagerBackend, SecretsStore
from moto.secretsmanager.utils import get_secret_name_from_partial_arn

_move = SecretsManagerBackend.update_secret_version_stage
_check = SecretsManagerBackend._check_with_existing_secrets_and_versions


def reset_default_version(self: FakeSecret, secret_version: dict[str, Any], version_id: str) -> None:
    """In the place of moto's: the labels of the new version leave the others, AWSPREVIOUS goes where AWSCURRENT was."""
    for version in self.versions.values():
        stages = version["version_stages"]
        was_current = "AWSCURRENT" in stages
        gone = {"AWSCURRENT", "AWSPREVIOUS", *secret_version["version_stages"]}
        version["version_stages"] = [stage for stage in stages if stage not in gone] + ["AWSPREVIOUS"] * was_current
    self.versions[version_id] = secret_version
    self.default_version_id = version_id


def update_secret_version_stage(
    self: SecretsManagerBackend,
    secret_id: str,
    version_stage: str,
    remove_from_version_id: str,
    move_to_version_id: str,
) -> tuple[str, str]:
    """moto's, and where AWSCURRENT comes to is the current version from then on."""
    answer = _move(self, secret_id, version_stage, remove_from_version_id, move_to_version_id)
    secret = self.secrets[secret_id]
    if version_stage == "AWSCURRENT" and move_to_version_id and isinstance(secret, FakeSecret):
        secret.set_default_version_id(move_to_version_id)
    return answer


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
    FakeSecret.reset_default_version = reset_default_version  # type: ignore[method-assign] # the point of it
    SecretsManagerBackend._check_with_existing_secrets_and_versions = check_existing  # type: ignore[method-assign]
    SecretsManagerBackend.update_secret_version_stage = update_secret_version_stage  # type: ignore[method-assign]
