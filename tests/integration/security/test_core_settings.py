# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The settings of ansible-core that print or keep the arguments of tasks, as guide_operations names them.

A token that the module reads from Secrets Manager is not among it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from integration.run import run_playbook
from integration.scenes import GROUP, A, B, C, create, put_secret

if TYPE_CHECKING:
    from conftest import Emulator

PLAY = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"elasticache.auth.replication_group_auth": {"replication_group_id": GROUP}},
        "tasks": [
            {
                "name": "As an argument",
                "elasticache.auth.replication_group_auth": {
                    "auth_token_update_strategy": "rotate",
                    "auth_token": B,
                    "known_auth_tokens": ["{{ old }}"],
                    "probe": "never",
                },
                "check_mode": True,
                "ignore_errors": True,
            },
            {
                "name": "From the secret",
                "elasticache.auth.replication_group_auth": {
                    "auth_token_update_strategy": "rotate",
                    "auth_token_secret": {"name": "secret", "stage": "AWSCURRENT", "key": "auth_token"},
                    "probe": "never",
                },
                "check_mode": True,
                "ignore_errors": True,
            },
        ],
    }
]


@pytest.mark.emulator(data_plane="none")
@pytest.mark.parametrize(
    ("setting", "printed", "kept"),
    [
        ("ANSIBLE_DISPLAY_ARGS_TO_STDOUT", {B}, set()),
        ("ANSIBLE_DEBUG", {A, B}, set()),
        ("ANSIBLE_KEEP_REMOTE_FILES", set(), {A, B}),
    ],
)
def test_what_a_setting_shows(
    emulator: Emulator, tmp_path: Path, setting: str, printed: set[str], kept: set[str]
) -> None:
    create(emulator, AuthToken=A)
    put_secret(emulator, "secret", json.dumps({"auth_token": C}))
    temporary = tmp_path / "temporary"
    run = run_playbook(
        emulator,
        PLAY,
        extra_vars={"old": A},
        environment={setting: "true", "ANSIBLE_REMOTE_TEMP": str(temporary)},
        cold=True,  # it is about what Ansible does with the module's file
    )
    assert [one.task for one in run.results] == ["As an argument", "From the secret"], run.output
    assert {token for token in (A, B, C) if token in run.output} == printed
    files = [file.read_bytes() for file in temporary.rglob("*") if file.is_file()]
    assert {token for token in (A, B, C) if any(token.encode() in file for file in files)} == kept
