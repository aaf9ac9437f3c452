# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tokens in Secrets Manager: read by the module itself, so that they never pass through Ansible."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .._core.errors import AuthError
from .clients import Clients
from .errors import Kind, classify, code_of, explain, riding_out_throttling

STAGES = ("AWSCURRENT", "AWSPENDING", "AWSPREVIOUS")


@dataclass(frozen=True)
class StoredToken:
    """A token and the version of the secret that holds it. Its ``repr`` shows no token."""

    value: str
    version_id: str

    def __repr__(self) -> str:
        return f"StoredToken(version_id={self.version_id!r})"


class NoSecret(AuthError):
    """There is no secret of this name."""


def secret_name(template: str, group_id: str) -> str:
    """Return the secret's name for a group. Raises :class:`AuthError` where the template names anything else."""
    # Not str.format: it would follow attributes too. No secret's name has a brace of its own.
    name = template.replace("{replication_group_id}", group_id)
    if "{" in name or "}" in name:
        raise AuthError(f"{group_id}: auth_token_secret.name may hold {{replication_group_id}} and no other braces.")
    return name


def read_stages(clients: Clients, name: str, key: str | None, group_id: str) -> dict[str, StoredToken]:
    """Return the token in each staging label that the secret has. Raises :class:`AuthError`."""
    tokens: dict[str, StoredToken | None] = {}
    missing: NoSecret | None = None
    for stage in STAGES:
        try:
            tokens[stage] = read_token(clients, name, stage, key, group_id)
        except NoSecret as error:
            missing = error
    # A store that does not tell a missing label from a missing secret is understood too: any label proves the secret.
    if missing is not None and not tokens:
        raise missing
    return {stage: token for stage, token in tokens.items() if token is not None}


def read_token(clients: Clients, name: str, stage: str, key: str | None, group_id: str) -> StoredToken | None:
    """Return the token at a staging label, ``None`` where the secret has no such label. Raises :class:`AuthError`."""
    try:
        answer = riding_out_throttling(lambda: clients.secrets.get_secret_value(SecretId=name, VersionStage=stage))
    except Exception as error:
        if classify(error) is Kind.NOT_FOUND and "staging label" in str(error):
            return None
        if classify(error) is Kind.NOT_FOUND:
            raise NoSecret(
                f"{group_id}: there is no secret {name} in {clients.region}. "
                "Create it, or check auth_token_secret.name and region."
            ) from error
        if code_of(error) == "InvalidRequestException" and "delet" in str(error):
            raise AuthError(
                f"{group_id}: the secret {name} is scheduled for deletion. "
                "Restore it (secretsmanager:RestoreSecret), or name another in auth_token_secret.name."
            ) from error
        text = explain(error, "secretsmanager:GetSecretValue", clients.region)
        raise AuthError(f"{group_id}: the secret {name}: {text}") from error
    return StoredToken(_extract(answer, name, key, group_id), answer["VersionId"])


def _extract(answer: dict[str, Any], name: str, key: str | None, group_id: str) -> str:
    text = answer.get("SecretString")
    if not text:
        raise AuthError(f"{group_id}: the secret {name} holds no text. Store the token in its SecretString.")
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if key is None:
        if isinstance(content, dict):
            raise AuthError(f"{group_id}: the secret {name} holds JSON. Name the token's key in auth_token_secret.key.")
        return str(text)
    if not isinstance(content, dict):
        raise AuthError(
            f"{group_id}: the secret {name} holds no JSON object, so it has no key {key}. "
            "Leave auth_token_secret.key out where the secret is the bare token."
        )
    token = content.get(key)
    if not isinstance(token, str) or not token:
        raise AuthError(f"{group_id}: the secret {name} has no text under the key {key}. Check auth_token_secret.key.")
    return token
