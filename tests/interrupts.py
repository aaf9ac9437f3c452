# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What the programs in this folder do when a signal asks for their end, however many come and however close together.

A handler runs between any two steps of the main thread, also inside another handler and inside whatever holds a lock;
one that takes a lock itself (``Event.set`` does) can wait for good for what it has interrupted. So a handler here sets
plain variables and writes to a pipe, nothing else.

- A program that only waits for its end uses :class:`Ending`.
- One that works and cleans up after itself calls :func:`raise_once`: the first signal raises, and further ones don't
  disturb the cleaning up. What must not be torn apart, such as starting a process and taking note of it, is
  :func:`deferred`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

USUAL = (signal.SIGINT, signal.SIGTERM)

_c_signal = ctypes.CDLL(None).signal
_c_signal.argtypes, _c_signal.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
_C_SIG_IGN = 1  # <signal.h> of Linux and macOS


class Ending:
    """Waits until somebody asks for the end: one of the signals, or another thread."""

    def __init__(self, numbers: Sequence[int] = USUAL) -> None:
        """Heed the signals from now on; call it in the main thread."""
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self._numbers = tuple(numbers)
        for number in self._numbers:
            signal.signal(number, lambda *dummy: self.ask())

    def ask(self) -> None:
        """Ask for the end; from any thread or signal handler, and as often as one likes."""
        with contextlib.suppress(BlockingIOError):  # the pipe is full: it was asked for often enough
            os.write(self._writing, b"\0")

    def wait(self) -> None:
        """Return once it was asked for, before or after this call."""
        os.read(self._reading, 1)


@dataclass
class _State:
    """What the handler of :func:`raise_once` knows. Plain variables: see this module's docstring."""

    error: type[BaseException] = KeyboardInterrupt
    deferred: bool = False
    seen: bool = False  #: a signal came
    raised: bool = False


_state = _State()


def raise_once(error: type[BaseException] = KeyboardInterrupt, numbers: Sequence[int] = USUAL) -> None:
    """Have the first of the signals raise ``error`` in the main thread; later ones do nothing."""
    _state.error, _state.deferred, _state.seen, _state.raised = error, False, False, False
    for number in numbers:
        signal.signal(number, heed)


def heed(*_signal: object) -> None:
    """The handler of :func:`raise_once`."""
    _state.seen = True
    _raise_if_seen()


def _raise_if_seen() -> None:
    if _state.seen and not _state.raised and not _state.deferred:
        _state.raised = True
        raise _state.error


def seen() -> bool:
    """Whether a signal has come, raised or not."""
    return _state.seen


@contextlib.contextmanager
def deferred(on: bool = True) -> Iterator[None]:
    """Raise what comes in the block at its end only; ``on=False``: raise in it, inside another block that defers."""
    before, _state.deferred = _state.deferred, on
    try:
        _raise_if_seen()
        yield
    finally:
        _state.deferred = before
    _raise_if_seen()


def ignore(numbers: Sequence[int] = USUAL) -> None:
    """Ignore the signals: the last that a program does, so that none changes its exit status.

    What is started afterwards would ignore them, too.

    The system is told first, and Python when no more of them can come: one that comes while Python is being told is an
    error that it prints ("ignored due to race condition").
    """
    for number in numbers:
        _c_signal(number, _C_SIG_IGN)
        signal.signal(number, signal.SIG_IGN)
