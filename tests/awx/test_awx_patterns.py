# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The patterns for AWX are loaded with awx.awx: into a stand-in for its API (``controller.py``), by the real modules.

So each task and each entry of the data is checked against the modules' own argument specs, by the modules themselves;
and what AWX would refuse, a survey's default of the wrong type or a reference to nothing, is refused. What came of it
is compared with the roles that it is for.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from awx.controller import Controller, controller
from dateutil.rrule import rrulestr  # type: ignore[import-untyped]
from integration.terminal import run_to_the_end

from chaos.command import REPOSITORY

PATTERNS = REPOSITORY / "extensions" / "patterns"
NAMES = ("rotate_fleet", "audit_fleet")
SETTINGS = {"fleet_image": "registry.example.com/ee:1", "fleet_region": "eu-central-1"}
KEYS = {"username": "AKIAIOSFODNN7EXAMPLE", "password": "not-to-be-seen-anywhere"}
#: Members of requests that awx.awx sends and AWX has no field for, or one that is read only.
KNOWN_TO_BE_IGNORED = {"job_templates": {"organization"}, "workflow_job_template_nodes": {"type"}}


@dataclass(frozen=True)
class Ran:
    """A run of a setup.yml."""

    status: int
    output: str

    @property
    def changed(self) -> int:
        """How many tasks have changed something, by the recap."""
        found = re.search(r"changed=(\d+)", self.output)
        assert found, self.output
        return int(found.group(1))


def load(awx: Controller, pattern: str, folder: Path, *arguments: str, settings: dict[str, Any] | None = None) -> Ran:
    """Load a pattern as its README says."""
    (folder / "settings.yml").write_text(yaml.safe_dump(SETTINGS if settings is None else settings), encoding="utf-8")
    command = [str(Path(sys.executable).parent / "ansible-playbook"), str(PATTERNS / pattern / "setup.yml")]
    command += ["-e", "@settings.yml", "-e", f"ansible_python_interpreter={sys.executable}", *arguments]
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".collections"),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "remote"),
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_PIPELINING": "true",
        **awx.environment,
    }
    done = run_to_the_end(command, cwd=str(folder), env=environment, timeout=300, warm=True)
    return Ran(done.returncode, done.stdout)


@pytest.fixture(scope="module")
def awx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    """An AWX with both patterns."""
    with controller() as made:
        for pattern in NAMES:
            ran = load(made, pattern, tmp_path_factory.mktemp(pattern))
            assert ran.status == 0, ran.output
        yield made


# --- Loading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", NAMES)
def test_it_loads_once(pattern: str, tmp_path: Path) -> None:
    """A rehearsal makes nothing; the first run makes all; the second, and a rehearsal then, have nothing to do."""
    with controller() as awx:
        rehearsed = load(awx, pattern, tmp_path, "--check")
        assert rehearsed.status == 0, rehearsed.output
        assert rehearsed.changed >= 5
        assert awx.writes == []

        first = load(awx, pattern, tmp_path)
        assert first.status == 0, first.output
        assert awx.objects["job_templates"]
        assert awx.objects["schedules"]

        awx.writes.clear()
        for arguments in ((), ("--check",)):
            again = load(awx, pattern, tmp_path, *arguments)
            assert again.status == 0, again.output
            assert again.changed == 0, again.output
            assert awx.writes == []
        assert "WARNING" not in first.output + again.output


def test_nothing_that_is_given_is_ignored(awx: Controller) -> None:
    """Not by the modules, whose argument specs refuse what they don't know, and not by AWX."""
    ignored = {kind: members for kind, members in awx.ignored.items() if members}
    assert ignored.keys() <= KNOWN_TO_BE_IGNORED.keys()
    assert all(members <= KNOWN_TO_BE_IGNORED[kind] for kind, members in ignored.items())


def test_both_share_what_they_depend_on(awx: Controller) -> None:
    kinds = ("projects", "inventories", "inventory_sources", "execution_environments")
    assert {kind: len(awx.objects[kind]) for kind in kinds} == dict.fromkeys(kinds, 1)
    assert len(awx.objects["credentials"]) == 2


def test_a_setting_that_is_missing(tmp_path: Path) -> None:
    """It says which, and nothing is made."""
    with controller() as awx:
        ran = load(awx, "rotate_fleet", tmp_path, settings={"fleet_region": "eu-central-1"})
        assert ran.status != 0
        assert "fleet_image" in ran.output
        assert awx.writes == []


