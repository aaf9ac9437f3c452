# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carry out what was planned: write ahead, call once, wait, prove on the nodes, and write down what is in force.

Before each attempt of a call the group is described again: what somebody else has done since the plan was made is
planned for anew. The record is read again before it is written, so that no older run overwrites a newer one's.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Collection, Mapping
from dataclasses import replace

from .._aws import modify, records
from .._aws.clients import Clients
from .._aws.errors import Kind, classify, explain, is_about_state
from .._aws.groups import ChangedSince, Group, check_unchanged
from .._aws.waiting import Lack, Waited, wait_for
from .._core import record
from .._core.errors import AuthError
from .._core.evidence import Answer, Belief, Evidence, believe
from .._core.explain import describe_all
from .._core.states import Call, CallKind, State, apply
from .._data_plane.probe import as_evidence
from .._fan_out import fan_out
from .change_run import ChangeRun, Order
from .observe import Observation
from .observe_groups import ask, conclude_run
from .outcome import shown_evidence, shown_states
from .staleness import Sent
from .tokens import TokenSet, label

#: For so long nodes may still answer in the old way after the API said that the change is done, seconds.
_NODES_GRACE = 30.0


def act(clients: Clients, order: Order, runs: Mapping[str, ChangeRun]) -> list[str]:
    """Make the planned call on every group; return those to look at again, because it may have been made or not, or
    because somebody else has changed the group since it was planned for.
    """

    def work(key: str) -> bool:
        return _act_on(clients, order, runs[key])

    results = fan_out(runs, work)
    again = []
    for key, result in results.items():
        if isinstance(result, Exception):
            runs[key].fail(str(result) if isinstance(result, AuthError) else f"{key}: {result}")
        elif result:
            again.append(key)
    return again


def _act_on(clients: Clients, order: Order, run: ChangeRun) -> bool:
    """Write ahead and call. Returns whether to look again.

    Raises :class:`AuthError` where AWS refuses, or could not be asked whether the group is as it was planned for.
    """
    if run.seen is None or run.plan is None:
        return False
    group, call, expected = run.seen.group, run.plan.calls[0], run.plan.after
    # First the queue, then the record: it says when the call was announced, and until when clients have time.
    turn = clients.turn(modify.ACTION)
    earlier, earlier_entry = run.sent, run.entry
    before = _entry(run, run.belief, None)
    run.entry = _entry(run, run.belief, call)
    if before and call.kind is CallKind.SET and run.seen.cutover_until:
        # A SET that is not made, in the end, leaves the client cutover as it was.
        before = replace(before, cutover_until=run.seen.cutover_until)
    if run.entry and order.soak > 0 and call.kind is not CallKind.SET:
        # Whoever goes on from here, however soon: clients have no less than this time.
        run.entry = replace(run.entry, cutover_until=int(time.time() + order.soak))
    if run.entry and order.moved:
        run.entry = replace(run.entry, cutover_until=run.entry.written_at)  # from here on SET is all that is missing
    announced = run.entry or _without_call(run.seen.entry)
    ahead = None
    if order.record and announced:
        try:
            ahead = _record(clients, run, announced)
        except Exception as error:
            if isinstance(error, ChangedSince) or classify(error) is Kind.BUSY:
                if earlier:
                    run.entry = earlier_entry  # its call may be what has changed the group
                else:
                    _overtaken(run, before, error)
                return True
            text = explain(error, "elasticache:AddTagsToResource", clients.region)
            raise AuthError(
                f"{group.id}: the record could not be written ahead of {call.kind.name}, so that is not called. {text} "
                "Without the record (record: false) a run that is cut off can't be told from one that never was."
            ) from error
    called_at, as_seen = run.called_at, run.progress.after
    unknown = shown_states(run.seen.belief.states | expected, group)
    attempted = float("-inf")

    def check() -> None:
        check_unchanged(clients, group, since=attempted)

    def make() -> None:
        nonlocal attempted
        now, attempted = time.time(), time.monotonic()
        run.progress.after = unknown  # until it is seen
        run.called_at = called_at or now
        run.sent, run.refused, run.expected = Sent(call, group.token_date, now), None, expected
        modify.modify(clients, group, call, run.tokens.values)

    try:
        clients.paced(modify.ACTION, make, check=check, turn=turn)
    except Exception as error:
        busy = isinstance(error, ChangedSince) or classify(error) is Kind.BUSY
        unmade = isinstance(error, AuthError) or busy
        if not unmade and classify(error) is Kind.AMBIGUOUS:
            return True
        if busy and earlier:
            run.sent = earlier  # which may be what it is busy with
            return True
        run.sent, run.refused, run.called_at, run.progress.after = None, ahead, called_at, as_seen
        if busy:
            _overtaken(run, before, error)
            return True
        left = _left_by_refusal(run, call, error)
        against = _speaks_against(run, call, error, left)
        if left:
            run.seen, run.progress.after = replace(run.seen, belief=Belief(left)), shown_states(left, group)
        if order.record and ahead:
            _take_back(clients, run, before, disproved=bool(left))
        if isinstance(error, AuthError):
            raise
        text = explain(error, f"elasticache:{modify.ACTION}", clients.region)
        raise AuthError(f"{group.id}: {text}{against}") from error
    return False


