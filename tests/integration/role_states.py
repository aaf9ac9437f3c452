# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Where the operations find a group, where they bring it, and what is asserted of a role's run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from integration import direct
from integration.role_scenes import (
    KEY,
    RoleRun,
    age,
    labelled,
    promote,
    put_token,
    secret_name,
)
from integration.scenes import GROUP, A, B, C, create, create_user_group, scene, slots

if TYPE_CHECKING:
    from conftest import Emulator

OTHER = "carts"


def calls_made(run: RoleRun) -> list[str]:
    """The mutating calls that the emulator got, as service:action."""
    return [f"{call['service']}:{call['action']}" for call in run.calls if call["mutating"]]


def nothing_changed(run: RoleRun) -> None:
    """The recap says so, of every host, and so do the services."""
    assert run.succeeded, run.output
    assert set(run.changed.values()) == {0}, run.output
    assert run.mutating == []


def did_what_it_planned(run: RoleRun) -> None:
    """It ended well, and called what its plan had, in that order."""
    assert run.succeeded, run.output
    assert calls_made(run) == run.reports[GROUP]["planned_calls"]
    assert run.mutating, run.output


def refused(run: RoleRun, *texts: str) -> None:
    """It failed, told why, and called nothing that changes anything."""
    assert not run.succeeded
    for text in texts:
        assert text in run.text, run.output
    assert run.mutating == []


# --- The scenes -------------------------------------------------------------------------------------------------------

#: What the line of each role says that was achieved.
ACHIEVED = {
    "rotate_token": "token rotated",
    "enable_auth": "AUTH enabled",
    "enable_tls": "encryption in transit enabled",
    "migrate_rbac_to_auth": "migrated from user groups to AUTH",
    "migrate_auth_to_rbac": "migrated from AUTH to user groups",
    "disable_access_control": "access control disabled",
    "rollback_token": "token rolled back",
}


@dataclass(frozen=True)
class Scene:
    """A role's way from where ``prepare`` has left GROUP. ``arrived`` asserts what must be in the end.

    ``says``: the current state that check mode must report. ``token``: what is supplied, and what was in force before.
    """

    prepare: Callable[[Emulator, bool], None]
    arrived: Callable[[Emulator], None]
    says: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    stored: Mapping[str, Any] = field(default_factory=dict)
    tokens: Sequence[str] = ()
    supplied: Callable[[Emulator], None] | None = None


def required(emulator: Emulator, store: bool, group: str = GROUP) -> None:
    if store:
        put_token(emulator, A, group=group)
    scene(emulator, "required", group)
    age(emulator, 100, group)


def plain(emulator: Emulator, store: bool) -> None:
    create(emulator, GROUP, TransitEncryptionEnabled=False)


def rbac(emulator: Emulator, store: bool) -> None:
    scene(emulator, "rbac")


def rotating(emulator: Emulator, store: bool) -> None:
    """Promoted, but not SET."""
    if store:
        put_token(emulator, A, B)
        promote(emulator)
    scene(emulator, "rotating")


def rotated(emulator: Emulator, store: bool, group: str = GROUP) -> None:
    """From A to B, and to its end."""
    if store:
        put_token(emulator, A, B, group)
        promote(emulator, group)
    create(emulator, group, AuthToken=B)


def half_rotated(emulator: Emulator, group: str = GROUP) -> None:
    """Cut off before its promotion, by the module, whose record says which of the two tokens is the newer."""
    put_token(emulator, A, B, group)
    create(emulator, group, AuthToken=A)
    ran = direct.run(
        emulator,
        "replication_group_auth",
        {
            "replication_group_id": group,
            "auth_token_update_strategy": "rotate",
            "auth_token_secret": {"name": secret_name(group), "key": KEY, "stage": "AWSPENDING"},
            "data_plane_ca_path": emulator.ca_bundle,
            "wait_delay": 0.05,
        },
        hidden=(A, B),
    )
    assert not ran.failed, ran.msg


def at_new_token(emulator: Emulator) -> None:
    found = labelled(emulator)
    assert slots(emulator) == [found["AWSCURRENT"]]
    assert found["AWSCURRENT"] not in (A, B, "")
    assert "AWSPENDING" not in found


def rotated_from_a(emulator: Emulator) -> None:
    at_new_token(emulator)
    assert labelled(emulator)["AWSPREVIOUS"] == A


def at_token_with_tls(emulator: Emulator) -> None:
    at_new_token(emulator)
    assert emulator.group(GROUP)["tls"] == "required"


def at_tls(emulator: Emulator) -> None:
    assert emulator.group(GROUP)["tls"] == "required"
    assert slots(emulator) == [None]


def at_users(emulator: Emulator) -> None:
    """The user group decides, and clients with a token that was in force are still accepted."""
    truth = emulator.group(GROUP)
    assert (truth["mode"], truth["user_group_ids"]) == ("rbac", [f"{GROUP}-users"])
    probed = direct.run(
        emulator,
        "auth_probe",
        {
            "replication_group_id": GROUP,
            "data_plane_ca_path": emulator.ca_bundle,
            "credentials": [{"name": name, "auth_token": token} for name, token in (("a", A), ("b", B), ("c", C))],
            "expect": {"a": "accepted", "b": "accepted", "c": "refused", "unauthenticated": "refused"},
        },
    )
    assert not probed.failed, probed.msg


def open_to_all(emulator: Emulator) -> None:
    client = emulator.client("elasticache")
    assert emulator.group(GROUP)["mode"] == "open"
    assert client.describe_user_groups()["UserGroups"] == []
    assert [user["UserId"] for user in client.describe_users()["Users"]] in ([], ["default"])


def open_and_said_so(emulator: Emulator) -> None:
    open_to_all(emulator)
    assert labelled(emulator)["AWSCURRENT"] == ""


def back_at_a(emulator: Emulator) -> None:
    assert slots(emulator) == [A]
    assert labelled(emulator) == {"AWSCURRENT": A}


SCENES: Mapping[str, Scene] = {
    "rotate_token": Scene(
        required, rotated_from_a, "required (the token in AWSCURRENT), token 100.0 days old", tokens=(B, A)
    ),
    "enable_auth": Scene(
        plain, at_token_with_tls, "open, encryption in transit off", {"enable_tls": True}, {"create_secret": True}, (B,)
    ),
    "enable_tls": Scene(plain, at_tls, "encryption in transit off"),
    "migrate_rbac_to_auth": Scene(
        rbac, at_new_token, "rbac", {"accept_open_window": True}, {"create_secret": True}, (B,)
    ),
    "migrate_auth_to_rbac": Scene(rotating, at_users, "rotating", tokens=(B, A)),
    "disable_access_control": Scene(
        required, open_and_said_so, "required (the token in AWSCURRENT)", {"accept_open_access": True}, tokens=(A, "")
    ),
    "rollback_token": Scene(rotated, back_at_a, "required (the token in AWSCURRENT)", tokens=(A, B)),
}


def open_group(emulator: Emulator, group: str) -> None:
    create(emulator, group)


def plain_group(emulator: Emulator, group: str) -> None:
    create(emulator, group, TransitEncryptionEnabled=False)


def rbac_group(emulator: Emulator, group: str) -> None:
    create_user_group(emulator, f"ug-{group}")
    create(emulator, group, UserGroupIds=[f"ug-{group}"])


def mode(emulator: Emulator) -> str:
    return str(emulator.group(GROUP)["mode"])


def current(emulator: Emulator) -> str:
    return labelled(emulator)["AWSCURRENT"]


CREATING: Mapping[str, Any] = {"create_secret": True}
