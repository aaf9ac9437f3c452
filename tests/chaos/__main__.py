# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Every operation under every condition, killed at every point: a table, and what did not go as promised."""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import multiprocessing.util
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from typing import NoReturn

import interrupts
from conftest import Emulator, start_emulator, without_system_authorities
from rich.console import Console
from rich.markup import escape

from chaos.conditions import CONDITIONS, Condition, named
from chaos.operations import OPERATIONS, Operation
from chaos.report import rows, table, violations
from chaos.trial import KillPoint, Trial, attempt, every, kill_points, sample

_BROKEN, _INTERRUPTED, _TERMINATED = 1, 130, 143
_WIDTH = 130


@dataclass
class _Underway:
    """What a worker's handler asks: whether a trial is under way; and what it tells: that the worker is to end."""

    under_way: bool = False
    terminated: bool = False


#: A worker's: its emulator, and what lasts as long as it does.
_emulators: list[Emulator] = []
_idle = contextlib.ExitStack()
_trial = _Underway()


@dataclass(frozen=True)
class Job:
    """A trial to be made, by names: an operation's functions don't go from one process to another."""

    operation: str
    condition: Condition
    point: KillPoint | None = None


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="chaos",
        description="Kill every operation before and after each call that changes something, and run it again.",
        epilog="exit status: 0 as promised, 1 not as promised, 2 a wrong argument, 130 interrupted",
    )
    made.add_argument("--operations", default=",".join(OPERATIONS), help="some of: %(default)s")
    made.add_argument("--conditions", default=",".join(CONDITIONS), help="some of: %(default)s")
    made.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="trials at a time, each with an emulator (%(default)s)"
    )
    made.add_argument(
        "--every", type=int, default=1, metavar="K", help="only every K-th kill point (default: all of them)"
    )
    made.add_argument(
        "--points", default="", help="only these: before-3,after-3 and so on; none is a run that is not killed"
    )
    made.add_argument(
        "--sample",
        type=int,
        default=0,
        metavar="N",
        help="only N kill points of each operation, others under each condition, and no run that is not killed",
    )
    return made


def _start() -> None:
    """In a worker: an emulator of its own, which ends with it.

    An interrupt ends the trial that is under way, once. An idle worker stays: its end would make the pool terminate the
    others. One that is terminated ends, after the trial that is under way was ended, so that nothing of that is left.
    """
    interrupts.raise_once()
    _idle.enter_context(interrupts.deferred())
    signal.signal(signal.SIGTERM, _terminate)
    without_system_authorities()
    _emulators.append(start_emulator("--data-plane", "light", "--create-seconds", "0.05"))
    multiprocessing.util.Finalize(None, _emulators[0].close, exitpriority=0)  # a worker does not come to atexit


def _terminate(*_signal: object) -> None:
    """A worker's handler."""
    if not _trial.under_way:
        _leave()
    _trial.terminated = True
    interrupts.heed()


def _leave() -> NoReturn:
    """End a worker; the pool would take an exception for a trial's outcome."""
    interrupts.ignore()
    for one in _emulators:
        one.close()
    os._exit(_TERMINATED)


def _work(job: Job) -> Trial:
    """In a worker: make a trial. One that could not be made is one that did not arrive."""
    if interrupts.seen():
        raise KeyboardInterrupt  # a job that was already given to this worker
    _trial.under_way = True
    try:
        with interrupts.deferred(on=False):
            return attempt(_emulators[0], OPERATIONS[job.operation], job.condition, job.point)
    except KeyboardInterrupt:
        raise
    except BaseException:  # pytest's own outcomes, which the scenes raise, are no Exceptions
        why = f"the trial itself broke:\n{traceback.format_exc()}"
        return Trial(job.operation, job.condition.name, job.point, True, False, 0, 0, None, (), (), 0.0, (why,))
    finally:
        _trial.under_way = False
        if _trial.terminated:
            _leave()


def first_jobs(
    operations: Sequence[Operation],
    conditions: Sequence[Condition],
    sampled: int,
    points: Sequence[KillPoint | None] = (),
) -> list[Job]:
    """What to begin with: a run of each operation under each condition that isn't killed, or some kill points."""
    if points:
        return [
            Job(operation.name, condition, point)
            for condition in conditions
            for operation in operations
            for point in points
        ]
    if not sampled:
        return [Job(operation.name, condition) for condition in conditions for operation in operations]
    return [
        Job(operation.name, condition, point)
        for turn, condition in enumerate(conditions)
        for operation in operations
        for point in sample(kill_points(operation.calls * (1 + len(condition.more_groups))), sampled, turn)
    ]


def trials(first: Sequence[Job], workers: int, step: int) -> Iterator[Trial]:
    """Make all of them, as many at a time as there are workers.

    Where an operation can be killed under a condition is what its first run, which isn't killed, shows. ``step``: only
    every so many of those points, none with 0.
    """
    with ProcessPoolExecutor(workers, initializer=_start) as pool:
        waiting: dict[Future[Trial], Job] = {pool.submit(_work, job): job for job in first}
        try:
            while waiting:
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    job, trial = waiting.pop(future), future.result()
                    if job.point is None and step:
                        points = every(kill_points(len(trial.calls)), step)
                        more = [Job(job.operation, job.condition, point) for point in points]
                        waiting |= {pool.submit(_work, one): one for one in more}
                    yield trial
        except BaseException:  # GeneratorExit, where the interrupt came between two trials
            _interrupt_workers()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _interrupt_workers() -> None:
    """Interrupt them as Ctrl-C does, which reaches them too; twice is not worse than once."""
    for worker in multiprocessing.active_children():
        if worker.pid is not None:
            os.kill(worker.pid, signal.SIGINT)


def main() -> int:
    """Run the command line; returns the exit status."""
    interrupts.raise_once()
    parsed = parser().parse_args()
    names = [name for name in parsed.operations.split(",") if name]
    unknown = [name for name in names if name not in OPERATIONS]
    if unknown or not names or parsed.workers < 1 or parsed.every < 1 or parsed.sample < 0:
        parser().error(f"no operation {', '.join(unknown)}" if unknown else "nothing to do")
    try:
        conditions = named(parsed.conditions.split(","))
        points = [None if name == "none" else KillPoint.named(name) for name in parsed.points.split(",") if name]
    except ValueError as error:
        parser().error(str(error))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    begun, done = time.monotonic(), []
    try:
        first = first_jobs([OPERATIONS[name] for name in names], conditions, parsed.sample, points)
        for trial in trials(first, parsed.workers, 0 if points else parsed.every):
            done.append(trial)
            where = f"killed {trial.point}" if trial.point else f"not killed, {len(trial.calls)} calls"
            how = "[bold red]not as promised[/]" if trial.problems else "arrived" if trial.reached else "not reached"
            console.print(f"{trial.operation}, {trial.condition}, {where}: {how} ({trial.seconds:.1f} s)")
    except KeyboardInterrupt:
        return _INTERRUPTED
    order = {name: index for index, name in enumerate(names)}
    done.sort(key=lambda trial: (order[trial.operation], [one.name for one in conditions].index(trial.condition)))
    found = rows(done)
    console.print(table(found, time.monotonic() - begun))
    broken = violations(done)
    for one in broken:
        console.print(escape(one), style="red")
    return 0 if all(row.clean for row in found) and not broken else _BROKEN


if __name__ == "__main__":
    status = main()
    interrupts.ignore()
    sys.exit(status)
