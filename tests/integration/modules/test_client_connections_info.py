# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""``client_connections_info``: who is connected to every node, and which connections predate a new token."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest
from integration.client_wires import connected, endpoints
from integration.direct import ModuleRun, mutating, run
from integration.scenes import GROUP, A, B, create, put_secret, scene, wait_for_users
from waiting import wait_until

if TYPE_CHECKING:
    from conftest import Emulator

JEDIS, REDIS_PY = ("jedis", "5.1.2"), ("redis-py", "5.0.1")
SECRET = {"name": "elasticache/{replication_group_id}/auth-token", "key": "auth_token"}


def ask(emulator: Emulator, *, check: bool = False, **options: Any) -> ModuleRun:
    """Run the module on the group, trusting the emulator's authority."""
    args = {"replication_group_id": GROUP, "data_plane_ca_path": emulator.ca_bundle, **options}
    before = mutating(emulator)
    ended = run(emulator, "client_connections_info", args, check=check)
    assert mutating(emulator) == before
    assert not ended.changed
    return ended


def counted(outcome: dict[str, Any]) -> dict[tuple[str, str | None, str | None], tuple[int, int | None]]:
    """By address, library and version: how many connections, and how many predate the moment."""
    return {
        (row["address"], row["library"], row["library_version"]): (row["connections"], row["predating"])
        for row in outcome["clients"]
    }


def moment_between() -> float:
    """A moment now; returns when connections that come next are told from those before it."""
    at = time.time()
    wait_until(lambda: time.time() > at + 2.1, "two seconds are over")
    return at


@pytest.mark.parametrize("data_plane", ["light", "valkey"])
def test_connections_are_summed_up_by_client_and_told_apart_by_the_moment(
    request: pytest.FixtureRequest, data_plane: str
) -> None:
    """On both nodes; the module's own connections and the replication link are left out; in check mode too."""
    request.node.add_marker(pytest.mark.emulator(data_plane=data_plane))
    emulator: Emulator = request.getfixturevalue("emulator")
    scene(emulator, "rotating")
    with (
        connected(emulator, "127.0.3.17", A, JEDIS, count=3),
        connected(emulator, "127.0.4.2", A, REDIS_PY, node=1),
        contextlib.ExitStack() as younger,
    ):
        moment = moment_between()
        younger.enter_context(connected(emulator, "127.0.3.17", B, JEDIS, count=2))
        for check in (False, True):
            ended = ask(emulator, auth_token=B, established_before=str(moment), check=check)
            assert not ended.failed, ended.msg
            outcome = ended.of(GROUP)
            assert counted(outcome) == {
                ("127.0.3.17", "jedis", "5.1.2"): (5, 3),
                ("127.0.4.2", "redis-py", "5.0.1"): (1, 1),
            }
            assert (outcome["connections"], outcome["predating"], outcome["clients_omitted"]) == (6, 4, 0)
            assert [(node["told"], node["connections"]) for node in outcome["nodes"]] == [
                ("answered", 5),
                ("answered", 1),
            ]
            assert ended.msg == (
                f"{GROUP}: 6 connections; 4 connections from 2 addresses predate the moment: "
                "127.0.3.17 (jedis 5.1.2) x3, 127.0.4.2 (redis-py 5.0.1) x1."
            )


def test_without_a_moment_nothing_is_told_apart(emulator: Emulator) -> None:
    """A group that serves clients without a token needs none."""
    scene(emulator, "open")
    with connected(emulator, "127.0.3.17", None):
        ended = ask(emulator)
        assert not ended.failed, ended.msg
        outcome = ended.of(GROUP)
        assert (outcome["connections"], outcome["predating"], outcome["established_before"]) == (1, None, None)
        assert counted(outcome) == {("127.0.3.17", None, None): (1, None)}
        assert ended.msg == f"{GROUP}: 1 connection."


