# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The whole state of the emulated ElastiCache, over all accounts and regions, and what acts on it."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from emulator.access import Access, DataPlane
from emulator.faults import FaultKind, Faults
from emulator.settings import Timing, Variants

from . import views
from .call_log import CallLog
from .changes import Change, Changes
from .model import (
    CacheCluster,
    GlobalGroup,
    Group,
    Moment,
    ParameterGroup,
    ServerlessCache,
    SubnetGroup,
    User,
    UserGroup,
)
from .permissions import Policies
from .refusals import Refusal
from .scheduler import Schedule, Scheduler
from .throttling import Throttling


@dataclass
class Store:
    """What one account has in one region. Keys are ids in lower case."""

    account: str
    region: str
    partition: str
    groups: dict[str, Group] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    user_groups: dict[str, UserGroup] = field(default_factory=dict)
    clusters: dict[str, CacheCluster] = field(default_factory=dict)
    serverless: dict[str, ServerlessCache] = field(default_factory=dict)
    subnet_groups: dict[str, SubnetGroup] = field(default_factory=dict)
    parameter_groups: dict[str, ParameterGroup] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Every account has it, and it can't be deleted.
        self.users["default"] = User(
            "default", "default", "redis", self.arn("user", "default"), "on ~* +@all", "no-password"
        )

    def arn(self, kind: str, identifier: str) -> str:
        """The ARN of a resource here."""
        return f"arn:{self.partition}:elasticache:{self.region}:{self.account}:{kind}:{identifier}"

    def group(self, identifier: str | None) -> Group:
        """The replication group, or ``ReplicationGroupNotFoundFault``."""
        group = self.groups.get((identifier or "").lower())
        if group is None:
            raise Refusal.NO_GROUP.error(id=identifier)
        return group

    def has(self, group: Group) -> bool:
        """Whether ``group`` is still there, and not another one of the same name."""
        return self.groups.get(group.id) is group

    def user(self, identifier: str | None) -> User:
        """The user, or ``UserNotFound``."""
        user = self.users.get((identifier or "").lower())
        if user is None:
            raise Refusal.NO_USER.error(id=identifier)
        return user

    def user_group(self, identifier: str | None) -> UserGroup:
        """The user group, or ``UserGroupNotFound``."""
        group = self.user_groups.get((identifier or "").lower())
        if group is None:
            raise Refusal.NO_USER_GROUP.error(id=identifier)
        return group

    def subnet_group(self, name: str | None) -> SubnetGroup:
        """The subnet group, or ``CacheSubnetGroupNotFoundFault``."""
        found = self.subnet_groups.get((name or "").lower())
        if found is None:
            raise Refusal.NO_SUBNET_GROUP.error(id=name)
        return found

    def parameter_group(self, name: str | None) -> ParameterGroup:
        """The parameter group of the user's, or ``CacheParameterGroupNotFound``."""
        found = self.parameter_groups.get((name or "").lower())
        if found is None:
            raise Refusal.NO_PARAMETER_GROUP.error(id=name)
        return found

    def groups_with(self, user_group_id: str) -> list[Group]:
        """The replication groups that a user group is attached to."""
        return [group for group in self.groups.values() if user_group_id in group.access.user_group_ids]

    def access(self, group: Group) -> Access:
        """Who is let in to a group, in the data plane's terms."""
        if not group.access.user_group_ids:
            return Access(group.access.slots)
        user_ids = {
            user_id
            for group_id in group.access.user_group_ids
            if group_id in self.user_groups
            for user_id in self.user_groups[group_id].user_ids
        }
        return Access((), tuple(self.users[user_id].acl_user() for user_id in sorted(user_ids)))


class World:
    """Everything there is. ``lock`` guards all state; the data plane is never called while it is held."""

    def __init__(
        self,
        plane: DataPlane,
        variants: Variants,
        timing: Timing,
        throttling: Throttling | None = None,
        scheduler: Schedule | None = None,
    ) -> None:
        """``scheduler``: ends the changes under way; without one, threads of its own do, in time as it passes."""
        self.lock = threading.RLock()
        self.plane = plane
        self.variants = variants
        self.timing = timing
        self.throttling = throttling or Throttling()
        self.faults = Faults()
        self.calls = CallLog()
        self.policies = Policies()
        self._scheduler = scheduler or Scheduler()
        self.changes = Changes(self._scheduler)
        self.stores: dict[tuple[str, str], Store] = {}
        self.global_groups: dict[tuple[str, str], GlobalGroup] = {}
        self._timing_at_start = timing
        self._numbers = itertools.count(1)

    def store(self, account: str, region: str, partition: str) -> Store:
        """What ``account`` has in ``region``."""
        with self.lock:
            key = (account, region)
            if key not in self.stores:
                self.stores[key] = Store(account, region, partition)
            return self.stores[key]

    def next_key(self, store: Store, group_id: str) -> str:
        """A name for a group on the data plane that was never used before."""
        return f"{store.region}-{store.account}-{group_id}-{next(self._numbers)}"

    def later(self, store: Store, action: str, identifier: str, seconds: float, finish: Callable[[], None]) -> None:
        """Have the change that ``action`` begins end in ``seconds`` by ``finish``, unless it is held or never ends."""
        change = Change(action, identifier, store.region, store.account, finish)
        change.endless = self.faults.strike(FaultKind.NEVER_ENDS, action, identifier) is not None
        self.changes.begin(change, seconds)

    def record(self, group: Group, cause: str) -> None:
        """Write down the group's state as it is now: in its history, and as the API will show it."""
        moment = time.time()
        change = group.change
        status = change.access.token_status if change and change.access else None
        seconds = change.seconds if change else None
        group.history.append(Moment(moment, cause, group.status, group.access, group.tls, status, seconds))
        group.views.append((moment, views.replication_group(group)))
        group.cluster_views = None

    def enforce(self, store: Store, group: Group) -> None:
        """Make the group's nodes let in who the state says; returns when they do. Don't hold ``lock``."""
        with group.plane_lock:
            with self.lock:
                if not (store.has(group) and group.on_plane):
                    return
                access = store.access(group)
            try:
                self.plane.set_access(group.key, access)
            except Exception as error:
                group.plane_error = type(error).__name__
                raise

    def reset(self) -> None:
        """Forget everything, end all nodes, and go back to the settings of the start."""
        with self.lock:
            groups = [group for store in self.stores.values() for group in store.groups.values()]
            self.stores.clear()
            self.global_groups.clear()
            self.faults.clear()
            self.policies.clear()
            self.variants.reset()
            self.timing = self._timing_at_start
            self.throttling.reset()
        self.changes.forget()
        self._scheduler.forget()
        on_plane = [group.key for group in groups if group.on_plane]
        if on_plane:
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(self.plane.delete_group, on_plane))
        self.calls.clear()

    def close(self) -> None:
        """End all threads. The data plane is its opener's to close."""
        self._scheduler.close()
