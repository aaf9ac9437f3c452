# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""``replication_group_info``: every state on each kind of evidence, and what it tells besides."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import ModuleRun, auth, calls_by_action, mutating, run
from integration.scenes import GROUP, USERS, A, B, C, create, put_secret, rotate, scene

if TYPE_CHECKING:
    from conftest import Emulator


def info(emulator: Emulator, *, check: bool = False, **options: Any) -> ModuleRun:
    """Run the module, trusting the emulator's authority; it never changes anything."""
    args = {"replication_group_id": GROUP, "data_plane_ca_path": emulator.ca_bundle, **options}
    before = mutating(emulator)
    ended = run(emulator, "replication_group_info", {k: v for k, v in args.items() if v is not None}, check=check)
    assert mutating(emulator) == before
    assert not ended.changed
    assert ended.result.get("diff", []) == []
    return ended


def facts(ended: ModuleRun, group: str = GROUP) -> dict[str, Any]:
    """The facts of one group."""
    assert not ended.failed, ended.msg
    (found,) = [one for one in ended.result["replication_groups"] if one["replication_group_id"] == group]
    return dict(found)


@pytest.mark.parametrize(
    ("state", "possible"),
    [
        ("open", ["open"]),
        ("optional", ["optional (known token 1)"]),
        ("required", ["required (known token 1)"]),
        (
            "rotating",
            ["rotating (known token 1, then known token 2)", "rotating (known token 2, then known token 1)"],
        ),
        ("rbac", [f"rbac ({USERS})"]),
    ],
)
def test_each_state_by_the_nodes(emulator: Emulator, state: str, possible: list[str]) -> None:
    """The mode is certain; which of two tokens is the newer one, no node tells."""
    scene(emulator, state)
    for check in (False, True):
        found = facts(info(emulator, known_auth_tokens=[A, B], check=check))
        assert found["mode"] == state
        assert found["access"]["possible_states"] == possible
        assert found["drift"] is False


@pytest.mark.parametrize(
    ("state", "possible"),
    [
        ("optional", ["optional (an unknown token)"]),
        (
            "required",
            ["required (an unknown token)", "rotating (an unknown token, then another unknown token)"],
        ),
    ],
)
def test_without_any_token_unauthenticated_access_is_still_known(
    emulator: Emulator, state: str, possible: list[str]
) -> None:
    """A PING without credentials tells optional from the rest."""
    scene(emulator, state)
    found = facts(info(emulator))
    assert found["access"]["possible_states"] == possible
    assert found["access"]["unauthenticated_access"] is (state == "optional")


@pytest.mark.emulator(data_plane="none")
def test_without_the_nodes_all_three_are_possible(emulator: Emulator) -> None:
    """``optional``, ``required`` and ``rotating`` look the same to the API (elasticache-facts §2)."""
    scene(emulator, "rotating")
    found = facts(info(emulator, known_auth_tokens=[A]))
    assert found["mode"] is None
    assert {state.split()[0] for state in found["access"]["possible_states"]} == {"optional", "required"}
    found = facts(info(emulator))
    assert {state.split()[0] for state in found["access"]["possible_states"]} == {"optional", "required", "rotating"}
    assert found["evidence"]["nodes"][0]["reach"] == "unreachable"


@pytest.mark.emulator(data_plane="none")
def test_by_the_record(emulator: Emulator) -> None:
    """The record alone tells the state, and names tokens that are at hand."""
    scene(emulator, "required")
    assert auth(emulator, "rotate", B, assume_state="required", known_auth_tokens=[A]).changed
    known = facts(info(emulator, known_auth_tokens=[A, B]))
    assert known["access"]["possible_states"] == ["rotating (known token 1, then known token 2)"]
    assert known["evidence"]["record_used"] is True
    assert known["tags"]["elasticache.auth/record"].startswith("v1 rotating:f.")
    bare = facts(info(emulator))
    assert bare["mode"] == "rotating"
    assert bare["access"]["auth_tokens"][0].startswith("the token on record as f.")
    without = facts(info(emulator, record=False))
    assert without["tags"] is None
    assert without["mode"] is None


def test_drift(emulator: Emulator) -> None:
    """Someone else's change is told, and the nodes' answers count."""
    scene(emulator, "required")
    assert auth(emulator, "rotate", B, known_auth_tokens=[A]).changed
    rotate(emulator, C)
    found = facts(info(emulator, known_auth_tokens=[A, B, C]))
    assert found["drift"] is True
    assert found["mode"] == "rotating"
    unseen = facts(info(emulator, known_auth_tokens=[A, B, C], probe="never"))
    assert unseen["drift"] is True
    assert unseen["mode"] is None


def test_what_else_it_returns(emulator: Emulator) -> None:
    """Engine, endpoints, age of the token, tags."""
    create(
        emulator,
        Engine="valkey",
        EngineVersion="8.0",
        AuthToken=A,
        Tags=[{"Key": "team", "Value": "web"}],
        ReplicationGroupDescription="sessions of the web shop",
    )
    found = facts(info(emulator, known_auth_tokens=[A]))
    truth = emulator.group(GROUP)
    nodes = truth["node_groups"][0]["nodes"]
    assert found["description"] == "sessions of the web shop"
    assert found["arn"] == truth["arn"]
    assert (found["engine"], found["engine_version"]) == ("valkey", "8.0.1")
    assert found["tags"] == {"team": "web"}
    assert found["status"] == "available"
    assert found["pending"] is None
    assert found["transit_encryption_mode"] == "required"
    assert found["primary_endpoint"] == {"address": nodes[0]["host"], "port": nodes[0]["port"]}
    assert [node["endpoint"]["port"] for node in found["nodes"]] == [node["port"] for node in nodes]
    assert [node["role"] for node in found["nodes"]] == ["primary", "replica"]
    assert 0 <= found["auth_token_age_days"] < 0.01
    moved = datetime.datetime.fromisoformat(found["auth_token_last_modified_date"])
    assert abs(moved.timestamp() - truth["auth_token_last_modified_date"]) < 1
    assert found["cluster_enabled"] is False


