# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The operations, as data: what each finds, how it is called, and where it must arrive. Add one to ``OPERATIONS``.

``prepare`` makes one group and its secret with boto3 alone (``integration/scenes.py``); ``variables`` are those of the
file that the command is given; ``arrived`` says what is not as it must be at the end, nothing where all is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from integration.scenes import A, B, create, create_user_group, put_secret, rotate, set_token, wait_for_users

from chaos.judge import Moment
from chaos.store import KEY, SECRET, Store, secret_name

if TYPE_CHECKING:
    from conftest import Emulator

GROUP = "sessions"
#: The one in the same batch that is never in order, in the condition create-failed.
FAILED_GROUP = "stillborn"
#: The one in the same batch whose change is held, in the condition neighbour.
NEIGHBOUR = "stalled"
#: The name and password of a user of a group's user group.
ACCOUNT = ("app", B)


@dataclass(frozen=True)
class World:
    """What an operation's variables are made for."""

    groups: tuple[str, ...]
    ca_bundle: str
    wait_timeout: int = 120


@dataclass(frozen=True)
class Previous:
    """A client that stays as it is: it must be served until a state in which its way in is ``over``.

    ``token``: what it sends, an empty text for no AUTH. ``tls``: whether it speaks TLS; None: wherever the group does.
    """

    token: str
    over: Callable[[Moment], bool]
    tls: bool | None = None


@dataclass(frozen=True)
class Operation:
    """One operation. ``playbook``: an FQCN, or plays as data.

    ``calls``: how many calls that change something it makes, undisturbed. ``given``: tokens in force in the scene
    that the store need not know. ``exposure``: an operation that neither begins nor ends open must not be open in
    between, unless AWS offers no other way; then it is told and is no violation. ``account``: the name and password
    of clients while AWSCURRENT says that there is no token. ``in_one_go``: one module takes each group to its end;
    where several do, each waits for the slowest group.
    """

    name: str
    playbook: str | Sequence[Mapping[str, Any]]
    prepare: Callable[[Emulator, str], None]
    variables: Callable[[World], dict[str, Any]]
    arrived: Callable[[Mapping[str, Any], Store], list[str]]
    previous: Previous | None = None
    calls: int = 0
    given: tuple[str, ...] = ()
    exposure: bool = False
    account: tuple[str, str] | None = None
    in_one_go: bool = True


# --- What an operation finds ------------------------------------------------------------------------------------------


def store_token(emulator: Emulator, group: str, current: str, pending: str | None = None) -> None:
    """Store a group's token as the operations do: JSON with another key beside it; an empty text is no token yet."""
    texts = [None if token is None else json.dumps({KEY: token, "port": 6379}) for token in (current, pending)]
    assert texts[0] is not None
    put_secret(emulator, secret_name(group), texts[0], texts[1])


def required_group(emulator: Emulator, group: str) -> None:
    """A group that demands the token A, which is in AWSCURRENT."""
    store_token(emulator, group, A)
    create(emulator, group, AuthToken=A)


def aged_group(emulator: Emulator, group: str) -> None:
    """The same, and the token is a hundred days old."""
    required_group(emulator, group)
    emulator.admin("POST", f"groups/{group}", {"token_age_days": 100})


def open_group(emulator: Emulator, group: str) -> None:
    """A group that accepts everyone, without a secret."""
    create(emulator, group)


def unencrypted_group(emulator: Emulator, group: str) -> None:
    """The same, without encryption in transit."""
    create(emulator, group, TransitEncryptionEnabled=False)


def rbac_group(emulator: Emulator, group: str) -> None:
    """A group whose users accept a client without a password; its secret says that there is no token."""
    users = f"{group}-everyone"
    client = emulator.client("elasticache")
    client.create_user_group(UserGroupId=users, Engine="redis", UserIds=["default"])
    wait_for_users(emulator, users)
    store_token(emulator, group, "")
    create(emulator, group, UserGroupIds=[users])


def rbac_group_with_account(emulator: Emulator, group: str) -> None:
    """A group whose clients log in as the user app; its user named default accepts nobody."""
    client = emulator.client("elasticache")
    users = {"app": (ACCOUNT[0], "on ~* &* +@all"), "nobody": ("default", "off -@all")}
    for key, (name, access) in users.items():
        client.create_user(
            UserId=f"{group}-{key}", UserName=name, Engine="redis", AccessString=access, Passwords=[ACCOUNT[1]]
        )
    user_group = f"{group}-accounts"
    client.create_user_group(UserGroupId=user_group, Engine="redis", UserIds=[f"{group}-{key}" for key in users])
    wait_for_users(emulator, user_group)
    store_token(emulator, group, "")
    create(emulator, group, UserGroupIds=[user_group])


