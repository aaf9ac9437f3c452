# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The module user: which of the passwords are in force, by the record, their number, or the nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from integration.meanwhile import Once, called, meanwhile
from integration.scenes import put_secret
from integration.user_scenes import (
    NEW,
    TAG,
    A,
    B,
    C,
    accepted,
    active,
    attach,
    changed,
    make,
    make_group,
    refused,
    scene,
    tags,
    unchanged,
)

if TYPE_CHECKING:
    from conftest import Emulator


class TestWhichPasswordsAreInForce:
    def test_by_the_record(self, emulator: Emulator) -> None:
        changed(emulator, **NEW)
        assert unchanged(emulator, passwords=[A])["evidence"] == {
            "passwords": "in_force",
            "source": "record",
            "explanation": "they are on record",
            "nodes": [],
        }
        result = changed(emulator, passwords=[B])
        assert result["evidence"]["explanation"] == "others are on record"
        assert result["diff"]["before"] == {"passwords": "not_in_force"}
        assert result["diff"]["after"] == {"passwords": "in_force"}
        unchanged(emulator, passwords=[B])
        changed(emulator, passwords=[C, B])
        unchanged(emulator, passwords=[B, C])

    def test_by_their_number(self, emulator: Emulator) -> None:
        make(emulator)
        result = changed(emulator, passwords=[A, B], record=False)
        assert result["evidence"]["source"] == "api"

    def test_by_the_nodes(self, emulator: Emulator) -> None:
        probe = scene(emulator)
        result = unchanged(emulator, passwords=[A], record=False, **probe)
        assert result["evidence"]["source"] == "probe"
        assert [node["accepted"] for node in result["evidence"]["nodes"]] == [{"password 1": True}] * 2
        changed(emulator, passwords=[B], record=False, **probe)
        assert accepted(emulator, B)
        assert not accepted(emulator, A)
        unchanged(emulator, passwords=[B], record=False, **probe)
        changed(emulator, passwords=[B, A], record=False, **probe)
        assert accepted(emulator, B)
        assert accepted(emulator, A)

    @pytest.mark.emulator(data_plane="valkey")
    def test_the_nodes_overrule_the_record(self, emulator: Emulator) -> None:
        probe = scene(emulator)
        changed(emulator, passwords=[B], **probe)
        emulator.client("elasticache").modify_user(UserId="reader-1", Passwords=[C])
        active(emulator)
        unchanged(emulator, passwords=[B])  # nothing shows it
        result = changed(emulator, passwords=[B], **probe)
        assert "changed elsewhere" in result["warnings"][0]
        assert accepted(emulator, B)
        unchanged(emulator, passwords=[B], **probe)

    def test_not_known(self, emulator: Emulator) -> None:
        make(emulator)
        result = refused(
            emulator,
            "reader-1: whether the passwords given are in force is not known",
            "there is no record of them in its tags",
            "probe_replication_group_id",
            "update_password: always",
            "update_password: on_create",
            passwords=[A],
        )
        assert result["evidence"]["passwords"] == "unknown"
        refused(emulator, "not known", check=True, passwords=[A])
        refused(emulator, "record is false", passwords=[A], record=False)
        unchanged(emulator, passwords=[B], update_password="on_create")
        changed(emulator, passwords=[B], update_password="always")
        unchanged(emulator, passwords=[B], update_password="always")
        unchanged(emulator, passwords=[B])

    def test_always_without_a_record_sets_them_each_time(self, emulator: Emulator) -> None:
        make(emulator)
        for dummy in range(2):
            changed(emulator, passwords=[B], update_password="always", record=False)
        assert TAG not in tags(emulator)

    @pytest.mark.parametrize(
        ("case", "words"),
        [
            ("not in its groups", "the user is in none of the user groups of shop"),
            ("off", "the user is off"),
            pytest.param("out of reach", "can't be reached", marks=pytest.mark.emulator(data_plane="none")),
        ],
    )
    def test_where_the_nodes_cannot_tell(self, emulator: Emulator, case: str, words: str) -> None:
        """Then the record has to do, and without one nothing is guessed."""
        if case == "not in its groups":
            make(emulator)
            make(emulator, "other", UserName="other")
            make_group(emulator, "ug", "other")
            attach(emulator)
            probe: dict[str, Any] = {"probe_replication_group_id": "shop", "data_plane_ca_path": emulator.ca_bundle}
        else:
            probe = scene(emulator, AccessString="off -@all" if case == "off" else "on ~* +@all")
        refused(emulator, words, "no record of them", passwords=[A], **probe)
        changed(emulator, passwords=[B], update_password="always", **probe)
        unchanged(emulator, passwords=[B], **probe)

    def test_a_node_that_is_not_trusted(self, emulator: Emulator) -> None:
        scene(emulator)
        refused(
            emulator, "reader-1: probe_replication_group_id: shop: the certificate of", "is not trusted",
            passwords=[A], probe_replication_group_id="shop",
        )  # fmt: skip

    def test_a_replication_group_that_is_busy_is_waited_for(self, emulator: Emulator) -> None:
        probe = scene(emulator)
        emulator.hold()
        emulator.client("elasticache").modify_replication_group(
            ReplicationGroupId="shop", CacheNodeType="cache.r7g.large", ApplyImmediately=True
        )
        emulator.wait_held("shop")
        with meanwhile(Once(called(emulator, "DescribeReplicationGroups"), emulator.release)):
            unchanged(emulator, passwords=[A], record=False, **probe)

    @pytest.mark.parametrize("tag", ["", "v1", "v2 x", "v1 f.x.y", "v1 f.!.!", "v1 u.1", "v1 v.abc", "v9 changing"])
    def test_a_tag_that_is_no_record(self, emulator: Emulator, tag: str) -> None:
        make(emulator, Tags=[{"Key": TAG, "Value": tag}])
        result = refused(emulator, "is not known", passwords=[A])
        assert result["evidence"]["source"] == "none"

    def test_secrets(self, emulator: Emulator) -> None:
        """The passwords never pass through Ansible, and a new staging label is a new password."""
        put_secret(emulator, "app", A)
        put_secret(emulator, "json", f'{{"password": "{B}"}}')
        wanted = {**NEW, "passwords": None, "password_secrets": [{"name": "app"}, {"name": "json", "key": "password"}]}
        changed(emulator, **wanted)
        unchanged(emulator, **wanted)
        unchanged(emulator, passwords=[A, B])
        make_group(emulator, "ug", "reader-1")
        attach(emulator)
        assert accepted(emulator, A)
        assert accepted(emulator, B)
