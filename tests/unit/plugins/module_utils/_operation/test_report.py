# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What is told of one group, over all calls of one operation."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._operation.report import Report, report_of, unended

ROTATE, LEAVE = "rotate_token", "migrate_rbac_to_auth"
REQUIRED, ROTATING = "required (the token in AWSCURRENT)", "rotating (a, then b)"


def outcome(*made: str, steps: str = "", changes: tuple[dict[str, Any], ...] = (), **members: Any) -> dict[str, Any]:
    """One outcome of the module auth_operation."""
    return {
        "changed": bool(made),
        "failed": False,
        "msg": "one: done." if made else "one: nothing to do. It is open.",
        "planned_steps": steps.split() or list(made),
        "planned_calls": [],
        "completed_steps": list(made),
        "step_results": list(changes),
        "api_calls": [{"step": step, "action": f"Do-{step}", "parameters": {}} for step in made],
        "initial_state": "open",
        "current_state": "open",
        "evidence_summary": "the API",
        "open_since": None,
        "secret_name": None,
        "users": [],
        "cutover_stage": None,
        **members,
    }


def change(step: str = "rotate", *, is_open: bool | None = None, **members: Any) -> dict[str, Any]:
    """What one step has changed. ``is_open``: whether everyone is served after it."""
    told = {"step": step, "changed": True, "failed": False, "duration": 1.0, "msg": "one: done."}
    return {**told, "after": {"possible_states": ["somewhere"], "unauthenticated_access": is_open}, **members}


def told(*outcomes: dict[str, Any], operation: str = ROTATE) -> Report:
    """The report after one call for each of the outcomes."""
    report: Report | None = None
    for one in outcomes:
        report = report_of("one", one, operation, report)
    assert report is not None
    return report


def stopped(*made: str, stage: str = "client_cutover", **members: Any) -> dict[str, Any]:
    """An outcome that stopped at a client cutover, with a SET to come."""
    return outcome(*made, steps=f"{' '.join(made)} {stage} set", cutover_stage=stage, **members)


# --- One call


def test_nothing_to_do_is_reported_in_the_words_of_the_plan() -> None:
    report = told(outcome())
    assert (report["changed"], report["failed"]) == (False, False)
    assert report["line"] == report["msg"] == "one: nothing to do. It is open."
    assert (report["initial_state"], report["current_state"], report["evidence_summary"]) == ("open", "open", "the API")


def test_without_a_word_of_the_plan_there_is_nothing_to_do() -> None:
    assert told(outcome(msg=""))["line"] == "one: nothing to do."


def test_what_was_done_is_reported_with_before_and_after() -> None:
    calls = [
        {"step": "rotate", "service": "elasticache", "action": "ModifyReplicationGroup", "parameters": {}},
        {"step": "promote", "service": "secretsmanager", "action": "UpdateSecretVersionStage", "parameters": {}},
    ]
    changes = (change("rotate", called_at=5.0, done_at=6.0, before="not kept"), change("promote", duration=None))
    report = told(
        outcome(
            "rotate", "promote", planned_calls=calls, changes=changes, initial_state=REQUIRED, current_state=ROTATING
        )
    )
    assert report["line"] == f"one: token rotated; current state: {ROTATING} (0 s)."
    assert (report["initial_state"], report["current_state"]) == (REQUIRED, ROTATING)
    assert report["changed"] is True
    assert report["api_calls"] == ["Do-rotate", "Do-promote"]
    assert report["planned_calls"] == ["elasticache:ModifyReplicationGroup", "secretsmanager:UpdateSecretVersionStage"]
    assert report["planned_steps"] == report["completed_steps"] == ["rotate", "promote"]
    assert report["step_results"] == [
        {"step": "rotate", "changed": True, "failed": False, "duration": 1.0, "called_at": 5.0, "done_at": 6.0},
        {"step": "promote", "changed": True, "failed": False},
    ]
    assert not {"open_since", "exposure_seconds"} & set(report)


