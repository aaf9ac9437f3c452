# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The module ``replication_group`` against the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from integration import direct
from integration.meanwhile import Once, called, meanwhile
from integration.run import run_module
from waiting import PATIENCE, wait_until

from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import Clients
from ansible_collections.elasticache.auth.plugins.module_utils._resource import reconcile

if TYPE_CHECKING:
    from conftest import Emulator

RECORD = "elasticache.auth/record"
TOKEN = "Vf8#kQ2$tX9&pL5^"
OTHER = "Zr4!nH7>wB3<yD6-"
NEW: dict[str, Any] = {
    "description": "Sessions",
    "engine": "valkey",
    "engine_version": "7.2",
    "cache_node_type": "cache.t4g.small",
    "num_cache_clusters": 2,
}
WITH_TOKEN: dict[str, Any] = {**NEW, "transit_encryption_enabled": True, "auth_token": TOKEN}
TLS_MEMBERS = {"TransitEncryptionEnabled", "TransitEncryptionMode"}


def run(emulator: Emulator, *, check: bool = False, diff: bool = False, by_ansible: bool = False, **args: Any) -> Any:
    """Run the module on the group ``sessions``, ``by_ansible`` at the highest verbosity; return its result."""
    given = {"replication_group_id": "sessions", "wait_delay": 0.1, "wait_timeout": PATIENCE, **args}
    if emulator.ca_bundle:
        given["data_plane_ca_path"] = emulator.ca_bundle
    if not by_ansible:
        direct_run = direct.run(emulator, "replication_group", given, check=check, diff=diff, hidden=[TOKEN, OTHER])
        return {**direct_run.result, "failed": direct_run.failed, "changed": direct_run.changed}
    result = run_module(emulator, "replication_group", given, check=check, diff=diff, verbosity=4)
    direct.assert_no_token(result["output"], [TOKEN, OTHER])
    return result


def changes(emulator: Emulator) -> list[str]:
    """The mutating calls of ElastiCache so far, by action."""
    return [call["action"] for call in emulator.calls(mutating="true", service="elasticache")]


def unchanged(emulator: Emulator, **args: Any) -> Any:
    """Run the module and check that it changes nothing."""
    before = changes(emulator)
    result = run(emulator, **args)
    assert not result["failed"], result["msg"]
    assert not result["changed"], result["msg"]
    assert result["api_calls"] == []
    assert changes(emulator) == before
    return result


def refused(emulator: Emulator, *words: str, **args: Any) -> Any:
    """Run the module and check that it fails with these words, without a change."""
    before = changes(emulator)
    result = run(emulator, **args)
    assert result["failed"], result["msg"]
    for word in words:
        assert word in result["msg"]
    assert result["msg"].startswith("sessions: ")
    assert changes(emulator) == before
    assert not result["changed"]
    return result


def changed(emulator: Emulator, **args: Any) -> Any:
    """Run the module and check that it changes something."""
    result = run(emulator, **args)
    assert not result["failed"], result["msg"]
    assert result["changed"], result["msg"]
    return result


def make_user_group(emulator: Emulator, name: str) -> None:
    """A user group that can be attached."""
    client = emulator.client("elasticache")
    user = f"{name}-default"
    client.create_user(
        UserId=user, UserName="default", Engine="valkey", AccessString="on ~* +@all", Passwords=["p" * 20]
    )
    client.create_user_group(UserGroupId=name, Engine="valkey", UserIds=[user])
    wait_until(
        lambda: client.describe_user_groups(UserGroupId=name)["UserGroups"][0]["Status"] == "active",
        f"user group {name} is active",
    )


