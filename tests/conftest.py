# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The emulator as a fixture.

``emulator`` is a fresh ElastiCache for every test. One process per data plane is started in a session; between tests
it is reset. A test says what it needs with a marker, all of whose members have defaults::

    @pytest.mark.emulator(data_plane="none", modify_seconds=0.3, variants={"set-on-required": "no-op"})
    def test_something(emulator):
        client = emulator.client("elasticache")
"""

from __future__ import annotations

import fnmatch
import functools
import http.client
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, TextIO

import boto3
import pytest
from botocore.config import Config

TESTS = Path(__file__).parent
READY_SECONDS = 60
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
MARKER_MEMBERS = ("data_plane", "variants", "modify_seconds", "create_seconds", "latency")


@dataclass
class Emulator:
    """A running emulator: where it is, clients for it, and its admin API."""

    process: subprocess.Popen[str]
    endpoint_url: str
    region: str
    ca_bundle: str | None
    admin_url: str
    errors: TextIO = field(repr=False)
    _clients: dict[tuple[object, ...], Any] = field(default_factory=dict, repr=False)
    #: Those to the admin API that no call is using: opening one costs both sides more than a call.
    _connections: list[http.client.HTTPConnection] = field(default_factory=list, repr=False)

    @functools.cached_property
    def _session(self) -> boto3.Session:
        return boto3.Session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY)

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """One call of the admin API; raises ``ValueError`` with its message where it refuses."""
        data = None if body is None else json.dumps(body).encode()
        place = urllib.parse.urlsplit(self.admin_url)
        try:
            connection = self._connections.pop()
        except IndexError:
            connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=120)
        try:
            connection.request(method, f"{place.path}/{path}", data)
            response = connection.getresponse()
            answer = json.load(response)
        except BaseException:
            connection.close()
            raise
        self._connections.append(connection)
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise ValueError(answer["error"])
        return answer

    def groups(self, **query: str) -> list[dict[str, Any]]:
        """The truth about all groups; narrowed by ``region`` and ``account``."""
        return self.admin("GET", f"groups?{urllib.parse.urlencode(query)}")

    def group(self, identifier: str, **query: str) -> dict[str, Any]:
        """The truth about one group, its real tokens included."""
        return self.admin("GET", f"groups/{identifier}?{urllib.parse.urlencode(query)}")

    def calls(self, **query: object) -> list[dict[str, Any]]:
        """The calls since the last reset: ``mutating``, ``since``, ``service``, ``action``, ``id``, ``code``."""
        return self.admin("GET", f"calls?{urllib.parse.urlencode(query)}")

    def reset(self) -> None:
        """Forget all groups, secrets, calls, faults and holds; variants and timing as at the start."""
        self.admin("POST", "reset")

    def faults(self, *faults: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Add faults; returns all that are in force."""
        return self.admin("POST", "faults", list(faults)) if faults else self.admin("GET", "faults")

    def allow(self, access_key: str, policy: Mapping[str, Any]) -> None:
        """Let the owner of an access key call what an IAM policy allows, and nothing else, until the reset."""
        self.admin("POST", "policies", {"access_key": access_key, "policy": policy})

    def clear_faults(self, **members: str) -> None:
        """Remove all faults, or those with these members; calls that stand still because of them do so no longer."""
        self.admin("DELETE", f"faults?{urllib.parse.urlencode(members)}")

    def wait_struck(self, count: int = 1, timeout: float = 120) -> None:
        """Wait until faults struck ``count`` calls in all; those of a halt or a pause stand still then."""
        deadline = time.monotonic() + timeout
        while (struck := sum(fault["struck"] for fault in self.faults())) < count:
            if time.monotonic() > deadline:
                pytest.fail(f"{struck} calls of {count} were struck after {timeout} seconds")
            time.sleep(0.02)

    def hold(self, identifier: str = "*", action: str = "*", **place: str) -> None:
        """Keep changes in flight until ``release``: those that there are, and those that begin from now on.

        ``identifier``, ``action`` (the call that begins a change), ``region`` and ``account`` are shell patterns.
        """
        self.admin("POST", "hold", {"id": identifier, "action": action, **place})

    def release(
        self, identifier: str = "*", action: str = "*", *, keep: bool = False, early: bool = False, **place: str
    ) -> None:
        """End what ``hold`` keeps in flight, of that what matches.

        ``keep``: hold later changes still; ``early``: end all changes that match, held or not, whatever their time.
        """
        self.admin("POST", "release", {"id": identifier, "action": action, "keep": keep, "early": early, **place})

    def held(self, identifier: str = "*", action: str = "*", **place: str) -> list[dict[str, str]]:
        """The changes that are held in flight now, of those that match: ``id``, ``action``, ``region``, ``account``."""
        patterns = {"id": identifier, "action": action, **place}
        return [
            change
            for change in self.admin("GET", "holds")["held"]
            if all(fnmatch.fnmatchcase(change[name], pattern) for name, pattern in patterns.items())
        ]

    def wait_held(
        self, identifier: str = "*", action: str = "*", *, count: int = 1, timeout: float = 120, **place: str
    ) -> list[dict[str, str]]:
        """Wait until ``count`` changes are held in flight; returns them, or fails the test after ``timeout`` s."""
        deadline = time.monotonic() + timeout
        while len(found := self.held(identifier, action, **place)) < count:
            if time.monotonic() > deadline:
                pytest.fail(f"{len(found)} of {count} changes of {identifier} are held after {timeout} seconds")
            time.sleep(0.02)
        return found

    def variants(self, chosen: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
        """Choose variants; returns all."""
        return self.admin("POST", "variants", chosen) if chosen else self.admin("GET", "variants")

    def settings(self, **timing: float) -> dict[str, float]:
        """Change ``modify_seconds``, ``create_seconds`` or ``latency``; returns all."""
        return self.admin("POST", "settings", timing) if timing else self.admin("GET", "settings")

    def client(self, service: str, region: str | None = None, **config: Any) -> Any:
        """A boto3 client of ``service``. It doesn't retry unless ``config`` (botocore's) says so."""
        key = (service, region, repr(config))
        if key not in self._clients:  # making one takes long, and any thread may use it
            options: dict[str, Any] = {"retries": {"total_max_attempts": 1}, "max_pool_connections": 32, **config}
            self._clients[key] = self._session.client(
                service, region_name=region or self.region, endpoint_url=self.endpoint_url, config=Config(**options)
            )
        return self._clients[key]

    @property
    def environment(self) -> dict[str, str]:
        """The environment for a process that shall find the emulator, and nothing of the user's AWS settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        mine = {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
        }
        if self.ca_bundle:
            mine["AWS_CA_BUNDLE"] = self.ca_bundle
        return {**kept, **mine}

    def wait_available(self, identifier: str, timeout: float = 60, **query: str) -> dict[str, Any]:
        """Wait, by the admin API, until a group is available; returns its truth."""
        return self.wait_until(identifier, lambda group: group["status"] == "available", timeout, **query)

    def wait_until(
        self, identifier: str, done: Callable[[dict[str, Any]], bool], timeout: float = 60, **query: str
    ) -> dict[str, Any]:
        """Wait until ``done`` of a group's truth; returns it, or fails the test after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            group = self.group(identifier, **query)
            if done(group):
                return group
            if time.monotonic() > deadline:
                pytest.fail(f"{identifier} is still {group['status']} ({group['mode']}) after {timeout} seconds")
            time.sleep(0.02)

    def lambda_function(self, name: str = "rotation") -> str:
        """Create a Lambda function that does nothing, and return its ARN. The emulator runs none."""
        trust = {"Version": "2012-10-17", "Statement": []}
        role = self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("handler.py", "def handler(event, context):\n    pass\n")
        made = self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=role["Arn"],
            Handler="handler.handler",
            Code={"ZipFile": code.getvalue()},
        )
        return str(made["FunctionArn"])

    def standard_error(self) -> str:
        """What the process has written to standard error."""
        self.errors.seek(0)
        return self.errors.read()

    def close(self) -> None:
        """End the process and check that it ended well."""
        while self._connections:
            self._connections.pop().close()
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe:
                    pipe.close()


