# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The benchmark itself, on few groups: its variants arrive, and it says so. Not how long they take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
MODIFY = "elasticache:ModifyReplicationGroup"


def test_three_groups(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    arguments = ["--sizes", "3", "--variants", "a,a2,b,c16,d", "--modify-seconds", "0.2", "--poll-seconds", "0.1"]
    arguments += ["--durations", "heavy-tailed", "--modify-max-seconds", "0.5"]
    environment = {**os.environ, "TERM": "dumb", "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", *arguments, "--json", str(file)],
        cwd=TESTS,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout  # 1: so few groups need not reach the targets
    found = json.loads(file.read_text("utf-8"))
    assert [(one["variant"], one["groups"], one["failed"]) for one in found["outcomes"]] == [
        ("a", 3, False),
        ("a2", 3, False),
        ("b", 3, False),
        ("c16", 3, False),
        ("d", 3, False),
    ], done.stdout
    for one in found["outcomes"]:
        assert one["calls"][MODIFY] == 6
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
        assert said in done.stdout
    assert "Old-token-of-" not in done.stdout + file.read_text("utf-8")