def test_a_group_with_a_token_from_beginning_to_end(emulator: Emulator) -> None:
    wanted = {**WITH_TOKEN, "tags": {"team": "shop"}}
    predicted = run(emulator, check=True, diff=True, **wanted)
    assert predicted["changed"]
    assert predicted["replication_group"]["auth_token_enabled"] is True
    assert predicted["diff"]["before"] == {}
    assert emulator.groups() == []

    made = changed(emulator, by_ansible=True, diff=True, **wanted)
    assert made["msg"] == "sessions: created."
    assert [one["action"] for one in made["api_calls"]] == ["CreateReplicationGroup"]
    assert made["api_calls"][0]["parameters"]["AuthToken"] == "********"
    assert made["replication_group"]["status"] == "available"
    for name, value in predicted["after"].items():
        if name != "engine_version":  # AWS chooses the patch
            assert made["after"][name] == value
    truth = emulator.group("sessions")
    assert (truth["mode"], truth["slots"]) == ("required", [TOKEN])
    assert truth["tags"]["team"] == "shop"
    assert "required:f." in truth["tags"][RECORD]
    assert "seen=creation" not in truth["tags"][RECORD]  # it was completed with the date

    again = unchanged(emulator, by_ansible=True, **wanted)
    assert again["before"] == again["after"]
    unchanged(emulator, check=True, **wanted)

    predicted = run(emulator, check=True, state="absent")
    assert predicted["changed"]
    gone = changed(emulator, state="absent", diff=True)
    assert gone["diff"]["after"] == {}
    assert emulator.groups() == []
    assert "replication_group" not in gone
    unchanged(emulator, state="absent")


def test_whatever_a_creation_takes_is_there_afterwards(emulator: Emulator) -> None:
    """All that the emulator has a counterpart for; its nodes listen where there is room, so ``port`` is left out."""
    wanted: dict[str, Any] = {
        **WITH_TOKEN,
        "num_cache_clusters": None,
        "num_node_groups": 2,
        "replicas_per_node_group": 1,
        "node_group_configuration": [
            {"node_group_id": "0001", "replica_count": 1, "primary_availability_zone": "us-east-1b"},
            {"node_group_id": "0002", "replica_count": 1, "slots": "8192-16383"},
        ],
        "cluster_mode": "enabled",
        "cache_parameter_group_name": "default.valkey7.cluster.on",
        "cache_subnet_group_name": "default",
        "security_group_ids": ["sg-2", "sg-1"],
        "automatic_failover_enabled": True,
        "multi_az_enabled": True,
        "at_rest_encryption_enabled": True,
        "kms_key_id": "11-22",
        "network_type": "dual_stack",
        "ip_discovery": "ipv6",
        "preferred_maintenance_window": "sun:23:00-mon:01:30",
        "auto_minor_version_upgrade": False,
        "notification_topic_arn": "arn:aws:sns:us-east-1:123456789012:cache",
        "notification_topic_status": "inactive",
        "snapshot_retention_limit": 3,
        "snapshot_window": "05:30-06:30",
        "log_delivery_configurations": [
            {
                "log_type": "slow-log",
                "destination_type": "cloudwatch-logs",
                "log_group": "/slow",
                "log_format": "json",
            },
            {
                "log_type": "engine-log",
                "destination_type": "kinesis-firehose",
                "delivery_stream": "stream",
                "log_format": "text",
            },
        ],
        "transit_encryption_mode": "required",
        "tags": {"a": "1"},
    }
    wanted = {name: value for name, value in wanted.items() if value is not None}
    made = changed(emulator, **wanted)
    # What a creation doesn't take is called for once the group is there.
    assert [one["action"] for one in made["api_calls"]] == ["CreateReplicationGroup", "ModifyReplicationGroup"]
    assert made["api_calls"][1]["parameters"]["NotificationTopicStatus"] == "inactive"
    unchanged(emulator, **wanted)
    (before,) = emulator.client("elasticache").describe_replication_groups()["ReplicationGroups"]
    assert before["KmsKeyId"] == "11-22"
    assert len(before["NodeGroups"]) == 2

    # One log ends, the other stays, and nothing else is sent.
    less = {**wanted, "log_delivery_configurations": [{"log_type": "slow-log", "enabled": False}]}
    result = changed(emulator, **less)
    (call,) = result["api_calls"]
    assert set(call["parameters"]) == {"ReplicationGroupId", "ApplyImmediately", "LogDeliveryConfigurations"}
    assert [one["log_type"] for one in result["after"]["log_delivery_configurations"]] == ["engine-log"]
    refused(emulator, "num_node_groups: 3 is wanted, but it is 2", num_node_groups=3)


