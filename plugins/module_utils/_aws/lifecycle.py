# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The calls that make, change and end a replication group, as data that can be shown before it is sent."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

with contextlib.suppress(ImportError):  # AnsibleAWSModule tells the user.
    from botocore import xform_name

from .._core.errors import AuthError
from .clients import Clients
from .modify import MASK

CREATE, MODIFY, DELETE = "CreateReplicationGroup", "ModifyReplicationGroup", "DeleteReplicationGroup"
ADD_TAGS, REMOVE_TAGS = "AddTagsToResource", "RemoveTagsFromResource"

_SECRET_MEMBERS = ("AuthToken",)


@dataclass(frozen=True)
class ResourceCall:
    """One call. ``options`` are those whose difference it ends; ``parameters`` may hold a token: no ``repr``."""

    action: str
    parameters: Mapping[str, Any] = field(repr=False)
    options: tuple[str, ...] = ()

    def shown(self) -> dict[str, Any]:
        """Return the call for a result, tokens masked."""
        return {
            "action": self.action,
            "parameters": {k: MASK if k in _SECRET_MEMBERS else v for k, v in self.parameters.items()},
        }


def creation(group_id: str, members: Mapping[str, Any], options: Iterable[str]) -> ResourceCall:
    """Return the call that makes the group."""
    return ResourceCall(CREATE, {"ReplicationGroupId": group_id, **members}, tuple(options))


def modification(
    group_id: str, members: Mapping[str, Any], options: Iterable[str], *, immediately: bool
) -> ResourceCall:
    """Return a call that changes the group; ``immediately`` also takes along what waits for the maintenance window."""
    parameters = {"ReplicationGroupId": group_id, "ApplyImmediately": immediately, **members}
    return ResourceCall(MODIFY, parameters, tuple(options))


def deletion(group_id: str, *, final_snapshot: str | None, retain_primary: bool) -> ResourceCall:
    """Return the call that ends the group."""
    parameters: dict[str, Any] = {"ReplicationGroupId": group_id}
    if final_snapshot:
        parameters["FinalSnapshotIdentifier"] = final_snapshot
    if retain_primary:
        parameters["RetainPrimaryCluster"] = True
    return ResourceCall(DELETE, parameters)


def tagging(arn: str, *, add: Mapping[str, str], remove: Iterable[str]) -> list[ResourceCall]:
    """Return the calls that change the tags, none where nothing is to be changed."""
    steps = []
    if add:
        steps.append(ResourceCall(ADD_TAGS, {"ResourceName": arn, "Tags": as_tags(add)}, ("tags",)))
    if keys := sorted(remove):
        steps.append(ResourceCall(REMOVE_TAGS, {"ResourceName": arn, "TagKeys": keys}, ("tags",)))
    return steps


def as_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags in AWS's form."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def perform(clients: Clients, group_id: str, step: ResourceCall, *, check: Callable[[], object]) -> None:
    """Make the call, again while AWS throttles it; ``check`` is called before each attempt.

    Raises botocore's exceptions, what ``check`` raises, and :class:`AuthError` for what this botocore doesn't know.
    """
    client = clients.once
    known = client.meta.service_model.operation_model(step.action).input_shape.members
    unknown = [member for member in step.parameters if member not in known]
    if unknown:
        raise AuthError(
            f"{group_id}: the botocore that runs this does not know {', '.join(unknown)} of {step.action}, which "
            f"{', '.join(step.options)} need. Upgrade boto3 and botocore where the module runs."
        )

    def attempt() -> None:
        check()
        getattr(client, xform_name(step.action))(**step.parameters)

    clients.patiently(attempt)
