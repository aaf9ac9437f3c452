# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The filters of the roles: which groups are due to a step, and what each host is told."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.elasticache.auth.plugins.filter.journeys import (
    FilterModule,
    batch_groups,
    due_groups,
    from_drawer,
    groups_by_host,
    journey_brief,
    journey_places,
    journey_report,
    own_groups,
    secret_names,
    steps_ahead,
    steps_of_any,
    told_by_host,
)


def planned(*steps: str, **members: Any) -> dict[str, Any]:
    """One outcome of the module auth_operation."""
    return {
        "changed": False,
        "failed": False,
        "msg": "one: nothing to do. It is open.",
        "steps": list(steps),
        "nodes_answer": True,
        "stands": "open",
        "on_evidence": "the API",
        "open_since": None,
        **members,
    }


def done(*actions: str, **members: Any) -> dict[str, Any]:
    """One outcome of a module that makes a step."""
    return {
        "changed": bool(actions),
        "failed": False,
        "msg": "one: done.",
        "actions": [{"action": action} for action in actions],
        **members,
    }


def result(**outcomes: dict[str, Any]) -> dict[str, Any]:
    return {"outcomes": outcomes}


def loop(*items: tuple[Any, dict[str, Any]]) -> dict[str, Any]:
    """What a loop over groups registers."""
    return {"results": [{"item": item, **one} for item, one in items]}


def after(*states: str, open_: bool | None = None) -> dict[str, Any]:
    return {"possible_states": list(states), "unauthenticated_access": open_}


def test_all_filters_are_there() -> None:
    assert set(FilterModule().filters()) >= {"batch_groups", "due_groups", "journey_report", "own_groups"}


# --- batch_groups


@pytest.mark.parametrize(
    ("hosts", "hostvars", "ids"),
    [
        ([], {}, []),
        (["one", "two"], {"one": {}, "two": {}}, ["one", "two"]),
        (["h1"], {"h1": {"replication_group_id": " Sessions "}}, ["sessions"]),
        (["ONE"], {"ONE": {}}, ["one"]),
        (["localhost"], {"localhost": {"replication_group_id": "one"}}, ["one"]),
    ],
)
def test_batch_groups(hosts: list[str], hostvars: dict[str, dict[str, Any]], ids: list[str]) -> None:
    assert batch_groups(hosts, hostvars) == ids


@pytest.mark.parametrize(
    ("hostvars", "words"),
    [
        ({"a": {}, "h_1": {}}, "^h_1: the name of the host, 'h_1', is not the id of a replication group.* Set the var"),
        ({"h": {"replication_group_id": "a,b"}}, "^h: replication_group_id, 'a,b', is not the id"),
        ({"h": {"replication_group_id": ["a", "b"]}}, "^h: replication_group_id, a list, is not the id"),
        ({"h": {"replication_group_id": {"a": 1}}}, "^h: replication_group_id, .* is not the id"),
        ({"h": {"replication_group_id": 5}}, "^h: replication_group_id, the number 5, is not the id"),
        ({"h": {"replication_group_id": None}}, "^h: replication_group_id, null, is not the id"),
        ({"h": {"replication_group_id": ""}}, "^h: replication_group_id, '', is not the id"),
    ],
)
def test_hosts_that_stand_for_no_group(hostvars: dict[str, dict[str, Any]], words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words):
        batch_groups(list(hostvars), hostvars)


def test_localhost_is_no_group() -> None:
    with pytest.raises(AnsibleFilterError, match="_replication_groups"):
        batch_groups(["localhost"], {"localhost": {}})


# --- due_groups

PLAN = result(one=planned("stage", "rotate"), two=planned("rotate", nodes_answer=False), three=planned())


@pytest.mark.parametrize(
    ("options", "due"),
    [
        ({"step": "stage"}, ["one"]),
        ({"step": "rotate"}, ["one", "two"]),
        ({"step": ["stage", "set"]}, ["one"]),
        ({"step": "set"}, []),
        ({"step": "rotate", "results": [result(one=done(failed=True))]}, ["two"]),
        ({"step": "rotate", "results": [result(one=done("x"))]}, ["one", "two"]),
        ({"step": "rotate", "results": [{}, {"skipped": True}, {"changed": False}]}, ["one", "two"]),
        ({"step": "rotate", "results": [loop(("two", {"failed": True}), ("one", {}))]}, ["one"]),
        ({"step": "rotate", "results": [loop(("one", {"failed": True}))]}, ["two"]),
        ({"step": "rotate", "without": ["ONE"]}, ["two"]),
        ({"step": "stage", "made": True}, []),
        ({"step": "stage", "made": True, "results": [result(one=done("x", made=["stage"]))]}, ["one"]),
        ({"step": "stage", "results": [result(one=done("x", made=["stage"]))]}, []),
    ],
)
def test_due_groups(options: dict[str, Any], due: list[str]) -> None:
    assert due_groups(PLAN, **options) == due


