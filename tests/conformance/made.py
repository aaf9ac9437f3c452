# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What a run makes: tagged, written down before it is asked for, looked at before it is changed, and removed.

A resource is the run's where its id begins with the run's own prefix and its tag has the run's id. Both are read anew
before each call that changes it. While a replication group is in flight ElastiCache refuses to list tags
(elasticache-facts §3): then the tagging API is asked for them.
"""

from __future__ import annotations

import enum
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .endpoint import Answer, Endpoint, NoAnswerError

PREFIX = "conformance"
TAG = "elasticache-auth-conformance"
UNTIL_TAG = "elasticache-auth-conformance-until"
RUN = re.compile(r"[0-9a-f]{8}")
_ID = re.compile(rf"{PREFIX}-([0-9a-f]{{8}})-[a-z0-9-]+")
_LONGEST = 40  # elasticache-facts §5
_IN_FLIGHT = "InvalidReplicationGroupState"


class Kind(enum.Enum):
    """What can be made, in the order in which it is removed."""

    GROUP = "replication group"
    CLUSTER = "cache cluster"
    USER_GROUP = "user group"
    USER = "user"
    SECRET = "secret"


@dataclass(frozen=True)
class _Calls:
    """How a kind is called: its id's member, the calls, and how its absence is told."""

    member: str
    describe: str
    key: str
    delete: str
    absent: tuple[str, ...]
    status: str = "Status"
    arn: str = "ARN"
    settled: tuple[str, ...] = ("active",)


_CALLS: Mapping[Kind, _Calls] = {
    Kind.GROUP: _Calls(
        "ReplicationGroupId",
        "describe_replication_groups",
        "ReplicationGroups",
        "delete_replication_group",
        ("ReplicationGroupNotFoundFault",),
        settled=("available", "create-failed"),
    ),
    Kind.CLUSTER: _Calls(
        "CacheClusterId",
        "describe_cache_clusters",
        "CacheClusters",
        "delete_cache_cluster",
        ("CacheClusterNotFound", "CacheClusterNotFoundFault"),
        status="CacheClusterStatus",
        settled=("available", "create-failed", "incompatible-network", "restore-failed"),
    ),
    Kind.USER_GROUP: _Calls(
        "UserGroupId", "describe_user_groups", "UserGroups", "delete_user_group", ("UserGroupNotFound",)
    ),
    Kind.USER: _Calls("UserId", "describe_users", "Users", "delete_user", ("UserNotFound",)),
    Kind.SECRET: _Calls("SecretId", "describe_secret", "", "delete_secret", ("ResourceNotFoundException",)),
}


class NotMadeError(Exception):
    """A resource that this run did not make, or can't be seen to have made: nothing was changed."""


class ExistsError(Exception):
    """There is something at an id that the run would use: nothing was made."""


def new_run() -> str:
    """Another run's id."""
    return secrets.token_hex(4)


@dataclass(frozen=True)
class Resource:
    """Something that a run has asked to be made, whether it is there or not."""

    kind: Kind
    id: str

    @property
    def run(self) -> str | None:
        """The run whose prefix its id has."""
        found = _ID.fullmatch(self.id)
        return found[1] if found else None

    def __str__(self) -> str:
        return f"{self.kind.value} {self.id}"


