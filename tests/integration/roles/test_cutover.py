# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The time that a run gives clients is on record: no later run ends it early, unless it is told to."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.cut_off import rotation
from integration.direct import ModuleRun, fork, run, start
from integration.role_scenes import due_fleet, labelled, secret_name, version_ids
from integration.scenes import A, slots

from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import Clients
from ansible_collections.elasticache.auth.plugins.module_utils._core import record

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.1)

GROUP = "sessions"
LONG = 600.0
PATIENCE = 60.0
WHY = "The client cutover of another run lasts until"


def entry_of(emulator: Emulator) -> record.Entry | None:
    """The record in the group's tags."""
    tags = emulator.group(GROUP)["tags"]
    return record.decode(tags[record.TAG_KEY]) if record.TAG_KEY in tags else None


def rotate(emulator: Emulator, *, check: bool = False, **more: Any) -> ModuleRun:
    return run(emulator, "auth_operation", rotation(emulator, replication_group_id=GROUP, **more), check=check)


def cut_off(emulator: Emulator, soak: float) -> int:
    """Have a rotation cut off while it gives clients so many seconds; return until when they have time."""
    due_fleet(emulator, [GROUP], A)
    process = fork(emulator, "auth_operation", rotation(emulator, replication_group_id=GROUP, soak=soak))
    deadline = time.monotonic() + PATIENCE
    try:
        while (entry := entry_of(emulator)) is None or entry.call or not entry.cutover_until:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait(PATIENCE)
    assert len(slots(emulator)) == 2
    return entry.cutover_until


def set_calls(emulator: Emulator) -> list[float]:
    """When each change of the group was called for after the first one, which is ROTATE."""
    return [call["time"] for call in emulator.calls(action="ModifyReplicationGroup")][1:]


def finished(emulator: Emulator) -> bool:
    return slots(emulator) == [labelled(emulator, GROUP)["AWSCURRENT"]] != [A]


def test_it_is_on_record_before_the_change_and_when_it_begins(emulator: Emulator) -> None:
    due_fleet(emulator, [GROUP], A)
    begun = int(time.time())
    emulator.faults({"kind": "halt", "action": "ModifyReplicationGroup", "nth": 1, "when": "before"})
    process = fork(emulator, "auth_operation", rotation(emulator, replication_group_id=GROUP, soak=LONG))
    try:
        deadline = time.monotonic() + PATIENCE
        while (entry := entry_of(emulator)) is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait(PATIENCE)
    assert entry.call is not None
    assert entry.cutover_until is not None
    assert begun + LONG <= entry.cutover_until <= time.time() + LONG


def test_a_later_run_waits_for_the_rest_of_it(emulator: Emulator) -> None:
    until = cut_off(emulator, 20.0)
    ended = rotate(emulator, soak=0)
    assert not ended.failed
    assert finished(emulator)
    assert [called >= until for called in set_calls(emulator)] == [True]
    entry = entry_of(emulator)
    assert entry is not None
    assert entry.cutover_until is None  # it is over