@pytest.mark.parametrize(
    ("operation", "members", "line"),
    [
        (
            "rotate_token",
            {"verified_nodes": 2, "duration": 252.4},
            "token rotated; 2 of 2 nodes accept only the new token (4 min 12 s)",
        ),
        (
            "enable_auth",
            {"verified_nodes": 1, "duration": 59.6},
            "AUTH enabled; 1 of 1 node accepts only the token (1 min)",
        ),
        (
            "rollback_token",
            {"verified_nodes": 3, "duration": 7290.0},
            "token rolled back; 3 of 3 nodes accept only the earlier token (2 h 1 min)",
        ),
        (
            "enable_tls",
            {"current_state": "encryption in transit required"},
            "encryption in transit enabled; current state: encryption in transit required (0 s)",
        ),
        (
            "migrate_auth_to_rbac",
            {"current_state": "rbac (own)"},
            "migrated from AUTH to user groups; current state: rbac (own) (0 s)",
        ),
        (
            "migrate_rbac_to_auth",
            {"verified_nodes": 2},
            "migrated from user groups to AUTH; 2 of 2 nodes accept only the token (0 s)",
        ),
        ("disable_access_control", {}, "access control disabled; current state: open (0 s)"),
        (
            "rotate_token",
            {"verified_nodes": 2, "made": ["update_record"]},
            "record brought up to date; current state: open (0 s)",
        ),
    ],
)
def test_the_line_says_what_was_achieved(operation: str, members: dict[str, Any], line: str) -> None:
    made = members.pop("made", ["rotate", "set"])
    assert told(outcome(*made, **members), operation=operation)["line"] == f"one: {line}."


def test_the_time_is_that_of_all_stages() -> None:
    report = told(stopped("rotate", duration=61.0), outcome("set", duration=70.0, verified_nodes=2))
    assert report["line"] == "one: token rotated; 2 of 2 nodes accept only the new token (2 min 11 s)."
    assert (report["duration"], report["verified_nodes"]) == (131.0, 2)


def test_only_what_was_made_is_reported_as_made() -> None:
    """The rest of the plan is still to come."""
    report = told(stopped("stage", "rotate"))
    assert report["line"] == "one: stopped at client_cutover; current state: open (0 s)."
    assert report["planned_steps"] == ["stage", "rotate", "client_cutover", "set"]
    assert (report["completed_steps"], report["cutover_stage"]) == (["stage", "rotate"], "client_cutover")


def test_a_failure_is_reported_in_its_own_words() -> None:
    """Also where something was changed before it, and with what was tried after it."""
    said = "one: clients are refused. That was tried: one: ROTATE is refused."
    changes = (change("rotate"), change("monitor", failed=True))
    report = told(outcome("rotate", failed=True, changed=True, msg=said, changes=changes))
    assert (report["failed"], report["changed"]) == (True, True)
    assert report["line"] == report["msg"] == said
    assert [step["failed"] for step in report["step_results"]] == [False, True]


def test_a_refused_plan_is_a_failure() -> None:
    """It may have been refused before the group was looked at."""
    report = told(
        outcome(failed=True, msg="one: rotate_token is refused.", initial_state="", current_state="", steps="")
    )
    assert (report["failed"], report["changed"]) == (True, False)
    assert report["line"] == "one: rotate_token is refused."
    assert (report["initial_state"], report["current_state"], report["completed_steps"]) == ("", "", [])


def test_an_outcome_may_lack_what_was_never_found_out() -> None:
    report = told({"failed": True, "changed": False, "msg": "one: the module met an error."})
    assert report["line"] == "one: the module met an error."
    assert report["api_calls"] == report["step_results"] == report["planned_calls"] == report["users"] == []


