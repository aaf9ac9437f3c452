# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Which clients a group has, from a cutover role's variables."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._core.client_selection import (
    ClientSelection,
    GroupClients,
    having_tags,
    names_by_group,
    texts,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError


def selection(**given: Any) -> ClientSelection:
    return ClientSelection("cutover_ecs", "service of ECS", "services", "service_tags", **given)


@pytest.mark.parametrize(
    ("given", "clients"),
    [
        ({"names": ["{replication_group_id}-web", "all"]}, GroupClients(("sessions-web", "all"), {})),
        ({"names": ["a", "a"]}, GroupClients(("a",), {})),
        ({"tags": {"cache": "{replication_group_id}"}}, GroupClients((), {"cache": "sessions"})),
        ({"names": ["a"], "tags": {"t": "v"}}, GroupClients(("a",), {"t": "v"})),
        # An entry of its own counts alone; the placeholder may be in it, too.
        (
            {"names": ["a"], "tags": {"t": "v"}, "by_group": {"sessions": ["b", "{replication_group_id}"]}},
            GroupClients(("b", "sessions"), {}),
        ),
        ({"names": ["a"], "by_group": {"carts": ["b"]}}, GroupClients(("a",), {})),
    ],
)
def test_the_clients_of_a_group(given: dict[str, Any], clients: GroupClients) -> None:
    assert selection(**given).of("sessions") == clients


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, r"^sessions: no service of ECS is known for it: no variable names any, .*Set cutover_ecs_services, "),
        ({"by_group": {"carts": ["b"]}}, r"^sessions: .*cutover_ecs_services_by_group has no entry for it"),
        ({"by_group": {"sessions": []}}, r"^sessions: its entry in cutover_ecs_services_by_group names no service"),
    ],
)
def test_a_group_without_clients(given: dict[str, Any], words: str) -> None:
    with pytest.raises(AuthError, match=words):
        selection(**given).of("sessions")


def test_names_by_group() -> None:
    assert names_by_group("v", {"Sessions": ["a", " b "], "carts": "c"}) == {"sessions": ["a", "b"], "carts": ["c"]}


@pytest.mark.parametrize("value", [None, 3, {"a": "b"}, [3], [""], [["a"]]])
def test_what_is_no_list_of_names(value: object) -> None:
    with pytest.raises(AuthError, match=r"^v: the entry of sessions is .* Give a list of names: \[sessions-web\]"):
        names_by_group("v", {"sessions": value})


def test_texts() -> None:
    assert texts("v", {"a": "b", "n": 3}) == {"a": "b", "n": "3"}
    with pytest.raises(AuthError, match=r"^v: the value of a is a list. Give a text"):
        texts("v", {"a": ["b"]})


def test_what_has_the_tags() -> None:
    found = [("one", {"a": "1", "b": "2"}), ("two", {"a": "1"}), ("three", {})]
    assert having_tags({"a": "1"}, found) == ["one", "two"]
    assert having_tags({"a": "1", "b": "2"}, found) == ["one"]
    assert having_tags({}, found) == []