def test_a_group_without_a_plan_is_due_to_nothing() -> None:
    refused = result(one=planned(failed=True, steps=None), two=planned("rotate"))
    assert due_groups(refused, "rotate") == ["two"]


def test_a_plan_that_failed_as_a_whole_has_no_groups() -> None:
    assert due_groups({"failed": True, "msg": "no credentials"}, "rotate") == []


# --- own_groups


@pytest.mark.parametrize(
    ("host", "variables", "own"),
    [
        ("two", {}, ["two"]),
        ("h1", {"replication_group_id": "One"}, ["one"]),
        ("bastion", {}, ["one", "two", "three"]),
    ],
)
def test_own_groups(host: str, variables: dict[str, Any], own: list[str]) -> None:
    assert own_groups(PLAN, host, {host: variables}) == own


# --- journey_report


def report(plan: dict[str, Any], results: list[dict[str, Any]], *ids: str, exposure: bool = False) -> dict[str, Any]:
    return journey_report(plan, results, ids or ("one",), exposure)


def test_nothing_to_do_is_told_in_the_words_of_the_plan() -> None:
    told = report(result(one=planned()), [{}])
    assert (told["changed"], told["failed"]) == (False, False)
    assert told["lines"] == ["one: nothing to do. It is open."]


def test_what_was_done_is_told_with_before_and_after() -> None:
    plan = result(one=planned("rotate", "promote", stands="required (a)"))
    rotated = result(one=done("ModifyReplicationGroup", after=after("rotating (a, b)")))
    promoted = result(one=done("UpdateSecretVersionStage", "UpdateSecretVersionStage"))
    told = report(plan, [rotated, promoted])
    assert told["changed"] is True
    (line,) = told["lines"]
    assert line.startswith("one: ")
    for words in ("rotating (a, b)", "required (a)", "rotate, promote"):
        assert words in line
    group = told["groups"]["one"]
    assert group["actions"] == ["ModifyReplicationGroup", "UpdateSecretVersionStage", "UpdateSecretVersionStage"]
    assert (group["stood"], group["evidence"], group["stands"]) == ("required (a)", "the API", "rotating (a, b)")
    assert "doors" not in group


def test_an_uncertain_state_is_told_as_such() -> None:
    told = report(result(one=planned("rotate")), [result(one=done("X", after=after("required (a)", "optional (a)")))])
    assert told["groups"]["one"]["stands"] == "required (a) or optional (a)"
    unseen = after("required (a)", "rotating (a, b)") | {"mode": None}
    told = report(result(one=planned("rotate")), [result(one=done("X", failed=True, after=unseen))])
    assert told["groups"]["one"]["stands"] == "unknown: required (a) or rotating (a, b)"


def test_a_failure_is_told_with_what_was_tried_after_it() -> None:
    first = result(one=done("X", failed=True, msg="one: clients are refused."))
    second = result(one=done(failed=True, msg="one: ROTATE is refused."))
    told = report(result(one=planned("rotate", "set")), [first, second])
    assert (told["failed"], told["changed"]) == (True, True)
    assert told["lines"] == ["one: clients are refused. That was tried: one: ROTATE is refused."]


def test_a_refused_plan_is_a_failure() -> None:
    told = report(result(one=planned(failed=True, msg="one: rotate_token is refused.")), [])
    assert (told["failed"], told["changed"]) == (True, False)
    assert told["lines"] == ["one: rotate_token is refused."]


def test_each_host_is_told_of_its_own_groups_only() -> None:
    plan = result(one=planned("rotate"), two=planned("rotate"))
    told = report(plan, [result(one=done("X"), two=done(failed=True, msg="two: no."))], "one")
    assert list(told["groups"]) == ["one"]
    assert told["failed"] is False


def test_ids_that_were_not_planned_are_left_out() -> None:
    assert report(result(one=planned()), [], "one", "other")["lines"] == ["one: nothing to do. It is open."]


