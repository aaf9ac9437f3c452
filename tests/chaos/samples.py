# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A rotation out of four tasks, and wrong ones: what the harness itself is tried on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from integration.scenes import A, B

from chaos.operations import Operation, Previous, World, only_current_is_accepted, only_one_token, required_group
from chaos.store import KEY, SECRET

_GROUPS = {"replication_group_ids": "{{ sample_replication_groups }}"}
_SECRET = {**_GROUPS, "name": SECRET, "key": KEY}
_CHANGE = {**_GROUPS, "data_plane_ca_path": "{{ sample_data_plane_ca_path }}", "wait_delay": 0.2, "wait_timeout": 120}


def _secret(state: str, **more: Any) -> dict[str, Any]:
    return {"name": f"Token {state}", "elasticache.auth.auth_secret": {**_SECRET, "state": state, **more}}


def _change(strategy: str, stage: str) -> dict[str, Any]:
    stored = {"name": SECRET, "key": KEY, "stage": stage}
    members = {**_CHANGE, "auth_token_update_strategy": strategy, "auth_token_secret": stored}
    return {"name": f"Token {strategy}", "elasticache.auth.replication_group_auth": members}


STAGE = _secret("staged")
ROTATE = _change("rotate", "AWSPENDING")
PROMOTE = _secret("promoted")
SET = _change("set", "AWSCURRENT")

#: SET while clients still go by the old token, and a while until they are given the new one.
SET_TOO_EARLY = _change("set", "AWSPENDING")
WAIT = {"name": "Some time", "ansible.builtin.wait_for": {"timeout": 2}}
#: A token that is in no store, and after it one that is.
ROTATE_WITHOUT_STORE = {
    "name": "Token rotate",
    "elasticache.auth.replication_group_auth": {
        **_CHANGE,
        "auth_token_update_strategy": "rotate",
        "auth_token": B,
        "known_auth_tokens": [A],
    },
}
STAGE_AFTERWARDS = _secret("staged", auth_token=B)
#: What a run that begins so forgets is the token that the one before it had rotated in.
FORGET = _secret("discarded")


def rotation(*tasks: dict[str, Any], name: str = "sample") -> Operation:
    """An operation out of these tasks, from required(A) to required(a new token)."""

    def variables(world: World) -> dict[str, Any]:
        return {"sample_replication_groups": list(world.groups), "sample_data_plane_ca_path": world.ca_bundle}

    plays: Sequence[dict[str, Any]] = [{"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}]
    previous = Previous(A, over=only_one_token)
    return Operation(name, plays, required_group, variables, only_current_is_accepted, previous)


_LOOK = {
    "name": "Look whether both tokens are in force, since a run that was cut off",
    "elasticache.auth.replication_group_info": {
        **_GROUPS,
        "probe": "always",
        "data_plane_ca_path": "{{ sample_data_plane_ca_path }}",
        "auth_token_secret": {"name": SECRET, "key": KEY},
    },
    "register": "sample_look",
}
_UNLESS_ROTATING = {"when": "sample_look.replication_groups[0].mode != 'rotating'"}

SAMPLE = rotation(
    {
        "name": "Wait for a change that is under way",
        "elasticache.auth.replication_group_wait": {**_GROUPS, "wait_delay": 0.2, "wait_timeout": 120},
    },
    _LOOK,
    {**STAGE, **_UNLESS_ROTATING},
    {**ROTATE, **_UNLESS_ROTATING},
    PROMOTE,
    SET,
)
