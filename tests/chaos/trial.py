# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""One trial: an operation under a condition, killed at one point, and run again to its end."""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from integration.scenes import A, create

from chaos.clients import Clients, live
from chaos.command import Command, ansible_environment, none_is_left, playbook_arguments, started
from chaos.conditions import Condition
from chaos.judge import Failure, Kill, exposure_seconds, failures_that_count, lost_tokens
from chaos.operations import FAILED_GROUP, GROUP, NEIGHBOUR, Operation, World, store_token
from chaos.store import read_store, secret_name

if TYPE_CHECKING:
    from conftest import Emulator

#: A command that is still running then hangs.
_COMMAND_SECONDS = 300.0
_AFTERWARDS = 0.3
#: No changing call may be made later than so many seconds after ansible-playbook has gone; by then its modules have
#: ended, but for a call that stands still.
OWNERLESS_SECONDS = 5.0
_END_SECONDS = 60.0
#: For so long a run waits for a change, seconds: none of those that end takes as long.
_WAIT_TIMEOUT = 120
#: The same beside a neighbour whose change does not end. It must be enough for the others, on a busy machine too.
_NEIGHBOUR_TIMEOUT = 20
MODIFY = "ModifyReplicationGroup"
#: Runs a command in a folder, with an environment; nothing of it runs any more at the end.
Start = Callable[[Sequence[str], Path, Mapping[str, str]], contextlib.AbstractContextManager[Command]]
_SHOWN_OUTPUT = 3000
_SHOWN_FAILURES = 3


@dataclass(frozen=True, order=True)
class KillPoint:
    """Right before or right after the ``number``-th call that changes something (from 1) is carried out."""

    number: int
    when: str

    def __str__(self) -> str:
        return f"{self.when} call {self.number}"

    @property
    def name(self) -> str:
        """How the command line calls it."""
        return f"{self.when}-{self.number}"

    @staticmethod
    def named(name: str) -> KillPoint:
        """The one that the command line calls so. Raises ValueError."""
        when, dummy, number = name.partition("-")
        if when not in ("before", "after") or not number.isdecimal() or int(number) < 1:
            raise ValueError(f"no kill point {name}; there are: before-1, after-1, before-2, and so on")
        return KillPoint(int(number), when)

    @property
    def seed(self) -> int:
        """Another one for each point."""
        return 2 * self.number + (self.when == "after")


@dataclass(frozen=True)
class Trial:
    """What came of it. ``point`` is None where nothing was killed; ``reached``: whether it came to be killed.

    ``calls``: those that changed something, in order, of all runs together, without the neighbour's. ``exposure``:
    seconds, of the group where it was longest; None where the operation begins or ends open. ``problems`` say what did
    not go as promised, without any token.
    """

    operation: str
    condition: str
    point: KillPoint | None
    reached: bool
    arrived: bool
    client_failures: int
    tokens_lost: int
    exposure: float | None
    calls: tuple[str, ...]
    served: tuple[int, ...]
    seconds: float
    problems: tuple[str, ...]


def kill_points(calls: int) -> list[KillPoint]:
    """Before and after each of so many calls."""
    return [KillPoint(number, when) for number in range(1, calls + 1) for when in ("before", "after")]


def every(points: Sequence[KillPoint], step: int) -> list[KillPoint]:
    """Every ``step``-th of all kill points, before and after calls in turn."""
    return [points[index - index % 2 + turn % 2] for turn, index in enumerate(range(0, len(points), step))]


