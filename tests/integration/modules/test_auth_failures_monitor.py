# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""``auth_failures_monitor``: clients that are refused, as CloudWatch counts them."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.client_wires import connected
from integration.direct import ModuleRun, calls_by_action, run
from integration.meanwhile import Once, called, meanwhile
from integration.run import run_module
from integration.scenes import GROUP, A, B, create, create_user_group, rotate, scene, set_token
from unit.emulator.data_plane_support import Wire
from waiting import PATIENCE, wait_until

from ansible_collections.elasticache.auth.plugins.module_utils._aws import metrics
from emulator.access import Endpoint

if TYPE_CHECKING:
    from conftest import Emulator


def watch(emulator: Emulator, *groups: str, check: bool = False, **options: Any) -> ModuleRun:
    """Run the module; it never changes anything."""
    args = {
        "replication_group_ids": list(groups or [GROUP]),
        "duration": 3,
        "period": 1,
        "poll_interval": 0.2,
        **options,
    }
    begun = time.time()
    ended = run(emulator, "auth_failures_monitor", args, check=check)
    calls = emulator.calls(mutating="true", since=begun)
    assert {call["action"] for call in calls} <= {"PutMetricData"}  # which is the test's
    assert not ended.changed
    return ended


def looks(emulator: Emulator) -> int:
    """How many calls of GetMetricData came in."""
    return len(emulator.calls(action="GetMetricData"))


def moved_on(emulator: Emulator, group: str = GROUP) -> None:
    """A group that accepted A, and accepts B alone."""
    scene(emulator, "rotating", group)
    set_token(emulator, B, group)


def present(emulator: Emulator, token: str, group: str = GROUP, node: int = 0, source: str = "127.0.0.1") -> str:
    """Connect as a client does; returns the node's answer."""
    address = emulator.group(group)["node_groups"][0]["nodes"][node]
    with Wire(Endpoint(address["host"], address["port"]), Path(str(emulator.ca_bundle)), source=source) as wire:
        return str(wire.ask("AUTH", token))


@contextlib.contextmanager
def client(emulator: Emulator, token: str, group: str = GROUP, source: str = "127.0.0.1") -> Iterator[list[str]]:
    """A client that connects to both nodes again and again, while the block lasts; yields the answers it gets."""
    answers: list[str] = []
    ended = threading.Event()

    def go_on() -> None:
        while not ended.wait(0.1):
            answers.extend(present(emulator, token, group, node, source) for node in (0, 1))

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield answers
    finally:
        ended.set()
        thread.join()


def begun(emulator: Emulator) -> float:
    """When the watch began: at its first look (seconds since the epoch)."""
    return float(emulator.calls(action="GetMetricData")[0]["time"])


def once_it_watches(emulator: Emulator, do: Callable[[], object]) -> list[Once]:
    """Do it in a period of one second that began after the watch did."""
    return [Once(called(emulator, "GetMetricData")), Once(lambda: time.time() >= int(begun(emulator)) + 2, do)]


def published(emulator: Emulator, member: str) -> float:
    """How many failures CloudWatch tells of a member in all."""
    now = datetime.now(UTC)
    statistics = emulator.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/ElastiCache",
        MetricName="AuthenticationFailures",
        Dimensions=[{"Name": "CacheClusterId", "Value": member}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(minutes=2),
        Period=60,
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in statistics["Datapoints"]))


def put(emulator: Emulator, member: str, value: int, moment: float) -> None:
    """Publish a count instead of ElastiCache; ``moment``: seconds since the epoch."""
    emulator.client("cloudwatch").put_metric_data(
        Namespace="AWS/ElastiCache",
        MetricData=[
            {
                "MetricName": "AuthenticationFailures",
                "Dimensions": [{"Name": "CacheClusterId", "Value": member}],
                "Timestamp": datetime.fromtimestamp(moment, UTC),
                "Value": value,
                "Unit": "Count",
            }
        ],
    )


