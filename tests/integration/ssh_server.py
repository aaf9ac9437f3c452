# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A machine that is reached over SSH, on loopback: commands are run by this user, as OpenSSH's server runs them.

It needs ``ssh``, OpenSSH's client, on PATH, as Ansible's connection of that name does. Without a terminal, a command is
not told when its connection has ended: its standard output is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import shutil
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from chaos.command import MARK

_PATIENCE = 30.0


@dataclass(frozen=True)
class SshMachine:
    """How Ansible reaches it (``variables``), and what is in the environment of all commands there (``mark``)."""

    variables: Mapping[str, Any]
    mark: str


@contextlib.contextmanager
def ssh_machine(folder: Path, environment: Mapping[str, str]) -> Iterator[SshMachine]:
    """Serve as long as the context lasts; commands get this ``environment``."""
    assert shutil.which("ssh"), "There is no ssh on PATH. Install OpenSSH's client (Debian: openssh-client)."
    key, mark = asyncssh.generate_private_key("ssh-ed25519"), uuid.uuid4().hex
    key_file = folder / "id_ed25519"
    key.write_private_key(str(key_file))
    key_file.chmod(0o600)
    given = {"PATH": os.environ["PATH"], "HOME": str(folder), **environment, MARK: mark}
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="ssh machine")
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(_serve(key, given), loop).result(_PATIENCE)
        yield SshMachine(
            {
                "ansible_connection": "ssh",
                "ansible_host": "127.0.0.1",
                "ansible_port": server.get_port(),
                "ansible_user": getpass.getuser(),
                "ansible_ssh_private_key_file": str(key_file),
                "ansible_ssh_host_key_checking": False,
                # No connection that is kept for later ones: it would outlive the command.
                "ansible_ssh_args": "-F none -o ControlMaster=no -o UserKnownHostsFile=/dev/null",
            },
            mark,
        )
        server.close()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_PATIENCE)


async def _serve(key: asyncssh.SSHKey, environment: Mapping[str, str]) -> asyncssh.SSHAcceptor:
    async def run(process: asyncssh.SSHServerProcess[bytes]) -> None:
        child = await asyncio.create_subprocess_shell(
            process.command or "true",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
        ended = asyncio.create_task(child.wait())
        closed = asyncio.create_task(process.wait_closed())
        await asyncio.wait([ended, closed], return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            process.exit(child.returncode or 0)
            return
        for number in range(3):
            if pipe := child._transport.get_pipe_transport(number):  # type: ignore[attr-defined]
                pipe.close()

    return await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        authorized_client_keys=asyncssh.import_authorized_keys(key.export_public_key().decode()),
        process_factory=run,
        encoding=None,
    )
