# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Have External Secrets synced, and the workloads that are clients of replication groups restarted and rolled out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TypeVar

from .._core.client_selection import ClientSelection, GroupClients, expanded
from .._core.errors import AuthError
from .._core.k8s_rollout import (
    ObjectName,
    Progress,
    Status,
    refresh_of,
    rollout_of,
    secret_of,
    synced_version,
    why_not_restarted,
    workload_of,
)
from .._stop import Stop
from .cluster import Cluster
from .outcome import GroupCutover

T = TypeVar("T")


@dataclass(frozen=True)
class KubernetesRequest:
    """What is wanted. ``secrets``: which External Secrets, if any. ``namespace`` may have the placeholder of the
    group's id. Times are in seconds."""

    workloads: ClientSelection
    secrets: ClientSelection
    namespace: str
    wait_timeout: float
    wait_delay: float
    check_mode: bool = False


@dataclass
class _Group:
    """A group, and its objects."""

    told: GroupCutover
    secrets: list[ObjectName] = field(default_factory=list)
    workloads: list[ObjectName] = field(default_factory=list)


def restart(cluster: Cluster, ids: Sequence[str], request: KubernetesRequest, stop: Stop) -> list[GroupCutover]:
    """Return what became of each group's clients. An object that serves several groups is treated once."""
    groups = [_Group(GroupCutover(key)) for key in ids]
    before: dict[ObjectName, str] = {}
    for group in groups:
        try:
            _find(cluster, group, request, before)
        except AuthError as error:
            group.told.fail(error)
    if request.check_mode:
        for group in _going(groups):
            synced = f"would have {_listed(group.secrets)} synced, and " if group.secrets else "would have "
            group.told.changed = True
            group.told.msg = f"{group.told.id}: {synced}{_listed(group.workloads)} restarted."
        return [group.told for group in groups]
    begun = time.monotonic()
    at = datetime.now(timezone.utc).isoformat()
    _treat(
        groups,
        lambda group: group.secrets,
        lambda name: cluster.sync(name, at),
        lambda name: refresh_of(cluster.get(name) or {}, before[name]),
        request,
        stop,
        "was not synced by External Secrets",
    )
    _treat(
        groups,
        lambda group: group.workloads,
        lambda name: cluster.restart(name, at),
        lambda name: rollout_of(cluster.get(name) or {}, name),
        request,
        stop,
        "was not rolled out",
    )
    for group in groups:
        group.told.duration = time.monotonic() - begun
        if not group.told.error:
            synced = f"{_listed(group.secrets)} synced, " if group.secrets else ""
            group.told.msg = f"{group.told.id}: {synced}{_listed(group.workloads)} restarted and rolled out."
    return [group.told for group in groups]


def _going(groups: Iterable[_Group]) -> list[_Group]:
    return [group for group in groups if not group.told.error]


def _find(cluster: Cluster, group: _Group, request: KubernetesRequest, before: dict[ObjectName, str]) -> None:
    """Find the group's objects. Raises :class:`AuthError` where one is missing, or would not be restarted."""
    key, selection = group.told.id, request.workloads
    namespace = expanded(request.namespace, key)
    wanted = selection.of(key)
    group.workloads = [workload_of(selection.variable, name, namespace) for name in wanted.names]
    for kind in ("deployments", "statefulsets") if wanted.tags else ():
        group.workloads += cluster.labelled(namespace, kind, wanted.tags)
    group.workloads = list(dict.fromkeys(group.workloads))
    group.told.clients = list(map(str, group.workloads))
    if not group.workloads:
        raise AuthError(_none(key, "deployment or stateful set", namespace, wanted, selection))
    for name in group.workloads:
        found = cluster.get(name)
        if found is None:
            raise AuthError(f"{key}: there is no {name}, so that nothing was restarted. Correct {selection.variables}.")
        why = why_not_restarted(found, name)
        if why:
            raise AuthError(f"{key}: {name} can't be restarted: {why}. Nothing was. Change that, or leave it out.")
    selection = request.secrets
    if not (selection.names or selection.tags or key in selection.by_group):
        return
    wanted = selection.of(key)
    group.secrets = [secret_of(name, namespace) for name in wanted.names]
    if wanted.tags:
        group.secrets += cluster.labelled(namespace, "externalsecrets", wanted.tags)
    group.secrets = list(dict.fromkeys(group.secrets))
    if not group.secrets:
        raise AuthError(_none(key, "ExternalSecret", namespace, wanted, selection))
    for name in group.secrets:
        found = cluster.get(name)
        if found is None:
            raise AuthError(f"{key}: there is no {name}, so that nothing was restarted. Correct {selection.variables}.")
        before[name] = synced_version(found)


def _none(key: str, what: str, namespace: str, wanted: GroupClients, selection: ClientSelection) -> str:
    labels = ",".join(f"{name}={value}" for name, value in wanted.tags.items())
    return (
        f"{key}: no {what} in the namespace {namespace} has the labels of {selection.tags_variable} ({labels}), so "
        f"that nothing was restarted. Label them, or name them in {selection.variable} or "
        f"{selection.by_group_variable}."
    )


def _treat(
    groups: Sequence[_Group],
    objects: Callable[[_Group], list[ObjectName]],
    begin: Callable[[ObjectName], None],
    look: Callable[[ObjectName], Status],
    request: KubernetesRequest,
    stop: Stop,
    failed: str,
) -> None:
    """Begin something with each object of the groups that have not failed, and wait for its end."""
    going, errors = _going(groups), dict[ObjectName, str]()
    statuses: dict[ObjectName, Status] = {}
    for name in dict.fromkeys(name for group in going for name in objects(group)):
        try:
            begin(name)
            statuses[name] = Status(Progress.UNDER_WAY)
        except AuthError as error:
            errors[name] = str(error)
    for group in going:
        group.told.changed = group.told.changed or any(name in statuses for name in objects(group))
    deadline = time.monotonic() + request.wait_timeout
    while True:
        for name in [name for name, status in statuses.items() if status.progress is Progress.UNDER_WAY]:
            try:
                statuses[name] = look(name)
            except AuthError as error:
                statuses[name] = Status(Progress.UNDER_WAY, str(error))  # the next look may succeed
        under_way = any(status.progress is Progress.UNDER_WAY for status in statuses.values())
        if not under_way or time.monotonic() >= deadline:
            break
        stop.wait(min(request.wait_delay, max(0.0, deadline - time.monotonic())))
    prefix = request.workloads.prefix
    for group in going:
        for name in objects(group):
            status = statuses.get(name, Status(Progress.FAILED, errors.get(name, "")))
            if status.progress is Progress.DONE:
                continue
            late = f" within {prefix}_wait_timeout ({request.wait_timeout:g} s)"
            group.told.error = (
                f"{group.told.id}: {name} {failed}{late if status.progress is Progress.UNDER_WAY else ''}: "
                f"{status.words} Its clients may still have the token before. See kubectl describe -n {name.namespace} "
                f"{str(name).partition('/')[2]}, mend that, or raise {prefix}_wait_timeout where it only takes longer, "
                "then run this again."
            )
            break


def _listed(names: Sequence[ObjectName]) -> str:
    return ", ".join(map(str, names))
