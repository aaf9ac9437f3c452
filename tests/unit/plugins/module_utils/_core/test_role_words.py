# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A message to a role's user names the role's variable, never a module's option that the role does not have."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.plugins.module_utils._core.option_names import OPTIONS, PLUGINS, options_in
from unit.plugins.plugin_utils.role_specs import ALL

from ansible_collections.elasticache.auth.plugins.module_utils._core.role_words import DROPPED, VARIABLES, for_role

#: What messages of roles come from. The others are of modules that no role sets all options of.
SOURCES = sorted(
    path
    for path in (PLUGINS / "module_utils").rglob("*.py")
    if path.name not in ("role_words.py", "wanted.py", "user_wanted.py", "settings.py", "posture.py", "in_force.py")
)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("a: check auth_token_secret.name and region.", "a: check rotate_token_secret_name and region."),
        (
            "a: no text under the key auth_token. Check auth_token_secret.key.",
            "a: no text under the key auth_token. Check rotate_token_secret_key.",
        ),
        ("soak: -1 is not possible; give seconds.", "rotate_token_soak: -1 is not possible; give seconds."),
        ("or use probe: auto, so that", "or use rotate_token_probe: auto, so that"),
        ("A probe: it failed.", "A probe: it failed."),
        ("targets[0].replication_group_ids: a is listed", "rotate_token_replication_groups: a is listed"),
        ("name the state in assume_state, if", "name the state in rotate_token_assume_state, if"),
        ("rotate_token_assume_state stays", "rotate_token_assume_state stays"),
        ("Allow it, or do without the record with record: false.", "Allow it."),
        ("a: failed. The record is a tag; record: false does without.", "a: failed."),
        ("a: Stage one, or name another label in auth_token_secret.stage (it has x).", "a: Stage one (it has x)."),
        ("a: user_group_ids: there is no user group b", "a: rotate_token_user_group_id: there is no user group b"),
        (
            "with elasticache.auth.replication_group and user_group_ids: []",
            "with elasticache.auth.replication_group and user_group_ids: []",
        ),
        ("the role enable_tls first, with enable_tls_phase", "the role enable_tls first, with enable_tls_phase"),
        ("run this again, or raise wait_timeout.", "run this again, or raise rotate_token_wait_timeout."),
        (
            "Give it in auth_token, under its id in auth_tokens, or in a secret by auth_token_secret.",
            "Give it under its id in rotate_token_auth_tokens, or in a secret by rotate_token_secret_name.",
        ),
    ],
)
def test_messages(said: str, told: str) -> None:
    assert for_role(said, "rotate_token") == told
    assert for_role(told, "rotate_token") == told


def test_the_variables_are_there() -> None:
    """Each is one of a role; a role that lacks it has no such message."""
    known = {short for role, options in ALL.items() if role != "audit" for short in options}
    assert set(VARIABLES.values()) <= known


def literals(path: Path) -> Iterator[str]:
    """The texts in a source that can be messages; what is filled in is left out."""
    tree = ast.parse(path.read_text("utf-8"))
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    skipped |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


#: Messages that no role can be the reason of.
NOT_OF_ROLES = {
    "data_plane_timeout: … is not possible; give seconds above 0.": "roles leave it at its default",
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_source_has_a_message_with_an_option(path: Path) -> None:
    for text in literals(path):
        if " " in text and text not in NOT_OF_ROLES:
            assert options_in(for_role(text, "rotate_token")) == set(), text


def test_what_is_dropped_is_said() -> None:
    """So that no pattern outlives the words that it is for."""
    said = "\n".join(text for path in SOURCES for text in literals(path))
    for pattern in DROPPED:
        assert re.search(pattern, said), pattern
    assert len(OPTIONS) > 20