def test_what_differs_is_changed_in_place_and_nothing_else_sent(emulator: Emulator) -> None:
    changed(emulator, **WITH_TOKEN, tags={"a": "1", "b": "2"})
    record = emulator.group("sessions")["tags"][RECORD]
    wanted: dict[str, Any] = {
        **WITH_TOKEN,
        "description": "Sessions of the shop",
        "snapshot_retention_limit": 7,
        "automatic_failover_enabled": True,
        "tags": {"a": "3"},
    }
    predicted = run(emulator, check=True, diff=True, **wanted)
    assert predicted["diff"]["after"] == {
        "description": "Sessions of the shop",
        "snapshot_retention_limit": 7,
        "automatic_failover_enabled": True,
        "tags": {"a": "3"},
    }
    assert predicted["replication_group"]["automatic_failover"] == "enabled"
    result = changed(emulator, diff=True, **wanted)
    assert result["diff"] == predicted["diff"]
    assert result["api_calls"] == predicted["api_calls"]
    assert [one["action"] for one in result["api_calls"]] == [
        "AddTagsToResource",
        "RemoveTagsFromResource",
        "ModifyReplicationGroup",
    ]
    assert result["api_calls"][2]["parameters"] == {
        "ReplicationGroupId": "sessions",
        "ApplyImmediately": False,
        "ReplicationGroupDescription": "Sessions of the shop",
        "AutomaticFailoverEnabled": True,
        "SnapshotRetentionLimit": 7,
    }
    assert emulator.group("sessions")["tags"] == {"a": "3", RECORD: record}
    unchanged(emulator, **wanted)
    assert changed(emulator, tags={"c": "4"}, purge_tags=False)["after"]["tags"] == {"a": "3", "c": "4"}
    unchanged(emulator, tags={"c": "4"}, purge_tags=False)


def test_upgrades_wait_for_the_maintenance_window_by_default(emulator: Emulator) -> None:
    changed(emulator, **NEW)
    wanted = {**NEW, "engine_version": "8.0", "cache_node_type": "cache.t4g.medium"}
    result = changed(emulator, **wanted)
    assert "Waiting for the maintenance window" in result["msg"]
    assert emulator.group("sessions")["engine_version"] == "7.2.6"
    unchanged(emulator, **wanted)
    result = changed(emulator, **wanted, apply_immediately=True)
    assert result["after"]["engine_version"] == "8.0.1"
    assert result["after"]["cache_node_type"] == "cache.t4g.medium"
    unchanged(emulator, **wanted, apply_immediately=True)
    unchanged(emulator, **wanted)
    refused(emulator, "engine_version: 7.2 is wanted, but it is 8.0.1", engine_version="7.2")
    refused(emulator, "engine: redis is wanted", "no way from valkey to redis", engine="redis")


def test_what_cannot_be_changed_in_place_is_refused_with_all_else(emulator: Emulator) -> None:
    changed(emulator, **NEW)
    refused(emulator, "num_cache_clusters: 3 is wanted, but it is 2", "increase-replica-count", num_cache_clusters=3)
    refused(
        emulator,
        "at_rest_encryption_enabled: False is wanted",
        "cache_subnet_group_name: other is wanted",
        "port: 1 is wanted",
        at_rest_encryption_enabled=False,
        cache_subnet_group_name="other",
        port=1,
        description="never sent",
    )