@pytest.mark.parametrize("said", ["the region is gone.", "one: the region is gone."])
def test_a_failure_in_a_loop_names_its_group(said: str) -> None:
    told = report(result(one=planned("users")), [loop(("one", {"failed": True, "msg": said}))])
    assert told["lines"] == ["one: the region is gone."]


def test_loops_over_groups_count_too_and_skipped_items_do_not() -> None:
    plan = result(one=planned("users"), two=planned("users"))
    users = loop(
        ("one", {"changed": True, "failed": False, "msg": "made", "actions": [{"action": "CreateUser"}]}),
        ("two", {"changed": True, "skipped": True}),
    )
    told = report(plan, [users], "one", "two")
    assert told["groups"]["one"]["actions"] == ["CreateUser"]
    assert told["groups"]["two"]["changed"] is False


def door(open_: bool | None, called: float | None, ended: float | None) -> dict[str, Any]:
    return result(one=done("X", after=after("somewhere", open_=open_), called_at=called, done_at=ended))


@pytest.mark.parametrize(
    ("open_since", "results", "seconds"),
    [
        (None, [door(True, 100.0, 110.0), door(False, 120.0, 130.25)], 30.2),
        (None, [door(True, 100.0, 110.0)], None),
        (None, [door(False, 100.0, 110.0)], None),
        (50.0, [door(False, 120.0, 130.0)], 80.0),
        (50.0, [door(None, 60.0, 70.0), door(False, 120.0, 130.0)], 80.0),
        (None, [], None),
    ],
)
def test_exposure(open_since: float | None, results: list[dict[str, Any]], seconds: float | None) -> None:
    told = report(result(one=planned("set", open_since=open_since)), results, exposure=True)
    assert told["groups"]["one"]["exposure_seconds"] == seconds
    assert ("Everyone was let in for" in told["lines"][0]) == (seconds is not None)


def test_exposure_is_told_only_where_it_is_asked_for() -> None:
    told = report(result(one=planned("set")), [door(True, 100.0, 110.0), door(False, 120.0, 130.0)])
    assert "exposure_seconds" not in told["groups"]["one"]


# --- steps_ahead


@pytest.mark.parametrize(
    ("options", "ahead"),
    [
        ({"steps": ["stage", "rotate", "prove"]}, {"one": ["stage", "rotate", "prove"], "two": ["rotate"]}),
        ({"steps": ["stage", "rotate"], "until": "rotate"}, {"one": ["stage"]}),
        ({"steps": ["stage", "rotate"], "until": "set"}, {"one": ["stage", "rotate"], "two": ["rotate"]}),
        ({"steps": ["rotate"], "without": ["One"]}, {"two": ["rotate"]}),
        ({"steps": ["rotate"], "results": [result(two=done(failed=True))]}, {"one": ["rotate"]}),
        ({"steps": ["stage", "rotate"], "results": [result(one=done("x", made=["stage"]))]}, None),
    ],
)
def test_steps_ahead(options: dict[str, Any], ahead: dict[str, list[str]] | None) -> None:
    plan = result(
        one=planned("stage", "rotate", "prove"),
        two=planned("rotate", "prove", nodes_answer=False),
        three=planned(),
        four=planned("stage", failed=True),
    )
    expected = {"one": ["rotate"], "two": ["rotate"]} if ahead is None else ahead
    assert steps_ahead(plan, **options) == expected


def test_what_the_plans_own_call_made_is_behind() -> None:
    plan = result(one=planned("stage", "rotate", "clients", "set", made=["stage", "rotate"]))
    assert due_groups(plan, "rotate") == []
    assert due_groups(plan, "rotate", made=True) == ["one"]
    assert steps_ahead(plan, ["stage", "set"]) == {"one": ["set"]}


