# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make the steps of journeys that change tokens, for many groups in one process.

All groups of a batch that are due to a step make it together; one that fails takes no part in the next. What a step
has shown serves the next one too: a secret is read once, and a group is looked at anew only where AWS shows it changed.
Each step looks for itself otherwise, so that a run may be cut off anywhere, and the next one plans from what it finds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .._auth.carry_out import put_on_record, write_cutovers
from .._auth.case import Case, Order
from .._auth.change import bring_about
from .._auth.observe import Observation, probe_groups
from .._auth.outcome import Outcome, shown_states, standing
from .._auth.place import told_by, with_role
from .._auth.probing import ACCEPTED, NOT_REFUSED, REFUSED, UNAUTHENTICATED, summarize, unmet
from .._auth.strategies import ROTATE, SET, order_for
from .._auth.tokens import GIVEN, PREVIOUS_TOKEN, TokenSet
from .._aws import modify, records, secrets
from .._aws.clients import Clients
from .._aws.errors import explain
from .._aws.groups import Group, require_all
from .._aws.secrets import CURRENT, PENDING, PREVIOUS
from .._core import record
from .._core.errors import AuthError
from .._core.evidence import Belief
from .._core.journeys import TURNS, Journey, Step, in_one_go, sets_at_once
from .._core.states import State
from .._data_plane.probe import NodeAnswer, unreachable, untrusted
from .._fan_out import fan_out
from .._secret.secret import bring_secrets_about
from .._secret.secret_ahead import GOALS, goal_of
from .._secret.secret_plan import Creation, SecretOrder
from .batches import LEAST, Turn, batches_of, in_line
from .journal import Teller
from .journey import Planned, Request, plan_journeys
from .journey_store import Kept, kept_after, read_kept

#: The journeys that begin with a token in force, which is let in until SET.
_HAD_TOKEN = (Journey.ROTATE_TOKEN, Journey.ROLLBACK_TOKEN)
#: A record is written more often than a group is changed, and is a lighter call.
_TAGS_A_MODIFY = 2.0
#: Secrets Manager takes 50 calls a second of all actions together that change a secret ("AWS Secrets Manager quotas").
_SECRET_RATE = 40.0
#: How often a group is planned for where somebody else changes it between the plan and a call.
_MAX_PLANS = 3
#: For so long nodes may answer otherwise than they have to, seconds.
_NODES_GRACE = 30.0

#: The steps that change a group.
_CHANGES = (Step.ROTATE, Step.ROTATE_CURRENT, Step.SET)


@dataclass
class Journeyed(Planned):
    """One group on its journey. ``made``: the steps of this run; ``left``: those after them; ``changes``: what each
    step came to, as the module of its own would tell it. ``stood``: where it stood when it was planned for; where it
    stands is what was seen after the last call. ``overtaken``: somebody else has changed it since, and what is left is
    to be planned anew; ``earlier``: the steps that were made before that.
    """

    made: list[Step] = field(default_factory=list)
    changes: list[Outcome] = field(default_factory=list)
    stood: str = ""
    overtaken: bool = False
    earlier: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        self.stood, self.after = self.stood or self.stands, None

    @property
    def left(self) -> tuple[Step, ...]:
        """The steps that this run has not made."""
        return self.way.steps[len(self.made) :]

    def outcome(self) -> Outcome:
        """Return the entry of RV(outcomes) for this group."""
        return {
            **super().outcome(),
            "steps": [step.value for step in (*self.earlier, *self.way.steps)],
            "stood": self.stood,
            "after": self.after,
            "actions": self.actions,
            "made": [step.value for step in (*self.earlier, *self.made)],
            "left": [step.value for step in self.left],
            "changes": self.changes,
        }

    def through(self, step: Step, told: Outcome | None = None) -> None:
        """Take note that ``step`` has been made, and of what the module of its own would tell."""
        self.made.append(step)
        if told is not None:
            self._add(step, told)

    def fail_at(self, step: Step, message: str, told: Outcome | None = None) -> None:
        """Take note that ``step`` failed."""
        self.error = message
        if told is not None:
            self._add(step, told)

    def _add(self, step: Step, told: Outcome) -> None:
        # Each thing is told once, the evidence that of the last step: a thousand groups make a large result.
        kept = {name: value for name, value in told.items() if name not in ("evidence", "before", "actions")}
        self.changes.append({"step": step.value, **kept})
        self.changed = self.changed or bool(told["changed"])
        self.actions += [{"step": step.value, **action} for action in told["actions"]]
        self.msg = told["msg"]
        self.drift = self.drift or bool(told.get("drift"))
        if (told.get("after") or {}).get("possible_states"):
            self._now(told["after"])
        self.evidence = told.get("evidence") or self.evidence

    def planned_anew(self, plan: Planned) -> Journeyed:
        """Return it with a new plan, and with what was done before that."""
        new = Journeyed(**vars(plan))
        new.changed, new.drift = self.changed or plan.changed, self.drift or plan.drift
        new.actions, new.changes = self.actions, self.changes
        new.warnings = self.warnings + [warning for warning in plan.warnings if warning not in self.warnings]
        new.before, new.stood, new.after = self.before, self.stood, plan.after if self.changed else None
        new.stands = plan.stands or "unknown"
        new.earlier = (*self.earlier, *self.made)
        return new

    def renamed(self, kept: Kept) -> None:
        """Take over what is in the secret now: tokens are called by the staging labels that they have by then."""
        seen = self.seen and _renamed(self.seen, self.kept.tokens, kept.tokens)
        if seen and self.after and self.seen and self.after == shown_states(self.seen.belief.states, self.seen.group):
            self._now(shown_states(seen.belief.states, seen.group))
        self.seen, self.kept = seen, kept

    def _now(self, after: dict[str, Any]) -> None:
        self.after, self.stands = after, standing(after)


