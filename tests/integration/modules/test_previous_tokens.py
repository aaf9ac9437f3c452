# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""``previous_auth_tokens``: for each group the token that was in force before, taken for all that there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import ModuleRun, auth, modifies, mutating, run
from integration.run import run_playbook
from integration.scenes import GROUP, USERS, A, B, C, D, create, create_user_group, put_secret, rotate, scene, slots

from ansible_collections.elasticache.auth.plugins.module_utils._auth.tokens import GIVEN, TokenSet, collect

if TYPE_CHECKING:
    from conftest import Emulator

PREVIOUS: dict[str, Any] = {"previous_auth_tokens": {GROUP: A}}


def info(emulator: Emulator, **options: Any) -> ModuleRun:
    """Run ``replication_group_info`` on the group, trusting the emulator's authority."""
    args = {"replication_group_id": GROUP, "data_plane_ca_path": emulator.ca_bundle, **options}
    ended = run(emulator, "replication_group_info", args, hidden=[A, B, C, D])
    assert not ended.changed
    return ended


def tokens_for(group: str, **params: Any) -> TokenSet:
    """The tokens that the options give for a group."""
    found = collect(None, params, [group], hide=[].append, needed=False)[group]  # type: ignore[arg-type]
    assert isinstance(found, TokenSet), found
    return found


@pytest.mark.parametrize(
    ("given", "others", "complete"),
    [
        pytest.param({"previous_auth_tokens": {"a": A}}, {"previous token": A}, True, id="one"),
        pytest.param({"previous_auth_tokens": {" A ": A}}, {"previous token": A}, True, id="ids-in-any-case"),
        pytest.param({"previous_auth_tokens": {"a": ""}}, {}, True, id="there-is-none"),
        pytest.param({"previous_auth_tokens": {"a": B}}, {}, True, id="it-is-the-wanted-one"),
        pytest.param({"previous_auth_tokens": {"b": A}}, {}, False, id="another-group-s"),
        pytest.param({"previous_auth_tokens": {"a": None}}, {}, False, id="null-says-nothing"),
        pytest.param({"previous_auth_tokens": {}}, {}, False, id="nothing-said"),
        pytest.param({}, {}, False, id="left-out"),
    ],
)
def test_what_a_group_gets(given: dict[str, Any], others: dict[str, str], complete: bool) -> None:
    tokens = tokens_for("a", auth_token=B, **given)
    assert tokens.values == {GIVEN: B, **others}
    assert tokens.complete is complete


def test_rotate_and_set_by_the_nodes_answers(emulator: Emulator) -> None:
    """Each group has a token of its own before and after; no record is kept, and a second run does nothing."""
    for group, token in (("one", A), ("two", C)):
        create(emulator, group, AuthToken=token)
    groups = {"group": ["one", "two"], "hidden": [A, B, C, D]}
    options: dict[str, Any] = {
        **groups,
        "auth_tokens": {"one": B, "two": D},
        "previous_auth_tokens": {"ONE": A, "two": C},
        "record": False,
        "probe": "always",
    }
    rotated = auth(emulator, "rotate", **options)
    assert rotated.changed, rotated.msg
    assert rotated.of("one")["msg"] == "one: now rotating (the previous token, then the token given)."
    assert [slots(emulator, group) for group in ("one", "two")] == [[A, B], [C, D]]
    done = auth(emulator, "set", **options, assume_state="rotating")
    assert done.changed, done.msg
    assert [slots(emulator, group) for group in ("one", "two")] == [[B], [D]]
    before = mutating(emulator)
    again = auth(emulator, "set", **options, assume_state="rotating")
    assert not again.failed, again.msg
    assert not again.changed
    assert mutating(emulator) == before


