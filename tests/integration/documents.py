# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What README and the guides tell a reader to type, and running it as it stands there.

A document is read from top to bottom into files (a code block after a paragraph that names it, "``vars.yml``:") and
commands (the lines of console blocks that begin with ``$``). :class:`Reader` does what a reader does: writes the files,
and gives the commands to a shell that keeps its variables and its folder.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from integration.warm import Warm, server
from waiting import PATIENCE

REPOSITORY = Path(__file__).resolve().parents[2]
_MARKDOWN = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_RST = re.compile(r"^\.\. code-block:: (?P<kind>\S+)\n\n(?P<text>(?:   .*\n|\n)+)", re.MULTILINE)
_NAMED = re.compile(r"`{1,2}(?P<name>[\w./-]+\.(?:yml|cfg|json|sh))`{1,2}[^`]*:\s*\Z")
_WARM = ("ansible-playbook", "ansible-inventory")


@dataclass(frozen=True)
class File:
    """A file that a document tells to write."""

    name: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command as it is typed, without the prompt."""

    text: str


def read(document: Path) -> Iterator[File | Command]:
    """What a document tells to write and to type, in order."""
    text = document.read_text("utf-8")
    pattern = _RST if document.suffix == ".rst" else _MARKDOWN
    for match in pattern.finditer(text):
        block = textwrap.dedent(match["text"])
        if match["kind"] == "console":
            yield from map(Command, _commands(block))
        elif named := _NAMED.search(text[: match.start()].rstrip()[-200:]):
            yield File(named["name"], block.strip("\n") + "\n")


def _commands(block: str) -> Iterator[str]:
    lines = iter(block.splitlines())
    for line in lines:
        if line.startswith("$ "):
            command = line.removeprefix("$ ")
            while command.endswith("\\"):
                command += "\n" + next(lines, "")
            yield command


@dataclass
class Reader:
    """Somebody who follows a document, in ``folder`` at first.

    ``settings``: the environment; ``replace``: texts of the document for which others are typed, such as a time.
    ``typed`` has the commands that were run.
    """

    folder: Path
    settings: dict[str, str]
    replace: Mapping[str, str] = field(default_factory=dict)
    typed: list[str] = field(default_factory=list)

    def write(self, file: File) -> None:
        """Write a file, in the place of one that is there."""
        path = self.folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._replaced(file.text), encoding="utf-8")

    def type(self, command: Command, *, refused: bool = False) -> str:
        """Run a command and return what it printed; fails the test where it fails, or does not with ``refused``."""
        text = self._replaced(command.text)
        self.typed.append(command.text)
        arguments = self._split(text) if text.startswith(_WARM) else []
        done = self._warm(arguments) if arguments else self._shell(text)
        assert (done.returncode != 0) == refused, f"{text}\n{done.stdout}"
        return done.stdout

    def _replaced(self, text: str) -> str:
        for old, new in self.replace.items():
            text = text.replace(old, new)
        return text

    def _split(self, text: str) -> list[str]:
        """A command's arguments, expanded by a shell."""
        done = self._bash(f'printf "%s\\0" {text}')
        assert done.returncode == 0, done.stdout
        return done.stdout.split("\0")[:-1]

    def _shell(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run a command, and keep the variables and the folder that it leaves."""
        after = self.folder / ".after"
        done = self._bash(f"{text}\nstatus=$?\n(pwd; env -0) > {shlex.quote(str(after))}\nexit $status")
        folder, dummy, variables = after.read_text("utf-8").partition("\n")
        after.unlink()
        self.folder = Path(folder)
        self.settings = dict(setting.partition("=")[::2] for setting in variables.split("\0") if setting)
        return done

    def _bash(self, text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", text],
            cwd=self.folder,
            env=self.settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def _warm(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        """ansible-playbook or ansible-inventory, forked off (:mod:`integration.warm`)."""
        program = next(
            Path(folder, arguments[0])
            for folder in self.settings["PATH"].split(":")
            if Path(folder, arguments[0]).exists()
        )
        output = self.folder / ".output"
        with output.open("wb") as file:
            command = [str(program), *arguments[1:]]
            with Warm(server(), command, str(self.folder), self.settings, file.fileno(), file.fileno()) as process:
                try:
                    returncode = process.wait(PATIENCE)
                except BaseException:
                    process.kill()
                    raise
        printed = output.read_text("utf-8")
        output.unlink()
        return subprocess.CompletedProcess(command, returncode, printed)
