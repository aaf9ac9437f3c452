# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The demo's table adds up, and every promise that was not kept is named."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from demo.clients import Report, Sample
from demo.processes import Play
from demo.summary import AGAIN, broken_promises, phases

NEW = "the-new-token-0123456789"
FIRST = Play(
    0,
    100.0,
    130.0,
    ((100.0, "Check | Account"), (102.0, "Start | Clients"), (103.0, "Hand it over"), (110.0, "Rotate | Wait")),
    {"changed": 3, "failures": 0, "unreachable": 0},
)
SECOND = Play(0, 131.0, 140.0, ((131.0, "Check | Account"),), {"changed": 0, "failures": 0, "unreachable": 0})
#: Ten commands a second from second 105 on, a login a second.
SAMPLES = tuple(Sample(105.0 + n, 10 * n, 0, n) for n in range(37))
REPORT = Report(SAMPLES, {})
TRUTH = MappingProxyType({"mode": "required", "slots": [NEW]})


def broken(
    plays: tuple[Play, ...] = (FIRST, SECOND),
    report: Report = REPORT,
    truth: Mapping[str, Any] = TRUTH,
    calls: tuple[dict[str, Any], ...] = (),
) -> list[str]:
    """What is said of this; all is well unless told otherwise."""
    return broken_promises(plays, phases(plays, report), report, truth, calls, NEW)


def test_phases_share_out_all_that_the_clients_did() -> None:
    found = phases((FIRST, SECOND), REPORT)
    assert [(phase.name, phase.seconds, phase.served, phase.logins) for phase in found] == [
        ("Check", 2.0, 0, 0),
        ("Start", 8.0, 50, 5),
        ("Rotate", 21.0, 210, 21),
        (AGAIN, 9.0, 100, 10),  # with what was served until the clients ended
    ]
    assert sum(phase.served for phase in found) == SAMPLES[-1].served


def test_no_phase_where_nothing_ran() -> None:
    assert phases((Play(4, 0.0, 0.0, (), {}),), Report(SAMPLES[:1], {})) == []


def test_all_as_promised() -> None:
    assert broken() == []


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (
            {"report": Report((*SAMPLES[:-1], Sample(141.0, 360, 2, 36)), {"writer: gone": 2})},
            "2 client commands failed: writer: gone (2 times)",
        ),
        ({"plays": (dataclasses.replace(FIRST, tasks=FIRST.tasks[:1]), SECOND)}, "the clients were never started"),
        ({"report": Report(SAMPLES[:27], {})}, f"no client was served during '{AGAIN}'"),
        ({"plays": (dataclasses.replace(FIRST, status=2), SECOND)}, "run 1 of the playbook failed (exit status 2)"),
        ({"plays": (FIRST, dataclasses.replace(SECOND, status=4))}, "run 2 of the playbook failed (exit status 4)"),
        ({"plays": (FIRST,)}, "so it was not run again"),
        (
            {"plays": (FIRST, dataclasses.replace(SECOND, recap={"changed": 1}))},
            "the second run changed=1, changing API calls: none",
        ),
        (
            {"plays": (FIRST, dataclasses.replace(SECOND, recap={}))},
            "the second run changed=None, changing API calls: none",
        ),
        (
            {"calls": ({"action": "ModifyReplicationGroup"},)},
            "the second run changed=0, changing API calls: ModifyReplicationGroup",
        ),
        (
            {"truth": {"mode": "rotating", "slots": ["old", NEW]}},
            "the group is rotating and does not accept the new token alone",
        ),
        ({"truth": {}}, "the group is None and does not accept the new token alone"),
    ],
)
def test_a_broken_promise_is_named(case: dict[str, Any], said: str) -> None:
    assert broken(**case) == [said]
