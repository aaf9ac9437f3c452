# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the play's strategy runs a task with C(run_once) once."""

from __future__ import annotations

from ansible.playbook.task import Task

#: The strategies that have all hosts at the same task, and so make one with C(run_once) a single one. Any other one, be
#: it Ansible's C(free) and C(host_pinned) or one of a third party, runs it for each host by itself.
_IN_STEP = ("linear", "debug")
_OF_ANSIBLE = ("", "ansible.builtin.", "ansible.legacy.")


def strategy_of(task: Task) -> str:
    """Return the strategy of the task's play, be it named there or in Ansible's configuration."""
    return str(task.get_play().strategy)


def keeps_in_step(strategy: str) -> bool:
    """Whether all hosts of a batch are at the same task with this strategy."""
    return strategy in {f"{prefix}{name}" for prefix in _OF_ANSIBLE for name in _IN_STEP}


def refusal(strategy: str, what: str) -> str:
    """Return why ``what`` (who makes its calls for all hosts of a batch) is refused with this strategy."""
    return (
        f"{what}: the strategy of the play is {strategy}, with which each host would make the calls for all "
        "replication groups by itself, side by side with the others. Nothing was looked at. Use linear, which is "
        "Ansible's default, or debug: remove strategy from the play, ANSIBLE_STRATEGY from the environment, or "
        "strategy from ansible.cfg."
    )
