# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: auth_operation
version_added: 0.1.0
short_description: Bring the access control of replication groups from what is in force to what is wanted
description:
  - Looks at ElastiCache replication groups and at where their tokens are kept, and plans for each which steps and API
    calls remain of an operation, in order. A group that another run left half-way is planned from there. A group that
    is in the wanted state has no steps.
  - "Then it makes all of these steps: those on tokens, secrets, encryption in transit, users and user groups. All
    groups are treated in one process, each by a script of its own, so that a group that takes long holds up no other.
    Where calls queue, what finishes a group goes before what begins another."
  - At a client cutover a group waits for O(soak). Without it, the group stops there, RV(cutovers) names it, and
    RV(outcomes.remaining_steps) says what remains. Once its clients have been moved, another call with O(after_cutover)
    goes on.
  - Before each call that changes a group, its state is looked at again. Where somebody else has changed it, it is
    planned for anew. A group to which that happens three times fails.
  - In check mode it plans, and changes nothing. What it would do is in RV(outcomes.planned_calls), and in the diff.
  - Options that can't be meant so are errors before any group is looked at. What would stop the operation on a group,
    and can be known before, is an error of that group before it is changed.
  - Each operation has a role of this collection, which calls this module. Use the role where clients are moved by
    tasks, or where there is one inventory host a group.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  replication_group_ids:
    description:
      - The ids of the replication groups, one or many.
      - All of them are treated in one process, many at once, and the failure of one does not stop the others.
      - An id that is listed twice is an error.
      - One of this and O(targets) is required.
    type: list
    elements: str
    required: false
    aliases: [replication_group_id]
  targets:
    description:
      - The groups by the region and the account that they are in, in the place of O(replication_group_ids). Up to eight
        targets are gone through at once, each at its own pace.
      - An error of a whole target, such as a role that can't be assumed, is reported for each of its groups, and stops
        no other target.
      - The outcomes are in RV(targets) then.
    type: list
    elements: dict
    suboptions:
      replication_group_ids:
        description: The ids of the groups there.
        type: list
        elements: str
        required: true
      region:
        description: The region. Without it that of O(region), or of the environment.
        type: str
      assume_role_arn:
        description: The ARN of a role there to assume. Without it that of O(assume_role_arn), if any.
        type: str
  operation:
    description:
      - The operation, by the name of its role.
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
  after_cutover:
    description:
      - The groups whose clients have been moved by tasks since an earlier call stopped there, as that one returned them
        in RV(cutovers). The groups are planned for anew, and go on from there.
      - Where C(AWSCURRENT) is on another version than the one that the clients moved to, or steps from before the
        cutover remain again, somebody else has changed the secret or the group meanwhile. That is an error of that
        group, and nothing is changed.
      - O(targets) or O(replication_group_ids) has to name them too.
    type: list
    elements: dict
    suboptions:
      replication_group_id:
        description: The id.
        type: str
        required: true
      region:
        description: The region, as it was given.
        type: str
      assume_role_arn:
        description: The role, as it was given.
        type: str
      stage:
        description: The client cutover, by the name of its step.
        type: str
        required: true
      secret_version_id:
        description: The version in C(AWSCURRENT) that clients moved to. Without it, that is not compared.
        type: str
      offered_at:
        description: From when on clients could move, in seconds since 1970. Connections that are older predate the new
          token. Without it, that is when the secret and the token were changed last.
        type: float
      connection_marks:
        description: By node, the id of a connection that was made right after O(after_cutover[].offered_at). Those with
          greater ids came later, though ages in whole seconds do not tell that.
        type: dict
  plan_only:
    description:
      - Plan, and make no step. Unlike in check mode, nothing counts as changed then.
      - It waits for nothing. A group on which something is under way fails.
    type: bool
    default: false
  soak:
    description:
      - The client cutover is this time, in seconds, and the steps after it follow in the same call. It begins for each
        group when that group has come there. V(0) says that there is nothing to wait for.
      - Where C(AWSCURRENT) is on another version at the end of that time, the group fails, and no further step is made.
      - Without it, a group stops at its client cutover.
      - With O(after_cutover), a time that is waited for besides. At a later client cutover a group stops again.
    type: float
  client_tasks:
    description:
      - Tasks move the clients, so that a group stops at its client cutover with O(soak), too. O(soak) is then the time
        that the call with O(after_cutover) waits for besides; this call plans the steps and calls of both.
    type: bool
    default: false
    version_added: 0.1.0
  require_reconnected:
    description:
      - What is done where connections are older than the new token at the end of the client cutover. ElastiCache keeps
        connections when a token is dropped, so that a client that still has the token before is refused only at its
        next reconnect.
      - V(report) says which ones there are, and goes on with SET. V(wait) holds SET until none is left, and fails the
        group after O(cutover_timeout). V(fail) fails the group at once. What clients use then is accepted still.
      - Every node is asked for its connections, where nodes can be reached (O(probe)). With V(wait) and V(fail), a node
        that can't be asked counts as one with such connections.
      - "It can't show everything: a connection that is younger may have been made with the token before, and a client
        that is not connected is not seen. One that began within two seconds after the token was promoted may count as
        older."
      - For O(operation=rotate_token), O(operation=rollback_token), O(operation=enable_auth) and
        O(operation=migrate_rbac_to_auth). SET is not held where unauthenticated access is allowed until it is made and
        was not before; it is reported then. With the other operations no token is dropped.
    type: str
    choices: [report, wait, fail]
    default: report
    version_added: 0.1.0
  cutover_timeout:
    description: For how long SET is held with O(require_reconnected=wait), in seconds.
    type: float
    default: 3600
    version_added: 0.1.0
  disconnect_stale:
    description:
      - End the connections that are older than the new token before SET, node by node (C(CLIENT KILL ID)), so that each
        of these clients has to authenticate anew while both tokens are accepted. A client that reads the token anew
        then has the new one; one that keeps the token before connects with it again, and is refused only later.
      - For O(operation=rotate_token) and O(operation=rollback_token).
    type: bool
    default: false
    version_added: 0.1.0
  monitor:
    description:
      - Look for clients that are refused after SET, by CloudWatch's C(AuthenticationFailures), as
        M(elasticache.auth.auth_failures_monitor) does. A group with more than O(monitor.max_failures) fails. A group of
        which no SET remains is not monitored.
      - With O(operation=rotate_token) and O(operation=rollback_token) the previous token of such a group is accepted
        again besides the new one, by another ROTATE. With other operations nothing is taken back.
      - Where the nodes can be reached (O(probe)), the clients that they refuse are named, in the message and in
        RV(outcomes.step_results).
      - Needs C(cloudwatch:GetMetricData).
    type: dict
    suboptions:
      duration:
        description: For how long, in seconds; at least one O(monitor.period).
        type: float
        required: true
      max_failures:
        description: The number of refused authentications that is tolerated. A group with more fails.
        type: int
        default: 20
      poll_interval:
        description: How long to pause between two looks at the metric, in seconds.
        type: float
        default: 15
      period:
        description: The metric's period, in seconds. It counts from the first full period on.
        type: int
        default: 60
  busy_groups:
    description:
      - What to do about a group on which something is under way, a snapshot for example. Either way it waits until that
        has ended, and no other group waits for it.
      - With V(last), it is begun only when all others of its target have come to their end.
    type: str
    choices: [wait, last]
    default: wait
  skip_secondaries:
    description:
      - What to do about a secondary of a global datastore, whose access control is that of its primary. It is left
        alone, and its outcome says so. Without this, it fails.
    type: bool
    default: false
  max_changes_per_second:
    description:
      - At most so many C(ModifyReplicationGroup) calls a second in an account and region, and twice as many to write
        the record. Where AWS throttles them, it becomes less for a while.
    type: float
    default: 10
  take_over:
    description:
      - What to do about a client cutover that another run has put on record, and that is not over
        (RV(outcomes.cutover_until)). With V(false), SET waits for its end, also with O(phase=finish). With V(true) it
        is ended early, and clients that have not taken the newer token yet are refused.
    type: bool
    default: false
  progress_path:
    description:
      - A file that exists, to which a line of JSON is appended for each bit of progress, with steps, ids and times.
      - "Where the module runs on the controller, without C(become), there is no need to give one: the progress is shown
        there, in a terminal as one live line with a bar, elsewhere as lines of the task's output now and then."
    type: path
  phase:
    description:
      - V(begin) makes the steps before the first client cutover, V(finish) those after it.
      - V(finish) is refused where steps of V(begin) remain.
    type: str
    choices: [all, begin, finish]
    default: all
  max_token_age_days:
    description:
      - With O(operation=rotate_token), a token is rotated when it was last changed more than so many days ago.
      - It counts for tokens in Secrets Manager. A token that you supply is rotated in if it is not in force.
    type: float
    default: 90
  force:
    description:
      - With O(operation=rotate_token), rotate a token of any age. A rotation that is half-way is finished instead.
    type: bool
    default: false
  enable_tls:
    description:
      - With O(operation=enable_auth), require encryption in transit first, where it is off or preferred. That has a
        client cutover of its own, so that O(phase) has to be V(all).
    type: bool
    default: false
  create_secret:
    description: With O(operation=enable_auth) and O(operation=migrate_rbac_to_auth), create a secret that does not
      exist.
    type: bool
    default: false
  accept_open_window:
    description:
      - Your consent to unauthenticated access for a while, with O(operation=migrate_rbac_to_auth), and with
        O(operation=rollback_token) where that leads through user groups.
    type: bool
    default: false
  allow_direct:
    description:
      - Your consent to unauthenticated access for the whole client cutover, with O(operation=migrate_rbac_to_auth),
        where no bridge user can be put into the group's user group. The refusal without it says why. It is taken, too,
        where the user named C(default) of that user group needs no password, and clients without one would be refused
        as soon as the bridge user takes its place.
      - It counts beside O(accept_open_window).
    type: bool
    default: false
    version_added: 0.1.0
  accept_open_access:
    description: Your consent to O(operation=disable_access_control), at whose end everyone is served.
    type: bool
    default: false
  assume_state:
    description:
      - The state of the groups, if you know it from elsewhere. It is used only where the evidence leaves it open.
      - The token in C(AWSCURRENT), or the previous token, is assumed to be in force, unless O(assume_newest) names
        another one. V(rotating) does not say which token is the newer one; O(assume_newest) does.
      - What rests on it is marked as assumed in the record. Where AWS refuses a call that would be right in the assumed
        state, the earlier record is put back.
    type: str
    choices: [optional, required, rotating]
  assume_newest:
    description:
      - The token that was rotated in last, if you know it from elsewhere, by where it is stored now. It is used as
        O(assume_state) is, with it or alone.
      - V(current) is the one in C(AWSCURRENT), V(pending) that in C(AWSPENDING), V(previous) that in C(AWSPREVIOUS). Of
        tokens that you supply, V(pending) is the new one, and V(current) the previous one.
    type: str
    choices: [current, pending, previous]
  user_group_id:
    description:
      - The user group that is attached in the end, with O(operation=migrate_auth_to_rbac), or meanwhile, with
        O(operation=disable_access_control) and O(operation=rollback_token), which delete it at their end. It is made
        where it is missing.
      - One that serves any other replication group is never changed or deleted.
      - C({replication_group_id}) in it stands for the group's id.
    type: str
    default: ""
  user_id:
    description:
      - The id of the user named C(default) in it, whose passwords are the tokens in force. It is made and deleted with
        the user group.
      - With O(operation=migrate_rbac_to_auth), the id of the bridge user. It takes the place of the user named
        C(default) in the group's own user group until clients have moved to the token. At the end that one is put back,
        and the bridge user is deleted. The default is then C({replication_group_id}-bridge).
      - One that is in any other user group is never changed or deleted.
      - C({replication_group_id}) in it stands for the group's id.
    type: str
    default: ""
  open_user_group_id:
    description:
      - With O(operation=disable_access_control), the user group by which everyone is served, before all user groups are
        removed. C({replication_group_id}) in it stands for the group's id.
    type: str
    default: ""
  user_ids:
    description:
      - The ids of other users for O(user_group_id), which exist already. C({replication_group_id}) in them stands for
        the group's id.
    type: list
    elements: str
    default: []
  access_string:
    description: What the user O(user_id) may do.
    type: str
    default: on ~* &* +@all
  auth_token:
    description:
      - The token that is wanted, the same for all groups, where you supply the tokens.
      - With O(operation=migrate_auth_to_rbac) and O(operation=disable_access_control) the one in force, with
        O(operation=rollback_token) the one to go back to.
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
      - The secret in AWS Secrets Manager that holds the tokens. Its staging labels say which steps remain.
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
  - elasticache.auth.requirements
  - elasticache.auth.assume_role
  - elasticache.auth.replication_groups
  - elasticache.auth.replication_groups.wait
  - elasticache.auth.data_plane
  - elasticache.auth.data_plane.probe
  - elasticache.auth.attributes
