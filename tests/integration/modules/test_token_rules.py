# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A token that AWS can't take is found out while planning, by its position and character, and before any call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import auth, run
from integration.role_scenes import KEY, put_token, secret_name, secret_text
from integration.roles.test_roles_bad_input import TEMPLATE, plan, refused
from integration.scenes import GROUP, A, B, put_secret, scene

if TYPE_CHECKING:
    from conftest import Emulator

SECRET = secret_name()
AT = "Aaquae7Zooph3yah@TheiV1ee"
BARE: dict[str, Any] = {"auth_token_secret": {"name": TEMPLATE}}
CONSENT: dict[str, Any] = {"accept_open_window": True, "accept_open_access": True}
FORBIDDEN = "character 17 is '@', which AWS takes in no token"
LINE_BREAK = f"it ends in a line break (character {len(A) + 1}): store it without, with printf in the place of echo"


@pytest.mark.parametrize(
    "operation", ["rotate_token", "enable_auth", "migrate_auth_to_rbac", "disable_access_control", "rollback_token"]
)
def test_a_token_in_awscurrent_that_no_group_can_have(emulator: Emulator, operation: str) -> None:
    """It was told as drift, to be looked for."""
    scene(emulator, "required")
    put_token(emulator, AT)
    options = CONSENT if operation == "disable_access_control" else {}
    says = (
        f"{GROUP}: {operation} is refused: AWSCURRENT of the secret {SECRET} can't be the token in force: {FORBIDDEN}"
    )
    ended = refused(emulator, operation, says, hides=[AT, AT[:8]], force=True, **options)
    assert "drift" not in ended.msg


@pytest.mark.parametrize("operation", ["rotate_token", "migrate_auth_to_rbac", "rollback_token"])
def test_a_bare_secret_that_ends_in_a_line_break(emulator: Emulator, operation: str) -> None:
    scene(emulator, "required")
    put_secret(emulator, SECRET, A + "\n")
    says = f"AWSCURRENT of the secret {SECRET} can't be the token in force: {LINE_BREAK}"
    ended = refused(emulator, operation, says, hides=[A], force=True, **BARE)
    assert "drift" not in ended.msg


@pytest.mark.parametrize("probe", ["auto", "never"])
def test_it_is_not_believed_either(emulator: Emulator, probe: str) -> None:
    """Where no node tells, the only token at hand would pass for the one in force."""
    scene(emulator, "required")
    put_token(emulator, AT)
    refused(emulator, "rotate_token", f"can't be the token in force: {FORBIDDEN}", force=True, probe=probe)


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        pytest.param(secret_text(AT), {}, "character 17 is '@', and AWS takes letters", id="character"),
        pytest.param(secret_text(AT.replace("@", "_")), {}, "character 17 is '_', and AWS takes letters", id="narrow"),
        pytest.param(A + "\n", BARE, LINE_BREAK, id="line-break"),
    ],
)
@pytest.mark.parametrize("operation", ["enable_auth", "migrate_rbac_to_auth"])
def test_it_would_be_sent(emulator: Emulator, operation: str, text: str, options: dict[str, Any], says: str) -> None:
    """The run ended in AWS's bare refusal, after the clients had been told to take it."""
    scene(emulator, "open" if operation == "enable_auth" else "rbac")
    put_secret(emulator, SECRET, text)
    message = f"{GROUP}: {operation} is refused: AWSCURRENT of the secret {SECRET} is not a valid AUTH token: {says}"
    ended = refused(emulator, operation, message, hides=[A, AT], **options, **CONSENT)
    assert "The step rotate_current would send it" in ended.msg


def test_back_to_one_that_aws_does_not_take(emulator: Emulator) -> None:
    """The issue's: eleven calls were planned, and the run refused."""
    scene(emulator, "required")
    put_secret(emulator, SECRET, secret_text(AT))
    emulator.client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=secret_text(A))
    says = f"rollback_token is refused: AWSPREVIOUS of the secret {SECRET} is not a valid AUTH token: {FORBIDDEN}"
    refused(emulator, "rollback_token", says, hides=[AT])


