# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wanted of a user (RBAC): from a module's options, looked through for what AWS would refuse."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._auth.tokens import no_token_in
from .._aws.clients import Clients
from .._aws.secrets import NoSecret, StoredToken, read_stages, read_token
from .._aws.users import AWS_USER, DEFAULT_NAME, IAM, NO_PASSWORD, PASSWORD
from .._core.access_strings import not_rules
from .._core.errors import AuthError
from .._core.tokens import unprintable
from .rbac import checked_id, checked_tags
from .reconcile import WantedResource
from .user_passwords import recorded

AUTO, ALWAYS, ON_CREATE = "auto", "always", "on_create"
PASSWORD_LENGTH = (16, 128)
MOST_PASSWORDS = 2
#: What comes before the name of a suboption in messages about a secret.
_SECRETS = "password_secrets."


@dataclass(frozen=True)
class WantedUser(WantedResource):
    """The user as it shall be."""

    name: str | None = None
    engine: str | None = None
    access_string: str | None = None
    authentication: str | None = None
    passwords: tuple[str, ...] = field(default=(), repr=False)
    update_password: str = AUTO
    probe_group: str | None = None

    @functools.cached_property
    def record(self) -> str:
        """The passwords as they are put on record: a fingerprint costs some 40 ms, so it is made once."""
        return recorded(self.passwords)


def wanted_user(params: Mapping[str, Any], passwords: Sequence[str]) -> WantedUser:
    """Turn a module's options into what is wanted; ``passwords``: those given, wherever from.

    Raises :class:`AuthError` for what makes no sense.
    """
    key = checked_id(params["user_id"], "user_id", "user")
    access_string = params["access_string"]
    group = params["probe_replication_group_id"]
    wanted = WantedUser(
        id=key,
        name=params["user_name"],
        engine=params["engine"],
        access_string=None if access_string is None else " ".join(access_string.split()),
        authentication=_authentication(params, passwords),
        passwords=tuple(passwords),
        update_password=params["update_password"],
        probe_group=checked_id(group, "probe_replication_group_id", "replication group") if group else None,
        tags=checked_tags(key, params["tags"]),
        purge_tags=params["purge_tags"],
    )
    problems = [problem for rule in _RULES if (problem := rule(params, wanted))]
    if problems:
        raise AuthError(" ".join(f"{key}: {problem}" for problem in problems))
    return wanted


def passwords_of(clients: Clients, params: Mapping[str, Any], hide: Callable[[str], None]) -> list[str]:
    """Return the passwords from the options, or from Secrets Manager: then ``hide`` is told them.

    Raises :class:`AuthError` for a secret that can't be read.
    """
    if params["passwords"] is not None:
        return [str(password) for password in params["passwords"]]
    key, found = params["user_id"], []
    for source in params["password_secrets"] or ():
        token = _stored(clients, source, key)
        if token is None:
            raise AuthError(
                f"{key}: {no_token_in(source['stage'], source['name'])}. Stage one, or name another label in "
                "password_secrets.stage."
            )
        hide(token.value)
        found.append(token.value)
    return found


def _stored(clients: Clients, source: Mapping[str, Any], key: str) -> StoredToken | None:
    try:
        return read_token(clients, source["name"], source["stage"], source["key"], key, _SECRETS)
    except NoSecret:
        # Not every store tells a missing label from a missing secret; another label proves the secret.
        return read_stages(clients, source["name"], source["key"], key, _SECRETS).get(source["stage"])


def _authentication(params: Mapping[str, Any], passwords: Sequence[str]) -> str | None:
    given: str | None = params["authentication"]
    if given is None and params["no_password_required"]:
        return NO_PASSWORD
    given_any = passwords or params["passwords"] is not None or params["password_secrets"] is not None
    return PASSWORD if given is None and given_any else given


def secrets_in(access_string: str | None) -> list[str]:
    """Return the rules of an access string that hold a password or its hash, which must not be shown."""
    return [rule for rule in (access_string or "").split() if rule[0] in "><#!" and len(rule) > 1]


def _name_rule(dummy: Mapping[str, Any], wanted: WantedUser) -> str:
    if wanted.name is not None and (not wanted.name or any(character.isspace() for character in wanted.name)):
        return f"user_name: '{wanted.name}' can't be a user's name: that is not empty and has no spaces."
    if wanted.authentication == IAM and wanted.name not in (None, wanted.id):
        return (
            f"user_name: {wanted.name} is not the id. Of a user with authentication: iam both have to be the same, in "
            f"lower case. Set user_name: {wanted.id}, or leave it out."
        )
    return ""


