# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""``replication_group_auth`` twice: three ways to know what is in force, and no second call in any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import auth, modifies, mutating
from integration.run import run_playbook
from integration.scenes import GROUP, USERS, A, B, create_user_group, scene, slots

if TYPE_CHECKING:
    from conftest import Emulator

#: Strategy, the state before, the options, the slots after, and the user groups after.
Step = tuple[str, str, dict[str, Any], list[str], list[str]]
ROTATE: Step = ("rotate", "required", {"auth_token": B}, [A, B], [])
#: Both tokens answer, and no answer tells which is the newer one: the caller's word for the mode implies it.
SET: Step = ("set", "rotating", {"auth_token": B, "assume_state": "rotating"}, [B], [])
DELETE: Step = ("delete", "required", {"user_group_ids": [USERS]}, [], [USERS])
STRATEGIES = pytest.mark.parametrize(
    ("strategy", "before", "options", "after", "groups"), [ROTATE, SET, DELETE], ids=["rotate", "set", "delete"]
)


def prepare(emulator: Emulator, strategy: str, state: str) -> None:
    """A group in ``state``, and a user group where one will be needed."""
    if strategy == "delete":
        create_user_group(emulator)
    scene(emulator, state)


def assert_truth(emulator: Emulator, after: list[str], groups: list[str]) -> None:
    """What the group accepts is just that."""
    assert slots(emulator) == after
    assert emulator.group(GROUP)["user_group_ids"] == groups


def assert_second_run_does_nothing(emulator: Emulator, strategy: str, **options: Any) -> None:
    """Run again; not one call that changes anything."""
    before = mutating(emulator)
    second = auth(emulator, strategy, **options)
    assert not second.failed, second.msg
    assert not second.changed
    assert second.of(GROUP)["api_calls"] == []
    assert second.of(GROUP)["before"] == second.of(GROUP)["after"]
    assert mutating(emulator) == before


@STRATEGIES
def test_by_the_nodes_answers(
    emulator: Emulator, strategy: str, before: str, options: dict[str, Any], after: list[str], groups: list[str]
) -> None:
    """No record is read or written: the nodes and the tokens named tell all."""
    prepare(emulator, strategy, before)
    known = {"known_auth_tokens": [A]} if strategy != "delete" else {}
    told = {**options, **known, "record": False, "probe": "always"}
    first = auth(emulator, strategy, **told)
    assert first.changed, first.msg
    assert_truth(emulator, after, groups)
    assert emulator.group(GROUP)["tags"] == {}
    assert modifies(emulator) == (1 if before == "required" else 2)
    assert_second_run_does_nothing(emulator, strategy, **told)


@pytest.mark.emulator(data_plane="none")
@STRATEGIES
@pytest.mark.parametrize("probe", ["auto", "never"])
def test_by_the_record(
    emulator: Emulator,
    strategy: str,
    before: str,
    options: dict[str, Any],
    after: list[str],
    groups: list[str],
    probe: str,
) -> None:
    """The nodes can't be reached. The first run is told the state once; the second has the record alone."""
    prepare(emulator, strategy, before)
    options = dict(options)
    state = {} if strategy == "delete" else {"assume_state": before, "known_auth_tokens": [A]}
    first = auth(emulator, strategy, **{**options, **state}, probe=probe)
    assert first.changed, first.msg
    assert_truth(emulator, after, groups)
    options.pop("assume_state", None)
    assert_second_run_does_nothing(emulator, strategy, **options, probe=probe)


@pytest.mark.emulator(data_plane="none")
@pytest.mark.parametrize("probe", ["auto", "never"])
@pytest.mark.parametrize("strategy", ["rotate", "set"])
@pytest.mark.parametrize("record", [True, False])
def test_with_neither_it_refuses_to_guess(emulator: Emulator, probe: str, strategy: str, record: bool) -> None:
    """Nobody can tell what is in force: nothing is called, and the message says what would settle it."""
    scene(emulator, "rotating")
    before = mutating(emulator)
    run = auth(emulator, strategy, B, probe=probe, record=record)
    assert run.failed
    assert not run.changed
    assert run.msg.startswith(f"{GROUP}: {strategy.upper()} is refused: what the group accepts is not known")
    asks = "use probe: auto" if probe == "never" else "run where the nodes can be reached"
    for way in (asks, "known_auth_tokens", "assume_state", "or insist with force: true."):
        assert way in run.msg
    assert mutating(emulator) == before
    assert slots(emulator) == [A, B]
    assert emulator.group(GROUP)["tags"] == {}


