# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What every request goes through: the admin API beside; around moto latency, throttling, faults and the call log."""

from __future__ import annotations

import functools
import json
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4
from xml.sax.saxutils import escape

import boto3
from moto.iam.models import get_account_id_from
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.utilities.utils import get_partition

from emulator.admin import Admin
from emulator.faults import FaultKind, When

from .call_log import Call, is_mutating
from .http_server import ConnectionDropped
from .permissions import resources_of
from .throttling import MESSAGE, STATUS, throttling_code
from .world import World

StartResponse = Callable[..., Any]
_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d+/([^/,\s]+)/([^/,\s]+)/aws4_request")
_XML_CODE = re.compile(rb"<Code>([^<]*)</Code>")
#: The members that hold a token or a password, and what is written down in their place.
_SECRET = {"AuthToken", "Passwords", "SecretString", "SecretBinary"}
MASK = "********"
#: What actions begin with in IAM, where a service signs under another name.
_PREFIXES = {"tagging": "tag", "monitoring": "cloudwatch"}
#: Where a request names what it is about.
_NAMES = (
    *("ReplicationGroupId", "CacheClusterId", "UserGroupId", "UserId", "ServerlessCacheName"),
    *("GlobalReplicationGroupId", "PrimaryReplicationGroupId", "CacheSubnetGroupName", "ResourceName"),
    *("SecretId", "Name", "RoleArn", "service", "DocumentName"),
)


@dataclass(frozen=True)
class Request:
    """What a request asks, as far as it is logged."""

    service: str
    action: str
    region: str
    access_key: str
    id: str | None
    json: bool  #: answered in JSON, not in XML
    members: Mapping[str, str]  #: what the request says, but for its secrets


def read_request(environ: Mapping[str, Any], body: bytes) -> Request:
    """Who asks what about which resource."""
    scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    access_key, region, service = scope.groups() if scope else ("", "", "")
    target = environ.get("HTTP_X_AMZ_TARGET")
    named: Mapping[str, Any] = {}
    if target:
        try:
            parsed = json.loads(body or b"{}")
        except ValueError:
            parsed = {}
        named = parsed if isinstance(parsed, dict) else {}
        action = target.rsplit(".", 1)[-1]
    else:
        query = parse_qs(f"{environ.get('QUERY_STRING', '')}&{body.decode('utf-8', 'replace')}")
        named = {name: values[0] for name, values in query.items()}
        action = named.get("Action") or f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '/')}"
    identifier = next((named[name] for name in _NAMES if isinstance(named.get(name), str) and named[name]), None)
    if identifier and identifier.startswith("arn:") and service == "elasticache":
        identifier = identifier.rsplit(":", 1)[-1]
    if identifier and service == "elasticache":
        identifier = identifier.lower()
    return Request(service, action, region, access_key, identifier, bool(target), dict(masked(named)))


