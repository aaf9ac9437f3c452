# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The fault ``halt``: a call stands still until the fault is removed, so that its client can be killed meanwhile."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
import urllib.parse
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError
from unit.emulator.control_support import GROUP, TOKEN_A, TOKEN_B, create, make_state, modify

pytestmark = pytest.mark.emulator(data_plane="none", modify_seconds=0.05)

ROTATE: dict[str, Any] = {"AuthToken": TOKEN_B, "AuthTokenUpdateStrategy": "ROTATE"}
PATIENCE = 240.0  # seconds


def wait_until_struck(emulator: Any, times: int = 1) -> None:
    """Wait until so many calls stand still."""
    deadline = time.monotonic() + PATIENCE
    while sum(fault["struck"] for fault in emulator.faults()) < times:
        if time.monotonic() > deadline:
            pytest.fail("no call stands still")
        time.sleep(0.02)


def rotate(emulator: Any, pool: ThreadPoolExecutor) -> Future[Any]:
    """Send a rotation from another thread, where it may stand still."""
    return pool.submit(modify, emulator, wait=False, **ROTATE)


@pytest.mark.parametrize("let_go", ["DELETE", "reset"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_halted_call_is_never_answered(emulator: Any, when: str, let_go: str) -> None:
    make_state(emulator, "required")
    emulator.faults({"kind": "halt", "action": "Modify*", "id": GROUP, "when": when})
    with ThreadPoolExecutor(1) as pool:
        halted = rotate(emulator, pool)
        wait_until_struck(emulator)
        if when == "after":  # the effect is there while the answer isn't
            emulator.wait_until(GROUP, lambda group: group["slots"] == [TOKEN_A, TOKEN_B])
        time.sleep(0.3)
        assert not halted.done()
        # every other call goes on, reading and changing, to the same group and to others
        client = emulator.client("elasticache")
        assert client.describe_replication_groups(ReplicationGroupId=GROUP)["ReplicationGroups"]
        create(emulator, "other")
        modify(emulator, "other", **ROTATE)
        assert not halted.done()
        if let_go == "DELETE":
            emulator.clear_faults()
        else:
            emulator.reset()
        assert isinstance(halted.exception(PATIENCE), ConnectionClosedError)
    if let_go == "reset":
        assert (emulator.groups(), emulator.calls(), emulator.faults()) == ([], [], [])
        return
    time.sleep(0.3)
    truth = emulator.wait_available(GROUP)
    assert truth["slots"] == ([TOKEN_A] if when == "before" else [TOKEN_A, TOKEN_B])
    call = emulator.calls(action="ModifyReplicationGroup", id=GROUP)
    assert [(entry["fault"], entry["code"], entry["status"]) for entry in call] == [("halt", "ConnectionDropped", 0)]
    # it struck once: the fault is gone, and a repeat is carried out
    if when == "before":
        assert modify(emulator, **ROTATE)["slots"] == [TOKEN_A, TOKEN_B]


_CLIENT = """
import boto3, os
boto3.client("elasticache", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).modify_replication_group(
    ReplicationGroupId="cache-1", ApplyImmediately=True, AuthTokenUpdateStrategy="ROTATE", AuthToken=os.environ["NEW"])
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_client_can_be_killed_in_the_middle_of_a_call(emulator: Any, when: str) -> None:
    make_state(emulator, "required")
    emulator.faults({"kind": "halt", "mutating": True, "when": when})
    errors_before = emulator.standard_error()
    client = subprocess.Popen([sys.executable, "-c", _CLIENT], env={**emulator.environment, "NEW": TOKEN_B})
    try:
        wait_until_struck(emulator)
    finally:
        client.kill()
        client.wait(PATIENCE)
    assert len(emulator.calls(action="ModifyReplicationGroup")) == 1  # in the log while it stands still
    emulator.clear_faults()
    time.sleep(0.3)
    truth = emulator.wait_available(GROUP)
    assert truth["slots"] == ([TOKEN_A] if when == "before" else [TOKEN_A, TOKEN_B])
    assert len(emulator.calls(action="ModifyReplicationGroup")) == 1
    assert emulator.standard_error() == errors_before


def test_a_client_that_breaks_the_connection_does_no_harm(emulator: Any) -> None:
    emulator.faults({"kind": "halt", "action": "DescribeUsers"})
    errors_before = emulator.standard_error()
    address = urllib.parse.urlsplit(emulator.endpoint_url)
    body = b"Action=DescribeUsers"
    with socket.create_connection((str(address.hostname), int(address.port or 0))) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        wait_until_struck(emulator)
        # closed so, the kernel sends a reset: the server's end is gone before it lets go
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    time.sleep(0.3)
    emulator.clear_faults()
    time.sleep(0.3)
    assert emulator.client("elasticache").describe_users()["Users"]
    assert emulator.standard_error() == errors_before


def test_mutating_counts_only_calls_that_change_something(emulator: Any) -> None:
    make_state(emulator, "required")
    emulator.faults({"kind": "halt", "mutating": True, "nth": 2})
    client = emulator.client("elasticache")
    secrets = emulator.client("secretsmanager")
    with ThreadPoolExecutor(1) as pool:
        for dummy in range(3):
            client.describe_replication_groups()
            secrets.list_secrets()
        secrets.create_secret(Name="s", SecretString="x")  # the first that counts
        assert (emulator.faults()[0]["seen"], emulator.faults()[0]["struck"]) == (1, 0)
        halted = rotate(emulator, pool)
        wait_until_struck(emulator)
        shown = emulator.faults()[0]
        assert (shown["seen"], shown["struck"], shown["mutating"], shown["times"]) == (2, 1, True, 1)
        create(emulator, "other")  # times is 1 unless told otherwise
        emulator.clear_faults()
        assert halted.exception(PATIENCE) is not None


def test_mutating_narrows_every_kind(emulator: Any) -> None:
    make_state(emulator, "required")
    emulator.faults({"kind": "error", "mutating": True}, {"kind": "stale-modify-response", "mutating": True})
    client = emulator.client("elasticache")
    client.describe_replication_groups()
    with pytest.raises(client.exceptions.ClientError, match="InternalFailure"):
        modify(emulator, wait=False, **ROTATE)
    assert modify(emulator, wait=False, **ROTATE)["Status"] == "available"  # stale
    emulator.clear_faults()
    emulator.faults({"kind": "stale-describe", "seconds": 60, "mutating": True})  # a describe is never mutating
    assert client.describe_replication_groups()["ReplicationGroups"][0]["Status"] != "creating"


def test_a_halt_comes_before_other_faults_of_the_same_call(emulator: Any) -> None:
    make_state(emulator, "required")
    emulator.faults({"kind": "throttle", "mutating": True}, {"kind": "halt", "mutating": True, "times": 2})
    with ThreadPoolExecutor(2) as pool:
        halted = [rotate(emulator, pool) for dummy in range(2)]
        wait_until_struck(emulator, 4)  # twice each
        emulator.clear_faults()
        assert [type(call.exception(PATIENCE)) for call in halted] == [ConnectionClosedError] * 2
    assert emulator.group(GROUP)["slots"] == [TOKEN_A]


@pytest.mark.parametrize("fault", [{"mutating": "yes"}, {"mutating": 1}, {"when": "during"}])
def test_a_wrong_halt_is_refused(emulator: Any, fault: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        emulator.faults({"kind": "halt", **fault})
    assert emulator.faults() == []
