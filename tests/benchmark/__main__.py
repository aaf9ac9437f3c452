# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Change fleets in several ways, on this machine and against the emulator, and say what each way took."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import interrupts
import psutil
from conftest import start_emulator
from rich.console import Console
from rich.markup import escape

from benchmark import fleet
from benchmark.cases import CASES, NEIGHBOUR_GROUPS
from benchmark.figures import (
    FAULTS,
    FIXED,
    FLEET,
    HEAVY_TAILED,
    NEIGHBOUR,
    ROTATE_TOKEN,
    Failure,
    Figures,
    Outcome,
    Scenario,
    Target,
    count_calls,
    extrapolate,
    largest_that_fits,
)
from benchmark.measure import MEMORY_IS, run
from benchmark.operations import OPERATIONS, Group
from benchmark.table import calls_table, duration, figures_table, targets_table
from benchmark.targets import targets
from benchmark.timeline import Timeline, timeline
from benchmark.variants import VARIANTS, Job, Variant
from chaos.command import ansible_environment
from emulator.settings import Timing

_MISSED, _INTERRUPTED = 1, 130
_WIDTH = 230
#: Groups that a slow variant begins with where the smallest number asked for is larger.
_PILOT = 10
#: How much longer than the limit a variant may take that was expected to keep it.
_GRACE = 1.5
_LINES = 20


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is the same for all variants and scenarios; times in seconds.

    ``modify_sigma``, ``modify_max_seconds`` and ``modify_seed`` are of heavy-tailed durations alone,
    ``neighbour_timeout`` and ``fault_groups`` of these two cases.
    """

    modify_seconds: float
    latency: float
    poll_seconds: float
    time_limit: float
    soak: float = 0
    modify_sigma: float = 1.0
    modify_max_seconds: float = 120.0
    modify_seed: int = 0
    neighbour_timeout: float = 45.0
    fault_groups: int = 40

    def timing(self, durations: str) -> dict[str, float]:
        """The emulator's settings for a scenario with such durations."""
        fixed = {"modify_seconds": self.modify_seconds, "latency": self.latency}
        if durations == FIXED:
            return fixed
        drawn = {"modify_sigma": self.modify_sigma, "modify_max_seconds": self.modify_max_seconds}
        return {**fixed, **drawn, "modify_seed": self.modify_seed}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="benchmark",
        description="Rotate the tokens of fleets in several ways, or carry out other operations, and compare what it "
        "takes: time, CPU, memory and API calls.",
        epilog="variants: "
        + "; ".join(f"{one.name}: {one.title}" for one in VARIANTS.values())
        + ". Exit status: 0 all targets met or not measured, 1 a variant failed or a target is missed, "
        "2 a wrong argument, 130 interrupted",
    )
    made.add_argument("--sizes", default="10,100,1000", help="numbers of groups (%(default)s)")
    made.add_argument(
        "--operations",
        default=ROTATE_TOKEN,
        help=f"some of {','.join(OPERATIONS)}; all but {ROTATE_TOKEN} with the variants "
        f"{', '.join(one.name for one in VARIANTS.values() if one.any_operation)} alone (%(default)s)",
    )
    made.add_argument("--variants", default=",".join(VARIANTS), help="some of: %(default)s")
    made.add_argument(
        "--regions",
        default="3",
        help=f"in how many regions the groups are, 1 to {len(fleet.REGIONS)}; several with commas (%(default)s)",
    )
    made.add_argument(
        "--durations",
        default=FIXED,
        help=f"how long changes last: {FIXED}, {HEAVY_TAILED} (each group's own, log-normal), or both (%(default)s)",
    )
    made.add_argument(
        "--modify-seconds", type=float, default=5.0, help="how long a change takes, or the median (%(default)s)"
    )
    made.add_argument("--modify-sigma", type=float, default=1.0, help="sigma of heavy-tailed durations (%(default)s)")
    made.add_argument(
        "--modify-max-seconds", type=float, default=120.0, help="the most that a heavy-tailed one is (%(default)s)"
    )
    made.add_argument("--modify-seed", type=int, default=0, help="other heavy-tailed durations (%(default)s)")
    made.add_argument(
        "--soak", type=float, default=0, help="seconds that the roles are told to leave to the clients (%(default)s)"
    )
    made.add_argument("--latency", type=float, default=0.02, help="seconds that every API call takes (%(default)s)")
    made.add_argument(
        "--poll-seconds",
        type=float,
        default=2.0,
        help="seconds between two looks at the groups, where a variant lets one choose: not the CLI (%(default)s)",
    )
    made.add_argument(
        "--time-limit",
        type=float,
        default=600.0,
        help="seconds above which a variant is extrapolated from fewer groups (%(default)s)",
    )
    made.add_argument(
        "--cases",
        default=FLEET,
        help=f"some of {','.join((FLEET, *CASES))}: {FLEET} is all of the above, {NEIGHBOUR} {NEIGHBOUR_GROUPS} groups "
        f"of which one never ends its change, {FAULTS} dropped answers and every fifth call throttled; these two "
        "have one region and variant a alone (%(default)s)",
    )
    made.add_argument(
        "--neighbour-timeout",
        type=float,
        default=45.0,
        help="seconds that the role is told to wait for a change, in that case (%(default)s)",
    )
    made.add_argument("--fault-groups", type=int, default=40, help="groups in that case (%(default)s)")
    made.add_argument(
        "--before",
        type=Path,
        metavar="FILE",
        help="what --json has written on this machine before a change: the wall time of the case "
        f"{FAULTS} is compared with it",
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write everything there, too")
    return made


def run_once(variant: Variant, number: int, settings: Settings, scenario: Scenario) -> Outcome:
    """Let a variant do its work once, on a fresh fleet of that many groups with an emulator of its own."""
    operation, case = OPERATIONS[scenario.operation], CASES.get(scenario.case)
    emulator = start_emulator("--data-plane", "light", "--create-seconds", "0")
    try:
        with tempfile.TemporaryDirectory(prefix="elasticache-auth-bench_") as name:
            folder = Path(name)
            groups = fleet.create(emulator, operation, number, fleet.REGIONS[: scenario.regions])
            job = Job(groups, emulator.ca_bundle or "", folder, settings.poll_seconds, operation, settings.soak)
            timing, free = settings.timing(scenario.durations), groups
            if case is not None:
                timing = {**timing, **case.timing}
                job = dataclasses.replace(job, soak=settings.soak if case.soak is None else case.soak)
            if case is not None and case.stuck:
                job = dataclasses.replace(job, wait_timeout=settings.neighbour_timeout)
                free = groups[:-1]
            command, environment = variant.command(job), ansible_environment(emulator, folder)
            fleet.begin(emulator, **timing)
            if case is not None:
                emulator.faults(*case.faults(groups))
            server = psutil.Process(emulator.process.pid)
            since, before = time.time(), _cpu(server)
            ran = run(command, folder, environment, settings.time_limit * _GRACE)
            emulator_cpu = _cpu(server) - before
            if ran.returncode is None:
                return Failure(variant.name, number, f"not done after {ran.wall:.0f} s", scenario)
            calls, refused = count_calls(emulator.calls(since=since))
            emulator.clear_faults()
            truths = [truth for truth in emulator.groups() if Group(truth["region"], truth["id"]) in set(free)]
            found = timeline(truths, since, time.time())
            wrong = fleet.problems(emulator, operation, free)
            if wrong or (ran.returncode and free == groups):
                tail = "\n".join(ran.output.splitlines()[-_LINES:])
                why = f"exit status {ran.returncode}, {len(wrong)} of {number} groups did not arrive"
                return Failure(variant.name, number, "\n".join([why, *wrong[:5], tail]), scenario)
            return Figures(
                variant.name,
                number,
                ran.wall,
                ran.cpu,
                ran.memory,
                calls,
                refused,
                emulator_cpu,
                measured=(number,),
                scenario=scenario,
                timeline=found,
            )
    finally:
        emulator.close()


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def measure(variant: Variant, sizes: Sequence[int], settings: Settings, scenario: Scenario) -> Iterator[Outcome]:
    """Measure with each number of groups, ascending; where that takes too long with as many as fit, and extrapolate."""
    measured: list[Figures] = []
    failed: Failure | None = None
    slow = variant.slow or scenario.operation != ROTATE_TOKEN
    pilot = [_PILOT] if slow and sizes[0] > _PILOT else []
    for number in [*pilot, *sizes]:
        fits = largest_that_fits(measured, settings.time_limit) if measured else number
        if failed is None and fits < number and fits >= 2 * measured[-1].groups:
            extra = run_once(variant, fits, settings, scenario)
            yield extra
            if isinstance(extra, Failure):
                failed = extra
            else:
                measured.append(extra)
        if failed is not None:
            yield Failure(variant.name, number, f"not tried: it failed with {failed.groups} groups", scenario)
        elif measured and largest_that_fits(measured, settings.time_limit) < number:
            yield extrapolate(measured, number)
        else:
            outcome = run_once(variant, number, settings, scenario)
            yield outcome
            if isinstance(outcome, Failure):
                failed = outcome
            else:
                measured.append(outcome)


def _told(one: Outcome) -> str:
    about = f"{one.scenario}: {one.variant}, {one.groups} groups"
    if isinstance(one, Failure):
        return f"{about}: [bold red]failed[/]: {escape(one.why)}"
    how = "extrapolated" if one.extrapolated else "arrived"
    return f"{about}: {how}, {duration(one.wall)}, {one.cpu:.1f} s of CPU"


def _machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "memory_is": MEMORY_IS,
    }


