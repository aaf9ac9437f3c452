# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The secrets of many groups, taken from a list: it saves a call a group, may be behind, and must cost no token."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import ModuleRun, run
from integration.role_scenes import KEY, age, due_fleet, labelled, secret_name, secret_text
from integration.scenes import A, B, slots

from ansible_collections.elasticache.auth.plugins.module_utils._operation import planning

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.1)

MANY = [f"group-{number}" for number in range(7)]
ODD = MANY[3]
#: Each secret is described before AWSPENDING is put on a version, and before AWSCURRENT is.
LOOKS = 2 * len(MANY)
READ = ("ListSecrets", "BatchGetSecretValue", "DescribeSecret", "GetSecretValue")


@pytest.fixture
def fleet(emulator: Emulator) -> Emulator:
    return due_fleet(emulator, MANY, A)


def operate(emulator: Emulator, name: str = "rotate_token", **more: Any) -> tuple[ModuleRun, dict[str, int]]:
    """Make the operation with all of them; return what came of it, and how often the secrets were read."""
    before = len(emulator.calls())
    options = {
        "operation": name,
        "replication_group_ids": MANY,
        "auth_token_secret": {"name": secret_name("{replication_group_id}"), "key": KEY},
        "data_plane_ca_path": emulator.ca_bundle,
        "wait_delay": 0.1,
        "soak": 0,
        "continue_on_error": True,
        **more,
    }
    ended = run(emulator, "auth_operation", options)
    made = Counter(call["action"] for call in emulator.calls()[before:] if not call["fault"])
    return ended, {action: made[action] for action in READ if made[action]}


def arrived(emulator: Emulator, *groups: str) -> None:
    """Each group takes the token in AWSCURRENT alone, which is a new one, and nothing is staged."""
    for group in groups or MANY:
        labels = labelled(emulator, group)
        assert slots(emulator, group) == [labels["AWSCURRENT"]], group
        assert labels["AWSCURRENT"] not in (A, B), group
        assert "AWSPENDING" not in labels, group


def test_a_list_is_enough_where_nothing_is_under_way(fleet: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also once there is a token in AWSPREVIOUS, which by the record no group takes any more.

    The list is looked at for the plan; each secret is described before AWSPENDING and AWSCURRENT are moved, since the
    list may be behind.
    """
    first, calls = operate(fleet)
    assert {key: one["failed"] for key, one in first.outcomes.items()} == dict.fromkeys(MANY, False), first.msg
    assert calls == {"ListSecrets": 1, "BatchGetSecretValue": 1, "DescribeSecret": LOOKS}
    arrived(fleet)
    tokens = {group: labelled(fleet, group)["AWSCURRENT"] for group in MANY}
    monkeypatch.setattr(planning, "_LIST_BEHIND_DAYS", 0.0)  # as if an hour had gone
    second, calls = operate(fleet, force=True)
    assert not second.failed, second.msg
    assert calls == {"ListSecrets": 1, "BatchGetSecretValue": 1, "DescribeSecret": LOOKS}
    arrived(fleet)
    assert {group: labelled(fleet, group)["AWSPREVIOUS"] for group in MANY} == tokens


def test_a_young_token_may_be_news_to_the_list(fleet: Emulator) -> None:
    age(fleet, 0.01, ODD)
    ended, calls = operate(fleet, force=True)
    assert not ended.failed, ended.msg
    assert calls == {"ListSecrets": 1, "BatchGetSecretValue": 1, "DescribeSecret": 1 + LOOKS, "GetSecretValue": 1}
    arrived(fleet)


@pytest.mark.parametrize(
    ("fault", "calls"),
    [
        ({"action": "ListSecrets"}, {"BatchGetSecretValue": 1, "DescribeSecret": len(MANY) + LOOKS}),
        ({"action": "BatchGetSecretValue"}, {"DescribeSecret": len(MANY) + LOOKS, "GetSecretValue": len(MANY)}),
    ],
    ids=lambda value: str(value.get("action", "")),
)
def test_where_one_may_not(fleet: Emulator, fault: dict[str, str], calls: dict[str, int]) -> None:
    """Then each secret is read by itself for the plan, too."""
    fleet.faults({"kind": "error", "code": "AccessDeniedException", "status": 400, "times": 99, **fault})
    ended, made = operate(fleet)
    assert not ended.failed, ended.msg
    assert made == calls
    arrived(fleet)


def test_a_token_that_is_staged_is_rotated_in(fleet: Emulator) -> None:
    fleet.client("secretsmanager").put_secret_value(
        SecretId=secret_name(ODD), SecretString=secret_text(B), VersionStages=["AWSPENDING"]
    )
    ended, calls = operate(fleet)
    assert not ended.failed, ended.msg
    # One for the plan, and nothing is staged before its ROTATE.
    assert (calls["DescribeSecret"], calls["GetSecretValue"]) == (1 + LOOKS - 1, 1)
    arrived(fleet, *[group for group in MANY if group != ODD])
    assert slots(fleet, ODD) == [B]


@pytest.mark.parametrize("action", ["AddTagsToResource", "ModifyReplicationGroup", "UpdateSecretVersionStage"])
def test_a_run_that_was_cut_off_is_finished_though_the_list_does_not_show_it(fleet: Emulator, action: str) -> None:
    """Staged, accepted, or accepted and known to be: the token that is stored is the one that comes into force."""
    gone = secret_name(ODD) if action == "UpdateSecretVersionStage" else ODD
    fleet.faults({"kind": "error", "action": action, "id": f"*{gone}", "code": "AccessDenied", "status": 403})
    first, _calls = operate(fleet)
    assert first.of(ODD)["failed"], first.of(ODD)
    staged = labelled(fleet, ODD)["AWSPENDING"]
    fleet.clear_faults()
    fleet.faults({"kind": "stale-list"})
    second, _calls = operate(fleet)
    assert not second.of(ODD)["failed"], second.of(ODD)
    arrived(fleet)
    assert labelled(fleet, ODD)["AWSCURRENT"] == staged


def test_other_operations_want_to_know_exactly(fleet: Emulator) -> None:
    ended, calls = operate(
        fleet,
        "rollback_token",
        plan_only=True,
        user_group_id="{replication_group_id}-back",
        user_id="{replication_group_id}-back",
    )
    assert not ended.failed, ended.msg
    assert calls == {"BatchGetSecretValue": 1, "DescribeSecret": 7}
