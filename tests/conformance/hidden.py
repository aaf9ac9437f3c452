# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Tokens and passwords of a run: made by ``secrets``, and taken out of every text that is kept or shown."""

from __future__ import annotations

import re
import secrets
import string
import threading

_CHARACTERS = string.ascii_letters + string.digits
#: The ids of any run (``made``).
_RUNS_ID = re.compile(r"\bconformance-[0-9a-f]{8}-[a-z0-9-]+", re.IGNORECASE)
_ACCOUNT = re.compile(r"\b\d{12}\b")
_LENGTH = 40
TOKEN, IDENTIFIER, ACCOUNT = "<token>", "<id>", "<account>"


class Hidden:
    """All tokens and passwords that were made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: list[str] = []

    def __repr__(self) -> str:
        return f"Hidden({len(self._values)} values)"

    def make(self, *, suffix: str = "", length: int = _LENGTH) -> str:
        """A new token or password of that length, which ends with ``suffix``.

        It begins with a letter of either case and a digit, as AWS's password advice has it (elasticache-facts §5).
        """
        body = "".join(secrets.choice(_CHARACTERS) for dummy in range(length - 3 - len(suffix)))
        value = f"{secrets.choice(string.ascii_lowercase)}{secrets.choice(string.ascii_uppercase)}7{body}{suffix}"
        with self._lock:
            self._values.append(value)
        return value

    def found_in(self, text: str) -> bool:
        """Whether a token or password is in the text."""
        with self._lock:
            return any(value in text for value in self._values)

    def mask(self, text: str) -> str:
        """The text without tokens, account numbers, the run's ids, and characters that a terminal would act on."""
        with self._lock:
            for value in self._values:
                text = text.replace(value, TOKEN)
        text = _RUNS_ID.sub(IDENTIFIER, text)
        text = _ACCOUNT.sub(ACCOUNT, text)
        return "".join(character if character.isprintable() else "�" for character in text)
