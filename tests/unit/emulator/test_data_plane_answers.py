# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""elasticache-facts §1, first table: for each state and credential the answer, word for word, on both planes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.emulator.data_plane_support import KINDS, TOKEN_A, TOKEN_B, WRONG, Settings, Wire, opened

from emulator.access import Access, AclUser, DataPlane, Endpoint, TlsMode

GROUP = "table"
SETTINGS = Settings()

WRONGPASS = "-WRONGPASS invalid username-password pair or user is disabled."
NOAUTH = "-NOAUTH Authentication required."
UNCONFIGURED = (
    "-ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
NOAUTH_HELLO = (
    "-NOAUTH HELLO must be called with the client already authenticated, "
    "otherwise the HELLO <proto> AUTH <user> <pass> option "
    "can be used to authenticate the client and select the RESP protocol version at the same time"
)

EVERYTHING = "on ~* &* +@all"
STATES = {
    "open": Access((None,)),
    "optional": Access((None, TOKEN_A)),
    "required": Access((TOKEN_A,)),
    "rotating": Access((TOKEN_A, TOKEN_B)),
    "rbac": Access(
        users=(AclUser("default", EVERYTHING, (TOKEN_A,)), AclUser("app", EVERYTHING, (TOKEN_A, TOKEN_B))),
    ),
    "rbac without default": Access(users=(AclUser("app", EVERYTHING, (TOKEN_A,)), AclUser("gone", "off ~* +@all"))),
    "rbac with an open default": Access(users=(AclUser("default", EVERYTHING, no_password=True),)),
}

PING = ("PING",)
A, B, BAD = (("AUTH", token) for token in (TOKEN_A, TOKEN_B, WRONG))
DEFAULT_A, DEFAULT_BAD = ("AUTH", "default", TOKEN_A), ("AUTH", "default", WRONG)
APP_A, APP_B = ("AUTH", "app", TOKEN_A), ("AUTH", "app", TOKEN_B)
HELLO_A, HELLO_BAD = ("HELLO", "3", "AUTH", "default", TOKEN_A), ("HELLO", "3", "AUTH", "default", WRONG)
HELLO = ("HELLO", "3")
SERVED = "served"

TABLE: list[tuple[str, tuple[str, ...], str]] = [
    ("open", PING, "PONG"),
    ("open", A, UNCONFIGURED),
    ("open", DEFAULT_A, "OK"),
    ("open", DEFAULT_BAD, "OK"),
    ("open", APP_A, WRONGPASS),
    ("open", HELLO_A, SERVED),
    ("open", HELLO_BAD, SERVED),
    ("open", HELLO, SERVED),
    ("optional", PING, "PONG"),
    ("optional", A, "OK"),
    ("optional", DEFAULT_A, "OK"),
    ("optional", BAD, WRONGPASS),
    ("optional", DEFAULT_BAD, WRONGPASS),
    ("optional", APP_A, WRONGPASS),
    ("optional", HELLO_A, SERVED),
    ("optional", HELLO_BAD, WRONGPASS),
    ("optional", HELLO, SERVED),
    ("required", PING, NOAUTH),
    ("required", A, "OK"),
    ("required", DEFAULT_A, "OK"),
    ("required", B, WRONGPASS),
    ("required", APP_A, WRONGPASS),
    ("required", HELLO_A, SERVED),
    ("required", HELLO_BAD, WRONGPASS),
    ("required", HELLO, NOAUTH_HELLO),
    ("rotating", PING, NOAUTH),
    ("rotating", A, "OK"),
    ("rotating", B, "OK"),
    ("rotating", BAD, WRONGPASS),
    ("rbac", PING, NOAUTH),
    ("rbac", A, "OK"),
    ("rbac", DEFAULT_A, "OK"),
    ("rbac", B, WRONGPASS),
    ("rbac", APP_A, "OK"),
    ("rbac", APP_B, "OK"),
    ("rbac", ("AUTH", "app", WRONG), WRONGPASS),
    ("rbac", ("AUTH", "nobody", TOKEN_A), WRONGPASS),
    ("rbac without default", PING, NOAUTH),
    ("rbac without default", A, WRONGPASS),
    ("rbac without default", DEFAULT_A, WRONGPASS),
    ("rbac without default", APP_A, "OK"),
    ("rbac without default", ("AUTH", "gone", TOKEN_A), WRONGPASS),
    ("rbac with an open default", PING, "PONG"),
    ("rbac with an open default", A, UNCONFIGURED),
    ("rbac with an open default", DEFAULT_A, "OK"),
    # what the engine says of its own accord, and both planes alike
    ("required", ("AUTH",), "-ERR wrong number of arguments for 'auth' command"),
    ("required", ("AUTH", "a", "b", "c"), "-ERR syntax error"),
    ("required", ("HELLO", "4"), "-NOPROTO unsupported protocol version"),
    ("required", ("HELLO", "x"), "-ERR Protocol version is not an integer or out of range"),
    ("required", ("HELLO", "3", "WHAT"), "-ERR Syntax error in HELLO option 'WHAT'"),
    ("required", ("CLIENT", "ID"), NOAUTH),
    ("required", ("GET", "key"), NOAUTH),
    ("required", ("NOSUCH", "x"), NOAUTH),
    ("open", ("NOSUCH", "x"), "-ERR unknown command 'NOSUCH', with args beginning with: 'x' "),
    ("open", ("CONFIG", "GET", "*"), "-ERR unknown command 'CONFIG', with args beginning with: 'GET' '*' "),
    ("required", ("QUIT",), "OK"),
    ("open", ("GET",), "-ERR wrong number of arguments for 'get' command"),
    ("open", ("CLIENT", "NOSUCH"), "-ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP."),
    ("open", ("SELECT", "99"), "-ERR DB index is out of range"),
    ("open", ("ACL", "WHOAMI"), "default"),
    ("open", ("RESET",), "RESET"),
]


@pytest.fixture(scope="module", params=KINDS)
def node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[DataPlane, Endpoint]]:
    with opened(request.param, tmp_path_factory.mktemp("dp"), SETTINGS) as plane:
        ((endpoint,),) = plane.create_group(
            GROUP, [1], cluster_enabled=False, access=STATES["open"], tls=TlsMode.REQUIRED
        )
        yield plane, endpoint


