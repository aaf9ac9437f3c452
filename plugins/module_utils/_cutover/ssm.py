# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Have Run Command run a document on the instances that are clients of replication groups, and wait for its end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._aws import ssm
from .._aws.clients import Clients
from .._core.client_selection import ClientSelection, GroupClients, expanded
from .._core.errors import AuthError
from .._core.run_command import CommandState, state_of, words_of_command
from .outcome import GroupCutover

#: Values of one target, and of one filter.
_VALUES = 50


@dataclass(frozen=True)
class SsmRequest:
    """What is wanted. ``parameters``: of the document, with the placeholder of the group's id. Times are in seconds."""

    selection: ClientSelection
    document: str
    parameters: Mapping[str, Sequence[str]]
    max_concurrency: str
    max_errors: str
    wait_timeout: float
    wait_delay: float
    check_mode: bool = False


@dataclass
class _Group:
    """A group: its targets, and the ids of the commands that are waited for and that have ended."""

    cutover: GroupCutover
    targets: list[list[dict[str, Any]]] = field(default_factory=list)
    under_way: list[str] = field(default_factory=list)


def run_command(clients: Clients, ids: Sequence[str], request: SsmRequest) -> list[GroupCutover]:
    """Return what became of each group's clients. Raises :class:`AuthError` for what concerns no single group."""
    groups = [_Group(GroupCutover(key)) for key in ids]
    for group in groups:
        try:
            _find(clients, group, request)
        except AuthError as error:
            group.cutover.fail(error)
    going = [group for group in groups if not group.cutover.error]
    begun = time.monotonic()
    for group in going:
        told = group.cutover
        told.changed = True
        if request.check_mode:
            told.msg = f"{told.id}: would run {request.document} on {', '.join(told.clients)}."
        else:
            _send(clients, group, request)
    if not request.check_mode:
        _wait(clients, going, request)
        for group in going:
            group.cutover.duration = time.monotonic() - begun
    return [group.cutover for group in groups]


def _find(clients: Clients, group: _Group, request: SsmRequest) -> None:
    """Find the group's instances. Raises :class:`AuthError` where one of them can't run the command."""
    told, selection = group.cutover, request.selection
    wanted = selection.of(told.id)
    found: dict[str, str] = {}
    for targets in _targets(wanted):
        found |= ssm.managed_instances(clients, targets)
        group.targets.append(targets)
    missing = [name for name in wanted.names if name not in found]
    offline = [name for name, status in found.items() if status != "Online"]
    told.clients = list(found)
    if missing or not found:
        what = f"{', '.join(missing)}: not" if missing else f"no instance with the tags {dict(wanted.tags)} is"
        raise AuthError(
            f"{told.id}: {what} managed by Systems Manager in {clients.region}, so that no command was sent. Correct "
            f"{selection.variables}, or see that the SSM Agent runs there."
        )
    if offline:
        raise AuthError(
            f"{told.id}: {', '.join(offline)}: the SSM Agent does not answer ({found[offline[0]]}), so that no command "
            f"was sent. Start it, or terminate the instance, or leave it out of {selection.variables}."
        )


def _targets(wanted: GroupClients) -> Iterator[list[dict[str, Any]]]:
    """Yield the targets of each command that a group needs: instances by their ids, and all that have the tags."""
    for first in range(0, len(wanted.names), _VALUES):
        yield [{"Key": "InstanceIds", "Values": list(wanted.names[first : first + _VALUES])}]
    if wanted.tags:
        yield [{"Key": f"tag:{key}", "Values": [value]} for key, value in wanted.tags.items()]


def _send(clients: Clients, group: _Group, request: SsmRequest) -> None:
    told = group.cutover
    parameters = {name: [expanded(value, told.id) for value in values] for name, values in request.parameters.items()}
    for targets in group.targets:
        try:
            command_id = ssm.send(
                clients,
                expanded(request.document, told.id),
                parameters,
                Targets=targets,
                MaxConcurrency=request.max_concurrency,
                MaxErrors=request.max_errors,
                Comment=f"client cutover of {told.id}",
            )
        except AuthError as error:
            told.error = (
                f"{told.id}: {error} Clients may not have been moved. See {request.selection.prefix}_document and "
                f"{request.selection.prefix}_parameters."
            )
            return
        group.under_way.append(command_id)


def _wait(clients: Clients, groups: Sequence[_Group], request: SsmRequest) -> None:
    """Wait until each command has ended, or the time is over."""
    deadline, prefix = time.monotonic() + request.wait_timeout, request.selection.prefix
    while True:
        last = time.monotonic() >= deadline
        for group in groups:
            told = group.cutover
            for command_id in list(group.under_way):
                try:
                    _look(clients, group, command_id, request)
                except AuthError as error:
                    if last and not told.error:
                        told.fail(error)
            if last and group.under_way and not told.error:
                told.error = (
                    f"{told.id}: the command {group.under_way[0]} has not ended after {prefix}_wait_timeout "
                    f"({request.wait_timeout:g} s), and goes on. If it only takes longer, raise {prefix}_wait_timeout; "
                    "then run this again."
                )
        if last or not any(group.under_way for group in groups):
            break
        clients.pause(min(request.wait_delay, max(0.0, deadline - time.monotonic())))
    for group in groups:
        if not group.cutover.error:
            told = group.cutover
            told.msg = f"{told.id}: {request.document} was run on {', '.join(told.clients)}."


def _look(clients: Clients, group: _Group, command_id: str, request: SsmRequest) -> None:
    """Look how far a command is. Raises :class:`AuthError` where that can't be seen."""
    found, told = ssm.command(clients, command_id), group.cutover
    state = state_of(found)
    if state is CommandState.IN_PROGRESS:
        return
    if state is CommandState.FAILED and not told.error:
        words = words_of_command(found, ssm.invocations(clients, command_id))
        told.error = (
            f"{told.id}: the command {command_id} of {request.document} failed: {words}. Its clients may still have "
            f"the token before. See what it printed (aws ssm get-command-invocation --command-id {command_id} "
            f"--instance-id ...), mend that, or {request.selection.prefix}_parameters, then run this again."
        )
    group.under_way.remove(command_id)
