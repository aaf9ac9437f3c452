# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The module ``auth_secret`` against the emulator's Secrets Manager."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest
from integration import direct
from integration.direct import ModuleRun, assert_no_token, auth
from integration.meanwhile import called
from integration.run import run_module, run_playbook
from integration.scenes import GROUP, A, B, C, create, put_secret, slots
from waiting import wait_until

from ansible_collections.elasticache.auth.plugins.module_utils._aws import secrets as store
from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import Clients
from ansible_collections.elasticache.auth.plugins.module_utils._aws.secrets import (
    ABANDONED,
    CURRENT,
    PENDING,
    PREVIOUS,
    SecretCall,
    next_version_id,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.tokens import rule_violations

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="none")

NAME = "s/sessions"
KEY = "auth_token"
NEW = "new version"
MASK = "********"


def text(token: str, **more: Any) -> str:
    """A JSON secret with a token."""
    return json.dumps({KEY: token, **more})


def labels(emulator: Emulator, name: str = NAME) -> dict[str, str]:
    """The truth: the version ids by staging label; empty where there is no secret or no version."""
    client = emulator.client("secretsmanager")
    try:
        versions = client.describe_secret(SecretId=name).get("VersionIdsToStages") or {}
    except client.exceptions.ResourceNotFoundException:
        return {}
    return {stage: version for version, stages in versions.items() for stage in stages}


def value(emulator: Emulator, stage: str, name: str = NAME) -> str:
    """The truth: what the version at a staging label holds."""
    held: str = emulator.client("secretsmanager").get_secret_value(SecretId=name, VersionStage=stage)["SecretString"]
    return held


def token(emulator: Emulator, stage: str, name: str = NAME) -> str:
    """The truth: the token at a staging label, of a JSON secret or a bare one."""
    held = value(emulator, stage, name)
    return str(json.loads(held)[KEY]) if held.startswith("{") else held


def versions(emulator: Emulator, name: str = NAME) -> list[str]:
    """The ids of all versions, with and without a label."""
    listed = emulator.client("secretsmanager").list_secret_version_ids(SecretId=name, IncludeDeprecated=True)
    return [version["VersionId"] for version in listed["Versions"]]


def tokens_of(emulator: Emulator) -> set[str]:
    """Every token, however short-lived, that any version of any secret holds."""
    client = emulator.client("secretsmanager")
    found = set()
    for secret in client.list_secrets()["SecretList"]:
        for version in versions(emulator, secret["Name"]):
            held = client.get_secret_value(SecretId=secret["Name"], VersionId=version).get("SecretString", "")
            found |= {held, *re.findall(rf'"{KEY}" *: *"(.*?)"', held)}
    return {one for one in found if len(one) >= 16}


def mutating(emulator: Emulator) -> list[str]:
    """The calls so far that change, or would change, anything, by the module or by this file."""
    return [call["action"] for call in emulator.calls(mutating="true")]


def shown(emulator: Emulator) -> dict[str, str | None]:
    """The labels as a result has to show them: our own one only where a version has it."""
    found = labels(emulator)
    ours = (CURRENT, PENDING, PREVIOUS, *((ABANDONED,) if ABANDONED in found else ()))
    return {stage: found.get(stage) for stage in ours}


def act(emulator: Emulator, state: str, *, check: bool = False, **options: Any) -> ModuleRun:
    """Run the module on the secret of the group ``sessions``, and search what it says for every token there is."""
    args = {"replication_group_id": [GROUP], "name": "s/{replication_group_id}", "state": state, **options}
    args = {name: given for name, given in args.items() if given is not None}
    before = mutating(emulator)
    ended = direct.run(emulator, "auth_secret", args, check=check)
    if check:
        assert mutating(emulator) == before
    gone = emulator.client("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"]
    if not any(secret.get("DeletedDate") for secret in gone):
        assert_no_token(ended.output, tokens_of(emulator))
    return ended


def changed(emulator: Emulator, state: str, **options: Any) -> dict[str, Any]:
    """Run the module, in check mode first: it changes what it had foretold, and nothing when it is run once more."""
    predicted = act(emulator, state, check=True, **options)
    assert not predicted.failed, predicted.msg
    ended = act(emulator, state, **options)
    assert not ended.failed, ended.msg
    outcome = ended.of(GROUP)
    assert outcome["changed"]
    assert ended.changed
    foretold = predicted.of(GROUP)
    assert foretold["api_calls"] == outcome["api_calls"]
    assert foretold["before"] == outcome["before"]
    assert foretold["msg"].replace("would be", "was") == outcome["msg"]
    known = {None, *(outcome["before"] or {}).values()}
    assert foretold["after"] == {stage: v if v in known else NEW for stage, v in outcome["after"].items()}
    assert outcome["after"] == shown(emulator)
    assert ended.result["diff"] == [
        {
            "before_header": NAME,
            "after_header": NAME,
            "before": outcome["before"] or {},
            "after": outcome["after"],
        }
    ]
    unchanged(emulator, state, **options)
    return outcome


def unchanged(emulator: Emulator, state: str, **options: Any) -> dict[str, Any]:
    """Run the module: it finds nothing to do and makes no call that could change anything."""
    before = mutating(emulator)
    ended = act(emulator, state, **options)
    assert not ended.failed, ended.msg
    assert not ended.changed
    assert mutating(emulator) == before
    outcome = ended.of(GROUP)
    assert outcome["before"] == outcome["after"]
    assert outcome["api_calls"] == ended.result["diff"] == []
    return outcome


