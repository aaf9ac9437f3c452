# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What both data planes stand on: a folder, a reaper, certificates, a loop, and enough file descriptors."""

from __future__ import annotations

import contextlib
import resource
import shutil
import ssl
import tempfile
from collections.abc import Sequence
from pathlib import Path

from emulator.data_plane.certificates import make_server_context
from emulator.data_plane.keeper import Keeper
from emulator.data_plane.loop import LoopThread


class Foundation:
    """Opened once a plane; ``close`` takes everything away again."""

    def __init__(self, temporary_folder: Path, *, also_remove_when_killed: Sequence[Path]) -> None:
        raise_descriptor_limit()
        self.closed = False
        self.folder = Path(tempfile.mkdtemp(prefix="dp-", dir=temporary_folder))
        self.keeper = Keeper([self.folder, *also_remove_when_killed])
        try:
            self.ca_bundle = self.folder / "ca.pem"
            self.context: ssl.SSLContext = make_server_context(self.folder, self.ca_bundle)
            self.loops = LoopThread("data-plane")
        except BaseException:
            self.keeper.close()
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def close(self) -> None:
        """End the loop and the processes, remove the folder."""
        self.closed = True
        self.loops.close()
        self.keeper.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def raise_descriptor_limit() -> None:
    """Allow this process as many open files as it may have: each node is at least one socket."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # "unlimited" is more than some systems then accept
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
