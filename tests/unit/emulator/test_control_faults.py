# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The emulator's faults: throttling, errors, lost answers, stale answers, changes that never end."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from unit.emulator.control_support import (
    GROUP,
    TOKEN_A,
    TOKEN_B,
    create,
    make_state,
    modify,
    refusal,
)
from waiting import wait_until

pytestmark = pytest.mark.emulator(data_plane="none", modify_seconds=0.05)

ROTATE = {"AuthToken": TOKEN_B, "AuthTokenUpdateStrategy": "ROTATE"}


def test_fault_throttle_at_a_rate_is_reproducible(emulator: Any) -> None:
    client = emulator.client("elasticache")

    def outcomes_of_30() -> list[str]:
        emulator.clear_faults()
        emulator.faults({"kind": "throttle", "rate": 0.5, "seed": 7, "action": "Describe*"})
        outcomes = []
        for dummy in range(30):
            try:
                client.describe_replication_groups()
                outcomes.append("")
            except ClientError as error:
                outcomes.append("{Code}: {Message}".format(**error.response["Error"]))
        return outcomes

    first = outcomes_of_30()
    assert first == outcomes_of_30()
    assert set(first) == {"", "Throttling: Rate exceeded"}
    assert 5 < first.count("") < 25
    assert {call["fault"] for call in emulator.calls(code="Throttling")} == {"throttle"}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", ["error", "drop"])
def test_fault_on_the_nth_call(emulator: Any, kind: str, when: str) -> None:
    emulator.faults({"kind": kind, "action": "CreateReplicationGroup", "nth": 2, "when": when})
    create(emulator, "one", wait=False)
    expected = ClientError if kind == "error" else ConnectionClosedError
    with pytest.raises(expected):
        create(emulator, "two", wait=False)
    create(emulator, "three", wait=False)
    ids = [group["id"] for group in emulator.groups()]
    assert ids == (["one", "two", "three"] if when == "after" else ["one", "three"])
    assert emulator.faults()[0]["struck"] == 1
    call = emulator.calls(id="two")[0]
    assert (call["fault"], call["code"]) == (kind, "InternalFailure" if kind == "error" else "ConnectionDropped")


def test_fault_error_in_a_json_service(emulator: Any) -> None:
    emulator.faults({"kind": "error", "service": "secretsmanager", "code": "ThrottlingException", "message": "slow"})
    found = refusal(lambda: emulator.client("secretsmanager").list_secrets())
    assert found == ("ThrottlingException", "slow", 400)


def test_fault_stale_describe(emulator: Any) -> None:
    make_state(emulator, "required")
    emulator.faults({"kind": "stale-describe", "seconds": 3600})
    emulator.hold()
    modify(emulator, wait=False, **ROTATE)
    client = emulator.client("elasticache")

    def status() -> str:
        return client.describe_replication_groups()["ReplicationGroups"][0]["Status"]

    assert (emulator.group(GROUP)["status"], status()) == ("modifying", "creating")  # nothing is shown from before it
    emulator.clear_faults()
    emulator.faults({"kind": "stale-describe", "seconds": 0.4})
    wait_until(lambda: status() == "modifying", "what was 0.4 seconds ago is shown")
    emulator.release()
    emulator.wait_available(GROUP)
    wait_until(lambda: status() == "available", "what was 0.4 seconds ago is shown")


def test_fault_modify_response_is_stale(emulator: Any) -> None:
    make_state(emulator, "required")
    emulator.faults({"kind": "stale-modify-response"})
    answer = modify(emulator, wait=False, **ROTATE)
    assert (answer["Status"], answer["PendingModifiedValues"]) == ("available", {})
    emulator.wait_until(GROUP, lambda group: group["mode"] == "rotating")


def test_fault_a_change_that_never_ends(emulator: Any) -> None:
    make_state(emulator, "required")
    emulator.faults({"kind": "never-ends", "id": GROUP})
    modify(emulator, wait=False, **ROTATE)
    time.sleep(0.4)
    truth = emulator.group(GROUP)
    assert (truth["status"], truth["slots"], truth["pending"]) == (
        "modifying",
        [TOKEN_A],
        {"AuthTokenStatus": "ROTATING"},
    )


def test_fault_create_failed(emulator: Any) -> None:
    emulator.faults({"kind": "create-failed"})
    create(emulator, wait=False)
    emulator.wait_until(GROUP, lambda group: group["status"] == "create-failed")
    client = emulator.client("elasticache")
    assert client.describe_replication_groups()["ReplicationGroups"][0]["Status"] == "create-failed"
    client.delete_replication_group(ReplicationGroupId=GROUP)


@pytest.mark.parametrize(
    "fault",
    [{}, {"kind": "nope"}, {"kind": "error", "nth": 0}, {"kind": "drop", "wrong": 1}, {"kind": "drop", "id": 3}],
)
def test_a_wrong_fault_is_refused(emulator: Any, fault: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|no member"):
        emulator.faults(fault)
    assert emulator.faults() == []
