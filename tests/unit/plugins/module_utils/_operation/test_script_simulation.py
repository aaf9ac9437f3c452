# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The script of one group, through hidden states, faults, kills and one change by somebody else: see ``simulation``.

``make simulate ARGS="--seeds 5000"`` tries more of them, ``ARGS="--seed N"`` shows one of them step by step.
"""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from unit.plugins.module_utils._operation.simulation.disturbances import Disturbances, Ending, Fault, Outside
from unit.plugins.module_utils._operation.simulation.promises import OVERLOOKED
from unit.plugins.module_utils._operation.simulation.runs import simulated
from unit.plugins.module_utils._operation.simulation.scenes import By, Scene
from unit.plugins.module_utils._operation.simulation.trial import Simulation, Trial, arrived, try_seed

from ansible_collections.elasticache.auth.plugins.module_utils._core.operations import Operation
from emulator.settings import Timing

#: Seeds of each test, and how many tests: each is some seconds, so that they can go side by side.
A_TEST, TESTS = 50, 6


@pytest.fixture(scope="module", autouse=True)
def _simulated() -> Iterator[None]:
    with simulated():
        yield


@functools.cache
def tried(seed: int) -> Trial:
    return try_seed(seed)


def broken(trial: Trial) -> list[str]:
    return [f"seed {trial.seed}: {one}" for one in trial.violations if one.kind != OVERLOOKED]


@pytest.mark.parametrize("first", range(0, A_TEST * TESTS, A_TEST))
def test_no_promise_is_broken(first: int) -> None:
    trials = [tried(seed) for seed in range(first, first + A_TEST)]
    assert [words for trial in trials for words in broken(trial)] == []


@pytest.mark.parametrize(
    "seed",
    [
        # Somebody else's ROTATE, begun while the token was staged, passed for the step "rotate".
        202233,
        203882,
        # AWSCURRENT was moved, while the user group was attached, to a token that this refuses; ROTATE took that one.
        204988,
        205454,
        # Somebody else's ROTATE of a token that no secret holds, which no record told of: our ROTATE refused the one
        # that clients had.
        203838,
        # A SET that AWS refused, and which was right by the record, left the current state as on record.
        203447,
    ],
)
def test_no_promise_is_broken_by_a_seed_that_once_did(seed: int) -> None:
    assert broken(tried(seed)) == []


def test_seeds_reach_what_they_are_to_reach() -> None:
    """All operations arrive, and are killed, disturbed and interleaved: the promises are not kept by doing nothing."""
    trials = [tried(seed) for seed in range(A_TEST)]
    arrived = collections.Counter(trial.scene.operation for trial in trials if trial.arrived)
    assert set(arrived) == set(Operation)
    assert sum(trial.arrived for trial in trials) > A_TEST / 2
    for what in ("killed", "struck", "changed"):
        assert sum(bool(getattr(trial, what)) for trial in trials) >= A_TEST / 8, what


def test_a_seed_says_the_same_again() -> None:
    lines: list[list[str]] = [[], []]
    for told in lines:
        try_seed(7, told.append)
    assert lines[0] == lines[1]


# --- What seeds have found, as situations of their own ----------------------------------------------------------------


def scene(operation: Operation, state: str, labels: str, **members: Any) -> Scene:
    """A scene in which all is as usual but for what is told."""
    timing = Timing(modify_seconds=5.0, create_seconds=0.1)
    usual: dict[str, Any] = {"usual": True, "keyed": True, "record": "right", "tls": "required", "age_days": 100.0}
    usual |= {"heard": True, "cutover": By.TIME, "soak": 0.0, "engine": "valkey", "clustered": False, "timing": timing}
    return Scene(0, operation, state, labels, **{**usual, **members})


def broken_by_each(found: Scene, disturbed: Callable[[int], Disturbances], *, changing: bool = False) -> list[str]:
    """What is broken where a disturbance strikes at each call in turn, or each that changes something."""
    undisturbed = Simulation(found).run(Disturbances())
    broken = []
    for number in range(1, (undisturbed.changing if changing else undisturbed.calls) + 1):
        simulation = Simulation(found)
        simulation.run(disturbed(number))
        simulation.pause(60.0)
        simulation.run(Disturbances())
        broken += [f"at {number}: {one}" for one in simulation.watch.violations if one.kind != OVERLOOKED]
    return broken


@pytest.mark.parametrize("seconds", [0.3, 5.0])
@pytest.mark.parametrize("outside", [Outside.ROTATE_NEW, Outside.ATTACH, Outside.SET])
def test_awscurrent_says_nothing_else_where_the_group_has_changed_since_it_was_looked_at(
    outside: Outside, seconds: float
) -> None:
    """Clients that start then would take "no token" to a group on which somebody else has ended open access."""
    timing = Timing(modify_seconds=seconds, create_seconds=0.1)
    found = scene(Operation.DISABLE_ACCESS_CONTROL, "optional a", "current=a", timing=timing)
    assert broken_by_each(found, lambda number: Disturbances(outside=(number, outside))) == []


@pytest.mark.parametrize(
    ("operation", "state", "labels", "tls"),
    [
        # The user group would accept a token again that the other run has retired.
        (Operation.ROLLBACK_TOKEN, "rotating a b", "current=a pending=b", "required"),
        # A rotation would be begun where the token is required already.
        (Operation.ENABLE_AUTH, "open", "-", "off"),
    ],
)
def test_another_run_of_the_same_operation_in_between(operation: Operation, state: str, labels: str, tls: str) -> None:
    found = scene(operation, state, labels, tls=tls)
    assert broken_by_each(found, lambda number: Disturbances(outside=(number, Outside.OPERATION))) == []


@pytest.mark.parametrize("state", ["rotating a b", "required b"])
def test_the_current_state_goes_by_the_labels_as_they_are_at_the_end(state: str) -> None:
    found = scene(Operation.ROTATE_TOKEN, state, "current=a pending=b", age_days=1.0)
    assert broken_by_each(found, lambda number: Disturbances(ending=(number, Ending.INTERRUPTED)), changing=True) == []


@pytest.mark.parametrize("fault", [Fault.LOST_AFTER, Fault.DENIED])
def test_the_mode_of_encryption_is_unknown_after_a_call_whose_end_was_not_seen(fault: Fault) -> None:
    found = scene(Operation.ENABLE_TLS, "open", "-", tls="off")
    assert broken_by_each(found, lambda number: Disturbances(((number, fault),))) == []


def test_the_token_that_is_accepted_keeps_its_label_when_awscurrent_is_cleared() -> None:
    simulation = Simulation(scene(Operation.DISABLE_ACCESS_CONTROL, "optional a", "previous=a current=b"))
    refused = simulation.run(Disturbances())
    assert "does not accept the token in AWSCURRENT" in refused.error
    assert (refused.changing, simulation.watch.violations) == (0, [])


@pytest.mark.parametrize(
    ("operation", "state", "labels", "refused"),
    [
        (Operation.DISABLE_ACCESS_CONTROL, "own a", "previous=a current=b", "AWSCURRENT"),
        (Operation.ROLLBACK_TOKEN, "own a b", "previous=b current=z mark=b", "AWSCURRENT"),
        (Operation.ROLLBACK_TOKEN, "own a b", "current=b pending=z mark=b", "AWSPENDING"),
    ],
)
def test_no_token_takes_the_place_of_the_user_group_that_this_refuses(
    operation: Operation, state: str, labels: str, refused: str
) -> None:
    simulation = Simulation(scene(operation, state, labels))
    run = simulation.run(Disturbances())
    assert f"is rbac (sessions-own), which refuses the token in {refused}" in run.error
    assert (run.changing, simulation.watch.violations) == (0, [])


@pytest.mark.parametrize("seconds", [0.3, 40.0])
def test_nothing_is_done_after_a_rotation_by_somebody_else_that_nothing_explains(seconds: float) -> None:
    """ROTATE would refuse the token that clients have: it is not the newer of the two any more."""
    timing = Timing(modify_seconds=seconds, create_seconds=0.1)
    found = scene(Operation.ROLLBACK_TOKEN, "required b", "previous=a current=b", timing=timing, record="nothing")
    assert broken_by_each(found, lambda number: Disturbances(outside=(number, Outside.ROTATE_NEW))) == []


def test_what_a_rotation_by_somebody_else_leaves_open_is_reported() -> None:
    simulation = Simulation(scene(Operation.ROTATE_TOKEN, "required a", "current=a", record="nothing"))
    refused = simulation.run(Disturbances(outside=(1, Outside.ROTATE_NEW)))
    assert "somebody else has changed its AUTH token while this ran" in refused.error
    assert "rotating (the token in AWSCURRENT, then an unknown token)" in refused.error
    assert refused.changing == 0
    assert refused.group is not None
    assert refused.group.current_state.startswith("rotating (")


@pytest.mark.parametrize(
    ("operation", "labels"),
    [
        (Operation.ROLLBACK_TOKEN, "current=a pending=b"),
        (Operation.MIGRATE_AUTH_TO_RBAC, "previous=a current=b"),
        (Operation.DISABLE_ACCESS_CONTROL, "previous=a current=b"),
    ],
)
def test_a_rotation_by_somebody_else_does_not_pass_for_a_set(operation: Operation, labels: str) -> None:
    """The nodes answer as after SET: they accept b, and refuse a. Our ROTATE, or DELETE, would refuse clients."""
    simulation = Simulation(scene(operation, "rotating a b", labels))
    simulation.run(Disturbances(outside=(1, Outside.ROTATE_NEW)))
    simulation.pause(60.0)
    again = simulation.run(Disturbances())
    assert "if it was ROTATE of a token that is not at hand, clients would be refused" in again.error
    assert (again.changing, simulation.watch.violations) == (0, [])


@pytest.mark.parametrize("ending", [Ending.BEFORE, Ending.AFTER])
@pytest.mark.parametrize(
    ("labels", "members"),
    [
        ("-", {}),
        ("-", {"heard": False, "engine": "redis"}),
        ("current= pending=a", {"cutover": By.TASKS}),
        ("current=a", {"cutover": By.PHASES, "heard": False}),
        ("current=a", {"soak": 600.0, "keyed": False}),
    ],
)
def test_a_bridge_user_wherever_a_run_is_killed(ending: Ending, labels: str, members: dict[str, Any]) -> None:
    """The next run arrives and restores the user group; no cutover is made while unauthenticated access is allowed."""
    found = scene(Operation.MIGRATE_RBAC_TO_AUTH, "theirs", labels, **members)
    undisturbed = Simulation(found)
    steps = undisturbed.run(Disturbances()).steps
    assert {"bridge_user", "verify_bridge_user", "restore_user_group"} <= set(steps)
    assert arrived(undisturbed.watch, found)
    for number in range(1, undisturbed.runs[0].changing + 1):
        simulation = Simulation(found)
        simulation.run(Disturbances(ending=(number, ending)))
        simulation.pause(60.0)
        simulation.run(Disturbances())
        assert simulation.watch.violations == [], f"at {number}"
        assert arrived(simulation.watch, found), f"at {number}"


@pytest.mark.parametrize("cutover", By)
@pytest.mark.parametrize("state", ["theirs", "theirs a"])
def test_set_follows_at_once_where_clients_had_moved_before_rotate(state: str, cutover: By) -> None:
    """A run that was killed in between: everyone is served, and nothing is waited for."""
    found = scene(Operation.MIGRATE_RBAC_TO_AUTH, state, "current=a", soak=600.0, cutover=cutover)
    for number in range(1, Simulation(found).run(Disturbances()).changing + 1):
        simulation = Simulation(found)
        simulation.run(Disturbances(ending=(number, Ending.AFTER)))
        if simulation.watch.is_open:
            began = simulation.clock.now
            assert "client_cutover" not in simulation.run(Disturbances()).steps
            assert simulation.clock.now - began < 60
            assert simulation.watch.violations == []
            break
    else:
        pytest.fail("unauthenticated access is never allowed")
