# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""How far rollouts of Kubernetes and syncs of External Secrets are."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.k8s_rollout import (
    ObjectName,
    Progress,
    refresh_of,
    rollout_of,
    secret_of,
    synced_version,
    why_not_restarted,
    workload_of,
)

DEPLOYMENT, STATEFUL_SET = ObjectName("shop", "deployments", "web"), ObjectName("shop", "statefulsets", "db")
DONE, UNDER_WAY, FAILED = Progress.DONE, Progress.UNDER_WAY, Progress.FAILED
NEW: dict[str, Any] = {
    "observedGeneration": 2,
    "replicas": 2,
    "updatedReplicas": 2,
    "readyReplicas": 2,
    "availableReplicas": 2,
    "currentRevision": "r2",
    "updateRevision": "r2",
}
STUCK = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed\nout"}]


@pytest.mark.parametrize(
    ("name", "status", "progress"),
    [
        pytest.param(DEPLOYMENT, {}, DONE, id="done"),
        pytest.param(DEPLOYMENT, {"observedGeneration": 1}, UNDER_WAY, id="not-seen"),
        pytest.param(DEPLOYMENT, {"observedGeneration": 1, "conditions": STUCK}, UNDER_WAY, id="stuck-before"),
        pytest.param(DEPLOYMENT, {"updatedReplicas": 1}, UNDER_WAY, id="old-pods"),
        pytest.param(DEPLOYMENT, {"replicas": 3}, UNDER_WAY, id="an-old-pod-ends"),
        pytest.param(DEPLOYMENT, {"availableReplicas": 1}, UNDER_WAY, id="not-available"),
        pytest.param(DEPLOYMENT, {"updatedReplicas": None, "conditions": STUCK}, FAILED, id="stuck"),
        pytest.param(STATEFUL_SET, {}, DONE, id="set-done"),
        pytest.param(STATEFUL_SET, {"currentRevision": "r1"}, UNDER_WAY, id="set-old-pods"),
        pytest.param(STATEFUL_SET, {"readyReplicas": 1}, UNDER_WAY, id="set-not-ready"),
        pytest.param(STATEFUL_SET, {"observedGeneration": None}, UNDER_WAY, id="set-not-seen"),
    ],
)
def test_a_rollout(name: ObjectName, status: dict[str, Any], progress: Progress) -> None:
    workload = {"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": {**NEW, **status}}
    assert rollout_of(workload, name).progress is progress


def test_what_is_said_of_a_rollout() -> None:
    workload = {"metadata": {}, "spec": {"replicas": 2}, "status": {"conditions": STUCK}}
    words = "ProgressDeadlineExceeded: timed out (0 of 2 pods updated, 0 ready)"
    assert rollout_of(workload, DEPLOYMENT).words == words


def test_what_is_scaled_to_none_or_gone() -> None:
    assert (
        rollout_of(
            {"metadata": {"generation": 1}, "spec": {"replicas": 0}, "status": {"observedGeneration": 1}}, DEPLOYMENT
        ).progress
        is DONE
    )
    assert rollout_of({}, DEPLOYMENT).progress is UNDER_WAY


@pytest.mark.parametrize(
    ("name", "spec", "why"),
    [
        (DEPLOYMENT, {}, ""),
        (DEPLOYMENT, {"paused": True}, "its rollout is paused"),
        (STATEFUL_SET, {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}}, ""),
        (STATEFUL_SET, {"updateStrategy": {"type": "OnDelete"}}, "its update strategy is OnDelete"),
        (STATEFUL_SET, {"updateStrategy": {"rollingUpdate": {"partition": 1}}}, "its update strategy has a partition"),
    ],
)
def test_what_a_restart_would_not_reach(name: ObjectName, spec: dict[str, Any], why: str) -> None:
    found = why_not_restarted({"spec": spec}, name)
    assert found.startswith(why)
    assert bool(found) == bool(why)


def secret(ready: str, refreshed: str = "", version: str = "") -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready, "reason": "SecretSynced", "message": "synced"}]
    return {"status": {"conditions": conditions, "refreshTime": refreshed, "syncedResourceVersion": version}}


@pytest.mark.parametrize(
    ("before", "after", "progress"),
    [
        (secret("True", "1", "a"), secret("True", "1", "a"), UNDER_WAY),
        (secret("True", "1", "a"), secret("True", "2", "b"), DONE),
        (secret("True", "1", "a"), secret("True", "2", "a"), UNDER_WAY),  # a sync of its own, before it saw ours
        (secret("True", "1", "a"), secret("True", "1", "b"), DONE),  # within a second
        (secret("True", "1", "a"), secret("False", "2", "b"), UNDER_WAY),
        ({}, secret("True", "1", "a"), DONE),
        ({}, {}, UNDER_WAY),
        (secret("True", "1"), secret("True", "2"), DONE),  # a version without syncedResourceVersion
    ],
)
def test_a_sync(before: dict[str, Any], after: dict[str, Any], progress: Progress) -> None:
    assert refresh_of(after, synced_version(before)).progress is progress


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("deployment/web", DEPLOYMENT),
        ("Deploy/web", DEPLOYMENT),
        ("sts/db", STATEFUL_SET),
        ("other/deployment/web", ObjectName("other", "deployments", "web")),
    ],
)
def test_how_a_workload_is_named(text: str, name: ObjectName) -> None:
    assert workload_of("v", text, "shop") == name


@pytest.mark.parametrize("text", ["web", "pod/web", "deployment/", "a/b/deployment/web", ""])
def test_what_is_no_workload(text: str) -> None:
    with pytest.raises(AuthError, match=r"^v: .* is no workload. Name it deployment/NAME"):
        workload_of("v", text, "shop")


def test_how_a_secret_is_named() -> None:
    assert str(secret_of("token", "shop")) == "shop/externalsecret/token"
    assert str(secret_of("other/token", "shop")) == "other/externalsecret/token"
