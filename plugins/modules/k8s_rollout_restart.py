# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_rollout_restart
version_added: 0.1.0
short_description: (internal) Restart workloads of Kubernetes that are clients of replication groups
description:
  - Internal. The role P(elasticache.auth.cutover_kubernetes#role) calls it.
  - Has External Secrets sync the named ExternalSecrets, and waits for that. Then restarts deployments and stateful sets
    as C(kubectl rollout restart) does, and waits until they are rolled out.
  - A group of which an object can't be found has nothing restarted. An object that serves several groups is treated
    once.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  namespace:
    description: The namespace of objects that are named without one. C({replication_group_id}) stands for the id.
    type: str
    default: default
  workloads:
    description:
      - The workloads of each group, C(deployment/NAME) or C(statefulset/NAME), or with C(NAMESPACE/) before that.
        C({replication_group_id}) in them stands for the group's id.
    type: list
    elements: str
    default: []
  workloads_by_group:
    description: The workloads by the group's id, of groups that have others than O(workloads).
    type: dict
    default: {}
  workload_labels:
    description: The labels that the workloads of a group have, all of them, besides those named in O(workloads).
    type: dict
    default: {}
  external_secrets:
    description: The names of the ExternalSecrets of each group. Without any none is synced.
    type: list
    elements: str
    default: []
  external_secrets_by_group:
    description: Their names by the group's id, of groups that have others than O(external_secrets).
    type: dict
    default: {}
  external_secret_labels:
    description: The labels that the ExternalSecrets of a group have, all of them.
    type: dict
    default: {}
  kubeconfig:
    description: The kubeconfig file. By default what the modules of C(kubernetes.core) take.
    type: path
  context:
    description: The context in it.
    type: str
  variables_of:
    description: The role whose variables messages name in the place of options.
    type: str
    required: true
extends_documentation_fragment:
  - elasticache.auth.replication_groups
  - elasticache.auth.replication_groups.wait
  - elasticache.auth.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: Its result names the workloads.
  idempotent:
    support: none
    details: Each time it restarts the workloads.
requirements:
  - The collection kubernetes.core
  - "The Python library C(kubernetes)"
"""

EXAMPLES = r"""
- name: Restart the clients of a group
  elasticache.auth.k8s_rollout_restart:
    replication_group_id: sessions
    namespace: shop
    external_secrets: ["{replication_group_id}-token"]
    workloads: ["deployment/{replication_group_id}-web"]
    variables_of: cutover_kubernetes
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
      description: The workloads.
      type: list
      elements: str
      returned: always
failures:
  description: Why clients were not moved, by the id of the group.
  returned: always
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.elasticache.auth.plugins.module_utils._core.client_selection import (
    ClientSelection,
    names_by_group,
    texts,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._cutover.cluster import Cluster
from ansible_collections.elasticache.auth.plugins.module_utils._cutover.kubernetes import KubernetesRequest, restart
from ansible_collections.elasticache.auth.plugins.module_utils._cutover.outcome import (
    SPEC,
    move_clients,
)
from ansible_collections.elasticache.auth.plugins.module_utils._stop import stop_of_process

_SELECTIONS = (("workloads", "workload_labels", "workload"), ("external_secrets", "external_secret_labels", "secret"))


def request_of(module: AnsibleModule) -> KubernetesRequest:
    """Return what is wanted. Raises AuthError for what can't be meant so."""
    params, prefix = module.params, module.params["variables_of"]
    workloads, secrets = (
        ClientSelection(
            prefix=prefix,
            what=what,
            option=names,
            tags_option=labels,
            names=params[names],
            by_group=names_by_group(f"{prefix}_{names}_by_group", params[f"{names}_by_group"]),
            tags=texts(f"{prefix}_{labels}", params[labels]),
        )
        for names, labels, what in _SELECTIONS
    )
    given = {name: params[name] for name in ("namespace", "wait_timeout", "wait_delay")}
    return KubernetesRequest(workloads, secrets, **given, check_mode=module.check_mode)


def main() -> None:
    spec = {name: option for name, option in SPEC.items() if name != "assume_role_arn"}
    for names, labels, _what in _SELECTIONS:
        spec[names] = {"type": "list", "elements": "str", "default": [], "no_log": False}
        spec[f"{names}_by_group"] = {"type": "dict", "default": {}, "no_log": False}
        spec[labels] = {"type": "dict", "default": {}, "no_log": False}
    module = AnsibleModule(
        argument_spec={
            **spec,
            "namespace": {"type": "str", "default": "default"},
            "kubeconfig": {"type": "path"},
            "context": {"type": "str"},
        },
        supports_check_mode=True,
    )
    params, stop = module.params, stop_of_process()
    try:
        auth = {name: params[name] for name in ("kubeconfig", "context") if params[name]}
        move_clients(module, request_of, lambda ids, request: restart(Cluster(auth, stop), ids, request, stop))
    except AuthError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
