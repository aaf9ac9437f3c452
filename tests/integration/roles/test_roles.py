# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The roles, by their playbooks, as users run them: they arrive, once only, and what was rehearsed is what is done."""

from __future__ import annotations

import functools
import json
import operator
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.role_calls import call_role
from integration.role_scenes import (
    ROLES,
    WITH_TOKENS,
    RoleRun,
    labelled,
    put_token,
    role_variables,
    run_role,
    secret_name,
)
from integration.role_states import (
    ACHIEVED,
    OTHER,
    SCENES,
    at_users,
    did_what_it_planned,
    nothing_changed,
    open_to_all,
    required,
    rotated_from_a,
)
from integration.run import run_playbook
from integration.scenes import GROUP, A, B, C, scene, slots

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.05)


def in_one_way(role: str, **more: Any) -> Callable[..., RoleRun]:
    """Two roles are run by their playbooks, with the options ``more``; of the others that is shown once a role."""
    if role in ("rotate_token", "migrate_auth_to_rbac"):
        return functools.partial(run_role, diff=True, **more)
    return call_role


class TestWholeWay:
    @pytest.mark.parametrize(
        "role",
        [
            pytest.param(role, marks=[pytest.mark.emulator(data_plane="valkey")] if role == "rotate_token" else [])
            for role in ROLES
        ],
    )
    def test_what_was_rehearsed_is_done_and_once_only(self, emulator: Emulator, role: str) -> None:
        """Each role by its playbook once, two of them three times."""
        run = in_one_way(role)
        it = SCENES[role]
        it.prepare(emulator, True)
        given: dict[str, Any] = {"soak": 0, **it.variables, **it.stored}

        rehearsed = run(emulator, role, check=True, **given)
        assert rehearsed.succeeded, rehearsed.output
        assert rehearsed.mutating == []
        assert f"\n{GROUP}\n  current state: {it.says}" in rehearsed.output
        assert re.search(r"\n  evidence:      the API", rehearsed.output)
        assert rehearsed.changed == {"localhost": 1 if run is call_role else 2}  # the plan, and what is told of it

        ran = run_role(emulator, role, **given)
        did_what_it_planned(ran)
        assert rehearsed.planned == ran.mutating
        it.arrived(emulator)
        assert f"{GROUP}: {ACHIEVED[role]}; " in ran.text

        again = run(emulator, role, **given)
        nothing_changed(again)
        assert f"{GROUP}: nothing to do." in again.text
        it.arrived(emulator)

    @pytest.mark.parametrize("role", WITH_TOKENS)
    def test_tokens_supplied(self, emulator: Emulator, role: str) -> None:
        """Secrets Manager is not asked, and no token is printed; ids are written as the user likes."""
        run = in_one_way(role, verbosity=4)
        it = SCENES[role]
        it.prepare(emulator, False)
        name = GROUP.capitalize()
        given: dict[str, Any] = {"soak": 0, **it.variables, "auth_tokens": {name: it.tokens[0]}}
        if len(it.tokens) > 1:
            given["previous_auth_tokens"] = {name: it.tokens[1]}

        ran = run(emulator, role, groups=[name], **given)
        did_what_it_planned(ran)
        assert SUPPLIED_ENDS[role](emulator)

        again = run(emulator, role, groups=[name], **given)
        nothing_changed(again)
        for done in (ran, again):
            assert "secretsmanager" not in done.services
            assert [token for token in (A, B, C) if token in done.output] == []

    def test_supplied_tokens_are_not_printed(self, emulator: Emulator, tmp_path: Path) -> None:
        """By the other roles either, which plan or refuse; all in one play."""
        scene(emulator, "required")
        roles = [role for role in WITH_TOKENS if in_one_way(role) is call_role]
        tasks = [
            {"ansible.builtin.import_role": {"name": f"elasticache.auth.{role}"}, "ignore_errors": True}
            for role in roles
        ]
        supplied: dict[str, Any] = {"auth_tokens": {GROUP: B}, "previous_auth_tokens": {GROUP: A}, "soak": 0}
        file = tmp_path / "variables.json"
        given = [role_variables(emulator, role, [GROUP], **supplied) for role in roles]
        file.write_text(json.dumps(functools.reduce(operator.or_, given)), encoding="utf-8")
        play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
        ran = run_playbook(emulator, [play], check=True, diff=True, verbosity=4, arguments=["-e", f"@{file}"])
        assert len(ran.reported) == len(roles) == 4, ran.output
        assert [token for token in (A, B) if token in ran.output] == []
        assert "secretsmanager" not in {call["service"] for call in emulator.calls()}


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

        # The same tasks as a role.
        (tmp_path / "move_clients" / "tasks").mkdir(parents=True)
        tasks.rename(tmp_path / "move_clients" / "tasks" / "main.yml")
        given |= {"client_tasks": "", "client_role": str(tmp_path / "move_clients")}
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
        for option in ("client_tasks", "client_role", "soak", "phase"):
            assert f"{role}_{option}" in ran.text
        assert ran.calls == ()
