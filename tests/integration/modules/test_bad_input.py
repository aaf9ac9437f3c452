# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Bad input: one clear message, an end through ``fail_json``, and nothing changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import auth, mutating, run
from integration.refused import assert_refused
from integration.scenes import GROUP, USERS, A, B, create, create_secondary, create_user_group, put_secret, scene

if TYPE_CHECKING:
    from conftest import Emulator

UNIT = "replication_group_auth"
KNOWN = {"known_auth_tokens": [A]}


class TestTokens:
    """AWS would say no more than that a token is invalid; no message holds the token or a piece of it."""

    @pytest.mark.parametrize(
        ("token", "problem"),
        [
            pytest.param("short", "it has 5 characters, AWS takes 16 to 128", id="short"),
            pytest.param("x7Q" * 5, "it has 15 characters, AWS takes 16 to 128", id="15"),
            pytest.param("Kp9" * 43, "it has 129 characters, AWS takes 16 to 128", id="129"),
            pytest.param("", "it has 0 characters, AWS takes 16 to 128", id="empty"),
            pytest.param(
                "Wr0ng/token-of-twenty",
                "character 6 is '/', and AWS takes letters, digits and !&#$^<>- only",
                id="slash",
            ),
            pytest.param(
                'Qua@"%/Qua@"%/Qua',
                "character 4 is '@', and AWS takes letters, digits and !&#$^<>- only "
                "(likewise character 5, 6, 7, 11, ...)",
                id="many",
            ),
            pytest.param(
                "Grün-und-Äpfel-sind-es",
                "character 3 is U+00FC, and AWS takes letters, digits and !&#$^<>- only (likewise character 10)",
                id="not-ascii",
            ),
            pytest.param(
                "trailing-newline-in-it\n",
                "it ends in a line break (character 23): store it without, with printf in the place of echo",
                id="newline",
            ),
            pytest.param(
                "a b",
                "it has 3 characters, AWS takes 16 to 128; "
                "character 2 is a space, and AWS takes letters, digits and !&#$^<>- only",
                id="both",
            ),
        ],
    )
    def test_against_the_hard_rules(self, emulator: Emulator, token: str, problem: str) -> None:
        scene(emulator, "required")
        before = mutating(emulator)
        ended = auth(emulator, "rotate", token, known_auth_tokens=[A])
        message = (
            f"{GROUP}: the token given is not a valid AUTH token: {problem}. "
            "The lookup elasticache.auth.random_auth_token makes valid ones."
        )
        assert_refused(emulator, ended, message, before)
        for piece in (token[i : i + 6] for i in range(len(token) - 5)):
            assert piece not in ended.output

    def test_in_a_secret(self, emulator: Emulator) -> None:
        scene(emulator, "required")
        put_secret(emulator, "s", "far too/short")
        before = mutating(emulator)
        ended = auth(emulator, "rotate", auth_token_secret={"name": "s"}, hidden=["far too/short"])
        message = (
            f"{GROUP}: the token in AWSCURRENT is not a valid AUTH token: it has 13 characters, AWS takes 16 to 128; "
            "character 4 is a space, and AWS takes letters, digits and !&#$^<>- only (likewise character 8). "
            "The lookup elasticache.auth.random_auth_token makes valid ones."
        )
        assert_refused(emulator, ended, message, before)

    @pytest.mark.parametrize("tokens", [{"one": B}, {"one": B, "two": None}])
    def test_for_some_groups_only(self, emulator: Emulator, tokens: dict[str, str | None]) -> None:
        """The group without a token fails; the other one is rotated all the same."""
        for group in ("one", "two"):
            create(emulator, group, AuthToken=A)
        ended = auth(emulator, "rotate", group=["one", "two"], auth_tokens=tokens, known_auth_tokens=[A])
        assert ended.failed
        assert ended.of("one")["changed"]
        assert not ended.of("two")["changed"]
        assert ended.of("two")["msg"] == (
            "two: there is no token for it. Give it in auth_token, under its id in auth_tokens, "
            "or in a secret by auth_token_secret."
        )
        assert ended.msg == f"1 of 2 groups failed. {ended.of('two')['msg']}"
        assert emulator.group("one")["slots"] == [A, B]
        assert emulator.group("two")["slots"] == [A]


