# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""From the labels of a secret, and what it holds, to the calls that are left to make."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._aws.secrets import (
    ABANDONED,
    CREATE,
    CURRENT,
    LABEL,
    PENDING,
    PREVIOUS,
    PUT,
    Secret,
    SecretCall,
    next_version_id,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._secret.secret_plan import (
    Creation,
    Goal,
    SecretOrder,
    SecretPlan,
    SecretRequest,
    decide,
    given_token,
    names_of,
    unread,
)

A = "Aaquae7Zooph3yahTheiV1ee-old"
B = "Beengo9ooRaeShahfah2Ieyi-new"
C = "Ceihoo4EiquaivohSh8eTheo-3rd"
REGION = "us-east-1"
ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:s-AbCdEf"


def wanted(goal: Goal, **more: Any) -> SecretRequest:
    """What is wanted of the secret ``s``; a random token is C."""
    return SecretRequest("sessions", "s", goal, **{"token": C if goal is Goal.STAGED else "", **more})


def secret(current: str | None = None, pending: str | None = None, **labels: str) -> Secret:
    """A bare secret: what its versions v1 in AWSCURRENT and v2 in AWSPENDING hold, unless ``labels`` say otherwise."""
    texts = {CURRENT: current, PENDING: pending}
    texts = {stage: text for stage, text in texts.items() if text is not None}
    own = {CURRENT: "v1", PENDING: "v2"}
    return Secret(ARN, {**{stage: own[stage] for stage in texts}, **labels}, texts)


def calls(plan: SecretPlan) -> list[tuple[Any, ...]]:
    """The calls of a plan, in short."""
    short: list[tuple[Any, ...]] = []
    for call in plan.calls:
        members = call.parameters
        if call.action == LABEL:
            short.append((members["VersionStage"], members.get("RemoveFromVersionId"), members.get("MoveToVersionId")))
        else:
            short.append((call.action, members.get("SecretString"), *members.get("VersionStages", [])))
    return short


UNLABEL_2 = (PENDING, "v2", None)
STAGE_C = (PUT, C, PENDING)


@pytest.mark.parametrize(
    ("goal", "found", "expected"),
    [
        pytest.param(Goal.STAGED, secret(A), [STAGE_C], id="stage"),
        pytest.param(Goal.STAGED, secret("not a token"), [STAGE_C], id="stage-over-a-placeholder"),
        pytest.param(Goal.STAGED, secret(A, B), [], id="staged-already"),
        pytest.param(Goal.STAGED, secret(A, A), [STAGE_C], id="the-same-token-is-a-leftover"),
        pytest.param(
            Goal.STAGED,
            secret(B, B, AWSCURRENT="v2", AWSPREVIOUS="v1"),
            [STAGE_C],
            id="a-promotion-that-was-cut-off-is-a-leftover",
        ),
        pytest.param(Goal.STAGED, secret(B, B, AWSCURRENT="v2"), [], id="a-first-version-has-both-labels"),
        pytest.param(Goal.PROMOTED, secret(A, B), [(CURRENT, "v1", "v2"), UNLABEL_2], id="promote"),
        pytest.param(Goal.PROMOTED, secret("", B), [(CURRENT, "v1", "v2"), UNLABEL_2], id="promote-over-nothing"),
        pytest.param(Goal.PROMOTED, secret("x", B), [(CURRENT, "v1", "v2"), UNLABEL_2], id="promote-over-anything"),
        pytest.param(
            Goal.PROMOTED, Secret(ARN, {CURRENT: "v2", PENDING: "v2"}), [UNLABEL_2], id="complete-a-promotion"
        ),
        pytest.param(
            Goal.PROMOTED,
            secret(B, B, AWSPREVIOUS="v0"),
            [UNLABEL_2],
            id="the-same-token-does-not-cost-the-previous-one",
        ),
        pytest.param(Goal.PROMOTED, secret(A), [], id="nothing-to-promote"),
        pytest.param(Goal.DISCARDED, secret(A, "any/thing"), [UNLABEL_2], id="discard"),
        pytest.param(Goal.DISCARDED, Secret(ARN, {PENDING: "v2"}), [UNLABEL_2], id="discard-a-version-without-value"),
        pytest.param(Goal.DISCARDED, secret(A), [], id="nothing-to-discard"),
        pytest.param(Goal.DISCARDED, Secret(ARN, {}), [], id="nothing-to-discard-at-all"),
    ],
)
def test_what_is_left_to_do(goal: Goal, found: Secret, expected: list[tuple[Any, ...]]) -> None:
    plan = decide(wanted(goal), found, REGION)
    assert calls(plan) == expected
    assert ("was" in plan.message("sessions", "was")) == bool(expected)