def _written(one: Outcome) -> dict[str, Any]:
    if isinstance(one, Failure):
        return {**dataclasses.asdict(one), "failed": True}
    return {
        **dataclasses.asdict(one),
        "failed": False,
        "extrapolated": one.extrapolated,
        "cpu_a_group": one.cpu_a_group,
        "calls_a_group": one.calls_a_group,
        "wall_times_own": one.wall_times_own,
    }


def read_figures(written: Any) -> list[Figures]:
    """The figures in what ``report`` made. Raises KeyError, TypeError or ValueError where it is something else."""
    names = [field.name for field in dataclasses.fields(Figures)]
    return [
        Figures(
            **{
                **{name: one[name] for name in names},
                "measured": tuple(one["measured"]),
                "scenario": Scenario(**one["scenario"]),
                "timeline": one["timeline"] and Timeline(**one["timeline"]),
            }
        )
        for one in written["outcomes"]
        if not one["failed"]
    ]


def report(
    outcomes: Sequence[Outcome], reached: Sequence[Target], settings: Settings, machine: dict[str, Any]
) -> dict[str, Any]:
    """Everything, for JSON."""
    return {
        "machine": machine,
        "settings": {**dataclasses.asdict(settings), "throttle": fleet.THROTTLE},
        "variants": {one.name: one.title for one in VARIANTS.values()},
        "outcomes": [_written(one) for one in outcomes],
        "targets": [{**dataclasses.asdict(one), "met": one.met} for one in reached],
    }


