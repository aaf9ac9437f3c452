# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Somebody else changes a group between our decision and our call: no call is made that was right only before that.

AWS has no conditional modify. So the group is described again before each attempt of each call, and planned for anew
where it is not as it was.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from integration.cut_off import rotation
from integration.direct import ModuleRun, auth, calls_by_action, fork, modifies, run
from integration.role_scenes import due_fleet, labelled
from integration.scenes import (
    GROUP,
    A,
    B,
    C,
    create,
    create_user_group,
    modify,
    rotate,
    scene,
    set_token,
    slots,
    wait_for_users,
)
from waiting import PATIENCE, wait_until

from ansible_collections.elasticache.auth.plugins.module_utils._auth import carry_out
from ansible_collections.elasticache.auth.plugins.module_utils._auth.change_run import ChangeRun
from ansible_collections.elasticache.auth.plugins.module_utils._aws import lifecycle, records
from ansible_collections.elasticache.auth.plugins.module_utils._aws import modify as modifying
from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import Clients
from ansible_collections.elasticache.auth.plugins.module_utils._aws.groups import ChangedSince
from ansible_collections.elasticache.auth.plugins.module_utils._core.record import Entry, decode
from ansible_collections.elasticache.auth.plugins.module_utils._resource import reconcile
from ansible_collections.elasticache.auth.plugins.module_utils._resource.users import UserSpec

if TYPE_CHECKING:
    from conftest import Emulator

TAG = "elasticache.auth/record"
MODIFY, WRITE = "ModifyReplicationGroup", "AddTagsToResource"
SOAK = 15  # seconds


def history(emulator: Emulator, group: str = GROUP) -> list[list[str | None]]:
    """Each set of credentials that the group has accepted, in order."""
    states = [moment["slots"] for moment in emulator.group(group)["history"]]
    return [now for before, now in zip([None, *states], states, strict=False) if now != before]


@contextlib.contextmanager
def throttled_once(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, action: str, meanwhile: Callable[[], None]
) -> Iterator[None]:
    """AWS throttles the first call of ``action``; ``meanwhile`` something is done, before it is attempted again."""
    emulator.faults({"kind": "throttle", "action": action, "times": 1})
    pause, done = Clients.pause, list[float]()

    def late(clients: Clients, seconds: float) -> None:
        if not done and any(call["code"] for call in emulator.calls(action=action)):
            done.append(seconds)
            meanwhile()
        pause(clients, seconds)

    monkeypatch.setattr(Clients, "pause", late)
    yield
    assert done


@contextlib.contextmanager
def held_before(
    monkeypatch: pytest.MonkeyPatch, action: str, meanwhile: Callable[[], None], *, nth: int = 1
) -> Iterator[None]:
    """The nth call of ``action`` is held where it would wait for its turn; ``meanwhile`` something is done."""
    paced, met = Clients.paced, list[str]()

    def late(clients: Clients, what: str, call: Callable[[], Any], **more: Any) -> Any:
        if what == action:
            met.append(what)
            if len(met) == nth:
                meanwhile()
        return paced(clients, what, call, **more)

    monkeypatch.setattr(Clients, "paced", late)
    yield
    assert len(met) >= nth


def foreign_rotation(emulator: Emulator) -> Callable[[], None]:
    return lambda: rotate(emulator, C)


def own_rotation(emulator: Emulator) -> Callable[[], None]:
    """Another run of ours, from its look to its end."""

    def go() -> None:
        args = {
            "replication_group_id": GROUP,
            "auth_token_update_strategy": "rotate",
            "auth_token": C,
            "known_auth_tokens": [A],
            "data_plane_ca_path": emulator.ca_bundle,
            "wait_delay": 0.1,
        }
        ended = json.loads(fork(emulator, "replication_group_auth", args).communicate(timeout=PATIENCE)[0])
        assert ended["changed"], ended

    return go


