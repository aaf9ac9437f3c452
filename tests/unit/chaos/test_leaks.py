# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The search for leaked tokens finds them, however they are written and wherever they are put."""

from __future__ import annotations

import base64
import gzip
import io
import json
import subprocess
import sys
import uuid
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from waiting import wait_until

from chaos.command import MARK
from chaos.leaks import ProcessList, Search, forms, tags_of

TOKEN = "aB3!cD4&eF5#gH6$iJ7^kL8<mN9>oP0-xyz"
OTHER = "Zy9-Xw8-Vu7-Ts6-Rq5-Po4"


def zipped(text: str) -> bytes:
    """A zip with a file in it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("args.json", text)
    return packed.getvalue()


WRITTEN: dict[str, Callable[[str], str | bytes]] = {
    "raw": lambda text: text,
    "JSON": lambda text: json.dumps({"a": text}),
    "JSON in JSON": lambda text: json.dumps(json.dumps({"a": text})),
    "HTML in JSON": lambda text: text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"),
    "URL": lambda text: quote(text, safe=""),
    "base64 alone": lambda text: base64.b64encode(text.encode()),
    "base64 at 1": lambda text: base64.b64encode(b"x" + text.encode() + b"some more"),
    "base64 at 2": lambda text: base64.b64encode(b"xx" + text.encode() + b"and so on"),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(b"xxx>" + text.encode() + b"??>"),
    "shell": lambda text: f"'{text}'",
    "zip": zipped,
    "zip in base64": lambda text: b"ZIPDATA = '" + base64.b64encode(zipped(text + " " * 9 + "x" * 99)) + b"'",
    "zlib": lambda text: zlib.compress(text.encode()),
    "gzip": lambda text: gzip.compress(text.encode()),
    "hexadecimal": lambda text: text.encode().hex(),
}


@pytest.mark.parametrize("token", [TOKEN, OTHER, TOKEN[:16], TOKEN[:17]])
@pytest.mark.parametrize("how", WRITTEN)
def test_a_planted_token_is_found(how: str, token: str) -> None:
    search = Search([token, "not-In-There-0123456789"])
    search.text("somewhere", WRITTEN[how](f"before {token} after"))
    assert search.leaks
    assert {leak.token for leak in search.leaks} == {sorted([token, "not-In-There-0123456789"]).index(token)}
    assert token not in str(search.leaks[0])


@pytest.mark.parametrize("how", WRITTEN)
def test_nothing_is_found_where_nothing_is(how: str) -> None:
    search = Search([TOKEN, OTHER])
    search.text("somewhere", WRITTEN[how](f"before {TOKEN[3:]} {OTHER[:-3]} after"))
    assert search.leaks == []
    assert search.texts
    assert search.size


def test_no_form_is_too_short_to_mean_something() -> None:
    assert min(len(needle) for needle in forms(TOKEN[:16]).values()) >= 16


def test_files_and_their_names(tmp_path: Path) -> None:
    (tmp_path / "deep" / "down").mkdir(parents=True)
    (tmp_path / "deep" / "down" / "file").write_text(f"x{TOKEN}")
    (tmp_path / OTHER).write_bytes(b"\xff\xfe")
    search = Search([TOKEN, OTHER])
    assert search.folder(tmp_path) == 2
    assert {leak.where for leak in search.leaks} == {"deep/down/file", f"the name of {OTHER}"}
    assert Search([TOKEN]).folder(tmp_path / "deep") == 1


def test_tags() -> None:
    search = Search([TOKEN])
    search.text("tags", tags_of([{"tags": {"a": "b"}}, {"tags": {"record": f"v1 {TOKEN}"}}]))
    assert len(search.leaks) >= 1


@pytest.mark.parametrize("where", ["arguments", "environment"])
def test_the_list_of_processes(where: str) -> None:
    """A grandchild is seen, and nobody else's process."""
    leak = [TOKEN] if where == "arguments" else []
    script = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import sys; sys.stdin.read()', *sys.argv[1:]])"
    )
    mine = uuid.uuid4().hex
    environment = {MARK: mine, **({"PASSWORD": TOKEN} if where == "environment" else {})}
    theirs = [sys.executable, "-c", "import sys; sys.stdin.read()", OTHER]
    with (
        ProcessList(mine) as seen,
        subprocess.Popen(theirs, env={MARK: "theirs"}, stdin=subprocess.PIPE),
        subprocess.Popen([sys.executable, "-c", script, *leak], env=environment, stdin=subprocess.PIPE),
    ):
        wait_until(lambda: len(seen.processes) >= 2, "the process and its child are seen")
        looks = seen.looks
        wait_until(lambda: seen.looks > looks + 1, "the whole list was looked at")
    assert len(seen.processes) == 2
    search = Search([TOKEN, OTHER])
    for line in seen.lines:
        search.text("the list of processes", line)
    assert {leak.token for leak in search.leaks} == {sorted([TOKEN, OTHER]).index(TOKEN)}