class TestClients:
    """Real clients at real nodes."""

    @pytest.mark.parametrize(
        "plane", [pytest.param(kind, marks=pytest.mark.emulator(data_plane=kind)) for kind in ("light", "valkey")]
    )
    def test_left_on_the_old_token(self, emulator: Emulator, plane: str) -> None:
        """They are counted, those with the new one are not, and another group is watched to the end."""
        moved_on(emulator)
        moved_on(emulator, "carts")
        with client(emulator, A) as old, client(emulator, B) as new, client(emulator, B, "carts") as others:
            ended = watch(emulator, GROUP, "carts", duration=6, max_failures=3)
        assert {answer.partition(" ")[0] for answer in old} == {"-WRONGPASS"}
        assert {*new, *others} == {"OK"}
        assert ended.failed
        found, fine = ended.of(GROUP), ended.of("carts")
        assert 3 < found["authentication_failures"] <= len(old)
        assert found["failed"]
        assert found["msg"] == (
            f"{GROUP}: {found['authentication_failures']} authentication failures since monitoring began, more than "
            "the limit of 3. Clients present a credential that is not accepted, after a rotation most likely the "
            "previous token. Have that accepted again: replication_group_auth with auth_token_update_strategy: rotate "
            "and the previous token as auth_token. Then bring the clients up to date before it is dropped."
        )
        assert ended.msg == f"1 of 2 groups failed. {found['msg']}"
        assert (fine["failed"], fine["authentication_failures"]) == (False, 0)
        assert re.fullmatch(r"carts: 0 authentication failures in \d+ s, limit 3\.", fine["msg"])
        assert found["duration"] < fine["duration"]
        assert fine["duration"] >= 6

    @pytest.mark.parametrize(
        "plane", [pytest.param(kind, marks=pytest.mark.emulator(data_plane=kind)) for kind in ("light", "valkey")]
    )
    def test_they_are_named_where_a_token_is_at_hand(self, emulator: Emulator, plane: str) -> None:
        """With the library of another connection from there; what came before the watch is not told."""
        moved_on(emulator)
        with connected(emulator, "127.0.3.17", B, ("jedis", "5.1.2")):
            present(emulator, A, source="127.0.9.9")
            with client(emulator, A, source="127.0.3.17") as old:
                ended = watch(emulator, duration=6, max_failures=3, auth_token=B, data_plane_ca_path=emulator.ca_bundle)
        found = ended.of(GROUP)
        (row,) = found["refused_clients"]
        assert 1 <= row.pop("refused") <= len(old)
        assert row == {"address": "127.0.3.17", "user": "default", "library": "jedis", "library_version": "5.1.2"}
        assert "more than the limit of 3. Its nodes refused 127.0.3.17 (jedis 5.1.2) x" in found["msg"]
        assert found["nodes_unheard"] is None

    def test_nodes_that_do_not_say_are_named_and_fail_nothing(self, emulator: Emulator) -> None:
        moved_on(emulator)
        ended = watch(emulator, auth_token=A, data_plane_ca_path=emulator.ca_bundle)
        assert not ended.failed, ended.msg
        assert ended.of(GROUP)["refused_clients"] == []
        unheard = ended.of(GROUP)["nodes_unheard"]
        assert unheard == f"2 of 2 nodes could not be asked ({GROUP}-001: it accepts none of the credentials at hand)"
        assert unheard in ended.msg
        assert ended.of(GROUP)["authentication_failures"] <= 2  # they are not asked again and again

    def test_the_message_says_what_helps(self, emulator: Emulator) -> None:
        """With the previous token accepted again, nobody is refused."""
        moved_on(emulator)
        with client(emulator, A):
            assert watch(emulator, max_failures=0).failed
        rotate(emulator, A)
        with client(emulator, A) as old, client(emulator, B) as new:
            wait_until(lambda: len(old) > 10 and len(new) > 10, "the clients connected some times")
            ended = watch(emulator, max_failures=0)
        assert not ended.failed, ended.msg
        assert {*old, *new} == {"OK"}

    def test_it_ends_when_no_group_is_left(self, emulator: Emulator) -> None:
        moved_on(emulator)
        moved_on(emulator, "carts")
        with client(emulator, A), client(emulator, A, "carts"):
            ended = watch(emulator, GROUP, "carts", duration=300, max_failures=0)
        assert ended.of(GROUP)["failed"]
        assert ended.of("carts")["failed"]
        assert max(ended.of(name)["duration"] for name in (GROUP, "carts")) < 300

    def test_as_many_as_tolerated(self, emulator: Emulator) -> None:
        """The limit itself is not too many; what came before the watch does not count."""
        moved_on(emulator)
        for dummy in range(5):
            present(emulator, A)
        wait_until(lambda: published(emulator, f"{GROUP}-001") >= 5, "what was refused before is told")
        with meanwhile(*once_it_watches(emulator, lambda: [present(emulator, A, node=node) for node in (0, 1, 1)])):
            ended = watch(emulator, duration=10, max_failures=3)
        assert not ended.failed, ended.msg
        assert ended.of(GROUP)["authentication_failures"] == 3
        assert re.fullmatch(rf"{GROUP}: 3 authentication failures in \d+ s, limit 3\.", ended.msg)

    def test_one_is_too_many(self, emulator: Emulator) -> None:
        moved_on(emulator)
        with meanwhile(*once_it_watches(emulator, lambda: present(emulator, A))):
            ended = watch(emulator, duration=PATIENCE, max_failures=0, continue_on_error=True)
        assert not ended.failed
        assert ended.of(GROUP)["failed"]
        assert ended.of(GROUP)["msg"].startswith(f"{GROUP}: 1 authentication failure since monitoring began")

    def test_wrong_passwords_of_users(self, emulator: Emulator) -> None:
        create_user_group(emulator)
        create(emulator, UserGroupIds=["ug-1"])
        with client(emulator, B):
            assert watch(emulator, duration=PATIENCE, max_failures=2).failed


