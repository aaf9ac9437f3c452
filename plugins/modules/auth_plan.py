# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: auth_plan
version_added: 0.1.0
short_description: Plan what is left of a change of access control, from what is in force
description:
  - Looks at ElastiCache replication groups and at where their tokens are kept, and says for each where it stands, on
    what evidence, and which steps and API calls are left of a journey, in order. It changes nothing.
  - A group that another run left half-way is planned from there. A group that has arrived has no steps.
  - Everything that would stop the journey and can be known before is an error here, before anything is changed.
  - The roles of this collection begin with this module, and make each step for the groups that are due to it.
  - A group on which a change is under way is waited for.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  journey:
    description:
      - The journey, by the name of the role that makes it.
    type: str
    required: true
    choices:
      - rotate_token
      - enable_auth
      - enable_tls
      - migrate_rbac_to_auth
      - migrate_auth_to_rbac
      - disable_access_control
      - rollback_token
  phase:
    description:
      - V(begin) is what comes before the clients' turn, V(finish) what comes after it.
      - V(finish) is refused where the begin has not ended.
    type: str
    choices: [all, begin, finish]
    default: all
  max_age:
    description:
      - With O(journey=rotate_token), a token is rotated when it was last changed more than so many days ago.
      - It counts for tokens in Secrets Manager. A token that is handed in is rotated in if it is not in force.
    type: float
    default: 90
  force:
    description:
      - With O(journey=rotate_token), rotate a token of any age. A rotation that is half-way is finished instead.
    type: bool
    default: false
  enable_tls:
    description: With O(journey=enable_auth), turn on encryption in transit first, where it is off or preferred.
    type: bool
    default: false
  create_secret:
    description: With O(journey=enable_auth) and O(journey=migrate_rbac_to_auth), a secret that does not exist is made.
    type: bool
    default: false
  accept_open_window:
    description:
      - Your consent that anyone is let in without credentials for a while, with O(journey=migrate_rbac_to_auth), and
        with O(journey=rollback_token) where that leads through user groups.
    type: bool
    default: false
  accept_open_access:
    description: Your consent to O(journey=disable_access_control), at whose end everyone is let in.
    type: bool
    default: false
  assume_state:
    description:
      - Your word for the state of the groups, taken where the evidence leaves it open, never against it.
      - The token in C(AWSCURRENT), or the previous token, is taken to be in force; with V(rotating) the one in
        C(AWSPENDING), if there is one, to be the newer.
    type: str
    choices: [optional, required, rotating]
  user_group_id:
    description:
      - The user group that decides in the end, with O(journey=migrate_auth_to_rbac), or on the way, with
        O(journey=disable_access_control) and O(journey=rollback_token).
      - C({replication_group_id}) in it stands for the group's id.
    type: str
    default: ""
  user_id:
    description: The id of the user named C(default) in it. C({replication_group_id}) in it stands for the group's id.
    type: str
    default: ""
  open_user_group_id:
    description:
      - With O(journey=disable_access_control), the user group that lets everyone in. C({replication_group_id}) in it
        stands for the group's id.
    type: str
    default: ""
  auth_token:
    description:
      - The token that is wanted, the same for all groups, where tokens are handed in.
      - With O(journey=migrate_auth_to_rbac) and O(journey=disable_access_control) the one in force, with
        O(journey=rollback_token) the one to go back to.
    type: str
  auth_tokens:
    description: The token that is wanted for each group, by the group's id.
    type: dict
  previous_auth_tokens:
    description:
      - The token that was in force before, by the group's id; an empty text where there was none.
      - Beside a token in O(auth_tokens) they are taken for all that there are.
    type: dict
  auth_token_secret:
    description:
      - The secret in AWS Secrets Manager that holds the tokens. Its staging labels tell how far a journey has come.
    type: dict
    suboptions:
      name:
        description: The secret's name or ARN. C({replication_group_id}) in it stands for the group's id.
        type: str
        required: true
      key:
        description: The key of the token where the secret is a JSON object. Without it the secret is the bare token.
        type: str
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - elasticache.auth.replication_groups
  - elasticache.auth.replication_groups.wait
  - elasticache.auth.data_plane
  - elasticache.auth.data_plane.probe
  - elasticache.auth.attributes
