# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look at many groups, and plan for each what is left of an operation: nothing is changed in here."""

from __future__ import annotations

import datetime
import itertools
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .._auth.change_run import ChangeRun, Inquiry
from .._auth.failures_monitor import Monitoring
from .._auth.observe import Observation, SecondaryGroup, check_preconditions, engine_versions, probe_groups
from .._auth.observe_groups import BusyGroup, observe_groups
from .._auth.outcome import Outcome, Progress
from .._auth.token_rules import check_compared, check_sent
from .._auth.tokens import TokenSet, label
from .._aws.clients import Clients
from .._aws.errors import explain
from .._aws.groups import OFF, REQUIRED, Group, require_all
from .._aws.secrets import CURRENT, PENDING, PREVIOUS
from .._aws.user_groups import UserGroup, find_user_groups
from .._aws.users import AWS_USER, DEFAULT_NAME, User, describe_users
from .._core.errors import AuthError
from .._core.evidence import Answer, Word, take_word
from .._core.explain import clock, describe, describe_all
from .._core.one_line import one_line
from .._core.operations import (
    CUTOVERS,
    LEAVING_RBAC,
    CannotProceed,
    Drift,
    Operation,
    Phase,
    Step,
    StepPlan,
    Store,
    Terms,
    plan_steps,
)
from .._core.posture import TLS_FROM
from .._core.secret_text import OPTION_PREFIX
from .._core.states import CallKind, Mode, State, required
from .._data_plane.probe import NodeAnswer, Reach, Transport, as_evidence, check_transport
from .._fan_out import fan_out
from .._resource.exclusive import other_user_groups, shared_user, shared_user_group
from .._resource.rbac import checked_id
from .._resource.reconcile import Manner
from .._resource.users_ahead import UsersOrder, deletions, open_calls, users_calls
from .._secret.secret_ahead import secret_calls
from .._secret.secret_plan import Creation, names_of
from .planned_calls import Setting, calls_of, told
from .token_store import Kept, read_kept

#: The operations that pass through user groups of their own, or end in one.
WITH_USERS = (Operation.MIGRATE_AUTH_TO_RBAC, Operation.DISABLE_ACCESS_CONTROL, Operation.ROLLBACK_TOKEN)
#: The operations that may begin before there is a secret.
_FROM_NOTHING = (Operation.ENABLE_AUTH, Operation.MIGRATE_RBAC_TO_AUTH)

#: What O(assume_newest) takes, and the staging labels that it means.
NEWEST = {"current": CURRENT, "pending": PENDING, "previous": PREVIOUS}
#: The steps that change what a group accepts. Each is announced in its record.
_CHANGING = (Step.ROTATE, Step.ROTATE_CURRENT, Step.SET, Step.ATTACH, Step.ATTACH_OPEN, Step.REMOVE_USER_GROUPS)

_ID_LENGTH = 40
#: Ids of versions have at most so many characters.
_ID_SHOWN = 64
#: A list of secrets is five minutes behind at most; the rest of this hour is for clocks that differ, in days.
_LIST_BEHIND_DAYS = 1 / 24


@dataclass(frozen=True)
class Cutover:
    """A client cutover: the step, and the id of the secret's version in AWSCURRENT, to which clients moved; or none."""

    stage: Step
    version: str = ""