def test_what_a_changed_setting_changes(awx: Controller, tmp_path: Path) -> None:
    """And that it can be changed back."""
    for settings, slices in (({**SETTINGS, "fleet_job_slices": 4}, 4), (SETTINGS, 1)):
        ran = load(awx, "rotate_fleet", tmp_path, settings=settings)
        assert ran.status == 0, ran.output
        assert ran.changed == 1
        found = [one for one in awx.objects["job_templates"].values() if "rotate" in one["name"]]
        assert [one["job_slice_count"] for one in found] == [slices] * 3
        rates = [yaml.safe_load(one["extra_vars"])["rotate_token_max_changes_per_second"] for one in found]
        assert rates == [10 / slices] * 3  # all slices together stay below what AWS bears


def test_a_credential_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    """One is made with the keys that are given, if any; and then left as it is. No key is shown."""
    with controller() as awx:
        ran = load(awx, "rotate_fleet", tmp_path, "-vvv", settings={**SETTINGS, "fleet_credential_inputs": KEYS})
        assert ran.status == 0, ran.output
        made = awx.named("credentials", "ElastiCache fleet")
        assert made["credential_type"] == "Amazon Web Services"
        assert awx.secrets[made["id"]] == KEYS
        other = {"username": "AKIAOTHER", "password": "another"}
        again = load(awx, "rotate_fleet", tmp_path, settings={**SETTINGS, "fleet_credential_inputs": other})
        assert again.changed == 0
        assert awx.secrets[made["id"]] == KEYS
        assert KEYS["password"] not in ran.output + again.output


def test_those_who_are_notified(tmp_path: Path) -> None:
    with controller() as awx:
        awx.add("notification_templates", {"name": "On call"})
        ran = load(awx, "rotate_fleet", tmp_path, settings={**SETTINGS, "fleet_notifications": ["On call"]})
        assert ran.status == 0, ran.output
        workflow = awx.named("workflow_job_templates", "ElastiCache: rotate tokens")
        assert workflow["notification_templates_approvals"] == ["On call"]
        assert workflow["notification_templates_error"] == ["On call"]
        for one in awx.objects["job_templates"].values():
            assert awx.named("job_templates", one["name"])["notification_templates_error"] == ["On call"]


# --- What is made ---------------------------------------------------------------------------------------------------


def test_what_it_depends_on(awx: Controller) -> None:
    project = awx.named("projects", "elasticache.auth")
    galaxy = yaml.safe_load((REPOSITORY / "galaxy.yml").read_text("utf-8"))
    assert project["scm_url"].removesuffix(".git") == galaxy["repository"]

    source = awx.named("inventory_sources", "ElastiCache")
    assert source["inventory"] == "ElastiCache fleet"
    assert source["source"] == "scm"
    assert source["source_project"] == project["name"]
    assert (REPOSITORY / source["source_path"]).is_file()
    assert source["source_path"].endswith(".elasticache.yml")
    assert source["credential"] == "ElastiCache fleet"
    assert yaml.safe_load(source["source_vars"])["AWS_REGION"] == "eu-central-1"
    assert source["update_on_launch"]
    assert source["update_cache_timeout"] == 600
    assert source["overwrite"]
    assert source["overwrite_vars"]

    region = awx.named("credential_types", "AWS region")
    assert region["injectors"]["env"]["AWS_REGION"] == "{{ region }}"
    assert awx.named("credentials", "AWS region eu-central-1")["inputs"] == {"region": "eu-central-1"}
    assert awx.named("execution_environments", "elasticache.auth")["image"] == SETTINGS["fleet_image"]


def job_templates(awx: Controller) -> list[dict[str, Any]]:
    """All job templates."""
    return [awx.named("job_templates", one["name"]) for one in awx.objects["job_templates"].values()]


def test_the_job_templates(awx: Controller) -> None:
    """AWX finds their playbooks: files that look like playbooks, and no folder on the way that it passes over."""
    templates = job_templates(awx)
    assert len(templates) == 4
    for template in templates:
        file = REPOSITORY / template["playbook"]
        assert not {"tasks", "roles", "group_vars", "host_vars"} & set(Path(template["playbook"]).parts)
        assert re.search(
            r"^\s*-?\s*(hosts|(ansible\.builtin\.)?import_playbook):", file.read_text("utf-8"), re.MULTILINE
        )
        assert sorted(template["credentials"]) == ["AWS region eu-central-1", "ElastiCache fleet"]
        assert template["inventory"] == "ElastiCache fleet"
        assert template["execution_environment"] == "elasticache.auth"
        assert template["survey_enabled"]
        assert template["ask_job_type_on_launch"]
        assert not template["allow_simultaneous"]


