# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""boto3 clients with the retry behaviour that access control needs, built by amazon.aws."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from .._core.errors import AuthError
from .._fan_out import MAX_THREADS
from .errors import THROTTLING_PATIENCE, riding_out_throttling

with contextlib.suppress(ImportError):  # AnsibleAWSModule tells the user.
    import botocore.config

T = TypeVar("T")

#: How long a connection may take unless aws_config says otherwise: botocore's minute, four times over, is too long to
#: learn that a firewall is in the way, seconds.
CONNECT_TIMEOUT = 10


class Clients:
    """The clients of one module run, made when first used; boto3's clients may be shared by threads."""

    #: For how long throttling of one call is ridden out, seconds.
    patience = THROTTLING_PATIENCE

    def __init__(self, module: Any) -> None:
        self._module = module
        self._made: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._failed: SystemExit | None = None
        #: How many pages all groups of the region fill, as far as has been seen.
        self.pages = 0

    @property
    def region(self) -> str:
        """The region that is talked to."""
        return str(self._module.region or "the default region")

    @property
    def repeatable(self) -> Any:
        """ElastiCache, for calls that may be made twice without harm: botocore retries them."""
        return self._client("repeatable", "elasticache", max_attempts=4)

    @property
    def once(self) -> Any:
        """ElastiCache, for calls that must not be made twice.

        botocore does not repeat these: after a dropped connection the call may have been carried out, and what a
        second ROTATE of the same token does is documented nowhere (elasticache-facts §1).
        """
        return self._client("once", "elasticache", max_attempts=1)

    @property
    def tagging(self) -> Any:
        """The Resource Groups Tagging API, for reading tags in bulk."""
        return self._client("tagging", "resourcegroupstaggingapi", max_attempts=4)

    @property
    def secrets(self) -> Any:
        """Secrets Manager."""
        return self._client("secrets", "secretsmanager", max_attempts=4)

    @property
    def metrics(self) -> Any:
        """CloudWatch."""
        return self._client("metrics", "cloudwatch", max_attempts=4)

    def patiently(self, call: Callable[[], T], *, within: float | None = None) -> T:
        """Return ``call()``, repeated while AWS throttles it: for :attr:`patience`, or ``within`` fewer seconds."""
        return riding_out_throttling(call, patience=self.patience if within is None else min(self.patience, within))

    def _client(self, name: str, service: str, *, max_attempts: int) -> Any:
        # Threads may come here together, and amazon.aws ends the module itself where a client can't be made: once.
        with self._lock:
            if self._failed:
                raise self._failed
            if name not in self._made:
                try:
                    self._made[name] = self._make(service, max_attempts)
                except SystemExit as ended:
                    self._failed = ended
                    raise
            return self._made[name]

    def _make(self, service: str, max_attempts: int) -> Any:
        if not self._module.region:
            raise AuthError("There is no region. Set region, AWS_REGION, or a profile that has one.")
        given = dict(self._module.params.get("aws_config") or {})
        given.setdefault("max_pool_connections", MAX_THREADS)
        given.setdefault("connect_timeout", CONNECT_TIMEOUT)
        given["retries"] = {"mode": "standard", "total_max_attempts": max_attempts}
        try:
            return self._module.client(service, aws_config=botocore.config.Config(**given))
        except TypeError as error:
            raise AuthError(f"aws_config is not a botocore configuration: {error}") from error