def test_what_is_only_aside_is_lived_with(emulator: Emulator) -> None:
    """A first value that never was a token stands in AWSPREVIOUS of many a secret."""
    scene(emulator, "required")
    put_secret(emulator, SECRET, secret_text("changeme"))
    emulator.client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=secret_text(A))
    ended = plan(emulator, "rotate_token", force=True)
    assert not ended.failed, ended.msg
    assert "rotate" in ended.of(GROUP)["planned_steps"]


def test_supplied(emulator: Emulator) -> None:
    """A token of the caller's that is new to the group keeps the narrow rules."""
    scene(emulator, "required")
    given: dict[str, Any] = {"auth_token_secret": None, "previous_auth_tokens": {GROUP: A}}
    for odd in "@_":
        problem = ["is not a valid AUTH token", f"character 17 is '{odd}', and AWS takes letters"]
        refused(emulator, "rotate_token", problem, auth_tokens={GROUP: AT.replace("@", odd)}, **given)
    says = "the previous token can't be the token in force: character 17 is '@'"
    options = {**given, "previous_auth_tokens": {GROUP: AT}}
    refused(emulator, "rotate_token", says, auth_tokens={GROUP: B}, **options)


class TestModules:
    def test_a_token_of_the_wide_rule_is_new(self, emulator: Emulator) -> None:
        """AWS says different things of it, so it is not sent."""
        scene(emulator, "required")
        ended = auth(emulator, "rotate", AT.replace("@", "_"), known_auth_tokens=[A])
        assert ended.failed
        assert "the token given is not a valid AUTH token: character 17 is '_', and AWS takes letters" in ended.msg
        assert emulator.calls(action="ModifyReplicationGroup") == []

    def test_what_can_not_be_in_force_is_named_where_nothing_fits(self, emulator: Emulator) -> None:
        scene(emulator, "required")
        ended = auth(emulator, "rotate", B, known_auth_tokens=[A + "\n"], hidden=[A])
        assert ended.failed
        assert f"Note that known token 1 can't be in force: {LINE_BREAK}." in ended.msg

    def test_creation(self, emulator: Emulator) -> None:
        args = {"description": "d", "engine": "valkey", "transit_encryption_enabled": True, "num_cache_clusters": 2}
        for token, says in (
            (AT.replace("@", "_"), "character 17 is '_', and AWS takes letters"),
            (A + "\n", LINE_BREAK),
        ):
            given = {"replication_group_id": GROUP, "auth_token": token, **args}
            for check in (True, False):
                ended = run(emulator, "replication_group", given, check=check, hidden=[A])
                assert ended.failed
                assert f"the token given is not a valid AUTH token: {says}" in ended.msg
        assert emulator.calls(mutating="true") == []

    def test_a_secret(self, emulator: Emulator) -> None:
        """A token that is given is held against the narrow rules, one that is promoted against the wide ones."""
        put_token(emulator, A)
        args = {"replication_group_ids": [GROUP], "name": TEMPLATE, "key": KEY}
        odd = AT.replace("@", "_")
        ended = run(emulator, "auth_secret", {**args, "state": "staged", "auth_token": odd}, hidden=[odd])
        assert "character 17 is '_', and AWS takes letters" in ended.msg
        client = emulator.client("secretsmanager")
        client.put_secret_value(SecretId=SECRET, SecretString=json.dumps({KEY: AT}), VersionStages=["AWSPENDING"])
        ended = run(emulator, "auth_secret", {**args, "state": "promoted"}, hidden=[AT])
        assert f"AWSPENDING of the secret {SECRET} is not a valid AUTH token: {FORBIDDEN}" in ended.msg
        client.put_secret_value(SecretId=SECRET, SecretString=json.dumps({KEY: odd}), VersionStages=["AWSPENDING"])
        ended = run(emulator, "auth_secret", {**args, "state": "promoted"}, hidden=[odd])
        assert ended.changed, ended.msg

    def test_a_users_password(self, emulator: Emulator) -> None:
        put_secret(emulator, "app", A + "\n")
        args = {"user_id": "app", "user_name": "app", "engine": "valkey", "access_string": "on ~* +@all"}
        ended = run(emulator, "user", {**args, "password_secrets": [{"name": "app"}]}, hidden=[A])
        assert f"app: password_secrets: number 1: {LINE_BREAK}" in ended.msg
        assert emulator.calls(mutating="true", service="elasticache") == []
