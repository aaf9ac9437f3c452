# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run the module of the same name a while at a time, and tell how far the groups are."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.elasticache.auth.plugins.plugin_utils._controller import TiedToController
from ansible_collections.elasticache.auth.plugins.plugin_utils._progress import Glance, Progress

MODULE = "elasticache.auth.replication_group_wait"
#: The module's own default, in seconds (an action plugin does not see those).
DEFAULT_TIMEOUT = 3600.0


def slices() -> Iterator[float]:
    """Seconds from one line of progress to the next: short at first, then longer, as each costs a Python start."""
    return itertools.chain((5.0, 10.0, 15.0, 30.0), itertools.repeat(60.0))


def is_pending(outcome: Mapping[str, Any]) -> bool:
    """Whether a group's time ran out, in contrast to having arrived or failed."""
    return bool(outcome.get("failed") and outcome.get("pending"))


def progress_line(outcomes: Mapping[str, Mapping[str, Any]], seconds: float) -> str:
    """Return one line: how many have arrived, what the rest lack (most frequent first), and the time gone."""
    parts = [f"{_arrived(outcomes)} of {len(outcomes)} available", *_lacks(outcomes)]
    return f"{'; '.join(parts)} ({seconds:.0f} s)"


def glance_at(outcomes: Mapping[str, Mapping[str, Any]], seconds: float) -> Glance | None:
    """Return the same for a live line; ``None`` while nobody has looked at the groups."""
    words = (f"{seconds:.0f} s", *_lacks(outcomes))
    return Glance("available", len(outcomes), _arrived(outcomes), words) if outcomes else None


def _arrived(outcomes: Mapping[str, Mapping[str, Any]]) -> int:
    return sum(not outcome.get("failed") for outcome in outcomes.values())


def _lacks(outcomes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what is lacking, with the group or how many groups lack it, and last how many failed."""
    lacking: dict[str, list[str]] = {}
    for key, outcome in outcomes.items():
        if is_pending(outcome):
            lacking.setdefault(str(outcome["pending"]), []).append(key)
    parts = []
    for words, keys in sorted(lacking.items(), key=lambda item: (-len(item[1]), item[0])):
        named = keys[0] if len(keys) == 1 else f"{len(keys)} groups"
        parts.append(f"{named}: {words}")
    failed = len(outcomes) - _arrived(outcomes) - sum(map(len, lacking.values()))
    return [*parts, f"{failed} failed"] if failed else parts


def _is_true(value: Any) -> bool:
    """Whether an option that the module takes as a bool is on; here it may still be text, as a template leaves it."""
    return value is not None and boolean(value, strict=False)


class ActionModule(ActionBase):
    """See the documentation of M(elasticache.auth.replication_group_wait)."""

    TRANSFERS_FILES = False
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result, the outcomes of all its runs put together."""
        with TiedToController(self):
            return self._run(tmp, task_vars)

    def _run(self, tmp: str | None, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if self._task.check_mode:
            return result | self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        begin = time.monotonic()
        try:
            timeout = float(arguments.get("wait_timeout", DEFAULT_TIMEOUT))
        except (TypeError, ValueError):
            # The module says better what is wrong.
            return result | self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        outcomes: dict[str, dict[str, Any]] = {}
        left: list[str] | None = None
        with Progress(self._task, task_vars, glance=lambda: glance_at(outcomes, time.monotonic() - begin)) as progress:
            for length in slices():
                gone = time.monotonic() - begin
                some = arguments | {"wait_timeout": min(length, max(timeout - gone, 0.0)) if timeout >= 0 else timeout}
                if left is not None:
                    some.pop("replication_group_id", None)
                    some["replication_group_ids"] = left
                ran = self._execute_module(module_name=MODULE, module_args=some, task_vars=task_vars)
                if "outcomes" not in ran:
                    return result | ran
                for key, outcome in ran["outcomes"].items():
                    outcome["duration"] = round(outcome["duration"] + gone, 3)
                    outcome["before"] = outcomes.get(key, outcome)["before"]
                outcomes = outcomes | ran["outcomes"]  # a new one: the other is being read in another thread
                gone = time.monotonic() - begin
                left = [key for key, outcome in ran["outcomes"].items() if is_pending(outcome)]
                if not left or gone >= timeout:
                    break
                progress.say(progress_line(outcomes, gone))
        return result | _combined(ran, outcomes, time.monotonic() - begin, _is_true(arguments.get("continue_on_error")))


def _combined(
    ran: dict[str, Any], outcomes: dict[str, dict[str, Any]], seconds: float, continue_on_error: bool
) -> dict[str, Any]:
    """Return the last run's result with the outcomes of all, its times those of the whole wait."""
    errors = []
    for key, outcome in outcomes.items():
        if is_pending(outcome):
            outcome["msg"] = (
                f"{key}: not done after {seconds:.0f} s: {outcome['pending']}. "
                "What is under way goes on at AWS: run this again, or raise wait_timeout."
            )
        elif not outcome["failed"]:
            outcome["msg"] = f"{key}: available after {outcome['duration']:.0f} s."
        if outcome["failed"]:
            errors.append(outcome["msg"])
    msg = " ".join(errors[:5]) or f"{len(outcomes)} of {len(outcomes)} groups available after {seconds:.0f} s."
    return ran | {"outcomes": outcomes, "msg": msg, "failed": bool(errors) and not continue_on_error}
