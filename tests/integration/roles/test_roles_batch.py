# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The roles on many groups at once, some of which fail; with monitoring after SET; with unauthenticated access.

One group's failure never stops another's, whether the groups are a list on localhost or hosts of the inventory.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import yaml
from integration.direct import mutating, run
from integration.role_calls import call_role
from integration.role_scenes import (
    KEY,
    RoleRun,
    age,
    labelled,
    put_token,
    role_variables,
    run_role,
    secret_name,
)
from integration.run import run_playbook
from integration.scenes import GROUP, USERS, A, B, C, create, modify, slots, wait_for_users

from chaos.clients import live

if TYPE_CHECKING:
    from conftest import Emulator

REFUSAL = "The service is not in the mood for it."
OLD = 100  # days: more than the 90 of rotate_token_max_token_age_days


def with_token(emulator: Emulator, *groups: str, stored: Sequence[str] | None = None) -> None:
    """Create groups whose token is due to be rotated; ``stored``: those that have a secret, all by default."""
    for group in groups:
        create(emulator, group, AuthToken=A)
        age(emulator, OLD, group)
        if stored is None or group in stored:
            put_token(emulator, A, group=group)


def arrived(emulator: Emulator, *groups: str) -> bool:
    """Whether each of the groups accepts the token in its AWSCURRENT alone, and that is a new one."""
    return all(slots(emulator, group) == [labelled(emulator, group)["AWSCURRENT"]] != [A] for group in groups)


def inventory_of(folder: Path, *groups: str) -> str:
    """An inventory with one host a group, whose tasks run here."""
    variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    file = folder / "hosts.yml"
    file.write_text(
        yaml.safe_dump({"all": {"hosts": {group: {} for group in groups}, "vars": variables}}, sort_keys=False)
    )
    return str(file)


def clients_of(folder: Path, failing: str) -> str:
    """The client cutover: it is noted in ``cutovers``, and fails on one host unless there is a file ``cured``."""
    note = "echo {{ inventory_hostname }}: {{ client_replication_groups | join(' ') }}"
    tasks = [
        {"name": "Move", "ansible.builtin.shell": f"{note} >> {folder / 'cutovers'}", "changed_when": False},
        {
            "name": "Check",
            "ansible.builtin.assert": {
                "that": f"inventory_hostname != {failing!r} or {str(folder / 'cured')!r} is file",
                "fail_msg": f"a client of {failing} has still the old token",
            },
        },
    ]
    file = folder / "clients.yml"
    file.write_text(yaml.safe_dump(tasks))
    return str(file)


