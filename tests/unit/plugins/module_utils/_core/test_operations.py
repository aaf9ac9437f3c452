# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The operations: what is left to do from where (tables), and that they arrive from wherever they are cut off."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
from unit.plugins.module_utils._core import aws_model, operation_model
from unit.plugins.module_utils._core.operation_model import ANYONE, NONE, OWN, THEIRS, World, secret

from ansible_collections.elasticache.auth.plugins.module_utils._core.operations import (
    CUTOVERS,
    CannotProceed,
    Drift,
    Operation,
    Phase,
    Step,
    StepPlan,
    Store,
    Terms,
    plan_steps,
    sets_at_once,
    up_to_cutover,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.states import (
    OPEN,
    State,
    optional,
    rbac,
    required,
    rotating,
)

Group = aws_model.Group


# --- Tables: where it stands -> what is left --------------------------------------------------------------------------

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
GIVEN, BEFORE = "given", "previous token"
KEPT = Store(current=CURRENT, name="the/secret")
STAGED = replace(KEPT, pending=PENDING)
PROMOTED = replace(KEPT, previous=PREVIOUS)
LEFT_BEHIND = replace(PROMOTED, leftover=True)
EMPTY = Store(name="the/secret")
SUPPLIED = Store(pending=GIVEN, kept=False, can_be_empty=False)
SUPPLIED_BOTH = replace(SUPPLIED, current=BEFORE)
OLD = Terms(age=91.0, user_group_id=OWN, open_user_group_id=ANYONE)
CONSENT = replace(OLD, accept_open_window=True, accept_open_access=True, enable_tls=True)
BRIDGED = replace(CONSENT, bridged=True, leftovers=True)
NO_BRIDGE = replace(CONSENT, no_bridge="the user group also serves the replication group carts")
DIRECT = replace(NO_BRIDGE, allow_direct=True)

END = "client_cutover set verify_new_only"
LAST = f"verify_both promote {END}"
BRIDGE = "bridge_user verify_bridge_user"
BEFORE_ROTATE = "client_cutover_before rotate_current set verify_new_only"
RESTORE = "restore_user_group"
THROUGH = "client_cutover_before rotate_current set verify_new_only retire_version clean_up"
OPENING = "client_cutover attach_open remove_user_groups clean_up"


def go(
    operation: str,
    states: State | list[State],
    store: Store = KEPT,
    terms: Terms = CONSENT,
    settle: str = "ask the nodes",
) -> StepPlan:
    states = [states] if isinstance(states, State) else states
    return plan_steps(Operation(operation), "my-group", states, store, terms, lambda name: f"<{name}>", settle)


def given_up(store: Store, where: str) -> Store:
    return replace(store, abandoned=where)


WAYS: list[tuple[str, State, Store, Terms, str]] = [
    ("rotate_token", required(CURRENT), KEPT, OLD, f"stage rotate {LAST}"),
    ("rotate_token", required(CURRENT), STAGED, OLD, f"rotate {LAST}"),
    ("rotate_token", required(CURRENT), LEFT_BEHIND, OLD, f"promote_pending stage rotate {LAST}"),
    ("rotate_token", required(CURRENT), KEPT, replace(OLD, age=90.0), ""),
    ("rotate_token", required(CURRENT), KEPT, replace(OLD, age=1.0, force=True), f"stage rotate {LAST}"),
    ("rotate_token", required(CURRENT), KEPT, replace(OLD, age=None), f"stage rotate {LAST}"),
    ("rotate_token", required(CURRENT), LEFT_BEHIND, replace(OLD, age=1.0), "promote"),
    ("rotate_token", rotating(CURRENT, PENDING), STAGED, OLD, LAST),
    ("rotate_token", rotating(CURRENT, PENDING), STAGED, replace(OLD, age=1.0), LAST),
    ("rotate_token", rotating(PREVIOUS, CURRENT), PROMOTED, OLD, END),
    ("rotate_token", rotating(PREVIOUS, CURRENT), LEFT_BEHIND, OLD, f"promote {END}"),
    ("rotate_token", required(PENDING), STAGED, OLD, "promote"),
    ("rotate_token", rotating(PENDING, "unknown token"), STAGED, OLD, "promote"),
    ("rotate_token", required(BEFORE), SUPPLIED_BOTH, OLD, f"rotate verify_both {END}"),
    ("rotate_token", required(BEFORE), SUPPLIED_BOTH, replace(OLD, age=1.0), f"rotate verify_both {END}"),
    ("rotate_token", rotating(BEFORE, GIVEN), SUPPLIED_BOTH, OLD, END),
    ("rotate_token", required(GIVEN), SUPPLIED, OLD, ""),
    ("enable_auth", OPEN, EMPTY, OLD, f"stage rotate {LAST}"),
    ("enable_auth", OPEN, STAGED, OLD, f"rotate {LAST}"),
    ("enable_auth", OPEN, KEPT, OLD, f"rotate_current {END}"),
    ("enable_auth", OPEN, LEFT_BEHIND, OLD, f"rotate_current promote {END}"),
    ("enable_auth", OPEN, SUPPLIED, OLD, f"rotate verify_both {END}"),
    (
        "enable_auth",
        OPEN,
        EMPTY,
        replace(CONSENT, tls="off"),
        f"prefer_tls client_cutover_tls require_tls stage rotate {LAST}",
    ),
    (
        "enable_auth",
        OPEN,
        EMPTY,
        replace(CONSENT, tls="preferred"),
        f"client_cutover_tls require_tls stage rotate {LAST}",
    ),
    ("enable_auth", optional(PENDING), STAGED, OLD, LAST),
    ("enable_auth", optional(CURRENT), KEPT, OLD, END),
    ("enable_auth", optional(GIVEN), SUPPLIED, OLD, END),
    ("enable_auth", required(CURRENT), KEPT, OLD, ""),
    ("enable_auth", required(CURRENT), LEFT_BEHIND, OLD, "promote"),
    ("enable_auth", rotating(PREVIOUS, CURRENT), PROMOTED, OLD, ""),
    ("enable_tls", OPEN, EMPTY, replace(OLD, tls="off"), "prefer_tls client_cutover_tls require_tls"),
    ("enable_tls", OPEN, EMPTY, replace(OLD, tls="preferred"), "client_cutover_tls require_tls"),
    ("enable_tls", OPEN, EMPTY, OLD, ""),
    (
        "migrate_rbac_to_auth",
        rbac(THEIRS),
        KEPT,
        replace(CONSENT, rbac_tokens=frozenset({CURRENT})),
        "client_cutover_before rotate_current set verify_new_only",
    ),
    ("migrate_rbac_to_auth", rbac(THEIRS), KEPT, CONSENT, f"{BRIDGE} {BEFORE_ROTATE} {RESTORE}"),
    ("migrate_rbac_to_auth", rbac(THEIRS), LEFT_BEHIND, CONSENT, f"{BRIDGE} promote {BEFORE_ROTATE} {RESTORE}"),
    ("migrate_rbac_to_auth", rbac(THEIRS), EMPTY, CONSENT, f"stage {BRIDGE} promote {BEFORE_ROTATE} {RESTORE}"),
    ("migrate_rbac_to_auth", rbac(THEIRS), STAGED, CONSENT, f"{BRIDGE} promote {BEFORE_ROTATE} {RESTORE}"),
    ("migrate_rbac_to_auth", rbac(THEIRS), SUPPLIED, CONSENT, f"{BRIDGE} {BEFORE_ROTATE} {RESTORE}"),
    # The bridge user was made, and is not in the user group yet.
    (
        "migrate_rbac_to_auth",
        rbac(THEIRS),
        STAGED,
        replace(CONSENT, leftovers=True),
        f"{BRIDGE} promote {BEFORE_ROTATE} {RESTORE}",
    ),
    # It is: its token is promoted, or was.
    (
        "migrate_rbac_to_auth",
        rbac(THEIRS),
        STAGED,
        replace(BRIDGED, rbac_tokens=frozenset({PENDING})),
        f"verify_bridge_user promote {BEFORE_ROTATE} {RESTORE}",
    ),
    (
        "migrate_rbac_to_auth",
        rbac(THEIRS),
        KEPT,
        replace(BRIDGED, rbac_tokens=frozenset({CURRENT})),
        f"verify_bridge_user {BEFORE_ROTATE} {RESTORE}",
    ),
    (
        "migrate_rbac_to_auth",
        rbac(THEIRS),
        STAGED,
        replace(BRIDGED, rbac_tokens=frozenset({CURRENT, PENDING})),
        f"verify_bridge_user promote {BEFORE_ROTATE} {RESTORE}",
    ),
    (
        "migrate_rbac_to_auth",
        rbac(THEIRS),
        SUPPLIED,
        replace(BRIDGED, rbac_tokens=frozenset({GIVEN})),
        f"verify_bridge_user {BEFORE_ROTATE} {RESTORE}",
    ),
    # Which passwords it has is not known: they are set to the token that comes next.
    ("migrate_rbac_to_auth", rbac(THEIRS), KEPT, BRIDGED, f"{BRIDGE} {BEFORE_ROTATE} {RESTORE}"),
    # The user named default of their own has the token that is staged.
    (
        "migrate_rbac_to_auth",
        rbac(THEIRS),
        STAGED,
        replace(CONSENT, rbac_tokens=frozenset({PENDING})),
        f"verify_bridge_user promote {BEFORE_ROTATE}",
    ),
    ("migrate_rbac_to_auth", rbac(THEIRS), KEPT, DIRECT, f"rotate_current {END}"),
    ("migrate_rbac_to_auth", rbac(THEIRS), EMPTY, DIRECT, f"stage rotate {LAST}"),
    ("migrate_rbac_to_auth", rbac(THEIRS), STAGED, DIRECT, f"rotate {LAST}"),
    ("migrate_rbac_to_auth", rbac(THEIRS), SUPPLIED, DIRECT, f"rotate verify_both {END}"),
    (
        "migrate_rbac_to_auth",
        rbac(THEIRS),
        EMPTY,
        replace(CONSENT, ends_unauthenticated="clients are refused", allow_direct=True),
        f"stage rotate {LAST}",
    ),
    (
        "migrate_rbac_to_auth",
        rbac(THEIRS),
        KEPT,
        replace(CONSENT, ends_unauthenticated="clients are refused"),
        f"{BRIDGE} {BEFORE_ROTATE} {RESTORE}",
    ),
    # Clients had moved before user groups were taken away: nothing is waited for while everyone is served.
    ("migrate_rbac_to_auth", optional(CURRENT), KEPT, replace(OLD, moved=True), "set verify_new_only"),
    (
        "migrate_rbac_to_auth",
        optional(CURRENT),
        KEPT,
        replace(BRIDGED, moved=True),
        f"set verify_new_only {RESTORE}",
    ),
    ("migrate_rbac_to_auth", required(CURRENT), KEPT, BRIDGED, RESTORE),
    ("enable_auth", optional(CURRENT), KEPT, replace(OLD, moved=True), END),
    ("migrate_rbac_to_auth", optional(PENDING), STAGED, OLD, LAST),
    ("migrate_rbac_to_auth", optional(CURRENT), KEPT, OLD, END),
    ("migrate_rbac_to_auth", required(CURRENT), KEPT, OLD, ""),
    ("migrate_auth_to_rbac", required(CURRENT), KEPT, OLD, "users client_cutover_users attach"),
    ("migrate_auth_to_rbac", rotating(CURRENT, PENDING), STAGED, OLD, "users client_cutover_users attach"),
    ("migrate_auth_to_rbac", rbac(OWN), KEPT, OLD, ""),
    ("disable_access_control", required(CURRENT), KEPT, CONSENT, f"users attach rotate_current clear {OPENING}"),
    (
        "disable_access_control",
        required(CURRENT),
        replace(KEPT, can_be_empty=False),
        CONSENT,
        f"users attach rotate_current {OPENING}",
    ),
    ("disable_access_control", required(GIVEN), SUPPLIED, CONSENT, f"users attach rotate_current {OPENING}"),
    ("disable_access_control", rbac(OWN), KEPT, CONSENT, f"rotate_current clear {OPENING}"),
    ("disable_access_control", optional(CURRENT), KEPT, CONSENT, f"clear {OPENING}"),
    ("disable_access_control", optional(PREVIOUS), Store(previous=PREVIOUS), CONSENT, OPENING),
    ("disable_access_control", rbac(ANYONE), EMPTY, CONSENT, "remove_user_groups clean_up"),
    ("disable_access_control", rbac(THEIRS), EMPTY, CONSENT, "client_cutover remove_user_groups"),
    ("disable_access_control", OPEN, EMPTY, OLD, ""),
    ("disable_access_control", OPEN, EMPTY, replace(OLD, leftovers=True), "clean_up"),
    ("rollback_token", required(CURRENT), PROMOTED, OLD, f"stage rotate {LAST} retire_version"),
    ("rollback_token", required(CURRENT), LEFT_BEHIND, OLD, f"promote_pending stage rotate {LAST} retire_version"),
    ("rollback_token", rotating(CURRENT, PENDING), given_up(STAGED, "current"), OLD, f"{LAST} retire_version"),
    ("rollback_token", rotating(CURRENT, PREVIOUS), PROMOTED, OLD, f"stage {LAST} retire_version"),
    ("rollback_token", rotating(PREVIOUS, CURRENT), given_up(PROMOTED, "previous"), OLD, f"{END} retire_version"),
    ("rollback_token", required(CURRENT), given_up(PROMOTED, "previous"), OLD, "retire_version"),
    ("rollback_token", required(CURRENT), given_up(KEPT, "elsewhere"), OLD, "retire_version"),
    ("rollback_token", required(CURRENT), KEPT, OLD, ""),
    ("rollback_token", required(PENDING), STAGED, OLD, f"promote_pending stage rotate {LAST} retire_version"),
    ("rollback_token", required(PENDING), given_up(STAGED, "current"), OLD, "promote retire_version"),
    ("rollback_token", rotating(PREVIOUS, CURRENT), PROMOTED, CONSENT, f"stage users attach promote_older {THROUGH}"),
    (
        "rollback_token",
        rotating(CURRENT, PENDING),
        STAGED,
        CONSENT,
        f"promote_pending stage users attach promote_older {THROUGH}",
    ),
    ("rollback_token", rbac(OWN), given_up(STAGED, "current"), OLD, f"promote_older {THROUGH}"),
    ("rollback_token", rbac(OWN), given_up(PROMOTED, "previous"), OLD, THROUGH),
    (
        "rollback_token",
        optional(CURRENT),
        given_up(PROMOTED, "previous"),
        replace(OLD, leftovers=True),
        "set verify_new_only retire_version clean_up",
    ),
    (
        "rollback_token",
        optional(CURRENT),
        given_up(PROMOTED, "previous"),
        replace(OLD, moved=True),
        "set verify_new_only retire_version clean_up",
    ),
    ("rollback_token", required(BEFORE), SUPPLIED_BOTH, OLD, f"rotate verify_both {END}"),
    (
        "rollback_token",
        rotating(GIVEN, BEFORE),
        SUPPLIED_BOTH,
        CONSENT,
        f"users attach {THROUGH.replace(' retire_version', '')}",
    ),
]


@pytest.mark.parametrize(("operation", "state", "store", "terms", "steps"), WAYS)
def test_what_is_left(operation: str, state: State, store: Store, terms: Terms, steps: str) -> None:
    assert [step.value for step in go(operation, state, store, terms).steps] == steps.split()


REFUSALS: list[tuple[str, State, Store, Terms, tuple[str, ...]]] = [
    ("rotate_token", OPEN, KEPT, OLD, ("the group is open", "the role enable_auth")),
    ("rotate_token", optional(CURRENT), KEPT, OLD, ("the role enable_auth",)),
    ("rotate_token", rbac(THEIRS), KEPT, OLD, ("rbac (theirs)", "the role migrate_rbac_to_auth")),
    ("rotate_token", rotating(CURRENT, PREVIOUS), PROMOTED, OLD, ("accepted again", "the role rollback_token")),
    ("rotate_token", rotating(CURRENT, PENDING), given_up(STAGED, "current"), OLD, ("the role rollback_token",)),
    ("enable_auth", OPEN, EMPTY, replace(OLD, tls="preferred"), ("mode preferred", "enable_auth_enable_tls: true")),
    (
        "enable_auth",
        OPEN,
        EMPTY,
        replace(CONSENT, tls="off", phase=Phase.BEGIN),
        ("two client cutovers", "the role enable_tls first, with enable_tls_phase"),
    ),
    ("enable_auth", rbac(THEIRS), KEPT, OLD, ("the role migrate_rbac_to_auth",)),
    (
        "migrate_rbac_to_auth",
        rbac(THEIRS),
        KEPT,
        replace(OLD, losing=("app (on ~*)",)),
        ("unauthenticated access", "app (on ~*)", "migrate_rbac_to_auth_accept_open_window: true"),
    ),
    (
        "migrate_rbac_to_auth",
        rbac(THEIRS),
        KEPT,
        NO_BRIDGE,
        (
            "no bridge user can be put in place: the user group also serves the replication group carts",
            "unauthenticated access would be allowed for the whole client cutover",
            "migrate_rbac_to_auth_allow_direct: true",
        ),
    ),
    (
        "migrate_rbac_to_auth",
        rbac(THEIRS),
        PROMOTED,
        replace(BRIDGED, rbac_tokens=frozenset({PREVIOUS}), refused=frozenset({CURRENT})),
        ("refuses <AWSCURRENT>", "accepts <AWSPREVIOUS>", "put the token that the clients have into AWSCURRENT"),
    ),
    ("migrate_rbac_to_auth", OPEN, KEPT, CONSENT, ("the role enable_auth",)),
    ("migrate_auth_to_rbac", rbac(THEIRS), KEPT, OLD, ("wanted is own", "elasticache.auth.replication_group")),
    ("migrate_auth_to_rbac", OPEN, KEPT, OLD, ("elasticache.auth.replication_group with user_group_ids",)),
    ("migrate_auth_to_rbac", optional(CURRENT), KEPT, OLD, ("the role enable_auth",)),
    ("disable_access_control", required(CURRENT), KEPT, OLD, ("disable_access_control_accept_open_access: true",)),
    ("disable_access_control", rotating(PREVIOUS, CURRENT), PROMOTED, CONSENT, ("the role rotate_token",)),
    ("disable_access_control", required(CURRENT), STAGED, CONSENT, ("staged in AWSPENDING", "state: discarded")),
    ("disable_access_control", required(CURRENT), given_up(KEPT, "current"), CONSENT, ("the role rollback_token",)),
    ("disable_access_control", required(BEFORE), SUPPLIED_BOTH, CONSENT, ("disable_access_control_auth_tokens",)),
    (
        "disable_access_control",
        rbac(THEIRS),
        PROMOTED,
        replace(CONSENT, rbac_tokens=frozenset({CURRENT, PREVIOUS})),
        ("the role migrate_rbac_to_auth",),
    ),
    ("rollback_token", OPEN, KEPT, OLD, ("the role enable_auth",)),
    ("rollback_token", optional(CURRENT), PROMOTED, OLD, ("the role enable_auth",)),
    ("rollback_token", rbac(THEIRS), KEPT, OLD, ("the role migrate_rbac_to_auth",)),
    ("rollback_token", rotating(PREVIOUS, CURRENT), PROMOTED, OLD, ("rollback_token_accept_open_window: true",)),
    ("rollback_token", rotating(CURRENT, PENDING), STAGED, OLD, ("rollback_token_accept_open_window: true",)),
    ("rollback_token", required(CURRENT), STAGED, OLD, ("staged in AWSPENDING", "state: discarded")),
    (
        "rollback_token",
        rotating(CURRENT, PENDING),
        given_up(STAGED, "elsewhere"),
        CONSENT,
        ("staged in AWSPENDING", "state: discarded"),
    ),
]


@pytest.mark.parametrize(("operation", "state", "store", "terms", "words"), REFUSALS)
def test_a_refusal_names_the_group_and_the_way_out(
    operation: str, state: State, store: Store, terms: Terms, words: tuple[str, ...]
) -> None:
    with pytest.raises(CannotProceed) as refusal:
        go(operation, state, store, terms)
    text = str(refusal.value)
    assert text.startswith(f"my-group: {operation} is refused: ")
    assert "Way out: " in text
    assert not isinstance(refusal.value, Drift)
    for word in words:
        assert word in text


TOKEN_OPERATIONS = [operation.value for operation in Operation if operation is not Operation.ENABLE_TLS]


@pytest.mark.parametrize("operation", TOKEN_OPERATIONS)
@pytest.mark.parametrize(
    ("state", "store", "words"),
    [
        (required("an unknown token"), PROMOTED, "does not accept the token in AWSCURRENT of the secret the/secret"),
        (required("an unknown token"), EMPTY, "AWSCURRENT of the secret the/secret holds none"),
        (required(PREVIOUS), PROMOTED, "does not accept the token in AWSCURRENT"),
    ],
)
def test_drift(operation: str, state: State, store: Store, words: str) -> None:
    with pytest.raises(Drift, match=words) as refusal:
        go(operation, state, store)
    assert str(refusal.value).startswith("my-group: ")
    assert "put the token in force into AWSCURRENT" in str(refusal.value)


def test_awscurrent_is_not_cleared_where_that_takes_the_label_from_the_token_in_force() -> None:
    with pytest.raises(Drift, match="does not accept the token in AWSCURRENT"):
        go("disable_access_control", optional(PREVIOUS), PROMOTED)


@pytest.mark.parametrize("operation", ["rotate_token", "enable_auth", "migrate_auth_to_rbac", "rollback_token"])
def test_drift_does_not_deny_the_token_that_is_accepted(operation: str) -> None:
    for state in (rotating("an unknown token", CURRENT), rotating(CURRENT, "an unknown token")):
        with pytest.raises(Drift) as refusal:
            go(operation, state, PROMOTED)
        assert "does not accept" not in str(refusal.value)
        assert "replication_group_auth" in str(refusal.value)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (required("an unknown token"), "does not accept any token that you supplied"),
        (rotating("an unknown token", GIVEN), "accepts another token than those that you supplied"),
    ],
)
def test_drift_from_the_tokens_supplied(state: State, words: str) -> None:
    with pytest.raises(Drift, match=words) as refusal:
        go("rotate_token", state, SUPPLIED)
    assert "supply the token that is in force" in str(refusal.value)


