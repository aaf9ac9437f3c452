# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What a play or a role's variables can't mean is refused by the play's first task, before any call to AWS.

The tables are in ``tests/unit``; a few plays show that the roles have it checked.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.role_scenes import RoleRun, due_fleet, labelled, role_variables, run_role
from integration.roles.test_waves import hosts_file
from integration.run import run_playbook
from integration.scenes import A, create, slots

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.05)


def text(variable: str, value: str) -> list[str]:
    """A variable as a text, as ``-e name=value`` gives it."""
    return ["-e", f"{variable}={value}"]


def refused(ran: RoleRun, *says: str) -> None:
    """The run failed and says so; nothing was called."""
    assert not ran.succeeded, ran.output
    for part in says:
        assert part in ran.text, ran.output
    assert ran.calls == ()


class TestLists:
    """A text in the place of a list."""

    def test_one_id(self, emulator: Emulator) -> None:
        """The group of that id is rotated, and none whose id is one of its letters."""
        due_fleet(emulator, ["carts", "c", "a"], A)
        ran = run_role(
            emulator, "rotate_token", groups=None, soak=0, arguments=text("rotate_token_replication_groups", "carts")
        )
        assert ran.succeeded, ran.output
        assert labelled(emulator, "carts")["AWSPREVIOUS"] == A
        assert slots(emulator, "carts") == [labelled(emulator, "carts")["AWSCURRENT"]]
        for group in ("c", "a"):
            assert (slots(emulator, group), labelled(emulator, group)) == ([A], {"AWSCURRENT": A})

    @pytest.mark.parametrize(
        ("role", "name", "value"),
        [
            ("rotate_token", "replication_groups", "carts,c"),
            ("migrate_auth_to_rbac", "user_ids", "app,reports"),
            ("audit", "fail_on", "open,optional"),
        ],
    )
    def test_any_other_text(self, emulator: Emulator, role: str, name: str, value: str) -> None:
        due_fleet(emulator, ["carts", "c"], A)
        options: dict[str, Any] = {"wait_delay": None, "wait_timeout": None} if role == "audit" else {"soak": 0}
        groups = None if name == "replication_groups" else ["carts"]
        ran = run_role(emulator, role, groups=groups, arguments=text(f"{role}_{name}", value), **options)
        refused(ran, f"{role}_{name}: '{value}' is not ", f'Pass a list: -e \'{{"{role}_{name}": ["')

    def test_of_a_host(self, emulator: Emulator, tmp_path: Path) -> None:
        due_fleet(emulator, ["carts", "c"], A)
        hosts = {"one": {"rotate_token_replication_groups": "carts,c"}, "two": {}}
        inventory = hosts_file(tmp_path, hosts)
        every = {"rotate_token_hosts": "all"}
        ran = run_role(emulator, "rotate_token", groups=None, soak=0, inventory=inventory, extra_vars=every)
        refused(ran, "rotate_token_replication_groups: 'carts,c' is not the id of a replication group")


class TestStrategies:
    """Hosts that are not at the same task would each make the calls for all groups."""

    def test_of_the_environment(self, emulator: Emulator, tmp_path: Path) -> None:
        due_fleet(emulator, ["alpha", "bravo"], A)
        ran = run_role(
            emulator,
            "rotate_token",
            groups=None,
            soak=0,
            inventory=hosts_file(tmp_path, {"alpha": {}, "bravo": {}}),
            extra_vars={"rotate_token_hosts": "all"},
            environment={"ANSIBLE_STRATEGY": "free"},
        )
        refused(ran, "rotate_token: the strategy of the play is free", "Use linear", "ANSIBLE_STRATEGY")

    @pytest.mark.parametrize(
        "tasks",
        [
            pytest.param({"roles": [{"role": "elasticache.auth.rotate_token", "rotate_token_soak": 0}]}, id="role"),
            pytest.param({"roles": ["elasticache.auth.audit"]}, id="audit"),
            pytest.param(
                {
                    "tasks": [
                        {
                            "run_once": True,
                            "elasticache.auth.auth_operation": {
                                "operation": "rotate_token",
                                "replication_group_ids": ["alpha", "bravo"],
                                "auth_token_secret": {"name": "elasticache/{replication_group_id}/auth-token"},
                            },
                        }
                    ]
                },
                id="module",
            ),
        ],
    )
    def test_of_the_play(self, emulator: Emulator, tmp_path: Path, tasks: dict[str, Any]) -> None:
        due_fleet(emulator, ["alpha", "bravo"], A)
        before = len(emulator.calls())
        play = {"hosts": "all", "gather_facts": False, "strategy": "ansible.builtin.host_pinned", **tasks}
        ran = run_playbook(emulator, [play], inventory=hosts_file(tmp_path, {"alpha": {}, "bravo": {}}))
        assert not ran.succeeded
        assert "the strategy of the play is ansible.builtin.host_pinned" in " ".join(ran.output.split())
        assert emulator.calls()[before:] == []


#: Tasks for the client cutover that leave a trace.
CLIENTS = """
- ansible.builtin.copy:
    content: "{{ client_replication_groups | join(' ') }}"
    dest: "{{ playbook_dir if trace is not defined else trace }}/trace-{{ inventory_hostname }}"
    mode: "0600"
"""