def travel(
    clients: Clients,
    request: Request,
    params: Mapping[str, Any],
    ids: Sequence[str],
    *,
    hide: Callable[[str], None],
    told: Teller,
) -> list[Journeyed]:
    """Plan the journey of each group and make the first steps of it, as far as they go in one go.

    Raises :class:`AuthError` for what concerns no single group.
    """
    _prepare(clients, request, told)
    busy = _busy(clients, ids) if request.busy_last and not request.check_mode else []
    at_once = [key for key in ids if key not in busy]
    journeyed: list[Journeyed] = []
    for some in filter(None, (at_once, busy)):
        try:
            journeyed += _travel(clients, request, params, some, hide, told)
        except AuthError as error:
            if not journeyed:
                raise
            # The others have been changed: whatever stops us now, the caller must hear of that.
            role = params.get("assume_role_arn")
            journeyed += [Journeyed(key, error=told_by(key, error, some, role)) for key in some]
    by_id = {one.id: one for one in journeyed}
    return [by_id[key] for key in ids]


def _travel(
    clients: Clients,
    request: Request,
    params: Mapping[str, Any],
    ids: Sequence[str],
    hide: Callable[[str], None],
    told: Teller,
) -> list[Journeyed]:
    begun = time.monotonic()
    told.begins("plan", len(ids))
    planned = plan_journeys(clients, request, params, ids, hide=hide)
    journeyed = [Journeyed(**vars(one)) for one in planned]
    for here in journeyed:
        here.error = _whose(here.error, params)
    if request.check_mode or request.plan_only:
        return journeyed
    _go(clients, request, params, hide, told, begun, journeyed, may_plan=True)
    for left in reversed(range(_MAX_PLANS)):
        anew = {one.id: one for one in journeyed if one.overtaken}
        if not anew:
            break
        if not left:
            for one in anew.values():
                one.error = (
                    f"{one.id}: somebody else changed it at each of {_MAX_PLANS} tries, between the look at it and the "
                    "call. Run this again when nobody else is at work on it."
                )
            break
        again = [
            anew[plan.id].planned_anew(plan) for plan in plan_journeys(clients, request, params, list(anew), hide=hide)
        ]
        for here in again:
            here.error = _whose(here.error, params)
        _go(clients, request, params, hide, told, begun, again, may_plan=True)
        by_id = {one.id: one for one in again}
        journeyed = [by_id.get(one.id, one) for one in journeyed]
    return journeyed


def _whose(error: str, params: Mapping[str, Any]) -> str:
    """Return a group's error, with the role where it is about credentials."""
    return with_role(error, params.get("assume_role_arn")) if "credentials" in error else error


def _busy(clients: Clients, ids: Sequence[str]) -> list[str]:
    """Return the ids of those groups on which something is under way. Raises :class:`AuthError`."""
    found = require_all(clients, ids)
    return [key for key, group in found.items() if isinstance(group, Group) and not group.settled]


def _prepare(clients: Clients, request: Request, told: Teller) -> None:
    """Hold back the calls that change something; of groups no more is kept than their journeys need."""
    clients.prepare()
    clients.known.detailed = False
    clients.watch, clients.tally = told.waiting, told.counted
    clients.pace(modify.ACTION, limit=request.max_rate)
    clients.pace(records.WRITE, limit=_TAGS_A_MODIFY * request.max_rate)
    clients.pace(secrets.PUT, secrets.LABEL, limit=_SECRET_RATE)


