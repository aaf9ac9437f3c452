# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What README's commands leave in a clone is neither linted, nor committed, nor in the artifact."""

from __future__ import annotations

import subprocess

import pytest
import yaml

from chaos.command import REPOSITORY


@pytest.mark.parametrize("name", ["elasticache-audit.html", "fleet.elasticache.yml", "rotation.json", "vars.yml"])
def test_it_is_ignored(name: str) -> None:
    """By git, which the linters' copy of the tree is made after, and by the build; README names it."""
    done = subprocess.run(["git", "-C", str(REPOSITORY), "check-ignore", "--quiet", name], check=False)
    assert done.returncode == 0
    assert name in yaml.safe_load((REPOSITORY / "galaxy.yml").read_text("utf-8"))["build_ignore"]
    texts = [(REPOSITORY / file).read_text("utf-8") for file in ("README.md", "roles/audit/README.md")]
    assert any(name in text for text in texts)
