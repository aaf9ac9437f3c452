# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look at many groups, and plan for each what is left of an operation: nothing is changed in here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._auth.change_run import ChangeRun
from .._auth.observe import Observation, SecondaryGroup, check_preconditions, engine_versions, probe_groups
from .._auth.observe_groups import BusyGroup, observe_groups
from .._auth.token_rules import check_compared, check_sent
from .._auth.tokens import TokenSet, label
from .._aws.clients import Clients
from .._aws.groups import OFF, REQUIRED, Group, require_all
from .._core.errors import AuthError
from .._core.evidence import Answer
from .._core.one_line import one_line
from .._core.operations import (
    LEAVING_RBAC,
    CannotProceed,
    Drift,
    Operation,
    Step,
    StepPlan,
    Terms,
    plan_steps,
)
from .._core.posture import TLS_FROM
from .._core.secret_text import OPTION_PREFIX
from .._core.states import CallKind, required
from .._data_plane.probe import NodeAnswer, Reach, Transport, as_evidence, check_transport
from .._fan_out import fan_out
from .._resource.reconcile import Manner
from .._resource.users_ahead import UsersOrder, deletions, open_calls, users_calls
from .._secret.secret_ahead import secret_calls
from .._secret.secret_plan import Creation, names_of
from .assumptions import by_assumption, check_explained, what_would_settle, with_record
from .bridge import (
    bridging_of,
    calls_of_bridge,
    check_bridge,
    is_left,
    losing_words,
    passwords_of,
    with_loss,
    with_spared,
)
from .group_plan import (
    _ID_SHOWN,
    Planned,
    current_state_in_words,
    evidence_in_words,
    open_since_of,
    put_into_words,
    staged_in_words,
    token_age_of,
)
from .planned_calls import Setting, calls_of
from .rbac_resources import (
    WITH_USERS,
    Ids,
    Others,
    check_shared,
    check_users,
    find_others,
    resolve_ids,
    shared_with_others,
    users_of,
)
from .request import Cutover, OperationRequest
from .token_store import Kept, read_kept

#: The operations that may begin before there is a secret.
_FROM_NOTHING = (Operation.ENABLE_AUTH, Operation.MIGRATE_RBAC_TO_AUTH)


#: A list of secrets is five minutes behind at most; the rest of this hour is for clocks that differ, in days.
_LIST_BEHIND_DAYS = 1 / 24


def check_request(request: OperationRequest, params: Mapping[str, Any], ids: Sequence[str]) -> None:
    """Raise :class:`AuthError` for options that can't be meant so, wherever the groups are. It makes no call."""
    resolve_ids(request, ids)
    source = params.get("auth_token_secret")
    if source and request.operation is not Operation.ENABLE_TLS:
        names_of(source["name"], list(ids), option=OPTION_PREFIX)
    probing = request.inquiry.probing
    if probing.mode != "never" and probing.ca_path:
        check_transport(Transport(tls=True, ca_path=probing.ca_path, timeout=probing.timeout))


