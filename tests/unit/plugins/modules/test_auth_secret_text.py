# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What a secret's text holds, and how a token is put into it without touching anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.secret_text import (
    differing_keys,
    token_in,
    with_token,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.tokens import ALPHABET

OLD = "Aaquae7Zooph3yahTheiV1ee-old"
NEW = "Been&go9o<Raesh^Ahf>ah2Ie$!#"

NO_OBJECT = (
    "it holds no JSON object, so it has no key k. Leave auth_token_secret.key out where the secret is the bare token."
)

TOO_DEEP = "it holds JSON that is nested too deeply to be read. Take that part out."
TOO_LONG = "it holds a number with too many digits to be read. Store it as a text, or take it out."
MARKED = "it begins with a byte order mark (U+FEFF), which no token and no JSON begins with. Store the text without it."
TWICE = "it has the key k more than once, and not every reader takes the same one. Keep the one in force."
IN_NO_TOKEN = "it holds {} as character {} of the token, which no token can have. Store the token without it."
NESTED = '"n": {' * 100_000

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda some: st.lists(some, max_size=4) | st.dictionaries(st.text(), some, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f'{{"k": "{OLD}"}}', f'{{"k": "{NEW}"}}'),
        (f'{{"k":"{OLD}","port":6379}}', f'{{"k":"{NEW}","port":6379}}'),
        ('{"k": ""}', f'{{"k": "{NEW}"}}'),
        (f' {{ "a" : 1.10 ,\n\t"k" : "{OLD}" ,"z":1e400}} \n', f' {{ "a" : 1.10 ,\n\t"k" : "{NEW}" ,"z":1e400}} \n'),
        (f'{{"a": {{"k": "inner"}}, "k": "{OLD}"}}', f'{{"a": {{"k": "inner"}}, "k": "{NEW}"}}'),
        (f'{{"a": "k", "k": "{OLD}", "b": ["k", "}}"]}}', f'{{"a": "k", "k": "{NEW}", "b": ["k", "}}"]}}'),
        (f'{{"a,\\"k\\": ": "\\"", "k": "{OLD}"}}', f'{{"a,\\"k\\": ": "\\"", "k": "{NEW}"}}'),
        (f'{{"ü": "ö", "k": "{OLD}", "ü": 2}}', f'{{"ü": "ö", "k": "{NEW}", "ü": 2}}'),
        ('{"\\u006b": "escaped"}', f'{{"\\u006b": "{NEW}"}}'),
        (
            '{"k": "", "n": 123456789012345678901234567890.10}',
            f'{{"k": "{NEW}", "n": 123456789012345678901234567890.10}}',
        ),
    ],
)
def test_a_token_takes_its_place_and_nothing_else_moves(before: str, after: str) -> None:
    assert with_token(before, "k", NEW) == after
    assert token_in(after, "k", "it") == NEW


def test_a_bare_secret_is_the_token() -> None:
    assert with_token("whatever it was", None, NEW) == NEW
    assert token_in(NEW, None, "it") == NEW


