# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: user_info
version_added: 0.1.0
short_description: Tell about ElastiCache users
description:
  - Returns what AWS shows of one, many or all users (RBAC) of a region. Passwords are not among that, only how
    many there are.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  user_ids:
    description: The ids of the users, one or many. Without it and O(user_names), all of the region.
    type: list
    elements: str
    aliases: [user_id]
  user_names:
    description:
      - The names of the users, one or many. Several users can have the same name.
    type: list
    elements: str
    aliases: [user_name]
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
  - "Needs C(elasticache:DescribeUsers), with O(include_tags) also C(elasticache:ListTagsForResource) or, for more than
    five users, C(tag:GetResources)."
seealso:
  - module: elasticache.auth.user
  - module: elasticache.auth.user_group_info
"""

EXAMPLES = r"""
- name: Look at one user
  elasticache.auth.user_info:
    user_id: shop-reader
  register: found

- name: Say what it may do
  ansible.builtin.debug:
    msg: "{{ found.users[0].access_string }}"
  when: found.users

- name: Look at those who give a password without a name
  elasticache.auth.user_info:
    user_name: default
"""

RETURN = r"""
users:
  description: The users that exist, in the order of their ids.
  returned: always
  type: list
  elements: dict
  contains:
    user_id:
      description: Its id.
      type: str
      returned: always
    user_name:
      description: Its name.
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
    access_string:
      description: What it may do.
      type: str
      returned: always
    user_group_ids:
      description: The user groups that it is in.
      type: list
      elements: str
      returned: always
    authentication:
      description: How it authenticates, as AWS shows that, and how many passwords it has.
      type: dict
      returned: always
      sample: {type: password, password_count: 1}
    arn:
      description: Its ARN.
      type: str
      returned: always
    tags:
      description: Its tags, but for those whose names begin with C(__ansible_), which are Ansible's own.
      type: dict
      returned: with O(include_tags)
missing:
  description: Those of O(user_ids) or O(user_names) that there are none of.
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
from ansible_collections.elasticache.auth.plugins.module_utils._aws.users import (
    User,
    describe_users,
    sweep_users,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._resource.rbac import checked_id, tags_of


def find(clients: Clients, ids: list[str] | None, names: list[str] | None) -> tuple[list[User], list[str]]:
    """Return the users, and what there is none of. Raises AuthError."""
    wanted = None if ids is None else list(dict.fromkeys(checked_id(key, "user_ids", "user") for key in ids))
    try:
        found = list(sweep_users(clients)) if wanted is None else list(describe_users(clients, wanted).values())
    except Exception as error:
        raise AuthError(explain(error, "elasticache:DescribeUsers", clients.region)) from error
    if names is not None:
        found = [user for user in found if user.name in names]
    there = {user.name for user in found} if names is not None else {user.id for user in found}
    found.sort(key=lambda user: user.id)
    return found, [name for name in dict.fromkeys(names if names is not None else wanted or ()) if name not in there]


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **options.ROLE_SPEC,
            "user_ids": {"type": "list", "elements": "str", "aliases": ["user_id"]},
            "user_names": {"type": "list", "elements": "str", "aliases": ["user_name"]},
            "include_tags": {"type": "bool", "default": True},
        },
        mutually_exclusive=[("user_ids", "user_names")],
        supports_check_mode=True,
    )
    clients, params = clients_of(module), module.params
    try:
        options.check_lists(module)
        found, missing = find(clients, params["user_ids"], params["user_names"])
        shown = [camel_dict_to_snake_dict(user.raw) for user in found]
        if params["include_tags"]:
            tags = tags_of(clients, [user.arn for user in found])
            for user, facts in zip(found, shown, strict=True):
                facts["tags"] = tags[user.arn]
        module.exit_json(changed=False, users=shown, missing=missing)
    except AuthError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
