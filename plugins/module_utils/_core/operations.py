# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a group's current state to the remaining steps of an operation, whoever began it and wherever that was cut off.

Pure: what a group accepts (the belief), where its tokens are kept (the store) and what the caller wants and consents to
(the terms) come in as data. An operation has no memory of its own: that is what lets any run finish what another began.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from .errors import AuthError
from .explain import Label, describe_all
from .states import Mode, State


class Operation(str, enum.Enum):
    """The operations, named like the roles that make them."""

    ROTATE_TOKEN = "rotate_token"  # noqa: S105 - a role's name
    ENABLE_AUTH = "enable_auth"
    ENABLE_TLS = "enable_tls"
    MIGRATE_RBAC_TO_AUTH = "migrate_rbac_to_auth"
    MIGRATE_AUTH_TO_RBAC = "migrate_auth_to_rbac"
    DISABLE_ACCESS_CONTROL = "disable_access_control"
    ROLLBACK_TOKEN = "rollback_token"  # noqa: S105 - a role's name


class Step(str, enum.Enum):
    """One step of an operation: what a role makes one task of, for all groups that are due to it."""

    UPDATE_RECORD = "update_record"  #: what was found out, or assumed, goes into the record before labels move
    PREFER_TLS = "prefer_tls"  #: TLS off -> preferred
    CLIENT_CUTOVER_TLS = "client_cutover_tls"  #: the client cutover: to connect with TLS
    REQUIRE_TLS = "require_tls"  #: TLS preferred -> required
    PROMOTE_PENDING = "promote_pending"  #: AWSPENDING becomes AWSCURRENT, of a rotation that is about to be taken back
    STAGE = "stage"  #: a token comes into AWSPENDING
    USERS = "users"  #: the users and the user group are made
    CLIENT_CUTOVER_USERS = "client_cutover_users"  #: the client cutover, before user groups decide
    ATTACH = "attach"  #: DELETE: the user group decides
    BRIDGE_USER = "bridge_user"  #: a user named default with the token takes the place of the one in the user group
    VERIFY_BRIDGE_USER = "verify_bridge_user"  #: every node accepts the token while user groups decide
    PROMOTE_OLDER = "promote_older"  #: AWSPENDING becomes AWSCURRENT while user groups decide
    CLIENT_CUTOVER_BEFORE = "client_cutover_before"  #: the client cutover, before user groups are taken away
    ROTATE = "rotate"  #: the token in AWSPENDING is accepted (and the user groups are taken away)
    ROTATE_CURRENT = "rotate_current"  #: the same with the one in AWSCURRENT
    VERIFY_BOTH = "verify_both"  #: every node accepts the token in AWSPENDING, and who was accepted before
    PROMOTE = "promote"  #: AWSPENDING becomes AWSCURRENT
    CLEAR = "clear"  #: AWSCURRENT comes to say that there is no token
    CLIENT_CUTOVER = "client_cutover"  #: the client cutover: to take what AWSCURRENT says
    SET = "set"  #: the token in AWSCURRENT alone is accepted
    VERIFY_NEW_ONLY = "verify_new_only"  #: every node accepts the token in AWSCURRENT, and nobody else
    ATTACH_OPEN = "attach_open"  #: DELETE: a user group decides that accepts everyone
    REMOVE_USER_GROUPS = "remove_user_groups"  #: the user groups are taken away, and nothing takes their place
    MONITOR = "monitor"  #: CloudWatch tells whether clients are refused; then the token before is accepted again
    RETIRE_VERSION = "retire_version"  #: the version with the token that was given up loses its labels
    CLEAN_UP = "clean_up"  #: the users and user groups are deleted that were made for the operation
    RESTORE_USER_GROUP = "restore_user_group"  #: the user group gets its user named default back, ours is deleted


#: The steps that are client cutovers: nothing is called.
CUTOVERS = (Step.CLIENT_CUTOVER_TLS, Step.CLIENT_CUTOVER_USERS, Step.CLIENT_CUTOVER_BEFORE, Step.CLIENT_CUTOVER)
#: The operations by which users may lose access, and the steps by which a group loses its user groups, if it has any.
LEAVING_RBAC = (Operation.MIGRATE_RBAC_TO_AUTH, Operation.DISABLE_ACCESS_CONTROL)
REMOVING_USER_GROUPS = (Step.ROTATE, Step.ROTATE_CURRENT, Step.REMOVE_USER_GROUPS)
#: The steps that only a store of ours needs; a caller who hands tokens in does the like himself.
_STORE_STEPS = (Step.PROMOTE_PENDING, Step.STAGE, Step.PROMOTE_OLDER, Step.PROMOTE, Step.CLEAR, Step.RETIRE_VERSION)
#: The steps that are made again after a client cutover: what they look at may have changed since.
_REPEATED = frozenset({Step.USERS, Step.VERIFY_BRIDGE_USER})


