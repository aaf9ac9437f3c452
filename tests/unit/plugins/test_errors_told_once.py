# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""ansible-core 2.19 prints an error's cause after it: where the text has that already, each refusal was told twice."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
ON_THE_CONTROLLER = ("action", "filter", "inventory", "lookup", "plugin_utils", "test")
FILES = sorted(path for folder in ON_THE_CONTROLLER for path in (PLUGINS / folder).glob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_error_has_a_cause_besides_its_text(path: Path) -> None:
    raised = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Raise) and node.cause]
    causes = [node.cause for node in raised]
    assert [
        cause.lineno for cause in causes if cause and not (isinstance(cause, ast.Constant) and not cause.value)
    ] == []
