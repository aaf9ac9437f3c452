# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What is promoted is the version that the group was given, by its id, whoever moves staging labels meanwhile."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from integration.cut_off import rotation
from integration.direct import ModuleRun, run
from integration.role_scenes import KEY, due_fleet, labelled, put_token, secret_name, secret_text
from integration.scenes import GROUP, A, B, C, slots

from ansible_collections.elasticache.auth.plugins.module_utils._aws import secrets as store
from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import Clients
from ansible_collections.elasticache.auth.plugins.module_utils._aws.secrets import SecretCall

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.1)

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
MODIFY = "ModifyReplicationGroup"
MANY = [GROUP, *(f"other-{number}" for number in range(6))]


def stage(emulator: Emulator, token: str = C, group: str = GROUP) -> str:
    """A third party stages a token; AWSPENDING leaves the version that it was on. Returns the id of the new version."""
    client = emulator.client("secretsmanager")
    put = client.put_secret_value(SecretId=secret_name(group), SecretString=secret_text(token), VersionStages=[PENDING])
    return str(put["VersionId"])


def operate(emulator: Emulator, groups: list[str] | None = None, **more: Any) -> ModuleRun:
    options = {"replication_group_ids": groups or [GROUP], "continue_on_error": True, **more}
    return run(emulator, "auth_operation", rotation(emulator, **options), hidden=[A, C])


def meanwhile(emulator: Emulator, groups: list[str], do: Callable[[], object]) -> ModuleRun:
    """Rotate, and do something while the ROTATE of every group is in flight."""
    emulator.hold(action=MODIFY)
    ended: list[ModuleRun] = []
    runner = threading.Thread(target=lambda: ended.append(operate(emulator, groups)))
    runner.start()
    try:
        emulator.wait_held(action=MODIFY, count=len(groups))
        do()
    finally:
        emulator.release()
        runner.join(120)
    return ended[0]


@pytest.mark.parametrize("groups", [[GROUP], MANY], ids=["one", "many"])
def test_another_token_is_staged_while_rotate_is_in_flight(emulator: Emulator, groups: list[str]) -> None:
    due_fleet(emulator, groups, A)
    ended = meanwhile(emulator, groups, lambda: stage(emulator))
    assert [key for key, one in ended.outcomes.items() if one["failed"]] == [GROUP]
    labels = labelled(emulator)
    assert labels == {CURRENT: A, PENDING: C}
    assert slots(emulator)[0] == A
    assert len(slots(emulator)) == 2
    told = ended.of(GROUP)["msg"]
    assert "somebody else has moved the label. No label is moved" in told
    # The way out that it names is one.
    again = operate(emulator)
    assert again.failed or again.of(GROUP)["failed"]
    assert labelled(emulator) == labels
    put_back(emulator, told)
    finished = operate(emulator)
    assert not finished.of(GROUP)["failed"], finished.msg
    assert slots(emulator) == [labelled(emulator)[CURRENT]]
    assert labelled(emulator)[PREVIOUS] == A


def put_back(emulator: Emulator, told: str) -> None:
    """Do as the message says."""
    command = shlex.split(told[told.index("aws secretsmanager update-secret-version-stage") :])
    given = dict(zip(command[3::2], command[4::2], strict=True))
    members = {"".join(word.title() for word in name.strip("-").split("-")): value for name, value in given.items()}
    emulator.client("secretsmanager").update_secret_version_stage(**members)


def test_discarded_while_rotate_is_in_flight(emulator: Emulator) -> None:
    def discard() -> None:
        client = emulator.client("secretsmanager")
        versions = client.describe_secret(SecretId=secret_name())["VersionIdsToStages"]
        pending = next(version for version, stages in versions.items() if PENDING in stages)
        client.update_secret_version_stage(SecretId=secret_name(), VersionStage=PENDING, RemoveFromVersionId=pending)

    due_fleet(emulator, [GROUP], A)
    ended = meanwhile(emulator, [GROUP], discard)
    assert ended.of(GROUP)["failed"]
    assert labelled(emulator) == {CURRENT: A}
    assert "AWSPENDING of the secret elasticache/sessions/auth-token is not on" in ended.of(GROUP)["msg"]
    assert slots(emulator)[0] == A
    put_back(emulator, ended.of(GROUP)["msg"])
    assert not operate(emulator).of(GROUP)["failed"]


def put_current(emulator: Emulator, token: str = C) -> str:
    """A third party puts a token into AWSCURRENT. Returns the id of the new version."""
    client = emulator.client("secretsmanager")
    put = client.put_secret_value(SecretId=secret_name(), SecretString=secret_text(token), VersionStages=[CURRENT])
    return str(put["VersionId"])