def plan_groups(
    clients: Clients,
    request: OperationRequest,
    params: Mapping[str, Any],
    ids: Sequence[str],
    *,
    hide: Callable[[str], None],
) -> list[Planned]:
    """Return the plan for each group. Raises :class:`AuthError` for what concerns no single group."""
    begun = time.monotonic()
    planned = {key: Planned(key) for key in ids}
    resolved = resolve_ids(request, ids)
    user_ids = {key: resolved_ids for key, resolved_ids in resolved.items() if isinstance(resolved_ids, Ids)}
    kept: dict[str, Kept | AuthError] = dict.fromkeys(ids, Kept())
    may_be_made = request.create_secret and request.operation in _FROM_NOTHING
    if request.operation is not Operation.ENABLE_TLS:
        from_list = request.operation is Operation.ROTATE_TOKEN
        kept = read_kept(clients, params, ids, may_be_made=may_be_made, hide=hide, from_list=from_list)
        kept |= _group_first(clients, kept, begun)
    kept |= {key: error for key, error in resolved.items() if isinstance(error, AuthError)}
    seen = _seen(clients, request, planned, kept, begun)
    listed = {key: stored for key, stored in kept.items() if isinstance(stored, Kept) and stored.listed}
    doubtful = [key for key, stored in listed.items() if not _rests(stored, seen.get(key))]
    if doubtful:
        planned |= {key: Planned(key) for key in doubtful}
        read = read_kept(clients, params, doubtful, may_be_made=may_be_made, hide=hide)
        kept |= read
        seen = {key: observation for key, observation in seen.items() if key not in read}
        seen |= _seen(clients, request, planned, read, begun)
    others = find_others(clients, request, seen, user_ids)
    answers = _answers(clients, request, seen)
    versions = engine_versions(clients, [observation.group for observation in seen.values()])
    secret_key = (params.get("auth_token_secret") or {}).get("key")
    settings: dict[str, Setting] = {}
    for key, observation in seen.items():
        stored = kept[key]
        if not isinstance(stored, Kept):
            continue
        planned[key].seen = observation
        try:
            around = _Around(others, answers.get(key, ()), user_ids[key], secret_key, clients.region)
            settings[key] = _plan(request, planned[key], observation, stored, around)
            _check(planned[key].step_plan, observation.group, versions)
            if words := _other_tool(stored):
                planned[key].warnings.append(f"{key}: {words}")
        except AuthError as error:
            _refuse(planned[key], AuthError(" ".join(filter(None, (str(error), _other_tool(stored))))))
    _plan_calls(clients, request, planned, settings, user_ids)
    for one_planned in planned.values():
        put_into_words(request, one_planned)
        one_planned.duration = time.monotonic() - begun
    return list(planned.values())


def _seen(
    clients: Clients,
    request: OperationRequest,
    planned: Mapping[str, Planned],
    kept: Mapping[str, Kept | AuthError],
    begun: float,
) -> dict[str, Observation]:
    """Look at the groups of which the tokens are known, and return what was seen; what went wrong is in ``planned``."""
    cases = {}
    for key, stored in kept.items():
        if isinstance(stored, AuthError):
            planned[key].error = str(stored)
            planned[key].secondary = stored if isinstance(stored, SecondaryGroup) else None
        else:
            planned[key].secret, planned[key].kept = stored.store.name, stored
            cases[key] = ChangeRun(planned[key], stored.tokens, begun)
    inquiry = replace(request.inquiry, changes_access=request.operation is not Operation.ENABLE_TLS)
    observe_groups(clients, inquiry, cases, begun + inquiry.timeout)
    for key, case in cases.items():
        planned[key].secondary = case.failure if isinstance(case.failure, SecondaryGroup) else None
        planned[key].busy = isinstance(case.failure, BusyGroup)
        planned[key].under_way = case.failure.group if isinstance(case.failure, BusyGroup) else None
    return {key: case.seen for key, case in cases.items() if case.seen and not planned[key].error}


def _group_first(clients: Clients, kept: Mapping[str, Kept | AuthError], begun: float) -> dict[str, AuthError]:
    """Return what is wrong with those groups themselves whose tokens could not be read: it comes first."""
    troubled = [key for key, stored in kept.items() if isinstance(stored, AuthError)]
    found = require_all(clients, troubled, oldest=begun) if troubled else {}
    wrong: dict[str, AuthError] = {}
    for key, group in found.items():
        if isinstance(group, AuthError):
            wrong[key] = group
        elif group.is_secondary:
            wrong[key] = SecondaryGroup(group)
    return wrong


