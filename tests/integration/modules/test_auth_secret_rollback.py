# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The module ``auth_secret`` on the way back to the previous token, and on the way to none.

Runs that are cut off on these ways are among the operations of ``test_auth_secret``.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from integration import direct
from integration.modules.test_auth_secret import (
    KEY,
    NAME,
    act,
    actions,
    changed,
    labels,
    mutating,
    refused,
    text,
    token,
    unchanged,
    value,
    versions,
)
from integration.scenes import GROUP, A, B, C, put_secret

from ansible_collections.elasticache.auth.plugins.module_utils._aws import secrets as store
from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import Clients
from ansible_collections.elasticache.auth.plugins.module_utils._aws.secrets import (
    ABANDONED,
    CURRENT,
    PENDING,
    PREVIOUS,
    SecretCall,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="none")

BACK: dict[str, Any] = {"key": KEY, "from_previous": True}
LABEL = "UpdateSecretVersionStage"
STAGE_ANOTHER = "so there is nothing to go back to. Stage another token instead (state: staged without from_previous)."


def move(emulator: Emulator, stage: str, to: str | None, name: str = NAME) -> None:
    """Move a staging label, or take it off, behind the module's back."""
    found = labels(emulator, name)
    members = {
        **({"RemoveFromVersionId": found[stage]} if stage in found else {}),
        **({"MoveToVersionId": to} if to else {}),
    }
    emulator.client("secretsmanager").update_secret_version_stage(SecretId=name, VersionStage=stage, **members)


def rotated(emulator: Emulator, *, key: str | None = KEY, previous: str = A, current: str = B) -> None:
    """A secret with a token in AWSPREVIOUS and one in AWSCURRENT, promoted by the module."""
    put_secret(emulator, NAME, *((text(one, port=1) if key else one) for one in (previous, current)))
    ended = act(emulator, "promoted", key=key)
    assert ended.changed, ended.msg


def tokens(emulator: Emulator) -> dict[str, str]:
    """The truth: the token at every staging label that there is."""
    return {stage: token(emulator, stage) for stage in labels(emulator)}


