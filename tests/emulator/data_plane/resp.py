# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The request half of RESP: commands found in a client's byte stream, whatever the chunks it comes in.

What a client may send is an array of bulk strings (RESP2 and RESP3 alike) or an inline command. Limits are the
engine's own (``networking.c`` of Valkey): a header or an inline command has at most 64 KiB.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

MAX_LINE = 64 * 1024
MAX_BULK = 512 * 1024 * 1024
MAX_ARGUMENTS = 2**31 - 1

_HEX = b"0123456789abcdefABCDEF"
_ESCAPES = {ord("n"): b"\n", ord("r"): b"\r", ord("t"): b"\t", ord("b"): b"\b", ord("a"): b"\a"}


class ProtocolError(Exception):
    """The bytes are no RESP request; the message is the engine's, without its ``ERR Protocol error: ``."""


@dataclass(frozen=True)
class Command:
    """A whole request: its arguments (at least one) and the bytes it came as."""

    arguments: tuple[bytes, ...]
    raw: bytes

    @property
    def name(self) -> bytes:
        """The command's name in upper case."""
        return self.arguments[0].upper()


def encode_command(arguments: Iterable[bytes]) -> bytes:
    """The arguments as an array of bulk strings."""
    parts = list(arguments)
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


def split_inline(line: bytes) -> tuple[bytes, ...]:
    """Split an inline command into arguments as the engine does (``sdssplitargs``), quotes and escapes included.

    Raises ProtocolError where quotes are unbalanced.
    """
    arguments: list[bytes] = []
    position, end = 0, len(line)
    while True:
        while position < end and line[position : position + 1].isspace():
            position += 1
        if position == end:
            return tuple(arguments)
        word = bytearray()
        while position < end and not line[position : position + 1].isspace():
            byte = line[position : position + 1]
            if byte in (b'"', b"'"):
                position = _read_quoted(line, position, word)
            else:
                word += byte
                position += 1
        arguments.append(bytes(word))


def _read_quoted(line: bytes, position: int, word: bytearray) -> int:
    """Append the quoted text that starts at ``position`` to ``word``; returns where it ends."""
    quote, end = line[position], len(line)
    position += 1
    while position < end:
        byte = line[position]
        if byte == quote:
            position += 1
            if position < end and not line[position : position + 1].isspace():
                break  # a closing quote must be followed by a space
            return position
        if byte == ord("\\") and quote == ord('"'):
            digits = line[position + 2 : position + 4]
            if (
                line[position + 1 : position + 2] == b"x"
                and len(digits) == 2
                and all(digit in _HEX for digit in digits)
            ):
                word.append(int(digits, 16))
                position += 4
                continue
            if position + 1 < end:
                word += _ESCAPES.get(line[position + 1], line[position + 1 : position + 2])
                position += 2
                continue
        if byte == ord("\\") and line[position + 1 : position + 2] == b"'" and quote == ord("'"):
            word += b"'"
            position += 2
            continue
        word.append(byte)
        position += 1
    raise ProtocolError("unbalanced quotes in request")


