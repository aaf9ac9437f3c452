# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The request parser: any chunking of a stream gives the same commands, and no byte is lost or changed."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.data_plane.resp import MAX_LINE, Command, CommandStream, ProtocolError, encode_command, split_inline

NAMES = st.sampled_from([b"AUTH", b"auth", b"HELLO", b"hElLo", b"GET", b"SET", b"AUTHOR", b"EVAL", b""])
ARRAYS = st.tuples(NAMES, st.lists(st.binary(max_size=40), max_size=6)).map(lambda pair: (pair[0], *pair[1]))
WORDS = st.text(alphabet="abcXYZ019*$-!", min_size=1, max_size=12).map(str.encode)
INLINE = st.tuples(st.sampled_from([b"AUTH", b"hello", b"PING"]), st.lists(WORDS, max_size=4)).map(
    lambda pair: (pair[0], *pair[1])
)
ENDS = st.sampled_from([b"\r\n", b"\n"])
EMPTY = st.sampled_from([b"\r\n", b"\n", b"*0\r\n", b"*-1\r\n"])  # the engine answers nothing to these
PIECES = st.one_of(
    ARRAYS.map(lambda arguments: (arguments, encode_command(arguments))),
    st.tuples(INLINE, ENDS).map(lambda pair: (pair[0], b" ".join(pair[0]) + pair[1])),
    EMPTY.map(lambda raw: ((), raw)),
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The data in chunks, cut at these places."""
    bounds = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(bounds)]


def feed_all(stream: CommandStream, chunks: list[bytes]) -> list[bytes | Command]:
    return [found for chunk in chunks for found in stream.feed(chunk)]


@given(pieces=st.lists(PIECES, max_size=8), places=st.lists(st.integers(min_value=0), max_size=30))
def test_all_commands_are_found_however_the_stream_is_cut(
    pieces: list[tuple[tuple[bytes, ...], bytes]], places: list[int]
) -> None:
    found = feed_all(CommandStream(None), cut(b"".join(raw for dummy, raw in pieces), places))
    commands = [item.arguments for item in found if isinstance(item, Command)]
    assert commands == [arguments for arguments, dummy in pieces if arguments]


@given(pieces=st.lists(PIECES, max_size=8), places=st.lists(st.integers(min_value=0), max_size=30))
def test_only_wanted_commands_are_taken_out_and_nothing_is_lost(
    pieces: list[tuple[tuple[bytes, ...], bytes]], places: list[int]
) -> None:
    data = b"".join(raw for dummy, raw in pieces)
    found = feed_all(CommandStream([b"AUTH", b"HELLO"]), cut(data, places))
    assert b"".join(item if isinstance(item, bytes) else item.raw for item in found) == data
    wanted = [arguments for arguments, dummy in pieces if arguments and arguments[0].upper() in (b"AUTH", b"HELLO")]
    assert [item.arguments for item in found if isinstance(item, Command)] == wanted


@given(chunks=st.lists(st.binary(max_size=30), max_size=10), wanted=st.sampled_from([None, (b"AUTH",)]))
def test_any_bytes_are_a_stream_or_a_protocol_error(chunks: list[bytes], wanted: tuple[bytes, ...] | None) -> None:
    stream = CommandStream(wanted)
    passed, taken = b"", b""
    for chunk in chunks:
        taken += chunk
        try:
            passed += b"".join(item if isinstance(item, bytes) else item.raw for item in stream.feed(chunk))
        except ProtocolError:
            assert stream.failed is not None
        assert passed + stream.unread == taken


@given(value=st.binary(max_size=5000), size=st.integers(min_value=1, max_value=700))
def test_a_value_is_passed_on_as_it_comes(value: bytes, size: int) -> None:
    data = encode_command([b"SET", b"key", value])
    stream = CommandStream([b"AUTH"], max_command=64)
    for start in range(0, len(data), size):
        b"".join(item for item in stream.feed(data[start : start + size]) if isinstance(item, bytes))
        assert len(stream.unread) < 32


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        (b"AUTH  token ", (b"AUTH", b"token")),
        (b'AUTH "to ken"', (b"AUTH", b"to ken")),
        (rb'SET k "\x41\n\"\\"', (b"SET", b"k", b'A\n"\\')),
        (rb"SET k 'it\'s \n'", (b"SET", b"k", rb"it's \n")),
        (b'GET ""', (b"GET", b"")),
        (b"   ", ()),
    ],
)
def test_inline_quotes(line: bytes, arguments: tuple[bytes, ...]) -> None:
    assert split_inline(line) == arguments


@pytest.mark.parametrize(
    "data",
    [
        b"*x\r\n",
        b"*2147483648\r\n",
        b"*+1\r\n",
        b"*1\r\n+PING\r\n",
        b"*1\r\n$-1\r\n",
        b"*1\r\n$536870913\r\n",
        b'AUTH "open\r\n',
        b"x" * MAX_LINE,
        b"*1\r\n$4\r\nAUTH\r\n"[:4] + b"$" + b"1" * MAX_LINE,
    ],
)
def test_what_the_engine_refuses_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        CommandStream([b"AUTH"]).feed(data)


def test_a_collected_command_is_bounded() -> None:
    stream = CommandStream([b"AUTH"], max_command=1000)
    with pytest.raises(ProtocolError, match="too big a request"):
        stream.feed(encode_command([b"AUTH", b"x" * 1000])[:50])


def test_commands_before_an_error_in_the_same_chunk_are_not_lost() -> None:
    stream = CommandStream(None)
    (command,) = stream.feed(encode_command([b"PING"]) + b"*x\r\n")
    assert isinstance(command, Command)
    assert command.arguments == (b"PING",)
    with pytest.raises(ProtocolError):
        stream.feed(b"")
    assert stream.unread == b"*x\r\n"
