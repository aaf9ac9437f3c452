# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The roles in two runs, begin and finish, and what stands between the two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from integration.role_calls import call_role
from integration.role_scenes import (
    RoleRun,
    labelled,
    run_role,
)
from integration.role_states import (
    CREATING,
    OTHER,
    at_users,
    calls_made,
    current,
    did_what_it_planned,
    half_rotated,
    mode,
    nothing_changed,
    open_group,
    plain,
    plain_group,
    rbac_group,
    refused,
    required,
    rotated,
    rotating,
)
from integration.scenes import GROUP, A, B, create, slots

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.05)


#: By a playbook, or in this process.
Run = Callable[..., RoleRun]


@dataclass(frozen=True)
class Phases:
    """An operation in two runs. ``halfway`` and ``arrived`` assert; ``left``: what is left of a begin that has not
    been.

    OTHER is like GROUP, and never begun.
    """

    prepare: Callable[[Emulator, str], None]
    halfway: Callable[[Emulator], bool]
    arrived: Callable[[Emulator], bool]
    left: str
    variables: Mapping[str, Any] = field(default_factory=dict)


def members(emulator: Emulator) -> list[str]:
    """The users of the group's user group."""
    found = emulator.client("elasticache").describe_user_groups(UserGroupId=f"ug-{GROUP}")
    return list(found["UserGroups"][0]["UserIds"])


PHASES: Mapping[str, Phases] = {
    "rotate_token": Phases(
        lambda emulator, group: required(emulator, True, group),
        lambda emulator: slots(emulator) == [A, current(emulator)],
        lambda emulator: slots(emulator) == [current(emulator)] != [A],
        "stage, rotate, verify_both, promote",
    ),
    "enable_auth": Phases(
        open_group,
        lambda emulator: slots(emulator) == [None, current(emulator)],
        lambda emulator: slots(emulator) == [current(emulator)],
        "stage, rotate, verify_both, promote",
        CREATING,
    ),
    "enable_tls": Phases(
        plain_group,
        lambda emulator: emulator.group(GROUP)["tls"] == "preferred",
        lambda emulator: emulator.group(GROUP)["tls"] == "required",
        "prefer_tls",
    ),
    "migrate_rbac_to_auth": Phases(
        rbac_group,
        lambda emulator: members(emulator) == [f"{GROUP}-bridge"] and mode(emulator) == "rbac",
        lambda emulator: slots(emulator) == [current(emulator)] and members(emulator) == [f"ug-{GROUP}-user"],
        "stage, bridge_user, verify_bridge_user, promote",
        {**CREATING, "accept_open_window": True},
    ),
    "disable_access_control": Phases(
        lambda emulator, group: required(emulator, True, group),
        lambda emulator: slots(emulator) == [None, A] and current(emulator) == "",
        lambda emulator: mode(emulator) == "open",
        "users, attach, rotate_current, clear",
        {"accept_open_access": True},
    ),
    "rollback_token": Phases(
        lambda emulator, group: rotated(emulator, True, group),
        lambda emulator: slots(emulator) == [B, A] and current(emulator) == A,
        lambda emulator: slots(emulator) == [A] and labelled(emulator) == {"AWSCURRENT": A},
        "stage, rotate, verify_both, promote",
    ),
}


class TestPhases:
    @pytest.mark.parametrize(
        ("role", "run"), [("rotate_token", run_role), *((role, call_role) for role in PHASES if role != "rotate_token")]
    )
    def test_begin_and_finish_each_once_only(self, emulator: Emulator, role: str, run: Run) -> None:
        it = PHASES[role]
        for group in (GROUP, OTHER):
            it.prepare(emulator, group)

        begun = run(emulator, role, phase="begin", **it.variables)
        did_what_it_planned(begun)
        assert it.halfway(emulator)
        again = run(emulator, role, phase="begin", **it.variables)
        nothing_changed(again)
        assert "the phase finish goes on from there" in again.text
        assert it.halfway(emulator)

        # In one run with a group that has not begun: that one is refused, and this one goes on.
        finished = run(emulator, role, groups=[GROUP, OTHER], phase="finish", **it.variables)
        assert not finished.succeeded
        assert (
            f"{OTHER}: {role}_phase: finish is refused: phase begin is incomplete (remaining: {it.left}). Run it "
            f"with {role}_phase: begin again, move your clients, then finish."
        ) in finished.text, finished.output
        assert calls_made(finished) == finished.reports[GROUP]["planned_calls"]
        assert finished.reports[OTHER]["planned_calls"] == []
        assert it.arrived(emulator)

        nothing_changed(run(emulator, role, phase="finish", **it.variables))
        assert it.arrived(emulator)

    def test_back_from_a_half_rotation_through_user_groups(self, emulator: Emulator) -> None:
        half_rotated(emulator)
        refused(
            call_role(emulator, "rollback_token", phase="begin"), "rollback_token_accept_open_window: true, once that"
        )
        did_what_it_planned(call_role(emulator, "rollback_token", phase="begin", accept_open_window=True))
        assert (mode(emulator), current(emulator)) == ("rbac", A)
        did_what_it_planned(call_role(emulator, "rollback_token", phase="finish", accept_open_window=True))
        assert slots(emulator) == [A]
        assert labelled(emulator) == {"AWSCURRENT": A}
        nothing_changed(call_role(emulator, "rollback_token", phase="finish", accept_open_window=True))

    def test_users_before_they_decide(self, emulator: Emulator) -> None:
        """The begin makes the users alone, and the finish looks at them once more."""
        rotating(emulator, True)
        begun = call_role(emulator, "migrate_auth_to_rbac", phase="begin")
        did_what_it_planned(begun)
        assert mode(emulator) == "rotating"
        nothing_changed(call_role(emulator, "migrate_auth_to_rbac", phase="begin"))
        finished = call_role(emulator, "migrate_auth_to_rbac", phase="finish")
        assert finished.succeeded, finished.output
        assert "elasticache:CreateUser" not in finished.mutating
        at_users(emulator)
        nothing_changed(call_role(emulator, "migrate_auth_to_rbac", phase="finish"))

    def test_encryption_and_auth_are_not_begun_in_one(self, emulator: Emulator) -> None:
        """There are two client cutovers on that way, one in each of the two roles; without phases it is one run."""
        plain(emulator, True)
        create(emulator, OTHER, TransitEncryptionMode="preferred")
        for phase in ("begin", "finish"):
            ran = call_role(emulator, "enable_auth", groups=[GROUP, OTHER], phase=phase, enable_tls=True, **CREATING)
            for group, tls in ((GROUP, "off"), (OTHER, "preferred")):
                refused(
                    ran,
                    f"{group}: enable_auth is refused: encryption in transit is in mode {tls}, so that there are "
                    "two client cutovers, and a finish that is repeated could not tell which of them is over. "
                    "Way out: the role enable_tls first, with enable_tls_phase; then this one.",
                )
