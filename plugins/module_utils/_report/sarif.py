# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The audit's findings in SARIF 2.1.0, as code scanning and other viewers of findings take them.

Source: "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", OASIS. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from .._core.posture import SEVERITIES, Audited, Facts, Finding, Kind, Severity
from .controls import CONTROLS, TITLES, Control, controls_of
from .document import Report, zulu

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_HOME = "https://github.com/elasticache-auth/elasticache.auth"
_LEVELS = {Severity.CRITICAL: "error", Severity.WARNING: "warning", Severity.NOTICE: "note"}
#: What GitHub orders security findings by: 9.0 and more is critical, 4.0 and more medium.
_SCORES = {Severity.CRITICAL: "9.0", Severity.WARNING: "5.0", Severity.NOTICE: "1.0"}
_FRAMEWORKS = tuple(dict.fromkeys(control.framework for control in CONTROLS))
_RULES = {kind: number for number, kind in enumerate(Kind)}
#: In a message, brackets make a link (SARIF §3.11.6) and braces a placeholder (§3.11.5).
_LITERAL = str.maketrans({"\\": "\\\\", "[": "\\[", "]": "\\]", "{": "{{", "}": "}}"})


def literal(text: str) -> str:
    """Return a message that viewers show as this text."""
    return text.translate(_LITERAL)


def sarif_text(report: Report) -> str:
    """Return the file."""
    return json.dumps(log(report), indent=2, ensure_ascii=False) + "\n"


def lines(text: str) -> str:
    """Return a line a result, as Ansible's diff shows what is new. Raises ValueError, LookupError, TypeError."""
    results = json.loads(text)["runs"][0]["results"]
    return "".join(f"{_named(result)}: {result['ruleId']}\n" for result in results)


def _named(result: Mapping[str, Any]) -> str:
    return str(result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"])


def log(report: Report) -> dict[str, Any]:
    """Return the file as data: one run with a rule for each kind of finding and a result for each finding."""
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "elasticache.auth.audit",
                        "informationUri": _HOME,
                        "rules": [_rule(kind) for kind in Kind],
                        "supportedTaxonomies": [{"name": name, "index": _index(name)} for name in _FRAMEWORKS],
                    }
                },
                "taxonomies": [_taxonomy(name) for name in _FRAMEWORKS],
                "invocations": [
                    {
                        "executionSuccessful": not report.incomplete,
                        "endTimeUtc": zulu(report.moment),
                        "toolExecutionNotifications": [
                            {"level": "error", "message": {"text": literal(text)}} for text in report.incomplete
                        ],
                    }
                ],
                "automationDetails": {"id": "elasticache.auth/audit/"},
                "columnKind": "unicodeCodePoints",
                "results": [_result(group, finding) for group in report.audited for finding in group.findings],
            }
        ],
    }


def _index(framework: str) -> int:
    return _FRAMEWORKS.index(framework)


def _taxa(framework: str) -> Sequence[Control]:
    return [control for control in CONTROLS if control.framework == framework]


def _taxonomy(framework: str) -> dict[str, Any]:
    taxa = [
        {"id": control.id, "name": control.id, "shortDescription": {"text": control.title}}
        for control in _taxa(framework)
    ]
    return {"name": framework, "organization": framework.split()[0], "isComprehensive": False, "taxa": taxa}


def _rule(kind: Kind) -> dict[str, Any]:
    severity = SEVERITIES[kind]
    return {
        "id": kind.value,
        "name": "".join(word.capitalize() for word in kind.value.split("_")),
        "shortDescription": {"text": TITLES[kind]},
        "defaultConfiguration": {"level": _LEVELS[severity]},
        "properties": {"tags": ["security"], "security-severity": _SCORES[severity]},
    }


def _result(group: Audited, finding: Finding) -> dict[str, Any]:
    facts = group.facts
    name = facts.arn or "/".join(filter(None, (facts.account_id, facts.region, facts.id)))
    controls = controls_of(finding.kind, facts)
    print_of = hashlib.sha256("\n".join((*map(str, facts.key), finding.kind.value)).encode()).hexdigest()
    result: dict[str, Any] = {
        "ruleId": finding.kind.value,
        "ruleIndex": _RULES[finding.kind],
        "level": _LEVELS[finding.severity],
        "message": {"text": literal(f"{facts.id}: {finding.text} {finding.next_step}")},
        "locations": [
            {
                # No file has it: viewers of code need one, and show its path.
                "physicalLocation": {"artifactLocation": {"uri": _uri(facts)}, "region": {"startLine": 1}},
                "logicalLocations": [{"name": facts.id, "fullyQualifiedName": name, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"elasticacheGroupAndFinding/v1": print_of},
        "properties": {"controls": [control.name for control in controls]},
    }
    if controls:
        result["taxa"] = [
            {
                "id": control.id,
                "index": _taxa(control.framework).index(control),
                "toolComponent": {"name": control.framework, "index": _index(control.framework)},
            }
            for control in controls
        ]
    return result


def _uri(facts: Facts) -> str:
    """Return a relative path that tells the group from all others, and leads nowhere."""
    parts = ("elasticache", facts.account_id or "unknown", facts.region or "unknown", facts.id)
    # A part of dots alone would lead out of the folder.
    return "/".join(quote(part, safe="") if part.strip(".") else part.replace(".", "%2E") for part in parts)
