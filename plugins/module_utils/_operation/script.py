# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One group's operation, from the first look to the last proof: it knows no other group.

It runs in a thread of its own. What many of them need is shared by the services of their region: looks, plans, rates.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._auth.carry_out import put_on_record, write_cutovers
from .._auth.change import bring_about
from .._auth.change_run import ChangeRun, Order
from .._auth.common_errors import error_of_group, with_role
from .._auth.failures_monitor import Count, monitor_all
from .._auth.observe import Observation, probe_groups
from .._auth.outcome import Change, Progress
from .._auth.probing import ACCEPTED, NOT_REFUSED, REFUSED, UNAUTHENTICATED, summarize, unmet
from .._auth.strategies import DELETE, ROTATE, SET, order_for
from .._auth.tokens import GIVEN, PREVIOUS_TOKEN, Token, TokenSet
from .._aws import records
from .._aws.clients import Clients
from .._aws.errors import explain
from .._aws.groups import OFF, PREFERRED, ChangedSince, check_unchanged, require_all
from .._aws.secrets import CURRENT, PENDING, PREVIOUS, describe_secret
from .._aws.waiting import settled, wait_for
from .._core.errors import AuthError
from .._core.operations import CUTOVERS, Operation, Step, sets_at_once, up_to_cutover
from .._core.secret_text import OPTION_PREFIX
from .._data_plane.probe import NodeAnswer, unreachable, untrusted
from .._secret.secret import bring_secrets_about
from .._secret.secret_ahead import goal_of
from .._secret.secret_plan import Creation, SecretOrder
from .client_connections import ClientConnections
from .group_plan import Planned
from .group_run import GroupRun
from .planning import check_current
from .progress import ProgressSink
from .rbac_resources import Ids, ids_of
from .request import OperationRequest
from .resource_steps import (
    TLS_STEPS,
    clean_up,
    make_open_group,
    make_users,
    put_bridge_user,
    restore_user_group,
    set_tls,
    take_user_groups_away,
    told,
)
from .token_store import Kept, kept_after
from .unexplained import refuse_unexplained

#: The operations that begin with a token in force, which is accepted until SET.
_HAD_TOKEN = (Operation.ROTATE_TOKEN, Operation.ROLLBACK_TOKEN)
#: How often a group is planned for where somebody else changes it between the plan and a call.
_MAX_PLANS = 3
#: For so long nodes may answer otherwise than they have to, seconds; and how long from one time they are asked to the
#: next.
_NODES_GRACE, _NODES_PAUSE = 30.0, 0.5

#: The steps that are right only while the group accepts what it did when they were planned: they change what clients
#: read (AWSCURRENT), make users of the tokens, take user groups away, or begin what the others end. That is so where
#: there is nothing to call, too: a token that somebody else has rotated in must not pass for a step of this run.
_OF_THE_PLAN = (
    *(Step.PROMOTE_PENDING, Step.PROMOTE_OLDER, Step.PROMOTE, Step.CLEAR, Step.USERS, Step.REMOVE_USER_GROUPS),
    Step.BRIDGE_USER,
    *(Step.ROTATE, Step.ROTATE_CURRENT, Step.ATTACH, Step.ATTACH_OPEN),
)
#: The steps that change a group.
_CHANGES = (Step.ROTATE, Step.ROTATE_CURRENT, Step.SET, Step.ATTACH, Step.ATTACH_OPEN)


