# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What audit_report writes for Security Hub (ASFF) and as SARIF: what their formats ask for, and the controls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.session
import botocore.validate
import pytest
from browser.fleets import HOSTILE, NOW, ago, group, hostile, many, three, users

from ansible_collections.elasticache.auth.plugins.module_utils._core import posture
from ansible_collections.elasticache.auth.plugins.module_utils._report import asff, sarif
from ansible_collections.elasticache.auth.plugins.module_utils._report.controls import TITLES, controls_of
from ansible_collections.elasticache.auth.plugins.module_utils._report.document import Report
from ansible_collections.elasticache.auth.plugins.modules import audit_report

ACCESS = "CIS AWS Database Services Benchmark v1.0.0 5.8"
ENCRYPTION = "CIS AWS Database Services Benchmark v1.0.0 5.3"


def report(groups: list[dict[str, Any]], **more: Any) -> Report:
    audited = posture.audit(posture.read_all(groups), NOW, 90, posture.read_users(users()))
    return Report(
        **{"title": "", "moment": NOW, "max_token_age_days": 90, "incomplete": (), **more},
        audited=audited,
        counts=posture.count(audited),
    )


def texts_in(value: Any) -> list[str]:
    """Every text in some JSON, names of members too."""
    match value:
        case str():
            return [value]
        case dict():
            return [*value, *(text for found in value.values() for text in texts_in(found))]
        case list():
            return [text for found in value for text in texts_in(found)]
    return []


# --- ASFF -----------------------------------------------------------------------------------------------------------


def asff_errors(findings: list[dict[str, Any]]) -> str:
    """What botocore says against a call of BatchImportFindings, for each hundred of them."""
    model = botocore.session.get_session().get_service_model("securityhub")
    shape = model.operation_model("BatchImportFindings").input_shape
    assert shape is not None
    validator = botocore.validate.ParamValidator()
    reports = (
        validator.validate({"Findings": findings[start : start + 100]}, shape) for start in range(0, len(findings), 100)
    )
    return "\n".join(found.generate_report() for found in reports if found.has_errors())


def test_security_hub_takes_the_findings_of_a_fleet() -> None:
    findings = asff.findings(report(many()))
    assert len(findings) > 300
    assert asff_errors(findings) == ""
    assert len({finding["Id"] for finding in findings}) == len(findings)
    for finding in findings:
        # What BatchImportFindings asks for beside the shape: a type, a severity, and texts that are short enough.
        assert finding["Types"]
        assert finding["Severity"]["Label"] in ("CRITICAL", "MEDIUM", "INFORMATIONAL")
        assert len(finding["Title"]) <= 256
        assert len(finding["Description"]) <= 1024
        assert len(finding["Remediation"]["Recommendation"]["Text"]) <= 512
        assert finding["ProductArn"].split(":")[3:5] == finding["Resources"][0]["Id"].split(":")[3:5]


def test_botocore_would_say_what_is_missing() -> None:
    (finding, *dummy) = asff.findings(report(three()))
    del finding["Resources"]
    assert 'Missing required parameter in Findings[0]: "Resources"' in asff_errors([finding])


def test_a_finding_of_security_hub() -> None:
    (finding,) = asff.findings(report([group("carts", "optional", age=41.7)]))
    step = "elasticache.auth.enable_auth finishes it: once every client has the token, it alone is accepted."
    assert finding == {
        "SchemaVersion": "2018-10-08",
        "Id": "arn:aws:elasticache:eu-central-1:123456789012:replicationgroup:carts/elasticache.auth/optional",
        "ProductArn": "arn:aws:securityhub:eu-central-1:123456789012:product/123456789012/default",
        "GeneratorId": "elasticache.auth/audit/optional",
        "AwsAccountId": "123456789012",
        "Types": ["Software and Configuration Checks/AWS Security Best Practices"],
        "FirstObservedAt": "2026-10-11T22:16:05Z",
        "CreatedAt": "2026-10-11T22:16:05Z",
        "UpdatedAt": "2026-11-22T15:04:05Z",
        "Severity": {"Label": "CRITICAL"},
        "Title": "Unauthenticated access is allowed: the token is optional (carts)",
        "Description": "Unauthenticated access is allowed, for 41 days: it has a token and does not ask for it.",
        "Remediation": {"Recommendation": {"Text": step}},
        "Resources": [
            {
                "Type": "Other",
                "Id": "arn:aws:elasticache:eu-central-1:123456789012:replicationgroup:carts",
                "Partition": "aws",
                "Region": "eu-central-1",
                "Details": {
                    "Other": {
                        "mode": "optional",
                        "engine": "valkey",
                        "engine_version": "8.1.0",
                        "transit_encryption_mode": "required",
                        "status": "available",
                    }
                },
            }
        ],
        "Compliance": {
            "Status": "FAILED",
            "RelatedRequirements": ["AWS Config elasticache-rbac-auth-enabled", ACCESS],
        },
        "RecordState": "ACTIVE",
    }


