# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What can't work is refused by the operations before anything is changed: with one message that names the group, the
option and the way out.

The roles hand all of it to ``auth_operation``, which runs in this process here; a few plays show that its refusal is
the role's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import ModuleRun, auth, run
from integration.role_scenes import KEY, labelled, promote, put_token, run_role, secret_name, secret_text
from integration.scenes import (
    GROUP,
    USERS,
    A,
    B,
    C,
    D,
    create,
    create_user_group,
    rotate,
    scene,
    slots,
)
from unit.plugins.module_utils._core.option_names import options_in

from ansible_collections.elasticache.auth.plugins.module_utils._core.role_words import for_role

if TYPE_CHECKING:
    from conftest import Emulator

TEMPLATE = "elasticache/{replication_group_id}/auth-token"
SECRET = secret_name()
#: What the roles hand over by default.
IDS = {"user_group_id": "{replication_group_id}-users", "user_id": "{replication_group_id}-default"}
OPEN = {**IDS, "open_user_group_id": "{replication_group_id}-open"}
WITH_USERS = {"migrate_auth_to_rbac": IDS, "disable_access_control": OPEN, "rollback_token": IDS}
TOKEN_OPERATIONS = (
    "rotate_token",
    "enable_auth",
    "migrate_rbac_to_auth",
    "migrate_auth_to_rbac",
    "disable_access_control",
    "rollback_token",
)


def plan(emulator: Emulator, operation: str, *groups: str, **options: Any) -> ModuleRun:
    """Run ``auth_operation`` as the role does, and let it plan only. An option that is None is left out."""
    args: dict[str, Any] = {
        "operation": operation,
        "replication_group_ids": list(groups or [GROUP]),
        "auth_token_secret": {"name": TEMPLATE, "key": KEY},
        "data_plane_ca_path": emulator.ca_bundle,
        "wait_delay": 0.1,
        **WITH_USERS.get(operation, {}),
        **options,
    }
    given = {name: value for name, value in args.items() if value is not None}
    return run(emulator, "auth_operation", given, check=True)


def refused(
    emulator: Emulator,
    operation: str,
    says: str | Sequence[str],
    *groups: str,
    hides: Sequence[str] = (),
    **options: Any,
) -> ModuleRun:
    """Plan an operation that can't be made: the message has all of ``says``, and no service got a call that changes."""
    begun = time.time()
    ended = plan(emulator, operation, *groups, **options)
    assert ended.failed, ended.msg
    for part in [says] if isinstance(says, str) else says:
        assert part in ended.msg
    for part in hides:
        assert part not in ended.output
    assert options_in(for_role(ended.msg, operation)) == set()
    assert emulator.calls(mutating="true", since=begun) == []
    assert not any(
        one["planned_steps"] or one["planned_calls"]
        for one in ended.result.get("outcomes", {}).values()
        if one["failed"]
    )
    return ended


def store(emulator: Emulator, text: str, stage: str = "AWSCURRENT") -> None:
    """Put a text at a label of the group's secret, as it is."""
    emulator.client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=text, VersionStages=[stage])