@pytest.mark.parametrize(
    ("said", "reworded"),
    [
        ("one: max_token_age_days: -1 is not possible.", "one: rotate_token_max_token_age_days: -1 is not possible."),
        ("one: raise wait_timeout.", "one: raise rotate_token_wait_timeout."),
        ("one: AWS says {{ max }}.", "one: AWS says {{ max }}."),
    ],
)
def test_messages_name_the_variables_of_the_role(said: str, reworded: str) -> None:
    report = told(outcome(failed=True, msg=said))
    assert report["msg"] == report["line"] == reworded


# --- Several calls


def test_a_second_call_goes_on_from_the_first() -> None:
    begun = told(
        stopped("stage", "rotate", initial_state=REQUIRED, current_state=ROTATING, changes=(change("rotate"),))
    )
    ended = outcome(
        "set",
        initial_state=ROTATING,
        current_state=REQUIRED,
        changes=(change("set"),),
        evidence_summary="its nodes",
        planned_calls=[],
    )
    report = report_of("one", ended, ROTATE, begun)
    assert (report["initial_state"], report["current_state"], report["evidence_summary"]) == (
        REQUIRED,
        REQUIRED,
        "the API",
    )
    assert report["planned_steps"] == ["stage", "rotate", "client_cutover", "set"]
    # The tasks made the client cutover.
    assert report["completed_steps"] == ["stage", "rotate", "client_cutover", "set"]
    assert report["line"] == f"one: token rotated; current state: {REQUIRED} (0 s)."
    assert [step["step"] for step in report["step_results"]] == ["rotate", "set"]
    assert report["api_calls"] == ["Do-stage", "Do-rotate", "Do-set"]
    assert report["cutover_stage"] is None


def test_what_an_earlier_call_reported_is_left_as_it_was() -> None:
    begun = told(stopped("rotate", changes=(change(),)))
    kept = {name: list(value) if isinstance(value, list) else value for name, value in begun.items()}
    report_of("one", outcome("set", changes=(change("set"),), failed=True), ROTATE, begun)
    assert begun == kept


def test_a_time_besides_the_tasks_is_a_step_itself() -> None:
    report = told(stopped("rotate"), outcome("client_cutover", "set"))
    assert report["completed_steps"] == ["rotate", "client_cutover", "set"]


def test_users_that_are_looked_at_again_are_reported_once() -> None:
    report = told(
        stopped("users", stage="client_cutover_users"), outcome("users", "attach"), operation="migrate_auth_to_rbac"
    )
    assert report["completed_steps"] == ["users", "client_cutover_users", "attach"]


def test_two_client_cutovers_in_a_row() -> None:
    first, second = stopped("prefer_tls", stage="client_cutover_tls"), stopped("require_tls", "rotate")
    report = told(first, second, operation="enable_auth")
    assert report["completed_steps"] == ["prefer_tls", "client_cutover_tls", "require_tls", "rotate"]
    assert report["cutover_stage"] == "client_cutover"
    report = told(first, second, outcome("set"), operation="enable_auth")
    assert report["completed_steps"] == [
        "prefer_tls",
        "client_cutover_tls",
        "require_tls",
        "rotate",
        "client_cutover",
        "set",
    ]


def test_a_call_that_has_nothing_to_do_any_more_keeps_what_was_reported() -> None:
    begun = stopped("rotate", msg="one: rotated.", current_state=ROTATING)
    report = told(begun, outcome(msg="one: nothing to do.", current_state=REQUIRED))
    assert (report["changed"], report["failed"], report["msg"]) == (True, False, "one: rotated.")


def test_a_failure_after_the_client_cutover() -> None:
    """What was changed before it stays told, and where the group stands is what was seen last."""
    refusal = "one: rotate_token has stopped: somebody else changed the group."
    report = told(stopped("rotate", current_state=ROTATING), outcome(failed=True, msg=refusal, current_state=REQUIRED))
    assert (report["changed"], report["failed"]) == (True, True)
    assert (report["line"], report["current_state"], report["cutover_stage"]) == (refusal, REQUIRED, None)
    # Where it could not be looked at any more, that is what the call before saw.
    assert (
        told(stopped("rotate", current_state=ROTATING), outcome(failed=True, current_state=""))["current_state"]
        == ROTATING
    )


