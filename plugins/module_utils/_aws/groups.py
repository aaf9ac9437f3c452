# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Replication groups as the API shows them, one typed function a call.

Members: botocore's service model ``elasticache/2015-02-02``; what they hide: elasticache-facts §2.
"""

from __future__ import annotations

import datetime
import functools
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .._core.errors import AuthError
from .._core.evidence import Api
from .._core.nodes import Node
from .._fan_out import fan_out
from .clients import Clients
from .errors import Kind, classify, explain

#: Up to this many groups are described one by one; for more a sweep over all pages costs fewer calls, unless the region
#: is known to have more pages than groups are wanted.
DESCRIBE_SINGLY = 5
_PAGE = 100
#: For so long a look at all groups counts where each is about to be changed; longer where it takes many pages, so that
#: these looks take three calls a second. Seconds, and seconds a page.
_LOOK_COUNTS_FOR, _LOOK_PER_PAGE = 2.0, 0.5

OFF, PREFERRED, REQUIRED = "off", "preferred", "required"


@dataclass(frozen=True)
class Group:
    """What DescribeReplicationGroups shows of one group."""

    id: str
    arn: str
    status: str
    auth_token_enabled: bool
    token_date: str | None
    user_group_ids: tuple[str, ...]
    tls: str
    engine: str
    cluster_enabled: bool
    nodes: tuple[Node, ...]
    node_group_statuses: tuple[str, ...]
    pending_token: str = ""
    pending_user_groups: bool = False
    global_role: str = ""
    global_id: str = ""
    created: datetime.datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def settled(self) -> bool:
        """Whether nothing is under way (elasticache-facts §4): status, token, user groups, node groups."""
        return not self.pending

    @property
    def pending(self) -> str:
        """What is still under way, in words; empty where nothing is."""
        parts = []
        if self.status != "available":
            parts.append(f"its status is {self.status}")
        if self.pending_token:
            parts.append(f"its token is {self.pending_token}")
        if self.pending_user_groups:
            parts.append("its user groups are changing")
        others = sorted({status for status in self.node_group_statuses if status != "available"})
        if others and not parts:
            parts.append(f"a node group is {', '.join(others)}")
        return ", ".join(parts)

    def changed_since(self, before: Group) -> str:
        """What of its access control, or of what is under way, differs from ``before``, in words; empty: nothing."""
        if self.pending and self.pending != before.pending:
            return self.pending
        if self.token_date != before.token_date:
            return f"its AUTH token was changed at {self.token_date}"
        if self.auth_token_enabled != before.auth_token_enabled:
            return f"its AUTH token is {'enabled' if self.auth_token_enabled else 'not enabled'}"
        if set(self.user_group_ids) != set(before.user_group_ids):
            return f"its user groups are {', '.join(self.user_group_ids) or 'none'}"
        if self.tls != before.tls:
            return f"its encryption in transit is {self.tls}"
        return "" if self.arn == before.arn and self.created == before.created else "it is another group of the same id"

    @property
    def is_secondary(self) -> bool:
        """Whether it is a secondary of a global datastore, whose access control is its primary's."""
        return self.global_role.lower() == "secondary"

    @property
    def api(self) -> Api:
        """This as evidence for the core."""
        return Api(self.auth_token_enabled, self.user_group_ids, self.token_date)


def parse(raw: Mapping[str, Any]) -> Group:
    """Return the group that a member of DescribeReplicationGroups' answer describes."""
    pending = raw.get("PendingModifiedValues") or {}
    groups = pending.get("UserGroups") or {}
    tls = (raw.get("TransitEncryptionMode") or REQUIRED) if raw.get("TransitEncryptionEnabled") else OFF
    date = raw.get("AuthTokenLastModifiedDate")
    datastore = raw.get("GlobalReplicationGroupInfo") or {}
    return Group(
        id=raw["ReplicationGroupId"],
        arn=raw.get("ARN", ""),
        status=raw.get("Status", ""),
        auth_token_enabled=bool(raw.get("AuthTokenEnabled")),
        token_date=date.astimezone(datetime.timezone.utc).isoformat() if date else None,
        user_group_ids=tuple(raw.get("UserGroupIds") or ()),
        tls=tls,
        engine=(raw.get("Engine") or "redis").lower(),
        cluster_enabled=bool(raw.get("ClusterEnabled")),
        nodes=tuple(_nodes(raw)),
        node_group_statuses=tuple(group.get("Status", "") for group in raw.get("NodeGroups") or ()),
        pending_token=pending.get("AuthTokenStatus") or "",
        pending_user_groups=bool(groups.get("UserGroupIdsToAdd") or groups.get("UserGroupIdsToRemove")),
        global_role=datastore.get("GlobalReplicationGroupMemberRole") or "",
        global_id=datastore.get("GlobalReplicationGroupId") or "",
        created=raw.get("ReplicationGroupCreateTime"),
        raw=raw,
    )


