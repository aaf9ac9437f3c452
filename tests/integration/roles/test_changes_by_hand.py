# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Somebody changes a token by hand in the middle of an operation, and what the user assumes of a group's state.

After a change by hand the next run goes on from what the nodes answer. What the user says counts for no more than an
assumption: AWS's refusal speaks against it, and it is never on record as known.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import ModuleRun, auth, run
from integration.scenes import GROUP, A, B, C, create, modify, put_secret, rotate, scene, set_token, slots
from waiting import PATIENCE

if TYPE_CHECKING:
    from conftest import Emulator

NAME = f"t/{GROUP}"
TAG = "elasticache.auth/record"


def operate(emulator: Emulator, operation: str = "rotate_token", *, check: bool = False, **options: Any) -> ModuleRun:
    """Run an operation on the group as its role does, with nothing to wait for; an option of ``None`` is left out."""
    args: dict[str, Any] = {
        "operation": operation,
        "replication_group_id": GROUP,
        "auth_token_secret": {"name": NAME},
        "soak": 0,
        "wait_delay": 0.05,
        "wait_timeout": PATIENCE,
        "data_plane_ca_path": emulator.ca_bundle,
        **options,
    }
    if operation == "rollback_token":
        args |= {"user_group_id": "own", "user_id": "own-user"}
    return run(emulator, "auth_operation", {k: v for k, v in args.items() if v is not None}, check=check)


def versions(emulator: Emulator) -> dict[str, str]:
    """The ids of the secret's versions, by staging label."""
    shown = emulator.client("secretsmanager").describe_secret(SecretId=NAME)["VersionIdsToStages"]
    return {stage: version for version, stages in shown.items() for stage in stages}


def stored(emulator: Emulator) -> dict[str, str]:
    """The tokens in the secret, by staging label."""
    client = emulator.client("secretsmanager")
    return {
        stage: client.get_secret_value(SecretId=NAME, VersionId=version)["SecretString"]
        for stage, version in versions(emulator).items()
    }


def record(emulator: Emulator) -> str:
    return str(emulator.group(GROUP)["tags"].get(TAG, ""))


def half_way(emulator: Emulator, *, promoted: bool, operation: str = "rotate_token") -> str:
    """Begin an operation, cut it off before or after its promotion, and return the new token."""
    if not promoted:
        emulator.faults({"kind": "error", "action": "UpdateSecretVersionStage", "code": "AccessDeniedException"})
    ended = operate(emulator, operation, phase="begin", soak=None, force=True)
    assert ended.failed == (not promoted), ended.msg
    emulator.clear_faults()
    return stored(emulator)["AWSCURRENT" if promoted else "AWSPENDING"]


def required(emulator: Emulator) -> None:
    create(emulator, AuthToken=A)
    put_secret(emulator, NAME, A)


def assert_at_rest(emulator: Emulator, token: str) -> None:
    """The token alone is accepted, is in AWSCURRENT, and neither a second nor a planned run has anything to do."""
    assert slots(emulator) == [token]
    assert stored(emulator) == {"AWSCURRENT": token, "AWSPREVIOUS": A}
    again = operate(emulator)
    assert not again.failed, again.msg
    assert not again.changed, again.msg
    assert not again.of(GROUP)["drift"]


