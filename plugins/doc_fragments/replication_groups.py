# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    """Options and return values that every module for existing replication groups shares."""

    DOCUMENTATION = r"""
options:
  replication_group_ids:
    description:
      - The ids of the replication groups, one or many.
      - All of them are treated in one process, many at once, and the failure of one does not stop the others.
      - An id that is listed twice is an error.
    type: list
    elements: str
    required: true
    aliases: [replication_group_id]
  continue_on_error:
    description:
      - Let the task succeed although a group failed; RV(outcomes) shows which.
      - "An error of a whole region or account, such as a role that can't be assumed, is then reported for each of its
        groups. A mistake in the options fails the task all the same."
      - Without it, all groups are treated, and then the task fails if one of them did.
    type: bool
    default: false
"""

    WAIT = r"""
options:
  wait_timeout:
    description:
      - How long to wait for the groups, in seconds.
      - When it runs out, the message says what was still pending. The change goes on at AWS, and the next run joins it.
    type: float
    default: 3600
  wait_delay:
    description: How long to pause between two looks at the groups, in seconds. A look is one call a hundred groups.
    type: float
    default: 10
"""
