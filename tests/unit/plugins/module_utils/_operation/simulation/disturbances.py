# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What goes wrong in a run: lost answers, refusals that pass, its end at any call, a change by somebody else."""

from __future__ import annotations

import contextlib
import enum
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, ConnectionClosedError

from ansible_collections.elasticache.auth.plugins.module_utils._core.record import TAG_KEY

from .model_aws import Aws, Call, Interceptor, refusal
from .promises import OUTSIDE, Watch, stored_tokens
from .runs import Killed
from .scenes import CURRENT, FOREIGN, GROUP, PENDING, SECRET, Scene, add_version


class Fault(enum.Enum):
    """What happens to a call."""

    LOST_BEFORE = "its request got lost"
    LOST_AFTER = "its answer got lost"
    THROTTLED = "throttled"
    DENIED = "denied"
    UNAVAILABLE = "carried out, and answered with status 503"


class Ending(enum.Enum):
    """How a run is ended."""

    BEFORE = "killed before the call"
    AFTER = "killed after the call"
    INTERRUPTED = "interrupted"


class Outside(enum.Enum):
    """What somebody else does."""

    ROTATE_NEW = "ROTATE of a token that no secret holds"
    ROTATE_STORED = "ROTATE of a token in the secret"
    SET = "SET of the newest token"
    ATTACH = "a user group in place of the token"
    DETACH = "the user groups taken away"
    STAGE = "another version in AWSPENDING"
    UNSTAGE = "AWSPENDING taken off"
    PROMOTE = "AWSPENDING moved to AWSCURRENT"
    REPLACE = "another token in AWSCURRENT"
    DELETE_RECORD = "the record deleted"
    MAINTENANCE = "another change of the group"
    OPERATION = "a run of the same operation"


@dataclass(frozen=True)
class Disturbances:
    """What befalls a run. Numbers are those of calls; in ``hits`` and ``ending`` of calls that change something.

    ``gap``: seconds from the end of this run to the next one.
    """

    faults: tuple[tuple[int, Fault], ...] = ()
    hits: tuple[tuple[int, Fault], ...] = ()
    ending: tuple[int, Ending] | None = None
    outside: tuple[int, Outside] | None = None
    gap: float = 60.0

    def __str__(self) -> str:
        words = [f"call {number} {fault.value}" for number, fault in self.faults]
        words += [f"changing call {number} {fault.value}" for number, fault in self.hits]
        if self.ending:
            words.append(f"{self.ending[1].value} (changing call {self.ending[0]})")
        if self.outside:
            words.append(f"before call {self.outside[0]} somebody else: {self.outside[1].value}")
        return "; ".join(words) or "none"


def draw(seed: int, calls: int, changing: int) -> Disturbances:
    """Return what befalls the run of a seed, which makes so many calls when nothing does."""
    rng = random.Random(f"disturbances {seed}")

    def some(most: int) -> tuple[tuple[int, Fault], ...]:
        number = rng.choice((0, 0, 1, 1, 2)) if most else 0
        return tuple((rng.randint(1, most), rng.choice(list(Fault))) for dummy in range(number))

    ending = outside = None
    if changing and rng.random() < 0.6:
        ending = rng.randint(1, changing), rng.choice(list(Ending))
    if rng.random() < 0.5:
        outside = rng.randint(1, max(calls, 1)), rng.choice(list(Outside))
    return Disturbances(some(calls), some(changing), ending, outside, rng.choice((0.0, 5.0, 60.0, 3600.0)))


