# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Questions that take no replication group: refused creations, pages, versions, and one secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .access import ENGINE, NODE_TYPE
from .endpoint import NoAnswerError
from .groups import Scene
from .made import Kind
from .user_groups import ask_refused_users

SECRET = "secret"


def ask_others(scene: Scene) -> None:
    """All of them."""
    _ask_listings(scene)
    _ask_creations(scene)
    ask_refused_users(scene)
    _ask_secret(scene)


def _ask_listings(scene: Scene) -> None:
    endpoint, answers = scene.endpoint, scene.answers
    with answers.asking("group-not-found", "page-too-small", "page-too-large", "newest-engine"):
        missing = endpoint.ask("describe_replication_groups", ReplicationGroupId=scene.made.identifier("nothing"))
        answers.refusal("group-not-found", missing)
        for name, size in (("page-too-small", 19), ("page-too-large", 101)):
            answers.refusal(name, endpoint.ask("describe_replication_groups", MaxRecords=size))
        offered = endpoint.pages("describe_cache_engine_versions", "CacheEngineVersions", Engine="valkey")
        versions = {tuple(map(int, item["EngineVersion"].split(".")[:2])) for item in offered}
        answers.value("newest-engine", ".".join(map(str, max(versions, default=()))) or "none is listed")


def _ask_creations(scene: Scene) -> None:
    """Creations that are to be refused; what is made all the same is removed at the end."""
    token = scene.endpoint.hidden.make
    group: dict[str, Any] = {
        "ReplicationGroupDescription": "conformance",
        "Engine": ENGINE,
        "CacheNodeType": NODE_TYPE,
        "NumCacheClusters": 1,
        **scene.places,
    }
    refused: Mapping[str, Mapping[str, Any]] = {
        "bad-token": {"TransitEncryptionEnabled": True, "AuthToken": token(length=15)},
        "create-token-tls-off": {"TransitEncryptionEnabled": False, "AuthToken": token()},
        "create-token-underscore": {"TransitEncryptionEnabled": True, "AuthToken": token(suffix="_")},
        "double-hyphen": {"TransitEncryptionEnabled": True},
    }
    for name, members in refused.items():
        with scene.answers.asking(name):
            identifier = "double--hyphen" if name == "double-hyphen" else f"no-{name.replace('create-', '')}"
            answer = scene.made.make(Kind.GROUP, identifier, "create_replication_group", **group, **members)
            scene.answers.refusal(name, answer)
    cluster = {"CacheNodeType": NODE_TYPE, "NumCacheNodes": 1, **scene.places}
    for name, more in (
        ("cache-cluster-valkey", {"Engine": "valkey"}),
        ("cache-cluster-tls", {"Engine": "redis", "TransitEncryptionEnabled": True}),
    ):
        with scene.answers.asking(name):
            answer = scene.made.make(
                Kind.CLUSTER, name.replace("cache-", ""), "create_cache_cluster", **cluster, **more
            )
            scene.answers.refusal(name, answer)


def _ask_secret(scene: Scene) -> None:
    """A label is moved by compare-and-swap, and a version without one is not shown (elasticache-facts §5)."""
    made, answers, make = scene.made, scene.answers, scene.endpoint.hidden.make
    with answers.asking("label-without-holder", "label-with-holder", "versions-without-label"):
        versions = []
        created = made.make(Kind.SECRET, SECRET, "create_secret", SecretString=make())
        for answer in (
            created,
            made.change(Kind.SECRET, SECRET, "put_secret_value", SecretString=make(), VersionStages=["AWSPENDING"]),
        ):
            if answer.refused:
                raise NoAnswerError(f"the secret was not written: {answer}")
            versions.append(answer.result["VersionId"])
        move = {"VersionStage": "AWSCURRENT", "MoveToVersionId": versions[1]}
        answers.refusal("label-without-holder", made.change(Kind.SECRET, SECRET, "update_secret_version_stage", **move))
        answer = made.change(
            Kind.SECRET, SECRET, "update_secret_version_stage", RemoveFromVersionId=versions[0], **move
        )
        answers.value("label-with-holder", str(answer) if answer.refused else "moved", answer.seconds)
        made.change(
            Kind.SECRET,
            SECRET,
            "update_secret_version_stage",
            VersionStage="AWSPREVIOUS",
            RemoveFromVersionId=versions[0],
        )
        shown = made.shown(Kind.SECRET, SECRET) or {}
        answers.value("versions-without-label", "yes" if versions[0] in shown["VersionIdsToStages"] else "no")
