# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Token buckets, by an injected clock; and a throttled call as boto3 and the admin API see it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from waiting import wait_until

from emulator.__main__ import parse_arguments
from emulator.control.throttling import AWS_LIKE, THROTTLES, Throttling, UnknownThrottleError, throttling_code

ACCOUNT, REGION = "123456789012", "us-east-1"
MODIFY = ("elasticache", "ModifyReplicationGroup")
DESCRIBE = ("elasticache", "DescribeReplicationGroups")


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def buckets(clock: Clock) -> Throttling:
    return Throttling("aws-like", clock)


def admitted(
    buckets: Throttling, call: tuple[str, str], times: int, account: str = ACCOUNT, region: str = REGION
) -> int:
    """How many of that many calls at once are admitted."""
    return sum(buckets.admits(account, region, *call) for dummy in range(times))


def test_a_burst_and_then_the_rate(buckets: Throttling, clock: Clock) -> None:
    assert admitted(buckets, MODIFY, 30) == 20
    clock.now += 0.25
    assert admitted(buckets, MODIFY, 30) == 2  # 2.5 are in it, and a half stays
    clock.now += 0.0625
    assert admitted(buckets, MODIFY, 30) == 1


def test_a_refused_call_takes_nothing(buckets: Throttling, clock: Clock) -> None:
    admitted(buckets, MODIFY, 20)
    for dummy in range(9):
        clock.now += 0.01
        assert admitted(buckets, MODIFY, 5) == 0
    clock.now += 0.0101
    assert admitted(buckets, MODIFY, 5) == 1


def test_a_bucket_does_not_overflow(buckets: Throttling, clock: Clock) -> None:
    admitted(buckets, MODIFY, 20)
    clock.now += 3600
    assert admitted(buckets, MODIFY, 100) == 20


@pytest.mark.parametrize(
    ("service", "action", "burst"),
    [
        ("elasticache", "ModifyReplicationGroup", 20),
        ("elasticache", "CreateReplicationGroup", 20),
        ("elasticache", "DescribeCacheClusters", 40),
        ("elasticache", "ListTagsForResource", 40),
        ("elasticache", "AddTagsToResource", 40),
        ("secretsmanager", "GetSecretValue", 10_000),
        ("secretsmanager", "PutSecretValue", 50),
        ("secretsmanager", "CreateSecret", 50),
        ("tagging", "GetResources", 15),
        ("tagging", "TagResources", 5),
    ],
)
def test_bursts(buckets: Throttling, service: str, action: str, burst: int) -> None:
    assert admitted(buckets, (service, action), burst + 1) == burst


def test_actions_accounts_and_regions_have_buckets_of_their_own(buckets: Throttling) -> None:
    assert admitted(buckets, MODIFY, 21) == 20
    assert admitted(buckets, DESCRIBE, 41) == 40
    assert admitted(buckets, ("elasticache", "DeleteReplicationGroup"), 21) == 20
    assert admitted(buckets, MODIFY, 21, account="210987654321") == 20
    assert admitted(buckets, MODIFY, 21, region="eu-central-1") == 20
    assert admitted(buckets, MODIFY, 1) == 0


def test_some_actions_of_secrets_manager_share_one(buckets: Throttling) -> None:
    assert admitted(buckets, ("secretsmanager", "PutSecretValue"), 30) == 30
    assert admitted(buckets, ("secretsmanager", "UpdateSecretVersionStage"), 30) == 20
    assert admitted(buckets, ("secretsmanager", "CreateSecret"), 30) == 30


def test_a_service_without_a_rate_is_not_throttled(buckets: Throttling) -> None:
    assert admitted(buckets, ("sts", "AssumeRole"), 1000) == 1000


def test_off_by_default_and_reset_to_the_start(clock: Clock) -> None:
    buckets = Throttling(clock=clock)
    assert admitted(buckets, MODIFY, 1000) == 1000
    buckets.choose("aws-like")
    assert admitted(buckets, MODIFY, 1000) == 20
    buckets.choose("aws-like")  # with full buckets
    assert admitted(buckets, MODIFY, 1000) == 20
    buckets.reset()
    assert admitted(buckets, MODIFY, 1000) == 1000


def test_a_name_that_does_not_exist(buckets: Throttling) -> None:
    with pytest.raises(UnknownThrottleError, match="no throttle 'mild'; there are: off, aws-like"):
        buckets.choose("mild")
    assert admitted(buckets, MODIFY, 21) == 20


