# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""AWS for one account and region, in this process: the emulator's rules without its servers, threads and waiting.

ElastiCache is the emulator's control plane, called directly; Secrets Manager is moto's, with the emulator's
corrections; the nodes answer PING and AUTH as the emulator's do that have no engine.
"""

from __future__ import annotations

import datetime
import functools
import json
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.exceptions import ClientError, ParamValidationError
from botocore.validate import ParamValidator
from moto.core.exceptions import JsonRESTError, ServiceException
from moto.secretsmanager.models import SecretsManagerBackend

from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import Clients
from ansible_collections.elasticache.auth.plugins.module_utils._data_plane.exchange import ExchangeError
from ansible_collections.elasticache.auth.plugins.module_utils._stop import Stop
from emulator.access import Access, Endpoint, FailedAuth, TlsMode
from emulator.control import caches, groups, modify, secrets, tags, users
from emulator.control.call_log import is_mutating
from emulator.control.model import Group
from emulator.control.world import World
from emulator.data_plane.light_engine import LightGroup, Session
from emulator.data_plane.variants import Variants as NodeVariants
from emulator.settings import Timing, Variants

from .virtual_time import Clock, VirtualStop

ACCOUNT, REGION = "123456789012", "eu-central-1"
#: How long a call takes, and an exchange with a node, seconds.
_CALL, _EXCHANGE = 0.05, 0.01

Parameters = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One call of the API: ``number`` of all calls, ``changing`` of those that change something (0: it is none)."""

    number: int
    changing: int
    service: str
    action: str
    parameters: Mapping[str, Any] = field(repr=False)


class Interceptor:
    """Hears of each call, right before and right after it is carried out, and may raise what its caller is to meet."""

    def before(self, call: Call) -> None:
        """Hear of a call that AWS has not seen yet."""

    def after(self, call: Call, error: Exception | None) -> None:
        """Hear of a call that AWS has carried out, or refused with ``error``."""


class Aws:
    """The account. ``actor``: on whose behalf things happen; what was begun by one ends on his behalf, too."""

    def __init__(self, clock: Clock, variants: Mapping[str, str], timing: Timing) -> None:
        """An account with nothing in it."""
        self.clock, self.actor = clock, "scene"
        self.interceptor, self.observer = Interceptor(), lambda: None
        self.variants = Variants(variants)
        self.nodes = Nodes(self.variants)
        self.world = World(self.nodes, self.variants, timing, scheduler=_Schedule(self))
        self.store = self.world.store(ACCOUNT, REGION, "aws")
        self.secrets = SecretsManagerBackend(REGION, ACCOUNT)
        self.calls = self.changing_calls = 0

    @contextmanager
    def acting(self, actor: str) -> Iterator[None]:
        """Have what happens meanwhile be the doing of ``actor``, and seen by the observer at the end."""
        before, self.actor = self.actor, actor
        try:
            yield
            self.observer()
        finally:
            self.actor = before

    def group(self, key: str) -> Group:
        """Return a replication group."""
        return self.store.groups[key]

    def call(self, service: str, action: str, parameters: Parameters) -> Any:
        """Carry out one call. Raises botocore's exceptions, and what the interceptor raises."""
        changing = is_mutating(action)
        self.calls += 1
        self.changing_calls += changing
        call = Call(self.calls, self.changing_calls if changing else 0, service, action, parameters)
        self.clock.sleep(_CALL / 2)
        self.interceptor.before(call)
        answer, error = None, None
        try:
            answer = self.carry_out(service, action, parameters)
        except ClientError as refusal:
            error = refusal
        self.observer()
        self.clock.sleep(_CALL / 2)
        self.interceptor.after(call, error)
        if error:
            raise error
        return answer

    def carry_out(self, service: str, action: str, parameters: Parameters) -> Any:
        """Carry out one call without anybody's hearing of it. Raises botocore's exceptions."""
        report = ParamValidator().validate(parameters, _model(service).operation_model(action).input_shape)
        if report.has_errors():
            raise ParamValidationError(report=report.generate_report())
        try:
            if service == "elasticache":
                return _ELASTICACHE[action](self.world, self.store, parameters)
            return _SECRETS_MANAGER[action](self.secrets, parameters)
        except JsonRESTError as refusal:
            raise _client_error(refusal.error_type, str(refusal.message), int(refusal.code), action) from None
        except ServiceException as refusal:
            raise _client_error(str(refusal.code), str(refusal.message), 400, action) from None


