# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Answers of a node that are longer than a line (CLIENT LIST, ACL LOG), within a time, a size and a depth.

A long text is read line by line and never held as a whole. Whoever answers is not trusted (see ``exchange``).
"""

from __future__ import annotations

from collections.abc import Iterator

from .exchange import Exchange, ExchangeError

#: The longest answer, in bytes: 65,000 connections (a node takes no more) of a kilobyte each.
MAX_REPLY = 64 * 1024 * 1024
#: So much is held of a line of a text, in bytes.
MAX_HELD = 16 * 1024
#: The longest header of a value, and how far lists may be nested.
_MAX_HEADER, _MAX_DEPTH = 512, 4
#: The longest text that is returned as a whole, in bytes.
_MAX_TEXT = 64 * 1024
_PIECE = 64 * 1024


class Refused(ExchangeError):
    """The node answers with an error, which is the message."""


class Reply:
    """The answer to one command, read from the start. Raises :class:`ExchangeError` and :class:`Refused`."""

    def __init__(self, exchange: Exchange, *command: str, limit: int = MAX_REPLY) -> None:
        self._exchange, self._left, self._buffer = exchange, limit, b""
        exchange.send(*command)

    def number(self) -> int:
        """Return a number, the whole answer."""
        value = self._value(0)
        if not isinstance(value, int):
            raise _not_a_cache()
        self._end()
        return value

    def values(self) -> list[object]:
        """Return a list of numbers, texts (as bytes) and lists, the whole answer."""
        value = self._value(0)
        if not isinstance(value, list):
            raise _not_a_cache()
        self._end()
        return value

    def lines(self) -> Iterator[tuple[bytes, bool]]:
        """Yield each line of a text, the whole answer, and whether it was cut off after :data:`MAX_HELD` bytes."""
        kind, length = self._header()
        if kind != b"$" or length < 0:
            raise _not_a_cache()
        held, cut = b"", False
        while length > 0:
            piece = self._take(min(length, _PIECE))
            length -= len(piece)
            first, *others = piece.split(b"\n")
            for line in others:
                yield (held + first)[:MAX_HELD], cut or len(held) + len(first) > MAX_HELD
                held, cut, first = b"", False, line
            cut = cut or len(held) + len(first) > MAX_HELD
            held = (held + first)[:MAX_HELD]
        if held:
            yield held, cut
        self._exactly(b"\r\n")
        self._end()

    def _value(self, depth: int) -> object:
        kind, number = self._header()
        if kind == b":":
            return number
        if kind == b"$":
            if number < 0:
                return None
            if number > _MAX_TEXT:
                raise ExchangeError("its answer is longer than one of a cache")
            text = b""
            while len(text) < number:
                text += self._take(number - len(text))
            self._exactly(b"\r\n")
            return text
        if kind == b"*" and depth < _MAX_DEPTH:
            return [self._value(depth + 1) for dummy in range(max(number, 0))]
        raise _not_a_cache()

    def _header(self) -> tuple[bytes, int]:
        while b"\r\n" not in self._buffer:
            if len(self._buffer) > _MAX_HEADER:
                raise _not_a_cache()
            self._more()
        line, dummy, self._buffer = self._buffer.partition(b"\r\n")
        kind, rest = line[:1], line[1:]
        if kind == b"-" and rest:
            raise Refused(rest[:_MAX_HEADER].decode(errors="replace"))
        if len(rest) > 20 or not rest.removeprefix(b"-").isdigit():
            raise _not_a_cache()
        return kind, int(rest)

    def _take(self, most: int) -> bytes:
        if not self._buffer:
            self._more()
        taken, self._buffer = self._buffer[:most], self._buffer[most:]
        return taken

    def _exactly(self, wanted: bytes) -> None:
        while len(self._buffer) < len(wanted):
            self._more()
        if not self._buffer.startswith(wanted):
            raise _not_a_cache()
        self._buffer = self._buffer[len(wanted) :]

    def _end(self) -> None:
        if self._buffer:
            raise ExchangeError("it answers more than it is asked")

    def _more(self) -> None:
        if self._left <= 0:
            raise ExchangeError("its answer is longer than one of a cache")
        some = self._exchange.receive(min(_PIECE, self._left))
        self._left -= len(some)
        self._buffer += some


def _not_a_cache() -> ExchangeError:
    return ExchangeError("what it answers is not what a cache answers")