attributes:
  check_mode:
    support: full
    details: It plans and changes nothing. A group with calls to make counts as changed.
  diff_mode:
    support: full
    details: In check mode, of each group its current state, the evidence for it, and each call to make, in order.
      Otherwise the states before and after of each group that was changed.
  idempotent:
    support: full
    details: A group in the wanted state has no steps. A token is rotated again when it is older than
      O(max_token_age_days).
notes:
  - "To plan it needs C(elasticache:DescribeReplicationGroups), C(elasticache:DescribeCacheClusters),
    C(elasticache:ListTagsForResource), for more than five groups C(tag:GetResources), with O(auth_token_secret) also
    C(secretsmanager:DescribeSecret) and C(secretsmanager:GetSecretValue), where user groups are concerned also
    C(elasticache:DescribeUserGroups) and C(elasticache:DescribeUsers)."
  - "To make steps it needs C(elasticache:ModifyReplicationGroup), C(elasticache:AddTagsToResource), and with
    O(auth_token_secret) C(secretsmanager:PutSecretValue) and C(secretsmanager:UpdateSecretVersionStage), for secrets
    that are to be made also C(secretsmanager:CreateSecret)."
  - "Where users and user groups are made (O(user_group_id)), it also needs C(elasticache:CreateUser),
    C(elasticache:ModifyUser), C(elasticache:CreateUserGroup), C(elasticache:ModifyUserGroup),
    C(elasticache:RemoveTagsFromResource), and to delete them C(elasticache:DeleteUser) and
    C(elasticache:DeleteUserGroup). Each role's README has a policy."
  - "Where C(secretsmanager:BatchGetSecretValue) is allowed, the secrets of more than five groups are read in bulk.
    Where C(secretsmanager:ListSecrets) is allowed too, O(operation=rotate_token) takes their labels from a list. That
    may be five minutes behind, so it counts only for groups whose token was last changed more than an hour ago, and
    that show no sign of another one."
