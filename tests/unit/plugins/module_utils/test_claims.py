# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""No message says what a run has not done: a module that says it can't know what was done before, in the same run.

It says what it does not do. What was done is in the result: the steps that were made, and the calls.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[4] / "plugins"
CLAIM = re.compile(r"\bnothing (was|has been) (changed|called|moved|made|written|stored)\b", re.IGNORECASE)


def messages(source: str) -> Iterator[str]:
    """The texts in a module's code, but for docstrings and documentation; parts of one are joined."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        elif isinstance(node, ast.Call | ast.BinOp | ast.Return):
            yield from (
                part.value
                for part in ast.iter_child_nodes(node)
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            )


@pytest.mark.parametrize("path", sorted(PLUGINS.rglob("*.py")), ids=lambda path: str(path.relative_to(PLUGINS)))
def test_no_message_claims_that_nothing_was_changed(path: Path) -> None:
    assert [text for text in messages(path.read_text("utf-8")) if CLAIM.search(text)] == []


def test_a_claim_is_found() -> None:
    source = 'raise E(f"{key}: it failed, so nothing "\n "was changed. {text}")\nraise E("Nothing was called.")'
    assert len([text for text in messages(source) if CLAIM.search(text)]) == 2
