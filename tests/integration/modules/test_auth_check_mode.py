# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Check mode predicts what comes and calls nothing; diff mode shows states; module defaults and -vvvv leak nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import assert_no_token, auth, fork, mutating
from integration.meanwhile import Once, called, meanwhile
from integration.run import run_playbook
from integration.scenes import GROUP, USERS, A, B, create_user_group, put_secret, scene, slots
from waiting import PATIENCE

if TYPE_CHECKING:
    from conftest import Emulator

#: State before, strategy, options.
STEPS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "open": ("open", "rotate", {"auth_token": B, "known_auth_tokens": []}),
    "optional": ("optional", "set", {"auth_token": A, "known_auth_tokens": [B]}),
    "required": ("required", "rotate", {"auth_token": B, "known_auth_tokens": [A]}),
    "rotating": ("rotating", "set", {"auth_token": B, "known_auth_tokens": [A], "assume_state": "rotating"}),
    "to-rbac": ("required", "delete", {"user_group_ids": [USERS]}),
    "from-rbac": ("rbac", "rotate", {"auth_token": B, "known_auth_tokens": [], "remove_user_groups": True}),
    "nothing-to-do": ("rotating", "rotate", {"auth_token": B, "known_auth_tokens": [A]}),
}
DATE = "auth_token_last_modified_date"


@pytest.mark.parametrize(
    ("name", "record"), [*((name, True) for name in STEPS), ("required", False), ("nothing-to-do", False)]
)
def test_the_prediction_comes_true(emulator: Emulator, name: str, record: bool) -> None:
    """The same result as the real run, but for what only the real run can see."""
    state, strategy, options = STEPS[name]
    if strategy == "delete":
        create_user_group(emulator)
    scene(emulator, state)
    before, truth = mutating(emulator), slots(emulator)
    predicted = auth(emulator, strategy, check=True, record=record, **options)
    assert not predicted.failed, predicted.msg
    assert mutating(emulator) == before
    assert slots(emulator) == truth
    assert emulator.group(GROUP)["tags"] == {}
    real = auth(emulator, strategy, record=record, **options)
    assert predicted.changed == real.changed == (state != "rotating" or strategy != "rotate")
    assert predicted.of(GROUP)["api_calls"] == real.of(GROUP)["api_calls"]
    assert predicted.of(GROUP)["before"] == real.of(GROUP)["before"]
    assert {**predicted.of(GROUP)["after"], DATE: None} == {**real.of(GROUP)["after"], DATE: None}
    assert predicted.result["diff"] == real.result["diff"]
    if real.changed:
        (shown,) = real.result["diff"]
        assert shown["before_header"] == shown["after_header"] == GROUP
        assert set(shown["before"]) == {"mode", "auth_tokens", "user_group_ids", "unauthenticated_access"}
        assert shown["before"] != shown["after"]
        assert predicted.msg.replace("would become", "now") == real.msg


def test_refused_in_check_mode_too(emulator: Emulator) -> None:
    """What the real run would refuse is refused in check mode, in the same words."""
    scene(emulator, "rotating")
    options: dict[str, Any] = {"known_auth_tokens": [A, B]}
    predicted = auth(emulator, "rotate", "C" + B, check=True, **options)
    real = auth(emulator, "rotate", "C" + B, **options)
    assert predicted.failed
    assert predicted.msg == real.msg
    assert not predicted.changed


def test_nothing_shows_with_the_calls_logged(emulator: Emulator) -> None:
    """amazon.aws listens to botocore's log, in which calls stand with their parameters; none of that gets out."""
    scene(emulator, "required")
    args = {
        "replication_group_id": GROUP,
        "auth_token_update_strategy": "rotate",
        "auth_token": B,
        "known_auth_tokens": [A],
        "data_plane_ca_path": emulator.ca_bundle,
        "wait_delay": 0.1,
        "debug_botocore_endpoint_logs": True,
    }
    # In a process of its own: the log stays on.
    output = fork(emulator, "replication_group_auth", args).communicate(timeout=PATIENCE)[0]
    assert '"resource_actions"' in output
    assert slots(emulator) == [A, B]
    assert_no_token(output, [A, B])


def test_busy_groups_are_waited_for(emulator: Emulator) -> None:
    """A change under way is waited for in check mode as well: what follows depends on its end."""
    scene(emulator, "required")
    emulator.hold()
    assert auth(emulator, "rotate", B, known_auth_tokens=[A], wait=False).changed
    with meanwhile(Once(called(emulator, "DescribeReplicationGroups"), emulator.release)):
        predicted = auth(emulator, "set", B, known_auth_tokens=[A], check=True)
    assert predicted.msg == f"{GROUP}: would become required (the token given)."
    assert slots(emulator) == [A, B]


def test_through_ansible_with_module_defaults_at_the_highest_verbosity(emulator: Emulator) -> None:
    """``module_defaults`` by group reach every module, and neither -vvvv nor --diff shows a token."""
    scene(emulator, "required")
    put_secret(emulator, "elasticache/sessions/auth-token", f'{{"auth_token": "{A}"}}', f'{{"auth_token": "{B}"}}')
    secret = {"name": "elasticache/{replication_group_id}/auth-token", "stage": "AWSPENDING", "key": "auth_token"}
    known = {"replication_group_id": GROUP, "auth_token": B, "known_auth_tokens": [A]}
    trusting = {"data_plane_ca_path": emulator.ca_bundle}
    tasks: list[dict[str, Any]] = [
        {
            "name": "rotate",
            "elasticache.auth.replication_group_auth": {
                "replication_group_id": GROUP,
                "auth_token_update_strategy": "rotate",
                "auth_token_secret": secret,
                "wait_delay": 0.2,
                **trusting,
            },
        },
        {"name": "info", "elasticache.auth.replication_group_info": {**known, **trusting}},
        {"name": "wait", "elasticache.auth.replication_group_wait": {"replication_group_id": GROUP}},
        {
            "name": "probe",
            "elasticache.auth.auth_probe": {
                "replication_group_id": GROUP,
                "credentials": [
                    {"name": "old", "auth_token": A},
                    {"name": "new", "auth_token_secret": secret},
                    {"name": "by name", "username": "default", "password": B},
                ],
                "expect": {"unauthenticated": "refused", "old": "accepted", "new": "accepted", "by name": "accepted"},
                **trusting,
            },
        },
        {
            "name": "refused",
            "ignore_errors": True,
            "elasticache.auth.replication_group_auth": {**known, "auth_token_update_strategy": "set", **trusting}
            | {"auth_token": "no " + A},
        },
    ]
    access = emulator.environment
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {
            "group/elasticache.auth.aws": {
                "region": emulator.region,
                "endpoint_url": emulator.endpoint_url,
                "access_key": access["AWS_ACCESS_KEY_ID"],
                "secret_key": access["AWS_SECRET_ACCESS_KEY"],
            }
        },
        "tasks": tasks,
    }
    nothing = dict.fromkeys(
        ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ""
    )
    ended = run_playbook(emulator, [play], diff=True, verbosity=4, environment=nothing)
    assert ended.succeeded, ended.output
    assert slots(emulator) == [A, B]
    assert ended.of("rotate")["changed"]
    assert ended.of("info")["replication_groups"][0]["mode"] == "rotating"
    assert ended.of("probe")["msg"].startswith(f"{GROUP}: unauthenticated refused, old accepted")
    assert '"mode": "rotating"' in ended.output
    assert_no_token(ended.output, [A, B])
    assert_no_token(str([one.result for one in ended.results]), [A, B])
