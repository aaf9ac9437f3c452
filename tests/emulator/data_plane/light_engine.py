# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The few commands that the plane without an engine answers, in the engine's words. Pure: no sockets."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from emulator.access import Access, Endpoint
from emulator.data_plane.credentials import (
    NOAUTH,
    NOAUTH_HELLO,
    SYNTAX_ERROR,
    Credential,
    Verdict,
    is_open_to_all,
    judge,
    read_auth,
    read_hello,
)
from emulator.data_plane.permissions import CommandSpec, refusal
from emulator.data_plane.server_config import LAST_SLOT, slot_ranges
from emulator.data_plane.variants import Variants

ENGINE_VERSION = "8.1.0"

_session_ids = itertools.count(1)
_entry_ids = itertools.count()
#: ``acllog-max-len``, and how long what is refused alike is one entry (``acl.c`` of Valkey).
_ACL_LOG_MAX, _ACL_LOG_JOINED_SECONDS = 128, 60.0


@dataclass(frozen=True)
class Status:
    """A simple string."""

    text: str


@dataclass(frozen=True)
class Refusal:
    """An error."""

    text: str


Reply = str | int | bytes | Status | Refusal | None | list["Reply"] | dict[str, "Reply"]


@dataclass
class LightNode:
    """What one node knows of its clients: the connections by their id, and the newest of the AUTHs that it refused."""

    sessions: dict[int, Session] = field(default_factory=dict)
    acl_log: deque[RefusedAuth] = field(default_factory=lambda: deque(maxlen=_ACL_LOG_MAX))


@dataclass
class RefusedAuth:
    """An entry of ACL LOG. As in the engine, what is refused to one user within a minute is one entry, with the client
    that came last; times are seconds since the epoch."""

    id: int
    username: bytes
    created: float
    updated: float
    client: bytes
    count: int = 1


@dataclass
class LightGroup:
    """What the nodes of a group share, and by shard and position what each knows of its clients."""

    access: Access
    shards: list[list[Endpoint]] = field(default_factory=list)
    cluster_enabled: bool = False
    data: dict[bytes, bytes] = field(default_factory=dict)
    nodes: dict[tuple[int, int], LightNode] = field(default_factory=dict)
    #: told the shard and the position of a node that refused an AUTH
    on_refused: Callable[[int, int], None] = lambda shard, position: None


