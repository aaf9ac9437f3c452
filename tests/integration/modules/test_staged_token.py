# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What is in AWSPENDING before a run is told, whatever becomes of it; and what is said after ROTATE is true."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from integration.cut_off import rotation
from integration.direct import ModuleRun, run
from integration.role_scenes import KEY, due_fleet, secret_name
from integration.scenes import A, B, slots

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.1)

GROUP = "sessions"
EMPTY = ""


def stage(emulator: Emulator, token: str) -> str:
    """Have another tool stage a token, or none; returns the version's id."""
    due_fleet(emulator, [GROUP], A)
    text = json.dumps({KEY: token})
    client = emulator.client("secretsmanager")
    answer = client.put_secret_value(SecretId=secret_name(GROUP), SecretString=text, VersionStages=["AWSPENDING"])
    return str(answer["VersionId"])


def plan(emulator: Emulator, **more: Any) -> ModuleRun:
    return run(emulator, "auth_operation", rotation(emulator, replication_group_id=GROUP, **more), check=True)


def test_one_that_is_taken(emulator: Emulator) -> None:
    version = stage(emulator, B)
    told = plan(emulator)
    assert f"The token that is staged in AWSPENDING (version {version}) is taken, and none is made." in told.msg


def test_one_that_is_left_there(emulator: Emulator) -> None:
    version = stage(emulator, B)
    told = plan(emulator, operation="enable_auth")
    assert f"The token that is staged in AWSPENDING (version {version}) is left there." in told.msg


def test_a_version_without_a_token(emulator: Emulator) -> None:
    version = stage(emulator, EMPTY)
    told = plan(emulator, operation="enable_auth")
    assert "staged" not in told.msg
    assert [one for one in told.warnings if f"is on the version {version}, which holds no token" in one]
    refused = plan(emulator)
    assert refused.failed
    assert f"is on the version {version}, which holds no token" in refused.msg


def test_a_version_without_a_token_where_there_is_no_plan(emulator: Emulator) -> None:
    """RotateSecret with a function leaves that, and the function may have called ROTATE: it is why nothing is known."""
    version = stage(emulator, EMPTY)
    told = plan(emulator, probe="never")
    assert told.failed
    assert "what the group accepts is not known" in told.msg
    assert f"is on the version {version}, which holds no token. Another tool may have begun to rotate it" in told.msg
    assert not [one for one in told.warnings if "which holds no token" in one]


def test_nothing_is_said_of_what_was_not_there(emulator: Emulator) -> None:
    due_fleet(emulator, [GROUP], A)
    told = plan(emulator)
    assert "AWSPENDING" not in told.msg
    assert not [one for one in told.warnings if "AWSPENDING" in one]


def test_what_failed_after_a_change_does_not_say_that_nothing_was_changed(emulator: Emulator) -> None:
    due_fleet(emulator, [GROUP], A)
    emulator.faults(
        {"kind": "error", "action": "AddTagsToResource", "code": "AccessDenied", "message": "no", "nth": 2, "times": 9}
    )
    ended = run(emulator, "auth_operation", rotation(emulator, replication_group_id=GROUP))
    assert ended.failed
    assert len(slots(emulator)) == 2  # ROTATE was made
    assert "the record could not be written ahead of SET, so that is not called" in ended.msg
    assert ended.of(GROUP)["completed_steps"] == ["stage", "rotate", "verify_both", "promote", "client_cutover"]
    assert ended.of(GROUP)["changed"]