def _rests(kept: Kept, seen: Observation | None) -> bool:
    """Whether a secret from a list, which may be behind, can be gone by: the token in AWSCURRENT alone is in force, for
    longer than the list may be behind.

    Whoever rotated in another token has staged it before, so that it would be in the list. A token that is staged and
    not rotated in yet may be missing there: where it is one of ours, storing another beside it is refused, and it is
    found; of another tool's, which no group accepts, the label is taken off.
    """
    if seen is None or seen.belief.drift or (seen.entry is not None and seen.entry.call is not None):
        return False
    age = token_age_of(seen.group)
    return age is not None and age > _LIST_BEHIND_DAYS and seen.belief.certain == required(kept.store.current)


# --- What is around the groups --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Around:
    others: Others
    answers: Iterable[NodeAnswer]
    ids: Ids
    secret_key: str | None = None
    region: str = ""


def _answers(
    clients: Clients, request: OperationRequest, seen: Mapping[str, Observation]
) -> dict[str, tuple[NodeAnswer, ...]]:
    """Ask the nodes of groups without a token: whether they can be asked at all, and with RBAC about the tokens, as who
    presents one of these alone is the user named default.
    """
    if request.operation is Operation.ENABLE_TLS:
        return {}
    asked = [
        observation.group
        for observation in seen.values()
        if not observation.group.auth_token_enabled and observation.group.tls == REQUIRED
    ]
    tokens = {
        key: observation.tokens if observation.group.user_group_ids else TokenSet() for key, observation in seen.items()
    }
    return probe_groups(clients, asked, tokens, request.inquiry.probing)


# --- Planning -------------------------------------------------------------------------------------------------------


def _waits_for_cutover(step_plan: StepPlan) -> bool:
    """Whether SET waits for the end of a client cutover on record. A change before SET writes another record.

    Where that is ATTACH, clients are accepted with either token until SET, and get time for the one that it takes.
    """
    if Step.SET not in step_plan.steps:
        return False
    before = step_plan.steps[: step_plan.steps.index(Step.SET)]
    return not {Step.ROTATE, Step.ROTATE_CURRENT, Step.ATTACH} & set(before)


def _other_tool(kept: Kept) -> str:
    """Say that a version without a token is staged, and who may have done so; empty where there is none.

    It matters where there is no plan, too: what the other tool has called may be why.
    """
    if not kept.holds_none:
        return ""
    return (
        f"AWSPENDING of the secret {kept.store.name} is on the version {one_line(kept.staged, _ID_SHOWN)}, which holds "
        "no token. Another tool may have begun to rotate it: find out which, and have one of them do it."
    )


def _refuse(group: Planned, error: AuthError) -> None:
    group.error, group.step_plan, group.planned_calls = str(error), StepPlan(), []


