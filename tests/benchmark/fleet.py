# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The groups that are rotated: made with boto3, before the clock runs, and judged by the emulator's hidden truth."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from conftest import Emulator

KEY = "auth_token"
THROTTLE = "aws-like"
#: How long ago the token was last changed, in days: more than the role's default of 90, so that it is due.
TOKEN_AGE = 100
#: Where the groups are, in turn: the first so many of these.
REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2", "us-west-2", "eu-central-1", "sa-east-1")
_THREADS = 8


class Group(NamedTuple):
    """Where a group is, and its id."""

    region: str
    id: str


def secret_name(group: str) -> str:
    """The name of a group's secret, as the roles have it by default."""
    return f"elasticache/{group}/auth-token"


def old_token(group: str) -> str:
    """The token that a group demands at first."""
    return f"Old-token-of-{group}-Aequ4ahx"


def create(emulator: Emulator, number: int, regions: Sequence[str]) -> list[Group]:
    """Make that many groups of two nodes, each with an old token and a secret that holds it; returns where they are.

    As fast as the emulator can: nothing is throttled, and nothing takes time but the nodes.
    """
    emulator.admin("POST", "throttle", {"name": "off"})
    emulator.settings(modify_seconds=0, create_seconds=0, latency=0)

    def one(group: Group) -> None:
        emulator.client("elasticache", region=group.region).create_replication_group(
            ReplicationGroupId=group.id,
            ReplicationGroupDescription="one of a fleet",
            Engine="valkey",
            NumCacheClusters=2,
            TransitEncryptionEnabled=True,
            AuthToken=old_token(group.id),
        )
        emulator.client("secretsmanager", region=group.region).create_secret(
            Name=secret_name(group.id), SecretString=json.dumps({KEY: old_token(group.id)})
        )

    groups = [Group(regions[index % len(regions)], f"fleet-{index:04}") for index in range(number)]
    _each(one, groups)
    while any(truth["status"] != "available" for truth in emulator.groups()):
        time.sleep(0.2)
    _each(
        lambda group: emulator.admin("POST", f"groups/{group.id}?region={group.region}", {"token_age_days": TOKEN_AGE}),
        groups,
    )
    return groups


def begin(emulator: Emulator, **timing: float) -> None:
    """From here on calls are throttled, and everything takes its time: ``timing`` are settings of the emulator."""
    emulator.settings(**timing)
    emulator.admin("POST", "throttle", {"name": THROTTLE})


def problems(emulator: Emulator, groups: Iterable[Group]) -> list[str]:
    """What is not as it must be at the end: each group takes the token in AWSCURRENT alone, and it is a new one."""
    emulator.admin("POST", "throttle", {"name": "off"})
    emulator.settings(latency=0)
    truths = {Group(truth["region"], truth["id"]): truth for truth in emulator.groups()}

    def current(group: Group) -> str:
        secrets = emulator.client("secretsmanager", region=group.region)
        return str(json.loads(secrets.get_secret_value(SecretId=secret_name(group.id))["SecretString"])[KEY])

    names = list(groups)
    tokens = dict(zip(names, _each(current, names), strict=True))
    return [why for group in names if (why := problem(truths[group], tokens[group], old_token(group.id)))]


def problem(truth: Mapping[str, Any], current: str, old: str) -> str:
    """What is wrong with one group, given its truth and the token in AWSCURRENT; empty where nothing is."""
    group = truth["id"]
    if current == old:
        return f"{group}: AWSCURRENT still is the old token"
    if truth["status"] != "available":
        return f"{group}: it is {truth['status']}"
    if truth["mode"] != "required" or truth["slots"] != [current]:
        return f"{group}: it is {truth['mode']}, and not required with the token in AWSCURRENT"
    return ""


def _each(work: Callable[[Group], Any], groups: Sequence[Group]) -> list[Any]:
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(work, groups))
