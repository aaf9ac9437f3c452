# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the roles need to take many groups through the steps of a journey, and to tell each host how its own fared."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.lists import (
    GROUPS,
    is_id,
    kind_of,
    one_or_more,
    shown,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.role_words import for_role
from ansible_collections.elasticache.auth.plugins.plugin_utils._untrusted import returning_untrusted

#: What a plan tells of a group that no later step and no report asks for.
_TOLD_ONLY = ("before", "calls", "drift", "duration", "evidence")

#: What tells where a group is; of hosts with C(elasticache_) before it.
_PLACE = ("region", "assume_role_arn")
#: The variables that list groups, one a role; for where nobody says which.
_LISTS = "the list of groups (…_replication_groups)"

#: Few enough to be looked through, and enough for a few thousand hosts to have few in each.
_DRAWERS = 64


def batch_groups(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the ids of the groups that ``hosts`` stand for: C(replication_group_id), or else the host's name."""
    given = {host: hostvars[host].get("replication_group_id", host) for host in hosts}
    if list(given.values()) == ["localhost"]:
        raise AnsibleFilterError(
            "localhost is no replication group. Name groups in the role's variable that ends in _replication_groups, "
            "or run the play on hosts that stand for groups."
        )
    for host, key in given.items():
        if not isinstance(key, str) or not is_id(key):
            what = "replication_group_id" if "replication_group_id" in hostvars[host] else "the name of the host"
            raise AnsibleFilterError(
                f"{host}: {what}, {shown(key) if isinstance(key, str) else kind_of(key)}, is not {GROUPS.name}. "
                f"{GROUPS.rule} Set the variable replication_group_id of the host to one id."
            )
    return [_group_of(host, hostvars) for host in given]


def due_groups(
    plan: Mapping[str, Any],
    step: str | Iterable[str],
    results: Iterable[Mapping[str, Any]] = (),
    without: Iterable[str] = (),
    made: bool = False,
) -> list[str]:
    """Return the ids of the groups that have one of the steps ahead, but those that failed so far.

    ``made``: of those that have it behind them.
    """
    steps = {step} if isinstance(step, str) else set(step)
    standing = _standing(plan, results, without)
    return [key for key, (behind, ahead) in standing.items() if steps & set(behind if made else ahead)]


def steps_ahead(
    plan: Mapping[str, Any],
    steps: Iterable[str],
    results: Iterable[Mapping[str, Any]] = (),
    without: Iterable[str] = (),
    until: str = "",
) -> dict[str, list[str]]:
    """Return which of ``steps`` each group has ahead, in order, for those that have any and did not fail so far.

    ``until``: only those before this step. Nothing is proved on nodes that don't answer.
    """
    wanted = set(steps)
    ahead = {}
    for key, (dummy, left) in _standing(plan, results, without).items():
        left = left[: left.index(until)] if until in left else left
        silent = () if plan["outcomes"][key]["nodes_answer"] else ("prove", "prove_alone")
        ahead[key] = [step for step in left if step in wanted and step not in silent]
    return {key: left for key, left in ahead.items() if left}


def _standing(
    plan: Mapping[str, Any], results: Iterable[Mapping[str, Any]], without: Iterable[str]
) -> dict[str, tuple[list[str], list[str]]]:
    """Return the steps that each group has behind it and ahead, but those that failed and those in ``without``."""
    left_out = {str(key).lower() for key in without}
    made = {key: list(outcome.get("made") or ()) for key, outcome in _outcomes(plan)}
    for result in results:
        for key, outcome in _outcomes(result):
            if outcome.get("failed"):
                left_out.add(key)
            made.setdefault(key, []).extend(outcome.get("made") or ())
    return {
        key: (made[key], [step for step in outcome.get("steps") or () if step not in made[key]])
        for key, outcome in _outcomes(plan)
        if key not in left_out and not outcome.get("failed")
    }


def journey_brief(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a plan what the steps and the report need: of the calls that were made their names."""
    return {
        "outcomes": {
            key: {
                **{name: value for name, value in outcome.items() if name not in _TOLD_ONLY},
                "actions": [{"action": action.get("action")} for action in outcome.get("actions") or ()],
            }
            for key, outcome in _outcomes(plan)
        }
    }


def token_of(tokens: Mapping[Any, Any], group_id: str) -> str:
    """Return the group's token out of those by id, however that is written there; an empty text where there is none."""
    found = {str(key).strip().lower(): value for key, value in tokens.items() if value is not None}
    return str(found.get(group_id.lower(), ""))


def journey_places(
    groups: str | Iterable[str | Mapping[str, Any]],
    hosts: Iterable[str],
    hostvars: Mapping[str, Mapping[str, Any]],
    name: str = _LISTS,
) -> list[dict[str, Any]]:
    """Return where the groups are: each region and account with its C(hosts), and with C(at), as auth_operation takes it.

    A host says so in C(elasticache_region) and C(elasticache_assume_role_arn). One place has all groups, but for those
    that say themselves where they are, as C(at) does. ``name``: the variable that lists the groups.
    """
    try:
        listed = [_entry(name, one) for one in one_or_more(name, groups, GROUPS, dicts=True)]
    except AuthError as error:
        raise AnsibleFilterError(str(error)) from error
    at = {host: tuple(str(hostvars[host].get(f"elasticache_{part}") or "") for part in _PLACE) for host in hosts}
    elsewhere = next((one for one in listed if any(one[part] for part in _PLACE)), None)
    if elsewhere and len(at) > 1:
        raise AnsibleFilterError(
            f"{name}: {_where(elsewhere)} is named there, but {len(at)} hosts are in the play, and a host says "
            "itself where its group is. Give ids only, or run the play on localhost."
        )
    places: dict[tuple[str, ...], dict[str, Any]] = {}

    def place_at(where: tuple[str, ...]) -> dict[str, Any]:
        new = {**dict(zip(_PLACE, where, strict=True)), "replication_group_ids": []}
        return places.setdefault(where, {"hosts": [], "at": new})

    if len(set(at.values())) == 1:
        own = next(iter(at.values()))
        place_at(own)["hosts"] = list(at)
        for one in listed:
            place = place_at(tuple(one[part] or here for part, here in zip(_PLACE, own, strict=True)))
            place["hosts"] = list(at)
            place["at"]["replication_group_ids"] += one["replication_group_ids"]
        return [place for place in places.values() if place["at"]["replication_group_ids"]] or [place_at(own)]
    ids = {key for one in listed for key in one["replication_group_ids"]}
    for host, where in at.items():
        place, group = place_at(where), _group_of(host, hostvars)
        place["hosts"].append(host)
        if group in ids and group not in place["at"]["replication_group_ids"]:
            place["at"]["replication_group_ids"].append(group)
    return [place for place in places.values() if place["at"]["replication_group_ids"]]


def _entry(name: str, given: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of the list ``name`` of groups, an id or groups of one place, as the latter."""
    if not isinstance(given, Mapping):
        given = {"replication_group_ids": [given]}
    unknown = sorted(set(map(str, given)) - {"replication_group_ids", *_PLACE})
    ids = given.get("replication_group_ids")
    if unknown or not ids:
        what = f"it has {', '.join(unknown)}" if unknown else "replication_group_ids is missing or empty"
        raise AuthError(
            f"{name}: {_where(given)}: {what}. An entry is an id, or the groups of another place: "
            "replication_group_ids, with region or assume_role_arn or both."
        )
    try:
        ids = one_or_more("replication_group_ids", ids, GROUPS, variable=False)
    except AuthError as error:
        raise AuthError(f"{name}: {_where(given)}: {error}") from None
    return {
        **{part: str(given.get(part) or "") for part in _PLACE},
        "replication_group_ids": [key.lower() for key in ids],
    }


def _where(given: Mapping[str, Any]) -> str:
    place = [str(given[name]) for name in _PLACE if given.get(name)]
    return ", ".join(place) or "an entry without a region"


def own_groups(plan: Mapping[str, Any], host: str, hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the ids of those planned groups that ``host`` speaks for: its own, or all where it is none of them."""
    ids = [key for key, dummy in _outcomes(plan)]
    own = _group_of(host, hostvars)
    return [own] if own in ids else ids


def groups_by_host(
    ids: Iterable[str], plan: Mapping[str, Any], hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[str]]:
    """Return those of ``ids`` that each host speaks for, as :func:`own_groups` has them."""
    wanted = list(ids)
    planned = {key for key, dummy in _outcomes(plan)}
    found = {}
    for host in hosts:
        own = _group_of(host, hostvars)
        found[host] = [key for key in wanted if key == own] if own in planned else wanted
    return found


def told_by_host(
    report: Mapping[str, Any],
    hosts: Iterable[str],
    hostvars: Mapping[str, Mapping[str, Any]],
    before: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, dict[str, Any]]:
    """Return what each host tells: C(lines), C(changed) and C(failed) of the groups that it speaks for.

    In drawers, for :func:`from_drawer`: Ansible makes an object of its own of each entry of a dictionary that a
    template names. With a thousand hosts that each look up their own these are a million.

    ``before``: what was returned for other groups, which is told too.
    """
    groups = report["groups"]
    lines = dict(zip(groups, report["lines"], strict=True))
    everything = {"lines": report["lines"], "changed": report["changed"], "failed": report["failed"]}
    told = {drawer: dict(entries) for drawer, entries in (before or {}).items()}
    for host in hosts:
        own = _group_of(host, hostvars)
        of = groups.get(own)
        one = {"lines": [lines[own]], "changed": of["changed"], "failed": of["failed"]} if of else everything
        had = from_drawer(told, host)
        if had:
            one = {
                "lines": [*had["lines"], *one["lines"]],
                "changed": had["changed"] or one["changed"],
                "failed": had["failed"] or one["failed"],
            }
        told.setdefault(_drawer_of(host), {})[host] = one
    return told


def from_drawer(drawers: Mapping[str, Mapping[str, Any]], key: str) -> Any:
    """Return the entry out of its drawer; an empty dictionary where there is none."""
    return drawers.get(_drawer_of(key), {}).get(key, {})


def _drawer_of(key: str) -> str:
    return str(zlib.crc32(key.encode()) % _DRAWERS)


def steps_of_any(plan: Mapping[str, Any]) -> list[str]:
    """Return the steps that are ahead of at least one group."""
    return sorted({step for dummy, ahead in _standing(plan, (), ()).values() for step in ahead})


def secret_names(outcomes: Mapping[str, Mapping[str, Any]]) -> dict[str, str | None]:
    """Return the name of each group's secret."""
    return {key: outcome.get("secret_name") for key, outcome in outcomes.items()}


def spoken_for(hosts: Iterable[str], plan: Mapping[str, Any], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the ids of those planned groups that any of ``hosts`` speaks for."""
    return sorted({key for host in hosts for key in own_groups(plan, host, hostvars)})


def journey_report(
    plan: Mapping[str, Any],
    results: Iterable[Mapping[str, Any]],
    ids: Iterable[str],
    exposure: bool = False,
    role: str = "",
) -> dict[str, Any]:
    """Return what happened to the groups: C(changed), C(failed), C(lines) for people, C(groups) by id for machines.

    ``exposure``: measure for how long everyone was let in. ``role``: whose variables are named in the place of modules'
    options.
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
        line = _line(key, group, planned[key])
        lines.append(for_role(line, role) if role else line)
        group["msg"] = for_role(str(group["msg"]), role) if role and group["msg"] is not None else group["msg"]
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
            yield key, {"changed": False, "failed": False, **one, "msg": _named(key, one)}


def _named(key: str, one: Mapping[str, Any]) -> str:
    """Return what a module said that was called for one group; of a region that can't be reached it says no name."""
    said = str(one.get("msg") or "")
    named = re.search(rf"(?<![\w-]){re.escape(key)}(?![\w-])", said)
    return f"{key}: {said}" if one.get("failed") and not named else said


def _begin(outcome: Mapping[str, Any]) -> dict[str, Any]:
    group: dict[str, Any] = {
        "changed": bool(outcome.get("changed")),
        "failed": False,
        "stood": outcome.get("stood") or outcome.get("stands"),
        "evidence": outcome.get("on_evidence"),
        "msg": outcome.get("msg"),
        "actions": [],
        "doors": [],
        "steps": [],
    }
    _add(group, outcome)
    return group


def _add(group: dict[str, Any], outcome: Mapping[str, Any]) -> None:
    if outcome.get("skipped"):
        return
    group["actions"] += [action.get("action") for action in outcome.get("actions") or ()]
    if "changes" in outcome:  # several steps, each told as if it stood alone
        for change in outcome["changes"]:
            _add(group, change)
        if outcome["changes"] and outcome.get("stands"):
            # By the labels that the tokens have in the end, and seen after the last call.
            group["stands"] = outcome["stands"]
        outcome = {key: value for key, value in outcome.items() if key != "after"}
        if group["failed"]:
            return
    if outcome.get("step"):
        told = ("step", "changed", "failed", "duration", "called_at", "done_at")
        group["steps"].append({name: outcome[name] for name in told if outcome.get(name) is not None})
    group["changed"] = group["changed"] or bool(outcome.get("changed"))
    if outcome.get("failed") or outcome.get("changed"):
        # What follows a failure is its remedy: the previous token is let in again.
        group["msg"] = f"{group['msg']} That was tried: {outcome.get('msg')}" if group["failed"] else outcome.get("msg")
    group["failed"] = group["failed"] or bool(outcome.get("failed"))
    after = outcome.get("after") or {}
    if after.get("transit_encryption_mode") and not after.get("possible_states"):
        access = "rbac" if after.get("user_group_ids") else "a token" if after.get("auth_token_enabled") else "open"
        group["stands"] = f"{access}, encryption in transit {after['transit_encryption_mode']}"
    if after.get("possible_states"):
        text = " or ".join(after["possible_states"])
        group["stands"] = text if after.get("mode", text) else f"unknown: {text}"
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
        filters: dict[str, Callable[..., Any]] = {
            "batch_groups": batch_groups,
            "due_groups": due_groups,
            "from_drawer": from_drawer,
            "groups_by_host": groups_by_host,
            "journey_brief": journey_brief,
            "journey_places": journey_places,
            "journey_report": journey_report,
            "own_groups": own_groups,
            "secret_names": secret_names,
            "spoken_for": spoken_for,
            "steps_ahead": steps_ahead,
            "steps_of_any": steps_of_any,
            "told_by_host": told_by_host,
            "token_of": token_of,
        }
        return {name: returning_untrusted(one) for name, one in filters.items()}
