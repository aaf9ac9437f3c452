# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rollout of a service of ECS, from what DescribeServices says. Pure.

Source: the API reference of Amazon ECS, Deployment (rolloutState, rolloutStateReason) and Service; the deployment
circuit breaker: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .one_line import one_line

#: An ARN has the cluster in it, but for those of the old format.
_ARN = re.compile(r"arn:[^:]+:ecs:[^:]*:\d*:service/(?:([^/]+)/)?([^/]+)")
#: What the reason of the deployment says that ECS makes after the circuit breaker stopped another.
_ROLLED_BACK = re.compile(r"circuit breaker|rolling back|rolled back", re.IGNORECASE)
_MAX_WORDS = 300


@dataclass(frozen=True, order=True)
class EcsService:
    """A service, by the short names of its cluster and itself."""

    cluster: str
    name: str

    def __str__(self) -> str:
        return f"{self.cluster}/{self.name}"


def service_of(text: str, cluster: str) -> EcsService:
    """Return the service that a user or AWS names: by its name, C(cluster/name), or its ARN.

    ``cluster``: that of a service that is named without one.
    """
    arn = _ARN.fullmatch(text)
    if arn:
        return EcsService(arn.group(1) or cluster, arn.group(2))
    of, _slash, name = text.rpartition("/")
    return EcsService(of or cluster, name)


class RolloutState(enum.Enum):
    """How far a deployment is."""

    IN_PROGRESS = "in progress"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True)
class Rollout:
    """How far a service's deployment is, and what ECS says of it."""

    state: RolloutState
    words: str = ""


def primary_of(service: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the service's newest deployment; empty where it has none."""
    deployments = service.get("deployments") or ()
    return next((deployment for deployment in deployments if deployment.get("status") == "PRIMARY"), {})


def rollout_of(service: Mapping[str, Any], deployment_id: str) -> Rollout:
    """Return how far the deployment is that was begun with this id.

    A later one of somebody else counts for it: its tasks start later still. That which the circuit breaker makes when
    it rolls back does not.
    """
    deployments = service.get("deployments") or ()
    own = next((deployment for deployment in deployments if deployment.get("id") == deployment_id), None)
    primary = primary_of(service)
    if own and own.get("rolloutState") == "FAILED":
        return Rollout(RolloutState.FAILED, _words(own))
    if primary.get("rolloutState") == "FAILED":
        return Rollout(RolloutState.FAILED, _words(primary))
    if primary.get("id") != deployment_id and _ROLLED_BACK.search(str(primary.get("rolloutStateReason") or "")):
        return Rollout(RolloutState.FAILED, _words(primary))
    if service.get("status") not in (None, "ACTIVE"):
        return Rollout(RolloutState.FAILED, f"the service is {one_line(str(service['status']), 40)}.")
    state = primary.get("rolloutState")
    if state == "COMPLETED" or (state is None and _is_steady(service, primary)):
        return Rollout(RolloutState.COMPLETED, _words(primary))
    return Rollout(RolloutState.IN_PROGRESS, _words(primary))


def _is_steady(service: Mapping[str, Any], primary: Mapping[str, Any]) -> bool:
    """Whether all tasks are of the newest deployment, for services of which ECS tells no rolloutState."""
    wanted = service.get("desiredCount", 0)
    return bool(primary) and len(service["deployments"]) == 1 and primary.get("runningCount", 0) >= wanted


def _words(deployment: Mapping[str, Any]) -> str:
    running, wanted = deployment.get("runningCount", 0), deployment.get("desiredCount", 0)
    failed = deployment.get("failedTasks") or 0
    state = one_line(str(deployment.get("rolloutState") or "no rolloutState"), 40)
    reason = one_line(str(deployment.get("rolloutStateReason") or ""), _MAX_WORDS)
    tasks = f"{running} of {wanted} tasks run" + (f", {failed} failed" if failed else "")
    return f"{state}: {reason + ' ' if reason else ''}({tasks})"
