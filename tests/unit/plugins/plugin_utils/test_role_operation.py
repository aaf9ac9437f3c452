# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A role's calls of auth_operation: waves, the run file, and who goes on after a client cutover.

The play, its hosts and their variables are Ansible's own; only the action is a stand-in, as nothing is called here.
"""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import constants
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.block import Block
from ansible.playbook.play import Play
from ansible.playbook.task import Task
from ansible.template import Templar, trust_as_template
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._operation.run_file import RunFile
from ansible_collections.elasticache.auth.plugins.plugin_utils._role_operation import RoleOperation

#: Files with tasks are checked by Ansible's own parser.
pytestmark = pytest.mark.usefixtures("plugin_loader")

ROLES = Path(__file__).resolve().parents[4] / "roles"
WEST, EAST = {"elasticache_region": "us-west-2"}, {"elasticache_region": "us-east-1"}


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible's folder for temporary files is one of the test's."""
    (tmp_path / "local").mkdir()
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path / "local"), raising=False)


class Playing:
    """A play with a role, wave by wave."""

    def __init__(
        self,
        folder: Path,
        *hosts: str,
        role: str = "rotate_token",
        of_hosts: Mapping[str, Mapping[str, Any]] | None = None,
        **variables: Any,
    ) -> None:
        self.folder, self.role, self.check_mode, self.diff = folder, role, False, False
        self.call_id, self.unmoved = "1", list[str]()
        self.loader = DataLoader()
        self.loader.set_basedir(str(folder))
        self.inventory = InventoryManager(loader=self.loader, sources=[f"{','.join(hosts)},"])
        for host, given in (of_hosts or {}).items():
            for name, value in given.items():
                self.inventory.get_host(host).set_variable(name, value)
        self.manager = VariableManager(loader=self.loader, inventory=self.inventory)
        HostVars(inventory=self.inventory, variable_manager=self.manager, loader=self.loader)
        defaults = self.loader.load_from_file(str(ROLES / role / "defaults" / "main.yml"))
        given = {f"{role}_{name}": value for name, value in variables.items()}
        content = {"name": "A play", "hosts": "all", "gather_facts": False, "vars": {**defaults, **given}}
        self.play = Play.load(content, variable_manager=self.manager, loader=self.loader)

    def wave(self, *hosts: str) -> Playing:
        """Let these be the hosts of the batch."""
        self.inventory.restrict_to_hosts([self.inventory.get_host(host) for host in hosts])
        return self

    def drop(self, *hosts: str) -> Playing:
        """Let these have failed."""
        self.play._removed_hosts.extend(hosts)
        return self

    def set(self, **variables: Any) -> Playing:
        """Let the role have other variables: it is used once more."""
        self.play.vars.update({f"{self.role}_{name}": value for name, value in variables.items()})
        return self

    def operation(self, after: Sequence[Mapping[str, Any]] | None = None, **arguments: Any) -> RoleOperation:
        """One task of the role, which has not been prepared."""
        task: Any = Task(block=Block(play=self.play))
        task._variable_manager, task._loader = self.manager, self.loader
        task.check_mode, task.diff = self.check_mode, self.diff
        batch = self.inventory.get_hosts()
        host = next(host for host in batch if host.name not in self.play._removed_hosts)
        for one in batch if after is not None else ():
            if one.name not in [*self.play._removed_hosts, *self.unmoved]:
                self.manager.set_nonpersistent_facts(one.name, {f"_{self.role}_moved": self.call_id})
        known = self.manager.get_vars(play=self.play, host=host, task=task)
        action: Any = SimpleNamespace(
            _task=task,
            _templar=Templar(loader=self.loader, variables=known),
            _loader=self.loader,
            _play_context=SimpleNamespace(become=False),
            _connection=SimpleNamespace(transport="local"),
        )
        if after is not None:
            arguments = {**arguments, "after_cutover": list(after)}
        return RoleOperation(action, self.role, arguments, known)

    def begin(self, **arguments: Any) -> RoleOperation:
        """One task of the role, which begins."""
        operation = self.operation(**arguments)
        assert operation.prepare() == ""
        return operation

    def go_on(self, after: Sequence[Mapping[str, Any]], **arguments: Any) -> RoleOperation:
        """One task of the role after its client cutover."""
        operation = self.operation(after, **arguments)
        assert operation.prepare() == ""
        return operation


def outcome(key: str, *made: str, failed: bool = False, **members: Any) -> dict[str, Any]:
    """What the module tells of a group."""
    told = {"changed": bool(made), "failed": failed, "msg": f"{key}: {'refused' if failed else 'done'}."}
    lists: dict[str, Any] = {name: [] for name in ("planned_calls", "step_results", "users")}
    actions = [{"step": step, "action": step} for step in made]
    return {
        **told,
        **lists,
        "planned_steps": list(made),
        "completed_steps": list(made),
        "api_calls": actions,
        "current_state": "open",
        **members,
    }


def result(operation: RoleOperation, *made: str, stage: str | None = None, failing: Sequence[str] = ()) -> Any:
    """What the module returns: each group of the call made these steps, and stopped at ``stage``, or failed."""
    targets, cutovers = [], []
    for target in operation.arguments["targets"]:
        outcomes = {}
        for key in target["replication_group_ids"]:
            failed = key in failing
            at = None if failed else stage
            outcomes[key] = outcome(key, *made, failed=failed, cutover_stage=at, secret_name=f"the/{key}")
            if at:
                where = {name: target[name] or None for name in ("region", "assume_role_arn")}
                cutovers.append({"replication_group_id": key, **where, "stage": at, "secret_version_id": f"v-{key}"})
        targets.append({"outcomes": outcomes})
    changed = any(one["changed"] for place in targets for one in place["outcomes"].values())
    return {"changed": changed, "failed": False, "targets": targets, "cutovers": cutovers}


