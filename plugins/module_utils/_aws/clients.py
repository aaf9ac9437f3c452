# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""boto3 clients with the retry behaviour that access control needs, built by amazon.aws.

Of a module's own region and credentials, or of any other: ``Clients(module, region="eu-west-1", credentials=theirs)``.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from .._core.errors import AuthError
from .._fan_out import MAX_THREADS
from .._stop import Stop
from .errors import THROTTLING_PATIENCE, Kind, classify, riding_out_throttling
from .known import Known
from .pace import Pace
from .repeated import shorten_answers

if TYPE_CHECKING:
    from .sweep import Sweep

with contextlib.suppress(ImportError):  # AnsibleAWSModule tells the user.
    import botocore.config
    import botocore.exceptions
    import botocore.loaders
    import botocore.session
    import botocore.utils

T = TypeVar("T")

#: Connections that are kept for each client: what waits for one look goes on at once.
_CONNECTIONS = 4 * MAX_THREADS
#: How long a connection may take unless aws_config says otherwise: botocore's minute, four times over, is too long to
#: learn that a firewall blocks them, seconds.
CONNECT_TIMEOUT = 10
#: Credentials of a role last an hour; they are renewed after this time, seconds.
_RENEWED_AFTER = 2700.0
#: What the actions begin with that change nothing.
_READING = ("Describe", "List", "Get", "BatchGet", "AssumeRole")


@dataclass(frozen=True)
class Credentials:
    """Credentials for a limited time, as STS hands them out for a role."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(repr=False)


@functools.cache
def _loader(search_path_string: str | None = None) -> Any:
    """Return what reads the descriptions of AWS's services, and keeps what it has read; one for each path."""
    return botocore.loaders.create_loader(search_path_string)


@contextlib.contextmanager
def _reading_once() -> Iterator[None]:
    """Have clients that are made meanwhile share what they read of their services.

    amazon.aws makes each client in a session of its own, and a session reads for itself: 9 MB and 60 ms of CPU a client
    (measured with botocore 1.44), of which a fleet needs four in each region.
    """
    own = getattr(botocore.session, "create_loader", None)
    if own is None:
        yield
        return
    botocore.session.create_loader = _loader
    try:
        yield
    finally:
        botocore.session.create_loader = own


def _parse_times_fast(client: Any) -> None:
    """Have the client's answers read without botocore's search for the format of each time.

    A page of a hundred groups has two hundred times in it, and that search is a quarter of the work of reading the page
    (sampled with botocore 1.44). A client that is made otherwise stays as it is.
    """
    factory = getattr(getattr(client, "_endpoint", None), "_response_parser_factory", None)
    if factory is not None and hasattr(factory, "set_parser_defaults"):
        factory.set_parser_defaults(timestamp_parser=time_of)


def time_of(text: Any) -> datetime:
    """Return a time of an AWS answer as botocore does: in ISO 8601, which is read at once, or any other way."""
    if isinstance(text, str):
        with contextlib.suppress(ValueError):
            found = datetime.fromisoformat(text)
            if found.tzinfo is not None:
                return found
    parsed: datetime = botocore.utils.parse_timestamp(text)
    return parsed


@dataclass
class _Held:
    """What clients of one region and account have in common, whichever thread uses them."""

    made: dict[str, Any] = field(default_factory=dict)
    failed: SystemExit | None = None
    given: Credentials | None = None
    asked_at: float = float("-inf")
    paces: dict[str, Pace] = field(default_factory=dict)
    stop: Stop = field(default_factory=Stop)


