# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The roles, by their playbooks, as users run them: they arrive, once only, and what was rehearsed is what is done."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration import direct
from integration.role_scenes import (
    KEY,
    ROLES,
    WITH_TOKENS,
    RoleRun,
    age,
    labelled,
    promote,
    put_token,
    run_role,
    secret_name,
    secret_text,
)
from integration.scenes import GROUP, A, B, C, create, create_user_group, modify, put_secret, rotate, scene, slots

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.05)

OTHER = "carts"


def calls_made(run: RoleRun) -> list[str]:
    """The mutating calls that the emulator got, as service:action."""
    return [f"{call['service']}:{call['action']}" for call in run.calls if call["mutating"]]


def nothing_changed(run: RoleRun) -> None:
    """The recap says so, of every host, and so do the services."""
    assert run.succeeded, run.output
    assert set(run.changed.values()) == {0}, run.output
    assert run.mutating == []


def did_what_it_planned(run: RoleRun) -> None:
    """It ended well, and called what its plan had, in that order."""
    assert run.succeeded, run.output
    assert calls_made(run) == run.reports[GROUP]["planned_calls"]
    assert run.mutating, run.output


def refused(run: RoleRun, *texts: str) -> None:
    """It failed, told why, and called nothing that changes anything."""
    assert not run.succeeded
    for text in texts:
        assert text in run.text, run.output
    assert run.mutating == []


# --- The scenes -------------------------------------------------------------------------------------------------------

#: What the line of each role says that was achieved.
ACHIEVED = {
    "rotate_token": "token rotated",
    "enable_auth": "AUTH enabled",
    "enable_tls": "encryption in transit enabled",
    "migrate_rbac_to_auth": "migrated from user groups to AUTH",
    "migrate_auth_to_rbac": "migrated from AUTH to user groups",
    "disable_access_control": "access control disabled",
    "rollback_token": "token rolled back",
}


@dataclass(frozen=True)
class Scene:
    """A role's way from where ``prepare`` has left GROUP. ``arrived`` asserts what must be in the end.

    ``says``: the current state that check mode must report. ``token``: what is supplied, and what was in force before.
    """

    prepare: Callable[[Emulator, bool], None]
    arrived: Callable[[Emulator], None]
    says: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    stored: Mapping[str, Any] = field(default_factory=dict)
    tokens: Sequence[str] = ()
    supplied: Callable[[Emulator], None] | None = None


def required(emulator: Emulator, store: bool, group: str = GROUP) -> None:
    if store:
        put_token(emulator, A, group=group)
    scene(emulator, "required", group)
    age(emulator, 100, group)


def plain(emulator: Emulator, store: bool) -> None:
    create(emulator, GROUP, TransitEncryptionEnabled=False)


def rbac(emulator: Emulator, store: bool) -> None:
    scene(emulator, "rbac")


def rotating(emulator: Emulator, store: bool) -> None:
    """Promoted, but not SET."""
    if store:
        put_token(emulator, A, B)
        promote(emulator)
    scene(emulator, "rotating")


def rotated(emulator: Emulator, store: bool, group: str = GROUP) -> None:
    """From A to B, and to its end."""
    if store:
        put_token(emulator, A, B, group)
        promote(emulator, group)
    create(emulator, group, AuthToken=B)


def half_rotated(emulator: Emulator, group: str = GROUP) -> None:
    """Cut off before its promotion, by the module, whose record says which of the two tokens is the newer."""
    put_token(emulator, A, B, group)
    create(emulator, group, AuthToken=A)
    ran = direct.run(
        emulator,
        "replication_group_auth",
        {
            "replication_group_id": group,
            "auth_token_update_strategy": "rotate",
            "auth_token_secret": {"name": secret_name(group), "key": KEY, "stage": "AWSPENDING"},
            "data_plane_ca_path": emulator.ca_bundle,
            "wait_delay": 0.05,
        },
        hidden=(A, B),
    )
    assert not ran.failed, ran.msg


def at_new_token(emulator: Emulator) -> None:
    found = labelled(emulator)
    assert slots(emulator) == [found["AWSCURRENT"]]
    assert found["AWSCURRENT"] not in (A, B, "")
    assert "AWSPENDING" not in found