def test_a_run_that_has_waited_looks_at_the_secret_again(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody takes the secret back to the older token, for clients that are refused otherwise."""
    cut_off(emulator, 20.0)
    pause, at = Clients.pause, version_ids(emulator)

    def late(clients: Clients, seconds: float) -> None:
        if seconds > 1.0 and version_ids(emulator) == at:
            emulator.client("secretsmanager").update_secret_version_stage(
                SecretId=secret_name(),
                VersionStage="AWSCURRENT",
                MoveToVersionId=at["AWSPREVIOUS"],
                RemoveFromVersionId=at["AWSCURRENT"],
            )
        pause(clients, seconds)

    monkeypatch.setattr(Clients, "pause", late)
    ended = rotate(emulator, soak=0)
    assert "somebody else moved AWSCURRENT of the secret" in ended.msg
    assert ended.of(GROUP)["remaining_steps"] == ["set", "verify_new_only"]
    assert len(slots(emulator)) == len([A, "the newer one"])
    assert not [warning for warning in ended.warnings if "SET was made" in warning]


@pytest.mark.parametrize("phase", ["all", "finish"])
def test_the_plan_says_so(emulator: Emulator, phase: str) -> None:
    until = cut_off(emulator, LONG)
    told = rotate(emulator, check=True, phase=phase, soak=0 if phase == "all" else None).of(GROUP)
    assert told["cutover_until"] == until
    assert WHY in told["msg"]
    assert "take_over: true ends it" in told["msg"]


def test_it_can_be_ended_early(emulator: Emulator) -> None:
    cut_off(emulator, LONG)
    ended = rotate(emulator, soak=0, take_over=True)
    assert not ended.failed
    assert [one for one in ended.warnings if "another run" in one and "is ended early, by SET" in one]
    assert finished(emulator)


def test_a_run_that_waits_says_so_and_can_be_ended(emulator: Emulator, tmp_path: Path) -> None:
    cut_off(emulator, LONG)
    journal = tmp_path / "journal"
    journal.touch()
    options = rotation(emulator, replication_group_id=GROUP, soak=0, progress_path=str(journal))
    process = start(emulator, "auth_operation", options)
    try:
        deadline = time.monotonic() + PATIENCE
        while "the client cutover of another run, which lasts until" not in journal.read_text("utf-8"):
            assert time.monotonic() < deadline, journal.read_text("utf-8")
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 1
    finally:
        process.kill()
    assert set_calls(emulator) == []


def test_the_calls_are_those_of_the_plan(emulator: Emulator) -> None:
    due_fleet(emulator, [GROUP], A)
    plan = rotate(emulator, check=True, soak=1).of(GROUP)["planned_calls"]
    planned = [f"{call['service']}:{call['action']}" for call in plan]
    before = len(emulator.calls(mutating="true"))
    assert not rotate(emulator, soak=1).failed
    made = [f"{call['service']}:{call['action']}" for call in emulator.calls(mutating="true")[before:]]
    assert made == planned
    assert made.count("elasticache:AddTagsToResource") == 4


@pytest.mark.parametrize("soak", [0, 1])
def test_the_calls_before_and_after_tasks_are_those_of_the_plan(emulator: Emulator, soak: float) -> None:
    """The time is waited for after the tasks, by another call, which puts it on record."""
    due_fleet(emulator, [GROUP], A)
    plan = rotate(emulator, check=True, soak=soak, client_tasks=True).of(GROUP)["planned_calls"]
    before = len(emulator.calls(mutating="true"))
    begun = rotate(emulator, soak=soak, client_tasks=True)
    assert begun.of(GROUP)["planned_calls"] == plan
    assert (len(slots(emulator)), begun.of(GROUP)["cutover_stage"]) == (2, "client_cutover")
    assert not rotate(emulator, soak=soak, after_cutover=begun.result["cutovers"]).failed
    assert finished(emulator)
    made = [f"{call['service']}:{call['action']}" for call in emulator.calls(mutating="true")[before:]]
    assert made == [f"{call['service']}:{call['action']}" for call in plan]
    assert made.count("elasticache:AddTagsToResource") == (5 if soak else 4)


def test_none_is_put_on_record_where_clients_need_no_time(emulator: Emulator) -> None:
    due_fleet(emulator, [GROUP], A)
    begun = len(emulator.calls(action="AddTagsToResource"))
    assert not rotate(emulator, soak=0).failed
    assert len(emulator.calls(action="AddTagsToResource")) == begun + 3


@pytest.mark.parametrize(
    ("operation", "more"),
    [("rollback_token", {"accept_open_window": True}), ("migrate_auth_to_rbac", {})],
)
def test_what_keeps_both_tokens_accepted_does_not_wait(
    emulator: Emulator, operation: str, more: dict[str, Any]
) -> None:
    """A rollback is for an emergency; its clients go the other way, and user groups accept both tokens meanwhile."""
    until = cut_off(emulator, LONG)
    options = {"operation": operation, "user_group_id": "sessions-both", "user_id": "sessions-both-default", **more}
    told = rotate(emulator, check=True, soak=0, **options).of(GROUP)
    assert told["cutover_until"] is None
    assert "is waited for" not in told["msg"]
    ended = rotate(emulator, soak=0, **options).of(GROUP)
    assert not ended["failed"], ended["msg"]
    assert time.time() < until
    assert len(emulator.calls(action="CreateUser")) == 1
    assert slots(emulator) == ([A] if operation == "rollback_token" else [])


def test_an_older_record_that_is_written_late(emulator: Emulator) -> None:
    """As by a run that was stopped in AddTagsToResource while another one finished: it counts as drift."""
    due_fleet(emulator, [GROUP], A)
    rotate(emulator, force=True)
    older = emulator.group(GROUP)["tags"][record.TAG_KEY]
    rotate(emulator, force=True)
    client = emulator.client("elasticache")
    (group,) = client.describe_replication_groups(ReplicationGroupId=GROUP)["ReplicationGroups"]
    client.add_tags_to_resource(ResourceName=group["ARN"], Tags=[{"Key": record.TAG_KEY, "Value": older}])
    told = rotate(emulator, force=True).of(GROUP)
    assert told["failed"]
    assert told["drift"]
    assert "(drift)" in told["msg"]
    assert "name the state in assume_state" in told["msg"]
    assert len(slots(emulator)) == 1
    ended = rotate(emulator, force=True, assume_state="required")
    assert not ended.of(GROUP)["failed"], ended.msg
    assert finished(emulator)
    assert not rotate(emulator).of(GROUP)["drift"]
