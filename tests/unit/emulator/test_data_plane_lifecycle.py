# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Planes come and go without a trace, however they go, and the light one carries thousands of nodes."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import psutil
import pytest
from unit.bursts import burst
from unit.emulator.data_plane_support import (
    KINDS,
    TOKEN_A,
    TOKEN_B,
    PlaneKind,
    Wire,
    context_for,
    opened,
    wait_until,
)

import emulator.data_plane
from emulator.access import Access, Endpoint, TlsMode

TESTS = Path(emulator.data_plane.__file__).parents[2]
ACCESS = Access((TOKEN_A,))


def is_running(pid: int) -> bool:
    """Whether it runs. The remains of an orphan that wait for process 1 to collect them do not count, on Linux."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return not Path("/proc/self").exists()
    except ProcessLookupError:
        return False


def server_pid(endpoint: Endpoint, ca_bundle: Path) -> int:
    with Wire(endpoint, ca_bundle) as client:
        assert client.ask("AUTH", TOKEN_A) == "OK"
        lines = str(client.ask("INFO", "server")).split("\r\n")
    return int(next(line for line in lines if line.startswith("process_id:")).partition(":")[2])


def is_listening(endpoint: Endpoint, trusted: ssl.SSLContext) -> bool:
    """Whether a node of ours listens there: once it is gone, its port may be somebody else's."""
    try:
        with socket.create_connection((endpoint.host, endpoint.port), timeout=30) as plain:
            trusted.wrap_socket(plain, server_hostname="localhost").close()
    except OSError:  # refused, or another certificate or none
        return False
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_close_leaves_nothing(kind: PlaneKind, tmp_path: Path) -> None:
    with opened(kind, tmp_path) as plane:
        (nodes,) = plane.create_group("one", [2], cluster_enabled=False, access=ACCESS, tls=TlsMode.REQUIRED)
        (others,) = plane.create_group("two", [1], cluster_enabled=True, access=ACCESS, tls=TlsMode.REQUIRED)
        nodes += others
        pids = [server_pid(node, plane.ca_bundle) for node in nodes] if kind == "valkey" else []
        assert all(is_running(pid) for pid in pids)
        assert len(list(tmp_path.iterdir())) == 1
        trusted = context_for(plane.ca_bundle)
        assert all(is_listening(node, trusted) for node in nodes)
        idle = Wire(nodes[0], plane.ca_bundle)
        plane.close()
        assert idle.is_closed()
        idle.close()
        assert not any(is_running(pid) for pid in pids)
        assert not any(is_listening(node, trusted) for node in nodes)
        assert list(tmp_path.iterdir()) == []
        plane.close()  # once more is no error


@pytest.mark.parametrize("kind", KINDS)
def test_a_deleted_group_is_gone_and_its_name_free(kind: PlaneKind, tmp_path: Path) -> None:
    with opened(kind, tmp_path) as plane:
        for dummy in range(2):
            ((node,),) = plane.create_group("one", [1], cluster_enabled=False, access=ACCESS, tls=TlsMode.REQUIRED)
            with Wire(node, plane.ca_bundle) as client:
                assert client.ask("AUTH", TOKEN_A) == "OK"
                assert client.ask("GET", "left") is None
                assert client.ask("SET", "left", "behind") == "OK"
            pid = server_pid(node, plane.ca_bundle) if kind == "valkey" else None
            with pytest.raises(KeyError, match="one"):
                plane.create_group("one", [1], cluster_enabled=False, access=ACCESS, tls=TlsMode.REQUIRED)
            plane.delete_group("one")
            assert not is_listening(node, context_for(plane.ca_bundle))
            assert pid is None or not is_running(pid)
        plane.delete_group("one")  # unknown: no error
        with pytest.raises(KeyError):
            plane.set_access("one", ACCESS)


def test_groups_can_be_made_at_the_same_time(tmp_path: Path) -> None:
    with opened("valkey", tmp_path) as plane, ThreadPoolExecutor(4) as pool:
        made = pool.map(
            lambda key: plane.create_group(key, [2], cluster_enabled=False, access=ACCESS, tls=TlsMode.REQUIRED), "abcd"
        )
        nodes = [node for ((*shard,),) in made for node in shard]
        assert len({server_pid(node, plane.ca_bundle) for node in nodes}) == 8


