# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The emulated nodes: TLS endpoints that let in just the credentials they are told to.

``open_plane`` is the way in; the contract is ``emulator.access.DataPlane``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from emulator.access import DataPlane

PlaneKind = Literal["valkey", "light"]


def open_plane(
    kind: PlaneKind,
    *,
    wrong_token_in_optional: Callable[[], str],
    drop_connections_on_token_change: Callable[[], bool],
    open_takes_default: Callable[[], bool],
    temporary_folder: Path,
    also_remove_when_killed: Sequence[Path] = (),
) -> DataPlane:
    """Open a data plane; ``close`` it when done.

    ``kind``: ``valkey``, each node a real server, or ``light``, thousands of nodes that answer a few commands.
    ``wrong_token_in_optional``: asked at each wrong token in ``optional``: ``wrongpass``, ``ok`` or ``error``.
    ``drop_connections_on_token_change``: asked at each change of tokens: whether connections in place are ended.
    ``open_takes_default``: asked at each AUTH, whether an open node takes any password of the user ``default``.
    ``temporary_folder``: an existing folder; everything lies in a new folder within it, which ``close`` removes.
    ``also_remove_when_killed``: folders of the caller's that shall go, too, if this process is killed (SIGKILL)
    before ``close``, with all they contain. The plane's own folder goes in any case.
    """
    # planes are imported when wanted: the light one needs no server binary
    from emulator.data_plane.foundation import Foundation
    from emulator.data_plane.variants import Variants

    variants = Variants(wrong_token_in_optional, drop_connections_on_token_change, open_takes_default)
    if kind == "light":
        from emulator.data_plane.light_plane import LightPlane

        return LightPlane(
            variants=variants,
            foundation=Foundation(temporary_folder, also_remove_when_killed=also_remove_when_killed),
        )
    if kind == "valkey":
        from emulator.data_plane.server_binary import find_server
        from emulator.data_plane.valkey_plane import ValkeyPlane

        server = find_server()
        return ValkeyPlane(
            server=server,
            variants=variants,
            foundation=Foundation(temporary_folder, also_remove_when_killed=also_remove_when_killed),
        )
    raise ValueError(f"no data plane named {kind!r}: choose valkey or light")
