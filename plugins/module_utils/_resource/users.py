# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make one user (RBAC) what is wanted, or end it. The loop is that of :mod:`.reconcile`.

Passwords stay in here and at the edges; no result or message holds one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .._auth.observe import ask_nodes
from .._aws import users
from .._aws.errors import explain
from .._aws.groups import OFF, Group, describe_groups
from .._aws.lifecycle import ResourceCall
from .._aws.user_groups import UserGroup, find_user_groups
from .._aws.users import DEFAULT_NAME, IAM, NO_PASSWORD, PASSWORD, User
from .._aws.waiting import settled, wait_for
from .._core import access_strings
from .._core.errors import AuthError
from .._data_plane.probe import Credential, untrusted
from .exclusive import other_user_groups, shared_user
from .rbac import NO_TAG, RbacSpec, without_version
from .reconcile import asked, wait_until
from .user_passwords import (
    CHANGING,
    TAG_KEY,
    Finding,
    Verdict,
    on_record,
    record_calls,
    shown_by_api,
    told_by_nodes,
    write_record,
)
from .user_wanted import ALWAYS, ON_CREATE, WantedUser, check_creation, fixed, given_options


@dataclass
class UserSpec(RbacSpec[WantedUser, User]):
    """A user under way. ``exclusive_to``: the only user groups that it may be in; ``None``: any.

    ``due``: its passwords are to be set; ``None`` until that is judged, which is once: setting them again is harmless,
    and right where a call's answer was lost. ``certain``: they were, by a call that AWS
    answered. ``tag``: what the record was before it was written ahead. ``group_ids``: the user groups that a change
    of the user keeps busy.
    """

    due: bool | None = None
    certain: bool = False
    is_ahead: bool = False
    tag: str | None = None
    group_ids: tuple[str, ...] = ()

    what = "user"
    describing = "DescribeUsers"
    create = users.CREATE
    delete = users.DELETE

    def describe(self) -> User | None:
        """Ask AWS for the user."""
        return users.describe_user(self.clients, self.id)

    @property
    def recording(self) -> bool:
        """Whether the record is kept, and read."""
        return self.manner.record

    def unseen(self) -> bool:
        """Whether passwords or tags are wanted."""
        return super().unseen() or (bool(self.wanted.passwords) and self.wanted.update_password != ON_CREATE)

    def needs_tags(self, _current: User) -> bool:
        """Whether the tags are wanted, or the record in them."""
        judged = bool(self.wanted.passwords) and self.wanted.update_password != ON_CREATE
        moves = self.wanted.authentication not in (None, _current.authentication)
        return super().needs_tags(_current) or (self.recording and (judged or moves))

    def differing(self, current: User) -> list[str]:
        """Return what differs from what DescribeUsers shows."""
        wanted = self.wanted
        differing = {
            "engine": wanted.engine not in (None, current.engine),
            "access_string": wanted.access_string is not None
            and not access_strings.same_access(wanted.access_string, current.access_string),
            "authentication": wanted.authentication not in (None, current.authentication),
            "passwords": bool(wanted.passwords)
            and wanted.update_password != ON_CREATE
            and shown_by_api(current, wanted.passwords) is not None,
        }
        return [name for name, differs in differing.items() if differs and name not in self.put_off]

    def plan(self, current: User | None) -> list[ResourceCall]:
        """Return the calls that are left."""
        wanted = self.wanted
        if current is None:
            check_creation(wanted)
            tags = dict(wanted.tags or {})
            if wanted.passwords and self.recording:
                tags[TAG_KEY] = wanted.record
            return [users.creation(self.id, wanted.name or self.id, self._members(None), tags, given_options(wanted))]
        self._check(current)
        found = [name for name in self.differing(current) if name != "passwords"]
        if self._passwords_due(current):
            found.append("passwords")
        planned: list[ResourceCall] = list(self.tagging(current))
        if found:
            if current.id == users.AWS_USER:
                raise AuthError(fixed(current.id))
            self._check_groups(current)
            planned.append(users.modification(self.id, self._members(found), found))
        return planned

    def _members(self, options: Sequence[str] | None) -> dict[str, Any]:
        """Return the members of the call for these options, of all that are given where ``None``."""
        wanted = self.wanted
        every = options is None
        options = options or ()
        authentication = every or {"authentication", "passwords"} & set(options)
        return users.members(
            engine=wanted.engine if every or "engine" in options else None,
            access_string=wanted.access_string if every or "access_string" in options else None,
            authentication=wanted.authentication if authentication else None,
            passwords=wanted.passwords,
        )

    def _check_exclusive(self, current: User) -> None:
        """Raise where the user is in a user group in which it may not be, as others would feel what is done to it."""
        if self.exclusive_to is None or not (others := other_user_groups(current, self.exclusive_to)):
            return
        found = asked(self, lambda: find_user_groups(self.clients, others), "DescribeUserGroups")
        raise AuthError(
            f"{self.id}: the user is also in {shared_user(current, self.exclusive_to, found)}, and a user that serves "
            "others is not changed or deleted here. Name another user, or take it out of there "
            "with elasticache.auth.user_group."
        )

    def _check(self, current: User) -> None:
        """Raise for what AWS can't change, or not that way."""
        wanted = self.wanted
        self._check_exclusive(current)
        if wanted.name not in (None, current.name):
            raise AuthError(
                f"{self.id}: user_name: {wanted.name} is wanted, but it is {current.name}, and AWS can't change it. "
                "Leave the option out, or make a user with another user_id and put that into the user groups."
            )
        if wanted.authentication == IAM and current.name != current.id:
            raise AuthError(
                f"{self.id}: authentication: iam needs a user whose name is its id, and its name is {current.name}, "
                "which AWS can't change. Make another user."
            )
        if wanted.authentication == PASSWORD and not wanted.passwords and current.authentication != PASSWORD:
            raise AuthError(
                f"{self.id}: authentication: password is wanted, it is {current.authentication}, and no password is "
                "given. Give passwords or password_secrets."
            )

    def _check_groups(self, current: User) -> None:
        """Raise where one of its user groups does not take the user as it will be, or is busy, and not waited for."""
        self.group_ids = current.user_group_ids
        groups = self._ready_groups()
        refusing = sorted(group.id for group in groups if group.engine == "valkey")
        moves = self.wanted.authentication != current.authentication
        if refusing and moves and self.wanted.authentication == NO_PASSWORD:
            raise AuthError(
                f"{self.id}: {NO_PASSWORD} is wanted, but it is in {', '.join(refusing)}, and a user group for valkey "
                "takes no user without a password. Take it out of there with elasticache.auth.user_group first, or "
                "keep a password."
            )

    def _ready_groups(self) -> list[UserGroup]:
        """Return its user groups once nothing is under way there: AWS changes no user of a busy one."""
        if self.manner.wait:
            wait_until(self, self.others)
        groups = self._groups()
        busy = [f"{group.id} is {group.status}" for group in groups if group.busy]
        if busy and not self.manner.wait:
            raise AuthError(
                f"{self.id}: a change of its user group is under way ({', '.join(busy)}), and no other is begun. "
                "With wait: true it is waited for."
            )
        return groups

    def _groups(self) -> list[UserGroup]:
        found = asked(self, lambda: find_user_groups(self.clients, self.group_ids), "DescribeUserGroups")
        return [found[key] for key in sorted(found)]

    def others(self) -> str:
        """Say which of its user groups are busy."""
        groups = self._groups() if self.group_ids else ()
        return ", ".join(f"its user group {group.id} is {group.status}" for group in groups if group.busy)

    # --- Passwords

    def overtaken(self) -> None:
        """Judge the passwords anew, unless a call has set them, or may have."""
        if not self.sent and not self.is_ahead:
            self.due = None

    def _passwords_due(self, current: User) -> bool:
        """Whether the passwords are to be set. Raises where that is not known and ``update_password`` is auto."""
        wanted = self.wanted
        if not wanted.passwords or self.certain:
            return False
        if self.due is None:
            self.due = self._judge(current)
        return self.due

    def _judge(self, current: User) -> bool:
        wanted = self.wanted
        if wanted.update_password == ON_CREATE and current.authentication == PASSWORD:
            return False
        told = shown_by_api(current, wanted.passwords)
        findings = [told] if told else self._findings(current)
        known = [finding for finding in findings if finding.verdict is not Verdict.UNKNOWN]
        finding = known[0] if known else None
        if len({finding.verdict for finding in known}) > 1 and not self.making:
            self.warn(
                "the record and the nodes contradict each other: its passwords were changed elsewhere. "
                "The nodes count.",
            )
        if not self.making:
            self._show(finding, findings)
        if finding:
            return finding.verdict is Verdict.NOT_IN_FORCE
        if wanted.update_password == ALWAYS or self.making:
            return True
        reasons = "; ".join(finding.why for finding in findings) or "record is false"
        raise AuthError(
            f"{self.id}: whether the passwords given are in force is not known, as AWS never returns them: {reasons}. "
            "Name a replication group that has the user in probe_replication_group_id, so that its nodes are asked; or "
            "set update_password: always to set them, after which they are on record; or update_password: on_create "
            "to leave them as they are."
        )

    def _findings(self, current: User) -> list[Finding]:
        findings = [self._ask(current, self.wanted.probe_group)] if self.wanted.probe_group else []
        if self.recording and self.tags is not None:
            findings.append(on_record(self.tags, self.wanted.passwords))
        return findings

    def _show(self, finding: Finding | None, findings: Sequence[Finding]) -> None:
        told = finding or Finding(Verdict.UNKNOWN, "none", "; ".join(finding.why for finding in findings))
        nodes = [dict(node) for finding in findings for node in finding.nodes]
        self.progress.evidence = {
            "passwords": told.verdict.value,
            "source": told.source,
            "explanation": told.why,
            "nodes": nodes,
        }
        if self.progress.before is not None:
            self.progress.before["passwords"] = told.verdict.value

    def _ask(self, current: User, group_id: str) -> Finding:
        """Ask the nodes of a replication group for the passwords. Raises :class:`AuthError` where that can't be."""
        group = self._probed(group_id)
        shared = set(group.user_group_ids) & set(current.user_group_ids)
        lack = ""
        if group.pending:
            lack = f"{group_id} is busy ({group.pending})"
        elif not shared:
            lack = f"the user is in none of the user groups of {group_id}, so its nodes don't know it"
        elif not current.enabled:
            lack = f"the user is off, so the nodes of {group_id} refuse it whatever its password"
        elif group.tls == OFF:
            lack = f"{group_id} has no encryption in transit, so no password is sent there"
        if lack:
            return Finding(Verdict.UNKNOWN, "probe", lack)
        credentials = {
            f"password {number}": Credential(password, current.name)
            for number, password in enumerate(self.wanted.passwords, 1)
        }
        try:
            answers = ask_nodes(self.clients, [group], {group_id: credentials}, self.manner.probing)[group_id]
        except AuthError as error:
            raise AuthError(f"{self.id}: probe_replication_group_id: {error}") from error
        if problem := untrusted(group_id, answers):
            raise AuthError(f"{self.id}: probe_replication_group_id: {problem}")
        return told_by_nodes(group_id, answers)

    def _probed(self, group_id: str) -> Group:
        groups = asked(self, lambda: describe_groups(self.clients, [group_id]), "DescribeReplicationGroups")
        group: Group | None = groups.get(group_id)
        if group is not None and group.pending and self.manner.wait:
            waited = wait_for(
                self.clients, {group_id: settled}, timeout=self.left, delay=self.manner.delay, known=[group]
            )[group_id]
            if waited.error:
                raise AuthError(f"{self.id}: probe_replication_group_id: {waited.error}")
            group = waited.group
        if group is None:
            raise AuthError(
                f"{self.id}: probe_replication_group_id: there is no replication group {group_id} in "
                f"{self.clients.region}. Name one that has the user, or leave the option out."
            )
        return group

    def ahead(self, step: ResourceCall, current: User | None) -> None:
        """Put on record that the passwords are about to be changed, or take the record of them away."""
        super().ahead(step, current)
        if self.is_ahead or self.tags is None or current is None or not self._on_record(step):
            return
        self.tag = self.tags.get(TAG_KEY)
        if self.wanted.passwords:
            asked(self, lambda: write_record(self.clients, current.arn, CHANGING), "AddTagsToResource", NO_TAG)
        elif self.tag is not None:
            asked(self, lambda: write_record(self.clients, current.arn, None), "RemoveTagsFromResource", NO_TAG)
        else:
            return
        self.is_ahead = True

    def _on_record(self, step: ResourceCall) -> bool:
        """Whether a call changes what the record is about."""
        return self.recording and step.action == users.MODIFY and "AuthenticationMode" in step.parameters

    def accompanying(self, step: ResourceCall, current: User | None) -> tuple[list[ResourceCall], list[ResourceCall]]:
        """Return the calls that write the record ahead of a change of the passwords, and after it."""
        if self.tags is None or current is None or not self._on_record(step):
            return [], []
        if self.wanted.passwords:
            return record_calls(current.arn, CHANGING), record_calls(current.arn, self.wanted.record)
        return (record_calls(current.arn, None) if TAG_KEY in self.tags else []), []

    def done(self, step: ResourceCall, current: User | None) -> None:
        """Complete the record, and have the nodes prove the passwords, if they were set."""
        if "AuthenticationMode" not in step.parameters:
            return
        self.certain, self.is_ahead = True, False
        if step.action != users.MODIFY or not self.wanted.passwords or current is None:
            return
        if self.recording:
            try:
                write_record(self.clients, current.arn, self.wanted.record)
            except Exception as error:  # pylint: disable=broad-exception-caught
                text = explain(error, "elasticache:AddTagsToResource", self.clients.region)
                self.warn(f"the record was not brought up to date. {text}")
        if self.manner.wait and self.wanted.probe_group:
            wait_until(self, lambda: self._unproven(current, str(self.wanted.probe_group)))

    def _unproven(self, current: User, group_id: str) -> str:
        finding = self._ask(current, group_id)
        return finding.why if finding.verdict is Verdict.NOT_IN_FORCE else ""

    def refused(self, current: User | None) -> None:
        """Take back what was put on record ahead of a call that AWS has refused, unless one before it got no answer."""
        is_unanswered = any(call["action"] == users.MODIFY for call in self.progress.api_calls)
        if self.is_ahead and current is not None and not is_unanswered:
            self.is_ahead = False
            try:
                write_record(self.clients, current.arn, self.tag)
            except Exception as error:  # pylint: disable=broad-exception-caught
                text = explain(error, "elasticache:AddTagsToResource", self.clients.region)
                self.warn(f"the record was not put back. {text}")

    # --- Results

    def state(self, current: User) -> dict[str, Any]:
        """Return the user as it is, by option."""
        state: dict[str, Any] = {
            "user_name": current.name,
            "engine": current.engine,
            "access_string": current.access_string,
            "authentication": current.authentication,
            "password_count": current.password_count or 0,
            "user_group_ids": sorted(current.user_group_ids),
        }
        state |= self.own_tags()
        if self.certain and self.wanted.passwords:
            state["passwords"] = Verdict.IN_FORCE.value
        elif self.progress.evidence is not None:
            state["passwords"] = self.progress.evidence["passwords"]
        return state

    def state_after(self, current: User | None, options: set[str]) -> dict[str, Any]:
        """Predict the user once these differences are ended."""
        wanted = self.wanted
        after = {"user_group_ids": []} if current is None else self.state(current)
        given = {
            "user_name": wanted.name or self.id,
            "engine": wanted.engine,
            "access_string": wanted.access_string,
            "authentication": wanted.authentication,
        }
        after |= {name: value for name, value in given.items() if current is None or name in options}
        if current is None or {"authentication", "passwords"} & options:
            after["password_count"] = len(wanted.passwords)
        if wanted.passwords and (current is None or "passwords" in options):
            after["passwords"] = Verdict.IN_FORCE.value
        return after | self.own_tags_after()

    def raw_after(self, current: User | None, options: set[str]) -> dict[str, Any]:
        """Predict DescribeUsers' member."""
        after = self.state_after(current, options)
        count = {"PasswordCount": after["password_count"]} if after["authentication"] == PASSWORD else {}
        kind = "no-password" if after["authentication"] == NO_PASSWORD else after["authentication"]
        raw = without_version(current.raw, options) if current else {"UserId": self.id}
        return {
            **raw,
            "UserName": after["user_name"],
            "Engine": after["engine"],
            "AccessString": after["access_string"],
            "UserGroupIds": after["user_group_ids"],
            "Authentication": {"Type": kind, **count},
        }

    # --- Its deletion

    def check_deletion(self, current: User) -> None:
        """Raise for AWS's own user and the default of a group for redis; warn of the groups that lose the user."""
        if current.id == users.AWS_USER:
            raise AuthError(fixed(current.id))
        self._check_exclusive(current)
        self.group_ids = current.user_group_ids
        if not self.group_ids:
            return
        groups = self._ready_groups()
        needing = sorted(group.id for group in groups if group.engine == "redis")
        if needing and current.name == DEFAULT_NAME:
            raise AuthError(
                f"{self.id}: it is the user named {DEFAULT_NAME} of {', '.join(needing)}, and a user group for redis "
                "needs one. Put another user of that name in its place with elasticache.auth.user_group, or delete the "
                "user group."
            )
        caches = sorted({key for group in groups for key in (*group.replication_groups, *group.serverless_caches)})
        ends = f" Its clients of {', '.join(caches)} are disconnected and refused." if caches else ""
        self.warn(f"AWS takes the deleted user out of its user groups {', '.join(self.group_ids)}.{ends}")

    def deletion(self) -> ResourceCall:
        """Return DeleteUser."""
        return users.deletion(self.id)