class TestBack:
    """Staged from AWSPREVIOUS, promoted, abandoned."""

    @pytest.mark.parametrize("key", [KEY, None])
    def test_the_whole_way(self, emulator: Emulator, key: str | None) -> None:
        rotated(emulator, key=key)
        options = {"key": key} if key else {}
        before, made = labels(emulator), versions(emulator)
        outcome = changed(emulator, "staged", **options, from_previous=True)
        assert outcome["msg"] == (
            f"sessions: the token in AWSPREVIOUS of the secret {NAME} was staged in AWSPENDING. "
            "The one in AWSCURRENT is marked as given up (elasticache.auth/abandoned)."
        )
        assert outcome["api_calls"] == [
            {
                "action": LABEL,
                "parameters": {"SecretId": NAME, "VersionStage": ABANDONED, "MoveToVersionId": before[CURRENT]},
            },
            {
                "action": LABEL,
                "parameters": {"SecretId": NAME, "VersionStage": PENDING, "MoveToVersionId": before[PREVIOUS]},
            },
        ]
        assert ABANDONED not in outcome["before"]
        assert outcome["after"][ABANDONED] == before[CURRENT]
        assert tokens(emulator) == {CURRENT: B, PREVIOUS: A, PENDING: A, ABANDONED: B}
        note = unchanged(emulator, "staged", **options, from_previous=True)["msg"]
        assert note == f"sessions: the token in AWSPREVIOUS of the secret {NAME} is staged in AWSPENDING already."
        unchanged(emulator, "staged", **options)  # a token is staged, whichever

        outcome = changed(emulator, "promoted", **options)
        assert actions(outcome) == [LABEL] * 2
        assert tokens(emulator) == {CURRENT: A, PREVIOUS: B, ABANDONED: B}
        note = unchanged(emulator, "staged", **options, from_previous=True)["msg"]
        assert note == (
            f"sessions: the secret {NAME} has gone back to its previous token already; "
            "state: abandoned takes the labels off the one that was given up."
        )

        outcome = changed(emulator, "abandoned", **options)
        assert [action["parameters"]["VersionStage"] for action in outcome["api_calls"]] == [PREVIOUS, ABANDONED]
        assert outcome["msg"] == (
            f"sessions: version {before[CURRENT]} of the secret {NAME}, which had been given up, was stripped of its "
            "labels. Secrets Manager deletes the version in a day or more."
        )
        assert ABANDONED not in outcome["after"]
        assert labels(emulator) == {CURRENT: before[PREVIOUS]}
        assert versions(emulator) == made
        note = unchanged(emulator, "abandoned", **options)["msg"]
        assert note == f"sessions: no version of the secret {NAME} is marked as given up (elasticache.auth/abandoned)."
        # Nothing of it is in the way of the next token, or of the next way back.
        changed(emulator, "staged", **options)
        changed(emulator, "promoted", **options)
        changed(emulator, "staged", **options, from_previous=True)
        changed(emulator, "promoted", **options)
        assert token(emulator, CURRENT) == A

    def test_to_a_token_from_none(self, emulator: Emulator) -> None:
        """After ``cleared`` it leads back to the token."""
        put_secret(emulator, NAME, text(A, port=1))
        for dummy in range(2):
            changed(emulator, "cleared", key=KEY)
            changed(emulator, "staged", **BACK)
            changed(emulator, "promoted", key=KEY)
            changed(emulator, "abandoned", key=KEY)
            assert tokens(emulator) == {CURRENT: A}
            assert value(emulator, CURRENT) == text(A, port=1)
        assert len(versions(emulator)) == 3

    def test_given_up(self, emulator: Emulator) -> None:
        rotated(emulator)
        before = labels(emulator)
        changed(emulator, "staged", **BACK)
        outcome = changed(emulator, "discarded", key=KEY)
        assert [action["parameters"]["VersionStage"] for action in outcome["api_calls"]] == [PENDING, ABANDONED]
        assert outcome["msg"].endswith(
            f"The version stays, as AWSPREVIOUS. AWSCURRENT is no longer marked as given up ({ABANDONED})."
        )
        assert labels(emulator) == before
        # Cut off between the marks, there is only one of them to take off.
        move(emulator, ABANDONED, before[CURRENT])
        outcome = changed(emulator, "discarded", key=KEY)
        assert outcome["msg"] == f"sessions: the label {ABANDONED} was taken off AWSCURRENT of the secret {NAME}."
        assert labels(emulator) == before

    def test_a_hand_that_staged_it_is_taken_up(self, emulator: Emulator) -> None:
        rotated(emulator)
        move(emulator, PENDING, labels(emulator)[PREVIOUS])
        outcome = changed(emulator, "staged", **BACK)
        assert [action["parameters"]["VersionStage"] for action in outcome["api_calls"]] == [ABANDONED]
        assert outcome["msg"].startswith(f"sessions: AWSCURRENT of the secret {NAME} was marked as given up")

    def test_a_promotion_of_it_that_was_cut_off_is_no_reason_to_stage(self, emulator: Emulator) -> None:
        rotated(emulator)
        changed(emulator, "staged", **BACK)
        move(emulator, CURRENT, labels(emulator)[PENDING])
        unchanged(emulator, "staged", **BACK)
        changed(emulator, "promoted", key=KEY)
        assert tokens(emulator) == {CURRENT: A, PREVIOUS: B, ABANDONED: B}

    def test_another_token_since(self, emulator: Emulator) -> None:
        """Where the way back was never ended and another token promoted, AWSPREVIOUS is another's: it stays."""
        rotated(emulator)
        changed(emulator, "staged", **BACK)
        changed(emulator, "promoted", key=KEY)
        changed(emulator, "staged", key=KEY, auth_token=C)
        changed(emulator, "promoted", key=KEY)
        assert tokens(emulator) == {CURRENT: C, PREVIOUS: A, ABANDONED: B}
        refused(
            emulator,
            f"sessions: the secret {NAME} has gone back before, and another token has been promoted since. Take the "
            f"label {ABANDONED} off the one that was given up then, with state: abandoned, and repeat this.",
            **BACK,
        )
        outcome = changed(emulator, "abandoned", key=KEY)
        assert [action["parameters"]["VersionStage"] for action in outcome["api_calls"]] == [ABANDONED]
        assert tokens(emulator) == {CURRENT: C, PREVIOUS: A}
        changed(emulator, "staged", **BACK)

    def test_another_token_staged_between_the_look_and_the_call(self, emulator: Emulator) -> None:
        """A label that no version had is put on one by compare-and-swap: whoever staged another meanwhile keeps it."""
        rotated(emulator)
        emulator.faults({"kind": "pause", "action": LABEL, "nth": 2})  # the first one marks what is given up

        def stage_another() -> None:
            while not emulator.faults()[0]["struck"]:
                time.sleep(0.02)
            client = emulator.client("secretsmanager")
            client.put_secret_value(SecretId=NAME, SecretString=text(C), VersionStages=[PENDING])
            emulator.clear_faults()

        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(stage_another)
            ended = act(emulator, "staged", **BACK)
            other.result()
        assert ended.failed
        assert "AWSPENDING of the secret s/sessions holds another token than AWSPREVIOUS" in ended.msg
        assert tokens(emulator)[PENDING] == C
        described = emulator.client("secretsmanager").describe_secret(SecretId=NAME)["VersionIdsToStages"]
        assert sorted(stage for stages in described.values() for stage in stages).count(PENDING) == 1

    def test_two_runs_at_once(self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        """The other run is through by the time of our first call: ours finds all done."""
        rotated(emulator)
        found, perform = labels(emulator), store.perform_call
        interrupted: list[str] = []

        def perform_late(clients: Clients, call: SecretCall, **more: Any) -> Mapping[str, Any]:
            if not interrupted:
                interrupted.append(call.action)
                move(emulator, ABANDONED, found[CURRENT])
                move(emulator, PENDING, found[PREVIOUS])
                move(emulator, CURRENT, found[PREVIOUS])
                move(emulator, PENDING, None)
                # moto would put the label on twice; AWS says where it is.
                code = "InvalidParameterException"
                emulator.faults({"kind": "error", "action": LABEL, "code": code, "message": "already attached"})
            return perform(clients, call, **more)

        monkeypatch.setattr(store, "perform_call", perform_late)
        ended = act(emulator, "staged", **BACK)
        assert not ended.failed, ended.msg
        assert interrupted
        assert tokens(emulator) == {CURRENT: A, PREVIOUS: B, ABANDONED: B}


class TestNoWayBack:
    """Each is one clear message, and not a call that could change anything."""

    def test_nothing_in_awsprevious(self, emulator: Emulator) -> None:
        put_secret(emulator, NAME, text(A))
        refused(emulator, f"sessions: the secret {NAME} has no version in AWSPREVIOUS, {STAGE_ANOTHER}", **BACK)

    def test_an_empty_secret(self, emulator: Emulator) -> None:
        emulator.client("secretsmanager").create_secret(Name=NAME)
        refused(
            emulator,
            f"sessions: the secret {NAME} is empty, so there is nothing to go back to. Stage a token first.",
            **BACK,
        )

    @pytest.mark.parametrize(
        ("previous", "words"),
        [
            ("", "says that there was no token"),
            ("short", "is not a valid AUTH token: it has 5 characters, AWS takes 16 to 128"),
            (B, "holds the token that AWSCURRENT holds too"),
        ],
    )
    def test_what_awsprevious_holds(self, emulator: Emulator, previous: str, words: str) -> None:
        put_secret(emulator, NAME, text(previous))
        emulator.client("secretsmanager").put_secret_value(SecretId=NAME, SecretString=text(B, port=2))
        refused(emulator, f"sessions: AWSPREVIOUS of the secret {NAME} {words}, {STAGE_ANOTHER}", **BACK)

    @pytest.mark.parametrize("leftover", [False, True])
    def test_another_token_is_staged(self, emulator: Emulator, leftover: bool) -> None:
        """Or AWSPENDING was left on the token in AWSCURRENT; both have the same ways out."""
        rotated(emulator)
        if leftover:
            move(emulator, PENDING, labels(emulator)[CURRENT])
        else:
            changed(emulator, "staged", key=KEY)
        refused(
            emulator,
            f"sessions: AWSPENDING of the secret {NAME} holds another token than AWSPREVIOUS, and a group may accept "
            "that already. Promote it, or discard it where no group does (state: promoted, state: discarded).",
            **BACK,
        )
        changed(emulator, "discarded", key=KEY)
        changed(emulator, "staged", **BACK)

    @pytest.mark.parametrize("from_previous", [True, False])
    def test_half_way(self, emulator: Emulator, from_previous: bool) -> None:
        """AWSCURRENT is marked and nothing staged: only the way back goes on, any other token would confuse it."""
        rotated(emulator)
        move(emulator, ABANDONED, labels(emulator)[CURRENT])
        if from_previous:
            changed(emulator, "staged", **BACK)
            assert tokens(emulator) == {CURRENT: B, PREVIOUS: A, PENDING: A, ABANDONED: B}
            return
        for state in ("staged", "cleared"):
            refused(
                emulator,
                f"sessions: AWSCURRENT of the secret {NAME} is marked as given up for the token in AWSPREVIOUS "
                f"({ABANDONED}). Go on with that (state: staged with from_previous: true, then promoted), or give it "
                "up (state: discarded).",
                state,
                key=KEY,
            )
        changed(emulator, "discarded", key=KEY)
        changed(emulator, "staged", key=KEY)

    def test_abandoned_before_promoted(self, emulator: Emulator) -> None:
        rotated(emulator)
        changed(emulator, "staged", **BACK)
        refused(
            emulator,
            f"sessions: AWSCURRENT of the secret {NAME} is the version that is marked as given up ({ABANDONED}), so "
            "the secret has not gone back yet. Promote the token in its place first (state: promoted), or give that "
            "up (state: discarded).",
            "abandoned",
            key=KEY,
        )

    def test_abandoned_while_it_is_staged_again(self, emulator: Emulator) -> None:
        rotated(emulator)
        changed(emulator, "staged", **BACK)
        changed(emulator, "promoted", key=KEY)
        move(emulator, PENDING, labels(emulator)[PREVIOUS])
        for state, options in (("abandoned", {"key": KEY}), ("staged", BACK)):
            refused(
                emulator,
                f"sessions: AWSPENDING of the secret {NAME} is the version that is marked as given up ({ABANDONED}), "
                "so a group may be about to accept it again. Promote it, or discard it where no group does (state: "
                "promoted, state: discarded).",
                state,
                **options,
            )
        changed(emulator, "discarded", key=KEY)
        changed(emulator, "abandoned", key=KEY)
        assert tokens(emulator) == {CURRENT: A}

    @pytest.mark.parametrize("state", ["abandoned", "cleared"])
    def test_no_secret(self, emulator: Emulator, state: str) -> None:
        message = f"sessions: there is no secret {NAME} in us-east-1. Create it, or check name and region."
        refused(emulator, message, state, key=KEY)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"auth_token": B}, "auth_token goes with a new token"),
            ({"auth_tokens": {GROUP: B}}, "auth_tokens goes with a new token"),
            ({"length": 20}, "length goes with a new token"),
            ({"create": True}, "create goes with a new token"),
            ({"state": "promoted"}, "from_previous goes with state: staged, not with promoted."),
            ({"state": "cleared", "from_previous": False}, "state: cleared needs key. A bare secret can't say that"),
            ({"state": "abandoned", "from_previous": False, "auth_token": B}, "auth_token goes with state: staged"),
        ],
    )
    def test_options(self, emulator: Emulator, options: dict[str, Any], message: str) -> None:
        put_secret(emulator, NAME, A)
        args = {"replication_group_id": GROUP, "name": NAME, "state": "staged", "from_previous": True, **options}
        before = mutating(emulator)
        ended = direct.run(emulator, "auth_secret", args, hidden=[A])
        assert ended.failed
        assert ended.msg.startswith(message)
        assert mutating(emulator) == before


