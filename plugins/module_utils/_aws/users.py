# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Users (RBAC) as the API shows them, and the calls on them as data that can be shown before it is sent.

Members: botocore's service model ``elasticache/2015-02-02``. Passwords are never returned, only their number.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._core.access_strings import canonical
from .._fan_out import fan_out
from .clients import Clients
from .errors import Kind, classify
from .lifecycle import ResourceCall, as_tags
from .modify import MASK
from .tags import tags_in_bulk, tags_of

CREATE, MODIFY, DELETE = "CreateUser", "ModifyUser", "DeleteUser"
ACTIVE, DELETING = "active", "deleting"

#: The kinds of authentication, as a request names them.
PASSWORD, NO_PASSWORD, IAM = "password", "no-password-required", "iam"
#: DescribeUsers shows one of them by another name.
_SHOWN = {"no-password": NO_PASSWORD}

#: AWS's own user, which can't be changed, deleted or made.
AWS_USER = "default"
#: The name of the user that clients are who give a password only (elasticache-facts §1).
DEFAULT_NAME = "default"

#: Up to this many are asked for one by one, for more all pages are read.
SINGLY = 5
_PAGE = 100


@dataclass(frozen=True)
class User:
    """What DescribeUsers shows of one user; ``authentication`` is PASSWORD, NO_PASSWORD or IAM."""

    id: str
    arn: str
    name: str
    status: str
    engine: str
    access_string: str
    authentication: str
    password_count: int | None
    user_group_ids: tuple[str, ...]
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def busy(self) -> bool:
        """Whether a change is under way; AWS takes no other one meanwhile (elasticache-facts §3)."""
        return self.status != ACTIVE

    @property
    def enabled(self) -> bool:
        """Whether its access string turns it on."""
        return canonical(self.access_string).enabled


def parse(raw: Mapping[str, Any]) -> User:
    """Return the user that a member of DescribeUsers' answer describes."""
    authentication = raw.get("Authentication") or {}
    kind = str(authentication.get("Type") or "")
    return User(
        id=raw["UserId"],
        arn=raw.get("ARN", ""),
        name=raw.get("UserName", ""),
        status=raw.get("Status", ""),
        engine=str(raw.get("Engine") or "").lower(),
        access_string=raw.get("AccessString", ""),
        authentication=_SHOWN.get(kind, kind),
        password_count=authentication.get("PasswordCount"),
        user_group_ids=tuple(raw.get("UserGroupIds") or ()),
        raw=raw,
    )


# --- Reading --------------------------------------------------------------------------------------------------------


def describe_users(clients: Clients, ids: Iterable[str]) -> dict[str, User]:
    """Return those of the users that exist, by id. Raises botocore's exceptions."""
    wanted = list(dict.fromkeys(ids))
    if len(wanted) > SINGLY:
        found = {user.id: user for user in sweep_users(clients)}
        return {key: found[key] for key in wanted if key in found}
    results = fan_out(wanted, lambda key: describe_user(clients, key))
    for result in results.values():
        if isinstance(result, Exception):
            raise result
    return {key: user for key, user in results.items() if isinstance(user, User)}


def describe_user(clients: Clients, user_id: str) -> User | None:
    """Return the user, ``None`` where there is none. Raises botocore's exceptions."""
    try:
        answer = clients.patiently(lambda: clients.repeatable.describe_users(UserId=user_id))
    except Exception as error:
        if classify(error) is Kind.NOT_FOUND:
            return None
        raise
    return parse(answer["Users"][0])


def sweep_users(clients: Clients) -> Iterator[User]:
    """Yield every user of the region, a page of 100 a call. Raises botocore's exceptions."""
    for page in pages(clients, clients.repeatable.describe_users):
        yield from map(parse, page["Users"])


def pages(clients: Clients, call: Any) -> Iterator[dict[str, Any]]:
    """Yield the pages of a Describe call; a page that is throttled is asked for again, not those before it."""
    following = functools.partial(call, MaxRecords=_PAGE)
    while True:
        page = clients.patiently(following)
        yield page
        if not page.get("Marker"):
            return
        following = functools.partial(call, MaxRecords=_PAGE, Marker=page["Marker"])


def read_tags(clients: Clients, arns: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the tags of users or user groups by ARN, those of many in bulk. Raises botocore's exceptions."""
    if len(arns) <= SINGLY:
        results = fan_out(arns, lambda arn: _tags_of(clients, arn))
        for result in results.values():
            if isinstance(result, Exception):
                raise result
        return {arn: tags for arn, tags in results.items() if isinstance(tags, dict)}
    return {arn: {} for arn in arns} | tags_in_bulk(clients, arns)


def _tags_of(clients: Clients, arn: str) -> dict[str, str]:
    try:
        return tags_of(clients, arn)
    except Exception as error:
        if classify(error) is Kind.NOT_FOUND:
            return {}  # it is gone since it was described; whoever needs it will see that
        raise


# --- Calls ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class UserCall(ResourceCall):
    """A call on a user; passwords are masked where it is shown."""

    def shown(self) -> dict[str, Any]:
        """Return the call for a result: of the passwords only how many they are."""
        parameters = dict(self.parameters)
        mode = parameters.get("AuthenticationMode") or {}
        if "Passwords" in mode:
            parameters["AuthenticationMode"] = {**mode, "Passwords": [MASK] * len(mode["Passwords"])}
        return {"action": self.action, "parameters": parameters}


def members(
    *, engine: str | None, access_string: str | None, authentication: str | None, passwords: Iterable[str]
) -> dict[str, Any]:
    """Return the members of CreateUser and ModifyUser for what is not ``None``."""
    found: dict[str, Any] = {}
    if engine is not None:
        found["Engine"] = engine
    if access_string is not None:
        found["AccessString"] = access_string
    if authentication is not None:
        secrets = {"Passwords": list(passwords)} if authentication == PASSWORD else {}
        found["AuthenticationMode"] = {"Type": authentication, **secrets}
    return found


def creation(
    user_id: str, name: str, given: Mapping[str, Any], tags: Mapping[str, str], options: Iterable[str]
) -> UserCall:
    """Return the call that makes the user; ``options`` are those that it carries."""
    parameters = {"UserId": user_id, "UserName": name, **given}
    return UserCall(CREATE, {**parameters, **({"Tags": as_tags(tags)} if tags else {})}, tuple(options))


def modification(user_id: str, given: Mapping[str, Any], options: Iterable[str]) -> UserCall:
    """Return the call that changes the user; ``options`` are those whose difference it ends."""
    return UserCall(MODIFY, {"UserId": user_id, **given}, tuple(options))


def deletion(user_id: str) -> UserCall:
    """Return the call that ends the user."""
    return UserCall(DELETE, {"UserId": user_id})
