# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The operations of the benchmark: the roles have the variables that it sets, and it knows where they must arrive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark.figures import ROTATE_TOKEN
from benchmark.operations import (
    OPERATIONS,
    Group,
    Operation,
    listed_groups,
    newer_token,
    old_token,
    role_variables,
)
from benchmark.targets import CPU_FURTHER

REPOSITORY = Path(__file__).resolve().parents[3]
OLD, NEW = old_token("g"), "New-token-0000001"
REQUIRED = {"mode": "required", "slots": [NEW]}


def variables(operation: Operation) -> dict[str, Any]:
    """What its role is called with."""
    return role_variables(operation, ca_bundle="ca.pem", poll_seconds=2.0, soak=5.0, wait_timeout=60.0)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda operation: operation.name)
def test_its_role_has_these_variables(operation: Operation) -> None:
    specs = yaml.safe_load((REPOSITORY / "roles" / operation.name / "meta" / "argument_specs.yml").read_text("utf-8"))
    known = set(specs["argument_specs"]["main"]["options"])
    assert {*variables(operation), *listed_groups(operation, [])} <= known
    assert (REPOSITORY / "playbooks" / f"{operation.name}.yml").exists()


def test_the_groups_are_listed_by_region() -> None:
    groups = [Group("us-east-1", "a"), Group("eu-west-1", "b"), Group("us-east-1", "c")]
    assert listed_groups(OPERATIONS[ROTATE_TOKEN], groups) == {
        "rotate_token_replication_groups": [
            {"region": "us-east-1", "replication_group_ids": ["a", "c"]},
            {"region": "eu-west-1", "replication_group_ids": ["b"]},
        ]
    }


def test_the_targets_are_of_operations_that_there_are() -> None:
    assert set(CPU_FURTHER) < set(OPERATIONS)


@pytest.mark.parametrize(
    ("name", "truth", "current", "said"),
    [
        ("rotate_token", REQUIRED, NEW, ""),
        ("rotate_token", {"slots": [OLD]}, OLD, "AWSCURRENT still is the old token"),
        ("rotate_token", {**REQUIRED, "status": "modifying"}, NEW, "it is modifying"),
        (
            *("rotate_token", {"mode": "rotating", "slots": [OLD, NEW]}, NEW),
            "it is rotating, and not required with the token in AWSCURRENT",
        ),
        ("rotate_token", {"slots": [OLD]}, NEW, "it is required, and not required with the token in AWSCURRENT"),
        ("enable_auth", REQUIRED, NEW, ""),
        ("enable_auth", REQUIRED, None, "AWSCURRENT has no token"),
        ("migrate_rbac_to_auth", REQUIRED, NEW, ""),
        ("migrate_rbac_to_auth", {"mode": "open", "slots": [None]}, "", "AWSCURRENT has no token"),
        ("enable_tls", {"mode": "open", "slots": [None]}, None, ""),
        ("enable_tls", {"mode": "open", "slots": [None], "tls": "preferred"}, None, "it is open, TLS preferred"),
        ("migrate_auth_to_rbac", {"mode": "rbac", "slots": [], "user_group_ids": ["g-users"]}, OLD, ""),
        ("migrate_auth_to_rbac", {"slots": [OLD]}, OLD, "it is required with []"),
        ("rollback_token", {"slots": [OLD]}, OLD, ""),
        ("rollback_token", {"slots": [newer_token("g")]}, newer_token("g"), "AWSCURRENT is not the old token"),
        (
            *("rollback_token", {"mode": "rotating", "slots": [newer_token("g"), OLD]}, OLD),
            "it is rotating, and not required with the old token",
        ),
        ("disable_access_control", {"mode": "open", "slots": [None]}, "", ""),
        ("disable_access_control", {"slots": [OLD]}, OLD, "it is required"),
    ],
)
def test_the_end_state(name: str, truth: dict[str, Any], current: str | None, said: str) -> None:
    at_the_end = {"id": "g", "status": "available", "mode": "required", "slots": [], "tls": "required"}
    whole = {**at_the_end, "user_group_ids": [], **truth}
    assert OPERATIONS[name].problem(whole, current) == (f"g: {said}" if said else "")