def test_encryption_in_transit_then_user_groups(emulator: Emulator) -> None:
    make_user_group(emulator, "readers")
    make_user_group(emulator, "writers")
    changed(emulator, **NEW)
    refused(emulator, "transit_encryption_mode: preferred first", transit_encryption_mode="required")
    refused(emulator, "encryption in transit is off", user_group_ids=["readers"])

    result = changed(emulator, transit_encryption_mode="preferred", description="Both")
    assert [set(one["parameters"]) & TLS_MEMBERS for one in result["api_calls"]] == [TLS_MEMBERS, set()]
    assert emulator.group("sessions")["tls"] == "preferred"
    unchanged(emulator, transit_encryption_enabled=True)

    both = {"transit_encryption_mode": "required", "user_group_ids": ["readers"]}
    result = changed(emulator, **both)
    assert [one["parameters"] for one in result["api_calls"]] == [
        {"ReplicationGroupId": "sessions", "ApplyImmediately": True, "TransitEncryptionMode": "required"},
        {"ReplicationGroupId": "sessions", "ApplyImmediately": True, "UserGroupIdsToAdd": ["readers"]},
    ]
    unchanged(emulator, **both)
    result = changed(emulator, **both, description="An unchanged TLS member would be refused now")
    assert not any(set(one["parameters"]) & TLS_MEMBERS for one in result["api_calls"])

    result = changed(emulator, user_group_ids=["writers"])
    assert result["api_calls"][0]["parameters"]["UserGroupIdsToRemove"] == ["readers"]
    truth = emulator.group("sessions")
    assert truth["user_group_ids"] == ["writers"]
    assert all(moment["mode"] == "rbac" for moment in truth["history"][-2:])  # unauthenticated access was never allowed

    refused(emulator, "accept_open_access: true", user_group_ids=[])
    refused(emulator, "AWS does not change it on a group with user groups", transit_encryption_mode="preferred")
    refused(emulator, "remove_user_groups: true", auth_token=TOKEN)
    changed(emulator, user_group_ids=[], accept_open_access=True)
    assert emulator.group("sessions")["mode"] == "open"
    unchanged(emulator, user_group_ids=[])


def test_a_group_is_made_with_user_groups(emulator: Emulator) -> None:
    make_user_group(emulator, "readers")
    wanted = {**NEW, "transit_encryption_enabled": True, "user_group_ids": ["Readers"]}
    changed(emulator, **wanted)
    truth = emulator.group("sessions")
    assert truth["mode"] == "rbac"
    assert RECORD not in truth["tags"]
    unchanged(emulator, **wanted)


def test_a_token_is_held_against_what_the_nodes_say(emulator: Emulator) -> None:
    changed(emulator, **WITH_TOKEN, record=False)
    assert RECORD not in emulator.group("sessions")["tags"]
    unchanged(emulator, auth_token=TOKEN)
    refused(emulator, "is not in force", "replication_group_auth", auth_token=OTHER, description="never sent")
    refused(emulator, "is not known", "probe: auto", auth_token=TOKEN, probe="never")
    make_user_group(emulator, "readers")
    refused(emulator, "auth_token_update_strategy: delete", user_group_ids=["readers"])
    client = emulator.client("elasticache")
    client.modify_replication_group(
        ReplicationGroupId="sessions", AuthToken=OTHER, AuthTokenUpdateStrategy="ROTATE", ApplyImmediately=True
    )
    unchanged(emulator, auth_token=OTHER)
    unchanged(emulator, auth_token=TOKEN)


@pytest.mark.emulator(data_plane="none")
def test_a_token_is_held_against_the_record_where_no_node_answers(emulator: Emulator) -> None:
    changed(emulator, **WITH_TOKEN)
    unchanged(emulator, **WITH_TOKEN)
    refused(emulator, "is not in force", auth_token=OTHER)
    refused(emulator, "is not known", "where the nodes can be reached", auth_token=TOKEN, record=False)
    refused(emulator, auth_token=TOKEN, probe="always")


