# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The table, the file, and the lines to change in this repository."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from emulator.settings import VARIANTS

from .answers import Answers, Seen, Verdict
from .rows import ROWS, Refused

FORMAT = 1
_STYLES = {Verdict.DIFFERS: "bold red", Verdict.PART: "yellow", Verdict.NOT_ASKED: "dim", Verdict.EXPECTED: ""}


@dataclass(frozen=True)
class Report:
    """A run's answers beside what was expected of its endpoint."""

    target: str
    region: str
    run: str
    date: str
    variants: Mapping[str, str]
    answers: Answers
    left: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    def verdict(self, name: str) -> Verdict:
        """How that row's answer compares."""
        return self.answers.seen[name].verdict(self.variants)

    def expected(self, name: str) -> str:
        """As the table shows it."""
        expected = ROWS[name].expectation(self.variants)
        return str(expected) if isinstance(expected, Refused) else " or ".join(expected)

    def differing(self) -> list[str]:
        """The rows that are not as expected."""
        return [name for name in ROWS if self.verdict(name) is Verdict.DIFFERS]

    def changes(self) -> list[str]:
        """The lines to change in the facts, the emulator and README, by what was seen; none for the emulator itself."""
        if self.target != "aws":
            return []
        seen = [self.answers.seen[name] for name in ROWS]
        lines = [line for shown in seen for line in self._changes(shown)]
        asked = [shown for shown in seen if not shown.why]
        if asked:
            unasked = ", ".join(shown.row.name for shown in seen if shown.why or shown.may_be)
            lines.append(
                f'README.md, Not yet verified: "never yet against AWS": {len(asked)} of {len(seen)} facts were '
                f"asked of AWS on {self.date} ({self.region}); not: {unasked or 'none'}"
            )
        return lines

    def _changes(self, seen: Seen) -> list[str]:
        row, verdict = seen.row, seen.verdict(self.variants)
        where = f"docs/elasticache-facts.md {row.section}: {row.question}"
        by = f"(conformance {self.date}, {self.region})"
        if seen.settles:
            lines = [f"{where}: ? becomes O {by}: {seen}"]
            if row.variant and verdict is Verdict.DIFFERS:
                known = seen.value in VARIANTS[row.variant].values
                how = f"put {seen.value} first" if known else f"a new value, and the default: {seen}"
                lines.append(f"tests/emulator/settings.py, variant {row.variant}: {how}")
            if seen.code:
                lines.append(
                    f"tests/emulator/control/refusals.py, as variant {row.variant} has it: {seen.code}: {seen.words}"
                )
            return lines
        if verdict is Verdict.DIFFERS:
            words = isinstance(row.expected, Refused) and bool(seen.code)
            place = "tests/emulator/control/refusals.py" if words else "tests/emulator"
            return [
                f"{where}: {self.expected(row.name)} was expected; seen {by}: {seen}",
                f"{place} ({row.name}), and the emulator's README: {seen}",
            ]
        return []

    def table(self) -> Table:
        """For a terminal."""
        made = Table(title=f"{self.target} {self.region}, {self.date}", title_justify="left")
        for column in ("§", "row", "expected", "seen", "s", ""):
            made.add_column(column, overflow="fold", justify="right" if column == "s" else "left")
        for name, row in ROWS.items():
            seen, verdict = self.answers.seen[name], self.verdict(name)
            seconds = "" if seen.seconds is None else f"{seen.seconds:.1f}"
            cells = (row.section, name, self.expected(name), seen.why or str(seen), seconds, verdict.value)
            made.add_row(*(escape(cell) for cell in cells), style=_STYLES[verdict])
        return made

    def as_json(self) -> str:
        """For a file."""
        content: dict[str, Any] = {
            "format": FORMAT,
            "target": self.target,
            "region": self.region,
            "run": self.run,
            "date": self.date,
            "variants": dict(self.variants),
            "rows": [self._row(name) for name in ROWS],
            "durations": [
                {"change": lasted.what, "seconds": round(lasted.seconds, 3)} for lasted in self.answers.durations
            ],
            "changes": self.changes(),
            "left_behind": list(self.left),
            "broken": list(self.broken),
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    def _row(self, name: str) -> dict[str, Any]:
        seen, row = self.answers.seen[name], ROWS[name]
        return {
            "row": name,
            "section": row.section,
            "question": row.question,
            "variant": row.variant or None,
            "expected": self.expected(name) or None,
            "verdict": self.verdict(name).value,
            "seen": seen.value or None,
            "may_be": list(seen.may_be),
            "code": seen.code or None,
            "message": seen.words or None,
            "seconds": None if seen.seconds is None else round(seen.seconds, 3),
            "not_asked_because": seen.why or None,
        }


def free_path(folder: Path, date: str) -> Path:
    """``conformance-DATE.json``, with a number where there is one of that day already."""
    names = [f"conformance-{date}.json", *(f"conformance-{date}-{number}.json" for number in range(2, 1000))]
    return next(path for path in (folder / name for name in names) if not path.exists())
