# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""AUTH tokens: AWS's hard rules, its password advice, and the generator (elasticache-facts §5)."""

from __future__ import annotations

import itertools
import string
import sys
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.elasticache.auth.plugins.module_utils._core import tokens

SIXTEEN = "Kv7&Qm2#Xz9^Tn4>"

ONLY = "and AWS takes letters, digits and !&#$^<>- only"
NEVER = "which AWS takes in no token"
LENGTH_PHRASE = "it has {} characters, AWS takes 16 to 128"
LINE_BREAK = "it ends in a line break (character {}): store it without, with printf in the place of echo"


@pytest.mark.parametrize(
    ("token", "violations"),
    [
        (SIXTEEN, []),
        ("a" * 16, []),
        ("a" * 128, []),
        ("!&#$^<>-" * 2, []),
        (string.ascii_letters + string.digits, []),
        ("", [LENGTH_PHRASE.format(0)]),
        ("a" * 15, [LENGTH_PHRASE.format(15)]),
        ("a" * 129, [LENGTH_PHRASE.format(129)]),
        *(
            (SIXTEEN[:-1] + character, [f"character 16 is '{character}', {ONLY}"])
            for character in "/\"@%*_.,+=:;'`~|?()[]{}\\"
        ),
        (SIXTEEN[:-1] + "\0", [f"character 16 is U+0000, {ONLY}"]),
        (SIXTEEN[:-1] + " ", [f"character 16 is a space, {ONLY}"]),
        (SIXTEEN[:-1] + "\t", [f"character 16 is a tab, {ONLY}"]),
        (SIXTEEN[:8] + "\n" + SIXTEEN[8:], [f"character 9 is a line break, {ONLY}"]),
        ("ä" + SIXTEEN, [f"character 1 is U+00E4, {ONLY}"]),
        ("\N{FULLWIDTH LATIN SMALL LETTER A}" + SIXTEEN, [f"character 1 is U+FF41, {ONLY}"]),
        ("\N{ARABIC-INDIC DIGIT ONE}" + SIXTEEN, [f"character 1 is U+0661, {ONLY}"]),
        ("@" + SIXTEEN + "%", [f"character 1 is '@', {ONLY} (likewise character 18)"]),
        (SIXTEEN + "%" * 6, [f"character 17 is '%', {ONLY} (likewise character 18, 19, 20, 21, ...)"]),
        ("p@ss", [LENGTH_PHRASE.format(4), f"character 2 is '@', {ONLY}"]),
        (SIXTEEN + "\n", [LINE_BREAK.format(17)]),
        (SIXTEEN + "\r\n", [LINE_BREAK.format(17)]),
        ("a" * 128 + "\n\n", [LINE_BREAK.format(129)]),
        ("a" * 15 + "\n", [LENGTH_PHRASE.format(15), LINE_BREAK.format(16)]),
    ],
)
def test_hard_rules(token: str, violations: list[str]) -> None:
    assert tokens.rule_violations(token) == violations


@pytest.mark.parametrize(
    ("token", "violations"),
    [
        (SIXTEEN, []),
        *((SIXTEEN[:-1] + character, []) for character in " *_.,+=:;'`~|?()[]{}\\"),
        *((SIXTEEN[:-1] + character, [f"character 16 is '{character}', {NEVER}"]) for character in '/"@%'),
        (SIXTEEN[:-1] + "\x7f", [f"character 16 is U+007F, {NEVER}"]),
        ("ä" + SIXTEEN, [f"character 1 is U+00E4, {NEVER}"]),
        ("short", [LENGTH_PHRASE.format(5)]),
        (SIXTEEN + "\n", [LINE_BREAK.format(17)]),
    ],
)
def test_what_can_be_in_force(token: str, violations: list[str]) -> None:
    """The modify page's rules are wider than those of a create (elasticache-facts §5)."""
    assert tokens.in_force_violations(token) == violations


@given(st.text(max_size=140))
def test_every_valid_token_can_be_in_force(token: str) -> None:
    assert tokens.rule_violations(token) or not tokens.in_force_violations(token)


CLASSES = "it mixes fewer than three of upper case, lower case, digits and !&#$^<>-"
WORD = "it contains a dictionary word, a common password or a slight variation of one"
RECENT = "it is the same as or similar to a recently used token"


@pytest.mark.parametrize(
    ("token", "recent", "violations"),
    [
        (SIXTEEN, [], []),
        ("kvqm&xztn#wrpl^hg", [], [CLASSES]),
        ("KVQM2XZTN7WRPL9HG", [], [CLASSES]),
        ("Kvq&mxz#tnw^rpl>hg", [], []),
        ("7&4#9^2>7&4#9^2>", [], [CLASSES]),
        ("Kv7&Xz9^elephant#Qm2", [], [WORD]),
        ("Kv7&Xz9^3l3ph4nt#Qm2", [], [WORD]),
        ("Kv7&Xz9^tnahpele#Qm2", [], [WORD]),
        ("Kv7&Xz9^Passw0rd#Qm2", [], [WORD]),
        ("Kv7&Xz9^the#Qm2>Tn4", [], []),
        (SIXTEEN, [SIXTEEN], [RECENT]),
        (SIXTEEN, ["Zr5&Wd8#Hb3^Jc6>"], []),
        (SIXTEEN, ["Zr5&Wd8#Hb3^Jc6>", SIXTEEN.lower()], [RECENT]),
        ("elephantelephant", ["elephantelephant"], [CLASSES, WORD, RECENT]),
    ],
)
def test_password_advice(token: str, recent: list[str], violations: list[str]) -> None:
    assert tokens.advice_violations(token, recent) == violations


def test_the_empty_token_is_not_strong() -> None:
    assert tokens.advice_violations("") == [CLASSES]


