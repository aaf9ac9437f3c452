# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What can be set on the emulator: its timing, and how the facts that nobody has shown turn out.

A *variant* is a **?** of elasticache-facts: AWS behaves in one of several ways and nobody outside knows which.
Each has a default, marked so in ``VARIANTS``, and can be changed on the command line or while the emulator runs.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """One open question: its name, the answers to choose from (the first is the default) and where it comes from."""

    name: str
    values: tuple[str, ...]
    fact: str
    meaning: str

    @property
    def default(self) -> str:
        """The answer that is in force unless another is chosen."""
        return self.values[0]


VARIANTS: Mapping[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant(
            "optional-wrong-token",
            ("wrongpass", "ok", "error"),
            "elasticache-facts §1, table of states, row optional",
            "what AUTH with a wrong token answers while no token is demanded (data plane)",
        ),
        Variant(
            "open-auth-default",
            ("ok", "error"),
            "elasticache-facts §1, table of states, row open",
            "what AUTH and HELLO with the user named default and any password answer in open (data plane)",
        ),
        Variant(
            "set-other-value",
            ("not-rotated", "invalid-token"),
            "elasticache-facts §1, SET of another value",
            "which text refuses a SET of a token that was not rotated in",
        ),
        Variant(
            "set-on-required",
            ("no-op", "refused", "slot-lost"),
            "elasticache-facts §1, SET(t) on required(t)",
            "SET of the only token: refused, accepted without effect, or the oldest slot, which is the only one, goes",
        ),
        Variant(
            "rotate-live-token",
            ("refused", "no-op", "slot-lost"),
            "elasticache-facts §1, ROTATE of a token that is live",
            "ROTATE of a token in a slot: refused, accepted without effect, or appended all the same (last two stay)",
        ),
        Variant(
            "rotate-same-twice",
            ("refused", "no-op", "slot-lost"),
            "elasticache-facts §1, the same ROTATE twice",
            "a ROTATE that repeats the last one: as in rotate-live-token",
        ),
        Variant(
            "existing-connections",
            ("keep", "drop"),
            "elasticache-facts §1, existing connections across ROTATE/SET",
            "whether connections survive a change of tokens (data plane)",
        ),
        Variant(
            "modify-wider-token",
            ("accepted", "refused"),
            "elasticache-facts §5, Token",
            "a modify with _, ~ and others that its page does not forbid: accepted, or refused as at creation",
        ),
        Variant(
            "date-moves",
            ("end", "start"),
            "elasticache-facts §2, AuthTokenLastModifiedDate",
            "when AuthTokenLastModifiedDate moves: as the change ends, or as it starts",
        ),
        Variant(
            "engine-too-old",
            ("unsupported-version", "minimum-version"),
            "elasticache-facts §3, engine too old for a token modify",
            "which text refuses a token on an engine that is too old",
        ),
    )
}


class UnknownVariantError(ValueError):
    """A variant's name or value that does not exist. The message says which ones do."""


def check_variant(name: str, value: str) -> None:
    """Raise ``UnknownVariantError`` unless ``name`` is a variant that can be ``value``."""
    variant = VARIANTS.get(name)
    if variant is None:
        raise UnknownVariantError(f"no variant {name!r}; there are: {', '.join(sorted(VARIANTS))}")
    if value not in variant.values:
        raise UnknownVariantError(f"variant {name} can't be {value!r}; it can be: {', '.join(variant.values)}")


class Variants(Mapping[str, str]):
    """The answers in force: a mapping of name to value that may be read from any thread while it changes."""

    def __init__(self, chosen: Mapping[str, str] | None = None) -> None:
        """Start from the defaults, with ``chosen`` on top; raises ``UnknownVariantError``."""
        self._lock = threading.Lock()
        self._values = {name: variant.default for name, variant in VARIANTS.items()}
        self.choose(chosen or {})
        self._at_start = dict(self._values)

    def choose(self, chosen: Mapping[str, str]) -> None:
        """Put ``chosen`` in force, all or nothing; raises ``UnknownVariantError``."""
        for name, value in chosen.items():
            check_variant(name, value)
        with self._lock:
            self._values = {**self._values, **chosen}

    def reset(self) -> None:
        """Go back to what the emulator was started with."""
        with self._lock:
            self._values = dict(self._at_start)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


MAX_SIGMA = 5.0


@dataclass(frozen=True)
class Timing:
    """How long things take, in seconds.

    With a ``modify_sigma`` above 0 each change of a replication group has a duration of its own, as ``change_seconds``
    draws it; a user's and a user group's takes ``modify_seconds`` still.
    """

    modify_seconds: float = 1.0  #: a change of a user or a user group, and of a group the same or the median
    create_seconds: float = 0.2  #: a group's creation and deletion, besides what starting its nodes takes
    latency: float = 0.0  #: added to every API call
    modify_sigma: float = 0.0  #: sigma of the log-normal distribution; 0: all changes last equally long
    modify_max_seconds: float = 86400.0  #: no change that is drawn lasts longer
    modify_seed: int = 0  #: other durations for the same groups

    def __post_init__(self) -> None:
        for name in ("modify_seconds", "create_seconds", "latency", "modify_max_seconds"):
            if not 0 <= getattr(self, name) <= 86400:
                raise ValueError(f"{name} must be between 0 and 86400 seconds")
        if not 0 <= self.modify_sigma <= MAX_SIGMA:
            raise ValueError(f"modify_sigma must be between 0 and {MAX_SIGMA:g}")
        if not isinstance(self.modify_seed, int):
            raise ValueError("modify_seed must be a whole number")


def change_seconds(timing: Timing, group: str, number: int) -> float:
    """How long the ``number``-th change (from 1) of the replication group with that id takes, in seconds.

    The same for the same settings, id and number, in any process, and independent of all other groups' changes.
    elasticache-facts §4: most changes end soon, and in a fleet some group always takes far longer.
    """
    if not timing.modify_sigma or not timing.modify_seconds:
        return timing.modify_seconds
    drawn = random.Random(f"{timing.modify_seed}/{group}/{number}")
    seconds = drawn.lognormvariate(math.log(timing.modify_seconds), timing.modify_sigma)
    return min(seconds, timing.modify_max_seconds)


@dataclass(frozen=True)
class Settings:
    """What the command line says."""

    port: int = 0
    region: str = "us-east-1"
    data_plane: str = "valkey"
    timing: Timing = Timing()
    throttle: str = "off"  #: a name of ``control.throttling.THROTTLES``
