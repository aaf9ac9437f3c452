# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a secret's text holds: a bare token, or a JSON object with the token under one of its keys."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from .errors import AuthError

#: What comes before ``name`` and ``key`` where a message names these options, by default.
OPTION_PREFIX = "auth_token_secret."
_SPACE = re.compile(r"[ \t\n\r]*")
_BYTE_ORDER_MARK = "\ufeff"
#: What no protocol carries in a token, nor any encoding: NUL, and half of a character of UTF-16.
_IN_NO_TOKEN = re.compile("[\0\ud800-\udfff]")


class _Object(dict[str, Any]):
    """A JSON object; ``twice`` are the names that it has more than once, of which the last one counts here."""

    def __init__(self, pairs: Iterable[tuple[str, Any]]) -> None:
        pairs = list(pairs)
        super().__init__(pairs)
        self.twice = {name for name, count in Counter(name for name, dummy in pairs).items() if count > 1}


def token_in(text: str | None, key: str | None, what: str, option: str = OPTION_PREFIX) -> str:
    """Return the token in a secret's text; an empty one, as a JSON object may have it, says that there is none yet.

    ``what`` names the secret in messages; ``option``: what comes before ``key`` where one names that option.
    Raises :class:`AuthError`.
    """
    if not text:
        raise AuthError(f"{what} holds no text. Store the token in its SecretString.")
    if text.startswith(_BYTE_ORDER_MARK):
        raise AuthError(
            f"{what} begins with a byte order mark (U+FEFF), which no token and no JSON begins with. Store the text "
            "without it."
        )
    content, trouble, malformed = None, "", ""
    try:
        content = json.loads(text, object_pairs_hook=_Object)
    except json.JSONDecodeError as error:
        malformed = f"{what} holds malformed JSON (line {error.lineno}, column {error.colno}). Repair it."
    except RecursionError:
        trouble = f"{what} holds JSON that is nested too deeply to be read. Take that part out."
    except ValueError:  # Python reads numbers of some thousand digits, and no longer ones
        trouble = f"{what} holds a number with too many digits to be read. Store it as a text, or take it out."
    is_object = isinstance(content, dict) or text.lstrip().startswith("{")
    if key is None:
        if is_object and not malformed:
            raise AuthError(f"{what} holds JSON. Name the token's key in {option}key.")
        return _possible(text, what)
    if is_object and (malformed or trouble):
        raise AuthError(malformed or trouble)
    if not isinstance(content, _Object):
        raise AuthError(
            f"{what} holds no JSON object, so it has no key {key}. "
            f"Leave {option}key out where the secret is the bare token."
        )
    if key in content.twice:
        raise AuthError(
            f"{what} has the key {key} more than once, and not every reader takes the same one. Keep the one in force."
        )
    token = content.get(key)
    if not isinstance(token, str):
        raise AuthError(f"{what} has no text under the key {key}. Check {option}key.")
    return _possible(token, what)


def _possible(token: str, what: str) -> str:
    """Return the token. Raises :class:`AuthError` where it holds what can't be sent to anyone."""
    found = _IN_NO_TOKEN.search(token)
    if found:
        raise AuthError(
            f"{what} holds U+{ord(found[0]):04X} as character {found.start() + 1} of the token, which no token can "
            "have. Store the token without it."
        )
    return token


def with_token(text: str, key: str | None, token: str) -> str:
    """Return a secret's text with ``token`` in the place of its own, for a text that :func:`token_in` takes.

    The rest of a JSON object stays as it is, to the character: no number is rounded and no key moves.
    """
    if key is None:
        return token
    decoder = json.JSONDecoder()
    parts, kept, at = [], 0, _skip(text, 0) + 1
    while text[at := _skip(text, at)] != "}":
        name, at = decoder.raw_decode(text, at)
        begin = _skip(text, _skip(text, at) + 1)
        dummy, at = decoder.raw_decode(text, begin)
        if name == key:
            parts += [text[kept:begin], json.dumps(token)]
            kept = at
        at = _skip(text, at)
        at += text[at] == ","
    return "".join([*parts, text[kept:]])


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def differing_keys(text: str | None, other: str | None, key: str) -> list[str]:
    """Return the names of the keys, but ``key``, that two JSON objects don't have in common; none for what is none."""
    try:
        left, right = json.loads(text or ""), json.loads(other or "")
    except (ValueError, RecursionError):
        return []
    if not isinstance(left, dict) or not isinstance(right, dict):
        return []
    unlike = {name for name in {*left, *right} if name not in left or name not in right or left[name] != right[name]}
    return sorted(unlike - {key})