def rbac_group_with_token(emulator: Emulator, group: str) -> None:
    """A group whose user named default has the password A, which is in AWSCURRENT."""
    store_token(emulator, group, A)
    create(emulator, group, UserGroupIds=[create_user_group(emulator, f"{group}-known")])


def rotated_group(emulator: Emulator, group: str) -> None:
    """A group that demands the token B, which is in AWSCURRENT, and A is in AWSPREVIOUS."""
    required_group(emulator, group)
    rotate(emulator, B, group)
    promoted(emulator, group)
    set_token(emulator, B, group)


def rotating_group(emulator: Emulator, group: str) -> None:
    """A group that accepts A and B; B is in AWSCURRENT, and A is in AWSPREVIOUS."""
    required_group(emulator, group)
    rotate(emulator, B, group)
    promoted(emulator, group)


def promoted(emulator: Emulator, group: str) -> None:
    """Put B into AWSCURRENT; what was there is in AWSPREVIOUS."""
    text = json.dumps({KEY: B, "port": 6379})
    emulator.client("secretsmanager").put_secret_value(SecretId=secret_name(group), SecretString=text)


#: The client cutover as tasks.
CUTOVER_TASKS = Path(__file__).with_name("client_cutover.yml")


# --- How it is called -------------------------------------------------------------------------------------------------


def role_variables(role: str, world: World, **more: Any) -> dict[str, Any]:
    """What every role takes, with waits as short as the emulator's changes."""
    common = {
        "replication_groups": list(world.groups),
        "secret_name": SECRET,
        "secret_key": KEY,
        "data_plane_ca_path": world.ca_bundle,
        "wait_delay": 0.2,
        "wait_timeout": world.wait_timeout,
    }
    return {f"{role}_{name}": value for name, value in {**common, **more}.items()}


# --- Where it must arrive ---------------------------------------------------------------------------------------------


def only_current_is_accepted(truth: Mapping[str, Any], store: Store) -> list[str]:
    """The group takes the token of AWSCURRENT alone, which is not A; AWSPREVIOUS is another, and nothing is pending."""
    current = store.labelled("AWSCURRENT")
    wrong = []
    if truth["mode"] != "required":
        wrong.append(f"the group is {truth['mode']} and not required")
    elif truth["slots"] != [current]:
        wrong.append("the token in force is not that of AWSCURRENT")
    if current == A:
        wrong.append("AWSCURRENT still is the old token")
    if store.labelled("AWSPREVIOUS") in (None, current):
        wrong.append("AWSPREVIOUS is not the token before")
    if store.labelled("AWSPENDING") is not None:
        wrong.append("AWSPENDING is still there")
    return wrong


def only_a_is_accepted(truth: Mapping[str, Any], store: Store) -> list[str]:
    """The group takes A alone, which is in AWSCURRENT; whatever was given up has no label."""
    wrong = []
    if truth["mode"] != "required" or truth["slots"] != [A]:
        wrong.append(f"the group is {truth['mode']}, and not required with the token to go back to")
    if store.labelled("AWSCURRENT") != A:
        wrong.append("AWSCURRENT is another token")
    labels = {label for version in store.versions for label in version.labels}
    if labels != {"AWSCURRENT"}:
        wrong.append(f"the secret has the labels {', '.join(sorted(labels))}")
    return wrong


def users_decide(truth: Mapping[str, Any], store: Store) -> list[str]:
    """The user group made for it decides; the store is as it was."""
    wrong = []
    if truth["user_group_ids"] != [f"{truth['id']}-users"]:
        wrong.append(f"the group is {truth['mode']}, with the user groups {truth['user_group_ids']}")
    if store.labelled("AWSCURRENT") != A:
        wrong.append("AWSCURRENT is another token")
    return wrong


def nothing_decides(truth: Mapping[str, Any], store: Store) -> list[str]:
    """The group is open, and AWSCURRENT says that there is no token."""
    wrong = [] if truth["mode"] == "open" else [f"the group is {truth['mode']} and not open"]
    if store.labelled("AWSCURRENT") != "":
        wrong.append("AWSCURRENT still is a token")
    return wrong


def encryption_is_required(truth: Mapping[str, Any], store: Store) -> list[str]:
    """Encryption in transit is required, and nothing else has changed."""
    wrong = [] if truth["tls"] == "required" else [f"encryption in transit is {truth['tls']}"]
    if truth["mode"] != "open" or store.versions:
        wrong.append("access control has changed")
    return wrong


def refuses_unauthenticated(moment: Moment) -> bool:
    """Whether a client without a token is refused."""
    return bool(moment["mode"] == "required")


def everyone_is_let_in(moment: Moment) -> bool:
    """Whether user groups, or nothing, accept a client without a token, and none that sends one has to be."""
    return bool(moment["mode"] == "open" or [one for one in moment["user_group_ids"] if one.endswith("-open")])


def only_one_token(moment: Moment) -> bool:
    """Whether SET has taken effect: one token alone is accepted."""
    return bool(moment["mode"] == "required" and len(moment["slots"]) == 1 and moment["slots"] != [A])


