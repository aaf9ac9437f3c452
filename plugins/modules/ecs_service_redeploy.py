# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_service_redeploy
version_added: 0.1.0
short_description: (internal) Have services of ECS that are clients of replication groups replace their tasks
description:
  - Internal. The role P(elasticache.auth.cutover_ecs#role) calls it.
  - Makes a new deployment of each service (C(forceNewDeployment)), and waits until ECS says that it is C(COMPLETED).
    The new tasks read the token when they start.
  - A service that serves several of the groups is deployed once. A group of which a service can't be found has none of
    its services deployed.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  cluster:
    description: The cluster of services that are named without one. C({replication_group_id}) stands for the id.
    type: str
    default: default
  services:
    description: The names of the services of each group. C({replication_group_id}) in them stands for the group's id.
    type: list
    elements: str
    default: []
  services_by_group:
    description: The names of the services by the group's id, of groups that have others than O(services).
    type: dict
    default: {}
  service_tags:
    description: The tags that the services of a group have, all of them, besides those named in O(services).
    type: dict
    default: {}
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
    details: Its result names the services.
  idempotent:
    support: none
    details: Each time it makes a new deployment.
"""

EXAMPLES = r"""
- name: Deploy the services of two groups anew
  elasticache.auth.ecs_service_redeploy:
    replication_group_ids: [sessions, carts]
    cluster: shop
    services: ["{replication_group_id}-web", "{replication_group_id}-worker"]
    variables_of: cutover_ecs
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
      description: The services.
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
    texts,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._cutover.ecs import EcsRequest, redeploy
from ansible_collections.elasticache.auth.plugins.module_utils._cutover.outcome import (
    SPEC,
    move_clients,
)


def request_of(module: AnsibleAWSModule) -> EcsRequest:
    """Return what is wanted. Raises AuthError for what can't be meant so."""
    params, prefix = module.params, module.params["variables_of"]
    selection = ClientSelection(
        prefix=prefix,
        what="service of ECS",
        option="services",
        tags_option="service_tags",
        names=params["services"],
        by_group=names_by_group(f"{prefix}_services_by_group", params["services_by_group"]),
        tags=texts(f"{prefix}_service_tags", params["service_tags"]),
    )
    return EcsRequest(selection, params["cluster"], params["wait_timeout"], params["wait_delay"], module.check_mode)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **SPEC,
            "cluster": {"type": "str", "default": "default"},
            "services": {"type": "list", "elements": "str", "default": []},
            "services_by_group": {"type": "dict", "default": {}},
            "service_tags": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    try:
        move_clients(module, request_of, lambda ids, request: redeploy(clients_of(module), ids, request))
    except AuthError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
