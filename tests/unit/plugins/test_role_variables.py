# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What the roles' variables have to be, beyond what Ansible checks of them by their argument_specs."""

from __future__ import annotations

import pytest
from unit.plugins.role_specs import ALL

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.plugin_utils._role_variables import DICTS, LISTS, check_variables
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


def test_groups_of_other_places() -> None:
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
