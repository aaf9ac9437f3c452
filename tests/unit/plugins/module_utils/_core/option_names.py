# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The names of modules' options in messages."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

PLUGINS = Path(__file__).resolve().parents[5] / "plugins"
#: The modules whose messages a role may tell.
_OF_ROLES = ("auth_operation", "auth_secret", "replication_group_auth", "auth_failures_monitor")
#: What a way out may name: options of a module that is named beside it.
_NAMED_WITH_THEIR_MODULE = {"auth_token_update_strategy", "remove_user_groups", "from_previous", "user_group_ids"}


def _documented() -> set[str]:
    names = {"auth_token_secret", "data_plane_ca_path", "replication_group_ids", "wait_timeout", "wait_delay"}
    for module in _OF_ROLES:
        text = (PLUGINS / "modules" / f"{module}.py").read_text("utf-8").split('"""')[1]
        names |= set(yaml.safe_load(text)["options"])
    return {name for name in names if "_" in name} - _NAMED_WITH_THEIR_MODULE


#: Those that are no words of the language. A key of a secret is named auth_token by default, and a role enable_tls.
OPTIONS = _documented() - {"auth_token", "enable_tls"}
_OPTION = re.compile(rf"(?<![\w.])({'|'.join(sorted(OPTIONS))})(?!\w)")
_WORDS = re.compile(r"(?<!\w)(?:record: (?:true|false)|probe: |soak: |force: (?:true|false)|phase: (?:begin|finish))")


def options_in(message: str) -> set[str]:
    """The options that a message names by the names that they have in a module."""
    return {found.group(0) for pattern in (_OPTION, _WORDS) for found in pattern.finditer(message)}
