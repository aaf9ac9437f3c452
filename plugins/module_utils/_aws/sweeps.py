# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All of a region by the page: what costs the same number of calls whether one group is wanted or every one.

The groups themselves: :func:`.groups.sweep_groups`.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .clients import Clients
from .paging import pages_of
from .tags import by_key

_PAGE = 100

#: What GetResources calls them.
REPLICATION_GROUP, SERVERLESS_CACHE = "elasticache:replicationgroup", "elasticache:serverlesscache"


@dataclass(frozen=True)
class ServerlessCache:
    """What DescribeServerlessCaches shows of one cache. ``endpoints``: (address, port) by primary and reader."""

    name: str
    arn: str
    status: str
    engine: str
    engine_version: str | None
    user_group_ids: tuple[str, ...]
    description: str | None
    endpoints: dict[str, tuple[str, int]]
    created: datetime.datetime | None = None


def sweep_serverless(clients: Clients) -> list[ServerlessCache]:
    """Return every serverless cache of the region. Raises botocore's exceptions."""
    found = pages_of(clients, clients.repeatable.describe_serverless_caches, "NextToken")
    return [_serverless(raw) for page in found for raw in page.get("ServerlessCaches") or ()]


def _serverless(raw: dict[str, Any]) -> ServerlessCache:
    ends = {"primary": raw.get("Endpoint"), "reader": raw.get("ReaderEndpoint")}
    # "The name and version number of the engine", says the service model; it has been seen without the name too.
    version = (raw.get("FullEngineVersion") or raw.get("MajorEngineVersion") or "").split(" ")[-1]
    return ServerlessCache(
        name=raw["ServerlessCacheName"],
        arn=raw.get("ARN", ""),
        status=(raw.get("Status") or "").lower(),
        engine=(raw.get("Engine") or "redis").lower(),
        engine_version=version or None,
        user_group_ids=(raw["UserGroupId"],) if raw.get("UserGroupId") else (),
        description=raw.get("Description"),
        endpoints={name: (end["Address"], end["Port"]) for name, end in ends.items() if end and end.get("Address")},
        created=raw.get("CreateTime"),
    )


def sweep_versions(clients: Clients) -> dict[str, str]:
    """Return the engine version of every cache cluster of the region, by its id. Raises botocore's exceptions."""
    found = pages_of(clients, clients.repeatable.describe_cache_clusters, "Marker", MaxRecords=_PAGE)
    return {
        cluster["CacheClusterId"]: cluster["EngineVersion"]
        for page in found
        for cluster in page["CacheClusters"]
        if cluster.get("EngineVersion")
    }


def sweep_tags(clients: Clients, kinds: Iterable[str], *, keys: Iterable[str] = ()) -> dict[str, dict[str, str]]:
    """Return the tags of all resources of these kinds by ARN, those that were never tagged left out, and those that
    lack one of the ``keys``.

    The Resource Groups Tagging API knows them while a group is being modified too, but may be behind.
    Raises botocore's exceptions.
    """
    filters = [{"Key": key} for key in keys]
    found = pages_of(
        clients,
        clients.tagging.get_resources,
        "PaginationToken",
        ResourceTypeFilters=list(kinds),
        **({"TagFilters": filters} if filters else {}),
        ResourcesPerPage=_PAGE,
    )
    return {
        resource["ResourceARN"]: by_key(resource.get("Tags") or ())
        for page in found
        for resource in page["ResourceTagMappingList"]
    }
