# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The audit's findings in the AWS Security Finding Format (ASFF), as BatchImportFindings of Security Hub takes them.

Source: AWS Security Hub User Guide, "AWS Security Finding Format" (required members, lengths). Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from .._core.posture import Audited, Finding, Kind, Severity
from .controls import TITLES, controls_of
from .document import Report, zulu

_LABELS = {Severity.CRITICAL: "CRITICAL", Severity.WARNING: "MEDIUM", Severity.NOTICE: "INFORMATIONAL"}
#: How a finding counts for compliance: what is not known is a warning, and what is to know counts for nothing.
_STATUS = {Severity.CRITICAL: "FAILED", Severity.WARNING: "FAILED", Severity.NOTICE: "NOT_AVAILABLE"}
#: Security Hub refuses a longer text.
_ID, _TITLE, _DESCRIPTION, _STEP, _DETAIL = 512, 256, 1024, 512, 1024
_ACCOUNT = re.compile(r"\d{12}")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d+")
_PARTITION = re.compile(r"aws(-[a-z]+)*")
_NAME = re.compile(r"[a-z0-9-]{1,64}")


def has_place(group: Audited) -> bool:
    """Whether account and region of a group are known: Security Hub takes no finding without them."""
    facts = group.facts
    return bool(
        _ACCOUNT.fullmatch(facts.account_id)
        and _REGION.fullmatch(facts.region)
        and _PARTITION.fullmatch(facts.partition)
        and _NAME.fullmatch(facts.id)
    )


def findings(report: Report) -> list[dict[str, Any]]:
    """Return the findings of the groups whose account and region are known, in the report's order."""
    return list(_findings(report))


def asff_text(report: Report) -> str:
    """Return the file: a list of findings."""
    return json.dumps(findings(report), indent=2, ensure_ascii=False) + "\n"


def lines(text: str) -> str:
    """Return a line a finding, as Ansible's diff shows what is new. Raises ValueError, LookupError, TypeError."""
    return "".join(f"{finding['Resources'][0]['Id']}: {finding['Title']}\n" for finding in json.loads(text))


def _findings(report: Report) -> Iterator[dict[str, Any]]:
    for group in report.audited:
        if has_place(group):
            for finding in group.findings:
                yield _finding(group, finding, zulu(report.moment))


def _finding(group: Audited, finding: Finding, moment: str) -> dict[str, Any]:
    facts = group.facts
    kind = "serverlesscache" if facts.serverless else "replicationgroup"
    place = f"{facts.partition}:elasticache:{facts.region}:{facts.account_id}"
    # Made anew, and not taken as it came: an id decides which finding of Security Hub is replaced.
    arn = f"arn:{place}:{kind}:{facts.id}"
    compliance: dict[str, Any] = {
        "Status": "WARNING" if finding.kind is Kind.UNKNOWN else _STATUS[finding.severity],
    }
    if related := [control.name for control in controls_of(finding.kind, facts)]:
        compliance["RelatedRequirements"] = related
    details = {
        "mode": facts.mode.value if facts.mode else "unknown",
        "engine": facts.engine,
        "engine_version": facts.engine_version,
        "transit_encryption_mode": facts.tls,
        "status": facts.status,
    }
    return {
        "SchemaVersion": "2018-10-08",
        "Id": f"{arn}/elasticache.auth/{finding.kind.value}"[:_ID],
        "ProductArn": f"arn:{facts.partition}:securityhub:{facts.region}:{facts.account_id}:"
        f"product/{facts.account_id}/default",
        "GeneratorId": f"elasticache.auth/audit/{finding.kind.value}",
        "AwsAccountId": facts.account_id,
        "Types": ["Software and Configuration Checks/AWS Security Best Practices"],
        **({"FirstObservedAt": zulu(finding.since)} if finding.since else {}),
        "CreatedAt": zulu(finding.since) if finding.since else moment,
        "UpdatedAt": moment,
        "Severity": {"Label": _LABELS[finding.severity]},
        "Title": _cut(f"{TITLES[finding.kind]} ({facts.id})", _TITLE),
        "Description": _cut(finding.text, _DESCRIPTION),
        "Remediation": {"Recommendation": {"Text": _cut(finding.next_step, _STEP)}},
        "Resources": [
            {
                "Type": "Other",
                "Id": arn,
                "Partition": facts.partition,
                "Region": facts.region,
                "Details": {"Other": {name: _cut(value, _DETAIL) for name, value in details.items() if value}},
            }
        ],
        "Compliance": compliance,
        "RecordState": "ACTIVE",
    }


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
