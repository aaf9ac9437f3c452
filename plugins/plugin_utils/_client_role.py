# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of a role for the clients, checked before an operation begins.

Ansible checks them when the role is run, which is in the client cutover, when both tokens are accepted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.elasticache.auth.plugins.module_utils._core.lists import texts_for_lists

#: What an operation passes to the role, and no user sets.
_PASSED = frozenset(
    {
        "client_operation",
        "client_role",
        "cutover_stage",
        "client_region",
        "client_assume_role_arn",
        "client_replication_groups",
        "client_secret_names",
    }
)
_OURS = "elasticache.auth."


def arguments_of(path: str, load: Callable[[str], Any]) -> dict[str, dict[str, Any]]:
    """Return the options of the role in the folder ``path`` by their names; none where it has no argument_specs.

    One that the role itself may define is not required: in its defaults or vars, or by a role that it depends on.
    """
    specs = _read(path, "meta", "argument_specs", load).get("argument_specs")
    meta = _read(path, "meta", "main", load)
    specs = meta.get("argument_specs") if specs is None else specs
    main = specs.get("main") if isinstance(specs, Mapping) else None
    options = main.get("options") if isinstance(main, Mapping) else None
    if not isinstance(options, Mapping):
        return {}
    own = {*_read(path, "defaults", "main", load), *_read(path, "vars", "main", load)}
    is_closed = not meta.get("dependencies") and not any(
        os.path.isdir(os.path.join(path, folder, "main")) for folder in ("defaults", "vars")
    )
    return {
        str(name): dict(option) if is_closed and name not in own else {**option, "required": False}
        for name, option in options.items()
        if name not in _PASSED and isinstance(option, Mapping)
    }


def _read(path: str, folder: str, name: str, load: Callable[[str], Any]) -> Mapping[str, Any]:
    for ending in (".yml", ".yaml"):
        file = os.path.join(path, folder, name + ending)
        if os.path.isfile(file):
            try:
                found = load(file)
            except AnsibleError:
                return {}  # the client cutover says so, as Ansible has it
            return found if isinstance(found, Mapping) else {}
    return {}


def wrong_variables(
    role: str, spec: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any], later: frozenset[str] | set[str]
) -> str:
    """Return what is wrong with the variables ``given`` for the role; empty: nothing.

    ``later``: those that have a value which can't be told yet.
    """
    known = {name: dict(option) for name, option in spec.items() if name not in later}
    values = {name: given[name] for name in known if name in given}
    # Other collections' roles may split such a text as Ansible does.
    wrong = [text.message for text in texts_for_lists(known, values)] if role.startswith(_OURS) else []
    checked = ArgumentSpecValidator(known).validate(values)
    told = remove_values(list(checked.error_messages), checked._no_log_values)
    return " ".join([*wrong, *(f"{' '.join(str(text).split()).rstrip('.')}." for text in told)])
