# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The audit of rotations that are half-way: which connections predate the new token, by live connections."""

from __future__ import annotations

import contextlib
import csv
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration import direct
from integration.client_wires import connected
from integration.role_scenes import run_role
from integration.scenes import A, create, put_secret
from waiting import wait_until

from ansible_collections.elasticache.auth.plugins.module_utils._report import page

from .test_audit import audit, report

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.05)
SECRET = "elasticache/{replication_group_id}/auth-token"
HOSTILE = "<img/src=x>{{7*7}}"


def begin(emulator: Emulator, *ids: str) -> None:
    """Leave the rotation of each group half-way, on record, with the new token in AWSCURRENT."""
    ran = run_role(
        emulator, "rotate_token", groups=list(ids), phase="begin", force=True, data_plane_ca_path=emulator.ca_bundle
    )
    assert ran.succeeded, ran.output


def token_of(emulator: Emulator, group: str) -> str:
    value = emulator.client("secretsmanager").get_secret_value(SecretId=SECRET.format(replication_group_id=group))
    return str(json.loads(value["SecretString"])["auth_token"])


def with_token(emulator: Emulator, group: str) -> None:
    create(emulator, group, AuthToken=A)
    put_secret(emulator, SECRET.format(replication_group_id=group), json.dumps({"auth_token": A}))


def of(told: dict[str, Any], group: str) -> dict[str, Any]:
    found: dict[str, Any] = next(row for row in told["groups"] if row["replication_group_id"] == group)
    return found


def rotating(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(finding for finding in row["findings"] if finding["finding"] == "rotating")
    return found


def test_connections_that_predate_the_new_token(emulator: Emulator, tmp_path: Path) -> None:
    """In all files and at the highest verbosity without a token; groups that are not half-way are not asked."""
    for group in ("carts", "sessions"):
        with_token(emulator, group)
    with contextlib.ExitStack() as stack:
        stack.enter_context(connected(emulator, "127.0.3.17", A, ("jedis", "5.1.2"), count=3, group="sessions"))
        stack.enter_context(connected(emulator, "127.0.4.2", A, (HOSTILE, "1"), group="sessions", node=1))
        stack.enter_context(connected(emulator, "127.0.4.3", A, group="carts"))
        begin(emulator, "sessions")
        begun = time.time()
        wait_until(lambda: time.time() > begun + 2.1, "ages tell younger connections from older ones")
        new = token_of(emulator, "sessions")
        stack.enter_context(connected(emulator, "127.0.3.17", new, ("jedis", "5.1.2"), count=2, group="sessions"))

        ran = audit(emulator, tmp_path, probe="auto", secret_name=SECRET, verbosity=4)
        assert ran.succeeded, ran.output
        direct.assert_no_token(ran.output, {A, new})
    told = report(tmp_path)
    row = of(told, "sessions")
    words = (
        f"4 connections from 2 addresses predate the new token: 127.0.3.17 (jedis 5.1.2) x3, 127.0.4.2 ({HOSTILE} 1) x1"
    )
    assert row["client_connections"] == {
        "summary": words,
        "error": None,
        "connections": 6,
        "predating": 4,
        "clients": [
            {
                "address": address,
                "user": "default",
                "library": library,
                "library_version": version,
                "predating": count,
            }
            for address, library, version, count in (
                ("127.0.3.17", "jedis", "5.1.2", 3),
                ("127.0.4.2", HOSTILE, "1", 1),
            )
        ],
        "clients_omitted": 0,
        "nodes": 2,
        "nodes_answered": 2,
    }
    assert rotating(row)["text"].endswith(f"both accepted. {words}.")
    assert "audit_secret_name" not in rotating(row)["next_step"]
    assert of(told, "carts")["client_connections"] is None
    assert "4 connections of 1 half-way rotation predate the new token." in ran.text
    with (tmp_path / "audit.csv").open(encoding="utf-8", newline="") as file:
        line = next(line for line in csv.DictReader(file) if line["replication_group_id"] == "sessions")
    assert (line["connections"], line["predating_connections"]) == ("6", "4")
    assert line["client_connections"] == f"{words}."
    html = (tmp_path / "audit.html").read_text("utf-8")
    assert HOSTILE not in html
    data = page.data_of(html)
    assert data is not None
    assert any(words in finding[1] for group in data["groups"] for finding in group["findings"])
    for name in ("audit.html", "audit.json", "audit.csv"):
        direct.assert_no_token((tmp_path / name).read_text("utf-8"), {A, new})


def test_what_can_not_be_asked_is_told_and_stops_nothing_else(emulator: Emulator, tmp_path: Path) -> None:
    """A secret that is missing, one that is not the token in force; another group is told all the same."""
    for group in ("carts", "sessions", "users"):
        with_token(emulator, group)
    with connected(emulator, "127.0.4.3", A, group="carts"):
        begin(emulator, "carts", "sessions", "users")
        secrets = emulator.client("secretsmanager")
        secrets.delete_secret(SecretId=SECRET.format(replication_group_id="sessions"), ForceDeleteWithoutRecovery=True)
        secrets.put_secret_value(
            SecretId=SECRET.format(replication_group_id="users"), SecretString=json.dumps({"auth_token": "x" * 32})
        )
        ran = audit(emulator, tmp_path, probe="auto", secret_name=SECRET)
    assert not ran.succeeded
    told = report(tmp_path)
    assert of(told, "carts")["client_connections"]["predating"] == 1
    for group, why in (("sessions", "elasticache/sessions/auth-token"), ("users", "2 of 2 nodes could not be asked")):
        found = of(told, group)["client_connections"]
        assert (found["connections"], found["predating"], found["summary"]) == (None, None, None)
        assert why in found["error"]
        assert "not known" in rotating(of(told, group))["text"]
        assert why in " ".join(told["incomplete"])


def test_without_the_variable_the_page_says_how_to_get_it(emulator: Emulator, tmp_path: Path) -> None:
    """And with it, but without audit_probe, the report says what is missing."""
    with_token(emulator, "sessions")
    begin(emulator, "sessions")
    ran = audit(emulator, tmp_path, probe="auto")
    assert ran.succeeded, ran.output
    row = of(report(tmp_path), "sessions")
    assert row["client_connections"] is None
    assert "audit_secret_name with audit_probe: auto shows" in rotating(row)["next_step"]

    ran = audit(emulator, tmp_path, secret_name=SECRET)
    assert not ran.succeeded
    assert "audit_secret_name is set and audit_probe is never" in " ".join(report(tmp_path)["incomplete"])


def test_a_name_with_other_braces(emulator: Emulator, tmp_path: Path) -> None:
    with_token(emulator, "sessions")
    begin(emulator, "sessions")
    ran = audit(emulator, tmp_path, probe="auto", secret_name="elasticache/{group}/auth")
    assert not ran.succeeded
    assert "may hold {replication_group_id} and no other braces" in " ".join(report(tmp_path)["incomplete"])