def up_to_cutover(steps: Iterable[Step], *, soaking: bool, made: Step | None = None) -> tuple[Step, ...]:
    """Return the first of ``steps``: those up to a client cutover by tasks.

    ``soaking``: a client cutover is a time. After one that tasks have made (``made``) a time is waited for besides, and
    any other is one by tasks again.
    """
    times = () if not soaking else (made,) if made else CUTOVERS
    return tuple(itertools.takewhile(lambda step: step not in CUTOVERS or step in times, steps))


def sets_at_once(steps: Sequence[Step], *, soaking: bool, made: Step | None = None) -> bool:
    """Whether SET follows ROTATE in one go, so that its record, written ahead, says what ROTATE came to."""
    rotate = next((at for at, step in enumerate(steps) if step in (Step.ROTATE, Step.ROTATE_CURRENT)), None)
    return rotate is not None and Step.SET in up_to_cutover(steps[rotate:], soaking=soaking, made=made)


GIVEN_UP_BEFORE, GIVEN_UP_AFTER, GIVEN_UP_DONE = "current", "previous", "elsewhere"


class Phase(str, enum.Enum):
    """Which part of an operation is wanted: all of it, or what comes before the client cutover, or what comes after."""

    ALL = "all"
    BEGIN = "begin"
    FINISH = "finish"


@dataclass(frozen=True)
class Store:
    """Where a group's tokens are kept, by the names that the belief has for them; empty: there is none.

    ``pending`` is empty where AWSPENDING is on what AWSCURRENT holds too, and ``leftover`` then says so. ``kept``: it
    is Secrets Manager, and not a caller who hands the tokens in. ``abandoned``: the version that a rollback gives up is
    the one in AWSCURRENT (``current``), in AWSPREVIOUS (``previous``) or in neither (``elsewhere``).
    ``can_be_empty``: AWSCURRENT can say that there is no token.
    """

    current: str = ""
    pending: str = ""
    previous: str = ""
    leftover: bool = False
    abandoned: str = ""
    kept: bool = True
    can_be_empty: bool = True
    name: str = ""

    def seen_from(self, state: State, rbac_tokens: Iterable[str]) -> Store:
        """Return the store of a caller who supplies tokens, as it would be if the caller promoted when we do.

        The token given counts as promoted once the group accepts it; ``rbac_tokens``: those that it accepts by RBAC.
        """
        if self.kept or not self.pending:
            return self
        inside = self.pending in rbac_tokens or (bool(state.tokens) and state.tokens[-1] == self.pending)
        return replace(self, current=self.pending, pending="", previous=self.current) if inside else self


@dataclass(frozen=True)
class Terms:
    """What is wanted, what the caller consents to, and what else was seen of the group.

    ``age``: days since the token was last changed. ``rbac_tokens``, ``refused``: the tokens that an RBAC group accepts
    as those of the user named default, and those that it refuses. ``losing``: the names of the users that stop working
    with RBAC. ``leftovers``: user groups or users exist that an operation makes for its duration only. ``cutover``: the
    client cutover that tasks have made since an earlier run stopped there; ``soaking``: a time is waited for besides.
    ``monitor``: whether clients that are refused after SET are looked for. ``moved``: it is on record that the client
    cutover was over before unauthenticated access was allowed, so that SET is all that is waited for.

    ``bridged``: the bridge user of the operation is in the group's user group. ``no_bridge``: why none can be put
    there. ``ends_unauthenticated``: whom it would refuse at once, where the user whose place it takes needs no
    password. ``allow_direct``: the caller consents to a client cutover while unauthenticated access is allowed.
    """

    phase: Phase = Phase.ALL
    cutover: Step | None = None
    soaking: bool = False
    monitor: bool = False
    tls: str = "required"
    age: float | None = None
    max_token_age_days: float = 90.0
    force: bool = False
    enable_tls: bool = False
    accept_open_window: bool = False
    accept_open_access: bool = False
    user_group_id: str = ""
    open_user_group_id: str = ""
    rbac_tokens: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    losing: tuple[str, ...] = ()
    leftovers: bool = False
    moved: bool = False
    bridged: bool = False
    no_bridge: str = ""
    ends_unauthenticated: str = ""
    allow_direct: bool = False


@dataclass(frozen=True)
class StepPlan:
    """The remaining steps, in order, and what else is to be said; ``keep``: the tokens that RBAC has to accept."""

    steps: tuple[Step, ...] = ()
    note: str = ""
    keep: tuple[str, ...] = ()


class CannotProceed(AuthError):
    """No step leads on from the group's current state; the message says why, and what to do."""


class Drift(CannotProceed):
    """The group does not accept what the store says is in force."""


