# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring many groups' access control to what a strategy wants: look, decide, write down, call, wait, prove.

All groups go through each step together, so that a thousand cost one paged Describe a sweep and one process; what
befalls one is its own. Nothing is called that the core did not plan.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from .._aws import modify, records
from .._aws.clients import Clients
from .._aws.errors import Kind, classify, explain
from .._aws.groups import Group, require_all
from .._aws.user_groups import check_attachable, describe_user_groups
from .._aws.waiting import Lack, settled, wait_for
from .._core import record
from .._core.errors import AuthError
from .._core.evidence import Answer, Belief, assume
from .._core.explain import describe_all, refusal
from .._core.plan import NoPlan, Plan, Wish, force_plan, make_plan
from .._core.states import Call, CallKind, Mode, State
from .._data_plane.probe import NodeAnswer, as_evidence
from .._fan_out import fan_out
from .observe import Observation, Probing, check_preconditions, conclude, engine_versions, probe_groups, read_records
from .outcome import Progress, shown_evidence, shown_states
from .staleness import Sent, outlast, written
from .tokens import TokenSet, label

#: For so long nodes may still answer in the old way after the API said that the change is done, seconds.
_NODES_GRACE = 30.0
#: How often a group is looked at anew after a call that may or may not have been carried out.
_MAX_ROUNDS = 6


@dataclass(frozen=True)
class Order:
    """What is wanted of every group, and how to go about it."""

    wish: Callable[[TokenSet], Wish]
    kinds: tuple[CallKind, ...]
    user_groups: tuple[str, ...] = ()
    assume_state: Mode | None = None
    force: bool = False
    record: bool = True
    probing: Probing = field(default_factory=Probing)
    wait: bool = True
    timeout: float = 3600.0
    delay: float = 10.0
    check_mode: bool = False


@dataclass
class _Case:
    """One group under way.

    ``belief`` is what the plan was made from, ``entry`` what was written ahead (in token names), ``sent`` the call
    that was made, or may have been, with the states it leads to in ``expected``, and ``refused`` the record of one that
    surely was not. ``overtaken`` is the token's date when someone else's change was found under way before ours.
    """

    progress: Progress
    tokens: TokenSet
    begun: float
    seen: Observation | None = None
    belief: Belief | None = None
    plan: Plan | None = None
    entry: record.Entry | None = None
    sent: Sent | None = None
    expected: frozenset[State] = frozenset()
    refused: record.Entry | None = None
    overtaken: str | None = None

    def fail(self, message: str) -> None:
        self.progress.error = message
        self.progress.duration = time.monotonic() - self.begun


def bring_about(clients: Clients, order: Order, tokens: Mapping[str, TokenSet | AuthError]) -> list[Progress]:
    """Fulfil ``order`` for each group in ``tokens`` and return what happened to each, in order.

    Raises :class:`AuthError` for what concerns no single group (no credentials, no route to AWS).
    """
    begun = time.monotonic()
    deadline = begun + order.timeout
    cases = {}
    for key, given in tokens.items():
        case = _Case(Progress(key), given if isinstance(given, TokenSet) else TokenSet(), begun)
        if isinstance(given, AuthError):
            case.fail(str(given))
        cases[key] = case

    under_way = {key: case for key, case in cases.items() if not case.progress.error}
    for dummy in range(_MAX_ROUNDS):
        if not under_way:
            break
        try:
            under_way = _round(clients, order, under_way, deadline)
        except AuthError as error:
            if not any(case.sent for case in cases.values()):
                raise
            # Groups have been changed: whatever stops us now, the caller must hear of that.
            for key, case in under_way.items():
                if not case.progress.error and (case.sent or not case.plan or case.plan.calls):
                    case.fail(f"{key}: {error}")
            return _progress(cases, begun)
    for key, case in under_way.items():
        case.fail(
            f"{key}: AWS was busy with it, or the connection broke, at each of {_MAX_ROUNDS} tries. Run this again."
        )
    return _progress(cases, begun)


