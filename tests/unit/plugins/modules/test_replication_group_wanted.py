# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Options that make no sense are refused before any call, each with the group, the option and the way out."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._auth.tokens import Token
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._resource.wanted import (
    Wanted,
    check_creation,
    wanted_of,
)

TOKEN = "correct-horse-battery"
LOG = {"log_type": "slow-log", "enabled": False}


def options(**given: Any) -> dict[str, Any]:
    """A module's options."""
    return {"replication_group_id": "sessions", "state": "present", "purge_tags": True, **given}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"transit_encryption_enabled": False, "transit_encryption_mode": "preferred"},
            ["transit_encryption_mode: preferred", "transit_encryption_enabled: false", "Leave one"],
        ),
        (
            {"transit_encryption_enabled": False, "auth_token": TOKEN},
            ["transit_encryption_enabled: false", "in the clear", "transit_encryption_mode: required"],
        ),
        ({"transit_encryption_mode": "preferred", "auth_token": TOKEN}, ["transit_encryption_mode: preferred"]),
        ({"transit_encryption_mode": "preferred", "auth_token_secret": {"name": "s"}}, ["AUTH token needs"]),
        ({"transit_encryption_enabled": False, "user_group_ids": ["ug"]}, ["user_group_ids need encryption"]),
        ({"auth_token": TOKEN, "user_group_ids": ["ug"]}, ["exclude each other", "Leave one of them out"]),
        ({"auth_token_secret": {"name": "s"}, "user_group_ids": ["ug"]}, ["exclude each other"]),
        ({"global_replication_group_id": "g", "auth_token": TOKEN}, ["inherits its access control"]),
        ({"global_replication_group_id": "g", "user_group_ids": ["ug"]}, ["inherits its access control"]),
        ({"num_cache_clusters": 2, "num_node_groups": 1}, ["num_cache_clusters does not go with num_node_groups"]),
        ({"num_cache_clusters": 2, "replicas_per_node_group": 1}, ["replicas_per_node_group"]),
        ({"num_cache_clusters": 2, "node_group_configuration": [{}]}, ["node_group_configuration"]),
        ({"num_node_groups": 3, "node_group_configuration": [{}, {}]}, ["lists 2 node groups, num_node_groups says 3"]),
        ({"port": 0}, ["port: 0 is out of range", "1 to 65535"]),
        ({"snapshot_retention_limit": 36}, ["snapshot_retention_limit: 36", "0 to 35"]),
        ({"num_cache_clusters": 7}, ["num_cache_clusters: 7"]),
        ({"num_node_groups": 0}, ["num_node_groups: 0"]),
        ({"replicas_per_node_group": 6}, ["replicas_per_node_group: 6"]),
        ({"multi_az_enabled": True, "automatic_failover_enabled": False}, ["automatic_failover_enabled: true"]),
        ({"kms_key_id": "k", "at_rest_encryption_enabled": False}, ["kms_key_id", "Leave one"]),
        ({"log_delivery_configurations": [LOG, LOG]}, ["slow-log is listed twice"]),
        ({"tags": {"elasticache.auth/record": "x"}}, ["elasticache.auth/record is not yours"]),
        ({"tags": {"AWS:x": "y"}}, ["AWS:x is not yours"]),
        ({"final_snapshot_identifier": "last"}, ["final_snapshot_identifier", "state: absent"]),
        ({"retain_primary_cluster": True}, ["retain_primary_cluster", "state: absent"]),
    ],
)
def test_options_that_contradict_each_other(given: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(AuthError) as caught:
        wanted_of(options(**given))
    assert str(caught.value).startswith("sessions: ")
    assert TOKEN not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_all_contradictions_are_reported_at_once() -> None:
    with pytest.raises(AuthError) as caught:
        wanted_of(options(port=0, kms_key_id="k", at_rest_encryption_enabled=False))
    assert str(caught.value).count("sessions: ") == 2


@pytest.mark.parametrize("name", ["1a", "a--b", "a-", "a" * 41, "", "a_b"])
def test_what_is_no_id(name: str) -> None:
    with pytest.raises(AuthError, match="replication_group_id: "):
        wanted_of(options(replication_group_id=name))


@pytest.mark.parametrize(
    ("given", "tls"),
    [
        ({}, None),
        ({"transit_encryption_enabled": True}, "on"),
        ({"transit_encryption_enabled": False}, "off"),
        ({"transit_encryption_mode": "preferred"}, "preferred"),
        ({"transit_encryption_enabled": True, "transit_encryption_mode": "required"}, "required"),
    ],
)
def test_encryption_in_transit(given: dict[str, Any], tls: str | None) -> None:
    assert wanted_of(options(**given)).tls == tls


def test_options_become_a_wish() -> None:
    wanted = wanted_of(
        options(
            replication_group_id="Sessions",
            description="d",
            port=None,
            snapshot_retention_limit=0,
            user_group_ids=["UG", "ug"],
            tags={"a": 1, "b": None, "c": True},
            purge_tags=False,
        )
    )
    assert wanted == Wanted(
        id="sessions",
        settings={"description": "d", "snapshot_retention_limit": 0},
        user_groups=("ug",),
        tags={"a": "1", "b": "", "c": "True"},
        purge_tags=False,
    )


def test_a_token_goes_with_no_user_groups_at_all() -> None:
    assert wanted_of(options(auth_token=TOKEN, user_group_ids=[])).user_groups == ()


GOOD: dict[str, Any] = {"id": "sessions", "settings": {"description": "d"}}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"settings": {}}, "description: there is no such group yet"),
        ({"settings": {"description": ""}}, "description: there is no such group yet"),
        ({"token": Token("given", TOKEN)}, "AUTH token needs encryption in transit"),
        ({"user_groups": ("ug",)}, "user_group_ids need encryption in transit"),
        ({"settings": {"description": "d", "kms_key_id": "k"}}, "at_rest_encryption_enabled: true"),
    ],
)
def test_what_a_creation_lacks(given: dict[str, Any], words: str) -> None:
    with pytest.raises(AuthError, match=words) as caught:
        check_creation(Wanted(**{**GOOD, **given}))
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "given", [{}, {"token": Token("given", TOKEN), "tls": "on"}, {"user_groups": ("ug",), "tls": "required"}]
)
def test_a_creation_that_lacks_nothing(given: dict[str, Any]) -> None:
    check_creation(Wanted(**{**GOOD, **given}))
