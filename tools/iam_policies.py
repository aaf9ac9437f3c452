# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The IAM policies of the roles, from the calls that tools/iam_policies.yml has of each operation."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

_WIDTH = 200
#: These read all regions.
_EVERYWHERE = ("audit", "inventory")


def _makes(call: Mapping[str, Any], role: str, source: Mapping[str, Any]) -> bool:
    names = {name for entry in call["by"] for name in source["sets"].get(entry, [entry])}
    return role in names


def _arn(kind: str, defaults: Mapping[str, Any], source: Mapping[str, Any], region: str) -> str:
    pattern = source["kinds"][kind]
    if pattern == "*":
        return "*"
    filled = re.sub(r"\{(\w+)\}", lambda found: str(defaults[found[1]]), pattern)
    filled = filled.replace("{replication_group_id}", "*").replace("ACCOUNT", source["account"])
    return f"arn:aws:{filled.replace('REGION', region)}"


def _calls(role: str, source: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield each statement's Sid, and the calls that the role makes of it."""
    for sid, statement in source["statements"].items():
        calls = [action for action, call in statement["calls"].items() if _makes(call, role, source)]
        if calls:
            yield sid, calls


def makes_calls(role: str, source: Mapping[str, Any]) -> bool:
    """Whether any call is the role's; a role without one has no policy."""
    return any(True for dummy in _calls(role, source))


def policy(role: str, defaults: Mapping[str, Any], source: Mapping[str, Any], region: str = "") -> dict[str, Any]:
    """Return the policy of a role. ``defaults``: those of its variables; ``region``: another one than the source's."""
    region = "*" if role in _EVERYWHERE else region or source["region"]
    statements = []
    for sid, calls in _calls(role, source):
        kinds = source["statements"][sid]["resources"]
        resources = [_arn(kind, defaults, source, region) for kind in kinds.get(role, kinds["_"])]
        resource = resources[0] if len(resources) == 1 else resources
        statements.append({"Sid": sid, "Effect": "Allow", "Action": calls, "Resource": resource})
    return {"Version": "2012-10-17", "Statement": statements}


def needed(role: str, source: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the calls that are needed only in certain cases, by these."""
    cases: dict[str, list[str]] = {}
    for sid, calls in _calls(role, source):
        for action in calls:
            case = source["statements"][sid]["calls"][action].get("needed")
            if case:
                cases.setdefault(case, []).append(action.split(":")[1])
    return cases


def _wrapped(text: str, indent: str) -> list[str]:
    lines = textwrap.wrap(
        text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return [line.rstrip() for line in lines]


def file_of(role: str, defaults: Mapping[str, Any], source: Mapping[str, Any]) -> str:
    """Return a role's policy as the file iam-policy.json has it."""
    return json.dumps(policy(role, defaults, source), indent=2) + "\n"


def section(role: str, source: Mapping[str, Any]) -> str:
    """Return what a README says of the policy: where it is, and what can be left out."""
    sids = [sid for sid, _calls_of in _calls(role, source)]
    said = [
        "[iam-policy.json](iam-policy.json) allows what the role calls and nothing else; a test runs it so.",
        "Put your region, account and ids in.",
    ]
    cases = [
        f"{' and '.join(f'`{action}`' for action in actions)} {case}" for case, actions in needed(role, source).items()
    ]
    if cases:
        said.append(f"Needed only in some cases: {'; '.join(cases)}.")
    if "ReadSecrets" in sids:
        said.append("Where you supply the tokens, leave out the statements whose names end with `Secrets`.")
        keys = "`kms:Decrypt` and `kms:GenerateDataKey`" if _stores(role, source) else "`kms:Decrypt`"
        said.append(f"A secret with a KMS key of your own needs {keys} on that key.")
    if any(not sid.startswith("Read") for sid in sids) and role not in _EVERYWHERE:
        said.append("For `--check`, the statements whose names begin with `Read` are enough.")
    if role in source["remarks"]:
        said.append(source["remarks"][role])
    return "\n".join(_wrapped(" ".join(said).replace("ROLE_", f"{role}_"), ""))


def _stores(role: str, source: Mapping[str, Any]) -> bool:
    return any("secretsmanager:PutSecretValue" in calls for _sid, calls in _calls(role, source))