def ids(operation: RoleOperation) -> list[str]:
    """The groups of a call, in order."""
    return [key for target in operation.arguments.get("targets", ()) for key in target["replication_group_ids"]]


def content(path: Path | str) -> Any:
    return json.loads(Path(path).read_text("utf-8"))


def outcomes_in(path: Path | str) -> dict[str, tuple[int, str]]:
    return {one["replication_group_id"]: (one["wave"], one["outcome"]) for one in content(path)["groups"]}


# --- A call for all hosts of the batch


def test_a_call_is_for_the_groups_of_the_batch(tmp_path: Path) -> None:
    hosts = {"a": WEST, "h": {**EAST, "replication_group_id": "b"}, "c": WEST}
    playing = Playing(tmp_path, "a", "h", "c", "d", of_hosts=hosts, soak=5).wave("a", "h", "c")
    operation = playing.begin(force=True)
    given = operation.arguments
    assert [(target["region"], target["replication_group_ids"]) for target in given["targets"]] == [
        ("us-west-2", ["a", "c"]),
        ("us-east-1", ["b"]),
    ]
    assert (given["force"], given["soak"], given["skip_secondaries"]) == (True, 5, True)
    told = operation.ended(result(operation, "rotate", "set"))
    assert (told["changed"], told["wave"], told["stopped"], told["cutovers"]) == (True, 1, "", [])
    assert told["folder"] == str(tmp_path)
    assert told["msg"].startswith("rotate_token, wave 1: 3 changed. In all: 3 changed, 1 host is waiting.")
    assert not {"targets", "outcomes"} & set(told)
    assert Path(told["run_file"]).parent == tmp_path / "local"
    assert (content(told["run_file"])["hosts"], content(told["run_file"])["waiting"]) == (["a", "h", "c"], ["d"])


def test_a_list_of_groups(tmp_path: Path) -> None:
    operation = Playing(tmp_path, "localhost", replication_groups=["a", "B"], soak=0).begin()
    assert operation.arguments["targets"] == [
        {"region": "", "assume_role_arn": "", "replication_group_ids": ["a", "b"]},
    ]
    assert (operation.arguments["soak"], operation.arguments["skip_secondaries"]) == (0, False)


def test_no_group_no_call(tmp_path: Path) -> None:
    operation = Playing(tmp_path, "localhost", replication_groups=[], soak=0).begin()
    assert operation.arguments == {}
    told = operation.ended({})
    assert (told["msg"], told["changed"], told.get("failed")) == ("There is no replication group.", False, None)
    assert content(told["run_file"])["groups"] == []


def test_a_call_that_failed_as_a_whole(tmp_path: Path) -> None:
    operation = Playing(tmp_path, "a", soak=0).begin()
    told = operation.ended({"failed": True, "msg": "max_token_age_days: -1 is not possible.", "warnings": ["beware"]})
    assert (told["failed"], told["msg"]) == (True, "rotate_token_max_token_age_days: -1 is not possible.")
    assert (told["warnings"], told["changed"]) == (["beware"], False)


def tasks(folder: Path) -> str:
    (folder / "clients.yml").write_text("- name: Move the clients\n  ansible.builtin.debug: {msg: moved}\n")
    return "clients.yml"


def role_of_clients(folder: Path) -> str:
    tasks_of_role = folder / "roles" / "move_clients" / "tasks"
    tasks_of_role.mkdir(parents=True, exist_ok=True)
    (tasks_of_role / "main.yml").write_text("- name: Move the clients\n  ansible.builtin.debug: {msg: moved}\n")
    return "move_clients"


def test_the_clients_need_a_cutover(tmp_path: Path) -> None:
    with pytest.raises(
        AuthError, match=r"_client_tasks, a role in rotate_token_client_role, or a time in rotate_token_soak .*: begin"
    ):
        Playing(tmp_path, "a").operation().prepare()
    cases: list[dict[str, Any]] = [{"phase": "begin"}, {"phase": "finish"}, {"client_tasks": tasks(tmp_path)}]
    cases.append({"client_role": role_of_clients(tmp_path)})
    for variables in cases:
        assert "soak" not in Playing(tmp_path, "a", **variables).begin().arguments


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"client_role": "nowhere"},
            r"^rotate_token_client_role: the role 'nowhere' was not found .*Nothing was looked",
        ),
        (
            {"client_role": "elasticache.auth.nowhere"},
            r"^rotate_token_client_role: the role 'elasticache.auth.nowhere' ",
        ),
        ({"client_tasks": "clients.yml", "client_role": "move_clients"}, "are both set for a. Nothing was looked at."),
    ],
)
def test_a_role_for_the_clients_that_can_not_be_run(tmp_path: Path, given: dict[str, Any], words: str) -> None:
    tasks(tmp_path), role_of_clients(tmp_path)
    with pytest.raises(AuthError, match=words):
        Playing(tmp_path, "a", **given).operation().prepare()


