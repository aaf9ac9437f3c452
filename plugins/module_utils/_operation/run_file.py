# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The run file: what happened to each group of an operation, as JSON that only its owner can read."""

from __future__ import annotations

import collections
import contextlib
import datetime
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from .report import Report, slowest_of

SCHEMA = 1
#: What a group is known by.
PLACE = ("replication_group_id", "region", "assume_role_arn")
Key: TypeAlias = "tuple[str, str | None, str | None]"
#: What every report has, from whichever call it comes.
_OF_EACH = ("wave", "outcome", "changed", "failed", "msg", "line")
#: In the file: what comes after it is a line for each group.
_GROUPS = '"groups": ['


def group_key(replication_group_id: str, region: str | None, assume_role_arn: str | None) -> Key:
    """Return what a group is known by. A region or a role that nobody named may be given as ``None`` or empty."""
    return (replication_group_id, region or None, assume_role_arn or None)


def group_key_in(entry: Mapping[str, Any]) -> Key:
    """Return it from a report, a client cutover, or whatever else has the names in :data:`PLACE`."""
    return group_key(*(entry[name] for name in PLACE))


@dataclass
class RunFile:
    """The groups of all waves so far. ``run``: which run it is of. ``hosts``: those of the last wave; ``waiting``:
    those whose wave has not come.
    """

    path: str
    operation: str
    run: str
    began_at: str = ""
    wave: int = 1
    hosts: Sequence[str] = ()
    waiting: Sequence[str] = ()
    _groups: dict[Key, Report] = field(default_factory=dict)

    @classmethod
    def begun(cls, path: str, operation: str, run: str, hosts: Sequence[str], waiting: Sequence[str]) -> RunFile:
        """Return a new one, for the first wave."""
        return cls(path, operation, run, _now(), 1, hosts, waiting)

    def next_wave(self, hosts: Sequence[str], waiting: Sequence[str]) -> RunFile:
        """Return it for another wave."""
        return replace(self, wave=self.wave + 1, hosts=hosts, waiting=waiting, _groups=dict(self._groups))

    def same_wave(self, hosts: Sequence[str], waiting: Sequence[str]) -> RunFile:
        """Return it for another use of the role in the same wave: what the one before told of that is no part of it."""
        others = {place: report for place, report in self._groups.items() if report["wave"] != self.wave}
        began_at = self.began_at if others else _now()
        return replace(self, began_at=began_at, hosts=hosts, waiting=waiting, _groups=others)

    @classmethod
    def read(cls, path: str) -> RunFile:
        """Return what is in the file. Raises OSError, and ValueError for what is no run file."""
        with open(path, encoding="utf-8") as stream:
            content = json.load(stream)
        try:
            groups = {group_key_in(group): group for group in content["groups"]}
            lacking = _lacking(groups.values())
            wave, hosts, waiting = int(content["wave"]), list(content["hosts"]), list(content["waiting"])
            operation, run, began_at = (str(content[name]) for name in ("operation", "run", "began_at"))
        except (KeyError, TypeError) as error:
            raise ValueError(f"it is no run file of this collection: {type(error).__name__} {error}") from error
        if lacking:
            raise ValueError(f"it is no run file of this collection: a group in it has no {', '.join(lacking)}")
        return cls(path, operation, run, began_at, wave, hosts, waiting, groups)

    @property
    def groups(self) -> list[Report]:
        """The reports of all groups, in the order in which they came."""
        return list(self._groups.values())

    def of_wave(self) -> dict[Key, Report]:
        """Return the reports of this wave, by what a group is known by (:data:`PLACE`)."""
        return {place: report for place, report in self._groups.items() if report["wave"] == self.wave}

    def put(self, key: str, region: str | None, role: str | None, report: Report) -> None:
        """Take in, or replace, the report of a group, as the last one."""
        place = group_key(key, region, role)
        self._groups.pop(place, None)
        outcome = "failed" if report["failed"] else "changed" if report["changed"] else "unchanged"
        if report.get("unended"):
            outcome = "under way"
        # A report that an earlier call began has these from there: they are told anew.
        head = {**dict(zip(PLACE, place, strict=True)), "wave": self.wave, "outcome": outcome}
        self._groups[place] = {**head, **report, **head}

    def text(self) -> str:
        """Return what is in the file."""
        head = {
            "schema": SCHEMA,
            "operation": self.operation,
            "run": self.run,
            "began_at": self.began_at,
            "written_at": _now(),
            "wave": self.wave,
            "hosts": list(self.hosts),
            "waiting": list(self.waiting),
        }
        # A line for each group: json's own way to indent takes ten times as long.
        lines = [f"{json.dumps(name)}: {json.dumps(value)},\n" for name, value in head.items()]
        groups = ",\n ".join(map(json.dumps, self._groups.values()))
        return f"{{\n{''.join(lines)}{_GROUPS}\n {groups}\n]\n}}\n"

    def summary(self) -> str:
        """Return in words the number of groups of each outcome, in this wave and in all, and their current states."""
        wave = [group for group in self.groups if group["wave"] == self.wave]
        hosts = len(self.waiting)
        waiting = f", {hosts} {'host is' if hosts == 1 else 'hosts are'} waiting" if hosts else ""
        states = collections.Counter(map(_state_of, self.groups))
        return (
            f"{self.operation}, wave {self.wave}: {_counted(group['outcome'] for group in wave)}. In all: "
            f"{_counted(group['outcome'] for group in self.groups)}{waiting}. Current states: {_words(states)}."
            f"{slowest_of(self.groups)}"
        )


