# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What the roles' variables have to be, beyond what Ansible checks of them by their argument_specs."""

from __future__ import annotations

import math
from typing import Any

import pytest
from unit.plugins.plugin_utils.role_specs import ALL

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.plugin_utils._role_variables import (
    DICTS,
    LISTS,
    MONITOR,
    NUMBERS,
    check_variables,
)
from ansible_collections.elasticache.auth.plugins.plugin_utils._strategy import keeps_in_step

OF_LISTS = [(role, short) for role, options in ALL.items() for short in options if options[short]["type"] == "list"]
OF_DICTS = [(role, short) for role, options in ALL.items() for short in options if options[short]["type"] == "dict"]


def test_every_list_and_dictionary_of_every_role_is_checked() -> None:
    assert {short for dummy, short in OF_LISTS} == set(LISTS)
    assert {short for dummy, short in OF_DICTS} == set(DICTS)
    assert len(OF_LISTS) == 11


@pytest.mark.parametrize(("role", "short"), OF_LISTS)
def test_lists(role: str, short: str) -> None:
    """One item is a list of one. Whatever else is no list is refused, with the variable's name and what to type."""
    one, other = LISTS[short].examples
    for good in (one, [one], [one, other], []):
        check_variables(role, {short: good})
    for bad in (
        f"{one},{other}",
        f"{one} {other}",
        f'["{one}"]',
        "",
        "?",
        None,
        5,
        1.5,
        False,
        {one: 1},
        [[one]],
        [None],
    ):
        with pytest.raises(AuthError, match=f'^{role}_{short}: .* Pass a list: -e \'{{"{role}_{short}": '):
            check_variables(role, {short: bad})


@pytest.mark.parametrize(("role", "short"), OF_DICTS)
def test_dictionaries(role: str, short: str) -> None:
    """What is none of them may be a token, and is not shown."""
    check_variables(role, {short: {"sessions": "t" * 20}})
    for bad in ("t" * 20, f"sessions={'t' * 20}", ["t" * 20], None):
        with pytest.raises(AuthError, match=f"^{role}_{short}: .* is not a dictionary") as raised:
            check_variables(role, {short: bad})
        assert "t" * 20 not in str(raised.value)


OF_NUMBERS = [(role, short) for role, options in ALL.items() for short in options if short in NUMBERS]


def test_every_number_of_every_role_is_checked() -> None:
    numbers = {short for options in ALL.values() for short in options if options[short]["type"] in ("int", "float")}
    assert numbers | {"soak"} == set(NUMBERS)


@pytest.mark.parametrize(("role", "short"), OF_NUMBERS)
def test_numbers(role: str, short: str) -> None:
    """Also those that are texts, as ``-e name=value`` gives them."""
    rest = {name: ALL[role][name]["default"] for name in MONITOR.values() if name in ALL[role]}
    for good in (60, 60.0, "60", " 60 "):
        check_variables(role, {**rest, short: good})
    for bad in ("", "abc", "10%", -1, "-1", None, True, [1], "nan", -math.inf):
        if short == "soak" and bad in ("", None):
            check_variables(role, {short: bad})
            continue
        with pytest.raises(AuthError, match=rf"^{role}_{short}: .* is not possible\. Give "):
            check_variables(role, {**rest, short: bad})


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"wait_delay": 0}, "rotate_token_wait_delay: the number 0 is not possible. Give seconds above 0."),
        ({"soak": "abc"}, "rotate_token_soak: 'abc' is not possible. Give seconds, 0 or more."),
        ({"soak": math.inf}, "rotate_token_soak: the number inf is not possible."),
        (
            {"max_fail_percentage": 101},
            "rotate_token_max_fail_percentage: the number 101 is not possible.",
        ),
        (
            {"monitor_duration": 100, "monitor_period": 45},
            "rotate_token_monitor_period: CloudWatch has none of 45 seconds",
        ),
        ({"monitor_duration": 30}, "rotate_token_monitor_duration: 30 seconds are less than one period of 60"),
        ({"secret_name": ""}, "rotate_token_secret_name is empty. Name the secret that holds the token"),
        ({"secret_name": None}, "rotate_token_secret_name is empty."),
        ({"user_id": " "}, "rotate_token_user_id is empty."),
    ],
)
def test_values(values: dict[str, Any], says: str) -> None:
    """What a watch would refuse is refused first, as it is made after SET."""
    watch = {short: ALL["rotate_token"][short]["default"] for short in MONITOR.values()}
    with pytest.raises(AuthError) as raised:
        check_variables("rotate_token", {**watch, **values})
    assert str(raised.value).startswith(says)


def test_values_that_are_no_trouble() -> None:
    check_variables("rotate_token", {"max_token_age_days": math.inf, "wait_timeout": math.inf})
    check_variables("rotate_token", {"secret_name": "", "auth_tokens": {"a": "t" * 20}})
    check_variables(
        "rotate_token",
        {"monitor_duration": 0, "monitor_period": 45, "monitor_poll_interval": 15, "monitor_max_failures": 1},
    )


@pytest.mark.parametrize("role", list(ALL))
def test_the_defaults_are_no_trouble(role: str) -> None:
    check_variables(role, {short: option["default"] for short, option in ALL[role].items() if "default" in option})


def test_groups_of_other_targets() -> None:
    place = {"region": "us-west-2", "replication_group_ids": ["a"]}
    check_variables("rotate_token", {"replication_groups": ["b", place]})
    with pytest.raises(AuthError, match=r"^audit_replication_groups: a dictionary in it is not the id"):
        check_variables("audit", {"replication_groups": ["b", place]})


def test_conditions_are_named() -> None:
    with pytest.raises(AuthError, match=r"^audit_fail_on: 'opne' is not a condition. There are: open, optional, "):
        check_variables("audit", {"fail_on": ["opne"]})


@pytest.mark.parametrize(
    ("strategy", "in_step"),
    [
        ("linear", True),
        ("ansible.builtin.linear", True),
        ("debug", True),
        ("ansible.legacy.debug", True),
        ("free", False),
        ("ansible.builtin.free", False),
        ("host_pinned", False),
        ("mitogen_linear", False),
        ("mitogen_free", False),
        ("acme.tools.linear", False),
        ("", False),
    ],
)
def test_strategies(strategy: str, in_step: bool) -> None:
    assert keeps_in_step(strategy) is in_step
