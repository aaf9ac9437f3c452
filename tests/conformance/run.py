# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A run: nothing is at its ids, the questions are asked side by side, and what was made is removed."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import interrupts

from .access import ACCESS, Access
from .clock import HaltError
from .encryption import ENCRYPTION, OLD, ask_encryption, ask_old_engine
from .endpoint import NoAnswerError
from .groups import Scene
from .made import Kind, NotMadeError, Resource
from .nodes import UnreachableError
from .others import SECRET, ask_others
from .rows import ROWS
from .user_groups import APP, BRIDGE, USER_GROUP, create_user_group

#: What a run makes, by kind; besides, what AWS is expected to refuse.
WANTED: Mapping[Kind, Sequence[str]] = {
    Kind.GROUP: (ACCESS, OLD, ENCRYPTION),
    Kind.USER_GROUP: (USER_GROUP,),
    Kind.USER: (BRIDGE, APP, "no-password-r"),
    Kind.SECRET: (SECRET,),
}
KNOWN_STATUSES = frozenset(("creating", "available", "modifying", "snapshotting", "deleting", "create-failed"))
_EXPECTED = (HaltError, NoAnswerError, NotMadeError, UnreachableError)
_LOOK_SECONDS = 0.2


class Run:
    """One run on one endpoint. ``broken`` has what went wrong in the questions themselves."""

    def __init__(self, scene: Scene, emulated: bool) -> None:
        self.scene = scene
        self.emulated = emulated
        self.interrupted = False
        self.broken: list[str] = []
        self.ended: list[str] = []
        self.left: list[Resource] = []

    def go(self, patience: float, say: Callable[[str], None]) -> None:
        """Ask everything and remove everything; raises ``ExistsError`` before anything is made.

        An interrupt ends the questions; it does not end the removal, which takes ``patience`` seconds at most, twice.
        """
        self.scene.made.check_nothing_exists(WANTED)
        try:
            with interrupts.deferred():
                self._ask_and_remove(patience, say)
        except KeyboardInterrupt:
            self.interrupted = True  # it came while everything was being removed
        self._finish()

    def _ask_and_remove(self, patience: float, say: Callable[[str], None]) -> None:
        try:
            with interrupts.deferred(on=False):
                self._ask()
        except KeyboardInterrupt:
            self.interrupted = True
            say("Interrupted. Removing what was made; further interrupts are ignored.")
        finally:
            self.scene.endpoint.clock.stop()
            for thread in self._threads:
                thread.join()
            self.scene.nodes.close()
            self.left = self.scene.made.tear_down(patience)

    _threads: Sequence[threading.Thread] = ()

    def _ask(self) -> None:
        token = self.scene.endpoint.hidden.make()
        self._side_by_side([lambda: create_user_group(self.scene, token)])
        self._side_by_side(
            [lambda: Access(self.scene, token).run()],
            # One after the other: no more than two groups at a time.
            [lambda: ask_old_engine(self.scene), lambda: ask_encryption(self.scene)],
            [lambda: ask_others(self.scene)],
        )

    def _side_by_side(self, *lines: Sequence[Callable[[], None]]) -> None:
        self._threads = [
            threading.Thread(target=self._one_after_another, args=(parts,), daemon=True) for parts in lines
        ]
        for thread in self._threads:
            thread.start()
        while any(thread.is_alive() for thread in self._threads):
            for thread in self._threads:
                thread.join(_LOOK_SECONDS)

    def _one_after_another(self, parts: Sequence[Callable[[], None]]) -> None:
        for part in parts:
            self._guarded(part)

    def _guarded(self, part: Callable[[], None]) -> None:
        hidden = self.scene.endpoint.hidden
        try:
            part()
        except _EXPECTED as error:
            self.ended.append(hidden.mask(str(error)))
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(at.filename).name}:{at.lineno}"
            self.broken.append(hidden.mask(f"{type(error).__name__} at {where}: {error}"))

    def _finish(self) -> None:
        answers, leaks = self.scene.answers, self.scene.endpoint.leaks
        unknown = answers.statuses - KNOWN_STATUSES
        if answers.statuses:
            answers.value("statuses", f"unknown: {', '.join(sorted(unknown))}" if unknown else "all of them known")
            answers.value("tokens-hidden", f"in {', '.join(sorted(set(leaks)))}" if leaks else "none")
        if self.emulated:
            for row in ROWS.values():
                if row.not_emulated:
                    answers.seen.pop(row.name, None)
                    answers.not_asked(row.name, row.not_emulated)
        answers.finish("; ".join(dict.fromkeys([*self.ended, *self.broken])) or "the question did not come up")
