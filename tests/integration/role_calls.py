# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What a role has ``auth_operation`` do, in this process: its variables are turned into options by its own task.

For what an operation does to groups, a tenth of a playbook's time. What only a playbook shows, hosts, waves, tasks that
move clients, and output, is shown with :func:`integration.role_scenes.run_role`, which this takes the place of::

    ran = call_role(emulator, "rotate_token", phase="begin")
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jinja2.nativetypes
import yaml
from integration import direct
from integration.role_scenes import RoleRun, role_variables
from integration.run import REPORT, TaskResult
from integration.scenes import GROUP

from ansible_collections.elasticache.auth.plugins.module_utils._core.role_words import for_role
from ansible_collections.elasticache.auth.plugins.module_utils._operation.report import report_of

if TYPE_CHECKING:
    from conftest import Emulator

MODULE = "elasticache.auth.auth_operation"
_OMIT = "__omit__"


def call_role(
    emulator: Emulator,
    role: str,
    *,
    groups: Sequence[str] = (GROUP,),
    check: bool = False,
    **variables: Any,
) -> RoleRun:
    """Call the module once as the role does, with the ``variables`` as :func:`run_role` takes them.

    ``output`` is the plans in check mode, and the report on each group. Fails the test where a token shows anywhere.
    """
    before = len(emulator.calls())
    given = {**_defaults(role), **role_variables(emulator, role, groups, **variables)}
    options = _options(role, given)
    if given[f"{role}_phase"] == "all":
        assert given[f"{role}_soak"] != "", "no tasks move clients here"
        options |= {"soak": given[f"{role}_soak"], "client_tasks": False}
    options["targets"] = [{"replication_group_ids": list(groups)}]
    ran = direct.run(emulator, "auth_operation", options, check=check)
    outcomes = ran.result["targets"][0]["outcomes"] if "targets" in ran.result else {}
    reports = {group: report_of(group, outcome, role) for group, outcome in outcomes.items()}
    plans = [str(plan["prepared"]) for plan in ran.result.get("diff") or () if "prepared" in plan]
    lines = [report["line"] for report in reports.values()] or [for_role(ran.msg, role)]
    failed = ran.failed or any(report["failed"] for report in reports.values())
    told = TaskResult(
        f"{role}{REPORT}", MODULE, "localhost", "failed" if failed else "ok", ignored=False, result={"msg": lines}
    )
    return RoleRun(
        returncode=2 if failed else 0,
        output="\n".join(["", *plans, *lines]),
        results=[told],
        recap={"localhost": {"changed": int(ran.changed)}},
        calls=tuple(emulator.calls()[before:]),
        reports=reports,
    )


@functools.cache
def _defaults(role: str) -> Mapping[str, Any]:
    """The role's variables as they are where nothing is given."""
    text = (direct.REPOSITORY / "roles" / role / "defaults" / "main.yml").read_text("utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


@functools.cache
def _templates(role: str) -> Mapping[str, Any]:
    """The module's options as the role's tasks have them."""
    text = (direct.REPOSITORY / "roles" / role / "tasks" / "main.yml").read_text("utf-8")
    (block,) = yaml.safe_load(text)
    found: dict[str, Any] = block["module_defaults"][MODULE]
    return found


def _options(role: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The module's options with these variables, in the types that JSON has."""
    environment = jinja2.nativetypes.NativeEnvironment()
    environment.filters |= {"combine": lambda one, other: {**one, **other}, "flatten": _flat}
    made = {
        name: environment.from_string(text).render(**variables, omit=_OMIT) if isinstance(text, str) else text
        for name, text in _templates(role).items()
    }
    options: dict[str, Any] = json.loads(json.dumps({name: value for name, value in made.items() if value != _OMIT}))
    return options


def _flat(values: Sequence[Any]) -> list[Any]:
    return [item for value in values for item in (value if isinstance(value, list) else [value])]
