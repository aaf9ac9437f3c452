# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What users and user groups (RBAC) have in common: ids, tags, and what AWS derives from the engine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .._aws.clients import Clients
from .._aws.errors import explain
from .._aws.tags import ANSIBLES_OWN
from .._aws.users import SINGLY, read_tags
from .._core.errors import AuthError

#: Tags that belong to this collection.
RESERVED = "elasticache.auth/"

#: elasticache-facts §5: 1 to 40 letters, digits and hyphens, first a letter, no "--", no trailing "-".
_ID = re.compile(r"(?!.*--)[a-z][a-z0-9-]{0,39}(?<!-)")


def without_version(raw: Mapping[str, Any], options: set[str]) -> dict[str, Any]:
    """Leave out what AWS derives from the engine, where that changes."""
    return {name: value for name, value in raw.items() if name != "MinimumEngineVersion" or "engine" not in options}


def reserved(key: str) -> bool:
    """Whether a tag is this collection's, AWS's or Ansible's own."""
    return key.lower().startswith(("aws:", RESERVED, ANSIBLES_OWN))


def own_tags(tags: Mapping[str, str] | None) -> dict[str, str]:
    """Return the tags that are the user's to set."""
    return {key: value for key, value in (tags or {}).items() if not reserved(key)}


def tags_of(clients: Clients, arns: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the tags of users or user groups by ARN. Raises :class:`AuthError`."""
    try:
        return read_tags(clients, arns)
    except Exception as error:
        action = "tag:GetResources" if len(arns) > SINGLY else "elasticache:ListTagsForResource"
        text = explain(error, action, clients.region)
        raise AuthError(f"{text} Or do without the tags, with include_tags: false.") from error


def checked_id(given: str, option: str, what: str) -> str:
    """Return an id in lower case, as AWS stores it. Raises :class:`AuthError` for what can't be one."""
    key = given.strip().lower()
    if not _ID.fullmatch(key):
        raise AuthError(
            f"{option}: '{key}' can't be the id of a {what}: that has 1 to 40 letters, digits and hyphens, begins with "
            "a letter, has no two hyphens in a row and none at its end."
        )
    return key


def checked_ids(given: Sequence[str] | None, option: str, what: str) -> list[str] | None:
    """Return ids in lower case, ``None`` where the option was left out. Raises :class:`AuthError` as for one."""
    return None if given is None else [checked_id(one, option, what) for one in given]


def checked_tags(key: str, given: Mapping[str, Any] | None) -> dict[str, str] | None:
    """Return the option ``tags`` as text. Raises :class:`AuthError` for tags that are not the user's to set."""
    if given is None:
        return None
    taken = sorted(str(name) for name in given if reserved(str(name)))
    if taken:
        raise AuthError(
            f"{key}: tags: {', '.join(taken)} is not yours to set: leave it out. It is never removed either."
        )
    return {str(name): "" if value is None else str(value) for name, value in given.items()}