class TestSecret:
    """The secret is not what it should be."""

    @pytest.mark.parametrize("operation", TOKEN_OPERATIONS)
    def test_there_is_none(self, emulator: Emulator, operation: str) -> None:
        scene(emulator, "required")
        ended = refused(emulator, operation, f"{GROUP}: there is no secret {SECRET} in us-east-1. Create it with")
        assert "auth_token_secret.name and region" in ended.msg

    @pytest.mark.parametrize("operation", TOKEN_OPERATIONS)
    def test_it_is_empty(self, emulator: Emulator, operation: str) -> None:
        scene(emulator, "required")
        emulator.client("secretsmanager").create_secret(Name=SECRET)
        refused(emulator, operation, f"{GROUP}: the secret {SECRET} is empty. Store the token in force in its")

    @pytest.mark.parametrize(
        ("text", "key", "says"),
        [
            pytest.param('{"auth_token": "quie', KEY, ["malformed JSON (line 1, column 16)", "Repair"], id="malformed"),
            pytest.param("[]", KEY, ["no JSON object", "Leave auth_token_secret.key out"], id="no-object"),
            pytest.param(A, KEY, ["no JSON object", "Leave auth_token_secret.key out"], id="bare"),
            pytest.param(secret_text(A), None, ["holds JSON", "auth_token_secret.key"], id="no-key-named"),
            pytest.param(secret_text(A), "token", ["under the key token", "auth_token_secret.key"], id="another-key"),
            pytest.param('{"auth_token": 12}', KEY, ["no text under the key", "auth_token_secret.key"], id="number"),
        ],
    )
    def test_what_it_holds(self, emulator: Emulator, text: str, key: str | None, says: list[str]) -> None:
        scene(emulator, "required")
        emulator.client("secretsmanager").create_secret(Name=SECRET, SecretString=text)
        source = {"name": TEMPLATE, **({"key": key} if key else {})}
        refused(
            emulator,
            "rotate_token",
            [f"{GROUP}: the secret {SECRET}", *says],
            auth_token_secret=source,
            hides=[A, "quie"],
        )

    def test_it_is_scheduled_for_deletion(self, emulator: Emulator) -> None:
        scene(emulator, "required")
        put_token(emulator, A)
        emulator.client("secretsmanager").delete_secret(SecretId=SECRET)
        says = [f"{GROUP}: the secret {SECRET} is scheduled for deletion", "secretsmanager:RestoreSecret"]
        for operation in ("rotate_token", "enable_auth"):
            refused(emulator, operation, says)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            pytest.param(secret_text("short"), "it has 5 characters, AWS takes 16 to 128", id="short"),
            pytest.param(
                secret_text("/" * 20),
                "character 1 is '/', which AWS takes in no token",
                id="characters",
            ),
            pytest.param('{"auth_token": "quie', "malformed JSON", id="malformed"),
            pytest.param('{"other": "x"}', "no text under the key auth_token", id="key"),
        ],
    )
    def test_what_is_staged(self, emulator: Emulator, text: str, says: str) -> None:
        """The message leads out: with the label off, the operation can be made."""
        scene(emulator, "required")
        put_token(emulator, A)
        store(emulator, text, "AWSPENDING")
        says_all = [f"{GROUP}: ", SECRET, "AWSPENDING", says, "elasticache.auth.auth_secret with state: discarded"]
        refused(emulator, "rotate_token", says_all, force=True, hides=["quie"])
        off = {"replication_group_ids": [GROUP], "name": TEMPLATE, "key": KEY, "state": "discarded"}
        assert run(emulator, "auth_secret", off).changed
        assert plan(emulator, "rotate_token", force=True).of(GROUP)["planned_steps"][0] == "stage"

    def test_what_was_there_before(self, emulator: Emulator) -> None:
        """It may be in force, so it is not passed over; the message says that AWSCURRENT is not meant."""
        scene(emulator, "required")
        emulator.client("secretsmanager").create_secret(Name=SECRET, SecretString='{"auth_token": "quie')
        store(emulator, secret_text(A))
        says = [f"{GROUP}: the secret {SECRET}", "malformed JSON", "AWSPREVIOUS", "take the label off that version"]
        refused(emulator, "rotate_token", says, hides=["quie"])
        client = emulator.client("secretsmanager")
        versions = client.describe_secret(SecretId=SECRET)["VersionIdsToStages"]
        previous = next(version for version, stages in versions.items() if "AWSPREVIOUS" in stages)
        client.update_secret_version_stage(SecretId=SECRET, VersionStage="AWSPREVIOUS", RemoveFromVersionId=previous)
        assert not plan(emulator, "rotate_token").failed

    def test_two_groups_share_one(self, emulator: Emulator) -> None:
        scene(emulator, "required")
        create(emulator, "carts", AuthToken=A)
        put_token(emulator, A)
        says = [f"{GROUP}, carts: they would share the secret {SECRET}", "{replication_group_id} in auth_token_secret"]
        refused(emulator, "rotate_token", says, GROUP, "carts", auth_token_secret={"name": SECRET, "key": KEY})

    @pytest.mark.parametrize("name", ["", "elasticache/{group}/auth-token"])
    def test_its_name(self, emulator: Emulator, name: str) -> None:
        scene(emulator, "required")
        refused(
            emulator,
            "rotate_token",
            ["auth_token_secret.name", "{replication_group_id}"],
            auth_token_secret={"name": name, "key": KEY},
        )


