# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A replication group of a run: make it, change it, look at it while the change is in flight, wait for its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .answers import Answers, Duration
from .endpoint import Answer, Endpoint, NoAnswerError
from .made import Kind, Made
from .nodes import Address, Nodes

AVAILABLE, MODIFYING = "available", "modifying"
GRACE = 3  #: looks until a change that was accepted must show, if it ever does
_BUSY = ("creating", "modifying", "snapshotting", "deleting")
Look = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Scene:
    """What every question is asked with. ``places`` are the subnet and security groups of the caller's choice."""

    endpoint: Endpoint
    made: Made
    answers: Answers
    nodes: Nodes
    places: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """A call that changed the group, or was refused, and the group once that was over."""

    answer: Answer
    before: Mapping[str, Any] = field(repr=False)
    in_flight: Mapping[str, Any] = field(repr=False)  #: empty: it was over before it could be looked at
    after: Mapping[str, Any] = field(repr=False)
    seconds: float


class Group:
    """One replication group, by its name in the run."""

    def __init__(self, scene: Scene, name: str) -> None:
        self.scene = scene
        self.name = name
        self.id = scene.made.identifier(name).lower()

    def create(self, **members: Any) -> Change:
        """Ask for it, and wait until it is there."""
        made = self.scene.made
        began = time.monotonic()
        answer = made.make(
            Kind.GROUP,
            self.name,
            "create_replication_group",
            ReplicationGroupDescription="conformance",
            NumCacheClusters=1,
            SnapshotRetentionLimit=0,
            **self.scene.places,
            **members,
        )
        if answer.refused:
            return Change(answer, {}, {}, {}, answer.seconds)
        after = self.settle(f"create {self.name}", began)
        if after["Status"] != AVAILABLE:
            raise NoAnswerError(f"the group {self.name} is {after['Status']}")
        return Change(answer, {}, {}, after, time.monotonic() - began)

    def shown(self) -> dict[str, Any]:
        """How it is described now."""
        self.scene.endpoint.clock.check()
        shown = self.scene.made.shown(Kind.GROUP, self.name)
        if shown is None:
            raise NoAnswerError(f"the group {self.name} is not there")
        self.scene.answers.statuses.add(shown["Status"])
        return shown

    def address(self) -> Address:
        """Its primary node."""
        shown = self.shown()
        endpoint = shown["NodeGroups"][0]["PrimaryEndpoint"]
        tls = shown.get("TransitEncryptionEnabled", False) and shown.get("TransitEncryptionMode") != "preferred"
        return Address(endpoint["Address"], endpoint["Port"], bool(tls))

    def modify(self, **members: Any) -> Answer:
        """Make a call that is refused, as far as is known; where it is not, wait until what it does is over."""
        answer = self._call(**members)
        if not answer.refused:
            self._begun()
            self.settle(f"{_what(members)}, which was not refused", time.monotonic())
        return answer

    def change(self, look: Look = lambda shown: None, **members: Any) -> Change:
        """Make a call, ``look`` while it is in flight, and wait until it is over."""
        before = self.shown()
        in_flight: Mapping[str, Any] = {}
        with self.scene.endpoint.held(self.id):
            began = time.monotonic()
            answer = self._call(**members)
            shown = {} if answer.refused else self._begun()
            if shown.get("Status") == MODIFYING:
                in_flight = shown
                look(shown)
        if answer.refused:
            return Change(answer, before, {}, before, answer.seconds)
        after = self.settle(_what(members), began)
        return Change(answer, before, in_flight, after, time.monotonic() - began)

    def _begun(self) -> dict[str, Any]:
        """How it is described once a change shows; one that is over at once, or none at all, never does.

        A describe right after the call can be of before it (elasticache-facts §4).
        """
        for dummy in range(GRACE):
            shown = self.shown()
            if shown["Status"] == MODIFYING or shown.get("PendingModifiedValues"):
                break
            self.scene.endpoint.clock.pause()
        return shown

    def in_flight(self) -> bool:
        """Whether the change is under way still: what was asked a moment ago was asked in time."""
        return bool(self.shown()["Status"] == MODIFYING)

    def rotate(self, token: str, look: Look = lambda shown: None) -> Change:
        """ROTATE; raises ``NoAnswerError`` where it is refused."""
        change = self.change(look, AuthToken=token, AuthTokenUpdateStrategy="ROTATE")
        if change.answer.refused:
            raise NoAnswerError(f"ROTATE was refused: {change.answer}")
        return change

    def delete(self) -> None:
        """Ask for its deletion and wait until it is gone."""
        made, clock = self.scene.made, self.scene.endpoint.clock
        began = time.monotonic()
        answer = made.remove(Kind.GROUP, self.name)
        if answer.refused:
            raise NoAnswerError(f"the group {self.name} was not deleted: {answer}")
        while (shown := made.shown(Kind.GROUP, self.name)) is not None:
            self.scene.answers.statuses.add(shown["Status"])
            clock.pause()
        self._took(f"delete {self.name}", began)

    def settle(self, what: str, began: float) -> dict[str, Any]:
        """Wait until nothing is in flight (elasticache-facts §4); returns how it is described then."""
        while True:
            shown = self.shown()
            pending = shown.get("PendingModifiedValues") or {}
            parts = [part["Status"] for part in shown.get("NodeGroups", [])]
            if shown["Status"] not in _BUSY and not pending and not set(parts) & set(_BUSY):
                self._took(what, began)
                return shown
            self.scene.endpoint.clock.pause()

    def _took(self, what: str, began: float) -> None:
        self.scene.answers.durations.append(Duration(what, time.monotonic() - began))

    def _call(self, **members: Any) -> Answer:
        members = {"ApplyImmediately": True, **members}
        return self.scene.made.change(Kind.GROUP, self.name, "modify_replication_group", **members)


def _what(members: Mapping[str, Any]) -> str:
    """A change's name, without its values but the strategy's."""
    parts = [str(members["AuthTokenUpdateStrategy"])] if "AuthTokenUpdateStrategy" in members else []
    parts += [name for name in members if name not in ("AuthTokenUpdateStrategy", "ApplyImmediately")]
    return " ".join(parts)