def test_groups_whose_clients_a_role_could_not_move(tmp_path: Path) -> None:
    """They do not go on, and are reported; a note of another cutover, or of another region, says nothing of them."""
    play = Playing(tmp_path, "localhost", replication_groups=["a", "b"], client_role=role_of_clients(tmp_path))
    after = begun(play)
    notes = {
        "rotate_token client_cutover  ": {"a": "a: the service web\nis not stable."},
        "rotate_token client_cutover us-east-1 ": {"b": "not this one"},
        "rollback_token client_cutover  ": {"b": "nor this"},
    }
    play.manager.set_nonpersistent_facts("localhost", {"_client_failures": notes})
    went_on = play.go_on(after)
    assert ids(went_on) == ["b"]
    ended = went_on.ended(result(went_on, "set"))
    reports = {group["replication_group_id"]: group for group in RunFile.read(ended["run_file"]).groups}
    assert reports["a"]["line"] == "a: the service web is not stable."
    assert (reports["a"]["failed"], reports["b"]["failed"]) == (True, False)


@pytest.mark.parametrize("reason", ["", None])
def test_a_group_that_a_role_names_without_a_reason_does_not_go_on(tmp_path: Path, reason: str | None) -> None:
    play = Playing(tmp_path, "localhost", replication_groups=["a", "b"], client_role=role_of_clients(tmp_path))
    after = begun(play)
    notes = {"rotate_token client_cutover  ": {"a": reason}}
    play.manager.set_nonpersistent_facts("localhost", {"_client_failures": notes})
    went_on = play.go_on(after)
    assert ids(went_on) == ["b"]
    reports = {
        group["replication_group_id"]: group
        for group in RunFile.read(went_on.ended(result(went_on, "set"))["run_file"]).groups
    }
    assert reports["a"]["line"] == "a: its clients were not moved, as the role for them says."


def test_check_mode_tells_what_a_role_would_restart(tmp_path: Path) -> None:
    """The groups that would stop at a cutover are passed to the role; none of them goes on."""
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"client_role": role_of_clients(tmp_path)}, ["a"]),
        ({"client_tasks": tasks(tmp_path)}, []),
    ]
    for given, planned in cases:
        play = Playing(tmp_path, "localhost", replication_groups=["a", "b"], **given)
        play.check_mode = True
        began = play.begin()
        found = result(began)
        found["targets"][0]["outcomes"]["a"]["planned_steps"] = ["rotate", "client_cutover", "set"]
        cutovers = began.ended(found)["cutovers"]
        assert [(cutover["replication_group_id"], cutover["stage"]) for cutover in cutovers] == [
            (key, "client_cutover") for key in planned
        ]
        if planned:
            went_on = play.go_on(cutovers)
            assert went_on.arguments == {}
            assert went_on.ended({})["msg"].startswith("In check mode no client was moved")


def test_each_host_has_tasks_or_a_role(tmp_path: Path) -> None:
    """What one host has in a file another may have in a role; one with neither is refused."""
    of_hosts = {"a": {"rotate_token_client_tasks": tasks(tmp_path)}}
    of_hosts["b"] = {"rotate_token_client_role": role_of_clients(tmp_path)}
    play = Playing(tmp_path, "a", "b", of_hosts=of_hosts)
    for short in ("client_tasks", "client_role"):
        del play.play.vars[f"rotate_token_{short}"]
    assert ids(play.begin()) == ["a", "b"]
    play = Playing(tmp_path, "a", "c", of_hosts={"a": of_hosts["a"]})
    del play.play.vars["rotate_token_client_tasks"]
    with pytest.raises(AuthError, match=r"^rotate_token_client_tasks: c has none, and other hosts do"):
        play.operation().prepare()


def test_a_time_after_tasks_is_known_to_the_plan(tmp_path: Path) -> None:
    given = Playing(tmp_path, "a", soak=5, client_tasks=tasks(tmp_path)).begin().arguments
    assert (given["soak"], given["client_tasks"]) == (5, True)
    given = Playing(tmp_path, "a", soak=5).begin().arguments
    assert (given["soak"], given["client_tasks"]) == (5, False)


@pytest.mark.parametrize(
    ("hosts", "groups", "silent"),
    [
        (["a", "b"], ["a", "b"], ""),
        (["a", "b"], ["a"], ""),  # b speaks for it, too
        (["a", "bastion"], ["a", "b"], ""),
        (["localhost"], ["a", "b"], ""),
        (["a"], ["a", "b"], "b"),
        (["a", "b"], ["c", "b", "a"], "c"),
    ],
)
def test_tasks_move_the_clients_of_every_group(
    tmp_path: Path, hosts: list[str], groups: list[str], silent: str
) -> None:
    given: dict[str, Any] = {"replication_groups": groups, "client_tasks": tasks(tmp_path)}
    if not silent:
        Playing(tmp_path, *hosts, **given).begin()
        return
    words = f"^rotate_token_replication_groups: {silent}: no host of the play stands for it, .*_client_tasks would not"
    with pytest.raises(AuthError, match=words):
        Playing(tmp_path, *hosts, **given).operation().prepare()
    assert ids(Playing(tmp_path, *hosts, **given, soak=5).begin()) == groups  # all clients have that time


