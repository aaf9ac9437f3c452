# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: user_group_info
version_added: 0.1.0
short_description: Tell about ElastiCache user groups
description:
  - Returns for one, many or all user groups (RBAC) of a region which users they have, and which caches have them.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  user_group_ids:
    description: The ids of the user groups, one or many. Without it, all of the region.
    type: list
    elements: str
    aliases: [user_group_id]
  include_tags:
    description: Whether to read their tags, too.
    type: bool
    default: true
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - elasticache.auth.requirements
  - elasticache.auth.assume_role
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
  - "Needs C(elasticache:DescribeUserGroups), with O(include_tags) also C(elasticache:ListTagsForResource) or, for more
    than five user groups, C(tag:GetResources)."
seealso:
  - module: elasticache.auth.user_group
  - module: elasticache.auth.user_info
"""

EXAMPLES = r"""
- name: Look at one user group
  elasticache.auth.user_group_info:
    user_group_id: shop-users
  register: found

- name: Name the users of it, with what they may do
  elasticache.auth.user_info:
    user_ids: "{{ found.user_groups[0].user_ids }}"
"""

RETURN = r"""
user_groups:
  description: The user groups that exist, in the order of their ids.
  returned: always
  type: list
  elements: dict
  contains:
    user_group_id:
      description: Its id.
      type: str
      returned: always
    status:
      description: Its status, V(active) where nothing is under way.
      type: str
      returned: always
    engine:
      description: V(valkey) or V(redis).
      type: str
      returned: always
    minimum_engine_version:
      description: The version of the engine that it needs.
      type: str
      returned: always
    user_ids:
      description: The ids of its users.
      type: list
      elements: str
      returned: always
    pending_changes:
      description: The users that are being added and removed.
      type: dict
      returned: always
      sample: {user_ids_to_add: [shop-writer]}
    replication_groups:
      description: The replication groups that have it.
      type: list
      elements: str
      returned: always
    serverless_caches:
      description: The serverless caches that have it.
      type: list
      elements: str
      returned: always
    arn:
      description: Its ARN.
      type: str
      returned: always
    tags:
      description: Its tags, but for those whose names begin with C(__ansible_), which are Ansible's own.
      type: dict
      returned: with O(include_tags)
missing:
  description: Those of O(user_group_ids) that don't exist.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.elasticache.auth.plugins.module_utils._auth import options
from ansible_collections.elasticache.auth.plugins.module_utils._aws.accounts import clients_of
from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import Clients
from ansible_collections.elasticache.auth.plugins.module_utils._aws.errors import explain
from ansible_collections.elasticache.auth.plugins.module_utils._aws.user_groups import (
    UserGroup,
    find_user_groups,
    sweep_user_groups,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._resource.rbac import checked_id, tags_of


def find(clients: Clients, ids: list[str] | None) -> tuple[list[UserGroup], list[str]]:
    """Return the user groups, and the ids of which there is none. Raises AuthError."""
    wanted = [checked_id(key, "user_group_ids", "user group") for key in ids or ()]
    try:
        found = list(sweep_user_groups(clients)) if ids is None else list(find_user_groups(clients, wanted).values())
    except Exception as error:
        raise AuthError(explain(error, "elasticache:DescribeUserGroups", clients.region)) from error
    there = {group.id for group in found}
    return sorted(found, key=lambda group: group.id), [key for key in dict.fromkeys(wanted) if key not in there]


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **options.ROLE_SPEC,
            "user_group_ids": {"type": "list", "elements": "str", "aliases": ["user_group_id"]},
            "include_tags": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    clients, params = clients_of(module), module.params
    try:
        options.check_lists(module)
        found, missing = find(clients, params["user_group_ids"])
        shown = [camel_dict_to_snake_dict(group.raw) for group in found]
        if params["include_tags"]:
            tags = tags_of(clients, [group.arn for group in found])
            for group, facts in zip(found, shown, strict=True):
                facts["tags"] = tags[group.arn]
        module.exit_json(changed=False, user_groups=shown, missing=missing)
    except AuthError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
