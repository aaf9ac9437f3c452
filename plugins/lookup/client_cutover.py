# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: client_cutover
version_added: 0.1.0
short_description: (internal) The replication groups of a host whose clients are to be moved now
description:
  - Internal. The roles of this collection pass what it returns to the tasks that move clients.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  _terms:
    description: The run file, as M(elasticache.auth.auth_operation) returns it to a role.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Client cutover | Move clients to the token in AWSCURRENT
  ansible.builtin.include_tasks: clients.yml
  loop: "{{ query('elasticache.auth.client_cutover', begun.run_file) }}"
  loop_control:
    loop_var: cutover
"""

RETURN = r"""
_raw:
  description:
    - For each target and each cutover the C(stage), the C(replication_groups) of the host that have stopped there,
      their C(secret_names) by id, and where they are, C(region) and C(assume_role_arn), which are empty where nobody
      named them.
    - In check mode, where the clients are moved by a role, the groups that would stop there.
  type: list
  elements: dict
  sample:
    - stage: client_cutover
      replication_groups: [sessions]
      secret_names: {sessions: elasticache/sessions/auth-token}
      region: eu-central-1
      assume_role_arn: ""
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.elasticache.auth.plugins.module_utils._operation.report import planned_cutover
from ansible_collections.elasticache.auth.plugins.plugin_utils._targets import reports_in_file


class LookupModule(LookupBase):
    """See the documentation above."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        """Return what the tasks for the clients of the host are about."""
        self.set_options(var_options=variables, direct=kwargs)
        known = variables or {}
        try:
            (path,) = terms
            reports = reports_in_file(path, str(known["inventory_hostname"]), known)
        except (OSError, ValueError) as error:
            raise AnsibleLookupError(f"{terms} is no run file that can be read: {error}") from None
        found: dict[tuple[Any, ...], dict[str, Any]] = {}
        # In check mode no group has stopped anywhere; a role tells which clients it would restart.
        is_plan = bool(
            known.get("ansible_check_mode") and self._templar and self._templar.template(known["client_role"])
        )
        for report in reports:
            stage = planned_cutover(report) if is_plan else report.get("cutover_stage")
            if not stage or report["failed"]:
                continue
            place = {name: report[name] or "" for name in ("region", "assume_role_arn")}
            new: dict[str, Any] = {"stage": stage, **place, "replication_groups": [], "secret_names": {}}
            cutover = found.setdefault((stage, *place.values()), new)
            cutover["replication_groups"].append(report["replication_group_id"])
            cutover["secret_names"][report["replication_group_id"]] = report["secret_name"]
        return list(found.values())
