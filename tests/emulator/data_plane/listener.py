# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A node's endpoint: accepts connections, tells TLS from plaintext by the first byte, and lets in what its mode allows.

The first byte is looked at, not taken (MSG_PEEK), so that the TLS layer or the protocol finds the stream untouched.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable, Iterable

from emulator.access import Endpoint, TlsMode
from emulator.data_plane.loop import LoopThread

_CLIENT_HELLO = 0x16  # the content type of a TLS handshake record
_BACKLOG = 128
_HANDSHAKE_SECONDS = 20.0
_LOG = logging.getLogger(__name__)


class ClientConnection(asyncio.Protocol):
    """What a listener serves: a protocol that it can close. The listener sets ``encrypted`` and ``on_closed``."""

    encrypted = False
    transport: asyncio.Transport | None = None
    on_closed: Callable[[ClientConnection], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # asyncio's signature
        """Tell the listener."""
        if self.on_closed is not None:
            self.on_closed(self)

    def close(self) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abort()


def bind_endpoint(host: str, port: int = 0) -> socket.socket:
    """A socket that listens on a free port of a loopback address (or on the port given; raises OSError if taken)."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening


class Listener:
    """Serves one bound socket. Apart from the constructor, everything is called from within the loop."""

    __slots__ = ("_connect", "_connections", "_context", "_listening", "_loops", "_pending", "endpoint", "mode")

    def __init__(
        self,
        listening: socket.socket,
        *,
        loops: LoopThread,
        context: ssl.SSLContext,
        mode: TlsMode,
        connect: Callable[[], ClientConnection],
    ) -> None:
        self._listening = listening
        self._loops = loops
        self._context = context
        self._connect = connect
        self._connections: set[ClientConnection] = set()
        self._pending: set[socket.socket] = set()  # accepted, nothing received yet
        self.mode = mode
        host, port = listening.getsockname()
        self.endpoint = Endpoint(host, port)

    def start(self) -> None:
        """Begin to accept."""
        self._loops.loop.add_reader(self._listening, self._accept)

    def set_mode(self, mode: TlsMode) -> None:
        """Accept this transport from now on, and end the connections of a transport that is no longer accepted."""
        self.mode = mode
        for connection in tuple(self._connections):
            if not self._allows(connection.encrypted):
                connection.close()

    def drop_connections(self) -> None:
        """End every client connection."""
        for connection in tuple(self._connections):
            connection.close()

    def connections(self) -> tuple[ClientConnection, ...]:
        """The connections in place."""
        return tuple(self._connections)

    def close(self) -> None:
        """Stop listening and end every connection."""
        self._loops.loop.remove_reader(self._listening)
        self._listening.close()
        for accepted in tuple(self._pending):
            self._forget_pending(accepted)
            accepted.close()
        self.drop_connections()

    def _allows(self, encrypted: bool) -> bool:
        return self.mode is TlsMode.PREFERRED or encrypted is (self.mode is TlsMode.REQUIRED)

    def _accept(self) -> None:
        for dummy in range(_BACKLOG):
            try:
                accepted, _address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    raise
                _LOG.warning("%s: cannot accept a connection: %s", self.endpoint, error)
                self._loops.loop.remove_reader(self._listening)  # it stays readable: pause instead of spinning
                self._loops.loop.call_later(0.5, self._resume)
                return
            accepted.setblocking(False)
            self._pending.add(accepted)
            self._loops.loop.add_reader(accepted, self._sniff, accepted)

    def _resume(self) -> None:
        if self._listening.fileno() >= 0:
            self.start()

    def _forget_pending(self, accepted: socket.socket) -> None:
        self._pending.discard(accepted)
        self._loops.loop.remove_reader(accepted)

    def _sniff(self, accepted: socket.socket) -> None:
        try:
            first = accepted.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            first = b""
        self._forget_pending(accepted)
        encrypted = first[:1] == bytes([_CLIENT_HELLO])
        if not first or not self._allows(encrypted):
            accepted.close()
            return
        self._loops.start_task(self._serve(accepted, encrypted))

    async def _serve(self, accepted: socket.socket, encrypted: bool) -> None:
        connection = self._connect()
        connection.encrypted = encrypted
        connection.on_closed = self._connections.discard
        self._connections.add(connection)
        try:
            await self._loops.loop.connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=self._context if encrypted else None,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS if encrypted else None,
            )
        except (OSError, ssl.SSLError, asyncio.CancelledError) as error:
            # a client that does not trust the authority, or goes away, is no fault of the node's
            self._connections.discard(connection)
            accepted.close()
            _LOG.debug("%s: %s", self.endpoint, error)
            return
        if self._listening.fileno() < 0 or not self._allows(encrypted):
            connection.close()  # the node or its transport went away during the handshake


def start_all(listeners: Iterable[Listener]) -> None:
    """Begin to accept at each; within the loop."""
    for listener in listeners:
        listener.start()


def set_mode_all(listeners: Iterable[Listener], mode: TlsMode) -> None:
    """Change the transport of each; within the loop."""
    for listener in listeners:
        listener.set_mode(mode)


def close_all(listeners: Iterable[Listener]) -> None:
    """Close each; within the loop."""
    for listener in listeners:
        listener.close()