@dataclass(frozen=True)
class Services:
    """What the scripts of one region and account share, and what is wanted of all their groups.

    ``ids``: of all groups. ``plan`` returns a group's plan, ``count`` how often nodes refused clients: either may be
    found out together with those of others that ask at the same time. ``region``: the number of the target for the
    ``progress``. ``begun``: when the run began, of ``time.monotonic()``.
    """

    clients: Clients
    request: OperationRequest
    params: Mapping[str, Any]
    ids: Sequence[str]
    plan: Callable[[str, bool], Planned]
    count: Count
    hide: Callable[[str], None]
    progress: ProgressSink
    region: int
    begun: float

    @property
    def role(self) -> str | None:
        """The ARN of the role that the credentials are those of."""
        return self.params.get("assume_role_arn")

    def planned(self, key: str, *, first: bool = False, before: Observation | None = None) -> Planned:
        """Return the plan of a group, once nothing is under way there, ``first`` of all that are asked for.

        ``before``: what this run saw of it until somebody else changed it. Raises :class:`AuthError`.
        """
        inquiry, under_way = self.request.inquiry, None
        deadline = time.monotonic() + inquiry.timeout
        while (plan := self.plan(key, first)).busy:
            under_way = plan.under_way
            left = max(deadline - time.monotonic(), 0.0)
            waited = wait_for(self.clients, {key: settled}, timeout=left, delay=inquiry.delay)[key]
            if waited.error:
                plan.error, plan.busy = waited.error, False
                break
        if refuse_unexplained(self.request.operation, plan, before, under_way):
            self._record_before(plan, before)
        return plan

    def _record_before(self, plan: Planned, before: Observation | None) -> None:
        """Put on record what a group accepted before somebody else changed it, so that the next run hears of that."""
        if plan.seen is None or before is None or before.belief.recorded:
            return
        try:
            put_on_record(self.clients, before, plan.seen.group)
        except Exception as error:  # pylint: disable=broad-exception-caught
            text = explain(error, f"elasticache:{records.WRITE}", self.clients.region)
            plan.warnings.append(f"{plan.id}: the change by somebody else could not be put on record. {text}")


def run_group(services: Services, key: str) -> GroupRun:
    """Plan what is left of the operation for one group, do it, and return how that went."""
    group = GroupRun(key)
    with _Ending(services, group) as ending:
        ending.group = group = GroupRun(**vars(services.planned(key)))
        for plans_left in reversed(range(_MAX_PLANS)):
            if group.error:
                break
            _go(services, group)
            if not group.overtaken:
                break
            if not plans_left:
                group.error = (
                    f"{key}: somebody else changed it at each of {_MAX_PLANS} tries, between the look at it and the "
                    "call. Run this again when nobody else is at work on it."
                )
                break
            ending.group = group = group.planned_anew(services.planned(key, first=True, before=group.seen))
    return ending.group


class _Ending:
    """Make whatever ends a script the group's own error, and tell of the end."""

    def __init__(self, services: Services, group: GroupRun) -> None:
        self.services, self.group = services, group

    def __enter__(self) -> _Ending:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> bool:
        services, group = self.services, self.group
        if isinstance(error, AuthError):
            group.error, group.common = error_of_group(group.id, error, services.ids, services.role), error
        elif isinstance(error, Exception):
            # What was done so far is told all the same; the error's own words may hold anything.
            group.error = f"{group.id}: the module met an error that it does not know, {type(error).__name__}."
        if "credentials" in group.error:
            group.error = with_role(group.error, services.role)
        group.duration = time.monotonic() - services.begun
        services.progress.ends(services.region, group.id, failed=bool(group.error))
        return isinstance(error, Exception)


def _go(services: Services, group: GroupRun) -> None:
    """Make the steps of the plan, up to a client cutover that tasks make after this run."""
    request = services.request
    steps = up_to_cutover(group.step_plan.steps, soaking=request.soaks(group.id), made=request.made_cutover(group.id))
    if steps:
        with services.clients.known.acting():
            _make(services, group, steps)


def _make(services: Services, group: GroupRun, steps: Sequence[Step]) -> None:
    for number, step in enumerate(steps):
        left = len(steps) - number
        services.progress.begins(services.region, group.id, step.value, left)
        clients = services.clients.part()
        clients.rank = left  # what finishes a group goes before what begins another
        try:
            _Steps(services, clients, group).make(step)
        except AuthError as error:
            why = str(error)
            group.fail_at(step, why if why.startswith(f"{group.id}:") else f"{group.id}: {why}")
        except Exception as error:  # pylint: disable=broad-exception-caught
            group.fail_at(step, f"{group.id}: the module met an error that it does not know, {type(error).__name__}.")
        if group.error or group.overtaken:
            return


