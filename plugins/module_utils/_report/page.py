# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The audit's report as one page of HTML that asks nobody for anything.

Style, script and page are constants of Python modules and not files: a module is sent to where it runs as a package of
Python alone, and files of the collection would not be there.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from typing import Any

from .._core.posture import SEVERITIES, Audited
from .document import Report, console_url, stamp, whole
from .script import SCRIPT
from .style import STYLE

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1 title="{title}">{title}</h1><span class="moment" id="moment"></span>
<button class="plain" type="button" id="theme" aria-label="Switch between light and dark"></button>
<button class="plain" type="button" id="print">Print</button>
</header>
<main id="main">
<div id="notices"></div>
<div class="verdict" id="verdict"><noscript>
<p>{headline}</p>
<p>Charts and table need JavaScript, which is part of this page. The JSON and CSV files have the same facts.</p>
</noscript></div>
</main>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""
_DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


def page(report: Report) -> str:
    """Return the page. Nothing of the facts in it can become markup or script."""
    unauthenticated = report.counts.unauthenticated_access
    return _PAGE.format(
        policy=_policy(),
        title=html.escape(report.title),
        style=STYLE,
        headline=(
            f"{unauthenticated} of {report.counts.groups} groups "
            f"{'allows' if unauthenticated == 1 else 'allow'} unauthenticated access."
        ),
        data=embedded(_data(report)),
        script=SCRIPT,
    )


def _policy() -> str:
    """Return the Content Security Policy: this page's own script and style, and no request at all."""
    return (
        f"default-src 'none'; script-src {_hash(SCRIPT)}; style-src {_hash(STYLE)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def embedded(value: object) -> str:
    """Return JSON that can be in an HTML script element: nothing in it can end that or begin a comment."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def data_of(text: str) -> dict[str, Any] | None:
    """Return the data in a page that an audit has written, ``None`` where it is something else."""
    found = _DATA.search(text)
    try:
        data = json.loads(found.group(1)) if found else None
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def _data(report: Report) -> dict[str, Any]:
    """Return what the script draws from; what is empty is left out, and each next step is there once."""
    steps = {finding.next_step: None for group in report.audited for finding in group.findings}
    numbers = {step: number for number, step in enumerate(steps)}
    return {
        "title": report.title,
        "generated_at": stamp(report.moment),
        "max_token_age_days": report.max_token_age_days,
        "incomplete": list(report.incomplete),
        "failed": [[failed.condition.text, len(failed.groups), failed.names] for failed in report.failed],
        "levels": {kind.value: severity.value for kind, severity in SEVERITIES.items()},
        "next_steps": list(steps),
        "groups": [_group(group, numbers) for group in report.audited],
    }


def _group(group: Audited, steps: Mapping[str, int]) -> dict[str, Any]:
    facts = group.facts
    told: dict[str, Any] = {
        "id": facts.id,
        "account": facts.account_id,
        "region": facts.region,
        "arn": facts.arn,
        "url": console_url(facts),
        "description": facts.description,
        "status": facts.status,
        "pending": facts.pending,
        "engine": facts.engine,
        "version": facts.engine_version,
        "nodes": facts.node_count,
        "role": facts.global_role,
        "serverless": facts.serverless or None,
        "endpoints": dict(facts.endpoints),
        "tags": dict(facts.tags),
        "tls": facts.tls,
        "mode": facts.mode.value if facts.mode else None,
        "states": list(facts.possible_states),
        "evidence": list(facts.evidence),
        "date": stamp(facts.token_date) if facts.token_date else None,
        "age": whole(group.age_days),
        "recorded": stamp(facts.recorded_at) if facts.recorded_at else None,
        "userGroups": list(facts.user_group_ids or ()),
        "predating": facts.half_way.predating if facts.half_way else None,
        "findings": [
            [finding.kind.value, finding.text, steps[finding.next_step], None, whole(finding.days)]
            for finding in group.findings
        ],
    }
    shown = {name: value for name, value in told.items() if value not in (None, "", [], {})}
    # An empty list says that every user needs a password, and none that nobody has looked.
    return shown if group.no_password_users is None else {**shown, "openUsers": list(group.no_password_users)}


def lines(data: Mapping[str, Any]) -> str:
    """Return a line a group, as Ansible's diff shows what is new in a page."""
    return "".join(
        f"{' '.join(filter(None, (group.get('account'), group.get('region'), group['id'])))}: "
        f"{', '.join([group.get('mode', 'mode not known'), *(found[0] for found in group.get('findings', ()))])}\n"
        for group in data["groups"]
    )