attributes:
  check_mode:
    support: full
    details: It changes nothing. In check mode, and only there, a group with calls to make counts as changed.
  diff_mode:
    support: full
    details: Of each group where it stands, on what evidence, and each call to make, in order.
  idempotent:
    support: full
    details: It changes nothing.
notes:
  - "Needs C(elasticache:DescribeReplicationGroups), C(elasticache:DescribeCacheClusters),
    C(elasticache:ListTagsForResource), for more than five groups C(tag:GetResources), with O(auth_token_secret) also
    C(secretsmanager:DescribeSecret) and C(secretsmanager:GetSecretValue), where user groups are concerned also
    C(elasticache:DescribeUserGroups) and C(elasticache:DescribeUsers)."
seealso:
  - module: elasticache.auth.replication_group_auth
  - module: elasticache.auth.auth_secret
"""

EXAMPLES = r"""
- name: What would a rotation of these tokens do?
  elasticache.auth.auth_plan:
    journey: rotate_token
    replication_group_ids: [sessions, carts]
    max_age: 30
    auth_token_secret:
      name: elasticache/{replication_group_id}/auth-token
      key: auth_token
  register: plan

- name: Who would be shut out without RBAC?
  elasticache.auth.auth_plan:
    journey: migrate_rbac_to_auth
    replication_group_id: sessions
    accept_open_window: true
    create_secret: true
    auth_token_secret:
      name: elasticache/{replication_group_id}/auth-token
      key: auth_token
  register: plan

- name: Show them
  ansible.builtin.debug:
    msg: "{{ plan.outcomes.sessions.users }}"
"""

RETURN = r"""
msg:
  description: What is left to do, or the errors.
  returned: always
  type: str
outcomes:
  description: The plan for each group, by its id.
  returned: always
  type: dict
  contains:
    changed:
      description: In check mode, whether there are calls to make.
      type: bool
      returned: always
    failed:
      description: Whether there is no plan.
      type: bool
      returned: always
    msg:
      description: What is left to do, or why there is no plan and the way out.
      type: str
      returned: always
    steps:
      description: The steps that are left, in order.
      type: list
      elements: str
      returned: always
      sample: [stage, rotate, promote, clients, set]
    calls:
      description: The API calls of these steps, in order, tokens masked.
      type: list
      elements: dict
      returned: always
      sample:
        - step: stage
          service: secretsmanager
          action: PutSecretValue
          parameters:
            SecretId: elasticache/sessions/auth-token
            SecretString: "********"
            VersionStages: [AWSPENDING]
    stands:
      description: Where the group stands.
      type: str
      returned: always
      sample: required (the token in AWSCURRENT)
    on_evidence:
      description: What that rests on.
      type: str
      returned: always
      sample: the API, the answers of 2 of 2 nodes, the record in its tags
    nodes_answer:
      description: Whether a node answered, so that steps can be proved.
      type: bool
      returned: always
    auth_token_age_days:
      description: How long ago the token was last changed, in days.
      type: float
      returned: when there is a token
    open_since:
      description: Since when everyone is let in beside the token, in seconds since 1970, at the earliest.
      type: float
      returned: when the token is optional
    secret_name:
      description: The secret's name or ARN.
      type: str
      returned: with O(auth_token_secret)
    engine:
      description: The engine.
      type: str
      returned: when the group was observed
    keep:
      description: The tokens that user groups have to let in, so that nobody is shut out.
      type: list
      elements: str
      returned: always
      sample: [AWSCURRENT]
    users:
      description:
        - The users that stop working when the user groups are taken away.
        - C(kept) says whether clients that authenticate so are let in afterwards too, with the same token.
      type: list
      elements: dict
      returned: always
      sample:
        - user_id: sessions-app
          user_name: app
          access_string: on ~app:* -@all +@read
          user_group_id: sessions-users
          kept: false
    before:
      description: The states in which the group may be.
      type: dict
      returned: when the group was observed
    evidence:
      description: What the API, each node and the record said.
      type: dict
      returned: when the group was observed
    drift:
      description: Whether someone else has changed the token since this collection last did.
      type: bool
      returned: always
    duration:
      description: Seconds from the module's start until the plan was made.
      type: float
      returned: always
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import Clients
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.journeys import Journey, Phase
from ansible_collections.elasticache.auth.plugins.module_utils._core.states import Mode
from ansible_collections.elasticache.auth.plugins.module_utils._workflow import options
from ansible_collections.elasticache.auth.plugins.module_utils._workflow.case import Inquiry
from ansible_collections.elasticache.auth.plugins.module_utils._workflow.journey import (
    WITH_USERS,
    Request,
    diff_of_plans,
    plan_journeys,
)
from ansible_collections.elasticache.auth.plugins.module_utils._workflow.outcome import finish

