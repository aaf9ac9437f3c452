# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wanted of one replication group, from a module's options, and whether it makes sense.

Pure, but for the token that is read from Secrets Manager.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .._auth import options
from .._auth.tokens import Token, TokenSet, collect, label
from .._aws.clients import Clients
from .._aws.groups import OFF, PREFERRED, REQUIRED
from .._aws.settings import SETTINGS
from .._aws.tags import ANSIBLES_OWN
from .._core.errors import AuthError
from .._core.record import TAG_KEY
from .._core.tokens import rule_violations
from .reconcile import WantedResource

#: Encryption in transit is wanted, in either mode.
ON = "on"


@dataclass(frozen=True)
class Wanted(WantedResource):
    """The group as it shall be.

    ``settings``: by option, see :mod:`.._aws.settings`. ``tls``: off, preferred, required or on.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    tls: str | None = None
    token: Token | None = None
    user_groups: tuple[str, ...] | None = None
    accept_open_access: bool = False
    apply_immediately: bool = False


def wanted_of(params: Mapping[str, Any]) -> Wanted:
    """Turn a module's options into what is wanted, the token still left out. Raises :class:`AuthError`."""
    (group_id,) = options.group_ids([params["replication_group_id"]], "replication_group_id")
    given = {s.option: params[s.option] for s in SETTINGS if params.get(s.option) is not None}
    user_groups, tags = params.get("user_group_ids"), params.get("tags")
    wanted = Wanted(
        id=group_id,
        settings=given,
        tls=_tls(params),
        user_groups=None
        if user_groups is None
        else tuple(dict.fromkeys(user_group.lower() for user_group in user_groups)),
        accept_open_access=bool(params.get("accept_open_access")),
        tags=None if tags is None else {str(key): "" if value is None else str(value) for key, value in tags.items()},
        purge_tags=bool(params.get("purge_tags", True)),
        apply_immediately=bool(params.get("apply_immediately")),
    )
    _refuse(group_id, (rule(params, wanted) for rule in _RULES))
    return wanted


def with_token(
    clients: Clients, wanted: Wanted, params: Mapping[str, Any], *, hide: Callable[[str], None]
) -> tuple[Wanted, TokenSet]:
    """Add the token, read from Secrets Manager where it is there; ``hide`` is told what was read.

    Returns all tokens at hand, too. Raises :class:`AuthError` for one that can't be had, or that AWS would not take.
    """
    needed = _has_token(params)
    tokens = collect(clients, params, [wanted.id], hide=hide, needed=needed)[wanted.id]
    if isinstance(tokens, AuthError):
        raise tokens
    return replace(wanted, token=tokens.wanted), tokens


def check_creation(wanted: Wanted) -> None:
    """Raise :class:`AuthError` for what is missing or wrong only because the group does not exist yet."""
    _refuse(wanted.id, (rule(wanted) for rule in _CREATION_RULES))


def _refuse(group_id: str, problems: Any) -> None:
    found = [f"{group_id}: {problem}" for problem in problems if problem]
    if found:
        raise AuthError(" ".join(found))


def _tls(params: Mapping[str, Any]) -> str | None:
    enabled, mode = params.get("transit_encryption_enabled"), params.get("transit_encryption_mode")
    if enabled is False:
        return OFF
    return mode or (ON if enabled else None)


def _has_token(params: Mapping[str, Any]) -> bool:
    return params.get("auth_token") is not None or bool(params.get("auth_token_secret"))


# --- Whatever the group is like -------------------------------------------------------------------------------------


def _tls_mode(params: Mapping[str, Any], wanted: Wanted) -> str:
    if wanted.tls == OFF and params.get("transit_encryption_mode"):
        return (
            f"transit_encryption_mode: {params['transit_encryption_mode']} contradicts transit_encryption_enabled: "
            "false. Leave one of the two out."
        )
    return ""


def _token_without_tls(params: Mapping[str, Any], wanted: Wanted) -> str:
    if not _has_token(params) or wanted.tls not in (OFF, PREFERRED):
        return ""
    setting = "transit_encryption_enabled: false" if wanted.tls == OFF else "transit_encryption_mode: preferred"
    return (
        f"an AUTH token needs encryption in transit, and {setting} accepts clients without: the token would cross the "
        "network in the clear. Use transit_encryption_mode: required, or leave the token out until that is reached."
    )


def _user_groups_without_tls(dummy: Mapping[str, Any], wanted: Wanted) -> str:
    if wanted.user_groups and wanted.tls == OFF:
        return (
            "user_group_ids need encryption in transit, and transit_encryption_enabled is false. "
            "Use transit_encryption_mode: required, or leave user_group_ids out."
        )
    return ""


def _token_and_user_groups(params: Mapping[str, Any], wanted: Wanted) -> str:
    if wanted.user_groups and _has_token(params):
        return (
            "a token (auth_token, auth_token_secret) and user_group_ids exclude each other: either the one or the "
            "others decide who is accepted. Leave one of them out."
        )
    return ""


def _inherited_access(params: Mapping[str, Any], wanted: Wanted) -> str:
    if wanted.settings.get("global_replication_group_id") and (wanted.user_groups or _has_token(params)):
        return (
            "a secondary of a global datastore (global_replication_group_id) inherits its access control. "
            "Leave the token and user_group_ids out, and give them to the primary group."
        )
    return ""


