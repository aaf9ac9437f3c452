# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Killed anywhere: a few kill points of each operation (``make chaos`` has them all), and that the harness notices.

What must be noticed is done by wrong playbooks (``chaos/samples.py``): one that takes the old token from clients before
they are given the new one, one that uses a token that no store knows, one that forgets, one that stops half-way.
"""

from __future__ import annotations

import functools
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from integration.forked import forked
from integration.scenes import A, B, C, rotate
from waiting import wait_until

from chaos import samples
from chaos.clients import live
from chaos.command import marked, started
from chaos.conditions import CONDITIONS
from chaos.judge import failures_that_count
from chaos.operations import GROUP, OPERATIONS, Operation, only_one_token, required_group
from chaos.report import violations
from chaos.store import KEY, secret_name
from chaos.trial import KillPoint, Trial, kill_points, spread
from chaos.trial import attempt as attempt_by_program

if TYPE_CHECKING:
    from conftest import Emulator

DEFAULT = CONDITIONS["default"][0]
#: Kill points of each operation: make test is to take minutes. All of them are in make chaos, and in the model of
#: tests/unit/plugins/module_utils/_core/test_operations.py.
KILLED = 1

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.05)

#: Most trials are of playbooks that are forked off; a few, at least one of each kind of death, are of programs.
attempt = functools.partial(attempt_by_program, start=forked)


def tokens_of(emulator: Emulator) -> set[str]:
    """Every token that was in force."""
    return {token for moment in emulator.group(GROUP)["history"] for token in moment["slots"] if token}


def store_current(emulator: Emulator, token: str) -> None:
    """Put another token into AWSCURRENT."""
    text = json.dumps({KEY: token})
    emulator.client("secretsmanager").put_secret_value(SecretId=secret_name(GROUP), SecretString=text)


def tell(trial: Trial) -> str:
    """What went wrong, for a failure's report."""
    return "\n".join(violations([trial]))


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))
@pytest.mark.parametrize("number", range(KILLED))
def test_killed_anywhere(emulator: Emulator, operation: Operation, number: int) -> None:
    point = spread(kill_points(operation.calls), KILLED)[number]
    assert_arrived(attempt(emulator, operation, DEFAULT, point), point)


def test_killed_as_a_program(emulator: Emulator) -> None:
    """As ``make chaos`` does: with its module in an archive, run by a shell."""
    point = KillPoint(5, "before")
    assert_arrived(attempt_by_program(emulator, OPERATIONS["rotate_token"], DEFAULT, point), point)


def assert_arrived(trial: Trial, point: KillPoint) -> None:
    """It was killed there and has arrived all the same, as promised."""
    assert trial.reached, f"it did not come to {point}: it makes fewer calls than chaos/operations.py says"
    assert trial.arrived, tell(trial)
    assert not trial.problems, tell(trial)
    assert all(trial.served)


@pytest.mark.parametrize(
    ("name", "number", "point"),
    [
        ("rotate_token", signal.SIGKILL, KillPoint(3, "after")),  # before it is promoted
        ("enable_tls", signal.SIGHUP, KillPoint(1, "after")),  # the rest is a loop of the worker
        ("migrate_auth_to_rbac", signal.SIGTERM, KillPoint(2, "before")),
    ],
    ids=str,
)
def test_nothing_is_changed_without_ansible_playbook(
    emulator: Emulator, name: str, number: signal.Signals, point: KillPoint
) -> None:
    """Its main process alone is ended; ``make chaos`` has all of the operations and points."""
    condition = next(one for one in CONDITIONS["controller"] if one.controller is number)
    trial = attempt_by_program(emulator, OPERATIONS[name], condition, point)
    assert trial.reached
    assert trial.arrived, tell(trial)
    assert not trial.problems, tell(trial)


@pytest.mark.parametrize("name", ["enable_auth", "migrate_rbac_to_auth"])
def test_nodes_that_accept_any_token_while_it_is_optional(emulator: Emulator, name: str) -> None:
    """Then they can't prove the one that is rotated in, and the operation goes on by the API's word and the record."""
    condition = next(one for one in CONDITIONS["variants"] if one.name == "optional-wrong-token=ok")
    trial = attempt(emulator, OPERATIONS[name], condition)
    assert trial.arrived, tell(trial)
    assert not trial.problems, tell(trial)


def test_changes_that_take_longer_for_some_groups(emulator: Emulator) -> None:
    """Killed while each of three groups is at another step. (What a neighbour holds up takes too long for here.)"""
    trial = attempt(emulator, OPERATIONS["rotate_token"], CONDITIONS["heavy-tails"][0], KillPoint(12, "after"))
    assert trial.reached
    assert trial.arrived, tell(trial)
    assert not trial.problems, tell(trial)
    assert len(trial.served) == 6
    assert all(trial.served)


def test_a_way_back_that_was_no_more_than_marked(emulator: Emulator) -> None:
    """AWSPENDING then is the older of the two tokens, as the record says that the run began with."""
    trial = attempt(emulator, OPERATIONS["rollback_token/half-way"], DEFAULT, KillPoint(4, "before"))
    assert trial.reached
    assert trial.arrived, tell(trial)
    assert not trial.problems, tell(trial)