def actions(outcome: Mapping[str, Any]) -> list[str]:
    """The calls that an outcome tells of."""
    return [action["action"] for action in outcome["api_calls"]]


class TestFromStagedToPromoted:
    """What each state does, and does not do twice."""

    def test_a_json_secret_keeps_its_other_keys(self, emulator: Emulator) -> None:
        odd = f'{{ "port":6379.0,"{KEY}" : "{A}",\n "n": 12345678901234567890.10, "ü": "ö", "x": {{"{KEY}": "in"}} }}'
        put_secret(emulator, NAME, odd)
        outcome = changed(emulator, "staged", key=KEY)
        assert outcome["msg"] == f"sessions: a new token was staged in AWSPENDING of the secret {NAME}."
        assert outcome["secret_name"] == NAME
        assert outcome["api_calls"] == [
            {
                "action": "PutSecretValue",
                "parameters": {"SecretId": NAME, "SecretString": MASK, "VersionStages": [PENDING]},
            }
        ]
        staged = token(emulator, PENDING)
        assert rule_violations(staged) == []
        assert len(staged) == 64
        assert value(emulator, PENDING) == odd.replace(A, staged)
        assert value(emulator, CURRENT) == odd
        before = outcome["after"]

        outcome = changed(emulator, "promoted", key=KEY)
        assert actions(outcome) == ["UpdateSecretVersionStage"] * 2
        assert labels(emulator) == {CURRENT: before[PENDING], PREVIOUS: before[CURRENT]}
        assert (token(emulator, CURRENT), token(emulator, PREVIOUS)) == (staged, A)

        outcome = changed(emulator, "staged", key=KEY, length=16)
        assert len(token(emulator, PENDING)) == 16
        assert outcome["before"][PREVIOUS] == before[CURRENT]
        kept = labels(emulator)
        outcome = changed(emulator, "discarded", key=KEY)
        assert actions(outcome) == ["UpdateSecretVersionStage"]
        assert kept[PENDING] in outcome["msg"]
        assert labels(emulator) == {stage: version for stage, version in kept.items() if stage != PENDING}
        assert kept[PENDING] in versions(emulator)  # AWS deletes it, later

    def test_a_bare_secret(self, emulator: Emulator) -> None:
        put_secret(emulator, NAME, A)
        changed(emulator, "staged")
        staged = value(emulator, PENDING)
        assert rule_violations(staged) == []
        changed(emulator, "promoted")
        assert (value(emulator, CURRENT), value(emulator, PREVIOUS)) == (staged, A)
        changed(emulator, "staged")
        changed(emulator, "discarded")
        changed(emulator, "staged")
        assert value(emulator, PENDING) not in (A, staged)
        assert value(emulator, CURRENT) == staged
        assert len(versions(emulator)) == 4

    def test_a_secret_by_its_arn(self, emulator: Emulator) -> None:
        arn = emulator.client("secretsmanager").create_secret(Name=NAME, SecretString=A)["ARN"]
        for state in ("staged", "promoted"):
            ended = act(emulator, state, name=arn)
            assert ended.changed, ended.msg
        assert value(emulator, PREVIOUS) == A

    @pytest.mark.parametrize("key", [None, KEY])
    def test_a_token_of_the_callers(self, emulator: Emulator, key: str | None) -> None:
        put_secret(emulator, NAME, text(A, port=1) if key else A)
        given = {"auth_token": B} | ({"key": key} if key else {})
        outcome = changed(emulator, "staged", **given)
        assert outcome["msg"] == f"sessions: the token given was staged in AWSPENDING of the secret {NAME}."
        assert token(emulator, PENDING) == B
        by_group = {**given, "auth_token": None, "auth_tokens": {"SESSIONS": B, "another": C}}
        unchanged(emulator, "staged", **by_group)
        unchanged(emulator, "staged", **{**given, "auth_token": None})  # any staged token will do
        changed(emulator, "promoted", **({"key": key} if key else {}))
        assert token(emulator, CURRENT) == B
        unchanged(emulator, "staged", **given)
        # Once discarded it may be staged again, although AWS has a version with the very same text.
        for dummy in range(2):
            changed(emulator, "staged", **{**given, "auth_token": C})
            changed(emulator, "discarded")
        assert PENDING not in labels(emulator)

    def test_a_staged_token_is_not_replaced_by_another(self, emulator: Emulator) -> None:
        put_secret(emulator, NAME, A, B)
        before = mutating(emulator)
        ended = act(emulator, "staged", auth_token=C)
        assert ended.msg == (
            f"sessions: AWSPENDING of the secret {NAME} holds another token than the one given, and a group may accept "
            "that already. Promote it, or discard it where no group does (state: promoted, state: discarded)."
        )
        assert ended.failed
        assert mutating(emulator) == before

    def test_what_a_promotion_left_behind(self, emulator: Emulator) -> None:
        """AWSCURRENT was moved, AWSPENDING not taken off: promoted completes it, staged begins anew."""
        for state in ("promoted", "staged"):
            name = f"{state}/sessions"
            put_secret(emulator, name, A, B)
            found = labels(emulator, name)
            emulator.client("secretsmanager").update_secret_version_stage(
                SecretId=name,
                VersionStage=CURRENT,
                MoveToVersionId=found[PENDING],
                RemoveFromVersionId=found[CURRENT],
            )
            ended = act(emulator, state, name=name)
            assert ended.changed, ended.msg
            assert (value(emulator, CURRENT, name), value(emulator, PREVIOUS, name)) == (B, A)
        assert PENDING not in labels(emulator, "promoted/sessions")
        assert value(emulator, PENDING, "staged/sessions") not in (A, B)
        assert "AWSPENDING had been left on the token that AWSCURRENT holds." in ended.msg

    def test_the_same_token_twice_does_not_cost_the_previous_one(self, emulator: Emulator) -> None:
        put_secret(emulator, NAME, A, B)
        changed(emulator, "promoted")
        emulator.client("secretsmanager").put_secret_value(SecretId=NAME, SecretString=B, VersionStages=[PENDING])
        outcome = changed(emulator, "promoted")
        assert actions(outcome) == ["UpdateSecretVersionStage"]
        assert (value(emulator, CURRENT), value(emulator, PREVIOUS)) == (B, A)

    def test_other_keys_that_changed_meanwhile_are_reported(self, emulator: Emulator) -> None:
        put_secret(emulator, NAME, text(A, port=1, user="x"), text(B, port=2, user="x"))
        ended = act(emulator, "promoted", key=KEY)
        assert ended.changed
        assert [warning for warning in ended.warnings if "besides the token, port in AWSPENDING" in warning]
        assert not [warning for warning in ended.warnings if "user" in warning]


