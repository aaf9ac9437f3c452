# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The admin API: a test's window on the server's state; it sets faults, holds, variants, throttling and timing.

JSON over HTTP under ``/_admin``. **``/groups`` shows the real tokens**: the emulator is for tests, binds loopback only,
and the truth about the slots is what tests are after. Nothing else here shows one.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from .control import views
from .control.model import now
from .faults import BadFaultError
from .settings import VARIANTS, Timing, UnknownVariantError

if TYPE_CHECKING:
    from .control.model import Group
    from .control.world import World

PREFIX = "/_admin"
MAX_AGE_DAYS = 3650
Query = Mapping[str, str]


class AdminError(Exception):
    """A request that can't be answered: the HTTP status and why."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class Admin:
    """The WSGI application of the admin API."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._routes: Mapping[tuple[str, str], Callable[[Query, Any], Any]] = {
            ("GET", "groups"): self._groups,
            ("GET", "calls"): self._calls,
            ("POST", "reset"): self._reset,
            ("GET", "faults"): lambda query, body: world.faults.shown(),
            ("POST", "faults"): lambda query, body: world.faults.add(body),
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "policies"): lambda query, body: world.policies.put(body),
            ("GET", "variants"): self._variants,
            ("POST", "variants"): self._choose_variants,
            ("GET", "throttle"): lambda query, body: world.throttling.shown(),
            ("POST", "throttle"): self._choose_throttle,
            ("GET", "holds"): lambda query, body: world.changes.shown(),
            ("POST", "hold"): self._hold,
            ("POST", "release"): self._release,
            ("GET", "settings"): lambda query, body: dataclasses.asdict(world.timing),
            ("POST", "settings"): self._set_timing,
        }

    @staticmethod
    def owns(path: str) -> bool:
        """Whether the path is the admin API's."""
        return path == PREFIX or path.startswith(PREFIX + "/")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        status = HTTPStatus.OK
        try:
            answer = self._answer(environ)
        except AdminError as error:
            status, answer = error.status, {"error": str(error)}
        except (BadFaultError, UnknownVariantError, ValueError) as error:
            status, answer = HTTPStatus.BAD_REQUEST, {"error": str(error)}
        start_response(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
        return [json.dumps(answer).encode() + b"\n"]

    def _answer(self, environ: Mapping[str, Any]) -> Any:
        parts = environ["PATH_INFO"].removeprefix(PREFIX).strip("/").split("/")
        method = environ["REQUEST_METHOD"]
        query = {name: values[-1] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        body = environ["wsgi.input"].read()
        given = json.loads(body) if body else {}
        if method == "GET" and parts[0] == "groups" and len(parts) == 2:
            return self._group(parts[1], query)
        if method == "POST" and parts[0] == "groups" and len(parts) == 2:
            return self._change_group(parts[1], query, given)
        route = self._routes.get((method, "/".join(parts)))
        if route is None:
            known = ", ".join(f"{verb} {PREFIX}/{path}" for verb, path in self._routes)
            raise AdminError(HTTPStatus.NOT_FOUND, f"there are: {known}, GET and POST {PREFIX}/groups/ID")
        return route(query, given)

    def _found(self, query: Query) -> list[Group]:
        return [
            group
            for (account, region), store in sorted(self._world.stores.items())
            if query.get("account", account) == account and query.get("region", region) == region
            for group in store.groups.values()
        ]

    def _groups(self, query: Query, _body: Any) -> Any:
        with self._world.lock:
            return [views.truth(group) for group in self._found(query)]

    def _the_group(self, identifier: str, query: Query) -> Group:
        found = [group for group in self._found(query) if group.id == identifier.lower()]
        if not found:
            raise AdminError(HTTPStatus.NOT_FOUND, f"no replication group {identifier}")
        if len(found) > 1:
            places = ", ".join(f"{group.account}/{group.region}" for group in found)
            raise AdminError(HTTPStatus.CONFLICT, f"{identifier} is in {places}: add ?account= or &region=")
        return found[0]

    def _group(self, identifier: str, query: Query) -> Any:
        with self._world.lock:
            return views.truth(self._the_group(identifier, query))

    def _change_group(self, identifier: str, query: Query, body: Any) -> Any:
        if not isinstance(body, dict) or set(body) != {"token_age_days"}:
            raise AdminError(HTTPStatus.BAD_REQUEST, "a change of a group is a JSON object of: token_age_days")
        days = body["token_age_days"]
        if isinstance(days, bool) or not isinstance(days, int | float) or not 0 <= days <= MAX_AGE_DAYS:
            raise AdminError(HTTPStatus.BAD_REQUEST, f"token_age_days must be a number from 0 to {MAX_AGE_DAYS}")
        with self._world.lock:
            group = self._the_group(identifier, query)
            if not group.access.token_on or group.token_date is None:
                raise AdminError(HTTPStatus.CONFLICT, f"{identifier} has no token whose age could change")
            group.token_date = now() - timedelta(days=days)
            self._world.record(group, "token aged by the admin API")
            return views.truth(group)

    def _calls(self, query: Query, _body: Any) -> Any:
        since = float(query.get("since", 0))
        calls = [{**dataclasses.asdict(call), "mutating": call.mutating} for call in self._world.calls.calls()]
        for name in ("service", "action", "region", "account", "id", "code"):
            if name in query:
                calls = [call for call in calls if call[name] == query[name]]
        if "mutating" in query:
            wanted = query["mutating"].lower() in ("1", "true", "yes")
            calls = [call for call in calls if call["mutating"] is wanted]
        return [call for call in calls if call["time"] >= since]

    def _reset(self, _query: Query, _body: Any) -> Any:
        from moto.core.base_backend import BackendDict

        self._world.reset()
        BackendDict.reset()
        return {}

    def _clear_faults(self, query: Query, _body: Any) -> Any:
        self._world.faults.clear(query)
        return self._world.faults.shown()

    def _variants(self, _query: Query, _body: Any) -> Any:
        return {
            name: {
                "value": self._world.variants[name],
                "values": list(variant.values),
                "default": variant.default,
                "fact": variant.fact,
                "meaning": variant.meaning,
            }
            for name, variant in VARIANTS.items()
        }

    def _choose_variants(self, query: Query, body: Any) -> Any:
        if not isinstance(body, dict) or not all(isinstance(value, str) for value in body.values()):
            raise AdminError(HTTPStatus.BAD_REQUEST, "variants are a JSON object of names and values")
        self._world.variants.choose(body)
        return self._variants(query, None)

    def _choose_throttle(self, _query: Query, body: Any) -> Any:
        if not isinstance(body, dict) or set(body) != {"name"} or not isinstance(body["name"], str):
            raise AdminError(HTTPStatus.BAD_REQUEST, "a throttle is a JSON object of: name")
        self._world.throttling.choose(body["name"])
        return self._world.throttling.shown()

    def _hold(self, _query: Query, body: Any) -> Any:
        self._world.changes.hold(body)
        return self._world.changes.shown()

    def _release(self, _query: Query, body: Any) -> Any:
        self._world.changes.release(body)
        return self._world.changes.shown()

    def _set_timing(self, _query: Query, body: Any) -> Any:
        names = [field.name for field in dataclasses.fields(Timing)]
        if not isinstance(body, dict) or not set(body) <= set(names):
            raise AdminError(HTTPStatus.BAD_REQUEST, f"settings are a JSON object of: {', '.join(names)}")
        if any(isinstance(value, bool) or not isinstance(value, int | float) for value in body.values()):
            raise AdminError(HTTPStatus.BAD_REQUEST, "settings are numbers")
        with self._world.lock:
            self._world.timing = dataclasses.replace(self._world.timing, **body)
        return dataclasses.asdict(self._world.timing)
