# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Which refusals count as of the time that is watched."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._auth import failures_monitor
from ansible_collections.elasticache.auth.plugins.module_utils._auth.client_connections import Seen
from ansible_collections.elasticache.auth.plugins.module_utils._auth.observe import Probing
from ansible_collections.elasticache.auth.plugins.module_utils._core.client_connections import Client, RefusedEntry
from ansible_collections.elasticache.auth.plugins.module_utils._core.nodes import Node
from ansible_collections.elasticache.auth.plugins.module_utils._data_plane.connections import NodeConnections, Told
from ansible_collections.elasticache.auth.plugins.module_utils._data_plane.probe import Credential


@pytest.mark.parametrize(("age", "counts"), [(0.5, False), (0.05, True)])
def test_a_slow_answer_makes_no_refusal_younger(monkeypatch: pytest.MonkeyPatch, age: float, counts: bool) -> None:
    """Watched for 0.1 s when the nodes are asked; the answer, of that moment, takes 5 s to come."""
    clock = [100.1]
    node = Node("sessions-001", "0001", "10.0.0.1", 6379)

    def ask_groups(*dummy: Any, **more: Any) -> dict[str, Seen]:
        clock[0] += 5.0
        entry = RefusedEntry("#1", Client("10.0.3.17", "default"), 3, age)
        return {"sessions": Seen((NodeConnections(node, Told.ANSWERED, refused=(entry,)),))}

    monkeypatch.setattr(failures_monitor, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(failures_monitor, "ask_groups", ask_groups)
    found: Any = SimpleNamespace(id="sessions")
    group = failures_monitor.Monitored("sessions", found=found)
    naming = failures_monitor.Naming({"sessions": [Credential("t")]}, Probing())
    clients: Any = None
    failures_monitor._name(clients, [group], naming, 100.0)
    assert group.refused is not None
    assert group.refused.total == int(counts)