#: A rotation from A to B is over: v1 holds A, v2 holds B.
ROTATED = Secret(ARN, {CURRENT: "v2", PREVIOUS: "v1"}, {CURRENT: B, PREVIOUS: A})
MARK, BACK_1, UNMARK = (ABANDONED, None, "v2"), (PENDING, None, "v1"), (ABANDONED, "v2", None)


def having(found: Secret, **labels: str | None) -> Secret:
    """A secret with other labels, those that are ``None`` taken off; ``marked`` stands for our own label."""
    given = {ABANDONED if stage == "marked" else stage: version for stage, version in labels.items()}
    return replace(found, labels={stage: v for stage, v in {**found.labels, **given}.items() if v})


@pytest.mark.parametrize(
    ("goal", "found", "expected"),
    [
        pytest.param(Goal.BACK, ROTATED, [MARK, BACK_1], id="back"),
        pytest.param(Goal.BACK, having(ROTATED, marked="v2"), [BACK_1], id="marked-already"),
        pytest.param(Goal.BACK, having(ROTATED, AWSPENDING="v1"), [MARK], id="staged-already-by-hand"),
        pytest.param(Goal.BACK, having(ROTATED, marked="v2", AWSPENDING="v1"), [], id="marked-and-staged"),
        pytest.param(
            Goal.BACK,
            Secret(ARN, {CURRENT: "v1", PENDING: "v1", PREVIOUS: "v2", ABANDONED: "v2"}),
            [],
            id="promotion-cut-off",
        ),
        pytest.param(Goal.BACK, Secret(ARN, {CURRENT: "v1", PREVIOUS: "v2", ABANDONED: "v2"}), [], id="promoted"),
        pytest.param(Goal.BACK, Secret(ARN, {CURRENT: "v1", ABANDONED: "v2"}), [], id="abandoning-cut-off"),
        pytest.param(
            Goal.BACK,
            replace(ROTATED, texts={CURRENT: "{no token", PREVIOUS: A}),
            [MARK, BACK_1],
            id="back-from-what-nobody-understands",
        ),
        pytest.param(
            Goal.ABANDONED,
            Secret(ARN, {CURRENT: "v1", PREVIOUS: "v2", ABANDONED: "v2"}),
            [(PREVIOUS, "v2", None), UNMARK],
            id="abandon",
        ),
        pytest.param(
            Goal.ABANDONED, Secret(ARN, {CURRENT: "v1", ABANDONED: "v2"}), [UNMARK], id="complete-an-abandoning"
        ),
        pytest.param(
            Goal.ABANDONED,
            Secret(ARN, {CURRENT: "v3", PREVIOUS: "v1", ABANDONED: "v2"}),
            [UNMARK],
            id="awsprevious-is-another-s",
        ),
        pytest.param(
            Goal.ABANDONED,
            Secret(ARN, {CURRENT: "v1", PENDING: "v3", PREVIOUS: "v2", ABANDONED: "v2"}),
            [(PREVIOUS, "v2", None), UNMARK],
            id="another-token-is-staged-meanwhile",
        ),
        pytest.param(Goal.ABANDONED, ROTATED, [], id="nothing-to-abandon"),
        pytest.param(
            Goal.DISCARDED,
            having(ROTATED, AWSPENDING="v1", marked="v2"),
            [(PENDING, "v1", None), UNMARK],
            id="give-the-way-back-up",
        ),
        pytest.param(Goal.DISCARDED, having(ROTATED, marked="v2"), [UNMARK], id="complete-giving-it-up"),
        pytest.param(
            Goal.DISCARDED,
            Secret(ARN, {CURRENT: "v1", PENDING: "v3", ABANDONED: "v2"}),
            [(PENDING, "v3", None)],
            id="the-mark-of-one-that-was-left-stays",
        ),
        pytest.param(Goal.PROMOTED, having(ROTATED, marked="v2"), [], id="nothing-staged-yet-to-go-back"),
        pytest.param(Goal.CLEARED, Secret(ARN, {}), [], id="an-empty-secret-has-no-token"),
    ],
)
def test_back_and_away(goal: Goal, found: Secret, expected: list[tuple[Any, ...]]) -> None:
    plan = decide(wanted(goal), found, REGION)
    assert calls(plan) == expected
    assert bool(plan.deed) == bool(expected)
    assert "{" not in plan.message("sessions", "was")


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        (f'{{"k": "{A}", "n": 1.0}}', {}, [(PUT, '{"k": "", "n": 1.0}', CURRENT)]),
        ('{"k": "no token"}', {PREVIOUS: "v0"}, [(PUT, '{"k": ""}', CURRENT)]),
        (f'{{"k": "{A}"}}', {PENDING: "v1"}, [(PENDING, "v1", None), (PUT, '{"k": ""}', CURRENT)]),
        ('{"k": ""}', {}, []),
        ('{"k": ""}', {PENDING: "v1"}, []),
        (f'{{"k": "{A}"}}', {ABANDONED: "v0"}, [(PUT, '{"k": ""}', CURRENT)]),
    ],
)
def test_clearing(text: str, labels: dict[str, str], expected: list[tuple[Any, ...]]) -> None:
    found = Secret(ARN, {CURRENT: "v1", **labels}, {CURRENT: text})
    plan = decide(wanted(Goal.CLEARED, key="k"), found, REGION)
    assert calls(plan) == expected
    if expected:
        assert plan.calls[-1].version_id == next_version_id(ARN, found.labels)
        again = replace(wanted(Goal.CLEARED, key="k"), attempt=1)
        assert decide(again, found, REGION).calls[-1].version_id == next_version_id(ARN, found.labels, 1)


