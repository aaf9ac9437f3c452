# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: user_group
version_added: 0.1.0
short_description: Create, change and delete an ElastiCache user group
description:
  - Makes sure that a user group (RBAC) of Amazon ElastiCache exists and has the users that the options say, or that it
    does not exist.
  - An option that is left out is left as it is. Everything that AWS would refuse is looked for before the first call.
  - A user group or user on which a change is under way is waited for, as AWS takes no other one meanwhile.
  - M(elasticache.auth.replication_group) and M(elasticache.auth.replication_group_auth) attach a user group to a
    replication group.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  user_group_id:
    description:
      - The id of the user group.
      - It has 1 to 40 letters, digits and hyphens, begins with a letter, has no two hyphens in a row and none at its
        end. AWS keeps it in lower case.
    type: str
    required: true
  state:
    description:
      - V(present) makes sure that the user group exists and is as the options say.
      - V(absent) makes sure that it does not exist. One that a cache has is not deleted, as AWS refuses that; its users
        stay.
    type: str
    choices: [present, absent]
    default: present
  engine:
    description:
      - The engine. Needed to create a user group.
      - A user group for V(redis) needs a user named C(default), and goes with Redis OSS and Valkey. One for V(valkey)
        takes no user without a password, and goes with Valkey only.
    type: str
    choices: [valkey, redis]
  user_ids:
    description:
      - The ids of its users, 100 at the most. No two of them can have the same user name.
      - A user that is taken out is disconnected from the caches that have the user group, and refused. A warning names
        them.
      - All is done in one call, so that a user named C(default) can take another one's place.
    type: list
    elements: str
  purge_user_ids:
    description: Whether users that are not in O(user_ids) are taken out. Without O(user_ids) none is.
    type: bool
    default: true
  exclusive_to_replication_groups:
    description:
      - The only replication groups that may have the user group. Where any other has it, or a serverless cache, nothing
        is called, and the message names those. That is looked at again before each call.
      - For a user group that is made, changed or deleted for one replication group, and may have been attached to
        others since.
    type: list
    elements: str
  wait:
    description:
      - Wait until the user group is active and as wanted, or gone.
      - With V(false), a user group or user on which a change is under way is an error, unless there is nothing to be
        done.
    type: bool
    default: true
  wait_timeout:
    description:
      - How long to wait for the user group and its users, in seconds.
      - When it runs out, the message says what was still pending. The change goes on at AWS, and the next run joins it.
    type: float
    default: 3600
  wait_delay:
    description: How long to pause between two looks, in seconds.
    type: float
    default: 10
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - elasticache.auth.requirements
  - elasticache.auth.assume_role
  - amazon.aws.tags
  - elasticache.auth.attributes
attributes:
  check_mode:
    support: full
    details: The state after the change is predicted. A user group that is busy is waited for, as without check mode.
  diff_mode:
    support: full
    details: The options that differ, tags among them.
  idempotent:
    support: full
notes:
  - "Needs C(elasticache:DescribeUserGroups), C(elasticache:DescribeUsers), C(elasticache:CreateUserGroup),
    C(elasticache:ModifyUserGroup), C(elasticache:DeleteUserGroup), to change O(engine) also
    C(elasticache:DescribeReplicationGroups), with O(tags) also C(elasticache:ListTagsForResource),
    C(elasticache:AddTagsToResource) and C(elasticache:RemoveTagsFromResource)."
  - Tags whose keys begin with C(elasticache.auth/) are never removed, whatever O(purge_tags) says.
seealso:
  - module: elasticache.auth.user
  - module: elasticache.auth.user_group_info
  - name: Role-Based Access Control
    description: AWS's own description of users, user groups and access strings.
    link: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html
"""

EXAMPLES = r"""
- name: Create a user group
  elasticache.auth.user_group:
    user_group_id: shop-users
    engine: valkey
    user_ids: [shop-reader, shop-writer]

- name: Add a user to those that are there
  elasticache.auth.user_group:
    user_group_id: shop-users
    user_ids: [shop-worker]
    purge_user_ids: false

- name: Delete a user group
  elasticache.auth.user_group:
    user_group_id: shop-users
    state: absent
"""

RETURN = r"""
msg:
  description: What happened, or the error.
  returned: always
  type: str
user_group:
  description:
    - The user group as C(DescribeUserGroups) shows it, its members in snake case.
    - Predicted in check mode; of a user group that would be created, what is known beforehand.
  returned: when the user group exists or would
  type: dict
  sample:
    user_group_id: shop-users
    status: active
    engine: valkey
    minimum_engine_version: "7.2"
    user_ids: [shop-reader, shop-writer]
    replication_groups: [shop]
    serverless_caches: []
    arn: arn:aws:elasticache:eu-central-1:123456789012:usergroup:shop-users
before:
  description: The user group as it was, by the names of the options.
  returned: when the user group existed
  type: dict
  sample:
    engine: valkey
    user_ids: [shop-reader]
    replication_group_ids: [shop]
after:
  description: The same after the change; predicted in check mode and with O(wait=false).
  returned: when nothing failed
  type: dict
api_calls:
  description: The API calls that changed the user group (in check mode, would).
  returned: always
  type: list
  elements: dict
  sample:
    - action: ModifyUserGroup
      parameters:
        UserGroupId: shop-users
        UserIdsToAdd: [shop-writer]
duration:
  description: Seconds that it took.
  returned: always
  type: float
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.elasticache.auth.plugins.module_utils._auth import options
from ansible_collections.elasticache.auth.plugins.module_utils._aws.accounts import clients_of
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._resource.rbac import checked_id, checked_ids
from ansible_collections.elasticache.auth.plugins.module_utils._resource.reconcile import (
    Manner,
    Reconciled,
    reconcile,
    remove,
)
from ansible_collections.elasticache.auth.plugins.module_utils._resource.result import exit_with_result
from ansible_collections.elasticache.auth.plugins.module_utils._resource.user_groups import (
    UserGroupSpec,
    WantedUserGroup,
    wanted_user_group,
)


def act(module: AnsibleAWSModule) -> Reconciled:
    """Do what the options ask for. Raises AuthError for options that don't go together."""
    params, clients = module.params, clients_of(module)
    options.check_waiting(params)
    manner = Manner(
        wait=params["wait"],
        timeout=params["wait_timeout"],
        delay=params["wait_delay"],
        check_mode=module.check_mode,
    )
    option = "exclusive_to_replication_groups"
    exclusive_to = checked_ids(params[option], option, "replication group")
    if params["state"] == "absent":
        wanted = WantedUserGroup(checked_id(params["user_group_id"], "user_group_id", "user group"))
        return remove(UserGroupSpec(clients, wanted, manner, exclusive_to=exclusive_to))
    return reconcile(UserGroupSpec(clients, wanted_user_group(params), manner, exclusive_to=exclusive_to))


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **options.ROLE_SPEC,
            "user_group_id": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "engine": {"type": "str", "choices": ["valkey", "redis"]},
            "user_ids": {"type": "list", "elements": "str"},
            "purge_user_ids": {"type": "bool", "default": True},
            "exclusive_to_replication_groups": {"type": "list", "elements": "str"},
            "tags": {"type": "dict", "aliases": ["resource_tags"]},
            "purge_tags": {"type": "bool", "default": True},
            "wait": {"type": "bool", "default": True},
            **options.WAIT_SPEC,
        },
        supports_check_mode=True,
    )
    try:
        options.check_lists(module)
        exit_with_result(module, "user_group", act(module))
    except AuthError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
