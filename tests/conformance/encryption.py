# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""An engine that is too old, then encryption in transit: off, preferred, required. One group at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulator.control.refusals import Refusal

from .access import ENGINE, NODE_TYPE
from .endpoint import Answer, NoAnswerError
from .groups import Group, Scene
from .rows import NOAUTH
from .user_groups import USER_GROUP

OLD, ENCRYPTION = "old-engine", "encryption"
OLD_NODE_TYPE = "cache.t3.micro"  #: the smallest that is offered with engines before Redis OSS 5.0.6
_OLD_ROWS = ("engine-too-old", "create-with-token", "at-rest-redis")
_MODIFY_FROM = (5, 0, 6)  # elasticache-facts §3: a token modify; and a token at creation from 3.2.6
_CREATE_FROM = (3, 2, 6)


def ask_old_engine(scene: Scene) -> None:
    """A Redis OSS that takes a token at creation and no change of it; deleted at once."""
    answers = scene.answers
    with answers.asking(*_OLD_ROWS):
        versions = scene.endpoint.pages("describe_cache_engine_versions", "CacheEngineVersions", Engine="redis")
        old = sorted(
            (numbers, item["EngineVersion"])
            for item in versions
            if _CREATE_FROM <= (numbers := _numbers(item["EngineVersion"])) < _MODIFY_FROM
        )
        if not old:
            raise NoAnswerError("the region offers no Redis OSS from 3.2.6 to before 5.0.6")
        preferred = [version for numbers, version in old if numbers[0] == 4] or [old[-1][1]]
        group, token = Group(scene, OLD), scene.endpoint.hidden.make()
        change = group.create(
            Engine="redis",
            EngineVersion=preferred[-1],
            CacheNodeType=OLD_NODE_TYPE,
            TransitEncryptionEnabled=True,
            AuthToken=token,
        )
        if change.answer.refused:
            raise NoAnswerError(f"the group was not made with Redis OSS {preferred[-1]}: {change.answer}")
        answers.value("at-rest-redis", "on" if change.after.get("AtRestEncryptionEnabled") else "off")
        with answers.asking("create-with-token"):
            unauthenticated = scene.nodes.unauthenticated(group.address())
            accepted = scene.nodes.accepts(group.address(), token)
            required = unauthenticated == NOAUTH and accepted
            value = "required" if required else f"{unauthenticated}, token {'accepted' if accepted else 'refused'}"
            answers.value("create-with-token", value)
        asked = group.modify(AuthToken=scene.endpoint.hidden.make(), AuthTokenUpdateStrategy="ROTATE")
        answers.choice("engine-too-old", _too_old(asked), asked)
        group.delete()


def _too_old(answer: Answer) -> str:
    """Which of the emulator's wordings it is."""
    if not answer.refused:
        return "accepted"
    beginnings = {
        "unsupported-version": Refusal.ENGINE_UNSUPPORTED_VERSION,
        "minimum-version": Refusal.ENGINE_MINIMUM_VERSION,
    }
    for value, refusal in beginnings.items():
        code, words = refusal.value
        if answer.code == code and answer.words.startswith(words.split("{", 1)[0]):
            return value
    return "other words"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def ask_encryption(scene: Scene) -> None:
    """What is refused without, on the way to, and beside encryption in transit."""
    answers, group = scene.answers, Group(scene, ENCRYPTION)
    token = scene.endpoint.hidden.make
    change = group.create(Engine=ENGINE, CacheNodeType=NODE_TYPE, TransitEncryptionEnabled=False)
    if change.answer.refused:
        raise NoAnswerError(f"the group without TLS was not made: {change.answer}")
    rotate: Mapping[str, Any] = {"AuthTokenUpdateStrategy": "ROTATE"}
    refused: Mapping[str, Mapping[str, Any]] = {
        "token-tls-off": {"AuthToken": token(), **rotate},
        "group-tls-off": {"UserGroupIdsToAdd": [scene.made.identifier(USER_GROUP)]},
        "tls-not-immediately": {
            "TransitEncryptionEnabled": True,
            "TransitEncryptionMode": "preferred",
            "ApplyImmediately": False,
        },
        "tls-off-to-required": {"TransitEncryptionEnabled": True, "TransitEncryptionMode": "required"},
    }
    for name, members in refused.items():
        with answers.asking(name):
            answers.refusal(name, group.modify(**members))
    change = group.change(TransitEncryptionEnabled=True, TransitEncryptionMode="preferred")
    if change.answer.refused:
        raise NoAnswerError(f"TLS mode preferred was refused: {change.answer}")
    with answers.asking("token-tls-preferred", "token-moving-to-required"):
        answers.refusal("token-tls-preferred", group.modify(AuthToken=token(), **rotate))
        moving = group.modify(
            AuthToken=token(), TransitEncryptionEnabled=True, TransitEncryptionMode="required", **rotate
        )
        answers.refusal("token-moving-to-required", moving)
    change = group.change(TransitEncryptionEnabled=True, TransitEncryptionMode="required")
    if change.answer.refused:
        raise NoAnswerError(f"TLS mode required was refused: {change.answer}")
    hosts = [shown["NodeGroups"][0]["PrimaryEndpoint"]["Address"] for shown in (change.before, change.after)]
    answers.value("endpoint-name", "changes" if hosts[0] != hosts[1] else "stays", change.seconds)
