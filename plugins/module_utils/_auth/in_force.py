# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the token that a group is said to have is in force there: asked of the evidence, never taken for granted."""

from __future__ import annotations

from .._aws import records
from .._aws.clients import Clients
from .._aws.errors import explain
from .._aws.readings import Shown
from .._core.errors import AuthError
from .._core.explain import describe_all
from .observe import Observation, Probing, conclude, probe_groups
from .tokens import TokenSet, label

_AUTH = "elasticache.auth.replication_group_auth"


def check_token(clients: Clients, shown: Shown, tokens: TokenSet, probing: Probing, *, record: bool) -> None:
    """Raise :class:`AuthError` unless the wanted token, if any, is in force on this settled group."""
    group, token = shown.group, tokens.wanted
    if token is None:
        return
    words = label(token.name)
    if group.user_group_ids:
        attached = ", ".join(group.user_group_ids)
        raise AuthError(
            f"{group.id}: {words} is not in force: user groups decide who is accepted ({attached}). "
            f"To go over to a token use {_AUTH} with auth_token_update_strategy: rotate and remove_user_groups: true."
        )
    if not group.auth_token_enabled:
        raise AuthError(
            f"{group.id}: {words} is not in force: the group has no token, and serves anyone. Use {_AUTH} with "
            "auth_token_update_strategy: rotate, give the token to every client, then auth_token_update_strategy: set."
        )
    try:
        told = probe_groups(clients, [group], {group.id: tokens}, probing).get(group.id, ())
    except AuthError:
        raise
    except Exception as error:
        raise AuthError(f"{group.id}: {explain(error, 'elasticache:DescribeCacheClusters', clients.region)}") from error
    entry = records.entry_in(shown.tags or {}) if record else None
    seen = conclude(group, tokens, entry, told, probing)
    verdicts = {token.name in state.tokens for state in seen.belief.states}
    if verdicts == {True}:
        return
    if verdicts == {False}:
        raise AuthError(
            f"{group.id}: {words} is not in force: the group is {describe_all(seen.belief.states, label)}. "
            f"Change it with {_AUTH} (auth_token_update_strategy: rotate, and set once every client has it), "
            "or leave it out here."
        )
    raise AuthError(
        f"{group.id}: whether {words} is in force is not known, and AWS never tells. "
        f"To settle it: {'; or '.join(_settling(seen, probing, record=record))}."
    )


def _settling(seen: Observation, probing: Probing, *, record: bool) -> list[str]:
    ways = []
    if probing.mode == "never":
        ways.append("use probe: auto, so that the nodes are asked")
    elif not seen.heard:
        ways.append("run where the nodes can be reached, so they are asked")
    if not record:
        ways.append("use record: true, so that the record is read")
    ways.append(f"change the token with {_AUTH}, which keeps a record that the next run reads")
    ways.append("leave the token out here, and nothing about it is looked at")
    return ways