def plan_steps(
    operation: Operation,
    group_id: str,
    states: Iterable[State],
    store: Store,
    terms: Terms,
    label: Label,
    settle: str = "",
) -> StepPlan:
    """Return the steps that are left of ``operation``: the same ones from every state in which the group may be.

    ``settle`` says what would settle an uncertainty. Raises :class:`CannotProceed`.
    """
    planner = _PLANNERS[operation]
    states = sorted(states)
    words = describe_all(states, label)
    step_plans: list[StepPlan] = []
    obstacles: list[CannotProceed] = []
    for state in states:
        try:
            step_plan = planner(
                _Situation(group_id, state, store.seen_from(state, terms.rbac_tokens), terms, label, words)
            )
            step_plans.append(_in_phase(operation, group_id, _monitored(_kept(step_plan, store), terms), terms))
        except CannotProceed as error:
            obstacles.append(error)
    # A user group that kept a token too few would refuse clients, and with one too many accept a retired token.
    if not obstacles and len({(step_plan.steps, frozenset(step_plan.keep)) for step_plan in step_plans}) == 1:
        return step_plans[0]
    if not step_plans and (
        len(set(map(str, obstacles))) == 1 or all(isinstance(obstacle, Drift) for obstacle in obstacles)
    ):
        raise obstacles[0]
    raise CannotProceed(
        f"{group_id}: {operation.value} is refused: what the group accepts is not known, and AWS never tells. It may "
        f"be {words}, and the remaining steps differ. To settle it: {settle}."
    )


def _kept(step_plan: StepPlan, store: Store) -> StepPlan:
    """Return ``step_plan`` without what only a store of ours needs, where the caller keeps the tokens."""
    return (
        step_plan
        if store.kept
        else replace(step_plan, steps=tuple(step for step in step_plan.steps if step not in _STORE_STEPS))
    )


def _monitored(step_plan: StepPlan, terms: Terms) -> StepPlan:
    """Return ``step_plan`` with a look for clients that are refused, right after the token before is refused."""
    if not terms.monitor or Step.SET not in step_plan.steps:
        return step_plan
    after = step_plan.steps.index(Step.VERIFY_NEW_ONLY if Step.VERIFY_NEW_ONLY in step_plan.steps else Step.SET) + 1
    return replace(step_plan, steps=(*step_plan.steps[:after], Step.MONITOR, *step_plan.steps[after:]))


def _in_phase(operation: Operation, group_id: str, step_plan: StepPlan, terms: Terms) -> StepPlan:
    """Cut ``step_plan`` down to the phase that is wanted.

    Raises :class:`CannotProceed` for a finish before the begin has ended.
    """
    cutovers_at = [number for number, step in enumerate(step_plan.steps) if step in CUTOVERS]
    if not cutovers_at:
        return step_plan
    # After the cutover to TLS another one is to come, wherever the group is by then; after any other none is.
    if terms.cutover and (
        terms.cutover is step_plan.steps[cutovers_at[0]] or terms.cutover is not Step.CLIENT_CUTOVER_TLS
    ):
        return _after_cutover(operation, group_id, step_plan, cutovers_at[0], terms)
    if terms.phase is Phase.ALL or terms.cutover:
        return step_plan
    if terms.phase is Phase.BEGIN:
        note = (
            "The client cutover is next; the phase finish goes on from there."
            if not set(step_plan.steps[: cutovers_at[0]]) - {Step.VERIFY_BRIDGE_USER}
            else step_plan.note
        )
        return replace(step_plan, steps=step_plan.steps[: cutovers_at[0]], note=note)
    before = step_plan.steps[: cutovers_at[0]]
    if set(before) - _REPEATED:
        left = ", ".join(step.value for step in before)
        raise CannotProceed(
            f"{group_id}: {operation.value}_phase: finish is refused: phase begin is incomplete (remaining: {left}). "
            f"Run it with {operation.value}_phase: begin again, move your clients, then finish."
        )
    # The users are looked at once more: the token may have been rotated since.
    return replace(step_plan, steps=(*before, *step_plan.steps[cutovers_at[0] + 1 :]))


def _after_cutover(
    operation: Operation, group_id: str, step_plan: StepPlan, first_cutover: int, terms: Terms
) -> StepPlan:
    """Return what is left after a client cutover that tasks have made; ``first_cutover``: where the plan has its first.

    Raises :class:`CannotProceed` where that is another one, or steps are left that lead to it.
    """
    before, made, first = step_plan.steps[:first_cutover], terms.cutover, step_plan.steps[first_cutover]
    # Either time clients move to the token in AWSCURRENT: with user groups, or with the token beside everyone.
    same = made is first or (made is Step.CLIENT_CUTOVER_BEFORE and first is Step.CLIENT_CUTOVER)
    if set(before) - _REPEATED or not same:
        left = ", ".join(step.value for step in (*before, *(() if same else (first,))))
        raise CannotProceed(
            f"{group_id}: {operation.value} has stopped: during the client cutover somebody else changed the group or "
            f"its secret, or its nodes can't be asked any more, and these steps remain again: {left}. None of them "
            "is made now. Run this again: it plans anew, and gives the clients another cutover."
        )
    if made is first and terms.soaking:
        return step_plan  # a time besides the tasks is still to come
    return replace(step_plan, steps=(*before, *step_plan.steps[first_cutover + 1 :]))


