# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is left of the operation for one group, and how that is put into words."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._auth.observe import Observation, SecondaryGroup
from .._auth.outcome import Outcome, Progress
from .._auth.tokens import label
from .._aws.groups import REQUIRED, Group
from .._core.explain import clock, describe_all
from .._core.one_line import one_line
from .._core.operations import (
    CUTOVERS,
    Operation,
    Step,
    StepPlan,
)
from .._core.states import Mode, State
from .._data_plane.probe import NodeAnswer, Reach
from .bridge import Bridging
from .expected_time import cutover_time, expected_time
from .planned_calls import told
from .reconnect import note_of
from .report import REFUSED
from .request import OperationRequest
from .token_store import Kept

#: Ids of versions have at most so many characters.
_ID_SHOWN = 64


@dataclass
class Planned(Progress):
    """One group and what is left of its operation. ``kept``, ``seen``: what that was planned from. ``busy``: nothing
    was planned, as something is under way on the group, which is ``under_way``. ``accepted``: the tokens that user
    groups have to accept. ``spared``: the options of users and user groups that are not deleted, as they serve
    others. ``bridging``: the bridge user; ``refused``: the tokens that the nodes refuse while user groups decide.
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
    expected_time: str = ""
    kept: Kept = field(default_factory=Kept)
    seen: Observation | None = None
    secondary: SecondaryGroup | None = None
    busy: bool = False
    under_way: Group | None = None
    accepted: tuple[str, ...] = field(default=(), repr=False)
    spared: frozenset[str] = frozenset()
    bridging: Bridging = field(default_factory=Bridging)
    refused: frozenset[str] = frozenset()

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


def staged_in_words(kept: Kept, step_plan: StepPlan, states: Iterable[State]) -> str:
    """Say what is done about a token that is staged already and that the group does not accept yet; empty: no such."""
    if not kept.staged or not kept.store.pending or any(kept.store.pending in state.tokens for state in states):
        return ""
    version = f"The token that is staged in AWSPENDING (version {one_line(kept.staged, _ID_SHOWN)})"
    if {Step.ROTATE, Step.BRIDGE_USER} & set(step_plan.steps) and Step.STAGE not in step_plan.steps:
        return f"{version} is taken, and none is made."
    return (
        ""
        if {Step.PROMOTE_PENDING, Step.STAGE, Step.PROMOTE_OLDER, Step.PROMOTE} & set(step_plan.steps)
        else f"{version} is left there."
    )


def token_age_of(group: Group) -> float | None:
    """Return how long ago the token was last changed, in days."""
    if not group.token_date:
        return None
    return (time.time() - datetime.datetime.fromisoformat(group.token_date).timestamp()) / 86400


def open_since_of(seen: Observation, states: Iterable[State]) -> float | None:
    """Return the earliest time, in seconds since 1970, since when a token is there and unauthenticated access too."""
    if not all(state.mode is Mode.OPTIONAL for state in states) or not seen.group.token_date:
        return None
    moved = datetime.datetime.fromisoformat(seen.group.token_date).timestamp()
    return min(moved, seen.entry.written_at) if seen.entry else moved


def current_state_in_words(request: OperationRequest, group: Group, states: Iterable[State]) -> str:
    tls = "" if group.tls == REQUIRED else f", encryption in transit {group.tls}"
    if request.operation is Operation.ENABLE_TLS:
        return f"encryption in transit {group.tls}"
    return f"{describe_all(states, label)}{tls}"


def evidence_in_words(seen: Observation, answers: Sequence[NodeAnswer]) -> str:
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


def put_into_words(request: OperationRequest, group: Planned) -> None:
    """Put the plan into words."""
    if group.secondary and request.skip_secondaries:
        group.error, group.msg = "", f"{group.id}: skipped: {group.secondary.why}"
        return
    if group.error:
        return
    soak, tasks = request.soak, request.client_tasks and request.made_cutover(group.id) is None
    group.lines = told(group.step_plan, group.planned_calls, cutover_time(soak, tasks=tasks))
    monitor = request.monitor.duration if request.monitor else 0.0
    last = group.seen.entry.took if group.seen and group.seen.entry else None
    group.expected_time = expected_time(group.step_plan.steps, soak=soak, tasks=tasks, monitor=monitor, last=last)
    note = "".join(
        f" {words}" for words in (group.step_plan.note, group.staged, note_of(request, group.step_plan.steps)) if words
    )
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


def _what_is_known(group: Planned) -> list[str]:
    """Return lines on the state that it is planned from; none where it was refused before it was looked at."""
    if group.error and not (group.current_state or group.evidence_summary):
        return []
    age = f", token {group.age:.1f} days old" if group.age else ""
    return [
        f"  current state: {group.current_state or 'unknown'}{age}",
        f"  evidence:      {group.evidence_summary or 'none'}",
    ]


def diff_of_plans(planned: Iterable[Planned], place: str = "") -> list[dict[str, Any]]:
    """Return Ansible's diff: of each group its current state, the evidence, and what is to be called, in order.

    ``place``: where they are, in words, if there are groups elsewhere.
    """
    return [
        {
            "prepared": "\n".join(
                (
                    group.id + (f" ({place})" if place else ""),
                    *_what_is_known(group),
                    *((f"{REFUSED}{group.error.removeprefix(f'{group.id}: ')}",) if group.error else ()),
                    *((f"  expected time: {group.expected_time}",) if group.expected_time and group.lines else ()),
                    *(f"  {line}" for line in group.lines),
                    *(("  nothing to do",) if not group.lines and not group.error else ()),
                    "",
                )
            )
        }
        for group in planned
    ]
