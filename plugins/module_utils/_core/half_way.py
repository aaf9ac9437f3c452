# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who has not moved in a rotation that is half-way, as the audit tells it.

Pure. Names of libraries are chosen by clients: they come in cut off and on one line. Whoever shows them escapes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .client_connections import MAX_TOLD
from .one_line import one_line

#: How much of a text is told, in characters.
_MAX_TEXT = 1000
#: How an audit tells it, where it was not asked to.
HINT = "audit_secret_name with audit_probe: auto shows how many connections predate that."


@dataclass(frozen=True)
class HalfWay:
    """What the nodes say of their connections.

    ``connections``, ``predating``: how many there are, and how many predate the new token; ``None``: not known.
    ``summary``: both in words; empty where no node told. ``clients``: those with connections that predate it, and
    ``clients_omitted`` how many of these are of clients not listed. ``error``: why not all is known.
    """

    summary: str = ""
    error: str = ""
    connections: int | None = None
    predating: int | None = None
    clients: tuple[Mapping[str, Any], ...] = ()
    clients_omitted: int = 0
    nodes: int = 0
    nodes_answered: int = 0

    @property
    def text(self) -> str:
        """All of it in a sentence or two."""
        if not self.summary:
            return f"Which connections predate the new token is not known: {self.error or 'no node told'}."
        return f"{_sentence(self.summary)}." + (f" Not all is known: {self.error}." if self.error else "")

    def told(self) -> dict[str, Any]:
        """Return it as facts and the JSON file have it."""
        return {
            "summary": self.summary or None,
            "error": self.error or None,
            "connections": self.connections,
            "predating": self.predating,
            "clients": [dict(client) for client in self.clients],
            "clients_omitted": self.clients_omitted,
            "nodes": self.nodes,
            "nodes_answered": self.nodes_answered,
        }


def read_half_way(given: object) -> HalfWay | None:
    """Return what facts tell of it. Raises :class:`ValueError` where they are no such facts."""
    if given is None or given == "":
        return None
    if not isinstance(given, Mapping):
        raise ValueError("client_connections: it is no dictionary.")
    clients = given.get("clients") or ()
    if not isinstance(clients, (list, tuple)) or not all(isinstance(client, Mapping) for client in clients):
        raise ValueError("client_connections.clients: it is no list of dictionaries.")
    return HalfWay(
        summary=_line(given.get("summary")),
        error=_line(given.get("error")),
        connections=_whole("connections", given.get("connections")),
        predating=_whole("predating", given.get("predating")),
        clients=tuple(_client(client) for client in clients[:MAX_TOLD]),
        clients_omitted=_whole("clients_omitted", given.get("clients_omitted")) or 0,
        nodes=_whole("nodes", given.get("nodes")) or 0,
        nodes_answered=_whole("nodes_answered", given.get("nodes_answered")) or 0,
    )


def _client(given: Mapping[str, Any]) -> dict[str, Any]:
    names = {name: _line(given.get(name)) or None for name in ("address", "user", "library", "library_version")}
    return {**names, "predating": _whole("clients[].predating", given.get("predating"))}


def _line(value: object) -> str:
    return one_line(str(value), _MAX_TEXT).rstrip(".") if value else ""


def _whole(name: str, value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise ValueError(f"client_connections.{name}: {value!r} is not a whole number from 0 on.")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
