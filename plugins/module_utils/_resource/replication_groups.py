# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A replication group for :mod:`.reconcile`: how it is described, planned, called and waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._auth.in_force import check_token
from .._auth.tokens import TokenSet
from .._aws import groups, lifecycle, records, settings
from .._aws.errors import explain
from .._aws.groups import Group, describe_groups, describe_members
from .._aws.lifecycle import ResourceCall
from .._aws.readings import Shown, log_delivery_troubles
from .._aws.waiting import wait_for
from .._core import record
from .._core.errors import AuthError
from .._core.states import required
from .reconcile import Spec, asked
from .steps import creation_step, description_after, state_after, state_of, steps
from .wanted import Wanted, check_creation

_CREATE_FAILED = "create-failed"
_DELETING = ("deleting", "deleted")


@dataclass(frozen=True)
class Ending:
    """How the group is to be deleted."""

    final_snapshot: str | None = None
    retain_primary: bool = False


@dataclass
class GroupSpec(Spec[Wanted, Group]):
    """A replication group under way. ``tokens``: all at hand; ``ending``: how it is to be deleted.

    ``member``: one of its nodes as described; ``entry``: the record that its creation carries, ``recorded``: the date
    is in it; ``created``: it was made for certain; ``token_checked``: the token that is wanted was found in force.
    """

    tokens: TokenSet = field(default_factory=TokenSet)
    ending: Ending = field(default_factory=Ending)
    member: Mapping[str, Any] = field(default_factory=dict, init=False)
    entry: record.Entry | None = field(default=None, init=False)
    recorded: bool = field(default=False, init=False)
    created: bool = field(default=False, init=False)
    token_checked: bool = field(default=False, init=False)

    what = "group"
    describing = "DescribeReplicationGroups"
    create = lifecycle.CREATE
    delete = lifecycle.DELETE

    # --- Describing

    def describe(self) -> Group | None:
        """Ask AWS for the group."""
        return describe_groups(self.clients, [self.id]).get(self.id)

    def pending(self, current: Group) -> str:
        """Say what is under way. Raises where its creation failed."""
        if current.status == _CREATE_FAILED:
            raise AuthError(
                f"{self.id}: its creation failed (status create-failed). See why with 'aws elasticache describe-events "
                f"--source-type replication-group --source-identifier {self.id}', delete it with state: absent, "
                "and make it anew."
            )
        return current.pending

    def is_deleting(self, current: Group) -> bool:
        """Whether it is being deleted, or the snapshot is taken that comes before that."""
        ours = any(call["action"] == self.delete for call in self.progress.api_calls)
        return current.status in _DELETING or (ours and current.status == "snapshotting")

    def undeletable(self, current: Group) -> str:
        """Say what is under way; one whose creation failed can be deleted."""
        return "" if current.status == _CREATE_FAILED else current.pending

    def read(self, current: Group) -> None:
        """Read a member, and the tags where they are needed: AWS shows them only while nothing is under way."""
        members = asked(
            self, lambda: describe_members(self.clients, [current], all_nodes=False), "DescribeCacheClusters"
        )
        self.member = next(iter(members.values()), {})
        judged = self.wanted.token is not None and self.manner.record and not self.created
        needed = current.settled and (judged or self.wanted.tags is not None)
        self.tags = records.read_tags(self.clients, [current])[self.id] if needed else None

    def wait_for(self, lack: Callable[[Group], str], known: Group | None = None) -> Group | None:
        """Wait as for many groups, with those who look for all of them."""
        waited = wait_for(
            self.clients,
            {self.id: lack},
            timeout=self.left,
            delay=self.manner.delay,
            known=[known] if known else [],
        )[self.id]
        if waited.error and not waited.gone:
            raise AuthError(waited.error)
        return waited.group

    # --- Planning

    def plan(self, current: Group | None) -> list[ResourceCall]:
        """Return the calls that are left."""
        if current is None:
            check_creation(self.wanted)
            return [creation_step(self.wanted, self._record())]
        shown = self._shown(current)
        planned = [step for step in steps(self.wanted, shown) if not set(step.options) <= self.put_off]
        if not self.created and not self.token_checked:
            check_token(self.clients, shown, self.tokens, self.manner.probing, record=self.manner.record)
            self.token_checked = True
        return planned

    def _shown(self, current: Group) -> Shown:
        return Shown(current, self.member, self.tags)

    def _record(self) -> str | None:
        token = self.wanted.token
        if token is None or not self.manner.record:
            return None
        if self.entry is None:
            self.entry = record.Entry(required(token.reference), None, records.CREATION, int(time.time()))
        return record.encode(self.entry)

    def differing(self, current: Group) -> set[str]:
        """Return what differs, as far as it shows."""
        self.read(current)
        return {option for step in steps(self.wanted, self._shown(current)) for option in step.options}

    def unseen(self) -> bool:
        """Whether a token or tags are wanted."""
        return super().unseen() or self.wanted.token is not None

    def after_creation(self) -> set[str]:
        """Return the settings that a creation does not take."""
        return {name for name in self.wanted.settings if not settings.BY_OPTION[name].create}

    def deletion(self) -> ResourceCall:
        """Return DeleteReplicationGroup."""
        ending = self.ending
        return lifecycle.deletion(self.id, final_snapshot=ending.final_snapshot, retain_primary=ending.retain_primary)

    # --- Calling

    def check_unchanged(self, seen: Group | None) -> None:
        """Describe it again, among many by a look at all of them."""
        if seen is None:
            super().check_unchanged(seen)
        else:
            groups.check_unchanged(self.clients, seen)

    def overtaken(self) -> None:
        """Hold the token against the evidence anew."""
        self.token_checked = False

    def lacking(self, step: ResourceCall, current: Group) -> set[str]:
        """Return what the call does and is not done; what a creation does not do is planned for when it has ended."""
        return set() if step.action == self.create else super().lacking(step, current)

    def shown_otherwise(self, step: ResourceCall, options: set[str]) -> str:
        """Wait on for what is to be done at once; the rest is put off until the maintenance window."""
        if step.parameters.get("ApplyImmediately"):
            return f"it is available, but {', '.join(sorted(options))} is not as wanted yet"
        self.put_off |= options
        return ""

    def done(self, step: ResourceCall, current: Group | None) -> None:
        """Complete the record that the creation carried."""
        if step.action == self.create:
            self.created = True
            self._complete_record(current)

    def _complete_record(self, current: Group | None) -> None:
        """Put the token's date into the record: from then on a change by someone else shows. A failure is a warning."""
        if self.entry is None or current is None:
            return
        entry = record.Entry(self.entry.state, None, current.token_date, int(time.time()))
        self.recorded = True
        try:
            records.write(self.clients, current, entry, check=lambda: self.check_unchanged(current))
        except Exception as error:  # pylint: disable=broad-exception-caught
            text = explain(error, "elasticache:AddTagsToResource", self.clients.region)
            self.warn(f"the record was not brought up to date. {text}")

    # --- Results

    def state(self, current: Group) -> dict[str, Any]:
        """Return the group as it is, by option."""
        return state_of(self._shown(current))

    def state_after(self, current: Group | None, options: set[str]) -> dict[str, Any]:
        """Predict the group once these differences are ended."""
        return state_after(self.wanted, self.state(current) if current else None, options)

    def raw_after(self, current: Group | None, options: set[str]) -> dict[str, Any]:
        """Predict DescribeReplicationGroups' member."""
        return description_after(self.wanted, current.raw if current else {}, options)

    def finished(self, current: Group) -> str:
        """Complete a record whose creation's answer was lost; tell what waits for the maintenance window."""
        shown, wanted = self._shown(current), self.wanted
        self.progress.warnings += settings.contrary(shown, wanted.settings)
        self.progress.warnings += log_delivery_troubles(current)
        tag = (self.tags or {}).get(record.TAG_KEY)
        if tag and self.entry and not self.recorded and tag == record.encode(self.entry):
            self._complete_record(current)
        awaited = [found.setting.option for found in settings.differences(shown, wanted.settings, immediately=True)]
        if not awaited:
            return ""
        return f" Waiting for the maintenance window, unless apply_immediately is true: {', '.join(sorted(awaited))}."