def rotated_from_a(emulator: Emulator) -> None:
    at_new_token(emulator)
    assert labelled(emulator)["AWSPREVIOUS"] == A


def at_token_with_tls(emulator: Emulator) -> None:
    at_new_token(emulator)
    assert emulator.group(GROUP)["tls"] == "required"


def at_tls(emulator: Emulator) -> None:
    assert emulator.group(GROUP)["tls"] == "required"
    assert slots(emulator) == [None]


def at_users(emulator: Emulator) -> None:
    """The user group decides, and clients with a token that was in force are still accepted."""
    truth = emulator.group(GROUP)
    assert (truth["mode"], truth["user_group_ids"]) == ("rbac", [f"{GROUP}-users"])
    probed = direct.run(
        emulator,
        "auth_probe",
        {
            "replication_group_id": GROUP,
            "data_plane_ca_path": emulator.ca_bundle,
            "credentials": [{"name": name, "auth_token": token} for name, token in (("a", A), ("b", B), ("c", C))],
            "expect": {"a": "accepted", "b": "accepted", "c": "refused", "unauthenticated": "refused"},
        },
    )
    assert not probed.failed, probed.msg


def open_to_all(emulator: Emulator) -> None:
    client = emulator.client("elasticache")
    assert emulator.group(GROUP)["mode"] == "open"
    assert client.describe_user_groups()["UserGroups"] == []
    assert [user["UserId"] for user in client.describe_users()["Users"]] in ([], ["default"])


def open_and_said_so(emulator: Emulator) -> None:
    open_to_all(emulator)
    assert labelled(emulator)["AWSCURRENT"] == ""


def back_at_a(emulator: Emulator) -> None:
    assert slots(emulator) == [A]
    assert labelled(emulator) == {"AWSCURRENT": A}


SCENES: Mapping[str, Scene] = {
    "rotate_token": Scene(
        required, rotated_from_a, "required (the token in AWSCURRENT), token 100.0 days old", tokens=(B, A)
    ),
    "enable_auth": Scene(
        plain, at_token_with_tls, "open, encryption in transit off", {"enable_tls": True}, {"create_secret": True}, (B,)
    ),
    "enable_tls": Scene(plain, at_tls, "encryption in transit off"),
    "migrate_rbac_to_auth": Scene(
        rbac, at_new_token, "rbac", {"accept_open_window": True}, {"create_secret": True}, (B,)
    ),
    "migrate_auth_to_rbac": Scene(rotating, at_users, "rotating", tokens=(B, A)),
    "disable_access_control": Scene(
        required, open_and_said_so, "required (the token in AWSCURRENT)", {"accept_open_access": True}, tokens=(A, "")
    ),
    "rollback_token": Scene(rotated, back_at_a, "required (the token in AWSCURRENT)", tokens=(A, B)),
}


# --- The whole way ----------------------------------------------------------------------------------------------------


class TestWholeWay:
    @pytest.mark.parametrize(
        "role",
        [
            pytest.param(role, marks=[pytest.mark.emulator(data_plane="valkey")] if role == "rotate_token" else [])
            for role in ROLES
        ],
    )
    def test_what_was_rehearsed_is_done_and_once_only(self, emulator: Emulator, role: str) -> None:
        it = SCENES[role]
        it.prepare(emulator, True)
        given: dict[str, Any] = {"soak": 0, **it.variables, **it.stored}

        rehearsed = run_role(emulator, role, check=True, diff=True, **given)
        assert rehearsed.succeeded, rehearsed.output
        assert rehearsed.mutating == []
        assert f"\n{GROUP}\n  current state: {it.says}" in rehearsed.output
        assert re.search(r"\n  evidence:      the API", rehearsed.output)
        assert rehearsed.changed == {"localhost": 2}  # the plan, and what is told of it

        ran = run_role(emulator, role, **given)
        did_what_it_planned(ran)
        assert rehearsed.planned == ran.mutating
        it.arrived(emulator)
        assert f"{GROUP}: {ACHIEVED[role]}; " in ran.text

        again = run_role(emulator, role, **given)
        nothing_changed(again)
        assert f"{GROUP}: nothing to do." in again.text
        it.arrived(emulator)

    @pytest.mark.parametrize("role", WITH_TOKENS)
    def test_tokens_supplied(self, emulator: Emulator, role: str) -> None:
        """Secrets Manager is not asked, and no token is printed; ids are written as the user likes."""
        it = SCENES[role]
        it.prepare(emulator, False)
        name = GROUP.capitalize()
        given: dict[str, Any] = {"soak": 0, **it.variables, "auth_tokens": {name: it.tokens[0]}}
        if len(it.tokens) > 1:
            given["previous_auth_tokens"] = {name: it.tokens[1]}

        ran = run_role(emulator, role, groups=[name], verbosity=4, **given)
        did_what_it_planned(ran)
        assert SUPPLIED_ENDS[role](emulator)

        again = run_role(emulator, role, groups=[name], verbosity=4, **given)
        nothing_changed(again)
        for run in (ran, again):
            assert "secretsmanager" not in run.services
            assert [token for token in (A, B, C) if token in run.output] == []


