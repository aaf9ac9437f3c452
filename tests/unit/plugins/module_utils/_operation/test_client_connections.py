# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Looks at a group's client connections that no scene of the emulator has: new nodes, and none at all."""

from __future__ import annotations

from typing import Any, cast

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._auth.client_connections import Seen
from ansible_collections.elasticache.auth.plugins.module_utils._core.operations import Operation
from ansible_collections.elasticache.auth.plugins.module_utils._operation import client_connections
from ansible_collections.elasticache.auth.plugins.module_utils._operation.client_connections import ClientConnections
from ansible_collections.elasticache.auth.plugins.module_utils._operation.connection_looks import When
from ansible_collections.elasticache.auth.plugins.module_utils._operation.group_run import GroupRun
from ansible_collections.elasticache.auth.plugins.module_utils._operation.request import OperationRequest, Reconnect


def test_a_group_without_a_node_is_not_one_without_old_connections() -> None:
    look = client_connections._look_of(Seen(), When.BEFORE)
    assert look.unheard == "it has no node to ask"
    assert client_connections._is_left(look)


@pytest.mark.parametrize(("policy", "found"), [("report", "before"), ("wait", "now"), ("fail", "now")])
def test_where_set_may_be_held_the_nodes_are_those_of_now(
    monkeypatch: pytest.MonkeyPatch, policy: str, found: str
) -> None:
    class Before:
        group: Any = "before"

    def require_all(clients: object, ids: list[str]) -> dict[str, Any]:
        return dict.fromkeys(ids, "now")

    monkeypatch.setattr(client_connections, "require_all", require_all)
    group = GroupRun("sessions")
    group.seen = cast(Any, Before())
    request = OperationRequest(Operation.ROTATE_TOKEN, require_reconnected=Reconnect(policy))
    looking = ClientConnections(cast(Any, None), request, group, lambda: None, lambda look: None)
    assert cast(str, looking._described()) == found