@pytest.mark.parametrize(
    ("state", "store", "keep"),
    [
        (required(CURRENT), KEPT, {CURRENT}),
        (rotating(CURRENT, PENDING), STAGED, {CURRENT, PENDING}),
        (rotating(PREVIOUS, CURRENT), PROMOTED, {CURRENT, PREVIOUS}),
    ],
)
def test_user_groups_keep_every_token_in_force(state: State, store: Store, keep: set[str]) -> None:
    assert set(go("migrate_auth_to_rbac", state, store).keep) == keep


# --- Not knowing ------------------------------------------------------------------------------------------------------


def test_a_missing_promotion_is_right_with_and_without_a_token_that_is_not_at_hand() -> None:
    unknown = "unknown token"
    states = [required(PENDING), rotating(PENDING, unknown), rotating(unknown, PENDING)]
    step_plan = go("rotate_token", states, replace(STAGED, previous=PREVIOUS), OLD)
    assert step_plan.steps == (Step.PROMOTE,)
    assert step_plan.note == "The group has the staged token already, and not the one in AWSCURRENT."


@pytest.mark.parametrize("operation", ["migrate_auth_to_rbac", "disable_access_control"])
def test_a_missing_promotion_is_offered(operation: str) -> None:
    with pytest.raises(Drift, match=r"promote the staged token, which it accepts .*: promoted.*repeat this;"):
        go(operation, required(PENDING), STAGED)