# --- For how long everyone was accepted


OPENED, CLOSED = change(is_open=True, called_at=100.0, done_at=110.0), {"called_at": 120.0, "done_at": 130.25}


@pytest.mark.parametrize(
    ("open_since", "calls", "since", "seconds"),
    [
        (None, [[OPENED, change("set", is_open=False, **CLOSED)]], 100.0, 30.2),
        # Over the client cutover, too.
        (None, [[OPENED], [change("set", is_open=False, **CLOSED)]], 100.0, 30.2),
        (None, [[OPENED], []], 100.0, None),
        (None, [[change(is_open=False, called_at=100.0, done_at=110.0)]], None, None),
        (50.0, [[change("set", is_open=False, **CLOSED)]], 50.0, 80.2),
        (50.0, [[OPENED], [change("set", is_open=False, **CLOSED)]], 50.0, 80.2),
        # What is not known is no end of it, and what comes after the end is no second one.
        (50.0, [[change(called_at=60.0, done_at=70.0), change("set", is_open=False, **CLOSED)]], 50.0, 80.2),
        (50.0, [[change("set", is_open=False, **CLOSED), change(is_open=False, done_at=190.0)]], 50.0, 80.2),
        (50.0, [[change("set", is_open=False, called_at=120.0, done_at=None)]], 50.0, None),
        (50.0, [[]], 50.0, None),
        (None, [[]], None, None),
    ],
)
@pytest.mark.parametrize("operation", [LEAVE, "rollback_token"])
def test_exposure(
    operation: str,
    open_since: float | None,
    calls: list[list[dict[str, Any]]],
    since: float | None,
    seconds: float | None,
) -> None:
    outcomes = [outcome("set", open_since=open_since, changes=tuple(changes)) for changes in calls]
    report = told(*outcomes, operation=operation)
    assert (report["open_since"], report["exposure_seconds"]) == (since, seconds)
    told_of = report["line"].partition(" Unauthenticated access was allowed for ")[2]
    assert told_of == ("" if seconds is None else f"{seconds:g} s.")


def test_an_access_that_was_ended_by_others_is_reported_too() -> None:
    """There was nothing left to do: the line says since when all the same."""
    closed = outcome(open_since=50.0, changes=(change("set", is_open=False, **CLOSED),))
    assert (
        told(closed, operation=LEAVE)["line"]
        == "one: nothing to do. It is open. Unauthenticated access was allowed for 80.2 s."
    )


def test_exposure_is_reported_only_where_it_may_be() -> None:
    report = told(outcome("rotate", open_since=50.0, changes=(OPENED, change("set", is_open=False, **CLOSED))))
    assert not {"open_since", "exposure_seconds"} & set(report)
    assert "allowed for" not in report["line"]


# --- Users that stop working

USERS = [
    {"user_name": "app", "retains_access": False},
    {"user_name": "default", "retains_access": True},
    {"user_name": "b", "retains_access": False},
]


@pytest.mark.parametrize("made", ["rotate", "rotate_current", "remove_user_groups"])
def test_users_that_have_stopped_working(made: str) -> None:
    report = told(outcome(made, users=USERS), operation=LEAVE)
    assert report["users"] == ["app", "b"]
    assert report["line"].endswith(" These users have stopped working: app, b.")


def test_users_that_would_stop_working_have_not() -> None:
    """Neither before the step that takes them away, nor where there is nobody."""
    report = told(stopped("stage", stage="client_cutover_before", users=USERS), operation=LEAVE)
    assert report["users"] == ["app", "b"]
    assert "stopped working" not in report["line"]
    assert "stopped working" not in told(outcome("rotate", users=USERS[1:2]), operation=LEAVE)["line"]
    report = report_of("one", outcome("rotate_current", "set"), LEAVE, report)
    assert "These users have stopped working: app, b." in report["line"]


