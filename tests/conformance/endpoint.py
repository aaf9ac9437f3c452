# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The API that is asked, by boto3 alone: an answer is what came back, a refusal with its code and words."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from .clock import Clock
from .hidden import Hidden

_SERVICES = ("elasticache", "secretsmanager", "resourcegroupstaggingapi")
_ATTEMPTS = 5
_TIMEOUT = 30


class NoAnswerError(Exception):
    """The call got no answer: neither a result nor a refusal. The message says why."""


@dataclass(frozen=True)
class Answer:
    """What a call was answered. ``result`` is left out of ``repr``."""

    seconds: float
    result: Mapping[str, Any] = field(default_factory=dict, repr=False)
    code: str = ""
    words: str = ""

    @property
    def refused(self) -> bool:
        """Whether it is a refusal."""
        return bool(self.code)

    def __str__(self) -> str:
        """As a table shows it."""
        return f"{self.code}: {self.words}" if self.code else "accepted"


@dataclass
class Endpoint:
    """Clients of one region, and what is known of where they lead.

    ``hold`` and ``release`` keep a resource's changes in flight while they are looked at; AWS's last long enough.
    """

    session: boto3.Session = field(repr=False)
    region: str
    clock: Clock
    hidden: Hidden
    endpoint_url: str | None = None
    hold: Callable[[str], None] = lambda identifier: None
    release: Callable[[str], None] = lambda identifier: None
    leaks: list[str] = field(default_factory=list)  #: calls whose answer had a token in it
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        config = Config(
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            connect_timeout=_TIMEOUT,
            read_timeout=_TIMEOUT,
            max_pool_connections=8,
        )
        for service in _SERVICES:
            self._clients[service] = self.session.client(
                service, region_name=self.region, endpoint_url=self.endpoint_url, config=config
            )

    def ask(self, operation: str, service: str = "elasticache", **members: Any) -> Answer:
        """Make a call, unless the time for questions is over; raises ``HaltError``, ``NoAnswerError``."""
        self.clock.check()
        return self.call(operation, service, **members)

    def call(self, operation: str, service: str = "elasticache", **members: Any) -> Answer:
        """Make a call, whatever the time; raises ``NoAnswerError``."""
        began = time.monotonic()
        try:
            result = getattr(self._clients[service], operation)(**members)
        except ClientError as error:
            self._search(operation, error.response)
            told = error.response.get("Error", {})
            words = self.hidden.mask(str(told.get("Message", "")))
            return Answer(time.monotonic() - began, {}, self.hidden.mask(str(told.get("Code", "") or "?")), words)
        except BotoCoreError as error:
            raise NoAnswerError(f"{operation}: {self.hidden.mask(str(error))}") from None
        self._search(operation, result)
        return Answer(time.monotonic() - began, result)

    def pages(self, operation: str, key: str, service: str = "elasticache", **members: Any) -> list[Any]:
        """All items of all pages, whatever the time; raises ``NoAnswerError``."""
        try:
            pages = self._clients[service].get_paginator(operation).paginate(**members)
            return [item for page in pages for item in page[key]]
        except (BotoCoreError, ClientError) as error:
            raise NoAnswerError(f"{operation}: {self.hidden.mask(str(error))}") from None

    @contextlib.contextmanager
    def held(self, identifier: str) -> Iterator[None]:
        """Where the endpoint can, keep this resource's changes in flight."""
        self.hold(identifier)
        try:
            yield
        finally:
            self.release(identifier)

    def _search(self, operation: str, answer: Any) -> None:
        if self.hidden.found_in(json.dumps(answer, default=str)):
            self.leaks.append(_camel(operation))


def _camel(operation: str) -> str:
    return re.sub(r"(?:^|_)([a-z])", lambda found: found[1].upper(), operation)
