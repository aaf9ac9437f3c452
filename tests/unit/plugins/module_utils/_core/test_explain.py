# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The messages, whole and word for word, so that whoever changes one reads all of them as a user does."""

from __future__ import annotations

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._core.evidence import UNKNOWN_TOKENS
from ansible_collections.elasticache.auth.plugins.module_utils._core.explain import describe, describe_all, refusal
from ansible_collections.elasticache.auth.plugins.module_utils._core.plan import (
    Consent,
    Hazard,
    NoPlan,
    Wish,
    WishKind,
    make_plan,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.states import (
    OPEN,
    CallKind,
    State,
    optional,
    rbac,
    required,
    rotating,
)

X = UNKNOWN_TOKENS[0]
NEW, OLD = "AWSPENDING", "AWSCURRENT"


def label(name: str) -> str:
    return "an unknown token" if name == X else f"the token in {name}"


def _message(states: set[State], wish: Wish, settle: tuple[str, ...] = (), **options: tuple[CallKind, ...]) -> str:
    no_plan = make_plan(states, wish, max_calls=1, **options)
    assert isinstance(no_plan, NoPlan)
    return refusal("orders", no_plan, wish, label, settle)


MESSAGES = [
    pytest.param(
        Hazard.PUSHES_OUT,
        rotating(X, OLD),
        Wish(WishKind.ACCEPT, NEW),
        "orders: ROTATE is refused: the group is rotating (an unknown token, then the token in AWSCURRENT); a group "
        "accepts two tokens at most, so ROTATE would push out an unknown token, and clients that still use it would "
        "be locked out. Way out: once every client has the token in AWSCURRENT, finish the rotation under way "
        "(auth_token_update_strategy: set, with that token), then repeat this one; or insist with force: true.",
        id="pushes out a token",
    ),
    pytest.param(
        Hazard.ENDS_UNAUTHENTICATED,
        optional(OLD),
        Wish(WishKind.ACCEPT, NEW),
        "orders: ROTATE is refused: the group is optional (the token in AWSCURRENT); clients without a token are "
        "served beside the token in AWSCURRENT, and ROTATE would refuse them at once: ElastiCache keeps two "
        "credentials, and 'no authentication' is the older one. Way out: once every client has the token in "
        "AWSCURRENT, require it (auth_token_update_strategy: set, with that token), then repeat this one; or insist "
        "with force: true.",
        id="ends unauthenticated access",
    ),
    pytest.param(
        Hazard.NOT_ROTATED_IN,
        required(OLD),
        Wish(WishKind.ONLY, NEW),
        "orders: SET is refused: the group is required (the token in AWSCURRENT); SET never introduces a token, and "
        "the token in AWSPENDING was not rotated in. Way out: rotate it in (auth_token_update_strategy: rotate), "
        "give it to every client, then repeat this one.",
        id="not rotated in",
    ),
    pytest.param(
        Hazard.NOT_NEWEST,
        rotating(NEW, OLD),
        Wish(WishKind.ONLY, NEW),
        "orders: SET is refused: the group is rotating (the token in AWSPENDING, then the token in AWSCURRENT); SET "
        "takes only the newest token, which is the token in AWSCURRENT. Way out: set the token in AWSCURRENT; or, "
        "to go back to the older one, set the token in AWSCURRENT and then rotate the older one in again (in "
        "between, clients with the older one are refused).",
        id="not the newest",
    ),
    pytest.param(
        Hazard.NOTHING_TO_SET,
        OPEN,
        Wish(WishKind.ONLY, NEW),
        "orders: SET is refused: the group is open; there is no token to set. Way out: rotate the token in "
        "(auth_token_update_strategy: rotate), give it to every client, then repeat this one.",
        id="nothing to set",
    ),
    pytest.param(
        Hazard.USER_GROUPS_ATTACHED,
        rbac("staff"),
        Wish(WishKind.ACCEPT, NEW),
        "orders: ROTATE is refused: the group is rbac (staff); user groups decide who is accepted, and AWS takes a "
        "token only together with their removal. Way out: leave RBAC with auth_token_update_strategy: rotate and "
        "remove_user_groups: true; the users' names and passwords are refused from then on, and until the following "
        "set unauthenticated access is allowed.",
        id="user groups attached",
    ),
    pytest.param(
        Hazard.OTHER_USER_GROUPS,
        rbac("staff"),
        Wish(WishKind.USER_GROUPS, user_groups=("guests",)),
        "orders: DELETE is refused: the group is rbac (staff); other user groups than the wanted ones are attached. "
        "Way out: change them with elasticache.auth.replication_group and its user_group_ids.",
        id="other user groups",
    ),
    pytest.param(
        Hazard.UNREACHABLE,
        required(OLD),
        Wish(WishKind.OPEN),
        "orders: the change is refused: the group is required (the token in AWSCURRENT); AWS takes a token away "
        "only together with attaching a user group. Way out: attach a user group (auth_token_update_strategy: "
        "delete, with user_group_ids), then take it away with elasticache.auth.replication_group and "
        "user_group_ids: [].",
        id="opening",
    ),
    pytest.param(
        Hazard.UNREACHABLE,
        rotating(OLD, NEW),
        Wish(WishKind.EXACT, state=optional(NEW)),
        "orders: the change is refused: the group is rotating (the token in AWSCURRENT, then the token in "
        "AWSPENDING); the calls that may be made here, and that AWS documents, do not lead there, or only if "
        "clients are refused or unauthenticated access is allowed meanwhile. Way out: go there step by step, with a "
        "task for each call (auth_token_update_strategy: rotate, set or delete of "
        "elasticache.auth.replication_group_auth); each says what it would break.",
        id="unreachable",
    ),
]


@pytest.mark.parametrize(("hazard", "state", "wish", "text"), MESSAGES)
def test_what_prevents_it(hazard: Hazard, state: State, wish: Wish, text: str) -> None:
    no_plan = make_plan({state}, wish, max_calls=1)
    assert isinstance(no_plan, NoPlan)
    assert [verdict.hazard for verdict in no_plan.verdicts] == [hazard]
    assert refusal("orders", no_plan, wish, label, ("this is not used",)) == text


@pytest.mark.parametrize(("hazard", "state", "wish", "text"), MESSAGES)
def test_a_step_of_an_operation_names_no_option_of_a_single_call(
    hazard: Hazard, state: State, wish: Wish, text: str
) -> None:
    """It has none of them; ``force`` of an operation is another one."""
    no_plan = make_plan({state}, wish, max_calls=1)
    assert isinstance(no_plan, NoPlan)
    told = refusal("orders", no_plan, wish, label, ("or insist with force: true",), "rotate_token")
    assert told.startswith("orders: rotate_token has stopped before ")
    reason = text.partition("; ")[2].partition(". Way out: ")[0]
    assert reason in told
    assert not [word for word in ("auth_token_update_strategy", "force", "remove_user_groups") if word in told]
    ways = {
        Hazard.USER_GROUPS_ATTACHED: "the role migrate_rbac_to_auth leads on from user groups.",
        Hazard.OTHER_USER_GROUPS: "change them with elasticache.auth.replication_group and its user_group_ids.",
    }
    again = "run rotate_token again: it plans anew from what the group accepts now, and says what leads on from there."
    assert told.partition(" Way out: ")[2] == ways.get(hazard, again)


def test_every_hazard_has_its_message() -> None:
    assert {parameters.values[0] for parameters in MESSAGES} == set(Hazard)


def test_uncertain_what_it_may_be_is_reported_with_what_would_settle_it() -> None:
    states = {required(OLD), required(X), rotating(X, OLD), rotating(OLD, X), optional(OLD)}
    settle = ("run where the nodes can be reached", "name the state in assume_state", "or insist with force: true")
    assert _message(states, Wish(WishKind.ACCEPT, NEW), settle) == (
        "orders: ROTATE is refused: what the group accepts is not known, and AWS never tells. It may be required "
        "(the token in AWSCURRENT) or required (an unknown token): the call would be right | optional (the token in "
        "AWSCURRENT): clients without a token are served beside the token in AWSCURRENT, and ROTATE would refuse "
        "them at once: ElastiCache keeps two credentials, and 'no authentication' is the older one | rotating (the "
        "token in AWSCURRENT, then an unknown token): a group accepts two tokens at most, so ROTATE would push out "
        "the token in AWSCURRENT, and clients that still use it would be locked out | rotating (an unknown token, "
        "then the token in AWSCURRENT): a group accepts two tokens at most, so ROTATE would push out an unknown "
        "token, and clients that still use it would be locked out. To settle it: run where the nodes can be "
        "reached; name the state in assume_state; or insist with force: true."
    )


def test_uncertain_whether_there_is_anything_to_do() -> None:
    assert _message({required(NEW), rotating(OLD, NEW)}, Wish(WishKind.ONLY, NEW), ("ask the nodes",)) == (
        "orders: SET is refused: what the group accepts is not known, and AWS never tells. It may be required (the "
        "token in AWSPENDING): there is nothing to do, and what a repeated SET does is documented nowhere | "
        "rotating (the token in AWSCURRENT, then the token in AWSPENDING): the call would be right. To settle it: "
        "ask the nodes."
    )


def test_uncertain_with_nothing_to_settle_it() -> None:
    text = _message({required(NEW), rotating(OLD, NEW)}, Wish(WishKind.ONLY, NEW))
    assert text.endswith("the call would be right.")


def test_uncertain_but_wrong_either_way() -> None:
    """Knowing more would not help, so it is not asked for."""
    assert _message({rotating(X, OLD), optional(OLD)}, Wish(WishKind.ACCEPT, NEW), ("this is not used",)) == (
        "orders: ROTATE is refused: the group is optional (the token in AWSCURRENT) or rotating (an unknown token, "
        "then the token in AWSCURRENT); clients without a token are served beside the token in AWSCURRENT, and "
        "ROTATE would refuse them at once: ElastiCache keeps two credentials, and 'no authentication' is the "
        "older one; or a group accepts two tokens at most, so ROTATE would push out an unknown token, and clients "
        "that still use it would be locked out. Way out: once every client has the token in AWSCURRENT, require it "
        "(auth_token_update_strategy: set, with that token), then repeat this one; once every client has the token "
        "in AWSCURRENT, finish the rotation under way (auth_token_update_strategy: set, with that token), then "
        "repeat this one; or insist with force: true."
    )


def test_uncertain_in_a_step_of_an_operation() -> None:
    no_plan = make_plan({required(NEW), rotating(OLD, NEW)}, Wish(WishKind.ONLY, NEW), max_calls=1)
    assert isinstance(no_plan, NoPlan)
    told = refusal("orders", no_plan, Wish(WishKind.ONLY, NEW), label, ("insist with force: true",), "rotate_token")
    assert "force" not in told
    assert told.endswith(
        "Way out: run rotate_token again: it plans anew from what the group accepts now, and says what "
        "leads on from there."
    )


def test_several_calls_are_more_than_one() -> None:
    no_plan = make_plan({required(OLD), optional(OLD)}, Wish(WishKind.EXACT, state=rotating(OLD, NEW)), max_calls=2)
    assert not isinstance(no_plan, NoPlan), "ROTATE does in both"
    wish = Wish(WishKind.ONLY, NEW, consent=Consent.all())
    no_plan = make_plan({required(OLD), rotating(OLD, NEW)}, wish)
    assert isinstance(no_plan, NoPlan)
    text = refusal("orders", no_plan, wish, label, ())
    assert "required (the token in AWSCURRENT): the calls would be right" in text
    assert "rotating (the token in AWSCURRENT, then the token in AWSPENDING): the call would be right" in text


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (OPEN, "open"),
        (optional(X), "optional (an unknown token)"),
        (required(OLD), "required (the token in AWSCURRENT)"),
        (rotating(OLD, NEW), "rotating (the token in AWSCURRENT, then the token in AWSPENDING)"),
        (rbac("guests", "staff"), "rbac (guests, staff)"),
    ],
)
def test_states_in_words(state: State, text: str) -> None:
    assert describe(state, label) == text


def test_several_states_in_words() -> None:
    assert describe_all([required("b"), OPEN, required("a")]) == "open or required (a) or required (b)"
