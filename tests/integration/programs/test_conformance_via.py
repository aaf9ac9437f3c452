# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Nodes that are asked by way of a host inside the VPC: its SSH server forwards, and runs nothing."""

from __future__ import annotations

import asyncio
import getpass
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import asyncssh
import psutil
import pytest

from conformance.nodes import CLOSED, SERVED, Address, Nodes, UnreachableError
from conformance.rows import NOAUTH, WRONGPASS

if TYPE_CHECKING:
    from conftest import Emulator

TOKEN = "Token-in-force-00001"
_PATIENCE = 30.0

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.05)


class _Forwarding(asyncssh.SSHServer):
    """Takes connections on, wherever they lead."""

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        return True


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[list[str]]:
    """The command that reaches such a host, and the host. A session there is refused: nothing can be run."""
    assert shutil.which("ssh"), "There is no ssh on PATH. Install OpenSSH's client (Debian: openssh-client)."
    key, key_file = asyncssh.generate_private_key("ssh-ed25519"), tmp_path / "id_ed25519"
    key.write_private_key(str(key_file))
    key_file.chmod(0o600)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="ssh host")
    thread.start()

    async def serve() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=_Forwarding,
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            authorized_client_keys=asyncssh.import_authorized_keys(key.export_public_key().decode()),
        )

    try:
        server = asyncio.run_coroutine_threadsafe(serve(), loop).result(_PATIENCE)
        options = ["-F", "none", "-p", str(server.get_port()), "-i", str(key_file)]
        options += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        yield ["ssh", *options, f"{getpass.getuser()}@127.0.0.1"]
        server.close()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_PATIENCE)


@pytest.fixture
def address(emulator: Emulator) -> Address:
    """A node over TLS."""
    emulator.client("elasticache").create_replication_group(
        ReplicationGroupId="sessions",
        ReplicationGroupDescription="sessions",
        TransitEncryptionEnabled=True,
        AuthToken=TOKEN,
    )
    node = emulator.wait_available("sessions")["node_groups"][0]["nodes"][0]
    return Address(node["host"], node["port"], tls=True)


def test_nodes_answer_by_way_of_a_host(emulator: Emulator, ssh: list[str], address: Address) -> None:
    """As they do directly; the token is in no process list; nothing is left when all is closed."""
    nodes = Nodes(ssh, emulator.ca_bundle)
    line = nodes.open(address)
    assert line.authenticate(TOKEN) == "OK"
    running = [" ".join(child.cmdline()) for child in psutil.Process().children(recursive=True)]
    assert [command for command in running if f"-W {address}" in command]
    assert not [command for command in running if TOKEN in command]
    assert nodes.unauthenticated(address) == NOAUTH
    assert nodes.once(address, "AUTH", f"{TOKEN}-not") == WRONGPASS
    assert nodes.accepts(address, TOKEN)
    assert line.ping() == SERVED
    nodes.close()
    left = [child.cmdline() for child in psutil.Process().children(recursive=True)]
    assert not [command for command in left if "-W" in command]


def test_what_ssh_says_is_why(emulator: Emulator, ssh: list[str], address: Address) -> None:
    """Of a port where nothing listens, and of a host that lets nobody in; another node is not tried then."""
    nowhere = Address(address.host, 1, tls=True)
    nodes = Nodes(ssh, emulator.ca_bundle)
    with pytest.raises(UnreachableError, match=r"no connection to 127\.0\.0\.1:1: .*stdio forwarding failed"):
        nodes.open(nowhere)
    with pytest.raises(UnreachableError, match=r"no connection to 127\.0\.0\.1:1"):
        nodes.open(address)
    refused = [part if part != ssh[ssh.index("-i") + 1] else "/dev/null" for part in ssh]
    with pytest.raises(UnreachableError, match=r"Permission denied|not accessible|invalid format"):
        Nodes(refused, emulator.ca_bundle).open(address)


def test_a_node_that_goes_away(emulator: Emulator, address: Address) -> None:
    """Directly: a connection that was ended is told, and so is a node that can't be reached from outside."""
    nodes = Nodes(ca_bundle=emulator.ca_bundle)
    line = nodes.open(address)
    emulator.client("elasticache").delete_replication_group(ReplicationGroupId="sessions")
    while line.ping() != CLOSED:
        pass
    with pytest.raises(UnreachableError, match="no connection to"):
        nodes.open(address)
    nodes.close()
    outside = Nodes(ca_bundle=emulator.ca_bundle)
    with pytest.raises(UnreachableError, match="--via HOST asks by way of a host inside the VPC"):
        outside.open(address)