class TestSetByHand:
    """As the runbook has it: "once every client has the new token, SET with the AWS CLI"."""

    @pytest.mark.parametrize("promoted", [False, True])
    def test_a_rotation(self, emulator: Emulator, promoted: bool) -> None:
        required(emulator)
        new = half_way(emulator, promoted=promoted)
        set_token(emulator, new)
        planned = operate(emulator, check=True).of(GROUP)
        ended = operate(emulator)
        assert not ended.failed, ended.msg
        outcome = ended.of(GROUP)
        assert outcome["drift"]
        assert any("changed by someone else" in warning for warning in ended.warnings)
        assert (
            outcome["completed_steps"]
            == planned["planned_steps"]
            == (["update_record"] if promoted else ["update_record", "promote"])
        )
        assert "to make" not in outcome["msg"], "it tells what was done, and not what was planned"
        assert record(emulator).endswith(" assumed"), "nobody has seen that no other token was rotated in"
        assert_at_rest(emulator, new)
        refused = operate(emulator, force=True)
        assert refused.failed, "it may have been ROTATE of a token that nobody has, which the nodes don't show"
        assert slots(emulator) == [new]
        forced = operate(emulator, force=True, assume_state="required")
        assert not forced.failed, forced.msg
        assert slots(emulator) == [stored(emulator)["AWSCURRENT"]] != [new]
        assert not record(emulator).endswith(" assumed"), "SET leads to one state, whatever was assumed"

    def test_a_rotation_that_was_cut_off_at_rotate(self, emulator: Emulator) -> None:
        """The record announces ROTATE; SET came after it."""
        required(emulator)
        denied = {"action": "AddTagsToResource", "code": "AccessDenied", "nth": 2, "times": 9}
        emulator.faults({"kind": "error", **denied})
        operate(emulator, phase="begin", soak=None, force=True)
        emulator.clear_faults()
        new = stored(emulator).get("AWSPENDING") or stored(emulator)["AWSCURRENT"]
        set_token(emulator, new)
        ended = operate(emulator)
        assert not ended.failed, ended.msg
        assert_at_rest(emulator, new)

    def test_a_rollback(self, emulator: Emulator) -> None:
        """Back to A by hand, from a rollback that had rotated A in again."""
        required(emulator)
        assert not operate(emulator, force=True).failed
        new = stored(emulator)["AWSCURRENT"]
        denied = {"action": "UpdateSecretVersionStage", "code": "AccessDeniedException", "nth": 3}
        emulator.faults({"kind": "error", **denied})
        begun = operate(emulator, "rollback_token", phase="begin", soak=None)
        assert begun.failed, begun.msg
        emulator.clear_faults()
        assert slots(emulator) == [new, A]
        set_token(emulator, A)
        ended = operate(emulator, "rollback_token")
        assert not ended.failed, ended.msg
        assert slots(emulator) == [A]
        assert stored(emulator)["AWSCURRENT"] == A

    @pytest.mark.parametrize("promoted", [False, True])
    @pytest.mark.parametrize("operation", ["enable_auth", "migrate_rbac_to_auth"])
    def test_a_first_token(self, emulator: Emulator, operation: str, promoted: bool) -> None:
        scene(emulator, "open" if operation == "enable_auth" else "rbac")
        keyed: dict[str, Any] = {
            "auth_token_secret": {"name": NAME, "key": "auth_token"},
            "create_secret": True,
            "accept_open_window": True,
        }
        if not promoted:
            emulator.faults({"kind": "error", "action": "UpdateSecretVersionStage", "code": "AccessDeniedException"})
        begun = operate(emulator, operation, phase="begin", soak=None, **keyed)
        assert begun.failed == (not promoted), begun.msg
        emulator.clear_faults()
        new = json.loads(stored(emulator)["AWSCURRENT" if promoted else "AWSPENDING"])["auth_token"]
        if operation == "migrate_rbac_to_auth":
            modify(emulator, RemoveUserGroups=True, AuthToken=new, AuthTokenUpdateStrategy="ROTATE")
        set_token(emulator, new)
        ended = operate(emulator, operation, **keyed)
        assert not ended.failed, ended.msg
        assert slots(emulator) == [new]
        assert json.loads(stored(emulator)["AWSCURRENT"])["auth_token"] == new
        again = operate(emulator, operation, **keyed)
        assert not again.changed, again.msg

    @pytest.mark.emulator(data_plane="none")
    @pytest.mark.parametrize("promoted", [False, True])
    def test_where_the_nodes_cant_be_asked(self, emulator: Emulator, promoted: bool) -> None:
        """The user says so once, and the next run has it on record: as an assumption."""
        required(emulator)
        first = operate(emulator, assume_state="required", force=True, phase="begin", soak=None)
        assert not first.failed, first.msg
        new = stored(emulator)["AWSCURRENT"]
        if not promoted:
            client = emulator.client("secretsmanager")
            at = versions(emulator)
            old, newer = at["AWSPREVIOUS"], at["AWSCURRENT"]
            move = client.update_secret_version_stage
            move(SecretId=NAME, VersionStage="AWSCURRENT", MoveToVersionId=old, RemoveFromVersionId=newer)
            move(SecretId=NAME, VersionStage="AWSPREVIOUS", RemoveFromVersionId=newer)
            move(SecretId=NAME, VersionStage="AWSPENDING", MoveToVersionId=newer)
        set_token(emulator, new)
        refused = operate(emulator)
        assert refused.failed
        assert "(drift)" in refused.msg
        newest = "current" if promoted else "pending"
        assert "in assume_newest (" in refused.msg
        told = operate(emulator, assume_state="required", assume_newest=newest)
        assert not told.failed, told.msg
        assert told.of(GROUP)["evidence_summary"].endswith("your assumption")
        assert " assumed" in record(emulator)
        again = operate(emulator)
        assert not again.failed, again.msg
        assert not again.changed
        assert stored(emulator)["AWSCURRENT"] == new