@dataclass(frozen=True)
class _Steps:
    """What each step does."""

    services: Services
    clients: Clients
    group: GroupRun

    def make(self, step: Step) -> None:
        """Make one step. Raises :class:`AuthError`; what AWS refuses is the group's error."""
        if step in _OF_THE_PLAN and self._is_overtaken():
            return
        if step in _CHANGES:
            if (step is not Step.ATTACH_OPEN or self._open_group()) and self._may_change(step):
                self._change(step)
                self._connections.after(step)
        elif step is Step.UPDATE_RECORD:
            self._update_record(step)
        elif step in (Step.VERIFY_BOTH, Step.VERIFY_NEW_ONLY, Step.VERIFY_BRIDGE_USER):
            self._prove(step)
        elif step in CUTOVERS:
            self._cut_over(step)
        elif step in TLS_STEPS:
            self._set_tls(step)
        elif step is Step.REMOVE_USER_GROUPS:
            self._detach(step)
        elif step is Step.MONITOR:
            self._monitor(step)
        elif step is Step.USERS:
            self._resources(step, make_users(self.clients, self.services.request, self.group, self._ids))
        elif step is Step.BRIDGE_USER:
            self._resources(step, put_bridge_user(self.clients, self.services.request, self.group))
        elif step is Step.RESTORE_USER_GROUP:
            self._resources(step, restore_user_group(self.clients, self.services.request, self.group))
        elif step is Step.CLEAN_UP:
            made = self._ids.without(self.group.spared)
            self._resources(step, clean_up(self.clients, self.services.request, self.group.id, made))
        else:
            self._keep(step)
        self._connections.offered(step)

    @property
    def _connections(self) -> ClientConnections:
        """The connections of the group's clients."""
        services, key = self.services, self.group.id

        def token() -> Token | None:
            wanted = _wanting(self.group.kept, Step.SET)
            return wanted.wanted if isinstance(wanted, TokenSet) else None

        told = functools.partial(services.progress.connections, services.region, key)
        return ClientConnections(self.clients, services.request, self.group, token, told)

    def _may_change(self, step: Step) -> bool:
        """Whether clients have moved as far as is required for a change; the group has failed where not."""
        connections = self._connections
        if not connections.before(step):
            return False
        if connections.waited():
            self._check_current()
        return True

    # --- Where tokens are kept ------------------------------------------------------------------------------------

    def _keep(self, step: Step) -> None:
        group, request, source = self.group, self.services.request, self.services.params["auth_token_secret"]
        order = SecretOrder(
            goal=goal_of(request.operation, step),
            names={group.id: group.kept.store.name},
            key=source.get("key"),
            creation=Creation() if request.create_secret else None,
            versions={group.id: group.kept.staged} if group.kept.staged else {},
            currents={group.id: group.kept.current} if group.kept.current else {},
        )
        hide = self.services.hide
        (done,) = bring_secrets_about(self.clients, order, hide=hide, known={group.id: group.kept.secret})
        group.warnings += done.warnings
        if done.error or done.secret is None:
            group.fail_at(step, done.error, done.outcome())
            return
        try:
            kept = kept_after(self.clients, group.id, group.kept, source.get("key"), done.secret, hide)
        except AuthError as error:
            group.fail_at(step, str(error), done.outcome())
            return
        group.renamed(kept)
        group.through(step, done.outcome())

    # --- Encryption in transit, users and user groups -------------------------------------------------------------

    @property
    def _ids(self) -> Ids:
        return ids_of(self.services.request, self.group.id)

    def _set_tls(self, step: Step) -> None:
        done = set_tls(self.clients, self.services.request, self.group.id, TLS_STEPS[step])
        self._resources(step, [done])
        mode, seen = TLS_STEPS[step], self.group.seen
        self.group.seen = seen and replace(seen, group=replace(seen.group, tls=mode))
        if not done.error:
            self.group.current_state = f"encryption in transit {mode}"
        elif done.changed:
            before = OFF if step is Step.PREFER_TLS else PREFERRED
            self.group.current_state = f"unknown: encryption in transit {before} or {mode}"

    def _detach(self, step: Step) -> None:
        done = take_user_groups_away(self.clients, self.services.request, self.group.id)
        self._resources(step, [done])
        self.group.seen = None  # it was seen with user groups
        if not done.error:
            self.group.current_state = f"open, encryption in transit {(done.after or {})['transit_encryption_mode']}"
        elif done.changed:
            self.group.current_state, self.group.after = f"unknown: {self.group.current_state} or open", None

    def _is_overtaken(self) -> bool:
        """Whether somebody else has changed the group since it was seen last, which is taken note of."""
        group = self.group
        if group.seen is not None:
            try:
                check_unchanged(self.clients, group.seen.group)
            except ChangedSince as error:
                group.warnings.append(f"{error} It is planned anew.")
                group.overtaken = True
        return group.overtaken

    def _open_group(self) -> bool:
        """Make the user group by which everyone is served; return whether it is there."""
        group, request = self.group, self.services.request
        done = make_open_group(self.clients, request, group, self._ids)
        group.warnings += done.warnings
        if done.error:
            group.fail_at(Step.ATTACH_OPEN, f"{group.id}: {done.error}", told([done]))
        else:
            group.prepared(Step.ATTACH_OPEN, told([done]))
        return not done.error

    def _resources(self, step: Step, parts: list[Progress]) -> None:
        group, said = self.group, self.group.msg
        group.warnings += [warning for part in parts for warning in part.warnings]
        error = parts[-1].error
        if error:
            group.fail_at(step, error if error.startswith(f"{group.id}: ") else f"{group.id}: {error}", told(parts))
        else:
            group.through(step, told(parts))
        group.msg = said  # of the group itself that says nothing

    # --- What the group accepts -----------------------------------------------------------------------------------

    def _change(self, step: Step) -> None:
        group, change = self.group, self._bring_about(step)
        if change.overtaken and not change.changed:
            group.overtaken = True  # what was seen before that is compared with what is seen next
            return
        group.seen = change.seen
        group.heard = group.heard or (change.seen is not None and change.seen.heard)
        if change.error:
            group.fail_at(step, change.error, change.outcome())
        else:
            group.through(step, change.outcome())

    def _bring_about(self, step: Step) -> Change:
        group = self.group
        known = {group.id: group.seen} if group.seen else {}
        (change,) = bring_about(self.clients, self._order(step), {group.id: _wanting(group.kept, step)}, known)
        group.warnings += change.warnings
        return change

    def _order(self, step: Step) -> Order:
        request = self.services.request
        soaking, made = request.soaks(self.group.id), request.made_cutover(self.group.id)
        left = self.group.remaining_steps
        to_come = up_to_cutover(left, soaking=soaking, made=made)
        # What SET comes to is the same from wherever it is taken. For ATTACH a user was made for the tokens in force
        # when it was planned, and clients may have had time since.
        seen_as = self.group.seen.group if self.group.seen and step in _CHANGES else None
        common: dict[str, Any] = {
            "planned_for": None if step is Step.SET else seen_as,
            "seen_as": seen_as,
            "operation": request.operation.value,
            "probing": request.inquiry.probing,
            "timeout": request.inquiry.timeout,
            "delay": request.inquiry.delay,
        }
        if step in (Step.ATTACH, Step.ATTACH_OPEN):
            ids = self._ids
            return order_for(
                DELETE,
                user_groups=(ids.user_group if step is Step.ATTACH else ids.open_user_group,),
                assume_state=request.assume_state,
                **common,
            )
        leaving = {
            Step.ROTATE: request.operation is Operation.MIGRATE_RBAC_TO_AUTH,
            Step.ROTATE_CURRENT: request.operation is not Operation.ENABLE_AUTH,
        }.get(step, False)
        return order_for(
            SET if step is Step.SET else ROTATE,
            remove_user_groups=leaving,
            write_down=not sets_at_once(left, soaking=soaking, made=made),
            # Where clients move before ROTATE, SET has to follow it at once: anyone is served until then.
            soak=(request.soak or 0.0) if step is Step.MONITOR or Step.CLIENT_CUTOVER in to_come else 0.0,
            moved=step is Step.ROTATE_CURRENT and Step.SET in to_come and Step.CLIENT_CUTOVER not in to_come,
            take_over=request.take_over,
            rested=self._check_current,
            **common,
        )

    def _cut_over(self, step: Step) -> None:
        """Give the clients their time; what is on record of it keeps another run from cutting it short."""
        soak = self.services.request.soak or 0.0
        if step is Step.CLIENT_CUTOVER and soak > 0:
            self._record_cutover(soak)
        if soak > 0:
            self.services.progress.cutover(self.services.region, self.group.id, soak)
        self._connections.soak(step, soak)
        if soak > 0 and step is not Step.CLIENT_CUTOVER_TLS:
            self._check_current()
        self.group.through(step)

    def _check_current(self) -> None:
        """Raise :class:`AuthError` where the clients had another token to move to than the one that is known here."""
        group, kept = self.group, self.group.kept
        if kept.secret and kept.current:
            found = describe_secret(self.clients, kept.store.name, group.id, OPTION_PREFIX)
            check_current(group.id, kept.store.name, kept.current, found.labels.get(CURRENT, "") if found else "")

    def _record_cutover(self, soak: float) -> None:
        group = self.group
        if group.seen is None or Step.SET not in group.remaining_steps:
            return
        run = ChangeRun(group, group.kept.tokens, time.monotonic(), seen=group.seen, recorded=set(group.seen.recorded))
        write_cutovers(self.clients, {group.id: run}, soak, take_over=self.services.request.take_over)
        group.seen = run.seen

    def _monitor(self, step: Step) -> None:
        """Look for clients that are refused; where there are too many, accept the token again that they may have."""
        group, request = self.group, self.services.request
        if request.monitor is None:
            raise RuntimeError("a plan without a monitor has no such step")
        said = group.msg
        naming = self._connections.naming()
        (monitored,) = monitor_all(self.clients, [group.id], request.monitor, count=self.services.count, naming=naming)
        if not monitored.error:
            group.through(step, monitored.outcome())
            group.msg = said
            return
        group.fail_at(step, monitored.error, monitored.outcome())
        too_many = monitored.failures is not None and monitored.failures > request.monitor.max_failures
        if not too_many or request.operation not in _HAD_TOKEN:
            return
        change = self._bring_about(step)
        group.seen = change.seen
        group.fail_at(step, f"{monitored.error} That was tried: {change.error or change.msg}", change.outcome())

    def _update_record(self, step: Step) -> None:
        """Write down what was found out or assumed: what was on record before is kept for as long as this run lasts."""
        group = self.group
        try:
            if group.seen is not None:
                group.seen = put_on_record(self.clients, group.seen)
        except Exception as error:  # pylint: disable=broad-exception-caught
            text = explain(error, f"elasticache:{records.WRITE}", self.clients.region)
            group.fail_at(step, f"{group.id}: the record could not be written. {text} Run this again.")
        else:
            group.changed = True
            group.msg = f"{group.id}: its record was brought up to date. Current state: {group.current_state}."
            group.through(step)

    # --- Verification on the nodes --------------------------------------------------------------------------------

    def _prove(self, step: Step) -> None:
        """Compare what every node answered last with what it has to; where that differs, ask again for a while."""
        group = self.group
        if not group.heard:
            group.through(step)  # nobody answers there: the API's word has to do
            return
        expected = _expected(self.services.request.operation, step, group.kept)
        if step is Step.VERIFY_BRIDGE_USER:
            expected = _expected_of_bridge(group)
        give_up = time.monotonic() + _NODES_GRACE
        answers = (group.seen.answers if group.seen else ()) or self._ask()
        while (doubt := _doubt(group, answers, expected)) and time.monotonic() < give_up:
            self.clients.pause(_NODES_PAUSE)
            answers = self._ask()
        if doubt:
            group.fail_at(step, doubt)
            return
        if step is Step.VERIFY_NEW_ONLY:
            group.verified_nodes = len(answers)
        group.through(step)

    def _ask(self) -> tuple[NodeAnswer, ...]:
        group = self.group
        if group.seen:
            found = group.seen.group
        else:
            described = require_all(self.clients, [group.id])[group.id]
            if isinstance(described, AuthError):
                raise described
            found = described
        probing = replace(self.services.request.inquiry.probing, mode="always")
        return probe_groups(self.clients, [found], {group.id: group.kept.tokens}, probing).get(group.id, ())


