# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a secret's text holds: a bare token, or a JSON object with the token under one of its keys."""

from __future__ import annotations

import json
import re

from .errors import AuthError

#: What stands before ``name`` and ``key`` where a message names these options, unless told otherwise.
OPTION_PREFIX = "auth_token_secret."
_SPACE = re.compile(r"[ \t\n\r]*")


def token_in(text: str | None, key: str | None, what: str, option: str = OPTION_PREFIX) -> str:
    """Return the token in a secret's text; an empty one, as a JSON object may have it, says that there is none yet.

    ``what`` names the secret in messages; ``option``: what stands before ``key`` where one names that option.
    Raises :class:`AuthError`.
    """
    if not text:
        raise AuthError(f"{what} holds no text. Store the token in its SecretString.")
    content, where = None, ""
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        where = f" (line {error.lineno}, column {error.colno})"
    except (ValueError, RecursionError):  # a number of thousands of digits, thousands of brackets
        pass
    if key is None:
        if isinstance(content, dict):
            raise AuthError(f"{what} holds JSON. Name the token's key in {option}key.")
        return text
    if where and text.lstrip().startswith("{"):
        raise AuthError(f"{what} holds malformed JSON{where}. Repair it.")
    if not isinstance(content, dict):
        raise AuthError(
            f"{what} holds no JSON object, so it has no key {key}. "
            f"Leave {option}key out where the secret is the bare token."
        )
    token = content.get(key)
    if not isinstance(token, str):
        raise AuthError(f"{what} has no text under the key {key}. Check {option}key.")
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
