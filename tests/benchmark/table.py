# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The figures for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table

from benchmark.figures import Failure, Figures, Outcome, Scenario, Target


def number(value: float) -> str:
    """A number with three digits that say something, and no more."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def duration(seconds: float) -> str:
    """Seconds, or above some minutes hours and minutes."""
    if seconds < 600:
        return f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def _marked(one: Figures, text: str) -> str:
    """An extrapolation is seen to be one."""
    return f"[dim italic]≈ {text}[/]" if one.extrapolated else text


def state(one: Outcome) -> str:
    """Whether it arrived, was not measured, or failed."""
    if isinstance(one, Failure):
        return "[bold red]failed[/]"
    return f"[dim italic]extrapolated from {' and '.join(map(str, one.measured))}[/]" if one.extrapolated else "arrived"


def _gap(one: Figures) -> str:
    timeline = one.timeline
    if timeline is None or timeline.gap_mean is None or timeline.gap_max is None:
        return "-"
    return f"{number(timeline.gap_mean)} / {number(timeline.gap_max)}"


def _unauthenticated(one: Figures) -> str:
    found = one.timeline.unauthenticated if one.timeline else None
    return "-" if found is None else number(found) if found else "0"


def figures_table(scenario: Scenario, outcomes: Sequence[Outcome], titles: Mapping[str, str], memory_is: str) -> Table:
    """A row for each variant and number of groups of one scenario."""
    shown = Table(title=str(scenario))
    shown.add_column("Variant")
    shown.add_column("Groups", justify="right")
    shown.add_column("Wall time", justify="right")
    shown.add_column("CPU, s", justify="right")
    shown.add_column("CPU a\ngroup, ms", justify="right")
    shown.add_column(f"Peak\n{memory_is}, MB", justify="right")
    shown.add_column("Calls a\ngroup", justify="right")
    shown.add_column("Refused a call,\nworst", justify="right")
    shown.add_column("ROTATE done to SET,\nmean / most, s", justify="right")
    shown.add_column("Wall, times slowest\ngroup's changes", justify="right")
    shown.add_column("Unauthenticated,\nmost, s", justify="right")
    shown.add_column("Emulator\nCPU, s", justify="right")
    shown.add_column("End state")
    before = ""
    for one in outcomes:
        if before and one.variant != before:
            shown.add_section()
        title = "" if one.variant == before else f"{one.variant}) {titles[one.variant]}"
        before = one.variant
        cells = [title, f"{one.groups:,}"]
        if isinstance(one, Figures):
            action, refused = one.worst_refused
            memory = f"{one.memory / 1e6:.0f}"
            cells += [
                _marked(one, duration(one.wall)),
                _marked(one, number(one.cpu)),
                _marked(one, number(one.cpu_a_group * 1000)),
                f"[dim italic]≥ {memory}[/]" if one.extrapolated else memory,
                _marked(one, number(one.calls_a_group)),
                _marked(one, f"{refused:.2f} {action.rsplit(':', 1)[-1]}" if refused else "0"),
                _gap(one),
                "-" if one.wall_times_own is None else number(one.wall_times_own),
                _unauthenticated(one),
                _marked(one, number(one.emulator_cpu)),
            ]
        else:
            cells += ["-"] * 10
        shown.add_row(*cells, state(one))
    return shown


def calls_table(outcomes: Iterable[Outcome]) -> Table:
    """The calls a group by action, for each variant with the largest number of groups that it was measured with."""
    largest = {one.variant: one for one in outcomes if isinstance(one, Figures) and not one.extrapolated}
    actions = sorted({action for one in largest.values() for action in (*one.calls, *one.refused)})
    shown = Table(title="Calls a group that AWS took (and those that it throttled)", show_footer=True)
    shown.add_column("Action", "All")
    for one in largest.values():
        refused = sum(one.refused.values()) / one.groups
        footer = f"{one.calls_a_group:.2f}" + (f" (+{refused:.2f})" if refused else "")
        shown.add_column(f"{one.variant}, {one.groups:,} groups", footer, justify="right")
    for action in actions:
        cells = []
        for one in largest.values():
            taken, refused = one.calls.get(action, 0) / one.groups, one.refused.get(action, 0) / one.groups
            text = f"{taken:.2f}" if taken else "-"
            cells.append(f"{text} (+{refused:.2f})" if refused else text)
        shown.add_row(action, *cells)
    return shown


def targets_table(targets: Iterable[Target]) -> Table:
    """What is wanted, what was found, and whether that is met."""
    shown = Table(title="Targets")
    shown.add_column("Scenario")
    shown.add_column("Variant")
    shown.add_column("Groups", justify="right")
    shown.add_column("What")
    shown.add_column("Wanted", justify="right")
    shown.add_column("Found", justify="right")
    shown.add_column("")
    words = {True: "[green]met[/]", False: "[bold red]missed[/]", None: "[yellow]not measured[/]"}
    before: Scenario | None = None
    for target in targets:
        if before is not None and target.scenario != before:
            shown.add_section()
        found = "-" if target.found is None else number(target.found)
        shown.add_row(
            "" if target.scenario == before else str(target.scenario),
            target.variant,
            f"{target.groups:,}" if target.groups else "-",
            target.what,
            f"{'≥' if target.at_least else '≤'} {target.limit:g}",
            f"[dim italic]≈ {found}[/]" if target.extrapolated else found,
            words[target.met],
        )
        before = target.scenario
    return shown
