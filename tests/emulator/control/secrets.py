# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What moto's Secrets Manager does to staging labels otherwise than AWS.

moto takes the version that was AWSCURRENT at first for the current one for ever, so that a new AWSCURRENT after a
promotion leaves two; and it takes every other label off the version that was current. AWS moves AWSCURRENT and
AWSPREVIOUS, and no other label (PutSecretValue, UpdateSecretVersionStage in its API reference).
"""

from __future__ import annotations

from typing import Any

from moto.secretsmanager.models import FakeSecret


def reset_default_version(self: FakeSecret, secret_version: dict[str, Any], version_id: str) -> None:
    """In the place of moto's: the labels of the new version leave the others, AWSPREVIOUS goes where AWSCURRENT was."""
    for version in self.versions.values():
        stages = version["version_stages"]
        was_current = "AWSCURRENT" in stages
        gone = {"AWSCURRENT", "AWSPREVIOUS", *secret_version["version_stages"]}
        version["version_stages"] = [stage for stage in stages if stage not in gone] + ["AWSPREVIOUS"] * was_current
    self.versions[version_id] = secret_version
    self.default_version_id = version_id


def install() -> None:
    """Patch moto, once for the process."""
    FakeSecret.reset_default_version = reset_default_version  # type: ignore[method-assign] # the point of it
