# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Live clients: ordinary ones, which log in anew all the time, and say when they were refused.

The demo's clients (``demo/clients.py``) are given their token; these fetch it for every login, as an application does
that goes by AWSCURRENT, or stay with one for good.

**What is a failure.** A client that is refused reads its token again, once, and logs in again; only a second refusal
counts. In an operation that keeps its order, a whole promotion and SET would have to fit between the reading of
AWSCURRENT and the login with it for the first to happen; a thread that a busy machine leaves standing in between can
see that all the same. Likewise a connection that the server ends (the variant ``existing-connections=drop``) is no
failure: every client library connects again. In both cases the second try comes at once, so that whatever is refused
for longer than an instant is a failure.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import valkey

from chaos.judge import Failure
from chaos.store import read_current, secret_name

if TYPE_CHECKING:
    from conftest import Emulator

#: To hang is to fail; seconds.
_TIMEOUT = 20.0
_PAUSE = 0.05
_PINGS = 2
_FIRST_LOGIN_SECONDS = 30.0


@dataclass(frozen=True)
class Node:
    """Where a node listens, and whether the client speaks TLS to it."""

    host: str
    port: int
    tls: bool


class Client(threading.Thread):
    """Logs in to one node after the other with whatever ``token`` says at the time, sends a few PINGs, and leaves."""

    def __init__(
        self,
        name: str,
        nodes: Callable[[], tuple[str, Sequence[Node]]],
        token: Callable[[], str],
        ca_bundle: str,
        account: tuple[str, str] | None = None,
    ) -> None:
        """``nodes`` says the group's mode and its nodes; an empty ``token`` is a login without AUTH, or with the name
        and password of its ``account``.
        """
        super().__init__(name=name, daemon=True)
        self.served = 0
        self.failures: list[Failure] = []
        self.broken: BaseException | None = None  #: what ended it, where that is not for it to judge
        self._nodes = nodes
        self._token = token
        self._ca_bundle = ca_bundle
        self._account = account
        self._turn = itertools.count()
        self._ended = threading.Event()

    def end(self) -> None:
        """End it and wait until it has."""
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Log in until told to end."""
        try:
            while not self._ended.wait(_PAUSE):
                self._visit(next(self._turn))
        except BaseException as error:
            self.broken = error

    def _visit(self, turn: int) -> None:
        for last in (False, True):
            mode, nodes = self._nodes()
            try:
                self._log_in(nodes[turn % len(nodes)], self._token())
                return
            except (valkey.ValkeyError, OSError) as error:
                if last:
                    self.failures.append(Failure(self.name, time.time(), str(error) or type(error).__name__, mode))

    def _log_in(self, node: Node, token: str) -> None:
        # A Retry of none: the library's own would hide what this is after.
        user, password = (None, token) if token or not self._account else self._account
        connection = valkey.Valkey(
            host=node.host,
            port=node.port,
            username=user,
            password=password or None,
            ssl=node.tls,
            ssl_ca_certs=self._ca_bundle,
            ssl_check_hostname=node.tls,
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            single_connection_client=True,
            retry=None,
            lib_name=None,
            lib_version=None,
        )
        try:
            for dummy in range(_PINGS):
                if connection.ping():
                    self.served += 1
                time.sleep(0.01)
        finally:
            connection.close()


class Clients:
    """The clients of a run."""

    def __init__(self, current: Client, previous: Client | None) -> None:
        self.current = current
        self.previous = previous

    @property
    def all(self) -> list[Client]:
        """Those that there are."""
        return [client for client in (self.current, self.previous) if client is not None]

    def wait_served(self) -> None:
        """Wait until each was served: what happens from now on happens under live clients."""
        deadline = time.monotonic() + _FIRST_LOGIN_SECONDS
        while waiting := [client for client in self.all if not client.served]:
            if time.monotonic() > deadline:
                first = [str(failure) for client in waiting for failure in client.failures[:1]]
                raise TimeoutError(f"in the scene, {', '.join(client.name for client in waiting)} not served: {first}")
            time.sleep(0.02)


@contextlib.contextmanager
def live(
    emulator: Emulator,
    group: str,
    previous: str | None,
    *,
    previous_tls: bool | None = None,
    account: tuple[str, str] | None = None,
) -> Iterator[Clients]:
    """Clients of a group, ended at the end. ``previous``: the token of one that never changes it, empty for no AUTH.
    ``account``: the name and password of the one on AWSCURRENT while that says that there is no token.

    They speak TLS wherever the group takes it; ``previous_tls`` says otherwise for the one on the previous token.
    """
    assert emulator.ca_bundle is not None

    def nodes(tls: bool | None) -> Callable[[], tuple[str, list[Node]]]:
        def read() -> tuple[str, list[Node]]:
            truth: dict[str, Any] = emulator.group(group)
            encrypted = truth["tls"] != "off" if tls is None else tls
            found = [node for shard in truth["node_groups"] for node in shard["nodes"]]
            return truth["mode"], [Node(node["host"], node["port"], encrypted) for node in found]

        return read

    name = secret_name(group)
    current = Client(
        "client on AWSCURRENT", nodes(None), lambda: read_current(emulator, name), emulator.ca_bundle, account
    )
    stays = None
    if previous is not None:
        token = previous
        stays = Client("client on the previous token", nodes(previous_tls), lambda: token, emulator.ca_bundle)
    clients = Clients(current, stays)
    for client in clients.all:
        client.start()
    try:
        yield clients
    finally:
        for client in clients.all:
            client.end()