class TestSecrets:
    """What can be wrong with a secret."""

    @pytest.fixture(autouse=True)
    def _secrets(self, emulator: Emulator) -> None:
        create(emulator, AuthToken=A)
        put_secret(emulator, "bare", B)
        put_secret(emulator, "json", f'{{"auth_token": "{B}", "port": 6379, "none": null}}')
        put_secret(emulator, "list", f'["{B}"]')
        put_secret(emulator, "gone", B)
        emulator.client("secretsmanager").delete_secret(SecretId="gone")
        emulator.client("secretsmanager").create_secret(Name="binary", SecretBinary=B.encode())

    @pytest.mark.parametrize(
        ("secret", "message"),
        [
            (
                {"name": "missing/{replication_group_id}"},
                (
                    "there is no secret missing/sessions in us-east-1. "
                    "Create it, or check auth_token_secret.name and region."
                ),
            ),
            (
                {"name": "bare", "stage": "AWSPENDING"},
                (
                    "the secret bare holds no token in AWSPENDING (yet). Stage one, or name another label in "
                    "auth_token_secret.stage (it has AWSCURRENT)."
                ),
            ),
            (
                {"name": "bare", "key": "auth_token"},
                (
                    "the secret bare holds no JSON object, so it has no key auth_token. "
                    "Leave auth_token_secret.key out where the secret is the bare token."
                ),
            ),
            (
                {"name": "list", "key": "auth_token"},
                (
                    "the secret list holds no JSON object, so it has no key auth_token. "
                    "Leave auth_token_secret.key out where the secret is the bare token."
                ),
            ),
            ({"name": "json"}, "the secret json holds JSON. Name the token's key in auth_token_secret.key."),
            (
                {"name": "json", "key": "password"},
                "the secret json has no text under the key password. Check auth_token_secret.key.",
            ),
            (
                {"name": "json", "key": "port"},
                "the secret json has no text under the key port. Check auth_token_secret.key.",
            ),
            (
                {"name": "json", "key": "none"},
                "the secret json has no text under the key none. Check auth_token_secret.key.",
            ),
            (
                {"name": "gone"},
                (
                    "the secret gone is scheduled for deletion. "
                    "Restore it (secretsmanager:RestoreSecret), or name another in auth_token_secret.name."
                ),
            ),
            ({"name": "binary"}, "the secret binary holds no text. Store the token in its SecretString."),
            *(
                ({"name": name}, "auth_token_secret.name may hold {replication_group_id} and no other braces.")
                for name in (
                    "a/{group}",
                    "a/{}",
                    "a/{0}",
                    "a/{",
                    "a/}",
                    "a/{replication_group_id.__class__}",
                    "a/{replication_group_id.nope}",
                    "a/{replication_group_id:>99}",
                    "{{replication_group_id}}",
                )
            ),
        ],
    )
    def test_refused(self, emulator: Emulator, secret: dict[str, str], message: str) -> None:
        before = mutating(emulator)
        ended = auth(emulator, "rotate", auth_token_secret=secret, hidden=[B])
        assert_refused(emulator, ended, f"{GROUP}: {message}", before)

    def test_aws_repeats_the_token(self, emulator: Emulator) -> None:
        """AWS's words are told, what they repeat of the call is not."""
        create(emulator, "other", AuthToken=A)
        fault = {"code": "InvalidParameterValue", "message": f"The token {B} is no good.", "times": 9}
        emulator.faults({"kind": "error", "action": "ModifyReplicationGroup", **fault})
        ended = auth(emulator, "rotate", B, group="other", known_auth_tokens=[A])
        assert ended.failed
        assert "InvalidParameterValue: The token ******** is no good." in ended.msg

    def test_not_allowed_to_read(self, emulator: Emulator) -> None:
        emulator.faults(
            {"kind": "error", "service": "secretsmanager", "code": "AccessDeniedException", "message": "no", "times": 9}
        )
        before = mutating(emulator)
        ended = auth(emulator, "rotate", auth_token_secret={"name": "bare"}, hidden=[B])
        message = (
            f"{GROUP}: the secret bare: secretsmanager:GetSecretValue was refused in us-east-1: "
            "AccessDeniedException: no. Allow it in the policy of the credentials."
        )
        assert_refused(emulator, ended, message, before)


def _off(emulator: Emulator) -> None:
    create(emulator, TransitEncryptionEnabled=False)


def _preferred(emulator: Emulator) -> None:
    create(emulator, TransitEncryptionMode="preferred")


def _old_redis(emulator: Emulator) -> None:
    create(emulator, Engine="redis", EngineVersion="4.0.10", AuthToken=A)


def _redis5(emulator: Emulator) -> None:
    create_user_group(emulator)
    create(emulator, Engine="redis", EngineVersion="5.0.6", AuthToken=A)


def _serverless(emulator: Emulator) -> None:
    emulator.client("elasticache").create_serverless_cache(ServerlessCacheName=GROUP, Engine="valkey")


def _standalone(emulator: Emulator) -> None:
    emulator.client("elasticache").create_cache_cluster(
        CacheClusterId=GROUP, Engine="redis", CacheNodeType="cache.t4g.micro", NumCacheNodes=1
    )


