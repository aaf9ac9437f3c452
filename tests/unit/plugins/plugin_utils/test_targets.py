# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""From the hosts of a play, or a list in a role's variable, to targets; and which reports are told to which host."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.plugin_utils._targets import (
    groups_of_hosts,
    reports_of_host,
    targets_of,
    without_host,
)

LIST = "rotate_token_replication_groups"


# --- groups_of_hosts


@pytest.mark.parametrize(
    ("hosts", "hostvars", "ids"),
    [
        ([], {}, []),
        (["one", "two"], {"one": {}, "two": {}}, ["one", "two"]),
        (["h1"], {"h1": {"replication_group_id": " Sessions "}}, ["sessions"]),
        (["ONE"], {"ONE": {}}, ["one"]),
        (["localhost"], {"localhost": {"replication_group_id": "one"}}, ["one"]),
        # Of the hosts of a batch only, and each id as often as hosts stand for it.
        (["h1", "h2"], {"h1": {"replication_group_id": "a"}, "h2": {"replication_group_id": "a"}, "b": {}}, ["a", "a"]),
    ],
)
def test_groups_of_hosts(hosts: list[str], hostvars: dict[str, dict[str, Any]], ids: list[str]) -> None:
    assert groups_of_hosts(hosts, hostvars) == ids


@pytest.mark.parametrize(
    ("hostvars", "words"),
    [
        ({"a": {}, "h_1": {}}, "^h_1: the name of the host, 'h_1', is not the id of a replication group.* Set the var"),
        ({"h": {"replication_group_id": "a,b"}}, "^h: replication_group_id, 'a,b', is not the id"),
        ({"h": {"replication_group_id": ["a", "b"]}}, "^h: replication_group_id, a list, is not the id"),
        ({"h": {"replication_group_id": {"a": 1}}}, "^h: replication_group_id, .* is not the id"),
        ({"h": {"replication_group_id": 5}}, "^h: replication_group_id, the number 5, is not the id"),
        ({"h": {"replication_group_id": None}}, "^h: replication_group_id, null, is not the id"),
        ({"h": {"replication_group_id": ""}}, "^h: replication_group_id, '', is not the id"),
    ],
)
def test_hosts_that_stand_for_no_group(hostvars: dict[str, dict[str, Any]], words: str) -> None:
    with pytest.raises(AuthError, match=words):
        groups_of_hosts(list(hostvars), hostvars)


def test_localhost_is_no_group() -> None:
    with pytest.raises(AuthError, match="_replication_groups"):
        groups_of_hosts(["localhost"], {"localhost": {}})


# --- targets_of

WEST, EAST = {"elasticache_region": "us-west-2"}, {"elasticache_region": "us-east-1"}


@pytest.mark.parametrize(
    ("groups", "hostvars", "targets"),
    [
        (["a", "B"], {"localhost": {}}, [("", "", ["a", "b"])]),
        (["a"], {"a": WEST, "b": WEST}, [("us-west-2", "", ["a"])]),
        (
            ["a", "a", "b"],
            {
                "h1": {**WEST, "replication_group_id": "a"},
                "h2": {**EAST, "replication_group_id": "a"},
                "h3": {**EAST, "replication_group_id": "b", "elasticache_assume_role_arn": "arn:x"},
            },
            [("us-west-2", "", ["a"]), ("us-east-1", "", ["a"]), ("us-east-1", "arn:x", ["b"])],
        ),
        # A host in another region or account whose group is not listed has nothing to do there.
        (["a"], {"a": WEST, "b": EAST}, [("us-west-2", "", ["a"])]),
        (["c"], {"a": WEST, "b": EAST}, []),
        ([], {}, []),
        ([], {"localhost": {}}, []),
        ([], {"a": WEST, "b": EAST}, []),
        ("Carts", {"localhost": {}}, [("", "", ["carts"])]),
        (
            [{"region": "us-west-2", "replication_group_ids": "Carts"}],
            {"localhost": {}},
            [("us-west-2", "", ["carts"])],
        ),
        (
            ["a", {"region": "us-west-2", "replication_group_ids": ["A", "b"]}, "c"],
            {"localhost": {}},
            [("", "", ["a", "c"]), ("us-west-2", "", ["a", "b"])],
        ),
        (
            [
                {"region": "us-west-2", "replication_group_ids": ["a"]},
                {"assume_role_arn": "arn:x", "replication_group_ids": ["b"]},
                {"region": "us-east-1", "replication_group_ids": ["c"]},
            ],
            {"h": EAST},
            [("us-west-2", "", ["a"]), ("us-east-1", "arn:x", ["b"]), ("us-east-1", "", ["c"])],
        ),
    ],
)
def test_targets(groups: str | list[Any], hostvars: dict[str, Any], targets: list[tuple[Any, ...]]) -> None:
    found = targets_of(LIST, groups, list(hostvars), hostvars)
    members = ("region", "assume_role_arn", "replication_group_ids")
    assert [tuple(target[name] for name in members) for target in found] == targets
    assert all(set(target) == set(members) for target in found)


