# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The metric AuthenticationFailures, as CloudWatch tells it, and the age that a test gives a token."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from unit.emulator.control_support import GROUP, TOKEN_A, TOKEN_B, create, create_user_group, make_state, modify
from unit.emulator.data_plane_support import Wire
from waiting import wait_until

from emulator.access import Endpoint

pytestmark = pytest.mark.emulator(data_plane="none", modify_seconds=0.05)

both_planes = pytest.mark.parametrize(
    "plane",
    [pytest.param(kind, marks=pytest.mark.emulator(data_plane=kind)) for kind in ("light", "valkey")],
)


def knock(emulator: Any, commands: Iterable[tuple[str, ...]], group: str = GROUP, node: int = 0) -> list[str]:
    """Send commands to a node, each over a connection of its own; returns the replies."""
    address = emulator.group(group)["node_groups"][0]["nodes"][node]
    replies = []
    for command in commands:
        with Wire(Endpoint(address["host"], address["port"]), Path(emulator.ca_bundle)) as wire:
            replies.append(wire.ask(*command))
    return replies


def query(identifier: str, cluster: str, period: int = 60, *, node: bool = False) -> dict[str, Any]:
    """A member of MetricDataQueries."""
    dimensions = [{"Name": "CacheClusterId", "Value": cluster}]
    if node:
        dimensions.append({"Name": "CacheNodeId", "Value": "0001"})
    metric = {"Namespace": "AWS/ElastiCache", "MetricName": "AuthenticationFailures", "Dimensions": dimensions}
    return {"Id": identifier, "MetricStat": {"Metric": metric, "Period": period, "Stat": "Sum", "Unit": "Count"}}