def _plan(request: OperationRequest, planned: Planned, seen: Observation, kept: Kept, around: _Around) -> Setting:
    """Fill in the plan of one group, and return what its calls are about. Raises :class:`AuthError`."""
    group, ids, others = seen.group, around.ids, around.others
    answers = tuple(around.answers)
    probe = as_evidence(answers)
    answered = probe.tokens if probe else {}
    rbac_tokens = frozenset(name for name, answer in answered.items() if answer is Answer.ACCEPTED)
    seen, contradicted = by_assumption(request, seen, kept)
    planned.seen, belief = seen, seen.belief
    states = belief.states
    if request.operation is Operation.ENABLE_TLS:
        states = frozenset({min(states)})  # only the API's word on encryption counts
    planned.age = token_age_of(group)
    planned.engine = group.engine
    planned.heard = seen.heard or any(answer.reach is Reach.ANSWERED for answer in answers)
    planned.current_state = current_state_in_words(request, group, states)
    planned.evidence_summary = evidence_in_words(seen, answers)
    let_in = kept.store.current if kept.store.kept else kept.store.pending
    refused = frozenset(name for name, answer in answered.items() if answer is Answer.REFUSED)
    planned.bridging = bridging = bridging_of(request, group, ids, others)
    # Nodes may answer as before for a while after the bridge user has come; they are asked again before that counts.
    rbac_tokens |= (by_record := bridging.accepts(kept))
    refused = (refused if probe else bridging.refuses(kept)) - by_record
    users = users_of(group, others, rbac_tokens, let_in) if request.operation in LEAVING_RBAC else []
    planned.users = with_loss(users, request, bridging, kept, rbac_tokens)
    planned.open_since = open_since_of(seen, states)
    shared = shared_with_others(group.id, ids, others) if request.operation in WITH_USERS else {}
    made = _cutover(request.cutovers.get(planned.id), planned, kept)
    terms = Terms(
        phase=request.phase,
        cutover=made,
        soaking=bool(request.soak),
        monitor=request.monitor is not None,
        tls=group.tls,
        age=planned.age,
        max_token_age_days=request.max_token_age_days,
        force=request.force,
        enable_tls=request.enable_tls,
        accept_open_window=request.accept_open_window,
        accept_open_access=request.accept_open_access,
        user_group_id=ids.user_group,
        open_user_group_id=ids.open_user_group,
        rbac_tokens=rbac_tokens,
        refused=refused,
        losing=tuple(losing_words(user) for user in planned.users if not user["retains_access"]),
        # What serves others too was not made for the operation, or is not for it alone any more, and stays.
        leftovers=request.operation is not Operation.MIGRATE_AUTH_TO_RBAC
        and not shared
        and (
            is_left(bridging)
            if request.operation is Operation.MIGRATE_RBAC_TO_AUTH
            else bool({ids.user_group, ids.open_user_group} & set(others.user_groups)) or ids.user in others.users
        ),
        moved=_had_moved(seen),
        bridged=bridging.bridged,
        no_bridge=bridging.obstacle,
        ends_unauthenticated=bridging.ends_unauthenticated,
        allow_direct=request.allow_direct,
    )
    settle = what_would_settle(request, seen, kept.store, contradicted)
    try:
        planned.step_plan = plan_steps(request.operation, group.id, states, kept.store, terms, label, settle)
    except CannotProceed as error:
        if group.auth_token_enabled:
            check_compared(group.id, request.operation, kept.store, kept.tokens)
        told = [str(error)]
        if isinstance(error, Drift) or len(states) > 1:
            told.append(seen.told_by_nodes())
        if belief.drift and not isinstance(error, Drift):
            told.append(
                "Someone else has changed the token since this collection last did (drift): find out who, and which "
                "tokens are in force."
            )
        raise AuthError(" ".join(filter(None, told))) from None
    if any(kept.store.current in state.tokens for state in states):
        check_compared(group.id, request.operation, kept.store, kept.tokens)
    check_sent(group.id, request.operation, planned.step_plan.steps, kept.store, kept.tokens, states)
    check_explained(request, seen, planned.step_plan)
    if belief.drift:
        planned.warnings.append(
            f"{group.id}: its token was changed by someone else, at {group.token_date}, since this collection last did."
        )
    planned.step_plan = with_record(request.operation, planned.step_plan, seen)
    check_shared(request.operation, planned.step_plan, group.id, shared)
    check_bridge(group.id, planned.step_plan, bridging)
    planned.step_plan = with_spared(planned.step_plan, bridging)
    if bridging.spared and bridging.exists:
        planned.warnings.append(f"{planned.id}: not restored: {bridging.spared}.")
    planned.refused = refused
    if request.operation is not Operation.MIGRATE_AUTH_TO_RBAC:
        planned.step_plan = _staying(planned.step_plan, shared)
    if _waits_for_cutover(planned.step_plan) and seen.cutover_until > time.time():
        planned.cutover_until = seen.cutover_until
    if Step.USERS in planned.step_plan.steps:
        check_users(request.operation, group, around.ids, around.others)
    planned.staged = staged_in_words(kept, planned.step_plan, states)
    creation = Creation() if request.create_secret else None
    secret = kept.secret if kept.exists else None
    calls = secret_calls(
        request.operation,
        planned.step_plan.steps,
        group.id,
        kept.store.name,
        around.secret_key,
        secret,
        creation,
        around.region,
    )
    if Step.CLEAN_UP in planned.step_plan.steps:
        planned.spared = frozenset(shared)
        deletable = ids.without(planned.spared)
        planned.warnings += [f"{planned.id}: not deleted: {why}." for why in shared.values()]
        if deletable == Ids():
            planned.step_plan = replace(
                planned.step_plan, steps=tuple(step for step in planned.step_plan.steps if step is not Step.CLEAN_UP)
            )
        else:
            calls[Step.CLEAN_UP] = _deletions(planned.step_plan, deletable, others)
    return Setting(
        request.operation,
        group.id,
        bool(group.user_group_ids),
        group.user_group_ids,
        ids.user_group,
        ids.open_user_group,
        calls,
        # As carry_out does: what is not certain is not written down, but an older announcement is taken back.
        foretold=belief.certain is not None or bool(seen.entry and seen.entry.call),
        at_once=request.soaks(planned.id),
        made=made,
        cutover=bool(request.soak) and made in (None, Step.CLIENT_CUTOVER),
    )


