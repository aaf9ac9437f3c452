# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""User groups (RBAC), encryption modes, and what clients may not do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.emulator.data_plane_support import KINDS, TOKEN_A, TOKEN_B, WRONG, PlaneKind, Wire, opened

from emulator.access import Access, AclUser, DataPlane, Endpoint, TlsMode
from emulator.data_plane.acl import REFUSED_COMMANDS, REMOVED_COMMANDS

GROUP = "group"
DEFAULT = AclUser("default", "on ~* +@all", (TOKEN_A,))
READER = AclUser("reader", "on ~app:* -@all +@read +ping +client", (TOKEN_A,))
WRITER = AclUser("writer", "on ~app:* +@all -del", (TOKEN_A,))
SELECTED = AclUser("selected", "on ~a* +get (~b* +set)", (TOKEN_A,))
NOPERM = "-NOPERM User {} has no permissions to run the '{}' command"


@pytest.fixture(scope="module", params=KINDS)
def node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[DataPlane, Endpoint]]:
    with opened(request.param, tmp_path_factory.mktemp("dp")) as plane:
        ((endpoint,),) = plane.create_group(GROUP, [1], cluster_enabled=False, access=Access(), tls=TlsMode.REQUIRED)
        yield plane, endpoint


def as_user(plane: DataPlane, endpoint: Endpoint, name: str, password: str = TOKEN_A) -> Wire:
    client = Wire(endpoint, plane.ca_bundle)
    assert client.ask("AUTH", name, password) == "OK"
    return client


@pytest.mark.parametrize(
    ("user", "command", "answer"),
    [
        ("default", ("SET", "app:1", "x"), "OK"),
        ("default", ("ACL", "WHOAMI"), "default"),
        ("reader", ("GET", "app:1"), "x"),
        ("reader", ("GET", "other"), "-NOPERM No permissions to access a key"),
        ("reader", ("SET", "app:1", "y"), NOPERM.format("reader", "set")),
        ("reader", ("ACL", "WHOAMI"), NOPERM.format("reader", "acl|whoami")),
        ("reader", ("CLIENT", "SETNAME", "me"), "OK"),
        ("writer", ("SET", "app:1", "x"), "OK"),
        ("writer", ("INCR", "other"), "-NOPERM No permissions to access a key"),
        ("writer", ("DEL", "app:1"), NOPERM.format("writer", "del")),
        ("selected", ("GET", "a"), None),
        ("selected", ("SET", "b", "x"), "OK"),
        ("selected", ("GET", "b"), "-NOPERM No permissions to access a key"),
        ("selected", ("DEL", "b"), NOPERM.format("selected", "del")),
    ],
)
def test_access_strings(
    node: tuple[DataPlane, Endpoint], user: str, command: tuple[str, ...], answer: str | None
) -> None:
    plane, endpoint = node
    plane.set_access(GROUP, Access(users=(DEFAULT, READER, WRITER, SELECTED)))
    with as_user(plane, endpoint, "default") as client:
        client.ask("SET", "app:1", "x")
    with as_user(plane, endpoint, user) as client:
        assert client.ask(*command) == answer


def test_a_changed_password_keeps_connections_and_a_removed_user_ends_them(node: tuple[DataPlane, Endpoint]) -> None:
    plane, endpoint = node
    plane.set_access(GROUP, Access(users=(DEFAULT, READER, WRITER)))
    reader, writer, default = (as_user(plane, endpoint, name) for name in ("reader", "writer", "default"))
    with reader, writer, default:
        changed = AclUser(WRITER.name, WRITER.access_string, (TOKEN_B,))
        plane.set_access(GROUP, Access(users=(DEFAULT, READER, changed)))
        assert [client.ask("PING") for client in (reader, writer, default)] == ["PONG"] * 3
        plane.set_access(GROUP, Access(users=(DEFAULT, changed)))
        assert reader.is_closed()
        assert [client.ask("PING") for client in (writer, default)] == ["PONG"] * 2
        plane.set_access(GROUP, Access(users=(changed,)))
        assert default.is_closed()
        assert writer.ask("PING") == "PONG"
        with Wire(endpoint, plane.ca_bundle) as late:
            assert late.ask("AUTH", TOKEN_A).startswith("-WRONGPASS")
            assert late.ask("AUTH", "writer", TOKEN_B) == "OK"


