# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Where a group's script stops for its clients, and whether it may go on with the token that they moved to."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._aws.secrets import Secret
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.operations import Operation, Step, StepPlan, Store
from ansible_collections.elasticache.auth.plugins.module_utils._operation import script
from ansible_collections.elasticache.auth.plugins.module_utils._operation.group_plan import Planned
from ansible_collections.elasticache.auth.plugins.module_utils._operation.group_run import GroupRun
from ansible_collections.elasticache.auth.plugins.module_utils._operation.planned_calls import Setting, calls_of
from ansible_collections.elasticache.auth.plugins.module_utils._operation.planning import _cutover
from ansible_collections.elasticache.auth.plugins.module_utils._operation.request import Cutover, OperationRequest
from ansible_collections.elasticache.auth.plugins.module_utils._operation.token_store import Kept

# --- The token that the clients moved to

MOVED_TO = Cutover(Step.CLIENT_CUTOVER, "v1")


def kept(**labels: str) -> Kept:
    return Kept(store=Store(name="the/secret"), secret=Secret("arn:secret", labels))


@pytest.mark.parametrize(
    ("cutover", "found", "made"),
    [
        (None, kept(AWSCURRENT="v1"), None),
        (MOVED_TO, kept(AWSCURRENT="v1", AWSPREVIOUS="v0"), Step.CLIENT_CUTOVER),
        # There was no token to move to: none of the secret, no secret, or tokens that the caller keeps.
        (Cutover(Step.CLIENT_CUTOVER_TLS), kept(AWSCURRENT="v1"), Step.CLIENT_CUTOVER_TLS),
        (Cutover(Step.CLIENT_CUTOVER_TLS), Kept(), Step.CLIENT_CUTOVER_TLS),
        (MOVED_TO, Kept(store=Store(kept=False)), Step.CLIENT_CUTOVER),
    ],
)
def test_the_client_cutover_that_was_made(cutover: Cutover | None, found: Kept, made: Step | None) -> None:
    assert _cutover(cutover, Planned("one"), found) is made


@pytest.mark.parametrize(
    ("found", "now"),
    [
        (kept(AWSCURRENT="v2", AWSPREVIOUS="v1"), "v2"),  # rotated by somebody else
        (kept(AWSCURRENT="v0", AWSPENDING="v1"), "v0"),  # taken back
        (kept(AWSPREVIOUS="v1"), ""),
        (kept(AWSCURRENT="x" * 100 + "\n"), "x" * 63),
    ],
)
def test_awscurrent_was_moved_during_the_client_cutover(found: Kept, now: str) -> None:
    """SET would refuse the clients, which have the token that was there."""
    with pytest.raises(AuthError) as refusal:
        _cutover(MOVED_TO, Planned("one"), found)
    text = str(refusal.value)
    assert text.startswith(
        "one: during the client cutover somebody else moved AWSCURRENT of the secret the/secret, from the version v1 "
        f"to {now}"
    )
    assert "the tokens that the clients had are still accepted" in text
    assert text.endswith("Find out who did, then run this again: it plans anew, and gives the clients another cutover.")
    assert "x" * 65 not in text


# --- Where the script stops

TLS_FIRST = (Step.CLIENT_CUTOVER_TLS, Step.REQUIRE_TLS, Step.ROTATE, Step.PROMOTE, Step.CLIENT_CUTOVER, Step.SET)


def run(monkeypatch: pytest.MonkeyPatch, steps: tuple[Step, ...], **request: Any) -> GroupRun:
    """The group after its script, in which each step goes well."""

    def make(services: Any, group: GroupRun, some: tuple[Step, ...]) -> None:
        for step in some:
            group.through(step)

    monkeypatch.setattr(script, "_make", make)
    known: Any = SimpleNamespace(acting=contextlib.nullcontext)
    services: Any = SimpleNamespace(
        request=OperationRequest(Operation.ENABLE_AUTH, **request), clients=SimpleNamespace(known=known)
    )
    group = GroupRun("one", step_plan=StepPlan(steps))
    script._go(services, group)
    return group


MADE = {"one": Cutover(Step.CLIENT_CUTOVER_TLS), "two": Cutover(Step.CLIENT_CUTOVER)}


@pytest.mark.parametrize(
    ("steps", "request_", "made", "cutover"),
    [
        (TLS_FIRST, {}, 0, Step.CLIENT_CUTOVER_TLS),
        (TLS_FIRST, {"soak": 5.0}, 6, None),
        (TLS_FIRST, {"soak": 0.0}, 6, None),
        (TLS_FIRST[1:], {"cutovers": MADE}, 3, Step.CLIENT_CUTOVER),
        # A time besides the tasks is one at their cutover; at the next one, tasks move the clients as well.
        (TLS_FIRST, {"cutovers": MADE, "soak": 5.0}, 4, Step.CLIENT_CUTOVER),
        (TLS_FIRST[4:], {"cutovers": {"one": Cutover(Step.CLIENT_CUTOVER)}, "soak": 5.0}, 2, None),
        ((), {"cutovers": MADE}, 0, None),
    ],
)
def test_where_a_script_stops(
    monkeypatch: pytest.MonkeyPatch, steps: tuple[Step, ...], request_: dict[str, Any], made: int, cutover: Step | None
) -> None:
    group = run(monkeypatch, steps, **request_)
    assert tuple(group.completed_steps) == steps[:made]
    assert group.cutover is cutover
    assert group.outcome()["cutover_stage"] == (cutover.value if cutover else None)
    group.error = "one: failed."
    assert group.cutover is None


def test_a_group_that_failed_before_its_client_cutover_stopped_at_none() -> None:
    group = GroupRun("one", step_plan=StepPlan((Step.ROTATE, Step.CLIENT_CUTOVER)))
    assert group.cutover is None
    group.through(Step.ROTATE)
    assert group.cutover is Step.CLIENT_CUTOVER


# --- What the plan shows of it


@pytest.mark.parametrize(
    ("setting", "rotate", "clients"),
    [
        ({}, 2, 0),  # the record before ROTATE and after it
        ({"at_once": True, "cutover": True}, 1, 1),  # SET follows, and until when clients have time is put on record
        ({"at_once": True, "made": Step.CLIENT_CUTOVER, "cutover": True}, 1, 1),
        ({"at_once": True, "made": Step.CLIENT_CUTOVER_TLS}, 2, 0),  # it stops before SET
    ],
)
def test_the_records_in_the_plan(setting: dict[str, Any], rotate: int, clients: int) -> None:
    calls = calls_of(
        StepPlan((Step.ROTATE, Step.CLIENT_CUTOVER, Step.SET)), Setting(Operation.ENABLE_AUTH, "one", **setting)
    )
    records = [call["step"] for call in calls if call["action"] == "AddTagsToResource"]
    assert (records.count("rotate"), records.count("client_cutover")) == (rotate, clients)
