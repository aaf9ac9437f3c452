# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_hosts
version_added: 0.1.0
short_description: The hosts of a play, refused where the inventory could not be read
description:
  - The playbooks of this collection name the hosts of their plays with it, and so can yours.
  - Ansible only warns of a source of the inventory that can't be read. A play on a group of its hosts then finds none,
    and ends well, as if nothing were due. This lookup makes an error of that.
  - A play on C(localhost) takes no hosts from the inventory and is not refused.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  _terms:
    description: The pattern of the play's hosts. It is returned as it is.
    type: list
    elements: str
    required: true
notes:
  - Files of P(elasticache.auth.replication_groups#inventory) have to have been read, each of them. Other sources have
    to be there. Where the inventory has no host at all, they are read once more, to learn whether that could be done.
"""

EXAMPLES = r"""
- name: Rotate what is due
  hosts: "{{ lookup('elasticache.auth.fleet_hosts', 'due') }}"
  gather_facts: false
  roles:
    - role: elasticache.auth.rotate_token
"""

RETURN = r"""
_raw:
  description: The pattern.
  type: list
  elements: str
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.elasticache.auth.plugins.plugin_utils import _sources


class LookupModule(LookupBase):
    """See the documentation."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """Return the pattern. Raises ``AnsibleLookupError``."""
        self.set_options(var_options=variables, direct=kwargs)
        pattern = self._flatten(terms)
        if pattern == ["localhost"]:
            return pattern
        variables = variables or {}
        empty = not (variables.get("groups") or {}).get("all")
        parses = _sources.parser(self._loader) if empty and self._loader else None
        why = _sources.trouble(_sources.sources_in(variables), None, parses)
        if why:
            raise AnsibleLookupError(_sources.refusal(why))
        return pattern
