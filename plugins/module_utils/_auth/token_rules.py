# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether AWS takes the tokens that an operation will send, and whether those it goes by can be in force. Pure.

A token that is new to a group has to keep the narrow rules, as AWS says different things of its calls; one that was in
force has been taken before, and has to keep the wide ones only (elasticache-facts §5).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .._core.errors import AuthError
from .._core.operations import Operation, Step, Store
from .._core.states import State
from .._core.tokens import in_force_violations, rule_violations
from .tokens import GIVEN, TokenSet, label

#: The token in AWSPENDING is one that is yet to be made.
_NEW = "new"


def sent(operation: Operation, steps: Sequence[Step], store: Store) -> Iterator[tuple[Step, str]]:
    """Yield each step that sends a token, with the name that the token has now, but for a random one yet to be made."""
    current, pending = store.current, store.pending
    for step in steps:
        match step:
            case Step.STAGE:
                pending = store.previous if operation is Operation.ROLLBACK_TOKEN else _NEW
            case Step.PROMOTE_PENDING | Step.PROMOTE_OLDER | Step.PROMOTE:
                current, pending = pending or current, ""
            case Step.ROTATE | Step.ROTATE_CURRENT | Step.SET:
                token = (pending if step is Step.ROTATE else current) if store.kept else GIVEN
                if token not in ("", _NEW):
                    yield step, token


def check_sent(
    group_id: str, operation: Operation, steps: Sequence[Step], store: Store, tokens: TokenSet, states: Iterable[State]
) -> None:
    """Raise :class:`AuthError` where one of the ``steps`` would send a token that AWS does not take, or may not take.

    ``states``: those in which the group may be.
    """
    in_force = set.intersection(*(set(state.tokens) for state in states))
    # What a rollback goes back to was in force.
    known = in_force | ({store.previous, store.pending} if operation is Operation.ROLLBACK_TOKEN else set())
    for step, name in sent(operation, steps, store):
        value = tokens.values.get(name, "")
        violations = in_force_violations(value) if name in known else rule_violations(value)
        if violations:
            raise AuthError(
                f"{group_id}: {operation.value} is refused: {_which(name, store)} is not a valid AUTH token: "
                f"{'; '.join(violations)}. The step {step.value} would send it, and AWS refuse it. {_way_out(name)}"
            )


def check_compared(group_id: str, operation: Operation, store: Store, tokens: TokenSet) -> None:
    """Raise :class:`AuthError` where the token that a group with a token is said to have can't be in force."""
    value = tokens.values.get(store.current)
    violations = [] if value is None else in_force_violations(value)
    if violations:
        raise AuthError(
            f"{group_id}: {operation.value} is refused: {_which(store.current, store)} can't be the token in force: "
            f"{'; '.join(violations)}. Put the token in force there, then repeat this."
        )


def _which(name: str, store: Store) -> str:
    return f"{name} of the secret {store.name}" if store.kept else label(name)


def _way_out(name: str) -> str:
    if name == GIVEN:
        return "The lookup elasticache.auth.random_auth_token makes valid ones."
    return "Store a valid one in its place; the lookup elasticache.auth.random_auth_token makes such."
