# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The inventory's hosts: their names, and texts that must not be run as templates."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.elasticache.auth.plugins.inventory.replication_groups import default_name, host_variables
from ansible_collections.elasticache.auth.plugins.module_utils._aws.accounts import account_of_role

HERE = {"replication_group_id": "sessions", "region": "eu-west-1", "account_id": "123456789012", "serverless": False}


def test_a_name_is_one_caches_alone() -> None:
    """By id, region, account and kind: whichever differs, the names do."""
    others = [
        {**HERE, "replication_group_id": "carts"},
        {**HERE, "region": "eu-west-2"},
        {**HERE, "account_id": "210987654321"},
        {**HERE, "serverless": True},
    ]
    names = [default_name(one) for one in (HERE, *others)]
    assert names[0] == "sessions.eu-west-1.123456789012"
    assert names[-1] == "sessions.serverless.eu-west-1.123456789012"
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "text",
    [
        "{{ 7 * 7 }}",
        "{% if true %}a{% endif %}",
        "{# gone #}",
        "#jinja2:variable_start_string:'[[',variable_end_string:']]'\n[[ 7 * 7 ]]",
        "plain",
        "a } b",
        "",
    ],
)
def test_no_text_of_aws_is_run(text: str) -> None:
    """Templating leaves each text as it is, also within lists and dictionaries, and as a key."""
    facts = {**HERE, "description": text, "tags": {"a": text, text: "b"}, "evidence": [text, {"c": (text,)}]}
    variables = host_variables(facts)
    templar = Templar(loader=DataLoader(), variables={**variables, "ansible_playbook_python": "python"})
    found = templar.template(variables)
    assert found["elasticache_description"] == text
    assert found["elasticache_tags"] == {"a": text, text: "b"}
    assert list(found["elasticache_evidence"][1]["c"]) == [text]
    assert found["ansible_python_interpreter"] == "python"


def test_what_is_no_text_stays_as_it_is() -> None:
    facts = {**HERE, "a": None, "b": 1.5, "c": [True]}
    variables = host_variables(facts)
    assert [variables[f"elasticache_{name}"] for name in "abc"] == [None, 1.5, [True]]


@pytest.mark.parametrize(
    ("arn", "account"),
    [
        ("arn:aws:iam::210987654321:role/fleet", "210987654321"),
        ("arn:aws-us-gov:iam::210987654321:role/path/to/fleet-role", "210987654321"),
        ("arn:aws:iam::2109876543:role/fleet", None),
        ("arn:aws:iam::210987654321:user/fleet", None),
        ("arn:aws:iam::210987654321:role/", None),
        ("fleet", None),
    ],
)
def test_the_account_of_a_role(arn: str, account: str | None) -> None:
    assert account_of_role(arn) == account