def nothing_read_before_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let records that were read in bulk a moment ago, before the other run wrote its own, not be taken for the latest.

    Else those of six groups count for 60 ms, in which another run may write one and be killed.
    """
    monkeypatch.setattr(records, "_READ_COUNTS_FOR", 0.0)
    monkeypatch.setattr(records, "_READ_PER_CALL", 0.0)


Other = Callable[["Emulator"], Callable[[], None]]


@pytest.mark.parametrize("other", [foreign_rotation, own_rotation])
@pytest.mark.parametrize("probe", ["auto", "never"])
class TestRotate:
    """Their ROTATE(C) has ended when ours is attempted: A, which every client uses, stays accepted."""

    def check(self, emulator: Emulator, ended: ModuleRun) -> None:
        assert history(emulator) == [[A], [A, C]]
        assert ended.failed, ended.msg
        assert not ended.changed
        assert ended.of(GROUP)["api_calls"] == []
        assert any("It is planned anew" in warning for warning in ended.warnings)
        record = emulator.group(GROUP)["tags"].get(TAG, "")
        assert " rotate:" not in record, record

    def test_after_a_throttled_attempt(
        self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, other: Other, probe: str
    ) -> None:
        scene(emulator, "required")
        with throttled_once(emulator, monkeypatch, MODIFY, other(emulator)):
            ended = auth(emulator, "rotate", B, known_auth_tokens=[A], assume_state="required", probe=probe)
        self.check(emulator, ended)

    @pytest.mark.parametrize("action", [WRITE, MODIFY])
    def test_held_before_the_call(
        self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, other: Other, probe: str, action: str
    ) -> None:
        scene(emulator, "required")
        with held_before(monkeypatch, action, other(emulator)):
            ended = auth(emulator, "rotate", B, known_auth_tokens=[A], assume_state="required", probe=probe)
        self.check(emulator, ended)
        if other is own_rotation:
            # What the other run has written down stays, or is at least not contradicted.
            again = auth(emulator, "rotate", C, known_auth_tokens=[A])
            assert not again.failed, again.msg
            assert not again.changed


def test_what_the_caller_said_is_not_held_against_what_came_after(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else has rotated and set C meanwhile: neither the word nor the force given for A counts there."""

    def meanwhile() -> None:
        rotate(emulator, C)
        set_token(emulator, C)

    scene(emulator, "required")
    with throttled_once(emulator, monkeypatch, MODIFY, meanwhile):
        ended = auth(emulator, "rotate", B, known_auth_tokens=[A, C], assume_state="required", force=True)
    assert ended.failed
    assert "was changed by someone else since this collection last did (drift)" in ended.msg
    assert history(emulator) == [[A], [A, C], [C]]