def _authentication_rule(params: Mapping[str, Any], wanted: WantedUser) -> str:
    kind = params["authentication"]
    if params["no_password_required"] and kind not in (None, NO_PASSWORD):
        return f"no_password_required: true contradicts authentication: {kind}. Leave one of the two out."
    given = "passwords" if params["passwords"] is not None else "password_secrets"
    if params[given] is not None and wanted.authentication != PASSWORD:
        setting = "no_password_required: true" if kind is None else f"authentication: {kind}"
        return f"{given} contradict {setting}, as such a user has none. Leave one of the two out."
    return ""


def _passwords_rule(params: Mapping[str, Any], wanted: WantedUser) -> str:
    option = "password_secrets" if params["passwords"] is None else "passwords"
    if params[option] is not None and not wanted.passwords:
        return f"{option}: the list is empty. Give one or two passwords, or set authentication: {NO_PASSWORD} or {IAM}."
    problems = []
    if len(wanted.passwords) > MOST_PASSWORDS:
        problems.append(f"{len(wanted.passwords)} are given, AWS takes {MOST_PASSWORDS}. Leave the oldest out")
    low, high = PASSWORD_LENGTH
    for number, password in enumerate(wanted.passwords, 1):
        if not low <= len(password.rstrip("\r\n")) <= high:
            problems.append(f"number {number} has {len(password)} characters, AWS takes {low} to {high}")
        if found := unprintable(password):
            problems.append(f"number {number}: {found}")
    if len(set(wanted.passwords)) < len(wanted.passwords):
        problems.append("the same one is given twice. Leave one out")
    return f"{option}: {'; '.join(problems)}." if problems else ""


def _access_string_rule(dummy: Mapping[str, Any], wanted: WantedUser) -> str:
    text = wanted.access_string
    if text is None:
        return ""
    if not text:
        return "access_string: it is empty, and AWS takes none such. A user without any right is: off -@all."
    words = text.lower().split()
    if secrets_in(text) or {"nopass", "resetpass"} & set(words):
        return (
            "access_string: it holds a rule about passwords, which AWS refuses there. Take it out, and use passwords "
            "or no_password_required."
        )
    if "reset" in words:
        return "access_string: AWS refuses reset there, as it would take the passwords away. Leave it out."
    depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if depth not in (0, 1):
            break
    if depth:
        return "access_string: its parentheses are not balanced. A selector is written as (~key* +@read)."
    if numbers := not_rules(text):
        # The words themselves are not told: who takes a password for a rule writes one there.
        which = ", ".join(map(str, numbers))
        return (
            f"access_string: of its rules, separated by spaces, these can be none, counted from 1: {which}. There are "
            "on, off, ~key*, &channel*, +command, -command, +@category and -@category, as in: on ~app:* -@all +@read."
        )
    return ""


def _probe_rule(dummy: Mapping[str, Any], wanted: WantedUser) -> str:
    if wanted.probe_group and not wanted.passwords:
        return (
            "probe_replication_group_id: its nodes are asked for passwords, and none is given. Leave the option out, "
            "or give passwords."
        )
    return ""


_RULES: tuple[Callable[[Mapping[str, Any], WantedUser], str], ...] = (
    _name_rule,
    _authentication_rule,
    _passwords_rule,
    _access_string_rule,
    _probe_rule,
)


def check_creation(wanted: WantedUser) -> None:
    """Raise :class:`AuthError` for what is missing only because the user does not exist yet."""
    missing = []
    if wanted.id == AWS_USER:
        raise AuthError(fixed(wanted.id))
    if wanted.name is None and wanted.authentication != IAM:
        missing.append("user_name")
    if wanted.engine is None:
        missing.append("engine")
    if wanted.access_string is None:
        missing.append("access_string")
    if wanted.authentication is None:
        missing.append("one of passwords, password_secrets, no_password_required and authentication")
    elif wanted.authentication == PASSWORD and not wanted.passwords:
        missing.append("passwords or password_secrets")
    if missing:
        raise AuthError(f"{wanted.id}: there is no such user yet, and to make it AWS needs {', '.join(missing)}.")


def given_options(wanted: WantedUser) -> list[str]:
    """Return the options that a creation carries."""
    values = {
        "engine": wanted.engine,
        "access_string": wanted.access_string,
        "authentication": wanted.authentication,
        "passwords": wanted.passwords or None,
    }
    return [name for name, value in values.items() if value is not None]


def fixed(key: str) -> str:
    """Say why AWS's own user stays as it is."""
    return (
        f"{key}: the user with the id {AWS_USER} is AWS's own and can't be made, changed or deleted. Give "
        f"another user_id with user_name: {DEFAULT_NAME}, and put that user into the user groups in its place."
    )