def test_states_with_the_same_steps_left_need_no_telling_apart() -> None:
    assert go("rotate_token", [required("x"), required("x")], replace(KEPT, current="x"), OLD).steps
    both = [rbac(OWN), OPEN]
    assert go("enable_tls", both, EMPTY, replace(OLD, tls="preferred")).steps == (
        Step.CLIENT_CUTOVER_TLS,
        Step.REQUIRE_TLS,
    )
    done = go("enable_auth", [required(CURRENT), rotating(PREVIOUS, CURRENT)], PROMOTED)
    assert done.steps == ()


@pytest.mark.parametrize(
    ("operation", "states", "store"),
    [
        ("rotate_token", [required(CURRENT), rotating(PREVIOUS, CURRENT)], PROMOTED),
        ("rotate_token", [optional(CURRENT), required(CURRENT)], KEPT),
        ("rollback_token", [required(CURRENT), required("an unknown token")], PROMOTED),
        # The same steps, but a user group for one state refuses clients in the other, or accepts a retired token.
        ("migrate_auth_to_rbac", [required(CURRENT), rotating(PREVIOUS, CURRENT)], PROMOTED),
    ],
)
def test_states_with_other_steps_left_are_to_be_settled_first(
    operation: str, states: list[State], store: Store
) -> None:
    with pytest.raises(CannotProceed) as refusal:
        go(operation, states, store)
    text = str(refusal.value)
    assert text.startswith(f"my-group: {operation} is refused: what the group accepts is not known")
    assert text.endswith("To settle it: ask the nodes.")
    for state in states:
        assert f"{state.mode.value} (<" in text


