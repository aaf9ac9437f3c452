# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: auth_failures_monitor
version_added: 0.1.0
short_description: Monitor for clients that ElastiCache replication groups refuse
description:
  - Counts the refused authentications of every node of the groups for a while, and fails where they are more than
    O(max_failures). After a token was dropped it finds the clients that still present it.
  - The counts are those of the metric C(AuthenticationFailures) in Amazon CloudWatch, summed over the members of a
    group. Refused credentials count, and so does a probe of M(elasticache.auth.auth_probe) that is refused; a client
    that presents none does not.
  - Where a token is at hand (O(auth_token), O(auth_tokens), O(auth_token_secret)), each look asks the nodes of the
    groups, too, whom they have refused since monitoring began (C(ACL LOG)). These clients are named in the message and
    in RV(outcomes.refused_clients).
  - A group that exceeds it is monitored no more, the others are monitored to the end. The task ends early only when
    no group is left to be monitored.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  duration:
    description:
      - How long to monitor, in seconds, at least one O(period). The last look is made at its end.
      - Give it some minutes. Only periods that begin after the start count, by default from the next full minute on,
        and AWS publishes a minute's count a minute or two later. In two minutes there may be nothing to be seen yet.
    type: float
    required: true
  max_failures:
    description:
      - How many refused authentications of a group are tolerated from the start. A group fails when
        there are more.
      - With V(0), the first is too many.
    type: int
    default: 20
  poll_interval:
    description:
      - How long to pause between two looks, in seconds. A look is one call for 500 nodes.
    type: float
    default: 15
  period:
    description:
      - The length of the periods in which CloudWatch counts, in seconds. One of V(1), V(5), V(10), V(30), or a multiple
        of V(60).
      - AWS publishes this metric by the minute, so that less than V(60) is of no use there.
    type: int
    default: 60
  auth_token:
    description: The AUTH token that is in force, or the password of O(username), by which nodes are asked for names.
    type: str
    aliases: [password]
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
    details: It does not monitor, and returns at once; it only looks whether the groups exist. It changes nothing.
  diff_mode:
    support: none
    details: It changes nothing.
  idempotent:
    support: full
    details: It changes nothing.
notes:
  - A client that keeps its connection is not asked for a token again, and so is not refused before it connects anew.
  - A node has one entry for what it refuses to one user within a minute, with the client that came last. Each look
    counts what is new in an entry for that client, so that with several clients the counts are those of all of them.
  - A client is refused before it can give the name of its library. It is taken from other connections of the address.
  - Names are asked for only where the network leads to the nodes. Nodes that do not say are named, and fail no group.
  - Needs C(cloudwatch:GetMetricData) and C(elasticache:DescribeReplicationGroups), with O(auth_token_secret)
    C(secretsmanager:GetSecretValue). The user has to be allowed to run C(ACL LOG), C(CLIENT LIST) and C(CLIENT ID).
seealso:
  - module: elasticache.auth.replication_group_auth
  - module: elasticache.auth.auth_probe
"""

EXAMPLES = r"""
- name: Accept the new token alone
  elasticache.auth.replication_group_auth:
    replication_group_ids: [sessions, carts]
    auth_token_update_strategy: set
    auth_token: "{{ new_token }}"
    known_auth_tokens: ["{{ old_token }}"]

- name: Monitor for clients that still use the old one
  elasticache.auth.auth_failures_monitor:
    replication_group_ids: [sessions, carts]
    duration: 600
    max_failures: 5
    auth_token: "{{ new_token }}" # to have the clients named
"""

RETURN = r"""
msg:
  description: How many were refused, or the errors.
  returned: always
  type: str
outcomes:
  description: What was seen of each group, by its id, as in M(elasticache.auth.replication_group_auth).
  returned: always
  type: dict
  contains:
    failed:
      description: Whether more than O(max_failures) were refused, or the number is not known.
      type: bool
      returned: always
    msg:
      description: What was seen, in a sentence.
      type: str
      returned: always
    authentication_failures:
      description:
        - How many authentications the group's nodes refused from the start to the last look at the group.
        - Null where it was not looked at, as in check mode.
      type: int
      returned: always
      sample: 3
    refused_clients:
      description:
        - The clients that the nodes refused, at most 50, those that were refused most often first. Null where no node
          was asked.
      type: list
      elements: dict
      returned: always
      contains:
        address:
          description: The client's host.
          type: str
        user:
          description: The name of the user that it presented; of a token alone it is V(default).
          type: str
        library:
          description: The name of its library, where other connections of the address give one.
          type: str
        library_version:
          description: The library's version, likewise.
          type: str
        refused:
          description: How often it was refused.
          type: int
      sample: [{address: 10.0.3.17, user: default, library: jedis, library_version: 5.1.2, refused: 12}]
    nodes_unheard:
      description: Which nodes did not say whom they refuse, and why. Null where all did, or none was asked.
      type: str
      returned: always
    duration:
      description: Seconds for which it was monitored.
      type: float
      returned: always
"""

from collections.abc import Sequence

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.elasticache.auth.plugins.module_utils._auth import options
from ansible_collections.elasticache.auth.plugins.module_utils._auth.client_connections import (
    CREDENTIAL_SPEC,
    credentials_of,
    has_credential,
)
from ansible_collections.elasticache.auth.plugins.module_utils._auth.common_errors import for_each
from ansible_collections.elasticache.auth.plugins.module_utils._auth.failures_monitor import (
    MONITOR_SPEC,
    Monitored,
    Monitoring,
    Naming,
    monitor_all,
    monitoring,
)
from ansible_collections.elasticache.auth.plugins.module_utils._auth.outcome import exit_with_outcomes
from ansible_collections.elasticache.auth.plugins.module_utils._aws.accounts import clients_of
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **options.ROLE_SPEC,
            **options.GROUPS_SPEC,
            **MONITOR_SPEC,
            **CREDENTIAL_SPEC,
            **options.DATA_PLANE_SPEC,
        },
        mutually_exclusive=[options.TOKEN_SOURCES],
        supports_check_mode=True,
    )
    params = module.params
    try:
        options.check_lists(module)
        how = monitoring(params)
        ids = options.group_ids(params["replication_group_ids"])
        monitored = for_each(
            params,
            ids,
            lambda key, error: Monitored(key, error=error),
            lambda: _monitor(module, ids, how),
        )
        exit_with_outcomes(module, monitored, verb="had to be changed")
    except AuthError as error:
        module.fail_json(msg=str(error))


def _monitor(module: AnsibleAWSModule, ids: Sequence[str], how: Monitoring) -> list[Monitored]:
    """Monitor the groups; those whose credential can't be read fail, and are not monitored."""
    clients, naming = clients_of(module), None
    failed: list[Monitored] = []
    if has_credential(module.params) and not module.check_mode:
        credentials, errors = credentials_of(clients, ids, module.params, hide=module.no_log_values.add)
        failed = [Monitored(key, error=error) for key, error in errors.items()]
        naming = Naming(credentials, options.probing(module.params))
        ids = list(credentials)
    monitored = monitor_all(clients, ids, how, check_mode=module.check_mode, naming=naming) if ids else []
    return [*failed, *monitored]


if __name__ == "__main__":
    main()
