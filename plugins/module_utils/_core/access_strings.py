# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Access strings of users (RBAC), compared by what their rules come to and not by their letters."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Access:
    """What an access string comes to. ``channels`` is ``None`` where it says nothing of them: the engine decides."""

    enabled: bool
    keys: frozenset[str]
    channels: frozenset[str] | None
    commands: tuple[str, ...]
    selectors: tuple[Access, ...]
    others: frozenset[str]


_RULE = re.compile(r"\([^()]*\)|\S+")
_ALIASES = {"allkeys": "~*", "allchannels": "&*", "allcommands": "+@all", "nocommands": "-@all"}


def canonical(access_string: str) -> Access:
    """Return what the rules come to when they are applied in order, as the engine does (ACL SETUSER)."""
    enabled, keys = False, set[str]()
    channels: frozenset[str] | None = None
    commands: list[str] = []
    selectors: list[Access] = []
    others: set[str] = set()
    for found in _RULE.findall(access_string):
        rule = _ALIASES.get(found.lower(), found)
        word = rule.lower()
        if rule.startswith("("):
            selectors.append(canonical(rule[1:-1]))
        elif word in ("on", "off"):
            enabled = word == "on"
        elif word == "resetkeys":
            keys = set()
        elif word == "resetchannels":
            channels = frozenset[str]()
        elif word == "clearselectors":
            selectors = []
        elif rule.startswith(("~", "%")):
            keys.add(re.sub(r"^%(?:rw|wr)~", "~", rule, flags=re.IGNORECASE))
        elif rule.startswith("&"):
            channels = (channels or frozenset()) | {rule}
        elif word in ("+@all", "-@all"):  # either overrides what came before; a user begins without any command
            commands = [word] if word == "+@all" else []
        elif rule.startswith(("+", "-")):
            commands.append(word)
        else:
            others.add(word)
    return Access(enabled, frozenset(keys), channels, tuple(commands), tuple(selectors), frozenset(others))


#: Rules that are words. Those of Valkey 9 on databases are among them; db=0,1 is understood by its sign.
_WORDS = frozenset(
    {
        *("on", "off", "allkeys", "resetkeys", "allchannels", "resetchannels", "allcommands", "nocommands", "nopass"),
        *("reset", "resetpass", "clearselectors", "sanitize-payload", "skip-sanitize-payload", "alldbs", "resetdbs"),
    }
)
_SHAPE = re.compile(r"[~&><#!].*|%(?:r|w|rw|wr)~.*|[+-]@?[^@\s]\S*|[^\W\d]\w*=\S+", re.IGNORECASE)


def not_rules(access_string: str) -> list[int]:
    """Return which rules of it can be none, by their number, from 1 on; a selector is one.

    It goes by their shape: which commands and categories there are differs from engine to engine.
    """
    found = enumerate(_RULE.findall(access_string), start=1)
    return [number for number, rule in found if not _is_rule(rule)]


def _is_rule(rule: str) -> bool:
    if rule.startswith("("):
        return rule.endswith(")") and not not_rules(rule[1:-1])
    return rule.lower() in _WORDS or bool(_SHAPE.fullmatch(rule))


def same_access(wanted: str, current: str) -> bool:
    """Whether AWS shows ``wanted`` as ``current``.

    AWS rewrites what it is given: ``on ~app:* +@read`` comes back as ``on ~app:* -@all +@read``, ``allkeys`` as ``~*``
    (github.com/go-to-k/cdk-real-drift issue 482, hashicorp/terraform-provider-aws issue 20334). The order of commands
    has a meaning, that of keys has none.
    """
    goal, now = canonical(wanted), canonical(current)
    return goal == now or goal == _without_channels(now)


def _without_channels(access: Access) -> Access:
    """Leave out a ``resetchannels`` with nothing after it, which AWS may add."""
    return Access(
        access.enabled,
        access.keys,
        access.channels or None,
        access.commands,
        access.selectors,
        access.others,
    )
