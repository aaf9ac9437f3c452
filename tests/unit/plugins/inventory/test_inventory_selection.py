# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The filters of the inventory: which groups pass, and what is said of a filter that can't be one."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._fleet.selection import NAMES, parse_selection


def facts(key: str, mode: str | None, age: float | None = None, **more: Any) -> dict[str, Any]:
    """The facts of a group, as far as filters look at them."""
    return {
        "replication_group_id": key,
        "engine": "valkey",
        "mode": mode,
        "transit_encryption_mode": "required",
        "status": "available",
        "tags": {},
        "auth_token_age_days": age,
        **more,
    }


FLEET = (
    facts("sessions", "required", 10.0, tags={"env": "prod", "team": "web"}),
    facts("sessions-old", "rotating", 400.0, tags={"env": "prod-eu"}, engine="redis"),
    facts("carts", None, 90.0, tags={"env": "dev"}),
    facts("open-1", "open", transit_encryption_mode="off", tags=None),
    facts("people", "rbac", transit_encryption_mode="preferred", tags={"env": ""}),
    facts("busy", None, 1.0, status="modifying", tags={"env": "prod"}),
)
EVERY = [one["replication_group_id"] for one in FLEET]


def selected(filters: object, exclude: object = None) -> list[str]:
    """The ids that are left."""
    selection = parse_selection(filters, exclude)
    return [one["replication_group_id"] for one in FLEET if selection.includes(one)]


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        pytest.param(None, EVERY, id="none"),
        pytest.param({}, EVERY, id="empty"),
        pytest.param([], EVERY, id="empty-list"),
        pytest.param({"ids": "sessions"}, ["sessions"], id="one-id"),
        pytest.param({"ids": "Sessions*"}, ["sessions", "sessions-old"], id="id-pattern-any-case"),
        pytest.param({"ids": ["carts", "p?ople"]}, ["carts", "people"], id="several-ids"),
        pytest.param({"ids": "missing"}, [], id="no-such-id"),
        pytest.param({"tags": {"env": "prod"}}, ["sessions", "busy"], id="tag"),
        pytest.param({"tags": {"env": "prod*"}}, ["sessions", "sessions-old", "busy"], id="tag-pattern"),
        pytest.param({"tags": {"env": ["dev", "prod"]}}, ["sessions", "carts", "busy"], id="tag-one-of"),
        pytest.param({"tags": {"env": "*"}}, ["sessions", "sessions-old", "carts", "people", "busy"], id="tag-any"),
        pytest.param({"tags": {"env": ""}}, ["people"], id="tag-empty"),
        pytest.param({"tags": {"env": "Prod"}}, [], id="tag-values-have-case"),
        pytest.param({"tags": {"env": "prod", "team": "web"}}, ["sessions"], id="tags-all-of"),
        pytest.param({"engine": "redis"}, ["sessions-old"], id="engine"),
        pytest.param({"mode": ["open", "rbac"]}, ["open-1", "people"], id="modes"),
        pytest.param({"mode": "unknown"}, ["carts", "busy"], id="mode-unknown"),
        pytest.param({"transit_encryption_mode": ["off", "preferred"]}, ["open-1", "people"], id="tls"),
        pytest.param({"status": "modifying"}, ["busy"], id="status"),
        pytest.param({"min_token_age_days": 90}, ["sessions-old", "carts"], id="age-min-is-included"),
        pytest.param({"max_token_age_days": "10"}, ["sessions", "busy"], id="age-max-is-included"),
        pytest.param({"min_token_age_days": 5, "max_token_age_days": 100}, ["sessions", "carts"], id="ages"),
        pytest.param({"min_token_age_days": 0}, ["sessions", "sessions-old", "carts", "busy"], id="has-a-token"),
        pytest.param({"tags": {"env": "prod"}, "status": "available"}, ["sessions"], id="all-conditions"),
        pytest.param([{"mode": "open"}, {"ids": "carts"}], ["carts", "open-1"], id="one-of-several-filters"),
    ],
)
def test_what_passes(filters: object, ids: list[str]) -> None:
    assert selected(filters) == ids