@pytest.mark.emulator(data_plane="none")
def test_it_vouches_where_nodes_and_record_are_silent(emulator: Emulator) -> None:
    """Like a known token it leaves the mode open, but no other token; a group without an entry is left as unknown."""
    scene(emulator, "required")
    for options in ({"previous_auth_tokens": {GROUP: A}}, {"known_auth_tokens": [A]}):
        told = info(emulator, **options).result["replication_groups"][0]["access"]["possible_states"]
        assert not [state for state in told if "unknown" in state]
    untold = info(emulator, previous_auth_tokens={"another": A}).result["replication_groups"][0]
    assert [state for state in untold["access"]["possible_states"] if "unknown" in state]
    refused = auth(emulator, "rotate", B, previous_auth_tokens={"another": A}, hidden=[A])
    assert refused.failed
    assert "known_auth_tokens" in refused.msg
    assert slots(emulator) == [A]
    rotated = auth(emulator, "rotate", B, **PREVIOUS, assume_state="required", hidden=[A])
    assert rotated.changed, rotated.msg
    assert slots(emulator) == [A, B]


def test_an_empty_text_says_that_there_is_none(emulator: Emulator) -> None:
    """Without a record, the nodes of an open group can't tell whether a token is accepted besides: the caller does."""
    scene(emulator, "open")
    rotated = auth(emulator, "rotate", A, previous_auth_tokens={GROUP: ""}, record=False)
    assert rotated.changed, rotated.msg
    assert slots(emulator) == [None, A]
    done = auth(emulator, "set", A, previous_auth_tokens={GROUP: ""}, record=False)
    assert done.changed, done.msg
    assert slots(emulator) == [A]


def test_the_nodes_contradict_it(emulator: Emulator) -> None:
    """It is a word, and no guess: a token that nobody named is seen, and not pushed out."""
    create(emulator, AuthToken=C)
    rotate(emulator, D)
    refused = auth(emulator, "rotate", B, **PREVIOUS, record=False, hidden=[A])
    assert refused.failed
    assert modifies(emulator) == 1
    assert slots(emulator) == [C, D]


def test_the_facts_name_it(emulator: Emulator) -> None:
    scene(emulator, "rotating")
    ended = info(emulator, auth_tokens={GROUP: B}, previous_auth_tokens={"SESSIONS": A})
    assert not ended.failed, ended.msg
    [facts] = ended.result["replication_groups"]
    assert facts["mode"] == "rotating"
    assert set(facts["access"]["possible_states"]) == {
        "rotating (the previous token, then the token given)",
        "rotating (the token given, then the previous token)",
    }


def test_delete_takes_it_too(emulator: Emulator) -> None:
    create_user_group(emulator)
    scene(emulator, "required")
    ended = auth(emulator, "delete", user_group_ids=[USERS], **PREVIOUS, hidden=[A])
    assert ended.changed, ended.msg
    assert ended.of(GROUP)["before"]["auth_tokens"] == ["the previous token"]


@pytest.mark.emulator(data_plane="none")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"auth_token": B, "known_auth_tokens": [A]}, "known_auth_tokens|previous_auth_tokens"),
        ({"auth_token_secret": {"name": "s"}}, "previous_auth_tokens|auth_token_secret"),
    ],
)
@pytest.mark.parametrize("module", ["replication_group_auth", "replication_group_info"])
def test_what_it_can_not_be_combined_with(
    emulator: Emulator, module: str, options: dict[str, Any], message: str
) -> None:
    put_secret(emulator, "s", B)
    scene(emulator, "required")
    before = mutating(emulator)
    args: dict[str, Any] = {"replication_group_id": GROUP, **PREVIOUS, **options}
    if module == "replication_group_auth":
        args["auth_token_update_strategy"] = "rotate"
    ended = run(emulator, module, args, hidden=[A, B])
    assert ended.failed
    assert ended.msg == f"parameters are mutually exclusive: {message}"
    assert mutating(emulator) == before


def test_nothing_leaks_at_the_highest_verbosity(emulator: Emulator) -> None:
    """Ansible itself masks both dicts, the previous tokens' too."""
    scene(emulator, "required")
    task = {
        "name": "It",
        "elasticache.auth.replication_group_auth": {
            "replication_group_id": GROUP,
            "auth_token_update_strategy": "rotate",
            "auth_tokens": {GROUP: B},
            **PREVIOUS,
            "data_plane_ca_path": emulator.ca_bundle,
            "wait_delay": 0.2,
        },
    }
    ended = run_playbook(emulator, [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}], verbosity=4)
    assert ended.succeeded, ended.output
    assert slots(emulator) == [A, B]
    assert A not in ended.output
    assert B not in ended.output
