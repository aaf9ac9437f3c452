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
            refused("AccessDenied", ""),
            f"{ACTION} was refused in r: AccessDenied. Allow it in the policy of the credentials.",
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
            f'{ACTION} failed in r: ReadTimeoutError: Read timeout on endpoint URL: "{URL}".',
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else code_of(value) or type(value).__name__,
)
def test_how_it_is_reported(error: Exception, text: str) -> None:
    """The action, the region, what is wrong, what to look at."""
    assert explain(error, ACTION, "r") == text


USER = "User: arn:aws:sts::123456789012:assumed-role/deploy/me is not authorized to perform:"
GROUP = "arn:aws:elasticache:eu-west-1:123456789012:replicationgroup:shop"
KMS_KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
NOT_VALIDATED = "AWS was not able to validate the provided access credentials"
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


@pytest.mark.parametrize(
    ("code", "message", "meaning"),
    [
        (
            "AccessDenied",
            (
                f"{USER} elasticache:ModifyReplicationGroup on resource: {GROUP} because no identity-based policy "
                "allows the elasticache:ModifyReplicationGroup action"
            ),
            "Allow it in the policy of the credentials.",
        ),
        (
            "AccessDeniedException",
            f"{USER} kms:Decrypt on resource: {KMS_KEY} because no identity-based policy allows the kms:Decrypt action",
            "Both the KMS key's policy and that of the credentials must allow it",
        ),
        ("AccessDeniedException", "Access to KMS is not allowed", "Both the KMS key's policy and that of the"),
        (
            "AccessDeniedException",
            (
                "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or "
                "you are not allowed to access."
            ),
            "Both the KMS key's policy and that of the credentials must allow it",
        ),
        ("SignatureDoesNotMatch", "Credential should be scoped to a valid region.", "AWS may have no region"),
        (
            "DecryptionFailure",
            "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
            "Both the KMS key's policy and that of the credentials must allow it",
        ),
        (
            "AccessDenied",
            (
                f"{USER} elasticache:ModifyReplicationGroup on resource: {GROUP} with an explicit deny in a service "
                "control policy: arn:aws:organizations::123456789012:policy/o-1/service_control_policy/p-1"
            ),
            "what it does not allow, no policy in the account can.",
        ),
        (
            "AccessDeniedException",
            f"{USER} kms:Decrypt on resource: {KMS_KEY} with an explicit deny in a resource control policy",
            "what it does not allow, no policy in the account can.",
        ),
        (
            "AccessDenied",
            (
                f"{USER} elasticache:ModifyReplicationGroup because no permissions boundary allows the "
                "elasticache:ModifyReplicationGroup action"
            ),
            "Allow it in the permissions boundary of the credentials, too.",
        ),
        (
            "AccessDenied",
            (
                f"{USER} elasticache:DescribeReplicationGroups because no session policy allows the "
                "elasticache:DescribeReplicationGroups action"
            ),
            "Allow it in the session policy, which is given when a role is assumed.",
        ),
        (
            "AccessDeniedException",
            (
                f"{USER} secretsmanager:GetSecretValue on resource: t because no VPC endpoint policy allows the "
                "secretsmanager:GetSecretValue action"
            ),
            "Allow it in the policy of the VPC endpoint",
        ),
        (
            "AccessDeniedException",
            f"{USER} secretsmanager:GetSecretValue on resource: t with an explicit deny in a resource-based policy",
            "A policy denies it, so that no other can allow it.",
        ),
        (
            "UnauthorizedOperation",
            (
                f"You are not authorized to perform this operation. {USER} ec2:DescribeRegions because no "
                "identity-based policy allows the ec2:DescribeRegions action. "
                f"Encoded authorization failure message: {'x' * 1500}"
            ),
            "Allow it in the policy of the credentials.",
        ),
        (
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
            "the region ap-east-1 may not be enabled in their account",
        ),
        (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            "the region ap-east-1 may not be enabled in their account",
        ),
        ("AuthFailure", NOT_VALIDATED, "the region ap-east-1 may not be enabled in their account"),
        (
            "OptInRequired",
            "You are not subscribed to this service. Please go to http://aws.amazon.com to subscribe.",
            "The region ap-east-1 may not be enabled in the account",
        ),
        (
            "SubscriptionRequiredException",
            "The AWS Access Key Id needs a subscription for the service",
            "The region ap-east-1 may not be enabled in the account",
        ),
        (
            "RegionDisabledException",
            (
                "STS is not activated in this region for account:123456789012. Your account administrator can activate "
                "STS in this region using the IAM Console."
            ),
            "The region ap-east-1 may not be enabled in the account",
        ),
        ("SignatureDoesNotMatch", MISMATCH, "Check secret_key, and the clock of the host that makes the call."),
        ("InvalidSignatureException", MISMATCH, "Check secret_key, and the clock of the host that makes the call."),
        (
            "SignatureDoesNotMatch",
            "Signature expired: 20261126T100000Z is now earlier than 20261126T101500Z (20261126T102000Z - 5 min.)",
            "Check the clock of the host that makes the call",
        ),
        (
            "InvalidSignatureException",
            (
                "Signature not yet current: 20261126T104000Z is still later than 20261126T102500Z (20261126T102000Z "
                "+ 5 min.)"
            ),
            "Check the clock of the host that makes the call",
        ),
        ("RequestExpired", "Request has expired.", "Check the clock of the host that makes the call"),
        ("ExpiredToken", "The security token included in the request is expired", "Renew the credentials."),
        ("ExpiredTokenException", "The security token included in the request is expired", "Renew the credentials."),
        ("Throttling", "Rate exceeded", ""),
        ("InvalidParameterValue", "The KMS key is in no session policy, with an explicit deny.", ""),
        ("InvalidReplicationGroupState", "Replication group must be in available state to modify.", ""),
    ],
)
def test_awss_own_words_are_reported_with_what_they_may_mean(code: str, message: str, meaning: str) -> None:
    """Messages as AWS has them: they alone name the policy, the key, the clock."""
    told = explain(refused(code, message), ACTION, "ap-east-1")
    verb = "was refused" if meaning else "failed"
    assert told.startswith(f"{ACTION} {verb} in ap-east-1: {code}: {message.rstrip('.')}.")
    rest = told.removeprefix(f"{ACTION} {verb} in ap-east-1: {code}: {message.rstrip('.')}.")
    assert (meaning in rest) if meaning else not rest
    assert ".." not in told