class TestCreate:
    """A secret that does not exist, or has no version."""

    MORE: Mapping[str, Any] = {"description": "Ours", "kms_key_id": "alias/shop", "tags": {"team": "shop", "n": 1}}

    def described(self, emulator: Emulator) -> dict[str, Any]:
        """What the secret is besides its versions."""
        shown = emulator.client("secretsmanager").describe_secret(SecretId=NAME)
        policy = emulator.client("secretsmanager").get_resource_policy(SecretId=NAME)
        ours = ("ARN", "Name", "Description", "KmsKeyId", "Tags", "RotationEnabled", "RotationRules", "DeletedDate")
        return {**{name: shown.get(name) for name in ours}, "ResourcePolicy": policy.get("ResourcePolicy")}

    def test_with_a_key_awscurrent_is_true_from_the_beginning(self, emulator: Emulator) -> None:
        outcome = changed(emulator, "staged", key=KEY, create=True, **self.MORE)
        assert outcome["before"] is None
        assert outcome["msg"] == (
            f"sessions: the secret {NAME} was created, with a new token in AWSPENDING. "
            "AWSCURRENT says that there is no token yet."
        )
        assert outcome["api_calls"][0] == {
            "action": "CreateSecret",
            "parameters": {
                "Name": NAME,
                "Description": "Ours",
                "KmsKeyId": "alias/shop",
                "Tags": [{"Key": "n", "Value": "1"}, {"Key": "team", "Value": "shop"}],
                "SecretString": MASK,
            },
        }
        assert value(emulator, CURRENT) == text("")
        assert rule_violations(token(emulator, PENDING)) == []
        made = self.described(emulator)
        assert (made["Description"], made["KmsKeyId"]) == ("Ours", "alias/shop")
        assert made["Tags"] == [{"Key": "n", "Value": "1"}, {"Key": "team", "Value": "shop"}]
        changed(emulator, "promoted", key=KEY)
        assert value(emulator, PREVIOUS) == text("")

    def test_without_one_the_first_version_has_both_labels(self, emulator: Emulator) -> None:
        changed(emulator, "staged", create=True)
        first = value(emulator, PENDING)
        assert value(emulator, CURRENT) == first
        assert rule_violations(first) == []
        unchanged(emulator, "staged", auth_token=first)
        assert act(emulator, "staged", auth_token=C).failed
        outcome = changed(emulator, "promoted")
        assert actions(outcome) == ["UpdateSecretVersionStage"]
        assert value(emulator, CURRENT) == first
        changed(emulator, "staged")
        assert value(emulator, PENDING) != first

    @pytest.mark.parametrize("key", [None, KEY])
    def test_an_empty_one_gets_its_first_version(self, emulator: Emulator, key: str | None) -> None:
        emulator.client("secretsmanager").create_secret(Name=NAME, KmsKeyId="alias/theirs")
        options = {"create": True, "auth_token": B, **({"key": key} if key else {})}
        changed(emulator, "staged", **options)
        assert token(emulator, PENDING) == B
        assert token(emulator, CURRENT) == ("" if key else B)
        assert self.described(emulator)["KmsKeyId"] == "alias/theirs"

    def test_of_an_existing_secret_nothing_else_is_touched(self, emulator: Emulator) -> None:
        client = emulator.client("secretsmanager")
        client.create_secret(
            Name=NAME,
            SecretString=text(A),
            Description="Theirs",
            KmsKeyId="alias/theirs",
            Tags=[{"Key": "team", "Value": "theirs"}],
        )
        client.put_resource_policy(SecretId=NAME, ResourcePolicy='{"Version": "2012-10-17", "Statement": []}')
        client.rotate_secret(
            SecretId=NAME,
            RotationLambdaARN=emulator.lambda_function(),
            RotationRules={"AutomaticallyAfterDays": 30},
            RotateImmediately=False,
        )
        before = self.described(emulator)
        for state in ("staged", "discarded", "staged", "promoted"):
            ended = act(emulator, state, key=KEY, **({"create": True, **self.MORE} if state == "staged" else {}))
            assert ended.changed, ended.msg
        assert self.described(emulator) == before

    def test_the_other_modules_understand_it(self, emulator: Emulator) -> None:
        """The whole way of a first token: staged, rotated in, promoted, set; and the next one after it."""
        create(emulator)
        secret = {"name": "s/{replication_group_id}", "key": KEY}
        changed(emulator, "staged", key=KEY, create=True)
        first = token(emulator, PENDING)
        ended = auth(emulator, "rotate", auth_token_secret={**secret, "stage": PENDING}, hidden=[first])
        assert ended.changed, ended.msg
        assert slots(emulator) == [None, first]
        changed(emulator, "promoted", key=KEY)
        ended = auth(emulator, "set", auth_token_secret=secret, hidden=[first])
        assert ended.changed, ended.msg
        assert slots(emulator) == [first]
        changed(emulator, "staged", key=KEY)
        ended = auth(emulator, "rotate", auth_token_secret={**secret, "stage": PENDING}, hidden=[first])
        assert ended.changed, ended.msg
        assert slots(emulator) == [first, token(emulator, PENDING)]


