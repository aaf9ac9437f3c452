# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""One trial: a journey under a condition, killed at one point, and run again to its end."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from integration.scenes import A, create

from chaos.clients import Clients, live
from chaos.command import Command, ansible_environment, none_is_left, playbook_arguments, started
from chaos.conditions import Condition
from chaos.journeys import FAILED_GROUP, GROUP, Journey, World, store_token
from chaos.judge import Failure, Kill, exposure_seconds, failures_that_count, lost_tokens
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
_SHOWN_OUTPUT = 3000
_SHOWN_FAILURES = 3


@dataclass(frozen=True, order=True)
class KillPoint:
    """Right before or right after the ``number``-th call that changes something (from 1) is carried out."""

    number: int
    when: str

    def __str__(self) -> str:
        return f"{self.when} call {self.number}"


@dataclass(frozen=True)
class Trial:
    """What came of it. ``point`` is None where nothing was killed; ``reached``: whether it came to be killed.

    ``calls``: those that changed something, in order, of all runs together. ``exposure``: seconds, None where the
    journey begins or ends open. ``problems`` say what did not go as promised, without any token.
    """

    journey: str
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

    def __init__(self, emulator: Emulator, journey: Journey, condition: Condition, folder: Path) -> None:
        self.emulator = emulator
        self.journey = journey
        self.condition = condition
        self.folder = folder
        self.problems: list[str] = []

    def prepare(self) -> None:
        """An empty emulator, the scene, and then the weather."""
        emulator = self.emulator
        emulator.reset()
        emulator.settings(modify_seconds=0.05, create_seconds=0.05)
        self.journey.prepare(emulator, GROUP)
        if self.condition.failed_group:
            store_token(emulator, FAILED_GROUP, A)  # all that it lacks is a group in order
            emulator.faults({"kind": "create-failed"})
            create(emulator, FAILED_GROUP, wait=False)
            emulator.wait_until(FAILED_GROUP, lambda truth: truth["status"] == "create-failed")
            emulator.clear_faults()
        emulator.settings(modify_seconds=self.condition.modify_seconds)
        if self.condition.variants:
            emulator.variants(self.condition.variants)

    def faults(self, *more: dict[str, Any]) -> None:
        """The condition's faults, from their beginning, and further ones."""
        self.emulator.clear_faults()
        if every := (*more, *self.condition.faults):
            self.emulator.faults(*every)

    def arguments(self) -> list[str]:
        """The command, which is the same however often it is given."""
        groups = (GROUP, FAILED_GROUP) if self.condition.failed_group else (GROUP,)
        assert self.emulator.ca_bundle is not None
        variables = self.journey.variables(World(groups, self.emulator.ca_bundle))
        playbook: str | Path
        if isinstance(self.journey.playbook, str):
            playbook = self.journey.playbook
        else:
            playbook = self.folder / "playbook.yml"
            playbook.write_text(yaml.safe_dump(list(self.journey.playbook)), encoding="utf-8")
        return playbook_arguments(playbook, variables, self.folder)

    def killed(self, point: KillPoint) -> Kill | None:
        """Give the command and kill it at that point; None where it came to its end before."""
        self.faults({"kind": "halt", "mutating": True, "nth": point.number, "when": point.when})
        with started(self.arguments(), self.folder, ansible_environment(self.emulator, self.folder)) as command:
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
        kill = Kill(time.time(), read_store(self.emulator, secret_name(GROUP)), 0.0)
        self.faults()
        return kill

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
        with started(self.arguments(), self.folder, ansible_environment(self.emulator, self.folder)) as command:
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
        elif status:
            self.problems.append(f"it failed with status {status}: {tail(command)}")

    def until_the_store_changed(self, since: float) -> float:
        """When somebody called the store next to change it (Unix seconds)."""
        calls = self.emulator.calls(mutating="true", service="secretsmanager", since=since)
        return min((float(call["time"]) for call in calls), default=time.time())


def tail(command: Command) -> str:
    """The end of what a command printed."""
    return command.output[-_SHOWN_OUTPUT:].strip()


def attempt(emulator: Emulator, journey: Journey, condition: Condition, point: KillPoint | None = None) -> Trial:
    """Make a trial on an emulator, which is emptied before."""
    folder = Path(tempfile.mkdtemp(prefix="elasticache-auth-chaos-"))
    try:
        return _attempt(_Run(emulator, journey, condition, folder), point)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _attempt(run: _Run, point: KillPoint | None) -> Trial:
    emulator, journey = run.emulator, run.journey
    begun = time.monotonic()
    run.prepare()
    stays = journey.previous
    kill = None
    with live(emulator, GROUP, stays.token if stays else None, previous_tls=stays.tls if stays else None) as clients:
        clients.wait_served()
        began = time.time()
        if point is not None:
            kill = run.killed(point)
        else:
            run.faults()
        if point is None or kill is not None:
            run.to_the_end()
        ended = time.time()
        time.sleep(_AFTERWARDS)
    emulator.clear_faults()
    truth, store = emulator.wait_available(GROUP), read_store(emulator, secret_name(GROUP))
    history = truth["history"]
    reached = point is None or kill is not None
    not_arrived = journey.arrived(truth, store) if reached else []
    failed = bool(run.problems)
    failures = _client_failures(clients, journey, history)
    lost = {}
    if kill is not None:
        kill = Kill(kill.time, kill.store, run.until_the_store_changed(kill.time))
    if reached:
        lost = lost_tokens(history, store, [kill] if kill else [], journey.given)
    exposure = exposure_seconds(history, began, ended)
    problems = [*not_arrived, *run.problems, *(str(failure) for failure in failures[:_SHOWN_FAILURES])]
    problems += [f"a token in force is unknown to the store: {why}" for why in lost.values()]
    problems += [f"{client.name} broke: {client.broken!r}" for client in clients.all if client.broken]
    if exposure and not journey.exposure:
        problems.append(f"anyone was let in for {exposure:.1f} s")
    calls = emulator.calls(mutating="true", since=began)
    return Trial(
        journey=journey.name,
        condition=run.condition.name,
        point=point,
        reached=reached,
        arrived=reached and not not_arrived and not failed,
        client_failures=len(failures),
        tokens_lost=len(lost),
        exposure=exposure,
        calls=tuple(f"{call['service']}:{call['action']}" for call in calls),
        served=tuple(client.served for client in clients.all),
        seconds=time.monotonic() - begun,
        problems=tuple(problems),
    )


def _client_failures(clients: Clients, journey: Journey, history: list[dict[str, Any]]) -> list[Failure]:
    failures = failures_that_count(clients.current.failures, history)
    if clients.previous is not None and journey.previous is not None:
        failures += failures_that_count(clients.previous.failures, history, journey.previous.over)
    return failures