@pytest.mark.emulator(data_plane="valkey")
def test_nodes_behind_cluster_mode_and_many_groups(emulator: Emulator) -> None:
    """All nodes of all node groups, several groups in one call; by the time of the secret's last change."""
    create(
        emulator,
        "carts",
        NumCacheClusters=None,
        NumNodeGroups=2,
        ReplicasPerNodeGroup=1,
        ClusterMode="enabled",
        AutomaticFailoverEnabled=True,
        AuthToken=A,
    )
    create(emulator, AuthToken=A)
    for group in (GROUP, "carts"):
        put_secret(emulator, f"elasticache/{group}/auth-token", f'{{"auth_token": "{A}"}}')
    with contextlib.ExitStack() as stack:
        for node in range(len(endpoints(emulator, "carts"))):
            stack.enter_context(connected(emulator, f"127.0.5.{node + 1}", A, JEDIS, group="carts", node=node))
        ended = ask(emulator, replication_group_id=[GROUP, "carts"], auth_token_secret=SECRET)
        assert not ended.failed, ended.msg
        assert set(counted(ended.of("carts"))) == {(f"127.0.5.{node}", "jedis", "5.1.2") for node in range(1, 5)}
        assert ended.of(GROUP)["connections"] == 0
        assert ended.of("carts")["established_before"] is not None


def test_a_node_that_refuses_the_token_is_no_node_without_connections(emulator: Emulator) -> None:
    scene(emulator, "required")
    with connected(emulator, "127.0.3.17", A, JEDIS, node=1):
        ended = ask(emulator, auth_token=B)
        assert ended.failed
        assert ended.msg == (
            f"{GROUP}: 2 of 2 nodes could not be asked ({GROUP}-001: it accepts none of the credentials at hand)."
        )
        assert [node["told"] for node in ended.of(GROUP)["nodes"]] == ["refused", "refused"]
        assert [node["connections"] for node in ended.of(GROUP)["nodes"]] == [None, None]


@pytest.mark.parametrize("data_plane", ["light", "valkey"])
def test_a_user_that_may_not_list_connections_is_told_what_allows_it(
    request: pytest.FixtureRequest, data_plane: str
) -> None:
    request.node.add_marker(pytest.mark.emulator(data_plane=data_plane))
    emulator: Emulator = request.getfixturevalue("emulator")
    client = emulator.client("elasticache")
    client.create_user(UserId="d", UserName="default", Passwords=[A], Engine="redis", AccessString="on ~* +@all")
    client.create_user(
        UserId="app",
        UserName="app",
        Passwords=[B],
        Engine="redis",
        AccessString="on ~* +@read +@connection -@dangerous",
    )
    client.create_user_group(UserGroupId="ug", Engine="redis", UserIds=["d", "app"])
    wait_for_users(emulator, "ug")
    create(emulator, UserGroupIds=["ug"])
    with connected(emulator, "127.0.3.17", B, user="app"):
        ended = ask(emulator, username="app", password=B)
        assert ended.failed
        assert (
            "the user may not run CLIENT LIST (NOPERM); append +client|id +client|list to its access string"
            in ended.msg
        )
        assert {node["told"] for node in ended.of(GROUP)["nodes"]} == {"not_permitted"}
        ended = ask(emulator, password=A)
        assert {row["user"] for row in ended.of(GROUP)["clients"]} == {"app"}


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "#jinja2:{{1+1}}", "{{lookup('pipe','id')}}", "x" * 500])
def test_hostile_names_of_libraries_are_text(emulator: Emulator, name: str) -> None:
    scene(emulator, "required")
    with connected(emulator, "127.0.3.17", A, (name, "{%raw%}")):
        ended = ask(emulator, auth_token=A, established_before=str(time.time() + 3600))
        (row,) = ended.of(GROUP)["clients"]
        shown = name if len(name) <= 64 else f"{name[:63]}…"
        assert (row["library"], row["library_version"]) == (shown, "{%raw%}")
        assert f"127.0.3.17 ({shown} {{%raw%}}) x1" in ended.msg


@pytest.mark.parametrize("given", ["yesterday", "2026-11-27T14:00:00", "nan", ""])
def test_a_moment_that_is_none_is_refused(emulator: Emulator, given: str) -> None:
    ended = ask(emulator, established_before=given)
    assert ended.failed
    assert ended.msg.startswith("established_before: give a date with time and zone")
