# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What stands in for the API server of Kubernetes, as none can be installed from the registries that tests may use.

It serves over HTTP what the role cutover_kubernetes asks for: discovery, and get, list by labels and merge-patch of
deployments, stateful sets and ExternalSecrets. In the place of the controllers, a change of a template is rolled out,
and a change of an ExternalSecret's annotations is synced, at once, unless it is held or is to fail. As the API server
does, it counts the generation up where the spec changes. What it has no rules for is 404; nothing is validated.
"""

from __future__ import annotations

import copy
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

_ROOTS = {"deployments": "/apis/apps/v1", "statefulsets": "/apis/apps/v1"}
_SECRETS = "/apis/external-secrets.io/v1"


def merged(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


class ApiServer:
    """The stand-in, from its beginning to its end as a context. ``patched``: what was patched, in order."""

    def __init__(self, folder: Path) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.patched: list[str] = []
        self.requests = 0
        self.denied = False  #: whether changes are forbidden
        self.held = False  #: whether controllers stand still
        self.failing: set[str] = set()  #: the names of what its controller fails on
        self.lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.kubeconfig = folder / "kubeconfig"
        named = {"cluster": "test", "user": "test", "namespace": "default"}
        server = {"server": f"http://127.0.0.1:{self._server.server_address[1]}"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": server}],
            "users": [{"name": "test", "user": {"token": "anyone"}}],
            "contexts": [{"name": "test", "context": named}],
        }
        self.kubeconfig.write_text(json.dumps(config), encoding="utf-8")

    def __enter__(self) -> ApiServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def workload(self, kind: str, name: str, namespace: str = "shop", **labels: str) -> dict[str, Any]:
        """Create a deployment or a stateful set that is rolled out."""
        spec = {"replicas": 2, "template": {"metadata": {}}}
        made = {"metadata": {"name": name, "labels": labels, "generation": 1}, "spec": spec, "status": {}}
        self.objects[f"{_ROOTS[kind]}/namespaces/{namespace}/{kind}/{name}"] = made
        self._roll_out(made)
        return made

    def external_secret(self, name: str, namespace: str = "shop", **labels: str) -> dict[str, Any]:
        """Create an ExternalSecret that is synced."""
        made = {"metadata": {"name": name, "labels": labels, "generation": 1}, "spec": {}, "status": {}}
        self.objects[f"{_SECRETS}/namespaces/{namespace}/externalsecrets/{name}"] = made
        self._sync(made)
        return made

    def release(self) -> None:
        """Let the controllers do what they were kept from."""
        with self.lock:
            self.held = False
            for path, found in self.objects.items():
                self._control(path, found)

    def _control(self, path: str, found: dict[str, Any]) -> None:
        if not self.held:
            (self._sync if "/externalsecrets/" in path else self._roll_out)(found)

    def _roll_out(self, found: dict[str, Any]) -> None:
        metadata, status, count = found["metadata"], found["status"], found["spec"]["replicas"]
        revision = f"r{metadata['generation']}"
        status |= {"observedGeneration": metadata["generation"], "replicas": count, "updateRevision": revision}
        if metadata["name"] in self.failing:
            why = f'ReplicaSet "{metadata["name"]}-1" has timed out progressing.'
            stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": why}
            status |= {"updatedReplicas": 0, "conditions": [stuck]}
            return
        counted = dict.fromkeys(("updatedReplicas", "readyReplicas", "availableReplicas"), count)
        status |= {**counted, "currentRevision": revision, "conditions": []}

    def _sync(self, found: dict[str, Any]) -> None:
        version = json.dumps(found["metadata"].get("annotations") or {})
        ready = {"type": "Ready", "status": "True", "reason": "SecretSynced", "message": "secret synced"}
        if found["metadata"]["name"] in self.failing:
            why = "could not get secret data from provider"
            found["status"]["conditions"] = [
                {**ready, "status": "False", "reason": "SecretSyncedError", "message": why}
            ]
            return
        found["status"] = {"conditions": [ready], "refreshTime": version, "syncedResourceVersion": version}

    def answer(self, method: str, target: str, body: Any) -> tuple[int, Any]:
        """Answer one request: the HTTP status, and the JSON."""
        url = urlsplit(target)
        with self.lock:
            self.requests += 1
            if url.path == "/version":
                return 200, {"major": "1", "minor": "34", "gitVersion": "v1.34.0"}
            if url.path == "/api":
                return 200, {"kind": "APIVersions", "versions": ["v1"]}
            if url.path == "/apis":
                return 200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": []}
            if url.path == _SECRETS and any(path.startswith(_SECRETS) for path in self.objects):
                return 200, {
                    "kind": "APIResourceList",
                    "groupVersion": _SECRETS.removeprefix("/apis/"),
                    "resources": [],
                }
            if method == "GET" and url.path.rpartition("/")[2] in (*_ROOTS, "externalsecrets"):
                (selector,) = parse_qs(url.query).get("labelSelector") or [""]
                wanted = dict(entry.split("=", 1) for entry in selector.split(",") if entry).items()
                listed = [
                    found
                    for path, found in self.objects.items()
                    if path.rpartition("/")[0] == url.path and wanted <= found["metadata"]["labels"].items()
                ]
                return 200, {"kind": "List", "items": copy.deepcopy(listed)}
            known = self.objects.get(url.path)
            if known is None:
                return 404, {"kind": "Status", "code": 404, "reason": "NotFound", "message": f"{url.path} not found"}
            if method == "PATCH":
                return self._patch(url.path, known, body)
            return 200, copy.deepcopy(known)

    def _patch(self, path: str, found: dict[str, Any], body: Any) -> tuple[int, Any]:
        kind, name = path.split("/")[-2:]
        if self.denied:
            why = f'{kind} "{name}" is forbidden: User "test" cannot patch resource "{kind}" in the namespace "shop"'
            return 403, {"kind": "Status", "code": 403, "reason": "Forbidden", "message": why}
        spec = copy.deepcopy(found["spec"])
        found.update(merged(found, body))
        found["metadata"]["generation"] += found["spec"] != spec
        self.patched.append(f"{kind}/{name}")
        self._control(path, found)
        return 200, copy.deepcopy(found)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: ApiServer

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, answer = self.api.answer(self.command, self.path, json.loads(body) if body else None)
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PATCH = _answer  # noqa: N815
