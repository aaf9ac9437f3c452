# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Who is let in, in the engine's words: the rules of ``ACL SETUSER`` (and of ``user`` lines in its configuration)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from emulator.access import Access, AclUser

#: Commands that the engine is started without, so that it answers "unknown command". Those that ElastiCache restricts
#: (https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ClientConfig.RestrictedCommands.html; SYNC is below), and
#: two more with which a client could take a node out of its group or load a program into it.
REMOVED_COMMANDS = (
    "config",
    "debug",
    "shutdown",
    "replicaof",
    "slaveof",
    "save",
    "bgsave",
    "bgrewriteaof",
    "migrate",
    "failover",
    "module",
)

#: Commands that can't be removed, because nodes use them between themselves or because other subcommands are free to
#: use: refused to each user instead. They change who is let in or how the nodes hang together, which ElastiCache's API
#: alone does.
REFUSED_COMMANDS = (
    *("psync", "sync", "replconf"),
    *(f"acl|{name}" for name in ("setuser", "deluser", "load", "save")),
    *(
        f"cluster|{name}"
        for name in (
            *("addslots", "addslotsrange", "bumpepoch", "delslots", "delslotsrange", "failover", "flushslots"),
            *("forget", "meet", "replicate", "reset", "saveconfig", "set-config-epoch", "setslot"),
        )
    ),
)

_REFUSALS = tuple(f"-{name}" for name in REFUSED_COMMANDS)
_EVERYTHING = ("~*", "&*", "+@all")


@dataclass(frozen=True)
class EngineUser:
    """A user and the rules that define it, from scratch: ``ACL SETUSER name rules…``."""

    name: str
    rules: tuple[str, ...]


def split_access_string(access_string: str) -> tuple[str, ...]:
    """The rules of an access string; a selector, ``( … )``, is one rule."""
    rules: list[str] = []
    selector: list[str] | None = None
    for word in access_string.split():
        if selector is None and word.startswith("("):
            selector = []
        if selector is None:
            rules.append(word)
            continue
        selector.append(word)
        if word.endswith(")"):
            rules.append(" ".join(selector))
            selector = None
    if selector is not None:
        raise ValueError(f"unbalanced parentheses in access string: {access_string}")
    return tuple(rules)


def is_enabled(user: AclUser) -> bool:
    """Whether the access string turns the user on; a user is off until it says so."""
    switches = [rule for rule in split_access_string(user.access_string.lower()) if rule in ("on", "off")]
    return switches[-1:] == ["on"]


def password_rule(password: str) -> str:
    """The rule that adds a password, by its hash: the engine's configuration then holds no token in clear."""
    return f"#{hashlib.sha256(password.encode()).hexdigest()}"


def engine_users(access: Access) -> tuple[EngineUser, ...]:
    """Every user that clients may be, always with ``default``: off where a group of users has none of that name.

    Raises ValueError where an access string is none.
    """
    if access.users is None:
        return (EngineUser("default", ("reset", "on", *_slot_rules(access), *_EVERYTHING, *_REFUSALS)),)
    users = {}
    for user in access.users:
        try:
            users[user.name] = EngineUser(user.name, _user_rules(user))
        except ValueError as error:
            raise ValueError(f"user {user.name}: {error}") from None
    return tuple({"default": EngineUser("default", ("reset", "off")), **users}.values())


def hidden_user(name: str, password: str) -> EngineUser:
    """A user with every right, for the emulator itself and for replicas."""
    return EngineUser(name, ("reset", "on", password_rule(password), *_EVERYTHING))


def _slot_rules(access: Access) -> tuple[str, ...]:
    if None in access.slots:
        return ("nopass",)
    return tuple(password_rule(slot) for slot in access.slots if slot is not None)


def _user_rules(user: AclUser) -> tuple[str, ...]:
    secrets = ("nopass",) if user.no_password else tuple(password_rule(password) for password in user.passwords)
    rules = tuple(
        f"{rule[:-1].rstrip()} {' '.join(_REFUSALS)})" if rule.startswith("(") else rule
        for rule in split_access_string(user.access_string)
    )
    return ("reset", *secrets, *rules, *_REFUSALS)
