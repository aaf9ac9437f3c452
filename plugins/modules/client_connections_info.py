# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: client_connections_info
version_added: 0.1.0
short_description: List the client connections of ElastiCache replication groups, and those that predate a new token
description:
  - Asks every node of each group for its connections (C(CLIENT LIST)), and sums them up by address, user, client
    library and its version.
  - ElastiCache keeps connections when a token is dropped. A client that still has the token before is refused only at
    its next reconnect, which may be weeks later. A connection that was established before the new token could be read
    shows such a client while both tokens are accepted.
  - Replication links and the module's own connections are left out. Of each connection only the client and the age are
    kept; commands, their arguments and names of keys are dropped as they are read.
  - "It can't show everything: a connection that is younger may have been made with the token before, and a client that
    is not connected is not seen."
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  auth_token:
    description:
      - The AUTH token that is in force, or the password of O(username). Leave it out for groups that serve clients
        without a token.
    type: str
    aliases: [password]
  established_before:
    description:
      - The moment, as a date with time and zone such as V(2026-11-27T14:00:00Z), or in seconds since 1970. Connections
        that were established before it are counted apart.
      - By default it is, with O(auth_token_secret), the time of the secret's last change. That is when AWSCURRENT got
        its version, unless the secret was changed in another way since; then connections too many are counted.
      - Without O(auth_token_secret) it is by default the time of the group's record (a tag of the group). Where there
        is none, nothing is counted apart.
      - Nodes tell ages in whole seconds. A connection that was established within two seconds after the moment may
        count as one before it. The clock of the host that the module runs on has to be right.
    type: str
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - elasticache.auth.credential
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
  - The user has to be allowed to run C(CLIENT LIST) and C(CLIENT ID). The user of an AUTH token is.
  - A node that can't be asked, or refuses the credential or the command, fails its group, and is never taken for one
    without connections. What the other nodes told is returned all the same.
  - Libraries tell their names since Valkey 7.2 and Redis OSS 7.2. Names are chosen by the clients and are not to be
    trusted; they are shown as text, cut off after 64 characters.
  - "Needs C(elasticache:DescribeReplicationGroups), C(elasticache:DescribeCacheClusters) for groups in cluster mode,
    with O(auth_token_secret) C(secretsmanager:GetSecretValue) and, without O(established_before),
    C(secretsmanager:DescribeSecret); with neither of the two C(tag:GetResources) and
    C(elasticache:ListTagsForResource)."
seealso:
  - module: elasticache.auth.auth_probe
  - module: elasticache.auth.auth_failures_monitor
"""

EXAMPLES = r"""
- name: Show who has not moved to the token in AWSCURRENT
  elasticache.auth.client_connections_info:
    replication_group_ids: [sessions, carts]
    auth_token_secret:
      name: elasticache/{replication_group_id}/auth-token
      key: auth_token
  register: connected

- name: Stop where a client has not
  ansible.builtin.assert:
    that: connected.outcomes.sessions.predating == 0
    fail_msg: "{{ connected.outcomes.sessions.msg }}"

- name: List the connections of a group by a user of its user group
  elasticache.auth.client_connections_info:
    replication_group_id: sessions
    username: auditor
    password: "{{ auditor_password }}"
"""

RETURN = r"""
msg:
  description: What was found, or the errors.
  returned: always
  type: str
  sample: >-
    sessions: 20 connections; 8 connections from 2 addresses predate the moment: 10.0.3.17 (jedis 5.1.2) x6, 10.0.4.2
    (redis-py 5.0.1) x2.
outcomes:
  description: What was found of each group, by its id.
  returned: always
  type: dict
  contains:
    failed:
      description: Whether a node could not be asked.
      type: bool
      returned: always
    msg:
      description: What was found, in a sentence.
      type: str
      returned: always
    established_before:
      description: The moment, in seconds since 1970. Null where there is none.
      type: float
      returned: always
    connections:
      description: How many connections the nodes that answered have.
      type: int
      returned: always
      sample: 20
    predating:
      description: How many of them were established before the moment. Null where there is none.
      type: int
      returned: always
      sample: 8
    oldest_age:
      description: How old the oldest connection is, in seconds. Null where there is none.
      type: int
      returned: always
    clients:
      description:
        - The clients, at most 50, those with most connections that predate the moment first, then those with most
          connections.
        - Of more than 500 different clients the first 500 are told apart, node by node in the order in which a node
          lists their connections, the oldest first; the connections of the others are counted only.
      type: list
      elements: dict
      returned: always
      contains:
        address:
          description: The client's host.
          type: str
        user:
          description: The name of the user that it has authenticated as.
          type: str
        library:
          description: The name of its library, as the client gives it. Null where it gives none.
          type: str
        library_version:
          description: The library's version, likewise.
          type: str
        connections:
          description: How many connections it has.
          type: int
        oldest_age:
          description: How old the oldest of them is, in seconds.
          type: int
        predating:
          description: How many of them were established before the moment. Null where there is none.
          type: int
      sample:
        - {address: 10.0.3.17, user: default, library: jedis, library_version: 5.1.2, connections: 9, oldest_age: 86400,
           predating: 6}
    clients_omitted:
      description: How many connections are those of clients that RV(outcomes.clients) does not list.
      type: int
      returned: always
    nodes:
      description: What each node told.
      type: list
      elements: dict
      returned: always
      contains:
        cache_cluster_id:
          description: The node's cache cluster.
          type: str
        told:
          description:
            - V(answered), V(unreachable), V(untrusted) (its certificate), V(refused) (the credential) or
              V(not_permitted) (the user may not run the command).
          type: str
        error:
          description: Why it told nothing. Null where it answered.
          type: str
        connections:
          description: How many connections it has. Null where it did not answer.
          type: int
        predating:
          description: How many of them were established before the moment. Null where that is not known.
          type: int
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.elasticache.auth.plugins.module_utils._auth import options
from ansible_collections.elasticache.auth.plugins.module_utils._auth.client_connections import (
    CREDENTIAL_SPEC,
    GroupConnections,
    connections_all,
    moment,
)
from ansible_collections.elasticache.auth.plugins.module_utils._auth.common_errors import for_each
from ansible_collections.elasticache.auth.plugins.module_utils._auth.outcome import exit_with_outcomes
from ansible_collections.elasticache.auth.plugins.module_utils._aws.accounts import clients_of
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **options.ROLE_SPEC,
            **options.GROUPS_SPEC,
            **CREDENTIAL_SPEC,
            "established_before": {"type": "str"},
            **options.DATA_PLANE_SPEC,
        },
        mutually_exclusive=[options.TOKEN_SOURCES],
        supports_check_mode=True,
    )
    params = module.params
    try:
        options.check_lists(module)
        ids = options.group_ids(params["replication_group_ids"])
        probing = options.probing(params)
        before = moment(params["established_before"])
        told = for_each(
            params,
            ids,
            lambda key, error: GroupConnections(key, error=error),
            lambda: connections_all(
                clients_of(module), ids, params, probing, before=before, hide=module.no_log_values.add
            ),
        )
        exit_with_outcomes(module, told, verb="had to be changed")
    except AuthError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
