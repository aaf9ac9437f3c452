# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    """The credential that a module logs in to nodes with."""

    DOCUMENTATION = r"""
options:
  auth_tokens:
    description: The token, or password, of each group, by the group's id. A group without one is an error.
    type: dict
  auth_token_secret:
    description: The secret in AWS Secrets Manager that holds the token, read by the module itself.
    type: dict
    suboptions:
      name:
        description: The secret's name or ARN. C({replication_group_id}) in it stands for the group's id.
        type: str
        required: true
      stage:
        description: The staging label of the version that holds the token.
        type: str
        choices: [AWSCURRENT, AWSPENDING, AWSPREVIOUS]
        default: AWSCURRENT
      key:
        description: The key of the token where the secret is a JSON object.
        type: str
  username:
    description: The name of the user (RBAC). An AUTH token is the password of the user V(default).
    type: str
"""