def test_states_that_are_all_refused_alike_are_refused_so() -> None:
    with pytest.raises(CannotProceed, match="the role enable_auth leads on") as refusal:
        go("rotate_token", [optional(CURRENT), optional(PENDING)], STAGED)
    assert "optional (<AWSCURRENT>) or optional (<AWSPENDING>)" in str(refusal.value)
    with pytest.raises(Drift):
        go("rotate_token", [required("an unknown token"), rotating("an unknown token", CURRENT)], KEPT)


# --- Phases -----------------------------------------------------------------------------------------------------------

PHASES: list[tuple[str, State, Store, Phase, str]] = [
    ("rotate_token", required(CURRENT), KEPT, Phase.BEGIN, "stage rotate verify_both promote"),
    ("rotate_token", rotating(PREVIOUS, CURRENT), PROMOTED, Phase.BEGIN, ""),
    ("rotate_token", rotating(PREVIOUS, CURRENT), PROMOTED, Phase.FINISH, "set verify_new_only"),
    ("rotate_token", required(PENDING), STAGED, Phase.FINISH, "promote"),
    ("enable_auth", required(CURRENT), KEPT, Phase.FINISH, ""),
    ("migrate_auth_to_rbac", required(CURRENT), KEPT, Phase.BEGIN, "users"),
    ("migrate_auth_to_rbac", required(CURRENT), KEPT, Phase.FINISH, "users attach"),
    ("disable_access_control", required(CURRENT), KEPT, Phase.BEGIN, "users attach rotate_current clear"),
    (
        "disable_access_control",
        optional(PREVIOUS),
        Store(previous=PREVIOUS),
        Phase.FINISH,
        "attach_open remove_user_groups clean_up",
    ),
    ("rollback_token", rbac(OWN), given_up(PROMOTED, "previous"), Phase.BEGIN, ""),
    (
        "rollback_token",
        rbac(OWN),
        given_up(PROMOTED, "previous"),
        Phase.FINISH,
        THROUGH.removeprefix("client_cutover_before "),
    ),
]


@pytest.mark.parametrize(("operation", "state", "store", "phase", "steps"), PHASES)
def test_phases(operation: str, state: State, store: Store, phase: Phase, steps: str) -> None:
    assert [step.value for step in go(operation, state, store, replace(CONSENT, phase=phase)).steps] == steps.split()