class TestOneOfThreeFails:
    def test_in_a_list(self, emulator: Emulator) -> None:
        """The others arrive; and a second run, with the cause gone, takes up the one that failed, where it stood."""
        with_token(emulator, "carts", "orders", GROUP)
        emulator.faults(
            {
                "kind": "error",
                "action": "ModifyReplicationGroup",
                "id": "orders",
                "times": 1000,
                "code": "InvalidParameterValue",
                "message": REFUSAL,
                "status": 400,
            }
        )
        groups = ("carts", "orders", GROUP)
        ran = run_role(emulator, "rotate_token", groups=groups, soak=0)
        assert not ran.succeeded
        assert ran.recap["localhost"]["failures"] == 1
        assert ran.told().startswith("1 of 3 groups failed. orders: ")
        assert REFUSAL in ran.told()
        assert arrived(emulator, "carts", GROUP)
        assert slots(emulator, "orders") == [A]
        assert labelled(emulator, "orders")["AWSCURRENT"] == A

        emulator.clear_faults()
        ran = call_role(emulator, "rotate_token", groups=groups, soak=0)
        assert ran.succeeded, ran.output
        assert arrived(emulator, *groups)
        assert {call["id"] for call in ran.calls if call["mutating"]} <= {"orders", secret_name("orders")}
        assert "carts: nothing to do" in ran.told()

    def test_hosts(self, emulator: Emulator, tmp_path: Path) -> None:
        """A host fails with its own message, and the file for --limit names those that did."""
        hosts = ("orders", "carts", GROUP)  # the first one fails, at which a task that runs once would run
        with_token(emulator, *hosts, stored=("orders", GROUP))
        cutovers = tmp_path / "cutovers"
        clients = clients_of(tmp_path, "orders")

        def again(*arguments: str) -> RoleRun:
            cutovers.write_text("")
            return run_role(
                emulator,
                "rotate_token",
                groups=None,
                inventory=inventory_of(tmp_path, *hosts),
                extra_vars={"rotate_token_hosts": "all"},
                environment={"ANSIBLE_RETRY_FILES_ENABLED": "1", "ANSIBLE_RETRY_FILES_SAVE_PATH": str(tmp_path)},
                arguments=arguments,
                client_tasks=clients,
            )

        ran = again()
        assert not ran.succeeded
        assert {host: numbers["failures"] for host, numbers in ran.recap.items()} == {"orders": 1, "carts": 1, GROUP: 0}
        assert ran.changed[GROUP] >= 1
        assert ran.told("carts").startswith(f"carts: there is no secret {secret_name('carts')}")
        assert "a client of orders has still the old token" in ran.output
        assert sorted(cutovers.read_text().splitlines()) == ["orders: orders", f"{GROUP}: {GROUP}"]
        assert arrived(emulator, GROUP)
        assert slots(emulator, "carts") == [A]
        assert slots(emulator, "orders") == [A, labelled(emulator, "orders")["AWSCURRENT"]]  # no SET

        put_token(emulator, A, group="carts")
        (tmp_path / "cured").touch()
        (retry,) = tmp_path.glob("*.retry")
        assert set(retry.read_text().split()) == {"orders", "carts"}
        ran = again("--limit", f"@{retry}")
        assert ran.succeeded, ran.output
        assert set(ran.recap) == {"orders", "carts"}
        assert all(ran.changed.values())
        assert sorted(cutovers.read_text().splitlines()) == ["carts: carts", "orders: orders"]
        assert arrived(emulator, *hosts)
        assert not [call for call in ran.calls if call["mutating"] and call["id"] in (GROUP, secret_name())]


def test_hosts_of_clients(emulator: Emulator, tmp_path: Path) -> None:
    """Hosts that stand for no group speak for all of them: where one of them fails, no group gets SET."""
    with_token(emulator, GROUP)
    ran = run_role(
        emulator,
        "rotate_token",
        inventory=inventory_of(tmp_path, "app-1", "app-2"),
        extra_vars={"rotate_token_hosts": "all"},
        client_tasks=clients_of(tmp_path, "app-1"),
    )
    assert not ran.succeeded
    assert sorted((tmp_path / "cutovers").read_text().splitlines()) == [f"app-1: {GROUP}", f"app-2: {GROUP}"]
    assert slots(emulator) == [A, labelled(emulator)["AWSCURRENT"]]


def test_serial(emulator: Emulator, tmp_path: Path) -> None:
    """With serial: 1, a group begins when the one before it is done."""
    hosts = ("carts", GROUP)
    with_token(emulator, *hosts)
    play = {
        "hosts": "all",
        "serial": 1,
        "gather_facts": False,
        "vars": role_variables(emulator, "rotate_token", soak=0),
        "tasks": [{"name": "Rotate", "ansible.builtin.import_role": {"name": "elasticache.auth.rotate_token"}}],
    }
    ran = run_playbook(emulator, [play], inventory=inventory_of(tmp_path, *hosts))
    assert ran.succeeded, ran.output
    assert arrived(emulator, *hosts)
    calls = [call["id"] for call in emulator.calls(mutating="true", action="ModifyReplicationGroup")]
    assert calls == ["carts", "carts", GROUP, GROUP]
    for host in hosts:
        lines = ran.told(host).splitlines()
        assert len(lines) == 1
        assert lines[0].startswith(f"{host}: ")
        assert ran.recap[host]["changed"] >= 1


