# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""GetResources of the Resource Groups Tagging API, with AWS's limits.

moto ends a page after 99 tags and keeps generators between pages; here a page is ``ResourcesPerPage`` resources
(100 unless told) and its token says where to go on, so that pages can be asked for again after an error.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.resourcegroupstaggingapi.exceptions import ResourceGroupsTaggingAPIError
from moto.resourcegroupstaggingapi.responses import ResourceGroupsTaggingAPIResponse

from .paging import decode_marker, encode_marker
from .refusals import ElastiCacheError

ARNS = 100
PAGE = 100


def _invalid(message: str) -> ResourceGroupsTaggingAPIError:
    return ResourceGroupsTaggingAPIError("InvalidParameterException", message)


class TaggingResponse(ResourceGroupsTaggingAPIResponse):
    """moto's, with GetResources replaced."""

    def get_resources(self) -> ActionResult:
        """A page of the resources that are tagged or have been, in the order of their ARNs."""
        arns = self._get_param("ResourceARNList") or []
        filters = self._get_param("TagFilters") or []
        types = self._get_param("ResourceTypeFilters") or []
        size = self._get_param("ResourcesPerPage")
        tags_per_page = self._get_param("TagsPerPage")
        if len(arns) > ARNS:
            raise _invalid(f"ResourceARNList can have at most {ARNS} ARNs")
        if arns and (filters or types or size or tags_per_page or self._get_param("PaginationToken")):
            raise _invalid("ResourceARNList can't be combined with filters or pages")
        if size is not None and not 1 <= size <= PAGE:
            raise _invalid(f"ResourcesPerPage must be between 1 and {PAGE}")
        if tags_per_page is not None and not 100 <= tags_per_page <= 500:
            raise _invalid("TagsPerPage must be between 100 and 500")
        found = self.backend._get_resources_generator(
            tag_filters=filters, resource_type_filters=types, resource_arn_list=arns
        )
        after = self._after()
        rest = sorted((item for item in found if item.arn > after), key=lambda item: item.arn)
        chosen = rest[: size or PAGE]
        if tags_per_page is not None:
            count = 0
            for number, item in enumerate(chosen):
                count += max(len(item.tags), 1)
                if count > tags_per_page and number:
                    chosen = chosen[:number]
                    break
        answer: dict[str, Any] = {
            "PaginationToken": encode_marker(chosen[-1].arn) if len(rest) > len(chosen) else "",
            "ResourceTagMappingList": [
                {
                    "ResourceARN": item.arn,
                    "Tags": [{"Key": key, "Value": value} for key, value in sorted(item.tags.items())],
                }
                for item in chosen
            ],
        }
        return ActionResult(answer)

    def _after(self) -> str:
        token = self._get_param("PaginationToken")
        try:
            return decode_marker(token) if token else ""
        except ElastiCacheError:
            raise ResourceGroupsTaggingAPIError(
                "PaginationTokenExpiredException", "The pagination token is not valid."
            ) from None
