# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Throttling as AWS does it: token buckets, by account, region, service and action.

A bucket holds at most ``burst`` calls and gets ``per_second`` new ones every second; a call that finds it empty is
refused before it is carried out, and takes nothing. (The fault ``throttle`` is another thing: it refuses calls at
random, however few there are.)

``aws-like`` has the rates that AWS publishes, as far as it does:

- Secrets Manager (its user guide, "AWS Secrets Manager quotas"): DescribeSecret and GetSecretValue 10,000 a second
  together; PutSecretValue, UpdateSecret, UpdateSecretVersionStage and three more 50 a second together. Here all others
  have 50 a second each, and a burst is one second's worth: neither is looked up.
- Resource Groups Tagging API (user guide of Tag Editor, "Service quotas"): GetResources 15 a second. The other actions,
  5 a second, are a guess.
- **For ElastiCache AWS publishes none**, and neither does any source known to us. What is here is made up. Its shape
  is that of Amazon EC2, which publishes its buckets (EC2's developer guide, "Request throttling for the Amazon EC2
  API"): each action has one of its own, and Describe calls are refilled at 20 a second. The rest is a guess: Describe
  and the tags of a resource 20 a second, bursts of 40; all other calls, such as ModifyReplicationGroup, 10 a second,
  bursts of 20. Figures that come of these say how programs compare under the same limits, and not how long AWS would
  take; and who writes tags gains by a rate for them that is above that of changes.

Services that are not named (STS, CloudWatch, …) are not throttled.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MESSAGE = "Rate exceeded"
STATUS = 400
#: The code with which a service refuses: ElastiCache's common errors, and the models of the other two.
_CODES = {"secretsmanager": "ThrottlingException", "tagging": "ThrottledException"}


@dataclass(frozen=True)
class Rate:
    """How often some actions of a service may be called; ``actions`` are shell patterns.

    ``together``: they share one bucket, otherwise each has its own.
    """

    service: str
    actions: tuple[str, ...]
    burst: int
    per_second: float
    together: bool = False

    def covers(self, service: str, action: str) -> bool:
        """Whether it is about that action."""
        return service == self.service and any(fnmatch.fnmatchcase(action, pattern) for pattern in self.actions)


#: In order: the first that covers an action counts.
AWS_LIKE = (
    Rate("elasticache", ("Describe*", "List*", "AddTagsToResource", "RemoveTagsFromResource"), 40, 20),
    Rate("elasticache", ("*",), 20, 10),
    Rate("secretsmanager", ("DescribeSecret", "GetSecretValue"), 10_000, 10_000, together=True),
    Rate(
        "secretsmanager",
        (
            *("PutSecretValue", "RemoveRegionsFromReplication", "ReplicateSecretToRegions"),
            *("StopReplicationToReplica", "UpdateSecret", "UpdateSecretVersionStage"),
        ),
        50,
        50,
        together=True,
    ),
    Rate("secretsmanager", ("*",), 50, 50),
    Rate("tagging", ("GetResources",), 15, 15),
    Rate("tagging", ("*",), 5, 5),
)
#: What can be chosen; the first is the default.
THROTTLES: Mapping[str, tuple[Rate, ...]] = {"off": (), "aws-like": AWS_LIKE}


class UnknownThrottleError(ValueError):
    """A name that is not in ``THROTTLES``. The message says which are."""


def throttling_code(service: str) -> str:
    """The code with which a service refuses a call that came too soon."""
    return _CODES.get(service, "Throttling")


@dataclass
class _Bucket:
    left: float
    filled: float  #: when ``left`` was right


class Throttling:
    """The buckets in force. Safe to use from any thread. ``clock``: seconds, that never go back."""

    def __init__(self, name: str = "off", clock: Callable[[], float] = time.monotonic) -> None:
        """Start with full buckets; raises ``UnknownThrottleError``."""
        self._lock = threading.Lock()
        self._clock = clock
        self.choose(name)
        self._at_start = name

    def choose(self, name: str) -> None:
        """Put other rates in force, with full buckets; raises ``UnknownThrottleError``."""
        if name not in THROTTLES:
            raise UnknownThrottleError(f"no throttle {name!r}; there are: {', '.join(THROTTLES)}")
        with self._lock:
            self._name = name
            self._buckets: dict[tuple[str, str, int, str], _Bucket] = {}

    def reset(self) -> None:
        """Go back to what the emulator was started with, with full buckets."""
        self.choose(self._at_start)

    def admits(self, account: str, region: str, service: str, action: str) -> bool:
        """Whether a call may be carried out now; if so it is taken out of its bucket."""
        with self._lock:
            rates = THROTTLES[self._name]
            number = next((index for index, rate in enumerate(rates) if rate.covers(service, action)), None)
            if number is None:
                return True
            rate, now = rates[number], self._clock()
            key = (account, region, number, "" if rate.together else action)
            bucket = self._buckets.setdefault(key, _Bucket(rate.burst, now))
            bucket.left = min(bucket.left + (now - bucket.filled) * rate.per_second, rate.burst)
            bucket.filled = now
            if bucket.left < 1:
                return False
            bucket.left -= 1
            return True

    def shown(self) -> dict[str, Any]:
        """What is in force, as the admin API shows it."""
        with self._lock:
            name = self._name
        return {"name": name, "rates": [dataclasses.asdict(rate) for rate in THROTTLES[name]]}
