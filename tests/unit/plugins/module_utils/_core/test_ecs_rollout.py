# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""How far the deployment of a service of ECS is."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._core.ecs_rollout import (
    EcsService,
    RolloutState,
    rollout_of,
    service_of,
)

OURS, OTHER = "ecs-svc/1", "ecs-svc/2"
DONE, UNDER_WAY, FAILED = RolloutState.COMPLETED, RolloutState.IN_PROGRESS, RolloutState.FAILED
ROLLING_BACK = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/0."


def deployment(identifier: str, state: str | None, status: str = "PRIMARY", **more: Any) -> dict[str, Any]:
    told = {"id": identifier, "status": status, "desiredCount": 2, "runningCount": 2, **more}
    return told if state is None else {**told, "rolloutState": state}


@pytest.mark.parametrize(
    ("deployments", "state"),
    [
        pytest.param(
            [deployment(OURS, "IN_PROGRESS"), deployment(OTHER, "COMPLETED", "ACTIVE")], UNDER_WAY, id="begun"
        ),
        pytest.param([deployment(OURS, "COMPLETED")], DONE, id="stable"),
        pytest.param([deployment(OURS, "FAILED")], FAILED, id="circuit-breaker"),
        pytest.param(
            [deployment(OTHER, "IN_PROGRESS", rolloutStateReason=ROLLING_BACK), deployment(OURS, "FAILED", "ACTIVE")],
            FAILED,
            id="rolling-back",
        ),
        pytest.param(
            [deployment(OTHER, "COMPLETED", rolloutStateReason=ROLLING_BACK)], FAILED, id="rolled-back-and-forgotten"
        ),
        pytest.param([deployment(OTHER, "COMPLETED")], DONE, id="somebody-elses-later-one"),
        pytest.param([deployment(OTHER, "IN_PROGRESS")], UNDER_WAY, id="somebody-elses-later-one-under-way"),
        pytest.param([deployment(OTHER, "FAILED")], FAILED, id="somebody-elses-later-one-failed"),
        pytest.param([deployment(OURS, None)], DONE, id="without-a-rollout-state"),
        pytest.param([deployment(OURS, None, runningCount=1)], UNDER_WAY, id="a-task-is-missing"),
        pytest.param([deployment(OURS, None), deployment(OTHER, None, "ACTIVE")], UNDER_WAY, id="old-tasks-still-run"),
        pytest.param([], UNDER_WAY, id="no-deployment"),
    ],
)
def test_how_far(deployments: list[dict[str, Any]], state: RolloutState) -> None:
    assert rollout_of({"status": "ACTIVE", "desiredCount": 2, "deployments": deployments}, OURS).state is state


def test_a_service_that_is_deleted_meanwhile() -> None:
    service = {"status": "DRAINING", "deployments": [deployment(OURS, "IN_PROGRESS")]}
    found = rollout_of(service, OURS)
    assert (found.state, found.words) == (FAILED, "the service is DRAINING.")


def test_what_ecs_says_is_in_one_line() -> None:
    reason = "tasks failed\n\x1b[31mto start."
    told = deployment(OURS, "FAILED", rolloutStateReason=reason, runningCount=0, failedTasks=3)
    assert rollout_of({"deployments": [told]}, OURS).words == (
        "FAILED: tasks failed [31mto start. (0 of 2 tasks run, 3 failed)"
    )


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("web", EcsService("shop", "web")),
        ("other/web", EcsService("other", "web")),
        ("arn:aws:ecs:eu-central-1:123456789012:service/other/web", EcsService("other", "web")),
        ("arn:aws:ecs:eu-central-1:123456789012:service/web", EcsService("shop", "web")),
    ],
)
def test_how_a_service_is_named(text: str, service: EcsService) -> None:
    assert service_of(text, "shop") == service
