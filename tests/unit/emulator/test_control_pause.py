# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The fault ``pause``: a call stands still until the fault is removed, and then goes on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from unit.emulator.control_support import GROUP, TOKEN_A, TOKEN_B, create, make_state, modify

pytestmark = pytest.mark.emulator(data_plane="none", modify_seconds=0, create_seconds=0)

ROTATE: dict[str, Any] = {"AuthToken": TOKEN_B, "AuthTokenUpdateStrategy": "ROTATE"}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_paused_call_goes_on(emulator: Any, when: str) -> None:
    make_state(emulator, "required")
    emulator.faults({"kind": "pause", "action": "Modify*", "id": GROUP, "when": when})
    with ThreadPoolExecutor(1) as pool:
        paused = pool.submit(modify, emulator, wait=False, **ROTATE)
        emulator.wait_struck()
        if when == "after":  # the effect is there while the answer isn't
            assert emulator.wait_available(GROUP)["slots"] == [TOKEN_A, TOKEN_B]
        create(emulator, "other")  # every other call goes on
        modify(emulator, "other", **ROTATE)
        assert not paused.done()
        assert emulator.group(GROUP)["slots"] == ([TOKEN_A] if when == "before" else [TOKEN_A, TOKEN_B])
        emulator.clear_faults()
        assert paused.result(60)["ReplicationGroupId"] == GROUP
    assert emulator.wait_available(GROUP)["slots"] == [TOKEN_A, TOKEN_B]
    [call] = emulator.calls(action="ModifyReplicationGroup", id=GROUP)
    assert (call["fault"], call["code"], call["status"]) == ("pause", None, 200)


def test_what_happened_meanwhile_counts(emulator: Any) -> None:
    """A call that is carried out after another's is refused as AWS would refuse it then."""
    make_state(emulator, "required")
    emulator.faults({"kind": "pause", "action": "Modify*"})
    with ThreadPoolExecutor(1) as pool:
        paused = pool.submit(modify, emulator, wait=False, **ROTATE)
        emulator.wait_struck()
        emulator.hold(GROUP)
        modify(emulator, wait=False, **ROTATE)  # times is 1: this one is not struck
        emulator.clear_faults()
        assert "InvalidReplicationGroupState" in str(paused.exception(60))


def test_one_after_the_other(emulator: Any) -> None:
    """Faults are removed by their members."""
    for group in ("a", "b"):
        create(emulator, group, AuthToken=TOKEN_A)
    emulator.faults(*({"kind": "pause", "action": "Modify*", "id": group} for group in ("a", "b")))
    with ThreadPoolExecutor(2) as pool:
        paused = {group: pool.submit(modify, emulator, group, wait=False, **ROTATE) for group in ("a", "b")}
        emulator.wait_struck(2)
        emulator.clear_faults(kind="pause", id="b")
        paused["b"].result(60)
        assert not paused["a"].done()
        assert [fault["id"] for fault in emulator.faults()] == ["a"]
        emulator.clear_faults()
        paused["a"].result(60)


def test_a_reset_lets_it_go_on(emulator: Any) -> None:
    """It finds what there is then."""
    make_state(emulator, "required")
    emulator.faults({"kind": "pause", "action": "Modify*"})
    with ThreadPoolExecutor(1) as pool:
        paused = pool.submit(modify, emulator, wait=False, **ROTATE)
        emulator.wait_struck()
        emulator.reset()
        assert "ReplicationGroupNotFound" in str(paused.exception(60))
