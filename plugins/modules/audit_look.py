# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: audit_look
version_added: 0.1.0
short_description: (internal) Gather what an audit needs, in several regions and accounts at once
description:
  - Internal. The role P(elasticache.auth.audit#role) uses it for what the inventory does not have; it may change in any
    release. Gather facts with M(elasticache.auth.replication_group_info) and M(elasticache.auth.user_info) instead.
  - Finds replication groups and serverless caches, asks the nodes of groups whether they serve a client without a
    token, and lists the users of RBAC, in one call for any number of regions and accounts.
  - What can't be looked at does not fail it. RV(incomplete) lists it, and the rest is there.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  targets:
    description: Where to look, and for what.
    type: list
    elements: dict
    required: true
    suboptions:
      region:
        description: The region. Without it, that of O(region), of the environment or of the profile.
        type: str
        default: ""
      assume_role_arn:
        description: The ARN of a role to assume for it. Without it, the credentials' own account is looked at.
        type: str
        default: ""
      find:
        description:
          - Find groups and serverless caches, those in O(targets[].replication_group_ids) or else all.
        type: bool
        default: false
      replication_group_ids:
        description: The ids to find.
        type: list
        elements: str
        default: []
      known:
        description:
          - The ids of replication groups whose facts are known, and whose nodes are to be asked, as O(probe) says.
            Those that are found are asked, too.
        type: list
        elements: str
        default: []
      users:
        description: Whether to list the users. Without it, if a group that is found has user groups.
        type: bool
  auth_token_secret:
    description:
      - The secret in AWS Secrets Manager that holds a group's token. With it, the nodes of groups whose rotation is
        half-way are asked which connections predate the new token.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - elasticache.auth.auth_tokens.stored
  - elasticache.auth.requirements
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
  - "Needs, for what is looked at, C(elasticache:DescribeReplicationGroups), C(elasticache:DescribeCacheClusters),
    C(elasticache:DescribeServerlessCaches), C(tag:GetResources), C(elasticache:ListTagsForResource),
    C(elasticache:DescribeUsers) and C(sts:AssumeRole), and with O(auth_token_secret)
    C(secretsmanager:DescribeSecret) and C(secretsmanager:GetSecretValue)."
seealso:
  - module: elasticache.auth.audit_report
"""

EXAMPLES = r"""
- name: Look at all groups of two regions, and at the nodes that can be reached
  elasticache.auth.audit_look:
    targets:
      - region: eu-central-1
        find: true
      - region: us-east-1
        find: true
  register: seen

- name: Report
  elasticache.auth.audit_report:
    groups: "{{ seen.replication_groups }}"
    users: "{{ seen.users }}"
    incomplete: "{{ seen.incomplete }}"
    html_path: /srv/reports/elasticache.html
"""

RETURN = r"""
replication_groups:
  description:
    - What is known of each group and serverless cache, as O(elasticache.auth.audit_report#module:groups) takes it. A
      group whose nodes were asked is there once more for their answers.
  returned: always
  type: list
  elements: dict
users:
  description: The users, as RV(elasticache.auth.user_info#module:users) has them, without tags.
  returned: always
  type: list
  elements: dict
incomplete:
  description: What could not be looked at, in words.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.elasticache.auth.plugins.module_utils._auth import options
from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import Clients
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.role_words import for_role
from ansible_collections.elasticache.auth.plugins.module_utils._fleet.audit import AuditTarget, Secrets, look_at_targets

#: The role that this module is part of.
ROLE = "audit"
PLACE = {
    "region": {"type": "str", "default": ""},
    "assume_role_arn": {"type": "str", "default": ""},
    "find": {"type": "bool", "default": False},
    "replication_group_ids": {"type": "list", "elements": "str", "default": []},
    "known": {"type": "list", "elements": "str", "default": []},
    "users": {"type": "bool"},
}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "targets": {"type": "list", "elements": "dict", "required": True, "options": PLACE},
            # Not secret_key for its key: in amazon.aws that is the AWS secret access key.
            "auth_token_secret": options.SECRET_SPEC,
            **options.PROBE_SPEC,
        },
        supports_check_mode=True,
    )
    targets = [
        AuditTarget(
            region=given["region"],
            role=given["assume_role_arn"],
            known=tuple(given["known"]),
            find=given["find"],
            ids=tuple(given["replication_group_ids"]),
            users=given["users"],
        )
        for given in module.params["targets"]
    ]
    try:
        options.check_lists(module)
        params = module.params
        source = params["auth_token_secret"]
        secrets = Secrets(source, module.no_log_values.add) if source else None
        seen = look_at_targets(Clients(module), targets, options.probing(params), secrets)
    except AuthError as error:
        module.fail_json(msg=for_role(str(error), ROLE))
    incomplete = [for_role(text, ROLE) for text in seen.incomplete]
    for group in seen.groups:
        if (told := group.get("client_connections")) and told["error"]:
            told["error"] = for_role(told["error"], ROLE)
    module.exit_json(changed=False, replication_groups=seen.groups, users=seen.users, incomplete=incomplete)


if __name__ == "__main__":
    main()
