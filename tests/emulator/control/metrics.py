# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The metric AuthenticationFailures, from what the nodes refused, in moto's CloudWatch; and GetMetricData's limits.

AWS publishes it by the minute, zeroes too; here it is there within a second, and only where something was refused.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import moto.cloudwatch.urls
from moto.cloudwatch.exceptions import InvalidParameterValue, ValidationError
from moto.cloudwatch.models import MetricDatum, cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from emulator.access import FailedAuth

from .paging import decode_marker, encode_marker
from .refusals import ElastiCacheError
from .world import World

NAMESPACE = "AWS/ElastiCache"
METRIC = "AuthenticationFailures"
_SECONDS = 0.5
_QUERIES = 500
_DATAPOINTS = 100_800


class Publisher:
    """Publishes, from a thread of its own, what the data plane has counted. Nothing counted costs nothing."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Publish no more."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_SECONDS):
            try:
                counts = self._world.plane.take_authentication_failures()
                if counts:
                    publish(self._world, counts)
            except Exception:
                traceback.print_exc(file=sys.stderr)


def publish(world: World, counts: Mapping[FailedAuth, int]) -> None:
    """Put the counts into CloudWatch, under CacheClusterId alone and with CacheNodeId, as AWS does."""
    with world.lock:  # reset waits for this before it empties CloudWatch
        groups = {group.key: group for store in world.stores.values() for group in store.groups.values()}
        for failed, count in counts.items():
            group = groups.get(failed.key)
            if group is None:
                continue  # deleted meanwhile
            cluster_id = group.node_groups[failed.shard].nodes[failed.position].cluster_id
            moment = datetime.fromtimestamp(failed.second, UTC).replace(tzinfo=None)  # moto's are without a zone
            cluster = {"Name": "CacheClusterId", "Value": cluster_id}
            for dimensions in ([cluster], [cluster, {"Name": "CacheNodeId", "Value": "0001"}]):
                datum = MetricDatum(NAMESPACE, METRIC, float(count), dimensions, moment, "Count")
                cloudwatch_backends[group.account][group.region].metric_data.append(datum)


class MetricsResponse(CloudWatchResponse):
    """moto's, with AWS's limits of GetMetricData: 500 queries a call, MaxDatapoints a page."""

    def get_metric_data(self) -> ActionResult:
        """A page of the data points that moto finds."""
        params = self._get_params()
        if len(params.get("MetricDataQueries", [])) > _QUERIES:
            raise ValidationError(f"The collection MetricDataQueries must not have a size greater than {_QUERIES}.")
        size = params.get("MaxDatapoints") or _DATAPOINTS
        try:
            first = int(decode_marker(params["NextToken"])) if params.get("NextToken") else 0
        except (ElastiCacheError, ValueError):
            raise InvalidParameterValue("The value of NextToken is invalid.") from None
        answer: Any = super().get_metric_data().result
        shown, seen = [], 0
        for result in answer["MetricDataResults"]:
            begin, end = max(first - seen, 0), first + size - seen
            seen += len(result["values"])
            page = {name: result[name][begin : max(end, 0)] for name in ("values", "timestamps")}
            if page["values"] or (not first and not result["values"]):
                whole = end >= len(result["values"])
                shown.append({**result, **page, "status_code": "Complete" if whole else "PartialData"})
        more = {"NextToken": encode_marker(str(first + size))} if seen > first + size else {}
        return ActionResult({"MetricDataResults": shown, **more})


def install() -> None:
    """Put these limits in the place of moto's. Once in a process."""
    moto.cloudwatch.urls.url_paths = {"{0}/$": MetricsResponse.dispatch}
