# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What AWS shows of a replication group, each setting read in its option's own form, compared, and turned into members.

Pure: no call, no clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._core.one_line import one_line
from .groups import Group

#: The engines' numbers never overlap: Redis OSS ends with 7.1, Valkey begins with 7.2.
_FIRST_VALKEY = (7, 2)


@dataclass(frozen=True)
class Shown:
    """What AWS shows of a group: itself, its first member (DescribeCacheClusters), its tags (``None``: not read)."""

    group: Group
    member: Mapping[str, Any] = field(default_factory=dict, repr=False)
    tags: Mapping[str, str] | None = None

    @property
    def raw(self) -> Mapping[str, Any]:
        """The group's members, by AWS's names."""
        return self.group.raw

    @property
    def waiting(self) -> Mapping[str, Any]:
        """What waits for the maintenance window, by AWS's names."""
        return self.member.get("PendingModifiedValues") or {}


def version_of(text: str) -> tuple[int, ...]:
    """Return the numbers of a version up to a placeholder, ``6.x`` being (6,)."""
    parts = re.match(r"\d+(\.\d+)*", text.strip())
    return tuple(map(int, parts.group().split("."))) if parts else ()


def same_version(wanted: str, current: str | None) -> bool:
    """Whether ``current`` is the wanted version, as far as that names it: AWS chooses the patch."""
    goal, now = version_of(wanted), version_of(current or "")
    return bool(goal) and now[: len(goal)] == goal


def older(wanted: str, current: str | None) -> str:
    """Say why a version can't be had that is older than the one in use (a ``refuse``, see :mod:`.settings`)."""
    if version_of(wanted) < version_of(current or "")[: len(version_of(wanted))]:
        return (
            "AWS has no way back to an older version: name the version in use, or restore a snapshot into a new group."
        )
    return ""


def text_same(wanted: str, current: str | None) -> bool:
    """Whether two texts are the same but for case and surrounding spaces."""
    return wanted.strip().casefold() == (current or "").casefold()


def set_same(wanted: Iterable[str], current: Iterable[str]) -> bool:
    """Whether two lists hold the same, in whatever order."""
    return set(wanted) == set(current)


def not_none_left(wanted: Iterable[str], _current: Any) -> str:
    """Say why a list can't be emptied."""
    return "" if list(wanted) else "AWS can't take the last one away: name at least one."


def key_same(wanted: str, current: str | None) -> bool:
    """An alias stands for a key that ElastiCache doesn't tell; a key is told by its id or its ARN."""
    alias = wanted.startswith("alias/") or ":alias/" in wanted
    return (alias and bool(current)) or wanted.rsplit("/", 1)[-1] == (current or "").rsplit("/", 1)[-1]


def on(word: str) -> Callable[[Shown], bool]:
    """Return the reading of a member of the group that says enabled or disabled."""
    return lambda shown: shown.raw.get(word) in ("enabled", "enabling")


def word(on: bool) -> str:
    """Return AWS's word for on or off."""
    return "enabled" if on else "disabled"


def of_group(member: str, default: Any = None) -> Callable[[Shown], Any]:
    """Return the reading of a member of the group, ``default`` where it is missing."""
    return lambda shown: shown.raw.get(member, default)


def of_member(member: str) -> Callable[[Shown], Any]:
    """Return the reading of a member of the group's first cache cluster."""
    return lambda shown: shown.member.get(member)


def failover(shown: Shown) -> bool:
    """Return whether automatic failover is on, or is being turned on."""
    pending = (shown.raw.get("PendingModifiedValues") or {}).get("AutomaticFailoverStatus")
    return (pending or shown.raw.get("AutomaticFailover")) in ("enabled", "enabling")


def primary(shown: Shown) -> str | None:
    """Return the cache cluster that is the primary; ``None`` in cluster mode, where AWS doesn't show the roles."""
    return next((node.cache_cluster_id for node in shown.group.nodes if node.role == "primary"), None)


def no_single_primary(_wanted: str, current: str | None) -> str:
    """Say why a group in cluster mode takes no primary by name."""
    return "" if current else "In cluster mode every node group has a primary of its own: leave the option out."


def port(shown: Shown) -> int | None:
    """Return the port that clients connect to."""
    groups = shown.raw.get("NodeGroups") or [{}]
    endpoint = shown.raw.get("ConfigurationEndpoint") or groups[0].get("PrimaryEndpoint") or {}
    return endpoint.get("Port")


def replicas(shown: Shown) -> int | None:
    """Return the replicas of each node group, ``None`` where they differ."""
    counts = {len(node_group.get("NodeGroupMembers") or ()) - 1 for node_group in shown.raw.get("NodeGroups") or ()}
    return counts.pop() if len(counts) == 1 else None


def node_groups(shown: Shown) -> list[dict[str, Any]]:
    """Return the node groups, as far as node_group_configuration names what lasts."""
    return [
        {
            "node_group_id": node_group.get("NodeGroupId"),
            "slots": node_group.get("Slots"),
            "replica_count": len(node_group.get("NodeGroupMembers") or ()) - 1,
        }
        for node_group in shown.raw.get("NodeGroups") or ()
    ]


def node_groups_same(wanted: list[Mapping[str, Any]], current: list[Mapping[str, Any]]) -> bool:
    """Compare what lasts: a node group's number of replicas and its slots. Zones move when a replica takes over."""
    if len(wanted) != len(current):
        return False
    by_id = {setting["node_group_id"]: setting for setting in current}
    for place, goal in enumerate(wanted):
        now = by_id.get(goal.get("node_group_id"), current[place]) if goal.get("node_group_id") else current[place]
        if any(goal.get(name) not in (None, now[name]) for name in ("replica_count", "slots")):
            return False
    return True


