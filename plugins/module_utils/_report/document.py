# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The audit's report as data, as JSON and as CSV. Pure: the same report is the same text.

Ages are in whole days everywhere, and the moment of the audit is in one member: a file says something new when the
facts do, or once a day.
"""

from __future__ import annotations

import csv
import datetime
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from .._core.posture import Audited, Counts, Facts, Failed, Finding
from .controls import controls_of

#: Raised with every change that a reader of the JSON file would stumble over; new members don't raise it.
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Report:
    """All that is told. ``moment``: of the audit, with a time zone; ``incomplete``: what could not be looked at."""

    title: str
    moment: datetime.datetime
    max_token_age_days: float
    audited: Sequence[Audited]
    counts: Counts
    incomplete: Sequence[str] = ()
    failed: Sequence[Failed] = ()


def stamp(moment: datetime.datetime) -> str:
    """Return a moment as all files have it, in UTC and to the second."""
    return moment.astimezone(datetime.timezone.utc).isoformat(timespec="seconds")


def zulu(moment: datetime.datetime) -> str:
    """Return a moment as other people's formats have it: in UTC with a ``Z``, to the second."""
    return moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def whole(days: float | None) -> int | None:
    """Return the days that are over."""
    return None if days is None else int(days)


_CONSOLES = {
    "aws": "https://{region}.console.aws.amazon.com",
    "aws-cn": "https://{region}.console.amazonaws.cn",
    "aws-us-gov": "https://{region}.console.amazonaws-us-gov.com",
}
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d+")


def console_url(facts: Facts) -> str:
    """Return where the AWS console shows the group; empty where the region is not known, or is none.

    The console has a list by engine, in which serverless caches are, too.
    """
    console = _CONSOLES.get(facts.partition)
    if not console or not _REGION.fullmatch(facts.region):
        return ""
    page = "valkey" if facts.engine == "valkey" else "redis"
    path = page if facts.serverless else f"{page}/{quote(facts.id, safe='')}"
    return f"{console.format(region=facts.region)}/elasticache/home?region={facts.region}#/{path}"


def counts(found: Counts) -> dict[str, Any]:
    """Return the counts as a result and a file have them."""
    return {
        "groups": found.groups,
        "unauthenticated_access": found.unauthenticated_access,
        "by_mode": dict(found.by_mode),
        "by_finding": dict(found.by_finding),
        "by_severity": dict(found.by_severity),
    }


def failed_condition(failed: Failed) -> dict[str, Any]:
    """Return a condition that is met as a result and a file have it."""
    return {
        "condition": failed.condition.text,
        "count": len(failed.groups or failed.missing),
        "groups": [
            {"replication_group_id": group.facts.id, "region": group.facts.region, "account_id": group.facts.account_id}
            for group in failed.groups
        ],
        "msg": f"{failed.condition.text}: {failed.names}",
    }


def document(report: Report) -> dict[str, Any]:
    """Return the report as the JSON file has it."""
    return {
        "schema_version": SCHEMA_VERSION,
        "title": report.title,
        "generated_at": stamp(report.moment),
        "max_token_age_days": report.max_token_age_days,
        "counts": counts(report.counts),
        "incomplete": list(report.incomplete),
        "failed_conditions": [failed_condition(failed) for failed in report.failed],
        "groups": [_group(group) for group in report.audited],
    }


def json_text(report: Report) -> str:
    """Return the JSON file."""
    return json.dumps(document(report), indent=2, ensure_ascii=False) + "\n"


def _group(group: Audited) -> dict[str, Any]:
    facts = group.facts
    return {
        "replication_group_id": facts.id,
        "account_id": facts.account_id or None,
        "region": facts.region or None,
        "arn": facts.arn or None,
        "console_url": console_url(facts) or None,
        "description": facts.description or None,
        "serverless": facts.serverless,
        "status": facts.status or None,
        "pending": facts.pending or None,
        "engine": facts.engine or None,
        "engine_version": facts.engine_version or None,
        "node_count": facts.node_count,
        "cluster_enabled": facts.cluster_enabled,
        "global_role": facts.global_role or None,
        "endpoints": dict(facts.endpoints),
        "tags": dict(facts.tags),
        "transit_encryption_mode": facts.tls or None,
        "mode": facts.mode.value if facts.mode else None,
        "possible_states": list(facts.possible_states),
        "evidence": list(facts.evidence),
        "drift": facts.drift,
        "unauthenticated_access": facts.unauthenticated_access,
        "auth_token_enabled": facts.auth_token_enabled,
        "auth_token_last_modified_date": stamp(facts.token_date) if facts.token_date else None,
        "auth_token_age_days": whole(group.age_days),
        "recorded_at": stamp(facts.recorded_at) if facts.recorded_at else None,
        "user_group_ids": None if facts.user_group_ids is None else list(facts.user_group_ids),
        "no_password_users": None if group.no_password_users is None else list(group.no_password_users),
        "client_connections": facts.half_way.told() if facts.half_way else None,
        "severity": group.severity.value if group.severity else None,
        "findings": [_finding(finding, facts) for finding in group.findings],
    }


def _finding(finding: Finding, facts: Facts) -> dict[str, Any]:
    return {
        "finding": finding.kind.value,
        "severity": finding.severity.value,
        "text": finding.text,
        "next_step": finding.next_step,
        "since": stamp(finding.since) if finding.since else None,
        "days": whole(finding.days),
        "controls": [control.name for control in controls_of(finding.kind, facts)],
    }


COLUMNS = (
    "account_id",
    "region",
    "replication_group_id",
    "severity",
    "findings",
    "mode",
    "possible_states",
    "unauthenticated_access",
    "auth_token_age_days",
    "auth_token_last_modified_date",
    "transit_encryption_mode",
    "engine",
    "engine_version",
    "status",
    "drift",
    "evidence",
    "user_group_ids",
    "no_password_users",
    "node_count",
    "serverless",
    "description",
    "arn",
    "next_step",
    "console_url",
    "controls",
    "connections",
    "predating_connections",
    "client_connections",
)
#: What makes a spreadsheet take a text for a formula (OWASP, "CSV Injection"), full-width forms too.
_FORMULA = re.compile("[\\s\ufeff]*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")


def csv_text(report: Report) -> str:
    """Return the CSV file: a line a group, every cell in quotes, lists joined by ``; ``."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for group in report.audited:
        row = _group(group)
        row["next_step"] = group.findings[0].next_step if group.findings else None
        row["controls"] = list(dict.fromkeys(name for finding in row["findings"] for name in finding["controls"]))
        half_way = group.facts.half_way
        row["connections"] = half_way.connections if half_way else None
        row["predating_connections"] = half_way.predating if half_way else None
        row["client_connections"] = half_way.text if half_way else None
        row["findings"] = [finding["finding"] for finding in row["findings"]]
        writer.writerow([cell(row[name]) for name in COLUMNS])
    return out.getvalue()


def cell(value: object) -> str:
    """Return a cell's text; one that a spreadsheet would take for a formula gets an apostrophe before it."""
    match value:
        case None:
            text = ""
        case bool():
            text = str(value).lower()
        case list():
            text = "; ".join(map(str, value))
        case _:
            text = str(value)
    return f"'{text}" if _FORMULA.match(text) else text


def lines(document_: Mapping[str, Any]) -> str:
    """Return a line a group, as Ansible's diff shows what is new in a file."""
    return "".join(
        f"{' '.join(filter(None, (group['account_id'], group['region'], group['replication_group_id'])))}: "
        f"{', '.join([group['mode'] or 'mode not known', *(found['finding'] for found in group['findings'])])}\n"
        for group in document_["groups"]
    )
