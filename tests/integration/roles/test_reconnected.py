# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Connections that are older than the new token: seen before SET and after it, waited for, refused, or ended."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from integration.client_wires import connected
from integration.cut_off import rotation
from integration.direct import ModuleRun, run
from integration.role_scenes import due_fleet, labelled, put_token, run_role
from integration.roles.test_bridge import TO_AUTH, operate, with_accounts
from integration.scenes import GROUP, USERS, A, B, C, create, create_user_group, slots
from unit.emulator.data_plane_support import Wire
from waiting import wait_until

from ansible_collections.elasticache.auth.plugins.module_utils._operation import client_connections

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.1)

JEDIS, REDIS_PY = ("jedis", "5.1.2"), ("redis-py", "5.0.1")
LINE = (
    "3 connections from 2 addresses predate the new token: 127.0.3.17 (jedis 5.1.2) x2, 127.0.4.2 (redis-py 5.0.1) x1"
)
LATER = "; they fail at their next reconnect, where their clients still have the token before"


def rotate(emulator: Emulator, **more: Any) -> ModuleRun:
    return run(emulator, "auth_operation", rotation(emulator, replication_group_id=GROUP, **{"soak": 0, **more}))


@contextlib.contextmanager
def laggards(emulator: Emulator) -> Iterator[list[Wire]]:
    """A due group, and three connections of two clients to its nodes."""
    due_fleet(emulator, [GROUP], A)
    with (
        connected(emulator, "127.0.3.17", A, JEDIS, count=2) as first,
        connected(emulator, "127.0.4.2", A, REDIS_PY, node=1) as second,
    ):
        yield [*first, *second]


def looks(ended: ModuleRun) -> list[tuple[str, int, str]]:
    told = ended.of(GROUP)["client_connections"]["looks"]
    return [(look["when"], look["predating"], look["line"]) for look in told]


@pytest.mark.parametrize("data_plane", ["light", "valkey"])
def test_they_are_told_before_set_and_as_survivors_after_it(request: pytest.FixtureRequest, data_plane: str) -> None:
    request.node.add_marker(pytest.mark.emulator(data_plane=data_plane, modify_seconds=0.1))
    emulator: Emulator = request.getfixturevalue("emulator")
    with laggards(emulator) as wires:
        ended = rotate(emulator)
        assert not ended.failed, ended.msg
        assert looks(ended) == [("before", 3, LINE), ("after", 3, f"{LINE}{LATER}")]
        assert {row["address"] for row in ended.of(GROUP)["client_connections"]["clients"]} == {
            "127.0.3.17",
            "127.0.4.2",
        }
        assert [wire.ask("PING") for wire in wires] == ["PONG"] * 3  # connections survive SET
    assert slots(emulator) == [labelled(emulator)["AWSCURRENT"]]


def test_where_there_is_none_that_is_told_and_not_asked_again(emulator: Emulator) -> None:
    due_fleet(emulator, [GROUP], A)
    ended = rotate(emulator)
    assert looks(ended) == [("before", 0, "no connection predates the new token")]


def test_fail_leaves_both_tokens_accepted_and_another_run_finishes(emulator: Emulator) -> None:
    with laggards(emulator):
        ended = rotate(emulator, require_reconnected="fail")
        assert ended.failed
        assert ended.msg.startswith(
            f"{GROUP}: the change is not made (require_reconnected: fail): {LINE}. What clients"
        )
        assert slots(emulator) == [A, labelled(emulator)["AWSCURRENT"]]
        assert ended.of(GROUP)["remaining_steps"][0] == "set"
        again = rotate(emulator, require_reconnected="fail")  # by the secret's last change, as it made no step itself
        assert again.failed
        assert looks(again) == [("before", 3, LINE)]
    ended = rotate(emulator, require_reconnected="fail")
    assert not ended.failed, ended.msg
    assert slots(emulator) == [labelled(emulator)["AWSCURRENT"]]


def test_wait_holds_set_until_none_is_left(emulator: Emulator) -> None:
    """The last connection is closed while SET is held."""
    due_fleet(emulator, [GROUP], A)
    held = threading.Event()
    with connected(emulator, "127.0.3.17", A, JEDIS) as (wire,):

        def leave() -> None:
            wait_until(lambda: len(slots(emulator)) == 2 and "AWSPREVIOUS" in labelled(emulator), "it is promoted")
            at = time.monotonic()
            wait_until(lambda: time.monotonic() > at + 3, "it was held for a while")
            held.set()
            wire.close()

        client = threading.Thread(target=leave)
        client.start()
        ended = rotate(emulator, require_reconnected="wait", wait_delay=0.2)
        client.join()
    assert not ended.failed, ended.msg
    assert held.is_set()
    told = looks(ended)
    assert told[0][:2] == ("before", 1)
    assert told[-1] == ("before", 0, "no connection predates the new token")
    assert slots(emulator) == [labelled(emulator)["AWSCURRENT"]]