def _nodes(raw: Mapping[str, Any]) -> Iterator[Node]:
    for group in raw.get("NodeGroups") or ():
        for member in group.get("NodeGroupMembers") or ():
            endpoint = member.get("ReadEndpoint") or {}
            yield Node(
                member["CacheClusterId"],
                group.get("NodeGroupId", ""),
                endpoint.get("Address"),
                endpoint.get("Port"),
                member.get("CurrentRole", ""),
            )


def describe_groups(
    clients: Clients, ids: Iterable[str], *, within: float | None = None, oldest: float | None = None
) -> dict[str, Group]:
    """Return the groups with these ids that exist; throttling is ridden out ``within`` so many seconds a call.

    ``oldest``: what another part of the clients has seen since then (of ``time.monotonic``) will do, otherwise only
    what is seen from now on. Raises botocore's exceptions.
    """
    wanted = list(dict.fromkeys(ids))
    known, begun = clients.known, time.monotonic()
    oldest = begun if oldest is None else oldest
    swept = known.groups.have(oldest)
    if swept is None and are_swept(clients, len(wanted)):
        swept = known.groups.get(oldest, lambda: {group.id: group for group in sweep_groups(clients, within=within)})
    if swept is not None:
        return {key: swept[key] for key in wanted if key in swept}
    results = fan_out(wanted, lambda key: _describe_one(clients, key, within))
    for result in results.values():
        if isinstance(result, Exception):
            raise result
    found = {key: group for key, group in results.items() if isinstance(group, Group)}
    known.groups.amend(begun, found)
    return found


class ChangedSince(AuthError):
    """The group is not as it was when the call on it was decided upon, so that the call was not made."""


def check_unchanged(clients: Clients, seen: Group, *, since: float = float("-inf")) -> None:
    """Raise :class:`ChangedSince` unless the group is as it was ``seen``; to be called right before a call on it.

    One of a few groups that are changed side by side is described now. For many a look at all groups of the region
    serves whoever comes within :func:`look_counts_for` seconds, if it is not from before ``since`` (of
    ``time.monotonic()``). AWS offers no conditional change, so that what changes after the look goes unseen.
    Raises :class:`AuthError` where AWS can't be asked: that is no answer.
    """
    try:
        if are_swept(clients, clients.concurrent_groups):
            found = clients.known.groups.lately(
                look_counts_for(clients), lambda: {group.id: group for group in sweep_groups(clients)}, since=since
            )
        else:
            found = describe_groups(clients, [seen.id])
    except Exception as error:
        text = explain(error, "elasticache:DescribeReplicationGroups", clients.region)
        raise AuthError(f"{seen.id}: it could not be looked at again before it is changed. {text}") from error
    now = found.get(seen.id)
    changed = "there is no such group any more" if now is None else now.changed_since(seen)
    if changed:
        raise ChangedSince(f"{seen.id}: {changed}, other than when the call on it was decided upon.")


def look_counts_for(clients: Clients) -> float:
    """Return for how many seconds a look at all groups of the region counts, from its beginning."""
    return max(_LOOK_COUNTS_FOR, clients.known.pages * _LOOK_PER_PAGE)


def are_swept(clients: Clients, number: int) -> bool:
    """Whether so many groups are described by going through all of the region, and not one by one."""
    return number > max(DESCRIBE_SINGLY, clients.known.pages)


def sweep_groups(clients: Clients, *, within: float | None = None) -> Iterator[Group]:
    """Yield every group of the region, a page of 100 a call. Raises botocore's exceptions."""
    known = clients.known

    def pages() -> Iterator[dict[str, Any]]:
        for number, page in enumerate(_pages(clients, clients.repeatable.describe_replication_groups, within), 1):
            known.pages = max(known.pages, number)
            yield page

    if known.detailed:
        for page in pages():
            yield from map(parse, page["ReplicationGroups"])
        return
    yield from known.repeated.pages(pages(), lambda raw: replace(parse(raw), raw={}), "ReplicationGroups")


def _describe_one(clients: Clients, key: str, within: float | None) -> Group | None:
    describe = clients.repeatable.describe_replication_groups
    try:
        answer = clients.patiently(lambda: describe(ReplicationGroupId=key), within=within)
    except Exception as error:
        if classify(error) is Kind.NOT_FOUND:
            return None
        raise
    return parse(answer["ReplicationGroups"][0])


