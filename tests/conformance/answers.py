# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What was answered, row by row, and how that compares with what was expected."""

from __future__ import annotations

import contextlib
import enum
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .clock import HaltError
from .endpoint import Answer, NoAnswerError
from .hidden import Hidden
from .made import NotMadeError
from .nodes import UnreachableError
from .rows import ROWS, Refused, Row, Source


class Verdict(enum.Enum):
    """How an answer compares."""

    EXPECTED = "as expected"
    DIFFERS = "differs"
    PART = "in part"  #: it is in keeping with what is expected, and with something else, too
    NOT_ASKED = "not asked"


@dataclass(frozen=True)
class Seen:
    """One row's answer. ``value`` is compared, ``code`` and ``words`` are the refusal's where it was one."""

    row: Row
    value: str = ""
    code: str = ""
    words: str = ""
    seconds: float | None = None
    may_be: tuple[str, ...] = ()  #: only part of the question could be asked: it is one of these
    why: str = ""  #: why it was not asked

    def verdict(self, variants: Mapping[str, str]) -> Verdict:
        """Compare it with what is expected of an endpoint with these variants."""
        if self.why:
            return Verdict.NOT_ASKED
        expected = self.row.expectation(variants)
        if isinstance(expected, Refused):
            fits = bool(self.code) and expected.fits(self.code, self.words)
        elif self.may_be:
            return Verdict.PART if set(self.may_be) & set(expected) else Verdict.DIFFERS
        else:
            fits = self.value in expected
        return Verdict.EXPECTED if fits else Verdict.DIFFERS

    @property
    def settles(self) -> bool:
        """Whether this answers a question that was open."""
        return self.row.source is Source.OPEN and not self.why and not self.may_be

    def __str__(self) -> str:
        """As the table shows it."""
        refusal = f"{self.code}: {self.words}" if self.code else ""
        return " · ".join(part for part in (self.value or " or ".join(self.may_be), refusal) if part)


@dataclass(frozen=True)
class Duration:
    """How long a change took, from the call until it was over."""

    what: str
    seconds: float


@dataclass
class Answers:
    """All answers of a run. Safe to use from several threads; texts from outside are masked here."""

    hidden: Hidden
    seen: dict[str, Seen] = field(default_factory=dict)
    durations: list[Duration] = field(default_factory=list)
    statuses: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def value(self, name: str, value: str, seconds: float | None = None) -> None:
        """A row's answer that is compared as a value."""
        self._put(Seen(ROWS[name], self.hidden.mask(value), seconds=seconds))

    def choice(self, name: str, value: str, answer: Answer) -> None:
        """A row's answer that is compared as a value, with the refusal that it was told by, if it was one."""
        self._put(Seen(ROWS[name], value, answer.code, answer.words, answer.seconds))

    def part(self, name: str, may_be: tuple[str, ...], answer: Answer) -> None:
        """A row's answer as far as it could be told."""
        self._put(Seen(ROWS[name], seconds=answer.seconds, may_be=may_be))

    def refusal(self, name: str, answer: Answer) -> None:
        """A row's answer to a call that should be refused."""
        value = "" if answer.refused else "accepted"
        self._put(Seen(ROWS[name], value, answer.code, answer.words, answer.seconds))

    def not_asked(self, name: str, why: str) -> None:
        """Why a row was not asked, unless it was."""
        with self._lock:
            self.seen.setdefault(name, Seen(ROWS[name], why=self.hidden.mask(why) or "unknown"))

    @contextlib.contextmanager
    def asking(self, *names: str) -> Iterator[None]:
        """Where what is asked in the block can't be asked, say why of these rows, and go on."""
        try:
            yield
        except HaltError as error:
            self._give_up(names, str(error))
            raise
        except (NoAnswerError, NotMadeError, UnreachableError) as error:
            self._give_up(names, str(error))

    def finish(self, why: str) -> None:
        """Say of each row that has none why there is no answer."""
        for name, row in ROWS.items():
            self.not_asked(name, row.never or why)

    def _give_up(self, names: tuple[str, ...], why: str) -> None:
        for name in names:
            self.not_asked(name, why)

    def _put(self, seen: Seen) -> None:
        with self._lock:
            self.seen[seen.row.name] = seen