@pytest.mark.parametrize(
    ("operation", "state", "store", "left"),
    [
        ("rotate_token", required(CURRENT), KEPT, "stage, rotate, verify_both, promote"),
        ("rotate_token", rotating(CURRENT, PENDING), STAGED, "verify_both, promote"),
        ("enable_auth", OPEN, KEPT, "rotate_current"),
        ("disable_access_control", optional(CURRENT), KEPT, "clear"),
        ("rollback_token", rbac(OWN), given_up(STAGED, "current"), "promote_older"),
    ],
)
def test_a_finish_before_the_begin_has_ended_is_refused(operation: str, state: State, store: Store, left: str) -> None:
    with pytest.raises(CannotProceed) as refusal:
        go(operation, state, store, replace(CONSENT, phase=Phase.FINISH))
    assert str(refusal.value).startswith(f"my-group: {operation}_phase: finish is refused")
    assert f"(remaining: {left}). " in str(refusal.value)
    assert f"{operation}_phase: begin" in str(refusal.value)


def test_a_begin_at_the_client_cutover_says_so() -> None:
    step_plan = go("rotate_token", rotating(PREVIOUS, CURRENT), PROMOTED, replace(OLD, phase=Phase.BEGIN))
    assert (step_plan.steps, step_plan.note) == ((), "The client cutover is next; the phase finish goes on from there.")


# --- After a client cutover by tasks ----------------------------------------------------------------------------------

TLS_FIRST = replace(CONSENT, tls="preferred")
#: Where it stands after the cutover that tasks made, and what is left: without and with a time besides.
AFTER_TASKS: list[tuple[str, State, Store, Terms, Step, str, str]] = [
    ("rotate_token", rotating(PREVIOUS, CURRENT), PROMOTED, OLD, Step.CLIENT_CUTOVER, "set verify_new_only", END),
    ("rotate_token", rotating(BEFORE, GIVEN), SUPPLIED_BOTH, OLD, Step.CLIENT_CUTOVER, "set verify_new_only", END),
    ("enable_auth", optional(CURRENT), KEPT, OLD, Step.CLIENT_CUTOVER, "set verify_new_only", END),
    (
        "enable_auth",
        OPEN,
        EMPTY,
        TLS_FIRST,
        Step.CLIENT_CUTOVER_TLS,
        f"require_tls stage rotate {LAST}",  # the clients have another cutover to come
        f"client_cutover_tls require_tls stage rotate {LAST}",
    ),
    (
        "migrate_auth_to_rbac",
        required(CURRENT),
        KEPT,
        OLD,
        Step.CLIENT_CUTOVER_USERS,
        "users attach",  # the users are looked at once more
        "users client_cutover_users attach",
    ),
    (
        "rollback_token",
        rbac(OWN),
        given_up(PROMOTED, "previous"),
        OLD,
        Step.CLIENT_CUTOVER_BEFORE,
        THROUGH.removeprefix("client_cutover_before "),
        THROUGH,
    ),
    (
        "disable_access_control",
        rbac(THEIRS),
        EMPTY,
        CONSENT,
        Step.CLIENT_CUTOVER,
        "remove_user_groups",
        "client_cutover remove_user_groups",
    ),
    # It has arrived meanwhile.
    ("rotate_token", required(CURRENT), PROMOTED, replace(OLD, age=1.0), Step.CLIENT_CUTOVER, "", ""),
    ("rotate_token", required(PENDING), STAGED, OLD, Step.CLIENT_CUTOVER, "promote", "promote"),
    # User groups have been removed meanwhile: clients have the token, and everyone is served until SET.
    (
        "migrate_rbac_to_auth",
        optional(CURRENT),
        KEPT,
        CONSENT,
        Step.CLIENT_CUTOVER_BEFORE,
        "set verify_new_only",
        "set verify_new_only",
    ),
    # After the cutover to TLS another one comes first: that is still to come.
    (
        "rotate_token",
        required(CURRENT),
        KEPT,
        OLD,
        Step.CLIENT_CUTOVER_TLS,
        f"stage rotate {LAST}",
        f"stage rotate {LAST}",
    ),
]


@pytest.mark.parametrize(("operation", "state", "store", "terms", "made", "steps", "besides"), AFTER_TASKS)
def test_what_is_left_after_tasks(
    operation: str, state: State, store: Store, terms: Terms, made: Step, steps: str, besides: str
) -> None:
    for soaking, left in ((False, steps), (True, besides)):
        step_plan = go(operation, state, store, replace(terms, cutover=made, soaking=soaking))
        assert [step.value for step in step_plan.steps] == left.split()


@pytest.mark.parametrize("soaking", [False, True])
@pytest.mark.parametrize(
    ("operation", "state", "store", "terms", "made", "left"),
    [
        ("rotate_token", required(CURRENT), KEPT, OLD, Step.CLIENT_CUTOVER, "stage, rotate, verify_both, promote"),
        ("rotate_token", rotating(CURRENT, PENDING), STAGED, OLD, Step.CLIENT_CUTOVER, "verify_both, promote"),
        ("enable_auth", OPEN, KEPT, OLD, Step.CLIENT_CUTOVER, "rotate_current"),
        ("enable_auth", OPEN, EMPTY, replace(CONSENT, tls="off"), Step.CLIENT_CUTOVER_TLS, "prefer_tls"),
        ("disable_access_control", optional(CURRENT), KEPT, CONSENT, Step.CLIENT_CUTOVER, "clear"),
        ("rollback_token", rbac(OWN), given_up(STAGED, "current"), OLD, Step.CLIENT_CUTOVER_BEFORE, "promote_older"),
        # Another cutover comes first, after which nobody would go on.
        ("enable_auth", OPEN, EMPTY, TLS_FIRST, Step.CLIENT_CUTOVER, "client_cutover_tls"),
        ("enable_auth", OPEN, EMPTY, TLS_FIRST, Step.CLIENT_CUTOVER_USERS, "client_cutover_tls"),
        # No node says that its user named default accepts the token: everyone would be served from ROTATE on.
        ("migrate_rbac_to_auth", rbac(THEIRS), KEPT, DIRECT, Step.CLIENT_CUTOVER_BEFORE, "rotate_current"),
        (
            "disable_access_control",
            required(CURRENT),
            KEPT,
            CONSENT,
            Step.CLIENT_CUTOVER,
            "users, attach, rotate_current, clear",
        ),
    ],
)
def test_a_change_by_others_during_the_tasks_is_refused(
    operation: str, state: State, store: Store, terms: Terms, made: Step, left: str, soaking: bool
) -> None:
    """What leads to the cutover would have to be made again, and the clients have moved to what was there before."""
    with pytest.raises(CannotProceed) as refusal:
        go(operation, state, store, replace(terms, cutover=made, soaking=soaking))
    assert str(refusal.value) == (
        f"my-group: {operation} has stopped: during the client cutover somebody else changed the group or its secret, "
        f"or its nodes can't be asked any more, and these steps remain again: {left}. None of them is made now. Run "
        "this again: it plans anew, and gives the clients another cutover."
    )