def _secondary(emulator: Emulator) -> None:
    create_secondary(emulator)


def _create_failed(emulator: Emulator) -> None:
    emulator.faults({"kind": "create-failed", "id": GROUP})
    create(emulator, wait=False)
    emulator.wait_until(GROUP, lambda group: group["status"] == "create-failed")


def _deleting(emulator: Emulator) -> None:
    create(emulator)
    emulator.faults({"kind": "never-ends", "action": "DeleteReplicationGroup", "id": GROUP})
    emulator.client("elasticache").delete_replication_group(ReplicationGroupId=GROUP)


def _modifying(emulator: Emulator) -> None:
    create(emulator, AuthToken=A)
    emulator.faults({"kind": "never-ends", "action": "ModifyReplicationGroup", "id": GROUP})
    emulator.client("elasticache").modify_replication_group(
        ReplicationGroupId=GROUP, AuthToken=B, AuthTokenUpdateStrategy="ROTATE", ApplyImmediately=True
    )


def _nothing(emulator: Emulator) -> None:
    """No group at all."""


NEEDS_TLS = (
    "encryption in transit is off, and {what} needs it. With elasticache.auth.replication_group "
    "set transit_encryption_mode: preferred, move the clients to TLS, then set it to required."
)
NOT_FOUND = (
    "there is no replication group of this id in us-east-1. "
    "Check replication_group_ids, region and the account of the credentials."
)
ROTATE = {"auth_token_update_strategy": "rotate", "auth_token": B, "known_auth_tokens": [A]}
DELETE = {"auth_token_update_strategy": "delete", "user_group_ids": [USERS]}


class TestPreconditions:
    """What AWS would refuse whatever the token is, told before any call and better."""

    @pytest.mark.parametrize(
        ("prepare", "options", "message"),
        [
            pytest.param(_nothing, ROTATE, NOT_FOUND, id="unknown"),
            pytest.param(_off, ROTATE, NEEDS_TLS.format(what="an AUTH token"), id="no-tls"),
            pytest.param(_off, DELETE, NEEDS_TLS.format(what="a user group"), id="no-tls-for-rbac"),
            pytest.param(
                _preferred,
                ROTATE,
                "encryption in transit is in mode preferred, and AWS changes a token only in mode required. Move the "
                "clients to TLS, then set transit_encryption_mode: required (elasticache.auth.replication_group).",
                id="preferred",
            ),
            pytest.param(
                _old_redis,
                ROTATE,
                "its engine is redis 4.0.10, and an AUTH token can be changed from redis 5.0.6 on. "
                "Upgrade it with engine_version of elasticache.auth.replication_group.",
                id="engine-too-old",
            ),
            pytest.param(
                _redis5,
                DELETE,
                "its engine is redis 5.0.6, and a user group can be changed from redis 6.0 on. "
                "Upgrade it with engine_version of elasticache.auth.replication_group.",
                id="engine-too-old-for-rbac",
            ),
            pytest.param(
                _serverless,
                ROTATE,
                "it is a serverless cache, and those have no AUTH token: their access control is RBAC only. "
                "Leave it out of replication_group_ids.",
                id="serverless",
            ),
            pytest.param(
                _standalone,
                ROTATE,
                "it is a cache cluster, not a replication group, and AUTH needs a replication group. "
                "Give the id of its replication group, or make a group with a single node in its place.",
                id="standalone",
            ),
            pytest.param(
                _secondary,
                ROTATE,
                "it is a secondary of the global datastore ldgnf-world, and has the access control of its primary. "
                "Change that of the primary: the secondaries follow. Which group it is, and in which region: aws "
                "elasticache describe-global-replication-groups --global-replication-group-id ldgnf-world "
                "--show-member-info",
                id="secondary",
            ),
            pytest.param(
                _create_failed,
                ROTATE,
                "its status is create-failed, from which it does not become available.",
                id="create-failed",
            ),
            pytest.param(
                _create_failed,
                {**ROTATE, "wait": False},
                "its status is create-failed, from which it does not become available.",
                id="create-failed-without-waiting",
            ),
            pytest.param(
                _deleting, ROTATE, "its status is deleting, from which it does not become available.", id="deleting"
            ),
            pytest.param(
                _modifying,
                {**ROTATE, "wait": False},
                "a change is under way (its status is modifying, its token is ROTATING), and no other is begun. "
                "With wait: true it is waited for, and what is then left to do is done.",
                id="modifying-without-waiting",
            ),
        ],
    )
    def test_refused(
        self, emulator: Emulator, prepare: Callable[[Emulator], None], options: dict[str, Any], message: str
    ) -> None:
        prepare(emulator)
        before = mutating(emulator)
        args = {"replication_group_id": GROUP, "data_plane_ca_path": emulator.ca_bundle, "wait_delay": 0.1, **options}
        for check in (True, False):
            ended = run(emulator, UNIT, args, check=check)
            assert_refused(emulator, ended, f"{GROUP}: {message}", before)
            assert ended.of(GROUP)["failed"]

    def test_in_another_region(self, emulator: Emulator) -> None:
        create(emulator, AuthToken=A)
        ended = auth(emulator, "rotate", B, known_auth_tokens=[A], region="eu-west-1")
        message = f"{GROUP}: {NOT_FOUND.replace('us-east-1', 'eu-west-1')}"
        assert_refused(emulator, ended, message, ["CreateReplicationGroup"])

    def test_a_change_that_does_not_end(self, emulator: Emulator) -> None:
        """The time limit runs out while another's change is joined: the message says what was pending."""
        _modifying(emulator)
        before = mutating(emulator)
        ended = auth(emulator, "rotate", B, known_auth_tokens=[A], wait_timeout=0.5)
        assert re.fullmatch(
            rf"{GROUP}: not done after \d+ s: its status is modifying, its token is ROTATING. "
            "What is under way goes on at AWS: run this again, or raise wait_timeout.",
            ended.msg,
        )
        assert ended.failed
        assert mutating(emulator) == before


