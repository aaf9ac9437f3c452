# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Pages of what is described, with markers that stay good while records come and go."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import TypeVar

from . import rules
from .refusals import Refusal

Record = TypeVar("Record")

PAGE_MINIMUM = 20
PAGE_MAXIMUM = 100


def encode_marker(last: str) -> str:
    """An opaque marker that says after which record to go on."""
    return base64.urlsafe_b64encode(last.encode()).decode()


def decode_marker(marker: str) -> str:
    """The record after which to go on; refused where the marker is none of ours."""
    try:
        return base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Refusal.BAD_MARKER.error() from None


def page(
    records: Iterable[Record], key: Callable[[Record], str], *, marker: str | None, max_records: int | None
) -> tuple[list[Record], str | None]:
    """One page of ``records`` in the order of ``key``, and the marker of the next page.

    Pages hold 20–100 records, 100 unless told (elasticache-facts §5).
    """
    size = rules.check_range("MaxRecords", max_records, PAGE_MINIMUM, PAGE_MAXIMUM) or PAGE_MAXIMUM
    after = decode_marker(marker) if marker else ""
    rest = sorted((record for record in records if key(record) > after), key=key)
    chosen = rest[:size]
    return chosen, encode_marker(key(chosen[-1])) if len(rest) > size else None
