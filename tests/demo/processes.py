# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The demo's three kinds of processes: the emulator, the clients' driver and ansible-playbook.

Each has a session of its own, so that Ctrl-C reaches the demo alone, which then ends them in order. The first two end
with their standard input, too, which is closed however the demo ends.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import interrupts
import psutil

from demo.clients import Report, Sample

TESTS = Path(__file__).resolve().parent.parent
REPOSITORY = TESTS.parent
PLAYBOOK = "elasticache.auth.demo"
ANSIBLE_PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
#: What the emulator takes everybody for (moto's).
ACCOUNT_ID = "123456789012"
_GOODBYE_SECONDS = 30.0
_TERMINATED_SECONDS = 10.0


class StartError(Exception):
    """A process did not start. The message says why."""


@dataclass(frozen=True)
class Emulator:
    """Where it is, as its ready line says."""

    endpoint_url: str
    region: str
    ca_bundle: str
    admin_url: str

    def admin(self, path: str) -> Any:
        """What its admin API answers to a GET."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.admin_url}/{path}", timeout=30) as response:
            return json.load(response)


@dataclass(frozen=True)
class Driver:
    """The clients' driver, at its socket."""

    socket_path: Path

    def end(self) -> Report:
        """End the clients and return what they saw. Raises OSError where the driver is gone."""
        with contextlib.closing(_UnixConnection(self.socket_path)) as connection:
            connection.request("POST", "/end")
            told = json.load(connection.getresponse())
        return Report(tuple(Sample(**sample) for sample in told["samples"]), told["errors"])


@dataclass(frozen=True)
class Play:
    """One run of the playbook: when each task that was not skipped began (Unix seconds), and the play recap."""

    status: int
    begun: float
    ended: float
    tasks: tuple[tuple[float, str], ...]
    recap: Mapping[str, int]


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("clients", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(str(self._path))


@contextlib.contextmanager
def emulator(folder: Path, *, modify_seconds: float) -> Iterator[Emulator]:
    """An emulator with real servers for nodes. Raises StartError."""
    arguments = ["-m", "emulator", "--exit-with-stdin", "--modify-seconds", str(modify_seconds)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
    with _server("the emulator", arguments, folder, {**environment, "PYTHONPATH": str(TESTS)}) as line:
        yield Emulator(**json.loads(line))


@contextlib.contextmanager
def driver(folder: Path, ca_bundle: str, *, leave_one_behind: bool, pause: float | None) -> Iterator[Driver]:
    """The clients, which wait for their first token; they trust ``ca_bundle``. Raises StartError.

    ``pause`` between two commands of a client, seconds; ``None``: each client's own.
    """
    path = folder / "clients"
    arguments = ["-m", "demo.driver", str(path), *["--leave-a-client-behind"] * leave_one_behind]
    if pause is not None:
        arguments.append(f"--pause={pause}")
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "SSL_CERT_FILE": ca_bundle}
    with _server("the clients", arguments, folder, environment):
        yield Driver(path)


@contextlib.contextmanager
def _server(what: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """A Python program that says a line when it is ready, which is given, and ends with its standard input."""
    log = folder / f"{what.split()[-1]}.log"
    with contextlib.ExitStack() as stack:
        with interrupts.deferred(), log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
            stack.callback(_end_server, process)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            process.wait(_GOODBYE_SECONDS)
            raise StartError(f"{what} did not start: {log.read_text(errors='replace').strip()}")
        yield line


def _end_server(process: subprocess.Popen[str]) -> None:
    """Close its standard input, and wait for it to end with that."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(_GOODBYE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def play(
    emulator: Emulator,
    folder: Path,
    program: Path,
    *,
    extra_vars: Mapping[str, Any],
    arguments: Sequence[str] = (),
) -> Play:
    """Run the playbook of this collection by FQCN, its output to ours; returns what came of it.

    ``extra_vars`` are passed in a pipe: they hold tokens, and nobody else sees those in a list of processes or
    finds them in a file. When this is interrupted the playbook is ended.
    """
    events = folder / "events"
    events.write_bytes(b"")
    sys.stdout.flush()
    with _passed(json.dumps(dict(extra_vars)), folder / "variables") as variables, contextlib.ExitStack() as stack:
        with interrupts.deferred():
            process = subprocess.Popen(
                [str(program), PLAYBOOK, "-e", f"@{variables}", *arguments],
                cwd=folder,
                env=_ansible_environment(emulator, folder, events),
                stdin=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
            stack.callback(_end, process)
        process.wait()
    return read_events(events, process.returncode)


@contextlib.contextmanager
def _passed(text: str, path: Path) -> Iterator[Path]:
    """A named pipe out of which ``text`` can be read once: it is never in a file."""

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), path.open("w", encoding="utf-8") as pipe:
            pipe.write(text)

    os.mkfifo(path, 0o600)
    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        yield path
    finally:
        if writer.is_alive():
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))  # nobody came to read
        writer.join()
        path.unlink()


def read_events(path: Path, status: int) -> Play:
    """What the callback plugin ``demo_events`` has written."""
    events = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    tasks: list[tuple[float, str]] = []
    recap: dict[str, int] = {}
    for event in events:
        match event["kind"]:
            case "task":
                tasks.append((event["time"], event["name"]))
            case "skipped":
                tasks.pop()
            case "recap":
                recap = next(iter(event["hosts"].values()), {})
    return Play(
        status=status,
        begun=events[0]["time"] if events else 0.0,
        ended=events[-1]["time"] if events else 0.0,
        tasks=tuple(tasks),
        recap=recap,
    )


def _end(process: subprocess.Popen[str]) -> None:
    """End a playbook that is still running, and wait for its tasks, each of which has a session of its own."""
    if process.poll() is not None:
        return
    try:
        tasks = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        tasks = []
    process.terminate()  # ansible-playbook hands that on to them
    try:
        process.wait(_TERMINATED_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _gone, alive = psutil.wait_procs(tasks, timeout=_TERMINATED_SECONDS)
    for task in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            task.kill()


def _ansible_environment(emulator: Emulator, folder: Path, events: Path) -> dict[str, str]:
    """What a user would set to reach the emulator, and nothing of the user's own settings of Ansible and AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "AWS_", "PYTHON"))}
    configuration, temporary = folder / "ansible.cfg", folder / "tmp"
    configuration.touch()
    temporary.mkdir(exist_ok=True)
    return {
        **kept,
        # A module that is killed while it is unpacked, or cleans up, leaves its folder: it goes with ours.
        "TMPDIR": str(temporary),
        "AWS_ENDPOINT_URL": emulator.endpoint_url,
        # AWS's examples: Ansible masks the secret key wherever it stands, and a word would go from all output.
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_DEFAULT_REGION": emulator.region,
        "AWS_REGION": emulator.region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".collections"),
        "ANSIBLE_CONFIG": str(configuration),
        "ANSIBLE_HOME": str(folder / "ansible"),
        # Nothing of a module, and so no token, is ever a file.
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_CALLBACK_PLUGINS": str(TESTS / "demo" / "callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "demo_events",
        "ANSIBLE_STDOUT_CALLBACK": "demo_lines",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "DEMO_EVENTS_FILE": str(events),
        "LC_ALL": "C.UTF-8",
        # Ansible does not flush what it writes, so progress would come late where there is no terminal.
        "PYTHONUNBUFFERED": "1",
    }
