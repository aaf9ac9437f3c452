# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What a run on AWS will make, for how long, and at which price: said before anything is made."""

from __future__ import annotations

from dataclasses import dataclass

from .access import ENGINE, NODE_TYPE
from .encryption import OLD_NODE_TYPE
from .made import PREFIX, TAG, UNTIL_TAG

#: US dollars, on demand, us-east-1, rounded up: an estimate from memory of November 2026, which nobody has held against
#: https://aws.amazon.com/elasticache/pricing/ (extended support of Redis OSS 4 and 5 costs 80 % more).
#: Other regions cost up to twice that.
PRICES_OF = "November 2026"
NODE_HOUR = 0.02
OLD_NODE_HOUR = 0.04
#: Likewise: $0.40 a month, and $0.05 for 10,000 calls (https://aws.amazon.com/secrets-manager/pricing/).
SECRET_AND_CALLS = 0.01


@dataclass(frozen=True)
class Plan:
    """What the caller has chosen."""

    region: str
    run: str
    minutes: float
    endpoint_url: str | None
    nodes: str
    account: str


def price(minutes: float) -> float:
    """About what it costs, in US dollars: an hour that has begun is a whole one."""
    hours = int(-(-minutes // 60))
    return hours * (2 * NODE_HOUR + OLD_NODE_HOUR) + SECRET_AND_CALLS


def announcement(plan: Plan) -> list[str]:
    """The lines."""
    where = f" (endpoint {plan.endpoint_url})" if plan.endpoint_url else ""
    return [
        f"This run asks AWS about ElastiCache in {plan.region}{where}, account {plan.account}. It makes:",
        f"  2 replication groups of one node, {ENGINE} on {NODE_TYPE}: one with access control, one for TLS modes",
        f"  1 replication group of one node, Redis OSS before 5.0.6 on {OLD_NODE_TYPE}, deleted before the second of",
        "    those is made: never more than two at a time",
        "  1 user group with 2 users, 1 user without a password and without any permission",
        "  1 secret",
        "and asks for 10 creations that AWS is expected to refuse (4 replication groups, 2 cache clusters, 2 user",
        "  groups, 2 users); what is made all the same is removed, too.",
        f"Ids begin with {PREFIX}-{plan.run}-; tags: {TAG}={plan.run}, {UNTIL_TAG}=its end.",
        "Nothing else is changed: id and tag are looked at before each call that changes something.",
        f"It lasts at most {plan.minutes:.0f} minutes, some of them to remove everything; longer only where AWS does.",
        f"It costs about {price(plan.minutes):.2f} USD at most (us-east-1, estimated {PRICES_OF}; AWS's list counts).",
        f"Nodes: {plan.nodes}.",
        "SIGINT, SIGTERM and SIGHUP end it and remove everything. After a SIGKILL:",
        f'  make conformance ARGS="--target aws --region {plan.region} --clean --run {plan.run} --yes"',
    ]