@pytest.mark.parametrize(
    "more",
    [{"region": None, "arn": ""}, {"account_id": None, "arn": ""}, {"region": HOSTILE[0]}, {"account_id": "1/../2"}],
)
def test_without_account_or_region_security_hub_has_none(more: dict[str, Any]) -> None:
    assert asff.findings(report([group("carts", "open", **more)])) == []


def test_long_texts_are_cut() -> None:
    long = group("carts", "open", age=1, status="x" * 5000, engine_version="9" * 5000)
    findings = asff.findings(report([long]))
    assert len(findings) == 2
    assert asff_errors(findings) == ""
    assert max(len(text) for text in texts_in(findings)) == 1024


# --- SARIF ----------------------------------------------------------------------------------------------------------

#: The members that the schema of SARIF 2.1.0 requires of what is written here, and the words that it knows.
_REQUIRED = {
    "driver": ("name",),
    "rules": ("id",),
    "taxa": ("id",),
    "supportedTaxonomies": (),
    "taxonomies": ("name",),
    "invocations": ("executionSuccessful",),
    "toolExecutionNotifications": ("message",),
    "automationDetails": (),
    "results": ("message",),
    "message": ("text",),
    "shortDescription": ("text",),
    "artifactLocation": ("uri",),
    "region": ("startLine",),
}
_KNOWN = {
    "runs": "tool taxonomies invocations automationDetails columnKind results",
    "driver": "name informationUri rules supportedTaxonomies",
    "rules": "id name shortDescription defaultConfiguration properties",
    "supportedTaxonomies": "name index",
    "taxonomies": "name organization isComprehensive taxa",
    "invocations": "executionSuccessful endTimeUtc toolExecutionNotifications",
    "results": "ruleId ruleIndex level message locations partialFingerprints properties taxa",
    "locations": "physicalLocation logicalLocations",
    "physicalLocation": "artifactLocation region",
    "logicalLocations": "name fullyQualifiedName kind",
    "toolComponent": "name index",
}


def sarif_errors(name: str, value: Any) -> list[str]:
    """What is missing or unknown in some SARIF, by the names of members."""
    if isinstance(value, list):
        return [error for found in value for error in sarif_errors(name, found)]
    if not isinstance(value, dict) or name in ("properties", "partialFingerprints"):
        return []
    missing = [f"{name}: no {needed}" for needed in _REQUIRED.get(name, ()) if needed not in value]
    known = set(_KNOWN[name].split()) if name in _KNOWN else set(value)
    unknown = [f"{name}: {found}" for found in value if found not in known]
    return [*missing, *unknown, *(error for member, found in value.items() for error in sarif_errors(member, found))]


@pytest.mark.parametrize("groups", [[], three(), many(), hostile()])
def test_sarif_has_what_its_schema_requires(groups: list[dict[str, Any]]) -> None:
    log = json.loads(sarif.sarif_text(report(groups, incomplete=("eu-west-1: AccessDenied.",))))
    assert log["version"] == "2.1.0"
    assert set(log) == {"$schema", "version", "runs"}
    (run,) = log["runs"]
    assert sarif_errors("runs", run) == []
    rules, taxonomies = run["tool"]["driver"]["rules"], run["taxonomies"]
    assert [rule["id"] for rule in rules] == [kind.value for kind in posture.Kind]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        for taxon in result.get("taxa", ()):
            component = taxonomies[taxon["toolComponent"]["index"]]
            assert component["name"] == taxon["toolComponent"]["name"]
            assert component["taxa"][taxon["index"]]["id"] == taxon["id"]
    prints = [result["partialFingerprints"]["elasticacheGroupAndFinding/v1"] for result in run["results"]]
    assert len(set(prints)) == len(prints)
    assert run["invocations"][0]["executionSuccessful"] is False
    assert run["invocations"][0]["endTimeUtc"] == "2026-11-22T15:04:05Z"


