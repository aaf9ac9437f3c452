# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The commands of README and of the guides, typed in their order: what a reader gets who follows them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from integration.documents import REPOSITORY, Command, File, Reader, read
from integration.role_scenes import put_token
from integration.scenes import GROUP, A, create, slots

from chaos.command import ansible_environment

if TYPE_CHECKING:
    from conftest import Emulator

GUIDES = REPOSITORY / "docs" / "docsite" / "rst"
#: Commands that need the network, or that are shown elsewhere: what begins with the text, and where that is.
ELSEWHERE = {
    "make demo": "test_demo.py",
    "make build": "make lint-importer installs the artifact",
    "pip install": "the environment of the tests, of the same requirements",
    "python3 -m venv": "the environment of the tests",
    "ansible-galaxy collection install": "the network; make lint-importer installs the artifact",
    "git clone": "the network",
    "make -C clone": "the fixture emulator",
}
#: Times that are meant for people, and waits as short as the emulator's changes.
REPLACE = {
    "3600": "1",
    "soak: 60": "soak: 1",
    'soak": 60': 'soak": 1',
    "seconds: 60": "seconds: 1",
    "elasticache.auth.rotate_token ": "elasticache.auth.rotate_token -e rotate_token_wait_delay=0.1 ",
    "elasticache.auth.rollback_token ": "elasticache.auth.rollback_token -e rollback_token_wait_delay=0.1 ",
}

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.05)


def reader(emulator: Emulator, folder: Path, replace: Mapping[str, str]) -> Reader:
    """Somebody in an empty folder, with Ansible's own things elsewhere and the emulator's nodes trusted."""
    desk, elsewhere = folder / "desk", folder / "elsewhere"
    desk.mkdir()
    elsewhere.mkdir()
    settings = ansible_environment(emulator, elsewhere, SSL_CERT_FILE=emulator.ca_bundle or "")
    return Reader(desk, settings, {**REPLACE, **replace})


def follow(somebody: Reader, document: Path) -> list[tuple[str, str]]:
    """Write and type all that a document tells; returns each command that was typed, with what it printed."""
    printed = []
    for told in read(document):
        if isinstance(told, File):
            somebody.write(told)
        elif not told.text.startswith(tuple(ELSEWHERE)):
            printed.append((told.text, re.sub(r"\s+", " ", somebody.type(told))))
    return printed


def test_getting_started(emulator: Emulator, tmp_path: Path) -> None:
    """From an empty folder to a rotated group, and back."""
    somebody = reader(emulator, tmp_path, {"http://127.0.0.1:5600": emulator.endpoint_url})
    (somebody.folder / "elasticache").mkdir()
    (somebody.folder / "elasticache" / "emulator.json").write_text(json.dumps({"ca_bundle": emulator.ca_bundle}))
    somebody.replace = {**somebody.replace, "mkdir elasticache &&": "mkdir -p elasticache &&"}
    printed = [output for dummy, output in follow(somebody, GUIDES / "guide_getting_started.rst")]
    shown, planned, rotated, again, back = printed[-5:]
    assert "required; evidence: 2 of 2 nodes answered" in shown
    assert "AuthTokenUpdateStrategy=ROTATE" in planned
    assert "sessions: token rotated; 2 of 2 nodes accept only the new token" in rotated
    assert "sessions: nothing to do. Current state: required (the token in AWSCURRENT)." in again
    assert "changed=0" in again
    assert "2 of 2 nodes accept only" in back


def test_readme(emulator: Emulator, tmp_path: Path) -> None:
    """The first rotation; a fleet in which one of two groups is due."""
    for group in (GROUP, "carts"):
        create(emulator, group, AuthToken=A)
        put_token(emulator, A, group=group)
        emulator.admin("POST", f"groups/{group}", {"token_age_days": 100})
    here = {"AWS_REGION=eu-central-1": f"AWS_REGION={emulator.region}", "regions: all": f"regions: [{emulator.region}]"}
    somebody = reader(emulator, tmp_path, here)
    printed = follow(somebody, REPOSITORY / "README.md")
    dummy, planned, rotated, again, listed, audited, fleet = [output for dummy, output in printed]
    assert "AuthTokenUpdateStrategy=ROTATE" in planned
    assert "sessions: token rotated; 2 of 2 nodes accept only the new token" in rotated
    assert "nothing to do. Current state: required (the token in AWSCURRENT)." in again
    assert "@due:" in listed
    assert "2 groups" in audited
    assert "carts: token rotated; 2 of 2 nodes accept only the new token" in fleet
    assert "sessions" not in fleet
    assert A not in {token for group in (GROUP, "carts") for token in slots(emulator, group)}
    assert {path.name for path in somebody.folder.iterdir()} >= {"elasticache-audit.html", "rotation.json"}


def test_secrets(emulator: Emulator, tmp_path: Path) -> None:
    """A token that ansible-vault encrypts, and then one in Parameter Store."""
    old, new, name = "old-Token-0123456789abcdef", "new-Token-fedcba9876543210", "/cache/sessions/auth-token"
    create(emulator, AuthToken=old)
    store = emulator.client("ssm")
    store.put_parameter(Name=name, Type="SecureString", Value=new)
    somebody = reader(emulator, tmp_path, {})
    (somebody.folder / "password").write_text("of the vault")
    dummy, vault, parameters = [output for dummy, output in follow(somebody, GUIDES / "guide_secrets.rst")]
    assert "sessions: token rotated; 2 of 2 nodes accept only the new token" in vault
    assert (somebody.folder / "tokens.yml").read_text("utf-8").startswith("$ANSIBLE_VAULT;")
    current = store.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    assert slots(emulator) == [current]
    assert current not in {old, new}
    assert [parameter["Name"] for parameter in store.describe_parameters()["Parameters"]] == [name]
    assert not [token for token in (old, new, current) if token in vault + parameters]


@pytest.mark.emulator(data_plane="none", modify_seconds=0.05)
def test_outside_the_vpc(emulator: Emulator, tmp_path: Path) -> None:
    """The first rotation is refused until the state is named; the next one goes by the record."""
    create(emulator, AuthToken=A)
    put_token(emulator, A)
    somebody = reader(emulator, tmp_path, {})
    variables = {"rotate_token_replication_groups": [GROUP], "rotate_token_soak": 0, "rotate_token_force": True}
    somebody.write(File("vars.yml", json.dumps(variables)))
    command = "ansible-playbook elasticache.auth.rotate_token -e @vars.yml"
    guide = GUIDES / "guide_where_to_run.rst"
    refused = somebody.type(Command(command), refused=True)
    assert "what the group accepts is not known, and AWS never tells" in re.sub(r"\s+", " ", refused)
    assert slots(emulator) == [A]
    (assumed,) = [output for dummy, output in follow(somebody, guide)]
    assert "token rotated" in assumed
    assert "token rotated" in somebody.type(Command(command))
    assert len(slots(emulator)) == 1


def test_nothing_is_left_out_unsaid() -> None:
    """Commands that are not typed here are few, and each is one of ELSEWHERE."""
    for document in (REPOSITORY / "README.md", GUIDES / "guide_getting_started.rst"):
        commands = [told.text for told in read(document) if isinstance(told, Command)]
        left_out = [text for text in commands if text.startswith(tuple(ELSEWHERE))]
        assert 0 < len(left_out) < len(commands) / 2
