# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""How long changes last: equally long, or as it is drawn for each change of each group."""

from __future__ import annotations

import itertools
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from unit.emulator.control_support import GROUP, TOKEN_A, TOKEN_B, create, create_user, modify
from waiting import wait_until

from emulator.__main__ import parse_arguments
from emulator.settings import Timing, change_seconds

TESTS = Path(__file__).parents[2]
HEAVY_TAILED = Timing(modify_seconds=5.0, modify_sigma=1.0, modify_max_seconds=120.0, modify_seed=7)
MANY = [change_seconds(HEAVY_TAILED, f"group-{number}", 1) for number in range(20_000)]


def test_without_a_sigma_all_last_equally_long() -> None:
    assert {change_seconds(Timing(modify_seconds=5.0), f"g-{number}", number) for number in range(1, 50)} == {5.0}


def test_the_distribution() -> None:
    assert statistics.median(MANY) == pytest.approx(5.0, rel=0.05)
    shares = statistics.quantiles(MANY, n=1000)
    assert shares[840] / 5.0 == pytest.approx(2.718, rel=0.05)  # one sigma above the median
    assert 5.0 / shares[158] == pytest.approx(2.718, rel=0.05)
    assert max(MANY) == 120.0
    assert sum(one == 120.0 for one in MANY) / len(MANY) == pytest.approx(0.00074, abs=0.0006)


def test_a_duration_depends_on_seed_group_and_number_alone() -> None:
    assert change_seconds(HEAVY_TAILED, "sessions", 1) == change_seconds(HEAVY_TAILED, "sessions", 1)
    others = [
        change_seconds(HEAVY_TAILED, "sessions", 1),
        change_seconds(HEAVY_TAILED, "sessions", 2),
        change_seconds(HEAVY_TAILED, "carts", 1),
        change_seconds(Timing(5.0, modify_sigma=1.0, modify_max_seconds=120.0, modify_seed=8), "sessions", 1),
    ]
    assert len(set(others)) == 4


def test_it_is_the_same_in_another_process() -> None:
    code = (
        "from emulator.settings import Timing, change_seconds; "
        "print(change_seconds(Timing(5.0, modify_sigma=1.0, modify_max_seconds=120.0, modify_seed=7), 'sessions', 2))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=TESTS, check=True, capture_output=True, text=True)
    assert float(done.stdout) == change_seconds(HEAVY_TAILED, "sessions", 2)


def test_nothing_takes_no_time_differently() -> None:
    assert change_seconds(Timing(modify_seconds=0.0, modify_sigma=1.0), "sessions", 1) == 0.0


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"modify_sigma": -0.1}, "modify_sigma must be between 0 and 5"),
        ({"modify_sigma": 5.1}, "modify_sigma must be between 0 and 5"),
        ({"modify_sigma": float("nan")}, "modify_sigma must be between 0 and 5"),
        ({"modify_max_seconds": -1}, "modify_max_seconds must be between 0 and 86400 seconds"),
        ({"modify_seed": 1.5}, "modify_seed must be a whole number"),
    ],
)
def test_wrong_settings(members: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Timing(**members)


def test_the_command_line() -> None:
    arguments = ["--modify-seconds", "5", "--modify-sigma", "1", "--modify-max-seconds", "120", "--modify-seed", "7"]
    assert parse_arguments(arguments)[0].timing == HEAVY_TAILED
    assert parse_arguments([])[0].timing == Timing()


@pytest.mark.emulator(data_plane="none")
def test_changes_last_as_long_as_was_drawn(emulator: Any) -> None:
    create(emulator, AuthToken=TOKEN_A)
    emulator.settings(modify_seconds=0.2, modify_sigma=1.0, modify_max_seconds=1.0, modify_seed=3)
    modify(emulator, AuthToken=TOKEN_B, AuthTokenUpdateStrategy="ROTATE")
    modify(emulator, AuthToken=TOKEN_B, AuthTokenUpdateStrategy="SET")
    timing = Timing(0.2, modify_sigma=1.0, modify_max_seconds=1.0, modify_seed=3)
    wanted = [change_seconds(timing, GROUP, number) for number in (1, 2)]
    history = emulator.group(GROUP)["history"]
    begun = [moment for moment in history if moment["cause"] == "ModifyReplicationGroup"]
    ended = [moment for moment in history if moment["cause"] == "change ended"]
    assert [moment["change_seconds"] for moment in begun] == wanted
    assert wanted[0] != wanted[1]
    assert [moment["change_seconds"] for moment in ended] == [None, None]
    for begin, end, seconds in zip(begun, ended, wanted, strict=True):
        assert end["time"] - begin["time"] >= seconds


@pytest.mark.emulator(data_plane="none")
def test_a_users_change_takes_the_median(emulator: Any) -> None:
    create_user(emulator, "app-user", "app")
    seeds = (Timing(0.05, modify_sigma=5.0, modify_seed=seed) for seed in itertools.count())
    slow = next(timing for timing in seeds if change_seconds(timing, "app-user", 1) > 3600)
    emulator.settings(modify_seconds=0.05, modify_sigma=5.0, modify_seed=slow.modify_seed)
    client = emulator.client("elasticache")
    client.modify_user(UserId="app-user", AccessString="on ~app:* +@all")
    wait_until(lambda: client.describe_users(UserId="app-user")["Users"][0]["Status"] == "active", "the user is active")


@pytest.mark.emulator(data_plane="none")
def test_wrong_settings_are_refused_and_change_nothing(emulator: Any) -> None:
    before = emulator.settings()
    for body, said in (
        ({"modify_sigma": 9}, "modify_sigma must be between"),
        ({"modify_seed": 0.5}, "modify_seed must be a whole number"),
        ({"modify_seed": "x"}, "settings are numbers"),
        ({"sigma": 1}, "settings are a JSON object of"),
    ):
        with pytest.raises(ValueError, match=said):
            emulator.admin("POST", "settings", body)
    assert emulator.settings() == before