class Made:
    """One run's resources. Safe to use from several threads."""

    def __init__(self, endpoint: Endpoint, run: str, until: datetime, say: Callable[[str], None]) -> None:
        self.run = run
        self._endpoint = endpoint
        self._say = say
        self._until = until
        self._lock = threading.Lock()
        self._resources: dict[Resource, None] = {}

    def identifier(self, name: str) -> str:
        """The run's id for that name."""
        identifier = f"{PREFIX}-{self.run}-{name}"
        if len(identifier) > _LONGEST:
            raise ValueError(f"{identifier} is longer than {_LONGEST} characters")
        return identifier

    def tags(self) -> list[dict[str, str]]:
        """The tags of everything that the run makes."""
        until = self._until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return [{"Key": TAG, "Value": self.run}, {"Key": UNTIL_TAG, "Value": until}]

    def make(self, kind: Kind, name: str, operation: str, **members: Any) -> Answer:
        """Ask for something to be made, which is removed at the end if it was; also where a refusal is expected."""
        identifier = self.identifier(name)
        self._endpoint.clock.check()
        with self._lock:
            self._resources[Resource(kind, identifier.lower())] = None
        service, member = ("secretsmanager", "Name") if kind is Kind.SECRET else ("elasticache", _CALLS[kind].member)
        return self._endpoint.ask(operation, service, **{member: identifier}, **members, Tags=self.tags())

    def change(self, kind: Kind, name: str, operation: str, **members: Any) -> Answer:
        """Make a call that changes, or would change, something of the run's; raises ``NotMadeError``."""
        resource = Resource(kind, self.identifier(name).lower())
        self._endpoint.clock.check()
        self._verify(resource)
        service = "secretsmanager" if kind is Kind.SECRET else "elasticache"
        return self._endpoint.ask(operation, service, **{_CALLS[kind].member: resource.id}, **members)

    def change_tags(self, kind: Kind, name: str, key: str) -> Answer:
        """Add a tag to something of the run's; raises ``NotMadeError``."""
        shown = self._verify(Resource(kind, self.identifier(name).lower()))
        tags = [{"Key": key, "Value": self.run}]
        return self._endpoint.ask("add_tags_to_resource", ResourceName=shown["ARN"], Tags=tags)

    def shown(self, kind: Kind, name: str) -> dict[str, Any] | None:
        """How the API describes it; ``None``: it isn't there."""
        return find(self._endpoint, Resource(kind, self.identifier(name).lower()))

    def remove(self, kind: Kind, name: str) -> Answer:
        """Ask for one of them to be deleted."""
        return _delete(self._endpoint, Resource(kind, self.identifier(name).lower()), self.run)

    def check_nothing_exists(self, names: Mapping[Kind, Sequence[str]]) -> None:
        """Raise ``ExistsError`` where there is something at an id that the run would use."""
        for kind, wanted in names.items():
            for name in wanted:
                resource = Resource(kind, self.identifier(name).lower())
                if find(self._endpoint, resource) is not None:
                    raise ExistsError(f"there is a {resource} already, nothing was made: run it again")

    def tear_down(self, patience: float) -> list[Resource]:
        """Remove all that was made, and what a listing of the region has besides; returns what is left."""
        with self._lock:
            known = list(self._resources)
        tear_down(self._endpoint, known, patience, self._say)
        try:
            found = [one.resource for one in leftovers(self._endpoint) if one.until and one.resource.run == self.run]
        except NoAnswerError as error:
            self._say(f"The region can't be searched for what may be left: {error}")
            found = []
        return tear_down(self._endpoint, list(dict.fromkeys([*known, *found])), patience, self._say)

    def _verify(self, resource: Resource) -> dict[str, Any]:
        return verify(self._endpoint, resource, self.run)


def find(endpoint: Endpoint, resource: Resource) -> dict[str, Any] | None:
    """How the API describes it; ``None``: it isn't there. Raises ``NoAnswerError`` where neither can be told."""
    calls = _CALLS[resource.kind]
    service = "secretsmanager" if resource.kind is Kind.SECRET else "elasticache"
    answer = endpoint.call(calls.describe, service, **{calls.member: resource.id})
    if answer.code in calls.absent:
        return None
    if answer.refused:
        raise NoAnswerError(f"{calls.describe}: {answer}")
    if resource.kind is Kind.SECRET:
        return None if answer.result.get("DeletedDate") else dict(answer.result)
    shown = answer.result[calls.key]
    return dict(shown[0]) if shown else None


def tags_of(endpoint: Endpoint, kind: Kind, shown: Mapping[str, Any]) -> dict[str, str]:
    """The tags of what is described so; raises ``NoAnswerError`` where they can't be read."""
    if kind is Kind.SECRET:
        listed = shown.get("Tags", [])
    else:
        answer = endpoint.call("list_tags_for_resource", ResourceName=shown["ARN"])
        listed = answer.result.get("TagList", [])
        if answer.refused and answer.code != _IN_FLIGHT:
            raise NoAnswerError(f"list_tags_for_resource: {answer}")
        if answer.refused:
            answer = endpoint.call("get_resources", "resourcegroupstaggingapi", ResourceARNList=[shown["ARN"]])
            if answer.refused:
                raise NoAnswerError(f"get_resources: {answer}")
            found = answer.result.get("ResourceTagMappingList", [])
            listed = [tag for item in found if item["ResourceARN"] == shown["ARN"] for tag in item["Tags"]]
    return {tag["Key"]: tag["Value"] for tag in listed}