def test_in_cluster_mode(emulator: Emulator) -> None:
    """Endpoints of every node come from its cache cluster."""
    create(
        emulator,
        NumCacheClusters=None,
        NumNodeGroups=2,
        ReplicasPerNodeGroup=1,
        ClusterMode="enabled",
        AutomaticFailoverEnabled=True,
        AuthToken=A,
    )
    found = facts(info(emulator, known_auth_tokens=[A]))
    assert found["cluster_enabled"] is True
    assert found["mode"] == "required"
    assert found["configuration_endpoint"]["port"]
    assert found["primary_endpoint"] is None
    assert len({node["endpoint"]["port"] for node in found["nodes"]}) == 4
    assert {node["node_group_id"] for node in found["nodes"]} == {"0001", "0002"}


def test_while_a_change_is_under_way(emulator: Emulator) -> None:
    """What is pending is told; the state in force is not, since it is about to change."""
    scene(emulator, "required")
    emulator.faults({"kind": "never-ends"})
    rotate(emulator, B, wait=False)
    found = facts(info(emulator, known_auth_tokens=[A, B]))
    assert found["pending"] == "its status is modifying, its token is ROTATING"
    assert found["access"] is None
    assert found["mode"] is None
    assert found["tags"] is None


def test_all_of_a_region(emulator: Emulator) -> None:
    """Without ids: every group, by pages; those of another region are not there."""
    names = [f"g{number:02}" for number in range(12)]
    for name in names:
        create(emulator, name, AuthToken=A, wait=False)
    for name in names:
        emulator.wait_available(name)
    create(emulator, "elsewhere", region="eu-west-1")
    known = len(emulator.calls())
    ended = info(emulator, replication_group_id=None, probe="never")
    assert not ended.failed
    assert sorted(ended.outcomes) == names
    assert ended.msg == "0 of 12 groups looked at." or ended.msg == "12 of 12 groups looked at."
    counted = calls_by_action(emulator.calls()[known:])
    assert counted["DescribeReplicationGroups"] == 1
    assert counted["DescribeCacheClusters"] == 1
    assert counted["GetResources"] == 1
    other = info(emulator, replication_group_id=None, probe="never", region="eu-west-1")
    assert list(other.outcomes) == ["elsewhere"]
    nothing = info(emulator, replication_group_id=None, region="ap-south-1")
    assert nothing.result["replication_groups"] == []


def test_some_that_exist_and_one_that_does_not(emulator: Emulator) -> None:
    """The facts of those that exist are there, whether the task fails or not."""
    scene(emulator, "required")
    ended = info(emulator, replication_group_id=[GROUP, "missing"], known_auth_tokens=[A])
    assert ended.failed
    assert ended.of("missing")["failed"]
    assert [one["replication_group_id"] for one in ended.result["replication_groups"]] == [GROUP]
    assert not info(emulator, replication_group_id=[GROUP, "missing"], continue_on_error=True).failed


def test_tokens_from_secrets_manager(emulator: Emulator) -> None:
    """The secret's labels name the tokens."""
    scene(emulator, "rotating")
    put_secret(emulator, "t", A, B)
    found = facts(info(emulator, auth_token_secret={"name": "t"}, probe="always"))
    assert found["mode"] == "rotating"
    assert "rotating (the token in AWSCURRENT, then the token in AWSPENDING)" in found["access"]["possible_states"]
    put_secret(emulator, "empty-of-pending", A)
    lone = info(emulator, auth_token_secret={"name": "empty-of-pending", "stage": "AWSPENDING"})
    assert not lone.failed, lone.msg


class TestBadInput:
    """One clear message each."""

    def test_a_token_for_no_group_in_particular(self, emulator: Emulator) -> None:
        scene(emulator, "required")
        ended = info(emulator, replication_group_id=None, known_auth_tokens=[A])
        assert ended.failed
        assert ended.msg == ("replication_group_ids is needed with a token: name the groups whose nodes may get it.")

    def test_not_allowed_to_read_tags(self, emulator: Emulator) -> None:
        scene(emulator, "required")
        emulator.faults({"kind": "error", "action": "ListTagsForResource", "code": "AccessDenied", "times": 9})
        ended = info(emulator)
        assert ended.failed
        assert "elasticache:ListTagsForResource was refused in us-east-1" in ended.msg
        assert "record: false" in ended.msg
        assert not info(emulator, record=False).failed

    @pytest.mark.emulator(data_plane="none")
    def test_out_of_reach(self, emulator: Emulator) -> None:
        scene(emulator, "required")
        ended = info(emulator, probe="always")
        assert ended.failed
        assert "can't be reached" in ended.msg
        assert ended.msg.endswith("or use probe: auto.")
