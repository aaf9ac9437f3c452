# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The data plane ``none``: nodes with addresses where nothing answers.

It is what a client sees that can reach the API but not the nodes (another VPC, a closed security group): every
connection is refused at once. It costs nothing, so that it also serves tests that are about the API alone.
"""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from emulator.access import Access, Endpoint, FailedAuth, TlsMode


class NonePlane:
    """A ``DataPlane`` whose nodes have addresses of their own on 127/8, all on one port where nobody listens."""

    ca_bundle = Path(os.devnull)

    def __init__(self) -> None:
        # Bound but not listening: the port is nobody else's, and the kernel refuses connections to it.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.bind(("127.0.0.1", 0))
        self._port = int(self._socket.getsockname()[1])
        self._numbers = itertools.count(2)

    def _endpoint(self) -> Endpoint:
        number = next(self._numbers) % (1 << 24)
        return Endpoint(f"127.{number >> 16}.{number >> 8 & 255}.{number & 255}", self._port)

    def create_group(
        self, key: str, layout: Sequence[int], *, cluster_enabled: bool, access: Access, tls: TlsMode
    ) -> list[list[Endpoint]]:
        """Give every node an address."""
        return [[self._endpoint() for dummy in range(nodes)] for nodes in layout]

    def set_access(self, key: str, access: Access) -> None:
        """Nobody is let in, whatever ``access`` says."""

    def set_tls(self, key: str, mode: TlsMode) -> None:
        """Nobody is let in, whatever ``mode`` says."""

    def take_authentication_failures(self) -> Mapping[FailedAuth, int]:
        """Nobody gets so far as to fail."""
        return {}

    def delete_group(self, key: str) -> None:
        """Nothing is held for a group."""

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()