def _round(clients: Clients, order: Order, cases: Mapping[str, _Case], deadline: float) -> dict[str, _Case]:
    """Look, decide, act and wait; return the groups to look at again. Raises :class:`AuthError`."""
    _look(clients, order, cases, deadline)
    _decide(order, cases)
    acting = {key: case for key, case in cases.items() if case.plan and case.plan.calls}
    if order.check_mode:
        _predict(acting)
        return {}
    again = _act(clients, order, acting)
    _arrive(clients, order, {key: case for key, case in cases.items() if key not in again}, deadline)
    return {key: acting[key] for key in again}


def _progress(cases: Mapping[str, _Case], begun: float) -> list[Progress]:
    for case in cases.values():
        case.progress.duration = case.progress.duration or time.monotonic() - begun
    return [case.progress for case in cases.values()]


def _look(clients: Clients, order: Order, cases: Mapping[str, _Case], deadline: float) -> None:
    """Observe every group, once nothing is under way there: a change that is, is joined and not repeated."""
    for case in cases.values():
        case.seen = case.plan = None
    groups = _settled_groups(clients, order, cases, deadline)
    recorded = read_records(clients, groups.values()) if order.record else {}
    entries = {key: recorded.get(key) or cases[key].entry for key in groups}
    entries = {key: _without_refused(entry, cases[key].refused) for key, entry in entries.items()}
    _withdraw(clients, cases, groups, {key: entries[key] for key in groups if entries[key] != recorded.get(key)})
    fresh = outlast(clients, groups, {key: cases[key].sent or written(entries[key]) for key in groups})
    groups |= _settled_groups(clients, order, {key: cases[key] for key in fresh}, deadline) if fresh else {}
    groups = {key: group for key, group in groups.items() if not cases[key].progress.error}
    told = _ask(clients, order, cases, groups.values())
    for key, group in groups.items():
        case = cases[key]
        seen = _conclude(order, case, group, entries.get(key), told.get(key, ()))
        if isinstance(seen, AuthError):
            case.fail(str(seen))
            continue
        case.seen = seen
        progress = case.progress
        progress.evidence = shown_evidence(group, seen.belief, seen.answers)
        progress.before = progress.before or shown_states(seen.belief.states, group)
        progress.drift = progress.drift or seen.belief.drift


def _ask(
    clients: Clients, order: Order, cases: Mapping[str, _Case], groups: Iterable[Group]
) -> dict[str, tuple[NodeAnswer, ...]]:
    """Ask the nodes of those groups about which they have anything to add: a token hides its state, RBAC does not."""
    tokens = {key: case.tokens for key, case in cases.items()}
    return probe_groups(clients, [group for group in groups if group.auth_token_enabled], tokens, order.probing)


def _conclude(
    order: Order, case: _Case, group: Group, entry: record.Entry | None, told: Iterable[NodeAnswer]
) -> Observation | AuthError:
    probing = order.probing if group.auth_token_enabled else replace(order.probing, mode="auto")
    try:
        return conclude(group, case.tokens, entry, told, probing)
    except AuthError as error:
        return error


def _settled_groups(clients: Clients, order: Order, cases: Mapping[str, _Case], deadline: float) -> dict[str, Group]:
    found = require_all(clients, cases)
    groups: dict[str, Group] = {}
    busy: dict[str, Lack] = {}
    for key, group in found.items():
        if isinstance(group, AuthError):
            cases[key].fail(str(group))
        elif group.settled:
            groups[key] = group
        elif order.wait:
            busy[key] = settled
        elif cases[key].sent:
            # The connection broke, but the call is being carried out: that is all that was asked for.
            cases[key].progress.changed = True
            cases[key].progress.msg = f"{key}: the change is under way ({group.pending})."
        else:
            cases[key].fail(_refuse_busy(group))
    if busy:
        known = [group for group in found.values() if isinstance(group, Group)]
        waited = wait_for(clients, busy, timeout=deadline - time.monotonic(), delay=order.delay, known=known)
        for key, end in waited.items():
            if end.error or end.group is None:
                cases[key].fail(end.error)
            else:
                groups[key] = end.group
    _check(clients, order, cases, groups)
    return {key: group for key, group in groups.items() if not cases[key].progress.error}


