# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The things the API is about, as the server holds them. Changed only under the world's lock (``world.py``)."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from emulator.access import AclUser, Endpoint, TlsMode

from .transitions import AccessChange, AccessState, Engine

AVAILABLE = "available"
CREATING = "creating"
MODIFYING = "modifying"
DELETING = "deleting"
CREATE_FAILED = "create-failed"
SNAPSHOTTING = "snapshotting"
ACTIVE = "active"


def now() -> datetime:
    """The time, to the millisecond, as AWS gives it."""
    moment = datetime.fromtimestamp(time.time(), UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@dataclass
class Node:
    """A node: a cache cluster of one node that belongs to a replication group."""

    cluster_id: str
    zone: str
    endpoint: Endpoint | None = None


@dataclass
class NodeGroup:
    """A shard: its primary first, then its replicas."""

    id: str
    slots: str | None
    nodes: list[Node]
    status: str = CREATING


@dataclass
class GroupOptions:
    """What a user can set on a group besides access control and transport, and the API describes back."""

    description: str
    node_type: str
    engine: Engine
    parameter_group: str
    parameter_status: str = "in-sync"
    subnet_group: str = "default"
    security_group_ids: tuple[str, ...] = ()
    cache_security_groups: tuple[str, ...] = ()
    port: int = 6379
    automatic_failover: bool = False
    multi_az: bool = False
    snapshot_retention_limit: int = 0
    snapshot_window: str = "05:00-06:00"
    snapshotting_cluster_id: str | None = None
    maintenance_window: str = "sun:07:00-sun:08:00"
    topic_arn: str | None = None
    topic_status: str = "active"
    auto_minor_version_upgrade: bool = True
    at_rest_encryption: bool = False
    kms_key_id: str | None = None
    log_delivery: tuple[Mapping[str, Any], ...] = ()
    data_tiering: bool = False
    network_type: str = "ipv4"
    ip_discovery: str = "ipv4"
    cluster_mode: str = "disabled"
    durability: str | None = None


@dataclass(frozen=True)
class Change:
    """A change under way: what the API shows of it, and what is true at its end."""

    access: AccessChange | None = None
    tls: TlsMode | None = None
    options: Mapping[str, Any] = field(default_factory=dict)  #: members of GroupOptions, by name
    seconds: float | None = None  #: how long it takes; None where it has not begun


@dataclass(frozen=True)
class Moment:
    """One entry of a group's history: the whole truth from ``time`` (seconds since the epoch) on.

    ``change_seconds``: how long the change under way takes from its beginning to its end, unless it is held or never
    ends; None where none is under way.
    """

    time: float
    cause: str
    status: str
    access: AccessState
    tls: TlsMode
    auth_token_status: str | None
    change_seconds: float | None


@dataclass
class Group:
    """A replication group."""

    id: str
    arn: str
    account: str
    region: str
    key: str  #: its name on the data plane, never used twice
    created: datetime
    options: GroupOptions
    cluster_enabled: bool
    node_groups: list[NodeGroup]
    tls: TlsMode
    access: AccessState
    status: str = CREATING
    token_date: datetime | None = None
    change: Change | None = None
    changes: int = 0  #: how many have begun, the one under way included
    deferred: Change | None = None  #: waits for the maintenance window, that is, for an ApplyImmediately
    global_id: str | None = None
    global_role: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    ever_tagged: bool = False
    history: list[Moment] = field(default_factory=list)
    cluster_views: list[dict[str, Any]] | None = field(default=None, repr=False)
    views: deque[tuple[float, dict[str, Any]]] = field(default_factory=lambda: deque(maxlen=64), repr=False)
    plane_error: str | None = None
    on_plane: bool = False
    plane_lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def pending(self) -> Change | None:
        """The change that the API shows as pending: the one under way, or else the one that waits."""
        return self.change or self.deferred

    @property
    def nodes(self) -> list[Node]:
        """All nodes, node group by node group."""
        return [node for node_group in self.node_groups for node in node_group.nodes]


@dataclass
class User:
    """A user (RBAC). The passwords are left out of ``repr``."""

    id: str
    name: str
    engine: str
    arn: str
    access_string: str
    authentication: str  #: ``password``, ``no-password`` or ``iam``, as the API shows it
    passwords: tuple[str, ...] = field(default=(), repr=False)
    status: str = ACTIVE
    tags: dict[str, str] = field(default_factory=dict)
    ever_tagged: bool = False

    def acl_user(self) -> AclUser:
        """The user as the nodes see it. An IAM user has no password there, so that none is accepted."""
        return AclUser(self.name, self.access_string, self.passwords, self.authentication == "no-password")


@dataclass
class UserGroup:
    """A user group."""

    id: str
    engine: str
    arn: str
    user_ids: tuple[str, ...]
    status: str = CREATING
    adding: tuple[str, ...] = ()
    removing: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    ever_tagged: bool = False


@dataclass
class CacheCluster:
    """A standalone cache cluster, one that is in no replication group. Its nodes have no endpoints here."""

    id: str
    arn: str
    created: datetime
    engine: str
    version: str
    node_type: str
    nodes: int
    port: int
    tls: bool
    parameter_group: str
    status: str = CREATING
    tags: dict[str, str] = field(default_factory=dict)
    ever_tagged: bool = False


@dataclass
class SubnetGroup:
    """A cache subnet group. ``subnets``: their ids, each with its availability zone."""

    id: str
    arn: str
    description: str
    vpc_id: str
    subnets: tuple[tuple[str, str], ...]
    tags: dict[str, str] = field(default_factory=dict)
    ever_tagged: bool = False


@dataclass
class ParameterGroup:
    """A cache parameter group of the user's; its parameters are those of its family."""

    id: str
    arn: str
    family: str
    description: str
    tags: dict[str, str] = field(default_factory=dict)
    ever_tagged: bool = False


@dataclass
class ServerlessCache:
    """A serverless cache: as far as needed to recognise one."""

    id: str
    arn: str
    created: datetime
    engine: str
    major_version: str
    description: str | None
    user_group_id: str | None
    status: str = CREATING
    tags: dict[str, str] = field(default_factory=dict)
    ever_tagged: bool = False


@dataclass
class GlobalGroup:
    """A global datastore: one primary and its secondaries, each in a region of its own."""

    id: str
    arn: str
    description: str
    account: str
    members: list[Group]
    status: str = "primary-only"