@dataclass(slots=True)
class Session:
    """A client's connection to a node."""

    group: LightGroup
    shard: int
    position: int  #: 0: the primary of the shard
    variants: Variants
    user: str = "default"
    authenticated: bool = False
    protocol: int = 2
    name: bytes = b""
    closing: bool = False
    id: int = field(default_factory=lambda: next(_session_ids))
    address: str = "?:0"  #: the client's, host and port
    local_address: str = "?:0"
    library: dict[bytes, bytes] = field(default_factory=lambda: {b"LIB-NAME": b"", b"LIB-VER": b""})
    connected_at: float = field(default_factory=time.time)
    used_at: float = field(default_factory=time.time)
    command: str = ""  #: the last one
    end: Callable[[], None] = lambda: None  #: ends the connection at once

    def __post_init__(self) -> None:
        # as in the engine: who is let in without a password at the start stays in when a password is set
        self.authenticated = is_open_to_all(self.group.access)

    @property
    def node(self) -> LightNode:
        """The node that it is connected to."""
        return self.group.nodes.setdefault((self.shard, self.position), LightNode())

    def connected(self, address: str, local_address: str, end: Callable[[], None]) -> None:
        """Take note of where the client is; from now on the node lists the connection."""
        self.address, self.local_address, self.end = address, local_address, end
        self.node.sessions[self.id] = self

    def disconnected(self) -> None:
        """It is over: the node lists it no longer."""
        self.node.sessions.pop(self.id, None)

    def described(self) -> bytes:
        """The line of CLIENT LIST, with the members that have a meaning here."""
        now = time.time()
        return (
            f"id={self.id} addr={self.address} laddr={self.local_address} fd={self.id} name={self.name.decode()} "
            f"age={int(now) - int(self.connected_at)} idle={int(now - self.used_at)} flags=N db=0 cmd={self.command} "
            f"user={self.user} resp={self.protocol} lib-name={self.library[b'LIB-NAME'].decode()} "
            f"lib-ver={self.library[b'LIB-VER'].decode()}"
        ).encode()

    def answer(self, arguments: Sequence[bytes]) -> bytes:
        """Run a command and return the encoded reply."""
        self.used_at = time.time()
        return _encode(self._run(tuple(arguments)), self.protocol)

    def _run(self, arguments: tuple[bytes, ...]) -> Reply:
        found = _find(arguments)
        exempt = not isinstance(found, Refusal) and "no_auth" in found[0].categories
        if not exempt and not self.authenticated and not is_open_to_all(self.group.access):
            return Refusal(NOAUTH)
        if isinstance(found, Refusal):
            return found
        spec, function = found
        self.command = spec.name
        if len(arguments) < abs(spec.arity) or 0 < spec.arity < len(arguments):
            return Refusal(f"ERR wrong number of arguments for '{spec.name}' command")
        if exempt:
            return function(self, arguments)
        refused = self._refusal(spec, arguments)
        if refused is not None:
            return Refusal(refused)
        if spec.writes and self.position > 0:
            return Refusal("READONLY You can't write against a read only replica.")
        return function(self, arguments)

    def _refusal(self, spec: CommandSpec, arguments: tuple[bytes, ...]) -> str | None:
        if self.group.access.users is None:
            return None
        access_string = next((user.access_string for user in self.group.access.users if user.name == self.user), "")
        return refusal(access_string, spec, arguments, self.user)

    def authenticate(self, credential: Credential) -> Verdict:
        """Judge a credential and, where it is accepted, become its user."""
        verdict = judge(self.group.access, credential, self.variants.unsettled())
        if verdict is Verdict.ACCEPTED:
            self.user = "default" if credential.username is None else credential.username.decode()
            self.authenticated = True
        elif verdict is Verdict.WRONG:  # an AUTH where none is configured the engine doesn't count either
            self.group.on_refused(self.shard, self.position)
            self._log_refused(b"default" if credential.username is None else credential.username)
        return verdict

    def _log_refused(self, username: bytes) -> None:
        log, now = self.node.acl_log, time.time()
        found = next((entry for entry in log if entry.username == username), None)
        if found is None or now - found.updated > _ACL_LOG_JOINED_SECONDS:
            log.appendleft(RefusedAuth(next(_entry_ids), username, now, now, self.described()))
            return
        found.count, found.updated, found.client = found.count + 1, now, self.described()
        log.remove(found)
        log.appendleft(found)


def _auth(session: Session, arguments: tuple[bytes, ...]) -> Reply:
    credential = read_auth(arguments)
    if credential is None:
        return Refusal(SYNTAX_ERROR)
    verdict = session.authenticate(credential)
    return Status("OK") if verdict is Verdict.ACCEPTED else Refusal(verdict.value)


def _hello(session: Session, arguments: tuple[bytes, ...]) -> Reply:
    hello = read_hello(arguments)
    if hello is None:
        if not arguments[1].isdigit():
            return Refusal("ERR Protocol version is not an integer or out of range")
        if arguments[1] not in (b"2", b"3"):
            return Refusal("NOPROTO unsupported protocol version")
        return Refusal(f"ERR Syntax error in HELLO option '{_bad_hello_option(arguments)}'")
    if hello.credential is not None:
        verdict = session.authenticate(hello.credential)
        if verdict is not Verdict.ACCEPTED:
            return Refusal(verdict.value)
    if not session.authenticated and not is_open_to_all(session.group.access):
        return Refusal(NOAUTH_HELLO)
    session.protocol = hello.version or session.protocol
    session.name = hello.client_name if hello.client_name is not None else session.name
    return {
        "server": b"redis",
        "version": ENGINE_VERSION.encode(),
        "proto": session.protocol,
        "id": session.id,
        "mode": b"cluster" if session.group.cluster_enabled else b"standalone",
        "role": b"replica" if session.position else b"master",
        "modules": [],
    }


def _bad_hello_option(arguments: tuple[bytes, ...]) -> str:
    takes = {b"AUTH": 2, b"SETNAME": 1}
    position = 2
    while position + takes.get(arguments[position].upper(), len(arguments)) < len(arguments):
        position += takes[arguments[position].upper()] + 1
    return arguments[position].decode("latin-1")


def _ping(_session: Session, arguments: tuple[bytes, ...]) -> Reply:
    if len(arguments) > 2:
        return Refusal("ERR wrong number of arguments for 'ping' command")
    return arguments[1] if len(arguments) == 2 else Status("PONG")


def _echo(_session: Session, arguments: tuple[bytes, ...]) -> Reply:
    return arguments[1]