class TestCleared:
    """AWSCURRENT says that there is no token."""

    def test_the_other_keys_stay(self, emulator: Emulator) -> None:
        odd = f'{{ "port":6379.0,"{KEY}" : "{A}",\n "n": 12345678901234567890.10 }}'
        put_secret(emulator, NAME, odd)
        before = labels(emulator)
        outcome = changed(emulator, "cleared", key=KEY)
        assert outcome["msg"] == (
            f"sessions: AWSCURRENT of the secret {NAME} was made to say that there is no token. "
            "The one that it held is in AWSPREVIOUS."
        )
        assert outcome["api_calls"] == [
            {
                "action": "PutSecretValue",
                "parameters": {"SecretId": NAME, "SecretString": "********", "VersionStages": [CURRENT]},
            }
        ]
        assert value(emulator, CURRENT) == odd.replace(A, "")
        assert labels(emulator)[PREVIOUS] == before[CURRENT]
        assert value(emulator, PREVIOUS) == odd
        note = unchanged(emulator, "cleared", key=KEY)["msg"]
        assert note == f"sessions: AWSCURRENT of the secret {NAME} says already that there is no token."

    def test_a_token_can_be_staged_afterwards(self, emulator: Emulator) -> None:
        put_secret(emulator, NAME, text(A, port=1))
        changed(emulator, "staged", key=KEY)  # its version has the id that the cleared one would get
        changed(emulator, "discarded", key=KEY)
        changed(emulator, "cleared", key=KEY)
        changed(emulator, "staged", key=KEY, auth_token=B)
        changed(emulator, "promoted", key=KEY)
        assert value(emulator, CURRENT) == text(B, port=1)

    def test_a_change_is_under_way(self, emulator: Emulator) -> None:
        put_secret(emulator, NAME, text(A), text(B))
        refused(
            emulator,
            f"sessions: AWSPENDING of the secret {NAME} holds another version than AWSCURRENT: a change is under way, "
            "and a group may accept the token already. Promote it, or discard it where no group does (state: promoted, "
            "state: discarded), then repeat this.",
            "cleared",
            key=KEY,
        )

    def test_what_a_promotion_left_on_awscurrent_does_not_stay_staged(self, emulator: Emulator) -> None:
        put_secret(emulator, NAME, text(A))
        move(emulator, PENDING, labels(emulator)[CURRENT])
        outcome = changed(emulator, "cleared", key=KEY)
        assert actions(outcome) == [LABEL, "PutSecretValue"]
        assert tokens(emulator) == {CURRENT: "", PREVIOUS: A}

    def test_an_empty_secret_has_no_token(self, emulator: Emulator) -> None:
        emulator.client("secretsmanager").create_secret(Name=NAME)
        unchanged(emulator, "cleared", key=KEY)
        unchanged(emulator, "abandoned", key=KEY)

    @pytest.mark.parametrize(
        ("current", "message"),
        [
            (
                A,
                (
                    "holds no JSON object, and a bare secret can't say that there is no token. Store a JSON object "
                    "with the token under auth_token, or delete the secret once no client reads it."
                ),
            ),
            ('{"x": 1}', "has no text under the key auth_token. Check key."),
            ('{"x" 1}', "holds malformed JSON (line 1, column 6). Repair it."),
        ],
    )
    def test_what_it_can_not_understand(self, emulator: Emulator, current: str, message: str) -> None:
        put_secret(emulator, NAME, current)
        refused(emulator, f"sessions: AWSCURRENT of the secret {NAME} {message}", "cleared", key=KEY)

    def test_the_other_modules_understand_it(self, emulator: Emulator) -> None:
        put_secret(emulator, NAME, text(A))
        changed(emulator, "cleared", key=KEY)
        args = {
            "replication_group_id": GROUP,
            "auth_token_update_strategy": "rotate",
            "auth_token_secret": {"name": NAME, "key": KEY},
        }
        ended = direct.run(emulator, "replication_group_auth", args, hidden=[A])
        assert ended.failed
        assert ended.of(GROUP)["msg"] == (
            f"sessions: the secret {NAME} holds no token in AWSCURRENT (yet). Stage one, or name another label in "
            "auth_token_secret.stage (it has AWSPREVIOUS)."
        )


@pytest.mark.parametrize(
    ("state", "action"),
    [("staged", "GetSecretValue"), ("staged", LABEL), ("abandoned", LABEL), ("cleared", "PutSecretValue")],
)
def test_not_allowed(emulator: Emulator, state: str, action: str) -> None:
    if state == "cleared":
        put_secret(emulator, NAME, text(A))
    else:
        rotated(emulator)
    if state == "abandoned":
        changed(emulator, "staged", **BACK)
        changed(emulator, "promoted", key=KEY)
    kept = labels(emulator)
    emulator.faults({"kind": "error", "action": action, "code": "AccessDeniedException", "message": "no"})
    ended = act(emulator, state, **(BACK if state == "staged" else {"key": KEY}))
    assert ended.failed
    assert f"secretsmanager:{action} was refused in us-east-1: AccessDeniedException: no. Allow it" in ended.msg
    assert labels(emulator) == kept