@dataclass(frozen=True)
class OperationRequest:
    """What is wanted of every group. The ids of users and user groups may hold ``{replication_group_id}``.

    ``soak``: the client cutover is a time, in seconds, and what follows it is made in the same run; ``None``: it isn't.
    ``client_tasks``: it is one by tasks, at which a group stops, and ``soak`` is waited for after these. ``cutovers``:
    by group, the client cutover that tasks have made since an earlier run stopped there. ``monitor``: how clients that
    are refused after SET are looked for; ``None``: they are not. ``busy_last``: groups on which something is under way
    go after the others. ``skip_secondaries``: those of global datastores are left alone; otherwise they fail.
    ``take_over``: a client cutover that another run has put on record is ended early. ``max_changes_per_second``: calls
    a second, by action, that change groups or their tags.
    """

    operation: Operation
    phase: Phase = Phase.ALL
    max_token_age_days: float = 90.0
    force: bool = False
    enable_tls: bool = False
    create_secret: bool = False
    accept_open_window: bool = False
    accept_open_access: bool = False
    assume_state: Mode | None = None
    assume_newest: str = ""
    user_group_id: str = ""
    user_id: str = ""
    open_user_group_id: str = ""
    user_ids: tuple[str, ...] = ()
    access_string: str = ""
    soak: float | None = None
    client_tasks: bool = False
    cutovers: Mapping[str, Cutover] = field(default_factory=dict)
    monitor: Monitoring | None = None
    plan_only: bool = False
    busy_last: bool = False
    skip_secondaries: bool = False
    max_changes_per_second: float = 10.0
    take_over: bool = False
    inquiry: Inquiry = field(default_factory=Inquiry)
    check_mode: bool = False

    @property
    def plans_only(self) -> bool:
        """Whether nothing is changed."""
        return self.check_mode or self.plan_only

    def soaks(self, key: str) -> bool:
        """Whether the next client cutover of a group is a time."""
        return self.soak is not None and (not self.client_tasks or key in self.cutovers)

    def made_cutover(self, key: str) -> Step | None:
        """Return the client cutover of a group that tasks have made, if any."""
        return self.cutovers[key].stage if key in self.cutovers else None


@dataclass
class Planned(Progress):
    """One group and what is left of its operation. ``kept``, ``seen``: what that was planned from. ``busy``: nothing
    was planned, as something is under way on the group, which is ``under_way``. ``accepted``: the tokens that user
    groups have to accept. ``spared``: the options of users and user groups that are not deleted, as they serve
    others.
    """

    step_plan: StepPlan = field(default_factory=StepPlan)
    planned_calls: list[dict[str, Any]] = field(default_factory=list)
    current_state: str = ""
    evidence_summary: str = ""
    heard: bool = False
    age: float | None = None
    secret: str = ""
    engine: str = ""
    open_since: float | None = None
    cutover_until: int | None = None
    staged: str = ""
    users: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    kept: Kept = field(default_factory=Kept)
    seen: Observation | None = None
    secondary: SecondaryGroup | None = None
    busy: bool = False
    under_way: Group | None = None
    accepted: tuple[str, ...] = field(default=(), repr=False)
    spared: frozenset[str] = frozenset()

    def outcome(self) -> Outcome:
        """Return the entry of RV(outcomes) for this group."""
        common = super().outcome()
        del common["api_calls"], common["after"]
        return {
            **common,
            "planned_steps": [step.value for step in self.step_plan.steps],
            "planned_calls": self.planned_calls,
            "current_state": self.current_state,
            "evidence_summary": self.evidence_summary,
            "nodes_reachable": self.heard,
            "auth_token_age_days": None if self.age is None else round(self.age, 4),
            "secret_name": self.secret or None,
            "engine": self.engine or None,
            "open_since": self.open_since,
            "cutover_until": self.cutover_until,
            "tokens_to_keep": list(self.step_plan.keep),
            "users": self.users,
        }


def check_request(request: OperationRequest, params: Mapping[str, Any], ids: Sequence[str]) -> None:
    """Raise :class:`AuthError` for options that can't be meant so, wherever the groups are. It makes no call."""
    _resolved(request, ids)
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
    resolved = _resolved(request, ids)
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
    others = _others(clients, request, seen, user_ids)
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
        except AuthError as error:
            _refuse(planned[key], error)
    _plan_calls(clients, request, planned, settings, user_ids)
    for one_planned in planned.values():
        _tell(request, one_planned)
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

    Whoever let in another token has staged it before, so that it would be in the list. A token that is staged and not
    let in yet may be missing there: where it is one of ours, storing another beside it is refused, and it is found; of
    another tool's, which no group accepts, the label is taken off.
    """
    if seen is None or seen.belief.drift or (seen.entry is not None and seen.entry.call is not None):
        return False
    age = _age(seen.group)
    return age is not None and age > _LIST_BEHIND_DAYS and seen.belief.certain == required(kept.store.current)


# --- What is around the groups --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ids:
    """The users and user groups of one group's operation."""

    user_group: str = ""
    user: str = ""
    open_user_group: str = ""

    def without(self, options: Container[str]) -> Ids:
        """Return those that are deleted where what these options name is not: a member of a user group stays in it."""
        stays = "user_group_id" in options
        return Ids(
            "" if stays else self.user_group,
            "" if stays or "user_id" in options else self.user,
            "" if "open_user_group_id" in options else self.open_user_group,
        )


