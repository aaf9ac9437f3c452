# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Text that others wrote runs nothing and is told letter by letter: whatever carries it, on every path, on both cores.

Each hostile text would create a file of its own, so that one which was run tells which. A process takes many groups,
one for each text, and many plays.
"""

from __future__ import annotations

import csv
import json
import operator
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from integration import cores
from integration.run import PlaybookRun, run_playbook
from integration.scenes import A, B, create, put_secret

from ansible_collections.elasticache.auth.plugins.module_utils._core.one_line import one_line
from ansible_collections.elasticache.auth.plugins.module_utils._report import document, page
from chaos.command import ansible_environment

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = [
    pytest.mark.emulator(data_plane="none", create_seconds=0.0, modify_seconds=0.05),
    pytest.mark.parametrize("core", cores.CORES),
]

PLACE = "us-east-1.123456789012"
#: What it does is in the place of ``RUN``.
TEXTS = {
    "header": "#jinja2:variable_start_string:'[[',variable_end_string:']]'\n[[ lookup(*'pipe|RUN'.split('|')) ]]",
    "header-in-a-line": "#jinja2:variable_start_string:'[[',variable_end_string:']]' [[ lookup('pipe', 'RUN') ]]",
    "header-statement": "#jinja2:block_start_string:'<%',block_end_string:'%>'\n<% set x = lookup('pipe', 'RUN') %>",
    "variable": "{{ lookup('ansible.builtin.pipe', 'RUN') }}",
    "statement": "{% if lookup('pipe', 'RUN') %}yes{% endif %}",
    "comment": "a{# b #}c",
    "half": "{{ {% {# }",
    "expression": "lookup('pipe', 'RUN')",
    "shell": "$(RUN) `RUN` ; RUN",
    "yaml": '!unsafe {a: \'{{ lookup("pipe", "RUN") }}\'}',
    "list": "['a', \"{{ lookup('pipe', 'RUN') }}\"]",
    "json": '[{"a": null, "b": "\\u00e4"}]',
    "boolean": "True",
    "number": "007",
    "backslash": "C:\\new\\{{ 1 }}",
    "moves-the-cursor": "\x9b2J\u202e\x7f\ttab",
    "beyond-the-plane": "\U0001f511 ä",
    "formula": "=cmd|' /C calc'!A0",
    "markup": "</script><img src=x onerror=alert(1)>",
}
#: Keys of tags that Ansible takes for its own in any dictionary; a result or an inventory with one would be refused.
ANSIBLES_OWN = ("__ansible_unsafe", "__ansible_vault", "__ansible_type")


def hostile(folder: Path) -> dict[str, str]:
    """The texts by the ids of their groups; a command that is run leaves a file in ``folder``."""
    return {f"g-{name}": text.replace("RUN", f"touch {folder}/ran-{name}") for name, text in TEXTS.items()}


def assert_nothing_ran(folder: Path) -> None:
    """No text was run."""
    assert [file.name for file in folder.glob("ran-*")] == []


def create_hostile(emulator: Emulator, texts: Mapping[str, str]) -> None:
    """Create a group for each text, which has it as its description, as a tag's value, and, cut to that, as a key.

    Each has tags with names of Ansible's own, too.
    """
    for number, (group, text) in enumerate(texts.items()):
        tags = {"env": text, text[:128]: text, **dict.fromkeys(ANSIBLES_OWN, "x")}
        create(
            emulator,
            group,
            wait=False,
            NumCacheClusters=1,
            ReplicationGroupDescription=text,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            AuthToken=A if number % 2 else None,
        )
    for group in texts:
        emulator.wait_available(group)


def write_fleet(folder: Path, **options: Any) -> Path:
    """Write the options of the inventory plugin into a file."""
    file = folder / "fleet.elasticache.yml"
    file.write_text(yaml.safe_dump({"plugin": "elasticache.auth.replication_groups", **options}), encoding="utf-8")
    return file


def list_inventory(emulator: Emulator, folder: Path, core: str, *arguments: str) -> dict[str, Any]:
    """What ``ansible-inventory`` writes, which has to be read without a warning."""
    done = subprocess.run(
        [str(cores.programs(core) / "ansible-inventory"), *arguments, "--list", "--export"],
        cwd=folder,
        env={**ansible_environment(emulator, folder), **cores.environment(core)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    listed: dict[str, Any] = json.loads(done.stdout)
    return listed


def unmarked(value: Any) -> Any:
    """Return JSON of Ansible's without its marks, every text in which has to have one."""
    if isinstance(value, dict):
        if set(value) == {"__ansible_unsafe"}:
            assert isinstance(value["__ansible_unsafe"], str)
            return value["__ansible_unsafe"]
        return {key: unmarked(one) for key, one in value.items()}
    if isinstance(value, list):
        return [unmarked(one) for one in value]
    assert not isinstance(value, str), f"{value!r} is not marked"
    return value


