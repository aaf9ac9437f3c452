# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Run Command of Systems Manager that takes time, in moto's SSM, where each command has ended before it is answered.

Each instance of moto's EC2 that runs is managed, and Online. A command is a change in flight of its document's name
that SendCommand begins; until its end it is InProgress. Where the fault ``rollout-failed`` struck it, its first
instance fails, and so does the command. A document is one of AWS's (its name begins with ``AWS-``) or one made here.

Source: Command and CommandInvocation in the API reference; DescribeInstanceInformation there.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.ssm.models import Command, SimpleSystemManagerBackend
from moto.ssm.responses import SimpleSystemManagerResponse

from emulator.faults import FaultKind

from .world import World

_send = SimpleSystemManagerBackend.send_command


def describe_instance_information(self: SimpleSystemManagerResponse) -> ActionResult:
    """DescribeInstanceInformation, with the filters ``tag:KEY`` and ``InstanceIds``."""
    filters = {entry["Key"]: set(entry["Values"]) for entry in self._get_param("Filters", [])}
    found = []
    for reservation in ec2_backends[self.current_account][self.region].all_reservations():
        for instance in reservation.instances:
            tags = {f"tag:{tag['key']}": tag["value"] for tag in instance.get_tags()}
            own = {**tags, "InstanceIds": instance.id}
            if instance.state == "running" and all(own.get(key) in values for key, values in filters.items()):
                found.append({"InstanceId": instance.id, "PingStatus": "Online", "ResourceType": "EC2Instance"})
    return ActionResult({"InstanceInformationList": found})


def list_command_invocations(self: SimpleSystemManagerResponse) -> ActionResult:
    """ListCommandInvocations of one command."""
    command = self.ssm_backend.get_command_by_id(self._get_param("CommandId"))
    names = ("CommandId", "InstanceId", "DocumentName", "Status", "StatusDetails")
    return ActionResult(
        {"CommandInvocations": [{name: invocation[name] for name in names} for invocation in command.invocations]}
    )


def install(world: World) -> None:
    """Put these in the place of moto's, or beside it. Once in a process."""

    def send(self: SimpleSystemManagerBackend, **members: Any) -> Command:
        name = str(members.get("document_name") or "")
        if not name.startswith("AWS-"):
            self._get_documents(name)
        by_id = [entry["Values"] for entry in members.get("targets") or () if entry["Key"] == "InstanceIds"]
        if by_id:
            members |= {"targets": [], "instance_ids": [key for values in by_id for key in values]}
        command = _without_targets(self, members) if not members.get("targets") else _send(self, **members)
        command.status = command.status_details = "InProgress"
        command.completed_count, command.target_count = 0, len(command.instance_ids)
        for invocation in command.invocations:
            invocation["Status"] = invocation["StatusDetails"] = "InProgress"
        fails = world.faults.strike(FaultKind.ROLLOUT_FAILED, "SendCommand", name, "ssm") is not None
        store = world.store(self.account_id, self.region_name, self.partition)

        def finish() -> None:
            with world.lock:
                for number, invocation in enumerate(command.invocations):
                    state = "Failed" if fails and number == 0 else "Success"
                    invocation["Status"] = invocation["StatusDetails"] = state
                command.error_count = int(fails)
                command.completed_count = command.target_count
                command.status = command.status_details = "Failed" if fails else "Success"

        world.later(store, "SendCommand", name, world.timing.modify_seconds, finish)
        return command

    SimpleSystemManagerBackend.send_command = send  # type: ignore[method-assign, assignment]
    SimpleSystemManagerResponse.describe_instance_information = describe_instance_information  # type: ignore[attr-defined]
    SimpleSystemManagerResponse.list_command_invocations = list_command_invocations  # type: ignore[attr-defined]


def _without_targets(backend: SimpleSystemManagerBackend, members: dict[str, Any]) -> Command:
    """A command for instances by their ids: moto would add every instance that there is."""
    command = _send(backend, **{**members, "instance_ids": [], "targets": [{"Key": "instance-id", "Values": ["none"]}]})
    command.instance_ids, command.targets = list(dict.fromkeys(members["instance_ids"])), []
    command.invocations = [command.invocation_response(key, "aws:runShellScript") for key in command.instance_ids]
    return command
