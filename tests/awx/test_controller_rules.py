# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The stand-in for AWX's API refuses what AWX refuses: what the patterns' tests rely on."""

from __future__ import annotations

from typing import Any

import pytest
from awx.controller import Controller, Rejected, check_rrule, check_survey

GOOD = {"question_name": "Days", "variable": "days", "type": "integer", "required": True, "default": 90}


def survey(*questions: dict[str, Any]) -> dict[str, Any]:
    """A survey with these questions."""
    return {"name": "n", "description": "d", "spec": list(questions)}


@pytest.mark.parametrize(
    "question",
    [
        GOOD,
        {**GOOD, "default": ""},
        {**GOOD, "type": "text", "default": "90"},
        {**GOOD, "type": "float", "default": 90},
        {**GOOD, "type": "multiplechoice", "choices": ["true", "false"], "default": "false"},
        {**GOOD, "type": "multiplechoice", "choices": "true\nfalse", "default": "false"},
        {**GOOD, "type": "multiselect", "choices": ["open", "drift", "x"], "default": "open\ndrift"},
    ],
)
def test_a_survey_is_taken(question: dict[str, Any]) -> None:
    check_survey(survey(question))


@pytest.mark.parametrize(
    ("questions", "why"),
    [
        ([], "any items"),
        ([{**GOOD, "required": "yes"}], "required"),
        ([{name: value for name, value in GOOD.items() if name != "variable"}], "variable"),
        ([GOOD, GOOD], "twice"),
        ([{**GOOD, "type": "number"}], "no type"),
        ([{**GOOD, "default": "90"}], "is no integer"),
        ([{**GOOD, "default": True}], "is no integer"),
        ([{**GOOD, "type": "text"}], "is no text"),
        ([{**GOOD, "max": "100"}], "max"),
        ([{**GOOD, "max": 80}], "out of bounds"),
        ([{**GOOD, "type": "text", "default": "abc", "max": 2}], "out of bounds"),
        ([{**GOOD, "type": "multiplechoice", "default": "a"}], "no choices"),
        ([{**GOOD, "type": "multiplechoice", "choices": ["a"], "default": "b"}], "none of the choices"),
        ([{**GOOD, "type": "multiplechoice", "choices": [True, False], "default": ""}], "texts"),
        ([{**GOOD, "type": "multiselect", "choices": ["a"], "default": ["a"]}], "is no multiselect"),
    ],
)
def test_a_survey_is_refused(questions: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(Rejected, match=why):
        check_survey(survey(*questions))


@pytest.mark.parametrize(
    "rule",
    [
        "DTSTART:20260106T060000Z RRULE:FREQ=DAILY;INTERVAL=1",
        "DTSTART;TZID=Europe/Berlin:20260106T060000 RRULE:FREQ=MONTHLY;INTERVAL=3;BYDAY=TU;BYSETPOS=1",
    ],
)
def test_a_recurrence_is_taken(rule: str) -> None:
    check_rrule(rule)


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("RRULE:FREQ=DAILY;INTERVAL=1", "DTSTART"),
        ("DTSTART:20260106T060000 RRULE:FREQ=DAILY;INTERVAL=1", "zone"),
        ("DTSTART:20260106T060000Z", "a rule"),
        ("DTSTART:20260106T060000Z RRULE:FREQ=DAILY", "INTERVAL"),
        ("DTSTART:20260106T060000Z RRULE:FREQ=SECONDLY;INTERVAL=1", "SECONDLY"),
        ("DTSTART:20260106T060000Z RRULE:FREQ=MONTHLY;INTERVAL=1;BYDAY=1TU", "numeric prefix"),
        ("DTSTART:20260106T060000Z RRULE:FREQ=DAILY;INTERVAL=1;COUNT=2;UNTIL=20270101T000000Z", "both"),
        ("DTSTART:20260106T060000Z RRULE:FREQ=NEVER;INTERVAL=1", "parsing failed"),
    ],
)
def test_a_recurrence_is_refused(rule: str, why: str) -> None:
    with pytest.raises(Rejected, match=why):
        check_rrule(rule)


def test_objects() -> None:
    """References have to exist, names are unique, types are AWX's, and secrets are not given back."""
    awx = Controller()
    organization = awx.list("organizations", {"name": "Default"})["results"][0]["id"]
    project = awx.add("projects", {"name": "p", "organization": organization})
    for kind, given, why in (
        ("projects", {"name": "p"}, "already exists"),
        ("projects", {"name": ""}, "required"),
        ("job_templates", {"name": "j", "project": 999}, "does not exist"),
        ("job_templates", {"name": "j", "job_slice_count": "2"}, "is to be a int"),
    ):
        with pytest.raises(Rejected, match=why):
            awx.add(kind, given)
    template = awx.add("job_templates", {"name": "j", "project": project["id"], "colour": "red"})
    assert template["organization"] == organization
    assert awx.ignored["job_templates"] == {"colour"}
    with pytest.raises(KeyError):
        awx.associate("job_templates", template["id"], "success_nodes", {"id": project["id"]})
    with pytest.raises(Rejected, match="no field"):
        awx.list("projects", {"colour": "red"})

    aws = awx.list("credential_types", {"name": "Amazon Web Services"})["results"][0]["id"]
    secret = {"username": "u", "password": "p"}
    credential = awx.add("credentials", {"name": "c", "credential_type": aws, "inputs": secret})
    assert credential["inputs"] == {"username": "u", "password": "$encrypted$"}
    with pytest.raises(Rejected, match="no input region"):
        awx.change("credentials", credential["id"], {"inputs": {"region": "x"}})
