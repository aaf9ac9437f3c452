# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""One run of the operation on the group: its script, with the model as its services; and how it ended."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock

from ansible_collections.elasticache.auth.plugins.module_utils import _fan_out
from ansible_collections.elasticache.auth.plugins.module_utils._core import record
from ansible_collections.elasticache.auth.plugins.module_utils._core.operations import CUTOVERS, Operation, Phase, Step
from ansible_collections.elasticache.auth.plugins.module_utils._data_plane import probe
from ansible_collections.elasticache.auth.plugins.module_utils._operation.group_plan import Planned
from ansible_collections.elasticache.auth.plugins.module_utils._operation.group_run import GroupRun
from ansible_collections.elasticache.auth.plugins.module_utils._operation.planning import check_request, plan_groups
from ansible_collections.elasticache.auth.plugins.module_utils._operation.progress import ProgressSink
from ansible_collections.elasticache.auth.plugins.module_utils._operation.request import Cutover
from ansible_collections.elasticache.auth.plugins.module_utils._operation.script import Services, run_group

from .model_aws import Aws, NodeExchange, SimulatedClients
from .promises import OURS, Watch
from .scenes import GROUP, By, Scene
from .virtual_time import virtual_time

#: How often the module is called again after a client cutover that tasks make.
_MAX_CALLS = 6
#: What the clients do between the phases begin and finish, where that is not to take what AWSCURRENT says.
_BETWEEN_PHASES = {
    Operation.ENABLE_TLS: Step.CLIENT_CUTOVER_TLS,
    Operation.MIGRATE_AUTH_TO_RBAC: Step.CLIENT_CUTOVER_USERS,
}


class Killed(BaseException):
    """The process of the run is gone."""


@dataclass
class Run:
    """How a run went. ``killed``: it ended with its process; otherwise ``group`` is what the last call returned.

    ``calls``, ``changing``: how many the model was asked for. ``surprise``: an exception that should not come out.
    """

    killed: bool = False
    group: GroupRun | None = None
    groups: list[GroupRun] = field(default_factory=list)
    error: str = ""
    steps: tuple[str, ...] = ()
    calls: int = 0
    changing: int = 0
    surprise: str = ""

    @property
    def failed(self) -> bool:
        """Whether the run says that it failed, or says nothing any more."""
        return self.killed or bool(self.error)

    @property
    def certain(self) -> bool:
        """Whether the run knew in the end what the group accepts."""
        return self.group is None or self.group.seen is None or self.group.seen.belief.certain is not None

    def told(self) -> str:
        """Return all that the run tells, as text."""
        outcomes = [group.outcome() for group in self.groups]
        return json.dumps([outcomes, [group.warnings for group in self.groups], self.error], default=str)


class _Steps(ProgressSink):
    """Hears of the steps, and moves the clients when their time is over."""

    def __init__(self, watch: Watch, trace: Callable[[str], None]) -> None:
        self._watch, self._trace, self.began = watch, trace, list[str]()
        self._cutover: Step | None = None

    def begins(self, region: int, key: str, step: str, left: int) -> None:
        self.passed()
        self.began.append(step)
        self._trace(f"step {step}")
        self._cutover = Step(step) if Step(step) in CUTOVERS else None

    def passed(self) -> None:
        """Hear that the step under way has come to its end."""
        if self._cutover:
            self._watch.cut_over(self._cutover)
        self._cutover = None


class _OneAfterTheOther:
    """In place of a pool of threads: what is given to it is done at once, so that a seed has one order of calls."""

    def __init__(self, max_workers: int | None = None) -> None:
        pass

    def __enter__(self) -> _OneAfterTheOther:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def map(self, work: Callable[[Any], Any], keys: Any) -> Iterator[Any]:
        return map(work, keys)


def _cheap_fingerprint(token: str, salt: bytes) -> bytes:
    import hashlib

    return hashlib.blake2s(token.encode(), salt=salt.ljust(8, b"\0"), digest_size=16).digest()


@contextlib.contextmanager
def simulated() -> Iterator[None]:
    """Have the product run without threads, without waiting, and without the 40 ms that a fingerprint takes."""
    with (
        virtual_time(),
        mock.patch.object(_fan_out, "ThreadPoolExecutor", _OneAfterTheOther),
        mock.patch.object(record, "_fingerprint", _cheap_fingerprint),
    ):
        yield


def run(
    aws: Aws,
    scene: Scene,
    watch: Watch,
    trace: Callable[[str], None] = lambda words: None,
    stoppable: Callable[[Callable[[], None]], None] = lambda stop: None,
) -> Run:
    """Run the operation as its role does, to its end or to the run's, and return how that went.

    ``stoppable`` is told what interrupts the run.
    """
    done = Run()
    begun, begun_changing = aws.calls, aws.changing_calls
    steps = _Steps(watch, trace)
    with aws.acting(OURS), mock.patch.object(probe, "Exchange", functools.partial(NodeExchange, aws)):
        clients = SimulatedClients(aws)
        stoppable(clients.stop)
        try:
            _run(clients, scene, steps, done, watch)
        except Killed:
            done.killed = True
        except Exception as error:  # whatever comes out is to be told of, not to end the simulation
            done.surprise = f"{type(error).__name__}: {error}"
    done.steps = tuple(steps.began)
    done.calls, done.changing = aws.calls - begun, aws.changing_calls - begun_changing
    if done.groups:
        done.group = done.groups[-1]
        done.error = done.group.error
    return done


def _run(clients: SimulatedClients, scene: Scene, steps: _Steps, done: Run, watch: Watch) -> None:
    """Call the module as the role does: once, once a phase, or anew after each client cutover that tasks make."""
    check_request(scene.request(), scene.params, [GROUP])
    phases = [Phase.BEGIN, Phase.FINISH] if scene.cutover is By.PHASES else [Phase.ALL]
    cutovers: dict[str, Cutover] = {}
    for phase in phases:
        for _call in range(_MAX_CALLS):
            group = run_group(_services(clients, scene, steps, phase, cutovers), GROUP)
            done.groups.append(group)
            if group.error:
                return
            steps.passed()
            if group.cutover is None:
                break
            watch.cut_over(group.cutover)
            cutovers = {GROUP: Cutover(group.cutover, group.kept.current)}
        if phase is Phase.BEGIN:
            watch.cut_over(_BETWEEN_PHASES.get(scene.operation, Step.CLIENT_CUTOVER))


def _services(
    clients: SimulatedClients, scene: Scene, steps: _Steps, phase: Phase, cutovers: Mapping[str, Cutover]
) -> Services:
    request, params = replace(scene.request(phase), cutovers=cutovers), scene.params
    waiting = replace(request, inquiry=replace(request.inquiry, wait=False))

    def plan(key: str, first: bool) -> Planned:
        (planned,) = plan_groups(clients, waiting, params, [key], hide=lambda token: None)
        return planned

    return Services(
        clients=clients,
        request=request,
        params=params,
        ids=(GROUP,),
        plan=plan,
        count=lambda members, first, period, within: dict.fromkeys(members, 0),
        hide=lambda token: None,
        progress=steps,
        region=0,
        begun=clients.clock.now,
    )