class TestDrift:
    """The group does not accept what the store says."""

    @pytest.mark.parametrize("operation", TOKEN_OPERATIONS)
    def test_current_is_not_accepted(self, emulator: Emulator, operation: str) -> None:
        scene(emulator, "rotating")
        put_token(emulator, C)
        refused(
            emulator,
            operation,
            [
                f"{GROUP}: {operation} is refused",
                f"does not accept the token in AWSCURRENT of the secret {SECRET} (drift)",
                "find out who changed it",
                "put the token in force into AWSCURRENT",
            ],
            accept_open_access=True,
            accept_open_window=True,
        )

    def test_changed_since(self, emulator: Emulator) -> None:
        """A ROTATE by someone else shows in the record alone: its token is not at hand, and AWSCURRENT is accepted."""
        scene(emulator, "required")
        put_token(emulator, A, B)
        source = {"name": TEMPLATE, "key": KEY}
        assert auth(emulator, "rotate", auth_token_secret={**source, "stage": "AWSPENDING"}, hidden=[A, B]).changed
        promote(emulator)
        assert auth(emulator, "set", auth_token_secret=source, hidden=[A, B]).changed
        time.sleep(1.1)  # dates have whole seconds
        rotate(emulator, D)
        ended = refused(
            emulator,
            "rotate_token",
            [f"{GROUP}: rotate_token is refused", "(drift)", "find out who", "assume_state"],
            force=True,
        )
        assert ended.of(GROUP)["drift"]

    def test_supplied(self, emulator: Emulator) -> None:
        scene(emulator, "required")
        refused(
            emulator,
            "rotate_token",
            [f"{GROUP}: rotate_token is refused", "(drift)", "supply the token that is in force, as the previous one"],
            auth_token_secret=None,
            auth_tokens={GROUP: C},
            previous_auth_tokens={GROUP: D},
        )

    def test_it_is_not_known(self, emulator: Emulator) -> None:
        """Without the nodes and without a record: that is said, and what settles it."""
        scene(emulator, "required")
        put_token(emulator, A)
        refused(
            emulator,
            "rotate_token",
            [f"{GROUP}: ", "AWS never tells", "use probe: auto", "assume_state"],
            force=True,
            probe="never",
        )


@dataclass(frozen=True)
class Bad:
    """Options that make no sense, and what is said about them."""

    says: tuple[str, ...]
    operation: str = "rotate_token"
    groups: tuple[str, ...] = (GROUP,)
    options: dict[str, Any] = field(default_factory=dict)


