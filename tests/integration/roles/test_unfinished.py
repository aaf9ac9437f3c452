# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Groups that are not due, or that a run was cut off on: one more run brings each to where it has to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from integration.role_calls import call_role
from integration.role_scenes import (
    age,
    labelled,
    promote,
    put_token,
    secret_name,
    secret_text,
)
from integration.role_states import (
    did_what_it_planned,
    half_rotated,
    nothing_changed,
    rbac,
    refused,
    required,
    rotated_from_a,
)
from integration.scenes import A, B, create, modify, put_secret, rotate, slots

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.05)


class TestRotateToken:
    def test_what_is_due_and_where_others_were_cut_off(self, emulator: Emulator) -> None:
        """Ten days or forty, and every place at which a run can have been killed: one run brings all to order."""
        create(emulator, "young", AuthToken=A)
        put_token(emulator, A, group="young")
        create(emulator, "waiting", AuthToken=A)  # staged, and not due
        put_token(emulator, A, B, "waiting")
        for group in ("young", "waiting"):
            age(emulator, 10, group)
        create(emulator, "old", AuthToken=A)
        put_token(emulator, A, group="old")
        create(emulator, "staged", AuthToken=A)
        put_token(emulator, A, B, "staged")
        for group in ("old", "staged"):
            age(emulator, 40, group)
        for group in ("rotated", "promoted"):
            half_rotated(emulator, group)
        promote(emulator, "promoted")
        for group in ("set", "unpromoted"):
            create(emulator, group, AuthToken=B)
            put_token(emulator, A, B, group)
        promote(emulator, "set")
        groups = ["young", "waiting", "old", "staged", "rotated", "promoted", "set", "unpromoted"]

        ran = call_role(emulator, "rotate_token", groups=groups, max_token_age_days=30, soak=0)
        assert ran.succeeded, ran.output
        plan = {group: report["planned_steps"] for group, report in ran.reports.items()}
        tail = ["client_cutover", "set", "verify_new_only"]
        assert plan == {
            "young": [],
            "waiting": [],
            "old": ["stage", "rotate", "verify_both", "promote", *tail],
            "staged": ["rotate", "verify_both", "promote", *tail],
            "rotated": ["verify_both", "promote", *tail],
            "promoted": tail,
            "set": [],
            "unpromoted": ["promote"],
        }
        assert "The token is 10.0 days old, and rotated when it is older than 30." in ran.text
        assert "A token is staged in AWSPENDING, and waits for that." in ran.text
        for group in groups:
            found = labelled(emulator, group)
            assert slots(emulator, group) == [found["AWSCURRENT"]], group
            assert found.get("AWSPENDING") == (B if group == "waiting" else None), group
            assert found.get("AWSPREVIOUS") == (None if group in ("young", "waiting") else A), group
        for group in ("staged", "rotated", "promoted", "set", "unpromoted"):
            assert slots(emulator, group) == [B], group
        for group in ("young", "waiting"):
            assert slots(emulator, group) == [A], group
        nothing_changed(call_role(emulator, "rotate_token", groups=groups, max_token_age_days=30, soak=0))

        forced = call_role(emulator, "rotate_token", groups=["young", "old"], force=True, soak=0, check=True)
        assert [forced.output.count(f"{group}: 8 calls to make, ") for group in ("young", "old")] == [1, 1]
        assert "nothing to do" not in forced.output

    def test_by_assumption_where_the_nodes_cant_be_asked(self, emulator: Emulator) -> None:
        required(emulator, True)
        blind: dict[str, Any] = {"probe": "never", "soak": 0}
        refused(
            call_role(emulator, "rotate_token", **blind),
            "what the group accepts is not known",
            "name the state in rotate_token_assume_state",
        )
        did_what_it_planned(call_role(emulator, "rotate_token", assume_state="required", **blind))
        rotated_from_a(emulator)
        nothing_changed(call_role(emulator, "rotate_token", **blind))  # there is a record now
        rotated_from_a(emulator)

    def test_by_assumption_half_way(self, emulator: Emulator) -> None:
        groups = ["rotated", "promoted"]
        for group in groups:
            create(emulator, group, AuthToken=A)
            rotate(emulator, B, group)
            put_token(emulator, A, B, group)
        promote(emulator, "promoted")
        given: dict[str, Any] = {"groups": groups, "probe": "never", "soak": 0}
        ran = call_role(emulator, "rotate_token", **given)
        refused(ran, *(f"{group}: rotate_token is refused" for group in groups))
        for group, newest in zip(groups, ("pending", "current"), strict=True):
            word = {**given, "groups": [group], "assume_state": "rotating", "assume_newest": newest}
            ran = call_role(emulator, "rotate_token", **word)
            assert ran.succeeded, ran.output
        for group in groups:
            assert slots(emulator, group) == [B]
            assert labelled(emulator, group) == {"AWSCURRENT": B, "AWSPREVIOUS": A}
        nothing_changed(call_role(emulator, "rotate_token", **given))


def test_a_migration_that_was_cut_off_before_its_promotion(emulator: Emulator) -> None:
    """Accepted, but not promoted: the call that goes on verifies it on the nodes, which it has not asked before."""
    rbac(emulator, True)
    put_secret(emulator, secret_name(), secret_text(""), secret_text(B))
    modify(emulator, RemoveUserGroups=True, AuthToken=B, AuthTokenUpdateStrategy="ROTATE")
    run = call_role(emulator, "migrate_rbac_to_auth", soak=0, accept_open_window=True)
    assert run.succeeded, run.output
    assert slots(emulator) == [B] == [labelled(emulator)["AWSCURRENT"]]


@pytest.mark.parametrize("role", ["rotate_token", "enable_auth"])
@pytest.mark.parametrize("first", [1, 2])
def test_answers_that_get_lost(emulator: Emulator, role: str, first: int) -> None:
    """Every other call that changes something is carried out, and its answer lost: one run arrives all the same."""
    if role == "rotate_token":
        required(emulator, True)
    else:
        create(emulator)
    lost = range(first, 60, 2)
    emulator.faults(*({"kind": "drop", "mutating": True, "when": "after", "nth": number} for number in lost))
    run = call_role(emulator, role, soak=0, create_secret=True if role == "enable_auth" else None)
    assert run.succeeded, run.output
    assert slots(emulator) == [labelled(emulator)["AWSCURRENT"]] != [A]