# --- Cut off, and run again -----------------------------------------------------------------------------------------


def _plain(emulator: Emulator) -> None:
    put_secret(emulator, NAME, text(A, port=1))


def _pending(emulator: Emulator) -> None:
    put_secret(emulator, NAME, text(A, port=1), text(B, port=1))


def _discarded(emulator: Emulator) -> None:
    """The id that a new version would get is taken."""
    _plain(emulator)
    act(emulator, "staged", key=KEY)
    act(emulator, "discarded", key=KEY)


def _promoted(emulator: Emulator) -> None:
    """B is current and A previous."""
    _pending(emulator)
    assert act(emulator, "promoted", key=KEY).changed


def _back_staged(emulator: Emulator) -> None:
    _promoted(emulator)
    assert act(emulator, "staged", key=KEY, from_previous=True).changed


def _back_promoted(emulator: Emulator) -> None:
    _back_staged(emulator)
    assert act(emulator, "promoted", key=KEY).changed


def _nothing(emulator: Emulator) -> None:
    """No secret at all."""


def _empty(emulator: Emulator) -> None:
    emulator.client("secretsmanager").create_secret(Name=NAME)


WITH_KEY = {"key": KEY}
CREATING = {"key": KEY, "create": True}
#: A way through the module: what is there, the options, and the calls that change something.
OPERATIONS: dict[str, tuple[Callable[[Emulator], None], str, dict[str, Any], list[str]]] = {
    "stage": (_plain, "staged", WITH_KEY, ["PutSecretValue"]),
    "stage-given": (_plain, "staged", {**WITH_KEY, "auth_token": B}, ["PutSecretValue"]),
    "stage-again": (_discarded, "staged", WITH_KEY, ["PutSecretValue", "PutSecretValue"]),
    "create": (_nothing, "staged", CREATING, ["CreateSecret", "PutSecretValue"]),
    "create-bare": (_nothing, "staged", {"create": True}, ["CreateSecret", "PutSecretValue"]),
    "fill": (_empty, "staged", CREATING, ["PutSecretValue", "PutSecretValue"]),
    "fill-bare": (_empty, "staged", {"create": True}, ["PutSecretValue"]),
    "promote": (_pending, "promoted", WITH_KEY, ["UpdateSecretVersionStage"] * 2),
    "discard": (_pending, "discarded", WITH_KEY, ["UpdateSecretVersionStage"]),
    "back": (_promoted, "staged", {**WITH_KEY, "from_previous": True}, ["UpdateSecretVersionStage"] * 2),
    "back-promote": (_back_staged, "promoted", WITH_KEY, ["UpdateSecretVersionStage"] * 2),
    "back-discard": (_back_staged, "discarded", WITH_KEY, ["UpdateSecretVersionStage"] * 2),
    "abandon": (_back_promoted, "abandoned", WITH_KEY, ["UpdateSecretVersionStage"] * 2),
    "clear": (_plain, "cleared", WITH_KEY, ["PutSecretValue"]),
}
#: Where those operations end that are not about one new token: the token at each label that there is then.
ENDS: dict[str, dict[str, str]] = {
    "back": {CURRENT: B, PREVIOUS: A, PENDING: A, ABANDONED: B},
    "back-promote": {CURRENT: A, PREVIOUS: B, ABANDONED: B},
    "back-discard": {CURRENT: B, PREVIOUS: A},
    "abandon": {CURRENT: A},
    "clear": {CURRENT: "", PREVIOUS: A},
}
POINTS = [(operation, nth) for operation, parts in OPERATIONS.items() for nth in range(len(parts[3]))]


def assert_arrived(emulator: Emulator, operation: str, versions_before: Sequence[str]) -> None:
    """The secret is as the operation's end wants it, with no version too many."""
    state, options = OPERATIONS[operation][1:3]
    made = [version for version in versions(emulator) if version not in versions_before]
    has = labels(emulator)
    if operation in ENDS:
        assert {stage: token(emulator, stage) for stage in has} == ENDS[operation]
        assert len(made) == (operation == "clear")
    elif state == "staged":
        assert PENDING in has
        assert has[PENDING] in made
        assert rule_violations(token(emulator, PENDING)) == []
        assert len(made) == (2 if operation in ("create", "fill") else 1)
        if "auth_token" in options:
            assert token(emulator, PENDING) == options["auth_token"]
        if operation.startswith("stage"):
            assert value(emulator, PENDING) == text(token(emulator, PENDING), port=1)
            assert token(emulator, CURRENT) == A
    else:
        assert made == []
        assert PENDING not in has
        assert token(emulator, CURRENT) == (B if state == "promoted" else A)
        assert (PREVIOUS in has) == (state == "promoted")


class Killed(BaseException):
    """The end of a run from outside."""