def test_the_connection_to_aws_is_reported() -> None:
    wrong = botocore.exceptions.SSLError(
        endpoint_url=URL, error=OSError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed")
    )
    assert explain(wrong, ACTION, "r") == (
        f"{ACTION} did not reach AWS in r: SSLError: SSL validation failed for {URL} [SSL: CERTIFICATE_VERIFY_FAILED] "
        "self-signed. Check aws_ca_bundle, endpoint_url and the proxy."
    )


def test_awss_words_are_one_line_of_a_limited_length() -> None:
    """Whoever answers may not be AWS, and the text may repeat what others wrote."""
    told = explain(refused("Odd\x1b[31m\nCode", "a\x00b\r\n\u202ec\t" + "d" * 9999), ACTION, "r")
    assert told.startswith(f"{ACTION} failed in r: Odd [31m Code: a b c dddd")
    assert told.isprintable()
    assert len(told) < 2700


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        (
            "SignatureDoesNotMatch",
            (
                f"{MISMATCH}\n\nThe Canonical String for this request should have been\n'POST\n/\n\nhost:h\n"
                "x-amz-security-token:secret-token\n\nhost;x-amz-security-token\nabc'\n\nThe String-to-Sign should ..."
            ),
            f"{MISMATCH} Check secret_key",
        ),
        (
            "ValidationException",
            (
                "1 validation error detected: Value 'secret-token' at 'secretString' failed to satisfy constraint: "
                "Member must have length less than or equal to 65536"
            ),
            "1 validation error detected: Value at 'secretString' failed to satisfy constraint",
        ),
        (
            "ValidationError",
            "2 validation errors: Value 'it's secret-token' at 'authToken' failed; Value 'a--b' at 'id' failed",
            "2 validation errors: Value at 'authToken' failed; Value 'a--b' at 'id' failed.",
        ),
    ],
)
def test_what_aws_repeats_of_a_call_is_not_reported(code: str, message: str, told: str) -> None:
    explained = explain(refused(code, message), ACTION, "r")
    assert "secret-token" not in explained
    assert told in explained


def test_the_parameters_of_a_call_are_not_reported() -> None:
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