CHILD = """
import json, sys, time
from pathlib import Path
from emulator.access import Access, TlsMode
from emulator.data_plane import open_plane

if __name__ == "__main__":
    kind, folder, token, mine = sys.argv[1:]
    plane = open_plane(
        kind,
        wrong_token_in_optional=lambda: "wrongpass",
        drop_connections_on_token_change=lambda: False,
        open_takes_default=lambda: True,
        temporary_folder=Path(folder),
        also_remove_when_killed=[Path(mine)],
    )
    (nodes,) = plane.create_group("one", [2], cluster_enabled=False, access=Access((token,)), tls=TlsMode.REQUIRED)
    ca_bundle = str(plane.ca_bundle)
    reaper = plane._foundation.keeper._process.pid
    print(json.dumps([ca_bundle, reaper, [[node.host, node.port] for node in nodes]]), flush=True)
    time.sleep(3600)
"""


@pytest.mark.parametrize("whole_group", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_plane_takes_its_servers_and_files_with_it(
    kind: PlaneKind, tmp_path: Path, *, whole_group: bool
) -> None:
    kept, mine = tmp_path / "kept", tmp_path / "mine"
    kept.mkdir()
    mine.mkdir()
    (kept / "of somebody else").touch()
    (mine / "file").touch()
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, kind, str(kept), TOKEN_A, str(mine)],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    ca_bundle, reaper, rows = json.loads(child.stdout.readline())
    pids = [server_pid(Endpoint(*row), Path(ca_bundle)) for row in rows] if kind == "valkey" else []
    if whole_group:
        os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()
    child.wait(120)
    child.stdout.close()
    assert wait_until(lambda: not is_running(reaper))
    assert not any(is_running(pid) for pid in pids)
    assert [path.name for path in kept.iterdir()] == ["of somebody else"]
    assert not mine.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process follow its parent into death")
def test_servers_do_not_outlive_the_reaper(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, "valkey", str(tmp_path), TOKEN_A, str(tmp_path / "mine")],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    ca_bundle, reaper, rows = json.loads(child.stdout.readline())
    pids = [server_pid(Endpoint(*row), Path(ca_bundle)) for row in rows]
    os.kill(reaper, signal.SIGKILL)
    assert wait_until(lambda: not any(is_running(pid) for pid in pids))
    child.kill()
    child.wait(120)
    child.stdout.close()


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """An empty folder whose path leaves room for that of a unix socket."""
    with tempfile.TemporaryDirectory(prefix="e") as name:
        yield Path(name)


@pytest.mark.parametrize("repeat", range(3))
def test_a_burst_of_signals_leaves_nothing(short_folder: Path, repeat: int) -> None:
    """To the emulator and to its process group, close together, with real servers that serve."""
    with subprocess.Popen(
        [sys.executable, "-m", "emulator", "--data-plane", "valkey", "--create-seconds", "0"],
        cwd=TESTS,
        env={**os.environ, "TMPDIR": str(short_folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        client = boto3.client(
            "elasticache",
            region_name=ready["region"],
            endpoint_url=ready["endpoint_url"],
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )
        client.create_replication_group(
            ReplicationGroupId="one", ReplicationGroupDescription="d", Engine="valkey", NumCacheClusters=2
        )
        client.get_waiter("replication_group_available").wait(
            ReplicationGroupId="one", WaiterConfig={"Delay": 1, "MaxAttempts": 120}
        )
        started = psutil.Process(process.pid).children(recursive=True)
        assert [one.name() for one in started].count("valkey-server") == 2
        burst(process)
        try:
            assert process.communicate(timeout=120) == ("", "")
        finally:
            process.kill()
    assert process.returncode == 0
    assert [one for one in started if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []
    assert list(short_folder.iterdir()) == []


def resident_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)


def test_a_thousand_light_groups_in_one_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Time is printed, not asserted."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 4096:
        pytest.skip("this system allows a process too few open files")
    with opened("light", tmp_path) as plane:
        before, start = resident_mib(), time.perf_counter()
        groups = [
            plane.create_group(f"g{number}", [2], cluster_enabled=False, access=ACCESS, tls=TlsMode.REQUIRED)
            for number in range(1000)
        ]
        seconds, grown = time.perf_counter() - start, resident_mib() - before
        with capsys.disabled():
            print(f"\n2,000 light nodes: {seconds:.1f} s, {grown:.0f} MiB")  # noqa: T201
        assert grown < 40, f"{grown:.0f} MiB for 2,000 nodes"
        plane.set_access("g999", Access((TOKEN_B,)))
        for number in (0, 500, 998):
            for node in groups[number][0]:
                with Wire(node, plane.ca_bundle) as client:
                    assert client.ask("AUTH", TOKEN_A) == "OK"
        with Wire(groups[999][0][1], plane.ca_bundle) as client:
            assert client.ask("AUTH", TOKEN_A).startswith("-WRONGPASS")
