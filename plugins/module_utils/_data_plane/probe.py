# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask every node of a group which credentials it accepts, over TLS.

One connection a node; on it a PING without credentials, then an AUTH for each token. What a node answers in each
state: elasticache-facts §1. No token is sent over a connection without TLS.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import secrets
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .._core.errors import AuthError
from .._core.evidence import Answer, Probe
from .._core.nodes import Node
from .._core.one_line import one_line
from .._core.redaction import Redactor
from .._fan_out import fan_out
from .exchange import Exchange, ExchangeError

#: How a node refuses a credential: current engines, an open group, engines before 6.0 (elasticache-facts §1).
_REFUSALS = ("WRONGPASS", "ERR AUTH <password> called", "ERR invalid password", "ERR Client sent AUTH")
#: Nodes wait, they don't compute: more threads than for API calls are of use.
THREADS = 32
#: Nodes that are asked at once, whoever asks: a process has a thousand open files on many systems.
_CONNECTIONS = threading.BoundedSemaphore(4 * THREADS)
#: How much is told of the error that a node gives, in characters.
_MAX_ERROR = 200


class Reach(str, enum.Enum):
    """How far a node was reached."""

    ANSWERED = "answered"
    UNREACHABLE = "unreachable"
    UNTRUSTED = "untrusted"  #: its certificate is not signed by an authority that we trust


@dataclass(frozen=True)
class Credential:
    """What to present: a token is the password of the user ``default``. Its ``repr`` shows no password."""

    password: str = field(repr=False)
    username: str | None = None


@dataclass(frozen=True)
class NodeAnswer:
    """What one node said; ``unauthenticated`` and ``accepted`` count only where it answered."""

    node: Node
    reach: Reach
    unauthenticated: bool = False
    accepted: Mapping[str, bool] = field(default_factory=dict)
    untold: frozenset[str] = frozenset()  #: credentials of users of whom it accepted a password that nobody has
    error: str = ""


@dataclass(frozen=True)
class Transport:
    """How to talk to the nodes: with TLS or not, which authorities to trust (``None``: the system's), and how many
    seconds a node may take until it is connected, and then for the whole exchange."""

    tls: bool = True
    ca_path: str | None = None
    timeout: float = 5.0


def probe_nodes(
    nodes: Sequence[Node], credentials: Sequence[Mapping[str, Credential]], transport: Transport
) -> list[NodeAnswer]:
    """Ask each node about its credentials, many at once, and return the answers in order.

    Raises :class:`AuthError` where nothing can be asked at all; what goes wrong with a node is told in its answer.
    """
    check_transport(transport)
    answers = fan_out(range(len(nodes)), lambda i: probe_node(nodes[i], credentials[i], transport), threads=THREADS)
    return [
        NodeAnswer(nodes[i], Reach.UNREACHABLE, error=f"{type(answer).__name__}: {answer}")
        if isinstance(answer, Exception)
        else answer
        for i, answer in answers.items()
    ]


def check_transport(transport: Transport) -> None:
    """Raise :class:`AuthError` where the certificate file that a probe needs is missing."""
    if transport.ca_path:
        try:
            _trust(transport.ca_path)
        except (OSError, ssl.SSLError) as error:
            raise AuthError(
                f"data_plane_ca_path: {transport.ca_path} holds no certificates to trust: {error}"
            ) from error


def probe_node(node: Node, credentials: Mapping[str, Credential], transport: Transport) -> NodeAnswer:
    """Return what ``node`` answers; what goes wrong is part of it."""
    if not node.host or not node.port:
        return NodeAnswer(node, Reach.UNREACHABLE, error="it has no endpoint yet")
    try:
        with connected(node, transport) as exchange:
            unauthenticated = _served(exchange)
            if not transport.tls:
                return NodeAnswer(node, Reach.ANSWERED, unauthenticated)
            accepted = {name: accepts(exchange, credential) for name, credential in credentials.items()}
            names = {credentials[name].username for name, told in accepted.items() if told}
            anything = {user for user in names if _accepts_anything(exchange, user, unauthenticated)}
            untold = frozenset(
                name for name, told in accepted.items() if told and credentials[name].username in anything
            )
            return NodeAnswer(node, Reach.ANSWERED, unauthenticated, accepted, untold)
    except ssl.SSLCertVerificationError as error:
        return NodeAnswer(node, Reach.UNTRUSTED, error=str(error.verify_message))
    except (ExchangeError, OSError) as error:
        return NodeAnswer(node, Reach.UNREACHABLE, error=told(error, credentials.values()))


