# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: replication_group
version_added: 0.1.0
short_description: Create, change and delete an ElastiCache replication group
description:
  - Creates an Amazon ElastiCache replication group (Valkey, Redis OSS) with all that CreateReplicationGroup takes, an
    AUTH token or user groups among it, and changes in place what ModifyReplicationGroup can.
  - Only what differs is sent. What differs and can't be changed in place is refused with a message that names the
    option; it is never passed over. Everything that AWS would refuse is looked for before the first call is made.
  - An option that is left out is left as it is.
  - A token is given to a group when that is created. On a group that exists, O(auth_token) and O(auth_token_secret)
    are held against the evidence, that is the answers of the nodes and the record in the group's tags; a token that is
    not in force, or of which that is not known, is an error. M(elasticache.auth.replication_group_auth) changes it.
  - A group that is being created, changed or deleted already is waited for; nothing is done twice.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  replication_group_id:
    description:
      - The id of the replication group.
      - It has 1 to 40 letters, digits and hyphens, begins with a letter, has no two hyphens in a row and none at its
        end. AWS keeps it in lower case.
    type: str
    required: true
  state:
    description:
      - V(present) makes sure that the group exists and is as the options say.
      - V(absent) makes sure that it does not exist.
    type: str
    choices: [present, absent]
    default: present
  description:
    description: What the group is for. AWS makes no group without a description.
    type: str
  engine:
    description:
      - The engine; AWS chooses where it is left out of a creation.
      - A group can go from V(redis) to V(valkey) in place, not back.
    type: str
    choices: [valkey, redis]
  engine_version:
    description:
      - The version of the engine. It is compared as far as it is given, so V(8.0) is satisfied with 8.0.1.
      - An older version than the one in use is refused, as AWS has no way back. So leave the patch out, AWS chooses it.
    type: str
  cache_node_type:
    description: The compute and memory capacity of the nodes, for example V(cache.t4g.small).
    type: str
  cache_parameter_group_name:
    description: The parameter group of the nodes. A change of O(engine) takes it along in the same call.
    type: str
  cache_subnet_group_name:
    description: The subnet group. It can't be changed in place.
    type: str
  security_group_ids:
    description: The VPC security groups of the nodes, all of them.
    type: list
    elements: str
  cache_security_group_names:
    description: The cache security groups of the nodes, all of them; for groups outside of a VPC.
    type: list
    elements: str
  port:
    description: The port on which the nodes listen. It can't be changed in place.
    type: int
  cluster_mode:
    description:
      - Whether the group is in cluster mode.
      - In place AWS goes from V(disabled) to V(compatible), from there on to V(enabled) or back. A change goes into a
        call of its own.
    type: str
    choices: [enabled, disabled, compatible]
  num_cache_clusters:
    description:
      - The number of nodes of a group with a single node group, 1 to 6. It can't be changed by this module.
      - Does not go with O(num_node_groups), O(replicas_per_node_group) and O(node_group_configuration).
    type: int
  num_node_groups:
    description: The number of node groups (shards), 1 to 500. It can't be changed by this module.
    type: int
  replicas_per_node_group:
    description: The number of replicas in each node group, 0 to 5. It can't be changed by this module.
    type: int
  node_group_configuration:
    description:
      - The node groups one by one.
      - On a group that exists the number of replicas and the slots are compared, and a difference is refused. Zones and
        outposts count at creation only, as the primary moves.
    type: list
    elements: dict
    suboptions:
      node_group_id:
        description: The id of the node group, up to four digits. Without it they are counted.
        type: str
      slots:
        description: The hash slots, for example V(0-8191).
        type: str
      replica_count:
        description: The number of replicas.
        type: int
      primary_availability_zone:
        description: The availability zone of the primary. Used at creation only.
        type: str
      replica_availability_zones:
        description: The availability zones of the replicas. Used at creation only.
        type: list
        elements: str
      primary_outpost_arn:
        description: The ARN of the outpost of the primary. Used at creation only.
        type: str
      replica_outpost_arns:
        description: The ARNs of the outposts of the replicas. Used at creation only.
        type: list
        elements: str
  preferred_cache_cluster_azs:
    description: The availability zones of the nodes, the primary's first. Used at creation only.
    type: list
    elements: str
  primary_cluster_id:
    description:
      - The cache cluster that is the primary. A creation takes an existing cluster for it; on a group that exists a
        replica is promoted, in a call of its own.
      - A failover makes another one the primary, and the next run with this option turns that back. Leave it out where
        this is not wanted. It does not go with cluster mode.
    type: str
  automatic_failover_enabled:
    description: Whether a replica becomes the primary when that fails.
    type: bool
  multi_az_enabled:
    description: Whether the nodes are in several availability zones. Needs O(automatic_failover_enabled).
    type: bool
  transit_encryption_enabled:
    description:
      - Whether connections are encrypted. Needed for a token and for user groups.
      - V(true) is satisfied with either O(transit_encryption_mode) on a group that exists; at creation AWS takes it for
        C(required).
      - AWS changes encryption in transit only on groups without a token and user groups. A change goes into a call of
        its own, which takes effect at once whatever O(apply_immediately) says; it is never sent unchanged.
    type: bool
  transit_encryption_mode:
    description:
      - Whether clients without encryption are still served (V(preferred)) or not (V(required)). Implies
        O(transit_encryption_enabled=true).
      - From unencrypted to V(required) and back AWS goes by way of V(preferred), and the clients have to move in
        between; so the direct way is refused.
    type: str
    choices: [preferred, required]
  at_rest_encryption_enabled:
    description: Whether data is encrypted at rest. It can't be changed in place.
    type: bool
  kms_key_id:
    description:
      - The key that encrypts at rest, by id or ARN. It can't be changed in place.
      - An alias is used at creation only, as AWS doesn't tell which key it stands for.
    type: str
  data_tiering_enabled:
    description: Whether seldom used data goes to disk, with the node types that can. It can't be changed in place.
    type: bool
  network_type:
    description: The kind of addresses of the network. It can't be changed in place.
    type: str
    choices: [ipv4, ipv6, dual_stack]
  ip_discovery:
    description: The kind of addresses by which clients find the nodes.
    type: str
    choices: [ipv4, ipv6]
  durability:
    description: How writes are made to last. Needs a botocore that knows it.
    type: str
    choices: [default, async, sync, disabled]
  preferred_maintenance_window:
    description: The weekly maintenance window in UTC, for example V(sun:23:00-mon:01:30).
    type: str
  auto_minor_version_upgrade:
    description: Whether AWS upgrades the nodes to new minor versions of the engine.
    type: bool
  notification_topic_arn:
    description: The SNS topic that AWS notifies.
    type: str
  notification_topic_status:
    description:
      - Whether the topic is notified.
      - A creation doesn't take it, so V(inactive) is called for when the group is available.
    type: str
    choices: [active, inactive]
  snapshot_retention_limit:
    description: For how many days automatic snapshots are kept, 0 to 35. V(0) means that none are taken.
    type: int
  snapshot_window:
    description: The daily time in UTC at which a snapshot is taken, for example V(05:00-06:00).
    type: str
  snapshotting_cluster_id:
    description:
      - The cache cluster from which the daily snapshot is taken.
      - A creation doesn't take it, so it is called for when the group is available.
    type: str
  snapshot_arns:
    description: The ARNs of the snapshot files in S3 with which the group is filled. Used at creation only.
    type: list
    elements: str
  snapshot_name:
    description: The snapshot with which the group is filled. Used at creation only.
    type: str
  serverless_cache_snapshot_name:
    description: The snapshot of a serverless cache with which the group is filled. Used at creation only.
    type: str
  log_delivery_configurations:
    description: Where the engine's logs go. A log type that is not listed is left as it is.
    type: list
    elements: dict
    suboptions:
      log_type:
        description: The log.
        type: str
        choices: [slow-log, engine-log]
        required: true
      destination_type:
        description: The kind of destination. Required unless O(log_delivery_configurations[].enabled=false).
        type: str
        choices: [cloudwatch-logs, kinesis-firehose]
      log_group:
        description: The log group, with O(log_delivery_configurations[].destination_type=cloudwatch-logs).
        type: str
      delivery_stream:
        description: The delivery stream, with O(log_delivery_configurations[].destination_type=kinesis-firehose).
        type: str
      log_format:
        description: The format. Required unless O(log_delivery_configurations[].enabled=false).
        type: str
        choices: [text, json]
      enabled:
        description: V(false) ends the delivery.
        type: bool
        default: true
  global_replication_group_id:
    description:
      - The global datastore of which the group becomes a secondary. It can't be changed in place.
      - A secondary inherits its access control, so it takes no token and no user groups.
    type: str
  auth_token:
    description:
      - The AUTH token, see the module's description for what it means on a group that exists.
      - It has 16 to 128 letters, digits and characters out of C(!&#$^<>-). The lookup
        P(elasticache.auth.random_auth_token#lookup) makes one.
      - Excludes O(auth_token_secret) and O(user_group_ids).
    type: str
  user_group_ids:
    description:
      - The user groups that decide who is accepted (RBAC), all of them. Excludes a token.
      - On a group with a token they are refused, as M(elasticache.auth.replication_group_auth) does that.
    type: list
    elements: str
  accept_open_access:
    description:
      - Allow O(user_group_ids=[]) to take all user groups away. The group then serves anyone, without credentials.
    type: bool
    default: false
  apply_immediately:
    description:
      - Whether a change of O(engine), O(engine_version), O(cache_node_type) and whatever else AWS puts off is carried
        out at once, and not in the maintenance window. AWS has the same default.
      - With V(true), AWS carries out whatever was put off before, too. So do changes of access control and of
        encryption in transit, which are at once always.
    type: bool
    default: false
  final_snapshot_identifier:
    description: The name of the snapshot to take before the group is deleted, with O(state=absent).
    type: str
  retain_primary_cluster:
    description: Keep the primary as a cache cluster of its own when the group is deleted, with O(state=absent).
    type: bool
    default: false
  record:
    description:
      - Keep the record of the token in the group's tag C(elasticache.auth/record), which the creation carries, and read
        it later. M(elasticache.auth.replication_group_auth) goes on with it.
      - It names a token by its Secrets Manager version id, or else by a salted scrypt fingerprint.
    type: bool
    default: true
  wait:
    description:
      - Wait until the group is available and as wanted, or gone.
      - With V(false), a group on which a change is under way is an error, unless there is nothing to be done.
    type: bool
    default: true
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - elasticache.auth.requirements
  - elasticache.auth.assume_role
  - amazon.aws.tags
  - elasticache.auth.replication_groups.wait
  - elasticache.auth.auth_tokens.stored
  - elasticache.auth.data_plane
  - elasticache.auth.data_plane.probe
  - elasticache.auth.attributes
attributes:
  check_mode:
    support: full
    details: The state after the change is predicted. A group that is busy is waited for, as without check mode.
  diff_mode:
    support: full
    details: The options that differ, tags among them. Of the token only whether there is one.
  idempotent:
    support: full
    details: A token is an exception where the evidence does not tell whether it is in force. That is an error.
notes:
  - "Needs C(elasticache:DescribeReplicationGroups), C(elasticache:DescribeCacheClusters),
    C(elasticache:CreateReplicationGroup), C(elasticache:ModifyReplicationGroup), C(elasticache:DeleteReplicationGroup),
    with O(tags) or O(record) and a token also C(elasticache:ListTagsForResource), C(elasticache:AddTagsToResource) and
    C(elasticache:RemoveTagsFromResource), with O(auth_token_secret) also C(secretsmanager:GetSecretValue)."
  - The tag C(elasticache.auth/record) is never removed, whatever O(purge_tags) says.
seealso:
  - module: elasticache.auth.replication_group_auth
  - module: elasticache.auth.replication_group_info
  - name: CreateReplicationGroup
    description: AWS's own description of most of the options.
    link: https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html
"""

EXAMPLES = r"""
- name: Create a group with a token and one replica
  elasticache.auth.replication_group:
    replication_group_id: sessions
    description: Sessions of the shop
    engine: valkey
    cache_node_type: cache.t4g.small
    num_cache_clusters: 2
    automatic_failover_enabled: true
    cache_subnet_group_name: private
    transit_encryption_enabled: true
    at_rest_encryption_enabled: true
    auth_token: "{{ token }}"

- name: The same with the token in Secrets Manager, which Ansible never sees
  elasticache.auth.replication_group:
    replication_group_id: sessions
    description: Sessions of the shop
    engine: valkey
    cache_node_type: cache.t4g.small
    num_cache_clusters: 2
    cache_subnet_group_name: private
    transit_encryption_enabled: true
    auth_token_secret:
      name: elasticache/{replication_group_id}/auth-token
      key: auth_token

- name: Keep snapshots for a week, and send the slow log to CloudWatch
  elasticache.auth.replication_group:
    replication_group_id: sessions
    snapshot_retention_limit: 7
    log_delivery_configurations:
      - log_type: slow-log
        destination_type: cloudwatch-logs
        log_group: /elasticache/sessions
        log_format: json

- name: Let user groups decide on a new group in cluster mode
  elasticache.auth.replication_group:
    replication_group_id: carts
    description: Carts of the shop
    engine: valkey
    cache_node_type: cache.r7g.large
    num_node_groups: 3
    replicas_per_node_group: 1
    transit_encryption_enabled: true
    user_group_ids: [carts-users]

- name: Delete a group and keep a last snapshot
  elasticache.auth.replication_group:
    replication_group_id: sessions
    state: absent
    final_snapshot_identifier: sessions-last
"""

RETURN = r"""
msg:
  description: What happened, or the error.
  returned: always
  type: str
replication_group:
  description:
    - The group as C(DescribeReplicationGroups) shows it, its members in snake case. It holds no token.
    - Predicted in check mode; of a group that would be created, what is known beforehand.
  returned: when the group exists or would
  type: dict
  sample:
    replication_group_id: sessions
    status: available
    auth_token_enabled: true
    member_clusters: [sessions-001, sessions-002]
before:
  description: The group as it was, by the names of the options. V(auth_token_enabled) stands for the token.
  returned: when the group existed
  type: dict
  sample:
    cache_node_type: cache.t4g.small
    auth_token_enabled: true
    transit_encryption_mode: required
    user_group_ids: []
after:
  description: The same after the change; predicted in check mode and with O(wait=false).
  returned: when nothing failed
  type: dict
api_calls:
  description: The API calls that changed the group (in check mode, would), tokens masked.
  returned: always
  type: list
  elements: dict
  sample:
    - action: CreateReplicationGroup
      parameters:
        ReplicationGroupId: sessions
        ReplicationGroupDescription: Sessions of the shop
        AuthToken: "********"
duration:
  description: Seconds that it took.
  returned: always
  type: float
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.elasticache.auth.plugins.module_utils._auth import options
from ansible_collections.elasticache.auth.plugins.module_utils._aws.accounts import clients_of
from ansible_collections.elasticache.auth.plugins.module_utils._aws.settings import SETTINGS
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._resource.reconcile import (
    Manner,
    Reconciled,
    reconcile,
    remove,
)
from ansible_collections.elasticache.auth.plugins.module_utils._resource.replication_groups import Ending, GroupSpec
from ansible_collections.elasticache.auth.plugins.module_utils._resource.result import exit_with_result
from ansible_collections.elasticache.auth.plugins.module_utils._resource.wanted import Wanted, wanted_of, with_token


def manner_of(module: AnsibleAWSModule) -> Manner:
    """Turn the options into how to go about it. Raises AuthError for those that make no sense."""
    params = module.params
    options.check_waiting(params)
    return Manner(
        record=params["record"],
        probing=options.probing(params),
        wait=params["wait"],
        timeout=params["wait_timeout"],
        delay=params["wait_delay"],
        check_mode=module.check_mode,
    )


def act(module: AnsibleAWSModule) -> Reconciled:
    """Do what the options ask for. Raises AuthError for options that don't go together."""
    params, clients = module.params, clients_of(module)
    manner, wanted = manner_of(module), wanted_of(params)
    if params["state"] == "absent":
        ending = Ending(params["final_snapshot_identifier"], params["retain_primary_cluster"])
        return remove(GroupSpec(clients, Wanted(wanted.id), manner, ending=ending))
    wanted, tokens = with_token(clients, wanted, params, hide=module.no_log_values.add)
    return reconcile(GroupSpec(clients, wanted, manner, tokens=tokens))


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **options.ROLE_SPEC,
            "replication_group_id": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            **{setting.option: dict(setting.spec) for setting in SETTINGS},
            "transit_encryption_enabled": {"type": "bool"},
            "transit_encryption_mode": {"type": "str", "choices": ["preferred", "required"]},
            "auth_token": {"type": "str", "no_log": True},
            "auth_token_secret": options.SECRET_SPEC,
            "user_group_ids": {"type": "list", "elements": "str"},
            "accept_open_access": {"type": "bool", "default": False},
            "tags": {"type": "dict", "aliases": ["resource_tags"]},
            "purge_tags": {"type": "bool", "default": True},
            "apply_immediately": {"type": "bool", "default": False},
            "final_snapshot_identifier": {"type": "str"},
            "retain_primary_cluster": {"type": "bool", "default": False},
            "record": {"type": "bool", "default": True},
            **options.PROBE_SPEC,
            "wait": {"type": "bool", "default": True},
            **options.WAIT_SPEC,
        },
        mutually_exclusive=[("auth_token", "auth_token_secret")],
        supports_check_mode=True,
    )
    try:
        options.check_lists(module)
        exit_with_result(module, "replication_group", act(module))
    except AuthError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
