# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Workloads of Kubernetes as clients: which are restarted, until when they are waited for, what is told of failures."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.cutover.api_server import ApiServer
from integration.direct import ModuleRun, mutating, run
from integration.role_scenes import due_fleet, labelled, run_role
from integration.scenes import A, slots

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="none", modify_seconds=0.1)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    """An empty API server."""
    with ApiServer(tmp_path) as server:
        yield server


class Restarts:
    """Calls of the module, with what each of them has."""

    def __init__(self, emulator: Emulator, api: ApiServer) -> None:
        self.emulator, self.api = emulator, api

    def __call__(self, *groups: str, check: bool = False, **more: Any) -> ModuleRun:
        given: dict[str, Any] = {
            "variables_of": "cutover_kubernetes",
            "namespace": "shop",
            "kubeconfig": str(self.api.kubeconfig),
        }
        given |= {"replication_group_ids": list(groups), "wait_delay": 0.05, "wait_timeout": 60, **more}
        return run(self.emulator, "k8s_rollout_restart", given, check=check)


@pytest.fixture
def restart(emulator: Emulator, api: ApiServer) -> Restarts:
    return Restarts(emulator, api)


def test_by_name_by_group_and_by_label(api: ApiServer, restart: Restarts) -> None:
    """The ExternalSecret first; an object that serves several groups is treated once."""
    api.workload("deployments", "sessions-web")
    api.workload("deployments", "shared")
    api.workload("statefulsets", "worker", "other")
    api.workload("deployments", "orders-a", cache="orders")
    api.workload("statefulsets", "orders-b", cache="orders")
    api.external_secret("sessions-token")
    given: dict[str, Any] = {
        "workloads": ["deployment/{replication_group_id}-web", "deploy/shared"],
        "workloads_by_group": {"carts": ["other/statefulset/worker", "deployment/shared"]},
        "external_secrets_by_group": {"sessions": "{replication_group_id}-token"},
    }
    planned = restart("sessions", "carts", check=True, **given)
    assert planned.of("sessions")["msg"] == (
        "sessions: would have shop/externalsecret/sessions-token synced, and shop/deployment/sessions-web, "
        "shop/deployment/shared restarted."
    )
    assert api.patched == []
    ended = restart("sessions", "carts", **given)
    assert not ended.failed, ended.msg
    assert api.patched == [
        "externalsecrets/sessions-token",
        "deployments/sessions-web",
        "deployments/shared",
        "statefulsets/worker",
    ]
    ended = restart("orders", workload_labels={"cache": "{replication_group_id}"})
    assert ended.msg == "orders: shop/deployment/orders-a, shop/statefulset/orders-b restarted and rolled out."


def test_it_waits_for_the_sync_and_for_the_rollout(api: ApiServer, restart: Restarts) -> None:
    api.workload("deployments", "web")
    api.external_secret("token")
    api.held = True
    ended: list[ModuleRun] = []
    given: dict[str, Any] = {"workloads": ["deployment/web"], "external_secrets": ["token"]}
    thread = threading.Thread(target=lambda: ended.append(restart("sessions", **given)))
    thread.start()
    try:
        for patched in (["externalsecrets/token"], ["externalsecrets/token", "deployments/web"]):
            while api.patched != patched:
                assert thread.is_alive()
            seen = api.requests
            while api.requests < seen + 3:  # it looks again and again
                assert thread.is_alive()
            assert api.patched == patched
            api.release()
            api.held = len(patched) == 1
    finally:
        api.release()
        thread.join()
    assert ended[0].msg == "sessions: shop/externalsecret/token synced, shop/deployment/web restarted and rolled out."


def test_one_group_fails_and_the_other_does_not(api: ApiServer, restart: Restarts) -> None:
    """A deployment that never rolls out, for which Kubernetes gives up."""
    api.workload("deployments", "sessions-web")
    api.workload("deployments", "carts-web")
    api.failing = {"carts-web"}
    ended = restart("sessions", "carts", workloads=["deployment/{replication_group_id}-web"], continue_on_error=True)
    assert list(ended.result["failures"]) == ["carts"]
    told = ended.of("carts")["msg"]
    assert told.startswith("carts: shop/deployment/carts-web was not rolled out: ProgressDeadlineExceeded: ReplicaSet ")
    assert "kubectl describe -n shop deployment/carts-web" in told


