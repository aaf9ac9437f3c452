# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Once a run must end, no client sends a call that changes something, and waits end at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from unit.plugins.module_utils._aws.test_clients import Owner
from waiting import PATIENCE, wait_until

from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import _READING, Clients
from ansible_collections.elasticache.auth.plugins.module_utils._aws.errors import Kind, classify, explain
from ansible_collections.elasticache.auth.plugins.module_utils._stop import GONE, INTERRUPTED, Stop, Stopped
from emulator.control.call_log import is_mutating

SERVICES = ("elasticache", "secretsmanager", "resourcegroupstaggingapi", "cloudwatch", "sts", "ec2")
CALLS: dict[tuple[str, str], dict[str, Any]] = {
    ("once", "ModifyReplicationGroup"): {"ReplicationGroupId": "sessions"},
    ("once", "CreateReplicationGroup"): {"ReplicationGroupId": "sessions", "ReplicationGroupDescription": "d"},
    ("once", "DeleteReplicationGroup"): {"ReplicationGroupId": "sessions"},
    ("once", "CreateUserGroup"): {"UserGroupId": "users", "Engine": "valkey"},
    ("repeatable", "AddTagsToResource"): {"ResourceName": "arn", "Tags": []},
    ("repeatable", "RemoveTagsFromResource"): {"ResourceName": "arn", "TagKeys": []},
    ("secrets", "PutSecretValue"): {"SecretId": "sessions", "SecretString": "text"},
    ("secrets", "UpdateSecretVersionStage"): {"SecretId": "sessions", "VersionStage": "AWSCURRENT"},
}


def stopped_clients(why: str = INTERRUPTED) -> Clients:
    stop = Stop()
    clients = Clients(Owner(), stop=stop)
    stop.set(why)
    return clients


@pytest.mark.parametrize(("name", "action"), CALLS)
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
def test_no_changing_call_is_sent(name: str, action: str, elsewhere: bool) -> None:
    clients = stopped_clients(GONE)
    client = getattr(clients.elsewhere(region="eu-west-1") if elsewhere else clients.part(), name)
    with pytest.raises(Stopped) as stopped:
        getattr(client, xform_name(action))(**CALLS[name, action])
    assert str(stopped.value) == GONE
    assert classify(stopped.value) is Kind.REFUSED  # so it surely was not made
    assert explain(stopped.value, action, "us-east-1") == GONE


@pytest.mark.parametrize("service", SERVICES)
def test_each_action_is_known_for_what_it_does(service: str) -> None:
    """What the emulator counts as a change is held back, whichever action it is."""
    actions = botocore.session.get_session().get_service_model(service).operation_names
    assert [action for action in actions if is_mutating(action) and action.startswith(_READING)] == []


def test_a_wait_ends_at_once() -> None:
    stop = Stop()
    with ThreadPoolExecutor(1) as pool:
        pause = pool.submit(Clients(Owner(), stop=stop).pause, 86400)
        wait_until(pause.running, "it has begun to wait")
        stop.set()
        assert isinstance(pause.exception(PATIENCE), Stopped)


def test_the_first_reason_counts() -> None:
    stop = Stop()
    stop.check()
    stop.set(GONE)
    stop.set()
    with pytest.raises(Stopped, match="has gone"):
        stop.check()


def test_throttling_is_not_ridden_out_any_more() -> None:
    clients = stopped_clients()
    client = clients.secrets
    with pytest.raises(Stopped):
        clients.paced("PutSecretValue", lambda: client.put_secret_value(SecretId="a", SecretString="b"))