@pytest.fixture(autouse=True)
def default_settings() -> Iterator[None]:
    yield
    SETTINGS.wrong_token = "wrongpass"
    SETTINGS.drop_connections = False
    SETTINGS.open_takes_default = True


@pytest.mark.parametrize(("state", "request_", "answer"), TABLE)
def test_answers(node: tuple[DataPlane, Endpoint], state: str, request_: tuple[str, ...], answer: str) -> None:
    plane, endpoint = node
    plane.set_access(GROUP, STATES[state])
    with Wire(endpoint, plane.ca_bundle) as client:
        reply = client.ask(*request_)
        if answer == SERVED:
            assert reply["proto"] == 3
            reply = client.ask("PING")
            answer = "PONG"
        assert reply == answer


@pytest.mark.parametrize(
    ("variant", "request_", "answer"),
    [
        ("wrongpass", BAD, WRONGPASS),
        ("ok", BAD, "OK"),
        ("ok", DEFAULT_BAD, "OK"),
        ("ok", HELLO_BAD, SERVED),
        ("ok", APP_A, WRONGPASS),
        ("error", BAD, UNCONFIGURED),
        ("error", DEFAULT_BAD, UNCONFIGURED),
        ("error", HELLO_BAD, UNCONFIGURED),
        ("error", A, "OK"),
        ("error", DEFAULT_A, "OK"),
        ("error", HELLO_A, SERVED),
    ],
)
def test_a_wrong_token_in_optional_is_answered_as_the_variant_says(
    node: tuple[DataPlane, Endpoint], variant: str, request_: tuple[str, ...], answer: str
) -> None:
    plane, endpoint = node
    plane.set_access(GROUP, STATES["optional"])
    SETTINGS.wrong_token = variant
    with Wire(endpoint, plane.ca_bundle) as client:
        reply = client.ask(*request_)
        assert (reply["proto"] == 3) if answer == SERVED else (reply == answer)
        assert client.ask("PING") == "PONG"  # in `optional` nobody loses the right to speak


@pytest.mark.parametrize("request_", [A, DEFAULT_A, HELLO_A], ids=["auth", "auth-default", "hello"])
def test_an_open_node_refuses_default_where_the_variant_says_so(
    node: tuple[DataPlane, Endpoint], request_: tuple[str, ...]
) -> None:
    plane, endpoint = node
    plane.set_access(GROUP, STATES["open"])
    SETTINGS.open_takes_default = False
    with Wire(endpoint, plane.ca_bundle) as client:
        assert client.ask(*request_) == UNCONFIGURED
        assert client.ask("PING") == "PONG"


def test_a_refused_hello_leaves_the_protocol_as_it_was(node: tuple[DataPlane, Endpoint]) -> None:
    plane, endpoint = node
    plane.set_access(GROUP, STATES["optional"])
    with Wire(endpoint, plane.ca_bundle) as client:
        assert client.ask(*HELLO_BAD) == WRONGPASS
        assert isinstance(client.ask("HELLO"), list)  # a map would be RESP3


