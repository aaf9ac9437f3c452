# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Clients with addresses and libraries of their own, connected to a group's nodes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from integration.scenes import GROUP
from unit.emulator.data_plane_support import Wire

from emulator.access import Endpoint

if TYPE_CHECKING:
    from conftest import Emulator


def endpoints(emulator: Emulator, group: str = GROUP) -> list[Endpoint]:
    """The nodes of a group, those of the first node group first, each with its primary first."""
    shards = emulator.group(group)["node_groups"]
    return [Endpoint(node["host"], node["port"]) for shard in shards for node in shard["nodes"]]


@contextlib.contextmanager
def connected(
    emulator: Emulator,
    host: str,
    token: str | None,
    library: tuple[str, str] = ("", ""),
    *,
    count: int = 1,
    group: str = GROUP,
    node: int = 0,
    user: str = "",
) -> Iterator[list[Wire]]:
    """So many connections of a client to a node, for as long as the block lasts."""
    with contextlib.ExitStack() as stack:
        wires = []
        for dummy in range(count):
            endpoint = endpoints(emulator, group)[node]
            wire = stack.enter_context(Wire(endpoint, Path(str(emulator.ca_bundle)), source=host))
            if token is not None:
                assert wire.ask("AUTH", *((user,) if user else ()), token) == "OK"
            for name, value in zip(("LIB-NAME", "LIB-VER"), library, strict=True):
                if value:
                    assert wire.ask("CLIENT", "SETINFO", name, value) == "OK"
            wires.append(wire)
        yield wires
