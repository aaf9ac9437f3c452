# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Options that modules share, and the tokens in them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._auth.options import check_waiting, group_ids
from ansible_collections.elasticache.auth.plugins.module_utils._auth.tokens import (
    GIVEN,
    Token,
    TokenSet,
    collect,
    distinct,
    label,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core import record
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError

A, B = "Aaquae7Zooph3yahTheiV1ee-old", "Beengo9ooRaeShahfah2Ieyi-new"


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        (["a"], ["a"]),
        (["Sessions", " carts "], ["sessions", "carts"]),
        (["x" * 40], ["x" * 40]),
        (["a-1-b"], ["a-1-b"]),
        ([], []),
    ],
)
def test_ids(given: list[str], ids: list[str]) -> None:
    """In lower case, as AWS stores them (elasticache-facts §5)."""
    assert group_ids(given) == ids


@pytest.mark.parametrize(
    "given", ["", "1a", "-a", "a-", "a--b", "a_b", "a b", "a.b", "x" * 41, "é", "a\nb", "arn:aws:x"]
)
def test_what_is_no_id(given: str) -> None:
    with pytest.raises(AuthError, match="can't be the id of a replication group"):
        group_ids([given])


def test_the_same_id_twice() -> None:
    with pytest.raises(AuthError, match=r"^replication_group_ids: a, b is listed twice\."):
        group_ids(["a", "b", "c", "A", "B"])


@pytest.mark.parametrize(
    ("timeout", "delay", "wrong"),
    [(0, 1, None), (3600, 0.001, None), (-0.1, 1, "wait_timeout"), (1, 0, "wait_delay"), (1, -1, "wait_delay")],
)
def test_times(timeout: float, delay: float, wrong: str | None) -> None:
    params = {"wait_timeout": timeout, "wait_delay": delay}
    if wrong is None:
        check_waiting(params)
    else:
        with pytest.raises(AuthError, match=f"^{wrong}: "):
            check_waiting(params)


class TestTokens:
    """Names stand for tokens everywhere but here."""

    def test_no_value_occurs_twice(self) -> None:
        """A known token that is the wanted one is that one, and is not counted again."""
        tokens = distinct(Token(GIVEN, A), [Token("known token 1", A), Token("known token 2", B)], True)
        assert tokens.names == (GIVEN, "known token 2")
        assert tokens.values == {GIVEN: A, "known token 2": B}
        again = distinct(None, [Token("x", A), Token("y", A)], False)
        assert again.names == ("x",)

    def test_no_repr_shows_one(self) -> None:
        tokens = distinct(Token(GIVEN, A), [Token("known token 1", B)], True)
        assert A not in repr(tokens)
        assert B not in repr(tokens)

    def test_references_are_matched(self) -> None:
        """By fingerprint, by version id, and not at all where neither can tell."""
        tokens = TokenSet(Token(GIVEN, A), (Token("AWSCURRENT", B, "4f1b"),))
        references: dict[str, Any] = {
            record.reference(A): GIVEN,
            record.reference(B): "AWSCURRENT",
            "v.4f1b": "AWSCURRENT",
        }
        names, aliases = tokens.resolve(references)
        assert names == references
        assert aliases == {}
        names, aliases = tokens.resolve(["v.9c0d", "u.1", record.reference("C" * 16), "not a reference"])
        assert names == {}
        assert aliases["v.9c0d"] == {GIVEN}  # it may be the version that holds what was given bare
        assert aliases["u.1"] == {GIVEN, "AWSCURRENT"}
        assert frozenset() in aliases.values()

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            (GIVEN, "the token given"),
            ("AWSPENDING", "the token in AWSPENDING"),
            ("known token 2", "known token 2"),
            ("previous token", "the previous token"),
            ("unknown token", "an unknown token"),
            ("another unknown token", "another unknown token"),
            ("u.2", "a token that was not at hand when it was put on record"),
            ("v.4f1b", "the token on record as v.4f1b"),
        ],
    )
    def test_words(self, name: str, words: str) -> None:
        assert label(name) == words


def test_an_empty_text_is_no_known_token() -> None:
    """A variable that turned out empty must not vouch for there being no other token."""
    given = {"auth_token": A, "known_auth_tokens": [""]}
    collected = collect(None, given, ["a"], hide=[].append, needed=True)  # type: ignore[arg-type]  # no secret is read
    assert str(collected["a"]).startswith("a: known_auth_tokens holds an empty text")