@dataclass(frozen=True)
class _Others:
    """The user groups and users that were looked up."""

    user_groups: Mapping[str, UserGroup] = field(default_factory=dict)
    users: Mapping[str, User] = field(default_factory=dict)


@dataclass(frozen=True)
class _Around:
    others: _Others
    answers: Iterable[NodeAnswer]
    ids: Ids
    secret_key: str | None = None
    region: str = ""


def _resolved(request: OperationRequest, ids: Iterable[str]) -> dict[str, Ids | AuthError]:
    """Return the users and user groups for each group; each error is the group's own.

    Raises :class:`AuthError` where two groups would share one.
    """
    resolved: dict[str, Ids | AuthError] = {}
    owners: dict[str, str] = {}
    for key in ids:
        try:
            resolved[key] = found = ids_of(request, key)
        except AuthError as error:
            resolved[key] = error
            continue
        for option, what, name in (
            ("user_group_id", "user group", found.user_group),
            ("user_id", "user", found.user),
            ("open_user_group_id", "user group", found.open_user_group),
        ):
            owner = owners.setdefault(f"{what} {name}", key)
            if name and owner != key and request.operation in WITH_USERS:
                raise AuthError(
                    f"{owner}, {key}: they would share {option}: {name}, and with it clients of the one would be "
                    "accepted by the other. Put {replication_group_id} into it, so that each has its own."
                )
    return resolved


def ids_of(request: OperationRequest, key: str) -> Ids:
    """Return the users and user groups for one group. Raises :class:`AuthError` for those that can't be."""
    found = []
    for option in ("user_group_id", "user_id", "open_user_group_id"):
        name = str(getattr(request, option)).replace("{replication_group_id}", key).lower()
        if len(name) > _ID_LENGTH:
            raise AuthError(f"{key}: {option}: {name} has {len(name)} characters, AWS takes {_ID_LENGTH}. Shorten it.")
        if name:
            name = checked_id(name, f"{key}: {option}", "user" if option == "user_id" else "user group")
        if option == "user_id" and name == AWS_USER:
            raise AuthError(
                f"{key}: user_id: the user with the id {AWS_USER} is AWS's own, and its password can't be set. "
                f"Name another id; a user of another id can have the name {DEFAULT_NAME}."
            )
        found.append(name)
    ids = Ids(*found)
    if ids.user_group and ids.user_group == ids.open_user_group:
        raise AuthError(
            f"{key}: user_group_id and open_user_group_id are both {ids.user_group}, but the one accepts the token and "
            "the other everyone. Give them different ids."
        )
    return ids


def _others(
    clients: Clients, request: OperationRequest, seen: Mapping[str, Observation], ids: Mapping[str, Ids]
) -> _Others:
    wanted_groups: list[str] = []
    wanted_users: list[str] = []
    for key, observation in seen.items():
        if request.operation in LEAVING_RBAC:
            wanted_groups += observation.group.user_group_ids
        if request.operation in WITH_USERS:
            wanted_groups += filter(None, (ids[key].user_group, ids[key].open_user_group))
            wanted_users += filter(None, (ids[key].user,))
    if not wanted_groups and not wanted_users:
        return _Others()
    try:
        user_groups = find_user_groups(clients, wanted_groups)
        for user_group in user_groups.values():
            wanted_users += user_group.user_ids
        users = describe_users(clients, wanted_users)
        own = {own_ids.user for own_ids in ids.values()} if request.operation in WITH_USERS else set()
        beside = {key for user in users.values() if user.id in own for key in user.user_group_ids} - set(user_groups)
        return _Others({**user_groups, **find_user_groups(clients, beside)}, users)
    except Exception as error:
        text = explain(error, "elasticache:DescribeUserGroups and elasticache:DescribeUsers", clients.region)
        raise AuthError(text) from error


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


def _refuse(group: Planned, error: AuthError) -> None:
    group.error, group.step_plan, group.planned_calls = str(error), StepPlan(), []


