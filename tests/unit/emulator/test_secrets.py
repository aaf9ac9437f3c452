# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Staging labels of secrets, where moto's are not AWS's."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .control_support import refusal

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
MARKED = "You can't perform this operation on the secret because it was marked for deletion."
NOWHERE = "arn:aws:lambda:us-east-1:123456789012:function:nowhere"

pytestmark = pytest.mark.emulator(data_plane="none")


def test_the_current_version_is_where_awscurrent_was_moved(emulator: Any) -> None:
    client = emulator.client("secretsmanager")
    first = client.create_secret(Name="s", SecretString="first")["VersionId"]
    second = client.put_secret_value(SecretId="s", SecretString="second", VersionStages=["AWSPENDING"])["VersionId"]
    assert client.get_secret_value(SecretId="s")["SecretString"] == "first"
    client.update_secret_version_stage(
        SecretId="s", VersionStage="AWSCURRENT", MoveToVersionId=second, RemoveFromVersionId=first
    )
    assert client.get_secret_value(SecretId="s")["SecretString"] == "second"
    assert client.get_secret_value(SecretId="s", VersionStage="AWSPREVIOUS")["SecretString"] == "first"
    third = client.put_secret_value(SecretId="s", SecretString="third")["VersionId"]
    assert client.get_secret_value(SecretId="s")["SecretString"] == "third"
    stages = client.describe_secret(SecretId="s")["VersionIdsToStages"]
    assert (stages[second], stages[third]) == (["AWSPENDING", "AWSPREVIOUS"], ["AWSCURRENT"])


def test_many_at_once(emulator: Any) -> None:
    client = emulator.client("secretsmanager")

    def one(number: int) -> str:
        client.create_secret(Name=f"s/{number}", SecretString=f"text {number}")
        return str(client.get_secret_value(SecretId=f"s/{number}")["SecretString"])

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(one, range(300))) == [f"text {number}" for number in range(300)]


def test_by_name_and_arn(emulator: Any) -> None:
    client = emulator.client("secretsmanager")
    arn = client.create_secret(Name="a/b", SecretString="x")["ARN"]
    for identifier in ("a/b", arn, arn[:-7]):
        assert client.get_secret_value(SecretId=identifier)["ARN"] == arn
    for identifier in ("a/c", "a", arn.replace("a/b", "a/c")):
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            client.get_secret_value(SecretId=identifier)
    client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.get_secret_value(SecretId="a/b")


@pytest.mark.parametrize("stage", ["AWSCURRENT", "AWSPENDING"])
def test_what_a_version_holds_never_changes(emulator: Any, stage: str) -> None:
    client = emulator.client("secretsmanager")
    client.create_secret(Name="s", SecretString="first")
    put = {"SecretId": "s", "VersionStages": [stage], "ClientRequestToken": "6d1f0b52-8e0e-4f0c-9a43-3b6f0c6a7f5d"}
    client.put_secret_value(SecretString="second", **put)
    client.put_secret_value(SecretString="second", **put)
    with pytest.raises(ClientError, match="ResourceExistsException"):
        client.put_secret_value(SecretString="third", **put)
    assert client.get_secret_value(SecretId="s", VersionStage=stage)["SecretString"] == "second"


def test_a_list_that_is_behind(emulator: Any) -> None:
    client = emulator.client("secretsmanager")
    first = client.create_secret(Name="s", SecretString="first")["VersionId"]
    second = client.put_secret_value(SecretId="s", SecretString="second", VersionStages=["AWSPENDING"])["VersionId"]

    def listed() -> dict[str, list[str]]:
        found: dict[str, list[str]] = client.list_secrets()["SecretList"][0]["SecretVersionsToStages"]
        return found

    assert listed() == {first: ["AWSCURRENT"], second: ["AWSPENDING"]}
    emulator.faults({"kind": "stale-list"})
    assert listed() == {first: ["AWSCURRENT"]}


def three_versions(client: Any, label: str) -> tuple[str, str, str]:
    """A secret with a version in AWSCURRENT, one at another label, and one at a label of its own."""
    first = client.create_secret(Name="s", SecretString="first")["VersionId"]
    second = client.put_secret_value(SecretId="s", SecretString="second", VersionStages=[label])["VersionId"]
    third = client.put_secret_value(SecretId="s", SecretString="third", VersionStages=["other"])["VersionId"]
    return first, second, third


def at(client: Any, label: str) -> str:
    return str(client.get_secret_value(SecretId="s", VersionStage=label)["SecretString"])