def travel_on(
    clients: Clients,
    request: Request,
    params: Mapping[str, Any],
    steps: Mapping[str, Sequence[Step]],
    *,
    hide: Callable[[str], None],
    told: Teller,
) -> list[Journeyed]:
    """Make those ``steps`` of each group, by its id, that an earlier run planned. Raises as :func:`travel` does."""
    begun = time.monotonic()
    _prepare(clients, request, told)
    journeyed = {}
    kept = read_kept(clients, params, steps, may_be_made=request.create_secret, hide=hide)
    for key, one in kept.items():
        journeyed[key] = here = Journeyed(key, heard=True)
        here.way = replace(here.way, steps=tuple(steps[key]))
        if isinstance(one, AuthError):
            here.error = _whose(str(one), params)
        else:
            here.kept, here.secret = one, one.store.name
    if not request.check_mode:
        _go(clients, request, params, hide, told, begun, list(journeyed.values()))
    return list(journeyed.values())


def _go(
    clients: Clients,
    request: Request,
    params: Mapping[str, Any],
    hide: Callable[[str], None],
    told: Teller,
    begun: float,
    groups: Sequence[Journeyed],
    *,
    may_plan: bool = False,
) -> None:
    """Make the steps of the groups that have any before them, in batches. ``may_plan``: what is left of a group that
    somebody else has changed meanwhile is planned anew afterwards.
    """
    ways = {one.id: in_one_go(one.way.steps, soaking=request.soak is not None) for one in groups}
    batches = batches_of([one for one in groups if ways[one.id] and not one.error], LEAST)
    apart = len(batches) > 1 or told.beside_others

    def go(number: int, some: Sequence[Journeyed], turn: Turn) -> None:
        part, teller = clients.part(), told.of(number) if apart else told
        part.watch, part.tally, part.waits = teller.waiting, teller.counted, turn.has_called
        _Run(part, request, params, hide, teller, begun, ways, turn, may_plan).go(some)

    if apart:
        told.batches([(len(some), max((len(ways[one.id]) for one in some), default=0)) for some in batches])
    in_line(batches, go, clients.stop)