def _plan(request: OperationRequest, planned: Planned, seen: Observation, kept: Kept, around: _Around) -> Setting:
    """Fill in the plan of one group, and return what its calls are about. Raises :class:`AuthError`."""
    group, ids, others = seen.group, around.ids, around.others
    answers = tuple(around.answers)
    probe = as_evidence(answers)
    answered = probe.tokens if probe else {}
    rbac_tokens = frozenset(name for name, answer in answered.items() if answer is Answer.ACCEPTED)
    seen, contradicted = _by_word(request, seen, kept)
    planned.seen, belief = seen, seen.belief
    states = belief.states
    if request.operation is Operation.ENABLE_TLS:
        states = frozenset({min(states)})  # only the API's word on encryption counts
    planned.age = _age(group)
    planned.engine = group.engine
    planned.heard = seen.heard or any(answer.reach is Reach.ANSWERED for answer in answers)
    planned.current_state = _current_state(request, group, states)
    planned.evidence_summary = _evidence(seen, answers)
    let_in = kept.store.current if kept.store.kept else kept.store.pending
    planned.users = _users(group, others, rbac_tokens, let_in) if request.operation in LEAVING_RBAC else []
    planned.open_since = _open_since(seen, states)
    shared = _shared(group.id, ids, others) if request.operation in WITH_USERS else {}
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
        refused=frozenset(name for name, answer in answered.items() if answer is Answer.REFUSED),
        losing=tuple(
            f"{user['user_name']} ({user['access_string']})" for user in planned.users if not user["retains_access"]
        ),
        # What serves others too was not made for the way, or is not for it alone any more, and stays.
        leftovers=request.operation is not Operation.MIGRATE_AUTH_TO_RBAC
        and not shared
        and (bool({ids.user_group, ids.open_user_group} & set(others.user_groups)) or ids.user in others.users),
    )
    settle = _settling(request, seen, kept.store, contradicted)
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
    _check_explained(request, seen, planned.step_plan)
    if belief.drift:
        planned.warnings.append(
            f"{group.id}: its token was changed by someone else, at {group.token_date}, since this collection last did."
        )
    planned.step_plan = _with_record(request.operation, planned.step_plan, seen)
    _check_shared(request.operation, planned.step_plan, group.id, shared)
    if request.operation is not Operation.MIGRATE_AUTH_TO_RBAC:
        planned.step_plan = _staying(planned.step_plan, shared)
    if Step.SET in planned.step_plan.steps and seen.cutover_until > time.time():
        planned.cutover_until = seen.cutover_until
    if Step.USERS in planned.step_plan.steps:
        _check_users(request.operation, group, around)
    planned.staged = _staged(kept, planned.step_plan, states)
    if kept.holds_none:
        version = one_line(kept.staged, _ID_SHOWN)
        planned.warnings.append(
            f"{group.id}: AWSPENDING of the secret {kept.store.name} is on the version {version}, which holds no "
            "token. Another tool may have begun to rotate it: find out which, and have one of them do it."
        )
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


def _deletions(step_plan: StepPlan, ids: Ids, others: _Others) -> list[dict[str, Any]]:
    """Return the calls that delete what there is of the users and user groups that were made for the way."""
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
        if Step.ATTACH_OPEN in plan_of_group.step_plan.steps:
            calls[Step.ATTACH_OPEN] = open_calls(clients, manner, key, ids[key].open_user_group)
        return calls

    under_way = [key for key in settings if not planned[key].error]
    for key, calls in fan_out(under_way, work).items():
        if isinstance(calls, Exception):
            _refuse(planned[key], AuthError(_told_of(key, request.operation, calls)))
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


def _told_of(group_id: str, operation: Operation, error: Exception) -> str:
    """Return the refusal of a step on users as the group's own, with the role's variable."""
    text = str(error) if isinstance(error, AuthError) else f"an error that is not known, {type(error).__name__}."
    return f"{group_id}: {operation.value} is refused: {text.replace(' user_ids: ', f' {operation.value}_user_ids: ')}"


