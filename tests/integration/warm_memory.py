# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What one play has parsed or compiled, for those after it: a third of a play's processor time is that.

Only what follows from a text alone: the code of a collection's plugins, what is said of plugins in their sources, and
the collections' metadata. Each play gets a copy of its own of what a parser would have given it.
"""

from __future__ import annotations

import builtins
import hashlib
import io
import marshal
import os
import pickle
import struct
import tempfile
from collections.abc import Callable
from typing import Any

_LENGTH = struct.Struct("!I")
_DIGEST = hashlib.sha256().digest_size


class Memory:
    """Results by the digest of what they follow from; a file that all forks write to, and the server reads."""

    def __init__(self) -> None:
        """Begin with nothing."""
        file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the server is
        self._handle = os.dup(file.fileno())
        os.set_inheritable(self._handle, False)
        file.close()
        self._writer = os.open(f"/proc/self/fd/{self._handle}", os.O_WRONLY | os.O_APPEND)
        self._read_up_to = 0
        self._known: dict[bytes, bytes] = {}

    def learn(self) -> None:
        """Take in what forks have written since."""
        more = os.pread(self._handle, os.fstat(self._handle).st_size - self._read_up_to, self._read_up_to)
        read = io.BytesIO(more)
        while len(head := read.read(_LENGTH.size)) == _LENGTH.size:
            entry = read.read(_LENGTH.unpack(head)[0])
            if len(entry) < _LENGTH.unpack(head)[0]:
                return
            self._known[entry[:_DIGEST]] = entry[_DIGEST:]
            self._read_up_to += _LENGTH.size + len(entry)

    def of(
        self, key: bytes, make: Callable[[], Any], dump: Callable[[Any], bytes], load: Callable[[bytes], Any]
    ) -> Any:
        """Return what ``make`` would, of which ``key`` is all that it depends on."""
        digest = hashlib.sha256(key).digest()
        if (found := self._known.get(digest)) is not None:
            return load(found)
        made = make()
        try:
            entry = digest + dump(made)
        except (pickle.PicklingError, TypeError, ValueError):
            return made
        self._known[digest] = entry[_DIGEST:]
        os.write(self._writer, _LENGTH.pack(len(entry)) + entry)
        return made


def remember() -> Memory:
    """Have Ansible's parser of YAML and its import of collections use a memory, here and in all forks."""
    import yaml
    from ansible._internal._datatag._tags import Origin
    from ansible.parsing.yaml.loader import AnsibleLoader
    from ansible.utils.collection_loader import _collection_finder

    memory, parse = Memory(), yaml.load

    def load(stream: Any, Loader: Any) -> Any:  # noqa: N803 - PyYAML's name
        origin = Origin.get_tag(stream) if Loader is AnsibleLoader and isinstance(stream, str) else None
        of_a_plugin = origin is not None and str(origin.path).endswith(".py")
        of_a_collection = Loader is getattr(yaml, "CBaseLoader", None) and isinstance(stream, str | bytes)
        if not (of_a_plugin or of_a_collection):
            return parse(stream, Loader=Loader)
        key = pickle.dumps((Loader.__name__, stream))  # its origin is a part of a text's pickle
        return memory.of(key, lambda: parse(stream, Loader=Loader), pickle.dumps, pickle.loads)

    def compile_once(source: Any, filename: str, mode: str, **options: Any) -> Any:
        key = pickle.dumps((source, filename, mode, sorted(options.items())))
        return memory.of(key, lambda: builtins.compile(source, filename, mode, **options), marshal.dumps, marshal.loads)

    yaml.load = load
    _collection_finder.compile = compile_once  # type: ignore[attr-defined]
    return memory