@dataclass(frozen=True)
class _Run:
    """One batch on its way. ``ways``: the steps of each group that are to be made."""

    clients: Clients
    request: Request
    params: Mapping[str, Any]
    hide: Callable[[str], None]
    told: Teller
    begun: float
    ways: Mapping[str, Sequence[Step]]
    turn: Turn
    may_plan: bool = False

    def go(self, groups: Sequence[Journeyed]) -> None:
        """Make the steps, each for all groups that come to it. An error is that of the groups at the step."""
        with self.turn.taken():
            self._go(groups)
        self.told.ends()

    def _go(self, groups: Sequence[Journeyed]) -> None:
        by_id, ways = {one.id: one for one in groups}, self.ways
        # The order in which steps are written down is the one in which they are made.
        for step in Step:
            due = [one for key, one in by_id.items() if ways[key][len(one.made) :][:1] == (step,)]
            due = [one for one in due if not one.error and not one.overtaken]
            if not due:
                continue
            if step not in GOALS:
                self.turn.let_in()
            if step in _CHANGES:
                self.turn.wait_to_call()
            self.told.begins(step.value, len(due))
            try:
                self._make(step, due)
            except AuthError as error:
                _fail_all(step, due, str(error))
            except Exception as error:  # pylint: disable=broad-exception-caught
                # What was done so far is told all the same; the error's own words may hold anything.
                _fail_all(step, due, f"the module met an error that it does not know, {type(error).__name__}.")
            if step in _CHANGES:
                self.turn.has_called()
            for one in due:
                one.duration = time.monotonic() - self.begun
            self.told.made(step.value, len(due), failed=sum(bool(one.error) for one in due))

    def _make(self, step: Step, due: list[Journeyed]) -> None:
        match step:
            case _ if step in _CHANGES:
                self._change(step, due)
            case Step.UPDATE_RECORD:
                self._update_record(step, due)
            case Step.PROVE | Step.PROVE_ALONE:
                self._prove(step, due)
            case _ if step in TURNS:
                soak = self.request.soak or 0.0
                if step is Step.CLIENTS and soak > 0:
                    self._record_cutover(soak, due)
                self.clients.pause(soak)
                for one in due:
                    one.through(step)
            case _:
                self._keep(step, due)

    # --- Where tokens are kept ------------------------------------------------------------------------------------

    def _keep(self, step: Step, due: list[Journeyed]) -> None:
        request, source = self.request, self.params["auth_token_secret"]
        order = SecretOrder(
            goal=goal_of(request.journey, step),
            names={one.id: one.kept.store.name for one in due},
            key=source.get("key"),
            creation=Creation() if request.create_secret else None,
            versions={one.id: one.kept.staged for one in due if one.kept.staged},
        )
        known = {one.id: one.kept.secret for one in due}
        by_id = {one.id: one for one in due}
        for progress in bring_secrets_about(self.clients, order, hide=self.hide, known=known):
            one = by_id[progress.id]
            one.warnings += progress.warnings
            if progress.error or progress.secret is None:
                one.fail_at(step, progress.error, progress.outcome())
                continue
            try:
                kept = kept_after(self.clients, one.id, one.kept, source.get("key"), progress.secret, self.hide)
            except AuthError as error:
                one.fail_at(step, str(error), progress.outcome())
                continue
            one.renamed(kept)
            one.through(step, progress.outcome())

    # --- What the groups accept -----------------------------------------------------------------------------------

    def _change(self, step: Step, due: list[Journeyed]) -> None:
        orders: dict[bool, list[Journeyed]] = {True: [], False: []}
        for one in due:
            rest = one.way.steps[len(one.made) :]
            orders[not sets_at_once(rest, soaking=self.request.soak is not None)].append(one)
        for write_down, some in orders.items():
            if some:
                self._bring_about(step, self._order(step, write_down), some)

    def _order(self, step: Step, write_down: bool) -> Order:
        request = self.request
        leaving = {
            Step.ROTATE: request.journey is Journey.MIGRATE_RBAC_TO_AUTH,
            Step.ROTATE_CURRENT: request.journey is not Journey.ENABLE_AUTH,
        }.get(step, False)
        return order_for(
            SET if step is Step.SET else ROTATE,
            remove_user_groups=leaving,
            probing=request.inquiry.probing,
            timeout=request.inquiry.timeout,
            delay=request.inquiry.delay,
            write_down=write_down,
            soak=request.soak or 0.0,
            take_over=request.take_over,
        )

    def _bring_about(self, step: Step, order: Order, due: list[Journeyed]) -> None:
        tokens: dict[str, TokenSet | AuthError] = {one.id: _wanting(one.kept, step) for one in due}
        known = {one.id: one.seen for one in due if one.seen}
        by_id = {one.id: one for one in due}
        for change in bring_about(self.clients, order, tokens, known):
            one = by_id[change.id]
            one.warnings += change.warnings
            one.seen = change.seen
            if change.overtaken and not change.changed and self.may_plan:
                one.overtaken = True
            elif change.error:
                one.fail_at(step, change.error, change.outcome())
            else:
                one.through(step, change.outcome())

    def _record_cutover(self, soak: float, due: list[Journeyed]) -> None:
        """Put the client cutover on record, so that no other run makes SET before it is over."""
        cases = {}
        for one in due:
            if one.seen and Step.SET in one.left:
                recorded = set(one.seen.recorded)
                cases[one.id] = Case(one, one.kept.tokens, time.monotonic(), seen=one.seen, recorded=recorded)
        write_cutovers(self.clients, cases, soak, take_over=self.request.take_over)
        for one in due:
            one.seen = cases[one.id].seen if one.id in cases else one.seen

    def _update_record(self, step: Step, due: list[Journeyed]) -> None:
        """Write down what was found out or assumed: what was on record before is kept for as long as this run lasts."""
        by_id = {one.id: one for one in due}

        def write(key: str) -> None:
            seen = by_id[key].seen
            if seen is not None:
                by_id[key].seen = put_on_record(self.clients, seen, len(due))

        for key, result in fan_out(by_id, write).items():
            one = by_id[key]
            if isinstance(result, Exception):
                text = explain(result, f"elasticache:{records.WRITE}", self.clients.region)
                one.fail_at(step, f"{key}: the record could not be written. {text} Run this again.")
            else:
                one.changed = True
                one.through(step)

    # --- Proof ----------------------------------------------------------------------------------------------------

    def _prove(self, step: Step, due: list[Journeyed]) -> None:
        """Compare what every node answered last with what it has to; where that differs, ask again for a while."""
        give_up = time.monotonic() + _NODES_GRACE
        pending = {one.id: one for one in due}
        for key in [key for key, one in pending.items() if not one.heard]:
            pending.pop(key).through(step)  # nobody answers there: the API's word has to do
        answers = {key: one.seen.answers if one.seen else () for key, one in pending.items()}
        # A call that goes on from another one's plan has not looked at the groups itself.
        self._ask({key: one for key, one in pending.items() if not answers[key]}, answers)
        while pending:
            for key, one in list(pending.items()):
                doubt = _doubt(one, answers.get(key, ()), _expected(self.request.journey, step, one.kept))
                if not doubt or time.monotonic() >= give_up:
                    del pending[key]
                    if doubt:
                        one.fail_at(step, doubt)
                    else:
                        one.through(step)
            if pending:
                self.clients.pause(0.5)
                self._ask(pending, answers)

    def _ask(self, pending: Mapping[str, Journeyed], answers: dict[str, tuple[NodeAnswer, ...]]) -> None:
        if not pending:
            return
        described = require_all(self.clients, [key for key, one in pending.items() if not one.seen])
        groups = [one.seen.group for one in pending.values() if one.seen]
        groups += [group for group in described.values() if isinstance(group, Group)]
        tokens = {key: one.kept.tokens for key, one in pending.items()}
        answers |= probe_groups(self.clients, groups, tokens, replace(self.request.inquiry.probing, mode="always"))