@pytest.mark.parametrize(
    ("entry", "hosts", "words"),
    [
        ({"region": "us-west-2"}, ["localhost"], "us-west-2: replication_group_ids is missing"),
        (
            {"replication_group_ids": "a,b"},
            ["localhost"],
            r"an entry without a region: replication_group_ids: 'a,b' is not the id .* Pass a list: \[a, b\]\.$",
        ),
        ({"replication_group_ids": {"a": 1}}, ["localhost"], "replication_group_ids: a dictionary is not a list"),
        (["a"], ["localhost"], f"{LIST}: a list in it is not the id of a replication group"),
        (None, ["localhost"], f"{LIST}: null in it is not the id of a replication group"),
        (
            {"region": "us-west-2", "replication_group_ids": []},
            ["localhost"],
            "us-west-2: replication_group_ids is missing",
        ),
        (
            {"region": "us-west-2", "ids": ["a"]},
            ["localhost"],
            "us-west-2: it has ids. An entry is an id, or the groups of",
        ),
        (
            {"region": "us-west-2", "replication_group_ids": ["a"]},
            ["a", "b"],
            "us-west-2 is named there, but 2 hosts are in the play, .* Give ids only, or run the play on localhost.",
        ),
    ],
)
def test_entries_that_make_no_sense(entry: Any, hosts: list[str], words: str) -> None:
    with pytest.raises(AuthError, match=words):
        targets_of(LIST, [entry], hosts, {host: {} for host in hosts})


@pytest.mark.parametrize("given", ["a,b", "a b", "", '["a", "b"]', None, 5, {"a": 1}, True])
def test_what_is_no_list_of_groups(given: Any) -> None:
    """Least of all is a text taken for a sequence of letters."""
    with pytest.raises(AuthError, match=rf"^{LIST}: .* Pass a list: "):
        targets_of(LIST, given, ["localhost"], {"localhost": {}})


# --- reports_of_host


def report(key: str, region: str | None = None, role: str | None = None) -> dict[str, Any]:
    return {"replication_group_id": key, "region": region, "assume_role_arn": role}


ONE, TWO, THREE = report("one"), report("two"), report("three")
TWICE = [report("one", "us-west-2"), report("one", "us-east-1"), report("one", "us-east-1", "arn:x"), TWO]


@pytest.mark.parametrize(
    ("reports", "host", "variables", "told"),
    [
        ([ONE, TWO, THREE], "two", {}, [TWO]),
        ([ONE, TWO, THREE], "h1", {"replication_group_id": "One"}, [ONE]),
        # A host that stands for none of them tells of all.
        ([ONE, TWO, THREE], "bastion", {}, [ONE, TWO, THREE]),
        ([], "one", {}, []),
        # The same id in another region or account is another group.
        (TWICE, "one", EAST, [TWICE[1]]),
        (TWICE, "h", {**EAST, "replication_group_id": "one", "elasticache_assume_role_arn": "arn:x"}, [TWICE[2]]),
        # A list said where it is, and the host does not.
        (TWICE, "one", {}, TWICE[:3]),
        (TWICE, "bastion", WEST, TWICE),
    ],
)
def test_reports_of_host(
    reports: list[dict[str, Any]], host: str, variables: dict[str, Any], told: list[dict[str, Any]]
) -> None:
    assert reports_of_host(reports, host, variables) == told


@pytest.mark.parametrize(
    ("groups", "hostvars", "silent"),
    [
        (["one", "two"], {"one": {}, "h": {"replication_group_id": "TWO"}}, []),
        (["one", "two", "three"], {"two": {}}, ["one", "three"]),
        # A host that stands for none of them speaks for all.
        (["one", "two"], {"one": {}, "bastion": {}}, []),
        (["one"], {"one": {}, "two": {}}, []),
        ([], {"one": {}}, []),
    ],
)
def test_without_host(groups: list[str], hostvars: dict[str, dict[str, Any]], silent: list[str]) -> None:
    targets = targets_of(LIST, groups, list(hostvars), hostvars)
    assert without_host(targets, hostvars, hostvars) == silent
    reports = [report(key) for key in groups]
    told = {one["replication_group_id"] for host in hostvars for one in reports_of_host(reports, host, hostvars[host])}
    assert sorted(set(groups) - told) == silent


@pytest.mark.parametrize(
    ("variables", "elsewhere", "silent"),
    [
        # The one host stands for the group of its own region only.
        ({"elasticache_region": "eu-central-1"}, ["sessions"], ["sessions"]),
        ({"elasticache_region": "eu-central-1"}, ["carts"], ["carts"]),
        ({}, ["sessions"], ["sessions"]),
        # It names a region or account without any of them: it speaks for both; or it stands for none, and so for all.
        ({"elasticache_region": "eu-west-1", "elasticache_assume_role_arn": "arn:x"}, ["sessions"], []),
        ({"replication_group_id": "none-of-these"}, ["sessions", "carts"], []),
    ],
)
def test_the_same_id_elsewhere_without_host(variables: dict[str, Any], elsewhere: list[str], silent: list[str]) -> None:
    hostvars = {"sessions": variables}
    here = {"replication_group_ids": ["sessions"], **({"region": "eu-central-1"} if "region" in str(variables) else {})}
    groups = [here, {"replication_group_ids": elsewhere, "region": "us-east-1"}]
    targets = targets_of(LIST, groups, list(hostvars), hostvars)
    assert without_host(targets, hostvars, hostvars) == silent
    reports = [
        {"replication_group_id": key, "region": target["region"] or None, "assume_role_arn": target["assume_role_arn"]}
        for target in targets
        for key in target["replication_group_ids"]
    ]
    told = reports_of_host(reports, "sessions", variables)
    assert sorted(one["replication_group_id"] for one in reports if one not in told) == silent