TWO_CUTOVERS = (Step.CLIENT_CUTOVER_TLS, Step.REQUIRE_TLS, Step.ROTATE, Step.CLIENT_CUTOVER, Step.SET)


@pytest.mark.parametrize(
    ("steps", "soaking", "made", "first"),
    [
        ((), False, None, 0),
        ((Step.STAGE, Step.ROTATE), False, None, 2),
        ((Step.ROTATE, Step.CLIENT_CUTOVER, Step.SET), False, None, 1),
        ((Step.ROTATE, Step.CLIENT_CUTOVER, Step.SET), True, None, 3),
        ((Step.CLIENT_CUTOVER, Step.SET), False, None, 0),
        (TWO_CUTOVERS, False, None, 0),
        (TWO_CUTOVERS, True, None, 5),
        # A time besides tasks is one of that cutover only: at the next one tasks are to move the clients, too.
        (TWO_CUTOVERS, True, Step.CLIENT_CUTOVER_TLS, 3),
        (TWO_CUTOVERS[1:], True, Step.CLIENT_CUTOVER_TLS, 2),
        (TWO_CUTOVERS[1:], False, Step.CLIENT_CUTOVER_TLS, 2),
        (TWO_CUTOVERS[3:], True, Step.CLIENT_CUTOVER, 2),
        (TWO_CUTOVERS[3:], False, Step.CLIENT_CUTOVER, 0),
    ],
)
def test_up_to_a_client_cutover(steps: tuple[Step, ...], soaking: bool, made: Step | None, first: int) -> None:
    assert up_to_cutover(steps, soaking=soaking, made=made) == steps[:first]
    rotate = Step.ROTATE in steps
    assert sets_at_once(steps, soaking=soaking, made=made) == (
        rotate and Step.SET in up_to_cutover(steps[steps.index(Step.ROTATE) :], soaking=soaking, made=made)
    )


@pytest.mark.parametrize("cutover", CUTOVERS)
def test_every_client_cutover_is_one(cutover: Step) -> None:
    steps = (Step.STAGE, cutover, Step.SET)
    assert up_to_cutover(steps, soaking=False) == (Step.STAGE,)
    assert up_to_cutover(steps, soaking=True) == steps


# --- The monitor ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("operation", "state", "store", "terms", "steps"), WAYS)
def test_where_the_monitor_is(operation: str, state: State, store: Store, terms: Terms, steps: str) -> None:
    """Right after only the new token is accepted, and before what would make it impossible to go back."""
    expected = steps.replace("set verify_new_only", "set verify_new_only monitor").split()
    assert [step.value for step in go(operation, state, store, replace(terms, monitor=True)).steps] == expected
    if "monitor" in expected:
        after = expected[expected.index("monitor") :]
        assert not {"set", "verify_new_only"} & set(after)
        assert set(after) <= {"monitor", "retire_version", "clean_up", "restore_user_group"}


def test_each_phase_has_the_monitor_where_it_sets() -> None:
    watched = replace(OLD, monitor=True)
    begin = go("rotate_token", required(CURRENT), KEPT, replace(watched, phase=Phase.BEGIN))
    assert Step.MONITOR not in begin.steps
    where = rotating(PREVIOUS, CURRENT)
    for terms in (replace(watched, phase=Phase.FINISH), replace(watched, cutover=Step.CLIENT_CUTOVER)):
        assert go("rotate_token", where, PROMOTED, terms).steps == (Step.SET, Step.VERIFY_NEW_ONLY, Step.MONITOR)


def test_a_staged_token_that_waits_is_reported() -> None:
    assert "staged in AWSPENDING" in go("rotate_token", required(CURRENT), STAGED, replace(OLD, age=1.0)).note


# --- Killed anywhere, any number of times ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Scene:
    """A world in which an operation begins, and what holds at its end.

    ``opens``: unauthenticated access may be allowed meanwhile, where it was refused. ``heard``: the nodes answer where
    user groups decide.
    """

    name: str
    operation: Operation
    world: World
    goal: Callable[[World, World], bool]
    opens: bool = False
    heard: bool = True


def alone(start: World, now: World) -> bool:
    """Only the token in AWSCURRENT is accepted, and nothing is under way or left over."""
    tidy = not {operation_model.PENDING, operation_model.MARK} & set(now.secret.at)
    return bool(now.truth) and now.group.slots == (now.truth,) and tidy and not _leftovers(now)


def alone_beside_a_staged_one(start: World, now: World) -> bool:
    kept = now.secret.value(operation_model.PENDING) == start.secret.value(operation_model.PENDING)
    return now.group.slots == (now.truth,) and kept


def rotated(start: World, now: World) -> bool:
    newest = start.group.slots[-1]
    return alone(start, now) and (now.truth == newest if len(start.group.slots) == 2 else now.truth != newest)


def gone_back(start: World, now: World) -> bool:
    """To the token ``a`` in all scenes."""
    return alone(start, now) and now.truth == "a" and operation_model.PREVIOUS not in now.secret.at


def with_users(start: World, now: World) -> bool:
    return now.group.user_groups == {OWN} and now.user == start.group.tokens


def open_to_all(start: World, now: World) -> bool:
    untrue = now.secret.keyed and bool(now.secret.value(operation_model.CURRENT))
    return now.group.slots == (None,) and not _leftovers(now) and (not untrue or not start.serves(start.truth))


def encrypted(start: World, now: World) -> bool:
    return now.tls == "required" and now.group == start.group


def _leftovers(now: World) -> bool:
    return now.own or now.anyone or now.user is not None or now.bridge is not None or bool(now.bridged)


def _world(*slots: str | None, clients: tuple[str | None, ...] = (), **members: object) -> World:
    world = World(Group(slots), clients=frozenset(clients or slots))
    return replace(world, **members)  # type: ignore[arg-type]


def _in_rbac(tokens: tuple[str, ...] = (), clients: tuple[str | None, ...] = (), **members: object) -> World:
    world = World(Group((), frozenset({THEIRS})), theirs=frozenset(tokens), clients=frozenset(clients or tokens))
    return replace(world, **members)  # type: ignore[arg-type]


def _bare(now: operation_model.Secret) -> operation_model.Secret:
    return replace(now, keyed=False)


def _rotate_scenes() -> Iterator[Scene]:
    operation = Operation.ROTATE_TOKEN
    for keyed in (True, False):
        kind = "json" if keyed else "bare"
        starts = {
            "required": _world("a", secret=secret(current="a")),
            "with a previous token": _world("a", secret=secret(previous="z", current="a")),
            "with a token staged": _world("a", secret=secret(current="a", pending="b")),
            "with AWSPENDING left behind": _world("a", secret=secret(previous="z", current="a", pending="a")),
            "with a first version": _world("a", secret=secret(current="a", pending="a")),
            "rotating": _world("a", "b", secret=secret(current="a", pending="b", previous="z")),
            "rotating and promoted": _world("a", "b", secret=secret(previous="a", current="b")),
        }
        for name, world in starts.items():
            yield Scene(
                f"rotate {name}, {kind}", operation, replace(world, secret=replace(world.secret, keyed=keyed)), rotated
            )
    yield Scene("rotate, supplied", operation, _world("a", supplied=("a", "b")), rotated)


