# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The supported versions: what is tried is what is claimed, README's table is that, and whose a deprecation is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from matrix import deprecations, pythons
from matrix.environments import Missing, install
from matrix.session import Row, count, table
from matrix.trial import Tried, not_installed, sanity_tests
from matrix.versions import (
    README,
    REPOSITORY,
    Combination,
    combinations,
    oldest_amazon_aws,
    oldest_boto3,
    oldest_core,
    oldest_module_python,
    version,
    with_table,
)

CHOSEN = combinations()
TASKS = "/x/ansible_collections/elasticache/auth/roles/rotate_token/tasks/main.yml"
HERE = "/x/ansible_collections/elasticache/auth/plugins/lookup/fleet_hosts.py"
THERE = "/x/ansible_collections/amazon/aws/plugins/module_utils/modules.py"
ARCHIVE = "/tmp/ansible_elasticache.auth.user_payload.zip"  # noqa: S108 - a name only
CORE = "/x/lib/python3.13/site-packages/ansible/module_utils/_text.py"


def test_what_is_claimed_is_tried() -> None:
    """The oldest of everything; amazon.aws by its major version, as not every release of it is in a wheel."""
    cores = sorted({one.core for one in CHOSEN}, key=version)
    assert cores[0] == oldest_core()
    assert cores == [f"2.{minor}" for minor in range(version(cores[0])[1], version(cores[-1])[1] + 1)]
    assert min(version(one.amazon_aws)[0] for one in CHOSEN) == version(oldest_amazon_aws())[0]
    assert min((one.module_python for one in CHOSEN), key=version) == oldest_module_python()
    assert {one.boto3 for one in CHOSEN} == {"oldest", "newest"}
    assert len(set(oldest_boto3().values())) == 1
    assert {one.core for one in CHOSEN if one.sanity} == {cores[0], cores[-1]}


def test_readme_has_the_table() -> None:
    text = README.read_text("utf-8")
    assert text == with_table(text, CHOSEN), "README.md is out of date: make matrix-table"


def test_readme_without_a_place_for_it() -> None:
    with pytest.raises(ValueError, match="no place"):
        with_table("# Title\n", CHOSEN)


