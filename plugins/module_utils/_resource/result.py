# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a module ends that has reconciled a resource."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict
from ansible.module_utils.common.warnings import warn

from .._auth.outcome import Progress
from .reconcile import Reconciled


def diff_of(progress: Progress) -> dict[str, Any]:
    """Return Ansible's diff: the options that differ, never a token or a password."""
    before, after = progress.before or {}, progress.after or {}
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    return {
        "before_header": progress.id,
        "after_header": progress.id,
        "before": {name: before[name] for name in names if name in before},
        "after": {name: after[name] for name in names if name in after},
    }


def exit_with_result(module: Any, what: str, outcome: Reconciled) -> None:
    """End the module with what happened, and what Describe shows as ``what``."""
    progress = outcome.progress
    for warning in progress.warnings:
        warn(warning)
    result: dict[str, Any] = {
        "changed": progress.changed,
        "msg": progress.error or progress.msg,
        "api_calls": progress.api_calls,
        "duration": round(progress.duration, 3),
    }
    if outcome.raw:
        result[what] = camel_dict_to_snake_dict(outcome.raw)
    if progress.before is not None:
        result["before"] = progress.before
    if progress.evidence is not None:
        result["evidence"] = progress.evidence
    if progress.error:
        module.fail_json(**result)
    result["after"] = progress.after or {}
    if module._diff:  # pylint: disable=protected-access
        result["diff"] = diff_of(progress)
    module.exit_json(**result)
