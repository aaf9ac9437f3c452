# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask nodes who is connected (CLIENT LIST) and whom they refuse (ACL LOG), and end connections (CLIENT KILL ID).

One connection a node, by the first credential that it accepts. These commands are not among those that AWS restricts
(elasticache-facts §1). A list is read line by line and summed up as it comes.
"""

from __future__ import annotations

import enum
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from .._core.client_connections import RefusedEntry, Tally, parse_acl_log, parse_connection
from .._core.nodes import Node
from .._fan_out import fan_out
from .exchange import Exchange, ExchangeError
from .probe import THREADS, Credential, Transport, accepts, check_transport, connected, told
from .replies import Refused, Reply

#: An ACL LOG has 128 entries where nobody has changed that (``acllog-max-len``).
_ACL_LOG_ENTRIES = 128
_ACL_LOG_LIMIT = 1024 * 1024
#: So many connections are ended between two looks at the time that is left.
_ENDED_AT_ONCE = 50


class Told(str, enum.Enum):
    """What a node told."""

    ANSWERED = "answered"
    UNREACHABLE = "unreachable"
    UNTRUSTED = "untrusted"  #: its certificate is not signed by an authority that we trust
    REFUSED = "refused"  #: it accepts none of the credentials
    NOT_PERMITTED = "not_permitted"  #: the user may not run the command


@dataclass(frozen=True)
class NodeConnections:
    """What one node told; ``tally`` and ``refused`` count only where it answered.

    ``ended``: how many connections it ended. ``own``: the host that our connection came from. ``own_id``: what the node
    numbered it.
    """

    node: Node
    told: Told
    error: str = ""
    tally: Tally = field(default_factory=Tally)
    ended: int = 0
    refused: tuple[RefusedEntry, ...] = ()
    own: str = ""
    own_id: int | None = None


@dataclass(frozen=True)
class Wanted:
    """What nodes are asked for.

    ``before``: the moment, seconds since 1970, that connections may predate; ``user``: those of every other user count
    as if they did. ``marks``: by node, the id of a connection to it that was made after the moment. ``connections``,
    ``refused``: who is connected, and whom the node has refused; neither: only the id of our own connection. ``end``:
    connections that predate the moment are ended.
    """

    before: float | None = None
    user: str = ""
    marks: Mapping[str, int] = field(default_factory=dict)
    connections: bool = True
    refused: bool = False
    end: bool = False


def ask_all(
    nodes: Sequence[Node],
    credentials: Sequence[Sequence[Credential]],
    wanted: Sequence[Wanted],
    transport: Transport,
    *,
    threads: int = THREADS,
) -> list[NodeConnections]:
    """Ask each node, so many at once, and return what they told in order.

    ``credentials``: those to try, node by node; none: clients are served without one. Raises :class:`AuthError` where
    nothing can be asked at all; what goes wrong with a node is told with it.
    """
    check_transport(transport)
    answers = fan_out(
        range(len(nodes)), lambda i: ask_node(nodes[i], credentials[i], wanted[i], transport), threads=threads
    )
    return [
        NodeConnections(nodes[i], Told.UNREACHABLE, f"{type(answer).__name__}: {answer}")
        if isinstance(answer, Exception)
        else answer
        for i, answer in answers.items()
    ]


def ask_node(node: Node, credentials: Sequence[Credential], wanted: Wanted, transport: Transport) -> NodeConnections:
    """Return what ``node`` tells; what goes wrong is part of it."""
    if not node.host or not node.port:
        return NodeConnections(node, Told.UNREACHABLE, "it has no endpoint yet")
    if credentials and not transport.tls:
        return NodeConnections(node, Told.REFUSED, "no token is sent over a connection without TLS")
    try:
        with connected(node, transport) as exchange:
            # By short-circuit the first one that is accepted is the last one that is presented.
            if credentials and not any(accepts(exchange, credential) for credential in credentials):
                return NodeConnections(node, Told.REFUSED, "it accepts none of the credentials at hand")
            return _ask(node, exchange, wanted)
    except ssl.SSLCertVerificationError as error:
        return NodeConnections(node, Told.UNTRUSTED, str(error.verify_message))
    except (ExchangeError, OSError) as error:
        return NodeConnections(node, Told.UNREACHABLE, told(error, credentials))


def _ask(node: Node, exchange: Exchange, wanted: Wanted) -> NodeConnections:
    answer = NodeConnections(node, Told.ANSWERED)
    command = ""
    try:
        if wanted.connections or not wanted.refused:
            command = "CLIENT ID"
            answer = replace(answer, own_id=Reply(exchange, "CLIENT", "ID").number())
        if wanted.connections:
            command = "CLIENT LIST"
            answer, early = _list(answer, exchange, wanted)
            if wanted.end and early:
                command = "CLIENT KILL"
                answer = replace(answer, ended=_end(exchange, early))
        if wanted.refused:
            command = "ACL LOG"
            reply = Reply(exchange, "ACL", "LOG", str(_ACL_LOG_ENTRIES), limit=_ACL_LOG_LIMIT).values()
            answer = replace(answer, refused=tuple(parse_acl_log(reply)), own=exchange.local_host)
    except Refused as error:
        if str(error).startswith("NOPERM"):
            return replace(answer, told=Told.NOT_PERMITTED, error=not_permitted(command))
        if str(error).startswith("NOAUTH"):
            return replace(answer, told=Told.REFUSED, error="it asks for a credential, and none is at hand")
        raise
    return answer


def not_permitted(command: str) -> str:
    """Return the words for a command that the user may not run, with what allows it."""
    allowed = "+acl|log" if command == "ACL LOG" else "+client|id +client|list"
    allowed = "+client|kill" if command == "CLIENT KILL" else allowed
    return (
        f"the user may not run {command} (NOPERM); append {allowed} to its access string: aws elasticache modify-user "
        f'--user-id … --append-access-string "{allowed}"'
    )


def _list(answer: NodeConnections, exchange: Exchange, wanted: Wanted) -> tuple[NodeConnections, list[int]]:
    """Sum up CLIENT LIST without our own connection; return the ids of those that predate the moment, too."""
    tally, early = Tally(), list[int]()
    mark = wanted.marks.get(str(answer.node))
    # Before the command is sent: what the answer takes makes no connection younger than it is.
    elapsed = None if wanted.before is None else time.time() - wanted.before
    for line, cut in Reply(exchange, "CLIENT", "LIST").lines():
        connection = parse_connection(line, cut=cut)
        if (
            connection is not None
            and connection.id != answer.own_id
            and tally.add(connection, elapsed, wanted.user, mark)
            and wanted.end
        ):
            early.append(connection.id)
    return replace(answer, tally=tally), early


def _end(exchange: Exchange, ids: Sequence[int]) -> int:
    """End connections by their ids; those that are gone by then are none."""
    ended = 0
    for number, identifier in enumerate(ids):
        if number % _ENDED_AT_ONCE == 0:
            exchange.renew()
        ended += Reply(exchange, "CLIENT", "KILL", "ID", str(identifier)).number()
    return ended