def prepared(emulator: Emulator, operation: str) -> list[str]:
    """Prepare an operation; returns the versions that are there."""
    OPERATIONS[operation][0](emulator)
    return versions(emulator) if labels(emulator) else []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("operation", "nth"), POINTS)
def test_cut_off_at_any_call_the_same_run_arrives(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, operation: str, nth: int, when: str
) -> None:
    before = prepared(emulator, operation)
    perform, made = store.perform_call, []

    def perform_until_killed(clients: Clients, call: SecretCall, **more: Any) -> Mapping[str, Any]:
        made.append(call)
        if len(made) == nth + 1 and when == "before":
            raise Killed
        try:
            return perform(clients, call, **more)
        finally:
            if len(made) == nth + 1:
                raise Killed

    state, options, calls = OPERATIONS[operation][1:]
    with monkeypatch.context() as patched:
        patched.setattr(store, "perform_call", perform_until_killed)
        with pytest.raises(Killed):
            act(emulator, state, **options)
    assert [call.action for call in made] == calls[: nth + 1]
    staged = token(emulator, PENDING) if PENDING in labels(emulator) else None
    ended = act(emulator, state, **options)
    assert not ended.failed, ended.msg
    last = nth + 1 == len(calls)
    assert ended.changed == (not last or when == "before")
    assert_arrived(emulator, operation, before)
    if state == "staged" and staged:
        assert token(emulator, PENDING) == staged
    unchanged(emulator, state, **options)


#: botocore tries four times; the fifth try is the module's own, after a look.
ANSWERS: dict[str, dict[str, Any]] = {
    "dropped-before": {"kind": "drop", "when": "before"},
    "dropped-after": {"kind": "drop", "when": "after"},
    "dropped-before-for-good": {"kind": "drop", "when": "before", "times": 4},
    "dropped-after-for-good": {"kind": "drop", "when": "after", "times": 4},
    "failed-after-for-good": {"kind": "error", "when": "after", "times": 4},
    "throttled": {"kind": "error", "code": "ThrottlingException", "when": "before", "times": 5},
}


def lost_answers() -> Iterator[tuple[str, int, str]]:
    """Each answer to each kind of call of each state, and each call of each operation with one of the answers."""
    turns, seen = itertools.cycle(ANSWERS), set[tuple[str, str, str]]()
    for operation, nth in POINTS:
        if operation != "stage-given":
            state, _options, calls = OPERATIONS[operation][1:]
            turn = next(turns)
            for answer in ANSWERS:
                if answer == turn or (state, calls[nth], answer) not in seen:
                    seen.add((state, calls[nth], answer))
                    yield operation, nth, answer


@pytest.mark.parametrize(("operation", "nth", "answer"), list(lost_answers()))
def test_a_lost_answer_costs_nothing(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, operation: str, nth: int, answer: str
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "4")
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the pauses before botocore's tries
    before = prepared(emulator, operation)
    state, options, calls = OPERATIONS[operation][1:]
    earlier = calls[:nth].count(calls[nth])
    emulator.faults({**ANSWERS[answer], "action": calls[nth], "nth": earlier + 1})
    ended = act(emulator, state, **options)
    assert not ended.failed, ended.msg
    assert ended.changed
    assert_arrived(emulator, operation, before)
    told = actions(ended.of(GROUP))
    successful = calls[1:] if operation == "stage-again" else calls
    if operation == "create-bare" and answer.startswith("dropped-after"):
        # botocore's own repeat was told that the secret exists: that may have been made by anyone.
        assert told in (successful, successful[1:])
    else:
        assert told == successful
    assert ended.of(GROUP)["after"] == shown(emulator)
    emulator.clear_faults()
    unchanged(emulator, state, **options)


