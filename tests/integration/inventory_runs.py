# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Runs of ``ansible-inventory`` with the inventory plugin, and what it finds in several regions and accounts."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import yaml
from conftest import SECRET_KEY
from integration.run import run_inventory
from integration.scenes import A, B, C
from waiting import wait_until

if TYPE_CHECKING:
    from conftest import Emulator

PLUGIN = "elasticache.auth.replication_groups"
OWN, OTHER = "123456789012", "210987654321"
ROLE = f"arn:aws:iam::{OTHER}:role/fleet"
REGIONS = ["eu-west-1", "us-east-1", "us-west-2"]

#: What every host has; a role's host has its ARN besides.
VARIABLES = {
    "replication_group_id",
    "ansible_connection",
    "ansible_python_interpreter",
    "elasticache_account_id",
    "elasticache_arn",
    "elasticache_auth_token_age_days",
    "elasticache_auth_token_enabled",
    "elasticache_auth_token_last_modified_date",
    "elasticache_cluster_enabled",
    "elasticache_description",
    "elasticache_drift",
    "elasticache_endpoints",
    "elasticache_engine",
    "elasticache_engine_version",
    "elasticache_evidence",
    "elasticache_global_role",
    "elasticache_inventory_failures",
    "elasticache_mode",
    "elasticache_node_count",
    "elasticache_pending",
    "elasticache_possible_states",
    "elasticache_recorded_at",
    "elasticache_region",
    "elasticache_serverless",
    "elasticache_status",
    "elasticache_tags",
    "elasticache_transit_encryption_mode",
    "elasticache_unauthenticated_access",
    "elasticache_user_group_ids",
}


@dataclass(frozen=True)
class Inventory:
    """What ``ansible-inventory --list`` said, and what the emulator was asked meanwhile."""

    returncode: int
    output: str
    hosts: Mapping[str, Mapping[str, Any]]
    groups: Mapping[str, list[str]]
    calls: tuple[Mapping[str, Any], ...]
    seconds: float

    @property
    def ids(self) -> list[str]:
        """The ids of all hosts, in order."""
        return sorted(host["replication_group_id"] for host in self.hosts.values())

    @property
    def text(self) -> str:
        """What was written to standard error, on one line."""
        return re.sub(r"\s+", " ", self.output)

    @property
    def by_action(self) -> Counter[str]:
        """The number of calls by action."""
        return Counter(call["action"] for call in self.calls)


def unmarked(value: dict[str, Any]) -> Any:
    """Return a text that Ansible has marked as untrusted, and everything else as it is."""
    return value["__ansible_unsafe"] if set(value) == {"__ansible_unsafe"} else value


def take(
    emulator: Emulator,
    folder: Path,
    arguments: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
    **options: Any,
) -> Inventory:
    """Write the options into a file, and list the inventory that it stands for."""
    file = folder / "fleet.elasticache.yml"
    file.write_text(yaml.safe_dump({"plugin": PLUGIN, **options}), encoding="utf-8")
    before, begun = len(emulator.calls()), time.monotonic()
    done = run_inventory(
        emulator,
        folder,
        ["-i", str(file), "--list", *arguments],
        environment={"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true", **(environment or {})},
    )
    seconds = time.monotonic() - begun
    listed = json.loads(done.stdout, object_hook=unmarked) if done.returncode == 0 else {}
    hosts = listed.pop("_meta", {}).get("hostvars", {})
    groups = {name: sorted(group.get("hosts", [])) for name, group in listed.items()}
    calls = tuple(emulator.calls()[before:])
    for secret in (SECRET_KEY, A, B, C):
        assert secret not in done.stdout + done.stderr
    return Inventory(done.returncode, done.stderr, hosts, groups, calls, seconds)


def client_of(emulator: Emulator, account: str, region: str) -> Any:
    """A client of ElastiCache in another account."""
    role = emulator.client("sts").assume_role(RoleArn=f"arn:aws:iam::{account}:role/x", RoleSessionName="test")
    theirs = role["Credentials"]
    return boto3.client(
        "elasticache",
        region_name=region,
        endpoint_url=emulator.endpoint_url,
        aws_access_key_id=theirs["AccessKeyId"],
        aws_secret_access_key=theirs["SecretAccessKey"],
        aws_session_token=theirs["SessionToken"],
    )


def create_elsewhere(emulator: Emulator, account: str, region: str, group: str) -> None:
    """Create a group in another account."""
    client_of(emulator, account, region).create_replication_group(
        ReplicationGroupId=group,
        ReplicationGroupDescription="d",
        Engine="valkey",
        TransitEncryptionEnabled=True,
        NumCacheClusters=2,
        AuthToken=A,
    )
    emulator.wait_available(group, account=account, region=region)


def settle_serverless(emulator: Emulator, name: str) -> None:
    """Wait until a serverless cache is available."""
    client = emulator.client("elasticache")
    wait_until(
        lambda: (
            client.describe_serverless_caches(ServerlessCacheName=name)["ServerlessCaches"][0]["Status"] == "available"
        ),
        f"{name} is available",
    )


def tagged(**tags: str) -> list[dict[str, str]]:
    """Tags as AWS takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
