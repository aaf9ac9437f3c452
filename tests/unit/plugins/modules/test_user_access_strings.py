# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Access strings: what AWS shows is compared by what the rules come to, not by their letters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.elasticache.auth.plugins.module_utils._core.access_strings import (
    canonical,
    not_rules,
    same_access,
)

RULES = ("on", "off", "~a*", "~B", "%R~c", "&ch", "+get", "-set", "+@read", "-@all", "+@all", "(~x +get)", "resetkeys")


@pytest.mark.parametrize(
    ("wanted", "current"),
    [
        ("on ~app:* +@read", "on ~app:* -@all +@read"),  # go-to-k/cdk-real-drift 482
        ("on allkeys allcommands", "on ~* +@all"),  # hashicorp/terraform-provider-aws 20334
        ("on ~* +@all", "on  ~*   +@all"),
        ("+@all on ~*", "on ~* +@all"),
        ("on ~b ~a +get", "on ~a ~b -@all +get"),
        ("~* +@read", "off ~* -@all +@read"),
        ("on ~* +@read", "on ~* resetchannels -@all +@read"),
        ("on ~* allchannels +@all", "on ~* &* +@all"),
        ("on %RW~a +get", "on ~a -@all +get"),
        ("ON ~* +GET", "on ~* -@all +get"),
        ("on +get -@all +set", "on -@all +set"),
        ("on (~a* +GET) ~b", "on ~b (~a* -@all +get)"),
    ],
)
def test_the_same(wanted: str, current: str) -> None:
    assert same_access(wanted, current)


@pytest.mark.parametrize(
    ("wanted", "current"),
    [
        ("on ~* +@all -@dangerous", "on ~* -@dangerous +@all"),
        ("on ~* +@all", "off ~* +@all"),
        ("on ~a +@all", "on ~A +@all"),
        ("on ~a +@all", "on %R~a +@all"),
        ("on ~a +@all", "on ~a ~b +@all"),
        ("on ~* resetchannels +@all", "on ~* +@all"),
        ("on ~* &a +@all", "on ~* +@all"),
        ("on ~* +@all", "on ~* &* +@all"),
        ("on ~* +get", "on ~* +get +set"),
        ("on (~a +get)", "on (~b +get)"),
        ("on ~* +@all", "on ~* +@all sanitize-payload"),
    ],
)
def test_not_the_same(wanted: str, current: str) -> None:
    assert not same_access(wanted, current)


@pytest.mark.parametrize(
    ("text", "enabled"), [("on ~*", True), ("~*", False), ("on off", False), ("off ON", True), ("(on) ~*", False)]
)
def test_whether_a_user_is_on(text: str, enabled: bool) -> None:
    assert canonical(text).enabled is enabled


@given(st.lists(st.sampled_from(RULES)))
def test_a_baseline_that_aws_adds_is_no_difference(rules: list[str]) -> None:
    text = " ".join(rules)
    assert same_access(text, text)
    assert same_access(text, f"off -@all resetkeys {text}")


@given(st.lists(st.sampled_from(RULES)), st.sampled_from(["+hget", "~other", "%W~other", "(~y +get)"]))
def test_a_right_more_is_a_difference(rules: list[str], right: str) -> None:
    text = " ".join(rules)
    assert not same_access(text, f"{text} {right}")
    assert not same_access(f"{text} {right}", text)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("on nonsense", [2]),
        ("nonsense", [1]),
        ("on ~* +@all,-@dangerous", []),  # AWS is asked
        ("on ~* read +@all get", [3, 5]),
        ("on * +@all", [2]),
        ("on ~* + - +@ -@ +@@all", [3, 4, 5, 6, 7]),
        ("on %X~a %~a %a", [2, 3, 4]),
        ("on (~a nonsense) +get", [2]),
        ("on ~* +get|set -config|set +@a-category-that-is-yet-to-come +module.command", []),
        ("on db=0,1 alldbs resetdbs ~* +@all", []),
        ("ON AllKeys +GET %rw~a %R~b &ch ( +get ~x)", []),
        ("on ~ &", []),  # the engine takes an empty pattern
        (f"off {' '.join(RULES)}", []),
        ("on ~* &* +@all", []),
    ],
)
def test_what_can_be_no_rule(text: str, numbers: list[int]) -> None:
    assert not_rules(text) == numbers