@pytest.mark.parametrize(
    ("hosts", "wave", "groups", "words"),
    [
        # Hosts that stand for no group of a list speak for all of them.
        (
            ["app-1", "app-2"],
            ["app-1"],
            ["a", "b"],
            "app-2 is in another wave .* speaks for all replication groups, too",
        ),
        (["a", "b", "app-1"], ["a", "b"], ["a", "b"], "app-1 is in another wave"),
        # Two hosts stand for one group.
        (["h1", "h2"], ["h1"], None, "h2 is in another wave .* speaks for a, too"),
        (["app-1", "app-2"], ["app-1", "app-2"], ["a", "b"], ""),
        (["a", "b"], ["a"], None, ""),
        (["h1", "east"], ["h1"], None, ""),  # of the same id, in another region
    ],
)
def test_tasks_of_a_later_wave_would_come_too_late(
    tmp_path: Path, hosts: list[str], wave: list[str], groups: list[str] | None, words: str
) -> None:
    given: dict[str, Any] = {} if groups is None else {"replication_groups": groups}
    of_hosts: dict[str, Any] = {host: {"replication_group_id": "a"} for host in hosts if host.startswith("h")}
    of_hosts |= {"east": {**EAST, "replication_group_id": "a"}} if "east" in hosts else {}
    playing = Playing(tmp_path, *hosts, of_hosts=of_hosts, client_tasks=tasks(tmp_path), **given).wave(*wave)
    if words:
        with pytest.raises(AuthError, match=words):
            playing.operation().prepare()
        playing.set(soak=5)  # all clients have that time
    playing.begin()


def test_a_change_counts_where_it_is_the_hosts_own(tmp_path: Path) -> None:
    """One host makes the call for all of them; with a diff it is shown there."""
    for own in ("a", "b"):
        playing = Playing(tmp_path, "a", "b", "c", soak=0)
        operation = playing.begin()
        made = result(operation)
        made["targets"][0]["outcomes"][own] = outcome(own, "rotate")
        assert operation.ended({**made, "changed": True})["changed"] is (own == "a")
        playing.diff = True
        operation = playing.begin()
        assert operation.ended({**made, "changed": True, "diff": [{}]})["changed"] is True


@pytest.mark.parametrize("role", ["migrate_rbac_to_auth", "disable_access_control", "rotate_token"])
def test_who_stops_working_is_reported(tmp_path: Path, role: str, capsys: pytest.CaptureFixture[str]) -> None:
    playing = Playing(tmp_path, "a", "b", role=role, soak=0)
    operation = playing.begin()
    assert operation.has_losers == (role != "rotate_token")
    users = [
        {"user_name": "app", "access_string": "on ~app:* -@all\n+@read", "retains_access": False},
        {"user_name": "default", "access_string": "on ~* +@all", "retains_access": True},
    ]
    plan = result(operation, "rotate")
    plan["targets"][0]["outcomes"]["a"]["users"] = users
    plan["targets"][0]["outcomes"]["b"] |= {"users": users, "planned_steps": ["set"]}
    operation.tell_losers(plan)
    assert capsys.readouterr().out.splitlines() == [
        "a: these users stop working when its user groups are taken away: app (on ~app:* -@all +@read)"
    ]
    # One stops working before that, and is named in the phase begin, too.
    replaced = {**users[1], "retains_access": False, "loses_access_at": "bridge_user"}
    plan["targets"][0]["outcomes"]["a"] |= {"users": [users[0], replaced], "planned_steps": ["bridge_user"]}
    operation.tell_losers(plan)
    assert capsys.readouterr().out.splitlines() == [
        (
            "a: these users stop working as soon as the bridge user takes the place of the user named default: "
            "default (on ~* +@all)"
        ),
        "a: these users stop working when its user groups are taken away: app (on ~app:* -@all +@read)",
    ]
    operation.tell_losers({"failed": True, "msg": "no credentials"})
    operation.ended(result(operation, "rotate", stage="client_cutover"))
    assert playing.operation([]).has_losers is False


# --- What is one for all hosts


@pytest.mark.parametrize(
    ("short", "value", "words"),
    [
        ("report_path", "{{ inventory_hostname }}.json", "it is 'a.json' for a, and 'b.json' for b, but one file is"),
        ("soak", "{{ given | default(60) }}", "it is '60' for a, and '0' for b, but one call is made for all hosts of"),
        ("phase", "{{ 'all' if given is defined else 'begin' }}", "it is 'begin' for a, and 'all' for b"),
        ("max_fail_percentage", "{{ given | default(10) }}", "it is '10' for a, and '0' for b"),
        # Of b's inventory alone.
        ("soak", None, "it is '60' for a, and '0' for b"),
        ("report_path", None, "it is 'all.json' for a, and 'b.json' for b"),
    ],
)
@pytest.mark.parametrize("client_tasks", [False, True])
def test_hosts_that_differ_in_what_is_one_for_all(
    tmp_path: Path, short: str, value: str | None, words: str, client_tasks: bool
) -> None:
    of_b: dict[str, Any] = {"given": 0, "rotate_token_soak": 0, "rotate_token_report_path": "b.json"}
    given: dict[str, Any] = {"soak": 60, "client_tasks": tasks(tmp_path) if client_tasks else ""}
    given[short] = value and trust_as_template(value)
    playing = Playing(tmp_path, "a", "b", of_hosts={"b": of_b}, **given)
    if value is None:  # what a play says comes before the inventory
        del playing.play.vars[f"rotate_token_{short}"]
        of_a = {"soak": 60, "report_path": "all.json"}[short]
        playing.inventory.get_host("a").set_variable(f"rotate_token_{short}", of_a)
    with pytest.raises(AuthError, match=f"^rotate_token_{short}: {words}.* Nothing was looked at"):
        playing.operation().prepare()
    assert list((tmp_path / "local").iterdir()) == []


def test_hosts_that_say_the_same_in_other_words(tmp_path: Path) -> None:
    template = trust_as_template("{{ path | default('all.json') }}")
    playing = Playing(tmp_path, "a", "b", soak=60, report_path=template)
    playing.inventory.get_host("b").set_variable("path", "all.json")
    assert playing.begin().arguments["soak"] == 60


