# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option for calls in another account."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation of the option."""

    DOCUMENTATION = r"""
options:
  assume_role_arn:
    description:
      - A role to assume for every call, of another account for example. Its credentials stay inside the module, and are
        renewed where it takes longer than they last.
      - The inventory plugin P(elasticache.auth.replication_groups#inventory) says in C(elasticache_assume_role_arn) by
        which role a group was found.
    type: str
"""
