# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Fleets as the inventory plugin's host variables tell of them: a few groups, hostile ones, and as many as wanted."""

from __future__ import annotations

import datetime
import random
from typing import Any

#: The moment of the audits in here.
NOW = datetime.datetime(2026, 11, 22, 15, 4, 5, tzinfo=datetime.UTC)
_REGIONS = (("eu-central-1", "aws"), ("us-east-1", "aws"), ("ap-southeast-2", "aws"))
_ACCOUNTS = ("123456789012", "210987654321")
_NAMES = ("sessions", "carts", "search", "prices", "profiles", "stock", "recommendations", "checkout", "mail", "geo")
_STAGES = ("prod", "stage", "dev")

#: Ids, descriptions and tags that would do harm if they became markup, script, an attribute or an end of the data.
HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "<!--<script>",
    "\u2028\u2029'; document.title='owned'; '",
    "\"><svg onload=document.title='owned'>",
    "{{ 7 * 7 }} ${7 * 7} %s {title}",
)


def ago(days: float) -> str:
    """The moment so many days before :data:`NOW`."""
    return (NOW - datetime.timedelta(days=days)).isoformat(timespec="seconds")


def group(key: str, mode: str | None = "required", *, age: float | None = None, **more: Any) -> dict[str, Any]:
    """A group's host variables; ``more`` are further ones without their prefix."""
    region, account = more.get("region", "eu-central-1"), more.get("account_id", _ACCOUNTS[0])
    token = mode not in ("open", "rbac")
    known = {
        "open": ["open"],
        "rbac": ["rbac (ug-1)"],
        None: ["optional (an unknown token)", "required (an unknown token)"],
    }
    facts = {
        "arn": f"arn:aws:elasticache:{region}:{account}:replicationgroup:{key}",
        "region": region,
        "account_id": account,
        "status": "available",
        "engine": "valkey",
        "engine_version": "8.1.0",
        "transit_encryption_mode": "required",
        "auth_token_enabled": token,
        "user_group_ids": ["ug-1"] if mode == "rbac" else [],
        "mode": mode,
        "possible_states": known.get(mode, [f"{mode} (the token in AWSCURRENT)"]),
        "evidence": ["api"] if mode in (None, "open", "rbac") else ["api", "record"],
        "drift": False,
        "unauthenticated_access": None if mode is None else mode in ("open", "optional"),
        "auth_token_last_modified_date": ago(age) if age is not None and token else None,
        "auth_token_age_days": age if token else None,
        "recorded_at": ago(age) if age is not None and mode else None,
        "node_count": 2,
        "cluster_enabled": False,
        "endpoints": {"primary": f"master.{key}.abc123.euc1.cache.amazonaws.com:6379"},
        "tags": {"team": "shop"},
        "description": f"The {key} of the shop",
        "global_role": "",
        "pending": "",
        **more,
    }
    return {"replication_group_id": key, **{f"elasticache_{name}": value for name, value in facts.items()}}


def three() -> list[dict[str, Any]]:
    """Three groups: one in order, an optional one, and one without encryption or a token."""
    return [
        group("sessions", age=12.2),
        group("carts", "optional", age=41.7, region="us-east-1"),
        group("search", "open", engine="redis", engine_version="5.0.0", transit_encryption_mode="off", node_count=3),
    ]


def hostile() -> list[dict[str, Any]]:
    """Groups whose every text is hostile; their ids too, as if AWS allowed that."""
    return [
        group(
            f"g{number}-{text}".lower(),
            age=float(number),
            description=text,
            tags={text: text},
            region=text,
            account_id=text,
            status=text,
            engine=text,
            engine_version=text,
            pending=text,
            endpoints={text: text},
            evidence=[text],
            possible_states=[text],
            arn=f"arn:{text}",
        )
        for number, text in enumerate(HOSTILE)
    ]


def many(count: int = 1000, seed: int = 7) -> list[dict[str, Any]]:
    """A fleet as fleets are: most in order, some of everything that is not. The same one for the same seed."""
    dice = random.Random(seed)
    modes = ["required"] * 66 + ["rbac"] * 12 + [None] * 8 + ["rotating"] * 5 + ["optional"] * 5 + ["open"] * 4
    fleet = []
    for number in range(count):
        region, dummy = dice.choice(_REGIONS)
        stage, name = dice.choice(_STAGES), dice.choice(_NAMES)
        mode = dice.choice(modes)
        age = round({"rotating": 3, "optional": 20}.get(mode or "", 40) * dice.expovariate(1.0), 3)
        engine, version = dice.choices(
            [("valkey", "8.1.0"), ("valkey", "7.2.6"), ("redis", "7.1.0"), ("redis", "6.2.6"), ("redis", "5.0.0")],
            weights=[50, 20, 18, 9, 3],
        )[0]
        tls = "required" if mode != "open" else dice.choice(["off", "preferred", "required"])
        status = dice.choices(["available", "modifying", "snapshotting"], weights=[97, 2, 1])[0]
        serverless = mode == "rbac" and dice.random() < 0.1
        fleet.append(
            group(
                f"{stage}-{name}-{number:04}",
                mode,
                age=age,
                region=region,
                account_id=dice.choice(_ACCOUNTS),
                engine=engine,
                engine_version=version,
                transit_encryption_mode=tls,
                status=status,
                pending="" if status == "available" else status,
                drift=mode is None and dice.random() < 0.2,
                node_count=dice.choice([1, 2, 2, 3, 6, 12]),
                tags={"team": name, "stage": stage, "cost-center": str(dice.randrange(1000, 9999))},
                user_group_ids=[f"ug-{name}"] if mode == "rbac" else [],
                serverless=serverless,
            )
        )
    return fleet


def users() -> list[dict[str, Any]]:
    """The users of all accounts and regions of :func:`many`, some of which need no password."""
    found = []
    for region, dummy in _REGIONS:
        for account in _ACCOUNTS:
            for name in _NAMES:
                without = name in ("mail", "geo")
                found.append(
                    {
                        "user_id": f"{name}-reader",
                        "arn": f"arn:aws:elasticache:{region}:{account}:user:{name}-reader",
                        "access_string": "on ~* +@read",
                        "user_group_ids": [f"ug-{name}"],
                        "authentication": {"type": "no-password" if without else "password"},
                    }
                )
    return found