def test_wait_fails_when_the_time_is_over(emulator: Emulator) -> None:
    with laggards(emulator):
        ended = rotate(emulator, require_reconnected="wait", cutover_timeout=1, wait_delay=0.2)
        assert ended.failed
        assert ended.msg.startswith(f"{GROUP}: the change is not made after 1 s (require_reconnected: wait): {LINE}.")
        assert slots(emulator) == [A, labelled(emulator)["AWSCURRENT"]]


@pytest.mark.parametrize("data_plane", ["light", "valkey"])
def test_disconnect_stale_ends_just_those_while_both_tokens_are_accepted(
    request: pytest.FixtureRequest, data_plane: str
) -> None:
    request.node.add_marker(pytest.mark.emulator(data_plane=data_plane, modify_seconds=0.1))
    emulator: Emulator = request.getfixturevalue("emulator")
    with laggards(emulator) as wires:
        ended = rotate(emulator, disconnect_stale=True)
        assert not ended.failed, ended.msg
        assert looks(ended) == [
            ("before", 3, f"{LINE}; 3 of them were ended"),
            ("before", 0, "no connection predates the new token"),
        ]
        assert all(wire.is_closed() for wire in wires)


def test_enable_auth_tells_of_them_and_ends_none(emulator: Emulator) -> None:
    """A client that need not authenticate would only look as if it had moved."""
    create(emulator)
    put_token(emulator, A)
    options = rotation(emulator, replication_group_id=GROUP, soak=0)
    options = {name: value for name, value in options.items() if name not in ("force", "operation")}
    refused = run(emulator, "auth_operation", {**options, "operation": "enable_auth", "disconnect_stale": True})
    assert refused.msg.startswith("disconnect_stale is for rotate_token and rollback_token.")
    with connected(emulator, "127.0.3.17", None, JEDIS):
        ended = run(emulator, "auth_operation", {**options, "operation": "enable_auth"})
        assert not ended.failed, ended.msg
        assert [when for when, dummy, line in looks(ended)] == ["before", "after"]
        assert looks(ended)[0][2] == "1 connection from 1 address predates the new token: 127.0.3.17 (jedis 5.1.2) x1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"require_reconnected": "wait", "probe": "never"}, "require_reconnected needs the nodes to be asked"),
        ({"disconnect_stale": True, "probe": "never"}, "disconnect_stale needs the nodes to be asked"),
        ({"cutover_timeout": -1}, "cutover_timeout: -1 is not possible; give seconds, 0 or more."),
        ({"operation": "enable_tls", "require_reconnected": "fail"}, "require_reconnected is for rotate_token, "),
    ],
)
def test_what_can_not_be_seen_to_is_refused(emulator: Emulator, options: dict[str, Any], message: str) -> None:
    ended = rotate(emulator, **options)
    assert ended.failed
    assert ended.msg.startswith(message)


@pytest.mark.emulator(data_plane="none", modify_seconds=0.1)
def test_nodes_out_of_reach_are_not_taken_for_none(emulator: Emulator) -> None:
    due_fleet(emulator, [GROUP], A)
    ended = rotate(emulator, require_reconnected="fail", data_plane_ca_path=None, assume_state="required")
    assert ended.failed
    assert "who has not moved is not known: its nodes can't be reached from here" in ended.msg
    ended = rotate(emulator, data_plane_ca_path=None, assume_state="required")
    assert not ended.failed, ended.msg
    assert looks(ended)[0][2].startswith("who has not moved is not known: ")


def test_the_monitor_names_who_is_refused_and_the_token_before_is_accepted_again(emulator: Emulator) -> None:
    due_fleet(emulator, [GROUP], A)
    over = threading.Event()

    def keep_on() -> None:
        wait_until(lambda: A not in slots(emulator) or over.is_set(), "SET is made")
        while not over.wait(0.1):
            with contextlib.suppress(AssertionError), connected(emulator, "127.0.3.17", A):
                pass

    client = threading.Thread(target=keep_on)
    client.start()
    try:
        monitor = {"duration": 60, "period": 1, "poll_interval": 0.3, "max_failures": 2}
        ended = rotate(emulator, monitor=monitor)
    finally:
        over.set()
        client.join()
    assert ended.failed
    assert re.search(r"more than the limit of 2\. Its nodes refused 127\.0\.3\.17 x\d+\. Clients", ended.msg)
    assert "That was tried: " in ended.msg
    told = [step for step in ended.of(GROUP)["step_results"] if step.get("refused_clients")]
    assert told[0]["refused_clients"][0]["address"] == "127.0.3.17"
    assert A in slots(emulator)


