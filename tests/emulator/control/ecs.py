# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Deployments of Amazon ECS that take time, in moto's ECS, which has none.

CreateService is stable at once. UpdateService with ``forceNewDeployment`` makes a deployment that is PRIMARY and
IN_PROGRESS beside the one before it (ACTIVE), and a change in flight of the service's name: COMPLETED at its end, when
the one before is gone. Where the fault ``rollout-failed`` struck it, the deployment circuit breaker ends it: FAILED,
the tasks of the one before stay.

Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html and Deployment in
the API reference. The reasons' words are AWS's.
"""

from __future__ import annotations

from typing import Any

from moto.core.utils import utcnow
from moto.ecs.models import EC2ContainerServiceBackend, Service
from moto.moto_api._internal import mock_random

from emulator.faults import FaultKind

from .world import World

_create = Service.__init__
_update = EC2ContainerServiceBackend.update_service


def _id() -> str:
    return f"ecs-svc/{mock_random.randint(10**18, 10**19 - 1)}"


def create(self: Service, *args: Any, **members: Any) -> None:
    """As moto's, with all tasks running."""
    _create(self, *args, **members)
    self.running_count, self.pending_count = self.desired_count, 0
    for deployment in self.deployments:
        _complete(deployment, self.desired_count)


def _complete(deployment: dict[str, Any], count: int) -> None:
    deployment.update(runningCount=count, pendingCount=0, rolloutState="COMPLETED", updatedAt=utcnow())
    deployment["rolloutStateReason"] = f"ECS deployment {deployment['id']} completed."


def install(world: World) -> None:
    """Put these in the place of moto's. Once in a process."""

    def update(self: EC2ContainerServiceBackend, service_properties: dict[str, Any]) -> Service:
        forced = service_properties.pop("force_new_deployment", False)
        service = _update(self, service_properties)
        if forced and service.deployments:
            with world.lock:
                begin(self, service)
        return service

    def begin(self: EC2ContainerServiceBackend, service: Service) -> None:
        identifier = _id()
        for earlier in service.deployments:
            earlier["status"] = "ACTIVE"
        new = {**service.deployments[0], "id": identifier, "status": "PRIMARY", "createdAt": utcnow()}
        new |= {"updatedAt": utcnow(), "runningCount": 0, "pendingCount": service.desired_count, "failedTasks": 0}
        new |= {"rolloutState": "IN_PROGRESS", "rolloutStateReason": f"ECS deployment {identifier} in progress."}
        service.deployments = [new, *service.deployments]
        fails = world.faults.strike(FaultKind.ROLLOUT_FAILED, "UpdateService", service.name, "ecs") is not None
        store = world.store(self.account_id, self.region_name, self.partition)

        def finish() -> None:
            with world.lock:
                if service.deployments[0] is not new:
                    return  # a later deployment has taken its place
                if fails:
                    new.update(failedTasks=3, pendingCount=0, rolloutState="FAILED", updatedAt=utcnow())
                    new["rolloutStateReason"] = "ECS deployment circuit breaker: tasks failed to start."
                    return
                _complete(new, service.desired_count)
                service.deployments = [new]

        world.later(store, "UpdateService", service.name, world.timing.modify_seconds, finish)

    Service.__init__ = create  # type: ignore[method-assign]
    EC2ContainerServiceBackend.update_service = update  # type: ignore[method-assign]
