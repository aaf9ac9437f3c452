# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Between a client and its valkey-server.

The engine itself decides on credentials, with one exception: where a group takes clients without authentication, the
engine's user ``default`` has no password, and the engine then refuses every AUTH. There the credential is judged here
(elasticache-facts §1) and the command rewritten, one for one, into one that the engine answers likewise. Replies come
from the engine alone, so their order, protocol version and wording are its own; they pass untouched, but for the
addresses of clients in what the engine tells of them.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from emulator.access import Access
from emulator.data_plane.addresses import AddressBook, Translation
from emulator.data_plane.credentials import (
    DEFAULT_USER,
    Credential,
    Unsettled,
    Verdict,
    is_open_to_all,
    judge,
    read_auth,
    read_hello,
)
from emulator.data_plane.listener import ClientConnection
from emulator.data_plane.loop import LoopThread
from emulator.data_plane.resp import Command, CommandStream, ProtocolError, encode_command
from emulator.data_plane.variants import Variants

_REWRITTEN = (b"AUTH", b"HELLO", b"CLIENT", b"ACL")
#: What tells of clients.
_TELLING = (b"CLIENT", b"ACL")
#: A user that no group has: the engine refuses it as it refuses a wrong password.
_NOBODY = f"emulator-nobody-{secrets.token_hex(8)}".encode()
_LOG = logging.getLogger(__name__)


def rewrite(command: Command, access: Access, unsettled: Unsettled) -> bytes:
    """What to send to the engine in place of an AUTH or HELLO, for a group with this access."""
    if access.users is not None or not is_open_to_all(access):
        return command.raw
    if command.name == b"AUTH":
        credential = read_auth(command.arguments)
        if credential is None:
            return command.raw
        return _rewrite_credential(credential, judge(access, credential, unsettled))
    hello = read_hello(command.arguments)
    if hello is None or hello.credential is None:
        return command.raw
    verdict = judge(access, hello.credential, unsettled)
    if verdict is Verdict.UNCONFIGURED:
        return _rewrite_credential(hello.credential, verdict)  # as a refused HELLO it changes nothing else
    user = DEFAULT_USER if verdict is Verdict.ACCEPTED else _NOBODY
    renamed = [b"HELLO", b"%d" % (hello.version or 2), b"AUTH", user, hello.credential.password]
    return encode_command(renamed if hello.client_name is None else [*renamed, b"SETNAME", hello.client_name])


def _rewrite_credential(credential: Credential, verdict: Verdict) -> bytes:
    """An AUTH that a ``default`` without a password answers with the verdict.

    It accepts any password of a user named outright, and none of a user left out.
    """
    match verdict:
        case Verdict.ACCEPTED:
            return encode_command([b"AUTH", DEFAULT_USER, credential.password])
        case Verdict.WRONG:
            return encode_command([b"AUTH", _NOBODY, credential.password])
        case Verdict.UNCONFIGURED:
            return encode_command([b"AUTH", credential.password])


@dataclass
class GroupPolicy:
    """What the connections of a group look up at each AUTH; replaced from another thread."""

    access: Access
    variants: Variants


@dataclass
class AuthsSeen:
    """Whether a node has to be asked for the AUTHs that it refused: only where some came in since."""

    at: float = 0.0  #: when the last came in, seconds since the epoch
    asked: float = 0.0  #: when the node was last asked
    counted: int = 0  #: what it had refused by then


@dataclass
class Engine:
    """Where the engine of a node takes the proxy's connections (host and port), and what it calls the clients."""

    address: tuple[str, int]
    book: AddressBook = field(default_factory=AddressBook)


class _Upstream(asyncio.Protocol):
    """The connection to the engine."""

    def __init__(self, client: ProxyConnection) -> None:
        self._client = client
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._client.send(data)

    def connection_lost(self, exc: Exception | None) -> None:  # asyncio's signature
        self._client.upstream_lost()

    def pause_writing(self) -> None:
        self._client.pause_reading()

    def resume_writing(self) -> None:
        self._client.resume_reading()


class ProxyConnection(ClientConnection):
    """A client's connection to a node."""

    def __init__(self, engine: Engine, policy: GroupPolicy, loops: LoopThread, auths: AuthsSeen) -> None:
        self._engine = engine
        self._translation: Translation | None = None  # once it has asked for what tells of clients
        self._auths = auths
        self._policy = policy
        self._loops = loops
        self._stream = CommandStream(_REWRITTEN)
        self._forward: Callable[[bytes], None] | None = None
        self._upstream: _Upstream | None = None
        self._opaque = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open the way to the engine; the client is not read before."""
        super().connection_made(transport)
        self.pause_reading()
        self._loops.start_task(self._open_upstream())

    async def _open_upstream(self) -> None:
        upstream = _Upstream(self)
        assert self.transport is not None
        host, port = self._engine.address
        client = self.transport.get_extra_info("peername") or (host, 0)
        source = None if client[0] == host else (client[0], 0)
        try:
            await self._loops.loop.create_connection(lambda: upstream, host, port, local_addr=source)
        except (OSError, asyncio.CancelledError) as error:
            _LOG.warning("%s:%d: %s", host, port, error)
            self.close()
            return
        assert upstream.transport is not None
        self._engine.book.add(upstream.transport.get_extra_info("sockname")[:2], client[:2])
        if self.transport.is_closing():
            upstream.transport.abort()
            return
        self._upstream = upstream
        self._forward = upstream.transport.write
        self.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Hand the client's bytes on, its AUTH and HELLO as the policy wants them."""
        assert self._forward is not None
        if self._opaque:
            self._auths.at = time.time()  # who knows
            self._forward(data)
            return
        try:
            found = self._stream.feed(data)
        except ProtocolError:
            found = []
        if len(found) == 1 and isinstance(found[0], bytes):
            self._forward(found[0])
        elif found:
            self._forward(b"".join(item if isinstance(item, bytes) else self._rewrite(item) for item in found))
        if self._stream.failed is not None:
            # what the parser does not understand the engine refuses, in its own words
            self._opaque = True
            self._forward(self._stream.unread)

    def _rewrite(self, command: Command) -> bytes:
        if command.name in _TELLING:
            self._translation = self._translation or Translation(self._engine.book)
            arguments = tuple(self._engine.book.inside(argument) for argument in command.arguments)
            return command.raw if arguments == command.arguments else encode_command(arguments)
        self._auths.at = time.time()
        return rewrite(command, self._policy.access, self._policy.variants.unsettled())

    def eof_received(self) -> bool:
        """A client that has said all it has to say may still wait for replies (TLS has no such half-close)."""
        if self._upstream is not None and self._upstream.transport is not None and not self.encrypted:
            self._upstream.transport.write_eof()
            return True
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: so is its connection to the engine, which ends blocking commands and subscriptions."""
        super().connection_lost(exc)
        if self._upstream is not None and self._upstream.transport is not None:
            self._upstream.transport.close()

    def send(self, data: bytes) -> None:
        """Bytes for the client."""
        if self.transport is not None:
            self.transport.write(data if self._translation is None else self._translation.feed(data))

    def upstream_lost(self) -> None:
        """The engine has ended the connection: end the client's, after what is still to be sent."""
        if self.transport is not None:
            self.transport.close()

    def pause_reading(self) -> None:
        """Wait for the engine."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def pause_writing(self) -> None:
        """The client is slow to read: don't read the engine."""
        if self._upstream is not None and self._upstream.transport is not None:
            self._upstream.transport.pause_reading()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._upstream is not None and self._upstream.transport is not None:
            self._upstream.transport.resume_reading()
