# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make one replication group what is wanted, or end it: look, compare, call, wait, look again.

Nothing is called before everything that AWS would refuse has been looked for; a call whose answer was lost is never
repeated before the group has been looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._auth.in_force import check_token
from .._auth.outcome import Progress
from .._auth.staleness import GRACE
from .._auth.tokens import TokenSet
from .._aws import lifecycle, records, settings
from .._aws.clients import Clients
from .._aws.errors import Kind, classify, code_of, explain, is_denied, words_of
from .._aws.groups import ChangedSince, Group, check_unchanged, describe_groups, describe_members
from .._aws.lifecycle import Step
from .._aws.readings import Shown, log_delivery_troubles
from .._aws.waiting import Lack, Waited, wait_for
from .._core import record
from .._core.errors import AuthError
from .._core.states import required
from .reconcile import Manner, Outcome
from .steps import creation_step, description_after, state_after, state_of, steps
from .wanted import Wanted, check_creation

#: How often the group is looked at anew: a few calls, and a few that met a busy group or a broken connection.
_MAX_ROUNDS = 24
_CREATE_FAILED = "create-failed"
_DELETING = ("deleting", "deleted")


@dataclass(frozen=True)
class Ending:
    """How the group is to end."""

    final_snapshot: str | None = None
    retain_primary: bool = False


@dataclass
class _Case:
    """The group under way. ``entry``: the record that its creation carries.

    ``sent``: a call was made, or may have been; ``making``: that of its creation; ``created``: that one for certain.
    ``put_off``: options that AWS took and has not carried out, as it does in the maintenance window.
    """

    clients: Clients
    wanted: Wanted
    tokens: TokenSet
    manner: Manner
    progress: Progress
    begun: float
    raw: Mapping[str, Any] = field(default_factory=dict)
    entry: record.Entry | None = None
    created: bool = False
    making: bool = False
    sent: bool = False
    recorded: bool = False
    token_checked: bool = False
    ended: list[str] = field(default_factory=list)
    put_off: set[str] = field(default_factory=set)

    @property
    def left(self) -> float:
        """Seconds left of the time limit."""
        return self.begun + self.manner.timeout - time.monotonic()


def make_present(clients: Clients, wanted: Wanted, tokens: TokenSet, manner: Manner) -> Outcome:
    """Create the group, or change what differs in place. What goes wrong is in the outcome's ``progress.error``."""
    return _guarded(_Case(clients, wanted, tokens, manner, Progress(wanted.id), time.monotonic()), _present)


def make_absent(clients: Clients, group_id: str, ending: Ending, manner: Manner) -> Outcome:
    """Delete the group, or join its deletion. What goes wrong is in the outcome's ``progress.error``."""
    case = _Case(clients, Wanted(group_id), TokenSet(), manner, Progress(group_id), time.monotonic())
    return _guarded(case, lambda one: _absent(one, ending))


def _guarded(case: _Case, work: Callable[[_Case], None]) -> Outcome:
    try:
        work(case)
    except AuthError as error:
        case.progress.error = str(error)
    case.progress.duration = time.monotonic() - case.begun
    return Outcome(case.progress, case.raw)


# --- Present --------------------------------------------------------------------------------------------------------


def _present(case: _Case) -> None:
    key = case.wanted.id
    for _dummy in range(_MAX_ROUNDS):
        shown = _look(case)
        if shown is not None and not shown.group.settled:
            _leave_busy(case, shown)
            return
        planned = _plan(case, shown)
        if case.manner.check_mode:
            _predict(case, shown, planned)
            return
        if not planned:
            _finish(case, shown)
            return
        step = planned[0]
        if not _act(case, step, shown.group if shown else None):
            case.clients.pause(min(case.manner.delay, 1.0))
            continue
        tagging = step.action in (lifecycle.ADD_TAGS, lifecycle.REMOVE_TAGS)
        if not case.manner.wait and not tagging:
            _leave(case, shown, planned)
            return
        if not tagging:
            _arrive(case, step)
        case.ended += step.options
    raise AuthError(
        f"{key}: AWS was busy with it, or the connection broke, again and again ({_MAX_ROUNDS} tries). Run this again."
    )