def verify(endpoint: Endpoint, resource: Resource, run: str) -> dict[str, Any]:
    """How the API describes it; raises ``NotMadeError`` unless both its id and its tag say that this run made it."""
    if resource.run != run:
        raise NotMadeError(f"{resource} has no id of the run {run}")
    shown = find(endpoint, resource)
    if shown is None:
        raise NotMadeError(f"{resource} isn't there")
    if tags_of(endpoint, resource.kind, shown).get(TAG) != run:
        raise NotMadeError(f"{resource} has no tag {TAG}={run}")
    return shown


@dataclass(frozen=True)
class Leftover:
    """Something that is there still. ``until``: how long its run may last; ``""``: its tags can't be read yet."""

    resource: Resource
    until: str


def leftovers(endpoint: Endpoint) -> list[Leftover]:
    """What runs have made that is there still, by id and tag; and what has such an id and is still being made.

    While a group is in flight its tags are known from the tagging API alone, which learns of them later.
    """
    found = []
    for kind, calls in _CALLS.items():
        if kind is Kind.SECRET:
            filters = [{"Key": "name", "Values": [f"{PREFIX}-"]}]
            listed = endpoint.pages("list_secrets", "SecretList", "secretsmanager", Filters=filters)
        else:
            listed = endpoint.pages(calls.describe, calls.key)
        for shown in listed:
            resource = Resource(kind, shown["Name" if kind is Kind.SECRET else calls.member])
            if resource.run is None or shown.get("ReplicationGroupId", resource.id) != resource.id:
                continue  # the latter: a replication group's member, which goes with it
            tags = tags_of(endpoint, kind, shown)
            if tags.get(TAG) == resource.run:
                found.append(Leftover(resource, tags.get(UNTIL_TAG, "no time")))
            elif TAG not in tags and kind is not Kind.SECRET and shown[calls.status].lower() not in calls.settled:
                found.append(Leftover(resource, ""))
    return found


def _delete(endpoint: Endpoint, resource: Resource, run: str) -> Answer:
    verify(endpoint, resource, run)
    calls = _CALLS[resource.kind]
    if resource.kind is Kind.SECRET:
        return endpoint.call(calls.delete, "secretsmanager", SecretId=resource.id, ForceDeleteWithoutRecovery=True)
    return endpoint.call(calls.delete, **{calls.member: resource.id})


def tear_down(
    endpoint: Endpoint, resources: Sequence[Resource], patience: float, say: Callable[[str], None]
) -> list[Resource]:
    """Delete them and wait until they are gone, at most ``patience`` seconds; returns what is left.

    What others depend on goes last. What can't be seen to be of its run is left alone.
    """
    limit = time.monotonic() + patience
    told: set[str] = set()
    while True:
        left: list[Resource] = []
        for kind in Kind:
            if left:
                break
            for resource in (one for one in resources if one.kind is kind):
                try:
                    gone, note = _step(endpoint, resource)
                except NoAnswerError as error:
                    gone, note = False, f"{resource}: {error}"
                except NotMadeError as error:
                    gone, note = True, f"left alone: {error}"
                if note and note not in told:
                    told.add(note)
                    say(note)
                if not gone:
                    left.append(resource)
        if not left or time.monotonic() > limit:
            return left
        time.sleep(endpoint.clock.poll_seconds)


def _step(endpoint: Endpoint, resource: Resource) -> tuple[bool, str]:
    """Ask once for its deletion where it is time for that; returns whether it is gone, and what is to be said."""
    shown = find(endpoint, resource)
    if shown is None:
        return True, ""
    calls = _CALLS[resource.kind]
    if resource.kind is not Kind.SECRET and shown[calls.status].lower() not in calls.settled:
        return False, f"waiting for {resource}, which is {shown[calls.status]}"
    answer = _delete(endpoint, resource, resource.run or "")
    if answer.refused:
        return False, f"{resource} is not deleted yet: {answer}"
    return False, f"deleting {resource}"