def move_current(emulator: Emulator) -> None:
    """A third party moves AWSCURRENT to a version that it has made before."""
    client = emulator.client("secretsmanager")
    versions = client.describe_secret(SecretId=secret_name())["VersionIdsToStages"]
    now = next(version for version, stages in versions.items() if CURRENT in stages)
    other = stage_as(emulator, C, "other")
    client.update_secret_version_stage(
        SecretId=secret_name(), VersionStage=CURRENT, MoveToVersionId=other, RemoveFromVersionId=now
    )


def stage_as(emulator: Emulator, token: str, label: str) -> str:
    client = emulator.client("secretsmanager")
    put = client.put_secret_value(SecretId=secret_name(), SecretString=secret_text(token), VersionStages=[label])
    return str(put["VersionId"])


def check_current_left(emulator: Emulator, ended: ModuleRun) -> None:
    """Nothing was moved, the older token is still at hand, and the way out that is named is one."""
    given = slots(emulator)[1]
    labels = labelled(emulator)
    assert (labels[CURRENT], labels[PENDING], labels[PREVIOUS]) == (C, given, A)
    assert slots(emulator) == [A, given]
    told = ended.of(GROUP)["msg"]
    assert "somebody else has moved the label meanwhile. No label is moved" in told
    put_back(emulator, told)
    finished = operate(emulator)
    assert not finished.of(GROUP)["failed"], finished.msg
    assert slots(emulator) == [given]
    labels = labelled(emulator)
    assert (labels[CURRENT], labels[PREVIOUS]) == (given, A)


@pytest.mark.parametrize("move", [put_current, move_current], ids=["PutSecretValue", "UpdateSecretVersionStage"])
@pytest.mark.parametrize("groups", [[GROUP], MANY], ids=["one", "many"])
def test_current_is_moved_while_rotate_is_in_flight(
    emulator: Emulator, groups: list[str], move: Callable[[Emulator], object]
) -> None:
    due_fleet(emulator, groups, A)
    ended = meanwhile(emulator, groups, lambda: move(emulator))
    assert [key for key, one in ended.outcomes.items() if one["failed"]] == [GROUP]
    check_current_left(emulator, ended)


@contextlib.contextmanager
def before_call(
    monkeypatch: pytest.MonkeyPatch, wanted: Callable[[SecretCall], bool], do: Callable[[], object]
) -> Iterator[None]:
    """Do something once, between the last look at the secret and the call."""
    perform, done = store.perform_call, list[str]()

    def late(clients: Clients, call: SecretCall, **more: Any) -> Mapping[str, Any]:
        check = more.pop("check", None)

        def checked_then_late() -> None:
            if check:
                check()
            if not done and wanted(call):
                done.append(call.action)
                do()

        return perform(clients, call, check=checked_then_late, **more)

    monkeypatch.setattr(store, "perform_call", late)
    yield
    assert done


