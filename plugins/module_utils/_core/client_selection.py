# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which clients a replication group has, from the variables of a cutover role. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import AuthError
from .lists import PLACEHOLDER, kind_of


@dataclass(frozen=True)
class ClientSelection:
    """What the variables say of the clients of all groups.

    ``names`` and the values of ``tags`` may have the placeholder of the group's id in them. ``by_group``: the names of
    the groups that have others. ``prefix`` is the role's name, ``option`` what follows it in the variable of the names,
    and ``tags_option`` likewise: messages name the variables. ``what``: what a name is the name of.
    """

    prefix: str
    what: str
    option: str
    tags_option: str
    names: Sequence[str] = ()
    by_group: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def variable(self) -> str:
        """The variable of the names."""
        return f"{self.prefix}_{self.option}"

    @property
    def by_group_variable(self) -> str:
        """The variable of the names by group."""
        return f"{self.variable}_by_group"

    @property
    def tags_variable(self) -> str:
        """The variable of the tags, or labels."""
        return f"{self.prefix}_{self.tags_option}"

    @property
    def variables(self) -> str:
        """All three, as a message names them."""
        return f"{self.variable}, {self.by_group_variable} or {self.tags_variable}"

    def of(self, group: str) -> GroupClients:
        """Return the clients of the group with this id. Raises :class:`AuthError` where the variables name none."""
        if group in self.by_group:
            names = [expanded(name, group) for name in self.by_group[group]]
            if not names:
                raise AuthError(
                    f"{group}: its entry in {self.by_group_variable} names no {self.what}, so that no client was "
                    f"moved. Name them there, or leave the entry out for those of {self.variable} or "
                    f"{self.tags_variable}."
                )
            return GroupClients(tuple(dict.fromkeys(names)), {})
        names = [expanded(name, group) for name in self.names]
        if not names and not self.tags:
            has = f"{self.by_group_variable} has no entry for it" if self.by_group else "no variable names any"
            raise AuthError(
                f"{group}: no {self.what} is known for it: {has}, so that no client was moved. Set {self.variables}; "
                f"{PLACEHOLDER} in them stands for the group's id."
            )
        tags = {key: expanded(value, group) for key, value in self.tags.items()}
        return GroupClients(tuple(dict.fromkeys(names)), tags)


@dataclass(frozen=True)
class GroupClients:
    """The clients of one group: by their names, and all that have these tags."""

    names: tuple[str, ...]
    tags: Mapping[str, str]


def expanded(text: str, group: str) -> str:
    """Return a name with the id of a group in the place of its placeholder."""
    return text.replace(PLACEHOLDER, group)


def names_by_group(variable: str, given: Mapping[Any, Any]) -> dict[str, list[str]]:
    """Return a dictionary of names by group, with the ids in lower case. Raises :class:`AuthError` for anything else.

    One name may be a text.
    """
    found = {}
    for group, value in given.items():
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) and name.strip() for name in names):
            what = kind_of(value) if not isinstance(names, (list, tuple)) else "a list with something else in it"
            raise AuthError(f"{variable}: the entry of {group} is {what}. Give a list of names: [{group}-web].")
        found[str(group).strip().lower()] = [name.strip() for name in names]
    return found


def texts(variable: str, given: Mapping[Any, Any]) -> dict[str, str]:
    """Return a dictionary of texts, such as tags. Raises :class:`AuthError` for anything else."""
    for key, value in given.items():
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            raise AuthError(f"{variable}: the value of {key} is {kind_of(value)}. Give a text.")
    return {str(key): str(value) for key, value in given.items()}


def parameters_of(variable: str, given: Mapping[Any, Any]) -> dict[str, list[str]]:
    """Return a document's parameters, each a list of texts. Raises :class:`AuthError` for anything else."""
    found = {}
    for key, value in given.items():
        values = list(value) if isinstance(value, (list, tuple)) else [value]
        if not all(isinstance(item, (str, int, float)) and not isinstance(item, bool) for item in values):
            raise AuthError(f"{variable}: the value of {key} is not a text, nor a list of texts. Give one.")
        found[str(key)] = [str(item) for item in values]
    return found


def having_tags(tags: Mapping[str, str], found: Iterable[tuple[str, Mapping[str, str]]]) -> list[str]:
    """Return those of ``found``, names with their tags, that have all of ``tags``; none where there are no tags."""
    return [name for name, own in found if tags and all(own.get(key) == value for key, value in tags.items())]