def _quit(session: Session, _arguments: tuple[bytes, ...]) -> Reply:
    session.closing = True
    return Status("OK")


def _reset(session: Session, _arguments: tuple[bytes, ...]) -> Reply:
    session.user, session.protocol, session.name = "default", 2, b""
    session.authenticated = is_open_to_all(session.group.access)
    return Status("RESET")


def _select(_session: Session, arguments: tuple[bytes, ...]) -> Reply:
    return Status("OK") if arguments[1] == b"0" else Refusal("ERR DB index is out of range")


def _ok(_session: Session, _arguments: tuple[bytes, ...]) -> Reply:
    return Status("OK")


def _command(_session: Session, _arguments: tuple[bytes, ...]) -> Reply:
    return [_command_row(spec) for spec, _function in _COMMANDS.values() if "|" not in spec.name]


def _command_row(spec: CommandSpec) -> Reply:
    """A row of COMMAND, from which cluster clients learn where the keys are."""
    first, end = spec.keys
    access: Reply = [Status({"": "fast", "r": "readonly"}.get(spec.needs, "write"))]
    categories: Reply = [Status(f"@{category}") for category in sorted(spec.categories - {"no_auth"})]
    last = -1 if end is None else end - 1 if first else 0
    return [spec.name.encode(), spec.arity, access, first, last, int(bool(first)), categories, [], [], []]


def _command_count(_session: Session, _arguments: tuple[bytes, ...]) -> Reply:
    return sum("|" not in name for name in _COMMANDS)


def _command_docs(_session: Session, _arguments: tuple[bytes, ...]) -> Reply:
    return {}


def _client_id(session: Session, _arguments: tuple[bytes, ...]) -> Reply:
    return session.id


def _client_set_name(session: Session, arguments: tuple[bytes, ...]) -> Reply:
    session.name = arguments[2]
    return Status("OK")


def _client_get_name(session: Session, _arguments: tuple[bytes, ...]) -> Reply:
    return session.name or None


def _client_set_info(session: Session, arguments: tuple[bytes, ...]) -> Reply:
    name = arguments[2].upper()
    if name not in session.library:
        return Refusal(f"ERR Unrecognized option '{arguments[2].decode('latin-1')}'")
    if any(not ord("!") <= byte <= ord("~") for byte in arguments[3]):
        return Refusal(f"ERR {name.decode().lower()} cannot contain spaces, newlines or special characters.")
    session.library[name] = arguments[3]
    return Status("OK")


def _client_list(session: Session, arguments: tuple[bytes, ...]) -> Reply:
    sessions: Iterable[Session] = session.node.sessions.values()
    match [argument.upper() for argument in arguments[2:]]:
        case []:
            pass
        case [b"TYPE", b"NORMAL"]:
            pass
        case [b"ID", *ids] if ids and all(number.isdigit() for number in ids):
            wanted = {int(number) for number in ids}
            sessions = [listed for listed in sessions if listed.id in wanted]
        case _:
            return Refusal(SYNTAX_ERROR)
    return b"".join(listed.described() + b"\n" for listed in sessions)


def _client_info(session: Session, _arguments: tuple[bytes, ...]) -> Reply:
    return session.described() + b"\n"


def _client_kill(session: Session, arguments: tuple[bytes, ...]) -> Reply:
    """CLIENT KILL ID, with one or more ids."""
    option, *ids = arguments[2:]
    if option.upper() != b"ID" or not ids or not all(number.isdigit() for number in ids):
        return Refusal(SYNTAX_ERROR)
    ended = [found for number in ids if (found := session.node.sessions.get(int(number))) and found is not session]
    for found in ended:
        found.end()
    return len(ended)


def _acl_log(session: Session, arguments: tuple[bytes, ...]) -> Reply:
    log = session.node.acl_log
    match arguments[2:]:
        case [word] if word.upper() == b"RESET":
            log.clear()
            return Status("OK")
        case [word] if word.isdigit():
            limit = int(word)
        case []:
            limit = 10
        case _:
            return Refusal(SYNTAX_ERROR)
    return [_log_row(entry) for entry in itertools.islice(log, limit)]


def _log_row(entry: RefusedAuth) -> Reply:
    return {
        "count": entry.count,
        "reason": b"auth",
        "context": b"toplevel",
        "object": b"AUTH",
        "username": entry.username,
        "age-seconds": f"{time.time() - entry.updated:.3f}".encode(),
        "client-info": entry.client,
        "entry-id": entry.id,
        "timestamp-created": int(entry.created * 1000),
        "timestamp-last-updated": int(entry.updated * 1000),
    }