def test_what_the_last_look_can_not_see(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version that the group accepts is promoted by its id; the other one stays staged, and is told of."""
    due_fleet(emulator, [GROUP], A)
    with before_call(monkeypatch, lambda call: call.parameters.get("VersionStage") == CURRENT, lambda: stage(emulator)):
        ended = operate(emulator)
    assert not ended.of(GROUP)["failed"], ended.msg
    labels = labelled(emulator)
    assert slots(emulator) == [labels[CURRENT]]
    assert labels[CURRENT] not in (A, C)
    assert (labels[PREVIOUS], labels[PENDING]) == (A, C)
    assert any("which somebody else has staged meanwhile" in warning for warning in ended.warnings)


def promotes(call: SecretCall) -> bool:
    """Whether it is the call that moves AWSCURRENT."""
    return bool(call.parameters.get("VersionStage") == CURRENT)


def test_current_is_moved_right_before_the_promotion(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS refuses the call, as it names the version that AWSCURRENT is taken from; it is not planned from another."""
    due_fleet(emulator, [GROUP], A)
    with before_call(monkeypatch, promotes, lambda: put_current(emulator)):
        ended = operate(emulator)
    assert ended.of(GROUP)["failed"]
    check_current_left(emulator, ended)


def test_current_is_moved_right_before_a_token_is_staged(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token beside it would be rotated in and promoted, with the one that the group has known to no label."""
    due_fleet(emulator, [GROUP], A)
    paced, done = Clients.paced, list[str]()

    def late(clients: Clients, what: str, call: Callable[[], Any], **more: Any) -> Any:
        if what == "PutSecretValue" and not done:
            done.append(what)
            put_current(emulator)
        return paced(clients, what, call, **more)

    monkeypatch.setattr(Clients, "paced", late)
    ended = operate(emulator)
    assert done
    assert "somebody else has moved the label meanwhile. No label is moved" in ended.of(GROUP)["msg"]
    assert labelled(emulator) == {CURRENT: C, PREVIOUS: A}
    assert slots(emulator) == [A]


@pytest.mark.parametrize("groups", [[GROUP], MANY], ids=["one", "many"])
def test_staged_by_someone_else_before_our_own_is(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, groups: list[str]
) -> None:
    """PutSecretValue would take AWSPENDING from it; it is rotated in instead."""
    due_fleet(emulator, groups, A)
    paced, done, one = Clients.paced, list[str](), threading.Lock()

    def late(clients: Clients, what: str, call: Callable[[], Any], **more: Any) -> Any:
        with one:  # the others' calls are not made meanwhile, either
            if what == "PutSecretValue" and not done:  # whichever group's: its check has not been made yet
                done.append(what)
                stage(emulator, B)
        return paced(clients, what, call, **more)

    monkeypatch.setattr(Clients, "paced", late)
    ended = operate(emulator, groups)
    assert not ended.of(GROUP)["failed"], ended.msg
    assert slots(emulator) == [B]
    assert labelled(emulator)[CURRENT] == B


@pytest.mark.parametrize("probe", ["auto", "never"])
def test_after_a_run_that_was_cut_off(emulator: Emulator, probe: str) -> None:
    """The record names the version that was rotated in, so that the next run knows that another one is staged."""
    due_fleet(emulator, [GROUP], A)
    emulator.faults(
        {"kind": "error", "action": "UpdateSecretVersionStage", "code": "AccessDeniedException", "status": 400}
    )
    first = operate(emulator)
    assert first.of(GROUP)["failed"]
    emulator.clear_faults()
    given = slots(emulator)[1]
    stage(emulator)
    ended = operate(emulator, probe=probe)
    assert ended.of(GROUP)["failed"]
    assert labelled(emulator) == {CURRENT: A, PENDING: C}
    assert slots(emulator) == [A, given]
    assert re.search(r"the token on record as v\.", ended.of(GROUP)["msg"]), ended.msg


class TestByHand:
    """``auth_secret`` with ``state: promoted``."""

    def promoted(self, emulator: Emulator, *, check: bool = False, **more: Any) -> ModuleRun:
        args = {
            "replication_group_id": GROUP,
            "name": secret_name(),
            "key": KEY,
            "state": "promoted",
            **more,
        }
        return run(emulator, "auth_secret", args, check=check, hidden=[A, B, C])

    def test_the_version_that_was_rotated_in(self, emulator: Emulator) -> None:
        put_token(emulator, A)
        given = stage(emulator, B)
        ended = self.promoted(emulator, version_ids={GROUP: given})
        assert ended.changed
        assert labelled(emulator) == {CURRENT: B, PREVIOUS: A}
        assert not self.promoted(emulator, version_ids={GROUP: given}).changed

    def test_no_other(self, emulator: Emulator) -> None:
        put_token(emulator, A)
        given = stage(emulator, B)
        stage(emulator, C)
        for check in (True, False):
            ended = self.promoted(emulator, version_ids={GROUP: given}, check=check)
            assert ended.failed
            assert labelled(emulator) == {CURRENT: A, PENDING: C}
            assert f"--move-to-version-id {given}" in ended.msg

    def test_not_one_that_was_staged_after_the_first_look(
        self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put_token(emulator, A)
        stage(emulator, B)
        emulator.faults({"kind": "error", "action": "UpdateSecretVersionStage", "code": "ThrottlingException"})
        pause, done = Clients.pause, list[float]()

        def late(clients: Clients, seconds: float) -> None:
            if not done and any(call["code"] for call in emulator.calls(action="UpdateSecretVersionStage")):
                done.append(seconds)
                stage(emulator, C)
            pause(clients, seconds)

        monkeypatch.setattr(Clients, "pause", late)
        ended = self.promoted(emulator)
        assert done
        assert ended.failed
        assert "No label is moved" in ended.msg
        assert labelled(emulator) == {CURRENT: A, PENDING: C}

    def test_not_over_one_that_came_after_the_first_look(
        self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put_token(emulator, A)
        stage(emulator, B)
        with before_call(monkeypatch, promotes, lambda: put_current(emulator)):
            ended = self.promoted(emulator)
        assert ended.failed
        assert "somebody else has moved the label meanwhile. No label is moved" in ended.msg
        assert labelled(emulator) == {CURRENT: C, PENDING: B, PREVIOUS: A}

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"state": "discarded", "version_ids": {GROUP: "v"}}, "version_ids goes with state: promoted"),
            ({"version_ids": {"other": "v"}}, "version_ids: other is not among replication_group_ids."),
            ({"version_ids": {GROUP: None}}, "version_ids: sessions has none."),
        ],
    )
    def test_options(self, emulator: Emulator, options: dict[str, Any], words: str) -> None:
        ended = self.promoted(emulator, **options)
        assert ended.failed
        assert words in ended.msg
        assert json.loads(ended.output)["msg"] == ended.msg