def test_an_open_group_is_given_no_token_here(emulator: Emulator) -> None:
    changed(emulator, **NEW, transit_encryption_enabled=True)
    refused(emulator, "the group has no token", "auth_token_update_strategy: rotate", auth_token=TOKEN)


def test_the_token_comes_from_a_secret_and_never_through_ansible(emulator: Emulator) -> None:
    secrets = emulator.client("secretsmanager")
    stored = secrets.create_secret(Name="elasticache/sessions/auth-token", SecretString=f'{{"auth_token": "{TOKEN}"}}')
    source = {"name": "elasticache/{replication_group_id}/auth-token", "key": "auth_token"}
    wanted = {**NEW, "transit_encryption_enabled": True, "auth_token_secret": source}
    changed(emulator, by_ansible=True, **wanted)
    truth = emulator.group("sessions")
    assert truth["slots"] == [TOKEN]
    assert f"required:v.{stored['VersionId']}" in truth["tags"][RECORD]
    unchanged(emulator, **wanted)
    refused(emulator, "holds no token in AWSPENDING (yet)", auth_token_secret={**source, "stage": "AWSPENDING"})


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({**WITH_TOKEN, "auth_token": "short"}, ["is not a valid AUTH token", "5 characters"]),
        ({**WITH_TOKEN, "auth_token": "no@at-sign-in-here"}, ["is not a valid AUTH token"]),
        ({**NEW, "auth_token": TOKEN}, ["transit_encryption_enabled: true"]),
        ({**WITH_TOKEN, "user_group_ids": ["readers"]}, ["exclude each other"]),
        ({"engine": "valkey"}, ["description", "AWS makes none without"]),
        ({**WITH_TOKEN, "auth_token": None, "user_group_ids": ["nobody"]}, ["UserGroupNotFound"]),
        ({**NEW, "cache_subnet_group_name": "nowhere"}, ["CacheSubnetGroupNotFoundFault"]),
    ],
)
def test_nothing_is_made_from_bad_input(emulator: Emulator, args: dict[str, Any], words: list[str]) -> None:
    result = run(emulator, **{name: value for name, value in args.items() if value is not None})
    assert result["failed"]
    assert not result["changed"]
    for word in words:
        assert word in result["msg"]
    assert emulator.groups() == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_creation_whose_answer_is_lost_is_looked_for_before_it_is_repeated(emulator: Emulator, when: str) -> None:
    emulator.faults({"kind": "drop", "action": "CreateReplicationGroup", "when": when, "times": 1})
    result = changed(emulator, **WITH_TOKEN)
    assert result["msg"] == "sessions: created."
    assert len(result["api_calls"]) == 1
    assert changes(emulator).count("CreateReplicationGroup") == (2 if when == "before" else 1)
    truth = emulator.group("sessions")
    assert truth["slots"] == [TOKEN]
    assert "seen=creation" not in truth["tags"][RECORD]
    unchanged(emulator, **WITH_TOKEN)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_change_whose_answer_is_lost_is_carried_out_once(emulator: Emulator, when: str) -> None:
    changed(emulator, **NEW)
    emulator.faults({"kind": "drop", "action": "ModifyReplicationGroup", "when": when, "times": 1})
    result = changed(emulator, snapshot_retention_limit=2)
    assert len(result["api_calls"]) == 1
    assert changes(emulator).count("ModifyReplicationGroup") == (2 if when == "before" else 1)
    assert result["after"]["snapshot_retention_limit"] == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_deletion_whose_answer_is_lost_is_carried_out_once(emulator: Emulator, when: str) -> None:
    changed(emulator, **NEW)
    emulator.faults({"kind": "drop", "action": "DeleteReplicationGroup", "when": when, "times": 1})
    result = changed(emulator, state="absent")
    assert len(result["api_calls"]) == 1
    assert emulator.groups() == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_deletion_whose_answer_is_lost_is_looked_for_without_waiting(emulator: Emulator, when: str) -> None:
    """It is not said to be on its way before AWS shows that it is."""
    changed(emulator, **NEW)
    emulator.hold()
    emulator.faults({"kind": "drop", "action": "DeleteReplicationGroup", "when": when, "times": 1})
    result = changed(emulator, state="absent", wait=False)
    assert result["msg"] == "sessions: is being deleted."
    assert result["replication_group"]["status"] == "deleting"
    assert emulator.group("sessions")["status"] == "deleting"


