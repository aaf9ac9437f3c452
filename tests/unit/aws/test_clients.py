# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Work for many groups is counted as it is done, whatever becomes of it."""

from __future__ import annotations

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import Clients
from ansible_collections.elasticache.auth.plugins.module_utils._fan_out import fan_out


def one_over(number: int) -> float:
    return 1 / number


def test_counts_what_is_done() -> None:
    clients = Clients(None)
    told: list[tuple[int, str]] = []
    clients.tally = lambda done, what: told.append((done, what))
    results = fan_out(range(50), clients.counted("called", one_over))
    assert isinstance(results[0], ZeroDivisionError)
    assert results[1] == 1
    assert told == [(done, "called") for done in range(1, 51)]


def test_nobody_has_to_listen() -> None:
    work = Clients(None).counted("called", one_over)
    assert work(1) == 1
    with pytest.raises(ZeroDivisionError):
        work(0)
