# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A script for each group, side by side: all arrive, none waits for a slow one, a kill anywhere is mended."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.cut_off import ends_soon, kill_at, points, rotation
from integration.direct import ModuleRun, fork, run
from integration.meanwhile import Once, meanwhile
from integration.role_scenes import due_fleet, labelled, secret_name, secret_text
from integration.scenes import A, B, slots
from integration.time_is_up import seen_to_arrive, time_is_up
from waiting import PATIENCE

from ansible_collections.elasticache.auth.plugins.module_utils._operation import progress
from ansible_collections.elasticache.auth.plugins.module_utils._operation.progress import Account

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.1)

FLEET = [f"group-{number}" for number in range(7)]


@pytest.fixture
def fleet(emulator: Emulator) -> Emulator:
    return due_fleet(emulator, FLEET, A)


def options(emulator: Emulator, **more: Any) -> dict[str, Any]:
    return rotation(emulator, **{"replication_group_ids": FLEET, "continue_on_error": True, **more})


def rotate(emulator: Emulator, **more: Any) -> ModuleRun:
    return run(emulator, "auth_operation", options(emulator, **more))


def modified(emulator: Emulator) -> list[str]:
    """The groups of which a change was called for, in that order."""
    return [call["id"] for call in emulator.calls(action="ModifyReplicationGroup") if not call["fault"]]


def arrived(emulator: Emulator, *but: str) -> None:
    """Each group takes the token in AWSCURRENT alone, which is a new one, and nothing is staged."""
    for group in FLEET:
        if group not in but:
            labels = labelled(emulator, group)
            assert slots(emulator, group) == [labels["AWSCURRENT"]], group
            assert labels["AWSCURRENT"] != A, group
            assert "AWSPENDING" not in labels, group


def failed(ended: ModuleRun) -> list[str]:
    return [key for key, one in ended.outcomes.items() if one["failed"]]


def test_all_arrive_with_no_more_calls_and_are_reported_in_their_order(fleet: Emulator) -> None:
    ended = rotate(fleet)
    assert not ended.failed, ended.msg
    assert list(ended.outcomes) == FLEET
    arrived(fleet)
    calls = Counter((call["id"], call["action"]) for call in fleet.calls(mutating="true"))
    assert sum(calls[group, "ModifyReplicationGroup"] for group in FLEET) == 2 * len(FLEET)
    assert all(
        one["completed_steps"][-1] == "verify_new_only" and not one["remaining_steps"]
        for one in ended.outcomes.values()
    )


def test_a_second_run_has_nothing_to_do(fleet: Emulator) -> None:
    rotate(fleet)
    fleet_calls = len(fleet.calls(mutating="true"))
    again = rotate(fleet)
    assert not again.failed
    assert not again.changed
    assert len(fleet.calls(mutating="true")) == fleet_calls