def test_hello_sets_the_name_also_where_it_is_rewritten(node: tuple[DataPlane, Endpoint]) -> None:
    plane, endpoint = node
    plane.set_access(GROUP, STATES["optional"])
    with Wire(endpoint, plane.ca_bundle) as client:
        assert client.ask("hello", "2", "setname", "me", "auth", "default", TOKEN_A)[5] == 2
        assert client.ask("CLIENT", "GETNAME") == "me"
        assert client.ask("ACL", "WHOAMI") == "default"


def test_pipelined_and_inline_commands_are_answered_in_order(node: tuple[DataPlane, Endpoint]) -> None:
    plane, endpoint = node
    plane.set_access(GROUP, STATES["optional"])
    with Wire(endpoint, plane.ca_bundle) as client:
        client.send(
            f"PING\r\nAUTH {WRONG}\r\n\r\nECHO one\n*2\r\n$4\r\nauth\r\n${len(TOKEN_A)}\r\n{TOKEN_A}\r\n"
            f'AUTH default "{WRONG}"\r\nECHO two\r\n'.encode()
        )
        assert [client.read() for dummy in range(6)] == ["PONG", WRONGPASS, "one", "OK", WRONGPASS, "two"]


def test_a_command_that_dribbles_in_is_understood(node: tuple[DataPlane, Endpoint]) -> None:
    plane, endpoint = node
    plane.set_access(GROUP, STATES["optional"])
    with Wire(endpoint, plane.ca_bundle) as client:
        for byte in f"*2\r\n$4\r\nAUTH\r\n${len(TOKEN_A)}\r\n{TOKEN_A}\r\nPING\r\n".encode():
            client.send(bytes([byte]))
        assert [client.read(), client.read()] == ["OK", "PONG"]


def test_nonsense_gets_a_protocol_error_and_is_disconnected(node: tuple[DataPlane, Endpoint]) -> None:
    plane, endpoint = node
    plane.set_access(GROUP, STATES["open"])
    with Wire(endpoint, plane.ca_bundle) as client:
        client.send(b"PING\r\n*1\r\n+nonsense\r\n")
        assert client.read() == "PONG"
        assert client.read() == "-ERR Protocol error: expected '$', got '+'"
        assert client.is_closed()


@pytest.mark.parametrize("drop", [False, True])
def test_connections_outlive_a_token_change_unless_the_variant_says_otherwise(
    node: tuple[DataPlane, Endpoint], drop: bool
) -> None:
    plane, endpoint = node
    plane.set_access(GROUP, STATES["required"])
    SETTINGS.drop_connections = drop
    with Wire(endpoint, plane.ca_bundle) as client:
        assert client.ask(*A) == "OK"
        plane.set_access(GROUP, STATES["required"])  # no change of tokens: nothing is dropped
        assert client.ask("PING") == "PONG"
        plane.set_access(GROUP, Access((TOKEN_B,)))
        if drop:
            assert client.is_closed()
        else:
            assert client.ask("PING") == "PONG"
            assert client.ask(*A) == WRONGPASS


def test_who_came_without_a_token_stays_when_tokens_are_required(node: tuple[DataPlane, Endpoint]) -> None:
    plane, endpoint = node
    plane.set_access(GROUP, STATES["optional"])
    with Wire(endpoint, plane.ca_bundle) as early:
        assert early.ask("PING") == "PONG"
        plane.set_access(GROUP, STATES["required"])
        assert early.ask("PING") == "PONG"
        with Wire(endpoint, plane.ca_bundle) as late:
            assert late.ask("PING") == NOAUTH


def test_a_refused_auth_has_its_second_also_when_it_comes_in_while_the_node_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened("valkey", tmp_path) as plane:
        ((node,),) = plane.create_group(
            "one", [1], cluster_enabled=False, access=Access((TOKEN_A,)), tls=TlsMode.REQUIRED
        )
        began, ask = int(time.time()), getattr(plane, "_newly_refused")  # noqa: B009 - DataPlane has none

        def ask_after_an_auth(asked: object) -> int:
            with Wire(node, plane.ca_bundle) as client:
                assert client.ask("AUTH", TOKEN_B).startswith("-WRONGPASS")
            return int(ask(asked))

        monkeypatch.setattr(plane, "_newly_refused", ask_after_an_auth)
        ((failed, count),) = plane.take_authentication_failures().items()
        assert (failed.key, count) == ("one", 1)
        assert began <= failed.second <= time.time()
