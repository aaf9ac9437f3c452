# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Which deprecations a run was told of, and whose they are: Ansible's by its log, Python's by the recorder's file.

One is ours where it names this collection, or where the code that it is about is ours: the last call before Ansible's
own, as ansible-core tells since 2.19.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_OUR_CODE = re.compile(r"ansible_collections/elasticache/auth/")
#: Not in a file's name: each of our modules' archives has it there, with what others wrote in it.
_OUR_NAME = re.compile(rf"elasticache\.auth(?![\w-])|{_OUR_CODE.pattern}")
_RECORD = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ .*?\| ", re.MULTILINE)
_DEPRECATION = "[DEPRECATION WARNING]: "
_FRAME = re.compile(r'^\s*File "([^"]+)", line \d+', re.MULTILINE)
#: What calls on behalf of others: ansible-core, on the controller or in a module's archive, and Python's import.
_ON_BEHALF = re.compile(r"^<frozen |/site-packages/ansible/|/ansible/module_utils/|/importlib/|/runpy\.py$")


@dataclass(frozen=True)
class Deprecation:
    """What was told, and whether it is about this collection."""

    text: str
    ours: bool


def of_ansible(log: str) -> Iterator[Deprecation]:
    """Those of a log of Ansible's."""
    for record in _RECORD.split(log):
        if not record.startswith(_DEPRECATION):
            continue
        told = record.removeprefix(_DEPRECATION)
        frames = [file for file in _FRAME.findall(told) if not _ON_BEHALF.search(file)]
        # A traceback goes through our files as well where others that we import are at fault.
        text = "\n".join(line for line in _without_traceback(told))
        ours = bool(_OUR_NAME.search(re.sub(r"\s+", "", text)) or (frames and _OUR_CODE.search(frames[-1])))
        yield Deprecation(" ".join(text.split()), ours)


def _without_traceback(told: str) -> Iterator[str]:
    inside = False
    for line in told.splitlines():
        inside = inside or line.startswith("Traceback (most recent call")
        if not inside:
            yield line


def of_python(recorded: str) -> Iterator[Deprecation]:
    """Those that the recorder has written."""
    for line in recorded.splitlines():
        told = json.loads(line)
        ours = bool(_OUR_CODE.search(told["file"]) or _OUR_NAME.search(told["message"]))
        yield Deprecation(f"{told['file']}:{told['line']}: {told['category']}: {told['message']}", ours)
