# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Members of a list that AWS answers with again, word for word, are read once.

A run looks at all groups of a region every few seconds, and most of them are as they were. Botocore takes 40 ms of CPU
for a page of 100 groups (measured with botocore 1.44), which was the largest part of a run's work.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")

#: What botocore tells of an answer before it reads it (not all versions do; without it each member is read anew).
_EVENT = "before-parse.{}"
#: Where markup that is no element begins (a comment, CDATA): AWS sends none, and an element can't be told by its name.
_NO_ELEMENT = b"<!"

_of_thread = threading.local()


@dataclass
class Repeated(Generic[T]):
    """What was read of the members of one list, by the digest of the text that AWS sent; of the latest answers alone.

    ``member``: the name of the element that each of them is; none may be within another.
    """

    member: str
    _read: Mapping[bytes, T] = field(default_factory=dict)

    def pages(
        self, pages: Iterator[Mapping[str, Any]], read: Callable[[Mapping[str, Any]], T], name: str
    ) -> Iterator[T]:
        """Yield what ``read`` returns of each member of all ``pages``, in order; what is as before is not read again.

        ``name``: of the list in a page. Asking for a page has to be done by this thread, as the iterator is advanced.
        """
        found: dict[bytes, T] = {}
        while True:
            with _answer(self.member, self._read) as answer:
                page = next(pages, None)
            if page is None:
                break
            yield from answer.members(page[name], read, found)
        self._read = found


@dataclass
class _Answer(Generic[T]):
    """One answer. ``digests``: of its members, in order, where those that are ``known`` were left out of it."""

    member: str
    known: Mapping[bytes, T]
    digests: Sequence[bytes] = ()

    def shorten(self, body: bytes) -> bytes:
        """Return the body without the members that are known."""
        self.digests = ()  # botocore may have asked again
        opened, closed = f"<{self.member}>".encode(), f"</{self.member}>".encode()
        first, *members = body.split(opened)
        if _NO_ELEMENT in body or not members or any(member.count(closed) != 1 for member in members):
            return body
        texts, between = zip(*(member.split(closed) for member in members), strict=True)
        last = between[-1]
        if b"".join(between[:-1]).strip():
            return body
        self.digests = [hashlib.sha256(text).digest() for text in texts]
        pairs = zip(self.digests, texts, strict=True)
        unknown = [opened + text + closed for digest, text in pairs if digest not in self.known]
        return b"".join((first, *unknown, last))

    def members(
        self, given: Sequence[Mapping[str, Any]], read: Callable[[Mapping[str, Any]], T], found: dict[bytes, T]
    ) -> Sequence[T]:
        """Return what is read of each member, ``given`` being those that were not known, and note it in ``found``."""
        fresh, members = map(read, given), []
        for digest in self.digests:
            found[digest] = self.known[digest] if digest in self.known else next(fresh)
            members.append(found[digest])
        return [*members, *fresh]  # all of them fresh, where none was told before it was read


@contextlib.contextmanager
def _answer(member: str, known: Mapping[bytes, T]) -> Iterator[_Answer[T]]:
    """Have the answers to this thread's calls shortened, as long as the context lasts."""
    answer = _of_thread.answer = _Answer(member, known)
    try:
        yield answer
    finally:
        _of_thread.answer = None


def shorten_answers(client: Any, operation: str) -> None:
    """Have a client leave out what is known of the answers to ``operation``, for threads that are reading pages."""
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(_EVENT.format(f"{service}.{operation}"), _before_parse)


def _before_parse(response_dict: dict[str, Any], **_event: Any) -> None:
    answer, body = getattr(_of_thread, "answer", None), response_dict.get("body")
    if answer is not None and isinstance(body, bytes) and response_dict.get("status_code") == 200:
        response_dict["body"] = answer.shorten(body)
