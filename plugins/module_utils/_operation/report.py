# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What happened to one group, for machines and in a line for people, over all calls of one operation. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .._core.client_connections import Client, Refused, refused_in_words
from .._core.operations import CUTOVERS, REMOVING_USER_GROUPS
from .._core.role_words import for_role

Report = dict[str, Any]

#: Of each step what the report keeps.
_OF_STEP = ("step", "changed", "failed", "duration", "called_at", "done_at", "refused_clients", "nodes_unheard")
#: The operations that may serve everyone for a while: for how long is reported.
_EXPOSING = ("migrate_rbac_to_auth", "rollback_token")
#: How the line of a plan's diff begins that says why a group is refused.
REFUSED = "  refused:       "
#: So many groups of a host a failure names; why they failed is in their lines, as Ansible shows this text twice.
_FAILURES_NAMED = 5


#: What an operation has come to once no step remains, and what the nodes then accept alone.
_ACHIEVED = {
    "rotate_token": ("token rotated", "the new token"),
    "enable_auth": ("AUTH enabled", "the token"),
    "enable_tls": ("encryption in transit enabled", ""),
    "migrate_rbac_to_auth": ("migrated from user groups to AUTH", "the token"),
    "migrate_auth_to_rbac": ("migrated from AUTH to user groups", ""),
    "disable_access_control": ("access control disabled", ""),
    "rollback_token": ("token rolled back", "the earlier token"),
}


def report_of(key: str, outcome: Mapping[str, Any], operation: str, before: Report | None = None) -> Report:
    """Return the report of a group from the module's outcome for it.

    ``before``: that of an earlier call of the same run, which is gone on from. Messages name the variables of the role
    in the place of the module's options.
    """
    report: Report = dict(before) if before else _begun(outcome, operation)
    report["api_calls"] = [*report["api_calls"], *(action.get("action") for action in outcome.get("api_calls") or ())]
    made = (*report["completed_steps"], *_moved(outcome, before), *(outcome.get("completed_steps") or ()))
    report["completed_steps"] = list(dict.fromkeys(made))  # users are looked at again after their client cutover
    report["cutover_stage"] = outcome.get("cutover_stage")
    report["changed"] = report["changed"] or bool(outcome.get("changed"))
    report["failed"] = bool(outcome.get("failed"))
    report["verified_nodes"] = outcome.get("verified_nodes") or 0
    report["duration"] = round(report.get("duration", 0.0) + (outcome.get("duration") or 0.0), 3)
    report["step_results"] = list(report["step_results"])
    for change in outcome.get("step_results") or ():
        report["step_results"].append({name: change[name] for name in _OF_STEP if change.get(name) is not None})
        if operation in _EXPOSING:
            _expose(report, change)
    _connect(report, outcome.get("client_connections"))
    # What a later call saw is newer, also where it made no step.
    report["current_state"] = outcome.get("current_state") or report.get("current_state", "")
    if report["failed"] or outcome.get("changed") or before is None:
        report["msg"] = for_role(str(outcome.get("msg") or ""), operation)
    report["line"] = _line(key, report, operation)
    return report


def _moved(outcome: Mapping[str, Any], before: Report | None) -> tuple[str, ...]:
    """Return the client cutover that tasks made after the call that stopped there; a time besides is a step."""
    stage = (before or {}).get("cutover_stage")
    return () if stage is None or stage in (outcome.get("planned_steps") or ()) else (stage,)


def planned_cutover(report: Mapping[str, Any]) -> str:
    """Return the first client cutover that remains by a group's plan; empty where there is none."""
    cutovers = {step.value for step in CUTOVERS}
    return next((step for step in report.get("planned_steps") or () if step in cutovers), "")


def _begun(outcome: Mapping[str, Any], operation: str) -> Report:
    since = {"open_since": outcome.get("open_since"), "exposure_seconds": None} if operation in _EXPOSING else {}
    return {
        "changed": False,
        "initial_state": outcome.get("initial_state") or outcome.get("current_state"),
        "evidence_summary": outcome.get("evidence_summary"),
        "secret_name": outcome.get("secret_name"),
        "users": [user["user_name"] for user in outcome.get("users") or () if not user.get("retains_access")],
        "planned_steps": list(outcome.get("planned_steps") or ()),
        "planned_calls": [f"{call['service']}:{call['action']}" for call in outcome.get("planned_calls") or ()],
        "completed_steps": [],
        "api_calls": [],
        "step_results": [],
        "duration": 0.0,
        **since,
    }


def _connect(report: Report, told: Mapping[str, Any] | None) -> None:
    """Take in what was seen of client connections, after what an earlier call saw."""
    if told:
        before = (report.get("client_connections") or {}).get("looks") or ()
        report["client_connections"] = {**told, "looks": [*before, *told["looks"]]}


def _left(report: Report) -> str:
    """Return sentences about the connections that were ended because they predate the new token, and about those that
    do by the last look; empty where there are none."""
    looks = (report.get("client_connections") or {}).get("looks") or ()
    ended = sum(look.get("ended") or 0 for look in looks)
    said = f" {ended} connection{' was' if ended == 1 else 's were'} ended before SET." if ended else ""
    last = looks[-1] if looks else {}
    told = last.get("predating") or (last.get("unheard") and last.get("connections"))
    return said + (f" {last['line'][0].upper()}{last['line'][1:]}." if told else "")