OPERATIONS: Mapping[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation(
            name="rotate_token",
            playbook="elasticache.auth.rotate_token",
            prepare=aged_group,
            calls=8,
            # The clients fetch AWSCURRENT for every login, so there is nothing to wait for.
            variables=lambda world: role_variables("rotate_token", world, soak=0),
            arrived=only_current_is_accepted,
            previous=Previous(A, over=only_one_token),
        ),
        Operation(
            name="rotate_token/tasks",
            playbook="elasticache.auth.rotate_token",
            prepare=aged_group,
            calls=9,
            # Two module calls, one before the client cutover and one after, and tasks in between.
            variables=lambda world: role_variables("rotate_token", world, client_tasks=str(CUTOVER_TASKS)),
            arrived=only_current_is_accepted,
            previous=Previous(A, over=only_one_token),
            in_one_go=False,
        ),
        Operation(
            name="enable_auth",
            playbook="elasticache.auth.enable_auth",
            prepare=open_group,
            calls=9,
            variables=lambda world: role_variables("enable_auth", world, create_secret=True, soak=0),
            arrived=only_current_is_accepted,
            previous=Previous("", over=refuses_unauthenticated),
        ),
        Operation(
            name="enable_auth/from-no-tls",
            playbook="elasticache.auth.enable_auth",
            prepare=unencrypted_group,
            calls=11,
            variables=lambda world: role_variables("enable_auth", world, create_secret=True, enable_tls=True, soak=0),
            arrived=only_current_is_accepted,
            previous=Previous("", over=refuses_unauthenticated),
        ),
        Operation(
            name="enable_tls",
            playbook="elasticache.auth.enable_tls",
            prepare=unencrypted_group,
            calls=2,
            variables=lambda world: {
                f"enable_tls_{name}": value
                for name, value in {
                    "replication_groups": list(world.groups),
                    "soak": 0,
                    "wait_delay": 0.2,
                    "wait_timeout": world.wait_timeout,
                }.items()
            },
            arrived=encryption_is_required,
            previous=Previous("", over=lambda moment: bool(moment["tls"] == "required"), tls=False),
        ),
        Operation(
            name="migrate_rbac_to_auth",
            playbook="elasticache.auth.migrate_rbac_to_auth",
            prepare=rbac_group_with_account,
            calls=12,
            variables=lambda world: role_variables("migrate_rbac_to_auth", world, accept_open_window=True, soak=0),
            arrived=only_current_is_accepted,
            exposure=True,
            account=ACCOUNT,
        ),
        Operation(
            name="migrate_rbac_to_auth/directly",
            playbook="elasticache.auth.migrate_rbac_to_auth",
            prepare=rbac_group,
            calls=8,
            # Clients without a password are accepted before, and move while unauthenticated access is allowed.
            variables=lambda world: role_variables(
                "migrate_rbac_to_auth", world, accept_open_window=True, allow_direct=True, soak=0
            ),
            arrived=only_current_is_accepted,
            exposure=True,
        ),
        Operation(
            name="migrate_rbac_to_auth/with-its-token",
            playbook="elasticache.auth.migrate_rbac_to_auth",
            prepare=rbac_group_with_token,
            calls=5,
            variables=lambda world: role_variables("migrate_rbac_to_auth", world, accept_open_window=True, soak=0),
            arrived=only_a_is_accepted,
            exposure=True,
        ),
        Operation(
            name="migrate_auth_to_rbac",
            playbook="elasticache.auth.migrate_auth_to_rbac",
            prepare=required_group,
            calls=5,
            variables=lambda world: role_variables("migrate_auth_to_rbac", world, soak=0),
            arrived=users_decide,
        ),
        Operation(
            name="disable_access_control",
            playbook="elasticache.auth.disable_access_control",
            prepare=required_group,
            calls=17,
            variables=lambda world: role_variables("disable_access_control", world, accept_open_access=True, soak=0),
            arrived=nothing_decides,
            previous=Previous(A, over=everyone_is_let_in),
        ),
        Operation(
            name="rollback_token",
            playbook="elasticache.auth.rollback_token",
            prepare=rotated_group,
            calls=11,
            variables=lambda world: role_variables("rollback_token", world, soak=0),
            arrived=only_a_is_accepted,
            previous=Previous(B, over=lambda moment: moment["slots"] == [A]),
        ),
        Operation(
            name="rollback_token/half-way",
            playbook="elasticache.auth.rollback_token",
            prepare=rotating_group,
            calls=18,
            variables=lambda world: role_variables(
                "rollback_token", world, accept_open_window=True, assume_newest="current", soak=0
            ),
            arrived=only_a_is_accepted,
            previous=Previous(B, over=lambda moment: moment["mode"] == "optional"),
            exposure=True,
        ),
    )
}
