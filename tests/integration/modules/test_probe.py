# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""``auth_probe``: what every node accepts, as an answer and as an assertion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from integration.direct import ModuleRun, mutating, run
from integration.scenes import GROUP, A, B, C, create, put_secret, rotate, scene, wait_for_users

if TYPE_CHECKING:
    from conftest import Emulator

OLD_AND_NEW = [{"name": "old", "auth_token": A}, {"name": "new", "auth_token": B}]


def probe(emulator: Emulator, *, check: bool = False, **options: Any) -> ModuleRun:
    """Run the module on the group, trusting the emulator's authority."""
    args = {"replication_group_id": GROUP, "data_plane_ca_path": emulator.ca_bundle, **options}
    before = mutating(emulator)
    ended = run(emulator, "auth_probe", {k: v for k, v in args.items() if v is not None}, check=check)
    assert mutating(emulator) == before
    assert not ended.changed
    return ended


@pytest.mark.parametrize("data_plane", ["light", "valkey"])
@pytest.mark.parametrize(
    ("state", "answers"),
    [
        ("open", {"unauthenticated": "accepted", "old": "refused", "new": "refused"}),
        ("optional", {"unauthenticated": "accepted", "old": "accepted", "new": "refused"}),
        ("required", {"unauthenticated": "refused", "old": "accepted", "new": "refused"}),
        ("rotating", {"unauthenticated": "refused", "old": "accepted", "new": "accepted"}),
        ("rbac", {"unauthenticated": "refused", "old": "accepted", "new": "refused"}),
    ],
)
def test_in_each_state(request: pytest.FixtureRequest, data_plane: str, state: str, answers: dict[str, str]) -> None:
    """The nodes tell the truth, real ones like light ones; in check mode too."""
    request.node.add_marker(pytest.mark.emulator(data_plane=data_plane))
    emulator: Emulator = request.getfixturevalue("emulator")
    scene(emulator, state)
    for check in (False, True):
        ended = probe(emulator, credentials=OLD_AND_NEW, check=check)
        assert not ended.failed, ended.msg
        assert ended.of(GROUP)["answers"] == answers
        assert ended.msg == f"{GROUP}: {', '.join(f'{name} {answer}' for name, answer in answers.items())}."
        assert len(ended.of(GROUP)["evidence"]["nodes"]) == 2


def test_users(emulator: Emulator) -> None:
    """With a user name, its password is tried: that is all there is with RBAC."""
    scene(emulator, "rbac")
    ended = probe(
        emulator,
        credentials=[
            {"name": "right", "username": "default", "auth_token": A},
            {"name": "wrong", "username": "default", "password": B},
            {"name": "nobody", "username": "nobody", "password": A},
        ],
        expect={"right": "accepted", "wrong": "refused", "nobody": "refused", "unauthenticated": "refused"},
    )
    assert not ended.failed, ended.msg


@pytest.mark.parametrize("data_plane", ["light", "valkey"])
@pytest.mark.parametrize(("variant", "answer"), [("ok", "untold"), ("error", "refused")])
def test_an_open_group_shows_nothing_of_a_password(
    request: pytest.FixtureRequest, data_plane: str, variant: str, answer: str
) -> None:
    """It may take whatever is presented as that of the user default; a token alone it refuses."""
    request.node.add_marker(pytest.mark.emulator(data_plane=data_plane, variants={"open-auth-default": variant}))
    emulator: Emulator = request.getfixturevalue("emulator")
    scene(emulator, "open")
    credentials = [{"name": "user", "username": "default", "auth_token": A}, {"name": "alone", "auth_token": A}]
    ended = probe(emulator, credentials=credentials)
    assert ended.of(GROUP)["answers"] == {"unauthenticated": "accepted", "user": answer, "alone": "refused"}
    ended = probe(emulator, credentials=credentials, expect={"user": "accepted"})
    assert ended.failed
    assert f"user is {answer}, not accepted" in ended.msg


def test_a_user_without_a_password_shows_nothing_of_one(emulator: Emulator) -> None:
    client = emulator.client("elasticache")
    rights = {"Engine": "redis", "AccessString": "on ~* +@all"}
    client.create_user(UserId="d", UserName="default", Passwords=[A], **rights)
    client.create_user(UserId="app", UserName="app", NoPasswordRequired=True, **rights)
    client.create_user_group(UserGroupId="ug", Engine="redis", UserIds=["d", "app"])
    wait_for_users(emulator, "ug")
    create(emulator, UserGroupIds=["ug"])
    credentials = [
        {"name": "app", "username": "app", "auth_token": B},
        {"name": "default", "username": "default", "auth_token": A},
        {"name": "wrong", "username": "default", "auth_token": B},
    ]
    ended = probe(emulator, credentials=credentials)
    assert ended.of(GROUP)["answers"] == {
        "unauthenticated": "refused",
        "app": "untold",
        "default": "accepted",
        "wrong": "refused",
    }