def _staged(kept: Kept, step_plan: StepPlan, states: Iterable[State]) -> str:
    """Say what is done about a token that is staged already and that the group does not accept yet; empty: no such."""
    if not kept.staged or not kept.store.pending or any(kept.store.pending in state.tokens for state in states):
        return ""
    version = f"The token that is staged in AWSPENDING (version {one_line(kept.staged, _ID_SHOWN)})"
    if Step.ROTATE in step_plan.steps and Step.STAGE not in step_plan.steps:
        return f"{version} is taken, and none is made."
    return (
        ""
        if {Step.PROMOTE_PENDING, Step.STAGE, Step.PROMOTE_OLDER, Step.PROMOTE} & set(step_plan.steps)
        else f"{version} is left there."
    )


def _age(group: Group) -> float | None:
    """Return how long ago the token was last changed, in days."""
    if not group.token_date:
        return None
    return (time.time() - datetime.datetime.fromisoformat(group.token_date).timestamp()) / 86400


def _open_since(seen: Observation, states: Iterable[State]) -> float | None:
    """Return since when the door has stood open beside a token, in seconds since 1970: at the earliest."""
    if not all(state.mode is Mode.OPTIONAL for state in states) or not seen.group.token_date:
        return None
    moved = datetime.datetime.fromisoformat(seen.group.token_date).timestamp()
    return min(moved, seen.entry.written_at) if seen.entry else moved


def _current_state(request: OperationRequest, group: Group, states: Iterable[State]) -> str:
    tls = "" if group.tls == REQUIRED else f", encryption in transit {group.tls}"
    if request.operation is Operation.ENABLE_TLS:
        return f"encryption in transit {group.tls}"
    return f"{describe_all(states, label)}{tls}"


def _evidence(seen: Observation, answers: Sequence[NodeAnswer]) -> str:
    nodes = (*seen.answers, *answers)
    heard = sum(answer.reach is Reach.ANSWERED for answer in nodes)
    said = ["the API"]
    if nodes:
        said.append(f"the answers of {heard} of {len(nodes)} nodes")
    if seen.belief.recorded:
        said.append("the record in its tags")
    if seen.belief.drift:
        said.append("the record contradicts (drift)")
    if seen.belief.foreign:
        said.append("the nodes accept a token that is not at hand")
    if seen.unassumed is not None:
        said.append("your assumption")
    elif seen.belief.assumed:
        said.append("an assumption" if seen.belief.recorded else "the assumption that no other token is in force")
    return ", ".join(said)


def _by_word(request: OperationRequest, seen: Observation, kept: Kept) -> tuple[Observation, bool]:
    """Return what was seen, narrowed by the user's word where it leaves anything open, and whether it contradicts that.

    Raises :class:`AuthError` for a word about a token that there is none of.
    """
    given = request.assume_state is not None or request.assume_newest
    if not given or seen.belief.certain is not None or request.operation is Operation.ENABLE_TLS:
        return seen, False
    newest = ""
    if request.assume_newest:
        newest = _nameable(kept.store).get(request.assume_newest, "")
        if not newest:
            where = f" in {NEWEST[request.assume_newest]} of the secret {kept.store.name}" if kept.store.kept else ""
            raise AuthError(
                f"{seen.group.id}: assume_newest: {request.assume_newest} names no token "
                f"of its own: there is none{where}, or the same one as in AWSCURRENT."
            )
    taken = take_word(seen.belief, Word(request.assume_state, newest, kept.store.current))
    if taken is None:
        return seen, True
    # Who knows the state from elsewhere speaks of tokens that are at hand.
    at_hand = frozenset(state for state in taken.states if set(state.tokens) <= set(seen.tokens.names))
    if at_hand:
        taken = replace(taken, states=at_hand)
    return replace(seen, belief=taken, unassumed=seen.belief), False


def _nameable(store: Store) -> dict[str, str]:
    """Return the tokens that O(assume_newest) can name, by what it names them."""
    named = {"current": store.current, "pending": store.pending, "previous": store.previous}
    return {word: name for word, name in named.items() if name}


def _with_record(operation: Operation, step_plan: StepPlan, seen: Observation) -> StepPlan:
    """Put a step in front of ``step_plan`` that brings the record up to date, where nothing else would before labels move.

    What the user said, or a change by someone else that was found out, is asked for once: the next run has the record.
    """
    belief, state = seen.belief, seen.belief.certain
    known_already = belief.recorded and seen.unassumed is None
    if state is None or not state.tokens or known_already or not (belief.assumed or belief.drift):
        return step_plan
    before = tuple(itertools.takewhile(lambda step: step not in _CHANGING, step_plan.steps))
    quick = {Step.USERS} if operation is Operation.ROLLBACK_TOKEN else {Step.USERS, Step.STAGE}
    if len(before) < len(step_plan.steps) and set(before) <= quick:
        return step_plan  # the call is announced in the record
    return replace(step_plan, steps=(Step.UPDATE_RECORD, *step_plan.steps))