def test_an_answer_that_never_comes_is_reported(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    _pending(emulator)
    emulator.faults({"kind": "drop", "action": "UpdateSecretVersionStage", "nth": 2, "times": 99})
    ended = act(emulator, "promoted", key=KEY)
    assert ended.failed
    assert ended.changed
    assert ended.msg.startswith(f"sessions: the secret {NAME}: secretsmanager:UpdateSecretVersionStage failed")
    outcome = ended.of(GROUP)
    assert actions(outcome) == ["UpdateSecretVersionStage"]
    assert outcome["after"] is None
    emulator.clear_faults()
    changed(emulator, "promoted", key=KEY)
    assert token(emulator, CURRENT) == B


@pytest.mark.parametrize("operation", ["create", "promote"])
def test_killed_for_real(emulator: Emulator, operation: str) -> None:
    """SIGKILL between two calls: the second one has been sent, and is carried out when its client is gone."""
    before = prepared(emulator, operation)
    state, options, calls = OPERATIONS[operation][1:]
    emulator.faults({"kind": "pause", "action": calls[1], "nth": 1 + (calls[0] == calls[1])})
    args = {"replication_group_ids": [GROUP], "name": NAME, "state": state, **options}
    process = direct.fork(emulator, "auth_secret", args)
    try:
        emulator.wait_struck()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    sent = called(emulator, calls[1])
    emulator.clear_faults()
    wait_until(sent, "the call that was on its way was carried out")
    ended = act(emulator, state, **options)
    assert not ended.failed, ended.msg
    assert_arrived(emulator, operation, before)
    unchanged(emulator, state, **options)


class TestSomeoneElseIsAtWork:
    """Labels that move between the look and the call."""

    def test_two_runs_stage_one_token(self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        """The other run's version has the id that ours would get, and AWS refuses ours."""
        _plain(emulator)
        client = emulator.client("secretsmanager")
        other = next_version_id(client.describe_secret(SecretId=NAME)["ARN"], labels(emulator))
        perform = store.perform_call

        def perform_late(clients: Clients, call: SecretCall, **more: Any) -> Mapping[str, Any]:
            assert call.version_id == other
            client.put_secret_value(
                SecretId=NAME, SecretString=text(B, port=1), VersionStages=[PENDING], ClientRequestToken=other
            )
            return perform(clients, call, **more)

        monkeypatch.setattr(store, "perform_call", perform_late)
        ended = act(emulator, "staged", key=KEY)
        assert not ended.failed, ended.msg
        assert not ended.changed
        assert ended.of(GROUP)["after"][PENDING] == other
        assert token(emulator, PENDING) == B

    @pytest.mark.parametrize("state", ["promoted", "discarded"])
    @pytest.mark.parametrize("meanwhile", ["promoted", "discarded"])
    def test_promoted_or_discarded_meanwhile(
        self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, state: str, meanwhile: str
    ) -> None:
        _pending(emulator)
        perform = store.perform_call
        interrupted: list[str] = []

        def perform_late(clients: Clients, call: SecretCall, **more: Any) -> Mapping[str, Any]:
            if not interrupted:
                interrupted.append(call.action)
                found, client = labels(emulator), emulator.client("secretsmanager")
                if meanwhile == "promoted":
                    client.update_secret_version_stage(
                        SecretId=NAME,
                        VersionStage=CURRENT,
                        MoveToVersionId=found[PENDING],
                        RemoveFromVersionId=found[CURRENT],
                    )
                client.update_secret_version_stage(
                    SecretId=NAME, VersionStage=PENDING, RemoveFromVersionId=found[PENDING]
                )
            return perform(clients, call, **more)

        monkeypatch.setattr(store, "perform_call", perform_late)
        ended = act(emulator, state, key=KEY)
        assert not ended.failed, ended.msg
        assert interrupted
        assert PENDING not in labels(emulator)
        assert token(emulator, CURRENT) == (B if "promoted" in (state, meanwhile) else A)


# --- Many groups ----------------------------------------------------------------------------------------------------


class TestManyGroups:
    """Each has a secret and a fate of its own."""

    def test_one_failure_stops_no_other(self, emulator: Emulator) -> None:
        for group in ("one", "two", "four"):
            put_secret(emulator, f"s/{group}", A)
        options = {"replication_group_ids": ["ONE", "two", "three", "four"], "name": "s/{replication_group_id}"}
        emulator.client("secretsmanager").put_secret_value(
            SecretId="s/four", SecretString="bad", VersionStages=[PENDING]
        )
        ended = direct.run(emulator, "auth_secret", {**options, "state": "staged"})
        assert ended.failed
        assert ended.changed
        assert [ended.of(key)["changed"] for key in ("one", "two", "three", "four")] == [True, True, False, False]
        assert [ended.of(key)["failed"] for key in ("one", "two", "three", "four")] == [False, False, True, True]
        assert ended.msg.startswith("2 of 4 groups failed. three: there is no secret s/three in us-east-1.")
        assert [part["after_header"] for part in ended.result["diff"]] == ["s/one", "s/two"]
        assert value(emulator, PENDING, "s/one") != value(emulator, PENDING, "s/two")
        ended = direct.run(emulator, "auth_secret", {**options, "state": "staged", "continue_on_error": True})
        assert not ended.failed
        assert not ended.changed
        assert ended.of("four")["failed"]

    def test_throttled_at_50_percent(self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        groups = [f"g{number}" for number in range(20)]
        emulator.faults({"kind": "throttle", "service": "secretsmanager", "rate": 0.5, "seed": 7})
        options = {"replication_group_ids": groups, "name": "s/{replication_group_id}", "key": KEY}
        rest = time.sleep
        monkeypatch.setattr("time.sleep", lambda seconds: rest(seconds / 50))
        for state, more in (("staged", {"create": True}), ("promoted", {})):
            ended = direct.run(emulator, "auth_secret", {**options, "state": state, **more})
            assert not ended.failed, ended.msg
            assert ended.msg == "20 of 20 groups changed."
        emulator.clear_faults()
        assert len({token(emulator, CURRENT, f"s/{group}") for group in groups}) == 20
        before = mutating(emulator)
        ended = direct.run(emulator, "auth_secret", {**options, "state": "promoted"})
        assert ended.msg == "0 of 20 groups changed."
        assert mutating(emulator) == before


# --- Bad input ------------------------------------------------------------------------------------------------------


def refused(emulator: Emulator, message: str, state: str = "staged", **options: Any) -> None:
    """It fails with just this message, and makes no call that could change anything."""
    before = mutating(emulator)
    for check in (True, False):
        ended = act(emulator, state, check=check, **options)
        assert ended.failed
        assert not ended.changed
        assert "exception" not in ended.result
        assert ended.msg == message
    assert mutating(emulator) == before


WAY_OUT = "If no group accepts what is staged there, state: discarded takes the label off."
ROTATES = (
    "holds no text. A rotation by Secrets Manager may be under way: wait for its end, "
    "or take the label off with state: discarded."
)


class TestBadInput:
    """Each is one clear message before any change."""

    @pytest.mark.parametrize(
        ("current", "options", "message"),
        [
            (
                None,
                {},
                (
                    "the secret s/sessions is empty. Let this module store its first token with create: true, "
                    "or store one in its SecretString."
                ),
            ),
            (
                A,
                {"key": KEY},
                (
                    "AWSCURRENT of the secret s/sessions holds no JSON object, so it has no key auth_token. "
                    "Leave key out where the secret is the bare token."
                ),
            ),
            (
                f'{{"auth_token": "{A}"',
                {"key": KEY},
                "AWSCURRENT of the secret s/sessions holds malformed JSON (line 1, column 46). Repair it.",
            ),
            (
                text(A),
                {"key": "password"},
                "AWSCURRENT of the secret s/sessions has no text under the key password. Check key.",
            ),
            (text(A), {}, "AWSCURRENT of the secret s/sessions holds JSON. Name the token's key in key."),
            (
                A.encode(),
                {},
                "AWSCURRENT of the secret s/sessions holds no text. Store the token in its SecretString.",
            ),
        ],
        ids=["empty", "bare", "malformed", "no-such-key", "json", "binary"],
    )
    def test_what_a_secret_holds(
        self, emulator: Emulator, current: str | bytes | None, options: dict[str, Any], message: str
    ) -> None:
        held = {"SecretBinary": current} if isinstance(current, bytes) else {"SecretString": current}
        given = {name: held[name] for name in held if held[name] is not None}
        emulator.client("secretsmanager").create_secret(Name=NAME, **given)
        refused(emulator, f"sessions: {message}", **options)

    @pytest.mark.parametrize("state", ["staged", "promoted"])
    @pytest.mark.parametrize(
        ("pending", "message"),
        [
            (
                text("far too/short"),
                (
                    "is not a valid AUTH token: it has 13 characters, AWS takes 16 to 128; {rule}. "
                    "Take the label off with state: discarded, then stage another."
                ),
            ),
            (
                text(""),
                (
                    "is not a valid AUTH token: it has 0 characters, AWS takes 16 to 128. "
                    "Take the label off with state: discarded, then stage another."
                ),
            ),
            (
                B,
                (
                    "holds no JSON object, so it has no key auth_token. "
                    f"Leave key out where the secret is the bare token. {WAY_OUT}"
                ),
            ),
            ('{"x": 1}', f"has no text under the key auth_token. Check key. {WAY_OUT}"),
            ('{"x" 1}', f"holds malformed JSON (line 1, column 6). Repair it. {WAY_OUT}"),
            (b"binary", ROTATES),
        ],
        ids=["rules", "no-token", "bare", "no-such-key", "malformed", "binary"],
    )
    def test_what_is_staged(self, emulator: Emulator, state: str, pending: str | bytes, message: str) -> None:
        """None of it is taken, and ``discarded`` is the way out."""
        put_secret(emulator, NAME, text(A))
        held: dict[str, Any] = {"SecretBinary" if isinstance(pending, bytes) else "SecretString": pending}
        emulator.client("secretsmanager").put_secret_value(SecretId=NAME, VersionStages=[PENDING], **held)
        rule = {  # what is promoted may be in force, and is held against what AWS may take at all
            "staged": "character 4 is a space, and AWS takes letters, digits and !&#$^<>- only (likewise character 8)",
            "promoted": "character 8 is '/', which AWS takes in no token",
        }
        message = message.replace("{rule}", rule[state])
        refused(emulator, f"sessions: AWSPENDING of the secret {NAME} {message}", state, key=KEY)
        changed(emulator, "discarded", key=KEY)
        assert token(emulator, CURRENT) == A

    @pytest.mark.parametrize("state", ["staged", "promoted", "discarded"])
    def test_no_secret(self, emulator: Emulator, state: str) -> None:
        create_it = "Create it with create: true" if state == "staged" else "Create it"
        refused(
            emulator, f"sessions: there is no secret {NAME} in us-east-1. {create_it}, or check name and region.", state
        )

    @pytest.mark.parametrize("state", ["staged", "promoted", "discarded"])
    def test_scheduled_for_deletion(self, emulator: Emulator, state: str) -> None:
        put_secret(emulator, NAME, A, B)
        emulator.client("secretsmanager").delete_secret(SecretId=NAME)
        refused(
            emulator,
            (
                f"sessions: the secret {NAME} is scheduled for deletion. "
                "Restore it (secretsmanager:RestoreSecret), or name another in name."
            ),
            state,
            **({"create": True} if state == "staged" else {}),
        )

    def test_a_replica(self, emulator: Emulator) -> None:
        client = emulator.client("secretsmanager", region="eu-west-1")
        client.create_secret(Name=NAME, SecretString=A, AddReplicaRegions=[{"Region": "us-east-1"}])
        arn = client.describe_secret(SecretId=NAME)["ARN"].replace("eu-west-1", "us-east-1")
        before = mutating(emulator)
        args = {"replication_group_id": GROUP, "name": arn, "state": "staged"}
        ended = direct.run(emulator, "auth_secret", args, hidden=[A])
        assert ended.failed
        assert "is a replica in us-east-1, and only its primary, in eu-west-1, can be changed" in ended.msg
        assert mutating(emulator) == before

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"name": "shared", "replication_group_id": ["one", "two"]},
                (
                    "one, two: they would share the secret shared, and a change of one group's token would take the "
                    "other's away. Give each a secret of its own, with {replication_group_id} in name."
                ),
            ),
            (
                {"replication_group_id": ["one", "ONE"]},
                "replication_group_ids: one is listed twice. AWS does not tell upper from lower case in ids.",
            ),
            ({"name": "s/{group}"}, "sessions: name may hold {replication_group_id} and no other braces."),
            ({"name": ""}, "name is empty. Give the secret's name, with {replication_group_id} for the group's id."),
            (
                {"key": ""},
                "key is empty. Name the token's key, or leave key out where the secret is the bare token.",
            ),
            ({"length": 15}, "length: a token of 15 characters can't be made, AWS takes 16 to 128."),
            ({"length": 129}, "length: a token of 129 characters can't be made, AWS takes 16 to 128."),
            (
                {"auth_token": "no/slash-in-a-token"},
                (
                    "sessions: the token given is not a valid AUTH token: character 3 is '/', and AWS takes letters, "
                    "digits and !&#$^<>- only. The lookup elasticache.auth.random_auth_token makes valid ones; without "
                    "a token, so does this module."
                ),
            ),
            (
                {"auth_tokens": {"another": B}},
                (
                    "sessions: there is no token for it in auth_tokens. Give it there, under the group's id, or leave "
                    "auth_tokens out to have a random one staged."
                ),
            ),
            ({"auth_token": B, "length": 20}, "parameters are mutually exclusive: auth_token|auth_tokens|length"),
            (
                {"tags": {"a": "b"}},
                "tags is that of a secret to be created, and goes with create: true.",
            ),
            ({"state": "promoted", "create": True}, "create goes with state: staged, not with promoted."),
            ({"state": "discarded", "auth_token": B}, "auth_token goes with state: staged, not with discarded."),
        ],
    )
    def test_options(self, emulator: Emulator, options: dict[str, Any], message: str) -> None:
        put_secret(emulator, NAME, A)
        args = {"replication_group_id": [GROUP], "name": "s/{replication_group_id}", "state": "staged", **options}
        before = mutating(emulator)
        ended = direct.run(emulator, "auth_secret", args, hidden=[A])
        assert ended.failed
        assert ended.msg == message
        assert mutating(emulator) == before

    def test_no_region(self, emulator: Emulator) -> None:
        args = {"replication_group_id": ["one", "two"], "name": "s/{replication_group_id}", "state": "staged"}
        nowhere = {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}
        ended = direct.run(emulator, "auth_secret", args, environment=nowhere)
        assert ended.failed
        assert ended.msg == "There is no region. Set region, AWS_REGION, or a profile that has one."

    @pytest.mark.parametrize(
        ("state", "action"),
        [
            ("staged", "DescribeSecret"),
            ("staged", "GetSecretValue"),
            ("staged", "PutSecretValue"),
            ("promoted", "UpdateSecretVersionStage"),
        ],
    )
    def test_not_allowed(self, emulator: Emulator, state: str, action: str) -> None:
        put_secret(emulator, NAME, A, B if state == "promoted" else None)
        kept = labels(emulator)
        emulator.faults({"kind": "error", "action": action, "code": "AccessDeniedException", "message": "no"})
        ended = direct.run(
            emulator, "auth_secret", {"replication_group_id": GROUP, "name": NAME, "state": state}, hidden=[A, B]
        )
        assert ended.msg == (
            f"sessions: the secret {NAME}: secretsmanager:{action} was refused in us-east-1: "
            "AccessDeniedException: no. Allow it in the policy of the credentials."
        )
        assert ended.failed
        assert labels(emulator) == kept

    def test_what_aws_refuses_is_asked_for_once(self, emulator: Emulator) -> None:
        emulator.faults(
            {
                "kind": "error",
                "action": "CreateSecret",
                "code": "InvalidParameterException",
                "message": "Invalid name.",
                "times": 9,
            }
        )
        ended = act(emulator, "staged", create=True)
        assert ended.failed
        assert ended.msg == (
            f"sessions: the secret {NAME}: secretsmanager:CreateSecret failed in us-east-1: "
            "InvalidParameterException: Invalid name."
        )
        assert mutating(emulator) == ["CreateSecret"]


