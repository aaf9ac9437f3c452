# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When a run must make no further change: it was interrupted, or the ansible-playbook that started it has gone.

A module can't see that process: it may run on another machine, as another user, and a worker of ansible-playbook
outlives a SIGKILL of the main process. What it has is its standard output, which leads back to that worker. The action
plugins end the worker and its connection when the main process has gone (:mod:`plugin_utils._controller`), and then
this output is closed. Some programs on the way (sudo with a terminal, ssh) notice only when something is written, so an
empty line is, now and then: Ansible passes over lines before a module's result.
"""

from __future__ import annotations

import functools
import os
import select
import signal
import stat
import sys
import threading
import time
from types import FrameType
from typing import Any

from ._core.errors import AuthError

_AGAIN = "Run this again: it goes on from each group's current state."
INTERRUPTED = f"the run was interrupted. {_AGAIN}"
GONE = (
    "stopped, because the process that started this run (ansible-playbook) has gone; no further change is made. "
    f"{_AGAIN}"
)

#: Seconds between two looks at standard output, and from one empty line to the next.
_EVERY, _BEAT = 0.25, 1.0
_STDOUT = 1
_CLOSED = select.POLLERR | select.POLLHUP | select.POLLNVAL
#: Left alone they end a process at once, in the middle of a call whose outcome would be lost.
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Stopped(AuthError):
    """No further change may be made; a call that this is raised for was not made."""


class Stop:
    """Whether a run must end. Then waits end at once, and no changing call is begun; one under way is not cut off."""

    def __init__(self) -> None:
        """Nothing speaks against going on."""
        self._event = threading.Event()
        self._why = INTERRUPTED
        self._lock = threading.Lock()
        self._waiting: set[threading.Event] = set()

    def set(self, why: str = INTERRUPTED) -> None:
        """Have the run end, whichever thread does what. The first reason counts. Not for use in a signal handler."""
        with self._lock:
            if self._event.is_set():
                return
            self._why = why
            self._event.set()
            for event in self._waiting:
                event.set()

    @property
    def reason(self) -> str:
        """Why the run must end; empty where it need not."""
        return self._why if self._event.is_set() else ""

    def wait(self, seconds: float) -> None:
        """Wait so many seconds. Raises :class:`Stopped` as soon as the run must end."""
        if self._event.wait(max(seconds, 0.0)):
            raise Stopped(self._why)

    def wait_for(self, event: threading.Event, seconds: float | None = None) -> bool:
        """Return whether ``event`` is set, which is waited for, so many ``seconds`` at most.

        Raises :class:`Stopped` as soon as the run must end.
        """
        with self._lock:
            stopped = self._event.is_set()
            self._waiting.add(event)
        try:
            happened = not stopped and event.wait(seconds)
        finally:
            with self._lock:
                self._waiting.discard(event)
        self.check()
        return happened

    def check(self) -> None:
        """Raise :class:`Stopped` where the run must end."""
        self.wait(0.0)


def stop_of_process() -> Stop:
    """Return what ends this process's run: SIGTERM, SIGHUP, or nobody at the other end of its standard output.

    It is the same one for all who ask, but where the module runs within another program, such as a test: then it is
    one of their own, which nothing but :meth:`Stop.set` sets.
    """
    return _watched() if _is_led_back() else Stop()


def _is_led_back() -> bool:
    """Whether standard output is the process's own, and can be closed by whoever reads it."""
    try:
        if sys.stdout.fileno() != _STDOUT:
            return False
        mode = os.fstat(_STDOUT).st_mode
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(_STDOUT)


@functools.cache
def _watched() -> Stop:
    stop, signals = Stop(), _Signals()
    if threading.current_thread() is threading.main_thread():
        signals.heed()
    # Not a daemon: one that holds the lock of standard output while Python ends would make that fail.
    threading.Thread(target=_watch, args=(stop, signals), name="stop", daemon=False).start()
    return stop


class _Signals:
    """What the operating system has asked for. A handler takes no lock: it may run while the same thread holds it."""

    def __init__(self) -> None:
        self.came = False
        self._before: dict[int, Any] = {}

    def heed(self) -> None:
        """Take note of the signals, where they are not ignored (as SIGHUP is below nohup)."""
        for number in _SIGNALS:
            before = signal.getsignal(number)
            if before in (signal.SIG_DFL, signal.default_int_handler):
                self._before[number] = before
                signal.signal(number, self._take)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self.came = True
        signal.signal(number, self._before[number])  # a second one ends the process


def _watch(stop: Stop, signals: _Signals) -> None:
    """Look for the reasons to stop until there is one, or the module's main thread has ended."""
    main = threading.main_thread()
    poller = select.poll()
    poller.register(_STDOUT, select.POLLOUT)
    beat = time.monotonic() + _BEAT
    while True:
        main.join(_EVERY)
        if not main.is_alive():
            return
        if signals.came:
            stop.set(INTERRUPTED)
            return
        events = dict(poller.poll(0)).get(_STDOUT, 0)
        closed = bool(events & _CLOSED)
        if not closed and events & select.POLLOUT and time.monotonic() >= beat:
            beat = time.monotonic() + _BEAT
            closed = not _write_line()
        if closed:
            stop.set(GONE)
            return


def _write_line() -> bool:
    """Write an empty line, never into the middle of another thread's output; return whether anybody takes it."""
    try:
        sys.stdout.buffer.write(b"\n")
        sys.stdout.buffer.flush()
    except (OSError, ValueError):
        return False
    return True
