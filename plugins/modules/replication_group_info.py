# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: replication_group_info
version_added: 0.1.0
short_description: Gather the access control of ElastiCache replication groups, with the evidence for it
description:
  - Returns for one, many or all replication groups of a region which access control is in force, on what evidence, how
    old the token is, and engine, endpoints and tags.
  - Where the evidence leaves several states open, it says so and lists them.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  replication_group_ids:
    description: The ids of the replication groups, one or many. Without it, all of the region.
    type: list
    elements: str
    aliases: [replication_group_id]
  continue_on_error:
    description:
      - Let the task succeed although a group failed, for example because it does not exist; RV(outcomes) tells which.
    type: bool
    default: false
  record:
    description: Read the groups' tags, and in them the record that M(elasticache.auth.replication_group_auth) left.
    type: bool
    default: true
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - elasticache.auth.requirements
  - elasticache.auth.assume_role
  - elasticache.auth.auth_tokens
  - elasticache.auth.auth_tokens.stored
  - elasticache.auth.data_plane
  - elasticache.auth.data_plane.probe
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
  - "Needs C(elasticache:DescribeReplicationGroups), C(elasticache:DescribeCacheClusters), with O(record) also
    C(elasticache:ListTagsForResource) or, for more than five groups, C(tag:GetResources)."
seealso:
  - module: elasticache.auth.replication_group_auth
  - module: elasticache.auth.auth_probe
"""

EXAMPLES = r"""
- name: Look at one group
  elasticache.auth.replication_group_info:
    replication_group_id: sessions
  register: found

- name: Say what is in force
  ansible.builtin.debug:
    msg: "{{ found.replication_groups[0].access.possible_states }}"

- name: Look at every group of a region without asking any node
  elasticache.auth.replication_group_info:
    region: eu-central-1
    probe: never
  register: fleet

- name: List those whose token is older than 90 days
  ansible.builtin.debug:
    msg: >-
      {{ fleet.replication_groups
         | selectattr('auth_token_age_days', 'number') | selectattr('auth_token_age_days', '>', 90)
         | map(attribute='replication_group_id') }}
"""

RETURN = r"""
replication_groups:
  description: The facts of each group that exists.
  returned: always
  type: list
  elements: dict
  contains:
    replication_group_id:
      description: Its id.
      type: str
      returned: always
    arn:
      description: Its ARN.
      type: str
      returned: always
    description:
      description: Its description.
      type: str
      returned: always
    status:
      description: Its status, for example V(available).
      type: str
      returned: always
    pending:
      description: What is under way, in words; null where nothing is.
      type: str
      returned: always
    mode:
      description: One of V(open), V(optional), V(required), V(rotating), V(rbac); null where that is not known.
      type: str
      returned: always
    access:
      description: The states that the evidence allows; null while a change is under way.
      type: dict
      returned: always
      sample:
        mode: required
        auth_tokens: [the token in AWSCURRENT]
        user_group_ids: []
        unauthenticated_access: false
        possible_states: [required (the token in AWSCURRENT)]
        auth_token_last_modified_date: "2026-11-22T15:04:05+00:00"
    evidence:
      description: What the API, each node and the record said.
      type: dict
      returned: always
    drift:
      description: Whether someone else has changed the token since this collection last did.
      type: bool
      returned: always
    auth_token_enabled:
      description: Whether AWS says that a token is on, which tells nothing about which.
      type: bool
      returned: always
    auth_token_last_modified_date:
      description: When the token was changed last.
      type: str
      returned: always
    auth_token_age_days:
      description: How long ago that was, in days.
      type: float
      returned: always
    user_group_ids:
      description: Its user groups.
      type: list
      elements: str
      returned: always
    transit_encryption_mode:
      description: One of V(off), V(preferred), V(required).
      type: str
      returned: always
    engine:
      description: V(valkey) or V(redis).
      type: str
      returned: always
    engine_version:
      description: The engine's version, as its first member has it.
      type: str
      returned: always
    cache_node_type:
      description: The type of its nodes.
      type: str
      returned: always
    cluster_enabled:
      description: Whether it is in cluster mode.
      type: bool
      returned: always
    global_datastore_role:
      description: V(primary) or V(secondary) in a global datastore; null outside one.
      type: str
      returned: always
    created:
      description: When it was created.
      type: str
      returned: always
    configuration_endpoint:
      description: Its address and port in cluster mode.
      type: dict
      returned: always
    primary_endpoint:
      description: Address and port of its primary, without cluster mode.
      type: dict
      returned: always
    reader_endpoint:
      description: Address and port of its readers, without cluster mode.
      type: dict
      returned: always
    nodes:
      description: Every node, with its address and port.
      type: list
      elements: dict
      returned: always
    tags:
      description:
        - Its tags; null while they can't be read, and without O(record).
        - Tags whose names begin with C(__ansible_) are left out, since Ansible reads a dictionary with such a key as
          something else.
      type: dict
      returned: always
outcomes:
  description: What was found of each group, by its id, as in M(elasticache.auth.replication_group_auth).
  returned: always
  type: dict
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.elasticache.auth.plugins.module_utils._auth import options
from ansible_collections.elasticache.auth.plugins.module_utils._auth.outcome import exit_with_outcomes
from ansible_collections.elasticache.auth.plugins.module_utils._auth.tokens import collect
from ansible_collections.elasticache.auth.plugins.module_utils._aws.accounts import clients_of
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._fleet.facts import gather


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **options.ROLE_SPEC,
            **options.GROUPS_SPEC,
            "replication_group_ids": {"type": "list", "elements": "str", "aliases": ["replication_group_id"]},
            **options.TOKENS_SPEC,
            **options.PROBE_SPEC,
            "record": {"type": "bool", "default": True},
        },
        mutually_exclusive=options.TOKENS_EXCLUSIVE,
        supports_check_mode=True,
    )
    clients = clients_of(module)
    params = module.params
    try:
        options.check_lists(module)
        ids = None if params["replication_group_ids"] is None else options.group_ids(params["replication_group_ids"])
        if ids is None and any(params[name] for name in (*options.TOKEN_SOURCES, *options.OTHER_TOKENS)):
            raise AuthError("replication_group_ids is needed with a token: name the groups whose nodes may get it.")
        tokens = collect(clients, params, ids or (), hide=module.no_log_values.add, needed=False)
        progress, facts = gather(clients, ids, tokens, options.probing(params), record=params["record"])
        exit_with_outcomes(module, progress, verb="looked at", replication_groups=facts)
    except AuthError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
