# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look at every group of a change, once nothing is under way there: the first step of each round."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace

from .._aws import records
from .._aws.clients import Clients
from .._aws.errors import explain
from .._aws.groups import Group, require_all
from .._aws.records import READ_SINGLY
from .._aws.user_groups import check_attachable, describe_user_groups
from .._aws.waiting import Lack, settled, wait_for
from .._core import record
from .._core.errors import AuthError
from .._data_plane.probe import NodeAnswer, Reach
from .._fan_out import fan_out
from .change_run import ChangeRun, Inquiry
from .observe import (
    Observation,
    SecondaryGroup,
    check_preconditions,
    conclude,
    engine_versions,
    probe_groups,
    read_records,
)
from .outcome import shown_evidence, shown_states
from .staleness import outlast, written

#: A change by someone else in the last so many seconds may go unseen: a batch's calls take as long after any look.
_MOMENT = 20.0


def observe_groups(clients: Clients, inquiry: Inquiry, runs: Mapping[str, ChangeRun], deadline: float) -> None:
    """Observe every group, once nothing is under way there: a change that is, is joined and not repeated."""
    for run in runs.values():
        run.seen = run.plan = None
    groups = _settled_groups(clients, inquiry, runs, deadline)
    groups = {key: group for key, group in groups.items() if not _is_known(runs[key], group)}
    recorded = read_records(clients, groups.values()) if inquiry.record else {}
    _observe(clients, inquiry, runs, groups, recorded, deadline)
    if inquiry.record and len(groups) > READ_SINGLY:
        # Tags read in bulk may be behind. A record that is missing there is asked for where it could settle anything.
        unsettled = [groups[key] for key in groups if not recorded.get(key) and _open(runs[key])]
        found = read_records(clients, unsettled, singly=True)
        _observe(clients, inquiry, runs, {key: groups[key] for key, entry in found.items() if entry}, found, deadline)


def _open(run: ChangeRun) -> bool:
    """Whether it is still open what the group accepts, or only some of its nodes have said so."""
    if run.seen is None or not run.seen.group.auth_token_enabled:
        return False
    everywhere = all(answer.reach is Reach.ANSWERED for answer in run.seen.answers) and run.seen.answers
    return run.seen.belief.certain is None or not everywhere


def _observe(
    clients: Clients,
    inquiry: Inquiry,
    runs: Mapping[str, ChangeRun],
    groups: Mapping[str, Group],
    recorded: Mapping[str, record.Entry | None],
    deadline: float,
) -> None:
    """Fill in what is seen of each group, given what is on record; what goes wrong is the group's own error."""
    groups = dict(groups)
    for key, found in recorded.items():
        if found is not None:
            runs[key].recorded.add(found)
    entries = {key: recorded.get(key) or runs[key].entry for key in groups}
    entries = {key: _without_refused(entry, runs[key].refused) for key, entry in entries.items()}
    withdrawn = {key: entry for key, entry in entries.items() if entry != recorded.get(key)}
    entries |= _withdraw(clients, runs, groups, withdrawn)
    fresh = outlast(clients, groups, {key: runs[key].sent or written(entries[key]) for key in groups})
    groups |= _settled_groups(clients, inquiry, {key: runs[key] for key in fresh}, deadline) if fresh else {}
    groups = {key: group for key, group in groups.items() if not runs[key].progress.error}
    told = ask(clients, inquiry, runs, groups.values())
    for key, group in groups.items():
        run = runs[key]
        seen = conclude_run(inquiry, run, group, entries.get(key), told.get(key, ()))
        if isinstance(seen, AuthError):
            run.fail(str(seen))
            continue
        run.seen = seen
        progress = run.progress
        progress.evidence = shown_evidence(group, seen.belief, seen.answers)
        progress.after = shown_states(seen.belief.states, group)
        progress.before = progress.before or progress.after
        progress.drift = progress.drift or seen.belief.drift


def _is_known(run: ChangeRun, group: Group) -> bool:
    """Take over what was seen a moment ago, where AWS shows the group unchanged: any change would have moved its date.

    It counts once: whoever has to look again has reason to.
    """
    known, run.known = run.known, None
    if known is None or known.group != group or not group.auth_token_enabled:
        return False
    run.seen = known
    run.recorded |= known.recorded
    run.progress.evidence = shown_evidence(group, known.belief, known.answers)
    run.progress.after = shown_states(known.belief.states, group)
    run.progress.before = run.progress.before or run.progress.after
    run.progress.drift = run.progress.drift or known.belief.drift
    return True


def ask(
    clients: Clients, inquiry: Inquiry, runs: Mapping[str, ChangeRun], groups: Iterable[Group]
) -> dict[str, tuple[NodeAnswer, ...]]:
    """Ask the nodes of those groups about which they have anything to add: a token hides its state, RBAC does not."""
    tokens = {key: run.tokens for key, run in runs.items()}
    return probe_groups(clients, [group for group in groups if group.auth_token_enabled], tokens, inquiry.probing)


