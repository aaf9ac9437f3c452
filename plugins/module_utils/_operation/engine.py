# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One operation on many groups, in one region or in many: a script for each group, side by side.

A thread a group, and no coroutine: nearly all that a script does is to wait, which threads do as well, and each step
stays the plain code that a module for one group runs, too. What keeps the groups apart is shared by region: one look
serves all who wait there, plans are made together, and a queue for each rate lets first what finishes a group.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from .._auth.common_errors import for_each, with_role
from .._auth.failures_monitor import Count, counting
from .._aws import modify, records, secrets
from .._aws.accounts import clients_of
from .._aws.clients import Clients
from .._aws.groups import Group, require_all
from .._aws.sweep import Sweep
from .._core.errors import AuthError
from .group_plan import Planned
from .group_run import GroupRun
from .loader import Loader
from .planning import plan_groups
from .progress import ProgressSink
from .request import Cutover, OperationRequest
from .script import Services, run_group

T = TypeVar("T")

#: Targets at once, and scripts at once of all of them, each in a thread; the others follow as these end. A group that
#: waits holds one, and no processor.
_TARGETS, _SCRIPTS = 8, 2000
#: What a thread's stack may grow to, bytes: the usual 8 MB of a thousand threads is more than some machines allow.
_STACK = 1024 * 1024
#: A record is written more often than a group is changed, and is a lighter call.
_TAGS_A_MODIFY = 2.0
#: Secrets Manager takes 50 calls a second of all actions together that change a secret ("AWS Secrets Manager quotas").
_SECRET_RATE = 40.0
_BUSY = "{}: a change is under way, which a plan alone does not wait for. Plan again once it has ended."
#: How soon an interrupt is heeded, seconds.
_SIGNALS = 0.5


@dataclass(frozen=True)
class Target:
    """Where groups are, and their ids. ``region``: ``None`` where there is none to be found. ``role``: its ARN.

    ``cutovers``: by group, the client cutovers that tasks have made since an earlier run stopped there.
    """

    ids: Sequence[str]
    region: str | None = None
    role: str | None = None
    cutovers: Mapping[str, Cutover] = field(default_factory=dict)

    def is_at(self, other: Target) -> bool:
        """Whether both are the same region and account, as far as one can tell without asking AWS."""
        return (self.region, self.role) == (other.region, other.role)

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.region, self.role)))


def run_here(
    module: Any, request: OperationRequest, target: Target, *, hide: Callable[[str], None], progress: ProgressSink
) -> list[GroupRun]:
    """Do what is left of the operation for each group in one region, and return how they fared, in order.

    In check mode, and with ``plan_only``, it is planned, and that is all. Raises :class:`AuthError` for what concerns
    no single group, before anything is changed.
    """
    progress.targets([len(target.ids)])
    clients = clients_of(module, region=target.region, role=target.role)
    region = _Region(clients, request, module.params, target, hide, progress, 0)
    region.prepare()
    groups = region.run()
    common = [group.common for group in groups if group.common and not group.changed]
    if common and len(common) == len(groups):
        raise common[0]
    return groups


def run_everywhere(
    module: Any,
    request: OperationRequest,
    targets: Sequence[Target],
    *,
    hide: Callable[[str], None],
    progress: ProgressSink,
) -> list[list[GroupRun]]:
    """Do what is left of the operation for the groups of all targets, and return how those of each fared, in order.

    What concerns a whole target is the error of each of its groups: it stops no other.
    """
    progress.targets([len(target.ids) for target in targets])
    regions: list[_Region] = []
    for number, target in enumerate(targets):
        # Calls to one region and account have one pace.
        same = next((region.clients.part() for region in regions if region.target.is_at(target)), None)
        clients = same or clients_of(module, region=target.region, role=target.role)
        params = {**module.params, "assume_role_arn": target.role, "continue_on_error": True}
        regions.append(_Region(clients, request, params, target, hide, progress, number, min(len(targets), _TARGETS)))
    # amazon.aws ends the module where there are no credentials at all. It does so here, before anything is begun.
    failed: dict[int, AuthError] = {}
    for number, region in enumerate(regions):
        try:
            region.prepare()
        except AuthError as error:
            failed[number] = error

    def go(number: int) -> list[GroupRun]:
        region = regions[number]
        failure = failed.get(number)

        def work() -> list[GroupRun]:
            if failure:
                raise failure
            try:
                return region.run()
            except AuthError:
                raise
            except Exception as error:
                # The other targets are reported all the same; the error's own words may hold anything.
                text = f"the module met an error that it does not know, {type(error).__name__}."
                raise AuthError(text) from None

        return for_each(region.params, region.target.ids, lambda key, error: GroupRun(key, error=error), work)

    def stop() -> None:
        for region in regions:
            region.clients.stop()

    return side_by_side([functools.partial(go, number) for number in range(len(regions))], stop, at_once=_TARGETS)


@dataclass(frozen=True)
class _Counted:
    """A group's question for how often its nodes refused clients."""

    members: tuple[str, ...]
    first: int
    period: int
    within: float


def _count(count: Count, asked: Sequence[_Counted]) -> dict[_Counted, Mapping[str, int]]:
    """Answer the questions of many groups, those about the same periods together."""
    found: dict[_Counted, Mapping[str, int]] = {}
    for first, period in {(query.first, query.period) for query in asked}:
        some = [query for query in asked if (query.first, query.period) == (first, period)]
        counts = count(
            [key for query in some for key in query.members], first, period, min(query.within for query in some)
        )
        found |= {query: {key: counts[key] for key in query.members} for query in some}
    return found