def _look(case: _Case) -> Shown | None:
    """Describe the group once nothing is under way there (with ``wait``); ``None`` where there is none."""
    group = _describe(case)
    if group is not None and not group.settled and case.manner.wait:
        group = _wait_settled(case, group)
    if group is not None and group.status in _DELETING:
        if not case.manner.wait:
            raise AuthError(
                f"{group.id}: it is being deleted. With wait: true its end is waited for, and then it is made anew."
            )
        _wait_gone(case, group)
        group = None
    if group is None:
        return None
    if group.status == _CREATE_FAILED:
        raise _creation_failed(group.id)
    case.raw = group.raw
    shown = Shown(group, _member(case, group), _tags(case, group))
    if case.progress.before is None and not case.sent:
        case.progress.before = state_of(shown)
    return shown


def _describe(case: _Case) -> Group | None:
    key = case.wanted.id
    try:
        return describe_groups(case.clients, [key]).get(key)
    except Exception as error:
        raise AuthError(
            f"{key}: {explain(error, 'elasticache:DescribeReplicationGroups', case.clients.region)}"
        ) from error


def _member(case: _Case, group: Group) -> Mapping[str, Any]:
    try:
        members = describe_members(case.clients, [group], all_nodes=False)
    except Exception as error:
        raise AuthError(
            f"{group.id}: {explain(error, 'elasticache:DescribeCacheClusters', case.clients.region)}"
        ) from error
    return next(iter(members.values()), {})


def _tags(case: _Case, group: Group) -> Mapping[str, str] | None:
    """Read the tags where they are needed: AWS shows them only while nothing is under way."""
    token = case.wanted.token is not None and case.manner.record and not case.created
    if not group.settled or not (token or case.wanted.tags is not None):
        return None
    return records.read_tags(case.clients, [group])[group.id]


def _plan(case: _Case, shown: Shown | None) -> list[Step]:
    """Return the calls that are left. Raises for whatever AWS would refuse, before the first is made."""
    wanted = case.wanted
    if shown is None:
        check_creation(wanted)
        return [creation_step(wanted, _record(case))]
    planned = [step for step in steps(wanted, shown) if not set(step.options) <= case.put_off]
    if not case.created and not case.token_checked:
        check_token(case.clients, shown, case.tokens, case.manner.probing, record=case.manner.record)
        case.token_checked = True
    return planned


def _record(case: _Case) -> str | None:
    token = case.wanted.token
    if token is None or not case.manner.record:
        return None
    if case.entry is None:
        case.entry = record.Entry(required(token.reference), None, records.CREATION, int(time.time()))
    return record.encode(case.entry)


def _predict(case: _Case, shown: Shown | None, planned: list[Step]) -> None:
    options = {option for step in planned for option in step.options}
    progress, wanted = case.progress, case.wanted
    progress.changed = bool(planned)
    progress.actions = [step.shown() for step in planned]
    progress.after = state_after(wanted, state_of(shown) if shown else None, options)
    case.raw = description_after(wanted, case.raw if shown else {}, options)
    if shown is None:
        progress.msg = f"{wanted.id}: would be created."
    elif planned:
        progress.msg = f"{wanted.id}: would be changed: {', '.join(sorted(options))}."
    else:
        progress.msg = f"{wanted.id}: already as wanted."


def _finish(case: _Case, shown: Shown | None) -> None:
    if shown is None:  # cannot be: without the group there is a call to make
        return
    progress, key = case.progress, case.wanted.id
    progress.after = state_of(shown)
    progress.warnings += settings.contrary(shown, case.wanted.settings)
    progress.warnings += log_delivery_troubles(shown.group)
    ended = sorted(set(case.ended))
    tag = (shown.tags or {}).get(record.TAG_KEY)
    if tag and case.entry and not case.recorded and tag == record.encode(case.entry):
        _complete_record(case, shown.group)
    if case.making:
        progress.msg = f"{key}: created."
    elif ended:
        progress.msg = f"{key}: changed: {', '.join(ended)}."
    else:
        progress.msg = f"{key}: already as wanted."
    awaited = [one.setting.option for one in settings.differences(shown, case.wanted.settings, immediately=True)]
    if awaited:
        progress.msg += (
            f" Waiting for the maintenance window, unless apply_immediately is true: {', '.join(sorted(awaited))}."
        )


