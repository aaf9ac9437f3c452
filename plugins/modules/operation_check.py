# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: operation_check
version_added: 0.1.0
short_description: (internal) Refuse a play or variables that a role of this collection can't be run with
description:
  - Internal. The role P(elasticache.auth.audit#role) runs it first, before anything is looked at. The first call of
    M(elasticache.auth.auth_operation) by one of the other roles makes the same check.
  - It refuses strategies other than P(ansible.builtin.linear#strategy) and P(ansible.builtin.debug#strategy), with
    which each host would run the operation for all replication groups by itself.
  - It refuses variables that Ansible's check of the role's arguments takes, but that can't be meant so, such as a text
    in the place of a list.
  - It refuses an inventory of which a source could not be read, unless the play is on C(localhost) and takes nothing
    from there. Ansible itself only warns of such a source.
  - It refuses files that can't be used later, such as one that can't be written.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  role:
    description: The role, by its name without that of the collection.
    type: str
    required: true
extends_documentation_fragment:
  - elasticache.auth.attributes
attributes:
  check_mode:
    support: full
    details: It changes nothing.
  diff_mode:
    support: none
    details: It changes nothing.
  idempotent:
    support: full
notes:
  - It runs on the controller.
"""

EXAMPLES = r"""
- name: Check | The play, the variables and the files
  elasticache.auth.operation_check:
    role: audit
  run_once: true
"""

RETURN = r"""
folder:
  description: What relative paths are relative to.
  returned: always
  type: str
  sample: /srv/plays
files:
  description: The absolute paths of the files, by the variable's name without the role's; empty where there is none.
  returned: always
  type: dict
  sample: {html_path: /srv/plays/elasticache-audit.html}
client_tasks:
  description: Whether a host of the batch has tasks for its clients, of a file or of a role.
  returned: always
  type: bool
client_role:
  description: Whether a host of the batch has a role for its clients.
  returned: always
  type: bool
"""
