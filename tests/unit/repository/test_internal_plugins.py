# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What only the roles and playbooks of this collection use says so in its first words, and in every list of plugins."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
#: What users use; the rest is internal.
PUBLIC = {
    "modules": {
        "audit_report",
        "auth_failures_monitor",
        "auth_operation",
        "auth_probe",
        "auth_secret",
        "client_connections_info",
        "replication_group",
        "replication_group_auth",
        "replication_group_info",
        "replication_group_wait",
        "user",
        "user_group",
        "user_group_info",
        "user_info",
    },
    "inventory": {"replication_groups"},
    "lookup": {"fleet_hosts", "random_auth_token"},
    "filter": set[str](),
    "test": {"strong_auth_token", "valid_auth_token"},
}


def documentation(path: Path) -> dict[str, object]:
    """A plugin's documentation: of Python in a string of that name, else a YAML file."""
    text = path.read_text("utf-8")
    if path.suffix == ".yml":
        found = yaml.safe_load(text)["DOCUMENTATION"]
    else:
        begin = text.index('DOCUMENTATION = r"""') + len('DOCUMENTATION = r"""')
        found = yaml.safe_load(text[begin : text.index('"""', begin)])
    assert isinstance(found, dict)
    return found


def documented(kind: str) -> list[Path]:
    """The files of a kind of plugins that document them."""
    found = [*(PLUGINS / kind).glob("*.yml"), *(PLUGINS / kind).glob("*.py")]
    return [path for path in found if "DOCUMENTATION" in path.read_text("utf-8")]


@pytest.mark.parametrize("kind", PUBLIC)
def test_what_is_internal_says_so(kind: str) -> None:
    names = {path.stem: documentation(path) for path in documented(kind)}
    assert {name for name, told in names.items() if not str(told["short_description"]).startswith("(internal) ")} == (
        PUBLIC[kind]
    )
    for name, told in names.items():
        description = told["description"]
        first = description[0] if isinstance(description, list) else str(description)
        assert str(first).startswith("Internal. ") == (name not in PUBLIC[kind]), name