def _layout(dummy: Mapping[str, Any], wanted: Wanted) -> str:
    others = [
        name
        for name in ("num_node_groups", "replicas_per_node_group", "node_group_configuration")
        if name in wanted.settings
    ]
    if "num_cache_clusters" in wanted.settings and others:
        return (
            f"num_cache_clusters does not go with {', '.join(others)}: it counts the nodes of a group with a single "
            "node group. Leave num_cache_clusters out, and say replicas_per_node_group instead."
        )
    count, listed = wanted.settings.get("num_node_groups"), wanted.settings.get("node_group_configuration")
    if count is not None and listed and len(listed) != count:
        return (
            f"node_group_configuration lists {len(listed)} node groups, num_node_groups says {count}. "
            "Leave num_node_groups out, or list as many."
        )
    return ""


def _ranges(dummy: Mapping[str, Any], wanted: Wanted) -> str:
    limits = {
        "port": (1, 65535),
        "snapshot_retention_limit": (0, 35),
        "num_cache_clusters": (1, 6),
        "num_node_groups": (1, 500),
        "replicas_per_node_group": (0, 5),
    }
    wrong = [
        f"{name}: {wanted.settings[name]} is out of range, AWS takes {low} to {high}."
        for name, (low, high) in limits.items()
        if name in wanted.settings and not low <= wanted.settings[name] <= high
    ]
    return " ".join(wrong)


def _multi_az(dummy: Mapping[str, Any], wanted: Wanted) -> str:
    if wanted.settings.get("multi_az_enabled") and wanted.settings.get("automatic_failover_enabled") is False:
        return "multi_az_enabled needs automatic failover. Set automatic_failover_enabled: true, or leave Multi-AZ out."
    return ""


def _kms(dummy: Mapping[str, Any], wanted: Wanted) -> str:
    if wanted.settings.get("kms_key_id") and wanted.settings.get("at_rest_encryption_enabled") is False:
        return "kms_key_id encrypts at rest, and at_rest_encryption_enabled is false. Leave one of the two out."
    return ""


def _logs(dummy: Mapping[str, Any], wanted: Wanted) -> str:
    types = [delivery["log_type"] for delivery in wanted.settings.get("log_delivery_configurations") or ()]
    twice = sorted({log_type for log_type in types if types.count(log_type) > 1})
    return f"log_delivery_configurations: {', '.join(twice)} is listed twice. Keep one of them." if twice else ""


def _tags(dummy: Mapping[str, Any], wanted: Wanted) -> str:
    keys = wanted.tags or {}
    reserved = sorted(key for key in keys if key == TAG_KEY or key.lower().startswith(("aws:", ANSIBLES_OWN)))
    if reserved:
        return f"tags: {', '.join(reserved)} is not yours to set: leave it out. It is never removed either."
    return ""


def _deletion(params: Mapping[str, Any], dummy: Wanted) -> str:
    given = [name for name in ("final_snapshot_identifier", "retain_primary_cluster") if params.get(name)]
    if params.get("state") == "present" and given:
        return f"{' and '.join(given)} go with state: absent. Leave them out, or set state: absent."
    return ""


_RULES: tuple[Callable[[Mapping[str, Any], Wanted], str], ...] = (
    _tls_mode,
    _token_without_tls,
    _user_groups_without_tls,
    _token_and_user_groups,
    _inherited_access,
    _layout,
    _ranges,
    _multi_az,
    _kms,
    _logs,
    _tags,
    _deletion,
)


# --- Where it is to be made -----------------------------------------------------------------------------------------


def _description(wanted: Wanted) -> str:
    if not wanted.settings.get("description"):
        return "description: there is no such group yet, and AWS makes none without. Give a description."
    return ""


def _access_without_tls(wanted: Wanted) -> str:
    what = "an AUTH token needs" if wanted.token else "user_group_ids need" if wanted.user_groups else ""
    if what and wanted.tls is None:
        return f"{what} encryption in transit. Set transit_encryption_enabled: true (a group is made without it else)."
    return ""


def _key_without_encryption(wanted: Wanted) -> str:
    if wanted.settings.get("kms_key_id") and not wanted.settings.get("at_rest_encryption_enabled"):
        return "kms_key_id encrypts at rest. Set at_rest_encryption_enabled: true."
    return ""


def _token(wanted: Wanted) -> str:
    violations = rule_violations(wanted.token.value) if wanted.token else []
    if wanted.token and violations:
        return (
            f"{label(wanted.token.name)} is not a valid AUTH token: {'; '.join(violations)}. The lookup "
            "elasticache.auth.random_auth_token makes valid ones."
        )
    return ""


_CREATION_RULES: tuple[Callable[[Wanted], str], ...] = (
    _description,
    _access_without_tls,
    _key_without_encryption,
    _token,
)

#: The members of CreateReplicationGroup for each wish about encryption in transit; ON leaves the mode to AWS: required.
TLS_AT_CREATION: Mapping[str | None, Mapping[str, Any]] = {
    None: {},
    OFF: {"TransitEncryptionEnabled": False},
    ON: {"TransitEncryptionEnabled": True},
    PREFERRED: {"TransitEncryptionEnabled": True, "TransitEncryptionMode": PREFERRED},
    REQUIRED: {"TransitEncryptionEnabled": True, "TransitEncryptionMode": REQUIRED},
}
