# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""AWS at its worst: throttling, broken connections, stale answers, and what the record says then.

What counts is the server's history: a change is carried out once, or not at all, and never on a guess.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import ModuleRun, auth, modifies, mutating
from integration.faulty import GRACE, TAG, carried_out, record, short_grace
from integration.meanwhile import Once, meanwhile
from integration.scenes import GROUP, USERS, A, B, create, create_user_group, scene, slots
from waiting import PATIENCE

from ansible_collections.elasticache.auth.plugins.module_utils._auth import carry_out, observe_groups, staleness
from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import Clients
from ansible_collections.elasticache.auth.plugins.module_utils._aws.groups import require_all

if TYPE_CHECKING:
    from conftest import Emulator

    from ansible_collections.elasticache.auth.plugins.module_utils._aws.groups import Group
    from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    short_grace(monkeypatch)


FAULTS: dict[str, dict[str, Any]] = {
    "dropped-before": {"kind": "drop", "when": "before"},
    "dropped-after": {"kind": "drop", "when": "after"},
    "failed-before": {"kind": "error", "when": "before"},
    "failed-after": {"kind": "error", "when": "after"},
    "stale-response": {"kind": "stale-modify-response"},
}


@pytest.mark.parametrize(
    ("data_plane", "with_record", "moves"),
    [
        ("light", True, "end"),
        ("light", False, "start"),
        ("none", True, "start"),
        ("none", True, "end"),
        ("none", False, "end"),
    ],
)
def test_a_call_that_may_have_been_carried_out_is_not_made_twice(
    request: pytest.FixtureRequest, data_plane: str, with_record: bool, moves: str
) -> None:
    """Each fault strikes the ROTATE of a group of its own; together with descriptions that lag behind, and without."""
    request.node.add_marker(
        pytest.mark.emulator(data_plane=data_plane, variants={"date-moves": moves, "rotate-same-twice": "slot-lost"})
    )
    emulator: Emulator = request.getfixturevalue("emulator")
    groups = {f"{fault}-{lag}": fault for fault in FAULTS for lag in ("prompt", "stale")}
    for group in groups:
        create(emulator, group, AuthToken=A, wait=False)
    for group, fault in groups.items():
        emulator.wait_available(group)
        emulator.faults({**FAULTS[fault], "action": "ModifyReplicationGroup", "id": group})
        if group.endswith("-stale"):
            emulator.faults({"kind": "stale-describe", "id": group, "seconds": GRACE / 4})
    time.sleep(GRACE / 4)  # so that what is stale is not from before the creation
    ended = auth(
        emulator, "rotate", B, group=list(groups), known_auth_tokens=[A], record=with_record, assume_state="required"
    )
    assert not ended.failed, ended.msg
    for group, fault in groups.items():
        assert ended.of(group)["changed"], group
        assert slots(emulator, group) == [A, B], group
        assert carried_out(emulator, group) == 1, group
        assert modifies(emulator, group) == (2 if fault.endswith("before") else 1), group
        assert ended.of(group)["after"]["mode"] == "rotating", group
        assert len(ended.of(group)["api_calls"]) == 1, group
    emulator.clear_faults()
    if with_record or data_plane == "light":
        again = auth(emulator, "rotate", B, group=list(groups), known_auth_tokens=[A], record=with_record)
        assert not again.failed, again.msg
        assert not again.changed


