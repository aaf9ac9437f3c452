# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What AWS's errors mean to this collection, and how they are told to a user.

Codes: elasticache-facts §3. AWS's own words are always told: only they name the policy, the key or the
clock. What is added to them is what they may mean. No message holds a parameter of the call that may be a secret.
"""

from __future__ import annotations

import contextlib
import enum
import random
import re
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TypeVar

with contextlib.suppress(ImportError):  # AnsibleAWSModule tells the user.
    import botocore.exceptions

from .._core.errors import AuthError
from .._core.one_line import one_line
from .._stop import Stopped

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
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "KMSAccessDeniedException"})
_SIGNED_WRONG = frozenset(
    {"SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "IncompleteSignatureException"}
)
_BAD_CREDENTIALS = _SIGNED_WRONG | {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "ExpiredToken",
    "ExpiredTokenException",
    "AuthFailure",
}

#: How much is told of an error, in characters. An authorization failure that EC2 encodes takes some 1,500.
_MAX_WORDS, _MAX_READ = 2500, 8000
#: What AWS says that nobody should read: it repeats the call's headers, a session token among them, and in some
#: services the value of a member that it does not accept.
_UNTOLD = (
    (re.compile(r"\s*The Canonical String for this request should have been.*", re.DOTALL | re.IGNORECASE), ""),
    (re.compile(r"Value '.*' at '([^']*(?:token|password|secret)[^']*)'", re.DOTALL | re.IGNORECASE), r"Value at '\1'"),
)

_CLOCK = "Check the clock of the host that makes the call: AWS takes a signature for 5 minutes."
_SIGNATURE = "Check secret_key, and the clock of the host that makes the call."
_NOT_ENABLED = "The region {region} may not be enabled in the account, or may not offer the service."
_NO_REGION = "AWS may have no region {region}: check region, AWS_REGION and the profile."
_CREDENTIALS = (
    "The credentials may be wrong or deactivated, or the region {region} may not be enabled in their account "
    "(aws account get-region-opt-status --region-name {region})."
)
_KEY = (
    "Both the KMS key's policy and that of the credentials must allow it: kms:Decrypt to read a secret, and "
    "kms:GenerateDataKey to store one."
)
#: What an error may mean, by its code and by what AWS says with it; the first that fits. The kinds of policies are
#: those in https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
_MEANINGS: tuple[tuple[AbstractSet[str], str, str], ...] = (
    (frozenset({"RequestExpired", "RequestTimeTooSkewed"}), "", _CLOCK),
    (_BAD_CREDENTIALS | _DENIED, "signature expired|signature not yet current", _CLOCK),
    (_SIGNED_WRONG, "scoped to a valid region", _NO_REGION),
    (_SIGNED_WRONG, "", _SIGNATURE),
    (frozenset({"ExpiredToken", "ExpiredTokenException"}), "", "Renew the credentials."),
    (_BAD_CREDENTIALS, "", _CREDENTIALS),
    (frozenset({"OptInRequired", "SubscriptionRequiredException", "RegionDisabledException"}), "", _NOT_ENABLED),
    (
        _DENIED,
        "(service|resource) control policy",
        "That is a policy of the organization: what it does not allow, no policy in the account can.",
    ),
    (_DENIED, "permissions boundary", "Allow it in the permissions boundary of the credentials, too."),
    (_DENIED, "session policy", "Allow it in the session policy, which is given when a role is assumed."),
    (_DENIED, "vpc endpoint policy", "Allow it in the policy of the VPC endpoint, or call AWS by another way."),
    (_DENIED | {"DecryptionFailure", "EncryptionFailure"}, r"\bkms\b|customer master key", _KEY),
    (_DENIED, "explicit deny", "A policy denies it, so that no other can allow it."),
    (_DENIED, "", "Allow it in the policy of the credentials."),
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
    if isinstance(error, Stopped):
        return Kind.REFUSED
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
    if isinstance(error, botocore.exceptions.ParamValidationError):
        # Its text quotes the parameters.
        return f"{action} was not called: botocore does not accept the parameters of the call."
    if is_unreached(error):
        return (
            f"{action} did not reach AWS in {region}: {_words(str(error))} Check region, endpoint_url and the network."
        )
    if not code:
        told = _words(f"{type(error).__name__}: {error}")
        if isinstance(error, botocore.exceptions.SSLError):
            return f"{action} did not reach AWS in {region}: {told} Check aws_ca_bundle, endpoint_url and the proxy."
        return f"{action} failed in {region}: {told}"
    words = words_of(error)
    meaning = next(
        (hint for codes, said, hint in _MEANINGS if code in codes and re.search(said, words, re.IGNORECASE)), ""
    )
    verb = "was refused" if meaning else "failed"
    told = f"{action} {verb} in {region}: {one_line(code, 100)}" + (f": {words}" if words else ".")
    return f"{told} {meaning.format(region=region)}" if meaning else told


def is_denied(error: BaseException) -> bool:
    """Whether AWS says that the credentials may not make the call."""
    return code_of(error) in _DENIED


def is_about_state(error: BaseException) -> bool:
    """Whether AWS says that the call does not go with the state that the group is in (elasticache-facts §3)."""
    about_token = "Invalid AuthToken" in words_of(error)  # its characters, whatever the state is
    return code_of(error) in ("InvalidParameterValue", "InvalidParameterCombination") and not about_token


def words_of(error: BaseException) -> str:
    """Return what AWS says, in one line that ends with a dot; an empty string where it says nothing."""
    response = getattr(error, "response", None) or {}
    return _words(response.get("Error", {}).get("Message") or "")


def _words(text: str) -> str:
    text = text[:_MAX_READ]
    for pattern, instead in _UNTOLD:
        text = pattern.sub(instead, text)
    line = one_line(text, _MAX_WORDS)
    return f"{line}." if line and line[-1] not in ".!?…" else line


def riding_out_throttling(
    call: Callable[[], T], *, patience: float = THROTTLING_PATIENCE, sleep: Callable[[float], None] | None = None
) -> T:
    """Return ``call()``, repeated with growing, jittered pauses while AWS throttles it, ``patience`` seconds in all.

    Only the pauses count, as a call may have waited long for its turn. ``sleep``: waits so many seconds; it may raise,
    which ends this.
    """
    left, pause = patience, 0.25
    while True:
        try:
            return call()
        except Exception as error:
            if classify(error) is not Kind.THROTTLED or pause > left:
                raise
        (sleep or time.sleep)(random.uniform(pause / 2, pause))  # noqa: S311 - jitter, not a secret
        left -= pause
        pause = min(pause * 2, 10.0)