class _Region:
    """The groups of one target, and what their scripts share."""

    def __init__(
        self,
        clients: Clients,
        request: OperationRequest,
        params: Mapping[str, Any],
        target: Target,
        hide: Callable[[str], None],
        progress: ProgressSink,
        number: int,
        beside: int = 1,
    ) -> None:
        """``beside``: how many targets are gone through at once, this one among them."""
        self.clients, self.target, self.params = clients, target, params
        self._request = replace(request, cutovers=target.cutovers)
        self._hide, self._progress, self._number = hide, progress, number
        self._at_once = _SCRIPTS // beside
        self._begun = time.monotonic()

    def prepare(self) -> None:
        """Make the clients, and hold back the calls that change something. Raises :class:`AuthError`."""
        clients, request = self.clients, self._request
        kept = ("secrets", "secrets_once") if self.params.get("auth_token_secret") else ()
        clients.prepare("once", "tagging", *kept, *(("metrics",) if request.monitor else ()))
        clients.known.detailed = False  # of groups no more is kept than the operations need
        clients.pace(modify.ACTION, limit=request.max_changes_per_second)
        clients.pace(records.WRITE, limit=_TAGS_A_MODIFY * request.max_changes_per_second)
        clients.pace(secrets.PUT, secrets.LABEL, limit=_SECRET_RATE)

    def run(self) -> list[GroupRun]:
        """Return how each group fared. Raises :class:`AuthError` for what concerns no single group in check mode."""
        ids, request = list(self.target.ids), self._request
        if request.plans_only:
            # Whoever only wants to know is not held up by a group whose change may never end.
            plans = self._plan(ids, wait=not request.plan_only)
            groups = [GroupRun(**vars(planned)) for planned in plans.values()]
            for group in groups:
                group.error = _BUSY.format(group.id) if group.busy else self._whose(group.error)
            return groups
        busy = self._busy() if request.busy_last else set()
        at_once = [key for key in ids if key not in busy]
        loader: Loader[str, Planned] = Loader(
            functools.partial(self._plan, wait=False), self.clients.wait_for, min(len(at_once), self._at_once)
        )
        services = self._services(lambda key, first: loader.load(key, first=first))
        by_id: dict[str, GroupRun] = {}
        for some in filter(None, (at_once, [key for key in ids if key in busy])):
            by_id |= self._scripts(functools.partial(run_group, services, key) for key in some)
        return [by_id[key] for key in ids]

    def _whose(self, error: str) -> str:
        """Return a group's error, with the role where it is about credentials."""
        return with_role(error, self.params.get("assume_role_arn")) if "credentials" in error else error

    def _services(self, plan: Callable[[str, bool], Planned]) -> Services:
        clients = self.clients.part()
        failures: Loader[_Counted, Mapping[str, int]] = Loader(
            functools.partial(_count, counting(clients)), clients.wait_for
        )
        watch = functools.partial(self._progress.waiting, self._number)
        clients.sweep = Sweep(self.clients, self._request.inquiry.delay, watch)
        return Services(
            clients,
            self._request,
            self.params,
            tuple(self.target.ids),
            plan,
            lambda members, first, period, within: failures.load(_Counted(tuple(members), first, period, within)),
            self._hide,
            self._progress,
            self._number,
            self._begun,
        )

    def _plan(self, ids: Iterable[str], *, wait: bool = True) -> dict[str, Planned]:
        """Return the plan of each group; without ``wait`` that of one on which something is under way says so."""
        request = replace(self._request, inquiry=replace(self._request.inquiry, wait=wait))
        planned = plan_groups(self.clients, request, self.params, list(ids), hide=self._hide)
        return {plan.id: plan for plan in planned}

    def _busy(self) -> set[str]:
        """Return the ids of those groups on which something is under way. Raises :class:`AuthError`."""
        found = require_all(self.clients, self.target.ids)
        return {key for key, group in found.items() if isinstance(group, Group) and not group.settled}

    def _scripts(self, works: Iterable[Callable[[], GroupRun]]) -> dict[str, GroupRun]:
        return {group.id: group for group in side_by_side(list(works), self.clients.stop, at_once=self._at_once)}


def side_by_side(works: Sequence[Callable[[], T]], stop: Callable[[], None], *, at_once: int) -> list[T]:
    """Return what each of the ``works`` returns, done in threads, so many ``at_once``; a single one needs none.

    Raises what one of them raised. Then, and where this thread is interrupted, ``stop`` is called and those that were
    begun are waited for: it has to end them soon.
    """
    if len(works) == 1:
        return [works[0]()]
    before = threading.stack_size(_STACK)
    try:
        pool = ThreadPoolExecutor(max(min(len(works), at_once), 1), thread_name_prefix="group")
        with pool:
            try:
                futures = [pool.submit(work) for work in works]
                running = set(futures)
                while running:
                    # The system may give a signal to any thread, but it is this one that acts on it, once it runs.
                    done, running = wait(running, timeout=_SIGNALS, return_when=FIRST_EXCEPTION)
                    for future in done:
                        future.result()
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                stop()
                raise
    finally:
        threading.stack_size(before)