class TestFiles:
    """What is needed after ROTATE only is tried before anything is looked at."""

    @pytest.mark.parametrize(
        ("role", "variables", "says"),
        [
            ("rotate_token", {"report_path": "nowhere/result.json"}, "rotate_token_report_path: "),
            ("rotate_token", {"client_tasks": "nowhere.yml"}, "rotate_token_client_tasks: "),
            ("rotate_token", {"data_plane_ca_path": "nowhere.pem"}, "rotate_token_data_plane_ca_path: "),
            ("audit", {"csv_path": "nowhere/audit.csv"}, "audit_csv_path: "),
        ],
    )
    def test_refused(self, emulator: Emulator, tmp_path: Path, role: str, variables: dict[str, Any], says: str) -> None:
        due_fleet(emulator, ["carts"], A)
        options: dict[str, Any] = {"wait_delay": None, "wait_timeout": None} if role == "audit" else {"soak": 0}
        ran = run_role(emulator, role, groups=["carts"], working=tmp_path, **{**options, **variables})
        refused(ran, f"{says}{tmp_path}/nowhere", "Nothing was looked at")
        assert list(tmp_path.iterdir()) == []

    def test_of_a_host(self, emulator: Emulator, tmp_path: Path) -> None:
        """Each host may have its own; all of them are tried."""
        due_fleet(emulator, ["alpha", "bravo"], A)
        (tmp_path / "alpha.yml").write_text(CLIENTS)
        hosts: dict[str, dict[str, Any]] = {"alpha": {}, "bravo": {}}
        arguments: dict[str, Any] = {
            "groups": None,
            "inventory": hosts_file(tmp_path, hosts),
            "extra_vars": {"rotate_token_hosts": "all", "trace": str(tmp_path)},
            "working": tmp_path,
            "client_tasks": "{{ inventory_hostname }}.yml",
        }
        ran = run_role(emulator, "rotate_token", **arguments)
        refused(ran, f"bravo: rotate_token_client_tasks: {tmp_path}/bravo.yml: there is no such file")

        (tmp_path / "bravo.yml").write_text(CLIENTS)
        ran = run_role(emulator, "rotate_token", **arguments)
        assert ran.succeeded, ran.output
        assert [(tmp_path / f"trace-{host}").read_text() for host in hosts] == ["alpha", "bravo"]

    def test_of_some_hosts_only(self, emulator: Emulator, tmp_path: Path) -> None:
        """Whichever host is the first: the tasks of the others are run."""
        due_fleet(emulator, ["alpha", "bravo"], A)
        (tmp_path / "clients.yml").write_text(CLIENTS)
        hosts = {"alpha": {}, "bravo": {"rotate_token_client_tasks": "clients.yml"}}
        arguments: dict[str, Any] = {
            "groups": None,
            "inventory": hosts_file(tmp_path, hosts),
            "extra_vars": {"rotate_token_hosts": "all", "trace": str(tmp_path)},
            "working": tmp_path,
        }
        ran = run_role(emulator, "rotate_token", **arguments)
        refused(ran, "rotate_token_client_tasks: alpha has none, and other hosts do")

        ran = run_role(emulator, "rotate_token", soak=0, **arguments)
        assert ran.succeeded, ran.output
        assert (tmp_path / "trace-bravo").read_text() == "bravo"

    def test_relative_to_the_playbook(self, emulator: Emulator, tmp_path: Path) -> None:
        """Even if the role has a file of that name."""
        due_fleet(emulator, ["carts"], A)
        plays = tmp_path / "plays"
        plays.mkdir()
        (plays / "clients.yml").write_text(CLIENTS)
        variables = role_variables(
            emulator, "rotate_token", ["carts"], client_tasks="clients.yml", report_path="result.json"
        )
        role = {"role": "elasticache.auth.rotate_token"}
        play = {"hosts": "localhost", "gather_facts": False, "roles": [{**role, **variables}]}
        (plays / "site.yml").write_text(json.dumps([play]))
        ran = run_playbook(emulator, plays / "site.yml", working=tmp_path)
        assert ran.succeeded, ran.output
        assert sorted(path.name for path in plays.iterdir()) == [
            "clients.yml",
            "result.json",
            "site.yml",
            "trace-localhost",
        ]
        assert (plays / "trace-localhost").read_text() == "carts"


class TestWords:
    """Messages name the role's variables, never the options of the modules that it is made of."""

    @pytest.mark.parametrize(
        ("role", "variables", "says"),
        [
            ("rotate_token", {"soak": "abc"}, "rotate_token_soak: 'abc' is not possible. Give seconds, 0 or more."),
            (
                "enable_auth",
                {"monitor_duration": 30},
                "enable_auth_monitor_duration: 30 seconds are less than one period of 60",
            ),
        ],
    )
    def test_values(self, emulator: Emulator, role: str, variables: dict[str, Any], says: str) -> None:
        refused(run_role(emulator, role, **{"soak": 0, **variables}), says)

    def test_what_was_found(self, emulator: Emulator) -> None:
        """Of a group that is not there, that comes first."""
        create(emulator, "carts", AuthToken=A)
        ran = run_role(emulator, "rotate_token", groups=["carts", "nowhere"], soak=0)
        assert not ran.succeeded
        assert ran.mutating == []
        assert "carts: there is no secret elasticache/carts/auth-token in us-east-1." in ran.text
        assert "check rotate_token_secret_name and region." in ran.text
        assert "nowhere: there is no replication group of this id" in ran.text
        assert "auth_token_secret" not in ran.text

    def test_what_a_step_found(self, emulator: Emulator) -> None:
        """It would be a module that the role calls for one group; the plan refuses it in the role's words."""
        due_fleet(emulator, ["carts"], A)
        ran = run_role(emulator, "migrate_auth_to_rbac", groups=["carts"], soak=0, user_ids="nobody")
        assert not ran.succeeded
        assert "carts: migrate_auth_to_rbac is refused: " in ran.text
        assert "migrate_auth_to_rbac_user_ids: there is no user nobody in its region" in ran.text