@dataclass
class Disturber(Interceptor):
    """Lets the disturbances befall a run. ``again``: runs the same operation as somebody else.

    ``changed``: whether somebody else did something; ``struck``: what befell the run.
    """

    aws: Aws
    watch: Watch
    disturbances: Disturbances
    stop: Callable[[], None]
    again: Callable[[], None]
    trace: Callable[[str], None]
    struck: int = 0
    killed: bool = False
    changed: bool = False
    is_busy: bool = False
    _number: int = 0
    _changing: int = 0

    def before(self, call: Call) -> None:
        """Kill the run, change something, lose or refuse the call."""
        if self.is_busy:
            return
        self._number += 1
        self._changing += bool(call.changing)
        outside = self.disturbances.outside
        if outside and self._number == outside[0]:
            self._change(outside[1])
        self._end(call, Ending.BEFORE, Ending.INTERRUPTED)
        match self._due(call):
            case Fault.LOST_BEFORE:
                self._strike(call, Fault.LOST_BEFORE)
                raise ConnectionClosedError(endpoint_url="https://elasticache.test")
            case Fault.THROTTLED:
                self._strike(call, Fault.THROTTLED)
                raise refusal(call, "Throttling", "Rate exceeded")
            case Fault.DENIED:
                self._strike(call, Fault.DENIED)
                raise refusal(call, "AccessDenied", "User is not authorized to perform this action")

    def after(self, call: Call, error: Exception | None) -> None:
        """Kill the run, or lose the answer."""
        if self.is_busy:
            return
        self.trace(f"  {call.action}{_told(call)} -> {_code(error)}")
        if call.action == "DescribeReplicationGroups":
            settled = self.aws.group(GROUP).change is None
            self.watch.slipped = self.watch.slipped and (settled or self.watch.waiting)
            self.watch.waiting = self.watch.waiting and not settled
        self.watch.waiting = self.watch.waiting or (call.action == "ModifyReplicationGroup" and error is None)
        self._end(call, Ending.AFTER)
        match self._due(call):
            case Fault.LOST_AFTER:
                self._strike(call, Fault.LOST_AFTER)
                raise ConnectionClosedError(endpoint_url="https://elasticache.test")
            case Fault.UNAVAILABLE:
                self._strike(call, Fault.UNAVAILABLE)
                raise refusal(call, "ServiceUnavailable", "Service is unavailable.", 503)

    def _due(self, call: Call) -> Fault | None:
        """Return what is to befall the call under way."""
        own = dict(self.disturbances.hits).get(self._changing) if call.changing else None
        return own or dict(self.disturbances.faults).get(self._number)

    def _strike(self, call: Call, fault: Fault) -> None:
        self.struck += 1
        self.trace(f"  {call.action}{_told(call)} -> {fault.value}")

    def _end(self, call: Call, *endings: Ending) -> None:
        ending = self.disturbances.ending
        if self.killed or ending is None or not call.changing or ending[1] not in endings:
            return
        if self._changing == ending[0]:
            self.killed = True
            self.trace(f"  {ending[1].value}: {call.action}{_told(call)}")
            if ending[1] is not Ending.INTERRUPTED:
                raise Killed
            self.stop()

    def _change(self, what: Outside) -> None:
        """Do what somebody else does; what AWS refuses him has no effect."""
        self.changed = self.is_busy = True
        self.trace(f"  somebody else: {what.value}")
        try:
            with self.aws.acting(OUTSIDE):
                if what is Outside.OPERATION:
                    self.again()
                else:
                    with contextlib.suppress(ClientError):
                        _CHANGES[what](self.aws, self.watch.scene)
        finally:
            self.watch.changed_at = self.aws.calls
            self.is_busy, self.watch.slipped = False, self.aws.group(GROUP).change is not None
            self.watch.outside_changed = self.watch.outside_changed or self.watch.slipped
            if self.watch.labels_moved:
                self.watch.begin_run()


def _told(call: Call) -> str:
    shown = ("AuthTokenUpdateStrategy", "UserGroupIdsToAdd", "UserGroupIdsToRemove", "VersionStage", "VersionStages")
    members = [f"{name}={call.parameters[name]}" for name in shown if name in call.parameters]
    return f"({', '.join(members)})"


def _code(error: Exception | None) -> str:
    return (
        f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
        if isinstance(error, ClientError)
        else "done"
    )