def _doubt(group: GroupRun, answers: Sequence[NodeAnswer], expected: Mapping[str, str]) -> str:
    """Return what speaks against the proof; empty where nothing does."""
    if not answers:
        return f"{group.id}: no node has been asked."
    missing = unreachable(group.id, answers)
    found = untrusted(group.id, answers) or (f"{missing}." if missing else "")
    if not found and any(set(expected) - {UNAUTHENTICATED, *answer.accepted} for answer in answers):
        return f"{group.id}: its nodes have not been asked about each token."
    return found or unmet(group.id, summarize(answers, group.kept.tokens.names), expected)


def _expected(operation: Operation, step: Step, kept: Kept) -> dict[str, str]:
    """Return what every node has to answer, by the names of the tokens at hand."""
    had = operation in _HAD_TOKEN
    if kept.store.kept:
        new, old = (PENDING, CURRENT) if step is Step.VERIFY_BOTH else (CURRENT, PREVIOUS)
    else:
        new, old = GIVEN, PREVIOUS_TOKEN
    alone = step is Step.VERIFY_NEW_ONLY
    expected = {UNAUTHENTICATED: REFUSED if had or alone else ACCEPTED, new: ACCEPTED if had or alone else NOT_REFUSED}
    if had and old in kept.tokens.names:
        expected[old] = REFUSED if alone else ACCEPTED
    return expected