class CommandStream:
    """Finds commands in a byte stream.

    Only commands named in ``wanted`` are collected (all of them when it is None). The rest of the stream is handed
    on as it is, without ever holding a value: a proxy stays cheap, and bounded, however big the values are.
    """

    def __init__(self, wanted: Collection[bytes] | None, *, max_command: int = 1024 * 1024) -> None:
        """``wanted``: names in upper case; ``max_command``: most bytes a collected command may have."""
        self._wanted = None if wanted is None else frozenset(wanted)
        self._longest_name = max((len(name) for name in wanted), default=0) if wanted is not None else MAX_BULK
        self._max_command = max_command
        self._held = b""  # the start of something that is not whole yet
        self._skip = 0  # bytes of the current bulk string still to come, line end included
        self._bulks_left = 0  # bulk strings of the current command still to come
        self._error: ProtocolError | None = None

    def feed(self, data: bytes) -> list[bytes | Command]:
        """Take the next chunk; returns what it completes, in order: bytes to hand on, and wanted commands.

        Raises ProtocolError at once, or at the next call where something was found before the error in the same
        chunk (so that commands ahead of it are not lost). Then ``unread`` holds the rest of the stream.
        """
        if self._error is not None:
            self._held += data
            raise self._error
        if self._skip > len(data):  # the middle of a big value
            self._skip -= len(data)
            return [data]
        found: list[bytes | Command] = []
        buffer = self._held + data if self._held else data
        self._held = b""
        try:
            self._scan(buffer, found)
        except ProtocolError as error:
            self._error = error
            if not found:
                raise
        return found

    @property
    def failed(self) -> ProtocolError | None:
        """The error after which nothing more is parsed."""
        return self._error

    @property
    def unread(self) -> bytes:
        """Bytes taken but neither handed on nor part of a command found."""
        return self._held

    def _scan(self, buffer: bytes, found: list[bytes | Command]) -> None:
        position = handed = 0
        end = len(buffer)
        try:
            while position < end:
                if self._skip:
                    step = min(self._skip, end - position)
                    self._skip -= step
                    position += step
                elif self._bulks_left:
                    header = _read_number(buffer, position, b"$")
                    if header is None:
                        break
                    length, position = header
                    self._skip = length + 2
                    self._bulks_left -= 1
                else:
                    start = position
                    outcome = self._read_command(buffer, start)
                    if outcome is None:
                        break
                    position, command = outcome
                    if command is not None:
                        if handed < start:
                            found.append(buffer[handed:start])
                        found.append(command)
                        handed = position
        finally:
            if handed < position:
                found.append(buffer[handed:position])
            self._held = buffer[position:]

    def _read_command(self, buffer: bytes, start: int) -> tuple[int, Command | None] | None:
        """Where to go on and the command, if it is a wanted one; None when more bytes are needed to tell."""
        if buffer[start] != 42:  # *
            return self._read_inline(buffer, start)
        header = _read_number(buffer, start, b"*")
        if header is None:
            return None
        count, position = header
        if count <= 0:
            return position, None  # the engine ignores an empty array
        name = _read_number(buffer, position, b"$")
        if name is None:
            return None
        name_length, name_start = name
        if name_length <= self._longest_name:
            if len(buffer) < name_start + name_length:
                self._check_size(len(buffer) - start)
                return None
            if self._wanted is None or buffer[name_start : name_start + name_length].upper() in self._wanted:
                return self._collect(buffer, start, position, count)
        self._bulks_left = count - 1
        self._skip = name_length + 2
        return name_start, None

    def _collect(self, buffer: bytes, start: int, position: int, count: int) -> tuple[int, Command | None] | None:
        arguments: list[bytes] = []
        for dummy in range(count):
            header = _read_number(buffer, position, b"$")
            if header is None:
                self._check_size(len(buffer) - start)
                return None
            length, position = header
            if position + length + 2 - start > self._max_command:
                raise ProtocolError("too big a request")
            if len(buffer) < position + length + 2:
                self._check_size(len(buffer) - start)
                return None
            arguments.append(buffer[position : position + length])
            position += length + 2
        return position, Command(tuple(arguments), buffer[start:position])

    def _check_size(self, size: int) -> None:
        if size > self._max_command:
            raise ProtocolError("too big a request")

    def _read_inline(self, buffer: bytes, start: int) -> tuple[int, Command | None] | None:
        end = buffer.find(b"\n", start, start + MAX_LINE)
        if end < 0:
            if len(buffer) - start >= MAX_LINE:
                raise ProtocolError("too big inline request")
            return None
        arguments = split_inline(buffer[start:end].removesuffix(b"\r"))
        if arguments and (self._wanted is None or arguments[0].upper() in self._wanted):
            return end + 1, Command(arguments, buffer[start : end + 1])
        return end + 1, None


def _read_number(buffer: bytes, position: int, kind: bytes) -> tuple[int, int] | None:
    """The number in the header line at ``position`` and where the next thing starts; None when it is not whole."""
    if position >= len(buffer):
        return None
    if buffer[position] != kind[0]:
        raise ProtocolError(f"expected '{kind.decode()}', got '{chr(buffer[position])}'")
    end = buffer.find(b"\r\n", position, position + MAX_LINE)
    if end < 0:
        if len(buffer) - position >= MAX_LINE:
            raise ProtocolError("too big mbulk count string" if kind == b"*" else "too big bulk count string")
        return None
    digits = buffer[position + 1 : end]
    if digits.isdigit() and len(digits) <= 10:
        number = int(digits)
        if number <= (MAX_ARGUMENTS if kind == b"*" else MAX_BULK):
            return number, end + 2
    elif kind == b"*" and digits[:1] == b"-" and digits[1:].isdigit():
        return -1, end + 2
    raise ProtocolError("invalid multibulk length" if kind == b"*" else "invalid bulk length")