@pytest.mark.emulator(data_plane="none")
class TestOptions:
    """Options that are wrong by themselves."""

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            *(
                (
                    {"replication_group_ids": [identifier]},
                    (
                        f"replication_group_ids: '{identifier.strip().lower()}' can't be the id of a replication "
                        "group: that has 1 to 40 letters, digits and hyphens, begins with a letter, has no two hyphens "
                        "in a row and none at its end."
                    ),
                )
                for identifier in ("", "9lives", "a--b", "tail-", "under_score", "x" * 41, "a b", "ä", "*")
            ),
            (
                {"replication_group_ids": ["sessions", "carts", "Sessions"]},
                "replication_group_ids: sessions is listed twice. AWS does not tell upper from lower case in ids.",
            ),
            (
                {"auth_token_update_strategy": "Rotate"},
                "value of auth_token_update_strategy must be one of: rotate, set, delete, got: Rotate",
            ),
            (
                {"auth_token": None},
                (
                    "auth_token_update_strategy is rotate but any of the following are missing: "
                    "auth_token, auth_tokens, auth_token_secret"
                ),
            ),
            (
                {"auth_token_update_strategy": "delete", "auth_token": None},
                "auth_token_update_strategy is delete but all of the following are missing: user_group_ids",
            ),
            (
                {"auth_tokens": {"sessions": A}},
                "parameters are mutually exclusive: auth_token|auth_tokens|auth_token_secret",
            ),
            (
                {"auth_token": None, "auth_token_secret": {"name": "s"}, "known_auth_tokens": [A]},
                "parameters are mutually exclusive: known_auth_tokens|auth_token_secret",
            ),
            (
                {"user_group_ids": [USERS]},
                "user_group_ids go with auth_token_update_strategy: delete, not with rotate.",
            ),
            (
                {"auth_token_update_strategy": "set", "remove_user_groups": True},
                (
                    "remove_user_groups goes with auth_token_update_strategy: rotate, not with set: "
                    "AWS takes the user groups away in the call that rotates the token in."
                ),
            ),
            ({"wait_delay": 0}, "wait_delay: 0.0 would never pause; give seconds above 0."),
            ({"wait_timeout": -1}, "wait_timeout: -1.0 lies in the past; give seconds from 0 on."),
            ({"data_plane_timeout": 0}, "data_plane_timeout: 0.0 is not possible; give seconds above 0."),
            (
                {"assume_state": "rbac"},
                "value of assume_state must be one of: open, optional, required, rotating, got: rbac",
            ),
            (
                {"aws_config": {"nonsense": 1}},
                "aws_config is not a botocore configuration: Got unexpected keyword argument 'nonsense'",
            ),
        ],
    )
    def test_refused(self, emulator: Emulator, options: dict[str, Any], message: str) -> None:
        args = {"replication_group_ids": [GROUP], "auth_token_update_strategy": "rotate", "auth_token": B, **options}
        ended = run(emulator, UNIT, {name: value for name, value in args.items() if value is not None})
        assert_refused(emulator, ended, message, [])

    def test_delete_without_any_user_group(self, emulator: Emulator) -> None:
        """An empty list is no user group either."""
        create(emulator, AuthToken=A)
        ended = auth(emulator, "delete", user_group_ids=[])
        assert_refused(
            emulator,
            ended,
            "user_group_ids is empty, and AWS takes a token away only together with attaching a user group.",
            ["CreateReplicationGroup"],
        )
