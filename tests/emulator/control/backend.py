# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Our ElastiCache in moto's place: its state by account and region, and its part in the tagging API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import moto.elasticache
import moto.elasticache.models
import moto.resourcegroupstaggingapi.urls
from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.resource_tagging import TaggableResourcesMixin, TaggedResource

from . import ecs, metrics, secrets, speed, ssm, tags, urls
from .refusals import ElastiCacheError
from .tagging_api import TaggingResponse
from .world import Store, World


class Backend(BaseBackend, TaggableResourcesMixin):
    """What one account has in one region. ``world`` is set by ``install``."""

    SERVICE_NAMESPACE = "elasticache"
    world: ClassVar[World]

    @property
    def _url_module(self) -> Any:
        return urls

    @property
    def store(self) -> Store:
        """The state, made when it is first asked for."""
        return self.world.store(self.account_id, self.region_name, self.partition)

    def iter_tagged_resources(self) -> Iterator[TaggedResource]:
        """What GetResources lists: all that is tagged or has been."""
        store = self.store
        with self.world.lock:
            kinds: dict[str, list[Any]] = {
                "replicationgroup": list(store.groups.values()),
                "user": list(store.users.values()),
                "usergroup": list(store.user_groups.values()),
                "cluster": list(store.clusters.values()),
                "serverlesscache": list(store.serverless.values()),
                "subnetgroup": list(store.subnet_groups.values()),
                "parametergroup": list(store.parameter_groups.values()),
            }
            found = [
                TaggedResource(item.arn, dict(item.tags), f"elasticache:{kind}", {"include_untagged": True})
                for kind, items in kinds.items()
                for item in items
                if item.ever_tagged
            ]
        return iter(found)

    def tag_resource(self, arn: str, new_tags: dict[str, str]) -> None:
        """TagResources; an ARN that can't be tagged now ends up in its FailedResourcesMap."""
        with self.world.lock:
            try:
                tags.add(tags.find(self.store, arn), new_tags)
            except ElastiCacheError as error:
                raise NotImplementedError(error.code) from None

    def untag_resource(self, arn: str, tag_keys: list[str]) -> None:
        """UntagResources; keys that aren't there don't matter to it."""
        with self.world.lock:
            try:
                resource = tags.find(self.store, arn)
            except ElastiCacheError as error:
                raise NotImplementedError(error.code) from None
            for key in tag_keys:
                resource.tags.pop(key, None)


#: The backends by account and region; replaced by ``install``.
backends: BackendDict[Backend]


def install(world: World) -> None:
    """Put this package in the place of moto's ElastiCache, and its pages in the tagging API. Once in a process."""
    global backends
    Backend.world = world
    backends = BackendDict(Backend, "elasticache")
    moto.elasticache.elasticache_backends = backends  # type: ignore[assignment]
    moto.elasticache.models.elasticache_backends = backends  # type: ignore[assignment]
    moto.resourcegroupstaggingapi.urls.url_paths = {"{0}/$": TaggingResponse.dispatch}
    ecs.install(world)
    metrics.install()
    secrets.install()
    speed.install()
    ssm.install(world)
