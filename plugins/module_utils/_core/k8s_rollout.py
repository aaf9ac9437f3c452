# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rollout of workloads of Kubernetes, and the refresh of External Secrets, from what the API server says. Pure.

Sources: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status and
https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/ (what ``kubectl rollout status`` looks at);
https://external-secrets.io/latest/api/externalsecret/ (annotations that change are a new version to sync).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import AuthError
from .one_line import one_line

#: What ``kubectl rollout restart`` sets in the template of the pods.
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
#: The annotation by which External Secrets is told to sync; any that changes will do.
FORCE_SYNC = "force-sync"
#: The kinds of workloads, by what a user may call them, with the name in the API's paths.
KINDS = {
    **dict.fromkeys(("deployment", "deployments", "deploy"), "deployments"),
    **dict.fromkeys(("statefulset", "statefulsets", "sts"), "statefulsets"),
}
_WORDS_OF = {"deployments": "deployment", "statefulsets": "statefulset", "externalsecrets": "externalsecret"}
_MAX_WORDS = 300
Object = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class ObjectName:
    """An object of a cluster. ``kind``: as in the API's paths."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{_WORDS_OF[self.kind]}/{self.name}"


def workload_of(variable: str, text: str, namespace: str) -> ObjectName:
    """Return the workload that a user names: C(kind/name), or C(namespace/kind/name). Raises :class:`AuthError`."""
    *of, kind, name = text.split("/") if "/" in text else ("", text)
    if kind.lower() not in KINDS or len(of) > 1 or not name:
        raise AuthError(
            f"{variable}: {one_line(text, 100)!r} is no workload. Name it deployment/NAME or statefulset/NAME, with "
            "NAMESPACE/ before it where it is in another namespace."
        )
    return ObjectName(of[0] if of else namespace, KINDS[kind.lower()], name)


def secret_of(text: str, namespace: str) -> ObjectName:
    """Return the ExternalSecret that a user names: C(name), or C(namespace/name)."""
    of, _slash, name = text.rpartition("/")
    return ObjectName(of or namespace, "externalsecrets", name)


class Progress(enum.Enum):
    """How far something is."""

    UNDER_WAY = "under way"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Status:
    """How far an object is, and what is said of it."""

    progress: Progress
    words: str = ""


def why_not_restarted(workload: Object, name: ObjectName) -> str:
    """Return why a restart of the workload would not reach all of its pods; empty where it would."""
    spec = workload.get("spec") or {}
    strategy = spec.get("updateStrategy") or {}
    if spec.get("paused"):
        return "its rollout is paused (kubectl rollout resume)"
    if name.kind == "statefulsets" and strategy.get("type") == "OnDelete":
        return "its update strategy is OnDelete, with which pods are restarted by deleting them"
    if (strategy.get("rollingUpdate") or {}).get("partition"):
        return "its update strategy has a partition, below which pods are not restarted"
    return ""


def rollout_of(workload: Object, name: ObjectName) -> Status:
    """Return how far the rollout of the newest template is."""
    metadata, status = workload.get("metadata") or {}, workload.get("status") or {}
    wanted = (workload.get("spec") or {}).get("replicas", 1)
    updated, total = status.get("updatedReplicas") or 0, status.get("replicas") or 0
    words = f"{updated} of {wanted} pods updated, {status.get('readyReplicas') or 0} ready"
    if (status.get("observedGeneration") or 0) < (metadata.get("generation") or 0):
        return Status(Progress.UNDER_WAY, f"its controller has not seen the restart yet ({words})")
    conditions = {entry.get("type"): entry for entry in status.get("conditions") or ()}
    stuck = conditions.get("Progressing") or {}
    if stuck.get("reason") == "ProgressDeadlineExceeded":
        said = one_line(str(stuck.get("message") or ""), _MAX_WORDS)
        return Status(Progress.FAILED, f"ProgressDeadlineExceeded: {said} ({words})")
    if name.kind == "deployments":
        done = updated >= wanted and total <= updated and (status.get("availableReplicas") or 0) >= updated
    else:
        same = status.get("updateRevision") == status.get("currentRevision")
        done = same and (status.get("readyReplicas") or 0) >= wanted
    return Status(Progress.DONE if done else Progress.UNDER_WAY, words)


def synced_version(secret: Object) -> str:
    """Return what changes when External Secrets has synced the secret anew: the version that it has synced.

    That is of the annotations, too. Where it tells none, the time, which has whole seconds.
    """
    status = secret.get("status") or {}
    return str(status.get("syncedResourceVersion") or status.get("refreshTime") or "")


def refresh_of(secret: Object, before: str) -> Status:
    """Return how far the sync of an ExternalSecret is. ``before``: :func:`synced_version` before it was asked for."""
    conditions = {entry.get("type"): entry for entry in (secret.get("status") or {}).get("conditions") or ()}
    ready = conditions.get("Ready") or {}
    words = f"{one_line(str(ready.get('reason') or 'no condition Ready'), 60)}: " + one_line(
        str(ready.get("message") or ""), _MAX_WORDS
    )
    if ready.get("status") == "True" and synced_version(secret) not in ("", before):
        return Status(Progress.DONE, words)
    return Status(Progress.UNDER_WAY, words)
