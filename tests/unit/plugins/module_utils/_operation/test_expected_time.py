# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""How long a plan is expected to take, in words."""

from __future__ import annotations

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._core.operations import Step
from ansible_collections.elasticache.auth.plugins.module_utils._operation.expected_time import (
    cutover_time,
    expected_time,
)

ROTATION = (Step.STAGE, Step.ROTATE, Step.VERIFY_BOTH, Step.PROMOTE, Step.CLIENT_CUTOVER, Step.SET, Step.MONITOR)
TOKENS = "2 token changes each of 5 s to 8 min"
TLS = "1 change to TLS preferred of 1 min to 18 min, 1 change to TLS required of 1 min to 9 min"
RARE = "A token change takes 20 min at times."


@pytest.mark.parametrize(
    ("steps", "soak", "tasks", "monitor", "words"),
    [
        (ROTATION, 600, False, 0, f"10 min 10 s to 26 min ({TOKENS}, client cutover 10 min). {RARE}"),
        (
            ROTATION,
            600,
            False,
            300,
            f"15 min 10 s to 31 min ({TOKENS}, client cutover 10 min, monitor 5 min). {RARE}",
        ),
        (
            ROTATION,
            None,
            True,
            0,
            f"10 s to 16 min and the client cutover ({TOKENS}, client cutover your tasks). {RARE}",
        ),
        (
            ROTATION,
            60,
            True,
            0,
            f"1 min 10 s to 17 min and the client cutover ({TOKENS}, client cutover your tasks, then 1 min). {RARE}",
        ),
        (
            (Step.CLIENT_CUTOVER,),
            None,
            False,
            0,
            "the time of the client cutover (client cutover until your clients are moved).",
        ),
        ((Step.CLIENT_CUTOVER,), 3600, False, 0, "1 h (client cutover 1 h)."),
        ((Step.SET,), None, False, 0, f"5 s to 8 min (1 token change of 5 s to 8 min). {RARE}"),
        (
            (Step.PREFER_TLS, Step.CLIENT_CUTOVER_TLS, Step.REQUIRE_TLS),
            120,
            False,
            0,
            f"4 min to 29 min ({TLS}, client cutover 2 min).",
        ),
        ((Step.UPDATE_RECORD, Step.PROMOTE), 600, False, 300, ""),
        ((), None, False, 0, ""),
    ],
)
def test_in_words(steps: tuple[Step, ...], soak: float | None, tasks: bool, monitor: float, words: str) -> None:
    assert expected_time(steps, soak=soak, tasks=tasks, monitor=monitor) == words


def test_what_the_groups_last_change_took_is_the_better_guess() -> None:
    about = "of about 4 min 12 s, as this group's last change took"
    assert expected_time(ROTATION, soak=600, tasks=False, monitor=0, last=252) == (
        f"18 min 24 s (2 token changes each {about}, client cutover 10 min). {RARE}"
    )
    tls = expected_time((Step.REQUIRE_TLS,), soak=None, tasks=False, monitor=0, last=252)
    assert tls == "1 min to 9 min (1 change to TLS required of 1 min to 9 min)."


@pytest.mark.parametrize(
    ("soak", "tasks", "words"),
    [
        (None, False, "until your clients are moved"),
        (None, True, "your tasks"),
        (0, True, "your tasks"),
        (0, False, "0 s"),
        (90, False, "1 min 30 s"),
        (90, True, "your tasks, then 1 min 30 s"),
    ],
)
def test_a_client_cutover(soak: float | None, tasks: bool, words: str) -> None:
    assert cutover_time(soak, tasks=tasks) == words