def _check_explained(request: OperationRequest, seen: Observation, step_plan: StepPlan) -> None:
    """Raise :class:`AuthError` where a change by somebody else is explained by a SET, and ``step_plan`` would refuse a token
    if it was a ROTATE of one that is not at hand: the nodes answer alike.

    An earlier run may have put that explanation on record, as an assumption: that makes it no better.
    """
    group, belief, state, entry = seen.group, seen.belief, seen.belief.certain, seen.entry
    on_record = belief.recorded and entry is not None and entry.assumed and entry.call is None
    if not (on_record or (belief.drift and belief.assumed)) or state is None or state.mode is not Mode.REQUIRED:
        return
    step = next((step for step in step_plan.steps if step in (Step.ROTATE, Step.ROTATE_CURRENT, Step.ATTACH)), None)
    if step is None or request.assume_state is Mode.REQUIRED:
        return
    what = f"somebody else has changed its AUTH token, at {group.token_date}, since this collection last did (drift)"
    if on_record:
        what = f"what it accepts since its AUTH token was changed, at {group.token_date}, is on record as an assumption"
    raise AuthError(
        f"{group.id}: {request.operation.value} is refused: {what}. If that change was SET, it is "
        f"{describe(state, label)}; if it was ROTATE of a token that is not at hand, clients would be refused after "
        f"the step {step.value}: the nodes answer alike. {seen.told_by_nodes()} Way out: find out what was called. "
        "After SET, say assume_state: required; after ROTATE, put the token that was rotated in into AWSPENDING (or "
        "pass it)."
    )


def _settling(request: OperationRequest, seen: Observation, store: Store, contradicted: bool) -> str:
    belief = seen.unassumed or seen.belief
    step_plans = []
    if request.inquiry.probing.mode == "never":
        step_plans.append("use probe: auto, so that the nodes are asked")
    elif not seen.heard:
        step_plans.append("run where the nodes can be reached, so that they are asked")
    if not seen.tokens.complete:
        step_plans.append("supply the token that was in force before, too")
    if contradicted:
        step_plans.append("correct assume_state and assume_newest, which the evidence contradicts")
    elif request.assume_state is None and len({state.mode for state in belief.states}) > 1:
        step_plans.append("name the state in assume_state, if you know it")
    # The state alone does not say which of two tokens is the newer one.
    newest = {state.tokens[-1] for state in belief.states if state.mode is Mode.ROTATING}
    words = [word for word, name in _nameable(store).items() if name in newest]
    if len(newest) > 1 and words and not request.assume_newest and request.assume_state in (None, Mode.ROTATING):
        step_plans.append(
            "in a rotation, name the token that was rotated in last, if you know it, in assume_newest "
            f"({' or '.join(words)})"
        )
    return "; or ".join(step_plans) or "make the change step by step, with elasticache.auth.replication_group_auth"


def _users(group: Group, others: _Others, rbac_tokens: Iterable[str], current: str) -> list[dict[str, Any]]:
    """Return the users of the group's user groups; ``retains_access``: clients that authenticate so are accepted
    afterwards too.
    """
    found = []
    for user_group_id in group.user_group_ids:
        user_group = others.user_groups.get(user_group_id)
        for user_id in user_group.user_ids if user_group else ():
            user = others.users.get(user_id)
            if user:
                found.append(
                    {
                        "user_id": user.id,
                        "user_name": user.name,
                        "access_string": user.access_string,
                        "user_group_id": user_group_id,
                        "retains_access": user.name == DEFAULT_NAME and bool(current) and current in set(rbac_tokens),
                    }
                )
    return found


