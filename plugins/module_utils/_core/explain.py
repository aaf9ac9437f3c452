# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""States, beliefs and refusals in words: what is wrong, why that is dangerous, and the next thing to type."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable

from .plan import Hazard, NoPlan, Verdict, Wish, WishKind
from .states import Mode, State

#: Turns a token's name into words for a user, for example "the token in AWSPENDING".
Label = Callable[[str], str]


def describe(state: State, label: Label = str) -> str:
    """Return ``state`` in one phrase, for example ``rotating (the token in AWSCURRENT, then the token given)``."""
    match state.mode:
        case Mode.OPEN:
            return "open"
        case Mode.RBAC:
            return f"rbac ({', '.join(state.user_groups)})"
    return f"{state.mode.value} ({', then '.join(map(label, state.tokens))})"


def describe_all(states: Iterable[State], label: Label = str) -> str:
    """Return all ``states`` in one phrase, joined by "or"."""
    return " or ".join(describe(state, label) for state in sorted(states))


def clock(seconds: float) -> str:
    """Return a time, in seconds since 1970, for example ``2026-11-22T15:04:05+00:00``."""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat(timespec="seconds")


_REASONS = {
    Hazard.PUSHES_OUT: (
        "a group accepts two tokens at most, so ROTATE would push out {token}, and clients that still use it would be "
        "locked out"
    ),
    Hazard.ENDS_UNAUTHENTICATED: (
        "clients without a token are served beside {token}, and ROTATE would refuse them at once: ElastiCache keeps "
        "two credentials, and 'no authentication' is the older one"
    ),
    Hazard.NOT_ROTATED_IN: "SET never introduces a token, and {token} was not rotated in",
    Hazard.NOT_NEWEST: "SET takes only the newest token, which is {token}",
    Hazard.NOTHING_TO_SET: "there is no token to set",
    Hazard.USER_GROUPS_ATTACHED: (
        "user groups decide who is accepted, and AWS takes a token only together with their removal"
    ),
    Hazard.OTHER_USER_GROUPS: "other user groups than the wanted ones are attached",
    Hazard.UNREACHABLE: (
        "the calls that may be made here, and that AWS documents, do not lead there, or only if clients are refused "
        "or unauthenticated access is allowed meanwhile"
    ),
}
_NO_TOKEN_NO_RBAC = "AWS takes a token away only together with attaching a user group"  # noqa: S105

_WAYS_OUT = {
    Hazard.PUSHES_OUT: (
        "once every client has {newest}, finish the rotation under way (auth_token_update_strategy: set, with that "
        "token), then repeat this one"
    ),
    Hazard.ENDS_UNAUTHENTICATED: (
        "once every client has {newest}, require it (auth_token_update_strategy: set, with that token), then repeat "
        "this one"
    ),
    Hazard.NOT_ROTATED_IN: (
        "rotate it in (auth_token_update_strategy: rotate), give it to every client, then repeat this one"
    ),
    Hazard.NOT_NEWEST: (
        "set {token}; or, to go back to the older one, set {token} and then rotate the older one in again (in between, "
        "clients with the older one are refused)"
    ),
    Hazard.NOTHING_TO_SET: (
        "rotate the token in (auth_token_update_strategy: rotate), give it to every client, then repeat this one"
    ),
    Hazard.USER_GROUPS_ATTACHED: (
        "leave RBAC with auth_token_update_strategy: rotate and remove_user_groups: true; the users' names and "
        "passwords are refused from then on, and until the following set unauthenticated access is allowed"
    ),
    Hazard.OTHER_USER_GROUPS: "change them with elasticache.auth.replication_group and its user_group_ids",
    Hazard.UNREACHABLE: (
        "go there step by step, with a task for each call (auth_token_update_strategy: rotate, set or delete of "
        "elasticache.auth.replication_group_auth); each says what it would break"
    ),
}
#: What the caller may insist on: its effect is documented, only not wanted by most.
_FORCIBLE = (Hazard.PUSHES_OUT, Hazard.ENDS_UNAUTHENTICATED)
_FORCE = "insist with force: true"
_THROUGH_RBAC = (
    "attach a user group (auth_token_update_strategy: delete, with user_group_ids), then take it away with "
    "elasticache.auth.replication_group and user_group_ids: []"
)

