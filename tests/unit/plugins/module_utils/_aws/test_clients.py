# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Clients of many regions share what they read."""

from __future__ import annotations

from collections import Counter
from typing import Any

import boto3.session
import botocore.loaders
import botocore.session
import botocore.utils
import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import Clients, time_of


class Owner:
    """Makes clients as amazon.aws does, each in a session of its own."""

    region = "us-east-1"

    def client(self, service: str, *, aws_config: Any, region: str | None = None) -> Any:
        keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
        session = boto3.session.Session(region_name=region or self.region)
        return session.client(service, config=aws_config, **keys)


def test_no_description_of_a_service_is_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are megabytes, and each region has four clients."""
    read: Counter[str] = Counter()
    load = botocore.loaders.JSONFileLoader.load_file

    def counted(self: Any, path: str) -> Any:
        data = load(self, path)
        read[path] += data is not None
        return data

    monkeypatch.setattr(botocore.loaders.JSONFileLoader, "load_file", counted)
    before = botocore.session.create_loader
    here = Clients(Owner())
    regions = [one.repeatable.meta.region_name for one in (here, here.elsewhere(region="eu-west-1"))]
    assert regions == ["us-east-1", "eu-west-1"]
    assert here.once is not here.repeatable
    assert max(read.values(), default=1) == 1
    assert botocore.session.create_loader is before


def test_without_what_makes_them_share_each_reads_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A botocore that makes its loaders elsewhere is none that can't be used."""
    made = Owner().client("elasticache", aws_config=None)
    monkeypatch.delattr(botocore.session, "create_loader")

    class Elsewhere:
        region = "us-east-1"

        def client(self, service: str, *, aws_config: Any) -> Any:
            return made

    assert Clients(Elsewhere()).repeatable is made


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T08:55:30Z",
        "2026-11-23T08:55:30.123Z",
        "2026-11-23T08:55:30.123456+02:00",
        "2026-11-23T08:55:30",  # without a zone it is UTC's
        "2026-11-23",
        "Mon, 23 Nov 2026 08:55:30 GMT",
        "1795424130",
        1795424130.5,
        1795424130,
    ],
)
def test_times_are_those_that_botocore_reads(text: Any) -> None:
    own, mine = botocore.utils.parse_timestamp(text), time_of(text)
    assert (mine, mine.utcoffset()) == (own, own.utcoffset())


@pytest.mark.parametrize("text", ["", "yesterday", None])
def test_what_is_no_time_is_refused_as_botocore_does(text: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        botocore.utils.parse_timestamp(text)
    with pytest.raises(ValueError, match=r"."):
        time_of(text)


def test_a_client_reads_times_so() -> None:
    """It still finds where botocore has it."""
    client = Clients(Owner()).repeatable
    parser = client._endpoint._response_parser_factory.create_parser("query")
    assert parser._timestamp_parser is time_of
