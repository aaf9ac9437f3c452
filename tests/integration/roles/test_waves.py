# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A fleet in waves: a canary first, none after a wave that failed, busy groups last, and an account of it all."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from integration.meanwhile import Once, meanwhile
from integration.role_scenes import KEY, RoleRun, age, labelled, put_token, run_role, secret_name, secret_text
from integration.scenes import A, create, slots

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.05)

FLEET = ("alpha", "bravo", "charlie", "delta")
WAVES = {"rotate_token_serial": [1, "50%", "100%"]}


def due(emulator: Emulator, *groups: str) -> None:
    """Create groups whose token is due to be rotated."""
    for group in groups:
        create(emulator, group, AuthToken=A)
        age(emulator, 100, group)
        put_token(emulator, A, group=group)


def hosts_file(folder: Path, hosts: Mapping[str, Mapping[str, Any]]) -> str:
    """An inventory with the host variables that the inventory plugin sets, as far as the roles need them."""
    common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    file = folder / "hosts.yml"
    file.write_text(yaml.safe_dump({"all": {"hosts": dict(hosts), "vars": common}}, sort_keys=False))
    return str(file)


def rotate_fleet(
    emulator: Emulator, folder: Path, hosts: Mapping[str, Mapping[str, Any]], *arguments: str, **more: Any
) -> RoleRun:
    return run_role(
        emulator,
        "rotate_token",
        groups=None,
        inventory=hosts_file(folder, hosts),
        extra_vars={"rotate_token_hosts": "all", **WAVES, **more.pop("extra_vars", {})},
        arguments=arguments,
        soak=0,
        report_path=str(folder / "result.json"),
        **more,
    )


def account(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_text("utf-8"))
    return found


def arrived(emulator: Emulator, *groups: str) -> bool:
    return all(slots(emulator, group) == [labelled(emulator, group)["AWSCURRENT"]] != [A] for group in groups)


def test_a_canary_then_half_then_the_rest(emulator: Emulator, tmp_path: Path) -> None:
    due(emulator, *FLEET)
    ran = rotate_fleet(emulator, tmp_path, {group: {} for group in FLEET})
    assert ran.succeeded, ran.output
    assert arrived(emulator, *FLEET)
    changes = [call["id"] for call in ran.calls if call["action"] == "ModifyReplicationGroup"]
    assert changes[:2] == ["alpha"] * 2
    assert set(changes[2:6]) == {"bravo", "charlie"}
    assert changes[6:] == ["delta"] * 2
    told = account(tmp_path)
    assert {one["replication_group_id"]: one["wave"] for one in told["groups"]} == {
        "alpha": 1,
        "bravo": 2,
        "charlie": 2,
        "delta": 3,
    }
    assert (told["operation"], told["waiting"]) == ("rotate_token", [])
    first = told["groups"][0]
    assert (first["outcome"], first["initial_state"]) == ("changed", "required (the token in AWSCURRENT)")
    assert first["current_state"] == "required (the token in AWSCURRENT)"
    assert first["api_calls"].count("ModifyReplicationGroup") == 2
    assert [step["step"] for step in first["step_results"]] == ["stage", "rotate", "promote", "set"]
    assert all(step["duration"] >= 0 for step in first["step_results"])
    assert "wave 3: 1 changed. In all: 4 changed." in ran.text
    tokens = {token for group in FLEET for token in labelled(emulator, group).values()}
    text = (tmp_path / "result.json").read_text("utf-8")
    assert not [token for token in tokens if token in text]

    again = rotate_fleet(emulator, tmp_path, {group: {} for group in FLEET})
    assert again.succeeded, again.output
    assert (set(again.changed.values()), again.mutating) == ({0}, [])
    assert {one["outcome"] for one in account(tmp_path)["groups"]} == {"unchanged"}


