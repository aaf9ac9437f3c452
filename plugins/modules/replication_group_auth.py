# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: replication_group_auth
version_added: 0.1.0
short_description: Change the AUTH token of ElastiCache replication groups, knowing what is in force
description:
  - Rotates in, sets or deletes the AUTH token of one or many Amazon ElastiCache replication groups (Valkey, Redis OSS).
  - AWS never tells which tokens a group accepts. This module finds out, from the API, from the nodes' own answers, and
    from a record that it leaves in the group's tags; where that is not enough it refuses to guess, and says what to do.
  - It makes a call only if that call is right in every state in which the group may be. A ROTATE that would push out a
    token in use, or have clients without one refused, is refused; O(force) insists.
  - A change that is already under way is waited for and not repeated.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  auth_token_update_strategy:
    description:
      - With V(rotate), the token is accepted, besides what is accepted already. On an open group it makes the
        token optional, clients without one are still served.
      - With V(set), only the token is accepted. It must have been rotated in before.
      - V(delete) puts the user groups in O(user_group_ids) in the place of the token (RBAC).
    type: str
    choices: [rotate, set, delete]
    required: true
  user_group_ids:
    description:
      - The user groups that decide instead of the token, with O(auth_token_update_strategy=delete).
      - C({replication_group_id}) in an id stands for the group's id.
    type: list
    elements: str
  remove_user_groups:
    description:
      - Take the group back from RBAC to a token, in the same call that rotates it in.
      - From then until the following V(set) unauthenticated access is allowed, and the users of the user groups no
        longer are. AWS offers no other way.
    type: bool
    default: false
  assume_state:
    description:
      - Assumed state of the group; used only where the evidence leaves it open.
      - With V(rotate), the token given is taken not to be in force yet; with V(set), to be the newest one.
    type: str
    choices: [open, optional, required, rotating]
  force:
    description:
      - Make the call although it removes a token or has clients refused, or although what the group accepts is not
        known. A call that AWS is certain to refuse is still not made.
    type: bool
    default: false
  record:
    description:
      - Keep the record in the group's tag C(elasticache.auth/record). It is written ahead of the change, so that the
        next run knows about one that was cut off, and again after it.
      - It names a token by its Secrets Manager version id, or else by a salted scrypt fingerprint.
      - With V(false), a V(set) after a V(rotate) needs O(assume_state=rotating), as the nodes tell that two tokens are
        in force but not which is the newer one.
    type: bool
    default: true
  wait:
    description:
      - Wait until the change has been carried out, ask the nodes whether it is, and complete the record.
      - With V(false), a group on which a change is under way is an error.
    type: bool
    default: true
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - elasticache.auth.requirements
  - elasticache.auth.assume_role
  - elasticache.auth.replication_groups
  - elasticache.auth.replication_groups.wait
  - elasticache.auth.auth_tokens
  - elasticache.auth.auth_tokens.stored
  - elasticache.auth.data_plane
  - elasticache.auth.data_plane.probe
  - elasticache.auth.attributes
attributes:
  check_mode:
    support: full
    details: The state after the change is predicted. Groups that are busy are waited for, as without check mode.
  diff_mode:
    support: full
    details: States and names of tokens are shown, never tokens.
  idempotent:
    support: partial
    details: Complete where the evidence tells the state; where it does not, the module fails rather than to guess.
notes:
  - "Needs C(elasticache:DescribeReplicationGroups), C(elasticache:DescribeCacheClusters),
    C(elasticache:ModifyReplicationGroup), with O(record) also C(elasticache:ListTagsForResource),
    C(elasticache:AddTagsToResource) and, for more than five groups, C(tag:GetResources), with O(auth_token_secret)
    also C(secretsmanager:GetSecretValue), with O(user_group_ids) also C(elasticache:DescribeUserGroups)."
seealso:
  - module: elasticache.auth.replication_group_info
  - module: elasticache.auth.auth_probe
  - name: Authenticating with the Valkey and Redis OSS AUTH command
    description: AWS's own description of the strategies.
    link: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html
"""

EXAMPLES = r"""
- name: Accept the new token as well
  elasticache.auth.replication_group_auth:
    replication_group_id: sessions
    auth_token_update_strategy: rotate
    auth_token: "{{ new_token }}"
    known_auth_tokens: ["{{ old_token }}"]

- name: Once every client has it, accept nothing else
  elasticache.auth.replication_group_auth:
    replication_group_id: sessions
    auth_token_update_strategy: set
    auth_token: "{{ new_token }}"
    known_auth_tokens: ["{{ old_token }}"]

- name: Rotate many groups, each with the token that is staged in its secret
  elasticache.auth.replication_group_auth:
    replication_group_ids: "{{ groups_to_rotate }}"
    auth_token_update_strategy: rotate
    auth_token_secret:
      name: elasticache/{replication_group_id}/auth-token
      stage: AWSPENDING
      key: auth_token

- name: Replace the token by user groups
  elasticache.auth.replication_group_auth:
    replication_group_id: sessions
    auth_token_update_strategy: delete
    user_group_ids: [sessions-users]
"""

RETURN = r"""
msg:
  description: What happened, or the errors.
  returned: always
  type: str
