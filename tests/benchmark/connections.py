# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What client_connections_info takes beside auth_probe, on the same groups with the same connections.

In tests/: ``python -m benchmark.connections --groups 300 --connections 10``, on the data plane light. Groups have two
nodes; ``--connections`` are those of clients to each node. The emulator and the clients can have as many as the system
lets a process open files. Wall and CPU are those of the module's own process, memory its largest resident set.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from conftest import Emulator, start_emulator
from integration.client_wires import connected
from integration.scenes import A

_MODULES = "ansible_collections.elasticache.auth.plugins.modules"
_THREADS, _PAUSE = 16, 0.02


def main() -> None:
    """Make the groups and the connections, run both modules in turn, and print what each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, default=300)
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    emulator = start_emulator("--data-plane", "light", "--modify-seconds", "0", "--create-seconds", "0")
    try:
        _measure(emulator, [f"fleet-{number:04}" for number in range(given.groups)], given.connections, given.runs)
    finally:
        emulator.close()


def _measure(emulator: Emulator, groups: list[str], connections: int, runs: int) -> None:
    client = emulator.client("elasticache")
    request = {"Engine": "valkey", "TransitEncryptionEnabled": True, "NumCacheClusters": 2, "AuthToken": A}
    described = {**request, "ReplicationGroupDescription": "d"}
    with ThreadPoolExecutor(_THREADS) as pool, contextlib.ExitStack() as stack:
        list(pool.map(lambda key: client.create_replication_group(ReplicationGroupId=key, **described), groups))
        for key in groups:
            emulator.wait_available(key)
        places = [(key, node) for key in groups for node in (0, 1)]

        def connect(place: tuple[str, int]) -> None:
            key, node = place
            clients = connected(
                emulator, f"127.0.3.{node + 1}", A, ("jedis", "5.1.2"), count=connections, group=key, node=node
            )
            stack.enter_context(clients)

        list(pool.map(connect, places))
        common = {"replication_group_ids": groups, "data_plane_ca_path": emulator.ca_bundle, "data_plane_timeout": 60}
        credentials = [{"name": "own", "auth_token": A}]
        for dummy in range(runs):
            _run(emulator, "auth_probe", {**common, "credentials": credentials})
            _run(
                emulator, "client_connections_info", {**common, "auth_token": A, "established_before": str(time.time())}
            )


def _run(emulator: Emulator, module: str, options: Mapping[str, Any]) -> None:
    begun, most = time.monotonic(), 0
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as printed:
        given.write(json.dumps({"ANSIBLE_MODULE_ARGS": dict(options)}).encode())
        given.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-m", f"{_MODULES}.{module}"],
            env={**os.environ, **emulator.environment},
            stdin=given,
            stdout=printed,
        )
        while True:
            most = max(most, _largest(process.pid))
            ended, status, used = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            time.sleep(_PAUSE)
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        result = json.load(printed)
    told = sum(outcome.get("connections", 0) for outcome in result["outcomes"].values())
    print(
        f"{module:24} wall {time.monotonic() - begun:6.1f} s  CPU {used.ru_utime + used.ru_stime:6.1f} s  "
        f"memory {most / 1024:6.1f} MB  failed {bool(result.get('failed'))}  connections {told}",
        flush=True,
    )


def _largest(pid: int) -> int:
    """The largest resident set of a process so far, in KiB; 0 where it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


if __name__ == "__main__":
    main()