def conclude_run(
    inquiry: Inquiry, run: ChangeRun, group: Group, entry: record.Entry | None, told: Iterable[NodeAnswer]
) -> Observation | AuthError:
    probing = inquiry.probing if group.auth_token_enabled else replace(inquiry.probing, mode="auto")
    try:
        return replace(conclude(group, run.tokens, entry, told, probing), recorded=frozenset(run.recorded))
    except AuthError as error:
        return error


def _settled_groups(
    clients: Clients, inquiry: Inquiry, runs: Mapping[str, ChangeRun], deadline: float
) -> dict[str, Group]:
    # Of groups that were seen a moment ago another part of the run may have had a look since.
    recent = all(run.known for run in runs.values())
    found = require_all(clients, runs, oldest=time.monotonic() - (_MOMENT if recent else 0.0))
    groups: dict[str, Group] = {}
    busy: dict[str, Lack] = {}
    for key, group in found.items():
        if isinstance(group, AuthError):
            runs[key].fail(str(group))
        elif group.is_secondary and (inquiry.kinds or inquiry.changes_access):
            runs[key].fail(SecondaryGroup(group))  # before it is waited for, or anything is made of what it shows
        elif group.settled:
            groups[key] = group
        elif inquiry.wait:
            busy[key] = settled
        elif runs[key].sent:
            # The connection broke, but the call is being carried out: that is all that was asked for.
            runs[key].progress.changed = True
            runs[key].progress.msg = f"{key}: the change is under way ({group.pending})."
        else:
            runs[key].fail(_refuse_busy(group))
    if busy:
        known = [group for group in found.values() if isinstance(group, Group)]
        waited = wait_for(clients, busy, timeout=deadline - time.monotonic(), delay=inquiry.delay, known=known)
        for key, end in waited.items():
            if end.error or end.group is None:
                runs[key].fail(end.error)
            else:
                groups[key] = end.group
    _check(clients, inquiry, runs, groups)
    return {key: group for key, group in groups.items() if not runs[key].progress.error}


class BusyGroup(AuthError):
    """Something is under way on the ``group``, and was not waited for."""

    def __init__(self, group: Group) -> None:
        self.group = group
        super().__init__(
            f"{group.id}: a change is under way ({group.pending}), and no other is begun. "
            "With wait: true it is waited for, and what is then left to do is done."
        )


def _refuse_busy(group: Group) -> AuthError:
    """Return why nothing is done to a group that is not settled."""
    try:
        settled(group)
    except AuthError as error:
        return error
    return BusyGroup(group)


def _check(clients: Clients, inquiry: Inquiry, runs: Mapping[str, ChangeRun], groups: Mapping[str, Group]) -> None:
    versions = engine_versions(clients, groups.values()) if inquiry.kinds else {}
    wanted = {key: inquiry.user_groups_of(key) for key in groups}
    user_groups = describe_user_groups(clients, itertools.chain(*wanted.values())) if inquiry.user_groups else {}
    for key, group in groups.items():
        try:
            if inquiry.kinds:
                check_preconditions(group, inquiry.kinds, versions)
            else:
                settled(group)  # raises where the group will never be available
            if set(wanted[key]) - set(group.user_group_ids):
                check_attachable(group, wanted[key], user_groups)
        except AuthError as error:
            runs[key].fail(str(error))


def _without_refused(entry: record.Entry | None, refused: record.Entry | None) -> record.Entry | None:
    """Return the record without the call that it announces if that is ours, and AWS did not take it.

    Someone else's change was under way then: the date that it moves must not be taken for our doing.
    """
    return replace(entry, call=None) if entry is not None and entry == refused else entry


def _withdraw(
    clients: Clients,
    runs: Mapping[str, ChangeRun],
    groups: Mapping[str, Group],
    entries: Mapping[str, record.Entry | None],
) -> dict[str, record.Entry]:
    """Write ``entries`` over records that announce a call that AWS did not take, so that no later run believes them.

    Returns the records that turn out to be newer ones of other runs, which stay: tags read in bulk may be behind.
    """
    refused = {key: entry for key, entry in entries.items() if entry is not None and runs[key].refused}
    newer: dict[str, record.Entry] = {}

    def work(key: str) -> None:
        now = records.entry_in(records.read_singly(clients, [groups[key]])[key])
        if now is not None and now != runs[key].refused:
            newer[key] = now
            runs[key].recorded.add(now)
        else:
            records.write(clients, groups[key], refused[key])

    for key, result in fan_out(refused, work).items():
        if isinstance(result, Exception):
            text = explain(result, "elasticache:AddTagsToResource", clients.region)
            runs[key].progress.warnings.append(f"{key}: the record still names the refused call. {text}")
    return newer