def test_expectations(emulator: Emulator) -> None:
    """Each that is not met is named."""
    scene(emulator, "required")
    fine = probe(emulator, credentials=OLD_AND_NEW, expect={"old": "accepted", "new": "refused"})
    assert not fine.failed
    ended = probe(
        emulator, credentials=OLD_AND_NEW, expect={"old": "refused", "new": "accepted", "unauthenticated": "refused"}
    )
    assert ended.failed
    assert ended.msg == (
        f"{GROUP}: old is accepted, not refused; new is refused, not accepted. "
        f"See outcomes['{GROUP}'].evidence.nodes for each node."
    )


def test_many_groups(emulator: Emulator) -> None:
    """One that does not answer as expected fails; the others are told all the same."""
    for name in ("one", "two", "three"):
        create(emulator, name, AuthToken=A)
    rotate(emulator, B, "two")
    options: dict[str, Any] = {
        "replication_group_id": None,
        "replication_group_ids": ["one", "two", "three", "missing"],
        "credentials": OLD_AND_NEW,
        "expect": {"new": "refused"},
    }
    ended = probe(emulator, **options)
    assert ended.failed
    assert [key for key in ended.outcomes if ended.of(key)["failed"]] == ["two", "missing"]
    assert ended.of("three")["answers"]["old"] == "accepted"
    assert not probe(emulator, **options, continue_on_error=True).failed


def test_a_secret(emulator: Emulator) -> None:
    """The token is read by the module, for each group from a secret of its own."""
    scene(emulator, "rotating")
    put_secret(emulator, f"t/{GROUP}", A, f'{{"token": "{B}"}}')
    source = {"name": "t/{replication_group_id}"}
    credentials = [
        {"name": "old", "auth_token_secret": source},
        {"name": "new", "auth_token_secret": {**source, "stage": "AWSPENDING", "key": "token"}},
    ]
    ended = probe(emulator, credentials=credentials, expect={"old": "accepted", "new": "accepted"})
    assert not ended.failed, ended.msg
    missing = probe(emulator, credentials=[{"name": "old", "auth_token_secret": {"name": "t/{nope}"}}])
    assert missing.msg == f"{GROUP}: auth_token_secret.name may hold {{replication_group_id}} and no other braces."


def test_a_token_of_its_own_for_each_group(emulator: Emulator) -> None:
    """Ids in any case; a group without an entry, or with an empty one, fails alone and is named."""
    for name, token in (("one", A), ("two", B), ("three", C), ("four", C)):
        create(emulator, name, AuthToken=token)
    credentials = [{"name": "own", "auth_tokens": {"ONE": A, "two": C, "three": "", "Five": C}}]
    ended = probe(
        emulator,
        replication_group_id=None,
        replication_group_ids=["one", "Two", "three", "four"],
        credentials=credentials,
    )
    assert ended.failed
    assert ended.of("one")["answers"] == {"unauthenticated": "refused", "own": "accepted"}
    assert ended.of("two")["answers"] == {"unauthenticated": "refused", "own": "refused"}
    for name in ("three", "four"):
        assert ended.of(name)["msg"] == (
            f"{name}: credentials: own: there is no token for it in auth_tokens. Give it there, under the group's id."
        )
        assert ended.of(name)["answers"] is None


def test_a_password_of_its_own_for_each_group(emulator: Emulator) -> None:
    scene(emulator, "rbac")
    credentials = [{"name": "own", "username": "default", "auth_tokens": {GROUP: A}}]
    assert not probe(emulator, credentials=credentials, expect={"own": "accepted"}).failed


def test_a_secret_that_holds_no_token_yet(emulator: Emulator) -> None:
    """An empty text under the key is told like a label that is missing."""
    scene(emulator, "open")
    put_secret(emulator, "t", '{"token": ""}')
    for stage in ("AWSCURRENT", "AWSPENDING"):
        source = {"name": "t", "key": "token", "stage": stage}
        ended = probe(emulator, credentials=[{"name": "own", "auth_token_secret": source}])
        assert ended.failed
        assert ended.msg == (
            f"{GROUP}: credentials: own: the secret t holds no token in {stage} (yet). Stage one, or name another "
            "label in auth_token_secret.stage."
        )