@pytest.mark.emulator(data_plane="none", variants={"rotate-same-twice": "slot-lost"})
def test_a_description_that_lags_behind_for_longer_than_the_grace(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to ROTATE gets lost, and the look after it still shows the group as it was: the last look before the
    next call shows that it has moved, and that it was moved by us.
    """
    looks: list[Mapping[str, Group | AuthError]] = []

    def lagging(*args: Any, **kwargs: Any) -> Mapping[str, Group | AuthError]:
        looks.append(looks[0] if len(looks) == 1 else require_all(*args, **kwargs))
        return looks[-1]

    monkeypatch.setattr(staleness, "GRACE", 0.0)
    monkeypatch.setattr(carry_out, "_NODES_GRACE", 0.0)
    monkeypatch.setattr(observe_groups, "require_all", lagging)
    scene(emulator, "required")
    emulator.faults({"kind": "drop", "action": "ModifyReplicationGroup", "when": "after"})
    ended = auth(emulator, "rotate", B, known_auth_tokens=[A], assume_state="required")
    assert not ended.failed, ended.msg
    assert len(looks) == 3
    assert ended.of(GROUP)["after"]["mode"] == "rotating"
    assert modifies(emulator) == carried_out(emulator) == 1
    assert slots(emulator) == [A, B]
    again = auth(emulator, "rotate", B, known_auth_tokens=[A])
    assert not again.changed, again.msg


@pytest.mark.emulator(data_plane="none", variants={"rotate-same-twice": "slot-lost"})
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("with_record", [True, False])
def test_not_even_by_force_is_it_made_twice(emulator: Emulator, when: str, with_record: bool) -> None:
    """Nothing is known, force insists, and the connection breaks: still one ROTATE."""
    scene(emulator, "required")
    emulator.faults({"kind": "drop", "action": "ModifyReplicationGroup", "when": when})
    ended = auth(emulator, "rotate", B, force=True, probe="never", record=with_record)
    assert ended.changed, ended.msg
    assert not ended.failed, ended.msg
    assert carried_out(emulator) == 1
    assert slots(emulator) == [A, B]


@pytest.mark.parametrize("strategy", ["set", "delete", "leave"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_other_calls_are_not_made_twice_either(emulator: Emulator, strategy: str, when: str) -> None:
    """SET, DELETE, and ROTATE with RemoveUserGroups, with a connection that breaks."""
    if strategy != "leave":
        create_user_group(emulator)
    scene(emulator, {"set": "rotating", "delete": "required", "leave": "rbac"}[strategy])
    before = carried_out(emulator)
    emulator.faults({"kind": "drop", "action": "ModifyReplicationGroup", "when": when})
    match strategy:
        case "set":
            ended = auth(emulator, "set", B, known_auth_tokens=[A], assume_state="rotating")
        case "delete":
            ended = auth(emulator, "delete", user_group_ids=[USERS])
        case _:
            ended = auth(emulator, "rotate", B, known_auth_tokens=[], remove_user_groups=True)
    assert ended.changed, ended.msg
    assert not ended.failed, ended.msg
    assert carried_out(emulator) == before + 1
    truth = emulator.group(GROUP)
    expected = {"set": ([B], []), "delete": ([], [USERS]), "leave": ([None, B], [])}
    assert (truth["slots"], truth["user_group_ids"]) == expected[strategy]


def test_without_waiting_a_broken_connection_is_looked_into(emulator: Emulator) -> None:
    """``wait: false``: the change is under way, and that is all that was asked for."""
    scene(emulator, "required")
    emulator.hold()
    emulator.faults({"kind": "drop", "action": "ModifyReplicationGroup", "when": "after"})
    ended = auth(emulator, "rotate", B, known_auth_tokens=[A], wait=False)
    assert not ended.failed, ended.msg
    assert ended.changed
    assert "under way" in ended.msg
    assert carried_out(emulator) == 1


def test_throttling_is_ridden_out(emulator: Emulator) -> None:
    """Half of all calls are throttled, of every service; each change is carried out once."""
    groups = [create(emulator, f"g{number}", AuthToken=A) for number in range(3)]
    emulator.faults({"kind": "throttle", "rate": 0.5})
    ended = auth(emulator, "rotate", B, group=groups, known_auth_tokens=[A])
    assert not ended.failed, ended.msg
    assert all(ended.of(group)["changed"] for group in groups)
    assert all(slots(emulator, group) == [A, B] for group in groups)
    assert all(carried_out(emulator, group) == 1 for group in groups)
    assert any(call["code"] == "Throttling" for call in emulator.calls())
    assert {call["code"] for call in emulator.calls(action="ModifyReplicationGroup")} <= {None, "Throttling"}


@pytest.mark.parametrize("kind", ["drop", "error"])
def test_reading_calls_are_repeated(emulator: Emulator, kind: str) -> None:
    """Whatever may be called twice is, where the connection breaks or AWS fails."""
    scene(emulator, "required")
    reading = ("DescribeReplicationGroups", "DescribeCacheClusters", "ListTagsForResource", "AddTagsToResource")
    emulator.faults(*({"kind": kind, "action": action, "when": "before"} for action in reading))
    ended = auth(emulator, "rotate", B, known_auth_tokens=[A])
    assert not ended.failed, ended.msg
    assert slots(emulator) == [A, B]
    assert carried_out(emulator) == 1
    struck = {call["action"] for call in emulator.calls() if call["fault"]}
    assert struck == set(reading)


class TestTheRecord:
    """What was written ahead is taken back where AWS refuses, and completed where it does not."""

    def test_of_a_refused_call(self, emulator: Emulator) -> None:
        scene(emulator, "required")
        refusal = {"kind": "error", "action": "ModifyReplicationGroup", "code": "InvalidParameterValue"}
        emulator.faults({**refusal, "message": "No, you may not."})
        ended = auth(emulator, "rotate", B, known_auth_tokens=[A])
        assert ended.failed
        assert not ended.changed
        assert ended.msg == (
            f"{GROUP}: elasticache:ModifyReplicationGroup failed in us-east-1: InvalidParameterValue: No, you may not."
        )
        assert mutating(emulator)[1:] == ["AddTagsToResource", "ModifyReplicationGroup", "AddTagsToResource"]
        assert record(emulator).startswith("v1 required:f.")
        assert "rotate" not in record(emulator)

    def test_that_can_not_be_written(self, emulator: Emulator) -> None:
        """Nothing is changed: without the record a run that is cut off could not be told from one that never was."""
        scene(emulator, "required")
        emulator.faults(
            {"kind": "error", "action": "AddTagsToResource", "code": "AccessDenied", "message": "no", "times": 9}
        )
        ended = auth(emulator, "rotate", B, known_auth_tokens=[A])
        assert ended.failed
        assert ended.msg == (
            f"{GROUP}: the record could not be written ahead of ROTATE, so that is not called. "
            "elasticache:AddTagsToResource was refused in us-east-1: AccessDenied: no. Allow it in the policy of the "
            "credentials. Without the record (record: false) a run that is cut off can't be told from one that never "
            "was."
        )
        assert modifies(emulator) == 0
        assert auth(emulator, "rotate", B, known_auth_tokens=[A], record=False).changed

    def test_that_can_not_be_completed(self, emulator: Emulator) -> None:
        """The change is done and said so, with a warning; the call written ahead tells the next run as much."""
        scene(emulator, "required")
        emulator.faults(
            {
                "kind": "error",
                "action": "AddTagsToResource",
                "code": "AccessDenied",
                "message": "no",
                "nth": 2,
                "times": 9,
            }
        )
        ended = auth(emulator, "rotate", B, known_auth_tokens=[A])
        assert ended.changed
        assert not ended.failed
        assert any("the record was not brought up to date" in warning for warning in ended.warnings)
        emulator.clear_faults()
        again = auth(emulator, "rotate", B, known_auth_tokens=[A], probe="never")
        assert not again.changed, again.msg
        assert not again.failed, again.msg
        assert again.of(GROUP)["after"]["mode"] == "rotating"
        assert carried_out(emulator) == 1

    @pytest.mark.emulator(data_plane="none")
    @pytest.mark.parametrize(
        "tag",
        [
            "v1 required:given seen=none at=1",
            "v2 required seen=none at=1",
            "nonsense",
            "v1 rotating:f.AAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA seen=none at=1",
            "",
            "v1 required:f.AAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA seen=none at=99999999999999999999999999",
        ],
    )
    def test_that_someone_has_tampered_with(self, emulator: Emulator, tag: str) -> None:
        """A tag that is no record proves nothing, and breaks nothing."""
        scene(emulator, "required")
        arn = emulator.group(GROUP)["arn"]
        emulator.client("elasticache").add_tags_to_resource(ResourceName=arn, Tags=[{"Key": TAG, "Value": tag}])
        ended = auth(emulator, "rotate", B, known_auth_tokens=[A])
        assert ended.failed
        assert "what the group accepts is not known" in ended.msg
        assert modifies(emulator) == 0


class TestTimeRunsOut:
    """A change that does not end."""

    def test_our_own(self, emulator: Emulator) -> None:
        """The call was made and is said to have been; the message says what is pending; the next run joins it."""
        scene(emulator, "required")
        emulator.faults({"kind": "never-ends"})
        ended = auth(emulator, "rotate", B, known_auth_tokens=[A], wait_timeout=0.6)
        assert ended.failed
        assert ended.changed
        assert len(ended.of(GROUP)["api_calls"]) == 1
        assert "its status is modifying, its token is ROTATING. What is under way goes on at AWS" in ended.msg
        again = auth(emulator, "rotate", B, known_auth_tokens=[A], wait_timeout=0.6)
        assert again.failed
        assert not again.changed
        assert again.of(GROUP)["api_calls"] == []
        assert carried_out(emulator) == modifies(emulator) == 1

    def test_the_last_look_counts(self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        """A pause longer than what is left of the time is cut short, and there is a look after it."""
        scene(emulator, "required")
        emulator.hold()
        pause, long = Clients.pause, list[float]()

        def pass_at_once(clients: Clients, seconds: float) -> None:
            if seconds < PATIENCE:
                pause(clients, seconds)
            else:
                long.append(seconds)
                emulator.release()
                emulator.wait_available(GROUP)

        monkeypatch.setattr(Clients, "pause", pass_at_once)
        limit = 10 * PATIENCE
        ended = auth(emulator, "rotate", B, known_auth_tokens=[A], wait_timeout=limit, wait_delay=10 * limit)
        assert not ended.failed, ended.msg
        assert len(long) == 1
        assert long[0] <= limit

    def test_while_it_is_throttled(self, emulator: Emulator) -> None:
        """The time limit holds, and the message says what was in the way."""
        scene(emulator, "required")
        emulator.faults(
            {"kind": "never-ends"},
            {"kind": "error", "action": "DescribeReplicationGroups", "code": "Throttling", "nth": 4, "times": 999},
        )
        ended = auth(emulator, "rotate", B, known_auth_tokens=[A], wait_timeout=1.5)
        assert ended.failed
        assert ended.changed
        assert "Throttling" in ended.msg

    @pytest.mark.parametrize("code", ["ExpiredToken", "AccessDenied"])
    def test_credentials_expire_meanwhile(self, emulator: Emulator, code: str) -> None:
        """What was called is told although the end could not be seen."""
        scene(emulator, "required")
        # Described to plan, before the record is written and before the call; the fourth time it is waited for.
        emulator.faults(
            {"kind": "error", "action": "DescribeReplicationGroups", "code": code, "nth": 4, "times": 9, "status": 403}
        )
        ended = auth(emulator, "rotate", B, known_auth_tokens=[A])
        assert ended.failed
        assert ended.changed
        assert len(ended.of(GROUP)["api_calls"]) == 1
        assert ended.msg.startswith(f"{GROUP}: elasticache:DescribeReplicationGroups was refused in us-east-1: ")
        assert code in ended.msg
        emulator.clear_faults()
        again = auth(emulator, "rotate", B, known_auth_tokens=[A])
        assert not again.changed, again.msg
        assert again.of(GROUP)["after"]["mode"] == "rotating"

    def test_nodes_can_not_be_asked_at_the_end(self, emulator: Emulator) -> None:
        """An error about no single group, after calls were made: the calls are told all the same."""
        shape: dict[str, Any] = {
            "NumCacheClusters": None,
            "NumNodeGroups": 2,
            "ReplicasPerNodeGroup": 0,
            "ClusterMode": "enabled",
        }
        create(emulator, AuthToken=A, AutomaticFailoverEnabled=True, **shape)
        # Three reads of cache clusters before the call (version, and one a node), the fourth is for the proof.
        emulator.faults(
            {"kind": "error", "action": "DescribeCacheClusters", "code": "AccessDenied", "nth": 4, "times": 9}
        )
        ended = auth(emulator, "rotate", B, known_auth_tokens=[A], probe="always")
        assert ended.failed
        assert ended.changed, ended.msg
        assert len(ended.of(GROUP)["api_calls"]) == 1
        assert "elasticache:DescribeCacheClusters was refused" in ended.msg

    def test_the_group_is_deleted_meanwhile(self, emulator: Emulator) -> None:
        scene(emulator, "required")
        emulator.faults({"kind": "never-ends"})
        with meanwhile(Once(lambda: modifies(emulator), emulator.reset)):
            ended = auth(emulator, "rotate", B, known_auth_tokens=[A], wait_timeout=120)
        assert ended.failed
        assert ended.changed
        assert ended.msg == f"{GROUP}: it was deleted while it was waited for."


VARIANTS = [
    {"date-moves": "start"},
    {"date-moves": "end", "rotate-live-token": "slot-lost", "rotate-same-twice": "slot-lost"},
    {"rotate-live-token": "no-op", "rotate-same-twice": "no-op", "set-on-required": "no-op"},
    {"set-on-required": "slot-lost", "optional-wrong-token": "ok"},
    {"optional-wrong-token": "error", "set-other-value": "invalid-token", "existing-connections": "drop"},
]


@pytest.mark.parametrize(
    ("probe", "variant"),
    [("always", variant) for variant in VARIANTS] + [("never", variant) for variant in VARIANTS[:2]],
)
def test_the_whole_way_whatever_aws_turns_out_to_do(emulator: Emulator, variant: dict[str, str], probe: str) -> None:
    """rbac → optional → required → rotating → required → rbac, each step twice, in every variant of every **?**."""
    emulator.variants(variant)
    scene(emulator, "rbac")
    steps: list[tuple[str, dict[str, Any], list[str | None]]] = [
        ("rotate", {"auth_token": A, "known_auth_tokens": [], "remove_user_groups": True}, [None, A]),
        ("set", {"auth_token": A, "known_auth_tokens": []}, [A]),
        ("rotate", {"auth_token": B, "known_auth_tokens": [A]}, [A, B]),
        ("set", {"auth_token": B, "known_auth_tokens": [A]}, [B]),
        ("delete", {"user_group_ids": [USERS]}, []),
    ]
    for number, (strategy, options, truth) in enumerate(steps, 1):
        for repeated in (False, True):
            ended: ModuleRun = auth(emulator, strategy, probe=probe, **options)
            assert not ended.failed, ended.msg
            assert ended.changed is not repeated, ended.msg
            assert ended.of(GROUP)["drift"] is False
            assert slots(emulator) == truth
            assert carried_out(emulator) == modifies(emulator) == number
