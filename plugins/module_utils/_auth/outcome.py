# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What happened to each group, and how a module's result tells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible.module_utils.common.warnings import warn

from .._aws.groups import Group
from .._core.evidence import Belief
from .._core.explain import describe
from .._core.redaction import Redactor
from .._core.states import State
from .._data_plane.probe import NodeAnswer
from .._stop import stop_of_process
from .tokens import label

if TYPE_CHECKING:
    from .observe import Observation

Outcome = dict[str, Any]


@dataclass
class Progress:
    """One group on its way through a module: what was seen, done and said. The only mutable thing in here."""

    id: str
    changed: bool = False
    error: str = ""
    msg: str = ""
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    evidence: dict[str, Any] | None = None
    api_calls: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    drift: bool = False
    duration: float = 0.0

    def outcome(self) -> Outcome:
        """Return the entry of RV(outcomes) for this group."""
        return {
            "changed": self.changed,
            "failed": bool(self.error),
            "msg": self.error or self.msg,
            "before": self.before,
            "after": self.after,
            "evidence": self.evidence,
            "api_calls": self.api_calls,
            "drift": self.drift,
            "duration": round(self.duration, 3),
        }


@dataclass
class Change(Progress):
    """One group on its way through a change of access control.

    ``called_at``: when the first call was made; ``done_at``: when the change was proved; in seconds since 1970.
    ``seen``: the group as it was seen last, for who goes on from there in the same run. ``overtaken``: somebody else
    was at work on the group between a look and a call.
    """

    called_at: float | None = None
    done_at: float | None = None
    seen: Observation | None = None
    overtaken: bool = False

    def outcome(self) -> Outcome:
        """Return the entry of RV(outcomes) for this group."""
        return {**super().outcome(), "called_at": self.called_at, "done_at": self.done_at}


def shown_states(states: Iterable[State], group: Group) -> dict[str, Any]:
    """Return a belief for a result: the mode where it is known, the tokens by their names, and what is possible."""
    possible = sorted(states)
    modes = {state.mode.value for state in possible}
    unauthenticated = {state.allows_unauthenticated for state in possible}
    certain = possible[0] if len(possible) == 1 else None
    return {
        "mode": modes.pop() if len(modes) == 1 else None,
        "auth_tokens": [label(token) for token in certain.tokens] if certain else None,
        "user_group_ids": list(certain.user_groups) if certain else None,
        "unauthenticated_access": unauthenticated.pop() if len(unauthenticated) == 1 else None,
        "possible_states": [describe(state, label) for state in possible],
        "auth_token_last_modified_date": group.token_date,
    }


def current_state_of(after: Mapping[str, Any]) -> str:
    """Return a group's current state, of what :func:`shown_states` returned for it."""
    text = " or ".join(after["possible_states"])
    return text if after["mode"] else f"unknown: {text}"


def shown_evidence(group: Group, belief: Belief | None, answers: Iterable[NodeAnswer]) -> dict[str, Any]:
    """Return the evidence for a result: what the API, the nodes and the record said."""
    nodes = [
        {
            "cache_cluster_id": answer.node.cache_cluster_id,
            "reach": answer.reach.value,
            "error": answer.error or None,
            "unauthenticated_access": answer.unauthenticated if answer.reach.value == "answered" else None,
            "accepted": {label(name): accepted for name, accepted in answer.accepted.items()},
        }
        for answer in answers
    ]
    return {
        "status": group.status,
        "auth_token_enabled": group.auth_token_enabled,
        "user_group_ids": list(group.user_group_ids),
        "auth_token_last_modified_date": group.token_date,
        "transit_encryption_mode": group.tls,
        "nodes": nodes,
        "record_used": bool(belief and belief.recorded),
    }


def diff_of(outcomes: Mapping[str, Outcome]) -> list[dict[str, Any]]:
    """Return Ansible's diff: of each changed group the states before and after, never a token."""
    shown = ("mode", "auth_tokens", "user_group_ids", "unauthenticated_access")
    return [
        {
            "before_header": key,
            "after_header": key,
            "before": {name: (outcome["before"] or {}).get(name) for name in shown},
            "after": {name: (outcome["after"] or {}).get(name) for name in shown},
        }
        for key, outcome in outcomes.items()
        if outcome["changed"]
    ]


def summary(outcomes: Sequence[Outcome], verb: str) -> str:
    """Return the task's message: the errors, or how many groups were changed."""
    errors = [outcome["msg"] for outcome in outcomes if outcome["failed"]]
    changed = sum(outcome["changed"] for outcome in outcomes)
    if len(outcomes) == 1:
        return str(outcomes[0]["msg"])
    if errors:
        shown = " ".join(errors[:5]) + (f" (and {len(errors) - 5} more, see outcomes)" if len(errors) > 5 else "")
        return f"{len(errors)} of {len(outcomes)} groups failed. {shown}"
    return f"{changed} of {len(outcomes)} groups {verb}."


def exit_with_outcomes(
    module: Any,
    progress: Iterable[Progress],
    *,
    verb: str = "changed",
    diff: list[dict[str, Any]] | None = None,
    **more: Any,
) -> None:
    """End the module with the outcomes; it fails where a group failed, unless O(continue_on_error) is set, and where
    the run was ended before it was through.

    ``diff``: Ansible's diff where it is not that of :func:`diff_of`.
    """
    redact = Redactor(module.no_log_values)
    outcomes = _outcomes(redact, progress)
    _exit(module, redact, [outcomes], {"outcomes": outcomes, **redact(more)}, verb, diff)


def exit_with_targets(
    module: Any,
    targets: Iterable[Iterable[Progress]],
    *,
    verb: str,
    diff: list[dict[str, Any]] | None,
    **more: Any,
) -> None:
    """End the module with the outcomes by target, as :func:`exit_with_outcomes` does: an id is of its target."""
    redact = Redactor(module.no_log_values)
    told = [_outcomes(redact, progress) for progress in targets]
    _exit(module, redact, told, {"targets": [{"outcomes": outcomes} for outcomes in told], **redact(more)}, verb, diff)


def _outcomes(redact: Redactor, progress: Iterable[Progress]) -> dict[str, Outcome]:
    outcomes = {}
    # One after the other: where the caller hands them over, none of a thousand is there twice.
    for group in progress:
        outcomes[group.id] = redact(group.outcome())
        for warning in group.warnings:
            warn(redact(warning))  # not module.warn: amazon.aws passes that to exit_json once more, which is deprecated
    return outcomes


def _exit(
    module: Any,
    redact: Redactor,
    targets: Sequence[Mapping[str, Outcome]],
    told: Mapping[str, Any],
    verb: str,
    diff: list[dict[str, Any]] | None,
) -> None:
    outcomes = [outcome for place in targets for outcome in place.values()]
    result: dict[str, Any] = {
        "changed": any(outcome["changed"] for outcome in outcomes),
        "msg": summary(outcomes, verb),
        **told,
        **redact({"invocation": {"module_args": module.params}}),
    }
    if module._diff:  # pylint: disable=protected-access
        result["diff"] = [entry for target in targets for entry in diff_of(target)] if diff is None else redact(diff)
    # What is masked already Ansible need not look for.
    module.no_log_values.difference_update(redact.values)
    failed = any(outcome["failed"] for outcome in outcomes) and not module.params.get("continue_on_error")
    # Whoever goes on with the other groups must not take a run that was ended for one that came to its end.
    if failed or stop_of_process().reason:
        module.fail_json(**result)
    module.exit_json(**result)
