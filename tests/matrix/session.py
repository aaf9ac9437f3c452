# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Try combinations, some at once, and print a table of what came of them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from matrix.environments import Environment, Missing, install
from matrix.trial import Tried, sanity, smoke
from matrix.versions import Combination

_WIDTH = 170
#: The columns of smoke tests: what each is called, and how its tests' names begin.
_COLUMNS = {
    "Operations": "test_operation[",
    "Inventory": "test_inventory_",
    "Audit": "test_audit_",
    "Untrusted\ntext": "test_untrusted_",
}
_PARTS: dict[str, Callable[[Combination, Environment], Tried]] = {"sanity": sanity, "smoke": smoke}


@dataclass
class Row:
    """A combination and what came of it.

    ``missing``: what this machine lacks for it. ``broken``: why it was not installed.
    """

    combination: Combination
    environment: Environment | None = None
    missing: str = ""
    broken: str = ""
    tried: dict[str, Tried] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether something that was tried went wrong, or did not happen."""
        smoked = self.tried.get("smoke")
        lacking = smoked is not None and not all(count(smoked, begin)[1] for begin in _COLUMNS.values())
        return bool(self.broken) or lacking or any(tried.failed or not tried.passed for tried in self.tried.values())


def count(tried: Tried, begin: str) -> tuple[int, int]:
    """How many tests with such a name passed, of how many."""
    passed, others = (
        [name for name in names if name.startswith(begin)] for names in (tried.passed, tried.failed + tried.skipped)
    )
    return len(passed), len(passed) + len(others)


def run(chosen: Sequence[Combination], parts: Sequence[str], *, jobs: int, renew: bool, strict: bool) -> int:
    """Install and try each combination; returns 1 where one failed, or, with ``strict``, was not tried."""
    console, began = Console(width=_WIDTH, highlight=False), time.monotonic()
    rows = [_installed(combination, renew) for combination in chosen]
    installed = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        # What takes longest first, so that in the end no job waits for another one's.
        started: list[tuple[Row, str, Future[Tried]]] = [
            (row, part, pool.submit(_try, row.combination, row.environment, part, console))
            for part in _PARTS
            if part in parts
            for row in rows
            if row.environment and (part == "smoke" or row.combination.sanity)
        ]
        for row, part, future in started:
            row.tried[part] = future.result()
    for row in rows:
        if row.broken:
            console.print(f"[bold red]{row.combination.name} was not installed:[/] {escape(row.broken)}")
        for part, one in row.tried.items():
            if one.failed or not one.passed:
                console.print(
                    f"\n[bold red]{row.combination.name}: {part} failed[/] ({one.output}):\n{escape(one.end)}"
                )
        for told in sorted({found.text for tried in row.tried.values() for found in tried.deprecations if found.ours}):
            console.print(f"[bold red]{row.combination.name}: ours is deprecated:[/] {escape(told)}")
    console.print(table(rows))
    ended = time.monotonic()
    console.print(f"Total: {ended - began:.0f} s, of which installing {installed - began:.0f} s; {jobs} at once.")
    not_tried = [row for row in rows if row.missing]
    for row in not_tried:
        console.print(f"[bold yellow]{row.combination.name} was not tried:[/] this machine has {row.missing}.")
    lacking = [(row, tried.lacking) for row in rows for tried in row.tried.values() if tried.lacking]
    for row, names in lacking:
        console.print(
            f"[bold yellow]{row.combination.name}: {', '.join(names)} of ansible-test was not tried:[/] "
            "what it needs could not be installed."
        )
    return int(
        any(row.failed for row in rows) or (strict and bool(not_tried or lacking)) or len(not_tried) == len(rows)
    )


def _installed(one: Combination, renew: bool) -> Row:
    try:
        return Row(one, install(one, renew=renew))
    except Missing as missing:
        return Row(one, missing=str(missing))
    except (subprocess.CalledProcessError, ValueError) as error:
        return Row(one, broken=str(error))


def _try(one: Combination, environment: Environment, part: str, console: Console) -> Tried:
    tried = _PARTS[part](one, environment)
    said = f"{len(tried.failed)} failed" if tried.failed else "passed" if tried.passed else "nothing was run"
    console.print(f"{one.name}: {part}: {said} ({tried.seconds:.0f} s)")
    return tried


def table(rows: Sequence[Row]) -> Table:
    """A row for each combination, those that were not tried included."""
    shown = Table(title="Supported versions")
    headings = ("", "ansible-core", "Python", "Modules'\nPython", "amazon.aws", "boto3", *_COLUMNS)
    for heading in (*headings, "Deprecated\nours/other", "Sanity", "Time"):
        shown.add_column(heading)
    for row in rows:
        one, found = row.combination, row.environment
        core, boto3 = (found.core, found.boto3) if found else (one.core, one.boto3)
        what = [one.name, core, one.python, one.module_python, one.amazon_aws, boto3]
        if row.missing or row.broken:
            why = f"[yellow]not tried: {row.missing}[/]" if row.missing else "[bold red]not installed[/]"
            shown.add_row(*what, why, *[""] * (len(_COLUMNS) + 2))
            continue
        smoked = row.tried.get("smoke")
        cells = [_cell(*count(smoked, begin)) if smoked else "-" for begin in _COLUMNS.values()]
        shown.add_row(
            *what,
            *cells,
            _deprecations(smoked),
            _sanity(row),
            " + ".join(f"{t.seconds:.0f} s" for t in row.tried.values()),
        )
    return shown


def _cell(passed: int, of: int) -> str:
    return f"{passed}/{of}" if of and passed == of else f"[bold red]{passed}/{of}[/]"


def _deprecations(smoked: Tried | None) -> str:
    if smoked is None:
        return "-"
    ours = sum(deprecation.ours for deprecation in smoked.deprecations)
    others = len(smoked.deprecations) - ours
    return f"[bold red]{ours}[/] / {others}" if ours else f"0 / {others}"


def _sanity(row: Row) -> str:
    tried = row.tried.get("sanity")
    if tried is None:
        return "-"
    if tried.failed or not tried.passed:
        return f"[bold red]{len(tried.failed)} failed[/]"
    lacking = f", [yellow]{len(tried.lacking)} not tried[/]" if tried.lacking else ""
    return f"{len(tried.passed)} tests{lacking}"