@pytest.mark.emulator(data_plane="none")
class TestWhatCounts:
    """Counts published instead of ElastiCache, so that each has its second."""

    def test_many_nodes_and_pages(self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        """Members over several calls, and their points over several pages, are summed by group."""
        monkeypatch.setattr(metrics, "QUERIES", 2)
        monkeypatch.setattr(metrics, "DATAPOINTS", 2)
        names = ("one", "two", "three")
        for name in names:
            create(emulator, name, NumCacheClusters=3)

        def publish() -> None:
            now = begun(emulator)
            for number, name in enumerate(names):
                for member in (1, 2, 3):
                    for ahead in (2, 3, 4):
                        put(emulator, f"{name}-{member:03}", 10**number, now + ahead)
                    put(emulator, f"{name}-{member:03}", 5000, now - 3)
            put(emulator, "stranger-001", 5000, now + 3)

        with meanwhile(Once(called(emulator, "GetMetricData"), publish)):
            ended = watch(emulator, *names, duration=10, max_failures=5000, poll_interval=20)
        assert not ended.failed, ended.msg
        assert {name: ended.of(name)["authentication_failures"] for name in names} == {
            "one": 9,
            "two": 90,
            "three": 900,
        }

    def test_calls(self, emulator: Emulator) -> None:
        """A look at the beginning and one at the end, each one call for all groups."""
        names = [f"g-{number}" for number in range(20)]
        for name in names:
            create(emulator, name, wait=False)
        for name in names:
            emulator.wait_available(name)
        known = len(emulator.calls())
        assert not watch(emulator, *names, duration=1, poll_interval=20).failed
        assert calls_by_action(emulator.calls()[known:]) == {"GetMetricData": 2, "DescribeReplicationGroups": 1}

    def test_only_periods_that_begin_in_the_watch(self, emulator: Emulator) -> None:
        """What the period under way at the start has counted may have been before."""
        create(emulator)
        while time.time() % 5 > 2:
            time.sleep(0.05)

        # With the watch beginning early in a period, its first look is in that period, too.
        wait_until(lambda: time.time() % 5 < 2, "a period has just begun")

        def publish() -> None:
            period = begun(emulator) // 5 * 5
            put(emulator, f"{GROUP}-001", 100, period)
            put(emulator, f"{GROUP}-001", 100, period + 4.9)
            put(emulator, f"{GROUP}-001", 7, period + 5)
            put(emulator, f"{GROUP}-002", 7, period + 6)

        with meanwhile(Once(called(emulator, "GetMetricData"), publish)):
            ended = watch(emulator, period=5, duration=11, max_failures=14)
        assert not ended.failed, ended.msg
        assert ended.of(GROUP)["authentication_failures"] == 14

    def test_a_failure_in_the_last_pause_counts(self, emulator: Emulator) -> None:
        create(emulator)
        publish = Once(
            called(emulator, "GetMetricData"), lambda: put(emulator, f"{GROUP}-001", 30, begun(emulator) + 3)
        )
        with meanwhile(publish):
            ended = watch(emulator, duration=8, poll_interval=60)
        assert ended.of(GROUP)["authentication_failures"] == 30
        assert ended.failed  # above the 20 that are tolerated unless told otherwise


@pytest.mark.emulator(data_plane="none")
class TestOtherEnds:
    """Missing groups, check mode, wrong options, and AWS's failures."""

    def test_a_missing_group(self, emulator: Emulator) -> None:
        """It fails by itself, and the other is watched to the end."""
        create(emulator)
        ended = watch(emulator, "missing", GROUP, duration=2)
        assert ended.failed
        assert ended.of("missing")["msg"].startswith("missing: there is no replication group of this id in us-east-1.")
        assert ended.of("missing")["authentication_failures"] is None
        assert (ended.of(GROUP)["failed"], ended.of(GROUP)["authentication_failures"]) == (False, 0)
        assert ended.of(GROUP)["duration"] >= 2

    def test_nothing_to_watch(self, emulator: Emulator) -> None:
        """It ends at once where no group is there."""
        ended = watch(emulator, "missing", duration=3600)
        assert ended.failed
        assert looks(emulator) == 0

    def test_check_mode(self, emulator: Emulator) -> None:
        create(emulator)
        ended = watch(emulator, GROUP, "missing", duration=3600, check=True, continue_on_error=True)
        assert ended.of(GROUP)["msg"] == f"{GROUP}: would be monitored for 3600 s."
        assert ended.of(GROUP)["authentication_failures"] is None
        assert ended.of("missing")["failed"]
        assert looks(emulator) == 0

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"duration": 0}, r"duration: 0\.0 is not possible; give seconds above 0\."),
            ({"duration": -3}, r"duration: -3\.0 is not possible"),
            ({"duration": "nan"}, r"duration: nan is not possible"),
            ({"duration": "inf"}, r"duration: inf is not possible"),
            ({"duration": None}, r"missing required arguments: duration|duration"),
            ({"duration": "soon"}, r"duration"),
            ({"poll_interval": 0}, r"poll_interval: 0\.0 is not possible"),
            ({"max_failures": -1}, r"max_failures: -1 would always be exceeded; give 0 or more failures\."),
            ({"max_failures": "few"}, r"max_failures"),
            ({"period": 0}, r"period: CloudWatch has none of 0 seconds; give 1, 5, 10, 30 or a multiple of 60\."),
            ({"period": 2}, r"none of 2 seconds"),
            ({"period": -60}, r"none of -60 seconds"),
            ({"period": 90}, r"none of 90 seconds"),
            ({"period": 60, "duration": 59}, r"duration: 59 seconds are less than one period of 60, .* nothing"),
            ({"replication_group_ids": ["a--b"]}, r"can't be the id of a replication group"),
            ({"replication_group_ids": ["a", "A"]}, r"a is listed twice"),
        ],
    )
    def test_bad_input(self, emulator: Emulator, options: dict[str, Any], words: str) -> None:
        """It is refused before AWS is asked anything."""
        ended = watch(emulator, **options)
        assert ended.failed
        assert re.search(words, ended.msg)
        assert emulator.calls() == []

    @pytest.mark.parametrize("period", [1, 5, 10, 30, 60, 120, 3600])
    def test_periods_that_there_are(self, emulator: Emulator, period: int) -> None:
        create(emulator)
        assert not watch(emulator, period=period, duration=3600, check=True).failed

    def test_not_allowed_to_look(self, emulator: Emulator) -> None:
        """It is told at the start, not at the end."""
        create(emulator)
        emulator.faults({"kind": "error", "action": "GetMetricData", "code": "AccessDenied", "message": "no"})
        ended = watch(emulator, duration=3600)
        assert ended.failed
        assert ended.msg == (
            f"{GROUP}: it can't be told whether clients are refused: cloudwatch:GetMetricData was refused in "
            "us-east-1: AccessDenied: no. Allow it in the policy of the credentials."
        )
        assert looks(emulator) == 1

    def test_through_throttling_and_broken_connections(self, emulator: Emulator) -> None:
        create(emulator)
        emulator.faults(
            {"kind": "throttle", "rate": 0.3, "action": "GetMetricData"},
            {"kind": "drop", "action": "GetMetricData", "nth": 2, "times": 3},
        )
        publish = Once(called(emulator, "GetMetricData"), lambda: put(emulator, f"{GROUP}-001", 7, begun(emulator) + 3))
        with meanwhile(publish):
            ended = watch(emulator, duration=8)
        assert not ended.failed, ended.msg
        assert ended.of(GROUP)["authentication_failures"] == 7

    def test_a_last_look_that_fails(self, emulator: Emulator) -> None:
        """Nothing seen is no proof where nothing could be looked at."""
        create(emulator)
        emulator.faults({"kind": "error", "action": "GetMetricData", "nth": 2, "times": 99})
        ended = watch(emulator, duration=1.5, poll_interval=60)
        assert ended.failed
        assert ended.msg.startswith(
            f"{GROUP}: it can't be told whether clients are refused: cloudwatch:GetMetricData failed in us-east-1: "
            "InternalFailure"
        )

    def test_through_ansible(self, emulator: Emulator) -> None:
        create(emulator)
        result = run_module(
            emulator, "auth_failures_monitor", {"replication_group_id": GROUP, "duration": 1, "period": 1}
        )
        assert (result["changed"], result["failed"]) == (False, False)
        assert result["outcomes"][GROUP]["authentication_failures"] == 0