def _check_users(operation: Operation, group: Group, around: _Around) -> None:
    """Raise :class:`AuthError` where the users or the user group can't be made."""
    ids, others = around.ids, around.others
    user_group = others.user_groups.get(ids.user_group)
    user = others.users.get(ids.user)
    if user and user.name != DEFAULT_NAME:
        raise AuthError(
            f"{group.id}: user_id: there is a user {user.id} already, with the name {user.name}, and clients that send "
            f"only a token are the user named {DEFAULT_NAME}. Name another id."
        )
    for user_id in user_group.user_ids if user_group else ():
        member = others.users.get(user_id)
        if user_group and member and member.name == DEFAULT_NAME and member.id != ids.user:
            alone = member.id != AWS_USER and not other_user_groups(member, [user_group.id])
            way_out = (
                f"Name that in {operation.value}_user_id if its password may become the token: it serves no other user "
                "group. Or name another user group."
                if alone
                else f"Name another user group in {operation.value}_user_group_id."
            )
            raise AuthError(
                f"{group.id}: user_group_id: the user group {user_group.id} has a user named {DEFAULT_NAME} already, "
                f"{member.id}, and takes no second one. {way_out}"
            )


def _shared(group_id: str, ids: Ids, others: _Others) -> dict[str, str]:
    """Return, by option, why a user or user group of the operation is not its own to change: whom else it serves."""
    shared = {}
    user = others.users.get(ids.user)
    words = shared_user(user, [ids.user_group], others.user_groups) if user else ""
    if user and words:
        shared["user_id"] = f"the user {user.id} is also in {words}"
    for option, key in (("user_group_id", ids.user_group), ("open_user_group_id", ids.open_user_group)):
        user_group = others.user_groups.get(key)
        words = shared_user_group(user_group, [group_id]) if user_group else ""
        if words:
            shared[option] = f"the user group {key} also serves {words}"
    return shared


def _check_shared(operation: Operation, step_plan: StepPlan, group_id: str, shared: Mapping[str, str]) -> None:
    """Raise :class:`AuthError` where a step makes or changes what serves others too."""
    touched = {"user_id": Step.USERS, "user_group_id": Step.USERS, "open_user_group_id": Step.ATTACH_OPEN}
    for option, why in shared.items():
        if touched[option] in step_plan.steps:
            raise AuthError(
                f"{group_id}: {option}: {why}, and what serves others is never changed or deleted: with it, clients "
                f"of {group_id} would be accepted there, or clients there lose access. Name another one in "
                f"{operation.value}_{option}, best one that does not exist yet."
            )


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


def _tell(request: OperationRequest, group: Planned) -> None:
    """Put the plan into words."""
    if group.secondary and request.skip_secondaries:
        group.error, group.msg = "", f"{group.id}: skipped: {group.secondary.why}"
        return
    if group.error:
        return
    group.lines = told(group.step_plan, group.planned_calls)
    note = "".join(f" {words}" for words in (group.step_plan.note, group.staged) if words)
    if group.cutover_until:
        ends = "is ended early, as take_over says" if request.take_over else "is waited for; take_over: true ends it"
        note += f" The client cutover of another run lasts until {clock(group.cutover_until)}, which {ends}."
    cutover = any(step in CUTOVERS for step in group.step_plan.steps)
    if not group.step_plan.steps or not (group.planned_calls or cutover):
        group.msg = f"{group.id}: nothing to do. Current state: {group.current_state}.{note}"
    else:
        some = f"{len(group.planned_calls)} calls to make{', with a client cutover' if cutover else ''}"
        group.msg = f"{group.id}: {some}. Current state: {group.current_state}.{note}"
    group.changed = request.check_mode and bool(group.planned_calls)


def diff_of_plans(planned: Iterable[Planned], place: str = "") -> list[dict[str, Any]]:
    """Return Ansible's diff: of each group where it stands, on what evidence, and what is to be called, in order.

    ``place``: where they are, in words, if there are groups elsewhere.
    """
    return [
        {
            "prepared": "\n".join(
                (
                    group.id + (f" ({place})" if place else ""),
                    f"  current state: {group.current_state or '?'}"
                    + (f", token {group.age:.1f} days old" if group.age else ""),
                    f"  evidence:      {group.evidence_summary or '-'}",
                    *((f"  refused:       {group.error}",) if group.error else ()),
                    *(f"  {line}" for line in group.lines),
                    *(("  nothing to do",) if not group.lines and not group.error else ()),
                    "",
                )
            )
        }
        for group in planned
    ]