seealso:
  - module: elasticache.auth.replication_group_auth
  - module: elasticache.auth.replication_group
  - module: elasticache.auth.user
  - module: elasticache.auth.user_group
  - module: elasticache.auth.auth_secret
  - module: elasticache.auth.auth_failures_monitor
"""

EXAMPLES = r"""
- name: What would a rotation of these tokens do?
  elasticache.auth.auth_operation:
    operation: rotate_token
    replication_group_ids: [sessions, carts]
    max_token_age_days: 30
    auth_token_secret:
      name: elasticache/{replication_group_id}/auth-token
      key: auth_token
  check_mode: true
  diff: true

- name: Rotate them, and give the clients ten minutes to take the new tokens
  elasticache.auth.auth_operation:
    operation: rotate_token
    replication_group_ids: [sessions, carts]
    max_token_age_days: 30
    soak: 600
    auth_token_secret:
      name: elasticache/{replication_group_id}/auth-token
      key: auth_token

- name: Rotate the tokens in two regions, side by side
  elasticache.auth.auth_operation:
    operation: rotate_token
    targets:
      - region: eu-central-1
        replication_group_ids: [sessions, carts]
      - region: us-east-1
        replication_group_ids: [sessions]
    soak: 600
    auth_token_secret:
      name: elasticache/{replication_group_id}/auth-token
      key: auth_token

