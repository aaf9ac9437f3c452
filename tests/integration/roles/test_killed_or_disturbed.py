# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Runs that are killed, and others at work on the same group: the next run finishes, and none acts on a guess.

What counts is the server's history: a change is carried out once, or not at all.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import auth, fork, modifies, run
from integration.faulty import carried_out, record, short_grace
from integration.meanwhile import Once, called, meanwhile
from integration.scenes import GROUP, A, B, C, D, rotate, scene, set_token, slots
from waiting import PATIENCE

from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import Clients

if TYPE_CHECKING:
    from conftest import Emulator


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    short_grace(monkeypatch)


class TestAKilledRun:
    """SIGKILL to the whole tree; the next identical run finishes, and makes no second ROTATE."""

    @pytest.fixture(params=["light", "none"])
    def emulator(
        self, request: pytest.FixtureRequest, emulators: Callable[[str], Emulator], _short_grace: None
    ) -> Iterator[Emulator]:
        """With nodes in reach, and without."""
        running = emulators(request.param)
        running.variants({"rotate-same-twice": "slot-lost"})
        running.settings(modify_seconds=0.3)
        yield running
        running.reset()

    def args(self, emulator: Emulator, **more: Any) -> dict[str, Any]:
        return {
            "replication_group_id": GROUP,
            "auth_token_update_strategy": "rotate",
            "auth_token": B,
            "known_auth_tokens": [A],
            "assume_state": "required",
            "wait_delay": 0.1,
            **({"data_plane_ca_path": emulator.ca_bundle} if emulator.ca_bundle else {}),
            **more,
        }

    def kill_once(self, emulator: Emulator, args: Mapping[str, Any], moment: Callable[[], bool]) -> None:
        process = fork(emulator, "replication_group_auth", args)
        try:
            deadline = time.monotonic() + 120
            while not moment():
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def test_between_the_record_and_the_call(self, emulator: Emulator) -> None:
        """The record announces a call that never came."""
        scene(emulator, "required")
        emulator.faults({"kind": "throttle", "action": "ModifyReplicationGroup"})
        self.kill_once(emulator, self.args(emulator), lambda: modifies(emulator) > 0)
        emulator.clear_faults()
        assert "rotate:f." in record(emulator)
        assert carried_out(emulator) == 0
        args = {name: value for name, value in self.args(emulator).items() if name != "assume_state"}
        ended = run(emulator, "replication_group_auth", args)
        assert ended.changed, ended.msg
        assert slots(emulator) == [A, B]
        assert carried_out(emulator) == 1
        assert record(emulator).startswith("v1 rotating:")

    @pytest.mark.parametrize("moves", ["start", "end"])
    @pytest.mark.parametrize("late", [True, False])
    def test_after_the_call(self, emulator: Emulator, moves: str, late: bool) -> None:
        """The change goes on without us: the next run joins it, or finds it done."""
        emulator.variants({"date-moves": moves})
        scene(emulator, "required")
        emulator.hold()
        self.kill_once(emulator, self.args(emulator), lambda: carried_out(emulator) > 0)
        args = {name: value for name, value in self.args(emulator).items() if name != "assume_state"}
        if late:
            emulator.release()
            emulator.wait_available(GROUP)
            ended = run(emulator, "replication_group_auth", args)
        else:
            with meanwhile(Once(called(emulator, "DescribeReplicationGroups"), emulator.release)):
                ended = run(emulator, "replication_group_auth", args)
        assert not ended.failed, ended.msg
        assert not ended.changed
        assert ended.of(GROUP)["after"]["mode"] == "rotating"
        assert slots(emulator) == [A, B]
        assert carried_out(emulator) == modifies(emulator) == 1

    def test_a_set_after_a_rotate_that_was_cut_off(self, emulator: Emulator) -> None:
        """A set after a rotate whose run was killed: the module that was killed had no time to say anything."""
        scene(emulator, "required")
        emulator.hold()
        self.kill_once(emulator, self.args(emulator), lambda: carried_out(emulator) > 0)
        args = self.args(emulator, auth_token_update_strategy="set")
        args.pop("assume_state")
        with meanwhile(Once(called(emulator, "DescribeReplicationGroups"), emulator.release)):
            ended = run(emulator, "replication_group_auth", args)
        assert ended.changed, ended.msg
        assert slots(emulator) == [B]


