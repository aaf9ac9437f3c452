# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What a user may do, for the plane without an engine: access strings applied to the few commands it has."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from emulator.data_plane.acl import split_access_string

_KEY_PREFIXES = {"~": "rw", "%R~": "r", "%W~": "w", "%RW~": "rw", "%WR~": "rw"}


@dataclass(frozen=True)
class CommandSpec:
    """A command as the engine's ACL sees it. ``name`` is ``command`` or ``command|subcommand``."""

    name: str
    categories: frozenset[str]
    arity: int  #: number of arguments, the name included; negative: at least so many
    keys: tuple[int, int | None] = (0, 0)  #: which arguments are keys: first, and where they end
    needs: str = ""  #: ``r`` and ``w``: what is done to the keys

    @property
    def writes(self) -> bool:
        """Whether a read-only replica refuses it."""
        return "w" in self.needs


@dataclass(frozen=True)
class Permissions:
    """One list of rules, or one selector of it."""

    command_rules: tuple[str, ...]
    key_rules: tuple[tuple[str, str], ...]  #: (what for, pattern)

    def allow_command(self, spec: CommandSpec) -> bool:
        """Whether the last rule that speaks of the command allows it."""
        allowed = False
        for rule in self.command_rules:
            subject = rule[1:]
            if subject in ("@all", spec.name, spec.name.partition("|")[0]) or (
                subject.startswith("@") and subject[1:] in spec.categories
            ):
                allowed = rule[0] == "+"
        return allowed

    def allow_key(self, key: str, needs: str) -> bool:
        """Whether each thing that is done to the key is allowed by some pattern."""
        return all(
            any(need in grants and fnmatch.fnmatchcase(key, pattern) for grants, pattern in self.key_rules)
            for need in needs
        )


def refusal(access_string: str, spec: CommandSpec, arguments: Sequence[bytes], user: str) -> str | None:
    """The engine's words for why the user may not run the command; None when it may."""
    keys = [key.decode("latin-1") for key in arguments[slice(*spec.keys)]]
    reason = f"NOPERM User {user} has no permissions to run the '{spec.name}' command"
    for permissions in read_access_string(access_string):
        if not permissions.allow_command(spec):
            continue
        if all(permissions.allow_key(key, spec.needs) for key in keys):
            return None
        reason = "NOPERM No permissions to access a key"
    return reason


@lru_cache(maxsize=4096)
def read_access_string(access_string: str) -> tuple[Permissions, ...]:
    """The rules outside selectors, then each selector."""
    rules = split_access_string(access_string)
    outside = [rule for rule in rules if not rule.startswith("(")]
    selectors = [rule[1:-1].split() for rule in rules if rule.startswith("(")]
    return tuple(_read_rules(group) for group in (outside, *selectors))


def _read_rules(rules: Sequence[str]) -> Permissions:
    commands: list[str] = []
    keys: list[tuple[str, str]] = []
    for rule in rules:
        prefix = next((prefix for prefix in _KEY_PREFIXES if rule.upper().startswith(prefix)), None)
        if rule.lower() in ("allcommands", "nocommands"):
            commands.append("+@all" if rule.lower() == "allcommands" else "-@all")
        elif rule.startswith(("+", "-")):
            commands.append(rule.lower())
        elif rule.lower() == "allkeys":
            keys.append(("rw", "*"))
        elif rule.lower() == "resetkeys":
            keys.clear()
        elif prefix is not None:
            keys.append((_KEY_PREFIXES[prefix], rule[len(prefix) :].replace("[^", "[!")))
    return Permissions(tuple(commands), tuple(keys))