def test_cluster_mode(emulator: Emulator) -> None:
    """Every node of every shard."""
    create(
        emulator,
        NumCacheClusters=None,
        NumNodeGroups=2,
        ReplicasPerNodeGroup=1,
        ClusterMode="enabled",
        AutomaticFailoverEnabled=True,
        AuthToken=A,
    )
    ended = probe(emulator, credentials=OLD_AND_NEW, expect={"old": "accepted", "new": "refused"})
    assert not ended.failed, ended.msg
    assert len(ended.of(GROUP)["evidence"]["nodes"]) == 4


@pytest.mark.emulator(variants={"optional-wrong-token": "ok"})
def test_a_node_that_accepts_any_token(emulator: Emulator) -> None:
    """What such a node says of a token is no answer, and an assertion must not be satisfied by it."""
    scene(emulator, "optional")
    for wanted in ("accepted", "refused"):
        ended = probe(emulator, credentials=OLD_AND_NEW, expect={"new": wanted})
        assert ended.failed
        assert ended.msg.startswith(f"{GROUP}: new is untold, not {wanted}. ")
    told = probe(emulator, credentials=OLD_AND_NEW, expect={"new": "not_refused"})
    assert not told.failed, told.msg
    assert told.of(GROUP)["answers"] == {"unauthenticated": "accepted", "old": "untold", "new": "untold"}


def test_a_token_that_is_refused_is_not_one_that_is_not(emulator: Emulator) -> None:
    scene(emulator, "required")
    ended = probe(emulator, credentials=OLD_AND_NEW, expect={"old": "not_refused", "new": "not_refused"})
    assert ended.failed
    assert ended.msg.startswith(f"{GROUP}: new is refused, not not_refused. ")


class TestBadInput:
    """One clear message each."""

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"credentials": [{"name": "unauthenticated", "auth_token": A}]},
                "credentials: the name unauthenticated is taken; give each credential a name of its own.",
            ),
            (
                {"credentials": [{"name": "x", "auth_token": A}, {"name": "x", "auth_token": B}]},
                "credentials: the name x is taken; give each credential a name of its own.",
            ),
            (
                {"credentials": OLD_AND_NEW, "expect": {"olD": "accepted"}},
                "expect: there is no credential named olD; there is old, new.",
            ),
            (
                {"expect": {"unauthenticated": "yes"}},
                "expect: unauthenticated has to be accepted, refused or not_refused.",
            ),
            ({"replication_group_id": "a--b"}, None),
            (
                {"credentials": [{"name": "x"}]},
                "one of the following is required: auth_token, auth_tokens, auth_token_secret",
            ),
            (
                {"credentials": [{"name": "x", "auth_token": A, "auth_tokens": {GROUP: B}}]},
                "parameters are mutually exclusive: auth_token|auth_tokens|auth_token_secret",
            ),
            ({"data_plane_timeout": -1}, "data_plane_timeout: -1.0 is not possible; give seconds above 0."),
        ],
    )
    def test_options(self, emulator: Emulator, options: dict[str, Any], message: str | None) -> None:
        ended = probe(emulator, **options)
        assert ended.failed
        if message is None:
            assert "can't be the id of a replication group" in ended.msg
        else:
            assert message in ended.msg

    def test_a_token_without_tls(self, emulator: Emulator) -> None:
        create(emulator, TransitEncryptionEnabled=False)
        ended = probe(emulator, credentials=OLD_AND_NEW)
        assert ended.msg == (
            f"{GROUP}: encryption in transit is off, and no token is sent over a connection without TLS. "
            "Leave credentials out to ask only whether clients without one are served."
        )
        assert probe(emulator, expect={"unauthenticated": "accepted"}).msg == f"{GROUP}: unauthenticated accepted."

    @pytest.mark.emulator(data_plane="none")
    def test_out_of_reach(self, emulator: Emulator) -> None:
        scene(emulator, "required")
        ended = probe(emulator, credentials=OLD_AND_NEW)
        assert ended.failed
        assert f"{GROUP}-001" in ended.msg
        assert "can't be reached" in ended.msg
        assert ended.msg.endswith("Run where the group's VPC and security groups allow the connection.")

    def test_another_authority(self, emulator: Emulator, tmp_path: Path) -> None:
        scene(emulator, "required")
        trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
        ended = probe(emulator, credentials=OLD_AND_NEW, data_plane_ca_path=str(tmp_path / "ca.pem"))
        assert ended.failed
        assert "is not trusted" in ended.msg
        assert "No token was sent." in ended.msg

    def test_while_it_is_created(self, emulator: Emulator) -> None:
        """A group whose nodes have no endpoint yet."""
        emulator.faults({"kind": "never-ends", "action": "CreateReplicationGroup"})
        create(emulator, wait=False, AuthToken=C)
        ended = probe(emulator, credentials=OLD_AND_NEW)
        assert ended.failed
        assert ended.msg.startswith(f"{GROUP}: ")
        assert "no endpoint yet" in ended.msg