def test_a_later_wave_has_the_file_of_the_first(tmp_path: Path) -> None:
    """With one of its own it would be a first wave, which no failure before it holds up."""
    template = trust_as_template("{{ inventory_hostname }}.json")
    playing = Playing(tmp_path, "a", "b", soak=0, report_path=template).wave("a")
    operation = playing.begin()
    operation.ended(result(operation, failing=["a"]))
    playing.drop("a").wave("b")
    with pytest.raises(AuthError, match=r"_report_path: it is 'b\.json' for b, and 'a\.json' for a, but one file is"):
        playing.operation().prepare()


# --- Waves


@pytest.mark.parametrize(
    ("hosts", "failed", "allowed", "stops"),
    [
        (10, 0, 0, False),
        (10, 1, 0, True),
        (10, 1, 10, False),  # no more than that
        (10, 2, 10, True),
        (10, 9, 90.0, False),
        (10, 1, "10", False),
        (10, 10, 100, False),
        (3, 1, 33, True),
        (3, 1, 34, False),
        (8, 7, 10, True),
    ],
)
def test_the_gate_between_waves(tmp_path: Path, hosts: int, failed: int, allowed: Any, stops: bool) -> None:
    first = [f"h{number}" for number in range(hosts)]
    report = tmp_path / "report.json"
    playing = Playing(
        tmp_path, *first, "later", "last", soak=0, max_fail_percentage=allowed, report_path=str(report)
    ).wave(*first)
    operation = playing.begin()
    operation.ended(result(operation, "rotate", failing=first[:failed]))

    operation = playing.drop(*first[:failed]).wave("later").operation()
    why = operation.prepare()
    assert bool(why) == stops
    if not stops:
        told = operation.ended(result(operation, "rotate"))
        assert told["wave"] == 2
        assert outcomes_in(report)["later"] == (2, "changed")
        assert content(report)["waiting"] == ["last"]
        return
    assert why.startswith(f"not begun. Of the {hosts} hosts of the wave before {failed} failed ({first[0]}")
    assert f"more than rotate_token_max_fail_percentage: {allowed} allows" in why
    assert first[failed - 1] in why or failed > 5
    assert "h5" not in why
    told = operation.stopped(why)
    assert (told["stopped"], told["cutovers"], told["wave"]) == (why, [], 1)
    assert RunFile.read(told["run_file"]).hosts == first
    assert "later" not in outcomes_in(report)


def test_only_the_wave_before_counts(tmp_path: Path) -> None:
    playing = Playing(tmp_path, "a", "b", "c", "d", soak=0, max_fail_percentage=50)
    for wave, hosts in enumerate((("a", "b"), ("c",), ("d",)), start=1):
        operation = playing.wave(*hosts).begin()
        assert operation.ended(result(operation, "rotate"))["wave"] == wave
        playing.drop(*hosts[:1] if wave == 1 else ())


def test_a_host_that_failed_before_the_role_waits_for_nothing(tmp_path: Path) -> None:
    playing = Playing(tmp_path, "a", "b", "c", "d", soak=0).wave("a", "b").drop("b")
    operation = playing.begin()
    told = operation.ended(result(operation))
    assert (ids(operation), content(told["run_file"])["waiting"]) == (["a"], ["c", "d"])
    operation = playing.wave("c", "d").drop("d").begin()
    told = operation.ended(result(operation))
    assert (content(told["run_file"])["hosts"], content(told["run_file"])["waiting"]) == (["c"], [])


