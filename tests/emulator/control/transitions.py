# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The server's truth and how a ModifyReplicationGroup changes it (elasticache-facts §1, §3). Pure: no clock, no state.

The credentials of a group are its slots: at most two, oldest first, ``None`` being "no authentication". With user
groups attached there are no slots.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from emulator.access import TlsMode

from . import rules
from .refusals import Refusal

Slots = tuple[str | None, ...]
OPEN: Slots = (None,)


class Strategy(enum.Enum):
    """AuthTokenUpdateStrategy."""

    SET = "SET"
    ROTATE = "ROTATE"
    DELETE = "DELETE"


@dataclass(frozen=True)
class AccessState:
    """Who is let in. The slots are left out of ``repr``: they hold tokens."""

    slots: Slots = field(default=OPEN, repr=False)
    user_group_ids: tuple[str, ...] = ()
    rotated_last: bool = False  #: the last change was a ROTATE (the variant rotate-same-twice asks)

    @property
    def token_on(self) -> bool:
        """AuthTokenEnabled: whether there is a token at all."""
        return any(slot is not None for slot in self.slots)

    @property
    def mode(self) -> str:
        """The state's name in elasticache-facts §1; ``closed`` where no credential is left (a variant's doing)."""
        if self.user_group_ids:
            return "rbac"
        if not self.slots:
            return "closed"
        if None in self.slots:
            return "optional" if self.token_on else "open"
        return "rotating" if len(self.slots) == 2 else "required"


@dataclass(frozen=True)
class AccessRequest:
    """The members of a ModifyReplicationGroup that are about access control."""

    token: str | None = field(default=None, repr=False)
    strategy: Strategy | None = None
    groups_to_add: tuple[str, ...] = ()
    groups_to_remove: tuple[str, ...] = ()
    remove_groups: bool = False

    @property
    def about_token(self) -> bool:
        """Whether the call is about a token at all."""
        return self.token is not None or self.strategy is not None


@dataclass(frozen=True)
class TlsRequest:
    """The members that are about encryption in transit."""

    enabled: bool | None = None
    mode: TlsMode | None = None

    @property
    def given(self) -> bool:
        """Whether any of them was sent."""
        return self.enabled is not None or self.mode is not None


@dataclass(frozen=True)
class Engine:
    """A group's engine and its full version."""

    name: str
    version: str


@dataclass(frozen=True)
class AccessChange:
    """What a call will do, and what the API shows of it until it is done."""

    after: AccessState
    token_status: str | None = None  #: PendingModifiedValues.AuthTokenStatus
    groups_added: tuple[str, ...] = ()
    groups_removed: tuple[str, ...] = ()
    moves_date: bool = False


def _append(slots: Slots, token: str) -> Slots:
    return (*slots, token)[-2:]


def rotate(state: AccessState, token: str, variants: Mapping[str, str]) -> AccessState:
    """ROTATE: append the token and keep the last two slots (elasticache-facts §1)."""
    if token in state.slots:
        same_twice = state.rotated_last and token == state.slots[-1]
        outcome = variants["rotate-same-twice" if same_twice else "rotate-live-token"]
        if outcome == "refused":
            raise Refusal.ROTATE_LIVE.error()
        if outcome == "no-op":
            return state
    return AccessState(_append(state.slots, token), rotated_last=True)


def set_token(state: AccessState, token: str, variants: Mapping[str, str]) -> AccessState:
    """SET: drop the older of two slots, where the token is the newer one (elasticache-facts §1)."""
    if not state.token_on:
        raise Refusal.NOTHING_TO_SET.error()
    if token != state.slots[-1]:
        named = variants["set-other-value"] == "not-rotated"
        raise (Refusal.SET_NOT_ROTATED if named else Refusal.BAD_TOKEN).error()
    if len(state.slots) == 1:
        outcome = variants["set-on-required"]
        if outcome == "refused":
            raise Refusal.SET_ALREADY_SET.error()
        if outcome == "no-op":
            return state
    return AccessState(state.slots[1:])


def _check_token_call(request: AccessRequest, engine: Engine, tls: TlsMode, variants: Mapping[str, str]) -> None:
    # A call that moves to `required` finds the group in `preferred`, so that it is refused as well.
    if not request.token or tls is not TlsMode.REQUIRED:
        raise Refusal.MODIFY_TOKEN_WITHOUT_TLS.error()
    if not rules.modify_token_allowed(engine.name, engine.version):
        if variants["engine-too-old"] == "minimum-version":
            raise Refusal.ENGINE_MINIMUM_VERSION.error(minimum=rules.modify_token_minimum(engine.name))
        raise Refusal.ENGINE_UNSUPPORTED_VERSION.error(engine=engine.name, version=engine.version)
    rules.check_token(request.token, wider=variants["modify-wider-token"] == "accepted")