@pytest.mark.parametrize("data_plane", ["light", "valkey"])
def test_a_client_that_moves_at_once_has_moved(request: pytest.FixtureRequest, data_plane: str) -> None:
    """The call that goes on after the tasks has promoted nothing itself: where that was, the first one has marked."""
    request.node.add_marker(pytest.mark.emulator(data_plane=data_plane, modify_seconds=0.1))
    emulator: Emulator = request.getfixturevalue("emulator")
    with laggards(emulator) as wires:
        begun = rotate(emulator, soak=None)
        assert begun.result["cutovers"][0]["stage"] == "client_cutover"
        assert begun.of(GROUP)["client_connections"] is None
        for wire in wires[:2]:
            wire.close()
        with connected(emulator, "127.0.3.17", A, JEDIS):  # has moved: its connection is younger
            after = {"after_cutover": begun.result["cutovers"], "require_reconnected": "fail"}
            ended = rotate(emulator, soak=None, **after)
            told = "1 connection from 1 address predates the new token: 127.0.4.2 (redis-py 5.0.1) x1"
            assert looks(ended) == [("before", 1, told)]
            wires[2].close()
            ended = rotate(emulator, soak=None, **after)
    assert not ended.failed, ended.msg
    assert looks(ended) == [("before", 0, "no connection predates the new token")]


def test_without_a_mark_the_secrets_last_change_says_since_when(emulator: Emulator) -> None:
    """As in a run that goes on where another one was cut off."""
    with laggards(emulator) as wires:
        (cutover,) = rotate(emulator, soak=None).result["cutovers"]
        del cutover["offered_at"], cutover["connection_marks"]
        for wire in wires:
            wire.close()
        at = time.time()
        wait_until(lambda: time.time() > at + 2.1, "two seconds are over")
        with connected(emulator, "127.0.3.17", A, JEDIS):
            ended = rotate(emulator, soak=None, after_cutover=[cutover], require_reconnected="fail")
    assert not ended.failed, ended.msg
    assert looks(ended) == [("before", 0, "no connection predates the new token")]


@pytest.mark.parametrize("marks", [{"sessions-001": "many"}, {"sessions-001": None}])
def test_a_mark_that_is_none_is_refused(emulator: Emulator, marks: dict[str, Any]) -> None:
    due_fleet(emulator, [GROUP], A)
    (cutover,) = rotate(emulator, soak=None).result["cutovers"]
    ended = rotate(emulator, soak=None, after_cutover=[{**cutover, "connection_marks": marks}])
    assert ended.failed
    assert "after_cutover[0].connection_marks: each node has the id of a connection." in ended.msg


def test_during_a_long_cutover_they_are_looked_at_now_and_then(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_connections, "_LEAST_PAUSE", 0.5)
    with laggards(emulator):
        ended = rotate(emulator, soak=2)
    assert not ended.failed, ended.msg
    told = [when for when, dummy, line in looks(ended)]
    assert told.count("client_cutover") >= 2
    assert told[-2:] == ["before", "after"]


def test_a_rollback_through_user_groups_looks_before_they_are_taken_away(emulator: Emulator) -> None:
    """And never between that and SET, when anyone is served."""
    due_fleet(emulator, [GROUP], A)
    assert not rotate(emulator, soak=None, phase="begin").failed
    options = {
        "operation": "rollback_token",
        "accept_open_window": True,
        "user_group_id": "{replication_group_id}-rollback",
        "user_id": "{replication_group_id}-rollback",
    }
    with connected(emulator, "127.0.3.17", labelled(emulator)["AWSCURRENT"], JEDIS):
        told = "1 connection from 1 address predates the new token: 127.0.3.17 (jedis 5.1.2) x1"
        held = rotate(emulator, require_reconnected="fail", **options)
        assert held.failed
        assert looks(held) == [("before", 1, told)]
        assert held.of(GROUP)["remaining_steps"][0] == "rotate_current"
        assert emulator.group(GROUP)["user_group_ids"] == [f"{GROUP}-rollback"]
        ended = rotate(emulator, **options)
        assert not ended.failed, ended.msg
        assert [when for when, dummy, line in looks(ended)] == ["before", "after"]
    assert slots(emulator) == [A]


