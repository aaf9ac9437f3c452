# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The playbook elasticache.auth.demo as a user runs it against AWS: what it does, and what it keeps its hands off."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration import direct
from integration.meanwhile import Once, called, meanwhile
from integration.run import PlaybookRun, run_playbook

if TYPE_CHECKING:
    from conftest import Emulator

Run = Callable[..., PlaybookRun]

GROUP = "elasticache-auth-demo"
OLD, NEW = "first-Token-0123456789abcdef", "second-Token-fedcba9876543210"
THEIRS = "somebody-Elses-Token-000000"

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.3)


@pytest.fixture
def run(emulator: Emulator, tmp_path: Path) -> Run:
    """Run the playbook with the least variables that it needs, those given on top; no token is ever shown."""

    def run_it(*, check: bool = False, **variables: Any) -> PlaybookRun:
        given = {
            "demo_account_id": "123456789012",
            "demo_old_auth_token": OLD,
            "demo_new_auth_token": NEW,
            "demo_data_plane_ca_path": emulator.ca_bundle,
            "demo_wait_delay": 0.2,
            **variables,
        }
        # In a file, as the playbook says: with -vvvv Ansible shows its own command line.
        file = tmp_path / "demo.yml"
        file.write_text(json.dumps(given))
        plays = [{"import_playbook": "elasticache.auth.demo"}]
        done = run_playbook(emulator, plays, check=check, verbosity=4, arguments=["-e", f"@{file}"])
        assert not [token for token in (OLD, NEW, THEIRS) if token in done.output]
        return done

    return run_it


def create(emulator: Emulator, token: str, *, ours: bool) -> None:
    """A group with a token, with or without the demo's tag."""
    tags = [{"Key": "elasticache.auth/demo" if ours else "team", "Value": "x"}]
    emulator.client("elasticache").create_replication_group(
        ReplicationGroupId=GROUP,
        ReplicationGroupDescription="x",
        Engine="valkey",
        CacheNodeType="cache.t4g.micro",
        NumCacheClusters=2,
        TransitEncryptionEnabled=True,
        AuthToken=token,
        Tags=tags,
    )
    emulator.wait_available(GROUP)


def mutating(emulator: Emulator) -> list[str]:
    """The calls so far that change something."""
    return [call["action"] for call in emulator.calls(mutating="true")]


def test_a_whole_life(emulator: Emulator, run: Run) -> None:
    first = run()
    assert first.succeeded, first.output
    assert emulator.group(GROUP)["slots"] == [NEW]
    assert emulator.group(GROUP)["mode"] == "required"
    modified = [call for call in mutating(emulator) if call.endswith("ReplicationGroup")]
    assert modified == ["CreateReplicationGroup", "ModifyReplicationGroup", "ModifyReplicationGroup"]

    before = mutating(emulator)
    again = run()
    assert again.succeeded, again.output
    assert again.recap["localhost"]["changed"] == 0
    assert mutating(emulator) == before

    gone = run(demo_state="absent")
    assert gone.succeeded, gone.output
    assert emulator.groups() == []
    gone_again = run(demo_state="absent")
    assert gone_again.succeeded, gone_again.output
    assert gone_again.recap["localhost"]["changed"] == 0


def test_it_goes_on_where_a_run_was_cut_off(emulator: Emulator, run: Run) -> None:
    """As if it had been killed right after ROTATE was called."""
    create(emulator, OLD, ours=True)
    emulator.hold()
    rotation = {
        "replication_group_id": GROUP,
        "auth_token_update_strategy": "rotate",
        "auth_token": NEW,
        "known_auth_tokens": [OLD],
        "data_plane_ca_path": emulator.ca_bundle,
        "wait": False,
    }
    assert direct.run(emulator, "replication_group_auth", rotation).changed
    assert emulator.group(GROUP)["status"] == "modifying"

    with meanwhile(Once(called(emulator, "DescribeReplicationGroups", 2), emulator.release)):
        done = run()
    assert done.succeeded, done.output
    assert emulator.group(GROUP)["slots"] == [NEW]
    assert mutating(emulator).count("ModifyReplicationGroup") == 2
    assert done.of("Rotate | Accept the new token as well")["changed"] is False


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"demo_account_id": "210987654321"}, "The credentials are for the account 123456789012"),
        ({"demo_new_auth_token": OLD}, "two different tokens"),
        ({"demo_new_auth_token": "too short"}, "two different tokens"),
        ({"demo_state": "gone"}, "demo_state"),
    ],
)
def test_nothing_is_done_without_consent_and_sense(
    emulator: Emulator, run: Run, variables: dict[str, Any], message: str
) -> None:
    done = run(**variables)
    assert not done.succeeded
    assert message in done.output
    assert mutating(emulator) == []


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_group_that_is_not_the_demos_is_left_alone(emulator: Emulator, run: Run, state: str) -> None:
    create(emulator, THEIRS, ours=False)
    before = mutating(emulator)
    done = run(demo_state=state)
    assert not done.succeeded
    assert "this demo did not make it" in done.output
    assert mutating(emulator) == before
    assert emulator.group(GROUP)["slots"] == [THEIRS]
    assert not [result for result in done.results if result.action.endswith(("auth_probe", "replication_group_auth"))]


def test_check_mode_changes_nothing(emulator: Emulator, run: Run) -> None:
    nothing_there = run(check=True)
    assert nothing_there.succeeded, nothing_there.output
    assert nothing_there.recap["localhost"]["changed"] == 1
    assert mutating(emulator) == []

    create(emulator, OLD, ours=True)
    before = mutating(emulator)
    to_be_rotated = run(check=True)
    assert to_be_rotated.succeeded, to_be_rotated.output
    assert to_be_rotated.of("Rotate | Accept the new token as well")["changed"] is True
    assert mutating(emulator) == before
    assert emulator.group(GROUP)["slots"] == [OLD]
