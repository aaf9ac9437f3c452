# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tell how far a task is while it runs: one live line in a terminal, a line now and then anywhere else.

A task runs in a process forked for it, which is kept off the terminal (ansible-core 2.19 and later). What it displays
goes through a queue, in order, to the process that prints. So whether that one prints to a terminal is found out as
this file is loaded: a strategy loads the action plugin before it forks. Where it did not, the answer is no, and there
are lines.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TextIO

from ansible.constants import config
from ansible.playbook.task import Task
from ansible.utils.display import Display

from ansible_collections.elasticache.auth.plugins.module_utils._core.one_line import one_line
from ansible_collections.elasticache.auth.plugins.plugin_utils._strategy import keeps_in_step, strategy_of

display = Display()

#: Seconds from one state of the live line to the next.
_EVERY = 1.0
#: From here on (``-vvv``) Ansible prints while a task runs.
_TALKATIVE = 3
#: Characters of a line that is printed.
_MAX_LINE = 2000
#: Columns of a terminal that does not know its own.
_USUAL = 80
#: Columns between the bar's brackets.
_SHORTEST_BAR, _LONGEST_BAR = 8, 30

_ERASE_REST = "\x1b[K"
#: The line is cut to the columns at the beginning. In a terminal made narrower since, it must not take a second row.
_WRAP_OFF, _WRAP_ON = "\x1b[?7l", "\x1b[?7h"


def columns_of(stdout: TextIO, environment: Mapping[str, str]) -> int:
    """Return how wide the terminal is that ``stdout`` is; 0 where a live line can't be shown.

    That is so with C(TERM=dumb), under CI, and below ansible-runner (AWX, the automation controller), which gives
    ansible-playbook a terminal that nobody looks at.
    """
    if environment.get("TERM", "") in ("", "dumb", "unknown") or environment.get("AWX_ISOLATED_DATA_DIR"):
        return 0
    if environment.get("CI", "").lower() not in ("", "0", "false"):
        return 0
    try:
        return os.get_terminal_size(stdout.fileno()).columns or _USUAL
    except (OSError, ValueError):  # no terminal; not even a file
        return 0


#: What begins the names of our roles' tasks.
_OURS = "elasticache.auth."

#: Of the terminal that Ansible prints to; 0: none.
_COLUMNS = columns_of(sys.stdout, os.environ)


@dataclass(frozen=True)
class Glance:
    """What a live line shows: what is under way for how many groups, how many are through, and more, in its order.

    ``through`` is None where nobody knows.
    """

    what: str
    groups: int
    through: int | None
    words: tuple[str, ...]


def drawn_bar(through: int, groups: int, length: int) -> str:
    """Return a bar of ``length`` characters between brackets; it is full when all are through, and not before."""
    done = min(max(length * through // groups, 0), length) if groups > 0 else 0
    return f"[{'#' * done}{'.' * (length - done)}]"


def fit(text: str, columns: int) -> str:
    """Return ``text`` in at most so many columns: what is none or two of them, or moves the cursor, becomes ``?``."""
    plain = "".join(character if " " <= character <= "~" else "?" for character in text)
    if len(plain) <= columns:
        return plain
    return f"{plain[: columns - 3]}..." if columns > 3 else plain[: max(columns, 0)]


def live_line(glance: Glance, columns: int) -> str:
    """Return the live line for a terminal of so many columns, of which the last stays free."""
    if glance.through is None:
        text = "; ".join((f"{glance.what}, {glance.groups} group{'s' * (glance.groups != 1)}", *glance.words))
    else:
        length = min(columns // 5, _LONGEST_BAR)
        drawn = f" {drawn_bar(glance.through, glance.groups, length)}" if length >= _SHORTEST_BAR else ""
        text = f"{glance.what} {glance.through}/{glance.groups}{drawn} {'; '.join(glance.words)}"
    return fit(text, columns - 1)


def is_alone(task: Task, task_vars: Mapping[str, Any]) -> bool:
    """Whether nothing but this task on this host prints anything as long as it runs."""
    if len(task_vars.get("ansible_play_batch") or ()) == 1:
        return True
    return bool(task.run_once) and keeps_in_step(strategy_of(task))


class Progress:
    """Tells how far a task is, as long as the context lasts; whatever Ansible prints after it finds a clean line.

    ``glance``, asked every second, is for the live line, and may have nothing to show yet. ``line`` is for the others,
    after each of the ``pauses``, in seconds; one that says the same as the one before, up to its bracket, is left out.
    With a live line the others go to Ansible's log only. Both are asked in one thread.
    """

    def __init__(
        self,
        task: Task,
        task_vars: Mapping[str, Any] | None,
        *,
        glance: Callable[[], Glance | None],
        line: Callable[[], str] | None = None,
        pauses: Iterator[float] | None = None,
    ) -> None:
        """Tell of ``task``, in whose plays' variables (``task_vars``) its hosts are."""
        # The stage says enough: the task's whole name stands in the line above.
        self._name = task.get_name().removeprefix(_OURS).partition(" | ")[0].replace(" : ", ", ", 1)
        quiet = display.verbosity < _TALKATIVE and not config.get_config_value("DEFAULT_DEBUG")
        self._columns = _COLUMNS if quiet and is_alone(task, task_vars or {}) else 0
        self._glance, self._line, self._pauses = glance, line, pauses
        self._painted = False
        self._ended = threading.Event()
        self._teller = threading.Thread(target=self._tell, daemon=True)

    def __enter__(self) -> Progress:
        """Begin to tell."""
        if self._columns or self._line:
            self._teller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Tell no more, and take the live line away."""
        self._ended.set()
        if self._teller.ident is not None:
            self._teller.join()
        if self._painted:
            self._paint("")

    def say(self, line: str) -> None:
        """Print a line; where there is a live one, to Ansible's log only."""
        display.display(f"{self._name}: {one_line(line, _MAX_LINE)}", log_only=self._columns > 0)

    def _tell(self) -> None:
        said, due = "", self._next_due()
        while True:
            every = _EVERY if self._columns else math.inf
            if self._ended.wait(max(min(every, due - time.monotonic()), 0.0)):
                return
            if self._columns and (glance := self._glance()):
                self._paint(live_line(glance, self._columns))
            if self._line and time.monotonic() >= due:
                due = self._next_due()
                line = self._line()
                if line and line.partition(" (")[0] != said:
                    said = line.partition(" (")[0]
                    self.say(line)

    def _next_due(self) -> float:
        return time.monotonic() + next(self._pauses) if self._pauses else math.inf

    def _paint(self, text: str) -> None:
        self._painted = True
        # One write: nothing comes between its parts. The carriage return makes Python write it at once.
        display.display(f"\r{_WRAP_OFF}{text}{_ERASE_REST}{_WRAP_ON}", screen_only=True, newline=False)
