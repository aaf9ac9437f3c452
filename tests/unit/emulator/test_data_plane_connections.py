# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What nodes tell of their clients: CLIENT LIST, CLIENT INFO, CLIENT KILL and ACL LOG, on both data planes alike."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.emulator.data_plane_support import KINDS, TOKEN_A, TOKEN_B, WRONG, Settings, Wire, opened, wait_until

from emulator.access import Access, AclUser, DataPlane, Endpoint, TlsMode
from emulator.data_plane.addresses import AddressBook, Translation


@pytest.fixture(scope="module", params=KINDS)
def plane(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataPlane]:
    with opened(request.param, tmp_path_factory.mktemp("dp"), SETTINGS) as opened_plane:
        yield opened_plane


SETTINGS = Settings()


@pytest.fixture
def node(request: pytest.FixtureRequest, plane: DataPlane) -> Iterator[Endpoint]:
    """The node of a group that takes one token, or both."""
    key = request.node.name
    ((endpoint,),) = plane.create_group(
        key, [1], cluster_enabled=False, access=Access((TOKEN_A, TOKEN_B)), tls=TlsMode.REQUIRED
    )
    yield endpoint
    plane.delete_group(key)


def client(plane: DataPlane, endpoint: Endpoint, *, host: str = "127.0.0.1", token: str = TOKEN_A) -> Wire:
    """A client with an address of its own, which has authenticated."""
    wire = Wire(endpoint, plane.ca_bundle, source=host)
    assert wire.ask("AUTH", token) == "OK"
    return wire


def members(line: str) -> dict[str, str]:
    """What a line of CLIENT LIST says, by name."""
    return dict(word.partition("=")[::2] for word in line.split())


def listed(wire: Wire) -> dict[str, dict[str, str]]:
    """CLIENT LIST, by address."""
    return {row["addr"]: row for row in map(members, wire.ask("CLIENT", "LIST").splitlines())}


def own(wire: Wire) -> str:
    """The client's own address as its system knows it."""
    host, port = wire.socket.getsockname()
    return f"{host}:{port}"


def log(wire: Wire) -> list[dict[str, Any]]:
    """ACL LOG."""
    return [dict(zip(row[::2], row[1::2], strict=True)) for row in wire.ask("ACL", "LOG")]


def test_client_list_has_the_clients_own_addresses_and_libraries(plane: DataPlane, node: Endpoint) -> None:
    with client(plane, node, host="127.0.3.17") as first, client(plane, node, host="127.0.4.2") as second:
        assert first.ask("CLIENT", "SETINFO", "LIB-NAME", "jedis") == "OK"
        assert first.ask("CLIENT", "SETINFO", "lib-ver", "5.1.2") == "OK"
        rows = listed(second)
        assert {own(first), own(second)} <= set(rows)
        told = rows[own(first)]
        assert (told["user"], told["lib-name"], told["lib-ver"]) == ("default", "jedis", "5.1.2")
        assert int(told["age"]) >= 0
        assert told["laddr"] == f"{node.host}:{node.port}"
        assert members(first.ask("CLIENT", "INFO"))["addr"] == own(first)


@pytest.mark.parametrize("name", ["a b", "a\x1b[31m", "a\nb"])
def test_a_library_is_one_word_of_printable_characters(plane: DataPlane, node: Endpoint, name: str) -> None:
    with client(plane, node) as wire:
        answer = wire.ask("CLIENT", "SETINFO", "lib-name", name)
        assert answer == "-ERR lib-name cannot contain spaces, newlines or special characters."


def test_connections_are_ended_by_their_ids_and_by_no_other(plane: DataPlane, node: Endpoint) -> None:
    with client(plane, node, host="127.0.3.17") as first, client(plane, node) as second:
        assert second.ask("CLIENT", "KILL", "ID", listed(second)[own(first)]["id"]) == 1
        assert first.is_closed()
        assert wait_until(lambda: own(first) not in listed(second))
        assert second.ask("CLIENT", "KILL", "ID", "999999") == 0
        assert second.ask("PING") == "PONG"