# --- On its way


def progress(step: str = "rotate", **members: Any) -> dict[str, Any]:
    return {"step": step, "ended": False, "failed": False, **members}


def test_a_group_on_its_way() -> None:
    report = unended("one", progress())
    assert report["line"] == report["msg"] == "one: it was at rotate when this was written, and the run had not ended."
    assert (report["unended"], report["changed"], report["failed"], report["api_calls"]) == (True, False, False, [])
    assert unended("one", progress(failed=True))["failed"] is True


def test_a_group_under_way_keeps_what_an_earlier_call_reported() -> None:
    begun = told(stopped("rotate", current_state=ROTATING, secret_name="the/secret"))
    report = unended("one", progress("set"), begun)
    assert (report["changed"], report["current_state"], report["secret_name"]) == (True, ROTATING, "the/secret")
    assert report["api_calls"] == ["Do-rotate"]
    assert report["line"].startswith("one: it was at set ")
    assert "unended" not in begun


# --- Client connections


def seen(when: str, predating: int, line: str, **members: Any) -> dict[str, Any]:
    """What one call saw of client connections, in one look."""
    look = {
        "at": 1.0,
        "when": when,
        "connections": 9,
        "predating": predating,
        "ended": 0,
        "unheard": None,
        "line": line,
    }
    return {"client_connections": {"looks": [{**look, **members}], "clients": []}}


def test_looks_of_all_calls_are_told_and_the_last_one_in_the_line() -> None:
    left = "3 connections from 1 address predate the new token: h x3"
    first = stopped("rotate", **seen("client_cutover", 5, "5 connections predate"))
    report = told(first, outcome("set", verified_nodes=2, **seen("after", 3, left)))
    assert [look["predating"] for look in report["client_connections"]["looks"]] == [5, 3]
    assert report["line"] == f"one: token rotated; 2 of 2 nodes accept only the new token (0 s). {left}."


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (seen("before", 0, "no connection predates the new token"), ""),
        (seen("before", 0, "who knows", unheard="its nodes can't be reached", connections=0), ""),
        (seen("before", 0, "who knows; 1 of 2 nodes", unheard="1 of 2 nodes"), " Who knows; 1 of 2 nodes."),
        (seen("before", 0, "no connection predates", ended=1), " 1 connection was ended before SET."),
        (seen("before", 2, "2 predate", ended=3), " 3 connections were ended before SET. 2 predate."),
    ],
)
def test_where_nothing_is_left_the_line_says_nothing(look: dict[str, Any], words: str) -> None:
    report = told(outcome("set", verified_nodes=2, **look))
    assert report["line"] == f"one: token rotated; 2 of 2 nodes accept only the new token (0 s).{words}"


def test_whom_nodes_refused_is_told_of_the_monitors_step() -> None:
    refused = [{"address": "10.0.3.17", "refused": 3}]
    report = told(outcome("monitor", changes=(change("monitor", refused_clients=refused, nodes_unheard=None),)))
    assert report["step_results"][0]["refused_clients"] == refused
    assert "nodes_unheard" not in report["step_results"][0]


def test_whom_nodes_refused_is_told_in_the_line_also_below_the_limit() -> None:
    """It is who stays refused, and nothing else tells of it."""
    refused = [
        {"address": "10.0.3.17", "user": "default", "library": "jedis", "library_version": "5.1.2", "refused": 3}
    ]
    changes = (change("set"), change("monitor", refused_clients=refused))
    report = told(outcome("set", "monitor", verified_nodes=2, changes=changes))
    assert report["line"].endswith(" Its nodes refused 10.0.3.17 (jedis 5.1.2) x3.")
