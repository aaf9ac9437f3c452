# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lists as users give them: one item is a list of one, and any other text is refused.

``-e rotate_token_replication_groups=carts`` gives a text, whatever type the role documents. As a sequence it would be
the groups ``c``, ``a``, ``r``, ``t`` and ``s``. Ansible's own conversion takes ``carts``, but it also splits ``a,b``,
takes the text ``["a", "b"]`` for one item, and makes texts of numbers. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import AuthError

#: What stands for the group's id in names and ids that are given for several groups.
PLACEHOLDER = "{replication_group_id}"
#: elasticache-facts §5: 1 to 40 letters, digits and hyphens, first a letter, no "--", no trailing "-".
_ID = re.compile(r"(?!.*--)[a-z][a-z0-9-]{0,39}(?<!-)", re.IGNORECASE | re.ASCII)
_ID_RULE = (
    "It has 1 to 40 letters, digits and hyphens, begins with a letter, has no two hyphens in a row and none at its end."
)
#: Whether there is such a region is for AWS to say.
_REGION = re.compile(r"[a-z][a-z0-9_-]*", re.IGNORECASE)
#: What separates the items in a text that was meant as a list.
_BETWEEN = re.compile(r"[\s,;\[\]()'\"]+")
_LONGEST = 80
#: A list that is longer is not repeated in a message.
_FEW = 5


@dataclass(frozen=True)
class Item:
    """What a list is of: its name with an article, two examples, how to recognize it, and the rule as a sentence."""

    name: str
    examples: tuple[str, str]
    is_one: Callable[[str], bool]
    rule: str


def is_id(text: str) -> bool:
    """Whether AWS takes ``text`` for the id of a replication group, a user group or a user."""
    return bool(_ID.fullmatch(text.strip()))


def _is_id_with_placeholder(text: str) -> bool:
    return bool(_ID.fullmatch(text.strip().replace(PLACEHOLDER, "x")))


def _is_region(text: str) -> bool:
    return bool(_REGION.fullmatch(text.strip()))


GROUPS = Item("the id of a replication group", ("sessions", "carts"), is_id, _ID_RULE)
USERS = Item("the id of a user", ("app", "reports"), _is_id_with_placeholder, _ID_RULE)
REGIONS = Item("a region", ("eu-central-1", "us-east-1"), _is_region, "It is a name such as us-east-1.")


def one_or_more(name: str, given: object, item: Item, *, dicts: bool = False, variable: bool = True) -> list[Any]:
    """Return what ``name`` lists; one item is a list of one.

    ``dicts``: an entry may also be a dictionary, which is returned as it is. ``variable``: ``name`` is a variable, and
    not an option. Raises :class:`AuthError` for anything else, with the name, the value and how to pass a list.
    """

    def way_out(text: str = "") -> str:
        return _way_out(name if variable else "", text, item)

    if isinstance(given, str):
        if item.is_one(given):
            return [given.strip()]
        raise AuthError(f"{name}: {shown(given)} is not {item.name}. {way_out(given)}")
    if not isinstance(given, (list, tuple)):
        raise AuthError(f"{name}: {kind_of(given)} is not a list. {way_out()}")
    for entry in given:
        if dicts and isinstance(entry, Mapping):
            continue
        if not isinstance(entry, str):
            raise AuthError(f"{name}: {kind_of(entry)} in it is not {item.name}. {way_out()}")
        if not item.is_one(entry):
            raise AuthError(f"{name}: {shown(entry)} is not {item.name}. {item.rule}")
    return [entry.strip() if isinstance(entry, str) else entry for entry in given]


@dataclass(frozen=True)
class TextForList:
    """A text with several items in the place of a list: what is said of it, and its items where they may be secret.

    Ansible hides the text of an option with C(no_log), but not the items that it splits it into.
    """

    message: str
    secrets: tuple[str, ...] = ()


def texts_for_lists(spec: Mapping[str, Any], given: Mapping[str, Any], within: str = "") -> list[TextForList]:
    """Return the texts that were given for lists of several items.

    ``spec`` is a module's argument_spec, ``given`` what it was called with: Ansible splits such a text at its commas.
    One without a comma is a list of one. The value is shown where nothing in it is secret.
    """
    found = []
    for name, option in spec.items():
        for alias in (name, *(option.get("aliases") or ())):
            value = given.get(alias)
            nested, path = option.get("options"), f"{within}{alias}"
            if option.get("type") == "list" and isinstance(value, str) and "," in value:
                is_plain = option.get("elements") == "str" and not option.get("no_log")
                text = shown(value) if is_plain else "a text with commas in it"
                parts = tuple(part.strip() for part in value.split(","))
                shape = ", ".join(parts) if is_plain else "..., ..."
                message = f"{path}: {text} is not a list. Pass a list: [{shape}]."
                found.append(TextForList(message, () if is_plain else parts))
            elif nested and isinstance(value, Mapping):
                found += texts_for_lists(nested, value, f"{path}.")
            elif nested and isinstance(value, list):
                for number, entry in enumerate(value):
                    if isinstance(entry, Mapping):
                        found += texts_for_lists(nested, entry, f"{path}[{number}].")
    return found


def shown(text: str, longest: int = _LONGEST) -> str:
    """Return a user's text in quotes: in one line, and not longer than so many characters."""
    cut = text if len(text) <= longest else f"{text[:longest]}..."
    return f"'{cut}'" if cut.isprintable() else ascii(cut)


def kind_of(given: object) -> str:
    """Return what a value is that should be something else; numbers with their value."""
    if given is None:
        return "null"
    if isinstance(given, bool):
        return f"the boolean {str(given).lower()}"
    if isinstance(given, (int, float)):
        return f"the number {given}"
    if isinstance(given, Mapping):
        return "a dictionary"
    return "a list" if isinstance(given, (list, tuple)) else f"a value of the type {type(given).__name__}"


def _way_out(variable: str, given: str, item: Item) -> str:
    parts = [part for part in _BETWEEN.split(given) if part]
    meant = parts if 0 < len(parts) <= _FEW and all(map(item.is_one, parts)) else list(item.examples)
    if variable:
        return f"Pass a list: -e '{json.dumps({variable: meant})}', or in YAML [{', '.join(meant)}]."
    return f"Pass a list: [{', '.join(meant)}]."
