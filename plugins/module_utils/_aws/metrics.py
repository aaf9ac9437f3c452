# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What CloudWatch counts of a node's clients.

Metric: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html; limits: the API reference of
GetMetricData.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterable
from typing import Any

from .._fan_out import fan_out
from .clients import Clients

#: Queries that one GetMetricData call takes.
QUERIES = 500
#: Data points that one page of it holds.
DATAPOINTS = 100_800


def authentication_failures(
    clients: Clients,
    cache_cluster_ids: Iterable[str],
    *,
    begin: int,
    end: int,
    period: int,
    within: float | None = None,
) -> dict[str, int]:
    """Return how often each cache cluster refused a credential in the periods from ``begin`` on and before ``end``.

    ``begin`` and ``end``: seconds since the epoch, multiples of ``period`` (seconds). Throttling is ridden out
    ``within`` so many seconds a call. Raises botocore's exceptions.
    """
    wanted = list(dict.fromkeys(cache_cluster_ids))
    chunks = [tuple(wanted[first : first + QUERIES]) for first in range(0, len(wanted), QUERIES)]
    counts: dict[str, int] = {}
    read = functools.partial(_read, clients, begin=begin, end=end, period=period, within=within)
    for result in fan_out(chunks, read).values():
        if isinstance(result, Exception):
            raise result
        counts |= result
    return counts


def _read(
    clients: Clients, cache_cluster_ids: tuple[str, ...], *, begin: int, end: int, period: int, within: float | None
) -> dict[str, int]:
    # An id of a query has to begin with a lower-case letter and holds no hyphens.
    named = {f"m{number}": cluster_id for number, cluster_id in enumerate(cache_cluster_ids)}
    call = functools.partial(
        clients.metrics.get_metric_data,
        MetricDataQueries=[_query(name, cluster_id, period) for name, cluster_id in named.items()],
        # The period before is asked for too, and left out below: right at the start there is none to ask for yet.
        StartTime=_moment(begin - period),
        EndTime=_moment(end),
        MaxDatapoints=DATAPOINTS,
    )
    counts = dict.fromkeys(cache_cluster_ids, 0)
    following = call
    while True:
        page = clients.patiently(following, within=within)
        for result in page["MetricDataResults"]:
            counts[named[result["Id"]]] += sum(
                round(value)
                for moment, value in zip(result["Timestamps"], result["Values"], strict=True)
                if moment.timestamp() >= begin
            )
        if not page.get("NextToken"):
            return counts
        following = functools.partial(call, NextToken=page["NextToken"])


def _query(name: str, cache_cluster_id: str, period: int) -> dict[str, Any]:
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/ElastiCache",
                "MetricName": "AuthenticationFailures",
                "Dimensions": [{"Name": "CacheClusterId", "Value": cache_cluster_id}],
            },
            "Period": period,
            "Stat": "Sum",
        },
    }


def _moment(seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