- name: Rotate up to the client cutover
  elasticache.auth.auth_operation:
    operation: rotate_token
    replication_group_ids: [sessions, carts]
    auth_token_secret:
      name: elasticache/{replication_group_id}/auth-token
      key: auth_token
  register: begun

- name: Move the clients
  ansible.builtin.include_tasks: clients.yml

- name: Go on with those that stopped there
  elasticache.auth.auth_operation:
    operation: rotate_token
    replication_group_ids: "{{ begun.cutovers | map(attribute='replication_group_id') | list }}"
    after_cutover: "{{ begun.cutovers }}"
    auth_token_secret:
      name: elasticache/{replication_group_id}/auth-token
      key: auth_token
  when: begun.cutovers | length > 0

- name: Which users would stop working without RBAC?
  elasticache.auth.auth_operation:
    operation: migrate_rbac_to_auth
    replication_group_id: sessions
    accept_open_window: true
    create_secret: true
    auth_token_secret:
      name: elasticache/{replication_group_id}/auth-token
      key: auth_token
  check_mode: true
  register: plan

- name: Show them
  ansible.builtin.debug:
    msg: "{{ plan.outcomes.sessions.users }}"
"""

RETURN = r"""
msg:
  description: How many groups were changed, or the errors.
  returned: always
  type: str
cutovers:
  description: The groups that stopped at a client cutover, as O(after_cutover) takes them.
  returned: always
  type: list
  elements: dict
  contains:
    replication_group_id:
      description: The id.
      type: str
      returned: always
    region:
      description: The region, as it was given.
      type: str
      returned: always
    assume_role_arn:
      description: The role, as it was given.
      type: str
      returned: always
    stage:
      description: The client cutover, by the name of its step.
      type: str
      returned: always
      sample: client_cutover
    secret_version_id:
      description: The version in C(AWSCURRENT), if any.
      type: str
      returned: always
  sample:
    - replication_group_id: sessions
      region: eu-central-1
      assume_role_arn: null
      stage: client_cutover
      secret_version_id: 5f2b0f6e-0d1c-4b0b-9a55-3d5a43f7f2b8
