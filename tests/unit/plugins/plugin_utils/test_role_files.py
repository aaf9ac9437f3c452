# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The files that the roles' variables name: where they are, and what is said of those that can't be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from unit.plugins.plugin_utils.role_specs import ALL

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.plugin_utils import _role_files as files

NAME = "rotate_token_client_tasks"
COLLECTION = Path(files.__file__).resolve().parents[2]


def test_every_path_of_every_role_is_checked() -> None:
    paths = {short for options in ALL.values() for short in options if short.endswith(("_path", "_tasks", "_file"))}
    paths |= {short for options in ALL.values() for short in options if options[short]["type"] == "path"}
    assert paths == {*files.WRITTEN, files.AUTHORITIES, files.TASKS}


def test_what_a_path_is_relative_to(tmp_path: Path) -> None:
    """The playbook, unless that is one of this collection."""
    assert files.folder_of("/plays", "/home/me") == "/plays"
    assert files.folder_of(str(COLLECTION / "playbooks"), "/home/me") == "/home/me"
    link = tmp_path / "auth"
    link.symlink_to(COLLECTION)
    assert files.folder_of(str(link / "playbooks"), "/home/me") == "/home/me"


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("", ""),
        ("clients.yml", "/plays/clients.yml"),
        ("../clients.yml", "/clients.yml"),
        ("/srv/clients.yml", "/srv/clients.yml"),
        ("~/clients.yml", "/home/me/clients.yml"),
        ("$HOME/clients.yml", "/home/me/clients.yml"),
    ],
)
def test_located(given: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert files.located("/plays", given) == path


class TestWritten:
    @pytest.mark.parametrize(
        ("path", "says"),
        [
            ("nowhere/result.json", "nowhere/result.json: there is no folder "),
            ("", " is a folder. Nothing was looked at. Name a file in it."),
            ("file/result.json", "file/result.json: there is no folder "),
        ],
    )
    def test_refused(self, tmp_path: Path, path: str, says: str) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(AuthError, match=r"^rotate_token_report_path: ") as raised:
            files.check_written("rotate_token_report_path", str(tmp_path / path))
        assert says in str(raised.value)

    def test_a_folder_that_takes_no_file(self) -> None:
        """Whoever runs the tests: nobody can make a file there."""
        with pytest.raises(
            AuthError, match=r"^x: /proc/self/result\.json can't be written: .*a folder that you may write"
        ):
            files.check_written("x", "/proc/self/result.json")

    def test_taken(self, tmp_path: Path) -> None:
        """Nothing is left behind, and what is there stays."""
        there = tmp_path / "there.json"
        there.write_text("before")
        for path in (there, tmp_path / "new.json"):
            files.check_written("x", str(path))
        assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("there.json", "before")]


class TestAuthorities:
    @pytest.mark.parametrize("content", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----\nquie\n"])
    def test_refused(self, tmp_path: Path, content: str | None) -> None:
        path = tmp_path / "ca.pem"
        if content is not None:
            path.write_text(content)
        with pytest.raises(AuthError, match=r"^x: .*/ca\.pem holds no certificates to trust: .* Name a PEM file"):
            files.check_authorities("x", str(path))


@pytest.fixture(scope="module")
def parse(plugin_loader: None) -> Callable[[Any], Any]:
    """What reads a task as Ansible does."""
    return lambda task: Task.load(dict(task), loader=DataLoader())


class TestTasks:
    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (None, ": there is no such file."),
            ("", ": it has no list of tasks in it."),
            ("---\n# later\n", ": it has no list of tasks in it."),
            ("[]\n", ": it has no list of tasks in it."),
            ("tasks:\n  - ansible.builtin.debug:\n", ": it has no list of tasks in it."),
            ("- a\n- b\n", ": not every entry of its list is a task."),
            ("- hosts: all\n  tasks: []\n", ": it is a playbook"),
            ("- ansible.builtin.import_playbook: other.yml\n", ": it is a playbook"),
            ("- ansible.builtin.debug: {\n", ": it can't be read: "),
            ("- a: 1\n\tb: 2\n", ": it can't be read: "),
            (b"\xff\xfe\x00", ": it can't be read: "),
            ("- ansible.builtin.debgu:\n", ": a task in it can't be run: "),
            ("- ansible.builtin.debug:\n  whne: true\n", ": a task in it can't be run: "),
            ("- block:\n    - nowhere.at.all:\n", ": a task in it can't be run: "),
            (
                "- block:\n    - ansible.builtin.debug:\n  rescue:\n    - nowhere.at.all:\n",
                ": a task in it can't be run: ",
            ),
        ],
    )
    def test_refused(self, tmp_path: Path, parse: Callable[[Any], Any], content: str | bytes | None, says: str) -> None:
        path = tmp_path / "clients.yml"
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(AuthError) as raised:
            files.check_tasks(NAME, str(path), DataLoader().load_from_file, parse)
        told = str(raised.value)
        assert told.startswith(f"{NAME}: {path}{says}"), told
        assert "Nothing was looked at. Name a file with a list of tasks" in told
        assert "\n" not in told

    def test_a_folder(self, tmp_path: Path, parse: Callable[[Any], Any]) -> None:
        with pytest.raises(AuthError, match="it is a folder"):
            files.check_tasks(NAME, str(tmp_path), DataLoader().load_from_file, parse)

    @pytest.mark.parametrize(
        "content",
        [
            "- ansible.builtin.debug:\n",
            "- name: A task\n  command: 'true'\n  when: cutover_stage == 'client_cutover'\n  loop: '{{ x }}'\n",
            "- debug:\n- block:\n    - debug:\n  always:\n    - debug:\n",
            "- ansible.builtin.include_tasks: more.yml\n- ansible.builtin.import_role:\n    name: mine\n",
            "- local_action: ansible.builtin.command true\n",
        ],
    )
    def test_taken(self, tmp_path: Path, parse: Callable[[Any], Any], content: str) -> None:
        path = tmp_path / "clients.yml"
        path.write_text(content)
        files.check_tasks(NAME, str(path), DataLoader().load_from_file, parse)
