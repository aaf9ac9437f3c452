# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One group in an operation: what was planned, done and seen so far, and how the module's result tells it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from .._auth.observe import Observation
from .._auth.outcome import Outcome, current_state_of, shown_states
from .._auth.tokens import TokenSet
from .._core import record
from .._core.errors import AuthError
from .._core.evidence import Belief
from .._core.operations import CUTOVERS, Step
from .._core.states import State
from .connection_looks import ConnectionLooks
from .group_plan import Planned
from .token_store import Kept


@dataclass
class GroupRun(Planned):
    """One group's run. ``completed_steps``: the steps of this run; ``remaining_steps``: those after them;
    ``step_results``: what each step came to, as the module of its own would return it. ``initial_state``: its state
    when it was planned for; its current state is what was seen after the last call. ``overtaken``: somebody else has
    changed it since, and the rest is to be planned anew; ``earlier``: the steps that were made before that.
    ``common``: the error, where it is one that concerns no single group. ``verified_nodes``: how many nodes accept one
    token alone, as each of them was seen to at the end.
    """

    completed_steps: list[Step] = field(default_factory=list)
    step_results: list[Outcome] = field(default_factory=list)
    initial_state: str = ""
    overtaken: bool = False
    earlier: tuple[Step, ...] = ()
    common: AuthError | None = None
    verified_nodes: int = 0
    looks: ConnectionLooks = field(default_factory=ConnectionLooks)  #: what was seen of its client connections

    def __post_init__(self) -> None:
        self.initial_state, self.after = self.initial_state or self.current_state, None

    @property
    def remaining_steps(self) -> tuple[Step, ...]:
        """The steps that this run has not made."""
        return self.step_plan.steps[len(self.completed_steps) :]

    @property
    def cutover(self) -> Step | None:
        """The client cutover at which it stopped, if any."""
        step = next(iter(self.remaining_steps), None)
        return step if step in CUTOVERS and not self.error else None

    def outcome(self) -> Outcome:
        """Return the entry of RV(outcomes) for this group."""
        return {
            **super().outcome(),
            "planned_steps": [step.value for step in (*self.earlier, *self.step_plan.steps)],
            "initial_state": self.initial_state,
            "after": self.after,
            "api_calls": self.api_calls,
            "completed_steps": [step.value for step in (*self.earlier, *self.completed_steps)],
            "cutover_stage": self.cutover.value if self.cutover else None,
            "remaining_steps": [step.value for step in self.remaining_steps],
            "step_results": self.step_results,
            "verified_nodes": self.verified_nodes,
            "client_connections": self.looks.outcome(),
        }

    def through(self, step: Step, told: Outcome | None = None) -> None:
        """Take note that ``step`` has been made, and of what the module of its own would tell."""
        self.completed_steps.append(step)
        if told is not None:
            self._add(step, told)

    def prepared(self, step: Step, told: Outcome) -> None:
        """Take note of what was made for ``step``, which comes next."""
        self.changed = self.changed or bool(told["changed"])
        self.api_calls += [{"step": step.value, **action} for action in told["api_calls"]]

    def fail_at(self, step: Step, message: str, told: Outcome | None = None) -> None:
        """Take note that ``step`` failed."""
        self.error = message
        if told is not None:
            self._add(step, told)

    def _add(self, step: Step, told: Outcome) -> None:
        # Each thing is told once, the evidence that of the last step: a thousand groups make a large result.
        kept = {name: value for name, value in told.items() if name not in ("evidence", "before", "api_calls")}
        self.step_results.append({"step": step.value, **kept})
        self.changed = self.changed or bool(told["changed"])
        self.api_calls += [{"step": step.value, **action} for action in told["api_calls"]]
        self.msg = told["msg"]
        self.drift = self.drift or bool(told.get("drift"))
        if (told.get("after") or {}).get("possible_states"):
            self._now(told["after"])
        self.evidence = told.get("evidence") or self.evidence

    def planned_anew(self, plan: Planned) -> GroupRun:
        """Return it with a new plan, and with what was done before that."""
        new = GroupRun(**vars(plan))
        new.changed, new.drift = self.changed or plan.changed, self.drift or plan.drift
        new.api_calls, new.step_results = self.api_calls, self.step_results
        new.warnings = self.warnings + [warning for warning in plan.warnings if warning not in self.warnings]
        new.before, new.initial_state, new.after = self.before, self.initial_state, plan.after if self.changed else None
        new.current_state = plan.current_state or "unknown"
        new.looks = self.looks
        new.earlier = (*self.earlier, *self.completed_steps)
        if new.error and "somebody else" not in new.error:
            refused = new.error.removeprefix(f"{self.id}: ")
            new.error = f"{self.id}: somebody else has changed the group while this ran. {refused}"
        return new

    def renamed(self, kept: Kept) -> None:
        """Take over what is in the secret now: tokens are called by the staging labels that they have by then."""
        seen = self.seen and _renamed(self.seen, self.kept.tokens, kept.tokens)
        if seen and self.seen:
            before = shown_states(self.seen.belief.states, self.seen.group)
            after = shown_states(seen.belief.states, seen.group)
            if self.after == before:
                self._now(after)
            elif self.after is None:
                self.current_state = self.current_state.replace(_possible(before), _possible(after))
        self.seen, self.kept = seen, kept

    def _now(self, after: dict[str, Any]) -> None:
        self.after, self.current_state = after, current_state_of(after)


def _possible(shown: dict[str, Any]) -> str:
    return " or ".join(shown["possible_states"])


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
