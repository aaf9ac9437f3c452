# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What each call does in each state: elasticache-facts §1, row by row, and the independent model on all the rest."""

from __future__ import annotations

import pytest
from unit.plugins.module_utils._core import aws_model, worlds

from ansible_collections.elasticache.auth.plugins.module_utils._core.states import (
    OPEN,
    Call,
    CallKind,
    Mode,
    State,
    apply,
    optional,
    rbac,
    required,
    rotating,
)


def rotate(token: str) -> Call:
    return Call(CallKind.ROTATE, token)


def set_(token: str) -> Call:
    return Call(CallKind.SET, token)


def delete(*groups: str) -> Call:
    return Call(CallKind.DELETE, user_groups=groups)


def remove_and_rotate(token: str) -> Call:
    return Call(CallKind.REMOVE_AND_ROTATE, token)


def add(*groups: str) -> Call:
    return Call(CallKind.ADD_USER_GROUPS, user_groups=groups)


def remove(*groups: str) -> Call:
    return Call(CallKind.REMOVE_USER_GROUPS, user_groups=groups)


REFUSED = None
NOBODY_KNOWS = None

ROWS: list[tuple[str, State, Call, State | None]] = [
    ("ROTATE appends", OPEN, rotate("t"), optional("t")),
    ("ROTATE appends", required("a"), rotate("t"), rotating("a", "t")),
    ("ROTATE keeps the last two: a is locked out", rotating("a", "b"), rotate("t"), rotating("b", "t")),
    ("ROTATE on optional ends unauthenticated access", optional("a"), rotate("t"), rotating("a", "t")),
    ("ROTATE with a user group attached is refused", rbac("g"), rotate("t"), REFUSED),
    ("SET where t is the newest of two", optional("t"), set_("t"), required("t")),
    ("SET where t is the newest of two", rotating("a", "t"), set_("t"), required("t")),
    ("SET of the older token", rotating("t", "a"), set_("t"), NOBODY_KNOWS),
    ("SET on open is refused", OPEN, set_("t"), REFUSED),
    ("SET of another value is refused", optional("a"), set_("t"), REFUSED),
    ("SET of another value is refused", required("a"), set_("t"), REFUSED),
    ("SET of another value is refused", rotating("a", "b"), set_("t"), REFUSED),
    ("SET with a user group attached is refused", rbac("g"), set_("t"), REFUSED),
    ("SET on required: ?", required("t"), set_("t"), NOBODY_KNOWS),
    ("ROTATE of a live token: ?", rotating("t", "a"), rotate("t"), NOBODY_KNOWS),
    ("the same ROTATE twice: ?", optional("t"), rotate("t"), NOBODY_KNOWS),
    ("the same ROTATE twice: ?", rotating("a", "t"), rotate("t"), NOBODY_KNOWS),
    ("ROTATE of the only token: ?", required("t"), rotate("t"), NOBODY_KNOWS),
    ("DELETE with a group to add", optional("t"), delete("g"), rbac("g")),
    ("DELETE with a group to add", required("t"), delete("g"), rbac("g")),
    ("DELETE with a group to add", rotating("a", "b"), delete("g"), rbac("g")),
    ("DELETE without a group to add is refused", required("t"), delete(), REFUSED),
    ("DELETE where there is no token", OPEN, delete("g"), NOBODY_KNOWS),
    ("DELETE where there is no token", rbac("h"), delete("g"), NOBODY_KNOWS),
    ("RemoveUserGroups and ROTATE leave unauthenticated access", rbac("g"), remove_and_rotate("t"), optional("t")),
    ("RemoveUserGroups and ROTATE leave unauthenticated access", rbac("g", "h"), remove_and_rotate("t"), optional("t")),
    ("RemoveUserGroups where there is none", OPEN, remove_and_rotate("t"), NOBODY_KNOWS),
    ("RemoveUserGroups where there is none", required("a"), remove_and_rotate("t"), NOBODY_KNOWS),
    ("the last user group removed", rbac("g"), remove("g"), OPEN),
    ("all user groups removed, in whatever order", rbac("g", "h"), remove("h", "g"), OPEN),
    ("not all user groups removed", rbac("g", "h"), remove("g"), NOBODY_KNOWS),
    ("a group removed that is not attached", rbac("g"), remove("h"), REFUSED),
    ("a group removed that is not attached", OPEN, remove("g"), REFUSED),
    ("a group added without access control", OPEN, add("g"), rbac("g")),
    ("no group added", OPEN, add(), REFUSED),
    ("a group added while a token is on is refused", optional("t"), add("g"), REFUSED),
    ("a group added while a token is on is refused", required("t"), add("g"), REFUSED),
    ("a group added while a token is on is refused", rotating("a", "b"), add("g"), REFUSED),
    ("a group added to another", rbac("h"), add("g"), NOBODY_KNOWS),
]


@pytest.mark.parametrize(("row", "before", "call", "after"), ROWS, ids=[f"{s}-{c}: {row}" for row, s, c, dummy in ROWS])
def test_row(row: str, before: State, call: Call, after: State | None) -> None:
    assert apply(before, call) == after, row


def test_every_call_in_every_state_is_as_in_the_model() -> None:
    """``None`` exactly where some variant refuses it, and elsewhere the same end in all variants."""
    compared = 0
    for state in worlds.all_states(("a", "b", "t")):
        for call in (
            *(Call(kind, token) for kind in CallKind for token in ("a", "b", "t")),
            *(Call(kind, user_groups=ids) for kind in CallKind for ids in ((), ("g",), ("h",), ("g", "h"))),
        ):
            if bool(call.token) != (call.kind in (CallKind.ROTATE, CallKind.SET, CallKind.REMOVE_AND_ROTATE)):
                continue  # not a call of this kind
            ends: set[State | None] = set()
            for variant in aws_model.VARIANTS:
                try:
                    ends.add(
                        aws_model.state_of(
                            aws_model.modify(aws_model.group_of(state), aws_model.request_of(call), variant)
                        )
                    )
                except aws_model.Refused:
                    ends.add(None)
            after = apply(state, call)
            assert (ends == {after}) if after is not None else (None in ends), f"{call} on {state}: {ends}"
            compared += 1
    assert compared > 200


@pytest.mark.parametrize(
    ("state", "text", "unauthenticated", "slots"),
    [
        (OPEN, "open", True, (None,)),
        (optional("t"), "optional(t)", True, (None, "t")),
        (required("t"), "required(t)", False, ("t",)),
        (rotating("a", "b"), "rotating(a, b)", False, ("a", "b")),
        (rbac("h", "g"), "rbac(g, h)", False, ()),
    ],
)
def test_a_state_by_itself(state: State, text: str, unauthenticated: bool, slots: tuple[str | None, ...]) -> None:
    assert (str(state), state.allows_unauthenticated, state.slots) == (text, unauthenticated, slots)


def test_the_names_of_the_modes_are_fixed() -> None:
    assert [mode.value for mode in Mode] == ["open", "optional", "required", "rotating", "rbac"]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (rotate("t"), "rotate(t)"),
        (delete("g", "h"), "delete(g, h)"),
        (remove_and_rotate("t"), "remove+rotate(t)"),
        (remove("g"), "remove(g)"),
    ],
)
def test_a_call_in_words(call: Call, text: str) -> None:
    assert str(call) == text