def _whoami(session: Session, _arguments: tuple[bytes, ...]) -> Reply:
    return session.user.encode()


def _info(session: Session, _arguments: tuple[bytes, ...]) -> Reply:
    group = session.group
    shard = group.shards[session.shard]
    lines = [
        "# Server",
        f"redis_version:{ENGINE_VERSION}",
        "server_name:valkey",
        f"valkey_version:{ENGINE_VERSION}",
        f"redis_mode:{'cluster' if group.cluster_enabled else 'standalone'}",
        "# Replication",
        f"role:{'slave' if session.position else 'master'}",
    ]
    if session.position:
        primary = shard[0]
        lines += [f"master_host:{primary.host}", f"master_port:{primary.port}", "master_link_status:up"]
    lines += [
        f"connected_slaves:{0 if session.position else len(shard) - 1}",
        "# Cluster",
        f"cluster_enabled:{int(group.cluster_enabled)}",
        "",
    ]
    return "\r\n".join(lines).encode()


def _get(session: Session, arguments: tuple[bytes, ...]) -> Reply:
    return session.group.data.get(arguments[1])


def _set(session: Session, arguments: tuple[bytes, ...]) -> Reply:
    if len(arguments) > 3:
        return Refusal(SYNTAX_ERROR)  # expiry and conditions need a real engine
    session.group.data[arguments[1]] = arguments[2]
    return Status("OK")


def _del(session: Session, arguments: tuple[bytes, ...]) -> Reply:
    return sum(session.group.data.pop(key, None) is not None for key in arguments[1:])


def _exists(session: Session, arguments: tuple[bytes, ...]) -> Reply:
    return sum(key in session.group.data for key in arguments[1:])


def _incr(session: Session, arguments: tuple[bytes, ...]) -> Reply:
    try:
        step = int(arguments[2]) if len(arguments) == 3 else 1
        number = int(session.group.data.get(arguments[1], b"0")) + step
    except ValueError:
        return Refusal("ERR value is not an integer or out of range")
    session.group.data[arguments[1]] = b"%d" % number
    return number


def _node_id(shard: int, position: int) -> bytes:
    return b"%020d%020d" % (shard, position)


def _cluster_slots(session: Session, _arguments: tuple[bytes, ...]) -> Reply:
    if not session.group.cluster_enabled:
        return Refusal("ERR This instance has cluster support disabled")
    rows: list[Reply] = []
    for index, (first, last) in enumerate(slot_ranges(len(session.group.shards))):
        nodes: list[Reply] = [
            [node.host.encode(), node.port, _node_id(index, position), []]
            for position, node in enumerate(session.group.shards[index])
        ]
        rows.append([first, last, *nodes])
    return rows


def _cluster_shards(session: Session, _arguments: tuple[bytes, ...]) -> Reply:
    if not session.group.cluster_enabled:
        return Refusal("ERR This instance has cluster support disabled")
    rows: list[Reply] = []
    for index, (first, last) in enumerate(slot_ranges(len(session.group.shards))):
        nodes: list[Reply] = [
            {
                "id": _node_id(index, position),
                "port": node.port,
                "ip": node.host.encode(),
                "endpoint": node.host.encode(),
                "role": b"replica" if position else b"master",
                "replication-offset": 0,
                "health": b"online",
            }
            for position, node in enumerate(session.group.shards[index])
        ]
        rows.append({"slots": [first, last], "nodes": nodes})
    return rows


def _cluster_info(session: Session, _arguments: tuple[bytes, ...]) -> Reply:
    if not session.group.cluster_enabled:
        return Refusal("ERR This instance has cluster support disabled")
    nodes = sum(len(shard) for shard in session.group.shards)
    return (
        f"cluster_state:ok\r\ncluster_slots_assigned:{LAST_SLOT + 1}\r\ncluster_slots_ok:{LAST_SLOT + 1}\r\n"
        f"cluster_known_nodes:{nodes}\r\ncluster_size:{len(session.group.shards)}\r\n"
    ).encode()


Function = Callable[[Session, tuple[bytes, ...]], Reply]


def _spec(
    name: str,
    categories: str,
    arity: int,
    function: Function,
    *,
    keys: tuple[int, int | None] = (0, 0),
    needs: str = "",
) -> tuple[CommandSpec, Function]:
    return CommandSpec(name, frozenset(categories.split()), arity, keys, needs), function


