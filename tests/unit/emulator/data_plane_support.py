# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What the tests of the data plane share: a bare client that shows replies word for word, and a TLS tunnel."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from emulator.access import DataPlane, Endpoint
from emulator.data_plane import open_plane
from emulator.data_plane.loop import LoopThread

PlaneKind = Literal["valkey", "light"]
KINDS: tuple[PlaneKind, ...] = ("valkey", "light")

TOKEN_A = "aaaa-Token-of-spring-1"
TOKEN_B = "bbbb-Token-of-summer-2"
WRONG = "cccc-Token-of-nobody-3"

_SECONDS = 120.0


@dataclass
class Settings:
    """The variants of a plane under test."""

    wrong_token: str = "wrongpass"
    drop_connections: bool = False
    open_takes_default: bool = True


@contextlib.contextmanager
def opened(kind: PlaneKind, folder: Path, settings: Settings | None = None) -> Iterator[DataPlane]:
    """A plane, closed at the end."""
    chosen = settings or Settings()
    plane = open_plane(
        kind,
        wrong_token_in_optional=lambda: chosen.wrong_token,
        drop_connections_on_token_change=lambda: chosen.drop_connections,
        open_takes_default=lambda: chosen.open_takes_default,
        temporary_folder=folder,
    )
    try:
        yield plane
    finally:
        plane.close()


class Wire:
    """A client that sends what it is told and returns replies as they are: an error as ``-CODE message``."""

    def __init__(self, endpoint: Endpoint, ca_bundle: Path | None, *, source: str = "127.0.0.1") -> None:
        """With ``ca_bundle`` over TLS, without it in plaintext; from the address ``source``."""
        address = (endpoint.host, endpoint.port)
        plain = socket.create_connection(address, timeout=_SECONDS, source_address=(source, 0))
        self.socket = (
            plain if ca_bundle is None else context_for(ca_bundle).wrap_socket(plain, server_hostname="localhost")
        )
        self._reader = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *dummy: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._reader.close()
        self.socket.close()

    def ask(self, *arguments: str) -> Any:
        """Send a command, return its reply."""
        words = [argument.encode() for argument in arguments]
        self.send(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))
        return self.read()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.socket.sendall(data)

    def is_closed(self) -> bool:
        """Whether the other side has hung up; waits for it."""
        try:
            return self._reader.read(1) == b""
        except ConnectionError:
            return True

    def read(self) -> Any:
        """The next reply. Raises ConnectionError where the other side hung up."""
        line = self._reader.readline()
        if not line:
            raise ConnectionError("closed by the server")
        kind, text = line[:1], line[1:-2].decode()
        match kind:
            case b"+":
                return text
            case b"-":
                return f"-{text}"
            case b":":
                return int(text)
            case b"$" if text == "-1":
                return None
            case b"_":
                return None
            case b"$":
                return self._reader.read(int(text) + 2)[:-2].decode()
            case b"*" | b">":
                return [self.read() for dummy in range(int(text))]
            case b"%":
                return {self.read(): self.read() for dummy in range(int(text))}
        raise AssertionError(f"unexpected reply {line!r}")


_CONTEXTS: dict[Path, ssl.SSLContext] = {}


def context_for(ca_bundle: Path) -> ssl.SSLContext:
    """What trusts the nodes of a plane, and no others'."""
    if ca_bundle not in _CONTEXTS:
        _CONTEXTS[ca_bundle] = ssl.create_default_context(cafile=str(ca_bundle))
    return _CONTEXTS[ca_bundle]


def wait_until(condition: Callable[[], bool], *, seconds: float = _SECONDS) -> bool:
    """Whether the condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@contextlib.contextmanager
def tls_tunnel(endpoint: Endpoint, ca_bundle: Path) -> Iterator[Endpoint]:
    """A plaintext address that leads to a TLS endpoint, as stunnel would make it.

    AWS's guide has users of a redis-cli without TLS do the same:
    https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/connect-tls.html
    """
    loops = LoopThread("tunnel")
    context = context_for(ca_bundle)

    async def serve(near_reader: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(endpoint.host, endpoint.port, ssl=context)
        # what the client says is carried to its end, then the rest of what the node answers
        await asyncio.gather(_pump(near_reader, far_writer), _pump(far_reader, near_writer))

    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(serve, "127.0.0.1", 0), loops.loop).result(_SECONDS)
    try:
        host, port = server.sockets[0].getsockname()
        yield Endpoint(host, port)
    finally:
        loops.call(server.close)
        loops.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
