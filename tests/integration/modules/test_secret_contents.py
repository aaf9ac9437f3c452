# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Secrets that hold what can't be read, and answers of Secrets Manager that lack what is needed.

Each is an error that names the group, the secret and the way out; nothing is changed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import ModuleRun, auth, run
from integration.role_scenes import age, labelled, secret_name
from integration.scenes import GROUP, A, B, create, put_secret, slots

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="none", modify_seconds=0.05)

KEY = "auth_token"
SECRET = secret_name()
NAMED = f"{GROUP}: the secret {SECRET}"
#: What a secret with a token may hold that nobody can read, or not everybody alike, and what is said of it.
TROUBLES: dict[str, tuple[str, str]] = {
    "byte-order-mark": (
        f'\ufeff{{"{KEY}": "{A}"}}',
        "begins with a byte order mark (U+FEFF), which no token and no JSON begins with. Store the text without it.",
    ),
    "number": (
        f'{{"{KEY}": "{A}", "serial": {"7" * 5000}}}',
        "holds a number with too many digits to be read. Store it as a text, or take it out.",
    ),
    "brackets": (
        f'{{"{KEY}": "{A}", "deep": {"[" * 100_000}{"]" * 100_000}}}',
        "holds JSON that is nested too deeply to be read. Take that part out.",
    ),
    "key-twice": (
        f'{{"{KEY}": "{B}", "{KEY}": "{A}"}}',
        f"has the key {KEY} more than once, and not every reader takes the same one. Keep the one in force.",
    ),
    "nul": (
        f'{{"{KEY}": "{A}\\u0000"}}',
        f"holds U+0000 as character {len(A) + 1} of the token, which no token can have. Store the token without it.",
    ),
    "surrogate": (
        f'{{"{KEY}": "\\ud800{A}"}}',
        "holds U+D800 as character 1 of the token, which no token can have. Store the token without it.",
    ),
}


def rotate(emulator: Emulator, *groups: str, **more: Any) -> ModuleRun:
    """Rotate the tokens of the groups, as the role does."""
    options = {
        "operation": "rotate_token",
        "replication_group_ids": list(groups or [GROUP]),
        "auth_token_secret": {"name": secret_name("{replication_group_id}"), "key": KEY},
        "soak": 0,
        "wait_delay": 0.1,
        "probe": "never",
        "assume_state": "required",
        **more,
    }
    return run(emulator, "auth_operation", options)


def unharmed(emulator: Emulator, before: int) -> None:
    """No call was made that changes anything; the group accepts what it did, and no label has moved."""
    assert [call["action"] for call in emulator.calls(mutating="true")[before:]] == []
    assert slots(emulator) == [A]
    described = emulator.client("secretsmanager").describe_secret(SecretId=SECRET)
    assert [*described["VersionIdsToStages"].values()] == [["AWSCURRENT"]]


@pytest.mark.parametrize(("text", "says"), TROUBLES.values(), ids=TROUBLES)
def test_a_text_that_can_not_be_read(emulator: Emulator, text: str, says: str) -> None:
    create(emulator, AuthToken=A)
    age(emulator, 100)
    put_secret(emulator, SECRET, text)
    before = len(emulator.calls(mutating="true"))
    ended = rotate(emulator)
    assert (ended.failed, ended.msg) == (True, f"{NAMED} {says}")
    secret = {"name": SECRET, "key": KEY}
    ended = auth(emulator, "rotate", auth_token_secret=secret)
    assert (ended.failed, ended.msg) == (True, f"{NAMED} {says}")
    for state in ("staged", "promoted"):
        ended = run(emulator, "auth_secret", {"replication_group_id": GROUP, **secret, "state": state})
        assert (ended.failed, ended.changed) == (state == "staged", False)
        assert state == "promoted" or ended.msg == f"{GROUP}: AWSCURRENT of the secret {SECRET} {says}"
    unharmed(emulator, before)


@pytest.mark.parametrize("groups", [1, 6], ids=["one", "many"])
def test_an_answer_without_the_id_of_the_version(emulator: Emulator, groups: int) -> None:
    ids = [GROUP, *(f"group-{number}" for number in range(1, groups))]
    for key in ids:
        create(emulator, key, wait=False, AuthToken=A)
        put_secret(emulator, secret_name(key), json.dumps({KEY: A}))
    for key in ids:
        emulator.wait_available(key)
        age(emulator, 100, key)
    emulator.faults({"kind": "without-member", "service": "secretsmanager", "member": "VersionId"})
    before = len(emulator.calls(mutating="true"))
    ended = rotate(emulator, *ids)
    assert ended.failed
    for key in ids:
        assert ended.of(key)["msg"] == (
            f"{key}: the secret {secret_name(key)}: GetSecretValue was answered without a VersionId, so that it is not "
            "known which version is in AWSCURRENT. Secrets Manager always gives one: look at what answers in its place "
            "(endpoint_url, AWS_ENDPOINT_URL, a proxy)."
        )
    emulator.clear_faults()
    unharmed(emulator, before)


def test_a_change_that_is_answered_without_the_id_of_the_version(emulator: Emulator) -> None:
    """The id is the one that was asked for, so that the rotation ends as it has to."""
    create(emulator, AuthToken=A)
    age(emulator, 100)
    put_secret(emulator, SECRET, json.dumps({KEY: A}))
    emulator.faults({"kind": "without-member", "action": "PutSecretValue", "member": "VersionId"})
    ended = rotate(emulator)
    assert not ended.failed, ended.msg
    assert slots(emulator) == [labelled(emulator)["AWSCURRENT"]] != [A]


@pytest.mark.parametrize("member", ["ARN", "VersionIdsToStages"])
def test_a_description_that_lacks_something(emulator: Emulator, member: str) -> None:
    create(emulator, AuthToken=A)
    age(emulator, 100)
    put_secret(emulator, SECRET, json.dumps({KEY: A}))
    emulator.faults({"kind": "without-member", "action": "DescribeSecret", "member": member})
    before = len(emulator.calls(mutating="true"))
    ended = rotate(emulator)
    assert ended.failed
    assert ended.msg.startswith(f"{NAMED}")
    emulator.clear_faults()
    unharmed(emulator, before)
