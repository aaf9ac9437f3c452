# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keep many tokens out of a large result.

Ansible looks for every value that must not be shown in every text of a result, one after the other: with two tokens a
group its time grows with the square of the groups. Here each text is gone through once, however many tokens there are.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

#: What replaces a text that is nothing but a token, and of a token within a text; as Ansible has it.
WHOLE, PART = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "********"
#: Values are looked up by their first characters, so that shorter ones can't be looked for.
SHORTEST = 16


class Redactor:
    """Masks values of :data:`SHORTEST` characters and more, wherever they are."""

    def __init__(self, values: Iterable[str]) -> None:
        """Mask ``values``; shorter ones are passed over, and not among :attr:`values`."""
        self.values = frozenset(value for value in values if len(value) >= SHORTEST)
        self._by_head: dict[str, list[str]] = collections.defaultdict(list)
        for value in self.values:
            self._by_head[value[:SHORTEST]].append(value)

    def __call__(self, value: Any) -> Any:
        """Return ``value``, of what JSON has, with every text and number in it masked; the keys stay as they are."""
        match value:
            case str():
                return self._text(value)
            case None | bool():
                return value
            case int() | float():
                shown = str(value)
                return WHOLE if self._text(shown) != shown else value
            case Mapping():
                return {key: self(item) for key, item in value.items()}
            case Sequence() | Set():
                return [self(item) for item in value]
        return value

    def _text(self, text: str) -> str:
        if len(text) < SHORTEST or not self.values:
            return text
        if text in self.values:
            return WHOLE
        masked, end = "", 0
        for first, last in _joined(self._found(text)):
            masked += text[end:first] + PART
            end = last
        return masked + text[end:]

    def _found(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where the values are, in the order in which they begin."""
        heads = self._by_head
        for at in range(len(text) - SHORTEST + 1):
            head = text[at : at + SHORTEST]
            if head in heads:
                for value in heads[head]:
                    if text.startswith(value, at):
                        yield at, at + len(value)


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans of a text, in the order in which they begin, with those that overlap made one."""
    joined: list[tuple[int, int]] = []
    for first, last in spans:
        if joined and first < joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return joined