@dataclass(frozen=True)
class _Situation:
    """The current state of one group; ``words``: all that it may be."""

    group_id: str
    state: State
    store: Store
    terms: Terms
    label: Label
    words: str

    @property
    def promotion_is_missing(self) -> bool:
        """Whether the group accepts the staged token, and neither the one in AWSCURRENT nor the one before it."""
        store = self.store
        older = {store.current, store.previous} - {"", store.pending}
        return bool(store.pending) and store.pending in self.state.tokens and not older & set(self.state.tokens)

    def stop(self, operation: Operation, why: str, way_out: str) -> CannotProceed:
        return CannotProceed(f"{self.group_id}: {operation.value} is refused: {why} Way out: {way_out}")

    def drift(self, operation: Operation) -> Drift:
        store = self.store
        where = f" of the secret {store.name}" if store.name else ""
        if not store.kept:
            inside = {store.current, store.pending, store.previous} & set(self.state.tokens)
            what = (
                "accepts another token than those that you supplied"
                if inside
                else "does not accept any token that you supplied"
            )
            way_out = "supply the token that is in force, as the previous one, too."
        elif store.current in self.state.tokens:
            what = f"accepts another token besides the one in AWSCURRENT{where} than its labels tell of"
            way_out = (
                "find out who changed it; once every client has the newest token, make it the only one accepted with "
                "elasticache.auth.replication_group_auth (auth_token_update_strategy: set), then repeat this."
            )
        else:
            token = f"the token in AWSCURRENT{where}" if store.current else f"any token: AWSCURRENT{where} holds none"
            what = f"does not accept {token}"
            promote = (
                "promote the staged token, which it accepts (elasticache.auth.auth_secret with state: promoted), then "
                "repeat this; if that is not right, "
                if self.promotion_is_missing
                else ""
            )
            way_out = promote + (
                "find out who changed it; put the token in force into AWSCURRENT, then repeat this. If nobody has it, "
                "go through user groups: they don't need it (elasticache.auth.replication_group_auth with "
                "auth_token_update_strategy: delete)."
            )
        return Drift(
            f"{self.group_id}: {operation.value} is refused: it is {self.words}, and {what} (drift). Way out: {way_out}"
        )

    def staged(self, operation: Operation) -> CannotProceed:
        return self.stop(
            operation,
            f"the group is {self.words}, and another token is staged in AWSPENDING.",
            "take it off, if no group accepts it (elasticache.auth.auth_secret with state: discarded), or finish the "
            "change that it was staged for (the role rotate_token, or enable_auth for a group that is optional); then "
            "repeat this.",
        )

    def check_accepted(self, operation: Operation, token: str) -> None:
        """Raise :class:`CannotProceed` where the user group that clients use refuses ``token``, which comes next."""
        store = self.store
        if token not in self.terms.refused:
            return
        secret = f" of the secret {store.name}" if store.name else ""
        accepted = " and ".join(self.label(token) for token in sorted(self.terms.rbac_tokens))
        raise self.stop(
            operation,
            f"the group is {self.words}, which refuses {self.label(token)}{secret}"
            f"{f' and accepts {accepted}' if accepted else ''}. Clients with another token would be refused once the "
            "user group is removed.",
            "find out who moved the staging labels, put the token that the clients have into AWSCURRENT, then repeat "
            "this."
            if store.kept
            else "pass the token that the clients have.",
        )

    def elsewhere(self, operation: Operation, other: Operation) -> CannotProceed:
        """Another operation leads on from here."""
        return self.stop(operation, f"the group is {self.words}.", f"the role {other.value} leads on from there.")


# --- The operations ---------------------------------------------------------------------------------------------------

_ALONE = (Step.SET, Step.VERIFY_NEW_ONLY)
_LAST = (Step.VERIFY_BOTH, Step.PROMOTE, Step.CLIENT_CUTOVER, *_ALONE)