@pytest.mark.parametrize(
    ("found", "token", "expected"),
    [
        pytest.param(secret(A), B, [(PUT, B, PENDING)], id="stage"),
        pytest.param(secret(A, B), B, [], id="staged-already"),
        pytest.param(secret(B), B, [], id="promoted-already"),
        pytest.param(secret(B, B), B, [], id="promoted-already-with-a-leftover"),
        pytest.param(secret(A, A), B, [(PUT, B, PENDING)], id="in-the-place-of-a-leftover"),
        pytest.param(secret(B, AWSPREVIOUS="v0"), A, [(PUT, A, PENDING)], id="back-to-an-earlier-one"),
    ],
)
def test_a_token_of_the_callers(found: Secret, token: str, expected: list[tuple[Any, ...]]) -> None:
    assert calls(decide(wanted(Goal.STAGED, token=token, given=True), found, REGION)) == expected


@pytest.mark.parametrize("current", [A, B])
def test_a_token_that_may_be_in_force_is_not_replaced(current: str) -> None:
    with pytest.raises(AuthError, match="AWSPENDING of the secret s holds another token than the one given"):
        decide(wanted(Goal.STAGED, token=B, given=True), secret(current, C), REGION)


def test_a_new_secret() -> None:
    creation = Creation("d", "alias/k", {"b": "2", "a": "1"})
    bare = decide(wanted(Goal.STAGED, creation=creation), None, REGION)
    assert calls(bare) == [(CREATE, None), (PUT, C, CURRENT, PENDING)]
    assert bare.calls[0].parameters == {
        "Name": "s",
        "Description": "d",
        "KmsKeyId": "alias/k",
        "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
    }
    keyed = decide(wanted(Goal.STAGED, creation=Creation(), key="k"), None, REGION)
    assert calls(keyed) == [(CREATE, '{"k": ""}'), (PUT, json.dumps({"k": C}), PENDING)]
    assert keyed.calls[0].parameters == {"Name": "s", "SecretString": '{"k": ""}'}


def test_an_empty_secret() -> None:
    empty = Secret(ARN, {})
    assert calls(decide(wanted(Goal.STAGED, creation=Creation()), empty, REGION)) == [(PUT, C, CURRENT, PENDING)]
    keyed = decide(wanted(Goal.STAGED, creation=Creation(), key="k"), empty, REGION)
    assert calls(keyed) == [(PUT, '{"k": ""}', CURRENT), (PUT, json.dumps({"k": C}), PENDING)]
    assert len({call.version_id for call in keyed.calls}) == 2