def test_the_workflow_reads_it_before_anything_is_installed() -> None:
    """By a Python without packages, as its first job does."""
    done = subprocess.run(
        [sys.executable, "-S", "-m", "matrix", "--workflow"],
        cwd=REPOSITORY / "tests",
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [job["name"] for job in json.loads(done.stdout)] == [one.name for one in CHOSEN]
    jobs = yaml.safe_load((REPOSITORY / ".github/workflows/ci.yml").read_text("utf-8"))["jobs"]
    steps = [step.get("run", "") for step in jobs["versions"]["steps"]]
    assert any("python3 -m matrix --workflow" in step for step in steps)
    assert jobs["matrix"]["strategy"]["matrix"] == {"include": "${{ fromJSON(needs.versions.outputs.matrix) }}"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('boto3 = "oldest"', 'boto3 = "1.2"'), "neither oldest nor newest"),
        (('name = "core-2.19"', 'name = "core-2.18"'), "the same name"),
        (('amazon_aws = "10.1.0"', 'amazon_aws = "12.0.0"'), "no combination has amazon.aws 10.1.0"),
        (("sanity = true", "sane = true"), "sane"),
    ],
)
def test_a_mistake_in_the_file(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    file = tmp_path / "versions.toml"
    file.write_text((REPOSITORY / "tests/matrix/versions.toml").read_text("utf-8").replace(*change), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        combinations(file)


def test_a_python_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is named in the table; a program of its name that is another one, or none, does not stand for it."""
    for name, program in (("python3.98", sys.executable), ("python3.99", "/bin/false")):
        (tmp_path / name).symlink_to(program)
    monkeypatch.setenv(pythons.VARIABLE, f"{tmp_path}{os.pathsep}{tmp_path / 'nothing'}")
    assert pythons.find("3.98") is None
    assert pythons.find("3.99") is None
    own = "%d.%d" % sys.version_info[:2]  # noqa: UP031 - shorter
    monkeypatch.setenv(pythons.VARIABLE, sys.executable)
    assert pythons.find(own) == sys.executable

    wanted = Combination("future", "2.99", "3.99", "3.10", "10.1.0", "newest", "ansible==12.0.0a6")
    with pytest.raises(Missing, match=r"no Python 3\.99"):
        install(wanted)
    row = Row(wanted, missing="no Python 3.99")
    assert not row.failed
    assert "not tried: no Python 3.99" in str(next(iter(table([row]).columns[6].cells)))


@pytest.mark.parametrize(
    ("passed", "failed"), [((), ()), (("test_operation[a]",), ()), (("test_operation[a]",), ("test_audit_x",))]
)
def test_what_was_not_run_did_not_pass(passed: tuple[str, ...], failed: tuple[str, ...], tmp_path: Path) -> None:
    tried = Tried(1.0, tmp_path / "output.txt", passed, failed)
    assert Row(CHOSEN[0], tried={"smoke": tried}).failed
    assert count(tried, "test_operation[") == (len(passed), len(passed))


def _log(*records: str) -> str:
    return "".join(f"2026-11-27 09:12:40,123 p=42 u=root n=ansible INFO| {record}\n" for record in records)


def _traceback(*files: str) -> str:
    frames = "".join(f'  File "{file}", line 7, in <module>\n    import it\n' for file in files)
    return f"old is gone soon.\n\nTraceback (most recent call last):\n{frames}"


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("The option is gone in version 2 of collection\n'elasticache.auth'.", True),
        ("The option is gone in version 2 of collection 'elasti\ncache.auth'.", True),
        ("The option is gone in version 13 of collection 'amazon.aws'.", False),
        (
            f"Do not do that.\nOrigin: {TASKS}:3:5",
            True,
        ),
        (_traceback("/usr/bin/ansible-playbook", HERE, CORE), True),
        (_traceback("/usr/bin/ansible-playbook", HERE, THERE, CORE), False),
        (_traceback(THERE, "<frozen importlib._bootstrap>", HERE, "<frozen importlib._bootstrap>", CORE), True),
        (_traceback(CORE), False),
        (_traceback(f"{ARCHIVE}{HERE}", f"{ARCHIVE}{THERE}", f"{ARCHIVE}/ansible/module_utils/basic.py"), False),
        (_traceback(f"{ARCHIVE}{THERE}", f"{ARCHIVE}{HERE}", f"{ARCHIVE}/ansible/module_utils/basic.py"), True),
    ],
)
def test_whose_a_deprecation_is(text: str, ours: bool) -> None:
    log = _log("TASK [elasticache.auth.rotate_token : Begin]", f"[DEPRECATION WARNING]: {text}", "ok: [localhost]")
    (found,) = deprecations.of_ansible(log)
    assert found.ours is ours


@pytest.mark.parametrize(("file", "ours"), [(HERE, True), (THERE, False), ("/x/botocore/auth.py", False)])
def test_what_python_warns_of(file: str, ours: bool, tmp_path: Path) -> None:
    """By a Python that the recorder is part of, from a file of that name."""
    recorded, module = tmp_path / "warnings.jsonl", tmp_path / file.removeprefix("/")
    module.parent.mkdir(parents=True)
    module.write_text("import datetime, warnings\nwarnings.warn('old', DeprecationWarning)\n", encoding="utf-8")
    recorder = REPOSITORY / "tests/matrix/recorder"
    done = subprocess.run(
        [sys.executable, "-c", "import runpy, sys; runpy.run_path(sys.argv[1])", str(module)],
        env={"PATH": os.defpath, "PYTHONPATH": str(recorder), "MATRIX_WARNINGS": str(recorded)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    (found,) = deprecations.of_python(recorded.read_text("utf-8"))
    assert found.ours is ours
    assert found.text.endswith(f"{file}:2: DeprecationWarning: old")


def test_what_ansible_test_could_not_install() -> None:
    """The test at which it ended; not one whose requirements are there, or one that merely failed."""
    began = 'Running sanity test "pep8"\nERROR: Found 2 pep8 issue(s) which need to be resolved:\n'
    assert not_installed(began) is None
    ended = (
        f'{began}Running sanity test "pylint"\nERROR: Could not install packages due to an OSError: ...\nFATAL: ...\n'
    )
    assert not_installed(ended) == "pylint"
    assert not_installed(f'{ended}Running sanity test "shebang"\n') is None
    assert sanity_tests(ended) == ("pep8", "pylint")
