# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What the tasks for the clients of a host are about."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleLookupError

from ansible_collections.elasticache.auth.plugins.lookup.client_cutover import LookupModule
from ansible_collections.elasticache.auth.plugins.module_utils._operation.run_file import RunFile, write_whole

EAST = {"elasticache_region": "us-east-1"}


def cutovers(path: Path | str, host: str, **variables: Any) -> list[dict[str, Any]]:
    """What the lookup returns for a host."""
    templar: Any = SimpleNamespace(template=lambda text: text)
    lookup = LookupModule(templar=templar)
    lookup._load_name = "elasticache.auth.client_cutover"
    found: list[dict[str, Any]] = lookup.run([str(path)], {"inventory_hostname": host, **variables})
    return found


def file_of(folder: Path, *groups: tuple[str, str | None, str | None], failed: str = "") -> Path:
    """A run file with groups: id, region, and where they stopped."""
    run = RunFile.begun("", "enable_auth", "run", ["a"], [])
    run.put("earlier", None, None, _report("earlier", "client_cutover"))
    run = run.next_wave(["a"], [])
    for key, region, stage in groups:
        run.put(key, region, None, {**_report(key, stage), "failed": key == failed})
    path = folder / "run.json"
    write_whole(str(path), run.text())
    return path


def _report(key: str, stage: str | None) -> dict[str, Any]:
    told = {"changed": True, "failed": False, "msg": "said.", "line": "said."}
    return {**told, "cutover_stage": stage, "secret_name": f"the/{key}"}


def brief(found: list[dict[str, Any]]) -> list[tuple[str, str, list[str]]]:
    return [(one["stage"], one["region"], one["replication_groups"]) for one in found]


def test_a_host_that_stands_for_a_group(tmp_path: Path) -> None:
    path = file_of(tmp_path, ("a", None, "client_cutover"), ("b", None, "client_cutover"), ("c", None, None))
    assert cutovers(path, "h", replication_group_id="B") == [
        {
            "stage": "client_cutover",
            "replication_groups": ["b"],
            "secret_names": {"b": "the/b"},
            "region": "",
            "assume_role_arn": "",
        }
    ]
    assert cutovers(path, "c") == []


def test_a_host_that_stands_for_none(tmp_path: Path) -> None:
    """Each target and each cutover by itself; those of earlier waves are over."""
    path = file_of(
        tmp_path,
        ("a", None, "client_cutover"),
        ("b", "us-east-1", "client_cutover"),
        ("c", None, "client_cutover_tls"),
        ("d", None, "client_cutover"),
        ("e", "us-east-1", None),
        ("f", None, "client_cutover"),
        failed="f",
    )
    expected = [
        ("client_cutover", "", ["a", "d"]),
        ("client_cutover", "us-east-1", ["b"]),
        ("client_cutover_tls", "", ["c"]),
    ]
    assert brief(cutovers(path, "localhost")) == expected
    assert brief(cutovers(path, "b", **EAST)) == expected[1:2]


@pytest.mark.parametrize("content", [None, "{}", "[", '{"groups": []}'])
def test_what_is_no_run_file(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "run.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(AnsibleLookupError, match="is no run file that can be read"):
        cutovers(path, "a")


def test_in_check_mode_a_role_gets_the_groups_that_would_stop(tmp_path: Path) -> None:
    """Tasks do not, as they are not run then."""
    path = file_of(tmp_path, ("a", None, None), ("b", None, None), failed="b")
    run = RunFile.read(str(path))
    for group in run.of_wave().values():
        report = {**group, "planned_steps": ["rotate", "client_cutover", "set"]}
        run.put(group["replication_group_id"], None, None, report)
    write_whole(str(path), run.text())
    assert brief(cutovers(path, "h", ansible_check_mode=True, client_role="r")) == [("client_cutover", "", ["a"])]
    assert cutovers(path, "h", ansible_check_mode=True, client_role="") == []
    assert cutovers(path, "h", ansible_check_mode=False, client_role="r") == []
