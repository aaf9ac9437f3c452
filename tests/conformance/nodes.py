# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The nodes that are asked: one connection, one question, and the answer as it came.

valkey's connection without what its client does by itself (HELLO, CLIENT SETINFO, errors without their first word).
From outside the VPC a connection leads through ``ssh -W``: the machine inside needs nothing but an SSH server, the name
is resolved there, and TLS is from here to the node, so that a token is in nobody's process list.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from valkey._parsers import _RESP3Parser
from valkey.connection import Connection
from valkey.exceptions import ConnectionError as LostError
from valkey.exceptions import ResponseError, ValkeyError

CLOSED = "connection closed"
SERVED = "served"
_TIMEOUT = 10.0


class UnreachableError(Exception):
    """No connection to a node. The message says why."""


class _Parser(_RESP3Parser):
    """valkey's, with errors as they came."""

    @classmethod
    def parse_error(cls, response: str) -> ResponseError:
        return ResponseError(response)


@dataclass(frozen=True)
class Address:
    """A node, and whether it is talked to over TLS."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class _Tunnel:
    """A socket that leads to an address by way of a machine that is reached with ssh."""

    def __init__(self, command: Sequence[str], address: Address) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the tunnel
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(_TIMEOUT)
        line = [*command[:-1], "-o", "BatchMode=yes", "-W", str(address), command[-1]]
        with theirs:
            self._process = subprocess.Popen(
                line, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=self._errors, start_new_session=True
            )

    def fail(self, error: Exception) -> NoReturn:
        """Raise what ssh has said in the place of what could be seen on this side."""
        self.close()
        raise UnreachableError(self._said or str(error))

    def close(self) -> None:
        self.socket.close()
        try:
            self._process.wait(_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if not self._errors.closed:
            self._errors.seek(0)
            self._said = self._errors.read().decode(errors="replace").strip()
            self._errors.close()

    _said = ""


def _connection(address: Address, context: ssl.SSLContext, tunnel: _Tunnel | None) -> Connection:
    """valkey's, not connected yet, over TLS with this context, and through the tunnel if there is one."""

    class Made(Connection):
        def _connect(self) -> Any:
            plain = tunnel.socket if tunnel else super()._connect()
            return context.wrap_socket(plain, server_hostname=address.host) if address.tls else plain

    return Made(
        host=address.host,
        port=address.port,
        socket_timeout=_TIMEOUT,
        socket_connect_timeout=_TIMEOUT,
        lib_name=None,
        lib_version=None,
        parser_class=_Parser,
    )


class Line:
    """One connection to a node."""

    def __init__(self, connection: Connection, tunnel: _Tunnel | None) -> None:
        self._connection = connection
        self._tunnel = tunnel

    def ask(self, *command: str) -> str:
        """The answer's text: a status, an error with its first word, ``(data)`` for anything else, or ``CLOSED``."""
        try:
            self._connection.send_command(*command, check_health=False)
            answer = self._connection.read_response()
        except ResponseError as error:
            return str(error)
        except (LostError, OSError):
            return CLOSED
        return answer.decode(errors="replace") if isinstance(answer, bytes) else "(data)"

    def authenticate(self, token: str, user: str | None = None) -> str:
        """``OK``, or why not."""
        return self.ask("AUTH", *([user] if user else []), token)

    def ping(self) -> str:
        """``served``, or why not."""
        answer = self.ask("PING")
        return SERVED if answer == "PONG" else answer

    def close(self) -> None:
        """End it."""
        self._connection.disconnect()
        if self._tunnel:
            self._tunnel.close()


class Nodes:
    """How nodes are reached. Once one could not be, none is tried any more: a timeout each is too long."""

    def __init__(self, ssh: Sequence[str] = (), ca_bundle: str | None = None, why_not: str = "") -> None:
        self._ssh = tuple(ssh)
        self._context = ssl.create_default_context()
        if ca_bundle:
            self._context.load_verify_locations(ca_bundle)
        self._why_not = why_not
        self._reached = False
        self._lock = threading.Lock()
        self._lines: list[Line] = []

    def open(self, address: Address) -> Line:
        """A connection; raises ``UnreachableError``."""
        if self._why_not:
            raise UnreachableError(self._why_not)
        tunnel = None
        try:
            tunnel = _Tunnel(self._ssh, address) if self._ssh else None
            connection = _connection(address, self._context, tunnel)
            connection.connect()
            if not self._reached:
                self._greet(Line(connection, tunnel))
        except (ValkeyError, OSError) as error:
            self._fail(address, error, tunnel)
        with self._lock:
            self._reached = True
            self._lines.append(Line(connection, tunnel))
            return self._lines[-1]

    @staticmethod
    def _greet(line: Line) -> None:
        """Have it answer: a tunnel takes a connection before it is known whether there is anything at its end."""
        if line.ping() == CLOSED:
            raise LostError(CLOSED)

    def _fail(self, address: Address, error: Exception, tunnel: _Tunnel | None) -> NoReturn:
        try:
            if tunnel:
                tunnel.fail(error)
            raise UnreachableError(str(error))
        except UnreachableError as reason:
            hint = "" if self._ssh else "; --via HOST asks by way of a host inside the VPC"
            why = f"no connection to {address}: {reason}{hint}"
            if not self._reached:
                self._why_not = why
            raise UnreachableError(why) from None

    def once(self, address: Address, *command: str) -> str:
        """The answer on a connection of its own."""
        line = self.open(address)
        try:
            return line.ask(*command)
        finally:
            line.close()

    def unauthenticated(self, address: Address) -> str:
        """What a client without a token is answered: ``served``, or why not."""
        answer = self.once(address, "PING")
        return SERVED if answer == "PONG" else answer

    def accepts(self, address: Address, token: str) -> bool:
        """Whether a client with that token is served."""
        return self.once(address, "AUTH", token) == "OK"

    def close(self) -> None:
        """End all connections."""
        with self._lock:
            for line in self._lines:
                with contextlib.suppress(OSError, ValkeyError):
                    line.close()
