# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Run a module of the collection in this process, as Ansible does in one of its own: options in, JSON out.

The module's ``main`` runs for real, against the fixture ``emulator``; only the start of ansible-playbook is saved, so
that hundreds of cases fit into a minute. What Ansible itself adds is shown with :mod:`integration.run`.

No run may leak a token: every result is searched for all tokens that the run was given and that are in force at the
emulator, and so are the tags of all groups.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import quote

import ansible.module_utils.common.warnings as module_warnings
import botocore_memory
from ansible.module_utils import _internal
from ansible.module_utils.testing import patch_module_args
from integration.warm import MODULE, Warm, server

if TYPE_CHECKING:
    from conftest import Emulator

REPOSITORY = Path(__file__).resolve().parent.parent.parent
_PACKAGE = "ansible_collections.elasticache.auth.plugins.modules"


@dataclass(frozen=True)
class ModuleRun:
    """What came of one run: ``result`` is the JSON that the module printed."""

    returncode: int
    result: dict[str, Any]
    output: str = field(repr=False)

    @property
    def failed(self) -> bool:
        """Whether it ended through ``fail_json``."""
        return bool(self.result.get("failed"))

    @property
    def changed(self) -> bool:
        """Whether it says that it changed something."""
        return bool(self.result.get("changed"))

    @property
    def msg(self) -> str:
        """Its message."""
        return str(self.result["msg"])

    @property
    def outcomes(self) -> dict[str, dict[str, Any]]:
        """What it says of each group."""
        outcomes: dict[str, dict[str, Any]] = self.result["outcomes"]
        return outcomes

    @property
    def warnings(self) -> list[str]:
        """Its warnings, as text."""
        return [str(warning) for warning in self.result.get("warnings", [])]

    def of(self, group: str) -> dict[str, Any]:
        """What it says of one group."""
        return self.outcomes[group]


def run(
    emulator: Emulator,
    module: str,
    args: Mapping[str, Any],
    *,
    check: bool = False,
    diff: bool = True,
    environment: Mapping[str, str] | None = None,
    hidden: Iterable[str] = (),
) -> ModuleRun:
    """Run ``module`` (its short name) with ``args`` and return what came of it.

    ``environment`` is added to the emulator's, and an empty value removes one; ``hidden`` are further tokens that must
    not show. Fails the test where a token shows, where the module prints anything but one JSON object, or where an
    exception gets out of it.
    """
    botocore_memory.remember()
    given = {**args, "_ansible_check_mode": check, "_ansible_diff": diff}
    secret = {*tokens_in(args), *hidden, *tokens_in_force(emulator)}
    printed, complaints, returncode = io.StringIO(), io.StringIO(), 0
    module_warnings._global_warnings.clear()
    with contextlib.ExitStack() as stack:
        stack.enter_context(patch_module_args(given))
        # Once any test of this process has loaded Ansible's code for controllers, modules would give their warnings to
        # the terminal instead of their result.
        stack.enter_context(mock.patch.object(_internal, "is_controller", False))
        variables = {**emulator.environment, **(environment or {})}
        variables = {name: value for name, value in variables.items() if value}
        stack.enter_context(mock.patch.dict(os.environ, variables, clear=True))
        stack.enter_context(contextlib.redirect_stdout(printed))
        stack.enter_context(contextlib.redirect_stderr(complaints))
        try:
            importlib.import_module(f"{_PACKAGE}.{module}").main()
        except SystemExit as ended:
            returncode = int(ended.code or 0)
        else:
            raise AssertionError(f"{module} ended without a result")
    output = printed.getvalue()
    assert_no_token(output + complaints.getvalue(), {*secret, *tokens_in_force(emulator)})
    assert_no_token_in_tags(emulator, secret)
    result = json.loads(output)
    assert isinstance(result, dict), output
    assert bool(result.get("failed")) == (returncode != 0), output
    return ModuleRun(returncode, result, output)


