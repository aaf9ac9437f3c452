# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: ssm_command
version_added: 0.1.0
short_description: (internal) Run a document of Systems Manager on instances that are clients of replication groups
description:
  - Internal. The role P(elasticache.auth.cutover_ssm#role) calls it.
  - Sends a command of Run Command to the instances of each group, and waits until it has ended on all of them.
  - A group of which an instance is not managed by Systems Manager, or whose agent does not answer, gets no command.
  - What a command printed is not read.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  document:
    description: The document's name or ARN. C({replication_group_id}) in it stands for the group's id.
    type: str
    default: AWS-RunShellScript
  parameters:
    description: Its parameters, each a list of texts or a text. C({replication_group_id}) stands for the group's id.
    type: dict
    default: {}
  instances:
    description: The ids of the instances of each group.
    type: list
    elements: str
    default: []
  instances_by_group:
    description: The ids of the instances by the group's id, of groups that have others than O(instances).
    type: dict
    default: {}
  instance_tags:
    description: The tags that the instances of a group have, all of them, besides those named in O(instances).
    type: dict
    default: {}
  max_concurrency:
    description: On how many of a group's instances it runs side by side, or which share of them.
    type: str
    default: "50"
  max_errors:
    description: After how many errors, or which share of the instances, it is sent to no further one.
    type: str
    default: "0"
  variables_of:
    description: The role whose variables messages name in the place of options.
    type: str
    required: true
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
  diff_mode:
    support: none
    details: Its result names the instances.
  idempotent:
    support: none
    details: Each time it sends a command.
"""

EXAMPLES = r"""
- name: Restart the clients of a group
  elasticache.auth.ssm_command:
    replication_group_id: sessions
    instance_tags: {cache: "{replication_group_id}"}
    parameters:
      commands: [systemctl restart shop-web]
    variables_of: cutover_ssm
"""

RETURN = r"""
msg:
  description: What was done, or the errors.
  returned: always
  type: str
outcomes:
  description: What became of the clients of each group, by its id.
  returned: always
  type: dict
  contains:
    failed:
      description: Whether clients may not have been moved.
      type: bool
      returned: always
    msg:
      description: What was done, in a sentence.
      type: str
      returned: always
    clients:
      description: The instances.
      type: list
      elements: str
      returned: always
failures:
  description: Why clients were not moved, by the id of the group.
  returned: always
  type: dict
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.elasticache.auth.plugins.module_utils._aws.accounts import clients_of
from ansible_collections.elasticache.auth.plugins.module_utils._core.client_selection import (
    ClientSelection,
    names_by_group,
    parameters_of,
    texts,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._cutover.outcome import (
    SPEC,
    move_clients,
)
from ansible_collections.elasticache.auth.plugins.module_utils._cutover.ssm import SsmRequest, run_command


def request_of(module: AnsibleAWSModule) -> SsmRequest:
    """Return what is wanted. Raises AuthError for what can't be meant so."""
    params, prefix = module.params, module.params["variables_of"]
    selection = ClientSelection(
        prefix=prefix,
        what="instance",
        option="instances",
        tags_option="instance_tags",
        names=params["instances"],
        by_group=names_by_group(f"{prefix}_instances_by_group", params["instances_by_group"]),
        tags=texts(f"{prefix}_instance_tags", params["instance_tags"]),
    )
    return SsmRequest(
        selection=selection,
        document=params["document"],
        parameters=parameters_of(f"{prefix}_parameters", params["parameters"]),
        check_mode=module.check_mode,
        **{name: params[name] for name in ("max_concurrency", "max_errors", "wait_timeout", "wait_delay")},
    )


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **SPEC,
            "document": {"type": "str", "default": "AWS-RunShellScript"},
            "parameters": {"type": "dict", "default": {}},
            "instances": {"type": "list", "elements": "str", "default": []},
            "instances_by_group": {"type": "dict", "default": {}},
            "instance_tags": {"type": "dict", "default": {}},
            "max_concurrency": {"type": "str", "default": "50"},
            "max_errors": {"type": "str", "default": "0"},
        },
        supports_check_mode=True,
    )
    try:
        move_clients(module, request_of, lambda ids, request: run_command(clients_of(module), ids, request))
    except AuthError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
