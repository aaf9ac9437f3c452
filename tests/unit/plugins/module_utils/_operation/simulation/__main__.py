# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""One group's script against a model of AWS: no network, no threads, no waiting. A run follows from its seed.

``make simulate ARGS="--seeds 5000 --first 0"``: many seeds, and a table; ``--seed N``: one of them, step by step.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from .promises import OVERLOOKED
from .runs import simulated
from .trial import Trial, try_seed


@dataclass
class Table:
    """What many seeds came to. ``seeds``: by operation; the numbers of seeds that broke a promise, by its kind."""

    seeds: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    broken: dict[str, list[int]] = field(default_factory=dict)

    def add(self, trial: Trial) -> None:
        """Take in what a seed came to."""
        self.seeds[trial.scene.operation.value] += 1
        self.counts += Counter(
            {
                "runs": len(trial.runs),
                "calls": sum(run.calls for run in trial.runs),
                "changing calls": sum(run.changing for run in trial.runs),
                "steps of the model": trial.steps,
                "faults": trial.struck,
                "kills": trial.killed,
                "outside changes": trial.changed,
                "ended at the goal": trial.arrived,
                "ended refusing": bool(trial.refused),
            }
        )
        for kind in {violation.kind for violation in trial.violations}:
            self.broken.setdefault(kind, []).append(trial.seed)

    @property
    def violations(self) -> dict[str, list[int]]:
        """The seeds by what they broke, but for what no run could have known."""
        return {kind: seeds for kind, seeds in sorted(self.broken.items()) if kind != OVERLOOKED}

    def lines(self) -> list[str]:
        """Return the table."""
        lines = [f"{'seeds':<20} {self.seeds.total():>9,}"]
        lines += [f"  {name:<22} {count:>5,}" for name, count in sorted(self.seeds.items())]
        lines += [f"{name:<20} {self.counts[name]:>9,}" for name in self.counts]
        for kind, seeds in sorted(self.broken.items()):
            what = "tokens beyond the secret overlooked" if kind == OVERLOOKED else f"violations: {kind}"
            lines.append(f"{what}: {len(seeds)} seeds ({', '.join(map(str, seeds[:10]))}{', …' * (len(seeds) > 10)})")
        return [*lines, "no violation"] if not self.violations else lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line says, and return the exit status: 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="this one alone, with each step")
    given = parser.parse_args(arguments)
    table, begun = Table(), time.monotonic()
    with simulated():
        if given.seed is not None:
            trial = try_seed(given.seed, _say)
            table.add(trial)
            for violation in trial.violations:
                _say(f"!!! {violation}")
        else:
            for seed in range(given.first, given.first + given.seeds):
                trial = try_seed(seed)
                table.add(trial)
                for violation in (one for one in trial.violations if one.kind != OVERLOOKED):
                    _say(f"seed {seed}: {violation}")
    for line in table.lines():
        _say(line)
    _say(f"{time.monotonic() - begun:.1f} s")
    return bool(table.violations)


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")


if __name__ == "__main__":
    sys.exit(main())