@pytest.mark.parametrize(
    ("request_", "found", "words"),
    [
        (wanted(Goal.STAGED), None, "there is no secret s in us-east-1. Create it with create: true, or check name"),
        (wanted(Goal.PROMOTED), None, "there is no secret s in us-east-1. Create it, or check name"),
        (wanted(Goal.STAGED), Secret(ARN, {}), "the secret s is empty. Let this module store its first token"),
        (wanted(Goal.PROMOTED), Secret(ARN, {}), "the secret s is empty, so there is nothing to promote"),
        (
            wanted(Goal.STAGED, creation=Creation()),
            Secret(ARN, {PENDING: "v1"}),
            "the secret s is empty but for AWSPENDING. A rotation by Secrets Manager may be under way",
        ),
        (
            wanted(Goal.STAGED),
            Secret(ARN, {CURRENT: "v1", PENDING: "v2"}, {CURRENT: A, PENDING: None}),
            "AWSPENDING of the secret s holds no text. A rotation by Secrets Manager may be under way",
        ),
        (
            wanted(Goal.STAGED),
            Secret(ARN, {CURRENT: "v1"}, {CURRENT: A}, primary_region="eu-west-1"),
            "is a replica in us-east-1, and only its primary, in eu-west-1, can be changed. Set region: eu-west-1",
        ),
        (
            replace(wanted(Goal.STAGED, creation=Creation()), name=ARN),
            None,
            "does not exist, and none can be created by its ARN",
        ),
        (wanted(Goal.BACK), None, "there is no secret s in us-east-1. Create it, or check name"),
        (wanted(Goal.BACK), Secret(ARN, {}), "the secret s is empty, so there is nothing to go back to."),
        (wanted(Goal.BACK), secret(A), "has no version in AWSPREVIOUS, so there is nothing to go back to."),
        (
            wanted(Goal.BACK),
            having(ROTATED, AWSPENDING="v3"),
            "AWSPENDING of the secret s holds another token than AWSPREVIOUS, and a group may accept that already.",
        ),
        (wanted(Goal.BACK), having(ROTATED, AWSPENDING="v2"), "Promote it, or discard it where no group does"),
        (wanted(Goal.BACK), having(ROTATED, marked="v0"), "with state: abandoned, and repeat this."),
        (
            wanted(Goal.BACK),
            replace(ROTATED, primary_region="eu-west-1"),
            "and only its primary, in eu-west-1, can be changed.",
        ),
        (wanted(Goal.STAGED), replace(secret(A), labels={CURRENT: "v1", ABANDONED: "v1"}), "Go on with that (state"),
        (
            wanted(Goal.ABANDONED),
            having(ROTATED, marked="v2"),
            "so the secret has not gone back yet. Promote the token in its place first (state: promoted)",
        ),
        (
            wanted(Goal.ABANDONED),
            having(ROTATED, marked="v3", AWSPENDING="v3"),
            "AWSPENDING of the secret s is the version that is marked as given up",
        ),
        (wanted(Goal.CLEARED, key="k"), secret(A, B), "holds another version than AWSCURRENT: a change is under way"),
        (wanted(Goal.CLEARED, key="k"), Secret(ARN, {PENDING: "v1"}), "holds another version than AWSCURRENT"),
        (wanted(Goal.CLEARED, key="k"), secret(A), "holds no JSON object, and a bare secret can't say that"),
        (wanted(Goal.STAGED), secret(A, "too-short"), "is not a valid AUTH token: it has 9 characters"),
        (wanted(Goal.PROMOTED), secret(A, "too-short"), "is not a valid AUTH token: it has 9 characters"),
    ],
)
def test_what_can_not_be_done_is_reported(request_: SecretRequest, found: Secret | None, words: str) -> None:
    with pytest.raises(AuthError) as raised:
        decide(request_, found, REGION)
    assert str(raised.value).startswith("sessions: ")
    assert words in str(raised.value)


def test_only_what_decides_is_read() -> None:
    both = {CURRENT: "v1", PENDING: "v2"}
    assert unread(Goal.STAGED, both) == (CURRENT, PENDING)
    assert unread(Goal.PROMOTED, both) == (CURRENT, PENDING)
    assert unread(Goal.PROMOTED, {CURRENT: "v1", PENDING: "v1"}) == ()
    assert unread(Goal.PROMOTED, {CURRENT: "v1"}) == ()
    assert unread(Goal.DISCARDED, both) == ()
    rotated = {CURRENT: "v2", PREVIOUS: "v1"}
    assert unread(Goal.BACK, rotated) == unread(Goal.BACK, {**rotated, ABANDONED: "v2"}) == (CURRENT, PREVIOUS)
    assert unread(Goal.BACK, {**rotated, ABANDONED: "v1"}) == ()
    assert unread(Goal.ABANDONED, {**rotated, ABANDONED: "v1"}) == ()
    assert unread(Goal.CLEARED, {**both, PREVIOUS: "v0"}) == (CURRENT,)


