# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The API server of Kubernetes, through the optional collection kubernetes.core: what a client cutover asks of it."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from typing import Any

from .._core.errors import AuthError
from .._core.k8s_rollout import FORCE_SYNC, RESTARTED_AT, ObjectName
from .._core.one_line import one_line
from .._stop import Stop

try:
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
except ImportError:
    HAS_KUBERNETES_CORE = False
else:
    HAS_KUBERNETES_CORE = True
#: The library that kubernetes.core needs.
HAS_KUBERNETES = importlib.util.find_spec("kubernetes") is not None

_APPS = "/apis/apps/v1"
#: The versions of the API of External Secrets, the newest first.
_EXTERNAL_SECRETS = ("/apis/external-secrets.io/v1", "/apis/external-secrets.io/v1beta1")
_MAX_WORDS = 300
_NOT_FOUND, _DENIED = 404, (401, 403)


def check_installed() -> None:
    """Raise :class:`AuthError` where what is needed is not there."""
    if not HAS_KUBERNETES_CORE:
        raise AuthError(
            "cutover_kubernetes needs the collection kubernetes.core, which elasticache.auth does not depend on. "
            "Install it: ansible-galaxy collection install kubernetes.core."
        )
    if not HAS_KUBERNETES:
        raise AuthError(
            "cutover_kubernetes needs the Python library kubernetes where its module runs. Install it there: "
            "pip install kubernetes."
        )


class Cluster:
    """One cluster. Every method raises :class:`AuthError`, and :class:`Stopped` for a change once the run must end."""

    def __init__(self, auth: Mapping[str, Any], stop: Stop) -> None:
        """``auth``: options of kubernetes.core; what is not among them it takes from the environment."""
        check_installed()
        self._stop, self._external_secrets = stop, ""
        try:
            self._client = get_api_client(**auth).client
        except Exception as error:
            raise AuthError(f"The API server of Kubernetes can't be used: {_words(error)}") from error

    def get(self, name: ObjectName) -> dict[str, Any] | None:
        """Return an object; ``None`` where there is none."""
        return self._request("get", self._path(name), f"get {name}")

    def labelled(self, namespace: str, kind: str, labels: Mapping[str, str]) -> list[ObjectName]:
        """Return the objects of a kind in a namespace that have all these labels."""
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        path = self._path(ObjectName(namespace, kind, ""))
        found = self._request("get", path, f"list {kind} in {namespace}", query_params=[("labelSelector", selector)])
        items = (found or {}).get("items") or ()
        return [ObjectName(namespace, kind, str(item["metadata"]["name"])) for item in items]

    def restart(self, name: ObjectName, at: str) -> None:
        """Have a workload replace its pods, as ``kubectl rollout restart`` does. ``at``: the time, as text."""
        self._patch(name, {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: at}}}}})

    def sync(self, name: ObjectName, at: str) -> None:
        """Have External Secrets sync an ExternalSecret now."""
        self._patch(name, {"metadata": {"annotations": {FORCE_SYNC: at}}})

    def _patch(self, name: ObjectName, body: Mapping[str, Any]) -> None:
        self._stop.wait(0.0)
        content_type = "application/merge-patch+json"
        found = self._request("patch", self._path(name), f"patch {name}", body=body, content_type=content_type)
        if found is None:
            raise AuthError(f"there is no {name} any more.")

    def _path(self, name: ObjectName) -> str:
        root = self._root_of_external_secrets() if name.kind == "externalsecrets" else _APPS
        return f"{root}/namespaces/{name.namespace}/{name.kind}" + (f"/{name.name}" if name.name else "")

    def _root_of_external_secrets(self) -> str:
        if not self._external_secrets:
            served = (root for root in _EXTERNAL_SECRETS if self._request("get", root, "look for External Secrets"))
            self._external_secrets = next(served, "")
        if not self._external_secrets:
            raise AuthError(
                "External Secrets is not installed in the cluster: it serves no external-secrets.io/v1, nor v1beta1."
            )
        return self._external_secrets

    def _request(self, method: str, path: str, what: str, **params: Any) -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = self._client.request(method, path, serializer=lambda _client, data: data, **params)
        except Exception as error:
            if getattr(error, "status", None) == _NOT_FOUND:
                return None
            denied = getattr(error, "status", None) in _DENIED
            way_out = " The README of cutover_kubernetes has the RBAC policy that is needed." if denied else ""
            raise AuthError(f"the API server refused to {what}: {_words(error)}{way_out}") from error
        return answer


def _words(error: Exception) -> str:
    """Return what the API server says, in one line that ends with a dot."""
    body = getattr(error, "body", None)
    text = str(error)
    if body:
        try:
            text = f"{getattr(error, 'status', '')} {json.loads(body)['message']}"
        except (ValueError, KeyError, TypeError):
            text = f"{getattr(error, 'status', '')} {getattr(error, 'reason', '')}"
    line = one_line(text, _MAX_WORDS)
    return line if line.endswith((".", "…")) else f"{line}."