def _leave_busy(case: _Case, shown: Shown) -> None:
    """Without ``wait``, leave a group alone on which something is under way, if that leaves nothing undone."""
    wanted, progress = case.wanted, case.progress
    if case.sent:
        _leave(case, shown, [])
        return
    planned = steps(wanted, shown)
    if planned or wanted.tags is not None or wanted.token:
        raise AuthError(
            f"{wanted.id}: a change is under way ({shown.group.pending}), and no other is begun. "
            "With wait: true it is waited for, and what is then left to do is done."
        )
    progress.after = state_of(shown)
    progress.msg = f"{wanted.id}: as wanted, but a change is under way ({shown.group.pending})."


def _leave(case: _Case, shown: Shown | None, planned: list[Step]) -> None:
    """Without ``wait``, tell what is under way and what is still to be called."""
    progress, wanted = case.progress, case.wanted
    done = {option for step in planned[:1] for option in step.options}
    before = None if case.making or shown is None else state_of(shown)
    progress.after = state_after(wanted, before, done)
    group = _describe(case)
    case.raw = group.raw if group else case.raw
    progress.msg = f"{wanted.id}: {'is being created' if case.making else 'is being changed'}."
    rest = sorted({option for step in planned[1:] for option in step.options} - done)
    if case.making:
        rest = sorted(name for name in wanted.settings if not _at_creation(name))
    if rest:
        progress.warnings.append(
            f"{wanted.id}: {', '.join(rest)} is left to do: AWS takes it once the group is available. "
            "Run this again then, or use wait: true."
        )


def _at_creation(option: str) -> bool:
    return bool(settings.BY_OPTION[option].create)


def _act(case: _Case, step: Step, group: Group | None) -> bool:
    """Make the call. Returns whether it was made for certain; if not, look again. Raises where AWS refuses it.

    ``group``: as it was looked at. It is described again before each attempt, and looked at anew where it has changed.
    """
    key = case.wanted.id

    def check() -> None:
        if group is not None:
            check_unchanged(case.clients, group)

    try:
        lifecycle.perform(case.clients, key, step, check=check)
    except ChangedSince:
        return False
    except AuthError:
        raise
    except Exception as error:
        kind = classify(error)
        if kind is Kind.AMBIGUOUS:
            _note(case, step)
            return False
        exists = step.action == lifecycle.CREATE and code_of(error).startswith("ReplicationGroupAlreadyExists")
        gone = step.action == lifecycle.DELETE and code_of(error).startswith("ReplicationGroupNotFound")
        if kind is Kind.BUSY or exists or gone:
            if not case.manner.wait and kind is Kind.BUSY:
                raise AuthError(
                    f"{key}: a change is under way, so AWS did not take the call: {words_of(error)} "
                    "With wait: true it is waited for."
                ) from error
            return False
        text = explain(error, f"elasticache:{step.action}", case.clients.region)
        hint = ""
        if step.action == lifecycle.CREATE and case.entry and is_denied(error):
            hint = " The record is a tag, which needs elasticache:AddTagsToResource; record: false does without."
        raise AuthError(f"{key}: {text}{hint}") from error
    _note(case, step)
    case.created = case.created or step.action == lifecycle.CREATE
    return True


def _note(case: _Case, step: Step) -> None:
    """Put the call among those that were made, once though it be repeated."""
    case.sent = case.progress.changed = True
    case.making = case.making or step.action == lifecycle.CREATE
    shown = step.shown()
    if shown not in case.progress.actions:
        case.progress.actions.append(shown)


def _arrive(case: _Case, step: Step) -> None:
    """Wait until what the call does is done.

    Status alone is not enough: right after the call a describe may show the group as it was before, or not at all.
    """
    made = time.monotonic()
    while True:
        fresh = time.monotonic() - made < GRACE
        shown = _look(case)
        if step.action == lifecycle.CREATE:
            if shown is not None:
                _complete_record(case, shown.group)
                return
            if not fresh:
                raise AuthError(
                    f"{case.wanted.id}: AWS took the call that makes it, but shows no such group. Run this again."
                )
        elif shown is None:
            raise AuthError(f"{case.wanted.id}: it was deleted while it was changed.")
        else:
            remaining = _remaining(case.wanted, shown, step)
            if not remaining:
                return
            if not fresh and not step.parameters.get("ApplyImmediately"):
                case.put_off |= remaining
                return
            if case.left <= 0:
                raise AuthError(
                    f"{case.wanted.id}: not done after {case.manner.timeout:.0f} s: it is available, but "
                    f"{', '.join(sorted(remaining))} is not as wanted yet. Run this again, or raise wait_timeout."
                )
        case.clients.pause(min(case.manner.delay, 1.0) if fresh else case.manner.delay)