def _refuse_busy(group: Group) -> str:
    """Say why nothing is done to a group that is not settled."""
    try:
        pending = settled(group)
    except AuthError as error:
        return str(error)
    return (
        f"{group.id}: a change is under way ({pending}), so nothing was called. "
        "With wait: true it is waited for, and what is then left to do is done."
    )


def _check(clients: Clients, order: Order, cases: Mapping[str, _Case], groups: Mapping[str, Group]) -> None:
    versions = engine_versions(clients, groups.values())
    user_groups = describe_user_groups(clients, order.user_groups) if order.user_groups else {}
    for key, group in groups.items():
        try:
            check_preconditions(group, order.kinds, versions)
            if set(order.user_groups) - set(group.user_group_ids):
                check_attachable(group, order.user_groups, user_groups)
        except AuthError as error:
            cases[key].fail(str(error))


def _without_refused(entry: record.Entry | None, refused: record.Entry | None) -> record.Entry | None:
    """Return the record without the call that it announces if that is ours, and AWS did not take it.

    Someone else's change was under way then: the date that it moves must not be taken for our doing.
    """
    return replace(entry, call=None) if entry is not None and entry == refused else entry


def _withdraw(
    clients: Clients,
    cases: Mapping[str, _Case],
    groups: Mapping[str, Group],
    entries: Mapping[str, record.Entry | None],
) -> None:
    """Write ``entries`` over records that announce a call that AWS did not take, so that no later run believes them."""
    refused = {key: entry for key, entry in entries.items() if entry is not None and cases[key].refused}
    for key, result in fan_out(refused, lambda key: records.write(clients, groups[key], refused[key])).items():
        if isinstance(result, Exception):
            text = explain(result, "elasticache:AddTagsToResource", clients.region)
            cases[key].progress.warnings.append(f"{key}: the record still names the refused call. {text}")


def _decide(order: Order, cases: Mapping[str, _Case]) -> None:
    """Plan for every group; where there is no plan, say why."""
    for key, case in cases.items():
        if case.progress.error or case.seen is None:
            continue
        wish = order.wish(case.tokens)
        group = case.seen.group
        if case.overtaken not in (None, group.token_date or ""):
            # What the caller said of the state, and insisted on, was about the one before someone else changed it.
            order_now = replace(order, assume_state=None, force=False)
        else:
            order_now = order
        case.belief, plan = _plan(order_now, case.seen.belief, wish, case.expected if _shows(case) else None)
        if isinstance(plan, NoPlan):
            message = refusal(key, plan, wish, label, _settling(order_now, case))
            if case.progress.drift:
                message += (
                    " The token was changed by someone else since this collection last did (drift):"
                    f" AuthTokenLastModifiedDate is {group.token_date}."
                )
            case.fail(message)
            continue
        case.plan = plan
        case.progress.after = shown_states(plan.after, group)
        if not plan.calls:
            case.progress.msg = f"{key}: already {describe_all(plan.after, label)}."
        if case.progress.drift and not case.progress.changed:
            case.progress.warnings.append(
                f"{key}: its token was changed by someone else, at {group.token_date}, since this collection last did."
            )


def _shows(case: _Case) -> bool:
    """Whether a call that may have been made shows: then it is not made again, however little else is known."""
    return case.sent is not None and case.seen is not None and not case.sent.lack(case.seen.group)


def _plan(order: Order, belief: Belief, wish: Wish, arrived: frozenset[State] | None) -> tuple[Belief, Plan | NoPlan]:
    """Return the plan and the belief it stands on; the user's word narrows that only where evidence leaves it open.

    ``arrived``: the states that our own call has led to, where that shows.
    """
    plan = make_plan(belief, wish, kinds=order.kinds, max_calls=1)
    if isinstance(plan, NoPlan) and arrived:
        return belief, Plan((), arrived)
    if isinstance(plan, NoPlan) and order.assume_state is not None:
        live = set(order.kinds) == {CallKind.SET}
        assumed = assume(belief, order.assume_state, token=wish.token or None, live=live)
        if assumed is not None:
            belief = assumed
            plan = make_plan(belief, wish, kinds=order.kinds, max_calls=1)
    if isinstance(plan, NoPlan) and order.force:
        plan = force_plan(belief, wish, kinds=order.kinds)
    return belief, plan