class TestWatch:
    """Clients that present the old token after SET."""

    MONITOR: ClassVar[dict[str, Any]] = {
        "monitor_duration": 4,
        "monitor_period": 1,
        "monitor_poll_interval": 0.5,
        "monitor_max_failures": 3,
    }

    @pytest.mark.emulator(data_plane="valkey")
    def test_clients_left_behind(self, emulator: Emulator) -> None:
        """They are accepted again, the group is failed, another one arrives, and from there the way is back."""
        with_token(emulator, GROUP, "carts")
        with live(emulator, GROUP, A) as clients:
            clients.wait_served()
            ran = call_role(emulator, "rotate_token", groups=(GROUP, "carts"), soak=0, **self.MONITOR)
            assert not ran.succeeded
            line = next(line for line in ran.told().splitlines() if line.startswith(f"{GROUP}: "))
            assert re.search(r"\d+ authentication failures", line)
            assert (
                f"That was tried: {GROUP}: now rotating (the token in AWSCURRENT, then the token in AWSPREVIOUS)"
                in line
            )
            assert arrived(emulator, "carts")
            new = labelled(emulator)["AWSCURRENT"]
            assert slots(emulator) == [new, A]
            assert labelled(emulator)["AWSPREVIOUS"] == A
            refused_before = len(clients.previous.failures) if clients.previous else 0
            assert refused_before > 3

            begun = time.time()
            ran = call_role(emulator, "rotate_token", soak=0, force=True)
            assert not ran.succeeded
            assert f"{GROUP}: rotate_token is refused" in ran.told()
            assert "the role rollback_token goes back to it" in ran.told()
            assert emulator.calls(mutating="true", since=begun) == []

            ran = call_role(emulator, "rollback_token", soak=0)
            assert ran.succeeded, ran.output
            assert slots(emulator) == [A]
            assert labelled(emulator)["AWSCURRENT"] == A
            assert "AWSPENDING" not in labelled(emulator)
        assert clients.current.failures == []
        assert clients.previous is not None
        assert len(clients.previous.failures) == refused_before
        assert [client.broken for client in clients.all] == [None, None]

    def test_the_metric_can_not_be_read(self, emulator: Emulator) -> None:
        """The group is failed, since nobody knows; nothing is taken back, unless the play does it when it rescues."""
        with_token(emulator, GROUP)
        emulator.faults(
            {
                "kind": "error",
                "action": "GetMetricData",
                "times": 1000,
                "code": "AccessDenied",
                "message": "not authorized to perform: cloudwatch:GetMetricData",
                "status": 403,
            }
        )
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "vars": {
                **role_variables(emulator, "rotate_token", [GROUP], soak=0, **self.MONITOR),
                **role_variables(emulator, "rollback_token", [GROUP], soak=0),
            },
            "tasks": [
                {
                    "name": "Rotate, or go back",
                    "block": [{"name": "Go", "ansible.builtin.import_role": {"name": "elasticache.auth.rotate_token"}}],
                    "rescue": [
                        {"name": "Back", "ansible.builtin.import_role": {"name": "elasticache.auth.rollback_token"}}
                    ],
                }
            ],
        }
        ran = run_playbook(emulator, [play])
        assert ran.succeeded, ran.output
        first, second = ran.reported
        assert (first.status, second.status) == ("failed", "ok")
        line = first.result["msg"]
        assert line.startswith(f"{GROUP}: it can't be told whether clients are refused")
        assert "cloudwatch:GetMetricData" in line
        assert sum(call["action"] == "ModifyReplicationGroup" for call in emulator.calls(mutating="true")) == 4
        assert slots(emulator) == [A]
        assert labelled(emulator)["AWSCURRENT"] == A


def with_users(emulator: Emulator) -> None:
    """A group with three users, of which the one named default has the token as its password."""
    client = emulator.client("elasticache")
    users = {
        "default": ("on ~* +@all", A),
        "app": ("on ~app:* +@read", B),
        "reports": ("on ~* +get", C),
    }
    for name, (access, password) in users.items():
        client.create_user(
            UserId=f"u-{name}", UserName=name, Engine="valkey", AccessString=access, Passwords=[password]
        )
    client.create_user_group(UserGroupId=USERS, Engine="valkey", UserIds=[f"u-{name}" for name in users])
    wait_for_users(emulator, USERS)
    create(emulator, UserGroupIds=[USERS])