def _overtaken(run: ChangeRun, before: record.Entry | None, error: Exception) -> None:
    """Take note that somebody else is at work on the group: what was planned for it is planned anew."""
    if run.seen is None:
        return
    run.entry, run.overtaken = before, run.seen.group.token_date or ""
    if isinstance(error, ChangedSince):
        run.progress.warnings.append(f"{error} It is planned anew.")


def _without_call(entry: record.Entry | None) -> record.Entry | None:
    """Return a record that announces a call, without it; ``None`` for any other.

    Where the state is not certain nothing can be written ahead. But the date that the call to come moves must not make
    an older announcement, of a run that was cut off, look as if it had come true.
    """
    return replace(entry, call=None) if entry is not None and entry.call else None


def _take_back(clients: Clients, run: ChangeRun, before: record.Entry | None, *, disproved: bool) -> None:
    """Say in the record that the call which AWS refused was not made. The refusal is what the user must hear of.

    It speaks against what was assumed: then the earlier record is put back, if that was none of an assumption too. Of
    one that it has ``disproved`` nothing is kept.
    """
    if disproved:
        before = None
    elif run.seen and (before is None or before.assumed):
        earlier = run.seen.earlier or run.seen.entry
        before = None if earlier is None or earlier.assumed else earlier
    try:
        _record(clients, run, before)
    except Exception as error:  # pylint: disable=broad-exception-caught
        text = explain(error, "elasticache:AddTagsToResource", clients.region)
        run.progress.warnings.append(f"{run.progress.id}: the record still names the refused call. {text}")


def _left_by_refusal(run: ChangeRun, call: Call, error: Exception) -> frozenset[State]:
    """Return the states that are left when AWS refuses a SET that is right by the record, and no node was heard; none
    where it tells nothing. The date that a call on record was to move may have been moved by somebody else.
    """
    seen = run.seen
    if seen is None or call.kind is not CallKind.SET or not is_about_state(error):
        return frozenset()
    if seen.heard or seen.belief.assumed or not seen.belief.recorded:
        return frozenset()
    possible = believe(Evidence(seen.group.api, seen.tokens.names, complete=seen.tokens.complete)).states
    return frozenset(state for state in possible if apply(state, call) is None)


def _speaks_against(run: ChangeRun, call: Call, error: Exception, instead: frozenset[State]) -> str:
    """Say what AWS's refusal tells of a state that was assumed, or of one on record, ``instead`` of which others are
    possible; empty where it tells nothing.
    """
    belief = run.belief
    if instead:
        return f" So the record is wrong, and not kept. It may be {describe_all(instead, label)}."
    if run.seen is None or belief is None or not belief.assumed or not is_about_state(error):
        return ""
    others = run.seen.unassumed.states if run.seen.unassumed else run.seen.belief.states
    left = [state for state in others if apply(state, call) is None]
    may_be = f" It may be {describe_all(left, label)}." if left else ""
    return (
        f" So it is not {describe_all(belief.states, label)}, which was assumed and not known: the assumption is not "
        f"kept on record.{may_be}"
    )