def _had_moved(seen: Observation) -> bool:
    """Whether it is on record that the client cutover was over before the change that led to the group's state.

    SET is announced at the end of a client cutover; where clients have moved before ROTATE, no time is left from there.
    """
    entry = seen.entry
    if entry is None or seen.belief.drift or not seen.belief.recorded:
        return False
    if entry.call is not None and entry.call.kind is CallKind.SET:
        return True
    return entry.cutover_until is not None and entry.cutover_until <= entry.written_at


def _cutover(cutover: Cutover | None, group: Planned, kept: Kept) -> Step | None:
    """Return the client cutover that tasks have made. Raises :class:`AuthError` where it was to another token."""
    if cutover and cutover.version and kept.secret:
        check_current(group.id, kept.store.name, cutover.version, kept.current)
    return cutover.stage if cutover else None


def check_current(key: str, name: str, before: str, now: str) -> None:
    """Raise :class:`AuthError` where AWSCURRENT of the secret ``name`` is on another version now than ``before``, to
    which the clients of the group moved.
    """
    if now != before:
        raise AuthError(
            f"{key}: during the client cutover somebody else moved AWSCURRENT of the secret {name}, from the version "
            f"{one_line(before, _ID_SHOWN)} to {one_line(now, _ID_SHOWN) or 'none'}. No step is made now, and the "
            "tokens that the clients had are still accepted. Find out who did, then run this again: it plans anew, and "
            "gives the clients another cutover."
        )


def _deletions(step_plan: StepPlan, ids: Ids, others: Others) -> list[dict[str, Any]]:
    """Return the calls that delete what there is of the users and user groups that were made for the operation."""
    made = {ids.user_group, ids.user} if Step.USERS in step_plan.steps else set()
    made |= {ids.open_user_group} if Step.ATTACH_OPEN in step_plan.steps else set()
    user_groups = [key for key in (ids.open_user_group, ids.user_group) if key in made or key in others.user_groups]
    return deletions(filter(None, user_groups), [ids.user] if ids.user in made or ids.user in others.users else [])