def _settling(order: Order, case: _Case) -> list[str]:
    """What would settle an uncertainty here, as phrases."""
    seen = case.seen
    ways = []
    if order.probing.mode == "never":
        ways.append("use probe: auto, so that the nodes are asked")
    elif seen is not None and not seen.heard:
        ways.append("run where the nodes can be reached, so that they are asked")
    if not case.tokens.complete:
        ways.append("name every other token that may be in force in known_auth_tokens ([] where there is none)")
    if order.assume_state is None:
        ways.append("name the state in assume_state, if you know it")
    else:
        ways.append(f"correct assume_state: {order.assume_state.value}, which the evidence contradicts or leaves open")
    if not order.force:
        ways.append("or insist with force: true")
    return ways


def _predict(cases: Mapping[str, _Case]) -> None:
    for key, case in cases.items():
        if case.plan is None:
            continue
        case.progress.changed = True
        case.progress.actions = [modify.shown(key, call) for call in case.plan.calls]
        case.progress.msg = f"{key}: would become {describe_all(case.plan.after, label)}."


def _act(clients: Clients, order: Order, cases: Mapping[str, _Case]) -> list[str]:
    """Make the planned call on every group; return those to look at again, because it may have been made or not."""
    results = fan_out(cases, lambda key: _act_on(clients, order, cases[key]))
    again = []
    for key, result in results.items():
        if isinstance(result, Exception):
            cases[key].fail(str(result) if isinstance(result, AuthError) else f"{key}: {result}")
        elif result:
            again.append(key)
    return again


def _act_on(clients: Clients, order: Order, case: _Case) -> bool:
    """Write ahead and call. Returns whether to look again. Raises :class:`AuthError` where AWS refuses."""
    if case.seen is None or case.plan is None:
        return False
    group, call = case.seen.group, case.plan.calls[0]
    before = _entry(case, case.belief, None)
    case.entry = _entry(case, case.belief, call)
    announced = case.entry or _without_call(case.seen.entry)
    ahead = None
    if order.record and announced:
        try:
            ahead = _record(clients, case, announced)
        except Exception as error:
            if classify(error) is Kind.BUSY:
                case.entry, case.overtaken = before, group.token_date or ""
                return True
            text = explain(error, "elasticache:AddTagsToResource", clients.region)
            raise AuthError(
                f"{group.id}: the record could not be written, so nothing was changed. {text} "
                "Without the record (record: false) a run that is cut off can't be told from one that never was."
            ) from error
    earlier = case.sent
    case.sent, case.refused, case.expected = Sent(call, group.token_date, time.time()), None, case.plan.after
    try:
        clients.patiently(lambda: modify.modify(clients, group, call, case.tokens.values))
    except Exception as error:
        kind = classify(error)
        if kind is Kind.AMBIGUOUS:
            return True
        if kind is Kind.BUSY and earlier:
            case.sent = earlier  # which may be what it is busy with
            return True
        case.sent, case.refused = None, ahead
        if kind is Kind.BUSY:
            case.entry, case.overtaken = before, group.token_date or ""
            return True
        if order.record and before:
            _take_back(clients, case, before)
        raise AuthError(f"{group.id}: {explain(error, f'elasticache:{modify.ACTION}', clients.region)}") from error
    return False


def _without_call(entry: record.Entry | None) -> record.Entry | None:
    """Return a record that announces a call, without it; ``None`` for any other.

    Where the state is not certain nothing can be written ahead. But the date that the call to come moves must not make
    an older announcement, of a run that was cut off, look as if it had come true.
    """
    return replace(entry, call=None) if entry is not None and entry.call else None


def _take_back(clients: Clients, case: _Case, before: record.Entry) -> None:
    """Say in the record that the call which AWS refused was not made. The refusal is what the user must hear of."""
    try:
        _record(clients, case, before)
    except Exception as error:  # pylint: disable=broad-exception-caught
        text = explain(error, "elasticache:AddTagsToResource", clients.region)
        case.progress.warnings.append(f"{case.progress.id}: the record still names the refused call. {text}")