SOURCES = ("auth_token", "auth_tokens", "auth_token_secret")


def request_of(module: AnsibleAWSModule) -> Request:
    """Turn the options into a request. Raises AuthError for those that make no sense."""
    params = module.params
    journey = Journey(params["journey"])
    if journey is not Journey.ENABLE_TLS and all(params[source] is None for source in SOURCES):
        raise AuthError(f"journey: {journey.value} is about tokens. Name one of {', '.join(SOURCES)}.")
    if params["max_age"] < 0:
        raise AuthError(f"max_age: {params['max_age']:g} lies in the future; give days from 0 on.")
    needed = ["user_group_id", "user_id"] if journey in WITH_USERS else []
    if journey is Journey.DISABLE_ACCESS_CONTROL:
        needed.append("open_user_group_id")
    for option in needed:
        if not params[option]:
            raise AuthError(f"{option} is needed with journey: {journey.value}.")
    options.check_waiting(params)
    return Request(
        journey=journey,
        phase=Phase(params["phase"]),
        max_age=params["max_age"],
        force=params["force"],
        enable_tls=params["enable_tls"],
        create_secret=params["create_secret"],
        accept_open_window=params["accept_open_window"],
        accept_open_access=params["accept_open_access"],
        assume_state=Mode(params["assume_state"]) if params["assume_state"] else None,
        user_group_id=params["user_group_id"],
        user_id=params["user_id"],
        open_user_group_id=params["open_user_group_id"],
        inquiry=Inquiry(probing=options.probing(params), timeout=params["wait_timeout"], delay=params["wait_delay"]),
        check_mode=module.check_mode,
    )


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **options.GROUPS_SPEC,
            "journey": {"type": "str", "required": True, "choices": [journey.value for journey in Journey]},
            "phase": {"type": "str", "default": "all", "choices": [phase.value for phase in Phase]},
            "max_age": {"type": "float", "default": 90.0},
            "force": {"type": "bool", "default": False},
            "enable_tls": {"type": "bool", "default": False},
            "create_secret": {"type": "bool", "default": False, "no_log": False},
            "accept_open_window": {"type": "bool", "default": False},
            "accept_open_access": {"type": "bool", "default": False},
            "assume_state": {"type": "str", "choices": ["optional", "required", "rotating"]},
            "user_group_id": {"type": "str", "default": ""},
            "user_id": {"type": "str", "default": ""},
            "open_user_group_id": {"type": "str", "default": ""},
            "auth_token": {"type": "str", "no_log": True},
            "auth_tokens": {"type": "dict", "no_log": True},
            "previous_auth_tokens": {"type": "dict", "no_log": True},
            "auth_token_secret": {
                "type": "dict",
                "no_log": False,
                "options": {"name": {"type": "str", "required": True}, "key": {"type": "str", "no_log": False}},
            },
            **options.PROBE_SPEC,
            **options.WAIT_SPEC,
        },
        mutually_exclusive=[SOURCES, ("previous_auth_tokens", "auth_token_secret")],
        supports_check_mode=True,
    )
    clients = Clients(module)
    try:
        ids = options.group_ids(module.params["replication_group_ids"])
        planned = plan_journeys(clients, request_of(module), module.params, ids, hide=module.no_log_values.add)
        finish(module, planned, verb="have something to do", diff=diff_of_plans(planned))
    except AuthError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
