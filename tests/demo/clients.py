# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The demo's clients: six that read and write without pause, and count what goes wrong.

What they do is ordinary: the library ``valkey``, TLS, a token, no retries. Some keep their connection; the others
connect anew, and so authenticate, for every command. Each command's answer is checked: a writer counts up a key of its
own and misses no number; a reader asks the replica for that key and never sees it go back. Whatever is not as it should
be, an exception or an answer, is one failed command.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import valkey

#: How long a client waits for an answer, seconds. To hang is to fail.
_TIMEOUT = 10.0
#: How long every client may take to be served with a new token, seconds.
_TURN_TIMEOUT = 30.0
_SAMPLE_SECONDS = 0.1
_PAUSE_WITHOUT_WORK = 0.1


@dataclass(frozen=True)
class Access:
    """Where to connect, as (host, port), and the token."""

    primary: tuple[str, int]
    reader: tuple[str, int]
    auth_token: str = field(repr=False)


@dataclass(frozen=True)
class Habit:
    """How one client behaves. ``pause`` between commands, seconds: they are to be many, not to be a benchmark."""

    name: str
    key: str
    writes: bool
    reconnects: bool
    pause: float


HABITS = (
    Habit("writer 1", "demo:1", writes=True, reconnects=False, pause=0.005),
    Habit("writer 2", "demo:2", writes=True, reconnects=False, pause=0.005),
    Habit("reader 1", "demo:1", writes=False, reconnects=False, pause=0.005),
    Habit("reader 2", "demo:2", writes=False, reconnects=False, pause=0.005),
    Habit("reconnecting writer", "demo:3", writes=True, reconnects=True, pause=0.1),
    Habit("reconnecting reader", "demo:3", writes=False, reconnects=True, pause=0.1),
)
#: The one that ``--leave-a-client-behind`` leaves behind: it authenticates all the time, so it notices at once.
LAGGARD = "reconnecting reader"


@dataclass(frozen=True)
class Sample:
    """The clients' totals at a time (Unix seconds)."""

    time: float
    served: int
    failed: int
    logins: int


@dataclass(frozen=True)
class Report:
    """What the clients saw, all of them together; ``errors`` by their text, most frequent first."""

    samples: tuple[Sample, ...]
    errors: Mapping[str, int]


class UnexpectedAnswerError(Exception):
    """The server's answer is not what it must be."""


class Client(threading.Thread):
    """One client; it does nothing until it is told where to connect."""

    def __init__(self, habit: Habit) -> None:
        super().__init__(name=habit.name, daemon=True)
        self.habit = habit
        self.access: Access | None = None  #: what it is to use from its next command on
        self.served_with: Access | None = None
        self.served = self.failed = self.logins = 0
        self.errors: Counter[str] = Counter()
        self._seen = 0
        self._ended = threading.Event()

    def end(self) -> None:
        """Let it end after the command that it is at, and wait for that."""
        self._ended.set()
        if self.is_alive():
            self.join()

    def run(self) -> None:
        """Send commands until told to end."""
        connected: valkey.Valkey | None = None
        used: Access | None = None
        pause = _PAUSE_WITHOUT_WORK
        while not self._ended.wait(pause):
            access = self.access
            if access is None:
                continue
            try:
                if connected is None or used != access:
                    # The new connection first: nothing is given up before there is something better.
                    connected, old = self._connect(access), connected
                    used = access
                    _close(old)
                self._command(connected)
                self.served_with = access
                self.served += 1
                pause = self.habit.pause
            except (valkey.ValkeyError, OSError, UnexpectedAnswerError) as error:
                self.errors[f"{self.habit.name}: {error}"] += 1
                self.failed += 1
                pause = _PAUSE_WITHOUT_WORK
                _close(connected)
                connected = None
            if self.habit.reconnects:
                _close(connected)
                connected = None
        _close(connected)

    def _connect(self, access: Access) -> valkey.Valkey:
        host, port = access.primary if self.habit.writes else access.reader
        connected = valkey.Valkey(
            host=host,
            port=port,
            password=access.auth_token,
            ssl=True,
            ssl_check_hostname=True,
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            single_connection_client=True,
        )
        self.logins += 1
        return connected

    def _command(self, connected: valkey.Valkey) -> None:
        if self.habit.writes:
            wanted = self._seen + 1
            self._seen = int(str(connected.incr(self.habit.key)))
            if self._seen != wanted:
                raise UnexpectedAnswerError(f"{self.habit.key} is {self._seen} after {wanted - 1} writes")
            return
        answer: Any = connected.get(self.habit.key)
        number = int(answer or 0)
        if number < self._seen:
            raise UnexpectedAnswerError(f"{self.habit.key} went back from {self._seen} to {number}")
        self._seen = number


class Clients:
    """All of them, and the record of how they fared."""

    def __init__(self, *, leave_one_behind: bool = False, pause: float | None = None) -> None:
        """``leave_one_behind``: one of them keeps the first token that it is given. ``pause``: that of all, seconds."""
        habits = HABITS if pause is None else [replace(habit, pause=pause) for habit in HABITS]
        self._clients = [Client(habit) for habit in habits]
        self._laggard = LAGGARD if leave_one_behind else None
        self._samples: list[Sample] = []
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample_on, name="sampler", daemon=True)
        self._lock = threading.Lock()
        self._access: Access | None = None

    def start(self) -> None:
        """Start them; they wait for their first token."""
        for client in self._clients:
            client.start()
        self._sampler.start()

    def take(self, access: Access) -> bool:
        """Let every client use ``access``; returns when all have been served with it, and whether that was a change.

        Raises TimeoutError, naming those that have not been.
        """
        with self._lock:
            changed = access != self._access
            moving = [client for client in self._clients if self._access is None or client.name != self._laggard]
            self._access = access
            for client in moving:
                client.access = access
            give_up = time.monotonic() + _TURN_TIMEOUT
            while waiting := [client.name for client in moving if client.served_with != access]:
                if time.monotonic() > give_up:
                    raise TimeoutError(f"not served within {_TURN_TIMEOUT:.0f} s: {', '.join(waiting)}")
                time.sleep(0.01)
            return changed

    def end(self) -> Report:
        """End them and return what they saw; may be called again."""
        for client in self._clients:
            client.end()
        self._ended.set()
        if self._sampler.is_alive():
            self._sampler.join()
        errors: Counter[str] = Counter()
        for client in self._clients:
            errors.update(client.errors)
        return Report((*self._samples, self._sample()), dict(errors.most_common()))

    def _sample(self) -> Sample:
        return Sample(
            time.time(),
            sum(client.served for client in self._clients),
            sum(client.failed for client in self._clients),
            sum(client.logins for client in self._clients),
        )

    def _sample_on(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            self._samples.append(self._sample())


def _close(connected: valkey.Valkey | None) -> None:
    if connected is not None:
        with contextlib.suppress(valkey.ValkeyError, OSError):
            connected.close()


@contextlib.contextmanager
def running(*, leave_one_behind: bool, pause: float | None = None) -> Iterator[Clients]:
    """Clients that are ended at the end."""
    clients = Clients(leave_one_behind=leave_one_behind, pause=pause)
    clients.start()
    try:
        yield clients
    finally:
        clients.end()
