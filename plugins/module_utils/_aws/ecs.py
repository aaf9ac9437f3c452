# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The calls of Amazon ECS that a client cutover makes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .._core.ecs_rollout import EcsService, primary_of
from .._core.errors import AuthError
from .clients import Clients
from .errors import explain
from .sweeps import sweep_tags

#: Services that one DescribeServices call takes.
_DESCRIBED = 10


def describe(clients: Clients, services: Iterable[EcsService]) -> dict[EcsService, dict[str, Any] | str]:
    """Return what ECS says of each service: the service, or why there is none.

    An error is one of all services of a call. Raises botocore's exceptions for what is no refusal of AWS.
    """
    by_cluster: dict[str, list[EcsService]] = {}
    for service in services:
        by_cluster.setdefault(service.cluster, []).append(service)
    found: dict[EcsService, dict[str, Any] | str] = {}
    for cluster, own in by_cluster.items():
        for first in range(0, len(own), _DESCRIBED):
            chunk = own[first : first + _DESCRIBED]
            found.update(_described(clients, cluster, chunk))
    return found


def _described(
    clients: Clients, cluster: str, services: list[EcsService]
) -> Iterator[tuple[EcsService, dict[str, Any] | str]]:
    names = [service.name for service in services]
    try:
        answer = clients.patiently(lambda: clients.ecs.describe_services(cluster=cluster, services=names))
    except Exception as error:
        why = explain(error, "ecs:DescribeServices", clients.region)
        yield from ((service, why) for service in services)
        return
    known = {service["serviceName"]: service for service in answer["services"]}
    for service in services:
        yield service, known.get(service.name) or f"there is no service {service} in {clients.region}."


def force_new_deployment(clients: Clients, service: EcsService) -> str:
    """Have the service replace its tasks; return the deployment's id. Raises :class:`AuthError`."""
    try:
        answer = clients.patiently(
            lambda: clients.ecs.update_service(cluster=service.cluster, service=service.name, forceNewDeployment=True)
        )
    except Exception as error:
        raise AuthError(explain(error, "ecs:UpdateService", clients.region)) from error
    return str(primary_of(answer["service"]).get("id") or "")


def tagged(clients: Clients, keys: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the tags of the services that have all these keys, by the services' ARNs. Raises :class:`AuthError`."""
    try:
        return sweep_tags(clients, ["ecs:service"], keys=keys)
    except Exception as error:
        raise AuthError(explain(error, "tag:GetResources", clients.region)) from error