def test_one_that_takes_for_ever_holds_up_nobody_else(fleet: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, *others = FLEET
    fleet.faults({"kind": "never-ends", "id": slow})
    # It is given up once the others have arrived: did they wait for it, that would never be.
    time_is_up(monkeypatch, lambda: seen_to_arrive(fleet, others, lambda group: has_arrived(fleet, group)))
    ended = rotate(fleet)
    assert failed(ended) == [slow]
    assert "not done after" in ended.outcomes[slow]["msg"]
    arrived(fleet, slow)


def make_busy(emulator: Emulator, group: str) -> None:
    """Have a change begin that lasts until it is released."""
    emulator.hold(group)
    emulator.client("elasticache").modify_replication_group(
        ReplicationGroupId=group, CacheNodeType="cache.r7g.large", ApplyImmediately=True
    )


def has_arrived(emulator: Emulator, group: str) -> bool:
    accepted = slots(emulator, group)
    return A not in accepted and len(accepted) == 1


def have_arrived(emulator: Emulator, groups: Sequence[str]) -> bool:
    return all(has_arrived(emulator, group) for group in groups)


def test_one_that_is_busy_from_the_beginning_holds_up_nobody_else(fleet: Emulator) -> None:
    make_busy(fleet, FLEET[0])
    with meanwhile(Once(lambda: have_arrived(fleet, FLEET[1:]), fleet.release)):
        ended = rotate(fleet)
    assert not failed(ended), ended.msg
    arrived(fleet)


def test_one_that_becomes_busy_after_it_was_planned_for_holds_up_nobody_else(fleet: Emulator) -> None:
    busy = FLEET[0]
    fleet.faults({"kind": "pause", "action": "PutSecretValue", "nth": 1})

    def others_change_it() -> None:
        make_busy(fleet, busy)
        fleet.clear_faults()

    with meanwhile(
        Once(lambda: any(fault["struck"] for fault in fleet.faults()), others_change_it),
        Once(lambda: have_arrived(fleet, FLEET[1:]), fleet.release),
    ):
        ended = rotate(fleet)
    assert not failed(ended), ended.msg
    arrived(fleet)


def test_one_that_stays_busy_is_given_up(fleet: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    make_busy(fleet, FLEET[0])
    time_is_up(monkeypatch, lambda: seen_to_arrive(fleet, FLEET[1:], lambda group: has_arrived(fleet, group)))
    ended = rotate(fleet)
    assert failed(ended) == [FLEET[0]]
    assert "its status is modifying. What is under way goes on at AWS" in ended.outcomes[FLEET[0]]["msg"]
    assert modified(fleet).count(FLEET[0]) == 1  # that of somebody else
    arrived(fleet, FLEET[0])


def test_what_fails_is_the_group_s_own(fleet: Emulator) -> None:
    refused = {"kind": "error", "code": "InvalidParameterValue", "message": "Not today.", "status": 400, "times": 100}
    fleet.faults(
        {**refused, "action": "ModifyReplicationGroup", "id": FLEET[2]},
        {**refused, "action": "PutSecretValue", "id": secret_name(FLEET[3])},
        {**refused, "action": "ModifyReplicationGroup", "id": FLEET[6]},
    )
    ended = rotate(fleet)
    assert failed(ended) == [FLEET[2], FLEET[3], FLEET[6]]
    arrived(fleet, FLEET[2], FLEET[3], FLEET[6])
    fleet.clear_faults()
    again = rotate(fleet)
    assert not again.failed, again.msg
    assert {key for key, one in again.outcomes.items() if one["changed"]} == {FLEET[2], FLEET[3], FLEET[6]}
    arrived(fleet)


def test_the_client_cutover_is_each_group_s_own(fleet: Emulator) -> None:
    """Every group's clients have all of their time."""
    ended = rotate(fleet, soak=3)
    assert not ended.failed, ended.msg
    arrived(fleet)
    calls = [[call["time"] for call in fleet.calls(action="ModifyReplicationGroup", id=group)] for group in FLEET]
    assert all(second - first >= 3 for first, second in calls)


def test_no_group_waits_for_the_clients_of_another(fleet: Emulator) -> None:
    """All come to their client cutover, which none of them ends."""
    process = fork(fleet, "auth_operation", options(fleet, soak=86400))
    try:
        for group in FLEET:
            fleet.wait_until(group, lambda found: found["mode"] == "rotating", PATIENCE)
        assert process.poll() is None
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_going_on_after_a_client_cutover(fleet: Emulator) -> None:
    """As the roles do where that is one of their tasks: it is planned anew, and nothing is done where it differs."""
    begun = rotate(fleet, soak=None)
    assert not begun.failed, begun.msg
    cutovers = begun.result["cutovers"]
    assert [(one["replication_group_id"], one["stage"]) for one in cutovers] == [
        (key, "client_cutover") for key in FLEET
    ]
    changed, moved = FLEET[:2]
    accepted = {group: slots(fleet, group) for group in FLEET}
    fleet.client("secretsmanager").put_secret_value(SecretId=secret_name(moved), SecretString=secret_text(B))
    fleet.client("elasticache").modify_replication_group(
        ReplicationGroupId=changed, AuthToken=B, AuthTokenUpdateStrategy="ROTATE", ApplyImmediately=True
    )
    fleet.wait_available(changed)
    ended = rotate(fleet, soak=None, after_cutover=cutovers)
    assert failed(ended) == [moved]
    assert "during the client cutover somebody else moved AWSCURRENT of the secret" in ended.of(moved)["msg"]
    assert slots(fleet, moved) == accepted[moved]
    # A token that is in no store can't be asked about: it looks as if somebody else had made the SET, and is told so.
    assert ended.of(changed)["drift"]
    assert slots(fleet, changed) == [accepted[changed][-1], B]
    arrived(fleet, changed, moved)


def test_a_plan_alone_waits_for_nobody(fleet: Emulator) -> None:
    make_busy(fleet, FLEET[0])
    planned = rotate(fleet, plan_only=True)
    assert failed(planned) == [FLEET[0]]
    assert planned.of(FLEET[0])["msg"] == (
        f"{FLEET[0]}: a change is under way, which a plan alone does not wait for. Plan again once it has ended."
    )
    assert all(planned.of(group)["planned_steps"] for group in FLEET[1:])
    fleet.release()


def test_progress_shows_all(fleet: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    path = tmp_path / "progress"
    path.touch()
    rotate(fleet, progress_path=str(path))
    lines = path.read_text("utf-8").splitlines()
    account, said = Account(), []
    for line in lines:
        account.read([line])
        said.append(account.line(json.loads(line)["at"]))
    assert (account.through, account.groups) == (len(FLEET), len(FLEET))
    assert any("0 of 7 groups done; 7 not started" in line for line in said)
    assert any(" at rotate" in line for line in said)
    assert said[-1].startswith("7 of 7 groups done (")


# --- Cut off --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "when"), points(len(FLEET)))
def test_a_kill_anywhere_is_finished_by_the_next_run(fleet: Emulator, number: int, when: str) -> None:
    kill_at(fleet, options(fleet), number, when)
    # Nobody is locked out meanwhile: each group takes what its secret hands out.
    for group in FLEET:
        fleet.wait_available(group)
        assert labelled(fleet, group)["AWSCURRENT"] in slots(fleet, group), group
    ended = rotate(fleet)
    assert not ended.failed, ended.msg
    arrived(fleet)
    stored = {group: {*labelled(fleet, group).values()} for group in FLEET}
    for group in FLEET:
        assert len(fleet.calls(action="PutSecretValue", id=secret_name(group))) <= 2, group
        assert A in stored[group], group  # and nothing but one new token took its place
    assert len(modified(fleet)) <= 3 * len(FLEET)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets another process send a signal to one thread")
@pytest.mark.parametrize("to_main", [True, False], ids=["main thread", "another thread"])
def test_an_interrupt_ends_it_soon_and_no_call_follows(fleet: Emulator, to_main: bool) -> None:
    """The system gives it to any thread; Python acts on it in the main one, which may be waiting for the others."""

    def interrupt(process: subprocess.Popen[str]) -> None:
        threads = sorted(int(one.name) for one in Path(f"/proc/{process.pid}/task").iterdir())
        thread = process.pid if to_main else next(one for one in threads if one != process.pid)
        assert ctypes.CDLL(None).tgkill(process.pid, thread, signal.SIGINT) == 0

    ends_soon(fleet, options(fleet), len(FLEET), interrupt)