def start_emulator(*arguments: str, python: str = sys.executable) -> Emulator:
    """Start ``python -m emulator`` and wait for its ready line. It ends when this process does."""
    errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
    process = subprocess.Popen(
        [python, "-m", "emulator", "--exit-with-stdin", *arguments],
        cwd=TESTS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait(10)
        errors.seek(0)
        raise RuntimeError(f"the emulator did not start: {errors.read()}")
    return Emulator(process, errors=errors, **json.loads(line))


@pytest.fixture(scope="session")
def emulators() -> Iterator[Callable[[str], Emulator]]:
    """A function that gives the session's emulator with a data plane, started when first asked for."""
    running: dict[str, Emulator] = {}

    def get(data_plane: str) -> Emulator:
        if data_plane not in running:
            running[data_plane] = start_emulator("--data-plane", data_plane, "--create-seconds", "0.05")
        return running[data_plane]

    yield get
    for emulator in running.values():
        emulator.close()


@pytest.fixture
def emulator(request: pytest.FixtureRequest, emulators: Callable[[str], Emulator]) -> Iterator[Emulator]:
    """An empty ElastiCache, as the marker ``emulator`` says; see the module's docstring."""
    options: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("emulator"))):
        options.update(marker.kwargs)
    unknown = set(options) - set(MARKER_MEMBERS)
    if unknown:
        raise ValueError(f"the marker emulator has no {', '.join(sorted(unknown))}")
    running = emulators(options.pop("data_plane", "light"))
    running.variants(options.pop("variants", None))
    running.settings(**{"modify_seconds": 0.2, **options})
    yield running
    running.reset()


