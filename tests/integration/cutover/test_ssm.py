# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Instances as clients: which get a command, until when it is waited for, and what is told where that fails."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import ModuleRun, mutating, run
from integration.role_scenes import due_fleet, labelled, run_role
from integration.scenes import A, slots

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="none", modify_seconds=0.1)

RESTART = {"commands": ["systemctl restart {replication_group_id}-web"]}


def create_instances(emulator: Emulator, count: int = 1, **tags: str) -> list[str]:
    """Start instances with these tags; returns their ids."""
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    made = emulator.client("ec2").run_instances(
        ImageId="ami-12c6146b",
        MinCount=count,
        MaxCount=count,
        TagSpecifications=[{"ResourceType": "instance", "Tags": listed}] if listed else [],
    )
    return [str(instance["InstanceId"]) for instance in made["Instances"]]


def command(emulator: Emulator, *groups: str, check: bool = False, **more: Any) -> ModuleRun:
    given = {"variables_of": "cutover_ssm", "wait_delay": 0.05, "wait_timeout": 60, "parameters": RESTART, **more}
    return run(emulator, "ssm_command", {"replication_group_ids": list(groups), **given}, check=check)


def sent(emulator: Emulator) -> list[tuple[list[str], list[str]]]:
    """Each command: its instances, and what it ran."""
    found = emulator.client("ssm").list_commands()["Commands"]
    return [(sorted(command["InstanceIds"]), command["Parameters"].get("commands", [])) for command in found]


def test_by_tag_by_id_and_by_group(emulator: Emulator) -> None:
    tagged = create_instances(emulator, 2, cache="sessions", stage="live")
    create_instances(emulator, 1, cache="sessions", stage="test")
    (other,) = create_instances(emulator)
    given: dict[str, Any] = {
        "instance_tags": {"cache": "{replication_group_id}", "stage": "live"},
        "instances_by_group": {"carts": [other]},
    }
    planned = command(emulator, "sessions", "carts", check=True, **given)
    assert planned.of("carts")["msg"] == f"carts: would run AWS-RunShellScript on {other}."
    assert sent(emulator) == []
    ended = command(emulator, "sessions", "carts", **given)
    assert not ended.failed, ended.msg
    assert ended.of("carts")["msg"] == f"carts: AWS-RunShellScript was run on {other}."
    assert sorted(ended.of("sessions")["clients"]) == sorted(tagged)
    assert sent(emulator) == [
        (sorted(tagged), ["systemctl restart sessions-web"]),
        ([other], ["systemctl restart carts-web"]),
    ]


def test_it_waits_for_the_end(emulator: Emulator) -> None:
    (instance,) = create_instances(emulator)
    emulator.hold("*", "SendCommand")
    ended: list[ModuleRun] = []
    thread = threading.Thread(target=lambda: ended.append(command(emulator, "sessions", instances=[instance])))
    thread.start()
    try:
        emulator.wait_held("*", "SendCommand")
        while len(emulator.calls(action="ListCommands")) < 2:
            assert thread.is_alive()
    finally:
        emulator.release()
        thread.join()
    assert not ended[0].failed


def test_it_never_ends(emulator: Emulator) -> None:
    (instance,) = create_instances(emulator)
    emulator.hold("*", "SendCommand")
    told = command(emulator, "sessions", instances=[instance], wait_timeout=0.3).msg
    assert "has not ended after cutover_ssm_wait_timeout (0.3 s), and goes on." in told


def test_one_group_fails_and_the_other_does_not(emulator: Emulator) -> None:
    first, second = create_instances(emulator, 2)
    emulator.faults({"kind": "rollout-failed", "service": "ssm", "times": 1})
    given: dict[str, Any] = {"instances_by_group": {"sessions": [first], "carts": [second]}}
    ended = command(emulator, "sessions", "carts", continue_on_error=True, **given)
    assert list(ended.result["failures"]) == ["sessions"]
    told = ended.of("sessions")["msg"]
    assert f"of AWS-RunShellScript failed: Failed (1 of 1 instances; {first}: Failed)" in told
    assert "aws ssm get-command-invocation --command-id" in told


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {},
            "sessions: no instance is known for it: no variable names any, so that no client was moved. Set cutover",
        ),
        (
            {"instances": ["i-0123456789abcdef0"]},
            "i-0123456789abcdef0: not managed by Systems Manager in us-east-1, so",
        ),
        (
            {"instance_tags": {"cache": "{replication_group_id}"}},
            "no instance with the tags {'cache': 'sessions'} is man",
        ),
        (
            {"parameters": {"commands": {"a": "b"}}},
            "cutover_ssm_parameters: the value of commands is not a text, nor a",
        ),
    ],
)
def test_what_names_no_instance(emulator: Emulator, given: dict[str, Any], words: str) -> None:
    create_instances(emulator)
    ended = command(emulator, "sessions", **given)
    assert ended.failed
    assert words in ended.msg
    assert sent(emulator) == []


def test_a_document_that_is_not_there(emulator: Emulator) -> None:
    (instance,) = create_instances(emulator)
    told = command(emulator, "sessions", instances=[instance], document="nowhere-{replication_group_id}").msg
    assert told.startswith("sessions: ssm:SendCommand failed in us-east-1: InvalidDocument")
    assert "See cutover_ssm_document and cutover_ssm_parameters." in told


@pytest.mark.emulator(data_plane="light", modify_seconds=0.1)
def test_a_rotation_twice(emulator: Emulator) -> None:
    """With the role cutover_ssm as a user has it; the second run changes nothing."""
    due_fleet(emulator, ["sessions"], A)
    (instance,) = create_instances(emulator, cache="sessions")
    given: dict[str, Any] = {
        "cutover_ssm_instance_tags": {"cache": "{replication_group_id}"},
        "cutover_ssm_parameters": RESTART,
        "cutover_ssm_wait_delay": 0.05,
    }
    role = "elasticache.auth.cutover_ssm"
    ran = run_role(emulator, "rotate_token", client_role=role, extra_vars=given)
    assert ran.succeeded, ran.output
    assert "sessions: token rotated; 2 of 2 nodes accept only the new token" in ran.told()
    assert slots(emulator) == [labelled(emulator)["AWSCURRENT"]] != [A]
    assert sent(emulator) == [([instance], ["systemctl restart sessions-web"])]
    assert labelled(emulator)["AWSCURRENT"] not in json.dumps(emulator.calls())
    before = mutating(emulator)
    ran = run_role(emulator, "rotate_token", client_role=role, extra_vars=given)
    assert ran.succeeded, ran.output
    assert (ran.recap["localhost"]["changed"], mutating(emulator)) == (0, before)
