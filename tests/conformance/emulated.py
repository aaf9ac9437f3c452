# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The emulator as the endpoint: changes are held while they are looked at, and its variants are what is expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import boto3
from conftest import ACCESS_KEY, SECRET_KEY, Emulator

from emulator.settings import VARIANTS

from .answers import Answers
from .clock import Clock
from .endpoint import Endpoint
from .groups import Scene
from .hidden import Hidden
from .made import Made, new_run
from .nodes import Nodes
from .run import Run

_SECONDS = 300.0
_POLL_SECONDS = 0.03
_session = boto3.Session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY)


def variant_sets() -> Iterator[dict[str, str]]:
    """As few sets of variants as have each value of each variant once."""
    for number in range(max(len(variant.values) for variant in VARIANTS.values())):
        yield {name: variant.values[number % len(variant.values)] for name, variant in VARIANTS.items()}


def emulated_run(emulator: Emulator, data_plane: str) -> Run:
    """A run on this emulator, which has been told its variants."""
    hidden = Hidden()
    endpoint = Endpoint(
        _session,
        emulator.region,
        Clock(_SECONDS, _POLL_SECONDS),
        hidden,
        emulator.endpoint_url,
        hold=emulator.hold,
        release=emulator.release,
    )
    made = Made(endpoint, new_run(), datetime.now(UTC) + timedelta(seconds=_SECONDS), lambda line: None)
    why_not = "the data plane none has no nodes" if data_plane == "none" else ""
    nodes = Nodes(ca_bundle=emulator.ca_bundle, why_not=why_not)
    return Run(Scene(endpoint, made, Answers(hidden), nodes), emulated=True)


def chosen(emulator: Emulator) -> Mapping[str, str]:
    """The variants in force."""
    return {name: shown["value"] for name, shown in emulator.variants().items()}