def _users_decide(emulator: Emulator) -> bool:
    at_users(emulator)
    return True


def _open(emulator: Emulator) -> bool:
    open_to_all(emulator)
    return True


SUPPLIED_ENDS: Mapping[str, Callable[[Emulator], bool]] = {
    "rotate_token": lambda emulator: slots(emulator) == [B],
    "enable_auth": lambda emulator: slots(emulator) == [B] and emulator.group(GROUP)["tls"] == "required",
    "migrate_rbac_to_auth": lambda emulator: slots(emulator) == [B],
    "migrate_auth_to_rbac": _users_decide,
    "disable_access_control": _open,
    "rollback_token": lambda emulator: slots(emulator) == [A],
}


@pytest.mark.parametrize(
    ("tokens", "leak"),
    [
        pytest.param({GROUP: 1234567890123456789}, "1234567890123456789", id="number"),
        pytest.param(B, B, id="text"),
        pytest.param([B], B, id="list"),
        pytest.param({GROUP: {"token": B}}, B, id="nested"),
        pytest.param({GROUP: f"{B} {B}"}, B, id="invalid"),
    ],
)
def test_a_token_of_a_wrong_type_is_not_printed(emulator: Emulator, tokens: Any, leak: str) -> None:
    scene(emulator, "required")
    given: dict[str, Any] = {"auth_tokens": tokens, "previous_auth_tokens": {GROUP: A}, "soak": 0}
    ran = run_role(emulator, "rotate_token", check=True, diff=True, verbosity=4, **given)
    assert ran.mutating == []
    assert leak not in ran.output
    assert A not in ran.output
    if leak == B:
        assert not ran.succeeded


# --- In two runs ------------------------------------------------------------------------------------------------------


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


def open_group(emulator: Emulator, group: str) -> None:
    create(emulator, group)


def plain_group(emulator: Emulator, group: str) -> None:
    create(emulator, group, TransitEncryptionEnabled=False)


def rbac_group(emulator: Emulator, group: str) -> None:
    create_user_group(emulator, f"ug-{group}")
    create(emulator, group, UserGroupIds=[f"ug-{group}"])


def mode(emulator: Emulator) -> str:
    return str(emulator.group(GROUP)["mode"])


def current(emulator: Emulator) -> str:
    return labelled(emulator)["AWSCURRENT"]


