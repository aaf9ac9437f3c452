# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: auth_secret
version_added: 0.1.0
short_description: Stage, promote, discard and go back to AUTH tokens in AWS Secrets Manager
description:
  - Keeps the AUTH tokens of ElastiCache replication groups in AWS Secrets Manager, a secret for each group, and moves
    them through its staging labels. A new token waits in C(AWSPENDING) until the group accepts it, clients use the one
    in C(AWSCURRENT), and the one before stays in C(AWSPREVIOUS).
  - Stores a token before any group is given it, so that no token in force is known to nobody. It does not talk to
    ElastiCache; that is what M(elasticache.auth.replication_group_auth) does with the token, by its
    O(elasticache.auth.replication_group_auth#module:auth_token_secret).
  - Looks first and does what is left to do. A run that was cut off, at any point, is completed by the next one.
  - Of an existing secret nothing is changed but its versions and their labels. Its KMS key, tags, description, policy
    and rotation settings stay, and so does every other key of a JSON secret.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  name:
    description:
      - The secret's name or ARN. C({replication_group_id}) in it stands for the group's id.
      - Two groups that would share a secret are an error.
    type: str
    required: true
  key:
    description:
      - The key of the token where the secret is a JSON object. Without it the secret is the bare token.
      - An empty text under the key says that there is no token yet.
    type: str
  state:
    description:
      - V(staged) makes sure that there is a valid token in C(AWSPENDING). Where one is there already, none is made; it
        may be in force. The new version has the other keys of C(AWSCURRENT).
      - Where C(AWSPENDING) holds the token that C(AWSCURRENT) holds too, it was left there by a promotion that was cut
        off or by another tool, and a new token takes its place. Take up a change that was cut off with V(promoted)
        before.
      - V(promoted) moves C(AWSCURRENT) to the version in C(AWSPENDING), with it C(AWSPREVIOUS) to the one that was
        current, and then takes C(AWSPENDING) off. Where both hold the same token, C(AWSPENDING) is taken off and
        nothing else is moved.
      - V(discarded) takes C(AWSPENDING) off. Secrets Manager deletes a version without labels after a day or more, so
        make sure that no group accepts the token. What the version holds is not looked at. Where C(AWSCURRENT) had been
        marked as given up by O(from_previous), the mark is taken off too.
      - With nothing in C(AWSPENDING) there is nothing to promote or to discard, and nothing is changed.
      - V(abandoned) is the end of going back to the previous token, after V(staged) with O(from_previous) and
        V(promoted). It takes C(AWSPREVIOUS) and then the mark off the version that was given up, so that Secrets
        Manager deletes it in time. Where C(AWSPREVIOUS) is on another version by now, only the mark is taken off. Make
        sure that no group accepts the token any longer. It is an error while that version is in C(AWSCURRENT) or
        C(AWSPENDING). Where no version is marked, nothing is changed.
      - V(cleared) makes C(AWSCURRENT) say that there is no token, by a new version with an empty text under O(key),
        which it needs. The version before stays in C(AWSPREVIOUS). It is an error while C(AWSPENDING) is on another
        version.
    type: str
    choices: [staged, promoted, discarded, abandoned, cleared]
    required: true
  from_previous:
    description:
      - With O(state=staged), stage the token in C(AWSPREVIOUS), to go back to it. No version is made.
      - The version in C(AWSCURRENT) is marked as given up first, by the staging label C(elasticache.auth/abandoned),
        and then C(AWSPENDING) is put on the version in C(AWSPREVIOUS). O(state=promoted) goes back to it, and
        O(state=abandoned) ends that. Until it is promoted, O(state=discarded) gives it up.
      - It is an error where another token is staged, and where C(AWSPREVIOUS) holds no other token than C(AWSCURRENT).
        Once it is promoted there is nothing left to stage, and nothing is changed.
    type: bool
    default: false
  version_ids:
    description:
      - With O(state=promoted), the id of the version that may be promoted, by the group's id. Give what
        RV(outcomes) has in C(after.AWSPENDING) after V(staged), so that nothing is promoted that another party has
        staged since the group was given the token.
      - Where C(AWSPENDING) is on another version, and C(AWSCURRENT) not on this one, nothing is moved, and it is an
        error.
      - Of a group without one it is the version that is in C(AWSPENDING) at the first look.
    type: dict
  auth_token:
    description:
      - The token to stage, the same for all groups, instead of a random one for each.
      - It has 16 to 128 letters, digits and characters out of C(!&#$^<>-).
      - It is an error where another one is staged. Where C(AWSCURRENT) holds it, there is nothing to stage.
    type: str
  auth_tokens:
    description: The token to stage for each group, by the group's id. Every group needs one.
    type: dict
  length:
    description: How many characters a random token has, from 16 to 128. The default is 64.
    type: int
  create:
    description:
      - With O(state=staged), create a secret that does not exist, and store a first version in one that is empty.
      - With O(key), C(AWSCURRENT) then says that there is no token yet, with an empty text under the key, until the
        token is promoted from C(AWSPENDING). Clients that go by C(AWSCURRENT) send a token only once the group knows
        it.
      - Without O(key), the version with the token is in C(AWSPENDING) and in C(AWSCURRENT), as Secrets Manager puts
        C(AWSCURRENT) on a secret's first version. V(promoted) then only takes C(AWSPENDING) off. Keep clients from the
        secret until the group accepts the token; an open group answers AUTH with an error.
    type: bool
    default: false
  description:
    description: The description of a secret that is created. That of an existing one is left alone.
    type: str
  kms_key_id:
    description: The KMS key of a secret that is created, by default C(aws/secretsmanager). An existing one keeps its.
    type: str
  tags:
    description: The tags of a secret that is created. Those of an existing one are left alone.
    type: dict
    aliases: [resource_tags]
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - elasticache.auth.requirements
  - elasticache.auth.assume_role
  - elasticache.auth.replication_groups
  - elasticache.auth.attributes
attributes:
  check_mode:
    support: full
    details: The labels after the change are predicted; the id of a version that would be made is V(new version).
  diff_mode:
    support: full
    details: The version ids by staging label are shown, never tokens.
  idempotent:
    support: full
notes:
  - "Needs C(secretsmanager:DescribeSecret); O(state=staged) also C(secretsmanager:GetSecretValue) and
    C(secretsmanager:PutSecretValue); O(state=promoted) and O(from_previous) also
    C(secretsmanager:GetSecretValue) and C(secretsmanager:UpdateSecretVersionStage); O(state=discarded) and
    O(state=abandoned) also C(secretsmanager:UpdateSecretVersionStage); O(state=cleared) also
    C(secretsmanager:GetSecretValue), C(secretsmanager:PutSecretValue) and, where a promotion had been cut off,
    C(secretsmanager:UpdateSecretVersionStage);
    O(create) also C(secretsmanager:CreateSecret) and, with O(tags), C(secretsmanager:TagResource). A secret with a KMS
    key of your own needs C(kms:Decrypt) and C(kms:GenerateDataKey) on that."
  - Runs at the same time can't stage two tokens in one secret. The id of a new version follows from the version in
    C(AWSCURRENT), and Secrets Manager makes no second version of an id.
  - Let only one party rotate a secret. One that Secrets Manager rotates by itself does not need this module.
seealso:
  - module: elasticache.auth.replication_group_auth
  - plugin: elasticache.auth.random_auth_token
    plugin_type: lookup
  - name: Staging labels and versions of secrets
    description: What AWS says about versions.
    link: https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
"""

EXAMPLES = r"""
- name: Stage a random token for every group
  elasticache.auth.auth_secret:
    replication_group_ids: [sessions, carts]
    name: elasticache/{replication_group_id}/auth-token
    key: auth_token
    state: staged
  register: staged

- name: Accept it as well
  elasticache.auth.replication_group_auth:
    replication_group_ids: [sessions, carts]
    auth_token_update_strategy: rotate
    auth_token_secret:
      name: elasticache/{replication_group_id}/auth-token
      key: auth_token
      stage: AWSPENDING

- name: Give it to the clients, and no token that somebody else has staged since
  elasticache.auth.auth_secret:
    replication_group_ids: [sessions, carts]
    name: elasticache/{replication_group_id}/auth-token
    key: auth_token
    state: promoted
    version_ids:
      sessions: "{{ staged.outcomes.sessions.after.AWSPENDING }}"
      carts: "{{ staged.outcomes.carts.after.AWSPENDING }}"

- name: Stage a first token in a secret that is created for it
  elasticache.auth.auth_secret:
    replication_group_id: sessions
    name: elasticache/{replication_group_id}/auth-token
    key: auth_token
    state: staged
    create: true
    description: The AUTH token of the sessions
    kms_key_id: alias/shop
    tags:
      team: shop

- name: Stage a token of one's own
  elasticache.auth.auth_secret:
    replication_group_id: sessions
    name: sessions-token
    state: staged
    auth_token: "{{ token_from_the_vault }}"

- name: Give up a token that was staged and never rotated in
  elasticache.auth.auth_secret:
    replication_group_id: sessions
    name: sessions-token
    state: discarded

- name: Stage the previous token, to go back to it
  elasticache.auth.auth_secret:
    replication_group_id: sessions
    name: elasticache/{replication_group_id}/auth-token
    key: auth_token
    state: staged
    from_previous: true

- name: Once the group accepts it, give it to the clients
  elasticache.auth.auth_secret:
    replication_group_id: sessions
    name: elasticache/{replication_group_id}/auth-token
    key: auth_token
    state: promoted

- name: Once the group accepts nothing else, let the one that was given up go
  elasticache.auth.auth_secret:
    replication_group_id: sessions
    name: elasticache/{replication_group_id}/auth-token
    key: auth_token
    state: abandoned

- name: Say that there is no token, once the group asks for none
  elasticache.auth.auth_secret:
    replication_group_id: sessions
    name: elasticache/{replication_group_id}/auth-token
    key: auth_token
    state: cleared
"""

RETURN = r"""
msg:
  description: What happened, or the errors.
  returned: always
  type: str
outcomes:
  description: What happened to each group's secret, by the group's id.
  returned: always
  type: dict
  contains:
    changed:
      description: Whether a call was made that changes the secret (in check mode, would be made).
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
    secret_name:
      description: The secret's name or ARN.
      type: str
      returned: always
      sample: elasticache/sessions/auth-token
    before:
      description:
        - The version ids by staging label, V(null) for one that the secret does not have.
        - C(elasticache.auth/abandoned) is among them only where a version has that label.
      type: dict
      returned: when the secret existed
      sample:
        AWSCURRENT: 1c6ba0a7-5f0c-4f0e-8a3c-0f5fd1e0a0b4
        AWSPENDING: null
        AWSPREVIOUS: null
    after:
      description: The same after the change; predicted in check mode.
      type: dict
      returned: when it did not fail
      sample:
        AWSCURRENT: 1c6ba0a7-5f0c-4f0e-8a3c-0f5fd1e0a0b4
        AWSPENDING: 5b0f7f9e-40a4-5b86-9d2b-6f1f3f3c9e55
        AWSPREVIOUS: null
    api_calls:
      description: The API calls that changed the secret (in check mode, would), what it holds masked.
      type: list
      elements: dict
      returned: always
      sample:
        - action: PutSecretValue
          parameters:
            SecretId: elasticache/sessions/auth-token
            SecretString: "********"
            VersionStages: [AWSPENDING]
    duration:
      description: Seconds from the module's start until the secret was done.
      type: float
      returned: always
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.elasticache.auth.plugins.module_utils._auth import options
from ansible_collections.elasticache.auth.plugins.module_utils._auth.common_errors import for_each
from ansible_collections.elasticache.auth.plugins.module_utils._auth.outcome import exit_with_outcomes
from ansible_collections.elasticache.auth.plugins.module_utils._aws.accounts import clients_of
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.tokens import (
    DEFAULT_LENGTH,
    MAX_LENGTH,
    MIN_LENGTH,
)
from ansible_collections.elasticache.auth.plugins.module_utils._secret.secret import (
    SecretProgress,
    bring_secrets_about,
    label_diff,
)
from ansible_collections.elasticache.auth.plugins.module_utils._secret.secret_plan import (
    Creation,
    Goal,
    SecretOrder,
    names_of,
)

STATES = ["staged", "promoted", "discarded", "abandoned", "cleared"]
STAGING = ("auth_token", "auth_tokens", "length", "create", "from_previous")
CREATING = ("description", "kms_key_id", "tags")


def order_of(module: AnsibleAWSModule) -> SecretOrder:
    """Turn the options into an order. Raises AuthError for those that don't go together."""
    params = module.params
    for option in STAGING:
        if params["state"] != "staged" and params[option] not in (None, False):
            raise AuthError(f"{option} goes with state: staged, not with {params['state']}.")
        if option != "from_previous" and params["from_previous"] and params[option] not in (None, False):
            raise AuthError(f"{option} goes with a new token, not with from_previous: true. Leave one of them out.")
    for option in CREATING:
        if params[option] is not None and not params["create"]:
            raise AuthError(f"{option} is that of a secret to be created, and goes with create: true.")
    if params["version_ids"] is not None and params["state"] != "promoted":
        raise AuthError(f"version_ids goes with state: promoted, not with {params['state']}.")
    versions = {str(key).strip().lower(): str(version or "") for key, version in (params["version_ids"] or {}).items()}
    ids = options.group_ids(params["replication_group_ids"])
    unknown = sorted(set(versions) - set(ids))
    if unknown:
        raise AuthError(f"version_ids: {', '.join(unknown)} is not among replication_group_ids.")
    missing = sorted(key for key, version in versions.items() if not version)
    if missing:
        raise AuthError(
            f"version_ids: {', '.join(missing)} has none. Give the id of a version, or leave the group out."
        )
    if params["key"] == "":
        raise AuthError("key is empty. Name the token's key, or leave key out where the secret is the bare token.")
    if params["state"] == "cleared" and params["key"] is None:
        raise AuthError(
            "state: cleared needs key. A bare secret can't say that there is no token: store a JSON object with the "
            "token under a key, or delete the secret once no client reads it."
        )
    length = DEFAULT_LENGTH if params["length"] is None else params["length"]
    if not MIN_LENGTH <= length <= MAX_LENGTH:
        raise AuthError(
            f"length: a token of {length} characters can't be made, AWS takes {MIN_LENGTH} to {MAX_LENGTH}."
        )
    tokens = params["auth_tokens"]
    creation = Creation(
        description=params["description"],
        kms_key_id=params["kms_key_id"],
        tags={str(key): "" if value is None else str(value) for key, value in (params["tags"] or {}).items()},
    )
    return SecretOrder(
        goal=Goal.BACK if params["from_previous"] else Goal(params["state"]),
        names=names_of(params["name"], ids),
        key=params["key"],
        token=params["auth_token"],
        tokens=None if tokens is None else {str(key).lower(): value for key, value in tokens.items()},
        length=length,
        creation=creation if params["create"] else None,
        versions=versions,
        check_mode=module.check_mode,
    )


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **options.ROLE_SPEC,
            **options.GROUPS_SPEC,
            "name": {"type": "str", "required": True},
            "key": {"type": "str", "no_log": False},
            "state": {"type": "str", "required": True, "choices": STATES},
            "from_previous": {"type": "bool", "default": False},
            "auth_token": {"type": "str", "no_log": True},
            "auth_tokens": {"type": "dict", "no_log": True},
            "length": {"type": "int"},
            "version_ids": {"type": "dict"},
            "create": {"type": "bool", "default": False},
            "description": {"type": "str"},
            "kms_key_id": {"type": "str", "no_log": False},
            "tags": {"type": "dict", "aliases": ["resource_tags"]},
        },
        mutually_exclusive=[("auth_token", "auth_tokens", "length")],
        supports_check_mode=True,
    )
    try:
        options.check_lists(module)
        order = order_of(module)
        progress = for_each(
            module.params,
            list(order.names),
            lambda key, error: SecretProgress(key, secret_name=order.names[key], error=error),
            lambda: bring_secrets_about(clients_of(module), order, hide=module.no_log_values.add),
        )
        verb = "would be changed" if module.check_mode else "changed"
        exit_with_outcomes(module, progress, verb=verb, diff=label_diff(progress))
    except AuthError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