def _rotate_token(at: _Situation) -> StepPlan:
    operation, store, state = Operation.ROTATE_TOKEN, at.store, at.state
    current, pending, previous = store.current, store.pending, store.previous
    tidy = (Step.PROMOTE,) if store.leftover else ()
    if store.abandoned and state.tokens and not state.allows_unauthenticated:
        raise at.elsewhere(operation, Operation.ROLLBACK_TOKEN)
    match state.mode:
        case Mode.OPEN | Mode.OPTIONAL:
            raise at.elsewhere(operation, Operation.ENABLE_AUTH)
        case Mode.RBAC:
            raise at.elsewhere(operation, Operation.MIGRATE_RBAC_TO_AUTH)
        case Mode.REQUIRED | Mode.ROTATING if at.promotion_is_missing:
            # With or without a token beside it that is not at hand.
            return StepPlan((Step.PROMOTE,), "The group has the staged token already, and not the one in AWSCURRENT.")
        case Mode.REQUIRED if current and state.tokens == (current,):
            if store.kept and not _due(at.terms):
                return StepPlan(tidy, _not_due(at.terms, staged=bool(pending)))
            if not store.kept and not pending:
                return StepPlan((), "The group has the token that you supplied, and no other.")
            # What was left in AWSPENDING goes first: on a secret's first version it would pass for a staged token.
            promote_pending = (Step.PROMOTE_PENDING,) if store.leftover else ()
            return StepPlan((*promote_pending, *(() if pending else (Step.STAGE,)), Step.ROTATE, *_LAST))
        case Mode.ROTATING if pending and state.tokens == (current, pending):
            return StepPlan(_LAST)
        case Mode.ROTATING if current and previous and state.tokens == (previous, current):
            return StepPlan((*tidy, Step.CLIENT_CUTOVER, *_ALONE))
        case Mode.ROTATING if current and state.tokens == (current, previous):
            raise at.stop(
                operation,
                f"the group is {at.words}: the previous token was accepted again after SET.",
                "the role rollback_token goes back to it for good.",
            )
    raise at.drift(operation)


def _due(terms: Terms) -> bool:
    return terms.force or terms.age is None or terms.age > terms.max_token_age_days


def _not_due(terms: Terms, *, staged: bool) -> str:
    age = f"{terms.age:.1f}" if terms.age is not None else "?"
    note = f"The token is {age} days old, and rotated when it is older than {terms.max_token_age_days:g}."
    return f"{note} A token is staged in AWSPENDING, and waits for that." if staged else note


def _enable_auth(at: _Situation) -> StepPlan:
    operation, store, state = Operation.ENABLE_AUTH, at.store, at.state
    if state.mode is Mode.OPEN:
        before = _tls_steps(at) if at.terms.enable_tls or at.terms.tls == "required" else None
        if before is None:
            raise at.stop(
                operation,
                f"encryption in transit is in mode {at.terms.tls}, and AUTH needs it in mode required.",
                "enable_auth_enable_tls: true does that first, with a client cutover of its own; or the role "
                "enable_tls alone.",
            )
        if before and at.terms.phase is not Phase.ALL:
            raise at.stop(
                operation,
                f"encryption in transit is in mode {at.terms.tls}, so that there are two client cutovers, and a "
                "finish that is repeated could not tell which of them is over.",
                "the role enable_tls first, with enable_tls_phase; then this one.",
            )
        return StepPlan((*before, *_accept_token(store), Step.CLIENT_CUTOVER, *_ALONE))
    return _toward_required(at, operation)


def _accept_token(store: Store) -> tuple[Step, ...]:
    """The steps that make a token accepted where none of the store is in force: the staged one, or the one at hand."""
    if store.pending:
        return (Step.ROTATE, Step.VERIFY_BOTH, Step.PROMOTE)
    if store.current:
        return (Step.ROTATE_CURRENT, *((Step.PROMOTE,) if store.leftover else ()))
    if store.kept and not store.can_be_empty:
        # The first version of a bare secret has both labels, so that its token is in AWSCURRENT from the start.
        return (Step.STAGE, Step.ROTATE_CURRENT, Step.PROMOTE)
    return (Step.STAGE, Step.ROTATE, Step.VERIFY_BOTH, Step.PROMOTE)


def _toward_required(at: _Situation, operation: Operation) -> StepPlan:
    """From a group that accepts a token already to one that requires it."""
    store, state = at.store, at.state
    tidy = (Step.PROMOTE,) if store.leftover else ()
    match state.mode:
        case Mode.RBAC:
            raise at.elsewhere(operation, Operation.MIGRATE_RBAC_TO_AUTH)
        case Mode.OPEN:
            raise at.elsewhere(operation, Operation.ENABLE_AUTH)
        case Mode.OPTIONAL if store.pending and state.tokens == (store.pending,):
            return StepPlan(_LAST)
        case Mode.OPTIONAL if store.current and state.tokens == (store.current,):
            # A group that user groups were taken from after its clients had moved waits for SET alone.
            is_waiting = operation is Operation.MIGRATE_RBAC_TO_AUTH and at.terms.moved
            return StepPlan((*tidy, *(() if is_waiting else (Step.CLIENT_CUTOVER,)), *_ALONE))
        case Mode.REQUIRED if store.pending and state.tokens == (store.pending,):
            return StepPlan((Step.PROMOTE,), "The group has the staged token already, and no other.")
        case Mode.REQUIRED if store.current and state.tokens == (store.current,):
            return StepPlan(tidy, "AUTH is required already.")
        case Mode.ROTATING if {store.current, store.pending, store.previous} >= set(state.tokens):
            return StepPlan((), "AUTH is required already; a rotation is half-way, the role rotate_token finishes it.")
    raise at.drift(operation)