class Forked(Warm):
    """A module that is a fork (:mod:`integration.warm`) and leads a process group, as one that is started does."""

    def __init__(self, module: str, args: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        """Start it."""
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed once it was read
        command = [MODULE, f"{_PACKAGE}.{module}", json.dumps(dict(args))]
        super().__init__(server(), command, str(REPOSITORY), environment, self._output.fileno())

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """Wait for its end, and return all that it has printed. Once."""
        self.wait(timeout)
        with self._output as output:
            output.seek(0)
            return output.read().decode(), None


def fork(emulator: Emulator, module: str, args: Mapping[str, Any]) -> Forked:
    """Have ``module`` run in a process group of its own without its start, to be killed or waited for."""
    return Forked(module, args, emulator.environment)


def start(
    emulator: Emulator,
    module: str,
    args: Mapping[str, Any],
    *,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start ``module`` in a process group of its own, for what is about its process: signals, threads, memory."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"{_PACKAGE}.{module}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={
            **emulator.environment,
            "PYTHONPATH": str(REPOSITORY / ".collections"),
            **(environment or {}),
        },
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": dict(args)}))
    process.stdin.close()
    process.stdin = None
    return process


def tokens_in(args: Any) -> set[str]:
    """The tokens among a module's options, however deep."""
    if not isinstance(args, Mapping):
        return {token for item in args for token in tokens_in(item)} if isinstance(args, list | tuple) else set()
    found: set[str] = set()
    for name, value in args.items():
        match name, value:
            case ("auth_token" | "password", str()):
                found.add(value)
            case ("known_auth_tokens", list() | tuple()):
                found |= {str(token) for token in value}
            case ("auth_tokens" | "previous_auth_tokens", Mapping()):
                found |= {str(token) for token in value.values()}
            case _:
                found |= tokens_in(value)
    return found - {""}


def tokens_in_force(emulator: Emulator) -> set[str]:
    """Every token that any group accepts now."""
    return {slot for group in emulator.groups() for slot in group["slots"] if slot}


def assert_no_token(text: str, tokens: Iterable[str]) -> None:
    """Fail where one of ``tokens``, as it is or quoted, occurs in ``text``."""
    for token in tokens:
        for form in (token, quote(token, safe=""), json.dumps(token)[1:-1]):
            assert form not in text, f"the token that begins with {token[:4]} shows: {text.replace(form, '<<HERE>>')}"


def assert_no_token_in_tags(emulator: Emulator, tokens: Iterable[str]) -> None:
    """Fail where a token occurs in any group's tags."""
    tokens = list(tokens)
    for group in emulator.groups():
        assert_no_token(json.dumps(group["tags"]), tokens)


def mutating(emulator: Emulator, *, tags: bool = True) -> list[str]:
    """The actions of all mutating calls since the last reset, in order; ``tags``: those on tags too."""
    calls = [call["action"] for call in emulator.calls(mutating="true")]
    return [action for action in calls if tags or action != "AddTagsToResource"]


def modifies(emulator: Emulator, group: str | None = None, since: float = 0.0) -> int:
    """How many ModifyReplicationGroup calls came in (for one group), whatever became of them."""
    query = {"action": "ModifyReplicationGroup", "since": since} | ({"id": group} if group else {})
    return len(emulator.calls(**query))


def calls_by_action(calls: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The number of calls by action, most frequent first."""
    return dict(Counter(call["action"] for call in calls).most_common())


def auth(
    emulator: Emulator,
    strategy: str,
    token: str | None = None,
    *,
    group: str | Sequence[str] = "sessions",
    check: bool = False,
    environment: Mapping[str, str] | None = None,
    hidden: Iterable[str] = (),
    **options: Any,
) -> ModuleRun:
    """Run ``replication_group_auth``, looking often and trusting the emulator's authority unless ``options`` differ."""
    given = {"auth_token": token} if token is not None else {}
    args = {
        "replication_group_ids": [group] if isinstance(group, str) else list(group),
        "auth_token_update_strategy": strategy,
        "data_plane_ca_path": emulator.ca_bundle,
        "wait_delay": 0.1,
        **given,
        **options,
    }
    args = {name: value for name, value in args.items() if value is not None}
    return run(emulator, "replication_group_auth", args, check=check, environment=environment, hidden=hidden)
