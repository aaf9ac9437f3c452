# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What the pattern for AWX offers for the audit is the role's own default, wherever it is written a second time."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[3]
PATTERN = REPOSITORY / "extensions" / "patterns" / "audit_fleet"


def test_the_pattern_offers_the_roles_defaults() -> None:
    role = yaml.safe_load((REPOSITORY / "roles" / "audit" / "defaults" / "main.yml").read_text("utf-8"))
    (template,) = json.loads((PATTERN / "meta" / "pattern.json").read_text("utf-8"))["aap_resources"][
        "controller_job_templates"
    ]
    offered = {question["variable"]: question.get("default") for question in template["survey"]["spec"]}
    fail_on = ",".join(role["audit_fail_on"])
    assert offered == {
        "audit_title": role["audit_title"],
        "audit_fleet_fail_on": fail_on,
        "audit_probe": role["audit_probe"],
    }
    assert (PATTERN / "README.md").read_text("utf-8").count(f"fail_on` | `{fail_on}` |") == 2