def test_another_play_begins_anew(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    for host in ("a", "b"):
        playing = Playing(tmp_path, "a", "b", soak=0, report_path="report.json").wave(host)
        operation = playing.begin()
        assert operation.ended(result(operation, failing=["a"]))["run_file"] == str(report)
    assert outcomes_in(report) == {"b": (1, "unchanged")}


# --- The role more than once in a play


def test_the_role_once_more_in_the_same_play(tmp_path: Path) -> None:
    """Its report is not told again by the second one, which takes its place in the file."""
    report = tmp_path / "report.json"
    playing = Playing(tmp_path, "a", "b", soak=0, replication_groups=["a"], report_path="report.json")
    operation = playing.begin()
    operation.ended(result(operation, "rotate"))
    operation = playing.set(replication_groups=["b"]).begin()
    assert operation.ended(result(operation))["wave"] == 1
    assert outcomes_in(report) == {"b": (1, "unchanged")}


def test_the_role_once_more_in_each_wave(tmp_path: Path) -> None:
    """The waves before stay in the file, and the gate is closed after either use."""
    report = tmp_path / "report.json"
    playing = Playing(tmp_path, "a", "b", "c", soak=0, report_path="report.json", max_fail_percentage=0)
    for wave, host in enumerate(("a", "b"), start=1):
        for made in ((), ("rotate",)):
            operation = playing.wave(host).begin()
            assert operation.ended(result(operation, *made))["wave"] == wave
    assert outcomes_in(report) == {"a": (1, "changed"), "b": (2, "changed")}
    assert "rotate_token_max_fail_percentage" in playing.drop("b").wave("c").operation().prepare()


def test_the_role_once_more_with_another_file(tmp_path: Path) -> None:
    playing = Playing(tmp_path, "a", "b", soak=0)
    for host in ("a", "b"):
        for path, made in (("first.json", ()), ("second.json", ("rotate",))):
            operation = playing.wave(host).set(report_path=path).begin()
            operation.ended(result(operation, *made))
    assert outcomes_in(tmp_path / "first.json") == {"a": (1, "unchanged"), "b": (2, "unchanged")}
    assert outcomes_in(tmp_path / "second.json") == {"a": (1, "changed"), "b": (2, "changed")}


def test_two_roles_with_one_file(tmp_path: Path) -> None:
    """The file is of the one that wrote last; waves are counted by each."""
    first = Playing(tmp_path, "a", "b", soak=0, report_path="report.json", max_fail_percentage=0)
    second = Playing(tmp_path, "a", "b", role="enable_tls", soak=0, report_path="report.json")
    second.play._uuid = first.play._uuid
    for wave, host in enumerate(("a", "b"), start=1):
        for playing in (first, second):
            operation = playing.wave(host).begin()
            assert operation.ended(result(operation))["wave"] == wave
        assert content(tmp_path / "report.json")["operation"] == "enable_tls"
    assert outcomes_in(tmp_path / "report.json") == {"a": (1, "unchanged"), "b": (2, "unchanged")}


# --- What is at the path already


@pytest.mark.parametrize(
    "found",
    [
        '{"schema": 1, "operation": "rotate_token", "began_at": "t", "groups": [{"replication_group_id": "z"}]}',
        '{"run": null, "groups": []}',
        "not: {json",
        "",
        "[]",
    ],
)
def test_an_old_file_of_the_users(tmp_path: Path, found: str) -> None:
    """It is replaced, and not gone on from."""
    report = tmp_path / "report.json"
    report.write_text(found)
    report.chmod(0o644)
    operation = Playing(tmp_path, "a", soak=0, report_path="report.json").begin()
    assert report.read_text() == found  # until there is something to tell
    assert operation.ended(result(operation))["wave"] == 1
    assert outcomes_in(report) == {"a": (1, "unchanged")}
    assert stat.S_IMODE(report.stat().st_mode) == 0o600


def test_check_mode_leaves_the_users_file_alone(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text("of yesterday")
    playing = Playing(tmp_path, "a", soak=0, report_path="report.json")
    playing.check_mode = True
    operation = playing.begin()
    told = operation.ended(result(operation, "rotate"))
    assert report.read_text() == "of yesterday"
    assert outcomes_in(told["run_file"]) == {"a": (1, "changed")}


# --- After the client cutover


def begun(playing: Playing, stage: str = "client_cutover") -> list[dict[str, Any]]:
    """Begin, and return where the groups stopped."""
    operation = playing.begin()
    cutovers: list[dict[str, Any]] = operation.ended(result(operation, "rotate", stage=stage))["cutovers"]
    return cutovers


def test_who_goes_on(tmp_path: Path) -> None:
    hosts = {"a": WEST, "h": {**EAST, "replication_group_id": "a"}, "c": EAST}
    playing = Playing(tmp_path, "a", "h", "c", of_hosts=hosts, client_tasks=tasks(tmp_path))
    cutovers = begun(playing)
    operation = playing.go_on(cutovers, phase="all")
    given = operation.arguments
    assert given["after_cutover"] == cutovers
    assert [(target["region"], target["replication_group_ids"]) for target in given["targets"]] == [
        ("us-west-2", ["a"]),
        ("us-east-1", ["a", "c"]),
    ]
    assert (given["phase"], "soak" in given, operation.has_losers) == ("all", False, False)
    told = operation.ended(result(operation, "set"))
    assert (told["cutovers"], told["wave"]) == ([], 1)
    reports = RunFile.read(told["run_file"]).groups
    assert [(one["region"], one["completed_steps"], one["cutover_stage"]) for one in reports] == [
        (region, ["rotate", "client_cutover", "set"], None) for region in ("us-west-2", "us-east-1", "us-east-1")
    ]


@pytest.mark.parametrize(
    ("hosts", "groups", "dropped", "going"),
    [
        # Each host stands for a group: those of the hosts that failed are left out, and only those.
        (["a", "b", "c"], None, [], ["a", "b", "c"]),
        (["a", "b", "c"], None, ["b"], ["a", "c"]),
        (["a", "b", "c"], None, ["a", "c"], ["b"]),
        # A list on hosts that stand for them.
        (["a", "b"], ["b", "a"], ["a"], ["b"]),
        # A host that stands for none moved the clients of all, or did not.
        (["a", "b", "bastion"], ["a", "b"], ["a"], ["b"]),
        (["a", "b", "bastion"], ["a", "b"], ["bastion"], []),
        (["app-1", "app-2"], ["a", "b"], ["app-2"], []),
        (["app-1", "app-2"], ["a", "b"], [], ["a", "b"]),
    ],
)
def test_hosts_that_failed_in_the_client_cutover(
    tmp_path: Path, hosts: list[str], groups: list[str] | None, dropped: list[str], going: list[str]
) -> None:
    report = tmp_path / "report.json"
    variables: dict[str, Any] = {} if groups is None else {"replication_groups": groups}
    playing = Playing(tmp_path, *hosts, report_path="report.json", client_tasks=tasks(tmp_path), **variables)
    cutovers = begun(playing)
    operation = playing.drop(*dropped).go_on(cutovers)
    assert ids(operation) == going
    assert [one["replication_group_id"] for one in operation.arguments.get("after_cutover", ())] == going
    told = operation.ended(result(operation, "set") if going else {})
    left = {
        one["replication_group_id"] for one in content(report)["groups"] if one["cutover_stage"] == "client_cutover"
    }
    assert left == {one["replication_group_id"] for one in cutovers} - set(going)
    if not going:
        assert told["msg"] == "No replication group goes on: on none of their hosts the client cutover came to its end."


@pytest.mark.parametrize(
    ("hosts", "groups", "unmoved", "going"),
    [
        (["a", "b", "c"], None, ["b"], ["a", "c"]),
        (["a", "b", "c"], None, ["b", "c"], ["a"]),
        (["app-1", "app-2"], ["a", "b"], ["app-2"], []),
    ],
)
def test_hosts_whose_tasks_did_not_come_to_their_end(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    hosts: list[str],
    groups: list[str] | None,
    unmoved: list[str],
    going: list[str],
) -> None:
    """A play that rescues a host, or runs the role on some hosts only, leaves it among those that have not failed."""
    variables: dict[str, Any] = {} if groups is None else {"replication_groups": groups}
    playing = Playing(tmp_path, *hosts, client_tasks=tasks(tmp_path), **variables)
    playing.unmoved = unmoved
    assert ids(playing.go_on(begun(playing))) == going
    told = " ".join(capsys.readouterr().err.split())
    assert f"rotate_token: {', '.join(unmoved)}: the tasks of rotate_token_client_tasks have not" in told


def test_an_earlier_cutover_is_none_of_this_one(tmp_path: Path) -> None:
    """The role is used a second time, in which one host's tasks don't come to their end."""
    playing = Playing(tmp_path, "a", "b", client_tasks=tasks(tmp_path))
    assert ids(playing.go_on(begun(playing))) == ["a", "b"]
    playing.call_id, playing.unmoved = "2", ["b"]
    assert ids(playing.go_on(begun(playing))) == ["a"]


def test_each_call_has_an_id_of_its_own(tmp_path: Path) -> None:
    playing = Playing(tmp_path, "a", client_tasks=tasks(tmp_path))
    told = [operation.ended(result(operation))["call_id"] for operation in (playing.begin(), playing.begin())]
    assert len(set(told)) == 2


def test_the_same_id_in_another_region_goes_on(tmp_path: Path) -> None:
    hosts = {"h1": {**WEST, "replication_group_id": "a"}, "h2": {**EAST, "replication_group_id": "a"}}
    playing = Playing(tmp_path, "h1", "h2", of_hosts=hosts, client_tasks=tasks(tmp_path))
    cutovers = begun(playing)
    operation = playing.drop("h1").go_on(cutovers)
    assert [one["region"] for one in operation.arguments["targets"]] == ["us-east-1"]


def test_hosts_of_the_wave_before_take_nothing_out(tmp_path: Path) -> None:
    playing = Playing(tmp_path, "a", "b", "c", client_tasks=tasks(tmp_path), max_fail_percentage=100).wave("a")
    begun(playing)
    playing.drop("a").wave("b", "c")
    operation = playing.go_on(begun(playing))
    assert ids(operation) == ["b", "c"]
    operation.ended(result(operation, "set"))
    assert {key: wave for key, (wave, dummy) in outcomes_in(operation._file.path).items()} == {"a": 1, "b": 2, "c": 2}


@pytest.mark.parametrize(("soak", "given"), [("", None), (0, None), ("0", None), (7, 7), ("7", "7")])
def test_a_time_besides_the_tasks(tmp_path: Path, soak: Any, given: Any) -> None:
    playing = Playing(tmp_path, "a", client_tasks=tasks(tmp_path), soak=soak)
    assert playing.go_on(begun(playing)).arguments.get("soak") == given


def test_authorities_are_found_by_either_call(tmp_path: Path) -> None:
    """A relative path is relative to the playbook, wherever the module runs."""
    playing = Playing(tmp_path, "a", client_tasks=tasks(tmp_path), data_plane_ca_path="ca.pem", probe="never")
    expected = str(tmp_path / "ca.pem")
    operation = playing.begin(data_plane_ca_path="ca.pem")
    assert operation.arguments["data_plane_ca_path"] == expected
    cutovers = operation.ended(result(operation, stage="client_cutover"))["cutovers"]
    assert playing.go_on(cutovers, data_plane_ca_path="ca.pem").arguments["data_plane_ca_path"] == expected
    assert "data_plane_ca_path" not in playing.go_on(cutovers).arguments


def test_a_failure_after_the_client_cutover_is_counted(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    playing = Playing(tmp_path, "a", "b", client_tasks=tasks(tmp_path), report_path="report.json")
    operation = playing.go_on(begun(playing))
    told = operation.ended(result(operation, failing=["a"]))
    assert told["msg"].startswith("rotate_token, wave 1: 1 failed, 1 changed.")
    assert outcomes_in(report) == {"a": (1, "failed"), "b": (1, "changed")}
    (line,) = [one["line"] for one in content(report)["groups"] if one["failed"]]
    assert line == "a: refused."


def test_without_its_run_file_nothing_goes_on(tmp_path: Path) -> None:
    playing = Playing(tmp_path, "a", client_tasks=tasks(tmp_path))
    cutovers = begun(playing)
    shutil.rmtree(tmp_path / "local")
    with pytest.raises(AuthError, match=r"^rotate_token: the run file is gone: .*\. Run this again\.$"):
        playing.operation(cutovers).prepare()


# --- While the module runs

ON_ITS_WAY = {"step": "rotate", "ended": False, "failed": False}


def test_how_far_groups_are_is_written_while_the_module_runs(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    operation = Playing(tmp_path, "a", "b", soak=0, report_path="report.json").begin()
    operation.keep([])
    assert not report.exists()
    operation.keep([(0, "a", ON_ITS_WAY)])
    assert outcomes_in(report) == {"a": (1, "under way")}
    operation.keep([(0, "a", {**ON_ITS_WAY, "step": "set"}), (0, "b", ON_ITS_WAY)])
    assert [one["line"] for one in content(report)["groups"]] == [
        "a: it was at set when this was written, and the run had not ended.",
        "b: it was at rotate when this was written, and the run had not ended.",
    ]
    operation.ended(result(operation, "rotate"))
    assert outcomes_in(report) == {"a": (1, "changed"), "b": (1, "changed")}
    assert not any({"unended", "ended"} & set(one) for one in content(report)["groups"])


def test_what_was_begun_is_kept_when_the_rest_ends(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    playing = Playing(tmp_path, "a", "b", client_tasks=tasks(tmp_path), report_path="report.json")
    operation = playing.go_on(begun(playing))
    operation.keep([(0, "a", {**ON_ITS_WAY, "step": "set"})])
    second, first = content(report)["groups"]
    assert (first["outcome"], first["changed"], first["completed_steps"]) == ("under way", True, ["rotate"])
    assert (second["outcome"], second["cutover_stage"]) == ("changed", "client_cutover")
    operation.ended(result(operation, "set"))
    assert all(one["completed_steps"] == ["rotate", "client_cutover", "set"] for one in content(report)["groups"])
    assert outcomes_in(report) == {"a": (1, "changed"), "b": (1, "changed")}


def test_a_module_that_died_leaves_what_was_known(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    operation = Playing(tmp_path, "a", soak=0, report_path="report.json").begin()
    operation.keep([(0, "a", ON_ITS_WAY)])
    told = operation.ended({"failed": True, "msg": "MODULE FAILURE"})
    assert (told["failed"], told["msg"]) == (True, "MODULE FAILURE")
    assert outcomes_in(report) == {"a": (1, "under way")}


# --- A run file that can't be written any more


@pytest.fixture(name="elsewhere")
def _elsewhere(tmp_path: Path) -> Path:
    """A folder for the file, which may go."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def test_a_file_that_can_no_longer_be_written(
    tmp_path: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was done is not lost: it is in another file, which the tasks that follow read, and that is warned of."""
    report = elsewhere / "report.json"
    playing = Playing(tmp_path, "a", client_tasks=tasks(tmp_path), report_path=str(report))
    operation = playing.begin()
    operation.keep([(0, "a", ON_ITS_WAY)])
    shutil.rmtree(elsewhere)
    operation.keep([(0, "a", ON_ITS_WAY)])
    told = operation.ended(result(operation, "rotate", stage="client_cutover"))
    assert Path(told["run_file"]).parent == tmp_path / "local"
    assert outcomes_in(told["run_file"]) == {"a": (1, "changed")}
    warned = " ".join(capsys.readouterr().err.split())
    assert warned.count(f"rotate_token_report_path: {report} can't be written: No such file or directory.") == 1

    elsewhere.mkdir()
    operation = playing.go_on(told["cutovers"])
    told = operation.ended(result(operation, "set"))
    assert told["run_file"] == str(report)
    assert content(report)["groups"][0]["completed_steps"] == ["rotate", "client_cutover", "set"]


def test_what_is_in_the_users_file_may_be_old(tmp_path: Path, elsewhere: Path) -> None:
    """It could be written once, and not since."""
    report = elsewhere / "report.json"
    playing = Playing(tmp_path, "a", "b", client_tasks=tasks(tmp_path), report_path=str(report))
    operation = playing.begin()
    operation.keep([(0, "a", ON_ITS_WAY)])
    old = report.read_text()
    report.unlink()
    report.mkdir()
    told = operation.ended(result(operation, "rotate", stage="client_cutover"))
    report.rmdir()
    report.write_text(old)
    operation = playing.drop("b").go_on(told["cutovers"])
    assert ids(operation) == ["a"]
    operation.ended(result(operation, "set"))
    completed = {one["replication_group_id"]: one["completed_steps"] for one in content(report)["groups"]}
    assert completed == {"a": ["rotate", "client_cutover", "set"], "b": ["rotate"]}


def test_the_users_file_alone_can_be_written(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    playing = Playing(tmp_path, "a", client_tasks=tasks(tmp_path), report_path="report.json")
    operation = playing.begin()
    shutil.rmtree(tmp_path / "local")
    told = operation.ended(result(operation, "rotate", stage="client_cutover"))
    assert (told["run_file"], told["failed"]) == (str(report), False)
    assert ids(playing.go_on(told["cutovers"])) == ["a"]


def test_no_file_can_be_written_at_all(tmp_path: Path, elsewhere: Path) -> None:
    """Then the task says what was done, and fails: no host could be told of its groups."""
    playing = Playing(tmp_path, "a", "b", soak=0, report_path=str(elsewhere / "report.json"))
    operation = playing.begin()
    for folder in (elsewhere, tmp_path / "local"):
        shutil.rmtree(folder)
    operation.keep([(0, "a", ON_ITS_WAY)])
    told = operation.ended(result(operation, "rotate", failing=["b"]))
    assert told["failed"] is True
    assert told["msg"].startswith("rotate_token: no run file: ")
    assert told["msg"].count("can't be written: No such file or directory.") == 2
    assert "rotate_token, wave 1: 1 changed, 1 failed." in told["msg"]
    assert told["msg"].endswith("b: refused.")
