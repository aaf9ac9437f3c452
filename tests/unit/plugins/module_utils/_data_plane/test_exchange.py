# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A node that has a trusted certificate and does not behave: it costs a limited time and size, and is told of."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import trustme

from ansible_collections.elasticache.auth.plugins.module_utils._core.nodes import Node
from ansible_collections.elasticache.auth.plugins.module_utils._data_plane import exchange, probe
from ansible_collections.elasticache.auth.plugins.module_utils._data_plane.probe import (
    Credential,
    NodeAnswer,
    Reach,
    Transport,
    probe_node,
    probe_nodes,
)

TOKEN = "correct-horse-battery-staple"
#: For a node that is to run out of it.
SHORT = 0.5
#: For all others: far more than any of this takes, on a busy machine too, and less than a node could draw it out to.
GIVE_UP = 60.0


class Server:
    """A server on loopback that has each connection served by ``serve``, in a thread of its own.

    With ``tls``, ``serve`` gets the connection after the handshake. ``sent`` counts the bytes that were taken from it.
    """

    def __init__(self, serve: Callable[[socket.socket], None], tls: ssl.SSLContext | None) -> None:
        self._serve, self._tls = serve, tls
        self.sent = 0
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, dummy = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._handle, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _handle(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(GIVE_UP)
            if self._tls:
                with self._tls.wrap_socket(connection, server_side=True) as secured:
                    self._serve(secured)
            else:
                self._serve(connection)

    def send(self, connection: socket.socket, pieces: Iterable[bytes], pause: float = 0) -> None:
        """Send until there is no more, or nobody who takes it, or the test is over."""
        for piece in pieces:
            if self._over.wait(pause):
                return
            connection.sendall(piece)
            self.sent += len(piece)

    def close(self) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._acceptor, *self._threads):
            thread.join(GIVE_UP)
            assert not thread.is_alive()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def transport(authority: trustme.CA, tmp_path: Path) -> Transport:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return Transport(ca_path=str(tmp_path / "ca.pem"), timeout=GIVE_UP)


Starter = Callable[..., Server]


@pytest.fixture
def start(authority: trustme.CA) -> Iterator[Starter]:
    """Starts servers, and ends them with the test."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with contextlib.ExitStack() as stack:

        def started(serve: Callable[[Server, socket.socket], None], *, tls: bool = True) -> Server:
            server: Server = Server(lambda connection: serve(server, connection), context if tls else None)
            stack.callback(server.close)
            return server

        yield started


def ask(server: Server, transport: Transport) -> NodeAnswer:
    """Return the node's answer: where that has no end, this would not have one."""
    return probe_node(Node("n", "0001", "127.0.0.1", server.port), {"current": Credential(TOKEN)}, transport)


def forever(piece: bytes) -> Iterator[bytes]:
    return itertools.repeat(piece)


NO_END = f"its answer has no end within {exchange.MAX_ANSWER} bytes"
NO_CACHE = "what it answers is not what a cache answers"
TOO_SLOW = f"it did not answer within {SHORT:g} s"
CLOSED = "it closed the connection instead of answering"
MORE = "it answers more than it is asked"