CREATING: Mapping[str, Any] = {"create_secret": True}
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
        lambda emulator: slots(emulator) == [None, current(emulator)],
        lambda emulator: slots(emulator) == [current(emulator)],
        "stage, rotate, verify_both, promote",
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
    @pytest.mark.parametrize("role", PHASES)
    def test_begin_and_finish_each_once_only(self, emulator: Emulator, role: str) -> None:
        it = PHASES[role]
        for group in (GROUP, OTHER):
            it.prepare(emulator, group)

        begun = run_role(emulator, role, phase="begin", **it.variables)
        did_what_it_planned(begun)
        assert it.halfway(emulator)
        again = run_role(emulator, role, phase="begin", **it.variables)
        nothing_changed(again)
        assert "the phase finish goes on from there" in again.text
        assert it.halfway(emulator)

        # In one run with a group that has not begun: that one is refused, and this one goes on.
        finished = run_role(emulator, role, groups=[GROUP, OTHER], phase="finish", **it.variables)
        assert not finished.succeeded
        assert (
            f"{OTHER}: {role}_phase: finish is refused: phase begin is incomplete (remaining: {it.left}). Run it "
            f"with {role}_phase: begin again, move your clients, then finish."
        ) in finished.text, finished.output
        assert calls_made(finished) == finished.reports[GROUP]["planned_calls"]
        assert finished.reports[OTHER]["planned_calls"] == []
        assert it.arrived(emulator)

        nothing_changed(run_role(emulator, role, phase="finish", **it.variables))
        assert it.arrived(emulator)

    def test_back_from_a_half_rotation_through_user_groups(self, emulator: Emulator) -> None:
        half_rotated(emulator)
        refused(
            run_role(emulator, "rollback_token", phase="begin"), "rollback_token_accept_open_window: true, once that"
        )
        did_what_it_planned(run_role(emulator, "rollback_token", phase="begin", accept_open_window=True))
        assert (mode(emulator), current(emulator)) == ("rbac", A)
        did_what_it_planned(run_role(emulator, "rollback_token", phase="finish", accept_open_window=True))
        assert slots(emulator) == [A]
        assert labelled(emulator) == {"AWSCURRENT": A}
        nothing_changed(run_role(emulator, "rollback_token", phase="finish", accept_open_window=True))

    def test_users_before_they_decide(self, emulator: Emulator) -> None:
        """The begin makes the users alone, and the finish looks at them once more."""
        rotating(emulator, True)
        begun = run_role(emulator, "migrate_auth_to_rbac", phase="begin")
        did_what_it_planned(begun)
        assert mode(emulator) == "rotating"
        nothing_changed(run_role(emulator, "migrate_auth_to_rbac", phase="begin"))
        finished = run_role(emulator, "migrate_auth_to_rbac", phase="finish")
        assert finished.succeeded, finished.output
        assert "elasticache:CreateUser" not in finished.mutating
        at_users(emulator)
        nothing_changed(run_role(emulator, "migrate_auth_to_rbac", phase="finish"))

    def test_encryption_and_auth_are_not_begun_in_one(self, emulator: Emulator) -> None:
        """There are two client cutovers on that way, one in each of the two roles; without phases it is one run."""
        plain(emulator, True)
        create(emulator, OTHER, TransitEncryptionMode="preferred")
        for phase in ("begin", "finish"):
            ran = run_role(emulator, "enable_auth", groups=[GROUP, OTHER], phase=phase, enable_tls=True, **CREATING)
            for group, tls in ((GROUP, "off"), (OTHER, "preferred")):
                refused(
                    ran,
                    f"{group}: enable_auth is refused: encryption in transit is in mode {tls}, so that there are "
                    "two client cutovers, and a finish that is repeated could not tell which of them is over. "
                    "Way out: the role enable_tls first, with enable_tls_phase; then this one.",
                )


# --- rotate_token -----------------------------------------------------------------------------------------------------


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

        ran = run_role(emulator, "rotate_token", groups=groups, max_token_age_days=30, soak=0)
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
        nothing_changed(run_role(emulator, "rotate_token", groups=groups, max_token_age_days=30, soak=0))

        forced = run_role(emulator, "rotate_token", groups=["young", "old"], force=True, soak=0, check=True)
        assert [forced.output.count(f"{group}: 8 calls to make, ") for group in ("young", "old")] == [1, 1]
        assert "nothing to do" not in forced.output

    def test_by_assumption_where_the_nodes_cant_be_asked(self, emulator: Emulator) -> None:
        required(emulator, True)
        blind: dict[str, Any] = {"probe": "never", "soak": 0}
        refused(
            run_role(emulator, "rotate_token", **blind),
            "what the group accepts is not known",
            "name the state in rotate_token_assume_state",
        )
        did_what_it_planned(run_role(emulator, "rotate_token", assume_state="required", **blind))
        rotated_from_a(emulator)
        nothing_changed(run_role(emulator, "rotate_token", **blind))  # there is a record now
        rotated_from_a(emulator)

    def test_by_assumption_half_way(self, emulator: Emulator) -> None:
        groups = ["rotated", "promoted"]
        for group in groups:
            create(emulator, group, AuthToken=A)
            rotate(emulator, B, group)
            put_token(emulator, A, B, group)
        promote(emulator, "promoted")
        given: dict[str, Any] = {"groups": groups, "probe": "never", "soak": 0}
        refused(run_role(emulator, "rotate_token", **given), *(f"{group}: rotate_token is refused" for group in groups))
        for group, newest in zip(groups, ("pending", "current"), strict=True):
            word = {**given, "groups": [group], "assume_state": "rotating", "assume_newest": newest}
            ran = run_role(emulator, "rotate_token", **word)
            assert ran.succeeded, ran.output
        for group in groups:
            assert slots(emulator, group) == [B]
            assert labelled(emulator, group) == {"AWSCURRENT": B, "AWSPREVIOUS": A}
        nothing_changed(run_role(emulator, "rotate_token", **given))