def test_a_call_that_made_several_steps_is_told_step_by_step() -> None:
    changes = [
        {"step": "stage", "changed": True, "failed": False, "msg": "one: staged.", "duration": 1.0},
        {"step": "rotate", "changed": True, "msg": "one: done.", "after": after("rotating (a, b)"), "called_at": 5.0},
    ]
    actions = [
        {"step": step["step"], "action": action} for step, action in zip(changes, ("Put", "Modify"), strict=True)
    ]
    now = {"stood": "open", "stands": "rotating (b, c), by its labels now", "made": ["stage", "rotate"]}
    plan = result(one=planned("stage", "rotate", "set", changes=changes, actions=actions, **now))
    failed = result(one=done(failed=True, msg="one: no.", changes=[]))
    told = report(plan, [failed])
    group = told["groups"]["one"]
    assert group["actions"] == ["Put", "Modify"]
    assert [step["step"] for step in group["steps"]] == ["stage", "rotate"]
    assert (group["changed"], group["failed"], group["msg"]) == (True, True, "one: no.")
    assert (group["stood"], group["stands"]) == ("open", "rotating (b, c), by its labels now")


# --- journey_places

WEST, EAST = {"elasticache_region": "us-west-2"}, {"elasticache_region": "us-east-1"}


@pytest.mark.parametrize(
    ("ids", "hostvars", "places"),
    [
        (["a", "B"], {"localhost": {}}, [("", "", ["localhost"], ["a", "b"])]),
        (["a"], {"a": WEST, "b": WEST}, [("us-west-2", "", ["a", "b"], ["a"])]),
        (
            ["a", "a", "b"],
            {
                "h1": {**WEST, "replication_group_id": "a"},
                "h2": {**EAST, "replication_group_id": "a"},
                "h3": {**EAST, "replication_group_id": "b", "elasticache_assume_role_arn": "arn:x"},
            },
            [
                ("us-west-2", "", ["h1"], ["a"]),
                ("us-east-1", "", ["h2"], ["a"]),
                ("us-east-1", "arn:x", ["h3"], ["b"]),
            ],
        ),
        ([], {}, []),
        ([], {"localhost": {}}, [("", "", ["localhost"], [])]),
        ("Carts", {"localhost": {}}, [("", "", ["localhost"], ["carts"])]),
        (
            [{"region": "us-west-2", "replication_group_ids": "Carts"}],
            {"localhost": {}},
            [("us-west-2", "", ["localhost"], ["carts"])],
        ),
        (
            ["a", {"region": "us-west-2", "replication_group_ids": ["A", "b"]}, "c"],
            {"localhost": {}},
            [("", "", ["localhost"], ["a", "c"]), ("us-west-2", "", ["localhost"], ["a", "b"])],
        ),
        (
            [
                {"region": "us-west-2", "replication_group_ids": ["a"]},
                {"assume_role_arn": "arn:x", "replication_group_ids": ["b"]},
                {"region": "us-east-1", "replication_group_ids": ["c"]},
            ],
            {"h": EAST},
            [
                ("us-east-1", "", ["h"], ["c"]),
                ("us-west-2", "", ["h"], ["a"]),
                ("us-east-1", "arn:x", ["h"], ["b"]),
            ],
        ),
    ],
)
def test_journey_places(ids: str | list[Any], hostvars: dict[str, Any], places: list[tuple[Any, ...]]) -> None:
    found = journey_places(ids, list(hostvars), hostvars)
    assert [
        (*(one["at"][name] for name in ("region", "assume_role_arn")), one["hosts"], one["at"]["replication_group_ids"])
        for one in found
    ] == places


@pytest.mark.parametrize(
    ("entry", "hosts", "words"),
    [
        ({"region": "us-west-2"}, ["localhost"], "us-west-2: replication_group_ids is missing"),
        (
            {"replication_group_ids": "a,b"},
            ["localhost"],
            r"an entry without a region: replication_group_ids: 'a,b' is not the id .* Pass a list: \[a, b\]\.$",
        ),
        ({"replication_group_ids": {"a": 1}}, ["localhost"], "replication_group_ids: a dictionary is not a list"),
        (["a"], ["localhost"], "rotate_token_replication_groups: a list in it is not the id of a replication group"),
        (None, ["localhost"], "rotate_token_replication_groups: null in it is not the id of a replication group"),
        (
            {"region": "us-west-2", "replication_group_ids": []},
            ["localhost"],
            "us-west-2: replication_group_ids is missing",
        ),
        (
            {"region": "us-west-2", "ids": ["a"]},
            ["localhost"],
            "us-west-2: it has ids. An entry is an id, or the groups of",
        ),
        (
            {"region": "us-west-2", "replication_group_ids": ["a"]},
            ["a", "b"],
            "us-west-2 is named there, but 2 hosts are in the play, .* Give ids only, or run the play on localhost.",
        ),
    ],
)
def test_entries_that_make_no_sense(entry: Any, hosts: list[str], words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words):
        journey_places([entry], hosts, {host: {} for host in hosts}, "rotate_token_replication_groups")


