# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An error of a whole target, a region and the role for it, reported for each of its groups.

A fleet has many targets, and a task has one. With O(continue_on_error) its groups have failed, and the task's
caller goes on to the next target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from .._core.errors import AuthError
from .outcome import Progress

P = TypeVar("P", bound=Progress)


def for_each(
    params: Mapping[str, Any], ids: Sequence[str], failed: Callable[[str, str], P], work: Callable[[], list[P]]
) -> list[P]:
    """Return what ``work`` returns; where it raises, for what concerns no single group, each group with that error.

    ``params``: the module's. ``failed``: makes a group of its id and its error. Raises :class:`AuthError` without
    O(continue_on_error).
    """
    try:
        return work()
    except AuthError as error:
        if not params["continue_on_error"]:
            raise
        return [failed(key, error_of_group(key, error, ids, params.get("assume_role_arn"))) for key in ids]


def error_of_group(key: str, error: AuthError, ids: Sequence[str], role: str | None) -> str:
    """Return an error of all groups in the words of one: some name the group at which they were met."""
    text = str(error)
    for group_id in ids:
        text = text.removeprefix(f"{group_id}: ")
    return f"{key}: {with_role(text, role)}"


def with_role(text: str, role: str | None) -> str:
    """Return an error with the role, the ARN, that the credentials are those of."""
    return text if not role or role in text else f"{text} The credentials are those of {role}."
