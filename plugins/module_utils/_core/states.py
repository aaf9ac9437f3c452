# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The states a replication group can be in, the calls that change them, and what each call does.

Source: elasticache-facts §1. A token is known here by a *name* only (a staging label, a version id, "the token
given"); its value never reaches this package.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Mode(str, enum.Enum):
    """What kind of access control is in force."""

    OPEN = "open"
    OPTIONAL = "optional"
    REQUIRED = "required"
    ROTATING = "rotating"
    RBAC = "rbac"


@dataclass(frozen=True, order=True)
class State:
    """The server's truth about one replication group.

    ``tokens`` are the names of the tokens it accepts, oldest first; ``user_groups`` its user groups (RBAC only).
    """

    mode: Mode
    tokens: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()

    @property
    def allows_unauthenticated(self) -> bool:
        """Whether a client that presents nothing is served."""
        return self.mode in (Mode.OPEN, Mode.OPTIONAL)

    @property
    def slots(self) -> tuple[str | None, ...]:
        """The credentials in force, oldest first; ``None`` is "no authentication". Empty with RBAC."""
        if self.mode is Mode.RBAC:
            return ()
        return ((None,) if self.allows_unauthenticated else ()) + self.tokens

    def __str__(self) -> str:
        inside = self.user_groups if self.mode is Mode.RBAC else self.tokens
        return f"{self.mode.value}({', '.join(inside)})" if inside else self.mode.value


OPEN = State(Mode.OPEN)


def optional(token: str) -> State:
    """Unauthenticated clients and ``token`` are served."""
    return State(Mode.OPTIONAL, (token,))


def required(token: str) -> State:
    """Only ``token`` is served."""
    return State(Mode.REQUIRED, (token,))


def rotating(older: str, newer: str) -> State:
    """Both tokens are served; the next ROTATE drops ``older``."""
    return State(Mode.ROTATING, (older, newer))


def rbac(*user_groups: str) -> State:
    """The users of ``user_groups`` are served."""
    return State(Mode.RBAC, user_groups=tuple(sorted(user_groups)))


class CallKind(str, enum.Enum):
    """A ModifyReplicationGroup call that changes access control, by its members."""

    ROTATE = "rotate"  #: AuthToken, ROTATE
    SET = "set"  #: AuthToken, SET
    DELETE = "delete"  #: DELETE and UserGroupIdsToAdd, no AuthToken
    REMOVE_AND_ROTATE = "remove+rotate"  #: RemoveUserGroups, AuthToken, ROTATE
    ADD_USER_GROUPS = "add"  #: UserGroupIdsToAdd on a group without access control
    REMOVE_USER_GROUPS = "remove"  #: UserGroupIdsToRemove, all of them


@dataclass(frozen=True, order=True)
class Call:
    """One call; ``token`` is a name, ``user_groups`` the ids that it adds or removes."""

    kind: CallKind
    token: str = ""
    user_groups: tuple[str, ...] = ()

    def __str__(self) -> str:
        inside = self.token or ", ".join(self.user_groups)
        return f"{self.kind.value}({inside})"


def apply(state: State, call: Call) -> State | None:
    """Return the state after ``call``, or ``None`` where AWS refuses it or nobody has shown what it does.

    What nobody has shown (elasticache-facts §1, the rows marked **?**: ROTATE of a live token, SET on ``required``)
    must never be relied upon, so it is treated like a refusal here.
    """
    match call.kind:
        case CallKind.ROTATE if state.mode is not Mode.RBAC and call.token not in state.tokens:
            return _from_slots((*state.slots, call.token)[-2:])
        case CallKind.SET if len(state.slots) == 2 and state.slots[-1] == call.token:
            return required(call.token)
        case CallKind.DELETE if state.tokens and call.user_groups:
            return rbac(*call.user_groups)
        case CallKind.REMOVE_AND_ROTATE if state.mode is Mode.RBAC:
            return optional(call.token)
        case CallKind.ADD_USER_GROUPS if state == OPEN and call.user_groups:
            return rbac(*call.user_groups)
        case CallKind.REMOVE_USER_GROUPS if state.mode is Mode.RBAC and set(call.user_groups) == set(state.user_groups):
            return OPEN
    return None


def _from_slots(slots: tuple[str | None, ...]) -> State:
    match slots:
        case (None, str(token)):
            return optional(token)
        case (str(older), str(newer)):
            return rotating(older, newer)
    raise AssertionError(f"no call leads to {len(slots)} such slots")