BAD = {
    "unknown-group": Bad(("nowhere: there is no replication group of this id", "region"), groups=("nowhere",)),
    "no-id": Bad(("replication_group_ids: 'a_b'", "letters, digits and hyphens"), groups=("a_b",)),
    "listed-twice": Bad(("replication_group_ids: sessions is listed twice",), groups=(GROUP, "SESSIONS")),
    "max-age": Bad(("max_token_age_days: -1", "0 or more"), options={"max_token_age_days": -1}),
    "phase": Bad(("phase", "all, begin, finish", "middle"), options={"phase": "middle"}),
    "wait-delay": Bad(("wait_delay: 0", "above 0"), options={"wait_delay": 0}),
    "wait-timeout": Bad(("wait_timeout: -1", "from 0 on"), options={"wait_timeout": -1}),
    "ca-path": Bad(
        ("data_plane_ca_path: /nowhere.pem", "no certificates"), options={"data_plane_ca_path": "/nowhere.pem"}
    ),
    "no-tokens": Bad(("operation: rotate_token", "auth_token_secret"), options={"auth_token_secret": None}),
    "two-sources": Bad(("mutually exclusive", "auth_tokens", "auth_token_secret"), options={"auth_tokens": {GROUP: C}}),
    "no-token-for-it": Bad(
        (f"{GROUP}: there is no token for it", "auth_tokens"),
        options={"auth_token_secret": None, "auth_tokens": {"carts": C}},
    ),
    "token-supplied": Bad(
        (f"{GROUP}: the token given is not a valid AUTH token", "elasticache.auth.random_auth_token"),
        options={"auth_token_secret": None, "auth_tokens": {GROUP: "too/short"}},
    ),
    "finish-before-begin": Bad(
        (f"{GROUP}: rotate_token_phase: finish is refused", "rotate_token_phase: begin again"),
        options={"phase": "finish", "force": True},
    ),
    "open-access": Bad(
        (f"{GROUP}: disable_access_control is refused", "disable_access_control_accept_open_access: true"),
        operation="disable_access_control",
    ),
    "open-user-group": Bad(
        (f"{GROUP}: user_group_id and open_user_group_id are both sessions-users", "different"),
        operation="disable_access_control",
        options={"open_user_group_id": IDS["user_group_id"], "accept_open_access": True},
    ),
    "no-user-group": Bad(
        ("user_group_id is needed with operation: migrate_auth_to_rbac",),
        operation="migrate_auth_to_rbac",
        options={"user_group_id": ""},
    ),
    "user-default": Bad(
        (f"{GROUP}: user_id: the user with the id default is AWS's own", "Name another id"),
        operation="migrate_auth_to_rbac",
        options={"user_id": "default"},
    ),
    "user-group-too-long": Bad(
        (f"{GROUP}: user_group_id: sessions-{'u' * 32} has 41 characters, AWS takes 40. Shorten it",),
        operation="migrate_auth_to_rbac",
        options={"user_group_id": f"{{replication_group_id}}-{'u' * 32}"},
    ),
    "user-no-id": Bad(
        (f"{GROUP}: user_id: 'sessions_app' can't be the id of a user", "letters, digits and hyphens"),
        operation="migrate_auth_to_rbac",
        options={"user_id": "{replication_group_id}_app"},
    ),
    "user-group-braces": Bad(
        (f"{GROUP}: user_group_id: '{{group}}-users' can't be the id of a user group",),
        operation="rollback_token",
        options={"user_group_id": "{group}-users"},
    ),
}


@pytest.mark.parametrize("bad", [pytest.param(bad, id=name) for name, bad in BAD.items()])
def test_options(emulator: Emulator, bad: Bad) -> None:
    """One message, which names the option and what it takes."""
    scene(emulator, "required")
    put_token(emulator, A)
    if bad.groups == ("nowhere",):
        put_token(emulator, A, group="nowhere")
    refused(emulator, bad.operation, bad.says, *bad.groups, hides=["too/short"], **bad.options)


def test_one_group_with_a_long_id_does_not_stop_the_others(emulator: Emulator) -> None:
    """The default ids leave less than 40 characters to the group's."""
    long = "g" * 36
    for group in (GROUP, long):
        create(emulator, group, AuthToken=A)
        put_token(emulator, A, group=group)
    ended = refused(emulator, "migrate_auth_to_rbac", ["1 of 2 groups failed", f"{long}: user_group_id: "], GROUP, long)
    assert ended.of(GROUP)["planned_steps"] == ["users", "client_cutover_users", "attach"]


