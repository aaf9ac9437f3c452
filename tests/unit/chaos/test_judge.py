# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What a history says: lost tokens, exposure, failures that count; and which kill points stand for all."""

from __future__ import annotations

from typing import Any

import pytest
from integration.scenes import A, B, C

from chaos.conditions import CONDITIONS, named
from chaos.judge import Failure, Kill, exposure_seconds, failures_that_count, lost_tokens, tokens_in_force
from chaos.operations import OPERATIONS, only_one_token
from chaos.report import rows, violations
from chaos.store import Store, Version, token_in
from chaos.trial import KillPoint, Trial, every, kill_points, sample, spread
from emulator.settings import VARIANTS


def at(time: float, mode: str, *slots: str | None) -> dict[str, Any]:
    """A state from a time on."""
    return {"time": time, "mode": mode, "slots": list(slots)}


def store(**labels: str) -> Store:
    """A store with a version for each label; those that begin with ``none`` have no label."""
    return Store(
        tuple(
            Version(label, frozenset() if label.startswith("none") else frozenset({label}), token)
            for label, token in labels.items()
        )
    )


ROTATION = [at(0, "required", A), at(10, "rotating", A, B), at(20, "required", B)]
FULL = store(AWSCURRENT=B, AWSPREVIOUS=A)


def test_no_token_is_lost() -> None:
    kill = Kill(12, store(AWSCURRENT=A, AWSPENDING=B), 15)
    assert lost_tokens(ROTATION, FULL, [kill]) == {}


@pytest.mark.parametrize(
    ("known", "kills", "lost"),
    [
        (store(AWSCURRENT=A), [], {B: "it never was stored"}),
        (store(AWSCURRENT=A, none=B), [], {B: "no label keeps it at the end"}),
        (store(AWSCURRENT=B, none=A), [], {}),  # no longer in force
        (FULL, [Kill(12, store(AWSCURRENT=A, none=B), 15)], {B: "no label kept it when the process was killed"}),
        # killed in flight: it comes into force while the store is as it was
        (FULL, [Kill(9, store(AWSCURRENT=A), 12)], {B: "no label kept it when the process was killed"}),
        (FULL, [Kill(8, store(AWSCURRENT=A), 9)], {}),
        (FULL, [Kill(21, store(AWSCURRENT=B), 30)], {}),
    ],
)
def test_a_lost_token_is_reported(known: Store, kills: list[Kill], lost: dict[str, str]) -> None:
    assert lost_tokens(ROTATION, known, kills) == lost


def test_tokens_that_somebody_else_keeps_are_not_lost() -> None:
    assert lost_tokens(ROTATION, store(AWSCURRENT=B), [], given=[A]) == {}


def test_tokens_in_force() -> None:
    assert tokens_in_force(ROTATION, 1, 5) == {A}
    assert tokens_in_force(ROTATION, 5, 11) == {A, B}
    assert tokens_in_force(ROTATION, 25, 30) == {B}


@pytest.mark.parametrize(
    ("history", "seconds"),
    [
        (ROTATION, 0.0),
        ([at(0, "rbac"), at(10, "optional", None, A), at(14.5, "required", A)], 4.5),
        ([at(0, "rbac"), at(10, "open", None), at(14, "optional", None, A), at(15, "required", A)], 5.0),
        ([at(0, "open", None), at(10, "optional", None, A), at(15, "required", A)], None),
        ([at(0, "required", A), at(10, "rbac"), at(15, "open", None)], None),
        ([at(0, "open", None), at(0.5, "required", A), at(5, "optional", None, A), at(6, "required", A)], 1.0),
    ],
)
def test_exposure(history: list[dict[str, Any]], seconds: float | None) -> None:
    assert exposure_seconds(history, 1, 30) == seconds


def test_a_client_on_the_previous_token_may_be_refused_from_set_on() -> None:
    failures = [Failure("previous", time, "refused", "?") for time in (5.0, 15.0, 19.9, 25.0)]
    assert failures_that_count(failures, ROTATION, only_one_token) == failures[:2]  # 19.9: told a little later
    assert failures_that_count(failures, ROTATION) == failures
    again = [*ROTATION, at(30, "rotating", B, C), at(40, "required", C)]
    assert failures_that_count([Failure("previous", 35, "refused", "?")], again, only_one_token) == []
    pushed_out = [*ROTATION[:2], at(14, "rotating", B, C)]
    assert failures_that_count(failures, pushed_out, only_one_token) == failures


