# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The actions of the API: parsed and serialised by moto after botocore's service model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult, BaseResponse

from . import backend, caches, groups, modify, surroundings, tags, users
from .refusals import Refusal
from .speed import PlainResult, ViewsPage
from .world import Store, World

Operation = Callable[[World, Store, dict[str, Any]], dict[str, Any]]
Listing = Callable[[World, Store, dict[str, Any]], tuple[list[dict[str, Any]], str | None]]


class Response(BaseResponse):
    """One call. moto finds the method by the action's name."""

    def __init__(self) -> None:
        super().__init__(service_name="elasticache")
        self.automated_parameter_parsing = True

    @property
    def _backend(self) -> backend.Backend:
        account = backend.backends[self.current_account]
        if self.region not in account:
            raise Refusal.NO_REGION.error(region=self.region)
        return account[self.region]

    def _one(self, operation: Operation, wrapper: str | None = None) -> ActionResult:
        here = self._backend
        with here.world.lock:
            shown = operation(here.world, here.store, self._get_params())
        return PlainResult({wrapper: shown} if wrapper else shown)

    def _page(self, listing: Listing, wrapper: str, token: str = "Marker") -> ActionResult:
        here = self._backend
        with here.world.lock:
            shown, marker = listing(here.world, here.store, self._get_params())
        return PlainResult({wrapper: shown, token: marker} if marker else {wrapper: shown})

    def create_replication_group(self) -> ActionResult:
        """CreateReplicationGroup"""
        return self._one(groups.create, "ReplicationGroup")

    def modify_replication_group(self) -> ActionResult:
        """ModifyReplicationGroup"""
        return self._one(modify.modify, "ReplicationGroup")

    def delete_replication_group(self) -> ActionResult:
        """DeleteReplicationGroup"""
        return self._one(groups.delete, "ReplicationGroup")

    def describe_replication_groups(self) -> ActionResult:
        """DescribeReplicationGroups"""
        here = self._backend
        with here.world.lock:
            shown, marker = groups.describe(here.world, here.store, self._get_params())
        return ViewsPage("ReplicationGroups", shown, {"Marker": marker} if marker else {})

    def create_cache_cluster(self) -> ActionResult:
        """CreateCacheCluster"""
        return self._one(caches.create_cluster, "CacheCluster")

    def delete_cache_cluster(self) -> ActionResult:
        """DeleteCacheCluster"""
        return self._one(caches.delete_cluster, "CacheCluster")

    def describe_cache_clusters(self) -> ActionResult:
        """DescribeCacheClusters"""
        return self._page(caches.describe_clusters, "CacheClusters")

    def create_serverless_cache(self) -> ActionResult:
        """CreateServerlessCache"""
        return self._one(caches.create_serverless, "ServerlessCache")

    def delete_serverless_cache(self) -> ActionResult:
        """DeleteServerlessCache"""
        return self._one(caches.delete_serverless, "ServerlessCache")

    def describe_serverless_caches(self) -> ActionResult:
        """DescribeServerlessCaches"""
        return self._page(caches.describe_serverless, "ServerlessCaches", "NextToken")

    def create_global_replication_group(self) -> ActionResult:
        """CreateGlobalReplicationGroup"""
        return self._one(caches.create_global, "GlobalReplicationGroup")

    def describe_global_replication_groups(self) -> ActionResult:
        """DescribeGlobalReplicationGroups"""
        return self._page(caches.describe_global, "GlobalReplicationGroups")

    def create_user(self) -> ActionResult:
        """CreateUser"""
        return self._one(users.create_user)

    def modify_user(self) -> ActionResult:
        """ModifyUser"""
        return self._one(users.modify_user)

    def delete_user(self) -> ActionResult:
        """DeleteUser"""
        return self._one(users.delete_user)

    def describe_users(self) -> ActionResult:
        """DescribeUsers"""
        return self._page(users.describe_users, "Users")

    def create_user_group(self) -> ActionResult:
        """CreateUserGroup"""
        return self._one(users.create_user_group)

    def modify_user_group(self) -> ActionResult:
        """ModifyUserGroup"""
        return self._one(users.modify_user_group)

    def delete_user_group(self) -> ActionResult:
        """DeleteUserGroup"""
        return self._one(users.delete_user_group)

    def describe_user_groups(self) -> ActionResult:
        """DescribeUserGroups"""
        return self._page(users.describe_user_groups, "UserGroups")

    def list_tags_for_resource(self) -> ActionResult:
        """ListTagsForResource"""
        return self._one(
            lambda world, store, parameters: tags.shown_tags(tags.find(store, parameters.get("ResourceName")).tags)
        )

    def add_tags_to_resource(self) -> ActionResult:
        """AddTagsToResource"""

        def add(world: World, store: Store, parameters: dict[str, Any]) -> dict[str, Any]:
            resource = tags.find(store, parameters.get("ResourceName"))
            tags.add(resource, tags.parse_tags(parameters.get("Tags") or []))
            return tags.shown_tags(resource.tags)

        return self._one(add)

    def remove_tags_from_resource(self) -> ActionResult:
        """RemoveTagsFromResource"""

        def remove(world: World, store: Store, parameters: dict[str, Any]) -> dict[str, Any]:
            resource = tags.find(store, parameters.get("ResourceName"))
            tags.remove(resource, parameters.get("TagKeys") or [])
            return tags.shown_tags(resource.tags)

        return self._one(remove)

    def create_cache_subnet_group(self) -> ActionResult:
        """CreateCacheSubnetGroup"""
        return self._one(surroundings.create_subnet_group, "CacheSubnetGroup")

    def modify_cache_subnet_group(self) -> ActionResult:
        """ModifyCacheSubnetGroup"""
        return self._one(surroundings.modify_subnet_group, "CacheSubnetGroup")

    def delete_cache_subnet_group(self) -> ActionResult:
        """DeleteCacheSubnetGroup"""
        return self._one(surroundings.delete_subnet_group)

    def describe_cache_subnet_groups(self) -> ActionResult:
        """DescribeCacheSubnetGroups"""
        return self._page(surroundings.describe_subnet_groups, "CacheSubnetGroups")

    def create_cache_parameter_group(self) -> ActionResult:
        """CreateCacheParameterGroup"""
        return self._one(surroundings.create_parameter_group, "CacheParameterGroup")

    def delete_cache_parameter_group(self) -> ActionResult:
        """DeleteCacheParameterGroup"""
        return self._one(surroundings.delete_parameter_group)

    def describe_cache_parameter_groups(self) -> ActionResult:
        """DescribeCacheParameterGroups"""
        return self._page(surroundings.describe_parameter_groups, "CacheParameterGroups")

    def describe_cache_engine_versions(self) -> ActionResult:
        """DescribeCacheEngineVersions"""
        return self._page(surroundings.describe_engine_versions, "CacheEngineVersions")

    def describe_events(self) -> ActionResult:
        """DescribeEvents"""
        return self._page(surroundings.describe_events, "Events")