@dataclasses.dataclass(frozen=True)
class Request:
    """What is to be measured, and where it is written besides the terminal."""

    settings: Settings
    sizes: Sequence[int]
    variants: Sequence[str]
    scenarios: Sequence[Scenario]
    file: Path | None
    before: Sequence[Figures] = ()


def parse(arguments: Sequence[str] | None) -> Request:
    """What the command line asks for. Exits with 2 where it is wrong."""
    made = parser()
    parsed = made.parse_args(arguments)
    try:
        sizes = sorted({int(size) for size in parsed.sizes.split(",")})
    except ValueError:
        made.error("--sizes are numbers, with commas between them")
    try:
        regions = list(dict.fromkeys(int(number) for number in parsed.regions.split(",")))
    except ValueError:
        made.error("--regions are numbers, with commas between them")
    if not 1 <= sizes[0] <= sizes[-1] <= 9999:
        made.error("--sizes are from 1 to 9999")
    if not 1 <= min(regions) <= max(regions) <= len(fleet.REGIONS):
        made.error(f"--regions is from 1 to {len(fleet.REGIONS)}")
    names = _named(made, "variant", parsed.variants, VARIANTS)
    durations = _named(made, "durations", parsed.durations, (FIXED, HEAVY_TAILED))
    operations = _named(made, "operation", parsed.operations, OPERATIONS)
    unable = [name for name in names if not VARIANTS[name].any_operation]
    if unable == names and operations != [ROTATE_TOKEN]:
        made.error(f"the variants {', '.join(unable)} can do nothing but {ROTATE_TOKEN}")
    cases = _named(made, "case", parsed.cases, (FLEET, *CASES))
    if not 1 <= parsed.fault_groups <= 9999:
        made.error("--fault-groups is from 1 to 9999")
    least = min(parsed.modify_seconds, parsed.latency, parsed.soak)
    if min(parsed.poll_seconds, parsed.time_limit, parsed.neighbour_timeout) <= 0 or least < 0:
        made.error("times are above zero")
    settings = Settings(**{field.name: getattr(parsed, field.name) for field in dataclasses.fields(Settings)})
    try:
        Timing(**settings.timing(HEAVY_TAILED))  # type: ignore[arg-type]  # floats, and the seed
    except ValueError as error:
        made.error(str(error))
    scenarios = [
        Scenario(operation, kind, number) for operation in operations for kind in durations for number in regions
    ]
    scenarios = [*scenarios * (FLEET in cases), *(CASES[name].scenario for name in cases if name != FLEET)]
    before: Sequence[Figures] = ()
    if parsed.before is not None:
        try:
            before = read_figures(json.loads(parsed.before.read_text("utf-8")))
        except (OSError, ValueError, TypeError, KeyError) as error:
            made.error(f"--before {parsed.before} can't be read: {type(error).__name__}: {error}")
    return Request(settings, sizes, names, scenarios, parsed.json, before)