def test_the_labels_after_each_call() -> None:
    put = SecretCall(PUT, {"SecretString": A, "VersionStages": [PENDING]})
    assert put.applied({}, "v1") == {CURRENT: "v1", PENDING: "v1"}  # a first version is AWSCURRENT as well
    assert put.applied({CURRENT: "v1", PENDING: "v2"}, "v3") == {CURRENT: "v1", PENDING: "v3"}
    promote = SecretCall(LABEL, {"VersionStage": CURRENT, "RemoveFromVersionId": "v2", "MoveToVersionId": "v3"})
    before = {CURRENT: "v2", PENDING: "v3", PREVIOUS: "v1"}
    assert promote.applied(before, "") == {CURRENT: "v3", PENDING: "v3", PREVIOUS: "v2"}
    unlabel = SecretCall(LABEL, {"VersionStage": PENDING, "RemoveFromVersionId": "v3"})
    assert unlabel.applied(before, "") == {CURRENT: "v2", PREVIOUS: "v1"}
    back = SecretCall(LABEL, {"VersionStage": CURRENT, "RemoveFromVersionId": "v2", "MoveToVersionId": "v1"})
    marked = {CURRENT: "v2", PENDING: "v1", PREVIOUS: "v1", ABANDONED: "v2"}
    assert back.applied(marked, "") == {CURRENT: "v1", PENDING: "v1", PREVIOUS: "v2", ABANDONED: "v2"}
    clear = SecretCall(PUT, {"SecretString": "{}", "VersionStages": [CURRENT]})
    assert clear.applied({CURRENT: "v2", PREVIOUS: "v1"}, "v3") == {CURRENT: "v3", PREVIOUS: "v2"}
    assert SecretCall(CREATE, {"Name": "s"}).applied({}, "") == {}
    assert SecretCall(CREATE, {"Name": "s", "SecretString": "x"}).applied({}, "v1") == {CURRENT: "v1"}


def test_whether_a_call_shows() -> None:
    put = SecretCall(PUT, {"ClientRequestToken": "v2", "VersionStages": [PENDING]})
    assert put.shows_in({CURRENT: "v1", PENDING: "v2"})
    assert not put.shows_in({CURRENT: "v2", PENDING: "v3"})
    assert not put.shows_in(None)
    promote = SecretCall(LABEL, {"VersionStage": CURRENT, "RemoveFromVersionId": "v1", "MoveToVersionId": "v2"})
    assert promote.shows_in({CURRENT: "v2", PENDING: "v2"})
    assert not promote.shows_in({CURRENT: "v1", PENDING: "v2"})
    unlabel = SecretCall(LABEL, {"VersionStage": PENDING, "RemoveFromVersionId": "v2"})
    assert unlabel.shows_in({CURRENT: "v2"})
    assert unlabel.shows_in({CURRENT: "v2", PENDING: "v3"})
    assert not unlabel.shows_in({CURRENT: "v2", PENDING: "v2"})
    assert SecretCall(CREATE, {"Name": "s"}).shows_in({})
    assert not SecretCall(CREATE, {"Name": "s"}).shows_in(None)


def test_a_call_shows_no_text() -> None:
    call = SecretCall(PUT, {"SecretId": "s", "SecretString": A, "ClientRequestToken": "v2", "VersionStages": [PENDING]})
    assert call.shown() == {
        "action": PUT,
        "parameters": {"SecretId": "s", "SecretString": "********", "VersionStages": [PENDING]},
    }
    assert A not in repr(call)
    assert A not in repr(SecretPlan((call,)))
    assert A not in repr(wanted(Goal.STAGED, token=A))
    assert A not in repr(secret(A, A))
    assert A not in repr(SecretOrder(Goal.STAGED, {}, token=A, tokens={"sessions": A}))


def test_ids_of_versions_are_the_same_in_every_run() -> None:
    labels = {CURRENT: "v1", PENDING: "v2"}
    assert next_version_id(ARN, labels) == next_version_id(ARN, {CURRENT: "v1"})
    others = [
        next_version_id(ARN, {CURRENT: "v2"}),
        next_version_id(ARN, labels, 1),
        next_version_id(ARN, {}),
        next_version_id(f"{ARN}2", labels),
    ]
    assert len({next_version_id(ARN, labels), *others}) == 5
    assert 32 <= len(next_version_id(ARN, labels)) <= 64  # what AWS takes


