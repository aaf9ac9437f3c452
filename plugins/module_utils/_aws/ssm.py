# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The calls of Systems Manager that a client cutover makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._core.errors import AuthError
from .clients import Clients
from .errors import explain
from .paging import pages_of

Target = Mapping[str, Any]


def managed_instances(clients: Clients, filters: Sequence[Target]) -> dict[str, str]:
    """Return the managed instances that match, each with its PingStatus. Raises :class:`AuthError`."""
    return {
        str(entry["InstanceId"]): str(entry.get("PingStatus") or "")
        for answer in _pages(
            clients, "describe_instance_information", "ssm:DescribeInstanceInformation", Filters=filters
        )
        for entry in answer["InstanceInformationList"]
    }


def send(clients: Clients, document: str, parameters: Mapping[str, Sequence[str]], **members: Any) -> str:
    """Send a command; return its id. Not repeated where the answer is lost, as it would be run twice.

    Raises :class:`AuthError`.
    """
    try:
        answer = clients.patiently(
            lambda: clients.ssm_once.send_command(DocumentName=document, Parameters=parameters, **members)
        )
    except Exception as error:
        raise AuthError(explain(error, "ssm:SendCommand", clients.region)) from error
    return str(answer["Command"]["CommandId"])


def command(clients: Clients, command_id: str) -> dict[str, Any]:
    """Return what is said of a command. Raises :class:`AuthError`."""
    (answer,) = _pages(clients, "list_commands", "ssm:ListCommands", CommandId=command_id)
    found: list[dict[str, Any]] = answer["Commands"]
    if not found:
        raise AuthError(f"ssm:ListCommands in {clients.region}: there is no command {command_id}.")
    return found[0]


def invocations(clients: Clients, command_id: str) -> list[dict[str, Any]]:
    """Return what became of a command on each instance. Raises :class:`AuthError`."""
    return [
        entry
        for answer in _pages(clients, "list_command_invocations", "ssm:ListCommandInvocations", CommandId=command_id)
        for entry in answer["CommandInvocations"]
    ]


def _pages(clients: Clients, method: str, action: str, **members: Any) -> Iterator[dict[str, Any]]:
    try:
        yield from pages_of(clients, getattr(clients.ssm, method), "NextToken", **members)
    except Exception as error:
        raise AuthError(explain(error, action, clients.region)) from error