class TestRotateByHand:
    def test_the_staged_token(self, emulator: Emulator) -> None:
        """The nodes don't tell which of two tokens is the newer one: that is asked for, and SET shows it."""
        required(emulator)
        assert not operate(emulator, force=True).failed
        current = stored(emulator)["AWSCURRENT"]
        emulator.client("secretsmanager").put_secret_value(SecretId=NAME, SecretString=C, VersionStages=["AWSPENDING"])
        rotate(emulator, C)
        refused = operate(emulator)
        assert refused.failed
        assert "in assume_newest (current or pending)" in refused.msg
        assert "name the state in assume_state" not in refused.msg
        accepted = "Its nodes accept the token in AWSCURRENT and the token in AWSPENDING"
        assert f"{accepted}, and refuse the token in AWSPREVIOUS and clients without a token." in refused.msg
        ended = operate(emulator, assume_newest="pending")
        assert not ended.failed, ended.msg
        assert slots(emulator) == [C]
        assert stored(emulator) == {"AWSCURRENT": C, "AWSPREVIOUS": current}

    def test_a_token_that_is_not_at_hand(self, emulator: Emulator) -> None:
        """Nothing is called: ROTATE would push out the one that clients have."""
        required(emulator)
        assert not operate(emulator, force=True).failed
        current = stored(emulator)["AWSCURRENT"]
        rotate(emulator, C)
        ended = operate(emulator, force=True)
        assert ended.failed
        assert "(drift)" in ended.msg
        assert "Its nodes accept the token in AWSCURRENT, and refuse the token in AWSPREVIOUS" in ended.msg
        assert slots(emulator) == [current, C]

    @pytest.mark.parametrize("between", [0, 1], ids=["at once", "after a run with nothing to rotate"])
    def test_a_token_that_is_not_at_hand_in_a_rotation(self, emulator: Emulator, between: int) -> None:
        """To the nodes it looks like SET; a run puts that on record as an assumption, which is not enough to rotate."""
        required(emulator)
        current = half_way(emulator, promoted=True)
        rotate(emulator, C)
        for dummy in range(between):
            assert not operate(emulator).failed
            assert record(emulator).endswith(" assumed")
        refused = operate(emulator, force=True)
        assert refused.failed
        assert "if it was ROTATE of a token that is not at hand" in refused.msg
        assert "say assume_state: required" in refused.msg
        assert slots(emulator) == [current, C]