def masked(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The members of a request by their names in the query protocol; tokens, passwords and tags' values are masked."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from masked(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            yield from masked(inner, f"{name}.member.{number}")
    elif name not in ("Action", "Version"):
        parts = set(name.split("."))
        hidden = parts & _SECRET or parts >= {"Tags", "Value"}
        yield name, MASK if hidden else value if isinstance(value, str) else json.dumps(value)


def error_code(status: int, body: bytes) -> str | None:
    """The code of an error; ``None`` where the answer is none."""
    if status < 400:
        return None
    found = _XML_CODE.search(body)
    if found:
        return found.group(1).decode()
    try:
        return str(json.loads(body)["__type"]).rsplit("#", 1)[-1]
    except (ValueError, KeyError, TypeError):
        return str(status)


def error_body(request: Request, status: int, code: str, message: str) -> tuple[list[tuple[str, str]], bytes]:
    """An error's headers and body, as the service's protocol has it."""
    request_id = str(uuid4())
    if request.json:
        headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", code)]
        return [*headers, ("x-amzn-RequestId", request_id)], json.dumps({"__type": code, "message": message}).encode()
    kind = "Sender" if status < 500 else "Receiver"
    body = (
        f"<ErrorResponse><Error><Type>{kind}</Type><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        f"</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return [("Content-Type", "text/xml"), ("x-amzn-RequestId", request_id)], body.encode()


@functools.cache
def known_regions() -> frozenset[str]:
    """The names of all regions, as boto3 knows them."""
    session = boto3.Session()
    return frozenset(
        region
        for partition in session.get_available_partitions()
        for service in ("elasticache", "ec2", "sts")
        for region in session.get_available_regions(service, partition_name=partition)
    )


def without_staged(body: bytes) -> bytes:
    """An answer of ListSecrets without the labels that secrets get while something is under way."""
    answer = json.loads(body)
    for secret in answer["SecretList"]:
        versions = secret.get("SecretVersionsToStages") or {}
        kept = {
            version: [stage for stage in stages if stage in ("AWSCURRENT", "AWSPREVIOUS")]
            for version, stages in versions.items()
        }
        secret["SecretVersionsToStages"] = {version: stages for version, stages in kept.items() if stages}
    return json.dumps(answer).encode()


def without_member(answer: Any, member: str) -> Any:
    """An answer without a member, wherever it is in it: what another maker's server, or a proxy, may leave out."""
    if isinstance(answer, dict):
        return {name: without_member(value, member) for name, value in answer.items() if name != member}
    return [without_member(one, member) for one in answer] if isinstance(answer, list) else answer


class Application:
    """The WSGI application of the emulator."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._admin = Admin(world)
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request; raises ``ConnectionDropped`` where a fault says so."""
        if self._admin.owns(environ.get("PATH_INFO", "")):
            return self._admin(environ, start_response)
        return [self._call(environ, start_response)]

    def _call(self, environ: dict[str, Any], start_response: StartResponse) -> bytes:
        world = self._world
        number, began = world.calls.next_number(), time.time()
        stream = environ["wsgi.input"]
        request = read_request(environ, stream.read())
        stream.seek(0)
        if world.timing.latency:
            time.sleep(world.timing.latency)
        account = get_account_id_from(request.access_key)
        if not world.throttling.admits(account, request.region, request.service, request.action):
            refusal = throttling_code(request.service)
            world.calls.add(
                self._call_entry(number, began, account, request, refusal, STATUS, FaultKind.THROTTLE.value)
            )
            headers, body = error_body(request, STATUS, refusal, MESSAGE)
            start_response(f"{STATUS} {HTTPStatus(STATUS).phrase}", headers)
            return body
        if request.region and request.region not in known_regions():
            invalid = "InvalidSignatureException" if request.json else "SignatureDoesNotMatch"
            world.calls.add(self._call_entry(number, began, account, request, invalid, 403, None))
            headers, body = error_body(request, 403, invalid, "Credential should be scoped to a valid region.")
            start_response(f"403 {HTTPStatus(403).phrase}", headers)
            return body
        denied = self._denied(request, account)
        if denied:
            refusal, status = ("AccessDeniedException", 400) if request.json else ("AccessDenied", 403)
            world.calls.add(self._call_entry(number, began, account, request, refusal, status, None))
            headers, body = error_body(request, status, refusal, denied)
            start_response(f"{status} {HTTPStatus(status).phrase}", headers)
            return body
        fault = world.faults.strike_call(request.service, request.action, request.id or "", request.region, account)
        paused = fault is not None and fault.kind is FaultKind.PAUSE
        if fault is not None and paused and fault.when is When.BEFORE:
            world.faults.stand_still(fault)  # no lock is held here: other calls go on
        carried_out = fault is None or paused or fault.when is When.AFTER
        status, headers, body = self._carry_out(environ, request) if carried_out else (0, [], b"")
        code = error_code(status, body)
        listed = request.action == "ListSecrets" and not code
        if listed and world.faults.strike(FaultKind.STALE_LIST, request.action, "", request.service):
            body = without_staged(body)
            headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        lacking = FaultKind.WITHOUT_MEMBER
        if request.json and not code and status:
            struck_too = world.faults.strike(lacking, request.action, request.id or "", request.service)
            if struck_too:
                body = json.dumps(without_member(json.loads(body or b"{}"), struck_too.member)).encode()
                headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        if fault is None or paused:
            pass
        elif fault.kind not in (FaultKind.DROP, FaultKind.HALT):
            status, code = fault.status, fault.code
            headers, body = error_body(request, status, code, fault.message)
        else:
            status, code = 0, "ConnectionDropped"
        struck = fault.kind.value if fault else None
        world.calls.add(self._call_entry(number, began, account, request, code, status, struck))
        if fault is not None and (fault.kind is FaultKind.HALT or (paused and fault.when is When.AFTER)):
            world.faults.stand_still(fault)  # nor here
        if status == 0:
            raise ConnectionDropped
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return body

    def _denied(self, request: Request, account: str) -> str:
        """Why IAM refuses the call; empty where it is allowed."""
        world = self._world
        if not world.policies.limit(request.access_key):
            return ""
        action = f"{_PREFIXES.get(request.service, request.service)}:{request.action}"
        partition = get_partition(request.region)
        with world.lock:
            store = world.stores.get((account, request.region))
            group = store.groups.get(request.members.get("ReplicationGroupId", "").lower()) if store else None
            attached = group.access.user_group_ids if group else ()
        place = f"{partition}:{request.region}:{account}"
        resources = resources_of(request.service, request.action, request.members, place, attached)
        resource = world.policies.refused(request.access_key, action, resources)
        if not resource:
            return ""
        return (
            f"User: arn:{partition}:iam::{account}:user/someone is not authorized to perform: {action} on resource: "
            f"{resource} because no identity-based policy allows the {action} action"
        )

    @staticmethod
    def _call_entry(
        number: int, began: float, account: str, request: Request, code: str | None, status: int, fault: str | None
    ) -> Call:
        return Call(
            number=number,
            time=began,
            seconds=time.time() - began,
            service=request.service,
            action=request.action,
            region=request.region,
            account=account,
            id=request.id,
            code=code,
            status=status,
            fault=fault,
            members=request.members if is_mutating(request.action) else {},
        )

    def _carry_out(self, environ: dict[str, Any], request: Request) -> tuple[int, list[tuple[str, str]], bytes]:
        answered: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
            answered[:] = [int(status.split(" ", 1)[0]), headers]

        try:
            body = b"".join(self._moto(environ, start))
        except NotImplementedError:
            headers, body = error_body(request, 400, "InvalidAction", f"{request.action} is not emulated.")
            return 400, headers, body
        except Exception:
            traceback.print_exc(file=sys.stderr)
            headers, body = error_body(request, 500, "InternalFailure", "The emulator failed; see its standard error.")
            return 500, headers, body
        return answered[0], answered[1], body