def test_every_rate_lets_something_through() -> None:
    assert all(rate.burst >= 1 and rate.per_second > 0 for rates in THROTTLES.values() for rate in rates)


def test_the_command_line() -> None:
    assert parse_arguments([])[0].throttle == "off"
    assert parse_arguments(["--throttle", "aws-like"])[0].throttle == "aws-like"
    with pytest.raises(SystemExit):
        parse_arguments(["--throttle", "mild"])


def test_codes() -> None:
    services = ("elasticache", "secretsmanager", "tagging", "sts")
    codes = [throttling_code(service) for service in services]
    assert codes == ["Throttling", "ThrottlingException", "ThrottledException", "Throttling"]


def many(call: Callable[[int], object]) -> list[tuple[str, str] | None]:
    """Hundreds of calls, as fast as they go, until some were refused: the code and message of each that was."""

    def one(number: int) -> tuple[str, str] | None:
        try:
            call(number)
        except ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"]["Message"]
        return None

    answers: list[tuple[str, str] | None] = []

    def refused() -> bool:
        with ThreadPoolExecutor(8) as pool:
            answers.extend(pool.map(one, range(len(answers), len(answers) + 100)))
        return any(answer and answer[1] == "Rate exceeded" for answer in answers)

    wait_until(refused, "calls were refused because they came too often")
    return answers


@pytest.mark.emulator(data_plane="none", modify_seconds=0.05)
class TestServed:
    """Over HTTP."""

    def test_codes_and_call_log(self, emulator: Any) -> None:
        client, tagging = emulator.client("elasticache"), emulator.client("resourcegroupstaggingapi")
        assert emulator.admin("GET", "throttle") == {"name": "off", "rates": []}
        shown = emulator.admin("POST", "throttle", {"name": "aws-like"})
        assert (shown["name"], len(shown["rates"])) == ("aws-like", len(AWS_LIKE))
        created = many(lambda number: client.create_user_group(UserGroupId="ug", Engine="redis", UserIds=["default"]))
        listed = many(lambda number: tagging.get_tag_keys())
        assert created.count(("Throttling", "Rate exceeded")) > 0
        assert listed.count(("ThrottledException", "Rate exceeded")) > 0
        other = ("UserGroupAlreadyExists", "User group ug already exists.")
        assert set(created) <= {None, other, ("Throttling", "Rate exceeded")}
        assert set(listed) == {None, ("ThrottledException", "Rate exceeded")}
        refused = [call for call in emulator.calls() if call["fault"] == "throttle"]
        assert {(call["service"], call["code"], call["status"], call["id"]) for call in refused} == {
            ("elasticache", "Throttling", 400, "ug"),
            ("tagging", "ThrottledException", 400, None),
        }
        assert len(emulator.calls()) == len(created) + len(listed)

    def test_a_refused_change_is_not_made(self, emulator: Any) -> None:
        emulator.admin("POST", "throttle", {"name": "aws-like"})
        client = emulator.client("elasticache")
        answers = many(
            lambda number: client.create_user(
                UserId=f"u-{number}", UserName="u", Engine="redis", AccessString="on", NoPasswordRequired=True
            )
        )
        assert set(answers) == {None, ("Throttling", "Rate exceeded")}
        emulator.admin("POST", "throttle", {"name": "off"})
        assert len(client.describe_users()["Users"]) == answers.count(None) + 1  # and the user named default

    def test_a_fault_does_not_count_what_is_throttled(self, emulator: Any) -> None:
        emulator.admin("POST", "throttle", {"name": "aws-like"})
        emulator.faults({"kind": "error", "nth": 1000})
        tagging = emulator.client("resourcegroupstaggingapi")
        answers = many(lambda number: tagging.get_tag_keys())
        assert [fault["seen"] for fault in emulator.faults()] == [answers.count(None)]

    def test_reset_ends_it(self, emulator: Any) -> None:
        emulator.admin("POST", "throttle", {"name": "aws-like"})
        emulator.reset()
        assert emulator.admin("GET", "throttle")["name"] == "off"

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ({"name": "mild"}, "no throttle 'mild'; there are: off, aws-like"),
            ({}, "a throttle is a JSON object of: name"),
            ({"name": 3}, "a throttle is a JSON object of: name"),
            ({"name": "off", "rate": 3}, "a throttle is a JSON object of: name"),
            (["off"], "a throttle is a JSON object of: name"),
        ],
    )
    def test_a_wrong_choice_is_refused(self, emulator: Any, body: object, said: str) -> None:
        with pytest.raises(ValueError, match=said):
            emulator.admin("POST", "throttle", body)
