# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Long answers of nodes, honest ones and others: read in bounded memory, and told of where they are none."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._core.nodes import Node
from ansible_collections.elasticache.auth.plugins.module_utils._data_plane import replies
from ansible_collections.elasticache.auth.plugins.module_utils._data_plane.connections import (
    NodeConnections,
    Told,
    Wanted,
    ask_all,
    ask_node,
)
from ansible_collections.elasticache.auth.plugins.module_utils._data_plane.probe import Credential, Transport

PLAIN = Transport(tls=False, timeout=60.0)
Serve = Callable[[bytes], bytes]


def bulk(text: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(text), text)


def line(number: int, host: str = "10.0.3.17", name: str = "jedis", age: int = 100) -> bytes:
    who = f"id={number} addr={host}:{number} name= age={age} flags=N user=default"
    return f"{who} lib-name={name} lib-ver=5.1.2\n".encode()


@contextlib.contextmanager
def node(*answers: bytes) -> Iterator[Node]:
    """A node on loopback that answers CLIENT ID with 1, and the commands after it with ``answers``, one by one."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(60)

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, dummy = listener.accept()
            with connection:
                for answer in (b":1\r\n", *answers):
                    if connection.recv(4096):
                        connection.sendall(answer)
                connection.recv(4096)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Node("s-001", "0001", "127.0.0.1", listener.getsockname()[1])
    finally:
        listener.close()
        thread.join()


def told(*answers: bytes, wanted: Wanted | None = None, transport: Transport = PLAIN) -> NodeConnections:
    with node(*answers) as there:
        return ask_node(there, (), wanted or Wanted(time.time() - 50), transport)


def test_ten_thousand_connections_are_summed_up_in_bounded_memory() -> None:
    """From as many addresses, with names as long as they may be; our own is left out."""
    text = b"".join(line(number, f"10.{number // 250}.0.{number % 250}", "x" * 200) for number in range(1, 10_001))
    reply = bulk(text)
    tracemalloc.start()
    try:
        answer = told(reply)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (answer.told, answer.tally.total.connections, answer.tally.total.predating) == (Told.ANSWERED, 9_999, 9_999)
    assert peak < 2 * 1024 * 1024 < len(text)


def test_a_line_without_an_end_is_held_in_part_only() -> None:
    long_one = b"id=7 addr=10.0.0.7:1 name=" + b"x" * (4 * replies.MAX_HELD) + b" age=1 user=a\n"
    answer = told(bulk(line(2) + long_one + line(3)))
    assert {client.address: counted.connections for client, counted in answer.tally.clients.items()} == {
        "10.0.3.17": 2,
        "10.0.0.7": 1,
    }
    assert answer.tally.total.predating == 3  # of unknown age counts as early


@pytest.mark.parametrize(
    ("answer", "told_of", "error"),
    [
        (b"-NOPERM User a has no permissions to run the 'client|list' command\r\n", Told.NOT_PERMITTED, "NOPERM"),
        (b"-NOAUTH Authentication required.\r\n", Told.REFUSED, "it asks for a credential"),
        (b"-LOADING Valkey is loading\r\n", Told.UNREACHABLE, "LOADING Valkey is loading"),
        (b":5\r\n", Told.UNREACHABLE, "what it answers is not what a cache answers"),
        (b"$-1\r\n", Told.UNREACHABLE, "what it answers is not what a cache answers"),
        (b"$5\r\nab\r\n\r\nx", Told.UNREACHABLE, "what it answers is not what a cache answers"),
        (b"$2\r\nab\r\nmore", Told.UNREACHABLE, "it answers more than it is asked"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Told.UNREACHABLE, "what it answers is not what a cache answers"),
        (b"x" * 1000, Told.UNREACHABLE, "what it answers is not what a cache answers"),
    ],
)
def test_an_answer_that_is_no_list(answer: bytes, told_of: Told, error: str) -> None:
    found = told(answer)
    assert found.told is told_of
    assert error in found.error
    assert found.tally.total.connections == 0


def test_an_answer_that_is_too_long_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies.Reply.__init__, "__kwdefaults__", {"limit": 200_000})
    found = told(b"$999999999\r\n" + b"x" * 400_000)
    assert (found.told, found.error) == (Told.UNREACHABLE, "its answer is longer than one of a cache")


@pytest.mark.parametrize("answer", [b"*999999999\r\n" + b":1\r\n" * 400_000, b"*1\r\n" * 9, b"*1\r\n$99999999\r\n"])
def test_a_log_that_is_none(answer: bytes) -> None:
    found = told(bulk(b""), answer, wanted=Wanted(refused=True))
    assert found.told is Told.UNREACHABLE
    assert found.error


def test_a_node_that_is_closed_is_told_of_beside_one_that_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        gone = Node("s-002", "0001", "127.0.0.1", closed.getsockname()[1])
    nowhere = Node("s-003", "0001")
    with node(bulk(line(2))) as there:
        answers = ask_all([there, gone, nowhere], [()] * 3, [Wanted()] * 3, PLAIN)
    assert [answer.told for answer in answers] == [Told.ANSWERED, Told.UNREACHABLE, Told.UNREACHABLE]
    assert answers[0].tally.total.connections == 1
    assert "refused" in answers[1].error
    assert answers[2].error == "it has no endpoint yet"


def test_only_connections_that_predate_the_moment_are_ended() -> None:
    kills = (b":1\r\n", b":0\r\n")  # one is gone by itself
    found = told(bulk(line(2) + line(3, age=1) + line(4)), *kills, wanted=Wanted(time.time() - 50, end=True))
    assert (found.told, found.ended, found.tally.total.predating) == (Told.ANSWERED, 1, 2)


def test_who_may_not_end_connections_is_told_what_allows_it_beside_what_there_is() -> None:
    refused = b"-NOPERM User a has no permissions to run the 'client|kill' command\r\n"
    found = told(bulk(line(2)), refused, wanted=Wanted(time.time() - 50, end=True))
    assert (found.told, found.ended, found.tally.total.predating) == (Told.NOT_PERMITTED, 0, 1)
    assert "may not run CLIENT KILL (NOPERM); append +client|kill to its access string" in found.error


def test_a_credential_is_not_sent_without_tls() -> None:
    found = ask_node(Node("s-001", "0001", "127.0.0.1", 1), [Credential("secret")], Wanted(), Transport(tls=False))
    assert (found.told, found.error) == (Told.REFUSED, "no token is sent over a connection without TLS")


def test_a_reply_is_read_wherever_it_is_cut() -> None:
    text = line(2) + line(3)
    reply = bulk(text)
    for size in (1, 7, 64):
        pieces = [reply[at : at + size] for at in range(0, len(reply), size)]
        exchange = _Pieces(iter(pieces))
        lines = list(replies.Reply(exchange, "CLIENT", "LIST").lines())  # type: ignore[arg-type]
        assert lines == [(wanted, False) for wanted in text.splitlines()]


class _Pieces:
    """In the place of a connection: what arrives, piece by piece."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def send(self, *command: str) -> None:
        assert command

    def receive(self, most: int) -> bytes:
        piece = next(self._pieces)
        self._pieces = itertools.chain([piece[most:]] if piece[most:] else [], self._pieces)
        return piece[:most]