targets:
  description: RV(outcomes) of each of O(targets), in their order.
  returned: with O(targets)
  type: list
  elements: dict
  contains:
    outcomes:
      description: As RV(outcomes), of the groups there.
      type: dict
      returned: always
outcomes:
  description: The plan for each group and what came of it, by its id.
  returned: with O(replication_group_ids)
  type: dict
  contains:
    changed:
      description: Whether the group or its secret was changed; in check mode, whether there are calls to make.
      type: bool
      returned: always
    failed:
      description: Whether there is no plan, or a step failed.
      type: bool
      returned: always
    msg:
      description: What was done, what remains to be done, or why not and what to do.
      type: str
      returned: always
    completed_steps:
      description: The steps that were made.
      type: list
      elements: str
      returned: always
      sample: [stage, rotate, verify_both, promote]
    remaining_steps:
      description: The steps that remain after them, in order.
      type: list
      elements: str
      returned: always
      sample: [client_cutover, set, verify_new_only]
    step_results:
      description:
        - What came of each step that changes or counts something, in order, as the module for that step alone would
          return it, without the evidence, the state before and the calls. C(step) is its name.
      type: list
      elements: dict
      returned: always
    api_calls:
      description: The API calls made, in order, each with its step; tokens masked.
      type: list
      elements: dict
      returned: always
    after:
      description:
        - The states in which the group may be, as seen after the last call.
        - Where the end of that call was not seen, the states before it and those that it leads to.
      type: dict
      returned: when a call was made
    planned_steps:
      description:
        - The steps of the plan, in order.
        - Where it was planned for anew, the steps made before that, and those of the new plan.
      type: list
      elements: str
      returned: always
      sample: [stage, rotate, promote, client_cutover, set]
    planned_calls:
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
    current_state:
      description:
        - The state of the group, as seen after the last call; where none was made, as it was planned for.
        - It begins with C(unknown) where the end of a call was not seen, and where the evidence leaves the mode open.
      type: str
      returned: always
      sample: required (the token in AWSCURRENT)
    initial_state:
      description: Its state when it was planned for.
      type: str
      returned: always
      sample: required (the token in AWSCURRENT)
    evidence_summary:
      description: The evidence for that, in words.
      type: str
      returned: always
      sample: the API, the answers of 2 of 2 nodes, the record in its tags
    verified_nodes:
      description:
        - How many nodes there are, each of which was seen to accept one token alone at the end.
        - V(0) where that was not verified, as after steps that end otherwise, or where no node can be reached.
      type: int
      returned: always
    client_connections:
      description:
        - What was seen of its client connections around the end of the client cutover. Null where they were not looked
          at.
        - It can't show everything, see O(require_reconnected).
      type: dict
      returned: always
      contains:
        looks:
          description:
            - "Each look at all nodes: C(at) (seconds since 1970), C(when) (V(client_cutover), V(before) the change that
              ends the cutover, V(after) SET), C(connections), those that are C(predating) the new token, how many of
              these were C(ended), C(unheard) (which nodes could not be asked, and why) and all of it in a C(line)."
          type: list
          elements: dict
        clients:
          description:
            - The clients of the last look whose connections predate the new token, as
              M(elasticache.auth.client_connections_info) returns them.
          type: list
          elements: dict
    nodes_reachable:
      description: Whether a node answered, so that steps can be verified there.
      type: bool
      returned: always
    auth_token_age_days:
      description: How long ago the token was last changed, in days.
      type: float
      returned: when there is a token
    open_since:
      description:
        - Since when unauthenticated access is allowed beside the token, at the earliest, in seconds since 1970.
      type: float
      returned: when the token is optional
    cutover_until:
      description:
        - Until when clients have time to move to the newer token, in seconds since 1970, by the record of another run.
          SET waits for it, unless O(take_over) is set.
      type: float
      returned: when there are such a time and a SET to come
    secret_name:
      description: The secret's name or ARN.
      type: str
      returned: with O(auth_token_secret)
    engine:
      description: The engine.
      type: str
      returned: when the group was observed
    cutover_stage:
      description: The client cutover at which it stopped.
      type: str
      returned: where it stopped at one
      sample: client_cutover
    tokens_to_keep:
      description: The tokens that user groups have to accept, so that no client is refused.
      type: list
      elements: str
      returned: always
      sample: [AWSCURRENT]
    users:
      description:
        - The users that stop working when the user groups are taken away.
        - C(retains_access) says whether clients that authenticate so are accepted afterwards too, with the same token.
        - C(loses_access_at) is the step at which the user stops working, where that is before the user groups are taken
          away. So does the user whose place the bridge user takes.
      type: list
      elements: dict
      returned: always
      sample:
        - user_id: sessions-app
          user_name: app
          access_string: on ~app:* -@all +@read
          user_group_id: sessions-users
          retains_access: false
          loses_access_at: null
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
      description: Seconds from the module's start until the group was done.
      type: float
      returned: always
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.elasticache.auth.plugins.module_utils._auth import options
from ansible_collections.elasticache.auth.plugins.module_utils._auth.change_run import Inquiry
from ansible_collections.elasticache.auth.plugins.module_utils._auth.common_errors import for_each
from ansible_collections.elasticache.auth.plugins.module_utils._auth.failures_monitor import MONITOR_SPEC, monitoring
from ansible_collections.elasticache.auth.plugins.module_utils._auth.outcome import (
    exit_with_outcomes,
    exit_with_targets,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.operations import CUTOVERS, Operation, Phase, Step
from ansible_collections.elasticache.auth.plugins.module_utils._core.states import Mode
from ansible_collections.elasticache.auth.plugins.module_utils._operation.engine import (
    Target,
    run_everywhere,
    run_here,
)
from ansible_collections.elasticache.auth.plugins.module_utils._operation.group_plan import diff_of_plans
from ansible_collections.elasticache.auth.plugins.module_utils._operation.group_run import GroupRun
from ansible_collections.elasticache.auth.plugins.module_utils._operation.planning import check_request
from ansible_collections.elasticache.auth.plugins.module_utils._operation.progress import ProgressFile, ProgressSink
from ansible_collections.elasticache.auth.plugins.module_utils._operation.rbac_resources import WITH_USERS
from ansible_collections.elasticache.auth.plugins.module_utils._operation.reconnect import check_reconnect
from ansible_collections.elasticache.auth.plugins.module_utils._operation.request import (
    NEWEST,
    Cutover,
    OperationRequest,
    Reconnect,
)

SOURCES = ("auth_token", "auth_tokens", "auth_token_secret")
#: The bridge user's id, unless another one is given.
BRIDGE_USER_ID = "{replication_group_id}-bridge"
#: What is said of groups that were changed, or in check mode would be.
VERBS = {False: "changed", True: "have something to do"}


def request_of(module: AnsibleAWSModule) -> OperationRequest:
    """Turn the options into a request. Raises AuthError for those that make no sense."""
    params = module.params
    operation = Operation(params["operation"])
    if operation is not Operation.ENABLE_TLS and all(params[source] is None for source in SOURCES):
        raise AuthError(f"operation: {operation.value} is about tokens. Name one of {', '.join(SOURCES)}.")
    if params["max_token_age_days"] < 0:
        raise AuthError(f"max_token_age_days: {params['max_token_age_days']:g} is not possible; give days, 0 or more.")
    needed = ["user_group_id", "user_id"] if operation in WITH_USERS else []
    if operation is Operation.DISABLE_ACCESS_CONTROL:
        needed.append("open_user_group_id")
    for option in needed:
        if not params[option]:
            raise AuthError(f"{option} is needed with operation: {operation.value}.")
    options.check_waiting(params)
    if params["soak"] is not None and params["soak"] < 0:
        raise AuthError(f"soak: {params['soak']:g} is not possible; give seconds, 0 or more.")
    if params["max_changes_per_second"] <= 0:
        raise AuthError(
            f"max_changes_per_second: {params['max_changes_per_second']:g} is not possible; give more than 0."
        )
    request = OperationRequest(
        operation=operation,
        phase=Phase(params["phase"]),
        max_token_age_days=params["max_token_age_days"],
        force=params["force"],
        enable_tls=params["enable_tls"],
        create_secret=params["create_secret"],
        accept_open_window=params["accept_open_window"],
        allow_direct=params["allow_direct"],
        accept_open_access=params["accept_open_access"],
        assume_state=Mode(params["assume_state"]) if params["assume_state"] else None,
        assume_newest=params["assume_newest"] or "",
        user_group_id=params["user_group_id"],
        user_id=params["user_id"] or (BRIDGE_USER_ID if operation is Operation.MIGRATE_RBAC_TO_AUTH else ""),
        open_user_group_id=params["open_user_group_id"],
        user_ids=tuple(params["user_ids"]),
        access_string=params["access_string"],
        soak=params["soak"],
        client_tasks=params["client_tasks"],
        monitor=monitoring(params["monitor"], prefix="monitor.") if params["monitor"] else None,
        plan_only=params["plan_only"],
        busy_last=params["busy_groups"] == "last",
        skip_secondaries=params["skip_secondaries"],
        max_changes_per_second=params["max_changes_per_second"],
        take_over=params["take_over"],
        require_reconnected=Reconnect(params["require_reconnected"]),
        cutover_timeout=params["cutover_timeout"],
        disconnect_stale=params["disconnect_stale"],
        inquiry=Inquiry(probing=options.probing(params), timeout=params["wait_timeout"], delay=params["wait_delay"]),
        check_mode=module.check_mode,
    )
    check_reconnect(request)
    return request


def cutovers_of(module: AnsibleAWSModule, target: Target) -> dict[str, Cutover]:
    """Return the client cutovers that tasks have made, of the groups there. Raises AuthError for what is no cutover."""
    found: dict[str, Cutover] = {}
    for number, given in enumerate(module.params["after_cutover"] or ()):
        key = str(given["replication_group_id"]).strip().lower()
        role = given["assume_role_arn"] or module.params["assume_role_arn"]
        there = replace(target, region=given["region"] or module.region, role=role)
        if given["stage"] not in {cutover.value for cutover in CUTOVERS}:
            names = ", ".join(cutover.value for cutover in CUTOVERS)
            raise AuthError(
                f"after_cutover[{number}].stage: {given['stage']} is no client cutover. There are: {names}."
            )
        if key in target.ids and there.is_at(target):
            found[key] = Cutover(
                Step(given["stage"]), given["secret_version_id"] or "", given["offered_at"], _marks(given, number)
            )
    return found


def _marks(given: Mapping[str, Any], number: int) -> dict[str, int]:
    """Return ids of connections by node. Raises AuthError for what is no number."""
    try:
        return {str(node): int(mark) for node, mark in (given["connection_marks"] or {}).items()}
    except (TypeError, ValueError) as error:
        raise AuthError(f"after_cutover[{number}].connection_marks: each node has the id of a connection.") from error


def stopped_at(given: Mapping[str, Any], groups: list[GroupRun]) -> list[dict[str, Any]]:
    """Return the groups that stopped at a client cutover, as O(after_cutover) takes them.

    ``given``: where they are, as the caller said it: by that he knows them again.
    """
    return [
        {
            "replication_group_id": group.id,
            "region": given["region"] or None,
            "assume_role_arn": given["assume_role_arn"] or None,
            "stage": group.cutover.value,
            "secret_version_id": group.kept.current or None,
            "offered_at": group.looks.since,
            "connection_marks": dict(group.looks.marks),
        }
        for group in groups
        if group.cutover
    ]


def progress_at(path: str | None) -> ProgressSink:
    """Return what writes progress to a file, if any. Raises AuthError where that can't be written to."""
    if not path:
        return ProgressSink()
    try:
        return ProgressFile(path)
    except OSError as error:
        raise AuthError(f"progress_path: {error}. Name a file that can be written to, or leave it out.") from error


def targets_of(module: AnsibleAWSModule) -> list[Target]:
    """Return the targets that are given. Raises AuthError for groups that can't be meant so."""
    targets: list[Target] = []
    for number, given in enumerate(module.params["targets"]):
        option = f"targets[{number}].replication_group_ids"
        target = Target(
            ids=options.group_ids(given["replication_group_ids"], option=option),
            region=given["region"] or module.region,
            role=given["assume_role_arn"] or module.params["assume_role_arn"],
        )
        there = {key for other in targets if other.is_at(target) for key in other.ids}
        twice = sorted(there.intersection(target.ids))
        if twice:
            raise AuthError(f"{option}: {', '.join(twice)} is listed twice, with the same region and role.")
        targets.append(replace(target, cutovers=cutovers_of(module, target)))
    return targets


def released(groups: list[GroupRun]) -> Iterator[GroupRun]:
    """Yield the groups in order, and keep none."""
    while groups:
        yield groups.pop(0)


def here(module: AnsibleAWSModule) -> None:
    """Do what is left for the groups, and end the module. Raises AuthError for what concerns no single group."""
    ids, request = options.group_ids(module.params["replication_group_ids"]), request_of(module)
    check_request(request, module.params, ids)
    target = Target(ids, module.region, module.params["assume_role_arn"])
    target = replace(target, cutovers=cutovers_of(module, target))
    progress = progress_at(module.params["progress_path"])

    def go() -> list[GroupRun]:
        return run_here(module, request, target, hide=module.no_log_values.add, progress=progress)

    groups = for_each(module.params, ids, lambda key, error: GroupRun(key, error=error), go)
    diff = diff_of_plans(groups) if module.check_mode else None
    cutovers = [] if request.plans_only else stopped_at(module.params, groups)
    exit_with_outcomes(module, released(groups), verb=VERBS[module.check_mode], diff=diff, cutovers=cutovers)


def in_targets(module: AnsibleAWSModule) -> None:
    """Do what is left for the groups of all targets, and end the module. Raises AuthError before any call is made."""
    targets, request = targets_of(module), request_of(module)
    for target in targets:
        check_request(request, module.params, target.ids)
    progress = progress_at(module.params["progress_path"])
    fared = run_everywhere(module, request, targets, hide=module.no_log_values.add, progress=progress)
    diff, cutovers = None, []
    if not request.plans_only:
        given = zip(module.params["targets"], fared, strict=True)
        cutovers = [cutover for target, groups in given for cutover in stopped_at(target, groups)]
    if module.check_mode:
        names = map(str, targets) if len(targets) > 1 else [""]
        diff = [entry for name, groups in zip(names, fared, strict=True) for entry in diff_of_plans(groups, name)]
    exit_with_targets(module, map(released, fared), verb=VERBS[module.check_mode], diff=diff, cutovers=cutovers)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **options.ROLE_SPEC,
            **options.GROUPS_SPEC,
            "replication_group_ids": {**options.GROUPS_SPEC["replication_group_ids"], "required": False},
            "targets": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "replication_group_ids": {"type": "list", "elements": "str", "required": True},
                    "region": {"type": "str"},
                    "assume_role_arn": {"type": "str"},
                },
            },
            "operation": {"type": "str", "required": True, "choices": [operation.value for operation in Operation]},
            "after_cutover": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "replication_group_id": {"type": "str", "required": True},
                    "region": {"type": "str"},
                    "assume_role_arn": {"type": "str"},
                    "stage": {"type": "str", "required": True},
                    "secret_version_id": {"type": "str", "no_log": False},
                    "offered_at": {"type": "float"},
                    "connection_marks": {"type": "dict"},
                },
            },
            "monitor": {"type": "dict", "options": MONITOR_SPEC},
            "plan_only": {"type": "bool", "default": False},
            "soak": {"type": "float"},
            "client_tasks": {"type": "bool", "default": False},
            "busy_groups": {"type": "str", "default": "wait", "choices": ["wait", "last"]},
            "skip_secondaries": {"type": "bool", "default": False},
            "max_changes_per_second": {"type": "float", "default": 10.0},
            "take_over": {"type": "bool", "default": False},
            "require_reconnected": {
                "type": "str",
                "default": "report",
                "choices": [policy.value for policy in Reconnect],
            },
            "cutover_timeout": {"type": "float", "default": 3600.0},
            "disconnect_stale": {"type": "bool", "default": False},
            "progress_path": {"type": "path"},
            "phase": {"type": "str", "default": "all", "choices": [phase.value for phase in Phase]},
            "max_token_age_days": {"type": "float", "default": 90.0, "no_log": False},
            "force": {"type": "bool", "default": False},
            "enable_tls": {"type": "bool", "default": False},
            "create_secret": {"type": "bool", "default": False, "no_log": False},
            "accept_open_window": {"type": "bool", "default": False},
            "allow_direct": {"type": "bool", "default": False},
            "accept_open_access": {"type": "bool", "default": False},
            "assume_state": {"type": "str", "choices": ["optional", "required", "rotating"]},
            "assume_newest": {"type": "str", "choices": list(NEWEST)},
            "user_group_id": {"type": "str", "default": ""},
            "user_id": {"type": "str", "default": ""},
            "open_user_group_id": {"type": "str", "default": ""},
            "user_ids": {"type": "list", "elements": "str", "default": []},
            "access_string": {"type": "str", "default": "on ~* &* +@all"},
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
        mutually_exclusive=[
            SOURCES,
            ("previous_auth_tokens", "auth_token_secret"),
            ("replication_group_ids", "targets"),
        ],
        required_one_of=[("replication_group_ids", "targets")],
        supports_check_mode=True,
    )
    try:
        options.check_lists(module)
        if module.params["targets"] is None and module.params["replication_group_ids"] is None:
            raise AuthError("replication_group_ids and targets are both empty. Name the groups in one of them.")
        if module.params["targets"] is None:
            here(module)
        else:
            in_targets(module)
    except AuthError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