# --- As Ansible runs it ---------------------------------------------------------------------------------------------


def test_nothing_leaks_at_the_highest_verbosity(emulator: Emulator) -> None:
    put_secret(emulator, NAME, text(A, port=1))
    args = {"replication_group_id": GROUP, "name": "s/{replication_group_id}", "key": KEY}
    outputs = []
    for more in ({"state": "staged", "auth_token": B}, {"state": "promoted"}, {"state": "staged"}):
        result = run_module(emulator, "auth_secret", {**args, **more}, diff=True, verbosity=4)
        assert result["changed"], result["msg"]
        outputs.append(result["output"])
    assert len(tokens_of(emulator)) == 6  # three tokens, and the texts that hold them
    for output in outputs:
        assert "AWSPENDING" in output
        assert_no_token(output, tokens_of(emulator))


def test_the_action_group_and_a_list_in_a_play(emulator: Emulator) -> None:
    """Defaults for the group reach it; a repeated play changes nothing."""
    options = {
        "replication_group_ids": ["a", "b"],
        "name": "e/{replication_group_id}/t",
        "state": "staged",
        "create": True,
    }
    task: dict[str, Any] = {"name": "It", "elasticache.auth.auth_secret": options}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"group/elasticache.auth.aws": {"region": "eu-central-1"}},
        "tasks": [task, {**task, "name": "Again"}],
    }
    ended = run_playbook(emulator, [play])
    assert ended.succeeded, ended.output
    assert ended.recap["localhost"]["changed"] == 1
    assert ended.of("It")["msg"] == "2 of 2 groups changed."
    assert not ended.of("Again")["changed"]
    listed = emulator.client("secretsmanager", region="eu-central-1").list_secrets()["SecretList"]
    assert sorted(secret["Name"] for secret in listed) == ["e/a/t", "e/b/t"]