class Clients:
    """The clients of one region and account, made when first used; boto3's clients may be shared by threads."""

    #: For how long throttling of one call is ridden out, seconds.
    patience = THROTTLING_PATIENCE
    #: boto3 makes one client at a time, whoever asks; credentials of a role are asked for with a client of their own.
    _lock = threading.RLock()

    def __init__(
        self,
        owner: Any,
        *,
        region: str | None = None,
        credentials: Credentials | Callable[[], Credentials] | None = None,
        stop: Stop | None = None,
    ) -> None:
        """Talk to AWS with the connection options of ``owner``.

        ``owner``: an ``AnsibleAWSModule``, or a plugin built on amazon.aws's ``AWSPluginBase``: both make clients
        alike. ``region`` and ``credentials``: others than the owner's own; a function is asked for new ones in good
        time before those of a role end. ``stop``: says when no further changing call may be made.
        """
        self._owner = owner
        self._region = region
        self._credentials = credentials
        self._held = _Held(stop=stop or Stop())
        #: What has been learnt of the region.
        self.known = Known()
        #: How many groups one call of a function changes side by side.
        self.groups_at_once = 1
        #: What finishes a group has a lower rank than what begins another, and goes first wherever calls queue.
        self.rank = 0
        #: Looks at the region for all who wait; without it each looks for itself.
        self.sweep: Sweep | None = None

    def elsewhere(
        self,
        *,
        region: str | None = None,
        credentials: Credentials | Callable[[], Credentials] | None = None,
    ) -> Clients:
        """Return clients of the same owner for another region, other credentials, or both."""
        return Clients(
            self._owner,
            region=region or self._region,
            credentials=credentials or self._credentials,
            stop=self._held.stop,
        )

    def part(self) -> Clients:
        """Return the same clients for a thread with a rank of its own. Paces and what is known are shared."""
        return copy.copy(self)

    def wait_for(self, event: threading.Event, seconds: float | None = None) -> bool:
        """Return whether ``event`` is set, waiting so many seconds. Raises :class:`Stopped` once the run must end."""
        return self._held.stop.wait_for(event, seconds)

    def stop(self) -> None:
        """Let no part wait any longer, nor make a changing call: each of them raises :class:`Stopped` instead."""
        self._held.stop.set()

    def pause(self, seconds: float) -> None:
        """Wait so many seconds. Raises :class:`Stopped` once the run must end."""
        self._held.stop.wait(seconds)

    def prepare(self, *others: str) -> None:
        """Make a client before many need one, so that a role that can't be assumed is asked for once.

        ``others``: the attributes that have further ones; where one can't be made, amazon.aws ends the module, which is
        better done before anything is changed. Raises :class:`AuthError`, for a region that is none too.
        """
        for name in ("repeatable", *others):
            getattr(self, name)

    @property
    def concurrent_groups(self) -> int:
        """How many groups are changed side by side: for many of them looks at the region are shared."""
        return max(self.groups_at_once, self.known.under_way)

    @property
    def region(self) -> str:
        """The region that is talked to."""
        return str(self._chosen_region or "the default region")

    @property
    def _chosen_region(self) -> str | None:
        return self._region or self._owner.region

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
    def secrets_once(self) -> Any:
        """Secrets Manager, for calls that change something: botocore does not repeat these."""
        return self._client("secrets once", "secretsmanager", max_attempts=1)

    @property
    def metrics(self) -> Any:
        """CloudWatch."""
        return self._client("metrics", "cloudwatch", max_attempts=4)

    @property
    def ecs(self) -> Any:
        """Elastic Container Service: to deploy a service anew twice does no harm."""
        return self._client("ecs", "ecs", max_attempts=4)

    @property
    def ssm(self) -> Any:
        """Systems Manager."""
        return self._client("ssm", "ssm", max_attempts=4)

    @property
    def ssm_once(self) -> Any:
        """Systems Manager, for a command that must not be run twice: botocore does not repeat these calls."""
        return self._client("ssm once", "ssm", max_attempts=1)

    @property
    def sts(self) -> Any:
        """STS, for assuming roles."""
        return self._client("sts", "sts", max_attempts=4)

    @property
    def ec2(self) -> Any:
        """EC2, for the regions that an account has."""
        return self._client("ec2", "ec2", max_attempts=4)

    def patiently(self, call: Callable[[], T], *, within: float | None = None) -> T:
        """Return ``call()``, repeated while AWS throttles it: for :attr:`patience`, or ``within`` fewer seconds."""
        patience = self.patience if within is None else min(self.patience, within)
        return riding_out_throttling(call, patience=patience, sleep=self.pause)

    def pace(self, *actions: str, limit: float) -> None:
        """Make at most so many calls a second of these actions together, for those made with :meth:`paced`."""
        self._held.paces |= dict.fromkeys(actions, Pace(limit, wait=self.wait_for))

    def turn(self, action: str) -> int | None:
        """Return when a call of ``action`` may be made: for what has to be done right before :meth:`paced` makes it."""
        pace = self._held.paces.get(action)
        return pace.wait(self.rank) if pace else None

    def paced(
        self,
        action: str,
        call: Callable[[], T],
        *,
        check: Callable[[], object] | None = None,
        turn: int | None = None,
    ) -> T:
        """Return ``call()``, which is an ``action``, as :meth:`patiently` does, and no faster than its pace is.

        ``check`` is called before each attempt, when it may be made: what was decided may be wrong by then. ``turn``:
        of :meth:`turn`, for the first attempt. Raises what either raises.
        """
        pace = self._held.paces.get(action)
        number, waits = turn, turn is None

        def in_turn() -> T:
            nonlocal number, waits
            if pace and waits:
                number = pace.wait(self.rank, number)
            waits = True
            self.pause(0.0)
            if check:
                check()
            try:
                answer = call()
            except Exception as error:
                if pace and classify(error) is Kind.THROTTLED:
                    pace.throttled()
                raise
            if pace:
                pace.passed()
            return answer

        return self.patiently(in_turn)

    def _client(self, name: str, service: str, *, max_attempts: int) -> Any:
        # Threads may come here together, and amazon.aws ends the module itself where a client can't be made: once.
        held = self._held
        with self._lock:
            if held.failed:
                raise held.failed
            if callable(self._credentials) and time.monotonic() - held.asked_at > _RENEWED_AFTER:
                held.given, held.asked_at = self._credentials(), time.monotonic()
                held.made.clear()
            if name not in held.made:
                try:
                    held.made[name] = self._make(service, max_attempts)
                except SystemExit as ended:
                    held.failed = ended
                    raise
            return held.made[name]

    def _make(self, service: str, max_attempts: int) -> Any:
        if not self._chosen_region:
            raise AuthError("There is no region. Set region, AWS_REGION, or a profile that has one.")
        self._check_region()
        given = dict((getattr(self._owner, "params", None) or {}).get("aws_config") or {})
        given.setdefault("max_pool_connections", _CONNECTIONS)
        given.setdefault("connect_timeout", CONNECT_TIMEOUT)
        given["retries"] = {"mode": "standard", "total_max_attempts": max_attempts}
        other: dict[str, Any] = {"region": self._region} if self._region else {}
        credentials = self._held.given if callable(self._credentials) else self._credentials
        if credentials:
            other |= {
                "profile_name": None,
                "aws_access_key_id": credentials.access_key,
                "aws_secret_access_key": credentials.secret_key,
                "aws_session_token": credentials.session_token,
            }
        try:
            with _reading_once():
                client = self._owner.client(service, aws_config=botocore.config.Config(**given), **other)
        except TypeError as error:
            raise AuthError(f"aws_config is not a botocore configuration: {error}") from error
        _parse_times_fast(client)
        if service == "elasticache":
            shorten_answers(client, "DescribeReplicationGroups")
        # Every attempt of every call comes by here, whoever makes it: right before it is sent.
        client.meta.events.register("before-send", self._check_stop)
        return client

    def _check_stop(self, event_name: str, **_request: Any) -> None:
        """Raise :class:`Stopped` for a call that changes something where the run must end."""
        if not event_name.rpartition(".")[2].startswith(_READING):
            self._held.stop.check()

    def _check_region(self) -> None:
        """Raise :class:`AuthError` for what can't be a region's name; amazon.aws would end the whole module there."""
        try:
            botocore.utils.validate_region_name(str(self._chosen_region))
        except botocore.exceptions.InvalidRegionError as error:
            raise AuthError(
                f"there is no region '{self._chosen_region}', nor can there be one. Correct region, or the host's "
                "elasticache_region: names look like eu-central-1."
            ) from error