def _enable_scenes() -> Iterator[Scene]:
    operation = Operation.ENABLE_AUTH
    for tls in ("required", "preferred", "off"):
        plain = tls != "required"
        starts = {
            "no secret": operation_model.Secret(),
            "no secret, bare": operation_model.Secret(keyed=False),
            "none yet": secret(current=""),
            "staged": secret(current="", pending="t"),
            "at hand": secret(current="t"),
            "at hand, bare first version": _bare(secret(current="t", pending="t")),
            "cleared before": secret(previous="z", current=""),
        }
        for name, kept in starts.items():
            yield Scene(f"enable, {name}, TLS {tls}", operation, _world(None, secret=kept, tls=tls, plain=plain), alone)
        yield Scene(
            f"enable, supplied, TLS {tls}", operation, _world(None, supplied=("", "t"), tls=tls, plain=plain), alone
        )
        if plain:
            yield Scene(f"TLS {tls}", Operation.ENABLE_TLS, _world(None, tls=tls, plain=True), encrypted)
    yield Scene("enable, optional", operation, _world(None, "t", secret=secret(current="t")), alone)


def _rbac_scenes() -> Iterator[Scene]:
    operation = Operation.MIGRATE_RBAC_TO_AUTH
    for heard in (True, False):
        told = "heard" if heard else "unheard"
        starts = {
            "welcome": (_in_rbac(("t",), secret=secret(current="t")), alone),
            "welcome, AWSPENDING left behind": (
                _in_rbac(("t",), secret=secret(previous="s", current="t", pending="t")),
                alone,
            ),
            "unwelcome": (_in_rbac(secret=secret(current="t")), alone),
            "no secret": (_in_rbac(), alone),
            "no secret, bare": (_in_rbac(secret=operation_model.Secret(keyed=False)), alone),
            "staged": (_in_rbac(secret=secret(current="", pending="t")), alone),
            "supplied": (_in_rbac(("t",), supplied=("", "t")), alone),
        }
        if heard:
            staged_too = _in_rbac(("t",), secret=secret(current="t", pending="u"))
            starts["two welcome"] = (_in_rbac(("s", "t"), secret=secret(previous="s", current="t")), alone)
            starts["welcome, another staged"] = (staged_too, alone_beside_a_staged_one)
        for name, (world, goal) in starts.items():
            for way, given in {"": world, " directly,": replace(world, no_bridge=True)}.items():
                yield Scene(f"from RBAC,{way} {name}, {told}", operation, given, goal, opens=True, heard=heard)
    for name, world in {
        "required": _world("a", secret=secret(current="a", previous="z")),
        "rotating": _world("a", "b", secret=secret(current="a", pending="b")),
        "rotating and promoted": _world("a", "b", secret=secret(previous="a", current="b")),
        "supplied": _world("a", supplied=("", "a")),
    }.items():
        yield Scene(f"to RBAC, {name}", Operation.MIGRATE_AUTH_TO_RBAC, world, with_users)


def _disable_scenes() -> Iterator[Scene]:
    for heard in (True, False):
        starts = {
            "required": _world("a", secret=secret(current="a")),
            "required, with a previous": _world("a", secret=secret(previous="z", current="a")),
            "required, AWSPENDING left behind": _world("a", secret=secret(previous="z", current="a", pending="a")),
            "required, bare": _world("a", secret=_bare(secret(current="a"))),
            "optional": _world(None, "a", secret=secret(current="a")),
            "from their users": _in_rbac(("a",), secret=secret(current="a")) if heard else None,
            "supplied": _world("a", supplied=("", "a")),
        }
        told = "heard" if heard else "unheard"
        for name, world in starts.items():
            if world:
                yield Scene(
                    f"disable, {name}, {told}",
                    Operation.DISABLE_ACCESS_CONTROL,
                    world,
                    open_to_all,
                    opens=True,
                    heard=heard,
                )


def _rollback_scenes() -> Iterator[Scene]:
    operation = Operation.ROLLBACK_TOKEN
    for keyed in (True, False):
        starts = {
            "required": (_world("b", secret=secret(previous="a", current="b")), False),
            "required, AWSPENDING left behind": (
                _world("b", secret=secret(previous="a", current="b", pending="b")),
                False,
            ),
            "rotating": (_world("a", "b", secret=secret(current="a", pending="b", previous="z")), True),
            "rotating, no previous": (_world("a", "b", secret=secret(current="a", pending="b")), True),
            "rotating and promoted": (_world("a", "b", secret=secret(previous="a", current="b")), True),
            "rotating, AWSPENDING left behind": (
                _world("a", "b", secret=secret(previous="a", current="b", pending="b")),
                True,
            ),
            "accepted again": (_world("b", "a", secret=secret(previous="a", current="b")), False),
            "accepted again, AWSPENDING left behind": (
                _world("b", "a", secret=secret(previous="a", current="b", pending="b")),
                False,
            ),
            "the given up one accepted again": (
                _world("a", "b", secret=secret(previous="b", current="a", mark="b")),
                True,
            ),
        }
        for name, (world, opens) in starts.items():
            made = replace(world, secret=replace(world.secret, keyed=keyed))
            kind = "json" if keyed else "bare"
            for heard in (True, False):
                told = "heard" if heard else "unheard"
                yield Scene(f"back, {name}, {kind}, {told}", operation, made, gone_back, opens=opens, heard=heard)
    for heard in (True, False):
        told = "heard" if heard else "unheard"
        given = _world("b", supplied=("b", "a"))
        yield Scene(f"back, supplied, {told}", operation, given, gone_back, heard=heard)
        between = _world("a", "b", supplied=("b", "a"))
        yield Scene(f"back, rotating, supplied, {told}", operation, between, gone_back, opens=True, heard=heard)


def _two_turns(scene: Scene) -> bool:
    return scene.operation is Operation.ENABLE_AUTH and scene.world.tls != "required"


SCENES = [*_rotate_scenes(), *_enable_scenes(), *_rbac_scenes(), *_disable_scenes(), *_rollback_scenes()]


def promises(scene: Scene, now: World) -> None:
    """Fail where something is broken at this very moment."""
    start, where = scene.world, f"{scene.name}: {now}"
    refused = {client for client in now.clients if not now.serves(client)}
    assert not refused, f"clients with {refused} are refused in {where}"
    assert now.tls != "required" or not now.plain, f"clients without TLS are refused in {where}"
    current = now.truth
    if current is not None and not now.supplied:
        never = now.group == start.group and not start.serves(current or NONE)
        never = never or (current == start.truth and not start.serves(current or NONE))
        bare_and_open = scene.operation is Operation.DISABLE_ACCESS_CONTROL and not now.secret.keyed
        assert never or bare_and_open or now.serves(current or NONE), f"AWSCURRENT is not accepted in {where}"
    if not now.supplied:
        labelled = {now.secret.value(label) for label in now.secret.at if label != operation_model.MARK}
        assert now.in_force <= labelled, f"a token in force is lost in {where}"
    assert scene.opens or start.serves(NONE) or not now.serves(NONE), f"unauthenticated access in {where}"


