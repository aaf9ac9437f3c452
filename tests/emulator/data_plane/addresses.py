# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The clients' own addresses in what an engine tells of them (CLIENT LIST, CLIENT INFO, ACL LOG).

The engine sees connections of the proxy, each from its client's host but another port. A reply is changed where the
client's port has as many digits, which on Linux is always so: then the length of no string in it changes, and no reply
has to be parsed.
"""

from __future__ import annotations

import re
from collections import OrderedDict

Address = tuple[str, int]

#: How many addresses are remembered of a node: ACL LOG tells of clients that are gone, too.
_MAX_REMEMBERED = 20_000
_SHOWN = re.compile(rb"addr=([0-9.]+):([0-9]+)")
#: The start of an address that may go on in the next chunk.
_PARTIAL = re.compile(rb"a(?:d(?:d(?:r(?:=[0-9.:]*)?)?)?)?\Z")
_NAMED = re.compile(rb"([0-9.]+):([0-9]+)\Z")


class AddressBook:
    """What the engine of one node calls its clients and its own endpoint, and what they are called outside."""

    def __init__(self) -> None:
        self._outside: OrderedDict[bytes, bytes] = OrderedDict()
        self._inside: dict[bytes, bytes] = {}

    def add(self, inside: Address, outside: Address) -> None:
        """Take note of a connection (or of the endpoint). Addresses of different lengths are left as they are."""
        seen, own = (b"%s:%d" % (host.encode(), port) for host, port in (inside, outside))
        if len(seen) != len(own):
            return
        self._outside[seen] = own
        self._outside.move_to_end(seen)
        self._inside[own] = seen
        if len(self._outside) > _MAX_REMEMBERED:
            dummy, forgotten = self._outside.popitem(last=False)
            self._inside.pop(forgotten, None)

    def outside(self, text: bytes) -> bytes:
        """The engine's text with the clients' own addresses."""
        return _SHOWN.sub(lambda found: b"addr=" + self._outside.get(found[0][5:], found[0][5:]), text)

    def inside(self, argument: bytes) -> bytes:
        """An argument of a command as the engine knows it: CLIENT KILL ADDR names a client by its address."""
        return self._inside.get(argument, argument) if _NAMED.match(argument) else argument


class Translation:
    """The replies of one connection, chunk by chunk."""

    def __init__(self, book: AddressBook) -> None:
        self._book = book
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What to send on. An address that a chunk cuts in two is held until the rest is there."""
        text = self._held + data
        partial = _PARTIAL.search(text, max(0, len(text) - 40))
        self._held = text[partial.start() :] if partial else b""
        return self._book.outside(text[: partial.start()] if partial else text)
