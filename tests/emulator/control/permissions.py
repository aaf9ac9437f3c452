# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""IAM policies: what the owner of an access key may call. A key without a policy may call everything.

Of a policy there are statements that allow actions on resources, with the patterns ``*`` and ``?``. A call that changes
ElastiCache or a secret, or reads tags or a secret, needs each resource that it names; other calls need ``*``.
"""

from __future__ import annotations

import fnmatch
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: The members of ElastiCache's calls that name resources, by the kind that is in their ARNs.
_KINDS = {
    "ReplicationGroupId": "replicationgroup",
    "UserGroupId": "usergroup",
    "UserGroupIdsToAdd": "usergroup",
    "UserGroupIdsToRemove": "usergroup",
    "UserId": "user",
    "UserIds": "user",
    "UserIdsToAdd": "user",
    "UserIdsToRemove": "user",
}
#: Calls that need no single resource though they may name one.
_ON_ALL = re.compile(r"Describe(?!Secret$)\w*|List(?!TagsForResource$)\w*|BatchGet\w*")
#: What ends the ARN of a secret, after its name and a hyphen; any six characters.
_SUFFIX = "a1B2c3"


class BadPolicyError(ValueError):
    """A policy that is none. The message says why."""


class Policies:
    """The policies by access key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._allowed: dict[str, list[tuple[list[str], list[str]]]] = {}

    def put(self, described: Any) -> dict[str, int]:
        """Give an access key a policy: ``access_key``, ``policy``. Returns the number of statements by key."""
        try:
            key, statements = described["access_key"], described["policy"]["Statement"]
            allowed = [(_listed(statement["Action"]), _listed(statement["Resource"])) for statement in statements]
            if not isinstance(key, str) or any(statement["Effect"] != "Allow" for statement in statements):
                raise BadPolicyError("access_key is a text, and each Effect is Allow")
        except (KeyError, TypeError) as error:
            raise BadPolicyError(f"a policy is access_key, and policy with Statement: {error!r}") from error
        with self._lock:
            self._allowed[key] = allowed
            return {name: len(statements) for name, statements in self._allowed.items()}

    def clear(self) -> None:
        """Let everyone call everything again."""
        with self._lock:
            self._allowed.clear()

    def limit(self, key: str) -> bool:
        """Whether the owner of ``key`` has a policy."""
        with self._lock:
            return key in self._allowed

    def refused(self, key: str, action: str, resources: Sequence[str]) -> str:
        """Return the resource on which the owner of ``key`` may not call ``action``; empty where it is allowed."""
        with self._lock:
            allowed = self._allowed.get(key)
        if allowed is None:
            return ""
        patterns = [
            pattern
            for actions, on in allowed
            if any(fnmatch.fnmatchcase(action, name) for name in actions)
            for pattern in on
        ]
        return next(
            (resource for resource in resources if not any(fnmatch.fnmatchcase(resource, on) for on in patterns)), ""
        )


def _listed(value: Any) -> list[str]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(entry, str) for entry in listed):
        raise BadPolicyError("Action and Resource are a text or a list of texts")
    return listed


def resources_of(
    service: str, action: str, members: Mapping[str, str], place: str, attached: Sequence[str]
) -> list[str]:
    """Return the ARNs of what a call is about; ``*`` where IAM has no resource for it.

    ``place``: partition, region and account, as in ``aws:eu-central-1:123456789012``.
    ``attached``: the user groups of the replication group, which are named by nothing where all are removed.
    """
    partition, region, account = place.split(":")
    if service == "ecs":
        return list(_services(members, f"arn:{partition}:ecs:{region}:{account}")) or ["*"]
    if action == "SendCommand":
        document = f"arn:{partition}:ssm:{region}::document/{members.get('DocumentName', '')}"
        instances = [value for name, value in members.items() if name.startswith("InstanceIds.")]
        return [document, *(f"arn:{partition}:ec2:{region}:{account}:instance/{instance}" for instance in instances)]
    if _ON_ALL.fullmatch(action):
        return ["*"]
    if service == "elasticache":
        found = [*_named(members, f"arn:{partition}:elasticache:{region}:{account}")]
        if members.get("RemoveUserGroups") == "true":
            found += [f"arn:{partition}:elasticache:{region}:{account}:usergroup:{key}" for key in attached]
        return found or ["*"]
    if service == "secretsmanager":
        name = members.get("SecretId") or members.get("Name") or ""
        arn = f"arn:{partition}:secretsmanager:{region}:{account}:secret:{name}-{_SUFFIX}"
        return [name if name.startswith("arn:") else arn]
    return [members["RoleArn"]] if "RoleArn" in members else ["*"]


def _services(members: Mapping[str, str], prefix: str) -> Iterator[str]:
    cluster = members.get("cluster", "default").rsplit("/", 1)[-1]
    for name, value in members.items():
        if name == "service" or name.startswith("services."):
            yield value if value.startswith("arn:") else f"{prefix}:service/{cluster}/{value}"


def _named(members: Mapping[str, str], prefix: str) -> Iterator[str]:
    for name, value in members.items():
        kind = _KINDS.get(name.split(".", 1)[0])
        if kind:
            yield f"{prefix}:{kind}:{value.lower()}"
        elif name == "ResourceName":
            yield value