def arrive(clients: Clients, order: Order, runs: Mapping[str, ChangeRun], deadline: float) -> None:
    """Wait for the groups on which a call was made, prove that they arrived, and write that down."""
    called = {key: run for key, run in runs.items() if run.sent and not run.progress.error and run.seen}
    sent: dict[str, Sent] = {}
    for key, run in called.items():
        if run.sent is None:
            continue
        note_sent(key, run)
        sent[key] = run.sent
        if not order.wait and run.plan:
            run.progress.msg = f"{key}: will become {describe_all(run.plan.after, label)}."
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

        def work(key: str) -> None:
            _write_down(clients, called[key])

        fan_out(arrived, work)


def note_sent(key: str, run: ChangeRun) -> None:
    """Put the call that was made, or may have been, among those that are told."""
    if run.sent is not None:
        run.progress.changed = True
        run.progress.api_calls.append(modify.shown(key, run.sent.call))


def _wait(clients: Clients, order: Order, sent: Mapping[str, Sent], deadline: float) -> dict[str, Waited]:
    """Wait for the calls to have been carried out; in the time that the last of them needs at least, nobody looks."""
    kind = next(iter(sent.values())).call.kind.value
    lacks: dict[str, Lack] = {key: call.lack for key, call in sent.items()}
    begun = time.time()
    after = max(call.at for call in sent.values()) + clients.known.least(kind) - begun
    ended = wait_for(clients, lacks, timeout=deadline - time.monotonic(), delay=order.delay, after=after)
    for key, end in ended.items():
        clients.known.learn(kind, None if end.lacking is None else begun + end.lacking - sent[key].at)
    return ended


def _prove(clients: Clients, order: Order, runs: Mapping[str, ChangeRun], groups: Mapping[str, Group]) -> None:
    """Ask the nodes whether what the API calls done is done; they get a while to agree."""
    pending = dict(groups)
    give_up = time.monotonic() + _NODES_GRACE
    while pending:
        told = ask(clients, order, {key: runs[key] for key in pending}, pending.values())
        for key, group in list(pending.items()):
            run = runs[key]
            seen = conclude_run(order, run, group, run.entry, told.get(key, ()))
            doubt = _doubt(order, run, seen)
            if doubt and time.monotonic() < give_up:
                continue
            del pending[key]
            run.progress.duration = time.monotonic() - run.begun
            if isinstance(seen, Observation):
                run.seen = seen
                run.progress.evidence = shown_evidence(group, seen.belief, seen.answers)
                run.progress.after = shown_states(seen.belief.states, group)
                run.progress.msg = f"{key}: now {describe_all(seen.belief.states, label)}."
            if doubt:
                run.fail(doubt)
            else:
                run.done_at = time.time()
        if pending:
            clients.pause(1.0)


def _doubt(order: Order, run: ChangeRun, seen: Observation | AuthError) -> str:
    """Say what speaks against the group having arrived; empty where nothing does."""
    if isinstance(seen, AuthError):
        return str(seen)
    told = as_evidence(seen.answers)
    wanted = order.wish(seen.group.id, run.tokens).token
    if not seen.belief.drift and (told is None or told.tokens.get(wanted) is not Answer.REFUSED):
        return ""
    return (
        f"{seen.group.id}: AWS reports the change as done, but after {_NODES_GRACE:.0f} s its nodes do not answer "
        f"accordingly: they may be {describe_all(seen.belief.states, label)}. "
        "Keep the previous token with the clients, and look at outcomes[...].evidence.nodes."
    )


def write_cutovers(clients: Clients, runs: Mapping[str, ChangeRun], seconds: float, *, take_over: bool) -> None:
    """Put on record that clients have so many ``seconds`` from now on, so that no other run cuts that short.

    What another run has put on record lasts longer where it is later, but with ``take_over``. A failure is a warning.
    """

    def work(key: str) -> None:
        run = runs[key]
        entry = _entry(run, run.seen.belief, None) if run.seen else None
        if run.seen is None or entry is None:
            return
        before = 0 if take_over else run.seen.cutover_until
        entry = replace(entry, cutover_until=max(int(time.time() + seconds), before))
        try:
            _record(clients, run, entry)
        except Exception as error:  # pylint: disable=broad-exception-caught
            text = explain(error, "elasticache:AddTagsToResource", clients.region)
            run.progress.warnings.append(
                f"{key}: the end of the client cutover could not be recorded, so another run may end it early. {text}"
            )
            return
        run.seen = replace(run.seen, entry=entry, recorded=frozenset(run.recorded))

    fan_out(runs, work)


