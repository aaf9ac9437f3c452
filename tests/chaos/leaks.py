# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Whether a token got out: into a file, an output, a tag or the list of processes, written in whatever way."""

from __future__ import annotations

import base64
import contextlib
import html
import io
import json
import re
import threading
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from urllib.parse import quote, quote_plus

from chaos.command import MARK

#: What may hold a file of Ansible's own within a text: a module's zip, with its arguments.
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{200,}={0,2}")
_DEPTH = 4
_PAUSE = 0.002


def forms(token: str) -> dict[str, bytes]:
    """The ways in which a token may be written, each by its name."""
    in_json = json.dumps(token)[1:-1]
    escaped = "".join(f"\\u{ord(char):04x}" if char in "<>&" else char for char in token)
    found = {
        "raw": token,
        "in JSON": in_json,
        "in JSON in JSON": json.dumps(in_json)[1:-1],
        "in JSON, escaped for HTML": escaped,
        "in a URL": quote(token, safe=""),
        "in a form": quote_plus(token),
        "in HTML": html.escape(token),
        "backwards": token[::-1],
        "in hexadecimal": token.encode().hex(),
        # for a shell; quoted, it is raw
        "escaped for a shell": re.sub(r"([^A-Za-z0-9_-])", r"\\\1", token),
    }
    written = {name: text.encode() for name, text in found.items()}
    # In the base64 of something longer it begins at one of three places; what is whole of it is the same every time.
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + token.encode())
        begin = 4 if shift else 0
        end = len(whole) - (4 if (shift + len(token)) % 3 else 0)
        written[f"in base64, at {shift}"] = whole[begin:end]
        written[f"in base64 for URLs, at {shift}"] = whole[begin:end].translate(bytes.maketrans(b"+/", b"-_"))
    return written


@dataclass(frozen=True)
class Leak:
    """Where a token was found, and how it was written; which one it was by its number among those looked for."""

    where: str
    form: str
    token: int

    def __str__(self) -> str:
        return f"token {self.token} is {self.form} in {self.where}"


@dataclass
class Search:
    """A search for tokens, and how much it has been through."""

    tokens: Iterable[str]
    texts: int = 0
    size: int = 0  #: bytes, those that were unpacked too
    leaks: list[Leak] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tokens = sorted(set(self.tokens))
        self._needles = [
            (number, name, needle) for number, token in enumerate(self.tokens) for name, needle in forms(token).items()
        ]

    def text(self, where: str, content: bytes | str) -> None:
        """Look through a text, and through what is packed into it."""
        for name, part in _unpacked(where, content.encode() if isinstance(content, str) else content):
            self.texts += 1
            self.size += len(part)
            self.leaks += [Leak(name, form, number) for number, form, needle in self._needles if needle in part]

    def folder(self, folder: Path) -> int:
        """Look through every file below a folder, and through the names; returns how many files there are."""
        files = 0
        for path in sorted(folder.rglob("*")):
            self.text(f"the name of {path.name}", str(path.relative_to(folder)))
            if path.is_file() and not path.is_symlink():
                files += 1
                self.text(str(path.relative_to(folder)), path.read_bytes())
        return files


def _unpacked(where: str, content: bytes, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """A text, and all that is in it as base64, zip or zlib."""
    yield where, content
    if depth == _DEPTH:
        return
    if content[:2] == b"PK":
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for name in archive.namelist():
                    yield from _unpacked(f"{where}/{name}", archive.read(name), depth + 1)
        except (zipfile.BadZipFile, ValueError, NotImplementedError):
            pass
    elif content[:1] == b"\x78" or content[:2] == b"\x1f\x8b":
        with contextlib.suppress(zlib.error):
            yield from _unpacked(f"{where}, inflated", zlib.decompress(content, zlib.MAX_WBITS | 32), depth + 1)
    else:
        # A run that ends in the middle of four characters is no base64, or has more before it; its whole part counts.
        for number, found in enumerate(_BASE64.finditer(content)):
            text = found.group().rstrip(b"=")
            yield from _unpacked(
                f"{where}, base64 {number}", base64.b64decode(text[: len(text) // 4 * 4] + _rest(text)), depth + 1
            )


def _rest(text: bytes) -> bytes:
    """The last characters of base64, filled up to four; none where one alone is left."""
    left = len(text) % 4
    return text[len(text) - left :] + b"=" * (4 - left) if left > 1 else b""


class ProcessList:
    """Watches the list of processes: the command line and the environment of every process that a command started."""

    def __init__(self, mark: str) -> None:
        """``mark``: the command's (``chaos.command.MARK``)."""
        self.lines: set[bytes] = set()
        self.processes: set[int] = set()
        self.looks = 0
        self._mark = f"{MARK}={mark}".encode()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="process list", daemon=True)

    def __enter__(self) -> ProcessList:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_PAUSE):
            self.looks += 1
            for folder in Path("/proc").iterdir():
                if folder.name.isdigit():
                    self._look(folder)

    def _look(self, folder: Path) -> None:
        try:
            environment = (folder / "environ").read_bytes()
            if self._mark in environment:
                self.lines |= {environment, (folder / "cmdline").read_bytes()}
                self.processes.add(int(folder.name))
        except OSError:
            pass  # it has ended, or is not ours


def tags_of(truths: Iterable[Mapping[str, object]]) -> str:
    """All tags of groups, as one text."""
    return json.dumps([truth["tags"] for truth in truths], ensure_ascii=False)
