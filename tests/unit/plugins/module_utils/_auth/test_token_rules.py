# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Which tokens a plan sends, and the rules that each is held against."""

from __future__ import annotations

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._auth.token_rules import (
    check_compared,
    check_sent,
    sent,
)
from ansible_collections.elasticache.auth.plugins.module_utils._auth.tokens import GIVEN, Token, TokenSet
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.operations import Operation, Step, Store
from ansible_collections.elasticache.auth.plugins.module_utils._core.states import OPEN, State, rbac, required, rotating

C, P, V = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
GOOD = "Aaquae7Zooph3yahTheiV1ee"
LIVED_WITH = "Aaquae7Zooph3yah_TheiV1ee"  # only AWS's wider rule takes it
NEVER = "Aaquae7Zooph3yah@TheiV1ee"
S = Step
LAST = (S.VERIFY_BOTH, S.PROMOTE, S.CLIENT_CUTOVER, S.SET, S.VERIFY_NEW_ONLY)


@pytest.mark.parametrize(
    ("operation", "steps", "store", "names"),
    [
        pytest.param("rotate_token", (S.STAGE, S.ROTATE, *LAST), Store(C), [], id="a-new-one"),
        pytest.param("rotate_token", (S.ROTATE, *LAST), Store(C, P), [P, P], id="staged"),
        pytest.param("rotate_token", (S.CLIENT_CUTOVER, S.SET), Store(C, "", V), [C], id="finish"),
        pytest.param("rotate_token", (S.ROTATE, S.SET), Store(C, GIVEN, kept=False), [GIVEN, GIVEN], id="supplied"),
        pytest.param(
            "rollback_token", (S.STAGE, S.ROTATE, *LAST, S.RETIRE_VERSION), Store(C, "", V), [V, V], id="back"
        ),
        pytest.param(
            "rollback_token", (S.STAGE, S.PROMOTE_OLDER, S.ROTATE_CURRENT, S.SET), Store(C, "", V), [V, V], id="way"
        ),
        pytest.param(
            "rollback_token",
            (S.PROMOTE_PENDING, S.STAGE, S.PROMOTE_OLDER, S.ROTATE_CURRENT),
            Store(C, P, V),
            [V],
            id="pending",
        ),
        pytest.param("enable_auth", (S.ROTATE_CURRENT, S.PROMOTE, S.SET), Store(C, leftover=True), [C, C], id="tidy"),
        pytest.param("migrate_auth_to_rbac", (S.USERS, S.ATTACH), Store(C), [], id="none"),
    ],
)
def test_sent(operation: str, steps: tuple[Step, ...], store: Store, names: list[str]) -> None:
    assert [name for dummy, name in sent(Operation(operation), steps, store)] == names


def tokens(**values: str) -> TokenSet:
    return TokenSet(None, tuple(Token(name, value) for name, value in values.items()), complete=True)


@pytest.mark.parametrize(
    ("operation", "steps", "states", "value", "taken"),
    [
        pytest.param("rotate_token", (S.SET,), [rotating(V, C)], LIVED_WITH, True, id="set-in-force"),
        pytest.param("rotate_token", (S.SET,), [rotating(V, C)], NEVER, False, id="set-never"),
        pytest.param("enable_auth", (S.ROTATE_CURRENT, S.SET), [OPEN], LIVED_WITH, False, id="new-to-the-group"),
        pytest.param("enable_auth", (S.ROTATE_CURRENT, S.SET), [OPEN], GOOD, True, id="new"),
        pytest.param("migrate_rbac_to_auth", (S.ROTATE_CURRENT,), [rbac("u")], LIVED_WITH, False, id="a-password"),
        pytest.param("disable_access_control", (S.ROTATE_CURRENT,), [required(C)], LIVED_WITH, True, id="opening"),
        pytest.param("rotate_token", (S.SET,), [rotating(V, C), required(V)], LIVED_WITH, False, id="perhaps"),
        pytest.param("migrate_auth_to_rbac", (S.ATTACH,), [required(C)], LIVED_WITH, True, id="not-sent"),
    ],
)
def test_current(operation: str, steps: tuple[Step, ...], states: list[State], value: str, taken: bool) -> None:
    given = (Operation(operation), steps, Store(C, name="s"), tokens(AWSCURRENT=value), states)
    if taken:
        check_sent("sessions", *given)
        return
    with pytest.raises(AuthError) as raised:
        check_sent("sessions", *given)
    message = str(raised.value)
    assert f"AWSCURRENT of the secret s is not a valid AUTH token: character 17 is '{value[16]}'" in message
    assert not any(value[at : at + 6] in message for at in range(len(value) - 5))


@pytest.mark.parametrize(("value", "taken"), [(LIVED_WITH, True), (NEVER, False), (GOOD + "\n", False)])
def test_what_a_rollback_goes_back_to(value: str, taken: bool) -> None:
    """It was in force, so AWS has taken it."""
    steps = (S.STAGE, S.ROTATE, S.SET)
    given = (Operation.ROLLBACK_TOKEN, steps, Store(C, "", V, name="s"), tokens(AWSCURRENT=GOOD, AWSPREVIOUS=value))
    if taken:
        check_sent("sessions", *given, [required(C)])
    else:
        with pytest.raises(AuthError, match="AWSPREVIOUS of the secret s is not a valid AUTH token"):
            check_sent("sessions", *given, [required(C)])


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (GOOD, ""),
        (LIVED_WITH, ""),
        (NEVER, "character 17 is '@', which AWS takes in no token"),
        (GOOD + "\n", "it ends in a line break (character 25): store it without"),
        ("short", "it has 5 characters, AWS takes 16 to 128"),
    ],
)
def test_compared(value: str, says: str) -> None:
    given = ("sessions", Operation.ROTATE_TOKEN, Store(C, name="s"), tokens(AWSCURRENT=value))
    if not says:
        check_compared(*given)
        return
    with pytest.raises(AuthError) as raised:
        check_compared(*given)
    assert "AWSCURRENT of the secret s can't be the token in force" in str(raised.value)
    assert says in str(raised.value)