def reports_of_wave(path: str, key: str) -> list[Report]:
    """Return the reports of the last wave in the file: those of the group ``key``, in whichever region and account, or
    of all groups where there is none of that id.

    Each host of a run asks for its own: of a thousand groups' lines it parses those of its group alone. Raises OSError,
    and ValueError for what is no run file.
    """
    with open(path, "rb") as stream:
        content = stream.read()  # it is ASCII, and to decode it takes longer than all else
    with contextlib.suppress(KeyError, TypeError, ValueError):  # a file of another layout is read as a whole
        wave = json.loads(content[: content.index(_GROUPS.encode())].rstrip(b",\n") + b"}")["wave"]
        found = [json.loads(line) for line in _lines_of(content, key)]
        own = [report for report in found if report["wave"] == wave]
        if own and not _lacking(own):
            return own
    reports = list(RunFile.read(path).of_wave().values())
    return [report for report in reports if report[PLACE[0]] == key] or reports


def _lacking(reports: Iterable[Report]) -> list[str]:
    """Return what each report has to have, and one of them has not."""
    return sorted({name for report in reports for name in (*PLACE, *_OF_EACH) if name not in report})


def _lines_of(content: bytes, key: str) -> Iterator[bytes]:
    """Yield the lines of the group ``key``. No text in a report has a line break: :meth:`RunFile.text` escapes it."""
    begin = f"\n {{{json.dumps(PLACE[0])}: {json.dumps(key)}, ".encode()
    at = content.find(begin)
    while at >= 0:
        end = content.find(b"\n", at + 1)
        yield content[at:end].rstrip(b",")
        at = content.find(begin, end)


def write_whole(path: str, text: str) -> None:
    """Write a file whole or not at all; only its owner can read it. Raises OSError."""
    folder = os.path.dirname(os.path.abspath(path))
    handle, name = tempfile.mkstemp(dir=folder, prefix=".run_file")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def _state_of(report: Mapping[str, Any]) -> str:
    """Return a group's current state, in words; some could not be looked at."""
    return str(report.get("current_state") or report.get("initial_state") or "unknown (not looked at)")


def _counted(outcomes: Iterable[str]) -> str:
    return _words(collections.Counter(outcomes))


def _words(found: collections.Counter[str]) -> str:
    return ", ".join(f"{number} {what}" for what, number in found.most_common()) or "no groups"
