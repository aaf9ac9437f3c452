# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What a test does while something runs, once something was seen: nothing depends on how long anything takes.

A module that finds a change in flight and waits for its end::

    emulator.hold()
    rotate(emulator, B, wait=False)
    with meanwhile(Once(called(emulator, "DescribeReplicationGroups"), emulator.release)):
        ended = run(emulator, "replication_group_wait", {...})
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Emulator

_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Once:
    """What to do once something was seen: a pattern in the output (lines begin at ``^``), or whatever a function says.

    Of several, each is looked for after the one before, in the output that came since.
    """

    seen: str | Callable[[], object]
    do: Callable[[], object] = lambda: None

    def end_in(self, output: str) -> int | None:
        """Where the output ends that this was seen in; ``None``: not seen yet."""
        if callable(self.seen):
            return 0 if self.seen() else None
        found = re.search(self.seen, output, re.MULTILINE)
        return found.end() if found else None


def called(emulator: Emulator, action: str, count: int = 1, **query: str) -> Callable[[], bool]:
    """Whether ``count`` more calls of ``action`` have been answered than now; ``query`` as of ``Emulator.calls``."""
    before = len(emulator.calls(action=action, **query))
    return lambda: len(emulator.calls(action=action, **query)) >= before + count


@contextlib.contextmanager
def meanwhile(*steps: Once) -> Iterator[None]:
    """Take the steps in another thread while the block runs; fails where it ends before all of them were."""
    left, failures, ended = list(steps), list[BaseException](), threading.Event()

    def look() -> None:
        try:
            while left and not ended.wait(_LOOK_SECONDS):
                while left and left[0].end_in("") is not None:
                    left.pop(0).do()
        except BaseException as error:  # pytest's outcomes are no Exceptions
            failures.append(error)

    thread = threading.Thread(target=look, name="meanwhile")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if failures:
        raise failures[0]
    assert not left, f"it ended, and {len(left)} of {len(steps)} steps were not taken"
