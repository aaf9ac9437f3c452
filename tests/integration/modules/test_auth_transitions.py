# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Every transition of elasticache-facts §1 that ``replication_group_auth`` makes, with the truth after each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import auth, modifies, mutating
from integration.meanwhile import Once, called, meanwhile
from integration.scenes import GROUP, USERS, A, B, C, create, create_user_group, put_secret, scene, slots

if TYPE_CHECKING:
    from conftest import Emulator


def test_from_open_to_one_token_and_on_to_the_next(emulator: Emulator) -> None:
    """open → optional → required → rotating → required, a call each."""
    scene(emulator, "open")
    steps: list[tuple[str, str, list[str], str, list[str | None]]] = [
        ("rotate", A, [], "optional (the token given)", [None, A]),
        ("set", A, [], "required (the token given)", [A]),
        ("rotate", B, [A], "rotating (known token 1, then the token given)", [A, B]),
        ("set", B, [A], "required (the token given)", [B]),
    ]
    for number, (strategy, token, known, words, truth) in enumerate(steps, 1):
        run = auth(emulator, strategy, token, known_auth_tokens=known)
        assert run.msg == f"{GROUP}: now {words}.", run.msg
        assert run.changed
        assert slots(emulator) == truth
        assert run.of(GROUP)["after"]["unauthenticated_access"] is (None in truth)
        assert modifies(emulator) == number
    assert [entry["parameters"]["AuthTokenUpdateStrategy"] for entry in run.of(GROUP)["api_calls"]] == ["SET"]


def test_from_rbac_to_a_token(emulator: Emulator) -> None:
    """rbac → optional → required: the user groups go in the call that rotates the token in."""
    scene(emulator, "rbac")
    run = auth(emulator, "rotate", A, known_auth_tokens=[], remove_user_groups=True)
    assert run.msg == f"{GROUP}: now optional (the token given)."
    assert slots(emulator) == [None, A]
    assert emulator.group(GROUP)["user_group_ids"] == []
    assert run.of(GROUP)["before"]["user_group_ids"] == [USERS]
    assert run.of(GROUP)["api_calls"][0]["parameters"] == {
        "ReplicationGroupId": GROUP,
        "ApplyImmediately": True,
        "RemoveUserGroups": True,
        "AuthToken": "********",
        "AuthTokenUpdateStrategy": "ROTATE",
    }
    again = auth(emulator, "rotate", A, known_auth_tokens=[], remove_user_groups=True)
    assert not again.changed, again.msg
    assert not again.failed, again.msg
    assert auth(emulator, "set", A, known_auth_tokens=[]).changed
    assert slots(emulator) == [A]
    assert modifies(emulator) == 2


@pytest.mark.parametrize("state", ["open", "optional", "required", "rotating"])
def test_to_rbac(emulator: Emulator, state: str) -> None:
    """Each state → rbac, the token gone in the same call."""
    create_user_group(emulator)
    scene(emulator, state)
    before = modifies(emulator)
    run = auth(emulator, "delete", user_group_ids=[USERS], probe="always")
    assert run.msg == f"{GROUP}: now rbac ({USERS})."
    assert run.changed
    truth = emulator.group(GROUP)
    assert truth["mode"] == "rbac"
    assert truth["user_group_ids"] == [USERS]
    assert truth["slots"] == []
    assert modifies(emulator) == before + 1


def test_to_user_groups_that_do_not_exist(emulator: Emulator) -> None:
    """It is told which is missing before anything is called."""
    scene(emulator, "required")
    run = auth(emulator, "delete", user_group_ids=["nobody"], known_auth_tokens=[A])
    assert run.failed
    assert not run.changed
    assert run.msg == (
        f"{GROUP}: user_group_ids: there is no user group nobody in its region. Create it, or name another."
    )
    assert slots(emulator) == [A]
    assert mutating(emulator) == ["CreateReplicationGroup"]
    assert auth(emulator, "rotate", B, known_auth_tokens=[A]).changed


def test_to_other_user_groups_than_those_attached(emulator: Emulator) -> None:
    """A group in RBAC with other user groups is not touched: which of them goes is not this module's to decide."""
    scene(emulator, "rbac")
    create_user_group(emulator, "ug-2")
    run = auth(emulator, "delete", user_group_ids=["ug-2"])
    assert run.failed
    assert "other user groups than the wanted ones are attached" in run.msg
    assert modifies(emulator) == 0