def test_a_change_under_way_is_waited_for(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has nothing to do with the token, and the call is made afterwards, once."""
    scene(emulator, "required")

    def meanwhile() -> None:
        modify(emulator, wait=False, SnapshotRetentionLimit=1)

    with held_before(monkeypatch, MODIFY, meanwhile):
        ended = auth(emulator, "rotate", B, known_auth_tokens=[A])
    assert not ended.failed, ended.msg
    assert history(emulator) == [[A], [A, B]]
    assert not [call for call in emulator.calls(action=MODIFY) if call["code"]]


def test_the_same_done_by_another_run_is_no_error(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    scene(emulator, "required")
    emulator.variants({"rotate-same-twice": "slot-lost"})
    with held_before(monkeypatch, MODIFY, lambda: rotate(emulator, B)):
        ended = auth(emulator, "rotate", B, known_auth_tokens=[A])
    assert not ended.failed, ended.msg
    assert not ended.changed
    assert history(emulator) == [[A], [A, B]]


def test_set_is_not_made_for_a_group_that_has_moved_on(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """[A, B] has become [B, C]; SET(B) takes the older one, and what AWS does then nobody has shown."""
    scene(emulator, "rotating")
    before = modifies(emulator)
    with throttled_once(emulator, monkeypatch, MODIFY, foreign_rotation(emulator)):
        ended = auth(emulator, "set", B, known_auth_tokens=[A, C], assume_state="rotating")
    assert ended.failed
    assert slots(emulator) == [B, C]
    assert modifies(emulator) == before + 2  # the one that was throttled, and theirs


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken"])
def test_without_a_look_there_is_no_call(emulator: Emulator, code: str) -> None:
    scene(emulator, "required")
    emulator.faults(
        {"kind": "error", "action": "DescribeReplicationGroups", "code": code, "nth": 3, "times": 1, "status": 403}
    )
    ended = auth(emulator, "rotate", B, known_auth_tokens=[A])
    assert ended.failed
    assert not ended.changed
    assert "it could not be looked at again before it is changed. elasticache:DescribeReplicationGroups" in ended.msg
    assert modifies(emulator) == 0
    assert emulator.group(GROUP)["tags"][TAG].startswith("v1 required:")
    assert " rotate:" not in emulator.group(GROUP)["tags"][TAG]


class TestAnOperation:
    """What is left of it is planned anew: the secret, too, may be another one by then."""

    def rotate(self, emulator: Emulator, **more: Any) -> ModuleRun:
        options = {"replication_group_ids": [GROUP], "continue_on_error": True, **more}
        return run(emulator, "auth_operation", rotation(emulator, **options), hidden=[A])

    def other(self, emulator: Emulator, **more: Any) -> Callable[[], None]:
        def go() -> None:
            args = rotation(emulator, replication_group_ids=[GROUP], **more)
            ended = json.loads(fork(emulator, "auth_operation", args).communicate(timeout=PATIENCE)[0])
            assert not ended.get("failed"), ended

        return go

    @pytest.mark.emulator(data_plane="light", modify_seconds=0.1, variants={"rotate-same-twice": "slot-lost"})
    @pytest.mark.parametrize("phase", ["all", "begin"])
    @pytest.mark.parametrize("nth", [1, 2], ids=["rotate", "set"])
    def test_two_runs_of_ours(self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, phase: str, nth: int) -> None:
        due_fleet(emulator, [GROUP], A)
        more = {"phase": phase, **({"soak": None} if phase == "begin" else {})}
        with held_before(monkeypatch, MODIFY, self.other(emulator, **more), nth=nth):
            ended = self.rotate(emulator)
        assert not ended.of(GROUP)["failed"], ended.msg
        labels = labelled(emulator)
        assert history(emulator) == [[A], [A, labels["AWSCURRENT"]], [labels["AWSCURRENT"]]]
        assert set(labels) == {"AWSCURRENT", "AWSPREVIOUS"}
        assert ended.of(GROUP)["current_state"] == "required (the token in AWSCURRENT)"
        assert ended.of(GROUP)["initial_state"] == "required (the token in AWSCURRENT)"

    @pytest.mark.emulator(data_plane="light", modify_seconds=0.1)
    def test_a_third_party(self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        due_fleet(emulator, [GROUP], A)
        with throttled_once(emulator, monkeypatch, MODIFY, foreign_rotation(emulator)):
            ended = self.rotate(emulator)
        assert ended.of(GROUP)["failed"]
        assert "drift" in ended.msg
        assert history(emulator) == [[A], [A, C]]
        assert labelled(emulator)["AWSCURRENT"] == A
        assert "rotating (the token in AWSCURRENT, then an unknown token)" in ended.of(GROUP)["current_state"]

    @pytest.mark.emulator(data_plane="light", modify_seconds=0.1)
    def test_again_and_again(self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        """Somebody changes it whenever it is to be called: that has an end."""
        due_fleet(emulator, [GROUP], A)
        paced, tokens = Clients.paced, [f"{C}-{number}" for number in range(40)]

        def late(clients: Clients, what: str, call: Callable[[], Any], **more: Any) -> Any:
            if what == MODIFY:
                rotate(emulator, tokens.pop())
                set_token(emulator, emulator.group(GROUP)["slots"][-1])
            return paced(clients, what, call, **more)

        monkeypatch.setattr(Clients, "paced", late)
        ended = self.rotate(emulator)
        assert ended.of(GROUP)["failed"]
        assert len(slots(emulator)) == 1


class TestManyGroups:
    """A look at all groups serves all those that are about to be called, for two seconds, and none after a refusal."""

    GROUPS = tuple(f"group-{number}" for number in range(12))

    def hold_others(self, emulator: Emulator, group: str) -> None:
        """So that there are many at work."""
        for other in self.GROUPS:
            if other != group:
                emulator.hold(other, MODIFY)

    @pytest.mark.emulator(data_plane="light", modify_seconds=0.1)
    def test_one_of_them_is_changed_by_someone_else(self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        due_fleet(emulator, list(self.GROUPS), A)
        taken = self.GROUPS[-1]
        emulator.faults({"kind": "throttle", "action": MODIFY, "id": taken, "times": 1})
        pause, call, done, throttled = Clients.pause, modifying.modify, list[float](), list[int]()

        def modify_once(clients: Clients, group: Any, *arguments: Any) -> None:
            try:
                call(clients, group, *arguments)
            except ClientError:
                throttled.append(threading.get_ident())
                raise

        def late(clients: Clients, seconds: float) -> None:
            if not done and threading.get_ident() in throttled:
                done.append(seconds)
                rotate(emulator, C, taken)
            pause(clients, seconds)

        monkeypatch.setattr(modifying, "modify", modify_once)
        monkeypatch.setattr(Clients, "pause", late)
        options = rotation(emulator, replication_group_ids=list(self.GROUPS), continue_on_error=True)
        ended = run(emulator, "auth_operation", options)
        assert done
        assert [key for key, one in ended.outcomes.items() if one["failed"]] == [taken]
        assert history(emulator, taken) == [[A], [A, C]]
        assert labelled(emulator, taken)["AWSCURRENT"] == A

    @pytest.mark.emulator(data_plane="light", modify_seconds=0.1)
    def test_a_client_cutover_of_another_run(self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is put on record between our look and our SET, and nothing else shows it: SET waits for its end."""
        due_fleet(emulator, list(self.GROUPS), A)
        options = rotation(emulator, replication_group_ids=list(self.GROUPS), continue_on_error=True)
        begun = run(emulator, "auth_operation", {**options, "phase": "begin", "soak": None})
        assert not begun.failed, begun.msg
        nothing_read_before_counts(monkeypatch)
        taken, record, until = self.GROUPS[-1], carry_out._record, list[int]()

        def cutover() -> int | None:
            return decode(emulator.group(taken)["tags"][TAG]).cutover_until

        def other() -> None:
            process = fork(emulator, "auth_operation", rotation(emulator, replication_group_ids=[taken], soak=SOAK))
            wait_until(cutover, "the other run has put its client cutover on record")
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

        def late(clients: Clients, case: ChangeRun, entry: Entry | None) -> Entry | None:
            if case.progress.id == taken and not until:
                other()
                until.append(cutover() or 0)
                emulator.release()
            return record(clients, case, entry)

        monkeypatch.setattr(carry_out, "_record", late)
        self.hold_others(emulator, taken)
        ended = run(emulator, "auth_operation", {**options, "wait_timeout": PATIENCE})
        assert not ended.failed, ended.msg
        made = {group: emulator.calls(action=MODIFY, id=group)[-1]["time"] for group in self.GROUPS}
        assert made[taken] >= until[0]
        assert any(f"{taken}: SET was made" in warning for warning in ended.warnings), ended.warnings
        assert all(len(slots(emulator, group)) == 1 for group in self.GROUPS)

    @pytest.mark.emulator(data_plane="light", modify_seconds=0.1)
    def test_the_record_of_another_run_is_not_overwritten(
        self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It has announced its ROTATE, and was cut off before that: what we write down does not hide it."""
        due_fleet(emulator, list(self.GROUPS), A)
        nothing_read_before_counts(monkeypatch)
        taken, record, theirs = self.GROUPS[-1], carry_out._record, list[str]()

        def late(clients: Clients, case: ChangeRun, entry: Entry | None) -> Entry | None:
            if case.progress.id == taken and not theirs:
                assert entry is not None
                # Both announce the same ROTATE: of the same second, theirs would be ours in every letter.
                wait_until(lambda: int(time.time()) > entry.written_at, "their record will be of a later second")
                emulator.faults({"kind": "halt", "action": MODIFY, "id": taken})
                process = fork(emulator, "auth_operation", rotation(emulator, replication_group_ids=[taken]))
                emulator.wait_struck()
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                emulator.clear_faults()
                theirs.append(emulator.group(taken)["tags"][TAG])
                assert " rotate:" in theirs[0]
                with contextlib.suppress(ChangedSince):
                    record(clients, case, entry)
                    theirs.append("overwritten")
                emulator.release()
                raise RuntimeError
            return record(clients, case, entry)

        monkeypatch.setattr(carry_out, "_record", late)
        self.hold_others(emulator, taken)
        options = rotation(emulator, replication_group_ids=list(self.GROUPS), continue_on_error=True)
        ended = run(emulator, "auth_operation", options)
        assert [key for key, one in ended.outcomes.items() if one["failed"]] == [taken]
        assert theirs == [emulator.group(taken)["tags"][TAG]]

    @pytest.mark.emulator(data_plane="light", modify_seconds=0.1)
    def test_how_often_records_are_read(self, emulator: Emulator) -> None:
        """Those of all groups by the page, and singly where few groups are left."""
        due_fleet(emulator, list(self.GROUPS), A)
        options = rotation(emulator, replication_group_ids=list(self.GROUPS))
        ended = run(emulator, "auth_operation", options)
        assert not ended.failed, ended.msg
        counted = calls_by_action(emulator.calls())
        assert counted[WRITE] == 3 * len(self.GROUPS)
        assert counted["GetResources"] < counted[WRITE] / 2
        assert counted.get("ListTagsForResource", 0) <= 3 * records.READ_SINGLY


@contextlib.contextmanager
def late(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, meanwhile: Callable[[], object]) -> Iterator[None]:
    """Do something once, right before a function of a module is entered."""
    function, done = getattr(module, name), list[str]()

    def wrapped(*arguments: Any, **more: Any) -> Any:
        if not done:
            done.append(name)
            meanwhile()
        return function(*arguments, **more)

    monkeypatch.setattr(module, name, wrapped)
    yield
    assert done


class TestOtherCalls:
    """Not only tokens are changed."""

    def test_a_user_that_has_come_to_serve_others(self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        create_user_group(emulator, "ug-1")

        def meanwhile() -> None:
            emulator.client("elasticache").create_user_group(UserGroupId="ug-2", Engine="valkey", UserIds=["ug-1-user"])
            wait_for_users(emulator, "ug-2")

        args = {"user_id": "ug-1-user", "access_string": "off -@all", "exclusive_to_user_groups": ["ug-1"]}
        with late(monkeypatch, reconcile, "_act", meanwhile):
            ended = run(emulator, "user", {**args, "wait_delay": 0.1})
        assert ended.failed
        assert "the user is also in" in ended.msg
        assert not emulator.calls(action="ModifyUser")

    def test_a_user_group_that_has_come_to_serve_others(
        self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        create_user_group(emulator, "ug-1")
        args = {
            "user_group_id": "ug-1",
            "user_ids": ["default"],
            "engine": "redis",
            "exclusive_to_replication_groups": ["other"],
            "wait_delay": 0.1,
        }
        with late(monkeypatch, reconcile, "_act", lambda: create(emulator, UserGroupIds=["ug-1"])):
            ended = run(emulator, "user_group", args)
        assert ended.failed
        assert "the user group also serves" in ended.msg
        assert not emulator.calls(action="ModifyUserGroup")

    def test_a_record_of_a_users_passwords_that_is_newer(
        self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two runs set the same user's passwords: the second one looks at what the first one has left."""
        args = {"user_id": "app", "authentication": "password", "passwords": [A], "access_string": "on ~* +@all"}
        args |= {"engine": "valkey", "user_name": "app"}
        assert run(emulator, "user", {**args, "wait_delay": 0.1}).changed

        def other() -> None:
            given = {**args, "passwords": [B], "wait_delay": 0.1}
            ended = json.loads(fork(emulator, "user", given).communicate(timeout=PATIENCE)[0])
            assert ended["changed"], ended

        before = len(emulator.calls(action="ModifyUser"))
        with late(monkeypatch, UserSpec, "ahead", other):
            ended = run(emulator, "user", {**args, "passwords": [B], "wait_delay": 0.1})
        assert not ended.failed, ended.msg
        assert not ended.changed
        assert len(emulator.calls(action="ModifyUser")) == before + 1

    @pytest.mark.parametrize(
        "options",
        [
            {"user_group_ids": ["ug-1"]},
            {"snapshot_retention_limit": 3},
            {"state": "absent"},
            {"transit_encryption_mode": "preferred"},
        ],
        ids=lambda value: str(next(iter(value))),
    )
    def test_a_group_on_which_a_change_has_begun(
        self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
    ) -> None:
        """It is waited for, and no call is made that AWS refuses."""
        create_user_group(emulator, "ug-1")
        create(emulator)
        emulator.settings(modify_seconds=0.5)

        def meanwhile() -> None:
            modify(emulator, wait=False, SnapshotWindow="05:00-09:00")

        with late(monkeypatch, lifecycle, "perform", meanwhile):
            ended = run(emulator, "replication_group", {"replication_group_id": GROUP, "wait_delay": 0.1, **options})
        assert not ended.failed, ended.msg
        assert ended.changed
        assert not [call for call in emulator.calls(mutating="true") if call["code"]]

    def test_a_token_that_is_not_in_force_any_more(self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        """It was found in force before somebody else changed it."""
        create(emulator, AuthToken=A)

        def meanwhile() -> None:
            rotate(emulator, C)
            set_token(emulator, C)

        args = {"replication_group_id": GROUP, "auth_token": A, "snapshot_retention_limit": 3, "wait_delay": 0.1}
        before = modifies(emulator)
        with late(monkeypatch, lifecycle, "perform", meanwhile):
            ended = run(emulator, "replication_group", {**args, "data_plane_ca_path": emulator.ca_bundle})
        assert ended.failed
        assert "sessions: the token given is not in force" in ended.msg
        assert not ended.changed
        assert modifies(emulator) == before + 2  # theirs

    def test_user_groups_are_not_given_to_a_group_that_has_got_a_token(
        self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        create_user_group(emulator, "ug-1")
        create(emulator)
        with late(monkeypatch, lifecycle, "perform", lambda: rotate(emulator, A)):
            ended = run(
                emulator,
                "replication_group",
                {"replication_group_id": GROUP, "user_group_ids": ["ug-1"], "wait_delay": 0.1},
            )
        assert ended.failed
        assert "an AUTH token is in force, and user groups take its place in one call only" in ended.msg
        assert history(emulator) == [[None], [None, A]]
        assert len(emulator.calls(action=MODIFY)) == 1
