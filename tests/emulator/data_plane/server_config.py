# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Configuration files of the engine. Pure: text out of data."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from emulator.access import Endpoint
from emulator.data_plane.acl import REMOVED_COMMANDS, EngineUser

#: Where nodes talk to each other and the proxy to them, in plaintext. In cluster mode their endpoints have the same
#: ports at CLUSTER_ENDPOINT_HOST.
INNER_HOST = "127.0.0.1"
#: In cluster mode the engine tells clients to go to "host name" and port: this address, where the proxy listens.
CLUSTER_ENDPOINT_HOST = "127.0.0.2"
ENDPOINT_HOST = "127.0.0.1"
LAST_SLOT = 16383

SOCKET_NAME = "s"
NODES_FILE = "nodes.conf"
#: A directive of Valkey that not every version has.
PING_INTERVAL = "cluster-ping-interval"


@dataclass(frozen=True)
class HiddenUser:
    """The emulator's own account on every node of a plane."""

    name: str
    password: str


@dataclass(frozen=True)
class ClusterNode:
    """A node as its cluster knows it."""

    node_id: str
    shard_id: str
    port: int
    bus_port: int
    primary_id: str | None
    slots: tuple[int, int] | None
    epoch: int


def slot_ranges(shards: int) -> list[tuple[int, int]]:
    """The hash slots of each of so many node groups, first and last, shared evenly."""
    bounds = [round((LAST_SLOT + 1) * index / shards) for index in range(shards + 1)]
    return [(first, after - 1) for first, after in itertools.pairwise(bounds)]


def nodes_file(nodes: Sequence[ClusterNode], myself: ClusterNode) -> str:
    """What the cluster knows of itself, as each node would write it after all have met: saves them the meeting."""
    lines = []
    for node in nodes:
        role = "master" if node.primary_id is None else "slave"
        flags = f"myself,{role}" if node is myself else role
        slots = f" {node.slots[0]}-{node.slots[1]}" if node.slots is not None else ""
        lines.append(
            f"{node.node_id} {INNER_HOST}:{node.port}@{node.bus_port},{CLUSTER_ENDPOINT_HOST},shard-id={node.shard_id} "
            f"{flags} {node.primary_id or '-'} 0 0 {node.epoch} connected{slots}"
        )
    epoch = max(node.epoch for node in nodes)
    return "\n".join([*lines, f"vars currentEpoch {epoch} lastVoteEpoch 0", ""])


def server_config(
    *,
    users: Iterable[EngineUser],
    hidden: HiddenUser,
    endpoint: Endpoint,
    inner_port: int,
    replica_of: int | None = None,
    cluster_bus_port: int | None = None,
    quick_news: bool = True,
) -> str:
    """The configuration of one server.

    ``endpoint``: where clients reach it; ``inner_port``: where the proxy and other nodes do;
    ``replica_of``: the inner port of its primary; ``cluster_bus_port``: given in cluster mode only;
    ``quick_news``: whether members tell each other soon that replicas are in sync (PING_INTERVAL).
    """
    lines = [
        f"bind {INNER_HOST}",
        f"port {inner_port}",
        f"unixsocket {SOCKET_NAME}",
        "unixsocketperm 700",
        "protected-mode no",  # bound to loopback; the engine would refuse clients of an open group
        "daemonize no",
        'save ""',
        "appendonly no",
        "tcp-backlog 128",
        "repl-diskless-sync yes",
        "repl-diskless-sync-delay 0",
        "repl-diskless-load on-empty-db",
        f"masteruser {hidden.name}",
        f"masterauth {hidden.password}",
        *(f'rename-command {name.upper()} ""' for name in REMOVED_COMMANDS),
        *(_user_line(user) for user in users),
    ]
    if cluster_bus_port is not None:
        lines += [
            "cluster-enabled yes",
            f"cluster-config-file {NODES_FILE}",
            f"cluster-port {cluster_bus_port}",
            f"cluster-announce-ip {INNER_HOST}",
            f"cluster-announce-hostname {CLUSTER_ENDPOINT_HOST}",
            "cluster-preferred-endpoint-type hostname",
            *([f"{PING_INTERVAL} 100"] if quick_news else []),  # ms, the default being 1,000
        ]
    else:
        lines += [f"replica-announce-ip {endpoint.host}", f"replica-announce-port {endpoint.port}"]
    if replica_of is not None:
        lines.append(f"replicaof {INNER_HOST} {replica_of}")
    return "\n".join([*lines, ""])


def _user_line(user: EngineUser) -> str:
    return " ".join(["user", _quote(user.name), *map(_quote, user.rules)])


def _quote(word: str) -> str:
    """A word for a configuration file; a selector stays several words, as the engine wants it."""
    if word.startswith("("):
        return " ".join(_quote(part) for part in word[1:-1].split()).join(("(", ")"))
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