_COMMANDS: Mapping[str, tuple[CommandSpec, Function]] = {
    spec.name: (spec, function)
    for spec, function in (
        _spec("auth", "fast connection no_auth", -2, _auth),
        _spec("hello", "fast connection no_auth", -1, _hello),
        _spec("quit", "fast connection no_auth", -1, _quit),
        _spec("reset", "fast connection no_auth", 1, _reset),
        _spec("ping", "fast connection", -1, _ping),
        _spec("echo", "fast connection", 2, _echo),
        _spec("select", "fast connection", 2, _select),
        _spec("readonly", "fast connection", 1, _ok),
        _spec("readwrite", "fast connection", 1, _ok),
        _spec("command", "slow connection", -1, _command),
        _spec("command|docs", "slow connection", -2, _command_docs),
        _spec("command|count", "slow connection", 2, _command_count),
        _spec("client|id", "slow connection", 2, _client_id),
        _spec("client|setname", "slow connection", 3, _client_set_name),
        _spec("client|getname", "slow connection", 2, _client_get_name),
        _spec("client|setinfo", "slow connection", 4, _client_set_info),
        _spec("client|info", "slow connection", 2, _client_info),
        _spec("client|list", "admin slow dangerous connection", -2, _client_list),
        _spec("client|kill", "admin slow dangerous connection", -4, _client_kill),
        _spec("client|no-evict", "admin slow dangerous connection", 3, _ok),
        _spec("client|no-touch", "slow connection", 3, _ok),
        _spec("acl|whoami", "slow", 2, _whoami),
        _spec("acl|log", "admin slow dangerous", -2, _acl_log),
        _spec("info", "slow dangerous", -1, _info),
        _spec("cluster|slots", "slow", 2, _cluster_slots),
        _spec("cluster|shards", "slow", 2, _cluster_shards),
        _spec("cluster|info", "slow", 2, _cluster_info),
        _spec("get", "read string fast", 2, _get, keys=(1, 2), needs="r"),
        _spec("exists", "keyspace read fast", -2, _exists, keys=(1, None), needs="r"),
        _spec("set", "write string slow", -3, _set, keys=(1, 2), needs="w"),
        _spec("del", "keyspace write slow", -2, _del, keys=(1, None), needs="w"),
        _spec("incr", "write string fast", 2, _incr, keys=(1, 2), needs="rw"),
        _spec("incrby", "write string fast", 3, _incr, keys=(1, 2), needs="rw"),
    )
}
_CONTAINERS = frozenset(name.partition("|")[0] for name in _COMMANDS if "|" in name)


def _find(arguments: tuple[bytes, ...]) -> tuple[CommandSpec, Function] | Refusal:
    words = [argument.decode("latin-1") for argument in arguments]
    name = words[0].lower()
    if name in _CONTAINERS and len(words) > 1:
        found = _COMMANDS.get(f"{name}|{words[1].lower()}")
        return found or Refusal(f"ERR unknown subcommand '{words[1][:128]}'. Try {name.upper()} HELP.")
    if name in _COMMANDS:
        return _COMMANDS[name]
    if name in _CONTAINERS:
        return Refusal(f"ERR wrong number of arguments for '{name}' command")
    shown = "".join(f"'{word[:128]}' " for word in words[1:])[:128]
    return Refusal(f"ERR unknown command '{words[0][:128]}', with args beginning with: {shown}")


def _encode(reply: Reply, protocol: int) -> bytes:
    match reply:
        case Status(text):
            return f"+{text}\r\n".encode()
        case Refusal(text):
            # an error is one line, whatever a client put into the text that is quoted in it
            return b"-" + text.translate({13: " ", 10: " "}).encode("latin-1") + b"\r\n"
        case None:
            return b"_\r\n" if protocol == 3 else b"$-1\r\n"
        case int():
            return b":%d\r\n" % reply
        case str():
            return _encode(reply.encode(), protocol)
        case bytes():
            return b"$%d\r\n%b\r\n" % (len(reply), reply)
        case list():
            return b"*%d\r\n" % len(reply) + b"".join(_encode(item, protocol) for item in reply)
        case dict():
            head = b"%%%d\r\n" % len(reply) if protocol == 3 else b"*%d\r\n" % (2 * len(reply))
            return head + b"".join(_encode(key, protocol) + _encode(item, protocol) for key, item in reply.items())