def test_inventory(emulator: Emulator, tmp_path: Path, core: str) -> None:
    """Variables, compose, keyed_groups, groups and hostname; fresh, out of the cache, and as AWX keeps them."""
    texts = hostile(tmp_path)
    create_hostile(emulator, texts)
    file = write_fleet(
        tmp_path,
        strict=True,
        hostname="elasticache_description[:40] ~ replication_group_id",
        compose={
            "alone": "elasticache_description",
            "joined": "elasticache_description ~ '!'",
            "made": "elasticache_tags.env | upper | lower",
            "values": "elasticache_tags.values() | list",
            "keys": "elasticache_tags | list",
            "whole": "elasticache_tags",
            "number": "elasticache_node_count + 1",
        },
        keyed_groups=[
            {"key": "elasticache_tags.env", "prefix": "env"},
            {"key": "elasticache_tags", "prefix": "tag"},
            {"key": "[elasticache_description ~ '']", "prefix": "said"},
        ],
        groups={"said_so": "elasticache_description == elasticache_tags.env"},
        cache=True,
        cache_plugin="ansible.builtin.jsonfile",
        cache_connection=str(tmp_path / "cache"),
    )
    listed = list_inventory(emulator, tmp_path, core, "-i", str(file))
    calls = len(emulator.calls())
    cached = list_inventory(emulator, tmp_path, core, "-i", str(file))
    assert len(emulator.calls()) == calls
    script = tmp_path / "script.sh"  # what AWX does: it keeps what is listed, and gives it to a job by a script
    (tmp_path / "listed.json").write_text(json.dumps(listed), encoding="utf-8")
    script.write_text(f"#!/bin/sh\ncat {tmp_path}/listed.json\n", encoding="utf-8")
    script.chmod(0o755)
    handed_on = list_inventory(emulator, tmp_path, core, "-i", str(script))
    assert_nothing_ran(tmp_path)

    for name, one in (("listed", listed), ("cached", cached), ("handed on", handed_on)):
        hosts = one["_meta"]["hostvars"]
        seen = {}
        for host, variables in hosts.items():
            ours = {key: variables.pop(key) for key in ("ansible_connection", "ansible_python_interpreter")}
            assert ours == {
                "ansible_connection": "local",
                "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            }
            found = unmarked(variables)
            text = texts[found["replication_group_id"]]
            assert not set(host) & set("{}[]()#%'\"\n\\")
            assert host.endswith(found["replication_group_id"])
            assert found["elasticache_description"] == text
            assert found["elasticache_tags"] == {"env": text, text[:128]: text}
            assert found["alone"] == text
            assert found["joined"] == f"{text}!"
            assert found["made"] == text.upper().lower()
            assert found["values"] == list(found["elasticache_tags"].values())
            assert found["keys"] == list(found["elasticache_tags"])
            assert found["whole"] == found["elasticache_tags"]
            assert found["number"] == 2
            seen[found["replication_group_id"]] = host
        assert set(seen) == set(texts), name
        assert set(one["said_so"]["hosts"]) == set(hosts)
        groups = set(one) - {"_meta", "all", "said_so", "elasticache_replication_groups"}
        assert len(groups) > len(texts)
        assert all(group.replace("_", "").isalnum() or group.isidentifier() for group in groups), groups


#: What a user may do with what the modules return and with the hosts' variables.
PLAYS = """
- hosts: localhost
  gather_facts: false
  vars:
    found: "{{ info.replication_groups }}"
    joined: "{{ found | map(attribute='description') | join('|') }}"
  tasks:
    - name: Info
      elasticache.auth.replication_group_info: {probe: never}
      register: info
    - name: Users
      elasticache.auth.user_info: {}
      register: users
    - name: Keep
      ansible.builtin.set_fact:
        texts: "{{ found | map(attribute='description') | list }}"
        text: "{{ joined }}"
        made: "{{ (found | last).description ~ (found | first).description }}"
        again: "{{ info | to_json | from_json }}"
        described: "{{ groups.all | map('extract', hostvars, 'elasticache_description') | list }}"
        facts: "{{ groups.all | elasticache.auth.audit_facts(hostvars) }}"
    - name: Say
      ansible.builtin.debug:
        msg:
          texts: "{{ texts + [] }}"
          text: "{{ text }}|"
          made: "{{ made }}|"
          again: "{{ again.replication_groups | map(attribute='tags') | list }}"
          described: "{{ described + [] }}"
          facts: "{{ facts | map(attribute='elasticache_tags') | list }}"
          users: "{{ users.users | map(attribute='access_string') | list }}"
          tags: "{{ users.users | map(attribute='tags') | list }}"
    - name: One by one
      ansible.builtin.debug:
        msg: "{{ item.description }}|"
      loop: "{{ found }}"
      loop_control:
        label: "{{ item.description ~ item.tags.env }}"
    - name: Fail
      ansible.builtin.fail:
        msg: "{{ joined }}"
      ignore_errors: true
    - name: Refuse
      ansible.builtin.assert:
        that: found | length == 0
        fail_msg: "{{ texts | join('|') }}"
      ignore_errors: true
    - name: Promote
      elasticache.auth.auth_secret:
        name: hostile
        replication_group_ids: [g-header]
        key: auth_token
        state: promoted
      register: promoted
    - name: Keep what is missing, and what was warned of
      ansible.builtin.set_fact:
        missing: "{{ elasticache_inventory_failures | map(attribute='error') | list }}"
        warned: "{{ promoted.warnings | default([]) | join(' ') }}"
    - name: Say what is missing
      ansible.builtin.debug:
        msg: ["{{ missing | join(' ') }}|", "{{ warned }}|"]
    - name: Failed by AWS
      elasticache.auth.replication_group_auth:
        replication_group_id: "{{ item }}"
        auth_token: Beengo9ooRaeShahfah2Ieyi-new
        known_auth_tokens: [Aaquae7Zooph3yahTheiV1ee-old]
        auth_token_update_strategy: rotate
        assume_state: required
        probe: never
      loop: "{{ refused }}"
      register: failed
      ignore_errors: true
    - name: Keep what failed
      ansible.builtin.set_fact:
        failures: "{{ failed.results | map(attribute='msg') | list }}"
        failure: "{{ failed.results | map(attribute='msg') | join(' ') }}"
    - name: Say what failed
      ansible.builtin.debug:
        msg: ["{{ failures + [] }}", "{{ failure }}|"]

- hosts: elasticache_replication_groups
  gather_facts: false
  vars:
    # Before ansible-core 2.19 a text that is all of a template becomes a list or a boolean where it looks like one.
    lazy: "{{ elasticache_description }}."
    twice: "{{ lazy ~ elasticache_tags.env }}"
  tasks:
    - name: Keep its own
      ansible.builtin.set_fact:
        kept: "{{ [lazy, twice] }}"
    - name: Say its own
      ansible.builtin.debug:
        msg: "{{ kept + [elasticache_tags, lookup('ansible.builtin.vars', 'twice') ~ '!'] }}"
    - name: Name its own
      ansible.builtin.debug:
        msg: "{{ item }}|"
      loop: "{{ elasticache_tags | dict2items | map(attribute='value') | list }}"
      loop_control:
        label: "{{ lazy }}"
"""


def run_all(emulator: Emulator, folder: Path, core: str, texts: Mapping[str, str]) -> PlaybookRun:
    """The plays above, the audit and a rotation that AWS refuses in hostile words, in one run."""
    variables = {
        "audit_html_path": str(folder / "audit.html"),
        "audit_json_path": str(folder / "audit.json"),
        "audit_csv_path": str(folder / "audit.csv"),
        "audit_asff_path": str(folder / "audit.asff.json"),
        "audit_sarif_path": str(folder / "audit.sarif"),
        "audit_probe": "auto",
        "audit_fail_on": [],
        "refused": list(texts)[1::2][:-1],
        "rotate_token_hosts": "token",
        "rotate_token_auth_tokens": dict.fromkeys(texts, B),
        "rotate_token_previous_auth_tokens": dict.fromkeys(texts, A),
        "rotate_token_assume_state": "required",
        "rotate_token_soak": 0,
        "rotate_token_force": True,
        "rotate_token_probe": "never",
        "rotate_token_report_path": str(folder / "rotation.json"),
    }
    plays = [
        *yaml.safe_load(PLAYS),
        {"import_playbook": "elasticache.auth.audit"},
        {"import_playbook": "elasticache.auth.rotate_token"},
    ]
    (folder / "vars.json").write_text(json.dumps(variables), encoding="utf-8")
    return run_playbook(
        emulator,
        plays,
        inventory=str(folder / "fleet.elasticache.yml"),
        arguments=["-e", f"@{folder}/vars.json"],
        core=core,
    )


def test_playbooks(emulator: Emulator, tmp_path: Path, core: str) -> None:
    """Registered results, set_fact, lazy variables, loops, labels and messages; AWS's own words; users; a role."""
    texts = hostile(tmp_path)
    create_hostile(emulator, texts)
    write_fleet(
        tmp_path,
        regions=["us-east-1", "eu-west-1"],
        on_failure="report",
        groups={"token": "elasticache_auth_token_enabled"},
    )
    names = {**dict.fromkeys(texts.values(), "x"), "auth_token": A}
    put_secret(emulator, "hostile", json.dumps(names), json.dumps({"auth_token": B}))
    client = emulator.client("elasticache")
    access = "on ~{{7*7}}* ~#jinja2:* %R~{%x%} +@read"
    client.create_user(
        UserId="reader",
        UserName="reader",
        Engine="valkey",
        AccessString=access,
        Passwords=["0123456789abcdef"],
        Tags=[{"Key": text[:128], "Value": text} for text in texts.values()],
    )
    taken = next(reversed(list(texts)[1::2]))
    emulator.faults(
        *(
            {
                "kind": "error",
                "action": "ModifyReplicationGroup",
                "id": group,
                "times": 99,
                "code": "InvalidParameterValue",
                "message": text,
            }
            for group, text in texts.items()
            if group != taken
        ),
        {"kind": "error", "region": "eu-west-1", "times": 99, "code": "InternalFailure", "message": texts["g-header"]},
    )
    ran = run_all(emulator, tmp_path, core, texts)
    assert_nothing_ran(tmp_path)
    wanted = sorted(texts.values())
    said, by_env = ran.of("Say")["msg"], operator.itemgetter("env")
    tags = [{"env": text, text[:128]: text} for text in texts.values()]
    for name in ("texts", "described"):
        assert sorted(said[name]) == wanted, name
    assert sorted(said["text"][:-1]) == sorted("|".join(wanted))
    assert said["made"][:-1] == said["texts"][-1] + said["texts"][0]
    for name in ("again", "facts"):
        assert sorted(said[name], key=by_env) == sorted(tags, key=by_env), name
    assert access in said["users"]
    assert {text[:128]: text for text in wanted} in said["tags"]
    assert sorted(one["msg"][:-1] for one in ran.of("One by one")["results"]) == wanted
    assert ran.of("Fail")["msg"] == said["text"][:-1]
    assert ran.of("Refuse")["msg"] == said["text"][:-1]

    refused = list(texts.values())[1::2][:-1]
    failures, failure = ran.of("Say what failed")["msg"]
    assert failure[:-1] == " ".join(failures)
    for text, said_so in zip(refused, failures, strict=True):
        assert said_so.count(one_line(text, 2500)) == 1, said_so

    for group, text in texts.items():
        host, own = f"{group}.{PLACE}", {"env": text, text[:128]: text}
        assert ran.of("Say its own", host)["msg"] == [f"{text}.", f"{text}.{text}", own, f"{text}.{text}!"]
        assert [one["msg"] for one in ran.of("Name its own", host)["results"]] == [f"{text}|"] * len(own)

    # On other versions of amazon.aws than these tests' own it may be amazon.aws that is deprecated (tests/matrix).
    assert cores.combination() or "is deprecated" not in ran.output
    missing, warned = ran.of("Say what is missing")["msg"]
    assert one_line(texts["g-header"], 2500) in missing
    assert all(one_line(text, 100) in warned for text in texts.values()) or warned == "|"

    audited = json.loads((tmp_path / "audit.json").read_text("utf-8"))
    assert one_line(texts["g-header"], 2500) in audited["incomplete"][0]
    shown = page.data_of((tmp_path / "audit.html").read_text("utf-8"))
    assert shown is not None
    for found in (audited["groups"], shown["groups"]):
        by_text = {one["description"]: one["tags"] for one in found}
        assert by_text == {text: {"env": text, text[:128]: text} for text in texts.values()}
    with (tmp_path / "audit.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["description"] for row in rows} == {document.cell(text) for text in texts.values()}

    rotated = json.loads((tmp_path / "rotation.json").read_text("utf-8"))
    told = {one["replication_group_id"]: one["msg"] for one in rotated["groups"]}
    for group, text in list(texts.items())[1::2]:
        lines = ran.told(f"{group}.{PLACE}")
        assert ran.recap[f"{group}.{PLACE}"]["failures"] == (group != taken)
        assert told[group].count(one_line(text, 2500)) == (group != taken)
        assert group == taken or lines == told[group]
    assert emulator.group(taken)["slots"] == [B]
