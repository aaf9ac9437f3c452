# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A node of a replication group."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """A node, with the endpoint that clients reach it by (``None`` while it has none)."""

    cache_cluster_id: str
    node_group_id: str
    host: str | None = None
    port: int | None = None
    role: str = ""

    def __str__(self) -> str:
        return self.cache_cluster_id