def test_a_migration_from_user_groups_looks_while_these_decide(emulator: Emulator) -> None:
    """Clients move behind the bridge user; SET follows at once on the change that takes the user groups away."""
    create_user_group(emulator, password=A)
    create(emulator, UserGroupIds=["ug-1"])
    options = {
        "operation": "migrate_rbac_to_auth",
        "accept_open_window": True,
        "create_secret": True,
        "user_group_id": "{replication_group_id}-bridge",
        "user_id": "{replication_group_id}-bridge",
    }
    with connected(emulator, "127.0.3.17", A, JEDIS):
        told = "1 connection from 1 address predates the new token: 127.0.3.17 (jedis 5.1.2) x1"
        held = rotate(emulator, require_reconnected="fail", **options)
        assert held.failed, held.msg
        assert looks(held) == [("before", 1, told)]
        assert held.of(GROUP)["remaining_steps"][0] == "rotate_current"
        assert emulator.group(GROUP)["user_group_ids"] == ["ug-1"]
    ended = rotate(emulator, require_reconnected="fail", **options)
    assert not ended.failed, ended.msg
    assert looks(ended) == [("before", 0, "no connection predates the new token")]
    assert slots(emulator) == [labelled(emulator)["AWSCURRENT"]]


@pytest.mark.parametrize("by_tasks", [False, True])
def test_a_client_of_another_user_has_not_moved_however_old_the_secret_is(emulator: Emulator, by_tasks: bool) -> None:
    """The token was in AWSCURRENT before the client came, and nobody could use it before the bridge user."""
    with_accounts(emulator, "app", "reports")
    put_token(emulator, A)
    at = time.time()
    wait_until(lambda: time.time() > at + 2.1, "two seconds are over")
    with connected(emulator, "127.0.3.17", B, JEDIS, user="app"):
        begun = {"after_cutover": operate_cutovers(emulator), "soak": None} if by_tasks else {}
        held = operate(emulator, require_reconnected="fail", **begun)
        assert held["failed"], held["msg"]
        assert (
            "(require_reconnected: fail): 1 connection from 1 address predates the new token (counting all of users "
            "other than default): 127.0.3.17 (jedis 5.1.2) x1."
        ) in held["msg"]
        assert emulator.group(GROUP)["mode"] == "rbac"
    assert not operate(emulator, require_reconnected="fail")["failed"]
    assert slots(emulator) == [A]


def operate_cutovers(emulator: Emulator) -> list[dict[str, Any]]:
    """The client cutovers at which a migration from user groups stops."""
    ended = run(emulator, "auth_operation", rotation(emulator, **{**TO_AUTH, "soak": None}))
    return list(ended.result["cutovers"])


def test_the_direct_way_waits_for_nobody_and_its_plan_says_so(emulator: Emulator) -> None:
    with_accounts(emulator, "app", "default")
    create(emulator, "carts", UserGroupIds=[USERS])
    planned = operate(emulator, allow_direct=True, require_reconnected="wait", plan_only=True)
    assert planned["msg"].endswith("SET waits for no connection here: unauthenticated access is allowed until then.")
    put_token(emulator, C)  # is rotated in as it is, and there is nobody to wait for before
    with connected(emulator, "127.0.3.17", B, JEDIS, user="app"):
        ended = operate(emulator, allow_direct=True, require_reconnected="fail")
    assert not ended["failed"], ended["msg"]
    assert slots(emulator) == [C]


def test_the_role_tells_of_them_in_its_report_with_hostile_names_as_text(emulator: Emulator) -> None:
    due_fleet(emulator, [GROUP], A)
    hostile = ("{{7*7}}<b>#jinja2:", "{%raw%}")
    with connected(emulator, "127.0.3.17", A, hostile):
        ran = run_role(emulator, "rotate_token", soak=0)
    assert ran.succeeded, ran.output
    report = ran.reports[GROUP]
    told = "1 connection from 1 address predates the new token: 127.0.3.17 ({{7*7}}<b>#jinja2: {%raw%}) x1"
    assert f"{told}{LATER}" in report["line"]
    assert [look["predating"] for look in report["client_connections"]["looks"]] == [1, 1]
    assert "{{7*7}}<b>#jinja2: {%raw%}" in ran.text