@given(
    others=st.dictionaries(st.text(), JSON, max_size=5),
    key=st.text(min_size=1),
    token=st.text(ALPHABET, min_size=16, max_size=128),
    indent=st.sampled_from([None, 0, 2]),
    ascii_only=st.booleans(),
    position=st.integers(0, 5),
)
def test_any_object_keeps_its_other_keys(
    others: dict[str, Any], key: str, token: str, indent: int | None, ascii_only: bool, position: int
) -> None:
    items = [(name, value) for name, value in others.items() if name != key]
    items.insert(position, (key, OLD))
    text = json.dumps(dict(items), indent=indent, ensure_ascii=ascii_only)
    changed = with_token(text, key, token)
    assert json.loads(changed) == {**dict(items), key: token}
    assert list(json.loads(changed)) == [name for name, dummy in items]
    assert token_in(changed, key, "it") == token
    assert with_token(changed, key, OLD) == text
    assert differing_keys(changed, text, key) == []


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        (None, None, "it holds no text. Store the token in its SecretString."),
        ("", "k", "it holds no text. Store the token in its SecretString."),
        ('{"k": "t"}', None, "it holds JSON. Name the token's key in auth_token_secret.key."),
        ('{"k": "t",}', "k", "it holds malformed JSON (line 1, column 11). Repair it."),
        ('\n{"k": "t"', "k", "it holds malformed JSON (line 2, column 10). Repair it."),
        (
            "[1]",
            "k",
            NO_OBJECT,
        ),
        (
            "[" * 100_000,
            "k",
            NO_OBJECT,
        ),
        (f'{{"k": "t", "n": {"[" * 100_000}}}', "k", TOO_DEEP),
        (f'{{"k": "t", "n": {"{" + NESTED}', "k", TOO_DEEP),
        (f'{{"k": "t", "n": {"[" * 100_000}}}', None, "it holds JSON. Name the token's key in auth_token_secret.key."),
        (f'{{"k": "t", "n": {"1" * 5_000}}}', "k", TOO_LONG),
        (f'{{"n": -{"1" * 5_000}, "k": "t"}}', "k", TOO_LONG),
        (f'{{"k": "t", "n": {"1" * 5_000}}}', None, "it holds JSON. Name the token's key in auth_token_secret.key."),
        ("1" * 5_000, "k", NO_OBJECT),
        ('\ufeff{"k": "t"}', "k", MARKED),
        (f"\ufeff{OLD}", None, MARKED),
        (f"\ufeff{OLD}", "k", MARKED),
        ('{"k": "one", "k": "two"}', "k", TWICE),
        ('{"k": "same", "a": 1, "\\u006b": "same"}', "k", TWICE),
        ('{"k": "t", "k": null}', "k", TWICE),
        ('{"k": "a\\u0000"}', "k", IN_NO_TOKEN.format("U+0000", 2)),
        ("ab\0", None, IN_NO_TOKEN.format("U+0000", 3)),
        ('{"k": "a\0"}', "k", "it holds malformed JSON (line 1, column 9). Repair it."),
        ('{"k": "\\udfff"}', "k", IN_NO_TOKEN.format("U+DFFF", 1)),
        ('{"x": "t"}', "k", "it has no text under the key k. Check auth_token_secret.key."),
        ('{"k": null}', "k", "it has no text under the key k. Check auth_token_secret.key."),
        ('{"k": 1}', "k", "it has no text under the key k. Check auth_token_secret.key."),
    ],
)
def test_what_can_not_be_understood_is_reported(text: str | None, key: str | None, message: str) -> None:
    with pytest.raises(AuthError) as raised:
        token_in(text, key, "it")
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ('{"k": "t", "a": 1, "a": 2}', "t"),
        ('{"k": "t", "a": {"k": 1, "k": 2}}', "t"),
        ('{"k": "t", "n": 1' + "0" * 4000 + "}", "t"),
        ('{"k": "\\ud83d\\ude00"}', "\U0001f600"),
        ('{"k": "t", "\\ud800": "\\u0000"}', "t"),
    ],
)
def test_what_is_beside_the_token_does_not_matter(text: str, token: str) -> None:
    assert token_in(text, "k", "it") == token
    assert token_in(with_token(text, "k", NEW), "k", "it") == NEW


def test_an_empty_text_under_the_key_is_no_token_yet() -> None:
    assert token_in('{"k": ""}', "k", "it") == ""


@pytest.mark.parametrize(
    ("one", "other", "names"),
    [
        ('{"k": 1, "a": 1}', '{"k": 2, "a": 1}', []),
        ('{"k": 1, "a": 1}', '{"k": 1, "b": 1, "a": 2}', ["a", "b"]),
        ('{"k": 1, "a": null}', '{"k": 1}', ["a"]),
        ("bare", '{"k": 1}', []),
        (None, '{"k": 1}', []),
        ("[1]", "[2]", []),
    ],
)
def test_other_keys_that_differ(one: str | None, other: str | None, names: list[str]) -> None:
    assert differing_keys(one, other, "k") == names
    assert differing_keys(other, one, "k") == names
