# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the roles need to take many groups through the steps of a journey, and to tell each host how its own fared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def batch_groups(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the ids of the groups that ``hosts`` stand for: C(replication_group_id), or else the host's name."""
    ids = [_group_of(host, hostvars) for host in hosts]
    if ids == ["localhost"]:
        raise AnsibleFilterError(
            "localhost is no replication group. Name groups in the role's variable that ends in _replication_groups, "
            "or run the play on hosts that stand for groups."
        )
    return ids


def due_groups(
    plan: Mapping[str, Any],
    step: str | Iterable[str],
    results: Iterable[Mapping[str, Any]] = (),
    without: Iterable[str] = (),
    proving: bool = False,
) -> list[str]:
    """Return the ids of the groups that are due to one of the steps, but those that failed in ``results``.

    ``proving``: only those whose nodes answer.
    """
    steps = {step} if isinstance(step, str) else set(step)
    failed = {str(key).lower() for key in without}
    for result in results:
        failed |= {key for key, outcome in _outcomes(result) if outcome.get("failed")}
    return [
        key
        for key, outcome in _outcomes(plan)
        if key not in failed and steps & set(outcome.get("steps") or ()) and (outcome["nodes_answer"] or not proving)
    ]


def token_of(tokens: Mapping[Any, Any], group_id: str) -> str:
    """Return the group's token out of those by id, however that is written there; an empty text where there is none."""
    found = {str(key).strip().lower(): value for key, value in tokens.items() if value is not None}
    return str(found.get(group_id.lower(), ""))


def own_groups(plan: Mapping[str, Any], host: str, hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the ids of those planned groups that ``host`` speaks for: its own, or all where it is none of them."""
    ids = [key for key, dummy in _outcomes(plan)]
    own = _group_of(host, hostvars)
    return [own] if own in ids else ids


def spoken_for(hosts: Iterable[str], plan: Mapping[str, Any], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the ids of those planned groups that any of ``hosts`` speaks for."""
    return sorted({key for host in hosts for key in own_groups(plan, host, hostvars)})


def journey_report(
    plan: Mapping[str, Any], results: Iterable[Mapping[str, Any]], ids: Iterable[str], exposure: bool = False
) -> dict[str, Any]:
    """Return what happened to the groups: C(changed), C(failed), C(lines) for people, C(groups) by id for machines.

    ``exposure``: measure for how long everyone was let in.
    """
    planned = dict(_outcomes(plan))
    groups: dict[str, dict[str, Any]] = {key: _begin(planned[key]) for key in ids if key in planned}
    for result in results:
        for key, outcome in _outcomes(result, set(groups)):
            _add(groups[key], outcome)
    lines = []
    for key, group in groups.items():
        if exposure:
            group["exposure_seconds"] = _exposure(group, planned[key])
        lines.append(_line(key, group, planned[key]))
    return {
        "changed": any(group["changed"] for group in groups.values()),
        "failed": any(group["failed"] for group in groups.values()),
        "lines": lines,
        "groups": {key: {name: v for name, v in group.items() if name != "doors"} for key, group in groups.items()},
    }


def _group_of(host: str, hostvars: Mapping[str, Mapping[str, Any]]) -> str:
    return str(hostvars[host].get("replication_group_id", host)).strip().lower()


def _outcomes(result: object, only: set[str] | None = None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the outcome of each group in a module's result, or in that of a loop over groups."""
    if not isinstance(result, Mapping):
        return
    outcomes = result.get("outcomes")
    if isinstance(outcomes, Mapping):
        for key in outcomes if only is None else only:
            if key in outcomes:
                yield key, outcomes[key]
        return
    for one in result.get("results") or ():
        key = str(one.get("item"))
        if only is None or key in only:
            yield key, {"changed": False, "failed": False, "msg": "", **one}


def _begin(outcome: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "changed": bool(outcome.get("changed")),
        "failed": bool(outcome.get("failed")),
        "stood": outcome.get("stands"),
        "evidence": outcome.get("on_evidence"),
        "msg": outcome.get("msg"),
        "actions": [],
        "doors": [],
    }


def _add(group: dict[str, Any], outcome: Mapping[str, Any]) -> None:
    if outcome.get("skipped"):
        return
    group["changed"] = group["changed"] or bool(outcome.get("changed"))
    group["actions"] += [action.get("action") for action in outcome.get("actions") or ()]
    if outcome.get("failed") or outcome.get("changed"):
        # What follows a failure is its remedy: the previous token is let in again.
        group["msg"] = f"{group['msg']} That was tried: {outcome.get('msg')}" if group["failed"] else outcome.get("msg")
    group["failed"] = group["failed"] or bool(outcome.get("failed"))
    after = outcome.get("after") or {}
    if after.get("transit_encryption_mode") and not after.get("possible_states"):
        access = "rbac" if after.get("user_group_ids") else "a token" if after.get("auth_token_enabled") else "open"
        group["stands"] = f"{access}, encryption in transit {after['transit_encryption_mode']}"
    if after.get("possible_states"):
        group["stands"] = " or ".join(after["possible_states"])
        group["doors"].append((after.get("unauthenticated_access"), outcome.get("called_at"), outcome.get("done_at")))


def _exposure(group: Mapping[str, Any], planned: Mapping[str, Any]) -> float | None:
    """Return for how many seconds everyone was let in, at the most; C(None) where nobody was, or still is."""
    since = planned.get("open_since")
    for is_open, called_at, done_at in group["doors"]:
        if is_open and since is None:
            since = called_at
        if is_open is False and since is not None and done_at is not None:
            return round(done_at - since, 1)
    return None


def _line(key: str, group: Mapping[str, Any], planned: Mapping[str, Any]) -> str:
    if group["failed"]:
        return str(group["msg"])
    exposure = group.get("exposure_seconds")
    told = f" Everyone was let in for {exposure:g} s." if exposure is not None else ""
    if not group["actions"]:
        return str(planned.get("msg") or f"{key}: nothing to do.") + told
    made = ", ".join(planned.get("steps") or ())
    now = group.get("stands") or group["stood"]
    return f"{key}: it stands at {now}, and stood at {group['stood']} ({made}).{told}"


class FilterModule:
    """The filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {
            "batch_groups": batch_groups,
            "due_groups": due_groups,
            "journey_report": journey_report,
            "own_groups": own_groups,
            "spoken_for": spoken_for,
            "token_of": token_of,
        }
