# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: auth_probe
version_added: 0.1.0
short_description: Ask every node of ElastiCache replication groups which credentials it accepts
description:
  - Connects to every node of each group over TLS, and tries a PING without credentials, and AUTH with each of
    O(credentials). Nothing else is sent.
  - With O(expect) the answers are asserted, on every node alike.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  credentials:
    description: What to try.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What it is called in O(expect) and in the result. V(unauthenticated) is taken.
        type: str
        required: true
      auth_token:
        description: The AUTH token, or the password of O(credentials[].username).
        type: str
        aliases: [password]
      auth_tokens:
        description:
          - The token, or password, of each group, by the group's id. A group without one is an error.
        type: dict
      username:
        description: The name of the user (RBAC). An AUTH token is the password of the user V(default).
        type: str
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
  expect:
    description:
      - By name of a credential, and for V(unauthenticated), whether it has to be V(accepted) or V(refused).
      - V(not_refused) is fulfilled, too, by nodes that accept whatever token, as those of a group may whose token is
        optional; they tell nothing about this one.
    type: dict
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - elasticache.auth.requirements
  - elasticache.auth.assume_role
  - elasticache.auth.replication_groups
  - elasticache.auth.data_plane
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
    details: It changes nothing.
notes:
  - A credential that is refused counts in the metric C(AuthenticationFailures) of the group.
  - "Needs C(elasticache:DescribeReplicationGroups), C(elasticache:DescribeCacheClusters) for groups in cluster mode,
    and with O(credentials[].auth_token_secret) C(secretsmanager:GetSecretValue)."
seealso:
  - module: elasticache.auth.replication_group_info
"""

EXAMPLES = r"""
- name: Prove that both tokens are accepted on every node, and nobody without one
  elasticache.auth.auth_probe:
    replication_group_id: sessions
    credentials:
      - name: old
        auth_token: "{{ old_token }}"
      - name: new
        auth_token_secret:
          name: elasticache/{replication_group_id}/auth-token
          stage: AWSPENDING
          key: auth_token
    expect:
      unauthenticated: refused
      old: accepted
      new: accepted

- name: Prove of many groups that each accepts its own token and nothing less
  elasticache.auth.auth_probe:
    replication_group_ids: [sessions, carts]
    credentials:
      - name: own
        auth_tokens:
          sessions: "{{ sessions_token }}"
          carts: "{{ carts_token }}"
    expect:
      unauthenticated: refused
      own: accepted
"""

RETURN = r"""
msg:
  description: What was found, or the errors.
  returned: always
  type: str
outcomes:
  description: What was found of each group, by its id.
  returned: always
  type: dict
  contains:
    failed:
      description: Whether a node could not be asked, or answered other than expected.
      type: bool
      returned: always
    msg:
      description: What was found, in a sentence.
      type: str
      returned: always
    answers:
      description:
        - By name of a credential, and for V(unauthenticated), one of V(accepted), V(refused), and V(differs) where the
          nodes do not agree.
        - V(untold) where a node accepts whatever password it is given for that user, so that its answer says nothing.
          That is so of a user without a password, and may be so of V(default) where clients without credentials are
          served.
      type: dict
      returned: when every node answered
      sample: {unauthenticated: refused, old: accepted, new: accepted}
    evidence:
      description: The answers of each node.
      type: dict
      returned: when the group was found
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.elasticache.auth.plugins.module_utils._auth import options
from ansible_collections.elasticache.auth.plugins.module_utils._auth.common_errors import for_each
from ansible_collections.elasticache.auth.plugins.module_utils._auth.outcome import exit_with_outcomes
from ansible_collections.elasticache.auth.plugins.module_utils._auth.probing import (
    GroupProbe,
    check_credentials,
    probe_all,
)
from ansible_collections.elasticache.auth.plugins.module_utils._aws.accounts import clients_of
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **options.ROLE_SPEC,
            **options.GROUPS_SPEC,
            "credentials": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "no_log": False,
                "options": {
                    "name": {"type": "str", "required": True},
                    "auth_token": {"type": "str", "no_log": True, "aliases": ["password"]},
                    "auth_tokens": {"type": "dict", "no_log": True},
                    "username": {"type": "str"},
                    "auth_token_secret": options.SECRET_SPEC,
                },
                "mutually_exclusive": [options.TOKEN_SOURCES],
                "required_one_of": [options.TOKEN_SOURCES],
            },
            "expect": {"type": "dict"},
            **options.DATA_PLANE_SPEC,
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        options.check_lists(module)
        ids = options.group_ids(params["replication_group_ids"])
        probing = options.probing(params)
        check_credentials(params["credentials"], params["expect"])
        probes = for_each(
            params,
            ids,
            lambda key, error: GroupProbe(key, error=error),
            lambda: probe_all(
                clients_of(module),
                ids,
                params["credentials"],
                params["expect"] or {},
                probing,
                hide=module.no_log_values.add,
            ),
        )
        exit_with_outcomes(module, probes, verb="had to be changed")
    except AuthError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
