# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What the store knows: every version of a secret that ever was, with its labels and the token that it holds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from conftest import Emulator

KEY = "auth_token"
SECRET = "elasticache/{replication_group_id}/auth-token"
_TRIES = 400
#: What a client of the store does not repeat: the answer would be the same.
_FINAL = frozenset({"ResourceNotFoundException", "InvalidRequestException"})


def secret_name(group: str) -> str:
    """The name of a group's secret, as the operations' variables have it."""
    return SECRET.format(replication_group_id=group)


@dataclass(frozen=True)
class Version:
    """One version of a secret."""

    id: str
    labels: frozenset[str]
    token: str = field(repr=False)


@dataclass(frozen=True)
class Store:
    """All versions of a group's secret, those without a label too; none where there is no secret."""

    versions: tuple[Version, ...] = ()

    def labelled(self, label: str) -> str | None:
        """The token of the version with that label: an empty text where it says that there is none."""
        return next((version.token for version in self.versions if label in version.labels), None)

    @property
    def known(self) -> frozenset[str]:
        """Every token that ever was stored."""
        return frozenset(version.token for version in self.versions if version.token)

    @property
    def kept(self) -> frozenset[str]:
        """Every token that a label keeps: Secrets Manager may delete the others."""
        return frozenset(version.token for version in self.versions if version.token and version.labels)


def insist(call: Callable[..., Mapping[str, Any]], **members: Any) -> Mapping[str, Any]:
    """Call Secrets Manager until it answers: the faults of a condition strike whoever calls, us too."""
    for dummy in range(_TRIES):
        try:
            return call(**members)
        except ClientError as error:
            if error.response["Error"]["Code"] in _FINAL:
                raise
        except BotoCoreError:
            pass
        time.sleep(0.01)
    raise TimeoutError("Secrets Manager refused every one of very many calls")


def token_in(text: str) -> str:
    """The token in a secret's text, be it JSON or the bare token."""
    try:
        parsed = json.loads(text)
    except ValueError:
        return text
    return str(parsed.get(KEY, "")) if isinstance(parsed, dict) else text


def read_current(emulator: Emulator, name: str) -> str:
    """What a client sends: the token in AWSCURRENT, an empty text where there is none."""
    try:
        client = emulator.client("secretsmanager")
        found = insist(client.get_secret_value, SecretId=name, VersionStage="AWSCURRENT")
    except ClientError:
        return ""
    return token_in(found["SecretString"])


def read_store(emulator: Emulator, name: str) -> Store:
    """Read all of a secret."""
    client = emulator.client("secretsmanager")
    try:
        listed = insist(client.list_secret_version_ids, SecretId=name, IncludeDeprecated=True, MaxResults=100)
    except ClientError:
        return Store()
    versions = []
    for entry in listed["Versions"]:
        found = insist(client.get_secret_value, SecretId=name, VersionId=entry["VersionId"])
        labels = frozenset(entry.get("VersionStages", ()))
        versions.append(Version(entry["VersionId"], labels, token_in(found["SecretString"])))
    return Store(tuple(versions))