def get(emulator: Any, queries: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    """GetMetricData of all that a test has published."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    begin, end = now - timedelta(minutes=30), now + timedelta(minutes=2)
    return emulator.client("cloudwatch").get_metric_data(
        MetricDataQueries=queries, StartTime=begin, EndTime=end, **options
    )


def failures(emulator: Any, cluster: str, period: int = 60, *, node: bool = False) -> float:
    """The sum that CloudWatch tells now."""
    (result,) = get(emulator, [query("q", cluster, period, node=node)])["MetricDataResults"]
    return sum(result["Values"])


def wait_for_failures(emulator: Any, cluster: str, count: int) -> None:
    """Wait until CloudWatch tells so many."""
    wait_until(lambda: failures(emulator, cluster) >= count, f"{cluster} has {count} failures")


@both_planes
def test_what_a_node_refuses_is_counted(emulator: Any, plane: str) -> None:
    create(emulator, AuthToken=TOKEN_A, NumCacheClusters=2)
    create(emulator, "other", AuthToken=TOKEN_A)
    began = time.time()
    wrong: list[tuple[str, ...]] = [("AUTH", TOKEN_B), ("AUTH", "default", TOKEN_B), ("HELLO", "3", "AUTH", "x", "y")]
    assert all(str(reply).startswith("-WRONGPASS") for reply in knock(emulator, wrong))
    assert knock(emulator, [("AUTH", TOKEN_A)]) == ["OK"]
    (refused,) = knock(emulator, [("PING",)])
    assert refused.startswith("-NOAUTH")
    knock(emulator, wrong[:1], node=1)
    wait_for_failures(emulator, f"{GROUP}-001", 3)
    wait_for_failures(emulator, f"{GROUP}-002", 1)
    # a connection that stays
    address = emulator.group(GROUP)["node_groups"][0]["nodes"][0]
    with Wire(Endpoint(address["host"], address["port"]), Path(emulator.ca_bundle)) as wire:
        wire.ask("AUTH", TOKEN_B)
        wait_for_failures(emulator, f"{GROUP}-001", 4)
        wire.ask("AUTH", TOKEN_B)
        wait_for_failures(emulator, f"{GROUP}-001", 5)
    time.sleep(2.5)  # nothing is counted twice, nor later
    assert [failures(emulator, f"{name}") for name in (f"{GROUP}-001", f"{GROUP}-002", "other-001")] == [5, 1, 0]
    assert failures(emulator, f"{GROUP}-001", period=1) == 5
    assert failures(emulator, f"{GROUP}-001", node=True) == 5
    (by_second,) = get(emulator, [query("q", f"{GROUP}-001", 1)])["MetricDataResults"]
    assert all(int(began) <= moment.timestamp() <= time.time() for moment in by_second["Timestamps"])
    assert emulator.client("cloudwatch", region="eu-west-1").list_metrics(Namespace="AWS/ElastiCache")["Metrics"] == []


@both_planes
def test_what_counts_in_each_state(emulator: Any, plane: str) -> None:
    """Nothing in open, where AUTH is answered without being judged; a wrong token in optional; a wrong password."""
    create(emulator)
    knock(emulator, [("AUTH", TOKEN_B)] * 3)
    modify(emulator, AuthToken=TOKEN_A, AuthTokenUpdateStrategy="ROTATE")  # optional
    knock(emulator, [("AUTH", TOKEN_B), ("AUTH", TOKEN_A)])
    create_user_group(emulator)
    create(emulator, "users", UserGroupIds=["ug-1"])
    assert knock(emulator, [("AUTH", TOKEN_A), ("AUTH", "default", TOKEN_A)], "users") == ["OK", "OK"]
    knock(emulator, [("AUTH", TOKEN_B), ("AUTH", "nobody", TOKEN_A)], "users")
    wait_for_failures(emulator, f"{GROUP}-001", 1)
    wait_for_failures(emulator, "users-001", 2)
    time.sleep(2.5)
    assert (failures(emulator, f"{GROUP}-001"), failures(emulator, "users-001")) == (1, 2)


@pytest.mark.emulator(data_plane="light")
def test_reset_forgets_the_failures(emulator: Any) -> None:
    create(emulator, AuthToken=TOKEN_A)
    knock(emulator, [("AUTH", TOKEN_B)] * 2)
    wait_for_failures(emulator, f"{GROUP}-001", 2)
    knock(emulator, [("AUTH", TOKEN_B)])
    emulator.reset()
    create(emulator, AuthToken=TOKEN_A)
    time.sleep(1.5)
    assert failures(emulator, f"{GROUP}-001") == 0


def put(emulator: Any, cluster: str, value: float) -> None:
    """Publish a value as ElastiCache would."""
    dimensions = [{"Name": "CacheClusterId", "Value": cluster}]
    emulator.client("cloudwatch").put_metric_data(
        Namespace="AWS/ElastiCache",
        MetricData=[
            {"MetricName": "AuthenticationFailures", "Dimensions": dimensions, "Value": value, "Unit": "Count"}
        ],
    )


def test_at_most_500_queries(emulator: Any) -> None:
    queries = [query(f"q{number}", "none") for number in range(501)]
    assert len(get(emulator, queries[:500])["MetricDataResults"]) == 500
    with pytest.raises(ClientError, match="ValidationError"):
        get(emulator, queries)


def test_pages_of_data_points(emulator: Any) -> None:
    """Every point once, whatever the size of a page."""
    for second in range(2):
        for number in range(3):
            put(emulator, f"c-{number}", 10 * number + 1)
        time.sleep(1.1 - second)
    queries = [query(f"q{number}", f"c-{number}", 1) for number in range(4)]
    whole = {item["Id"]: item["Values"] for item in get(emulator, queries)["MetricDataResults"]}
    assert whole == {"q0": [1, 1], "q1": [11, 11], "q2": [21, 21], "q3": []}
    for size in (1, 2, 3, 4, 6):
        told: dict[str, list[float]] = {}
        options: dict[str, Any] = {"MaxDatapoints": size}
        pages = 0
        while True:
            page = get(emulator, queries, **options)
            pages += 1
            assert sum(len(item["Values"]) for item in page["MetricDataResults"]) <= size
            for item in page["MetricDataResults"]:
                told.setdefault(item["Id"], []).extend(item["Values"])
            if "NextToken" not in page:
                break
            options["NextToken"] = page["NextToken"]
        assert (told, pages) == (whole, -(-6 // size))
    with pytest.raises(ClientError, match="NextToken"):
        get(emulator, queries, NextToken="!")


def described_date(emulator: Any) -> datetime:
    """What DescribeReplicationGroups says; the cache clusters have to say the same."""
    client = emulator.client("elasticache")
    date = client.describe_replication_groups()["ReplicationGroups"][0]["AuthTokenLastModifiedDate"]
    assert client.describe_cache_clusters()["CacheClusters"][0]["AuthTokenLastModifiedDate"] == date
    return date


def test_a_token_can_be_made_older(emulator: Any) -> None:
    make_state(emulator, "required")
    described_date(emulator)
    truth = emulator.admin("POST", f"groups/{GROUP}", {"token_age_days": 100})
    assert (truth["slots"], truth["status"]) == ([TOKEN_A], "available")
    age = datetime.now(UTC) - described_date(emulator)
    assert timedelta(days=100) <= age < timedelta(days=100, minutes=5)
    emulator.admin("POST", f"groups/{GROUP}", {"token_age_days": 0.5})
    assert datetime.now(UTC) - described_date(emulator) < timedelta(days=1)
    modify(emulator, AuthToken=TOKEN_B, AuthTokenUpdateStrategy="ROTATE")
    assert datetime.now(UTC) - described_date(emulator) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"token_age": 1}, "JSON object of: token_age_days"),
        ({"token_age_days": 1, "status": "available"}, "JSON object of: token_age_days"),
        ({}, "JSON object of: token_age_days"),
        ([], "JSON object of: token_age_days"),
        ({"token_age_days": -1}, "must be a number from 0"),
        ({"token_age_days": "old"}, "must be a number from 0"),
        ({"token_age_days": True}, "must be a number from 0"),
        ({"token_age_days": 1e9}, "must be a number from 0"),
    ],
)
def test_a_wrong_age_is_refused(emulator: Any, body: object, words: str) -> None:
    make_state(emulator, "required")
    before = described_date(emulator)
    with pytest.raises(ValueError, match=words):
        emulator.admin("POST", f"groups/{GROUP}", body)
    assert described_date(emulator) == before


@pytest.mark.parametrize("state", ["open", "rbac"])
def test_a_group_without_a_token_has_no_age(emulator: Any, state: str) -> None:
    make_state(emulator, state)
    with pytest.raises(ValueError, match=f"{GROUP} has no token whose age could change"):
        emulator.admin("POST", f"groups/{GROUP}", {"token_age_days": 1})
    with pytest.raises(ValueError, match="no replication group missing"):
        emulator.admin("POST", "groups/missing", {"token_age_days": 1})