def _plan_calls(
    clients: Clients,
    request: OperationRequest,
    planned: Mapping[str, Planned],
    settings: Mapping[str, Setting],
    ids: Mapping[str, Ids],
) -> None:
    """Fill in the calls. What the steps on users and user groups would be refused is the group's own error."""
    manner = Manner(
        probing=request.inquiry.probing, timeout=request.inquiry.timeout, delay=request.inquiry.delay, check_mode=True
    )

    def work(key: str) -> dict[Step, list[dict[str, Any]]]:
        plan_of_group, calls = planned[key], dict(settings[key].of_steps)
        if Step.USERS in plan_of_group.step_plan.steps:
            # By their values: staging labels move before the user is made.
            plan_of_group.accepted = tuple(
                plan_of_group.kept.tokens.values[name] for name in plan_of_group.step_plan.keep
            )
            calls[Step.USERS], warnings = users_calls(clients, manner, users_order(request, plan_of_group, ids[key]))
            plan_of_group.warnings += warnings if request.check_mode else []
        passwords = passwords_of(plan_of_group.kept, plan_of_group.refused)
        on_bridge, warnings = calls_of_bridge(
            clients, manner, plan_of_group.step_plan, plan_of_group.bridging, passwords
        )
        calls |= on_bridge
        plan_of_group.warnings += warnings if request.check_mode else []
        if Step.ATTACH_OPEN in plan_of_group.step_plan.steps:
            calls[Step.ATTACH_OPEN] = open_calls(clients, manner, key, ids[key].open_user_group)
        return calls

    under_way = [key for key in settings if not planned[key].error]
    for key, calls in fan_out(under_way, work).items():
        if isinstance(calls, Exception):
            _refuse(planned[key], AuthError(_refusal_of(key, request.operation, calls)))
        else:
            planned[key].planned_calls = calls_of(planned[key].step_plan, replace(settings[key], of_steps=calls))


def users_order(request: OperationRequest, planned: Planned, ids: Ids) -> UsersOrder:
    """Return what the user and the user group of a planned group are to be."""
    return UsersOrder(
        planned.id,
        planned.engine,
        ids.user,
        ids.user_group,
        request.access_string,
        tuple(name.replace("{replication_group_id}", planned.id) for name in request.user_ids),
        planned.accepted,
    )


def _refusal_of(group_id: str, operation: Operation, error: Exception) -> str:
    """Return the refusal of a step on users as the group's own, with the role's variable."""
    text = str(error) if isinstance(error, AuthError) else f"an error that is not known, {type(error).__name__}."
    return f"{group_id}: {operation.value} is refused: {text.replace(' user_ids: ', f' {operation.value}_user_ids: ')}"


def _staying(step_plan: StepPlan, shared: Mapping[str, str]) -> StepPlan:
    """Return ``step_plan`` with a note on what is not deleted, as it serves others too."""
    return replace(
        step_plan, note=" ".join(filter(None, (step_plan.note, *(f"Not deleted: {why}." for why in shared.values()))))
    )


def _check(step_plan: StepPlan, group: Group, versions: Mapping[str, tuple[int, ...]]) -> None:
    """Raise :class:`AuthError` where AWS would refuse one of the steps whatever the tokens are."""
    ready = (
        replace(group, tls=REQUIRED)
        if Step.REQUIRE_TLS in step_plan.steps or Step.CLIENT_CUTOVER_TLS in step_plan.steps
        else group
    )
    if {Step.ROTATE, Step.ROTATE_CURRENT, Step.SET} & set(step_plan.steps):
        check_preconditions(ready, (CallKind.ROTATE,), versions)
    if {Step.ATTACH, Step.ATTACH_OPEN} & set(step_plan.steps):
        check_preconditions(ready, (CallKind.DELETE,), versions)
    if {Step.PREFER_TLS, Step.REQUIRE_TLS} & set(step_plan.steps) and (
        group.auth_token_enabled or group.user_group_ids
    ):
        what = "an AUTH token" if group.auth_token_enabled else "user groups"
        raise AuthError(
            f"{group.id}: encryption in transit is {group.tls}, and AWS does not change it on a group with {what}: "
            "access control would have to be given up first, and everyone be served without credentials meanwhile. "
            "Make a new group with encryption in transit, and move the data and the clients there."
        )
    if Step.PREFER_TLS in step_plan.steps and group.tls == OFF:
        least = TLS_FROM.get(group.engine)
        version = versions.get(group.id)
        if least and version and version < least:
            raise AuthError(
                f"{group.id}: its engine is {group.engine} {'.'.join(map(str, version))}, and encryption in transit "
                f"can be turned on from {group.engine} {'.'.join(map(str, least))} on. Upgrade it first."
            )