class TestNames:
    """The secrets of the groups."""

    def test_from_a_template(self) -> None:
        assert names_of("e/{replication_group_id}/t", ["a", "b"]) == {"a": "e/a/t", "b": "e/b/t"}
        assert names_of("mine", ["a"]) == {"a": "mine"}

    @pytest.mark.parametrize(
        ("template", "words"),
        [
            ("shared", "a, b, c: they would share the secret shared"),
            ("", "name is empty"),
            (" ", "name is empty"),
            ("e/{group}", "a: name may hold {replication_group_id} and no other braces."),
            ("e/{replication_group_id.__class__}", "a: name may hold {replication_group_id} and no other braces."),
        ],
    )
    def test_refused(self, template: str, words: str) -> None:
        with pytest.raises(AuthError) as raised:
            names_of(template, ["a", "b", "c"])
        assert str(raised.value).startswith(words)


class TestGivenTokens:
    """Tokens that the caller supplies."""

    def test_by_group_or_one_for_all(self) -> None:
        names = {"a": "s/a", "b": "s/b"}
        assert given_token(SecretOrder(Goal.STAGED, names), "a") is None
        assert given_token(SecretOrder(Goal.STAGED, names, token=A), "b") == A
        assert given_token(SecretOrder(Goal.STAGED, names, tokens={"a": A, "b": B}), "b") == B

    @pytest.mark.parametrize(
        ("order", "words"),
        [
            ({"tokens": {}}, "a: there is no token for it in auth_tokens."),
            ({"tokens": {"a": None}}, "a: there is no token for it in auth_tokens."),
            ({"token": ""}, "a: the token given is not a valid AUTH token: it has 0 characters"),
            ({"tokens": {"a": "no/slash-in-a-token"}}, "a: the token given is not a valid AUTH token: character 3 is"),
            ({"tokens": {"a": 1234}}, "a: the token given is not a valid AUTH token: it has 4 characters"),
        ],
    )
    def test_refused(self, order: dict[str, Any], words: str) -> None:
        with pytest.raises(AuthError) as raised:
            given_token(SecretOrder(Goal.STAGED, {"a": "s"}, **order), "a")
        assert str(raised.value).startswith(words)


class TestTheVersionToPromote:
    """The one that was rotated in is promoted, by its id, and no other."""

    @pytest.mark.parametrize(
        ("found", "expected"),
        [
            pytest.param(secret(A, B), [(CURRENT, "v1", "v2"), UNLABEL_2], id="it-is-staged"),
            pytest.param(secret(B, B, AWSCURRENT="v2"), [UNLABEL_2], id="half-way"),
            pytest.param(secret(B, AWSCURRENT="v2"), [], id="promoted-already"),
            pytest.param(secret(B, C, AWSCURRENT="v2", AWSPENDING="v3"), [], id="promoted-and-another-staged"),
        ],
    )
    def test_calls(self, found: Secret, expected: list[tuple[Any, ...]]) -> None:
        plan = decide(wanted(Goal.PROMOTED, version="v2"), found, REGION)
        assert calls(plan) == expected
        assert ("somebody else has staged" in plan.warning) == (found.labels.get(PENDING) == "v3")

    @pytest.mark.parametrize(
        ("found", "words"),
        [
            (secret(A, C, AWSPENDING="v3"), "AWSPENDING of the secret s is on the version v3, not on v2, the version"),
            (secret(A), "AWSPENDING of the secret s is not on v2, the version to be promoted"),
            (secret(C, AWSCURRENT="v3", AWSPREVIOUS="v2"), "somebody else has moved the label. No label is moved"),
        ],
    )
    def test_any_other_is_refused(self, found: Secret, words: str) -> None:
        with pytest.raises(AuthError) as refused:
            decide(wanted(Goal.PROMOTED, version="v2"), found, REGION)
        assert words in str(refused.value)
        assert "--version-stage AWSPENDING --move-to-version-id v2" in str(refused.value)

    def test_the_ids_are_quoted_for_a_shell(self) -> None:
        with pytest.raises(AuthError, match=r"--remove-from-version-id '\$\(x\)'$"):
            decide(wanted(Goal.PROMOTED, version="v2"), secret(A, C, AWSPENDING="$(x)"), REGION)

    def test_on_the_way_back_it_is_the_previous_one(self) -> None:
        """Somebody has staged another token since."""
        back = {ABANDONED: "v1", PREVIOUS: "v0"}
        assert calls(decide(wanted(Goal.PROMOTED), secret(A, B, **back, AWSPENDING="v0"), REGION))
        with pytest.raises(AuthError, match="is on the version v3, but AWSCURRENT is marked as given up"):
            decide(wanted(Goal.PROMOTED), secret(A, C, **back, AWSPENDING="v3"), REGION)