def _expected_of_bridge(group: GroupRun) -> dict[str, str]:
    """Return what every node has to answer while user groups decide: as a rule that a token is needed."""
    promotes = Step.PROMOTE in group.remaining_steps and bool(group.kept.store.pending)
    token = (PENDING if promotes else CURRENT) if group.kept.store.kept else GIVEN
    bridges = group.bridging.bridged or Step.BRIDGE_USER in group.completed_steps
    return {token: ACCEPTED, **({UNAUTHENTICATED: REFUSED} if bridges else {})}


def _wanting(kept: Kept, step: Step) -> TokenSet | AuthError:
    """Return the tokens, the one that ``step`` is about as the one that is wanted."""
    if step is Step.ATTACH_OPEN or (not kept.store.kept and step is not Step.MONITOR):
        return kept.tokens
    before = PREVIOUS if kept.store.kept else PREVIOUS_TOKEN
    name = {Step.ROTATE: PENDING, Step.MONITOR: before}.get(step, CURRENT)
    wanted = next((token for token in kept.tokens.all if token.name == name), None)
    if wanted is None:
        where = f"the secret {kept.store.name} holds no token in {name}" if kept.store.kept else f"there is no {name}"
        return AuthError(f"{where}. Run this again.")
    return TokenSet(wanted, tuple(token for token in kept.tokens.all if token is not wanted), kept.tokens.complete)
