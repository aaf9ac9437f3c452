# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carry out what was planned: write ahead, call once, wait, prove on the nodes, and write down what is in force."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from .._aws import modify, records
from .._aws.clients import Clients
from .._aws.errors import Kind, classify, explain
from .._aws.groups import Group
from .._aws.waiting import Lack, Waited, wait_for
from .._core import record
from .._core.errors import AuthError
from .._core.evidence import Answer, Belief
from .._core.explain import describe_all
from .._core.states import Call
from .._data_plane.probe import as_evidence
from .._fan_out import fan_out
from .case import Case, Order
from .look import ask, conclude_case
from .observe import Observation
from .outcome import shown_evidence, shown_states
from .staleness import Sent
from .tokens import label

#: For so long nodes may still answer in the old way after the API said that the change is done, seconds.
_NODES_GRACE = 30.0


def act(clients: Clients, order: Order, cases: Mapping[str, Case]) -> list[str]:
    """Make the planned call on every group; return those to look at again, because it may have been made or not."""
    results = fan_out(cases, clients.counted("called", lambda key: _act_on(clients, order, cases[key])))
    again = []
    for key, result in results.items():
        if isinstance(result, Exception):
            cases[key].fail(str(result) if isinstance(result, AuthError) else f"{key}: {result}")
        elif result:
            again.append(key)
    return again


def _act_on(clients: Clients, order: Order, case: Case) -> bool:
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
    case.called_at = case.called_at or time.time()
    case.sent, case.refused, case.expected = Sent(call, group.token_date, time.time()), None, case.plan.after
    try:
        clients.paced(modify.ACTION, lambda: modify.modify(clients, group, call, case.tokens.values))
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


def _take_back(clients: Clients, case: Case, before: record.Entry) -> None:
    """Say in the record that the call which AWS refused was not made. The refusal is what the user must hear of."""
    try:
        _record(clients, case, before)
    except Exception as error:  # pylint: disable=broad-exception-caught
        text = explain(error, "elasticache:AddTagsToResource", clients.region)
        case.progress.warnings.append(f"{case.progress.id}: the record still names the refused call. {text}")


def arrive(clients: Clients, order: Order, cases: Mapping[str, Case], deadline: float) -> None:
    """Wait for the groups on which a call was made, prove that they arrived, and write that down."""
    called = {key: case for key, case in cases.items() if case.sent and not case.progress.error and case.seen}
    sent: dict[str, Sent] = {}
    for key, case in called.items():
        if case.sent is None:
            continue
        case.progress.changed = True
        case.progress.actions.append(modify.shown(key, case.sent.call))
        sent[key] = case.sent
        if not order.wait and case.plan:
            case.progress.msg = f"{key}: will become {describe_all(case.plan.after, label)}."
    if not order.wait or not sent:
        return
    arrived = {}
    for key, end in _wait(clients, order, sent, deadline).items():
        if end.error or end.group is None:
            called[key].fail(end.error)
        else:
            arrived[key] = end.group
    _prove(clients, order, called, arrived)
    if order.record and order.write_down:
        fan_out(arrived, clients.counted("written down", lambda key: _write_down(clients, called[key])))


def _wait(clients: Clients, order: Order, sent: Mapping[str, Sent], deadline: float) -> dict[str, Waited]:
    """Wait for the calls to have been carried out; in the time that the last of them needs at least, nobody looks."""
    kind = next(iter(sent.values())).call.kind.value
    lacks: dict[str, Lack] = {key: one.lack for key, one in sent.items()}
    begun = time.time()
    after = max(one.at for one in sent.values()) + clients.known.least(kind) - begun
    ended = wait_for(clients, lacks, timeout=deadline - time.monotonic(), delay=order.delay, after=after)
    clients.known.learn(
        kind, [begun + end.lacking - sent[key].at for key, end in ended.items() if end.lacking is not None]
    )
    return ended


def _prove(clients: Clients, order: Order, cases: Mapping[str, Case], groups: Mapping[str, Group]) -> None:
    """Ask the nodes whether what the API calls done is done; they get a while to agree."""
    pending = dict(groups)
    give_up = time.monotonic() + _NODES_GRACE
    while pending:
        told = ask(clients, order, {key: cases[key] for key in pending}, pending.values())
        for key, group in list(pending.items()):
            case = cases[key]
            seen = conclude_case(order, case, group, case.entry, told.get(key, ()))
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
            else:
                case.done_at = time.time()
        if pending:
            clients.pause(1.0)


def _doubt(order: Order, case: Case, seen: Observation | AuthError) -> str:
    """Say what speaks against the group having arrived; empty where nothing does."""
    if isinstance(seen, AuthError):
        return str(seen)
    told = as_evidence(seen.answers)
    wanted = order.wish(seen.group.id, case.tokens).token
    if not seen.belief.drift and (told is None or told.tokens.get(wanted) is not Answer.REFUSED):
        return ""
    return (
        f"{seen.group.id}: AWS reports the change as done, but after {_NODES_GRACE:.0f} s its nodes do not answer "
        f"accordingly: they may be {describe_all(seen.belief.states, label)}. "
        "Keep the previous token with the clients, and look at outcomes[...].evidence.nodes."
    )


def _write_down(clients: Clients, case: Case) -> None:
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


def _entry(case: Case, belief: Belief | None, call: Call | None) -> record.Entry | None:
    """Return what to write down, in token names; nothing where the state is not certain."""
    state = belief.certain if belief else None
    if state is None or case.seen is None:
        return None
    return record.Entry(state, call, case.seen.group.token_date, int(time.time()))


def _record(clients: Clients, case: Case, entry: record.Entry) -> record.Entry | None:
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
