# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one call that changes access control, from the core's words into members and back into masked ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.states import Call, CallKind
from .clients import Clients
from .groups import Group

ACTION = "ModifyReplicationGroup"
MASK = "********"


def parameters(group_id: str, call: Call, token: str = MASK) -> dict[str, Any]:
    """Return the members of ModifyReplicationGroup for ``call``; with the default token, fit for showing."""
    members: dict[str, Any] = {"ReplicationGroupId": group_id, "ApplyImmediately": True}
    match call.kind:
        case CallKind.ROTATE | CallKind.SET:
            members |= {"AuthToken": token, "AuthTokenUpdateStrategy": call.kind.name}
        case CallKind.REMOVE_AND_ROTATE:
            members |= {"RemoveUserGroups": True, "AuthToken": token, "AuthTokenUpdateStrategy": "ROTATE"}
        case CallKind.DELETE:
            members |= {"AuthTokenUpdateStrategy": "DELETE", "UserGroupIdsToAdd": list(call.user_groups)}
        case CallKind.ADD_USER_GROUPS:
            members["UserGroupIdsToAdd"] = list(call.user_groups)
        case CallKind.REMOVE_USER_GROUPS:
            members["UserGroupIdsToRemove"] = list(call.user_groups)
    return members


def modify(clients: Clients, group: Group, call: Call, values: Mapping[str, str]) -> None:
    """Make ``call`` once; ``values`` are the tokens by name. Raises botocore's exceptions."""
    clients.once.modify_replication_group(**parameters(group.id, call, values.get(call.token, "")))


def shown(group_id: str, call: Call) -> dict[str, Any]:
    """Return the call for a result: its action and members, the token masked."""
    return {"action": ACTION, "parameters": parameters(group_id, call)}