def test_kill_points() -> None:
    points = kill_points(9)
    assert (points[0], points[-1], len(points)) == (KillPoint(1, "before"), KillPoint(9, "after"), 18)
    assert [str(point) for point in spread(points, 3)] == ["after call 2", "before call 5", "after call 8"]
    assert len(spread(points, 99)) == 9
    assert spread([], 2) == []
    assert every(points, 1) == points
    assert [str(point) for point in every(points, 2)][:3] == ["before call 1", "after call 2", "before call 3"]
    assert [str(point) for point in every(points, 6)] == ["before call 1", "after call 4", "before call 7"]


def test_kill_points_by_name() -> None:
    points = kill_points(9)
    assert [KillPoint.named(point.name) for point in points] == points
    assert KillPoint.named("after-12") == KillPoint(12, "after")
    for name in ("", "after", "after-", "after-0", "after-x", "during-3", "3-after"):
        with pytest.raises(ValueError, match="no kill point"):
            KillPoint.named(name)
    assert len({point.seed for point in points}) == len(points)


@pytest.mark.parametrize("calls", sorted({operation.calls for operation in OPERATIONS.values()}))
def test_a_sample_meets_every_point_in_the_end(calls: int) -> None:
    points = kill_points(calls)
    assert {point for turn in range(len(points)) for point in sample(points, 1, turn)} == set(points)
    assert len(set(sample(points, 3, 2))) == 3
    assert len(sample(points, 99, 0)) == len(points)


def trial(**members: Any) -> Trial:
    """A trial as it should be, unless told otherwise."""
    good: dict[str, Any] = {
        "operation": "j",
        "condition": "default",
        "point": KillPoint(1, "before"),
        "reached": True,
        "arrived": True,
        "client_failures": 0,
        "tokens_lost": 0,
        "exposure": 0.0,
        "calls": ("s:C",),
        "served": (3, 4),
        "seconds": 2.0,
        "problems": (),
    }
    return Trial(**{**good, **members})


def test_rows_and_violations() -> None:
    good = [trial(point=None), trial(), trial(exposure=1.5), trial(reached=False, arrived=False, exposure=9.0)]
    row = rows(good)[0]
    assert (row.kill_points, row.trials, row.arrived, row.exposure, row.served, row.clean) == (2, 3, 3, 1.5, 28, True)
    assert violations(good) == []
    bad = [*good, trial(arrived=False), trial(condition="slow", exposure=None, problems=("it failed",))]
    assert [(row.condition, row.clean, row.exposure) for row in rows(bad)] == [
        ("default", False, 1.5),
        ("slow", False, None),
    ]
    (told,) = violations(bad)
    assert told.splitlines() == [
        "j, slow, killed before call 1:",
        "  it failed",
        "  calls that changed something: s:C",
        '  once more: make chaos ARGS="--operations j --conditions slow --points before-1"',
    ]
    assert violations([trial(point=None, problems=("it failed",))])[0].endswith('--points none"')


def test_every_variant_is_a_condition() -> None:
    chosen = {(name, value) for one in named(["variants"]) for name, value in one.variants.items()}
    assert chosen == {(one.name, value) for one in VARIANTS.values() for value in one.values[1:]}
    assert [one.name for one in named(["slow", "default"])] == ["default", "slow"]
    assert [one.name for one in named(["date-moves=start", "controller-SIGHUP", "controller"])] == [
        "controller-SIGKILL",
        "controller-SIGHUP",
        "controller-SIGTERM",
        "date-moves=start",
    ]
    with pytest.raises(ValueError, match=r"no condition rain; there are: default, .*variants"):
        named(["rain", *CONDITIONS])


@pytest.mark.parametrize(
    ("text", "token"), [(A, A), ('{"auth_token": "x", "port": 1}', "x"), ('{"port": 1}', ""), ("123", "123")]
)
def test_the_token_in_a_secret(text: str, token: str) -> None:
    assert token_in(text) == token
