# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What a result says of a group's state is what was seen after the last call, or else before it, or "unknown".

A table of operations and failures: whatever a result says must hold of the emulator's truth.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.cut_off import rotation
from integration.direct import ModuleRun, auth, run
from integration.role_scenes import due_fleet, labelled
from integration.scenes import GROUP, USERS, A, B, create_user_group, scene, slots
from integration.time_is_up import seen_since, time_is_up

from ansible_collections.elasticache.auth.plugins.module_utils._auth import carry_out, staleness
from ansible_collections.elasticache.auth.plugins.module_utils._operation.report import report_of
from ansible_collections.elasticache.auth.plugins.module_utils._operation.run_file import RunFile, write_whole

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.1)

MODIFY, DESCRIBE = "ModifyReplicationGroup", "DescribeReplicationGroups"
_REFUSED = {"kind": "error", "code": "InvalidParameterValue", "message": "No.", "status": 400}
_DENIED = {"kind": "error", "code": "AccessDenied", "message": "no", "status": 403, "times": 99}
#: What goes wrong with a change: faults, further options, and whether the end of the call can be seen.
FAILURES: dict[str, tuple[list[dict[str, Any]], dict[str, Any], bool]] = {
    "refused": ([{**_REFUSED, "action": MODIFY}], {}, True),
    "throttled for good": ([{"kind": "error", "code": "Throttling", "action": MODIFY, "times": 9999}], {}, True),
    "no look before the call": ([{**_DENIED, "action": DESCRIBE, "nth": 3}], {}, True),
    "no record": ([{**_DENIED, "action": "AddTagsToResource"}], {}, True),
    "never ends": ([{"kind": "never-ends"}], {"wait_timeout": 0.5}, False),
    "no look after the call": ([{**_DENIED, "action": DESCRIBE, "nth": 4}], {}, False),
    "lost answer, carried out": (
        [{"kind": "drop", "action": MODIFY, "when": "after"}, {**_DENIED, "action": DESCRIBE, "nth": 4}],
        {},
        False,
    ),
    "lost answer, not carried out": (
        [{"kind": "drop", "action": MODIFY, "when": "before"}, {**_DENIED, "action": DESCRIBE, "nth": 4}],
        {},
        False,
    ),
    "not waited for": ([], {"wait": False}, False),
    "nothing": ([], {}, True),
}
OPERATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "rotate": ("required", "rotate", {"token": B, "known_auth_tokens": [A]}),
    "set": ("rotating", "set", {"token": B, "known_auth_tokens": [A]}),
    "delete": ("required", "delete", {"known_auth_tokens": [A], "user_group_ids": [USERS]}),
    "leave RBAC": ("rbac", "rotate", {"token": B, "known_auth_tokens": [], "remove_user_groups": True}),
}
NAMES = {A: "known token 1", B: "the token given"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staleness, "GRACE", 0.3)
    monkeypatch.setattr(carry_out, "_NODES_GRACE", 0.3)


def truth(emulator: Emulator) -> str:
    """The state in which the group is, in the words of a result."""
    group = emulator.group(GROUP)
    tokens = ", then ".join(NAMES.get(str(token), str(token)) for token in group["slots"] if token)
    inside = ", ".join(group["user_group_ids"]) if group["mode"] == "rbac" else tokens
    return f"{group['mode']} ({inside})" if inside else str(group["mode"])


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_of_a_change(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, operation: str, failure: str) -> None:
    state, strategy, given = OPERATIONS[operation]
    faults, more, is_seen = FAILURES[failure]
    if failure == "throttled for good":
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        monkeypatch.setattr(
            "ansible_collections.elasticache.auth.plugins.module_utils._aws.clients.Clients.patience", 1.0
        )
    if operation == "delete":
        create_user_group(emulator)
    scene(emulator, "required" if state == "rotating" else state)
    if state == "rotating":  # by the module itself, whose record tells which is the newer token
        assert auth(emulator, "rotate", B, known_auth_tokens=[A]).changed
    before = truth(emulator)
    emulator.faults(*faults) if faults else None
    options = {name: value for name, value in given.items() if name != "token"}
    ended = auth(emulator, strategy, given.get("token"), **{**options, **more})
    assert ended.failed == (failure not in ("nothing", "not waited for")), ended.msg
    after = ended.of(GROUP)["after"]
    if is_seen:
        assert after["possible_states"] == [truth(emulator)]
        assert after["mode"] == emulator.group(GROUP)["mode"]
    else:
        assert after["mode"] is None
        assert {before, truth(emulator)} <= set(after["possible_states"])
        assert ended.changed
    if ended.failed and is_seen:
        assert truth(emulator) == before
        assert not ended.changed