def seconds_of_unauthenticated_access(emulator: Emulator) -> float:
    """The truth: for how many seconds everyone was accepted beside the token."""
    history = emulator.group(GROUP)["history"]
    ends = [*history[1:], {"time": time.time()}]
    return sum(after["time"] - before["time"] for before, after in zip(history, ends, strict=True) if is_open(before))


def is_open(state: dict[str, Any]) -> bool:
    """Whether someone without credentials is accepted."""
    return state["mode"] in ("open", "optional")


def reported(ran: RoleRun) -> float:
    """For how long everyone was accepted, as the role says."""
    found = re.search(r"Unauthenticated access was allowed for ([\d.]+) s\.", ran.told())
    assert found, ran.told()
    return float(found[1])


class TestExposure:
    """From user groups to a token: AWS allows unauthenticated access between ROTATE and SET."""

    LOSING = ("app", "on ~app:* +@read", "reports", "on ~* +get")

    def test_it_is_reported_before_and_measured(self, emulator: Emulator) -> None:
        """Clients that send the token alone stay in all the time; the others are named before anything is done."""
        with_users(emulator)
        put_token(emulator, A)
        plan = {
            "operation": "migrate_rbac_to_auth",
            "replication_group_ids": [GROUP],
            "auth_token_secret": {"name": secret_name(), "key": KEY},
            "data_plane_ca_path": emulator.ca_bundle,
        }
        without = run(emulator, "auth_operation", plan, check=True)
        assert without.failed
        for word in (*self.LOSING, "migrate_rbac_to_auth_accept_open_window: true"):
            assert word in without.msg
        assert "default" not in without.msg

        before = len(mutating(emulator))
        ran = run_role(emulator, "migrate_rbac_to_auth", soak=0, accept_open_window=True)
        assert ran.succeeded, ran.output
        assert slots(emulator) == [A]
        begin, end = ran.output.index(" : Begin |"), ran.output.index(": Client cutover |")
        line = f"{GROUP}: these users stop working when its user groups are taken away: "
        named = ran.output[ran.output.index(line) + len(line) :].splitlines()[0]
        assert begin < ran.output.index(line) < end
        assert all(word in named for word in self.LOSING)
        assert "default" not in named
        assert len(mutating(emulator)) > before
        self.check(emulator, ran)

    def test_it_counts_from_the_rotation_of_another_run(self, emulator: Emulator) -> None:
        """Cut off between ROTATE and SET: unauthenticated access was allowed between the runs, too."""
        with_users(emulator)
        options: dict[str, Any] = {"accept_open_window": True, "create_secret": True}
        ran = call_role(emulator, "migrate_rbac_to_auth", phase="begin", **options)
        assert ran.succeeded, ran.output
        assert "Unauthenticated access was allowed for" not in ran.output
        assert not is_open(emulator.group(GROUP))
        token = labelled(emulator)["AWSCURRENT"]
        modify(emulator, GROUP, RemoveUserGroups=True, AuthToken=token, AuthTokenUpdateStrategy="ROTATE")
        time.sleep(2)
        ran = call_role(emulator, "migrate_rbac_to_auth", phase="finish", **options)
        assert ran.succeeded, ran.output
        assert slots(emulator) == [labelled(emulator)["AWSCURRENT"]]
        assert reported(ran) >= 2
        self.check(emulator, ran)

    def check(self, emulator: Emulator, ran: RoleRun) -> None:
        """What is reported is not less than the truth, and not more than the time from the call to the last look."""
        calls = emulator.calls()
        called = next(call["time"] for call in calls if call["action"] == "ModifyReplicationGroup")
        print(f"exposure: reported {reported(ran)}, true {seconds_of_unauthenticated_access(emulator):.2f}")  # noqa: T201
        assert seconds_of_unauthenticated_access(emulator) - 0.05 <= reported(ran) <= calls[-1]["time"] - called + 3
