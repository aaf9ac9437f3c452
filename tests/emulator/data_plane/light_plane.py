# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Endpoints without a process each, for thousands of groups: the same refusals, a handful of commands."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from emulator.access import Access, Endpoint, FailedAuth, TlsMode
from emulator.data_plane.acl import engine_users
from emulator.data_plane.auth_failures import AuthFailures
from emulator.data_plane.credentials import removed_users
from emulator.data_plane.foundation import Foundation
from emulator.data_plane.light_engine import LightGroup, Session
from emulator.data_plane.listener import ClientConnection, Listener, bind_endpoint, close_all, set_mode_all, start_all
from emulator.data_plane.resp import CommandStream, ProtocolError
from emulator.data_plane.variants import Variants

_HOST = "127.0.0.1"
_MAX_COMMAND = 8 * 1024 * 1024


class LightConnection(ClientConnection):
    """A client's connection."""

    def __init__(self, group: LightGroup, shard: int, position: int, variants: Variants) -> None:
        self.session = Session(group, shard, position, variants)
        self._stream = CommandStream(None, max_command=_MAX_COMMAND)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The node lists it from now on."""
        super().connection_made(transport)
        client, own = (transport.get_extra_info(name) or ("?", 0) for name in ("peername", "sockname"))
        self.session.connected(f"{client[0]}:{client[1]}", f"{own[0]}:{own[1]}", self.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """The node does not list it any more."""
        super().connection_lost(exc)
        self.session.disconnected()

    def data_received(self, data: bytes) -> None:
        """Answer every command that the chunk completes."""
        assert self.transport is not None
        replies: list[bytes] = []
        try:
            while not self.session.closing:
                commands = (found for found in self._stream.feed(data) if not isinstance(found, bytes))
                replies.extend(
                    self.session.answer(command.arguments) for command in commands if not self.session.closing
                )
                if self._stream.failed is None:
                    break
                data = b""  # the next call raises what was found after these commands
        except ProtocolError as error:
            replies.append(f"-ERR Protocol error: {error}\r\n".encode("latin-1"))
            self.session.closing = True
        if replies:
            self.transport.write(b"".join(replies))
        if self.session.closing:
            self.transport.close()

    def pause_writing(self) -> None:
        """A client that does not read its replies is not read either."""
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        if self.transport is not None:
            self.transport.resume_reading()


class LightPlane:
    """A DataPlane (see ``emulator.access``) of asyncio servers in one thread."""

    def __init__(self, *, variants: Variants, foundation: Foundation) -> None:
        self.ca_bundle: Path = foundation.ca_bundle
        self._foundation = foundation
        self._variants = variants
        self._failures = AuthFailures()
        self._lock = threading.Lock()
        self._groups: dict[str, tuple[LightGroup, list[Listener]]] = {}

    def create_group(
        self, key: str, layout: Sequence[int], *, cluster_enabled: bool, access: Access, tls: TlsMode
    ) -> list[list[Endpoint]]:
        """See DataPlane. Raises KeyError where the key is taken."""
        engine_users(access)  # refuses what the engine would refuse
        group = LightGroup(
            access,
            cluster_enabled=cluster_enabled,
            on_refused=lambda shard, position: self._failures.add(FailedAuth(key, shard, position, int(time.time()))),
        )
        listeners: list[Listener] = []
        with self._lock:
            if key in self._groups:
                raise KeyError(f"group {key} exists")
            try:
                for shard, size in enumerate(layout):
                    group.shards.append([])
                    for position in range(size):
                        listeners.append(self._make_listener(group, shard, position, tls))
                        group.shards[-1].append(listeners[-1].endpoint)
                self._foundation.loops.call(lambda: start_all(listeners))
            except BaseException:
                self._foundation.loops.call(lambda: close_all(listeners))
                raise
            self._groups[key] = (group, listeners)
        return [list(shard) for shard in group.shards]

    def _make_listener(self, group: LightGroup, shard: int, position: int, tls: TlsMode) -> Listener:
        return Listener(
            bind_endpoint(_HOST),
            loops=self._foundation.loops,
            context=self._foundation.context,
            mode=tls,
            connect=lambda: LightConnection(group, shard, position, self._variants),
        )

    def set_access(self, key: str, access: Access) -> None:
        """See DataPlane. Raises KeyError for an unknown group, ValueError for an access string that is none."""
        group, listeners = self._groups[key]
        engine_users(access)  # refuses what the engine would refuse
        self._foundation.loops.call(lambda: self._apply(group, listeners, access))

    def _apply(self, group: LightGroup, listeners: Sequence[Listener], access: Access) -> None:
        removed = removed_users(group.access, access)
        drop_all = self._variants.drops_connections(group.access, access)
        group.access = access
        for listener in listeners:
            for connection in listener.connections():
                assert isinstance(connection, LightConnection)
                if drop_all or (connection.session.user in removed and connection.session.authenticated):
                    connection.close()

    def set_tls(self, key: str, mode: TlsMode) -> None:
        """See DataPlane. Raises KeyError for an unknown group."""
        _group, listeners = self._groups[key]
        self._foundation.loops.call(lambda: set_mode_all(listeners, mode))

    def take_authentication_failures(self) -> Mapping[FailedAuth, int]:
        """See DataPlane."""
        return self._failures.take()

    def delete_group(self, key: str) -> None:
        """See DataPlane. An unknown group is no error."""
        with self._lock:
            _group, listeners = self._groups.pop(key, (None, []))
        self._foundation.loops.call(lambda: close_all(listeners))

    def close(self) -> None:
        """See DataPlane."""
        if self._foundation.closed:
            return
        for key in tuple(self._groups):
            self.delete_group(key)
        self._foundation.close()