@pytest.mark.parametrize("cluster_mode", [False, True])
def test_in_cluster_mode_every_node_of_every_shard_is_asked(emulator: Emulator, cluster_mode: bool) -> None:
    """The endpoints of a group in cluster mode come from its cache clusters (elasticache-facts §2)."""
    shape: dict[str, Any] = {
        "NumCacheClusters": None,
        "NumNodeGroups": 2,
        "ReplicasPerNodeGroup": 1,
        "ClusterMode": "enabled",
    }
    create(emulator, AuthToken=A, AutomaticFailoverEnabled=True, **(shape if cluster_mode else {}))
    run = auth(emulator, "rotate", B, known_auth_tokens=[A], probe="always")
    assert run.changed, run.msg
    nodes = run.of(GROUP)["evidence"]["nodes"]
    assert len(nodes) == (4 if cluster_mode else 2)
    assert all(node["accepted"] == {"known token 1": True, "the token given": True} for node in nodes)
    assert slots(emulator) == [A, B]


def test_with_tokens_that_secrets_manager_holds(emulator: Emulator) -> None:
    """The staged token is rotated in and set; the record names versions, and Ansible never sees a token."""
    scene(emulator, "required")
    name = put_secret(
        emulator, f"elasticache/{GROUP}/auth-token", f'{{"auth_token": "{A}"}}', f'{{"auth_token": "{B}"}}'
    )
    source: dict[str, Any] = {
        "auth_token_secret": {
            "name": "elasticache/{replication_group_id}/auth-token",
            "stage": "AWSPENDING",
            "key": "auth_token",
        }
    }
    run = auth(emulator, "rotate", hidden=[A, B], **source)
    assert run.msg == f"{GROUP}: now rotating (the token in AWSCURRENT, then the token in AWSPENDING)."
    assert slots(emulator) == [A, B]
    versions = emulator.client("secretsmanager").describe_secret(SecretId=name)["VersionIdsToStages"]
    by_stage = {stage: version for version, stages in versions.items() for stage in stages}
    tag = emulator.group(GROUP)["tags"]["elasticache.auth/record"]
    assert tag.startswith(f"v1 rotating:v.{by_stage['AWSCURRENT']}+v.{by_stage['AWSPENDING']} ")
    assert not auth(emulator, "rotate", hidden=[A, B], probe="never", **source).changed
    assert auth(emulator, "set", hidden=[A, B], probe="never", **source).changed
    assert slots(emulator) == [B]


def test_with_a_token_of_its_own_for_each_group(emulator: Emulator) -> None:
    """``auth_tokens`` by id, whose case does not matter."""
    for group, token in (("one", A), ("two", C)):
        create(emulator, group, AuthToken=token)
    run = auth(
        emulator, "rotate", group=["one", "Two"], auth_tokens={"ONE": B, "two": B + "2"}, known_auth_tokens=[A, C]
    )
    assert run.changed, run.msg
    assert slots(emulator, "one") == [A, B]
    assert slots(emulator, "two") == [C, B + "2"]
    assert run.msg == "2 of 2 groups changed."


def test_without_waiting(emulator: Emulator) -> None:
    """``wait: false`` comes back at once, and what was not seen is not told; the next run joins the change."""
    create(emulator, AuthToken=A)
    emulator.hold()
    run = auth(emulator, "rotate", B, known_auth_tokens=[A], wait=False)
    assert run.changed
    assert run.msg == f"{GROUP}: will become rotating (known token 1, then the token given)."
    assert run.of(GROUP)["after"]["mode"] is None
    assert run.of(GROUP)["after"]["possible_states"] == [
        "required (known token 1)",
        "rotating (known token 1, then the token given)",
    ]
    assert emulator.group(GROUP)["status"] == "modifying"
    busy = auth(emulator, "set", B, known_auth_tokens=[A], wait=False)
    assert busy.failed
    assert "a change is under way" in busy.msg
    assert "wait: true" in busy.msg
    with meanwhile(Once(called(emulator, "DescribeReplicationGroups"), emulator.release)):
        joined = auth(emulator, "rotate", B, known_auth_tokens=[A])
    assert not joined.changed
    assert not joined.failed, joined.msg
    assert joined.of(GROUP)["after"]["mode"] == "rotating"
    assert modifies(emulator) == 1