class TestAssumptions:
    """``assume_state`` and ``assume_newest``."""

    pytestmark = pytest.mark.emulator(data_plane="none")

    def rotating_otherwise(self, emulator: Emulator) -> None:
        """[B, A], where the secret looks as if it were [A, B]."""
        create(emulator, AuthToken=B)
        rotate(emulator, A)
        put_secret(emulator, NAME, A, B)

    def test_an_assumption_that_fits_several_states_is_not_enough(self, emulator: Emulator) -> None:
        self.rotating_otherwise(emulator)
        ended = operate(emulator, assume_state="rotating")
        assert ended.failed
        assert "rotating (the token in AWSCURRENT, then the token in AWSPENDING) or rotating (the token in" in ended.msg
        assert "in assume_newest (current or pending)" in ended.msg
        assert "name the state in assume_state" not in ended.msg
        assert record(emulator) == ""

    @pytest.mark.parametrize("earlier", ["", "v1 required:u.1 seen=2020-01-01T00:00:00+00:00 at=1577836800"])
    def test_a_refusal_speaks_against_it(self, emulator: Emulator, earlier: str) -> None:
        """The earlier record is put back, so that the drift is told again; without one, nothing is on record."""
        self.rotating_otherwise(emulator)
        if earlier:
            emulator.client("elasticache").add_tags_to_resource(
                ResourceName=emulator.group(GROUP)["arn"], Tags=[{"Key": TAG, "Value": earlier}]
            )
        ended = operate(emulator, assume_state="rotating", assume_newest="pending")
        assert ended.failed
        assert "which was assumed and not known: the assumption is not kept on record" in ended.msg
        assert record(emulator) == (earlier or "v1 nothing")
        assert slots(emulator) == [B, A]
        again = operate(emulator)
        assert again.failed
        assert "what the group accepts is not known" in again.msg
        assert ("(drift)" in again.msg) == bool(earlier)

    def test_a_refusal_speaks_against_it_in_a_later_run(self, emulator: Emulator) -> None:
        """The assumption is on record by then, and what was there before is not known any more."""
        self.rotating_otherwise(emulator)
        begun = operate(emulator, assume_state="rotating", assume_newest="pending", phase="begin", soak=None)
        assert not begun.failed, begun.msg
        assert record(emulator).endswith(" assumed")
        finished = operate(emulator, phase="finish")
        assert finished.failed
        assert "which was assumed and not known" in finished.msg
        assert record(emulator) == "v1 nothing"

    def test_a_label_without_a_token(self, emulator: Emulator) -> None:
        required(emulator)
        ended = operate(emulator, assume_newest="pending")
        assert ended.msg == (
            f"{GROUP}: assume_newest: pending names no token of its own: there is none in AWSPENDING of "
            f"the secret {NAME}, or the same one as in AWSCURRENT."
        )

    def test_of_one_token(self, emulator: Emulator) -> None:
        """The module of one change: with SET, rotating says that the token given is the newer one."""
        create(emulator, AuthToken=B)
        rotate(emulator, A)
        options: dict[str, Any] = {"known_auth_tokens": [A], "probe": "never"}
        unknown = auth(emulator, "set", B, **options)
        assert "name the state in assume_state, if you know it (rotating says that the token given is the newer" in (
            unknown.msg
        )
        ended = auth(emulator, "set", B, assume_state="rotating", **options)
        assert ended.failed
        assert "which was assumed and not known" in ended.msg
        assert "It may be " in ended.msg
        assert record(emulator) == "v1 nothing"


class TestNeverAgainstTheEvidence:
    def test_the_nodes(self, emulator: Emulator) -> None:
        create(emulator, AuthToken=A)
        rotate(emulator, B)
        put_secret(emulator, NAME, A, B)
        ended = operate(emulator, assume_state="required", assume_newest="pending")
        assert ended.failed
        assert "correct assume_state and assume_newest, which the evidence contradicts" in (ended.msg)
        assert slots(emulator) == [A, B]
