# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: replication_group_wait
version_added: 0.1.0
short_description: Wait until ElastiCache replication groups are available and nothing is under way
description:
  - Waits until every group is available with nothing pending, neither a token nor user groups, and all its node groups
    are available. The status alone, which AWS's own waiter looks at, does not tell that.
  - A change of which AWS shows nothing yet is waited for too, if it is on record.
  - "Looks at all groups with one paged call a look, and shows progress: in a terminal one live line with a bar,
    elsewhere a line now and then."
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  record:
    description:
      - Read the record in the groups' tags, to know of a change that was called a moment ago and does not show yet.
    type: bool
    default: true
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - elasticache.auth.requirements
  - elasticache.auth.assume_role
  - elasticache.auth.replication_groups
  - elasticache.auth.replication_groups.wait
  - elasticache.auth.attributes
attributes:
  check_mode:
    support: full
    details: It does not wait; it tells what it would wait for.
  diff_mode:
    support: none
    details: It changes nothing.
  idempotent:
    support: full
    details: It changes nothing.
notes:
  - Where the output of C(ansible-playbook) goes to a file or a pipe, progress shows up late, because Python holds it
    back. Set the environment variable C(PYTHONUNBUFFERED=1) there.
  - "Needs C(elasticache:DescribeReplicationGroups), with O(record) also C(elasticache:ListTagsForResource) and, for
    more than five groups, C(tag:GetResources)."
seealso:
  - module: elasticache.auth.replication_group_auth
"""

EXAMPLES = r"""
- name: Begin to rotate without waiting
  elasticache.auth.replication_group_auth:
    replication_group_ids: [sessions, carts]
    auth_token_update_strategy: rotate
    auth_token: "{{ new_token }}"
    known_auth_tokens: ["{{ old_token }}"]
    wait: false

- name: Wait for both, and see how far they are
  elasticache.auth.replication_group_wait:
    replication_group_ids: [sessions, carts]
    wait_timeout: 1800
"""

RETURN = r"""
msg:
  description: How the wait ended, or the errors.
  returned: always
  type: str
outcomes:
  description: How the wait for each group ended, by its id, as in M(elasticache.auth.replication_group_auth).
  returned: always
  type: dict
  contains:
    failed:
      description: Whether it did not arrive.
      type: bool
      returned: always
    msg:
      description: How the wait ended.
      type: str
      returned: always
    pending:
      description: What it still lacked when the time ran out; null where it arrived or never will.
      type: str
      returned: always
    before:
      description: Status, pending changes and token date at the first look.
      type: dict
      returned: always
    after:
      description: The same at the last look.
      type: dict
      returned: always
    duration:
      description: Seconds until it arrived.
      type: float
      returned: always
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.elasticache.auth.plugins.module_utils._auth import options
from ansible_collections.elasticache.auth.plugins.module_utils._auth.common_errors import for_each
from ansible_collections.elasticache.auth.plugins.module_utils._auth.outcome import exit_with_outcomes
from ansible_collections.elasticache.auth.plugins.module_utils._auth.waiting import Wait, wait_until_settled
from ansible_collections.elasticache.auth.plugins.module_utils._aws.accounts import clients_of
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **options.ROLE_SPEC,
            **options.GROUPS_SPEC,
            **options.WAIT_SPEC,
            "record": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        options.check_lists(module)
        options.check_waiting(params)
        ids = options.group_ids(params["replication_group_ids"])
        waits = for_each(
            params,
            ids,
            lambda key, error: Wait(key, error=error),
            lambda: wait_until_settled(
                clients_of(module),
                ids,
                timeout=params["wait_timeout"],
                delay=params["wait_delay"],
                record=params["record"],
                check_mode=module.check_mode,
            ),
        )
        exit_with_outcomes(module, waits, verb="had to be changed")
    except AuthError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