@pytest.mark.parametrize("label", [CURRENT, PENDING, "team/blue"])
def test_a_label_is_moved_from_the_version_that_has_it_and_from_no_other(emulator: Any, label: str) -> None:
    client = emulator.client("secretsmanager")
    first, second, third = three_versions(client, PENDING if label == CURRENT else label)
    holder = first if label == CURRENT else second
    move = {"SecretId": "s", "VersionStage": label, "MoveToVersionId": third}
    before = client.describe_secret(SecretId="s")["VersionIdsToStages"]
    code, message, dummy = refusal(lambda: client.update_secret_version_stage(**move))
    assert code == "InvalidParameterException"
    assert message == (
        f"The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to version "
        f"{holder}, so you must explicitly reference that version in RemoveFromVersionId."
    )
    for wrong in {first, second, third} - {holder}:
        found = refusal(functools.partial(client.update_secret_version_stage, **move, RemoveFromVersionId=wrong))
        assert found[0] == "InvalidParameterException"
    assert client.describe_secret(SecretId="s")["VersionIdsToStages"] == before
    client.update_secret_version_stage(**move, RemoveFromVersionId=holder)
    assert at(client, label) == "third"
    repeated = refusal(lambda: client.update_secret_version_stage(**move, RemoveFromVersionId=holder))
    assert repeated[0] == "InvalidParameterException"
    client.update_secret_version_stage(**move)  # it is there already
    assert at(client, label) == "third"


def test_of_two_that_move_a_label_at_once_one_is_refused(emulator: Any) -> None:
    client = emulator.client("secretsmanager")
    first, second, third = three_versions(client, PENDING)

    def move(to: str) -> str:
        try:
            client.update_secret_version_stage(
                SecretId="s", VersionStage=CURRENT, MoveToVersionId=to, RemoveFromVersionId=first
            )
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "moved"

    with ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(move, [second, third] * 8))
    assert sorted(set(ended)) == ["InvalidParameterException", "moved"]
    assert ended.count("moved") == 1
    stages = client.describe_secret(SecretId="s")["VersionIdsToStages"]
    assert sorted(label for labels in stages.values() for label in labels).count(CURRENT) == 1


def test_awscurrent_is_moved_and_never_removed(emulator: Any) -> None:
    client = emulator.client("secretsmanager")
    first = client.create_secret(Name="s", SecretString="first")["VersionId"]
    code, message, dummy = refusal(
        lambda: client.update_secret_version_stage(SecretId="s", VersionStage=CURRENT, RemoveFromVersionId=first)
    )
    assert code == "InvalidParameterException"
    assert message.startswith("You can only move staging label AWSCURRENT to a different secret version.")


def test_a_version_without_a_label_is_shown_only_where_it_is_asked_for(emulator: Any) -> None:
    client = emulator.client("secretsmanager")
    first, second, third = three_versions(client, PENDING)
    client.update_secret_version_stage(SecretId="s", VersionStage=PENDING, RemoveFromVersionId=second)
    labelled = {first: [CURRENT], third: ["other"]}
    described = client.describe_secret(SecretId="s")
    assert described["VersionIdsToStages"] == labelled
    assert client.list_secrets()["SecretList"][0]["SecretVersionsToStages"] == labelled
    listed = client.list_secret_version_ids(SecretId="s")
    assert listed["ARN"] == described["ARN"]
    assert {version["VersionId"]: version["VersionStages"] for version in listed["Versions"]} == labelled
    every = {"SecretId": "s", "IncludeDeprecated": True, "MaxResults": 2}
    page = client.list_secret_version_ids(**every)
    found = page["Versions"] + client.list_secret_version_ids(**every, NextToken=page["NextToken"])["Versions"]
    assert [version["VersionId"] for version in found] == [first, second, third]
    assert "VersionStages" not in found[1]
    assert client.get_secret_value(SecretId="s", VersionId=second)["SecretString"] == "second"


@pytest.mark.parametrize("action", ["describe_secret", "list_secret_version_ids", "get_secret_value", "rotate_secret"])
def test_an_unknown_secret(emulator: Any, action: str) -> None:
    call = getattr(emulator.client("secretsmanager"), action)
    found = refusal(lambda: call(SecretId="nowhere"))
    assert found[:2] == ("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")