@pytest.mark.emulator(data_plane="none")
def test_delete_needs_to_know_nothing(emulator: Emulator) -> None:
    """DELETE is right from each state with a token, so that no evidence beyond the API is needed."""
    create_user_group(emulator)
    scene(emulator, "rotating")
    run = auth(emulator, "delete", user_group_ids=[USERS], record=False, probe="never")
    assert run.changed, run.msg
    assert run.of(GROUP)["after"]["mode"] == "rbac"
    assert emulator.group(GROUP)["user_group_ids"] == [USERS]
    assert_second_run_does_nothing(emulator, "delete", user_group_ids=[USERS], record=False, probe="never")


@pytest.mark.emulator(data_plane="none")
def test_assume_state_is_an_assumption_and_no_guess(emulator: Emulator) -> None:
    """The caller's word settles what the evidence leaves open, and the record keeps the second run from asking."""
    scene(emulator, "required")
    first = auth(emulator, "rotate", B, assume_state="required", probe="never")
    assert first.changed, first.msg
    assert not first.warnings
    assert slots(emulator) == [A, B]
    assert emulator.group(GROUP)["tags"]["elasticache.auth/record"].startswith("v1 rotating:u.1+f.")
    assert_second_run_does_nothing(emulator, "rotate", auth_token=B, probe="never")
    done = auth(emulator, "set", B, probe="never")
    assert done.changed, done.msg
    assert slots(emulator) == [B]
    assert_second_run_does_nothing(emulator, "set", auth_token=B, probe="never")


def test_the_record_outlives_the_data_plane(emulator: Emulator) -> None:
    """A run with nodes in reach, then one without them: the record is enough, and agrees with the nodes."""
    scene(emulator, "required")
    assert auth(emulator, "rotate", B, known_auth_tokens=[A]).changed
    assert_second_run_does_nothing(emulator, "rotate", auth_token=B, probe="never")
    assert_second_run_does_nothing(emulator, "rotate", auth_token=B, probe="always")


def play(strategy: str, ca_bundle: str | None, options: dict[str, Any]) -> list[dict[str, Any]]:
    """One task."""
    name = "elasticache.auth.replication_group_auth"
    args = {
        "replication_group_id": GROUP,
        "auth_token_update_strategy": strategy,
        "wait_delay": 0.2,
        **({"data_plane_ca_path": ca_bundle} if ca_bundle else {}),
        **options,
    }
    return [{"hosts": "localhost", "gather_facts": False, "tasks": [{"name": strategy, name: args}]}]


@pytest.mark.parametrize(
    ("data_plane", "first", "second"),
    [
        pytest.param("light", {"record": False}, {"record": False}, id="nodes"),
        pytest.param("none", {"assume_state": "required"}, {"known_auth_tokens": None}, id="record"),
    ],
)
def test_as_recap_lines(
    request: pytest.FixtureRequest, data_plane: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    """The same playbook twice, as ansible-playbook reports it."""
    request.node.add_marker(pytest.mark.emulator(data_plane=data_plane))
    emulator: Emulator = request.getfixturevalue("emulator")
    scene(emulator, "required")
    options = {"auth_token": B, "known_auth_tokens": [A]}
    once = run_playbook(emulator, play("rotate", emulator.ca_bundle, {**options, **first}))
    assert once.succeeded, once.output
    assert once.recap["localhost"] == {**once.recap["localhost"], "ok": 1, "changed": 1, "failures": 0}
    counted = mutating(emulator)
    assert counted.count("ModifyReplicationGroup") == 1
    twice = run_playbook(emulator, play("rotate", emulator.ca_bundle, {**options, **second}))
    assert twice.succeeded, twice.output
    assert twice.recap["localhost"] == {**twice.recap["localhost"], "ok": 1, "changed": 0, "failures": 0}
    assert mutating(emulator) == counted
    assert slots(emulator) == [A, B]