def _refused(report: Report) -> str:
    """Return a sentence about whom the nodes refused while they were monitored; empty where that is nobody."""
    told = [client for result in report["step_results"] for client in result.get("refused_clients") or ()]
    names = ("address", "user", "library", "library_version")
    clients = {Client(*(client.get(name) or "" for name in names)): client["refused"] for client in told}
    words = refused_in_words(Refused(clients))
    return f" {words}" if words else ""


def _expose(report: Report, change: Mapping[str, Any]) -> None:
    """Take note since when, and for how many seconds, everyone was served, at the most."""
    is_open = (change.get("after") or {}).get("unauthenticated_access")
    if is_open and report["open_since"] is None:
        report["open_since"] = change.get("called_at")
    closed_at = change.get("done_at")
    if is_open is False and None not in (report["open_since"], closed_at) and report["exposure_seconds"] is None:
        report["exposure_seconds"] = round(closed_at - report["open_since"], 1)


def _line(key: str, report: Report, operation: str) -> str:
    """Return what was achieved, in a line."""
    if report["failed"]:
        return str(report["msg"])
    exposure = report.get("exposure_seconds")
    more = f" Unauthenticated access was allowed for {exposure:g} s." if exposure is not None else ""
    if not report["api_calls"]:
        return (report["msg"] or f"{key}: nothing to do.") + more
    if report["users"] and set(REMOVING_USER_GROUPS) & set(report["completed_steps"]):
        more += f" These users have stopped working: {', '.join(report['users'])}."
    more += _left(report) + _refused(report)
    achieved, accepted = _ACHIEVED[operation]
    seen = f"current state: {report['current_state'] or report['initial_state']}"
    if report["cutover_stage"]:
        achieved = f"stopped at {report['cutover_stage']}"
    elif set(report["completed_steps"]) == {"update_record"}:
        achieved = "record brought up to date"
    elif accepted and report["verified_nodes"]:
        nodes = f"{report['verified_nodes']} of {report['verified_nodes']} nodes"
        seen = f"{'1 of 1 node accepts' if report['verified_nodes'] == 1 else f'{nodes} accept'} only {accepted}"
    return f"{key}: {achieved}; {seen} ({time_in_words(report['duration'])}).{more}"


def diff_for_role(entry: Mapping[str, Any], role: str) -> dict[str, Any]:
    """Return an entry of the module's diff as a role shows it: refusals name the role's variables, not options.

    A plan's has its lines in ``prepared``; those of calls that were made have none, and stay as they are.
    """
    if "prepared" not in entry:
        return dict(entry)
    lines = str(entry["prepared"]).split("\n")
    told = "\n".join(for_role(line, role) if line.startswith(REFUSED) else line for line in lines)
    return {**entry, "prepared": told}


def lines_of(reports: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the line of each report, what follows the group's id one below the other."""
    widest = max((len(report["replication_group_id"]) for report in reports), default=0) + 2
    lines = []
    for report in reports:
        begin = f"{report['replication_group_id']}: "
        line = str(report["line"])
        lines.append(f"{begin:<{widest}}{line.removeprefix(begin)}" if line.startswith(begin) else line)
    return lines


def sum_of(reports: Sequence[Mapping[str, Any]], planned: bool = False) -> str:
    """Return how many groups came to what, and which took longest; empty for a single one.

    ``planned``: in check mode, where nothing has been changed, and a plan's duration says nothing.
    """
    if len(reports) < 2:
        return ""
    outcomes = Counter(report["outcome"] for report in reports)
    counted = ", ".join(
        f"{number} {'to change' if planned and outcome == 'changed' else outcome}"
        for outcome, number in outcomes.most_common()
    )
    return f"{len(reports)} groups: {counted}.{'' if planned else slowest_of(reports)}"


def failure_of(reports: Sequence[Mapping[str, Any]]) -> str:
    """Return why a host fails, in one text: Ansible shows a list as JSON. Empty where none of its groups failed."""
    failed = [report for report in reports if report["failed"]]
    if len(failed) < 2:
        begin = f"1 of {len(reports)} groups failed. " if len(reports) > 1 else ""
        return "".join(f"{begin}{report['line']}" for report in failed)
    names = ", ".join(report["replication_group_id"] for report in failed[:_FAILURES_NAMED])
    rest = len(failed) - _FAILURES_NAMED
    more = f" and {rest} more" if rest > 0 else ""
    return f"{len(failed)} of {len(reports)} groups failed: {names}{more}. The lines above say why."


def slowest_of(reports: Sequence[Mapping[str, Any]]) -> str:
    """Return which group took longest, after a space; empty where none of several took any time."""
    slowest = max(reports, key=lambda report: report.get("duration") or 0.0, default=None)
    if slowest is None or len(reports) < 2 or not round(slowest.get("duration") or 0.0):
        return ""
    return f" Slowest: {slowest['replication_group_id']}, {time_in_words(slowest['duration'])}."


def time_in_words(seconds: float) -> str:
    """Return a duration in words."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{rest} s"


def unended(key: str, progress: Mapping[str, Any], before: Report | None = None) -> Report:
    """Return the report of a group on its way, of which only ``progress`` is known: its step, and whether it failed."""
    report = {"changed": False, "failed": False, "api_calls": [], **(before or {}), **progress, "unended": True}
    report["msg"] = f"{key}: it was at {progress['step']} when this was written, and the run had not ended."
    report["line"] = report["msg"]
    return report