def pytest_xdist_auto_num_workers() -> int | None:
    """Have ``-n auto`` start two workers a processor, up to eight, and as many as there are processors beyond.

    Half of the time a worker waits for what the emulator changes, for clients' time, or for a process. With one worker
    a processor, that one is idle meanwhile. A worker and its emulators take some 700 MB.
    """
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return None  # xdist reads it
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(processors, min(2 * processors, 8))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what is slow first, so that in the end no worker waits for another's; and share what is dear to make."""
    items.sort(key=lambda item: "integration" not in item.path.parts)
    for item in items:
        if "awx" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("awx"))


def without_system_authorities() -> None:
    """Have this process, and those that it starts, trust the authorities alone that they are given a file of.

    To read the system's costs 30 ms of processor time for each context, and valkey makes one for each login.
    """
    os.environ["SSL_CERT_FILE"] = os.environ["SSL_CERT_DIR"] = os.devnull


def keep_bytecode() -> None:
    """Where Python is told to leave no bytecode beside the sources, have this process keep it in a folder of ours.

    Without it each worker compiles all tests again, and pytest rewrites their assertions: two thirds of a collection.
    """
    if sys.dont_write_bytecode and not sys.pycache_prefix:
        sys.pycache_prefix = str(TESTS.parent / ".cache" / "pycache")
        sys.dont_write_bytecode = False


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and start programs as from a terminal, also below nohup or behind an ``&``.

    There hangups or interrupts are ignored, and what is started inherits that; a handler it does not.
    """
    keep_bytecode()
    without_system_authorities()
    config.addinivalue_line("markers", f"emulator({', '.join(MARKER_MEMBERS)}): what the fixture emulator is to be")
    for number in (signal.SIGHUP, signal.SIGINT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
