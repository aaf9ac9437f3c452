# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What AWS's errors mean, and how they are told."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import botocore.exceptions
import pytest
from botocore.exceptions import ClientError

from ansible_collections.elasticache.auth.plugins.module_utils._aws.errors import (
    Kind,
    classify,
    code_of,
    explain,
    is_connection_error,
    riding_out_throttling,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError

ACTION = "elasticache:ModifyReplicationGroup"
URL = "https://elasticache.eu-west-1.amazonaws.com/"


def refused(code: str, message: str = "m", status: int = 400) -> ClientError:
    """What botocore raises for an answer of AWS."""
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "ModifyReplicationGroup",
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refused("Throttling"), Kind.THROTTLED),
        (refused("ThrottlingException"), Kind.THROTTLED),
        (refused("APICallRateForCustomerExceeded"), Kind.THROTTLED),
        (refused("RequestLimitExceeded", status=503), Kind.THROTTLED),
        (refused("InvalidReplicationGroupState"), Kind.BUSY),
        (refused("InvalidUserState"), Kind.BUSY),
        (refused("InvalidUserGroupState"), Kind.BUSY),
        (refused("ReplicationGroupNotFoundFault", status=404), Kind.NOT_FOUND),
        (refused("CacheClusterNotFound", status=404), Kind.NOT_FOUND),
        (refused("UserGroupNotFound", status=404), Kind.NOT_FOUND),
        (refused("InvalidParameterValue"), Kind.REFUSED),
        (refused("InvalidParameterCombination"), Kind.REFUSED),
        (refused("AccessDenied", status=403), Kind.REFUSED),
        (refused("InternalFailure", status=500), Kind.AMBIGUOUS),
        (refused("ServiceUnavailable", status=503), Kind.AMBIGUOUS),
        (botocore.exceptions.ConnectionClosedError(endpoint_url=URL), Kind.AMBIGUOUS),
        (botocore.exceptions.ReadTimeoutError(endpoint_url=URL), Kind.AMBIGUOUS),
        (botocore.exceptions.EndpointConnectionError(endpoint_url=URL, error="x"), Kind.REFUSED),
        (botocore.exceptions.ConnectTimeoutError(endpoint_url=URL), Kind.REFUSED),
        (botocore.exceptions.NoCredentialsError(), Kind.REFUSED),
        (botocore.exceptions.ParamValidationError(report="x"), Kind.REFUSED),
        (botocore.exceptions.SSLError(endpoint_url=URL, error=OSError()), Kind.REFUSED),
        (ValueError("anything else may have happened after the call"), Kind.AMBIGUOUS),
    ],
    ids=lambda value: value.name if isinstance(value, Kind) else code_of(value) or type(value).__name__,
)
def test_what_to_do(error: Exception, kind: Kind) -> None:
    """Only an error that came before the call left is sure to have changed nothing."""
    assert classify(error) is kind


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (AuthError("as it is"), "as it is"),
        (
            botocore.exceptions.NoCredentialsError(),
            (
                f"{ACTION} was not called: no AWS credentials were found. Set profile, access_key and secret_key, "
                "AWS_PROFILE, or run where an IAM role is attached."
            ),
        ),
        (
            botocore.exceptions.EndpointConnectionError(endpoint_url=URL),
            (
                f'{ACTION} did not reach AWS in r: Could not connect to the endpoint URL: "{URL}". '
                "Check region, endpoint_url and the network."
            ),
        ),
        (
            botocore.exceptions.ConnectTimeoutError(endpoint_url=URL),
            (
                f'{ACTION} did not reach AWS in r: Connect timeout on endpoint URL: "{URL}". '
                "Check region, endpoint_url and the network."
            ),
        ),
        (
            refused("ExpiredToken"),
            f"{ACTION} was refused in r: AWS does not accept the credentials (ExpiredToken). Renew or replace them.",
        ),
        (
            refused("AccessDenied"),
            f"{ACTION} was refused in r: the credentials may not call it (AccessDenied). Allow it in their policy.",
        ),
        (
            refused("InvalidParameterValue", "Invalid AuthToken provided."),
            f"{ACTION} failed in r: InvalidParameterValue: Invalid AuthToken provided.",
        ),
        (
            botocore.exceptions.ConnectionClosedError(endpoint_url=URL),
            (
                f"{ACTION} failed in r: ConnectionClosedError: Connection was closed before we received a valid "
                f'response from endpoint URL: "{URL}".'
            ),
        ),
        (
            botocore.exceptions.ReadTimeoutError(endpoint_url=URL),
            f'{ACTION} failed in r: ReadTimeoutError: Read timeout on endpoint URL: "{URL}"',
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else code_of(value) or type(value).__name__,
)
def test_how_it_is_told(error: Exception, text: str) -> None:
    """The action, the region, what is wrong, what to look at."""
    assert explain(error, ACTION, "r") == text


def test_the_parameters_of_a_call_are_not_told() -> None:
    """botocore quotes them where it does not accept them; a token may be among them."""
    error = botocore.exceptions.ParamValidationError(report="Invalid type for parameter AuthToken, value: secret-token")
    assert "secret-token" not in explain(error, ACTION, "r")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (botocore.exceptions.EndpointConnectionError(endpoint_url=URL), True),
        (botocore.exceptions.ConnectTimeoutError(endpoint_url=URL), True),
        (botocore.exceptions.ConnectionClosedError(endpoint_url=URL), True),
        (botocore.exceptions.ReadTimeoutError(endpoint_url=URL), True),
        (refused("Throttling"), False),
        (ValueError(), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_way_to_aws(error: Exception, expected: bool) -> None:
    """Errors of the way there, in contrast to answers."""
    assert is_connection_error(error) is expected


def failing(*failures: Exception) -> Callable[[], str]:
    """A call that raises these, one a time, and then succeeds."""
    left = list(failures)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return call


def test_throttling_is_ridden_out() -> None:
    """The call is repeated until it is taken."""
    assert riding_out_throttling(failing(refused("Throttling"), refused("RequestLimitExceeded"))) == "done"


def test_patience_has_an_end() -> None:
    """Then the error is the last one that AWS gave."""
    with pytest.raises(ClientError, match="Rate exceeded"):
        riding_out_throttling(failing(*[refused("Throttling", "Rate exceeded")] * 99), patience=0.5)


@pytest.mark.parametrize("error", [refused("InvalidParameterValue"), refused("InternalFailure", status=500)])
def test_nothing_else_is_repeated(error: Exception) -> None:
    """A call that may have been carried out is not made again."""
    call = failing(error, error)
    with pytest.raises(ClientError):
        riding_out_throttling(call)
    with pytest.raises(ClientError):
        call()
    assert call() == "done"


def test_pauses_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is longer than the last on average, up to ten seconds."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    assert riding_out_throttling(failing(*[refused("Throttling")] * 8), patience=1e9) == "done"
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
