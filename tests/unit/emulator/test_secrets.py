# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Staging labels of secrets, where moto's are not AWS's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

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