_NODE_GROUP_MEMBERS = {
    "node_group_id": "NodeGroupId",
    "slots": "Slots",
    "replica_count": "ReplicaCount",
    "primary_availability_zone": "PrimaryAvailabilityZone",
    "replica_availability_zones": "ReplicaAvailabilityZones",
    "primary_outpost_arn": "PrimaryOutpostArn",
    "replica_outpost_arns": "ReplicaOutpostArns",
}


def node_group_members(wanted: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return NodeGroupConfiguration."""
    return [
        {member: node_group[name] for name, member in _NODE_GROUP_MEMBERS.items() if node_group.get(name) is not None}
        for node_group in wanted
    ]


def cluster_mode(shown: Shown) -> str:
    """Return the cluster mode, or the one that it is changing to."""
    pending = (shown.raw.get("PendingModifiedValues") or {}).get("ClusterMode")
    return str(pending or shown.raw.get("ClusterMode") or word(shown.group.cluster_enabled))


def cluster_mode_way(wanted: str, current: str) -> str:
    """Say why there is no direct way between two cluster modes."""
    if current == "enabled":
        return "AWS has no way back from cluster mode: leave the option out, or make a new group."
    if (current, wanted) == ("disabled", "enabled"):
        return (
            "AWS goes there by way of compatible: set cluster_mode: compatible, give every client a cluster-mode "
            "connection, then set enabled."
        )
    return ""


def no_way_back(wanted: str, current: str) -> str:
    """Say that AWS has no such way."""
    return f"AWS has no way from {current} to {wanted}: leave the option out, or make a new group."


def topic_gone(wanted: str, _current: Any) -> str:
    """Say how to stop notifications; AWS takes no empty topic."""
    return "" if wanted else "To stop notifications set notification_topic_status: inactive."


def topic(name: str) -> Callable[[Shown], Any]:
    """Return the reading of a member of the first cache cluster's NotificationConfiguration."""
    return lambda shown: (shown.member.get("NotificationConfiguration") or {}).get(name)


def log_deliveries(shown: Shown) -> list[dict[str, Any]]:
    """Return the log deliveries in the option's form, those that are being changed as they will be."""
    pending = (shown.raw.get("PendingModifiedValues") or {}).get("LogDeliveryConfigurations") or ()
    by_type = {
        delivery["LogType"]: delivery for delivery in (*(shown.raw.get("LogDeliveryConfigurations") or ()), *pending)
    }
    return [_log_delivery(by_type[log_type]) for log_type in sorted(by_type)]


def _log_delivery(delivery: Mapping[str, Any]) -> dict[str, Any]:
    details = delivery.get("DestinationDetails") or {}
    return {
        "log_type": delivery["LogType"],
        "destination_type": delivery.get("DestinationType"),
        "log_group": (details.get("CloudWatchLogsDetails") or {}).get("LogGroup"),
        "delivery_stream": (details.get("KinesisFirehoseDetails") or {}).get("DeliveryStream"),
        "log_format": delivery.get("LogFormat"),
    }


def log_deliveries_to_change(
    wanted: Iterable[Mapping[str, Any]], current: Iterable[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return those of the wanted log deliveries that differ. Log types that aren't named stay as they are."""
    by_type = {setting["log_type"]: setting for setting in current}

    def differs(goal: Mapping[str, Any]) -> bool:
        now = by_type.get(goal["log_type"])
        if not goal["enabled"] or now is None:
            return goal["enabled"] != (now is not None)
        return any(goal.get(name) != value for name, value in now.items())

    return [goal for goal in wanted if differs(goal)]


def log_deliveries_same(wanted: Iterable[Mapping[str, Any]], current: Iterable[Mapping[str, Any]]) -> bool:
    """Whether every wanted log delivery is there, and every unwanted one is not."""
    return not log_deliveries_to_change(wanted, current)


def log_delivery_members(wanted: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return LogDeliveryConfigurations."""
    return list(map(_log_delivery_member, wanted))


def _log_delivery_member(delivery: Mapping[str, Any]) -> dict[str, Any]:
    if not delivery["enabled"]:
        return {"LogType": delivery["log_type"], "Enabled": False}
    if delivery["destination_type"] == "cloudwatch-logs":
        details = {"CloudWatchLogsDetails": {"LogGroup": delivery["log_group"]}}
    else:
        details = {"KinesisFirehoseDetails": {"DeliveryStream": delivery["delivery_stream"]}}
    return {
        "LogType": delivery["log_type"],
        "DestinationType": delivery["destination_type"],
        "DestinationDetails": details,
        "LogFormat": delivery["log_format"],
        "Enabled": True,
    }


def log_delivery_troubles(group: Group) -> list[str]:
    """Return warnings about log deliveries that do not work: AWS says so nowhere but in the description."""
    return [
        f"{group.id}: the delivery of the {delivery['LogType']} fails: "
        f"{one_line(delivery.get('Message') or 'AWS does not say why', 500)}"
        for delivery in group.raw.get("LogDeliveryConfigurations") or ()
        if delivery.get("Status") == "error"
    ]


def version_awaited(shown: Shown, wanted: str) -> bool:
    """Whether the wanted version waits for the maintenance window."""
    return same_version(wanted, shown.waiting.get("EngineVersion"))


def engine_awaited(shown: Shown, wanted: str) -> bool:
    """Whether a version of the wanted engine waits for the maintenance window; AWS shows no more of it."""
    version = version_of(shown.waiting.get("EngineVersion") or "")
    return bool(version) and wanted == ("valkey" if version >= _FIRST_VALKEY else "redis")