def test_a_missing_label_is_distinguished_from_a_missing_secret(emulator: Any) -> None:
    client = emulator.client("secretsmanager")
    client.create_secret(Name="empty")
    client.create_secret(Name="s", SecretString="first")
    for name, label in (("s", PENDING), ("empty", CURRENT)):
        found = refusal(functools.partial(client.get_secret_value, SecretId=name, VersionStage=label))
        message = f"Secrets Manager can't find the specified secret value for staging label: {label}"
        assert found[:2] == ("ResourceNotFoundException", message)
    answer = client.batch_get_secret_value(SecretIdList=["s", "empty", "nowhere"])
    assert [value["SecretString"] for value in answer["SecretValues"]] == ["first"]
    errors = [(error["SecretId"], error["ErrorCode"]) for error in answer["Errors"]]
    assert errors == [("empty", "ResourceNotFoundException"), ("nowhere", "ResourceNotFoundException")]


def test_a_secret_that_is_scheduled_for_deletion(emulator: Any) -> None:
    client = emulator.client("secretsmanager")
    first = client.create_secret(Name="s", SecretString="first")["VersionId"]
    client.delete_secret(SecretId="s", RecoveryWindowInDays=7)
    unlabel = {"VersionStage": PENDING, "RemoveFromVersionId": first}
    for action, members in (
        ("get_secret_value", {}),
        ("put_secret_value", {"SecretString": "second"}),
        ("update_secret", {"SecretString": "second"}),
        ("update_secret_version_stage", unlabel),
        ("rotate_secret", {"RotationLambdaARN": NOWHERE}),
    ):
        call = getattr(client, action)
        found = refusal(functools.partial(call, SecretId="s", **members))
        assert found[:2] == ("InvalidRequestException", MARKED), action
    found = refusal(lambda: client.create_secret(Name="s", SecretString="second"))
    assert found[0] == "InvalidRequestException"
    assert "already scheduled for deletion" in found[1]
    client.restore_secret(SecretId="s")
    assert client.describe_secret(SecretId="s")["VersionIdsToStages"] == {first: [CURRENT]}
    assert at(client, CURRENT) == "first"


@pytest.mark.parametrize(
    ("members", "code", "message"),
    [
        ({}, "InvalidRequestException", "No Lambda rotation function ARN is associated with this secret."),
        (
            {"RotationLambdaARN": NOWHERE, "RotationRules": {"AutomaticallyAfterDays": 30}},
            "ResourceNotFoundException",
            "Lambda does not exist or could not be accessed",
        ),
    ],
    ids=["without-lambda", "unknown-lambda"],
)
def test_a_rotation_that_is_refused_changes_nothing(
    emulator: Any, members: dict[str, Any], code: str, message: str
) -> None:
    client = emulator.client("secretsmanager")
    first = client.create_secret(Name="s", SecretString="first")["VersionId"]
    before = client.describe_secret(SecretId="s")
    found = refusal(lambda: client.rotate_secret(SecretId="s", **members))
    assert found[:2] == (code, message)
    after = client.describe_secret(SecretId="s")
    assert {**after, "ResponseMetadata": None} == {**before, "ResponseMetadata": None}
    assert after["VersionIdsToStages"] == {first: [CURRENT]}
    assert at(client, CURRENT) == "first"


def test_a_rotation_by_a_function_begins_with_an_empty_version_in_awspending(emulator: Any) -> None:
    client = emulator.client("secretsmanager")
    function = emulator.lambda_function()
    client.create_secret(Name="s", SecretString="first")
    rules = {"AutomaticallyAfterDays": 30}
    client.rotate_secret(SecretId="s", RotationLambdaARN=function, RotationRules=rules, RotateImmediately=False)
    described = client.describe_secret(SecretId="s")
    assert (described["RotationEnabled"], described["RotationLambdaARN"]) == (True, function)
    assert [*described["VersionIdsToStages"].values()] == [[CURRENT]]
    begun = client.rotate_secret(SecretId="s")["VersionId"]  # by the function that it has
    assert client.describe_secret(SecretId="s")["VersionIdsToStages"][begun] == [PENDING]
    assert at(client, CURRENT) == client.get_secret_value(SecretId="s")["SecretString"] == "first"
    assert refusal(lambda: at(client, PENDING))[0] == "ResourceNotFoundException"
    found = refusal(lambda: client.rotate_secret(SecretId="s"))
    assert found[:2] == (
        "InvalidRequestException",
        "A previous rotation isn't complete. That rotation will be reattempted.",
    )
    client.put_secret_value(SecretId="s", SecretString="second", ClientRequestToken=begun, VersionStages=[PENDING])
    assert at(client, PENDING) == "second"
