# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Services of ECS as clients: which of them, until when they are waited for, and what is told where that fails."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import ModuleRun, run

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="none", modify_seconds=0.1)


def create_services(emulator: Emulator, *names: str, cluster: str = "shop", **more: Any) -> None:
    """Create services of two tasks each."""
    client = emulator.client("ecs")
    client.create_cluster(clusterName=cluster)
    container = {"name": "web", "image": "shop/web", "memory": 64}
    client.register_task_definition(family="web", containerDefinitions=[container])
    for name in names:
        client.create_service(cluster=cluster, serviceName=name, taskDefinition="web", desiredCount=2, **more)


def tag(emulator: Emulator, name: str, cluster: str = "shop", **tags: str) -> None:
    client = emulator.client("ecs")
    (found,) = client.describe_services(cluster=cluster, services=[name])["services"]
    listed = [{"key": key, "value": value} for key, value in tags.items()]
    client.tag_resource(resourceArn=found["serviceArn"], tags=listed)


def redeploy(emulator: Emulator, *groups: str, check: bool = False, **more: Any) -> ModuleRun:
    given = {"cluster": "shop", "variables_of": "cutover_ecs", "wait_delay": 0.05, "wait_timeout": 60, **more}
    return run(emulator, "ecs_service_redeploy", {"replication_group_ids": list(groups), **given}, check=check)


def deployed(emulator: Emulator) -> list[str]:
    """The services that were deployed anew, in order."""
    return [str(call["id"]) for call in emulator.calls(action="UpdateService")]


def test_by_name_by_group_and_by_tag(emulator: Emulator) -> None:
    """Each service once, whatever number of groups it serves, and a second time the same."""
    create_services(emulator, "sessions-web", "shared", "carts-web", "other")
    create_services(emulator, "tagged", cluster="second")
    tag(emulator, "tagged", "second", cache="orders", stage="live")
    tag(emulator, "other", cache="orders")
    named: dict[str, Any] = {
        "services": ["{replication_group_id}-web", "shared"],
        "services_by_group": {"orders": "shop/shared"},
    }
    for _time in range(2):
        ended = redeploy(emulator, "sessions", "carts", "orders", **named)
        assert not ended.failed, ended.msg
        assert ended.changed
        assert ended.of("sessions")["clients"] == ["shop/sessions-web", "shop/shared"]
        assert ended.of("orders")["clients"] == ["shop/shared"]
        assert ended.result["failures"] == {}
    assert deployed(emulator) == ["sessions-web", "shared", "carts-web"] * 2
    ended = redeploy(emulator, "orders", service_tags={"cache": "{replication_group_id}", "stage": "live"})
    assert ended.msg == "orders: second/tagged deployed anew, and stable."
    assert deployed(emulator)[6:] == ["tagged"]


def test_check_mode_lists_them(emulator: Emulator) -> None:
    create_services(emulator, "sessions-web")
    ended = redeploy(emulator, "sessions", services=["{replication_group_id}-web"], check=True)
    assert (ended.changed, ended.msg) == (True, "sessions: would deploy shop/sessions-web anew.")
    assert deployed(emulator) == []


def test_it_waits_until_a_service_is_stable(emulator: Emulator) -> None:
    create_services(emulator, "web")
    emulator.hold("web", "UpdateService")
    ended: list[ModuleRun] = []
    thread = threading.Thread(target=lambda: ended.append(redeploy(emulator, "sessions", services=["web"])))
    thread.start()
    try:
        emulator.wait_held("web")
        looks = len(emulator.calls(action="DescribeServices"))
        while len(emulator.calls(action="DescribeServices")) < looks + 2:
            assert thread.is_alive()
    finally:
        emulator.release()
        thread.join()
    assert ended[0].msg == "sessions: shop/web deployed anew, and stable."


def test_one_group_fails_and_the_other_does_not(emulator: Emulator) -> None:
    """The deployment circuit breaker ends the deployment of one of them."""
    create_services(emulator, "sessions-web", "carts-web")
    emulator.faults({"kind": "rollout-failed", "service": "ecs", "id": "carts-web"})
    given: dict[str, Any] = {"services": ["{replication_group_id}-web"]}
    ended = redeploy(emulator, "sessions", "carts", continue_on_error=True, **given)
    assert not ended.failed
    assert not ended.of("sessions")["failed"]
    assert list(ended.result["failures"]) == ["carts"]
    told = ended.of("carts")["msg"]
    assert told.startswith("carts: the deployment of the service shop/carts-web failed: FAILED: ECS deployment circuit")
    assert "(0 of 2 tasks run, 3 failed)" in told
    assert "run this again" in told
    assert redeploy(emulator, "sessions", "carts", **given).failed


def test_a_service_that_never_gets_stable(emulator: Emulator) -> None:
    create_services(emulator, "web")
    emulator.hold("web")
    told = redeploy(emulator, "sessions", services=["web"], wait_timeout=0.3).msg
    assert told.startswith("sessions: the service shop/web was not stable after cutover_ecs_wait_timeout (0.3 s): IN_P")
    assert "raise cutover_ecs_wait_timeout" in told


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "sessions: no service of ECS is known for it: no variable names any"),
        ({"services": ["nowhere"]}, "sessions: there is no service shop/nowhere in us-east-1. None of its services"),
        ({"services": ["web", "nowhere"]}, "Correct cutover_ecs_services, cutover_ecs_services_by_group or cutover_"),
        ({"services": ["nowhere/web"]}, "sessions: ecs:DescribeServices failed in us-east-1: ClusterNotFoundExceptio"),
        ({"services_by_group": {"sessions": []}}, "its entry in cutover_ecs_services_by_group names no service of EC"),
        ({"services_by_group": {"sessions": 3}}, "cutover_ecs_services_by_group: the entry of sessions is the number"),
        ({"service_tags": {"cache": "{replication_group_id}"}}, "has the tags of cutover_ecs_service_tags (cache=ses"),
        (
            {"services": ["web"], "wait_delay": 0},
            "cutover_ecs_wait_delay: 0.0 would never pause; give",
        ),
    ],
)
def test_what_names_no_service(emulator: Emulator, given: dict[str, Any], words: str) -> None:
    create_services(emulator, "web")
    ended = redeploy(emulator, "sessions", **given)
    assert ended.failed
    assert words in ended.msg
    assert deployed(emulator) == []


def test_a_service_that_others_deploy(emulator: Emulator) -> None:
    create_services(emulator, "web", deploymentController={"type": "EXTERNAL"})
    told = redeploy(emulator, "sessions", services=["web"]).msg
    assert "the service shop/web has the deployment controller EXTERNAL, and can't be deployed anew so." in told
    assert deployed(emulator) == []


def test_what_iam_refuses(emulator: Emulator) -> None:
    create_services(emulator, "web")
    emulator.faults({"kind": "error", "service": "ecs", "action": "UpdateService", "code": "AccessDeniedException"})
    told = redeploy(emulator, "sessions", services=["web"]).msg
    assert told.startswith("sessions: shop/web was not deployed anew: ecs:UpdateService was refused in us-east-1")