# --- What somebody else does ----------------------------------------------------------------------------------------


def _modify(aws: Aws, **members: Any) -> None:
    given = {"ReplicationGroupId": GROUP, "ApplyImmediately": True, **members}
    aws.carry_out("elasticache", "ModifyReplicationGroup", given)


def _rotate(aws: Aws, token: str) -> None:
    _modify(aws, AuthToken=token, AuthTokenUpdateStrategy="ROTATE")


def _rotate_stored(aws: Aws, scene: Scene) -> None:
    slots = aws.group(GROUP).access.slots
    others = [token for token in stored_tokens(aws, scene).values() if token and token not in slots]
    if others:
        _rotate(aws, min(others))


def _set(aws: Aws, scene: Scene) -> None:
    slots = aws.group(GROUP).access.slots
    if len(slots) == 2:
        _modify(aws, AuthToken=slots[-1], AuthTokenUpdateStrategy="SET")


def _attach(aws: Aws, scene: Scene) -> None:
    strategy = {"AuthTokenUpdateStrategy": "DELETE"} if aws.group(GROUP).access.token_on else {}
    _modify(aws, UserGroupIdsToAdd=[FOREIGN], **strategy)


def _detach(aws: Aws, scene: Scene) -> None:
    attached = list(aws.group(GROUP).access.user_group_ids)
    if attached:
        _modify(aws, UserGroupIdsToRemove=attached)


def _with_secret(change: Callable[[Aws, Scene], None]) -> Callable[[Aws, Scene], None]:
    def make(aws: Aws, scene: Scene) -> None:
        if SECRET in aws.secrets.secrets:
            change(aws, scene)

    return make


def _at(aws: Aws, stage: str) -> str | None:
    versions = aws.secrets.secrets[SECRET].versions
    return next((key for key, version in versions.items() if stage in version["version_stages"]), None)


def _stage(aws: Aws, scene: Scene) -> None:
    add_version(aws, scene, scene.token("foreign"), [PENDING], "ffffffff-0000-4000-8000-000000000001")


def _unstage(aws: Aws, scene: Scene) -> None:
    version = _at(aws, PENDING)
    if version:
        given = {"SecretId": SECRET, "VersionStage": PENDING, "RemoveFromVersionId": version}
        aws.carry_out("secretsmanager", "UpdateSecretVersionStage", given)


def _promote(aws: Aws, scene: Scene) -> None:
    version, current = _at(aws, PENDING), _at(aws, CURRENT)
    if version and current:
        given = {
            "SecretId": SECRET,
            "VersionStage": CURRENT,
            "MoveToVersionId": version,
            "RemoveFromVersionId": current,
        }
        aws.carry_out("secretsmanager", "UpdateSecretVersionStage", given)


def _replace(aws: Aws, scene: Scene) -> None:
    given = {
        "SecretId": SECRET,
        "SecretString": scene.text(scene.token("foreign")),
        "ClientRequestToken": "ffffffff-0000-4000-8000-000000000002",
    }
    aws.carry_out("secretsmanager", "PutSecretValue", given)


def _delete_record(aws: Aws, scene: Scene) -> None:
    aws.group(GROUP).tags.pop(TAG_KEY, None)


_CHANGES: dict[Outside, Callable[[Aws, Scene], None]] = {
    Outside.ROTATE_NEW: lambda aws, scene: _rotate(aws, scene.token("foreign")),
    Outside.ROTATE_STORED: _rotate_stored,
    Outside.SET: _set,
    Outside.ATTACH: _attach,
    Outside.DETACH: _detach,
    Outside.STAGE: _with_secret(_stage),
    Outside.UNSTAGE: _with_secret(_unstage),
    Outside.PROMOTE: _with_secret(_promote),
    Outside.REPLACE: _with_secret(_replace),
    Outside.DELETE_RECORD: _delete_record,
    Outside.MAINTENANCE: lambda aws, scene: _modify(aws, CacheNodeType="cache.m7g.large"),
}
