# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    """The ways in which a token reaches a module."""

    DOCUMENTATION = r"""
options:
  auth_token:
    description:
      - The AUTH token, the same for all groups.
      - It has 16 to 128 letters, digits and characters out of C(!&#$^<>-). The lookup
        P(elasticache.auth.random_auth_token#lookup) makes one.
    type: str
  auth_tokens:
    description: The AUTH token of each group, by the group's id.
    type: dict
  known_auth_tokens:
    description:
      - The other tokens that may be in force, for example the previous one; V([]) says that there is none.
      - They are tried on the nodes, and taken for all that there are. That is what lets a group without a record be
        understood, as AWS never tells which tokens a group accepts.
      - Where the nodes contradict it, it does not count.
    type: list
    elements: str
  previous_auth_tokens:
    description:
      - The token of each group that was in force before, by the group's id; V("") says that there was none.
      - For a group with an entry it does what O(known_auth_tokens) does with that token alone, which is what many
        groups, each with a token of its own, need. A group without one is left to the other evidence.
      - It can't be combined with O(known_auth_tokens), nor with a secret, whose C(AWSPREVIOUS) is read anyway.
    type: dict
"""

    STORED = r"""
options:
  auth_token_secret:
    description:
      - The secret in AWS Secrets Manager that holds the token. The module reads it itself, so that the token never
        passes through Ansible, and knows its other staging labels too.
    type: dict
    suboptions:
      name:
        description:
          - The secret's name or ARN. C({replication_group_id}) in it stands for the group's id.
        type: str
        required: true
      stage:
        description: The staging label of the version that holds the token.
        type: str
        choices: [AWSCURRENT, AWSPENDING, AWSPREVIOUS]
        default: AWSCURRENT
      key:
        description: The key of the token where the secret is a JSON object. Without it the secret is the bare token.
        type: str
"""
