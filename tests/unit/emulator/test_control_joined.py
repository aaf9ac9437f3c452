# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The API and the nodes together: what the control plane says is what the nodes of both data planes enforce."""

from __future__ import annotations

from typing import Any

import pytest
import valkey
from unit.emulator.control_support import GROUP, TOKEN_A, TOKEN_B, create, create_user_group, modify, wait_active

pytestmark = pytest.mark.emulator(modify_seconds=0.05)
both_planes = pytest.mark.parametrize(
    "plane",
    [
        pytest.param("light", marks=pytest.mark.emulator(data_plane="light")),
        pytest.param("valkey", marks=pytest.mark.emulator(data_plane="valkey")),
    ],
)


def answers(emulator: Any, *credentials: str | tuple[str, str] | None) -> list[list[str]]:
    """By node, what a PING with each credential is answered: ``PONG``, or the exception's name."""
    nodes = [node for node_group in emulator.group(GROUP)["node_groups"] for node in node_group["nodes"]]
    return [[_ping(emulator, node, credential) for credential in credentials] for node in nodes]


def _ping(emulator: Any, node: dict[str, Any], credential: str | tuple[str, str] | None) -> str:
    user, password = credential if isinstance(credential, tuple) else (None, credential)
    client = valkey.Valkey(
        host=node["host"],
        port=node["port"],
        ssl=True,
        ssl_ca_certs=emulator.ca_bundle,
        username=user,
        password=password,
        socket_timeout=120,
    )
    try:
        return "PONG" if client.ping() else "?"
    except valkey.exceptions.ValkeyError as error:
        return type(error).__name__
    finally:
        client.close()


@both_planes
def test_the_nodes_enforce_what_the_api_says(emulator: Any, plane: str) -> None:
    refused = "AuthenticationError"
    create(emulator, AuthToken=TOKEN_A, NumCacheClusters=2)
    shown = emulator.client("elasticache").describe_replication_groups()["ReplicationGroups"][0]
    nodes = emulator.group(GROUP)["node_groups"][0]["nodes"]
    assert shown["NodeGroups"][0]["PrimaryEndpoint"] == {"Address": nodes[0]["host"], "Port": nodes[0]["port"]}
    assert answers(emulator, TOKEN_A, TOKEN_B, None) == [["PONG", refused, refused]] * 2
    modify(emulator, AuthToken=TOKEN_B, AuthTokenUpdateStrategy="ROTATE")
    assert answers(emulator, TOKEN_A, TOKEN_B, None) == [["PONG", "PONG", refused]] * 2
    modify(emulator, AuthToken=TOKEN_B, AuthTokenUpdateStrategy="SET")
    assert answers(emulator, TOKEN_A, TOKEN_B, None) == [[refused, "PONG", refused]] * 2
    create_user_group(emulator)
    modify(emulator, AuthTokenUpdateStrategy="DELETE", UserGroupIdsToAdd=["ug-1"])
    assert answers(emulator, TOKEN_A, ("default", TOKEN_A), TOKEN_B) == [["PONG", "PONG", refused]] * 2
    emulator.client("elasticache").modify_user(UserId="ug-1-user", Passwords=[TOKEN_B])
    wait_active(emulator, "ug-1")
    assert answers(emulator, TOKEN_A, TOKEN_B) == [[refused, "PONG"]] * 2
    modify(emulator, RemoveUserGroups=True, AuthToken=TOKEN_A, AuthTokenUpdateStrategy="ROTATE")
    assert answers(emulator, TOKEN_A, None, TOKEN_B) == [["PONG", "PONG", refused]] * 2
    modify(emulator, AuthToken=TOKEN_A, AuthTokenUpdateStrategy="SET")
    assert answers(emulator, TOKEN_A, None) == [["PONG", refused]] * 2
    assert emulator.group(GROUP)["plane_error"] is None


@both_planes
def test_a_deleted_group_serves_nobody(emulator: Any, plane: str) -> None:
    create(emulator, AuthToken=TOKEN_A)
    node = emulator.group(GROUP)["node_groups"][0]["nodes"][0]
    assert _ping(emulator, node, TOKEN_A) == "PONG"
    emulator.reset()
    assert _ping(emulator, node, TOKEN_A) in ("ConnectionError", "TimeoutError")


@both_planes
def test_variant_optional_wrong_token_reaches_the_nodes(emulator: Any, plane: str) -> None:
    create(emulator)
    modify(emulator, AuthToken=TOKEN_A, AuthTokenUpdateStrategy="ROTATE")
    assert answers(emulator, TOKEN_A, None, TOKEN_B) == [["PONG", "PONG", "AuthenticationError"]]
    emulator.variants({"optional-wrong-token": "ok"})
    assert answers(emulator, TOKEN_B) == [["PONG"]]


@both_planes
@pytest.mark.parametrize(("variant", "answer"), [("ok", "PONG"), ("error", "AuthenticationError")])
def test_variant_open_auth_default_reaches_the_nodes(emulator: Any, plane: str, variant: str, answer: str) -> None:
    emulator.variants({"open-auth-default": variant})
    create(emulator)
    assert answers(emulator, None, ("default", TOKEN_B), TOKEN_B) == [["PONG", answer, "AuthenticationError"]]


@both_planes
@pytest.mark.parametrize(("variant", "survives"), [("keep", True), ("drop", False)])
def test_variant_existing_connections_reaches_the_nodes(
    emulator: Any, plane: str, variant: str, survives: bool
) -> None:
    emulator.variants({"existing-connections": variant})
    create(emulator, AuthToken=TOKEN_A)
    node = emulator.group(GROUP)["node_groups"][0]["nodes"][0]
    connection = valkey.SSLConnection(
        host=node["host"], port=node["port"], ssl_ca_certs=emulator.ca_bundle, password=TOKEN_A, socket_timeout=120
    )
    connection.connect()
    modify(emulator, AuthToken=TOKEN_B, AuthTokenUpdateStrategy="ROTATE")
    connection.send_command("PING", check_health=False)
    if survives:
        assert connection.read_response() == b"PONG"
    else:
        with pytest.raises(valkey.exceptions.ConnectionError):
            connection.read_response()
    connection.disconnect()