def test_a_result_of_sarif() -> None:
    (result,) = sarif.log(report([group("carts", "optional", age=41.7)]))["runs"][0]["results"]
    assert result["ruleId"] == "optional"
    assert result["level"] == "error"
    assert result["message"]["text"].startswith("carts: Unauthenticated access is allowed, for 41 days")
    location = result["locations"][0]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "elasticache/123456789012/eu-central-1/carts"
    assert location["logicalLocations"][0]["fullyQualifiedName"].endswith(":replicationgroup:carts")
    assert result["properties"]["controls"] == ["AWS Config elasticache-rbac-auth-enabled", ACCESS]


@pytest.mark.parametrize("text", ["[here](https://evil.example)", "{0}", "\\[a](b)", *HOSTILE])
def test_viewers_of_sarif_show_text_as_text(text: str) -> None:
    """No link, no placeholder, and a path that stays in its folder."""
    groups = [group("carts", None, age=1, possible_states=[text], status=text, region=text, account_id="..")]
    log = sarif.log(report(groups, incomplete=(text,)))["runs"][0]
    messages = [result["message"]["text"] for result in log["results"]]
    messages.append(log["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"])
    assert any(sarif.literal(text) in message for message in messages)
    for message in messages:
        rest = message.replace("\\\\", "").replace("\\[", "").replace("\\]", "").replace("{{", "").replace("}}", "")
        assert not set("[]{}\\") & set(rest)
    for result in log["results"]:
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert uri.startswith("elasticache/%2E%2E/")
        assert uri.count("/") == 3


# --- Controls -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "finding", "names"),
    [
        (
            group("a", "open", engine="redis", engine_version="5.0.6"),
            "open",
            ["AWS Security Hub ElastiCache.6", "AWS Config elasticache-repl-grp-redis-auth-enabled", ACCESS],
        ),
        (
            group("a", "open", engine="redis", engine_version="6.x"),
            "open",
            ["AWS Config elasticache-rbac-auth-enabled", ACCESS],
        ),
        (group("a", "open", engine_version=""), "open", [ACCESS]),
        (group("a", None), "unknown", ["AWS Config elasticache-rbac-auth-enabled", ACCESS]),
        (
            group("a", transit_encryption_mode="preferred"),
            "tls_preferred",
            ["AWS Security Hub ElastiCache.5", "AWS Config elasticache-repl-grp-encrypted-in-transit", ENCRYPTION],
        ),
        (group("a", "open", serverless=True), "open", [ACCESS]),
        (group("a", age=91), "token_age", []),
        (group("a", "rotating", age=1), "rotating", []),
    ],
)
def test_a_finding_names_its_controls(facts: dict[str, Any], finding: str, names: list[str]) -> None:
    (group_,) = report([facts]).audited
    assert group_.has(posture.Kind(finding))
    assert [control.name for control in controls_of(posture.Kind(finding), group_.facts)] == names


def test_every_finding_has_a_title() -> None:
    assert set(TITLES) == set(posture.Kind)


# --- The files ------------------------------------------------------------------------------------------------------


def test_the_diff_is_a_line_a_finding_and_nothing_of_other_files() -> None:
    told = report([group("carts", "optional", age=1)])
    arn = "arn:aws:elasticache:eu-central-1:123456789012:replicationgroup:carts"
    assert audit_report.asff_lines(asff.asff_text(told)) == (
        f"{arn}: Unauthenticated access is allowed: the token is optional (carts)\n"
    )
    assert audit_report.sarif_lines(sarif.sarif_text(told)) == f"{arn}: optional\n"
    for other in ("", "{}", "[1]", '{"runs": []}', "[[]]", "null", "<html>"):
        assert audit_report.asff_lines(other) == audit_report.sarif_lines(other) == ""


def test_the_record_and_tags_are_in_neither(tmp_path: Path) -> None:
    """A tag may have anything; the formats that leave the house have none."""
    told = report(
        [group("carts", "optional", age=1, tags={"password": "hunter2-hunter2-hunter2"})], title=str(tmp_path)
    )
    assert "hunter2" not in asff.asff_text(told) + sarif.sarif_text(told)


def test_the_same_but_for_two_moments() -> None:
    groups = [group("carts", "open"), group("stock", None, age=2)]
    old, new = report(groups), report(groups, moment=NOW.replace(second=59))
    for write in (asff.asff_text, sarif.sarif_text):
        assert write(old) != write(new)
        assert audit_report.same_but_for_the_moment(write(old), write(new), "2026-11-22T15:04:59Z")
        assert not audit_report.same_but_for_the_moment(write(old), write(report(three())), "2026-11-22T15:04:05Z")
    assert ago(0).startswith("2026-11-22T15:04:05")