def _tls_steps(at: _Situation) -> tuple[Step, ...]:
    if at.terms.tls == "required":
        return ()
    first = () if at.terms.tls == "preferred" else (Step.PREFER_TLS,)
    return (*first, Step.CLIENT_CUTOVER_TLS, Step.REQUIRE_TLS)


def _enable_tls(at: _Situation) -> StepPlan:
    steps = _tls_steps(at)
    return StepPlan(steps, "" if steps else "Encryption in transit is required already.")


def _migrate_rbac_to_auth(at: _Situation) -> StepPlan:
    operation, store, state, terms = Operation.MIGRATE_RBAC_TO_AUTH, at.store, at.state, at.terms
    restore = (Step.RESTORE_USER_GROUP,) if terms.leftovers else ()
    if state.mode is not Mode.RBAC:
        step_plan = _toward_required(at, operation)
        return replace(step_plan, steps=(*step_plan.steps, *restore))
    if not terms.accept_open_window:
        losing = ", ".join(terms.losing) or "none"
        raise at.stop(
            operation,
            "AWS allows unauthenticated access between the ROTATE that takes the user groups away and the SET "
            f"that follows, and these users stop working: {losing}.",
            "migrate_rbac_to_auth_accept_open_window: true, once that is acceptable.",
        )
    # Clients move to the token while the user groups still decide, so that unauthenticated access is allowed for two
    # calls only.
    end = (Step.CLIENT_CUTOVER_BEFORE, Step.ROTATE_CURRENT, *_ALONE)
    is_promoted = not (terms.bridged and store.pending and store.pending in terms.rbac_tokens)
    if store.current and store.current in terms.rbac_tokens and is_promoted:
        verify = (Step.VERIFY_BRIDGE_USER,) if terms.bridged else ()
        promote_pending = (Step.PROMOTE_PENDING,) if store.leftover else ()
        return StepPlan((*promote_pending, *verify, *end, *restore))
    if store.pending and store.pending in terms.rbac_tokens:
        return StepPlan((Step.VERIFY_BRIDGE_USER, Step.PROMOTE, *end, *restore))
    if terms.no_bridge or (terms.ends_unauthenticated and terms.allow_direct):
        return _directly(at, restore)
    if terms.bridged:
        at.check_accepted(operation, store.pending or store.current)
    stage = () if store.pending or store.current else (Step.STAGE,)
    promote = () if store.current and not store.pending and not store.leftover else (Step.PROMOTE,)
    return StepPlan(
        (*stage, Step.BRIDGE_USER, Step.VERIFY_BRIDGE_USER, *promote, *end, Step.RESTORE_USER_GROUP),
        f"At bridge_user, {terms.ends_unauthenticated}." if terms.ends_unauthenticated else "",
    )


def _directly(at: _Situation, restore: tuple[Step, ...]) -> StepPlan:
    """From user groups to a token that clients can move to only while unauthenticated access is allowed."""
    terms = at.terms
    why = f"No bridge user can be put in place: {terms.no_bridge}"
    if not terms.no_bridge:
        why = f"No bridge user is put in place, as with one {terms.ends_unauthenticated}"
    if not terms.allow_direct:
        raise at.stop(
            Operation.MIGRATE_RBAC_TO_AUTH,
            f"{why[0].lower()}{why[1:]}. Clients could move to the token only after the ROTATE that takes the user "
            "groups away, and unauthenticated access would be allowed for the whole client cutover.",
            "give the group a user group of its own to which a user can be added "
            "(elasticache.auth.replication_group with user_group_ids); or migrate_rbac_to_auth_allow_direct: true, "
            "once that is acceptable.",
        )
    note = f"{why}. Unauthenticated access is allowed for the whole client cutover."
    return StepPlan((*_accept_token(at.store), Step.CLIENT_CUTOVER, *_ALONE, *restore), note)


def _migrate_auth_to_rbac(at: _Situation) -> StepPlan:
    operation, store, state = Operation.MIGRATE_AUTH_TO_RBAC, at.store, at.state
    known = {store.current, store.pending, store.previous} - {""}
    match state.mode:
        case Mode.RBAC if state.user_groups == (at.terms.user_group_id,):
            return StepPlan((), "The user group decides already.")
        case Mode.RBAC:
            raise at.stop(
                operation,
                f"the group is {at.words}, and the user group wanted is {at.terms.user_group_id}.",
                "elasticache.auth.replication_group with user_group_ids changes one for the other.",
            )
        case Mode.OPEN:
            raise at.stop(
                operation,
                "the group is open: there are no clients with a token to be kept in.",
                "elasticache.auth.replication_group with user_group_ids attaches the user group.",
            )
        case Mode.OPTIONAL:
            raise at.elsewhere(operation, Operation.ENABLE_AUTH)
        case _ if set(state.tokens) <= known and store.current in state.tokens:
            return StepPlan((Step.USERS, Step.CLIENT_CUTOVER_USERS, Step.ATTACH), keep=state.tokens)
    raise at.drift(operation)