# --- The harness itself -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", [KillPoint(3, "after"), KillPoint(6, "before")], ids=str)
def test_a_rotation_that_carries_on_is_clean(emulator: Emulator, point: KillPoint) -> None:
    """The point is where ROTATE was carried out, and where the token is promoted but not yet all labels are moved."""
    trial = attempt(emulator, samples.SAMPLE, DEFAULT, point)
    assert trial.reached
    assert (trial.arrived, trial.client_failures, trial.tokens_lost, trial.exposure) == (True, 0, 0, 0.0), tell(trial)
    assert not trial.problems
    assert len(trial.served) == 2
    assert all(trial.served)


def test_a_call_that_is_halted_before_is_made_by_the_second_run(emulator: Emulator) -> None:
    trial = attempt(emulator, samples.SAMPLE, DEFAULT, KillPoint(3, "before"))
    assert trial.arrived, tell(trial)
    assert trial.calls.count("elasticache:ModifyReplicationGroup") == 3  # one of them was not carried out


def test_a_point_that_is_not_reached_counts_for_nothing(emulator: Emulator) -> None:
    trial = attempt(emulator, samples.rotation(samples.STAGE), DEFAULT, KillPoint(9, "before"))
    assert not trial.reached
    assert not trial.arrived
    assert trial.calls == ("secretsmanager:PutSecretValue",)


def test_it_notices_a_client_that_is_refused(emulator: Emulator) -> None:
    tasks = (samples.STAGE, samples.ROTATE, samples.SET_TOO_EARLY, samples.WAIT, samples.PROMOTE)
    trial = attempt(emulator, samples.rotation(*tasks), DEFAULT)
    assert trial.arrived, tell(trial)
    assert trial.client_failures > 0
    assert any("client on AWSCURRENT while required: " in problem for problem in trial.problems)
    assert not any("previous token" in problem for problem in trial.problems)  # SET has ended its time
    told = tell(trial)
    assert not [token for token in tokens_of(emulator) if token in told]


def test_it_notices_a_previous_token_that_is_pushed_out(emulator: Emulator) -> None:
    """Two ROTATEs without a SET: the token that clients still use is refused, and no SET has ended its time."""
    required_group(emulator, GROUP)
    rotate(emulator, B, GROUP)
    with live(emulator, GROUP, A) as clients:
        clients.wait_served()
        assert clients.previous is not None
        rotate(emulator, C, GROUP)
        store_current(emulator, B)
        previous = clients.previous
        wait_until(lambda: previous.failures, "the client on the previous token was refused")
    assert clients.previous.failures
    history = emulator.group(GROUP)["history"]
    assert failures_that_count(clients.previous.failures, history, only_one_token) == clients.previous.failures
    assert {failure.mode for failure in clients.previous.failures} == {"rotating"}


def test_it_notices_a_token_that_no_store_knows(emulator: Emulator) -> None:
    tasks = (samples.ROTATE_WITHOUT_STORE, samples.STAGE_AFTERWARDS, samples.PROMOTE, samples.SET)
    # Undisturbed, it is in the store at the end; killed in between, it is nowhere.
    trial = attempt(emulator, samples.rotation(*tasks), DEFAULT, KillPoint(2, "after"))
    assert trial.arrived, tell(trial)
    assert trial.tokens_lost == 1
    assert any("no label kept it when the process was killed" in problem for problem in trial.problems), tell(trial)
    stopped = attempt(emulator, samples.rotation(samples.ROTATE_WITHOUT_STORE), DEFAULT)
    assert stopped.tokens_lost == 1
    assert any("it never was stored" in problem for problem in stopped.problems), tell(stopped)


def test_it_notices_an_operation_that_does_not_arrive(emulator: Emulator) -> None:
    half_way = attempt(emulator, samples.rotation(samples.STAGE, samples.ROTATE), DEFAULT)
    assert not half_way.arrived
    assert f"{GROUP}: the group is rotating and not required" in half_way.problems

    # Not killed it arrives; after a kill it has forgotten what it had rotated in.
    tasks = (samples.FORGET, samples.STAGE, samples.ROTATE, samples.PROMOTE, samples.SET)
    trial = attempt(emulator, samples.rotation(*tasks), DEFAULT, KillPoint(3, "after"))
    assert not trial.arrived
    assert any(problem.startswith("it failed with status 2") for problem in trial.problems), tell(trial)


def test_kill_ends_what_has_lost_its_parent(tmp_path: Path) -> None:
    script = "(setsid sleep 600 &) ; setsid sleep 600 & sleep 600"
    with started(["bash", "-c", script], tmp_path, {"PATH": "/usr/bin:/bin"}) as command:

        def alive() -> list[psutil.Process]:
            return [process for process in marked(command.mark) if process.name() == "sleep"]

        while len(alive()) < 3:
            assert command.returncode is None
        processes = alive()
        command.kill()
        # Whoever is to take note of their end may not have done so yet.
        assert not [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
