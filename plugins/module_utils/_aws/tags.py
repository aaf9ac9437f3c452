# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tags by ARN: of one resource from ElastiCache, which is never behind, of many in bulk, which may be."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence

from .clients import Clients

#: GetResources takes this many ARNs a call.
_ARNS_A_CALL = 100
#: Names of Ansible's own: wherever a dictionary has one as a key, it is read as another kind of value, or not at all.
ANSIBLES_OWN = "__ansible_"
#: Tags that belong to this collection.
RESERVED = "elasticache.auth/"


def reserved(key: str) -> bool:
    """Whether a tag is this collection's, AWS's or Ansible's own."""
    return key.lower().startswith(("aws:", RESERVED, ANSIBLES_OWN))


def by_key(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return an answer's tags, without those that no result and no inventory can have (:data:`ANSIBLES_OWN`)."""
    return {tag["Key"]: tag.get("Value", "") for tag in tags if not tag["Key"].startswith(ANSIBLES_OWN)}


def tags_of(clients: Clients, arn: str) -> dict[str, str]:
    """Return the tags of one resource, as ElastiCache has them. Raises botocore's exceptions."""
    answer = clients.patiently(lambda: clients.repeatable.list_tags_for_resource(ResourceName=arn))
    return by_key(answer["TagList"])


def tags_in_bulk(clients: Clients, arns: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the tags of those resources that the Resource Groups Tagging API knows. Raises botocore's exceptions."""
    tags = {}
    for begin in range(0, len(arns), _ARNS_A_CALL):
        chunk = list(arns[begin : begin + _ARNS_A_CALL])
        answer = clients.patiently(functools.partial(clients.tagging.get_resources, ResourceARNList=chunk))
        for resource in answer["ResourceTagMappingList"]:
            tags[resource["ResourceARN"]] = by_key(resource["Tags"])
    return tags