def _disable_access_control(at: _Situation) -> StepPlan:
    operation, store = Operation.DISABLE_ACCESS_CONTROL, at.store
    step_plan = _to_open(at)
    # What would prevent CLEAR has to be known before unauthenticated access is allowed, not after; and during a
    # rollback some clients have the other token, which ROTATE would have refused.
    if {Step.ROTATE_CURRENT, Step.CLEAR} & set(step_plan.steps) and store.abandoned:
        raise at.elsewhere(operation, Operation.ROLLBACK_TOKEN)
    if Step.CLEAR in step_plan.steps and store.pending:
        raise at.staged(operation)
    return step_plan


def _to_open(at: _Situation) -> StepPlan:
    operation, store, state, terms = Operation.DISABLE_ACCESS_CONTROL, at.store, at.state, at.terms
    tidy = (Step.CLEAN_UP,) if terms.leftovers else ()
    known = {store.current, store.pending, store.previous} - {""}
    if state.mode is Mode.OPEN:
        return StepPlan(tidy, "The group is open already.")
    if not terms.accept_open_access:
        losing = f"; these users stop working: {', '.join(terms.losing)}" if terms.losing else ""
        raise at.stop(
            operation,
            f"the group is {at.words}, and at the end unauthenticated access is allowed{losing}.",
            "disable_access_control_accept_open_access: true, once that is acceptable.",
        )
    if not store.kept and store.pending and state.mode is not Mode.RBAC:
        raise at.stop(
            operation,
            f"the group is {at.words}, and the newest token that it accepts is not the one that you supplied.",
            "supply that one in disable_access_control_auth_tokens.",
        )
    clear = (Step.CLEAR,) if store.can_be_empty and store.current else ()
    opening = (Step.CLIENT_CUTOVER, Step.ATTACH_OPEN, Step.REMOVE_USER_GROUPS, Step.CLEAN_UP)
    match state.mode:
        case Mode.RBAC if state.user_groups == (terms.open_user_group_id,):
            return StepPlan((Step.REMOVE_USER_GROUPS, Step.CLEAN_UP))
        case Mode.RBAC if store.current and terms.rbac_tokens - {store.current} and store.current in terms.rbac_tokens:
            # Clients with the other token would be refused at ROTATE; that operation has a client cutover before.
            raise at.elsewhere(operation, Operation.MIGRATE_RBAC_TO_AUTH)
        case Mode.RBAC if state.user_groups == (terms.user_group_id,) and (store.current or not store.kept):
            at.check_accepted(operation, store.current)
            return StepPlan((Step.ROTATE_CURRENT, *clear, *opening))
        case Mode.RBAC if store.current and store.current in terms.rbac_tokens:
            # Clients with the token stay in until each has learnt to do without.
            return StepPlan((Step.ROTATE_CURRENT, *clear, *opening))
        case Mode.RBAC:
            return StepPlan((Step.CLIENT_CUTOVER, Step.REMOVE_USER_GROUPS, *tidy))
        case Mode.OPTIONAL if set(state.tokens) <= known and store.current in ("", store.pending, *state.tokens):
            # With another token in AWSCURRENT, CLEAR would take AWSPREVIOUS from the one that is accepted.
            return StepPlan((*clear, *opening))
        case Mode.ROTATING if set(state.tokens) <= known:
            # Clients with the older token would be refused when the user groups are taken away.
            raise at.elsewhere(operation, Operation.ROTATE_TOKEN)
        case Mode.REQUIRED if store.current and state.tokens == (store.current,):
            return StepPlan((Step.USERS, Step.ATTACH, Step.ROTATE_CURRENT, *clear, *opening), keep=state.tokens)
    raise at.drift(operation)


def _rollback_token(at: _Situation) -> StepPlan:
    step_plan = _back(at)
    if Step.ATTACH in step_plan.steps and not at.terms.accept_open_window:
        raise at.stop(
            Operation.ROLLBACK_TOKEN,
            f"the group is {at.words}. SET takes only the newer token, so that the way back leads through user groups "
            "that accept both, and on leaving them AWS allows unauthenticated access from ROTATE to SET.",
            "rollback_token_accept_open_window: true, once that is acceptable; or finish the rotation (the role "
            "rotate_token) and roll back then, which allows no unauthenticated access but refuses "
            "clients that still have the older token, for the time in between.",
        )
    return step_plan