def _remaining(wanted: Wanted, shown: Shown, step: Step) -> set[str]:
    return {option for one in steps(wanted, shown) for option in one.options} & set(step.options)


def _complete_record(case: _Case, group: Group) -> None:
    """Put the token's date into the record: from then on a change by someone else shows. A failure is a warning."""
    if case.entry is None:
        return
    entry = record.Entry(case.entry.state, None, group.token_date, int(time.time()))
    case.recorded = True
    try:
        records.write(case.clients, group, entry, check=lambda: check_unchanged(case.clients, group))
    except Exception as error:  # pylint: disable=broad-exception-caught
        text = explain(error, "elasticache:AddTagsToResource", case.clients.region)
        case.progress.warnings.append(f"{group.id}: the record was not brought up to date. {text}")


# --- Absent ---------------------------------------------------------------------------------------------------------


def _absent(case: _Case, ending: Ending) -> None:
    key, progress, manner = case.wanted.id, case.progress, case.manner
    step = lifecycle.deletion(key, final_snapshot=ending.final_snapshot, retain_primary=ending.retain_primary)
    for _dummy in range(_MAX_ROUNDS):
        group = _describe(case)
        case.raw = group.raw if group else {}
        progress.after = {}
        if group is None:
            joined = "gone, its deletion was already under way" if progress.before else "there is no such group"
            progress.msg = f"{key}: {'deleted' if case.sent else joined}."
            return
        if progress.before is None:
            progress.before = state_of(Shown(group, _member(case, group)))
        under_way = group.status in _DELETING or (case.sent and group.status == "snapshotting")
        if manner.check_mode and (under_way or not manner.wait or _deletable(group) == ""):
            progress.changed = not under_way
            progress.actions = [] if under_way else [step.shown()]
            progress.msg = f"{key}: {'is being deleted' if under_way else 'would be deleted'}."
            case.raw = {}
            return
        if under_way and not manner.wait:
            progress.msg = f"{key}: is being deleted."
            return
        if under_way:
            _wait_gone(case, group)
            continue
        if lack := _deletable(group):
            if not manner.wait:
                raise AuthError(
                    f"{key}: a change is under way ({lack}), and AWS deletes it only when that has ended. "
                    "With wait: true it is waited for."
                )
            _raise_unless_gone(_wait(case, group, _deletable))
            continue
        if _act(case, step, group) and manner.wait:
            _wait_gone(case, None)
        elif not manner.wait and case.sent:
            progress.msg = f"{key}: is being deleted."
            return
    raise AuthError(
        f"{key}: AWS was busy with it, or the connection broke, again and again ({_MAX_ROUNDS} tries). Run this again."
    )


def _deletable(group: Group) -> str:
    """Lack nothing when DeleteReplicationGroup would be taken, or is not needed any more."""
    return "" if group.status in (_CREATE_FAILED, *_DELETING) else group.pending


# --- Waiting --------------------------------------------------------------------------------------------------------


def _wait(case: _Case, group: Group | None, lack: Lack) -> Waited:
    known = [group] if group else []
    key = case.wanted.id
    return wait_for(case.clients, {key: lack}, timeout=case.left, delay=case.manner.delay, known=known)[key]


def _wait_settled(case: _Case, group: Group) -> Group | None:
    def lack(one: Group) -> str:
        if one.status == _CREATE_FAILED:
            raise _creation_failed(one.id)
        return "" if one.status in _DELETING else one.pending

    end = _wait(case, group, lack)
    _raise_unless_gone(end)
    return end.group


def _wait_gone(case: _Case, group: Group | None) -> None:
    _raise_unless_gone(_wait(case, group, lambda one: f"it is not gone yet, its status is {one.status}"))
    case.raw = {}


def _raise_unless_gone(end: Waited) -> None:
    """Raise what went wrong while waiting; that the group is gone is for the caller to judge."""
    if end.error and (end.group is not None or end.lack):
        raise AuthError(end.error)


def _creation_failed(group_id: str) -> AuthError:
    return AuthError(
        f"{group_id}: its creation failed (status create-failed). See why with 'aws elasticache describe-events "
        f"--source-type replication-group --source-identifier {group_id}', delete it with state: absent, "
        "and make it anew."
    )
