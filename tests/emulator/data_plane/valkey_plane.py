# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Nodes that are real ``valkey-server`` processes, with real replication and real cluster mode, behind TLS."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import valkey

from emulator.access import Access, Endpoint, FailedAuth, TlsMode
from emulator.data_plane.acl import engine_users, hidden_user
from emulator.data_plane.credentials import is_open_to_all, removed_users
from emulator.data_plane.engine_admin import EngineAdmin
from emulator.data_plane.foundation import Foundation
from emulator.data_plane.listener import Listener, bind_endpoint, close_all, set_mode_all, start_all
from emulator.data_plane.proxy import AuthsSeen, Engine, GroupPolicy, ProxyConnection
from emulator.data_plane.server_config import (
    CLUSTER_ENDPOINT_HOST,
    ENDPOINT_HOST,
    INNER_HOST,
    NODES_FILE,
    PING_INTERVAL,
    SOCKET_NAME,
    ClusterNode,
    HiddenUser,
    nodes_file,
    server_config,
    slot_ranges,
)
from emulator.data_plane.variants import Variants

_READY_SECONDS = 40.0
_POLL_SECONDS = 0.01
_ATTEMPTS = 3
_SETTLED_SECONDS = 2.0  # by then the engine has answered an AUTH that came in
_LONGEST_SOCKET_PATH = 100  # 108 bytes on Linux, 104 on macOS, with the end mark


class ServerDiedError(RuntimeError):
    """A server ended by itself; most likely somebody else took its port in the meantime."""


@dataclass
class Node:
    """A server, its folder and its endpoint. A port is None where nobody needs it."""

    folder: Path
    listener: Listener
    inner_port: int
    bus_port: int | None = None
    node_id: str = field(default_factory=lambda: secrets.token_hex(20))
    pid: int | None = None
    auths: AuthsSeen = field(default_factory=AuthsSeen)

    @property
    def socket_path(self) -> Path:
        """Where the server listens for the emulator."""
        return self.folder / SOCKET_NAME

    def log_tail(self) -> str:
        """The last lines that the server wrote."""
        try:
            return "\n".join((self.folder / "log").read_text(errors="replace").splitlines()[-8:])
        except OSError:
            return ""


