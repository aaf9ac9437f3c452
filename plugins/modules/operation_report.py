# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: operation_report
version_added: 0.1.0
short_description: (internal) Report to each host the result of its replication groups in an operation
description:
  - Internal. The roles of this collection run it last, on each host.
  - A host reports the group that it stands for, by its name or its variable C(replication_group_id). One that stands
    for none of the operation's groups reports all of them.
  - The host counts as changed where one of its groups was changed, and fails where one of them failed.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  run_file:
    description: The run file, as M(elasticache.auth.auth_operation) returns it to a role.
    type: path
    required: true
  stopped:
    description: Why the wave was not begun. Every host of it then fails with this. Empty where it was begun.
    type: str
    default: ""
extends_documentation_fragment:
  - elasticache.auth.attributes
attributes:
  check_mode:
    support: full
    details: It reports what the plan would do. It changes nothing.
  diff_mode:
    support: none
    details: It changes nothing.
  idempotent:
    support: full
notes:
  - It runs on the controller.
"""

EXAMPLES = r"""
- name: Report | Result of each host's replication groups
  elasticache.auth.operation_report:
    run_file: "{{ begun.run_file }}"
"""

RETURN = r"""
msg:
  description:
    - A list with a line for each group. A text where there is no group.
    - Where one group failed, a text that says why; where several did, which. The lines of all are printed in any case.
  returned: always
  type: raw
  sample:
    - "sessions: token rotated; 2 of 2 nodes accept only the new token (4 min 12 s)."
"""
