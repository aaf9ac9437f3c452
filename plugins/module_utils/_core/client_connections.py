# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is connected to a group, and whom its nodes refuse: lines of CLIENT LIST and entries of ACL LOG, summed up.

Everything in them was written by others: clients choose their own names. Of a line only who the client is and how old
the connection is are kept; commands, their arguments and names of keys are dropped here (elasticache-facts §1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .one_line import one_line

#: How much of a name is told, in characters.
MAX_NAME = 64
#: So many different clients of a group are kept apart, and so many are listed; the rest is counted.
MAX_KEPT, MAX_TOLD = 500, 50
#: So many are named in a line.
MAX_IN_LINE = 5
#: Connections that are no client's: of a replica, of a primary, by a unix socket.
_NOT_CLIENTS = frozenset("SMU")
#: By how much CLIENT LIST may tell of an age less than it is, in seconds: it is the difference of two whole seconds.
_AGE_UNIT = 1.0
#: A connection that is older than the moment by more than this is, whatever its id: the node may be another one by now.
_MARK_UNIT = 2.0


class Client(NamedTuple):
    """Who a node says is there: host, user, client library and its version; empty where the node does not say."""

    address: str
    user: str = ""
    library: str = ""
    version: str = ""

    @property
    def words(self) -> str:
        """The address, with the library where it is known."""
        library = " ".join(word for word in (self.library, self.version) if word)
        return f"{self.address} ({library})" if library else self.address


class Connection(NamedTuple):
    """A connection to a node; ``age``: for how long, in whole seconds; ``None``: it can't be told."""

    id: int
    client: Client
    age: int | None


def parse_connection(line: bytes, *, cut: bool = False) -> Connection | None:
    """Return what a line of CLIENT LIST says; ``None`` for what is no client's connection, or no such line.

    ``cut``: the line is too long and only its beginning is there: what comes after the client's own name is not known.
    """
    words = line.split(b" ")
    if cut:
        words = words[: next((at for at, word in enumerate(words) if word.startswith(b"name=")), 0)]
    members: dict[bytes, bytes] = {}
    for word in words:
        name, dummy, value = word.partition(b"=")
        members.setdefault(name, value)
    number = _number(members.get(b"id"))
    if number is None or b"addr" not in members or _NOT_CLIENTS & set(_text(members.get(b"flags"))):
        return None
    return Connection(number, _client(members), _number(members.get(b"age")))


def _client(members: Mapping[bytes, bytes]) -> Client:
    host = members.get(b"addr", b"").rpartition(b":")[0].strip(b"[]")
    names = (_text(members.get(name)) for name in (b"user", b"lib-name", b"lib-ver"))
    return Client(_text(host) or "?", *names)


def _text(value: bytes | None) -> str:
    # Cut before it is looked at character by character: it may be as long as the node likes.
    return one_line((value or b"")[: 8 * MAX_NAME].decode(errors="replace"), MAX_NAME)


def _number(value: bytes | None) -> int | None:
    return int(value) if value is not None and value.isdigit() and len(value) <= 19 else None


def predates(connection: Connection, elapsed: float, mark: int | None = None) -> bool:
    """Whether a connection may have been there before a moment, ``elapsed`` seconds ago.

    Ages are differences of whole seconds: one that began within two seconds after the moment may count, too, and one of
    unknown age does. ``mark``: the id of a connection to this node that was made after the moment. A node numbers its
    connections in order, so that those with greater ids came later still, and do not count.
    """
    if connection.age is None:
        return True
    if mark is not None and connection.id > mark and connection.age < elapsed + _MARK_UNIT:
        return False
    return connection.age + _AGE_UNIT > elapsed


@dataclass
class Counted:
    """The connections of one client: how many, the age of the oldest in seconds, and how many predate the moment."""

    connections: int = 0
    oldest_age: int = 0
    predating: int = 0

    def add(self, other: Counted) -> None:
        """Add those of ``other``."""
        self.connections += other.connections
        self.oldest_age = max(self.oldest_age, other.oldest_age)
        self.predating += other.predating


@dataclass
class Tally:
    """Connections by client. Its size is bounded: clients beyond :data:`MAX_KEPT` are counted in ``others``."""

    clients: dict[Client, Counted] = field(default_factory=dict)
    others: Counted = field(default_factory=Counted)

    def add(self, connection: Connection, elapsed: float | None, user: str = "", mark: int | None = None) -> bool:
        """Count a connection; return whether it predates the moment that is ``elapsed`` seconds ago (if any).

        ``mark``: as for :func:`predates`. ``user``: those of every other user count as such, whatever their age, as
        they do not have its password.
        """
        early = elapsed is not None and (
            predates(connection, elapsed, mark) or (bool(user) and connection.client.user != user)
        )
        self._of(connection.client).add(Counted(1, connection.age or 0, int(early)))
        return early

    def merge(self, other: Tally) -> None:
        """Add what another node has."""
        for client, counted in other.clients.items():
            self._of(client).add(counted)
        self.others.add(other.others)

    def _of(self, client: Client) -> Counted:
        found = self.clients.get(client)
        if found is None:
            if len(self.clients) >= MAX_KEPT:
                return self.others
            found = self.clients[client] = Counted()
        return found

    @property
    def total(self) -> Counted:
        """All of them."""
        total = Counted()
        for counted in (*self.clients.values(), self.others):
            total.add(counted)
        return total

    def sorted(self) -> list[tuple[Client, Counted]]:
        """The clients: those with most connections that predate the moment first, then those with most connections."""
        rows = self.clients.items()
        return sorted(rows, key=lambda row: (-row[1].predating, -row[1].connections, row[0]))

    def told(self) -> list[dict[str, object]]:
        """Return the first :data:`MAX_TOLD` clients for a result."""
        return [
            {
                "address": client.address,
                "user": client.user or None,
                "library": client.library or None,
                "library_version": client.version or None,
                "connections": counted.connections,
                "oldest_age": counted.oldest_age,
                "predating": counted.predating,
            }
            for client, counted in self.sorted()[:MAX_TOLD]
        ]


def predating_in_words(tally: Tally, than: str = "the new token") -> str:
    """Return the words for the connections that predate a moment; ``than``: what they are older than."""
    rows = [(client, counted.predating) for client, counted in tally.sorted() if counted.predating]
    number = tally.total.predating
    if not number:
        return f"no connection predates {than}"
    merged: dict[str, int] = {}
    for client, count in rows:
        merged[client.words] = merged.get(client.words, 0) + count
    addresses = len({client.address for client, dummy in rows})
    least = "at least " if tally.others.predating else ""
    verb = "predates" if number == 1 else "predate"
    where = f"{least}{addresses} address{'' if addresses == 1 else 'es'}"
    return f"{_counted(number, 'connection')} from {where} {verb} {than}: {_listed(merged, number)}"


def _listed(merged: Mapping[str, int], number: int) -> str:
    """Return clients with their counts; what is not shown of ``number`` is counted at the end."""
    shown = list(merged.items())[:MAX_IN_LINE]
    rest = number - sum(count for dummy, count in shown)
    words = [f"{who} x{count}" for who, count in shown]
    return ", ".join([*words, *([f"{rest} more"] if rest else [])])


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


# --- Refused authentications ------------------------------------------------------------------------------------------

#: A value of an answer in RESP: text, number, list or nothing.
Value = object


@dataclass(frozen=True)
class RefusedEntry:
    """An entry of ACL LOG with the reason ``auth``: what was refused to one user within a minute.

    ``client``: who came last, with the name of the user that it presented. ``key``: what tells it from other entries of
    the node. ``age``: seconds since it came last.
    """

    key: str
    client: Client
    count: int
    age: float


def parse_acl_log(reply: Value) -> list[RefusedEntry]:
    """Return the entries of an answer to ACL LOG that tell of refused authentications; what is none is passed over."""
    found = []
    for entry in reply if isinstance(reply, list) else ():
        members = _members(entry)
        count, age = members.get(b"count"), _seconds(members.get(b"age-seconds"))
        if members.get(b"reason") != b"auth" or not isinstance(count, int) or age is None:
            continue
        words = _bytes(members.get(b"client-info")).split(b" ")
        info = {name: value for name, dummy, value in (word.partition(b"=") for word in reversed(words))}
        user = _text(_bytes(members.get(b"username")))
        number = members.get(b"entry-id")
        key = f"#{number}" if isinstance(number, int) else f"{user} {_number(info.get(b'id'))}"
        found.append(RefusedEntry(key, _client(info)._replace(user=user), max(count, 0), age))
    return found


def _members(entry: Value) -> dict[bytes, Value]:
    if not isinstance(entry, list) or len(entry) % 2:
        return {}
    return {name: value for name, value in zip(entry[::2], entry[1::2], strict=True) if isinstance(name, bytes)}


def _bytes(value: Value) -> bytes:
    return value if isinstance(value, bytes) else b""


def _seconds(value: Value) -> float | None:
    try:
        return float(_bytes(value))
    except ValueError:
        return None


@dataclass
class Refused:
    """Whom the nodes of a group refuse, over several looks. Its size is bounded as that of a :class:`Tally`.

    A client is refused before it can give the name of its library: :meth:`learn` takes that from other connections of
    the same address.
    """

    clients: dict[Client, int] = field(default_factory=dict)
    others: int = 0
    _seen: dict[str, dict[str, int]] = field(default_factory=dict)
    _libraries: dict[str, tuple[str, str]] = field(default_factory=dict)

    def take(self, node: str, entries: Iterable[RefusedEntry], *, within: float, own: str = "") -> None:
        """Count what a node tells more than at the look before.

        At the first look at a node, an entry whose last client came within so many seconds counts once, unless that was
        at the address ``own``, where our own probes come from: how many of the others came within is not told.
        """
        before, seen = self._seen.get(node), {entry.key: entry.count for entry in entries}
        for entry in entries:
            if before is not None:
                self._count(entry.client, entry.count - before.get(entry.key, 0))
            elif entry.age <= within and entry.client.address != own:
                self._count(entry.client, min(entry.count, 1))
        self._seen[node] = seen

    def _count(self, client: Client, more: int) -> None:
        if more > 0 and (client in self.clients or len(self.clients) < MAX_KEPT):
            self.clients[client] = self.clients.get(client, 0) + more
        else:
            self.others += max(more, 0)

    def learn(self, tally: Tally) -> None:
        """Take note of the libraries at each address; where there are several, of none."""
        for client in tally.clients:
            if client.library and (client.address in self._libraries or len(self._libraries) < MAX_KEPT):
                told = (client.library, client.version)
                self._libraries[client.address] = (
                    told if self._libraries.get(client.address, told) == told else ("", "")
                )

    @property
    def total(self) -> int:
        """How many authentications were refused."""
        return sum(self.clients.values()) + self.others

    def sorted(self) -> list[tuple[Client, int]]:
        """The clients, those that were refused most often first."""
        known: dict[Client, int] = {}
        for client, count in self.clients.items():
            library, version = self._libraries.get(client.address, ("", ""))
            who = client if client.library else client._replace(library=library, version=version)
            known[who] = known.get(who, 0) + count
        return sorted(known.items(), key=lambda row: (-row[1], row[0]))

    def told(self) -> list[dict[str, object]]:
        """Return the first :data:`MAX_TOLD` clients for a result."""
        return [
            {
                "address": client.address,
                "user": client.user or None,
                "library": client.library or None,
                "library_version": client.version or None,
                "refused": count,
            }
            for client, count in self.sorted()[:MAX_TOLD]
        ]


def refused_in_words(refused: Refused) -> str:
    """Return a sentence about who is refused; empty where nobody is."""
    number = refused.total
    if not number:
        return ""
    merged: dict[str, int] = {}
    for client, count in refused.sorted():
        user = f" as {client.user}" if client.user not in ("", "default") else ""
        merged[client.words + user] = merged.get(client.words + user, 0) + count
    return f"Its nodes refused {_listed(merged, number)}."


def unheard_in_words(errors: Sequence[tuple[str, str]], of: int) -> str:
    """Return the words for nodes that told nothing, with what is wrong with the first of them; empty: all told."""
    if not errors:
        return ""
    node, why = errors[0]
    return f"{len(errors)} of {of} nodes could not be asked ({node}: {why.rstrip('.')})"