def _arrive(clients: Clients, order: Order, cases: Mapping[str, _Case], deadline: float) -> None:
    """Wait for the groups on which a call was made, prove that they arrived, and write that down."""
    called = {key: case for key, case in cases.items() if case.sent and not case.progress.error and case.seen}
    lacks: dict[str, Lack] = {}
    for key, case in called.items():
        if case.sent is None:
            continue
        case.progress.changed = True
        case.progress.actions.append(modify.shown(key, case.sent.call))
        lacks[key] = case.sent.lack
        if not order.wait and case.plan:
            case.progress.msg = f"{key}: will become {describe_all(case.plan.after, label)}."
    if not order.wait or not lacks:
        return
    arrived = {}
    for key, end in wait_for(clients, lacks, timeout=deadline - time.monotonic(), delay=order.delay).items():
        if end.error or end.group is None:
            called[key].fail(end.error)
        else:
            arrived[key] = end.group
    _prove(clients, order, called, arrived)
    if order.record:
        fan_out(arrived, lambda key: _write_down(clients, called[key]))


def _prove(clients: Clients, order: Order, cases: Mapping[str, _Case], groups: Mapping[str, Group]) -> None:
    """Ask the nodes whether what the API calls done is done; they get a while to agree."""
    pending = dict(groups)
    give_up = time.monotonic() + _NODES_GRACE
    while pending:
        told = _ask(clients, order, {key: cases[key] for key in pending}, pending.values())
        for key, group in list(pending.items()):
            case = cases[key]
            seen = _conclude(order, case, group, case.entry, told.get(key, ()))
            doubt = _doubt(order, case, seen)
            if doubt and time.monotonic() < give_up:
                continue
            del pending[key]
            case.progress.duration = time.monotonic() - case.begun
            if isinstance(seen, Observation):
                case.seen = seen
                case.progress.evidence = shown_evidence(group, seen.belief, seen.answers)
                case.progress.after = shown_states(seen.belief.states, group)
                case.progress.msg = f"{key}: now {describe_all(seen.belief.states, label)}."
            if doubt:
                case.fail(doubt)
        if pending:
            time.sleep(1.0)


def _doubt(order: Order, case: _Case, seen: Observation | AuthError) -> str:
    """Say what speaks against the group having arrived; empty where nothing does."""
    if isinstance(seen, AuthError):
        return str(seen)
    told = as_evidence(seen.answers)
    wanted = order.wish(case.tokens).token
    if not seen.belief.drift and (told is None or told.tokens.get(wanted) is not Answer.REFUSED):
        return ""
    return (
        f"{seen.group.id}: AWS reports the change as done, but after {_NODES_GRACE:.0f} s its nodes do not answer "
        f"accordingly: they may be {describe_all(seen.belief.states, label)}. "
        "Keep the previous token with the clients, and look at outcomes[...].evidence.nodes."
    )


def _write_down(clients: Clients, case: _Case) -> None:
    """Record what is in force now. A failure is a warning: the call written ahead tells as much to the next run."""
    if case.seen is None or case.progress.error:
        return
    entry = _entry(case, case.seen.belief, None)
    if entry is None:
        return
    try:
        _record(clients, case, entry)
    except Exception as error:  # pylint: disable=broad-exception-caught
        text = explain(error, "elasticache:AddTagsToResource", clients.region)
        case.progress.warnings.append(f"{case.progress.id}: the record was not brought up to date. {text}")


def _entry(case: _Case, belief: Belief | None, call: Call | None) -> record.Entry | None:
    """Return what to write down, in token names; nothing where the state is not certain."""
    state = belief.certain if belief else None
    if state is None or case.seen is None:
        return None
    return record.Entry(state, call, case.seen.group.token_date, int(time.time()))


def _record(clients: Clients, case: _Case, entry: record.Entry) -> record.Entry | None:
    """Write ``entry``, its tokens by reference, and return it so. Raises botocore's exceptions.

    A token that the record names already keeps that name, and names that came from a record are references.
    """
    if case.seen is None:
        return None
    kept = case.seen.references
    used = {*entry.state.tokens, entry.call.token if entry.call else ""}
    names = {token.name: kept.get(token.name) or token.reference for token in case.tokens.all if token.name in used}
    referring = record.translate(entry, names)
    records.write(clients, case.seen.group, referring)
    return referring