# --- The client cutover -----------------------------------------------------------------------------------------------

CUTOVER_TASKS = """\
- name: Write down what there is to know
  ansible.builtin.copy:
    dest: "{{ here }}/{{ cutover_stage }}.json"
    content: >-
      {{ {'operation': client_operation, 'stage': cutover_stage, 'groups': client_replication_groups,
          'secrets': client_secret_names,
          'results': [_rotate_token_begun]} | to_json }}
  changed_when: false

- name: Fail until the clients are ready
  ansible.builtin.fail:
    msg: The clients are not ready.
  when: (here ~ '/ready') is not exists
"""


class TestClientCutover:
    def test_a_client_cutover_that_fails_stops_before_set_and_the_next_run_goes_on(
        self, emulator: Emulator, tmp_path: Path
    ) -> None:
        required(emulator, True)
        scene(emulator, "required", OTHER)  # not due
        put_token(emulator, A, group=OTHER)
        tasks = tmp_path / "cutover.yml"
        tasks.write_text(CUTOVER_TASKS, encoding="utf-8")
        given: dict[str, Any] = {
            "client_tasks": str(tasks),
            "extra_vars": {"here": str(tmp_path)},
            "groups": [GROUP, OTHER],
        }
        failed = run_role(emulator, "rotate_token", **given)
        assert not failed.succeeded
        assert "The clients are not ready." in failed.output
        found = labelled(emulator)
        assert slots(emulator) == [A, found["AWSCURRENT"]]
        assert found["AWSPREVIOUS"] == A
        told = (tmp_path / "client_cutover.json").read_text("utf-8")
        got = json.loads(told)
        assert {name: got[name] for name in ("operation", "stage", "groups", "secrets")} == {
            "operation": "rotate_token",
            "stage": "client_cutover",
            "groups": [GROUP],
            "secrets": {GROUP: secret_name()},
        }
        assert all(result["cutovers"] for result in got["results"])  # which it could read, too
        assert [token for token in found.values() if token in told or json.dumps(token)[1:-1] in told] == []

        (tmp_path / "ready").touch()
        (tmp_path / "client_cutover.json").unlink()
        did_what_it_planned(run_role(emulator, "rotate_token", **given))
        rotated_from_a(emulator)
        assert labelled(emulator) == found
        assert (tmp_path / "client_cutover.json").exists()

        # There is no client cutover where nothing is due.
        (tmp_path / "client_cutover.json").unlink()
        nothing_changed(run_role(emulator, "rotate_token", **given))
        assert not (tmp_path / "client_cutover.json").exists()

    @pytest.mark.parametrize("role", ["rotate_token", "enable_tls"])
    def test_without_a_client_cutover_nothing_is_called(self, emulator: Emulator, role: str) -> None:
        ran = run_role(emulator, role, **SCENES[role].variables)
        assert not ran.succeeded
        for option in ("client_tasks", "soak", "phase"):
            assert f"{role}_{option}" in ran.text
        assert ran.calls == ()


def test_a_migration_that_was_cut_off_before_its_promotion(emulator: Emulator) -> None:
    """Accepted, but not promoted: the call that goes on verifies it on the nodes, which it has not asked before."""
    rbac(emulator, True)
    put_secret(emulator, secret_name(), secret_text(""), secret_text(B))
    modify(emulator, RemoveUserGroups=True, AuthToken=B, AuthTokenUpdateStrategy="ROTATE")
    run = run_role(emulator, "migrate_rbac_to_auth", soak=0, accept_open_window=True)
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
    run = run_role(emulator, role, soak=0, create_secret=True if role == "enable_auth" else None)
    assert run.succeeded, run.output
    assert slots(emulator) == [labelled(emulator)["AWSCURRENT"]] != [A]