def _back(at: _Situation) -> StepPlan:
    operation, store, state, terms = Operation.ROLLBACK_TOKEN, at.store, at.state, at.terms
    current, pending, previous = store.current, store.pending, store.previous
    tidy = (Step.CLEAN_UP,) if terms.leftovers else ()
    supplied = not store.kept and bool(current and previous and not pending)
    promoted = supplied or store.abandoned in (GIVEN_UP_AFTER, GIVEN_UP_DONE)
    end = (Step.RETIRE_VERSION,)
    through_rbac = (Step.CLIENT_CUTOVER_BEFORE, Step.ROTATE_CURRENT, *_ALONE, *end, Step.CLEAN_UP)
    older = pending or previous
    # What a promotion left in AWSPENDING goes first: it blocks the token to go back to.
    promote_pending = (Step.PROMOTE_PENDING,) if store.leftover else ()
    match state.mode:
        case Mode.OPEN:
            raise at.elsewhere(operation, Operation.ENABLE_AUTH)
        case Mode.RBAC if state.user_groups == (terms.user_group_id,):
            is_recalled = promoted and not store.leftover
            at.check_accepted(operation, current if is_recalled else older)
            return StepPlan(through_rbac if is_recalled else (Step.PROMOTE_OLDER, *through_rbac))
        case Mode.RBAC:
            raise at.elsewhere(operation, Operation.MIGRATE_RBAC_TO_AUTH)
        case Mode.OPTIONAL if promoted and (terms.leftovers or terms.moved) and state.tokens == (current,):
            return StepPlan((*_ALONE, *end, Step.CLEAN_UP))
        case Mode.OPTIONAL:
            raise at.elsewhere(operation, Operation.ENABLE_AUTH)
        case Mode.REQUIRED if state.tokens == (current,):
            return _back_from_required(at, promoted, promote_pending, tidy)
        case Mode.REQUIRED if at.promotion_is_missing and store.abandoned:
            return StepPlan((Step.PROMOTE, *end, *tidy), "The group has the token to go back to, and no other.")
        case Mode.REQUIRED if at.promotion_is_missing:
            # SET came before the rotation's promotion: promote first, so that the store knows which is which.
            return StepPlan((Step.PROMOTE_PENDING, Step.STAGE, Step.ROTATE, *_LAST, *end))
        case Mode.ROTATING if promoted and state.tokens == (previous, current):
            return StepPlan((*promote_pending, Step.CLIENT_CUTOVER, *_ALONE, *end, *tidy))
        case Mode.ROTATING if promoted and state.tokens == (current, previous):
            # The token that was given up was accepted again, by the monitor or by hand.
            return StepPlan((*promote_pending, Step.USERS, Step.ATTACH, *through_rbac), keep=state.tokens)
        case Mode.ROTATING if promoted and pending:
            raise at.staged(operation)
        case Mode.ROTATING if state.tokens == (current, older):
            if store.abandoned or not pending or not store.kept:
                # It was accepted again after SET, by the monitor or by a rollback that was cut off.
                stage = () if pending else (*promote_pending, Step.STAGE)
                return StepPlan((*stage, *_LAST, *end))
            # The rotation was cut off before its promotion: promote first, so that the store knows which is which.
            return StepPlan(
                (Step.PROMOTE_PENDING, Step.STAGE, Step.USERS, Step.ATTACH, Step.PROMOTE_OLDER, *through_rbac),
                keep=state.tokens,
            )
        case Mode.ROTATING if state.tokens == (older, current):
            return StepPlan(
                (*promote_pending, Step.STAGE, Step.USERS, Step.ATTACH, Step.PROMOTE_OLDER, *through_rbac),
                keep=state.tokens,
            )
    raise at.drift(operation)


def _back_from_required(
    at: _Situation, promoted: bool, promote_pending: tuple[Step, ...], tidy: tuple[Step, ...]
) -> StepPlan:
    store = at.store
    if promoted:
        retire_version = (Step.RETIRE_VERSION,) if store.abandoned else ()
        return StepPlan(
            (*promote_pending, *retire_version, *tidy), "The group has the token to go back to, and no other."
        )
    if store.pending and store.kept and not store.abandoned:
        raise at.staged(Operation.ROLLBACK_TOKEN)
    if not store.pending and not store.previous:
        return StepPlan(tidy, "There is no token in AWSPREVIOUS to go back to.")
    return StepPlan((*promote_pending, Step.STAGE, Step.ROTATE, *_LAST, Step.RETIRE_VERSION))


_PLANNERS: Mapping[Operation, Callable[[_Situation], StepPlan]] = {
    Operation.ROTATE_TOKEN: _rotate_token,
    Operation.ENABLE_AUTH: _enable_auth,
    Operation.ENABLE_TLS: _enable_tls,
    Operation.MIGRATE_RBAC_TO_AUTH: _migrate_rbac_to_auth,
    Operation.MIGRATE_AUTH_TO_RBAC: _migrate_auth_to_rbac,
    Operation.DISABLE_ACCESS_CONTROL: _disable_access_control,
    Operation.ROLLBACK_TOKEN: _rollback_token,
}
