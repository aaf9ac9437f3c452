# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Lists as users give them: one id is a list of one, any other text is refused, whatever it looks like."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.lists import (
    GROUPS,
    REGIONS,
    USERS,
    Item,
    is_id,
    one_or_more,
    texts_for_lists,
)

NAME = "rotate_token_replication_groups"


@pytest.mark.parametrize(
    ("item", "value", "items"),
    [
        (GROUPS, "carts", ["carts"]),
        (GROUPS, " Carts ", ["Carts"]),
        (GROUPS, ["carts", " Sessions"], ["carts", "Sessions"]),
        (GROUPS, ("carts",), ["carts"]),
        (GROUPS, [], []),
        (USERS, "app", ["app"]),
        (USERS, "{replication_group_id}-app", ["{replication_group_id}-app"]),
        (REGIONS, "eu-central-1", ["eu-central-1"]),
        (REGIONS, ["us-gov-west-1"], ["us-gov-west-1"]),
    ],
)
def test_what_is_taken(item: Item, value: Any, items: list[str]) -> None:
    assert one_or_more(NAME, value, item) == items


OUT = 'Pass a list: -e \'{"rotate_token_replication_groups": '


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("a,b", f"""{NAME}: 'a,b' is not the id of a replication group. {OUT}["a", "b"]}}', or in YAML [a, b]."""),
        ("a b", f"""{OUT}["a", "b"]"""),
        ("a\nb", f""": 'a\\nb' is not the id of a replication group. {OUT}["a", "b"]"""),
        ('["a", "b"]', f"""{OUT}["a", "b"]"""),
        ("['a']", f"""{OUT}["a"]}}', or in YAML [a]."""),
        ("a,b,c,d,e,f", f"""{OUT}["sessions", "carts"]"""),
        ("a_b", f"""'a_b' is not the id of a replication group. {OUT}["sessions", "carts"]}}'"""),
        ("all", None),
        ("", "'' is not the id"),
        ("{{ groups }}", "'{{ groups }}' is not the id"),
        ("x" * 200, "'" + "x" * 80 + "...' is not the id"),
        (None, f"{NAME}: null is not a list. Pass a list: "),
        (5, f"{NAME}: the number 5 is not a list. "),
        (True, f"{NAME}: the boolean true is not a list. "),
        ({"a": 1}, f"{NAME}: a dictionary is not a list. "),
        ([["a"]], f"{NAME}: a list in it is not the id of a replication group. "),
        (["a", 2], f"{NAME}: the number 2 in it is not the id of a replication group. "),
        (["a", None], f"{NAME}: null in it is not "),
        ([{"region": "x"}], f"{NAME}: a dictionary in it is not "),
        (["a,b"], f"{NAME}: 'a,b' is not the id of a replication group. It has 1 to 40 letters"),
        ([""], f"{NAME}: '' is not "),
    ],
)
def test_what_is_refused(value: Any, says: str | None) -> None:
    """With the name, the value, and what to type."""
    if says is None:
        assert one_or_more(NAME, value, GROUPS) == [value]  # nothing tells it from an id
        return
    with pytest.raises(AuthError) as raised:
        one_or_more(NAME, value, GROUPS)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_dictionaries_where_they_may_be() -> None:
    place = {"region": "us-west-2", "replication_group_ids": ["a"]}
    assert one_or_more(NAME, ["b", place], GROUPS, dicts=True) == ["b", place]
    with pytest.raises(AuthError, match="a dictionary is not a list"):
        one_or_more(NAME, place, GROUPS, dicts=True)


def test_of_an_option() -> None:
    with pytest.raises(
        AuthError, match=r"^regions: 'aa-b-1,cc-d-2' is not a region\. Pass a list: \[aa-b-1, cc-d-2\]\.$"
    ):
        one_or_more("regions", "aa-b-1,cc-d-2", REGIONS, variable=False)


@given(st.one_of(st.text(), st.lists(st.text(min_size=1)).map(",".join)))
def test_no_text_becomes_anything_but_itself(text: str) -> None:
    """Never its letters, never its parts."""
    if is_id(text):
        assert one_or_more(NAME, text, GROUPS) == [text.strip()]
    else:
        with pytest.raises(AuthError):
            one_or_more(NAME, text, GROUPS)


SPEC: dict[str, Any] = {
    "ids": {"type": "list", "elements": "str", "aliases": ["id"]},
    "tokens": {"type": "list", "elements": "str", "no_log": True},
    "name": {"type": "str"},
    "targets": {
        "type": "list",
        "elements": "dict",
        "options": {"ids": {"type": "list", "elements": "str"}, "region": {"type": "str"}},
    },
    "source": {"type": "dict", "options": {"stages": {"type": "list", "elements": "str"}}},
}


@pytest.mark.parametrize(
    ("arguments", "problems"),
    [
        ({}, []),
        ({"ids": ["a", "b"], "tokens": ["t"], "name": "a,b"}, []),
        ({"ids": "a", "tokens": "t"}, []),
        ({"ids": "a, b"}, ["ids: 'a, b' is not a list. Pass a list: [a, b]."]),
        ({"id": "a,b"}, ["id: 'a,b' is not a list. Pass a list: [a, b]."]),
        ({"tokens": "quiet,still"}, ["tokens: a text with commas in it is not a list. Pass a list: [..., ...]."]),
        ({"targets": [{"ids": "a"}, {"ids": "b,c"}]}, ["targets[1].ids: 'b,c' is not a list. Pass a list: [b, c]."]),
        ({"targets": "ids=a,region=b"}, ["targets: a text with commas in it is not a list. Pass a list: [..., ...]."]),
        ({"source": {"stages": "a,b"}}, ["source.stages: 'a,b' is not a list. Pass a list: [a, b]."]),
    ],
)
def test_texts_given_to_a_module(arguments: dict[str, Any], problems: list[str]) -> None:
    """A token is not shown."""
    assert [found.message for found in texts_for_lists(SPEC, arguments)] == problems


def test_secret_items_of_texts() -> None:
    assert [found.secrets for found in texts_for_lists(SPEC, {"tokens": "quiet, still"})] == [("quiet", "still")]
    assert [found.secrets for found in texts_for_lists(SPEC, {"ids": "a,b"})] == [()]