class _Schedule:
    """The clock, for the emulator: what somebody has begun ends on his behalf, and is seen by the observer."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def after(self, seconds: float, task: Callable[[], None]) -> None:
        actor = self._aws.actor

        def end() -> None:
            with self._aws.acting(actor):
                task()

        self._aws.clock.after(seconds, end)

    def forget(self, timeout: float = 60.0) -> None:
        self._aws.clock.forget()

    def close(self) -> None:
        self._aws.clock.close()


# --- Calls ----------------------------------------------------------------------------------------------------------


@functools.cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


@functools.cache
def _actions(service: str) -> dict[str, str]:
    """The actions of a service by the names of their methods."""
    return {xform_name(name): name for name in _model(service).operation_names}


def _client_error(code: str, message: str, status: int, action: str) -> ClientError:
    metadata: Any = {"HTTPStatusCode": status, "RequestId": "", "HostId": "", "HTTPHeaders": {}, "RetryAttempts": 0}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, action)


def refusal(call: Call, code: str, message: str, status: int = 400) -> ClientError:
    """Return an error of AWS about a call."""
    return _client_error(code, message, status, call.action)


Handler = Callable[..., Any]


def _one(operation: Handler, wrapper: str | None = None) -> Handler:
    def handle(world: World, store: Any, parameters: Parameters) -> Any:
        shown = operation(world, store, parameters)
        return {wrapper: shown} if wrapper else shown

    return handle


def _page(listing: Handler, wrapper: str, token: str = "Marker") -> Handler:
    def handle(world: World, store: Any, parameters: Parameters) -> Any:
        shown, marker = listing(world, store, parameters)
        return {wrapper: shown, token: marker} if marker else {wrapper: shown}

    return handle


def _tagging(change: Callable[[Any, Parameters], None]) -> Handler:
    def handle(world: World, store: Any, parameters: Parameters) -> Any:
        resource = tags.find(store, parameters["ResourceName"])
        change(resource, parameters)
        return tags.shown_tags(resource.tags)

    return handle


_ELASTICACHE: Mapping[str, Handler] = {
    "CreateReplicationGroup": _one(groups.create, "ReplicationGroup"),
    "ModifyReplicationGroup": _one(modify.modify, "ReplicationGroup"),
    "DescribeReplicationGroups": _page(groups.describe, "ReplicationGroups"),
    "DescribeCacheClusters": _page(caches.describe_clusters, "CacheClusters"),
    "DescribeServerlessCaches": _page(caches.describe_serverless, "ServerlessCaches", "NextToken"),
    "CreateUser": _one(users.create_user),
    "ModifyUser": _one(users.modify_user),
    "DeleteUser": _one(users.delete_user),
    "DescribeUsers": _page(users.describe_users, "Users"),
    "CreateUserGroup": _one(users.create_user_group),
    "ModifyUserGroup": _one(users.modify_user_group),
    "DeleteUserGroup": _one(users.delete_user_group),
    "DescribeUserGroups": _page(users.describe_user_groups, "UserGroups"),
    "ListTagsForResource": _tagging(lambda resource, parameters: None),
    "AddTagsToResource": _tagging(lambda resource, parameters: tags.add(resource, tags.parse_tags(parameters["Tags"]))),
    "RemoveTagsFromResource": _tagging(lambda resource, parameters: tags.remove(resource, parameters["TagKeys"])),
}


def _create_secret(backend: Any, given: Parameters) -> Any:
    made = backend.create_secret(
        name=given["Name"],
        secret_string=given.get("SecretString"),
        secret_binary=None,
        description=given.get("Description", ""),
        tags=given.get("Tags", []),
        kms_key_id=given.get("KmsKeyId"),
        client_request_token=given.get("ClientRequestToken"),
        replica_regions=[],
        force_overwrite=False,
    )
    return json.loads(made)


def _put_secret_value(backend: Any, given: Parameters) -> Any:
    made = backend.put_secret_value(
        given["SecretId"],
        secret_string=given["SecretString"],
        secret_binary=None,
        client_request_token=given["ClientRequestToken"],
        version_stages=list(given.get("VersionStages", ["AWSCURRENT"])),
    )
    return json.loads(made)


def _update_stage(backend: Any, given: Parameters) -> Any:
    arn, name = backend.update_secret_version_stage(
        given["SecretId"], given["VersionStage"], given.get("RemoveFromVersionId"), given.get("MoveToVersionId")
    )
    return {"ARN": arn, "Name": name}


def _dated(shown: Parameters) -> Parameters:
    """Return an answer with its dates as boto3 has them, and not in seconds."""
    dates = {name: value for name, value in shown.items() if name.endswith("Date") and value}
    return {**shown, **{name: datetime.datetime.fromtimestamp(value, datetime.UTC) for name, value in dates.items()}}


#: moto's types want members that AWS does without.
_SECRETS_MANAGER: Mapping[str, Callable[[Any, Parameters], Any]] = {
    "CreateSecret": _create_secret,
    "PutSecretValue": _put_secret_value,
    "UpdateSecretVersionStage": _update_stage,
    "DescribeSecret": lambda backend, given: _dated(backend.describe_secret(given["SecretId"]).to_dict()),
    "GetSecretValue": lambda backend, given: backend.get_secret_value(
        given["SecretId"], given.get("VersionId"), given.get("VersionStage")
    ),
}
secrets.install()


class _Meta:
    def __init__(self, service: str) -> None:
        self.service_model = _model(service)


class ServiceClient:
    """In place of boto3's client of a service: its methods by boto3's names."""

    def __init__(self, aws: Aws, service: str, stop: Stop) -> None:
        """Talk to ``aws``, and make no changing call where the run must ``stop``."""
        self._aws, self._service, self._stop = aws, service, stop
        self.meta = _Meta(service)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        action = _actions(self._service).get(name)
        if action is None:
            raise AttributeError(name)

        def call(**parameters: Any) -> Any:
            if is_mutating(action):
                self._stop.check()
            return self._aws.call(self._service, action, parameters)

        return call


class SimulatedClients(Clients):
    """The product's clients, of which each talks to the model."""

    def __init__(self, aws: Aws) -> None:
        """Talk to ``aws``."""
        self.ending, self.clock = VirtualStop(aws.clock), aws.clock
        super().__init__(None, region=REGION, stop=self.ending)
        self._aws = aws

    def _client(self, name: str, service: str, *, max_attempts: int) -> Any:
        return ServiceClient(self._aws, service, self.ending)


