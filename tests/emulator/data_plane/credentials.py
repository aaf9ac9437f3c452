# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Which answer a credential gets: the table of elasticache-facts §1 as a function, shared by both data planes."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from emulator.access import Access
from emulator.data_plane.acl import is_enabled

DEFAULT_USER = b"default"

WRONGPASS = "WRONGPASS invalid username-password pair or user is disabled."
NOAUTH = "NOAUTH Authentication required."
NO_PASSWORD_CONFIGURED = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
NOAUTH_HELLO = (
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> "
    "option can be used to authenticate the client and select the RESP protocol version at the same time"
)
SYNTAX_ERROR = "ERR syntax error"


class Verdict(enum.Enum):
    """What a credential is answered."""

    ACCEPTED = "accepted"
    WRONG = WRONGPASS
    UNCONFIGURED = NO_PASSWORD_CONFIGURED


class WrongTokenInOptional(enum.Enum):
    """What ``optional`` answers to a wrong token (a **?** of elasticache-facts §1)."""

    WRONGPASS = "wrongpass"
    OK = "ok"
    ERROR = "error"


@dataclass(frozen=True)
class Unsettled:
    """How the questions about credentials turn out that nobody has settled (elasticache-facts §1)."""

    wrong_token: WrongTokenInOptional = WrongTokenInOptional.WRONGPASS
    open_takes_default: bool = True  #: an open node answers OK to any password of the user ``default``, named outright


@dataclass(frozen=True)
class Credential:
    """What a client presents. ``username`` is None in ``AUTH password``."""

    password: bytes
    username: bytes | None = None


@dataclass(frozen=True)
class Hello:
    """The members of a well-formed HELLO."""

    version: int | None = None
    credential: Credential | None = None
    client_name: bytes | None = None


def read_auth(arguments: tuple[bytes, ...]) -> Credential | None:
    """The credential in ``AUTH [username] password``; None where the engine would call it malformed."""
    match arguments:
        case (_, password):
            return Credential(password)
        case (_, username, password):
            return Credential(password, username)
    return None


def read_hello(arguments: tuple[bytes, ...]) -> Hello | None:
    """The members of ``HELLO [version [AUTH username password] [SETNAME name]]``; None where it is malformed."""
    if len(arguments) == 1:
        return Hello()
    if arguments[1] not in (b"2", b"3"):
        return None
    credential: Credential | None = None
    client_name: bytes | None = None
    rest = list(arguments[2:])
    while rest:
        option = rest.pop(0).upper()
        if option == b"AUTH" and len(rest) >= 2:
            credential = Credential(username=rest.pop(0), password=rest.pop(0))
        elif option == b"SETNAME" and rest:
            client_name = rest.pop(0)
        else:
            return None
    return Hello(int(arguments[1]), credential, client_name)


def is_open_to_all(access: Access) -> bool:
    """Whether a client that presents nothing is served."""
    if access.users is None:
        return None in access.slots
    return any(user.name == "default" and user.no_password and is_enabled(user) for user in access.users)


def judge(access: Access, credential: Credential, unsettled: Unsettled) -> Verdict:
    """The answer to a credential (elasticache-facts §1).

    Without RBAC, AUTH is the password of the user named ``default``: ``AUTH t`` and ``AUTH default t`` are the same,
    but where the group is open: the engine has no password then, and accepts any of a user named outright.
    """
    if access.users is not None:
        return _judge_user(access, credential)
    if credential.username not in (None, DEFAULT_USER):
        return Verdict.WRONG
    tokens = [slot.encode() for slot in access.slots if slot is not None]
    if not tokens:
        named = credential.username is not None
        return Verdict.ACCEPTED if named and unsettled.open_takes_default else Verdict.UNCONFIGURED
    if credential.password in tokens:
        return Verdict.ACCEPTED
    if None in access.slots:
        return {
            WrongTokenInOptional.WRONGPASS: Verdict.WRONG,
            WrongTokenInOptional.OK: Verdict.ACCEPTED,
            WrongTokenInOptional.ERROR: Verdict.UNCONFIGURED,
        }[unsettled.wrong_token]
    return Verdict.WRONG


def _judge_user(access: Access, credential: Credential) -> Verdict:
    name = credential.username if credential.username is not None else DEFAULT_USER
    for user in access.users or ():
        if user.name.encode() == name:
            if user.no_password and credential.username is None:
                return Verdict.UNCONFIGURED
            known = user.no_password or credential.password in [password.encode() for password in user.passwords]
            return Verdict.ACCEPTED if known and is_enabled(user) else Verdict.WRONG
    return Verdict.WRONG


def removed_users(before: Access, after: Access) -> frozenset[str]:
    """The users whose connections a change of access ends (elasticache-facts §1: those taken out of the group).

    Leaving RBAC takes out every user but ``default``. Entering it takes out nobody: the connections that were made
    with a token, or with nothing, go on as the user named ``default`` even where that is off: the engine keeps them.
    """
    if before.users is None:
        return frozenset()
    remaining = {"default"} if after.users is None else {user.name for user in after.users}
    return frozenset(user.name for user in before.users) - remaining