def test_acl_log_has_the_address_of_a_client_that_was_refused_and_is_gone(plane: DataPlane, node: Endpoint) -> None:
    with Wire(node, plane.ca_bundle, source="127.0.3.17") as refused:
        refused_at = own(refused)
        for dummy in range(3):
            assert refused.ask("AUTH", WRONG).startswith("-WRONGPASS")
    with client(plane, node) as wire:
        (entry,) = log(wire)
        assert (entry["reason"], entry["username"], entry["count"]) == ("auth", "default", 3)
        assert members(entry["client-info"])["addr"] == refused_at
        assert float(entry["age-seconds"]) >= 0
        assert wire.ask("ACL", "LOG", "RESET") == "OK"
        assert log(wire) == []


def test_acl_log_has_one_entry_of_a_user_with_the_client_that_came_last(plane: DataPlane, node: Endpoint) -> None:
    for host in ("127.0.3.17", "127.0.4.2"):
        with Wire(node, plane.ca_bundle, source=host) as refused:
            refused.ask("AUTH", WRONG)
            refused.ask("AUTH", "somebody", WRONG)
    with client(plane, node) as wire:
        entries = {entry["username"]: entry for entry in log(wire)}
        assert {name: entry["count"] for name, entry in entries.items()} == {"default": 2, "somebody": 2}
        assert members(entries["default"]["client-info"])["addr"].startswith("127.0.4.2:")


def test_a_user_who_may_not_list_connections_is_told_so(plane: DataPlane) -> None:
    reader = AclUser("reader", "on ~* +@read +@connection -@dangerous", (TOKEN_A,))
    ((endpoint,),) = plane.create_group(
        "noperm", [1], cluster_enabled=False, access=Access(users=(reader,)), tls=TlsMode.REQUIRED
    )
    with Wire(endpoint, plane.ca_bundle) as wire:
        assert wire.ask("AUTH", "reader", TOKEN_A) == "OK"
        for command in ("CLIENT|LIST", "ACL|LOG"):
            refused = wire.ask(*command.split("|"))
            assert refused == f"-NOPERM User reader has no permissions to run the '{command.lower()}' command"
    plane.delete_group("noperm")


@pytest.mark.parametrize("drop", [False, True])
def test_connections_go_on_when_the_older_token_is_dropped_unless_the_variant_ends_them(
    plane: DataPlane, node: Endpoint, request: pytest.FixtureRequest, drop: bool
) -> None:
    SETTINGS.drop_connections = drop
    try:
        with client(plane, node, host="127.0.3.17") as laggard:
            plane.set_access(request.node.name, Access((TOKEN_B,)))
            with client(plane, node, token=TOKEN_B) as wire:
                if drop:
                    assert laggard.is_closed()
                    assert wait_until(lambda: own(laggard) not in listed(wire))
                else:
                    assert laggard.ask("PING") == "PONG"
                    assert own(laggard) in listed(wire)
    finally:
        SETTINGS.drop_connections = False


BOOK = AddressBook()
BOOK.add(("127.0.0.1", 40001), ("127.0.0.1", 50001))
BOOK.add(("127.0.3.7", 40002), ("127.0.3.7", 50002))
BOOK.add(("127.0.0.1", 40003), ("127.0.0.1", 999))  # as long it is not
REPLY = b"id=1 addr=127.0.0.1:40001 laddr=127.0.3.7:40002 a\nid=2 addr=127.0.0.1:40003 addr=127.0.0.1:40004\r\n"
WANTED = b"id=1 addr=127.0.0.1:50001 laddr=127.0.3.7:50002 a\nid=2 addr=127.0.0.1:40003 addr=127.0.0.1:40004\r\n"


@given(cuts=st.lists(st.integers(0, len(REPLY)), max_size=6))
def test_addresses_are_translated_wherever_a_reply_is_cut(cuts: list[int]) -> None:
    bounds = sorted({0, *cuts, len(REPLY)})
    translation = Translation(BOOK)
    assert b"".join(translation.feed(REPLY[a:b]) for a, b in itertools.pairwise(bounds)) == WANTED
    assert len(WANTED) == len(REPLY)
    assert BOOK.inside(b"127.0.3.7:50002") == b"127.0.3.7:40002"
    assert BOOK.inside(b"127.0.0.1:999") == b"127.0.0.1:999"