#: What comes first, what then comes again and again, with what pause in seconds, and what is told of it.
ANSWERS = {
    "nothing": (b"", b"", 0, TOO_SLOW),
    "a byte, then another": (b"+", b"x", 0.05, TOO_SLOW),
    "an error, byte by byte": (b"-", b"E", 0.05, TOO_SLOW),
    "a line without an end": (b"+", b"x" * 65536, 0, NO_END),
    "an error without an end": (b"-", b"ERR " * 4096, 0, NO_END),
    "lines that end without CR": (b"+PONG\n", b"+PONG\n", 0, NO_END),
    "a long value": (b"$2147483648\r\n", b"x" * 65536, 0, NO_CACHE),
    "the header of a long value": (b"$2147483648\r\n", b"", 0, NO_CACHE),
    "a large array": (b"*1000000000\r\n", b"+\r\n" * 1000, 0, NO_CACHE),
    "arrays within arrays": (b"*1\r\n", b"*1\r\n" * 1000, 0, NO_CACHE),
    "a number of many digits": (b":", b"9" * 4000, 0, NO_CACHE),
    "a map, as in RESP3": (b"%1\r\n", b"", 0, NO_CACHE),
    "an error of many words, as in RESP3": (b"!21\r\n", b"", 0, NO_CACHE),
    "a push, as in RESP3": (b">2\r\n", b"", 0, NO_CACHE),
    "an error without a text": (b"-\r\n", b"", 0, NO_CACHE),
    "an empty line": (b"\r\n", b"", 0, NO_CACHE),
    "garbage": (b"\x00\xff\x16\x03\x01\r\n", b"", 0, NO_CACHE),
    "HTTP": (b"HTTP/1.1 400 Bad Request\r\n", b"", 0, NO_CACHE),
    "answers ahead of the questions": (b"+PONG\r\n+OK\r\n+OK\r\n", b"", 0, MORE),
}


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_no_cache_gives(start: Starter, transport: Transport, name: str, tls: bool) -> None:
    """It is out of reach, with the reason, and little of it is read."""
    first, then, pause, error = ANSWERS[name]

    def serve(server: Server, connection: socket.socket) -> None:
        connection.recv(4096)
        server.send(connection, [first] if first else [])
        server.send(connection, forever(then) if then else [], pause)
        connection.recv(4096)  # until the other side has had enough

    server = start(serve, tls=tls)
    timeout = SHORT if error == TOO_SLOW else GIVE_UP
    answer = ask(server, Transport(tls, transport.ca_path, timeout))
    assert (answer.reach, answer.accepted, answer.unauthenticated) == (Reach.UNREACHABLE, {}, False)
    assert answer.error == error


def test_how_much_is_taken(start: Starter, transport: Transport) -> None:
    """What is read of an answer without an end does not depend on how much is sent: the sender is stopped."""
    stopped = threading.Event()

    def serve(server: Server, connection: socket.socket) -> None:
        connection.recv(4096)
        try:
            server.send(connection, forever(b"+" + b"x" * 65535))
        except OSError:
            stopped.set()

    server = start(serve, tls=False)
    answer = ask(server, Transport(False, None, GIVE_UP))
    assert answer.error == NO_END
    assert stopped.wait(GIVE_UP)
    assert server.sent < 64 * 2**20  # what the two sockets' buffers hold


@pytest.mark.parametrize("within", ["the handshake", "an answer", "the second answer"])
def test_it_closes_the_connection(start: Starter, transport: Transport, within: str) -> None:
    def serve(dummy: Server, connection: socket.socket) -> None:
        if within == "the handshake":
            connection.recv(4096)
            connection.sendall(b"\x16\x03\x03\x00\x7a\x02")
            return
        connection.recv(4096)
        connection.sendall(b"+PO" if within == "an answer" else b"-NOAUTH Authentication required.\r\n")
        if within == "the second answer":
            connection.recv(4096)

    answer = ask(start(serve, tls=within != "the handshake"), transport)
    assert answer.reach is Reach.UNREACHABLE
    assert answer.error == CLOSED or within == "the handshake"
    assert answer.error


@pytest.mark.parametrize("answer", [b"", b"\x16", b"\x16\x03\x03\x40\x00"])
def test_a_handshake_without_an_end(start: Starter, transport: Transport, answer: bytes) -> None:
    """Byte by byte: what is limited is the handshake as a whole."""

    def serve(server: Server, connection: socket.socket) -> None:
        server.send(connection, [answer] if answer else [])
        server.send(connection, forever(b"\x00") if len(answer) > 1 else [], pause=0.05)
        while connection.recv(4096):
            pass

    told = ask(start(serve, tls=False), Transport(True, transport.ca_path, SHORT))
    assert (told.reach, told.error) == (Reach.UNREACHABLE, TOO_SLOW)