@pytest.mark.parametrize("given", ["a,b", "a b", "", '["a", "b"]', None, 5, {"a": 1}, True])
def test_what_is_no_list_of_groups(given: Any) -> None:
    """Least of all is a text taken for a sequence of letters."""
    with pytest.raises(AnsibleFilterError, match=r"^rotate_token_replication_groups: .* Pass a list: "):
        journey_places(given, ["localhost"], {"localhost": {}}, "rotate_token_replication_groups")


# --- What all hosts need, found out once


def test_what_each_host_tells() -> None:
    """A host that stands for a group tells of that; one that stands for none, of all."""
    plan = result(one=planned("rotate"), two=planned("rotate"))
    whole = report(plan, [result(one=done("X"), two=done(failed=True, msg="two: no."))], "one", "two")
    hostvars = {"h1": {"replication_group_id": "One"}, "two": {}, "bastion": {}}
    told = told_by_host(whole, hostvars, hostvars)
    assert {host: counted(told, host) for host in hostvars} == {
        "h1": (True, False, 1),
        "two": (False, True, 1),
        "bastion": (True, True, 2),
    }
    # Elsewhere there are others, of which one is like the first, and the host that stands for none tells of all.
    elsewhere = report(result(one=planned(), six=planned()), [], "one", "six")
    more = {"h6": {"replication_group_id": "six"}, "bastion": {}}
    both = told_by_host(elsewhere, more, more, told)
    assert {host: counted(both, host) for host in ("h1", "two", "h6", "bastion")} == {
        "h1": (True, False, 1),
        "two": (False, True, 1),
        "h6": (False, False, 1),
        "bastion": (True, True, 4),
    }
    assert counted(told, "bastion") == (True, True, 2)


def counted(told: dict[str, dict[str, Any]], host: str) -> tuple[bool, bool, int]:
    one = from_drawer(told, host)
    return one["changed"], one["failed"], len(one["lines"])


def test_a_brief_plan_comes_to_the_same() -> None:
    change = {**done("X", after=after("somewhere", open_=False), called_at=1.0, done_at=2.0), "step": "rotate"}
    plan = result(
        one=planned("rotate", "clients", made=["rotate"], changes=[change], actions=[{"action": "X", "parameters": {}}])
        | {"calls": [{"step": "rotate"}], "evidence": {"nodes": []}, "before": after("elsewhere"), "users": []},
        two=planned(failed=True, msg="two: no."),
    )
    brief = journey_brief(plan)
    assert report(brief, [], "one", "two") == report(plan, [], "one", "two")
    assert steps_ahead(brief, ["clients"]) == steps_ahead(plan, ["clients"]) == {"one": ["clients"]}
    assert brief["outcomes"]["one"]["actions"] == [{"action": "X"}]
    assert not {"calls", "evidence", "before"} & set(brief["outcomes"]["one"])


def test_what_is_in_drawers_is_found_again() -> None:
    hosts: dict[str, dict[str, Any]] = {f"host-{number}": {} for number in range(1000)}
    whole = report(result(**{host: planned(msg=host) for host in hosts}), [], *hosts)
    drawers = told_by_host(whole, hosts, hosts)
    assert max(len(drawers), *(len(drawer) for drawer in drawers.values())) < 100
    assert {host: from_drawer(drawers, host)["lines"] for host in hosts} == {host: [host] for host in hosts}
    assert from_drawer(drawers, "nobody") == from_drawer({}, "host-1") == {}


def test_whose_turn_it_is_by_host() -> None:
    plan = result(one=planned("clients"), two=planned("clients"), three=planned())
    hostvars: dict[str, dict[str, Any]] = {"one": {}, "three": {}, "bastion": {}}
    assert groups_by_host(["one", "two"], plan, hostvars, hostvars) == {
        "one": ["one"],
        "three": [],
        "bastion": ["one", "two"],
    }


def test_steps_of_any() -> None:
    plan = result(
        one=planned("stage", "clients", made=["stage"]),
        two=planned("users"),
        three=planned("set", failed=True),
    )
    assert steps_of_any(plan) == ["clients", "users"]


def test_secret_names() -> None:
    assert secret_names({"one": {"secret_name": "s"}, "two": {}}) == {"one": "s", "two": None}