outcomes:
  description: What happened to each group, by its id.
  returned: always
  type: dict
  contains:
    changed:
      description: Whether a call was made that changes the group (in check mode, would be made).
      type: bool
      returned: always
    failed:
      description: Whether it failed.
      type: bool
      returned: always
    msg:
      description: What happened, in one or two sentences.
      type: str
      returned: always
    before:
      description: The states in which the group may have been, by the evidence.
      type: dict
      returned: when the group was observed
      sample:
        mode: required
        auth_tokens: [known token 1]
        user_group_ids: []
        unauthenticated_access: false
        possible_states: [required (known token 1)]
        auth_token_last_modified_date: "2026-11-22T15:04:05+00:00"
    after:
      description:
        - The same as it was seen after the last call, in check mode as it would be.
        - Where a call was made, or may have been, and its end was not seen (O(wait=false), a time limit, a lost
          answer), C(possible_states) has the states before it and those that it leads to.
      type: dict
      returned: when the group was observed
    evidence:
      description: What the API, each node and the record said last.
      type: dict
      returned: when the group was observed
    api_calls:
      description: The API calls that changed the group (in check mode, would), tokens masked.
      type: list
      elements: dict
      returned: always
      sample:
        - action: ModifyReplicationGroup
          parameters:
            ReplicationGroupId: sessions
            ApplyImmediately: true
            AuthToken: "********"
            AuthTokenUpdateStrategy: ROTATE
    drift:
      description: Whether someone else has changed the token since this collection last did.
      type: bool
      returned: always
    called_at:
      description: When the first call was made, in seconds since 1970.
      type: float
      returned: when a call was made
    done_at:
      description: When the change was done and, where nodes answered, proved, in seconds since 1970.
      type: float
      returned: when a call was made and waited for
    duration:
      description: Seconds from the module's start until the group was done.
      type: float
      returned: always
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.elasticache.auth.plugins.module_utils._auth import options
from ansible_collections.elasticache.auth.plugins.module_utils._auth.change import bring_about
from ansible_collections.elasticache.auth.plugins.module_utils._auth.change_run import Order
from ansible_collections.elasticache.auth.plugins.module_utils._auth.common_errors import for_each
from ansible_collections.elasticache.auth.plugins.module_utils._auth.outcome import Change, exit_with_outcomes
from ansible_collections.elasticache.auth.plugins.module_utils._auth.strategies import order_for
from ansible_collections.elasticache.auth.plugins.module_utils._auth.tokens import collect
from ansible_collections.elasticache.auth.plugins.module_utils._aws.accounts import clients_of
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.states import CallKind, Mode


def order_of(module: AnsibleAWSModule) -> Order:
    """Turn the options into an order. Raises AuthError for those that don't go together."""
    params = module.params
    strategy = params["auth_token_update_strategy"]
    user_groups = tuple(dict.fromkeys(key.lower() for key in params["user_group_ids"] or ()))
    if strategy != "delete" and user_groups:
        raise AuthError(f"user_group_ids go with auth_token_update_strategy: delete, not with {strategy}.")
    if strategy == "delete" and not user_groups:
        raise AuthError(
            "user_group_ids is empty, and AWS takes a token away only together with attaching a user group."
        )
    if strategy != "rotate" and params["remove_user_groups"]:
        raise AuthError(
            f"remove_user_groups goes with auth_token_update_strategy: rotate, not with {strategy}: "
            "AWS takes the user groups away in the call that rotates the token in."
        )
    options.check_waiting(params)
    return order_for(
        strategy,
        remove_user_groups=params["remove_user_groups"],
        user_groups=user_groups,
        assume_state=Mode(params["assume_state"]) if params["assume_state"] else None,
        force=params["force"],
        record=params["record"],
        probing=options.probing(params),
        wait=params["wait"],
        timeout=params["wait_timeout"],
        delay=params["wait_delay"],
        check_mode=module.check_mode,
    )


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **options.ROLE_SPEC,
            **options.GROUPS_SPEC,
            "auth_token_update_strategy": {
                "type": "str",
                "required": True,
                "choices": ["rotate", "set", "delete"],
                "no_log": False,
            },
            **options.TOKENS_SPEC,
            "user_group_ids": {"type": "list", "elements": "str"},
            "remove_user_groups": {"type": "bool", "default": False},
            "assume_state": {"type": "str", "choices": ["open", "optional", "required", "rotating"]},
            "force": {"type": "bool", "default": False},
            "record": {"type": "bool", "default": True},
            **options.PROBE_SPEC,
            "wait": {"type": "bool", "default": True},
            **options.WAIT_SPEC,
        },
        mutually_exclusive=options.TOKENS_EXCLUSIVE,
        required_if=[
            ("auth_token_update_strategy", "rotate", options.TOKEN_SOURCES, True),
            ("auth_token_update_strategy", "set", options.TOKEN_SOURCES, True),
            ("auth_token_update_strategy", "delete", ["user_group_ids"]),
        ],
        supports_check_mode=True,
    )
    clients = clients_of(module)
    try:
        options.check_lists(module)
        ids = options.group_ids(module.params["replication_group_ids"])
        order = order_of(module)
        needed = CallKind.DELETE not in order.kinds

        def change() -> list[Change]:
            tokens = collect(clients, module.params, ids, hide=module.no_log_values.add, needed=needed)
            return bring_about(clients, order, tokens)

        changes = for_each(module.params, ids, lambda key, error: Change(key, error=error), change)
        exit_with_outcomes(module, changes)
    except AuthError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