def test_after_a_wave_that_failed_no_other_begins(emulator: Emulator, tmp_path: Path) -> None:
    """What was not begun is not touched, and says so; one more run finishes the rest."""
    due(emulator, *FLEET)
    fault = {"kind": "error", "action": "ModifyReplicationGroup", "id": "bravo", "times": 1000}
    emulator.faults({**fault, "code": "InvalidParameterValue", "message": "No.", "status": 400})
    ran = rotate_fleet(emulator, tmp_path, {group: {} for group in FLEET})
    assert not ran.succeeded
    assert {host: numbers["failures"] for host, numbers in ran.recap.items()} == {
        "alpha": 0,
        "bravo": 1,
        "charlie": 0,
        "delta": 1,
    }
    assert "delta: not begun. Of the 2 hosts of the wave before 1 failed (bravo)" in ran.text
    assert arrived(emulator, "alpha", "charlie")
    assert (slots(emulator, "bravo"), slots(emulator, "delta")) == ([A], [A])
    assert not [call for call in ran.calls if call["id"] in ("delta", secret_name("delta"))]
    told = account(tmp_path)
    assert {one["replication_group_id"]: one["outcome"] for one in told["groups"]} == {
        "alpha": "changed",
        "bravo": "failed",
        "charlie": "changed",
    }
    assert told["waiting"] == ["delta"]

    emulator.clear_faults()
    rest = rotate_fleet(emulator, tmp_path, {group: {} for group in FLEET}, "--limit", "bravo,delta")
    assert rest.succeeded, rest.output
    assert arrived(emulator, *FLEET)


def test_a_wave_may_fail_in_part(emulator: Emulator, tmp_path: Path) -> None:
    due(emulator, *FLEET)
    emulator.client("elasticache").delete_replication_group(ReplicationGroupId="bravo")
    ran = rotate_fleet(emulator, tmp_path, {group: {} for group in FLEET}, max_fail_percentage=50)
    assert not ran.succeeded
    assert arrived(emulator, "alpha", "charlie", "delta")
    gone = next(one for one in account(tmp_path)["groups"] if one["replication_group_id"] == "bravo")
    assert gone["outcome"] == "failed"
    assert "bravo" in gone["msg"]


def test_a_canary_that_fails_ends_it(emulator: Emulator, tmp_path: Path) -> None:
    due(emulator, *FLEET)
    emulator.client("secretsmanager").delete_secret(SecretId=secret_name("alpha"))
    ran = rotate_fleet(emulator, tmp_path, {group: {} for group in FLEET})
    assert not ran.succeeded
    assert ran.mutating == []
    assert account(tmp_path)["waiting"] == ["bravo", "charlie", "delta"]


def test_busy_groups_last(emulator: Emulator, tmp_path: Path) -> None:
    """With C(last), a group on which something is under way holds up nobody."""
    due(emulator, "alpha", "bravo")
    emulator.hold("alpha")
    emulator.client("elasticache").modify_replication_group(
        ReplicationGroupId="alpha", ApplyImmediately=True, CacheNodeType="cache.r7g.4xlarge"
    )
    with meanwhile(Once(lambda: arrived(emulator, "bravo"), emulator.release)):
        ran = run_role(emulator, "rotate_token", groups=("alpha", "bravo"), soak=0, busy_groups="last")
    assert ran.succeeded, ran.output
    assert arrived(emulator, "alpha", "bravo")
    changes = [call["id"] for call in ran.calls if call["action"] == "ModifyReplicationGroup"]
    assert changes == ["bravo", "bravo", "alpha", "alpha"]


def test_twins_in_two_regions(emulator: Emulator, tmp_path: Path) -> None:
    """One wave over two regions, with a group of the same id in each: each is changed where it is."""
    regions = ("us-east-1", "eu-west-1")
    for region in regions:
        create(emulator, "alpha", AuthToken=A, region=region)
        emulator.client("secretsmanager", region=region).create_secret(
            Name=secret_name("alpha"), SecretString=secret_text(A)
        )
    hosts = {f"alpha.{region}": {"replication_group_id": "alpha", "elasticache_region": region} for region in regions}
    emulator.hold()  # neither goes on before the other one has begun, too
    with meanwhile(Once(lambda: len(emulator.held(action="ModifyReplicationGroup")) == 2, emulator.release)):
        ran = rotate_fleet(emulator, tmp_path, hosts, force=True, extra_vars={"rotate_token_serial": "100%"})
    assert ran.succeeded, ran.output
    assert all(ran.changed.values())
    changes = [call["region"] for call in ran.calls if call["action"] == "ModifyReplicationGroup"]
    assert sorted(changes) == sorted(regions * 2)
    tokens = set()
    for region in regions:
        text = emulator.client("secretsmanager", region=region).get_secret_value(SecretId=secret_name("alpha"))
        tokens.add(json.loads(text["SecretString"])[KEY])
    assert len(tokens | {A}) == 3
    assert {(one["replication_group_id"], one["region"]) for one in account(tmp_path)["groups"]} == {
        ("alpha", region) for region in regions
    }