# --- Nodes ----------------------------------------------------------------------------------------------------------


class Nodes:
    """The data plane: who is accepted where. ``reachable``: whether the network leads there."""

    ca_bundle = Path("/dev/null")

    def __init__(self, variants: Variants) -> None:
        """No nodes yet."""
        self.reachable = True
        self._variants = NodeVariants(
            lambda: variants["optional-wrong-token"], lambda: False, lambda: variants["open-auth-default"] == "ok"
        )
        self._groups: dict[str, tuple[LightGroup, TlsMode]] = {}
        self._hosts: dict[str, str] = {}

    def create_group(
        self, key: str, layout: Sequence[int], *, cluster_enabled: bool, access: Access, tls: TlsMode
    ) -> list[list[Endpoint]]:
        """Give every node an address."""
        self._groups[key] = LightGroup(access), tls
        shards = []
        for shard, nodes in enumerate(layout):
            shards.append([Endpoint(f"{key}.{shard}.{node}.test", 6379) for node in range(nodes)])
            self._hosts |= dict.fromkeys((endpoint.host for endpoint in shards[-1]), key)
        return shards

    def set_access(self, key: str, access: Access) -> None:
        """Accept just these."""
        self._groups[key][0].access = access

    def set_tls(self, key: str, mode: TlsMode) -> None:
        """Speak so."""
        self._groups[key] = self._groups[key][0], mode

    def take_authentication_failures(self) -> Mapping[FailedAuth, int]:
        """Nobody counts them."""
        return {}

    def delete_group(self, key: str) -> None:
        """Forget it."""
        del self._groups[key]

    def close(self) -> None:
        """There is nothing to close."""

    def access(self, key: str) -> Access:
        """Return who is accepted by the nodes of a group."""
        return self._groups[key][0].access

    def tls(self, key: str) -> TlsMode:
        """Return what the nodes of a group speak."""
        return self._groups[key][1]

    def session(self, host: str, *, tls: bool) -> Session:
        """Connect to a node. Raises OSError, and ExchangeError where the node does not speak so."""
        if not self.reachable:
            raise ConnectionRefusedError(111, "Connection refused")
        group, mode = self._groups[self._hosts[host]]
        if mode is (TlsMode.OFF if tls else TlsMode.REQUIRED):
            raise ExchangeError("it closed the connection instead of answering")
        return Session(group, 0, 0, self._variants)


class NodeExchange:
    """In place of the product's ``Exchange``: a conversation with a node of the model."""

    def __init__(self, aws: Aws, host: str, port: int, tls: ssl.SSLContext | None, timeout: float) -> None:
        """Connect. Raises as :meth:`Nodes.session` does."""
        aws.clock.sleep(_EXCHANGE)
        self._session = aws.nodes.session(host, tls=tls is not None)

    def __enter__(self) -> NodeExchange:
        return self

    def __exit__(self, *_error: object) -> None:
        """There is nothing to close."""

    def ask(self, *command: str) -> str:
        """Return the node's error, empty where it has none."""
        line = self._session.answer([part.encode() for part in command]).removesuffix(b"\r\n")
        return "" if line.startswith(b"+") else line[1:].decode()

    def send(self, *command: str) -> None:
        """Ask for what :meth:`receive` returns."""
        self._answer = self._session.answer([part.encode() for part in command])

    def receive(self, most: int) -> bytes:
        """Return what comes next of the answer."""
        some, self._answer = self._answer[:most], self._answer[most:]
        return some

    @property
    def local_host(self) -> str:
        """Where it comes from."""
        return "127.0.0.1"