def known_variables(pattern: str, role: str) -> dict[str, dict[str, Any]]:
    """What may be set: the role's variables with their specs, and the names that the playbooks read besides."""
    specs = yaml.safe_load((REPOSITORY / "roles" / role / "meta" / "argument_specs.yml").read_text("utf-8"))
    known: dict[str, dict[str, Any]] = dict(specs["argument_specs"]["main"]["options"])
    files = [REPOSITORY / "playbooks" / f"{role}.yml", *(PATTERNS / pattern / "playbooks").glob("*.yml")]
    for file in files:
        # What is assigned is not read: only names within braces, or beside an operator of Jinja2, count.
        for expression in re.findall(r"\{\{(.*?)\}\}", file.read_text("utf-8"), re.DOTALL):
            for name in re.findall(rf"\b(?:{role}|{pattern})_\w+", expression):
                known.setdefault(name, {})
    return known


def surveys(awx: Controller) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Each question with the name of what asks it, its pattern and its role."""
    found = [*job_templates(awx), awx.named("workflow_job_templates", "ElastiCache: rotate tokens")]
    return [
        (one["name"], *(("audit_fleet", "audit") if "audit" in one["name"] else ("rotate_fleet", "rotate_token")), item)
        for one in found
        for item in one["survey_spec"]["spec"]
    ]


def test_surveys_set_what_the_roles_have(awx: Controller) -> None:
    """Each variable that a survey or a template sets is one that the role or the playbook reads, of a type it takes."""
    asked = surveys(awx)
    assert len(asked) > 20
    for where, pattern, role, item in asked:
        known = known_variables(pattern, role)
        name = item["variable"]
        assert name in known, f"{where}: {name}"
        fits = {
            "int": ("integer",),
            "float": ("integer", "float"),
            "bool": ("multiplechoice",),
            "str": ("text", "textarea", "multiplechoice"),
            "path": ("text",),
            "raw": ("integer", "text"),
            None: ("text", "integer", "multiplechoice"),
        }
        spec = known[name]
        assert item["type"] in fits[spec.get("type")], f"{where}: {name}"
        if spec.get("type") == "bool":
            assert set(item["choices"]) == {"true", "false"}
        if "choices" in spec:
            assert set(item["choices"]) <= set(spec["choices"]), f"{where}: {name}"
    for template in job_templates(awx):
        pattern, role = ("audit_fleet", "audit") if "audit" in template["name"] else ("rotate_fleet", "rotate_token")
        assert set(yaml.safe_load(template["extra_vars"])) <= set(known_variables(pattern, role))


def test_every_question_has_an_answer(awx: Controller) -> None:
    """Without that a schedule could not launch it. It is the same one wherever it is asked for."""
    answers: dict[str, set[str]] = {}
    for where, *dummy, item in surveys(awx):
        assert not item["required"] or item["default"] != "", f"{where}: {item['variable']}"
        assert item["question_name"]
        assert item["question_description"]
        answers.setdefault(item["variable"], set()).add(repr(item))
    assert [name for name, questions in answers.items() if len(questions) > 1] == []


def test_the_phases(awx: Controller) -> None:
    phases = {
        one["name"]: yaml.safe_load(one["extra_vars"])["rotate_token_phase"]
        for one in job_templates(awx)
        if "rotate" in one["name"]
    }
    assert phases == {
        "ElastiCache: rotate tokens, begin": "begin",
        "ElastiCache: rotate tokens, finish": "finish",
        "ElastiCache: rotate tokens in one run": "all",
    }
    # The client cutover of the one without an approval is a time.
    whole = awx.named("job_templates", "ElastiCache: rotate tokens in one run")
    assert "rotate_token_soak" in {item["variable"] for item in whole["survey_spec"]["spec"]}


def test_the_workflow(awx: Controller) -> None:
    """Begin, an approval whether or not all have begun, finish. The workflow asks for what one of its jobs takes."""
    nodes = {
        one["identifier"]: awx.named("workflow_job_template_nodes", one["identifier"])
        for one in awx.objects["workflow_job_template_nodes"].values()
    }
    runs = {identifier: node["unified_job_template"] for identifier, node in nodes.items()}
    after = {
        identifier: {how: node[how] for how in ("success_nodes", "failure_nodes", "always_nodes") if node.get(how)}
        for identifier, node in nodes.items()
    }
    assert runs["begin"] == "ElastiCache: rotate tokens, begin"
    assert runs["finish"] == "ElastiCache: rotate tokens, finish"
    assert after == {
        "begin": {"success_nodes": ["clients"], "failure_nodes": ["clients_of_the_others"]},
        "clients": {"success_nodes": ["finish"]},
        "clients_of_the_others": {"success_nodes": ["finish"]},
        "finish": {},
    }
    approvals = {one["name"] for one in awx.objects["workflow_approval_templates"].values()}
    assert {runs["clients"], runs["clients_of_the_others"]} == approvals
    assert all(one["timeout"] == 0 for one in awx.objects["workflow_approval_templates"].values())

    workflow = awx.named("workflow_job_templates", "ElastiCache: rotate tokens")
    asked = {item["variable"] for item in workflow["survey_spec"]["spec"]}
    taken: set[str] = set()
    for name in ("begin", "finish"):
        template = awx.named("job_templates", runs[name])
        taken |= {item["variable"] for item in template["survey_spec"]["spec"]}
        assert template["ask_limit_on_launch"]
    assert asked == taken
    assert workflow["ask_limit_on_launch"]


def test_the_schedules(awx: Controller) -> None:
    """The workflow on the first Tuesday of a quarter, off until it is switched on; the audit every night."""
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    schedules = {
        one["unified_job_template"]: one
        for one in (awx.named("schedules", one["name"]) for one in awx.objects["schedules"].values())
    }
    assert set(schedules) == {"ElastiCache: rotate tokens", "ElastiCache: audit"}

    def first(name: str, count: int) -> list[datetime.datetime]:
        return list(rrulestr(schedules[name]["rrule"].replace(" ", "\n")).xafter(begin, count))

    quarterly = first("ElastiCache: rotate tokens", 5)
    assert [(one.month, one.isoweekday()) for one in quarterly] == [(1, 2), (4, 2), (7, 2), (10, 2), (1, 2)]
    assert all(one.day <= 7 for one in quarterly)
    nightly = first("ElastiCache: audit", 3)
    assert [one - nightly[0] for one in nightly] == [datetime.timedelta(days=number) for number in range(3)]
    assert not schedules["ElastiCache: rotate tokens"]["enabled"]
    assert schedules["ElastiCache: audit"]["enabled"]


# --- The execution environment ----------------------------------------------------------------------------------------


def test_the_execution_environment(tmp_path: Path) -> None:
    """ansible-builder takes the definition and writes the image's Containerfile."""
    file = PATTERNS / "rotate_fleet" / "execution_environment" / "execution-environment.yml"
    done = subprocess.run(
        [
            sys.executable,
            *("-m", "ansible_builder", "create", "--output-filename", "Containerfile"),
            *("--file", str(file), "--context", str(tmp_path / "context")),
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    context = tmp_path / "context"
    assert "FROM" in (context / "Containerfile").read_text("utf-8")
    collections = yaml.safe_load((context / "_build" / "requirements.yml").read_text("utf-8"))["collections"]
    galaxy = yaml.safe_load((REPOSITORY / "galaxy.yml").read_text("utf-8"))
    wanted = {one["name"]: one["version"] for one in collections}
    assert wanted == {"elasticache.auth": f">={galaxy['version']}", **galaxy["dependencies"]}
    # Their Python libraries come with the collection.
    meta = yaml.safe_load((REPOSITORY / "meta" / "execution-environment.yml").read_text("utf-8"))
    libraries = (REPOSITORY / meta["dependencies"]["python"]).read_text("utf-8")
    assert {"boto3", "botocore"} <= set(re.findall(r"^([a-z0-9]+)>=", libraries, re.MULTILINE))


def test_the_readmes_tell_every_setting() -> None:
    settings = yaml.safe_load((PATTERNS / "rotate_fleet" / "vars" / "settings.yml").read_text("utf-8"))
    readmes = {name: (PATTERNS / name / "README.md").read_text("utf-8") for name in NAMES}
    for setting in (*settings, *SETTINGS):
        assert f"`{setting}`" in readmes["rotate_fleet"], setting
    own = yaml.safe_load((PATTERNS / "audit_fleet" / "vars" / "settings.yml").read_text("utf-8"))
    for setting in own:
        assert setting.startswith("_") or f"`{setting}`" in readmes["audit_fleet"], setting


@pytest.mark.parametrize(("pattern", "role"), [("rotate_fleet", "rotate_token"), ("audit_fleet", "audit")])
def test_the_definition_for_catalogs(pattern: str, role: str) -> None:
    """Its playbook exists, one template is the primary one, and what its survey sets is read."""
    found = json.loads((PATTERNS / pattern / "meta" / "pattern.json").read_text("utf-8"))
    assert found["name"] == pattern
    (template,) = found["aap_resources"]["controller_job_templates"]
    assert template["primary"]
    assert (PATTERNS / pattern / "playbooks" / template["playbook"]).is_file()
    known = known_variables(pattern, role)
    for question in template["survey"]["spec"]:
        assert question["variable"] in known
        assert question.get("default", "") in question.get("choices", [question.get("default", "")])
