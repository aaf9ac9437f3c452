# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The role cutover_ecs as the client cutover of an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from integration.cutover.test_ecs import create_services, deployed
from integration.direct import mutating
from integration.role_scenes import due_fleet, labelled, run_role
from integration.scenes import A, slots

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.1)

GROUPS = ("sessions", "carts")
ROLE: dict[str, Any] = {
    "cutover_ecs_cluster": "shop",
    "cutover_ecs_services": ["{replication_group_id}-web"],
    "cutover_ecs_wait_delay": 0.05,
}


def rotate(emulator: Emulator, **more: Any) -> Any:
    given = {"client_role": "elasticache.auth.cutover_ecs", "extra_vars": ROLE}
    return run_role(emulator, "rotate_token", groups=GROUPS, **{**given, **more})


def finished(emulator: Emulator, group: str) -> bool:
    return slots(emulator, group) == [labelled(emulator, group)["AWSCURRENT"]] != [A]


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"cutover_ecs_wait_delay": "soon"}, "argument 'cutover_ecs_wait_delay' is of type"),
        ({"cutover_ecs_services": "a,b"}, "cutover_ecs_services: 'a,b' is not a list. Pass a list: [a, b]."),
        ({"cutover_ecs_service_tags": ["a"]}, "cutover_ecs_service_tags"),
    ],
)
def test_its_variables_are_checked_before_anything_is_looked_at(
    emulator: Emulator, variables: dict[str, Any], why: str
) -> None:
    due_fleet(emulator, GROUPS, A)
    before = len(emulator.calls())
    ran = rotate(emulator, extra_vars={**ROLE, **variables})
    assert not ran.succeeded
    told = " ".join(ran.output.replace('\\"', '"').split())
    assert "rotate_token_client_role: the role elasticache.auth.cutover_ecs can't be run for localhost: " in told
    assert why in told
    assert len(emulator.calls()) == before


def test_a_variable_that_can_not_be_told_yet_is_left_to_the_cutover(emulator: Emulator) -> None:
    due_fleet(emulator, GROUPS, A)
    ran = rotate(emulator, extra_vars={**ROLE, "cutover_ecs_wait_delay": "{{ comes_later }}"})
    assert not ran.succeeded
    assert "comes_later" in ran.output
    assert slots(emulator, "sessions") == [A, labelled(emulator, "sessions")["AWSCURRENT"]]


def test_a_rotation_twice(emulator: Emulator) -> None:
    """Check mode lists the services; one group's fails, and goes on in the next run; then nothing is left to do."""
    due_fleet(emulator, GROUPS, A)
    create_services(emulator, "sessions-web", "carts-web")
    before = mutating(emulator)
    ran = rotate(emulator, check=True)
    assert ran.succeeded, ran.output
    for group in GROUPS:
        assert f"\n{group}: would deploy shop/{group}-web anew.\n" in ran.output
    assert mutating(emulator) == before

    emulator.faults({"kind": "rollout-failed", "service": "ecs", "id": "carts-web"})
    ran = rotate(emulator)
    assert not ran.succeeded
    assert "carts: the deployment of the service shop/carts-web failed: FAILED: ECS deployment circuit" in ran.told()
    assert "sessions: token rotated; 2 of 2 nodes accept only the new token" in ran.reports["sessions"]["line"]
    assert finished(emulator, "sessions")
    assert slots(emulator, "carts") == [A, labelled(emulator, "carts")["AWSCURRENT"]]
    assert (ran.reports["carts"]["outcome"], ran.reports["sessions"]["outcome"]) == ("failed", "changed")

    emulator.clear_faults()
    ran = rotate(emulator)
    assert ran.succeeded, ran.output
    assert "carts: token rotated" in ran.told()
    assert deployed(emulator) == ["sessions-web", "carts-web", "carts-web"]

    before = mutating(emulator)
    ran = rotate(emulator)
    assert ran.succeeded, ran.output
    assert ran.recap["localhost"]["changed"] == 0
    assert mutating(emulator) == before