@pytest.mark.parametrize(
    ("filters", "exclude", "ids"),
    [
        pytest.param({}, {"ids": "s*"}, ["carts", "open-1", "people", "busy"], id="excluded"),
        pytest.param({"tags": {"env": "prod*"}}, {"status": "modifying"}, ["sessions", "sessions-old"], id="both"),
        pytest.param({}, {"ids": "s*", "mode": "rotating"}, [x for x in EVERY if x != "sessions-old"], id="all-of-one"),
        pytest.param({}, [{"ids": "s*"}, {"mode": "unknown"}], ["open-1", "people"], id="any-of-several"),
    ],
)
def test_what_is_excluded(filters: object, exclude: object, ids: list[str]) -> None:
    assert selected(filters, exclude) == ids


@pytest.mark.parametrize(
    ("filters", "patterns"),
    [
        ({"ids": ["a*", "B"]}, ("a*", "b")),
        ([{"ids": "a"}, {"ids": ["b", "a"]}], ("a", "b")),
        ([{"ids": "a"}, {"mode": "open"}], ()),
        ({"mode": "open"}, ()),
        ({}, ()),
    ],
)
def test_ids_that_need_to_be_looked_at(filters: object, patterns: tuple[str, ...]) -> None:
    """A survey may leave out what no filter takes, but nothing that one takes."""
    assert parse_selection(filters, None).ids == patterns


def test_whether_tags_are_needed() -> None:
    assert parse_selection({"tags": {"a": "b"}}, None).needs_tags
    assert parse_selection(None, [{"ids": "a"}, {"tags": {"a": "b"}}]).needs_tags
    assert not parse_selection({"ids": "a"}, None).needs_tags


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ("sessions", "filters: a filter is a dictionary of ids, status, engine, mode, "),
        ([None], "and not nothing."),
        ([{}], "filters: a filter without a condition would stand for every group; leave it out."),
        ({"id": "a"}, "filters: there is no 'id' to filter by. Did you mean ids? There are ids, status, "),
        ({"mode": "optionl"}, "filters: mode: there is no 'optionl'. Did you mean optional? It is one of open, "),
        ({"engine": "mysql"}, "filters: engine: there is no 'mysql'. It is one of valkey, redis, memcached."),
        ({"transit_encryption_mode": False}, "filters: transit_encryption_mode: YAML makes true or false of what is "),
        ({"ids": []}, "filters: ids: an empty list would match nothing; leave it out, or name something."),
        ({"ids": None}, "filters: ids: give a text or a list of texts, and not nothing."),
        ({"ids": {"a": "b"}}, "filters: ids: give a text or a list of texts, and not a dict."),
        ({"tags": "env"}, "filters: tags is a dictionary of keys and values, and not 'env'."),
        (
            {"tags": {"backup": True}},
            "filters: tags: backup: YAML makes true or false of what is written there. Put it",
        ),
        ({"min_token_age_days": "old"}, "filters: min_token_age_days: 'old' is no number of days; give one"),
        ({"min_token_age_days": -1}, "filters: min_token_age_days: '-1' is no number of days; give one from"),
        ({"max_token_age_days": True}, "filters: max_token_age_days: 'True' is no number of days; give one"),
        ({"max_token_age_days": float("nan")}, "'nan' is no number of days"),
        (
            {"min_token_age_days": 9, "max_token_age_days": 5},
            "filters: min_token_age_days (9) is above max_token_age_days (5): nothing is that old.",
        ),
    ],
)
def test_bad_input(filters: object, message: str) -> None:
    with pytest.raises(AuthError) as refused:
        parse_selection(filters, None)
    assert message in str(refused.value)


def test_bad_input_names_the_option() -> None:
    with pytest.raises(AuthError, match="exclude_filters: there is no 'x' to filter by"):
        parse_selection({"ids": "a"}, {"x": 1})


def test_all_names_are_documented() -> None:
    """The option's description names every condition."""
    from ansible_collections.elasticache.auth.plugins.inventory.replication_groups import DOCUMENTATION

    assert [name for name in NAMES if f"C({name})" not in DOCUMENTATION] == []
