# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What is around groups: subnet groups, parameter groups, the engines' versions, events.

Functions here are called with the world's lock held.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.ec2.models import ec2_backends

from . import paging, rules
from .model import ParameterGroup, SubnetGroup
from .refusals import Refusal
from .tags import parse_tags
from .world import Store, World

Parameters = Mapping[str, Any]
Page = tuple[list[dict[str, Any]], str | None]
#: A subnet that moto's EC2 does not have is taken by its id, so that a test need not make one.
_ANY_VPC = "vpc-0123456789abcdef0"
_SOURCES = (
    *("cache-cluster", "cache-parameter-group", "cache-security-group", "cache-subnet-group", "replication-group"),
    *("serverless-cache", "serverless-cache-snapshot", "user", "user-group"),
)
_EVENTS_KEPT = timedelta(days=14)


def _paged(shown: Iterable[dict[str, Any]], member: str, parameters: Parameters) -> Page:
    return paging.page(
        shown, lambda one: str(one[member]), marker=parameters.get("Marker"), max_records=parameters.get("MaxRecords")
    )


# --- Subnet groups --------------------------------------------------------------------------------------------------


def _subnets(store: Store, identifiers: Sequence[str]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The VPC of the subnets, and each with its availability zone."""
    if not identifiers:
        raise Refusal.MISSING.error(name="SubnetIds")
    known = {subnet.id: subnet for subnet in ec2_backends[store.account][store.region].describe_subnets()}
    found = [known.get(identifier) for identifier in identifiers]
    vpcs = {subnet.vpc_id if subnet else _ANY_VPC for subnet in found}
    if len(vpcs) > 1:
        raise Refusal.INVALID_VALUE.error(name="SubnetIds")
    zones = [subnet.availability_zone if subnet else f"{store.region}a" for subnet in found]
    return vpcs.pop(), tuple(zip(identifiers, zones, strict=True))


def _shown_subnet_group(group: SubnetGroup) -> dict[str, Any]:
    return {
        "CacheSubnetGroupName": group.id,
        "CacheSubnetGroupDescription": group.description,
        "VpcId": group.vpc_id,
        "Subnets": [
            {
                "SubnetIdentifier": identifier,
                "SubnetAvailabilityZone": {"Name": zone},
                "SupportedNetworkTypes": ["ipv4"],
            }
            for identifier, zone in group.subnets
        ],
        "ARN": group.arn,
        "SupportedNetworkTypes": ["ipv4"],
    }


def create_subnet_group(world: World, store: Store, parameters: Parameters) -> dict[str, Any]:
    """CreateCacheSubnetGroup"""
    name = (parameters.get("CacheSubnetGroupName") or "").lower()
    if not name:
        raise Refusal.MISSING.error(name="CacheSubnetGroupName")
    if name in store.subnet_groups or name == "default":
        raise Refusal.SUBNET_GROUP_EXISTS.error(id=name)
    vpc_id, subnets = _subnets(store, parameters.get("SubnetIds") or [])
    tags = parse_tags(parameters.get("Tags") or [])
    description = parameters.get("CacheSubnetGroupDescription") or ""
    group = SubnetGroup(name, store.arn("subnetgroup", name), description, vpc_id, subnets, tags, bool(tags))
    store.subnet_groups[name] = group
    return _shown_subnet_group(group)


def modify_subnet_group(world: World, store: Store, parameters: Parameters) -> dict[str, Any]:
    """ModifyCacheSubnetGroup: what is not given stays."""
    group = store.subnet_group(parameters.get("CacheSubnetGroupName"))
    if parameters.get("SubnetIds"):
        group.vpc_id, group.subnets = _subnets(store, parameters["SubnetIds"])
    if parameters.get("CacheSubnetGroupDescription") is not None:
        group.description = parameters["CacheSubnetGroupDescription"]
    return _shown_subnet_group(group)


def delete_subnet_group(world: World, store: Store, parameters: Parameters) -> dict[str, Any]:
    """DeleteCacheSubnetGroup: refused while a group is in it."""
    group = store.subnet_group(parameters.get("CacheSubnetGroupName"))
    if any(one.options.subnet_group == group.id for one in store.groups.values()):
        raise Refusal.SUBNET_GROUP_IN_USE.error(id=group.id)
    del store.subnet_groups[group.id]
    return {}


def describe_subnet_groups(world: World, store: Store, parameters: Parameters) -> Page:
    """DescribeCacheSubnetGroups"""
    name = parameters.get("CacheSubnetGroupName")
    found = [store.subnet_group(name)] if name else store.subnet_groups.values()
    return _paged(map(_shown_subnet_group, found), "CacheSubnetGroupName", parameters)


# --- Parameter groups and versions ----------------------------------------------------------------------------------


def _defaults(store: Store) -> Iterable[ParameterGroup]:
    """AWS's own parameter groups: one a family, and one more for cluster mode where the family has it."""
    for family in sorted(rules.families()):
        clustered = [] if family == "redis2.8" else [".cluster.on"]
        for suffix in ["", *clustered]:
            name = f"default.{family}{suffix}"
            mode = " with cluster mode on" if suffix else ""
            yield ParameterGroup(
                name, store.arn("parametergroup", name), family, f"Default parameter group for {family}{mode}"
            )


def _shown_parameter_group(group: ParameterGroup) -> dict[str, Any]:
    return {
        "CacheParameterGroupName": group.id,
        "CacheParameterGroupFamily": group.family,
        "Description": group.description,
        "IsGlobal": False,
        "ARN": group.arn,
    }


def create_parameter_group(world: World, store: Store, parameters: Parameters) -> dict[str, Any]:
    """CreateCacheParameterGroup"""
    name = rules.check_identifier("CacheParameterGroupName", parameters.get("CacheParameterGroupName"))
    if name in store.parameter_groups:
        raise Refusal.PARAMETER_GROUP_EXISTS.error(id=name)
    family = parameters.get("CacheParameterGroupFamily") or ""
    if family not in rules.families():
        raise Refusal.INVALID_VALUE.error(name="CacheParameterGroupFamily")
    tags = parse_tags(parameters.get("Tags") or [])
    description = parameters.get("Description") or ""
    group = ParameterGroup(name, store.arn("parametergroup", name), family, description, tags, bool(tags))
    store.parameter_groups[name] = group
    return _shown_parameter_group(group)


def delete_parameter_group(world: World, store: Store, parameters: Parameters) -> dict[str, Any]:
    """DeleteCacheParameterGroup: refused of AWS's own, and while a group uses it."""
    name = parameters.get("CacheParameterGroupName") or ""
    if name.lower().startswith("default."):
        raise Refusal.PARAMETER_GROUP_FIXED.error()
    group = store.parameter_group(name)
    if any(one.options.parameter_group == group.id for one in store.groups.values()):
        raise Refusal.PARAMETER_GROUP_IN_USE.error(id=group.id)
    del store.parameter_groups[group.id]
    return {}


def describe_parameter_groups(world: World, store: Store, parameters: Parameters) -> Page:
    """DescribeCacheParameterGroups: AWS's own and the user's."""
    found = [*_defaults(store), *store.parameter_groups.values()]
    name = parameters.get("CacheParameterGroupName")
    if name:
        found = [group for group in found if group.id == name.lower()]
        if not found:
            raise Refusal.NO_PARAMETER_GROUP.error(id=name)
    return _paged(map(_shown_parameter_group, found), "CacheParameterGroupName", parameters)


def describe_engine_versions(world: World, store: Store, parameters: Parameters) -> Page:
    """DescribeCacheEngineVersions: those that a group can be created with."""
    asked = parameters.get("Engine")
    engines = [rules.check_engine(asked)] if asked else list(rules.ENGINE_VERSIONS)
    wanted, family = parameters.get("EngineVersion"), parameters.get("CacheParameterGroupFamily")
    shown = []
    for engine in engines:
        offered = [(version, full) for version, full in rules.ENGINE_VERSIONS[engine].items() if "x" not in version]
        of_family = [one for one in offered if family in (None, rules.parameter_family(engine, one[1]))]
        default = rules.DEFAULT_VERSIONS[engine]
        if parameters.get("DefaultOnly"):
            newest = max(of_family, key=lambda one: rules.parse_version(one[1]), default=None)
            of_family = [one for one in of_family if one == newest or one[0] == default]
            of_family = [one for one in of_family if one[0] == default] or of_family
        shown += [
            {
                "Engine": engine,
                "EngineVersion": version,
                "CacheParameterGroupFamily": rules.parameter_family(engine, full),
                "CacheEngineDescription": {"redis": "Redis", "valkey": "Valkey"}[engine],
                "CacheEngineVersionDescription": f"{engine} version {full}",
            }
            for version, full in of_family
            if wanted in (None, version, full)
        ]
    keyed = {f"{one['Engine']} {number:04}": one for number, one in enumerate(shown)}
    chosen, marker = paging.page(keyed, str, marker=parameters.get("Marker"), max_records=parameters.get("MaxRecords"))
    return [keyed[key] for key in chosen], marker


# --- Events ---------------------------------------------------------------------------------------------------------


def describe_events(world: World, store: Store, parameters: Parameters) -> Page:
    """DescribeEvents: of replication groups, which have a history here; of the last hour unless told otherwise.

    The words are ours. No token is among what a history tells of a cause.
    """
    kind, identifier = parameters.get("SourceType"), (parameters.get("SourceIdentifier") or "").lower()
    if kind is not None and kind not in _SOURCES:
        raise Refusal.INVALID_VALUE.error(name="SourceType")
    if identifier and kind is None:
        raise Refusal.MISSING.error(name="SourceType")
    begin, end = _period(parameters)
    events = {}
    for group in store.groups.values() if kind in (None, "replication-group") else ():
        if identifier in ("", group.id):
            for number, moment in enumerate(group.history):
                date = datetime.fromtimestamp(moment.time, UTC)
                if begin <= date <= end:
                    events[f"{moment.time:020.6f} {group.id} {number:06}"] = {
                        "SourceIdentifier": group.id,
                        "SourceType": "replication-group",
                        "Message": f"Replication group {group.id}: {moment.cause} ({moment.status})",
                        "Date": date,
                    }
    chosen, marker = paging.page(events, str, marker=parameters.get("Marker"), max_records=parameters.get("MaxRecords"))
    return [events[key] for key in chosen], marker


def _period(parameters: Parameters) -> tuple[datetime, datetime]:
    begin, end, minutes = (parameters.get(name) for name in ("StartTime", "EndTime", "Duration"))
    present = datetime.now(UTC)
    if begin is not None and minutes is not None and end is not None:
        raise Refusal.COMBINATION.error(why="Duration can't be combined with both StartTime and EndTime.")
    span = timedelta(minutes=minutes if minutes is not None else 60)
    last = _moment(end) if end is not None else (_moment(begin) + span if begin is not None else present)
    first = _moment(begin) if begin is not None else last - span
    if first > last or first < present - _EVENTS_KEPT - timedelta(minutes=1):
        raise Refusal.INVALID_VALUE.error(name="StartTime")
    return first, last


def _moment(given: Any) -> datetime:
    moment = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