def describe_members(clients: Clients, groups: Iterable[Group], *, all_nodes: bool) -> dict[str, dict[str, Any]]:
    """Return the cache clusters of these groups by id: all of them, or of each group the first.

    They alone tell the engine's version, and the endpoints of a group in cluster mode (elasticache-facts §2).
    Raises :class:`AuthError`.
    """
    try:
        return _members(clients, groups, all_nodes=all_nodes)
    except Exception as error:
        raise AuthError(explain(error, "elasticache:DescribeCacheClusters", clients.region)) from error


def _members(clients: Clients, groups: Iterable[Group], *, all_nodes: bool) -> dict[str, dict[str, Any]]:
    wanted = {node.cache_cluster_id for group in groups for node in (group.nodes if all_nodes else group.nodes[:1])}
    if not wanted:
        return {}
    describe = clients.repeatable.describe_cache_clusters
    if len(wanted) <= 2 * DESCRIBE_SINGLY:
        answers = fan_out(
            sorted(wanted),
            lambda key: clients.patiently(lambda: describe(CacheClusterId=key, ShowCacheNodeInfo=True)),
        )
        found = [cluster for answer in answers.values() for cluster in _existing(answer)]
    else:
        found = [
            cluster for page in _pages(clients, describe, ShowCacheNodeInfo=True) for cluster in page["CacheClusters"]
        ]
    return {cluster["CacheClusterId"]: cluster for cluster in found if cluster["CacheClusterId"] in wanted}


def _existing(answer: Any) -> list[dict[str, Any]]:
    if isinstance(answer, Exception):
        if classify(answer) is Kind.NOT_FOUND:
            return []
        raise answer
    return list(answer["CacheClusters"])


def with_endpoints(group: Group, members: Mapping[str, Mapping[str, Any]]) -> tuple[Node, ...]:
    """Return the group's nodes, those without an endpoint completed from their cache cluster."""
    nodes = []
    for node in group.nodes:
        if node.host is None:
            infos = members.get(node.cache_cluster_id, {}).get("CacheNodes") or [{}]
            endpoint = infos[0].get("Endpoint") or {}
            node = Node(
                node.cache_cluster_id, node.node_group_id, endpoint.get("Address"), endpoint.get("Port"), node.role
            )
        nodes.append(node)
    return tuple(nodes)


def explain_missing(clients: Clients, key: str) -> str:
    """Return why there is no replication group ``key``: what else carries the name, or where to look."""
    try:
        caches = clients.repeatable.describe_serverless_caches(ServerlessCacheName=key).get("ServerlessCaches")
        if caches:
            return (
                f"{key}: it is a serverless cache, and those have no AUTH token: their access control is RBAC only. "
                "Leave it out of replication_group_ids."
            )
    except Exception as error:  # pylint: disable=broad-exception-caught
        if classify(error) is not Kind.NOT_FOUND:
            return f"{key}: not found. {explain(error, 'elasticache:DescribeServerlessCaches', clients.region)}"
    try:
        if clients.repeatable.describe_cache_clusters(CacheClusterId=key).get("CacheClusters"):
            return (
                f"{key}: it is a cache cluster, not a replication group, and AUTH needs a replication group. "
                "Give the id of its replication group, or make a group with a single node in its place."
            )
    except Exception as error:  # pylint: disable=broad-exception-caught
        if classify(error) is not Kind.NOT_FOUND:
            return f"{key}: not found. {explain(error, 'elasticache:DescribeCacheClusters', clients.region)}"
    return (
        f"{key}: there is no replication group of this id in {clients.region}. "
        "Check replication_group_ids, region and the account of the credentials."
    )


def require_all(clients: Clients, ids: Iterable[str], *, oldest: float | None = None) -> dict[str, Group | AuthError]:
    """Describe the groups, as :func:`describe_groups` does; an id without one gets the error that explains it.

    Raises :class:`AuthError`.
    """
    wanted = list(dict.fromkeys(ids))
    try:
        found = describe_groups(clients, wanted, oldest=oldest)
    except Exception as error:
        raise AuthError(explain(error, "elasticache:DescribeReplicationGroups", clients.region)) from error
    missing = fan_out((key for key in wanted if key not in found), lambda key: explain_missing(clients, key))
    return {key: found[key] if key in found else AuthError(str(missing[key])) for key in wanted}


def _pages(clients: Clients, call: Any, within: float | None = None, **parameters: Any) -> Iterator[dict[str, Any]]:
    following = functools.partial(call, MaxRecords=_PAGE, **parameters)
    while True:
        page = clients.patiently(following, within=within)
        yield page
        if not page.get("Marker"):
            return
        following = functools.partial(call, MaxRecords=_PAGE, Marker=page["Marker"], **parameters)
