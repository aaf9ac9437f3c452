# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What AWS's errors mean to this collection, and how they are told to a user.

Codes: elasticache-facts §3. No message holds a parameter of the call that failed.
"""

from __future__ import annotations

import contextlib
import enum
import random
import time
from collections.abc import Callable
from typing import TypeVar

with contextlib.suppress(ImportError):  # AnsibleAWSModule tells the user.
    import botocore.exceptions

from .._core.errors import AuthError

T = TypeVar("T")

_THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "APICallRateForCustomerExceeded",
    }
)
_BUSY = frozenset(
    {
        "InvalidReplicationGroupState",
        "InvalidReplicationGroupStateFault",
        "InvalidUserGroupState",
        "InvalidUserState",
    }
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_BAD_CREDENTIALS = frozenset(
    {
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "ExpiredTokenException",
        "AuthFailure",
    }
)

#: Seconds for which throttling is ridden out beyond botocore's own retries.
THROTTLING_PATIENCE = 120.0


class Kind(enum.Enum):
    """What to do about an error of a call."""

    THROTTLED = enum.auto()  #: refused unseen: the same call again, later
    BUSY = enum.auto()  #: a change is under way: look whether it is ours
    NOT_FOUND = enum.auto()
    AMBIGUOUS = enum.auto()  #: it may have been carried out: look before repeating
    REFUSED = enum.auto()  #: not carried out, and it won't be


def code_of(error: BaseException) -> str:
    """Return AWS's error code, or an empty string for an error that did not come from AWS."""
    # botocore's errors of broken connections have a response too: None.
    return (getattr(error, "response", None) or {}).get("Error", {}).get("Code", "")


def classify(error: BaseException) -> Kind:
    """Return what to do about ``error``."""
    code = code_of(error)
    if not code:
        unsent = (
            botocore.exceptions.EndpointConnectionError,
            botocore.exceptions.ConnectTimeoutError,
            botocore.exceptions.NoCredentialsError,
            botocore.exceptions.PartialCredentialsError,
            botocore.exceptions.ParamValidationError,
            botocore.exceptions.ProxyConnectionError,
            botocore.exceptions.SSLError,
        )
        return Kind.REFUSED if isinstance(error, unsent) else Kind.AMBIGUOUS
    if code in _THROTTLED:
        return Kind.THROTTLED
    if code in _BUSY:
        return Kind.BUSY
    if "NotFound" in code:
        return Kind.NOT_FOUND
    status = getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return Kind.AMBIGUOUS if status >= 500 else Kind.REFUSED


def is_connection_error(error: BaseException) -> bool:
    """Whether ``error`` is about the way to AWS: no connection, or one that broke."""
    return is_unreached(error) or isinstance(error, botocore.exceptions.HTTPClientError)


def is_unreached(error: BaseException) -> bool:
    """Whether there was no connection to AWS, so that nothing was sent."""
    return isinstance(
        error,
        (
            botocore.exceptions.EndpointConnectionError,
            botocore.exceptions.ConnectTimeoutError,
            botocore.exceptions.ProxyConnectionError,
        ),
    )


def explain(error: BaseException, action: str, region: str) -> str:
    """Return one sentence about a failed call: what failed, why, and what to look at.

    ``action`` is the API action, for example ``elasticache:DescribeReplicationGroups``.
    """
    if isinstance(error, AuthError):
        return str(error)
    code = code_of(error)
    if isinstance(error, (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError)):
        return (
            f"{action} was not called: no AWS credentials were found. Set profile, access_key and secret_key, "
            "AWS_PROFILE, or run where an IAM role is attached."
        )
    if is_unreached(error):
        return f"{action} did not reach AWS in {region}: {error}. Check region, endpoint_url and the network."
    if code in _BAD_CREDENTIALS:
        return f"{action} was refused in {region}: AWS does not accept the credentials ({code}). Renew or replace them."
    if code in _DENIED:
        return f"{action} was refused in {region}: the credentials may not call it ({code}). Allow it in their policy."
    if code:
        return f"{action} failed in {region}: {code}: {error.response['Error'].get('Message', '')}"  # type: ignore[attr-defined]
    if isinstance(error, botocore.exceptions.ParamValidationError):
        # Its text quotes the parameters.
        return f"{action} was not called: botocore does not accept the parameters of the call."
    return f"{action} failed in {region}: {type(error).__name__}: {error}"


def riding_out_throttling(call: Callable[[], T], *, patience: float = THROTTLING_PATIENCE) -> T:
    """Return ``call()``, repeated with growing, jittered pauses while AWS throttles it, for ``patience`` seconds."""
    deadline = time.monotonic() + patience
    pause = 0.25
    while True:
        try:
            return call()
        except Exception as error:
            if classify(error) is not Kind.THROTTLED or time.monotonic() + pause > deadline:
                raise
        time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - jitter, not a secret
        pause = min(pause * 2, 10.0)