def test_the_end_of_a_change_is_seen_after_a_look_that_failed(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(emulator, **NEW)
    unavailable = {"kind": "error", "action": "DescribeReplicationGroups", "code": "ServiceUnavailable", "status": 503}
    note = reconcile._note

    def late(*arguments: Any) -> None:
        note(*arguments)
        emulator.faults({**unavailable, "times": 5})  # botocore itself tries four times

    monkeypatch.setattr(reconcile, "_note", late)
    result = changed(emulator, snapshot_retention_limit=2)
    assert result["after"]["snapshot_retention_limit"] == 2
    assert changes(emulator).count("ModifyReplicationGroup") == 1


@pytest.mark.parametrize("options", [{}, {"automatic_failover_enabled": True}])
def test_a_look_that_is_refused_is_not_taken_for_a_deletion(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    """An error while a change is waited for, its own or another one's, says nothing of the group."""
    changed(emulator, **NEW)
    emulator.hold()
    client = emulator.client("elasticache")
    if not options:
        client.modify_replication_group(ReplicationGroupId="sessions", AutomaticFailoverEnabled=True)
    expired = {"kind": "error", "action": "DescribeReplicationGroups", "code": "ExpiredToken", "status": 403}
    pause = Clients.pause

    def late(clients: Clients, seconds: float) -> None:
        if not emulator.calls(action="DescribeReplicationGroups", code="ExpiredToken"):
            emulator.faults({**expired, "times": 1})
        pause(clients, seconds)

    monkeypatch.setattr(Clients, "pause", late)
    result = run(emulator, **NEW, **options)
    assert result["failed"]
    assert result["msg"].startswith("sessions: elasticache:DescribeReplicationGroups was refused in us-east-1: Expired")
    assert result["changed"] is bool(options)
    assert changes(emulator).count("CreateReplicationGroup") == 1


def test_what_aws_does_not_take_is_reported_in_the_end(emulator: Emulator) -> None:
    changed(emulator, **NEW)
    busy = {"kind": "error", "action": "ModifyReplicationGroup", "code": "InvalidReplicationGroupState"}
    emulator.faults({**busy, "message": "Cluster sessions-001 is rebooting.", "times": 100})
    result = run(emulator, snapshot_retention_limit=2, wait_delay=0.02)
    assert result["failed"]
    assert "again and again (24 tries). The last time: elasticache:ModifyReplicationGroup failed" in result["msg"]
    assert "Cluster sessions-001 is rebooting. Run this again." in result["msg"]


def test_descriptions_that_are_behind_are_not_believed(emulator: Emulator) -> None:
    changed(emulator, **NEW)
    emulator.faults({"kind": "stale-describe", "seconds": 1.0})
    result = changed(emulator, **{**NEW, "automatic_failover_enabled": True, "description": "new"})
    assert result["after"]["automatic_failover_enabled"] is True
    assert changes(emulator).count("ModifyReplicationGroup") == 1


def test_a_creation_under_way_is_joined(emulator: Emulator) -> None:
    emulator.hold()
    left = changed(emulator, **WITH_TOKEN, wait=False)
    assert left["replication_group"]["status"] == "creating"
    assert left["after"]["auth_token_enabled"] is True
    refused(emulator, "a change is under way", "wait: true", **WITH_TOKEN, wait=False)
    with meanwhile(Once(called(emulator, "DescribeReplicationGroups"), emulator.release)):
        unchanged(emulator, **WITH_TOKEN)
    assert emulator.group("sessions")["status"] == "available"
    assert changes(emulator) == ["CreateReplicationGroup"]


def test_a_change_under_way_is_joined_and_its_end_waited_for(emulator: Emulator) -> None:
    changed(emulator, **NEW)
    wanted = {"automatic_failover_enabled": True, "snapshot_retention_limit": 4}
    emulator.hold()
    left = changed(emulator, **wanted, wait=False)
    assert "is being changed" in left["msg"]
    unchanged(emulator, description="Sessions", wait=False)
    refused(emulator, "a change is under way", description="x", wait=False)
    for check in (False, True):
        refused(emulator, "a change is under way", state="absent", wait=False, check=check)
    with meanwhile(Once(called(emulator, "DescribeReplicationGroups"), lambda: emulator.release(keep=True))):
        unchanged(emulator, **wanted)
    assert emulator.group("sessions")["status"] == "available"
    changed(emulator, **{**wanted, "automatic_failover_enabled": False}, wait=False)
    with meanwhile(Once(called(emulator, "DescribeReplicationGroups"), emulator.release)):
        changed(emulator, state="absent")
    assert emulator.groups() == []


def test_a_deletion_under_way_is_joined(emulator: Emulator) -> None:
    changed(emulator, **NEW)
    emulator.hold()
    left = changed(emulator, state="absent", wait=False, final_snapshot_identifier="last")
    assert left["api_calls"][0]["parameters"]["FinalSnapshotIdentifier"] == "last"
    assert emulator.group("sessions")["status"] == "snapshotting"
    with meanwhile(Once(called(emulator, "DescribeReplicationGroups"), emulator.release)):
        result = unchanged(emulator, state="absent")
    assert "already under way" in result["msg"]
    assert emulator.groups() == []
    changed(emulator, **NEW)
    emulator.hold()
    changed(emulator, state="absent", wait=False)
    refused(emulator, "it is being deleted", **NEW, wait=False)
    with meanwhile(Once(called(emulator, "DescribeReplicationGroups"), emulator.release)):
        changed(emulator, **NEW)
    assert emulator.group("sessions")["status"] == "available"


def test_a_creation_that_failed_is_reported_and_cleared_away(emulator: Emulator) -> None:
    emulator.faults({"kind": "create-failed", "times": 1})
    result = run(emulator, **NEW)
    assert result["failed"]
    assert result["changed"]
    assert "create-failed" in result["msg"]
    assert "state: absent" in result["msg"]
    refused(emulator, "create-failed", **NEW)
    changed(emulator, state="absent")
    changed(emulator, **NEW)


def test_what_never_ends_is_reported_when_the_time_is_up(emulator: Emulator) -> None:
    changed(emulator, **NEW)
    emulator.faults({"kind": "never-ends", "times": 1})
    result = run(emulator, automatic_failover_enabled=True, wait_timeout=1)
    assert result["failed"]
    assert result["changed"]
    assert "its status is modifying" in result["msg"]
    assert "wait_timeout" in result["msg"]


def test_throttling_is_ridden_out(emulator: Emulator) -> None:
    emulator.faults({"kind": "throttle", "service": "elasticache", "rate": 0.3, "seed": 7})
    changed(emulator, **WITH_TOKEN)
    emulator.clear_faults()
    unchanged(emulator, **WITH_TOKEN)


def test_what_aws_refuses_is_reported(emulator: Emulator) -> None:
    changed(emulator, **NEW)
    result = run(emulator, state="absent", retain_primary_cluster=True)
    assert result["failed"]
    assert not result["changed"]
    assert "RetainPrimaryCluster" in result["msg"]
    assert len(emulator.groups()) == 1