def test_what_does_not_end_in_time(api: ApiServer, restart: Restarts) -> None:
    api.workload("deployments", "web")
    api.external_secret("token")
    api.held = True
    told = restart("sessions", workloads=["deployment/web"], wait_timeout=0.3).msg
    assert "shop/deployment/web was not rolled out within cutover_kubernetes_wait_timeout (0.3 s): its contr" in told
    api.release()
    api.failing = {"token"}
    given: dict[str, Any] = {"workloads": ["deployment/web"], "external_secrets": ["token"]}
    told = restart("sessions", wait_timeout=0.3, **given).msg
    assert "token was not synced by External Secrets within cutover_kubernetes_wait_timeout (0.3 s): Secr" in told
    assert api.patched == ["deployments/web", "externalsecrets/token"]  # with the old secret nothing is restarted


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {},
            "sessions: no workload is known for it: no variable names any, so that no client was moved. Set cutover_k",
        ),
        ({"workloads": ["web"]}, "sessions: cutover_kubernetes_workloads: 'web' is no workload. Name it deployment/NA"),
        ({"workloads": ["deployment/nowhere"]}, "sessions: there is no shop/deployment/nowhere, so that nothing was"),
        ({"workload_labels": {"a": "b"}}, "no deployment or stateful set in the namespace shop has the labels of cuto"),
        ({"workloads": ["sts/db"]}, "shop/statefulset/db can't be restarted: its update strategy is OnDelete"),
        ({"workloads": ["deployment/web"], "external_secrets": ["token"]}, "External Secrets is not installed in the"),
    ],
)
def test_what_can_not_be_restarted(api: ApiServer, restart: Restarts, given: dict[str, Any], words: str) -> None:
    api.workload("deployments", "web")
    api.workload("statefulsets", "db")["spec"]["updateStrategy"] = {"type": "OnDelete"}
    ended = restart("sessions", **given)
    assert ended.failed
    assert words in ended.msg
    assert api.patched == []


def test_what_rbac_refuses(api: ApiServer, restart: Restarts) -> None:
    api.workload("deployments", "web")
    api.denied = True
    told = restart("sessions", workloads=["deployment/web"]).msg
    assert 'refused to patch shop/deployment/web: 403 deployments "web" is forbidden: User "test" cannot patch' in told
    assert "The README of cutover_kubernetes has the RBAC policy" in told


def test_no_api_server(restart: Restarts, tmp_path: Path) -> None:
    told = restart("sessions", workloads=["deployment/web"], kubeconfig=str(tmp_path / "nowhere")).msg
    assert told.startswith("The API server of Kubernetes can't be used: ")


@pytest.mark.parametrize(
    ("lacking", "words"),
    [
        ("ansible_collections.kubernetes", "ansible-galaxy collection install kubernetes.core"),
        ("kubernetes", "pip install kubernetes"),
    ],
)
def test_without_what_it_needs(lacking: str, words: str) -> None:
    """Neither is a dependency of the collection. In a process of its own: here both are loaded."""
    code = (
        "import sys\n"
        f"sys.modules[{lacking!r}] = None\n"
        "from ansible_collections.elasticache.auth.plugins.module_utils._cutover import cluster\n"
        "try:\n    cluster.check_installed()\nexcept Exception as error:\n    print(error)\n"
    )
    folder = Path(__file__).resolve().parents[3] / ".collections"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=True
    )
    assert words in done.stdout


@pytest.mark.emulator(data_plane="light", modify_seconds=0.1)
def test_a_rotation_twice(emulator: Emulator, api: ApiServer) -> None:
    """With the role cutover_kubernetes as a user has it; the second run changes nothing."""
    due_fleet(emulator, ["sessions"], A)
    api.workload("deployments", "sessions-web")
    api.external_secret("sessions-token")
    given: dict[str, Any] = {
        "cutover_kubernetes_kubeconfig": str(api.kubeconfig),
        "cutover_kubernetes_namespace": "shop",
        "cutover_kubernetes_workloads": ["deployment/{replication_group_id}-web"],
        "cutover_kubernetes_external_secrets": ["{replication_group_id}-token"],
        "cutover_kubernetes_wait_delay": 0.05,
    }
    role = "elasticache.auth.cutover_kubernetes"
    ran = run_role(emulator, "rotate_token", client_role=role, extra_vars=given)
    assert ran.succeeded, ran.output
    assert "sessions: token rotated; 2 of 2 nodes accept only the new token" in ran.told()
    assert slots(emulator) == [labelled(emulator)["AWSCURRENT"]] != [A]
    assert api.patched == ["externalsecrets/sessions-token", "deployments/sessions-web"]
    before = mutating(emulator)
    ran = run_role(emulator, "rotate_token", client_role=role, extra_vars=given)
    assert ran.succeeded, ran.output
    assert (ran.recap["localhost"]["changed"], mutating(emulator)) == (0, before)
    assert len(api.patched) == 2