@dataclass
class Group:
    """The nodes of a replication group, by node group, primaries first."""

    policy: GroupPolicy
    shards: list[list[Node]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def nodes(self) -> list[Node]:
        """All of them."""
        return [node for shard in self.shards for node in shard]

    @property
    def listeners(self) -> list[Listener]:
        """Their endpoints."""
        return [node.listener for node in self.nodes]


class ValkeyPlane:
    """A DataPlane (see ``emulator.access``) of real servers."""

    def __init__(self, *, server: str, variants: Variants, foundation: Foundation) -> None:
        self.ca_bundle: Path = foundation.ca_bundle
        self._server = server
        self._variants = variants
        self._foundation = foundation
        self._hidden = HiddenUser(f"emulator-{secrets.token_hex(8)}", secrets.token_hex(32))
        self._quick_news = True
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._groups: dict[str, Group] = {}
        longest = self._node_folder(10**6) / SOCKET_NAME
        if len(os.fsencode(longest)) > _LONGEST_SOCKET_PATH:
            foundation.close()
            raise ValueError(f"{longest} is too long a path for a unix socket: choose a shorter temporary folder")

    def create_group(
        self, key: str, layout: Sequence[int], *, cluster_enabled: bool, access: Access, tls: TlsMode
    ) -> list[list[Endpoint]]:
        """See DataPlane. Raises KeyError where the key is taken, RuntimeError where a server won't start."""
        group = Group(GroupPolicy(access, self._variants))
        try:
            with group.lock:  # who deletes it meanwhile waits
                with self._lock:
                    if key in self._groups:
                        raise KeyError(f"group {key} exists")
                    self._groups[key] = group
                for attempt in range(1, _ATTEMPTS + 1):
                    try:
                        self._start_group(group, layout, cluster_enabled=cluster_enabled, tls=tls)
                        break
                    except ServerDiedError as error:
                        self._end_nodes(group)
                        if PING_INTERVAL in str(error):
                            self._quick_news = False  # an older engine: it takes some seconds longer
                        if attempt == _ATTEMPTS:
                            raise
                return [[node.listener.endpoint for node in shard] for shard in group.shards]
        except BaseException:
            if self._groups.get(key) is group:
                self.delete_group(key)
            raise

    def set_access(self, key: str, access: Access) -> None:
        """See DataPlane. Raises KeyError for an unknown group, ValueError for an access string that is none."""
        group = self._groups[key]
        users = engine_users(access)
        with group.lock:
            if not group.shards:
                raise KeyError(key)  # deleted meanwhile
            before = group.policy.access
            with EngineAdmin(group.nodes[0].socket_path, self._hidden) as admin:
                admin.try_users(users)
            if is_open_to_all(access):
                # from now on AUTH is judged by the proxy, which answers alike whether the engine has changed yet or
                # not; in the other direction the engine must have the tokens before it is asked again (below)
                group.policy.access = access
            removed = removed_users(before, access)
            for node in group.nodes:
                with EngineAdmin(node.socket_path, self._hidden) as admin:
                    admin.replace_users(users, removed=removed)
            group.policy.access = access
            if self._variants.drops_connections(before, access):
                self._foundation.loops.call(lambda: drop_all(group.listeners))

    def set_tls(self, key: str, mode: TlsMode) -> None:
        """See DataPlane. Raises KeyError for an unknown group."""
        group = self._groups[key]
        self._foundation.loops.call(lambda: set_mode_all(group.listeners, mode))

    def take_authentication_failures(self) -> Mapping[FailedAuth, int]:
        """See DataPlane. The engine counts; only nodes where AUTHs came in since are asked."""
        found: dict[FailedAuth, int] = {}
        for key, group in tuple(self._groups.items()):
            for index, shard in enumerate(tuple(group.shards)):
                for position, node in enumerate(tuple(shard)):
                    if node.auths.asked < node.auths.at + _SETTLED_SECONDS:
                        count = self._newly_refused(node)
                        if count:  # only now: one that is counted may have come in while the node was asked
                            found[FailedAuth(key, index, position, int(node.auths.at))] = count
        return found

    def _newly_refused(self, node: Node) -> int:
        asked = time.time()
        try:
            with EngineAdmin(node.socket_path, self._hidden) as admin:
                count = admin.refused_auths()
        except (valkey.ConnectionError, valkey.TimeoutError, OSError):
            return 0  # it is ending
        # below what it was: a client has reset the statistics
        new = count - node.auths.counted if count >= node.auths.counted else count
        node.auths.asked, node.auths.counted = asked, count
        return new

    def delete_group(self, key: str) -> None:
        """See DataPlane. An unknown group is no error."""
        with self._lock:
            group = self._groups.pop(key, None)
        if group is not None:
            with group.lock:
                self._end_nodes(group)

    def close(self) -> None:
        """See DataPlane."""
        if self._foundation.closed:
            return
        for key in tuple(self._groups):
            self.delete_group(key)
        self._foundation.close()

    def _node_folder(self, number: int) -> Path:
        return self._foundation.folder / str(number)

    def _start_group(self, group: Group, layout: Sequence[int], *, cluster_enabled: bool, tls: TlsMode) -> None:
        for size in layout:
            group.shards.append([])
            for dummy in range(size):
                group.shards[-1].append(self._make_node(group, tls, cluster_enabled=cluster_enabled))
        if cluster_enabled:
            self._start_cluster(group)
        else:
            self._start_replication(group)
        self._foundation.loops.call(lambda: start_all(group.listeners))

    def _make_node(self, group: Group, tls: TlsMode, *, cluster_enabled: bool) -> Node:
        folder = self._node_folder(next(self._numbers))
        folder.mkdir()
        auths = AuthsSeen()
        if cluster_enabled:
            listening = bind_twin_endpoint()
            inner_port, bus_port = listening.getsockname()[1], free_port(INNER_HOST)
        else:
            listening = bind_endpoint(ENDPOINT_HOST)
            inner_port, bus_port = free_port(INNER_HOST), None
        engine = Engine((INNER_HOST, inner_port))
        engine.book.add((INNER_HOST, inner_port), listening.getsockname())
        listener = Listener(
            listening,
            loops=self._foundation.loops,
            context=self._foundation.context,
            mode=tls,
            connect=lambda: ProxyConnection(engine, group.policy, self._foundation.loops, auths),
        )
        return Node(folder, listener, inner_port, bus_port, auths=auths)

    def _start_replication(self, group: Group) -> None:
        primaries = [shard[0] for shard in group.shards]
        for primary in primaries:
            self._start_server(primary, group.policy.access)
        # a replica that finds its primary at once need not wait for the engine's next try, a second later
        self._wait(group, [(primary, False, 0) for primary in primaries], cluster=False)
        for shard in group.shards:
            for replica in shard[1:]:
                self._start_server(replica, group.policy.access, replica_of=shard[0].inner_port)
        self._wait(group, roles(group), cluster=False)

    def _start_cluster(self, group: Group) -> None:
        members = cluster_members(group)
        for node, member in zip(group.nodes, members, strict=True):
            (node.folder / NODES_FILE).write_text(nodes_file(members, member))
            self._start_server(node, group.policy.access)
        self._wait(group, roles(group), cluster=True)

    def _start_server(self, node: Node, access: Access, *, replica_of: int | None = None) -> None:
        config = node.folder / "conf"
        config.touch(mode=0o600)
        config.write_text(
            server_config(
                users=(*engine_users(access), hidden_user(self._hidden.name, self._hidden.password)),
                hidden=self._hidden,
                endpoint=node.listener.endpoint,
                inner_port=node.inner_port,
                replica_of=replica_of,
                cluster_bus_port=node.bus_port,
                quick_news=self._quick_news,
            )
        )
        node.pid = self._foundation.keeper.start(
            [self._server, config.name], folder=node.folder, log=node.folder / "log"
        )

    def _wait(self, group: Group, wanted: Sequence[tuple[Node, bool, int]], *, cluster: bool) -> None:
        """Until every node is what it should be: (node, whether it is a replica, how many replicas it has)."""
        deadline = time.monotonic() + _READY_SECONDS
        for node, replica, replicas in wanted:
            while not self._is_ready(
                node, replica=replica, replicas=replicas, nodes_of_cluster=len(group.nodes) if cluster else None
            ):
                assert node.pid is not None
                if self._foundation.keeper.exit_status(node.pid) is not None:
                    raise ServerDiedError(f"valkey-server ended at its start:\n{node.log_tail()}")
                if time.monotonic() > deadline:
                    raise RuntimeError(f"valkey-server is not ready after {_READY_SECONDS:.0f} s:\n{node.log_tail()}")
                time.sleep(_POLL_SECONDS)

    def _is_ready(self, node: Node, *, replica: bool, replicas: int, nodes_of_cluster: int | None) -> bool:
        if not node.socket_path.exists():
            return False
        with EngineAdmin(node.socket_path, self._hidden) as admin:
            return admin.is_ready(nodes_of_cluster=nodes_of_cluster, replica=replica, replicas=replicas)

    def _end_nodes(self, group: Group) -> None:
        self._foundation.loops.call(lambda: close_all(group.listeners))
        self._foundation.keeper.stop([node.pid for node in group.nodes if node.pid is not None])
        for node in group.nodes:
            shutil.rmtree(node.folder, ignore_errors=True)
        group.shards.clear()


def roles(group: Group) -> list[tuple[Node, bool, int]]:
    """For each node: whether it is a replica, and how many replicas it has."""
    return [
        (node, position > 0, 0 if position else len(shard) - 1)
        for shard in group.shards
        for position, node in enumerate(shard)
    ]


def cluster_members(group: Group) -> list[ClusterNode]:
    """The nodes as members of a cluster, in the order of ``group.nodes``."""
    members = []
    ranges = slot_ranges(len(group.shards))
    for index, (shard, slots) in enumerate(zip(group.shards, ranges, strict=True)):
        shard_id = secrets.token_hex(20)
        for position, node in enumerate(shard):
            assert node.bus_port is not None
            members.append(
                ClusterNode(
                    node_id=node.node_id,
                    shard_id=shard_id,
                    port=node.inner_port,
                    bus_port=node.bus_port,
                    primary_id=shard[0].node_id if position else None,
                    slots=None if position else slots,
                    epoch=0 if position else index + 1,
                )
            )
    return members


def drop_all(listeners: Sequence[Listener]) -> None:
    """End every client connection; within the loop."""
    for listener in listeners:
        listener.drop_connections()


def free_port(host: str) -> int:
    """A port that is free at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def bind_twin_endpoint() -> socket.socket:
    """A listening socket at the cluster's endpoint address whose port is free at the inner address, too."""
    while True:
        listening = bind_endpoint(CLUSTER_ENDPOINT_HOST)
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.bind((INNER_HOST, listening.getsockname()[1]))
        except OSError:
            listening.close()
            continue
        return listening