def check_groups_attachable(engine: Engine, tls: TlsMode) -> None:
    """Refuse user groups where the group has no (full) encryption in transit, or an engine that knows no users."""
    if tls is not TlsMode.REQUIRED:
        raise Refusal.GROUP_WITHOUT_TLS.error()
    if not rules.user_groups_allowed(engine.name, engine.version):
        raise Refusal.GROUP_ENGINE_VERSION.error(engine=engine.name, version=engine.version)


def plan_access(
    group_id: str,
    state: AccessState,
    request: AccessRequest,
    *,
    engine: Engine,
    tls: TlsMode,
    variants: Mapping[str, str],
) -> AccessChange | None:
    """What the call does to who is let in; ``None`` where it asks for nothing of the sort.

    Raises ``ElastiCacheError`` for every refusal of elasticache-facts §3 that is about access control.
    """
    if request.strategy is Strategy.DELETE:
        if not request.groups_to_add:
            raise Refusal.DELETE_WITHOUT_GROUP.error()
        if request.token is not None:
            raise Refusal.DELETE_WITH_TOKEN.error()
    elif request.about_token:
        _check_token_call(request, engine, tls, variants)

    missing = [item for item in request.groups_to_remove if item not in state.user_group_ids]
    if missing:
        raise Refusal.GROUP_NOT_ASSOCIATED.error(id=missing[0], replication_group=group_id)
    removed = state.user_group_ids if request.remove_groups else request.groups_to_remove
    kept = tuple(item for item in state.user_group_ids if item not in removed)
    added = tuple(item for item in request.groups_to_add if item not in kept)

    if request.token is not None:
        if kept or added:
            raise (Refusal.TOKEN_WHILE_GROUP if kept else Refusal.GROUP_WHILE_TOKEN).error()
        return _plan_token(state, request, request.token, removed, variants)
    if added:
        check_groups_attachable(engine, tls)
        if state.token_on and request.strategy is not Strategy.DELETE:
            raise Refusal.GROUP_WHILE_TOKEN.error()
        if len(kept) + len(added) > 1:
            raise Refusal.SECOND_GROUP.error()
        after = AccessState((), (*kept, *added))
        return AccessChange(after, groups_added=added, groups_removed=removed, moves_date=state.token_on)
    if removed:
        return AccessChange(AccessState((), kept) if kept else AccessState(), groups_removed=removed)
    return None


def _plan_token(
    state: AccessState, request: AccessRequest, token: str, removed: tuple[str, ...], variants: Mapping[str, str]
) -> AccessChange:
    base = AccessState() if state.user_group_ids else state
    if request.strategy is Strategy.SET:
        return AccessChange(set_token(base, token, variants), "SETTING", groups_removed=removed, moves_date=True)
    return AccessChange(rotate(base, token, variants), "ROTATING", groups_removed=removed, moves_date=True)


def plan_tls(
    state: AccessState, tls: TlsMode, request: TlsRequest, *, engine: Engine, immediately: bool
) -> TlsMode | None:
    """The mode that the call leads to; ``None`` where it asks for none, or for the one in force.

    Raises ``ElastiCacheError`` for the refusals of elasticache-facts §3 that are about encryption in transit.
    """
    if not request.given:
        return None
    if state.token_on or state.user_group_ids:
        raise Refusal.TLS_WHILE_ACCESS_CONTROL.error()
    if not immediately:
        raise Refusal.TLS_NOT_IMMEDIATELY.error()
    if request.enabled is False:
        if request.mode is not None:
            raise Refusal.TLS_MODE_WITHOUT_TLS.error()
        wanted = TlsMode.OFF
    elif request.enabled is None and tls is TlsMode.OFF:
        raise Refusal.TLS_MODE_WITHOUT_TLS.error()
    else:
        wanted = request.mode or (tls if tls is not TlsMode.OFF else TlsMode.REQUIRED)
    if wanted is tls:
        return None
    if not rules.modify_tls_allowed(engine.name, engine.version):
        raise Refusal.TLS_ENGINE.error(engine=engine.name, version=engine.version)
    if tls is TlsMode.OFF and wanted is TlsMode.REQUIRED:
        raise Refusal.TLS_OFF_TO_REQUIRED.error()
    if tls is TlsMode.REQUIRED and wanted is TlsMode.OFF:
        raise Refusal.TLS_REQUIRED_TO_OFF.error()
    return wanted