def test_from_token_to_users_and_back_who_is_named_default_stays(node: tuple[DataPlane, Endpoint]) -> None:
    """elasticache-facts §6: both recipes keep a client that sends only the token."""
    plane, endpoint = node
    plane.set_access(GROUP, Access((TOKEN_A,)))
    with Wire(endpoint, plane.ca_bundle) as early:
        assert early.ask("AUTH", TOKEN_A) == "OK"
        plane.set_access(GROUP, Access(users=(DEFAULT, WRITER)))
        with as_user(plane, endpoint, "writer") as writer, Wire(endpoint, plane.ca_bundle) as middle:
            assert middle.ask("AUTH", TOKEN_A) == "OK"
            plane.set_access(GROUP, Access((None, TOKEN_A)))
            assert writer.is_closed()
            with Wire(endpoint, plane.ca_bundle) as anyone:
                assert anyone.ask("PING") == "PONG"
                assert anyone.ask("AUTH", "writer", TOKEN_A).startswith("-WRONGPASS")
            assert [client.ask("PING") for client in (early, middle)] == ["PONG"] * 2


def test_users_to_open(node: tuple[DataPlane, Endpoint]) -> None:
    plane, endpoint = node
    plane.set_access(GROUP, Access(users=(WRITER,)))
    plane.set_access(GROUP, Access((None,)))
    with Wire(endpoint, plane.ca_bundle) as anyone:
        assert anyone.ask("SET", "free", "1") == "OK"


def test_access_that_the_engine_does_not_understand_changes_nothing(node: tuple[DataPlane, Endpoint]) -> None:
    plane, endpoint = node
    plane.set_access(GROUP, Access((TOKEN_A,)))
    with pytest.raises(ValueError, match="odd"):
        plane.set_access(GROUP, Access(users=(DEFAULT, AclUser("odd", "on ~* (+@all", (TOKEN_A,)))))
    with Wire(endpoint, plane.ca_bundle) as client:
        assert client.ask("AUTH", TOKEN_A) == "OK"


@pytest.mark.parametrize("users", [False, True])
def test_what_elasticache_restricts_is_refused(tmp_path: Path, *, users: bool) -> None:
    access = Access(users=(DEFAULT,)) if users else Access((TOKEN_A,))
    with opened("valkey", tmp_path) as plane:
        ((endpoint,),) = plane.create_group(GROUP, [1], cluster_enabled=False, access=access, tls=TlsMode.REQUIRED)
        for name in REMOVED_COMMANDS:
            with as_user(plane, endpoint, "default") as client:
                assert client.ask(name, "x").startswith(f"-ERR unknown command '{name}'")
        for name in REFUSED_COMMANDS:
            with as_user(plane, endpoint, "default") as client:
                arguments = (*name.split("|"), *("x" for dummy in range(3)))
                replies = [client.ask(*arguments[:count]) for count in range(1 + ("|" in name), len(arguments) + 1)]
                assert NOPERM.format("default", name) in replies


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("mode", "plaintext", "encrypted"),
    [(TlsMode.OFF, True, False), (TlsMode.PREFERRED, True, True), (TlsMode.REQUIRED, False, True)],
)
def test_encryption_modes(tmp_path: Path, kind: PlaneKind, mode: TlsMode, *, plaintext: bool, encrypted: bool) -> None:
    with opened(kind, tmp_path) as plane:
        ((endpoint,),) = plane.create_group(
            GROUP, [1], cluster_enabled=False, access=Access((TOKEN_A,)), tls=TlsMode.PREFERRED
        )
        before = [(True, Wire(endpoint, None)), (False, Wire(endpoint, plane.ca_bundle))]
        for dummy, client in before:
            assert client.ask("AUTH", TOKEN_A) == "OK"
        plane.set_tls(GROUP, mode)
        for is_plaintext, client in before:
            with client:
                allowed = plaintext if is_plaintext else encrypted
                if allowed:
                    assert client.ask("PING") == "PONG"
                else:
                    assert client.is_closed()
        for allowed, ca_bundle in ((plaintext, None), (encrypted, plane.ca_bundle)):
            if allowed:
                with Wire(endpoint, ca_bundle) as client:
                    assert client.ask("AUTH", TOKEN_A) == "OK"
            else:
                with pytest.raises((ConnectionError, OSError)), Wire(endpoint, ca_bundle) as client:
                    client.ask("AUTH", TOKEN_A)


@pytest.mark.parametrize("kind", KINDS)
def test_encryption_required_wants_the_right_authority_and_wrong_passwords_stay_wrong(
    tmp_path: Path, kind: PlaneKind
) -> None:
    with opened(kind, tmp_path) as plane:
        ((endpoint,),) = plane.create_group(
            GROUP, [1], cluster_enabled=False, access=Access((TOKEN_A,)), tls=TlsMode.REQUIRED
        )
        with opened("light", tmp_path) as other, pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            Wire(endpoint, other.ca_bundle)
        with Wire(endpoint, plane.ca_bundle) as client:
            assert client.ask("AUTH", WRONG).startswith("-WRONGPASS")
