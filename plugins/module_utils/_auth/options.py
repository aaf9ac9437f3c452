# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options that several modules share, checked and turned into types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.module_utils import basic
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .._core.errors import AuthError
from .._core.lists import texts_for_lists
from .observe import Probing

GROUPS_SPEC: dict[str, dict[str, Any]] = {
    "replication_group_ids": {
        "type": "list",
        "elements": "str",
        "required": True,
        "aliases": ["replication_group_id"],
    },
    "continue_on_error": {"type": "bool", "default": False},
}

ROLE_SPEC: dict[str, dict[str, Any]] = {"assume_role_arn": {"type": "str"}}

SECRET_SPEC: dict[str, Any] = {
    "type": "dict",
    "no_log": False,
    "options": {
        "name": {"type": "str", "required": True},
        "stage": {"type": "str", "default": "AWSCURRENT", "choices": ["AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"]},
        "key": {"type": "str", "no_log": False},
    },
}

TOKENS_SPEC: dict[str, dict[str, Any]] = {
    "auth_token": {"type": "str", "no_log": True},
    "auth_tokens": {"type": "dict", "no_log": True},
    "auth_token_secret": SECRET_SPEC,
    "known_auth_tokens": {"type": "list", "elements": "str", "no_log": True},
    "previous_auth_tokens": {"type": "dict", "no_log": True},
}
TOKEN_SOURCES = ("auth_token", "auth_tokens", "auth_token_secret")
OTHER_TOKENS = ("known_auth_tokens", "previous_auth_tokens")
TOKENS_EXCLUSIVE = [
    TOKEN_SOURCES,
    ("known_auth_tokens", "auth_token_secret"),
    ("previous_auth_tokens", "auth_token_secret"),
    ("known_auth_tokens", "previous_auth_tokens"),
]

DATA_PLANE_SPEC: dict[str, dict[str, Any]] = {
    "data_plane_ca_path": {"type": "path"},
    "data_plane_timeout": {"type": "float", "default": 5.0},
}
PROBE_SPEC: dict[str, dict[str, Any]] = {
    "probe": {"type": "str", "default": "auto", "choices": ["auto", "always", "never"]},
    **DATA_PLANE_SPEC,
}

WAIT_SPEC: dict[str, dict[str, Any]] = {
    "wait_timeout": {"type": "float", "default": 3600.0},
    "wait_delay": {"type": "float", "default": 10.0},
}

#: elasticache-facts §5: 1 to 40 letters, digits and hyphens, first a letter, no "--", no trailing "-".
_ID = re.compile(r"(?!.*--)[a-z][a-z0-9-]{0,39}(?<!-)")


def check_lists(module: AnsibleAWSModule | basic.AnsibleModule, prefix: str = "") -> None:
    """Raise :class:`AuthError` where a text with several items was given for a list, which Ansible has split.

    ``prefix``: what messages put before an option's name, where that makes it a role's variable.
    """
    plain = getattr(module, "_module", module)
    wrong = texts_for_lists(plain.argument_spec, basic._load_params(), prefix)
    for text in wrong:
        plain.no_log_values.update(filter(None, text.secrets))
    if wrong:
        raise AuthError(" ".join(text.message for text in wrong))


def group_ids(given: Iterable[str], option: str = "replication_group_ids") -> list[str]:
    """Return the ids in lower case, as AWS stores them. Raises :class:`AuthError` for what can't be an id, or twice."""
    ids = [str(key).strip().lower() for key in given]
    for key in ids:
        if not _ID.fullmatch(key):
            raise AuthError(
                f"{option}: '{key}' can't be the id of a replication group: that has 1 to 40 letters, digits and "
                "hyphens, begins with a letter, has no two hyphens in a row and none at its end."
            )
    twice = sorted({key for key in ids if ids.count(key) > 1})
    if twice:
        raise AuthError(
            f"{option}: {', '.join(twice)} is listed twice. AWS does not tell upper from lower case in ids."
        )
    return ids


def probing(params: Mapping[str, Any]) -> Probing:
    """Return how to treat the data plane. Raises :class:`AuthError` for a time that is none."""
    if params["data_plane_timeout"] <= 0:
        raise AuthError(f"data_plane_timeout: {params['data_plane_timeout']} is not possible; give seconds above 0.")
    return Probing(params.get("probe", "always"), params["data_plane_ca_path"], params["data_plane_timeout"])


def check_waiting(params: Mapping[str, Any], prefix: str = "") -> None:
    """Raise :class:`AuthError` for waiting times that make no sense; ``prefix`` as for :func:`check_lists`."""
    if not params["wait_delay"] > 0:
        raise AuthError(f"{prefix}wait_delay: {params['wait_delay']} would never pause; give seconds above 0.")
    if not params["wait_timeout"] >= 0:
        raise AuthError(f"{prefix}wait_timeout: {params['wait_timeout']} lies in the past; give seconds from 0 on.")
