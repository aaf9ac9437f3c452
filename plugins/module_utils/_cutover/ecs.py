# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Have the services of ECS that are clients of replication groups replace their tasks, and wait until they are stable.

A task reads the token when it starts, from the secret in its task definition or by itself. A service that serves
several groups is deployed once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._aws import ecs
from .._aws.clients import Clients
from .._core.client_selection import ClientSelection, expanded, having_tags
from .._core.ecs_rollout import EcsService, Rollout, RolloutState, primary_of, rollout_of, service_of
from .._core.errors import AuthError
from .outcome import GroupCutover

_EVENTS = "the service's events (aws ecs describe-services)"


@dataclass(frozen=True)
class EcsRequest:
    """What is wanted. ``cluster``: of services named without one. Times are in seconds."""

    selection: ClientSelection
    cluster: str
    wait_timeout: float
    wait_delay: float
    check_mode: bool = False


@dataclass
class _Deployment:
    """A service that is deployed: the deployment's id, since when it is waited for, how far it is."""

    id: str
    rollout: Rollout = field(default_factory=lambda: Rollout(RolloutState.IN_PROGRESS))
    error: str = ""


def redeploy(clients: Clients, ids: Sequence[str], request: EcsRequest) -> list[GroupCutover]:
    """Return what became of each group's clients. Raises :class:`AuthError` for what concerns no single group."""
    groups = [GroupCutover(key) for key in ids]
    wanted = _wanted(clients, groups, request)
    found = ecs.describe(clients, dict.fromkeys(service for own in wanted.values() for service in own))
    for group in groups:
        _check(group, wanted.get(group.id, []), found, request.selection)
    if request.check_mode:
        for group in groups:
            if not group.error:
                group.changed = True
                group.msg = f"{group.id}: would deploy {_listed(wanted[group.id])} anew."
        return groups
    going = [group for group in groups if not group.error]
    begun = time.monotonic()
    deployments = {}
    for service in dict.fromkeys(service for group in going for service in wanted[group.id]):
        try:
            deployments[service] = _Deployment(ecs.force_new_deployment(clients, service))
        except AuthError as error:
            deployments[service] = _Deployment("", error=str(error))
    _wait(clients, deployments, request)
    for group in going:
        group.duration = time.monotonic() - begun
        _conclude(group, wanted[group.id], deployments, request)
    return groups


def _wanted(clients: Clients, groups: Sequence[GroupCutover], request: EcsRequest) -> dict[str, list[EcsService]]:
    """Return the services of each group; a group for which there are none has an error then."""
    selection, wanted = request.selection, dict[str, list[EcsService]]()
    of_groups = []
    for group in groups:
        try:
            of_groups.append((group, selection.of(group.id)))
        except AuthError as error:
            group.fail(error)
    with_tags = any(own.tags for _group, own in of_groups)
    tagged = ecs.tagged(clients, selection.tags) if with_tags else {}
    for group, own in of_groups:
        cluster = expanded(request.cluster, group.id)
        names = [*own.names, *having_tags(own.tags, tagged.items())]
        wanted[group.id] = list(dict.fromkeys(service_of(name, cluster) for name in names))
        group.clients = list(map(str, wanted[group.id]))
        if not names:
            tags = ", ".join(f"{key}={value}" for key, value in own.tags.items())
            group.error = (
                f"{group.id}: no service of ECS in {clients.region} has the tags of {selection.tags_variable} "
                f"({tags}), so that no client was moved. Tag its services, or name them in {selection.variable} or "
                f"{selection.by_group_variable}."
            )
    return wanted


def _check(
    group: GroupCutover,
    services: Sequence[EcsService],
    found: Mapping[EcsService, dict[str, Any] | str],
    selection: ClientSelection,
) -> None:
    """Set the group's error where one of its services can't be deployed anew; nothing was changed then."""
    for service in services if not group.error else ():
        known = found[service]
        if isinstance(known, str):
            group.error = (
                f"{group.id}: {known} None of its services was deployed anew. Correct {selection.variables}, or "
                f"{selection.prefix}_cluster."
            )
            return
        kind = (known.get("deploymentController") or {}).get("type", "ECS")
        if known.get("status") != "ACTIVE" or kind != "ECS":
            what = f"has the deployment controller {kind}" if kind != "ECS" else f"is {known.get('status')}"
            group.error = (
                f"{group.id}: the service {service} {what}, and can't be deployed anew so. None of its services was. "
                f"Leave it out of {selection.variables}, and move it by tasks of your own."
            )
            return


def _wait(clients: Clients, deployments: Mapping[EcsService, _Deployment], request: EcsRequest) -> None:
    """Wait until each deployment has come to its end, or the time is over."""
    deadline = time.monotonic() + request.wait_timeout
    while True:
        under_way = [
            service
            for service, deployment in deployments.items()
            if not deployment.error and deployment.rollout.state is RolloutState.IN_PROGRESS
        ]
        if not under_way:
            return
        for service, known in ecs.describe(clients, under_way).items():
            deployment = deployments[service]
            if isinstance(known, str):
                deployment.rollout = Rollout(RolloutState.IN_PROGRESS, known)  # the next look may succeed
                continue
            if not deployment.id:
                deployment.id = str(primary_of(known).get("id") or "")
            deployment.rollout = rollout_of(known, deployment.id)
        if time.monotonic() >= deadline:
            return
        clients.pause(min(request.wait_delay, max(0.0, deadline - time.monotonic())))


def _conclude(
    group: GroupCutover,
    services: Sequence[EcsService],
    deployments: Mapping[EcsService, _Deployment],
    request: EcsRequest,
) -> None:
    """Tell what became of a group's services."""
    prefix = request.selection.prefix
    group.changed = any(not deployments[service].error for service in services)
    for service in services:
        deployment = deployments[service]
        if deployment.error:
            group.error = f"{group.id}: {service} was not deployed anew: {deployment.error}"
        elif deployment.rollout.state is RolloutState.FAILED:
            group.error = (
                f"{group.id}: the deployment of the service {service} failed: {deployment.rollout.words}. Its clients "
                f"may still have the token before. See why its tasks don't start in {_EVENTS}, mend that, then run "
                "this again."
            )
        elif deployment.rollout.state is RolloutState.IN_PROGRESS:
            group.error = (
                f"{group.id}: the service {service} was not stable after {prefix}_wait_timeout "
                f"({request.wait_timeout:g} s): {deployment.rollout.words}. See {_EVENTS}; if it only takes longer, "
                f"raise {prefix}_wait_timeout, then run this again."
            )
        if group.error:
            return
    group.msg = f"{group.id}: {_listed(services)} deployed anew, and stable."


def _listed(services: Sequence[EcsService]) -> str:
    return ", ".join(map(str, services))