def _write_down(clients: Clients, run: ChangeRun) -> None:
    """Record what is in force now. A failure is a warning: the call written ahead tells as much to the next run."""
    if run.seen is None or run.progress.error:
        return
    entry = _entry(run, run.seen.belief, None)
    if entry is None:
        return
    if run.called_at is not None:
        entry = replace(entry, took=max(round(time.time() - run.called_at), 0))
    try:
        _record(clients, run, entry)
    except Exception as error:  # pylint: disable=broad-exception-caught
        text = explain(error, "elasticache:AddTagsToResource", clients.region)
        run.progress.warnings.append(f"{run.progress.id}: the record was not brought up to date. {text}")
        return
    run.seen = replace(run.seen, recorded=frozenset(run.recorded))  # for who goes on from there


def _entry(run: ChangeRun, belief: Belief | None, call: Call | None) -> record.Entry | None:
    """Return what to write down, in token names; nothing where the state is not certain."""
    return _entry_of(run.seen, belief, call) if run.seen and belief else None


def _entry_of(seen: Observation, belief: Belief, call: Call | None) -> record.Entry | None:
    state = belief.certain
    if state is None:
        return None
    took = seen.entry.took if seen.entry else None  # of the last change, whatever is written now
    return record.Entry(state, call, seen.group.token_date, int(time.time()), assumed=belief.assumed, took=took)


def _record(clients: Clients, run: ChangeRun, entry: record.Entry | None) -> record.Entry | None:
    """Write ``entry`` (``None``: that nothing is known), its tokens by reference, and return it so.

    Raises botocore's exceptions, and :class:`ChangedSince` where another run has changed the group, or written a
    record, since this one looked.

    A token that the record names already keeps that name, and names that came from a record are references.
    """
    if run.seen is None:
        return None
    referring = entry and _referring(run.seen, run.tokens, entry)
    _write(clients, run.seen.group, referring, run.recorded)
    return referring


def _referring(seen: Observation, tokens: TokenSet, entry: record.Entry) -> record.Entry:
    """Return ``entry`` with its tokens by reference."""
    kept = seen.references
    used = {*entry.state.tokens, entry.call.token if entry.call else ""}
    names = {token.name: kept.get(token.name) or token.reference for token in tokens.all if token.name in used}
    return record.translate(entry, names)


def _write(clients: Clients, group: Group, entry: record.Entry | None, recorded: set[record.Entry]) -> None:
    """Write ``entry``, or that nothing is known. ``recorded``: the records that this run has read or written."""

    def check() -> None:
        check_unchanged(clients, group)
        _check_record(clients, recorded, group)

    if entry is not None:
        recorded.add(record.decode(record.encode(entry)))  # as it is read: tokens that are not at hand have other names
    records.write(clients, group, entry, check=check)


def put_on_record(clients: Clients, seen: Observation, now: Group | None = None) -> Observation:
    """Write down what a group accepts as it was seen, if that is certain, and return what was seen with that record.

    ``now``: the group after somebody else has changed it; what was seen before that tells the next run of the change.
    Raises as :func:`_record` does.
    """
    entry = _entry_of(seen, seen.belief, None)
    if entry is None:
        return seen
    entry = replace(entry, cutover_until=seen.cutover_until or None)
    recorded = set(seen.recorded)
    _write(clients, now or seen.group, _referring(seen, seen.tokens, entry), recorded)
    return replace(seen, entry=entry, recorded=frozenset(recorded), earlier=seen.earlier or seen.entry)


def _check_record(clients: Clients, recorded: Collection[record.Entry], group: Group) -> None:
    """Raise :class:`ChangedSince` where the record is one that this run has neither read nor written.

    Of one of a few groups it is read now. Of many groups all records are read every few seconds, and only one that is
    not this run's there is read singly: what is read in bulk may be an older one.
    """
    if clients.concurrent_groups > records.READ_SINGLY:
        lately = records.entry_in(records.read_lately(clients, group))
        if lately is None or lately in recorded:
            return
    entry = records.entry_in(records.read_singly(clients, [group])[group.id])
    if entry is not None and entry not in recorded:
        when = datetime.datetime.fromtimestamp(entry.written_at, datetime.timezone.utc)
        raise ChangedSince(f"{group.id}: another run has written its record, at {when.isoformat()}.")
