# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which passwords of a user (RBAC) are in force: what the API, the record in its tags and the nodes tell of them.

AWS never returns a password, and nothing in here does either.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._aws.clients import Clients
from .._aws.errors import Kind, classify
from .._aws.lifecycle import ResourceCall, as_tags, tagging
from .._aws.tags import RESERVED
from .._aws.users import PASSWORD, User
from .._core import record
from .._data_plane.probe import NodeAnswer, Reach, unreachable

#: The tag in which the passwords in force are recorded, and what it holds while they are being changed.
TAG_KEY = f"{RESERVED}passwords"
_VERSION, _CHANGING = "v1", "changing"
CHANGING = f"{_VERSION} {_CHANGING}"
#: A fingerprint as :func:`.._core.record.reference` writes it: whoever may tag the user may write anything.
_REFERENCE = re.compile(r"f\.[A-Za-z0-9_-]{8}\.[A-Za-z0-9_-]{22}")


class Verdict(str, enum.Enum):
    """Whether just the passwords given are in force."""

    IN_FORCE = "in_force"
    NOT_IN_FORCE = "not_in_force"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """What one source says of the passwords given, in words too. ``nodes``: what each node said."""

    verdict: Verdict
    source: str
    why: str
    nodes: tuple[Mapping[str, Any], ...] = ()


def shown_by_api(user: User, passwords: Sequence[str]) -> Finding | None:
    """Return what DescribeUsers tells; ``None`` where that is nothing."""
    if user.authentication != PASSWORD:
        return Finding(Verdict.NOT_IN_FORCE, "api", f"its authentication is {user.authentication or 'not known'}")
    if user.password_count is not None and user.password_count != len(passwords):
        why = f"it has {user.password_count} passwords, not {len(passwords)}"
        return Finding(Verdict.NOT_IN_FORCE, "api", why)
    return None


def on_record(tags: Mapping[str, str], passwords: Sequence[str]) -> Finding:
    """Return what the record in the user's tags tells. It knows nothing of changes made elsewhere since."""
    version, *refs = tags.get(TAG_KEY, "").split(" ")
    if version != _VERSION or not refs:
        return Finding(Verdict.UNKNOWN, "record", "there is no record of them in its tags")
    if refs == [_CHANGING]:
        return Finding(Verdict.NOT_IN_FORCE, "record", "a change of them was cut off")
    if not all(map(_REFERENCE.fullmatch, refs)):
        return Finding(Verdict.UNKNOWN, "record", "the record of them in its tags can't be read")
    told = [any(record.same_token(ref, password) for ref in refs) for password in passwords]
    if len(refs) == len(passwords) and all(told):
        return Finding(Verdict.IN_FORCE, "record", "they are on record")
    return Finding(Verdict.NOT_IN_FORCE, "record", "others are on record")


def references(value: str) -> tuple[str, ...]:
    """Return the references of the passwords in a record; none where it does not tell of them."""
    version, *refs = value.split(" ")
    return tuple(refs) if version == _VERSION and all(map(_REFERENCE.fullmatch, refs)) else ()


def told_by_nodes(group_id: str, answers: Sequence[NodeAnswer]) -> Finding:
    """Return what the nodes tell that were asked for each password as the user's. AWS told that there are no more."""
    heard = [answer for answer in answers if answer.reach is Reach.ANSWERED]
    nodes = tuple(
        {
            "cache_cluster_id": answer.node.cache_cluster_id,
            "reach": answer.reach.value,
            "error": answer.error or None,
            "accepted": dict(answer.accepted),
        }
        for answer in answers
    )
    told = {accepted for answer in heard for accepted in answer.accepted.values()}
    if len(heard) < len(answers) or not heard:
        why = unreachable(group_id, answers) or f"{group_id}: it has no node"
        return Finding(Verdict.UNKNOWN, "probe", why, nodes)
    if told == {True}:
        return Finding(Verdict.IN_FORCE, "probe", f"the nodes of {group_id} accept them", nodes)
    if any(all(not answer.accepted[name] for answer in heard) for name in heard[0].accepted):
        return Finding(Verdict.NOT_IN_FORCE, "probe", f"the nodes of {group_id} refuse one", nodes)
    return Finding(Verdict.UNKNOWN, "probe", f"the nodes of {group_id} do not agree", nodes)


def recorded(passwords: Iterable[str]) -> str:
    """Return the passwords as they are put on record: their fingerprints, each of which costs some 40 ms."""
    return " ".join([_VERSION, *map(record.reference, passwords)])


def record_calls(arn: str, value: str | None) -> list[ResourceCall]:
    """Return the calls that :func:`write_record` makes."""
    return tagging(
        arn, add={TAG_KEY: value} if value is not None else {}, remove=() if value is not None else [TAG_KEY]
    )


def write_record(clients: Clients, arn: str, value: str | None) -> None:
    """Write the record, or remove it. Repeating that is harmless. Raises botocore's exceptions."""
    client = clients.repeatable
    if value is not None:
        tags = as_tags({TAG_KEY: value})
        clients.patiently(lambda: client.add_tags_to_resource(ResourceName=arn, Tags=tags))
        return
    try:
        clients.patiently(lambda: client.remove_tags_from_resource(ResourceName=arn, TagKeys=[TAG_KEY]))
    except Exception as error:
        if classify(error) is not Kind.NOT_FOUND:
            raise
