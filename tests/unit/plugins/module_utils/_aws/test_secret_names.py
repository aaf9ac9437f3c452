# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A secret's name for a group."""

from __future__ import annotations

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._aws.secrets import StoredToken, secret_name
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("plain", "plain"),
        ("elasticache/{replication_group_id}/auth-token", "elasticache/g-1/auth-token"),
        ("{replication_group_id}{replication_group_id}", "g-1g-1"),
        (
            "arn:aws:secretsmanager:r:1:secret:{replication_group_id}-AbCdEf",
            "arn:aws:secretsmanager:r:1:secret:g-1-AbCdEf",
        ),
    ],
)
def test_the_id_is_put_in(template: str, name: str) -> None:
    assert secret_name(template, "g-1") == name


@pytest.mark.parametrize(
    "template",
    [
        "{}",
        "{0}",
        "{id}",
        "{",
        "}",
        "{replication_group_id",
        "{replication_group_id!r}",
        "{replication_group_id:>9}",
        "{replication_group_id.upper}",
        "{{replication_group_id}}",
    ],
)
def test_nothing_else_is(template: str) -> None:
    with pytest.raises(
        AuthError, match=r"^g-1: auth_token_secret\.name may hold \{replication_group_id\} and no other"
    ):
        secret_name(template, "g-1")


def test_a_token_is_not_in_its_repr() -> None:
    assert "the-secret-token" not in repr(StoredToken("the-secret-token", "v"))
