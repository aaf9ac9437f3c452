# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The table: a row for each operation and condition, and what did not go as promised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.table import Table

from chaos.trial import Trial


@dataclass(frozen=True)
class Row:
    """All trials of an operation under a condition. ``exposure``: seconds at worst, None where it begins or ends
    open.
    """

    operation: str
    condition: str
    kill_points: int
    trials: int
    arrived: int
    client_failures: int
    tokens_lost: int
    served: int
    exposure: float | None
    seconds: float
    problems: int

    @property
    def clean(self) -> bool:
        """Whether all went as promised."""
        return not self.problems and self.arrived == self.trials


def rows(trials: Iterable[Trial]) -> list[Row]:
    """Sum up; a trial that was not killed since the run came to its end before that point doesn't count."""
    found: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        found.setdefault((trial.operation, trial.condition), []).append(trial)
    return [_row(operation, condition, theirs) for (operation, condition), theirs in found.items()]


def _row(operation: str, condition: str, trials: Sequence[Trial]) -> Row:
    counted = [trial for trial in trials if trial.reached]
    exposures = [trial.exposure for trial in counted if trial.exposure is not None]
    return Row(
        operation=operation,
        condition=condition,
        kill_points=sum(trial.point is not None for trial in counted),
        trials=len(counted),
        arrived=sum(trial.arrived for trial in counted),
        client_failures=sum(trial.client_failures for trial in trials),
        tokens_lost=sum(trial.tokens_lost for trial in trials),
        served=sum(sum(trial.served) for trial in trials),
        exposure=max(exposures) if exposures else None,
        seconds=sum(trial.seconds for trial in trials),
        problems=sum(len(trial.problems) for trial in trials),
    )


def table(found: Sequence[Row], seconds: float) -> Table:
    """The rows for a terminal; ``seconds`` is what all took by the clock."""
    shown = Table(title="Killed anywhere, and run again", show_footer=True)
    trials, arrived = sum(row.trials for row in found), sum(row.arrived for row in found)
    shown.add_column("Operation", "Total")
    shown.add_column("Condition", f"{seconds:.0f} s")
    shown.add_column("Kill points", f"{sum(row.kill_points for row in found)}", justify="right")
    shown.add_column("Arrived", _share(arrived, trials), justify="right")
    shown.add_column("Client failures", _red(sum(row.client_failures for row in found)), justify="right")
    shown.add_column("Commands served", f"{sum(row.served for row in found):,}", justify="right")
    shown.add_column("Tokens lost", _red(sum(row.tokens_lost for row in found)), justify="right")
    shown.add_column("Exposure, s", justify="right")
    shown.add_column("Time, s", f"{sum(row.seconds for row in found):.0f}", justify="right")
    for row in found:
        shown.add_row(
            row.operation,
            row.condition,
            f"{row.kill_points}",
            _share(row.arrived, row.trials),
            _red(row.client_failures),
            f"{row.served:,}",
            _red(row.tokens_lost),
            "-" if row.exposure is None else f"{row.exposure:.1f}",
            f"{row.seconds:.0f}",
        )
    return shown


def _share(part: int, whole: int) -> str:
    text = f"{part}/{whole}"
    return text if part == whole else f"[bold red]{text}[/]"


def _red(number: int) -> str:
    return f"[bold red]{number}[/]" if number else "0"


def violations(trials: Iterable[Trial]) -> list[str]:
    """What did not go as promised, trial by trial."""
    found = []
    for trial in trials:
        if trial.problems:
            where = f"killed {trial.point}" if trial.point else "not killed"
            calls = f"calls that changed something: {', '.join(trial.calls)}"
            again = f"once more: {again_command(trial)}"
            found.append(
                "\n  ".join([f"{trial.operation}, {trial.condition}, {where}:", *trial.problems, calls, again])
            )
    return found


def again_command(trial: Trial) -> str:
    """The command that makes the trial once more."""
    point = trial.point.name if trial.point else "none"
    return f'make chaos ARGS="--operations {trial.operation} --conditions {trial.condition} --points {point}"'
