# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The benchmark itself, on few groups: its variants arrive, and it says so. Not how long they take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[2]
MODIFY = "elasticache:ModifyReplicationGroup"


def measured(folder: Path, *arguments: str) -> tuple[str, dict[str, Any]]:
    """What the benchmark prints, and what it writes."""
    file = folder / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", *arguments, "--poll-seconds", "0.1", "--json", str(file)],
        cwd=TESTS,
        env={**os.environ, "TERM": "dumb", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout  # 1: so few groups need not reach the targets
    text = file.read_text("utf-8")
    assert "Old-token-of-" not in done.stdout + text
    assert "Password-of-" not in done.stdout + text
    return done.stdout, json.loads(text)


def test_two_groups(tmp_path: Path) -> None:
    arguments = ["--sizes", "2", "--variants", "a,a2,b,c16,d", "--modify-seconds", "0.2"]
    arguments += ["--durations", "heavy-tailed", "--modify-max-seconds", "0.5"]
    printed, found = measured(tmp_path, *arguments)
    assert [(one["variant"], one["groups"], one["failed"]) for one in found["outcomes"]] == [
        ("a", 2, False),
        ("a2", 2, False),
        ("b", 2, False),
        ("c16", 2, False),
        ("d", 2, False),
    ], printed
    for one in found["outcomes"]:
        assert one["calls"][MODIFY] == 4
        assert one["cpu"] > 0
        assert one["memory"] > 10e6
        assert not one["extrapolated"]
        history = one["timeline"]
        assert 0 < history["gap_mean"] <= history["gap_max"] < one["wall"]
        assert 0 < history["slowest_own"] <= 1.0
        assert (history["unauthenticated"], history["changes"]) == (0, 2)
    # Each group's durations are the same whoever changes it.
    assert len({one["timeline"]["slowest_own"] for one in found["outcomes"]}) == 1
    assert found["settings"]["throttle"] == "aws-like"
    assert {one["variant"] for one in found["targets"]} == {"a", "a2"}
    durations = {(one["scenario"]["durations"], one["met"] is None) for one in found["targets"]}
    assert {("heavy-tailed", False), ("fixed", True)} <= durations
    assert ("fixed", False) not in durations
    for said in ("rotate_token, heavy-tailed, 3 regions", MODIFY, "Targets"):
        assert said in printed


def test_two_cases(tmp_path: Path) -> None:
    # The neighbour's time limit is the others' too: they must keep it on a busy machine.
    arguments = ["--cases", "neighbour,faults", "--neighbour-timeout", "15", "--fault-groups", "2"]
    printed, found = measured(tmp_path, *arguments, "--modify-seconds", "0.2")
    neighbour, faults = found["outcomes"]
    assert not neighbour["failed"], printed
    assert not faults["failed"], printed
    assert (neighbour["scenario"]["operation"], neighbour["groups"]) == ("migrate_rbac_to_auth", 3)
    history = neighbour["timeline"]
    assert history["slowest_own"] == 2.0  # of the groups that arrive, a second for each of two changes
    assert history["gap_max"] < history["unauthenticated"] < neighbour["wall"]
    assert faults["groups"] == 2
    assert faults["timeline"]["changes"] == 2
    assert sum(faults["refused"].values()) > 0
    known = {one["what"]: one["met"] for one in found["targets"] if one["found"] is not None}
    assert set(known) == {"s of unauthenticated access beyond the group's own changes", "modifies a group, most"}
    assert known["modifies a group, most"]