def _fail_all(step: Step, due: Sequence[Journeyed], why: str) -> None:
    for one in due:
        if not one.error and step not in one.made:
            one.fail_at(step, why if why.startswith(f"{one.id}:") else f"{one.id}: {why}")


def _doubt(one: Journeyed, answers: Sequence[NodeAnswer], expected: Mapping[str, str]) -> str:
    """Return what speaks against the proof; empty where nothing does."""
    if not answers:
        return f"{one.id}: no node has been asked."
    missing = unreachable(one.id, answers)
    found = untrusted(one.id, answers) or (f"{missing}." if missing else "")
    if not found and any(set(expected) - {UNAUTHENTICATED, *answer.accepted} for answer in answers):
        return f"{one.id}: its nodes have not been asked about each token."
    return found or unmet(one.id, summarize(answers, one.kept.tokens.names), expected)


def _expected(journey: Journey, step: Step, kept: Kept) -> dict[str, str]:
    """Return what every node has to answer, by the names of the tokens at hand."""
    had = journey in _HAD_TOKEN
    if kept.store.kept:
        new, old = (PENDING, CURRENT) if step is Step.PROVE else (CURRENT, PREVIOUS)
    else:
        new, old = GIVEN, PREVIOUS_TOKEN
    alone = step is Step.PROVE_ALONE
    expected = {UNAUTHENTICATED: REFUSED if had or alone else ACCEPTED, new: ACCEPTED if had or alone else NOT_REFUSED}
    if had and old in kept.tokens.names:
        expected[old] = REFUSED if alone else ACCEPTED
    return expected


def _wanting(kept: Kept, step: Step) -> TokenSet | AuthError:
    """Return the tokens, the one that ``step`` is about as the one that is wanted."""
    if not kept.store.kept:
        return kept.tokens
    name = PENDING if step is Step.ROTATE else CURRENT
    wanted = next((token for token in kept.tokens.all if token.name == name), None)
    if wanted is None:
        return AuthError(f"the secret {kept.store.name} holds no token in {name}. Run this again.")
    return TokenSet(wanted, tuple(token for token in kept.tokens.all if token is not wanted), kept.tokens.complete)


def _renamed(seen: Observation, before: TokenSet, after: TokenSet) -> Observation | None:
    """Return ``seen`` with the tokens by their names in ``after``; ``None`` where one that may be in force has none."""
    by_value = {token.value: token.name for token in after.all}
    names = {token.name: by_value[token.value] for token in before.all if token.value in by_value}
    in_force = {token for state in seen.belief.states for token in state.tokens}
    if in_force & set(before.names) - set(names):
        return None

    def renamed(belief: Belief) -> Belief:
        states = (
            State(state.mode, tuple(names.get(token, token) for token in state.tokens), state.user_groups)
            for state in belief.states
        )
        return replace(belief, states=frozenset(states))

    return Observation(
        seen.group,
        after,
        renamed(seen.belief),
        seen.entry and record.translate(seen.entry, names),
        tuple(
            replace(answer, accepted={names[name]: ok for name, ok in answer.accepted.items() if name in names})
            for answer in seen.answers
        ),
        {names.get(name, name): reference for name, reference in seen.references.items()},
        seen.recorded,
        seen.unassumed and renamed(seen.unassumed),
        seen.earlier and record.translate(seen.earlier, names),
    )