@contextlib.contextmanager
def connected(node: Node, transport: Transport) -> Iterator[Exchange]:
    """Yield a connection to a node that has an endpoint; there are so many at once, whoever asks, and no more.

    Raises :class:`ExchangeError` and :class:`OSError`.
    """
    trust = _trust(transport.ca_path) if transport.tls else None
    with _CONNECTIONS, Exchange(node.host or "", node.port or 0, trust, transport.timeout) as exchange:
        yield exchange


def told(error: Exception, credentials: Iterable[Credential]) -> str:
    """Return what went wrong, in one line. A node may repeat in it what it was sent, or write what it likes."""
    text = str(Redactor(credential.password for credential in credentials)(str(error)))
    return one_line(text, _MAX_ERROR)


@functools.cache
def _trust(ca_path: str | None) -> ssl.SSLContext:
    """What all connections trust, read once: the system's authorities, and those in ``ca_path``."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_path:
        context.load_verify_locations(cafile=ca_path)
    return context


def _served(exchange: Exchange) -> bool:
    """Whether a client without credentials is served; NOPERM is said to one that is, but may not PING."""
    error = exchange.ask("PING")
    if not error or error.startswith("NOPERM"):
        return True
    if error.startswith("NOAUTH"):
        return False
    raise ExchangeError(error)


def accepts(exchange: Exchange, credential: Credential) -> bool:
    """Return whether the node accepts a credential. Raises :class:`ExchangeError` where it tells nothing yet."""
    arguments = (credential.username, credential.password) if credential.username else (credential.password,)
    error = exchange.ask("AUTH", *arguments)
    if error and not error.startswith(_REFUSALS):
        # For example LOADING: the node is there, but tells nothing yet.
        raise ExchangeError(error)
    return not error


def _accepts_anything(exchange: Exchange, username: str | None, unauthenticated: bool) -> bool:
    """Whether the node accepts any password of a user: then it tells nothing about those that it is asked about.

    It is so of users without a password, and of the user ``default`` where nobody needs a token (elasticache-facts §1:
    in ``open``, where it is named; perhaps in ``optional``). Where one is needed, ``default`` has a password.
    """
    if username in (None, "default") and not unauthenticated:
        return False
    return accepts(exchange, Credential(secrets.token_urlsafe(32), username))


def as_evidence(answers: Iterable[NodeAnswer]) -> Probe | None:
    """Return what the nodes that answered say alike, or ``None`` where none did."""
    heard = [answer for answer in answers if answer.reach is Reach.ANSWERED]
    if not heard:
        return None
    served = {answer.unauthenticated for answer in heard}
    tokens = {}
    for name in heard[0].accepted:
        told = {answer.accepted[name] for answer in heard if name in answer.accepted}
        if len(told) != 1 or any(name in answer.untold for answer in heard):
            tokens[name] = Answer.UNTOLD
        else:
            tokens[name] = Answer.ACCEPTED if told.pop() else Answer.REFUSED
    return Probe(served.pop() if len(served) == 1 else None, tokens)


def untrusted(group_id: str, answers: Iterable[NodeAnswer]) -> str:
    """Return the error about nodes whose certificate can't be trusted, empty where there is none.

    This is never passed over: it is a wrong setting, or somebody between us and the cache who would get the tokens.
    """
    for answer in answers:
        if answer.reach is Reach.UNTRUSTED:
            return (
                f"{group_id}: the certificate of {answer.node} ({answer.node.host}:{answer.node.port}) is not trusted: "
                f"{answer.error}. No token was sent. Name the authority's file in data_plane_ca_path, "
                "or find out who answers there."
            )
    return ""


def unreachable(group_id: str, answers: Iterable[NodeAnswer]) -> str:
    """Return the error about nodes out of reach, empty where all answered."""
    missing = [answer for answer in answers if answer.reach is Reach.UNREACHABLE]
    if not missing:
        return ""
    names = ", ".join(f"{a.node} ({a.node.host}:{a.node.port})" for a in missing[:3])
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    return (
        f"{group_id}: {names}{more} can't be reached: {missing[0].error.rstrip('.')}. "
        "Run where the group's VPC and security groups allow the connection"
    )
