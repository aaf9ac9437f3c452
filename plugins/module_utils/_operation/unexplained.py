# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A change of the token by somebody else, while a run was at work: what the group accepts after it.

That a secret holds all tokens that a group accepts is taken for granted where nothing speaks against it. A change of
the token that no record tells of does: it may have brought in any token, and ROTATE refuses the older of two.
"""

from __future__ import annotations

from .._auth.observe import Observation
from .._auth.outcome import shown_states
from .._auth.tokens import label
from .._aws.groups import Group
from .._core.evidence import Evidence, believe
from .._core.explain import describe_all
from .._core.operations import Operation, StepPlan
from .._core.states import Mode, State
from .._data_plane.probe import as_evidence
from .group_plan import Planned

#: The modes that a change of the token leads to, by what AWS shows while it is under way (elasticache-facts §2).
_LEADS_TO = {"ROTATING": (Mode.OPTIONAL, Mode.ROTATING), "SETTING": (Mode.REQUIRED,)}
_WAY_OUT = (
    "Way out: find out who changed it, and to what; put the token that clients have into AWSCURRENT (or pass it), or "
    "name the state in assume_state if no other token is accepted; then repeat this."
)


def refuse_unexplained(
    operation: Operation, plan: Planned, before: Observation | None, under_way: Group | None
) -> bool:
    """Refuse a plan that rests on having all tokens at hand, where somebody else has changed the token meanwhile.

    ``before``: the group as this run saw it before it was planned for; ``under_way``: the group while a change was
    waited for. Returns whether the plan was refused.
    """
    seen = plan.seen
    if plan.error or seen is None or operation is Operation.ENABLE_TLS:
        return False
    if not seen.group.auth_token_enabled or seen.belief.recorded:
        return False
    changing = under_way.pending_token if under_way else ""
    if not changing and (before is None or before.group.token_date == seen.group.token_date):
        return False
    states = _possible(seen, changing)
    if states <= seen.belief.states:
        return False
    what = f"{seen.group.id}: {operation.value} is refused: somebody else has changed its AUTH token while this ran, at"
    parts = (
        f"{what} {seen.group.token_date}, and with it a token may be accepted that is not at hand.",
        f"The group may be {describe_all(states, label)}.",
        seen.told_by_nodes(),
        _WAY_OUT,
    )
    plan.error, plan.step_plan, plan.planned_calls = " ".join(filter(None, parts)), StepPlan(), []
    plan.current_state, plan.after = describe_all(states, label), shown_states(states, seen.group)
    return True


def _possible(seen: Observation, changing: str) -> frozenset[State]:
    """Return the states that the nodes' answers allow where any token may have been brought in."""
    evidence = Evidence(seen.group.api, seen.tokens.names, as_evidence(seen.answers))
    states = believe(evidence).states
    modes = _LEADS_TO.get(changing.upper(), tuple(Mode))
    return frozenset(state for state in states if state.mode in modes) or states