class TestTheGuard:
    """Calls that AWS carries out but that lock clients out, or allow unauthenticated access, are not made unasked."""

    @pytest.mark.parametrize(
        ("state", "reason", "forced"),
        [
            pytest.param(
                "rotating",
                "ROTATE would push out known token 1, and clients that still use it would be locked out",
                [B, C],
                id="pushes-out",
            ),
            pytest.param(
                "optional",
                "clients without a token are served beside known token 1, and ROTATE would refuse them at once",
                [A, C],
                id="ends-unauthenticated-access",
            ),
        ],
    )
    def test_rotate(self, emulator: Emulator, state: str, reason: str, forced: list[str]) -> None:
        """Refused with the reason and the way out; ``force`` insists, and then it happens."""
        scene(emulator, state)
        before = mutating(emulator)
        run = auth(emulator, "rotate", C, known_auth_tokens=[A, B])
        assert run.failed
        assert not run.changed
        assert reason in run.msg
        assert "Way out: once every client has" in run.msg
        assert "or insist with force: true." in run.msg
        assert mutating(emulator) == before
        insisted = auth(emulator, "rotate", C, known_auth_tokens=[A, B], force=True)
        assert insisted.changed, insisted.msg
        assert slots(emulator) == forced

    def test_rotate_on_rbac(self, emulator: Emulator) -> None:
        """Leaving RBAC is asked for with remove_user_groups, not with force alone: AWS would refuse the plain call."""
        scene(emulator, "rbac")
        for force in (False, True):
            run = auth(emulator, "rotate", A, known_auth_tokens=[], force=force)
            assert run.failed
            assert "the group is rbac (ug-1); user groups decide who is accepted" in run.msg
            assert "remove_user_groups: true" in run.msg
            assert "unauthenticated access is allowed" in run.msg
        assert modifies(emulator) == 0
        assert emulator.group(GROUP)["mode"] == "rbac"

    @pytest.mark.parametrize(
        ("state", "token", "reason"),
        [
            ("open", A, "the group is open; there is no token to set"),
            ("required", B, "SET never introduces a token, and the token given was not rotated in"),
            ("optional", B, "SET never introduces a token, and the token given was not rotated in"),
            ("rotating", C, "SET never introduces a token, and the token given was not rotated in"),
            ("rbac", A, "user groups decide who is accepted"),
        ],
    )
    @pytest.mark.parametrize("force", [False, True])
    def test_set(self, emulator: Emulator, state: str, token: str, reason: str, force: bool) -> None:
        """A SET that AWS is certain to refuse is not made, not even by force."""
        scene(emulator, state)
        before = mutating(emulator)
        run = auth(emulator, "set", token, known_auth_tokens=[A, B], force=force)
        assert run.failed
        assert reason in run.msg
        assert "Way out: " in run.msg
        assert mutating(emulator) == before

    def test_set_of_the_older_token(self, emulator: Emulator) -> None:
        """Both tokens answer; only the record tells which is the newer one."""
        scene(emulator, "required")
        assert auth(emulator, "rotate", B, known_auth_tokens=[A]).changed
        before = mutating(emulator)
        for force in (False, True):
            run = auth(emulator, "set", A, known_auth_tokens=[B], force=force)
            assert run.failed
            assert "SET takes only the newest token, which is known token 1. Way out: set known token 1" in run.msg
        assert mutating(emulator) == before
        unknown = auth(emulator, "set", A, known_auth_tokens=[B], record=False)
        assert unknown.failed
        assert "rotating (the token given, then known token 1): SET takes only the newest token" in unknown.msg
        assert mutating(emulator) == before

    @pytest.mark.emulator(data_plane="none")
    @pytest.mark.parametrize("state", ["required", "rotating", "optional"])
    def test_force_where_nothing_is_known(self, emulator: Emulator, state: str) -> None:
        """ROTATE by force although nobody knows what is in force: it is called once and said so."""
        scene(emulator, state)
        before = modifies(emulator)
        run = auth(emulator, "rotate", C, force=True, probe="never")
        assert run.changed, run.msg
        assert modifies(emulator) == before + 1
        assert slots(emulator)[-1] == C

    def test_a_token_that_nobody_named(self, emulator: Emulator) -> None:
        """The nodes accept none of the tokens named: there is another one, and ROTATE keeps it."""
        create(emulator, AuthToken=C)
        options: dict[str, Any] = {"known_auth_tokens": [A], "probe": "always"}
        run = auth(emulator, "rotate", B, **options)
        # required(unknown) or rotating(two unknown ones): the second would lose one.
        assert run.failed
        assert "an unknown token" in run.msg
        assert slots(emulator) == [C]
        settled = auth(emulator, "rotate", B, assume_state="required", **options)
        assert settled.changed, settled.msg
        assert slots(emulator) == [C, B]
