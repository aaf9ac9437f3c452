# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A list option of a module takes one item as a list of one, and refuses a text with several, before any call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import run
from integration.scenes import A, B, C, create

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="none", modify_seconds=0.05)

IDS = {"replication_group_ids": "carts,sessions"}
SECRET = {"name": "elasticache/{replication_group_id}/auth-token"}
TARGETS = {"targets": [{"replication_group_ids": "carts,sessions"}]}
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "operation": ("auth_operation", {**IDS, "operation": "enable_tls"}, "replication_group_ids"),
    "targets": ("auth_operation", {**TARGETS, "operation": "enable_tls"}, "targets[0].replication_group_ids"),
    "audit_look": ("audit_look", {"targets": [{"find": True, **IDS}]}, "audit_replication_groups"),
    "probe": ("auth_probe", IDS, "replication_group_ids"),
    "secret": ("auth_secret", {**IDS, **SECRET, "state": "staged"}, "replication_group_ids"),
    "auth": (
        "replication_group_auth",
        {**IDS, "auth_token_update_strategy": "rotate", "auth_token": A},
        "replication_group_ids",
    ),
    "alias": ("replication_group_wait", {"replication_group_id": "carts,sessions"}, "replication_group_id"),
    "info": ("replication_group_info", IDS, "replication_group_ids"),
    "monitor": ("auth_failures_monitor", {**IDS, "duration": 60}, "replication_group_ids"),
    "group": (
        "replication_group",
        {"replication_group_id": "carts", "user_group_ids": "carts,sessions"},
        "user_group_ids",
    ),
    "user_group": ("user_group", {"user_group_id": "x", "user_ids": "carts,sessions"}, "user_ids"),
    "user_group_info": ("user_group_info", {"user_group_id": "carts,sessions"}, "user_group_id"),
    "user_info": ("user_info", {"user_names": "carts,sessions"}, "user_names"),
}


@pytest.mark.parametrize(("module", "options", "name"), REFUSED.values(), ids=REFUSED)
def test_refused(emulator: Emulator, module: str, options: dict[str, Any], name: str) -> None:
    ended = run(emulator, module, options)
    assert ended.failed
    assert ended.msg == f"{name}: 'carts,sessions' is not a list. Pass a list: [carts, sessions]."
    assert emulator.calls() == []


@pytest.mark.parametrize(
    ("module", "role", "option"),
    [
        ("ecs_service_redeploy", "cutover_ecs", "services"),
        ("ssm_command", "cutover_ssm", "instances"),
        ("k8s_rollout_restart", "cutover_kubernetes", "workloads"),
        ("k8s_rollout_restart", "cutover_kubernetes", "external_secrets"),
    ],
)
def test_refused_by_the_variable_of_a_cutover_role(emulator: Emulator, module: str, role: str, option: str) -> None:
    given = {"replication_group_id": "carts", "variables_of": role, option: "carts,sessions"}
    ended = run(emulator, module, given)
    assert ended.failed
    assert ended.msg == f"{role}_{option}: 'carts,sessions' is not a list. Pass a list: [carts, sessions]."
    assert emulator.calls() == []


USER = {"user_id": "app", "user_name": "app", "engine": "valkey", "access_string": "on ~* +@all"}
AUTH = {"replication_group_id": "carts", "auth_token_update_strategy": "rotate", "auth_token": C}


@pytest.mark.parametrize(
    ("module", "options", "name"),
    [
        ("user", {**USER, "passwords": f"{A},{B}"}, "passwords"),
        ("replication_group_auth", {**AUTH, "known_auth_tokens": f"{A}, {B}"}, "known_auth_tokens"),
    ],
)
def test_tokens_are_not_shown(emulator: Emulator, module: str, options: dict[str, Any], name: str) -> None:
    """Ansible hides such a text as a whole, and shows what it has split it into."""
    ended = run(emulator, module, options, hidden=[A, B])
    assert ended.failed
    assert ended.msg == f"{name}: a text with commas in it is not a list. Pass a list: [..., ...]."
    assert emulator.calls() == []


def test_one_id(emulator: Emulator) -> None:
    create(emulator, "carts", AuthToken=A)
    ended = run(emulator, "replication_group_info", {"replication_group_ids": "carts"})
    assert list(ended.outcomes) == ["carts"]
