# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: random_auth_token
version_added: 0.1.0
author:
  - elasticache.auth contributors (@elasticache-auth)
short_description: Make a random AUTH token for ElastiCache
description:
  - Makes a token from the operating system's source of randomness that ElastiCache accepts and that follows AWS's
    advice for AUTH tokens.
  - Every call makes another one. A variable that holds this lookup is evaluated whenever it is used; fix the token with
    M(ansible.builtin.set_fact), with C(no_log), or better let it be made in Secrets Manager.
  - It takes no terms.
options:
  length:
    description: How many characters it has, from 16 to 128.
    type: int
    default: 64
seealso:
  - plugin: elasticache.auth.valid_auth_token
    plugin_type: test
  - plugin: elasticache.auth.strong_auth_token
    plugin_type: test
"""

EXAMPLES = r"""
- name: Make a token once
  ansible.builtin.set_fact:
    new_token: "{{ lookup('elasticache.auth.random_auth_token') }}"
  no_log: true
"""

RETURN = r"""
_raw:
  description: The token.
  type: list
  elements: str
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.elasticache.auth.plugins.module_utils._core.tokens import generate


class LookupModule(LookupBase):
    """See DOCUMENTATION."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return one token. Raises AnsibleLookupError for terms, and for a length that AWS does not take."""
        self.set_options(var_options=variables, direct=kwargs)
        if terms:
            raise AnsibleLookupError("random_auth_token takes no terms; give the number of characters in length=")
        try:
            return [generate(self.get_option("length"))]
        except ValueError as error:
            raise AnsibleLookupError(f"random_auth_token: {error}; set length to something between") from None