class TestOthersAtWork:
    """Someone changes the token behind our back."""

    def begin(self, emulator: Emulator) -> None:
        """required(B), by this collection, with its record."""
        scene(emulator, "required")
        assert auth(emulator, "rotate", B, known_auth_tokens=[A], assume_state="required").changed
        assert auth(emulator, "set", B, known_auth_tokens=[A]).changed

    @pytest.mark.emulator(data_plane="none")
    def test_unseen(self, emulator: Emulator) -> None:
        """The date moved without us: refused, and the drift is told."""
        self.begin(emulator)
        rotate(emulator, C)
        before = modifies(emulator)
        ended = auth(emulator, "rotate", D, known_auth_tokens=[B])
        assert ended.failed
        assert ended.of(GROUP)["drift"] is True
        assert "The token was changed by someone else since this collection last did (drift)" in ended.msg
        assert "AuthTokenLastModifiedDate is 20" in ended.msg
        assert modifies(emulator) == before

    def test_seen_by_the_nodes(self, emulator: Emulator) -> None:
        """The nodes tell what is in force now: refused where that would lock someone out, done where it would not."""
        self.begin(emulator)
        rotate(emulator, C)
        ended = auth(emulator, "rotate", D, known_auth_tokens=[B, C])
        assert ended.failed
        assert ended.of(GROUP)["drift"] is True
        assert "ROTATE would push out" in ended.msg
        set_token(emulator, C)
        done = auth(emulator, "rotate", D, known_auth_tokens=[B, C], assume_state="required")
        assert done.changed, done.msg
        assert done.of(GROUP)["drift"] is True
        assert any("was changed by someone else" in warning for warning in done.warnings)
        assert slots(emulator) == [C, D]
        after = auth(emulator, "rotate", D, known_auth_tokens=[C])
        assert after.of(GROUP)["drift"] is False
        assert not after.changed

    @pytest.mark.parametrize("data_plane", ["none", "light"])
    @pytest.mark.parametrize(
        ("moment", "with_record"),
        [("AddTagsToResource", True), ("ModifyReplicationGroup", True), ("ModifyReplicationGroup", False)],
    )
    def test_in_the_middle_of_ours(
        self, request: pytest.FixtureRequest, data_plane: str, moment: str, with_record: bool
    ) -> None:
        """Their ROTATE arrives between our look and our call: the date that it moves is not taken for our doing."""
        request.node.add_marker(pytest.mark.emulator(data_plane=data_plane))
        emulator: Emulator = request.getfixturevalue("emulator")
        scene(emulator, "required")
        options: dict[str, Any] = {"known_auth_tokens": [A], "assume_state": "required", "record": with_record}
        with interruption(moment, lambda: rotate(emulator, C, wait=False)):
            ended = auth(emulator, "rotate", B, **options)
        emulator.wait_available(GROUP)
        assert slots(emulator) == [A, C]
        assert ended.failed, ended.msg
        assert not ended.changed
        assert carried_out(emulator) == 1
        # Nor does the next run take the record's word for it.
        again = auth(emulator, "rotate", B, record=with_record)
        assert again.failed, again.msg
        assert slots(emulator) == [A, C]

    def test_the_very_same_at_the_same_time(self, emulator: Emulator) -> None:
        """Two runs with the same order: one makes the call, the other joins it; no error, one change."""
        scene(emulator, "required")
        args = {
            "replication_group_id": GROUP,
            "auth_token_update_strategy": "rotate",
            "auth_token": B,
            "known_auth_tokens": [A],
            "data_plane_ca_path": emulator.ca_bundle,
            "wait_delay": 0.1,
        }
        ended = TestTogether.run(emulator, [args, args])
        assert [result.get("failed", False) for result in ended] == [False, False], ended
        assert carried_out(emulator) == 1
        assert slots(emulator) == [A, B]


class TestTogether:
    """Two processes at once."""

    @staticmethod
    def run(emulator: Emulator, orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Run one module a process and return their results."""
        processes = [fork(emulator, "replication_group_auth", args) for args in orders]
        return [json.loads(process.communicate(timeout=PATIENCE)[0]) for process in processes]


class interruption:  # noqa: N801 - reads as a statement
    """Run ``meanwhile`` once, right before the first call of ``action`` leaves this process."""

    def __init__(self, action: str, meanwhile: Callable[[], None]) -> None:
        self._action, self._meanwhile, self._done = action, meanwhile, False
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> None:
        make = Clients._make

        def interrupt(**dummy: Any) -> None:
            if not self._done:
                self._done = True
                self._meanwhile()

        def made(clients: Clients, *arguments: Any) -> Any:
            client = make(clients, *arguments)
            client.meta.events.register(f"before-call.elasticache.{self._action}", interrupt)
            return client

        self._patch.setattr(Clients, "_make", made)

    def __exit__(self, *exception: object) -> None:
        self._patch.undo()
        assert self._done or exception[0], f"{self._action} was never called"
