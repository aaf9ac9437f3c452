# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The groups that are changed: made with boto3, before the clock runs, and judged by the emulator's hidden truth."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from benchmark.operations import KEY, Group, Operation, Token, secret_name

if TYPE_CHECKING:
    from conftest import Emulator

THROTTLE = "aws-like"
#: Where the groups are, in turn: the first so many of these.
REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2", "us-west-2", "eu-central-1", "sa-east-1")
_THREADS = 8


def create(emulator: Emulator, operation: Operation, number: int, regions: Sequence[str]) -> list[Group]:
    """Make that many groups as the operation is to find them; returns where they are.

    As fast as the emulator can: nothing is throttled, and nothing takes time but the nodes.
    """
    emulator.admin("POST", "throttle", {"name": "off"})
    emulator.settings(modify_seconds=0, create_seconds=0, latency=0)
    groups = [Group(regions[index % len(regions)], f"fleet-{index:04}") for index in range(number)]
    _each(lambda group: operation.create(emulator, group), groups)
    while any(truth["status"] != "available" for truth in emulator.groups()):
        time.sleep(0.2)
    _each(lambda group: operation.prepare(emulator, group), groups)
    return groups


def begin(emulator: Emulator, **timing: float) -> None:
    """From here on calls are throttled, and everything takes its time: ``timing`` are settings of the emulator."""
    emulator.settings(**timing)
    emulator.admin("POST", "throttle", {"name": THROTTLE})


def problems(emulator: Emulator, operation: Operation, groups: Iterable[Group]) -> list[str]:
    """What is not as it must be at the end of the operation, for each group that is not."""
    emulator.admin("POST", "throttle", {"name": "off"})
    emulator.settings(latency=0)
    truths = {Group(truth["region"], truth["id"]): truth for truth in emulator.groups()}

    def current(group: Group) -> Token:
        try:
            secret = emulator.client("secretsmanager", region=group.region).get_secret_value(
                SecretId=secret_name(group.id)
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
        return str(json.loads(secret["SecretString"])[KEY])

    names = list(groups)
    tokens = dict(zip(names, _each(current, names), strict=True))
    return [why for group in names if (why := operation.problem(truths[group], tokens[group]))]


def _each(work: Callable[[Group], Any], groups: Sequence[Group]) -> list[Any]:
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(work, groups))