def seen_after_call(emulator: Emulator, number: int) -> bool:
    """Whether the group was looked at after the change of that number had been called for."""
    calls = emulator.calls(action=MODIFY)
    return len(calls) >= number and seen_since(emulator, GROUP, calls[number - 1]["time"])


class TestARotation:
    """The operation's result, its summary and its run file tell the same."""

    def told(self, ended: ModuleRun, tmp_path: Path) -> str:
        """Return the group's current state, as the role's report, its file and the wave's summary have it."""
        report = report_of(GROUP, ended.of(GROUP), "rotate_token")
        file = RunFile.begun(str(tmp_path / "result.json"), "rotate_token", "run", ["localhost"], [])
        file.put(GROUP, None, None, report)
        write_whole(file.path, file.text())
        current_state = str(report["current_state"])
        assert RunFile.read(file.path).groups[0]["current_state"] == current_state
        assert file.summary().endswith(f"Current states: 1 {current_state}.")
        assert ended.of(GROUP)["current_state"] == current_state
        return current_state

    def rotate(self, emulator: Emulator, **more: Any) -> ModuleRun:
        options = {"replication_group_ids": [GROUP], "continue_on_error": True, **more}
        return run(emulator, "auth_operation", rotation(emulator, **options), hidden=[A])

    @pytest.mark.parametrize(
        ("nth", "current_state"),
        [
            (1, "required (the token in AWSCURRENT)"),
            (2, "rotating (the token in AWSPREVIOUS, then the token in AWSCURRENT)"),
        ],
        ids=["rotate", "set"],
    )
    def test_refused(self, emulator: Emulator, tmp_path: Path, nth: int, current_state: str) -> None:
        due_fleet(emulator, [GROUP], A)
        emulator.faults({**_REFUSED, "action": MODIFY, "nth": nth})
        ended = self.rotate(emulator)
        assert ended.of(GROUP)["failed"]
        assert self.told(ended, tmp_path) == current_state
        labels = labelled(emulator)
        expected = [A] if nth == 1 else [labels["AWSPREVIOUS"], labels["AWSCURRENT"]]
        assert slots(emulator) == expected
        assert ended.of(GROUP)["initial_state"] == "required (the token in AWSCURRENT)"

    @pytest.mark.parametrize(
        ("nth", "current_state"),
        [
            (
                1,
                [
                    "required (the token in AWSCURRENT)",
                    "rotating (the token in AWSCURRENT, then the token in AWSPENDING)",
                ],
            ),
            (
                2,
                [
                    "required (the token in AWSCURRENT)",
                    "rotating (the token in AWSPREVIOUS, then the token in AWSCURRENT)",
                ],
            ),
        ],
        ids=["rotate", "set"],
    )
    def test_not_seen_to_end(
        self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, nth: int, current_state: list[str]
    ) -> None:
        due_fleet(emulator, [GROUP], A)
        emulator.faults({"kind": "never-ends", "action": MODIFY, "nth": nth})
        time_is_up(monkeypatch, lambda: seen_after_call(emulator, nth))
        ended = self.rotate(emulator)
        assert ended.of(GROUP)["failed"], ended.of(GROUP)
        assert "rotate" in ended.of(GROUP)["completed_steps" if nth == 2 else "remaining_steps"]
        assert self.told(ended, tmp_path) == f"unknown: {' or '.join(current_state)}"

    def test_through(self, emulator: Emulator, tmp_path: Path) -> None:
        due_fleet(emulator, [GROUP], A)
        ended = self.rotate(emulator)
        assert self.told(ended, tmp_path) == "required (the token in AWSCURRENT)"

    def test_up_to_the_client_cutover(self, emulator: Emulator, tmp_path: Path) -> None:
        """The labels moved after the last call on the group: the tokens are told by those that they have now."""
        due_fleet(emulator, [GROUP], A)
        ended = self.rotate(emulator, phase="begin", soak=None)
        told = self.told(ended, tmp_path)
        assert told == "rotating (the token in AWSPREVIOUS, then the token in AWSCURRENT)"