def _named(made: argparse.ArgumentParser, what: str, given: str, known: Iterable[str]) -> list[str]:
    names = list(dict.fromkeys(given.split(",")))
    unknown = [name for name in names if name not in known]
    if unknown:
        made.error(f"no {what} {', '.join(unknown)}; there are: {', '.join(known)}")
    return names


def measure_scenario(scenario: Scenario, asked: Request) -> Iterator[Outcome]:
    """Measure all variants that were asked for and can do it; in a case where something goes wrong variant a alone."""
    if scenario.case != FLEET:
        number = NEIGHBOUR_GROUPS if scenario.case == NEIGHBOUR else asked.settings.fault_groups
        yield run_once(VARIANTS["a"], number, asked.settings, scenario)
        return
    for name in asked.variants:
        if scenario.operation == ROTATE_TOKEN or VARIANTS[name].any_operation:
            yield from measure(VARIANTS[name], asked.sizes, asked.settings, scenario)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    asked = parse(arguments)
    settings = asked.settings
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    machine = _machine()
    console.print(
        f"{machine['system']}, {machine['cpus']} CPUs, Python {machine['python']}, load {machine['load_average'][0]}. "
        f"A change takes {settings.modify_seconds:g} s ({HEAVY_TAILED}: the median of a log-normal distribution, "
        f"sigma {settings.modify_sigma:g}, at most {settings.modify_max_seconds:g} s), "
        f"a call {settings.latency * 1000:g} ms and more; "
        f"throttled {fleet.THROTTLE}, at rates that for ElastiCache are made up. Light data plane, two nodes a group."
    )
    outcomes: list[Outcome] = []
    try:
        for scenario in asked.scenarios:
            for outcome in measure_scenario(scenario, asked):
                console.print(_told(outcome))
                outcomes.append(outcome)
    except KeyboardInterrupt:
        return _INTERRUPTED
    reached = targets(outcomes, asked.before)
    titles = {one.name: one.title for one in VARIANTS.values()}
    for scenario in dict.fromkeys(one.scenario for one in outcomes):
        inside = [one for one in outcomes if one.scenario == scenario]
        console.print(figures_table(scenario, inside, titles, MEMORY_IS))
        if any(isinstance(one, Figures) for one in inside):
            console.print(calls_table(inside))
    if reached:
        console.print(targets_table(reached))
    if asked.file:
        asked.file.write_text(json.dumps(report(outcomes, reached, settings, machine), indent=2) + "\n", "utf-8")
    bad = any(isinstance(one, Failure) for one in outcomes) or any(one.met is False for one in reached)
    return _MISSED if bad else 0


if __name__ == "__main__":
    interrupts.raise_once()  # what was started is ended first
    status = main()
    interrupts.ignore()
    sys.exit(status)
