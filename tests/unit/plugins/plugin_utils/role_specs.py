# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The options of the operations' roles and of the audit, as their argument_specs have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parents[4] / "roles"


def documented(role: str) -> dict[str, dict[str, Any]]:
    """The options of a role, by what follows its name."""
    specs = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text("utf-8"))
    options: dict[str, dict[str, Any]] = specs["argument_specs"]["main"]["options"]
    return {name.removeprefix(f"{role}_"): option for name, option in options.items()}


ALL = {role.name: documented(role.name) for role in sorted(ROLES.iterdir()) if not role.name.startswith("cutover_")}
