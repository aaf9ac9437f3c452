# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Which sources of an inventory count as read, and what is said of one that could not be."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.elasticache.auth.plugins.plugin_utils import _sources
from chaos.command import REPOSITORY

OURS = "plugin: elasticache.auth.replication_groups\n"
STATIC = "all: {hosts: {sessions: {}}}\n"
NAMES = (
    "The name of a file of elasticache.auth.replication_groups ends in elasticache.yml or elasticache.yaml, as in "
    "fleet.elasticache.yml."
)


@pytest.fixture(autouse=True)
def nothing_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was read in this process."""
    monkeypatch.setattr(_sources, "_tried", {})


def write(folder: Path, **files: str) -> None:
    """Write files, in whose names ``__`` stands for a dot."""
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "text", "ours"),
    [
        ("fleet.elasticache.yml", OURS, True),
        ("elasticache.yaml", "regions: all\n", True),  # whatever is in it, no other plugin is meant
        ("fleet.yml", f"---\n# a comment\nregions: [a]\n{OURS}", True),
        ("fleet.yaml", "plugin: 'elasticache.auth.replication_groups'  # ours\n", True),
        ("fleet.yml", "plugin: elasticache.auth.replication_groups2\n", False),
        ("fleet.yml", "all: {vars: {plugin: elasticache.auth.replication_groups}}\n", False),
        ("fleet.ini", OURS, False),  # Ansible looks for no plugin's name in it
        ("fleet.yml", "plugin: amazon.aws.aws_ec2\n", False),
        ("hosts.yml", STATIC, False),
        ("missing.yml", None, False),
    ],
)
def test_the_plugins_own_files(tmp_path: Path, name: str, text: str | None, ours: bool) -> None:
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert _sources.is_ours(str(tmp_path / name)) == ours


def test_what_was_read_is_no_trouble(tmp_path: Path) -> None:
    write(tmp_path, fleet__elasticache__yml=OURS, hosts__yml=STATIC)
    fleet, hosts = str(tmp_path / "fleet.elasticache.yml"), str(tmp_path / "hosts.yml")
    _sources.note(fleet)
    for sources in ([], ["localhost,"], ["a,b"], [fleet], [hosts], [fleet, hosts], [str(tmp_path)]):
        assert _sources.trouble(sources, [fleet, hosts]) == ""
        assert _sources.trouble(sources, None, lambda dummy: True) == ""
        assert _sources.trouble(sources, None) == ""


def test_ansibles_default_need_not_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sources, "_DEFAULT", "/no/such/file")
    assert _sources.trouble(["/no/such/file"], []) == ""
    assert _sources.trouble(["/no/other/file"], []) == "There is no /no/other/file."


def test_an_error_of_the_plugin_is_reported_again(tmp_path: Path) -> None:
    write(tmp_path, fleet__elasticache__yml=OURS)
    path = str(tmp_path / "fleet.elasticache.yml")
    _sources.note(path, "Nothing could be looked at")
    told = f"{path} could not be read: Nothing could be looked at."
    assert _sources.trouble([path], None) == told
    assert _sources.trouble([path], []) == told
    assert _sources.trouble([str(tmp_path)], []) == told


def test_a_file_that_the_plugin_never_saw(tmp_path: Path) -> None:
    """For example as the collection that it needs is missing, or the plugin auto is not enabled."""
    write(tmp_path, fleet__elasticache__yml=OURS)
    path = str(tmp_path / "fleet.elasticache.yml")
    assert _sources.trouble([path], None) == f"{path} could not be read: the warnings before this say why."


def test_a_wrong_name_is_reported_with_the_right_ones(tmp_path: Path) -> None:
    write(tmp_path, fleet__yml=OURS, hosts__yml=STATIC)
    path = str(tmp_path / "fleet.yml")
    told = f"{path} could not be read: its name is not one that the plugin takes. {NAMES}"
    assert _sources.trouble([path], None) == told
    assert _sources.trouble([path], []) == told
    # In a folder, of which Ansible reads what it can.
    assert _sources.trouble([str(tmp_path)], [str(tmp_path / "hosts.yml")]) == told


def test_sources_of_others(tmp_path: Path) -> None:
    write(tmp_path, broken__yml="all: [\n", hosts__yml=STATIC)
    broken, hosts = str(tmp_path / "broken.yml"), str(tmp_path / "hosts.yml")
    told = f"{broken} could not be read: the warnings before this say why."
    assert _sources.trouble([broken, hosts], [hosts]) == told
    assert _sources.trouble([broken, hosts], None, lambda source: source == hosts) == told
    assert _sources.trouble([broken, hosts], None) == ""


def test_what_ansible_does_not_look_into(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "nested").mkdir()
    write(tmp_path, __hidden__yml=OURS, fleet__yml__bak=OURS)
    write(tmp_path / "group_vars", fleet__yml=OURS)
    assert _sources.trouble([str(tmp_path)], []) == ""
    write(tmp_path / "nested", fleet__yml=OURS)
    assert "nested/fleet.yml could not be read" in _sources.trouble([str(tmp_path)], [])


def test_sources_as_ansible_has_them() -> None:
    assert _sources.sources_in({}) == []
    assert _sources.sources_in({"ansible_inventory_sources": "/a/b.yml"}) == ["/a/b.yml"]
    assert _sources.sources_in({"ansible_inventory_sources": ["", "a,b", "/a/../b.yml"]}) == ["a,b", "/b.yml"]


def test_every_playbook_for_a_fleet_asks() -> None:
    """The hosts of each play are named through the lookup, but for the demo's, which has a group of its own."""
    playbooks = [*REPOSITORY.glob("playbooks/*.yml"), *REPOSITORY.glob("extensions/patterns/*/playbooks/*.yml")]
    hosts = {
        play["hosts"]
        for file in playbooks
        for play in yaml.safe_load(file.read_text("utf-8"))
        if file.name != "demo.yml" and play["hosts"] != "localhost"
    }
    assert len(hosts) == 9
    assert all(one.startswith("{{ lookup('elasticache.auth.fleet_hosts', ") for one in hosts), hosts
