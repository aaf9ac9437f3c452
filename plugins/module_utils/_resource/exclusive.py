# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Users and user groups that serve others too. Pure.

What an operation on one replication group makes, changes or deletes must serve that group alone: with a user in common,
the token of the one would be accepted by the others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from .._aws.user_groups import UserGroup
from .._aws.users import User


def other_user_groups(user: User, own: Collection[str]) -> tuple[str, ...]:
    """Return the ids of the user groups that the user is in besides ``own``."""
    return tuple(sorted(set(user.user_group_ids) - set(own)))


def other_caches(user_group: UserGroup, own: Collection[str] = ()) -> tuple[str, ...]:
    """Return, in words, the caches that have the user group besides the replication groups ``own``."""
    replication_groups = sorted(set(user_group.replication_groups) - set(own))
    return (
        *(f"the replication group {key}" for key in replication_groups),
        *(f"the serverless cache {key}" for key in sorted(user_group.serverless_caches)),
    )


def shared_user(user: User, own: Collection[str], user_groups: Mapping[str, UserGroup]) -> str:
    """Say which user groups the user is in besides ``own``, and what these serve; empty where there are none.

    ``user_groups``: those that were looked up, by id.
    """
    others = []
    for key in other_user_groups(user, own):
        caches = other_caches(user_groups[key]) if key in user_groups else ()
        others.append(f"the user group {key} ({listed(caches) or 'attached to no cache'})")
    return listed(others)


def shared_user_group(user_group: UserGroup, own: Collection[str]) -> str:
    """Say which caches have the user group besides the replication groups ``own``; empty where there are none."""
    return listed(other_caches(user_group, own))


def listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
