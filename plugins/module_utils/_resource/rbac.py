# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What users and user groups (RBAC) have in common: a status, tags, ids, and what AWS derives from the engine."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .._aws.clients import Clients
from .._aws.errors import explain
from .._aws.groups import ChangedSince
from .._aws.lifecycle import ResourceCall, tagging
from .._aws.tags import reserved
from .._aws.user_groups import UserGroup
from .._aws.users import DELETING, SINGLY, User, read_tags
from .._core.errors import AuthError
from .reconcile import Spec, W, asked

#: What is said where the record can't be read or written.
NO_TAG = " The record is a tag; record: false does without."
#: elasticache-facts §5: 1 to 40 letters, digits and hyphens, first a letter, no "--", no trailing "-".
_ID = re.compile(r"(?!.*--)[a-z][a-z0-9-]{0,39}(?<!-)")


R = TypeVar("R", bound=User | UserGroup)


@dataclass
class RbacSpec(Spec[W, R]):
    """A user or a user group. ``exclusive_to``: all that it may belong to, or nothing is called; ``None``: anything."""

    exclusive_to: Collection[str] | None = None

    def pending(self, current: R) -> str:
        """Say that it is busy."""
        return f"its status is {current.status}" if current.busy else ""

    def is_deleting(self, current: R) -> bool:
        """Whether it is being deleted."""
        return current.status == DELETING

    def needs_tags(self, _current: R) -> bool:
        """Whether its tags are to be read."""
        return self.wanted.tags is not None

    def read(self, current: R) -> None:
        """Read the tags, where they are needed."""
        if not current.busy and self.needs_tags(current):
            self.tags = self._read_tags(current)

    def _read_tags(self, current: R) -> Mapping[str, str]:
        hint = "" if self.wanted.tags is not None else NO_TAG
        tags = asked(self, lambda: read_tags(self.clients, [current.arn])[current.arn], "ListTagsForResource", hint)
        return dict(tags)

    def ahead(self, _step: ResourceCall, current: R | None) -> None:
        """Look at the tags once more, too: the record of a user's passwords is one of them."""
        if self.tags is None or current is None:
            return
        self.check_unchanged(current)
        if self.needs_tags(current) and self._read_tags(current) != self.tags:
            raise ChangedSince(f"{self.id}: its tags were changed by someone else.")

    def tagging(self, current: R) -> list[ResourceCall]:
        """Return the calls that make the tags as wanted."""
        if self.wanted.tags is None or self.tags is None:
            return []
        add = {key: value for key, value in self.wanted.tags.items() if self.tags.get(key) != value}
        gone = [key for key in self.tags if key not in self.wanted.tags and not reserved(key)]
        return tagging(current.arn, add=add, remove=gone if self.wanted.purge_tags else ())

    def own_tags(self) -> dict[str, Any]:
        """Return the tags that are the user's to set, as part of a state."""
        if self.tags is None or self.wanted.tags is None:
            return {}
        return {"tags": {key: value for key, value in self.tags.items() if not reserved(key)}}

    def own_tags_after(self) -> dict[str, Any]:
        """Predict the same."""
        if self.wanted.tags is None:
            return {}
        kept = {} if self.wanted.purge_tags else self.own_tags().get("tags", {})
        return {"tags": {**kept, **self.wanted.tags}}


def without_version(raw: Mapping[str, Any], options: set[str]) -> dict[str, Any]:
    """Leave out what AWS derives from the engine, where that changes."""
    return {name: value for name, value in raw.items() if name != "MinimumEngineVersion" or "engine" not in options}


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
    return None if given is None else [checked_id(key, option, what) for key in given]


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