_GOALS = {
    WishKind.ACCEPT: "ROTATE",
    WishKind.ONLY: "SET",
    WishKind.USER_GROUPS: "DELETE",
}


#: What leads on for a step of an operation, which has no options of a single call.
_LEADS_ON = {
    Hazard.USER_GROUPS_ATTACHED: "the role migrate_rbac_to_auth leads on from user groups",
    Hazard.OTHER_USER_GROUPS: _WAYS_OUT[Hazard.OTHER_USER_GROUPS],
}
_AGAIN = "run {} again: it plans anew from what the group accepts now, and says what leads on from there"


def refusal(
    group_id: str, no_plan: NoPlan, wish: Wish, label: Label, settle: Iterable[str], operation: str = ""
) -> str:
    """Return why nothing is done to the group, and the ways out.

    ``settle`` are phrases that tell what would settle an uncertainty here, for example "let the module reach the
    nodes"; they are used only where knowing more would help. ``operation``: the one that the call is a step of: it has
    stopped, and the ways out are its own.
    """
    goal = _GOALS.get(wish.kind, "the change")
    begin = f"{group_id}: {operation} has stopped before {goal}:" if operation else f"{group_id}: {goal} is refused:"
    again = _AGAIN.format(operation)
    if not no_plan.uncertain:
        state = describe_all((verdict.state for verdict in no_plan.verdicts), label)
        reasons = dict.fromkeys(_reason(verdict, wish, label) for verdict in no_plan.verdicts)
        if operation:
            leads = {_LEADS_ON.get(verdict.hazard, again) if verdict.hazard else again for verdict in no_plan.verdicts}
            way_out = leads.pop() if len(leads) == 1 else again
            return f"{begin} the group is {state}; {_or(reasons)}. Way out: {way_out}."
        ways = dict.fromkeys(_way_out(verdict, wish, label) for verdict in no_plan.verdicts)
        if any(verdict.hazard in _FORCIBLE for verdict in no_plan.verdicts):
            ways[_FORCE] = None
        return f"{begin} the group is {state}; {_or(reasons)}. Way out: {_or(ways)}."
    cases: dict[str, list[State]] = {}
    for verdict in sorted(no_plan.verdicts, key=lambda verdict: verdict.calls is None):
        cases.setdefault(_verdict(verdict, wish, goal, label), []).append(verdict.state)
    lines = (f"{describe_all(states, label)}: {text}" for text, states in cases.items())
    text = f"{begin} what the group accepts is not known, and AWS never tells. It may be {' | '.join(lines)}."
    if operation:
        return f"{text} Way out: {again}."
    ways_to_know = _or(settle)
    return f"{text} To settle it: {ways_to_know}." if ways_to_know else text


def _verdict(verdict: Verdict, wish: Wish, goal: str, label: Label) -> str:
    if verdict.calls is None:
        return _reason(verdict, wish, label)
    if not verdict.calls:
        return f"there is nothing to do, and what a repeated {goal} does is documented nowhere"
    return "the call would be right" if len(verdict.calls) == 1 else "the calls would be right"


def _reason(verdict: Verdict, wish: Wish, label: Label) -> str:
    if _is_about_opening(verdict, wish):
        return _NO_TOKEN_NO_RBAC
    return _REASONS[verdict.hazard or Hazard.UNREACHABLE].format(token=_token(verdict, label))


def _way_out(verdict: Verdict, wish: Wish, label: Label) -> str:
    if _is_about_opening(verdict, wish):
        return _THROUGH_RBAC
    newest = label(verdict.state.tokens[-1]) if verdict.state.tokens else ""
    return _WAYS_OUT[verdict.hazard or Hazard.UNREACHABLE].format(token=_token(verdict, label), newest=newest)


def _is_about_opening(verdict: Verdict, wish: Wish) -> bool:
    return wish.kind is WishKind.OPEN and verdict.hazard is Hazard.UNREACHABLE and bool(verdict.state.tokens)


def _token(verdict: Verdict, label: Label) -> str:
    return label(verdict.token) if verdict.token else ""


def _or(phrases: Iterable[str]) -> str:
    """Join alternatives; a phrase may begin with "or" already."""
    *others, last = [phrase.removeprefix("or ") for phrase in phrases] or [""]
    return "; ".join((*others, f"or {last}")) if others else last