def test_words_may_be_looked_up_elsewhere() -> None:
    assert tokens.advice_violations(SIXTEEN, find_words=lambda token: [token[:4]]) == [WORD]


def test_a_missing_dictionary_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zxcvbn", None)
    with pytest.raises(tokens.MissingDictionaryError, match="pip install zxcvbn"):
        tokens.advice_violations(SIXTEEN)
    assert tokens.rule_violations(SIXTEEN) == [], "the hard rules need no library"
    assert tokens.generate(), "and neither does the generator"


@pytest.mark.parametrize(
    ("token", "other", "expected"),
    [
        (SIXTEEN, SIXTEEN, True),
        (SIXTEEN, SIXTEEN.swapcase(), True),
        (SIXTEEN, SIXTEEN[:-1] + "!", True),
        (SIXTEEN, SIXTEEN[4:] + SIXTEEN[:4], True),
        (SIXTEEN, "prefix-" + SIXTEEN, True),
        ("prefix-" + SIXTEEN, SIXTEEN, True),
        ("".join(reversed(SIXTEEN)), SIXTEEN, False),
        (SIXTEEN, "Zr5&Wd8#Hb3^Jc6>", False),
        (SIXTEEN, "", False),
        ("", SIXTEEN, False),
        ("", "", True),
    ],
)
def test_similar(token: str, other: str, expected: bool) -> None:
    assert tokens.similar(token, other) is expected


@given(st.lists(st.sampled_from(tokens.ALPHABET), min_size=16, max_size=64, unique=True).map("".join), st.data())
def test_a_token_with_few_changes_is_similar(token: str, data: st.DataObject) -> None:
    changed = list(token)
    for dummy in range(len(token) // 8):
        changed[data.draw(st.integers(0, len(token) - 1))] = data.draw(st.sampled_from(tokens.ALPHABET))
    assert tokens.similar("".join(changed), token)


@pytest.mark.parametrize("length", range(tokens.MIN_LENGTH, tokens.MAX_LENGTH + 1))
def test_generated_tokens_keep_the_hard_rules_at_every_length(length: int) -> None:
    made = [tokens.generate(length) for dummy in range(20)]
    for token in made:
        assert len(token) == length
        assert tokens.rule_violations(token) == []
        assert tokens.advice_violations(token, find_words=lambda dummy: []) == []
        assert token[0].isalnum(), "no command line takes it for an option"
    assert not any(tokens.similar(*pair) for pair in itertools.combinations(made[:3], 2))


@pytest.mark.parametrize("length", [*range(16, 129, 16), 17, 33, 127])
def test_generated_tokens_keep_the_advice(length: int) -> None:
    assert tokens.advice_violations(tokens.generate(length)) == []


def test_no_word_that_the_dictionary_knows_fits_into_a_generated_token() -> None:
    """A sample can't show that no token ever holds a word; the dictionary itself can."""
    from zxcvbn.matching import L33T_TABLE, RANKED_DICTIONARIES

    separators = {token[3::4] for token in (tokens.generate(128) for dummy in range(200))}
    separating = set("".join(separators))
    assert separating < set(tokens.SPECIALS)
    words = set(itertools.chain.from_iterable(RANKED_DICTIONARIES.values()))
    assert len(words) > 50_000
    assert {word for word in words if len(word) >= tokens.MIN_WORD_LENGTH and separating & set(word)} == set()
    assert not separating & set(itertools.chain.from_iterable(L33T_TABLE.values()))


def test_generated_tokens_use_the_whole_alphabet_and_differ() -> None:
    made = [tokens.generate() for dummy in range(300)]
    assert set("".join(made)) == set(tokens.ALPHABET)
    assert len(set(made)) == len(made)
    assert {len(token) for token in made} == {tokens.DEFAULT_LENGTH}


@pytest.mark.parametrize("length", [-1, 0, 15, 129])
def test_no_token_of_a_length_that_aws_does_not_take(length: int) -> None:
    with pytest.raises(ValueError, match=f"a token of {length} characters was asked for, AWS takes 16 to 128"):
        tokens.generate(length)


_ODD = '/"@% *_.,+=:;ÄÖ'


def not_taken(rule: Callable[[str], list[str]], character: str) -> bool:
    """Whether a token may not hold the character."""
    return bool(rule(SIXTEEN[:8] + character + SIXTEEN[8:]))


@settings(max_examples=200)
@given(
    st.text(tokens.ALPHABET + _ODD, max_size=140),
    st.lists(st.text(tokens.ALPHABET, max_size=40), max_size=2),
)
def test_messages_tell_nothing_of_the_token(token: str, recent: list[str]) -> None:
    """They depend on its length and on where forbidden characters are, the first of which they name."""
    for rule in (tokens.rule_violations, tokens.in_force_violations):
        odd = [not_taken(rule, character) for character in token]
        first = odd.index(True) if True in odd else len(token)
        shape = "".join(token[first] if at == first else "/" if odd[at] else "A" for at in range(len(token)))
        assert rule(token) == rule(shape)
    said = tokens.advice_violations(token, recent, find_words=lambda dummy: [token])
    assert set(said) <= {CLASSES, WORD, RECENT}


@given(st.text(string.ascii_uppercase + _ODD.replace(" ", "").replace(",", ""), min_size=4, max_size=140))
def test_no_piece_of_a_token_is_in_a_message(token: str) -> None:
    """The tokens here share no run of four characters with the messages' own words."""
    said = [*tokens.rule_violations(token), *tokens.in_force_violations(token)]
    text = " | ".join([*said, *tokens.advice_violations(token, [token])])
    assert not any(token[start : start + 4] in text for start in range(len(token) - 3))
