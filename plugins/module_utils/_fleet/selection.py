# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which groups of a fleet are meant: filters over the facts of :mod:`.survey`. Pure."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._core.errors import AuthError
from .._core.states import Mode

#: In place of a mode: those whose mode the evidence leaves open, or that are being changed.
UNKNOWN = "unknown"

_CHOICES: dict[str, tuple[str, ...]] = {
    "engine": ("valkey", "redis", "memcached"),
    "mode": (*(mode.value for mode in Mode), UNKNOWN),
    "transit_encryption_mode": ("off", "preferred", "required"),
}
#: A filter's name, and of which fact it is a list of patterns.
_PATTERNS = {"ids": "replication_group_id", "status": "status", **{name: name for name in _CHOICES}}
_AGES = ("min_token_age_days", "max_token_age_days")
NAMES = (*_PATTERNS, "tags", *_AGES)


@dataclass(frozen=True)
class Filter:
    """One filter: a group passes that meets all of its conditions. Those not given are met by all.

    ``patterns``: by fact, the shell patterns one of which it has to match. ``tags``: by key, patterns of the value.
    Ages are in days, and the limits belong to the range; what has no token has no age.
    """

    patterns: tuple[tuple[str, tuple[str, ...]], ...] = ()
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()
    youngest: float | None = None
    oldest: float | None = None

    def passes(self, facts: Mapping[str, Any]) -> bool:
        """Whether a group with these facts meets every condition."""
        for fact, patterns in self.patterns:
            value = facts.get(fact)
            if not _matches(UNKNOWN if value is None else str(value).lower(), patterns):
                return False
        tags = facts.get("tags") or {}
        if not all(key in tags and _matches(tags[key], patterns) for key, patterns in self.tags):
            return False
        if self.youngest is None and self.oldest is None:
            return True
        age = facts.get("auth_token_age_days")
        if age is None:
            return False
        return (self.youngest is None or age >= self.youngest) and (self.oldest is None or age <= self.oldest)

    @property
    def ids(self) -> tuple[str, ...]:
        """The patterns of the ids; none: all."""
        return dict(self.patterns).get("replication_group_id", ())


@dataclass(frozen=True)
class Selection:
    """Those that pass one of the filters (or there is none), and none of the excluding ones."""

    filters: tuple[Filter, ...] = ()
    excluding: tuple[Filter, ...] = ()

    def includes(self, facts: Mapping[str, Any]) -> bool:
        """Whether a group with these facts is meant."""
        wanted = not self.filters or any(rule.passes(facts) for rule in self.filters)
        return wanted and not any(rule.passes(facts) for rule in self.excluding)

    @property
    def ids(self) -> tuple[str, ...]:
        """Patterns one of which every included id matches; none: it may be any."""
        if not self.filters or not all(rule.ids for rule in self.filters):
            return ()
        return tuple(dict.fromkeys(pattern for rule in self.filters for pattern in rule.ids))

    @property
    def needs_tags(self) -> bool:
        """Whether tags are among the conditions."""
        return any(rule.tags for rule in (*self.filters, *self.excluding))


def parse_selection(filters: object, exclude_filters: object) -> Selection:
    """Check and read the options ``filters`` and ``exclude_filters``: each a dict, or a list of dicts.

    Raises :class:`AuthError`, which names the option and its member.
    """
    return Selection(_parse_all("filters", filters), _parse_all("exclude_filters", exclude_filters))


def _parse_all(option: str, given: object) -> tuple[Filter, ...]:
    if given is None or given == {}:
        return ()
    several = given if _is_list(given) else [given]
    return tuple(_parse(option, item) for item in several)  # type: ignore[attr-defined]


def _parse(option: str, given: object) -> Filter:
    if not isinstance(given, Mapping):
        raise AuthError(f"{option}: a filter is a dictionary of {', '.join(NAMES)}, and not {_kind(given)}.")
    if not given:
        raise AuthError(f"{option}: a filter without a condition would stand for every group; leave it out.")
    for name in given:
        if name not in NAMES:
            close = difflib.get_close_matches(str(name), NAMES, 1)
            meant = f" Did you mean {close[0]}?" if close else ""
            raise AuthError(f"{option}: there is no '{name}' to filter by.{meant} There are {', '.join(NAMES)}.")
    patterns = []
    for name, fact in _PATTERNS.items():
        if name in given:
            texts = _texts(f"{option}: {name}", given[name])
            _check_choices(f"{option}: {name}", texts, _CHOICES.get(name))
            patterns.append((fact, tuple(text.lower() for text in texts)))
    ages = [_days(f"{option}: {name}", given.get(name)) for name in _AGES]
    if None not in ages and ages[0] > ages[1]:  # type: ignore[operator]
        raise AuthError(f"{option}: {_AGES[0]} ({ages[0]:g}) is above {_AGES[1]} ({ages[1]:g}): nothing is that old.")
    return Filter(tuple(patterns), _tags(option, given.get("tags")), ages[0], ages[1])


def _tags(option: str, given: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        raise AuthError(f"{option}: tags is a dictionary of keys and values, and not {_kind(given)}.")
    return tuple((str(key), _texts(f"{option}: tags: {key}", value)) for key, value in given.items())


def _texts(where: str, given: object) -> tuple[str, ...]:
    """Return one text or several; numbers are written out, for YAML makes numbers of ``8`` and ``1.0``."""
    several: Iterable[object] = given if _is_list(given) else [given]  # type: ignore[assignment]
    texts = []
    for item in several:
        if isinstance(item, bool):
            raise AuthError(f"{where}: YAML makes true or false of what is written there. Put it into quotes.")
        if not isinstance(item, (str, int, float)):
            raise AuthError(f"{where}: give a text or a list of texts, and not {_kind(item)}.")
        texts.append(str(item))
    if not texts:
        raise AuthError(f"{where}: an empty list would match nothing; leave it out, or name something.")
    return tuple(texts)


def _check_choices(where: str, texts: Iterable[str], choices: Sequence[str] | None) -> None:
    for text in texts:
        if choices and text.lower() not in choices:
            close = difflib.get_close_matches(text.lower(), choices, 1)
            meant = f" Did you mean {close[0]}?" if close else ""
            raise AuthError(f"{where}: there is no '{text}'.{meant} It is one of {', '.join(choices)}.")


def _days(where: str, given: object) -> float | None:
    if given is None:
        return None
    try:
        days = float(given) if not isinstance(given, bool) else -1.0  # type: ignore[arg-type]
    except (TypeError, ValueError):
        days = -1.0
    if not 0 <= days < float("inf"):
        raise AuthError(f"{where}: '{given}' is no number of days; give one from 0 on.")
    return days


def _matches(text: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


def _is_list(given: object) -> bool:
    return isinstance(given, Sequence) and not isinstance(given, (str, bytes))


def _kind(given: object) -> str:
    return "nothing" if given is None else f"'{given}'" if isinstance(given, str) else f"a {type(given).__name__}"