def test_the_time_is_one_for_all_answers(start: Starter, transport: Transport) -> None:
    """Each answer comes well within the time; all together don't."""

    def serve(server: Server, connection: socket.socket) -> None:
        while connection.recv(4096):
            server.send(connection, [b"-WRONGPASS no\r\n" if server.sent else b"-NOAUTH no\r\n"], pause=SHORT / 4)

    server = start(serve)
    slow = Transport(True, transport.ca_path, SHORT)
    credentials = {f"token {number}": Credential(TOKEN) for number in range(100)}
    answer = probe_node(Node("n", "0001", "127.0.0.1", server.port), credentials, slow)
    assert (answer.reach, answer.error) == (Reach.UNREACHABLE, TOO_SLOW)
    assert server.sent < 100 * len(b"-WRONGPASS no\r\n")


def test_what_a_node_says_is_reported_in_one_short_line_without_the_token(start: Starter, transport: Transport) -> None:
    """A node may repeat what it was sent, and write control characters into the terminal of whoever reads it."""

    def serve(dummy: Server, connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"-NOAUTH no\r\n")
        connection.recv(4096)
        connection.sendall(b"-ERR \x1b[2J you\tsaid " + TOKEN.encode() + b" " + b"x" * 3000 + b"\r\n")
        connection.recv(4096)

    answer = ask(start(serve), transport)
    assert answer.reach is Reach.UNREACHABLE
    assert answer.error.startswith("ERR [2J you said ******** xxx")
    assert answer.error.endswith("x…")
    assert len(answer.error) == 200


@pytest.mark.parametrize("tls", [True, False])
def test_a_node_as_they_are(start: Starter, transport: Transport, tls: bool) -> None:
    """For comparison: each answer in two pieces."""

    def serve(server: Server, connection: socket.socket) -> None:
        while asked := connection.recv(4096):
            text = b"+OK\r\n" if TOKEN.encode() in asked else b"-NOAUTH Authentication required.\r\n"
            server.send(connection, [text[:9], text[9:]])

    answer = ask(start(serve, tls=tls), Transport(tls, transport.ca_path, GIVE_UP))
    assert (answer.reach, answer.unauthenticated, answer.error) == (Reach.ANSWERED, False, "")
    assert answer.accepted == ({"current": True} if tls else {})


def test_another_authority_gets_no_token(start: Starter, tmp_path: Path) -> None:
    got: list[bytes] = []
    server = start(lambda dummy, connection: got.append(connection.recv(4096)))
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    answer = ask(server, Transport(ca_path=str(tmp_path / "other.pem"), timeout=GIVE_UP))
    assert answer.reach is Reach.UNTRUSTED
    assert answer.error
    assert not any(got)


def test_many_such_nodes_at_once(start: Starter, transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    """They hold up no more threads than there are, each for a limited time; one that answers is heard among them."""
    threads = 8
    monkeypatch.setattr(probe, "THREADS", threads)
    live: list[int] = []

    def drip(server: Server, connection: socket.socket) -> None:
        live.append(sum(thread.name.startswith("ThreadPoolExecutor") for thread in threading.enumerate()))
        server.send(connection, forever(b"+"), pause=0.05)

    def serve(server: Server, connection: socket.socket) -> None:
        while asked := connection.recv(4096):
            server.send(connection, [b"+OK\r\n" if b"AUTH" in asked else b"-NOAUTH no\r\n"])

    hostile, good = start(drip), start(serve)
    nodes = [Node(f"n{n}", "0001", "127.0.0.1", good.port if n == 20 else hostile.port) for n in range(24)]
    generous = Transport(ca_path=transport.ca_path, timeout=2.0)
    answers = probe_nodes(nodes, [{"current": Credential(TOKEN)}] * len(nodes), generous)
    assert [answer.node for answer in answers] == nodes
    assert {answer.reach for answer in answers if answer.node != nodes[20]} == {Reach.UNREACHABLE}
    assert answers[20].accepted == {"current": True}
    assert max(live) <= threads


def test_a_name_without_an_address(transport: Transport) -> None:
    answer = probe_node(Node("n", "0001", "nowhere.invalid", 6379), {}, transport)
    assert answer.reach is Reach.UNREACHABLE
    assert answer.error


def test_nobody_listens(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    answer = probe_node(Node("n", "0001", "127.0.0.1", port), {}, transport)
    assert (answer.reach, answer.error) == (Reach.UNREACHABLE, "[Errno 111] Connection refused")
