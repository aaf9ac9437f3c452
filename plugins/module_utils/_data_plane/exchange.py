# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Commands to one node, each answered by one line of RESP, within a time and a size that no node can extend.

Whoever answers is not trusted. A client library waits a time for each piece that arrives, and reads as much as it is
told to expect: a node that sends a byte a second, a line without an end or the header of a long value never lets it go.
PING and AUTH are answered by ``+text`` or ``-error``, so nothing else is read at all.
"""

from __future__ import annotations

import socket
import ssl
import time
from types import TracebackType

#: The longest answer that is read, in bytes. Valkey cuts what it repeats of a command in an error at 128.
MAX_ANSWER = 4096


class ExchangeError(Exception):
    """A node gave no answer, or none that a cache gives. The message does not name the node."""


class Exchange:
    """A connection to one node.

    To connect may take ``timeout`` seconds, and everything after that, TLS included, as long again. (How long the
    look-up of the host's name takes is the resolver's.) Raises :class:`ExchangeError` and :class:`OSError`, of which
    :class:`ssl.SSLCertVerificationError` is one.
    """

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, timeout: float) -> None:
        self._timeout = timeout
        self._socket = self._connect(host, port)
        self._deadline = time.monotonic() + timeout
        if tls is not None:
            self._secure(tls, host)

    def __enter__(self) -> Exchange:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._socket.close()

    @property
    def local_host(self) -> str:
        """The address that the connection comes from."""
        return str(self._socket.getsockname()[0])

    def ask(self, *command: str) -> str:
        """Return the node's error, empty where it has none."""
        self.send(*command)
        line = self._line()
        return "" if line.startswith(b"+") else line[1:].decode(errors="replace")

    def send(self, *command: str) -> None:
        """Send a command."""
        parts = [part.encode() for part in command]
        request = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
        self._arm()
        try:
            self._socket.sendall(request)
        except TimeoutError:
            raise self._too_slow() from None

    def renew(self) -> None:
        """Let what follows take as long again."""
        self._deadline = time.monotonic() + self._timeout

    def receive(self, most: int) -> bytes:
        """Return what comes next, at least one byte and at most so many."""
        self._arm()
        try:
            some = self._socket.recv(most)
        except TimeoutError:
            raise self._too_slow() from None
        if not some:
            raise ExchangeError("it closed the connection instead of answering")
        return some

    def _connect(self, host: str, port: int) -> socket.socket:
        """Try the host's addresses one after the other; each has its share of the time that is left."""
        deadline = time.monotonic() + self._timeout
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        failure: OSError = OSError("its name has no address")
        for number, (family, kind, protocol, dummy, address) in enumerate(addresses):
            share = (deadline - time.monotonic()) / (len(addresses) - number)
            if share <= 0:
                break
            connection = socket.socket(family, kind, protocol)
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.settimeout(share)
                connection.connect(address)
            except TimeoutError:
                connection.close()
                failure = OSError(f"no connection within {self._timeout:g} s")
            except OSError as error:
                connection.close()
                failure = error
            else:
                return connection
        raise failure

    def _secure(self, tls: ssl.SSLContext, host: str) -> None:
        plain = self._socket
        try:
            secured = tls.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        except BaseException:
            plain.close()
            raise
        self._socket = secured
        try:
            self._arm()
            secured.do_handshake()
        except BaseException as error:
            secured.close()
            if isinstance(error, TimeoutError):
                raise self._too_slow() from None
            raise

    def _arm(self) -> None:
        """Let the next call on the socket take what is left of the time: with TLS, too, it is limited as a whole."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self._too_slow()
        self._socket.settimeout(left)

    def _line(self) -> bytes:
        """Return one line without its end. A byte more than that is an answer that nobody asked for."""
        got = b""
        while b"\r\n" not in got:
            if len(got) >= MAX_ANSWER:
                raise ExchangeError(f"its answer has no end within {MAX_ANSWER} bytes")
            got += self.receive(MAX_ANSWER - len(got))
            if not got.startswith((b"+", b"-")) or got.startswith(b"-\r\n"):
                raise ExchangeError("what it answers is not what a cache answers")
        line, dummy, more = got.partition(b"\r\n")
        if more:
            raise ExchangeError("it answers more than it is asked")
        return line

    def _too_slow(self) -> ExchangeError:
        return ExchangeError(f"it did not answer within {self._timeout:g} s")
