# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The emulator as a program: its arguments, its ready line, its end."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import Any

import boto3
import pytest
from unit.emulator.control_support import (
    GROUP,
)

TESTS = Path(__file__).parents[2]


def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start an emulator of one's own."""
    return subprocess.Popen(
        [sys.executable, "-m", "emulator", "--data-plane", "none", *arguments],
        cwd=TESTS,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_cleanly(number: int, tmp_path: Path) -> None:
    process = start("--region", "eu-west-1", env={**os.environ, "TMPDIR": str(tmp_path), "AWS_PROFILE": "nope"})
    try:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        assert list(line) == ["endpoint_url", "region", "ca_bundle", "admin_url"]
        assert line["region"] == "eu-west-1"
        assert line["endpoint_url"].startswith("http://127.0.0.1:")
        client = boto3.client(
            "elasticache",
            region_name="eu-west-1",
            endpoint_url=line["endpoint_url"],
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )
        client.create_replication_group(ReplicationGroupId=GROUP, ReplicationGroupDescription="d")
        process.send_signal(number)
        rest, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert (process.returncode, rest, errors) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_it_ends_with_its_standard_input() -> None:
    process = start("--exit-with-stdin", stdin=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--variant", "nope=1"], "no variant 'nope'"),
        (["--variant", "date-moves=x"], "can be: end, start"),
        (["--variant", "date-moves"], "can be: end, start"),
        (["--modify-seconds", "-1"], "must be between"),
        (["--data-plane", "other"], "invalid choice"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_argument_is_refused(arguments: list[str], text: str) -> None:
    process = start(*arguments)
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, output) == (2, "")
    assert text in errors


def test_variants_can_be_chosen_at_the_start() -> None:
    process = start("--variant", "date-moves=start")
    try:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        address = urllib.parse.urlsplit(line["admin_url"])
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=120)
        connection.request("GET", f"{address.path}/variants")
        assert json.load(connection.getresponse())["date-moves"]["value"] == "start"
        connection.close()
    finally:
        process.terminate()
        process.communicate(timeout=120)
