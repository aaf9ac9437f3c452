# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""AUTH tokens: AWS's hard rules, its password advice, and a generator whose every token passes both.

Source of the rules: elasticache-facts §5. Messages never contain a token or a part of one.
"""

from __future__ import annotations

import difflib
import secrets
import string
from collections.abc import Callable, Iterable

MIN_LENGTH = 16
MAX_LENGTH = 128
DEFAULT_LENGTH = 64
SPECIALS = "!&#$^<>-"
ALPHABET = string.ascii_letters + string.digits + SPECIALS
#: What ModifyReplicationGroup's page allows: "only printable ASCII characters", but for four.
_PRINTABLE = frozenset(map(chr, range(0x20, 0x7F))) - set('/"@%')
_LINE_BREAK = "it ends in a line break (character {}): store it without, with printf in the place of echo"
_NAMES = {"\n": "a line break", "\r": "a carriage return", "\t": "a tab", " ": "a space"}

#: The specials that are part of no word and that no cracker reads as a letter (``!`` is read as i, ``$`` as s, ``<`` as
#: c; ``-`` is in words like hip-hop).
_SEPARATORS = "&#^>"
#: The shortest run that is looked up as a dictionary word: shorter ones occur in every random string.
MIN_WORD_LENGTH = 4
#: Two tokens count as similar from this ratio of common characters on (:mod:`difflib`, 0 to 1).
SIMILARITY_LIMIT = 0.7


class MissingDictionaryError(RuntimeError):
    """The library ``zxcvbn``, which knows the words, is not installed."""


def rule_violations(token: str) -> list[str]:
    """Tell which of the rules for a new token ``token`` breaks, as phrases for a message; an empty list means valid.

    These are AWS's rules where it states them most narrowly, so that every call takes the token. Of the token its
    length and one character that no token may hold are told, with its position.
    """
    return _violations(token, ALPHABET.__contains__, f"and AWS takes letters, digits and {SPECIALS} only")


def in_force_violations(token: str) -> list[str]:
    """Tell why ``token`` can't be in force on any group, as :func:`rule_violations` does; an empty list means it can.

    ModifyReplicationGroup forbids less than CreateReplicationGroup, as far as AWS says: whatever it may have taken is
    to be lived with.
    """
    return _violations(token, lambda character: character in _PRINTABLE, "which AWS takes in no token")


def unprintable(password: str) -> str:
    """Say where a password holds a character that can't be printed, as a phrase; empty where it holds none."""
    text = password.rstrip("\r\n")
    found = next((at for at, character in enumerate(text) if not character.isprintable()), None)
    if found is not None:
        return f"character {found + 1} is {_named(text[found])}, which can't be printed"
    return _LINE_BREAK.format(len(text) + 1) if text != password else ""


def _violations(token: str, taken: Callable[[str], bool], rule: str) -> list[str]:
    violations = []
    text = token.rstrip("\r\n")
    if not MIN_LENGTH <= len(text) <= MAX_LENGTH:
        violations.append(f"it has {len(text)} characters, AWS takes {MIN_LENGTH} to {MAX_LENGTH}")
    forbidden = [position for position, character in enumerate(text, 1) if not taken(character)]
    if forbidden:
        others = ", ".join(map(str, forbidden[1:5])) + (", ..." if len(forbidden) > 5 else "")
        also = f" (likewise character {others})" if others else ""
        violations.append(f"character {forbidden[0]} is {_named(text[forbidden[0] - 1])}, {rule}{also}")
    if text != token:
        violations.append(_LINE_BREAK.format(len(text) + 1))
    return violations


def _named(character: str) -> str:
    """Return the words for a character that no token may hold."""
    if character in _NAMES:
        return _NAMES[character]
    return f"'{character}'" if character.isascii() and character.isprintable() else f"U+{ord(character):04X}"


def advice_violations(
    token: str, recent: Iterable[str] = (), find_words: Callable[[str], list[str]] | None = None
) -> list[str]:
    """Tell where ``token`` goes against AWS's password advice; an empty list means strong.

    ``recent`` are tokens it must not be the same as or similar to. ``find_words`` returns the dictionary words
    (or slight variations) in a token, by default :func:`dictionary_words`.

    Raises :class:`MissingDictionaryError` where the default is used and its library is missing.
    """
    violations = []
    classes = (string.ascii_uppercase, string.ascii_lowercase, string.digits, SPECIALS)
    if sum(any(character in group for character in token) for group in classes) < 3:
        violations.append(f"it mixes fewer than three of upper case, lower case, digits and {SPECIALS}")
    if (find_words or dictionary_words)(token):
        violations.append("it contains a dictionary word, a common password or a slight variation of one")
    if any(similar(token, other) for other in recent):
        violations.append("it is the same as or similar to a recently used token")
    return violations


def dictionary_words(token: str) -> list[str]:
    """Return the dictionary words, common passwords, and their l33t or reversed variations, in ``token``.

    Raises :class:`MissingDictionaryError` without the library ``zxcvbn``.
    """
    try:
        from zxcvbn import zxcvbn
    except ImportError as error:
        raise MissingDictionaryError("the library zxcvbn is not installed: pip install zxcvbn") from error
    words: list[str] = []
    for match in zxcvbn(token[:MAX_LENGTH], max_length=MAX_LENGTH)["sequence"] if token else []:
        if match["pattern"] == "dictionary" and len(match["token"]) >= MIN_WORD_LENGTH:
            words.append(match["token"])
        elif match["pattern"] == "repeat":  # a word said twice is told as a repetition
            words += dictionary_words(match["base_token"])
    return words


def similar(token: str, other: str) -> bool:
    """Whether two tokens are the same, contain one another, or share most of their characters in order."""
    left, right = token.casefold(), other.casefold()
    if not left or not right:
        return left == right
    if left in right or right in left:
        return True
    return difflib.SequenceMatcher(None, left, right, autojunk=False).ratio() >= SIMILARITY_LIMIT


def generate(length: int = DEFAULT_LENGTH) -> str:
    """Return a random token of ``length`` characters from the operating system's source of randomness.

    It satisfies the hard rules and the advice by construction: every fourth character is one that stands for no
    letter, so no run is long enough to be a word. The cost is small: 64 characters hold about 325 bits, 16 about 80.
    The first character is a letter or digit, so that no command line takes a token for an option.

    Raises :class:`ValueError` for a length that AWS does not take.
    """
    if not MIN_LENGTH <= length <= MAX_LENGTH:
        raise ValueError(f"a token of {length} characters was asked for, AWS takes {MIN_LENGTH} to {MAX_LENGTH}")
    while True:
        token = secrets.choice(string.ascii_letters + string.digits) + "".join(
            secrets.choice(_SEPARATORS if position % MIN_WORD_LENGTH == MIN_WORD_LENGTH - 1 else ALPHABET)
            for position in range(1, length)
        )
        # A short token may by chance lack a class of characters; then the next one is taken.
        if not advice_violations(token, find_words=lambda dummy: []):
            return token
