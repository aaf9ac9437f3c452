# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: user
version_added: 0.1.0
short_description: Create, change and delete an ElastiCache user, knowing which passwords are in force
description:
  - Makes sure that a user (RBAC) of Amazon ElastiCache exists and is as the options say, or that it does not exist.
  - AWS never returns a user's passwords, only how many there are. This module finds out whether those given are in
    force, from that number, from the answers of the nodes of a replication group, and from a record that it leaves in
    the user's tags. Where that is not enough it refuses to guess, unless O(update_password) says what to do.
  - An option that is left out is left as it is. Everything that AWS would refuse is looked for before the first call.
  - A user or user group on which a change is under way is waited for, as AWS takes no other one meanwhile.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  user_id:
    description:
      - The id of the user.
      - It has 1 to 40 letters, digits and hyphens, begins with a letter, has no two hyphens in a row and none at its
        end. AWS keeps it in lower case.
      - The user with the id V(default) is AWS's own and can't be changed. A user of another id can have the name
        V(default).
    type: str
    required: true
  state:
    description:
      - V(present) makes sure that the user exists and is as the options say.
      - V(absent) makes sure that it does not exist. AWS takes a deleted user out of its user groups, which a warning
        names. The user named V(default) of a user group for C(redis) is not deleted, as AWS refuses that.
    type: str
    choices: [present, absent]
    default: present
  user_name:
    description:
      - The name by which clients authenticate. Needed to create a user; it can't be changed.
      - Clients that give a password and no name are the user named V(default).
      - With O(authentication=iam) it is the id, and can be left out.
    type: str
  engine:
    description: The engine. Needed to create a user.
    type: str
    choices: [valkey, redis]
  access_string:
    description:
      - What the user may do, for example V(on ~app:* -@all +@read). Needed to create a user.
      - AWS writes it in another way than it was given, for example V(~*) for V(allkeys); that is not a difference. The
        order of commands is one.
      - It holds no passwords, AWS refuses that.
    type: str
  passwords:
    description:
      - The passwords of the user, all of them, one or two. With two a new one can be brought out while clients still
        use the old one. Connections outlive a change.
      - Each has 16 to 128 characters.
      - Give a list. Ansible would split a single text at its commas.
    type: list
    elements: str
  password_secrets:
    description:
      - The secrets in AWS Secrets Manager that hold the passwords, instead of O(passwords). The module reads them
        itself, so that the passwords never pass through Ansible.
      - Two staging labels of one secret make two passwords.
    type: list
    elements: dict
    suboptions:
      name:
        description: The secret's name or ARN.
        type: str
        required: true
      stage:
        description: The staging label of the version that holds the password.
        type: str
        choices: [AWSCURRENT, AWSPENDING, AWSPREVIOUS]
        default: AWSCURRENT
      key:
        description: The key of the password where the secret is a JSON object. Without it the secret is the password.
        type: str
  no_password_required:
    description:
      - V(true) is short for O(authentication=no-password-required).
    type: bool
    default: false
  authentication:
    description:
      - How the user authenticates. V(password) where O(passwords) or O(password_secrets) is given.
      - V(iam) needs a user whose name is its id, on Redis OSS 7.0, Valkey 7.2 or later.
      - With V(no-password-required) anyone is accepted by the name alone. A user group for C(valkey) takes no such
        user.
    type: str
    choices: [password, no-password-required, iam]
  update_password:
    description:
      - What to do about the passwords of a user that exists.
      - V(auto) sets them if those in force are others, and fails if that is not known.
      - V(always) sets them if those in force are others, and if that is not known. Then they are on record, and the
        next run knows.
      - V(on_create) sets them when the user is created only, or when it comes to V(password) from another
        O(authentication).
    type: str
    choices: [auto, always, on_create]
    default: auto
  probe_replication_group_id:
    description:
      - A replication group that has the user by one of its user groups. Its nodes are asked, by AUTH, whether they
        accept the passwords; after a change of the passwords, until they do.
      - Where they can't tell, as the user is not in a user group of it yet, is off, or the nodes are out of reach, the
        record has to do. A node whose certificate is not trusted always is an error.
      - A password that is refused counts in the metric C(AuthenticationFailures) of the group.
    type: str
  exclusive_to_user_groups:
    description:
      - The only user groups that the user may be in. Where it is in any other, nothing is called, and the message names
        those and the caches that they serve. That is looked at again before each call.
      - For a user that is made, changed or deleted for one replication group, and may have been given to others since.
    type: list
    elements: str
  record:
    description:
      - Keep a record of the passwords in force in the user's tag C(elasticache.auth/passwords), and read it. It is
        written ahead of a change, so that the next run knows about one that was cut off, and again after it.
      - It names each password by a salted scrypt fingerprint.
      - It knows nothing of a change that someone else makes and that leaves the number of passwords the same. That is
        seen with O(probe_replication_group_id) only.
    type: bool
    default: true
  wait:
    description:
      - Wait until the user is active and as wanted, or gone, and its user groups are active.
      - With V(false), a user or user group on which a change is under way is an error, unless there is nothing to be
        done.
    type: bool
    default: true
  wait_timeout:
    description:
      - How long to wait for the user and its user groups, in seconds.
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
  - elasticache.auth.data_plane
  - elasticache.auth.attributes
