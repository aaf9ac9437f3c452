# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What the control plane tells the data plane: who is let in, over which transport, and at which address.

The control plane (the emulated ElastiCache API) owns the truth; the data plane (the emulated nodes) enforces it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol


class TlsMode(enum.Enum):
    """Encryption in transit of a group: what a node does with a plaintext and with a TLS connection."""

    OFF = "off"  #: plaintext only
    PREFERRED = "preferred"  #: both
    REQUIRED = "required"  #: TLS only


@dataclass(frozen=True)
class AclUser:
    """A user of a user group as the engine sees it (its *name*, not its id)."""

    name: str
    access_string: str  #: for example ``on ~* +@all``
    passwords: tuple[str, ...] = ()
    no_password: bool = False


@dataclass(frozen=True)
class Access:
    """Who is let in.

    ``slots`` are the credentials in force, oldest first, at most two, ``None`` being "no authentication"
    (elasticache-facts §1). With ``users`` set (RBAC) the slots do not count.
    """

    slots: tuple[str | None, ...] = (None,)
    users: tuple[AclUser, ...] | None = None


@dataclass(frozen=True)
class Endpoint:
    """Where a node listens."""

    host: str
    port: int


class FailedAuth(NamedTuple):
    """Where and when an AUTH was refused: the node, and the second since the epoch."""

    key: str
    shard: int
    position: int
    second: int


class DataPlane(Protocol):
    """The nodes of all groups. Methods are synchronous and may be called from any thread."""

    #: PEM file with the certificate authority that signed every node's certificate.
    ca_bundle: Path

    def create_group(
        self, key: str, layout: Sequence[int], *, cluster_enabled: bool, access: Access, tls: TlsMode
    ) -> list[list[Endpoint]]:
        """Start the nodes of a group and return their addresses, by node group, the primary first.

        ``layout`` holds the number of nodes of each node group. Returns when every node serves and replicates.
        """

    def set_access(self, key: str, access: Access) -> None:
        """Let in just these; returns when every node of the group enforces it."""

    def set_tls(self, key: str, mode: TlsMode) -> None:
        """Change the transport that the group's nodes accept."""

    def take_authentication_failures(self) -> Mapping[FailedAuth, int]:
        """How many AUTHs were refused since the last call; only what was. An AUTH where none is configured is none."""

    def delete_group(self, key: str) -> None:
        """End the group's nodes and forget its data."""

    def close(self) -> None:
        """End everything, leaving no process and no file."""