def sample(points: Sequence[KillPoint], number: int, turn: int) -> list[KillPoint]:
    """So many of all kill points, others in every ``turn``: over many of them each point is met, before and after."""
    count = min(number, len(points))
    return [points[(7 * turn + index * len(points) // count) % len(points)] for index in range(count)]


def spread(points: Sequence[KillPoint], number: int) -> list[KillPoint]:
    """So many of all kill points, after and before calls in turn, far from each other and always the same."""
    calls = len(points) // 2
    count = min(number, calls)
    return [points[(2 * turn + 1) * calls // (2 * count) * 2 + (turn + 1) % 2] for turn in range(count)]


class _Run:
    """A trial under way."""

    def __init__(
        self,
        emulator: Emulator,
        operation: Operation,
        condition: Condition,
        point: KillPoint | None,
        folder: Path,
        start: Start,
    ) -> None:
        self.emulator = emulator
        self.operation = operation
        self.condition = condition
        self.point = point
        self.folder = folder
        self.start = start
        self.problems: list[str] = []
        self.must_arrive = (GROUP, *condition.more_groups)
        self.scenes = (*self.must_arrive, *([NEIGHBOUR] if condition.neighbour else []))
        self.is_held = condition.neighbour

    def prepare(self) -> None:
        """An empty emulator, the scene of each group, and then the weather."""
        emulator, condition = self.emulator, self.condition
        emulator.reset()
        emulator.settings(modify_seconds=0.05, create_seconds=0.05)
        for group in self.scenes:
            self.operation.prepare(emulator, group)
        if condition.failed_group:
            store_token(emulator, FAILED_GROUP, A)  # all that it lacks is a group in order
            emulator.faults({"kind": "create-failed"})
            create(emulator, FAILED_GROUP, wait=False)
            emulator.wait_until(FAILED_GROUP, lambda truth: truth["status"] == "create-failed")
            emulator.clear_faults()
        if condition.neighbour:
            emulator.hold(NEIGHBOUR, MODIFY)
        emulator.settings(
            modify_seconds=condition.modify_seconds,
            modify_sigma=condition.modify_sigma,
            modify_max_seconds=condition.modify_max_seconds,
            modify_seed=self.point.seed if self.point else 0,
        )
        if condition.variants:
            emulator.variants(condition.variants)

    def faults(self, *more: dict[str, Any]) -> None:
        """The condition's faults, from their beginning, and further ones."""
        self.emulator.clear_faults()
        if every := (*more, *self.condition.faults):
            self.emulator.faults(*every)

    def arguments(self) -> list[str]:
        """The command, which is the same however often it is given. The groups that hold up others are the first."""
        assert self.emulator.ca_bundle is not None
        held_up = self.condition.neighbour
        groups = (*reversed(self.scenes), *([FAILED_GROUP] if self.condition.failed_group else []))
        timeout = _NEIGHBOUR_TIMEOUT if held_up else _WAIT_TIMEOUT
        variables = self.operation.variables(World(groups, self.emulator.ca_bundle, timeout))
        playbook: str | Path
        if isinstance(self.operation.playbook, str):
            playbook = self.operation.playbook
        else:
            playbook = self.folder / "playbook.yml"
            playbook.write_text(yaml.safe_dump(list(self.operation.playbook)), encoding="utf-8")
        return playbook_arguments(playbook, variables, self.folder)

    def killed(self, point: KillPoint) -> dict[str, Kill] | None:
        """Give the command and kill it at that point; None where it came to its end before.

        Beside a neighbour its calls don't count: they come at any time.
        """
        whose = {"id": f"*{GROUP}*"} if self.condition.neighbour else {}
        self.faults({"kind": "halt", "mutating": True, "nth": point.number, "when": point.when, **whose})
        with self.start(self.arguments(), self.folder, ansible_environment(self.emulator, self.folder)) as command:
            deadline = time.monotonic() + _COMMAND_SECONDS
            while not self._struck():
                if command.returncode is not None:
                    self._judge(command.returncode, command)
                    return None
                if time.monotonic() > deadline:
                    self.problems.append(f"the first run came neither to {point} nor to an end: {tail(command)}")
                    return None
                time.sleep(0.02)
            if self.condition.controller is None:
                command.kill()
            else:
                self._end_controller(command, self.condition.controller)
        now = time.time()
        kills = {group: Kill(now, read_store(self.emulator, secret_name(group)), 0.0) for group in self.scenes}
        self.faults()
        return kills

    def _end_controller(self, command: Command, number: signal.Signals) -> None:
        """Send the signal to ansible-playbook's main process alone, and see that what it has started changes no more.

        The call that stands still does so until all others would be too late.
        """
        gone_at = command.end_controller(number)
        time.sleep(max(gone_at + OWNERLESS_SECONDS - time.time(), 0.0))
        self.faults()
        if not none_is_left(command.mark, _END_SECONDS):
            self.problems.append(f"something still runs {time.time() - gone_at:.0f} s after {number.name}")
        for call in self.emulator.calls(mutating="true", since=gone_at + OWNERLESS_SECONDS):
            late = float(call["time"]) - gone_at
            self.problems.append(f"{call['action']} was called {late:.1f} s after {number.name}, with nobody to tell")

    def _struck(self) -> bool:
        return any(fault["struck"] for fault in self.emulator.faults() if fault["kind"] == "halt")

    def to_the_end(self) -> None:
        """Give the command and wait for its end."""
        with self.start(self.arguments(), self.folder, ansible_environment(self.emulator, self.folder)) as command:
            status = command.wait(_COMMAND_SECONDS)
            if status is None:
                self.problems.append(f"it did not end within {_COMMAND_SECONDS:.0f} seconds: {tail(command)}")
            else:
                self._judge(status, command)

    def _judge(self, status: int, command: Command) -> None:
        if self.condition.failed_group:
            # The batch has failed then, and says of which group.
            if status == 0 or FAILED_GROUP not in command.output:
                self.problems.append(f"it does not say that {FAILED_GROUP} failed: {tail(command)}")
        elif self.is_held:
            told = [line for line in command.output.splitlines() if f"{NEIGHBOUR}: not done after" in line]
            if status == 0 or not told:
                self.problems.append(f"it does not say that {NEIGHBOUR} is not done: {tail(command)}")
        elif status:
            self.problems.append(f"it failed with status {status}: {tail(command)}")

    def beside_the_neighbour(self) -> list[str]:
        """Give the command once more, with the neighbour's change held until its end, and then again.

        Returns what is not as it must be of the group beside it: it arrives in its own time, and is left alone then.
        """
        emulator, began = self.emulator, time.time()
        self.to_the_end()
        if not emulator.held(NEIGHBOUR):
            self.problems.append(f"the change of {NEIGHBOUR} was not under way: nothing was shown")
        wrong = self.not_arrived(GROUP)
        given_up = self._waited_since(began) + _NEIGHBOUR_TIMEOUT
        late = [call for call in self.calls_about(GROUP, began) if call["time"] > given_up]
        if late and self.operation.in_one_go:
            first = f"{late[0]['action']} {late[0]['time'] - given_up:.1f} s after {NEIGHBOUR} was given up"
            wrong.append(f"it was held up by {NEIGHBOUR}: {first}")
        arrived = time.time()
        emulator.release(NEIGHBOUR)
        self.is_held = False
        emulator.wait_available(NEIGHBOUR)
        self.to_the_end()
        self.problems += self.not_arrived(NEIGHBOUR)
        if again := [call["action"] for call in self.calls_about(GROUP, arrived) if call["action"] == MODIFY]:
            wrong.append(f"it was changed again after it had arrived: {', '.join(again)}")
        return wrong

    def _waited_since(self, began: float) -> float:
        """When the run that ``began`` then can have begun to wait for the neighbour, at the earliest (Unix seconds)."""
        looks = self.emulator.calls(action="DescribeReplicationGroups", since=began)
        changes = self.emulator.calls(action=MODIFY, id=NEIGHBOUR)
        times = [float(call["time"]) for call in (*looks[:1], *changes[-1:])]
        return max(times, default=began)

    def calls_about(self, group: str, since: float) -> list[dict[str, Any]]:
        """The calls that changed something of the group, its secret, or a user or user group made for it."""
        return [call for call in self.emulator.calls(mutating="true", since=since) if group in str(call["id"])]

    def not_arrived(self, group: str) -> list[str]:
        """What is not as it must be at the end, of a group on which nothing is under way."""
        truth, store = self.emulator.wait_available(group), read_store(self.emulator, secret_name(group))
        return [f"{group}: {why}" for why in self.operation.arrived(truth, store)]

    def until_the_store_changed(self, group: str, since: float) -> float:
        """When somebody called the store next to change the group's secret (Unix seconds)."""
        calls = self.emulator.calls(mutating="true", service="secretsmanager", since=since)
        theirs = (float(call["time"]) for call in calls if secret_name(group) in str(call["id"]))
        return min(theirs, default=time.time())


def tail(command: Command) -> str:
    """The end of what a command printed."""
    return command.output[-_SHOWN_OUTPUT:].strip()


def attempt(
    emulator: Emulator,
    operation: Operation,
    condition: Condition,
    point: KillPoint | None = None,
    start: Start = started,
) -> Trial:
    """Make a trial on an emulator, which is emptied before. ``start`` runs the command: by default as a user does."""
    folder = Path(tempfile.mkdtemp(prefix="elasticache-auth-chaos_"))
    try:
        return _attempt(_Run(emulator, operation, condition, point, folder, start))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _attempt(run: _Run) -> Trial:
    emulator, operation, point = run.emulator, run.operation, run.point
    begun = time.monotonic()
    run.prepare()
    stays = operation.previous
    kills: Mapping[str, Kill] = {}
    wrong: list[str] = []
    with contextlib.ExitStack() as stack:
        clients: dict[str, Clients] = {}
        for group in run.scenes:
            started_now = live(
                emulator,
                group,
                stays.token if stays else None,
                previous_tls=stays.tls if stays else None,
                account=operation.account,
            )
            clients[group] = stack.enter_context(started_now)
        for theirs in clients.values():
            theirs.wait_served()
        began = time.time()
        if point is not None:
            kills = run.killed(point) or {}
        else:
            run.faults()
        reached = point is None or bool(kills)
        if reached and run.condition.neighbour:
            wrong += run.beside_the_neighbour()
        elif reached:
            run.to_the_end()
        ended = time.time()
        time.sleep(_AFTERWARDS)
    emulator.clear_faults()
    emulator.release()
    not_arrived = [*wrong, *(why for group in run.must_arrive for why in run.not_arrived(group))] if reached else []
    failed = bool(run.problems)
    failures: list[str] = []
    lost: list[str] = []
    exposures: dict[str, float | None] = {}
    for group in run.scenes:
        history, store = emulator.group(group)["history"], read_store(emulator, secret_name(group))
        failures += [f"{group}: {failure}" for failure in _client_failures(clients[group], operation, history)]
        if reached:
            its = [
                Kill(kill.time, kill.store, run.until_the_store_changed(whose, kill.time))
                for whose, kill in kills.items()
                if whose == group
            ]
            lost += [f"{group}: {why}" for why in lost_tokens(history, store, its, operation.given).values()]
        exposures[group] = exposure_seconds(history, began, ended)
    problems = [*not_arrived, *run.problems, *failures[:_SHOWN_FAILURES]]
    problems += [f"a token in force is unknown to the store: {why}" for why in lost]
    problems += [
        f"{group}: {client.name} broke: {client.broken!r}"
        for group, theirs in clients.items()
        for client in theirs.all
        if client.broken
    ]
    if not operation.exposure:
        problems += [f"{group}: anyone was accepted for {time:.1f} s" for group, time in exposures.items() if time]
    calls = [call for call in emulator.calls(mutating="true", since=began) if NEIGHBOUR not in str(call["id"])]
    return Trial(
        operation=operation.name,
        condition=run.condition.name,
        point=point,
        reached=reached,
        arrived=reached and not not_arrived and not failed,
        client_failures=len(failures),
        tokens_lost=len(lost),
        exposure=max((one for group in run.must_arrive if (one := exposures[group]) is not None), default=None),
        calls=tuple(f"{call['service']}:{call['action']}" for call in calls),
        served=tuple(client.served for theirs in clients.values() for client in theirs.all),
        seconds=time.monotonic() - begun,
        problems=tuple(problems),
    )


def _client_failures(clients: Clients, operation: Operation, history: list[dict[str, Any]]) -> list[Failure]:
    failures = failures_that_count(clients.current.failures, history)
    if clients.previous is not None and operation.previous is not None:
        failures += failures_that_count(clients.previous.failures, history, operation.previous.over)
    return failures