attributes:
  check_mode:
    support: full
    details: The state after the change is predicted. A user that is busy is waited for, as without check mode.
  diff_mode:
    support: full
    details: The options that differ, tags among them. Of the passwords only whether they are in force.
  idempotent:
    support: full
    details: Passwords are an exception where the evidence does not tell whether they are in force. That is an error.
notes:
  - "Needs C(elasticache:DescribeUsers), C(elasticache:CreateUser), C(elasticache:ModifyUser),
    C(elasticache:DeleteUser), for a user that is in user groups also C(elasticache:DescribeUserGroups), with O(tags) or
    O(record) also C(elasticache:ListTagsForResource), C(elasticache:AddTagsToResource) and
    C(elasticache:RemoveTagsFromResource), with O(probe_replication_group_id) also
    C(elasticache:DescribeReplicationGroups) and for groups in cluster mode C(elasticache:DescribeCacheClusters), with
    O(password_secrets) also C(secretsmanager:GetSecretValue)."
  - Tags whose keys begin with C(elasticache.auth/) are never removed, whatever O(purge_tags) says.
seealso:
  - module: elasticache.auth.user_group
  - module: elasticache.auth.user_info
  - name: Role-Based Access Control
    description: AWS's own description of users, user groups and access strings.
    link: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html
"""

EXAMPLES = r"""
- name: Create a user that reads
  elasticache.auth.user:
    user_id: shop-reader
    user_name: reader
    engine: valkey
    access_string: on ~shop:* -@all +@read
    passwords: ["{{ reader_password }}"]

- name: Bring out a new password, while the old one is still accepted
  elasticache.auth.user:
    user_id: shop-reader
    passwords: ["{{ new_password }}", "{{ reader_password }}"]

- name: The same from Secrets Manager, so that Ansible sees neither
  elasticache.auth.user:
    user_id: shop-reader
    password_secrets:
      - name: elasticache/shop-reader
        stage: AWSPENDING
      - name: elasticache/shop-reader

- name: Have the nodes say whether the password is in force
  elasticache.auth.user:
    user_id: shop-reader
    passwords: ["{{ reader_password }}"]
    probe_replication_group_id: shop

- name: Take over a user whose passwords nobody has on record
  elasticache.auth.user:
    user_id: legacy
    passwords: ["{{ legacy_password }}"]
    update_password: always

- name: Create a user that authenticates by IAM
  elasticache.auth.user:
    user_id: shop-worker
    engine: valkey
    access_string: on ~* +@all
    authentication: iam

- name: Turn off those who give a password without a name
  elasticache.auth.user:
    user_id: shop-default
    user_name: default
    engine: redis
    access_string: off -@all
    no_password_required: true

- name: Delete a user
  elasticache.auth.user:
    user_id: shop-reader
    state: absent
"""

RETURN = r"""
msg:
  description: What happened, or the error.
  returned: always
  type: str
user:
  description:
    - The user as C(DescribeUsers) shows it, its members in snake case. It holds no password.
    - Predicted in check mode; of a user that would be created, what is known beforehand.
  returned: when the user exists or would
  type: dict
  sample:
    user_id: shop-reader
    user_name: reader
    status: active
    engine: valkey
    minimum_engine_version: "7.2"
    access_string: on ~shop:* -@all +@read
    user_group_ids: [shop-users]
    authentication: {type: password, password_count: 1}
    arn: arn:aws:elasticache:eu-central-1:123456789012:user:shop-reader
