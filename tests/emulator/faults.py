# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Faults that a test asks for: throttling, errors, dropped, halted or paused calls, stale answers, endless changes.

A fault is posted to the admin API as JSON and is in force until it is used up (``times``), deleted or reset.
"""

from __future__ import annotations

import enum
import fnmatch
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from emulator.control.call_log import is_mutating


class FaultKind(enum.Enum):
    """What goes wrong."""

    THROTTLE = "throttle"  #: a share ``rate`` of the calls is refused before it is carried out
    ERROR = "error"  #: a call is answered with ``code``, before or after it was carried out
    DROP = "drop"  #: the connection is closed without an answer, before or after the call was carried out
    HALT = "halt"  #: a call stands still, before or after it was carried out, until the fault is removed
    PAUSE = "pause"  #: a call stands still like that, and goes on as if nothing had been when the fault is removed
    STALE_DESCRIBE = "stale-describe"  #: describes show groups as they were ``seconds`` ago
    STALE_MODIFY = "stale-modify-response"  #: ModifyReplicationGroup answers with the state before it
    STALE_LIST = "stale-list"  #: ListSecrets shows only AWSCURRENT and AWSPREVIOUS, as before something was staged
    WITHOUT_MEMBER = "without-member"  #: an answer in JSON lacks ``member``, wherever it is in it
    NEVER_ENDS = "never-ends"  #: a change that starts while this is in force never ends
    CREATE_FAILED = "create-failed"  #: a creation that starts while this is in force ends in ``create-failed``
    ROLLOUT_FAILED = "rollout-failed"  #: a deployment, or a command, that starts while this is in force fails


#: What makes a call stand still until the fault is removed.
STANDSTILLS = (FaultKind.HALT, FaultKind.PAUSE)


class When(enum.Enum):
    """Whether the call was carried out when the fault strikes."""

    BEFORE = "before"
    AFTER = "after"


class BadFaultError(ValueError):
    """A fault that was described wrongly. The message says what is wrong."""


@dataclass(eq=False)
class Fault:
    """One rule. The filters (service, action, id, region, account) take shell patterns; all that are given must match.

    With ``mutating`` set, calls that change nothing don't count.
    """

    kind: FaultKind
    service: str = "*"
    action: str = "*"
    id: str = "*"
    region: str = "*"
    account: str = "*"
    mutating: bool = False
    rate: float = 1.0
    seed: int = 0
    nth: int = 1
    times: int | None = None
    when: When = When.BEFORE
    code: str = "Throttling"
    message: str = "Rate exceeded"
    status: int = 400
    seconds: float = 0.0
    member: str = ""
    seen: int = 0  #: calls that matched so far
    struck: int = 0  #: calls that it struck so far; with ``halt`` and ``pause`` those that stand still, or stood still
    _due: int = field(default=0, init=False, repr=False, compare=False)  #: calls that it struck or is going to strike
    _removed: threading.Event = field(default_factory=threading.Event, init=False, repr=False, compare=False)
    _random: random.Random = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def matches(self, service: str, action: str, identifier: str, region: str = "", account: str = "") -> bool:
        """Whether the filters let this call through to the fault."""
        return (
            fnmatch.fnmatchcase(service, self.service)
            and fnmatch.fnmatchcase(action, self.action)
            and fnmatch.fnmatchcase(identifier, self.id)
            and fnmatch.fnmatchcase(region, self.region)
            and fnmatch.fnmatchcase(account, self.account)
            and (is_mutating(action) or not self.mutating)
        )

    def strikes(self) -> bool:
        """Count a call that matched, and say whether the fault strikes it."""
        self.seen += 1
        if self.times is not None and self._due >= self.times:
            return False
        throttles = self.kind is FaultKind.THROTTLE
        strike = self._random.random() < self.rate if throttles else self.seen >= self.nth
        self._due += strike
        if self.kind not in STANDSTILLS:  # they are counted where the call stands still
            self.struck += strike
        return strike

    def remove(self) -> None:
        """Let go on what stands still because of this fault."""
        self._removed.set()

    def wait_for_removal(self) -> None:
        """Block until ``remove``. Hold no lock: everything else is to go on."""
        self._removed.wait()

    def as_dict(self) -> dict[str, Any]:
        """The fault as the admin API shows it."""
        shown: dict[str, Any] = {}
        for item in fields(self):
            if not item.name.startswith("_"):
                value = getattr(self, item.name)
                shown[item.name] = value.value if isinstance(value, enum.Enum) else value
        return shown


_NUMBERS: Mapping[str, tuple[float, float]] = {
    "rate": (0, 1),
    "seed": (0, 2**63),
    "nth": (1, 2**31),
    "times": (1, 2**31),
    "status": (300, 599),
    "seconds": (0, 86400),
}
_STRINGS = ("service", "action", "id", "region", "account", "code", "message", "member")
#: What strikes a call as it comes in; the others strike what ElastiCache does, wherever that is.
_OF_CALLS = (FaultKind.THROTTLE, FaultKind.ERROR, FaultKind.DROP, FaultKind.HALT, FaultKind.PAUSE)


def parse_fault(described: object) -> Fault:
    """Build a fault from the admin API's JSON.

    An ``error``, ``drop``, ``halt`` or ``pause`` strikes once, at the ``nth`` matching call, unless ``times`` says
    otherwise; the others strike every time. Raises ``BadFaultError``.
    """
    if not isinstance(described, dict):
        raise BadFaultError("a fault is a JSON object")
    values: dict[str, Any] = dict(described)
    try:
        kind = FaultKind(values.pop("kind", None))
    except ValueError:
        raise BadFaultError(f"kind must be one of {', '.join(item.value for item in FaultKind)}") from None
    if kind in (FaultKind.ERROR, FaultKind.DROP, *STANDSTILLS):
        values.setdefault("times", 1)
    if kind is FaultKind.ERROR:
        values.setdefault("code", "InternalFailure")
        values.setdefault("message", "The request processing has failed because of an unknown error.")
        values.setdefault("status", 500 if values["code"] == "InternalFailure" else 400)
    for name, value in values.items():
        if name in _NUMBERS:
            low, high = _NUMBERS[name]
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise BadFaultError(f"{name} must be a number from {low} to {high}")
        elif name in _STRINGS:
            if not isinstance(value, str) or not value:
                raise BadFaultError(f"{name} must be a string that is not empty")
        elif name == "when":
            if value not in ("before", "after"):
                raise BadFaultError("when must be before or after")
            values[name] = When(value)
        elif name == "mutating":
            if not isinstance(value, bool):
                raise BadFaultError("mutating must be true or false")
        else:
            raise BadFaultError(f"a fault has no member {name!r}")
        if name in ("region", "account") and kind not in _OF_CALLS:
            raise BadFaultError(f"{kind.value} can't be narrowed by {name}")
    if (kind is FaultKind.WITHOUT_MEMBER) != ("member" in values):
        raise BadFaultError(f"member is needed with {FaultKind.WITHOUT_MEMBER.value}, and goes with nothing else")
    return Fault(kind, **values)


class Faults:
    """The faults in force. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, described: object) -> list[dict[str, Any]]:
        """Add one fault, or a list of them, all or nothing. Returns all in force; raises ``BadFaultError``."""
        new = [parse_fault(item) for item in (described if isinstance(described, list) else [described])]
        with self._lock:
            self._faults.extend(new)
        return self.shown()

    def clear(self, members: Mapping[str, str] | None = None) -> None:
        """Remove all, or those that have these members. Calls that stand still because of them do so no longer."""
        with self._lock:
            removed = [
                fault
                for fault in self._faults
                if all(str(fault.as_dict().get(name)) == value for name, value in (members or {}).items())
            ]
            for fault in removed:
                fault.remove()
            self._faults = [fault for fault in self._faults if fault not in removed]

    def shown(self) -> list[dict[str, Any]]:
        """All faults with what they have counted."""
        with self._lock:
            return [fault.as_dict() for fault in self._faults]

    def strike_call(
        self, service: str, action: str, identifier: str, region: str = "", account: str = ""
    ) -> Fault | None:
        """The fault that strikes this call, if any, of those that strike calls. Every matching fault counts the call.

        A halt or a pause comes before the others: who asked for one waits for it.
        """
        struck = None
        with self._lock:
            for fault in self._faults:
                matches = fault.kind in _OF_CALLS and fault.matches(service, action, identifier, region, account)
                strikes = matches and fault.strikes()
                comes_first = struck is None or (fault.kind in STANDSTILLS and struck.kind not in STANDSTILLS)
                if strikes and comes_first:
                    struck = fault
        return struck

    def stand_still(self, fault: Fault) -> None:
        """Count a call that stands still from now on, and block until the fault is removed."""
        with self._lock:
            fault.struck += 1
        fault.wait_for_removal()

    def strike(self, kind: FaultKind, action: str, identifier: str, service: str = "elasticache") -> Fault | None:
        """The fault of ``kind`` that strikes what ``action`` does to the group ``identifier``, if any."""
        with self._lock:
            for fault in self._faults:
                if fault.kind is kind and fault.matches(service, action, identifier) and fault.strikes():
                    return fault
        return None