def no_cutover_while_open(scene: Scene, now: World, step: Step) -> None:
    """Fail at a client cutover while unauthenticated access is allowed that the scene did not begin with."""
    inherent = scene.operation is Operation.DISABLE_ACCESS_CONTROL or scene.world.no_bridge
    assert inherent or scene.world.serves(NONE) or not now.serves(NONE), f"{scene.name}: {step} while open: {now}"


def way_of(scene: Scene, world: World, phase: Phase = Phase.ALL) -> StepPlan:
    step_plan = operation_model.plan(world, scene.operation, phase, heard=scene.heard)
    assert len(set(step_plan.steps)) == len(step_plan.steps), f"{scene.name}: a step is made twice in {step_plan.steps}"
    return step_plan


def explored(starts: set[World], run: Callable[[World], list[World]]) -> dict[World, list[World]]:
    """Return every world in which a run can be cut off, however often, with the way from there to the run's end."""
    found: dict[World, list[World]] = {}
    left = set(starts)
    while left:
        world = left.pop()
        found[world] = run(world)
        left |= set(found[world]) - found.keys()
        assert len(found) < 3000, "it goes on for ever"
    return found


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_an_operation_arrives_from_wherever_it_is_cut_off(scene: Scene) -> None:
    promises(scene, scene.world)

    def run(world: World) -> list[World]:
        trail: list[World] = []
        step_plan = way_of(scene, world)
        for step, now in operation_model.made(world, scene.operation, step_plan):
            if step in CUTOVERS:
                no_cutover_while_open(scene, trail[-1] if trail else world, step)
            promises(scene, now)
            trail.append(now)
        end = trail[-1] if trail else world
        assert scene.goal(scene.world, end), f"{scene.name}: from {world} it ends in {end}"
        assert way_of(scene, end).steps == (), f"{scene.name}: there is more to do in {end}"
        return trail

    assert len(explored({scene.world}, run)) > 1


@pytest.mark.parametrize("scene", [s for s in SCENES if not _two_turns(s)], ids=lambda scene: scene.name)
def test_begin_and_finish_arrive_however_often_either_is_cut_off(scene: Scene) -> None:
    def begin(world: World) -> list[World]:
        return run(world, Phase.BEGIN)

    def finish(world: World) -> list[World]:
        trail = run(world, Phase.FINISH)
        end = trail[-1] if trail else world
        assert scene.goal(scene.world, end), f"{scene.name}: from {world} it ends in {end}"
        return trail

    def run(world: World, phase: Phase) -> list[World]:
        step_plan = way_of(scene, world, phase)
        assert not set(step_plan.steps) & set(CUTOVERS)
        trail = []
        for now in operation_model.carry_out(world, scene.operation, step_plan):
            promises(scene, now)
            trail.append(now)
        return trail

    begun = explored({scene.world}, begin)
    turned = set()
    for world, trail in begun.items():
        end = trail[-1] if trail else world
        # Whether the users are as they have to be is for their modules to see.
        looks = {Step.USERS, Step.VERIFY_BRIDGE_USER}
        assert not set(way_of(scene, end, Phase.BEGIN).steps) - looks, "a begin is repeated in vain"
        left = way_of(scene, end).steps
        turns = [step for step in left if step in CUTOVERS]
        now = operation_model.take_turn(end, scene.operation, turns[0]) if turns else end
        promises(scene, now)
        turned.add(now)
    explored(turned, finish)


@pytest.mark.parametrize("soaking", [False, True])
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_tasks_that_move_the_clients_lead_to_the_same_end(scene: Scene, soaking: bool) -> None:
    """Each call plans anew, and goes up to the next client cutover; ``soaking``: a time is waited for besides."""
    world, made = scene.world, None
    for _call in range(4):
        step_plan = operation_model.plan(
            world, scene.operation, Phase.ALL, heard=scene.heard, cutover=made, soaking=soaking and made is not None
        )
        steps = up_to_cutover(step_plan.steps, soaking=soaking and made is not None, made=made)
        for now in operation_model.carry_out(world, scene.operation, replace(step_plan, steps=steps)):
            promises(scene, now)
            world = now
        if steps == step_plan.steps:
            break
        made = step_plan.steps[len(steps)]
        world = operation_model.take_turn(world, scene.operation, made)
        promises(scene, world)
    else:
        pytest.fail("it stops at client cutovers for ever")
    assert scene.goal(scene.world, world), f"{scene.name}: it ends in {world}"


def _reached(scene: Scene) -> set[World]:
    """Return every world that a run of the scene can leave behind, wherever it is cut off."""
    return set(
        explored(
            {scene.world}, lambda world: list(operation_model.carry_out(world, scene.operation, way_of(scene, world)))
        )
    )


@pytest.mark.parametrize("operation", Operation)
def test_an_operation_goes_on_from_another_one_or_refuses(operation: Operation) -> None:
    """Wherever an operation was cut off, none of the others breaks a promise: it refuses, or its steps can be made."""
    opens = operation in (Operation.MIGRATE_RBAC_TO_AUTH, Operation.DISABLE_ACCESS_CONTROL, Operation.ROLLBACK_TOKEN)
    gone = refused = 0
    for world, heard in sorted({(world, s.heard) for s in SCENES for world in _reached(s)}, key=repr):
        leaving = operation in (Operation.MIGRATE_RBAC_TO_AUTH, Operation.DISABLE_ACCESS_CONTROL)
        if leaving and not heard and world.group.user_groups:
            continue  # then the plan names every user as one who loses, and the caller consents to that
        if operation is Operation.DISABLE_ACCESS_CONTROL and world.theirs == frozenset() and world.group.user_groups:
            continue  # users of whom nothing is known: between their cutover and DETACH they are not accepted
        scene = Scene(f"{operation.value}", operation, world, alone, opens, heard)
        try:
            step_plan = way_of(scene, world)
        except CannotProceed:
            refused += 1
            continue
        gone += 1
        for now in operation_model.carry_out(world, operation, step_plan):
            promises(scene, now)
    assert gone > 0
    assert refused > 0 or operation is Operation.ENABLE_TLS


def test_the_operation_that_a_refusal_points_to_goes_on() -> None:
    """No refusal sends a caller round in circles."""
    followed = 0
    for world, heard in sorted({(world, s.heard) for s in SCENES for world in _reached(s)}, key=repr):
        for first in Operation:
            operation, passed = first, [first]
            while True:
                try:
                    operation_model.plan(world, operation, Phase.ALL, heard=heard)
                except CannotProceed as error:
                    found = re.search(r"the role (\w+)", str(error))
                    if not found or "discarded" in str(error):
                        break  # it is up to the caller
                    operation = Operation(found[1])
                    assert operation not in passed, f"from {world} by {passed} back to {operation}"
                    passed.append(operation)
                    followed += 1
                else:
                    break
    assert followed > 0