before:
  description:
    - The user as it was, by the names of the options. V(passwords) tells whether those given were in force, as in
      RV(evidence).
  returned: when the user existed
  type: dict
  sample:
    user_name: reader
    engine: valkey
    access_string: on ~shop:* -@all +@read
    authentication: password
    password_count: 1
    passwords: not_in_force
    user_group_ids: [shop-users]
after:
  description: The same after the change; predicted in check mode and with O(wait=false).
  returned: when nothing failed
  type: dict
evidence:
  description: Whether the passwords given were in force before the change, and how that is known.
  returned: when the user existed and passwords were given, unless O(update_password=on_create)
  type: dict
  contains:
    passwords:
      description: One of V(in_force), V(not_in_force), V(unknown).
      type: str
      returned: always
    source:
      description: The source, one of V(api), V(probe), V(record), V(none).
      type: str
      returned: always
    explanation:
      description: The evidence, in words.
      type: str
      returned: always
    nodes:
      description: What each node of O(probe_replication_group_id) answered.
      type: list
      elements: dict
      returned: always
api_calls:
  description: The API calls that changed the user (in check mode, would), passwords masked. The record's are left out.
  returned: always
  type: list
  elements: dict
  sample:
    - action: ModifyUser
      parameters:
        UserId: shop-reader
        AuthenticationMode:
          Type: password
          Passwords: ["********"]
duration:
  description: Seconds that it took.
  returned: always
  type: float
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.elasticache.auth.plugins.module_utils._auth import options
from ansible_collections.elasticache.auth.plugins.module_utils._aws.accounts import clients_of
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._resource import user_wanted
from ansible_collections.elasticache.auth.plugins.module_utils._resource.rbac import checked_id, checked_ids
from ansible_collections.elasticache.auth.plugins.module_utils._resource.reconcile import (
    Manner,
    Reconciled,
    reconcile,
    remove,
)
from ansible_collections.elasticache.auth.plugins.module_utils._resource.result import exit_with_result
from ansible_collections.elasticache.auth.plugins.module_utils._resource.users import UserSpec


def act(module: AnsibleAWSModule) -> Reconciled:
    """Do what the options ask for. Raises AuthError for options that don't go together."""
    params, clients, hide = module.params, clients_of(module), module.no_log_values.add
    for secret in user_wanted.secrets_in(params["access_string"]):
        hide(secret)
    options.check_waiting(params)
    manner = Manner(
        record=params["record"],
        probing=options.probing(params),
        wait=params["wait"],
        timeout=params["wait_timeout"],
        delay=params["wait_delay"],
        check_mode=module.check_mode,
    )
    exclusive_to = checked_ids(params["exclusive_to_user_groups"], "exclusive_to_user_groups", "user group")
    if params["state"] == "absent":
        key = checked_id(params["user_id"], "user_id", "user")
        return remove(UserSpec(clients, user_wanted.WantedUser(key), manner, exclusive_to=exclusive_to))
    wanted = user_wanted.wanted_user(params, user_wanted.passwords_of(clients, params, hide))
    return reconcile(UserSpec(clients, wanted, manner, exclusive_to=exclusive_to))


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **options.ROLE_SPEC,
            "user_id": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "user_name": {"type": "str"},
            "engine": {"type": "str", "choices": ["valkey", "redis"]},
            "access_string": {"type": "str"},
            "passwords": {"type": "list", "elements": "str", "no_log": True},
            "password_secrets": {
                "type": "list",
                "elements": "dict",
                "no_log": False,
                "options": options.SECRET_SPEC["options"],
            },
            "no_password_required": {"type": "bool", "default": False, "no_log": False},
            "authentication": {"type": "str", "choices": ["password", "no-password-required", "iam"]},
            "update_password": {
                "type": "str",
                "choices": ["auto", "always", "on_create"],
                "default": "auto",
                "no_log": False,
            },
            "probe_replication_group_id": {"type": "str"},
            "exclusive_to_user_groups": {"type": "list", "elements": "str"},
            "tags": {"type": "dict", "aliases": ["resource_tags"]},
            "purge_tags": {"type": "bool", "default": True},
            "record": {"type": "bool", "default": True},
            **options.DATA_PLANE_SPEC,
            "wait": {"type": "bool", "default": True},
            **options.WAIT_SPEC,
        },
        mutually_exclusive=[("passwords", "password_secrets")],
        supports_check_mode=True,
    )
    try:
        options.check_lists(module)
        exit_with_result(module, "user", act(module))
    except AuthError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