class TestUsers:
    """User groups that are not the operation's to take."""

    def refused(self, emulator: Emulator, *says: str, **options: Any) -> None:
        """Take a group with a token to a user group that exists already."""
        create(emulator, "carts", AuthToken=A)
        put_token(emulator, A, group="carts")
        refused(emulator, "migrate_auth_to_rbac", ["carts: ", *says], "carts", **{"user_group_id": USERS, **options})
        assert slots(emulator, "carts") == [A]

    def test_used_by_another_group(self, emulator: Emulator) -> None:
        scene(emulator, "rbac")
        self.refused(
            emulator,
            f"user_group_id: the user group {USERS} also serves the replication group {GROUP}",
            "what serves others is never changed",
            "Name another one in migrate_auth_to_rbac_user_group_id",
        )

    def test_used_by_several(self, emulator: Emulator) -> None:
        scene(emulator, "rbac")
        create(emulator, "orders", UserGroupIds=[USERS])
        says = f"also serves the replication group orders and the replication group {GROUP}"
        self.refused(emulator, says, "Name another one")

    def test_has_a_user_named_default(self, emulator: Emulator) -> None:
        create_user_group(emulator)
        self.refused(
            emulator,
            f"user_group_id: the user group {USERS} has a user named default already, {USERS}-user",
            "Name that in migrate_auth_to_rbac_user_id",
        )

    def test_the_user_has_another_name(self, emulator: Emulator) -> None:
        emulator.client("elasticache").create_user(
            UserId="carts-default", UserName="app", Engine="valkey", AccessString="on ~* +@all", Passwords=[B]
        )
        self.refused(
            emulator,
            "user_id: there is a user carts-default already, with the name app",
            "Name another id",
            user_group_id="carts-users",
        )

    def test_two_groups_would_share(self, emulator: Emulator) -> None:
        for group in (GROUP, "carts"):
            create(emulator, group, AuthToken=A)
            put_token(emulator, A, group=group)
        for option in ("user_group_id", "user_id"):
            refused(
                emulator,
                "migrate_auth_to_rbac",
                [f"{GROUP}, carts: they would share {option}: one", "Put {replication_group_id} into it"],
                GROUP,
                "carts",
                **{option: "one"},
            )


class TestTls:
    """Tokens need encryption in transit, in mode required."""

    @pytest.mark.parametrize("mode", ["off", "preferred"])
    def test_a_group_without(self, emulator: Emulator, mode: str) -> None:
        create(emulator, TransitEncryptionEnabled=mode != "off", TransitEncryptionMode=None if mode == "off" else mode)
        put_token(emulator, A)
        refused(
            emulator,
            "enable_auth",
            [
                f"{GROUP}: enable_auth is refused: encryption in transit is in mode {mode}",
                "enable_auth_enable_tls: true",
            ],
        )
        for operation in ("rotate_token", "migrate_rbac_to_auth", "rollback_token"):
            says = [f"{GROUP}: {operation} is refused: the group is open", "the role enable_auth leads on"]
            refused(emulator, operation, says, accept_open_window=True)
        refused(emulator, "migrate_auth_to_rbac", [f"{GROUP}: migrate_auth_to_rbac is refused: the group is open"])


class TestPlays:
    """As users meet it: the play fails, says the same, and called nothing that changes."""

    def refused(self, emulator: Emulator, role: str, *says: str, **options: Any) -> None:
        ran = run_role(emulator, role, **{"soak": 0, **options})
        assert not ran.succeeded
        for part in says:
            assert part in ran.text, ran.output
        assert ran.mutating == []
        assert set(ran.changed.values()) <= {0}

    def test_consent_is_missing(self, emulator: Emulator) -> None:
        """Who would stop working is named, and nothing is done; not even the secret is made."""
        scene(emulator, "rbac")
        self.refused(
            emulator,
            "migrate_rbac_to_auth",
            f"{GROUP}: migrate_rbac_to_auth is refused",
            "default (on ~* +@all, as soon as the bridge user takes its place)",
            "migrate_rbac_to_auth_accept_open_window: true",
            create_secret=True,
        )
        assert labelled(emulator) == {}

    def test_localhost_without_groups(self, emulator: Emulator) -> None:
        self.refused(emulator, "rotate_token", "localhost is no replication group", "_replication_groups", groups=None)

    @pytest.mark.parametrize(
        ("variables", "says"),
        [
            pytest.param({"phase": "middle"}, ["rotate_token_phase", "all, begin, finish"], id="phase"),
            pytest.param({"soak": None}, ["rotate_token_soak", "rotate_token_client_tasks"], id="no-cutover"),
            pytest.param(
                {"max_token_age_days": -1},
                ["rotate_token_max_token_age_days: the number -1 is not possible. Give days, 0 or more."],
                id="max-age",
            ),
            pytest.param(
                {"groups": ("nowhere", GROUP)},
                ["nowhere: there is no replication group of this id"],
                id="unknown-group",
            ),
        ],
    )
    def test_variables(self, emulator: Emulator, variables: dict[str, Any], says: list[str]) -> None:
        scene(emulator, "required")
        put_token(emulator, A)
        self.refused(emulator, "rotate_token", *says, **variables)
        assert slots(emulator) == [A]
